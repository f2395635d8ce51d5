//! The last resort: what the tokens alone say about an expression or a write that the parser rejects.

use crate::operation::{Expr, FromItem, FromSource, Ident, Join, Name, Output, Query, Rows, Write, WriteKind};
use crate::read::sql::keywords;
use crate::read::sql::lexer::Kind;
use crate::read::sql::tokens::Tokens;

/// An expression as its text, with the columns, functions and relations it names.
pub(super) fn expression(tokens: &Tokens<'_>) -> Expr {
    Expr::Other { text: folded(tokens, 0, tokens.list.len()).into(), parts: named(tokens, 0, tokens.list.len()) }
}

/// What a text names.
pub(super) fn parts(text: &str) -> Vec<Expr> {
    let tokens = Tokens::new(text);
    named(&tokens, 0, tokens.list.len())
}

fn folded(tokens: &Tokens<'_>, from: usize, to: usize) -> String {
    let mut text = String::new();
    for at in from..to.min(tokens.list.len()) {
        let apart = at > from && tokens.list[at - 1].end < tokens.list[at].start;
        if apart {
            text.push(' ');
        }
        text.push_str(tokens.list[at].text(tokens.text));
    }
    text
}

fn named(tokens: &Tokens<'_>, from: usize, to: usize) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut relations = Vec::new();
    let mut at = from;
    while at < to {
        // `TRIM(BOTH FROM name)`, as pg_dump prints trim(), names a column.
        let trims = at > from && tokens.is_any(at - 1, &["both", "leading", "trailing"]);
        let names_relation = tokens.is_any(at, &["from", "join"]) && !trims;
        if names_relation && tokens.is_name(at + 1) && !is_keyword(tokens, at + 1) {
            relations.extend(tokens.name(at + 1));
            at = tokens.name_end(at + 1);
            continue;
        }
        let end = tokens.name_end(at);
        if end == at || is_keyword(tokens, at) {
            at += 1;
            continue;
        }
        let behind = at.checked_sub(1);
        let is_type = behind.is_some_and(|behind| {
            tokens.kind(behind) == Some(Kind::Typecast) || tokens.is_any(behind, &["as", "collate"])
        });
        if let Some(name) = tokens.name(at)
            && !is_type
        {
            found.push(match tokens.kind(end) {
                Some(Kind::OpenParen) => Expr::Call { function: name, arguments: Vec::new() },
                _ => Expr::Column { qualifier: name.schema, name: name.name },
            });
        }
        at = end;
    }
    if !relations.is_empty() {
        let from = relations.into_iter().map(relation).collect();
        let query = Query { from, merges_rows: true, limited: true, ..Query::default() };
        found.push(Expr::Subquery(Box::new(query)));
    }
    found
}

fn relation(name: Name) -> FromItem {
    FromItem { source: FromSource::Relation { name, only: false }, alias: None, join: Join::None, on: None }
}

/// An unquoted word that PostgreSQL would not take for a name.
fn is_keyword(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.kind(at) == Some(Kind::Word) && tokens.ident(at).is_some_and(|word| word.to_string().starts_with('"'))
}

/// A reserved word where UPDATE or DELETE could name its table anew: no other word stands there.
pub(super) fn misnamed(tokens: &Tokens<'_>) -> Option<String> {
    let follows: &[&str] = match () {
        () if tokens.is_word(0, "update") => &["set"],
        () if tokens.is_word(0, "delete") && tokens.is_word(1, "from") => &["using", "where", "returning"],
        () => return None,
    };
    let mut at = if tokens.is_word(0, "update") { 1 } else { 2 };
    at += usize::from(tokens.is_word(at, "only"));
    tokens.name(at)?;
    at = tokens.name_end(at);
    at += usize::from(tokens.is_operator(at, "*"));
    at += usize::from(tokens.is_word(at, "as"));
    let token = tokens.list.get(at).filter(|token| token.kind == Kind::Word)?;
    let word = token.text(tokens.text);
    (!keywords::names_column(word) && !tokens.is_any(at, follows)).then(|| word.to_owned())
}

/// Kind, target, columns and whether there is a WHERE.
pub(super) fn write(tokens: &Tokens<'_>) -> Option<Write> {
    let verb = tokens.find(0, tokens.list.len(), &["insert", "update", "delete", "merge"])?;
    let kind = match () {
        () if tokens.is_word(verb, "insert") => WriteKind::Insert,
        () if tokens.is_word(verb, "update") => WriteKind::Update,
        () if tokens.is_word(verb, "delete") => WriteKind::Delete,
        () => WriteKind::Merge,
    };
    let mut at = verb + 1;
    let needed: &[&str] = if kind == WriteKind::Delete { &["from"] } else { &["into"] };
    if kind != WriteKind::Update {
        if !tokens.is_any(at, needed) {
            return None;
        }
        at += 1;
    }
    let only = tokens.is_word(at, "only");
    at += usize::from(only);
    let enclosed = only && tokens.kind(at) == Some(Kind::OpenParen);
    at += usize::from(enclosed);
    if is_keyword(tokens, at) {
        return None;
    }
    let mut write = Write { only, ..Write::new(kind, tokens.name(at)?) };
    at = tokens.name_end(at) + usize::from(enclosed);
    at += usize::from(tokens.is_operator(at, "*"));
    let aliased = tokens.is_word(at, "as");
    at += usize::from(aliased);
    let verbs = ["set", "default", "values", "select", "overriding", "with", "where", "using", "returning", "table"];
    if tokens.is_name(at) && (aliased || !(is_keyword(tokens, at) || tokens.is_any(at, &verbs))) {
        write.alias = tokens.ident(at);
        at += 1;
    }
    match kind {
        WriteKind::Insert => insert(tokens, at, &mut write),
        WriteKind::Update => update(tokens, at, &mut write),
        WriteKind::Delete | WriteKind::Merge | WriteKind::Copy => {
            if let Some(using) = tokens.find(at, tokens.list.len(), &["using"]) {
                let end =
                    tokens.find(using, tokens.list.len(), &["where", "on", "returning"]).unwrap_or(tokens.list.len());
                write.from = relations(tokens, using, end);
            }
        }
    }
    if kind == WriteKind::Merge {
        write.merge = branches(tokens, at);
    } else if kind != WriteKind::Insert {
        write.filter = filter(tokens, at);
    }
    // What its WITH reads is lost to the shape, but not to the question what is read.
    write.from.extend(relations(tokens, 0, verb));
    Some(write)
}

