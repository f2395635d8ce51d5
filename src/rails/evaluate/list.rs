//! Arrays and ranges.

use std::sync::Arc;

use super::Evaluator;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::object::Thing;
use super::scope::same;
use crate::rails::value::Value;
use crate::source::Span;

type Items = Arc<Vec<Value>>;

fn list(items: Vec<Value>) -> Option<Value> {
    Some(Value::Array(Arc::new(items)))
}

/// The order of two values; `None` where it is not known.
fn order(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => Some(one.cmp(other)),
        (Value::Array(one), Value::Array(other)) => {
            for (one, other) in one.iter().zip(other.iter()) {
                match order(one, other)? {
                    std::cmp::Ordering::Equal => {}
                    decided => return Some(decided),
                }
            }
            Some(one.len().cmp(&other.len()))
        }
        _ => match (super::number::float(one), super::number::float(other)) {
            (Some(one), Some(other)) => one.partial_cmp(&other),
            _ => Some(one.name()?.cmp(other.name()?)),
        },
    }
}

/// Sorts, or says that the order is not known.
fn sorted(mut keyed: Vec<(Value, Value)>) -> Option<Vec<Value>> {
    let mut known = true;
    keyed.sort_by(|(one, _), (other, _)| {
        order(one, other).unwrap_or_else(|| {
            known = false;
            std::cmp::Ordering::Equal
        })
    });
    known.then(|| keyed.into_iter().map(|(_, value)| value).collect())
}

