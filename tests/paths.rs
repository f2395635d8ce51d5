//! `paths` tells what a write runs into: triggers, what they write, partitions, constraints, and what is in doubt.

#![allow(clippy::unwrap_used)]

mod command;

use std::fs;
use std::path::PathBuf;

use command::plimsoll;
use serde_json::Value;

fn project(name: &str, sql: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("paths").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("001_all.sql"), sql).unwrap();
    folder.display().to_string()
}

/// Every text below one event, in order, with its depth.
fn told(table: &str, folder: &str, event: &str) -> Vec<String> {
    fn walk(rows: &Value, depth: usize, into: &mut Vec<String>) {
        for row in rows.as_array().unwrap() {
            let risk = row["risk"].as_str().map(|risk| format!(" ! {risk}")).unwrap_or_default();
            into.push(format!("{}{}{risk}", ". ".repeat(depth), row["text"].as_str().unwrap()));
            walk(&row["then"], depth + 1, into);
        }
    }
    let document = plimsoll(&["paths", table, folder, "--format=json"]).json();
    let paths = document["paths"].as_array().unwrap();
    let path = paths.iter().find(|path| path["event"] == event).unwrap();
    let mut found = Vec::new();
    walk(&path["meets"], 0, &mut found);
    found
}

#[test]
fn the_incident_is_a_path_to_rows_that_were_never_copied() {
    let found = told("ci_runner_machines", "fixtures/_whole/incident-partition-keys", "INSERT");
    let at =
        |start: &str| found.iter().position(|text| text.starts_with(start)).unwrap_or_else(|| panic!("{found:#?}"));
    let trigger = at("AFTER row trigger table_sync_trigger_");
    let write = at(". INSERT ci_runner_machines_687967fa8a");
    let partition = at(". . partition group_type_ci_runner_machines_687967fa8a");
    assert!(trigger < write && write < partition);
    let doubtful: Vec<&String> = found.iter().filter(|text| text.contains(" ! ")).collect();
    assert_eq!(doubtful.len(), 4, "three partitions and the parent: {doubtful:#?}");
    assert!(doubtful.iter().all(|text| text.ends_with("rows of ci_runners that were never copied there")));
    let found = told("ci_runner_machines", "fixtures/_whole/incident-right-order", "INSERT");
    assert!(found.iter().any(|text| text.contains("FOREIGN KEY")), "{found:#?}");
    assert!(!found.iter().any(|text| text.contains(" ! ")), "{found:#?}");
}

#[test]
fn cascades_and_cycles_end() {
    let folder = project(
        "cycle",
        "CREATE TABLE a (id int PRIMARY KEY, b int);
         CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE);
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE;
         CREATE TABLE c (a int REFERENCES a ON DELETE RESTRICT);",
    );
    let found = told("a", &folder, "DELETE");
    assert_eq!(
        found,
        [
            "referenced by b_id_fkey of b: goes on to b",
            ". DELETE b",
            ". . referenced by a_b_fkey of a: goes on to a",
            ". . . DELETE a: told above",
            "referenced by c_a_fkey of c: refused while rows of c refer to it",
        ]
    );
    let found = told("c", &folder, "DELETE");
    assert_eq!(found, ["nothing that can refuse it"]);
}

#[test]
fn a_write_is_followed_as_far_as_asked_and_drawn_where_it_goes() {
    let sql = "CREATE TABLE a (id int PRIMARY KEY);
         CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE);
         CREATE TABLE c (id int PRIMARY KEY REFERENCES b ON DELETE SET NULL, d int);
         CREATE TABLE d (id int PRIMARY KEY);
         ALTER TABLE c ADD FOREIGN KEY (d) REFERENCES d;
         CREATE TABLE e (id int REFERENCES a);";
    let folder = project("depth", sql);
    let whole = told("a", &folder, "DELETE");
    assert!(whole.iter().any(|text| text.contains("UPDATE c")), "{whole:#?}");
    let document = plimsoll(&["paths", "a", &folder, "--depth=1", "--format=json"]).out;
    assert!(document.contains("UPDATE c: further away than --depth"), "{document}");
    assert!(!document.contains("c_d_fkey"), "{document}");
    let boxes = |depth: &[&str]| {
        let drawing = plimsoll(&[&["paths", "a", &folder, "--format=svg"], depth].concat()).out;
        let drawing = roxmltree::Document::parse(&drawing).unwrap();
        let titles = drawing.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")));
        let mut names: Vec<String> =
            titles.filter_map(|title| title.text()?.strip_prefix("table ").map(str::to_owned)).collect();
        names.sort();
        names.concat()
    };
    // A key that refuses is no way on, and rows that are taken along are not checked by other keys.
    assert_eq!(
        (boxes(&[]).as_str(), boxes(&["--depth=1"]).as_str(), boxes(&["--depth=0"]).as_str()),
        ("abc", "ab", "a")
    );
}

#[test]
fn what_the_source_does_not_promise_is_marked() {
    let folder = project(
        "stricter",
        "CREATE TABLE notes (id int PRIMARY KEY, body text);
         CREATE TABLE notes_copy (id int PRIMARY KEY, body text CHECK (length(body) < 10));
         CREATE FUNCTION copy_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO notes_copy (id, body) VALUES (NEW.id, NEW.body); RETURN NEW; END $$;
         CREATE TRIGGER copy_note AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION copy_note();
         CREATE VIEW all_notes AS SELECT id, body FROM notes;",
    );
    let found = told("notes", &folder, "INSERT");
    let check = found.iter().find(|text| text.contains("notes_copy_body_check")).unwrap();
    assert!(check.ends_with("! the table that is written does not promise this"), "{check}");
    let through_view = told("all_notes", &folder, "INSERT");
    assert_eq!(through_view[0], "INSERT notes");
    assert!(through_view.iter().any(|text| text.contains("notes_copy_body_check")), "{through_view:#?}");
}

#[test]
fn an_unknown_table_gets_a_suggestion() {
    let ran = plimsoll(&["paths", "ci_runer_machines", "fixtures/_whole/incident-partition-keys"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean `ci_runner_machines`?"), "{}", ran.err);
}
