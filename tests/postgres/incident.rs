//! The incident on a real server: every tree of `fixtures/_whole/incident-*` runs with rows on the originals,
//! and what plimsoll says about it is what happens.

use std::path::PathBuf;

use postgres::Client;

use crate::server::{Database, Refusal, Server, run, sql_files};

const KEY: &str = "fk_rails_3f92913d27";
const GROUP: &str = "group_type_ci_runner_machines_687967fa8a";

/// Runners of all three types (1 instance, 2 group, 3 project), some of the groups and projects without an
/// owner, and their machines: what production held before the copies existed.
const ROWS: &str = "
INSERT INTO ci_runners (id, runner_type, sharding_key_id, token_encrypted, contacted_at)
SELECT n, 1 + n % 3, CASE WHEN n % 3 = 0 OR n % 10 = 1 THEN NULL ELSE 1000 + n END, 'token' || n, now()
FROM generate_series(1, 30) AS n;
INSERT INTO ci_runner_machines (id, runner_id, runner_type, sharding_key_id, system_xid, created_at, updated_at)
SELECT id, id, runner_type, sharding_key_id, 'system' || id, now(), now() FROM ci_runners WHERE id <= 20;";

/// A history stopped where the test wants to look.
struct Production {
    database: Database,
    files: Vec<PathBuf>,
}

impl Production {
    /// Runs what shipped before the copies and gives the originals their rows, if there are any.
    fn before_the_copies(server: &Server, case: &str, rows: bool) -> Production {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/_whole").join(case).join("migrations");
        let mut production = Production { database: server.database(), files: sql_files(&folder) };
        production.up_to("003").expect("what shipped before runs");
        if rows {
            production.database.run_script(ROWS).expect("the originals take their rows");
        }
        production
    }

    /// Runs the files that are left up to the one of this number, which is run too.
    fn up_to(&mut self, number: &str) -> Result<(), Box<Refusal>> {
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy()[..3] <= *number);
        let (now, later) = self.files.iter().cloned().partition(named);
        self.files = later;
        self.database.run_files(&now)
    }

    fn client(&self) -> Client {
        self.database.client()
    }

    /// `relation: referenced, valid or not` of every key that some relation owns itself.
    fn keys(&self) -> Vec<String> {
        self.database.strings(
            "SELECT conrelid::regclass || ': ' || confrelid::regclass || CASE WHEN convalidated THEN ', valid' ELSE ', not valid' END
             FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid::regclass::text LIKE '%687967fa8a'
             ORDER BY conrelid::regclass::text, conname",
        )
    }
}

/// A new machine of a runner, as the application writes it.
fn insert_machine(client: &mut Client, runner: u32, runner_type: u32, id: u32) -> Result<(), Box<Refusal>> {
    let insert = format!(
        "INSERT INTO ci_runner_machines (id, runner_id, runner_type, system_xid, created_at, updated_at)
         VALUES ({id}, {runner}, {runner_type}, 'new{id}', now(), now())"
    );
    run(client, &insert)
}

/// The error of the incident report, with the copy's partition, its constraint and the way through the trigger.
fn assert_incident(refusal: &Refusal, missing_from: &str) {
    assert_eq!(refusal.code, "23503", "{refusal:?}");
    let message =
        format!("insert or update on table \"{GROUP}\" violates foreign key constraint \"{}\"", refusal.constraint);
    assert_eq!(refusal.message, message);
    assert_eq!(refusal.table, GROUP);
    assert!(refusal.detail.ends_with(&format!("is not present in table \"{missing_from}\".")), "{refusal:?}");
    assert!(
        refusal.context.starts_with("SQL statement \"INSERT INTO ci_runner_machines_687967fa8a (\"id\","),
        "{refusal:?}"
    );
    let caller = "PL/pgSQL function table_sync_function_e438f29263() line 24 at SQL statement";
    assert!(refusal.context.ends_with(caller), "{refusal:?}");
}

