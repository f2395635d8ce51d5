//! Every tree under `fixtures/` says what it should: its own rule alone, or (`_whole`) all rules together.
//!
//! A case with a folder `base` is judged against it, as the commit that a merge request starts from.
//! A case may bring `arguments.txt` with further flags, one a line, and `expected.txt`, which BLESS=1 rewrites.

#![allow(clippy::unwrap_used)]

mod command;
mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use command::{only, plimsoll, plimsoll_in, repository, speaking};

#[test]
fn each_rule_speaks_where_it_should() {
    let mut faults = Vec::new();
    let mut cases = 0;
    for rule in folders(Path::new("fixtures")).iter().filter(|folder| !name(folder).starts_with('_')) {
        for (verdict, speaks) in [("bad", true), ("good", false)] {
            for case in folders(&rule.join(verdict)) {
                cases += 1;
                faults.extend(judge(&case, Some((name(rule), speaks))).err());
            }
        }
    }
    assert!(cases > 0, "no fixture was found below fixtures/");
    golden::none(faults);
}

#[test]
fn whole_histories_are_told_as_expected() {
    let cases = folders(Path::new("fixtures/_whole"));
    let faults = cases.iter().filter_map(|case| judge(case, None).err());
    golden::none(faults.collect());
}

/// Runs one case in both formats; the human one is kept beside it.
fn judge(case: &Path, rule: Option<(&str, bool)>) -> Result<(), String> {
    let shown = case.display().to_string().replace('\\', "/");
    let given = fs::read_to_string(case.join("arguments.txt")).unwrap_or_default();
    let texts = texts(case);
    let speaking = rule.map(|(rule, _)| speaking(rule, texts.iter().map(String::as_str)));
    let own = speaking.as_deref().map(only).unwrap_or_default();
    let repository = repository(case);
    let run = |format: &'static str| {
        let place = if repository.is_some() { "." } else { &shown };
        let mut arguments = vec!["check", place, "--notes", "--fail-on=note", format];
        arguments.extend(given.lines().map(str::trim).filter(|line| !line.is_empty()));
        arguments.extend(own.iter().map(String::as_str));
        match &repository {
            Some(root) => {
                arguments.push("--since=HEAD");
                plimsoll_in(root, &arguments)
            }
            None => plimsoll(&arguments),
        }
    };
    let (human, json) = (run("--format=human"), run("--format=json"));
    if human.code > 1 || json.code != human.code {
        return Err(format!("{shown}: exit codes {} and {}\n{}", human.code, json.code, human.err));
    }
    let found = json.rules();
    if let Some((rule, speaks)) = rule
        && found.iter().any(|found| found == rule) != speaks
    {
        let wanted = if speaks { "does not report" } else { "reports" };
        return Err(format!("{shown}: {rule} {wanted} it\n{}", human.out));
    }
    if speaking.is_some_and(|speaking| !found.iter().all(|found| speaking.contains(found))) {
        return Err(format!("{shown}: other rules speak although they are off: {found:?}"));
    }
    golden::same(&case.join("expected.txt"), &human.out)
}

/// The migrations of a case.
fn texts(case: &Path) -> Vec<String> {
    let entries = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.extension().and_then(|ending| ending.to_str()) {
        Some("sql" | "rb") => vec![String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()],
        _ if path.is_dir() => texts(&path),
        _ => Vec::new(),
    };
    entries.flat_map(read).collect()
}

fn folders(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}
