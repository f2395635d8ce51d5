//! Clean-ups that delete more than they name: through cascades, sync triggers, delete tracking.

use std::collections::BTreeSet;

use super::in_use::is_in_use;
use super::{Findings, key_indexes, say};
use crate::data::{FeedKind, unique_keys};
use crate::finding::Finding;
use crate::history::{Migration, Passed, State, Step, Whole};
use crate::operation::{
    Action, CommonTableBody, Expr, Ident, Name, Node, Operation, Rows, Write, WriteKind, writes_of,
};
use crate::schema::{RelationId, Schema};
use crate::source::Span;

/// Tables that one DELETE may reach; beyond them the list says enough.
const REACH_LIMIT: usize = 200;

/// What goes with each deleted row of a table.
#[derive(Default)]
struct Reach {
    /// Rows deleted by ON DELETE CASCADE, rows changed by SET NULL and SET DEFAULT.
    deleted: Vec<String>,
    changed: Vec<String>,
    /// Copies whose rows a trigger deletes too.
    synced: Vec<String>,
    /// Tables into which a trigger writes what was deleted.
    tracked: Vec<String>,
    /// Columns of keys that no index serves: their tables are read whole for each row.
    scanned: Vec<String>,
    /// The same keys, those of the table itself apart.
    unserved: Vec<(RelationId, Vec<Ident>)>,
}

impl Reach {
    /// Nothing goes on from tables that the migration has seen to.
    fn of(state: &State, table: RelationId, seen_to: &BTreeSet<RelationId>) -> Reach {
        let schema = &state.schema;
        let mut reach = Reach::default();
        let mut waiting = vec![table];
        let mut seen: BTreeSet<RelationId> = BTreeSet::new();
        while let Some(next) = waiting.pop() {
            if !seen.insert(next) || seen.len() > REACH_LIMIT {
                continue;
            }
            waiting.extend(schema.partitions(next));
            reach.add_triggers(state, next);
            waiting.extend(reach.add_keys(schema, next, table, seen_to));
        }
        for list in [&mut reach.deleted, &mut reach.changed, &mut reach.synced, &mut reach.tracked, &mut reach.scanned]
        {
            list.sort();
            list.dedup();
        }
        reach
    }

    fn add_triggers(&mut self, state: &State, table: RelationId) {
        for feed in state.data.feeds_from(table).filter(|feed| feed.fires) {
            for write in feed.writes.iter().filter(|write| write.events.delete) {
                let target = say::name(&state.schema, state.schema.partition_root(feed.target));
                match write.kind {
                    FeedKind::Delete => self.synced.push(target),
                    FeedKind::Insert { .. } => self.tracked.push(target),
                    FeedKind::Update => self.changed.push(target),
                }
            }
        }
    }

    /// The tables that a cascade goes on to.
    fn add_keys(
        &mut self,
        schema: &Schema,
        table: RelationId,
        first: RelationId,
        seen_to: &BTreeSet<RelationId>,
    ) -> Vec<RelationId> {
        let known = schema.get_relation(table).and_then(|relation| relation.as_table());
        let mut next = Vec::new();
        for key in known.into_iter().flat_map(|table| &table.referenced_by).map(|id| schema.constraint(*id)) {
            let Some(foreign) = key.as_foreign().filter(|_| key.enforced && key.parent.is_none()) else { continue };
            let root = schema.partition_root(key.table);
            let name = say::name(schema, root);
            let columns_known = schema.get_relation(key.table).and_then(|one| one.as_table());
            if columns_known.is_some_and(|one| one.columns_known)
                && !key_indexes::is_served(schema, key.table, &key.columns)
            {
                let columns: Vec<Ident> = key.columns.iter().map(|id| schema.column_name(key.table, *id)).collect();
                let words: Vec<&str> = columns.iter().map(Ident::as_str).collect();
                self.scanned.push(format!("{name}.{}", words.join(", ")));
                self.unserved.push((key.table, columns));
            }
            match foreign.on_delete {
                _ if seen_to.contains(&root) => {}
                Action::Cascade if root != schema.partition_root(first) => {
                    self.deleted.push(name);
                    next.push(key.table);
                }
                Action::SetNull | Action::SetDefault => self.changed.push(name),
                Action::Cascade | Action::NoAction | Action::Restrict => {}
            }
        }
        next
    }

