//! What the rules on locks say: who waits, for what, and who does not.

use std::time::Duration;

use postgres::Client;

use crate::server::{Database, Server, run, run_script};

/// A second session that gives up at once where it would have to wait.
pub fn impatient(database: &Database) -> Client {
    let mut client = database.client();
    run(&mut client, "SET lock_timeout = '150ms'").expect("a setting");
    client
}

pub fn waits(client: &mut Client, statement: &str) -> bool {
    match run(client, statement) {
        Ok(()) => false,
        Err(refusal) if refusal.code == "55P03" => true,
        Err(refusal) => panic!("{refusal:?}"),
    }
}

/// Runs statements in an open transaction of a session of their own.
pub fn open(database: &Database, statements: &str) -> Client {
    let mut client = database.client();
    run_script(&mut client, &format!("BEGIN; {statements}")).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    client
}

/// Runs a statement in another thread and comes back when it waits for a lock.
pub fn waiting(database: &Database, statement: &'static str) -> std::thread::JoinHandle<Result<(), String>> {
    let mut client = database.client();
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[]).expect("a query").get(0);
    let running = std::thread::spawn(move || run(&mut client, statement).map_err(|refusal| refusal.code));
    let mut watcher = database.client();
    let asked = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)";
    for _ in 0..200 {
        if watcher.query_one(asked, &[&process]).expect("a query").get(0) {
            return running;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{statement} does not wait");
}

pub const BOOKS: &str = "
CREATE TABLE authors (id bigint PRIMARY KEY);
CREATE TABLE books (id bigint PRIMARY KEY, author_id bigint, title text);
INSERT INTO authors SELECT generate_series(1, 50);
INSERT INTO books SELECT n, 1 + n % 50, 'title ' || n FROM generate_series(1, 200) AS n;";

#[test]
fn proves_index_not_concurrent() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    let mut builder = open(&database, "CREATE INDEX books_title_idx ON books (title)");
    let mut other = impatient(&database);
    assert!(waits(&mut other, "INSERT INTO books VALUES (1001, 1, 'waits')"));
    assert!(waits(&mut other, "UPDATE books SET title = 'waits' WHERE id = 1"));
    assert!(!waits(&mut other, "SELECT count(*) FROM books"));
    run(&mut builder, "ROLLBACK").unwrap();

    // Of a partition, the writes through its parent wait.
    let tree =
        "CREATE TABLE p (id int, k int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);";
    database.run_script(tree).unwrap();
    let mut builder = open(&database, "CREATE INDEX ON p1 (id)");
    assert!(waits(&mut other, "INSERT INTO p VALUES (1, 1)"));
    run(&mut builder, "ROLLBACK").unwrap();

    // CONCURRENTLY waits for writers itself, and nobody waits for it; in a transaction it is refused.
    let mut writer = open(&database, "INSERT INTO books VALUES (1002, 1, 'open')");
    let building = waiting(&database, "CREATE INDEX CONCURRENTLY books_title_idx ON books (title)");
    assert!(!waits(&mut other, "INSERT INTO books VALUES (1003, 1, 'passes')"));
    run(&mut writer, "COMMIT").unwrap();
    building.join().unwrap().unwrap();
    let refusal =
        database.run_simple_query("BEGIN; CREATE INDEX CONCURRENTLY books_again_idx ON books (title);").unwrap_err();
    assert_eq!(refusal.code, "25001");
}

#[test]
fn proves_index_not_concurrent_on_a_materialized_view() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    database.run_script("CREATE MATERIALIZED VIEW shelf AS SELECT author_id FROM books").unwrap();
    let mut builder = open(&database, "CREATE INDEX ON shelf (author_id)");
    let mut other = impatient(&database);
    assert!(waits(&mut other, "REFRESH MATERIALIZED VIEW shelf"));
    assert!(!waits(&mut other, "SELECT count(*) FROM shelf"));
    run(&mut builder, "ROLLBACK").unwrap();
}

