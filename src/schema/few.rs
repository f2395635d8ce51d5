//! Tables that can never hold many rows: a key of theirs has few values, by its type or by a CHECK.

use super::{Column, ConstraintRow, Index, IndexKey, Relation, RelationId, Schema, Table, TypeKind};
use crate::operation::{Constant, Expr, Ident};

/// As many rows as a server reads in no time at all.
const FEW: usize = 10_000;

impl Schema {
    /// Whether its own constraints keep a table small: a primary key that is one of five names, a single row.
    pub fn has_few_rows(&self, table: RelationId) -> bool {
        let Some(relation) = self.get_relation(table) else { return false };
        let Some(found) = relation.as_table() else { return false };
        let mut indexes = found.indexes.iter().filter_map(|id| self.get_relation(*id)).filter_map(Relation::as_index);
        indexes.any(|index| self.keys_of(found, index, table).is_some_and(|keys| keys <= FEW))
    }

    /// How many keys a unique index can hold.
    fn keys_of(&self, table: &Table, index: &Index, id: RelationId) -> Option<usize> {
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
                    self.values_of(id, column)? + null
                }
            };
            product = product.checked_mul(values)?;
        }
        Some(product)
    }

    /// How many values a column can have, but NULL.
    fn values_of(&self, table: RelationId, column: &Column) -> Option<usize> {
        let kind = column.data_type.as_ref().filter(|kind| !kind.array)?;
        let by_type = match kind.name.name.as_str() {
            "boolean" => Some(2),
            _ => match self.find_type(&kind.name).map(|found| &found.kind) {
                Some(TypeKind::Enum { labels }) => Some(labels.len()),
                _ => None,
            },
        };
        let checks = self.constraints_of(table).filter(|constraint| constraint.validated && constraint.enforced);
        let by_check = checks.filter_map(|constraint| match &constraint.kind {
            ConstraintRow::Check { expression } => listed(&expression.tree, &column.name),
            _ => None,
        });
        by_check.chain(by_type).min()
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
        let mut sources = Sources::default();
        let id = sources.add("a.sql", sql);
        let mut schema = Schema::new(Major(16));
        for node in sql::read(&sources.piece(id)).nodes {
            if let Node::Statement(statement) = node {
                let applied = schema.apply(&statement.operation, &Origin::at(statement.span));
                assert!(applied.failure().is_none(), "{sql}");
            }
        }
        let table = schema.tables().map(|(relation, _)| relation.id).next();
        table.is_some_and(|table| schema.has_few_rows(table))
    }

    #[test]
    fn keys_with_few_values_keep_a_table_small() {
        assert!(few("CREATE TABLE t (name text PRIMARY KEY CHECK (name IN ('a', 'b')), note text)"));
        assert!(few("CREATE TYPE k AS ENUM ('a', 'b'); CREATE TABLE t (k k, yes boolean, PRIMARY KEY (k, yes))"));
        assert!(few("CREATE TABLE t (id int PRIMARY KEY DEFAULT 1, CHECK (id = 1))"));
        assert!(few("CREATE TABLE t (a text); CREATE UNIQUE INDEX ON t ((true))"));
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
