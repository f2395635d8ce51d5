//! One statement to one operation: which grammar its first words call for.

use super::cursor::{Cursor, Read, Refused};
use super::lexer::Kind;
use super::{expression, unread};
use crate::operation::{
    CreateExtension, CreateSchema, CreateTableAs, Operation, Output, Persistence, Query, Reach, RoutineKind, TableForm,
    Unread,
};
use crate::source::PieceBuilder;

/// Reads a statement; what does not follow the grammar is [`Operation::Unread`].
pub fn read(cursor: Cursor<'_>) -> Operation {
    if let Some(reason) = unread::leftover(&cursor) {
        return Operation::Unread(unread::unread(&cursor, reason));
    }
    match operation(cursor) {
        Ok(operation) => operation,
        Err(Refused { reason, by_server }) => {
            let unread = unread::unread(&cursor, reason);
            Operation::Unread(if by_server {
                Unread { everything: false, reach: Reach::Nothing, ..unread }
            } else {
                unread
            })
        }
    }
}

/// The whole statement, to its last token.
pub fn operation(mut cursor: Cursor<'_>) -> Read<Operation> {
    let operation = by_first_word(&mut cursor)?;
    cursor.expect_end()?;
    Ok(operation)
}

fn by_first_word(cursor: &mut Cursor<'_>) -> Read<Operation> {
    if cursor.kind() == Some(Kind::OpenParen) {
        return whole_rows(cursor);
    }
    let word = cursor.word_at(0).to_ascii_lowercase();
    match word.as_str() {
        "create" => create(cursor),
        "alter" => cursor.alter(),
        "drop" => cursor.drop(),
        "select" | "values" | "with" | "table" | "insert" | "update" | "delete" | "merge" => whole_rows(cursor),
        "comment" => cursor.comment(),
        "grant" | "revoke" => cursor.grant(),
        "set" => cursor.set(),
        "reset" => cursor.reset(),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => cursor.transaction(),
        "prepare" if cursor.is("prepare transaction") => cursor.transaction(),
        "do" => cursor.do_block(),
        "call" => cursor.call(),
        "copy" => cursor.copy(),
        "truncate" => cursor.truncate(),
        "lock" => cursor.lock(),
        "cluster" => cursor.cluster(),
        "vacuum" => cursor.vacuum(),
        "analyze" | "analyse" => cursor.analyze(),
        "reindex" => cursor.reindex(),
        "refresh" => cursor.refresh(),
        "explain" => cursor.explain(),
        "discard" => {
            let all = cursor.is("discard all");
            Ok(cursor.opaque("DISCARD", all))
        }
        "show" | "listen" | "unlisten" | "notify" | "fetch" | "move" | "declare" | "close" | "deallocate"
        | "execute" | "prepare" | "checkpoint" | "load" | "reassign" => {
            Ok(cursor.opaque(&word.to_ascii_uppercase(), false))
        }
        "security" if cursor.is("security label") => Ok(cursor.opaque("SECURITY LABEL", false)),
        "import" if cursor.is("import foreign schema") => Ok(cursor.opaque("IMPORT FOREIGN SCHEMA", false)),
        _ => Err(cursor.refuse("a statement")),
    }
}

fn create(cursor: &mut Cursor<'_>) -> Read<Operation> {
    cursor.expect("create")?;
    let or_replace = cursor.eat("or replace");
    if let Some(opaque) = cursor.unmodelled("CREATE") {
        return Ok(opaque);
    }
    let temporary = cursor.eat_any(&["global temporary", "global temp", "local temporary", "local temp"])
        || cursor.eat_any(&["temporary", "temp"]);
    let unlogged = !temporary && cursor.eat("unlogged");
    let persistence = match (temporary, unlogged) {
        (true, _) => Persistence::Temporary,
        (false, true) => Persistence::Unlogged,
        (false, false) => Persistence::Permanent,
    };
    if cursor.eat("table") {
        return cursor.create_table(persistence, TableForm::Table);
    }
    if cursor.eat("sequence") {
        return cursor.create_sequence(persistence);
    }
    if cursor.eat("materialized view") {
        return cursor.create_materialized_view();
    }
    let recursive = cursor.eat("recursive");
    if cursor.eat("view") {
        return cursor.create_view(or_replace, temporary, recursive);
    }
    if temporary || unlogged || recursive {
        return Err(cursor.refuse("TABLE"));
    }
    create_other(cursor, or_replace)
}

