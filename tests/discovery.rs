//! Real trees on disk: which migrations are found, in which order, run how, and which are judged.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll::error::Error;
use plimsoll::history::{AfterFailure, Framework, History, TransactionUnit};
use plimsoll::project::{Project, Request, load, read_settings};
use plimsoll::settings::Flags;

/// A folder that is gone after the test.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("plimsoll-discovery-{}-{number}", std::process::id()));
        fs::create_dir_all(root.join(".git")).unwrap();
        let tree = Tree(root);
        tree.write(files);
        tree
    }

    /// Inside a repository with one commit of the files on `main`.
    fn committed(files: &[(&str, &str)]) -> Tree {
        let tree = Tree::new(&[]);
        fs::remove_dir(tree.0.join(".git")).unwrap();
        tree.git(&["init", "-q", "-b", "main"]);
        tree.write(files);
        tree.commit();
        tree
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write_bytes(path, text.as_bytes());
        }
    }

    fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    }

    fn load(&self, paths: &[&str]) -> Result<Project, Error> {
        self.load_in("", paths, &Flags::default(), None)
    }

    fn load_with(&self, paths: &[&str], flags: &Flags) -> Result<Project, Error> {
        self.load_in("", paths, flags, None)
    }

    fn load_in(&self, folder: &str, paths: &[&str], flags: &Flags, stdin: Option<&str>) -> Result<Project, Error> {
        let working_directory = self.0.join(folder);
        let (settings, sources) = read_settings(&working_directory, flags, &[])?;
        load(Request {
            paths: paths.iter().map(PathBuf::from).collect(),
            working_directory,
            settings: &settings,
            sources,
            since: flags.since.clone(),
            after: flags.after.clone(),
            stdin: stdin.map(str::to_owned),
        })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn only(project: &Project) -> &History {
    assert_eq!(project.histories.len(), 1, "{:?}", project.remarks);
    &project.histories[0]
}

fn versions(history: &History) -> Vec<&str> {
    history.migrations.iter().map(|migration| migration.version.as_str()).collect()
}

fn names(history: &History) -> Vec<&str> {
    history.migrations.iter().map(|migration| migration.name.as_str()).collect()
}

fn units(history: &History) -> Vec<TransactionUnit> {
    history.migrations.iter().map(|migration| migration.transaction).collect()
}

fn judged(history: &History) -> Vec<&str> {
    let judged = history.migrations.iter().filter(|migration| migration.judged);
    judged.map(|migration| migration.name.as_str()).collect()
}

fn says(project: &Project, words: &str) -> bool {
    project.remarks.iter().any(|remark| remark.contains(words))
}

const SQL: &str = "create table a (b int);\n";

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
    let tree =
        Tree::new(&[("m/3_a.up.sql", SQL), ("m/003_b.up.sql", SQL), ("m/4_c.down.sql", SQL), ("m/5_d.up.sql", SQL)]);
    let project = tree.load(&["m"]).unwrap();
    assert_eq!(names(only(&project)), ["b", "d"]);
    assert_eq!(project.unread_files.len(), 1);
    assert!(project.unread_files[0].reason.contains("same version"));
    assert!(says(&project, "4_c.down.sql"));
    assert!(!only(&project).complete);
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
fn after_compares_as_the_runner_does() {
    let tree = Tree::new(&[("m/001_a.up.sql", SQL), ("m/002_b.up.sql", SQL), ("m/003_c.up.sql", SQL)]);
    for version in ["2", "002", "000002"] {
        let flags = Flags { after: Some(version.to_owned()), ..Flags::default() };
        let project = tree.load_with(&["m"], &flags).unwrap();
        assert_eq!(judged(only(&project)), ["c"], "{version}");
        assert_eq!(only(&project).migrations[2].release.as_deref(), Some("this change"));
    }
    let unknown = Flags { after: Some("7".to_owned()), ..Flags::default() };
    assert!(matches!(tree.load_with(&["m"], &unknown), Err(Error::Usage { .. })));
}

#[test]
fn standard_input_comes_after_its_history() {
    let tree = Tree::new(&[("m/1_a.up.sql", SQL)]);
    let project = tree.load_in("", &["m"], &Flags::default(), Some("alter table a add c int;")).unwrap();
    assert_eq!((names(only(&project)), judged(only(&project))), (vec!["a", "stdin"], vec!["stdin"]));
    assert_eq!(units(only(&project))[1], TransactionUnit::SimpleQuery);
    let empty = Tree::new(&[]);
    let alone = empty.load_in("", &[], &Flags::default(), Some("select 1;")).unwrap();
    assert_eq!(judged(only(&alone)), ["stdin"]);
}

fn since(revision: &str) -> Flags {
    Flags { since: Some(revision.to_owned()), ..Flags::default() }
}

#[test]
fn since_judges_what_the_work_tree_adds_or_changes() {
    let tree = Tree::committed(&[
        ("m/1_a.up.sql", SQL),
        ("m/2_b.up.sql", "create table b (c int);\n"),
        ("m/4_d.up.sql", "create table d (e int);\n"),
        ("m/5_gone.up.sql", "create table gone (e int);\n"),
        ("m/6_old.up.sql", "create table old (e int);\n"),
    ]);
    tree.git(&["checkout", "-q", "-b", "topic"]);
    tree.write(&[("m/3_c.up.sql", "create table c (c int);\n"), ("m/7_e.up.sql", "create table e (c int);\n")]);
    tree.commit();
    // What main ships meanwhile is none of this branch's.
    tree.git(&["checkout", "-q", "main"]);
    tree.write(&[("m/8_main.up.sql", "create table of_main (c int);\n")]);
    tree.commit();
    tree.git(&["checkout", "-q", "topic"]);
    tree.write(&[
        ("m/2_b.up.sql", "create table b (c bigint);\n"),
        ("m/9_untracked.up.sql", "create table u (v int);\n"),
    ]);
    tree.write_bytes("m/4_d.up.sql", b"create table d (e int);\r\n");
    fs::remove_file(tree.0.join("m/5_gone.up.sql")).unwrap();
    fs::rename(tree.0.join("m/6_old.up.sql"), tree.0.join("m/6_renamed.up.sql")).unwrap();

    let project = tree.load_with(&["m"], &since("main")).unwrap();
    let history = only(&project);
    assert_eq!(judged(history), ["b", "c", "e", "untracked"]);
    // Shipped first; an edited one stays where it ran.
    assert_eq!(names(history), ["a", "b", "d", "renamed", "c", "e", "untracked"]);
    let base = project.base.as_ref().unwrap();
    assert_eq!(base.commit, tree.git(&["merge-base", "main", "HEAD"]));
    let edited: Vec<(&str, &str)> =
        base.edited.iter().map(|edited| (edited.path.as_str(), &*project.sources.get(edited.before).text)).collect();
    assert_eq!(edited, [("m/2_b.up.sql", "create table b (c int);\n")]);
    let deleted: Vec<&str> = base.deleted.iter().map(|deleted| deleted.path.as_str()).collect();
    assert_eq!(deleted, ["m/5_gone.up.sql"]);
    assert_eq!(history.migrations[6].release.as_deref(), Some("this change"));

    let named = tree.load_with(&["m/3_c.up.sql", "m/1_a.up.sql"], &since("main")).unwrap();
    assert_eq!(judged(only(&named)), ["c"]);
}

#[test]
fn unread_files_are_judged_where_they_are_new() {
    let tree = Tree::committed(&[("m/1_a.up.sql", SQL), ("m/2_b.go", "package m"), ("m/3_c.up.sql", "\u{0}")]);
    let unread = |tree: &Tree| {
        let project = tree.load_with(&["m"], &since("main")).unwrap();
        let unread = project.unread_files.iter().map(|file| (file.path.clone(), file.judged));
        (unread.collect::<Vec<_>>(), says(&project, "no migration is judged"))
    };
    assert_eq!(unread(&tree), (vec![("m/2_b.go".to_owned(), false), ("m/3_c.up.sql".to_owned(), false)], true));
    tree.write(&[("m/2_b.go", "package n"), ("m/3_c.up.sql", "\u{0}\u{0}"), ("m/4_d.up.sql", SQL)]);
    assert_eq!(unread(&tree), (vec![("m/2_b.go".to_owned(), true), ("m/3_c.up.sql".to_owned(), true)], false));
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

#[test]
fn a_base_that_is_not_here_says_which_fetch_is_needed() {
    let tree = Tree::committed(&[("m/1_a.up.sql", SQL)]);
    let help = |revision: &str| match tree.load_with(&["m"], &since(revision)) {
        Err(Error::Git { help, .. }) => help,
        other => panic!("{other:?}"),
    };
    assert!(help("origin/main").contains("git fetch origin main"));
    assert!(help("--output=/tmp/x").contains("git fetch"));
    tree.git(&["checkout", "-q", "--orphan", "lone"]);
    tree.write(&[("m/2_b.up.sql", SQL)]);
    tree.commit();
    assert!(help("main").contains("branched from"));
    let bare = Tree::new(&[("m/1_a.up.sql", SQL)]);
    fs::remove_dir(bare.0.join(".git")).unwrap();
    assert!(matches!(bare.load_with(&["m"], &since("main")), Err(Error::Git { .. })));
}

#[test]
fn settings_can_come_from_a_trusted_revision() {
    let tree = Tree::committed(&[("plimsoll.toml", "fail-on = 'note'\n"), ("src/x", "")]);
    tree.write(&[("plimsoll.toml", "fail-on = 'error'\n")]);
    let read = |revision: Option<&str>| {
        let flags = Flags { config_from: revision.map(str::to_owned), ..Flags::default() };
        read_settings(&tree.0.join("src"), &flags, &[]).map(|(settings, _)| settings.fail_on.word())
    };
    assert_eq!((read(None).unwrap(), read(Some("main")).unwrap()), ("error", "note"));
    assert!(matches!(read(Some("nowhere")), Err(Error::Git { .. })));
}

#[cfg(unix)]
#[test]
fn nothing_that_the_repository_configures_is_run() {
    let tree = Tree::committed(&[("m/1_a.up.sql", SQL), (".gitattributes", "*.sql filter=evil diff=evil text\n")]);
    let mark = tree.0.join("ran");
    let run = format!("sh -c 'touch {}; cat'", mark.display());
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.external",
        "core.pager",
        "pager.ls-tree",
        "core.sshCommand",
        "uploadpack.packObjectsHook",
        "core.editor",
        "alias.ls-tree",
        "alias.cat-file",
        "credential.helper",
    ] {
        tree.git(&["config", key, &run]);
    }
    for hook in ["post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"] {
        let path = tree.0.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&path, permissions).unwrap();
    }
    let _ = fs::remove_file(&mark);
    tree.write(&[("m/2_b.up.sql", SQL)]);
    let project = tree.load_with(&["m"], &since("HEAD")).unwrap();
    assert_eq!(judged(only(&project)), ["b"]);
    assert!(!mark.exists(), "something of the repository's configuration ran");
    // The traps are live: an ordinary command springs them.
    tree.git(&["status"]);
    assert!(mark.exists());
}
