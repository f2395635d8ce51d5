//! The graph shows what the migrations connect, near a table or whole, and says what it leaves out.

#![allow(clippy::unwrap_used)]

mod command;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use command::plimsoll;
use serde_json::Value;

const INCIDENT: &str = "fixtures/_whole/incident-right-order";

/// Edges as `kind name → kind name`.
fn edges(arguments: &[&str]) -> BTreeSet<String> {
    let mut all = vec!["graph", "--format=json"];
    all.extend(arguments);
    let document = plimsoll(&all).json();
    let named = |id: &Value| {
        let node = document["nodes"].as_array().unwrap().iter().find(|node| node["id"] == *id).unwrap();
        node["name"].as_str().unwrap().to_owned()
    };
    let edges = document["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| format!("{} {} {}", named(&edge["from"]), edge["kind"].as_str().unwrap(), named(&edge["to"])))
        .collect()
}

#[test]
fn a_write_is_followed_through_trigger_and_function() {
    let edges = edges(&[INCIDENT, "--table=ci_runners", "--depth=1"]);
    let has = |from: &str, kind: &str, to: &str| {
        edges.iter().any(|edge| edge.contains(from) && edge.contains(kind) && edge.ends_with(to))
    };
    assert!(has("public.ci_runners ", "copied to", "public.ci_runners_e59bb2812d"), "{edges:#?}");
    assert!(has("public.ci_runners ", "backfilled to", "public.ci_runners_e59bb2812d"), "{edges:#?}");
    assert!(has("public.ci_runners ", "fires", "on public.ci_runners"), "{edges:#?}");
    assert!(has("()", "writes", "public.ci_runners_e59bb2812d"), "{edges:#?}");
    assert!(has("public.ci_runner_machines ", "references", "public.ci_runners"), "{edges:#?}");
}

#[test]
fn a_function_that_many_tables_share_makes_them_no_neighbours() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("graph");
    fs::create_dir_all(&folder).unwrap();
    let mut sql = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.at := now(); RETURN NEW; END $$;\n"
        .to_owned();
    for number in 0..200 {
        sql.push_str(&format!(
            "CREATE TABLE t{number} (id int PRIMARY KEY, at timestamp);
             CREATE TRIGGER touch BEFORE UPDATE ON t{number} FOR EACH ROW EXECUTE FUNCTION touch();\n"
        ));
    }
    fs::write(folder.join("001_all.sql"), sql).unwrap();
    let folder = folder.display().to_string();
    let near = edges(&[&folder, "--table=t7", "--depth=3"]);
    assert_eq!(near.len(), 2, "{near:#?}");
    let whole = plimsoll(&["graph", &folder, "--format=json"]).json();
    assert_eq!(whole["left_out"], 50);
    let mermaid = plimsoll(&["graph", &folder, "--format=mermaid"]).out;
    assert!(mermaid.contains("%% 50 further connected tables are left out"), "{mermaid}");
}

/// The boxes and the lines of a drawing, as an XML parser sees them.
fn drawn(arguments: &[&str]) -> (usize, usize, usize) {
    let ran = plimsoll(arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = roxmltree::Document::parse(&ran.out).unwrap();
    let of = |class: &str| {
        let groups = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "g")));
        groups
            .filter(|node| node.attribute("class").is_some_and(|known| known.split(' ').any(|one| one == class)))
            .count()
    };
    (of("box"), of("arrow"), of("marked"))
}

#[test]
fn a_drawing_shows_what_the_data_says() {
    let document = plimsoll(&["graph", INCIDENT, "--format=json"]).json();
    let pairs: BTreeSet<(&str, &str)> = document["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| match (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()) {
            // Drawn from the table to its partition.
            (from, to) if edge["kind"] == "partition of" => (to, from),
            pair => pair,
        })
        .collect();
    let (boxes, arrows, marked) = drawn(&["graph", INCIDENT, "--format=svg"]);
    assert_eq!((boxes, arrows, marked), (document["nodes"].as_array().unwrap().len(), pairs.len(), 0));
}

#[test]
fn a_path_leads_from_one_table_to_another() {
    let folder = "fixtures/_whole/incident-partition-keys";
    let ends = ["--path", "ci_runner_machines", "group_type_ci_runners_e59bb2812d"];
    let way = edges(&[&[folder], &ends[..]].concat());
    let told: Vec<&str> = ["fires", "calls", "writes", "partition of", "references"]
        .into_iter()
        .filter(|kind| way.iter().any(|edge| edge.contains(kind)))
        .collect();
    assert_eq!((way.len(), told.len()), (5, 5), "{way:#?}");
    let (boxes, arrows, _) = drawn(&[&["graph", folder, "--format=svg"], &ends[..]].concat());
    assert_eq!((boxes, arrows), (6, 5));
    let none = plimsoll(&["graph", folder, "--path", "ci_runners_e59bb2812d", "ci_runner_machines"]);
    assert_eq!(none.code, 2);
    assert!(none.err.contains("no write to"), "{}", none.err);
}

#[test]
fn the_keys_at_which_a_write_can_fail_are_red() {
    let drawing = ["paths", "ci_runner_machines", "fixtures/_whole/incident-partition-keys", "--format=svg"];
    let (_, arrows, marked) = drawn(&drawing);
    assert!(arrows > 5 && marked > 0, "{arrows} {marked}");
}

#[test]
fn names_in_a_drawing_are_text() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("graph-hostile");
    fs::create_dir_all(&folder).unwrap();
    let name = "x\u{1b}[31m\u{202e}</text></svg><script>alert(1)</script>&\"\"";
    let sql =
        format!("CREATE TABLE \"{name}\" (id int PRIMARY KEY);\nCREATE TABLE b (id int REFERENCES \"{name}\");\n");
    fs::write(folder.join("001_a.sql"), sql).unwrap();
    let folder = folder.display().to_string();
    let drawing = plimsoll(&["graph", &folder, "--format=svg"]).out;
    assert!(!drawing.contains(['\u{1b}', '\u{202e}']) && !drawing.contains("<script"), "{drawing}");
    assert_eq!(drawn(&["graph", &folder, "--format=svg"]), (2, 1, 0));
}
