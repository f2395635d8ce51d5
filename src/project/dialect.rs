//! Names that say a file is for another database. What a text itself says is `read::sql`'s to tell.

use super::place::{file_name, folder};

/// Words that can only mean a database.
const CERTAIN: &[(&str, &str)] = &[
    ("bigquery", "BigQuery"),
    ("cassandra", "Cassandra"),
    ("clickhouse", "ClickHouse"),
    ("h2", "H2"),
    ("hiqlite", "SQLite"),
    ("hsqldb", "HSQLDB"),
    ("libsql", "SQLite"),
    ("mariadb", "MariaDB"),
    ("mssql", "SQL Server"),
    ("mysql", "MySQL"),
    ("snowflake", "Snowflake"),
    ("sqlite", "SQLite"),
    ("sqlite3", "SQLite"),
    ("sqlserver", "SQL Server"),
    ("tidb", "TiDB"),
    ("ydb", "YDB"),
];

/// Words that mean a database beside a folder or file for PostgreSQL, and other things elsewhere.
const BESIDE_POSTGRES: &[(&str, &str)] = &[
    ("cockroach", "CockroachDB"),
    ("cockroachdb", "CockroachDB"),
    ("crdb", "CockroachDB"),
    ("db2", "Db2"),
    ("derby", "Derby"),
    ("oracle", "Oracle"),
    ("spanner", "Spanner"),
    ("yugabyte", "Yugabyte"),
];

const POSTGRES: &[&str] = &["pg", "pgsql", "postgres", "postgresql"];

/// What names below the start of a walk say about other databases.
#[derive(Debug, Default)]
pub struct Dialects {
    /// Folders with an entry whose name says PostgreSQL.
    with_postgres: std::collections::BTreeSet<String>,
}

impl Dialects {
    /// Learns from all paths of a walk which folders keep one variant per database.
    pub fn learn<'a>(paths: impl Iterator<Item = &'a str>) -> Dialects {
        let mut with_postgres = std::collections::BTreeSet::new();
        for path in paths {
            if variant(file_name(path)).is_some_and(|words| says_postgres(&words)) {
                with_postgres.insert(folder(path).to_owned());
            }
            let mut below = folder(path);
            while !below.is_empty() {
                if says_postgres(&words(file_name(below))) {
                    with_postgres.insert(folder(below).to_owned());
                }
                below = folder(below);
            }
        }
        Dialects { with_postgres }
    }

    /// The database that a path's names below `start` say it is for, where that is not PostgreSQL.
    pub fn other(&self, path: &str, start: &str) -> Option<&'static str> {
        let parent = folder(path);
        if let Some(words) = variant(file_name(path))
            && let Some(database) = self.database(&words, parent)
        {
            return Some(database);
        }
        let mut below = parent;
        while below.len() > start.len() {
            let words = words(file_name(below));
            if says_postgres(&words) {
                return None;
            }
            if let Some(database) = self.database(&words, folder(below)) {
                return Some(database);
            }
            below = folder(below);
        }
        None
    }

    fn database(&self, words: &[String], parent: &str) -> Option<&'static str> {
        let named = |table: &[(&str, &'static str)]| {
            let found = table.iter().find(|(word, _)| words.iter().any(|own| own == word));
            found.map(|(_, database)| *database)
        };
        if says_postgres(words) {
            return None;
        }
        named(CERTAIN).or_else(|| named(BESIDE_POSTGRES).filter(|_| self.with_postgres.contains(parent)))
    }
}

/// The dotted parts between a file's name and its ending: `mysql` of `1_a.mysql.up.sql`, `sqlite` of `a.sql.sqlite`.
fn variant(file: &str) -> Option<Vec<String>> {
    let mut parts = file.split('.').skip(1).map(str::to_ascii_lowercase).peekable();
    parts.peek()?;
    Some(parts.collect())
}

/// A file's name without its variant for a database: both files of a pair have it.
pub fn without_variant(file: &str) -> String {
    let is_postgres = |part: &&str| POSTGRES.contains(&part.to_ascii_lowercase().as_str());
    let (first, rest) = file.split_once('.').unwrap_or((file, ""));
    let kept = rest.split('.').filter(|part| !is_postgres(part));
    std::iter::once(first).chain(kept).collect::<Vec<_>>().join(".")
}

/// The file's name says PostgreSQL: it goes before its twin for every database.
pub fn is_for_postgres(file: &str) -> bool {
    variant(file).is_some_and(|words| says_postgres(&words))
}

fn words(name: &str) -> Vec<String> {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn says_postgres(words: &[String]) -> bool {
    words.iter().any(|word| POSTGRES.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_variants_apart() {
        let paths = [
            "db/postgres/1.sql",
            "db/oracle/1.sql",
            "db/mysql/1.sql",
            "price/oracle/1.sql",
            "sql/1_a.mysql.up.sql",
            "sql/1_a.up.sql",
            "sql/1_a.postgres.up.sql",
            "sql/1_a.cockroach.up.sql",
            "migrations_sqlite/1.sql",
            "delta/01.sql.sqlite",
            "jdbc-postgres/mysql-import/1.sql",
        ];
        let dialects = Dialects::learn(paths.into_iter());
        let other: Vec<_> = paths.iter().map(|path| dialects.other(path, "")).collect();
        let wanted = [
            None,
            Some("Oracle"),
            Some("MySQL"),
            None,
            Some("MySQL"),
            None,
            None,
            Some("CockroachDB"),
            Some("SQLite"),
            Some("SQLite"),
            Some("MySQL"),
        ];
        assert_eq!(other, wanted);
        assert_eq!(dialects.other("db/mysql/1.sql", "db/mysql"), None);
        assert_eq!(without_variant("1_a.postgres.up.sql"), "1_a.up.sql");
        assert!(is_for_postgres("a.sql.postgres") && !is_for_postgres("postgres_a.sql"));
    }
}