    fn is_empty(&self) -> bool {
        [&self.deleted, &self.changed, &self.synced, &self.tracked, &self.scanned].iter().all(|list| list.is_empty())
    }

    /// Only the table's own rows refer to it: nothing can be deleted first, an index is all there is to do.
    fn is_its_own(&self, table: &str) -> bool {
        let others = [&self.deleted, &self.changed, &self.synced, &self.tracked];
        let own = |one: &String| one.rsplit_once('.').is_some_and(|(name, _)| name == table);
        others.iter().all(|list| list.is_empty()) && self.scanned.iter().all(own)
    }

    fn indexes(&self, step: &Step) -> String {
        let schema = &step.before.schema;
        let each = self.unserved.iter().filter_map(|(table, columns)| {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            let table = &schema.get_relation(*table)?.name;
            Some(format!("\nCREATE INDEX CONCURRENTLY ON {table} ({});", columns.join(", ")))
        });
        let outside = say::outside_transaction(&step.context);
        format!("{outside}\n-- and before this one{}", each.collect::<String>())
    }

    fn words(&self) -> String {
        let parts = [
            (&self.deleted, "rows of", "go too (ON DELETE CASCADE)"),
            (&self.synced, "rows of", "go too (sync trigger)"),
            (&self.changed, "rows of", "are changed"),
            (&self.tracked, "a row is written to", "for each (trigger)"),
            (&self.scanned, "no index serves the key", "so that the whole table is read for each row"),
        ];
        let told = parts.into_iter().filter(|(list, ..)| !list.is_empty());
        let told: Vec<String> =
            told.map(|(list, before, after)| format!("{before} {} {after}", say::list(list))).collect();
        told.join("; ")
    }
}

/// `cleanup-cascades`: a mass DELETE that takes more along than it names.
pub fn cascades(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    let is_queued = matches!(step.operation, Operation::Background(_));
    for write in deletes(step.operation) {
        let Some(relation) = schema.find_table(&write.target) else { continue };
        let asked = is_in_use(step, relation.id)
            && !step.context.is_small(schema, relation.id)
            && !names_one_row(schema, relation.id, write);
        if !asked {
            continue;
        }
        let seen_to = seen_to(step.context.migration, schema, relation.id, step.origin.span, false);
        let reach = Reach::of(step.before, relation.id, &seen_to);
        if reach.is_empty() {
            continue;
        }
        let table = relation.name.short();
        let message = format!("deleting rows of `{table}` does more than it says: {}", reach.words());
        let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
        finding.one_per(&table);
        finding.object(&relation.name);
        if reach.is_its_own(&table) {
            finding.instead(reach.indexes(step));
        } else {
            advise(finding, &table, is_queued);
        }
        count(finding, schema, relation.id, write);
    }
}

fn advise(finding: &mut Finding, table: &str, is_queued: bool) {
    finding.instead(if is_queued {
        format!("-- count what goes along before it is queued, and let batches be small enough for all of it; an index for each key that refers to {table} comes first")
    } else {
        format!("-- delete from the tables that refer to {table} first, batch by batch, in the background; then from {table}")
    });
}

fn count(finding: &mut Finding, schema: &Schema, table: RelationId, write: &Write) {
    if let Some(filter) = write.filter.as_ref().filter(|_| write.from.is_empty() && write.with.is_empty()) {
        finding.verify(format!("SELECT count(*) FROM {} WHERE {filter}", schema.relation(table).name));
    }
}

