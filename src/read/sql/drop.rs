//! DROP of every kind of object.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{Drop, DropTarget, ObjectKind, Opaque, Operation, SetScope};

/// Objects that plimsoll does not model, by the words after CREATE, ALTER and DROP; longer ones first.
pub(super) const UNMODELLED: &[&str] = &[
    "access method",
    "cast",
    "collation",
    "conversion",
    "database",
    "event trigger",
    "foreign data wrapper",
    "group",
    "language",
    "operator class",
    "operator family",
    "operator",
    "owned",
    "procedural language",
    "role",
    "server",
    "subscription",
    "tablespace",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
    "transform",
    "trusted language",
    "trusted procedural language",
    "user mapping",
    "user",
];

impl Cursor<'_> {
    pub fn drop(&mut self) -> Read<Operation> {
        self.expect("drop")?;
        if let Some(opaque) = self.unmodelled("DROP") {
            return Ok(opaque);
        }
        let kind = self.object_kind();
        if kind == ObjectKind::Other {
            return Err(self.refuse("a kind of object"));
        }
        let concurrently = kind == ObjectKind::Index && self.eat("concurrently");
        let if_exists = self.if_exists();
        let targets = self.list(|cursor| cursor.target(kind))?;
        let cascade = self.cascade();
        Ok(Operation::Drop(Drop { kind, targets, if_exists, cascade, concurrently }))
    }

    fn target(&mut self, kind: ObjectKind) -> Read<DropTarget> {
        let from = self.place();
        let mut target = DropTarget { name: self.loose_name()?, on: None, arguments: None, span: self.span_from(from) };
        match kind {
            ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
                self.expect("on")?;
                target.on = Some(self.name()?);
            }
            ObjectKind::Aggregate => target.arguments = Some(self.aggregate_arguments()?),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine
                if self.kind() == Some(Kind::OpenParen) =>
            {
                target.arguments = Some(self.arguments()?);
            }
            _ => {}
        }
        target.span = self.span_from(from);
        Ok(target)
    }

    /// An object without a model: the statement is known by its leading words alone.
    pub fn unmodelled(&mut self, verb: &str) -> Option<Operation> {
        let words = UNMODELLED.iter().find(|words| self.is(words))?;
        let alters_settings = verb == "ALTER" && matches!(*words, "database" | "role" | "user" | "group");
        if alters_settings {
            self.skip(words.split(' ').count());
            let place = self.place();
            let own = ["current_user", "session_user", "current_role"].into_iter().any(|word| self.is(word));
            let all = self.eat("all");
            let scope = if all || own || *words == "database" { SetScope::Next } else { SetScope::Later };
            let named = all || self.role().is_ok();
            if named && let Ok(Some(set)) = self.later_setting(scope) {
                return Some(set);
            }
            self.go_to(place);
        }
        // CREATE/DROP DATABASE, TABLESPACE, and a subscription's slot (manual, their pages).
        let outside_transaction = match *words {
            "database" => verb != "ALTER" || self.is_tablespace_move(),
            "tablespace" => verb != "ALTER",
            "subscription" => verb != "ALTER" && !self.says("create_slot = false") && !self.says("connect = false"),
            _ => false,
        };
        self.go_to(self.end_place());
        let what = format!("{verb} {}", words.to_ascii_uppercase()).into();
        Some(Operation::Opaque(Opaque { what, outside_transaction }))
    }

    fn is_tablespace_move(&self) -> bool {
        let end = self.end_place();
        (self.place()..end).any(|place| self.inner(place..end).is("set tablespace"))
    }

    /// Whether `name = value` stands anywhere ahead.
    fn says(&self, option: &str) -> bool {
        let parts: Vec<&str> = option.split(' ').collect();
        let end = self.end_place();
        (self.place()..end).any(|place| {
            let inner = self.inner(place..end);
            parts.iter().enumerate().all(|(ahead, part)| inner.word_at(ahead).eq_ignore_ascii_case(part))
        })
    }
}
