//! The command line as a script or a CI job meets it: exit codes, streams, help, hostile names.

#![allow(clippy::unwrap_used)]

mod command;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use command::{Ran, plimsoll, plimsoll_reading};
use plimsoll::output::Format;

/// A folder of migrations of its own.
fn project(name: &str, files: &[(&str, &str)]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (path, text) in files {
        fs::write(folder.join(path), text).unwrap();
    }
    folder.display().to_string()
}

const HARMLESS: (&str, &str) = ("001_users.sql", "CREATE TABLE users (id bigint PRIMARY KEY);\n");
/// `frobnicate` is no statement of PostgreSQL: a warning, by `unread-statement`.
const UNREAD: (&str, &str) = ("002_unread.sql", "FROBNICATE users;\n");

#[track_caller]
fn ends(ran: &Ran, code: u8) {
    assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
}

#[test]
fn exit_codes_tell_clean_findings_and_impossible_apart() {
    let clean = project("clean", &[HARMLESS]);
    let found = project("found", &[HARMLESS, UNREAD]);
    for format in Format::ALL {
        let format = &format!("--format={}", format.word());
        ends(&plimsoll(&["check", &clean, format]), 0);
        ends(&plimsoll(&["check", &found, format]), 0);
        ends(&plimsoll(&["check", &found, "--fail-on=warning", format]), 1);
        ends(&plimsoll(&["check", &found, "--strict-reading", format]), 1);
        ends(&plimsoll(&["check", &found, "--strict-reading", "--exit-zero", format]), 0);
        ends(&plimsoll(&["check", "no/such/path", format]), 2);
    }
    ends(&plimsoll(&["check", &project("empty", &[])]), 2);
    ends(&plimsoll(&["check", &clean, "--postgres=11"]), 2);
    ends(&plimsoll(&["check", &clean, "--format=yaml"]), 2);
    ends(&plimsoll(&["check", &clean, "--rule=no-such-rule=off"]), 2);
    ends(&plimsoll(&["check", &clean, "--config=missing.toml"]), 2);
    ends(&plimsoll(&["frob"]), 2);
    ends(&plimsoll(&["explain", "no-such-rule"]), 2);
}

#[test]
fn a_run_that_is_impossible_writes_no_report() {
    let ran = plimsoll(&["check", "no/such/path", "--format=json"]);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("no/such/path"), "{}", ran.err);
}

#[test]
fn a_run_that_is_impossible_leaves_a_whole_document_where_a_machine_waits_for_one() {
    for format in Format::ALL.into_iter().filter(|format| !matches!(format, Format::Human | Format::Json)) {
        let ran = plimsoll(&["check", "no/such/path", "--format", format.word()]);
        ends(&ran, 2);
        assert!(ran.out.contains("no/such/path"), "{}", ran.out);
        assert!(ran.err.contains("no/such/path"), "{}", ran.err);
    }
    let file = PathBuf::from(project("impossible", &[])).join("report.sarif");
    let ran = plimsoll(&["check", "no/such/path", "--format=sarif", "--output", &file.display().to_string()]);
    ends(&ran, 2);
    assert!(fs::read_to_string(file).unwrap().contains("\"executionSuccessful\": false"));
}

#[test]
fn github_gets_a_summary_beside_its_annotations() {
    let folder = project("summary", &[HARMLESS, UNREAD]);
    let summary = PathBuf::from(&folder).join("summary.md");
    fs::write(&summary, "what an earlier step wrote\n").unwrap();
    let run = |format: &str| {
        let mut command = program(&["check", &folder, "--format", format]);
        command.env("GITHUB_STEP_SUMMARY", &summary).output().unwrap()
    };
    assert!(String::from_utf8(run("github").stdout).unwrap().starts_with("::warning file="));
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("what an earlier step wrote\n<!-- plimsoll -->\n### ⚠️ plimsoll: 1 warning"), "{text}");
    run("json");
    assert_eq!(fs::read_to_string(&summary).unwrap(), text, "other formats write no summary");
    let mut nowhere = program(&["check", &folder, "--format=github"]);
    let output = nowhere.env("GITHUB_STEP_SUMMARY", "no/such/folder/x").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "a summary that cannot be written changes no verdict");
    assert!(String::from_utf8(output.stderr).unwrap().contains("step summary"));
}

