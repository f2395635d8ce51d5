//! A condition taken apart: what it asks of which terms. A term is a column, or an expression that is not looked into.

use std::collections::BTreeMap;

use super::ColumnMapping;
use super::value::{Comparison, Value, constant, gives_the_same_again, is_condition, plain, strict_columns};
use crate::operation::{Constant, Expr, Ident};

/// One term among [`Terms`].
pub(super) type TermId = usize;
/// One use of a constant among [`Terms`].
pub(super) type ConstantId = usize;

/// Most constants in both conditions.
const CONSTANTS: usize = 8_192;

/// A condition over terms.
#[derive(Debug, Clone)]
pub(super) enum Cond {
    Known(Option<bool>),
    /// A boolean term by itself.
    Truth(TermId),
    IsNull(TermId),
    Compare(TermId, Comparison, ConstantId),
    CompareTerms(TermId, Comparison, TermId),
    /// NOT DISTINCT FROM: never NULL.
    Same(TermId, ConstantId),
    SameTerms(TermId, TermId),
    /// The list's constants, and whether NULL is among them.
    Among(TermId, Vec<ConstantId>, bool),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    /// IS TRUE, IS FALSE, IS NULL of a condition: never NULL.
    Is(Box<Cond>, Option<bool>),
}

/// What a condition speaks of.
#[derive(Debug, Default)]
pub(super) struct Terms {
    by_key: BTreeMap<String, TermId>,
    pub list: Vec<Term>,
    /// Each use of a constant, with the term it is compared to.
    pub constants: Vec<(TermId, Value)>,
}

#[derive(Debug)]
pub(super) struct Term {
    /// A column whose value any row may have, as opposed to an expression or a column that nothing fills.
    pub free: bool,
    pub boolean: bool,
    /// Compared by more than equality.
    pub ordered: bool,
    /// Compared with this term (itself where with none): one domain for all of them.
    pub like: TermId,
    /// NULL wherever one of these is.
    pub strict_on: Vec<TermId>,
}

/// Names the columns of one of the two conditions.
pub(super) struct Naming<'a> {
    /// `None`: the second condition, whose columns keep their names.
    pub mapped: Option<&'a ColumnMapping>,
    pub mapping: &'a ColumnMapping,
    /// Several tables are named: qualifiers tell columns apart.
    pub qualified: bool,
}

impl Naming<'_> {
    pub fn of<'a>(expr: &Expr, mapped: Option<&'a ColumnMapping>, mapping: &'a ColumnMapping) -> Naming<'a> {
        let mut seen: Option<&Ident> = None;
        let mut qualified = false;
        expr.walk(&mut |part| {
            if let Expr::Column { qualifier: Some(qualifier), .. } = part
                && *qualifier != "old"
            {
                qualified |= seen.is_some_and(|seen| seen != qualifier);
                seen = Some(qualifier);
            }
        });
        Naming { mapped, mapping, qualified }
    }

    /// A column's key, and whether a row may have any value in it.
    fn column(&self, qualifier: Option<&Ident>, name: &Ident) -> (String, bool) {
        let prefix = match qualifier {
            Some(qualifier) if *qualifier == "old" => "old.".to_owned(),
            Some(qualifier) if self.qualified => format!("{qualifier}."),
            _ => String::new(),
        };
        match self.mapped {
            Some(mapping) => match mapping.get(name) {
                Some(target) => (format!("{prefix}{target}"), true),
                None => (format!("first {prefix}{name}"), true),
            },
            None => (format!("{prefix}{name}"), self.mapping.fills(name.as_str())),
        }
    }
}

/// More than is worth looking at.
pub(super) struct TooMuch;

type Taken<T> = Result<T, TooMuch>;

