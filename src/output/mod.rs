//! Reports, schemas and graphs for readers and machines. One file per format; formats only format.

mod completeness;
mod create;
mod excerpt;
mod graph;
mod human;
mod json;
mod paths;
mod schema;
mod text;

pub use graph::{GraphFormat, render as render_graph};
pub use paths::{PathsFormat, render as render_paths};
pub use schema::{SchemaFormat, render as render_schema};
pub use text::{visible, visible_lines};

use std::io::{self, Write};

use crate::report::Report;
use crate::source::Sources;

/// Where the pages of built-in rules can be read.
pub const RULE_PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/rules");

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Human,
    Json,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::Human, Format::Json];

    pub fn word(self) -> &'static str {
        match self {
            Format::Human => "human",
            Format::Json => "json",
        }
    }
}

/// What the reader's side decides. Machines' formats ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Show notes, not only their number.
    pub notes: bool,
    pub color: bool,
    /// Columns to wrap prose at.
    pub width: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { notes: false, color: false, width: 100 }
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
    }
}

/// The address of a built-in rule's page.
pub fn rule_url(rule: &str) -> String {
    format!("{RULE_PAGES}/{rule}.md")
}
