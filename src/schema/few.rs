//! Tables that can never hold many rows: a key of theirs has few values, by its type or by a CHECK.

use super::{Column, ConstraintRow, Index, IndexKey, Relation, RelationId, Schema, Table, TypeKind};
use crate::operation::{Constant, Expr, Ident};

/// As many rows as a server reads in no time at all.
const FEW: usize = 10_000;

/// Keys followed from table to table.
const MOST_KEYS: usize = 2;

impl Schema {
    /// Whether its own constraints keep a table small: a primary key that is one of five names, a single row.
    pub fn has_few_rows(&self, table: RelationId) -> bool {
        self.most_rows(table, 0).is_some_and(|rows| rows <= FEW)
    }

    /// How many rows the narrowest of its keys lets it hold.
    fn most_rows(&self, table: RelationId, depth: usize) -> Option<usize> {
        let found = self.get_relation(table)?.as_table()?;
        let indexes = found.indexes.iter().filter_map(|id| self.get_relation(*id)).filter_map(Relation::as_index);
        indexes.filter_map(|index| self.keys_of(found, index, table, depth)).min()
    }

    /// How many keys a unique index can hold.
    fn keys_of(&self, table: &Table, index: &Index, id: RelationId, depth: usize) -> Option<usize> {
        if !index.unique || !index.valid || index.filter.is_some() || index.parts.is_empty() {
            return None;
        }
        let mut product: usize = 1;
        for part in &index.parts {
            let values = match &part.key {
                IndexKey::Expression(expression) => matches!(expression.tree, Expr::Constant(_)).then_some(1)?,
                IndexKey::Column(column) => {
                    let column = table.column_by_id(*column)?;
                    // NULLs are no duplicates of each other.
                    let null = usize::from(!column.not_null && !index.primary);
                    if null > 0 && !index.nulls_not_distinct {
                        return None;
                    }
                    self.values_of(id, column, depth)? + null
                }
            };
            product = product.checked_mul(values)?;
        }
        Some(product)
    }

    /// How many values a column can have, but NULL.
    fn values_of(&self, table: RelationId, column: &Column, depth: usize) -> Option<usize> {
        let kind = column.data_type.as_ref().filter(|kind| !kind.array)?;
        let by_type = match kind.name.name.as_str() {
            "boolean" => Some(2),
            _ => match self.find_type(&kind.name).map(|found| &found.kind) {
                Some(TypeKind::Enum { labels }) => Some(labels.len()),
                _ => None,
            },
        };
        let checks = self.constraints_of(table).filter(|constraint| constraint.validated && constraint.enforced);
        let whole = matches!(kind.name.name.as_str(), "smallint" | "integer" | "bigint");
        let by_constraint = checks.filter_map(|constraint| match &constraint.kind {
            ConstraintRow::Check { expression } => {
                let between = || whole.then(|| between(&expression.tree, &column.name)).flatten();
                listed(&expression.tree, &column.name).or_else(between)
            }
            // No more than there are rows to refer to.
            ConstraintRow::Foreign(key) if constraint.columns == [column.id] && depth < MOST_KEYS => {
                self.most_rows(key.references, depth + 1)
            }
            _ => None,
        });
        by_constraint.chain(by_type).min()
    }
}

/// How many whole numbers a condition leaves a column: `c > 0 AND c <= 7`.
fn between(condition: &Expr, column: &Ident) -> Option<usize> {
    let parts: &[Expr] = if let Expr::And(parts) = condition { parts } else { std::slice::from_ref(condition) };
    let (mut low, mut high): (Option<i64>, Option<i64>) = (None, None);
    for part in parts {
        let Expr::Binary { operator, left, right } = part else { continue };
        let (operator, bound) = match (number(left), number(right)) {
            (None, Some(bound)) if is(left, column) => (&**operator, bound),
            (Some(bound), None) if is(right, column) => (turned(operator), bound),
            _ => continue,
        };
        match operator {
            ">" => low = low.max(bound.checked_add(1)),
            ">=" => low = low.max(Some(bound)),
            "<" => high = Some(high.unwrap_or(i64::MAX).min(bound.checked_sub(1)?)),
            "<=" => high = Some(high.unwrap_or(i64::MAX).min(bound)),
            _ => {}
        }
    }
    let count = high?.checked_sub(low?)?.checked_add(1)?;
    usize::try_from(count.max(0)).ok()
}

fn turned(operator: &str) -> &'static str {
    match operator {
        ">" => "<",
        ">=" => "<=",
        "<" => ">",
        "<=" => ">=",
        _ => "",
    }
}

fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Cast { value, .. } => number(value),
        Expr::Constant(Constant::Number(text)) => text.parse().ok(),
        _ => None,
    }
}

