//! Conditions and loops: those that are decided run as they do; of the others every branch is gone.

use std::sync::Arc;

use super::Evaluator;
use super::flow::{Flow, Leave, Suspended, joined};
use super::given::Given;
use super::scope::same;
use crate::operation::{Frame, FrameKind, Ruby, RubyBegin, RubyKind, RubyTarget, RubyWhen};
use crate::rails::value::Value;
use crate::source::Span;

/// What joining the states of branches costs, in steps.
const FORK: usize = 50;

/// A branch of an undecided condition.
pub(super) type Branch<'b, 'a> = &'b mut dyn FnMut(&mut Evaluator<'a>) -> Flow;

impl<'a> Evaluator<'a> {
    pub(super) fn control(&mut self, node: &Ruby) -> Flow {
        let at = self.at(node.span);
        match &node.kind {
            RubyKind::Not(inner) => {
                let value = self.node(inner)?;
                Ok(match value.is_truthy() {
                    Some(answer) => Value::Bool(!answer),
                    None => Value::Unknown(self.why_unknown(&value)),
                })
            }
            RubyKind::And(left, right) => self.connected(left, right, at, true),
            RubyKind::Or(left, right) => self.connected(left, right, at, false),
            RubyKind::If { condition, then, otherwise } => {
                let value = self.node(condition)?;
                match value.is_truthy() {
                    Some(true) => self.statements(then),
                    Some(false) => self.statements(otherwise),
                    None => {
                        let first_leaves = leaves(then) || !leaves(otherwise);
                        let (one, other) = if first_leaves { (then, otherwise) } else { (otherwise, then) };
                        let place = self.at(condition.span);
                        self.undecided(
                            place,
                            &mut [
                                &mut |evaluator: &mut Evaluator<'a>| evaluator.statements(one),
                                &mut |evaluator: &mut Evaluator<'a>| evaluator.statements(other),
                            ],
                        )
                    }
                }
            }
            RubyKind::Case { subject, branches, otherwise } => self.case(subject.as_deref(), branches, otherwise, at),
            RubyKind::While { condition, body } => self.while_loop(condition, body, at),
            RubyKind::For { variables, over, body } => self.for_loop(variables, over, body, at),
            RubyKind::Begin(begin) => self.begin(begin, at),
            _ => Ok(Value::Nil),
        }
    }

    /// `a && b`, `a || b`: the right side runs where the left one asks for it.
    fn connected(&mut self, left: &Ruby, right: &Ruby, at: Span, is_and: bool) -> Flow {
        let value = self.node(left)?;
        match value.is_truthy() {
            Some(answer) if answer != is_and => Ok(value),
            Some(_) => self.node(right),
            None if is_plain(right) => {
                let other = self.node(right)?;
                // `unknown && false` is falsy whatever the left side is.
                match other.is_truthy() {
                    Some(answer) if answer != is_and => Ok(other),
                    _ => Ok(value),
                }
            }
            None => self.undecided(
                at,
                &mut [&mut |evaluator: &mut Evaluator<'a>| evaluator.node(right), &mut |_: &mut Evaluator<'a>| {
                    Ok(value.clone())
                }],
            ),
        }
    }

    /// Runs every branch from the same state, and joins what comes out. One that leaves the method or the block waits
    /// until that ends, where what follows is another branch beside it.
    pub(super) fn undecided(&mut self, at: Span, branches: &mut [Branch<'_, 'a>]) -> Flow {
        self.budget.work(FORK, at)?;
        let before = self.scopes.snapshot();
        self.world.fork(at);
        let mut flowing: Option<(Value, super::scope::Snapshot)> = None;
        let mut left: Vec<(Leave, super::scope::Snapshot)> = Vec::new();
        let count = branches.len();
        let mut last_flows = false;
        for (place, branch) in branches.iter_mut().enumerate() {
            if place > 0 {
                self.scopes.restore(before.clone());
            }
            let ran = branch(self);
            if let Err(Leave::Spent { at, what }) = ran {
                self.world.join(at, false);
                return Err(Leave::Spent { at, what });
            }
            let variables = self.scopes.snapshot();
            let is_last = place + 1 == count;
            last_flows = ran.is_ok();
            let gone = match ran {
                Ok(value) => {
                    flowing = Some(match flowing {
                        None => (value, variables),
                        Some((known, other)) => {
                            self.scopes.join(&other);
                            (joined(&known, &value), self.scopes.snapshot())
                        }
                    });
                    false
                }
                Err(leave) => {
                    let fails = matches!(leave, Leave::Raise { .. } | Leave::Throw);
                    left.push((leave, variables));
                    // A branch that leaves after one that goes on is no part of what goes on.
                    fails || flowing.is_some()
                }
            };
            if !is_last {
                self.world.next_branch(at, gone);
            } else if flowing.is_none() || !last_flows || left.iter().all(|(leave, _)| fails(leave)) {
                self.world.join(at, gone);
            }
        }
        let Some((value, variables)) = flowing else {
            // All leave: the first that does not fail says how.
            let place = left.iter().position(|(leave, _)| !fails(leave)).unwrap_or(0);
            let (leave, variables) = left.swap_remove(place);
            self.scopes.restore(variables);
            return Err(leave);
        };
        self.scopes.restore(variables);
        if last_flows && !left.iter().all(|(leave, _)| fails(leave)) {
            // The fork stays open until the method or block ends.
            let waiting = left.into_iter().find(|(leave, _)| !fails(leave));
            let ends_loop = matches!(waiting, Some((Leave::Break(_) | Leave::Return(_), _)));
            if let Some((Leave::Return(value) | Leave::Next(value) | Leave::Break(value), variables)) = waiting {
                self.suspended.push(Suspended { at, value, variables, ends_loop });
            }
        }
        Ok(value)
    }

