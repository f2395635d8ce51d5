//! Whether a migration's own way back ends in the state before: what the down leaves out, takes too much of, or fails at.

use super::alike::renamed_indexes;
use super::back::{column_of, is_copied, is_told, is_wider, printed};
use super::no_way_back::{Empty, empty_down};
use super::rollback::way_back;
use super::together::taken_back;
use super::undoing::{mend, way_out};
use super::{Findings, fresh, missing_object, say, up_only};
use crate::finding::Severity;
use crate::history::{Course, Passed, Whole};
use crate::operation::{Operation, Origin};
use crate::schema::difference::{Aspect, Change, ChangeKind, Shared};
use crate::schema::{ColumnId, Constraint, ConstraintId, ConstraintRow, Failure, RelationId, RelationKind, Schema};
use crate::source::Span;

pub fn not_inverse(whole: &Whole, findings: &mut Findings) {
    let Some(course) = way_back(whole) else { return };
    if let Some((step, failure)) = &course.failed {
        // Where all of the change is taken back, it passes.
        if taken_back(whole).is_none() {
            report_failure(whole, (step, &course.end.schema), failure, findings);
        }
        return;
    }
    let mut changes = left_out(whole, &whole.before.schema, &course.end.schema);
    if !changes.is_empty()
        && let Some(all) = taken_back(whole)
    {
        let left = left_out(whole, &all.before.schema, &all.end.schema);
        changes.retain(|change| left.iter().any(|one| is_same(one, change)));
    }
    keep_of_new_database(whole, &mut changes);
    let wider = |change: &Change| matches!(&change.aspect, Aspect::Type { now, then } if is_wider(now, then));
    let is_harmless = |change: &Change| {
        wider(change) || is_of_key(whole, change) || is_name_alone(change) || is_default_of_a_must(whole, change)
    };
    let only_harmless = changes.iter().all(is_harmless);
    if !only_harmless {
        changes.retain(|change| !is_harmless(change));
    }
    let Some(first) = changes.first() else { return };
    let empty = empty_down(whole.context.migration);
    if empty == Some(Empty::Explained) {
        return;
    }
    let (spared, changed): (Vec<Change>, Vec<Change>) =
        changes.iter().cloned().partition(|change| is_spared(whole, change));
    let taken = |change: &Change| {
        format!("it takes {} `{}` away, which the up did not make", change.object, say::changed(change))
    };
    let told: Vec<String> =
        spared.iter().map(taken).chain(changed.iter().map(|change| said(whole, change))).take(4).collect();
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
    // And a wider type takes all that is written, what was a key's column holds no NULL, and another name is no other
    // index or constraint.
    if empty.is_some() || spared.is_empty() && (is_copied(whole) || only_harmless) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.instead = way_out(whole, !spared.is_empty(), &changed);
}

/// What a way back does not bring to where it was.
fn left_out(whole: &Whole, before: &Schema, end: &Schema) -> Vec<Change> {
    let changes = end.difference(before, Shared::Since(before));
    let mut changes: Vec<Change> = changes.into_iter().filter(|change| is_told(whole, change, end)).collect();
    if let Some(kept) = up_only::kept(whole, before).filter(|_| !changes.is_empty()) {
        let besides = end.difference(&kept, Shared::Since(before));
        changes.retain(|change| besides.iter().any(|one| is_same(one, change)));
    }
    renamed_indexes(without_own_sequences(changes, end, before), end, before)
}

/// A NOT NULL that stays of a primary key which the up made: no row had a NULL there, nor was one written meanwhile.
fn is_of_key(whole: &Whole, change: &Change) -> bool {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    let Some((table, name)) = change.name.rsplit_once('.') else { return false };
    if !matches!(change.aspect, Aspect::NotNull { now: true }) {
        return false;
    }
    let Some(relation) = after.relations().find(|one| one.name.prints_as(table)) else { return false };
    let is_new_key = |row: &&Constraint| {
        matches!(row.kind, ConstraintRow::Primary { .. }) && before.get_constraint(row.id).is_none()
    };
    let is_it = |column: &ColumnId| printed(&after.column_name(relation.id, *column)) == name;
    after.constraints_of(relation.id).filter(is_new_key).any(|row| row.columns.iter().any(is_it))
}

/// It stands as it stood: only who names it (`ON CONFLICT ON CONSTRAINT`, code that looks for it in an error) meets a difference.
fn is_name_alone(change: &Change) -> bool {
    matches!((change.object, &change.aspect), ("index" | "constraint", Aspect::Name))
}

/// A default that stays on a column which takes no NULL: the code of before, which had to give it a value, gives it one.
fn is_default_of_a_must(whole: &Whole, change: &Change) -> bool {
    if !matches!(change.aspect, Aspect::Default { now: true }) {
        return false;
    }
    column_of(&whole.before.schema, &change.name).is_some_and(|then| {
        then.not_null && then.default.is_none() && then.identity.is_none() && then.generated.is_none()
    })
}

