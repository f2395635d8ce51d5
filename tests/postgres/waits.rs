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
