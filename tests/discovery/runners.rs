//! Plain folders, Diesel, sqlx, golang-migrate, goose, Flyway.

use plimsoll::history::{AfterFailure, Framework, Late, TransactionUnit};
use plimsoll::settings::Flags;

use crate::tree::*;

#[test]
fn a_plain_folder_is_in_natural_order() {
    let tree = Tree::new(&[("sql/10_c.sql", SQL), ("sql/9_b.sql", SQL), ("sql/1_a.sql", SQL), ("other/x.sql", SQL)]);
    let project = tree.load(&["sql"]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, versions(history)), (Framework::Plain, vec!["1", "9", "10"]));
    assert_eq!(units(history), [TransactionUnit::Statement; 3]);
    assert_eq!(history.root, "sql");
    assert!(history.complete && judged(history).len() == 3);
    assert_eq!(project.sources.path(history.migrations[0].source), "sql/1_a.sql");
    assert_eq!(history.migrations[0].up.nodes.len(), 1);
}

#[test]
fn diesel_takes_transactions_from_metadata() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[dependencies]\ndiesel = \"2\"\n"),
        ("migrations/2024-01-02-000000_b/up.sql", "create index concurrently i on a (b);"),
        ("migrations/2024-01-02-000000_b/down.sql", "drop index i;"),
        ("migrations/2024-01-02-000000_b/metadata.toml", "run_in_transaction = false\n"),
        ("migrations/2024-01-01-000000_a/up.sql", SQL),
        ("migrations/2024-01-03-000000_c/up.sql", SQL),
        ("migrations/2024-01-03-000000_c/metadata.toml", "# said nothing\n"),
        ("migrations/2024-01-04-000000_d/down.sql", SQL),
        ("migrations/notes.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Diesel, vec!["a", "b", "c"]));
    assert_eq!(versions(history)[0], "20240101000000");
    let wanted = [TransactionUnit::File, TransactionUnit::SimpleQuery, TransactionUnit::SimpleQuery];
    assert_eq!(units(history), wanted);
    assert!(history.migrations[1].down.is_some() && history.migrations[0].down.is_none());
    assert!(history.runner.has_down && !history.runner.checksums);
    assert!(says(&project, "notes.sql"));
}

#[test]
fn sqlx_is_told_from_golang_migrate_by_its_manifest() {
    let files = [
        ("db/migrations/0002_b.up.sql", "-- no-transaction\ncreate index concurrently i on a (b);"),
        ("db/migrations/0002_b.down.sql", SQL),
        ("db/migrations/0001_a.up.sql", SQL),
        ("db/migrations/0001_a.down.sql", SQL),
    ];
    let sqlx = Tree::new(&files);
    sqlx.write(&[("Cargo.toml", "[dependencies.sqlx]\nversion = \"0.8\"\n")]);
    let project = sqlx.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Sqlx, vec!["a", "b"]));
    assert_eq!(units(history), [TransactionUnit::File, TransactionUnit::SimpleQuery]);
    assert!(history.runner.checksums && history.runner.after_failure == AfterFailure::RunsAgain);

    let golang = Tree::new(&files);
    golang.write(&[("go.mod", "require github.com/golang-migrate/migrate/v4 v4.1.0\n")]);
    let project = golang.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!(history.framework, Framework::GolangMigrate);
    assert_eq!(units(history), [TransactionUnit::SimpleQuery; 2]);
    assert_eq!(history.runner.after_failure, AfterFailure::MarkedDirty);
    assert!(!says(&project, "set `framework`"));

    let named = Flags { framework: Some(Framework::Sqlx), ..Flags::default() };
    assert_eq!(only(&golang.load_with(&["db/migrations"], &named).unwrap()).framework, Framework::Sqlx);
}

#[test]
fn duplicate_versions_are_refused_as_the_runner_refuses_them() {
    let tree = Tree::new(&[
        ("go.mod", "require github.com/golang-migrate/migrate/v4 v4.1.0\n"),
        ("m/3_a.up.sql", SQL),
        ("m/003_b.up.sql", SQL),
        ("m/4_c.down.sql", SQL),
        ("m/5_d.up.sql", SQL),
    ]);
    let project = tree.load(&["m"]).unwrap();
    assert_eq!(names(only(&project)), ["b", "d"]);
    assert_eq!(project.unread_files.len(), 1);
    assert!(project.unread_files[0].reason.contains("same version"));
    assert!(says(&project, "4_c.down.sql"));
    assert!(!only(&project).complete);
}