/// The deletes of a statement, or of the work that it queues.
fn deletes(operation: &Operation) -> Vec<&Write> {
    let all: Vec<&Write> = match operation {
        Operation::Write(write) => write.all(),
        Operation::Background(background) => writes_of(background.does()).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|write| write.kind == WriteKind::Delete).collect()
}

/// A unique key is compared with constants.
pub(super) fn names_one_row(schema: &Schema, table: RelationId, write: &Write) -> bool {
    let conjuncts: &[Expr] = match &write.filter {
        None => return false,
        Some(Expr::And(list)) => list,
        Some(one) => std::slice::from_ref(one),
    };
    let fixed: Vec<&Ident> = conjuncts
        .iter()
        .filter_map(|conjunct| match conjunct {
            Expr::Binary { operator, left, right } if &**operator == "=" && is_fixed(right) => left.as_column(),
            Expr::In { value, list } if list.iter().all(is_fixed) => value.as_column(),
            _ => None,
        })
        .map(|(_, name)| name)
        .collect();
    let keys = unique_keys(schema, table);
    keys.iter()
        .any(|key| !key.is_empty() && key.iter().all(|column| fixed.contains(&&schema.column_name(table, *column))))
}

fn is_fixed(value: &Expr) -> bool {
    matches!(value, Expr::Constant(_) | Expr::Parameter(_))
}

/// `rows-moved-under-sync`: rows go to a side table, and what is deleted from the source is deleted from its copies.
pub fn moved(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        for (source, side) in moves(whole, step) {
            report_move(whole, step, source, side, findings);
        }
    }
}

/// A step that deletes rows of one table that it, or an earlier step of the migration, put into another.
fn moves(whole: &Whole, step: &Passed) -> Vec<(RelationId, RelationId)> {
    let schema = &whole.before.schema;
    let after = &whole.after.schema;
    let find = |name| schema.find_table(name).map(|one| one.id);
    let Operation::Write(write) = &step.operation else { return Vec::new() };
    if write.kind == WriteKind::Insert {
        // WITH gone AS (DELETE … RETURNING *) INSERT INTO side SELECT … FROM gone
        let side = after.find_table(&write.target).map(|one| one.id);
        let query = match &write.rows {
            Rows::Query(query) => query.with.as_slice(),
            _ => &[],
        };
        let gone = write.with.iter().chain(query).filter_map(|common| match &common.body {
            CommonTableBody::Write(inner) if inner.kind == WriteKind::Delete => find(&inner.target),
            _ => None,
        });
        return gone.filter_map(|source| Some((source, side?))).collect();
    }
    let Some(source) = find(&write.target).filter(|_| write.kind == WriteKind::Delete) else { return Vec::new() };
    let place = whole.steps.iter().position(|other| other.origin == step.origin).unwrap_or(0);
    let filled = whole.steps[..place].iter().filter_map(|earlier| {
        let Operation::Write(insert) = &earlier.operation else { return None };
        let Rows::Query(query) = &insert.rows else { return None };
        let reads = query.reads().into_iter().any(|name| schema.find(name).is_some_and(|one| one.id == source));
        after.find_table(&insert.target).map(|one| one.id).filter(|side| reads && *side != source)
    });
    filled.map(|side| (source, side)).collect()
}

/// An UPDATE of the columns by which rows refer to a table.
pub(super) fn refers_anew(write: &Write, schema: &Schema, to: RelationId) -> bool {
    let Some(table) = schema.find_table(&write.target).filter(|_| write.kind == WriteKind::Update) else {
        return false;
    };
    let is_assigned = |name: &Ident| write.assignments.iter().any(|(column, _)| column == name);
    let is_to = |references: RelationId| schema.partition_root(references) == schema.partition_root(to);
    let mut keys = schema
        .constraints_of(table.id)
        .filter(|key| key.as_foreign().is_some_and(|foreign| !foreign.referenced_side && is_to(foreign.references)));
    keys.any(|key| key.columns.iter().any(|column| is_assigned(&schema.column_name(table.id, *column))))
}

