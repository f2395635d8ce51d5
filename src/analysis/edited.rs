//! A shipped migration that was edited is asked for what the edit brings: faults that its shipped text has too are no
//! news of this change, and databases that ran it do not run it again.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use super::Words;
use super::replays::replay_all;
use crate::finding::{FAILS, Finding};
use crate::history::{History, Migration, Plan, SinceBase, UnreadStep};
use crate::project::Project;
use crate::report::merge_majors;
use crate::settings::Settings;
use crate::source::Span;

/// What tells two faults of a migration apart, wherever their lines stand.
type Fault = (usize, &'static str, &'static str, Vec<String>);

/// Takes out what was said of the shipped text already.
pub(super) fn keep_news(
    project: &Project,
    settings: &Settings,
    told: &Words,
    findings: &mut Vec<Finding>,
    unread: &mut [UnreadStep],
) {
    if project.base.is_none() {
        return;
    }
    for (index, history) in project.histories.iter().enumerate() {
        let place = |finding: &Finding| finding.migration.filter(|at| at.history == index).map(|at| at.migration);
        // Only the way back was changed.
        findings.retain(|finding| {
            let Some(migration) = place(finding).and_then(|number| history.migrations.get(number)) else { return true };
            let is_shipped = matches!(migration.since_base, SinceBase::Same | SinceBase::Reformatted);
            !is_shipped || finding.operation.starts_with("down")
        });
        let edited = edited(history);
        know_unread(project, index, &edited, unread);
        findings.retain(|finding| {
            let number = place(finding).filter(|number| edited.contains(number));
            !number.is_some_and(|number| stands_as_shipped(project, history, number, finding))
        });
        let is_of_edit = |finding: &Finding| {
            let has_old_down =
                |number: usize| history.migrations.get(number).is_some_and(|one| one.shipped_down.is_some());
            let of = |number| edited.contains(&number) || has_old_down(number);
            place(finding).is_some_and(of)
        };
        if findings.iter().any(is_of_edit) {
            let (mut known, not_read) = of_shipped(project, settings, told, (index, history), &edited);
            // Of a text that was not read whole, no one can say what its way back left out.
            let is_unknown = |finding: &Finding| {
                finding.operation.starts_with("down") && place(finding).is_some_and(|number| not_read.contains(&number))
            };
            findings.retain(|finding| !is_of_edit(finding) || !(take(&mut known, finding) || is_unknown(finding)));
        }
    }
}

/// Judged migrations right behind which their shipped text stands.
fn edited(history: &History) -> BTreeSet<usize> {
    let pairs = history.migrations.windows(2).enumerate();
    let is_edit = |pair: &[Migration]| {
        pair[0].judged && pair[0].since_base == SinceBase::Edited && pair[1].since_base == SinceBase::Shipped
    };
    pairs.filter(|(_, pair)| is_edit(pair)).map(|(number, _)| number).collect()
}

/// What the file as a whole does where it runs again, whatever statement shows it.
const OF_FILE: [&str; 4] =
    ["not-rerunnable", "rerun-keeps-invalid", "partial-failure-keeps-constraint", "migration-not-reversible"];

/// The statement stands word for word in the shipped text, and so does all of this file that the finding rests on: it
/// ran already, and is no part of the edit. That it fails now may come from what the edit took away.
fn stands_as_shipped(project: &Project, history: &History, edited: usize, finding: &Finding) -> bool {
    if finding.fault == FAILS || finding.operation.starts_with("down") || OF_FILE.contains(&finding.rule) {
        return false;
    }
    let (now, shipped) = (&history.migrations[edited], &history.migrations[edited + 1]);
    let words = |span: Span| project.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
    let spans = |migration: &Migration| {
        let mut spans = Vec::new();
        migration.up.nodes.iter().for_each(|node| node.statements(&mut |statement| spans.push(statement.span)));
        spans
    };
    // The innermost: one of a DO block may stay as it was.
    let here =
        spans(now).into_iter().filter(|span| span.contains(finding.span)).min_by_key(|span| span.end - span.start);
    let Some(statement) = here.map(words) else { return false };
    if !spans(shipped).into_iter().any(|span| words(span) == statement) {
        return false;
    }
    let whole = project.sources.get(shipped.source).text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut grounds = finding.because.iter().filter(|because| because.span.source == now.source);
    grounds.all(|because| whole.contains(&words(because.span)))
}

