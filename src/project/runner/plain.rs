//! A plain folder of SQL files: natural order of paths, and what is known of other tools' endings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::{Layout, Search};
use super::super::names::{self, Direction, Numbered, plain};
use super::super::order::{by_number_or_date, natural_paths};
use super::super::place::{below, file_name, folder, named};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool};
use crate::history::{Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Plain,
    detect,
    list,
    compare: by_number_or_date,
    shape: Shape::Whole,
    fits: |_| true,
    unit: TransactionUnit::Statement,
    one_per_version: false,
    also: &[("migration.ts", "TypeScript"), ("migration.js", "JavaScript")],
    templates: Style::Psql,
    ..ORDINARY
};

/// What no runner claimed and is named as migrations are; all of it in a folder that the user named.
fn detect(search: &mut Search<'_>) {
    let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in search.paths() {
        // What lies in a runner's folder and is not its own is passed over by it.
        if search.is_taken(&path) {
            continue;
        }
        let above_versions = || search.is_one_of_many(&path).then(|| folder(&path).to_owned());
        let known = search.well_known_above(&path).or_else(above_versions);
        if let Some(root) = known.or_else(|| is_numbered(search.files(&path)).then(|| path.clone())) {
            roots.entry(root).or_default().push(path);
        }
    }
    roots.retain(|root, inside| !stands_above(search, root, inside));
    let nothing_known = roots.is_empty() && !search.has_found();
    if search.surroundings.named_by_user && nothing_known && !search.folders.is_empty() {
        roots.insert(search.tree.start.clone(), search.paths());
    }
    for (root, inside) in roots {
        for (root, inside) in split(search, root, inside) {
            let files = inside.iter().flat_map(|path| search.take(path)).collect();
            search.add(root, Framework::Plain, files);
        }
    }
}

/// `migrate/schema.sql` above `migrate/migrations`, which a runner has: a dump or a helper of that history, and none of its
/// own. It is left over, which is said.
fn stands_above(search: &Search<'_>, root: &str, inside: &[String]) -> bool {
    let has_version = |path: &String| search.files(path).iter().any(|file| !plain(file.name()).version.is_empty());
    search.has_found_below(root) && !inside.iter().any(has_version)
}

/// `migrations/tenant/0001-a.sql` and `migrations/shared/0001-b.sql` are two histories: folders side by side,
/// named by words, that count from the same number.
fn split(search: &Search<'_>, root: String, inside: Vec<String>) -> Vec<(String, Vec<String>)> {
    let mut parts: BTreeMap<String, (Vec<String>, BTreeSet<String>)> = BTreeMap::new();
    for path in &inside {
        let rest = path.strip_prefix(root.as_str()).unwrap_or(path).trim_start_matches('/');
        let first = rest.split('/').next().unwrap_or_default();
        if first.is_empty() || first.starts_with(|character: char| character.is_ascii_digit()) {
            return vec![(root, inside)];
        }
        let versions = search.files(path).iter().map(|file| plain(file.name()).version).filter(|own| !own.is_empty());
        let entry = parts.entry(below(&root, first)).or_default();
        entry.0.push(path.clone());
        entry.1.extend(versions);
    }
    let mut seen = BTreeSet::new();
    let collide = parts.values().any(|(_, versions)| versions.iter().any(|version| !seen.insert(version.clone())));
    let named_by_versions = parts.keys().all(|part| names::is_version_folder(file_name(part)));
    if parts.len() < 2 || !collide || named_by_versions {
        return vec![(root, inside)];
    }
    parts.into_iter().map(|(part, (paths, _))| (part, paths)).collect()
}

/// A few among many may be drafts or dumps.
fn is_numbered(files: &[Found]) -> bool {
    let numbered = files.iter().filter(|file| !plain(file.name()).version.is_empty()).count();
    numbered > 1 && numbered * 10 >= files.len() * 9
}