/// Tables whose rows a migration deletes by name before it deletes those of `first` (and puts somewhere, where that is
/// asked), or gives another row of that to refer to, or of which it asks whether rows are left, and stops.
pub(super) fn seen_to(
    migration: &Migration,
    schema: &Schema,
    first: RelationId,
    at: Span,
    and_kept: bool,
) -> BTreeSet<RelationId> {
    let (mut copied, mut deleted, mut asked): (Vec<&Name>, Vec<&Name>, Vec<&Name>) = Default::default();
    for node in &migration.up.nodes {
        let Node::Statement(statement) = node else { continue };
        if statement.span.source != at.source || statement.span.start >= at.start {
            break;
        }
        match &statement.operation {
            Operation::Write(write) => {
                deleted.extend(deletes(&statement.operation).into_iter().map(|write| &write.target));
                asked.extend(
                    write.all().into_iter().filter(|one| refers_anew(one, schema, first)).map(|one| &one.target),
                );
                if let (WriteKind::Insert, Rows::Query(query)) = (write.kind, &write.rows) {
                    copied.extend(query.reads());
                }
            }
            Operation::Do(block) => asked_about(&block.body.nodes, &mut asked),
            _ => {}
        }
    }
    let found = |list: Vec<&Name>| -> BTreeSet<RelationId> {
        let tables = list.into_iter().filter_map(|name| schema.find_table(name));
        tables.map(|table| schema.partition_root(table.id)).collect()
    };
    let mut seen_to = found(deleted);
    if and_kept {
        seen_to = &seen_to & &found(copied);
    }
    seen_to.extend(found(asked));
    seen_to
}

/// `IF EXISTS (SELECT … FROM t …) THEN RAISE EXCEPTION`.
fn asked_about<'a>(nodes: &'a [Node], read: &mut Vec<&'a Name>) {
    for node in nodes {
        let Node::Guard { branches, .. } = node else { continue };
        for branch in branches {
            if branch.body.iter().any(|node| matches!(node, Node::Raise { fails: true, .. })) {
                read.extend(branch.condition.tree.queries().into_iter().flat_map(|query| query.reads()));
            }
        }
    }
}

fn report_move(whole: &Whole, step: &Passed, source: RelationId, side: RelationId, findings: &mut Findings) {
    let state = whole.before;
    let schema = &state.schema;
    let reach = Reach::of(state, source, &seen_to(whole.context.migration, schema, source, step.origin.span, true));
    // The side table may be the copy itself, or a partition that takes them in.
    let feeds_it = state.data.feeds_from(source).any(|feed| feed.target == side);
    let mut goes: Vec<String> = reach.synced.iter().chain(&reach.deleted).cloned().collect();
    goes.dedup();
    if feeds_it || whole.context.is_new(state, source) || goes.is_empty() {
        return;
    }
    let (table, other) = (say::name(schema, source), say::name(&whole.after.schema, side));
    let message = format!(
        "rows that move from `{table}` to `{other}` are deleted from {} as well, and nothing moves them from there",
        say::list(&goes)
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    finding.one_per(format!("{table} {other}"));
    finding.object(&schema.relation(source).name);
    finding.object(&whole.after.schema.relation(side).name);
    for feed in state.data.feeds_from(source).filter(|feed| feed.fires) {
        if feed.writes.iter().any(|write| write.events.delete && write.kind == FeedKind::Delete) {
            let trigger = schema.trigger(feed.trigger);
            let text =
                format!("trigger `{}` repeats each DELETE on `{}`", trigger.name, say::name(schema, feed.target));
            finding.because(trigger.existence.origin().span, text);
        }
    }
    finding.instead(format!(
        "-- move what belongs to these rows first, from {} too; or keep them in {table} and mark them by a column",
        say::list(&goes)
    ));
}
