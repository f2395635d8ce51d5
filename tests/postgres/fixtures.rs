//! Every fixture on a real server: good trees run cleanly and every write after them passes, bad trees end in
//! just the refusals that their `server.txt` names.
//!
//! `server.txt` lies beside `migrations/` and is a script with directives, one a line:
//! `# before NNN` and `# end` say when the statements after them run (before that migration, or after all);
//! `# refuses CODE [CONSTRAINT]` expects the next statement to be refused;
//! `# migration NNN refuses CODE [CONSTRAINT]` expects it of that migration, which ends there;
//! `# verify RULE counts N` runs the queries that RULE's findings advise, at that moment: together they count N rows;
//! `# majors A..B` before a directive or statement restricts it to these majors;
//! `# not run: REASON` leaves the tree out. All statements share one session.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use postgres::Client;
use serde_json::Value;

use crate::command::plimsoll;
use crate::server::{Database, Refusal, Server, run, sql_files, statements};

#[derive(Debug, Default)]
struct Story {
    not_run: bool,
    /// `None` is the end.
    moments: Vec<(Option<String>, Vec<Deed>)>,
    refused_migrations: Vec<(String, Expected)>,
}

#[derive(Debug)]
enum Deed {
    Run { statement: String, refused: Option<Expected> },
    Verify { rule: String, counts: i64 },
}

#[derive(Debug, Clone)]
struct Expected {
    code: String,
    constraint: Option<String>,
}

impl Expected {
    fn of(words: &[&str]) -> Expected {
        let [code, constraint @ ..] = words else { panic!("a refusal needs its code") };
        Expected { code: code.to_string(), constraint: constraint.first().map(ToString::to_string) }
    }

    fn is(&self, refusal: &Refusal) -> bool {
        self.code == refusal.code && self.constraint.as_ref().is_none_or(|name| *name == refusal.constraint)
    }
}

impl Story {
    fn read(path: &Path, major: u32) -> Story {
        let mut story = Story::default();
        let Ok(text) = fs::read_to_string(path) else { return story };
        let (mut refused, mut majors, mut sql) = (None, None, String::new());
        for line in text.lines().chain(["# end"]) {
            let Some(directive) = line.strip_prefix("# ") else {
                sql.push_str(line);
                sql.push('\n');
                continue;
            };
            story.tell(&mut sql, &mut refused, &mut majors, major);
            let words: Vec<&str> = directive.split_whitespace().collect();
            let holds = majors.as_ref().is_none_or(|range: &RangeInclusive<u32>| range.contains(&major));
            match words.as_slice() {
                ["before", number] => story.moments.push((Some(number.to_string()), Vec::new())),
                ["end"] => story.moments.push((None, Vec::new())),
                ["refuses", rest @ ..] => refused = Some(Expected::of(rest)),
                ["migration", number, "refuses", rest @ ..] => {
                    if holds {
                        story.refused_migrations.push((number.to_string(), Expected::of(rest)));
                    }
                    majors = None;
                }
                ["majors", range] => {
                    let (low, high) = range.split_once("..").expect("majors are A..B");
                    majors = Some(low.parse().expect("a major")..=high.parse().expect("a major"));
                }
                ["verify", rule, "counts", number] => {
                    let deed = Deed::Verify { rule: rule.to_string(), counts: number.parse().expect("a count") };
                    let (_, deeds) = story.moments.last_mut().expect("a story begins with `# before` or `# end`");
                    if holds {
                        deeds.push(deed);
                    }
                    majors = None;
                }
                ["not", "run:", ..] => story.not_run = true,
                _ => panic!("{}: {line}", path.display()),
            }
        }
        story
    }

    /// Takes the statements read so far into the moment they belong to; what was said holds for the first.
    fn tell(
        &mut self,
        sql: &mut String,
        refused: &mut Option<Expected>,
        majors: &mut Option<RangeInclusive<u32>>,
        major: u32,
    ) {
        for statement in statements(&std::mem::take(sql)) {
            let holds = majors.take().is_none_or(|range| range.contains(&major));
            let deed = Deed::Run { statement, refused: refused.take() };
            let (_, deeds) = self.moments.last_mut().expect("a story begins with `# before` or `# end`");
            if holds {
                deeds.push(deed);
            }
        }
    }
}

