//! Cost grows with the history, not with its square: a history four times as long takes about four times as long.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use plimsoll::analyze;
use plimsoll::project::{Request, load};
use plimsoll::settings::Settings;
use plimsoll::source::Sources;

/// A table, its synced copy, an index, a key and a column: what histories are made of, `count` times over.
fn history(count: usize) -> String {
    let mut text = String::from("SET lock_timeout = '5s';\nCREATE TABLE owners (id bigint PRIMARY KEY);\n");
    for number in 0..count {
        let _ = write!(
            text,
            "CREATE TABLE items_{number} (id bigint PRIMARY KEY, owner_id bigint NOT NULL, name text);\n\
             CREATE TABLE items_{number}_copy (id bigint PRIMARY KEY, owner_id bigint NOT NULL, name text);\n\
             CREATE FUNCTION sync_items_{number}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
             BEGIN\n  INSERT INTO items_{number}_copy (id, owner_id, name) VALUES (NEW.id, NEW.owner_id, NEW.name);\n\
             RETURN NULL;\nEND $$;\n\
             CREATE TRIGGER sync AFTER INSERT ON items_{number} FOR EACH ROW EXECUTE FUNCTION sync_items_{number}();\n\
             ALTER TABLE items_{number} ADD FOREIGN KEY (owner_id) REFERENCES owners (id) NOT VALID;\n\
             CREATE INDEX CONCURRENTLY ON items_{number} (owner_id);\n\
             ALTER TABLE items_{number}_copy ADD COLUMN note text;\n"
        );
    }
    text
}

fn time(count: usize) -> Duration {
    let folder: PathBuf = std::env::temp_dir().join(format!("plimsoll-speed-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("001_all.sql"), history(count)).unwrap();
    let settings = Settings::default();
    let start = Instant::now();
    let request = Request {
        paths: vec![folder.clone()],
        working_directory: folder.clone(),
        settings: &settings,
        sources: Sources::default(),
        since: None,
        after: None,
        stdin: None,
    };
    let report = analyze(&load(request).unwrap(), &settings);
    let took = start.elapsed();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(report.statements, 2 + 7 * count, "all of it was read");
    took
}

#[test]
fn a_longer_history_takes_longer_in_proportion() {
    time(20);
    // The best of three, for other work on the machine only ever adds.
    let best = |count| (0..3).map(|_| time(count)).min().unwrap();
    let (short, long) = (best(100), best(400));
    let factor = long.as_secs_f64() / short.as_secs_f64();
    println!("100: {short:?}, 400: {long:?}, factor {factor:.1}");
    assert!(factor < 10.0, "four times the history takes {factor:.1} times as long ({short:?}, {long:?})");
}
