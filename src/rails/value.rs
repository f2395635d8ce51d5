//! Values of the Ruby that migrations use.

use std::fmt;
use std::sync::Arc;

use crate::source::{Piece, Span};

/// A value that is known, or why it is not.
#[derive(Debug, Clone)]
pub enum Value {
    Nil,
    Bool(bool),
    Integer(i64),
    /// And whole numbers beyond 64 bits; as written.
    Float(Arc<str>),
    Text(Text),
    Symbol(Arc<str>),
    Array(Arc<Vec<Value>>),
    /// In order, keys as they are.
    Hash(Arc<Vec<(Value, Value)>>),
    Range {
        from: Arc<Value>,
        to: Arc<Value>,
        exclusive: bool,
    },
    Regex {
        pattern: Arc<str>,
        flags: Arc<str>,
    },
    /// SQL that stands where a value would: a lambda as a default, `Arel.sql`.
    Sql(Text),
    /// A class or module, by its name.
    Constant(Arc<str>),
    /// What only the evaluator knows what to do with: procedures, models and their rows, `t` of `create_table`.
    Object(Object),
    /// Not worked out, and why.
    Unknown(Arc<str>),
}

/// An object of the evaluator's, by its number in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    pub number: u32,
    /// Where the database has no such row it is nil, or it is what a method of the application's gives.
    pub may_be_nil: bool,
}

/// A string, with its places in the file where it was written there.
#[derive(Debug, Clone)]
pub struct Text {
    text: Arc<str>,
    piece: Option<Arc<Piece>>,
}

impl Text {
    pub fn new(text: impl Into<Arc<str>>) -> Text {
        Text { text: text.into(), piece: None }
    }

    pub fn placed(piece: Piece) -> Text {
        Text { text: piece.text().into(), piece: Some(Arc::new(piece)) }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it stands in a file, where it does.
    pub fn placed_piece(&self) -> Option<&Piece> {
        self.piece.as_deref()
    }

    /// The text to read as SQL: where it has no place of its own, all of it stands at `at`.
    pub fn piece(&self, at: Span) -> Piece {
        match &self.piece {
            Some(piece) => (**piece).clone(),
            None => Piece::made_at(&self.text, at),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.text == other.text
    }
}

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(Text::new(text))
    }

    pub fn symbol(name: impl Into<Arc<str>>) -> Value {
        Value::Symbol(name.into())
    }

    pub fn unknown(why: impl Into<Arc<str>>) -> Value {
        Value::Unknown(why.into())
    }

    /// What a string or symbol says: names of tables and columns are given as either.
    pub fn name(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text.as_str()),
            Value::Symbol(name) => Some(name),
            _ => None,
        }
    }

    /// Names given one by one or as an array.
    pub fn names(&self) -> Option<Vec<&str>> {
        match self {
            Value::Array(items) => items.iter().map(Value::name).collect(),
            one => one.name().map(|name| vec![name]),
        }
    }

    /// As `if` takes it; `None` where that is not known.
    pub fn is_truthy(&self) -> Option<bool> {
        match self {
            Value::Nil | Value::Bool(false) => Some(false),
            Value::Unknown(_) | Value::Object(Object { may_be_nil: true, .. }) => None,
            _ => Some(true),
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// It is nil; `None` where that is not known.
    pub fn is_surely_nil(&self) -> Option<bool> {
        match self {
            Value::Unknown(_) | Value::Object(Object { may_be_nil: true, .. }) => None,
            known => Some(known.is_nil()),
        }
    }
}

/// As `to_s` writes it; what has no such form that depends on its value alone is `None`.
impl Value {
    pub fn to_text(&self) -> Option<Arc<str>> {
        Some(match self {
            Value::Nil => "".into(),
            Value::Bool(value) => value.to_string().into(),
            Value::Integer(number) => number.to_string().into(),
            Value::Float(number) => number.clone(),
            Value::Text(text) | Value::Sql(text) => text.as_str().into(),
            Value::Symbol(name) | Value::Constant(name) => name.clone(),
            Value::Array(_) | Value::Hash(_) => Inspected(self).checked()?.into(),
            Value::Range { .. } | Value::Regex { .. } | Value::Object(_) | Value::Unknown(_) => return None,
        })
    }
}

/// A value as `inspect` writes it (Ruby before 3.4 and after differ in hashes: the older form).
pub struct Inspected<'a>(pub &'a Value);

impl Inspected<'_> {
    fn checked(&self) -> Option<String> {
        fn is_plain(value: &Value) -> bool {
            match value {
                Value::Array(items) => items.iter().all(is_plain),
                Value::Hash(pairs) => pairs.iter().all(|(key, value)| is_plain(key) && is_plain(value)),
                Value::Range { .. } | Value::Regex { .. } | Value::Object(_) | Value::Unknown(_) => false,
                _ => true,
            }
        }
        is_plain(self.0).then(|| self.to_string())
    }
}

impl fmt::Display for Inspected<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Nil => out.write_str("nil"),
            Value::Text(text) | Value::Sql(text) => write!(out, "{:?}", text.as_str()),
            Value::Symbol(name) => write!(out, ":{name}"),
            Value::Array(items) => {
                out.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{}", if at > 0 { ", " } else { "" }, Inspected(item))?;
                }
                out.write_str("]")
            }
            Value::Hash(pairs) => {
                out.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(out, "{}{}=>{}", if at > 0 { ", " } else { "" }, Inspected(key), Inspected(value))?;
                }
                out.write_str("}")
            }
            other => out.write_str(&other.to_text().unwrap_or_else(|| "?".into())),
        }
    }
}
