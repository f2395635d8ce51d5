//! Replays a history: each migration's script, statement by statement, in the transactions its runner makes.

mod course;
mod dump;
mod expand;
mod notes;
mod ruby;
mod start;
mod transaction;

pub use course::{Course, Follows, Passage, course};
pub use notes::Told;
pub use start::{Parted, Start};

use std::sync::Arc;

use self::notes::{Note, NotedStep, NotedWhole};
use super::{
    Ends, HeldLock, History, KnownEffects, Migration, Passed, Past, Plan, Session, SinceBase, State, Step,
    TransactionUnit, Unit, Whole, is_named,
};
use crate::data::{Circumstances, Moment};
use crate::finding::MigrationRef;
use crate::operation::{
    Frame, FrameKind, Name, Node, OnCommit, Operation, Origin, Reach, Statement, TableActionKind, Unread,
};
use crate::read::dynamic::Variables;
use crate::schema::Applied;
use crate::server::Effects;
use crate::source::Span;
use crate::version::{Major, parted, take_parted};

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
    /// PostgreSQL does not understand it either.
    pub refused: bool,
    /// EXECUTE of a text that is not known: whether its kind is, and that it takes no table away.
    pub made_text: Option<bool>,
    /// What would make it known.
    pub declare: Option<Arc<str>>,
    /// Rows are all that it may write, and it is judged.
    pub rows: Option<UnreadRows>,
    /// Why little rests on it, as a rule has found.
    pub weighed: Option<String>,
}

/// Rows that something not understood may write.
#[derive(Debug, Clone)]
pub struct UnreadRows {
    pub before: State,
    /// Empty: of which tables is not known.
    pub tables: Vec<Name>,
    /// One, and not in a loop.
    pub is_one: bool,
}

/// Steps that one migration may take: loops and calls beyond it are cut short and said to be unread.
const STEP_BUDGET: usize = 200_000;

/// Replays the up scripts of a history on the rules of one major, and tells what happens.
pub fn replay(plan: &Plan, major: Major, tell: &mut dyn FnMut(Event)) -> State {
    replay_from(plan, Start::of(plan, &[major]), tell)
}

/// The same, from a point on.
pub fn replay_from(plan: &Plan, start: Start, tell: &mut dyn FnMut(Event)) -> State {
    let mut replay = Replay::of(plan, start);
    for told in &mut replay {
        // One major does not part from itself.
        told.tell(plan, tell, &mut |_| {});
    }
    replay.state
}

/// A history being replayed, for several majors at once as long as they follow the same rules.
#[derive(Debug)]
pub struct Replay<'a> {
    plan: &'a Plan<'a>,
    history: &'a History,
    majors: Vec<Major>,
    /// The migration that comes next.
    next: usize,
    /// Where the migrations at hand begin: no transaction is open there.
    since: Start,
    /// What there is to tell of them.
    notes: Vec<Note>,
    /// The first migration has run.
    has_begun: bool,
    /// They are told of, where they are judged.
    tells: bool,
    /// The first major for which what is told of them does not hold.
    apart: Option<Major>,
    ended: Option<Result<Start, Box<Parted>>>,
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
}