impl Terms {
    pub fn condition(&mut self, expr: &Expr, naming: &Naming<'_>) -> Taken<Cond> {
        let all = |terms: &mut Terms, list: &[Expr]| -> Taken<Vec<Cond>> {
            list.iter().map(|one| terms.condition(one, naming)).collect()
        };
        Ok(match expr {
            Expr::Constant(Constant::Bool(value)) => Cond::Known(Some(*value)),
            _ if expr.is_null_constant() => Cond::Known(None),
            Expr::And(list) => Cond::And(all(self, list)?),
            Expr::Or(list) => Cond::Or(all(self, list)?),
            Expr::Not(one) => Cond::Not(Box::new(self.condition(one, naming)?)),
            Expr::IsNull(one) if is_condition(one) => Cond::Is(Box::new(self.condition(one, naming)?), None),
            Expr::IsNull(one) => match constant(one) {
                Some(_) => Cond::Known(Some(false)),
                None => Cond::IsNull(self.term(one, naming)),
            },
            Expr::Distinct(left, right) => Cond::Not(Box::new(self.same(expr, left, right, naming)?)),
            Expr::In { value, list } => self.among(expr, value, list, naming)?,
            Expr::Binary { operator, left, right } => match Comparison::named(operator) {
                Some(comparison) => self.comparison(expr, left, comparison, right, naming)?,
                None => self.truth(expr, naming),
            },
            _ => self.truth(expr, naming),
        })
    }

    fn truth(&mut self, expr: &Expr, naming: &Naming<'_>) -> Cond {
        let term = self.term(expr, naming);
        self.list[term].boolean = true;
        Cond::Truth(term)
    }

    fn comparison(
        &mut self,
        whole: &Expr,
        left: &Expr,
        comparison: Comparison,
        right: &Expr,
        naming: &Naming<'_>,
    ) -> Taken<Cond> {
        if left.is_null_constant() || right.is_null_constant() {
            return Ok(Cond::Known(None));
        }
        Ok(match (constant(left), constant(right)) {
            (Some(one), Some(other)) => match (one, other) {
                (Value::Number(one), Value::Number(other)) => Cond::Known(Some(comparison.holds(one.cmp(&other)))),
                (Value::Bool(one), Value::Bool(other)) => Cond::Known(Some(comparison.holds(one.cmp(&other)))),
                _ => self.truth(whole, naming),
            },
            (Some(value), None) => self.with_constant(whole, right, comparison.turned(), value, naming)?,
            (None, Some(value)) => self.with_constant(whole, left, comparison, value, naming)?,
            (None, None) if is_condition(left) || is_condition(right) => self.truth(whole, naming),
            (None, None) => {
                let (left, right) = (self.term(left, naming), self.term(right, naming));
                self.join(left, right, comparison.needs_order());
                Cond::CompareTerms(left, comparison, right)
            }
        })
    }

    fn with_constant(
        &mut self,
        whole: &Expr,
        value: &Expr,
        comparison: Comparison,
        constant: Value,
        naming: &Naming<'_>,
    ) -> Taken<Cond> {
        if is_condition(value) {
            let wanted = match (comparison, &constant) {
                (Comparison::Equal, Value::Bool(wanted)) => *wanted,
                (Comparison::NotEqual, Value::Bool(wanted)) => !*wanted,
                _ => return Ok(self.truth(whole, naming)),
            };
            let condition = self.condition(value, naming)?;
            return Ok(if wanted { condition } else { Cond::Not(Box::new(condition)) });
        }
        let term = self.term(value, naming);
        self.list[term].ordered |= comparison.needs_order();
        Ok(Cond::Compare(term, comparison, self.constant(term, constant)?))
    }

    /// NOT DISTINCT FROM.
    fn same(&mut self, whole: &Expr, left: &Expr, right: &Expr, naming: &Naming<'_>) -> Taken<Cond> {
        for (one, other) in [(left, right), (right, left)] {
            if one.is_null_constant() {
                return self.condition(&Expr::IsNull(Box::new(other.clone())), naming);
            }
            if let Some(value) = constant(one) {
                if constant(other).is_some() {
                    break;
                }
                return Ok(match value {
                    Value::Bool(wanted) if is_condition(other) => {
                        Cond::Is(Box::new(self.condition(other, naming)?), Some(wanted))
                    }
                    _ if is_condition(other) => Cond::Not(Box::new(self.truth(whole, naming))),
                    value => {
                        let term = self.term(other, naming);
                        Cond::Same(term, self.constant(term, value)?)
                    }
                });
            }
        }
        if is_condition(left) || is_condition(right) || constant(left).is_some() {
            return Ok(Cond::Not(Box::new(self.truth(whole, naming))));
        }
        let (left, right) = (self.term(left, naming), self.term(right, naming));
        self.join(left, right, false);
        Ok(Cond::SameTerms(left, right))
    }