#[test]
fn what_was_read_is_always_said() {
    let clean = plimsoll(&["check", &project("said", &[HARMLESS, UNREAD])]);
    assert!(clean.out.contains("1 statement read, 1 unread"), "{}", clean.out);
    let none = plimsoll(&["check", &project("none", &[HARMLESS])]);
    assert!(none.out.contains("No finding; 1 migration judged; 1 statement read, 0 unread"), "{}", none.out);
}

#[test]
fn standard_input_is_judged_after_the_rest() {
    let folder = project("stdin", &[HARMLESS]);
    let alone = plimsoll_reading("SELECT 1;", &["check", "-", "--format=json"]);
    ends(&alone, 0);
    assert_eq!(alone.json()["summary"]["judged"], 1);
    let beside = plimsoll_reading(UNREAD.1, &["check", &folder, "--stdin", "--format=json", "--fail-on=warning"]);
    ends(&beside, 1);
    assert_eq!(beside.json()["summary"]["migrations"], 2, "{}", beside.out);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [vec!["--help"], vec!["check", "--help"], vec!["--version"], vec!["graph", "--help"]] {
        let ran = plimsoll(&arguments);
        ends(&ran, 0);
        assert!(!ran.out.is_empty() && ran.err.is_empty(), "{arguments:?}");
    }
    let nothing = plimsoll(&[]);
    ends(&nothing, 2);
    assert!(nothing.out.is_empty() && nothing.err.contains("check"), "{}", nothing.err);
}

#[test]
fn output_goes_to_a_file() {
    let folder = project("output", &[HARMLESS]);
    let file = PathBuf::from(&folder).join("report.json").display().to_string();
    let ran = plimsoll(&["check", &folder, "--format=json", "--output", &file]);
    ends(&ran, 0);
    assert_eq!(ran.out, "");
    assert!(fs::read_to_string(file).unwrap().contains("\"version\": 1"));
    ends(&plimsoll(&["check", &folder, "--output", "no/such/folder/x"]), 2);
}

#[test]
fn schema_and_graph_print_what_the_migrations_make() {
    let folder = project(
        "schema",
        &[
            HARMLESS,
            ("002_posts.sql", "CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint REFERENCES users);\n"),
        ],
    );
    let schema = plimsoll(&["schema", &folder]).json();
    assert_eq!(schema["tables"][0]["name"], "public.posts");
    let constraints = schema["tables"][0]["constraints"].as_array().unwrap();
    let key = constraints.iter().find(|one| one["kind"] == "foreign").unwrap();
    assert_eq!(key["references"]["table"], "public.users");
    let sql = plimsoll(&["schema", &folder, "--format=sql", "--postgres=16"]).out;
    assert!(sql.contains("REFERENCES public.users(id)"), "{sql}");
    let graph = plimsoll(&["graph", &folder, "--table=users", "--format=json"]).json();
    assert_eq!(graph["edges"][0]["kind"], "references");
    for format in ["dot", "mermaid"] {
        let ran = plimsoll(&["graph", &folder, "--format", format]);
        assert!(ran.out.contains("public.posts") && ran.out.contains("posts_user_id_fkey"), "{}", ran.out);
    }
    let unknown = plimsoll(&["graph", &folder, "--table=user"]);
    ends(&unknown, 2);
    assert!(unknown.err.contains("did you mean `users`"), "{}", unknown.err);
}

