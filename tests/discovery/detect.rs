//! Where histories are looked for, and what is left out.

use std::fs;
use std::path::Path;
use std::process::Command;

use plimsoll::error::Error;
use plimsoll::history::Framework;
use plimsoll::settings::Flags;

use crate::tree::*;

#[test]
fn histories_side_by_side_stay_apart() {
    let tree = Tree::new(&[
        ("a/migrations/1_a.up.sql", SQL),
        ("b/db/migration/V1__b.sql", SQL),
        ("c/prisma/migrations/20240101_c/migration.sql", SQL),
        ("c/prisma/migrations/20240102000000_d/migration.sql", SQL),
        ("d/migrations/tenant/0001-e.sql", SQL),
        ("d/migrations/shared/0001-f.sql", SQL),
        ("node_modules/x/migrations/1_x.up.sql", SQL),
        ("queries/q.sql", SQL),
    ]);
    let project = tree.load(&[]).unwrap();
    let found: Vec<(&str, Framework)> =
        project.histories.iter().map(|history| (history.root.as_str(), history.framework)).collect();
    let wanted = [
        ("a/migrations", Framework::GolangMigrate),
        ("b/db/migration", Framework::Flyway),
        ("c/prisma/migrations", Framework::Prisma),
        ("d/migrations/shared", Framework::Plain),
        ("d/migrations/tenant", Framework::Plain),
    ];
    assert_eq!(found, wanted);
    assert_eq!(names(&project.histories[2]), ["c", "d"]);
    assert!(says(&project, "queries/q.sql"));
    // A folder of queries is a plain history only where it is named.
    assert_eq!(only(&tree.load(&["queries"]).unwrap()).framework, Framework::Plain);
}

#[test]
fn a_dump_above_a_history_is_none() {
    let files = [
        ("migrate/migrations/1_a.up.sql", SQL),
        ("migrate/migrations/2_b.up.sql", SQL),
        ("migrate/schema.sql", "CREATE TABLE a (id bigint);"),
    ];
    let tree = Tree::new(&files);
    let project = tree.load(&[]).unwrap();
    assert_eq!(
        (only(&project).root.as_str(), only(&project).framework),
        ("migrate/migrations", Framework::GolangMigrate)
    );
    assert!(says(&project, "migrate/schema.sql"));
    // With a version it is a migration of another history.
    let tree = Tree::new(&[files[0], files[1], ("migrate/001_schema.sql", SQL)]);
    assert_eq!(tree.load(&[]).unwrap().histories.len(), 2);
}

#[test]
fn what_tests_run_is_no_history() {
    let files = [
        ("migrations/1_a.up.sql", SQL),
        ("migrations/2_b.up.sql", SQL),
        ("src/test/db/01-auth.sql", SQL),
        ("src/test/db/02-data.sql", SQL),
        ("pkg/testdata/migrations/1_x.up.sql", SQL),
    ];
    // What is built into the application is its own, whatever it is called.
    let built = Tree::new(&[
        ("src/main/resources/db/migration/V1__a.sql", SQL),
        ("src/main/resources/db/testdata/V2__b.sql", SQL),
        ("src/main/resources/application.properties", "spring.flyway.locations=classpath:db"),
    ]);
    assert_eq!(names(only(&built.load(&[]).unwrap())), ["a", "b"]);
    let tree = Tree::new(&files);
    let project = tree.load(&[]).unwrap();
    assert_eq!(only(&project).root, "migrations");
    assert!(says(&project, "pkg/testdata/migrations/1_x.up.sql"));
    assert_eq!(only(&tree.load(&["src/test/db"]).unwrap()).migrations.len(), 2);
    // Where nothing else is there, it is what is meant.
    let tree = Tree::new(&files[2..4]);
    assert_eq!(only(&tree.load(&[]).unwrap()).root, "src/test/db");
}

#[test]
fn migrations_are_found_upwards_too() {
    let tree = Tree::new(&[("migrations/1_a/up.sql", SQL), ("migrations/2_b/up.sql", SQL), ("src/main.rs", "")]);
    for folder in ["", "src", "migrations", "migrations/2_b"] {
        let project = tree.load_in(folder, &[], &Flags::default(), None).unwrap();
        assert_eq!((only(&project).root.as_str(), only(&project).migrations.len()), ("migrations", 2), "{folder}");
    }
}

