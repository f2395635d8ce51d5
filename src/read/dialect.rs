//! Which database a text is written for, by what only one database's grammar has. Comments and literals say nothing.

use crate::read::sql::lexer::{Kind, Lexer, Token};

/// What a text's grammar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// Only PostgreSQL has it.
    Postgres,
    /// Only this database has it, and PostgreSQL refuses it.
    Other(&'static str),
    /// Many databases would take it.
    Anybody,
}

/// What is looked at: a database shows itself early.
const TOKENS: usize = 50_000;

/// Words that only PostgreSQL has, in lower case.
const POSTGRES: &[&str] = &[
    "bigserial",
    "bytea",
    "concurrently",
    "gin",
    "gist",
    "jsonb",
    "pg_catalog",
    "plpgsql",
    "regclass",
    "serial",
    "smallserial",
    "timestamptz",
    "tsvector",
];

/// The database, other than PostgreSQL, that a text is written for.
pub fn other_dialect(text: &str) -> Option<&'static str> {
    match spoken(text) {
        Spoken::Other(database) => Some(database),
        Spoken::Postgres | Spoken::Anybody => None,
    }
}

/// Tells whose text it is; one sign of PostgreSQL weighs more than any other's.
pub fn spoken(text: &str) -> Spoken {
    let mut other = None;
    let mut window: [Option<Token>; 3] = [None; 3];
    for token in Lexer::new(text).take(TOKENS) {
        if token.kind == Kind::Comment {
            // MySQL runs what stands in such a comment.
            if token.text(text).starts_with("/*!") {
                other = other.or(Some("MySQL"));
            }
            continue;
        }
        if is_postgres(token, text) {
            return Spoken::Postgres;
        }
        window = [window[1], window[2], Some(token)];
        other = other.or_else(|| sign(window, text));
    }
    other.map_or(Spoken::Anybody, Spoken::Other)
}

fn is_postgres(token: Token, text: &str) -> bool {
    match token.kind {
        Kind::Dollar | Kind::Typecast | Kind::EscapeString => true,
        Kind::Word => {
            let word = token.text(text);
            POSTGRES.iter().any(|known| word.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

/// What the last tokens say: the third is the newest.
fn sign(window: [Option<Token>; 3], text: &str) -> Option<&'static str> {
    let [third, second, Some(first)] = window else { return None };
    let word = |token: Option<Token>| {
        token.filter(|token| token.kind == Kind::Word).map(|token| token.text(text).to_ascii_lowercase())
    };
    let starts = second.is_none_or(|token| token.kind == Kind::Semicolon);
    let own = first.text(text);
    if own.starts_with('`') && matches!(first.kind, Kind::Operator | Kind::Stray) {
        return Some("MySQL");
    }
    let own = own.to_ascii_lowercase();
    let before = word(second);
    match (first.kind, own.as_str(), before.as_deref()) {
        (Kind::Word, "auto_increment", Some(_)) => Some("MySQL"),
        (Kind::Word, "unsigned", Some("int" | "bigint" | "smallint" | "integer" | "tinyint" | "mediumint")) => {
            Some("MySQL")
        }
        (Kind::Word, "delimiter", _) if starts => Some("MySQL"),
        (Kind::Word, "autoincrement", Some(_)) => Some("SQLite"),
        (Kind::Word, "rowid", Some("without")) => Some("SQLite"),
        // `CREATE TABLE … (…) STRICT;`: PostgreSQL has the word in functions alone, whose text comes behind it then.
        (Kind::Semicolon, _, Some("strict")) if third.is_some_and(|token| token.text(text) == ")") => Some("SQLite"),
        (Kind::Word, "pragma", _) if starts => Some("SQLite"),
        (Kind::Word, "varchar2" | "nvarchar2", Some(_)) => Some("Oracle"),
        (Kind::Word, "datetime2" | "uniqueidentifier", _) => Some("SQL Server"),
        (Kind::Word, "dbo", None) if second.is_some_and(|token| token.kind == Kind::OpenBracket) => Some("SQL Server"),
        (Kind::Word, "max", None) if word(third).as_deref() == Some("nvarchar") => Some("SQL Server"),
        // `ENGINE = …` names the table's storage.
        (Kind::Word, engine, _) if is_engine(third, second, text) => Some(storage(engine)),
        _ => None,
    }
}

fn is_engine(third: Option<Token>, second: Option<Token>, text: &str) -> bool {
    let is =
        |token: Option<Token>, wanted: &str| token.is_some_and(|token| token.text(text).eq_ignore_ascii_case(wanted));
    is(third, "engine") && is(second, "=")
}

fn storage(engine: &str) -> &'static str {
    if engine.ends_with("mergetree") || matches!(engine, "distributed" | "kafka" | "null" | "log") {
        "ClickHouse"
    } else {
        "MySQL"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_shows_itself() {
        for (text, wanted) in [
            ("CREATE TABLE `a` (`b` int)", Some("MySQL")),
            ("create table a (b int unsigned not null)", Some("MySQL")),
            ("create table a (id int primary key auto_increment)", Some("MySQL")),
            ("create table a (b int) ENGINE=InnoDB", Some("MySQL")),
            ("create table a (id integer primary key autoincrement)", Some("SQLite")),
            ("PRAGMA foreign_keys = off; create table a (b int)", Some("SQLite")),
            ("create table a (b int) without rowid", Some("SQLite")),
            ("create table a (b blob) strict;", Some("SQLite")),
            ("create table [dbo].[a] (b int)", Some("SQL Server")),
            ("create table a (b nvarchar(max))", Some("SQL Server")),
            ("create table a (b varchar2(10))", Some("Oracle")),
            ("create table a (b Int8) engine = ReplacingMergeTree order by b", Some("ClickHouse")),
            ("create table a (b int, c text)", None),
            ("create table a (engine text, unsigned boolean, b text default '`x`')", None),
            ("-- `a` AUTO_INCREMENT\nselect a[1], max(b) from c where engine = 1", None),
            ("create table a (id serial); -- not for\ncreate table `b` (c int)", None),
        ] {
            assert_eq!(other_dialect(text), wanted, "{text}");
        }
        assert_eq!(spoken("select 1::int"), Spoken::Postgres);
        assert_eq!(spoken("select 1"), Spoken::Anybody);
    }
}
