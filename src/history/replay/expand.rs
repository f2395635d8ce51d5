//! Expands scripts at their point of the history: guards that the schema decides, loops, handlers, made texts, calls.

use super::super::condition::decide;
use super::Replay;
use crate::history::State;
use crate::operation::{
    Branch, Expr, Frame, FrameKind, Handler, Loop, LoopOver, Name, Node, Operation, Reach, Statement, Unread,
};
use crate::read::dynamic::{Variables, evaluate, parse, selected};
use crate::read::holes::{Holed, is_holed};
use crate::schema::Applied;
use crate::source::Span;

/// Levels of DO blocks, dynamic SQL and called functions.
const FRAME_LIMIT: usize = 16;
/// Rounds of a WHILE that are followed.
const ROUND_LIMIT: usize = 10_000;

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    /// RETURN, EXIT, or an exception that no handler here caught.
    Leave,
}

impl Replay<'_> {
    fn nodes(&mut self, nodes: &[Node], variables: &mut Variables) -> Flow {
        for node in nodes {
            if self.node(node, variables) == Flow::Leave {
                return Flow::Leave;
            }
        }
        Flow::Next
    }

    pub(super) fn node(&mut self, node: &Node, variables: &mut Variables) -> Flow {
        match node {
            Node::Statement(statement) => self.statement(statement, variables),
            Node::Guard { branches, otherwise } => self.guard(branches, otherwise, variables),
            Node::Loop(repeat) => self.repeat(repeat, variables),
            Node::Block { body, handlers } => self.block(body, handlers, variables),
            Node::Dynamic { sql, span, .. } => {
                match evaluate(sql, variables) {
                    Some(text) => self.dynamic(&text, *span, variables),
                    None => self.unknown_text(Holed::of(sql, variables, *span).as_ref(), *span),
                }
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
            Node::Ruby(script) => {
                self.ruby(script);
                Flow::Next
            }
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
                    let mut probe = self.state.schema.as_ref().clone();
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

    /// A text made at run time that is not known, or only in part. A query that calls none of the project's own
    /// functions changes nothing.
    fn unknown_text(&mut self, known: Option<&Holed>, span: Span) {
        let foreign = |name: &Name| !is_holed(name) && self.state.schema.find_functions(name).is_empty();
        if known.and_then(Holed::as_query).is_some_and(|query| query.calls().into_iter().all(foreign)) {
            return;
        }
        if let Some(setting) = known.and_then(Holed::as_setting) {
            return self.run(&Statement { span, operation: setting.clone() });
        }
        let reason = match known {
            Some(known) => format!("EXECUTE runs a text that is made at run time, `{}`", known.shown()),
            None => "EXECUTE runs a text that is made at run time".to_owned(),
        };
        let touches: Vec<Name> = known.and_then(Holed::target).cloned().into_iter().collect();
        let unread = Unread { reason: reason.into(), everything: touches.is_empty(), touches, reach: Reach::Anything };
        self.made_text = Some(known.is_some_and(|known| !known.takes_away()));
        self.run(&Statement { span, operation: Operation::Unread(unread) });
        self.made_text = None;
    }

    /// Runs a text made at run time.
    fn dynamic(&mut self, text: &str, span: Span, variables: &mut Variables) {
        if self.frames.len() >= FRAME_LIMIT {
            return self.too_deep(span);
        }
        self.frames.push(Frame { kind: FrameKind::Dynamic, span });
        for node in parse(text, span) {
            self.node(&node, variables);
        }
        self.frames.pop();
    }

    fn too_deep(&mut self, span: Span) {
        let reason = "nested too deeply to follow".into();
        let unread = Unread { reason, touches: Vec::new(), everything: true, reach: Reach::Anything };
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
                    let unread = Unread {
                        reason: reason.clone(),
                        touches: Vec::new(),
                        everything: true,
                        reach: Reach::Anything,
                    };
                    self.run(&Statement { span: *span, operation: Operation::Unread(unread) });
                }
                self.frames.pop();
                self.end_statement();
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
        self.end_statement();
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
