//! The one report that every format renders, and the text at a place of it, counted by hand.

use plimsoll::finding::{Because, Finding, Hit, Link, LinkKind, MigrationRef, Severity};
use plimsoll::history::Framework;
use plimsoll::operation::Name;
use plimsoll::output::{self, Format, Options};
use plimsoll::report::{BaseSummary, HistorySummary, MigrationSummary, Report, UnreadStatement};
use plimsoll::settings::{Allow, AllowScope, Fact};
use plimsoll::source::{Sources, Span};
use plimsoll::version::{Major, VersionRange};

pub const FIRST: &str = "create table users (id bigint primary key);\r\ncreate table café (id bigint);\n";
pub const SECOND: &str = "-- é è: two bytes each\n/* ü */ alter table café\n  add foreign key (id) references users;\n\
    update café set id = 1; frobnicate;\n";

pub fn span(sources: &Sources, path: &str, text: &str) -> Span {
    let id = sources.find(path).unwrap();
    let start = sources.get(id).text.find(text).unwrap() as u32;
    Span { source: id, start, end: start + text.len() as u32 }
}

pub fn shared() -> (Sources, Report) {
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
        brief: String::new(),
        because: vec![Because {
            span: span(&sources, "db/001_first.sql", "create table café (id bigint)"),
            text: "`café` was created here".to_owned(),
            rule: None,
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
        rank: 0,
        for_all: false,
        operation: "alter-table add-constraint",
        fingerprint: "0123456789abcdef".to_owned(),
    };
    let note = Finding {
        rule: "drop-default",
        severity: Severity::Note,
        certain: false,
        span: span(&sources, "db/002_second.sql", "update café set id = 1"),
        message: "this update depends on data".to_owned(),
        brief: String::new(),
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
        details: Vec::new(),
        changes: vec!["plimsoll.toml: `fail-on` is note, it was error".to_owned()],
        remarks: vec!["plain SQL files in db".to_owned()],
    };
    (sources, report)
}

pub fn rendered(format: Format, options: Options) -> String {
    let (sources, report) = shared();
    written(&report, &sources, format, options)
}

pub fn written(report: &Report, sources: &Sources, format: Format, options: Options) -> String {
    let mut bytes = Vec::new();
    output::render(report, sources, format, options, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The text between two places: lines from 1, columns in scalars from 1, the end behind the last character.
pub fn text_between(path: &str, start: (usize, usize), end: (usize, usize)) -> String {
    let text = match path {
        "db/001_first.sql" => FIRST,
        "db/002_second.sql" => SECOND,
        other => panic!("no file is called {other}"),
    };
    let offset = |(line, column): (usize, usize)| {
        let before: usize = text.split('\n').take(line - 1).map(|line| line.len() + 1).sum();
        let rest = text.split('\n').nth(line - 1).unwrap();
        before + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>()
    };
    text[offset(start)..offset(end)].to_owned()
}
