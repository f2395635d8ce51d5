//! SQL text to operations: lexer, statements, PostgreSQL's grammar of definitions and utilities.
//! Expressions, queries and writes are read by `expression`.

mod alter;
mod alter_table;
mod column;
mod constraint;
pub mod cursor;
mod data_type;
mod drop;
pub mod expression;
mod index;
mod keywords;
pub mod lexer;
pub mod literal;
mod meta;
mod privileges;
mod routine;
mod sequence;
mod set;
pub mod split;
pub mod statement;
mod table;
pub(crate) mod tokens;
mod transaction;
mod trigger;
mod types;
mod unread;
mod utility;
mod view;

pub use tokens::same_tokens;

use std::ops::Range;

use cursor::Cursor;
use lexer::{Kind, Lexer, Token};
use split::{Long, LongRows, Part, Splitter};

use crate::operation::{Comment, Node, Operation, Reach, Rows, Statement, Transaction, TypeName, Unread, WriteKind};
use crate::source::{Piece, PieceBuilder};

/// What a text holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlText {
    pub nodes: Vec<Node>,
    pub comments: Vec<Comment>,
    /// All statements, the unread ones too.
    pub statements: usize,
}

/// Less text is read sooner by one thread.
const LARGE: usize = 128 * 1024;

/// Reads a file, or a part of one.
pub fn read(piece: &Piece) -> SqlText {
    let mut splitter = Splitter::new(piece);
    let mut reader = meta::Reader::default();
    // Statements say nothing of each other.
    if piece.text().len() >= LARGE {
        let mut parts = Vec::new();
        while let Some(part) = splitter.next_part() {
            parts.push((part, std::mem::take(&mut splitter.tokens)));
        }
        let length =
            |(_, tokens): &(Part, Vec<Token>)| tokens.last().map_or(0, |last| last.end - tokens[0].start) as usize;
        let read = super::each(&parts, length, |(part, tokens)| part_of(piece, part, tokens));
        for ((part, _), read) in parts.iter().zip(read) {
            reader.take(piece, part, read);
        }
    } else {
        while let Some(part) = splitter.next_part() {
            let read = part_of(piece, &part, &splitter.tokens);
            reader.take(piece, &part, read);
        }
    }
    let comments = splitter.comments;
    let (nodes, statements) = reader.finish();
    SqlText { nodes, comments, statements }
}

/// A statement, and whether it begins another transaction.
fn part_of(piece: &Piece, part: &Part, tokens: &[Token]) -> Option<(Statement, bool)> {
    match part {
        Part::Meta(_) => None,
        Part::Statement => Some((statement(piece, tokens), chains(piece, tokens))),
        Part::Long(long) => Some((long_statement(piece, tokens, long), false)),
        Part::Executed => Some((executed(piece, tokens), false)),
    }
}

/// Reads one statement, without its `;`.
pub fn read_statement(piece: &Piece, range: Range<usize>) -> Statement {
    let lexer = Lexer::from(&piece.text()[..range.end], range.start);
    let tokens: Vec<Token> = lexer.filter(|token| token.kind != Kind::Comment).collect();
    if tokens.is_empty() {
        let reason = "nothing stands here".into();
        let operation =
            Operation::Unread(Unread { reason, touches: Vec::new(), everything: false, reach: Reach::Anything });
        return Statement { span: piece.span(range), operation };
    }
    statement(piece, &tokens)
}

/// What a statement that cannot be read may touch.
pub(crate) fn unread_statement(piece: &Piece, range: Range<usize>, reason: String) -> Operation {
    let lexer = Lexer::from(&piece.text()[..range.end], range.start);
    let tokens: Vec<Token> = lexer.filter(|token| token.kind != Kind::Comment).collect();
    Operation::Unread(unread::unread(&Cursor::new(piece, &tokens), reason))
}

/// Reads the name of a type that makes up all of `range`.
pub fn type_name(piece: &Piece, range: Range<usize>) -> Option<TypeName> {
    let lexer = Lexer::from(&piece.text()[..range.end], range.start);
    let tokens: Vec<Token> = lexer.filter(|token| token.kind != Kind::Comment).collect();
    let mut cursor = Cursor::new(piece, &tokens);
    let data_type = cursor.type_name().ok()?;
    cursor.is_done().then_some(data_type)
}

fn statement(piece: &Piece, tokens: &[Token]) -> Statement {
    let cursor = Cursor::new(piece, tokens);
    Statement { span: cursor.span(0..tokens.len()), operation: statement::read(cursor) }
}

/// COMMIT AND CHAIN and ROLLBACK AND CHAIN begin the next transaction at once.
fn chains(piece: &Piece, tokens: &[Token]) -> bool {
    let cursor = Cursor::new(piece, tokens);
    cursor.is_any(&["commit", "rollback", "end", "abort"]) && cursor.chains()
}

fn executed(piece: &Piece, tokens: &[Token]) -> Statement {
    let read = statement(piece, tokens);
    let reason = "psql runs the result of this query (\\gexec)".into();
    Statement {
        operation: Operation::Unread(Unread { reason, touches: Vec::new(), everything: true, reach: Reach::Anything }),
        ..read
    }
}

/// A statement too long to keep: of an INSERT its target, columns, first row, count of rows and what follows
/// them; nothing of others.
fn long_statement(piece: &Piece, tokens: &[Token], long: &Long) -> Statement {
    let start = tokens.first().map_or(0, |token| token.start as usize);
    let span = piece.span(start..long.end);
    let Some(rows) = long.rows else {
        let unread = unread::unread(&Cursor::new(piece, tokens), "the statement is too long to read".to_owned());
        return Statement { span, operation: Operation::Unread(unread) };
    };
    let mut operation = statement(&insert_head(piece, start, long.end, rows)).operation;
    if let Operation::Write(write) = &mut operation
        && write.kind == WriteKind::Insert
        && let Rows::Values { count, .. } = &mut write.rows
    {
        *count = rows.count;
    }
    return Statement { span, operation };

    fn statement(head: &Piece) -> Statement {
        read_statement(head, 0..head.text().len())
    }
}

/// The INSERT with its first row only.
fn insert_head(piece: &Piece, start: usize, end: usize, rows: LongRows) -> Piece {
    let mut head = PieceBuilder::new(piece.source());
    head.copy(piece, start..rows.first_end);
    if rows.last_end < end {
        head.substitute(" ", piece.span(rows.last_end..end).start);
        head.copy(piece, rows.last_end..end);
    }
    head.finish()
}

/// Whether COMMIT or ROLLBACK was read.
pub(crate) fn ends_transaction(operation: &Operation) -> bool {
    matches!(operation, Operation::Transaction(Transaction::Commit | Transaction::Rollback))
}
