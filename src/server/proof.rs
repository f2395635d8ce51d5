//! What PostgreSQL can prove from a table's valid CHECKs, and so need not read the rows for: that a column has no
//! NULL, that rows lie inside a partition's bound or outside it. Only its own short steps; else it reads.

use std::cmp::Ordering;

use super::TimeZone;
use super::tally::Tally;
use crate::operation::{Bound, BoundValue, Constant, Expr, Expression, Ident, KeyPart};
use crate::schema::{ConstraintRow, RelationId};

/// The conjuncts that every row satisfies: valid, enforced CHECKs, taken apart at AND.
fn conjuncts<'a>(tally: &Tally<'a>, table: RelationId, but: &[&Ident]) -> Vec<&'a Expr> {
    let checks = tally.schema.constraints_of(table).filter(|one| one.validated && one.enforced);
    let mut found = Vec::new();
    for check in checks.filter(|check| !but.contains(&&check.name)) {
        if let ConstraintRow::Check { expression } = &check.kind {
            flatten(&expression.tree, &mut found);
        }
    }
    found
}

fn flatten<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    match expr {
        Expr::And(list) => list.iter().for_each(|one| flatten(one, found)),
        // NOT (a OR b) is NOT a AND NOT b.
        other => found.push(other),
    }
}

/// A valid `CHECK (c IS NOT NULL)`, alone or beside other conditions; `c > 0` proves nothing, as NULL passes it.
/// `but`: constraints that the same statement drops first.
pub(super) fn not_null(tally: &Tally<'_>, table: RelationId, column: &Ident, but: &[&Ident]) -> bool {
    conjuncts(tally, table, but).into_iter().any(
        |one| matches!(one, Expr::Not(inner) if matches!(&**inner, Expr::IsNull(value) if is_column(value, column))),
    )
}

/// Whether the rows of `table` are known to lie inside the bound of a partition of `parent`.
pub(super) fn inside(tally: &Tally<'_>, table: RelationId, parent: RelationId, bound: &Bound) -> bool {
    let Some(keys) = key_columns(tally, parent) else { return false };
    let all = conjuncts(tally, table, &[]);
    let never_null = |key: &Ident| {
        let set = tally.table(table).and_then(|table| table.column(key)).is_some_and(|column| column.not_null);
        set || not_null(tally, table, key, &[])
    };
    let asks = Ask { utc: tally.session.time_zone == TimeZone::Utc };
    match bound {
        Bound::Range { from, to } => keys.iter().all(|key| never_null(key)) && in_range(&asks, &all, &keys, from, to),
        Bound::List(values) => {
            let [key] = keys.as_slice() else { return false };
            let takes_null = values.iter().any(|value| value.tree.is_null_constant());
            (never_null(key) || takes_null) && all.iter().any(|one| asks.among(one, key, values))
        }
        Bound::Hash { .. } | Bound::Default => false,
    }
}

/// Columns whose two ends are equal must have that value; the one after them lies between its ends.
fn in_range(asks: &Ask, all: &[&Expr], keys: &[&Ident], from: &[BoundValue], to: &[BoundValue]) -> bool {
    let equal = |pair: &(&BoundValue, &BoundValue)| match pair {
        (BoundValue::Value(one), BoundValue::Value(other)) => {
            asks.compare(&one.tree, &other.tree) == Some(Ordering::Equal)
        }
        _ => false,
    };
    let fixed = from.iter().zip(to).take_while(equal).count();
    let (Some(key), Some(first), Some(last)) = (keys.get(fixed), from.get(fixed), to.get(fixed)) else { return false };
    let have = |key: &Ident, value: &BoundValue| match value {
        BoundValue::Value(value) => all.iter().any(|one| asks.among(one, key, std::slice::from_ref(value))),
        BoundValue::Minimum | BoundValue::Maximum => false,
    };
    fixed + 1 == keys.len()
        && keys.iter().zip(from).take(fixed).all(|(key, value)| have(key, value))
        && (matches!(first, BoundValue::Minimum) || all.iter().any(|one| asks.above(one, key, first)))
        && (matches!(last, BoundValue::Maximum) || all.iter().any(|one| asks.below(one, key, last)))
}

/// Whether no row of the default partition can belong into `bound`.
pub(super) fn outside(tally: &Tally<'_>, default: RelationId, parent: RelationId, bound: &Bound) -> bool {
    let Some(&[key]) = key_columns(tally, parent).as_deref() else { return false };
    let asks = Ask { utc: tally.session.time_zone == TimeZone::Utc };
    let Bound::Range { from, to } = bound else { return false };
    let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return false };
    conjuncts(tally, default, &[]).into_iter().any(|one| asks.excludes(one, key, from, to))
}

/// What hangs on the session.
struct Ask {
    /// Times without a zone are UTC.
    utc: bool,
}

