//! The schema that plimsoll prints is the one that PostgreSQL has: as JSON, and as SQL run on an empty server.

#![allow(clippy::unwrap_used)]

mod command;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use command::plimsoll;
use serde_json::Value;
use server::{Database, Server};

/// Shapes that real histories hold, for every major that plimsoll knows.
const HISTORY: &str = r#"
CREATE SCHEMA audit;
CREATE TYPE mood AS ENUM ('sad', 'it''s fine');
ALTER TYPE mood ADD VALUE 'happy' AFTER 'sad';
CREATE TYPE audit.point3 AS (x double precision, y double precision, "Z" numeric(10,2));
CREATE DOMAIN email AS text DEFAULT 'none' CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT NULL;
CREATE SEQUENCE numbers AS integer;

CREATE TABLE users (
    id bigserial PRIMARY KEY,
    name character varying(50) NOT NULL DEFAULT 'x',
    "Order" integer CHECK ("Order" > 0),
    mail email,
    mood mood DEFAULT 'happy',
    tags text[] DEFAULT '{}',
    balance numeric(12,4),
    made timestamp(3) with time zone DEFAULT now(),
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    number integer DEFAULT nextval('numbers'),
    UNIQUE (name, mail)
);
ALTER SEQUENCE numbers OWNED BY users.number;
CREATE UNIQUE INDEX users_lower_name ON users (lower(name), "Order" DESC NULLS LAST) WHERE balance > 0;
CREATE INDEX users_tags ON users USING gin (tags);
CREATE INDEX users_wide ON users (name) INCLUDE (mail, balance);
CREATE TABLE audit.log (
    id integer GENERATED ALWAYS AS IDENTITY,
    by_user bigint CONSTRAINT log_user REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    what text,
    PRIMARY KEY (id, what)
);
ALTER TABLE audit.log ADD CONSTRAINT what_not_empty CHECK (what <> '') NOT VALID;
ALTER TABLE audit.log ADD COLUMN copied_from integer, ADD COLUMN copied_what text;
ALTER TABLE audit.log ADD FOREIGN KEY (copied_from, copied_what) REFERENCES audit.log (id, what) MATCH FULL
    ON UPDATE CASCADE ON DELETE CASCADE NOT VALID;
ALTER TABLE users DROP COLUMN balance;
ALTER TABLE users ADD COLUMN balance bigint NOT NULL DEFAULT 0;
CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value jsonb);
CREATE TABLE base (a integer NOT NULL, b text, CONSTRAINT positive CHECK (a > 0));
CREATE TABLE derived (c date) INHERITS (base);

CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, kind text, user_id bigint) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 (user_id bigint, id bigint NOT NULL, at date NOT NULL, kind text) PARTITION BY LIST (id);
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
CREATE TABLE events_2025_a PARTITION OF events_2025 FOR VALUES IN (1, -2);
CREATE TABLE events_2025_rest PARTITION OF events_2025 DEFAULT;
ALTER TABLE events ADD PRIMARY KEY (id, at);
CREATE INDEX events_user ON events (user_id);
ALTER TABLE events ADD CONSTRAINT events_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
ALTER TABLE events_2024 ADD CONSTRAINT own_key FOREIGN KEY (user_id) REFERENCES users ON DELETE RESTRICT;
ALTER TABLE events ADD CONSTRAINT kind_short CHECK (length(kind) < 20);
CREATE TABLE kinds (kind text) PARTITION BY LIST (kind);
CREATE TABLE kinds_a PARTITION OF kinds FOR VALUES IN ('a', NULL);
CREATE TABLE buckets (id bigint NOT NULL, v text) PARTITION BY HASH (id);
CREATE TABLE buckets_0 PARTITION OF buckets FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE buckets_1 PARTITION OF buckets FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE ONLY buckets ADD CONSTRAINT only_here UNIQUE (id);

CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $body$
BEGIN
    INSERT INTO log (by_user, what) VALUES (NEW.id, TG_ARGV[0] || $$quoted$$);
    RETURN NEW;
END;
$body$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OF name, mail ON users FOR EACH ROW WHEN (NEW.name <> 'x')
    EXECUTE FUNCTION note('it''s', '2');
CREATE TRIGGER events_noted BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER counted AFTER UPDATE ON users REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION note();
ALTER TABLE users DISABLE TRIGGER counted;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON cache DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION newest(wanted integer, VARIADIC names text[]) RETURNS SETOF users LANGUAGE sql STABLE AS
    'SELECT * FROM users WHERE number = wanted AND name = ANY (names)';
