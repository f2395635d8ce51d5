//! GRANT, REVOKE, COMMENT ON: what they name, and nothing about who may do what.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{CommentOn, Grant, Ident, Name, ObjectKind, Operation};

impl Cursor<'_> {
    /// `GRANT privileges ON objects TO roles …`, `GRANT role TO role`, and REVOKE.
    pub fn grant(&mut self) -> Read<Operation> {
        let revoke = self.eat("revoke");
        if !revoke {
            self.expect("grant")?;
        }
        // Privileges and columns hold no ON; without one roles are granted.
        let words = self.until_word(&["on", "to", "from"]);
        if words.is_empty() {
            return Err(self.refuse("a privilege"));
        }
        let mut tables = Vec::new();
        if self.eat("on") {
            match self.granted_tables()? {
                Some(named) => tables = named,
                None => {
                    self.until_word(&["to", "from"]);
                }
            }
        }
        let direction = if revoke { "from" } else { "to" };
        self.expect(direction)?;
        let to = self.list(|cursor| {
            cursor.eat("group");
            cursor.role()
        })?;
        self.grant_tail()?;
        Ok(Operation::Grant(Grant { revoke, tables, to }))
    }

    fn grant_tail(&mut self) -> Read<()> {
        loop {
            if self.eat("granted by") {
                self.role()?;
            } else if self.eat_any(&["with grant option", "with admin option"]) {
            } else if self.eat_any(&["with admin", "with inherit", "with set"]) {
                // PostgreSQL 16: `WITH INHERIT TRUE, SET FALSE`.
                self.label()?;
                while self.eat_kind(Kind::Comma) {
                    self.label()?;
                    self.label()?;
                }
            } else if !self.eat_any(&["cascade", "restrict"]) {
                return Ok(());
            }
        }
    }

    /// Up to one of these words outside parentheses, across commas.
    fn until_word(&mut self, words: &[&str]) -> std::ops::Range<usize> {
        let from = self.place();
        loop {
            self.until(|cursor| cursor.is_any(words));
            if !self.eat_kind(Kind::Comma) {
                return from..self.place();
            }
        }
    }

    /// The tables named; `None` where other objects are.
    fn granted_tables(&mut self) -> Read<Option<Vec<Name>>> {
        const OTHERS: &[&str] = &[
            "all",
            "database",
            "domain",
            "foreign",
            "function",
            "language",
            "large object",
            "parameter",
            "procedure",
            "routine",
            "schema",
            "sequence",
            "tablespace",
            "type",
        ];
        let named = self.eat("table");
        // A table may be called like a kind of object; then TO, FROM or a comma follows at once.
        let alone = self.is_at(1, "to") || self.is_at(1, "from");
        if !named && !alone && self.is_any(OTHERS) {
            return Ok(None);
        }
        self.names().map(Some)
    }

    /// `COMMENT ON kind object IS 'text' | NULL`.
    pub fn comment(&mut self) -> Read<Operation> {
        self.expect("comment on")?;
        let (kind, object, part) = self.commented()?;
        self.expect("is")?;
        if !self.eat("null") {
            self.string()?;
        }
        Ok(Operation::Comment(CommentOn { kind, object, part }))
    }

    fn commented(&mut self) -> Read<(ObjectKind, Name, Option<Ident>)> {
        if self.eat("column") {
            let mut parts = self.dotted()?;
            let part = parts.pop();
            let Some(table) = parts.pop() else { return Err(self.refuse(".")) };
            return Ok((ObjectKind::Column, Name { schema: parts.pop(), name: table }, part));
        }
        for (word, kind) in [
            ("constraint", ObjectKind::Constraint),
            ("trigger", ObjectKind::Trigger),
            ("rule", ObjectKind::Rule),
            ("policy", ObjectKind::Policy),
        ] {
            if self.eat(word) {
                let part = Some(self.ident()?);
                self.expect("on")?;
                self.eat("domain");
                return Ok((kind, self.loose_name()?, part));
            }
        }
        let kind = self.object_kind();
        if kind == ObjectKind::Other {
            self.until(|cursor| cursor.is("is"));
            return Ok((kind, Name::bare(""), None));
        }
        let object = self.loose_name()?;
        if self.kind() == Some(Kind::OpenParen) {
            self.parens()?;
        }
        Ok((kind, object, None))
    }

    /// Reads the words of a kind of object; `Other` leaves them standing.
    pub fn object_kind(&mut self) -> ObjectKind {
        let kinds = [
            ("table", ObjectKind::Table),
            ("foreign table", ObjectKind::ForeignTable),
            ("view", ObjectKind::View),
            ("materialized view", ObjectKind::MaterializedView),
            ("index", ObjectKind::Index),
            ("sequence", ObjectKind::Sequence),
            ("type", ObjectKind::Type),
            ("domain", ObjectKind::Domain),
            ("function", ObjectKind::Function),
            ("procedure", ObjectKind::Procedure),
            ("aggregate", ObjectKind::Aggregate),
            ("routine", ObjectKind::Routine),
            ("trigger", ObjectKind::Trigger),
            ("rule", ObjectKind::Rule),
            ("policy", ObjectKind::Policy),
            ("schema", ObjectKind::Schema),
            ("extension", ObjectKind::Extension),
            ("statistics", ObjectKind::Statistics),
            ("publication", ObjectKind::Publication),
        ];
        kinds.into_iter().find(|(words, _)| self.eat(words)).map_or(ObjectKind::Other, |(_, kind)| kind)
    }
}
