//! Expressions, queries and writes: PostgreSQL's text to our trees, by way of sqlparser. Positions inside a tree are
//! not kept. What sqlparser rejects is read by its tokens as far as they say anything.

mod call;
mod comparison;
mod fallback;
mod guard;
mod lower;
mod prepare;
mod query;
mod types;
mod write;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token as Foreign;

use self::lower::{ConflictTarget, Lowering};
use self::prepare::{Form, Prepared, prepare};
use super::cursor::{Read, Refused};
use super::tokens::Tokens;
use crate::operation::{Expr, Expression, Name, Query, Rows, Write};
use crate::source::Piece;

/// More than the guard lets through: the guard speaks first.
const RECURSION: usize = 1_000;

/// Reads an expression; what cannot be read is [`Expr::Other`] with the columns it names.
pub fn expression(piece: &Piece, range: Range<usize>) -> Expression {
    let whole = &piece.text()[range.clone()];
    let text = whole.trim();
    let start = range.start + (whole.len() - whole.trim_start().len());
    Expression { text: text.into(), span: piece.span(start..start + text.len()), tree: tree(text) }
}

/// Reads a query: SELECT, WITH, VALUES, TABLE.
pub fn query(piece: &Piece, range: Range<usize>) -> Read<Query> {
    read_query(&piece.text()[range], false)
}

thread_local! {
    /// Queries of views: ways back and further versions say them again, word for word.
    static VIEWS: RefCell<HashMap<Box<str>, Arc<Query>>> = RefCell::default();
}

/// Queries that are kept to be read again.
const MOST_VIEWS: usize = 1_000;

/// The same, where others of the same text are likely to come.
pub fn query_again(piece: &Piece, range: Range<usize>) -> Read<Arc<Query>> {
    let text = &piece.text()[range];
    if let Some(known) = VIEWS.with_borrow(|views| views.get(text).cloned()) {
        return Ok(known);
    }
    let query = Arc::new(read_query(text, false)?);
    VIEWS.with_borrow_mut(|views| {
        if views.len() >= MOST_VIEWS {
            views.clear();
        }
        views.insert(text.into(), query.clone());
    });
    Ok(query)
}

/// Reads INSERT, UPDATE, DELETE or MERGE, with what stands in their WITH.
pub fn write(piece: &Piece, range: Range<usize>) -> Read<Write> {
    let tokens = Tokens::new(&piece.text()[range]);
    match parsed_write(&tokens, false) {
        Ok((write, _)) => Ok(write),
        Err(refused) if refused.by_server => Err(refused),
        Err(refused) => {
            refuse(fallback::misnamed(&tokens))?;
            fallback::write(&tokens).ok_or(refused)
        }
    }
}

/// A query in PL/pgSQL, where INTO names variables.
pub(crate) fn query_into_variables(piece: &Piece, range: Range<usize>) -> Result<Query, String> {
    read_query(&piece.text()[range], true).map_err(|refused| refused.reason)
}

/// A write in PL/pgSQL, and the variables that its RETURNING goes INTO.
pub(crate) fn write_into_variables(piece: &Piece, range: Range<usize>) -> Result<(Write, Vec<Name>), String> {
    let tokens = Tokens::new(&piece.text()[range]);
    parsed_write(&tokens, true).or_else(|refused| Ok((fallback::write(&tokens).ok_or(refused.reason)?, Vec::new())))
}

/// What a statement's first words make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Query,
    Write,
}

/// What a statement of PL/pgSQL is whose result goes INTO variables; `None`: it has no INTO of that kind.
pub(crate) fn into_variables(text: &str) -> Option<Verb> {
    const WRITES: &[&str] = &["insert", "update", "delete", "merge"];
    let tokens = Tokens::new(text);
    let end = tokens.list.len();
    let first = match tokens.is_word(0, "with") {
        true => tokens.find(1, end, &["select", "values", "table", "insert", "update", "delete", "merge"])?,
        false => 0,
    };
    let into = tokens.find(first + 1, end, &["into"])?;
    match () {
        () if tokens.is_word(first, "select") => Some(Verb::Query),
        // INSERT INTO and MERGE INTO name the target; a second INTO takes what RETURNING gives.
        () if tokens.is_any(first, WRITES) => {
            let names_target = into == first + 1;
            let second = if names_target { tokens.find(into + 1, end, &["into"]) } else { Some(into) };
            second.map(|_| Verb::Write)
        }
        () => None,
    }
}

