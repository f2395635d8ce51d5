//! One report in every format: what each says about a place, a fingerprint or a number must be true.

#![allow(clippy::unwrap_used)]

mod browser;
#[path = "../command/mod.rs"]
mod command;
mod hostile;
mod machines;
mod page;
mod published;
mod report;
mod schema;

use plimsoll::finding::Finding;
use plimsoll::output::{self, Format, Options};
use plimsoll::source::Span;
use report::{rendered, shared, text_between, written};
use serde_json::{Value, json};

fn json() -> Value {
    serde_json::from_str(&rendered(Format::Json, Options::default())).unwrap()
}

/// The text at a place of the JSON report.
fn text_at(place: &Value) -> String {
    let number = |key: &str| place[key].as_u64().unwrap() as usize;
    let end = (number("end_line"), number("end_column"));
    text_between(place["path"].as_str().unwrap(), (number("line"), number("column")), end)
}

#[test]
fn json_has_exactly_the_fields_of_its_contract() {
    let document = json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&document),
        "allowed base changes facts findings histories migrations postgres remarks summary tool unread version"
    );
    assert_eq!(document["version"], 1);
    assert_eq!(document["tool"], json!({"name": "plimsoll", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(document["postgres"], "14..18");
    assert_eq!(document["base"], json!({"revision": "origin/main", "commit": "c0ffee"}));
    assert_eq!(document["remarks"], json!(["plain SQL files in db"]));
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
        let mut wanted = vec!["fk-before-backfill", "writes to"];
        // GitLab shows one line of a finding and nothing of the run.
        if format != Format::Gitlab {
            wanted.extend(["VALIDATE CONSTRAINT x;", "café", "fails: INSERT"]);
        }
        if matches!(format, Format::Human | Format::Json | Format::Sarif | Format::Markdown | Format::Html) {
            wanted.push("done in 2020");
        }
        for text in wanted {
            let text = if matches!(format, Format::Json | Format::Markdown | Format::Html) {
                text.trim_start_matches("fails: ")
            } else {
                text
            };
            assert!(once.contains(text), "{} lacks {text}:\n{once}", format.word());
        }
    }
}

#[test]
fn notes_are_counted_and_shown_when_asked_for() {
    let without = rendered(Format::Human, Options::default());
    assert!(without.contains("1 error, 1 note (notes are shown with --notes); 1 of 2 migrations judged"), "{without}");
    assert!(!without.contains("drop-default"));
    let with = rendered(Format::Human, Options { notes: true, ..Options::default() });
    assert!(with.contains("note[drop-default]"));
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
        let text = written(&report, &sources, format, Options::default());
        assert!(text.len() < 40_000, "{}: {} bytes", format.word(), text.len());
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
    for format in Format::ALL {
        let begun = std::time::Instant::now();
        output::render(&report, &sources, format, Options::default(), &mut std::io::sink()).unwrap();
        // Seconds even on a busy machine; what grows with the square takes minutes.
        assert!(begun.elapsed().as_secs() < 60, "{}: {:?}", format.word(), begun.elapsed());
    }
}
