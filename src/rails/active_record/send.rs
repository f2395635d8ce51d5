//! One call at work: what it may ask, and the statements it has sent so far.

use super::dialect::Dialect;
use super::given::{Asked, Reason};
use super::lookup::Catalog;
use crate::operation::Origin;
use crate::rails::call::Call;
use crate::read::sql;
use crate::schema::Schema;
use crate::source::{Piece, PieceBuilder, Span};

pub struct Work<'a> {
    pub call: &'a Call,
    pub dialect: &'a Dialect,
    pub schema: &'a Schema,
    sent: Vec<Piece>,
    /// Why something that the call does is not among it.
    left_out: Option<Reason>,
}

impl<'a> Work<'a> {
    pub fn new(call: &'a Call, dialect: &'a Dialect, schema: &'a Schema) -> Work<'a> {
        Work { call, dialect, schema, sent: Vec::new(), left_out: None }
    }

    /// The same for a call inside this one; what it sends is added.
    pub fn inside(&mut self, call: &Call, run: impl FnOnce(&mut Work) -> Asked<()>) -> Asked<()> {
        self.inside_at(call, self.schema, run)
    }

    /// Likewise, where the schema is that of a later moment.
    pub fn inside_at(&mut self, call: &Call, schema: &Schema, run: impl FnOnce(&mut Work) -> Asked<()>) -> Asked<()> {
        let mut inner = Work::new(call, self.dialect, schema);
        run(&mut inner)?;
        self.sent.append(&mut inner.sent);
        self.left_out = self.left_out.take().or(inner.left_out);
        Ok(())
    }

    pub fn table(&self) -> Asked<String> {
        self.call.table(self.dialect)
    }

    pub fn catalog(&self) -> Catalog<'a> {
        Catalog(self.schema)
    }

    /// Sends a statement that the call makes.
    pub fn send(&mut self, sql: &str) {
        self.sent.push(Piece::made_at(sql, self.call.span));
    }

    pub fn send_at(&mut self, sql: &str, at: Span) {
        self.sent.push(Piece::made_at(sql, at));
    }

    pub fn send_piece(&mut self, piece: Piece) {
        self.sent.push(piece);
    }

    /// Sends one statement made of parts, each with its place.
    pub fn send_parts(&mut self, parts: &[(String, Span)]) {
        let at = self.call.span;
        let mut text = PieceBuilder::new(at.source);
        for (part, place) in parts {
            // A helper's file is not this one: what it says stands where it is called.
            let place = if place.source == at.source { *place } else { at };
            text.replace(part, &Piece::made_at("", place), 0..0);
        }
        self.sent.push(text.finish());
    }

    /// Runs what was sent, but for so many statements that have run already; returned is how many have then. What fails
    /// is told where it runs for good.
    pub fn run_sent(&self, schema: &mut Schema, already: usize) -> usize {
        for piece in self.sent.iter().skip(already) {
            for node in sql::read(piece).nodes {
                node.statements(&mut |statement| _ = schema.apply(&statement.operation, &Origin::at(statement.span)));
            }
        }
        self.sent.len()
    }

    /// A part of what the call does is not worked out; the rest is sent.
    pub fn leave_out(&mut self, reason: Reason) {
        self.left_out.get_or_insert(reason);
    }

    /// What is sent, and why a part of it is missing.
    pub fn finish(self) -> (Vec<Piece>, Option<Reason>) {
        (self.sent, self.left_out)
    }
}
