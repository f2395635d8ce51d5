//! What a table guarantees that the one which takes its place does not.

use std::collections::BTreeSet;

use super::{Swap, unique_keys};
use crate::operation::{Expr, Expression, Ident};
use crate::predicate::{Answer, check_implies_check};
use crate::schema::{
    Column, ColumnId, Constraint, ConstraintRow, Index, IndexKey, Relation, RelationId, Schema, Table, key_columns,
};

/// Something that the original had and the replacement lacks. Columns that the replacement does not have count for
/// nothing, nor do privileges, comments and storage, which the schema does not hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Lost {
    NotNull(Ident),
    Default(Ident),
    Identity(Ident),
    /// The column's default takes its values from a sequence that is still the original's.
    Sequence {
        column: Ident,
        sequence: String,
    },
    Check(Ident),
    Exclude(Ident),
    Unique {
        name: Ident,
        columns: Vec<Ident>,
    },
    /// A key that is unique only together with the columns that the replacement is partitioned by.
    Widened {
        columns: Vec<Ident>,
        gained: Vec<Ident>,
    },
    Foreign(Ident),
    Index(Ident),
    RowSecurity,
    Policy(Ident),
}

impl Swap {
    /// What the original guaranteed before the swap and the replacement lacks in `after`.
    pub fn lost(&self, after: &Schema) -> Vec<Lost> {
        let original = self.before.get_relation(self.original);
        let replacement = after.get_relation(self.replacement);
        let (Some(old), Some(new)) = (original.and_then(Relation::as_table), replacement.and_then(Relation::as_table))
        else {
            return Vec::new();
        };
        if !new.columns_known {
            return Vec::new();
        }
        let compared = Compared { before: &self.before, after, original: self.original, table: self.replacement, new };
        let mut lost: Vec<Lost> = old.columns.iter().flat_map(|column| compared.column(column)).collect();
        lost.extend(self.before.constraints_of(self.original).filter_map(|one| compared.constraint(one)));
        lost.extend(old.indexes.iter().filter_map(|index| compared.index(*index)));
        if old.row_security && !new.row_security {
            lost.push(Lost::RowSecurity);
        } else if old.row_security {
            let gone = old.policies.iter().filter(|one| new.policies.iter().all(|other| other.name != one.name));
            lost.extend(gone.map(|policy| Lost::Policy(policy.name.clone())));
        }
        lost
    }
}

struct Compared<'a> {
    before: &'a Schema,
    after: &'a Schema,
    original: RelationId,
    table: RelationId,
    new: &'a Table,
}

