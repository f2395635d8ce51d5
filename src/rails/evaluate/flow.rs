//! How running a piece of Ruby ends, and branches whose end is still open.

use std::sync::Arc;

use super::Evaluator;
use super::scope::Snapshot;
use crate::rails::value::Value;
use crate::source::Span;

/// A value, or what leaves.
pub(super) type Flow = Result<Value, Leave>;

#[derive(Debug, Clone)]
pub(super) enum Leave {
    Return(Value),
    Next(Value),
    Break(Value),
    Raise {
        class: Arc<str>,
        message: Value,
    },
    /// `throw`, `exit`: nothing here catches it.
    Throw,
    /// The budget is used up.
    Spent {
        at: Span,
        what: &'static str,
    },
}

/// A branch of an undecided condition that left a method or a block: its state waits until that ends.
#[derive(Debug)]
pub(super) struct Suspended {
    pub at: Span,
    pub value: Value,
    pub variables: Snapshot,
    /// `break` or `return`: the loop around it in its method may have ended here.
    pub ends_loop: bool,
}

impl Evaluator<'_> {
    /// Joins what left before with what came to the end now.
    pub(super) fn resume(&mut self, mark: usize, ran: Flow) -> Flow {
        let mut ran = ran;
        while self.suspended.len() > mark {
            let Some(one) = self.suspended.pop() else { break };
            self.may_have_ended |= one.ends_loop;
            // What fails or gives up here does not flow on; the branch that left before does.
            let gone = matches!(ran, Err(Leave::Raise { .. } | Leave::Throw));
            self.world.join(one.at, gone);
            if gone {
                self.scopes.restore(one.variables);
                ran = Ok(one.value);
                continue;
            }
            self.scopes.join(&one.variables);
            if let Ok(value) = &ran {
                ran = Ok(joined(value, &one.value));
            }
        }
        ran
    }
}

/// What is known where either may be.
pub(super) fn joined(one: &Value, other: &Value) -> Value {
    match super::scope::same(one, other) {
        Some(true) => one.clone(),
        _ => Value::unknown("it depends on a condition that is not known"),
    }
}
