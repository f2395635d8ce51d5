//! The measured forms once more, on the server at hand: each runs in an open transaction, whose locks, rewrites and
//! scans the same session reads, and which is then rolled back.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::operation::LockMode;
use plimsoll::version::Major;
use postgres::Client;

use crate::measured::{Computed, Measured, Seen, compute, measured};
use crate::server::Server;

/// Forms that need what a test's server may not have, and those that hang on rows.
const LEFT_OUT: &[(&str, &str)] = &[
    ("lab2", "a second role would outlive the test"),
    ("lab_ts", "a tablespace is a folder of the server"),
    ("btree_gist", "the extension may not be installed"),
    ("btree_gin", "the extension may not be installed"),
];

/// Parts that hang on rows, as in tests/locks.rs.
const NOT_COMPARED: &[&str] = &[
    "addcol.notnull_nodefault_emptytable",
    "fk.add_empty_referencing",
    "dml.insert_partitioned",
    "dml.insert_with_fk_to_partitioned",
    "dml.copy_trigger_sync",
    "statistics.drop",
];

#[test]
fn the_server_locks_what_the_facts_say() {
    let Some(server) = Server::get() else { return };
    let major = Major(u8::try_from(server.major()).expect("the server answers"));
    let database = server.database();
    let mut client = database.client();
    let (mut compared, mut wrong) = (0, Vec::new());
    for row in measured().iter().filter(|row| is_run(row, major)) {
        let seen = run(&mut client, row);
        let computed = compute(row, major).unwrap_or_else(|reason| panic!("{}: {reason}", row.form));
        compared += 1;
        if !same(&seen, &computed) {
            wrong.push(format!("{}\n  server   {seen:?}\n  plimsoll {:?}", row.form, computed.seen));
        }
    }
    println!("{compared} forms compared on PostgreSQL {}", server.major());
    assert!(wrong.is_empty(), "{} of {compared} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 300, "{compared} forms");
}

fn is_run(row: &Measured, major: Major) -> bool {
    let needs = |word: &str| row.setup.contains(word) || row.sql.contains(word);
    row.majors.contains(&major)
        && row.state.is_empty()
        && row.in_transaction
        && !row.form.starts_with("tx.")
        && !NOT_COMPARED.contains(&row.form)
        && !LEFT_OUT.iter().any(|(word, _)| needs(word))
}

fn same(seen: &Seen, computed: &Computed) -> bool {
    let ours = &computed.seen;
    (&seen.locks, &seen.rewrites, &seen.scans) == (&ours.locks, &ours.rewrites, &ours.scans)
}

/// Ordinary relations by oid, with the file they live in; TOAST left out.
const RELATIONS: &str = "SELECT c.oid, CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, \
     c.relkind IN ('r', 'm'), pg_relation_filenode(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
     WHERE c.oid >= 16384 AND nspname NOT LIKE 'pg\\_%' AND relkind IN ('r', 'p', 'i', 'I', 'm', 'v', 'S', 'f')";

const LOCKS: &str = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted \
     AND locktype = 'relation' AND relation >= 16384";

const READ: &str = "SELECT relid, coalesce(seq_tup_read, 0) FROM pg_stat_xact_user_tables";

type Relations = BTreeMap<u32, (String, bool, Option<u32>)>;

fn run(client: &mut Client, row: &Measured) -> Seen {
    let said = |error: &postgres::Error| format!("{}: {error:?}", row.form);
    reset(client);
    client.batch_execute(&row.setup).unwrap_or_else(|error| panic!("{}", said(&error)));
    analyze(client);
    client.batch_execute(row.session).expect("the server answers");
    if row.form == "dml.update_partitioned_move" {
        // On 200 rows the planner would read the table although it has an index.
        client.batch_execute("SET enable_seqscan = off").expect("the server answers");
    }
    client.batch_execute("BEGIN").expect("the server answers");
    let before = relations(client);
    let read_before = read(client);
    client.batch_execute(row.sql).unwrap_or_else(|error| panic!("{}", said(&error)));
    let mut seen = Seen::default();
    for found in client.query(LOCKS, &[]).expect("the server answers") {
        let Some((name, ..)) = before.get(&found.get::<_, u32>(0)) else { continue };
        let mode = mode(found.get(1));
        let held = seen.locks.entry(name.clone()).or_insert(mode);
        *held = (*held).max(mode);
    }
    let after = relations(client);
    let moved = |(oid, (_, has_rows, file)): &(&u32, &(String, bool, Option<u32>))| {
        *has_rows && after.get(oid).is_some_and(|(_, _, now)| now != file)
    };
    seen.rewrites = before.iter().filter(moved).map(|(_, (name, ..))| name.clone()).collect();
    seen.scans = scans(&before, &read_before, &read(client));
    seen.scans.retain(|table| !seen.rewrites.contains(table));
    client.batch_execute("ROLLBACK").expect("the server answers");
    seen
}

fn reset(client: &mut Client) {
    let drops = client
        .query(
            "SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication UNION ALL SELECT \
                format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger UNION ALL SELECT \
                format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE nspname IN ('s2', 's3', 's4')",
            &[],
        )
        .expect("the server answers");
    let drops: Vec<String> = drops.iter().map(|row| row.get(0)).collect();
    client.batch_execute(&drops.join("; ")).expect("the server answers");
    client
        .batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; RESET ALL; SET synchronous_commit = off")
        .expect("the server answers");
}

/// Only what the form made: the catalogs would take longest.
fn analyze(client: &mut Client) {
    let tables = relations(client).into_values().filter(|(_, has_rows, _)| *has_rows).map(|(name, ..)| name);
    let tables: Vec<String> = tables.collect();
    if !tables.is_empty() {
        client.batch_execute(&format!("ANALYZE {}", tables.join(", "))).expect("the server answers");
    }
}

fn relations(client: &mut Client) -> Relations {
    let rows = client.query(RELATIONS, &[]).expect("the server answers");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect()
}

fn read(client: &mut Client) -> BTreeMap<u32, i64> {
    client.query(READ, &[]).expect("the server answers").iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn scans(before: &Relations, earlier: &BTreeMap<u32, i64>, now: &BTreeMap<u32, i64>) -> BTreeSet<String> {
    let more = now.iter().filter(|(oid, rows)| **rows > earlier.get(oid).copied().unwrap_or(0));
    more.filter_map(|(oid, _)| Some(before.get(oid)?.0.clone())).collect()
}

fn mode(name: &str) -> LockMode {
    let words = name.trim_end_matches("Lock");
    LockMode::ALL.into_iter().find(|mode| format!("{mode:?}") == words).expect("the server answers")
}
