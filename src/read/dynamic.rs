//! Texts that a script makes at run time: variables with known values, `format()`, concatenation.
//!
//! Total and small: what it cannot work out is `None`, and the step that needs it says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sql;
use crate::operation::{Argument, ArgumentMode, Body, Constant, Expr, Ident, Node, Output, Query, TypeName};
use crate::source::{Piece, Span};

/// Texts are not grown beyond this: a doubling loop must end.
const TEXT_LIMIT: usize = 1 << 20;
/// Rounds of a loop over a range that are followed.
const ROUND_LIMIT: i64 = 10_000;

/// PL/pgSQL variables by name; `None` where the value is not known.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    values: BTreeMap<Ident, Option<Arc<str>>>,
    arrays: BTreeMap<Ident, Arc<[Arc<str>]>>,
}

impl Variables {
    /// The declared variables of a body with their first values.
    pub fn of(body: &Body) -> Variables {
        let mut variables = Variables::default();
        variables.declare(body);
        variables
    }

    /// Adds a body's declared variables, whose first values may name what is known already.
    pub fn declare(&mut self, body: &Body) {
        for variable in body.variables.iter() {
            let value = variable.value.as_ref();
            let texts = value.and_then(|value| self.texts_of(value));
            let value = value.and_then(|value| evaluate(value, self));
            self.set(variable.name.clone(), value);
            if let Some(texts) = texts {
                self.set_list(variable.name.clone(), texts);
            }
        }
    }

    /// Binds a function's parameters, by name and by number, to what a call gives.
    pub fn bind(&mut self, parameters: &[Argument], arguments: &[Expr], caller: &Variables) {
        let taken = |one: &&Argument| matches!(one.mode, ArgumentMode::In | ArgumentMode::InOut);
        for (at, parameter) in parameters.iter().filter(taken).enumerate() {
            let typed = |value: &Expr| Expr::Cast { value: Box::new(value.clone()), to: parameter.data_type.clone() };
            let value = arguments.get(at).and_then(|value| evaluate(&typed(value), caller));
            let texts = arguments.get(at).and_then(|value| caller.texts_of(value));
            let names = [parameter.name.clone(), Some(Ident::new(format!("${}", at + 1)))];
            for name in names.into_iter().flatten() {
                self.set(name.clone(), value.clone());
                if let Some(texts) = &texts {
                    self.set_list(name, texts.clone());
                }
            }
        }
    }

    /// What is known where one of two ways was gone.
    pub fn join(&mut self, other: &Variables) {
        for (name, value) in &mut self.values {
            if other.values.get(name) != Some(value) {
                *value = None;
            }
        }
        for name in other.values.keys() {
            self.values.entry(name.clone()).or_insert(None);
        }
        self.arrays.retain(|name, texts| other.arrays.get(name) == Some(texts));
    }

    pub fn set(&mut self, name: Ident, value: Option<Arc<str>>) {
        self.arrays.remove(&name);
        self.values.insert(name, value);
    }

    /// Gives an array variable its elements.
    pub fn set_list(&mut self, name: Ident, texts: Vec<Arc<str>>) {
        self.arrays.insert(name, texts.into());
    }

    /// `name[number]` of an array whose elements are known; TG_ARGV counts from 0.
    fn element(&self, array: &Expr, number: &Expr) -> Option<Arc<str>> {
        let (None, name) = array.as_column()? else { return None };
        let number: usize = evaluate(number, self)?.parse().ok()?;
        let first = usize::from(*name != "tg_argv");
        self.arrays.get(name)?.get(number.checked_sub(first)?).cloned()
    }

    fn get(&self, name: &Ident) -> Option<Arc<str>> {
        self.values.get(name).cloned().flatten()
    }

    /// The elements of an array value, as texts.
    pub fn texts_of(&self, list: &Expr) -> Option<Vec<Arc<str>>> {
        match list {
            Expr::List(items) => items.iter().map(|item| evaluate(item, self)).collect(),
            Expr::Cast { value, .. } => self.texts_of(value),
            Expr::Column { qualifier: None, name } => self.arrays.get(name).map(|texts| texts.to_vec()),
            Expr::Constant(Constant::String(text)) => array_literal(text),
            _ => None,
        }
    }

