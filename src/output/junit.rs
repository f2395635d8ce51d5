//! JUnit's XML: a suite for each judged migration, a case for each finding in it. A case fails where the run does:
//! what is below `--fail-on` passes and is told in its output.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::sections::plain;
use super::text::visible;
use super::xml::{attribute, content};
use crate::finding::Finding;
use crate::report::Report;
use crate::source::Sources;

/// By path: files with judged migrations, and those that findings are about.
type Suites<'a> = BTreeMap<&'a str, Vec<&'a Finding>>;

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let suites = suites(report, sources);
    let cases: usize = suites.values().map(|findings| findings.len().max(1)).sum();
    let failures = report.findings.iter().filter(|finding| fails(finding, report)).count();
    begin(cases, failures, 0, into)?;
    for (path, findings) in &suites {
        suite(path, findings, report, sources, into)?;
    }
    writeln!(into, "</testsuites>")
}

/// A run that was impossible: a case that ended in an error.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    begin(1, 0, 1, into)?;
    writeln!(into, "  <testsuite name=\"plimsoll\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">")?;
    writeln!(into, "    <testcase classname=\"plimsoll\" name=\"run\" time=\"0\">")?;
    let message = attribute(reason.lines().next().unwrap_or_default());
    writeln!(into, "      <error message=\"{message}\" type=\"could-not-run\">{}</error>", content(reason))?;
    writeln!(into, "    </testcase>\n  </testsuite>\n</testsuites>")
}

fn begin(cases: usize, failures: usize, errors: usize, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let counts = format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\"");
    writeln!(into, "<testsuites name=\"plimsoll\" {counts} time=\"0\">")
}

fn suites<'a>(report: &'a Report, sources: &'a Sources) -> Suites<'a> {
    let judged = report.migrations.iter().filter(|migration| migration.judged);
    let mut suites: Suites = judged.map(|migration| (migration.path.as_str(), Vec::new())).collect();
    for finding in &report.findings {
        suites.entry(sources.path(finding.span.source)).or_default().push(finding);
    }
    suites
}

fn fails(finding: &Finding, report: &Report) -> bool {
    finding.severity >= report.fail_on
}

fn suite(
    path: &str,
    findings: &[&Finding],
    report: &Report,
    sources: &Sources,
    into: &mut dyn Write,
) -> io::Result<()> {
    let failures = findings.iter().filter(|finding| fails(finding, report)).count();
    let (shown, cases) = (attribute(path), findings.len().max(1));
    let counts = format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"0\"");
    writeln!(into, "  <testsuite name=\"{shown}\" {counts}>")?;
    if findings.is_empty() {
        writeln!(into, "    <testcase classname=\"{shown}\" name=\"no finding\" time=\"0\"/>")?;
    }
    for finding in findings {
        let at = sources.start(finding.span).line;
        let name = attribute(&format!("{}:{at} {}", finding.rule, finding.fingerprint));
        writeln!(into, "    <testcase classname=\"{shown}\" name=\"{name}\" time=\"0\">")?;
        let text = content(&format!("{}:{at}\n{}", visible(path), plain(finding, report, sources)));
        if fails(finding, report) {
            let message = attribute(&finding.message);
            writeln!(into, "      <failure message=\"{message}\" type=\"{}\">{text}</failure>", finding.severity)?;
        } else {
            writeln!(into, "      <system-out>{}: {text}</system-out>", finding.severity)?;
        }
        writeln!(into, "    </testcase>")?;
    }
    writeln!(into, "  </testsuite>")
}
