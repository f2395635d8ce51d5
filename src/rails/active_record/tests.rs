//! Calls in, SQL out; and that SQL read and applied, where a later call asks the schema.

use std::sync::Arc;

use super::*;
use crate::operation::{Node, Origin};
use crate::rails::Text;
use crate::read::sql;
use crate::source::{Sources, Span};
use crate::version::Major;

/// A migration, call by call.
struct Migration {
    dialect: Dialect,
    schema: Schema,
    at: Span,
}

fn symbol(name: &str) -> Value {
    Value::symbol(name)
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(Arc::new(items.into()))
}

fn hash<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Hash(Arc::new(pairs.into_iter().map(|(name, value)| (symbol(name), value)).collect()))
}

fn yes() -> Value {
    Value::Bool(true)
}

fn no() -> Value {
    Value::Bool(false)
}

impl Migration {
    fn of(major: u16, minor: u16) -> Migration {
        let mut sources = Sources::default();
        let source = sources.add("db/migrate/1_test.rb", "x");
        let mut schema = Schema::new(Major(15));
        schema.complete = true;
        Migration { dialect: Dialect::new(Release(major, minor)), schema, at: Span { source, start: 0, end: 1 } }
    }

    fn call<const A: usize, const O: usize>(&self, name: &str, given: [Value; A], options: [(&str, Value); O]) -> Call {
        Call {
            name: name.into(),
            arguments: given.into(),
            options: Options(options.into_iter().map(|(name, value)| (name.into(), value)).collect()),
            span: self.at,
            inner: None,
        }
    }

    fn block<const N: usize>(&self, call: Call, inner: [Call; N]) -> Call {
        Call { inner: Some(inner.into()), ..call }
    }

    /// What it sends, which then is applied.
    fn run(&mut self, call: &Call) -> Vec<String> {
        let Answer::Sends(pieces) = answer(call, &self.dialect, &self.schema) else {
            panic!("{:?}", answer(call, &self.dialect, &self.schema));
        };
        for piece in &pieces {
            for node in sql::read(piece).nodes {
                let Node::Statement(statement) = node else { panic!("{} is no statement", piece.text()) };
                let applied = self.schema.apply(&statement.operation, &Origin::at(statement.span));
                assert!(applied.failure().is_none(), "{}: {:?}", piece.text(), applied.failure());
            }
        }
        pieces.iter().map(|piece| piece.text().to_owned()).collect()
    }

    fn sends(&mut self, call: &Call, expected: &[&str]) {
        assert_eq!(self.run(call), expected);
    }
}

#[test]
fn a_key_is_validated_at_once_before_the_option_was_there() {
    let mut m = Migration::of(4, 2);
    for table in ["users", "posts"] {
        m.run(&m.call("create_table", [symbol(table)], []));
    }
    m.run(&m.call("add_column", [symbol("posts"), symbol("user_id"), symbol("integer")], []));
    let key = m.call("add_foreign_key", [symbol("posts"), symbol("users")], [("validate", no())]);
    let sends = |m: &Migration| match answer(&key, &m.dialect, &m.schema) {
        Answer::Sends(pieces) => pieces[0].text().to_owned(),
        other => panic!("{other:?}"),
    };
    assert!(sends(&m).ends_with(" NOT VALID"), "a class of the project's own may name a later release");
    m.dialect.is_unversioned = true;
    assert!(!sends(&m).contains("NOT VALID"), "{}", sends(&m));
}

#[test]
fn a_column_said_twice_is_the_last_one_before_6() {
    let links = |m: &Migration| {
        let inner =
            [m.call("belongs_to", [symbol("day")], []), m.call("integer", [symbol("day_id")], [("null", no())])];
        m.block(m.call("create_table", [symbol("links")], []), inner)
    };
    let mut m = Migration::of(5, 2);
    m.sends(
        &links(&m),
        &[
            "CREATE TABLE links (id bigserial primary key, day_id integer NOT NULL)",
            "CREATE INDEX index_links_on_day_id ON links (day_id)",
        ],
    );
    let m = Migration::of(6, 0);
    let Answer::Sends(pieces) = answer(&links(&m), &m.dialect, &m.schema) else { panic!("it is understood") };
    assert!(pieces[0].text().contains("day_id bigint, day_id integer NOT NULL"), "{}", pieces[0].text());
}

