//! DECLARE: variables, constants, aliases and cursors.

use super::{Broken, Read, Reader};
use crate::operation::{Expr, Variable};
use crate::read::sql::expression;
use crate::read::sql::lexer::Kind;

impl Reader<'_> {
    pub fn declarations(&mut self) -> Read<()> {
        loop {
            while self.eat("declare") || self.eat_kind(Kind::Semicolon) {}
            if self.is("begin") {
                return Ok(());
            }
            if self.at >= self.tokens.list.len() || !self.tokens.is_name(self.at) {
                return Err(self.expected("a declaration or BEGIN"));
            }
            let end = self.statement_end();
            if end >= self.tokens.list.len() {
                return Err(Broken("a declaration does not end".to_owned()));
            }
            self.declaration(end);
            self.at = end + 1;
        }
    }

    fn declaration(&mut self, end: usize) {
        let tokens = self.tokens;
        let Some(name) = tokens.ident(self.at) else { return };
        let mut at = self.at + 1;
        if tokens.are_words(at, &["alias", "for"]) {
            let value = Some(self.expr(at + 2, end));
            self.variables.push(Variable { name, data_type: "alias".into(), value });
            return;
        }
        let scroll = at + usize::from(tokens.is_word(at, "no"));
        let cursor = scroll + usize::from(tokens.is_word(scroll, "scroll"));
        if tokens.is_word(cursor, "cursor") {
            self.cursor(cursor + 1, end);
            return;
        }
        at += usize::from(tokens.is_word(at, "constant"));
        let value_at = (at..end).find(|at| {
            tokens.kind(*at) == Some(Kind::Assign) || tokens.is_operator(*at, "=") || tokens.is_word(*at, "default")
        });
        let type_end = value_at.unwrap_or(end);
        let type_end = tokens.find(at, type_end, &["not", "collate"]).unwrap_or(type_end);
        let data_type = tokens.slice(at, type_end).split_whitespace().collect::<Vec<_>>().join(" ");
        let value = value_at.map(|value| self.expr(value + 1, end));
        self.variables.push(Variable { name, data_type: data_type.into(), value });
    }

    /// `CURSOR [(arguments)] FOR query`.
    fn cursor(&mut self, mut at: usize, end: usize) {
        let tokens = self.tokens;
        let Some(name) = tokens.ident(self.at) else { return };
        if tokens.kind(at) == Some(Kind::OpenParen) {
            at = tokens.closed(at);
        }
        let from = at + 1;
        let value = match expression::query(self.piece, tokens.range(from, end)) {
            Ok(query) => {
                self.cursors.insert(name.clone(), (query.clone(), tokens.slice(from, end).len()));
                Some(Expr::Subquery(Box::new(query)))
            }
            Err(refused) => {
                self.set_aside(from, end, &refused.reason);
                None
            }
        };
        self.variables.push(Variable { name, data_type: "refcursor".into(), value });
    }
}
