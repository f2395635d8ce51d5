//! SQL conditions over the columns of one row: does one imply another? Three-valued logic is kept exactly.
//!
//! Nothing is known of types or other constraints: what they guarantee (NOT NULL, the labels of an enum) is to be
//! said in the first condition. A qualifier says nothing, but that `old.x` is not `x`.

mod condition;
mod decide;
mod decimal;
mod domain;
mod normal;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use normal::normalise;

use crate::operation::{Constant, Expr, Ident};

/// What is known of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// For every row that there can be.
    Yes,
    /// There can be a row for which it is not so.
    No,
    Unknown,
}

/// Which rows a condition lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// WHERE, WHEN, IF: only those for which it is true.
    Filter,
    /// CHECK: all but those for which it is false; NULL passes.
    Check,
}

/// Which column of the second condition's table holds each column of the first one's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMapping {
    /// `None`: both conditions are about one table.
    pairs: Option<BTreeMap<Ident, Ident>>,
}

impl ColumnMapping {
    /// Both conditions are about the same columns.
    pub fn identity() -> ColumnMapping {
        ColumnMapping::default()
    }

    /// From columns of the first condition's table to columns of the second one's.
    pub fn new(pairs: impl IntoIterator<Item = (Ident, Ident)>) -> ColumnMapping {
        ColumnMapping { pairs: Some(pairs.into_iter().collect()) }
    }

    pub fn get<'a>(&'a self, column: &'a Ident) -> Option<&'a Ident> {
        match &self.pairs {
            None => Some(column),
            Some(pairs) => pairs.get(column),
        }
    }

    /// Whether the second table's column takes its value from the first.
    fn fills(&self, column: &str) -> bool {
        self.pairs.as_ref().is_none_or(|pairs| pairs.values().any(|target| *target == *column))
    }
}

/// Whether every row that `a` lets through is one that `b` lets through; `a`'s columns lead to `b`'s by `mapping`.
pub fn implies_as(a: &Expr, a_reads: Reading, b: &Expr, b_reads: Reading, mapping: &ColumnMapping) -> Answer {
    decide::decide((a, a_reads), (b, b_reads), mapping)
}

/// Whether `b` is true wherever `a` is true.
pub fn implies(a: &Expr, b: &Expr, mapping: &ColumnMapping) -> Answer {
    implies_as(a, Reading::Filter, b, Reading::Filter, mapping)
}

/// Rows chosen by WHERE `a` are among those chosen by WHERE `b`; of one table, as below.
pub fn filter_implies_filter(a: &Expr, b: &Expr) -> Answer {
    implies_as(a, Reading::Filter, b, Reading::Filter, &ColumnMapping::identity())
}

/// Rows chosen by WHERE `a` satisfy CHECK `b`.
pub fn filter_implies_check(a: &Expr, b: &Expr) -> Answer {
    implies_as(a, Reading::Filter, b, Reading::Check, &ColumnMapping::identity())
}

/// Rows that satisfy CHECK `a` satisfy CHECK `b`.
pub fn check_implies_check(a: &Expr, b: &Expr) -> Answer {
    implies_as(a, Reading::Check, b, Reading::Check, &ColumnMapping::identity())
}

/// Rows that satisfy CHECK `a` are all chosen by WHERE `b`; so a CHECK proves NOT NULL or a partition's bound.
pub fn check_implies_filter(a: &Expr, b: &Expr) -> Answer {
    implies_as(a, Reading::Check, b, Reading::Filter, &ColumnMapping::identity())
}

/// Whether no row can make the condition true.
pub fn is_contradiction(condition: &Expr) -> Answer {
    filter_implies_filter(condition, &Expr::Constant(Constant::Bool(false)))
}
