//! A module uses only what stands before it: the order below is the order in which the program can be understood.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ORDER: [&str; 19] = [
    "source",
    "error",
    "version",
    "finding",
    "operation",
    "settings",
    "read",
    "schema",
    "predicate",
    "data",
    "server",
    "graph",
    "rails",
    "history",
    "rules",
    "report",
    "project",
    "analysis",
    "output",
];

/// `lib.rs` and `main.rs` tie everything together; `cli` stands above all.
fn rank(module: &str) -> Option<usize> {
    if module == "cli" { Some(ORDER.len()) } else { ORDER.iter().position(|one| *one == module) }
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    let mut faults = Vec::new();
    for file in files {
        let inside = file.strip_prefix("src").unwrap();
        let first = inside.iter().next().and_then(|part| part.to_str()).unwrap();
        if inside.iter().count() == 1 && (first == "lib.rs" || first == "main.rs") {
            continue;
        }
        let module = first.trim_end_matches(".rs");
        let Some(own) = rank(module) else {
            faults.push(format!("src/{module} has no place in the order of this test"));
            continue;
        };
        for (used, line) in crate_paths(&fs::read_to_string(&file).unwrap()) {
            match rank(&used) {
                Some(other) if other <= own => {}
                Some(_) => faults.push(format!("{}:{line} uses {used}, which stands after {module}", file.display())),
                // `crate::analyze` and the like are named in lib.rs, above everything but `cli`.
                None if module == "cli" => {}
                None => faults.push(format!("{}:{line} uses crate::{used}", file.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// First parts of `crate::…` paths, groups (`use crate::{a, b::c}`) included, with their lines. A `super::` that
/// climbs out of its module is found by the same name: rustc allows no other way to reach a sibling.
fn crate_paths(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let code: String = text.lines().map(|line| format!("{}\n", line.split("//").next().unwrap_or_default())).collect();
    for (at, _) in code.match_indices("crate::") {
        let preceded = code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_');
        if preceded {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        for name in first_parts(rest) {
            found.entry(name).or_insert(line);
        }
    }
    found
}

fn first_parts(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            other if depth == 0 => parts.last_mut().unwrap().push(other),
            _ => {}
        }
    }
    parts.iter().map(|part| word(part.trim())).filter(|part| !part.is_empty()).collect()
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = "use crate::{a, b::{c, d}, e};\nfn f() -> crate::g::H {} // crate::not\npub(crate) fn x() {}\n";
    let found: Vec<String> = crate_paths(text).into_keys().collect();
    assert_eq!(found, ["a", "b", "e", "g"]);
}

#[test]
fn super_never_climbs_out_of_a_module() {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    for file in files {
        let depth = file.strip_prefix("src").unwrap().iter().count();
        let depth = if file.file_name().is_some_and(|name| name == "mod.rs") { depth - 1 } else { depth };
        let text = fs::read_to_string(&file).unwrap();
        // In a `mod tests` inside the file one more `super` is at home.
        let climbs = |levels: usize| "super::".repeat(levels + 1);
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!body.contains(&climbs(depth - 1)), "{} climbs to the crate by super::", file.display());
    }
}