#[test]
fn a_table_with_all_that_a_block_says() {
    let mut m = Migration::of(7, 1);
    let users = m.call("create_table", [symbol("users")], []);
    m.sends(&m.block(users, []).clone(), &["CREATE TABLE users (id bigserial primary key)"]);
    let table = m.call("create_table", [symbol("posts")], [("comment", Value::text("what people write"))]);
    let inner = [
        m.call("string", [symbol("title"), symbol("slug")], [("null", no()), ("limit", Value::Integer(80))]),
        m.call("integer", [symbol("views")], [("default", Value::Integer(0)), ("comment", Value::text("n"))]),
        m.call("decimal", [symbol("price")], [("precision", Value::Integer(8)), ("scale", Value::Integer(2))]),
        m.call("string", [symbol("tags")], [("array", yes()), ("default", list([]))]),
        m.call("references", [symbol("author")], [("foreign_key", hash([("to_table", symbol("users"))]))]),
        m.call("belongs_to", [symbol("subject")], [("polymorphic", yes()), ("null", no())]),
        m.call("datetime", [symbol("at")], [("default", Value::Sql(Text::new("now()")))]),
        m.call(
            "virtual",
            [symbol("low")],
            [("type", symbol("string")), ("as", Value::text("lower(title)")), ("stored", yes())],
        ),
        m.call("check_constraint", [Value::text("views >= 0")], [("name", Value::text("views_count"))]),
        m.call("index", [list([symbol("title"), symbol("slug")])], [("unique", yes())]),
        m.call("timestamps", [], []),
    ];
    m.sends(
        &m.block(table, inner),
        &[
            "CREATE TABLE posts (id bigserial primary key, title character varying(80) NOT NULL, \
             slug character varying(80) NOT NULL, views integer DEFAULT 0, price decimal(8,2), \
             tags character varying[] DEFAULT '{}', author_id bigint, subject_type character varying NOT NULL, \
             subject_id bigint NOT NULL, at timestamp(6) DEFAULT now(), \
             low character varying GENERATED ALWAYS AS (lower(title)) STORED, created_at timestamp(6) NOT NULL, \
             updated_at timestamp(6) NOT NULL, CONSTRAINT fk_rails_04d13ef8c7 FOREIGN KEY (author_id) REFERENCES users (id), \
             CONSTRAINT views_count CHECK (views >= 0))",
            "CREATE INDEX index_posts_on_author_id ON posts (author_id)",
            "CREATE INDEX index_posts_on_subject ON posts (subject_type, subject_id)",
            "CREATE UNIQUE INDEX index_posts_on_title_and_slug ON posts (title, slug)",
            "COMMENT ON TABLE posts IS 'what people write'",
            "COMMENT ON COLUMN posts.views IS 'n'",
        ],
    );
}

#[test]
fn versions_differ_in_what_they_make_of_a_table() {
    for (version, expected) in [
        (
            (4, 2),
            "(id serial NOT NULL PRIMARY KEY, a_id integer, at timestamp, created_at timestamp, updated_at timestamp)",
        ),
        (
            (5, 0),
            "(id serial NOT NULL PRIMARY KEY, a_id integer, at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL)",
        ),
        (
            (5, 2),
            "(id bigserial primary key, a_id bigint, at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL)",
        ),
        (
            (6, 1),
            "(id bigserial primary key, a_id bigint, at timestamp, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL)",
        ),
        (
            (7, 0),
            "(id bigserial primary key, a_id bigint, at timestamp(6), created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL)",
        ),
    ] {
        let mut m = Migration::of(version.0, version.1);
        let table = m.call("create_table", [symbol("t")], []);
        let inner = [
            m.call("references", [symbol("a")], []),
            m.call("datetime", [symbol("at")], []),
            m.call("timestamps", [], []),
        ];
        let sent = m.run(&m.block(table, inner));
        assert_eq!(sent[0], format!("CREATE TABLE t {expected}"), "{version:?}");
        assert_eq!(sent.len(), if version == (4, 2) { 1 } else { 2 }, "{version:?}");
    }
}