fn filter(tokens: &Tokens<'_>, from: usize) -> Option<Expr> {
    let start = tokens.find(from, tokens.list.len(), &["where"])? + 1;
    let end = tokens.find(start, tokens.list.len(), &["returning"]).unwrap_or(tokens.list.len());
    Some(super::tree(tokens.slice(start, end)))
}

fn relations(tokens: &Tokens<'_>, from: usize, to: usize) -> Vec<FromItem> {
    let mut found = Vec::new();
    for at in from..to {
        if tokens.is_any(at, &["from", "join", "using"]) && tokens.is_name(at + 1) && !is_keyword(tokens, at + 1) {
            found.extend(tokens.name(at + 1).map(relation));
        }
    }
    found
}

fn insert(tokens: &Tokens<'_>, mut at: usize, write: &mut Write) {
    let begins_query = tokens.is_any(at + 1, &["select", "with", "values", "table"]);
    if tokens.kind(at) == Some(Kind::OpenParen) && !begins_query {
        let end = tokens.closed(at);
        write.columns = tokens
            .split(at + 1, end.saturating_sub(1))
            .into_iter()
            .filter_map(|(from, _)| tokens.ident(from))
            .collect();
        at = end;
    }
    if tokens.is_word(at, "overriding") {
        at += 3;
    }
    if tokens.are_words(at, &["default", "values"]) {
        write.rows = Rows::Defaults;
        return;
    }
    let end = tokens.find(at, tokens.list.len(), &["returning"]).unwrap_or(tokens.list.len());
    let conflict = (at..end).find(|at| tokens.is_word(*at, "on") && tokens.is_word(at + 1, "conflict"));
    let end = conflict.unwrap_or(end);
    if tokens.is_word(at, "values") {
        let rows = tokens.split(at + 1, end);
        let first = rows.first().map_or(Vec::new(), |(from, to)| {
            let values = tokens.split(from + 1, to.saturating_sub(1));
            values.into_iter().map(|(from, to)| super::tree(tokens.slice(from, to))).collect()
        });
        write.rows = Rows::Values { first, count: rows.len() };
        return;
    }
    let unread = || Query {
        outputs: vec![Output::All { qualifier: None }],
        from: relations(tokens, at, end),
        filter: Some(Expr::Other { text: folded(tokens, at, end).into(), parts: Vec::new() }),
        ..Query::default()
    };
    let query = super::read_query(tokens.slice(at, end), false).unwrap_or_else(|_| unread());
    write.rows = Rows::Query(Box::new(query));
}

fn update(tokens: &Tokens<'_>, from: usize, write: &mut Write) {
    let Some(set) = tokens.find(from, tokens.list.len(), &["set"]) else { return };
    let end = tokens.find(set, tokens.list.len(), &["from", "where", "returning"]).unwrap_or(tokens.list.len());
    for (start, stop) in tokens.split(set + 1, end) {
        let equals = (start..stop).find(|at| tokens.is_operator(*at, "="));
        let Some(equals) = equals else { continue };
        if tokens.kind(start) == Some(Kind::OpenParen) {
            let columns = tokens.split(start + 1, tokens.closed(start).saturating_sub(1));
            let value = super::tree(tokens.slice(equals + 1, stop));
            let columns: Vec<Ident> = columns.into_iter().filter_map(|(from, _)| tokens.ident(from)).collect();
            let rest = Expr::Other { text: "part of a row".into(), parts: Vec::new() };
            let values = std::iter::once(value).chain(std::iter::repeat_n(rest, columns.len()));
            write.assignments.extend(columns.into_iter().zip(values));
        } else if let Some(column) = tokens.ident(start) {
            write.assignments.push((column, super::tree(tokens.slice(equals + 1, stop))));
        }
    }
    if tokens.is_word(end, "from") {
        let stop = tokens.find(end + 1, tokens.list.len(), &["where", "returning"]).unwrap_or(tokens.list.len());
        write.from = relations(tokens, end, stop);
    }
}

fn branches(tokens: &Tokens<'_>, from: usize) -> Vec<WriteKind> {
    let mut found = Vec::new();
    for at in from..tokens.list.len() {
        if tokens.is_word(at, "then") {
            let next = at + 1;
            found.extend(match () {
                () if tokens.is_word(next, "insert") => Some(WriteKind::Insert),
                () if tokens.is_word(next, "update") => Some(WriteKind::Update),
                () if tokens.is_word(next, "delete") => Some(WriteKind::Delete),
                () => None,
            });
        }
    }
    found
}
