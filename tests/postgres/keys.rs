//! What the rules on foreign keys of partitions and of copies say.

use crate::server::{Database, Server, run};

const TREES: &str = "
CREATE TABLE depots (id bigint NOT NULL, k int NOT NULL, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE depots_1 PARTITION OF depots FOR VALUES IN (1);
CREATE TABLE parcels (id bigint NOT NULL, k int NOT NULL, depot_id bigint) PARTITION BY LIST (k);
CREATE TABLE parcels_1 PARTITION OF parcels FOR VALUES IN (1);
CREATE TABLE plain (id bigint, k int);";

fn key(table: &str, name: &str, target: &str, rest: &str) -> String {
    format!("ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (depot_id, k) REFERENCES {target} (id, k) {rest}")
}

fn trees(server: &Server) -> Database {
    let database = server.database();
    database.run_script(TREES).expect("two partition trees");
    database
}

/// The keys of the partition, by name, with whether they hang on the parent's. A key to a partitioned table
/// has a row for each of its partitions too, under the same table: those are not keys of their own.
fn keys_of_partition(database: &Database) -> Vec<String> {
    database.strings(
        "SELECT key.conname || CASE WHEN key.conparentid = 0 THEN ' own' ELSE ' inherited' END
         FROM pg_constraint AS key LEFT JOIN pg_constraint AS parent ON parent.oid = key.conparentid
         WHERE key.contype = 'f' AND key.conrelid = 'parcels_1'::regclass
           AND parent.conrelid IS DISTINCT FROM key.conrelid ORDER BY key.conname",
    )
}

/// The partition's keys after the parent's came, and after it went again.
fn with_parent(server: &Server, target: &str, rest: &str) -> (usize, Vec<String>) {
    let database = trees(server);
    database.run_script(&key("parcels_1", "own_fk", target, rest)).expect("the partition takes a key");
    database.run_script(&key("parcels", "parent_fk", "depots", "")).expect("the parent takes a key");
    let together = keys_of_partition(&database).len();
    database.run_script("ALTER TABLE parcels DROP CONSTRAINT parent_fk").expect("the parent's key can go");
    (together, keys_of_partition(&database))
}

#[test]
fn proves_partition_fk_survives_drop() {
    let Some(server) = Server::get() else { return };
    let gone: [&str; 0] = [];
    // Equal, valid, whatever its name: taken over by the parent's, gone with it.
    assert_eq!(with_parent(server, "depots", "").1, gone);
    for (target, rest) in [
        ("depots_1", ""),
        ("depots", "ON DELETE CASCADE"),
        ("depots", "ON UPDATE CASCADE"),
        ("depots", "DEFERRABLE INITIALLY DEFERRED"),
        ("depots", "DEFERRABLE"),
    ] {
        assert_eq!(with_parent(server, target, rest).1, ["own_fk own"], "{target} {rest}");
    }
    let unvalidated = with_parent(server, "depots", "NOT VALID").1;
    if server.major() >= 18 {
        assert_eq!(unvalidated, gone);
    } else {
        assert_eq!(unvalidated, ["own_fk own"]);
    }
}

#[test]
fn proves_partition_fk_survives_drop_where_the_parent_never_had_one() {
    let Some(server) = Server::get() else { return };
    let database = trees(server);
    database.run_script(&key("parcels_1", "depot_fk", "depots", "NOT VALID")).unwrap();
    database.run_script("ALTER TABLE parcels DROP CONSTRAINT IF EXISTS depot_fk").unwrap();
    assert_eq!(keys_of_partition(&database), ["depot_fk own"]);
    assert_eq!(database.run_script("INSERT INTO parcels VALUES (1, 1, 99)").unwrap_err().constraint, "depot_fk");
    assert_eq!(database.run_script("ALTER TABLE parcels DROP CONSTRAINT depot_fk").unwrap_err().code, "42704");
}

#[test]
fn proves_partition_fk_survives_drop_not_with_only() {
    let Some(server) = Server::get() else { return };
    let database = trees(server);
    database.run_script(&key("parcels", "depot_fk", "depots", "")).unwrap();
    assert_eq!(database.run_script("ALTER TABLE parcels_1 DROP CONSTRAINT depot_fk").unwrap_err().code, "42P16");
    database.run_script("ALTER TABLE ONLY parcels DROP CONSTRAINT depot_fk").unwrap();
    assert_eq!(keys_of_partition(&database), [""; 0], "ONLY or not, what hangs on the parent's key goes with it");
}

#[test]
fn proves_partition_fk_cannot_merge() {
    let Some(server) = Server::get() else { return };
    assert_eq!(with_parent(server, "depots", "").0, 1);
    for (target, rest) in [("depots_1", ""), ("depots", "ON DELETE CASCADE"), ("depots", "DEFERRABLE")] {
        assert_eq!(with_parent(server, target, rest).0, 2, "{target} {rest}");
    }
}

#[test]
fn proves_parent_fk_over_unvalidated() {
    let Some(server) = Server::get() else { return };
    let merges = if server.major() >= 18 { 1 } else { 2 };
    assert_eq!(with_parent(server, "depots", "NOT VALID").0, merges);
    // The parent's key reads the partition, and ends where a row has no partner.
    let database = trees(server);
    database.run_script("INSERT INTO parcels VALUES (1, 1, 99)").unwrap();
    database.run_script(&key("parcels_1", "own_fk", "depots", "NOT VALID")).unwrap();
    assert_eq!(database.run_script(&key("parcels", "parent_fk", "depots", "")).unwrap_err().code, "23503");
    assert_eq!(keys_of_partition(&database), ["own_fk own"]);
}

#[test]
fn proves_not_valid_fk_on_partitioned() {
    let Some(server) = Server::get() else { return };
    let database = trees(server);
    let outcome = database.run_script(&key("parcels", "parent_fk", "depots", "NOT VALID"));
    if server.major() >= 18 {
        outcome.unwrap();
        assert_eq!(database.run_script("INSERT INTO parcels VALUES (1, 1, 99)").unwrap_err().code, "23503");
    } else {
        assert_eq!(outcome.unwrap_err().code, "42809");
    }
    // The referenced side may be partitioned.
    database.run_script("ALTER TABLE plain ADD FOREIGN KEY (id, k) REFERENCES depots (id, k) NOT VALID").unwrap();
}

const COPIES: &str = "
CREATE TABLE runners (id bigint PRIMARY KEY, name text);
CREATE TABLE machines (id bigint PRIMARY KEY, runner_id bigint, name text);
INSERT INTO runners VALUES (1, 'old');
INSERT INTO machines VALUES (1, 1, 'old');
CREATE TABLE runners_copy (id bigint PRIMARY KEY, name text);
CREATE TABLE machines_copy (id bigint PRIMARY KEY, runner_id bigint, name text);
CREATE FUNCTION copy_machine() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO machines_copy VALUES (NEW.id, NEW.runner_id, NEW.name)
    ON CONFLICT (id) DO UPDATE SET runner_id = excluded.runner_id, name = excluded.name;
    RETURN NULL;
END $$;
CREATE TRIGGER copy_machine AFTER INSERT OR UPDATE ON machines FOR EACH ROW EXECUTE FUNCTION copy_machine();";

#[test]
fn proves_fk_before_backfill() {
    let Some(server) = Server::get() else { return };
    for kind in ["", "NOT VALID", "NOT VALID DEFERRABLE INITIALLY DEFERRED"] {
        let database = server.database();
        database.run_script(COPIES).unwrap();
        let key = format!(
            "ALTER TABLE machines_copy ADD CONSTRAINT copy_fk FOREIGN KEY (runner_id) REFERENCES runners_copy (id) {kind}"
        );
        database.run_script(&key).expect("the empty copy takes any key");
        let refusal = database.run_script("INSERT INTO machines VALUES (2, 1, 'new')").unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.table.as_str(), refusal.constraint.as_str()),
            ("23503", "machines_copy", "copy_fk")
        );
        // A deferred key is checked at COMMIT, where nothing tells of the trigger any more.
        assert_eq!(refusal.context.contains("copy_machine()"), !kind.contains("DEFERRED"), "{refusal:?}");
        // Through the upsert even a row that only gets a new name is copied, and refused.
        assert_eq!(database.run_script("UPDATE machines SET name = 'touched' WHERE id = 1").unwrap_err().code, "23503");
        database.run_script("INSERT INTO runners_copy SELECT * FROM runners").unwrap();
        database.run_script("INSERT INTO machines VALUES (2, 1, 'new')").unwrap();
    }
}

