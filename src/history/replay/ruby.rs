//! The world that a migration in Ruby meets: the state at its point of the history.

use std::sync::Arc;

use super::Replay;
use super::notes::Note;
use crate::data::Moment;
use crate::history::State;
use crate::operation::{Frame, FrameKind, Node, Operation, RubyDirection, RubyScript, Statement, Unread};
use crate::rails::{World, evaluate};
use crate::read::dynamic::Variables;
use crate::read::sql;
use crate::schema::Schema;
use crate::source::{Piece, Span};

/// An undecided condition.
#[derive(Debug)]
pub(super) struct Fork {
    before: State,
    joined: Option<State>,
    /// A loop over what is not known, rather than a condition.
    is_loop: bool,
    /// Where the branch at hand begins, and whether those before it changed nothing.
    since: Moment,
    untouched: bool,
}

impl Replay<'_> {
    pub(super) fn ruby(&mut self, script: &RubyScript) {
        let language = self.history.language.clone();
        let (forks, frames) = (self.forks.len(), self.frames.len());
        evaluate::run(script, &language, self);
        // A migration that was given up in the middle leaves nothing open.
        while self.forks.len() > forks {
            self.join(script.span, false);
        }
        self.frames.truncate(frames);
    }

    /// Puts the state of a branch aside.
    fn end_branch(&mut self, at: Span, leaves: bool) {
        let origin = self.origin(at);
        let Some(fork) = self.forks.last_mut() else { return };
        let arm = std::mem::replace(&mut self.state, fork.before.clone());
        let untouched = std::mem::replace(&mut fork.since, self.moment) == self.moment;
        if leaves {
            return;
        }
        fork.joined = Some(match fork.joined.take() {
            None => {
                fork.untouched = untouched;
                arm
            }
            Some(other) if untouched && fork.untouched => other,
            Some(other) => {
                fork.untouched = false;
                other.join(&arm, &origin)
            }
        });
    }
}

impl World for Replay<'_> {
    fn schema(&self) -> &Schema {
        &self.state.schema
    }

    fn send(&mut self, piece: &Piece) {
        let text = sql::read(piece);
        // Several statements in one text are one implicit transaction.
        let opens = text.nodes.len() > 1 && self.session.transaction.is_none();
        let whole = piece.span(0..piece.text().len());
        if whole.source != self.history.migrations[self.at.migration].source {
            self.plan.note_read(whole.source, self.at.migration);
        }
        if opens {
            let origin = self.origin(whole);
            self.begin(&origin, true);
        }
        for node in &text.nodes {
            self.node(node, &mut Variables::default());
        }
        if opens && self.session.transaction.as_ref().is_some_and(|open| open.implied) {
            self.commit();
        }
    }

    fn run(&mut self, operation: Operation, at: Span) {
        Replay::run(self, &Statement { span: at, operation });
    }

    fn unread(&mut self, unread: Unread, declare: Option<Arc<str>>, at: Span) {
        self.unread = Some(declare);
        World::run(self, Operation::Unread(unread), at);
        self.unread = None;
    }

    fn count(&mut self, _: Span) {
        self.notes.push(Note::Call(self.at));
    }

    fn enter(&mut self, frame: Frame) {
        self.depth.loops += usize::from(matches!(frame.kind, FrameKind::Loop(_)));
        self.frames.push(frame);
    }

    fn leave(&mut self) {
        let left = self.frames.pop();
        let is_loop = left.is_some_and(|frame| matches!(frame.kind, FrameKind::Loop(_)));
        self.depth.loops = self.depth.loops.saturating_sub(usize::from(is_loop));
    }

    fn in_transaction(&self) -> bool {
        self.session.transaction.is_some()
    }

    fn begin(&mut self, at: Span) {
        let origin = self.origin(at);
        Replay::begin(self, &origin, false);
    }

    fn commit(&mut self, _: Span) {
        Replay::commit(self);
    }

    fn fork(&mut self, at: Span) {
        let is_loop = self.frames.last().is_some_and(|frame| frame.kind == FrameKind::Loop(None));
        let (before, since) = (self.state.clone(), self.moment);
        self.forks.push(Fork { before, joined: None, is_loop, since, untouched: true });
        self.depth.undecided += 1;
        self.depth.guards += usize::from(!is_loop);
        self.frames.push(Frame { kind: FrameKind::Undecided, span: at });
    }

    fn next_branch(&mut self, at: Span, leaves: bool) {
        self.end_branch(at, leaves);
    }

    fn join(&mut self, at: Span, leaves: bool) {
        self.end_branch(at, leaves);
        let Some(fork) = self.forks.pop() else { return };
        self.state = fork.joined.unwrap_or(fork.before);
        self.depth.undecided = self.depth.undecided.saturating_sub(1);
        self.depth.guards = self.depth.guards.saturating_sub(usize::from(!fork.is_loop));
        // A branch that waited for the end of its method is joined inside frames that came after it.
        if let Some(place) = self.frames.iter().rposition(|frame| frame.kind == FrameKind::Undecided) {
            self.frames.remove(place);
        }
    }

    fn migration(&self, class: &str, direction: RubyDirection) -> Option<Arc<RubyScript>> {
        let scripts = self.history.migrations.iter().filter_map(|one| match direction {
            RubyDirection::Up => Some(&one.up),
            RubyDirection::Down => one.down.as_ref(),
        });
        let mut found = scripts.flat_map(|script| &script.nodes).filter_map(|node| match node {
            Node::Ruby(script) if *script.class == *class => Some(script.clone()),
            _ => None,
        });
        found.next()
    }

    fn is_spent(&self) -> bool {
        self.steps_left == 0
    }
}
