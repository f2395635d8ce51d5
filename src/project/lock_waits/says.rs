//! Whether a text of code or configuration sets a `lock_timeout` for migrations: read line by line, in words that are the
//! same in every language. An application's own setting is none.

use super::super::place::{file_name, folder};
use super::is_test;

/// What a text sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// As it is written: `5s`, `15000`.
    pub value: String,
    pub line: usize,
}

const CODE: &[&str] = &[
    "ts", "mts", "cts", "js", "mjs", "cjs", "go", "rs", "py", "rb", "java", "kt", "cs", "php", "ex", "exs", "sh",
    "bash",
];
const CONFIGURATION: &[&str] = &["yaml", "yml", "toml", "env", "json", "conf", "properties", "ini", "mk"];
const CONFIGURATION_NAMES: &[&str] =
    &["Makefile", "makefile", "Dockerfile", "Justfile", "justfile", "Procfile", ".env"];

/// Words by which files and lines are about migrations.
const ABOUT: &[&str] = &["migrat", "flyway", "liquibase", "dbmate", "goose", "sqitch", "drizzle-kit", "drizzle.config"];

/// Lines around a setting in code that may say what it is for.
const NEAR: usize = 15;

/// A path or line is about migrations.
pub fn is_about(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ABOUT.iter().any(|word| text.contains(word))
}

#[derive(PartialEq)]
enum Kind {
    Code,
    Configuration,
    Sql,
}

