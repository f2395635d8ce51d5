//! Runners that keep several things in one file, told apart by marks.

use plimsoll::history::{AfterFailure, Framework};
use plimsoll::settings::Flags;

use crate::tree::*;

#[test]
fn dbmate_takes_files_by_name_and_transactions_from_the_mark() {
    let bare = format!("-- migrate:up transaction:false\n{CONCURRENTLY}-- migrate:down\ndrop index i;\n");
    let (_tree, project) = load_as(
        &[
            ("db/migrations/9_b.sql", &bare),
            ("db/migrations/10_a.sql", "-- migrate:up\ncreate table a (b int);\n\n-- migrate:down\ndrop table a;\n"),
            ("db/migrations/11_c.sql", "-- migrate:up\nselect 1;\n"),
            ("db/migrations/readme.sql", SQL),
        ],
        Framework::Dbmate,
    );
    let history = only(&project);
    // `10` stands before `9`: names are compared as texts.
    assert_eq!(
        (versions(history), units(history), downs(history)),
        (vec!["10", "9"], vec![FILE, QUERY], vec![true; 2])
    );
    assert!(history.runner.after_failure == AfterFailure::RunsAgain && !history.runner.checksums);
    assert_eq!(unread(&project), [("db/migrations/11_c.sql", "dbmate refuses it: it has no `-- migrate:down`")]);
    assert!(says(&project, "readme.sql"));
}

#[test]
fn sql_migrate_tern_and_rambler_have_marks_of_their_own() {
    let (_tree, project) = load_as(
        &[
            ("m/2_b.sql", "-- +migrate Up notransaction\ncreate index concurrently i on a (b);\n-- +migrate Down\n"),
            ("m/1_a.sql", "-- +migrate Up\ncreate table a (b int);\n-- +migrate Down\ndrop table a;\n"),
        ],
        Framework::SqlMigrate,
    );
    assert_eq!((names(only(&project)), units(only(&project))), (vec!["a", "b"], vec![FILE, BARE]));
    assert_eq!(downs(only(&project)), [true, false]);

    let parted = "create table a (b int);\n---- create above / drop below ----\ndrop table a;\n";
    let bare = "---- tern: disable-tx ----\ncreate index concurrently i on a (b);\n";
    let (_tree, project) =
        load_as(&[("m/001_a.sql", parted), ("m/002_b.sql", bare), ("m/shared/x.sql", SQL)], Framework::Tern);
    assert_eq!((units(only(&project)), downs(only(&project))), (vec![FILE, BARE], vec![true, false]));
    assert_eq!(only(&project).migrations[0].up.nodes.len(), 1);

    let two = "-- rambler up\nselect 1;\n-- rambler nothing\nselect 2;\n-- rambler up\nselect 3;\n-- rambler down\n";
    let (_tree, project) =
        load_as(&[("m/01_a.sql", two), ("m/02_b.sql", "-- rambler up\nselect 1;")], Framework::Rambler);
    assert_eq!((units(only(&project)), only(&project).migrations[0].up.nodes.len()), (vec![BARE; 2], 2));
}

#[test]
fn play_evolutions_commit_each_statement() {
    let ups = "# Users\n\n# --- !Ups\ncreate table a (b int);\n\n# --- !Downs\ndrop table a;\n";
    let (_tree, project) = load_as(
        &[("conf/evolutions/default/10.sql", "-- !Ups\nselect 1;\n"), ("conf/evolutions/default/2.sql", ups)],
        Framework::PlayEvolutions,
    );
    let history = only(&project);
    assert_eq!(
        (versions(history), units(history), downs(history)),
        (vec!["2", "10"], vec![BARE; 2], vec![true, false])
    );
    assert_eq!(history.migrations[0].up.nodes.len(), 1, "the marks are no part of a statement");
    assert!(history.runner.checksums && history.runner.after_failure == AfterFailure::MarkedDirty);
}

#[test]
fn node_pg_migrate_runs_all_pending_in_one() {
    let (_tree, project) = load_as(
        &[
            ("package.json", "{\"dependencies\": {\"node-pg-migrate\": \"8\"}}"),
            (
                "migrations/1700000000000_a.sql",
                "-- Up Migration\ncreate table a (b int);\n-- Down Migration\ndrop table a;\n",
            ),
            ("migrations/1700000000001_b.js", "exports.up = () => {}"),
            ("migrations/1700000000002_c.sql", SQL),
        ],
        Framework::NodePgMigrate,
    );
    assert_eq!((units(only(&project)), downs(only(&project))), (vec![PENDING; 2], vec![true, false]));
    assert_eq!(unread(&project)[0].0, "migrations/1700000000001_b.js");
    assert!(unread(&project)[0].1.contains("JavaScript"));
}

