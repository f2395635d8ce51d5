//! The replays of a run, and those who judge side by side what they tell.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::ahead::Ahead;
use super::dump;
use super::judge::{Judge, Run};
use crate::history::{Parted, Plan, Replay, Start};
use crate::project::Project;
use crate::read::STACK;
use crate::schema::Schema;
use crate::settings::Settings;
use crate::version::Major;

/// What the replays of all histories find, history by history.
pub(super) fn replay_all(project: &Project, plans: &[Plan], settings: &Settings) -> Vec<Run> {
    let majors: Vec<Major> = settings.postgres.majors().collect();
    let (runs, panicked) = (Mutex::new(Vec::new()), Mutex::new(None));
    let asked = plans.iter().filter(|plan| dump::is_asked(project, plan));
    let dumps: Dumps = asked
        .map(|plan| (plan.index, Asked { plan, has_begun: AtomicBool::new(false), shown: OnceLock::new() }))
        .collect();
    thread::scope(|scope| {
        let crew = Crew { scope, project, dumps: &dumps, runs: &runs, panicked: &panicked };
        crew.begin(plans.iter().map(|plan| (plan, Start::of(plan, &majors))).collect());
    });
    if let Some(panic) = lock(&panicked).take() {
        resume_unwind(panic);
    }
    let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
    runs.sort_by_key(|run| run.order);
    dumps.into_values().filter_map(|asked| asked.shown.into_inner().flatten()).for_each(drop_aside);
    runs
}

/// To take a large schema apart takes longer than to print what was found: nobody waits for it.
fn drop_aside(states: impl Send + 'static) {
    // Without a thread it is dropped here.
    _ = thread::Builder::new().spawn(move || drop(states));
}

/// More do not find enough to judge: the replay itself goes step by step.
const MOST_JUDGES: usize = 4;

/// Migrations that one judges sooner than a second one has begun.
const FEW_JUDGED: usize = 8;

/// A replay, and those who judge what it tells: whoever has nothing to do takes it a step further.
struct Group<'a> {
    plan: &'a Plan<'a>,
    start: Start,
    replay: Ahead<Replay<'a>>,
    /// Judges at work.
    at_work: AtomicUsize,
    done: Mutex<Vec<Run>>,
    /// Whoever judges some migrations once more, from the first of them on.
    aside: Mutex<Option<Sender<Parted>>>,
}

/// By history.
type Dumps<'a> = BTreeMap<usize, Asked<'a>>;

/// A dump to be read.
struct Asked<'a> {
    plan: &'a Plan<'a>,
    has_begun: AtomicBool,
    shown: OnceLock<Option<Schema>>,
}

impl Asked<'_> {
    /// What it shows.
    fn shown(&self) -> Option<&Schema> {
        self.shown.get_or_init(|| dump::shown(self.plan)).as_ref()
    }
}

/// Who replays and judges: threads, and where they leave what they find.
#[derive(Clone, Copy)]
struct Crew<'scope, 'env> {
    scope: &'scope thread::Scope<'scope, 'env>,
    project: &'scope Project,
    dumps: &'scope Dumps<'scope>,
    runs: &'scope Mutex<Vec<Run>>,
    panicked: &'scope Mutex<Option<Box<dyn Any + Send>>>,
}

impl<'scope> Crew<'scope, '_> {
    /// Those that have much to judge divide the processors among them.
    fn begin(self, starts: Vec<(&'scope Plan<'scope>, Start)>) {
        let judges_many = |(plan, start): &(&Plan, Start)| start.judged(plan) > FEW_JUDGED;
        let many = starts.iter().filter(|one| judges_many(one)).count();
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        for one in starts {
            let judges = if judges_many(&one) { (processors / many.max(1)).clamp(1, MOST_JUDGES) } else { 1 };
            let (plan, start) = one;
            let group = Arc::new(Group {
                plan,
                replay: Ahead::of(Replay::of(plan, start.clone())),
                start,
                at_work: AtomicUsize::new(judges),
                done: Mutex::default(),
                aside: Mutex::default(),
            });
            for number in 0..judges {
                let of_thread = group.clone();
                if !self.spawn(move || self.work(of_thread)) {
                    // No thread to be had: this one does it, unless another is at it.
                    match number {
                        0 => self.work(group.clone()),
                        _ => _ = self.leave(&group),
                    }
                }
            }
        }
    }

    /// Whether there was a thread to be had.
    fn spawn(self, work: impl FnOnce() + Send + 'scope) -> bool {
        let work = move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                lock(self.panicked).get_or_insert(panic);
            }
        };
        thread::Builder::new().stack_size(STACK).spawn_scoped(self.scope, work).is_ok()
    }

    fn work(self, group: Arc<Group<'scope>>) {
        let mut next = || {
            let told = group.replay.next();
            self.begin_dump(&group);
            told
        };
        let judge = Judge::of(self.project, group.plan, &group.start);
        let run = judge.listen(&mut next, &mut |parted| self.set_aside(&group, parted));
        lock(&group.done).push(run);
        let left = self.leave(&group);
        drop(group);
        if let Some(left) = left {
            drop_aside(left);
        }
    }

    /// Reads the dump meanwhile. The first migration has run, which may be a whole schema: it had the processors.
    fn begin_dump(self, group: &Group<'scope>) {
        if let Some(asked) = self.dumps.get(&group.plan.index)
            && !asked.has_begun.swap(true, Ordering::Relaxed)
        {
            self.spawn(move || _ = asked.shown());
        }
    }

    /// The last of a group puts together what all of them found. Where the majors parted, it goes on for each.
    /// The last one gets what holds its states.
    fn leave(self, group: &Group<'scope>) -> Option<Start> {
        if group.at_work.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        lock(&group.aside).take();
        let mut run = std::mem::take(&mut *lock(&group.done)).into_iter().reduce(Run::beside)?;
        let mut left = None;
        match group.replay.source().end() {
            Some(Ok(end)) => {
                let shown = self.dumps.get(&group.plan.index).and_then(Asked::shown);
                run.look_at_end(self.project, group.plan, end, shown);
                left = Some(end.clone());
            }
            Some(Err(parted)) => self.begin(parted.groups.iter().map(|start| (group.plan, start.clone())).collect()),
            None => {}
        }
        lock(self.runs).push(run);
        left
    }

    fn set_aside(self, group: &Group<'scope>, parted: Parted) {
        let plan = group.plan;
        let mut aside = lock(&group.aside);
        let asides = aside.get_or_insert_with(|| {
            let (asides, come) = channel();
            // Without a thread nobody takes them, and they come back.
            self.spawn(move || self.judge_asides(plan, &come));
            asides
        });
        if let Err(SendError(parted)) = asides.send(parted) {
            self.judge_aside(plan, parted);
        }
    }

    fn judge_asides(self, plan: &'scope Plan<'scope>, come: &Receiver<Parted>) {
        come.iter().for_each(|parted| self.judge_aside(plan, parted));
    }

    /// Judges migrations for each of the groups by itself.
    fn judge_aside(self, plan: &'scope Plan<'scope>, parted: Parted) {
        let mut left = Vec::from(parted.groups);
        while let Some(start) = left.pop() {
            let mut replay = Replay::of(plan, start.clone());
            let judge = Judge::of(self.project, plan, &start);
            let run = judge.listen(&mut || replay.next(), &mut |parted| left.extend(parted.groups));
            lock(self.runs).push(run);
            if let Some(Err(parted)) = replay.end() {
                left.extend(parted.groups.clone());
            }
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
