//! What is not understood: said, with the tables that it may touch.

use std::sync::Arc;

use super::Evaluator;
use super::given::Given;
use crate::operation::{Name, Reach, Unread};
use crate::rails::call::Call;
use crate::rails::value::Value;
use crate::source::Span;

/// Names in the arguments of a call that are looked at.
const NAMES: usize = 64;

impl Evaluator<'_> {
    pub(super) fn unread_everything(&mut self, reason: String, at: Span) {
        self.unread(reason.into(), Vec::new(), true, at);
    }

    /// It writes rows of these tables, or of any.
    pub(super) fn unread_writes(&mut self, reason: String, touches: Vec<Name>, reach: Reach, at: Span) {
        let everything = touches.is_empty();
        self.world.unread(Unread { reason: reason.into(), touches, everything, reach }, None, at);
    }

    pub(super) fn unread(&mut self, reason: Arc<str>, touches: Vec<Name>, everything: bool, at: Span) {
        self.world.unread(Unread { reason, touches, everything, reach: Reach::Anything }, None, at);
    }

    pub(super) fn unread_call(&mut self, call: &Call, reason: Arc<str>) {
        let given = Given {
            arguments: call.arguments.clone(),
            keywords: call.options.0.iter().map(|(name, value)| (Value::symbol(&**name), value.clone())).collect(),
            block: None,
        };
        let touches = self.named_tables(&given);
        let everything = touches.is_empty();
        self.unread(reason, touches, everything, call.span);
    }

    /// A call that nobody here knows, with the line that would declare it.
    pub(super) fn unread_helper(&mut self, name: &str, given: &Given, at: Span) {
        let touches = self.named_tables(given);
        let everything = touches.is_empty();
        let reason = format!("`{name}` is not known here");
        let declare = declaration(name, given);
        self.world.unread(
            Unread { reason: reason.into(), touches, everything, reach: Reach::Anything },
            Some(declare.into()),
            at,
        );
    }

    /// Tables that the arguments name: those that exist, else what stands first.
    pub(super) fn named_tables(&self, given: &Given) -> Vec<Name> {
        let mut names: Vec<&str> = Vec::new();
        let values = given.arguments.iter().chain(given.keywords.iter().map(|(_, value)| value));
        for value in values {
            collect(value, &mut names);
        }
        let schema = self.world.schema();
        let mut found: Vec<Name> = Vec::new();
        for text in names {
            let name = table_name(text);
            if schema.find_table(&name).is_some() && !found.contains(&name) {
                found.push(name);
            }
        }
        if found.is_empty()
            && let Some(Value::Symbol(first)) = given.first()
        {
            found.push(table_name(first));
        }
        found
    }
}

fn collect<'v>(value: &'v Value, names: &mut Vec<&'v str>) {
    if names.len() >= NAMES {
        return;
    }
    match value {
        Value::Text(text) if text.as_str().len() <= 127 => names.push(text.as_str()),
        Value::Symbol(name) => names.push(name),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

/// `schema.table` as Active Record takes it.
pub(super) fn table_name(text: &str) -> Name {
    let unquoted = |part: &str| crate::operation::Ident::new(part.trim_matches('"'));
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(unquoted(schema)), name: unquoted(name) },
        None => Name::bare(unquoted(text)),
    }
}

/// What to paste into a vocabulary.
fn declaration(name: &str, given: &Given) -> String {
    let mut parameters: Vec<String> = given
        .arguments
        .iter()
        .enumerate()
        .map(|(at, _)| match at {
            0 => "table".to_owned(),
            at => format!("argument_{at}"),
        })
        .collect();
    let names = given.keywords.iter().filter_map(|(key, _)| key.name());
    parameters.extend(names.filter(|name| *name != "**").map(|name| format!("{name}: nil")));
    let parameters = parameters.join(", ");
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let name = if plain { name.to_owned() } else { format!("\"{name}\"") };
    format!(
        "[helper.{name}]\nparameters = \"{parameters}\"\ndoes = \"\"\"\n# what it does, in the calls of a migration\n\"\"\""
    )
}
