//! Attributes of a model that are no columns of its table.

use super::Evaluator;
use super::model::symbol;
use super::relation::Relation;
use super::unread::table_name;
use crate::operation::{Ident, Ruby, RubyCall, RubyKind, RubyPair};
use crate::rails::value::Value;

/// What a class of the file makes of an attribute that is no column.
enum Declared {
    /// Nothing is written for it.
    Aside,
    /// It is kept in this column.
    Inside(String),
}

impl Evaluator<'_> {
    /// An attribute that the table has no column for, of a model that stands elsewhere: `attr_accessor`,
    /// `has_secure_password` and what libraries add are written as something else.
    pub(super) fn virtual_attribute<'a>(&self, relation: &Relation, sets: &'a [(Value, Value)]) -> Option<&'a str> {
        if self.index.has(&relation.model.class) {
            return None;
        }
        sets.iter().filter_map(|(key, _)| key.name()).find(|key| self.is_no_column(relation, key))
    }

    /// What is set, by its columns: all of a class of this file is seen.
    pub(super) fn as_columns(&self, relation: &Relation, sets: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
        let mut own: Vec<(Value, Value)> = Vec::with_capacity(sets.len());
        for (key, value) in sets {
            match key.name().and_then(|key| self.declared(relation, key)) {
                None => own.push((key, value)),
                Some(Declared::Aside) => {}
                Some(Declared::Inside(column)) if own.iter().any(|(key, _)| key.name() == Some(&column)) => {}
                Some(Declared::Inside(column)) => {
                    own.push((Value::symbol(column), Value::unknown("what is kept in it")))
                }
            }
        }
        own
    }

    fn declared(&self, relation: &Relation, key: &str) -> Option<Declared> {
        let parts = self.index.parts(&relation.model.class);
        let mut calls = parts.iter().flat_map(|part| &part.body).filter_map(|node| match &node.kind {
            RubyKind::Call(call) if call.receiver.is_none() => Some(&**call),
            _ => None,
        });
        calls.find_map(|call| declares(call, key)).filter(|_| self.is_no_column(relation, key))
    }

    /// All columns of the table are known, and it is none, nor was it.
    fn is_no_column(&self, relation: &Relation, key: &str) -> bool {
        let schema = self.world.schema();
        let Some(name) = relation.model.table.as_deref().filter(|_| key != "**") else { return false };
        let Some(found) = schema.find_table(&table_name(name)) else { return false };
        let Some(table) = found.as_table().filter(|table| table.columns_known) else { return false };
        let column = Ident::new(self.column(name, key));
        table.column(&column).is_none() && schema.gone_column(found.id, &column).is_none()
    }
}

fn declares(call: &RubyCall, key: &str) -> Option<Declared> {
    let is_key = |node: &Ruby| symbol(node).is_some_and(|name| &*name == key);
    let inside = || Some(Declared::Inside(call.arguments.first().and_then(symbol)?.to_string()));
    let keyword = |name: &str| {
        call.keywords.iter().find_map(|pair| match pair {
            RubyPair::Pair(key, value) => symbol(key).is_some_and(|key| &*key == name).then_some(value),
            RubyPair::Splat(_) => None,
        })
    };
    match &*call.name {
        "attr_accessor" | "attr_writer" => call.arguments.iter().any(is_key).then_some(Declared::Aside),
        "attribute" => call.arguments.first().is_some_and(is_key).then_some(Declared::Aside),
        "store_accessor" => call.arguments.iter().skip(1).any(is_key).then(inside)?,
        "store" => match &keyword("accessors")?.kind {
            RubyKind::Array(names) => names.iter().any(is_key).then(inside)?,
            _ => None,
        },
        "jsonb_accessor" => keyword(key).and_then(|_| inside()),
        _ => None,
    }
}
