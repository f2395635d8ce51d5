//! Rails: which folders are one history, in which order, run how, judged when.

use plimsoll::history::{Framework, Phase};
use plimsoll::project::{Request, load, read_settings};
use plimsoll::settings::Flags;

use crate::tree::*;

/// A migration of this class.
fn ruby(class: &str) -> String {
    format!("class {class} < ActiveRecord::Migration[7.1]\n  def change\n  end\nend\n")
}

fn said(class: &str, says: &str) -> String {
    format!("class {class} < Gitlab::Database::Migration[2.2]\n  {says}\n  def up; end\n  def down; end\nend\n")
}

const APP: (&str, &str) = ("config/application.rb", "");

#[test]
fn rails_runs_by_version_whatever_the_folder() {
    let (tree, project) = load_as(
        &[
            APP,
            ("db/migrate/20240102000000_add_b.rb", &ruby("AddB")),
            ("db/migrate/001_create_a.rb", &ruby("CreateA")),
            ("db/migrate/2024/20240103000000_add_c.rb", &said("AddC", "disable_ddl_transaction!")),
            ("db/migrate/README.md", ""),
            ("db/migrate/20240104000000_CamelCase.rb", &ruby("CamelCase")),
            ("db/schema.rb", ""),
            ("app/models/a.rb", ""),
        ],
        Framework::Rails,
    );
    let history = only(&project);
    assert_eq!(versions(history), ["001", "20240102000000", "20240103000000"]);
    assert_eq!(names(history), ["create_a", "add_b", "add_c"]);
    assert_eq!(units(history), [FILE, FILE, BARE]);
    assert!(history.migrations.iter().all(|one| one.phase.is_none()), "no folder parts them");
    assert!(unread(&project)[0].1.contains("refuses its name"), "{:?}", unread(&project));
    let after = Flags { after: Some("1".into()), ..Flags::default() };
    assert_eq!(judged(only(&tree.load_with(&[], &after).unwrap())), ["add_b", "add_c"]);
}

#[test]
fn post_migrations_and_engines_are_of_the_same_history() {
    let tree = Tree::new(&[
        APP,
        ("db/migrate/20240101000000_a.rb", &ruby("A")),
        ("db/post_migrate/20240102000000_b.rb", &ruby("B")),
        ("db/migrate/20240103000000_c.rb", &ruby("C")),
        ("plugins/chat/db/migrate/20240101120000_d.rb", &ruby("D")),
        ("engines/shop/db/post_migrate/20240104000000_e.rb", &ruby("E")),
    ]);
    let project = tree.load(&[]).unwrap();
    let history = only(&project);
    assert_eq!(names(history), ["a", "d", "b", "c", "e"]);
    let phases: Vec<_> = history.migrations.iter().map(|one| one.phase == Some(Phase::AfterDeploy)).collect();
    assert_eq!(phases, [false, false, true, false, true]);
    // One of its folders is judged with the rest as context.
    let project = tree.load(&["db/post_migrate"]).unwrap();
    assert_eq!((names(only(&project)).len(), judged(only(&project))), (5, vec!["b"]));
    let project = tree.load(&["plugins/chat/db/migrate/20240101120000_d.rb"]).unwrap();
    assert_eq!((names(only(&project)).len(), judged(only(&project))), (5, vec!["d"]));
}

#[test]
fn milestones_come_before_versions() {
    let tree = Tree::new(&[
        APP,
        ("db/migrate/20240105000000_old.rb", &said("Old", "")),
        ("db/migrate/20240101000000_late.rb", &said("Late", "milestone '17.10'")),
        ("db/post_migrate/20240102000000_early_post.rb", &said("EarlyPost", "milestone '17.9'")),
        ("db/migrate/20240103000000_early.rb", &said("Early", "milestone \"17.9\"")),
    ]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["old", "early", "early_post", "late"]);
    let releases: Vec<_> = only(&project).migrations.iter().map(|one| one.release.as_deref()).collect();
    assert_eq!(releases, [None, Some("17.9"), Some("17.9"), Some("17.10")]);
}

