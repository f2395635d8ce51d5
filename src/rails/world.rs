//! What a migration's Ruby meets while it runs: the database at that point of the history, and the runner.

use std::sync::Arc;

use crate::operation::{Frame, Operation, RubyDirection, RubyScript, Unread};
use crate::schema::Schema;
use crate::source::{Piece, Span};

/// The replay of a history implements it; tests may with less.
pub trait World {
    /// The schema at this point.
    fn schema(&self) -> &Schema;

    /// Sends a text of SQL; its places are those of the file where it has them.
    fn send(&mut self, sql: &Piece);

    /// Does one operation that is no SQL text: what could not be read, queues and ends of background work.
    fn run(&mut self, operation: Operation, at: Span);

    /// Says what is not understood; `declare` is what would make it known.
    fn unread(&mut self, unread: Unread, declare: Option<Arc<str>>, at: Span) {
        let _ = declare;
        self.run(Operation::Unread(unread), at);
    }

    /// A migration call begins: what `statements` counts in Ruby.
    fn count(&mut self, at: Span);

    /// Opens and closes a level between the call site and what it sends.
    fn enter(&mut self, frame: Frame);
    fn leave(&mut self);

    fn in_transaction(&self) -> bool;
    /// BEGIN and COMMIT as the runner or a `transaction` block sends them.
    fn begin(&mut self, at: Span);
    fn commit(&mut self, at: Span);

    /// Branches of a condition that cannot be decided: each begins from the state at `fork`; `next_branch` puts the
    /// state so far aside and begins again from there, `join` makes one state of all. A branch that `leaves` (return,
    /// raise) is no part of what goes on.
    fn fork(&mut self, at: Span);
    fn next_branch(&mut self, at: Span, leaves: bool);
    fn join(&mut self, at: Span, leaves: bool);

    /// A migration of the same history by its class: what `revert` goes back over.
    fn migration(&self, class: &str, direction: RubyDirection) -> Option<Arc<RubyScript>> {
        let _ = (class, direction);
        None
    }

    /// No more steps are taken: the migration has used up its budget.
    fn is_spent(&self) -> bool;
}
