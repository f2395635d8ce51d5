//! GitLab's Code Quality report: a list of issues; GitLab reads five fields of each and hides the rule's name.

use std::io::{self, Write};

use serde::Serialize;

use super::json::write;
use super::sections::ranked;
use super::text::visible;
use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::source::Sources;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: &'a str,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let issues: Vec<Issue> =
        ranked(report.findings.iter()).into_iter().map(|finding| issue(finding, sources)).collect();
    write(&issues, into)
}

/// A run that was impossible: an empty list would read as "nothing found".
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    let reason = reason.lines().next().unwrap_or_default();
    let issue = Issue {
        description: format!("plimsoll could not run: {}", visible(reason)),
        check_name: "plimsoll",
        fingerprint: "could-not-run",
        severity: "blocker",
        location: Location { path: "plimsoll.toml", lines: Lines { begin: 1, end: 1 } },
    };
    write(&[issue], into)
}

fn issue<'a>(finding: &'a Finding, sources: &'a Sources) -> Issue<'a> {
    let severity = match finding.severity {
        Severity::Error => "critical",
        Severity::Warning => "minor",
        Severity::Note | Severity::Off => "info",
    };
    let (start, end) = (sources.start(finding.span), sources.end(finding.span));
    Issue {
        description: format!("{}: {}", finding.rule, visible(&finding.message)),
        check_name: finding.rule,
        fingerprint: &finding.fingerprint,
        severity,
        location: Location {
            path: sources.path(finding.span.source),
            lines: Lines { begin: start.line, end: end.line },
        },
    }
}
