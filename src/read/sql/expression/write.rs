//! sqlparser's INSERT, UPDATE, DELETE and MERGE become ours.

use std::sync::Arc;

use sqlparser::ast;

use super::lower::{ConflictTarget, Lowered, Lowering, MARK, ident, name};
use crate::operation::{Expr, Ident, OnConflict, Output, Query, Rows, Write, WriteKind};

/// Assignments, one per column.
type Assignments = Vec<(Ident, Expr)>;

impl Lowering {
    pub fn write(&mut self, statement: &ast::Statement, depth: usize) -> Lowered<Write> {
        match statement {
            ast::Statement::Insert(insert) => self.insert(insert, depth),
            ast::Statement::Update(update) => self.update(update, depth),
            ast::Statement::Delete(delete) => self.delete(delete, depth),
            ast::Statement::Merge(merge) => self.merge(merge, depth),
            ast::Statement::Query(query) => {
                let (ast::SetExpr::Insert(write)
                | ast::SetExpr::Update(write)
                | ast::SetExpr::Delete(write)
                | ast::SetExpr::Merge(write)) = &*query.body
                else {
                    return Err("not a write".to_owned());
                };
                let mut with = self.with(query.with.as_ref(), depth)?;
                let mut found = self.write(write, depth + 1)?;
                with.append(&mut found.with);
                Ok(Write { with, ..found })
            }
            _ => Err("not a write".to_owned()),
        }
    }

    fn insert(&mut self, insert: &ast::Insert, depth: usize) -> Lowered<Write> {
        let ast::TableObject::TableName(table) = &insert.table else {
            return Err("the target is no table".to_owned());
        };
        let mut write = Write::new(WriteKind::Insert, name(table));
        write.alias = insert.table_alias.as_ref().map(|alias| self.given_name(&alias.alias));
        write.columns = insert.columns.iter().filter_map(first_part).collect();
        write.rows = match &insert.source {
            None => Rows::Defaults,
            Some(query) => {
                let mut query = self.query(query, depth + 1)?;
                let literal = !query.values.is_empty() && query.with.is_empty() && query.arms.is_empty();
                if literal && !query.limited {
                    let count = query.values.len();
                    Rows::Values { first: query.values.swap_remove(0), count }
                } else {
                    Rows::Query(Box::new(query))
                }
            }
        };
        if let Some(ast::OnInsert::OnConflict(conflict)) = &insert.on {
            write.on_conflict = Some(self.on_conflict(conflict, depth)?);
        }
        Ok(write)
    }

    fn on_conflict(&mut self, conflict: &ast::OnConflict, depth: usize) -> Lowered<OnConflict> {
        let mut constraint = None;
        let target = match &conflict.conflict_target {
            Some(ast::ConflictTarget::Columns(columns)) => self.conflict_target(columns),
            Some(ast::ConflictTarget::OnConstraint(named)) => {
                constraint = Some(name(named).name);
                ConflictTarget::default()
            }
            None => ConflictTarget::default(),
        };
        let (update, filter) = match &conflict.action {
            ast::OnConflictAction::DoNothing => (None, None),
            ast::OnConflictAction::DoUpdate(update) => {
                let filter = update.selection.as_ref().map(|filter| self.expr(filter, depth + 1)).transpose()?;
                (Some(self.assignments(&update.assignments, depth)?), filter)
            }
        };
        let ConflictTarget { columns, expressions, filter: index_filter } = target;
        Ok(OnConflict { columns, expressions, index_filter, constraint, update, filter })
    }

    /// `prepare` reads what sqlparser cannot and leaves a number in its place.
    fn conflict_target(&mut self, columns: &[ast::Ident]) -> ConflictTarget {
        let number = match columns {
            [one] => one.value.strip_prefix(MARK).and_then(|number| number.parse::<usize>().ok()),
            _ => None,
        };
        match number.and_then(|number| self.conflicts.get_mut(number)) {
            Some(target) => std::mem::take(target),
            None => ConflictTarget { columns: columns.iter().map(ident).collect(), ..ConflictTarget::default() },
        }
    }

    fn assignments(&mut self, assignments: &[ast::Assignment], depth: usize) -> Lowered<Assignments> {
        let mut found = Vec::new();
        for assignment in assignments {
            match &assignment.target {
                ast::AssignmentTarget::ColumnName(column) => {
                    let value = self.expr(&assignment.value, depth + 1)?;
                    found.extend(first_part(column).map(|column| (column, value)));
                }
                ast::AssignmentTarget::Tuple(columns) => {
                    let columns: Vec<Ident> = columns.iter().filter_map(first_part).collect();
                    self.rows_open += 1;
                    let value = self.expr(&assignment.value, depth + 1);
                    self.rows_open -= 1;
                    // Inside another row assignment the subquery stays whole: splitting both would multiply.
                    let values = row_values(value?, columns.len(), self.rows_open == 0);
                    found.extend(columns.into_iter().zip(values));
                }
            }
        }
        Ok(found)
    }