#[test]
fn further_databases_are_histories_of_their_own() {
    let settings = "production:\n  primary:\n    adapter: postgresql\n  animals:\n    adapter: postgresql\n    \
                    migrations_paths: db/animals_migrate\n  logs:\n    adapter: mysql2\n    migrations_paths: db/elsewhere/migrate\n  \
                    events:\n    adapter: clickhouse\n    migrations_paths: db/events_migrate\n";
    let tree = Tree::new(&[
        APP,
        ("config/database.yml", settings),
        ("db/migrate/20240101000000_a.rb", &ruby("A")),
        ("db/animals_migrate/20240101000000_b.rb", &ruby("B")),
        ("db/migrate_cache/20240101000000_c.rb", &ruby("C")),
        ("ee/db/migrate/20240102000000_d.rb", &ruby("D")),
        ("ee/db/geo/migrate/20240101000000_e.rb", &ruby("E")),
        ("ee/db/geo/post_migrate/20240102000000_f.rb", &ruby("F")),
        ("db/elsewhere/migrate/20240101000000_g.rb", &ruby("G")),
        ("db/events_migrate/20240101000000_h.rb", &ruby("H")),
        ("Gemfile.lock", "GEM\n  specs:\n    pg (1.5.4)\n"),
    ]);
    let project = tree.load(&[]).unwrap();
    let found: Vec<_> = project.histories.iter().map(|one| (one.root.as_str(), names(one))).collect();
    let wanted = [
        ("db/animals_migrate", vec!["b"]),
        ("db/migrate", vec!["a", "d"]),
        ("db/migrate_cache", vec!["c"]),
        ("ee/db/geo/migrate", vec!["e", "f"]),
    ];
    assert_eq!(found, wanted);
    assert!(says(&project, "db/elsewhere/migrate: skipped, it is for MySQL"), "{:?}", project.remarks);
    assert!(says(&project, "db/events_migrate: skipped, it is for ClickHouse"), "{:?}", project.remarks);
}

#[test]
fn applications_beside_each_other_stay_apart_and_gems_run_together() {
    let tree = Tree::new(&[
        ("shop/config/application.rb", ""),
        ("shop/db/migrate/20240101000000_a.rb", &ruby("A")),
        ("blog/config/application.rb", ""),
        ("blog/db/migrate/20240101000000_a.rb", &ruby("A")),
    ]);
    assert_eq!(tree.load(&[]).unwrap().histories.len(), 2);
    let tree = Tree::new(&[
        ("core/core.gemspec", ""),
        ("core/db/migrate/20240101000000_a.rb", &ruby("A")),
        ("promotions/promotions.gemspec", ""),
        ("promotions/db/migrate/20240102000000_b.rb", &ruby("B")),
        ("core/spec/dummy/config/application.rb", ""),
        ("core/spec/dummy/db/migrate/20240101000000_z.rb", &ruby("Z")),
    ]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["a", "b"]);
    assert!(says(&project, "core/spec: migrations of an application for tests"), "{:?}", project.remarks);
    assert_eq!(names(only(&tree.load(&["core/spec/dummy"]).unwrap())), ["z"]);
}

#[test]
fn data_migrations_run_among_the_others_where_a_gem_runs_them() {
    let files = |gems: &str| {
        Tree::new(&[
            APP,
            ("Gemfile.lock", gems),
            ("db/migrate/20240101000000_a.rb", &ruby("A")),
            ("db/migrate/20240103000000_c.rb", &ruby("C")),
            ("db/data/20240102000000_b.rb", &ruby("B")),
            ("app/tasks/maintenance/fill_task.rb", "module Maintenance\n  class FillTask\n  end\nend\n"),
        ])
    };
    let project = files("GEM\n  specs:\n    data_migrate (9.4.0)\n").load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["a", "b", "c"]);
    assert!(says(&project, "app/tasks/maintenance: 1 task that changes data"), "{:?}", project.remarks);
    let project = files("").load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["a", "c"]);
    assert!(says(&project, "db/data: not read"), "{:?}", project.remarks);
}