    /// The numbers of `from..to`, as texts.
    pub fn range(&self, from: &Expr, to: &Expr) -> Option<Vec<Arc<str>>> {
        let from: i64 = evaluate(from, self)?.parse().ok()?;
        let to: i64 = evaluate(to, self)?.parse().ok()?;
        (to.checked_sub(from)? <= ROUND_LIMIT).then(|| (from..=to).map(|number| number.to_string().into()).collect())
    }

    /// The rows of a query that reads no table: `SELECT unnest(ARRAY[…])`, `VALUES (…)`.
    pub fn rows_of(&self, query: &Query) -> Option<Vec<Arc<str>>> {
        if !query.from.is_empty() || query.filter.is_some() {
            return None;
        }
        if !query.values.is_empty() {
            return query.values.iter().map(|row| evaluate(row.first()?, self)).collect();
        }
        let [Output::Value { value: Expr::Call { function, arguments }, .. }] = query.outputs.as_slice() else {
            return None;
        };
        match (function.name.as_str(), arguments.as_slice()) {
            ("unnest", [list]) => self.texts_of(list),
            ("generate_series", [from, to]) => self.range(from, to),
            _ => None,
        }
    }
}

/// `SELECT value INTO variable` of a query that reads nothing.
pub fn selected(query: &Query, variables: &Variables) -> Option<(Ident, Option<Arc<str>>)> {
    let target = query.into.as_ref()?;
    let known = match query.outputs.as_slice() {
        [Output::Value { value, .. }] if query.from.is_empty() => evaluate(value, variables),
        _ => None,
    };
    Some((target.name.clone(), known))
}

/// `'{a,b}'` without quotes inside.
fn array_literal(text: &str) -> Option<Vec<Arc<str>>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    if inner.contains(['"', '{', '\\']) {
        return None;
    }
    Some(inner.split(',').map(|item| item.trim().into()).collect())
}

/// The text of an expression, where it depends on known values only. NULL has none.
pub fn evaluate(expr: &Expr, variables: &Variables) -> Option<Arc<str>> {
    let text: Arc<str> = match expr {
        Expr::Constant(Constant::String(text)) => text.clone(),
        Expr::Constant(Constant::Number(text)) => text.clone(),
        Expr::Constant(Constant::Bool(value)) => if *value { "true" } else { "false" }.into(),
        Expr::Column { qualifier: None, name } => variables.get(name)?,
        Expr::Parameter(name) => variables.get(&Ident::new(&**name))?,
        Expr::Cast { value, to } => cast(&evaluate(value, variables)?, to)?,
        Expr::Binary { operator, left, right } if matches!(&**operator, "+" | "-" | "*" | "/" | "%") => {
            calculate(operator, &evaluate(left, variables)?, &evaluate(right, variables)?)?
        }
        Expr::Binary { operator, left, right } if &**operator == "[]" => variables.element(left, right)?,
        Expr::Binary { operator, left, right } if &**operator == "||" => {
            let (left, right) = (evaluate(left, variables)?, evaluate(right, variables)?);
            format!("{left}{right}").into()
        }
        Expr::Call { function, arguments } => call(function.name.as_str(), arguments, variables)?,
        _ => return None,
    };
    (text.len() <= TEXT_LIMIT).then_some(text)
}