#[test]
fn primary_keys_of_other_kinds() {
    for (options, expected) in [
        (vec![("id", symbol("uuid"))], "(id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY)"),
        (vec![("id", no())], "()"),
        (vec![("id", symbol("integer")), ("primary_key", symbol("number"))], "(number serial NOT NULL PRIMARY KEY)"),
        (
            vec![("id", hash([("type", symbol("string")), ("limit", Value::Integer(8))]))],
            "(id character varying(8) NOT NULL PRIMARY KEY)",
        ),
        (vec![("id", no()), ("options", Value::text("INHERITS (base)"))], "() INHERITS (base)"),
        (vec![("force", symbol("cascade"))], "(id bigserial primary key)"),
    ] {
        let m = Migration::of(7, 1);
        let mut call = m.call("create_table", [symbol("t")], []);
        call.options = Options(options.into_iter().map(|(name, value)| (name.into(), value)).collect());
        let Answer::Sends(pieces) = answer(&call, &m.dialect, &m.schema) else { panic!("{expected}") };
        assert_eq!(pieces.last().unwrap().text(), format!("CREATE TABLE t {expected}"));
    }
    let m = Migration::of(5, 0);
    let call = m.call("create_table", [symbol("t")], [("id", symbol("integer"))]);
    let Answer::Sends(pieces) = answer(&call, &m.dialect, &m.schema) else { panic!() };
    assert_eq!(pieces[0].text(), "CREATE TABLE t (id integer NOT NULL PRIMARY KEY)");
}

fn with_posts(major: u16, minor: u16) -> Migration {
    let mut m = Migration::of(major, minor);
    let authors = m.call("create_table", [symbol("authors")], []);
    m.run(&authors);
    let table = m.call("create_table", [symbol("posts")], []);
    let inner = [
        m.call("integer", [symbol("n")], [("index", yes())]),
        m.call("string", [symbol("title")], []),
        m.call("text", [symbol("body")], []),
        m.call("bigint", [symbol("author_id")], []),
    ];
    m.run(&m.block(table, inner));
    m
}

