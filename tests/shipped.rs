//! Long changes of what is shipped: nothing of them is passed over without a word.

#![allow(clippy::unwrap_used)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Commits what stands in the work tree.
fn commit(root: &Path, when: &str) {
    let dates = [("GIT_AUTHOR_DATE", when), ("GIT_COMMITTER_DATE", when)];
    let of = ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "more"];
    for arguments in [&["add", "-A"][..], &of[..]] {
        let ran = Command::new("git").current_dir(root).args(arguments).envs(dates).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_text_that_came_in_the_same_push_ran_hardly_anywhere() {
    for (edited, severity) in [("2024-01-02T00:00:30Z", "note"), ("2024-01-02T02:00:00Z", "error")] {
        let root = case(&format!("pushed-{severity}"), &[table(1)], &[table(1)]);
        let file = root.join("migrations/002_t2.sql");
        fs::write(&file, "CREATE TABLE t2 (id bigint);\n").unwrap();
        commit(&root, "2024-01-02T00:00:00Z");
        fs::write(&file, "CREATE TABLE t2 (id bigint, late text);\n").unwrap();
        commit(&root, edited);
        let ran = plimsoll_in(&root, &["check", "migrations", "--since", "HEAD^", "--notes", "--format=json"]);
        let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {}", ran.err));
        let findings = document["findings"].as_array().unwrap();
        let told = findings.iter().find(|one| one["rule"] == "shipped-migration-edited").unwrap();
        assert_eq!(told["severity"], severity, "{told}");
        assert_eq!(told["message"].as_str().unwrap().contains("in the minute in which"), severity == "note");
    }
}
