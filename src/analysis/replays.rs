//! The replays of a run: side by side, each judging a part of its history, until its majors part.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    let runs = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let crew = Crew { scope, project, runs: &runs };
        crew.begin(plans.iter().map(|plan| (plan, Start::of(plan, &majors))).collect());
    });
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|run| run.order);
    runs
}

/// What one replay found.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// History, whether it is an aside, first major, first migration told of: runs that end sooner come no sooner.
    order: (usize, bool, Option<Major>, usize),
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

    /// Forgets what was found of these migrations.
    fn forget(&mut self, migrations: &Range<usize>) {
        let holds = |at: MigrationRef| !migrations.contains(&at.migration);
        self.findings.retain(|finding| finding.migration.is_none_or(holds));
        self.details.retain(|detail| holds(detail.at));
    }
}

/// The rules that speak of a migration, and how loud; true where its comment makes them quieter.
type Asked = Vec<(&'static Rule, Severity, bool)>;

/// What a finding says that a comment at the head of its migration makes a note.
const STOPPED: &str = "says that the application is stopped meanwhile: nobody waits, and no older code runs";

/// What a replay found, and where it has come to or its majors parted.
type Ran = (Run, Result<Start, Option<Box<Parted>>>);

/// Replays a history from a point on, and asks the rules until its majors part. `apart` takes what is to be judged
/// once more.
fn run(project: &Project, part: &Part, number: usize, apart: &mut dyn FnMut(Parted)) -> Ran {
    let Part { plan, start, turns } = part;
    let settings = plan.settings;
    let order = (plan.index, start.is_aside(), start.majors.first().copied(), start.told.start);
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
            Event::Apart(parted) => {
                run.forget(&parted.anew);
                recorder.iter_mut().for_each(|recorder| recorder.forget(&parted.anew));
                apart(parted.clone());
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
    let ended = replay_shared(plan, start, turns, &mut tell);
    run.details = recorder.map(Recorder::into_details).unwrap_or_default();
    if let Ok(end) = &ended
        && !start.is_aside()
    {
        let schema = &end.state().schema;
        run.unknown_facts = settings.facts.iter().map(|fact| schema.find(&fact.table).is_none()).collect();
        run.findings.extend(base.and_then(|base| base.check(project, plan, end, settings)));
    }
    (run, ended)
}

/// Each further replay goes through the whole history to judge a part of it.
const MOST_REPLAYS: usize = 4;

/// Migrations that one replay judges sooner than a second one has come to them.
const FEW_JUDGED: usize = 8;

/// A part of one history, and who tells of which of its migrations.
struct Part<'a> {
    plan: &'a Plan<'a>,
    start: Start,
    turns: Turns,
}

impl<'a> Part<'a> {
    fn of(plan: &'a Plan<'a>, start: Start) -> Part<'a> {
        Part { plan, start, turns: Turns::of(plan) }
    }
}

/// Replays that share a part.
struct Group<'a> {
    part: Part<'a>,
    /// Those on their way.
    under_way: AtomicUsize,
    done: Mutex<Vec<Ran>>,
    /// Whoever judges some migrations once more, from the first of them on.
    aside: Mutex<Option<Sender<Parted>>>,
}

/// Who replays: threads, and where they leave what they find.
#[derive(Clone, Copy)]
struct Crew<'scope, 'env> {
    scope: &'scope thread::Scope<'scope, 'env>,
    project: &'scope Project,
    runs: &'scope Mutex<Vec<Run>>,
}

impl<'scope> Crew<'scope, '_> {
    /// Those that have much to judge divide the processors among them.
    fn begin(self, starts: Vec<(&'scope Plan<'scope>, Start)>) {
        let judges_many = |(plan, start): &(&Plan, Start)| start.judged(plan) > FEW_JUDGED;
        let many = starts.iter().filter(|one| judges_many(one)).count();
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        for one in starts {
            let replays = if judges_many(&one) { (processors / many.max(1)).clamp(1, MOST_REPLAYS) } else { 1 };
            let part = Part::of(one.0, one.1);
            let under_way = AtomicUsize::new(replays);
            let group = Arc::new(Group { part, under_way, done: Mutex::default(), aside: Mutex::default() });
            for number in 0..replays {
                let of_thread = group.clone();
                let replay = move || self.take_part(&of_thread, number);
                if thread::Builder::new().stack_size(STACK).spawn_scoped(self.scope, replay).is_err() {
                    // No thread to be had: this one does it, unless another is at it.
                    match number {
                        0 => self.take_part(&group, number),
                        _ => self.leave(&group),
                    }
                }
            }
        }
    }

    fn take_part(self, group: &Group<'scope>, number: usize) {
        let ran = run(self.project, &group.part, number, &mut |parted| self.set_aside(group, parted));
        lock(&group.done).push(ran);
        self.leave(group);
    }

    /// The last of a group puts together what all of them found. Where the majors parted, what comes after is found
    /// anew.
    fn leave(self, group: &Group<'scope>) {
        if group.under_way.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        lock(&group.aside).take();
        let (runs, ended): (Vec<Run>, Vec<_>) = std::mem::take(&mut *lock(&group.done)).into_iter().unzip();
        let Some(mut run) = runs.into_iter().reduce(Run::beside) else { return };
        let parted = ended.into_iter().filter_map(Result::err).flatten().min_by_key(|parted| parted.anew.start);
        if let Some(parted) = parted {
            run.forget(&parted.anew);
            run.unread.retain(|unread| !parted.anew.contains(&unread.at.migration));
            run.unknown_facts.clear();
            self.begin(parted.groups.map(|start| (group.part.plan, start)).into());
        }
        lock(self.runs).push(run);
    }

    fn set_aside(self, group: &Group<'scope>, parted: Parted) {
        let plan = group.part.plan;
        let mut aside = lock(&group.aside);
        let asides = aside.get_or_insert_with(|| {
            let (asides, come) = channel();
            let judge = move || self.judge_asides(plan, &come);
            // Without a thread nobody takes them, and they come back.
            let _ = thread::Builder::new().stack_size(STACK).spawn_scoped(self.scope, judge);
            asides
        });
        if let Err(SendError(parted)) = asides.send(parted) {
            self.judge_aside(plan, parted, &mut None);
        }
    }

    fn judge_asides(self, plan: &'scope Plan<'scope>, come: &Receiver<Parted>) {
        let mut known = None;
        come.iter().for_each(|parted| self.judge_aside(plan, parted, &mut known));
    }

    /// Judges migrations for each of the groups by itself. `known` is where the last of them that had to begin with the
    /// history has come to.
    fn judge_aside(self, plan: &'scope Plan<'scope>, parted: Parted, known: &mut Option<Start>) {
        let mut left = Vec::from(parted.groups);
        while let Some(start) = left.pop() {
            let from_beginning = start.is_beginning();
            let part = Part::of(plan, start.further(known.as_ref()));
            let mut apart = Vec::new();
            let (mut run, ended) = run(self.project, &part, 0, &mut |parted| apart.push(parted));
            match ended {
                Ok(end) if from_beginning => *known = Some(end),
                Ok(_) => {}
                Err(parted) => apart.extend(parted.map(|parted| *parted)),
            }
            for parted in apart {
                run.forget(&parted.anew);
                left.extend(parted.groups);
            }
            lock(self.runs).push(run);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
