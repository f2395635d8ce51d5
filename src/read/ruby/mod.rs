//! Ruby text to a tree of our own, by Ruby's own parser. Nothing is evaluated here.
//!
//! Trees are walked by recursion: call it where stacks are as large as [`super::STACK`] says, or with texts of one's
//! own.

mod assign;
mod call;
mod control;
mod define;
mod literal;
mod string;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ruby_prism::{Location, Node, NodeList, StatementsNode};

use crate::operation::{CASE_IN, Comment, NOT_MADE_OUT, Ruby, RubyFile, RubyKind, SHELL_COMMAND};
use crate::source::{Piece, Span};

/// Deeper trees are cut: whoever walks one does so by recursion.
const DEPTH_LIMIT: usize = 400;

/// Reads a file, or the body of a helper.
pub fn read(piece: &Piece) -> RubyFile {
    let parsed = ruby_prism::parse(piece.text().as_bytes());
    let mut lower = Lower { piece, depth: 0, errors: Vec::new(), heredoc_end: 0 };
    for error in parsed.errors() {
        let message = String::from_utf8_lossy(error.message()).into_owned();
        lower.errors.push((lower.place(&error.location()), message.into()));
    }
    let comments = parsed.comments().map(|comment| {
        let text = String::from_utf8_lossy(comment.text()).into_owned();
        Comment { span: lower.place(&comment.location()), text: text.into() }
    });
    let comments = comments.collect();
    let body = match parsed.node().as_program_node() {
        Some(program) => lower.statements(Some(program.statements())),
        None => Vec::new(),
    };
    RubyFile { body, comments, errors: lower.errors }
}

struct Lower<'a> {
    piece: &'a Piece,
    depth: usize,
    errors: Vec<(Span, Arc<str>)>,
    /// Where the last heredoc ends.
    heredoc_end: u32,
}

impl Lower<'_> {
    fn place(&self, location: &Location<'_>) -> Span {
        let length = self.piece.text().len();
        let (start, end) = ((location.start() as usize).min(length), (location.end() as usize).min(length));
        self.piece.span(start..end)
    }

    fn statements(&mut self, statements: Option<StatementsNode<'_>>) -> Vec<Ruby> {
        statements.map_or_else(Vec::new, |statements| self.body_of(&statements.body()))
    }

    /// Statements: each reaches to the end of the heredocs that it opens.
    fn body_of(&mut self, list: &NodeList<'_>) -> Vec<Ruby> {
        let mut body = Vec::with_capacity(list.len());
        for node in list.iter() {
            let before = std::mem::take(&mut self.heredoc_end);
            let mut one = self.node(&node);
            one.span.end = one.span.end.max(self.heredoc_end);
            self.heredoc_end = self.heredoc_end.max(before);
            body.push(one);
        }
        body
    }

    fn nodes(&mut self, list: &NodeList<'_>) -> Vec<Ruby> {
        list.iter().map(|node| self.node(&node)).collect()
    }

    fn boxed(&mut self, node: &Node<'_>) -> Box<Ruby> {
        Box::new(self.node(node))
    }

    fn node(&mut self, node: &Node<'_>) -> Ruby {
        let span = self.place(&node.location());
        if self.depth >= DEPTH_LIMIT {
            let reason: Arc<str> = "nested too deeply to follow".into();
            if !self.errors.iter().any(|(_, known)| *known == reason) {
                self.errors.push((span, reason.clone()));
            }
            return Ruby { span, kind: RubyKind::Other(reason) };
        }
        self.depth += 1;
        let kind = self.kind(node);
        self.depth -= 1;
        Ruby { span, kind }
    }

    fn kind(&mut self, node: &Node<'_>) -> RubyKind {
        let known = self.call(node).or_else(|| self.literal(node)).or_else(|| self.variable(node));
        let known = known.or_else(|| self.control(node)).or_else(|| self.definition(node));
        known.or_else(|| self.assignment(node)).unwrap_or_else(|| RubyKind::Other(unfollowed(node).into()))
    }
}

/// What is in the grammar and not followed, by its name.
fn unfollowed(node: &Node<'_>) -> &'static str {
    match node {
        Node::SourceFileNode { .. } => "__FILE__",
        Node::SourceLineNode { .. } => "__LINE__",
        Node::SourceEncodingNode { .. } => "__ENCODING__",
        Node::XStringNode { .. } | Node::InterpolatedXStringNode { .. } => SHELL_COMMAND,
        Node::CaseMatchNode { .. } => CASE_IN,
        Node::MatchPredicateNode { .. } | Node::MatchRequiredNode { .. } => "pattern matching",
        Node::AliasMethodNode { .. } | Node::AliasGlobalVariableNode { .. } => "alias",
        Node::UndefNode { .. } => "undef",
        Node::RetryNode { .. } => "retry",
        Node::RedoNode { .. } => "redo",
        Node::RationalNode { .. } | Node::ImaginaryNode { .. } => "a rational or complex number",
        Node::FlipFlopNode { .. } => "a flip-flop",
        Node::PreExecutionNode { .. } | Node::PostExecutionNode { .. } => "BEGIN or END",
        _ => NOT_MADE_OUT,
    }
}

fn name(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).as_ref().into()
}
