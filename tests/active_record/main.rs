//! What Active Record sends is what plimsoll says it sends, statement by statement; and the schema that the replay makes
//! of it is the one that the server has.
//!
//! The migrations in `db` run through the Active Record that is installed (Debian: ruby-activerecord, ruby-pg), those for
//! later versions too where `PLIMSOLL_ACTIVE_RECORD` names a checkout of Rails.

mod advice;
#[path = "../fidelity/catalog.rs"]
mod catalog;
#[path = "../command/mod.rs"]
mod command;
#[path = "../fidelity/printed.rs"]
mod printed;
#[path = "../server/mod.rs"]
mod server;
mod told;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll::operation::{Node, Origin};
use plimsoll::rails::active_record::{Dialect, Release, answer, inverse};
use plimsoll::rails::{Answer, Call};
use plimsoll::read::sql;
use plimsoll::schema::Schema;
use plimsoll::source::{Sources, Span};
use plimsoll::version::Major;

use server::{Database, Server};
use told::{Told, told};

/// What is so: `column public.users.id` → `bigint, not null`.
type Facts = BTreeMap<String, String>;

const FOLDER: &str = "tests/active_record/db";

fn ruby(database: &Database, arguments: &[String]) -> Result<String, String> {
    let mut command = Command::new("ruby");
    command.args(["-W0", "tests/active_record/migrate.rb"]).args(arguments).envs(database.variables());
    let output = command.output().map_err(|error| format!("ruby: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The release of the Active Record that runs.
fn release() -> Release {
    let script =
        "$LOAD_PATH.unshift(\"#{ENV['PLIMSOLL_ACTIVE_RECORD']}/activerecord/lib\") if ENV['PLIMSOLL_ACTIVE_RECORD']
        require 'active_record/gem_version'; puts ActiveRecord.gem_version.segments.first(2).join('.')";
    let output = Command::new("ruby").args(["-rrubygems", "-W0", "-e", script]).output();
    let text = output.as_ref().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().and_then(|text| Release::parse(&text)).unwrap_or_else(|| {
        panic!(
            "no Active Record: {output:?}\nTests prove against it what migrations send. Install it (Debian: \
             ruby-activerecord and ruby-pg), or set PLIMSOLL_POSTGRES=skip to leave the claims unproven."
        )
    })
}

/// The folders of the releases up to the one that runs, oldest first.
fn folders(running: Release) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).expect("the folder is there");
    let mut folders: Vec<(Release, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((Release::parse(path.file_name()?.to_str()?)?, path))
        })
        .collect();
    folders.retain(|(release, _)| *release <= running);
    folders.sort();
    folders.into_iter().map(|(_, path)| path).collect()
}

/// Runs folders, forwards and perhaps back, and compares each statement and the schema at the end.
fn prove(server: &Server, arguments: &[String], calls: usize, facts: usize) {
    let database = server.database();
    let output = ruby(&database, arguments).unwrap_or_else(|fault| panic!("{fault}"));
    let mut replay = Replay::new(server.major());
    output.lines().for_each(|line| replay.line(line));
    assert!(replay.calls > calls, "only {} calls were told", replay.calls);
    assert!(replay.faults.is_empty(), "{}", replay.faults.join("\n"));

    // The same statements as a history of SQL: the schema is the server's.
    let actual = catalog::facts(&database);
    let printed = printed_facts(&replay.sql, server.major());
    assert!(actual.len() >= facts, "only {} facts", actual.len());
    same(&printed, &actual);
}

#[track_caller]
fn same(printed: &Facts, actual: &Facts) {
    let mut keys: Vec<&String> = printed.keys().chain(actual.keys()).collect();
    keys.sort();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| printed.get(*key) != actual.get(*key));
    let shown =
        differ.map(|key| format!("{key}\n  plimsoll:   {:?}\n  PostgreSQL: {:?}", printed.get(key), actual.get(key)));
    let differences: Vec<String> = shown.collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_active_record_sends_is_what_is_said() {
    let Some(server) = Server::get() else { return };
    let folders: Vec<String> = folders(release()).iter().map(|path| path.display().to_string()).collect();
    assert!(folders.len() > 5, "{folders:?}");
    prove(server, &folders, 80, 200);
}

/// The same files, read as a Rails project instead of run.
#[test]
fn what_is_read_is_what_active_record_makes() {
    let Some(server) = Server::get() else { return };
    let folders = folders(release());
    let project = Folder::new("rails");
    let migrations = project.0.join("db/migrate");
    std::fs::create_dir_all(&migrations).expect("a folder of its own");
    for folder in &folders {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("an entry can be read").path();
            std::fs::copy(&path, migrations.join(path.file_name().expect("a file"))).expect("a copy");
        }
    }
    let database = server.database();
    ruby(&database, &[migrations.display().to_string()]).unwrap_or_else(|fault| panic!("{fault}"));
    same(&schema_facts(&migrations, server.major()), &catalog::facts(&database));
}

#[test]
fn what_is_run_backwards_is_what_active_record_runs() {
    let Some(server) = Server::get() else { return };
    release();
    prove(server, &["--down".to_owned(), "tests/active_record/reversed".to_owned()], 50, 0);
}

/// A folder that goes when it is no longer needed.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("plimsoll-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder of its own");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn printed_facts(sql: &str, major: u32) -> Facts {
    let folder = Folder::new("active-record");
    std::fs::write(folder.0.join("1_all.sql"), sql).expect("a file of its own");
    schema_facts(&folder.0, major)
}

