//! Keeps feeds, and what follows from them, up to date with each step: only what a step concerns is read again.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::{Copy, Data, Feed, Moment, Stricter, feed};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::operation::{AlterTable, ConstraintKind, DropTarget, Ident, Name, ObjectKind, Operation, TableActionKind};
use crate::schema::{Function, RelationId, Schema, TriggerId};

/// What one trigger writes, and what follows from it: made when first asked for, thrown away with the entry.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub feeds: Arc<[Feed]>,
    pub copies: OnceLock<Vec<Copy>>,
    pub stricter: OnceLock<Vec<Stricter>>,
}

/// Entries are the same only where nothing has happened to them.
impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Data {
    /// Triggers on a table or writing it, or another of its partition tree.
    pub(super) fn around(&self, schema: &Schema, table: RelationId) -> BTreeSet<TriggerId> {
        // Most projects have no such trigger; their trees of partitions need not be walked.
        if self.by_table.is_empty() {
            return BTreeSet::new();
        }
        let on = |table: RelationId| self.by_table.get(&table).into_iter().flatten().copied();
        let mut found: BTreeSet<TriggerId> = on(table).collect();
        let known = schema.get_relation(table).and_then(|relation| relation.as_table());
        if known.is_some_and(|known| known.partition_of.is_some() || known.partition_by.is_some()) {
            let root = schema.partition_root(table);
            found.extend(std::iter::once(root).chain(schema.partitions(root)).flat_map(on));
        }
        found
    }

    /// The feeds that put rows into a table, or into another of its partition tree.
    pub fn feeds_into<'a>(&'a self, schema: &'a Schema, table: RelationId) -> impl Iterator<Item = &'a Feed> {
        let root = root_of(schema, table);
        let entries = self.around(schema, table).into_iter().filter_map(|id| self.entries.get(&id));
        entries.flat_map(|entry| entry.feeds.iter()).filter(move |feed| root_of(schema, feed.target) == root)
    }

    /// What the triggers of a table write.
    pub fn feeds_from(&self, source: RelationId) -> impl Iterator<Item = &Feed> {
        let triggers = self.by_table.get(&source).into_iter().flatten();
        triggers.flat_map(|id| self.feeds_of(*id)).filter(move |feed| feed.source == source)
    }

    /// Takes notice of a step: triggers and functions made or replaced, names and columns with another meaning,
    /// constraints around synced tables.
    pub(super) fn keep_feeds(&mut self, operation: &Operation, before: &Schema, after: &Schema, moment: Moment) {
        let mut fresh: BTreeSet<TriggerId> = BTreeSet::new();
        let fed_before = self.entries.clone();
        for id in after.triggers_since(before) {
            self.triggers_made.insert(id, moment);
            fresh.insert(id);
        }
        if let Operation::CreateFunction(_) = operation {
            fresh.extend(
                changed_functions(operation, before, after).flat_map(|function| function.triggers.iter().copied()),
            );
        }
        if let Operation::AlterTable(alter) = operation {
            fresh.extend(enabled(alter, before, after));
        }
        for id in &fresh {
            self.read(after, *id);
            self.note_since(after, *id, &fed_before, moment);
        }
        if self.named.is_empty() {
            return;
        }
        for id in self.reread(operation, before, after) {
            if !fresh.contains(&id) {
                self.read(after, id);
            }
        }
        if !self.entries.ptr_eq(&fed_before) {
            self.note_stops(&fed_before, before, after, moment);
        }
        self.forget_answers(operation, before, after);
    }

    /// A dump took the schema's place: what its triggers write is read anew. Since when those feed that no migration
    /// made cannot be told.
    pub fn take_dump(&mut self, schema: &Schema) {
        let gone = |id: &TriggerId| schema.get_trigger(*id).is_none();
        let stale: Vec<TriggerId> =
            self.entries.keys().chain(self.uses.keys()).copied().filter(|id| gone(id)).collect();
        for id in stale {
            self.entries.remove(&id);
            self.uses.remove(&id);
        }
        for trigger in schema.triggers() {
            self.read(schema, trigger.id);
        }
        self.entries = self.entries.iter().map(|(id, entry)| (*id, renewed(entry))).collect();
    }

    /// Triggers that something has happened to between another state and this one.
    pub fn changed_since(&self, other: &Data) -> BTreeSet<TriggerId> {
        let changes = self.entries.diff(&other.entries);
        let ids = changes.map(|change| match change {
            DiffItem::Add(id, _) | DiffItem::Remove(id, _) => *id,
            DiffItem::Update { new: (id, _), .. } => *id,
        });
        ids.collect()
    }

    /// Reads a trigger's body.
    fn read(&mut self, schema: &Schema, id: TriggerId) {
        let own = schema.get_trigger(id).filter(|trigger| trigger.parent.is_none());
        let function = own.and_then(|trigger| trigger.function);
        let Some(written) = own.map(|trigger| feed::written_by(schema, trigger)) else {
            self.entries.remove(&id);
            self.uses.remove(&id);
            return;
        };
        if let Some(uses) = written.uses {
            for name in uses.names() {
                self.users.entry(name.clone()).or_default().insert(id);
            }
            if !uses.unread.is_empty() {
                self.unfollowed.extend(function);
            }
            self.uses.insert(id, Arc::new(uses));
        }
        for name in written.names {
            self.named.entry(name).or_default().insert(id);
        }
        if written.feeds.is_empty() {
            self.entries.remove(&id);
            return;
        }
        for feed in &written.feeds {
            for table in [feed.source, feed.target] {
                self.by_table.entry(table).or_default().insert(id);
            }
        }
        // A new copy changes what is asked of tables that refer to it.
        let around: Vec<RelationId> = written.feeds.iter().flat_map(|feed| referring(schema, feed.target)).collect();
        self.entries.insert(id, Arc::new(Entry { feeds: written.feeds.into(), ..Entry::default() }));
        self.forget(schema, &around);
    }

    /// From when on inserts into a source reach a target.
    fn note_since(&mut self, schema: &Schema, id: TriggerId, then: &OrdMap<TriggerId, Arc<Entry>>, moment: Moment) {
        let Some(entry) = self.entries.get(&id).cloned() else { return };
        for feed in entry.feeds.iter().filter(|feed| feed.fires && feed.adds_rows_on_insert()) {
            let root = schema.partition_root(feed.target);
            let into_root = |other: &&Feed| {
                let reaches = other.source == feed.source && root_of(schema, other.target) == Some(root);
                reaches && other.fires && other.adds_rows_on_insert()
            };
            let by_another = self.feeds_into(schema, root).any(|other| other.trigger != id && into_root(&other));
            // A function that is replaced fed it before.
            let by_another =
                by_another || then.get(&id).is_some_and(|entry| entry.feeds.iter().any(|one| into_root(&one)));
            let pair = (feed.source, root);
            // A trigger made again in the transaction that drops it misses nothing: the lock lasts to its end. In the
            // same release it misses next to nothing.
            let without_a_gap = self.stopped.get(&pair).is_some_and(|stop| stop.release == moment.release);
            if !by_another && !without_a_gap || !self.fed_since.contains_key(&pair) {
                self.fed_since.insert(pair, moment);
            }
            self.stopped.remove(&pair);
        }
    }

    /// Pairs of tables of which the first stops to feed the second.
    fn note_stops(&mut self, then: &OrdMap<TriggerId, Arc<Entry>>, before: &Schema, after: &Schema, moment: Moment) {
        let mut stopped = Vec::new();
        for change in then.diff(&self.entries) {
            let (DiffItem::Remove(_, entry) | DiffItem::Update { old: (_, entry), .. }) = change else { continue };
            for feed in entry.feeds.iter().filter(|feed| feed.fires && feed.adds_rows_on_insert()) {
                let Some(root) = root_of(before, feed.target) else { continue };
                let goes_on = after.get_relation(root).is_some()
                    && self
                        .feeds_into(after, root)
                        .any(|other| other.fires && other.source == feed.source && other.adds_rows_on_insert());
                if !goes_on {
                    stopped.push((feed.source, root));
                }
            }
        }
        for pair in stopped {
            self.stopped.entry(pair).or_insert(moment);
        }
    }

    /// Triggers whose bodies a step may have given another meaning.
    fn reread(&self, operation: &Operation, before: &Schema, after: &Schema) -> BTreeSet<TriggerId> {
        let naming = |name: &Ident| self.named.get(name).into_iter().flatten().copied();
        let around = |id: RelationId| self.around(after, id);
        let all = || self.named.values().flatten().copied().collect();
        match operation {
            Operation::CreateFunction(create) => naming(&create.name.name).collect(),
            Operation::CreateTable(create) => naming(&create.name.name).collect(),
            Operation::CreateTableAs(create) => naming(&create.name.name).collect(),
            Operation::CreateTrigger(create) if create.or_replace => {
                let on = after.find(&create.table).map(|table| after.triggers_of(table.id)).unwrap_or_default();
                on.iter().filter(|trigger| trigger.name == create.name).map(|trigger| trigger.id).collect()
            }
            Operation::Rename(rename) => {
                let relation = before.find(&rename.object).map(|relation| relation.id);
                let mut again: BTreeSet<TriggerId> = relation.into_iter().flat_map(around).collect();
                if rename.part.is_none() {
                    again.extend(naming(&rename.object.name).chain(naming(&rename.to)));
                }
                again
            }
            Operation::AlterTable(alter) if alter.actions.iter().any(|action| changes_columns(&action.kind)) => {
                after.find(&alter.table).into_iter().flat_map(|table| around(table.id)).collect()
            }
            Operation::Drop(drop) => {
                let on =
                    |target: &DropTarget| before.find(target.on.as_ref().unwrap_or(&target.name)).map(|one| one.id);
                match drop.kind {
                    ObjectKind::Table | ObjectKind::Trigger => {
                        drop.targets.iter().filter_map(on).flat_map(|id| self.around(before, id)).collect()
                    }
                    ObjectKind::Index | ObjectKind::Policy | ObjectKind::View => BTreeSet::new(),
                    // A function takes its triggers along, a schema or a type whatever is made with it.
                    _ if !drop.cascade => BTreeSet::new(),
                    ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                        self.entries.keys().copied().filter(|id| after.get_trigger(*id).is_none()).collect()
                    }
                    _ => self.entries.keys().copied().collect(),
                }
            }
            Operation::SetSchema(_) => all(),
            // What else it may have done the schema does not show: a body means what it meant.
            Operation::Unread(unread) => {
                unread.touches.iter().filter_map(|name| after.find(name)).flat_map(|table| around(table.id)).collect()
            }
            Operation::Set(set) if &*set.name == "search_path" => all(),
            _ => BTreeSet::new(),
        }
    }

    /// Throws away answers about tables that a step may have changed, and about those that refer to them.
    fn forget_answers(&mut self, operation: &Operation, before: &Schema, after: &Schema) {
        let mut touched: Vec<RelationId> = Vec::new();
        let mut touch = |schema: &Schema, name: &Name| touched.extend(schema.find(name).map(|relation| relation.id));
        match operation {
            Operation::CreateTable(create) => {
                let inline = create.columns.iter().flat_map(|column| &column.constraints);
                for constraint in create.constraints.iter().chain(inline) {
                    if let ConstraintKind::Foreign(key) = &constraint.kind {
                        touch(after, &key.references);
                    }
                }
                create.partition_of.iter().for_each(|place| touch(after, &place.parent));
            }
            Operation::AlterTable(alter) => {
                touch(after, &alter.table);
                operation.added_foreign_keys().iter().for_each(|added| touch(after, &added.key.references));
            }
            Operation::CreateIndex(create) => touch(after, &create.table),
            Operation::CreateTrigger(create) => touch(after, &create.table),
            Operation::Rename(rename) => touch(before, &rename.object),
            Operation::AlterIndex(alter) => touch(after, &alter.index),
            Operation::Drop(drop) if drop.kind != ObjectKind::View => {
                drop.targets.iter().for_each(|target| touch(before, target.on.as_ref().unwrap_or(&target.name)));
            }
            Operation::CreateFunction(_) => {
                let triggers = changed_functions(operation, before, after).flat_map(|function| &function.triggers);
                touched.extend(triggers.filter_map(|id| after.get_trigger(*id)).map(|trigger| trigger.table));
            }
            Operation::Unread(unread) => unread.touches.iter().for_each(|name| touch(after, name)),
            Operation::SetSchema(_) => {
                self.entries = self.entries.iter().map(|(id, entry)| (*id, renewed(entry))).collect();
                return;
            }
            _ => return,
        }
        let tables: Vec<RelationId> = touched
            .into_iter()
            .map(|id| {
                let index = before.get_relation(id).or(after.get_relation(id)).and_then(|relation| relation.as_index());
                index.map_or(id, |index| index.table)
            })
            .collect();
        self.forget(after, &tables);
    }

    /// Throws away the answers of triggers from or to these tables.
    fn forget(&mut self, schema: &Schema, tables: &[RelationId]) {
        let stale: BTreeSet<TriggerId> = tables.iter().flat_map(|id| self.around(schema, *id)).collect();
        for id in stale {
            if let Some(entry) = self.entries.get_mut(&id) {
                *entry = renewed(entry);
            }
        }
    }
}

