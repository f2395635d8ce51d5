//! Hashes, and how values of them and of arrays are changed in place.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Leave;
use super::given::{Given, put};
use super::object::Thing;
use super::scope::same;
use crate::rails::value::{Text, Value};
use crate::source::Span;

pub(super) type Pairs = Vec<(Value, Value)>;

pub(super) fn pairs_as_list(pairs: &[(Value, Value)]) -> Value {
    let pair = |(key, value): &(Value, Value)| Value::Array(Arc::new(vec![key.clone(), value.clone()]));
    Value::Array(Arc::new(pairs.iter().map(pair).collect()))
}

/// `[[a, 1], [b, 2]].to_h`
pub(super) fn from_pairs(items: &[Value]) -> Value {
    let mut pairs = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Array(two) if two.len() == 2 => put(&mut pairs, two[0].clone(), two[1].clone()),
            Value::Unknown(why) => return Value::Unknown(why.clone()),
            _ => return Value::unknown("a hash of what are no pairs"),
        }
    }
    Value::Hash(Arc::new(pairs))
}

fn hash(pairs: Pairs) -> Option<Value> {
    Some(Value::Hash(Arc::new(pairs)))
}

/// The value of a key: `None` where it is not known whether it is there.
fn get(pairs: &[(Value, Value)], key: &Value) -> Option<Option<Value>> {
    let mut unsure = false;
    for (known, value) in pairs.iter().rev() {
        match same(known, key) {
            Some(true) => return Some(Some(value.clone())),
            Some(false) => {}
            None => unsure = true,
        }
    }
    (!unsure).then_some(None)
}