#[test]
fn a_runner_that_is_a_guess_refuses_nothing() {
    let pairs = [
        ("m/0000_btree.up.sql", SQL),
        ("m/0000_citext.up.sql", SQL),
        ("m/0001_a.down.sql", SQL),
        ("m/0001_a.up.sql", SQL),
        ("m/0002_b_down.sql", SQL),
        ("m/0002_b_up.sql", SQL),
    ];
    let tree = Tree::new(&pairs);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Plain, vec!["btree", "citext", "a", "b_up"]));
    assert!(project.unread_files.is_empty() && says(&project, "it is not golang-migrate"));
    assert!(history.migrations[2].down.is_some() && history.migrations[3].down.is_some());

    let named = Flags { framework: Some(Framework::GolangMigrate), ..Flags::default() };
    assert_eq!(tree.load_with(&["m"], &named).unwrap().unread_files.len(), 1);

    // Both are required: the numbers tell which it is.
    tree.write(&[(
        "go.mod",
        "github.com/golang-migrate/migrate/v4 v4.1.0 // indirect\ngithub.com/maragudk/migrate v0.4.3\n",
    )]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, versions(history)[0]), (Framework::MaragudkMigrate, "0000_btree"));
    assert_eq!((names(history), units(history)), (vec!["btree", "citext", "a", "b"], vec![TransactionUnit::File; 4]));
    assert!(history.migrations[2].down.is_some() && history.migrations[3].down.is_some());
    assert!(project.unread_files.is_empty());

    // A runner of the project's own reads what golang-migrate would drop.
    let mixed = [
        ("m/201801_a.up.sql", SQL),
        ("m/201802_b.down.sql", SQL),
        ("m/201802_b.up.sql", SQL),
        ("m/201803_c.sql", SQL),
        ("m/readme.sql", SQL),
    ];
    let tree = Tree::new(&mixed);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Plain, vec!["a", "b", "c"]));
    assert!(
        history.migrations[1].down.is_some() && says(&project, "`m/201803_c.sql` has a number and says no direction")
    );
    tree.write(&[("go.mod", "require github.com/golang-migrate/migrate/v4 v4.1.0\n")]);
    assert_eq!(names(only(&tree.load(&[]).unwrap())), ["a", "b"], "it passes over the third");

    let tree = Tree::new(&[("m/V1__a.sql", SQL), ("m/V2__b.sql", SQL), ("m/V2__c.sql", SQL)]);
    let project = tree.load(&[]).unwrap();
    assert_eq!((only(&project).framework, only(&project).migrations.len()), (Framework::Flyway, 3));
    assert!(project.unread_files.is_empty() && says(&project, "would refuse `m/V2__c.sql` beside `m/V2__b.sql`"));
    tree.write(&[("flyway.conf", "")]);
    assert_eq!(tree.load(&[]).unwrap().unread_files.len(), 1);
}

