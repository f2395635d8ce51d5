//! Replays a history: each migration's script, statement by statement, in the transactions its runner makes.

mod course;
mod dump;
mod expand;
mod ruby;
mod start;
mod turns;

pub use start::{Parted, Start};
pub use turns::Turns;

pub use course::{Course, Follows, Passage, course};

use std::sync::Arc;

use super::{
    Context, Ends, HeldLock, History, KnownEffects, Migration, OpenTransaction, Passed, Past, Plan, Session, SinceBase,
    State, Step, TransactionUnit, Unit, Whole, is_named,
};
use crate::data::{Circumstances, Moment};
use crate::finding::MigrationRef;
use crate::operation::{
    Frame, FrameKind, Node, OnCommit, Operation, Origin, Statement, TableActionKind, Transaction, Unread,
};
use crate::read::dynamic::Variables;
use crate::schema::Applied;
use crate::server::Effects;
use crate::source::Span;
use crate::version::Major;

/// What a replay tells, in this order: each step; at the end of its transaction the unit; then the migration.
/// Only judged migrations are told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    Step(&'a Step<'a>),
    Unit(&'a Unit<'a>),
    Whole(&'a Whole<'a>),
    /// A statement that was not understood, in any migration.
    Unread(&'a UnreadStep),
    /// A call of a migration in Ruby, in any migration: what SQL has as a statement.
    Call(MigrationRef),
    /// What rules asked of these migrations has another answer on some of the majors: each group is to be told of them
    /// for itself.
    Apart(&'a Parted),
}

/// A statement that was not understood.
#[derive(Debug, Clone)]
pub struct UnreadStep {
    pub at: MigrationRef,
    pub origin: Origin,
    pub reason: Arc<str>,
    /// Relations it may touch; empty: unknown.
    pub touches: Vec<String>,
    pub judged: bool,
    /// A call in Ruby rather than a statement of SQL.
    pub ruby: bool,
    /// EXECUTE of a text that is not known: whether its kind is, and that it takes no table away.
    pub made_text: Option<bool>,
    /// What would make it known.
    pub declare: Option<Arc<str>>,
}

/// Steps that one migration may take: loops and calls beyond it are cut short and said to be unread.
const STEP_BUDGET: usize = 200_000;

/// Replays the up scripts of a history on the rules of one major, and tells what happens.
pub fn replay(plan: &Plan, major: Major, tell: &mut dyn FnMut(Event)) -> State {
    let start = Start::of(plan, &[major]);
    let begin = start.state.clone();
    // One major does not part from itself.
    replay_shared(plan, &start, &Turns::of(plan), tell).map_or(begin, |end| end.state)
}

/// Replays a history from a point on for several majors at once, as long as they follow the same rules: where it has
/// come to, or where they parted; `Err(None)` where another replay of the same turns has seen that before. Of the
/// judged migrations those are told of that fall to this replay.
pub fn replay_shared(
    plan: &Plan,
    start: &Start,
    turns: &Turns,
    tell: &mut dyn FnMut(Event),
) -> Result<Start, Option<Box<Parted>>> {
    let start = start.for_one_replay();
    let mut replay = Replay {
        plan,
        history: plan.history,
        majors: &start.majors,
        tell,
        state: start.state.clone(),
        session: Session::begin(plan.history.limits_lock_waits),
        unit_start: start.unit_start.clone(),
        unit_steps: Vec::new(),
        migration_steps: Vec::new(),
        moment: start.moment,
        at: MigrationRef { history: plan.index, migration: start.migration },
        frames: Vec::new(),
        depth: Depth::default(),
        steps_left: STEP_BUDGET,
        follows: Follows::SchemaAndData,
        forks: Vec::new(),
        unread: None,
        past: start.past.clone(),
        record: None,
        made_text: None,
        tells: true,
        apart: None,
    };
    let mut safe = start.clone();
    for migration in start.migration..start.told.end {
        if turns.are_over(migration) {
            return Err(None);
        }
        if replay.session.transaction.is_none() && replay.unit_steps.is_empty() {
            replay.tell_apart(&safe, migration);
            safe = replay.point(safe, migration);
            replay.tells = turns.take(migration) && migration >= start.told.start;
        }
        if plan.history.migrations[migration].judged && safe.before_judged.is_none() {
            safe.before_judged = Some(replay.state.clone());
        }
        replay.migration(migration);
        if let Some(major) = replay.parted() {
            turns.part(migration);
            return Err(Some(Box::new(safe.part(plan, major))));
        }
    }
    replay.end_unit();
    replay.tell_apart(&safe, start.told.end);
    Ok(replay.point(safe, start.told.end))
}

struct Replay<'a> {
    plan: &'a Plan<'a>,
    history: &'a History,
    majors: &'a [Major],
    tell: &'a mut dyn FnMut(Event),
    state: State,
    session: Session,
    unit_start: State,
    unit_steps: Vec<Passed>,
    migration_steps: Vec<Passed>,
    moment: Moment,
    at: MigrationRef,
    frames: Vec<Frame>,
    depth: Depth,
    steps_left: usize,
    /// A dump, for one, says nothing of rows.
    follows: Follows,
    /// Conditions in Ruby whose branches are being gone.
    forks: Vec<ruby::Fork>,
    /// The unread step at hand is one of Ruby, with what would make it known.
    unread: Option<Option<Arc<str>>>,
    past: Past,
    /// Where one script runs by itself: what it does.
    record: Option<Box<course::Record>>,
    /// The step that is unread runs a text made at run time: whether its kind is known.
    made_text: Option<bool>,
    /// The migrations at hand are told of, where they are judged.
    tells: bool,
    /// The first major for which what is told of them does not hold.
    apart: Option<Major>,
}