#[test]
fn columns_are_added_changed_and_removed() {
    let mut m = with_posts(7, 1);
    for (call, expected) in [
        (
            m.call(
                "add_column",
                [symbol("posts"), symbol("z"), symbol("integer")],
                [("default", Value::Integer(0)), ("null", no())],
            ),
            vec!["ALTER TABLE posts ADD z integer DEFAULT 0 NOT NULL"],
        ),
        (m.call("add_column", [symbol("posts"), symbol("z"), symbol("integer")], [("if_not_exists", yes())]), vec![]),
        (
            m.call(
                "change_column",
                [symbol("posts"), symbol("title"), symbol("string")],
                [("limit", Value::Integer(100)), ("null", no()), ("default", Value::text("x"))],
            ),
            vec![
                "ALTER TABLE posts ALTER COLUMN title TYPE character varying(100), ALTER COLUMN title SET DEFAULT 'x', ALTER COLUMN title SET NOT NULL",
            ],
        ),
        (
            m.call(
                "change_column",
                [symbol("posts"), symbol("n"), symbol("bigint")],
                [("using", Value::text("n::bigint"))],
            ),
            vec!["ALTER TABLE posts ALTER COLUMN n TYPE bigint USING n::bigint"],
        ),
        (
            m.call("change_column_null", [symbol("posts"), symbol("body"), no(), Value::text("")], []),
            vec!["UPDATE posts SET body='' WHERE body IS NULL", "ALTER TABLE posts ALTER COLUMN body SET NOT NULL"],
        ),
        (
            m.call(
                "change_column_default",
                [symbol("posts"), symbol("n")],
                [("from", Value::Nil), ("to", Value::text("5"))],
            ),
            vec!["ALTER TABLE posts ALTER COLUMN n SET DEFAULT 5"],
        ),
        (
            m.call("change_column_default", [symbol("posts"), symbol("n"), Value::Nil], []),
            vec!["ALTER TABLE posts ALTER COLUMN n DROP DEFAULT"],
        ),
        (
            m.call("rename_column", [symbol("posts"), symbol("n"), symbol("n2")], []),
            vec!["ALTER TABLE posts RENAME COLUMN n TO n2", "ALTER INDEX index_posts_on_n RENAME TO index_posts_on_n2"],
        ),
        (
            m.call("remove_column", [symbol("posts"), symbol("n2"), symbol("integer")], []),
            vec!["ALTER TABLE posts DROP COLUMN n2"],
        ),
        (m.call("remove_column", [symbol("posts"), symbol("n2")], [("if_exists", yes())]), vec![]),
        (
            m.call("add_timestamps", [symbol("posts")], [("default", Value::Sql(Text::new("now()")))]),
            vec![
                "ALTER TABLE posts ADD created_at timestamp(6) DEFAULT now() NOT NULL, ADD updated_at timestamp(6) DEFAULT now() NOT NULL",
            ],
        ),
        (
            m.call("change_column_comment", [symbol("posts"), symbol("body"), Value::text("it's")], []),
            vec!["COMMENT ON COLUMN posts.body IS 'it''s'"],
        ),
        (
            m.call("rename_table", [symbol("posts"), symbol("articles")], []),
            vec![
                "ALTER TABLE posts RENAME TO articles",
                "ALTER INDEX posts_pkey RENAME TO articles_pkey",
                "ALTER TABLE public.posts_id_seq RENAME TO articles_id_seq",
            ],
        ),
    ] {
        m.sends(&call, &expected);
    }
}

