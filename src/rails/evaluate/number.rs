//! Numbers.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Leave;
use super::given::Given;
use crate::operation::{Frame, FrameKind};
use crate::rails::value::Value;
use crate::source::Span;

impl Evaluator<'_> {
    pub(super) fn number_call(
        &mut self,
        value: &Value,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        if let Value::Integer(number) = value {
            if let Some(found) = self.iterated(*number, name, given, at)? {
                return Ok(Some(found));
            }
            if let Some(Value::Integer(other)) = given.first() {
                return Ok(whole(*number, name, *other));
            }
        }
        if let Some(Value::Unknown(why)) = given.first() {
            return Ok(Some(Value::Unknown(why.clone())));
        }
        let Some(number) = float(value) else { return Ok(None) };
        Ok(match (given.first().and_then(float), name) {
            (Some(other), _) => fraction(number, name, other),
            (None, "to_i" | "to_int" | "floor" | "truncate") => Some(integer(number.floor())),
            (None, "ceil") => Some(integer(number.ceil())),
            (None, "round") => Some(integer(number.round())),
            (None, "to_f" | "to_d" | "to_r") => Some(Value::Float(format!("{number}").into())),
            (None, "abs") => Some(like(value, number.abs())),
            (None, "-@") => Some(like(value, -number)),
            (None, "+@") => Some(value.clone()),
            (None, "zero?") => Some(Value::Bool(number == 0.0)),
            (None, "positive?") => Some(Value::Bool(number > 0.0)),
            (None, "negative?") => Some(Value::Bool(number < 0.0)),
            (None, "even?") => Some(Value::Bool(number % 2.0 == 0.0)),
            (None, "odd?") => Some(Value::Bool(number % 2.0 != 0.0)),
            (None, "succ" | "next") => Some(like(value, number + 1.0)),
            (None, "pred") => Some(like(value, number - 1.0)),
            (None, "chr") => char::from_u32(number as u32).map(|letter| Value::text(letter.to_string())),
            (None, unit) => duration(value, unit),
        })
    }

    fn iterated(&mut self, number: i64, name: &str, given: &Given, at: Span) -> Result<Option<Value>, Leave> {
        let (from, to, step) = match (name, given.first()) {
            ("times", _) => (0, number.saturating_sub(1), 1),
            ("upto", Some(Value::Integer(to))) => (number, *to, 1),
            ("downto", Some(Value::Integer(to))) => (number, *to, -1),
            ("step", Some(Value::Integer(to))) => match given.arguments.get(1) {
                Some(Value::Integer(step)) if *step != 0 => (number, *to, *step),
                _ => (number, *to, 1),
            },
            _ => return Ok(None),
        };
        let Some(block) = given.block.clone() else {
            let count = ((to.saturating_sub(from)) / step).saturating_add(1).max(0);
            self.budget.items(usize::try_from(count).unwrap_or(usize::MAX), at)?;
            let items = (0..count).map(|round| Value::Integer(from + round * step)).collect();
            return Ok(Some(Value::Array(Arc::new(items))));
        };
        let mut next = from;
        while if step > 0 { next <= to } else { next >= to } {
            self.budget.step(at)?;
            self.world.enter(Frame { kind: FrameKind::Loop(Some(next.to_string().into())), span: at });
            let ran = self.call_block(&block, Given::of(vec![Value::Integer(next)]), at);
            self.world.leave();
            match ran {
                Err(Leave::Break(value)) => return Ok(Some(value)),
                other => other?,
            };
            let Some(after) = next.checked_add(step) else { break };
            next = after;
        }
        Ok(Some(Value::Integer(number)))
    }
}

pub(super) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => number.parse().ok(),
        _ => None,
    }
}

fn integer(number: f64) -> Value {
    if number.abs() < 9.0e15 { Value::Integer(number as i64) } else { Value::Float(format!("{number}").into()) }
}

fn like(value: &Value, number: f64) -> Value {
    match value {
        Value::Integer(_) => integer(number),
        _ => Value::Float(format!("{number}").into()),
    }
}

fn whole(one: i64, name: &str, other: i64) -> Option<Value> {
    let number =
        |value: Option<i64>| Some(value.map_or_else(|| Value::unknown("a number beyond 64 bits"), Value::Integer));
    match name {
        "+" => number(one.checked_add(other)),
        "-" => number(one.checked_sub(other)),
        "*" => number(one.checked_mul(other)),
        "/" | "div" => number(if other == 0 { None } else { one.checked_div_euclid(other) }),
        "%" | "modulo" => number(if other == 0 { None } else { one.checked_rem_euclid(other) }),
        "**" | "pow" => number(u32::try_from(other).ok().and_then(|other| one.checked_pow(other))),
        "<<" => number(u32::try_from(other).ok().filter(|by| *by < 62).and_then(|by| one.checked_mul(1 << by))),
        ">>" => number(u32::try_from(other).ok().and_then(|by| one.checked_shr(by))),
        "&" => Some(Value::Integer(one & other)),
        "|" => Some(Value::Integer(one | other)),
        "^" => Some(Value::Integer(one ^ other)),
        "<" => Some(Value::Bool(one < other)),
        ">" => Some(Value::Bool(one > other)),
        "<=" => Some(Value::Bool(one <= other)),
        ">=" => Some(Value::Bool(one >= other)),
        "<=>" => Some(Value::Integer(one.cmp(&other) as i64)),
        "round" | "ceil" | "floor" => Some(Value::Integer(one)),
        _ => None,
    }
}

fn fraction(one: f64, name: &str, other: f64) -> Option<Value> {
    let number = |value: f64| Some(Value::Float(format!("{value}").into()));
    match name {
        "+" => number(one + other),
        "-" => number(one - other),
        "*" => number(one * other),
        "/" | "fdiv" => number(one / other),
        "**" => number(one.powf(other)),
        "<" => Some(Value::Bool(one < other)),
        ">" => Some(Value::Bool(one > other)),
        "<=" => Some(Value::Bool(one <= other)),
        ">=" => Some(Value::Bool(one >= other)),
        "round" | "ceil" | "floor" => number(one),
        _ => None,
    }
}

/// `2.minutes` is a number of seconds; months and years depend on when.
fn duration(value: &Value, unit: &str) -> Option<Value> {
    let factor = match unit.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "week" => 604_800,
        "byte" => 1,
        "kilobyte" => 1 << 10,
        "megabyte" => 1 << 20,
        "gigabyte" => 1 << 30,
        "millisecond" => return Some(Value::unknown("a part of a second")),
        "month" | "year" | "fortnight" | "ago" | "from_now" => return Some(Value::unknown("what the clock says")),
        _ => return None,
    };
    match value {
        Value::Integer(number) => Some(number.checked_mul(factor).map_or(Value::Nil, Value::Integer)),
        other => float(other).map(|number| Value::Float(format!("{}", number * factor as f64).into())),
    }
}
