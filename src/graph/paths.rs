//! What a write to a table runs into, in the order in which PostgreSQL comes to it: triggers and what their functions
//! write, partitions, constraints, the keys that reference the table.

use std::collections::BTreeSet;

use super::Graph;
use crate::data::{Conflict, Data, Demand, FeedKind, FeedWrite, Stricter, fires};
use crate::operation::{Action, Ident, TriggerTiming, WriteKind};
use crate::schema::{
    Constraint, ConstraintId, ConstraintRow, FunctionId, RelationId, RelationKind, Schema, Trigger, TriggerId,
};
use crate::source::Span;

/// Followed as far as real ones go; a longer chain is cut where it says so.
const DEPTH: usize = 16;

/// One kind of write to a table, and all that it meets.
#[derive(Debug, Clone, PartialEq)]
pub struct WritePath {
    pub table: RelationId,
    pub event: WriteKind,
    pub met: Vec<Met>,
}

/// Something that a write meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    pub what: What,
    /// Why it can fail where a reader of the table alone would not expect it.
    pub risk: Option<Risk>,
    pub then: Vec<Met>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Columns that must have a value and get none by themselves.
    Required(RelationId, Vec<Ident>),
    /// NOT NULL of columns that an UPDATE may set.
    NotNull(RelationId, Vec<Ident>),
    Constraint(ConstraintId),
    UniqueIndex(RelationId),
    /// A foreign key of another table that references the one written.
    ReferencedBy {
        key: ConstraintId,
        action: Action,
        event: WriteKind,
    },
    Trigger(TriggerId),
    /// A statement of a trigger's function, or a referential action.
    Write {
        kind: WriteKind,
        table: RelationId,
        by: Option<Span>,
        guarded: bool,
        caught: bool,
    },
    /// A partition with objects of its own.
    Partition(RelationId),
    /// A function whose body does more than could be followed.
    Unclear(FunctionId),
    /// A write that is followed above, or that leads back to where it came from.
    Again(WriteKind, RelationId),
    /// A write further away than was asked for.
    Further(WriteKind, RelationId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// The table that the trigger writes for asks less of its rows.
    NotGuaranteed,
    /// The referenced table is a copy, and rows of this source never reached it.
    RowsMissing { source: RelationId },
    /// The same, where nothing in the history tells whether they did.
    RowsUnclear { source: RelationId },
}

impl WritePath {
    /// The keys at which the write can fail where a reader of the table would not expect it.
    pub fn risky_keys(&self) -> BTreeSet<ConstraintId> {
        let mut keys = BTreeSet::new();
        let mut open: Vec<&Met> = self.met.iter().collect();
        while let Some(met) = open.pop() {
            if let (What::Constraint(id), Some(_)) = (&met.what, met.risk) {
                keys.insert(*id);
            }
            open.extend(&met.then);
        }
        keys
    }
}

impl Graph<'_> {
    /// Inserts, updates and deletes of one table, followed over at most `depth` further tables.
    pub fn write_paths(&self, data: &Data, table: RelationId, depth: usize) -> Vec<WritePath> {
        [WriteKind::Insert, WriteKind::Update, WriteKind::Delete]
            .into_iter()
            .map(|event| {
                let (open, told) = (Vec::new(), BTreeSet::new());
                let mut walk = Walk { graph: self, schema: self.schema, data, depth, open, told };
                WritePath { table, event, met: walk.write(table, event, &[]) }
            })
            .collect()
    }
}

struct Walk<'a> {
    graph: &'a Graph<'a>,
    schema: &'a Schema,
    data: &'a Data,
    depth: usize,
    /// The writes that lead here.
    open: Vec<(WriteKind, RelationId)>,
    told: BTreeSet<(RelationId, u8)>,
}

