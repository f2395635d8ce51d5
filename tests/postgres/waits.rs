//! What the rules on longer work say: who waits for a transaction that has taken its locks, and what it reads.

use crate::locks::{BOOKS, impatient, open, waiting, waits};
use crate::server::{Server, run};

#[test]
fn proves_lock_held_while_scanning() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    let mut other = impatient(&database);
    // The lock of the first statement is held over the second, on whatever table that works.
    for work in ["UPDATE books SET title = 'x'", "CREATE TABLE copies AS SELECT * FROM authors"] {
        let mut held = open(&database, &format!("ALTER TABLE books ADD COLUMN note text; {work}"));
        assert!(waits(&mut other, "SELECT count(*) FROM books"), "{work}");
        run(&mut held, "ROLLBACK").unwrap();
        let mut alone = open(&database, work);
        assert!(!waits(&mut other, "SELECT count(*) FROM books"), "{work}");
        run(&mut alone, "ROLLBACK").unwrap();
    }
}

#[test]
fn proves_many_tables_locked() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    // While the second table is waited for, nobody reads the first, which is done with.
    let mut reader = open(&database, "SELECT count(*) FROM books");
    let both = "DO $$ BEGIN ALTER TABLE authors ADD COLUMN n int; ALTER TABLE books ADD COLUMN n int; END $$";
    let migration = waiting(&database, both);
    let mut other = impatient(&database);
    assert!(waits(&mut other, "SELECT count(*) FROM authors"));
    run(&mut reader, "COMMIT").unwrap();
    migration.join().unwrap().unwrap();
}

#[test]
fn proves_matview_refresh_blocks() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(BOOKS).unwrap();
    let views = "CREATE MATERIALIZED VIEW shelf AS SELECT DISTINCT author_id FROM books;
        CREATE MATERIALIZED VIEW never AS SELECT DISTINCT author_id FROM books WITH NO DATA;
        CREATE UNIQUE INDEX ON never (author_id);";
    database.run_script(views).unwrap();
    let mut other = impatient(&database);
    let mut plain = open(&database, "REFRESH MATERIALIZED VIEW shelf");
    assert!(waits(&mut other, "SELECT count(*) FROM shelf"));
    run(&mut plain, "ROLLBACK").unwrap();
    // CONCURRENTLY asks for a unique index over plain columns, and for rows.
    let concurrently = "REFRESH MATERIALIZED VIEW CONCURRENTLY";
    assert_eq!(run(&mut other, &format!("{concurrently} shelf")).unwrap_err().code, "55000");
    run(&mut other, "CREATE UNIQUE INDEX ON shelf (author_id) WHERE author_id > 0").unwrap();
    assert_eq!(run(&mut other, &format!("{concurrently} shelf")).unwrap_err().code, "55000");
    assert_eq!(run(&mut other, &format!("{concurrently} never")).unwrap_err().code, "0A000");
    run(&mut other, "CREATE UNIQUE INDEX ON shelf (author_id)").unwrap();
    let mut gentle = open(&database, &format!("{concurrently} shelf"));
    assert!(!waits(&mut other, "SELECT count(*) FROM shelf"));
    run(&mut gentle, "ROLLBACK").unwrap();
}

#[test]
fn proves_type_change_rewrite_reads_for_checks_that_stay() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let table = "CREATE TABLE bills (status varchar(20) CONSTRAINT filled CHECK (status <> ''));
        INSERT INTO bills SELECT 'sent' FROM generate_series(1, 100);";
    database.run_script(table).unwrap();
    let scans = |statement: &str| {
        let mut session = open(&database, statement);
        let query = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'bills'";
        let count: i64 = session.query_one(query, &[]).unwrap().get(0);
        run(&mut session, "ROLLBACK").unwrap();
        count
    };
    let change = "ALTER COLUMN status TYPE varchar(40)";
    assert_eq!(scans(&format!("ALTER TABLE bills {change}")), 1);
    let again = "DROP CONSTRAINT filled, ADD CONSTRAINT filled CHECK (status <> '') NOT VALID";
    assert_eq!(scans(&format!("ALTER TABLE bills {again}, {change}")), 0);
}