/// The tree of an expression given as text.
pub(crate) fn tree(text: &str) -> Expr {
    let tokens = Tokens::new(text);
    read_expression(&tokens).unwrap_or_else(|_| fallback::expression(&tokens))
}

fn read_expression(tokens: &Tokens<'_>) -> Result<Expr, String> {
    let prepared = prepare(tokens, Form::Expression, false)?;
    let mut parser = parser(&prepared.text)?;
    let expr = parser.parse_expr().map_err(|error| error.to_string())?;
    at_end(&parser)?;
    Lowering::new(tokens.text.len(), Vec::new()).expr(&expr, 0)
}

fn read_query(text: &str, variables: bool) -> Read<Query> {
    let tokens = Tokens::new(text);
    let prepared = prepare(&tokens, Form::Query, variables)?;
    let mut parser = parser(&prepared.text)?;
    let query = parser.parse_query().map_err(|error| error.to_string())?;
    at_end(&parser)?;
    let mut lowering = lowering(&prepared);
    let mut query = lowering.query(&query, 0)?;
    refuse(lowering.reserved)?;
    let mut into = prepared.into.into_iter();
    if let Some(first) = into.next() {
        query.into = Some(first);
        query.into_rest = into.collect();
    }
    Ok(query)
}

fn parsed_write(tokens: &Tokens<'_>, variables: bool) -> Read<(Write, Vec<Name>)> {
    let prepared = prepare(tokens, Form::Write, variables)?;
    let mut parser = parser(&prepared.text)?;
    let statement = parser.parse_statement().map_err(|error| error.to_string())?;
    at_end(&parser)?;
    let mut lowering = lowering(&prepared);
    let mut write = lowering.write(&statement, 0)?;
    refuse(lowering.reserved)?;
    if let (Rows::Values { count, .. }, Some(rows)) = (&mut write.rows, prepared.rows) {
        *count = rows;
    }
    Ok((write, prepared.into))
}

/// A word that sqlparser takes for a name and PostgreSQL does not.
fn refuse(reserved: Option<String>) -> Read<()> {
    match reserved {
        None => Ok(()),
        Some(word) => Err(Refused::by_server(format!("syntax error at or near \"{word}\""))),
    }
}

fn lowering(prepared: &Prepared<'_>) -> Lowering {
    let conflicts = prepared.conflicts.iter().map(|(list, filter)| conflict_target(list, *filter));
    Lowering::new(prepared.text.len(), conflicts.collect())
}

fn conflict_target(list: &str, filter: Option<&str>) -> ConflictTarget {
    let mut target = ConflictTarget { filter: filter.map(tree), ..ConflictTarget::default() };
    let tokens = Tokens::new(list);
    for (from, to) in tokens.split(0, tokens.list.len()) {
        let plain = tokens.name_end(from) == to && to == from + 1;
        match tokens.ident(from).filter(|_| plain) {
            Some(column) => target.columns.push(column),
            // COLLATE and operator classes: no expression to sqlparser, hence read by tokens.
            None => target.expressions.push(tree(tokens.slice(from, to))),
        }
    }
    target
}

fn parser(text: &str) -> Result<Parser<'static>, String> {
    static DIALECT: PostgreSqlDialect = PostgreSqlDialect {};
    Parser::new(&DIALECT).with_recursion_limit(RECURSION).try_with_sql(text).map_err(|error| error.to_string())
}

fn at_end(parser: &Parser<'_>) -> Result<(), String> {
    match &parser.peek_token_ref().token {
        Foreign::EOF => Ok(()),
        other => Err(format!("unexpected {other}")),
    }
}
