//! Each further runner on a small tree: what it is known by, its order, its units, what undoes what.

use plimsoll::error::Error;
use plimsoll::history::{AfterEdit, AfterFailure, Framework, Late, TransactionUnit};
use plimsoll::settings::Flags;

use crate::tree::*;

#[test]
fn prisma_sends_each_file_at_once() {
    let (tree, project) = load_as(
        &[
            ("prisma/migrations/migration_lock.toml", "provider = \"postgresql\"\n"),
            ("prisma/migrations/20240102000000_b/migration.sql", CONCURRENTLY),
            ("prisma/migrations/20240101000000_a/migration.sql", SQL),
            ("prisma/migrations/seed.sql", SQL),
        ],
        Framework::Prisma,
    );
    let history = only(&project);
    assert_eq!((names(history), units(history)), (vec!["a", "b"], vec![QUERY; 2]));
    assert!(history.runner.after_failure == AfterFailure::MarkedDirty && history.runner.checksums);
    assert!(says(&project, "seed.sql"));
    tree.write(&[("prisma/migrations/migration_lock.toml", "provider = \"mysql\"\n")]);
    assert!(matches!(tree.load(&[]), Err(Error::OtherDatabase { database, .. }) if database == "MySQL"));
}

#[test]
fn drizzle_runs_folders_by_name() {
    let (tree, project) = load_as(
        &[
            ("db/drizzle.config.ts", "export default defineConfig({ out: './drizzle' })"),
            ("db/drizzle/20260102000000_b/migration.sql", "create table a (b int)--> statement-breakpoint\nselect 1"),
            ("db/drizzle/20260102000000_b/snapshot.json", "{}"),
            ("db/drizzle/20260101000000_a/migration.sql", SQL),
            ("db/drizzle/20260101000000_a/snapshot.json", "{}"),
            ("db/drizzle/20260103000000_by_hand/migration.sql", CONCURRENTLY),
        ],
        Framework::Drizzle,
    );
    let history = only(&project);
    assert_eq!((history.root.as_str(), names(history)), ("db/drizzle", vec!["a", "b", "by_hand"]));
    assert_eq!((units(history), history.migrations[1].up.nodes.len()), (vec![PENDING; 3], 2));
    assert!(!history.runner.checksums && history.runner.late == Late::Runs);
    let one = tree.load(&["db/drizzle/20260102000000_b/migration.sql"]).unwrap();
    assert_eq!((only(&one).framework, only(&one).migrations.len()), (Framework::Drizzle, 3));
}

/// Whoever has such a journal runs the files by other means: they are read all the same.
#[test]
fn drizzle_with_a_journal_of_other_files_is_read_by_name() {
    let (_, project) = load_as(
        &[
            ("drizzle/meta/_journal.json", r#"{"entries":[{"idx":0,"when":30,"tag":"0000_gone","breakpoints":true}]}"#),
            ("drizzle/0002_b.sql", CONCURRENTLY),
            ("drizzle/0001_a.sql", SQL),
        ],
        Framework::Drizzle,
    );
    let history = only(&project);
    assert_eq!((names(history), units(history)), (vec!["a", "b"], vec![TransactionUnit::Statement; 2]));
    assert!(says(&project, "names none of the files beside it") && unread(&project).is_empty());
}

#[test]
fn drizzle_follows_its_journal() {
    let journal = r#"{"version":"7","entries":[
        {"idx":0,"when":30,"tag":"0002_b","breakpoints":true}, {"idx":1,"when":20,"tag":"0001_a","breakpoints":true}]}"#;
    let parted = "create table a (b int)--> statement-breakpoint\ncreate table c (d int)";
    let (tree, project) = load_as(
        &[
            ("drizzle/meta/_journal.json", journal),
            ("drizzle/0001_a.sql", parted),
            ("drizzle/0002_b.sql", SQL),
            ("drizzle/0003_draft.sql", SQL),
        ],
        Framework::Drizzle,
    );
    let history = only(&project);
    assert_eq!((names(history), units(history)), (vec!["b", "a"], vec![PENDING; 2]));
    assert_eq!(history.migrations[1].up.nodes.len(), 2);
    assert!(says(&project, "0003_draft.sql") && says(&project, "`0001_a` is not newer than `0002_b`"));

    for (journal, words) in [
        ("{\"entries\":[", "no journal of Drizzle"),
        (
            r#"{"entries":[{"when":1,"tag":"0001_a"},{"when":2,"tag":"../../../etc/passwd"}]}"#,
            "1 files that it names are missing",
        ),
        ("\u{0}", "NUL"),
    ] {
        tree.write(&[("drizzle/meta/_journal.json", journal)]);
        let project = tree.load(&[]).unwrap();
        assert!(unread(&project)[0].1.contains(words), "{:?}", unread(&project));
    }
    tree.write_bytes("drizzle/meta/_journal.json", b"\xFF\xFE{\0");
    assert!(unread(&tree.load(&[]).unwrap())[0].1.contains("UTF-16"));
}