#[test]
fn proves_copy_stricter_than_source() {
    let Some(server) = Server::get() else { return };
    for (constraint, code) in [
        ("ALTER TABLE machines_copy ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID", "23514"),
        ("ALTER TABLE machines_copy ALTER COLUMN name SET NOT NULL", "23502"),
        ("ALTER TABLE machines_copy ADD CONSTRAINT once UNIQUE (runner_id)", "23505"),
        ("ALTER TABLE machines_copy ADD EXCLUDE (runner_id WITH =)", "23P01"),
        ("ALTER TABLE machines_copy ALTER COLUMN runner_id TYPE smallint", "22003"),
        ("ALTER TABLE machines_copy ALTER COLUMN name TYPE varchar(3)", "22001"),
        ("ALTER TABLE machines_copy ADD FOREIGN KEY (runner_id) REFERENCES runners (id) NOT VALID", "23503"),
    ] {
        let database = server.database();
        database.run_script(COPIES).unwrap();
        let mut client = database.client();
        run(&mut client, "INSERT INTO machines VALUES (2, 70, 'two')").unwrap();
        run(&mut client, constraint).unwrap();
        let write = match code {
            "23514" | "23502" => "INSERT INTO machines VALUES (3, 1, NULL)",
            "23505" | "23P01" => "INSERT INTO machines VALUES (3, 70, 'tri')",
            "22003" => "INSERT INTO machines VALUES (3, 70000, 'tri')",
            "22001" => "INSERT INTO machines VALUES (3, 1, 'three')",
            _ => "INSERT INTO machines VALUES (3, 70, 'tri')",
        };
        let refusal = run(&mut client, write).unwrap_err();
        assert_eq!(refusal.code, code, "{constraint}: {refusal:?}");
        assert!(refusal.context.contains("PL/pgSQL function copy_machine() line"), "{constraint}: {refusal:?}");
        assert_eq!(database.strings("SELECT id::text FROM machines ORDER BY id"), ["1", "2"]);
    }
}

