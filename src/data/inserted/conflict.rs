//! What ON CONFLICT leaves unanswered: it names one unique key, and rows may meet another one.

use super::super::feed::assigned_before;
use super::{Given, Inserted, is_default};
use crate::operation::{Expr, Ident};
use crate::schema::Relation;

/// A unique key of the target that ON CONFLICT does not answer for.
#[derive(Debug)]
pub struct Unanswered<'a> {
    pub index: &'a Relation,
    pub columns: Vec<Ident>,
    /// Those that it answers for.
    pub answered: Vec<Ident>,
}

impl<'a> Inserted<'a> {
    /// Keys that rows of the target may have already, by values that are not made for each row.
    pub fn unanswered(&self) -> Vec<Unanswered<'a>> {
        let Some(conflict) = self.conflict.filter(|conflict| conflict.expressions.is_empty()) else {
            return Vec::new();
        };
        let keys = self.keys();
        let named = || keys.iter().find(|(index, _)| conflict.constraint.as_ref() == Some(&index.name.name));
        let answered = match conflict.columns.as_slice() {
            [] => named().map(|(_, columns)| columns.clone()).unwrap_or_default(),
            columns => columns.to_vec(),
        };
        // Without a target it answers for all; what looks at the target itself has seen to it.
        if answered.is_empty() || self.looks_at_target() {
            return Vec::new();
        }
        let set = assigned_before(self.schema, self.target);
        let is_given = |column: &Ident| match self.value(column) {
            Some(Given::Column(..)) => !set.contains(column),
            Some(Given::Value(value)) => !value.is_null_constant() && !is_default(value),
            Some(Given::Unknown) | None => false,
        };
        // Who has the wider key of a row has the narrower one, too.
        let is_other = |columns: &[Ident]| !answered.iter().all(|one| columns.contains(one));
        let open = keys.iter().filter(|(_, columns)| is_other(columns) && columns.iter().all(is_given));
        open.map(|(index, columns)| Unanswered { index, columns: columns.clone(), answered: answered.clone() })
            .collect()
    }

    fn looks_at_target(&self) -> bool {
        let queries = self.conditions.iter().flat_map(Expr::queries).flat_map(|query| query.reads());
        let mut read = queries.filter_map(|name| self.schema.find(name));
        read.any(|one| one.id == self.target)
            || self.items.iter().any(|item| item.table.is_none_or(|(relation, _)| relation.id == self.target))
    }
}