CREATE VIEW names AS SELECT id, name FROM users;
CREATE VIEW many (one, other) AS SELECT n.id, l.what FROM names n JOIN audit.log l ON l.by_user = n.id;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS number FROM users WITH NO DATA;
CREATE UNIQUE INDEX counts_number ON counts (number);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE cache REPLICA IDENTITY FULL;
"#;

/// What the catalogs hold, one line a fact; nothing depends on OIDs or the order of making.
const CATALOG: &[&str] = &[
    "SELECT format('relation %s %s %s %s %s %s', c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
            c.relreplident, coalesce(pg_get_partkeydef(c.oid), '-') || ' ' ||
            coalesce(pg_get_expr(c.relpartbound, c.oid), '-'))
     FROM pg_class c WHERE c.relnamespace IN ('public'::regnamespace, 'audit'::regnamespace)",
    "SELECT format('column %s.%s %s %s %s %s %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
            a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '-'), a.attidentity, a.attgenerated)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace IN ('public'::regnamespace, 'audit'::regnamespace)",
    "SELECT format('constraint %s %s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), conislocal,
            conparentid <> 0)
     FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, 'audit'::regnamespace)
       AND contype <> 't' AND (conrelid = 0 OR confrelid = 0 OR conparentid = 0 OR conislocal)",
    "SELECT format('index %s %s %s', pg_get_indexdef(indexrelid), indisvalid,
            coalesce((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = indexrelid), '-'))
     FROM pg_index JOIN pg_class c ON c.oid = indexrelid
     WHERE c.relnamespace IN ('public'::regnamespace, 'audit'::regnamespace)",
    "SELECT format('trigger %s %s', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT format('function %s', pg_get_functiondef(oid)) FROM pg_proc
     WHERE pronamespace IN ('public'::regnamespace, 'audit'::regnamespace)",
    "SELECT format('view %s %s', oid::regclass, pg_get_viewdef(oid)) FROM pg_class
     WHERE relkind IN ('v', 'm') AND relnamespace IN ('public'::regnamespace, 'audit'::regnamespace)",
    "SELECT format('label %s %s %s', enumtypid::regtype, enumlabel,
            rank() OVER (PARTITION BY enumtypid ORDER BY enumsortorder)) FROM pg_enum",
    "SELECT format('owned %s %s.%s', s.oid::regclass, a.attrelid::regclass, a.attname) FROM pg_class s
     JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
     JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE s.relkind = 'S'",
    "SELECT format('inherits %s %s', inhrelid::regclass, inhparent::regclass) FROM pg_inherits",
];

fn facts(database: &Database) -> BTreeSet<String> {
    CATALOG.iter().flat_map(|query| database.strings(query)).collect()
}

/// The history as a folder of migrations; each test has its own, as both write it at once.
fn folder(of: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schema").join(of);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("001_all.sql"), HISTORY).unwrap();
    folder.display().to_string()
}

#[track_caller]
fn same(known: &BTreeSet<String>, printed: &BTreeSet<String>) {
    let missing: Vec<&String> = known.difference(printed).collect();
    let more: Vec<&String> = printed.difference(known).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:#?}\nmore: {more:#?}");
}