#[test]
fn hostile_names_are_inert_everywhere() {
    let name = "x\u{1b}[31m\u{7}\u{202e}\n\"\"]; <script>alert(1)</script>";
    let sql =
        format!("CREATE TABLE \"{name}\" (id int PRIMARY KEY);\nFROBNICATE \"{name}\";\nSELECT * FROM \"{name}\n");
    let folder = project("hostile", &[("001_a.sql", &sql)]);
    for arguments in [
        vec!["check", &folder, "--notes"],
        vec!["check", &folder, "--format=json"],
        vec!["schema", &folder],
        vec!["graph", &folder, "--table", "\"x\u{1b}[31m\""],
    ] {
        let ran = plimsoll(&arguments);
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{arguments:?}\n{shown}");
    }
    let harmless = |arguments: &[&str]| {
        let ran = plimsoll(arguments);
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{arguments:?}\n{shown}");
        assert!(ran.code < 2 && ran.out.contains("alert(1)"), "{arguments:?} tells the name\n{shown}");
        ran.out
    };
    let name = format!("{name} y");
    let sql =
        format!("CREATE TABLE \"{name}\" (id int PRIMARY KEY);\nCREATE TABLE b (id int REFERENCES \"{name}\");\n");
    let folder = project("hostile-graph", &[("001_a.sql", &sql)]);
    let table = format!("\"{name}\"");
    for format in ["dot", "mermaid", "svg", "json"] {
        let format = format!("--format={format}");
        harmless(&["graph", &folder, &format]);
        harmless(&["graph", &folder, &format, "--table", &table, "--depth=1"]);
        harmless(&["graph", &folder, &format, "--path", "b", &table]);
    }
    for format in ["human", "json", "svg"] {
        harmless(&["paths", &table, &folder, &format!("--format={format}")]);
    }
    harmless(&["schema", &folder, "--format=json"]);
    let other = format!("{}/001_users.sql", project("hostile-other", &[HARMLESS]));
    for format in ["human", "json"] {
        harmless(&["drift", "--expected", &folder, "--actual", &other, &format!("--format={format}")]);
    }
    let svg = harmless(&["graph", &folder, "--format=svg"]);
    let drawing = roxmltree::Document::parse(&svg).unwrap();
    assert!(!drawing.descendants().any(|node| node.has_tag_name("script")), "{svg}");
    let mermaid = plimsoll(&["graph", &folder, "--format=mermaid"]).out;
    assert!(mermaid.contains("alert") && !mermaid.contains("<script>"), "{mermaid}");
    let dot = plimsoll(&["graph", &folder, "--format=dot"]).out;
    assert!(dot.lines().all(|line| line.matches('"').count() % 2 == line.matches("\\\"").count() % 2), "{dot}");
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn the_program_itself_answers_as_its_library_does() {
    let folder = project("program", &[HARMLESS, UNREAD]);
    let output = program(&["check", &folder, "--fail-on=warning"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), plimsoll(&["check", &folder, "--fail-on=warning"]).out);
    let coloured = program(&["check", &folder, "--color=always"]).env("NO_COLOR", "1").output().unwrap();
    assert!(coloured.stdout.contains(&0x1b), "an explicit flag wins over NO_COLOR");
    let plain = program(&["check", &folder]).env("NO_COLOR", "1").output().unwrap();
    assert!(!plain.stdout.contains(&0x1b));
    let mut reading = program(&["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    reading.stdin.take().unwrap().write_all(b"SELECT 1;").unwrap();
    assert_eq!(reading.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = program(&["rules"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

const PAGE: &str = r#"# audit-columns

```toml
severity = "error"
summary = "a column of an audit table may be null"

[match]
operation = "new-column"
table = ["audit_*", "*_log"]
unless = ["not-null"]
message = "`{table}.{column}` may be null"
instead = "{column} {type} NOT NULL"
```

## Why it hurts

Auditors ask for every value.

## Instead

NOT NULL.
"#;

/// A project with a settings file, pages of its own and migrations.
fn with_pages(name: &str, settings: &str, pages: &[(&str, &str)], sql: &str) -> (String, String) {
    let folder = project(name, &[("plimsoll.toml", settings)]);
    for part in ["rules", "migrations"] {
        fs::create_dir_all(PathBuf::from(&folder).join(part)).unwrap();
    }
    for (page, text) in pages {
        fs::write(PathBuf::from(&folder).join("rules").join(page), text).unwrap();
    }
    fs::write(PathBuf::from(&folder).join("migrations/001_log.sql"), sql).unwrap();
    (format!("--config={folder}/plimsoll.toml"), format!("{folder}/migrations"))
}

const EXTRA: &str = "extra-rules = [\"rules\"]\n";
const AUDITED: &str = "CREATE TABLE audit_log (id bigint PRIMARY KEY, at timestamptz, who text NOT NULL);\n";

#[test]
fn pages_of_a_project_are_rules_like_any_other() {
    let pages = [("audit-columns.md", PAGE), ("README.md", "Our rules.")];
    let (config, path) = with_pages("pages", EXTRA, &pages, AUDITED);
    let ran = plimsoll(&["check", &path, &config, "--format=json"]);
    ends(&ran, 1);
    let found = &ran.json()["findings"];
    assert_eq!(found[0]["rule"], "audit-columns");
    assert_eq!(found[0]["message"], "`audit_log.at` may be null");
    assert_eq!(found[0]["instead"], "at timestamp with time zone NOT NULL");
    assert_eq!((found[0]["line"].as_u64(), found[0]["column"].as_u64()), (Some(1), Some(48)));
    assert_eq!(found[1], serde_json::Value::Null, "one column may be null: {found}");

    let off = format!("{EXTRA}[rules]\naudit-columns = \"off\"\n");
    let (config, path) = with_pages("pages-off", &off, &pages, AUDITED);
    ends(&plimsoll(&["check", &path, &config]), 0);

    let allowed = format!("-- plimsoll:allow audit-columns: filled by the archive\n{AUDITED}");
    let (config, path) = with_pages("pages-allowed", EXTRA, &pages, &allowed);
    let ran = plimsoll(&["check", &path, &config, "--format=json"]);
    ends(&ran, 0);
    assert_eq!(ran.rules(), Vec::<String>::new(), "{}", ran.out);
}

#[test]
fn pages_that_cannot_be_read_end_the_run() {
    let wrong = [
        ("audit-columns.md", PAGE.replace("new-column", "new-row"), "`new-row` is no operation"),
        ("audit-columns.md", PAGE.replace("{column}", "{kolumn}"), "`{kolumn}` stands for nothing"),
        ("audit-columns.md", PAGE[..PAGE.find("[match]").unwrap()].to_owned() + "```\n", "[match]"),
        ("drop-column.md", PAGE.replace("audit-columns", "drop-column"), "a rule of plimsoll's own"),
        ("Audit.md", PAGE.replace("audit-columns", "Audit"), "is no id of a rule"),
    ];
    for (name, text, told) in wrong {
        let (config, path) = with_pages("pages-wrong", EXTRA, &[(name, text.as_str())], AUDITED);
        let ran = plimsoll(&["check", &path, &config]);
        ends(&ran, 2);
        assert!(
            ran.err.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ").contains(told),
            "{told}: {}",
            ran.err
        );
    }
}

/// A Rails migration that says `add_money`, under such a vocabulary.
fn with_vocabulary(name: &str, words: &str) -> (String, String) {
    let settings = "vocabularies = [\"words.toml\"]\nframework = \"rails\"\n";
    let folder = project(name, &[("plimsoll.toml", settings), ("words.toml", words)]);
    let migrations = PathBuf::from(&folder).join("db/migrate");
    fs::create_dir_all(&migrations).unwrap();
    let ruby = "class AddPrice < ActiveRecord::Migration[7.1]\n  def up\n    create_table :orders\n    \
                add_money :orders, :price\n  end\nend\n";
    fs::write(migrations.join("20240101000000_add_price.rb"), ruby).unwrap();
    (format!("--config={folder}/plimsoll.toml"), format!("{folder}/db/migrate"))
}

const MONEY: &str = "[vocabulary]\nname = \"shop\"\n\n[helper.add_money]\nparameters = \"table, column\"\n\
                     does = 'add_column table, \"#{column}_cents\", :bigint'\n";

#[test]
fn helpers_that_a_project_declares_are_understood() {
    let (config, path) = with_vocabulary("words", MONEY);
    let ran = plimsoll(&["schema", &path, &config, "--format=sql"]);
    ends(&ran, 0);
    assert!(ran.out.contains("price_cents bigint"), "{}", ran.out);
    let ran = plimsoll(&["check", &path, &config, "--format=json"]);
    assert_eq!(ran.json()["summary"]["unread"], 0, "{}", ran.out);

    let (config, path) = with_vocabulary("words-other", &MONEY.replace("add_money", "add_amount"));
    let ran = plimsoll(&["check", &path, &config, "--format=json"]);
    assert_eq!(ran.json()["summary"]["unread"], 1, "{}", ran.out);

    let (config, path) = with_vocabulary("words-wrong", &MONEY.replace("does", "did"));
    let ran = plimsoll(&["check", &path, &config]);
    ends(&ran, 2);
    assert!(ran.err.contains("words.toml"), "{}", ran.err);
}

#[test]
fn the_vocabulary_of_pages_is_documented() {
    let page = fs::read_to_string("docs/configuration.md").unwrap();
    for words in [plimsoll::rules::OPERATIONS, plimsoll::rules::FIELDS, plimsoll::rules::FACTS] {
        let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        assert!(page.contains(&listed), "docs/configuration.md does not list {listed}");
    }
}