    fn among(&mut self, whole: &Expr, value: &Expr, list: &[Expr], naming: &Naming<'_>) -> Taken<Cond> {
        if is_condition(value) || constant(value).is_some() {
            return Ok(self.truth(whole, naming));
        }
        let mut values = Vec::new();
        let mut null = false;
        let mut others = Vec::new();
        let term = self.term(value, naming);
        for one in list {
            if one.is_null_constant() {
                null = true;
            } else if let Some(constant) = constant(one) {
                values.push(self.constant(term, constant)?);
            } else {
                others.push(self.comparison(whole, value, Comparison::Equal, one, naming)?);
            }
        }
        let among = Cond::Among(term, values, null);
        if others.is_empty() {
            return Ok(among);
        }
        others.push(among);
        Ok(Cond::Or(others))
    }

    fn constant(&mut self, term: TermId, value: Value) -> Taken<ConstantId> {
        if self.constants.len() >= CONSTANTS {
            return Err(TooMuch);
        }
        self.constants.push((term, value));
        Ok(self.constants.len() - 1)
    }

    fn join(&mut self, left: TermId, right: TermId, ordered: bool) {
        let (left_root, right_root) = (self.root(left), self.root(right));
        self.list[right_root].like = left_root;
        for side in [left, right] {
            self.list[side].ordered |= ordered;
        }
    }

    /// Once all is read: every term knows at once which term stands for it.
    pub fn settle(&mut self) {
        for term in 0..self.list.len() {
            self.list[term].like = self.root(term);
        }
    }

    /// The term that stands for all that are compared with this one.
    pub fn root(&self, mut term: TermId) -> TermId {
        while self.list[term].like != term {
            term = self.list[term].like;
        }
        term
    }

    fn term(&mut self, expr: &Expr, naming: &Naming<'_>) -> TermId {
        let expr = plain(expr);
        if let Expr::Column { qualifier, name } = expr {
            let (key, free) = naming.column(qualifier.as_ref(), name);
            return self.keyed(key, free, Vec::new());
        }
        let mut strict_on = Vec::new();
        strict_columns(expr, &mut |qualifier, name| strict_on.push(naming.column(qualifier, name)));
        let strict_on = strict_on.into_iter().map(|(key, free)| self.keyed(key, free, Vec::new())).collect();
        let key = if gives_the_same_again(expr) {
            let mut renamed = expr.clone();
            rename(&mut renamed, naming);
            format!("= {renamed:?}")
        } else {
            format!("once {}", self.list.len())
        };
        self.keyed(key, false, strict_on)
    }

    fn keyed(&mut self, key: String, free: bool, strict_on: Vec<TermId>) -> TermId {
        let next = self.list.len();
        let id = *self.by_key.entry(key).or_insert(next);
        if id == next {
            self.list.push(Term { free, boolean: false, ordered: false, like: id, strict_on });
        }
        self.list[id].free &= free;
        id
    }
}

/// Gives columns the keys by which they are known, so that equal expressions have equal texts.
fn rename(expr: &mut Expr, naming: &Naming<'_>) {
    match expr {
        Expr::Column { qualifier, name } => {
            let key = naming.column(qualifier.as_ref(), name).0;
            *expr = Expr::Parameter(key.into());
        }
        Expr::Call { arguments: list, .. }
        | Expr::And(list)
        | Expr::Or(list)
        | Expr::List(list)
        | Expr::Other { parts: list, .. } => list.iter_mut().for_each(|one| rename(one, naming)),
        Expr::Unary { operand: one, .. } | Expr::Not(one) | Expr::IsNull(one) | Expr::Cast { value: one, .. } => {
            rename(one, naming);
        }
        Expr::Binary { left, right, .. } | Expr::Distinct(left, right) => {
            rename(left, naming);
            rename(right, naming);
        }
        Expr::In { value, list } => {
            rename(value, naming);
            list.iter_mut().for_each(|one| rename(one, naming));
        }
        Expr::Case { branches, otherwise } => {
            for (condition, value) in branches {
                rename(condition, naming);
                rename(value, naming);
            }
            if let Some(otherwise) = otherwise {
                rename(otherwise, naming);
            }
        }
        Expr::Row { .. }
        | Expr::Constant(_)
        | Expr::Parameter(_)
        | Expr::InQuery { .. }
        | Expr::Exists(_)
        | Expr::Subquery(_) => {}
    }
}
