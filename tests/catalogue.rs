//! The catalogue is one: every rule has its page, its examples and its fixtures, and the README lists just these.

#![allow(clippy::unwrap_used)]

mod command;
mod golden;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use command::{only, plimsoll, plimsoll_in, repository, speaking};
use plimsoll::rules::BUILT_IN;
use plimsoll::rules::page::{Example, Page, Verdict};

/// Names in a folder, without `ending` where one is asked for; those that begin with `_` are no rules.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|fault| panic!("{folder}: {fault}"));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('_'))
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

fn ids() -> BTreeSet<String> {
    BUILT_IN.iter().map(|rule| rule.id.to_owned()).collect()
}

#[test]
fn rules_pages_and_fixtures_match_one_to_one() {
    assert_eq!(ids(), names("rules", ".md"), "BUILT_IN and rules/*.md");
    assert_eq!(ids(), names("fixtures", ""), "BUILT_IN and fixtures/*/");
    let mut faults = Vec::new();
    for id in ids() {
        for verdict in ["bad", "good"] {
            let cases = fs::read_dir(Path::new("fixtures").join(&id).join(verdict)).map_or(0, Iterator::count);
            if cases == 0 {
                faults.push(format!("fixtures/{id}/{verdict} holds no case"));
            }
        }
    }
    golden::none(faults);
}

#[test]
fn ids_are_sorted_and_name_what_is_found() {
    let listed: Vec<&str> = BUILT_IN.iter().map(|rule| rule.id).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(listed, sorted, "BUILT_IN is sorted and each id stands once");
    for id in listed {
        let kebab = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(kebab && !id.starts_with('-') && !id.ends_with('-') && !id.contains("--"), "{id} is not kebab-case");
        let advice = ["ban-", "no-", "require-", "prefer-", "disallow-"];
        assert!(!advice.iter().any(|start| id.starts_with(start)), "{id} does not read after \"allow\"");
    }
}

#[test]
fn every_page_is_complete() {
    let mut faults = Vec::new();
    for rule in BUILT_IN {
        let page = match Page::parse(rule.id, rule.text()) {
            Ok(page) => page,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let count = |verdict| page.examples.iter().filter(|example| example.verdict == verdict).count();
        let wanted = [
            (!page.summary.is_empty() && !page.summary.ends_with('.'), "a summary without a full stop"),
            (page.summary.chars().count() <= 120, "a summary of at most 120 characters"),
            (page.since.split('.').count() == 3, "the release that brought it"),
            (page.why.split_whitespace().count() >= 10, "prose that says why it hurts"),
            (!page.instead.is_empty() || page.body.contains("## Instead"), "a section \"## Instead\""),
            (count(Verdict::Bad) > 0, "a bad example"),
            (count(Verdict::Good) > 0, "a good example"),
        ];
        let unknown =
            page.over.iter().chain(&page.tells).filter(|general| *general == rule.id || !ids().contains(*general));
        faults.extend(unknown.map(|general| format!("rules/{}.md names {general}, which is no other rule", rule.id)));
        faults.extend(
            wanted.iter().filter(|(there, _)| !there).map(|(_, what)| format!("rules/{}.md lacks {what}", rule.id)),
        );
    }
    golden::none(faults);
}

#[test]
fn every_example_gives_its_verdict() {
    let mut faults = Vec::new();
    for rule in BUILT_IN {
        for example in &rule.page().examples {
            faults.extend(example_fault(rule.id, example));
        }
    }
    golden::none(faults);
}

/// An example is a project of its own: a folder of SQL files, plain ones unless their names say otherwise. Further flags
/// stand in an `arguments.txt`, one a line.
fn example_fault(rule: &str, example: &Example) -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(format!("{rule}-{}", example.line));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for file in &example.files {
        let path = folder.join(&file.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.text).unwrap();
    }
    let given = fs::read_to_string(folder.join("arguments.txt")).unwrap_or_default();
    let folder = folder.display().to_string();
    let mut arguments = vec!["check", &folder, "--format=json", "--fail-on=note"];
    let flags = only(&speaking(rule, example.files.iter().map(|file| file.text.as_str())));
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(given.lines().map(str::trim).filter(|line| !line.is_empty()));
    let baseline = Path::new(&folder).join("plimsoll-baseline.json").display().to_string();
    if Path::new(&baseline).exists() {
        arguments.extend(["--baseline", &baseline]);
    }
    let settings = Path::new(&folder).join("plimsoll.toml").display().to_string();
    if Path::new(&settings).exists() {
        arguments.extend(["--config", &settings]);
    }
    // What stands below `base/` is what the rest is compared with.
    let ran = match repository(Path::new(&folder)) {
        Some(root) => {
            arguments.splice(1..2, [".", "--since=HEAD"]);
            plimsoll_in(&root, &arguments)
        }
        None => plimsoll(&arguments),
    };
    let place = format!("rules/{rule}.md:{}", example.line);
    if ran.code > 1 {
        return Some(format!("{place}: {}", ran.err));
    }
    let unread = ran.json()["unread"].clone();
    // Pages about reading show what cannot be read.
    if !rule.starts_with("unread-") && unread.as_array().is_none_or(|unread| !unread.is_empty()) {
        return Some(format!("{place}: not all of it is read: {unread}"));
    }
    let speaks = ran.rules().iter().any(|found| found == rule);
    match (example.verdict, speaks) {
        (Verdict::Bad, true) | (Verdict::Good, false) => None,
        (Verdict::Bad, false) => Some(format!("{place}: the bad example is not reported")),
        (Verdict::Good, true) => {
            let findings = ran.json()["findings"].clone();
            let said = findings.as_array().into_iter().flatten().map(|one| one["message"].to_string());
            Some(format!("{place}: the good example is reported: {}", said.collect::<Vec<_>>().join("; ")))
        }
    }
}

#[test]
fn the_readme_lists_the_rules() {
    const OPEN: &str = "<!-- rules -->\n";
    const CLOSE: &str = "<!-- /rules -->";
    let readme = fs::read_to_string("README.md").unwrap().replace("\r\n", "\n");
    let (before, rest) = readme.split_once(OPEN).expect("README.md has `<!-- rules -->`");
    let (_, after) = rest.split_once(CLOSE).expect("README.md has `<!-- /rules -->`");
    let table = plimsoll(&["rules", "--format=markdown"]).out;
    golden::none(
        golden::same(Path::new("README.md"), &format!("{before}{OPEN}{table}{CLOSE}{after}"))
            .err()
            .into_iter()
            .collect(),
    );
}

#[test]
fn explain_prints_every_page_and_suggests_names() {
    for rule in BUILT_IN {
        let ran = plimsoll(&["explain", rule.id]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains(&rule.page().summary) && ran.out.contains("## Instead"), "{}", ran.out);
        assert!(!ran.out.contains("```toml"), "{}", ran.out);
    }
    let id = BUILT_IN[0].id;
    let ran = plimsoll(&["explain", &id[..id.len() - 1]]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains(&format!("did you mean `{id}`")), "{}", ran.err);
    let listed = plimsoll(&["rules", "--format=json"]).json();
    assert_eq!(listed["rules"].as_array().unwrap().len(), BUILT_IN.len());
}
