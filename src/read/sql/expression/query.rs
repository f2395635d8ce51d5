//! sqlparser's queries become ours.

use sqlparser::ast;

use super::lower::{Lowered, Lowering, compare, ident, name};
use super::prepare::{KEY_MARK, NO_KEY_MARK};
use crate::operation::{
    CommonTable, CommonTableBody, Expr, FromItem, FromSource, Ident, Join, Name, Output, Query, RowLock, Write,
};
use crate::read::sql::keywords;

/// Deepest nesting of queries and joins in parentheses; expressions in them count on their own.
const DEPTH: usize = 450;

impl Lowering {
    pub fn query(&mut self, query: &ast::Query, depth: usize) -> Lowered<Query> {
        if depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let outer = (self.aggregates, self.sampled);
        let with = self.with(query.with.as_ref(), depth)?;
        (self.aggregates, self.sampled) = (false, false);
        let mut found = self.body(&query.body, depth)?;
        found.with.splice(0..0, with);
        found.limited |= is_limited(query) || self.sampled;
        found.row_lock = found.row_lock.max(query.locks.iter().map(row_lock).max());
        (self.aggregates, self.sampled) = outer;
        Ok(found)
    }

    pub fn with(&mut self, with: Option<&ast::With>, depth: usize) -> Lowered<Vec<CommonTable>> {
        let tables = with.into_iter().flat_map(|with| &with.cte_tables);
        tables.map(|table| self.common_table(table, depth)).collect()
    }

    fn common_table(&mut self, table: &ast::Cte, depth: usize) -> Lowered<CommonTable> {
        let body = match &*table.query.body {
            ast::SetExpr::Insert(write)
            | ast::SetExpr::Update(write)
            | ast::SetExpr::Delete(write)
            | ast::SetExpr::Merge(write) => {
                let with = self.with(table.query.with.as_ref(), depth + 1)?;
                let write = self.write(write, depth + 1)?;
                CommonTableBody::Write(Box::new(Write { with, ..write }))
            }
            _ => {
                let mut query = self.query(&table.query, depth + 1)?;
                rename_outputs(&mut query, &table.alias.columns);
                CommonTableBody::Query(Box::new(query))
            }
        };
        Ok(CommonTable { name: self.given_name(&table.alias.name), body })
    }

    /// The name that a table or query has in a statement: no reserved word, with or without AS (`ColId`).
    pub fn given_name(&mut self, written: &ast::Ident) -> Ident {
        if written.quote_style.is_none() && !keywords::names_column(&written.value) {
            self.reserved.get_or_insert_with(|| written.value.clone());
        }
        ident(written)
    }

