//! Work that migrations queue: ends that wait for nothing, work that loses its table, work that never ends.

use super::{Findings, constraint_before_queue};
use crate::data::Queued;
use crate::finding::MigrationRef;
use crate::history::{Context, Step, Whole};
use crate::operation::{Background, BackgroundAction, Ident, Job, Name, Operation};
use crate::schema::{Existence, Schema};

fn background<'a>(step: &Step<'a>) -> Option<&'a Background> {
    match step.operation {
        Operation::Background(background) => Some(&**background),
        _ => None,
    }
}

/// `finish-without-backfill`: what it is to wait for is not what was queued.
pub fn finish_without(step: &Step, findings: &mut Findings) {
    let Some(Background { job, action: BackgroundAction::Finish }) = background(step) else { return };
    let data = &step.before.data;
    if data.queued_as(job).is_some() {
        return;
    }
    let cancelled = data.queue().filter(|other| other.is_cancelled() && other.job.is_same(job)).last();
    let near = cancelled.or_else(|| nearest(data.queue(), job));
    if near.is_none() && !is_seen_whole(step, job) {
        return;
    }
    let what = job.describe();
    let message = match near {
        Some(near) if near.is_cancelled() && near.job.is_same(job) => {
            format!("this waits for nothing: {what} was taken out of the queue, and what it had not reached is left")
        }
        Some(near) => format!("this waits for nothing: no {what} is queued so, {}", difference(job, &near.job)),
        None => format!("this waits for nothing: no migration queues {what}"),
    };
    // A queue may stand in what was not understood.
    let certain = step.certain && near.is_some() && !step.before.schema.has_unread();
    let finding = findings.report(step.origin, step.operation.word(), certain, message);
    finding.object(&job.class);
    finding.one_per(what);
    if let Some(near) = near {
        finding.because(near.origin.span, format!("{} is queued here", near.job.describe()));
        if let Some(end) = near.end.as_ref().filter(|end| !end.finished) {
            finding.because(end.origin.span, "here it is taken out of the queue");
        }
        finding.instead("name the job, its table, column and arguments here exactly as they were queued");
    } else {
        finding.instead("queue it in an earlier release, and wait for it here under the same name");
    }
}

/// The job that was meant: of the same class, or on the same table and column.
fn nearest<'a>(queue: impl Iterator<Item = &'a Queued>, job: &Job) -> Option<&'a Queued> {
    let likeness = |other: &Queued| {
        let class = other.job.class == job.class;
        let table = other.job.table == job.table;
        match (class, table && other.job.column == job.column) {
            (true, true) => 4,
            (true, false) if table => 3,
            // A class that many tables use says nothing by itself.
            (true, false) if alike(&job.table, &other.job.table) => 2,
            (true, false) => 0,
            (false, true) if strsim::damerau_levenshtein(&other.job.class, &job.class) <= 3 => 1,
            (false, _) => 0,
        }
    };
    let best = queue.filter(|other| likeness(other) > 0).max_by_key(|other| likeness(other))?;
    Some(best)
}

/// One name is most likely the other, mistyped.
fn alike(one: &Option<Name>, other: &Option<Name>) -> bool {
    let text = |name: &Option<Name>| name.as_ref().map(|name| name.name.as_str().to_owned()).unwrap_or_default();
    strsim::damerau_levenshtein(&text(one), &text(other)) <= 3
}

fn difference(job: &Job, other: &Job) -> String {
    let text = |part: Option<String>| part.unwrap_or_else(|| "none".to_owned());
    let table = |job: &Job| text(job.table.as_ref().map(Name::to_string));
    let column = |job: &Job| text(job.column.as_ref().map(Ident::to_string));
    let arguments = |job: &Job| job.arguments.as_ref().map(|list| list.join(", ")).unwrap_or_default();
    if job.class != other.class {
        return format!("only `{}`", other.class);
    }
    if job.table != other.table {
        return format!("only for table `{}`", table(other));
    }
    if job.column != other.column {
        return format!("only by column `{}` instead of `{}`", column(other), column(job));
    }
    format!("only with the arguments `{}` instead of `{}`", arguments(other), arguments(job))
}

/// The job's table came with a migration of this history, not with what it builds on: its queue would be here, too.
fn is_seen_whole(step: &Step, job: &Job) -> bool {
    let schema = &step.before.schema;
    let Some(table) = job.table.as_ref().and_then(|name| schema.find(name)) else { return false };
    let Existence::Created { by } = &table.existence else { return false };
    step.context.plan.migration_of(by.span).is_some_and(|number| number > 0)
}

