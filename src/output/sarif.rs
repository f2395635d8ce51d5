//! SARIF 2.1.0 as forges read it: GitHub honours one fingerprint, one place, links in messages, help and code flows.
//!
//! Always a whole document, also of a run that was impossible.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::json::write;
use super::sections::{facts, first_line, link, ranked, sections};
use super::text::{visible, visible_lines};
use super::uri::encoded;
use super::{RULE_PAGES, rule_url};
use crate::finding::{Because, Finding, Severity};
use crate::report::Report;
use crate::rules::Rule;
use crate::settings::{Allow, AllowScope};
use crate::source::{Sources, Span};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// GitHub refuses more results in one run, and reads no more related places of one.
const RESULTS: usize = 25_000;
const PLACES: usize = 100;
/// GitHub refuses longer descriptions of rules.
const DESCRIPTION: usize = 1024;

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    let writer = Writer { report, sources, rules: rules(report) };
    let found = ranked(report.findings.iter());
    let left_out = (found.len() + report.allowed.len() + report.baselined.len()).saturating_sub(RESULTS);
    let mut results: Vec<Value> = found.iter().map(|finding| writer.result(finding)).collect();
    results.extend(report.allowed.iter().map(|(finding, allow)| writer.allowed(finding, allow)));
    results.extend(report.baselined.iter().map(|finding| writer.baselined(finding)));
    results.truncate(RESULTS);

    let mut told: Vec<Value> = report.remarks.iter().map(|remark| notification("note", remark)).collect();
    told.extend(facts(report, sources).iter().map(|fact| notification("note", fact)));
    let changes = report.changes.iter().map(|change| format!("this change edits its own check: {change}"));
    told.extend(changes.map(|change| notification("warning", &change)));
    if left_out > 0 {
        told.push(notification("warning", &format!("{left_out} results are left out: forges read {RESULTS}")));
    }
    let invocation = json!({
        "executionSuccessful": true,
        "exitCode": report.outcome().exit_code(),
        "toolExecutionNotifications": told,
    });
    write(&log(&writer.rules, &results, &invocation), into)
}

/// A run that was impossible: no results, and why.
pub(super) fn render_failure(reason: &str, into: &mut dyn Write) -> io::Result<()> {
    let invocation = json!({
        "executionSuccessful": false,
        "exitCode": crate::error::EXIT_CODE,
        "toolExecutionNotifications": [notification("error", reason)],
    });
    write(&log(&BTreeMap::new(), &[], &invocation), into)
}

fn log(rules: &BTreeMap<&'static str, Value>, results: &[Value], invocation: &Value) -> Value {
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.values().collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": "plimsoll/"},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
        }],
    })
}

fn notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": visible_lines(text)}})
}

/// The rules that results name, in the order of their ids.
fn rules(report: &Report) -> BTreeMap<&'static str, Value> {
    let allowed = report.allowed.iter().map(|(finding, _)| finding);
    let named = report.findings.iter().chain(allowed).chain(&report.baselined).map(|finding| finding.rule);
    let of = |id: &'static str| (id, Rule::find(id).map_or_else(|| own(id), rule));
    named.map(of).collect()
}

fn rule(rule: &Rule) -> Value {
    let page = rule.page();
    let described = page.why.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let described = if described.is_empty() { &page.summary } else { &described };
    let described: String = described.chars().take(DESCRIPTION).collect();
    let help = page.prose();
    json!({
        "id": page.id,
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": described},
        "help": {"text": help, "markdown": help},
        "helpUri": rule_url(&page.id).unwrap_or(RULE_PAGES.to_owned()),
        "defaultConfiguration": {"enabled": page.severity > Severity::Off, "level": level(page.severity)},
        "properties": {
            "tags": page.tags,
            "precision": "high",
            "problem.severity": problem_severity(page.severity),
        },
    })
}

/// A rule of the project's own: its page lies in the project.
fn own(id: &str) -> Value {
    let told = json!({"text": format!("{id}, a rule of this project's own")});
    json!({"id": id, "shortDescription": told, "fullDescription": told, "help": told})
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
        Severity::Off => "none",
    }
}

/// GitHub's own word for it.
fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Off => "recommendation",
    }
}

struct Writer<'a> {
    report: &'a Report,
    sources: &'a Sources,
    rules: BTreeMap<&'static str, Value>,
}

