//! A report for a person at a terminal or in a job's log: findings by migration, then what was read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::excerpt::{Excerpt, lines_of};
use super::sections::{coverage, facts, found, place, sections};
use super::text::{visible, visible_lines, without_commands, wrap, wrap_around_code};
use super::{Listing, Options, rule_url};
use crate::finding::{Because, Finding, MigrationRef, Severity};
use crate::report::Report;
use crate::source::{Sources, Span};

/// Reasons this near to a finding are labels in its own snippet.
const NEAR: u32 = 3;
/// Where the text of a detail begins.
const INDENT: usize = 11;
/// Findings told of a long history that nobody judged yet.
const NEWEST: usize = 20;
/// Reasons shown with their lines; further ones are named with their place.
const SNIPPETS: usize = 6;

pub(super) fn render(report: &Report, sources: &Sources, options: Options, into: &mut dyn Write) -> io::Result<()> {
    let page = Page { report, sources, options, snippets: snippets(options) };
    let mut text = Vec::new();
    page.write(&mut text)?;
    into.write_all(without_commands(&String::from_utf8_lossy(&text)).as_bytes())
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
    fn write(&self, into: &mut dyn Write) -> io::Result<()> {
        let shown = |finding: &&Finding| self.options.notes || finding.severity > Severity::Note;
        let mut shown: Vec<&Finding> = self.report.findings.iter().filter(shown).collect();
        if self.options.listing != Listing::All {
            self.counts_of_rules(into)?;
        }
        match self.options.listing {
            Listing::All => {}
            Listing::Newest => {
                let all = shown.len();
                shown.drain(..all.saturating_sub(NEWEST));
                let told = format!("The newest {} of {all} findings follow; --all tells every one.", shown.len());
                writeln!(into, "{}\n", wrap(&told, self.options.width))?;
            }
            Listing::Counts => shown.clear(),
        }
        let mut group: Option<(Option<MigrationRef>, String)> = None;
        for finding in shown {
            let next = (finding.migration, self.group(finding));
            if group.as_ref() != Some(&next) {
                self.heading(&next.1, into)?;
                group = Some(next);
            }
            self.finding(finding, into)?;
        }
        if self.options.listing == Listing::Newest {
            // Where a reader's eye rests after so many lines.
            let next = "A change is judged alone with `--since REVISION`; `plimsoll baseline` takes down what is known, so that \
                        runs tell what is new.";
            writeln!(into, "{}\n", wrap(next, self.options.width))?;
        }
        self.summary(into)
    }

    /// How often each rule speaks, the gravest and most frequent first.
    fn counts_of_rules(&self, into: &mut dyn Write) -> io::Result<()> {
        let mut counts: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
        for finding in &self.report.findings {
            *counts.entry((finding.severity, finding.rule)).or_default() += 1;
        }
        let mut rows: Vec<((Severity, &str), usize)> = counts.into_iter().collect();
        rows.sort_by_key(|((severity, rule), count)| (Reverse(*severity), Reverse(*count), *rule));
        for ((severity, rule), count) in &rows {
            writeln!(into, "{count:>7}  {:<7}  {rule}", severity.word())?;
        }
        if rows.is_empty() { Ok(()) } else { writeln!(into) }
    }

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
        let labels: Vec<(Span, String)> =
            near.iter().map(|because| (because.span, because.told().into_owned())).collect();
        let headline = format!("{}[{}]: {}", finding.severity, finding.rule, visible(&finding.message));
        let severity = match finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note | Severity::Off => miette::Severity::Advice,
        };
        self.snippet(headline, severity, Excerpt::new(self.sources, finding.span, &labels), into)?;
        for because in far.iter().take(SNIPPETS) {
            let headline = format!("because {}", visible(&because.told()));
            let excerpt = Excerpt::new(self.sources, because.span, &[]);
            self.snippet(headline, miette::Severity::Advice, excerpt, into)?;
        }
        for because in far.iter().skip(SNIPPETS) {
            let at = place(because.span, self.sources);
            self.paragraph("because", &format!("{} ({at})", because.told()), into)?;
        }
        self.details(finding, into)?;
        writeln!(into)
    }

    fn details(&self, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
        for section in sections(finding, self.report) {
            if section.code.is_some() {
                self.block(section.word, &wrap_around_code(&section.text, self.prose_width()), into)?;
            } else {
                self.block(section.word, &wrap(&section.text, self.prose_width()), into)?;
            }
        }
        let page = format!("plimsoll explain {}", finding.rule);
        let address = rule_url(finding.rule).filter(|_| self.options.links);
        let page = address.map_or(page.clone(), |address| linked(&page, &address));
        self.block("more", &page, into)
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
        self.block(word, &wrap(&visible_lines(text), self.prose_width()), into)
    }

    fn prose_width(&self) -> usize {
        self.options.width.saturating_sub(INDENT).max(20)
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

    fn painted(&self, style: &str, text: &str) -> String {
        if self.options.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn summary(&self, into: &mut dyn Write) -> io::Result<()> {
        let report = self.report;
        for remark in &report.remarks {
            writeln!(into, "{}", wrap(&visible(remark), self.options.width))?;
        }
        for change in &report.changes {
            writeln!(
                into,
                "{}",
                wrap(&format!("this change edits its own check: {}", visible(change)), self.options.width)
            )?;
        }
        for fact in facts(report, self.sources) {
            writeln!(into, "{fact}")?;
        }
        writeln!(into, "{}", self.painted("1", &wrap(&self.counts(), self.options.width)))
    }

    /// The one line that says what was found and what was read.
    fn counts(&self) -> String {
        let hidden = !self.options.notes && self.report.count(Severity::Note) > 0;
        let hint = if hidden { " (notes are shown with --notes)" } else { "" };
        format!("{}{hint}; {}.", found(self.report), coverage(self.report))
    }
}

/// A link as terminals follow it (OSC 8). Both parts are this program's own.
fn linked(text: &str, address: &str) -> String {
    format!("\u{1b}]8;;{address}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
}
