//! Whether a migration's own way back ends in the state before: what the down leaves out, takes too much of, or fails at.

use super::rollback::way_back;
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Course, Passed, Whole};
use crate::operation::{Ident, Node, Operation, Origin, Ruby, RubyKind, TableActionKind, walk};
use crate::schema::difference::{Change, ChangeKind, Repair, Shared, Stage, same_index, statements};
use crate::schema::{Column, ColumnId, ConstraintId, Failure, FailureKind, RelationId, Schema};
use crate::source::Span;

pub fn not_inverse(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    if let Some((step, failure)) = &course.failed {
        return report_failure(step, failure, findings);
    }
    let before = &whole.before.schema;
    let changes = course.end.schema.difference(before, Shared::Since(before));
    let told = |change: &Change| is_told(change, before, &course.end.schema) && !is_beyond_history(whole, change);
    let changes = renamed_indexes(changes.into_iter().filter(told).collect(), &course.end.schema, before);
    let Some(first) = changes.first() else { return };
    let decided = empty_down(whole);
    if decided == Some(Decision::Explained) {
        return;
    }
    let (spared, changed): (Vec<Change>, Vec<Change>) =
        changes.iter().cloned().partition(|change| is_spared(whole, change));
    let taken = |change: &Change| {
        format!("it takes {} `{}` away, which the up did not make", change.object, say::changed(change))
    };
    let told: Vec<String> = spared.iter().map(taken).chain(changed.iter().map(said)).take(4).collect();
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
    if decided.is_some() {
        // Nobody forgot a part of it.
        finding.severity = Severity::Note;
    }
    finding.instead = way_out(!spared.is_empty(), &changed);
}

/// The up found it there and left it: the down takes away what it did not make.
fn is_spared(whole: &Whole, change: &Change) -> bool {
    let there = standing(&whole.before.schema, change);
    change.kind == ChangeKind::Missing && there.is_some() && there == standing(&whole.after.schema, change)
}

fn way_out(spared: bool, changed: &[Change]) -> Option<String> {
    let leave =
        "-- the down leaves alone what is there before the up: guard both in the same way, or let the down do nothing";
    let missing: Vec<String> = statements(changed).iter().map(|sql| format!("{sql};")).collect();
    let beside = format!("-- in the down, beside what it does\n{}", missing.join("\n"));
    match (spared, missing.is_empty()) {
        (false, true) => None,
        (false, false) => Some(beside),
        (true, true) => Some(leave.to_owned()),
        (true, false) => Some(format!("{leave}\n{beside}")),
    }
}

fn report_failure(step: &Passed, failure: &Failure, findings: &mut Findings) {
    let message = format!("cannot be taken back: the down stops here, {}", failure.message);
    let finding = findings.report(&step.origin, "down fails", true, message);
    finding.object(&failure.object);
    if let Some(because) = &failure.because {
        finding.because(because.span, "makes it so");
    }
    finding.instead(mend(failure));
}

/// What helps a down that fails.
fn mend(failure: &Failure) -> String {
    if let Some((column, to)) = failure.message.split_once("\" cannot be cast automatically to type ") {
        let column = Ident::new(column.trim_start_matches("column \""));
        return format!(
            "-- in the down: TYPE {to} USING {column}::{to} (in Rails `using: \"{column}::{to}\"`), once the values fit"
        );
    }
    let opposite = "-- let the down take back what the up of this migration does, in the opposite order";
    match failure.kind {
        FailureKind::Missing => {
            format!(
                "{opposite};\n-- what is gone or has its old name by then needs no statement, or one with IF EXISTS"
            )
        }
        _ => opposite.to_owned(),
    }
}