impl Evaluator<'_> {
    /// The items of what can be gone through; `None` where they are not known.
    pub(super) fn items_of(&mut self, value: &Value, at: Span) -> Result<Option<Vec<Value>>, Leave> {
        Ok(match value {
            Value::Array(items) => {
                self.budget.items(items.len(), at)?;
                Some(items.to_vec())
            }
            Value::Hash(pairs) => {
                self.budget.items(pairs.len(), at)?;
                match super::hash::pairs_as_list(pairs) {
                    Value::Array(items) => Some(items.to_vec()),
                    _ => None,
                }
            }
            Value::Range { from, to, exclusive } => match (&**from, &**to) {
                (Value::Integer(from), Value::Integer(to)) => {
                    let last = if *exclusive { to.saturating_sub(1) } else { *to };
                    let count = last.saturating_sub(*from).saturating_add(1).max(0);
                    self.budget.items(usize::try_from(count).unwrap_or(usize::MAX), at)?;
                    Some((*from..=last).map(Value::Integer).collect())
                }
                (Value::Text(from), Value::Text(to)) => match (single(from.as_str()), single(to.as_str())) {
                    (Some(from), Some(to)) => {
                        let letters = (from..=to).filter(|one| !exclusive || *one != to).take(0x1000);
                        Some(letters.map(|one| Value::text(one.to_string())).collect())
                    }
                    _ => None,
                },
                _ => None,
            },
            Value::Nil => Some(Vec::new()),
            _ => None,
        })
    }

    pub(super) fn range_call(
        &mut self,
        value: &Value,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        let Value::Range { from, to, exclusive } = value else { return Ok(None) };
        match (name, given.first()) {
            ("begin" | "first" | "min", None) => return Ok(Some((**from).clone())),
            ("end" | "last" | "max", None) if !exclusive || name == "end" => return Ok(Some((**to).clone())),
            ("include?" | "cover?" | "member?" | "===", Some(wanted)) => {
                let above = if from.is_nil() { Some(true) } else { order(from, wanted).map(|order| order.is_le()) };
                let below = match (to.is_nil(), order(wanted, to)) {
                    (true, _) => Some(true),
                    (false, order) => order.map(|order| if *exclusive { order.is_lt() } else { order.is_le() }),
                };
                return Ok(Some(match (above, below) {
                    (Some(above), Some(below)) => Value::Bool(above && below),
                    _ => Value::unknown("whether a value lies in a range is not known"),
                }));
            }
            ("exclude_end?", _) => return Ok(Some(Value::Bool(*exclusive))),
            // Goes through without making a list of all.
            ("each", None) => {
                if let (Some(_), Value::Integer(first), Value::Integer(last)) = (&given.block, &**from, &**to) {
                    let last = if *exclusive { last.saturating_sub(1) } else { *last };
                    let upto = Given { arguments: vec![Value::Integer(last)], ..given.clone() };
                    return self.number_call(&Value::Integer(*first), "upto", &upto, at);
                }
            }
            ("step" | "%", Some(Value::Integer(by))) => {
                if let (Value::Integer(first), Value::Integer(last)) = (&**from, &**to) {
                    let last = if *exclusive { last.saturating_sub(1) } else { *last };
                    let arguments = vec![Value::Integer(last), Value::Integer(*by)];
                    return self.number_call(
                        &Value::Integer(*first),
                        "step",
                        &Given { arguments, ..given.clone() },
                        at,
                    );
                }
            }
            _ => {}
        }
        match self.items_of(value, at)? {
            Some(items) => self.list_call(&Arc::new(items), name, given, at),
            None => Ok(None),
        }
    }

    pub(super) fn list_call(
        &mut self,
        items: &Items,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        self.budget.items(items.len() / 4 + 1, at)?;
        if let Some(block) = given.block.clone() {
            if let Some(found) = self.list_block(items, name, &block, given, at)? {
                return Ok(Some(found));
            }
        } else if matches!(
            name,
            "each"
                | "map"
                | "collect"
                | "each_with_index"
                | "select"
                | "filter"
                | "flat_map"
                | "reject"
                | "each_entry"
                | "filter_map"
                | "each_with_object"
                | "group_by"
                | "lazy"
                | "sum"
        ) && given.arguments.is_empty()
            && name != "sum"
        {
            let then: Arc<str> = name.into();
            return Ok(Some(match name {
                "lazy" => Value::Array(items.clone()),
                "each_with_index" => numbered(items, 0),
                _ => self.make(Thing::Pending { items: items.to_vec(), then }),
            }));
        }
        Ok(match plain(items, name, given) {
            Some(found) => Some(found),
            None => self.combined(items, name, given, at)?,
        })
    }

    /// `each.with_index(1)`, `map.with_index`, `each.with_object`.
    pub(super) fn pending(
        &mut self,
        items: Vec<Value>,
        then: &Arc<str>,
        name: &Arc<str>,
        given: Given,
        at: Span,
    ) -> Result<Value, Leave> {
        let items = Arc::new(items);
        match &**name {
            "with_index" | "each_with_index" => {
                let from = match given.first() {
                    Some(Value::Integer(from)) => *from,
                    _ => 0,
                };
                let pairs = numbered(&items, from);
                match given.block {
                    Some(_) => {
                        let inner = Given { arguments: Vec::new(), keywords: Vec::new(), block: given.block };
                        self.send(pairs, then, inner, at)
                    }
                    None => Ok(pairs),
                }
            }
            "with_object" => self.send(Value::Array(items), &"each_with_object".into(), given, at),
            "next" | "size" | "rewind" | "peek" => Ok(Value::unknown("an enumerator is not followed")),
            _ => self.send(Value::Array(items), name, given, at),
        }
    }

    /// Lists put together.
    fn combined(&mut self, items: &Items, name: &str, given: &Given, at: Span) -> Result<Option<Value>, Leave> {
        Ok(match (name, given.first()) {
            ("+" | "|" | "&" | "-" | "union" | "difference" | "intersection", Some(other)) => {
                let Some(other) = self.items_of(other, at)? else {
                    return Ok(Some(Value::Unknown(self.why_unknown(other))));
                };
                let has = |list: &[Value], item: &Value| list.iter().any(|one| same(one, item) == Some(true));
                self.budget.items(items.len().saturating_mul(other.len()) / 64, at)?;
                match name {
                    "+" => list(items.iter().cloned().chain(other).collect()),
                    "|" | "union" => list(unique(items.iter().cloned().chain(other).collect())),
                    "&" | "intersection" => list(items.iter().filter(|item| has(&other, item)).cloned().collect()),
                    _ => list(items.iter().filter(|item| !has(&other, item)).cloned().collect()),
                }
            }
            ("*", Some(Value::Integer(count))) => {
                let count = usize::try_from(*count).unwrap_or(0);
                self.budget.items(items.len().saturating_mul(count), at)?;
                list(std::iter::repeat_n(items.iter().cloned(), count).flatten().collect())
            }
            ("*", Some(Value::Text(_))) => plain(items, "join", given),
            ("zip", _) => {
                let mut others = Vec::new();
                for other in &given.arguments {
                    match self.items_of(other, at)? {
                        Some(other) => others.push(other),
                        None => return Ok(None),
                    }
                }
                let row = |(place, item): (usize, &Value)| {
                    let mut row = vec![item.clone()];
                    row.extend(others.iter().map(|other| other.get(place).cloned().unwrap_or(Value::Nil)));
                    Value::Array(Arc::new(row))
                };
                list(items.iter().enumerate().map(row).collect())
            }
            ("product", Some(other)) => {
                let Some(other) = self.items_of(other, at)? else { return Ok(None) };
                self.budget.items(items.len().saturating_mul(other.len()).saturating_mul(2), at)?;
                let pairs = items
                    .iter()
                    .flat_map(|one| other.iter().map(|other| Value::Array(Arc::new(vec![one.clone(), other.clone()]))));
                list(pairs.collect())
            }
            ("flatten", depth) => {
                let depth = match depth {
                    Some(Value::Integer(depth)) => usize::try_from(*depth).unwrap_or(64),
                    _ => 64,
                };
                let mut out = Vec::new();
                flatten(items, depth, &mut out);
                self.budget.items(out.len(), at)?;
                list(out)
            }
            _ => None,
        })
    }

    fn list_block(
        &mut self,
        items: &Items,
        name: &str,
        block: &Value,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        let one = |item: Value| Given::of(vec![item]);
        match name {
            "each" | "each_entry" | "reverse_each" | "each_with_index" | "cycle" => {
                let rounds = match name {
                    "reverse_each" => items.iter().rev().cloned().collect(),
                    "each_with_index" => match numbered(items, 0) {
                        Value::Array(pairs) => pairs.to_vec(),
                        _ => Vec::new(),
                    },
                    _ => items.to_vec(),
                };
                let left = self.each(rounds, block, at, &mut |evaluator, block, item| {
                    evaluator.call_block(block, one(item), at).map(|_| true)
                })?;
                Ok(Some(left.unwrap_or_else(|| Value::Array(items.clone()))))
            }
            "each_slice" | "each_cons" | "in_groups_of" => {
                let parts = match plain(items, name, given) {
                    Some(Value::Array(parts)) => parts.to_vec(),
                    _ => return Ok(None),
                };
                self.each(parts, block, at, &mut |evaluator, block, item| {
                    evaluator.call_block(block, one(item), at).map(|_| true)
                })?;
                Ok(Some(Value::Array(items.clone())))
            }
            "each_with_object" | "inject" | "reduce" => self.folded(items, name, block, given, at).map(Some),
            "map" | "collect" | "flat_map" | "filter_map" | "collect_concat" | "to_h" | "index_with" | "sum"
            | "zip" | "each_index" => self.mapped(items, name, block, at).map(Some),
            _ => self.chosen(items, name, block, at),
        }
    }

    fn mapped(&mut self, items: &Items, name: &str, block: &Value, at: Span) -> Result<Value, Leave> {
        let mut out: Vec<Value> = Vec::with_capacity(items.len());
        let left = self.each(items.to_vec(), block, at, &mut |evaluator, block, item| {
            let value = evaluator.call_block(block, Given::of(vec![item.clone()]), at)?;
            match name {
                "flat_map" | "collect_concat" => match value {
                    Value::Array(more) => {
                        evaluator.budget.items(more.len(), at)?;
                        out.extend(more.iter().cloned());
                    }
                    other => out.push(other),
                },
                "filter_map" if value.is_truthy() == Some(false) => {}
                "index_with" => out.push(Value::Array(Arc::new(vec![item, value]))),
                _ => out.push(value),
            }
            Ok(true)
        })?;
        if let Some(left) = left {
            return Ok(left);
        }
        Ok(match name {
            "to_h" | "index_with" => super::hash::from_pairs(&out),
            "sum" => plain(&Arc::new(out), "sum", &Given::default()).unwrap_or_else(|| Value::unknown("a sum")),
            _ => Value::Array(Arc::new(out)),
        })
    }

    fn folded(&mut self, items: &Items, name: &str, block: &Value, given: &Given, at: Span) -> Result<Value, Leave> {
        let mut rest = items.to_vec();
        let mut held = match given.first() {
            Some(first) => first.clone(),
            None if rest.is_empty() => return Ok(Value::Nil),
            None => rest.remove(0),
        };
        let collects = name == "each_with_object";
        // The memo is changed in place: it lives in a variable of its own.
        let left = self.each(rest, block, at, &mut |evaluator, block, item| {
            let arguments = if collects { vec![item, held.clone()] } else { vec![held.clone(), item] };
            let place = if collects { 1 } else { 0 };
            let (value, memo) = evaluator.call_with_memo(block, arguments, place, at)?;
            held = if collects { memo } else { value };
            Ok(true)
        })?;
        Ok(left.unwrap_or(held))
    }

    /// Questions about the items, and those that meet a condition.
    fn chosen(&mut self, items: &Items, name: &str, block: &Value, at: Span) -> Result<Option<Value>, Leave> {
        if !matches!(
            name,
            "select"
                | "filter"
                | "reject"
                | "find"
                | "detect"
                | "any?"
                | "all?"
                | "none?"
                | "one?"
                | "count"
                | "partition"
                | "group_by"
                | "sort_by"
                | "min_by"
                | "max_by"
                | "uniq"
                | "index_by"
                | "find_index"
                | "take_while"
                | "drop_while"
                | "each_key"
                | "index"
                | "sort"
                | "minmax"
                | "tally_by"
                | "find_all"
        ) {
            return Ok(None);
        }
        if name == "sort" {
            return self.sorted_by(items, block, at).map(Some);
        }
        let mut keyed: Vec<(Value, Value)> = Vec::with_capacity(items.len());
        for item in items.iter() {
            self.budget.step(at)?;
            let answer = self.call_block(block, Given::of(vec![item.clone()]), at)?;
            let stops = matches!(name, "find" | "detect" | "any?") && answer.is_truthy() == Some(true);
            keyed.push((answer, item.clone()));
            if stops {
                break;
            }
        }
        let truths: Option<Vec<bool>> = keyed.iter().map(|(answer, _)| answer.is_truthy()).collect();
        let by_value = matches!(name, "group_by" | "sort_by" | "min_by" | "max_by" | "uniq" | "index_by" | "tally_by");
        let why =
            keyed.iter().find(|(answer, _)| answer.is_truthy().is_none()).map(|(answer, _)| self.why_unknown(answer));
        let truths = match (truths, by_value) {
            (Some(truths), _) => truths,
            (None, true) => vec![false; keyed.len()],
            (None, false) => return Ok(Some(Value::Unknown(why.unwrap_or_else(|| "a condition".into())))),
        };
        let kept = |wanted: bool| -> Vec<Value> {
            let all = truths.iter().zip(&keyed).filter(|(truth, _)| **truth == wanted);
            all.map(|(_, (_, item))| item.clone()).collect()
        };
        Ok(Some(match name {
            "select" | "filter" | "find_all" => Value::Array(Arc::new(kept(true))),
            "reject" => Value::Array(Arc::new(kept(false))),
            "find" | "detect" => kept(true).into_iter().next().unwrap_or(Value::Nil),
            "any?" => Value::Bool(truths.contains(&true)),
            "all?" => Value::Bool(!truths.contains(&false)),
            "none?" => Value::Bool(!truths.contains(&true)),
            "one?" => Value::Bool(kept(true).len() == 1),
            "count" => Value::Integer(kept(true).len() as i64),
            "partition" => {
                let both = vec![Value::Array(Arc::new(kept(true))), Value::Array(Arc::new(kept(false)))];
                Value::Array(Arc::new(both))
            }
            "take_while" => {
                let count = truths.iter().take_while(|truth| **truth).count();
                Value::Array(Arc::new(items[..count].to_vec()))
            }
            "drop_while" => {
                let count = truths.iter().take_while(|truth| **truth).count();
                Value::Array(Arc::new(items[count..].to_vec()))
            }
            "find_index" | "index" => {
                let place = truths.iter().position(|truth| *truth);
                place.map_or(Value::Nil, |place| Value::Integer(place as i64))
            }
            "group_by" => grouped(keyed),
            "index_by" => {
                let mut pairs = Vec::new();
                keyed.into_iter().for_each(|(key, item)| super::given::put(&mut pairs, key, item));
                Value::Hash(Arc::new(pairs))
            }
            "uniq" => {
                let mut seen: Vec<(Value, Value)> = Vec::new();
                for (key, item) in keyed {
                    if !seen.iter().any(|(known, _)| same(known, &key) == Some(true)) {
                        seen.push((key, item));
                    }
                }
                Value::Array(Arc::new(seen.into_iter().map(|(_, item)| item).collect()))
            }
            "sort_by" | "min_by" | "max_by" => match sorted(keyed) {
                Some(sorted) if name == "sort_by" => Value::Array(Arc::new(sorted)),
                Some(sorted) if name == "min_by" => sorted.into_iter().next().unwrap_or(Value::Nil),
                Some(sorted) => sorted.into_iter().next_back().unwrap_or(Value::Nil),
                None => Value::unknown("an order that is not known"),
            },
            _ => Value::unknown(format!("`{name}` with a block is not followed")),
        }))
    }
}

