//! What is known of the rows: which tables are fed by triggers from which, since when, and what was filled.
//!
//! Completeness belongs to the relation, not to its name, and it is a set of facts, never one state:
//! [`Data::coverage`] answers from them whether a copy holds all rows of its source. No opinions.

mod column;
mod copy;
mod coverage;
mod delete;
mod empty;
mod feed;
mod fill;
mod guarantee;
mod inserted;
mod keep;
mod lost;
mod queue;
mod refuted;
mod rows;
mod swap;

pub use column::*;
pub use copy::*;
pub use coverage::*;
pub use delete::*;
pub use empty::Emptied;
pub use feed::*;
pub use fill::*;
pub use guarantee::*;
pub use inserted::*;
pub use lost::*;
pub use queue::*;
pub use refuted::*;
pub use rows::*;
pub use swap::*;

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};

use crate::operation::{Ident, LockMode, Name, Operation, Origin, Rows, WriteKind};
use crate::schema::{ColumnId, FunctionId, RelationId, Schema, TriggerId};
use crate::settings::Fact;

/// A point of the history: the number of the step, of the unit (what others see at once), of the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Moment {
    pub step: u32,
    pub unit: u32,
    pub release: usize,
}

/// How a step runs: when, whether at all, and whether again and again.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    pub moment: Moment,
    pub certain: bool,
    pub in_loop: bool,
    /// Not now, but when this queued job is through.
    pub job: Option<u32>,
}

/// Facts about rows at one point of the history. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Data {
    made: OrdMap<RelationId, Moment>,
    triggers_made: OrdMap<TriggerId, Moment>,
    /// The first rows that a migration itself wrote.
    first_rows: OrdMap<RelationId, Moment>,
    /// Tables of this history whose first rows are literal ones of a migration.
    seeded: OrdSet<RelationId>,
    fills: OrdMap<RelationId, Arc<Vec<Fill>>>,
    /// Since when inserts into the first reach the second.
    fed_since: OrdMap<(RelationId, RelationId), Moment>,
    /// When they stopped to.
    stopped: OrdMap<(RelationId, RelationId), Moment>,
    /// When a lock last stopped writes to a table.
    write_blocks: OrdMap<RelationId, Moment>,
    facts: Arc<Vec<Fact>>,
    empty: empty::EmptyTables,
    /// Triggers by the bare names of what their functions write, whether it exists or not.
    named: OrdMap<Ident, OrdSet<TriggerId>>,
    /// Of each trigger that writes other tables.
    entries: OrdMap<TriggerId, Arc<keep::Entry>>,
    /// Triggers by the tables they are on and the tables they write.
    by_table: OrdMap<RelationId, OrdSet<TriggerId>>,
    /// All that each trigger's function names, and triggers by those names.
    uses: OrdMap<TriggerId, Arc<Uses>>,
    users: OrdMap<Ident, OrdSet<TriggerId>>,
    /// Functions with writes that could not be followed, for some trigger at some time.
    unfollowed: OrdSet<FunctionId>,
    /// Names and bounds that tables lost not long ago.
    left: Arc<Vec<Arc<swap::Left>>>,
    swaps: Arc<Vec<Arc<Swap>>>,
    column_fills: OrdMap<(RelationId, ColumnId), Arc<Vec<ColumnFill>>>,
    /// What was queued, by the step that queued it.
    queue: OrdMap<u32, Arc<Queued>>,
}

impl Data {
    /// Takes what a person states as known from here on.
    pub fn state_facts(&mut self, facts: &[Fact]) {
        if !facts.is_empty() {
            Arc::make_mut(&mut self.facts).extend(facts.iter().cloned());
        }
    }

    /// Records what a step that succeeded did to rows and to who feeds whom.
    pub fn observe(
        &mut self,
        operation: &Operation,
        origin: &Origin,
        before: &Schema,
        after: &Schema,
        circumstances: Circumstances,
    ) {
        for id in after.relations_since(before) {
            self.made.insert(id, circumstances.moment);
        }
        let leaving = self.leaving(operation, before);
        self.empty.observe(operation, after, circumstances.moment);
        self.keep_feeds(operation, before, after, circumstances.moment);
        self.note_rows_of(operation, origin, after, circumstances);
        self.keep_queue(operation, origin, after, circumstances);
        match operation {
            Operation::Lock(lock) if lock.mode >= LockMode::Share => {
                for table in &lock.tables {
                    self.note_block(after, &table.name, circumstances.moment);
                }
            }
            Operation::AlterTable(alter) => self.note_block(after, &alter.table, circumstances.moment),
            Operation::CreateTableAs(create) if create.with_data => {
                if let Some(target) = after.find(&create.name) {
                    let found =
                        Fill::of_query(&create.query, &[], target.id, &create.columns, origin, after, circumstances);
                    self.add_fill(found);
                }
            }
            _ => {}
        }
        self.keep_columns(operation, origin, after, circumstances);
        self.keep_places(operation, origin, before, after, leaving, circumstances);
    }

