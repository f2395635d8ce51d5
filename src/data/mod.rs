//! What is known of the rows: which tables are fed by triggers from which, since when, and what was filled.
//!
//! Completeness belongs to the relation, not to its name, and it is a set of facts, never one state:
//! [`Data::coverage`] answers from them whether a copy holds all rows of its source. No opinions.

mod copy;
mod coverage;
mod feed;
mod fill;
mod guarantee;

pub use copy::*;
pub use coverage::*;
pub use feed::*;
pub use fill::*;
pub use guarantee::*;

use std::sync::{Arc, OnceLock};

use imbl::{OrdMap, OrdSet};

use crate::operation::{
    AlterTable, Ident, LockMode, Name, ObjectKind, Operation, Origin, Rows, TableActionKind, WriteKind,
};
use crate::schema::{FunctionId, RelationId, Schema, TriggerId};
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
}

/// Facts about rows at one point of the history. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Data {
    made: OrdMap<RelationId, Moment>,
    triggers_made: OrdMap<TriggerId, Moment>,
    /// The first rows that a migration itself wrote.
    first_rows: OrdMap<RelationId, Moment>,
    fills: OrdMap<RelationId, Arc<Vec<Fill>>>,
    /// Since when inserts into the first reach the second.
    fed_since: OrdMap<(RelationId, RelationId), Moment>,
    /// When a lock last stopped writes to a table.
    write_blocks: OrdMap<RelationId, Moment>,
    facts: Arc<Vec<Fact>>,
    /// Trigger functions by the bare names of what they write; those that make their statements at run time.
    writers: OrdMap<Ident, OrdSet<FunctionId>>,
    dynamic_writers: OrdSet<FunctionId>,
    /// Made when first asked for, thrown away when a step may change the answer.
    feeds: Arc<OnceLock<Arc<[Feed]>>>,
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
        if let Operation::CreateFunction(_) = operation {
            self.note_function(before, after, circumstances.moment);
        }
        if self.changes_feeds(operation) {
            self.feeds = Arc::default();
        }
        for id in after.triggers_since(before) {
            self.triggers_made.insert(id, circumstances.moment);
            self.note_feeds(after, id, circumstances.moment);
        }
        match operation {
            Operation::Write(write) => {
                for one in write.all() {
                    self.note_write(one, origin, after, circumstances);
                }
            }
            Operation::Query(query) => {
                for one in query.writes().into_iter().flat_map(|write| write.all()) {
                    self.note_write(one, origin, after, circumstances);
                }
            }
            Operation::Lock(lock) if lock.mode >= LockMode::Share => {
                for table in &lock.tables {
                    self.note_block(after, &table.name, circumstances.moment);
                }
            }
            Operation::AlterTable(alter) => {
                self.note_block(after, &alter.table, circumstances.moment);
                self.note_enabled(alter, before, after, circumstances.moment);
            }
            Operation::CreateTableAs(create) if create.with_data => {
                if let Some(target) = after.find(&create.name) {
                    let found =
                        Fill::of_query(&create.query, &[], target.id, &create.columns, origin, after, circumstances);
                    self.add_fill(found);
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
            (WriteKind::Insert | WriteKind::Copy | WriteKind::Merge, _) => self.note_rows(target, at),
            (WriteKind::Update, _) => self.note_touch(write, target, origin, schema, at),
            (WriteKind::Delete, _) => {}
        }
    }

    fn note_block(&mut self, schema: &Schema, name: &Name, moment: Moment) {
        if let Some(relation) = schema.find(name) {
            self.write_blocks.insert(relation.id, moment);
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
        if self.writers.is_empty() && self.dynamic_writers.is_empty() {
            return;
        }
        let targets: Vec<RelationId> = self
            .feeds(schema)
            .iter()
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
            }));
        }
    }

    /// Keeps `writers` for a function that was made or replaced.
    fn note_function(&mut self, before: &Schema, after: &Schema, moment: Moment) {
        for id in after.functions_changed_since(before) {
            let function = after.function(id);
            if &*function.returns != "trigger" {
                continue;
            }
            let (names, dynamic) = feed::written_names(&function.body.nodes, after);
            for name in names {
                self.writers.entry(name).or_default().insert(id);
            }
            if dynamic {
                self.dynamic_writers.insert(id);
            }
            self.feeds = Arc::default();
            for trigger in &function.triggers {
                self.note_feeds(after, *trigger, moment);
            }
        }
    }

    /// Triggers that ENABLE makes fire feed from now on.
    fn note_enabled(&mut self, alter: &AlterTable, before: &Schema, after: &Schema, moment: Moment) {
        if !alter.actions.iter().any(|action| matches!(action.kind, TableActionKind::SetTrigger { .. })) {
            return;
        }
        let Some(relation) = after.find(&alter.table) else { return };
        for trigger in after.triggers_of(relation.id) {
            let fired = before.get_trigger(trigger.id).is_some_and(feed::fires);
            if !fired && feed::fires(trigger) {
                self.note_feeds(after, trigger.id, moment);
            }
        }
    }

    fn note_feeds(&mut self, schema: &Schema, trigger: TriggerId, moment: Moment) {
        let Some(trigger) = schema.get_trigger(trigger).filter(|trigger| feed::fires(trigger)) else { return };
        for feed in feed::feeds_of(schema, trigger) {
            if feed.writes.iter().any(|write| write.events.insert) {
                let pair = (feed.source, schema.partition_root(feed.target));
                let fed_already = self.feeds(schema).iter().any(|other| {
                    other.trigger != feed.trigger
                        && other.fires
                        && (other.source, schema.partition_root(other.target)) == pair
                        && other.writes.iter().any(|write| write.events.insert)
                });
                if !fed_already {
                    self.fed_since.insert(pair, moment);
                }
            }
        }
        self.feeds = Arc::default();
    }

    /// Whether a step may change which table feeds which.
    fn changes_feeds(&self, operation: &Operation) -> bool {
        if self.writers.is_empty() && self.dynamic_writers.is_empty() {
            return false;
        }
        match operation {
            Operation::CreateTable(create) => self.writers.contains_key(&create.name.name),
            Operation::CreateTableAs(create) => self.writers.contains_key(&create.name.name),
            Operation::CreateTrigger(_) | Operation::CreateFunction(_) | Operation::Rename(_) => true,
            Operation::SetSchema(_) | Operation::Unread(_) => true,
            Operation::Set(set) => &*set.name == "search_path",
            Operation::Drop(drop) => !matches!(drop.kind, ObjectKind::Index | ObjectKind::Policy),
            Operation::AlterTable(alter) => alter.actions.iter().any(|action| {
                matches!(
                    action.kind,
                    TableActionKind::AddColumn { .. }
                        | TableActionKind::DropColumn { .. }
                        | TableActionKind::SetTrigger { .. }
                        | TableActionKind::AttachPartition { .. }
                        | TableActionKind::DetachPartition { .. }
                )
            }),
            _ => false,
        }
    }

    /// Which tables' triggers write which tables now.
    pub fn feeds(&self, schema: &Schema) -> Arc<[Feed]> {
        if self.writers.is_empty() && self.dynamic_writers.is_empty() {
            return Arc::new([]);
        }
        self.feeds
            .get_or_init(|| {
                let own = schema.triggers().filter(|trigger| trigger.parent.is_none());
                own.flat_map(|trigger| feed::feeds_of(schema, trigger)).collect()
            })
            .clone()
    }

    /// Some other table's trigger, or a migration, puts rows into it.
    pub fn is_fed(&self, schema: &Schema, table: RelationId) -> bool {
        let filled = |id: RelationId| self.fills.contains_key(&id) || self.first_rows.contains_key(&id);
        if filled(table) {
            return true;
        }
        let Some(relation) = schema.get_relation(table) else { return false };
        let root = schema.partition_root(table);
        let named = |id: RelationId| {
            schema.get_relation(id).is_some_and(|relation| self.writers.contains_key(&relation.name.name))
        };
        if !named(table) && !named(root) && self.dynamic_writers.is_empty() {
            return false;
        }
        let _ = relation;
        self.feeds(schema).iter().any(|feed| feed.target == table || schema.partition_root(feed.target) == root)
    }

    /// When a relation was made, where this history made it.
    pub fn made(&self, relation: RelationId) -> Option<Moment> {
        self.made.get(&relation).copied()
    }

    pub fn fills_of(&self, relation: RelationId) -> &[Fill] {
        self.fills.get(&relation).map_or(&[], |fills| fills.as_slice())
    }

    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What is known in either of two branches: fills of one branch only are uncertain.
    pub fn join(&self, other: &Data) -> Data {
        let mut joined = self.clone();
        for (relation, fills) in &other.fills {
            let own = joined.fills.entry(*relation).or_default();
            let missing: Vec<Fill> = fills.iter().filter(|fill| !own.contains(fill)).cloned().collect();
            Arc::make_mut(own).extend(missing);
        }
        joined.made = joined.made.union(other.made.clone());
        joined.triggers_made = joined.triggers_made.union(other.triggers_made.clone());
        joined.first_rows = joined.first_rows.union(other.first_rows.clone());
        joined.fed_since = joined.fed_since.union(other.fed_since.clone());
        for (name, functions) in &other.writers {
            let own = joined.writers.entry(name.clone()).or_default();
            *own = own.clone().union(functions.clone());
        }
        joined.dynamic_writers = joined.dynamic_writers.union(other.dynamic_writers.clone());
        joined.feeds = Arc::default();
        joined
    }
}
