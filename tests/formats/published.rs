//! What others publish of their formats, against what real findings become in them: not the shared report but the
//! command line, over the incident and over a project without any finding.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use serde_json::Value;

use super::command::plimsoll;
use super::hostile::hostile;
use super::report::written;
use super::schema;
use plimsoll::output::{Format, Options};

const BROKEN: &str = "fixtures/_whole/incident-partition-keys";
const SOUND: &str = "fixtures/_whole/incident-right-order";

/// The documents of one format: found, nothing found, impossible, hostile.
fn documents(format: Format) -> [String; 4] {
    let flag = format!("--format={}", format.word());
    let run = |folder: &str, code: u8| {
        let ran = plimsoll(&["check", folder, &flag]);
        assert_eq!(ran.code, code, "{}", ran.err);
        ran.out
    };
    let (sources, report) = hostile();
    let hostile = written(&report, &sources, format, Options { notes: true, ..Options::default() });
    [run(BROKEN, 1), run(SOUND, 0), run("no/such/path", 2), hostile]
}

#[test]
fn gitlab_gets_what_it_documents() {
    let schema = std::fs::read_to_string("tests/schemas/gitlab-code-quality.json").unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for text in documents(Format::Gitlab) {
        assert!(!text.starts_with('\u{feff}'), "GitLab refuses a byte order mark");
        let report: Value = serde_json::from_str(&text).unwrap();
        let faults = schema::faults(&report, &schema);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let mut fingerprints = BTreeSet::new();
        for issue in report.as_array().unwrap() {
            // It drops all but the first of issues whose fingerprints are equal.
            assert!(fingerprints.insert(issue["fingerprint"].to_string()), "{issue}");
            let path = issue["location"]["path"].as_str().unwrap();
            assert!(!path.starts_with("./") && !path.starts_with('/'), "relative to the repository: {path}");
            let lines = &issue["location"]["lines"];
            assert!(lines["end"].is_null() || lines["end"].as_u64() >= lines["begin"].as_u64(), "{issue}");
        }
    }
}

/// What Jenkins' schema for JUnit allows of an element: what must and what may stand on it, and in it.
/// <https://github.com/jenkinsci/xunit-plugin>, src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
struct Element {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    has_text: bool,
}

#[rustfmt::skip]
const ELEMENTS: &[Element] = &[
    Element { name: "testsuites", required: &[], optional: &["name", "time", "tests", "failures", "errors"],
        children: &["testsuite"], has_text: false },
    Element { name: "testsuite", required: &["name", "tests", "failures", "errors"],
        optional: &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
        children: &["testsuite", "properties", "testcase", "system-out", "system-err"], has_text: false },
    Element { name: "testcase", required: &["name"], optional: &["time", "classname", "group"],
        children: &["skipped", "error", "failure", "system-out", "system-err"], has_text: false },
    Element { name: "failure", required: &[], optional: &["type", "message"], children: &[], has_text: true },
    Element { name: "error", required: &[], optional: &["type", "message"], children: &[], has_text: true },
    Element { name: "system-out", required: &[], optional: &[], children: &[], has_text: true },
];

fn keeps_to_junit(node: Node<'_, '_>) {
    let name = node.tag_name().name();
    let known = ELEMENTS.iter().find(|element| element.name == name);
    let known = known.unwrap_or_else(|| panic!("<{name}> is not an element of JUnit's schema that we write"));
    for required in known.required {
        assert!(node.has_attribute(*required), "<{name}> without {required}");
    }
    for attribute in node.attributes() {
        let allowed = known.required.iter().chain(known.optional).any(|one| *one == attribute.name());
        assert!(allowed, "<{name}> with {}", attribute.name());
        if attribute.name() == "time" {
            assert!(attribute.value().chars().all(|one| one.is_ascii_digit() || one == '.'), "{}", attribute.value());
        }
    }
    for child in node.children() {
        if child.is_element() {
            assert!(known.children.contains(&child.tag_name().name()), "<{}> in <{name}>", child.tag_name().name());
            keeps_to_junit(child);
        } else if child.is_text() {
            assert!(known.has_text || child.text().unwrap().trim().is_empty(), "text in <{name}>");
        }
    }
}

#[test]
fn jenkins_gets_what_its_schema_allows() {
    for text in documents(Format::Junit) {
        let document = Document::parse(&text).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "testsuites");
        keeps_to_junit(document.root_element());
        // Jenkins takes two cases of one class and name for one.
        let mut names = BTreeSet::new();
        for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
            assert!(names.insert((case.attribute("classname"), case.attribute("name"))), "{case:?}");
        }
    }
}
