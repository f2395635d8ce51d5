//! What the user set: `plimsoll.toml` and flags, checked and typed. `project` finds and opens the file;
//! nothing here touches the disk.

mod changes;
mod document;
mod framework;
mod names;
mod pattern;
mod read;
mod transaction;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::finding::Severity;
use crate::operation::{Ident, Name, QualifiedName};
use crate::source::{SourceId, Span};
use crate::version::VersionRange;

pub use framework::Framework;
pub use names::{read_ident, read_name, take_name};
pub use pattern::{PathPattern, TablePattern};
pub use read::{KEYS, SettingsFile};
pub use transaction::TransactionUnit;

/// Settings of a run, all checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub postgres: VersionRange,
    pub fail_on: Severity,
    pub preset: Preset,
    /// By rule id, from `[rules]`.
    pub rules: BTreeMap<String, Severity>,
    /// Where `[rules]`, `[[overrides]]`, `[[allow]]` and `unallowable` name a rule.
    pub rules_named: Vec<(String, Span)>,
    pub overrides: Vec<Override>,
    pub large_tables: Vec<Name>,
    pub small_tables: Vec<Name>,
    /// The search_path with which the sessions of migrations begin; empty: `public`.
    pub search_path: Vec<Ident>,
    /// Tables whose partitions are made at run time.
    pub dynamic_partitions: Vec<Name>,
    /// The server or role sets a lock_timeout: `lock-timeout-missing` is silent. Where nothing is said the checkout tells.
    pub lock_timeout_set: Option<bool>,
    /// Deploys stop the application before migrations run: nobody waits for their locks, no older code meets their schema.
    pub application_stopped: bool,
    pub strict_reading: bool,
    /// Keep what each judged step does, for a report that shows it.
    pub details: bool,
    pub facts: Vec<Fact>,
    pub allows: Vec<Allow>,
    pub unallowable: Vec<String>,
    /// The runner, where it was named; else `project` detects it.
    pub framework: Option<Framework>,
    /// What holds the statements of plain files together, where a person says it.
    pub transaction: Option<TransactionUnit>,
    /// Folders and files of migrations, relative to the repository root.
    pub paths: Vec<String>,
    /// What stands for the placeholders of templates, by name.
    pub placeholders: BTreeMap<String, String>,
    pub databases: Vec<Database>,
    pub releases: Vec<Release>,
    /// Releases that no upgrade leaves out; between them whole releases may be left out.
    pub upgrade_stops: Vec<String>,
    /// Folders of further rule pages, relative to the repository root.
    pub extra_rules: Vec<String>,
    /// The pages in them.
    pub extra_pages: Vec<ExtraPage>,
    /// Files that describe a Rails project's own migration methods, relative to the repository root.
    pub vocabularies: Vec<String>,
    /// Their texts, in the same order.
    pub vocabulary_texts: Vec<String>,
    /// The file of findings that are known, relative to the repository root.
    pub baseline: Option<String>,
    /// The settings file among the run's sources.
    pub file: Option<SourceId>,
    /// The file of `baseline` among them, where it was read.
    pub known: Option<SourceId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Default,
    /// Rules that are off by default speak too.
    Strict,
}

/// A page of a rule that the project brings along: `<id>.md` and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraPage {
    pub id: String,
    pub text: String,
}

/// `[[overrides]]`: severities for some files only.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    pub paths: Vec<PathPattern>,
    pub rules: BTreeMap<String, Severity>,
}

/// A database, and the folders whose histories run on it; all of them where none is named.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub name: String,
    pub paths: Vec<PathPattern>,
    /// The tables that hold rows there, as globs over their names; all of them where nothing was said.
    pub holds: Option<Vec<TablePattern>>,
}

impl Database {
    /// A table of that name may hold rows there.
    pub fn may_hold_rows(&self, table: &QualifiedName) -> bool {
        self.holds.as_ref().is_none_or(|holds| holds.iter().any(|pattern| pattern.matches(table)))
    }
}