#[test]
fn keys_between_partitions_fail_half_way_and_break_inserts_of_group_machines() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-partition-keys", true);
    production.up_to("007").unwrap();
    let mut client = production.client();
    // Machine 102 of runner 1, which is older than the trigger on runners: the copy has only the machine.
    insert_machine(&mut client, 1, 2, 102).unwrap();

    let stopped = production.up_to("008").unwrap_err();
    assert_eq!((stopped.code.as_str(), stopped.table.as_str(), stopped.constraint.as_str()), ("23503", GROUP, KEY));
    assert_eq!(stopped.statement, format!("ALTER TABLE {GROUP} VALIDATE CONSTRAINT {KEY}"));
    assert_eq!(stopped.context, "");
    let left = format!("{GROUP}: group_type_ci_runners_e59bb2812d, not valid");
    assert_eq!(production.keys(), [left.as_str()]);

    let refusal = insert_machine(&mut client, 4, 2, 201).unwrap_err();
    assert_incident(&refusal, "group_type_ci_runners_e59bb2812d");
    assert_eq!(refusal.constraint, KEY);
    // The original's own row went with it: the request failed, not only its copy.
    assert_eq!(production.database.strings("SELECT 'kept' FROM ci_runner_machines WHERE id = 201"), [""; 0]);
    insert_machine(&mut client, 2, 3, 202).expect("the partition of project machines has no key");
    insert_machine(&mut client, 3, 1, 203).expect("the partition of instance machines has no key");
    run(&mut client, "UPDATE ci_runner_machines SET contacted_at = now() WHERE id = 4").expect("never copied: no row");
    run(&mut client, "UPDATE ci_runner_machines SET contacted_at = now() WHERE id = 102")
        .expect("no key column changes");

    // Touching a runner does not heal it: the plain UPDATE of the sync function finds no row.
    run(&mut client, "UPDATE ci_runners SET contacted_at = now() WHERE id = 4").unwrap();
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "group_type_ci_runners_e59bb2812d");
    run(&mut client, "INSERT INTO ci_runners (id, runner_type) VALUES (31, 2)").unwrap();
    insert_machine(&mut client, 31, 2, 204).expect("runners made since the trigger are in the copy");
}

#[test]
fn keys_between_partitions_pass_where_the_tables_are_empty() {
    let Some(server) = Server::get() else { return };
    let mut staging = Production::before_the_copies(server, "incident-partition-keys", false);
    staging.up_to("008").unwrap();
    let owned = [
        "ci_runner_machines_687967fa8a: ci_runners_e59bb2812d, valid",
        "group_type_ci_runner_machines_687967fa8a: group_type_ci_runners_e59bb2812d, valid",
        "instance_type_ci_runner_machines_687967fa8a: instance_type_ci_runners_e59bb2812d, valid",
        "project_type_ci_runner_machines_687967fa8a: project_type_ci_runners_e59bb2812d, valid",
    ];
    assert_eq!(staging.keys(), owned);
}

#[test]
fn keys_between_partitions_pass_on_an_empty_copy_and_break_every_type() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-partition-keys", true);
    // No machine came between the triggers and the keys: nothing is there to fail the validation.
    production.up_to("008").unwrap();
    let mut client = production.client();
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "group_type_ci_runners_e59bb2812d");
    for (runner, runner_type) in [(3, 1), (2, 3)] {
        assert_eq!(insert_machine(&mut client, runner, runner_type, 202).unwrap_err().code, "23503");
    }
}

#[test]
fn the_key_on_the_parent_alone_validates_nothing_and_breaks_every_type() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-parent-key", true);
    production.up_to("008").unwrap();
    let mut client = production.client();
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "ci_runners_e59bb2812d");
    for (runner, runner_type) in [(3, 1), (2, 3)] {
        assert_eq!(insert_machine(&mut client, runner, runner_type, 202).unwrap_err().code, "23503");
    }
    let refusal = run(&mut client, &format!("ALTER TABLE {GROUP} DROP CONSTRAINT {KEY}")).unwrap_err();
    assert_eq!(refusal.code, "42P16");
    run(&mut client, &format!("ALTER TABLE ci_runner_machines_687967fa8a DROP CONSTRAINT {KEY}")).unwrap();
    insert_machine(&mut client, 4, 2, 201).unwrap();
}

#[test]
fn keys_from_partitions_to_the_parent_stay_on_the_partition_where_validation_stops() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-partition-to-parent", true);
    production.up_to("007").unwrap();
    let mut client = production.client();
    insert_machine(&mut client, 1, 2, 102).unwrap();
    assert_eq!(production.up_to("008").unwrap_err().code, "23503");
    assert_eq!(production.keys(), [format!("{GROUP}: ci_runners_e59bb2812d, not valid")]);
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "ci_runners_e59bb2812d");
    run(&mut client, &format!("ALTER TABLE ci_runner_machines_687967fa8a DROP CONSTRAINT IF EXISTS {KEY}")).unwrap();
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "ci_runners_e59bb2812d");
}

