//! One report in every format: what each says about a place, a fingerprint or a number must be true.

#![allow(clippy::unwrap_used)]

use plimsoll::finding::{Because, Finding, Hit, Link, LinkKind, MigrationRef, Severity};
use plimsoll::history::Framework;
use plimsoll::operation::Name;
use plimsoll::output::{self, Format, Options};
use plimsoll::report::{BaseSummary, HistorySummary, MigrationSummary, Report, UnreadStatement};
use plimsoll::settings::{Allow, AllowScope, Fact};
use plimsoll::source::{Sources, Span};
use plimsoll::version::{Major, VersionRange};
use serde_json::{Value, json};

const FIRST: &str = "create table users (id bigint primary key);\r\ncreate table café (id bigint);\n";
const SECOND: &str = "-- é è: two bytes each\n/* ü */ alter table café\n  add foreign key (id) references users;\n\
    update café set id = 1; frobnicate;\n";

fn span(sources: &Sources, path: &str, text: &str) -> Span {
    let id = sources.find(path).unwrap();
    let start = sources.get(id).text.find(text).unwrap() as u32;
    Span { source: id, start, end: start + text.len() as u32 }
}

fn shared() -> (Sources, Report) {
    let mut sources = Sources::default();
    sources.add("db/001_first.sql", FIRST);
    sources.add("db/002_second.sql", SECOND);
    let at = |migration| MigrationRef { history: 0, migration };
    let key = Finding {
        rule: "fk-before-backfill",
        severity: Severity::Error,
        certain: true,
        migration: Some(at(1)),
        span: span(&sources, "db/002_second.sql", "alter table café\n  add foreign key (id) references users"),
        message: "writes to `café` fail while `users` is not filled".to_owned(),
        because: vec![Because {
            span: span(&sources, "db/001_first.sql", "create table café (id bigint)"),
            text: "`café` was created here".to_owned(),
        }],
        chain: vec![
            Link { kind: LinkKind::Write, object: "INSERT café".to_owned(), span: None },
            Link {
                kind: LinkKind::Constraint,
                object: "café_id_fkey".to_owned(),
                span: Some(span(&sources, "db/002_second.sql", "alter table café")),
            },
        ],
        hits: vec![Hit { writes: "INSERT of `café`".to_owned(), partitions: vec!["café_1".to_owned()] }],
        spares: vec!["rows that are new".to_owned()],
        objects: vec!["public.\"café\"".to_owned(), "public.users".to_owned()],
        instead: Some("Fill it first, then:\nALTER TABLE \"café\" VALIDATE CONSTRAINT x;".to_owned()),
        verify: Some("SELECT count(*) FROM \"café\";".to_owned()),
        stops: vec!["after the first statement: nothing is left".to_owned()],
        postgres: vec![Major(14), Major(15)],
        databases: vec!["main".to_owned()],
        fault: String::new(),
        operation: "alter-table add-constraint",
        fingerprint: "0123456789abcdef".to_owned(),
    };
    let note = Finding {
        rule: "depends-on-data",
        severity: Severity::Note,
        certain: false,
        span: span(&sources, "db/002_second.sql", "update café set id = 1"),
        message: "this update depends on data".to_owned(),
        because: Vec::new(),
        chain: Vec::new(),
        hits: Vec::new(),
        spares: Vec::new(),
        instead: None,
        verify: None,
        stops: Vec::new(),
        fingerprint: "fedcba9876543210".to_owned(),
        ..key.clone()
    };
    let allow_span = span(&sources, "db/002_second.sql", "-- é è: two bytes each");
    let allow = Allow {
        span: allow_span,
        rule: "drop-column".to_owned(),
        reason: Some("agreed".to_owned()),
        scope: AllowScope::File,
    };
    let allowed = Finding { rule: "drop-column", fingerprint: "aaaaaaaaaaaaaaaa".to_owned(), ..note.clone() };
    let migration = |index, version: &str, path: &str, judged| MigrationSummary {
        at: at(index),
        version: version.to_owned(),
        path: path.to_owned(),
        judged,
        release: None,
    };
    let report = Report {
        base: Some(BaseSummary { revision: "origin/main".to_owned(), commit: "c0ffee".to_owned() }),
        postgres: VersionRange::default(),
        fail_on: Severity::Error,
        histories: vec![HistorySummary {
            root: "db".to_owned(),
            framework: Framework::Plain,
            databases: vec!["main".to_owned()],
        }],
        migrations: vec![
            migration(0, "001", "db/001_first.sql", false),
            migration(1, "002", "db/002_second.sql", true),
        ],
        findings: vec![key, note],
        allowed: vec![(allowed, allow)],
        baselined: Vec::new(),
        facts: vec![Fact {
            span: allow_span,
            table: Name::bare("users"),
            source: None,
            columns: Vec::new(),
            filter: None,
            reason: Some("done in 2020".to_owned()),
        }],
        unread: vec![UnreadStatement {
            migration: at(1),
            span: span(&sources, "db/002_second.sql", "frobnicate"),
            reason: "no such statement".to_owned(),
            touches: vec!["users".to_owned()],
            judged: true,
        }],
        statements: 5,
        remarks: vec!["plain SQL files in db".to_owned()],
    };
    (sources, report)
}

