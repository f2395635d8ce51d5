//! What one migration may cost: steps, levels and bytes.

use super::flow::Leave;
use crate::source::Span;

/// Nodes that are worked out.
const STEPS: usize = 400_000;
/// Calls inside calls. A level takes several frames of ours: stacks hold them.
const LEVELS: usize = 120;
/// Texts and lists that are made, together.
const BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
pub(super) struct Budget {
    steps: usize,
    level: usize,
    depth: usize,
    bytes: usize,
}

/// Nodes inside nodes, over all levels.
const DEPTH: usize = 3_000;

impl Budget {
    pub fn step(&mut self, at: Span) -> Result<(), Leave> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(Leave::Spent { at, what: "it takes more steps than plimsoll follows" });
        }
        if self.depth > DEPTH {
            return Err(Leave::Spent { at, what: "it is nested too deeply to follow" });
        }
        Ok(())
    }

    /// What costs more than working out a node: branches that are joined, statements that are read.
    pub fn work(&mut self, steps: usize, at: Span) -> Result<(), Leave> {
        self.steps += steps;
        self.step(at)
    }

    pub fn deeper(&mut self) {
        self.depth += 1;
    }

    pub fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub fn level(&self) -> usize {
        self.level
    }

    pub fn enter(&mut self, at: Span) -> Result<(), Leave> {
        if self.level >= LEVELS {
            return Err(Leave::Spent { at, what: "its methods call each other too deeply to follow" });
        }
        self.level += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// Before so many bytes are made.
    pub fn bytes(&mut self, more: usize, at: Span) -> Result<(), Leave> {
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > BYTES {
            return Err(Leave::Spent { at, what: "it makes larger texts and lists than plimsoll follows" });
        }
        Ok(())
    }

    /// A list of so many values.
    pub fn items(&mut self, count: usize, at: Span) -> Result<(), Leave> {
        self.bytes(count.saturating_mul(32), at)
    }
}