impl Compared<'_> {
    fn column(&self, old: &Column) -> Vec<Lost> {
        let Some(new) = self.new.column(&old.name) else { return Vec::new() };
        let mut lost = Vec::new();
        if old.not_null && !new.not_null && !self.checks_present(&old.name) {
            lost.push(Lost::NotNull(old.name.clone()));
        }
        let fills_itself = new.default.is_some() || new.identity.is_some() || new.generated.is_some();
        let had = old.default.as_ref().is_some_and(|default| !default.tree.is_null_constant());
        if old.identity.is_some() && !fills_itself {
            lost.push(Lost::Identity(old.name.clone()));
        } else if (had || old.generated.is_some()) && !fills_itself {
            lost.push(Lost::Default(old.name.clone()));
        }
        if let Some(sequence) = self.borrowed_sequence(&old.name, new) {
            lost.push(Lost::Sequence { column: old.name.clone(), sequence });
        }
        lost
    }

    fn checks_present(&self, column: &Ident) -> bool {
        let name = Expr::bare(column);
        let present = name.is_not_null();
        self.checks().any(|check| check_implies_check(&check.tree, &present) == Answer::Yes)
    }

    fn checks(&self) -> impl Iterator<Item = &Expression> {
        self.after.constraints_of(self.table).filter_map(|constraint| match &constraint.kind {
            ConstraintRow::Check { expression } if constraint.enforced => Some(expression),
            _ => None,
        })
    }

    fn borrowed_sequence(&self, column: &Ident, new: &Column) -> Option<String> {
        let default = new.default.as_ref()?;
        let still = self.after.get_relation(self.original)?.as_table()?.column(column)?;
        let names = still.sequences().filter_map(|id| self.after.get_relation(id));
        let mut used = names.filter(|sequence| {
            let quoted = format!("{}'", sequence.name.name.as_str());
            default.text.contains("nextval") && default.text.contains(&quoted)
        });
        used.next().map(|sequence| sequence.name.short())
    }

    fn constraint(&self, old: &Constraint) -> Option<Lost> {
        let names: Vec<Ident> =
            old.columns.iter().map(|column| self.before.column_name(self.original, *column)).collect();
        if !old.enforced || names.iter().any(|name| self.new.column(name).is_none()) {
            return None;
        }
        match &old.kind {
            ConstraintRow::Check { expression } => {
                let kept = self.checks().any(|check| {
                    check.text == expression.text || check_implies_check(&check.tree, &expression.tree) == Answer::Yes
                });
                (!kept && !names.is_empty()).then(|| Lost::Check(old.name.clone()))
            }
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. } => self.unique(&old.name, names),
            ConstraintRow::Exclude { .. } => {
                let kept =
                    |one: &Constraint| matches!(one.kind, ConstraintRow::Exclude { .. }) && self.is_on(one, &names);
                (!self.after.constraints_of(self.table).any(kept)).then(|| Lost::Exclude(old.name.clone()))
            }
            ConstraintRow::Foreign(key) => {
                let kept = |one: &Constraint| one.as_foreign().is_some() && one.enforced && self.is_on(one, &names);
                let leads_somewhere = self.after.get_relation(key.references).is_some();
                (leads_somewhere && !self.after.constraints_of(self.table).any(kept))
                    .then(|| Lost::Foreign(old.name.clone()))
            }
            ConstraintRow::NotNull => None,
        }
    }

    fn is_on(&self, constraint: &Constraint, names: &[Ident]) -> bool {
        let has = |name: &Ident| constraint.columns.iter().any(|id| self.after.column_name(self.table, *id) == *name);
        constraint.columns.len() == names.len() && names.iter().all(has)
    }

    fn unique(&self, name: &Ident, columns: Vec<Ident>) -> Option<Lost> {
        let keys: Vec<Vec<Ident>> = unique_keys(self.after, self.table)
            .into_iter()
            .map(|key| key.into_iter().map(|column| self.after.column_name(self.table, column)).collect())
            .collect();
        if keys.iter().any(|key| key.iter().all(|column| columns.contains(column))) {
            return None;
        }
        let by: Vec<&Ident> = self.new.partition_by.iter().flat_map(|by| key_columns(&by.parts)).collect();
        let widened = keys.into_iter().find(|key| {
            columns.iter().all(|column| key.contains(column))
                && key.iter().all(|column| columns.contains(column) || by.contains(&column))
        });
        Some(match widened {
            Some(key) => {
                let gained = key.into_iter().filter(|column| !columns.contains(column)).collect();
                Lost::Widened { columns, gained }
            }
            None => Lost::Unique { name: name.clone(), columns },
        })
    }

    fn index(&self, id: RelationId) -> Option<Lost> {
        let relation = self.before.get_relation(id)?;
        let old = relation.as_index().filter(|index| index.constraint.is_none() && index.valid)?;
        let parts = parts(self.before, self.original, old);
        let columns = old.parts.iter().filter_map(|part| match part.key {
            IndexKey::Column(column) => Some(column),
            IndexKey::Expression(_) => None,
        });
        let columns: Vec<ColumnId> = columns.collect();
        let names: Vec<Ident> = columns.iter().map(|id| self.before.column_name(self.original, *id)).collect();
        // What it is about is no part of the new table.
        let expressions = old.parts.iter().filter_map(|part| match &part.key {
            IndexKey::Expression(expression) => Some(&expression.tree),
            IndexKey::Column(_) => None,
        });
        let trees = expressions.chain(old.filter.as_ref().map(|filter| &filter.tree));
        let named: BTreeSet<&Ident> = trees.flat_map(|tree| tree.columns()).chain(&names).collect();
        if named.iter().any(|name| self.new.column(name).is_none()) {
            return None;
        }
        if old.unique && old.filter.is_none() && columns.len() == old.parts.len() {
            return self.unique(&relation.name.name, names);
        }
        let kept = self.new.indexes.iter().filter_map(|id| self.after.get_relation(*id)?.as_index()).any(|new| {
            let own = self::parts(self.after, self.table, new);
            let same_rows = match (&new.filter, &old.filter) {
                (None, filter) => filter.is_none() || !old.unique,
                (Some(new), Some(old)) => new.text == old.text,
                (Some(_), None) => false,
            };
            same_rows
                && new.method == old.method
                && if old.unique { new.unique && own == parts } else { own.starts_with(&parts) }
        });
        if kept {
            return None;
        }
        let name = relation.name.name.clone();
        Some(if old.unique { Lost::Unique { name, columns: names } } else { Lost::Index(name) })
    }
}

/// The key of an index, column by column.
fn parts(schema: &Schema, table: RelationId, index: &Index) -> Vec<String> {
    let text = |key: &IndexKey| match key {
        IndexKey::Column(column) => schema.column_name(table, *column).to_string(),
        IndexKey::Expression(expression) => expression.text.to_string(),
    };
    index.parts.iter().map(|part| text(&part.key)).collect()
}
