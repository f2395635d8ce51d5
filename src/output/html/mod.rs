//! The report as one page: no network, no file beside it, one script that the page itself names by its hash.
//!
//! Everything is there to read without the script; it copies, folds and moves. Names from inputs stand as text only.

mod around;
mod escape;
mod finding;
mod index;
mod listing;
mod state;
mod timeline;

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::sections::{coverage, facts, found, place};
use crate::finding::{Finding, MigrationRef, Severity};
use crate::report::{Detail, MigrationSummary, Outcome, Report};
use crate::source::Sources;
use escape::{prose, text};
use listing::Listings;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// SHA-256 of both, as a Content-Security-Policy names them; a test says what they are.
const STYLE_HASH: &str = "sha256-ZhGhWxMrV1kq9WVLbTHwfSRwWKrvJxgXmoFN1qfi4jM=";
const SCRIPT_HASH: &str = "sha256-mkWroSP1rvxpc0Rta+0TEgpHbadz0JBwNC9T4H42K6w=";
/// Migrations without a finding that are shown with their steps all the same: the newest.
const QUIET: usize = 40;
/// Findings shown; a page of more could not be read, nor loaded.
const FINDINGS: usize = 500;

/// What every part of the page looks at.
struct Page<'a> {
    report: &'a Report,
    sources: &'a Sources,
    findings: Vec<&'a Finding>,
    /// File names that several migrations have: `up.sql`.
    common: BTreeSet<&'a str>,
}

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let findings: Vec<&Finding> = report.findings.iter().take(FINDINGS).collect();
    let page = Page { report, sources, findings, common: common_names(report) };
    begin(&format!("plimsoll: {}", found(report)), into)?;
    page.head(into)?;
    writeln!(into, "<main id=\"main\">")?;
    index::write(&page, into)?;
    let mut listings = Listings::new(&page);
    let (found, quiet): (Vec<_>, Vec<_>) =
        page.shown().into_iter().partition(|migration| page.of(Some(migration.at)).next().is_some());
    for migration in found {
        page.migration(migration, &mut listings, into)?;
    }
    page.others(into)?;
    page.quiet(&quiet, &mut listings, into)?;
    listings.write_rest(into)?;
    page.notes(into)?;
    writeln!(into, "</main>")?;
    end(into)
}

/// A run that was impossible.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    begin("plimsoll could not run", into)?;
    writeln!(into, "<header class=\"verdict error\"><h1>plimsoll could not run</h1></header>")?;
    writeln!(into, "<main id=\"main\"><pre class=\"code\">{}</pre></main>", escape::lines(reason))?;
    end(into)
}

