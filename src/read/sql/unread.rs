//! What a statement that cannot be read may touch, found by its words alone.

use super::cursor::Cursor;
use super::lexer::Kind;
use crate::operation::{Name, Reach, Unread};

/// Words after which a relation is named.
const BEFORE_RELATION: &[&str] =
    &["table", "view", "index", "sequence", "on", "into", "update", "from", "join", "truncate", "references"];

/// Statements of these words touch no relation, even where they cannot be read.
const TOUCH_NOTHING: &[&str] = &[
    "create function",
    "create or replace function",
    "create procedure",
    "create or replace procedure",
    "create aggregate",
    "create type",
    "create domain",
    "create extension",
    "drop function",
    "drop procedure",
    "drop aggregate",
    "alter function",
    "alter procedure",
    "set",
    "show",
    "comment on",
];

/// Most names that are kept.
const NAMES: usize = 64;

/// Why a statement must not be read although its grammar might accept it.
pub(super) fn leftover(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text();
    let mark = |token: &&super::lexer::Token| match token.kind {
        Kind::Template => true,
        Kind::Quoted => {
            let name = token.text(text);
            name.contains("${") || name.contains("{{")
        }
        _ => false,
    };
    let token = cursor.rest().iter().find(mark)?;
    let shown = crate::operation::cut(token.text(text), 60);
    Some(format!("`{shown}` is filled in by a tool that is not known here"))
}

pub(super) fn unread(cursor: &Cursor<'_>, reason: String) -> Unread {
    let mut touches = Vec::new();
    let mut unnamed = false;
    let mut ahead = *cursor;
    // Elsewhere USING names a method of an index, or an expression.
    let joins = cursor.is_any(&["delete", "merge", "with"]);
    while !ahead.is_done() && touches.len() < NAMES {
        let named = BEFORE_RELATION.iter().any(|word| ahead.is(word)) || (joins && ahead.is("using"));
        ahead.skip(1);
        if !named {
            continue;
        }
        match relation(ahead) {
            Found::Name(name) if !touches.contains(&name) => touches.push(name),
            Found::Name(_) | Found::Nothing => {}
            Found::Template => unnamed = true,
        }
    }
    let harmless = touches.is_empty() && TOUCH_NOTHING.iter().any(|words| cursor.is(words));
    let everything = unnamed || (touches.is_empty() && !harmless);
    Unread { reason: reason.into(), touches, everything, reach: Reach::Anything }
}

enum Found {
    Name(Name),
    /// A relation stands here whose name a runner would have filled in.
    Template,
    Nothing,
}

fn relation(mut cursor: Cursor<'_>) -> Found {
    while cursor.eat_any(&["if not exists", "if exists", "only", "table", "concurrently"]) {}
    if matches!(cursor.kind(), Some(Kind::Template | Kind::Variable)) {
        // `${schema}.name`: the name is known, its schema is not.
        cursor.skip(1);
        if !cursor.eat_kind(Kind::Dot) {
            return Found::Template;
        }
        return match cursor.label() {
            Ok(name) => Found::Name(Name::bare(name)),
            Err(_) => Found::Template,
        };
    }
    // ON DELETE, ON CONFLICT, FROM (…) name no relation.
    if cursor.is_any(&["delete", "update", "conflict", "commit", "insert", "select", "set"]) {
        return Found::Nothing;
    }
    match cursor.name() {
        Ok(name) if name.name.as_str().contains("${") || name.name.as_str().contains("{{") => Found::Template,
        Ok(name) => Found::Name(name),
        Err(_) => Found::Nothing,
    }
}
