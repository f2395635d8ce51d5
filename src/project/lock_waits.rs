//! A `lock_timeout` that the project's own code or configuration sets for its migrations: found in the checkout around
//! a history, within bounds. Says what it read and where; nothing is run.

mod says;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::place::{Place, below, file_name};
use super::text::peek;
pub use says::Setting;

/// What makes a folder a package of its own.
const MANIFESTS: &[&str] = &[
    "package.json",
    "go.mod",
    "Cargo.toml",
    "pyproject.toml",
    "Gemfile",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
];

/// Made, foreign, or no part of what runs in production.
const SKIPPED: &[&str] = &[
    "node_modules",
    "vendor",
    "target",
    "dist",
    "build",
    "out",
    "site-packages",
    "__pycache__",
    "test",
    "tests",
    "__tests__",
    "spec",
    "fixtures",
    "examples",
    "example",
    "docs",
    "testdata",
    "e2e",
    "mocks",
];

/// Entries looked at, folders' depth, files opened and their size: a package is known by its nearest files.
const ENTRY_CAP: usize = 4_000;
const DEPTH_CAP: usize = 6;
const OPEN_CAP: usize = 100;
const SIZE_CAP: u64 = 128 * 1024;

/// A setting with the file that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub path: String,
    pub setting: Setting,
}

/// For each history, by its first folder, the first file of the package around it that sets a `lock_timeout` for
/// migrations. Rails has places of its own for it.
pub fn find_each<'a>(place: &Place, layouts: impl Iterator<Item = &'a [String]>) -> BTreeMap<&'a str, Found> {
    layouts.filter_map(|folders| Some((folders.first()?.as_str(), find(place, folders)?))).collect()
}

fn find(place: &Place, folders: &[String]) -> Option<Found> {
    let start = place.root.join(folders.first()?);
    let inside = start.ancestors().skip(1).take_while(|above| above.starts_with(&place.root));
    let package = inside.into_iter().find(|folder| MANIFESTS.iter().any(|name| folder.join(name).exists()))?;
    let own: BTreeSet<PathBuf> = folders.iter().map(|folder| place.root.join(folder)).collect();
    files(package, &own).into_iter().take(OPEN_CAP).find_map(|file| {
        if fs::metadata(&file).ok()?.len() > SIZE_CAP {
            return None;
        }
        let path = place.shown(&file);
        let setting = says::for_migrations(&place_in(package, &file), &peek(&file)?)?;
        Some(Found { path, setting })
    })
}

fn place_in(package: &Path, file: &Path) -> String {
    file.strip_prefix(package).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

/// Files of a package that may say something, those named for migrations first, then the topmost; nested packages are
/// others' business.
fn files(package: &Path, own: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut folders = VecDeque::from([(package.to_path_buf(), 0)]);
    let (mut found, mut seen) = (Vec::new(), 0);
    while let Some((folder, depth)) = folders.pop_front() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let entries = entries.take(ENTRY_CAP).filter_map(Result::ok);
        let mut entries: Vec<_> = entries.map(|entry| (entry.file_name(), entry)).collect();
        seen += entries.len();
        if seen > ENTRY_CAP {
            break;
        }
        if depth > 0 && entries.iter().any(|(name, _)| MANIFESTS.iter().any(|manifest| name == manifest)) {
            continue;
        }
        entries.sort_unstable_by(|(name, _), (other, _)| name.cmp(other));
        let inside = place_in(package, &folder);
        let is_beside = own.iter().any(|one| is_beside(one, &folder));
        for (name, entry) in entries {
            // A link may lead anywhere.
            let Ok(kind) = entry.file_type() else { continue };
            let name = name.to_string_lossy();
            if kind.is_dir() {
                let is_left_out =
                    || name.starts_with('.') || SKIPPED.contains(&name.as_ref()) || own.contains(&entry.path());
                if depth < DEPTH_CAP && !is_left_out() {
                    folders.push_back((entry.path(), depth + 1));
                }
            } else if kind.is_file() && says::may_say(&below(&inside, &name), is_beside) {
                found.push(entry.path());
            }
        }
    }
    found.sort_by_cached_key(|file| !says::is_about(&place_in(package, file)));
    found
}

/// Code beside a folder of migrations, or beside the folder that holds it, is often what runs them.
fn is_beside(migrations: &Path, folder: &Path) -> bool {
    let above = migrations.parent();
    above == Some(folder) || above.and_then(Path::parent) == Some(folder)
}

impl Found {
    /// The sentence of a run that takes it for granted.
    pub fn remark(&self, root: &str) -> String {
        let Setting { value, line } = &self.setting;
        format!(
            "{root}: its migrations are taken to run with lock_timeout = {value}, which `{}` sets in line {line}; \
             `lock-timeout` in plimsoll.toml says otherwise",
            self.path
        )
    }
}

/// Tests and examples set what production does not.
fn is_test(path: &str) -> bool {
    let name = file_name(path);
    [".test.", ".spec.", "_test.", "_spec.", ".example", ".sample", ".template"].iter().any(|part| name.contains(part))
        || name.starts_with("test_")
}