    /// What a statement writes.
    fn note_rows_of(&mut self, operation: &Operation, origin: &Origin, schema: &Schema, at: Circumstances) {
        match operation {
            Operation::Write(write) => {
                for one in write.all() {
                    self.note_write(one, origin, schema, at);
                }
            }
            Operation::Query(query) => {
                for one in query.writes().into_iter().flat_map(|write| write.all()) {
                    self.note_write(one, origin, schema, at);
                }
            }
            _ => {}
        }
    }

    fn note_write(&mut self, write: &crate::operation::Write, origin: &Origin, schema: &Schema, at: Circumstances) {
        let Some(target) = schema.find(&write.target).map(|relation| relation.id) else { return };
        match (write.kind, &write.rows) {
            (WriteKind::Insert, Rows::Query(query)) => {
                let fill = Fill::of_query(query, &write.with, target, &write.columns, origin, schema, at);
                if fill.is_none() {
                    self.note_rows(target, at);
                }
                self.add_fill(fill);
            }
            (WriteKind::Insert, Rows::Values { .. }) => {
                let is_first = !self.first_rows.contains_key(&target) && !self.fills.contains_key(&target);
                if is_first && self.made.contains_key(&target) && !at.in_loop && at.job.is_none() {
                    self.seeded.insert(target);
                }
                self.note_rows(target, at);
            }
            (WriteKind::Insert | WriteKind::Copy | WriteKind::Merge, _) => {
                self.seeded.remove(&target);
                self.note_rows(target, at);
            }
            (WriteKind::Update, _) => self.note_touch(write, target, origin, schema, at),
            (WriteKind::Delete, _) => {}
        }
    }

    fn note_block(&mut self, schema: &Schema, name: &Name, moment: Moment) {
        if let Some(relation) = schema.find(name) {
            self.block(relation.id, moment);
        }
    }

    /// A lock lasts until its transaction ends: the first one there counts.
    fn block(&mut self, table: RelationId, moment: Moment) {
        let known = self.write_blocks.get(&table);
        if known.is_none_or(|first| first.unit != moment.unit) {
            self.write_blocks.insert(table, moment);
        }
    }

    fn note_rows(&mut self, target: RelationId, at: Circumstances) {
        self.first_rows.entry(target).or_insert(at.moment);
    }

    fn add_fill(&mut self, fill: Option<Fill>) {
        let Some(fill) = fill else { return };
        let fills = self.fills.entry(fill.target).or_default();
        Arc::make_mut(fills).push(fill);
    }

    /// An UPDATE of every row of a source fires its triggers: where those upsert, the copy is filled.
    fn note_touch(
        &mut self,
        write: &crate::operation::Write,
        source: RelationId,
        origin: &Origin,
        schema: &Schema,
        at: Circumstances,
    ) {
        let targets: Vec<RelationId> = self
            .feeds()
            .filter(|feed| {
                feed.fires && feed.source == source && feed.writes.iter().any(FeedWrite::adds_rows_on_update)
            })
            .map(|feed| feed.target)
            .collect();
        for target in targets {
            let filter = fill::filter_of(write.filter.as_ref(), &[], target, schema, at.in_loop);
            self.add_fill(Some(Fill {
                target,
                source,
                filter,
                partial: !write.from.is_empty(),
                row_lock: Some(crate::operation::RowLock::NoKeyUpdate),
                touch: true,
                columns: Vec::new(),
                origin: origin.clone(),
                moment: at.moment,
                certain: at.certain,
                job: at.job,
            }));
        }
    }

