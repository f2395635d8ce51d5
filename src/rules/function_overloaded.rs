//! A function made beside one of its name that stays: a call may mean both, or goes on to the old one.

use std::ops::RangeInclusive;

use super::Findings;
use crate::finding::{Finding, Severity};
use crate::history::{Passed, Whole};
use crate::operation::{ArgumentMode, CreateFunction, Operation, RoutineKind, TypeName};
use crate::schema::{Function, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let Operation::CreateFunction(create) = &step.operation else { continue };
        // Replaced by a later statement, it is that one's.
        let Some(new) = end.functions().find(|one| one.existence.origin().span == step.origin.span) else { continue };
        if whole.before.schema.functions().any(|one| one.id == new.id) {
            continue;
        }
        let others = || end.functions().filter(|one| one.name == new.name && one.id < new.id);
        let both = others().find_map(|old| Some((old, taken_by_both(end, old, new)?)));
        if let Some((old, counts)) = both {
            report_both(step, (old, new), &counts, findings);
        } else if let Some(old) = others().find(|old| is_left_behind(whole, create, old, new)) {
            report_stale(step, (old, new), findings);
        }
    }
}

/// How many arguments a call may have that either takes, where nothing prefers one: the manual's "ambiguous function call".
fn taken_by_both(schema: &Schema, one: &Function, other: &Function) -> Option<RangeInclusive<usize>> {
    let is_variadic = |function: &Function| function.inputs().iter().any(|one| one.mode == ArgumentMode::Variadic);
    if is_variadic(one) || is_variadic(other) {
        return None;
    }
    let least = |function: &Function| function.inputs().iter().filter(|one| !one.has_default).count();
    let (left, right) = (one.input_types(), other.input_types());
    let low = least(one).max(least(other));
    let same = |count: &usize| schema.are_same_types(&left[..*count], &right[..*count]);
    let high = (low..=left.len().min(right.len())).take_while(same).last()?;
    Some(low..=high)
}

/// What was to be replaced, as its parameters tell: the new function has all of them. Who states both means both.
fn is_left_behind(whole: &Whole, create: &CreateFunction, old: &Function, new: &Function) -> bool {
    let names = |function: &Function| function.inputs().into_iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let (olds, news) = (names(old), names(new));
    create.or_replace
        && !olds.is_empty()
        && olds.iter().all(|name| name.is_some() && news.contains(name))
        && !whole.context.is_of_this_release(&old.existence)
}

fn report_both(step: &Passed, pair: (&Function, &Function), counts: &RangeInclusive<usize>, findings: &mut Findings) {
    let (old, new) = pair;
    let (low, high) = (counts.start(), counts.end());
    let many = match (low, high) {
        (1, 1) => "1 argument".to_owned(),
        (low, high) if low == high => format!("{low} arguments"),
        (low, high) => format!("{low} to {high} arguments"),
    };
    let message = format!(
        "calls of `{}` with {many} fail as not unique (42725): `{}` stays beside `{}`, and both take them",
        new.name.short(),
        signature(old),
        signature(new)
    );
    let certain = step.certain && old.existence.is_certain();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    tell(finding, pair);
    finding.instead(format!(
        "-- in this migration, before the new one, which then takes these calls, too\n{};",
        drop_of(old)
    ));
}

fn report_stale(step: &Passed, pair: (&Function, &Function), findings: &mut Findings) {
    let (old, new) = pair;
    let message = format!(
        "this replaces nothing: `{}` has other parameters than `{}`, which stays beside it as it was for who calls that",
        signature(new),
        signature(old)
    );
    let certain = step.certain && old.existence.is_certain();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.severity = finding.severity.min(Severity::Note);
    tell(finding, pair);
    finding.instead(format!("-- once nothing calls it\n{};", drop_of(old)));
}

fn tell(finding: &mut Finding, (old, new): (&Function, &Function)) {
    finding.object(&new.name);
    finding.because(old.existence.origin().span, format!("`{}` is made here", signature(old)));
}

fn signature(function: &Function) -> String {
    format!("{}({})", function.name.short(), types(function))
}

fn types(function: &Function) -> String {
    let types: Vec<String> = function.input_types().into_iter().map(TypeName::to_string).collect();
    types.join(", ")
}

fn drop_of(function: &Function) -> String {
    let word = match function.kind {
        RoutineKind::Procedure => "PROCEDURE",
        RoutineKind::Function | RoutineKind::Aggregate => "FUNCTION",
    };
    format!("DROP {word} {}({})", function.name, types(function))
}
