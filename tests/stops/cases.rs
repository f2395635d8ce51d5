//! Migrations of many shapes, each made to stop in earnest.

use std::thread;
use std::time::Duration;

use crate::server::{Database, Server, run, run_script, statements};
use crate::{Folder, apart, catalog_lines, run_all, schema_lines};

/// One migration and what stops it.
struct Case {
    name: &'static str,
    before: &'static str,
    /// What is in the tables, so that a step fails.
    rows: &'static str,
    migration: &'static str,
    ends: Ends,
    /// From this major on.
    since: u32,
    /// It leaves rows that undo does not drop unless it is told to.
    leaves_rows: bool,
}

enum Ends {
    /// A statement is refused, with this code; it begins so.
    Refused(&'static str, &'static str),
    /// Another session is in this transaction; the statement that waits for it is ended by its timeout.
    Waits { other: &'static str, at: &'static str },
    /// It runs through.
    Passes,
}

const TREE: &str =
    "CREATE TABLE parents (id bigint, kind int NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE parents_1 PARTITION OF parents FOR VALUES IN (1);
CREATE TABLE parents_2 PARTITION OF parents FOR VALUES IN (2);
CREATE TABLE parents_3 PARTITION OF parents FOR VALUES IN (3);
CREATE TABLE children (id bigint, parent_id bigint, kind int NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE children_1 PARTITION OF children FOR VALUES IN (1);
CREATE TABLE children_2 PARTITION OF children FOR VALUES IN (2);
CREATE TABLE children_3 PARTITION OF children FOR VALUES IN (3);";

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text, mail text, age integer);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total integer);
CREATE INDEX orders_total ON orders (total);
CREATE INDEX users_mail ON users (mail);";

const EVENTS: &str = "CREATE TABLE events (id bigint, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');";

/// Views over views, and what else stands upon a table.
const UPON: &str = "CREATE FUNCTION grade(value int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT value';
CREATE TABLE goods (id serial PRIMARY KEY, code text UNIQUE, worth int, kind text DEFAULT 'a');
CREATE TABLE sales (id int PRIMARY KEY, code text REFERENCES goods (code), graded int DEFAULT grade(1));
CREATE VIEW first AS SELECT id, code, worth, kind FROM goods;
CREATE VIEW second AS SELECT id, code FROM first;
CREATE MATERIALIZED VIEW third AS SELECT s.id, b.id AS b FROM second s JOIN sales b ON b.code = s.code;
CREATE UNIQUE INDEX third_id ON third (id);
CREATE FUNCTION rows_of_second() RETURNS SETOF second LANGUAGE sql AS 'SELECT * FROM second';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER note BEFORE UPDATE OF kind ON goods FOR EACH ROW EXECUTE FUNCTION note();";

