//! What a call gives: arguments, keywords, a block; and how parameters take them.

use std::sync::Arc;

use super::object::Thing;
use super::{Evaluator, Leave};
use crate::operation::{Ruby, RubyCall, RubyKind, RubyPair, RubyParameters, RubyTarget, RubyVariable};
use crate::rails::call::Options;
use crate::rails::value::Value;
use crate::source::Span;

#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub arguments: Vec<Value>,
    pub keywords: Vec<(Value, Value)>,
    pub block: Option<Value>,
}

impl Given {
    pub fn of(arguments: Vec<Value>) -> Given {
        Given { arguments, ..Given::default() }
    }

    /// Keywords as the last positional argument.
    pub fn all(&self) -> Vec<Value> {
        let mut all = self.arguments.clone();
        if !self.keywords.is_empty() {
            all.push(Value::Hash(Arc::new(self.keywords.clone())));
        }
        all
    }

    pub fn first(&self) -> Option<&Value> {
        self.arguments.first()
    }

    pub fn keyword(&self, name: &str) -> Option<&Value> {
        let found = self.keywords.iter().rev().find(|(key, _)| key.name() == Some(name));
        found.map(|(_, value)| value)
    }

    /// Keywords as the options of a call: a last hash counts too, as Active Record's calls take it.
    fn into_call(self) -> (Vec<Value>, Options) {
        let Given { mut arguments, mut keywords, .. } = self;
        if keywords.is_empty()
            && let Some(Value::Hash(pairs)) = arguments.last()
            && pairs.iter().all(|(key, _)| matches!(key, Value::Symbol(_)))
            // An empty one is a value: `change_column_default :users, :settings, {}`.
            && !pairs.is_empty()
            && arguments.len() > 1
        {
            keywords = pairs.to_vec();
            arguments.pop();
        }
        let named = |(key, value): (Value, Value)| match key.name() {
            Some(name) => (Arc::from(name), value),
            None => ("**".into(), Value::unknown("the name of an option is not known")),
        };
        (arguments, Options(keywords.into_iter().map(named).collect()))
    }
}