pub fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let twins: BTreeSet<String> =
        layout.files.iter().filter_map(|file| side(&file.path)).map(|(stem, _)| stem).collect();
    let mut ups: Vec<(&Found, Numbered, String)> = Vec::new();
    let mut downs: BTreeMap<String, &Found> = BTreeMap::new();
    for file in &layout.files {
        let relative = file.path.strip_prefix(layout.root.as_str()).unwrap_or(&file.path).trim_start_matches('/');
        let mut parts = plain(relative);
        let mut stem = format!("{}/{}_{}", file.folder(), parts.version, parts.name);
        if let Some((own, direction)) = side(&file.path).filter(|(stem, _)| has_both(&twins, stem, &layout.files)) {
            parts.direction = Some(direction);
            stem = own;
        }
        match parts.direction {
            Some(Direction::Down) => {
                downs.insert(stem, file);
            }
            Some(Direction::Up) | None => ups.push((file, parts, stem)),
        }
    }
    ups.sort_by(|left, right| natural_paths(&left.0.path, &right.0.path));
    pass_over_unversioned(layout, &mut ups, &mut found);
    pass_over_mirrors(layout, &mut ups, &mut found);
    for (file, parts, stem) in ups {
        let down = downs.remove(&stem).cloned();
        found.has_down |= down.is_some();
        let entry = Entry::new(parts.version, parts.name, file, TransactionUnit::Statement);
        found.entries.push(Entry { down, ..entry });
    }
    let alone = downs.into_values().map(|file| format!("{}: undoes no migration that was found", file.path));
    found.remarks.extend(alone);
    found
}

/// Among files with versions, one without is a dump, a helper or a draft: nothing says when it would run.
fn pass_over_unversioned(layout: &Layout, ups: &mut Vec<(&Found, Numbered, String)>, found: &mut Entries) {
    let versioned = ups.iter().filter(|(_, parts, _)| !parts.version.is_empty()).count();
    if versioned < 3 || versioned * 4 < ups.len() * 3 {
        return;
    }
    let without = ups.iter().filter(|(_, parts, _)| parts.version.is_empty());
    let ignored: BTreeSet<String> = without.map(|(file, _, _)| file.path.clone()).collect();
    let Some(first) = ignored.first() else { return };
    found.has_gaps = true;
    let (root, count) = (named(&layout.root), ignored.len());
    found
        .remarks
        .push(format!("{root}: not read for want of a version among files that have one: {count}, such as `{first}`"));
    ups.retain(|(_, parts, _)| !parts.version.is_empty());
}

/// `26.mirror_only.sql` beside `26.master_only.sql`: what runs on copies of a database is another history.
fn pass_over_mirrors(layout: &Layout, ups: &mut Vec<(&Found, Numbered, String)>, found: &mut Entries) {
    let says = |file: &Found, words: &[&str]| {
        let name = file.name().trim_end_matches(".sql").to_ascii_lowercase().replace('-', "_");
        words.iter().any(|word| name.ends_with(word))
    };
    let originals: BTreeSet<String> = ups
        .iter()
        .filter(|(file, ..)| says(file, &["master_only", "standalone_only", "master_and_standalone"]))
        .map(|(_, parts, _)| parts.version.clone())
        .collect();
    let is_mirror = |file: &Found, parts: &Numbered| says(file, &["mirror_only"]) && originals.contains(&parts.version);
    let mirrors: Vec<&str> =
        ups.iter().filter(|(file, parts, _)| is_mirror(file, parts)).map(|(file, ..)| file.path.as_str()).collect();
    let Some(first) = mirrors.first() else { return };
    let (root, count) = (named(&layout.root), mirrors.len());
    found.remarks.push(format!("{root}: {count} files for mirrors are not read, such as `{first}`"));
    ups.retain(|(file, parts, _)| !is_mirror(file, parts));
}

/// `a_up.sql` and `a_down.sql`: a direction only where the twin is there.
fn side(path: &str) -> Option<(String, Direction)> {
    let stem = path.strip_suffix(".sql")?;
    let ends = [("up", Direction::Up), ("down", Direction::Down)];
    ends.into_iter().find_map(|(word, direction)| {
        let stem = stem.strip_suffix(word)?;
        stem.ends_with(['_', '-']).then(|| (stem.to_owned(), direction))
    })
}

fn has_both(twins: &BTreeSet<String>, stem: &str, files: &[Found]) -> bool {
    let there = |word: &str| {
        let path = format!("{stem}{word}.sql");
        files.binary_search_by(|file| file.path.as_str().cmp(&path)).is_ok()
    };
    twins.contains(stem) && there("up") && there("down")
}