impl Walk<'_> {
    /// What one write meets; `stricter` is what the trigger that makes it asks beyond its source.
    fn write(&mut self, table: RelationId, event: WriteKind, stricter: &[Stricter]) -> Vec<Met> {
        let key = (table, event as u8);
        if self.open.len() > self.depth {
            return vec![bare(What::Further(event, table))];
        }
        if self.open.len() >= DEPTH || self.open.contains(&(event, table)) || !self.told.insert(key) {
            return vec![bare(What::Again(event, table))];
        }
        self.open.push((event, table));
        let met = match &self.schema.relation(table).kind {
            RelationKind::View(view) => {
                let instead = self.triggers(table, event, |one| one.timing == TriggerTiming::InsteadOf);
                match (instead.is_empty(), view.reads.as_slice()) {
                    // A simple view is updatable: the write reaches its base table.
                    (true, [(base, _)]) => vec![self.passed_on(event, *base)],
                    _ => instead,
                }
            }
            _ => self.table_write(table, event, stricter),
        };
        self.open.pop();
        met
    }

    fn passed_on(&mut self, kind: WriteKind, table: RelationId) -> Met {
        let then = self.write(table, kind, &[]);
        Met { what: What::Write { kind, table, by: None, guarded: false, caught: false }, risk: None, then }
    }

    fn table_write(&mut self, table: RelationId, event: WriteKind, stricter: &[Stricter]) -> Vec<Met> {
        let before = |one: &Trigger| one.timing == TriggerTiming::Before;
        let after = |one: &Trigger| one.timing == TriggerTiming::After;
        let mut met = self.triggers(table, event, |one| before(one) && !one.for_each_row);
        met.extend(self.triggers(table, event, |one| before(one) && one.for_each_row));
        if event != WriteKind::Delete {
            met.extend(self.required(table, event, stricter));
        }
        let partitions = self.partitions(table, event, stricter);
        let own = self.is_reached_through_parent(table);
        if event != WriteKind::Delete {
            met.extend(self.constraints(table, stricter, own, Pass::AtOnce));
        }
        met.extend(partitions);
        if event != WriteKind::Delete {
            met.extend(self.constraints(table, stricter, own, Pass::Keys));
        }
        if event != WriteKind::Insert {
            met.extend(self.referencing(table, event));
        }
        // Internal triggers of keys sort before those of users: "RI_ConstraintTrigger" is upper case.
        met.extend(self.triggers(table, event, |one| after(one) && one.for_each_row));
        met.extend(self.triggers(table, event, |one| after(one) && !one.for_each_row));
        met
    }

    /// Triggers that fire; those that a partition has from its parent are told with the parent where it is written.
    fn triggers(&mut self, table: RelationId, event: WriteKind, wanted: impl Fn(&Trigger) -> bool) -> Vec<Met> {
        let through_parent = self.is_reached_through_parent(table);
        let mut found: Vec<&Trigger> = self.schema.triggers_of(table);
        found.retain(|one| {
            let on = match event {
                WriteKind::Insert | WriteKind::Copy | WriteKind::Merge => one.events.insert,
                WriteKind::Update => one.events.update,
                WriteKind::Delete => one.events.delete,
            };
            on && fires(one) && wanted(one) && !(through_parent && (one.parent.is_some() || !one.for_each_row))
        });
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.into_iter().map(|trigger| self.trigger(trigger, event)).collect()
    }

    fn trigger(&mut self, trigger: &Trigger, event: WriteKind) -> Met {
        let mut root = trigger;
        while let Some(above) = root.parent.and_then(|id| self.schema.get_trigger(id)) {
            root = above;
        }
        let mut then = Vec::new();
        let stricter = self.data.stricter_of(root.id, self.schema);
        for feed in self.data.feeds_of(root.id) {
            for (place, write) in feed.writes.iter().enumerate().filter(|(_, write)| is_caused(write, event)) {
                let own: Vec<Stricter> = stricter
                    .iter()
                    .filter(|one| one.feed.target == feed.target && one.write == place)
                    .cloned()
                    .collect();
                let what = |kind| What::Write {
                    kind,
                    table: feed.target,
                    by: Some(write.span),
                    guarded: !write.guards.is_empty(),
                    caught: !write.caught.is_empty(),
                };
                for kind in kinds(write.kind) {
                    let then_met = self.write(feed.target, kind, &own);
                    then.push(Met { what: what(kind), risk: None, then: then_met });
                }
            }
        }
        if let Some(function) = trigger.function.filter(|function| self.graph.is_unclear(*function)) {
            then.push(bare(What::Unclear(function)));
        }
        Met { what: What::Trigger(trigger.id), risk: None, then }
    }

    fn required(&self, table: RelationId, event: WriteKind, stricter: &[Stricter]) -> Vec<Met> {
        let Some(found) = self.schema.relation(table).as_table() else { return Vec::new() };
        let filled = |column: &crate::schema::Column| {
            column.default.is_some()
                || column.identity.is_some()
                || column.generated.is_some()
                || column.sequence.is_some()
        };
        let columns = found.columns.iter().filter(|column| column.not_null);
        let names: Vec<Ident> = columns
            .filter(|column| event == WriteKind::Update || !filled(column))
            .map(|column| column.name.clone())
            .collect();
        if names.is_empty() {
            return Vec::new();
        }
        let lacks = stricter.iter().any(|one| {
            one.table == table && matches!(&one.demand, Demand::NotNull { column, .. } if names.contains(column))
        });
        let what = if event == WriteKind::Insert { What::Required(table, names) } else { What::NotNull(table, names) };
        vec![Met { what, risk: lacks.then_some(Risk::NotGuaranteed), then: Vec::new() }]
    }

    /// Constraints and unique indexes; `only_own` leaves out what a partition has from its parent.
    fn constraints(&self, table: RelationId, stricter: &[Stricter], only_own: bool, pass: Pass) -> Vec<Met> {
        let rows = self.schema.constraints_of(table).filter(|row| {
            let own = row.parent.is_none() && row.inherited == 0;
            row.enforced && !matches!(row.kind, ConstraintRow::NotNull) && pass.has(row) && (own || !only_own)
        });
        let mut met: Vec<Met> = rows
            .map(|row| Met { what: What::Constraint(row.id), risk: self.risk(row, stricter), then: Vec::new() })
            .collect();
        let indexes = self.schema.relation(table).as_table().map_or(&[][..], |table| &table.indexes);
        for index in indexes {
            let Some(found) = self.schema.get_relation(*index).and_then(|one| one.as_index()) else { continue };
            let part = only_own && found.parent.is_some();
            if found.unique && found.constraint.is_none() && !part && pass != Pass::Keys {
                met.push(bare(What::UniqueIndex(*index)));
            }
        }
        met
    }

    fn risk(&self, row: &Constraint, stricter: &[Stricter]) -> Option<Risk> {
        if let Some(key) = row.as_foreign() {
            let tables = BTreeSet::from([self.schema.partition_root(key.references)]);
            for copy in self.data.copies_of(self.schema, &BTreeSet::new(), &tables) {
                let covered = self.data.coverage(self.schema, copy, key.references);
                if !covered.is_complete() {
                    let source = copy.source;
                    let unclear = matches!(covered, crate::data::Coverage::Unclear(_)) || !copy.certain;
                    return Some(if unclear { Risk::RowsUnclear { source } } else { Risk::RowsMissing { source } });
                }
            }
        }
        let asked = stricter.iter().any(|one| {
            one.table == row.table
                && match &one.demand {
                    Demand::Check { constraint, .. } | Demand::Foreign { constraint, .. } => *constraint == row.id,
                    Demand::Unique { constraint, .. } => *constraint == Some(row.id),
                    Demand::NotNull { .. } | Demand::Type { .. } => false,
                }
        });
        asked.then_some(Risk::NotGuaranteed)
    }

    /// Partitions that have triggers or constraints of their own.
    fn partitions(&mut self, table: RelationId, event: WriteKind, stricter: &[Stricter]) -> Vec<Met> {
        if self.is_reached_through_parent(table) || !self.schema.relation(table).is_partitioned() {
            return Vec::new();
        }
        let mut met = Vec::new();
        for partition in self.schema.partitions(table) {
            self.open.push((event, partition));
            let mut then = self.triggers(partition, event, |_| true);
            if event != WriteKind::Delete {
                then.extend(self.constraints(partition, stricter, true, Pass::Both));
            }
            if event != WriteKind::Insert {
                then.extend(self.referencing(partition, event));
            }
            self.open.pop();
            if !then.is_empty() {
                met.push(Met { what: What::Partition(partition), risk: None, then });
            }
        }
        met
    }

    /// The write that is open is to a table above this one.
    fn is_reached_through_parent(&self, table: RelationId) -> bool {
        let above = self.open.len().checked_sub(2).and_then(|place| self.open.get(place));
        let parent = |id: RelationId| {
            let found = self.schema.get_relation(id).and_then(|one| one.as_table());
            found.and_then(|table| table.partition_of.as_ref()).map(|place| place.parent)
        };
        let mut at = parent(table);
        while let Some(id) = at {
            if above.is_some_and(|(_, open)| *open == id) {
                return true;
            }
            at = parent(id);
        }
        false
    }

    /// Keys of other tables that reference this one: what they do when its rows go or change.
    fn referencing(&mut self, table: RelationId, event: WriteKind) -> Vec<Met> {
        let keys = self.schema.relation(table).as_table().map(|table| table.referenced_by.clone()).unwrap_or_default();
        let mut met = Vec::new();
        for id in keys {
            let Some(row) = self.schema.get_constraint(id).filter(|row| row.parent.is_none() && row.enforced) else {
                continue;
            };
            let Some(key) = row.as_foreign() else { continue };
            let action = if event == WriteKind::Delete { key.on_delete } else { key.on_update };
            let kind = match action {
                Action::NoAction | Action::Restrict => None,
                Action::Cascade if event == WriteKind::Delete => Some(WriteKind::Delete),
                Action::Cascade | Action::SetNull | Action::SetDefault => Some(WriteKind::Update),
            };
            let child = row.table;
            let then = match kind {
                Some(kind) => vec![self.passed_on(kind, child)],
                None => Vec::new(),
            };
            met.push(Met { what: What::ReferencedBy { key: id, action, event }, risk: None, then });
        }
        met
    }
}

/// Which constraints are told: rows are checked at once, keys to other tables when the statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    AtOnce,
    Keys,
    Both,
}

impl Pass {
    fn has(self, row: &Constraint) -> bool {
        match self {
            Pass::AtOnce => row.as_foreign().is_none(),
            Pass::Keys => row.as_foreign().is_some(),
            Pass::Both => true,
        }
    }
}

fn is_caused(write: &FeedWrite, event: WriteKind) -> bool {
    match event {
        WriteKind::Insert | WriteKind::Copy | WriteKind::Merge => write.events.insert,
        WriteKind::Update => write.events.update,
        WriteKind::Delete => write.events.delete,
    }
}

/// An upsert is two kinds of write.
fn kinds(kind: FeedKind) -> Vec<WriteKind> {
    match kind {
        FeedKind::Insert { conflict: Conflict::Updates } => vec![WriteKind::Insert, WriteKind::Update],
        FeedKind::Insert { .. } => vec![WriteKind::Insert],
        FeedKind::Update => vec![WriteKind::Update],
        FeedKind::Delete => vec![WriteKind::Delete],
    }
}

fn bare(what: What) -> Met {
    Met { what, risk: None, then: Vec::new() }
}