impl Evaluator<'_> {
    /// Arguments and options of a migration's call; SQL that a lambda gives stands as such: `default: -> { "now()" }`.
    pub(super) fn told(&mut self, given: Given, at: Span) -> Result<(Vec<Value>, Options), Leave> {
        let (mut arguments, mut options) = given.into_call();
        for value in arguments.iter_mut().chain(options.0.iter_mut().map(|(_, value)| value)) {
            if let Some(Thing::Procedure { .. }) = self.thing_of(value)
                && let Value::Text(text) = self.call_block(&value.clone(), Given::default(), at)?
            {
                *value = Value::Sql(text);
            }
        }
        Ok((arguments, options))
    }

    /// Works out what a call gives, from left to right.
    pub(super) fn given(&mut self, call: &RubyCall, at: Span) -> Result<Given, Leave> {
        let mut given = Given {
            arguments: self.spread(&call.arguments, at)?,
            keywords: self.pairs(&call.keywords, at)?,
            block: None,
        };
        if let Some(block) = &call.block {
            given.block = Some(self.procedure(block, false));
        } else if let Some(passed) = &call.block_argument {
            given.block = self.block_argument(passed)?;
        }
        Ok(given)
    }

    /// A list of nodes; `*list` is spread.
    pub(super) fn spread(&mut self, nodes: &[Ruby], at: Span) -> Result<Vec<Value>, Leave> {
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            let RubyKind::Splat(inner) = &node.kind else {
                values.push(self.node(node)?);
                continue;
            };
            let value = match inner {
                Some(inner) => self.node(inner)?,
                None => self.scopes.get(self.here.scope, "*").cloned().unwrap_or(Value::Nil),
            };
            match value {
                Value::Array(items) => {
                    self.budget.items(items.len(), at)?;
                    values.extend(items.iter().cloned());
                }
                Value::Nil => {}
                Value::Range { .. } => match self.items_of(&value, at)? {
                    Some(items) => values.extend(items),
                    None => values.push(Value::unknown("a range without known ends is spread here")),
                },
                other => values.push(other),
            }
        }
        Ok(values)
    }

    pub(super) fn pairs(&mut self, pairs: &[RubyPair], at: Span) -> Result<Vec<(Value, Value)>, Leave> {
        let mut found: Vec<(Value, Value)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match pair {
                RubyPair::Pair(key, value) => {
                    let (key, value) = (self.node(key)?, self.node(value)?);
                    put(&mut found, key, value);
                }
                RubyPair::Splat(inner) => {
                    let value = match inner {
                        Some(inner) => self.node(inner)?,
                        None => self.scopes.get(self.here.scope, "**").cloned().unwrap_or(Value::Nil),
                    };
                    match value {
                        Value::Hash(more) => {
                            self.budget.items(more.len(), at)?;
                            more.iter().for_each(|(key, value)| put(&mut found, key.clone(), value.clone()));
                        }
                        Value::Nil => {}
                        Value::Unknown(why) => found.push((Value::symbol("**"), Value::Unknown(why))),
                        _ => found.push((Value::symbol("**"), Value::unknown("what is spread here is no hash"))),
                    }
                }
            }
        }
        Ok(found)
    }

    /// Gives a body's parameters their values.
    pub(super) fn bind(&mut self, parameters: &RubyParameters, given: Given, is_method: bool) -> Result<(), Leave> {
        let Given { mut arguments, mut keywords, block } = given;
        let takes_keywords = !parameters.keywords.is_empty() || parameters.keyword_rest.is_some();
        if !takes_keywords && !keywords.is_empty() {
            arguments.push(Value::Hash(Arc::new(std::mem::take(&mut keywords))));
        }
        let needed = parameters.required.len() + parameters.after_rest.len();
        if takes_keywords
            && keywords.is_empty()
            && arguments.len() > needed
            && let Some(Value::Hash(pairs)) = arguments.last()
            && pairs.iter().all(|(key, _)| matches!(key, Value::Symbol(_)))
        {
            keywords = pairs.to_vec();
            arguments.pop();
        }
        // A block with several parameters takes an array apart.
        let many = needed + parameters.optional.len() > 1 || (needed > 0 && parameters.rest.is_some());
        if !is_method
            && many
            && let [Value::Array(items)] = arguments.as_slice()
        {
            arguments = items.to_vec();
        }
        self.bind_positional(parameters, arguments)?;
        self.bind_keywords(parameters, keywords)?;
        if let Some(name) = &parameters.block {
            let value = block.unwrap_or(Value::Nil);
            self.scopes.declare(self.here.scope, name, value);
        }
        Ok(())
    }

    fn bind_positional(&mut self, parameters: &RubyParameters, arguments: Vec<Value>) -> Result<(), Leave> {
        let needed = parameters.required.len() + parameters.after_rest.len();
        let mut optional = arguments.len().saturating_sub(needed).min(parameters.optional.len());
        let mut rest = arguments.len().saturating_sub(needed + optional);
        let mut arguments = arguments.into_iter();
        for target in &parameters.required {
            let value = arguments.next().unwrap_or(Value::Nil);
            self.bind_target(target, value);
        }
        for (name, default) in &parameters.optional {
            let value = match optional {
                0 => self.node(default)?,
                _ => {
                    optional -= 1;
                    arguments.next().unwrap_or(Value::Nil)
                }
            };
            self.scopes.declare(self.here.scope, name, value);
        }
        let mut taken = Vec::new();
        while rest > 0 {
            taken.extend(arguments.next());
            rest -= 1;
        }
        if let Some(name) = &parameters.rest {
            self.scopes.declare(self.here.scope, name, Value::Array(Arc::new(taken)));
        }
        for target in &parameters.after_rest {
            let value = arguments.next().unwrap_or(Value::Nil);
            self.bind_target(target, value);
        }
        Ok(())
    }

    fn bind_target(&mut self, target: &RubyTarget, value: Value) {
        match target {
            RubyTarget::Variable(RubyVariable::Local(name)) => self.scopes.declare(self.here.scope, name, value),
            RubyTarget::Nested(targets) => {
                let items = match value {
                    Value::Array(items) => items.to_vec(),
                    Value::Unknown(why) => vec![Value::Unknown(why); targets.len()],
                    other => vec![other],
                };
                let mut items = items.into_iter();
                for (at, target) in targets.iter().enumerate() {
                    if let RubyTarget::Splat(inner) = target {
                        let after = targets.len() - at - 1;
                        let count = items.len().saturating_sub(after);
                        let taken: Vec<Value> = items.by_ref().take(count).collect();
                        if let Some(inner) = inner {
                            self.bind_target(inner, Value::Array(Arc::new(taken)));
                        }
                    } else {
                        self.bind_target(target, items.next().unwrap_or(Value::Nil));
                    }
                }
            }
            _ => {}
        }
    }

    fn bind_keywords(&mut self, parameters: &RubyParameters, keywords: Vec<(Value, Value)>) -> Result<(), Leave> {
        let mut rest = keywords;
        let unknown = rest.iter().find_map(|(key, value)| match value {
            Value::Unknown(why) if key.name() == Some("**") => Some(why.clone()),
            _ => None,
        });
        for (name, default) in &parameters.keywords {
            let place = rest.iter().rposition(|(key, _)| key.name() == Some(&**name));
            let value = match (place, default, &unknown) {
                (Some(place), ..) => rest.remove(place).1,
                (None, _, Some(why)) => Value::Unknown(why.clone()),
                (None, Some(default), None) => self.node(default)?,
                (None, None, None) => Value::unknown(format!("the argument `{name}` is missing")),
            };
            self.scopes.declare(self.here.scope, name, value);
        }
        if let Some(name) = &parameters.keyword_rest {
            self.scopes.declare(self.here.scope, name, Value::Hash(Arc::new(rest)));
        }
        Ok(())
    }
}

/// The last of two with one key counts.
pub(super) fn put(pairs: &mut Vec<(Value, Value)>, key: Value, value: Value) {
    match pairs.iter_mut().find(|(known, _)| super::scope::same(known, &key) == Some(true)) {
        Some(known) => known.1 = value,
        None => pairs.push((key, value)),
    }
}
