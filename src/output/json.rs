//! The report for machines: a versioned contract with structs of its own; `tests/formats/main.rs` has every field.
//!
//! Nothing here may follow a change of the inner types by itself: whoever parses this must not notice.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter};

use super::rule_url;
use super::text::is_inert;
use crate::finding::{Because, Finding, MigrationRef, Severity};
use crate::report::{MigrationSummary, Report};
use crate::settings::{Allow, AllowScope, Fact};
use crate::source::{Sources, Span};

/// Raised with every change that a reader could notice, additions excepted.
const VERSION: u32 = 1;

pub(super) fn render(report: &Report, sources: &Sources, into: &mut dyn Write) -> io::Result<()> {
    write(&Writer { report, sources }.document(), into)
}

/// Writes one JSON document and a line break. Characters that a terminal would act on are escaped.
pub(super) fn write(document: &impl Serialize, into: &mut dyn Write) -> io::Result<()> {
    let formatter = Inert(PrettyFormatter::new());
    // It is made of very many small writes.
    let mut text = Vec::new();
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    text.push(b'\n');
    into.write_all(&text)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: Tool,
    postgres: String,
    /// The revision that judged migrations are compared with.
    base: Option<BaseRow<'a>>,
    histories: Vec<HistoryRow<'a>>,
    migrations: Vec<MigrationRow<'a>>,
    summary: Summary,
    findings: Vec<FindingRow<'a>>,
    allowed: Vec<AllowedRow<'a>>,
    facts: Vec<FactRow<'a>>,
    /// What the judged range changes of its own check.
    changes: &'a [String],
    unread: Vec<UnreadRow<'a>>,
    /// What was noticed on the way: which runner was taken, which files were passed over and why.
    remarks: &'a [String],
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct BaseRow<'a> {
    revision: &'a str,
    commit: &'a str,
}

#[derive(Serialize)]
struct HistoryRow<'a> {
    root: &'a str,
    framework: &'static str,
    database: Option<String>,
}

#[derive(Serialize)]
struct MigrationRow<'a> {
    version: &'a str,
    path: &'a str,
    judged: bool,
    release: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary {
    migrations: usize,
    judged: usize,
    statements: usize,
    unread: usize,
    unread_judged: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    allowed: usize,
    baselined: usize,
}

/// 1-based lines and columns, columns in Unicode scalars; the end is the column after the last character.
#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct FindingRow<'a> {
    rule: &'a str,
    severity: &'static str,
    certain: bool,
    migration: Option<&'a str>,
    #[serde(flatten)]
    place: Place<'a>,
    message: &'a str,
    because: Vec<BecauseRow<'a>>,
    chain: Vec<LinkRow<'a>>,
    hits: Vec<HitRow<'a>>,
    spares: &'a [String],
    objects: &'a [String],
    instead: Option<&'a str>,
    verify: Option<&'a str>,
    stops: &'a [String],
    postgres: Vec<u8>,
    databases: &'a [String],
    fingerprint: &'a str,
    /// None for a rule of the project's own.
    url: Option<String>,
}

/// Writes that fail; no partitions: in all.
#[derive(Serialize)]
struct HitRow<'a> {
    writes: &'a str,
    partitions: &'a [String],
}

#[derive(Serialize)]
struct BecauseRow<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    text: &'a str,
    /// The text is what this other rule found.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
}

#[derive(Serialize)]
struct LinkRow<'a> {
    kind: &'static str,
    object: &'a str,
    path: Option<&'a str>,
    line: Option<u32>,
}

#[derive(Serialize)]
struct AllowedRow<'a> {
    #[serde(flatten)]
    finding: FindingRow<'a>,
    allow: AllowRow<'a>,
}

#[derive(Serialize)]
struct AllowRow<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    scope: &'static str,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct FactRow<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    table: String,
    source: Option<String>,
    columns: Vec<String>,
    filter: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct UnreadRow<'a> {
    path: &'a str,
    migration: Option<&'a str>,
    line: u32,
    column: u32,
    reason: &'a str,
    touches: &'a [String],
    judged: bool,
}

struct Writer<'a> {
    report: &'a Report,
    sources: &'a Sources,
}

