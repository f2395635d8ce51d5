//! Pieces to scripts: until SQL's grammar is read, each statement is unread and says so.

use crate::operation::{Comment, Node, Operation, Statement, Unread};
use crate::read::sql::lexer::{Kind, Lexer};
use crate::source::Piece;

pub struct SqlText {
    pub nodes: Vec<Node>,
    pub comments: Vec<Comment>,
}

pub fn read(piece: &Piece) -> SqlText {
    let mut text = SqlText { nodes: Vec::new(), comments: Vec::new() };
    let mut open: Option<(usize, usize)> = None;
    let mut end = |open: &mut Option<(usize, usize)>| {
        let Some((start, end)) = open.take() else { return };
        let unread = Unread { reason: "statements are not read".into(), touches: Vec::new(), everything: true };
        let statement = Statement { span: piece.span(start..end), operation: Operation::Unread(unread) };
        text.nodes.push(Node::Statement(statement));
    };
    for token in Lexer::new(piece.text()) {
        match token.kind {
            Kind::Comment => {
                let comment = token.text(piece.text()).into();
                text.comments.push(Comment { span: piece.span(token.range()), text: comment });
            }
            Kind::Semicolon => end(&mut open),
            _ => open = Some((open.map_or(token.range().start, |(start, _)| start), token.range().end)),
        }
    }
    end(&mut open);
    text
}

pub fn other_dialect(_text: &str) -> Option<&'static str> {
    None
}