/// How sure and how often the statement at hand runs.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    undecided: usize,
    /// Of the undecided, those that are conditions rather than loops.
    guards: usize,
    loops: usize,
}

impl<'a> Replay<'a> {
    fn context(&self) -> Context<'a> {
        Context {
            plan: self.plan,
            settings: self.plan.settings,
            migration: &self.history.migrations[self.at.migration],
            at: self.at,
            majors: self.majors,
        }
    }

    /// The migration is told of, step by step.
    fn is_told(&self, migration: &Migration) -> bool {
        self.tells && migration.judged && self.apart.is_none()
    }

    /// What was seen since holds for some of the majors only: nothing more is told.
    fn parted(&self) -> Option<Major> {
        self.state.schema.majors.parted()
    }

    /// Where it has come to: before a migration, with no transaction open.
    fn point(&self, last: Start, migration: usize) -> Start {
        Start {
            migration,
            state: self.state.clone(),
            unit_start: self.unit_start.clone(),
            moment: self.moment,
            past: self.past.clone(),
            ..last
        }
    }

    /// Where the answers to what was asked about an event part the majors, they go on together all the same: only what
    /// is judged is for each group to hear.
    fn look_apart(&mut self) {
        self.apart = self.apart.or(self.state.schema.majors.rejoin());
    }

    /// Hands over what is to be told anew of the migrations before this one, for each group of majors.
    fn tell_apart(&mut self, since: &Start, end: usize) {
        if let Some(major) = self.apart.take() {
            let parted = since.clone().part_aside(self.plan, major, end);
            (self.tell)(Event::Apart(&parted));
        }
    }

    fn migration(&mut self, number: usize) {
        let migration = &self.history.migrations[number];
        self.at.migration = number;
        if let Some(told) = migration.dump {
            return self.take_dump(migration, told);
        }
        self.moment.release = self.plan.release_number(number);
        self.steps_left = STEP_BUDGET;
        let facts = self.plan.facts_of(number);
        if !facts.is_empty() {
            self.state.edit_data().state_facts(facts);
        }
        let before = self.state.clone();
        self.past.keep(number, &before);
        // What is pending is one deploy's: an earlier release has committed.
        let goes_on = migration.transaction == TransactionUnit::AllPending
            && self.history.migrations.get(number + 1).is_some_and(|next| next.judged == migration.judged)
            && self.plan.same_release(number, number + 1);
        // What shares a transaction with others takes another course by itself.
        let alone = self.session.transaction.is_none() && !goes_on;
        self.record = (self.is_told(migration) && alone).then(|| Box::new(course::Record::beside()));
        self.script(migration, &migration.up.nodes, goes_on);
        let record = self.record.take();
        let steps = std::mem::take(&mut self.migration_steps);
        if self.is_told(migration) && self.parted().is_none() {
            let up = record.and_then(|record| record.into_course(&self.state));
            let (context, ends) = (self.context(), Ends::of(up));
            let (past, after) = (&self.past, &self.state);
            let whole = Whole { context, steps: &steps, before: &before, after, past, ends: &ends };
            (self.tell)(Event::Whole(&whole));
            self.look_apart();
        }
        // What comes next runs where the shipped text did.
        if migration.since_base == SinceBase::Edited && self.session.transaction.is_none() {
            self.unit_start = before.clone();
            self.state = before;
        }
    }

    /// Runs a migration's up, or its down, in the transactions of its runner.
    fn script(&mut self, migration: &Migration, script: &[Node], goes_on: bool) {
        let first = Origin::at(Span { source: migration.source, start: 0, end: 0 });
        let wraps = match migration.transaction {
            TransactionUnit::Statement => false,
            TransactionUnit::SimpleQuery => script.len() > 1,
            TransactionUnit::File | TransactionUnit::AllPending => true,
        };
        for (place, node) in script.iter().enumerate() {
            // After a COMMIT inside one query string the rest of it is a new implicit transaction; a runner's own
            // BEGIN is sent once.
            let begins = place == 0 || migration.transaction == TransactionUnit::SimpleQuery;
            if wraps && begins && self.session.transaction.is_none() {
                self.begin(&first, true);
            }
            self.node(node, &mut Variables::default());
        }
        if !goes_on {
            self.commit();
        }
        if self.session.transaction.is_none() {
            self.state.edit_schema().end_session(&first);
        }
        self.session.end_script();
        self.look_along_search_path();
    }

    fn control(&mut self, control: &Transaction, statement: &Statement) {
        let origin = self.origin(statement.span);
        match control {
            Transaction::Begin => self.begin(&origin, false),
            Transaction::Commit => self.commit(),
            Transaction::Rollback => self.rollback(),
            Transaction::Savepoint(name) => {
                let state = self.state.clone();
                let steps = self.unit_steps.len();
                if let Some(open) = &mut self.session.transaction {
                    open.savepoints.push((name.clone(), state, steps, open.locks.len()));
                }
            }
            Transaction::Release(name) => {
                if let Some(open) = &mut self.session.transaction
                    && let Some(place) = open.savepoints.iter().rposition(|savepoint| savepoint.0 == *name)
                {
                    open.savepoints.truncate(place);
                }
            }
            Transaction::RollbackTo(name) => {
                if let Some(open) = &mut self.session.transaction
                    && let Some(place) = open.savepoints.iter().rposition(|savepoint| savepoint.0 == *name)
                {
                    let (_, state, steps, locks) = open.savepoints[place].clone();
                    open.savepoints.truncate(place + 1);
                    open.release_after(locks);
                    let undone = self.unit_steps.len() - steps.min(self.unit_steps.len());
                    self.unit_steps.truncate(steps);
                    self.migration_steps.truncate(self.migration_steps.len() - undone);
                    self.state = state;
                }
            }
            Transaction::Other => {}
        }
    }

    fn begin(&mut self, origin: &Origin, implied: bool) {
        // BEGIN inside a transaction warns and changes nothing (BEGIN, "Notes").
        match &mut self.session.transaction {
            Some(open) => open.implied &= implied,
            None => {
                self.end_unit();
                let open = OpenTransaction::new(origin.clone(), implied, self.state.clone());
                self.session.transaction = Some(Box::new(open));
            }
        }
    }

    fn commit(&mut self) {
        let ended = self.session.end_transaction();
        if let Some(open) = ended {
            self.state.edit_schema().end_transaction(&open.since);
        }
        self.end_unit();
        self.look_along_search_path();
    }

    fn rollback(&mut self) {
        if let Some(open) = self.session.end_transaction() {
            self.state = open.before;
            let undone = self.unit_steps.len();
            self.unit_steps.clear();
            self.migration_steps.truncate(self.migration_steps.len().saturating_sub(undone));
        }
        self.end_unit();
        self.look_along_search_path();
    }

    fn look_along_search_path(&mut self) {
        let path = self.session.search_path();
        if self.state.schema.search_path != path {
            self.state.edit_schema().search_path = path;
        }
    }

    fn origin(&self, span: Span) -> Origin {
        match self.frames.first() {
            None => Origin::at(span),
            // The call site is what a reader can point at; the statement itself is its last frame.
            Some(_) => Origin { span, frames: self.frames.clone().into() },
        }
    }

    /// Applies one statement and tells of it.
    fn run(&mut self, statement: &Statement) {
        if self.steps_left == 0 || self.parted().is_some() || self.is_over() {
            return;
        }
        self.steps_left -= 1;
        let cut = Statement {
            span: statement.span,
            operation: Operation::Unread(Unread {
                reason: format!("more than {STEP_BUDGET} steps: the rest of the migration is not followed").into(),
                touches: Vec::new(),
                everything: true,
                rows_only: false,
            }),
        };
        let statement = if self.steps_left == 0 { &cut } else { statement };
        let origin = self.origin(statement.span);
        let operation = &statement.operation;
        if self.state.schema.has_to_assume(operation) {
            self.state.edit_schema().assume(operation, &origin);
        }
        let before = self.state.clone();
        if let Operation::Set(set) = operation {
            self.session.set(set, &origin);
        }
        self.tell_unread(operation, &origin);
        let (after, applied) = before.schema.after(operation, &origin);
        if let Some(after) = after {
            self.state.schema = Arc::new(after);
        }
        self.moment.step += 1;
        let certain = self.depth.undecided == 0;
        // A loop of batches runs as often as there are rows: what it fills is filled.
        let fills = self.depth.guards == 0;
        let circumstances =
            Circumstances { moment: self.moment, certain: fills, in_loop: self.depth.loops > 0, job: None };
        if applied.failure().is_none() && self.follows == Follows::SchemaAndData {
            let State { schema, data } = &mut self.state;
            Arc::make_mut(data).observe(operation, &origin, &before.schema, schema, circumstances);
        }
        if (self.is_told(self.context().migration) || self.record.is_some()) && self.parted().is_none() {
            self.judge(operation, &origin, &before, &applied, certain);
        }
        if self.session.transaction.is_none() {
            let drops = |on_commit: Option<OnCommit>| on_commit == Some(OnCommit::Drop);
            let made = match operation {
                Operation::CreateTable(create) => drops(create.on_commit),
                Operation::CreateTableAs(create) => drops(create.on_commit),
                _ => false,
            };
            if made && self.frames.is_empty() {
                self.state.edit_schema().end_transaction(&origin);
            }
            self.end_statement();
        }
    }

    fn tell_unread(&mut self, operation: &Operation, origin: &Origin) {
        let mut unread = false;
        let mut tell = |origin: Origin, reason: &Arc<str>, touches: Vec<String>| {
            unread = true;
            let judged = self.history.migrations[self.at.migration].judged;
            let (ruby, declare) = (self.unread.is_some(), self.unread.clone().flatten());
            let told = UnreadStep {
                at: self.at,
                origin,
                reason: reason.clone(),
                touches,
                judged,
                ruby,
                made_text: self.made_text,
                declare,
            };
            (self.tell)(Event::Unread(&told));
        };
        match operation {
            Operation::Unread(unread) => {
                tell(origin.clone(), &unread.reason, unread.touches.iter().map(ToString::to_string).collect());
            }
            Operation::AlterTable(alter) => {
                for action in &alter.actions {
                    if let TableActionKind::Unread { reason } = &action.kind {
                        let at = Origin { span: action.span, frames: origin.frames.clone() };
                        tell(at, reason, vec![alter.table.to_string()]);
                    }
                }
            }
            _ => {}
        }
        if let Some(record) = &mut self.record {
            record.unread |= unread;
        }
    }

    fn judge(&mut self, operation: &Operation, origin: &Origin, before: &State, applied: &Applied, certain: bool) {
        let known = KnownEffects::default();
        let step = Step {
            context: self.context(),
            operation,
            origin,
            before,
            after: &self.state,
            session: &self.session,
            applied,
            certain,
            known: &known,
        };
        if self.apart.is_none() {
            (self.tell)(Event::Step(&step));
        }
        // Who asks what is held is told of the step.
        let held = self.session.transaction.as_ref().filter(|_| self.tells).and_then(|_| self.locks_of(&step));
        let passed = step.passed();
        if let (Some(effects), Some(open)) = (held, &mut self.session.transaction) {
            for (relation, mode) in &effects.locks {
                let named = is_named(operation, &before.schema, *relation);
                let (by, work) = (origin.clone(), operation.word());
                open.hold(HeldLock { relation: *relation, mode: *mode, by, work, named });
            }
        }
        self.note_before(before);
        if let Some(failure) = passed.applied.failure() {
            self.note_failure(&passed, failure);
        }
        self.unit_steps.push(passed.clone());
        self.migration_steps.push(passed);
        self.look_apart();
    }

    /// The effects whose locks an open transaction keeps. Where a major takes other locks, it goes on for itself.
    fn locks_of(&self, step: &Step) -> Option<Arc<Effects>> {
        let (first, rest) = self.majors.split_first()?;
        let effects = step.effects(*first);
        if let Some(other) = rest.iter().find(|major| step.effects(**major).locks != effects.locks) {
            self.state.schema.majors.part(*other);
        }
        Some(effects)
    }

    /// Outside of a transaction each statement is one of its own, with all that a DO block or a function in it does.
    fn end_statement(&mut self) {
        let is_part = |frame: &Frame| matches!(frame.kind, FrameKind::DoBlock | FrameKind::Function(_));
        if self.session.transaction.is_none() && !self.frames.iter().any(is_part) {
            self.end_unit();
        }
    }

    /// What ran since the last unit is visible to others from here on.
    fn end_unit(&mut self) {
        self.moment.unit += 1;
        let steps = std::mem::take(&mut self.unit_steps);
        let before = std::mem::replace(&mut self.unit_start, self.state.clone());
        self.note_unit(&steps, &before);
        if !steps.is_empty() && self.parted().is_none() && self.apart.is_none() {
            let unit = Unit { context: self.context(), steps: &steps, before: &before, after: &self.state };
            (self.tell)(Event::Unit(&unit));
            self.look_apart();
        }
    }
}

impl State {
    /// What is known where either of two branches may have run.
    fn join(&self, other: &State, by: &Origin) -> State {
        // The side that made more keeps what it made whole: of the other only the objects themselves are taken.
        let (more, less) = if other.schema.made_more_than(&self.schema) { (other, self) } else { (self, other) };
        State { schema: Arc::new(more.schema.join(&less.schema, by)), data: Arc::new(more.data.join(&less.data)) }
    }
}