#[test]
fn keys_from_partitions_to_the_parent_merge_into_one() {
    let Some(server) = Server::get() else { return };
    let mut staging = Production::before_the_copies(server, "incident-partition-to-parent", false);
    staging.up_to("008").unwrap();
    assert_eq!(staging.keys(), ["ci_runner_machines_687967fa8a: ci_runners_e59bb2812d, valid"]);
    staging.database.run_script(&format!("ALTER TABLE ci_runner_machines_687967fa8a DROP CONSTRAINT {KEY}")).unwrap();
    assert_eq!(
        staging
            .database
            .strings("SELECT conname FROM pg_constraint WHERE contype = 'f' AND conname LIKE '%3f92913d27'"),
        [""; 0]
    );
}

#[test]
fn the_filtered_backfill_breaks_writes_of_runners_without_owner() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-filtered-backfill", true);
    production.up_to("013").expect("the orphans were deleted from the copy: all of it validates");
    let mut client = production.client();
    insert_machine(&mut client, 4, 2, 201).expect("runner 4 has an owner");
    assert_incident(&insert_machine(&mut client, 1, 2, 202).unwrap_err(), "ci_runners_e59bb2812d");

    let refusal = run(&mut client, "INSERT INTO ci_runners (id, runner_type) VALUES (40, 2)").unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.constraint.as_str()), ("23514", "check_group_type_sharding_key_id"));
    assert_eq!(refusal.table, "group_type_ci_runners_e59bb2812d");
    assert!(refusal.context.contains("PL/pgSQL function table_sync_function_686d6c7993() line"), "{refusal:?}");
    run(&mut client, "INSERT INTO ci_runners (id, runner_type) VALUES (41, 1)")
        .expect("instance runners need no owner");
    run(&mut client, "UPDATE ci_runners SET contacted_at = now() WHERE id = 1").expect("never copied: no row");
    let nulled = run(&mut client, "UPDATE ci_runners SET sharding_key_id = NULL WHERE id = 4").unwrap_err();
    assert_eq!(nulled.code, "23514");
}

#[test]
fn the_first_revert_does_nothing_after_the_failed_migration() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-first-revert", true);
    production.up_to("007").unwrap();
    let mut client = production.client();
    insert_machine(&mut client, 1, 2, 102).unwrap();
    production.up_to("008").unwrap_err();
    let before = production.keys();
    production.up_to("009").expect("IF EXISTS makes it a silent no-op");
    assert_eq!(production.keys(), before);
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "group_type_ci_runners_e59bb2812d");
}

#[test]
fn the_first_revert_leaves_three_keys_where_the_migration_had_passed() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-first-revert", true);
    production.up_to("009").unwrap();
    let left = ["group", "instance", "project"]
        .map(|kind| format!("{kind}_type_ci_runner_machines_687967fa8a: {kind}_type_ci_runners_e59bb2812d, valid"));
    assert_eq!(production.keys(), left);
    let mut client = production.client();
    assert_incident(&insert_machine(&mut client, 4, 2, 201).unwrap_err(), "group_type_ci_runners_e59bb2812d");
}

#[test]
fn the_second_revert_drops_the_keys_where_they_are_owned() {
    let Some(server) = Server::get() else { return };
    for failed in [false, true] {
        let mut production = Production::before_the_copies(server, "incident-second-revert", true);
        production.up_to("007").unwrap();
        let mut client = production.client();
        if failed {
            insert_machine(&mut client, 1, 2, 102).unwrap();
        }
        assert_eq!(production.up_to("008").is_err(), failed);
        production.up_to("010").unwrap();
        assert_eq!(production.keys(), [""; 0]);
        insert_machine(&mut client, 4, 2, 201).unwrap();
    }
}

#[test]
fn the_right_order_breaks_nothing() {
    let Some(server) = Server::get() else { return };
    let mut production = Production::before_the_copies(server, "incident-right-order", true);
    production.up_to("007").unwrap();
    let mut client = production.client();
    insert_machine(&mut client, 1, 2, 102).unwrap();
    production.up_to("018").unwrap();
    assert_eq!(production.keys(), ["ci_runner_machines_687967fa8a: ci_runners_e59bb2812d, valid"]);
    for runner in 1..=30 {
        insert_machine(&mut client, runner, 1 + runner % 3, 200 + runner).unwrap();
    }
    run(&mut client, "UPDATE ci_runner_machines SET contacted_at = now(); UPDATE ci_runners SET contacted_at = now()")
        .unwrap();
    run(&mut client, "INSERT INTO ci_runners (id, runner_type) VALUES (40, 2)").unwrap();
    run(&mut client, "DELETE FROM ci_runners WHERE id = 4").unwrap();
    for (original, copy) in
        [("ci_runners", "ci_runners_e59bb2812d"), ("ci_runner_machines", "ci_runner_machines_687967fa8a")]
    {
        let count = |table: &str| production.database.strings(&format!("SELECT count(*)::text FROM {table}"));
        assert_eq!(count(original), count(copy));
    }
}
