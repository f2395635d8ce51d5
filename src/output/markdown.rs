//! A comment for a merge request: the verdict, findings folded, the way of failing writes as a drawing.
//!
//! Forges act on what they read: mentions, references, closing keywords, HTML. Whatever comes from inputs stands in code.

mod escape;

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::sections::{coverage, facts, found, place, ranked, sections};
use super::{Options, mermaid, rule_url};
use crate::finding::{Finding, Severity};
use crate::report::{Outcome, Report};
use crate::source::Sources;
use escape::{code, fenced, prose};

/// GitHub takes 65 536 characters in a comment, GitLab a million; what is left over is for the closing lines.
const LIMIT: usize = 60_000;
/// By this line a job finds the comment that it wrote before.
const MARK: &str = "<!-- plimsoll -->";

pub(super) fn render(report: &Report, sources: &Sources, options: Options, into: &mut dyn Write) -> io::Result<()> {
    let shown = report.findings.iter().filter(|finding| options.notes || finding.severity > Severity::Note);
    let ranked = ranked(shown);
    let sign = match report.outcome() {
        Outcome::Findings => "❌",
        Outcome::Clean if ranked.is_empty() => "✅",
        Outcome::Clean => "⚠️",
    };
    let mut text = format!("{MARK}\n### {sign} plimsoll: {}\n\n{}.\n", found(report), coverage(report));
    let mut rules = BTreeSet::new();
    let mut left_out = 0;
    for finding in &ranked {
        let part = folded(finding, report, sources, rules.insert(finding.rule));
        if text.len() + part.len() > LIMIT {
            left_out += 1;
            continue;
        }
        text.push_str(&part);
    }
    if left_out > 0 {
        text.push_str(&format!("\n{left_out} further findings do not fit into a comment.\n"));
    }
    let drawing = mermaid::paths(&ranked);
    if !drawing.is_empty() && text.len() + drawing.len() < LIMIT {
        text.push_str(&format!("\nThe way of the writes that fail:\n\n```mermaid\n{drawing}\n```\n"));
    }
    let changes = report.changes.iter().map(|change| format!("this change edits its own check: {change}"));
    for told in changes.chain(facts(report, sources)) {
        let line = format!("\n{}\n", prose(&told));
        if text.len() + line.len() < LIMIT {
            text.push_str(&line);
        }
    }
    into.write_all(text.as_bytes())
}

/// A run that was impossible.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    write!(into, "{MARK}\n### ❌ plimsoll could not run\n\n{}", fenced(reason, "text"))
}

/// One finding, closed; the first of its rule links the page.
fn folded(finding: &Finding, report: &Report, sources: &Sources, is_first: bool) -> String {
    let sign = match finding.severity {
        Severity::Error => "🟥",
        Severity::Warning => "🟨",
        Severity::Note | Severity::Off => "⬜",
    };
    let at = place(finding.span, sources);
    let head = format!("{sign} <b>{}</b>: {}", finding.rule, prose(&finding.message));
    let mut text = format!("\n<details><summary>{head}</summary>\n\n{}\n", code(&at));
    for because in &finding.because {
        let at = place(because.span, sources);
        text.push_str(&format!("- because {} ({})\n", prose(&because.told()), code(&at)));
    }
    for section in sections(finding, report) {
        if let Some(language) = section.code {
            text.push_str(&format!("\n**{}**\n\n{}\n", section.word, fenced(&section.text, language)));
        } else {
            let lines: Vec<String> = section.text.lines().map(prose).collect();
            text.push_str(&format!("- **{}**: {}\n", section.word, lines.join("<br>")));
        }
    }
    if let Some(address) = rule_url(finding.rule).filter(|_| is_first) {
        text.push_str(&format!("\n[Why it hurts, and what to do instead]({address})\n"));
    }
    text.push_str("\n</details>\n");
    text
}
