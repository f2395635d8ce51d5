//! SET, RESET, set_config(): settings of the session, the transaction, later sessions.

use std::sync::Arc;

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{Name, Operation, Set, SetScope, Transaction};

/// A setting and its values; `None`: DEFAULT.
type Assignment = (Arc<str>, Option<Vec<Arc<str>>>);

impl Cursor<'_> {
    pub fn set(&mut self) -> Read<Operation> {
        self.expect("set")?;
        if self.eat("constraints") {
            return self.set_constraints();
        }
        if self.is_any(&["transaction", "session characteristics", "local transaction"]) {
            self.go_to(self.end_place());
            return Ok(Operation::Transaction(Transaction::Other));
        }
        let local = self.is("local") && !self.is_setting_at(1);
        let session = self.is("session") && !self.is_setting_at(1);
        let scope = if local { SetScope::Local } else { SetScope::Session };
        if (local || session) && !self.is("session authorization") {
            self.skip(1);
        }
        let (name, values) = self.assignment()?;
        Ok(Operation::Set(Set { scope, name, values }))
    }

    /// Whether the word before is itself the setting's name: `SET local = 1`.
    fn is_setting_at(&self, ahead: usize) -> bool {
        self.is_at(ahead, "to") || self.word_at(ahead) == "="
    }

    fn set_constraints(&mut self) -> Read<Operation> {
        let names = if self.eat("all") { Vec::new() } else { self.names()? };
        let deferred = self.eat("deferred");
        if !deferred {
            self.expect("immediate")?;
        }
        Ok(Operation::SetConstraints { names, deferred })
    }

    pub fn reset(&mut self) -> Read<Operation> {
        self.expect("reset")?;
        let name = if self.eat("time zone") {
            "timezone".into()
        } else if self.eat("session authorization") {
            "session_authorization".into()
        } else if self.eat("transaction isolation level") {
            "transaction_isolation".into()
        } else {
            self.setting_name()?
        };
        Ok(Operation::Set(Set { scope: SetScope::Session, name, values: None }))
    }

    fn setting_name(&mut self) -> Read<Arc<str>> {
        let mut name = self.label()?.as_str().to_ascii_lowercase();
        while self.eat_kind(Kind::Dot) {
            name = format!("{name}.{}", self.label()?.as_str().to_ascii_lowercase());
        }
        Ok(name.into())
    }

    /// `name TO | = values | DEFAULT`, and the forms that have words of their own.
    pub fn assignment(&mut self) -> Read<Assignment> {
        if self.eat("time zone") {
            return self.time_zone();
        }
        let spelled = [
            ("session authorization", "session_authorization"),
            ("role", "role"),
            ("names", "client_encoding"),
            ("schema", "search_path"),
            ("catalog", "catalog"),
            ("xml option", "xmloption"),
        ];
        for (words, name) in spelled {
            let ahead = words.split(' ').count();
            if self.is(words) && !self.is_setting_at(ahead) {
                self.skip(ahead);
                return Ok((name.into(), self.setting_values()?));
            }
        }
        let name = self.setting_name()?;
        if self.eat("from current") {
            return Ok((name, Some(Vec::new())));
        }
        if !self.eat("to") && !self.eat_sign("=") {
            return Err(self.refuse("TO"));
        }
        Ok((name, self.setting_values()?))
    }

    fn time_zone(&mut self) -> Read<Assignment> {
        let from = self.place();
        let values = if self.eat("default") || self.eat("local") {
            None
        } else if self.eat("interval") {
            self.until(|_| false);
            Some(vec![self.written(from..self.place()).into()])
        } else {
            Some(vec![self.setting_value()?])
        };
        Ok(("timezone".into(), values))
    }

    fn setting_values(&mut self) -> Read<Option<Vec<Arc<str>>>> {
        if self.eat("default") || (self.is_done() && self.place() > 0 && self.names_nothing()) {
            return Ok(None);
        }
        Ok(Some(self.list(Cursor::setting_value)?))
    }

    /// SET NAMES without a name.
    fn names_nothing(&self) -> bool {
        self.inner(self.place() - 1..self.place()).is("names")
    }

    fn setting_value(&mut self) -> Read<Arc<str>> {
        if self.is_string() {
            return self.string();
        }
        if self.kind() == Some(Kind::Number) || self.is_sign("-") || self.is_sign("+") {
            return self.number();
        }
        Ok(self.label()?.as_str().into())
    }

    /// `SELECT set_config('name', 'value', is_local)` and nothing else.
    pub fn set_config(&self) -> Option<Set> {
        let mut cursor = *self;
        let called = cursor.eat("select") && {
            if cursor.eat("pg_catalog") {
                cursor.eat_kind(Kind::Dot);
            }
            cursor.eat("set_config") && cursor.eat_kind(Kind::OpenParen)
        };
        if !called {
            return None;
        }
        let name = cursor.string().ok()?.to_ascii_lowercase();
        cursor.eat_kind(Kind::Comma).then_some(())?;
        let value = cursor.string().ok()?;
        cursor.eat_kind(Kind::Comma).then_some(())?;
        let local = cursor.word_at(0).trim_matches('\'').to_ascii_lowercase();
        cursor.skip(1);
        let local = matches!(local.as_str(), "true" | "t" | "on" | "yes" | "1");
        (cursor.eat_kind(Kind::CloseParen) && cursor.is_done()).then_some(())?;
        let scope = if local { SetScope::Local } else { SetScope::Session };
        // search_path is a list in one text; '' is the empty list.
        let values = if name == "search_path" {
            let parts = value.split(',').map(|part| part.trim().trim_matches('"')).filter(|part| !part.is_empty());
            parts.map(Arc::from).collect()
        } else {
            vec![value]
        };
        Some(Set { scope, name: name.into(), values: Some(values) })
    }

    /// `[IN DATABASE name] SET … | RESET …` of ALTER ROLE and ALTER DATABASE.
    pub fn later_setting(&mut self, scope: SetScope) -> Read<Option<Operation>> {
        if self.eat("in database") {
            self.ident()?;
        }
        if self.is("set tablespace") {
            return Ok(None);
        }
        if self.eat("set") {
            let (name, values) = self.assignment()?;
            return Ok(Some(Operation::Set(Set { scope, name, values })));
        }
        if self.eat("reset") {
            let name = self.setting_name()?;
            return Ok(Some(Operation::Set(Set { scope, name, values: None })));
        }
        Ok(None)
    }

    /// `CALL procedure(…)`.
    pub fn call(&mut self) -> Read<Operation> {
        self.expect("call")?;
        let start = self.place();
        let function: Name = self.loose_name()?;
        self.parens()?;
        let arguments = match self.expression(start..self.place())?.tree {
            crate::operation::Expr::Call { arguments, .. } => arguments,
            _ => Vec::new(),
        };
        Ok(Operation::Call { function, arguments })
    }
}