const ADD_KEY: &str =
    "ALTER TABLE books ADD CONSTRAINT books_author_fk FOREIGN KEY (author_id) REFERENCES authors (id)";

/// Scans of both tables by the open transaction of this session.
pub fn scans(client: &mut Client) -> i64 {
    let query = "SELECT sum(seq_scan + coalesce(idx_scan, 0))::bigint FROM pg_stat_xact_user_tables WHERE relname IN ('books', 'authors')";
    client.query_one(query, &[]).expect("a query").get(0)
}

#[test]
fn proves_fk_validated_on_add() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    let mut other = impatient(&database);
    let mut validated = open(&database, ADD_KEY);
    assert!(scans(&mut validated) > 0);
    for write in [
        "INSERT INTO books VALUES (1001, 1, 'waits')",
        "INSERT INTO authors VALUES (1001)",
        "DELETE FROM authors WHERE id = 1002",
    ] {
        assert!(waits(&mut other, write), "{write}");
    }
    assert!(!waits(&mut other, "SELECT count(*) FROM books JOIN authors ON authors.id = books.author_id"));
    run(&mut validated, "ROLLBACK").unwrap();

    // NOT VALID takes the same locks and reads nothing; VALIDATE reads, and lets writes of both tables pass.
    let mut unvalidated = open(&database, &format!("{ADD_KEY} NOT VALID"));
    assert_eq!(scans(&mut unvalidated), 0);
    assert!(waits(&mut other, "INSERT INTO authors VALUES (1001)"));
    run(&mut unvalidated, "COMMIT").unwrap();
    let mut validating = open(&database, "ALTER TABLE books VALIDATE CONSTRAINT books_author_fk");
    assert!(scans(&mut validating) > 0);
    assert!(!waits(&mut other, "INSERT INTO authors VALUES (1001)"));
    assert!(!waits(&mut other, "INSERT INTO books VALUES (1001, 1, 'passes')"));
    run(&mut validating, "COMMIT").unwrap();

    // Written into ADD COLUMN nothing is read, whatever stands beside it; as an action or a statement of its own all rows
    // are, though all are NULL there.
    let with = "ALTER TABLE books ADD COLUMN editor_id bigint CONSTRAINT books_editor_fk REFERENCES authors (id)";
    for with in [with, &format!("{with}, ADD COLUMN pages integer DEFAULT 1")] {
        let mut with_column = open(&database, with);
        assert_eq!(scans(&mut with_column), 0, "{with}");
        run(&mut with_column, "ROLLBACK").unwrap();
    }
    for apart in [
        "ALTER TABLE books ADD COLUMN editor_id bigint, ADD FOREIGN KEY (editor_id) REFERENCES authors (id)",
        "ALTER TABLE books ADD COLUMN editor_id bigint; ALTER TABLE books ADD FOREIGN KEY (editor_id) REFERENCES authors (id)",
    ] {
        let mut apart_from_it = open(&database, apart);
        assert!(scans(&mut apart_from_it) > 0, "{apart}");
        run(&mut apart_from_it, "ROLLBACK").unwrap();
    }
}

#[test]
fn proves_fk_validated_on_add_reads_nothing_where_partitions_have_it() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let tree = "
        CREATE TABLE authors (id bigint PRIMARY KEY);
        CREATE TABLE books (id bigint, author_id bigint, k int) PARTITION BY LIST (k);
        CREATE TABLE books_1 PARTITION OF books FOR VALUES IN (1);
        INSERT INTO authors VALUES (1);
        INSERT INTO books VALUES (1, 1, 1);
        ALTER TABLE books_1 ADD CONSTRAINT books_author_fk FOREIGN KEY (author_id) REFERENCES authors (id);";
    database.run_script(tree).unwrap();
    let mut adopting = open(&database, ADD_KEY);
    let query = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_xact_user_tables WHERE relname LIKE 'books%'";
    assert_eq!(adopting.query_one(query, &[]).unwrap().get::<_, i64>(0), 0);
    // But for its short time even the referenced table's readers wait.
    assert!(waits(&mut impatient(&database), "SELECT count(*) FROM authors"));
    run(&mut adopting, "ROLLBACK").unwrap();
}

