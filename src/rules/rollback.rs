//! A migration's own way back: whether it ends in the state before, what it may be refused, what it cannot bring back.

use std::collections::BTreeSet;

use super::{Findings, say, stopped};
use crate::finding::Severity;
use crate::history::{Course, Passed, Whole};
use crate::operation::{ConstraintKind, Ident, Node, Operation, Origin, Ruby, RubyKind, TableActionKind, walk};
use crate::schema::difference::{Change, ChangeKind, Shared, statements};
use crate::schema::{Constraint, ConstraintRow, IndexColumn, IndexKey, Relation, RelationId, Schema, Table};
use crate::source::Span;

/// The course of a down that does something, after an up that was understood.
fn way_back<'a>(whole: &Whole<'a>) -> Option<&'a Course> {
    // `SELECT 1;` alone says that no way back is meant.
    whole.context.migration.down.as_ref().filter(|down| down.nodes.iter().any(does_something))?;
    let course = whole.down()?;
    let up = whole.course();
    (!course.unread && !up.unread && up.failed.is_none()).then_some(course)
}

fn does_something(node: &Node) -> bool {
    let Node::Statement(statement) = node else { return true };
    !matches!(statement.operation, Operation::Query(_) | Operation::Set(_) | Operation::Transaction(_))
}

pub fn not_inverse(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    if let Some((step, failure)) = &course.failed {
        let message = format!("cannot be taken back: the down stops here, {}", failure.message);
        let finding = findings.report(&step.origin, "down fails", true, message);
        finding.object(&failure.object);
        if let Some(because) = &failure.because {
            finding.because(because.span, "makes it so");
        }
        finding.instead("-- let the down take back what the up of this migration does, in the opposite order");
        return;
    }
    let before = &whole.before.schema;
    let changes = course.end.schema.difference(before, Shared::Since(before));
    let told = |change: &Change| is_told(change, before, &course.end.schema) && !is_beyond_history(whole, change);
    let changes: Vec<Change> = changes.into_iter().filter(told).collect();
    let Some(first) = changes.first() else { return };
    let decided = empty_down(whole);
    if decided == Some(Decision::Explained) {
        return;
    }
    let told: Vec<String> = changes.iter().take(4).map(said).collect();
    let more = changes.len().saturating_sub(4);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!("down does not bring back the schema from before up: {}{more}", told.join("; "));
    let at = place(whole, course, first);
    let certain = changes.iter().any(|change| change.certain);
    let finding = findings.report(&at, "down", certain, message);
    for change in &changes {
        finding.object(&change.name);
    }
    if let Some(made) = first.made.as_ref().filter(|made| made.span != at.span) {
        finding.because(made.span, format!("`{}` comes from here", say::short(&first.name)));
    }
    let missing: Vec<String> = statements(&changes).iter().map(|sql| format!("{sql};")).collect();
    if decided.is_some() {
        // Nobody forgot a part of it.
        finding.severity = Severity::Note;
    }
    if !missing.is_empty() {
        finding.instead(format!("-- in the down, beside what it does\n{}", missing.join("\n")));
    }
}

/// A down that does nothing, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// A comment in it says why.
    Explained,
    Bare,
}

/// The down is written, and empty; or it says that there is no way back.
fn empty_down(whole: &Whole) -> Option<Decision> {
    let migration = whole.context.migration;
    let file = migration.down.iter().flat_map(|down| &down.nodes).find_map(|node| match node {
        Node::Ruby(script) => Some(&script.file),
        _ => None,
    })?;
    let (mut empty, mut raises) = (None, false);
    let is_raise = |node: &Ruby| match &node.kind {
        RubyKind::Call(call) => call.receiver.is_none() && &*call.name == "raise",
        _ => false,
    };
    walk(&file.body, &mut |node| {
        if let RubyKind::Method(method) = &node.kind
            && &*method.name == "down"
        {
            raises |= method.body.iter().any(is_raise);
            empty = method.body.is_empty().then_some(method.span);
        }
    });
    if raises {
        return Some(Decision::Explained);
    }
    let span = empty?;
    let explained = file.comments.iter().any(|comment| span.contains(comment.span));
    Some(if explained { Decision::Explained } else { Decision::Bare })
}

