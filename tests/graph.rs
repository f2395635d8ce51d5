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