#[test]
fn what_is_no_migration_of_rails_is_told() {
    let tree = Tree::new(&[
        APP,
        ("db/migrate/20240101000000_a.rb", &ruby("A")),
        ("db/migrate/20240101000000_b.rb", &ruby("B")),
        ("db/migrate/20240102000000_broken.rb", "class Broken < ActiveRecord::Migration[7.1]\n  def change\n"),
        ("db/migrate/20240103000000_empty.rb", "# nothing\n"),
        ("db/migrate/20240104000000_copied.blog.rb", &ruby("Copied")),
        ("engines/blog/db/migrate/20200101000000_copied.rb", &ruby("Copied")),
        ("db/click_house/migrate/main/20240101000000_x.rb", "class X < ClickHouse::Migration\nend\n"),
    ]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(names(only(&project)), ["a", "copied"]);
    let reasons: Vec<_> = project.unread_files.iter().map(|file| (file.path.as_str(), file.reason.as_str())).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].1.contains("has the same version"), "{reasons:?}");
    assert!(reasons[1].1.starts_with("it is no Ruby: "), "{reasons:?}");
    assert!(reasons[2].1.contains("no class of a migration"), "{reasons:?}");
    assert!(says(&project, "engines/blog/db/migrate/20200101000000_copied.rb: not read"), "{:?}", project.remarks);
}

#[test]
fn shipped_ruby_is_compared_with_the_base() {
    let tree = Tree::committed(&[
        APP,
        ("db/migrate/20240101000000_a.rb", &ruby("A")),
        ("db/post_migrate/20240102000000_b.rb", &ruby("B")),
        ("db/post_migrate/20240103000000_c.rb", &ruby("C")),
    ]);
    tree.git(&["checkout", "-q", "-b", "change"]);
    tree.write(&[
        ("db/migrate/20240101120000_d.rb", &ruby("D")),
        ("db/post_migrate/20240102000000_b.rb", &said("B", "disable_ddl_transaction!")),
    ]);
    std::fs::remove_file(tree.0.join("db/post_migrate/20240103000000_c.rb")).unwrap();
    tree.commit();
    let since = Flags { since: Some("main".into()), ..Flags::default() };
    let project = tree.load_with(&[], &since).unwrap();
    assert_eq!((names(only(&project)), judged(only(&project))), (vec!["a", "b", "b", "c", "d"], vec!["b", "d"]));
    let base = project.base.unwrap();
    assert_eq!(base.edited[0].path, "db/post_migrate/20240102000000_b.rb");
    assert_eq!(base.deleted[0].path, "db/post_migrate/20240103000000_c.rb");
}

fn dump(versions: &[&str]) -> String {
    let rows: Vec<String> = versions.iter().map(|version| format!("('{version}')")).collect();
    format!(
        "CREATE TABLE public.a (b int);\nINSERT INTO \"schema_migrations\" (version) VALUES\n{};\n",
        rows.join(",\n")
    )
}

/// Names in order, the dump as what it is.
fn order(project: &plimsoll::project::Project) -> Vec<&str> {
    let migrations = only(project).migrations.iter();
    migrations.map(|one| if one.dump.is_some() { "(dump)" } else { one.name.as_str() }).collect()
}

#[test]
fn the_dump_at_the_base_stands_between_what_is_shipped_and_what_is_judged() {
    let tree = Tree::committed(&[
        APP,
        ("db/migrate/20240101000000_a.rb", &ruby("A")),
        ("db/migrate/20240103000000_b.rb", &ruby("B")),
        ("db/migrate/20240104000000_forgotten.rb", &ruby("Forgotten")),
        ("db/structure.sql", &dump(&["20240103000000", "20240101000000"])),
    ]);
    tree.git(&["checkout", "-q", "-b", "change"]);
    tree.write(&[
        ("db/migrate/20240102000000_c.rb", &ruby("C")),
        ("db/structure.sql", &dump(&["20240103000000", "20240102000000", "20240101000000"])),
    ]);
    tree.commit();
    let since = Flags { since: Some("main".into()), ..Flags::default() };
    let project = tree.load_with(&[], &since).unwrap();
    assert_eq!(order(&project), ["a", "b", "(dump)", "forgotten", "c"]);
    let dump = &only(&project).migrations[2];
    assert!(!dump.judged && dump.up.nodes.len() == 2, "the text of the base");
    let path = project.sources.path(dump.source);
    assert!(
        path.starts_with("db/structure.sql@") && says(&project, &format!("{path} is the schema after 2 migrations"))
    );
    assert!(says(&project, "1 that it does not list run after it"));
    assert!(says(&project, "db/migrate: 4 migrations"), "{:?}", project.remarks);
    // All judged: nothing is shipped that a dump could show.
    assert_eq!(order(&tree.load(&[]).unwrap()), ["a", "c", "b", "forgotten"]);
}