#[test]
fn a_journal_of_a_million_entries_is_read() {
    let rows: Vec<String> = (0..1_000_000).map(|at| format!("{{\"when\":{at},\"tag\":\"{at}_a\"}}")).collect();
    let journal = format!("\u{FEFF}{{\"entries\":[{}]}}", rows.join(","));
    let tree = Tree::new(&[("d/meta/_journal.json", &journal), ("d/7_a.sql", SQL), ("d/8_a.sql", SQL)]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(versions(only(&project)), ["7", "8"]);
    assert!(unread(&project)[0].1.contains("999998 files"));
}

#[test]
fn supabase_and_hasura_are_known_by_their_settings() {
    let (_tree, project) = load_as(
        &[
            ("supabase/config.toml", "project_id = 'a'"),
            ("supabase/migrations/20240102000000_b.sql", CONCURRENTLY),
            ("supabase/migrations/20240101000000_a.sql", SQL),
            ("supabase/seed.sql", SQL),
        ],
        Framework::Supabase,
    );
    assert_eq!((names(only(&project)), units(only(&project))), (vec!["a", "b"], vec![QUERY; 2]));

    let (_tree, project) = load_as(
        &[
            ("hasura/config.yaml", "version: 3\nmetadata_directory: metadata\n"),
            ("hasura/migrations/default/20_b/up.sql", SQL),
            ("hasura/migrations/default/20_b/down.sql", SQL),
            ("hasura/migrations/default/3_a/up.sql", SQL),
        ],
        Framework::Hasura,
    );
    assert_eq!((names(only(&project)), units(only(&project))), (vec!["a", "b"], vec![FILE; 2]));
    assert_eq!(downs(only(&project)), [false, true]);
}

#[test]
fn sqitch_follows_its_plan() {
    let plan = "%syntax-version=1.0.0\n%project=p\n\nb 2024-01-01T00:00:00Z n <n@n> # first\na [b] 2024-01-02T00:00:00Z n <n@n>\n\
                @v1 2024-01-02T00:00:00Z n <n@n>\n@v2 2024-01-02T00:00:00Z n <n@n>\n\nb [b@v2] 2024-01-03T00:00:00Z n <n@n>\n";
    let (tree, project) = load_as(
        &[
            ("db/sqitch.plan", plan),
            ("db/deploy/a.sql", SQL),
            ("db/deploy/b.sql", "alter table b add c int;"),
            ("db/deploy/b@v2.sql", "create table b ();"),
            ("db/revert/b@v2.sql", "drop table b;"),
            ("db/revert/b.sql", "alter table b drop c;"),
            ("db/verify/b.sql", "select 1/0;"),
            ("db/deploy/draft.sql", SQL),
        ],
        Framework::Sqitch,
    );
    let history = only(&project);
    assert_eq!((versions(history), units(history)), (vec!["b@v2", "a", "b"], vec![BARE; 3]));
    assert_eq!(downs(history), [true, false, true]);
    assert!(says(&project, "draft.sql") && !says(&project, "verify"));
    // A file of it is judged with its history.
    let one = tree.load(&["db/deploy/b.sql"]).unwrap();
    assert_eq!((versions(only(&one)), judged(only(&one))), (vec!["b@v2", "a", "b"], vec!["b"]));

    tree.write(&[("db/sqitch.plan", "%project=p\n\nb 2024\nlost 2024\n")]);
    let project = tree.load(&[]).unwrap();
    assert!(unread(&project)[0].1.contains("`deploy/lost.sql`"));
    tree.write(&[("db/sqitch.plan", "\u{0}")]);
    assert!(says(&tree.load(&[]).unwrap(), "read by name"));
}

#[test]
fn two_plans_are_two_histories() {
    let tree = Tree::new(&[
        ("a/sqitch.plan", "%project=a\n\none 2024\n"),
        ("a/deploy/one.sql", SQL),
        ("b/sqitch.plan", "%project=b\n\ntwo 2024\n"),
        ("b/deploy/two.sql", SQL),
        ("c/drizzle/meta/_journal.json", "{\"entries\":[{\"when\":1,\"tag\":\"0_x\"}]}"),
        ("c/drizzle/0_x.sql", SQL),
        ("plimsoll.toml", "paths = ['a', 'c/drizzle']\n"),
    ]);
    let roots = |paths: &[&str]| {
        let project = tree.load(paths).unwrap();
        project.histories.iter().map(|history| history.root.clone()).collect::<Vec<_>>()
    };
    assert_eq!(roots(&["."]), ["a", "b", "c/drizzle"]);
    assert_eq!(roots(&[]), ["a", "c/drizzle"]);
}

#[test]
fn graphile_migrate_ends_with_what_is_in_work() {
    let (tree, project) = load_as(
        &[
            ("migrations/committed/000001.sql", "--! Previous: -\n--! Hash: sha1:aa\n\ncreate table a (b int);\n"),
            (
                "migrations/committed/000002-b.sql",
                "--! Previous: sha1:aa\n--! Hash: sha1:bb\n\n--! no-transaction\nselect 1;\n",
            ),
            ("migrations/current.sql", "-- Enter migration here\nalter table a add c int;\n"),
        ],
        Framework::GraphileMigrate,
    );
    let history = only(&project);
    assert_eq!((versions(history), units(history)), (vec!["000001", "000002", "current"], vec![FILE, QUERY, FILE]));
    assert!(history.runner.checksums && !says(&project, "refuses"));
    let after = Flags { after: Some("2".to_owned()), ..Flags::default() };
    assert_eq!(judged(only(&tree.load_with(&[], &after).unwrap())), ["current"]);

    tree.write(&[(
        "migrations/committed/000003.sql",
        "--! Previous: sha1:xx\n--! Hash: sha1:cc\n\n--!include a.sql\n",
    )]);
    let project = tree.load(&[]).unwrap();
    assert!(says(&project, "`Previous` does not name the hash") && unread(&project)[0].1.contains("a.sql"));
}

#[test]
fn atlas_is_known_by_its_sums() {
    let bare = format!("-- atlas:txmode none\n\n{CONCURRENTLY}");
    let (_tree, project) = load_as(
        &[
            ("m/atlas.sum", "h1:x\n"),
            ("m/20240102_b.sql", &bare),
            ("m/20240101_a.sql", "create table a (b int);\n-- atlas:txmode none\n"),
        ],
        Framework::Atlas,
    );
    assert_eq!(units(only(&project)), [FILE, BARE]);
    assert!(only(&project).runner.after_failure == AfterFailure::Continues && only(&project).runner.checksums);
    // Beside another runner's files the sums decide nothing.
    let other = Tree::new(&[("m/atlas.sum", ""), ("m/1_a.up.sql", SQL), ("m/1_a.down.sql", SQL)]);
    assert_eq!(only(&other.load(&[]).unwrap()).framework, Framework::GolangMigrate);
}

#[test]
fn postgres_migrations_are_known_by_the_package() {
    let bare = format!("-- postgres-migrations disable-transaction\n{CONCURRENTLY}");
    let (_tree, project) = load_as(
        &[
            ("package.json", "{\"dependencies\": {\"postgres-migrations\": \"5\"}}"),
            ("migrations/2-b.sql", &bare),
            ("migrations/10-c.sql", SQL),
            ("migrations/1-a.sql", SQL),
        ],
        Framework::PostgresMigrations,
    );
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["1", "2", "10"], vec![FILE, QUERY, FILE]));
}

