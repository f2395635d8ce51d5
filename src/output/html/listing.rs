//! Files with their lines: those of judged migrations with notes in place, of earlier ones what findings lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::escape::{prose, text};
use super::{Page, class};
use crate::finding::Finding;
use crate::output::excerpt::lines_of;
use crate::source::{SourceId, Sources, Span};

/// A file of more lines is shown around what findings lead to.
const WHOLE: u32 = 400;
/// Lines around a place, and lines of a place at most.
const AROUND: u32 = 3;
const LONGEST: u32 = 60;
/// Characters of a line.
const WIDTH: usize = 400;

/// All places of the page that lead to a line.
pub(super) struct Listings<'a> {
    sources: &'a Sources,
    /// By file: first and last line of what findings lead to.
    wanted: BTreeMap<SourceId, BTreeSet<(u32, u32)>>,
    written: BTreeSet<SourceId>,
}

/// The name of a span's first line in the page.
pub(super) fn line_id(sources: &Sources, span: Span) -> String {
    format!("s{}l{}", span.source.number(), sources.start(span).line)
}

impl<'a> Listings<'a> {
    pub(super) fn new(page: &Page<'a>) -> Listings<'a> {
        let mut wanted: BTreeMap<SourceId, BTreeSet<(u32, u32)>> = BTreeMap::new();
        for finding in &page.findings {
            let because = finding.because.iter().map(|because| because.span);
            let chain = finding.chain.iter().filter_map(|link| link.span);
            for span in because.chain(chain).chain([finding.span]) {
                let (first, last) = lines_of(page.sources, span);
                wanted.entry(span.source).or_default().insert((first, last.min(first + LONGEST)));
            }
        }
        Listings { sources: page.sources, wanted, written: BTreeSet::new() }
    }

    /// The file of a migration, once.
    pub(super) fn write_file(
        &mut self,
        findings: &[&Finding],
        file: Option<SourceId>,
        into: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(file) = file else { return Ok(()) };
        if !self.written.insert(file) {
            let link = format!("s{}", file.number());
            return writeln!(into, "<p class=\"quiet\"><a href=\"#{link}\">The file</a> is shown above.</p>");
        }
        writeln!(into, "<details open id=\"s{}\"><summary>Source</summary>", file.number())?;
        self.listing(file, findings, true, into)?;
        writeln!(into, "</details>")
    }

    /// The parts of other files that findings lead to.
    pub(super) fn write_rest(&mut self, into: &mut dyn Write) -> io::Result<()> {
        let rest: Vec<SourceId> = self.wanted.keys().copied().filter(|file| !self.written.contains(file)).collect();
        if rest.is_empty() {
            return Ok(());
        }
        writeln!(into, "<section id=\"earlier\"><h2>Earlier files</h2>")?;
        writeln!(into, "<p class=\"quiet\">Where the history makes the findings true.</p>")?;
        for file in rest {
            writeln!(
                into,
                "<details open id=\"s{}\"><summary>{}</summary>",
                file.number(),
                text(self.sources.path(file))
            )?;
            self.listing(file, &[], false, into)?;
            writeln!(into, "</details>")?;
        }
        writeln!(into, "</section>")
    }

    fn listing(&self, file: SourceId, findings: &[&Finding], whole: bool, into: &mut dyn Write) -> io::Result<()> {
        let source = self.sources.get(file);
        let count = source.text.lines().count().max(1) as u32;
        let wanted = self.wanted.get(&file);
        let shown = |line: u32| {
            whole && count <= WHOLE
                || wanted
                    .into_iter()
                    .flatten()
                    .any(|(first, last)| (first.saturating_sub(AROUND)..=last + AROUND).contains(&line))
                || whole && line <= AROUND
        };
        let marked = |line: u32| wanted.into_iter().flatten().any(|(first, last)| (*first..=*last).contains(&line));
        writeln!(into, "<div class=\"listing\" tabindex=\"0\" role=\"group\" aria-label=\"Lines\">")?;
        let mut gap = false;
        for line in 1..=count {
            if !shown(line) {
                gap = true;
                continue;
            }
            if std::mem::take(&mut gap) {
                writeln!(into, "<div class=\"gap\">⋯</div>")?;
            }
            let severity = findings.iter().filter(|finding| self.holds(finding, line)).map(|one| one.severity).max();
            let class = severity.map_or(if marked(line) { "why" } else { "" }, class);
            self.line(file, line, class, into)?;
            for finding in findings.iter().filter(|finding| self.noted_after(finding) == line) {
                self.note(finding, into)?;
            }
        }
        if gap {
            writeln!(into, "<div class=\"gap\">⋯</div>")?;
        }
        writeln!(into, "</div>")
    }

    fn line(&self, file: SourceId, line: u32, class: &str, into: &mut dyn Write) -> io::Result<()> {
        let full = self.sources.text(self.sources.line(file, line));
        let cut: String = full.chars().take(WIDTH).collect();
        let rest = if cut.len() < full.len() { "…" } else { "" };
        let id = format!("s{}l{line}", file.number());
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        writeln!(into, "<div id=\"{id}\"{class}><a href=\"#{id}\">{line}</a><code>{}{rest}</code></div>", text(&cut))
    }

    fn note(&self, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
        writeln!(
            into,
            "<p class=\"mark {0}\"><span class=\"badge\">{0}</span> <a href=\"#f-{1}\">{2}</a> {3}</p>",
            class(finding.severity),
            finding.fingerprint,
            text(finding.rule),
            prose(&finding.message)
        )
    }

    fn holds(&self, finding: &Finding, line: u32) -> bool {
        let (first, last) = lines_of(self.sources, finding.span);
        (first..=last).contains(&line)
    }

    /// The end of the statement, or its first line where the end is far.
    fn noted_after(&self, finding: &Finding) -> u32 {
        let (first, last) = lines_of(self.sources, finding.span);
        if last - first > LONGEST { first } else { last }
    }
}
