//! A migration's own way back: what it may be refused, what it cannot bring back.

use std::collections::BTreeSet;

use super::back::{Shown, is_copied, nulls_are_meant, says_that_it_may_fail};
use super::no_way_back::is_given_up;
use super::together::taken_back;
use super::undoing::{down_of, fill_first};
use super::{Findings, say, stopped};
use crate::finding::Severity;
use crate::history::{Course, Passed, Whole};
use crate::operation::{Action, ConstraintKind, Ident, Node, Operation, TableActionKind, WriteKind};
use crate::schema::{Constraint, ConstraintRow, IndexColumn, IndexKey, Relation, RelationId, Schema, Table};
use crate::version::Major;

/// The course of a down that does something, after an up that was understood.
pub(super) fn way_back<'a>(whole: &Whole<'a>) -> Option<&'a Course> {
    // `SELECT 1;` alone says that no way back is meant.
    let migration = whole.context.migration;
    migration.down.as_ref().filter(|down| down.nodes.iter().any(does_something) && !is_given_up(migration))?;
    let course = whole.down()?;
    let up = whole.course();
    (!course.unread && !up.unread && up.failed.is_none()).then_some(course)
}

fn does_something(node: &Node) -> bool {
    let Node::Statement(statement) = node else { return true };
    !matches!(statement.operation, Operation::Query(_) | Operation::Set(_) | Operation::Transaction(_))
}

/// The down adds a constraint for which rows written since the up may be wrong.
pub fn restores_constraint(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    if course.failed.is_some() {
        return;
    }
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    let mut mended: BTreeSet<RelationId> = BTreeSet::new();
    for unit in &course.units {
        for (step, state) in unit.steps.iter().zip(&unit.befores) {
            if let Operation::Write(write) = &step.operation {
                let targets =
                    write.all().into_iter().filter_map(|one| Some((state.schema.find(&one.target)?.id, one.kind)));
                for (target, kind) in targets {
                    mended.insert(target);
                    if kind == WriteKind::Delete {
                        mended.extend(cascading(&state.schema, target));
                    }
                }
            }
            let Operation::AlterTable(alter) = &step.operation else { continue };
            let Some(table) = state.schema.find_table(&alter.table) else { continue };
            // The down has gone through its rows first.
            if mended.contains(&table.id) {
                continue;
            }
            // A table that the up made, or the down makes, has no rows of before.
            if before.get_relation(table.id).is_none() || whole.context.is_new(whole.before, table.id) {
                continue;
            }
            if says_that_it_may_fail(whole, course, step) {
                continue;
            }
            for action in &alter.actions {
                let what = match &action.kind {
                    // NOT VALID reads no row that is there.
                    TableActionKind::AddConstraint(definition)
                        if !matches!(definition.kind, ConstraintKind::Primary(_)) && !definition.not_valid =>
                    {
                        restored(before, after, &course.end.schema, table, definition.name.as_ref())
                    }
                    TableActionKind::SetNotNull { column } => not_null_again(whole, table, column),
                    _ => None,
                };
                let mended = || taken_back(whole).is_some_and(|all| all.sooner.iter().any(|one| is_filled(one, table)));
                if let Some(what) = what.filter(|_| !mended()) {
                    report_restored(whole, step, table, &what, findings);
                }
            }
        }
    }
}

/// The tables whose rows go with deleted ones of a table.
fn cascading(schema: &Schema, table: RelationId) -> BTreeSet<RelationId> {
    let mut found = BTreeSet::new();
    let mut open = vec![table];
    while let Some(next) = open.pop() {
        let keys = schema.get_relation(next).and_then(Relation::as_table).map(|table| table.referenced_by.as_slice());
        for key in keys.unwrap_or_default().iter().filter_map(|id| schema.get_constraint(*id)) {
            let goes_along = key.as_foreign().is_some_and(|foreign| foreign.on_delete == Action::Cascade);
            if goes_along && found.insert(key.table) {
                open.push(key.table);
            }
        }
    }
    found
}

