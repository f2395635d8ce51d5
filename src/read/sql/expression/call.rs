//! sqlparser's calls, and the forms with a syntax of their own that are calls in PostgreSQL, become ours.

use sqlparser::ast;

use super::lower::{Lowered, Lowering, call, compare, constant, ident, name};
use super::types;
use crate::operation::{Constant, Expr, Name, TypeName};

impl Lowering {
    pub fn special(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        match expr {
            ast::Expr::TypedString(typed) => {
                let value = constant(&typed.value.value);
                Ok(Expr::Cast { value: Box::new(value), to: types::type_name(&typed.data_type) })
            }
            ast::Expr::Interval(interval) => {
                let fields = interval.leading_field.iter().chain(&interval.last_field);
                let fields: Vec<String> = fields.map(|field| field.to_string().to_ascii_lowercase()).collect();
                let name =
                    if fields.is_empty() { "interval".into() } else { format!("interval {}", fields.join(" to ")) };
                Ok(Expr::Cast { value: self.boxed(&interval.value, depth)?, to: TypeName::built_in(&name) })
            }
            ast::Expr::AtTimeZone { timestamp, time_zone } => {
                let zone = self.expr(time_zone, depth + 1)?;
                Ok(compare("AT TIME ZONE", self.expr(timestamp, depth + 1)?, zone))
            }
            ast::Expr::Collate { expr, collation } => {
                let operator = format!("COLLATE {}", name(collation)).into();
                Ok(Expr::Unary { operator, operand: self.boxed(expr, depth)? })
            }
            ast::Expr::Extract { field, expr, .. } => {
                let field = Expr::Constant(Constant::String(field.to_string().to_ascii_lowercase().into()));
                Ok(call("extract", vec![field, self.expr(expr, depth + 1)?]))
            }
            ast::Expr::Ceil { expr, .. } => Ok(call("ceil", vec![self.expr(expr, depth + 1)?])),
            ast::Expr::Floor { expr, .. } => Ok(call("floor", vec![self.expr(expr, depth + 1)?])),
            // The function takes the text first, and what is looked for in it second.
            ast::Expr::Position { expr, r#in } => Ok(call("position", self.list([&**r#in, expr], depth)?)),
            ast::Expr::Substring { expr, substring_from, substring_for, .. } => {
                let parts = std::iter::once(&**expr).chain(substring_from.as_deref()).chain(substring_for.as_deref());
                Ok(call("substring", self.list(parts, depth)?))
            }
            ast::Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let function = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    Some(ast::TrimWhereField::Both) | None => "btrim",
                };
                let more = trim_what.as_deref().into_iter().chain(trim_characters.iter().flatten());
                let mut list = self.list(std::iter::once(&**expr).chain(more), depth)?;
                if list.len() == 1 {
                    list.push(Expr::Constant(Constant::String(" ".into())));
                }
                Ok(call(function, list))
            }
            ast::Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let parts = [&**expr, overlay_what, overlay_from];
                Ok(call("overlay", self.list(parts.into_iter().chain(overlay_for.as_deref()), depth)?))
            }
            ast::Expr::Named { expr, .. } => self.expr(expr, depth),
            ast::Expr::Prefixed { value, .. } => {
                let part = self.expr(value, depth + 1)?;
                self.other(expr, vec![part])
            }
            _ => {
                let text = self.folded(expr)?;
                let parts = super::fallback::parts(&text);
                Ok(Expr::Other { text: text.into(), parts })
            }
        }
    }

    pub fn function(&mut self, function: &ast::Function, depth: usize) -> Lowered<Expr> {
        let called = name(&function.name);
        let mut plain = function.within_group.is_empty() && function.filter.is_none() && function.over.is_none();
        let mut more: Vec<&ast::Expr> = function.within_group.iter().map(|order| &order.expr).collect();
        more.extend(function.filter.as_deref());
        if let Some(ast::WindowType::WindowSpec(window)) = &function.over {
            more.extend(&window.partition_by);
            more.extend(window.order_by.iter().map(|order| &order.expr));
        }
        let mut arguments = Vec::new();
        match &function.args {
            ast::FunctionArguments::None => {}
            ast::FunctionArguments::Subquery(query) => {
                arguments.push(Expr::Subquery(Box::new(self.query(query, depth + 1)?)));
            }
            ast::FunctionArguments::List(list) => {
                plain &= list.duplicate_treatment.is_none() && list.clauses.is_empty();
                for clause in &list.clauses {
                    if let ast::FunctionArgumentClause::OrderBy(order) = clause {
                        more.extend(order.iter().map(|order| &order.expr));
                    }
                }
                for argument in &list.args {
                    arguments.extend(self.argument(argument, depth)?);
                }
            }
        }
        self.aggregates |= function.over.is_none() && is_aggregate(&called);
        if called.schema.is_none() && called.name == "row" {
            return Ok(Expr::List(arguments));
        }
        let call = Expr::Call { function: called, arguments };
        if plain {
            return Ok(call);
        }
        let mut parts = vec![call];
        for expr in more {
            parts.push(self.expr(expr, depth + 1)?);
        }
        Ok(Expr::Other { text: self.folded(function)?.into(), parts })
    }

    pub fn argument(&mut self, argument: &ast::FunctionArg, depth: usize) -> Lowered<Option<Expr>> {
        let (label, value) = match argument {
            ast::FunctionArg::Unnamed(value) => (None, value),
            ast::FunctionArg::Named { name, arg, .. } => (Some(ident(name)), arg),
            ast::FunctionArg::ExprNamed { arg, .. } => (None, arg),
        };
        let value = match value {
            ast::FunctionArgExpr::Expr(expr) => self.expr(expr, depth + 1)?,
            ast::FunctionArgExpr::QualifiedWildcard(row) => Expr::Row { qualifier: name(row).name },
            // count(*) has no argument.
            _ => return Ok(None),
        };
        Ok(Some(match label {
            Some(label) => Expr::Unary { operator: format!("{label} =>").into(), operand: Box::new(value) },
            None => value,
        }))
    }
}

/// PostgreSQL's own aggregates (manual, "Aggregate Functions"); a project's own are not known here.
fn is_aggregate(function: &Name) -> bool {
    const AGGREGATES: &[&str] = &[
        "any_value",
        "array_agg",
        "avg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "corr",
        "count",
        "covar_pop",
        "covar_samp",
        "every",
        "grouping",
        "json_agg",
        "json_agg_strict",
        "json_arrayagg",
        "json_object_agg",
        "json_objectagg",
        "jsonb_agg",
        "jsonb_agg_strict",
        "jsonb_object_agg",
        "max",
        "min",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "range_agg",
        "range_intersect_agg",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "string_agg",
        "sum",
        "var_pop",
        "var_samp",
        "variance",
        "xmlagg",
    ];
    let built_in = function.schema.as_ref().is_none_or(|schema| *schema == "pg_catalog");
    built_in && AGGREGATES.binary_search(&function.name.as_str()).is_ok()
}
