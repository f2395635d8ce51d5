//! Bodies of routines and DO blocks: PL/pgSQL's control flow into nodes, the SQL in it through the SQL reader.
//! Names are left unresolved.

mod block;
mod control;
mod declare;
mod embedded;
mod loops;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operation::{Body, Expr, Ident, Node, Query, Variable};
use crate::read::sql::lexer::Kind;
use crate::read::sql::tokens::Tokens;
use crate::read::sql::{self, expression};
use crate::source::{Piece, Span};

/// Blocks, branches and loops within one another.
const DEPTH: usize = 100;
/// Bytes of cursor queries that may be read again where a cursor is used.
const REPEATED_BYTES: usize = 1 << 20;

/// Bodies within bodies, by CREATE FUNCTION, DO or a literal EXECUTE.
const BODIES: usize = 6;

thread_local! {
    /// Bodies being read on this thread: one may hold another as a text.
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// Reads a body; `piece` is its decoded text.
pub fn body(piece: &Piece, language: &Ident) -> Body {
    let open = OPEN.get();
    OPEN.set(open + 1);
    let read = read(piece, language, open >= BODIES);
    OPEN.set(open);
    read
}

fn read(piece: &Piece, language: &Ident, too_deep: bool) -> Body {
    let whole = piece.span(0..piece.text().len());
    let tokens = Tokens::new(piece.text());
    let mut reader = Reader {
        piece,
        tokens: &tokens,
        at: 0,
        depth: 0,
        variables: Vec::new(),
        cursors: BTreeMap::new(),
        repeated: 0,
        unread: Vec::new(),
    };
    let nodes = match language.as_str() {
        "plpgsql" | "sql" if too_deep => {
            reader.unread.push((whole, "bodies are nested too deeply".into()));
            Vec::new()
        }
        "plpgsql" => reader.whole_body(),
        "sql" => sql::read(piece).nodes,
        other => {
            reader.unread.push((whole, format!("bodies in {other} are not read").into()));
            Vec::new()
        }
    };
    Body {
        text: piece.text().into(),
        span: whole,
        nodes: nodes.into(),
        variables: reader.variables.into(),
        unread: reader.unread.into(),
    }
}

/// Why reading stops: nothing behind this place can be trusted.
struct Broken(String);

type Read<T> = Result<T, Broken>;

/// Walks the tokens of one body.
struct Reader<'a> {
    piece: &'a Piece,
    tokens: &'a Tokens<'a>,
    at: usize,
    depth: usize,
    variables: Vec<Variable>,
    /// Queries of bound cursors, with the length of their texts.
    cursors: BTreeMap<Ident, (Query, usize)>,
    repeated: usize,
    unread: Vec<(Span, Arc<str>)>,
}

impl Reader<'_> {
    fn whole_body(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        // `#variable_conflict use_column` and other options of the compiler.
        while self.tokens.is_operator(self.at, "#") {
            self.at += 3;
        }
        let outcome = self.block(&mut nodes);
        self.eat_kind(Kind::Semicolon);
        let end = self.tokens.list.len();
        match outcome {
            Err(Broken(reason)) => self.set_aside(self.at, end, &reason),
            Ok(()) if self.at < end => self.set_aside(self.at, end, "text behind the end of the body"),
            Ok(()) => {}
        }
        // A block without handlers is no subtransaction, and the outermost one says nothing else.
        match <[Node; 1]>::try_from(nodes) {
            Ok([Node::Block { body, handlers }]) if handlers.is_empty() => body,
            Ok([node]) => vec![node],
            Err(nodes) => nodes,
        }
    }

    fn set_aside(&mut self, from: usize, to: usize, reason: &str) {
        let range = self.tokens.range(from, to);
        self.unread.push((self.piece.span(range), reason.into()));
    }

    fn span(&self, from: usize, to: usize) -> Span {
        self.piece.span(self.tokens.range(from, to))
    }

    fn expr(&self, from: usize, to: usize) -> Expr {
        expression::expression(self.piece, self.tokens.range(from, to)).tree
    }

    fn is(&self, word: &str) -> bool {
        self.tokens.is_word(self.at, word)
    }

    fn eat(&mut self, word: &str) -> bool {
        let stands = self.is(word);
        self.at += usize::from(stands);
        stands
    }

    fn eat_kind(&mut self, kind: Kind) -> bool {
        let stands = self.tokens.kind(self.at) == Some(kind);
        self.at += usize::from(stands);
        stands
    }

    fn expect(&mut self, word: &str) -> Read<()> {
        if self.eat(word) { Ok(()) } else { Err(self.expected(&word.to_ascii_uppercase())) }
    }

    fn expected(&self, what: &str) -> Broken {
        match self.tokens.list.get(self.at) {
            Some(token) => {
                let found = crate::operation::cut(token.text(self.tokens.text), 40);
                Broken(format!("expected {what}, found `{found}`"))
            }
            None => Broken(format!("expected {what}, found the end of the body")),
        }
    }

    /// The place of the semicolon that ends the statement here, or the end of the body.
    fn statement_end(&self) -> usize {
        let mut at = self.at;
        while at < self.tokens.list.len() && self.tokens.kind(at) != Some(Kind::Semicolon) {
            at = self.tokens.next_outside(at);
        }
        at.min(self.tokens.list.len())
    }

    /// The place of the first of `words` that ends the expression here. CASE has a THEN and an END of its own.
    fn expression_end(&self, words: &[&str]) -> Read<usize> {
        let mut at = self.at;
        let mut cases = 0usize;
        while at < self.tokens.list.len() && self.tokens.kind(at) != Some(Kind::Semicolon) {
            if cases == 0 && self.tokens.is_any(at, words) {
                return Ok(at);
            }
            if self.tokens.is_word(at, "case") {
                cases += 1;
            } else if self.tokens.is_word(at, "end") {
                cases = cases.saturating_sub(1);
            }
            at = self.tokens.next_outside(at);
        }
        Err(Broken(format!("expected {}, found none", words.join(" or ").to_ascii_uppercase())))
    }

    /// `<<label>>`.
    fn skip_label(&mut self) {
        if self.tokens.is_operator(self.at, "<<")
            && self.tokens.is_name(self.at + 1)
            && self.tokens.is_operator(self.at + 2, ">>")
        {
            self.at += 3;
        }
    }

    /// `END word [label];`, or the outermost block's END without a semicolon.
    fn end_of(&mut self, words: &[&str]) -> Read<()> {
        for word in words {
            self.expect(word)?;
        }
        if self.tokens.is_name(self.at) {
            self.at += 1;
        }
        if self.at < self.tokens.list.len() && !self.eat_kind(Kind::Semicolon) {
            return Err(self.expected("`;`"));
        }
        Ok(())
    }

    /// Reads one level further in.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH {
            return Err(Broken("nested too deeply".to_owned()));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    /// The query of a bound cursor, unless bodies repeat it without measure.
    fn cursor_query(&mut self, cursor: &Ident) -> Option<Query> {
        let (query, length) = self.cursors.get(cursor)?;
        self.repeated += length;
        (self.repeated <= REPEATED_BYTES).then(|| query.clone())
    }
}
