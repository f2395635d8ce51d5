//! Random migrations over a small schema: wherever one stops, `undo` brings back the state before.

use crate::generate::{Chance, statement};
use crate::server::{Server, run, run_script};
use crate::{Folder, apart, catalog_lines, run_all, schema_lines};
use plimsoll::operation::{Node, Origin};
use plimsoll::schema::{Applied, Schema};
use plimsoll::source::Sources;
use plimsoll::version::Major;

/// `first,count` of the seeds to run instead of the usual ones.
const VARIABLE: &str = "PLIMSOLL_STOPS";
const USUAL: (u64, u64) = (1, 60);
const BEFORE: usize = 14;
const MIGRATION: usize = 4;

const SETUP: &str = "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$begin return new; end$$;
CREATE FUNCTION noop2() RETURNS trigger LANGUAGE plpgsql AS $$begin return new; end$$;
";

fn apply(schema: &mut Schema, text: &str) -> bool {
    let mut sources = Sources::default();
    let id = sources.add("random.sql", text);
    plimsoll::read::sql::read(&sources.piece(id)).nodes.into_iter().all(|node| match node {
        Node::Statement(one) => !matches!(schema.apply(&one.operation, &Origin::at(one.span)), Applied::Failed(_)),
        _ => false,
    })
}

/// Statements that succeed one after the other.
fn statements(chance: &mut Chance, schema: &mut Schema, count: usize, major: u32) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..count * 6 {
        if found.len() == count {
            break;
        }
        let text = statement(chance, schema, major);
        if apply(schema, &text) {
            found.push(format!("{text};\n"));
        }
    }
    found
}

fn one(seed: u64, server: &Server) -> Result<(), String> {
    let major = server.major();
    let mut chance = Chance::new(seed);
    let mut schema = Schema::new(Major(major as u8));
    schema.complete = true;
    assert!(apply(&mut schema, SETUP));
    let before = SETUP.to_owned() + &statements(&mut chance, &mut schema, BEFORE, major).concat();
    let migration = statements(&mut chance, &mut schema, MIGRATION, major);
    let folder = Folder::new(&before, &migration.concat());
    let (ended, _) = folder.ends(major);
    let script = folder.undo(major);
    for passed in 1..=migration.len() {
        let database = server.database();
        let mut client = database.client();
        run_script(&mut client, &before).map_err(|refusal| format!("{refusal:#?}"))?;
        let start = catalog_lines(&mut client, major, "public");
        for text in &migration[..passed] {
            run(&mut client, text).map_err(|refusal| format!("{refusal:#?}"))?;
        }
        let now = catalog_lines(&mut client, major, "public");
        let foretold = ended.course.units.get(passed - 1).map(|unit| schema_lines(&unit.after.schema));
        if foretold.as_ref().is_some_and(|foretold| *foretold != now) {
            return Err(format!("after {passed}:\n{}", apart(&foretold.unwrap_or_default(), &now)));
        }
        let refused = run_all(&mut client, &script);
        let after = catalog_lines(&mut client, major, "public");
        if after != start || !refused.is_empty() {
            let list = migration[..passed].concat();
            return Err(format!(
                "{before}-- stops after {passed}\n{list}\n{}{refused:#?}\n{script}",
                apart(&start, &after)
            ));
        }
    }
    Ok(())
}

#[test]
fn undo_after_any_stop_is_the_state_before() {
    let Some(server) = Server::get() else { return };
    let seeds = std::env::var(VARIABLE).ok().and_then(|text| {
        let (first, count) = text.split_once(',')?;
        Some((first.parse().ok()?, count.parse().ok()?))
    });
    let (first, count): (u64, u64) = seeds.unwrap_or(USUAL);
    let mut faults = Vec::new();
    for seed in first..first + count {
        if let Err(fault) = one(seed, server) {
            faults.push(format!("seed {seed}:\n{fault}"));
        }
    }
    println!("{} of {count} seeds fail", faults.len());
    assert!(faults.is_empty(), "{}", faults.iter().take(3).cloned().collect::<Vec<_>>().join("\n"));
}