    fn update(&mut self, update: &ast::Update, depth: usize) -> Lowered<Write> {
        let (target, alias, only) = self.target(&update.table.relation, depth)?;
        let mut write = Write { alias, only, ..Write::new(WriteKind::Update, target) };
        write.assignments = self.assignments(&update.assignments, depth)?;
        write.worded = worded(&update.assignments);
        if let Some(ast::UpdateTableFromKind::BeforeSet(from) | ast::UpdateTableFromKind::AfterSet(from)) = &update.from
        {
            write.from = self.from(from, depth + 1)?;
        }
        write.filter = update.selection.as_ref().map(|filter| self.expr(filter, depth + 1)).transpose()?;
        Ok(write)
    }

    fn delete(&mut self, delete: &ast::Delete, depth: usize) -> Lowered<Write> {
        let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = &delete.from;
        let [table] = from.as_slice() else { return Err("DELETE of several tables".to_owned()) };
        let (target, alias, only) = self.target(&table.relation, depth)?;
        let mut write = Write { alias, only, ..Write::new(WriteKind::Delete, target) };
        write.from = self.from(delete.using.as_deref().unwrap_or_default(), depth + 1)?;
        write.filter = delete.selection.as_ref().map(|filter| self.expr(filter, depth + 1)).transpose()?;
        Ok(write)
    }

    fn merge(&mut self, merge: &ast::Merge, depth: usize) -> Lowered<Write> {
        let (target, alias, only) = self.target(&merge.table, depth)?;
        let mut write = Write { alias, only, ..Write::new(WriteKind::Merge, target) };
        let source = ast::TableWithJoins { relation: merge.source.clone(), joins: Vec::new() };
        write.from = self.from(std::slice::from_ref(&source), depth + 1)?;
        let on = self.expr(&merge.on, depth + 1)?;
        if let Some(item) = write.from.first_mut() {
            item.on = Some(on);
        }
        for clause in &merge.clauses {
            match &clause.action {
                ast::MergeAction::Insert(insert) => {
                    write.merge.push(WriteKind::Insert);
                    write.columns = insert.columns.iter().filter_map(first_part).collect();
                    if let ast::MergeInsertKind::Values(values) = &insert.kind
                        && let Some(row) = values.rows.first()
                    {
                        // Each row of the source that matches nothing gives these values.
                        let values = self.list(&row.content, depth)?;
                        let outputs = values.into_iter().map(|value| Output::Value { value, alias: None }).collect();
                        let query = Query { outputs, from: write.from.clone(), ..Query::default() };
                        write.rows = Rows::Query(Box::new(query));
                    }
                }
                ast::MergeAction::Update(update) => {
                    write.merge.push(WriteKind::Update);
                    if let ast::MergeUpdateKind::Set(assignments) = &update.kind {
                        let assignments = self.assignments(assignments, depth)?;
                        write.assignments.extend(assignments);
                    }
                }
                ast::MergeAction::Delete { .. } => write.merge.push(WriteKind::Delete),
                ast::MergeAction::DoNothing { .. } => {}
            }
        }
        Ok(write)
    }
}

/// The values of `(a, b) = …`, one per column: of a row, of DEFAULT, or of a subquery's outputs.
fn row_values(value: Expr, columns: usize, split: bool) -> Vec<Expr> {
    match value {
        Expr::List(values) if values.len() == columns => values,
        Expr::Subquery(query) if split && query.outputs.len() == columns && columns <= 64 => {
            let one = |at: usize| Query { outputs: vec![query.outputs[at].clone()], ..(*query).clone() };
            (0..columns).map(|at| Expr::Subquery(Box::new(one(at)))).collect()
        }
        whole => {
            // A copy per column would multiply what is nested.
            let rest = Expr::Other { text: "part of a row".into(), parts: Vec::new() };
            std::iter::once(whole).chain(std::iter::repeat_n(rest, columns.saturating_sub(1))).collect()
        }
    }
}

/// A column named by an assignment: `column.field = …` changes the column.
fn first_part(name: &ast::ObjectName) -> Option<Ident> {
    name.0.first().and_then(ast::ObjectNamePart::as_ident).map(ident)
}

/// The texts of the values: a tree does not tell `coalesce` from a function, and leaves queries out.
fn worded(assignments: &[ast::Assignment]) -> Vec<(Ident, Arc<str>)> {
    let is_plain = |value: &ast::Expr| {
        matches!(value, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) | ast::Expr::Value(_))
    };
    let texts = assignments.iter().filter_map(|assignment| match &assignment.target {
        ast::AssignmentTarget::ColumnName(column) if !is_plain(&assignment.value) => {
            Some((first_part(column)?, assignment.value.to_string().into()))
        }
        ast::AssignmentTarget::ColumnName(_) | ast::AssignmentTarget::Tuple(_) => None,
    });
    texts.collect()
}
