//! Migrations and how their runner treats them. `project` fills these in.

use std::collections::BTreeMap;

use crate::operation::{Comment, Script};
use crate::settings::Settings;
use crate::source::{SourceId, Span};

pub use crate::settings::Framework;

/// One ordered list of migrations for one set of schemas.
#[derive(Debug, Clone)]
pub struct History {
    /// Folder relative to the repository root; `.` for the root itself.
    pub root: String,
    pub framework: Framework,
    pub runner: Runner,
    /// Names of the databases it runs on; one unnamed database where nothing was said.
    pub databases: Vec<String>,
    /// In the order production sees them: shipped first, then judged.
    pub migrations: Vec<Migration>,
    /// The first migration starts from an empty database, or a base dump was read.
    pub complete: bool,
    /// For each migration the first one of its release; empty: each is a release of its own.
    pub releases: Vec<usize>,
}

/// One migration: one or two files, or a section of a file.
#[derive(Debug, Clone)]
pub struct Migration {
    /// As the runner orders it: `20240101120000`, `V3_1`, `0007`; empty for a lone file.
    pub version: String,
    /// The rest of its name, without version and ending: part of fingerprints.
    pub name: String,
    pub source: SourceId,
    pub up: Script,
    pub down: Option<Script>,
    pub transaction: TransactionUnit,
    pub judged: bool,
    /// Which deploy brings it to production, where that is known.
    pub release: Option<String>,
    pub comments: Vec<Comment>,
    /// Runs whenever its text changes (Flyway's `R__`).
    pub repeatable: bool,
}

/// What statements share a transaction, unless the script says BEGIN itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionUnit {
    /// Each statement on its own, as `psql -f` does.
    Statement,
    /// The whole file is sent as one query: several statements are one implicit transaction, a single one
    /// (CREATE INDEX CONCURRENTLY) is on its own.
    SimpleQuery,
    /// The runner wraps the file in BEGIN … COMMIT.
    File,
    /// All pending files share one transaction.
    AllPending,
}

/// What a runner does beside running statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    pub after_failure: AfterFailure,
    /// Shipped files must not change: allows belong into `plimsoll.toml`.
    pub checksums: bool,
    pub has_down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The next run starts the failed migration again from its first statement.
    RunsAgain,
    /// The database is marked dirty: a person must repair it.
    MarkedDirty,
}

/// A file that could not be read as a migration.
#[derive(Debug, Clone)]
pub struct UnreadFile {
    pub path: String,
    pub span: Option<Span>,
    pub reason: String,
    pub judged: bool,
}

impl History {
    /// The migration whose script holds a place.
    pub fn migration_of(&self, span: Span) -> Option<usize> {
        // Sections of one file (goose) hold up and down of one migration: the file tells it.
        self.migrations.iter().position(|migration| migration.source == span.source)
    }

    /// Migrations of one release reach production in one deploy; the base is never one with what is judged.
    pub fn same_release(&self, one: usize, other: usize) -> bool {
        self.release_number(one) == self.release_number(other)
    }

    /// The release a migration belongs to, as the number of its first migration.
    pub fn release_number(&self, migration: usize) -> usize {
        self.releases.get(migration).copied().unwrap_or(migration)
    }
}

/// The release of each migration, as the number of its first one: from `[releases]`, else the judged set where
/// something is shipped already, else each migration is a release of its own.
pub fn release_numbers(history: &History, settings: &Settings) -> Vec<usize> {
    let shipped_before = history.migrations.iter().any(|migration| !migration.judged);
    let mut firsts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut first_judged = None;
    let mut numbers = Vec::with_capacity(history.migrations.len());
    for (number, migration) in history.migrations.iter().enumerate() {
        let named = migration.release.as_deref();
        let number = match named {
            // What is shipped is never one release with what is judged, whatever its name.
            Some(name) => {
                let first = *firsts.entry(name).or_insert(number);
                if history.migrations[first].judged == migration.judged { first } else { number }
            }
            None if migration.judged && shipped_before => *first_judged.get_or_insert(number),
            None => number,
        };
        numbers.push(number);
    }
    let _ = settings;
    numbers
}
