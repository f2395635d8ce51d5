//! The names PostgreSQL makes itself (`makeObjectName` and what stands on it).

use super::Change;
use crate::operation::{Expr, IDENT_BYTES, Ident, Output, QualifiedName, cut};
use crate::schema::RelationId;

/// `name1_name2_label` in 63 bytes; the longer of the two names is cut first.
pub(in crate::schema) fn object_name(first: &str, second: Option<&str>, label: Option<&str>) -> Ident {
    let overhead = usize::from(second.is_some()) + label.map_or(0, |label| label.len() + 1);
    let room = IDENT_BYTES.saturating_sub(overhead);
    let (mut one, mut two) = (first.len(), second.map_or(0, str::len));
    while one + two > room {
        if one > two { one -= 1 } else { two -= 1 }
    }
    let mut name = cut(first, one).to_owned();
    if let Some(second) = second {
        name.push('_');
        name.push_str(cut(second, two));
    }
    if let Some(label) = label {
        name.push('_');
        name.push_str(label);
    }
    Ident::new(name)
}

/// The columns' part of an index's or a foreign key's name: joined until 63 bytes are full.
pub(super) fn addition<'a>(columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut name = String::new();
    for column in columns {
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(cut(column, IDENT_BYTES));
        if name.len() > IDENT_BYTES {
            break;
        }
    }
    name
}

/// Names for an index's columns: expressions get one from their shape, doubles a number.
pub(super) fn index_columns(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let mut candidate = name.clone();
        let mut number = 1;
        while found.contains(&candidate) {
            let digits = number.to_string();
            candidate = format!("{}{digits}", cut(&name, IDENT_BYTES - digits.len()));
            number += 1;
        }
        found.push(candidate);
    }
    found
}

/// What an expression is called in an index's name (`FigureColname`); `None` becomes `expr`.
pub(super) fn figure(expr: &Expr) -> Option<String> {
    strength(expr).map(|(name, _)| name)
}

/// The name with how sure it is: a type's name (1) gives way to a column's or function's (2).
fn strength(expr: &Expr) -> Option<(String, u8)> {
    match expr {
        Expr::Column { name, .. } => Some((name.as_str().to_owned(), 2)),
        Expr::Call { function, .. } => Some((function.name.as_str().to_owned(), 2)),
        Expr::Cast { value, to } => {
            let inner = strength(value);
            if inner.as_ref().is_some_and(|(_, strength)| *strength > 1) {
                return inner;
            }
            Some((internal_type_name(to.name.name.as_str()).to_owned(), 1))
        }
        Expr::Case { otherwise, .. } => {
            let inner = otherwise.as_deref().and_then(strength);
            Some(inner.filter(|(_, strength)| *strength > 1).unwrap_or(("case".to_owned(), 1)))
        }
        // `(row).field` is called what the field is.
        Expr::Unary { operator, .. } if operator.starts_with('.') => {
            let field = operator[1..].trim_matches('"');
            Some((field.replace("\"\"", "\""), 2))
        }
        Expr::Exists(_) => Some(("exists".to_owned(), 2)),
        // A subquery is called what its one output is called.
        Expr::Subquery(query) => match query.outputs.first()? {
            Output::Value { alias: Some(alias), .. } => Some((alias.as_str().to_owned(), 2)),
            Output::Value { value, alias: None } => strength(value),
            Output::All { .. } => None,
        },
        Expr::List(_) => None,
        _ => None,
    }
}

/// `format_type()`'s name back to the one the grammar makes.
fn internal_type_name(name: &str) -> &str {
    match name {
        "integer" => "int4",
        "smallint" => "int2",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        "boolean" => "bool",
        "character varying" => "varchar",
        "character" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time with time zone" => "timetz",
        "time without time zone" => "time",
        "bit varying" => "varbit",
        other => other,
    }
}

impl Change<'_> {
    /// `ChooseRelationName`: constraints' indexes also avoid the names of constraints.
    pub(super) fn choose_relation(
        &self,
        schema: &Ident,
        first: &str,
        second: Option<&str>,
        label: &str,
        constraint: bool,
    ) -> Ident {
        numbered(label, |label| {
            let name = object_name(first, second, Some(label));
            let full = QualifiedName::new(schema.clone(), name.clone());
            let used = self.schema.relation_names.contains_key(&full)
                || constraint && self.schema.shows_constraint_named(&full);
            (!used).then_some(name)
        })
    }

    /// `ChooseConstraintName`: unique among the constraints of the schema and `others`.
    pub(super) fn choose_constraint(
        &self,
        schema: &Ident,
        first: &str,
        second: Option<&str>,
        label: &str,
        others: &[Ident],
    ) -> Ident {
        numbered(label, |label| {
            let name = object_name(first, second, Some(label));
            let full = QualifiedName::new(schema.clone(), name.clone());
            let used = others.contains(&name) || self.schema.shows_constraint_named(&full);
            (!used).then_some(name)
        })
    }

    /// The same for the row of a NOT NULL, which all others count for.
    pub(super) fn choose_not_null(&self, table: RelationId, column: &Ident, others: &[Ident]) -> Ident {
        let (schema, label) = (self.namespace(table), self.label(table));
        numbered("not_null", |made| {
            let name = object_name(label.as_str(), Some(column.as_str()), Some(made));
            let full = QualifiedName::new(schema.clone(), name.clone());
            let used = others.contains(&name) || self.schema.constraint_names.contains_key(&full);
            (!used).then_some(name)
        })
    }

    /// A constraint of that table has the name.
    pub(super) fn constraint_name_used(&self, table: RelationId, name: &Ident) -> bool {
        self.find_row(table, name).is_some()
    }

    /// The same, for the row of a NOT NULL.
    pub(super) fn not_null_name_used(&self, table: RelationId, name: &Ident) -> bool {
        self.rows_of(table).any(|row| row.name == *name)
    }
}

/// Tries `label`, `label1`, `label2` …; an empty label begins with 1.
fn numbered(label: &str, mut free: impl FnMut(&str) -> Option<Ident>) -> Ident {
    let mut number = 0u32;
    if label.is_empty() {
        number = 1;
    }
    loop {
        let candidate = if number == 0 { label.to_owned() } else { format!("{label}{number}") };
        if let Some(name) = free(&candidate) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_name_is_cut_first() {
        assert_eq!(object_name("t", Some("c"), Some("seq")), "t_c_seq");
        let long = object_name(&"a".repeat(60), Some(&"b".repeat(10)), Some("fkey"));
        assert_eq!(long, format!("{}_{}_fkey", "a".repeat(47), "b".repeat(10)).as_str());
    }

    #[test]
    fn doubled_columns_get_numbers() {
        let names = index_columns(["a".to_owned(), "a".to_owned(), "a".to_owned()]);
        assert_eq!(names, ["a", "a1", "a2"]);
    }
}
