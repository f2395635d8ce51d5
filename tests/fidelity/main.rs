//! The schema that plimsoll replays is the one that PostgreSQL makes of the same migrations: table by table, column by
//! column, constraint by constraint. `tests/fidelity.sh FOLDER…` asks it of any folder.

mod catalog;
#[path = "../command/mod.rs"]
mod command;
mod printed;
#[path = "../server/mod.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll::history::{History, Migration, TransactionUnit};
use plimsoll::operation::Node;
use plimsoll::project::{Project, Request, load};
use plimsoll::settings::Settings;
use plimsoll::source::Sources;
use postgres::Client;

use command::plimsoll;
use server::{Database, Refusal, Server, run, statements};

/// What is so: `column public.users.id` → `bigint, not null`.
type Facts = BTreeMap<String, String>;

/// Both sides of one folder.
struct Comparison {
    /// Statements that the server refused, which plimsoll may well have taken.
    refused: Vec<String>,
    /// Statements that the replay says it did not understand.
    unread: usize,
    differences: Vec<String>,
    facts: usize,
}

fn compare(server: &Server, folder: &str) -> Result<Comparison, String> {
    let settings = Settings::default();
    let working_directory = std::env::current_dir().map_err(|error| error.to_string())?;
    let request = Request {
        paths: vec![PathBuf::from(folder)],
        working_directory,
        settings: &settings,
        sources: Sources::default(),
        since: None,
        after: None,
        stdin: None,
    };
    let project = load(request).map_err(|error| error.to_string())?;
    let [history] = project.histories.as_slice() else {
        return Err(format!("{} histories", project.histories.len()));
    };
    let database = server.database();
    let refused = migrate(&database, &project, history);
    let actual = catalog::facts(&database);
    let ran = plimsoll(&["schema", folder, "--format=json", "--postgres", &server.major().to_string()]);
    if ran.code != 0 {
        return Err(ran.err);
    }
    let printed = printed::facts(&ran.json(), server.major());
    let unread = plimsoll::analyze(&project, &settings).unread.len();
    Ok(Comparison { refused, unread, differences: differences(&printed, &actual), facts: actual.len() })
}

fn differences(printed: &Facts, actual: &Facts) -> Vec<String> {
    let mut keys: Vec<&String> = printed.keys().chain(actual.keys()).collect();
    keys.sort();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| printed.get(*key) != actual.get(*key));
    let shown = |side: &Facts, key: &String| side.get(key).cloned().unwrap_or_else(|| "(none)".to_owned());
    differ
        .map(|key| format!("{key}\n    plimsoll:   {}\n    PostgreSQL: {}", shown(printed, key), shown(actual, key)))
        .collect()
}

/// Runs the history on a server in its runner's transaction units; what is refused is told and passed over.
fn migrate(database: &Database, project: &Project, history: &History) -> Vec<String> {
    let mut refused = Vec::new();
    for migration in &history.migrations {
        let Some(text) = up_text(project, migration) else { continue };
        let name = project.sources.path(migration.source);
        let mut client = database.client();
        let outcomes = match migration.transaction {
            TransactionUnit::Statement => statements(&text).iter().map(|one| act(&mut client, one)).collect(),
            TransactionUnit::SimpleQuery => vec![act(&mut client, &text)],
            TransactionUnit::File | TransactionUnit::AllPending => {
                vec![act(&mut client, "BEGIN"), act(&mut client, &text), act(&mut client, "COMMIT")]
            }
        };
        for refusal in outcomes.into_iter().filter_map(Result::err) {
            let statement: String = refusal.statement.split_whitespace().take(9).collect::<Vec<_>>().join(" ");
            refused.push(format!("{name}: {} {}: {statement}", refusal.code, refusal.message));
        }
    }
    refused
}

/// The part of its file that a migration's up runs, as the file has it.
fn up_text(project: &Project, migration: &Migration) -> Option<String> {
    let spans = migration.up.nodes.iter().filter_map(|node| match node {
        Node::Statement(statement) => Some(statement.span),
        _ => None,
    });
    let spans: Vec<_> = spans.collect();
    let (first, last) = (spans.first()?, spans.last()?);
    let text = &project.sources.get(first.source).text;
    Some(format!("{};", &text[first.start as usize..last.end as usize]))
}

/// Runs a text; roles that it names are made, for histories take theirs for granted.
fn act(client: &mut Client, sql: &str) -> Result<(), Box<Refusal>> {
    for _ in 0..20 {
        let Err(refusal) = run(client, sql) else { return Ok(()) };
        if refusal.message.contains("gin_trgm_ops") {
            // Histories that leave the extension to whoever makes the database.
            run(client, "ROLLBACK; CREATE EXTENSION pg_trgm")?;
            continue;
        }
        let role = refusal.message.strip_prefix("role \"").and_then(|rest| rest.strip_suffix("\" does not exist"));
        let Some(role) = role.filter(|_| std::env::var_os("PLIMSOLL_POSTGRES").is_none()) else { return Err(refusal) };
        let role = role.replace('"', "\"\"");
        run(client, &format!("ROLLBACK; CREATE ROLE \"{role}\""))?;
    }
    run(client, sql)
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn fixtures_are_replayed_as_a_server_runs_them() {
    let Some(server) = Server::get() else { return };
    let rules = folders(Path::new("fixtures"));
    let cases = rules.iter().flat_map(|rule| {
        let is_whole = rule.ends_with("_whole");
        if is_whole {
            folders(rule)
        } else {
            ["bad", "good"].iter().flat_map(|kind| folders(&rule.join(kind))).collect()
        }
    });
    let (mut wrong, mut compared) = (Vec::new(), 0);
    // A script that leaves its transaction open is rolled back where psql runs it alone; runners go on in it, and the replay
    // takes what it did.
    let left_open = Path::new("fixtures/unclosed-transaction/bad");
    for case in cases.filter(|case| !case.starts_with(left_open)) {
        let folder = case.join("migrations").display().to_string();
        // What a server refuses or cannot be sent leaves nothing to compare; what is said to be unread may do anything.
        let Ok(comparison) = compare(server, &folder) else { continue };
        if comparison.refused.is_empty() && comparison.unread == 0 {
            compared += 1;
            wrong.extend(comparison.differences.iter().map(|difference| format!("{folder}: {difference}")));
        }
    }
    assert!(compared > 60, "only {compared} trees were compared");
    assert!(wrong.is_empty(), "{} differences in {compared} trees:\n{}", wrong.len(), wrong.join("\n"));
}

/// The folders of `PLIMSOLL_FIDELITY`, separated by colons: prints, and fails where something differs.
#[test]
fn given_folders() {
    let Ok(given) = std::env::var("PLIMSOLL_FIDELITY") else { return };
    let Some(server) = Server::get() else { return };
    let mut failed = 0;
    for folder in given.split(':') {
        match compare(server, folder) {
            Err(reason) => println!("{folder}: not compared: {}", reason.trim()),
            Ok(Comparison { refused, unread: _, differences, facts }) => {
                let majors = server.major();
                let (different, refusals) = (differences.len(), refused.len());
                println!(
                    "{folder}: {different} of {facts} facts differ on {majors}; the server refused {refusals} statements"
                );
                refused.iter().for_each(|refusal| println!("  refused {refusal}"));
                differences.iter().for_each(|difference| println!("  {difference}"));
                failed += different;
            }
        }
    }
    assert_eq!(failed, 0, "differences");
}