/// The name of a constraint that stood before the up, not after it, and stands again.
fn restored(before: &Schema, after: &Schema, end: &Schema, table: &Relation, name: Option<&Ident>) -> Option<Restored> {
    let rows = end.constraints_of(table.id).filter(|row| after.get_constraint(row.id).is_none());
    let mut rows = rows.filter(|row| !matches!(row.kind, ConstraintRow::NotNull));
    let row = rows.find(|row| name.is_none_or(|name| row.name == *name))?;
    let was = |old: &Constraint| old.name == row.name || old.columns == row.columns;
    let stood = before.constraints_of(table.id).any(|old| was(old) && after.get_constraint(old.id).is_none());
    // Columns that the down makes anew hold what the down puts there.
    let known = after.get_relation(table.id).and_then(Relation::as_table)?;
    let old_columns = row.columns.iter().all(|id| known.column_by_id(*id).is_some());
    let kept = after.constraints_of(table.id).any(|one| one.validated && guarantees(after, one, end, row));
    let kept = kept || is_unique_index(known, after, row);
    // Another one of its kind has come in its place: rows that the old one would refuse are what the up is for.
    let mut now = after.constraints_of(table.id).filter(|one| before.get_constraint(one.id).is_none());
    let replaced =
        now.any(|one| kind(one) == kind(row) && one.columns.iter().any(|column| row.columns.contains(column)));
    (stood && old_columns && !kept).then(|| Restored {
        name: row.name.clone(),
        query: stopped::violations(end, row),
        kind: kind(row),
        meant: replaced,
        shown: None,
    })
}

/// A unique index that is no constraint keeps the same rows out.
fn is_unique_index(table: &Table, after: &Schema, old: &Constraint) -> bool {
    let unique = matches!(old.kind, ConstraintRow::Unique { .. } | ConstraintRow::Primary { .. });
    unique
        && table.indexes.iter().filter_map(|id| after.get_relation(*id)?.as_index()).any(|index| {
            // Rows that are alike in the old columns are alike in what is worked out from them.
            let is_old = |name: &Ident| known(table, name).is_some_and(|column| old.columns.contains(&column));
            let kept = |part: &IndexColumn| match &part.key {
                IndexKey::Column(column) => old.columns.contains(column),
                IndexKey::Expression(one) => one.tree.columns().into_iter().all(is_old),
            };
            index.unique && index.valid && index.filter.is_none() && index.parts.iter().all(kept)
        })
}

fn known(table: &Table, name: &Ident) -> Option<crate::schema::ColumnId> {
    table.column(name).map(|column| column.id)
}

/// What stands after the up lets in no row that the old constraint would refuse.
fn guarantees(after: &Schema, now: &Constraint, end: &Schema, old: &Constraint) -> bool {
    match (&now.kind, &old.kind) {
        (
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. },
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. },
        ) => now.columns.iter().all(|column| old.columns.contains(column)),
        (ConstraintRow::Foreign(one), ConstraintRow::Foreign(two)) => {
            let target = |schema: &Schema, id| schema.get_relation(id).map(|relation| relation.name.clone());
            now.columns == old.columns && target(after, one.references) == target(end, two.references)
        }
        _ => false,
    }
}

struct Restored {
    name: Ident,
    query: Option<String>,
    kind: &'static str,
    /// Rows that it would refuse are written from the up on, by all that is seen.
    meant: bool,
    /// What shows it of a NULL.
    shown: Option<Shown>,
}

fn kind(row: &Constraint) -> &'static str {
    match row.kind {
        ConstraintRow::Check { .. } => "check",
        ConstraintRow::NotNull => "NOT NULL",
        ConstraintRow::Primary { .. } => "primary key",
        ConstraintRow::Unique { .. } => "unique key",
        ConstraintRow::Exclude { .. } => "exclusion constraint",
        ConstraintRow::Foreign(_) => "foreign key",
    }
}

fn not_null_again(whole: &Whole, table: &Relation, column: &Ident) -> Option<Restored> {
    let id = table.as_table()?.column(column)?.id;
    let not_null = |schema: &Schema| Some(schema.get_relation(table.id)?.as_table()?.column_by_id(id)?.not_null);
    let query = format!("SELECT count(*) FROM {} WHERE {column} IS NULL", table.name);
    let again = not_null(&whole.before.schema) == Some(true) && not_null(&whole.after.schema) == Some(false);
    let shown = nulls_are_meant(whole, table.id, id).filter(|_| again);
    again.then(|| Restored {
        name: column.clone(),
        query: Some(query),
        kind: "NOT NULL",
        meant: shown.is_some(),
        shown,
    })
}

