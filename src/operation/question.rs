//! Questions about operations that rules and facts share.

use super::{ConstraintDefinition, ConstraintKind, ForeignKey, Name, Operation, TableActionKind};
use crate::source::Span;

/// A foreign key that a statement adds to a table that is there.
#[derive(Debug, Clone, Copy)]
pub struct AddedForeignKey<'a> {
    pub table: &'a Name,
    /// ALTER TABLE ONLY.
    pub only: bool,
    pub constraint: &'a ConstraintDefinition,
    pub key: &'a ForeignKey,
    /// Inside ADD COLUMN.
    pub with_column: bool,
    pub span: Span,
}

impl Operation {
    /// The foreign keys that ALTER TABLE adds, with a column or alone.
    pub fn added_foreign_keys(&self) -> Vec<AddedForeignKey<'_>> {
        let Operation::AlterTable(alter) = self else { return Vec::new() };
        let mut found = Vec::new();
        for action in &alter.actions {
            let (constraints, with_column): (&[ConstraintDefinition], bool) = match &action.kind {
                TableActionKind::AddConstraint(constraint) => (std::slice::from_ref(&**constraint), false),
                TableActionKind::AddColumn { column, .. } => (&column.constraints, true),
                _ => continue,
            };
            for constraint in constraints {
                if let ConstraintKind::Foreign(key) = &constraint.kind {
                    found.push(AddedForeignKey {
                        table: &alter.table,
                        only: alter.only,
                        constraint,
                        key,
                        with_column,
                        span: action.span,
                    });
                }
            }
        }
        found
    }
}
