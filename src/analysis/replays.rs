//! The replays of a run: side by side, each judging a part of its history, until its majors part.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use super::dump;
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Event, Parted, Plan, Start, Turns, UnreadStep, replay_shared};
use crate::project::Project;
use crate::read::STACK;
use crate::report::{Detail, Recorder};
use crate::rules::{BUILT_IN, Check, Findings, Rule};
use crate::settings::Settings;
use crate::source::Span;
use crate::version::Major;

/// What the replays of all histories find, history by history.
pub(super) fn replay_all(project: &Project, plans: &[Plan], settings: &Settings) -> Vec<Run> {
    let majors: Vec<Major> = settings.postgres.majors().collect();
    let mut runs: Vec<Run> = thread::scope(|scope| {
        let begin = |starts: Vec<(_, Start)>| Work::begin_all(scope, project, starts);
        let mut open = begin(plans.iter().map(|plan| (plan, Start::of(plan, &majors))).collect());
        let mut runs = Vec::new();
        while let Some(work) = open.pop_front() {
            let (plan, run, parted) = work.end();
            runs.extend(run);
            let groups = parted.into_iter().flat_map(|parted| parted.groups);
            open.extend(begin(groups.map(|start| (plan, start)).collect()));
        }
        runs
    });
    runs.sort_by_key(|run| run.order);
    runs
}

/// What one replay found.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// History, first major, first migration: runs that end sooner come no sooner.
    order: (usize, Option<Major>, usize),
    pub findings: Vec<Finding>,
    pub unread: Vec<UnreadStep>,
    /// Calls of migrations in Ruby.
    pub calls: BTreeMap<MigrationRef, usize>,
    /// For each fact of the settings file: this history has no such table at its end.
    pub unknown_facts: Vec<bool>,
    pub details: Vec<Detail>,
}

impl Run {
    /// What two replays found that shared the migrations.
    fn beside(mut self, other: Run) -> Run {
        self.findings.extend(other.findings);
        self.findings.sort_by_key(|finding| (finding.migration.is_none(), finding.migration));
        self.details.extend(other.details);
        // Of these each of them has met all: the history goes through both.
        for (at, count) in other.calls {
            let known = self.calls.entry(at).or_default();
            *known = count.max(*known);
        }
        self
    }

    /// Forgets what was found from a migration on.
    fn keep_before(&mut self, migration: usize) {
        let holds = |at: MigrationRef| at.migration < migration;
        self.findings.retain(|finding| finding.migration.is_none_or(holds));
        self.unread.retain(|unread| holds(unread.at));
        self.details.retain(|detail| holds(detail.at));
        self.unknown_facts.clear();
    }
}

/// The rules that speak of a migration, and how loud; true where its comment makes them quieter.
type Asked = Vec<(&'static Rule, Severity, bool)>;

/// What a finding says that a comment at the head of its migration makes a note.
const STOPPED: &str = "says that the application is stopped meanwhile: nobody waits, and no older code runs";

/// Replays a history from a point on, and asks the rules until its majors part.
fn run(project: &Project, plan: &Plan, start: &Start, turns: &Turns, number: usize) -> Ran {
    let settings = plan.settings;
    let order = (plan.index, start.majors.first().copied(), start.migration);
    let mut run = Run { order, ..Run::default() };
    // One of the replays is enough for readers: the newest.
    let newest = settings.postgres.newest;
    let mut recorder = (settings.details && start.majors.contains(&newest)).then(Recorder::default);
    // The same for all of a migration, and for most of them.
    let (mut asked, mut asked_at): (Asked, Option<MigrationRef>) = (Vec::new(), None);
    let mut stopped: Option<Span> = None;
    let extra = Rule::extra(settings);
    let mut base = dump::Base::of(plan, start).filter(|_| number == 0);
    let mut tell = |event: Event| {
        let context = match event {
            Event::Step(step) => &step.context,
            Event::Unit(unit) => &unit.context,
            Event::Whole(whole) => &whole.context,
            Event::Unread(unread) => {
                base.iter_mut().for_each(|base| base.note(unread));
                run.unread.push(unread.clone());
                return;
            }
            Event::Call(at) => {
                *run.calls.entry(at).or_default() += 1;
                return;
            }
        };
        if let Some(recorder) = &mut recorder {
            recorder.note(event, newest);
        }
        if asked_at != Some(context.at) {
            let was_stopped = stopped.is_some();
            stopped = context.migration.is_said_to_stop();
            if asked_at.is_none() || was_stopped || stopped.is_some() || settings.has_severities_by_path() {
                let path = project.sources.path(context.migration.source);
                let rules = BUILT_IN.iter().chain(extra.iter().copied());
                let loud = |rule: &'static Rule| {
                    let (severity, is_lowered) = rule.severity_in(settings, path, stopped.is_some());
                    (rule, severity, is_lowered)
                };
                asked = rules.map(loud).filter(|(_, severity, _)| *severity > Severity::Off).collect();
            }
            asked_at = Some(context.at);
        }
        for (rule, severity, is_lowered) in &asked {
            let mut findings = Findings::new(rule.id, *severity, context);
            match (rule.check, event) {
                (Check::Step(check), Event::Step(step)) => check(step, &mut findings),
                (Check::Unit(check), Event::Unit(unit)) => check(unit, &mut findings),
                (Check::Whole(check), Event::Whole(whole)) => check(whole, &mut findings),
                (Check::Pattern, Event::Step(step)) => rule.match_page(step, &mut findings),
                _ => continue,
            }
            let mut found = findings.into_found();
            if let Some(comment) = stopped.filter(|_| *is_lowered) {
                found.iter_mut().for_each(|finding| _ = finding.because(comment, STOPPED));
            }
            run.findings.extend(found);
        }
    };
    let replayed = replay_shared(plan, start, turns, &mut tell);
    run.details = recorder.map(Recorder::into_details).unwrap_or_default();
    match replayed {
        Ok(replayed) => {
            let end = &replayed.end;
            run.unknown_facts = settings.facts.iter().map(|fact| end.schema.find(&fact.table).is_none()).collect();
            run.findings.extend(base.and_then(|base| base.check(project, plan, &replayed, settings)));
            (run, None)
        }
        Err(parted) => (run, parted),
    }
}