#[test]
fn proves_lock_timeout_missing() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    let mut reader = open(&database, "SELECT count(*) FROM books");
    let altering = waiting(&database, "ALTER TABLE books ADD COLUMN pages integer");
    let mut later = impatient(&database);
    assert!(waits(&mut later, "SELECT count(*) FROM books"), "a later reader waits behind the waiting ALTER TABLE");
    run(&mut reader, "COMMIT").unwrap();
    altering.join().unwrap().unwrap();

    let mut reader = open(&database, "SELECT count(*) FROM books");
    assert!(waits(&mut impatient(&database), "ALTER TABLE books ADD COLUMN isbn text"), "a timeout ends the wait");
    assert!(!waits(&mut later, "SELECT count(*) FROM books"), "and nobody queues behind it");
    run(&mut reader, "COMMIT").unwrap();
}

#[test]
fn proves_lock_timeout_missing_where_the_setting_does_not_last() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let mut client = database.client();
    let mut timeout = |script: &str| -> String {
        run_script(&mut client, script).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        client.query_one("SHOW lock_timeout", &[]).expect("a setting").get(0)
    };
    assert_eq!(timeout("SET LOCAL lock_timeout = '3s'"), "0", "outside a transaction it only warns");
    assert_eq!(timeout("BEGIN; SET LOCAL lock_timeout = '3s'"), "3s");
    assert_eq!(timeout("COMMIT"), "0");
    assert_eq!(timeout("BEGIN; SET lock_timeout = '3s'; ROLLBACK"), "0");
    assert_eq!(timeout("BEGIN; SET lock_timeout = '3s'; COMMIT"), "3s");
    assert_eq!(timeout("RESET lock_timeout"), "0");
    assert_eq!(timeout("SELECT set_config('lock_timeout', '3s', false)"), "3s");
    let fresh: String = database.client().query_one("SHOW lock_timeout", &[]).unwrap().get(0);
    assert_eq!(fresh, "0", "another session knows nothing of it");
}

const SHELF: &str = "
CREATE TABLE shelves (id bigint PRIMARY KEY);
CREATE TABLE authors (id bigint PRIMARY KEY);
CREATE TABLE books (id bigint PRIMARY KEY, author_id bigint CONSTRAINT books_author_fk REFERENCES authors, shelf_id bigint REFERENCES shelves);
INSERT INTO shelves VALUES (1);
INSERT INTO authors VALUES (1);
INSERT INTO books VALUES (1, 1, 1);";

#[test]
fn proves_drop_fk_locks_both() {
    let Some(server) = Server::get() else { return };
    for drop in ["ALTER TABLE books DROP CONSTRAINT books_author_fk", "ALTER TABLE books DROP COLUMN author_id"] {
        let database = server.database();
        database.run_script(SHELF).unwrap();
        let mut migration = open(&database, drop);
        let mut other = impatient(&database);
        assert!(waits(&mut other, "SELECT * FROM authors"), "{drop}");
        assert!(!waits(&mut other, "SELECT * FROM shelves"), "{drop}");
        run(&mut migration, "ROLLBACK").unwrap();
    }
}

#[test]
fn proves_drop_table_locks_referenced() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SHELF).unwrap();
    let mut migration = open(&database, "DROP TABLE books");
    let mut other = impatient(&database);
    assert!(waits(&mut other, "SELECT * FROM authors") && waits(&mut other, "SELECT * FROM shelves"));
    run(&mut migration, "ROLLBACK").unwrap();
    // Without the keys the drop concerns nobody.
    database.run_script("ALTER TABLE books DROP COLUMN author_id; ALTER TABLE books DROP COLUMN shelf_id;").unwrap();
    let mut migration = open(&database, "DROP TABLE books");
    assert!(!waits(&mut other, "SELECT * FROM authors") && !waits(&mut other, "SELECT * FROM shelves"));
    run(&mut migration, "ROLLBACK").unwrap();
}

