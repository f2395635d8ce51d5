//! The report: findings after suppression, what was relied on, what was not read. Outputs only format it.

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::Framework;
use crate::settings::{Allow, Fact};
use crate::source::Span;
use crate::version::VersionRange;

/// All that a run found out, in the order it is shown.
#[derive(Debug, Clone)]
pub struct Report {
    pub postgres: VersionRange,
    /// The least severity that makes a run fail.
    pub fail_on: Severity,
    pub histories: Vec<HistorySummary>,
    /// Sorted by their places.
    pub migrations: Vec<MigrationSummary>,
    /// Sorted by history, migration, place, rule.
    pub findings: Vec<Finding>,
    pub allowed: Vec<(Finding, Allow)>,
    /// Findings that a baseline holds back.
    pub baselined: Vec<Finding>,
    /// Facts that the run relied on.
    pub facts: Vec<Fact>,
    pub unread: Vec<UnreadStatement>,
    /// SQL statements and migration calls, all scripts that run forward.
    pub statements: usize,
    /// Plain sentences for the reader of the run: which framework was taken, which base.
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct HistorySummary {
    pub root: String,
    pub framework: Framework,
    pub databases: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct MigrationSummary {
    pub at: MigrationRef,
    pub version: String,
    pub path: String,
    pub judged: bool,
    pub release: Option<String>,
}

/// A statement that was not understood.
#[derive(Debug, Clone)]
pub struct UnreadStatement {
    pub migration: MigrationRef,
    pub span: Span,
    pub reason: String,
    pub touches: Vec<String>,
    pub judged: bool,
}

/// How a run ended, the same for every format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Clean,
    Findings,
}

impl Outcome {
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
        }
    }
}

impl Report {
    pub fn outcome(&self) -> Outcome {
        let failing = self.findings.iter().any(|finding| finding.severity >= self.fail_on);
        if failing { Outcome::Findings } else { Outcome::Clean }
    }

    /// The migration at a place; `migrations` is in the order of their places.
    pub fn migration(&self, at: MigrationRef) -> Option<&MigrationSummary> {
        let index = self.migrations.binary_search_by_key(&at, |migration| migration.at).ok()?;
        Some(&self.migrations[index])
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}
