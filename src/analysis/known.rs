//! The baseline of a run: what it holds back, and what of it is out of date.

use std::collections::BTreeSet;

use crate::finding::{Finding, MigrationRef, Severity};
use crate::project::Project;
use crate::report::{Baseline, Known, Migrations, Report, fingerprint};
use crate::rules::stated;
use crate::settings::Settings;
use crate::source::{SourceId, Span};

/// Takes out what is known, and tells what of it is found no more.
pub(super) fn hold_back(
    project: &Project,
    settings: &Settings,
    report: &mut Report,
    severity: &dyn Fn(&'static str) -> Severity,
    name: &dyn Fn(MigrationRef) -> String,
) {
    let Some(file) = settings.known else { return };
    // It was checked when it was read.
    let Ok(baseline) = Baseline::parse(&project.sources.get(file).text) else { return };
    let all = || project.histories.iter().flat_map(|history| &history.migrations);
    let judged: BTreeSet<&str> = all().filter(|one| one.judged).map(|one| one.name.as_str()).collect();
    let existing: BTreeSet<&str> = all().map(|one| one.name.as_str()).collect();
    let migrations = Migrations {
        exists: &|name| existing.contains(name),
        is_judged: &|name| judged.contains(name),
        all_judged: all().all(|one| one.judged),
    };
    let may = |finding: &Finding| !settings.unallowable.iter().any(|id| id == finding.rule);
    let held = baseline.hold_back(&mut report.findings, &may, &migrations);
    report.baselined = held.findings;
    let places: Vec<(Span, String)> = held.stale.iter().map(|known| entry(project, file, known)).collect();
    let stale = stated::stale_entries(&places, severity("baseline-stale"));
    let mut stale: Vec<Finding> = stale.into_iter().filter(|one| one.severity > Severity::Off).collect();
    fingerprint(stale.iter_mut(), name);
    report.findings.extend(stale);
}

/// The place of an entry in its file, and what it is about.
fn entry(project: &Project, file: SourceId, known: &Known) -> (Span, String) {
    let quoted = format!("\"{}\"", known.fingerprint);
    let (start, length) = match project.sources.get(file).text.find(&quoted) {
        Some(start) => (start, quoted.len()),
        None => (0, 0),
    };
    let span = project.sources.piece(file).span(start..start + length);
    let migration = known.migration.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
    (span, format!("`{}`{migration}", known.rule))
}