/// What stood before comes from a text that this change edits, moves or deletes: it is asked for where a new database,
/// which runs the texts of now, had it too.
fn keep_of_new_database(whole: &Whole, changes: &mut Vec<Change>) {
    let is_of_base = |change: &Change| {
        made_before(&whole.before.schema, change).is_some_and(|place| fresh::is_of_base(&whole.context, place))
    };
    if !changes.iter().any(is_of_base) {
        return;
    }
    let left = left_on_new_database(whole).unwrap_or_default();
    changes.retain(|change| !is_of_base(change) || left.iter().any(|one| is_same(one, change)));
}

fn left_on_new_database(whole: &Whole) -> Option<Vec<Change>> {
    let (plan, own, majors) = (whole.context.plan, whole.context.at.migration, whole.context.majors);
    let before = fresh::before(&whole.context)?;
    let passed = |course: Course| (course.failed.is_none() && !course.unread).then_some(course);
    let up = passed(plan.run_from(own, &before, majors))?;
    let down = passed(plan.run_back(own, &up.end, majors)?)?;
    Some(left_out(whole, &before.schema, &down.end.schema))
}

/// The place of the statement that made what the change is about.
fn made_before(before: &Schema, change: &Change) -> Option<Span> {
    let existence = match change.object {
        "function" => {
            let own = change.name.split('(').next()?;
            &before.functions().find(|function| function.name.prints_as(own))?.existence
        }
        "trigger" => {
            let (table, name) = change.name.rsplit_once('.')?;
            let table = before.relations().find(|one| one.name.prints_as(table))?.id;
            &before.triggers_of(table).into_iter().find(|one| printed(&one.name) == name)?.existence
        }
        _ => match standing(before, change)? {
            (_, _, Some(row)) => &before.get_constraint(row)?.existence,
            (_, Some(_), None) => &column_of(before, &change.name)?.existence,
            (relation, None, None) => &before.get_relation(relation)?.existence,
        },
    };
    Some(existence.origin().span)
}

fn is_same(one: &Change, other: &Change) -> bool {
    one.name == other.name && one.object == other.object
}

/// A column has a sequence of its own as before: nobody asks for its name.
fn without_own_sequences(mut changes: Vec<Change>, end: &Schema, before: &Schema) -> Vec<Change> {
    let owner = |schema: &Schema, change: &Change| {
        let relation = schema.relations().find(|one| one.name.prints_as(&change.name))?;
        let RelationKind::Sequence(sequence) = &relation.kind else { return None };
        let (table, column) = sequence.owned_by?;
        Some((schema.get_relation(table)?.name.clone(), schema.column_name(table, column)))
    };
    let of = |changes: &[Change], kind: ChangeKind, schema: &Schema| -> Vec<_> {
        let all = changes.iter().filter(|change| change.object == "sequence" && change.kind == kind);
        all.filter_map(|change| owner(schema, change)).collect()
    };
    let (stay, lack) = (of(&changes, ChangeKind::Extra, end), of(&changes, ChangeKind::Missing, before));
    changes.retain(|change| {
        let own = match change.kind {
            _ if change.object != "sequence" => None,
            ChangeKind::Extra => owner(end, change).filter(|own| lack.contains(own)),
            ChangeKind::Missing => owner(before, change).filter(|own| stay.contains(own)),
            ChangeKind::Differs => None,
        };
        own.is_none()
    });
    changes
}

/// The up found it there and left it: the down takes away what it did not make.
fn is_spared(whole: &Whole, change: &Change) -> bool {
    let there = standing(&whole.before.schema, change);
    change.kind == ChangeKind::Missing && there.is_some() && there == standing(&whole.after.schema, change)
}

fn report_failure(whole: &Whole, (step, here): (&Passed, &Schema), failure: &Failure, findings: &mut Findings) {
    let message = format!("cannot be taken back: the down stops here, {}", failure.message);
    let finding = findings.report(&step.origin, "down fails", true, message);
    finding.object(&failure.object);
    if let Some(named) = missing_object::named_by_newer_servers(&whole.context, here, failure) {
        finding.message.push_str(named);
        finding.severity = finding.severity.min(Severity::Note);
    }
    if let Some(because) = &failure.because {
        finding.because(because.span, "makes it so");
    }
    finding.instead(mend(whole, step, failure));
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

fn said(whole: &Whole, change: &Change) -> String {
    let name = say::changed(change);
    match change.kind {
        ChangeKind::Extra if is_made_by_down(whole, change) => format!("it makes {} `{name}`", change.object),
        ChangeKind::Extra => format!("{} `{name}` stays", change.object),
        ChangeKind::Missing => format!("{} `{name}` does not come back", change.object),
        ChangeKind::Differs => format!("{} `{name}` {}", change.object, change.text),
    }
}

/// Nothing of that name is there when the down begins.
fn is_made_by_down(whole: &Whole, change: &Change) -> bool {
    matches!(change.object, "table" | "index" | "column" | "constraint" | "sequence")
        && standing(&whole.after.schema, change).is_none()
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