/// What of its runner's transaction is a script's own: with others it shares one.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    begins: bool,
    commits: bool,
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
    /// Nothing has run yet of what comes after this point.
    pub fn of(plan: &'a Plan<'a>, start: Start) -> Replay<'a> {
        Replay {
            plan,
            history: plan.history,
            majors: start.majors.clone(),
            next: start.migration,
            notes: Vec::new(),
            has_begun: false,
            tells: true,
            apart: None,
            ended: None,
            state: start.state.clone(),
            session: Session::begin(plan.history.limits_lock_waits, plan.search_path()),
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
            since: start,
        }
    }

    /// Where it has come to, or where its majors parted; `None` until then.
    pub fn end(&self) -> Option<&Result<Start, Box<Parted>>> {
        self.ended.as_ref()
    }

    fn take_told(&mut self) -> Option<Told> {
        let (notes, apart) = (std::mem::take(&mut self.notes), self.apart.take());
        let begins = self.next > self.since.migration && !std::mem::replace(&mut self.has_begun, true);
        (begins || !notes.is_empty()).then(|| Told { notes, since: self.since.clone(), end: self.next, apart })
    }

    /// Where it has come to: before a migration, with no transaction open.
    fn point(&self) -> Start {
        Start {
            migration: self.next,
            state: self.state.clone(),
            unit_start: self.unit_start.clone(),
            moment: self.moment,
            past: self.past.clone(),
            ..self.since.clone()
        }
    }

    fn in_hand(&self) -> &'a Migration {
        &self.history.migrations[self.at.migration]
    }

    /// The migration is told of, step by step.
    fn is_told(&self) -> bool {
        self.tells && self.in_hand().judged
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
        let begins = number == 0 || !self.goes_on(number - 1);
        let commits = !self.goes_on(number);
        // What shares a transaction with others takes another course by itself.
        let alone = begins && self.session.transaction.is_none() && commits;
        self.record = (self.is_told() && alone).then(|| Box::new(course::Record::beside()));
        self.script(migration, &migration.up.nodes, Bounds { begins, commits });
        let record = self.record.take();
        let steps = std::mem::take(&mut self.migration_steps);
        if self.is_told() && parted().is_none() {
            let ends = Ends::of(record.and_then(|record| record.into_course(&self.state)));
            let (at, past, after) = (self.at, self.past.clone(), self.state.clone());
            self.notes.push(Note::Whole(Box::new(NotedWhole { at, steps, before: before.clone(), after, past, ends })));
        }
        // What comes next runs where the shipped text did.
        if migration.since_base == SinceBase::Edited && self.session.transaction.is_none() {
            self.unit_start = before.clone();
            self.state = before;
        }
    }

    /// The runner sends the next migration in the same transaction. What is pending is one deploy's: an earlier release has
    /// committed.
    fn goes_on(&self, number: usize) -> bool {
        let is_one = |migration: &Migration| migration.transaction == TransactionUnit::AllPending;
        let (migration, next) = (&self.history.migrations[number], self.history.migrations.get(number + 1));
        is_one(migration)
            && next.is_some_and(|next| next.judged == migration.judged && is_one(next))
            && self.plan.same_release(number, number + 1)
    }

    /// Runs a migration's up, or its down, in the transactions of its runner.
    fn script(&mut self, migration: &Migration, script: &[Node], bounds: Bounds) {
        let first = Origin::at(Span { source: migration.source, start: 0, end: 0 });
        self.session.begin_script(&self.state.schema);
        self.look_along_search_path();
        let wraps = match migration.transaction {
            TransactionUnit::Statement => false,
            TransactionUnit::SimpleQuery => script.len() > 1,
            TransactionUnit::File | TransactionUnit::AllPending => true,
        };
        for (place, node) in script.iter().enumerate() {
            // After a COMMIT inside one query string the rest of it is a new implicit transaction; a runner's own
            // BEGIN is sent once, before the first of all files that share it.
            let begins = place == 0 && bounds.begins || migration.transaction == TransactionUnit::SimpleQuery;
            if wraps && begins && self.session.transaction.is_none() {
                self.begin(&first, true);
            }
            self.node(node, &mut Variables::default());
        }
        if bounds.commits {
            self.commit();
        }
        if self.session.transaction.is_none() {
            self.state.edit_schema().end_session(&first);
        }
        self.session.end_script();
        self.look_along_search_path();
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
        if self.steps_left == 0 || parted().is_some() || self.is_over() {
            return;
        }
        self.steps_left -= 1;
        let cut = Statement {
            span: statement.span,
            operation: Operation::Unread(Unread {
                reason: format!("more than {STEP_BUDGET} steps: the rest of the migration is not followed").into(),
                touches: Vec::new(),
                everything: true,
                reach: Reach::Anything,
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
        match applied.failure() {
            Some(failure) if !failure.certain => self.state.edit_schema().expect_made(operation, &origin),
            Some(_) if self.is_told() => self.state.edit_schema().take_as_made(operation, &origin),
            Some(_) | None => {}
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
        if (self.is_told() || self.record.is_some()) && parted().is_none() {
            self.note(operation, &origin, &before, applied, certain);
        }
        if self.session.transaction.is_none() {
            let drops = |on_commit: Option<OnCommit>| on_commit == Some(OnCommit::Drop);
            let made = match operation {
                Operation::CreateTable(create) => drops(create.on_commit),
                Operation::CreateTableAs(create) => drops(create.on_commit),
                _ => false,
            };
            // Where nothing says that statements commit one by one, a transaction may hold the file together.
            let is_guess = self.history.migrations[self.at.migration].unit_is_guess;
            if made && self.frames.is_empty() && !is_guess {
                self.state.edit_schema().end_transaction(&origin);
            }
            self.end_statement();
        }
    }

    fn tell_unread(&mut self, operation: &Operation, origin: &Origin) {
        let mut unread = false;
        let judged = self.history.migrations[self.at.migration].judged;
        let rows = match operation {
            Operation::Unread(unread) if judged && matches!(unread.reach, Reach::Rows | Reach::OneRow) => {
                Some(UnreadRows {
                    before: self.state.clone(),
                    tables: unread.touches.clone(),
                    is_one: unread.reach == Reach::OneRow && self.depth.loops == 0,
                })
            }
            _ => None,
        };
        let refused = matches!(operation, Operation::Unread(unread) if unread.reach == Reach::Nothing);
        let mut tell = |origin: Origin, reason: &Arc<str>, touches: Vec<String>| {
            unread = true;
            let (ruby, declare) = (self.unread.is_some(), self.unread.clone().flatten());
            let told = UnreadStep {
                at: self.at,
                origin,
                reason: reason.clone(),
                touches,
                judged,
                ruby,
                refused,
                made_text: self.made_text,
                declare,
                rows: rows.clone(),
                weighed: None,
            };
            self.notes.push(Note::Unread(Box::new(told)));
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

    fn note(&mut self, operation: &Operation, origin: &Origin, before: &State, applied: Applied, certain: bool) {
        let known = KnownEffects::default();
        let in_transaction = self.session.transaction.is_some();
        let held = (self.is_told() && in_transaction).then(|| self.locks_of(&known, operation, before)).flatten();
        let passed = Passed::new(operation, origin, [before, &self.state], applied, certain);
        if self.is_told() {
            let (at, passed, before, after) = (self.at, passed.clone(), before.clone(), self.state.clone());
            let session = self.session.clone();
            self.notes.push(Note::Step(Box::new(NotedStep { at, passed, before, after, session, known })));
        }
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
    }

    /// The effects whose locks an open transaction keeps. Where a major takes other locks, it is told for itself.
    fn locks_of(&mut self, known: &KnownEffects, operation: &Operation, before: &State) -> Option<Arc<Effects>> {
        let (first, rest) = self.majors.split_first()?;
        let of = |major: &Major| known.of(operation, &before.schema, &self.session, *major);
        let effects = of(first);
        self.apart = self.apart.or(rest.iter().find(|major| of(major).locks != effects.locks).copied());
        Some(effects)
    }

    /// Outside of a transaction each statement is one of its own, with all that a DO block or a function in it does.
    fn end_statement(&mut self) {
        let is_part = |frame: &Frame| matches!(frame.kind, FrameKind::DoBlock | FrameKind::Function(_));
        if self.session.transaction.is_none() && !self.frames.iter().any(is_part) {
            if self.session.end_local() {
                self.look_along_search_path();
            }
            self.end_unit();
        }
    }

    /// What ran since the last unit is visible to others from here on.
    fn end_unit(&mut self) {
        self.moment.unit += 1;
        let steps = std::mem::take(&mut self.unit_steps);
        let before = std::mem::replace(&mut self.unit_start, self.state.clone());
        self.note_unit(&steps, &before);
        if !steps.is_empty() && self.is_told() && parted().is_none() {
            self.notes.push(Note::Unit { at: self.at, steps, before, after: self.state.clone() });
        }
    }
}

impl Iterator for Replay<'_> {
    type Item = Told;

    /// Replays on, until there is something to tell: of the first migration in any case, be it nothing.
    fn next(&mut self) -> Option<Told> {
        take_parted();
        while self.ended.is_none() {
            let number = self.next;
            if number >= self.since.told.end {
                self.end_unit();
                self.ended = Some(Ok(self.point()));
                return self.take_told();
            }
            if self.session.transaction.is_none() && self.unit_steps.is_empty() {
                let told = self.take_told();
                self.since = self.point();
                self.tells = number >= self.since.told.start;
                if told.is_some() {
                    return told;
                }
            }
            if self.history.migrations[number].judged && self.since.before_judged.is_none() {
                self.since.before_judged = Some(self.state.clone());
            }
            self.next += 1;
            self.migration(number);
            if let Some(major) = take_parted() {
                self.ended = Some(Err(Box::new(self.since.clone().part(major))));
            }
        }
        None
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