#[test]
fn without_git_a_dump_counts_up_to_what_it_lists() {
    let files = |versions: &[&str]| {
        Tree::new(&[
            APP,
            ("db/migrate/20240101000000_a.rb", &ruby("A")),
            ("db/migrate/20240102000000_b.rb", &ruby("B")),
            ("db/migrate/20240103000000_c.rb", &ruby("C")),
            ("db/structure.sql", &dump(versions)),
        ])
    };
    let after = Flags { after: Some("20240102000000".into()), ..Flags::default() };
    let tree = files(&["20240101000000"]);
    assert_eq!(order(&tree.load_with(&[], &after).unwrap()), ["a", "(dump)", "b", "c"]);
    let tree = files(&["20240101000000", "20240102000000", "20240103000000"]);
    let project = tree.load_with(&[], &after).unwrap();
    assert_eq!(order(&project), ["a", "b", "c"]);
    assert!(says(&project, "it holds that already"), "{:?}", project.remarks);
    let project = files(&[]).load_with(&[], &after).unwrap();
    assert!(says(&project, "it lists no versions") && order(&project).len() == 3);
    // Each version lies in a file of its own.
    let tree = files(&[]);
    tree.write(&[("db/schema_migrations/20240101000000", "x"), ("db/schema_migrations/20240102000000", "y")]);
    assert_eq!(order(&tree.load_with(&[], &after).unwrap()), ["a", "b", "(dump)", "c"]);
}

/// Rules that spoke, with what they said.
fn said_of(tree: &Tree, flags: &Flags) -> Vec<(String, String)> {
    let (settings, sources) = read_settings(&tree.0, flags, &[]).unwrap();
    let project = load(Request {
        paths: Vec::new(),
        working_directory: tree.0.clone(),
        settings: &settings,
        sources,
        since: flags.since.clone(),
        after: flags.after.clone(),
        stdin: None,
    });
    let report = plimsoll::analyze(&project.unwrap(), &settings);
    report.findings.iter().map(|one| (one.rule.to_owned(), one.message.clone())).collect()
}

#[test]
fn what_only_a_dump_shows_is_there() {
    let schema = "ActiveRecord::Schema[7.1].define(version: 2024_01_02_000000) do\n  create_table \"users\", force: :cascade do |t|\n    \
                  t.string \"email\"\n    t.string \"nickname\"\n    t.string \"phone\"\n    t.index [\"email\"], name: \"users_email\"\n  \
                  end\nend\n";
    let tree = Tree::committed(&[
        APP,
        ("db/migrate/20240102000000_late.rb", &ruby("Late")),
        ("db/schema.rb", schema),
        ("app/models/user.rb", "class User < ApplicationRecord\n  self.ignored_columns = %w[phone]\nend\n"),
    ]);
    tree.git(&["checkout", "-q", "-b", "change"]);
    let change = "class Change < ActiveRecord::Migration[7.1]\n  def change\n    remove_index :users, name: \"users_email\"\n    \
                  remove_column :users, :nickname, :string\n    remove_column :users, :phone, :string\n    \
                  add_column :nobody, :x, :string unless table_exists?(:nobody)\n    execute \"DROP TYPE never_seen\" if index_exists?(:users, :phone)\n  \
                  end\nend\n";
    tree.write(&[("db/migrate/20240103000000_change.rb", change)]);
    tree.commit();
    let since = Flags { since: Some("main".into()), ..Flags::default() };
    let found = said_of(&tree, &since);
    let of =
        |rule: &str| found.iter().filter(|(one, _)| one == rule).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
    assert_eq!(of("column-still-used").len(), 1, "{found:?}");
    assert!(of("column-still-used")[0].contains("`User` uses `nickname` of `users`"));
    assert!(of("drop-column").is_empty(), "one is told better, the other is ignored: {found:?}");
    assert!(of("drop-index-not-concurrent").is_empty(), "remove_column below makes everybody wait anyway: {found:?}");
    // What the change alone ignores, the release before it does not.
    tree.write(&[(
        "app/models/user.rb",
        "class User < ApplicationRecord\n  self.ignored_columns = %w[phone nickname]\nend\n",
    )]);
    let found = said_of(&tree, &since);
    let late: Vec<_> = found.iter().filter(|(rule, _)| rule == "column-still-used").collect();
    assert!(late.len() == 1 && late[0].1.contains("only from this change on"), "{found:?}");
}

