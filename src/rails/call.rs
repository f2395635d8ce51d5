//! A call of a migration's, its arguments worked out.

use std::sync::Arc;

use super::value::Value;
use crate::operation::Name;
use crate::source::{Piece, Span};

/// `add_index :users, :email, unique: true`
#[derive(Debug, Clone)]
pub struct Call {
    pub name: Arc<str>,
    pub arguments: Vec<Value>,
    pub options: Options,
    /// The whole call; findings and allows use it.
    pub span: Span,
    /// What a block's parameter was sent: `t.string :name` in `create_table … do |t|`, in order; `None`: no block.
    pub inner: Option<Vec<Call>>,
}

/// Keyword arguments, in order; the last of two with one name counts.
#[derive(Debug, Clone, Default)]
pub struct Options(pub Vec<(Arc<str>, Value)>);

impl Options {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Given and neither nil nor false.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.is_truthy() == Some(true))
    }

    /// Given as false.
    pub fn is_off(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(false)))
    }

    pub fn name(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::name)
    }

    /// The first option whose value is not worked out, with the reason.
    pub fn unknown(&self) -> Option<(&str, &str)> {
        self.0.iter().find_map(|(name, value)| match value {
            Value::Unknown(why) => Some((&**name, &**why)),
            _ => None,
        })
    }
}

/// What a call does.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is none that is known here.
    NotMine,
    /// Statements, in order, each with its place; none: it is known to do nothing to the database.
    Sends(Vec<Piece>),
    /// The same for a part of what it does; the rest is not worked out.
    SendsPart { pieces: Vec<Piece>, reason: Arc<str>, touches: Vec<Name> },
    /// It is known, and what it does here is not worked out.
    Unread { reason: Arc<str>, touches: Vec<Name>, everything: bool },
}