    fn case(&mut self, subject: Option<&Ruby>, branches: &[RubyWhen], otherwise: &[Ruby], at: Span) -> Flow {
        let subject = subject.map(|subject| self.node(subject)).transpose()?;
        let mut open: Vec<&[Ruby]> = Vec::new();
        for branch in branches {
            let mut decided = Some(false);
            for value in &branch.values {
                let value = self.node(value)?;
                let holds = match &subject {
                    Some(subject) => self.matches_case(&value, subject, at)?,
                    None => value.is_truthy(),
                };
                match holds {
                    Some(true) => {
                        decided = Some(true);
                        break;
                    }
                    Some(false) => {}
                    None => decided = None,
                }
            }
            match decided {
                Some(false) => {}
                Some(true) if open.is_empty() => return self.statements(&branch.body),
                Some(true) => {
                    open.push(&branch.body);
                    return self.all_of(&open, at);
                }
                None => open.push(&branch.body),
            }
        }
        if open.is_empty() {
            return self.statements(otherwise);
        }
        open.push(otherwise);
        self.all_of(&open, at)
    }

    fn all_of(&mut self, bodies: &[&[Ruby]], at: Span) -> Flow {
        let mut ordered: Vec<&[Ruby]> = bodies.iter().copied().filter(|body| leaves(body)).collect();
        ordered.extend(bodies.iter().copied().filter(|body| !leaves(body)));
        let mut branches: Vec<_> =
            ordered.into_iter().map(|body| move |evaluator: &mut Evaluator<'a>| evaluator.statements(body)).collect();
        let mut branches: Vec<Branch<'_, 'a>> = branches.iter_mut().map(|branch| branch as Branch<'_, 'a>).collect();
        self.undecided(at, &mut branches)
    }

    /// `pattern === subject`
    fn matches_case(&mut self, pattern: &Value, subject: &Value, at: Span) -> Result<Option<bool>, Leave> {
        Ok(match pattern {
            Value::Regex { .. } | Value::Range { .. } => {
                let found = self.send(pattern.clone(), &"===".into(), Given::of(vec![subject.clone()]), at)?;
                found.is_truthy()
            }
            Value::Constant(class) => super::kernel::is_a(subject, class),
            _ => same(pattern, subject),
        })
    }

    fn while_loop(&mut self, condition: &Ruby, body: &[Ruby], at: Span) -> Flow {
        let mut rounds = 0_usize;
        loop {
            let value = self.node(condition)?;
            match value.is_truthy() {
                Some(true) => {}
                Some(false) => return Ok(Value::Nil),
                None => return self.round_of_unknown(at, &mut |evaluator| evaluator.statements(body)),
            }
            let kind = FrameKind::Loop(Some(rounds.to_string().into()));
            rounds += 1;
            self.world.enter(Frame { kind, span: at });
            let ran = self.round(&mut |evaluator| evaluator.statements(body));
            self.world.leave();
            match ran {
                Err(Leave::Break(value)) => return Ok(value),
                other => other?,
            };
            // Whether it ended in that round is not known: one round stands for all.
            if std::mem::take(&mut self.may_have_ended) {
                return Ok(Value::Nil);
            }
        }
    }

    fn for_loop(&mut self, variables: &[RubyTarget], over: &Ruby, body: &[Ruby], at: Span) -> Flow {
        let list = self.node(over)?;
        let set = |evaluator: &mut Self, value: Value| match variables {
            [one] => evaluator.set(one, value, at),
            many => evaluator.take_apart(many, &value, at),
        };
        let Some(items) = self.items_of(&list, at)? else {
            let unknown = Value::Unknown(self.why_unknown(&list));
            set(self, unknown)?;
            return self.round_of_unknown(at, &mut |evaluator| evaluator.statements(body));
        };
        for item in items {
            self.budget.step(at)?;
            self.world.enter(Frame { kind: FrameKind::Loop(item.to_text()), span: at });
            set(self, item)?;
            let ran = self.round(&mut |evaluator| evaluator.statements(body));
            self.world.leave();
            match ran {
                Err(Leave::Break(value)) => return Ok(value),
                other => other?,
            };
        }
        Ok(list)
    }

    /// One round of a loop: `next` ends it.
    pub(super) fn round(&mut self, body: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        let mark = self.suspended.len();
        let ran = match body(self) {
            Err(Leave::Next(value)) => Ok(value),
            other => other,
        };
        self.resume(mark, ran)
    }

    /// A loop over what is not known: its body once, and it may not run at all.
    pub(super) fn round_of_unknown(&mut self, at: Span, body: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        self.world.enter(Frame { kind: FrameKind::Loop(None), span: at });
        let mut round = |evaluator: &mut Evaluator<'a>| {
            let ran = evaluator.round(body);
            match ran {
                Err(Leave::Break(value) | Leave::Return(value)) => Ok(value),
                other => other,
            }
        };
        let ran = self.undecided(at, &mut [&mut round, &mut |_: &mut Evaluator<'a>| Ok(Value::Nil)]);
        self.world.leave();
        ran?;
        Ok(Value::unknown("how often the loop runs is not known"))
    }

    /// `begin … rescue … ensure`: what the database refuses is not foreseen, so both ways are gone where a handler
    /// takes that; what the body raises itself goes to its handler.
    fn begin(&mut self, begin: &RubyBegin, at: Span) -> Flow {
        let takes_refusals = begin.rescues.iter().find(|(classes, _)| rescues_refusals(classes));
        let ran = match takes_refusals {
            Some((_, handler)) => {
                let branches: &mut [Branch<'_, 'a>] = &mut [
                    &mut |evaluator: &mut Evaluator<'a>| evaluator.statements(handler),
                    &mut |evaluator: &mut Evaluator<'a>| evaluator.handled(begin),
                ];
                // A handler that raises again gives way to the body alone.
                match raises(handler) {
                    true => self.handled(begin),
                    false => self.undecided(at, branches),
                }
            }
            None => self.handled(begin),
        };
        if matches!(ran, Err(Leave::Spent { .. })) {
            return ran;
        }
        self.statements(&begin.ensure)?;
        ran
    }

    fn handled(&mut self, begin: &RubyBegin) -> Flow {
        match self.statements(&begin.body) {
            Err(Leave::Raise { class, message }) => {
                match begin.rescues.iter().find(|(classes, _)| rescues(classes, &class)) {
                    Some((_, body)) => self.statements(body),
                    None => Err(Leave::Raise { class, message }),
                }
            }
            Ok(value) if begin.otherwise.is_empty() => Ok(value),
            Ok(_) => self.statements(&begin.otherwise),
            other => other,
        }
    }
}

fn fails(leave: &Leave) -> bool {
    matches!(leave, Leave::Raise { .. } | Leave::Throw)
}

/// `rescue` without a class, or one that the raised class may be.
fn rescues(classes: &[Ruby], raised: &str) -> bool {
    let names: Vec<Arc<str>> = classes.iter().filter_map(super::file::constant_path).collect();
    classes.is_empty()
        || names
            .iter()
            .any(|name| matches!(&**name, "StandardError" | "Exception" | "RuntimeError") || **name == *raised)
}

/// A handler of what the database refuses, by any name that it has.
fn rescues_refusals(classes: &[Ruby]) -> bool {
    let names: Vec<Arc<str>> = classes.iter().filter_map(super::file::constant_path).collect();
    classes.is_empty()
        || names.iter().any(|name| {
            name.starts_with("ActiveRecord::") && **name != *"ActiveRecord::RecordNotFound"
                || name.starts_with("PG::")
                || matches!(&**name, "StandardError" | "Exception")
        })
}

fn raises(body: &[Ruby]) -> bool {
    let raise =
        |node: &Ruby| matches!(&node.kind, RubyKind::Call(call) if call.receiver.is_none() && &*call.name == "raise");
    body.last().is_some_and(raise)
}

/// A body whose last statement leaves it.
fn leaves(body: &[Ruby]) -> bool {
    match body.last().map(|node| &node.kind) {
        Some(RubyKind::Return(_) | RubyKind::Next(_) | RubyKind::Break(_)) => true,
        Some(RubyKind::Call(call)) => call.receiver.is_none() && &*call.name == "raise",
        Some(RubyKind::Sequence(inner)) => leaves(inner),
        _ => false,
    }
}

/// Working it out changes nothing.
fn is_plain(node: &Ruby) -> bool {
    match &node.kind {
        RubyKind::Nil
        | RubyKind::True
        | RubyKind::False
        | RubyKind::Integer(_)
        | RubyKind::Float(_)
        | RubyKind::String(_)
        | RubyKind::Symbol(_)
        | RubyKind::Constant { .. }
        | RubyKind::Variable(_) => true,
        RubyKind::Not(inner) => is_plain(inner),
        RubyKind::And(left, right) | RubyKind::Or(left, right) => is_plain(left) && is_plain(right),
        RubyKind::Call(call) => {
            let asks = call.name.ends_with('?') || matches!(&*call.name, "==" | "!=" | "[]" | "=~" | "<" | ">");
            asks && call.block.is_none()
                && call.receiver.as_ref().is_none_or(is_plain)
                && call.arguments.iter().all(is_plain)
        }
        _ => false,
    }
}