fn kind(path: &str) -> Option<Kind> {
    let name = file_name(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if CODE.contains(&ending) {
        return Some(Kind::Code);
    }
    // A migration of another history speaks for itself alone.
    let is_numbered =
        name.trim_start_matches(['V', 'U', 'R']).starts_with(|first: char| first.is_ascii_digit() || first == '_');
    if ending == "sql" {
        return (!is_numbered && is_about(name) && !is_about(folder(path))).then_some(Kind::Sql);
    }
    let is_known = CONFIGURATION.contains(&ending) || CONFIGURATION_NAMES.contains(&name);
    is_known.then_some(Kind::Configuration)
}

/// A file is worth opening, by its path inside the package.
pub fn may_say(path: &str, is_beside_migrations: bool) -> bool {
    let Some(kind) = kind(path).filter(|_| !is_test(path)) else { return false };
    let depth = path.matches('/').count();
    match kind {
        Kind::Code => is_beside_migrations || is_about(path),
        Kind::Configuration => depth < 3 && !file_name(path).contains("lock."),
        Kind::Sql => true,
    }
}

/// What a text sets for the sessions of migrations; nothing where it takes it back.
pub fn for_migrations(path: &str, text: &str) -> Option<Setting> {
    let kind = kind(path)?;
    if !text.to_ascii_lowercase().contains("lock_timeout") {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut found = None;
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !is_comment(line)) {
        let Some(value) = set_in(line).and_then(|value| literal(&value, &lines)) else { continue };
        if !is_longer_than_nothing(&value) {
            return None;
        }
        let whole = is_about(path) && (kind != Kind::Configuration || is_about(file_name(path)));
        let is_meant = whole
            || match kind {
                Kind::Configuration => is_about(line) || is_below(&lines, number),
                Kind::Code => is_near(&lines, number),
                Kind::Sql => true,
            };
        if found.is_none() && is_meant {
            found = Some(Setting { value, line: number + 1 });
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "#", "*", "/*", "-- ", ";"].iter().any(|mark| line.starts_with(mark))
}

fn is_longer_than_nothing(value: &str) -> bool {
    value.trim_start_matches('0').starts_with(|first: char| first.is_ascii_digit())
}

/// What stands after `lock_timeout` in a line that sets it for a session: SET, an option of the connection, a key.
fn set_in(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    // Other databases have a setting of that name.
    if ["h2:", "sqlite", "mysql", "sqlserver", "mariadb"].iter().any(|other| lower.contains(other)) {
        return None;
    }
    lower.match_indices("lock_timeout").find_map(|(at, word)| {
        let (before, after) = (&lower[..at], &line[at + word.len()..]);
        let is_part = before.ends_with(|one: char| one.is_alphanumeric() || matches!(one, '_' | '-' | '.'));
        let is_whole = !is_part || before.ends_with("%20");
        let is_local = before.trim_end().ends_with("set local");
        let is_reset = before.trim_end().ends_with("reset");
        if !is_whole || is_local || is_reset {
            return None;
        }
        let rest = after.trim_start_matches(['"', '\'', '`', ']', ' ']);
        let lower = rest.to_ascii_lowercase();
        let value = if lower.starts_with("to ") || lower.starts_with("%3d") {
            &rest[3..]
        } else if let Some(value) = rest.strip_prefix(',') {
            // set_config('lock_timeout', '5s', true) is for one transaction.
            if before.contains("set_config(") && !lower.contains("false") {
                return None;
            }
            value
        } else {
            let value = rest.strip_prefix(":=").or_else(|| rest.strip_prefix("=>"));
            let value = value.or_else(|| rest.strip_prefix('=')).or_else(|| rest.strip_prefix(':'))?;
            if value.starts_with('=') {
                return None;
            }
            value
        };
        Some(value.trim_start_matches(['"', '\'', '`', ' ', '\\', '(']).to_owned())
    })
}

/// The digits with their unit that a value begins with, or that the constant has which it names.
fn literal(value: &str, lines: &[&str]) -> Option<String> {
    if value.starts_with(|first: char| first.is_ascii_digit()) {
        return Some(value.chars().take_while(char::is_ascii_alphanumeric).collect());
    }
    let named = value.trim_start_matches(['$', '{', '#', '+', ' ', '%']);
    let end = named.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    if name.is_empty() {
        return None;
    }
    // A shell's default: ${LOCK_TIMEOUT:-5s}.
    if let Some(default) = rest.strip_prefix(":-").filter(|one| one.starts_with(|first: char| first.is_ascii_digit())) {
        return Some(default.chars().take_while(char::is_ascii_alphanumeric).collect());
    }
    lines.iter().filter(|line| !is_comment(line)).find_map(|line| {
        let at = line.find(name)?;
        let is_whole = !line[..at].ends_with(|one: char| one.is_alphanumeric() || one == '_');
        let rest = line[at + name.len()..].trim_start();
        let value = rest.split_once('=').filter(|(before, _)| is_type(before)).map(|(_, value)| value)?;
        let value = value.trim_start_matches(['=', '"', '\'', '`', ' ']);
        let is_given = is_whole && value.starts_with(|first: char| first.is_ascii_digit());
        is_given.then(|| value.chars().take_while(char::is_ascii_alphanumeric).collect())
    })
}

/// Between a constant's name and its `=` stands its type at most.
fn is_type(text: &str) -> bool {
    text.chars().all(|one| one.is_alphanumeric() || matches!(one, ':' | ' ' | '&' | '\'' | '_' | '<' | '>'))
}

/// A line that a setting in a configuration belongs to is about migrations: by indentation, or its `[section]`.
fn is_below(lines: &[&str], number: usize) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut limit = depth(lines[number]);
    for line in lines[..number].iter().rev().filter(|line| !line.trim().is_empty() && !is_comment(line)) {
        if line.starts_with('[') {
            return is_about(line);
        }
        if depth(line) < limit {
            limit = depth(line);
            if is_about(line) {
                return true;
            }
        }
    }
    false
}

/// Code around a setting speaks of migrations.
fn is_near(lines: &[&str], number: usize) -> bool {
    let near = &lines[number.saturating_sub(NEAR)..lines.len().min(number + NEAR + 1)];
    near.iter().any(|line| !is_comment(line) && is_about(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(path: &str, text: &str) -> Option<String> {
        for_migrations(path, text).map(|setting| setting.value)
    }

    #[test]
    fn what_runs_migrations_is_believed() {
        for (path, text, wanted) in [
            ("scripts/migrate.ts", "const LIMIT = '5s'\nawait client.unsafe(`SET lock_timeout = '${LIMIT}'`)", "5s"),
            ("migrate/migrate.go", "_, err = conn.Exec(ctx, `set lock_timeout = 15000`)", "15000"),
            ("db/open.go", "const wait time.Duration = 0\nconn.Exec(\"SET lock_timeout TO '3s'\")\nmigrate.Up()", "3s"),
            ("package.json", "\"migrate\": \"PGOPTIONS='-c lock_timeout=4s' node-pg-migrate up\"", "4s"),
            (".env", "MIGRATION_URL=postgres://a/b?options=-c%20lock_timeout%3D5000", "5000"),
            ("compose.yaml", "services:\n  migrate:\n    environment:\n      PGOPTIONS: -c lock_timeout=2s", "2s"),
            ("flyway.conf", "flyway.initSql=SET lock_timeout = '10s'", "10s"),
            ("settings.toml", "[migrations]\nlock_timeout = \"7s\"", "7s"),
            ("bin/migrate.sh", "export PGOPTIONS=\"-c lock_timeout=${LOCK_TIMEOUT:-6s}\"", "6s"),
            ("Makefile", "migrate:\n\tPGOPTIONS='-c lock_timeout=5s' run", "5s"),
        ] {
            assert_eq!(value(path, text).as_deref(), Some(wanted), "{path}: {text}");
        }
    }

    #[test]
    fn what_does_not_limit_migrations_is_not() {
        for (path, text) in [
            ("scripts/migrate.ts", " *   SET lock_timeout = '5s';"),
            ("scripts/migrate.ts", "sql`SET lock_timeout = 0`"),
            ("scripts/migrate.ts", "sql`SET lock_timeout = '5s'`\nsql`SET lock_timeout = 0`"),
            ("scripts/migrate.ts", "sql`SET lock_timeout = '${config.limit}'`"),
            ("scripts/migrate.ts", "await tx`SET LOCAL lock_timeout = '5s'`"),
            ("scripts/migrate.ts", "sql`select set_config('lock_timeout', '5s', true)`"),
            ("scripts/migrate.ts", "if (error.lock_timeout == 5) {}"),
            ("scripts/migrate.ts", "const deadlock_timeout = 5, delete_lock_timeout = 3"),
            ("src/database.ts", "new Pool({ options: '-c lock_timeout=5s' })"),
            (
                "compose.yaml",
                "services:\n  migrate:\n    image: a\n  web:\n    environment:\n      PGOPTIONS: -c lock_timeout=2s",
            ),
            (".env", "DATABASE_URL=postgres://a/b?options=-c%20lock_timeout%3D5000"),
            ("settings.toml", "[migrations]\ntable = 1\n[server]\nlock_timeout = \"7s\""),
            ("migrate/H2.java", "url = \"jdbc:h2:file:a;LOCK_TIMEOUT=30000\""),
        ] {
            assert_eq!(value(path, text), None, "{path}: {text}");
        }
    }

    #[test]
    fn few_files_are_opened() {
        assert!(may_say("scripts/migrate.ts", false) && may_say("compose.yaml", false) && may_say("db/open.go", true));
        for path in [
            "src/app.ts",
            "scripts/migrate.test.ts",
            "package-lock.json",
            "db/migrations/0001_migrate.sql",
            "a/b/c/d.yaml",
        ] {
            assert!(!may_say(path, false), "{path}");
        }
    }
}
