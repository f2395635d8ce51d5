//! Replays a history: each migration's script, statement by statement, in the transactions its runner makes.

use std::sync::Arc;

use super::condition::decide;
use super::{
    Context, HeldLock, History, OpenTransaction, Passed, Plan, Session, State, Step, TransactionUnit, Unit, Whole,
};
use crate::data::{Circumstances, Moment};
use crate::finding::MigrationRef;
use crate::operation::{
    Branch, Expr, Frame, FrameKind, Handler, Loop, LoopOver, Name, Node, OnCommit, Operation, Origin, Statement,
    TableActionKind, Transaction, Unread,
};
use crate::read::dynamic::{Variables, evaluate, parse, selected};
use crate::schema::Applied;
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
}

/// Steps that one migration may take: loops and calls beyond it are cut short and said to be unread.
const STEP_BUDGET: usize = 200_000;
/// Levels of DO blocks, dynamic SQL and called functions.
const FRAME_LIMIT: usize = 16;
/// Rounds of a WHILE that are followed.
const ROUND_LIMIT: usize = 10_000;

/// Replays the up scripts of a history on the rules of the first of `majors`, and tells what happens.
pub fn replay(plan: &Plan, majors: &[Major], tell: &mut dyn FnMut(Event)) -> State {
    let history = plan.history;
    let mut start = State::new(majors.first().copied().unwrap_or(Major::NEWEST));
    if !history.complete {
        start.schema.expect_unseen();
    }
    start.data.state_facts(&plan.settings.facts);
    let mut replay = Replay {
        plan,
        history,
        majors,
        tell,
        state: start.clone(),
        session: Session::default(),
        unit_start: start,
        unit_steps: Vec::new(),
        migration_steps: Vec::new(),
        moment: Moment::default(),
        at: MigrationRef { history: plan.index, migration: 0 },
        frames: Vec::new(),
        depth: Depth::default(),
        steps_left: STEP_BUDGET,
    };
    for migration in 0..history.migrations.len() {
        replay.migration(migration);
    }
    replay.end_unit();
    replay.state
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
}

