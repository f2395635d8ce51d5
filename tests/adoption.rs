//! Taking plimsoll up in a project that has a history: what is known, what is new, settings, shells, schemas.

#![allow(clippy::unwrap_used)]

mod command;
#[path = "formats/schema.rs"]
mod schema;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use command::{Ran, plimsoll};
use serde_json::Value;

const USERS: (&str, &str) = ("001_create_users.sql", "CREATE TABLE users (id bigint PRIMARY KEY, email text);\n");
const INDEX: (&str, &str) = ("002_index_users.sql", "CREATE INDEX users_email ON users (email);\n");

struct Project(PathBuf);

impl Project {
    /// A repository of its own: settings and baseline are looked for in it only.
    fn new(name: &str, files: &[(&str, &str)]) -> Project {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("adoption").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join(".git")).unwrap();
        let project = Project(folder);
        files.iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(if path.ends_with(".sql") { format!("migrations/{path}") } else { path.to_owned() });
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }

    fn rename(&self, from: &str, to: &str) {
        let migrations = self.0.join("migrations");
        fs::rename(migrations.join(from), migrations.join(to)).unwrap();
    }

    /// The program itself, run in the project's folder.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        let Output { status, stdout, stderr } = command.args(arguments).current_dir(&self.0).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: u8::try_from(status.code().unwrap()).unwrap(), out: text(stdout), err: text(stderr) }
    }

    #[track_caller]
    fn checks(&self, code: u8) -> Value {
        let ran = self.run(&["check", "--format=json"]);
        assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
        ran.json()
    }
}

fn count(report: &Value, key: &str) -> u64 {
    report["summary"][key].as_u64().unwrap()
}

#[test]
fn what_is_known_fails_no_run_and_what_is_new_does() {
    let project = Project::new("baseline", &[USERS, INDEX, ("plimsoll.toml", "baseline = \"known.json\"\n")]);
    let missing = project.run(&["check"]);
    assert_eq!(missing.code, 2, "{}", missing.out);
    assert!(missing.err.contains("known.json") && missing.err.contains("plimsoll baseline"), "{}", missing.err);
    let written = project.run(&["baseline"]);
    assert_eq!(written.code, 0, "{}", written.err);
    assert!(written.out.contains("known from here on: ") && written.out.contains("known.json"), "{}", written.out);
    let known = project.checks(0);
    let held = count(&known, "baselined");
    assert!(held > 0 && count(&known, "errors") == 0, "{known}");
    assert_eq!(project.run(&["baseline"]).code, 0);
    assert_eq!(count(&project.checks(0), "baselined"), held, "written again it knows the same");

    project.write("003_index_more.sql", "CREATE INDEX users_id ON users (id, email);\n");
    let new = project.checks(1);
    assert_eq!((count(&new, "baselined"), count(&new, "errors")), (held, 1));
    let sarif = project.run(&["check", "--format=sarif"]).json();
    let suppressed =
        sarif["runs"][0]["results"].as_array().unwrap().iter().filter(|one| one.get("suppressions").is_some());
    assert_eq!(suppressed.count() as u64, held);
}

#[test]
fn what_is_known_stays_so_when_lines_move_and_files_get_other_names() {
    let project = Project::new("moved", &[USERS, INDEX, ("plimsoll.toml", "baseline = \"known.json\"\n")]);
    assert_eq!(project.run(&["baseline"]).code, 0);
    let held = count(&project.checks(0), "baselined");
    project.write(INDEX.0, &format!("-- a line more\n\n{}", INDEX.1));
    assert_eq!(count(&project.checks(0), "baselined"), held, "moved lines");
    project.rename(INDEX.0, "007_index_users.sql");
    assert_eq!(count(&project.checks(0), "baselined"), held, "another version");
    project.rename("007_index_users.sql", "007_email_index.sql");
    assert_eq!(count(&project.checks(0), "baselined"), held, "another name");
    // The same again beside it is new: the entry stands for one.
    project.write("008_email_index_again.sql", "CREATE INDEX users_email_again ON users (email);\n");
    let again = project.checks(1);
    assert_eq!((count(&again, "baselined"), count(&again, "errors")), (held, 1));
}

