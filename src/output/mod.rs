//! Reports, schemas and graphs for readers and machines. One file per format; formats only format.

mod checkstyle;
mod completeness;
mod create;
mod diff;
mod drift;
mod excerpt;
mod github;
mod gitlab;
mod graph;
mod html;
mod human;
mod json;
mod junit;
mod layout;
mod markdown;
mod mermaid;
mod paths;
mod sarif;
mod schema;
mod sections;
mod svg;
mod text;
mod undo;
mod uri;
mod xml;

pub use drift::{Drift, DriftFormat};
pub use graph::{GraphFormat, render as render_graph};
pub use paths::{PathsFormat, render as render_paths};
pub use schema::{SchemaFormat, render as render_schema};
pub use text::{visible, visible_lines};
pub use undo::{Undo, writes_rows};

use std::io::{self, Write};

use miette::Diagnostic;

use crate::error::Error;
use crate::report::Report;
use crate::rules::Rule;
use crate::source::Sources;

/// Where the pages of built-in rules can be read.
pub const RULE_PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/rules");

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Human,
    Json,
    Sarif,
    Github,
    Gitlab,
    Junit,
    Checkstyle,
    Markdown,
    Html,
}

impl Format {
    pub const ALL: [Format; 9] = [
        Format::Human,
        Format::Json,
        Format::Sarif,
        Format::Github,
        Format::Gitlab,
        Format::Junit,
        Format::Checkstyle,
        Format::Markdown,
        Format::Html,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Format::Human => "human",
            Format::Json => "json",
            Format::Sarif => "sarif",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Junit => "junit",
            Format::Checkstyle => "checkstyle",
            Format::Markdown => "markdown",
            Format::Html => "html",
        }
    }
}

/// What the reader's side decides. Machines' formats ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Show notes, not only their number.
    pub notes: bool,
    /// Which findings a report for people tells one by one.
    pub listing: Listing,
    pub color: bool,
    /// The terminal follows links.
    pub links: bool,
    /// Columns to wrap prose at.
    pub width: usize,
}

/// What is told one by one, beside the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    All,
    /// The newest few, after how often each rule speaks: for a history that nobody judged yet.
    Newest,
    /// Only how often each rule speaks.
    Counts,
}

impl Default for Options {
    fn default() -> Options {
        Options { notes: false, listing: Listing::All, color: false, links: false, width: 100 }
    }
}

/// Writes a report.
pub fn render(
    report: &Report,
    sources: &Sources,
    format: Format,
    options: Options,
    into: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Human => human::render(report, sources, options, into),
        Format::Json => json::render(report, sources, into),
        Format::Sarif => sarif::render(report, sources, into),
        Format::Github => github::render(report, sources, options, into),
        Format::Gitlab => gitlab::render(report, sources, into),
        Format::Junit => junit::render(report, sources, into),
        Format::Checkstyle => checkstyle::render(report, sources, into),
        Format::Markdown => markdown::render(report, sources, options, into),
        Format::Html => html::render(report, sources, into),
    }
}

/// Writes why a run was impossible, as a whole document of the format: whoever waits for one must not find an empty
/// file, nor one that says "nothing found". Standard error tells readers and those who parse JSON.
pub fn render_failure(error: &Error, format: Format, into: &mut dyn Write) -> io::Result<()> {
    let reason = reason(error);
    match format {
        Format::Human | Format::Json => Ok(()),
        Format::Sarif => sarif::render_failure(&reason, into),
        Format::Github => github::render_failure(&reason, into),
        Format::Gitlab => gitlab::render_failure(&reason, into),
        Format::Junit => junit::render_failure(&reason, into),
        Format::Checkstyle => checkstyle::render_failure(&reason, into),
        Format::Markdown => markdown::render_failure(&reason, into),
        Format::Html => html::render_failure(&reason, into),
    }
}

/// An error with its parts and its help, a line each.
fn reason(error: &Error) -> String {
    let mut lines = vec![error.to_string()];
    for part in error.related().into_iter().flatten() {
        lines.push(part.to_string());
        lines.extend(part.help().map(|help| help.to_string()));
    }
    lines.extend(error.help().map(|help| help.to_string()));
    lines.join("\n")
}

/// Writes what stands between two schemas.
pub fn render_drift(drift: &Drift<'_>, format: DriftFormat, into: &mut dyn Write) -> io::Result<()> {
    drift::render(drift, format, into)
}

/// Writes the script that takes a migration back.
pub fn render_undo(undo: &Undo<'_>, into: &mut dyn Write) -> io::Result<()> {
    undo::render(undo, into)
}

/// The address of a rule's page; none for a rule of the project's own.
pub fn rule_url(rule: &str) -> Option<String> {
    Rule::find(rule).map(|rule| format!("{RULE_PAGES}/{}.md", rule.id))
}