#[test]
fn proves_copy_stricter_than_source_guarded_by_a_not_valid_check() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(COPIES).unwrap();
    // NOT VALID on the source guards every new write, so the copy's constraint is never the one that fails.
    database.run_script("ALTER TABLE machines ADD CONSTRAINT source CHECK (name IS NOT NULL) NOT VALID").unwrap();
    database.run_script("ALTER TABLE machines_copy ADD CONSTRAINT copy CHECK (name IS NOT NULL)").unwrap();
    assert_eq!(database.run_script("INSERT INTO machines VALUES (3, 1, NULL)").unwrap_err().constraint, "source");
}

/// What is advised where a key comes back under its old name: the new index is built beside it, and one statement swaps
/// them. The name that is still taken is refused.
fn swaps_in_place(table: &str, swap: [&str; 3], wanted: &str) {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database.run_script(table).expect("the table with its old key");
    let [taken, build, replace] = swap;
    assert_eq!(database.run_script(taken).expect_err("the old key has the name").code, "42P07");
    database.run_script(build).expect("the index is built beside the key");
    database.run_script(replace).expect("one statement swaps them");
    let keys =
        "SELECT conname || ' ' || pg_get_constraintdef(con.oid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
        FROM pg_constraint AS con JOIN pg_index ON indexrelid = conindid
        WHERE conrelid = 'orders'::regclass AND contype IN ('p', 'u') ORDER BY 1";
    assert_eq!(database.strings(keys), [wanted]);
    let names = "SELECT count(*)::text FROM pg_class WHERE relname LIKE '%\\_new'";
    assert_eq!(database.strings(names), ["0"], "the index takes the key's name");
}

#[test]
fn proves_unique_builds_index_under_the_name_of_the_old_key() {
    swaps_in_place(
        "CREATE TABLE orders (shop int, number int, year int, CONSTRAINT orders_number_key UNIQUE (shop, number));
         INSERT INTO orders VALUES (1, 1, 2024);",
        [
            "CREATE UNIQUE INDEX CONCURRENTLY orders_number_key ON orders (shop, number, year)",
            "CREATE UNIQUE INDEX CONCURRENTLY orders_number_key_new ON orders (shop, number, year)",
            "ALTER TABLE orders DROP CONSTRAINT orders_number_key,
             ADD CONSTRAINT orders_number_key UNIQUE USING INDEX orders_number_key_new",
        ],
        "orders_number_key UNIQUE (shop, number, year)",
    );
}

#[test]
fn proves_primary_key_builds_index_under_the_name_of_the_old_key() {
    swaps_in_place(
        "CREATE TABLE orders (id int PRIMARY KEY, number int NOT NULL); INSERT INTO orders VALUES (1, 1);",
        [
            "CREATE UNIQUE INDEX CONCURRENTLY orders_pkey ON orders (number)",
            "CREATE UNIQUE INDEX CONCURRENTLY orders_pkey_new ON orders (number)",
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD CONSTRAINT orders_pkey PRIMARY KEY USING INDEX orders_pkey_new",
        ],
        "orders_pkey PRIMARY KEY (number)",
    );
}

/// What `rollback-not-inverse` says of a key that goes again, and `missing-object` of the name of one over two columns.
#[test]
fn proves_rollback_not_inverse_of_keys() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    database
        .run_script(
            "CREATE TABLE codes (code text, part int);
             ALTER TABLE codes ADD PRIMARY KEY (code);
             ALTER TABLE codes DROP CONSTRAINT codes_pkey;
             CREATE TABLE hosts (name text, part int, PRIMARY KEY (name, part));
             ALTER TABLE codes ADD FOREIGN KEY (code, part) REFERENCES hosts (name, part);",
        )
        .expect("keys come and go");
    let column = "SELECT attnotnull::text FROM pg_attribute WHERE attrelid = 'codes'::regclass AND attname = 'code'";
    assert_eq!(database.strings(column), ["true"], "the NOT NULL of the key stays");
    let name = "SELECT conname FROM pg_constraint WHERE conrelid = 'codes'::regclass AND contype = 'f'";
    let made = if server.major() >= 12 { "codes_code_part_fkey" } else { "codes_code_fkey" };
    assert_eq!(database.strings(name), [made]);
}
