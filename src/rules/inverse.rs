//! Whether a migration's own way back ends in the state before: what the down leaves out, takes too much of, or fails at.

use super::back::{column_of, is_copied, is_in_transaction, is_taken, is_told, is_wider, printed};
use super::rollback::way_back;
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Course, Passed, Whole};
use crate::operation::{Ident, Node, Operation, Origin, Ruby, RubyKind, TableActionKind, walk};
use crate::schema::difference::{Aspect, Change, ChangeKind, Repair, Shared, Stage, same_index, statements};
use crate::schema::{ColumnId, ConstraintId, Failure, FailureKind, RelationId, Schema};
use crate::source::Span;

pub fn not_inverse(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    if let Some((step, failure)) = &course.failed {
        return report_failure(step, failure, findings);
    }
    let before = &whole.before.schema;
    let changes = course.end.schema.difference(before, Shared::Since(before));
    let told = |change: &Change| is_told(whole, change, &course.end.schema);
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
    // Nobody forgot a part of it; or it is not theirs to mend, and nothing of theirs is lost.
    let wider = |change: &Change| matches!(&change.aspect, Aspect::Type { now, then } if is_wider(now, then));
    // And a wider type takes all that is written.
    if decided.is_some() || spared.is_empty() && (is_copied(whole) || changes.iter().all(wider)) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.instead = way_out(whole, !spared.is_empty(), &changed);
}

/// The up found it there and left it: the down takes away what it did not make.
fn is_spared(whole: &Whole, change: &Change) -> bool {
    let there = standing(&whole.before.schema, change);
    change.kind == ChangeKind::Missing && there.is_some() && there == standing(&whole.after.schema, change)
}

fn way_out(whole: &Whole, spared: bool, changed: &[Change]) -> Option<String> {
    let down = down_of(whole);
    let leave =
        "-- the down leaves alone what is there before the up: guard both in the same way, or let the down do nothing";
    let mut parts: Vec<String> = spared.then(|| leave.to_owned()).into_iter().collect();
    let (anew, others): (Vec<Change>, Vec<Change>) =
        changed.iter().cloned().partition(|change| is_made_anew(whole, change));
    let mut again = columns_again(whole, &anew);
    let (mut others, sequences): (Vec<Change>, Vec<Change>) =
        others.into_iter().partition(|change| anew.is_empty() || change.object != "sequence");
    // A default that counts on a sequence comes after it, and its owner last.
    if !sequences.is_empty() {
        again.extend(sequences);
    } else {
        others.extend(sequences);
    }
    if !again.is_empty() {
        parts.push(format!("-- in {down}, in the place of the column that it makes"));
        parts.extend(statements(&again).iter().map(|sql| format!("{sql};")));
    }
    let (fills, others): (Vec<Change>, Vec<Change>) =
        others.into_iter().partition(|change| change.aspect == Aspect::NotNull { now: false });
    let missing: Vec<String> = statements(&others).iter().map(|sql| format!("{};", in_its_unit(whole, sql))).collect();
    if !missing.is_empty() || !fills.is_empty() {
        parts.push(format!("-- in {down}, beside what it does"));
    }
    if missing.iter().any(|sql| sql.contains(" INDEX ") && sql.starts_with("CREATE")) && is_in_transaction(whole) {
        parts.push(
            "-- (it blocks writes while it builds; CONCURRENTLY asks for a migration outside of a transaction)"
                .to_owned(),
        );
    }
    parts.extend(missing);
    parts.extend(fills.iter().flat_map(|change| not_null_again(whole, change)));
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// `change` has no text of its way back.
pub(super) fn down_of(whole: &Whole) -> &'static str {
    let nodes = whole.context.migration.down.iter().flat_map(|down| &down.nodes);
    let mut scripts = nodes.filter_map(|node| match node {
        Node::Ruby(script) => Some(&script.file.body),
        _ => None,
    });
    let Some(body) = scripts.next() else { return "the down" };
    let (mut down, mut change) = (false, false);
    walk(body, &mut |node| {
        if let RubyKind::Method(method) = &node.kind {
            down |= &*method.name == "down";
            change |= &*method.name == "change";
        }
    });
    if change && !down { "a `down`, with `up` in the place of `change`" } else { "the down" }
}