/// What is not understood in both texts is nothing that is judged now.
fn know_unread(project: &Project, history: usize, edited: &BTreeSet<usize>, unread: &mut [UnreadStep]) {
    let of = |step: &UnreadStep, number: usize| (number, step.reason.clone(), project.sources.text(step.origin.span));
    let here = |step: &&UnreadStep| step.at.history == history && step.at.migration > 0;
    let shipped = unread.iter().filter(here).filter(|step| edited.contains(&(step.at.migration - 1)));
    let known: BTreeSet<_> = shipped.map(|step| of(step, step.at.migration - 1)).collect();
    for step in unread.iter_mut().filter(|step| step.at.history == history && edited.contains(&step.at.migration)) {
        step.judged &= !known.contains(&of(step, step.at.migration));
    }
}

fn fault(finding: &Finding) -> Option<Fault> {
    Some((finding.migration?.migration, finding.rule, finding.operation, finding.objects.clone()))
}

fn take(known: &mut BTreeMap<Fault, usize>, finding: &Finding) -> bool {
    if let Some(left) = fault(finding).and_then(|fault| known.get_mut(&fault)).filter(|left| **left > 0) {
        *left -= 1;
        return true;
    }
    // One finding names all that a way back leaves out: where it left out more, what is still told is old.
    let at = finding.migration.map(|at| at.migration);
    let is_alike = |(number, rule, operation, _): &Fault| {
        Some(*number) == at && *rule == finding.rule && *operation == "down" && finding.operation == "down"
    };
    let mut alike = known.keys().filter(|fault| is_alike(fault));
    alike.any(|(.., objects)| finding.objects.iter().all(|object| objects.contains(object)))
}

/// What the same rules say of the shipped texts at their places, and which of them hold what is not understood.
fn of_shipped(
    project: &Project,
    settings: &Settings,
    told: &Words,
    (index, history): (usize, &History),
    edited: &BTreeSet<usize>,
) -> (BTreeMap<Fault, usize>, BTreeSet<usize>) {
    let mut shipped = history.clone();
    let mut facts: Vec<_> = told.directives[index].iter().map(|one| one.facts.clone()).collect();
    shipped.dump = None;
    shipped.migrations.iter_mut().for_each(|one| one.judged = false);
    for number in edited {
        // Behind it stands what databases ran, as behind the edit: what it made is as old there.
        let twin = shipped.migrations[number + 1].clone();
        shipped.migrations[*number] = Migration { judged: true, since_base: SinceBase::Edited, ..twin };
        if facts.len() > number + 1 {
            facts[*number] = facts[number + 1].clone();
        }
    }
    for migration in &mut shipped.migrations {
        if let Some(down) = migration.shipped_down.take() {
            (migration.down, migration.judged) = (Some(down), true);
        }
    }
    let settings = Settings { details: false, ..settings.clone() };
    let plan = Plan::new(&shipped, index, &settings, facts);
    let (mut found, mut not_read) = (Vec::new(), BTreeSet::new());
    for run in replay_all(project, slice::from_ref(&plan), &settings) {
        not_read.extend(run.unread.iter().filter(|step| step.judged).map(|step| step.at.migration));
        not_read.extend(run.unread_downs.iter().map(|at| at.migration));
        found.push(run.findings);
    }
    let findings = merge_majors(found);
    let mut known: BTreeMap<Fault, usize> = BTreeMap::new();
    for fault in findings.iter().filter_map(fault) {
        *known.entry(fault).or_default() += 1;
    }
    (known, not_read)
}
