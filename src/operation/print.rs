//! Expressions as SQL, for queries and messages made from what was read. Subqueries are left out: `(SELECT …)`.

use std::fmt::{self, Display, Formatter};

use super::{Constant, Expr};

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Column { qualifier: Some(qualifier), name } => write!(out, "{qualifier}.{name}"),
            Expr::Column { qualifier: None, name } => name.fmt(out),
            Expr::Row { qualifier } => write!(out, "{qualifier}.*"),
            Expr::Constant(constant) => constant.fmt(out),
            Expr::Parameter(parameter) => out.write_str(parameter),
            Expr::Call { function, arguments } => {
                write!(out, "{function}(")?;
                list(out, arguments, ", ", |_| false)?;
                out.write_str(")")
            }
            Expr::Unary { operator, operand } => {
                let space = if operator.ends_with(char::is_alphabetic) { " " } else { "" };
                write!(out, "{operator}{space}")?;
                part(out, operand, is_compound)
            }
            Expr::Binary { operator, left, right } => {
                part(out, left, is_compound)?;
                write!(out, " {operator} ")?;
                part(out, right, is_compound)
            }
            Expr::And(parts) => list(out, parts, " AND ", |part| matches!(part, Expr::Or(_))),
            Expr::Or(parts) => list(out, parts, " OR ", |part| matches!(part, Expr::And(_))),
            Expr::Not(inner) => negated(out, inner),
            Expr::IsNull(value) => {
                part(out, value, is_compound)?;
                out.write_str(" IS NULL")
            }
            Expr::Distinct(left, right) => comparison(out, left, "IS DISTINCT FROM", right),
            Expr::In { value, list: values } => membership(out, value, "IN", values),
            Expr::InQuery { value, .. } => {
                part(out, value, is_compound)?;
                out.write_str(" IN (SELECT …)")
            }
            Expr::Exists(_) => out.write_str("EXISTS (SELECT …)"),
            Expr::Subquery(_) => out.write_str("(SELECT …)"),
            Expr::Cast { value, to } => {
                part(out, value, is_compound)?;
                write!(out, "::{to}")
            }
            Expr::List(parts) => {
                out.write_str("(")?;
                list(out, parts, ", ", |_| false)?;
                out.write_str(")")
            }
            Expr::Case { branches, otherwise } => {
                out.write_str("CASE")?;
                for (condition, value) in branches {
                    write!(out, " WHEN {condition} THEN {value}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(out, " ELSE {otherwise}")?;
                }
                out.write_str(" END")
            }
            Expr::Other { text, .. } => out.write_str(text),
        }
    }
}

impl Display for Constant {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Null => out.write_str("NULL"),
            Constant::Bool(value) => value.fmt(out),
            Constant::Number(text) => out.write_str(text),
            Constant::String(text) => quoted(text).fmt(out),
            Constant::Default => out.write_str("DEFAULT"),
        }
    }
}

/// A string literal, as `quote_literal()` makes it: `E''` where it holds a backslash.
pub fn quoted(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

fn negated(out: &mut Formatter<'_>, inner: &Expr) -> fmt::Result {
    match inner {
        Expr::IsNull(value) => {
            part(out, value, is_compound)?;
            out.write_str(" IS NOT NULL")
        }
        Expr::Distinct(left, right) => comparison(out, left, "IS NOT DISTINCT FROM", right),
        Expr::In { value, list } => membership(out, value, "NOT IN", list),
        Expr::Exists(_) => write!(out, "NOT {inner}"),
        inner => {
            out.write_str("NOT ")?;
            part(out, inner, is_compound)
        }
    }
}

fn comparison(out: &mut Formatter<'_>, left: &Expr, words: &str, right: &Expr) -> fmt::Result {
    part(out, left, is_compound)?;
    write!(out, " {words} ")?;
    part(out, right, is_compound)
}

fn membership(out: &mut Formatter<'_>, value: &Expr, words: &str, values: &[Expr]) -> fmt::Result {
    part(out, value, is_compound)?;
    write!(out, " {words} (")?;
    list(out, values, ", ", |_| false)?;
    out.write_str(")")
}

/// Binds weaker than an operator next to it.
fn is_compound(expr: &Expr) -> bool {
    match expr {
        Expr::Unary { .. }
        | Expr::Binary { .. }
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::Distinct(..)
        | Expr::In { .. }
        | Expr::InQuery { .. }
        | Expr::Other { .. } => true,
        Expr::Column { .. }
        | Expr::Row { .. }
        | Expr::Constant(_)
        | Expr::Parameter(_)
        | Expr::Call { .. }
        | Expr::Exists(_)
        | Expr::Subquery(_)
        | Expr::Cast { .. }
        | Expr::List(_)
        | Expr::Case { .. } => false,
    }
}

fn part(out: &mut Formatter<'_>, expr: &Expr, enclose: impl Fn(&Expr) -> bool) -> fmt::Result {
    if enclose(expr) { write!(out, "({expr})") } else { expr.fmt(out) }
}

fn list(out: &mut Formatter<'_>, parts: &[Expr], between: &str, enclose: impl Fn(&Expr) -> bool) -> fmt::Result {
    for (at, one) in parts.iter().enumerate() {
        if at > 0 {
            out.write_str(between)?;
        }
        part(out, one, &enclose)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Ident;

    fn column(name: &str) -> Expr {
        Expr::Column { qualifier: None, name: Ident::new(name) }
    }

    fn text(value: &str) -> Expr {
        Expr::Constant(Constant::String(value.into()))
    }

    #[test]
    fn expressions_print_as_sql() {
        let equal = |left, right| Expr::Binary { operator: "=".into(), left: Box::new(left), right: Box::new(right) };
        let null = Expr::IsNull(Box::new(column("Order")));
        let either = Expr::Or(vec![equal(column("a"), text("it's")), Expr::Not(Box::new(null.clone()))]);
        let all = Expr::And(vec![either, Expr::In { value: Box::new(column("b")), list: vec![text("\\")] }]);
        assert_eq!(all.to_string(), r#"(a = 'it''s' OR "Order" IS NOT NULL) AND b IN (E'\\')"#);
        assert_eq!(equal(null, column("c")).to_string(), r#"("Order" IS NULL) = c"#);
    }
}