fn begin(title: &str, into: &mut dyn Write) -> io::Result<()> {
    let policy = format!(
        "default-src 'none'; script-src '{SCRIPT_HASH}'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
    );
    writeln!(into, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(into, "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")?;
    writeln!(into, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(
        into,
        "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">"
    )?;
    writeln!(into, "<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>", text(title))?;
    writeln!(into, "<a class=\"skip\" href=\"#main\">Skip to the report</a>")
}

fn end(into: &mut dyn Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(into, "<footer>plimsoll {version}. Keys: <kbd>j</kbd> and <kbd>k</kbd> go from finding to finding, ")?;
    writeln!(into, "<kbd>o</kbd> opens all that is folded.</footer>")?;
    writeln!(into, "<p id=\"said\" role=\"status\" aria-live=\"polite\"></p>")?;
    writeln!(into, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

impl<'a> Page<'a> {
    fn head(&self, into: &mut dyn Write) -> io::Result<()> {
        let report = self.report;
        let (class, verdict) = match report.outcome() {
            Outcome::Findings => ("error", "Do not merge this yet"),
            Outcome::Clean if report.findings.is_empty() => ("clean", "Nothing found that breaks production"),
            Outcome::Clean => ("warning", "Nothing here stops the merge"),
        };
        writeln!(into, "<header class=\"verdict {class}\"><p class=\"tool\">plimsoll</p><h1>{verdict}</h1>")?;
        writeln!(into, "<p><strong>{}.</strong> {}.</p>", found(report), coverage(report))?;
        if let Some(base) = &report.base {
            let commit: String = base.commit.chars().take(12).collect();
            writeln!(into, "<p>Compared with <code>{}</code> ({}).</p>", text(&base.revision), text(&commit))?;
        }
        writeln!(into, "</header>")
    }

    /// Migrations with findings, then the newest others that are judged.
    fn shown(&self) -> Vec<&'a MigrationSummary> {
        let found: BTreeSet<MigrationRef> = self.findings.iter().filter_map(|finding| finding.migration).collect();
        let judged = self.report.migrations.iter().filter(|one| one.judged);
        let quiet = judged.clone().filter(|one| !found.contains(&one.at)).count();
        let mut skip = quiet.saturating_sub(QUIET);
        let (mut shown, mut others) = (Vec::new(), Vec::new());
        for migration in self.report.migrations.iter() {
            if found.contains(&migration.at) {
                shown.push(migration);
            } else if migration.judged && skip > 0 {
                skip -= 1;
            } else if migration.judged {
                others.push(migration);
            }
        }
        shown.extend(others);
        shown
    }

    fn of(&self, at: Option<MigrationRef>) -> impl Iterator<Item = &'a Finding> {
        // One that only the base has is shown with what is about files.
        let shown = |at: &MigrationRef| self.report.migration(*at).is_some();
        self.findings.iter().filter(move |finding| finding.migration.filter(shown) == at).copied()
    }

    fn detail(&self, at: MigrationRef) -> Option<&'a Detail> {
        let index = self.report.details.binary_search_by_key(&at, |detail| detail.at).ok()?;
        Some(&self.report.details[index])
    }

    fn migration(
        &self,
        migration: &'a MigrationSummary,
        listings: &mut Listings<'a>,
        into: &mut dyn Write,
    ) -> io::Result<()> {
        let id = id(migration.at);
        writeln!(into, "<section class=\"migration\" id=\"{id}\" aria-labelledby=\"{id}h\">")?;
        writeln!(into, "<h2 id=\"{id}h\"><a href=\"#{id}\">{}</a></h2>", text(&migration.path))?;
        for finding in self.of(Some(migration.at)) {
            finding::write(self, finding, into)?;
        }
        self.what_it_does(migration, listings, into)?;
        writeln!(into, "</section>")
    }

    /// Source, steps, what it leaves and what is connected with it.
    fn what_it_does(
        &self,
        migration: &'a MigrationSummary,
        listings: &mut Listings<'a>,
        into: &mut dyn Write,
    ) -> io::Result<()> {
        let id = id(migration.at);
        if let Some(release) = &migration.release {
            writeln!(into, "<p class=\"quiet\">Release: {}</p>", text(release))?;
        }
        let findings: Vec<&Finding> = self.of(Some(migration.at)).collect();
        listings.write_file(&findings, self.sources.find(&migration.path), into)?;
        if let Some(detail) = self.detail(migration.at) {
            timeline::write(self, detail, &id, into)?;
            state::completeness(self, detail, &findings, into)?;
            around::write(detail, &findings, &id, into)?;
            state::schema(detail, into)?;
        }
        Ok(())
    }

    /// Migrations without a finding, closed.
    fn quiet(
        &self,
        migrations: &[&'a MigrationSummary],
        listings: &mut Listings<'a>,
        into: &mut dyn Write,
    ) -> io::Result<()> {
        if migrations.is_empty() {
            return Ok(());
        }
        writeln!(into, "<section id=\"quiet\"><h2>Judged, and nothing found</h2>")?;
        for migration in migrations {
            let (id, path) = (id(migration.at), text(&migration.path));
            writeln!(into, "<details class=\"migration\" id=\"{id}\"><summary>{path}</summary>")?;
            self.what_it_does(migration, listings, into)?;
            writeln!(into, "</details>")?;
        }
        writeln!(into, "</section>")
    }

    /// Findings about files and settings, of no migration.
    fn others(&self, into: &mut dyn Write) -> io::Result<()> {
        let mut others = self.of(None).peekable();
        if others.peek().is_none() {
            return Ok(());
        }
        writeln!(into, "<section id=\"others\"><h2>Files and settings</h2>")?;
        for finding in others {
            finding::write(self, finding, into)?;
        }
        writeln!(into, "</section>")
    }

    /// What the run relied on and held back, and what it could not read.
    fn notes(&self, into: &mut dyn Write) -> io::Result<()> {
        let report = self.report;
        let changes = report.changes.iter().map(|change| prose(&format!("this change edits its own check: {change}")));
        let mut lines: Vec<String> = changes.collect();
        lines.extend(facts(report, self.sources).iter().map(|fact| prose(fact)));
        lines.extend(report.allowed.iter().map(|(finding, allow)| {
            let reason = allow.reason.as_deref().unwrap_or("no reason given");
            let (at, by) = (place(finding.span, self.sources), place(allow.span, self.sources));
            let held = format!("allowed: `{}` at {at}, by {by}: {reason}", finding.rule);
            format!("{} <span class=\"quiet\">({})</span>", prose(&held), prose(&finding.message))
        }));
        lines.extend(report.baselined.iter().map(|finding| {
            prose(&format!("in the baseline: `{}` at {}", finding.rule, place(finding.span, self.sources)))
        }));
        lines.extend(
            report
                .unread
                .iter()
                .filter(|unread| unread.judged)
                .map(|unread| prose(&format!("not read: {}: {}", place(unread.span, self.sources), unread.reason))),
        );
        lines.extend(report.remarks.iter().map(|remark| prose(remark)));
        if report.findings.len() > self.findings.len() {
            lines.push(format!("{} further findings are not shown.", report.findings.len() - self.findings.len()));
        }
        writeln!(into, "<section id=\"notes\"><h2>What this rests on</h2><ul>")?;
        for line in lines {
            writeln!(into, "<li>{line}</li>")?;
        }
        writeln!(into, "</ul></section>")
    }
}

fn common_names(report: &Report) -> BTreeSet<&str> {
    let (mut known, mut common) = (BTreeSet::new(), BTreeSet::new());
    let paths: BTreeSet<&str> = report.migrations.iter().map(|migration| migration.path.as_str()).collect();
    for name in paths.into_iter().filter_map(|path| path.rsplit('/').next()) {
        if !known.insert(name) {
            common.insert(name);
        }
    }
    common
}

/// The name of a migration in the page.
fn id(at: MigrationRef) -> String {
    format!("m{}-{}", at.history, at.migration)
}

/// The class of a severity.
fn class(severity: Severity) -> &'static str {
    severity.word()
}
