//! Checkstyle's XML: what reviewdog, Danger and many review tools read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::sections::plain;
use super::xml::attribute;
use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::source::Sources;

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        files.entry(sources.path(finding.span.source)).or_default().push(finding);
    }
    begin(into)?;
    for (path, findings) in files {
        writeln!(into, "  <file name=\"{}\">", attribute(path))?;
        for finding in findings {
            let at = sources.start(finding.span);
            writeln!(
                into,
                "    <error line=\"{}\" column=\"{}\" severity=\"{}\" message=\"{}\" source=\"plimsoll.{}\"/>",
                at.line,
                at.column,
                severity(finding.severity),
                lines(&plain(finding, report, sources)),
                attribute(finding.rule),
            )?;
        }
        writeln!(into, "  </file>")?;
    }
    writeln!(into, "</checkstyle>")
}

/// A run that was impossible.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    begin(into)?;
    writeln!(into, "  <file name=\"plimsoll.toml\">")?;
    let message = lines(&format!("plimsoll could not run: {reason}"));
    writeln!(into, "    <error line=\"1\" severity=\"error\" message=\"{message}\" source=\"plimsoll\"/>")?;
    writeln!(into, "  </file>")?;
    writeln!(into, "</checkstyle>")
}

fn begin(into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(into, "<checkstyle version=\"4.3\">")
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Off => "info",
    }
}

/// Several lines in an attribute: line breaks as references, or a parser makes spaces of them.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(attribute).collect();
    lines.join("&#10;")
}