#[test]
fn the_name_of_the_working_directory_counts_without_a_repository() {
    let tree = Tree::new(&[("migrations/20240101_a/migration.sql", SQL), ("migrations/20240102_b/migration.sql", SQL)]);
    fs::remove_dir(tree.0.join(".git")).unwrap();
    let project = tree.load_in("migrations", &[], &Flags::default(), None).unwrap();
    assert_eq!((only(&project).root.as_str(), names(only(&project))), (".", vec!["a", "b"]));
}

#[test]
fn a_file_inside_a_history_is_judged_with_its_context() {
    let tree = Tree::new(&[("db/migrations/1_a.sql", SQL), ("db/migrations/2_b.sql", SQL), ("dump.sql", SQL)]);
    let project = tree.load(&["db/migrations/2_b.sql"]).unwrap();
    assert_eq!((names(only(&project)), judged(only(&project))), (vec!["a", "b"], vec!["b"]));
    assert!(says(&project, "only the files named are judged"));
    let lone = tree.load(&["dump.sql"]).unwrap();
    assert_eq!((names(only(&lone)), judged(only(&lone)), only(&lone).complete), (vec!["dump"], vec!["dump"], false));
}

#[test]
fn a_folder_inside_a_history_is_judged_with_its_context() {
    let tree = Tree::new(&[
        ("m/1_a/up.sql", SQL),
        ("m/2_b/up.sql", SQL),
        ("db/migration/2023/V1__a.sql", SQL),
        ("db/migration/2024/V2__b.sql", SQL),
        ("migrations/postgres/V1__a.sql", SQL),
    ]);
    for (path, root) in [("m/2_b", "m"), ("db/migration/2024", "db/migration")] {
        let project = tree.load(&[path]).unwrap();
        assert_eq!(only(&project).root, root);
        assert_eq!((names(only(&project)), judged(only(&project))), (vec!["a", "b"], vec!["b"]), "{path}");
    }
    // All of a history in a folder of its own: the folder is the history.
    assert_eq!(only(&tree.load(&["migrations/postgres"]).unwrap()).root, "migrations/postgres");
}

#[test]
fn nothing_is_an_error_that_says_what_to_do() {
    let tree = Tree::new(&[("README.md", "")]);
    assert!(matches!(tree.load(&[]), Err(Error::NothingFound { .. })));
    assert!(matches!(tree.load(&["."]), Err(Error::NothingFound { .. })));
    assert!(matches!(tree.load(&["db"]), Err(Error::MissingPath { path }) if path == "db"));
    tree.write(&[("sql/query.sql", SQL)]);
    assert!(matches!(tree.load(&[]), Err(Error::NothingFound { help, .. }) if help.contains("1 SQL files")));
}

