//! Rows: what is set in them, and the SQL that saves or deletes one.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::{Given, put};
use super::model::Model;
use super::object::Thing;
use super::relation::{Relation, shown};
use super::unread::table_name;
use crate::operation::Ident;
use crate::rails::value::{Object, Value};
use crate::source::Span;

/// A row of a relation, or a new one.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The rows that it is one of.
    pub relation: Relation,
    /// What was set since it was last saved; `None`: not known.
    pub sets: Option<Vec<(Value, Value)>>,
    pub is_new: bool,
}

impl Row {
    pub fn of(relation: Relation) -> Row {
        let relation = relation.of_one();
        Row { relation, sets: Some(Vec::new()), is_new: false }
    }
}

impl Evaluator<'_> {
    pub(super) fn row_call(&mut self, object: Object, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let Some(Thing::Row(row)) = self.thing(object) else { return Ok(Value::Nil) };
        let row = row.clone();
        let class = row.relation.model.class.clone();
        if self.index.has(&class)
            && let Some((owner, method)) = self.index.method(&class, name, false)
        {
            let outer = self.here.me.replace(Value::Object(object));
            let ran = self.own_method(&owner, &method, false, given, at);
            self.here.me = outer;
            return ran;
        }
        match (&**name, given.arguments.as_slice()) {
            (
                "update" | "update!" | "update_columns" | "update_attributes" | "update_attributes!"
                | "assign_attributes",
                _,
            ) => {
                let sets = match given.first() {
                    Some(Value::Hash(pairs)) => Some(pairs.to_vec()),
                    Some(_) => None,
                    None => Some(given.keywords.clone()),
                };
                self.set_in_row(object, sets);
                match &**name {
                    "assign_attributes" => Ok(Value::Nil),
                    _ => self.save(object, at),
                }
            }
            ("update_attribute" | "update_column" | "update_attribute!", [column, value]) => {
                self.set_in_row(object, Some(vec![(column.clone(), value.clone())]));
                self.save(object, at)
            }
            ("increment!" | "decrement!" | "toggle!" | "increment" | "decrement" | "toggle", [column, ..]) => {
                self.set_in_row(object, Some(vec![(column.clone(), Value::unknown("its old value"))]));
                if name.ends_with('!') { self.save(object, at) } else { Ok(Value::Nil) }
            }
            ("touch", columns) => {
                let mut sets = vec![(Value::symbol("updated_at"), Value::unknown("now"))];
                sets.extend(columns.iter().map(|column| (column.clone(), Value::unknown("now"))));
                self.set_in_row(object, Some(sets));
                self.save(object, at)
            }
            ("save" | "save!", _) => self.save(object, at),
            ("destroy" | "destroy!" | "delete" | "really_destroy!", _) => self.delete_all(&row.relation, at),
            ("[]=" | "write_attribute", [column, value]) => {
                self.set_in_row(object, Some(vec![(column.clone(), value.clone())]));
                Ok(value.clone())
            }
            ("connection", _) => Ok(self.make(Thing::Connection)),
            ("transaction" | "with_lock", _) => self.transaction(given.block.clone(), &given, at),
            ("reload" | "lock!" | "itself" | "dup", _) => Ok(Value::Object(object)),
            (attribute, [value]) if attribute.ends_with('=') => {
                let column = Value::symbol(attribute.trim_end_matches('='));
                self.set_in_row(object, Some(vec![(column, value.clone())]));
                Ok(value.clone())
            }
            (attribute, []) if given.block.is_none() => Ok(self.attribute(&row, attribute)),
            _ => self.on_unknown(format!("what `{name}` of a row gives").into(), given, at),
        }
    }

    /// What was set is known; what the table holds is not. Names of other tables are associations.
    fn attribute(&mut self, row: &Row, name: &str) -> Value {
        let sets = row.sets.as_deref().unwrap_or_default();
        if let Some((_, value)) = sets.iter().find(|(key, _)| key.name() == Some(name)) {
            return value.clone();
        }
        if let Some(thing) = self.association(row, name) {
            return match thing {
                Thing::Row(_) => self.make_perhaps(thing),
                _ => self.make(thing),
            };
        }
        Value::unknown(format!("what `{name}` of a row of {} is", shown(&row.relation)))
    }

    /// `belongs_to` by the key that the table has, `has_many` by the key that the other one has.
    fn association(&self, row: &Row, name: &str) -> Option<Thing> {
        let table = row.relation.model.table.as_deref()?;
        let schema = self.world.schema();
        let own = schema.find_table(&table_name(table))?.as_table()?;
        let column = |name: &str| Ident::new(name);
        if own.column(&column(name)).is_some() {
            return None;
        }
        let words = &self.dialect.inflections;
        let (prefix, short) = match table.rsplit_once('.') {
            Some((schema, short)) => (format!("{schema}."), short),
            None => (String::new(), table),
        };
        let model = |table: String| Arc::new(Model { class: "".into(), table: Some(table.into()) });
        if own.column(&column(&format!("{name}_id"))).is_some() {
            let other = format!("{prefix}{}", words.pluralize(name));
            schema.find_table(&table_name(&other))?;
            let relation = Relation::all(model(other)).with_unknown_key();
            return Some(Thing::Row(Row::of(relation)));
        }
        let other = format!("{prefix}{name}");
        let theirs = schema.find_table(&table_name(&other))?.as_table()?;
        let key = format!("{}_id", words.singularize(short));
        theirs.column(&column(&key))?;
        Some(Thing::Relation(Box::new(Relation::all(model(other)).with_key(&key))))
    }

    /// An attribute of a row was changed in place: it is written when the row is saved.
    pub(super) fn changed_attribute(&mut self, object: Object, name: &str) {
        let changed = Value::unknown("its old value, changed");
        self.set_in_row(object, Some(vec![(Value::symbol(name), changed)]));
    }

    fn set_in_row(&mut self, object: Object, more: Option<Vec<(Value, Value)>>) {
        let Some(Thing::Row(row)) = self.things.get_mut(object.number as usize) else { return };
        match (&mut row.sets, more) {
            (Some(sets), Some(more)) => more.into_iter().for_each(|(key, value)| put(sets, key, value)),
            (sets, _) => *sets = None,
        }
    }

    fn save(&mut self, object: Object, at: Span) -> Flow {
        let Some(Thing::Row(row)) = self.things.get_mut(object.number as usize) else { return Ok(Value::Nil) };
        let (relation, is_new) = (row.relation.clone(), row.is_new);
        let sets = row.sets.replace(Vec::new());
        row.is_new = false;
        if is_new {
            self.insert(&relation, sets, false, at)?;
            return Ok(Value::unknown("whether a row is saved"));
        }
        let strange = sets.as_ref().and_then(|sets| self.virtual_attribute(&relation, sets));
        if let Some(strange) = strange {
            self.unread_rows(
                &relation,
                format!("what the model of {} writes for `{strange}` is not known", shown(&relation)),
                at,
            );
            return Ok(Value::unknown("whether a row is saved"));
        }
        match sets.filter(|sets| !sets.is_empty()).map(|sets| self.as_columns(&relation, sets)) {
            // None of what was set is a column.
            Some(sets) if sets.is_empty() => Ok(Value::unknown("whether a row is saved")),
            Some(sets) => self.update_all(&relation, &Given { keywords: sets, ..Given::default() }, at),
            None => {
                self.unread_rows(
                    &relation,
                    format!("which columns of {} are written is not known", shown(&relation)),
                    at,
                );
                Ok(Value::unknown("whether a row is saved"))
            }
        }
    }
}
