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
    AlterTable, ConstraintKind, Ident, LockMode, Name, ObjectKind, Operation, Origin, Rows, TableActionKind, WriteKind,
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
    /// Of each trigger that writes other tables; kept up to date with each step.
    feeds: OrdMap<TriggerId, Arc<[Feed]>>,
    answers: Arc<Answers>,
}

/// What follows from schema and feeds. Made when first asked for, thrown away by a step that may change it.
#[derive(Debug, Default)]
struct Answers {
    copies: OnceLock<Vec<Copy>>,
    stricter: OnceLock<Vec<Stricter>>,
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
        for id in after.triggers_since(before) {
            self.triggers_made.insert(id, circumstances.moment);
            self.note_feeds(after, id, circumstances.moment);
        }
        let refreshed = self.refresh_feeds(operation, before, after);
        if refreshed || !self.feeds.is_empty() && self.may_change_answers(operation, before, after) {
            self.answers = Arc::default();
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
        for feed in feed::feeds_of(schema, trigger).iter().filter(|feed| feed.adds_rows_on_insert()) {
            let pair = (feed.source, schema.partition_root(feed.target));
            let by_another = |other: &Feed| {
                other.trigger != feed.trigger
                    && other.fires
                    && other.adds_rows_on_insert()
                    && other.source == feed.source
                    && schema.get_relation(other.target).is_some()
                    && schema.partition_root(other.target) == pair.1
            };
            if !self.fed_since.contains_key(&pair) || !self.feeds().any(by_another) {
                self.fed_since.insert(pair, moment);
            }
        }
        self.read_feeds(schema, trigger.id);
    }

    /// Reads a trigger's body again.
    fn read_feeds(&mut self, schema: &Schema, id: TriggerId) {
        let own = schema.get_trigger(id).filter(|trigger| trigger.parent.is_none());
        let feeds = own.map(|trigger| feed::feeds_of(schema, trigger)).unwrap_or_default();
        if feeds.is_empty() {
            self.feeds.remove(&id);
        } else {
            self.feeds.insert(id, feeds.into());
        }
        self.answers = Arc::default();
    }

    /// Reads again the bodies whose names or columns a step may have given another meaning.
    fn refresh_feeds(&mut self, operation: &Operation, before: &Schema, after: &Schema) -> bool {
        if self.writers.is_empty() && self.dynamic_writers.is_empty() {
            return false;
        }
        let around = |data: &Data, id: RelationId| -> Vec<TriggerId> {
            data.feeds().filter(|feed| feed.source == id || feed.target == id).map(|feed| feed.trigger).collect()
        };
        let again: Vec<TriggerId> = match operation {
            Operation::CreateTable(create) => self.triggers_writing(after, &create.name.name),
            Operation::CreateTableAs(create) => self.triggers_writing(after, &create.name.name),
            Operation::CreateTrigger(create) => {
                let on = after.find(&create.table).map(|table| after.triggers_of(table.id)).unwrap_or_default();
                on.iter().filter(|trigger| trigger.name == create.name).map(|trigger| trigger.id).collect()
            }
            Operation::Rename(rename) => {
                let relation = before.find(&rename.object).map(|relation| relation.id);
                let mut again = relation.map(|id| around(self, id)).unwrap_or_default();
                if rename.part.is_none() {
                    again.extend(self.triggers_writing(after, &rename.object.name));
                    again.extend(self.triggers_writing(after, &rename.to));
                }
                again
            }
            Operation::AlterTable(alter) if alter.actions.iter().any(|action| changes_columns(&action.kind)) => {
                after.find(&alter.table).map(|table| around(self, table.id)).unwrap_or_default()
            }
            Operation::Drop(_) => {
                let lost = |feed: &Feed| after.get_relation(feed.target).is_none();
                let gone = |id: &TriggerId| after.get_trigger(*id).is_none();
                let stale = self.feeds.iter().filter(|(id, feeds)| gone(id) || feeds.iter().any(lost));
                stale.map(|(id, _)| *id).collect()
            }
            Operation::SetSchema(_) => self.triggers_of_writers(after),
            Operation::Unread(unread) if unread.everything => self.triggers_of_writers(after),
            Operation::Set(set) if &*set.name == "search_path" => self.triggers_of_writers(after),
            _ => Vec::new(),
        };
        for id in &again {
            self.read_feeds(after, *id);
        }
        !again.is_empty()
    }