#[test]
fn other_databases_are_skipped_beside_and_refused_alone() {
    let mysql = "create table `a` (b int auto_increment) engine=innodb;\n";
    let tree = Tree::new(&[
        ("db/mysql/migrations/1_a.up.sql", mysql),
        ("db/postgres/migrations/1_a.up.sql", SQL),
        ("db/postgres/migrations/2_b.mysql.up.sql", mysql),
        ("db/postgres/migrations/2_b.up.sql", SQL),
        ("db/postgres/migrations/2_b.postgres.up.sql", "create table c (d int);\ncreate table e (f int);"),
    ]);
    let project = tree.load(&["db"]).unwrap();
    let history = only(&project);
    assert_eq!((history.root.as_str(), history.migrations.len()), ("db/postgres/migrations", 2));
    assert_eq!(history.migrations[1].up.nodes.len(), 2);
    assert!(says(&project, "skipped 2 files for MySQL"));
    for path in ["db/mysql", "db/mysql/migrations/1_a.up.sql"] {
        let refused = tree.load(&[path]);
        assert!(
            matches!(&refused, Err(Error::OtherDatabase { database, .. }) if database == "MySQL"),
            "{path}: {refused:?}"
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_said() {
    let tree = Tree::new(&[("m/1_a.up.sql", SQL)]);
    tree.write_bytes("m/2_b.up.sql", b"\xFF\xFEs\0");
    tree.write_bytes("m/3_c.up.sql", b"select '\xE9'");
    tree.write_bytes("m/4_d.up.sql", b"\xEF\xBB\xBFselect 1;");
    fs::File::create(tree.0.join("m/5_e.up.sql")).unwrap().set_len(65 * 1024 * 1024).unwrap();
    let project = tree.load(&["m"]).unwrap();
    assert_eq!(names(only(&project)), ["a", "d"]);
    let reasons: Vec<&str> = project.unread_files.iter().map(|file| file.reason.as_str()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].contains("UTF-16") && reasons[1].contains("UTF-8") && reasons[2].contains("64 MiB"));
}

#[cfg(unix)]
#[test]
fn links_and_special_files_do_no_harm() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&[("db/migrations/1_a.sql", SQL), ("real/2_b.sql", SQL)]);
    symlink(tree.0.join("real/2_b.sql"), tree.0.join("db/migrations/2_b.sql")).unwrap();
    symlink(tree.0.join("nowhere"), tree.0.join("db/migrations/3_c.sql")).unwrap();
    symlink(&tree.0, tree.0.join("db/migrations/loop")).unwrap();
    symlink(Path::new("/"), tree.0.join("db/migrations/outside")).unwrap();
    let made = Command::new("mkfifo").arg(tree.0.join("db/migrations/4_d.sql")).status().unwrap();
    assert!(made.success());
    let project = tree.load(&["db"]).unwrap();
    assert_eq!(names(only(&project)), ["a", "b"]);
    let unread: Vec<(&str, &str)> =
        project.unread_files.iter().map(|file| (file.path.as_str(), file.reason.as_str())).collect();
    assert_eq!(unread.len(), 2, "{unread:?}");
    assert!(unread[0].0.ends_with("3_c.sql") && unread[1].1.contains("no regular file"), "{unread:?}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_are_told_where_they_may_be_migrations() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&[("db/migrations/1_a/up.sql", SQL), ("db/migrations/2_b/up.sql", SQL), ("lib/x", "")]);
    for link in ["lib/openzeppelin", "db/migrations/3_c", "other/4_d.sql", "lib/y.txt"] {
        let link = tree.0.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(tree.0.join("nowhere"), link).unwrap();
    }
    // To itself, as a copied link may come to stand.
    for link in ["lib/LICENSE", "db/migrations/5_e"] {
        symlink(Path::new(link).file_name().unwrap(), tree.0.join(link)).unwrap();
    }
    let project = tree.load(&["."]).unwrap();
    let unread: Vec<&str> = project.unread_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(unread, ["db/migrations/3_c", "db/migrations/5_e", "other/4_d.sql"]);
}

#[test]
fn settings_name_paths_databases_and_releases() {
    let settings = r#"
        paths = ["sql"]
        databases = { main = "sql", ci = "sql", other = "elsewhere" }
        [releases]
        "1.0" = ["sql/1_*"]
        "1.1" = ["2"]
    "#;
    let tree = Tree::new(&[("plimsoll.toml", settings), ("sql/1_a.sql", SQL), ("sql/2_b.sql", SQL), ("src/x", "")]);
    let project = tree.load_in("src", &[], &Flags::default(), None).unwrap();
    let history = only(&project);
    assert_eq!(history.databases, ["ci", "main"]);
    let releases: Vec<Option<&str>> = history.migrations.iter().map(|one| one.release.as_deref()).collect();
    assert_eq!(releases, [Some("1.0"), Some("1.1")]);
    tree.write(&[("plimsoll.toml", "pths = 'x'\nfail-on = 3\n")]);
    assert!(matches!(tree.load(&[]), Err(Error::Settings { faults, .. }) if faults.len() == 2));
}

#[test]
fn strange_names_do_no_harm() {
    let names = ["_.sql", "1_.sql", "é_1.sql", ".up.sql", "1.sql", "V__.sql", "V1__.sql", "é.sql", "a\nb.sql", "-.sql"];
    for framework in Framework::ALL {
        let tree = Tree::new(&[]);
        for name in names.iter().map(|name| (*name).to_owned()).chain(["9".repeat(200) + "_a.up.sql"]) {
            tree.write(&[(&format!("m/{name}"), SQL), (&format!("m/{name}.d/up.sql"), SQL)]);
        }
        let flags = Flags { framework: Some(framework), ..Flags::default() };
        match tree.load_with(&["m"], &flags) {
            Ok(project) => assert!(!project.histories.is_empty(), "{framework:?}"),
            Err(error) => assert!(matches!(error, Error::NothingFound { .. }), "{framework:?}: {error:?}"),
        }
    }
}