fn create_other(cursor: &mut Cursor<'_>, or_replace: bool) -> Read<Operation> {
    if cursor.eat("index") {
        return cursor.create_index(false);
    }
    if cursor.eat("unique index") {
        return cursor.create_index(true);
    }
    if cursor.eat("foreign table") {
        return cursor.create_table(Persistence::Permanent, TableForm::Foreign);
    }
    if cursor.eat("function") {
        return cursor.create_routine(RoutineKind::Function, or_replace);
    }
    if cursor.eat("procedure") {
        return cursor.create_routine(RoutineKind::Procedure, or_replace);
    }
    if cursor.eat("aggregate") {
        return cursor.create_aggregate(or_replace);
    }
    if cursor.eat("trigger") {
        return cursor.create_trigger(or_replace, false);
    }
    if cursor.eat("constraint trigger") {
        return cursor.create_trigger(or_replace, true);
    }
    if cursor.eat("rule") {
        return cursor.create_rule(or_replace);
    }
    if cursor.eat("policy") {
        return cursor.create_policy();
    }
    if cursor.eat("type") {
        return cursor.create_type();
    }
    if cursor.eat("domain") {
        return cursor.create_domain();
    }
    if cursor.eat("schema") {
        return create_schema(cursor);
    }
    if cursor.eat("extension") {
        return create_extension(cursor);
    }
    if cursor.eat("statistics") {
        return cursor.create_statistics();
    }
    if cursor.eat("publication") {
        return cursor.create_publication();
    }
    Err(cursor.refuse("a kind of object"))
}

/// `CREATE SCHEMA [IF NOT EXISTS] [name] [AUTHORIZATION role] [elements]`.
fn create_schema(cursor: &mut Cursor<'_>) -> Read<Operation> {
    let if_not_exists = cursor.if_not_exists();
    let mut name = if cursor.is("authorization") { None } else { Some(cursor.ident()?) };
    if cursor.eat("authorization") {
        let role = cursor.role()?;
        // Without a name the schema is called like its owner.
        name = name.or(Some(role));
    }
    let Some(name) = name else { return Err(cursor.refuse("a name")) };
    let mut elements = Vec::new();
    let end = cursor.end_place();
    while !cursor.is_done() {
        if !cursor.is_any(&["create", "grant"]) {
            return Err(cursor.refuse("CREATE or GRANT"));
        }
        let from = cursor.place();
        cursor.skip(1);
        while !cursor.is_done() {
            // Elements have nothing between them: the next one begins with its verb.
            cursor.until(|ahead| ahead.is_any(&["create", "grant"]));
            if cursor.is_any(&["create", "grant"]) || cursor.place() == end {
                break;
            }
            cursor.skip(1);
        }
        elements.extend(cursor.nested(from..cursor.place()));
    }
    Ok(Operation::CreateSchema(CreateSchema { name, if_not_exists, elements }))
}

fn create_extension(cursor: &mut Cursor<'_>) -> Read<Operation> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.ident()?;
    let mut extension = CreateExtension { name, if_not_exists, schema: None, cascade: false };
    cursor.eat("with");
    while !cursor.is_done() {
        if cursor.eat("schema") {
            extension.schema = Some(cursor.ident()?);
        } else if cursor.eat_any(&["version", "from"]) {
            if cursor.is_string() {
                cursor.string()?;
            } else {
                cursor.label()?;
            }
        } else {
            cursor.expect("cascade")?;
            extension.cascade = true;
        }
    }
    Ok(Operation::CreateExtension(extension))
}

fn whole_rows(cursor: &mut Cursor<'_>) -> Read<Operation> {
    let inner = cursor.inner(cursor.place()..cursor.end_place());
    cursor.go_to(cursor.end_place());
    rows(inner)
}

/// A query or a write, WITH in front of either.
pub fn rows(cursor: Cursor<'_>) -> Read<Operation> {
    if let Some(set) = cursor.set_config() {
        return Ok(Operation::Set(set));
    }
    well_formed(&cursor)?;
    let places = 0..cursor.end_place();
    // PostgreSQL takes a SELECT of nothing: diesel's empty migrations have it.
    if cursor.is("select") && places.len() == 1 {
        return Ok(Operation::Query(Box::default()));
    }
    let verb = main_verb(cursor);
    if matches!(verb, "insert" | "update" | "delete" | "merge") {
        let write = expression::write(cursor.piece, cursor.bytes(places))?;
        return Ok(Operation::Write(Box::new(write)));
    }
    if let Some(into) = select_into(cursor) {
        return into_table(cursor, into);
    }
    let query = cursor.query(places).or_else(|refused| json_table(cursor).ok_or(refused))?;
    Ok(Operation::Query(Box::new(query)))
}

