//! What PostgreSQL can prove from a table's valid CHECKs, and so need not read the rows for: that a column has no
//! NULL, that rows lie inside a partition's bound or outside it. Only its own short steps; else it reads.

use std::cmp::Ordering;

use super::tally::Tally;
use crate::operation::{Bound, BoundValue, Constant, Expr, Expression, Ident, KeyPart, PartitionStrategy};
use crate::schema::{ConstraintRow, RelationId, TableKind};

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
    let Some((key, _)) = only_key(tally, parent) else { return false };
    let set = tally.table(table).and_then(|table| table.column(key)).is_some_and(|column| column.not_null);
    let all = conjuncts(tally, table, &[]);
    let never_null = set || not_null(tally, table, key, &[]);
    match bound {
        Bound::Range { from, to } => {
            let above =
                from.iter().all(|end| matches!(end, BoundValue::Minimum) || all.iter().any(|one| above(one, key, end)));
            let below =
                to.iter().all(|end| matches!(end, BoundValue::Maximum) || all.iter().any(|one| below(one, key, end)));
            never_null && from.len() == 1 && above && below
        }
        Bound::List(values) => {
            let takes_null = values.iter().any(|value| value.tree.is_null_constant());
            (never_null || takes_null) && all.iter().any(|one| among(one, key, values))
        }
        Bound::Hash { .. } | Bound::Default => false,
    }
}

/// Whether no row of the default partition can belong into `bound`.
pub(super) fn outside(tally: &Tally<'_>, default: RelationId, parent: RelationId, bound: &Bound) -> bool {
    let Some((key, _)) = only_key(tally, parent) else { return false };
    let Bound::Range { from, to } = bound else { return false };
    let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return false };
    conjuncts(tally, default, &[]).into_iter().any(|one| excludes(one, key, from, to))
}

fn excludes(expr: &Expr, key: &Ident, from: &BoundValue, to: &BoundValue) -> bool {
    match expr {
        // NOT (k >= a AND k < b), where a..b covers from..to.
        Expr::Not(inner) => match &**inner {
            Expr::And(ends) => {
                ends.iter().all(|end| is_at_least(end, key, from) || is_before(end, key, to)) && !ends.is_empty()
            }
            _ => false,
        },
        // Each arm lies wholly on one side.
        Expr::Or(arms) => arms.iter().all(|arm| below(arm, key, from) || above(arm, key, to)),
        other => below(other, key, from) || above(other, key, to),
    }
}

/// `k >= a` with a at or before `end`: true of everything from `end` on.
fn is_at_least(expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
    let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
    matches!(
        (operator, compare(value, &end.tree)),
        (">=", Some(Ordering::Less | Ordering::Equal)) | (">", Some(Ordering::Less))
    )
}

/// `k < b` with b at or after `end`.
fn is_before(expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
    let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
    matches!((operator, compare(value, &end.tree)), ("<" | "<=", Some(Ordering::Greater | Ordering::Equal)))
}

/// Says that the key is at or after `end`.
fn above(expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
    let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
    matches!(operator, ">=" | ">" | "=")
        && matches!(compare(value, &end.tree), Some(Ordering::Greater | Ordering::Equal))
}

/// Says that the key is before `end`.
fn below(expr: &Expr, key: &Ident, end: &BoundValue) -> bool {
    let (Some((operator, value)), BoundValue::Value(end)) = (comparison(expr, key), end) else { return false };
    match compare(value, &end.tree) {
        Some(Ordering::Less) => matches!(operator, "<" | "<=" | "="),
        Some(Ordering::Equal) => operator == "<",
        Some(Ordering::Greater) | None => false,
    }
}

/// `k = v` or `k IN (…)` with every value among the bound's.
fn among(expr: &Expr, key: &Ident, values: &[Expression]) -> bool {
    let listed = |value: &Expr| values.iter().any(|one| compare(&one.tree, value) == Some(Ordering::Equal));
    match expr {
        Expr::In { value, list } => is_column(value, key) && list.iter().all(listed),
        other => comparison(other, key).is_some_and(|(operator, value)| operator == "=" && listed(value)),
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

/// The order of two constants, where it shows: numbers, equal texts, dates written alike.
fn compare(one: &Expr, other: &Expr) -> Option<Ordering> {
    match (constant(one)?, constant(other)?) {
        (Value::Number(one), Value::Number(other)) => one.partial_cmp(&other),
        (Value::Text(one), Value::Text(other)) if one == other => Some(Ordering::Equal),
        (Value::Text(one), Value::Text(other)) if is_date(one) && is_date(other) => {
            (one.len() == other.len()).then(|| one.cmp(other))
        }
        _ => None,
    }
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

/// The one column of a LIST or RANGE key.
fn only_key<'a>(tally: &Tally<'a>, parent: RelationId) -> Option<(&'a Ident, PartitionStrategy)> {
    let table = tally.table(parent).filter(|table| table.kind == TableKind::Partitioned)?;
    let key = table.partition_by.as_ref()?;
    match key.parts.as_slice() {
        [KeyPart::Column(column)] => Some((column, key.strategy)),
        _ => None,
    }
}