impl Evaluator<'_> {
    pub(super) fn hash_call(
        &mut self,
        pairs: &Arc<Pairs>,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        self.budget.items(pairs.len() / 8 + 1, at)?;
        let first = given.first();
        Ok(match (name, first) {
            ("[]" | "fetch" | "dig" | "key?" | "has_key?" | "include?" | "member?", Some(key)) => {
                return self.looked_up(pairs, name, key, given, at);
            }
            ("keys", _) => Some(Value::Array(Arc::new(pairs.iter().map(|(key, _)| key.clone()).collect()))),
            ("values", _) => Some(Value::Array(Arc::new(pairs.iter().map(|(_, value)| value.clone()).collect()))),
            ("values_at", _) => {
                let values = given.arguments.iter().map(|key| get(pairs, key).flatten().unwrap_or(Value::Nil));
                Some(Value::Array(Arc::new(values.collect())))
            }
            ("to_a", _) => Some(pairs_as_list(pairs)),
            ("to_h" | "to_hash" | "with_indifferent_access" | "compact_blank", _) if given.block.is_none() => {
                hash(pairs.to_vec())
            }
            ("empty?" | "none?", _) if given.block.is_none() => Some(Value::Bool(pairs.is_empty())),
            ("any?", _) if given.block.is_none() => Some(Value::Bool(!pairs.is_empty())),
            ("size" | "length" | "count", None) if given.block.is_none() => Some(Value::Integer(pairs.len() as i64)),
            ("merge" | "reverse_merge" | "update" | "deep_merge" | "with_defaults", _) => {
                self.merged(pairs, name, given, at)?
            }
            ("except" | "slice", _) => {
                let named = |key: &Value| given.arguments.iter().any(|one| same(one, key) == Some(true));
                hash(pairs.iter().filter(|(key, _)| named(key) == (name == "slice")).cloned().collect())
            }
            ("compact", _) => hash(pairs.iter().filter(|(_, value)| !value.is_nil()).cloned().collect()),
            ("invert", _) => {
                let mut turned = Vec::new();
                pairs.iter().for_each(|(key, value)| put(&mut turned, value.clone(), key.clone()));
                hash(turned)
            }
            ("key", Some(wanted)) => {
                let found = pairs.iter().find(|(_, value)| same(value, wanted) == Some(true));
                Some(found.map_or(Value::Nil, |(key, _)| key.clone()))
            }
            ("symbolize_keys" | "stringify_keys" | "deep_stringify_keys", _) => {
                let named = |key: &Value| match (name, key.name()) {
                    ("symbolize_keys", Some(text)) => Value::symbol(text),
                    (_, Some(text)) => Value::text(text),
                    (_, None) => key.clone(),
                };
                hash(pairs.iter().map(|(key, value)| (named(key), value.clone())).collect())
            }
            ("transform_values" | "transform_keys" | "select" | "filter" | "reject" | "each_key" | "each_value", _) => {
                return self.hash_block(pairs, name, given, at);
            }
            ("each" | "each_pair", _) if given.block.is_some() => {
                let items = pairs_as_list(pairs);
                self.send(items, &"each".into(), given.clone(), at)?;
                hash(pairs.to_vec())
            }
            ("each" | "each_pair", _) => Some(pairs_as_list(pairs)),
            // A row of what the catalog lists: `index.name`.
            (attribute, None) if given.block.is_none() && get(pairs, &Value::symbol(attribute)).flatten().is_some() => {
                get(pairs, &Value::symbol(attribute)).flatten()
            }
            _ => {
                let Value::Array(items) = pairs_as_list(pairs) else { return Ok(None) };
                let found = self.list_call(&items, name, given, at)?;
                match (name, found) {
                    ("sort_by" | "min_by" | "max_by", found) => found,
                    ("find" | "detect", found) => found,
                    ("partition", found) => found,
                    (_, found) => found,
                }
            }
        })
    }

    fn looked_up(
        &mut self,
        pairs: &[(Value, Value)],
        name: &str,
        key: &Value,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        let unknown = || Value::unknown("whether a hash has a key is not known");
        let Some(found) = get(pairs, key) else { return Ok(Some(unknown())) };
        Ok(Some(match (name, found) {
            ("key?" | "has_key?" | "include?" | "member?", found) => Value::Bool(found.is_some()),
            ("dig", Some(value)) if given.arguments.len() > 1 => {
                let rest = Given::of(given.arguments[1..].to_vec());
                self.send(value, &"dig".into(), rest, at)?
            }
            (_, Some(value)) => value,
            ("fetch", None) => match (given.arguments.get(1), &given.block) {
                (Some(default), _) => default.clone(),
                (None, Some(block)) => self.call_block(block, Given::of(vec![key.clone()]), at)?,
                (None, None) => {
                    let message = Value::text("key not found");
                    return Err(Leave::Raise { class: "KeyError".into(), message });
                }
            },
            (_, None) => Value::Nil,
        }))
    }

    fn merged(
        &mut self,
        pairs: &[(Value, Value)],
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        let mut all = pairs.to_vec();
        for other in given.all() {
            let more = match &other {
                Value::Hash(more) => more,
                Value::Unknown(why) => {
                    all.push((Value::symbol("**"), Value::Unknown(why.clone())));
                    continue;
                }
                _ => return Ok(None),
            };
            self.budget.items(more.len(), at)?;
            for (key, value) in more.iter() {
                let keeps = matches!(name, "reverse_merge" | "with_defaults") && get(&all, key).flatten().is_some();
                if !keeps {
                    put(&mut all, key.clone(), value.clone());
                }
            }
        }
        Ok(hash(all))
    }

    fn hash_block(&mut self, pairs: &Arc<Pairs>, name: &str, given: &Given, at: Span) -> Result<Option<Value>, Leave> {
        let Some(block) = given.block.clone() else { return Ok(None) };
        let mut kept = Vec::new();
        for (key, value) in pairs.iter() {
            self.budget.step(at)?;
            let arguments = match name {
                "transform_values" | "each_value" => vec![value.clone()],
                "transform_keys" | "each_key" => vec![key.clone()],
                _ => vec![key.clone(), value.clone()],
            };
            let answer = self.call_block(&block, Given::of(arguments), at)?;
            match name {
                "transform_values" => kept.push((key.clone(), answer)),
                "transform_keys" => kept.push((answer, value.clone())),
                "select" | "filter" | "reject" => match answer.is_truthy() {
                    Some(holds) if holds != (name == "reject") => kept.push((key.clone(), value.clone())),
                    Some(_) => {}
                    None => return Ok(Some(Value::Unknown(self.why_unknown(&answer)))),
                },
                _ => kept.push((key.clone(), value.clone())),
            }
        }
        Ok(hash(kept))
    }

    /// Methods that change what they are called on: what it is then, and what the call gives.
    pub(super) fn changed_in_place(
        &mut self,
        value: &Value,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<(Value, Value)>, Leave> {
        let both = |value: Value| Some((value.clone(), value));
        match value {
            Value::Text(text) if name == "<<" || name == "concat" => {
                let Some(Value::Text(other)) = given.first() else {
                    let why = given.first().map_or_else(|| "nothing".into(), |one| self.why_unknown(one));
                    return Ok(both(Value::Unknown(why)));
                };
                self.budget.bytes(text.as_str().len() + other.as_str().len(), at)?;
                let text = self.send(value.clone(), &"+".into(), Given::of(vec![Value::Text(other.clone())]), at)?;
                return Ok(both(text));
            }
            Value::Array(items) => {
                if let Some(changed) = self.changed_list(items, name, given, at)? {
                    return Ok(Some(changed));
                }
            }
            Value::Hash(pairs) => match name {
                "merge!" | "update" | "deep_merge!" | "reverse_merge!" => {
                    let name = if name == "reverse_merge!" { "reverse_merge" } else { "merge" };
                    return Ok(self.merged(pairs, name, given, at)?.and_then(both));
                }
                "store" => {
                    let (Some(key), Some(value)) = (given.first(), given.arguments.get(1)) else { return Ok(None) };
                    let mut changed = pairs.to_vec();
                    put(&mut changed, key.clone(), value.clone());
                    return Ok(Some((Value::Hash(Arc::new(changed)), value.clone())));
                }
                "delete" | "delete!" => {
                    let Some(key) = given.first() else { return Ok(None) };
                    let gone = get(pairs, key).flatten().unwrap_or(Value::Nil);
                    let kept = pairs.iter().filter(|(known, _)| same(known, key) != Some(true)).cloned().collect();
                    return Ok(Some((Value::Hash(Arc::new(kept)), gone)));
                }
                "clear" => return Ok(both(Value::Hash(Arc::new(Vec::new())))),
                _ => {}
            },
            _ => {}
        }
        let Some(plain) = name.strip_suffix('!').filter(|plain| !plain.is_empty()) else { return Ok(None) };
        if matches!(value, Value::Text(_) | Value::Array(_) | Value::Hash(_)) {
            let changed = self.send(value.clone(), &plain.into(), given.clone(), at)?;
            return Ok(both(changed));
        }
        Ok(None)
    }

    fn changed_list(
        &mut self,
        items: &Arc<Vec<Value>>,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<(Value, Value)>, Leave> {
        if !matches!(
            name,
            "<<" | "push"
                | "append"
                | "concat"
                | "unshift"
                | "prepend"
                | "insert"
                | "pop"
                | "shift"
                | "clear"
                | "delete"
                | "delete_at"
                | "delete_if"
                | "keep_if"
                | "add"
        ) {
            return Ok(None);
        }
        self.budget.items(items.len() + given.arguments.len(), at)?;
        let mut changed = items.to_vec();
        let mut result = None;
        match name {
            "<<" | "push" | "append" | "add" => changed.extend(given.all()),
            "concat" => {
                for list in &given.arguments {
                    match list {
                        Value::Array(more) => {
                            self.budget.items(more.len(), at)?;
                            changed.extend(more.iter().cloned());
                        }
                        other => changed.push(Value::Unknown(self.why_unknown(other))),
                    }
                }
            }
            "unshift" | "prepend" => {
                let mut all = given.all();
                all.append(&mut changed);
                changed = all;
            }
            "insert" => {
                if let Some(Value::Integer(place)) = given.first() {
                    let place = usize::try_from(*place).unwrap_or(changed.len()).min(changed.len());
                    changed.splice(place..place, given.arguments[1..].iter().cloned());
                }
            }
            "pop" => result = Some(changed.pop().unwrap_or(Value::Nil)),
            "shift" => result = Some(if changed.is_empty() { Value::Nil } else { changed.remove(0) }),
            "clear" => changed.clear(),
            "delete" => {
                if let Some(gone) = given.first() {
                    changed.retain(|item| same(item, gone) != Some(true));
                    result = Some(gone.clone());
                }
            }
            "delete_at" => {
                if let Some(Value::Integer(place)) = given.first()
                    && let Ok(place) = usize::try_from(*place)
                    && place < changed.len()
                {
                    result = Some(changed.remove(place));
                }
            }
            _ => {
                let plain = if name == "delete_if" { "reject" } else { "select" };
                let list = Value::Array(Arc::new(changed));
                let kept = self.send(list, &plain.into(), given.clone(), at)?;
                return Ok(Some((kept.clone(), kept)));
            }
        }
        let list = Value::Array(Arc::new(changed));
        Ok(Some((list.clone(), result.unwrap_or(list))))
    }

    /// `held[key] = value`
    pub(super) fn with_element(&mut self, held: Value, keys: &[Value], value: Value, at: Span) -> Result<Value, Leave> {
        Ok(match (held, keys) {
            (Value::Hash(pairs), [key]) => {
                self.budget.items(pairs.len() / 8 + 1, at)?;
                let mut pairs = Arc::unwrap_or_clone(pairs);
                put(&mut pairs, key.clone(), value);
                Value::Hash(Arc::new(pairs))
            }
            (Value::Array(items), [Value::Integer(place)]) => {
                let place = if *place < 0 { *place + items.len() as i64 } else { *place };
                let Ok(place) = usize::try_from(place) else { return Ok(Value::Array(items)) };
                self.budget.items(items.len().max(place.saturating_add(1)), at)?;
                let mut items = Arc::unwrap_or_clone(items);
                if items.len() <= place {
                    items.resize(place + 1, Value::Nil);
                }
                items[place] = value;
                Value::Array(Arc::new(items))
            }
            (Value::Object(object), _) => Value::Object(object),
            (other, _) => Value::Unknown(self.why_unknown(&other)),
        })
    }

    /// `object.name = value`
    pub(super) fn set_attribute(
        &mut self,
        object: Value,
        name: &Arc<str>,
        value: Value,
        at: Span,
    ) -> Result<(), Leave> {
        if let Some(Thing::Definition { .. }) = self.thing_of(&object) {
            return Ok(());
        }
        let name: Arc<str> = format!("{name}=").into();
        match object {
            Value::Object(_) | Value::Constant(_) => {
                self.send(object, &name, Given::of(vec![value]), at)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Text {
    /// A part of it, with its places.
    pub fn part(&self, range: std::ops::Range<usize>) -> Text {
        match self.placed_piece() {
            Some(piece) => Text::placed(piece.part(range)),
            None => Text::new(&self.as_str()[range]),
        }
    }

    /// Some of its parts, with something between them.
    pub fn parts(&self, ranges: &[std::ops::Range<usize>], between: &str) -> Text {
        let Some(piece) = self.placed_piece() else {
            let parts: Vec<&str> = ranges.iter().map(|range| &self.as_str()[range.clone()]).collect();
            return Text::new(parts.join(between));
        };
        let mut built = crate::source::PieceBuilder::new(piece.source());
        for (at, range) in ranges.iter().enumerate() {
            if at > 0 && !between.is_empty() {
                built.stand_for(between, piece.span(range.start..range.start));
            }
            if !range.is_empty() {
                built.copy(piece, range.clone());
            }
        }
        Text::placed(built.finish())
    }
}