/// Runs one tree; the answer is what went otherwise than told.
fn run_tree(database: &Database, case: &Path) -> Result<(), String> {
    let story = Story::read(&case.join("server.txt"), database.major());
    if story.not_run {
        return Ok(());
    }
    let advice = advice(case);
    let mut session = database.client();
    let act = |moment: Option<&str>, session: &mut Client| -> Result<(), String> {
        let due = story.moments.iter().filter(|(when, _)| when.as_deref() == moment);
        for deed in due.flat_map(|(_, deeds)| deeds) {
            match deed {
                Deed::Run { statement, refused } => check(statement, run(session, statement), refused.as_ref())?,
                Deed::Verify { rule, counts } => verify(&advice, rule, *counts, session)?,
            }
        }
        Ok(())
    };
    for path in sql_files(&case.join("migrations")) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = name.split('_').next().unwrap_or_default();
        act(Some(number), &mut session)?;
        let before = legal(advice.iter().filter(|one| one.file == name), &mut session);
        let expected = story.refused_migrations.iter().find(|(refused, _)| refused == number);
        check(&name, database.run_files(&[path]), expected.map(|(_, expected)| expected))?;
        let mut after = legal(advice.iter().filter(|one| one.file == name), &mut session);
        after.retain(|fault| before.contains(fault));
        if !after.is_empty() {
            return Err(after.join("\n"));
        }
    }
    act(None, &mut session)
}

/// What the findings on a tree advise to count bad rows, by rule and by the migration they are about.
#[derive(Debug)]
struct Advice {
    rule: String,
    file: String,
    query: String,
}

fn advice(case: &Path) -> Vec<Advice> {
    let ran = plimsoll(&["check", &case.join("migrations").display().to_string(), "--format=json", "--notes"]);
    let document = ran.json();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let of = |finding: &Value| Advice {
        rule: text(finding, "rule"),
        file: text(finding, "path").rsplit('/').next().unwrap_or_default().to_owned(),
        query: text(finding, "verify"),
    };
    let findings = document["findings"].as_array().into_iter().flatten();
    findings.map(of).filter(|advice| !advice.query.is_empty()).collect()
}

/// What a query counts, in a transaction that cannot write.
fn count(query: &str, session: &mut Client) -> Result<i64, postgres::Error> {
    let mut transaction = session.build_transaction().read_only(true).start()?;
    Ok(transaction.query_one(query, &[])?.get(0))
}

fn verify(advice: &[Advice], rule: &str, counts: i64, session: &mut Client) -> Result<(), String> {
    let queries: BTreeSet<&str> = advice.iter().filter(|one| one.rule == rule).map(|one| one.query.as_str()).collect();
    if queries.is_empty() {
        return Err(format!("{rule} advises no query"));
    }
    let mut counted = 0;
    for query in queries {
        counted += count(query, session).map_err(|fault| format!("{query}: {fault:?}"))?;
    }
    if counted == counts { Ok(()) } else { Err(format!("{rule}: {counts} rows were expected, {counted} are counted")) }
}

/// Every query runs before its migration, or after it where it asks for what the migration makes.
fn legal<'a>(due: impl Iterator<Item = &'a Advice>, session: &mut Client) -> Vec<String> {
    due.filter_map(|one| {
        let fault = count(&one.query, session).err()?;
        Some(format!("{}: {}: {:?}", one.rule, one.query, fault.as_db_error().map_or("", |said| said.message())))
    })
    .collect()
}

fn check(what: &str, outcome: Result<(), Box<Refusal>>, expected: Option<&Expected>) -> Result<(), String> {
    match (outcome, expected) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(expected)) => Err(format!("passed, {expected:?} was expected: {what}")),
        (Err(refusal), Some(expected)) if expected.is(&refusal) => Ok(()),
        (Err(refusal), expected) => Err(format!("{what}: expected {expected:?}, got {refusal:#?}")),
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn run_trees(kind: &str) {
    let Some(server) = Server::get() else { return };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let cases: Vec<PathBuf> = folders(&root).iter().flat_map(|rule| folders(&rule.join(kind))).collect();
    assert!(cases.len() > 10, "the fixtures are missing: {}", cases.len());
    let trees = cases.iter().filter(|case| case.join("migrations").is_dir());
    let wrong: Vec<String> = trees
        .filter_map(|case| {
            let outcome = run_tree(&server.database(), case);
            outcome.err().map(|reason| format!("{}: {reason}", case.strip_prefix(&root).unwrap_or(case).display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_fixtures_end_as_told() {
    run_trees("bad");
}

#[test]
fn good_fixtures_run_cleanly() {
    run_trees("good");
}