impl Evaluator<'_> {
    /// `sort { |a, b| … }`: each item goes where the block has it among those before.
    fn sorted_by(&mut self, items: &Items, block: &Value, at: Span) -> Flow {
        let mut sorted: Vec<Value> = Vec::with_capacity(items.len());
        for item in items.iter() {
            let (mut from, mut to) = (0, sorted.len());
            while from < to {
                self.budget.step(at)?;
                let middle = from + (to - from) / 2;
                let answer = self.call_block(block, Given::of(vec![sorted[middle].clone(), item.clone()]), at)?;
                match answer {
                    Value::Integer(number) if number > 0 => to = middle,
                    Value::Integer(_) => from = middle + 1,
                    _ => return Ok(Value::unknown("an order that is not known")),
                }
            }
            sorted.insert(from, item.clone());
        }
        Ok(Value::Array(Arc::new(sorted)))
    }
}

fn grouped(keyed: Vec<(Value, Value)>) -> Value {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in keyed {
        match groups.iter_mut().find(|(known, _)| same(known, &key) == Some(true)) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    Value::Hash(Arc::new(groups.into_iter().map(|(key, group)| (key, Value::Array(Arc::new(group)))).collect()))
}

fn single(text: &str) -> Option<char> {
    let mut letters = text.chars();
    let first = letters.next()?;
    letters.next().is_none().then_some(first)
}

fn numbered(items: &[Value], from: i64) -> Value {
    let pair = |(place, item): (usize, &Value)| {
        Value::Array(Arc::new(vec![item.clone(), Value::Integer(from.saturating_add(place as i64))]))
    };
    Value::Array(Arc::new(items.iter().enumerate().map(pair).collect()))
}

fn unique(items: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.iter().any(|one| same(one, &item) == Some(true)) {
            kept.push(item);
        }
    }
    kept
}

