//! Blocks and lists of statements.

use std::sync::Arc;

use super::{Read, Reader};
use crate::operation::{Handler, Node};
use crate::read::sql::lexer::Kind;
use crate::read::sql::literal;
use crate::read::sql::tokens::ESCAPE;

impl Reader<'_> {
    /// `[<<label>>] [DECLARE …] BEGIN … [EXCEPTION …] END [label];`. What was read before a fault is kept.
    pub fn block(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let mut body = Vec::new();
        let mut handlers = Vec::new();
        let outcome = self.deeper(|reader| reader.block_parts(&mut body, &mut handlers));
        if !body.is_empty() || !handlers.is_empty() {
            nodes.push(Node::Block { body, handlers });
        }
        outcome
    }

    fn block_parts(&mut self, body: &mut Vec<Node>, handlers: &mut Vec<Handler>) -> Read<()> {
        self.skip_label();
        if self.is("declare") {
            self.declarations()?;
        }
        self.expect("begin")?;
        self.statements(body)?;
        if self.eat("exception") {
            while self.is("when") {
                self.handler(handlers)?;
            }
        }
        self.end_of(&["end"])
    }

    /// `WHEN condition OR … THEN statements`.
    fn handler(&mut self, handlers: &mut Vec<Handler>) -> Read<()> {
        self.at += 1;
        let end = self.expression_end(&["then"])?;
        let mut conditions: Vec<Arc<str>> = Vec::new();
        for at in self.at..end {
            if self.tokens.is_any(at, &["or", "sqlstate"]) {
                continue;
            }
            match self.tokens.kind(at) {
                Some(Kind::String | Kind::EscapeString) => {
                    conditions.push(literal::decoded(self.tokens.text, self.tokens.list[at], ESCAPE).into());
                }
                _ => conditions.extend(self.tokens.ident(at).map(|name| Arc::from(name.as_str()))),
            }
        }
        self.at = end + 1;
        let mut body = Vec::new();
        let outcome = self.statements(&mut body);
        handlers.push(Handler { conditions, body });
        outcome
    }

    /// Statements up to the word that ends their list, which is left.
    pub fn statements(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        const ENDS: &[&str] = &["end", "elsif", "elseif", "else", "when", "exception"];
        loop {
            if self.at >= self.tokens.list.len() {
                return Err(self.expected("END"));
            }
            if self.tokens.is_any(self.at, ENDS) && !self.assigns() {
                return Ok(());
            }
            let start = self.at;
            self.statement(nodes)?;
            if self.at == start {
                return Err(self.expected("a statement"));
            }
        }
    }

    fn statement(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        if self.eat_kind(Kind::Semicolon) {
            return Ok(());
        }
        if self.assigns() {
            self.assignment(nodes);
            return Ok(());
        }
        let labelled = self.tokens.is_operator(self.at, "<<");
        let start = self.at;
        self.skip_label();
        if labelled && self.at == start {
            return Err(self.expected("a label"));
        }
        let Some(word) = self.tokens.list.get(self.at).filter(|token| token.kind == Kind::Word) else {
            return self.embedded(nodes);
        };
        match word.text(self.tokens.text).to_ascii_lowercase().as_str() {
            "declare" | "begin" => self.block(nodes),
            "if" => self.deeper(|reader| reader.conditional(nodes)),
            "case" => self.deeper(|reader| reader.case(nodes)),
            "loop" | "while" | "for" | "foreach" => self.deeper(|reader| reader.repetition(nodes)),
            "exit" | "continue" => self.leave(nodes),
            "return" => self.returned(nodes),
            "raise" => self.raised(nodes),
            "assert" => self.assertion(nodes),
            "perform" => self.perform(nodes),
            "execute" => self.execute(nodes),
            "get" if self.tokens.find(self.at, self.at + 3, &["diagnostics"]).is_some() => self.diagnostics(nodes),
            "open" => self.open(nodes),
            "fetch" => self.fetch(nodes),
            "move" | "close" | "null" => self.skipped(),
            "commit" | "rollback" => self.transaction(nodes),
            _ => self.embedded(nodes),
        }
    }

    /// A statement without effect on data.
    fn skipped(&mut self) -> Read<()> {
        self.at = self.statement_end() + 1;
        Ok(())
    }
}
