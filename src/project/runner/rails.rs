//! Rails: Active Record's migrations in Ruby, all folders of one database as one history.
//!
//! What a file's class says of itself (`milestone`, `disable_ddl_transaction!`) is known once it is read:
//! `project::rails` puts it in place then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::layout::Search;
use super::super::order::by_number;
use super::super::place::{below, file_name, folder, named, test_folder};
use super::super::rails::names::migration_name;
use super::super::rails::{App, app_around, inside_app, is_app};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, sort};
use crate::history::{Framework, Phase, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Rails,
    detect,
    list,
    compare: by_number,
    shape: Shape::Application,
    fits: |name| migration_name(name).is_some(),
    unit: TransactionUnit::File,
    templates: Style::None,
    ..ORDINARY
};

/// One database of one application.
type Key = (String, String);

/// The folders of one database.
#[derive(Debug, Default)]
struct Folders {
    paths: Vec<String>,
}

/// `db/migrate` with `db/post_migrate` and what engines and plugins bring is one history; `db/animals_migrate` and
/// `db/geo/migrate` are others.
fn detect(search: &mut Search<'_>) {
    let mut apps = Apps::default();
    let mut found: BTreeMap<Key, Folders> = BTreeMap::new();
    let mut tests = BTreeSet::new();
    let named_rails = search.surroundings.wanted == Some(Framework::Rails);
    for path in search.ruby_folders() {
        if let Some(host) = host_of_data(&path, search, &mut apps) {
            if is_active_record(search, &path) {
                let root = search.surroundings.place.root.clone();
                match apps.settings(&root, &host).gems.has("data_migrate") {
                    true => found.entry((host, String::new())).or_default().paths.push(path),
                    false => search.remark(format!(
                        "{}: not read, nothing among the gems says when what changes data there runs",
                        named(&path)
                    )),
                }
            }
            continue;
        }
        let known = place_of(&path, search, &mut apps);
        let Some((app, database)) = known.or_else(|| named_rails.then(|| (path.clone(), String::new()))) else {
            continue;
        };
        if !named_rails && !is_active_record(search, &path) {
            continue;
        }
        // Applications that exist for tests only, unless the search starts inside of one.
        if let Some(test) = test_folder(&path, &search.tree.start) {
            tests.insert(test.to_owned());
            continue;
        }
        found.entry((app, database)).or_default().paths.push(path);
    }
    if let Some(first) = tests.first() {
        let (count, shown) = (tests.len(), named(first));
        let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        search.remark(format!("{shown}{more}: migrations of an application for tests are not read; name the folder"));
    }
    for ((app, _), Folders { mut paths }) in found {
        // The regular folder of the application itself is the root.
        paths.sort_by_key(|path| (file_name(path) != "migrate", path.matches('/').count(), path.clone()));
        let (mut files, mut loaded) = (Vec::new(), Vec::new());
        for path in &paths {
            files.extend(search.take_ruby(path));
            loaded.extend(search.take_below(path));
        }
        if let Some(first) = loaded.first() {
            let count = loaded.len();
            let files = if count == 1 { "file is" } else { "files are" };
            let path = &first.path;
            search.remark(format!("{count} SQL {files} read where a migration loads it, such as `{path}`"));
        }
        take_dumps(search, &app);
        remark_tasks(search, &app);
        let mut paths = paths.into_iter();
        if let Some(root) = paths.next() {
            search.add_with(root, paths.collect(), Framework::Rails, files);
        }
    }
}

/// `db/data` of the gem data_migrate: steps in the order of the migrations beside them.
fn host_of_data(path: &str, search: &Search<'_>, apps: &mut Apps) -> Option<String> {
    let is_data = file_name(path) == "data" && file_name(folder(path)) == "db";
    let root = search.surroundings.place.root.clone();
    is_data.then(|| apps.host(&root, folder(folder(path)))).flatten()
}