/// What a down is expected to bring back: not extensions and schemas, which others may use by then, nor what nothing can.
fn is_told(change: &Change, before: &Schema, end: &Schema) -> bool {
    let stronger = change.object == "constraint" && change.text == "is validated";
    // Rows come through the parent, with its defaults.
    let in_partition = || {
        end.tables().any(|(relation, table)| {
            table.partition_of.is_some()
                && change.name.strip_prefix(&relation.name.to_string()).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    // A table that is made anew has the same constraint under the name that PostgreSQL gives.
    let named_anew = change.object == "constraint"
        && change.text.starts_with("is called ")
        && end.tables().any(|(relation, _)| {
            before.get_relation(relation.id).is_none()
                && change.name.strip_prefix(&relation.name.to_string()).is_some_and(|rest| rest.starts_with('.'))
        });
    let default = change.object == "column" && change.text.ends_with("default");
    // Either takes what the other does.
    let same_type = ["is text rather than character varying", "is character varying rather than text"]
        .contains(&change.text.as_str());
    let of_others = matches!(change.object, "extension" | "schema");
    let passed_over =
        stronger || same_type || of_others || named_anew || change.repairs.is_empty() || default && in_partition();
    change.certain && !passed_over
}

/// What the history does not know for certain, or what no down can do otherwise.
fn is_beyond_history(whole: &Whole, change: &Change) -> bool {
    match (change.kind, change.object) {
        // A dump prints a view as the server understood it, not as it was written.
        (ChangeKind::Differs, "view") => {
            let all = &whole.context.plan.history.migrations[..whole.context.at.migration];
            change.text == "selects something else" && all.iter().any(|one| one.dump.is_some())
        }
        // Made by hand: the up drops it where it is.
        (ChangeKind::Extra, "constraint") => whole.steps.iter().any(|step| match &step.operation {
            Operation::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
                TableActionKind::DropConstraint { name, if_exists: true, .. } => {
                    change.name.ends_with(&format!(".{name}"))
                }
                _ => false,
            }),
            _ => false,
        }),
        // A column that comes back NOT NULL must fill the rows that are there.
        (ChangeKind::Differs, "column") if change.text == "has a default" => {
            let (table, column) = change.name.rsplit_once('.').unwrap_or_default();
            let gone = |relation: &Relation| {
                relation.as_table().is_some_and(|table| table.column(&Ident::from(column)).is_none())
            };
            whole.after.schema.tables().any(|(relation, _)| relation.name.to_string() == table && gone(relation))
        }
        _ => false,
    }
}

fn said(change: &Change) -> String {
    let name = say::changed(change);
    match change.kind {
        ChangeKind::Extra => format!("{} `{name}` stays", change.object),
        ChangeKind::Missing => format!("{} `{name}` does not come back", change.object),
        ChangeKind::Differs => format!("{} `{name}` {}", change.object, change.text),
    }
}

/// The down's first statement, or where the object was changed.
fn place(whole: &Whole, course: &Course, first: &Change) -> Origin {
    let step = course.units.iter().flat_map(|unit| &unit.steps).next();
    let up = whole.steps.first();
    let made = first.made.clone();
    step.or(up)
        .map(|step| step.origin.clone())
        .or(made)
        .unwrap_or_else(|| Origin::at(Span { source: whole.context.migration.source, start: 0, end: 0 }))
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
                mended.extend(write.all().iter().filter_map(|one| state.schema.find(&one.target)).map(|one| one.id));
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
            for action in &alter.actions {
                let what = match &action.kind {
                    TableActionKind::AddConstraint(definition)
                        if !matches!(definition.kind, ConstraintKind::Primary(_)) =>
                    {
                        restored(before, after, &course.end.schema, table, definition.name.as_ref())
                    }
                    TableActionKind::SetNotNull { column } => not_null_again(before, after, table, column),
                    _ => None,
                };
                if let Some(what) = what {
                    report_restored(step, table, &what, findings);
                }
            }
        }
    }
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

fn not_null_again(before: &Schema, after: &Schema, table: &Relation, column: &Ident) -> Option<Restored> {
    let not_null = |schema: &Schema| Some(schema.get_relation(table.id)?.as_table()?.column(column)?.not_null);
    let query = format!("SELECT count(*) FROM {} WHERE {column} IS NULL", table.name);
    let again = not_null(before) == Some(true) && not_null(after) == Some(false);
    again.then(|| Restored { name: column.clone(), query: Some(query), kind: "NOT NULL", meant: true })
}

fn report_restored(step: &Passed, table: &Relation, what: &Restored, findings: &mut Findings) {
    let name = table.name.short();
    let message = format!(
        "down puts {} `{}` of `{name}` back: it fails where rows written since the up do not fit",
        what.kind, what.name
    );
    let finding = findings.report(&step.origin, "down restores", step.certain, message);
    finding.object(format!("{}.{}", table.name, what.name));
    if !what.meant {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.one_per("restored");
    if let Some(query) = &what.query {
        finding.verify(query);
    }
    finding.instead("-- in the down: NOT VALID, and VALIDATE once the rows that do not fit are mended");
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
