//! Workflow commands: GitHub shows them as annotations of the change. Only what it shows is printed.

use std::io::{self, Write};

use super::Options;
use super::sections::{coverage, first_line, found, plain, ranked};
use super::text::visible;
use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::source::Sources;

/// GitHub shows so many of one kind in a step, in the order printed, and drops the rest without a word.
const OF_ONE_KIND: usize = 10;
/// A longer text is cut by the runner.
const MESSAGE: usize = 4000;

pub(super) fn render(report: &Report, sources: &Sources, options: Options, into: &mut dyn Write) -> io::Result<()> {
    let shown = report.findings.iter().filter(|finding| options.notes || finding.severity > Severity::Note);
    let ranked = ranked(shown);
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let of_kind: Vec<&&Finding> = ranked.iter().filter(|finding| finding.severity == severity).collect();
        for finding in of_kind.iter().take(OF_ONE_KIND) {
            annotation(finding, report, sources, into)?;
        }
        let left_out = of_kind.len().saturating_sub(OF_ONE_KIND);
        if left_out > 0 {
            // Nothing from inputs stands here: the runner also obeys `##[` inside a line.
            writeln!(into, "{left_out} further findings ({severity}) are not annotated: GitHub shows {OF_ONE_KIND}.")?;
        }
    }
    writeln!(into, "{}; {}.", found(report), coverage(report))
}

/// A run that was impossible.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "::error title=plimsoll::{}", data(reason))
}

fn annotation(finding: &Finding, report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let kind = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Off => "notice",
    };
    let span = first_line(finding.span, sources);
    let (start, end) = (sources.start(span), sources.end(span));
    let text = plain(finding, report, sources);
    let cut: String = text.chars().take(MESSAGE).collect();
    let rest = if cut.len() < text.len() { "…" } else { "" };
    writeln!(
        into,
        "::{kind} file={},line={},endLine={},col={},endColumn={},title={}::{}{rest}",
        property(sources.path(span.source)),
        start.line,
        end.line,
        start.column,
        end.column,
        property(&format!("plimsoll: {}", finding.rule)),
        data(&cut),
    )
}

/// The text behind `::`. What is not inert was made visible before: the runner writes it into the job's log.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| visible(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    visible(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}