#[test]
fn liquibase_has_many_changesets_in_one_file() {
    let text = "--liquibase formatted sql\n-- plimsoll:allow-file x: y\n\n--changeset ann:1\ncreate table a (b int);\n\
                --rollback drop table a;\n\n-- changeset bob:2 runInTransaction:false\ncreate index concurrently i on a (b);\n\
                --changeset bob:3 dbms:h2\nnonsense;\n--changeset bob:4 splitStatements:false endDelimiter:/ runOnChange:true\n\
                select 1 /\nselect 2\n/\n";
    let (tree, project) = load_as(
        &[
            (
                "db/changelog/db.changelog-master.yaml",
                "databaseChangeLog:\n- include:\n    file: b/late.sql\n    relativeToChangelogFile: true\n- include:\n    file: first.sql\n- include:\n    file: db.changelog-master.yaml\n",
            ),
            ("db/changelog/first.sql", text),
            ("db/changelog/b/late.sql", "--liquibase formatted sql\n--changeset cid:0\nselect 0;\n"),
            ("db/changelog/other.xml", "<databaseChangeLog><changeSet id='9' author='x'/></databaseChangeLog>"),
            ("db/changelog/changelog-x.xml", "<databaseChangeLog><changeSet id='9' author='x'/></databaseChangeLog>"),
        ],
        Framework::Liquibase,
    );
    let history = only(&project);
    assert_eq!(versions(history), ["cid:0", "ann:1", "bob:2", "bob:4"]);
    assert_eq!((units(history), downs(history)), (vec![FILE, FILE, BARE, FILE], vec![false, true, false, false]));
    assert_eq!(history.migrations[3].up.nodes.len(), 2);
    assert!(history.migrations[3].repeatable && history.runner.checksums);
    assert!(says(&project, "1 changesets are not read, such as `bob:3`"));
    assert_eq!(unread(&project)[0].0, "db/changelog/changelog-x.xml");
    let place = |at: usize| project.sources.position(history.migrations[at].source, history.migrations[at].starts).line;
    assert_eq!((place(1), place(2)), (1, 8));
    let after = Flags { after: Some("ann:1".to_owned()), ..Flags::default() };
    assert_eq!(judged(only(&tree.load_with(&[], &after).unwrap())), ["2"]);
}

#[test]
fn a_changeset_that_is_added_is_judged_alone() {
    let head = "--liquibase formatted sql\n--changeset a:1\ncreate table a (b int);\n";
    let tree = Tree::committed(&[("changelog/a.sql", head)]);
    tree.write(&[("changelog/a.sql", &format!("{head}--changeset a:2\ncreate table c (d int);\n"))]);
    let since = Flags { since: Some("main".to_owned()), ..Flags::default() };
    assert_eq!(judged(only(&tree.load_with(&[], &since).unwrap())), ["2"]);
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    for (text, framework) in [
        ("-- migrate:up transaction:false\nselect 1;\n-- migrate:down\nselect 2;\n", Framework::Dbmate),
        ("-- +migrate Up notransaction\nselect 1;\n-- +migrate Down\nselect 2;\n", Framework::SqlMigrate),
        ("select 1;\n---- tern: disable-tx ----\n---- create above / drop below ----\nselect 2;\n", Framework::Tern),
        ("-- rambler up\nselect 1;\n-- rambler down\nselect 2;\n", Framework::Rambler),
        ("# --- !Ups\nselect 1;\n# --- !Downs\nselect 2;\n", Framework::PlayEvolutions),
        ("-- Up Migration\nselect 1;\n-- Down Migration\nselect 2;\n", Framework::NodePgMigrate),
        (
            "--liquibase formatted sql\n--changeset a:1 runInTransaction:false\nselect 1;\n--rollback select 2;\n",
            Framework::Liquibase,
        ),
    ] {
        let marked = format!("\u{FEFF}{}", text.replace('\n', "\r\n"));
        let (_tree, project) = load_as(&[("m/1_a.sql", &marked)], framework);
        let (_tree, plain) = load_as(&[("m/1_a.sql", text)], framework);
        let [history, wanted] = [only(&project), only(&plain)];
        assert_eq!((units(history), downs(history)), (units(wanted), vec![true]), "{framework:?}");
        assert_eq!(history.migrations[0].up.nodes.len(), 1, "{framework:?}");
        assert!(units(history) != [FILE], "{framework:?}");
    }
}
