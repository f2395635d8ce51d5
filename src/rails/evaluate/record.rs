//! `change` and `revert`: calls are kept, turned round, and sent in the opposite order, as Active Record's recorder
//! does.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::Given;
use super::object::Thing;
use crate::operation::Frame;
use crate::rails::active_record;
use crate::rails::call::Call;
use crate::rails::value::Value;
use crate::source::Span;

#[derive(Debug)]
pub(super) struct Recorder {
    reverting: bool,
    kept: Vec<Recorded>,
}

/// What was kept, with the way that led to it.
#[derive(Debug, Clone)]
pub(super) enum Recorded {
    Call(Call),
    /// A block of `reversible` or `up_only`: it runs as it stands.
    Block {
        block: Value,
        arguments: Vec<Value>,
        at: Span,
    },
    /// It cannot be turned round, and why.
    Fixed {
        reason: Arc<str>,
        call: Call,
    },
}

impl Evaluator<'_> {
    pub(super) fn is_reverting(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.reverting)
    }

    /// Runs a body backwards.
    pub(super) fn undone(&mut self, at: Span, body: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        let outer = self.recorder.take();
        let reverting = !outer.as_ref().is_some_and(|recorder| recorder.reverting);
        self.recorder = Some(Recorder { reverting, kept: Vec::new() });
        let ran = body(self);
        let mut kept = self.recorder.take().map_or_else(Vec::new, |recorder| recorder.kept);
        kept.reverse();
        self.recorder = outer;
        match &mut self.recorder {
            Some(outer) => outer.kept.extend(kept),
            None => {
                for one in kept {
                    self.budget.step(at)?;
                    self.replay(one)?;
                }
            }
        }
        ran
    }

    fn replay(&mut self, recorded: Recorded) -> Flow {
        match recorded {
            Recorded::Call(call) => self.perform(call),
            Recorded::Block { block, arguments, at } => self.call_block(&block, Given::of(arguments), at),
            Recorded::Fixed { reason, call } => {
                self.unread_call(&call, reason);
                Ok(Value::Nil)
            }
        }
    }

    /// Keeps a block to be run in its turn, or runs it now.
    pub(super) fn keep_block(&mut self, block: Value, arguments: Vec<Value>, at: Span) -> Flow {
        match &mut self.recorder {
            Some(recorder) => {
                recorder.kept.push(Recorded::Block { block, arguments, at });
                Ok(Value::Nil)
            }
            None => self.call_block(&block, Given::of(arguments), at),
        }
    }

    /// `reversible do |dir|`
    pub(super) fn reversible(&mut self, block: Value, at: Span) -> Flow {
        let reverting = self.is_reverting();
        let direction = self.make(Thing::Direction { reverting });
        self.keep_block(block, vec![direction], at)
    }

    /// Sends a call, or keeps it where what is done is to be undone.
    pub(super) fn keep_or_perform(&mut self, call: Call) -> Flow {
        let Some(recorder) = &mut self.recorder else { return self.perform(call) };
        let kept = match recorder.reverting {
            false => Recorded::Call(call),
            true => match active_record::inverse(&call, &self.dialect) {
                Ok(inverse) => Recorded::Call(inverse),
                Err(reason) => Recorded::Fixed { reason, call },
            },
        };
        recorder.kept.push(kept);
        Ok(Value::Nil)
    }

    /// Counts a call of the migration's own; what it calls in turn is part of it.
    pub(super) fn counting<T>(&mut self, at: Span, frame: Option<Frame>, run: impl FnOnce(&mut Self) -> T) -> T {
        if self.counted == 0 {
            self.world.count(at);
        }
        self.counted += 1;
        let framed = frame.is_some();
        if let Some(frame) = frame {
            self.world.enter(frame);
        }
        let ran = run(self);
        if framed {
            self.world.leave();
        }
        self.counted -= 1;
        ran
    }
}