#[test]
fn proves_trigger_change_blocks() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SHELF).unwrap();
    let made = "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;";
    database.run_script(made).unwrap();
    let create = "CREATE TRIGGER noted BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION noted()";
    let mut migration = open(&database, create);
    let mut other = impatient(&database);
    assert!(waits(&mut other, "INSERT INTO books VALUES (2, 1, 1)"));
    assert!(!waits(&mut other, "SELECT * FROM books"));
    run(&mut migration, "COMMIT").unwrap();
    for change in ["DROP TRIGGER noted ON books", "ALTER TRIGGER noted ON books RENAME TO told"] {
        let mut migration = open(&database, change);
        assert!(waits(&mut other, "SELECT * FROM books"), "{change}");
        run(&mut migration, "ROLLBACK").unwrap();
    }
    let mut migration = open(&database, &made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"));
    assert!(!waits(&mut other, "INSERT INTO books VALUES (3, 1, 1)"));
    run(&mut migration, "ROLLBACK").unwrap();
}

#[test]
fn proves_lock_order_inversion() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SHELF).unwrap();
    let mut migration = open(&database, "ALTER TABLE authors ADD COLUMN note text");
    let inserting = waiting(&database, "INSERT INTO books VALUES (2, 1, 1)");
    let altered = run(&mut migration, "ALTER TABLE books ADD COLUMN note text").map_err(|refusal| refusal.code);
    run(&mut migration, "ROLLBACK").unwrap();
    let codes = [altered.err(), inserting.join().unwrap().err()];
    assert!(codes.contains(&Some("40P01".to_owned())), "one of the two is killed: {codes:?}");

    // One LOCK takes its tables one after the other: the referencing one first, and it holds nothing that others want.
    let insert = "INSERT INTO books VALUES (4, 1, 1)";
    let mut writing = open(&database, "LOCK TABLE books IN ROW EXCLUSIVE MODE");
    let locking = waiting(&database, "DO $$ BEGIN LOCK TABLE books, authors, shelves IN ACCESS EXCLUSIVE MODE; END $$");
    run(&mut writing, insert).unwrap();
    run(&mut writing, "COMMIT").unwrap();
    locking.join().unwrap().unwrap();
    // Two of them, and the second waits with what the first has.
    let mut writing = open(&database, "LOCK TABLE books IN ROW EXCLUSIVE MODE");
    let two = "DO $$ BEGIN LOCK TABLE authors, shelves IN ACCESS EXCLUSIVE MODE; \
               LOCK TABLE books, authors IN ACCESS EXCLUSIVE MODE; END $$";
    let locking = waiting(&database, two);
    let inserted = run(&mut writing, &insert.replace('4', "5")).map_err(|refusal| refusal.code);
    run(&mut writing, "ROLLBACK").unwrap();
    let codes = [inserted.err(), locking.join().unwrap().err()];
    assert!(codes.contains(&Some("40P01".to_owned())), "one of the two is killed: {codes:?}");

    // In the order in which the INSERT takes them, it waits and passes.
    let mut migration = open(&database, "ALTER TABLE books ADD COLUMN note text");
    let inserting = waiting(&database, "INSERT INTO books (id, author_id) VALUES (3, 1)");
    run(&mut migration, "ALTER TABLE authors ADD COLUMN note text").unwrap();
    run(&mut migration, "COMMIT").unwrap();
    inserting.join().unwrap().unwrap();
}