#[test]
fn a_baseline_that_is_no_baseline_stops_the_run() {
    let project = Project::new("broken", &[USERS, ("plimsoll.toml", "baseline = \"known.json\"\n")]);
    for text in ["", "[]", "{\"version\": 2, \"findings\": []}", "{\"version\": 1, \"findings\": [], \"more\": 1}"] {
        project.write("known.json", text);
        assert_eq!(project.run(&["check"]).code, 2, "{text}");
    }
    let unallowable = "baseline = \"known.json\"\nunallowable = [\"index-not-concurrent\"]\n";
    let project = Project::new("unallowable", &[USERS, INDEX, ("plimsoll.toml", unallowable)]);
    assert_eq!(project.run(&["baseline"]).code, 0);
    assert_eq!(count(&project.checks(1), "errors"), 1, "what may not be allowed is not known either");
}

#[test]
fn the_baseline_comes_from_the_revision_that_the_settings_come_from() {
    let project = Project::new("trusted", &[USERS, INDEX, ("plimsoll.toml", "baseline = \"known.json\"\n")]);
    fs::remove_dir_all(project.0.join(".git")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments);
        assert!(command.current_dir(&project.0).output().unwrap().status.success(), "git {arguments:?}");
    };
    project.write("known.json", "{\"version\": 1, \"findings\": []}\n");
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "all"]);
    assert_eq!(project.run(&["baseline"]).code, 0);
    assert_eq!(project.run(&["check"]).code, 0);
    assert_eq!(project.run(&["check", "--config-from=HEAD"]).code, 1, "the change cannot write down its own findings");
}

#[test]
fn what_a_change_does_to_its_own_check_is_told() {
    let settings = "fail-on = \"warning\"\nunallowable = [\"drop-table\"]\n[rules]\ndrop-column = \"error\"\n";
    let project = Project::new("loosened", &[USERS, ("plimsoll.toml", settings)]);
    fs::remove_dir_all(project.0.join(".git")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments);
        assert!(command.current_dir(&project.0).output().unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "all"]);
    let told = |arguments: &[&str]| {
        let ran = project.run(arguments);
        ran.json()["changes"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&["check", "--since=main", "--format=json"]), Vec::<String>::new());
    let loose =
        "[rules]\ndrop-column = \"off\"\n[[allow]]\nrule = \"drop-table\"\nmigration = \"1\"\nreason = \"old\"\n";
    project.write("plimsoll.toml", loose);
    project.write(
        "002_more.sql",
        "-- plimsoll:allow-file index-not-concurrent: it is empty\nCREATE INDEX i ON users (email);\n",
    );
    let changes = told(&["check", "--since=main", "--format=json"]);
    let expected = [
        "plimsoll.toml: `fail-on` is error, it was warning",
        "plimsoll.toml: `rules.drop-column` is off, it was error",
        "plimsoll.toml: `allow` has `drop-table` in `1`: old now",
        "plimsoll.toml: `unallowable` has `drop-table` no more",
        "migrations/002_more.sql:1: allows `index-not-concurrent` in the whole file: it is empty",
    ];
    assert_eq!(changes, expected);
    let human = project.run(&["check", "--since=main"]).out;
    assert_eq!(human.matches("this change edits its own check: ").count(), expected.len(), "{human}");
    let trusted = told(&["check", "--since=main", "--config-from=main", "--format=json"]);
    assert_eq!(trusted, expected[4..], "the settings of the base are in force");
}

