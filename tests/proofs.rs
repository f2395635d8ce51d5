//! `docs/proofs.md`: for each rule, what shows its claim on a real server. Counted from the tests themselves.

#![allow(clippy::unwrap_used)]

mod golden;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::rules::BUILT_IN;

/// What the fixtures of one rule do on a server.
#[derive(Default)]
struct Trees {
    run: usize,
    left_out: usize,
    refusals: usize,
    counts: usize,
}

fn folders(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

fn trees(rule: &str) -> Trees {
    let mut trees = Trees::default();
    let root = Path::new("fixtures").join(rule);
    for case in ["bad", "good"].iter().flat_map(|verdict| folders(&root.join(verdict))) {
        // Trees of other shapes than `migrations/` are about reading; no server sees them.
        if !case.join("migrations").is_dir() {
            continue;
        }
        let story = fs::read_to_string(case.join("server.txt")).unwrap_or_default();
        if story.lines().any(|line| line.starts_with("# not run:")) {
            trees.left_out += 1;
            continue;
        }
        trees.run += 1;
        trees.refusals += story.lines().filter(|line| line.starts_with("# ") && line.contains("refuses ")).count();
        trees.counts += story.lines().filter(|line| line.starts_with("# verify ")).count();
    }
    trees
}

/// Tests named `proves_<rule>…`, by rule: the longest id that fits.
fn tests() -> BTreeMap<&'static str, Vec<String>> {
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let files = fs::read_dir("tests/postgres").unwrap().map(|entry| entry.unwrap().path());
    for text in files.map(|file| fs::read_to_string(file).unwrap()) {
        for name in text.lines().filter_map(|line| line.strip_prefix("fn proves_")?.split('(').next()) {
            let name_of = |id: &str| id.replace('-', "_");
            let fits = BUILT_IN.iter().filter(|rule| name.starts_with(&name_of(rule.id)));
            let rule = fits.max_by_key(|rule| rule.id.len());
            let rule = rule.unwrap_or_else(|| panic!("proves_{name} names no rule"));
            found.entry(rule.id).or_default().push(format!("proves_{name}"));
        }
    }
    found.values_mut().for_each(|names| names.sort());
    found
}

#[test]
fn the_proofs_are_listed() {
    let tests = tests();
    let mut text = String::from(
        "# Proofs\n\nWhat shows the claim of each rule on a real PostgreSQL. `tests/postgres/fixtures.rs` runs every fixture tree:\n\
         *refused* counts the statements and migrations that the server must refuse there, with their SQLSTATE, *counted* the\n\
         queries of findings (`verify`) that must count just the bad rows. Trees that no plain session can run are left out, with\n\
         their reason in `server.txt`. Rules on locks, scans and rewrites rest on `src/server`, which `tests/locks.rs` and\n\
         `tests/postgres/locks.rs` compare with what servers did (*facts*). Kept by `BLESS=1 cargo test --test proofs`.\n\n\
         | rule | trees run | left out | refused | counted | facts | tests of its own |\n|---|---|---|---|---|---|---|\n",
    );
    let mut unproven = Vec::new();
    for rule in BUILT_IN {
        let trees = trees(rule.id);
        let tags = &rule.page().tags;
        let has = |tag: &str| tags.iter().any(|one| one == tag);
        let own = tests.get(rule.id).map(|names| names.join(", ")).unwrap_or_default();
        let facts = if has("lock") || has("rewrite") { "yes" } else { "" };
        let number = |count: usize| if count == 0 { String::new() } else { count.to_string() };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {facts} | {own} |",
            rule.id,
            number(trees.run),
            number(trees.left_out),
            number(trees.refusals),
            number(trees.counts)
        );
        // What the code of an application does is no server's to show; what Active Record sends is `tests/active_record`'s.
        if trees.run == 0 && !has("honesty") && !has("rails") {
            unproven.push(format!("no fixture of {} runs on a server", rule.id));
        }
    }
    unproven.extend(golden::same(Path::new("docs/proofs.md"), &text).err());
    golden::none(unproven);
}
