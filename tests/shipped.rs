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

/// What an edited text names otherwise is new in every word that a fault is told by; the trigger itself is not.
#[test]
fn what_stands_in_the_shipped_text_too_is_no_part_of_an_edit() {
    let kept = |table: &str, trigger: &str| {
        format!(
            "CREATE TABLE balances (account_id bigint, version int, balance bigint, PRIMARY KEY (account_id, version));
             {table}
             CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE
                 earlier bigint;
             BEGIN
                 SELECT balance INTO earlier FROM balances
                 WHERE account_id = NEW.account_id AND version = NEW.sequence - 1;
                 INSERT INTO balances VALUES (NEW.account_id, NEW.sequence, COALESCE(earlier, 0) + NEW.amount);
                 RETURN NULL;
             END $$;
             {trigger}\n"
        )
    };
    let events = "CREATE TABLE events (account_id bigint, sequence int, amount bigint NOT NULL,
                  PRIMARY KEY (account_id, sequence));\n";
    let both = |first: String, text: String| vec![("001_a.sql".to_owned(), first), ("002_b.sql".to_owned(), text)];
    let all = |text: String| both(events.to_owned(), text);
    let trigger = "CREATE TRIGGER keep AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION keep();";
    let index = "CREATE INDEX events_amount ON events (amount);";
    let told = |name: &str, before: String, now: String| {
        let root = case(name, &all(before), &all(now));
        ["sync-reads-unfilled-copy", "index-not-concurrent"].map(|rule| said(&root, rule).len())
    };
    assert_eq!(told("as-shipped", kept("", trigger), kept(index, trigger)), [0, 1], "the trigger stood there");
    assert_eq!(told("as-shipped-not", kept(index, ""), kept(index, trigger)), [1, 0], "the edit adds the trigger");
    let renamed = |text: String| text.replace("balances", "sums").replace("keep", "keep_sums");
    let shipped = format!("{}{index}\n", kept("", trigger));
    let now = format!("{}{index}\n", renamed(kept("", trigger)));
    assert_eq!(told("as-shipped-renamed", shipped, now), [1, 0], "another trigger is new");
    // Where the source was edited too, it has no rows for who runs either text anew.
    let wider = events.replace("amount bigint NOT NULL", "amount bigint NOT NULL, note text");
    let base = both(events.to_owned(), kept("", trigger));
    let root = case("as-shipped-both", &base, &both(wider, kept(index, trigger)));
    assert_eq!(said(&root, "sync-reads-unfilled-copy").len(), 0, "neither edit touches the trigger");
}

/// What neither text lets be read may be another matter for new databases only.
#[test]
fn an_edit_of_what_is_not_read_is_a_note() {
    let file = |text: &str| vec![table(1), ("002_b.sql".to_owned(), format!("SELECT '\0';\n{text}"))];
    let told = |name: &str, base: &[(String, String)], now: &[(String, String)]| {
        let root = case(name, base, now);
        let ran = plimsoll_in(&root, &["check", "migrations", "--since", "HEAD", "--format=json", "--notes"]);
        let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {}", ran.err));
        let all = document["findings"].as_array().unwrap().iter();
        let unread: Vec<_> = all.filter(|one| one["rule"] == "unread-file").cloned().collect();
        let [one] = unread.as_slice() else { panic!("{}", ran.out) };
        (one["severity"].as_str().unwrap().to_owned(), one["message"].as_str().unwrap().contains("do not run it again"))
    };
    assert_eq!(told("unread-edited", &file(""), &file("-- more\n")), ("note".to_owned(), true));
    assert_eq!(told("unread-added", &[table(1)], &file("")), ("error".to_owned(), false));
}