/// What runs while a migration does is the code of the base.
#[test]
fn models_are_read_as_the_base_has_them() {
    let schema = "ActiveRecord::Schema[7.1].define(version: 2024_01_02_000000) do\n  create_table \"users\", force: :cascade do |t|\n    \
                  t.string \"nickname\"\n    t.string \"phone\"\n  end\nend\n";
    let model = |name: &str, body: &str| format!("class {name} < ApplicationRecord\n{body}end\n");
    let user = |body: &str| ("app/models/user.rb", model("User", body));
    let ignores = "  self.ignored_columns += %w[nickname phone]\n";
    let change = "class Change < ActiveRecord::Migration[7.1]\n  def change\n    remove_column :users, :nickname, :string\n    \
                  remove_column :users, :phone, :string\n  end\nend\n";
    let told = |before: (&str, String), now: Option<(&str, String)>| {
        let late = ruby("Late");
        let files = [APP, ("db/migrate/20240102000000_late.rb", late.as_str()), ("db/schema.rb", schema)];
        let tree = Tree::committed(&[&files[..], &[(before.0, before.1.as_str())]].concat());
        tree.git(&["checkout", "-q", "-b", "change"]);
        std::fs::remove_file(tree.0.join(before.0)).unwrap();
        tree.write(&[("db/migrate/20240103000000_change.rb", change)]);
        if let Some((path, text)) = &now {
            tree.write(&[(*path, text.as_str())]);
        }
        tree.commit();
        let found = said_of(&tree, &Flags { since: Some("main".into()), ..Flags::default() });
        let told = found.into_iter().filter(|(rule, _)| rule == "column-still-used" || rule == "drop-column");
        told.map(|(_, message)| message).collect::<Vec<_>>()
    };
    assert_eq!(told(user(ignores), Some(user(""))), [""; 0], "its line goes with the column");
    let one = told(user("  self.ignored_columns += %w[nickname]\n"), Some(user("")));
    assert!(one.len() == 1 && one[0].contains("uses `phone` of"), "{one:?}");
    let moved = Some(("app/models/crm/user.rb", model("Crm::User", ignores)));
    let one = told(user(""), moved);
    assert!(one.len() == 1 && one[0].contains("`User` uses `nickname` and `phone`"), "{one:?}");
    let one = told(user(""), None);
    assert!(one.len() == 1 && one[0].contains("`User` uses"), "the class goes with this change: {one:?}");
    let new = Some(("app/models/user.rb", model("User", "")));
    let one = told(("app/models/other.rb", model("Other", "")), new);
    assert!(!one.iter().any(|text| text.contains("`User` uses")), "no code that runs has the class: {one:?}");
}

#[test]
fn an_example_of_settings_does_not_say_that_production_runs_on_it() {
    let sqlite = "production:\n  adapter: sqlite3\n  database: db/production.sqlite3\n";
    let migration = ("db/migrate/20240101000000_create_a.rb", ruby("CreateA"));
    let loads = |settings: &str, more: &[(&str, &str)]| {
        let files = [APP, (settings, sqlite), (migration.0, migration.1.as_str())];
        Tree::new(&[&files, more].concat()).load(&[]).is_ok()
    };
    let locked = |gem: &str| format!("GEM\n  specs:\n    {gem} (1.5.0)\n");
    assert!(loads("config/database.yml.example", &[]), "which drivers there are is not known");
    assert!(!loads("config/database.yml", &[]));
    assert!(!loads("config/database.yml.example", &[("Gemfile.lock", &locked("sqlite3"))]));
    assert!(loads("config/database.yml.example", &[("Gemfile.lock", &locked("pg"))]));
}