/// What a cast makes of a text, where that is the text itself as PostgreSQL writes values of the type.
fn cast(text: &Arc<str>, to: &TypeName) -> Option<Arc<str>> {
    let name = to.name.name.as_str();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let same = match name {
        "smallint" | "integer" | "bigint" => text.parse::<i64>().is_ok_and(|number| number.to_string() == **text),
        "date" => {
            let parts: Vec<&str> = text.split('-').collect();
            matches!(parts.as_slice(), [year, month, day]
                if [(year, 4), (month, 2), (day, 2)].iter().all(|(part, length)| part.len() == *length && digits(part)))
        }
        "boolean" => matches!(&**text, "true" | "false"),
        "text" | "character varying" | "name" | "regclass" | "regproc" | "regtype" => to.modifiers.is_empty(),
        "uuid" | "json" | "jsonb" => true,
        // Times depend on the clock and the session, numbers on their scale.
        _ if to.built_in => false,
        _ => true,
    };
    (same || to.array).then(|| text.clone())
}

/// Whole numbers only, as PostgreSQL's integers: division cuts off.
fn calculate(operator: &str, left: &str, right: &str) -> Option<Arc<str>> {
    let (left, right): (i64, i64) = (left.parse().ok()?, right.parse().ok()?);
    let number = match operator {
        "+" => left.checked_add(right)?,
        "-" => left.checked_sub(right)?,
        "*" => left.checked_mul(right)?,
        "/" => left.checked_div(right)?,
        "%" => left.checked_rem(right)?,
        _ => return None,
    };
    Some(number.to_string().into())
}

/// Whether a comparison of known values holds: whole numbers by size, texts only whether they are the same.
pub fn compare(operator: &str, left: &Expr, right: &Expr, variables: &Variables) -> Option<bool> {
    let (left, right) = (evaluate(left, variables)?, evaluate(right, variables)?);
    let numbers = left.parse::<i64>().ok().zip(right.parse::<i64>().ok());
    match (operator, numbers) {
        ("<", Some((left, right))) => Some(left < right),
        ("<=", Some((left, right))) => Some(left <= right),
        (">", Some((left, right))) => Some(left > right),
        (">=", Some((left, right))) => Some(left >= right),
        ("=", Some((left, right))) => Some(left == right),
        ("<>" | "!=", Some((left, right))) => Some(left != right),
        ("=", None) => Some(left == right),
        ("<>" | "!=", None) => Some(left != right),
        _ => None,
    }
}

fn call(function: &str, arguments: &[Expr], variables: &Variables) -> Option<Arc<str>> {
    let texts = || arguments.iter().map(|argument| evaluate(argument, variables)).collect::<Option<Vec<_>>>();
    match function {
        "format" => format_text(&texts()?),
        "concat" => Some(texts()?.concat().into()),
        "lower" => Some(texts()?.first()?.to_lowercase().into()),
        "upper" => Some(texts()?.first()?.to_uppercase().into()),
        "text" => texts()?.into_iter().next(),
        "to_hex" => Some(format!("{:x}", texts()?.first()?.parse::<i32>().ok()?).into()),
        "lpad" | "rpad" => pad(function, &texts()?),
        "replace" => match texts()?.as_slice() {
            [text, from, to] if !from.is_empty() => Some(text.replace(&**from, to).into()),
            _ => None,
        },
        "length" | "char_length" => Some(texts()?.first()?.chars().count().to_string().into()),
        "substr" | "substring" => part(&texts()?),
        "coalesce" => evaluate(arguments.first()?, variables),
        "quote_ident" => Some(Ident::new(texts()?.first()?).to_string().into()),
        "quote_literal" => Some(quote_literal(texts()?.first()?).into()),
        _ => None,
    }
}

/// `lpad(text, length [, fill])`; what is longer is cut.
fn pad(function: &str, texts: &[Arc<str>]) -> Option<Arc<str>> {
    let (text, length) = (texts.first()?, texts.get(1)?.parse::<usize>().ok()?);
    let fill = texts.get(2).map_or(" ", |fill| fill);
    let count = text.chars().count();
    if length > TEXT_LIMIT || fill.is_empty() {
        return None;
    }
    let filling: String = fill.chars().cycle().take(length.saturating_sub(count)).collect();
    let kept: String = text.chars().take(length).collect();
    Some(if function == "lpad" { format!("{filling}{kept}") } else { format!("{kept}{filling}") }.into())
}

