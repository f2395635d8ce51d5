//! Variables: the scopes of methods and blocks, what branches make of them, and when two values are the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rails::value::Value;

#[derive(Debug, Clone)]
struct Scope {
    variables: BTreeMap<Arc<str>, Value>,
    /// The scope around a block.
    around: Option<usize>,
    /// How many objects there were when it was opened: a later one may hold it.
    things: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Scopes {
    scopes: Vec<Scope>,
    instance: BTreeMap<Arc<str>, Value>,
}

/// All variables at one point.
#[derive(Debug, Clone)]
pub(super) struct Snapshot(Scopes);

impl Scopes {
    pub fn new() -> Scopes {
        let first = Scope { variables: BTreeMap::new(), around: None, things: 0 };
        Scopes { scopes: vec![first], instance: BTreeMap::new() }
    }

    pub fn open(&mut self, around: Option<usize>, things: usize) -> usize {
        self.scopes.push(Scope { variables: BTreeMap::new(), around, things });
        self.scopes.len() - 1
    }

    /// The last scope is over; it goes where no object that was made meanwhile can hold it.
    pub fn close(&mut self, scope: usize, things: usize) {
        if scope + 1 == self.scopes.len() && self.scopes[scope].things == things {
            self.scopes.pop();
        }
    }

    pub fn get(&self, scope: usize, name: &str) -> Option<&Value> {
        let mut next = Some(scope);
        while let Some(at) = next {
            let scope = self.scopes.get(at)?;
            if let Some(value) = scope.variables.get(name) {
                return Some(value);
            }
            next = scope.around;
        }
        None
    }

    /// Sets a variable where it is known, else here.
    pub fn set(&mut self, scope: usize, name: &Arc<str>, value: Value) {
        let mut next = Some(scope);
        while let Some(at) = next {
            let Some(found) = self.scopes.get_mut(at) else { break };
            if let Some(known) = found.variables.get_mut(name) {
                *known = value;
                return;
            }
            next = found.around;
        }
        self.declare(scope, name, value);
    }

    /// A parameter hides what is outside.
    pub fn declare(&mut self, scope: usize, name: &Arc<str>, value: Value) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.variables.insert(name.clone(), value);
        }
    }

    pub fn instance(&self, name: &str) -> Option<&Value> {
        self.instance.get(name)
    }

    pub fn set_instance(&mut self, name: &Arc<str>, value: Value) {
        self.instance.insert(name.clone(), value);
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.clone())
    }

    pub fn restore(&mut self, snapshot: Snapshot) {
        // Scopes that a branch opened and that objects may hold stay.
        let kept = self.scopes.len().max(snapshot.0.scopes.len());
        let mut scopes = snapshot.0.scopes;
        scopes.extend(self.scopes.drain(scopes.len().min(self.scopes.len())..));
        scopes.truncate(kept);
        self.scopes = scopes;
        self.instance = snapshot.0.instance;
    }

    /// What is known where one of two ways was gone.
    pub fn join(&mut self, other: &Snapshot) {
        for (at, scope) in self.scopes.iter_mut().enumerate() {
            if let Some(other) = other.0.scopes.get(at) {
                join(&mut scope.variables, &other.variables);
            }
        }
        join(&mut self.instance, &other.0.instance);
    }
}

fn join(here: &mut BTreeMap<Arc<str>, Value>, other: &BTreeMap<Arc<str>, Value>) {
    for (name, value) in here.iter_mut() {
        let is_same = match other.get(name) {
            Some(known) => same(value, known),
            None => same(value, &Value::Nil),
        };
        if is_same != Some(true) {
            *value = undecided(name);
        }
    }
    for (name, value) in other {
        if !here.contains_key(name) {
            let known = if value.is_nil() { Value::Nil } else { undecided(name) };
            here.insert(name.clone(), known);
        }
    }
}

fn undecided(name: &str) -> Value {
    Value::unknown(format!("`{name}` depends on a condition that is not known"))
}

/// Whether two values are equal as `==` has it; `None` where that is not known.
pub(super) fn same(one: &Value, other: &Value) -> Option<bool> {
    Some(match (one, other) {
        (Value::Unknown(_), _) | (_, Value::Unknown(_)) => return None,
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Integer(one), Value::Integer(other)) => one == other,
        (Value::Float(one), Value::Float(other)) => one == other || one.parse::<f64>() == other.parse::<f64>(),
        (Value::Integer(one), Value::Float(other)) | (Value::Float(other), Value::Integer(one)) => {
            other.parse::<f64>().is_ok_and(|other| other == *one as f64)
        }
        (Value::Text(one), Value::Text(other)) | (Value::Sql(one), Value::Sql(other)) => one == other,
        (Value::Symbol(one), Value::Symbol(other)) => one == other,
        (Value::Constant(one), Value::Constant(other)) => one == other,
        (Value::Object(one), Value::Object(other)) if one == other => true,
        (Value::Object(_), Value::Object(_)) => return None,
        (Value::Object(one), Value::Nil) | (Value::Nil, Value::Object(one)) if one.may_be_nil => return None,
        (Value::Array(one), Value::Array(other)) => return all_same(one, other),
        (Value::Hash(one), Value::Hash(other)) => {
            if one.len() != other.len() {
                return Some(false);
            }
            let mut all = Some(true);
            for (key, value) in one.iter() {
                let Some((_, found)) = other.iter().find(|(known, _)| same(known, key) == Some(true)) else {
                    return Some(false);
                };
                match same(value, found) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => all = None,
                }
            }
            return all;
        }
        (
            Value::Range { from: one, to: one_to, exclusive },
            Value::Range { from: other, to: other_to, exclusive: other_exclusive },
        ) => return Some(exclusive == other_exclusive && same(one, other)? && same(one_to, other_to)?),
        (Value::Regex { pattern: one, flags }, Value::Regex { pattern: other, flags: other_flags }) => {
            one == other && flags == other_flags
        }
        (Value::Object(_), _) | (_, Value::Object(_)) => return None,
        _ => false,
    })
}

fn all_same(one: &[Value], other: &[Value]) -> Option<bool> {
    if one.len() != other.len() {
        return Some(false);
    }
    let mut all = Some(true);
    for (one, other) in one.iter().zip(other) {
        match same(one, other) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}