#[test]
fn flyway_is_named_by_what_all_profiles_set_alike() {
    let set = "flyway.sql-migration-prefix=v\nflyway.locations=classpath:db/migration\n";
    let tree = Tree::new(&[
        ("api/build.gradle", "compile group: \"org.flywaydb\", name: \"flyway-core\", version: \"4.1.2\"\n"),
        ("api/profiles/dev/application.properties", &format!("{set}flyway.schemas=dev\n")),
        ("api/profiles/release/application.properties", &format!("{set}flyway.schemas=shop\n")),
        ("api/src/main/resources/db/migration/v2024.01.02_13.00__a.sql", SQL),
        ("api/src/main/resources/db/migration/v2024.01.10_13.00__b.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Flyway, vec!["a", "b"]));
    assert_eq!(versions(history), ["2024.01.02_13.00", "2024.01.10_13.00"]);
    assert!(history.search_path.is_empty(), "they do not agree on the schema");
    tree.write(&[("api/profiles/release/application.properties", "flyway.sql-migration-prefix=x\n")]);
    assert_eq!(only(&tree.load(&[]).unwrap()).framework, Framework::Plain);
}

#[test]
fn flyway_begins_with_the_baseline_beside_its_migrations() {
    let tree = Tree::new(&[
        ("a/baseline/V1.0__first.sql", SQL),
        ("a/migrations/R__views.sql", SQL),
        ("a/migrations/V1.10__later.sql", SQL),
        ("b/baseline/V2.0__first.sql", SQL),
        ("b/migrations/V1.10__earlier.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let roots: Vec<_> = project.histories.iter().map(|one| (one.root.as_str(), names(one))).collect();
    let wanted = [
        ("a/migrations", vec!["first", "later", "views"]),
        ("b/baseline", vec!["first"]),
        ("b/migrations", vec!["earlier"]),
    ];
    assert_eq!(roots, wanted);
}

#[test]
fn flyway_reads_folders_apart_that_share_their_versions() {
    let tree = Tree::new(&[
        ("db/migration/ehr/V1__first.sql", SQL),
        ("db/migration/ehr/V2__second.sql", SQL),
        ("db/migration/ehr/V3__third.sql", SQL),
        ("db/migration/ext/V1__baseline.sql", SQL),
        ("db/migration/ext/V2.0__functions.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let roots: Vec<_> = project.histories.iter().map(|one| (one.root.as_str(), names(one))).collect();
    let wanted =
        [("db/migration/ehr", vec!["first", "second", "third"]), ("db/migration/ext", vec!["baseline", "functions"])];
    assert_eq!(roots, wanted);

    // One version that two folders have is a mistake, and what settings name is one history all the same.
    let once = Tree::new(&[
        ("db/migration/2024/V1__first.sql", SQL),
        ("db/migration/2024/V2__second.sql", SQL),
        ("db/migration/2025/V2__again.sql", SQL),
    ]);
    assert_eq!(once.load(&[]).unwrap().histories.len(), 1);
    tree.write(&[("flyway.conf", "flyway.locations=db/migration\n")]);
    assert_eq!(tree.load(&[]).unwrap().histories.len(), 1);
}

#[test]
fn flyway_takes_the_settings_that_another_module_has() {
    let tree = Tree::new(&[
        ("base/src/main/resources/db/migration/V1__a.sql", SQL),
        ("application/src/main/resources/application.yml", "spring:\n  flyway:\n    schemas: shop\n"),
        ("other/src/main/resources/application.yml", "server:\n  port: 1\n"),
    ]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(only(&project).search_path.len(), 2);
    tree.write(&[("other/src/main/resources/application.yml", "spring:\n  flyway:\n    schemas: other\n")]);
    assert!(only(&tree.load(&[]).unwrap()).search_path.is_empty(), "they do not agree on the schema");
}

#[test]
fn goose_sections_become_up_and_down() {
    let up_and_down =
        "-- +goose Up\n-- plimsoll:allow-file x: y\ncreate table a (b int);\n\n-- +goose Down\ndrop table a;\n";
    let tree = Tree::new(&[
        ("m/00002_b.sql", "-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently i on a (b);\n"),
        ("m/00001_a.sql", up_and_down),
        ("m/00003_c.go", "package m"),
        ("m/00004_d.sql", "create table d (e int);"),
    ]);
    let project = tree.load(&["m"]).unwrap();
    let history = only(&project);
    assert_eq!((history.framework, names(history)), (Framework::Goose, vec!["a", "b"]));
    assert_eq!(units(history), [TransactionUnit::File, TransactionUnit::Statement]);
    let [first, second] = history.migrations.as_slice() else { panic!() };
    assert_eq!((first.up.nodes.len(), first.down.as_ref().map(|down| down.nodes.len())), (1, Some(1)));
    assert!(second.down.is_none());
    let unread: Vec<&str> = project.unread_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(unread, ["m/00003_c.go", "m/00004_d.sql"]);
    assert!(first.comments.iter().any(|comment| comment.text.contains("allow-file")));
}

#[test]
fn flyway_gives_its_files_the_names_that_are_set() {
    let folder = "src/main/resources/db/migration";
    let application = "spring:\n  flyway:\n    sql-migration-prefix: \"\"\n    repeatable-sql-migration-prefix: \"R\"\n    \
                       out-of-order: true\n    locations: classpath:db/migration/all\n";
    let tree = Tree::new(&[
        ("build.gradle.kts", "implementation(\"org.flywaydb:flyway-core\")"),
        ("src/main/resources/application.yml", application),
        (&format!("{folder}/all/20220102__b.sql"), SQL),
        (&format!("{folder}/all/20220101.1__a.sql"), SQL),
        (&format!("{folder}/dev/R__z.sql"), SQL),
        (&format!("{folder}/all/V1__bad.sql"), SQL),
        ("script/01__other.sql", SQL),
        ("script/02__other.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let [script, history] = project.histories.as_slice() else { panic!("{:?}", project.remarks) };
    assert_eq!((history.framework, names(history)), (Framework::Flyway, vec!["a", "b"]));
    assert!(says(&project, "1 file outside of the locations"));
    assert!(
        history.runner.late == Late::Runs && says(&project, "passes over `src/main/resources/db/migration/all/V1__")
    );
    assert_eq!(script.framework, Framework::Plain, "no location of Flyway's");

    tree.write(&[("src/main/resources/application.yml", &application.replace("\"\"\n", "V\n"))]);
    assert!(says(&tree.load(&[]).unwrap(), "passes over 2 files"));
    tree.write(&[("flyway.toml", "[flyway]\nsqlMigrationSuffixes = [\".sql\", \".ddl\"]\n")]);
    tree.write(&[("src/main/resources/application.yml", "")]);
    assert!(says(&tree.load(&[]).unwrap(), "end in `.ddl` too: they are not read"));
}

#[test]
fn a_location_of_flyway_is_one_history_and_what_lies_above_it_is_none() {
    let above = [
        ("pom.xml", "<artifactId>flyway-core</artifactId>"),
        ("src/main/resources/db/migration/V1__a.sql", SQL),
        ("src/main/resources/db/migration/more/V2__b.sql", SQL),
        ("src/main/resources/db/V2__later.sql", SQL),
    ];
    let tree = Tree::new(&above);
    let project = tree.load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["a", "b"]);
    assert!(says(&project, "1 file outside of the locations that Flyway looks into, not read"));

    // Everything in `db`, as a variable has it by default: two folders of one history.
    let settings = "spring:\n  flyway:\n    locations: [ '${PLACE:db/**/*.sql}' ]\n";
    let tree = Tree::new(&[
        ("pom.xml", "<artifactId>flyway-core</artifactId>"),
        ("src/main/resources/application.yml", settings),
        ("src/main/resources/db/migration/V1__a.sql", SQL),
        ("src/main/resources/db/migration/V3__c.sql", SQL),
        ("src/main/resources/db/migrationv2/V2__b.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!((history.root.as_str(), names(history)), ("src/main/resources/db", vec!["a", "b", "c"]));
}

#[test]
fn flyway_orders_by_version_then_repeats() {
    let tree = Tree::new(&[
        ("pom.xml", "<artifactId>flyway-core</artifactId>"),
        ("src/main/resources/db/migration/V10__c.sql", "create index concurrently i on a (b);"),
        ("src/main/resources/db/migration/V1_1__b.sql", SQL),
        ("src/main/resources/db/migration/more/V1__a.sql", SQL),
        ("src/main/resources/db/migration/V11__d.sql", "vacuum a;\nselect 1;"),
        ("src/main/resources/db/migration/V12__e.sql", SQL),
        ("src/main/resources/db/migration/V12__e.sql.conf", "executeInTransaction=false\n"),
        ("src/main/resources/db/migration/R__z.sql", SQL),
        ("src/main/resources/db/migration/R__y.sql", SQL),
        ("src/main/resources/db/migration/U1.1__b.sql", SQL),
        ("src/main/resources/db/migration/B9__sum.sql", SQL),
        ("src/main/resources/db/migration/V1-2__bad.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!(history.root, "src/main/resources/db/migration");
    assert_eq!((history.framework, names(history)), (Framework::Flyway, vec!["a", "b", "c", "d", "e", "y", "z"]));
    let (file, statement) = (TransactionUnit::File, TransactionUnit::Statement);
    assert_eq!(units(history), [file, file, statement, statement, statement, file, file]);
    assert!(history.migrations[1].down.is_some() && history.migrations[5].repeatable);
    assert!(says(&project, "Flyway refuses it") && says(&project, "V1-2__bad.sql") && says(&project, "B9__sum.sql"));

    tree.write(&[("flyway.conf", "flyway.group=true\n")]);
    assert_eq!(units(only(&tree.load(&[]).unwrap()))[0], TransactionUnit::AllPending);
}

#[test]
fn what_holds_plain_files_together_is_shown_stated_or_a_guess() {
    let two = "create table b (c int);\ncreate table d (e int);\n";
    let of = |shipped: &str, settings: &str| {
        let tree =
            Tree::new(&[("migrations/001_a.sql", shipped), ("migrations/002_b.sql", two), ("plimsoll.toml", settings)]);
        let project =
            tree.load_with(&["migrations"], &Flags { after: Some("001".to_owned()), ..Flags::default() }).unwrap();
        let last = only(&project).migrations.last().unwrap();
        let told = project.remarks.iter().filter(|remark| remark.contains("transaction")).count();
        (last.transaction, last.unit_is_guess, told)
    };
    let stand_alone = TransactionUnit::Statement;
    assert_eq!(of(SQL, ""), (stand_alone, true, 1), "nothing shows it, and the run says so");
    assert_eq!(of("begin;\ncreate table a (b int);\ncommit;", ""), (stand_alone, false, 0));
    let concurrently = "create index concurrently on a (b)";
    assert_eq!(of(&format!("create table a (b int);\n{concurrently};"), ""), (stand_alone, false, 0));
    assert_eq!(of(concurrently, ""), (stand_alone, true, 1), "alone it may be sent as one query");
    assert_eq!(of(SQL, "transaction = 'file'"), (TransactionUnit::File, false, 1));
}

#[test]
fn a_lock_timeout_is_believed_where_the_runner_sets_it() {
    let set = "client.query(`SET lock_timeout = '5s'`)\n";
    let of = |more: &[(&str, &str)]| {
        let mut files = vec![("db/package.json", "{}"), ("db/migrations/1_a.sql", SQL), ("db/migrations/2_b.sql", SQL)];
        files.extend(more);
        let tree = Tree::new(&files);
        let project = tree.load(&[]).unwrap();
        let limited = only(&project).limits_lock_waits;
        let told = says(&project, "lock_timeout = 5s");
        (limited, told)
    };
    assert_eq!(of(&[("db/scripts/migrate.js", set)]), (true, true));
    assert_eq!(of(&[("db/scripts/migrate.js", set), ("plimsoll.toml", "lock-timeout = false")]), (false, false));
    for other in [
        // Another package, other people's code, a test, the application.
        "other/scripts/migrate.js",
        "db/inner/scripts/migrate.js",
        "db/node_modules/migrate.js",
        "db/scripts/migrate.test.js",
        "db/src/pool.js",
    ] {
        let package = ("db/inner/package.json", "{}");
        assert_eq!(of(&[(other, set), package]), (false, false), "{other}");
    }
}

#[test]
fn flyway_stops_at_late_versions_unless_its_settings_let_them_be() {
    let with = |settings: &str| {
        let tree = Tree::new(&[
            ("src/main/resources/db/migration/V1__a.sql", SQL),
            ("src/main/resources/db/migration/V2__b.sql", SQL),
            ("src/main/resources/application.properties", settings),
        ]);
        only(&tree.load(&[]).unwrap()).runner.late
    };
    assert_eq!(with("spring.flyway.enabled=true"), Late::Refuses);
    assert_eq!(with("spring.flyway.validate-on-migrate=false"), Late::Skips);
    assert_eq!(with("spring.flyway.ignore-migration-patterns=*:ignored"), Late::Skips);
    assert_eq!(with("spring.flyway.out-of-order=true"), Late::Runs);
}