const CASES: &[Case] = &[
    Case {
        name: "views that go, the last first",
        before: UPON,
        rows: "",
        migration: "DROP MATERIALIZED VIEW third;
DROP FUNCTION rows_of_second();
DROP VIEW second, first;",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "a type under views",
        before: UPON,
        rows: "",
        migration: "DROP FUNCTION rows_of_second();
DROP VIEW first CASCADE;
ALTER TABLE goods ALTER COLUMN worth TYPE bigint;
CREATE VIEW first AS SELECT id, code, worth, kind FROM goods;
CREATE VIEW second AS SELECT id, code FROM first;
CREATE MATERIALIZED VIEW third AS SELECT s.id, b.id AS b FROM second s JOIN sales b ON b.code = s.code;
CREATE UNIQUE INDEX third_id ON third (id);
CREATE FUNCTION rows_of_second() RETURNS SETOF second LANGUAGE sql AS 'SELECT * FROM second';",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "a key that another one relies on",
        before: UPON,
        rows: "",
        migration: "ALTER TABLE goods DROP CONSTRAINT goods_code_key CASCADE;
ALTER TABLE goods ADD CONSTRAINT goods_code UNIQUE (code);
ALTER TABLE sales ADD CONSTRAINT sales_code_fkey FOREIGN KEY (code) REFERENCES goods (code);",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "a function with another result, and the default that calls it",
        before: UPON,
        rows: "",
        migration: "ALTER TABLE sales ALTER COLUMN graded DROP DEFAULT;
DROP FUNCTION grade(int);
CREATE FUNCTION grade(value int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT value::bigint';
ALTER TABLE sales ALTER COLUMN graded SET DEFAULT grade(2);",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "a column that views and a trigger name",
        before: UPON,
        rows: "",
        migration: "DROP FUNCTION rows_of_second();
DROP VIEW first CASCADE;
DROP TRIGGER note ON goods;
ALTER TABLE goods ALTER COLUMN kind DROP DEFAULT;
ALTER TABLE goods ALTER COLUMN kind TYPE varchar(20);
ALTER TABLE goods ALTER COLUMN kind SET DEFAULT 'b';
CREATE TRIGGER note BEFORE UPDATE OF kind ON goods FOR EACH ROW EXECUTE FUNCTION note();
CREATE VIEW first AS SELECT id, code, worth, kind FROM goods;
CREATE VIEW second AS SELECT id, code FROM first;
CREATE MATERIALIZED VIEW third AS SELECT s.id, b.id AS b FROM second s JOIN sales b ON b.code = s.code;
CREATE UNIQUE INDEX third_id ON third (id);
CREATE FUNCTION rows_of_second() RETURNS SETOF second LANGUAGE sql AS 'SELECT * FROM second';",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "keys of partitions, one by one, the first over an orphan",
        before: TREE,
        rows: "INSERT INTO children VALUES (1, 99, 2);",
        migration: "ALTER TABLE children_1 ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents_1 (id, kind) NOT VALID;
ALTER TABLE children_1 VALIDATE CONSTRAINT fk;
ALTER TABLE children_2 ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents_2 (id, kind) NOT VALID;
ALTER TABLE children_2 VALIDATE CONSTRAINT fk;
ALTER TABLE children_3 ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents_3 (id, kind) NOT VALID;
ALTER TABLE children_3 VALIDATE CONSTRAINT fk;
ALTER TABLE children ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind);",
        ends: Ends::Refused("23503", "ALTER TABLE children_2 VALIDATE"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "the same where no row is in the way",
        before: TREE,
        rows: "",
        migration: "ALTER TABLE children_1 ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind) NOT VALID;
ALTER TABLE children_1 VALIDATE CONSTRAINT fk;
ALTER TABLE children_2 ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind) NOT VALID;
ALTER TABLE children_2 VALIDATE CONSTRAINT fk;
ALTER TABLE children ADD CONSTRAINT fk FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind);",
        ends: Ends::Passes,
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "unique index built concurrently over duplicates",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', 1), (2, 'b', 'x', 2);",
        migration: "ALTER TABLE users ADD COLUMN seen date;
CREATE UNIQUE INDEX CONCURRENTLY users_mail_once ON users (mail);",
        ends: Ends::Refused("23505", "CREATE UNIQUE INDEX CONCURRENTLY"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "index that waits for a writer when it begins",
        before: USERS,
        rows: "",
        migration: "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        ends: Ends::Waits { other: "INSERT INTO users VALUES (9)", at: "CREATE INDEX CONCURRENTLY" },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "index that waits for an old snapshot at its end",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', 1);",
        migration: "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        ends: Ends::Waits {
            other: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM orders",
            at: "CREATE INDEX CONCURRENTLY",
        },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "index dropped concurrently while it is read",
        before: USERS,
        rows: "",
        migration: "DROP INDEX CONCURRENTLY users_mail;",
        ends: Ends::Waits { other: "SELECT * FROM users", at: "DROP INDEX CONCURRENTLY" },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "reindex concurrently that waits for a writer",
        before: USERS,
        rows: "",
        migration: "REINDEX INDEX CONCURRENTLY users_mail;",
        ends: Ends::Waits { other: "INSERT INTO users VALUES (9)", at: "REINDEX INDEX CONCURRENTLY" },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "check validated over a bad row",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', -5);",
        migration: "ALTER TABLE users ADD CONSTRAINT users_age CHECK (age >= 0) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
ALTER TABLE users ALTER COLUMN age SET DEFAULT 18;",
        ends: Ends::Refused("23514", "ALTER TABLE users VALIDATE"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "foreign key validated over an orphan, after its index",
        before: USERS,
        rows: "INSERT INTO orders VALUES (1, 77, 3);",
        migration: "CREATE INDEX CONCURRENTLY orders_user ON orders (user_id);
ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_user_fk;",
        ends: Ends::Refused("23503", "ALTER TABLE orders VALIDATE"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "foreign key without a name, and then NOT NULL over a NULL",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', 3); INSERT INTO orders VALUES (1, NULL, 3);",
        migration: "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;
ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL;",
        ends: Ends::Refused("23502", "ALTER TABLE orders ALTER COLUMN user_id"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "partition detached concurrently while it is read",
        before: EVENTS,
        rows: "",
        migration: "ALTER TABLE events DETACH PARTITION events_2023 CONCURRENTLY;",
        ends: Ends::Waits { other: "SELECT * FROM events", at: "ALTER TABLE events DETACH" },
        since: 14,
        leaves_rows: false,
    },
    Case {
        name: "index of a partitioned table, attached half way",
        before: EVENTS,
        rows: "INSERT INTO events VALUES (1, '2024-05-05'), (1, '2024-05-05');",
        migration: "CREATE UNIQUE INDEX events_id_at ON ONLY events (id, at);
CREATE UNIQUE INDEX CONCURRENTLY events_2023_id_at ON events_2023 (id, at);
ALTER INDEX events_id_at ATTACH PARTITION events_2023_id_at;
CREATE UNIQUE INDEX CONCURRENTLY events_2024_id_at ON events_2024 (id, at);
ALTER INDEX events_id_at ATTACH PARTITION events_2024_id_at;",
        ends: Ends::Refused("23505", "CREATE UNIQUE INDEX CONCURRENTLY events_2024_id_at"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "table with a trigger, then a column that waits",
        before: USERS,
        rows: "",
        migration: "CREATE TABLE audit (id bigserial PRIMARY KEY, user_id bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (user_id) VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER users_note AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE orders ADD COLUMN note text;",
        ends: Ends::Waits { other: "INSERT INTO orders VALUES (9)", at: "ALTER TABLE orders ADD COLUMN" },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "column made, filled and required, with a row left out",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', 3), (2, NULL, 'y', 4);",
        migration: "ALTER TABLE users ADD COLUMN label text;
ALTER TABLE users ALTER COLUMN age SET DEFAULT 0;
ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        ends: Ends::Refused("23502", "ALTER TABLE users ALTER COLUMN name"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "rename, index dropped, and a unique key over duplicates",
        before: USERS,
        rows: "INSERT INTO users VALUES (1, 'a', 'x', 3), (2, 'a', 'y', 4);",
        migration: "ALTER TABLE users RENAME COLUMN mail TO email;
DROP INDEX users_mail;
ALTER TABLE users ADD CONSTRAINT users_name_key UNIQUE (name);",
        ends: Ends::Refused("23505", "ALTER TABLE users ADD CONSTRAINT"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "table attached over rows out of its bound",
        before: EVENTS,
        rows: "",
        migration: "CREATE TABLE events_2025 (LIKE events);
INSERT INTO events_2025 VALUES (1, '2026-01-01');
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');",
        ends: Ends::Refused("23514", "ALTER TABLE events ATTACH"),
        since: 12,
        leaves_rows: true,
    },
    Case {
        name: "tables swapped by name, then a wait",
        before: USERS,
        rows: "",
        migration: "CREATE TABLE orders_new (id bigint PRIMARY KEY, user_id bigint, total bigint);
ALTER TABLE orders RENAME TO orders_old;
ALTER TABLE orders_new RENAME TO orders;
ALTER TABLE users ADD COLUMN seen date;",
        ends: Ends::Waits { other: "INSERT INTO users VALUES (9)", at: "ALTER TABLE users ADD COLUMN" },
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "view, enum and function replaced, then a key over duplicates",
        before: "CREATE TABLE users (id bigint PRIMARY KEY, name text);
CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
CREATE VIEW names AS SELECT name FROM users;",
        rows: "INSERT INTO users VALUES (1, 'a'), (2, 'a');",
        migration: "CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE OR REPLACE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT n + n $$;
DROP VIEW names;
ALTER TABLE users ADD COLUMN mood mood;
CREATE UNIQUE INDEX CONCURRENTLY users_name ON users (name);",
        ends: Ends::Refused("23505", "CREATE UNIQUE INDEX CONCURRENTLY"),
        since: 12,
        leaves_rows: false,
    },
    Case {
        name: "not valid key of a partition validated, its parent's replaced",
        before: "CREATE TABLE owners (id bigint PRIMARY KEY);
CREATE TABLE pets (id bigint, owner_id bigint, born date NOT NULL, PRIMARY KEY (id, born)) PARTITION BY RANGE (born);
CREATE TABLE pets_2024 PARTITION OF pets FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
ALTER TABLE pets_2024 ADD CONSTRAINT pets_owner FOREIGN KEY (owner_id) REFERENCES owners NOT VALID;",
        rows: "",
        migration: "ALTER TABLE pets_2024 VALIDATE CONSTRAINT pets_owner;
ALTER TABLE pets ADD CONSTRAINT pets_born CHECK (born > '2000-01-01');
ALTER TABLE owners ADD COLUMN name varchar(40) NOT NULL DEFAULT '';",
        ends: Ends::Waits { other: "INSERT INTO owners VALUES (9)", at: "ALTER TABLE owners ADD COLUMN" },
        since: 12,
        leaves_rows: false,
    },
];

#[test]
fn migrations_stop_where_plimsoll_says_and_undo_brings_them_back() {
    let Some(server) = Server::get() else { return };
    let due: Vec<&Case> = CASES.iter().filter(|case| server.major() >= case.since).collect();
    assert!(due.len() >= 15, "fifteen shapes are asked for");
    let faults: Vec<String> = due
        .iter()
        .flat_map(|case| stop_and_undo(&server.database(), case).err().map(|fault| format!("{}:\n{fault}", case.name)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn stop_and_undo(database: &Database, case: &Case) -> Result<(), String> {
    let major = database.major();
    let mut client = database.client();
    run_script(&mut client, case.before).map_err(|refusal| format!("{refusal:#?}"))?;
    let before = catalog_lines(&mut client, major, "public");
    run_script(&mut client, case.rows).map_err(|refusal| format!("{refusal:#?}"))?;
    let folder = Folder::new(case.before, case.migration);
    let (ended, stops) = folder.ends(major);
    if schema_lines(&ended.before.schema) != before {
        return Err(format!("before:\n{}", apart(&schema_lines(&ended.before.schema), &before)));
    }

    let stopped_at = migrate(database, case)?;
    let now = catalog_lines(&mut client, major, "public");
    match stopped_at {
        None => {
            let end = schema_lines(&ended.course.end.schema);
            if end != now {
                return Err(format!("at the end:\n{}", apart(&end, &now)));
            }
        }
        Some(statement) => {
            let here = stops.iter().filter(|(text, _)| statement.starts_with(text.trim_end_matches(';')));
            let foretold: Vec<Vec<String>> = here.map(|(_, stop)| schema_lines(&stop.state.schema)).collect();
            if !foretold.contains(&now) {
                let nearest = foretold.first().cloned().unwrap_or_default();
                return Err(format!("{} stops at {statement}:\n{}", foretold.len(), apart(&nearest, &now)));
            }
        }
    }

    let mut script = folder.undo(major);
    if case.leaves_rows {
        run_all(&mut client, &script);
        if catalog_lines(&mut client, major, "public") != now {
            return Err("undo dropped rows that nobody allowed to go".to_owned());
        }
        script = script.replace("-- SET plimsoll", "SET plimsoll");
    }
    for round in ["undo", "undo again"] {
        let refused = run_all(&mut client, &script);
        let after = catalog_lines(&mut client, major, "public");
        if after != before || !refused.is_empty() {
            return Err(format!("{round}:\n{}{refused:#?}\n{script}", apart(&before, &after)));
        }
    }
    Ok(())
}

/// Runs the migration until it is stopped; which statement that was.
fn migrate(database: &Database, case: &Case) -> Result<Option<String>, String> {
    let mut other = database.client();
    let waiting = match case.ends {
        Ends::Waits { other: sql, .. } => {
            // What others do stands in the way only once the migration is there.
            Some(format!("BEGIN; {sql}"))
        }
        Ends::Refused(..) | Ends::Passes => None,
    };
    let mut session = database.client();
    for statement in statements(case.migration) {
        if let (Ends::Waits { at, .. }, Some(begin)) = (&case.ends, &waiting)
            && statement.starts_with(at)
        {
            run(&mut other, begin).map_err(|refusal| format!("{refusal:#?}"))?;
            run(&mut session, "SET statement_timeout = '700ms'").map_err(|refusal| format!("{refusal:#?}"))?;
        }
        let Err(refusal) = run(&mut session, &statement) else { continue };
        let expected = match &case.ends {
            Ends::Refused(code, start) => refusal.code == *code && statement.starts_with(start),
            Ends::Waits { at, .. } => refusal.code == "57014" && statement.starts_with(at),
            Ends::Passes => false,
        };
        let _ = run(&mut other, "ROLLBACK");
        thread::sleep(Duration::from_millis(20));
        return if expected { Ok(Some(statement)) } else { Err(format!("{refusal:#?}")) };
    }
    match case.ends {
        Ends::Passes => Ok(None),
        Ends::Refused(..) | Ends::Waits { .. } => Err("it ran through".to_owned()),
    }
}
