//! psql commands among statements: which do nothing to the database, which read what is not here, and `\if`.

use super::lexer::{Lexer, Token};
use super::split::{Part, meta_word};
use super::{cursor::Cursor, ends_transaction};
use crate::operation::{Branch, Expr, Expression, Node, Opaque, Operation, Reach, Statement, Transaction, Unread};
use crate::source::Piece;

/// Depth of `\if` beyond which the commands are read over: their statements count as always run.
const DEEPEST_IF: usize = 64;

/// Puts nodes together, with the branches of `\if`.
#[derive(Default)]
pub(super) struct Reader {
    nodes: Vec<Node>,
    /// The open `\if`s, outermost first.
    open: Vec<Choice>,
    /// `\if`s beyond the depth.
    ignored: usize,
    statements: usize,
}

/// An open `\if`: what stood before it, its branches so far, the condition of the branch being read.
struct Choice {
    before: Vec<Node>,
    branches: Vec<Branch>,
    /// `None` behind `\else`.
    condition: Option<Expression>,
}

impl Reader {
    /// A part of the text, and the statement that it is.
    pub fn take(&mut self, piece: &Piece, part: &Part, read: Option<(Statement, bool)>) {
        match (part, read) {
            (Part::Meta(token), _) => self.meta(piece, *token),
            (_, Some((statement, chains))) => self.statement(statement, chains),
            (_, None) => {}
        }
    }

    fn statement(&mut self, statement: Statement, chains: bool) {
        self.statements += 1;
        let span = statement.span;
        let begins = chains && ends_transaction(&statement.operation);
        self.nodes.push(Node::Statement(statement));
        if begins {
            let operation = Operation::Transaction(Transaction::Begin);
            self.nodes.push(Node::Statement(Statement { span, operation }));
        }
    }

    fn meta(&mut self, piece: &Piece, token: Token) {
        let text = token.text(piece.text());
        let word = meta_word(text);
        let operation = match word {
            "if" => return self.open_if(piece, token),
            "elif" => return self.next_branch(Some(condition(piece, token))),
            "else" => return self.next_branch(None),
            "endif" => return self.close_if(),
            "i" | "ir" | "include" | "include_relative" => {
                unread(format!("`{}` reads another file", text.trim_end()), piece, None)
            }
            "copy" => unread("`\\copy` reads or writes a file of the client".to_owned(), piece, Some(token)),
            "c" | "connect" => Operation::Opaque(Opaque { what: "\\connect".into(), outside_transaction: true }),
            "!" | "lo_import" | "lo_unlink" | "gexec" => {
                unread(format!("`{}` is run by psql", text.trim_end()), piece, None)
            }
            // Everything else prints, sets or formats.
            _ => return,
        };
        self.statement(Statement { span: piece.span(token.range()), operation }, false);
    }

    fn open_if(&mut self, piece: &Piece, token: Token) {
        if self.open.len() >= DEEPEST_IF {
            self.ignored += 1;
            return;
        }
        let before = std::mem::take(&mut self.nodes);
        self.open.push(Choice { before, branches: Vec::new(), condition: Some(condition(piece, token)) });
    }

    fn next_branch(&mut self, condition: Option<Expression>) {
        if self.ignored > 0 {
            return;
        }
        let Some(choice) = self.open.last_mut() else { return };
        if let Some(condition) = std::mem::replace(&mut choice.condition, condition) {
            choice.branches.push(Branch { condition, body: std::mem::take(&mut self.nodes) });
        }
    }

    fn close_if(&mut self) {
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        let Some(choice) = self.open.pop() else { return };
        let last = std::mem::replace(&mut self.nodes, choice.before);
        let mut branches = choice.branches;
        let mut otherwise = Vec::new();
        match choice.condition {
            Some(condition) => branches.push(Branch { condition, body: last }),
            None => otherwise = last,
        }
        if branches.iter().any(|branch| !branch.body.is_empty()) || !otherwise.is_empty() {
            self.nodes.push(Node::Guard { branches, otherwise });
        }
    }

    pub fn finish(mut self) -> (Vec<Node>, usize) {
        while !self.open.is_empty() {
            self.ignored = 0;
            self.close_if();
        }
        (self.nodes, self.statements)
    }
}

/// What psql tests is a variable: nothing here knows its value.
fn condition(piece: &Piece, token: Token) -> Expression {
    let text = token.text(piece.text()).trim_end();
    let tree = Expr::Other { text: text.into(), parts: Vec::new() };
    Expression { text: text.into(), span: piece.span(token.range()), tree }
}

/// `named`: the command whose first word names a table.
fn unread(reason: String, piece: &Piece, named: Option<Token>) -> Operation {
    let mut touches = Vec::new();
    if let Some(token) = named {
        let from = token.start as usize + "\\copy".len();
        let tokens: Vec<Token> = Lexer::from(&piece.text()[..token.end as usize], from).take(8).collect();
        touches.extend(Cursor::new(piece, &tokens).name());
    }
    let everything = touches.is_empty();
    Operation::Unread(Unread { reason: reason.into(), touches, everything, reach: Reach::Anything })
}
