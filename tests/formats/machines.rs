//! What parsers of the formats make of them: structure, places, fingerprints.

use plimsoll::error::Error;
use plimsoll::finding::{Finding, Severity};
use plimsoll::output::{self, Format, Options};
use plimsoll::report::Report;
use plimsoll::source::Sources;
use roxmltree::Document;
use serde_json::Value;

use super::report::{rendered, shared, text_between, written};
use super::schema;

const KEY: &str = "alter table café\n  add foreign key (id) references users";

fn all() -> Options {
    Options { notes: true, ..Options::default() }
}

/// The shared report without any finding.
fn empty() -> (Sources, Report) {
    let (sources, mut report) = shared();
    report.findings.clear();
    report.allowed.clear();
    (sources, report)
}

fn failure(format: Format) -> String {
    let error = Error::Usage { message: "bad \u{1b}[1m <thing>".to_owned(), help: "mend it".to_owned() };
    let mut bytes = Vec::new();
    output::render_failure(&error, format, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn sarif(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let published = std::fs::read_to_string("tests/schemas/sarif-2.1.0.json").unwrap();
    let faults = schema::faults(&document, &serde_json::from_str(&published).unwrap());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    document
}

/// The text at a region, and that around it.
fn regions(location: &Value) -> (String, Option<String>) {
    let place = &location["physicalLocation"];
    let path = place["artifactLocation"]["uri"].as_str().unwrap();
    let text = |region: &Value| {
        let number = |key: &str| region[key].as_u64().unwrap() as usize;
        let (start, end) = (("startLine", "startColumn"), ("endLine", "endColumn"));
        text_between(path, (number(start.0), number(start.1)), (number(end.0), number(end.1)))
    };
    (text(&place["region"]), place.get("contextRegion").map(text))
}

#[test]
fn sarif_is_valid_and_says_what_github_reads() {
    let document = sarif(&rendered(Format::Sarif, Options::default()));
    let run = &document["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["invocations"][0]["exitCode"], 1);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3, "two findings and one that is allowed");
    let result = &results[0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"fk-before-backfill".into(), &"error".into()));
    let fingerprint = &result["partialFingerprints"]["primaryLocationLineHash"];
    assert_eq!(fingerprint, "0123456789abcdef:1");
    assert_eq!(regions(&result["locations"][0]), ("alter table café".to_owned(), Some(KEY.to_owned())));
    let related = &result["relatedLocations"][0];
    assert_eq!(regions(related), ("create table café (id bigint)".to_owned(), None));
    assert_eq!(related["id"], 1);
    let message = result["message"]["text"].as_str().unwrap();
    assert!(message.contains("[`café` was created here](1)"), "{message}");
    let flow = &result["codeFlows"][0]["threadFlows"][0]["locations"];
    assert_eq!(flow[0]["location"]["message"]["text"], "INSERT café");
    assert_eq!(regions(&flow[1]["location"]).0, "alter table café");
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        for text in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown", "/helpUri"] {
            assert!(rule.pointer(text).and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{text}");
        }
    }
    assert_eq!(results[1]["level"], "note");
    assert_eq!(results[2]["suppressions"][0]["justification"], "agreed");
}

#[test]
fn sarif_is_whole_without_findings_and_on_failure() {
    let (sources, report) = empty();
    let none = sarif(&written(&report, &sources, Format::Sarif, Options::default()));
    assert_eq!(none["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(none["runs"][0]["invocations"][0]["exitCode"], 0);
    let failed = sarif(&failure(Format::Sarif));
    let invocation = &failed["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told = &invocation["toolExecutionNotifications"][0];
    assert_eq!(told["message"]["text"], "bad ␛[1m <thing>\nmend it");
}

#[test]
fn annotations_are_sorted_and_capped() {
    let text = rendered(Format::Github, all());
    let first = text.lines().next().unwrap();
    let place =
        "::error file=db/002_second.sql,line=2,endLine=2,col=9,endColumn=25,title=plimsoll%3A fk-before-backfill::";
    assert!(first.starts_with(place), "{first}");
    assert_eq!(text_between("db/002_second.sql", (2, 9), (2, 25)), "alter table café");
    assert!(first.contains("%0Abecause `café` was created here (db/001_first.sql:2)%0Apath: "), "{first}");
    assert!(text.contains("::notice file=") && !rendered(Format::Github, Options::default()).contains("::notice"));

    let (sources, mut report) = shared();
    let one = report.findings[0].clone();
    let warning = Finding { severity: Severity::Warning, ..one.clone() };
    report.findings = [vec![warning; 14], vec![one; 12]].concat();
    let text = written(&report, &sources, Format::Github, Options::default());
    let kinds: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let expected = [vec!["::error"; 10], vec!["2"], vec!["::warning"; 10], vec!["4", "12"]].concat();
    assert_eq!(kinds, expected, "errors first, ten of a kind, then a word on the rest, then the counts");
}

#[test]
fn gitlab_reads_five_fields() {
    let issues: Value = serde_json::from_str(&rendered(Format::Gitlab, Options::default())).unwrap();
    assert_eq!(
        issues[0],
        serde_json::json!({
            "description": "fk-before-backfill: writes to `café` fail while `users` is not filled",
            "check_name": "fk-before-backfill", "fingerprint": "0123456789abcdef", "severity": "critical",
            "location": {"path": "db/002_second.sql", "lines": {"begin": 2, "end": 3}},
        })
    );
    assert_eq!(issues[1]["severity"], "info");
    let (sources, report) = empty();
    assert_eq!(written(&report, &sources, Format::Gitlab, Options::default()), "[]\n");
    let failed: Value = serde_json::from_str(&failure(Format::Gitlab)).unwrap();
    assert_eq!(failed[0]["severity"], "blocker");
}

/// Counts as JUnit's schema has them: each suite's and the document's are those of the cases in it.
#[track_caller]
fn check_junit(text: &str) -> (usize, usize, usize) {
    let document = Document::parse(text).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let number = |node: roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let count = |node: roxmltree::Node, name: &str| node.descendants().filter(|one| one.has_tag_name(name)).count();
    let counts = |node| (count(node, "testcase"), count(node, "failure"), count(node, "error"));
    let nodes = root.children().filter(roxmltree::Node::is_element).chain([root]);
    for node in nodes {
        assert_eq!((number(node, "tests"), number(node, "failures"), number(node, "errors")), counts(node));
    }
    for case in root.descendants().filter(|node| node.has_tag_name("testcase")) {
        assert!(case.attribute("name").is_some() && case.attribute("classname").is_some());
        assert!(case.children().filter(roxmltree::Node::is_element).count() <= 1);
    }
    counts(root)
}

#[test]
fn a_junit_case_fails_where_the_run_does() {
    let text = rendered(Format::Junit, Options::default());
    assert_eq!(check_junit(&text), (2, 1, 0), "{text}");
    let document = Document::parse(&text).unwrap();
    let failed = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert_eq!(failed.attribute("message"), Some("writes to `café` fail while `users` is not filled"));
    assert!(failed.text().unwrap().starts_with("db/002_second.sql:2\nwrites to"), "{text}");
    let (sources, mut report) = shared();
    report.fail_on = Severity::Note;
    assert_eq!(check_junit(&written(&report, &sources, Format::Junit, all())), (2, 2, 0));
    let (sources, report) = empty();
    assert_eq!(check_junit(&written(&report, &sources, Format::Junit, all())), (1, 0, 0), "judged, and nothing found");
    assert_eq!(check_junit(&failure(Format::Junit)), (1, 0, 1));
}

#[test]
fn checkstyle_has_files_with_errors() {
    let text = rendered(Format::Checkstyle, Options::default());
    let document = Document::parse(&text).unwrap();
    let file = document.descendants().find(|node| node.has_tag_name("file")).unwrap();
    assert_eq!(file.attribute("name"), Some("db/002_second.sql"));
    let errors: Vec<roxmltree::Node> = file.children().filter(roxmltree::Node::is_element).collect();
    let read = |name: &str| errors.iter().map(|error| error.attribute(name).unwrap()).collect::<Vec<_>>();
    assert_eq!(read("severity"), ["error", "info"]);
    assert_eq!(read("source"), ["plimsoll.fk-before-backfill", "plimsoll.drop-default"]);
    assert_eq!((read("line"), read("column")), (vec!["2", "4"], vec!["9", "1"]));
    assert!(read("message")[0].contains("\nverify: SELECT count(*)"), "lines stay lines");
    let failed = failure(Format::Checkstyle);
    assert!(Document::parse(&failed).unwrap().descendants().any(|node| node.has_tag_name("error")), "{failed}");
    let (sources, report) = empty();
    Document::parse(&written(&report, &sources, Format::Checkstyle, all())).unwrap();
}

#[test]
fn a_comment_fits_and_says_what_it_leaves_out() {
    let text = rendered(Format::Markdown, Options::default());
    assert!(text.starts_with("<!-- plimsoll -->\n### ❌ plimsoll: 1 error, 1 note\n"), "{text}");
    for part in ["<code>db/002_second.sql&#58;2</code>", "```sql\nFill it first", "```mermaid\nflowchart LR\n"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    let (sources, mut report) = shared();
    report.findings = vec![report.findings[0].clone(); 500];
    let text = written(&report, &sources, Format::Markdown, Options::default());
    assert!(text.len() < 65_536, "{}", text.len());
    let shown = text.matches("<details>").count();
    assert!(text.contains(&format!("{} further findings do not fit", 500 - shown)), "{shown}");
    let (sources, report) = empty();
    assert!(written(&report, &sources, Format::Markdown, all()).contains("✅ plimsoll: No finding"));
    assert!(failure(Format::Markdown).contains("```text\nbad ␛[1m <thing>\nmend it\n```"));
}

#[test]
fn fingerprints_are_the_same_in_all_formats() {
    let json: Value = serde_json::from_str(&rendered(Format::Json, all())).unwrap();
    let of = |list: &Value, path: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one.pointer(path).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let known = of(&json["findings"], "/fingerprint");
    assert_eq!(known, ["0123456789abcdef", "fedcba9876543210"]);
    let gitlab: Value = serde_json::from_str(&rendered(Format::Gitlab, all())).unwrap();
    assert_eq!(of(&gitlab, "/fingerprint"), known);
    let sarif = sarif(&rendered(Format::Sarif, all()));
    assert_eq!(of(&sarif["runs"][0]["results"], "/partialFingerprints/plimsoll~1v1")[..2], known[..]);
}
