//! What a call was given, asked for by position or name; whatever is not worked out is said.

use std::sync::Arc;

use crate::rails::call::{Call, Options};
use crate::rails::value::Value;

/// Why a call cannot be turned into SQL.
pub type Reason = Arc<str>;

/// A value that was asked for, or why there is none.
pub type Asked<T> = Result<T, Reason>;

pub fn name_of(value: &Value, what: &str) -> Asked<String> {
    match value {
        Value::Unknown(why) => Err(format!("{what} is not known: {why}").into()),
        Value::Text(text) => Ok(text.as_str().to_owned()),
        Value::Symbol(_) | Value::Constant(_) | Value::Integer(_) => {
            value.to_text().map(|text| text.to_string()).ok_or_else(|| format!("{what} is no name").into())
        }
        _ => Err(format!("{what} is no name").into()),
    }
}

/// One name, or an array of them.
pub fn names_of(value: &Value, what: &str) -> Asked<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(|item| name_of(item, what)).collect(),
        one => Ok(vec![name_of(one, what)?]),
    }
}

/// SQL as a string, a symbol or `Arel.sql`.
pub fn sql_of(value: &Value, what: &str) -> Asked<String> {
    match value {
        Value::Sql(text) => Ok(text.as_str().to_owned()),
        other => name_of(other, what),
    }
}

pub fn flag_of(value: &Value, what: &str) -> Asked<bool> {
    match value {
        Value::Unknown(why) => Err(format!("{what} is not known: {why}").into()),
        other => Ok(other.is_truthy() == Some(true)),
    }
}

impl Call {
    pub(super) fn name_at(&self, at: usize, what: &str) -> Asked<String> {
        match self.arguments.get(at) {
            Some(value) => name_of(value, what),
            None => Err(format!("{} is given no {what}", self.name).into()),
        }
    }

    pub(super) fn names_at(&self, at: usize, what: &str) -> Asked<Vec<String>> {
        match self.arguments.get(at) {
            Some(value) => names_of(value, what),
            None => Err(format!("{} is given no {what}", self.name).into()),
        }
    }

    /// The table, with what the project puts around the names of all.
    pub(super) fn table(&self, dialect: &super::Dialect) -> Asked<String> {
        Ok(dialect.table(&self.name_at(0, "the table")?))
    }

    /// The argument at a place; nil counts as none.
    pub(super) fn given_at(&self, at: usize) -> Option<&Value> {
        self.arguments.get(at).filter(|value| !value.is_nil())
    }

    /// All options are among these; others are said, never passed over.
    pub(super) fn allow_only(&self, known: &[&[&str]]) -> Asked<()> {
        self.options.allow_only(&self.name, known)
    }
}

impl Options {
    /// Given, and not nil.
    pub(super) fn given(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_nil())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn flag(&self, name: &str) -> Asked<bool> {
        self.get(name).map_or(Ok(false), |value| flag_of(value, &format!("`{name}:`")))
    }

    pub(super) fn text(&self, name: &str) -> Asked<Option<String>> {
        self.given(name).map(|value| sql_of(value, &format!("`{name}:`"))).transpose()
    }

    pub(super) fn list(&self, name: &str) -> Asked<Option<Vec<String>>> {
        self.given(name).map(|value| names_of(value, &format!("`{name}:`"))).transpose()
    }

    pub(super) fn number(&self, name: &str) -> Asked<Option<i64>> {
        self.given(name).map(|value| number_of(value, name)).transpose()
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.retain(|(known, _)| &**known != name);
        self.0.push((name.into(), value));
    }

    /// Takes an option out.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let found = self.get(name).cloned();
        self.0.retain(|(known, _)| &**known != name);
        found
    }

    pub(super) fn without(&self, names: &[&str]) -> Options {
        Options(self.0.iter().filter(|(name, _)| !names.contains(&&**name)).cloned().collect())
    }

    pub(super) fn only(&self, names: &[&str]) -> Options {
        Options(self.0.iter().filter(|(name, _)| names.contains(&&**name)).cloned().collect())
    }

    /// These first, then those of `other`, which win.
    pub(super) fn merge(mut self, other: Options) -> Options {
        for (name, value) in other.0 {
            self.set(&name, value);
        }
        self
    }

    pub(super) fn allow_only(&self, call: &str, known: &[&[&str]]) -> Asked<()> {
        let stranger = self.0.iter().find(|(name, _)| !known.iter().any(|list| list.contains(&&**name)));
        match stranger {
            Some((name, _)) => Err(format!("`{name}:` is no option of {call} that is known").into()),
            None => Ok(()),
        }
    }
}

fn number_of(value: &Value, name: &str) -> Asked<i64> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Text(text) => text.as_str().parse().map_err(|_| format!("`{name}:` is no number").into()),
        Value::Unknown(why) => Err(format!("`{name}:` is not known: {why}").into()),
        _ => Err(format!("`{name}:` is no number").into()),
    }
}

/// A hash's pairs as options: `index: { unique: true }`.
pub fn options_of(value: &Value, what: &str) -> Asked<Options> {
    match value {
        Value::Hash(pairs) => {
            let named = |(key, value): &(Value, Value)| Ok((name_of(key, what)?.into(), value.clone()));
            Ok(Options(pairs.iter().map(named).collect::<Asked<Vec<_>>>()?))
        }
        Value::Unknown(why) => Err(format!("{what} is not known: {why}").into()),
        _ => Ok(Options::default()),
    }
}