/// What a replay found, and where its majors parted.
type Ran = (Run, Option<Box<Parted>>);

/// Replays of one history on their way, which share its migrations.
struct Work<'scope> {
    plan: &'scope Plan<'scope>,
    threads: Vec<thread::ScopedJoinHandle<'scope, Ran>>,
    done: Vec<Ran>,
}

/// Each further replay goes through the whole history to judge a part of it.
const MOST_REPLAYS: usize = 4;

/// Migrations that one replay judges sooner than a second one has come to them.
const FEW_JUDGED: usize = 8;

impl<'scope> Work<'scope> {
    /// Those that have much to judge divide the processors among them.
    fn begin_all<'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        project: &'scope Project,
        starts: Vec<(&'scope Plan<'scope>, Start)>,
    ) -> VecDeque<Work<'scope>> {
        let judges_many = |plan: &Plan, start: &Start| {
            plan.history.migrations[start.migration..].iter().filter(|one| one.judged).count() > FEW_JUDGED
        };
        let many = starts.iter().filter(|(plan, start)| judges_many(plan, start)).count();
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let begin = |(plan, start)| {
            let replays = if judges_many(plan, &start) { (processors / many.max(1)).clamp(1, MOST_REPLAYS) } else { 1 };
            Work::begin(scope, project, plan, start, replays)
        };
        starts.into_iter().map(begin).collect()
    }

    fn begin<'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        project: &'scope Project,
        plan: &'scope Plan<'scope>,
        start: Start,
        replays: usize,
    ) -> Work<'scope> {
        let shared = Arc::new((start, Turns::of(plan)));
        let mut work = Work { plan, threads: Vec::new(), done: Vec::new() };
        for number in 0..replays {
            let of_thread = shared.clone();
            let replay = move || {
                let (start, turns) = &*of_thread;
                run(project, plan, start, turns, number)
            };
            match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, replay) {
                Ok(thread) => work.threads.push(thread),
                // No thread to be had: this one does it, unless another is at it.
                Err(_) if number == 0 => work.done.push(run(project, plan, &shared.0, &shared.1, number)),
                Err(_) => break,
            }
        }
        work
    }

    /// What all of them found, in the order of the history. Where the majors parted, what comes after is found anew.
    fn end(mut self) -> (&'scope Plan<'scope>, Option<Run>, Option<Box<Parted>>) {
        for thread in self.threads {
            match thread.join() {
                Ok(ran) => self.done.push(ran),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        let (runs, parted): (Vec<Run>, Vec<Option<Box<Parted>>>) = self.done.into_iter().unzip();
        let mut run = runs.into_iter().reduce(Run::beside);
        let first = parted.into_iter().flatten().min_by_key(|parted| parted.at);
        if let (Some(parted), Some(run)) = (&first, &mut run) {
            run.keep_before(parted.at);
        }
        (self.plan, run, first)
    }
}