impl Ask {
    fn excludes(&self, expr: &Expr, key: &Ident, from: &BoundValue, to: &BoundValue) -> bool {
        match expr {
            // NOT (k >= a AND k < b), where a..b covers from..to.
            Expr::Not(inner) => match &**inner {
                Expr::And(ends) => {
                    ends.iter().all(|end| self.is_at_least(end, key, from) || self.is_before(end, key, to))
                        && !ends.is_empty()
                }
                _ => false,
            },
            // Each arm lies wholly on one side.
            Expr::Or(arms) => arms.iter().all(|arm| self.below(arm, key, from) || self.above(arm, key, to)),
            other => self.below(other, key, from) || self.above(other, key, to),
        }
    }

    /// `k >= a` with a at or before `end`: true of everything from `end` on.
    fn is_at_least(&self, expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
        let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
        matches!(
            (operator, self.compare(value, &end.tree)),
            (">=", Some(Ordering::Less | Ordering::Equal)) | (">", Some(Ordering::Less))
        )
    }

    /// `k < b` with b at or after `end`.
    fn is_before(&self, expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
        let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
        matches!((operator, self.compare(value, &end.tree)), ("<" | "<=", Some(Ordering::Greater | Ordering::Equal)))
    }

    /// Says that the key is at or after `end`.
    fn above(&self, expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
        let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
        matches!(operator, ">=" | ">" | "=")
            && matches!(self.compare(value, &end.tree), Some(Ordering::Greater | Ordering::Equal))
    }

    /// Says that the key is before `end`.
    fn below(&self, expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
        let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
        match self.compare(value, &end.tree) {
            Some(Ordering::Less) => matches!(operator, "<" | "<=" | "="),
            Some(Ordering::Equal) => operator == "<",
            Some(Ordering::Greater) | None => false,
        }
    }

    /// `k = v` or `k IN (…)` with every value among the bound's.
    fn among(&self, expr: &Expr, key: &Ident, values: &[Expression]) -> bool {
        let listed = |value: &Expr| values.iter().any(|one| self.compare(&one.tree, value) == Some(Ordering::Equal));
        match expr {
            Expr::In { value, list } => is_column(value, key) && list.iter().all(listed),
            other => comparison(other, key).is_some_and(|(operator, value)| operator == "=" && listed(value)),
        }
    }

    /// The order of two constants, where it shows: numbers, equal texts, dates written alike.
    fn compare(&self, one: &Expr, other: &Expr) -> Option<Ordering> {
        match (constant(one)?, constant(other)?) {
            (Value::Number(one), Value::Number(other)) => one.partial_cmp(&other),
            (Value::Text(one), Value::Text(other)) if one == other => Some(Ordering::Equal),
            (Value::Text(one), Value::Text(other)) if is_date(one) && is_date(other) => {
                let (one, other) = (self.shortest(one), self.shortest(other));
                (one.len() == other.len()).then(|| one.cmp(other))
            }
            _ => None,
        }
    }

    /// Midnight may be left out, and so may the zone where it is the session's.
    fn shortest<'a>(&self, time: &'a str) -> &'a str {
        let local = ["+00:00", "+00", "Z"].iter().filter(|_| self.utc).find_map(|zone| time.strip_suffix(zone));
        let time = local.unwrap_or(time);
        [" 00:00:00", "T00:00:00", " 00:00"].iter().find_map(|midnight| time.strip_suffix(midnight)).unwrap_or(time)
    }
}

/// `column operator constant`, turned round where it was written the other way.
fn comparison<'a>(expr: &'a Expr, key: &Ident) -> Option<(&'a str, &'a Expr)> {
    let Expr::Binary { operator, left, right } = expr else { return None };
    if is_column(left, key) {
        return Some((operator, right));
    }
    let turned = match &**operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        "=" => "=",
        _ => return None,
    };
    is_column(right, key).then_some((turned, left))
}

fn is_column(expr: &Expr, column: &Ident) -> bool {
    expr.as_column().is_some_and(|(_, name)| name == column)
}

enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

fn constant(expr: &Expr) -> Option<Value<'_>> {
    match expr {
        Expr::Cast { value, .. } => constant(value),
        Expr::Unary { operator, operand } if &**operator == "-" => match constant(operand)? {
            Value::Number(number) => Some(Value::Number(-number)),
            Value::Text(_) => None,
        },
        Expr::Constant(Constant::Number(text)) => text.parse().ok().map(Value::Number),
        Expr::Constant(Constant::String(text)) => Some(text.parse().map_or(Value::Text(text), Value::Number)),
        _ => None,
    }
}

/// `2024-01-31` and on: texts of one shape sort as the dates do.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[7] == b'-'
}

/// The columns of a partition key; `None` where one is an expression.
fn key_columns<'a>(tally: &Tally<'a>, parent: RelationId) -> Option<Vec<&'a Ident>> {
    let key = tally.table(parent)?.partition_by.as_ref()?;
    let columns = key.parts.iter().map(|part| match part {
        KeyPart::Column(column) => Some(column),
        KeyPart::Expression(_) => None,
    });
    columns.collect()
}
