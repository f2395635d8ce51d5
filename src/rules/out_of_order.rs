//! A new migration whose version stands before shipped ones: databases run it last, or not at all; new ones before them.

use super::shipped::{differences, if_hardly_ran};
use super::{Findings, bare};
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Course, Late, SinceBase, State, Whole};
use crate::operation::Origin;
use crate::schema::difference::Shared;
use crate::source::Span;

/// Shipped migrations behind the new one that are run again after it.
const MOST_AFTER: usize = 64;

pub fn check(whole: &Whole, findings: &mut Findings) {
    let context = &whole.context;
    if context.migration.since_base != SinceBase::Added || context.migration.repeatable {
        return;
    }
    match context.plan.history.runner.late {
        Late::Runs => other_order(whole, findings),
        late => never_in_time(whole, late, findings),
    }
}

/// The runner goes by the newest version alone.
fn never_in_time(whole: &Whole, late: Late, findings: &mut Findings) {
    let (context, history) = (&whole.context, whole.context.plan.history);
    let Some(newest) = history.newest_shipped.as_ref().filter(|_| history.late.contains(&context.at.migration)) else {
        return;
    };
    let runner = history.framework.name();
    let what = match late {
        Late::Refuses => format!("{runner} refuses it, and all that is new with it,"),
        Late::Runs | Late::Skips => format!("{runner} never runs it"),
    };
    let message = format!("{what} on databases that are at version {newest} already: it sorts before that");
    let all = &history.migrations;
    let finding = findings.report(&top(whole), "late", true, message);
    finding.instead(format!("give it a version after {newest}"));
    // Those that sort behind it: where hardly a database ran any, all others run this one in time.
    let own = history.fresh.iter().position(|number| *number == context.at.migration);
    let later = own.and_then(|place| history.fresh.get(place + 1..)).unwrap_or_default();
    let is_shipped = |number: &usize| all[*number].since_base != SinceBase::Added;
    let shipped: Vec<usize> = later.iter().copied().filter(is_shipped).collect();
    if shipped.iter().any(|number| all[*number].version == *newest) {
        if_hardly_ran(finding, history.hardly_ran(&shipped));
    }
}

/// A shipped text under another version, which runs nowhere that the runner refuses it.
pub fn late_anew((at, place): (MigrationRef, Span), (runner, newest): (&str, &str), severity: Severity) -> Finding {
    let message = format!(
        "this shipped migration has another version now: {runner} refuses it, and all that is new, on databases that are \
         at version {newest} already: it sorts before that"
    );
    let mut finding = bare("migration-out-of-order", severity, Some(at), place, "late", message);
    finding.instead(format!(
        "give the file its shipped version back; where no database has run it, give it a version after {newest}"
    ));
    finding
}

/// The runner runs it last where the others have run; a new database runs it before them.
fn other_order(whole: &Whole, findings: &mut Findings) {
    let plan = whole.context.plan;
    let all = &plan.history.migrations;
    let own = whole.context.at.migration;
    let fresh = &plan.history.fresh;
    let Some(place) = fresh.iter().position(|number| *number == own) else { return };
    let is_shipped = |number: &&usize| all[**number].since_base != SinceBase::Added && !all[**number].repeatable;
    let later: Vec<usize> = fresh[place + 1..].iter().filter(is_shipped).copied().collect();
    let Some(first) = later.first() else { return };
    let before = whole.past.before(*first).filter(|_| later.len() <= MOST_AFTER);
    let Some(before) = before else { return untried(whole, &later, findings) };
    let run = |number: usize, state: &State| plan.run_from(number, state, whole.context.majors);
    // What the same change brings before it runs before it in either order.
    let earlier = fresh[..place].iter().filter(|number| all[**number].since_base == SinceBase::Added);
    let earlier: Vec<usize> = earlier.copied().collect();
    let chain =
        |numbers: &[usize], state: &State| numbers.iter().fold(state.clone(), |state, one| run(*one, &state).end);
    let start = chain(&earlier, &before);
    let early: Course = run(own, &start);
    let late = run(own, &chain(&later, &start));
    if early.unread || late.unread || late.failed.is_some() {
        return;
    }
    let name = &all[*first].name;
    if let Some((step, failure)) = &early.failed {
        let message = format!(
            "sorts before `{}`, which is shipped: databases that ran that run this one last, and new ones run it first, \
             where it fails: {}",
            name, failure.message
        );
        let finding = findings.report(&step.origin, "late", true, message);
        finding.object(&failure.object);
        if let Some(because) = &failure.because {
            finding.because(because.span, "makes it so");
        }
        finding.instead(format!("give it a version after {}", newest(whole, &later)));
        if_hardly_ran(finding, whole.context.plan.history.hardly_ran(&later));
        return;
    }
    let (new, old) = (chain(&later, &early.end), &late.end);
    let changes = old.schema.certain_difference(&new.schema, Shared::Since(&before.schema));
    if changes.is_empty() {
        return;
    }
    let message = format!(
        "sorts before `{name}`, which is shipped: databases that ran that run this one last, and against new ones, which \
         run it first, they {}",
        differences(&changes)
    );
    let finding = findings.report(&top(whole), "late", true, message);
    for change in &changes {
        finding.object(&change.name);
    }
    finding.because(first_line(all[*first].source), "runs before it where it is shipped, and after it elsewhere");
    finding.instead(format!("give it a version after {}", newest(whole, &later)));
    if_hardly_ran(finding, whole.context.plan.history.hardly_ran(&later));
}

/// Both orders are too long to be run.
fn untried(whole: &Whole, later: &[usize], findings: &mut Findings) {
    let all = &whole.context.plan.history.migrations;
    let Some(first) = later.first() else { return };
    let message = format!(
        "sorts before {} migrations that are shipped, the first of them `{}`: whether it does the same behind them was \
         not tried",
        later.len(),
        all[*first].name
    );
    let finding = findings.report(&top(whole), "late", true, message);
    finding.severity = finding.severity.min(Severity::Note);
    finding.instead(format!("give it a version after {}", newest(whole, later)));
}

fn newest(whole: &Whole, later: &[usize]) -> String {
    let all = &whole.context.plan.history.migrations;
    later.last().map(|number| all[*number].version.clone()).unwrap_or_default()
}

fn top(whole: &Whole) -> Origin {
    let step = whole.steps.first().map(|step| step.origin.clone());
    step.unwrap_or_else(|| Origin::at(first_line(whole.context.migration.source)))
}

fn first_line(source: crate::source::SourceId) -> Span {
    Span { source, start: 0, end: 0 }
}