#[test]
fn proves_truncate_of_rows_that_are_put_back() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script("CREATE TABLE gifts (id int); INSERT INTO gifts VALUES (1);").unwrap();
    let mut other = impatient(&database);
    // The copy alone keeps nobody away: what comes after it is in neither place.
    let mut moving = open(&database, "CREATE TEMPORARY TABLE before_it AS TABLE gifts");
    run(&mut other, "INSERT INTO gifts VALUES (2)").unwrap();
    run(&mut moving, "TRUNCATE gifts").unwrap();
    run(&mut moving, "INSERT INTO gifts SELECT * FROM before_it").unwrap();
    run(&mut moving, "COMMIT").unwrap();
    let left = "SELECT id::text FROM gifts ORDER BY id";
    assert_eq!(database.strings(left), ["1"], "the second is lost");
    // Locked first, others wait.
    let mut moving =
        open(&database, "LOCK TABLE gifts IN ACCESS EXCLUSIVE MODE; CREATE TEMPORARY TABLE b AS TABLE gifts");
    assert!(waits(&mut other, "INSERT INTO gifts VALUES (2)"));
    run(&mut moving, "ROLLBACK").unwrap();
}

#[test]
fn proves_fk_without_index_where_its_index_leaves_rows_out() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let tables = "CREATE TABLE pages (id int PRIMARY KEY);
        CREATE TABLE links (page_id int REFERENCES pages ON DELETE CASCADE, hidden boolean);
        INSERT INTO pages SELECT generate_series(1, 2000); INSERT INTO links SELECT id FROM pages;";
    database.run_script(tables).unwrap();
    let scans = |index: &str| {
        let mut session = open(&database, index);
        run(&mut session, "ANALYZE links").unwrap();
        run(&mut session, "DELETE FROM pages WHERE id = 7").unwrap();
        let query = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'links'";
        let count: i64 = session.query_one(query, &[]).unwrap().get(0);
        run(&mut session, "ROLLBACK").unwrap();
        count
    };
    // Building the index reads the table once.
    assert_eq!(scans("CREATE INDEX ON links (page_id) WHERE hidden IS NULL"), 2);
    assert_eq!(scans("CREATE INDEX ON links (page_id) WHERE page_id IS NOT NULL"), 1);
    assert_eq!(scans("CREATE INDEX ON links (page_id)"), 1);
}

#[test]
fn proves_lock_order_inversion_where_a_trigger_writes_the_other_way() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    // The trigger stands still until the migration has the first of its locks.
    let tables = "CREATE TABLE events (id int PRIMARY KEY);
        CREATE TABLE attempts (event_id int REFERENCES events);
        CREATE FUNCTION dispatch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(1);
            INSERT INTO attempts VALUES (NEW.id);
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER dispatch AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION dispatch();";
    database.run_script(tables).unwrap();
    let mut gate = open(&database, "SELECT pg_advisory_xact_lock(1)");
    let insert = waiting(&database, "INSERT INTO events VALUES (1)");
    let migration = waiting(&database, "DO $$ BEGIN LOCK TABLE attempts, events IN ACCESS EXCLUSIVE MODE; END $$");
    run(&mut gate, "COMMIT").unwrap();
    let ends = [insert.join().unwrap(), migration.join().unwrap()];
    assert!(ends.contains(&Err("40P01".to_owned())), "referencing tables first meets the trigger: {ends:?}");
}

#[test]
fn proves_lock_order_inversion_spares_rows_made_along_with_the_one_they_refer_to() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let tables = "CREATE TABLE customers (id int PRIMARY KEY);
        CREATE TABLE settings (customer_id int NOT NULL UNIQUE REFERENCES customers);
        INSERT INTO customers VALUES (0);";
    database.run_script(tables).unwrap();
    let both = "DO $$ BEGIN ALTER TABLE customers ADD n int; ALTER TABLE settings ADD n int; END $$";
    // What an INSERT into `settings` alone takes first: the migration has `customers` by the time it looks there.
    let mut writer = open(&database, "LOCK TABLE settings IN ROW EXCLUSIVE MODE");
    let migration = waiting(&database, both);
    let insert = run(&mut writer, "INSERT INTO settings (customer_id) VALUES (0)").map_err(|refusal| refusal.code);
    run(&mut writer, "ROLLBACK").unwrap();
    let ends = [insert, migration.join().unwrap()];
    assert!(ends.contains(&Err("40P01".to_owned())), "{ends:?}");
    database
        .run_script("ALTER TABLE customers DROP COLUMN IF EXISTS n; ALTER TABLE settings DROP COLUMN IF EXISTS n;")
        .unwrap();
    // Whoever makes both has `customers` first, as the migration has: that waits until the writer is done.
    let mut writer = open(&database, "INSERT INTO customers VALUES (1)");
    let migration = waiting(&database, both);
    run(&mut writer, "INSERT INTO settings VALUES (1)").unwrap();
    run(&mut writer, "COMMIT").unwrap();
    migration.join().unwrap().unwrap();
}