/// The functions of the name that CREATE FUNCTION gives which it made or replaced.
fn changed_functions<'a>(
    operation: &Operation,
    before: &'a Schema,
    after: &'a Schema,
) -> impl Iterator<Item = &'a Function> {
    let named = match operation {
        Operation::CreateFunction(create) => after.find_functions(&create.name),
        _ => Vec::new(),
    };
    named.into_iter().filter(|function| after.is_changed_since(before, function.id))
}

fn renewed(entry: &Arc<Entry>) -> Arc<Entry> {
    Arc::new(Entry { feeds: entry.feeds.clone(), ..Entry::default() })
}

fn root_of(schema: &Schema, id: RelationId) -> Option<RelationId> {
    schema.get_relation(id).map(|_| schema.partition_root(id))
}

/// The tables whose foreign keys refer to a table or to its partitions.
fn referring(schema: &Schema, table: RelationId) -> Vec<RelationId> {
    let Some(root) = root_of(schema, table) else { return Vec::new() };
    let tables = std::iter::once(root).chain(schema.partitions(root));
    let tables = tables.filter_map(|id| schema.get_relation(id).and_then(|relation| relation.as_table()));
    tables.flat_map(|table| &table.referenced_by).map(|key| schema.constraint(*key).table).collect()
}

/// Triggers that ENABLE makes fire.
fn enabled(alter: &AlterTable, before: &Schema, after: &Schema) -> Vec<TriggerId> {
    if !alter.actions.iter().any(|action| matches!(action.kind, TableActionKind::SetTrigger { .. })) {
        return Vec::new();
    }
    let on = after.find(&alter.table).map(|relation| after.triggers_of(relation.id)).unwrap_or_default();
    let fired = |id: TriggerId| before.get_trigger(id).is_some_and(feed::fires);
    on.into_iter().filter(|trigger| feed::fires(trigger) && !fired(trigger.id)).map(|trigger| trigger.id).collect()
}

/// Actions after which a body's `NEW.*`, or a list of all columns, means something else; or its trigger fires or not.
fn changes_columns(action: &TableActionKind) -> bool {
    matches!(
        action,
        TableActionKind::AddColumn { .. } | TableActionKind::DropColumn { .. } | TableActionKind::SetTrigger { .. }
    )
}