/// What a shipped text made is no new table for the edits behind it, whether it was edited itself or not.
#[test]
fn what_edited_migrations_made_is_as_old_as_what_others_made() {
    let of = |column: &str| {
        let table = format!("CREATE TABLE events (id bigint PRIMARY KEY, amount bigint, account_id bigint{column});\n");
        let index = "CREATE INDEX events_amount ON events (amount);\n";
        let value = "ALTER TABLE events ADD kind text;\nALTER TABLE events ALTER kind SET NOT NULL;\n";
        vec![
            ("001_a.sql".to_owned(), table),
            ("002_b.sql".to_owned(), format!("{index}-- by account\n")),
            ("003_c.sql".to_owned(), value.to_owned()),
        ]
    };
    let (base, mut now) = (of(""), of(", note text"));
    now[1].1.push_str("CREATE INDEX events_account ON events (account_id, amount);\n");
    now[2].1.push_str("COMMENT ON COLUMN events.kind IS 'of what it is';\n");
    let root = case("edits-of-one-table", &base, &now);
    let said_of = |rule: &str| {
        let lines =
            said(&root, rule).into_iter().map(|one| format!("{}:{}", one["path"].as_str().unwrap(), one["line"]));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(said_of("index-not-concurrent"), ["migrations/002_b.sql:3"], "the index that the edit brings");
    for rule in ["constraint-before-writer", "constraint-before-backfill", "not-null-scan"] {
        assert_eq!(said_of(rule), [""; 0], "{rule}: the edit is a comment");
    }
}

/// A formatter's work on files in Ruby is no change of what they do.
#[test]
fn other_words_for_the_same_ruby_are_no_edit() {
    let make = "class Make < ActiveRecord::Migration[7.1]
  def change
    create_table :events do |t|
      t.string :kind
      t.integer :account_id
    end
    create_table(:accounts)
  end
end\n";
    let index = "class Index < ActiveRecord::Migration[7.1]
  def change
    add_index(:events, [:kind, :account_id], :name => \"by_kind\")
    unless column_exists?(:events, :note) then add_column :events, :note, :string end
  end
end\n";
    let restyled = "# frozen_string_literal: true

class Index < ActiveRecord::Migration[7.1]
  def change
    add_index :events, %i[kind account_id], name: 'by_kind'
    add_column :events, :note, :string unless column_exists?(:events, :note)
  end
end\n";
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped/restyled");
    let _ = fs::remove_dir_all(&root);
    for (folder, second) in [("base/db/migrate", index), ("db/migrate", restyled)] {
        fs::create_dir_all(root.join(folder)).unwrap();
        fs::write(root.join(folder).join("20240101000000_make.rb"), make).unwrap();
        fs::write(root.join(folder).join("20240201000000_index.rb"), second).unwrap();
    }
    let root = repository(&root).unwrap();
    let told = || {
        let ran = plimsoll_in(&root, &["check", "db/migrate", "--since", "HEAD", "--format=json", "--notes"]);
        let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {}", ran.err));
        let rules = document["findings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap().to_owned());
        rules.collect::<Vec<_>>()
    };
    assert_eq!(told(), [""; 0]);
    let path = root.join("db/migrate/20240201000000_index.rb");
    fs::write(&path, restyled.replace("'by_kind'", "'by_kind_and_account'")).unwrap();
    assert!(told().contains(&"shipped-migration-edited".to_owned()), "another name is another index");
    // What no tree shows is compared by its words.
    let runs = |what: &str| {
        let body = format!("  def up\n    `psql -f {what}.sql`\n  end\n");
        fs::write(&path, format!("class Index < ActiveRecord::Migration[7.1]\n{body}end\n")).unwrap();
    };
    let unread = || said_of_last(&root, "db/migrate", "unread-ruby").unwrap().0;
    runs("one");
    commit(&root, "2030-01-01T00:00:00Z");
    runs("one");
    fs::write(root.join("README"), "more").unwrap();
    commit(&root, "2030-01-02T00:00:00Z");
    assert_eq!(unread(), "note", "nothing of it is changed");
    runs("other");
    commit(&root, "2030-01-03T00:00:00Z");
    assert_eq!(unread(), "warning", "another command is another migration");
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
    let of = ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "more"];
    for arguments in [&["add", "-A"][..], &of[..]] {
        let ran = Command::new("git").current_dir(root).args(arguments).envs(dates).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

fn tag(root: &Path, name: &str, when: &str) {
    let of = ["-c", "user.name=a", "-c", "user.email=a@b.c", "tag", "-a", "-m", "release", name];
    let ran = Command::new("git").current_dir(root).args(of).env("GIT_COMMITTER_DATE", when).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// What the last commit is told of a rule, notes too.
fn said_of_last(root: &Path, path: &str, rule: &str) -> Option<(String, String)> {
    let ran = plimsoll_in(root, &["check", path, "--since", "HEAD^", "--notes", "--format=json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|fault| panic!("{fault}: {}", ran.err));
    let findings = document["findings"].as_array().unwrap();
    let told = findings.iter().find(|one| one["rule"] == rule)?;
    let text = |key: &str| told[key].as_str().unwrap().to_owned();
    Some((text("severity"), text("message")))
}

const T2: &str = "CREATE TABLE t2 (id bigint);\n";
const LATER: &str = "CREATE TABLE t2 (id bigint, late text);\n";

#[test]
fn a_text_that_stood_for_less_than_an_hour_ran_hardly_anywhere() {
    for (case_name, edited, tagged, expected) in [
        ("minute", "2024-01-02T00:00:30Z", false, Some("in the minute in which")),
        ("short", "2024-01-02T00:25:00Z", false, Some("it had been there for 25 minutes")),
        ("released", "2024-01-02T00:25:00Z", true, None),
        ("long", "2024-01-02T02:00:00Z", false, None),
    ] {
        let root = case(&format!("young-{case_name}"), &[table(1)], &[table(1)]);
        let file = root.join("migrations/002_t2.sql");
        fs::write(&file, T2).unwrap();
        commit(&root, "2024-01-02T00:00:00Z");
        if tagged {
            tag(&root, "v1", "2024-01-02T00:10:00Z");
        }
        fs::write(&file, LATER).unwrap();
        commit(&root, edited);
        let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-edited").unwrap();
        assert_eq!(severity == "note", expected.is_some(), "{case_name}: {message}");
        assert!(expected.is_none_or(|words| message.contains(words)), "{case_name}: {message}");
        fs::remove_file(&file).unwrap();
        commit(&root, "2024-01-02T02:10:00Z");
        let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-deleted").unwrap();
        assert_eq!(severity == "warning", edited < "2024-01-02T01", "{case_name}: {message}");
    }
}

#[test]
fn what_no_tag_holds_is_not_released_where_releases_have_tags() {
    let root = case("untagged", &[table(1)], &[table(1)]);
    commit(&root, "2024-01-01T00:00:00Z");
    let file = root.join("migrations/002_t2.sql");
    let edit = |text: &str, when: &str| {
        fs::write(&file, text).unwrap();
        commit(&root, when);
        said_of_last(&root, "migrations", "shipped-migration-edited")
    };
    for number in 1..=4 {
        tag(&root, &format!("v{number}"), &format!("2024-01-0{number}T12:00:00Z"));
    }
    edit(T2, "2024-01-05T00:00:00Z");
    let few = edit(LATER, "2024-01-05T12:00:00Z").unwrap();
    assert_eq!(few.0, "error", "four tags are no habit: {few:?}");
    tag(&root, "v5", "2024-01-06T12:00:00Z");
    let held = edit(T2, "2024-01-07T00:00:00Z").unwrap();
    assert_eq!(held.0, "error", "`v5` holds it: {held:?}");
    let free = edit("CREATE TABLE t2 (id bigint, later text);\n", "2024-01-08T00:00:00Z").unwrap();
    assert!(free.0 == "note" && free.1.contains("no tag holds it up to `v5`"), "{free:?}");
    let slow = edit("CREATE TABLE t2 (id bigint, last text);\n", "2025-03-01T00:00:00Z").unwrap();
    assert_eq!(slow.0, "note", "the next release takes its time: {slow:?}");
    let old = edit(T2, "2025-09-01T00:00:00Z").unwrap();
    assert_eq!(old.0, "error", "the tags are of another time: {old:?}");
}

#[test]
fn what_is_deployed_before_production_alone_ran_hardly_anywhere() {
    let root = case("deployed", &[table(1)], &[table(1)]);
    let write = |path: &str, text: &str, when: &str| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
        commit(&root, when);
    };
    write("migrations/002_t2.sql", T2, "2024-01-02T00:00:00Z");
    let edited = |text: &str, when: &str| {
        write("migrations/002_t2.sql", text, when);
        said_of_last(&root, "migrations", "shipped-migration-edited").unwrap()
    };
    assert_eq!(edited(LATER, "2024-05-01T00:00:00Z").0, "error", "nothing says where it is deployed");
    write(".nais/nais-dev.yaml", "cluster: dev\n", "2024-06-01T00:00:00Z");
    let (severity, message) = edited(T2, "2024-07-01T00:00:00Z");
    assert!(severity == "note" && message.contains("`.nais/nais-dev.yaml` deploys it"), "{message}");
    write(".github/workflows/deploy.yaml", "environment: prod\n", "2024-08-01T00:00:00Z");
    assert_eq!(edited(LATER, "2024-09-01T00:00:00Z").0, "error", "production has it");
}

/// A release branch brought it before the versions that the main one has meanwhile.
#[test]
fn what_a_release_from_another_branch_has_is_not_late() {
    let flyway = |number: usize| (format!("V{number}__t{number}.sql"), table(number).1);
    let root = case("backported", &[flyway(1), flyway(3)], &[flyway(1), flyway(3)]);
    let late = root.join("migrations/V2__t2.sql");
    fs::write(&late, flyway(2).1).unwrap();
    commit(&root, "2024-01-02T00:00:00Z");
    let (_, told) = said_of_last(&root, "migrations", "migration-out-of-order").unwrap();
    assert!(told.contains("Flyway"), "{told}");
    tag(&root, "v1.0.1", "2024-01-02T00:00:00Z");
    let back = Command::new("git").current_dir(&root).args(["reset", "-q", "--hard", "HEAD^"]).output().unwrap();
    assert!(back.status.success());
    fs::write(&late, flyway(2).1).unwrap();
    commit(&root, "2024-01-09T00:00:00Z");
    assert_eq!(said_of_last(&root, "migrations", "migration-out-of-order"), None, "`v1.0.1` has it");
    fs::write(&late, LATER).unwrap();
    commit(&root, "2024-01-10T00:00:00Z");
    let ran = plimsoll_in(&root, &["check", "migrations", "--since", "HEAD^^", "--notes", "--format=json"]);
    assert!(ran.out.contains("migration-out-of-order"), "another text: {}", ran.out);
}

/// Where releases have tags, nobody waits for a table and no code names a column that none of them holds.
#[test]
fn what_no_release_has_brought_yet_is_worth_a_note() {
    let root = case("unreleased", &[table(1)], &[table(1)]);
    commit(&root, "2024-01-01T00:00:00Z");
    for number in 1..=5 {
        tag(&root, &format!("v{number}"), &format!("2024-01-0{number}T12:00:00Z"));
    }
    let write = |file: &str, text: &str, when: &str| {
        fs::write(root.join("migrations").join(file), text).unwrap();
        commit(&root, when);
    };
    write(
        "002_t2.sql",
        "CREATE TABLE t2 (id bigint, n int);\nALTER TABLE t1 ADD COLUMN m int;\n",
        "2024-01-20T00:00:00Z",
    );
    let told = |rule: &str| said_of_last(&root, "migrations", rule).unwrap();
    let both = "CREATE INDEX t2_n ON t2 (n);\nALTER TABLE t1 RENAME COLUMN m TO o;\n";
    write("003_a.sql", both, "2024-02-20T00:00:00Z");
    for rule in ["index-not-concurrent", "rename-column"] {
        let (severity, message) = told(rule);
        assert!(severity == "note" && message.contains("no tag holds it up to `v5`"), "{rule}: {message}");
    }
    write("004_b.sql", "ALTER TABLE t1 RENAME COLUMN id TO key;\n", "2024-02-21T00:00:00Z");
    assert_eq!(told("rename-column").0, "error", "`v5` has the column");
    write("005_c.sql", "CREATE INDEX t1_o ON t1 (o);\n", "2024-02-22T00:00:00Z");
    assert_eq!(told("index-not-concurrent").0, "error", "`v5` has the table");
    tag(&root, "v6", "2024-02-23T00:00:00Z");
    write("006_d.sql", "CREATE INDEX t2_id ON t2 (id);\n", "2024-02-24T00:00:00Z");
    assert_eq!(told("index-not-concurrent").0, "error", "`v6` has it");
    // A formatter's work on a file is no news of what it made.
    write("001_t1.sql", &format!("-- the first\n{}", table(1).1), "2024-02-25T00:00:00Z");
    write("007_e.sql", "CREATE INDEX t1_m ON t1 (o, key);\n", "2024-02-26T00:00:00Z");
    assert_eq!(told("index-not-concurrent").0, "error", "`v6` has the table, whatever text it was made by");
}

#[test]
fn the_first_days_of_a_project_without_tags_are_no_release() {
    for (case_name, edited, tagged, is_note) in [
        ("days", "2024-01-20T00:00:00Z", false, true),
        ("months", "2024-04-20T00:00:00Z", false, false),
        ("tagged", "2024-01-20T00:00:00Z", true, false),
    ] {
        let notes = [("README".to_owned(), "what is to come".to_owned())];
        let root = case(&format!("first-{case_name}"), &notes, &notes);
        commit(&root, "2023-06-01T00:00:00Z");
        fs::write(root.join("migrations/001_t1.sql"), "CREATE TABLE t1 (id bigint);\n").unwrap();
        fs::write(root.join("migrations/002_t2.sql"), T2).unwrap();
        commit(&root, "2024-01-02T00:00:00Z");
        if tagged {
            tag(&root, "v1", "2024-01-10T00:00:00Z");
        }
        fs::write(root.join("migrations/002_t2.sql"), LATER).unwrap();
        commit(&root, edited);
        let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-edited").unwrap();
        assert_eq!(severity == "note", is_note, "{case_name}: {message}");
        assert!(!is_note || message.contains("came 18 days before this change"), "{case_name}: {message}");
    }
}

#[test]
fn what_stands_on_a_branch_alone_is_not_shipped() {
    let git = |root: &Path, arguments: &[&str]| {
        let ran = Command::new("git").current_dir(root).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    for (case_name, is_merged, begun, name) in [
        ("branch", false, "2030-01-01T00:00:00Z", "002_t2.sql"),
        ("main", true, "2030-01-01T00:00:00Z", "002_t2.sql"),
        ("titles", false, "2030-01-01T00:00:00Z", "002_of_a_new_title.sql"),
        // What has been left alone for years is not where the project goes on.
        ("left", true, "2028-01-01T00:00:00Z", "002_t2.sql"),
    ] {
        let root = case(&format!("on-{case_name}"), &[table(1)], &[table(1)]);
        git(&root, &["branch", "-M", "main"]);
        commit(&root, begun);
        if case_name != "main" {
            git(&root, &["checkout", "-q", "-b", "topic"]);
        }
        fs::write(root.join("migrations/002_t2.sql"), T2).unwrap();
        commit(&root, "2030-01-02T00:00:00Z");
        fs::remove_file(root.join("migrations/002_t2.sql")).unwrap();
        fs::write(root.join("migrations").join(name), LATER).unwrap();
        commit(&root, "2030-02-02T00:00:00Z");
        let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-edited").unwrap();
        assert_eq!(severity == "note", !is_merged, "{case_name}: {message}");
        assert!(is_merged || message.contains("`main` had not taken in"), "{case_name}: {message}");
    }
}

#[test]
fn a_file_that_comes_back_as_it_was_is_not_new() {
    for (name, text, is_told) in [("as-it-was", T2, false), ("otherwise", LATER, true)] {
        let first = [("up", "CREATE TABLE t1 (id bigint);\n"), ("down", "SELECT 1;\n")];
        let first = first.map(|(way, text)| (format!("000001_t1.{way}.sql"), text.to_owned()));
        let root = case(&format!("returned-{name}"), &first, &first);
        let write = |number: u32, text: &str| {
            let table = format!("{number:06}_t{number}");
            fs::write(root.join(format!("migrations/{table}.up.sql")), text).unwrap();
            fs::write(root.join(format!("migrations/{table}.down.sql")), "SELECT 1;\n").unwrap();
        };
        for number in 2..=3 {
            write(number, &T2.replace("t2", &format!("t{number}")));
        }
        commit(&root, "2024-01-02T00:00:00Z");
        for direction in ["up", "down"] {
            fs::remove_file(root.join(format!("migrations/000002_t2.{direction}.sql"))).unwrap();
        }
        commit(&root, "2024-02-02T00:00:00Z");
        write(2, text);
        commit(&root, "2024-02-04T00:00:00Z");
        let said = said_of_last(&root, "migrations", "migration-out-of-order");
        assert_eq!(said.is_some(), is_told, "{name}: {said:?}");
    }
}

#[test]
fn bringing_back_the_text_of_before_is_no_edit() {
    for (name, mended, is_told) in [("soon", "2024-02-03T00:00:00Z", false), ("late", "2024-03-03T00:00:00Z", true)] {
        let root = case(&format!("restored-{name}"), &[table(1)], &[table(1)]);
        let file = root.join("migrations/002_t2.sql");
        for (text, when) in [(T2, "2024-01-02T00:00:00Z"), (LATER, "2024-02-01T00:00:00Z"), (T2, mended)] {
            fs::write(&file, text).unwrap();
            commit(&root, when);
        }
        let said = said_of_last(&root, "migrations", "shipped-migration-edited");
        assert_eq!(said.is_some(), is_told, "{name}: {said:?}");
    }
}

#[test]
fn what_stands_behind_the_last_tag_of_sqitch_may_be_changed() {
    let plan = "%syntax-version=1.0.0\n%project=a\n\none 2024-01-01T00:00:00Z a <a@b.c>\n@v1 2024-01-01T00:00:00Z a <a@b.c>\n\
                two 2024-01-01T00:00:00Z a <a@b.c>\n";
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped/sqitch");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("base/deploy")).unwrap();
    fs::write(root.join("base/sqitch.plan"), plan).unwrap();
    fs::write(root.join("base/deploy/one.sql"), "CREATE TABLE t1 (id bigint);\n").unwrap();
    fs::write(root.join("base/deploy/two.sql"), T2).unwrap();
    let copy = |from: &str| {
        fs::create_dir_all(root.join("deploy")).unwrap();
        fs::copy(root.join("base").join(from), root.join(from)).unwrap();
    };
    ["sqitch.plan", "deploy/one.sql", "deploy/two.sql"].into_iter().for_each(copy);
    let root = repository(&root).unwrap();
    commit(&root, "2024-01-02T00:00:00Z");
    let file = |name: &str| root.join(format!("deploy/{name}.sql"));
    fs::write(file("two"), LATER).unwrap();
    commit(&root, "2024-02-02T00:00:00Z");
    let (severity, message) = said_of_last(&root, ".", "shipped-migration-edited").unwrap();
    assert!(severity == "note" && message.contains("behind the last tag of the plan"), "{severity}: {message}");
    fs::write(file("one"), "CREATE TABLE t1 (id bigint, late text);\n").unwrap();
    commit(&root, "2024-03-02T00:00:00Z");
    assert_eq!(said_of_last(&root, ".", "shipped-migration-edited").unwrap().0, "error");
}

/// A project with six shipped files, of which five were edited, each by a commit of its own.
fn edits_again_and_again(name: &str, file: impl Fn(usize) -> String, days: u32) -> PathBuf {
    let base: Vec<_> = (1..=6).map(|number| (file(number), table(number).1)).collect();
    let root = case(name, &base, &base);
    commit(&root, "2024-01-01T00:00:00Z");
    for number in 1..=5 {
        let path = root.join("migrations").join(file(number));
        let text = fs::read_to_string(&path).unwrap().replace(");", ", note text);");
        fs::write(&path, text).unwrap();
        commit(&root, &format!("2024-02-{:02}T00:00:00Z", 1 + number as u32 * days));
    }
    root
}

#[test]
fn an_edit_is_a_note_where_such_edits_are_usual() {
    let named = |number| format!("{number:03}_t{number}.sql");
    let edit = |root: &Path, name: &str, text: &str, when: &str| {
        fs::write(root.join("migrations").join(name), text).unwrap();
        commit(root, when);
        said_of_last(root, "migrations", "shipped-migration-edited").unwrap()
    };
    let root = edits_again_and_again("usual", named, 2);
    let late = "CREATE TABLE t6 (id bigint PRIMARY KEY, late text);\n";
    let (severity, message) = edit(&root, &named(6), late, "2024-03-01T00:00:00Z");
    let words = "such edits are usual here: 5 of the last 5 commits to these files edited 5";
    assert!(severity == "note" && message.contains(words), "{message}");
    // A tag that brought the text to whoever installs it.
    for number in 1..=5 {
        tag(&root, &format!("v{number}"), &format!("2024-03-0{number}T12:00:00Z"));
    }
    let (severity, message) = edit(&root, &named(6), T2, "2024-04-01T00:00:00Z");
    assert!(severity == "error" && !message.contains("usual"), "{message}");
    // What is so beside it, by the same runner, is so here.
    let other = root.join("other/migrations");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("001_t1.sql"), T2).unwrap();
    commit(&root, "2026-01-01T00:00:00Z");
    fs::write(other.join("001_t1.sql"), LATER).unwrap();
    commit(&root, "2026-02-01T00:00:00Z");
    let (severity, message) = said_of_last(&root, ".", "shipped-migration-edited").unwrap();
    assert!(severity == "note" && message.contains("usual here"), "{message}");
    // Four edits are too few.
    let root = case("few", &(1..=6).map(table).collect::<Vec<_>>(), &(1..=6).map(table).collect::<Vec<_>>());
    for number in 1..=4 {
        let text = format!("CREATE TABLE t{number} (id bigint PRIMARY KEY, note text);\n");
        fs::write(root.join("migrations").join(named(number)), text).unwrap();
        commit(&root, &format!("2030-02-0{number}T00:00:00Z"));
    }
    let (severity, _) = edit(&root, &named(6), late, "2030-03-01T00:00:00Z");
    assert_eq!(severity, "error");
}

/// A runner that compares checksums and has no command to make one good would run nothing any more.
#[test]
fn edits_that_are_usual_show_that_the_runner_takes_them() {
    let flyway = |number| format!("V{number}__t{number}.sql");
    let root = edits_again_and_again("usual-flyway", flyway, 2);
    let file = root.join("migrations").join(flyway(6));
    fs::write(&file, "-- Six.\nCREATE TABLE t6 (id bigint PRIMARY KEY);\n").unwrap();
    commit(&root, "2024-03-01T00:00:00Z");
    let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-edited").unwrap();
    assert!(
        severity == "error" && message.contains("Flyway compares checksums"),
        "each was repaired by hand: {message}"
    );
    // Code that repairs by itself.
    let code = "class C {\n  void migrate(Flyway flyway) {\n    flyway.repair();\n    flyway.migrate();\n  }\n}\n";
    fs::write(root.join("C.java"), code).unwrap();
    commit(&root, "2024-03-02T00:00:00Z");
    fs::write(&file, "-- The sixth.\nCREATE TABLE t6 (id bigint PRIMARY KEY);\n").unwrap();
    commit(&root, "2024-04-01T00:00:00Z");
    assert_eq!(said_of_last(&root, "migrations", "shipped-migration-edited"), None);

    let sqlx = |number| format!("2024010100000{number}_t{number}.sql");
    let root = edits_again_and_again("usual-sqlx", sqlx, 2);
    fs::write(root.join("Cargo.toml"), "[package]\nname = \"a\"\n[dependencies]\nsqlx = \"0.8\"\n").unwrap();
    commit(&root, "2024-03-01T00:00:00Z");
    fs::write(root.join("migrations").join(sqlx(6)), "-- Six.\nCREATE TABLE t6 (id bigint PRIMARY KEY);\n").unwrap();
    commit(&root, "2024-03-02T00:00:00Z");
    let (severity, message) = said_of_last(&root, "migrations", "shipped-migration-edited").unwrap();
    assert!(severity == "note" && message.contains("usual here: 5 of the last 5"), "{message}");
}
