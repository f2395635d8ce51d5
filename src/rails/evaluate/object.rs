//! Objects that only the evaluator knows.

use std::sync::Arc;

use super::model::Model;
use super::relation::Relation;
use super::row::Row;
use super::{Activation, Evaluator};
use crate::operation::RubyBlock;
use crate::rails::call::Call;
use crate::rails::value::{Object, Value};

#[derive(Debug, Clone)]
pub(super) enum Thing {
    /// A block, lambda or proc with what is around it.
    Procedure {
        block: Arc<RubyBlock>,
        around: Activation,
        is_lambda: bool,
    },
    /// `&:name`
    Sender(Arc<str>),
    /// `method(:name)`
    Method(Arc<str>),
    /// `t` of create_table and change_table: what it is sent.
    Definition {
        table: Option<Arc<str>>,
        calls: Vec<Call>,
    },
    /// `dir` of reversible, and whether what it does is being undone.
    Direction {
        reverting: bool,
    },
    /// The connection: calls on it are the migration's own.
    Connection,
    /// What a regular expression found.
    Match(Vec<Value>, Vec<(Arc<str>, Value)>),
    /// An iteration that waits for `with_index` or its block.
    Pending {
        items: Vec<Value>,
        then: Arc<str>,
    },
    /// A class of rows that has no name, or none of its own.
    Model(Model),
    Relation(Box<Relation>),
    Row(Row),
    /// Of a class of this file that is no model.
    Instance(Arc<str>),
    /// The rows that a job works on.
    Batch(super::job::Batch),
    /// `with_options`: calls on it carry these.
    Options(Vec<(Value, Value)>),
}

impl Evaluator<'_> {
    pub(super) fn make(&mut self, thing: Thing) -> Value {
        self.things.push(thing);
        Value::Object(Object { number: self.things.len() as u32 - 1, may_be_nil: false })
    }

    /// The same, or nil.
    pub(super) fn make_perhaps(&mut self, thing: Thing) -> Value {
        match self.make(thing) {
            Value::Object(object) => Value::Object(Object { may_be_nil: true, ..object }),
            other => other,
        }
    }

    pub(super) fn thing(&self, object: Object) -> Option<&Thing> {
        self.things.get(object.number as usize)
    }

    pub(super) fn thing_of(&self, value: &Value) -> Option<&Thing> {
        match value {
            Value::Object(object) => self.thing(*object),
            _ => None,
        }
    }
}