    fn body(&mut self, body: &ast::SetExpr, depth: usize) -> Lowered<Query> {
        // Rows of UNIONs lean to the left: collected without recursion.
        let mut arms = Vec::new();
        let mut merges = false;
        let mut first = body;
        while let ast::SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            merges |= *op != ast::SetOperator::Union || *set_quantifier != ast::SetQuantifier::All;
            arms.push(&**right);
            first = left;
        }
        let mut query = self.arm(first, depth + 1)?;
        for arm in arms.into_iter().rev() {
            query.arms.push(self.arm(arm, depth + 1)?);
        }
        query.merges_rows |= merges;
        Ok(query)
    }

    fn arm(&mut self, arm: &ast::SetExpr, depth: usize) -> Lowered<Query> {
        if depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        match arm {
            ast::SetExpr::Select(select) => self.select(select, depth),
            ast::SetExpr::Query(query) => self.query(query, depth + 1),
            ast::SetExpr::SetOperation { .. } => self.body(arm, depth + 1),
            ast::SetExpr::Values(values) => {
                let rows = values.rows.iter().map(|row| self.list(&row.content, depth));
                Ok(Query { values: rows.collect::<Lowered<_>>()?, ..Query::default() })
            }
            ast::SetExpr::Table(_)
            | ast::SetExpr::Insert(_)
            | ast::SetExpr::Update(_)
            | ast::SetExpr::Delete(_)
            | ast::SetExpr::Merge(_) => Err("not a query".to_owned()),
        }
    }

    fn select(&mut self, select: &ast::Select, depth: usize) -> Lowered<Query> {
        let mut query = Query::default();
        self.aggregates = false;
        for item in &select.projection {
            query.outputs.push(self.output(item, depth)?);
        }
        query.from = self.from(&select.from, depth)?;
        query.filter = select.selection.as_ref().map(|filter| self.expr(filter, depth + 1)).transpose()?;
        let grouped = !matches!(&select.group_by,
            ast::GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty());
        query.merges_rows = self.aggregates
            || grouped
            || select.having.is_some()
            || matches!(select.distinct, Some(ast::Distinct::Distinct | ast::Distinct::On(_)));
        query.into = match select.into.as_ref().and_then(|into| into.targets.first()) {
            Some(ast::Expr::Identifier(name)) => Some(Name::bare(ident(name))),
            Some(ast::Expr::CompoundIdentifier(parts)) => {
                let mut parts = parts.iter().rev().map(ident);
                parts.next().map(|name| Name { schema: parts.next(), name })
            }
            _ => None,
        };
        Ok(query)
    }

    fn output(&mut self, item: &ast::SelectItem, depth: usize) -> Lowered<Output> {
        Ok(match item {
            ast::SelectItem::UnnamedExpr(value) => Output::Value { value: self.expr(value, depth + 1)?, alias: None },
            ast::SelectItem::ExprWithAlias { expr, alias } => {
                Output::Value { value: self.expr(expr, depth + 1)?, alias: Some(ident(alias)) }
            }
            ast::SelectItem::ExprWithAliases { expr, .. } => {
                Output::Value { value: self.expr(expr, depth + 1)?, alias: None }
            }
            ast::SelectItem::QualifiedWildcard(kind, _) => match kind {
                ast::SelectItemQualifiedWildcardKind::ObjectName(row) => {
                    Output::All { qualifier: Some(name(row).name) }
                }
                ast::SelectItemQualifiedWildcardKind::Expr(row) => {
                    Output::Value { value: self.expr(row, depth + 1)?, alias: None }
                }
            },
            ast::SelectItem::Wildcard(_) => Output::All { qualifier: None },
        })
    }

    pub fn from(&mut self, tables: &[ast::TableWithJoins], depth: usize) -> Lowered<Vec<FromItem>> {
        let mut items = Vec::new();
        for table in tables {
            self.joined(table, Join::None, depth, &mut items)?;
        }
        Ok(items)
    }

    fn joined(
        &mut self,
        table: &ast::TableWithJoins,
        join: Join,
        depth: usize,
        items: &mut Vec<FromItem>,
    ) -> Lowered<()> {
        if depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        self.factor(&table.relation, join, None, depth, items)?;
        for next in &table.joins {
            let (kind, constraint) = join_kind(&next.join_operator);
            let outside = matches!(join, Join::Left | Join::Right | Join::Full);
            // What stands inside an outer join's parentheses drops no row of the outside.
            let kind = if outside { join } else { kind };
            let first = items.len();
            self.factor(&next.relation, kind, None, depth, items)?;
            let on = match constraint {
                Some(ast::JoinConstraint::On(on)) => Some(self.expr(on, depth + 1)?),
                Some(ast::JoinConstraint::Using(columns)) => {
                    Some(equal_columns(&items[..first], &items[first..], columns))
                }
                Some(ast::JoinConstraint::Natural | ast::JoinConstraint::None) | None => None,
            };
            if let Some(item) = items.get_mut(first) {
                item.on = on;
            }
        }
        Ok(())
    }

    fn factor(
        &mut self,
        factor: &ast::TableFactor,
        join: Join,
        on: Option<Expr>,
        depth: usize,
        items: &mut Vec<FromItem>,
    ) -> Lowered<()> {
        let (source, alias) = match factor {
            ast::TableFactor::Table { name: table, alias, args, with_ordinality, sample, .. } => {
                self.sampled |= sample.is_some();
                let name = name(table);
                let source = match args {
                    Some(args) => FromSource::Function { name, arguments: self.arguments(&args.args, depth)? },
                    // `prepare` writes ONLY as the ORDINALITY that no plain table can have.
                    None => FromSource::Relation { name, only: *with_ordinality },
                };
                (source, alias)
            }
            ast::TableFactor::Derived { subquery, alias, .. } => {
                let mut query = self.query(subquery, depth + 1)?;
                if let Some(alias) = alias {
                    rename_outputs(&mut query, &alias.columns);
                }
                (FromSource::Query(Box::new(query)), alias)
            }
            ast::TableFactor::Function { name: function, args, alias, .. } => {
                let arguments = self.arguments(args, depth)?;
                (FromSource::Function { name: name(function), arguments }, alias)
            }
            ast::TableFactor::UNNEST { alias, array_exprs, .. } => {
                let arguments = self.list(array_exprs, depth)?;
                (FromSource::Function { name: Name::bare("unnest"), arguments }, alias)
            }
            ast::TableFactor::JsonTable { json_expr, alias, .. } => {
                let arguments = vec![self.expr(json_expr, depth + 1)?];
                (FromSource::Function { name: Name::bare("json_table"), arguments }, alias)
            }
            ast::TableFactor::XmlTable { row_expression, alias, .. } => {
                let arguments = vec![self.expr(row_expression, depth + 1)?];
                (FromSource::Function { name: Name::bare("xmltable"), arguments }, alias)
            }
            ast::TableFactor::NestedJoin { table_with_joins, .. } => {
                return self.joined(table_with_joins, join, depth + 1, items);
            }
            _ => (FromSource::Other, &None),
        };
        let alias = alias.as_ref().map(|alias| self.given_name(&alias.name));
        items.push(FromItem { source, alias, join, on });
        Ok(())
    }

    fn arguments(&mut self, arguments: &[ast::FunctionArg], depth: usize) -> Lowered<Vec<Expr>> {
        let found: Lowered<Vec<_>> = arguments.iter().map(|one| self.argument(one, depth)).collect();
        Ok(found?.into_iter().flatten().collect())
    }

    /// One table named by a write: its name, alias and ONLY.
    pub fn target(&mut self, factor: &ast::TableFactor, depth: usize) -> Lowered<(Name, Option<Ident>, bool)> {
        let mut items = Vec::new();
        self.factor(factor, Join::None, None, depth, &mut items)?;
        match items.pop() {
            Some(FromItem { source: FromSource::Relation { name, only }, alias, .. }) => Ok((name, alias, only)),
            _ => Err("the target is no table".to_owned()),
        }
    }
}

