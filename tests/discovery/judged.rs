//! Which migrations are judged: against a revision, after a version, from standard input.

use std::fs;

use plimsoll::error::Error;
use plimsoll::history::{SinceBase, TransactionUnit};
use plimsoll::project::read_settings;
use plimsoll::settings::Flags;

use crate::tree::*;

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
    // Shipped first; an edited one stays where it ran, with its shipped text behind it, and so does one that is gone.
    assert_eq!(names(history), ["a", "b", "b", "d", "gone", "renamed", "c", "e", "untracked"]);
    let stands: Vec<SinceBase> = history.migrations.iter().map(|one| one.since_base).collect();
    use SinceBase::{Added, Deleted, Edited, Same, Shipped};
    assert_eq!(stands, [Same, Edited, Shipped, Same, Deleted, Same, Added, Added, Added]);
    let fresh: Vec<&str> = history.fresh.iter().map(|number| history.migrations[*number].name.as_str()).collect();
    assert_eq!(fresh, ["a", "b", "c", "d", "renamed", "e", "untracked"], "as a new database runs them");
    assert_eq!(history.newest_shipped.as_deref(), Some("8"), "what main ships meanwhile counts for the order");
    assert_eq!(history.late.len(), 2, "3 and 7 come too late");
    let base = project.base.as_ref().unwrap();
    assert_eq!(base.commit, tree.git(&["merge-base", "main", "HEAD"]));
    let edited: Vec<(&str, &str)> =
        base.edited.iter().map(|edited| (edited.path.as_str(), &*project.sources.get(edited.before).text)).collect();
    assert_eq!(edited, [("m/2_b.up.sql", "create table b (c int);\n")]);
    let deleted: Vec<&str> = base.deleted.iter().map(|deleted| deleted.path.as_str()).collect();
    assert_eq!(deleted, ["m/5_gone.up.sql"]);
    assert_eq!(history.migrations[8].release.as_deref(), Some("this change"));

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
fn unread_files_are_judged_by_the_version_in_their_names() {
    let tree = Tree::new(&[("m/1_a.up.sql", SQL), ("m/2_b.go", "package m"), ("m/3_c.up.sql", SQL), ("m/4_d.go", "")]);
    let flags = Flags { after: Some("1".to_owned()), ..Flags::default() };
    let judged = |flags: &Flags| {
        let project = tree.load_with(&["m"], flags).unwrap();
        project.unread_files.iter().map(|file| (file.path.clone(), file.judged)).collect::<Vec<_>>()
    };
    assert_eq!(judged(&flags), [("m/2_b.go".to_owned(), true), ("m/4_d.go".to_owned(), true)]);
    let flags = Flags { after: Some("3".to_owned()), ..Flags::default() };
    assert_eq!(judged(&flags), [("m/2_b.go".to_owned(), false), ("m/4_d.go".to_owned(), true)]);
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
