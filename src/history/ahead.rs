//! What a migration in Ruby would send, before its turn has come: worked out on a schema of which nothing is known.

use crate::operation::{Frame, Node, Operation, RubyFile, RubyKind, RubyPart, RubyScript, Statement, walk};
use crate::rails::{Language, World, evaluate};
use crate::read::sql;
use crate::schema::Schema;
use crate::source::{Piece, Span};
use crate::version::Major;

/// Statements in the order in which they come, those of all branches.
pub fn ahead(script: &RubyScript, language: &Language) -> Vec<Statement> {
    let mut schema = Schema::new(Major::NEWEST);
    schema.expect_unseen();
    let mut world = Ahead { schema, sent: Vec::new(), opened: 0 };
    evaluate::run(script, language, &mut world);
    world.sent
}

/// A cheap look at the text: the setting is named somewhere in it.
pub fn names_lock_timeout(file: &RubyFile) -> bool {
    let mut named = false;
    let names = |part: &RubyPart| matches!(part, RubyPart::Text(text) if text.text().contains("lock_timeout"));
    walk(&file.body, &mut |node| match &node.kind {
        RubyKind::String(parts) => named |= parts.iter().any(names),
        RubyKind::Call(call) => named |= call.name.contains("lock_timeout"),
        _ => {}
    });
    named
}

struct Ahead {
    schema: Schema,
    sent: Vec<Statement>,
    opened: usize,
}

impl World for Ahead {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn send(&mut self, piece: &Piece) {
        for node in sql::read(piece).nodes {
            if let Node::Statement(statement) = node {
                self.sent.push(statement);
            }
        }
    }

    fn run(&mut self, operation: Operation, at: Span) {
        self.sent.push(Statement { span: at, operation });
    }

    fn count(&mut self, _: Span) {}

    fn enter(&mut self, _: Frame) {}

    fn leave(&mut self) {}

    fn in_transaction(&self) -> bool {
        self.opened > 0
    }

    fn begin(&mut self, _: Span) {
        self.opened += 1;
    }

    fn commit(&mut self, _: Span) {
        self.opened = self.opened.saturating_sub(1);
    }

    fn fork(&mut self, _: Span) {}

    fn next_branch(&mut self, _: Span, _: bool) {}

    fn join(&mut self, _: Span, _: bool) {}

    fn is_spent(&self) -> bool {
        false
    }
}
