//! What expressions are to a condition: constants, conditions, values that come again.

use super::decimal::Decimal;
use crate::operation::{Constant, Expr, Ident, TypeName};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub fn named(operator: &str) -> Option<Comparison> {
        Some(match operator {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    /// With the sides exchanged.
    pub fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }

    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }

    pub fn needs_order(self) -> bool {
        !matches!(self, Comparison::Equal | Comparison::NotEqual)
    }
}

/// A constant's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Bool(bool),
    Number(Decimal),
    Text(String),
}

/// Whether the expression is a condition by its form; columns and calls may be values.
pub(super) fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::Distinct(..)
        | Expr::In { .. }
        | Expr::InQuery { .. }
        | Expr::Exists(_) => true,
        Expr::Binary { operator, .. } => Comparison::named(operator).is_some(),
        _ => false,
    }
}

/// Casts that leave a value what it is: to text, and those that PostgreSQL prints around columns.
pub(super) fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { value, to } if is_text(to) && matches!(plain(value), Expr::Column { .. }) => plain(value),
        other => other,
    }
}

fn is_text(to: &TypeName) -> bool {
    let text = ["text", "character varying"].iter().any(|name| to.name.name == *name);
    to.built_in && !to.array && to.modifiers.is_empty() && text
}

/// The value of a constant, through a sign and through casts that keep it.
pub(super) fn constant(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Constant(Constant::Bool(value)) => Some(Value::Bool(*value)),
        Expr::Constant(Constant::Number(digits)) => Decimal::read(digits).map(Value::Number),
        Expr::Constant(Constant::String(text)) => Some(Value::Text(text.to_string())),
        Expr::Unary { operator, operand } if matches!(&**operator, "-" | "+") => match constant(operand)? {
            Value::Number(number) if &**operator == "-" => Some(Value::Number(number.negated())),
            Value::Number(number) => Some(Value::Number(number)),
            _ => None,
        },
        Expr::Cast { value, to } if !to.array && to.modifiers.is_empty() => {
            let value = constant(value)?;
            keeps(&value, to).then_some(value)
        }
        _ => None,
    }
}

fn keeps(value: &Value, to: &TypeName) -> bool {
    let name = to.name.name.as_str();
    match value {
        Value::Bool(_) => to.built_in && name == "boolean",
        Value::Number(number) => match name {
            "smallint" | "integer" | "bigint" => to.built_in && number.is_integer(),
            "numeric" => to.built_in,
            _ => false,
        },
        // '2020-01-01 12:00'::date is another moment than its text; domains and enums keep theirs.
        Value::Text(text) => match name {
            "text" | "character varying" | "uuid" | "timestamp without time zone" | "timestamp with time zone" => true,
            "date" => text.len() <= 10,
            _ => !to.built_in,
        },
    }
}

/// Columns on whose NULL the expression is NULL.
pub(super) fn strict_columns<'a>(expr: &'a Expr, found: &mut dyn FnMut(Option<&'a Ident>, &'a Ident)) {
    const STRICT: &[&str] = &["LIKE", "ILIKE", "SIMILAR TO", "~", "~*", "!~", "!~*", "+", "-", "*", "/", "%"];
    match expr {
        Expr::Column { qualifier, name } => found(qualifier.as_ref(), name),
        Expr::Cast { value, to } if to.built_in => strict_columns(value, found),
        Expr::Unary { operator, operand } if matches!(&**operator, "-" | "+") || operator.starts_with("COLLATE") => {
            strict_columns(operand, found);
        }
        Expr::Binary { operator, left, right } if STRICT.contains(&&**operator) => {
            strict_columns(left, found);
            strict_columns(right, found);
        }
        _ => {}
    }
}

/// Whether the expression, evaluated again for the same row, has the same value. A function that is not known to
/// be volatile or stable is taken at its word.
pub(super) fn gives_the_same_again(expr: &Expr) -> bool {
    const CHANGING: &[&str] = &[
        "clock_timestamp",
        "current_date",
        "current_role",
        "current_setting",
        "current_time",
        "current_timestamp",
        "current_user",
        "currval",
        "gen_random_uuid",
        "lastval",
        "localtime",
        "localtimestamp",
        "nextval",
        "now",
        "pg_backend_pid",
        "pg_trigger_depth",
        "random",
        "session_user",
        "statement_timestamp",
        "timeofday",
        "transaction_timestamp",
        "txid_current",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
    ];
    let mut same = true;
    expr.walk(&mut |part| {
        same &= match part {
            Expr::Call { function, .. } => CHANGING.binary_search(&function.name.as_str()).is_err(),
            Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery { .. } | Expr::Parameter(_) => false,
            Expr::Constant(Constant::Default) => false,
            _ => true,
        };
    });
    same
}
