//! What holds on a major is the same whichever others are asked with it: majors are replayed as one for as long as
//! nothing tells them apart, and judged apart where only an answer does.

#![allow(clippy::unwrap_used)]

mod command;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use command::plimsoll;

/// Words of statements on which majors follow different rules.
const TELLING: &[&str] = &["PARTITION OF", "partition of", "_not_null", "INHERITS", "EXCLUDE", "IDENTITY"];

const MAJORS: std::ops::RangeInclusive<u64> = 12..=18;

#[test]
fn each_major_has_the_findings_that_it_has_alone() {
    let cases: Vec<PathBuf> = folders(Path::new("fixtures"))
        .iter()
        .flat_map(|rule| [folders(&rule.join("bad")), folders(&rule.join("good"))].concat())
        .chain(folders(Path::new("fixtures/_whole")))
        .filter(|case| is_telling(case))
        .collect();
    assert!(cases.len() > 80, "the fixtures are missing: {}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let all = findings(case, "12..18");
        for major in MAJORS {
            let alone = findings(case, &major.to_string());
            let here = all.iter().filter(|(_, majors)| majors.is_empty() || majors.contains(&major));
            let here: Vec<&String> = here.map(|(told, _)| told).collect();
            let alone: Vec<&String> = alone.keys().collect();
            if here != alone {
                wrong.push(format!("{} on {major}:\n  with others {here:#?}\n  alone {alone:#?}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rule, place and message of each finding, with the majors it holds on.
fn findings(case: &Path, majors: &str) -> BTreeMap<String, Vec<u64>> {
    let shown = case.display().to_string();
    let run = plimsoll(&["check", &shown, "--notes", "--format=json", "--exit-zero", "--postgres", majors]);
    let told = run.json()["findings"].take();
    let one = |finding: &serde_json::Value| {
        let field = |name: &str| finding[name].to_string();
        let told = format!("{} {}:{} {}", field("rule"), field("path"), field("line"), field("message"));
        let majors = finding["postgres"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64);
        (told, majors.collect())
    };
    told.as_array().unwrap().iter().map(one).collect()
}

fn is_telling(case: &Path) -> bool {
    let files = walkdir::WalkDir::new(case).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let texts = files.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    !case.join("arguments.txt").exists() && texts.into_iter().any(|text| TELLING.iter().any(|word| text.contains(word)))
}

fn folders(above: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(above).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}