/// `finish-in-same-release`: the whole backfill runs while the release is deployed.
pub fn finish_in_same_release(step: &Step, findings: &mut Findings) {
    let Some(Background { job, action: BackgroundAction::Finish }) = background(step) else { return };
    let Some(queued) = step.before.data.queued_as(job).filter(|queued| queued.is_open()) else { return };
    let release = step.context.plan.release_number(step.context.at.migration);
    if queued.moment.release != release || is_empty(step, job) {
        return;
    }
    let what = job.describe();
    let message = format!("the deploy waits until {what} has gone through all rows: it is queued in the same release");
    let certain = step.certain && queued.certain;
    let finding = findings.report(step.origin, step.operation.word(), certain, message);
    finding.object(&job.class);
    finding.one_per(what);
    finding.because(queued.origin.span, "queued here: nothing has run yet when the same deploy comes to its end");
    finding.instead("finish it in a later release, when it has run in the background");
}

/// `upgrade-skips-barrier`: an upgrade that leaves releases out meets the end of work that has had no time to run.
pub fn upgrade_skips(step: &Step, findings: &mut Findings) {
    let stops = &step.context.settings.upgrade_stops;
    if stops.is_empty() {
        return;
    }
    let Some(Background { job, action: BackgroundAction::Finish }) = background(step) else { return };
    let Some(queued) = step.before.data.queued_as(job).filter(|queued| queued.is_open()) else { return };
    let plan = step.context.plan;
    let release = |span| plan.history.migrations[plan.migration_of(span)?].release.as_deref();
    let (Some(from), Some(to)) = (release(queued.origin.span), step.context.migration.release.as_deref()) else {
        return;
    };
    // In one release it is late for every installation.
    if from == to || is_empty(step, job) || stops.iter().any(|stop| is_between(step, from, stop, to)) {
        return;
    }
    let what = job.describe();
    let message = format!(
        "an upgrade from before {from} to {to} or later waits here until {what} has gone through all rows: no release in \
         between must be stopped at"
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain && queued.certain, message);
    finding.object(&job.class);
    finding.one_per(what);
    finding.because(
        queued.origin.span,
        format!("queued in {from}: where {to} comes in the same upgrade, nothing has run"),
    );
    finding
        .instead(format!("finish it only after the next release that every upgrade stops at, of {}", stops.join(", ")));
}

/// A stop that has the first release behind it and the second before it.
fn is_between(step: &Step, from: &str, stop: &str, to: &str) -> bool {
    let named = &step.context.settings.releases;
    let place = |name: &str| named.iter().position(|one| one.name == name);
    match (place(from), place(stop), place(to)) {
        (Some(from), Some(stop), Some(to)) => from <= stop && stop < to,
        _ => match (numbers(from), numbers(stop), numbers(to)) {
            (Some(from), Some(stop), Some(to)) => from <= stop && stop < to,
            _ => false,
        },
    }
}

/// `17.10` comes after `17.9`.
fn numbers(release: &str) -> Option<Vec<u32>> {
    release.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect()
}

/// The job's table is new: it has no rows to wait for.
fn is_empty(step: &Step, job: &Job) -> bool {
    let table = job.table.as_ref().and_then(|name| step.before.schema.find(name));
    table.is_some_and(|table| step.is_new(table.id))
}

/// `backfill-target-gone`: the table or column that queued work writes is not there any more.
pub fn target_gone(whole: &Whole, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    for queued in whole.after.data.queue().filter(|queued| queued.is_open()) {
        if queued.does.as_deref().is_some_and(|does| !does.is_empty()) && queued.writes().next().is_none() {
            continue;
        }
        let Some(gone) = gone(queued, before, after) else { continue };
        let Some(step) = whole.steps.iter().rfind(|step| takes(&step.operation, &gone)) else { continue };
        let what = queued.job.describe();
        let object = gone.describe();
        let message = format!("{what} fails from here on: {object} is gone, and it is queued and not finished");
        let finding = findings.report(&step.origin, step.operation.word(), step.certain && queued.certain, message);
        finding.object(gone.table.to_string());
        if let Some(column) = &gone.column {
            finding.object(format!("{}.{column}", gone.table));
        }
        finding.object(&queued.job.class);
        finding.one_per(format!("{what} {object}"));
        finding.because(queued.origin.span, "queued here, and no migration waits for its end");
        finding.instead("finish it, or take it out of the queue, in a release before this one");
    }
}

struct Gone {
    table: Name,
    column: Option<Ident>,
}

impl Gone {
    fn describe(&self) -> String {
        match &self.column {
            Some(column) => format!("column `{column}` of `{}`", self.table),
            None => format!("`{}`", self.table),
        }
    }
}

