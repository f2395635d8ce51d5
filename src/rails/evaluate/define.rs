//! Blocks, lambdas and procs: made, called, yielded to; `super`.

use std::sync::Arc;

use super::flow::{Flow, Leave};
use super::given::Given;
use super::object::Thing;
use super::{Activation, Evaluator};
use crate::operation::{Frame, FrameKind, Ruby, RubyBlock, RubyTarget, RubyVariable};
use crate::rails::value::Value;
use crate::source::Span;

impl Evaluator<'_> {
    pub(super) fn procedure(&mut self, block: &Arc<RubyBlock>, is_lambda: bool) -> Value {
        let around = self.here.clone();
        self.make(Thing::Procedure { block: block.clone(), around, is_lambda })
    }

    /// `&:name`, `&block`, `&method(:name)`
    pub(super) fn block_argument(&mut self, node: &Ruby) -> Result<Option<Value>, Leave> {
        Ok(match self.node(node)? {
            Value::Symbol(name) => Some(self.make(Thing::Sender(name))),
            Value::Nil => None,
            other => Some(other),
        })
    }

    /// Calls a block or a procedure.
    pub(super) fn call_block(&mut self, block: &Value, given: Given, at: Span) -> Flow {
        let Some(thing) = self.thing_of(block).cloned() else {
            return Ok(Value::Unknown(self.why_unknown(block)));
        };
        match thing {
            Thing::Procedure { block, around, is_lambda } => self.call_procedure(&block, around, is_lambda, given, at),
            Thing::Sender(name) => {
                let mut arguments = given.arguments.into_iter();
                let Some(receiver) = arguments.next() else { return Ok(Value::Nil) };
                self.send(receiver, &name, Given::of(arguments.collect()), at)
            }
            Thing::Method(name) => self.send_to_self(&name, given, at),
            _ => Ok(Value::unknown("what is called here is no block")),
        }
    }

    fn call_procedure(
        &mut self,
        block: &RubyBlock,
        around: Activation,
        is_lambda: bool,
        given: Given,
        at: Span,
    ) -> Flow {
        self.budget.enter(at)?;
        let scope = self.scopes.open(Some(around.scope), self.things.len());
        let outer = std::mem::replace(&mut self.here, Activation { scope, ..around });
        let mark = self.suspended.len();
        let ran = self.bind(&block.parameters, given, is_lambda).and_then(|()| self.statements(&block.body));
        let ran = match ran {
            Err(Leave::Next(value)) => Ok(value),
            Err(Leave::Return(value)) if is_lambda => Ok(value),
            other => other,
        };
        let ran = self.resume(mark, ran);
        self.scopes.close(self.here.scope, self.things.len());
        self.here = outer;
        self.budget.leave();
        ran
    }

    /// Calls a block of which one parameter is changed in place: what it gives, and what that parameter is in the end.
    pub(super) fn call_with_memo(
        &mut self,
        block: &Value,
        arguments: Vec<Value>,
        place: usize,
        at: Span,
    ) -> Result<(Value, Value), Leave> {
        let held = arguments.get(place).cloned().unwrap_or(Value::Nil);
        let Some(Thing::Procedure { block: body, around, .. }) = self.thing_of(block).cloned() else {
            return Ok((self.call_block(block, Given::of(arguments), at)?, held));
        };
        let name = match body.parameters.required.get(place) {
            Some(RubyTarget::Variable(RubyVariable::Local(name))) => name.clone(),
            _ => return Ok((self.call_block(block, Given::of(arguments), at)?, held)),
        };
        self.budget.enter(at)?;
        let scope = self.scopes.open(Some(around.scope), self.things.len());
        let outer = std::mem::replace(&mut self.here, Activation { scope, ..around });
        let mark = self.suspended.len();
        let bound = self.bind(&body.parameters, Given::of(arguments), false);
        let ran = match bound.and_then(|()| self.statements(&body.body)) {
            Err(Leave::Next(value)) => Ok(value),
            other => other,
        };
        let ran = self.resume(mark, ran);
        let memo = self.scopes.get(scope, &name).cloned().unwrap_or(Value::Nil);
        self.scopes.close(scope, self.things.len());
        self.here = outer;
        self.budget.leave();
        Ok((ran?, memo))
    }

    /// Calls a block once for each item; `break` gives the value of all.
    pub(super) fn each(
        &mut self,
        items: Vec<Value>,
        block: &Value,
        at: Span,
        round: &mut dyn FnMut(&mut Self, &Value, Value) -> Result<bool, Leave>,
    ) -> Result<Option<Value>, Leave> {
        for item in items {
            self.budget.step(at)?;
            self.world.enter(Frame { kind: FrameKind::Loop(loop_name(&item)), span: at });
            let ran = round(self, block, item);
            self.world.leave();
            match ran {
                Ok(true) => {}
                Ok(false) => break,
                Err(Leave::Break(value)) => return Ok(Some(value)),
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }

    pub(super) fn yields(&mut self, arguments: &[Ruby], at: Span) -> Flow {
        let arguments = self.spread(arguments, at)?;
        let Some(block) = self.here.block.clone() else { return Ok(Value::Nil) };
        // What the caller's block sends are calls of its own.
        let counted = std::mem::take(&mut self.counted);
        let ran = self.call_block(&block, Given::of(arguments), at);
        self.counted = counted;
        ran
    }

    /// `super`: the next method of that name; the framework's own does nothing worth a word.
    pub(super) fn above(&mut self, arguments: Option<&[Ruby]>, at: Span) -> Flow {
        let given = match arguments {
            Some(arguments) => Given::of(self.spread(arguments, at)?),
            None => Given::default(),
        };
        let (owner, method, on_class) = (self.here.class.clone(), self.here.method.clone(), self.here.on_class);
        let class = self.script.class.clone();
        match self.index.above(&class, &owner, &method, on_class) {
            Some((owner, method)) => self.own_method(&owner, &method, on_class, given, at),
            None => self.framework_call(&method, given, at),
        }
    }
}

/// What a round of a loop is about, for those who read of it.
fn loop_name(item: &Value) -> Option<Arc<str>> {
    match item {
        Value::Array(items) => items.first()?.to_text(),
        other => other.to_text(),
    }
}
