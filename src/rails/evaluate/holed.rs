//! Texts of SQL with parts that only the running program knows. Where all of it writes rows, it is read with parameters in
//! the place of those parts, and what cannot be read so touches rows alone.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::operation::{Node, Operation, Statement};
use crate::read::sql;
use crate::read::sql::lexer::{Kind, Lexer, Token};
use crate::source::{Piece, Span};

/// In the place of what is not known.
pub(super) const HOLE: &str = "$1";

/// How many such texts are kept: they are used where they are made.
const KEPT: usize = 32;

/// By the very reason that the value which stands for the text has.
#[derive(Debug, Default)]
pub(super) struct Holed(VecDeque<(Arc<str>, Arc<str>)>);

/// What a text with holes is good for.
pub(super) enum Rows {
    /// It is understood with parameters in it.
    Read(Piece),
    /// It writes rows, or asks for them; which ones is not known.
    Unread,
}

impl Holed {
    /// Keeps a text; gives the reason under which it is found again.
    pub fn keep(&mut self, why: &str, text: &str) -> Arc<str> {
        let why: Arc<str> = why.into();
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((why.clone(), text.into()));
        why
    }

    /// `None`: it may do anything.
    pub fn rows(&self, why: &Arc<str>, at: Span) -> Option<Rows> {
        let (_, text) = self.0.iter().rfind(|(kept, _)| Arc::ptr_eq(kept, why))?;
        let statements = text.split(';').map(str::trim).filter(|statement| !statement.is_empty());
        let words: Vec<&str> = statements.map(first_word).collect();
        if !words.iter().all(|word| ABOUT_ROWS.iter().any(|known| word.eq_ignore_ascii_case(known))) {
            return None;
        }
        let read = parameters(text).map(|text| Piece::made_at(&text, at));
        let understood = |node: &Node| match node {
            Node::Statement(Statement { operation: Operation::Write(_), .. }) => true,
            Node::Statement(Statement { operation: Operation::Query(query), .. }) => !query.from.is_empty(),
            _ => false,
        };
        if let Some(piece) = read.filter(|piece| sql::read(piece).nodes.iter().all(understood)) {
            return Some(Rows::Read(piece));
        }
        // A query may call what makes and takes away objects.
        let queries = |word: &&str| word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with");
        (!words.iter().any(queries)).then_some(Rows::Unread)
    }
}

/// The text with holes only where a parameter can stand. A literal that is known in part is not known; `None` where a
/// name or a number is known in part.
fn parameters(text: &str) -> Option<String> {
    let tokens: Vec<Token> = Lexer::new(text).collect();
    let (mut made, mut done) = (String::with_capacity(text.len()), 0);
    for (at, token) in tokens.iter().enumerate() {
        let Range { start, end } = token.range();
        if token.kind == Kind::Comment || !text[start..end].contains(HOLE) {
            continue;
        }
        let is_part = |kind: Kind| matches!(kind, Kind::Word | Kind::Quoted | Kind::Number | Kind::Parameter);
        let before = tokens[..at].last().filter(|one| one.end == token.start);
        let behind = tokens.get(at + 1).filter(|one| one.start == token.end);
        let alone = !before.into_iter().chain(behind).any(|one| is_part(one.kind));
        let is_value = match token.kind {
            Kind::String | Kind::EscapeString => true,
            Kind::Parameter => &text[start..end] == HOLE && alone,
            _ => false,
        };
        if !is_value {
            return None;
        }
        made.push_str(&text[done..start]);
        made.push_str(HOLE);
        done = end;
    }
    made.push_str(&text[done..]);
    Some(made)
}

const ABOUT_ROWS: &[&str] = &["select", "insert", "update", "delete", "with", "merge", "truncate", "analyze"];

fn first_word(statement: &str) -> &str {
    statement.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_parameters_only_where_a_value_stands() {
        let read = |text: &str| parameters(text);
        assert_eq!(read("DELETE FROM t WHERE id < $1").as_deref(), Some("DELETE FROM t WHERE id < $1"));
        assert_eq!(read("UPDATE t SET a = 'x$1y', b = E'\\t$1'").as_deref(), Some("UPDATE t SET a = $1, b = $1"));
        assert_eq!(read("UPDATE t SET a = 1 -- $1x").as_deref(), Some("UPDATE t SET a = 1 -- $1x"));
        for part in
            ["UPDATE t_$1 SET a = 1", "UPDATE $1t SET a = 1", "UPDATE \"t$1\" SET a = 1", "DELETE FROM t LIMIT 1$1"]
        {
            assert_eq!(read(part), None, "{part}");
        }
        assert_eq!(read("DELETE FROM t LIMIT $10"), None, "a number that ends in what is known");
    }
}