/// What a job names that was there before and is not after.
fn gone(queued: &Queued, before: &Schema, after: &Schema) -> Option<Gone> {
    let missing = |table: &Name, column: Option<&Ident>| {
        let there = |schema: &Schema| {
            let Some(relation) = schema.find(table) else { return false };
            column.is_none_or(|column| relation.as_table().is_none_or(|table| table.column(column).is_some()))
        };
        there(before) && !there(after)
    };
    let of = |table: &Name, column: Option<&Ident>| {
        let column = column.filter(|_| after.find(table).is_some()).cloned();
        Gone { table: table.clone(), column }
    };
    if let Some(table) = &queued.job.table
        && missing(table, queued.job.column.as_ref())
    {
        return Some(of(table, queued.job.column.as_ref()));
    }
    for write in queued.writes() {
        if missing(&write.target, None) {
            return Some(of(&write.target, None));
        }
        let mut columns = write.assignments.iter().map(|(column, _)| column).chain(&write.columns);
        if let Some(column) = columns.find(|column| missing(&write.target, Some(column))) {
            return Some(of(&write.target, Some(column)));
        }
    }
    None
}

/// A step names the table it takes away or changes.
fn takes(operation: &Operation, gone: &Gone) -> bool {
    let is_it = |name: &Name| name.name == gone.table.name;
    match operation {
        Operation::Drop(drop) => drop.targets.iter().any(|target| is_it(&target.name)) || drop.cascade,
        Operation::Rename(rename) => is_it(&rename.object),
        Operation::AlterTable(alter) => is_it(&alter.table),
        Operation::SetSchema(set) => is_it(&set.name),
        _ => false,
    }
}

/// `backfill-cancelled`: queued again under a key that is there, or taken out of the queue and relied on.
pub fn cancelled(whole: &Whole, findings: &mut Findings) {
    constraint_before_queue::check(whole, true, findings);
    for (place, step) in whole.steps.iter().enumerate() {
        let Operation::Background(background) = &step.operation else { continue };
        let Background { job, action: BackgroundAction::Queue { .. } } = &**background else { continue };
        let ended = |known: &Queued| {
            known
                .end
                .as_ref()
                .filter(|end| whole.steps[place..].iter().all(|later| later.origin != end.origin))
                .cloned()
        };
        let earlier = |known: &&Queued| {
            known.origin != step.origin && whole.steps[place..].iter().all(|later| later.origin != known.origin)
        };
        let same = whole.after.data.queue().filter(|known| known.job.is_same(job)).filter(earlier).last();
        let Some(known) = same.filter(|known| ended(known).is_none_or(|end| end.finished)) else { continue };
        let what = job.describe();
        let state = match ended(known) {
            Some(_) => "it has run already, and does not run again",
            None => "the first one goes on as it was queued",
        };
        let message = format!("this queues nothing: {what} is in the queue under the same key; {state}");
        let certain = step.certain && known.certain;
        let finding = findings.report(&step.origin, step.operation.word(), certain, message);
        finding.object(&job.class);
        finding.one_per(what);
        finding.because(known.origin.span, "queued here under the same job, table, column and arguments");
        if let Some(end) = ended(known) {
            finding.because(end.origin.span, "and finished here");
        }
        finding.instead("take the first one out of the queue, then queue it anew");
    }
}

/// Releases after which queued work that nothing waits for is called unfinished.
const RELEASES: usize = 3;

/// `backfill-unfinished`: asked once, when the history is over.
pub fn unfinished(whole: &Whole, findings: &mut Findings) {
    let context = &whole.context;
    if context.at.migration + 1 != context.plan.history.migrations.len() {
        return;
    }
    for queued in whole.after.data.queue().filter(|queued| queued.is_open()) {
        let Some(number) = context.plan.migration_of(queued.origin.span) else { continue };
        let migration = &context.plan.history.migrations[number];
        let releases = releases_since(context, number);
        if !migration.judged || releases < RELEASES || is_only_built(queued) {
            continue;
        }
        let what = queued.job.describe();
        let message = format!("nothing waits for the end of {what}, {releases} releases after it was queued");
        let finding = findings.report(&queued.origin, "queue-background", queued.certain, message);
        finding.migration = Some(MigrationRef { history: context.at.history, migration: number });
        finding.object(&queued.job.class);
        finding.one_per(what);
        finding.instead("finish it in a migration: until then nothing may rest on what it writes");
    }
}

/// An index or a validation, which a later statement does in the foreground.
fn is_only_built(queued: &Queued) -> bool {
    queued.does.as_deref().is_some_and(|does| !does.is_empty()) && queued.writes().next().is_none()
}

/// Releases that are known by a name and came after a migration's.
pub(super) fn releases_since(context: &Context, migration: usize) -> usize {
    let history = &context.plan.history.migrations;
    let own = history[migration].release.as_deref();
    if own.is_none() {
        return 0;
    }
    let mut last = own;
    let mut count = 0;
    for later in &history[migration + 1..=context.at.migration] {
        let release = later.release.as_deref();
        if release.is_some() && release != last {
            last = release;
            count += 1;
        }
    }
    count
}