/// In a transaction no index is built or dropped CONCURRENTLY.
fn in_its_unit(whole: &Whole, sql: &str) -> String {
    match is_in_transaction(whole) {
        true => sql.replacen(" INDEX CONCURRENTLY ", " INDEX ", 1),
        false => sql.to_owned(),
    }
}

/// The up drops the column, and the down makes another one of its name.
fn is_made_anew(whole: &Whole, change: &Change) -> bool {
    change.kind == ChangeKind::Differs && change.object == "column" && is_taken(&whole.after.schema, &change.name)
}

/// The columns as they were, each in one statement: a default fills the rows that a NOT NULL asks for.
fn columns_again(whole: &Whole, anew: &[Change]) -> Vec<Change> {
    let before = &whole.before.schema;
    let all = whole.after.schema.difference(before, Shared::Since(before));
    let is_own = |one: &Change| {
        one.kind == ChangeKind::Missing && one.object == "column" && anew.iter().any(|change| change.name == one.name)
    };
    all.into_iter().filter(is_own).collect()
}

/// NOT NULL on rows that may hold NULL by then.
fn not_null_again(whole: &Whole, change: &Change) -> Vec<String> {
    let Some((table, _)) = change.name.rsplit_once('.') else { return Vec::new() };
    let Some(column) = column_of(&whole.before.schema, &change.name) else { return Vec::new() };
    let name = &column.name;
    if column.default.is_some() {
        return vec![
            format!("UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL;"),
            format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"),
        ];
    }
    vec![
        "-- new rows are refused, and those written since stay until they are mended: SET NOT NULL would fail on them"
            .to_owned(),
        format!("ALTER TABLE {table} ADD CONSTRAINT {} CHECK ({name} IS NOT NULL) NOT VALID;", not_null_name(name)),
    ]
}

pub(super) fn not_null_name(column: &Ident) -> Ident {
    Ident::new(format!("{}_not_null", column.as_str()))
}

fn report_failure(step: &Passed, failure: &Failure, findings: &mut Findings) {
    let message = format!("cannot be taken back: the down stops here, {}", failure.message);
    let finding = findings.report(&step.origin, "down fails", true, message);
    finding.object(&failure.object);
    if let Some(because) = &failure.because {
        finding.because(because.span, "makes it so");
    }
    finding.instead(mend(step, failure));
}

/// What helps a down that fails.
fn mend(step: &Passed, failure: &Failure) -> String {
    if let (FailureKind::NoCast, Operation::AlterTable(alter)) = (failure.kind, &step.operation) {
        let typed = alter.actions.iter().find_map(|action| match &action.kind {
            TableActionKind::AlterColumnType { column, data_type, .. } => Some((column, data_type)),
            _ => None,
        });
        if let Some((column, to)) = typed {
            return format!(
                "-- in the down: TYPE {to} USING {column}::{to} (in Rails `using: \"{column}::{to}\"`), once the values fit"
            );
        }
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
        let found = schema.relations().find(|one| one.as_index().is_some() && one.name.prints_as(name));
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
            aspect: Aspect::Name,
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

/// The relation, column or constraint of that name.
fn standing(schema: &Schema, change: &Change) -> Option<(RelationId, Option<ColumnId>, Option<ConstraintId>)> {
    let relation = |name: &str| schema.relations().find(|one| one.name.prints_as(name));
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
    let asks = |step: &&Passed| matches!(step.operation, Operation::Query(_));
    let step = found.or_else(|| steps().find(|step| !asks(step)));
    let up = whole.steps.first();
    let made = first.made.clone();
    step.or(up)
        .map(|step| step.origin.clone())
        .or(made)
        .unwrap_or_else(|| Origin::at(Span { source: whole.context.migration.source, start: 0, end: 0 }))
}
