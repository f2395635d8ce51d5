//! Migrations stopped half way on a real server: the catalog is the one that plimsoll foretells, and `undo`'s script brings
//! back the state before, whichever stop it was.

#![allow(clippy::unwrap_used)]

mod cases;
#[path = "../replay/catalog.rs"]
mod catalog;
#[path = "../command/mod.rs"]
mod command;
#[path = "../replay/generate.rs"]
#[allow(dead_code)]
mod generate;
mod random;
mod ruby;
#[path = "../server/mod.rs"]
mod server;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll::history::{Ended, Stop};
use plimsoll::project::{Project, Request, load};
use plimsoll::settings::Settings;
use plimsoll::source::Sources;
use plimsoll::version::Major;
use postgres::Client;

use command::plimsoll;
use server::{Refusal, run, statements};

/// A folder of migrations of its own, gone with this value.
pub struct Folder(PathBuf);

impl Folder {
    /// The first makes what is there before, the second is the one that stops.
    pub fn new(before: &str, migration: &str) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("plimsoll-stops-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("001_before.sql"), before).unwrap();
        fs::write(folder.join("002_migration.sql"), migration).unwrap();
        Folder(folder)
    }

    /// The same of migrations in Ruby; the second runs outside of a transaction.
    pub fn in_ruby(before: &str, body: &str) -> Folder {
        let folder = Folder::new("", "");
        fs::remove_file(folder.0.join("001_before.sql")).unwrap();
        fs::remove_file(folder.0.join("002_migration.sql")).unwrap();
        let migrations = folder.0.join("db/migrate");
        fs::create_dir_all(&migrations).unwrap();
        let class = |name: &str, inside: &str| format!("class {name} < ActiveRecord::Migration[6.1]\n{inside}end\n");
        let first = format!("  def up\n    execute <<~SQL\n{before}\n    SQL\n  end\n");
        fs::write(migrations.join("20240101000000_before.rb"), class("Before", &first)).unwrap();
        let second = format!("  disable_ddl_transaction!\n{body}");
        fs::write(migrations.join("20240201000000_migration.rb"), class("Migration", &second)).unwrap();
        folder
    }

    fn project(&self) -> Project {
        let settings = Settings::default();
        let request = Request {
            paths: vec![self.0.clone()],
            working_directory: std::env::current_dir().unwrap(),
            settings: &settings,
            sources: Sources::default(),
            since: None,
            after: None,
            stdin: None,
        };
        load(request).unwrap()
    }

    /// What plimsoll says of the second migration's ends, and the text of each stop's step.
    pub fn ends(&self, major: u32) -> (Ended, Vec<(String, Stop)>) {
        let project = self.project();
        let history = &project.histories[0];
        let ended = plimsoll::replay_to_ends(history, 1, &Settings::default(), Major(major as u8)).unwrap();
        let text = |stop: &Stop| project.sources.text(stop.step.origin.span).to_owned();
        let stops = ended.stops.iter().map(|stop| (text(stop), stop.clone())).collect();
        (ended, stops)
    }

    pub fn undo(&self, major: u32) -> String {
        let folder = self.0.display().to_string();
        let version = if self.0.join("db").exists() { "20240201000000" } else { "2" };
        let ran = plimsoll(&["undo", version, &folder, "--postgres", &major.to_string()]);
        assert!(ran.code == 0 || ran.err.contains("changes nothing of the schema"), "{}", ran.err);
        ran.out
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The catalog of one schema, as lines; where columns stand in a row does not count.
pub fn catalog_lines(client: &mut Client, major: u32, schema: &str) -> Vec<String> {
    let rows = client.query(&catalog::query(major, schema), &[]).unwrap();
    let mut lines: Vec<String> = rows.iter().map(|row| without_place(&row.get::<_, String>(0))).collect();
    lines.sort();
    lines
}

/// The same from a schema of plimsoll's.
pub fn schema_lines(schema: &plimsoll::schema::Schema) -> Vec<String> {
    let mut lines: Vec<String> = catalog::lines(schema).iter().map(|line| without_place(line)).collect();
    lines.sort();
    lines
}

/// Nor does whether a child of INHERITS has a column of its own as well: no statement takes that back.
fn without_place(line: &str) -> String {
    match line.split_once(" #") {
        Some((start, rest)) if line.starts_with("column ") => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{start}{}", rest.split(" local ").next().unwrap_or_default())
        }
        _ => line.to_owned(),
    }
}

/// Lines that only one side has.
pub fn apart(one: &[String], other: &[String]) -> String {
    let only = |one: &[String], other: &[String], mark: &str| {
        one.iter().filter(|line| !other.contains(line)).map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    only(one, other, "  <") + &only(other, one, "  >")
}

/// Runs a script statement by statement, each by itself; what is refused is told, as psql goes on after it.
pub fn run_all(client: &mut Client, script: &str) -> Vec<Box<Refusal>> {
    statements(script).iter().filter_map(|statement| run(client, statement).err()).collect()
}