#[test]
fn postgrator_is_known_by_its_names() {
    let (tree, project) = load_as(
        &[
            ("db/migrations/0010.do.index.sql", CONCURRENTLY),
            ("db/migrations/0009.do.table.sql", SQL),
            ("db/migrations/0009.undo.table.sql", "DROP TABLE a;"),
            ("db/migrations/0011.do.computed.js", "module.exports"),
            ("db/migrations/README.sql", SQL),
        ],
        Framework::Postgrator,
    );
    let history = only(&project);
    assert_eq!((names(history), units(history)), (vec!["table", "index"], vec![QUERY; 2]));
    assert!(history.migrations[0].down.is_some() && history.runner.checksums);
    assert_eq!((history.runner.after_edit, history.runner.late), (AfterEdit::Refuses, Late::Skips));
    assert!(says(&project, "README.sql"));
    assert!(unread(&project).iter().any(|(path, _)| path.ends_with("0011.do.computed.js")), "{:?}", unread(&project));
    tree.write(&[("db/migrations/09.do.twin.sql", SQL)]);
    assert!(!unread(&tree.load(&[]).unwrap()).is_empty());
}

#[test]
fn temporal_takes_what_its_manifests_name() {
    let manifest = |files: &str| format!("{{\"CurrVersion\": \"1\", \"SchemaUpdateCqlFiles\": [{files}]}}");
    let (tree, project) = load_as(
        &[
            ("schema/versioned/v1.10/manifest.json", &manifest("\"b.sql\", \"a.sql\"")),
            ("schema/versioned/v1.10/a.sql", SQL),
            ("schema/versioned/v1.10/b.sql", SQL),
            ("schema/versioned/v1.10/left_out.sql", SQL),
            ("schema/versioned/v1.9/manifest.json", &manifest("\"c.sql\"")),
            ("schema/versioned/v1.9/c.sql", SQL),
            ("schema/schema.sql", SQL),
        ],
        Framework::Temporal,
    );
    assert_eq!((names(only(&project)), units(only(&project))), (vec!["c", "b", "a"], vec![BARE; 3]));
    assert!(says(&project, "left_out.sql"));
    tree.write(&[("schema/versioned/v1.9/manifest.json", "[")]);
    assert!(unread(&tree.load(&[]).unwrap())[0].1.contains("no manifest"));
}

