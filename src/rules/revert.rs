//! A migration that undoes an earlier one, compared with the state before that: from the full state, and from each state
//! in which the earlier one may have stopped.

use std::collections::BTreeSet;

use super::in_order::{Stuck, in_order};
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Follows, SinceBase, State, Stop, Whole, course, stops};
use crate::operation::{Ident, ObjectKind, Operation, Origin, TableActionKind};
use crate::schema::difference::{Change, ChangeKind, Shared, statements};
use crate::schema::{Constraint, RelationId, Schema};

/// Migrations between the two that are run again from a stop.
const MOST_BETWEEN: usize = 32;
const MOST_STOPS: usize = 24;

pub fn incomplete(whole: &Whole, findings: &mut Findings) {
    let Some(undone) = undone(whole) else { return };
    // The state before the first of those that made it, where that is not too long ago.
    let Some(before) = undone.migrations.first().and_then(|first| whole.past.before(*first)) else { return };
    let mut left: Vec<(String, Vec<Change>)> = Vec::new();
    let full = left_in(whole, &before, &whole.after.schema, &undone);
    if !full.is_empty() {
        left.push(("from the state in which all of it ran".to_owned(), full));
    }
    for maker in &undone.migrations {
        for (words, state) in reached(whole, *maker) {
            let rest = left_in(whole, &before, &state.schema, &undone);
            if !rest.is_empty() {
                left.push((words, rest));
            }
        }
    }
    report(whole, &undone, &left, findings);
}

/// What is undone: the migrations that made it, and what of it is meant.
struct Undone {
    migrations: BTreeSet<usize>,
    /// Where the undoing is written.
    at: Origin,
    /// The keys that are dropped, by name, on the trees they stand in; all that the migration made where none is named.
    keys: Option<BTreeSet<(RelationId, Ident)>>,
}

/// The latest earlier migration that this one takes back, if it takes one back.
fn undone(whole: &Whole) -> Option<Undone> {
    by_key(whole).or_else(|| by_all(whole))
}

/// It drops a constraint, by a name that an earlier migration gave to keys in the same tree of partitions.
fn by_key(whole: &Whole) -> Option<Undone> {
    let (before, plan) = (&whole.before.schema, whole.context.plan);
    let mut keys: BTreeSet<(RelationId, Ident)> = BTreeSet::new();
    let (mut migrations, mut at): (BTreeSet<usize>, Option<Origin>) = (BTreeSet::new(), None);
    for step in whole.steps.iter().filter(|step| step.certain && step.applied.failure().is_none()) {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some(table) = before.find_table(&alter.table) else { continue };
        // Named on one partition, it is meant there; named on their table, it is meant everywhere.
        if !table.is_partitioned() {
            continue;
        }
        let root = before.partition_root(table.id);
        for action in &alter.actions {
            let TableActionKind::DropConstraint { name, .. } = &action.kind else { continue };
            keys.insert((root, name.clone()));
            let made = tree(before, root).into_iter().filter_map(|table| before.find_constraint(table, name));
            let makers = made.filter_map(|row| plan.migration_of(row.existence.origin().span));
            migrations.extend(makers.filter(|maker| *maker < whole.context.at.migration));
            at.get_or_insert_with(|| step.origin.clone());
        }
    }
    // What puts the key back in another form is no undoing.
    let made_again = |(root, name): &(RelationId, Ident)| {
        let after = &whole.after.schema;
        let rows = tree(after, *root).into_iter().filter_map(|table| after.find_constraint(table, name));
        rows.into_iter().any(|row| before.get_constraint(row.id).is_none())
    };
    keys.retain(|key| !made_again(key));
    let meant = !keys.is_empty() && !migrations.is_empty();
    meant.then_some(Undone { migrations, at: at?, keys: Some(keys) })
}

/// Its name says that it undoes, or it removes all that another one made.
fn by_all(whole: &Whole) -> Option<Undone> {
    let lost = whole.after.schema.lost_since(&whole.before.schema);
    let plan = whole.context.plan;
    let mut makers: BTreeSet<usize> = BTreeSet::new();
    let mut note = |origin: &Origin| makers.extend(plan.migration_of(origin.span));
    lost.relations.iter().for_each(|one| note(one.existence.origin()));
    lost.constraints.iter().filter(|one| one.is_standalone()).for_each(|one| note(one.existence.origin()));
    lost.columns.iter().for_each(|(_, one)| note(one.existence.origin()));
    lost.triggers.iter().filter(|one| one.parent.is_none()).for_each(|one| note(one.existence.origin()));
    let migration = makers.iter().copied().filter(|one| *one < whole.context.at.migration).max()?;
    if makers.len() > 1 || !says_so(whole) {
        return None;
    }
    let at = whole.steps.iter().find(|step| removes(&step.operation)).map(|step| step.origin.clone())?;
    // What it makes itself shows that it goes on, not back.
    let made = whole.after.schema.relations_since(&whole.before.schema);
    made.is_empty().then_some(Undone { migrations: BTreeSet::from([migration]), at, keys: None })
}

fn says_so(whole: &Whole) -> bool {
    let name = whole.context.migration.name.to_lowercase();
    ["revert", "undo", "rollback", "roll_back", "back_out"].iter().any(|word| name.contains(word))
}

fn removes(operation: &Operation) -> bool {
    match operation {
        Operation::Drop(drop) => drop.kind != ObjectKind::Function,
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| {
            matches!(action.kind, TableActionKind::DropConstraint { .. } | TableActionKind::DropColumn { .. })
        }),
        _ => false,
    }
}

