//! Bodies of routines and DO blocks.

use crate::operation::{Body, Ident};
use crate::source::Piece;

/// Reads a body; `piece` is its decoded text.
pub fn body(piece: &Piece, language: &Ident) -> Body {
    let whole = piece.span(0..piece.text().len());
    let reason = format!("bodies in {language} are not read");
    Body {
        text: piece.text().into(),
        span: whole,
        nodes: [].into(),
        variables: [].into(),
        unread: [(whole, reason.into())].into(),
    }
}
