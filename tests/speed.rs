//! Cost grows with the history, not with its square: a history four times as long takes about four times as long.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// One partitioned table, and statements that reach all its partitions.
fn partitions(count: usize) -> String {
    let mut text = String::from(
        "SET lock_timeout = '5s';\nCREATE TABLE days (id bigint, PRIMARY KEY (id)) PARTITION BY RANGE (id);\n",
    );
    for number in 0..count {
        let next = number + 1;
        let _ = writeln!(text, "CREATE TABLE days_{number} PARTITION OF days FOR VALUES FROM ({number}) TO ({next});");
    }
    text.push_str("BEGIN;\n");
    for number in 0..5 {
        let _ = writeln!(text, "ALTER TABLE days ADD COLUMN c{number} text NOT NULL DEFAULT '';");
    }
    text.push_str("CREATE INDEX ON days (c0);\nCOMMIT;\n");
    text
}

fn time(history: &str) -> Duration {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder: PathBuf = std::env::temp_dir().join(format!("plimsoll-speed-{}-{run}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("001_all.sql"), history).unwrap();
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
    assert!(report.unread.is_empty() && report.statements > 100, "all of it was read");
    took
}

/// How much longer the second takes: the best of four, for other work on the machine only ever adds.
fn factor(short: &str, long: &str) -> f64 {
    let best = |history| (0..4).map(|_| time(history)).min().unwrap();
    let (short, long) = (best(short), best(long));
    long.as_secs_f64() / short.as_secs_f64()
}

#[test]
fn a_longer_history_takes_longer_in_proportion() {
    let factor = factor(&history(50), &history(200));
    assert!(factor < 10.0, "four times the history takes {factor:.1} times as long");
}

#[test]
fn more_partitions_take_longer_in_proportion() {
    let factor = factor(&partitions(100), &partitions(400));
    assert!(factor < 10.0, "four times the partitions take {factor:.1} times as long");
}

/// Files of one table each, so many sessions and transactions.
fn time_files(count: usize, write: &dyn Fn(&Path)) -> Duration {
    let folder: PathBuf = std::env::temp_dir().join(format!("plimsoll-speed-files-{}-{count}", std::process::id()));
    fs::create_dir_all(folder.join("migrations")).unwrap();
    write(&folder.join("migrations"));
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
    assert_eq!(report.statements, count, "all of it was read");
    took
}

/// Four times as many cost less than ten times as much.
fn grows_in_proportion(what: &str, short: usize, time: &dyn Fn(usize) -> Duration) {
    let best = |count| (0..3).map(|_| time(count)).min().unwrap();
    let (few, many) = (best(short), best(4 * short));
    let factor = many.as_secs_f64() / few.as_secs_f64();
    assert!(factor < 10.0, "four times as many {what} take {factor:.1} times as long ({few:?}, {many:?})");
}

#[test]
fn many_files_take_longer_in_proportion() {
    grows_in_proportion("files", 750, &|count| {
        time_files(count, &|folder| {
            for number in 0..count {
                fs::write(folder.join(format!("{number:06}_a.sql")), format!("CREATE TABLE t{number} ();\n")).unwrap();
            }
        })
    });
}

/// Changelogs that include one another in a circle, and one file with all changesets.
#[test]
fn many_changesets_take_longer_in_proportion() {
    grows_in_proportion("changesets", 500, &|count| {
        time_files(count, &|folder| {
            let include = |file: &str| format!("  - include:\n      file: {file}\n");
            let root = (0..count).map(|at| include(["a.yaml", "root.yaml", "all.sql"][at % 3])).collect::<String>();
            fs::write(folder.join("root.yaml"), format!("databaseChangeLog:\n{root}")).unwrap();
            fs::write(folder.join("a.yaml"), format!("databaseChangeLog:\n{}", include("root.yaml"))).unwrap();
            let sets = (0..count).map(|number| format!("--changeset a:{number}\nCREATE TABLE t{number} ();\n"));
            let text = format!("--liquibase formatted sql\n{}", sets.collect::<String>());
            fs::write(folder.join("all.sql"), text).unwrap();
        })
    });
}