/// How sure and how often the statement at hand runs.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    undecided: usize,
    /// Of the undecided, those that are conditions rather than loops.
    guards: usize,
    loops: usize,
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    /// RETURN, EXIT, or an exception that no handler here caught.
    Leave,
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

    fn migration(&mut self, number: usize) {
        let migration = &self.history.migrations[number];
        self.at.migration = number;
        self.moment.release = self.plan.release_number(number);
        self.steps_left = STEP_BUDGET;
        self.state.data.state_facts(self.plan.facts_of(number));
        let before = self.state.clone();
        let first = Origin::at(Span { source: migration.source, start: 0, end: 0 });
        let script = &migration.up.nodes;
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
        let goes_on = migration.transaction == TransactionUnit::AllPending
            && self.history.migrations.get(number + 1).is_some_and(|next| next.judged == migration.judged);
        if !goes_on {
            self.commit();
        }
        if self.session.transaction.is_none() {
            self.state.schema.end_session(&first);
        }
        self.session.end_script();
        self.state.schema.search_path = self.session.search_path();
        let steps = std::mem::take(&mut self.migration_steps);
        if migration.judged {
            let whole = Whole { context: self.context(), steps: &steps, before: &before, after: &self.state };
            (self.tell)(Event::Whole(&whole));
        }
    }

    fn nodes(&mut self, nodes: &[Node], variables: &mut Variables) -> Flow {
        for node in nodes {
            if self.node(node, variables) == Flow::Leave {
                return Flow::Leave;
            }
        }
        Flow::Next
    }

    fn node(&mut self, node: &Node, variables: &mut Variables) -> Flow {
        match node {
            Node::Statement(statement) => self.statement(statement, variables),
            Node::Guard { branches, otherwise } => self.guard(branches, otherwise, variables),
            Node::Loop(repeat) => self.repeat(repeat, variables),
            Node::Block { body, handlers } => self.block(body, handlers, variables),
            Node::Dynamic { sql, span, .. } => {
                self.dynamic(evaluate(sql, variables), *span, variables);
                Flow::Next
            }
            Node::Assign { qualifier: None, target, value, .. } => {
                let value = evaluate(value, variables);
                variables.set(target.clone(), value);
                Flow::Next
            }
            Node::Assign { .. } => Flow::Next,
            Node::Raise { fails: true, .. } | Node::Return { .. } | Node::Leave { .. } => Flow::Leave,
            Node::Raise { .. } => Flow::Next,
        }
    }

    /// IF: the branch whose condition the schema decides; else every branch from the same state, joined.
    fn guard(&mut self, branches: &[Branch], otherwise: &[Node], variables: &mut Variables) -> Flow {
        let mut arms: Vec<(Span, &[Node])> = Vec::new();
        let mut last: &[Node] = otherwise;
        for branch in branches {
            match decide(&branch.condition.tree, &self.state.schema, variables) {
                Some(false) => continue,
                Some(true) => {
                    last = &branch.body;
                    break;
                }
                None => arms.push((branch.condition.span, &branch.body)),
            }
        }
        if arms.is_empty() {
            return self.nodes(last, variables);
        }
        let whole = arms[0].0;
        arms.push((whole, last));
        let before = self.state.clone();
        let mut joined: Option<State> = None;
        let mut known: Option<Variables> = None;
        let mut leaves = true;
        self.depth.undecided += 1;
        self.depth.guards += 1;
        for (span, body) in arms {
            self.state = before.clone();
            self.frames.push(Frame { kind: FrameKind::Undecided, span });
            // What leaves in one branch does not run on after it: its state does not flow into the join.
            let mut own = variables.clone();
            let left = self.nodes(body, &mut own) == Flow::Leave;
            leaves &= left;
            let origin = self.origin(span);
            self.frames.pop();
            if left {
                continue;
            }
            match &mut known {
                None => known = Some(own),
                Some(known) => known.join(&own),
            }
            let arm = std::mem::replace(&mut self.state, before.clone());
            joined = Some(match joined {
                None => arm,
                Some(other) => other.join(&arm, &origin),
            });
        }
        self.depth.undecided -= 1;
        self.depth.guards -= 1;
        self.state = joined.unwrap_or(before);
        if let Some(known) = known {
            *variables = known;
        }
        if leaves { Flow::Leave } else { Flow::Next }
    }

    fn repeat(&mut self, repeat: &Loop, variables: &mut Variables) -> Flow {
        let rounds = match &repeat.over {
            LoopOver::Array(list) => variables.texts_of(list),
            LoopOver::Range { from, to } => variables.range(from, to),
            LoopOver::Query(query) => variables.rows_of(query),
            LoopOver::While(_) | LoopOver::Endless | LoopOver::Unknown => None,
        };
        self.depth.loops += 1;
        if let Some(rounds) = rounds {
            for value in rounds {
                self.frames.push(Frame { kind: FrameKind::Loop(Some(value.clone())), span: repeat.span });
                if let Some(variable) = repeat.variables.first() {
                    variables.set(variable.clone(), Some(value));
                }
                let flow = self.nodes(&repeat.body, variables);
                self.frames.pop();
                if flow == Flow::Leave || self.steps_left == 0 {
                    break;
                }
            }
            self.depth.loops -= 1;
            return Flow::Next;
        }
        if let LoopOver::While(condition) = &repeat.over
            && self.repeat_while(condition, repeat, variables)
        {
            self.depth.loops -= 1;
            return Flow::Next;
        }
        for variable in &repeat.variables {
            variables.set(variable.clone(), None);
        }
        let known = variables.clone();
        let before = self.state.clone();
        let certain = matches!(repeat.over, LoopOver::Endless);
        self.depth.undecided += usize::from(!certain);
        self.frames.push(Frame { kind: FrameKind::Loop(None), span: repeat.span });
        self.nodes(&repeat.body, variables);
        let origin = self.origin(repeat.span);
        self.frames.pop();
        self.depth.undecided -= usize::from(!certain);
        self.depth.loops -= 1;
        if !certain {
            self.state = before.join(&self.state, &origin);
        }
        // Once is not how often it runs: what the body sets is not known after it.
        variables.join(&known);
        Flow::Next
    }

    /// WHILE over known values, round by round; false where the condition is not known, from that round on.
    fn repeat_while(&mut self, condition: &Expr, repeat: &Loop, variables: &mut Variables) -> bool {
        for round in 0..ROUND_LIMIT {
            match decide(condition, &self.state.schema, variables) {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
            let kind = FrameKind::Loop(Some(round.to_string().into()));
            self.frames.push(Frame { kind, span: repeat.span });
            let flow = self.nodes(&repeat.body, variables);
            self.frames.pop();
            if flow == Flow::Leave || self.steps_left == 0 {
                return true;
            }
        }
        false
    }

    /// BEGIN … EXCEPTION: a failure that a handler names undoes the block and runs the handler.
    fn block(&mut self, body: &[Node], handlers: &[Handler], variables: &mut Variables) -> Flow {
        if handlers.is_empty() {
            return self.nodes(body, variables);
        }
        let before = self.state.clone();
        let told = (self.unit_steps.len(), self.migration_steps.len());
        for node in body {
            let flow = match node {
                Node::Statement(statement) => {
                    let mut probe = self.state.schema.clone();
                    let failure = match probe.apply(&statement.operation, &self.origin(statement.span)) {
                        Applied::Failed(failure) => Some(failure),
                        Applied::Done { .. } => None,
                    };
                    let handler =
                        failure.and_then(|failure| handlers.iter().find(|handler| handler.catches(failure.state)));
                    if let Some(handler) = handler {
                        self.state = before;
                        self.unit_steps.truncate(told.0);
                        self.migration_steps.truncate(told.1);
                        return self.nodes(&handler.body, variables);
                    }
                    self.statement(statement, variables)
                }
                other => self.node(other, variables),
            };
            if flow == Flow::Leave {
                return flow;
            }
        }
        Flow::Next
    }

    /// Runs a text made at run time where its value is known; else says that it is not.
    fn dynamic(&mut self, text: Option<std::sync::Arc<str>>, span: Span, variables: &mut Variables) {
        let Some(text) = text else {
            let reason = "EXECUTE runs a text that is made at run time".into();
            let unread = Unread { reason, touches: Vec::new(), everything: true };
            let statement = Statement { span, operation: Operation::Unread(unread) };
            self.run(&statement);
            return;
        };
        if self.frames.len() >= FRAME_LIMIT {
            return self.too_deep(span);
        }
        self.frames.push(Frame { kind: FrameKind::Dynamic, span });
        for node in parse(&text, span) {
            self.node(&node, variables);
        }
        self.frames.pop();
    }

    fn too_deep(&mut self, span: Span) {
        let reason = "nested too deeply to follow".into();
        let unread = Unread { reason, touches: Vec::new(), everything: true };
        self.run(&Statement { span, operation: Operation::Unread(unread) });
    }

    fn statement(&mut self, statement: &Statement, variables: &mut Variables) -> Flow {
        match &statement.operation {
            Operation::Transaction(control) => self.control(control, statement),
            Operation::Do(block) => {
                if self.frames.len() >= FRAME_LIMIT {
                    self.too_deep(statement.span);
                    return Flow::Next;
                }
                self.run(statement);
                self.frames.push(Frame { kind: FrameKind::DoBlock, span: statement.span });
                let mut inner = Variables::of(&block.body);
                self.nodes(&block.body.nodes, &mut inner);
                for (span, reason) in block.body.unread.iter() {
                    let unread = Unread { reason: reason.clone(), touches: Vec::new(), everything: true };
                    self.run(&Statement { span: *span, operation: Operation::Unread(unread) });
                }
                self.frames.pop();
            }
            Operation::Query(query) => {
                if let Some((target, value)) = selected(query, variables) {
                    variables.set(target, value);
                }
                self.run(statement);
                for (name, arguments) in query.called() {
                    self.enter(name, arguments, variables, statement.span);
                }
            }
            Operation::Call { function, arguments } => {
                self.run(statement);
                self.enter(function, arguments, variables, statement.span);
            }
            _ => self.run(statement),
        }
        Flow::Next
    }

    /// A function of the project's own is called: its body runs here, with what is known of the arguments.
    fn enter(&mut self, name: &Name, arguments: &[Expr], caller: &Variables, span: Span) {
        let mut found: Vec<_> = self.state.schema.find_functions(name).into_iter().cloned().collect();
        if found.len() > 1 {
            found.retain(|function| function.arguments.len() == arguments.len());
        }
        let [function] = found.as_slice() else { return };
        if &*function.returns == "trigger" {
            return;
        }
        if self.frames.len() >= FRAME_LIMIT {
            return self.too_deep(span);
        }
        self.frames.push(Frame { kind: FrameKind::Function(function.name.short().into()), span });
        let mut variables = Variables::default();
        variables.bind(&function.arguments, arguments, caller);
        variables.declare(&function.body);
        self.nodes(&function.body.nodes, &mut variables);
        self.frames.pop();
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
                    open.locks.truncate(locks);
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
                self.session.transaction = Some(Box::new(OpenTransaction {
                    since: origin.clone(),
                    implied,
                    before: self.state.clone(),
                    savepoints: Vec::new(),
                    locks: Vec::new(),
                }));
            }
        }
    }

    fn commit(&mut self) {
        let ended = self.session.end_transaction();
        if let Some(open) = ended {
            self.state.schema.end_transaction(&open.since);
        }
        self.end_unit();
        self.state.schema.search_path = self.session.search_path();
    }

    fn rollback(&mut self) {
        if let Some(open) = self.session.end_transaction() {
            self.state = open.before;
            let undone = self.unit_steps.len();
            self.unit_steps.clear();
            self.migration_steps.truncate(self.migration_steps.len().saturating_sub(undone));
        }
        self.end_unit();
        self.state.schema.search_path = self.session.search_path();
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
        if self.steps_left == 0 {
            return;
        }
        self.steps_left -= 1;
        let cut = Statement {
            span: statement.span,
            operation: Operation::Unread(Unread {
                reason: format!("more than {STEP_BUDGET} steps: the rest of the migration is not followed").into(),
                touches: Vec::new(),
                everything: true,
            }),
        };
        let statement = if self.steps_left == 0 { &cut } else { statement };
        let origin = self.origin(statement.span);
        let operation = &statement.operation;
        self.state.schema.assume(operation, &origin);
        let before = self.state.clone();
        if let Operation::Set(set) = operation {
            self.session.set(set, &origin);
        }
        self.tell_unread(operation, &origin);
        let applied = self.state.schema.apply(operation, &origin);
        self.moment.step += 1;
        let certain = self.depth.undecided == 0;
        // A loop of batches runs as often as there are rows: what it fills is filled.
        let fills = self.depth.guards == 0;
        let circumstances = Circumstances { moment: self.moment, certain: fills, in_loop: self.depth.loops > 0 };
        if applied.failure().is_none() {
            self.state.data.observe(operation, &origin, &before.schema, &self.state.schema, circumstances);
        }
        if self.context().migration.judged {
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
                self.state.schema.end_transaction(&origin);
            }
            self.end_unit();
        }
    }

    fn tell_unread(&mut self, operation: &Operation, origin: &Origin) {
        let mut tell = |origin: Origin, reason: &Arc<str>, touches: Vec<String>| {
            let judged = self.history.migrations[self.at.migration].judged;
            let unread = UnreadStep { at: self.at, origin, reason: reason.clone(), touches, judged };
            (self.tell)(Event::Unread(&unread));
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
    }

    fn judge(&mut self, operation: &Operation, origin: &Origin, before: &State, applied: &Applied, certain: bool) {
        let step = Step {
            context: self.context(),
            operation,
            origin,
            before,
            after: &self.state,
            session: &self.session,
            applied,
            certain,
        };
        (self.tell)(Event::Step(&step));
        let passed = Passed { operation: operation.clone(), origin: origin.clone(), applied: applied.clone(), certain };
        self.unit_steps.push(passed.clone());
        self.migration_steps.push(passed);
        if self.session.transaction.is_some() {
            self.hold_locks(operation, origin, before);
        }
    }

    fn hold_locks(&mut self, operation: &Operation, origin: &Origin, before: &State) {
        let Some(major) = self.majors.first() else { return };
        let facts = self.session.server_facts();
        let effects = crate::server::effects(operation, &before.schema, *major, &facts);
        if let Some(open) = &mut self.session.transaction {
            let held =
                effects.locks.into_iter().map(|(relation, mode)| HeldLock { relation, mode, by: origin.clone() });
            open.locks.extend(held);
        }
    }

    /// What ran since the last unit is visible to others from here on.
    fn end_unit(&mut self) {
        self.moment.unit += 1;
        let steps = std::mem::take(&mut self.unit_steps);
        let before = std::mem::replace(&mut self.unit_start, self.state.clone());
        if !steps.is_empty() {
            let unit = Unit { context: self.context(), steps: &steps, before: &before, after: &self.state };
            (self.tell)(Event::Unit(&unit));
        }
    }
}