fn schema_facts(folder: &Path, major: u32) -> Facts {
    let ran = command::plimsoll(&[
        "schema",
        folder.to_str().expect("UTF-8"),
        "--format=json",
        "--postgres",
        &major.to_string(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    printed::facts(&ran.json(), major)
}

/// The calls told, answered one after the other.
struct Replay {
    schema: Schema,
    at: Span,
    calls: usize,
    /// Collected to be run backwards, and what that sent.
    backwards: Vec<(Call, String)>,
    sent: Vec<String>,
    sql: String,
    faults: Vec<String>,
}

impl Replay {
    fn new(major: u32) -> Replay {
        let mut sources = Sources::default();
        let source = sources.add("db/migrate/1_told.rb", "x");
        let mut schema = Schema::new(Major(u8::try_from(major).expect("a major")));
        schema.complete = true;
        let at = Span { source, start: 0, end: 1 };
        Replay { schema, at, calls: 0, backwards: Vec::new(), sent: Vec::new(), sql: String::new(), faults: Vec::new() }
    }

    fn line(&mut self, line: &str) {
        match told(line, self.at) {
            Told::Call { call, backwards: true, version, .. } => self.backwards.push((call, version)),
            // What is run backwards is compared as a whole.
            Told::Call { call, sent, .. } if !self.backwards.is_empty() => {
                // The block of a table that was dropped is heard when the table is made again.
                let dropped = |(one, _): &&mut (Call, String)| {
                    &*one.name == "drop_table" && one.arguments[0].name() == call.arguments[0].name()
                };
                if &*call.name == "create_table"
                    && let Some((dropped, _)) = self.backwards.iter_mut().find(dropped)
                {
                    dropped.inner.clone_from(&call.inner);
                }
                self.sent.extend(sent.iter().flat_map(|sql| plain(&call.name, sql)));
            }
            Told::Call { call, version, sent, .. } => {
                let said = self.answer(&call, &version);
                // The server is asked whether an enum is there in the statement that makes it.
                if &*call.name == "create_enum" && said.is_empty() {
                    return;
                }
                let sent: Vec<String> = sent.iter().flat_map(|sql| plain(&call.name, sql)).collect();
                self.compare(&format!("{} {:?} in {version}", call.name, call.arguments), &said, &sent);
            }
            Told::Ends => self.ends(),
        }
    }

    fn ends(&mut self) {
        let mut said = Vec::new();
        let (calls, sent) = (std::mem::take(&mut self.backwards), std::mem::take(&mut self.sent));
        for (call, version) in calls.iter().rev() {
            let dialect = Dialect::new(Release::parse(version).expect("a version"));
            match inverse(call, &dialect) {
                Ok(back) => said.extend(self.answer(&back, version)),
                Err(reason) => self.faults.push(format!("{} has no way back: {reason}", call.name)),
            }
        }
        self.compare("backwards", &said, &sent);
    }

    fn compare(&mut self, what: &str, said: &[String], sent: &[String]) {
        if said != sent {
            let same = said.iter().zip(sent).take_while(|(said, sent)| said == sent).count();
            let (said, sent) = (&said[same..], &sent[same..]);
            self.faults.push(format!("{what}, after {same} alike:\n  said {said:#?}\n  sent {sent:#?}"));
        }
    }

    /// The statements of a call, each applied.
    fn answer(&mut self, call: &Call, version: &str) -> Vec<String> {
        self.calls += 1;
        let dialect = Dialect::new(Release::parse(version).expect("a version"));
        let pieces = match answer(call, &dialect, &self.schema) {
            Answer::Sends(pieces) => pieces,
            other => {
                self.faults.push(format!("{} is not answered: {other:?}", call.name));
                return Vec::new();
            }
        };
        for piece in &pieces {
            self.sql.push_str(piece.text());
            self.sql.push_str(";\n");
            self.apply(piece);
        }
        pieces.iter().flat_map(|piece| plain(&call.name, piece.text())).collect()
    }

    fn apply(&mut self, piece: &plimsoll::source::Piece) {
        for node in sql::read(piece).nodes {
            let Node::Statement(statement) = node else { continue };
            let applied = self.schema.apply(&statement.operation, &Origin::at(statement.span));
            if let Some(failure) = applied.failure() {
                self.faults.push(format!("{}: {}", piece.text(), failure.message));
            }
        }
    }
}

/// A statement without needless quotes and spaces; of an enum the type alone. What some releases send in several
/// statements and others in one comes as several.
fn plain(call: &str, sql: &str) -> Vec<String> {
    let mut text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((_, made)) = text.split_once(" THEN CREATE TYPE ") {
        text = format!("CREATE TYPE {}", made.split(';').next().unwrap_or_default());
    }
    let text = unquoted(&text).replace(" )", ")").replace(" ,", ",");
    if !["remove_columns", "add_timestamps", "remove_timestamps"].contains(&call) {
        return vec![text];
    }
    let Some((table, parts)) = text.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(' ')) else {
        return vec![text];
    };
    parts.split(", ").map(|part| format!("ALTER TABLE {table} {part}")).collect()
}

/// Names without quotes that they do not need, literals without escapes.
fn unquoted(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, from) = rest.split_at(at);
        let mark = &from[..1];
        // A doubled mark is two literals side by side: both are copied.
        let Some((inner, after)) = from[1..].split_once(mark) else { break };
        rest = after;
        let escapes = mark == "'" && before.ends_with(" E");
        out.push_str(if escapes { &before[..before.len() - 1] } else { before });
        let plain = inner.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let inner = inner.replace("\\\\", "\\");
        out.push_str(&if mark == "\"" && plain { inner } else { format!("{mark}{inner}{mark}") });
    }
    out + rest
}