#[test]
fn printed_sql_makes_the_schema_that_the_history_makes() {
    let Some(server) = Server::get() else { return };
    let (history, printed) = (server.database(), server.database());
    history.run_script(HISTORY).unwrap_or_else(|refusal| panic!("{refusal:#?}"));
    let ran = plimsoll(&["schema", &folder("sql"), "--format=sql", "--postgres", &server.major().to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    printed.run_script(&ran.out).unwrap_or_else(|refusal| panic!("{refusal:#?}\n{}", ran.out));
    same(&facts(&history), &facts(&printed));
}

#[test]
fn printed_json_is_what_the_catalogs_hold() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(HISTORY).unwrap_or_else(|refusal| panic!("{refusal:#?}"));
    let ran = plimsoll(&["schema", &folder("json"), "--postgres", &server.major().to_string()]);
    let document = ran.json();
    let mut printed = BTreeSet::new();
    for table in document["tables"].as_array().unwrap() {
        told(table, &mut printed);
    }
    let known = TOLD.iter().flat_map(|query| database.strings(query)).collect();
    same(&known, &printed);
    let labels =
        &document["types"].as_array().unwrap().iter().find(|one| one["name"] == "public.mood").unwrap()["labels"];
    assert_eq!(*labels, serde_json::json!(["sad", "happy", "it's fine"]));
    let owned = document["sequences"].as_array().unwrap().iter().find(|one| one["name"] == "public.numbers").unwrap();
    assert_eq!(owned["owned_by"], "public.users.number");
    assert_eq!(document["views"].as_array().unwrap().len(), 3);
    assert_eq!(document["functions"][0]["arguments"], "wanted integer, VARIADIC names text[]");
}

/// The same facts from the JSON and from the catalogs; expressions are left out, which PostgreSQL rewrites.
fn told(table: &Value, facts: &mut BTreeSet<String>) {
    let text = |value: &Value| value.as_str().map_or("-".to_owned(), str::to_owned);
    let list = |value: &Value| {
        let names: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
        names.join(",")
    };
    let name = text(&table["name"]);
    facts.insert(format!(
        "{name} {} {} {} {}",
        text(&table["kind"]),
        text(&table["parent"]),
        text(&table["bound"]),
        text(&table["persistence"])
    ));
    for column in table["columns"].as_array().unwrap() {
        let (identity, generated) = (text(&column["identity"]), text(&column["generated"]));
        let not_null = &column["not_null"];
        facts.insert(format!(
            "{name}.{} {} {not_null} {identity} {generated}",
            text(&column["name"]),
            text(&column["type"])
        ));
    }
    for one in table["constraints"].as_array().unwrap() {
        let references = &one["references"];
        let definition = match text(&one["kind"]).as_str() {
            "check" => "-".to_owned(),
            _ => text(&one["definition"]),
        };
        facts.insert(format!(
            "{name} {} {} ({}) {}({}) {} {} {} {} {definition}",
            text(&one["name"]),
            text(&one["kind"]),
            list(&one["columns"]),
            text(&references["table"]),
            list(&references["columns"]),
            one["validated"],
            one["local"],
            one["inherited"],
            text(&one["index"]),
        ));
    }
    for index in table["indexes"].as_array().unwrap() {
        facts.insert(format!(
            "{name} index {} ({}) {} {} {} {}",
            text(&index["name"]),
            list(&index["columns"]),
            index["unique"],
            index["valid"],
            text(&index["method"]),
            text(&index["parent"]),
        ));
    }
    for trigger in table["triggers"].as_array().unwrap() {
        facts.insert(format!(
            "{name} trigger {} {} {} {} ({}) {} {} {}",
            text(&trigger["name"]),
            text(&trigger["timing"]),
            text(&trigger["level"]),
            list(&trigger["events"]),
            list(&trigger["columns"]),
            text(&trigger["function"]),
            text(&trigger["enabled"]),
            trigger["inherited"],
        ));
    }
}

const TOLD: &[&str] = &[
    "SELECT format('%s.%s %s %s %s %s', n.nspname, quote_ident(relname),
        CASE WHEN relkind = 'p' THEN 'partitioned' WHEN relispartition THEN 'partition' ELSE 'table' END,
        CASE WHEN relispartition THEN (SELECT p.relnamespace::regnamespace || '.' || p.relname FROM pg_inherits i
            JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid) ELSE '-' END,
        coalesce(pg_get_expr(relpartbound, c.oid), '-'),
        CASE relpersistence WHEN 'p' THEN 'permanent' ELSE 'unlogged' END)
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'p') AND nspname IN ('public', 'audit')",
    "SELECT format('%s.%s.%s %s %s %s %s', n.nspname, quote_ident(relname), quote_ident(attname),
        CASE WHEN t.typnamespace = 'public'::regnamespace THEN 'public.' ELSE '' END || format_type(atttypid, atttypmod),
        attnotnull::text, CASE attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '-' END,
        CASE attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' ELSE '-' END)
     FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
     JOIN pg_type t ON t.oid = atttypid
     WHERE relkind IN ('r', 'p') AND nspname IN ('public', 'audit') AND attnum > 0 AND NOT attisdropped",
    "SELECT format('%s.%s %s %s (%s) %s(%s) %s %s %s %s %s', n.nspname, quote_ident(relname), quote_ident(conname),
        CASE contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign' WHEN 'c' THEN 'check'
            WHEN 'n' THEN 'not_null' END,
        (SELECT string_agg(quote_ident(attname), ',' ORDER BY o) FROM unnest(conkey) WITH ORDINALITY u(k, o)
            JOIN pg_attribute ON attrelid = conrelid AND attnum = k),
        coalesce((SELECT relnamespace::regnamespace || '.' || f.relname FROM pg_class f WHERE f.oid = confrelid), '-'),
        coalesce((SELECT string_agg(quote_ident(attname), ',' ORDER BY o) FROM unnest(confkey) WITH ORDINALITY u(k, o)
            JOIN pg_attribute ON attrelid = confrelid AND attnum = k), ''),
        convalidated::text, conislocal::text, (coninhcount > 0 OR conparentid <> 0)::text,
        CASE WHEN contype IN ('p', 'u') THEN (SELECT i.relname FROM pg_class i WHERE i.oid = conindid) ELSE '-' END,
        CASE WHEN contype = 'c' THEN '-' WHEN contype = 'f' THEN
            -- search_path hides the schema of what it holds.
            regexp_replace(pg_get_constraintdef(k.oid), 'REFERENCES users', 'REFERENCES public.users')
            ELSE pg_get_constraintdef(k.oid) END)
     FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname IN ('public', 'audit') AND contype <> 't' AND relkind IN ('r', 'p')",
    "SELECT format('%s.%s index %s (%s) %s %s %s %s', n.nspname, quote_ident(t.relname), quote_ident(c.relname),
        (SELECT string_agg(coalesce(quote_ident(attname), '-'), ',' ORDER BY g) FROM generate_series(1, indnkeyatts) g
            LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[g - 1] AND attnum > 0),
        indisunique::text, indisvalid::text, amname,
        coalesce((SELECT p.relnamespace::regnamespace || '.' || p.relname FROM pg_inherits i
            JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = indexrelid), '-'))
     FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON t.oid = indrelid JOIN pg_am a ON a.oid = c.relam
     JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE nspname IN ('public', 'audit') AND t.relkind IN ('r', 'p')
       AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))",
    "SELECT format('%s.%s trigger %s %s %s %s (%s) %s %s %s', n.nspname, quote_ident(relname), quote_ident(tgname),
        CASE WHEN tgtype & 2 <> 0 THEN 'before' WHEN tgtype & 64 <> 0 THEN 'instead of' ELSE 'after' END,
        CASE WHEN tgtype & 1 <> 0 THEN 'row' ELSE 'statement' END,
        concat_ws(',', CASE WHEN tgtype & 4 <> 0 THEN 'insert' END, CASE WHEN tgtype & 16 <> 0 THEN 'update' END,
            CASE WHEN tgtype & 8 <> 0 THEN 'delete' END, CASE WHEN tgtype & 32 <> 0 THEN 'truncate' END),
        (SELECT string_agg(attname, ',' ORDER BY o) FROM unnest(tgattr::int2[]) WITH ORDINALITY u(k, o)
            JOIN pg_attribute ON attrelid = tgrelid AND attnum = k),
        (SELECT pronamespace::regnamespace || '.' || proname FROM pg_proc p WHERE p.oid = tgfoid),
        CASE tgenabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END,
        (EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = t.oid
            AND refclassid = 'pg_trigger'::regclass))::text)
     FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname IN ('public', 'audit') AND (NOT tgisinternal OR tgfoid::regproc::text NOT LIKE '\"RI_%')",
];

/// A table that one of two ways makes is there, perhaps, with all that belongs to it, whichever way is looked at first.
#[test]
fn what_one_branch_makes_is_kept_whole() {
    let folder = std::env::temp_dir().join(format!("plimsoll-branches-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for branches in ["CREATE TABLE t (id integer PRIMARY KEY); ELSE", "ELSE CREATE TABLE t (id integer PRIMARY KEY);"] {
        let text = format!(
            "CREATE TABLE s (a integer);\n\
             DO $$ BEGIN IF (SELECT count(*) FROM s) > 0 THEN {branches} UPDATE s SET a = 1; END IF; END $$;\n"
        );
        fs::write(folder.join("1_a.sql"), text).unwrap();
        let ran = plimsoll(&["schema", folder.to_str().unwrap(), "--format=json"]);
        let document = ran.json();
        let table = document["tables"].as_array().unwrap().iter().find(|table| table["name"] == "public.t").unwrap();
        let keys: Vec<&Value> = table["constraints"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert!(keys.iter().any(|name| **name == "t_pkey"), "{branches}: {keys:?}");
    }
    let _ = fs::remove_dir_all(&folder);
}
