//! What the user set: `plimsoll.toml` and flags, checked and typed. `project` finds and reads the file.

use std::collections::BTreeMap;

use crate::finding::Severity;
use crate::operation::{Ident, Name};
use crate::source::Span;
use crate::version::VersionRange;

/// Settings of a run, all checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub postgres: VersionRange,
    pub fail_on: Severity,
    pub preset: Preset,
    /// By rule id, from `[rules]`.
    pub rules: BTreeMap<String, Severity>,
    pub large_tables: Vec<Name>,
    pub small_tables: Vec<Name>,
    /// Tables whose partitions are made at run time.
    pub dynamic_partitions: Vec<Name>,
    /// The server or role sets a lock_timeout: `lock-timeout-missing` is silent.
    pub lock_timeout_set: bool,
    pub strict_reading: bool,
    pub facts: Vec<Fact>,
    pub allows: Vec<Allow>,
    pub unallowable: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Default,
    /// Rules that are off by default speak too.
    Strict,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            postgres: VersionRange::default(),
            fail_on: Severity::Error,
            preset: Preset::Default,
            rules: BTreeMap::new(),
            large_tables: Vec::new(),
            small_tables: Vec::new(),
            dynamic_partitions: Vec::new(),
            lock_timeout_set: false,
            strict_reading: false,
            facts: Vec::new(),
            allows: Vec::new(),
            unallowable: Vec::new(),
        }
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