#[test]
fn a_first_run_over_a_long_history_is_told_in_short() {
    let mut files = vec![USERS];
    let many: Vec<(String, String)> = (0..120)
        .map(|number| (format!("{:03}_index.sql", number + 2), format!("CREATE INDEX i{number} ON users (email);\n")))
        .collect();
    files.extend(many.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let project = Project::new("long", &files);
    let told = |arguments: &[&str]| {
        let ran = project.run(arguments);
        assert_eq!(ran.code, 1, "{}", ran.err);
        (ran.out.matches("error[index-not-concurrent]").count(), ran.out)
    };
    let (short, text) = told(&["check"]);
    assert_eq!(short, 20, "{text}");
    assert!(text.contains("120  error    index-not-concurrent") && text.contains("--since"), "{text}");
    assert!(
        text.contains("120_index.sql") && text.contains("121_index.sql") && !text.contains("002_index.sql"),
        "the newest"
    );
    assert_eq!(told(&["check", "--all"]).0, 120);
    assert_eq!(told(&["check", "--after=100"]).0, 21, "a change is told in full");
    let (none, text) = told(&["check", "--statistics"]);
    assert!(none == 0 && text.contains("120  error    index-not-concurrent"), "{text}");
}

#[test]
fn init_writes_settings_that_are_read_again() {
    let project = Project::new("init", &[USERS]);
    let ran = project.run(&["init", "--ci=gitlab"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = project.read("plimsoll.toml");
    assert!(text.contains("paths = [\"migrations\"]") && text.contains("framework = \"plain\""), "{text}");
    project.checks(0);
    // What stands there as a comment is right, too.
    let full: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.starts_with('[') || key.split(' ').nth(1) == Some("=") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    project.write("plimsoll.toml", &full);
    let shown = project.run(&["config", "--show"]);
    assert_eq!(shown.code, 0, "{full}\n{}", shown.err);
    assert!(shown.out.contains("large-tables = [\"events\"]") && shown.out.contains("[[fact]]"), "{}", shown.out);
    let again = project.run(&["init"]);
    assert_eq!(again.code, 2, "what is there is not overwritten");
    assert!(again.err.contains("plimsoll.toml is there already"), "{}", again.err);
    assert_eq!(project.run(&["init", "--ci=github"]).code, 0, "the job alone may be added");
    assert!(project.read(".github/workflows/plimsoll.yml").contains("fetch-depth: 0"));
}

#[test]
fn init_leaves_out_what_belongs_to_tests() {
    let project = Project::new("init-tests", &[USERS, ("../app/testdata/migrations/001_users.sql", USERS.1)]);
    assert_eq!(project.run(&["init"]).code, 0);
    let text = project.read("plimsoll.toml");
    assert!(text.contains("paths = [\"migrations\"]") && !text.contains("testdata"), "{text}");
    project.checks(0);
}

#[test]
fn the_settings_shown_are_the_settings_meant() {
    // A page inside a longer fence shows another format.
    let page = fs::read_to_string("docs/configuration.md").unwrap();
    let documented: String = page.split("````").step_by(2).collect();
    let published: Value = serde_json::from_str(&plimsoll(&["config", "--schema"]).out).unwrap();
    let mut tried = 0;
    for text in documented.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let parsed: toml::Table = toml::from_str(text).unwrap();
        let faults = schema::faults(&serde_json::to_value(&parsed).unwrap(), &published);
        assert!(faults.is_empty(), "{text}\n{}", faults.join("\n"));
        let project = Project::new("shown", &[("plimsoll.toml", text)]);
        // Folders of rules and vocabularies are opened.
        project.write("db/vocabulary.toml", "[vocabulary]\nname = \"shop\"\n");
        fs::create_dir_all(project.0.join("db/rules")).unwrap();
        let once = project.run(&["config", "--show"]);
        assert_eq!(once.code, 0, "{text}\n{}", once.err);
        for key in parsed.keys() {
            assert!(once.out.contains(key.as_str()), "{key} is not shown\n{}", once.out);
        }
        project.write("plimsoll.toml", &once.out);
        assert_eq!(project.run(&["config", "--show"]).out, once.out, "shown again it is the same");
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
    let keys: Vec<&str> = published["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, plimsoll::settings::KEYS, "the schema has the keys that are read");
}

#[test]
fn reports_are_what_their_schema_says() {
    let published: Value = serde_json::from_str(&fs::read_to_string("docs/schemas/report.json").unwrap()).unwrap();
    for folder in ["fixtures/_whole/incident-partition-keys", "fixtures/allow-unused", "fixtures/unread-statement"] {
        let faults = schema::faults(&plimsoll(&["check", folder, "--format=json"]).json(), &published);
        assert!(faults.is_empty(), "{folder}\n{}", faults.join("\n"));
    }
    let broken = serde_json::json!({"version": 1});
    assert!(!schema::faults(&broken, &published).is_empty());
}

#[test]
fn shells_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = plimsoll(&["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for word in ["check", "baseline", "statistics"] {
            assert!(ran.out.contains(word), "{shell} lacks {word}");
        }
    }
    let bash = plimsoll(&["completions", "bash"]).out;
    let mut child = Command::new("bash").arg("-n").stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), bash.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "bash takes its completions");
    let manual = plimsoll(&["man"]).out;
    for page in [".TH plimsoll 1", ".TH plimsoll-check 1", "config\\-from"] {
        assert!(manual.contains(page), "no {page}");
    }
}
