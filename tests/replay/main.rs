//! Random sequences of DDL over empty tables, each statement on a real server and through `Schema::apply`: the same statements
//! must fail, with the same SQLSTATE, and after each one the catalogs must be equal.

#[path = "../server/mod.rs"]
mod server;

mod catalog;
mod generate;

use std::time::Instant;

use plimsoll::operation::{Node, Origin};
use plimsoll::read::sql;
use plimsoll::schema::{Applied, Schema};
use plimsoll::source::Sources;
use plimsoll::version::Major;
use postgres::Client;

use generate::{Chance, statement};

/// `first,count` of the seeds to run instead of the usual ones.
const VARIABLE: &str = "PLIMSOLL_REPLAY";
const USUAL: (u64, u64) = (1, 400);
const STATEMENTS: usize = 25;

/// What every sequence starts from.
const SETUP: &str = "CREATE SCHEMA f; SET search_path = f; \
     CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$begin return new; end$$; \
     CREATE FUNCTION noop2() RETURNS trigger LANGUAGE plpgsql AS $$begin return new; end$$";

/// Where server and replay part.
struct Difference {
    statements: Vec<String>,
    text: String,
}

/// One statement applied: its SQLSTATE where it failed.
fn apply(schema: &mut Schema, text: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    let id = sources.add("replay.sql", text);
    for node in sql::read(&sources.piece(id)).nodes {
        let Node::Statement(statement) = node else { return Err(format!("not one statement: {text}")) };
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            return Err(format!("{} {}", failure.state, failure.message));
        }
    }
    Ok(())
}

fn start(client: &mut Client, major: u32) -> Schema {
    client.batch_execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS f CASCADE").expect("a clean start");
    client.batch_execute(SETUP).expect("the setup runs");
    let mut schema = Schema::new(Major(major as u8));
    schema.complete = true;
    apply(&mut schema, SETUP).expect("the setup applies");
    schema
}

/// Runs statements on both sides; `next` gives each with the schema so far.
fn run(
    client: &mut Client,
    major: u32,
    mut next: impl FnMut(&Schema) -> Option<String>,
) -> (usize, Option<Difference>) {
    let mut schema = start(client, major);
    let mut done: Vec<String> = Vec::new();
    let catalog = client.prepare(&catalog::query(major, "f")).expect("the catalog query is valid");
    while let Some(text) = next(&schema) {
        done.push(text.clone());
        let theirs = client.batch_execute(&text).err().map(|error| {
            let error = error.as_db_error().map(|error| (error.code().code().to_owned(), error.message().to_owned()));
            error.unwrap_or_else(|| ("?".to_owned(), "the connection broke".to_owned()))
        });
        let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| apply(&mut schema, &text)));
        let ours = applied.unwrap_or_else(|_| Err("a panic".to_owned())).err();
        let same = match (&theirs, &ours) {
            (None, None) => true,
            (Some((code, _)), Some(ours)) => ours.starts_with(code.as_str()),
            _ => false,
        };
        if !same {
            let text = format!("server: {theirs:?}\nreplay: {ours:?}");
            return (done.len(), Some(Difference { statements: done, text }));
        }
        if theirs.is_some() {
            continue;
        }
        let mut server: Vec<String> =
            client.query(&catalog, &[]).expect("the catalog answers").iter().map(|row| row.get(0)).collect();
        let lines = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| catalog::lines(&schema)));
        let Ok(mut replay) = lines else {
            return (
                done.len(),
                Some(Difference { statements: done, text: "replay: a dropped object is left over".into() }),
            );
        };
        server.sort();
        replay.sort();
        if server != replay && without_clone_numbers(&server) != without_clone_numbers(&replay) {
            let only = |one: &[String], other: &[String], mark: &str| {
                one.iter()
                    .filter(|line| !other.contains(line))
                    .map(|line| format!("{mark} {line}\n"))
                    .collect::<String>()
            };
            let text = only(&server, &replay, "server:") + &only(&replay, &server, "replay:");
            return (done.len(), Some(Difference { statements: done, text }));
        }
    }
    (done.len(), None)
}

/// Where a table has several keys of the same columns, a new partition's parts of them are numbered in the order in
/// which the catalog's heap happens to hold the keys: the same parts with other numbers are no difference.
fn without_clone_numbers(lines: &[String]) -> Vec<String> {
    let bare = |line: &String| match line.split_once(" f (") {
        Some((name, rest)) if !rest.contains(" parent - ") => {
            format!("{} f ({rest}", name.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        _ => line.clone(),
    };
    let mut lines: Vec<String> = lines.iter().map(bare).collect();
    lines.sort();
    lines
}

/// Leaves out what the difference does not need.
fn shrink(client: &mut Client, major: u32, mut found: Difference) -> Difference {
    let mut at = found.statements.len().saturating_sub(1);
    while at > 0 {
        at -= 1;
        if at >= found.statements.len() {
            continue;
        }
        let mut fewer = found.statements.clone();
        fewer.remove(at);
        let mut rest = fewer.into_iter();
        if let (_, Some(smaller)) = run(client, major, |_| rest.next()) {
            found = smaller;
            at = at.min(found.statements.len());
        }
    }
    found
}

#[test]
fn random_statements_do_what_the_server_does() {
    let Some(server) = server::Server::get() else { return };
    let major = server.major();
    let database = server.database();
    let mut client = database.client();
    let seeds = std::env::var(VARIABLE).ok().and_then(|text| {
        let (first, count) = text.split_once(',')?;
        Some((first.parse().ok()?, count.parse().ok()?))
    });
    let (first, count): (u64, u64) = seeds.unwrap_or(USUAL);
    let began = Instant::now();
    let (mut sequences, mut statements) = (0u64, 0usize);
    let mut differences = Vec::new();
    while sequences < count && differences.len() < 8 {
        let seed = first + sequences;
        sequences += 1;
        let mut chance = Chance::new(seed);
        let mut left = STATEMENTS;
        let (done, found) = run(&mut client, major, |schema| {
            left = left.checked_sub(1)?;
            Some(statement(&mut chance, schema, major))
        });
        statements += done;
        if let Some(found) = found {
            let found = shrink(&mut client, major, found);
            let list: String = found.statements.iter().map(|one| format!("  {one};\n")).collect();
            differences.push(format!("seed {seed} on {major}:\n{list}{}\n", found.text));
        }
    }
    println!("{sequences} sequences, {statements} statements on PostgreSQL {major} in {:?}", began.elapsed());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
