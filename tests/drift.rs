//! `drift` finds nothing between a history and the dump of the server that ran it, and all that does not belong there; its
//! script mends the server.

#![allow(clippy::unwrap_used)]

mod command;
mod server;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use command::plimsoll;
use server::{Server, run, statements};

const HISTORY: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE users (
    id bigserial PRIMARY KEY,
    name varchar(50) NOT NULL DEFAULT 'x',
    active boolean NOT NULL DEFAULT 'f',
    since timestamp NOT NULL DEFAULT '1970-01-01',
    mood mood DEFAULT 'glad',
    state text CHECK (state IN ('new', 'old')),
    CONSTRAINT name_short CHECK (length(name) < 40)
);
CREATE INDEX users_lower ON users (lower(name)) WHERE active;
CREATE TABLE parents (id bigint, kind int NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE parents_1 PARTITION OF parents FOR VALUES IN (1);
CREATE TABLE children (id bigint, parent_id bigint, kind int NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE children_1 PARTITION OF children FOR VALUES IN (1);
CREATE TABLE children_2 PARTITION OF children FOR VALUES IN (2);
ALTER TABLE children ADD CONSTRAINT children_parent FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind);
CREATE VIEW names AS SELECT id, name FROM users WHERE active;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER users_note BEFORE INSERT ON users FOR EACH ROW WHEN (NEW.name <> '') EXECUTE FUNCTION note();
"#;

/// What somebody did by hand.
const BY_HAND: &str = "
ALTER TABLE children_2 ADD CONSTRAINT left_over FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind) ON DELETE CASCADE NOT VALID;
ALTER TABLE users ADD CONSTRAINT tall CHECK (length(name) > 0) NOT VALID;
DROP INDEX users_lower;
ALTER TABLE users ALTER COLUMN state SET NOT NULL, ADD COLUMN extra int;
DROP TRIGGER users_note ON users;
CREATE TABLE schema_migrations (version text PRIMARY KEY);
";

fn pg_dump(server: &Server, database: &str, host: &str) -> Option<String> {
    let binary = PathBuf::from(format!("/usr/lib/postgresql/{}/bin/pg_dump", server.major()));
    let ran = Command::new(binary).args(["--schema-only", "-h", host, "-U", "postgres", database]).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn drift_is_what_was_done_by_hand_and_its_script_mends_it() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let mut client = database.client();
    database.run_script(HISTORY).unwrap();
    let name: String = client.query_one("SELECT current_database()::text", &[]).unwrap().get(0);
    let host: String = client.query_one("SHOW unix_socket_directories", &[]).unwrap().get(0);
    let folder = std::env::temp_dir().join(format!("plimsoll-drift-{}", std::process::id()));
    fs::create_dir_all(folder.join("migrations")).unwrap();
    fs::write(folder.join("migrations/001_all.sql"), HISTORY).unwrap();
    let (expected, actual) = (folder.join("migrations"), folder.join("dump.sql"));
    let (expected, shown) = (expected.display().to_string(), actual.display().to_string());
    let major = server.major().to_string();
    let drift = |format: &str| {
        plimsoll(&["drift", "--expected", &expected, "--actual", &shown, "--postgres", &major, "--format", format])
    };
    let Some(dump) = pg_dump(server, &name, &host) else {
        // A server named by the environment may have no programs here.
        assert!(std::env::var_os("PLIMSOLL_POSTGRES").is_some(), "pg_dump of the private server");
        return;
    };
    fs::write(&actual, dump).unwrap();
    let clean = drift("human");
    assert_eq!((clean.code, clean.out.as_str()), (0, "No difference.\n"), "{}", clean.err);

    database.run_script(BY_HAND).unwrap();
    fs::write(&actual, pg_dump(server, &name, &host).unwrap()).unwrap();
    let found = drift("json");
    assert_eq!(found.code, 1, "{}", found.err);
    let document = found.json();
    let mut told: Vec<String> = document["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one["kind"].as_str().unwrap(),
                one["object"].as_str().unwrap(),
                one["name"].as_str().unwrap()
            )
        })
        .collect();
    told.sort();
    let wanted = [
        "differs column public.users.state",
        "extra column public.users.extra",
        "extra constraint public.children_2.left_over",
        "extra constraint public.users.tall",
        "missing index public.users_lower",
        "missing trigger public.users.users_note",
    ];
    assert_eq!(told, wanted);

    let script = drift("sql").out;
    for statement in statements(&script) {
        run(&mut client, &statement).unwrap_or_else(|refusal| panic!("{refusal:#?}"));
    }
    fs::write(&actual, pg_dump(server, &name, &host).unwrap()).unwrap();
    let mended = drift("human");
    let _ = fs::remove_dir_all(&folder);
    assert_eq!((mended.code, mended.out.as_str()), (0, "No difference.\n"));
}

