//! The files below a folder that matter to migrations. Bounded; follows no link out of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::place::{Place, file_name, folder};
use super::rails::names::is_migration;

/// More entries than this are no migrations' folder.
const ENTRY_CAP: usize = 400_000;
const DEPTH_CAP: usize = 40;

/// Folders that hold other people's files or made ones.
const SKIPPED: &[&str] = &["node_modules", "target", "vendor", "__pycache__", "site-packages"];

/// Files that say how the migrations beside them run.
const BESIDE: &[&str] = &[
    "metadata.toml",
    "sqitch.plan",
    "config.yaml",
    "_journal.json",
    "snapshot.json",
    "migration_lock.toml",
    "atlas.sum",
    "manifest.json",
];

fn is_beside(name: &str) -> bool {
    // Liquibase's changelogs.
    let is_changelog = (name.contains("changelog") || name.contains("master"))
        && [".xml", ".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
    is_changelog || BESIDE.contains(&name) || name.ends_with(".conf") || name.ends_with("_manifest.txt")
}

/// A file found, as shown and as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub path: String,
    pub disk: PathBuf,
}

impl Found {
    pub fn name(&self) -> &str {
        file_name(&self.path)
    }

    pub fn folder(&self) -> &str {
        folder(&self.path)
    }
}

/// What a walk brought.
#[derive(Debug, Default)]
pub struct Tree {
    /// Where it started, as shown.
    pub start: String,
    /// The folder's own name, which the shown path lacks at the root.
    pub start_name: String,
    /// SQL files, sorted by path.
    pub sql: Vec<Found>,
    /// Ruby files named as Active Record's migrations are, sorted by path.
    pub ruby: Vec<Found>,
    /// Files of other languages whose name begins with a version: migrations that are not SQL.
    pub other: Vec<Found>,
    /// Files that say how migrations run: `metadata.toml`, `V1__x.sql.conf`, `sqitch.plan`, `_journal.json`.
    pub beside: BTreeSet<String>,
    /// Entries that could not be listed.
    pub unread: Vec<Unlisted>,
}

/// An entry that could not be listed.
#[derive(Debug)]
pub struct Unlisted {
    pub path: String,
    pub reason: String,
    /// A link to something that is not there, or to itself: nothing is hidden behind it but perhaps one file.
    pub leads_nowhere: bool,
}

/// Lists what lies below a folder.
pub fn walk(place: &Place, start: &Path) -> Tree {
    let start_name = start.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut tree = Tree { start: place.shown(start), start_name, ..Tree::default() };
    let entries = WalkDir::new(start).max_depth(DEPTH_CAP).follow_links(true);
    let entries = entries.into_iter().filter_entry(|entry| entry.depth() == 0 || is_entered(place, start, entry));
    let mut seen = 0;
    for entry in entries {
        seen += 1;
        if seen > ENTRY_CAP {
            let reason = format!("it holds more than {ENTRY_CAP} entries; name a folder inside it");
            let path = tree.start.clone();
            tree.unread.push(Unlisted { path, reason, leads_nowhere: false });
            break;
        }
        match entry {
            Ok(entry) if !entry.file_type().is_dir() => tree.take(place, entry.path()),
            Ok(_) => {}
            Err(error) => tree.refuse(place, &error),
        }
    }
    tree.sql.sort();
    tree.ruby.sort();
    tree.other.sort();
    tree.unread.sort_by(|one, other| one.path.cmp(&other.path));
    tree
}

fn is_entered(place: &Place, start: &Path, entry: &DirEntry) -> bool {
    if !entry.file_type().is_dir() {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    if name.starts_with('.') || SKIPPED.contains(&name.as_ref()) {
        return false;
    }
    if !entry.path_is_symlink() {
        return true;
    }
    // A link out of the repository may lead to the whole disk; one to what is walked anyway brings all twice.
    let (Ok(target), Ok(start)) = (entry.path().canonicalize(), start.canonicalize()) else { return false };
    target.starts_with(&place.root) && !start.starts_with(&target) && !target.starts_with(&start)
}

impl Tree {
    fn take(&mut self, place: &Place, disk: &Path) {
        let path = place.shown(disk);
        let name = file_name(&path);
        if name.starts_with('.') {
            return;
        }
        let found = || Found { path: path.clone(), disk: disk.to_path_buf() };
        if is_sql(name) {
            self.sql.push(found());
        } else if is_migration(name) {
            self.ruby.push(found());
        } else if is_in_other_language(name) {
            self.other.push(found());
        } else if is_beside(name) {
            self.beside.insert(path.clone());
        }
    }

    fn refuse(&mut self, place: &Place, error: &walkdir::Error) {
        let path = error.path().map(|path| place.shown(path)).unwrap_or_default();
        let reason = match (error.loop_ancestor(), error.io_error()) {
            (Some(ancestor), _) => format!("it is a link to a folder above it, `{}`", place.shown(ancestor)),
            (None, Some(error)) => super::text::reason(error),
            (None, None) => "it cannot be listed".to_owned(),
        };
        // What is no SQL is none of our business, unless nothing below could be seen.
        if error.loop_ancestor().is_none() && (is_migration_file(file_name(&path)) || !file_name(&path).contains('.')) {
            // To nothing, or in a circle. What must not be seen may still be a folder.
            let leads_nowhere = error.path().is_some_and(Path::is_symlink)
                && error.io_error().is_some_and(|error| error.kind() != std::io::ErrorKind::PermissionDenied);
            self.unread.push(Unlisted { path, reason, leads_nowhere });
        }
    }
}

/// A file that may be a migration by its name.
pub fn is_migration_file(name: &str) -> bool {
    is_sql(name) || is_migration(name)
}

/// `a.sql`, and `a.sql.postgres` of trees that keep one variant per database.
pub fn is_sql(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".sql") || name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with(".sql") && is_variant(&name))
}

fn is_variant(name: &str) -> bool {
    name.ends_with(".postgres") || name.ends_with(".postgresql") || name.ends_with(".sqlite")
}

/// `00004_rename_root.go`, as runners mix them among SQL files, and Prisma's `migration.ts`; tests are none.
fn is_in_other_language(name: &str) -> bool {
    const ENDINGS: &[&str] = &["go", "fizz", "js", "ts", "mjs", "cjs", "py", "rs", "java", "kt"];
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let stem = stem.strip_prefix(['V', 'U']).unwrap_or(stem);
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    // Synapse's are named `01a.py`.
    let is_numbered = digits > 0 && (ending == "py" || stem[digits..].starts_with(['_', '-', '.']));
    ENDINGS.contains(&ending) && (is_numbered || stem == "migration") && !stem.ends_with("_test")
}