/// `(a, b)` behind an alias names the outputs anew.
fn rename_outputs(query: &mut Query, columns: &[ast::TableAliasColumnDef]) {
    for (output, column) in query.outputs.iter_mut().zip(columns) {
        match output {
            Output::Value { alias, .. } => *alias = Some(ident(&column.name)),
            // From here on positions are unknown.
            Output::All { .. } => return,
        }
    }
}

/// USING (a, b) as a condition. The left side is the item before, which is right for two tables.
fn equal_columns(before: &[FromItem], after: &[FromItem], columns: &[ast::ObjectName]) -> Expr {
    let left = before.last().and_then(FromItem::label);
    let right = after.first().and_then(FromItem::label);
    let mut all: Vec<Expr> = columns
        .iter()
        .map(|column| {
            let column = name(column).name;
            let side = |label: Option<&Ident>| Expr::Column { qualifier: label.cloned(), name: column.clone() };
            compare("=", side(left), side(right))
        })
        .collect();
    if all.len() == 1 { all.remove(0) } else { Expr::And(all) }
}

fn join_kind(operator: &ast::JoinOperator) -> (Join, Option<&ast::JoinConstraint>) {
    use ast::JoinOperator as Op;
    match operator {
        Op::Join(constraint) | Op::Inner(constraint) | Op::StraightJoin(constraint) => (Join::Inner, Some(constraint)),
        Op::Left(constraint) | Op::LeftOuter(constraint) => (Join::Left, Some(constraint)),
        Op::Right(constraint) | Op::RightOuter(constraint) => (Join::Right, Some(constraint)),
        Op::FullOuter(constraint) => (Join::Full, Some(constraint)),
        Op::CrossJoin(constraint) => (Join::Cross, Some(constraint)),
        _ => (Join::Inner, None),
    }
}

fn is_limited(query: &ast::Query) -> bool {
    let is_bound = |expr: &ast::Expr| !matches!(expr, ast::Expr::Value(value) if value.value == ast::Value::Null);
    let limited = match &query.limit_clause {
        Some(ast::LimitClause::LimitOffset { limit, offset, .. }) => {
            limit.as_ref().is_some_and(is_bound) || offset.is_some()
        }
        Some(ast::LimitClause::OffsetCommaLimit { .. }) => true,
        None => false,
    };
    limited || query.fetch.is_some()
}

fn row_lock(lock: &ast::LockClause) -> RowLock {
    let mark = lock.of.as_ref().map(|name| self::name(name).name);
    let is = |wanted: &str| mark.as_ref().is_some_and(|mark| *mark == wanted);
    match lock.lock_type {
        ast::LockType::Update if is(NO_KEY_MARK) => RowLock::NoKeyUpdate,
        ast::LockType::Update => RowLock::Update,
        ast::LockType::Share if is(KEY_MARK) => RowLock::KeyShare,
        ast::LockType::Share => RowLock::Share,
    }
}