#[test]
fn indexes_and_keys_are_found_as_active_record_finds_them() {
    let mut m = with_posts(7, 1);
    let posts = || symbol("posts");
    for (call, expected) in [
        (
            m.call(
                "add_index",
                [posts(), symbol("title")],
                [
                    ("algorithm", symbol("concurrently")),
                    ("unique", yes()),
                    ("where", Value::text("body IS NOT NULL")),
                    ("include", list([symbol("n")])),
                    ("if_not_exists", yes()),
                ],
            ),
            vec![
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS index_posts_on_title ON posts (title) INCLUDE (n) WHERE body IS NOT NULL",
            ],
        ),
        (
            m.call("add_index", [posts(), Value::text("lower(title)")], [("using", symbol("btree"))]),
            vec!["CREATE INDEX index_posts_on_lower_title ON posts USING btree (lower(title))"],
        ),
        (
            m.call(
                "add_index",
                [posts(), list([symbol("n"), symbol("title")])],
                [
                    ("order", hash([("n", symbol("desc"))])),
                    ("opclass", hash([("title", symbol("text_pattern_ops"))])),
                    ("name", Value::text("by_n")),
                ],
            ),
            vec!["CREATE INDEX by_n ON posts (n DESC, title text_pattern_ops)"],
        ),
        (
            m.call("remove_index", [posts()], [("column", list([symbol("n"), symbol("title")]))]),
            vec!["DROP INDEX by_n"],
        ),
        (
            m.call("remove_index", [posts(), Value::text("lower(title)")], []),
            vec!["DROP INDEX index_posts_on_lower_title"],
        ),
        (m.call("remove_index", [posts(), symbol("body")], [("if_exists", yes())]), vec![]),
        (
            m.call(
                "remove_index",
                [posts()],
                [("name", symbol("index_posts_on_title")), ("algorithm", symbol("concurrently"))],
            ),
            vec!["DROP INDEX CONCURRENTLY index_posts_on_title"],
        ),
        (
            m.call("rename_index", [posts(), symbol("index_posts_on_n"), symbol("b")], []),
            vec!["ALTER INDEX index_posts_on_n RENAME TO b"],
        ),
        (
            m.call(
                "add_foreign_key",
                [posts(), symbol("authors")],
                [("validate", no()), ("on_delete", symbol("cascade"))],
            ),
            vec![
                "ALTER TABLE posts ADD CONSTRAINT fk_rails_04d13ef8c7 FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE NOT VALID",
            ],
        ),
        (
            m.call("validate_foreign_key", [posts(), symbol("authors")], []),
            vec!["ALTER TABLE posts VALIDATE CONSTRAINT fk_rails_04d13ef8c7"],
        ),
        (m.call("add_foreign_key", [posts(), symbol("authors")], [("if_not_exists", yes())]), vec![]),
        (
            m.call("remove_foreign_key", [posts()], [("column", symbol("author_id"))]),
            vec!["ALTER TABLE posts DROP CONSTRAINT fk_rails_04d13ef8c7"],
        ),
        (m.call("remove_foreign_key", [posts(), symbol("authors")], [("if_exists", yes())]), vec![]),
        (
            m.call(
                "add_reference",
                [posts(), symbol("editor")],
                [
                    ("foreign_key", hash([("to_table", symbol("authors"))])),
                    ("index", hash([("algorithm", symbol("concurrently"))])),
                ],
            ),
            vec![
                "ALTER TABLE posts ADD editor_id bigint",
                "CREATE INDEX CONCURRENTLY index_posts_on_editor_id ON posts (editor_id)",
                "ALTER TABLE posts ADD CONSTRAINT fk_rails_9db77e9c1f FOREIGN KEY (editor_id) REFERENCES authors (id)",
            ],
        ),
        (
            m.call(
                "remove_reference",
                [posts(), symbol("editor")],
                [("foreign_key", hash([("to_table", symbol("authors"))]))],
            ),
            vec!["ALTER TABLE posts DROP CONSTRAINT fk_rails_9db77e9c1f", "ALTER TABLE posts DROP COLUMN editor_id"],
        ),
        (
            m.call("add_check_constraint", [posts(), Value::text("n > 0")], [("validate", no())]),
            vec!["ALTER TABLE posts ADD CONSTRAINT chk_rails_6fd5b6196d CHECK (n > 0) NOT VALID"],
        ),
        (
            m.call("validate_check_constraint", [posts()], [("expression", Value::text("n > 0"))]),
            vec!["ALTER TABLE posts VALIDATE CONSTRAINT chk_rails_6fd5b6196d"],
        ),
        (
            m.call("remove_check_constraint", [posts(), Value::text("n > 0")], []),
            vec!["ALTER TABLE posts DROP CONSTRAINT chk_rails_6fd5b6196d"],
        ),
        (
            m.call(
                "add_unique_constraint",
                [posts(), list([symbol("n"), symbol("title")])],
                [("deferrable", symbol("deferred")), ("name", symbol("once"))],
            ),
            vec!["ALTER TABLE posts ADD CONSTRAINT once UNIQUE (n, title) DEFERRABLE INITIALLY DEFERRED"],
        ),
        (
            m.call("remove_unique_constraint", [posts(), list([symbol("n"), symbol("title")])], []),
            vec!["ALTER TABLE posts DROP CONSTRAINT once"],
        ),
    ] {
        m.sends(&call, &expected);
    }
}

