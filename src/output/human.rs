//! A report for a person at a terminal or in a job's log: findings by migration, then what was read.

use std::fmt;
use std::io::{self, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::Options;
use super::excerpt::{Excerpt, lines_of};
use super::text::{counted, visible, visible_lines, wrap, wrap_around_code};
use crate::finding::{Because, Finding, Link, MigrationRef, Severity};
use crate::report::Report;
use crate::source::{Sources, Span};
use crate::version::Major;

/// Reasons this near to a finding are labels in its own snippet.
const NEAR: u32 = 3;
/// Where the text of a detail begins.
const INDENT: usize = 11;
/// Reasons shown with their lines; further ones are named with their place.
const SNIPPETS: usize = 6;

pub(super) fn render(report: &Report, sources: &Sources, options: Options, into: &mut dyn Write) -> io::Result<()> {
    let page = Page { report, sources, options, snippets: snippets(options) };
    let shown = report.findings.iter().filter(|finding| options.notes || finding.severity > Severity::Note);
    let mut group: Option<(Option<MigrationRef>, String)> = None;
    for finding in shown {
        let next = (finding.migration, page.group(finding));
        if group.as_ref() != Some(&next) {
            page.heading(&next.1, into)?;
            group = Some(next);
        }
        page.finding(finding, into)?;
    }
    page.summary(into)
}

/// The one graphical handler; prose is wrapped here, so that code inside it is not.
pub(super) fn snippets(options: Options) -> GraphicalReportHandler {
    let theme = if options.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    // One line of context only tells `Excerpt` what is asked; it shows the lines that it holds.
    GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(false).with_context_lines(1)
}

struct Page<'a> {
    report: &'a Report,
    sources: &'a Sources,
    options: Options,
    snippets: GraphicalReportHandler,
}

/// What miette draws: a headline and one excerpt.
#[derive(Debug)]
struct Snippet {
    headline: String,
    severity: miette::Severity,
    excerpt: Excerpt,
}

impl fmt::Display for Snippet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.headline)
    }
}

impl std::error::Error for Snippet {}

impl Diagnostic for Snippet {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.excerpt.labels()))
    }
}

