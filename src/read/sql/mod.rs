//! SQL text to operations: lexer, statements, PostgreSQL's grammar of definitions and utilities.

pub mod expression;
pub mod lexer;
pub mod literal;

use crate::operation::{Comment, Node};
use crate::source::Piece;

/// A text read: its statements in order, its comments, and how many statements there are.
#[derive(Debug, Clone, Default)]
pub struct SqlText {
    pub nodes: Vec<Node>,
    pub comments: Vec<Comment>,
    pub statements: usize,
}

pub fn read(_piece: &Piece) -> SqlText {
    SqlText::default()
}