    /// Which tables' triggers write which tables now.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.entries.values().flat_map(|entry| entry.feeds.iter())
    }

    /// What one trigger writes.
    pub fn feeds_of(&self, trigger: TriggerId) -> &[Feed] {
        self.entries.get(&trigger).map_or(&[], |entry| &entry.feeds)
    }

    /// What one trigger's function names.
    pub fn uses_of(&self, trigger: TriggerId) -> Option<&Uses> {
        self.uses.get(&trigger).map(|uses| &**uses)
    }

    /// The triggers whose functions name something so, or did.
    pub fn triggers_naming(&self, name: &Ident) -> impl Iterator<Item = TriggerId> {
        self.users.get(name).into_iter().flatten().copied()
    }

    /// Some write of a trigger function could not be followed already.
    pub fn is_unfollowed(&self, function: FunctionId) -> bool {
        self.unfollowed.contains(&function)
    }

    /// Triggers whose functions came, changed, or name something that was taken away, between another state and this.
    pub fn shaken_since(&self, other: &Data, schema: &Schema, before: &Schema) -> BTreeSet<TriggerId> {
        let changes = other.uses.diff(&self.uses).filter_map(|change| match change {
            DiffItem::Add(id, _) | DiffItem::Update { new: (id, _), .. } => Some(*id),
            DiffItem::Remove(..) => None,
        });
        let mut found: BTreeSet<TriggerId> = changes.collect();
        if !self.users.is_empty() {
            for name in schema.names_gone_since(before) {
                found.extend(self.users.get(&name).into_iter().flatten());
            }
        }
        found
    }

    /// Between these two states of one history nothing happened that concerns synced tables.
    pub fn is_like(&self, other: &Data) -> bool {
        self.entries.ptr_eq(&other.entries)
    }

    /// Some other table's trigger, or a migration, puts rows into it.
    pub fn is_fed(&self, schema: &Schema, table: RelationId) -> bool {
        self.fills.contains_key(&table)
            || self.first_rows.contains_key(&table)
            || self.feeds_into(schema, table).next().is_some()
    }

    /// A migration wrote its first rows out: what it holds are settings, or kinds of something. No trigger and no other
    /// table has filled it.
    pub fn is_seeded(&self, schema: &Schema, table: RelationId) -> bool {
        self.seeded.contains(&table)
            && !self.fills.contains_key(&table)
            && self.feeds_into(schema, table).all(|feed| feed.source == table)
    }

    /// When a relation was made, where this history made it.
    pub fn made(&self, relation: RelationId) -> Option<Moment> {
        self.made.get(&relation).copied()
    }

    /// When a migration last emptied a table into which none has written since.
    pub fn emptied(&self, table: RelationId) -> Option<Emptied> {
        self.empty.get(table)
    }

    pub fn fills_of(&self, relation: RelationId) -> &[Fill] {
        self.fills.get(&relation).map_or(&[], |fills| fills.as_slice())
    }

    /// What migrations copied out of a table.
    pub fn copied_from(&self, source: RelationId) -> impl Iterator<Item = &Fill> {
        self.fills.values().flat_map(|fills| fills.iter()).filter(move |fill| fill.source == source && !fill.touch)
    }

    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What is known in either of two branches: fills of one branch only are uncertain.
    pub fn join(&self, other: &Data) -> Data {
        let mut joined = self.clone();
        // What both share lies at one place in memory.
        if !self.fills.ptr_eq(&other.fills) {
            for (relation, fills) in &other.fills {
                let own = joined.fills.entry(*relation).or_default();
                if !Arc::ptr_eq(own, fills) {
                    let missing: Vec<Fill> = fills.iter().filter(|fill| !own.contains(fill)).cloned().collect();
                    Arc::make_mut(own).extend(missing);
                }
            }
        }
        joined.join_queue(other);
        joined.empty = self.empty.join(&other.empty);
        join(&mut joined.made, &other.made);
        join(&mut joined.triggers_made, &other.triggers_made);
        join(&mut joined.first_rows, &other.first_rows);
        if !joined.seeded.ptr_eq(&other.seeded) {
            joined.seeded = joined.seeded.intersection(other.seeded.clone());
        }
        join(&mut joined.fed_since, &other.fed_since);
        join(&mut joined.stopped, &other.stopped);
        join_sets(&mut joined.named, &other.named);
        join(&mut joined.entries, &other.entries);
        if !joined.unfollowed.ptr_eq(&other.unfollowed) {
            joined.unfollowed = joined.unfollowed.union(other.unfollowed.clone());
        }
        join(&mut joined.uses, &other.uses);
        join_sets(&mut joined.users, &other.users);
        join_sets(&mut joined.by_table, &other.by_table);
        joined
    }
}

/// What either has; its own where both have one.
fn join<K: Ord + Clone, V: Clone + PartialEq>(own: &mut OrdMap<K, V>, other: &OrdMap<K, V>) {
    for change in own.clone().diff(other) {
        if let DiffItem::Add(key, value) = change {
            own.insert(key.clone(), value.clone());
        }
    }
}

fn join_sets<K: Ord + Clone, V: Ord + Clone>(own: &mut OrdMap<K, OrdSet<V>>, other: &OrdMap<K, OrdSet<V>>) {
    for change in own.clone().diff(other) {
        if let DiffItem::Add(key, theirs) | DiffItem::Update { new: (key, theirs), .. } = change {
            let own = own.entry(key.clone()).or_default();
            *own = own.clone().union(theirs.clone());
        }
    }
}
