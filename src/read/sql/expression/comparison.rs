//! sqlparser's comparisons and tests become ours.

use sqlparser::ast;

use super::lower::{Lowered, Lowering, compare, is_small, negate};
use crate::operation::{Constant, Expr, TypeName};

impl Lowering {
    pub fn comparison(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        match expr {
            ast::Expr::InList { expr, list, negated } => {
                let value = self.boxed(expr, depth)?;
                Ok(negate(Expr::In { value, list: self.list(list, depth)? }, *negated))
            }
            ast::Expr::InSubquery { expr, subquery, negated } => {
                let value = self.boxed(expr, depth)?;
                let query = Box::new(self.query(subquery, depth + 1)?);
                Ok(negate(Expr::InQuery { value, query }, *negated))
            }
            ast::Expr::Between { expr: value, negated, low, high } => {
                let (low, high) = (self.expr(low, depth + 2)?, self.expr(high, depth + 2)?);
                let value = self.expr(value, depth + 2)?;
                if !is_small(&value) {
                    return self.other(expr, vec![value, low, high]);
                }
                let both = Expr::And(vec![compare(">=", value.clone(), low), compare("<=", value, high)]);
                Ok(negate(both, *negated))
            }
            ast::Expr::Like { negated, any, expr: value, pattern, escape_char } => {
                self.matches(expr, "LIKE", (*negated, *any), [value, pattern], escape_char.as_deref(), depth)
            }
            ast::Expr::ILike { negated, any, expr: value, pattern, escape_char } => {
                self.matches(expr, "ILIKE", (*negated, *any), [value, pattern], escape_char.as_deref(), depth)
            }
            ast::Expr::SimilarTo { negated, expr: value, pattern, escape_char } => {
                self.matches(expr, "SIMILAR TO", (*negated, false), [value, pattern], escape_char.as_deref(), depth)
            }
            ast::Expr::AnyOp { left, compare_op, right, .. } => self.quantified("ANY", left, compare_op, right, depth),
            ast::Expr::AllOp { left, compare_op, right } => self.quantified("ALL", left, compare_op, right, depth),
            _ => self.other(expr, Vec::new()),
        }
    }

    fn matches(
        &mut self,
        whole: &ast::Expr,
        operator: &str,
        (negated, any): (bool, bool),
        operands: [&ast::Expr; 2],
        escape: Option<&ast::Expr>,
        depth: usize,
    ) -> Lowered<Expr> {
        let left = self.expr(operands[0], depth + 1)?;
        let right = self.expr(operands[1], depth + 1)?;
        if any || escape.is_some() {
            return self.other(whole, vec![left, right]);
        }
        Ok(negate(compare(operator, left, right), negated))
    }

    /// `x = ANY (ARRAY[…])` is how pg_dump writes IN, `x <> ALL (ARRAY[…])` NOT IN.
    fn quantified(
        &mut self,
        quantifier: &str,
        left: &ast::Expr,
        operator: &ast::BinaryOperator,
        right: &ast::Expr,
        depth: usize,
    ) -> Lowered<Expr> {
        let value = self.expr(left, depth + 1)?;
        let right = self.expr(right, depth + 1)?;
        let negated = match (quantifier, operator) {
            ("ANY", ast::BinaryOperator::Eq) => Some(false),
            ("ALL", ast::BinaryOperator::NotEq) => Some(true),
            _ => None,
        };
        if let (Some(negated), Some(list)) = (negated, array_elements(&right)) {
            return Ok(negate(Expr::In { value: Box::new(value), list }, negated));
        }
        if let (Some(negated), Expr::Subquery(query)) = (negated, &right) {
            return Ok(negate(Expr::InQuery { value: Box::new(value), query: query.clone() }, negated));
        }
        Ok(compare(&format!("{operator} {quantifier}"), value, right))
    }

    pub fn test(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        let truth =
            |operand: Box<Expr>, value: bool| Expr::Distinct(operand, Box::new(Expr::Constant(Constant::Bool(value))));
        Ok(match expr {
            ast::Expr::IsNull(one) | ast::Expr::IsUnknown(one) => null_test(self.expr(one, depth + 1)?, false),
            ast::Expr::IsNotNull(one) | ast::Expr::IsNotUnknown(one) => null_test(self.expr(one, depth + 1)?, true),
            ast::Expr::IsTrue(one) => negate(truth(self.boxed(one, depth)?, true), true),
            ast::Expr::IsNotTrue(one) => truth(self.boxed(one, depth)?, true),
            ast::Expr::IsFalse(one) => negate(truth(self.boxed(one, depth)?, false), true),
            ast::Expr::IsNotFalse(one) => truth(self.boxed(one, depth)?, false),
            ast::Expr::IsDistinctFrom(one, other) => Expr::Distinct(self.boxed(one, depth)?, self.boxed(other, depth)?),
            ast::Expr::IsNotDistinctFrom(one, other) => {
                negate(Expr::Distinct(self.boxed(one, depth)?, self.boxed(other, depth)?), true)
            }
            ast::Expr::IsJson { expr: one, .. } | ast::Expr::IsNormalized { expr: one, .. } => {
                let part = self.expr(one, depth + 1)?;
                self.other(expr, vec![part])?
            }
            _ => self.other(expr, Vec::new())?,
        })
    }
}

/// Of a row constructor all fields are asked, for NULL and for NOT NULL alike (manual, "Row and Array Comparisons").
fn null_test(operand: Expr, negated: bool) -> Expr {
    match operand {
        Expr::List(fields) if fields.len() > 1 => {
            Expr::And(fields.into_iter().map(|field| null_test(field, negated)).collect())
        }
        one => negate(Expr::IsNull(Box::new(one)), negated),
    }
}

/// The elements of `ARRAY[…]`, also under a cast of the whole array.
fn array_elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::List(list) => Some(list.clone()),
        Expr::Cast { value, to } if to.array => {
            let element = TypeName { array: false, ..to.clone() };
            let cast = |value| Expr::Cast { value: Box::new(value), to: element.clone() };
            Some(array_elements(value)?.into_iter().map(cast).collect())
        }
        _ => None,
    }
}