impl<'a> Writer<'a> {
    fn document(&self) -> Document<'a> {
        let report = self.report;
        Document {
            version: VERSION,
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            postgres: report.postgres.to_string(),
            base: report.base.as_ref().map(|base| BaseRow { revision: &base.revision, commit: &base.commit }),
            histories: self.histories(),
            migrations: report.migrations.iter().map(migration).collect(),
            summary: summary(report),
            findings: report.findings.iter().map(|finding| self.finding(finding)).collect(),
            allowed: report.allowed.iter().map(|(finding, allow)| self.allowed(finding, allow)).collect(),
            facts: report.facts.iter().map(|fact| self.fact(fact)).collect(),
            changes: &report.changes,
            unread: self.unread(),
            remarks: &report.remarks,
        }
    }

    /// One row for each database that a history runs on.
    fn histories(&self) -> Vec<HistoryRow<'a>> {
        let mut rows = Vec::new();
        for history in &self.report.histories {
            let row = |database| HistoryRow { root: &history.root, framework: history.framework.word(), database };
            if history.databases.is_empty() {
                rows.push(row(None));
            }
            rows.extend(history.databases.iter().map(|name| row(Some(name.clone()).filter(|name| !name.is_empty()))));
        }
        rows
    }

    fn version(&self, at: MigrationRef) -> Option<&'a str> {
        self.report.migration(at).map(|migration| migration.version.as_str())
    }

    fn place(&self, span: Span) -> Place<'a> {
        let (start, end) = (self.sources.start(span), self.sources.end(span));
        Place {
            path: self.sources.path(span.source),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
        }
    }

    fn finding(&self, finding: &'a Finding) -> FindingRow<'a> {
        let because = finding.because.iter();
        let links = finding.chain.iter().map(|link| LinkRow {
            kind: link.kind.word(),
            object: &link.object,
            path: link.span.map(|span| self.sources.path(span.source)),
            line: link.span.map(|span| self.sources.start(span).line),
        });
        FindingRow {
            rule: finding.rule,
            severity: finding.severity.word(),
            certain: finding.certain,
            migration: finding.migration.and_then(|at| self.version(at)),
            place: self.place(finding.span),
            message: &finding.message,
            because: because.map(|one| self.because(one)).collect(),
            chain: links.collect(),
            hits: finding.hits.iter().map(|hit| HitRow { writes: &hit.writes, partitions: &hit.partitions }).collect(),
            spares: &finding.spares,
            objects: &finding.objects,
            instead: finding.instead.as_deref(),
            verify: finding.verify.as_deref(),
            stops: &finding.stops,
            postgres: finding.postgres.iter().map(|major| major.0).collect(),
            databases: &finding.databases,
            fingerprint: &finding.fingerprint,
            url: rule_url(finding.rule),
        }
    }

    fn because(&self, because: &'a Because) -> BecauseRow<'a> {
        BecauseRow { place: self.place(because.span), text: &because.text, rule: because.rule }
    }

    fn allowed(&self, finding: &'a Finding, allow: &'a Allow) -> AllowedRow<'a> {
        let at = self.sources.start(allow.span);
        let scope = match allow.scope {
            AllowScope::Statement(_) => "statement",
            AllowScope::File => "file",
            AllowScope::Migration { .. } => "settings",
        };
        let path = self.sources.path(allow.span.source);
        let allow = AllowRow { path, line: at.line, column: at.column, scope, reason: allow.reason.as_deref() };
        AllowedRow { finding: self.finding(finding), allow }
    }

    fn fact(&self, fact: &'a Fact) -> FactRow<'a> {
        FactRow {
            place: self.place(fact.span),
            table: fact.table.to_string(),
            source: fact.source.as_ref().map(ToString::to_string),
            columns: fact.columns.iter().map(ToString::to_string).collect(),
            filter: fact.filter.as_deref(),
            reason: fact.reason.as_deref(),
        }
    }

    fn unread(&self) -> Vec<UnreadRow<'a>> {
        let rows = self.report.unread.iter().map(|unread| {
            let at = self.sources.start(unread.span);
            UnreadRow {
                path: self.sources.path(unread.span.source),
                migration: self.version(unread.migration),
                line: at.line,
                column: at.column,
                reason: &unread.reason,
                touches: &unread.touches,
                judged: unread.judged,
            }
        });
        rows.collect()
    }
}

fn migration(summary: &MigrationSummary) -> MigrationRow<'_> {
    MigrationRow {
        version: &summary.version,
        path: &summary.path,
        judged: summary.judged,
        release: summary.release.as_deref(),
    }
}

fn summary(report: &Report) -> Summary {
    Summary {
        migrations: report.migrations.len(),
        judged: report.migrations.iter().filter(|migration| migration.judged).count(),
        statements: report.statements,
        unread: report.unread.len(),
        unread_judged: report.unread.iter().filter(|unread| unread.judged).count(),
        errors: report.count(Severity::Error),
        warnings: report.count(Severity::Warning),
        notes: report.count(Severity::Note),
        allowed: report.allowed.len(),
        baselined: report.baselined.len(),
    }
}

/// Pretty JSON whose strings escape more than JSON demands: a log viewer must not act on a table's name.
struct Inert<'a>(PrettyFormatter<'a>);

impl Formatter for Inert<'_> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'#') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        // `##[` makes a line of a job's log a command of GitHub's runner.
        let escapes =
            |rest: &str, at: usize, one: char| !is_inert(one) || (one == '#' && rest[at..].starts_with("##["));
        while let Some((at, character)) = rest.char_indices().find(|(at, one)| escapes(rest, *at, *one)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