/// `substr(text, from [, count])`, from 1.
fn part(texts: &[Arc<str>]) -> Option<Arc<str>> {
    let (text, from) = (texts.first()?, texts.get(1)?.parse::<usize>().ok()?);
    let rest = text.chars().skip(from.checked_sub(1)?);
    Some(
        match texts.get(2) {
            Some(count) => rest.take(count.parse().ok()?).collect::<String>(),
            None => rest.collect(),
        }
        .into(),
    )
}

/// `format(pattern, arguments…)` with `%s`, `%I`, `%L`, `%%` and positions (`%1$I`); widths are not used by anyone.
pub(super) fn format_text(texts: &[Arc<str>]) -> Option<Arc<str>> {
    let (pattern, arguments) = texts.split_first()?;
    let mut result = String::new();
    let mut next = 0;
    let mut rest = &**pattern;
    while let Some(place) = rest.find('%') {
        result.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        if digits > 0 && rest[digits..].starts_with('$') {
            next = rest[..digits].parse::<usize>().ok()?.checked_sub(1)?;
            rest = &rest[digits + 1..];
        }
        let kind = rest.chars().next()?;
        rest = &rest[kind.len_utf8()..];
        if kind == '%' {
            result.push('%');
            continue;
        }
        let argument = arguments.get(next)?;
        next += 1;
        match kind {
            's' => result.push_str(argument),
            'I' => result.push_str(&Ident::new(argument).to_string()),
            'L' => result.push_str(&quote_literal(argument)),
            _ => return None,
        }
        if result.len() > TEXT_LIMIT {
            return None;
        }
    }
    result.push_str(rest);
    Some(result.into())
}

fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Reads a text made at run time; its places all lead to the statement that runs it.
pub fn parse(text: &str, at: Span) -> Vec<Node> {
    sql::read(&Piece::made_at(text, at)).nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Expr {
        Expr::Constant(Constant::String(text.into()))
    }

    #[test]
    fn format_quotes_as_postgresql_does() {
        let arguments: Vec<Arc<str>> = vec!["drop %I.%2$s -- %1$L %%".into(), "Order's".into(), "x".into()];
        assert_eq!(format_text(&arguments).as_deref(), Some("drop \"Order's\".x -- 'Order''s' %"));
    }

    #[test]
    fn unknown_parts_make_the_whole_unknown() {
        let known = Expr::Binary { operator: "||".into(), left: Box::new(text("a")), right: Box::new(text("b")) };
        assert_eq!(evaluate(&known, &Variables::default()).as_deref(), Some("ab"));
        let column = Expr::Column { qualifier: None, name: "x".into() };
        let unknown = Expr::Binary { operator: "||".into(), left: Box::new(text("a")), right: Box::new(column) };
        assert_eq!(evaluate(&unknown, &Variables::default()), None);
    }

    #[test]
    fn numbers_and_paddings_are_made_as_postgresql_makes_them() {
        let shared = |texts: &[&str]| texts.iter().map(|text| Arc::from(*text)).collect::<Vec<Arc<str>>>();
        assert_eq!(pad("lpad", &shared(&["f", "2", "0"])).as_deref(), Some("0f"));
        assert_eq!(pad("rpad", &shared(&["abc", "2"])).as_deref(), Some("ab"), "what is longer is cut");
        assert_eq!(part(&shared(&["system_1", "7"])).as_deref(), Some("_1"));
        assert_eq!(calculate("/", "-7", "2").as_deref(), Some("-3"), "division cuts off");
        assert_eq!(calculate("+", "1.5", "1"), None, "scales are not followed");
        let to = |name: &str| TypeName::built_in(name);
        assert_eq!(cast(&"today".into(), &to("date")), None, "what the clock decides is not known");
        assert_eq!(cast(&"2024-05-01".into(), &to("date")).as_deref(), Some("2024-05-01"));
        assert_eq!(cast(&"07".into(), &to("integer")), None, "it would print as 7");
    }
}