impl Writer<'_> {
    fn result(&self, finding: &Finding) -> Value {
        let related =
            finding.because.iter().take(PLACES).enumerate().map(|(at, because)| self.related(at + 1, because));
        let mut result = json!({
            "ruleId": finding.rule,
            "level": level(finding.severity),
            "message": {"text": self.message(finding)},
            "locations": [self.location(finding.span)],
            "relatedLocations": related.collect::<Vec<_>>(),
            "partialFingerprints": {
                // The only one that GitHub reads; its form is a hash, and which of several equal ones.
                "primaryLocationLineHash": format!("{}:1", finding.fingerprint),
                "plimsoll/v1": finding.fingerprint,
            },
            "properties": {
                "certain": finding.certain,
                "objects": finding.objects.iter().map(|object| visible(object)).collect::<Vec<_>>(),
                "postgres": finding.postgres.iter().map(|major| major.0).collect::<Vec<_>>(),
                "databases": finding.databases.iter().map(|name| visible(name)).collect::<Vec<_>>(),
            },
        });
        if let Some(index) = self.rules.keys().position(|id| *id == finding.rule) {
            result["ruleIndex"] = json!(index);
        }
        if !finding.chain.is_empty() {
            result["codeFlows"] = json!([{"threadFlows": [{"locations": self.flow(finding)}]}]);
        }
        result
    }

    fn allowed(&self, finding: &Finding, allow: &Allow) -> Value {
        let kind = match allow.scope {
            AllowScope::Statement(_) | AllowScope::File => "inSource",
            AllowScope::Migration { .. } => "external",
        };
        let reason = allow.reason.as_deref().unwrap_or("no reason given");
        self.suppressed(finding, kind, reason)
    }

    fn baselined(&self, finding: &Finding) -> Value {
        self.suppressed(finding, "external", "known: it is in the baseline")
    }

    fn suppressed(&self, finding: &Finding, kind: &str, reason: &str) -> Value {
        let mut result = self.result(finding);
        result["suppressions"] = json!([{"kind": kind, "justification": visible_lines(reason)}]);
        result
    }

    /// The message, links to the places that make it true, and the ways out. The first sentence is the title.
    fn message(&self, finding: &Finding) -> String {
        let mut text = unlinked(&visible(&finding.message));
        for (at, because) in finding.because.iter().take(PLACES).enumerate() {
            let reason = unlinked(&visible(&because.told()));
            text.push_str(&format!("{} [{reason}]({})", if at == 0 { ". Because:" } else { ";" }, at + 1));
        }
        for section in sections(finding, self.report) {
            let told = unlinked(&section.text);
            let gap = if section.code.is_some() { "\n" } else { " " };
            text.push_str(&format!("\n{}:{gap}{told}", section.word));
        }
        text
    }

    fn related(&self, id: usize, because: &Because) -> Value {
        let mut location = self.location(because.span);
        location["id"] = json!(id);
        location["message"] = json!({"text": unlinked(&visible(&because.told()))});
        location
    }

    /// The way a write takes. A link without a place of its own stands at the finding's.
    fn flow(&self, finding: &Finding) -> Vec<Value> {
        let step = |one| {
            let told: &crate::finding::Link = one;
            let mut location = self.location(told.span.unwrap_or(finding.span));
            location["message"] = json!({"text": unlinked(&visible(&link(told)))});
            json!({"location": location})
        };
        finding.chain.iter().map(step).collect()
    }

    /// The first line, and all of it as its context: GitHub shows a note only where all of its lines are changed.
    fn location(&self, span: Span) -> Value {
        let mut place = json!({
            "artifactLocation": {"uri": encoded(self.sources.path(span.source)), "uriBaseId": "%SRCROOT%"},
            "region": self.region(first_line(span, self.sources)),
        });
        if self.sources.end(span).line > self.sources.start(span).line {
            place["contextRegion"] = self.region(span);
        }
        json!({"physicalLocation": place})
    }

    fn region(&self, span: Span) -> Value {
        let (start, end) = (self.sources.start(span), self.sources.end(span));
        json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        })
    }
}

/// SARIF reads `[text](place)` in messages as a link, and a backslash as the escape from it.
fn unlinked(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}
