//! What README, contributing page and changelog say of this repository is true of it.

#![allow(clippy::unwrap_used)]

mod command;
mod golden;

use std::fs;
use std::path::Path;

use command::plimsoll;
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

/// Of the finding that the README shows: the sentences, and the way of the write; then the summary.
fn excerpt(output: &str) -> String {
    let finding = output.lines().skip_while(|line| !line.contains("error[fk-before-backfill]"));
    let after = |line: &&str| line.trim_start().starts_with("instead:");
    let mut kept: Vec<&str> = Vec::new();
    let mut path = false;
    for line in finding.take_while(|line| !after(line)) {
        path |= line.trim_start().starts_with("path:");
        // Lines of the migrations bear a number or a drawing; sentences that go on bear a bar.
        let sentence = path || line.trim_start().starts_with(['×', '☞', '│']);
        if sentence && line.trim() != "│" && !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.extend(output.lines().last());
    format!("\n```text\n{}\n```\n", kept.join("\n"))
}

#[test]
fn the_readme_shows_what_its_command_prints() {
    const OPEN: &str = "<!-- excerpt -->";
    const CLOSE: &str = "<!-- /excerpt -->";
    let ran = plimsoll(&["check", "fixtures/_whole/incident-partition-keys"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let readme = fs::read_to_string("README.md").unwrap().replace("\r\n", "\n");
    let (before, rest) = readme.split_once(OPEN).unwrap();
    let (_, after) = rest.split_once(CLOSE).unwrap();
    let shown = format!("{before}{OPEN}{}{CLOSE}{after}", excerpt(&ran.out));
    golden::none(golden::same(Path::new("README.md"), &shown).err().into_iter().collect());
}