#[test]
fn a_table_is_changed_at_once_or_step_by_step() {
    let mut m = with_posts(7, 1);
    let calls = |m: &Migration| {
        [
            m.call("string", [symbol("a")], [("comment", Value::text("b"))]),
            m.call("change", [symbol("n"), symbol("bigint")], []),
            m.call("remove", [symbol("body")], []),
            m.call("index", [symbol("title")], []),
            m.call("change_null", [symbol("title"), no()], []),
        ]
    };
    let bulk = m.call("change_table", [symbol("posts")], [("bulk", yes())]);
    let bulk = m.block(bulk, calls(&m));
    let back = inverse(
        &m.block(
            m.call("change_table", [symbol("posts")], []),
            [m.call("rename", [symbol("title"), symbol("t")], []), m.call("boolean", [symbol("x")], [])],
        ),
        &m.dialect,
    )
    .unwrap();
    m.sends(
        &bulk,
        &[
            "ALTER TABLE posts ADD a character varying, ALTER COLUMN n TYPE bigint, DROP COLUMN body",
            "COMMENT ON COLUMN posts.a IS 'b'",
            "CREATE INDEX index_posts_on_title ON posts (title)",
            "ALTER TABLE posts ALTER COLUMN title SET NOT NULL",
        ],
    );
    let steps = back.inner.clone().unwrap();
    assert_eq!(steps.iter().map(|step| &*step.name).collect::<Vec<_>>(), ["remove_column", "rename_column"]);
    assert!(parts(&back, &m.dialect).is_some() && parts(&bulk, &m.dialect).is_none());
}

#[test]
fn gems_of_schema_plus_make_indexes_of_their_own() {
    let mut m = with_posts(5, 2);
    let over = list([symbol("title"), symbol("n")]);
    m.sends(
        &m.call("add_index", [symbol("posts"), over], [("unique", yes()), ("case_sensitive", no())]),
        &["CREATE UNIQUE INDEX index_posts_on_title_and_n ON posts (lower(title), n)"],
    );
    let with = [("name", Value::text("i")), ("with", list([Value::text("n")]))];
    m.sends(&m.call("add_index", [symbol("posts"), symbol("title")], with), &["CREATE INDEX i ON posts (title, n)"]);
}

#[test]
fn a_step_of_a_block_sees_what_the_steps_before_it_did() {
    for bulk in [yes(), no()] {
        let mut m = with_posts(7, 1);
        let index = m.call("add_index", [symbol("posts"), symbol("title")], []);
        m.sends(&index, &["CREATE INDEX index_posts_on_title ON posts (title)"]);
        let steps = [
            m.call("remove_index", [symbol("title")], []),
            m.call("rename", [symbol("title"), symbol("name")], []),
            m.call("index", [symbol("name")], []),
            m.call("rename", [symbol("name"), symbol("heading")], []),
        ];
        let change = m.block(m.call("change_table", [symbol("posts")], [("bulk", bulk)]), steps);
        m.sends(
            &change,
            &[
                "DROP INDEX index_posts_on_title",
                "ALTER TABLE posts RENAME COLUMN title TO name",
                "CREATE INDEX index_posts_on_name ON posts (name)",
                "ALTER TABLE posts RENAME COLUMN name TO heading",
                "ALTER INDEX index_posts_on_name RENAME TO index_posts_on_heading",
            ],
        );
    }
}