/// How many values a condition leaves a column.
fn listed(condition: &Expr, column: &Ident) -> Option<usize> {
    match condition {
        Expr::In { value, list } => (is(value, column) && list.iter().all(is_constant)).then_some(list.len()),
        Expr::Binary { operator, left, right } if &**operator == "=" => {
            let equal = |one, other| is(one, column) && is_constant(other);
            (equal(left, right) || equal(right, left)).then_some(1)
        }
        Expr::And(parts) => parts.iter().filter_map(|part| listed(part, column)).min(),
        Expr::Or(parts) => parts.iter().map(|part| listed(part, column)).sum(),
        // `CHECK (singleton IS TRUE)`, which lets no NULL pass, and `CHECK (NOT off)`
        Expr::Not(inner) => match &**inner {
            Expr::Distinct(left, right) => (is(left, column) && is_constant(right)).then_some(1),
            own => is(own, column).then_some(1),
        },
        // `CHECK (singleton)`
        own if is(own, column) => Some(1),
        _ => None,
    }
}

fn is(expr: &Expr, column: &Ident) -> bool {
    match expr {
        Expr::Cast { value, .. } => is(value, column),
        other => other.as_column().is_some_and(|(_, name)| name == column),
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { value, .. } => is_constant(value),
        other => matches!(other, Expr::Constant(constant) if *constant != Constant::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Node, Origin};
    use crate::read::sql;
    use crate::source::Sources;
    use crate::version::Major;

    fn few(sql: &str) -> bool {
        of(sql, |tables| tables.first().copied())
    }

    fn last_is_few(sql: &str) -> bool {
        of(sql, |tables| tables.last().copied())
    }

    fn of(sql: &str, which: fn(&[RelationId]) -> Option<RelationId>) -> bool {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", sql);
        let mut schema = Schema::new(Major(16));
        for node in sql::read(&sources.piece(id)).nodes {
            if let Node::Statement(statement) = node {
                let applied = schema.apply(&statement.operation, &Origin::at(statement.span));
                assert!(applied.failure().is_none(), "{sql}");
            }
        }
        let tables: Vec<RelationId> = schema.tables().map(|(relation, _)| relation.id).collect();
        which(&tables).is_some_and(|table| schema.has_few_rows(table))
    }

    #[test]
    fn keys_with_few_values_keep_a_table_small() {
        assert!(few("CREATE TABLE t (name text PRIMARY KEY CHECK (name IN ('a', 'b')), note text)"));
        assert!(few("CREATE TYPE k AS ENUM ('a', 'b'); CREATE TABLE t (k k, yes boolean, PRIMARY KEY (k, yes))"));
        assert!(few("CREATE TABLE t (id int PRIMARY KEY DEFAULT 1, CHECK (id = 1))"));
        assert!(few("CREATE TABLE t (a text); CREATE UNIQUE INDEX ON t ((true))"));
        assert!(few("CREATE TABLE t (id int PRIMARY KEY CHECK (id BETWEEN 1 AND 7))"));
        assert!(few("CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0 AND 7 >= id))"));
        assert!(few("CREATE TABLE t (yes boolean PRIMARY KEY DEFAULT true CHECK (yes IS TRUE))"));
        assert!(few("CREATE TABLE t (k text PRIMARY KEY CHECK (k = ANY (ARRAY['a'::text, 'b'::text])))"));
        assert!(!few("CREATE TABLE t (id numeric PRIMARY KEY CHECK (id BETWEEN 1 AND 7))"), "fractions");
        assert!(!few("CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0))"), "no end");
        let kinds = "CREATE TABLE kinds (k text PRIMARY KEY CHECK (k IN ('a', 'b')));";
        assert!(last_is_few(&format!("{kinds} CREATE TABLE t (k text PRIMARY KEY REFERENCES kinds (k), note text)")));
        assert!(!last_is_few(&format!("{kinds} CREATE TABLE t (k text REFERENCES kinds (k), note text)")), "no key");
        assert!(!few("CREATE TABLE t (name text CHECK (name IN ('a', 'b')))"), "no key");
        assert!(!few("CREATE TABLE t (name text UNIQUE CHECK (name IN ('a', 'b')))"), "many NULLs");
        assert!(!few("CREATE TABLE t (id bigint PRIMARY KEY, yes boolean)"));
        assert!(!few("CREATE TABLE t (id bigint, yes boolean, PRIMARY KEY (yes, id))"));
        assert!(!few("CREATE TABLE t (name text PRIMARY KEY); ALTER TABLE t ADD CHECK (name IN ('a', 'b')) NOT VALID"));
        assert!(!few(
            "CREATE TABLE t (yes boolean NOT NULL, at date); CREATE UNIQUE INDEX ON t (yes) WHERE at IS NULL"
        ));
    }
}
