//! Migrations and how their runner treats them. `project` fills these in.

use std::sync::Arc;

use super::Application;
use crate::operation::{Comment, Script};
use crate::rails::Language;
use crate::schema::Told;
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
    /// What the code around it says of its tables; empty where nothing asked for it.
    pub application: Application,
    /// No file is missing or unread. Where a history begins cannot be seen from its files all the same: it may build
    /// on an older dump or another folder.
    pub complete: bool,
    /// How its migrations in Ruby are understood.
    pub language: Arc<Language>,
}

/// One migration: one or two files, or a section of a file.
#[derive(Debug, Clone)]
pub struct Migration {
    /// As the runner orders it: `20240101120000`, `V3_1`, `0007`; empty for a lone file.
    pub version: String,
    /// The rest of its name, without version and ending: part of fingerprints.
    pub name: String,
    pub source: SourceId,
    /// Where in its file it begins: one file may hold several.
    pub starts: u32,
    pub up: Script,
    pub down: Option<Script>,
    pub transaction: TransactionUnit,
    pub judged: bool,
    /// Which deploy brings it to production, where that is known.
    pub release: Option<String>,
    pub comments: Vec<Comment>,
    /// Runs whenever its text changes (Flyway's `R__`).
    pub repeatable: bool,
    /// On which side of its release's deploy it runs, where the project parts its migrations so.
    pub phase: Option<Phase>,
    /// It is no migration but a dump of what the shipped ones before it have made: it takes the place of what their
    /// replay comes to.
    pub dump: Option<Told>,
}

/// Migrations that run before the code of their release is deployed, and those that wait until it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    BeforeDeploy,
    AfterDeploy,
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
    /// The next run goes on behind the last statement that succeeded.
    Continues,
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