/// An index that stands again, under another name, is one index.
fn renamed_indexes(changes: Vec<Change>, end: &Schema, before: &Schema) -> Vec<Change> {
    let index = |schema: &Schema, name: &str| {
        let found = schema.relations().find(|one| one.as_index().is_some() && one.name.to_string() == name);
        found.and_then(|one| Some((one.name.clone(), one.as_index()?.clone())))
    };
    let (mut kept, mut gone): (Vec<Change>, Vec<usize>) = (Vec::new(), Vec::new());
    let is = |change: &Change, kind: ChangeKind| change.object == "index" && change.kind == kind;
    for change in &changes {
        let now = index(end, &change.name).filter(|_| is(change, ChangeKind::Extra));
        let then = now.as_ref().and_then(|(_, now)| {
            let others =
                changes.iter().enumerate().filter(|(at, one)| is(one, ChangeKind::Missing) && !gone.contains(at));
            others.filter_map(|(at, one)| Some((at, index(before, &one.name)?))).find(|(_, (_, then))| {
                now.table == then.table && now.valid == then.valid && same_index((end, now), (before, then))
            })
        });
        let (Some((from, _)), Some((at, (to, _)))) = (now, then) else {
            kept.push(change.clone());
            continue;
        };
        gone.push(at);
        let sql = format!("ALTER INDEX {from} RENAME TO {}", to.name);
        kept.push(Change {
            kind: ChangeKind::Differs,
            name: to.to_string(),
            text: format!("is called {}", from.name),
            repairs: vec![Repair::new(Stage::Rename, sql)],
            ..change.clone()
        });
    }
    let names: Vec<&String> = gone.iter().filter_map(|at| changes.get(*at)).map(|change| &change.name).collect();
    kept.retain(|change| !(is(change, ChangeKind::Missing) && names.contains(&&change.name)));
    kept
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
        // The up takes its values away, and the down makes it anew on the rows that are there.
        (ChangeKind::Differs, "column") => {
            let column = |schema: &Schema| column_of(schema, &change.name).cloned();
            let Some(then) = column(&whole.before.schema).filter(|_| is_taken(&whole.after.schema, &change.name))
            else {
                return false;
            };
            match change.text.as_str() {
                // A column that comes back NOT NULL must fill the rows.
                "has a default" => true,
                // Without a default it fails on any row.
                "may be NULL" => then.default.is_none() && then.identity.is_none() && then.generated.is_none(),
                text => is_wider(text),
            }
        }
        _ => false,
    }
}

/// With quotes where it needs them, as the names of changes are.
fn printed(name: &Ident) -> String {
    name.to_string()
}

fn column_of<'a>(schema: &'a Schema, full: &str) -> Option<&'a Column> {
    let (table, column) = full.rsplit_once('.')?;
    let table = schema.tables().find(|(relation, _)| relation.name.to_string() == table)?.1;
    table.columns.iter().find(|one| printed(&one.name) == column)
}

/// The relation, column or constraint of that name.
fn standing(schema: &Schema, change: &Change) -> Option<(RelationId, Option<ColumnId>, Option<ConstraintId>)> {
    let relation = |name: &str| schema.relations().find(|one| one.name.to_string() == name);
    match change.object {
        "column" => {
            let table = relation(change.name.rsplit_once('.')?.0)?;
            Some((table.id, Some(column_of(schema, &change.name)?.id), None))
        }
        "constraint" => {
            let (table, name) = change.name.rsplit_once('.')?;
            let table = relation(table)?;
            let row = schema.constraints_of(table.id).find(|row| printed(&row.name) == name)?;
            Some((table.id, None, Some(row.id)))
        }
        _ => Some((relation(&change.name)?.id, None, None)),
    }
}

/// The table is there, its column is not.
fn is_taken(schema: &Schema, full: &str) -> bool {
    let table = full.rsplit_once('.').map_or("", |(table, _)| table);
    schema.tables().any(|(relation, _)| relation.name.to_string() == table) && column_of(schema, full).is_none()
}

/// `is character varying rather than character varying(255)`: all that fitted fits.
fn is_wider(text: &str) -> bool {
    let Some((now, then)) = text.strip_prefix("is ").and_then(|text| text.split_once(" rather than ")) else {
        return false;
    };
    let limited = |family: &str| then.strip_prefix(family).is_some_and(|rest| rest.starts_with('('));
    match now {
        "text" | "character varying" => limited("character varying"),
        "numeric" => limited("numeric") || matches!(then, "smallint" | "integer" | "bigint"),
        "bigint" => matches!(then, "smallint" | "integer"),
        "integer" => then == "smallint",
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

/// The statement of the down that it is about, else its first one, or where the object was changed.
fn place(whole: &Whole, course: &Course, first: &Change) -> Origin {
    let steps = || course.units.iter().flat_map(|unit| &unit.steps);
    let makes = || steps().find(|step| first.made.as_ref().is_some_and(|made| made.span == step.origin.span));
    let takes = || {
        // Where it stood before the down: the statement behind which it is gone.
        let befores = course.units.iter().flat_map(|unit| &unit.befores).map(|state| &state.schema);
        let afters = befores.clone().skip(1).chain([&course.end.schema]);
        let stands = |schema: &Schema| standing(schema, first).is_some();
        let mut all = steps().zip(befores.zip(afters));
        all.find(|(_, (before, after))| stands(before) && !stands(after)).map(|(step, _)| step)
    };
    let found = if first.kind == ChangeKind::Missing { takes() } else { makes() };
    let step = found.or_else(|| steps().next());
    let up = whole.steps.first();
    let made = first.made.clone();
    step.or(up)
        .map(|step| step.origin.clone())
        .or(made)
        .unwrap_or_else(|| Origin::at(Span { source: whole.context.migration.source, start: 0, end: 0 }))
}