#[test]
fn synapse_begins_with_its_newest_full_schema() {
    let (_tree, project) = load_as(
        &[
            ("schema/common/full_schemas/72/full.sql.postgres", SQL),
            ("schema/main/full_schemas/72/full.sql.postgres", SQL),
            ("schema/main/full_schemas/72/full.sql.sqlite", SQL),
            ("schema/main/delta/72/01old.sql", SQL),
            ("schema/main/delta/73/02b.sql", SQL),
            ("schema/state/delta/73/01a.sql.postgres", SQL),
            ("schema/main/delta/74/03c.py", ""),
        ],
        Framework::Synapse,
    );
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["72", "72", "73", "73"], vec![PENDING; 4]));
    assert_eq!(names(only(&project))[2..], ["01a", "02b"]);
    assert!(says(&project, "1 files up to version 72") && unread(&project)[0].1.contains("Python"));
}

#[test]
fn names_with_up_and_down_belong_to_who_the_manifest_says() {
    let files =
        |go: &'static str| [("go.mod", go), ("m/2_b.up.sql", SQL), ("m/10_a.up.sql", SQL), ("m/2_b.down.sql", SQL)];
    let (tree, project) = load_as(&files("require github.com/gobuffalo/pop/v6 v6.1.1\n"), Framework::Pop);
    // pop compares versions as texts.
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["10", "2"], vec![FILE; 2]));
    tree.write(&[("m/1_z.up.fizz", "create_table(\"z\")")]);
    assert!(unread(&tree.load(&[]).unwrap())[0].1.contains("fizz"));

    let river = "create table /* TEMPLATE: schema */river_job (id bigint);";
    let (_tree, project) = load_as(&[("m/001_a.up.sql", river), ("m/001_a.down.sql", SQL)], Framework::River);
    assert_eq!(units(only(&project)), [FILE]);

    let (_tree, project) = load_as(
        &[
            ("go.mod", "module github.com/concourse/concourse\n"),
            ("atc/db/migration/migrations/1_a.up.sql", SQL),
            ("atc/db/migration/migrations/2_b.up.go", "package migrations"),
        ],
        Framework::Concourse,
    );
    assert_eq!((units(only(&project)), unread(&project).len()), (vec![FILE], 1));
}

#[test]
fn concourse_runs_all_files_of_one_version() {
    let own = [
        ("go.mod", "module github.com/concourse/concourse\n"),
        ("atc/db/migration/migrations/1_a.up.sql", SQL),
        ("atc/db/migration/migrations/1_b.down.sql", SQL),
        ("atc/db/migration/migrations/1_b.up.sql", SQL),
        ("atc/db/migration/migrations/2_c.up.sql", SQL),
    ];
    let (_tree, project) = load_as(&own, Framework::Concourse);
    let history = only(&project);
    assert_eq!((names(history), unread(&project).len()), (vec!["a", "b", "c"], 0));
    assert!(history.migrations[0].down.is_none() && history.migrations[1].down.is_some());
    assert!(history.complete && history.runner.late == Late::Skips);
}