fn rendered(format: Format, options: Options) -> String {
    let (sources, report) = shared();
    let mut bytes = Vec::new();
    output::render(&report, &sources, format, options, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn json() -> Value {
    serde_json::from_str(&rendered(Format::Json, Options::default())).unwrap()
}

/// The text between two places, counted by hand: lines from 1, columns in scalars from 1.
fn text_at(place: &Value) -> String {
    let text = if place["path"] == "db/001_first.sql" { FIRST } else { SECOND };
    let number = |key: &str| place[key].as_u64().unwrap() as usize;
    let offset = |line: usize, column: usize| {
        let before: usize = text.split('\n').take(line - 1).map(|line| line.len() + 1).sum();
        let rest = text.split('\n').nth(line - 1).unwrap();
        before + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>()
    };
    text[offset(number("line"), number("column"))..offset(number("end_line"), number("end_column"))].to_owned()
}

#[test]
fn json_has_exactly_the_fields_of_its_contract() {
    let document = json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&document),
        "allowed base facts findings histories migrations postgres summary tool unread version"
    );
    assert_eq!(document["version"], 1);
    assert_eq!(document["tool"], json!({"name": "plimsoll", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(document["postgres"], "14..18");
    assert_eq!(document["base"], json!({"revision": "origin/main", "commit": "c0ffee"}));
    assert_eq!(document["histories"], json!([{"root": "db", "framework": "plain", "database": "main"}]));
    assert_eq!(
        document["migrations"][1],
        json!({"version": "002", "path": "db/002_second.sql", "judged": true, "release": null})
    );
    assert_eq!(
        document["summary"],
        json!({"migrations": 2, "judged": 1, "statements": 5, "unread": 1, "unread_judged": 1, "errors": 1,
            "warnings": 0, "notes": 1, "allowed": 1, "baselined": 0})
    );
    let finding = &document["findings"][0];
    let fields = "because certain chain column databases end_column end_line fingerprint hits instead line \
        message migration objects path postgres rule severity spares stops url verify";
    assert_eq!(keys(finding), fields);
    assert_eq!(finding["hits"], json!([{"writes": "INSERT of `café`", "partitions": ["café_1"]}]));
    assert_eq!(finding["spares"], json!(["rows that are new"]));
    assert_eq!(keys(&finding["because"][0]), "column end_column end_line line path text");
    assert_eq!(
        finding["chain"],
        json!([{"kind": "write", "object": "INSERT café", "path": null, "line": null},
            {"kind": "constraint", "object": "café_id_fkey", "path": "db/002_second.sql", "line": 2}])
    );
    assert_eq!((&finding["postgres"], &finding["migration"]), (&json!([14, 15]), &json!("002")));
    assert_eq!(finding["url"], "https://github.com/plimsoll/plimsoll/blob/main/rules/fk-before-backfill.md");
    assert_eq!(document["findings"][1]["certain"], false);
    assert_eq!(keys(&document["allowed"][0]).replace("allow ", ""), fields);
    assert_eq!(
        document["allowed"][0]["allow"],
        json!({"path": "db/002_second.sql", "line": 1, "column": 1, "scope": "file", "reason": "agreed"})
    );
    assert_eq!(keys(&document["facts"][0]), "column columns end_column end_line filter line path reason source table");
    assert_eq!(
        document["unread"],
        json!([{"path": "db/002_second.sql", "migration": "002", "line": 4, "column": 25,
            "reason": "no such statement", "touches": ["users"], "judged": true}])
    );
}

#[test]
fn places_hold_the_text_they_name() {
    let document = json();
    let findings = &document["findings"];
    assert_eq!(text_at(&findings[0]), "alter table café\n  add foreign key (id) references users");
    assert_eq!(text_at(&findings[0]["because"][0]), "create table café (id bigint)");
    assert_eq!(text_at(&findings[1]), "update café set id = 1");
    let human = rendered(Format::Human, Options { notes: true, ..Options::default() });
    for finding in findings.as_array().unwrap() {
        let place = format!("[{}:{}:{}]", finding["path"].as_str().unwrap(), finding["line"], finding["column"]);
        assert!(human.contains(&place), "{place} in\n{human}");
        assert!(human.contains(finding["message"].as_str().unwrap()));
    }
}

#[test]
fn every_format_is_complete_and_the_same_each_time() {
    for format in Format::ALL {
        let once = rendered(format, Options::default());
        assert_eq!(once, rendered(format, Options::default()));
        assert!(once.ends_with('\n'), "{}", format.word());
        for text in ["fk-before-backfill", "VALIDATE CONSTRAINT x;", "café_id_fkey", "done in 2020"] {
            assert!(once.contains(text), "{} lacks {text}:\n{once}", format.word());
        }
    }
}

#[test]
fn notes_are_counted_and_shown_when_asked_for() {
    let without = rendered(Format::Human, Options::default());
    assert!(without.contains("1 error, 1 note (notes are shown with --notes); 1 of 2 migrations judged"), "{without}");
    assert!(!without.contains("depends-on-data"));
    let with = rendered(Format::Human, Options { notes: true, ..Options::default() });
    assert!(with.contains("note[depends-on-data]"));
}

#[test]
fn colour_only_where_asked_for() {
    assert!(!rendered(Format::Human, Options::default()).contains('\u{1b}'));
    assert!(rendered(Format::Human, Options { color: true, ..Options::default() }).contains('\u{1b}'));
    assert!(!rendered(Format::Json, Options { color: true, ..Options::default() }).contains('\u{1b}'));
}

#[test]
fn long_lines_are_cut_and_hostile_text_is_inert() {
    let (mut sources, mut report) = shared();
    let hostile = format!("{}select '\u{1b}]0;x\u{7}\u{202e}';{}", " ".repeat(500_000), "x".repeat(500_000));
    let id = sources.add("db/\u{1b}[31m\nevil.sql", hostile);
    report.findings[0].span = Span { source: id, start: 500_000, end: 500_020 };
    report.findings[0].message = "`a\u{1b}[2J\nb` fails".to_owned();
    for format in Format::ALL {
        let mut bytes = Vec::new();
        output::render(&report, &sources, format, Options::default(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.len() < 20_000, "{}: {} bytes", format.word(), text.len());
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
        assert!(!text.contains("\nevil"), "{text}");
    }
}

#[test]
fn thousands_of_findings_on_one_line_take_no_time() {
    let (mut sources, mut report) = shared();
    let id = sources.add("db/long.sql", "select 1; ".repeat(100_000));
    let finding = report.findings[0].clone();
    report.findings = (0..5_000)
        .map(|at| Finding { span: Span { source: id, start: at * 200, end: at * 200 + 8 }, ..finding.clone() })
        .collect();
    let begun = std::time::Instant::now();
    for format in Format::ALL {
        output::render(&report, &sources, format, Options::default(), &mut std::io::sink()).unwrap();
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