fn report_restored(whole: &Whole, step: &Passed, table: &Relation, what: &Restored, findings: &mut Findings) {
    let name = table.name.short();
    let fails = match (what.kind, what.meant) {
        ("NOT NULL", true) => "it fails once a row written since the up holds NULL",
        ("NOT NULL", false) => "it fails if a row written since the up holds NULL, which nothing here shows",
        _ => "it fails where rows written since the up do not fit",
    };
    let message = format!("down puts {} `{}` of `{name}` back: {fails}", what.kind, what.name);
    let finding = findings.report(&step.origin, "down restores", step.certain, message);
    finding.object(format!("{}.{}", table.name, what.name));
    if let Some(shown) = &what.shown {
        finding.because(shown.span, shown.text.clone());
    }
    if !what.meant || is_copied(whole) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.one_per("restored");
    if let Some(query) = &what.query {
        finding.verify(query);
    }
    let (column, down) = (&what.name, down_of(whole));
    finding.instead(match what.kind {
        "NOT NULL" => {
            let known = table.as_table().and_then(|table| table.column(column));
            let fill = known.map(|known| fill_first(&whole.after.schema, &table.name.to_string(), known));
            format!("-- in {down}, before it\n{}", fill.unwrap_or_default().join("\n"))
        }
        "foreign key" if table.is_partitioned() && !whole.after.schema.majors.since(Major(18)) => format!(
            "-- in {down}, before it: mend the rows that do not fit, or leave the key out; PostgreSQL before 18 takes no key \
             NOT VALID on a partitioned table"
        ),
        "check" | "foreign key" => {
            format!("-- in {down}: NOT VALID, and VALIDATE once the rows that do not fit are mended")
        }
        _ => format!("-- in {down}, before it: mend the rows that do not fit, or leave the key out"),
    });
}

/// The down writes rows into the table itself.
fn is_filled(course: &Course, relation: &Relation) -> bool {
    let writes = |operation: &Operation| match operation {
        Operation::Write(write) => write.all().iter().any(|one| one.target.name == relation.name.name),
        _ => false,
    };
    course.units.iter().flat_map(|unit| &unit.steps).any(|step| writes(&step.operation))
}

/// What a down makes anew was full before the up: its rows or values are gone.
pub fn loses_data(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    let (before, after, end) = (&whole.before.schema, &whole.after.schema, &course.end.schema);
    let lost = after.lost_since(before);
    let mut gone: Vec<(String, &'static str)> = Vec::new();
    for relation in &lost.relations {
        let is_table = relation.as_table().is_some_and(|table| table.partition_of.is_none());
        let new = whole.context.is_new(whole.before, relation.id);
        let back = end.find(&relation.name.as_name()).is_some() && !is_filled(course, relation);
        if is_table && !new && back {
            gone.push((relation.name.to_string(), "rows"));
        }
    }
    for (relation, column) in &lost.columns {
        let back = end.find_table(&relation.name.as_name()).and_then(Relation::as_table);
        let back = back.is_some_and(|table| table.column(&column.name).is_some());
        // A partition's columns are its parent's.
        let own = column.local || column.inherited == 0;
        // Values that the down works out, or that a sequence gives anew, are no loss that nobody thought of.
        let worked_out = is_filled(course, relation) || column.sequence.is_some();
        let filled = !worked_out && column.generated.is_none() && !whole.context.is_new(whole.before, relation.id);
        if back && own && filled && !whole.context.is_of_this_release(&column.existence) {
            gone.push((format!("{}.{}", relation.name, column.name), "values"));
        }
    }
    let Some((_, what)) = gone.first() else { return };
    let names: Vec<String> = gone.iter().map(|(name, _)| say::short(name).to_owned()).collect();
    let message = format!("down makes {} anew, without {what}: the up drops them for good", say::list(&names));
    let step = course.units.iter().flat_map(|unit| &unit.steps).next();
    let Some(at) = step.or(whole.steps.first()).map(|step| step.origin.clone()) else { return };
    let finding = findings.report(&at, "down loses", true, message);
    gone.iter().for_each(|(name, _)| {
        finding.object(name);
    });
    finding.instead("-- keep a copy until no way back is wanted: rename first, and drop in a later release");
}
