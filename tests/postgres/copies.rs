//! What the rules on copies say: whose writes wait, and which rows a backfill misses.

use crate::locks::{impatient, open, waiting, waits};
use crate::server::{Server, run};

const SYNCED: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, state text);
    CREATE TABLE lines (order_id bigint REFERENCES orders);
    CREATE TABLE copy (id bigint PRIMARY KEY, state text);
    INSERT INTO orders SELECT n, 'open' FROM generate_series(1, 3) AS n;
    CREATE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO copy VALUES (NEW.id, NEW.state);
        ELSIF TG_OP = 'UPDATE' THEN
            UPDATE copy SET state = NEW.state WHERE id = NEW.id;
        ELSE
            DELETE FROM copy WHERE id = OLD.id;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER sync AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION sync();";

const CHANGES: &str =
    "DO $$ BEGIN UPDATE orders SET state = 'paid' WHERE id = 1; DELETE FROM orders WHERE id = 2; END $$";

#[test]
fn proves_ddl_on_copy_blocks_source() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(SYNCED).unwrap();
    let mut other = impatient(&database);
    let mut held = open(&database, "CREATE INDEX ON copy (state)");
    assert!(waits(&mut other, "INSERT INTO orders VALUES (4, 'open')"));
    run(&mut held, "ROLLBACK").unwrap();
    assert!(!waits(&mut other, "INSERT INTO orders VALUES (4, 'open')"));
}

#[test]
fn proves_backfill_without_row_lock() {
    let Some(server) = Server::get() else { return };
    let left = |lock: &str| {
        let database = server.database();
        database.run_script(SYNCED).unwrap();
        let backfill = format!("INSERT INTO copy SELECT * FROM orders {lock} ON CONFLICT DO NOTHING");
        if lock.is_empty() || lock == "FOR KEY SHARE" {
            // The changes go on beside the backfill, and find nothing in the copy.
            let mut held = open(&database, &backfill);
            let mut other = impatient(&database);
            assert!(!waits(&mut other, "UPDATE orders SET state = 'paid' WHERE id = 1"));
            assert_eq!(waits(&mut other, "DELETE FROM orders WHERE id = 2"), lock == "FOR KEY SHARE");
            run(&mut held, "COMMIT").unwrap();
        } else {
            let mut held = open(&database, &backfill);
            let later = waiting(&database, CHANGES);
            run(&mut held, "COMMIT").unwrap();
            later.join().unwrap().unwrap();
        }
        database.strings("SELECT id::text || ' ' || state FROM copy ORDER BY id")
    };
    assert_eq!(left(""), ["1 open", "2 open", "3 open"]);
    assert_eq!(left("FOR KEY SHARE"), ["1 open", "2 open", "3 open"]);
    assert_eq!(left("FOR NO KEY UPDATE"), ["1 paid", "3 open"]);
    assert_eq!(left("FOR SHARE"), ["1 paid", "3 open"]);

    let database = server.database();
    database.run_script(SYNCED).unwrap();
    let mut other = impatient(&database);
    for (lock, waited) in [("FOR UPDATE", true), ("FOR NO KEY UPDATE", false)] {
        let mut held = open(&database, &format!("INSERT INTO copy SELECT * FROM orders {lock}"));
        assert_eq!(waits(&mut other, "INSERT INTO lines VALUES (1)"), waited, "{lock}");
        run(&mut held, "ROLLBACK").unwrap();
    }
}