    /// Triggers whose functions write something of that name, or what is told at run time.
    fn triggers_writing(&self, schema: &Schema, name: &Ident) -> Vec<TriggerId> {
        let named = self.writers.get(name).into_iter().flatten();
        let functions = named.chain(&self.dynamic_writers).filter_map(|id| schema.get_function(*id));
        functions.flat_map(|function| function.triggers.iter().copied()).collect()
    }

    fn triggers_of_writers(&self, schema: &Schema) -> Vec<TriggerId> {
        let writers = self.writers.values().flatten().chain(&self.dynamic_writers);
        let functions: OrdSet<FunctionId> = writers.copied().collect();
        let functions = functions.into_iter().filter_map(|id| schema.get_function(id));
        functions.flat_map(|function| function.triggers.iter().copied()).collect()
    }

    /// Whether a step may change what the tables around feeds ask of their rows, or what refers to them.
    fn may_change_answers(&self, operation: &Operation, before: &Schema, after: &Schema) -> bool {
        let is =
            |schema: &Schema, name: &Name| schema.find(name).is_some_and(|relation| self.concerns(schema, relation.id));
        match operation {
            Operation::CreateTable(create) => {
                let inline = create.columns.iter().flat_map(|column| &column.constraints);
                let mut keys =
                    create.constraints.iter().chain(inline).filter_map(|constraint| match &constraint.kind {
                        ConstraintKind::Foreign(key) => Some(&key.references),
                        _ => None,
                    });
                create.partition_of.as_ref().is_some_and(|place| is(after, &place.parent))
                    || keys.any(|name| is(after, name))
            }
            Operation::AlterTable(alter) => {
                let added = operation.added_foreign_keys();
                is(after, &alter.table) || added.iter().any(|added| is(after, &added.key.references))
            }
            Operation::CreateIndex(create) => is(after, &create.table),
            Operation::CreateTrigger(create) => is(after, &create.table),
            Operation::CreateFunction(_) => {
                let changed = after.functions_changed_since(before).into_iter().map(|id| after.function(id));
                let mut triggers = changed.flat_map(|function| &function.triggers);
                triggers.any(|id| after.get_trigger(*id).is_some_and(|trigger| self.concerns(after, trigger.table)))
            }
            Operation::Rename(rename) => is(before, &rename.object),
            Operation::Drop(drop) => drop.targets.iter().any(|target| {
                let table = match before.find(target.on.as_ref().unwrap_or(&target.name)) {
                    Some(relation) => relation.as_index().map_or(relation.id, |index| index.table),
                    None => return !matches!(drop.kind, ObjectKind::Table | ObjectKind::Index | ObjectKind::View),
                };
                self.concerns(before, table)
            }),
            Operation::AlterIndex(_) | Operation::SetSchema(_) | Operation::Unread(_) => true,
            _ => false,
        }
    }

    /// The relation, or the tree it is part of, feeds or is fed.
    fn concerns(&self, schema: &Schema, id: RelationId) -> bool {
        let root = schema.partition_root(id);
        let is_target =
            |feed: &Feed| schema.get_relation(feed.target).is_some() && schema.partition_root(feed.target) == root;
        self.feeds().any(|feed| feed.source == id || feed.source == root || is_target(feed))
    }

    /// Which tables' triggers write which tables now.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.values().flat_map(|feeds| feeds.iter())
    }

    /// Between these two states of one history nothing happened that concerns synced tables.
    pub fn is_like(&self, other: &Data) -> bool {
        Arc::ptr_eq(&self.answers, &other.answers)
    }

    /// Some other table's trigger, or a migration, puts rows into it.
    pub fn is_fed(&self, schema: &Schema, table: RelationId) -> bool {
        let root = schema.partition_root(table);
        self.fills.contains_key(&table)
            || self.first_rows.contains_key(&table)
            || self.feeds().any(|feed| feed.target == table || schema.partition_root(feed.target) == root)
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
        joined.feeds = joined.feeds.union(other.feeds.clone());
        joined.answers = Arc::default();
        joined
    }
}

/// Actions after which a body's `NEW.*`, or a list of all columns, means something else; or its trigger fires or not.
fn changes_columns(action: &TableActionKind) -> bool {
    matches!(
        action,
        TableActionKind::AddColumn { .. } | TableActionKind::DropColumn { .. } | TableActionKind::SetTrigger { .. }
    )
}