/// Migrations that reach production in one deploy, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    pub name: String,
    /// Path globs and versions.
    pub migrations: Vec<PathPattern>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            postgres: VersionRange::default(),
            fail_on: Severity::Error,
            preset: Preset::Default,
            rules: BTreeMap::new(),
            rules_named: Vec::new(),
            overrides: Vec::new(),
            large_tables: Vec::new(),
            small_tables: Vec::new(),
            search_path: Vec::new(),
            dynamic_partitions: Vec::new(),
            lock_timeout_set: None,
            application_stopped: false,
            strict_reading: false,
            details: false,
            facts: Vec::new(),
            allows: Vec::new(),
            unallowable: Vec::new(),
            framework: None,
            transaction: None,
            paths: Vec::new(),
            placeholders: BTreeMap::new(),
            databases: Vec::new(),
            releases: Vec::new(),
            upgrade_stops: Vec::new(),
            extra_rules: Vec::new(),
            extra_pages: Vec::new(),
            vocabularies: Vec::new(),
            vocabulary_texts: Vec::new(),
            baseline: None,
            file: None,
            known: None,
        }
    }
}

/// What the command line says; it wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The settings file; not looked for where it is named.
    pub config: Option<PathBuf>,
    /// The settings file is taken from this revision: a change cannot loosen its own check.
    pub config_from: Option<String>,
    pub postgres: Option<VersionRange>,
    pub fail_on: Option<Severity>,
    pub preset: Option<Preset>,
    pub strict_reading: bool,
    pub framework: Option<Framework>,
    /// `--rule id=severity`, in the order given.
    pub rules: Vec<(String, Severity)>,
    /// From the working directory, unlike the settings file's.
    pub baseline: Option<PathBuf>,
    /// The findings that are known are asked for.
    pub reads_baseline: bool,
    pub since: Option<String>,
    pub after: Option<String>,
}

impl Settings {
    /// Takes what the flags say.
    pub fn with(mut self, flags: &Flags) -> Settings {
        self.postgres = flags.postgres.unwrap_or(self.postgres);
        self.fail_on = flags.fail_on.unwrap_or(self.fail_on);
        self.preset = flags.preset.unwrap_or(self.preset);
        self.strict_reading |= flags.strict_reading;
        self.framework = flags.framework.or(self.framework);
        self.rules.extend(flags.rules.iter().cloned());
        self
    }

    /// How loud a rule is may depend on the file.
    pub fn has_severities_by_path(&self) -> bool {
        !self.overrides.is_empty()
    }

    /// The severity that the settings give a rule in a file, where they give one.
    pub fn severity(&self, rule: &str, path: &str) -> Option<Severity> {
        let overridden = self.overrides.iter().rev().find_map(|entry| {
            let severity = entry.rules.get(rule)?;
            entry.paths.iter().any(|pattern| pattern.matches_path(path)).then_some(*severity)
        });
        overridden.or_else(|| self.rules.get(rule).copied())
    }
}

/// What a person states: `backfilled public.t [from public.s] [columns a, b] [where …]: reason`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub span: Span,
    pub table: Name,
    pub source: Option<Name>,
    pub columns: Vec<Ident>,
    /// The text after `where`.
    pub filter: Option<String>,
    pub reason: Option<String>,
}

/// A suppression from a comment or from `[[allow]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Allow {
    /// The comment, or the entry in the settings file.
    pub span: Span,
    pub rule: String,
    pub reason: Option<String>,
    pub scope: AllowScope,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AllowScope {
    /// The statement whose text, or the line after the comment, this is.
    Statement(Span),
    /// The whole file of `span`.
    File,
    /// A migration by path glob or version, and objects where they are named.
    Migration { pattern: String, object: Option<String> },
}

impl AllowScope {
    /// A whole migration is meant, and this one is it.
    pub fn is_for_migration(&self, path: &str, version: &str) -> bool {
        match self {
            AllowScope::Migration { pattern, .. } => {
                PathPattern::new(pattern, "").is_ok_and(|pattern| pattern.matches_migration(path, version))
            }
            AllowScope::Statement(_) | AllowScope::File => false,
        }
    }
}
