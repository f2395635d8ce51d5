//! One form for conditions that mean the same: NOT stands at the leaves, the constant on the right, lists are sorted.

use std::cmp::Ordering;

use super::value::{Comparison, constant, gives_the_same_again, is_condition};
use crate::operation::{Constant, Expr};

/// The condition in a form of its own: equal forms mean the same, though not the other way round.
/// Every step keeps the value in three-valued logic.
pub fn normalise(condition: &Expr) -> Expr {
    normal(condition, false)
}

fn normal(expr: &Expr, negated: bool) -> Expr {
    match expr {
        Expr::Not(inner) => normal(inner, !negated),
        // De Morgan holds with NULL as well.
        Expr::And(list) => joined(list, !negated, negated),
        Expr::Or(list) => joined(list, negated, negated),
        Expr::Constant(Constant::Bool(value)) => Expr::Constant(Constant::Bool(*value != negated)),
        _ if expr.is_null_constant() => Expr::Constant(Constant::Null),
        Expr::IsNull(inner) => not(Expr::IsNull(Box::new(operand(inner))), negated),
        Expr::Distinct(left, right) => {
            let (left, right) = ordered(operand(left), operand(right));
            not(Expr::Distinct(Box::new(left), Box::new(right)), negated)
        }
        Expr::In { value, list } => membership(operand(value), list, negated),
        Expr::Binary { operator, left, right } => match Comparison::named(operator) {
            Some(comparison) => compared(operand(left), comparison, operand(right), negated),
            None => not(expr.clone(), negated),
        },
        other => not(other.clone(), negated),
    }
}

/// Conditions inside conditions are normalised too; values stay as they are.
fn operand(expr: &Expr) -> Expr {
    if is_condition(expr) { normal(expr, false) } else { expr.clone() }
}

fn not(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}

/// AND or OR of the parts, each negated or not; flattened, sorted, each part once.
fn joined(list: &[Expr], and: bool, negated: bool) -> Expr {
    let mut parts = Vec::new();
    for one in list {
        match normal(one, negated) {
            Expr::And(inner) if and => parts.extend(inner),
            Expr::Or(inner) if !and => parts.extend(inner),
            Expr::Constant(Constant::Bool(value)) if value == and => {}
            decided @ Expr::Constant(Constant::Bool(_)) => return decided,
            one => parts.push(one),
        }
    }
    let mut keyed: Vec<(String, Expr)> = parts.into_iter().map(|part| (format!("{part:?}"), part)).collect();
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    keyed.dedup_by(|one, other| one.0 == other.0 && gives_the_same_again(&one.1));
    let mut parts: Vec<Expr> = keyed.into_iter().map(|(_, part)| part).collect();
    match parts.len() {
        0 => Expr::Constant(Constant::Bool(and)),
        1 => parts.remove(0),
        _ if and => Expr::And(parts),
        _ => Expr::Or(parts),
    }
}

fn compared(left: Expr, comparison: Comparison, right: Expr, negated: bool) -> Expr {
    // NOT (a < b) is a >= b: both are NULL for NULL. Only what is a condition by its form is negated.
    let comparison = if negated { opposite(comparison) } else { comparison };
    let turn = match (constant(&left).is_some(), constant(&right).is_some()) {
        (true, false) => true,
        (false, true) => false,
        _ => format!("{left:?}") > format!("{right:?}"),
    };
    let (left, comparison, right) = if turn { (right, comparison.turned(), left) } else { (left, comparison, right) };
    Expr::Binary { operator: sign(comparison).into(), left: Box::new(left), right: Box::new(right) }
}

fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn ordered(left: Expr, right: Expr) -> (Expr, Expr) {
    let order = match (constant(&left).is_some(), constant(&right).is_some()) {
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ => format!("{left:?}").cmp(&format!("{right:?}")),
    };
    if order.is_gt() { (right, left) } else { (left, right) }
}

fn membership(value: Expr, list: &[Expr], negated: bool) -> Expr {
    let mut keyed: Vec<(String, Expr)> = list.iter().map(|one| (format!("{one:?}"), one.clone())).collect();
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    keyed.dedup_by(|one, other| one.0 == other.0 && gives_the_same_again(&one.1));
    let mut list: Vec<Expr> = keyed.into_iter().map(|(_, one)| one).collect();
    if list.len() == 1 {
        return compared(value, Comparison::Equal, list.remove(0), negated);
    }
    not(Expr::In { value: Box::new(value), list }, negated)
}