#[test]
fn join_tables_enums_extensions_and_schemas() {
    let mut m = Migration::of(7, 1);
    let artists = symbol("artists");
    for (call, expected) in [
        (
            m.call("create_join_table", [symbol("records"), artists.clone()], []),
            vec!["CREATE TABLE artists_records (record_id bigint NOT NULL, artist_id bigint NOT NULL)"],
        ),
        (m.call("drop_join_table", [symbol("records"), artists], []), vec!["DROP TABLE artists_records"]),
        (
            m.call("create_enum", [symbol("mood"), list([Value::text("sad"), Value::text("ok")])], []),
            vec!["CREATE TYPE mood AS ENUM ('sad', 'ok')"],
        ),
        (m.call("create_enum", [symbol("mood"), list([Value::text("sad")])], []), vec![]),
        (
            m.call(
                "add_enum_value",
                [symbol("mood"), Value::text("great")],
                [("after", Value::text("ok")), ("if_not_exists", yes())],
            ),
            vec!["ALTER TYPE mood ADD VALUE IF NOT EXISTS 'great' AFTER 'ok'"],
        ),
        (
            m.call("rename_enum_value", [symbol("mood")], [("from", Value::text("ok")), ("to", Value::text("fine"))]),
            vec!["ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'"],
        ),
        (m.call("rename_enum", [symbol("mood"), symbol("feeling")], []), vec!["ALTER TYPE mood RENAME TO feeling"]),
        (m.call("drop_enum", [symbol("feeling")], []), vec!["DROP TYPE feeling"]),
        (m.call("enable_extension", [Value::text("pgcrypto")], []), vec!["CREATE EXTENSION IF NOT EXISTS pgcrypto"]),
        (m.call("disable_extension", [Value::text("uuid-ossp")], []), vec!["DROP EXTENSION IF EXISTS \"uuid-ossp\""]),
        (m.call("create_schema", [Value::text("app")], []), vec!["CREATE SCHEMA app"]),
        (
            m.call("drop_schema", [Value::text("app")], [("if_exists", yes())]),
            vec!["DROP SCHEMA IF EXISTS app CASCADE"],
        ),
        (
            m.call("create_view", [symbol("v")], [("sql_definition", Value::text("SELECT 1 AS one;"))]),
            vec!["CREATE VIEW v AS SELECT 1 AS one;"],
        ),
        (m.call("drop_view", [symbol("v")], []), vec!["DROP VIEW v"]),
    ] {
        m.sends(&call, &expected);
    }
}

#[test]
fn what_is_not_known_is_said_with_its_tables() {
    let m = Migration::of(7, 1);
    for (call, reason, tables) in [
        (
            m.call("add_column", [symbol("posts"), symbol("a"), symbol("string")], [("null", Value::unknown("ENV"))]),
            "add_column: `null:` is not known: ENV",
            vec!["posts"],
        ),
        (
            m.call("add_column", [symbol("posts"), symbol("a"), symbol("string")], [("unique", yes())]),
            "add_column: `unique:` is no option of string that is known",
            vec!["posts"],
        ),
        (
            m.call("add_index", [Value::unknown("a helper"), symbol("a")], []),
            "add_index: the table is not known: a helper",
            vec![],
        ),
        (
            m.call("add_foreign_key", [symbol("posts"), symbol("users")], [("on_delete", symbol("explode"))]),
            "add_foreign_key: `explode` is no action that Active Record has",
            vec!["posts", "users"],
        ),
        (
            m.call("create_view", [symbol("v")], [("version", Value::Integer(3))]),
            "create_view: db/views/v_v03.sql is not there to be read",
            vec!["v"],
        ),
        (m.call("execute", [Value::unknown("File.read")], []), "execute: its SQL is not known: File.read", vec![]),
    ] {
        let Answer::Unread { reason: why, touches, everything } = answer(&call, &m.dialect, &m.schema) else {
            panic!("{reason}");
        };
        assert_eq!(&*why, reason);
        assert_eq!(touches.iter().map(ToString::to_string).collect::<Vec<_>>(), tables);
        assert_eq!(everything, tables.is_empty());
    }
    let stranger = m.call("add_concurrent_index", [symbol("posts")], []);
    assert!(matches!(answer(&stranger, &m.dialect, &m.schema), Answer::NotMine));
    assert!(is_known("add_index") && !is_known("add_concurrent_index"));
    assert!(CALLS.is_sorted_by_key(|(name, _)| *name));
}