#[test]
fn proves_lock_retries_misused() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SHELF).unwrap();
    let tries = "DO $$ BEGIN FOR i IN 1..3 LOOP BEGIN ALTER TABLE books ADD COLUMN note text; EXIT; \
                 EXCEPTION WHEN lock_not_available THEN NULL; END; END LOOP; END $$";
    // Without a lock_timeout the first try waits on, and others behind it.
    let mut reader = open(&database, "SELECT * FROM books");
    let trying = waiting(&database, tries);
    std::thread::sleep(Duration::from_millis(400));
    assert!(!trying.is_finished());
    let mut other = impatient(&database);
    assert!(waits(&mut other, "SELECT * FROM books"));
    run(&mut reader, "COMMIT").unwrap();
    trying.join().unwrap().unwrap();

    // SET LOCAL in the block holds for it, outside of a transaction, too.
    let mut reader = open(&database, "SELECT * FROM books");
    let limited = "DO $$ BEGIN SET LOCAL lock_timeout = '50ms'; ALTER TABLE books ADD COLUMN less text; END $$";
    assert_eq!(run(&mut database.client(), limited).map_err(|refusal| refusal.code), Err("55P03".to_owned()));
    run(&mut reader, "COMMIT").unwrap();

    // With one, the tries end; what was locked before them stays locked, what they locked does not.
    let mut reader = open(&database, "SELECT * FROM books");
    let mut migration = open(&database, "SET LOCAL lock_timeout = '50ms'; ALTER TABLE authors ADD COLUMN note text");
    run(&mut migration, &tries.replace("note", "more")).unwrap();
    assert!(waits(&mut other, "SELECT * FROM authors"));
    assert!(!waits(&mut other, "SELECT * FROM books"));
    run(&mut migration, "ROLLBACK").unwrap();
    run(&mut reader, "COMMIT").unwrap();
}

#[test]
fn proves_partition_lock_fan_out() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let parts: String = (0..12)
        .map(|at| format!("CREATE TABLE events_{at} PARTITION OF events FOR VALUES WITH (MODULUS 12, REMAINDER {at});"))
        .collect();
    let made = "CREATE TABLE sources (id bigint PRIMARY KEY);
        CREATE TABLE events (id bigint NOT NULL, source_id bigint) PARTITION BY HASH (id);";
    database.run_script(&format!("{made}{parts}")).unwrap();
    let held = |mode: &str| {
        let asked = format!(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
             WHERE l.mode = '{mode}' AND (c.relname = 'events' OR c.relname LIKE 'events\\_%' OR c.relname = 'sources')
               AND c.relkind IN ('r', 'p')"
        );
        database.client().query_one(&asked, &[]).expect("a query").get::<_, i64>(0)
    };
    let mut migration = open(&database, "ALTER TABLE events ADD COLUMN note text");
    assert_eq!(held("AccessExclusiveLock"), 13);
    run(&mut migration, "ROLLBACK").unwrap();
    let mut migration = open(&database, "ALTER TABLE events ADD FOREIGN KEY (source_id) REFERENCES sources (id)");
    assert_eq!(held("ShareRowExclusiveLock"), 14, "the other side of the key, too");
    run(&mut migration, "ROLLBACK").unwrap();
}

#[test]
fn proves_needless_non_transactional() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SHELF).unwrap();
    let has_note = || {
        let asked =
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'books' AND column_name = 'note'";
        database.client().query_one(asked, &[]).expect("a query").get::<_, i64>(0) == 1
    };
    let both = "ALTER TABLE books ADD COLUMN note text; ALTER TABLE books ADD COLUMN title nowhere";
    let mut migration = database.client();
    assert!(run_script(&mut migration, &format!("BEGIN; {both}; COMMIT")).is_err());
    run(&mut migration, "ROLLBACK").unwrap();
    assert!(!has_note(), "all or nothing");
    for statement in both.split("; ") {
        _ = run(&mut migration, statement);
    }
    assert!(has_note(), "the first stays");
}

#[test]
fn proves_default_change_partial_inserts() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script("CREATE TABLE orders (id bigint, state text NOT NULL DEFAULT 'open')").unwrap();
    let insert = "INSERT INTO orders (id) VALUES (1)";
    database
        .run_script(&format!("{insert}; ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'draft'; {insert}"))
        .unwrap();
    let asked = "SELECT string_agg(state, ' ' ORDER BY state) FROM orders";
    assert_eq!(database.client().query_one(asked, &[]).expect("a query").get::<_, String>(0), "draft open");
}