/// Tasks of the gem maintenance_tasks run when a person starts them: nothing says in which order.
fn remark_tasks(search: &mut Search<'_>, app: &str) {
    let shown = below(app, "app/tasks/maintenance");
    let disk = search.surroundings.place.root.join(&shown);
    let entries = std::fs::read_dir(disk).into_iter().flatten().flatten();
    let count = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rb")).count();
    if count > 0 {
        let (tasks, change) = if count == 1 { ("task", "changes") } else { ("tasks", "change") };
        search.remark(format!("{shown}: {count} {tasks} that {change} data when a person runs them are not read"));
    }
}

/// Dumps of the whole schema are no migrations; the definitions of views and functions are read where a migration
/// asks for them.
fn take_dumps(search: &mut Search<'_>, app: &str) {
    for folder in [below(app, "db"), below(app, "ee/db")] {
        if let Some(files) = search.folders.get_mut(&folder) {
            files.retain(|file| !file.name().ends_with("structure.sql"));
        }
        for inside in ["views", "functions", "triggers"] {
            search.take_below(&below(&folder, inside));
        }
    }
}

/// Hosts of folders, each looked for once.
#[derive(Debug, Default)]
struct Apps {
    known: BTreeMap<String, Option<String>>,
    settings: BTreeMap<String, App>,
}

impl Apps {
    /// The application that runs what lies in a folder: the nearest one at or above it that is whole.
    fn host(&mut self, root: &Path, path: &str) -> Option<String> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let host = match is_app(&root.join(path)) {
            true => Some(path.to_owned()),
            false if path.is_empty() => None,
            false => self.host(root, folder(path)),
        };
        self.known.insert(path.to_owned(), host.clone());
        host
    }

    fn settings(&mut self, root: &Path, app: &str) -> &App {
        self.settings.entry(app.to_owned()).or_insert_with(|| App::read(root, app))
    }
}

/// The application and database that a folder's migrations are for; the main one has no name.
fn place_of(path: &str, search: &Search<'_>, apps: &mut Apps) -> Option<Key> {
    let root = search.surroundings.place.root.clone();
    let migrate = top_of_migrate(path, &search.tree.start, &search.tree.start_name)?;
    let (name, parent) = (file_name(&migrate.path), folder(&migrate.path));
    let is_db = file_name(parent) == "db" || (parent.is_empty() && migrate.starts_here);
    let own = if is_db { folder(parent) } else { parent };
    let app = match apps.host(&root, own) {
        Some(host) => host,
        // Engines beside each other, without an application around them, run in one database.
        None if is_gem(&root.join(own)) => String::new(),
        None => own.to_owned(),
    };
    let settings = apps.settings(&root, &app);
    let inside = migrate.path.strip_prefix(app.as_str()).unwrap_or(&migrate.path).trim_start_matches('/');
    if let Some(database) = settings.database_of(inside) {
        return Some((app, database));
    }
    let database = match name {
        "migrate" | "post_migrate" if is_db => String::new(),
        "migrate" | "post_migrate" => file_name(parent).to_owned(),
        _ => {
            let word = name.strip_suffix("_migrate").or_else(|| name.strip_prefix("migrate_"))?;
            word.strip_suffix("_post").unwrap_or(word).to_owned()
        }
    };
    Some((app, database))
}

/// A folder of migrations, seen from one at or below it.
struct Migrate {
    path: String,
    /// The search starts there: what is around it has no name.
    starts_here: bool,
}

/// `db/migrate/2024` belongs to `db/migrate`: Active Record looks below its folders too.
fn top_of_migrate(path: &str, start: &str, start_name: &str) -> Option<Migrate> {
    let is_migrate = |name: &str| name == "migrate" || name.ends_with("_migrate") || name.starts_with("migrate_");
    let mut at = path;
    while !at.is_empty() && at.len() >= start.len() {
        if is_migrate(file_name(at)) {
            return Some(Migrate { path: at.to_owned(), starts_here: false });
        }
        at = folder(at);
    }
    (start.is_empty() && is_migrate(start_name)).then(|| Migrate { path: String::new(), starts_here: true })
}