impl State {
    /// What is known where either of two branches may have run.
    fn join(&self, other: &State, by: &Origin) -> State {
        State { schema: self.schema.join(&other.schema, by), data: self.data.join(&other.data) }
    }
}

impl Handler {
    /// `WHEN duplicate_object`, `WHEN SQLSTATE '42710'`, `WHEN OTHERS`.
    pub fn catches(&self, state: &str) -> bool {
        self.conditions.iter().any(|condition| {
            let condition = &**condition;
            condition == "others" || condition == state || condition_state(condition) == Some(state)
        })
    }
}

/// The SQLSTATEs of the conditions that migrations catch (manual, appendix A).
fn condition_state(condition: &str) -> Option<&'static str> {
    Some(match condition {
        "duplicate_object" => "42710",
        "duplicate_table" => "42P07",
        "duplicate_column" => "42701",
        "duplicate_function" => "42723",
        "duplicate_schema" => "42P06",
        "undefined_object" => "42704",
        "undefined_table" => "42P01",
        "undefined_column" => "42703",
        "undefined_function" => "42883",
        "invalid_schema_name" => "3F000",
        "invalid_table_definition" => "42P16",
        "invalid_object_definition" => "42P17",
        "wrong_object_type" => "42809",
        "dependent_objects_still_exist" => "2BP01",
        "object_not_in_prerequisite_state" => "55000",
        "feature_not_supported" => "0A000",
        "foreign_key_violation" => "23503",
        "unique_violation" => "23505",
        "check_violation" => "23514",
        "not_null_violation" => "23502",
        _ => return None,
    })
}
