//! A real PostgreSQL for tests: a private server, started once per test binary and gone with it, or the
//! one that `PLIMSOLL_POSTGRES` names. Must not know anything of plimsoll itself.
#![allow(dead_code)] // Every test binary uses its own part of this.

mod private;
mod statements;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::config::Host;
use postgres::{Client, Config, NoTls};

pub use statements::statements;

/// `skip`, or a libpq connection string of a server whose role may create databases.
const VARIABLE: &str = "PLIMSOLL_POSTGRES";

/// A running server.
pub struct Server {
    config: Config,
    major: u32,
}

impl Server {
    /// The server of this test binary. `None` only where the environment says so; what the calling test
    /// would have proven is then named on standard error.
    pub fn get() -> Option<&'static Server> {
        static SERVER: OnceLock<Result<Option<Server>, String>> = OnceLock::new();
        match SERVER.get_or_init(Server::find) {
            Ok(Some(server)) => Some(server),
            Ok(None) => {
                let thread = std::thread::current();
                // Not `eprintln!`: the test runner swallows that for tests that pass.
                let _ = writeln!(std::io::stderr(), "not proven ({VARIABLE}=skip): {}", thread.name().unwrap_or("?"));
                None
            }
            Err(reason) => panic!(
                "{reason}\nTests prove every claim about PostgreSQL on a real server. Install one (Debian: \
                 postgresql), name one in {VARIABLE}, or set {VARIABLE}=skip to leave the claims unproven."
            ),
        }
    }

    fn find() -> Result<Option<Server>, String> {
        let config = match std::env::var(VARIABLE) {
            Ok(word) if word == "skip" => return Ok(None),
            Ok(connection) => Config::from_str(&connection).map_err(|error| format!("{VARIABLE}: {error}"))?,
            Err(_) => private::start()?,
        };
        let mut client = config.connect(NoTls).map_err(|error| format!("the server does not answer: {error}"))?;
        let number: String =
            client.query_one("SHOW server_version_num", &[]).map_err(|error| error.to_string())?.get(0);
        let number: u32 = number.parse().map_err(|_| format!("server_version_num is {number}"))?;
        Ok(Some(Server { config, major: number / 10_000 }))
    }

    /// 15 for 15.18.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// A fresh, empty database.
    pub fn database(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("plimsoll_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.config.connect(NoTls).expect("the server answers");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
        admin.batch_execute(&create).expect("the role may create databases");
        let mut config = self.config.clone();
        // A test that hangs must fail: no statement of a test is meant to take a minute.
        config.dbname(&name).options("-c TimeZone=UTC -c lc_messages=C -c statement_timeout=60s");
        Database { config, admin: self.config.clone(), name, major: self.major }
    }
}

/// A database of its own, dropped with this value.
pub struct Database {
    config: Config,
    admin: Config,
    name: String,
    major: u32,
}

impl Database {
    /// A new session.
    pub fn client(&self) -> Client {
        self.config.connect(NoTls).expect("the server answers")
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    /// The variables by which libpq finds it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let host = self.config.get_hosts().first().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let password = self.config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let found = [
            ("PGHOST", host),
            ("PGPORT", self.config.get_ports().first().map(u16::to_string)),
            ("PGUSER", self.config.get_user().map(str::to_owned)),
            ("PGPASSWORD", password),
            ("PGDATABASE", Some(self.name.clone())),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Runs each statement on its own, as `psql -f` does, in one new session; stops at the first refusal.
    pub fn run_script(&self, sql: &str) -> Result<(), Box<Refusal>> {
        run_script(&mut self.client(), sql)
    }

    /// Sends the whole text as one simple query: several statements are one implicit transaction.
    pub fn run_simple_query(&self, sql: &str) -> Result<(), Box<Refusal>> {
        run(&mut self.client(), sql)
    }

    /// Runs the `*.sql` files of a folder by name, each as `psql -f` does in a session of its own.
    pub fn run_folder(&self, folder: &Path) -> Result<(), Box<Refusal>> {
        self.run_files(&sql_files(folder))
    }

    /// Runs files in the given order; the refusal names the file.
    pub fn run_files(&self, files: &[PathBuf]) -> Result<(), Box<Refusal>> {
        for path in files {
            let sql = std::fs::read_to_string(path).expect("a migration is UTF-8");
            let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            self.run_script(&sql).map_err(|refusal| Box::new(Refusal { file, ..*refusal }))?;
        }
        Ok(())
    }

    /// The first column of a query's rows.
    pub fn strings(&self, query: &str) -> Vec<String> {
        let rows = self.client().query(query, &[]).unwrap_or_else(|error| panic!("{query}: {error:?}"));
        rows.iter().map(|row| row.get::<_, String>(0)).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Sessions of a test that panicked may linger; WITH (FORCE) came with PostgreSQL 13.
        let Ok(mut admin) = self.admin.connect(NoTls) else { return };
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        let _ = admin.batch_execute(&end);
        let force = if self.major >= 13 { " WITH (FORCE)" } else { "" };
        let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {}{force}", self.name));
    }
}

/// The `*.sql` files of a folder by name; files that undo (`*.down.sql`) are left out.
pub fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "sql"));
    files.retain(|path| !path.to_string_lossy().ends_with(".down.sql"));
    // Flyway runs its repeatable migrations after all others.
    let is_repeatable = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("R__"));
    files.sort_by_key(|path| (is_repeatable(path), path.clone()));
    files
}

/// Runs each statement on its own in the given session.
pub fn run_script(client: &mut Client, sql: &str) -> Result<(), Box<Refusal>> {
    statements(sql).iter().try_for_each(|statement| run(client, statement))
}

/// Sends one text as it stands.
pub fn run(client: &mut Client, sql: &str) -> Result<(), Box<Refusal>> {
    client.batch_execute(sql).map_err(|error| Box::new(Refusal::new(sql, &error)))
}

/// Why the server refused a statement; empty where it said nothing.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Refusal {
    /// The migration, where one was run.
    pub file: String,
    pub statement: String,
    /// The SQLSTATE.
    pub code: String,
    pub message: String,
    pub detail: String,
    pub context: String,
    pub table: String,
    pub constraint: String,
}

impl Refusal {
    fn new(statement: &str, error: &postgres::Error) -> Refusal {
        let statement = statement.trim().to_string();
        let Some(said) = error.as_db_error() else {
            return Refusal { statement, message: error.to_string(), ..Refusal::default() };
        };
        let text = |part: Option<&str>| part.unwrap_or_default().to_string();
        Refusal {
            file: String::new(),
            statement,
            code: said.code().code().to_string(),
            message: said.message().to_string(),
            detail: text(said.detail()),
            context: text(said.where_()),
            table: text(said.table()),
            constraint: text(said.constraint()),
        }
    }
}
