//! SQL statements inside a body, as text and by EXECUTE.

use std::ops::Range;

use super::{Read, Reader};
use crate::operation::{Constant, Expr, Name, Node, Operation, Statement, Transaction};
use crate::read::sql;
use crate::read::sql::expression::{self, Verb};
use crate::read::sql::lexer::Kind;
use crate::read::sql::literal;
use crate::read::sql::tokens::ESCAPE;
use crate::source::{Piece, PieceBuilder};

impl Reader<'_> {
    /// Any statement of SQL.
    pub fn embedded(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        self.sql(self.at, end, nodes);
        self.at = end + 1;
        Ok(())
    }

    /// The statement `from..to` of this body.
    pub fn sql(&mut self, from: usize, to: usize, nodes: &mut Vec<Node>) {
        if from >= to {
            return;
        }
        let range = self.tokens.range(from, to);
        let span = self.piece.span(range.clone());
        let (operation, into) = statement(self.piece, range);
        nodes.push(Node::Statement(Statement { span, operation }));
        for target in into {
            let value = Expr::Other { text: "RETURNING".into(), parts: Vec::new() };
            nodes.push(Node::Assign { qualifier: target.schema, target: target.name, value, span });
        }
    }

    /// `PERFORM x` is `SELECT x` without its result.
    pub fn perform(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        let span = self.span(self.at, end);
        let mut select = PieceBuilder::new(self.piece.source());
        select.substitute("SELECT ", span.start);
        select.copy(self.piece, self.tokens.range(self.at + 1, end));
        let select = select.finish();
        let whole = 0..select.text().len();
        nodes.push(Node::Statement(Statement { span, operation: statement(&select, whole).0 }));
        self.at = end + 1;
        Ok(())
    }

    pub fn execute(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        self.dynamic(self.at + 1, end, nodes);
        self.at = end + 1;
        Ok(())
    }

    /// `text [INTO targets] [USING values]` behind EXECUTE. A literal text is read in its place.
    pub fn dynamic(&mut self, from: usize, end: usize, nodes: &mut Vec<Node>) {
        let text_end = self.tokens.find(from, end, &["into", "using"]).unwrap_or(end);
        let into = self.tokens.find(from, end, &["into"]);
        let using = self.tokens.find(from, end, &["using"]);
        if let Some(piece) = self.literal_text(from, text_end) {
            nodes.extend(sql::read(&piece).nodes);
        } else {
            let values = using.map_or(Vec::new(), |using| {
                let values_end = into.filter(|into| *into > using).unwrap_or(end);
                self.tokens.split(using + 1, values_end)
            });
            let using = values.into_iter().map(|(from, to)| self.expr(from, to)).collect();
            let sql = self.expr(from, text_end);
            nodes.push(Node::Dynamic { sql, using, into: into.is_some(), span: self.span(from, end) });
        }
        if let Some(into) = into {
            let targets_end = using.filter(|using| *using > into).unwrap_or(end);
            let first = into + 1 + usize::from(self.tokens.is_word(into + 1, "strict"));
            for (target, _) in self.tokens.split(first, targets_end) {
                self.unknown_value(target, from, end, nodes);
            }
        }
    }

    fn literal_text(&self, from: usize, to: usize) -> Option<Piece> {
        let literals = self.tokens.list.get(from..to)?;
        let first = literals.first()?;
        if !matches!(first.kind, Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::Dollar) {
            return None;
        }
        let one = literals.len() == 1;
        let joined = first.kind != Kind::Dollar && literals[1..].iter().all(|token| token.kind == Kind::String);
        // The expression reader knows whether adjacent literals are one.
        let is_constant = || matches!(self.expr(from, to), Expr::Constant(Constant::String(_)));
        (one || (joined && is_constant())).then(|| literal::piece(self.piece, literals, ESCAPE))
    }

    pub fn transaction(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        let transaction = if self.is("commit") { Transaction::Commit } else { Transaction::Rollback };
        let span = self.span(self.at, end);
        nodes.push(Node::Statement(Statement { span, operation: Operation::Transaction(transaction) }));
        self.at = end + 1;
        Ok(())
    }
}

/// One statement, and the variables that its RETURNING goes INTO.
fn statement(piece: &Piece, range: Range<usize>) -> (Operation, Vec<Name>) {
    let outcome = match expression::into_variables(&piece.text()[range.clone()]) {
        Some(Verb::Write) => expression::write_into_variables(piece, range.clone())
            .map(|(write, into)| (Operation::Write(Box::new(write)), into)),
        Some(Verb::Query) => expression::query_into_variables(piece, range.clone())
            .map(|query| (Operation::Query(Box::new(query)), Vec::new())),
        None => return (sql::read_statement(piece, range).operation, Vec::new()),
    };
    outcome.unwrap_or_else(|reason| (sql::unread_statement(piece, range, reason), Vec::new()))
}