fn flatten(items: &[Value], depth: usize, out: &mut Vec<Value>) {
    for item in items {
        match item {
            Value::Array(inner) if depth > 0 => flatten(inner, depth - 1, out),
            other => out.push(other.clone()),
        }
    }
}

/// What needs neither a block nor another list.
fn plain(items: &Items, name: &str, given: &Given) -> Option<Value> {
    let first = given.first();
    let count = |value: Option<&Value>| match value {
        Some(Value::Integer(count)) => usize::try_from(*count).ok(),
        _ => None,
    };
    match (name, first) {
        ("length" | "size" | "count", None) => Some(Value::Integer(items.len() as i64)),
        ("count", Some(wanted)) => {
            Some(Value::Integer(items.iter().filter(|item| same(item, wanted) == Some(true)).count() as i64))
        }
        ("empty?", _) => Some(Value::Bool(items.is_empty())),
        ("any?" | "many?" | "one?" | "none?" | "all?", None) => {
            let truths: Vec<bool> = items.iter().map(Value::is_truthy).collect::<Option<_>>()?;
            let count = truths.iter().filter(|truth| **truth).count();
            Some(Value::Bool(match name {
                "any?" => count > 0,
                "many?" => items.len() > 1,
                "one?" => count == 1,
                "none?" => count == 0,
                _ => count == items.len(),
            }))
        }
        ("first", None) => Some(items.first().cloned().unwrap_or(Value::Nil)),
        ("last", None) => Some(items.last().cloned().unwrap_or(Value::Nil)),
        ("second", _) => Some(items.get(1).cloned().unwrap_or(Value::Nil)),
        ("third", _) => Some(items.get(2).cloned().unwrap_or(Value::Nil)),
        ("first" | "take", Some(_)) => list(items[..count(first)?.min(items.len())].to_vec()),
        ("last", Some(_)) => list(items[items.len().saturating_sub(count(first)?)..].to_vec()),
        ("drop", Some(_)) => list(items[count(first)?.min(items.len())..].to_vec()),
        ("[]" | "slice" | "at" | "dig" | "fetch", Some(_)) => element(items, given),
        ("values_at", _) => {
            list(given.arguments.iter().map(|at| element(items, &Given::of(vec![at.clone()]))).collect::<Option<_>>()?)
        }
        ("include?" | "member?" | "exclude?", Some(wanted)) => {
            let mut known = Some(false);
            for item in items.iter() {
                match same(item, wanted) {
                    Some(true) => {
                        known = Some(true);
                        break;
                    }
                    Some(false) => {}
                    None => known = None,
                }
            }
            let why = "whether a list has a value is not known";
            Some(known.map_or_else(|| Value::unknown(why), |found| Value::Bool(found != (name == "exclude?"))))
        }
        ("index" | "find_index", Some(wanted)) => {
            let place = items.iter().position(|item| same(item, wanted) == Some(true));
            Some(place.map_or(Value::Nil, |place| Value::Integer(place as i64)))
        }
        ("join", separator) => {
            let separator = separator.and_then(Value::name).unwrap_or("");
            let mut texts = Vec::with_capacity(items.len());
            for item in items.iter() {
                match item {
                    Value::Array(inner) => match plain(inner, "join", given)? {
                        Value::Text(text) => texts.push(text.as_str().to_owned()),
                        other => return Some(other),
                    },
                    Value::Unknown(why) => return Some(Value::Unknown(why.clone())),
                    other => texts.push(other.to_text()?.to_string()),
                }
            }
            Some(Value::text(texts.join(separator)))
        }
        ("to_sentence", _) => {
            let texts: Vec<String> =
                items.iter().map(|item| Some(item.to_text()?.to_string())).collect::<Option<_>>()?;
            Some(Value::text(texts.join(", ")))
        }
        ("reverse", _) => list(items.iter().rev().cloned().collect()),
        ("rotate", _) => {
            let mut turned = items.to_vec();
            if !turned.is_empty() {
                let by = count(first).unwrap_or(1) % turned.len();
                turned.rotate_left(by);
            }
            list(turned)
        }
        // Of rows that a helper gave as a list.
        ("order", Some(_)) => list(items.to_vec()),
        ("sort", _) => {
            let keyed = items.iter().map(|item| (item.clone(), item.clone())).collect();
            Some(
                sorted(keyed)
                    .map_or_else(|| Value::unknown("an order that is not known"), |one| Value::Array(Arc::new(one))),
            )
        }
        ("min" | "max", None) => {
            let keyed = items.iter().map(|item| (item.clone(), item.clone())).collect();
            let sorted = sorted(keyed)?;
            let found = if name == "min" { sorted.first() } else { sorted.last() };
            Some(found.cloned().unwrap_or(Value::Nil))
        }
        ("sum", start) => {
            let mut total = match start {
                Some(Value::Integer(start)) => *start,
                None => 0,
                _ => return None,
            };
            for item in items.iter() {
                let Value::Integer(number) = item else { return Some(Value::unknown("a sum of what are no numbers")) };
                total = total.checked_add(*number)?;
            }
            Some(Value::Integer(total))
        }
        ("compact" | "compact_blank", _) => list(items.iter().filter(|item| !item.is_nil()).cloned().collect()),
        ("uniq" | "to_set", _) => list(unique(items.to_vec())),
        ("to_a" | "entries" | "to_ary" | "freeze" | "force" | "load", _) => Some(Value::Array(items.clone())),
        ("to_h", _) => Some(super::hash::from_pairs(items)),
        ("tally", _) => None,
        ("each_slice" | "in_groups_of" | "each_cons", Some(Value::Integer(size))) => {
            let size = usize::try_from(*size).ok().filter(|size| *size > 0)?;
            let part = |part: &[Value]| Value::Array(Arc::new(part.to_vec()));
            match name {
                "each_cons" if size.saturating_mul(items.len()) > 1 << 20 => None,
                "each_cons" => list(items.windows(size).map(part).collect()),
                _ => list(items.chunks(size).map(part).collect()),
            }
        }
        ("transpose", _) => {
            let rows: Vec<&Items> = items
                .iter()
                .map(|row| match row {
                    Value::Array(row) => Some(row),
                    _ => None,
                })
                .collect::<Option<_>>()?;
            let width = rows.first().map_or(0, |row| row.len());
            let column = |at: usize| {
                Value::Array(Arc::new(rows.iter().map(|row| row.get(at).cloned().unwrap_or(Value::Nil)).collect()))
            };
            list((0..width).map(column).collect())
        }
        ("without" | "excluding", _) => list(
            items
                .iter()
                .filter(|item| !given.arguments.iter().any(|one| same(one, item) == Some(true)))
                .cloned()
                .collect(),
        ),
        ("including", _) => list(items.iter().chain(&given.arguments).cloned().collect()),
        ("pluck", Some(key)) => {
            let of = |item: &Value| match item {
                Value::Hash(pairs) => {
                    pairs.iter().find(|(known, _)| same(known, key) == Some(true)).map(|(_, value)| value.clone())
                }
                _ => None,
            };
            list(items.iter().map(of).collect::<Option<_>>()?)
        }
        _ => None,
    }
}

/// `list[…]`
fn element(items: &Items, given: &Given) -> Option<Value> {
    let length = items.len() as i64;
    let place = |at: i64| if at < 0 { length + at } else { at };
    let cut = |from: i64, to: i64| {
        let (from, to) = (from.clamp(0, length), to.clamp(0, length));
        Value::Array(Arc::new(items[from as usize..to.max(from) as usize].to_vec()))
    };
    Some(match (given.first()?, given.arguments.get(1)) {
        (Value::Integer(at), None) => {
            usize::try_from(place(*at)).ok().and_then(|at| items.get(at).cloned()).unwrap_or(Value::Nil)
        }
        (Value::Integer(at), Some(Value::Integer(count))) => cut(place(*at), place(*at).saturating_add(*count)),
        (Value::Range { from, to, exclusive }, _) => {
            let start = match &**from {
                Value::Integer(start) => place(*start),
                _ => 0,
            };
            let end = match &**to {
                Value::Integer(end) => place(*end).saturating_add(i64::from(!exclusive)),
                _ => length,
            };
            cut(start, end)
        }
        _ => return None,
    })
}