/// What Active Record dumps of the history below.
const IN_RUBY: &str = r#"
ActiveRecord::Schema[7.1].define(version: 2024_03_01_000000) do
  # These are extensions that must be enabled in order to support this database
  enable_extension "plpgsql"

  create_table "teams", force: :cascade do |t|
    t.string "name", null: false
    t.index ["name"], name: "index_teams_on_name", unique: true
  end

  create_table "users", force: :cascade do |t|
    t.bigint "team_id", null: false
    t.string "mail", limit: 100
    t.datetime "seen_at", precision: nil
    t.decimal "score", precision: 10, scale: 2, default: "0.0"
    t.index ["team_id"], name: "index_users_on_team_id"
    t.check_constraint "score >= 0::numeric", name: "score_not_negative"
  end

  add_foreign_key "users", "teams"
end
"#;

/// The same tables, and what a dump in Ruby has no words for.
const BESIDE_RUBY: &str = r#"
CREATE TABLE teams (id bigserial PRIMARY KEY, name varchar NOT NULL);
CREATE UNIQUE INDEX index_teams_on_name ON teams (name);
CREATE TABLE users (id bigserial PRIMARY KEY, team_id bigint NOT NULL, mail varchar(100), seen_at timestamp,
    score numeric(10, 2) DEFAULT 0.0, CONSTRAINT score_not_negative CHECK (score >= 0));
CREATE INDEX index_users_on_team_id ON users (team_id);
ALTER TABLE users ADD CONSTRAINT fk_rails_0123456789 FOREIGN KEY (team_id) REFERENCES teams (id);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER users_note BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();
"#;

#[test]
fn a_dump_in_ruby_is_compared_by_what_it_has_words_for() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BESIDE_RUBY).unwrap();
    let name: String = database.client().query_one("SELECT current_database()::text", &[]).unwrap().get(0);
    let host: String = database.client().query_one("SHOW unix_socket_directories", &[]).unwrap().get(0);
    let folder = std::env::temp_dir().join(format!("plimsoll-drift-ruby-{}", std::process::id()));
    fs::create_dir_all(folder.join("db")).unwrap();
    let (ruby, actual) = (folder.join("db/schema.rb"), folder.join("dump.sql"));
    fs::write(&ruby, IN_RUBY).unwrap();
    let (ruby, actual) = (ruby.display().to_string(), actual.display().to_string());
    let Some(dump) = pg_dump(server, &name, &host) else {
        assert!(std::env::var_os("PLIMSOLL_POSTGRES").is_some(), "pg_dump of the private server");
        return;
    };
    let major = server.major().to_string();
    let drift = |expected: &str, actual: &str| {
        let ran = plimsoll(&["drift", "--expected", expected, "--actual", actual, "--postgres", &major]);
        (ran.code, ran.out)
    };
    fs::write(&actual, dump).unwrap();
    assert_eq!(drift(&ruby, &actual), (0, "No difference.\n".to_owned()));
    assert_eq!(drift(&actual, &ruby), (0, "No difference.\n".to_owned()), "the other way round");

    database
        .run_script(
            "DROP INDEX index_teams_on_name; ALTER TABLE users ALTER COLUMN mail SET NOT NULL;
             ALTER TABLE users ADD CONSTRAINT by_hand CHECK (id > 0) NOT VALID;",
        )
        .unwrap();
    fs::write(&actual, pg_dump(server, &name, &host).unwrap()).unwrap();
    let (code, told) = drift(&ruby, &actual);
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(code, 1);
    for line in ["constraint public.users.by_hand", "index public.index_teams_on_name", "column public.users.mail"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(told.contains("3 differences"), "{told}");
}