fn is_gem(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|ending| ending == "gemspec"))
}

/// Sequel's, ClickHouse's and Elasticsearch's migrations have the same names.
fn is_active_record(search: &mut Search<'_>, path: &str) -> bool {
    search.ruby_carries(path, |text| {
        text.contains("ActiveRecord::Migration")
            || text.contains("Database::Migration[")
            || text.contains("< Migration[")
    })
}

fn list(context: &mut Context<'_>) -> Entries {
    let mut found = Entries::default();
    let has_phases = context.layout.files.iter().any(|file| is_post(file.folder()));
    for file in &context.layout.files {
        if is_dump(file.name()) {
            found.entries.push(Entry::new("", file.name().trim_end_matches(".rb"), file, TransactionUnit::File));
            continue;
        }
        let Some((version, name, scope)) = migration_name(file.name()) else {
            let reason = "Rails refuses its name: lower case letters, digits and `_` only".to_owned();
            found.unread.push((file.path.clone(), reason));
            continue;
        };
        let name = if scope.is_empty() { name.to_owned() } else { format!("{name}.{scope}") };
        let phase = if is_post(file.folder()) { Phase::AfterDeploy } else { Phase::BeforeDeploy };
        let entry = Entry::new(version, name, file, TransactionUnit::File);
        found.entries.push(Entry { phase: has_phases.then_some(phase), ..entry });
    }
    found.other_database = other_database(context);
    found.has_down = true;
    without_installed(&mut found);
    sort(&mut found, by_number);
    refuse_names(&mut found);
    found
}

fn other_database(context: &Context<'_>) -> Option<&'static str> {
    let layout = context.layout;
    let app = app_around(context.root, &context.root.join(&layout.root))?;
    let inside = inside_app(&app, context.root, layout);
    let folders: Vec<&str> = inside.iter().map(String::as_str).collect();
    App::read(&app, "").other_database(&folders)
}

/// `db/schema.rb`, `db/animals_schema.rb`, named by the user: they are among no folder's migrations.
fn is_dump(name: &str) -> bool {
    name == "schema.rb" || name.ends_with("_schema.rb") && migration_name(name).is_none()
}

/// `db/post_migrate`, `db/animals_post_migrate` and what lies below.
fn is_post(folder: &str) -> bool {
    folder.split('/').any(|part| part == "post_migrate" || part.ends_with("_post_migrate"))
}

/// `railties:install:migrations` copies an engine's files under new versions, with the engine's name: the copy runs.
fn without_installed(found: &mut Entries) {
    let copies: BTreeSet<String> =
        found.entries.iter().filter_map(|entry| entry.name.split_once('.')).map(|(name, _)| name.to_owned()).collect();
    let before = found.entries.len();
    let mut first = None;
    found.entries.retain(|entry| {
        let is_original = copies.contains(&entry.name);
        if is_original && first.is_none() {
            first = Some(entry.up.path.clone());
        }
        !is_original
    });
    if let Some(first) = first {
        let count = before - found.entries.len();
        found.remarks.push(format!("{first}: not read, a copy of it is among the application's ({count} such files)"));
    }
    for entry in &mut found.entries {
        if let Some((name, _)) = entry.name.split_once('.') {
            entry.name = name.to_owned();
        }
    }
}

/// Two classes of one name: Rails refuses to run any.
fn refuse_names(found: &mut Entries) {
    let mut seen: BTreeMap<String, &Found> = BTreeMap::new();
    let mut twins = Vec::new();
    for entry in &found.entries {
        match seen.get(&entry.name) {
            Some(before) => twins.push((entry.up.path.clone(), before.path.clone())),
            None => {
                seen.insert(entry.name.clone(), &entry.up);
            }
        }
    }
    let more = twins.len().saturating_sub(1);
    if let Some((path, before)) = twins.first() {
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        found.remarks.push(format!("{path}: Rails refuses two migrations of one name; `{before}` has it too{more}"));
    }
}