#[test]
fn refinery_shares_names_with_flyway_and_no_more() {
    let (_tree, project) = load_as(
        &[
            ("Cargo.toml", "[dependencies]\nrefinery = \"0.8\"\n"),
            ("migrations/V10__b.sql", "vacuum a;"),
            ("migrations/V2__a.sql", SQL),
            ("migrations/U11__late.sql", SQL),
            ("migrations/V12__c.rs", "pub fn migration() -> String {}"),
            ("migrations/R__x.sql", SQL),
        ],
        Framework::Refinery,
    );
    // Every file is in a transaction, VACUUM too; `U` is a version that may come late, nothing undoes.
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["2", "10", "11"], vec![FILE; 3]));
    assert!(unread(&project)[0].1.contains("Rust") && says(&project, "R__x.sql"));
    assert!(!only(&project).runner.has_down && only(&project).runner.after_failure == AfterFailure::RunsAgain);
}

#[test]
fn pop_runs_what_is_for_its_database_in_the_place_of_what_is_for_all() {
    let (tree, project) = load_as(
        &[
            ("go.mod", "require github.com/ory/pop/v6 v6.1.1\n"),
            ("m/1_a.up.sql", SQL),
            ("m/1_a.postgres.autocommit.up.sql", CONCURRENTLY),
            ("m/1_a.down.sql", SQL),
            ("m/2_b.autocommit.up.sql", CONCURRENTLY),
            ("m/2_b.postgres.up.sql", SQL),
            ("m/2_b.postgres.down.sql", SQL),
            ("m/2_b.down.sql", SQL),
        ],
        Framework::Pop,
    );
    let all = &only(&project).migrations;
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["1", "2"], vec![QUERY, FILE]));
    assert!(all.iter().all(|one| one.down.is_some()) && unread(&project).is_empty());
    // `2_b.down.sql` has a twin for PostgreSQL, and is not even listed.
    assert!(says(&project, "passed over 2, such as `m/1_a.up.sql`"));
    tree.write(&[("m/2_b.pg.up.sql", SQL)]);
    assert!(unread(&tree.load(&[]).unwrap())[0].1.contains("runs one of two, and never the other"));
}

#[test]
fn pop_takes_what_a_manifest_names_and_knows_autocommit() {
    let (_tree, project) = load_as(
        &[
            (
                "app/migrations_manifest.txt",
                "# Order of versions\n2_b.up.sql\n1_a.up.fizz\n1_c.autocommit.up.sql\nlost.up.sql\n",
            ),
            ("app/ddl_views_manifest.txt", "0_v.up.sql\n"),
            ("app/schema/2_b.up.sql", SQL),
            ("app/schema/1_a.up.fizz", "create_table(\"a\")"),
            ("app/secure/1_c.autocommit.up.sql", CONCURRENTLY),
            ("app/secure/3_old.up.sql", SQL),
            ("app/ddl/views/0_v.up.sql", SQL),
        ],
        Framework::Pop,
    );
    assert_eq!((versions(only(&project)), units(only(&project))), (vec!["1", "2", "0"], vec![QUERY, FILE, FILE]));
    let unread: Vec<&str> = unread(&project).into_iter().map(|(path, _)| path).collect();
    assert_eq!(unread, ["app/migrations_manifest.txt", "app/schema/1_a.up.fizz"]);
    assert!(says(&project, "3_old.up.sql"));
}

#[test]
fn variants_for_mirrors_and_files_that_go_on_have_their_place() {
    let tree = Tree::new(&[
        ("updates/1.all.sql", SQL),
        ("updates/1.master_only.sql", SQL),
        ("updates/1.mirror_only.sql", SQL),
        ("updates/2-a-keys.sql", SQL),
        ("updates/2-a.sql", SQL),
        ("updates/3.mirror_only.sql", SQL),
    ]);
    let project = tree.load(&["updates"]).unwrap();
    assert_eq!(names(only(&project)), ["all", "master_only", "a", "a-keys", "mirror_only"]);
    assert!(says(&project, "1 files for mirrors"));
}
