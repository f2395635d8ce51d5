//! The jobs that this repository offers: their YAML, shell and Ruby parse, and every command in them takes its flags.

#![allow(clippy::unwrap_used)]

mod command;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use command::plimsoll;
use yaml_rust2::{Yaml, YamlLoader};

const PAGE: &str = "docs/pipelines.md";

/// The fenced blocks of the page in one language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(PAGE).unwrap();
    let open = format!("```{language}\n");
    page.split(open.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// All YAML of the repository that services read, each with its name.
fn documents() -> Vec<(String, Yaml)> {
    let files = ["action.yml", ".pre-commit-hooks.yaml", "src/cli/init/github.yml", "src/cli/init/gitlab.yml"];
    let mut texts: Vec<(String, String)> =
        files.iter().map(|file| ((*file).to_owned(), fs::read_to_string(file).unwrap())).collect();
    texts.extend(blocks("yaml").into_iter().enumerate().map(|(at, text)| (format!("{PAGE}, block {at}"), text)));
    let parsed = texts.into_iter().map(|(name, text)| {
        let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(documents.len(), 1, "{name}");
        (name, documents.remove(0))
    });
    parsed.collect()
}

/// Every text of a document.
fn texts(node: &Yaml, found: &mut Vec<String>) {
    match node {
        Yaml::String(text) => found.push(text.clone()),
        Yaml::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Yaml::Hash(entries) => entries.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[track_caller]
fn is_shell(script: &str) {
    let mut child = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The lines that call plimsoll, without what the shell makes of their ends.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\"$plimsoll\" ", "plimsoll ");
    let lines =
        script.lines().filter_map(|line| line.trim().trim_start_matches(['`', '-', ' ']).strip_prefix("plimsoll "));
    let words = lines.map(|line| {
        let line = line.split(['|', '<', '>', '`']).next().unwrap();
        let words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned());
        // What a variable holds is not known here; a flag keeps its place.
        words
            .map(|word| match word.as_str() {
                "$format" => "sarif".to_owned(),
                other if other.starts_with("$out") => "out".to_owned(),
                _ => word,
            })
            .filter(|word| !word.contains(['$', '{', '}']))
            .collect()
    });
    words.collect()
}

#[test]
fn every_document_parses_and_every_script_in_it_is_one() {
    let mut calls = Vec::new();
    for (name, document) in documents() {
        let mut found = Vec::new();
        texts(&document, &mut found);
        for text in found.iter().filter(|text| text.contains("plimsoll check") || text.contains('\n')) {
            is_shell(&text.replace("${{", "{{"));
            calls.extend(commands(text));
        }
        assert!(!found.is_empty(), "{name}");
    }
    for script in blocks("sh") {
        is_shell(&script);
        calls.extend(commands(&script));
    }
    for script in blocks("ruby") {
        let parsed = ruby_prism::parse(script.as_bytes());
        assert_eq!(parsed.errors().count(), 0, "{script}");
        calls.extend(commands(&script.replace("report = `", "")));
    }
    let calls: BTreeSet<Vec<String>> = calls.into_iter().collect();
    assert!(calls.len() > 8, "{calls:?}");
    for call in calls {
        // Whatever is wrong with flags is said before help is given.
        let words: Vec<&str> = call.iter().map(String::as_str).chain(["--help"]).collect();
        let ran = plimsoll(&words);
        assert_eq!(ran.code, 0, "{call:?}\n{}", ran.err);
    }
}

#[test]
fn the_action_takes_its_inputs_by_the_environment() {
    let (_, action) = documents().remove(0);
    let inputs: BTreeSet<&str> = action["inputs"].as_hash().unwrap().keys().filter_map(Yaml::as_str).collect();
    let steps = action["runs"]["steps"].as_vec().unwrap();
    let ids: BTreeSet<&str> = steps.iter().filter_map(|step| step["id"].as_str()).collect();
    let mut used = BTreeSet::new();
    for step in steps {
        assert_eq!(step["run"].as_str().is_some(), step["shell"].as_str().is_some(), "{step:?}");
        assert!(
            step["run"].as_str().is_none_or(|run| !run.contains("${{")),
            "an input inside of a script is part of it"
        );
        let mut found = Vec::new();
        texts(step, &mut found);
        for text in found {
            used.extend(text.split("inputs.").skip(1).map(|rest| {
                rest.split(|one: char| !one.is_ascii_lowercase() && one != '-').next().unwrap().to_owned()
            }));
            for id in text.split("steps.").skip(1).map(|rest| rest.split('.').next().unwrap()) {
                assert!(ids.contains(id), "no step is called {id}");
            }
        }
    }
    assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), inputs, "what is used is what can be given");
    // A reader who may not comment or upload still gets a verdict, and that comes last.
    let optional = steps.iter().filter(|step| step["continue-on-error"].as_bool() == Some(true)).count();
    assert_eq!((optional, steps.last().unwrap()["name"].as_str()), (3, Some("Verdict")));
    let github = &documents()[2].1;
    let given = github["jobs"]["migrations"]["steps"][1]["with"].as_hash().unwrap();
    assert!(given.keys().all(|key| inputs.contains(key.as_str().unwrap())));
}

#[test]
fn the_hooks_take_the_whole_history() {
    let hooks = &documents()[1].1;
    for hook in hooks.as_vec().unwrap() {
        for key in ["id", "name", "entry", "language", "files"] {
            assert!(hook[key].as_str().is_some(), "{key}");
        }
        assert_eq!((hook["pass_filenames"].as_bool(), hook["require_serial"].as_bool()), (Some(false), Some(true)));
    }
}
