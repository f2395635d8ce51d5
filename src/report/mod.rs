//! The report: findings after suppression, what was relied on, what was not read. Outputs only format it.

mod baseline;
mod concern;
mod detail;
mod gather;
mod once;
mod suppress;

pub use baseline::{Baseline, HeldBack, Known, Migrations};
pub use concern::one_per_concern;
pub use detail::{Detail, InTransaction, Recorder, StepDetail, Work, WorkKind};
pub use gather::{gather, told_inside};
pub use once::{first_failure, merge_majors, most_specific, one_per_fault, said_inside};
pub use suppress::{NamedMigration, PlacedAllow, suppress};

use std::collections::BTreeMap;

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
    /// The revision that judged migrations are compared with, where one was named.
    pub base: Option<BaseSummary>,
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
    /// What each judged migration does, step by step, where that was asked for. In the order of `migrations`.
    pub details: Vec<Detail>,
    /// What the judged range changes of its own check: settings, allows, facts. Words, places included.
    pub changes: Vec<String>,
    /// Plain sentences for the reader of the run: which framework was taken, which base.
    pub remarks: Vec<String>,
}

/// A revision as it was named, and the merge base of it and HEAD.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseSummary {
    pub revision: String,
    pub commit: String,
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

/// Gives each finding its fingerprint: a stable hash of rule, migration name without its version, operation kind,
/// objects, and the ordinal among equals inside the migration. Never of lines or messages. All of a run's findings come
/// at once, also those that are held back: allowing one must not give its equals other fingerprints.
pub fn fingerprint<'a>(
    findings: impl Iterator<Item = &'a mut Finding>,
    migration_name: &dyn Fn(MigrationRef) -> String,
) {
    let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
    for finding in findings {
        let name = finding.migration.map(migration_name).unwrap_or_default();
        let mut hash = Fnv::new();
        for part in [finding.rule, &name, finding.operation] {
            hash.part(part);
        }
        finding.objects.iter().for_each(|object| hash.part(object));
        let ordinal = seen.entry(hash.0).or_default();
        hash.part(&ordinal.to_string());
        *ordinal += 1;
        finding.fingerprint = format!("{:016x}", hash.0);
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every release, which std's hasher is not.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a part, ended by a byte that no text holds.
    fn part(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
