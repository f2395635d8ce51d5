//! Long changes of what is shipped: nothing of them is passed over without a word.

#![allow(clippy::unwrap_used)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};

use command::{plimsoll_in, repository};
use serde_json::Value;

/// A case with its base, both as files under `migrations`.
fn case(name: &str, base: &[(String, String)], now: &[(String, String)]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped").join(name);
    let _ = fs::remove_dir_all(&root);
    for (folder, files) in [(root.join("base/migrations"), base), (root.join("migrations"), now)] {
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
    }
    repository(&root).unwrap()
}

/// What a rule says of the work tree, against the base.
fn said(root: &Path, rule: &str) -> Vec<Value> {
    let ran = plimsoll_in(root, &["check", "migrations", "--since", "HEAD", "--format=json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {}", ran.err));
    let findings = document["findings"].as_array().unwrap();
    findings.iter().filter(|one| one["rule"] == rule).cloned().collect()
}

fn table(number: usize) -> (String, String) {
    (format!("{number:03}_t{number}.sql"), format!("CREATE TABLE t{number} (id bigint PRIMARY KEY);\n"))
}

#[test]
fn every_one_of_many_edited_migrations_is_told_of() {
    let base: Vec<_> = (1..=9).map(table).collect();
    let edit = |(file, text): &(String, String)| (file.clone(), text.replace(");", ", late text);"));
    let now: Vec<_> = base.iter().map(edit).collect();
    let said = said(&case("edited", &base, &now), "shipped-migration-edited");
    let objects: Vec<&str> =
        said.iter().flat_map(|one| one["objects"].as_array().unwrap()).map(|one| one.as_str().unwrap()).collect();
    for number in 1..=9 {
        let column = format!("public.t{number}.late");
        assert_eq!(objects.iter().filter(|one| **one == column).count(), 1, "{column}: {objects:?}");
    }
}

#[test]
fn an_order_that_is_not_tried_is_said_to_be_so() {
    let base: Vec<_> = (1..=80).filter(|number| *number != 5).map(table).collect();
    let mut now = base.clone();
    now.push(table(5));
    let said = said(&case("late", &base, &now), "migration-out-of-order");
    assert_eq!(said.len(), 1, "{said:?}");
    let message = said[0]["message"].as_str().unwrap();
    assert!(message.starts_with("sorts before 75 migrations that are shipped, the first of them `t6`"), "{message}");
    assert_eq!(said[0]["severity"], "note");
}