/// A query with JSON_TABLE, whose standard form sqlparser does not know: what it names, by its tokens.
fn json_table(cursor: Cursor<'_>) -> Option<Query> {
    let end = cursor.end_place();
    let calls = |place: &usize| {
        let here = cursor.inner(*place..end);
        here.is("json_table") && here.kind_at(1) == Some(Kind::OpenParen)
    };
    (0..end).find(calls)?;
    let value = expression::expression(cursor.piece, cursor.bytes(0..end)).tree;
    Some(Query { outputs: vec![Output::Value { value, alias: None }], ..Query::default() })
}

/// What the readers of rows may pass over and PostgreSQL does not: parentheses that do not match, a comma before
/// nothing.
fn well_formed(cursor: &Cursor<'_>) -> Read<()> {
    let mut depth = 0_usize;
    let mut ahead = *cursor;
    let (mut comma, mut named) = (false, false);
    while let Some(kind) = ahead.kind() {
        if comma && (matches!(kind, Kind::Comma | Kind::CloseParen | Kind::CloseBracket) || ahead.is("on conflict")) {
            return Err(ahead.refuse("a value behind the comma"));
        }
        match kind {
            Kind::OpenParen => depth += 1,
            Kind::CloseParen if depth == 0 => return Err(ahead.refuse("the end of the statement")),
            Kind::CloseParen => depth -= 1,
            Kind::UnterminatedString | Kind::UnterminatedQuoted | Kind::UnterminatedDollar => {
                return Err(ahead.refuse("a value"));
            }
            // As a value a variable is unknown; as a part of a name it leaves the relation unknown.
            Kind::Variable if named || ahead.kind_at(1) == Some(Kind::Dot) => return Err(ahead.refuse("a name")),
            _ => {}
        }
        comma = kind == Kind::Comma;
        named = kind == Kind::Dot || ahead.is_any(&["into", "update", "from", "join", "only", "table", "using"]);
        ahead.skip(1);
    }
    if depth > 0 {
        return Err(Refused::new("a parenthesis does not close".to_owned()));
    }
    if comma { Err(ahead.refuse("a value behind the comma")) } else { Ok(()) }
}

/// The verb behind WITH and its queries.
fn main_verb(mut cursor: Cursor<'_>) -> &'static str {
    const VERBS: [&str; 7] = ["insert", "update", "delete", "merge", "select", "values", "table"];
    let with = cursor.is("with");
    loop {
        cursor.until(|ahead| VERBS.iter().any(|verb| ahead.is(verb)));
        if let Some(verb) = VERBS.into_iter().find(|verb| cursor.is(verb)) {
            return verb;
        }
        if !with || cursor.is_done() {
            return "select";
        }
        cursor.skip(1);
    }
}

/// The place of INTO in `SELECT … INTO table FROM …`.
fn select_into(mut cursor: Cursor<'_>) -> Option<usize> {
    const ENDS: &[&str] = &["from", "where", "union", "intersect", "except", "group", "order", "limit"];
    // A SELECT in parentheses or behind WITH may have INTO too; its list ends at FROM.
    if cursor.is("with") {
        while !cursor.is_done() && !cursor.is("select") {
            cursor.until(|ahead| ahead.is("select"));
            if !cursor.is("select") {
                cursor.skip(1);
            }
        }
    }
    if !cursor.eat("select") {
        return None;
    }
    loop {
        cursor.until(|ahead| ahead.is("into") || ahead.is_any(ENDS));
        if cursor.is("into") {
            return Some(cursor.place());
        }
        if !cursor.eat_kind(Kind::Comma) {
            return None;
        }
    }
}

/// SELECT INTO is CREATE TABLE AS (manual, SELECT INTO): the query is read without its INTO.
fn into_table(cursor: Cursor<'_>, place: usize) -> Read<Operation> {
    let mut target = cursor;
    target.go_to(place + 1);
    let persistence = if target.eat_any(&["local temporary", "local temp", "global temporary", "global temp"])
        || target.eat_any(&["temporary", "temp"])
    {
        Persistence::Temporary
    } else if target.eat("unlogged") {
        Persistence::Unlogged
    } else {
        Persistence::Permanent
    };
    target.eat("table");
    let name = target.name()?;
    let mut builder = PieceBuilder::new(cursor.piece.source());
    builder.copy(cursor.piece, cursor.bytes(0..place));
    if !target.is_done() {
        let rest = cursor.bytes(target.place()..cursor.end_place());
        builder.substitute(" ", cursor.piece.span(rest.clone()).start);
        builder.copy(cursor.piece, rest);
    }
    let piece = builder.finish();
    let query = expression::query(&piece, 0..piece.text().len())?;
    Ok(Operation::CreateTableAs(Box::new(CreateTableAs {
        name,
        if_not_exists: false,
        persistence,
        columns: Vec::new(),
        query,
        with_data: true,
        on_commit: None,
    })))
}
