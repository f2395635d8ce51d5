//! A report in words, part by part: what every format for readers tells below a finding's message, and of the whole run.

use super::text::{Advice, advice, counted, visible, visible_lines};
use crate::finding::{Finding, Link, LinkKind, Severity};
use crate::report::Report;
use crate::source::{Sources, Span};
use crate::version::Major;

/// One thing that a finding tells beside its message and its reasons.
#[derive(Debug)]
pub(super) struct Section {
    pub word: &'static str,
    /// Inert; several lines only where it has them by itself.
    pub text: String,
    /// Meant to be pasted: the language of it.
    pub code: Option<&'static str>,
}

/// What a finding tells, in the order of a reader's questions.
pub(super) fn sections(finding: &Finding, report: &Report) -> Vec<Section> {
    let mut told = Vec::new();
    let mut tell = |word, text: String, code| told.push(Section { word, text, code });
    if !finding.chain.is_empty() {
        tell("path", visible(&chain(&finding.chain)).into_owned(), None);
    }
    for hit in &finding.hits {
        let only = match hit.partitions.as_slice() {
            [] => String::new(),
            names => format!(", for rows of {}", names.join(", ")),
        };
        tell("fails", visible(&format!("{}{only}", hit.writes)).into_owned(), None);
    }
    if !finding.spares.is_empty() {
        tell("not hit", visible(&finding.spares.join("; ")).into_owned(), None);
    }
    if !finding.stops.is_empty() {
        let stops: Vec<_> = finding.stops.iter().map(|stop| visible(stop)).collect();
        tell("stops", stops.join("\n"), None);
    }
    let all: Vec<Major> = report.postgres.majors().collect();
    if !finding.postgres.is_empty() && finding.postgres != all {
        tell("on", format!("PostgreSQL {}", majors(&finding.postgres)), None);
    }
    let several = report.histories.iter().any(|history| history.databases.len() > 1);
    if several && !finding.databases.is_empty() {
        tell("in", visible(&format!("database {}", finding.databases.join(", "))).into_owned(), None);
    }
    if !finding.certain {
        tell("unsure", "this rests on something that could not be decided from the files".to_owned(), None);
    }
    if let Some(instead) = &finding.instead {
        match advice(&visible_lines(instead)) {
            Advice::Words(words) => tell("instead", words, None),
            Advice::Code(language, code) => tell("instead", code, Some(language)),
        }
    }
    if let Some(verify) = &finding.verify {
        tell("verify", visible_lines(verify), Some("sql"));
    }
    told
}

/// All that a finding tells as lines of plain, inert text: for formats that have one field for it.
pub(super) fn plain(finding: &Finding, report: &Report, sources: &Sources) -> String {
    let mut lines = vec![visible(&finding.message).into_owned()];
    for because in &finding.because {
        lines.push(format!("because {} ({})", visible(&because.told()), place(because.span, sources)));
    }
    for section in sections(finding, report) {
        let text = section.text;
        let gap = if text.contains('\n') { "\n" } else { " " };
        lines.push(format!("{}:{gap}{text}", section.word));
    }
    lines.join("\n")
}

/// `db/001_users.sql:3`, inert.
pub(super) fn place(span: Span, sources: &Sources) -> String {
    format!("{}:{}", visible(sources.path(span.source)), sources.start(span).line)
}

/// The part of a span on its first line: forges show a note where all of its lines are part of the change.
pub(super) fn first_line(span: Span, sources: &Sources) -> Span {
    let line = sources.line(span.source, sources.start(span).line);
    Span { end: span.end.min(line.end).max(span.start), ..span }
}

/// The gravest first; among equals the order of the report.
pub(super) fn ranked<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<&'a Finding> {
    let mut ranked: Vec<&Finding> = findings.collect();
    ranked.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    ranked
}

/// `INSERT a → trigger t → function f → table b → foreign key c`.
fn chain(links: &[Link]) -> String {
    links.iter().map(link).collect::<Vec<_>>().join(" → ")
}

/// One link of a write's path, as it came.
pub(super) fn link(link: &Link) -> String {
    match link.kind {
        LinkKind::Write => link.object.clone(),
        kind => format!("{} {}", kind.word(), link.object),
    }
}

/// `14 to 17`, `12, 14`.
pub(super) fn majors(list: &[Major]) -> String {
    match list {
        [one] => one.to_string(),
        [first, .., last] if usize::from(last.0 - first.0) + 1 == list.len() => format!("{first} to {last}"),
        list => list.iter().map(Major::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// `2 errors, 1 note`, or `No finding`.
pub(super) fn found(report: &Report) -> String {
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts = counts.iter().map(|(severity, word)| (report.count(*severity), word)).filter(|(count, _)| *count > 0);
    let found: Vec<String> = counts.map(|(count, word)| counted(count, word)).collect();
    if found.is_empty() { "No finding".to_owned() } else { found.join(", ") }
}

/// What was judged and read, and what was held back: `8 of 9 migrations judged; 39 statements read, 0 unread; …`.
pub(super) fn coverage(report: &Report) -> String {
    let judged = report.migrations.iter().filter(|migration| migration.judged).count();
    let of = counted(report.migrations.len(), "migration");
    let judged = match judged {
        0 => format!("none of {of} judged"),
        judged if judged == report.migrations.len() => format!("{of} judged"),
        judged => format!("{judged} of {of} judged"),
    };
    let unread = report.unread.len();
    let read = counted(report.statements.saturating_sub(unread), "statement");
    let mut parts = vec![judged, format!("{read} read, {unread} unread")];
    if !report.allowed.is_empty() {
        parts.push(format!("{} allowed", report.allowed.len()));
    }
    if !report.baselined.is_empty() {
        parts.push(format!("{} in the baseline", report.baselined.len()));
    }
    parts.push(format!("PostgreSQL {}", report.postgres));
    parts.join("; ")
}

/// The facts that a run relied on, as plain inert sentences.
pub(super) fn facts(report: &Report, sources: &Sources) -> Vec<String> {
    let fact = |fact: &crate::settings::Fact| {
        let reason = fact.reason.as_deref().unwrap_or("no reason given");
        let (table, at) = (fact.table.to_string(), place(fact.span, sources));
        format!("relies on the fact that {} is backfilled ({at}): {}", visible(&table), visible(reason))
    };
    report.facts.iter().map(fact).collect()
}