#[test]
fn where_the_history_cannot_tell_the_server_is_asked() {
    let mut m = Migration::of(7, 1);
    m.schema.complete = false;
    for (call, expected) in [
        (m.call("remove_index", [symbol("old"), symbol("a")], []), "DROP INDEX index_old_on_a"),
        (
            m.call("remove_index", [symbol("old"), symbol("a")], [("if_exists", yes())]),
            "DROP INDEX IF EXISTS index_old_on_a",
        ),
        (
            m.call("remove_column", [symbol("old"), symbol("a")], [("if_exists", yes())]),
            "ALTER TABLE old DROP COLUMN IF EXISTS a",
        ),
        (
            m.call("add_column", [symbol("old"), symbol("a"), symbol("text")], [("if_not_exists", yes())]),
            "ALTER TABLE old ADD COLUMN IF NOT EXISTS a text",
        ),
        (
            m.call("remove_foreign_key", [symbol("old"), symbol("users")], [("if_exists", yes())]),
            "ALTER TABLE old DROP CONSTRAINT IF EXISTS fk_rails_6881b734cf",
        ),
    ] {
        let Answer::Sends(pieces) = answer(&call, &m.dialect, &m.schema) else { panic!("{expected}") };
        assert_eq!(pieces.iter().map(|piece| piece.text()).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn change_is_run_backwards() {
    let m = Migration::of(7, 1);
    let posts = || symbol("posts");
    for (call, name, arguments) in [
        (m.call("create_table", [posts()], [("if_not_exists", yes())]), "drop_table", 1),
        (m.call("add_column", [posts(), symbol("a"), symbol("text")], [("if_not_exists", yes())]), "remove_column", 3),
        (m.call("remove_column", [posts(), symbol("a"), symbol("text")], []), "add_column", 3),
        (m.call("remove_index", [posts()], [("column", symbol("a"))]), "add_index", 2),
        (m.call("add_foreign_key", [posts(), symbol("users")], [("validate", no())]), "remove_foreign_key", 2),
        (m.call("rename_column", [posts(), symbol("a"), symbol("b")], []), "rename_column", 3),
        (m.call("change_column_null", [posts(), symbol("a"), no()], []), "change_column_null", 3),
        (m.call("add_reference", [posts(), symbol("a")], []), "remove_reference", 2),
        (
            m.call(
                "update_view",
                [posts()],
                [("version", Value::Integer(2)), ("revert_to_version", Value::Integer(1))],
            ),
            "update_view",
            1,
        ),
    ] {
        let back = inverse(&call, &m.dialect).unwrap();
        assert_eq!((&*back.name, back.arguments.len()), (name, arguments));
        assert!(!back.options.has("if_not_exists") && !back.options.has("validate"), "{name}");
    }
    for call in [
        m.call("remove_column", [posts(), symbol("a")], []),
        m.call("drop_table", [posts()], []),
        m.call("change_column", [posts(), symbol("a"), symbol("text")], []),
        m.call("change_column_default", [posts(), symbol("a"), Value::Integer(1)], []),
        m.call("execute", [Value::text("SELECT 1")], []),
    ] {
        assert!(inverse(&call, &m.dialect).is_err(), "{}", call.name);
    }
}

#[test]
fn what_old_migrations_say_beyond_the_options_is_passed_over() {
    let mut old = Migration::of(7, 0);
    let create = old.call("create_table", [symbol("posts")], []);
    old.run(&create);
    let column = [symbol("posts"), symbol("a"), symbol("string")];
    let told = [("unique", yes()), ("after", symbol("title")), ("defualt", Value::text("x"))];
    let call = old.call("add_column", column, told);
    old.sends(&call, &["ALTER TABLE posts ADD a character varying"]);
}

#[test]
fn a_default_that_only_the_running_program_knows_is_a_parameter() {
    let mut m = Migration::of(7, 1);
    let create = m.call("create_table", [symbol("posts")], []);
    m.run(&create);
    let column = [symbol("posts"), symbol("a"), symbol("string")];
    let call = m.call("add_column", column, [("default", Value::unknown("ENV")), ("null", Value::Bool(false))]);
    m.sends(&call, &["ALTER TABLE posts ADD a character varying DEFAULT $1 NOT NULL"]);
}
