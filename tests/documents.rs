//! What README, contributing page and changelog say of this repository is true of it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use plimsoll::rules::BUILT_IN;

/// The targets of Markdown links, and the paths that stand as code.
fn named_paths(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let code =
        text.split('`').skip(1).step_by(2).filter(|code| code.contains('/') && !code.contains([' ', '<', '*', '{']));
    links.filter(|target| !target.contains("://")).chain(code).map(str::to_owned).collect()
}

#[test]
fn paths_that_are_named_exist() {
    let mut missing = Vec::new();
    for (document, folder) in [("README.md", "."), ("docs/contributing.md", "docs")] {
        let text = fs::read_to_string(document).unwrap().replace("```console", "").replace("```", "");
        for path in named_paths(&text) {
            // Links are relative to the page, paths in code to the repository.
            if !Path::new(folder).join(&path).exists() && !Path::new(&path).exists() && !path.starts_with("path/to/") {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_readme_has_two_commands() {
    let readme = fs::read_to_string("README.md").unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands, ["cargo run --release -- check fixtures/_whole/incident-partition-keys", ".ci/run"]);
}

#[test]
fn the_changelog_names_every_rule() {
    let changelog = fs::read_to_string("CHANGELOG.md").unwrap();
    for rule in BUILT_IN {
        assert!(changelog.contains(&format!("`{}`", rule.id)), "{} is in no line of CHANGELOG.md", rule.id);
    }
}