fn tree(schema: &Schema, root: RelationId) -> Vec<RelationId> {
    let mut tables = schema.partitions(root);
    tables.insert(0, root);
    tables
}

/// The states that this migration makes of those in which the earlier one can stop.
fn reached(whole: &Whole, earlier: usize) -> Vec<(String, State)> {
    let (plan, majors) = (whole.context.plan, whole.context.majors);
    let Some(before) = whole.past.before(earlier) else { return Vec::new() };
    let migration = &plan.history.migrations[earlier];
    let mut context = whole.context;
    (context.at.migration, context.migration) = (earlier, migration);
    let ran = course(plan, earlier, &migration.up, &before, majors, Follows::SchemaAndData);
    let found = stops(&context, &ran);
    // Only where rows are in the way: a migration that was cancelled is run again.
    let likely: Vec<&Stop> = found.iter().filter(|stop| !stop.on_data().is_empty()).take(MOST_STOPS).collect();
    let all = &plan.history.migrations;
    // A dump tells of a database on which everything ran; an edited text never runs where the shipped one did.
    let runs = |number: &usize| all[*number].dump.is_none() && all[*number].since_base != SinceBase::Edited;
    let between: Vec<usize> = (earlier + 1..whole.context.at.migration).filter(runs).collect();
    if between.len() > MOST_BETWEEN {
        return Vec::new();
    }
    let after = |stop: &Stop| {
        let mut state = stop.state.clone();
        for number in between.iter().chain([&whole.context.at.migration]) {
            state = plan.run_from(*number, &state, majors).end;
        }
        (format!("from where {} fails", super::stopped::doing(&stop.step)), state)
    };
    likely.into_iter().map(after).collect()
}

/// What the earlier migration made and is still there.
fn left_in(whole: &Whole, before: &State, after: &Schema, undone: &Undone) -> Vec<Change> {
    let plan = whole.context.plan;
    let made = |origin: &Origin| plan.migration_of(origin.span).is_some_and(|maker| undone.migrations.contains(&maker));
    let changes = after.difference(&before.schema, Shared::Since(&before.schema));
    let meant = |change: &Change| match &undone.keys {
        None => true,
        Some(keys) => change.object == "constraint" && is_of(after, change, keys),
    };
    let extra = changes
        .into_iter()
        .filter(|change| change.kind == ChangeKind::Extra && change.certain && change.made.as_ref().is_some_and(made));
    extra.filter(meant).collect()
}

/// The constraint stands in one of the trees under one of the names.
fn is_of(schema: &Schema, change: &Change, keys: &BTreeSet<(RelationId, Ident)>) -> bool {
    keys.iter().any(|(root, name)| {
        tree(schema, *root).into_iter().filter_map(|table| schema.get_relation(table)).any(|table| {
            let row: Option<&Constraint> = schema.find_constraint(table.id, name);
            row.is_some() && change.name == format!("{}.{name}", table.name)
        })
    })
}

fn report(whole: &Whole, undone: &Undone, left: &[(String, Vec<Change>)], findings: &mut Findings) {
    let mut changes: Vec<Change> = Vec::new();
    for change in left.iter().flat_map(|(_, changes)| changes) {
        if !changes.iter().any(|known| known.name == change.name) {
            changes.push(change.clone());
        }
    }
    if changes.is_empty() {
        return;
    }
    let names: Vec<String> = changes.iter().map(|change| say::short(&change.name).to_owned()).collect();
    let always = left.first().is_some_and(|(words, _)| words.contains("all of it"));
    let when = if always { "" } else { " where the earlier migration stopped half way" };
    let message = match names.as_slice() {
        [name] => format!("does not undo all{when}: `{name}` stays and goes on as before"),
        _ => format!("does not undo all{when}: {} stay and go on as before", say::list(&names)),
    };
    let finding = findings.report(&undone.at, "revert", true, message);
    if changes.iter().all(|change| stops_nobody(&whole.after.schema, change)) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.message.push_str("; columns that need no value stop nobody");
    }
    for change in &changes {
        finding.object(&change.name);
        if let Some(made) = change.made.as_ref().filter(|_| finding.because.len() < 6) {
            finding.because(made.span, format!("makes `{}`", say::short(&change.name)));
        }
    }
    for (words, rest) in left {
        let names: Vec<String> = rest.iter().map(|change| say::short(&change.name).to_owned()).collect();
        finding.stops.push(format!("{words}: {} left", say::list(&names)));
    }
    let statements: Vec<String> = statements(&changes).iter().map(|sql| guarded(sql)).collect();
    // What only a stop leaves is not there to be tried.
    let (statements, stuck) = match always {
        true => in_order(statements, &whole.after.schema),
        false => (statements, Vec::new()),
    };
    let all: Vec<String> = statements.into_iter().chain(stuck.iter().map(Stuck::words)).collect();
    finding.instead(format!("SET lock_timeout = '5s';\n{}", all.join("\n")));
}

/// A column that may be left out of an INSERT.
fn stops_nobody(schema: &Schema, change: &Change) -> bool {
    let Some((owner, name)) = change.name.rsplit_once('.').filter(|_| change.object == "column") else { return false };
    let mut tables = schema.tables().filter(|(relation, _)| relation.name.prints_as(owner));
    let column =
        tables.find_map(|(_, table)| table.columns.iter().find(|one| one.name.as_str() == name.trim_matches('"')));
    column.is_some_and(|column| !column.not_null || column.default.is_some() || column.identity.is_some())
}

/// The same statement where the object may be gone already.
fn guarded(sql: &str) -> String {
    sql.replacen(" DROP CONSTRAINT ", " DROP CONSTRAINT IF EXISTS ", 1)
}