impl Page<'_> {
    fn group(&self, finding: &Finding) -> String {
        match finding.migration.and_then(|at| self.report.migration(at)) {
            Some(migration) => migration.path.clone(),
            None => self.sources.path(finding.span.source).to_owned(),
        }
    }

    fn heading(&self, path: &str, into: &mut dyn Write) -> io::Result<()> {
        let path = visible(path);
        let rule = "─".repeat(self.options.width.saturating_sub(path.chars().count() + 4).max(2));
        writeln!(into, "{}", self.painted("1", &format!("── {path} {rule}")))?;
        writeln!(into)
    }

    fn finding(&self, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
        let (near, far): (Vec<&Because>, Vec<&Because>) =
            finding.because.iter().partition(|because| self.is_near(finding.span, because.span));
        let labels: Vec<(Span, String)> = near.iter().map(|because| (because.span, because.text.clone())).collect();
        let headline = format!("{}[{}]: {}", finding.severity, finding.rule, visible(&finding.message));
        let severity = match finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note | Severity::Off => miette::Severity::Advice,
        };
        self.snippet(headline, severity, Excerpt::new(self.sources, finding.span, &labels), into)?;
        for because in far.iter().take(SNIPPETS) {
            let headline = format!("because {}", visible(&because.text));
            let excerpt = Excerpt::new(self.sources, because.span, &[]);
            self.snippet(headline, miette::Severity::Advice, excerpt, into)?;
        }
        for because in far.iter().skip(SNIPPETS) {
            self.paragraph("because", &format!("{} ({})", because.text, self.place(because.span)), into)?;
        }
        self.details(finding, into)?;
        writeln!(into)
    }

    fn details(&self, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
        if !finding.chain.is_empty() {
            self.paragraph("path", &chain(&finding.chain), into)?;
        }
        for hit in &finding.hits {
            let only = match hit.partitions.as_slice() {
                [] => String::new(),
                names => format!(", for rows of {}", names.join(", ")),
            };
            self.paragraph("fails", &format!("{}{only}", hit.writes), into)?;
        }
        if !finding.spares.is_empty() {
            self.paragraph("not hit", &finding.spares.join("; "), into)?;
        }
        if !finding.stops.is_empty() {
            self.paragraph("stops", &finding.stops.join("\n"), into)?;
        }
        let all: Vec<Major> = self.report.postgres.majors().collect();
        if !finding.postgres.is_empty() && finding.postgres != all {
            self.paragraph("on", &format!("PostgreSQL {}", majors(&finding.postgres)), into)?;
        }
        let several = self.report.histories.iter().any(|history| history.databases.len() > 1);
        if several && !finding.databases.is_empty() {
            self.paragraph("in", &format!("database {}", finding.databases.join(", ")), into)?;
        }
        if !finding.certain {
            self.paragraph("unsure", "this rests on something that could not be decided from the files", into)?;
        }
        if let Some(instead) = &finding.instead {
            self.code("instead", instead, into)?;
        }
        if let Some(verify) = &finding.verify {
            self.code("verify", verify, into)?;
        }
        self.paragraph("more", &format!("plimsoll explain {}", finding.rule), into)
    }

    fn snippet(
        &self,
        headline: String,
        severity: miette::Severity,
        excerpt: Excerpt,
        into: &mut dyn Write,
    ) -> io::Result<()> {
        let headline = wrap(&headline, self.options.width.saturating_sub(4).max(20));
        let mut drawn = String::new();
        let snippet = Snippet { headline, severity, excerpt };
        self.snippets.render_report(&mut drawn, &snippet).map_err(io::Error::other)?;
        into.write_all(drawn.as_bytes())
    }

    /// `  word: text`, further lines below the text.
    fn paragraph(&self, word: &str, text: &str, into: &mut dyn Write) -> io::Result<()> {
        self.block(word, &wrap(&visible_lines(text), self.options.width.saturating_sub(INDENT).max(20)), into)
    }

    /// As [`Page::paragraph`], for text that may be pasted.
    fn code(&self, word: &str, text: &str, into: &mut dyn Write) -> io::Result<()> {
        self.block(
            word,
            &wrap_around_code(&visible_lines(text), self.options.width.saturating_sub(INDENT).max(20)),
            into,
        )
    }

    fn block(&self, word: &str, text: &str, into: &mut dyn Write) -> io::Result<()> {
        let mut lines = text.lines();
        let head = self.painted("36", &format!("{:>width$}:", word, width = INDENT - 2));
        writeln!(into, "{head} {}", lines.next().unwrap_or_default())?;
        for line in lines {
            let indent = if line.is_empty() { 0 } else { INDENT };
            writeln!(into, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    fn is_near(&self, at: Span, other: Span) -> bool {
        if at.source != other.source || at == other {
            return false;
        }
        let ((first, last), (from, to)) = (lines_of(self.sources, at), lines_of(self.sources, other));
        from <= last + NEAR && first <= to + NEAR && to - from <= NEAR && last - first <= NEAR
    }

    fn place(&self, span: Span) -> String {
        format!("{}:{}", visible(self.sources.path(span.source)), self.sources.start(span).line)
    }

    fn painted(&self, style: &str, text: &str) -> String {
        if self.options.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn summary(&self, into: &mut dyn Write) -> io::Result<()> {
        let report = self.report;
        for remark in &report.remarks {
            writeln!(into, "{}", wrap(&visible(remark), self.options.width))?;
        }
        for fact in &report.facts {
            let reason = fact.reason.as_deref().unwrap_or("no reason given");
            writeln!(
                into,
                "relies on the fact that {} is backfilled ({}): {}",
                fact.table,
                self.place(fact.span),
                visible(reason)
            )?;
        }
        writeln!(into, "{}", self.painted("1", &wrap(&self.counts(), self.options.width)))
    }

    /// The one line that says what was found and what was read.
    fn counts(&self) -> String {
        let report = self.report;
        let judged = report.migrations.iter().filter(|migration| migration.judged).count();
        let of = counted(report.migrations.len(), "migration");
        let judged = match judged {
            0 => format!("none of {of} judged"),
            judged if judged == report.migrations.len() => format!("{of} judged"),
            judged => format!("{judged} of {of} judged"),
        };
        let unread = report.unread.len();
        let read = counted(report.statements.saturating_sub(unread), "statement");
        let mut parts = vec![self.found(), judged, format!("{read} read, {unread} unread")];
        if !report.allowed.is_empty() {
            parts.push(format!("{} allowed", report.allowed.len()));
        }
        if !report.baselined.is_empty() {
            parts.push(format!("{} in the baseline", report.baselined.len()));
        }
        parts.push(format!("PostgreSQL {}", report.postgres));
        format!("{}.", parts.join("; "))
    }

    fn found(&self) -> String {
        let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
        let found: Vec<String> = counts
            .iter()
            .map(|(severity, word)| (self.report.count(*severity), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| counted(count, word))
            .collect();
        if found.is_empty() {
            return "No finding".to_owned();
        }
        let hidden = !self.options.notes && self.report.count(Severity::Note) > 0;
        format!("{}{}", found.join(", "), if hidden { " (notes are shown with --notes)" } else { "" })
    }
}

/// `INSERT a → trigger t → function f → table b → foreign key c`.
fn chain(links: &[Link]) -> String {
    let links: Vec<String> = links
        .iter()
        .map(|link| match link.kind {
            crate::finding::LinkKind::Write => visible(&link.object).into_owned(),
            kind => format!("{} {}", kind.word(), visible(&link.object)),
        })
        .collect();
    links.join(" → ")
}

/// `14 to 17`, `12, 14`.
fn majors(list: &[Major]) -> String {
    match list {
        [one] => one.to_string(),
        [first, .., last] if usize::from(last.0 - first.0) + 1 == list.len() => format!("{first} to {last}"),
        list => list.iter().map(Major::to_string).collect::<Vec<_>>().join(", "),
    }
}
