//! Drizzle: the files that `meta/_journal.json` names, in its order, or a folder for each migration in the order of
//! their names, as drizzle-kit 1 writes them; all pending ones in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::layout::{Layout, Search};
use super::super::names::plain;
use super::super::order::{by_text, natural_paths};
use super::super::place::{file_name, folder};
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over, sort};
use crate::history::{Framework, TransactionUnit, day_of};

pub const TOOL: Tool = Tool {
    framework: Framework::Drizzle,
    detect,
    list,
    compare: by_text,
    shape: Shape::Whole,
    fits: |name| name.ends_with(".sql"),
    unit: TransactionUnit::AllPending,
    one_per_version: false,
    manifests: &["meta/_journal.json"],
    ..ORDINARY
};

pub const JOURNAL: &str = "meta/_journal.json";

/// What stands beside the SQL of a migration with a folder of its own: the schema after it.
pub const SNAPSHOT: &str = "snapshot.json";
const SQL: &str = "migration.sql";

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    tag: String,
    /// Milliseconds; what is not newer than the newest that ran is passed over.
    when: f64,
}

fn detect(search: &mut Search<'_>) {
    for meta in search.folders_with("_journal.json") {
        let root = folder(&meta).to_owned();
        if file_name(&meta) == "meta" && !search.files(&root).is_empty() {
            let files = search.take(&root);
            search.add(root, Framework::Drizzle, files);
        }
    }
    let snapshots: BTreeSet<String> = search.folders_with(SNAPSHOT).into_iter().collect();
    // Of each root: its migrations, and those with a snapshot. A migration by hand may have none.
    let mut roots: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for path in search.paths().into_iter().filter(|path| path.len() > search.tree.start.len()) {
        if search.files(&path).iter().any(|file| file.name() == SQL) {
            let (all, with) = roots.entry(folder(&path).to_owned()).or_default();
            *all += 1;
            *with += usize::from(snapshots.contains(&path));
        }
    }
    for (root, _) in roots.into_iter().filter(|(_, (all, with))| *with > 0 && with * 2 >= *all) {
        let files = search.take_below(&root);
        search.add(root, Framework::Drizzle, files);
    }
}

/// Each folder below the root that holds a `migration.sql`, by its name: what the database has not recorded runs.
fn list_folders(layout: &Layout) -> Entries {
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        let above = file.folder();
        if file.name() != SQL || folder(above) != layout.root {
            ignored.insert(file.path.clone());
            continue;
        }
        let parts = plain(&format!("{}.sql", file_name(above)));
        found.entries.push(Entry::new(parts.version, parts.name, file, TransactionUnit::AllPending));
    }
    sort(&mut found, |_, _| std::cmp::Ordering::Equal);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

fn list(context: &mut Context<'_>) -> Entries {
    let path = context.inside(JOURNAL);
    let layout = context.layout;
    let has_own_folder = |file: &Found| file.name() == SQL && folder(file.folder()) == layout.root;
    if !layout.beside.contains(&path) && layout.files.iter().any(has_own_folder) {
        return list_folders(layout);
    }
    let mut found = Entries::default();
    let mut unit = TransactionUnit::AllPending;
    let is_there = |row: &Row| layout.files.iter().any(|file| file.name() == format!("{}.sql", row.tag));
    let rows = match context.manifest(&path).map(|text| rows(&text?)) {
        // Nobody who has only this could run any of them: they are run by other means.
        Some(Ok(rows)) if !rows.is_empty() && !layout.files.is_empty() && !rows.iter().any(is_there) => {
            unit = TransactionUnit::Statement;
            found.remarks.push(format!(
                "{path}: it names none of the files beside it: they are read by name, each statement as sent by itself"
            ));
            by_name(context)
        }
        Some(Ok(rows)) => rows,
        Some(Err(reason)) => {
            found.unread.push((path, reason));
            by_name(context)
        }
        None => by_name(context),
    };
    let by_tag: BTreeMap<&str, &Found> =
        context.layout.files.iter().map(|file| (file.name().trim_end_matches(".sql"), file)).collect();
    let mut taken = BTreeSet::new();
    let mut missing = Vec::new();
    let mut newest: Option<&Row> = None;
    let mut late = Vec::new();
    for row in &rows {
        let Some(file) = by_tag.get(row.tag.as_str()) else {
            missing.push(row.tag.as_str());
            continue;
        };
        if !taken.insert(file.path.clone()) {
            continue;
        }
        match newest {
            Some(before) if before.when >= row.when => late.push((row, before)),
            _ => newest = Some(row),
        }
        let parts = plain(&format!("{}.sql", row.tag));
        let made = day_of(&format!("{:.0}", row.when));
        let entry = Entry::new(parts.version, parts.name, file, unit);
        found.entries.push(Entry { made, ..entry });
    }
    found.remarks.extend(late.first().map(|(row, before)| {
        let (path, count) = (context.inside(JOURNAL), late.len());
        let (row, before) = (&row.tag, &before.tag);
        format!(
            "{path}: `{row}` is not newer than `{before}`: where that ran before, Drizzle passes over it ({count} such)"
        )
    }));
    if let Some(first) = missing.first() {
        let reason =
            format!("Drizzle refuses it: {} files that it names are missing, such as `{first}.sql`", missing.len());
        found.unread.push((context.inside(JOURNAL), reason));
    }
    let ignored = context.layout.files.iter().map(|file| file.path.clone()).filter(|path| !taken.contains(path));
    found.remarks.extend(passed_over(context.layout, &ignored.collect()));
    found
}

fn rows(text: &str) -> Result<Vec<Row>, String> {
    let journal: Journal =
        serde_json::from_str(text).map_err(|error| format!("it is no journal of Drizzle: {error}"))?;
    Ok(journal.entries)
}

/// When a journal says that each of its files was made: by that alone Drizzle knows what ran.
pub fn moments(text: &str) -> BTreeMap<String, u64> {
    let rows = rows(text).unwrap_or_default();
    rows.into_iter().map(|row| (format!("{}.sql", row.tag), row.when as u64)).collect()
}

/// Without a journal that can be read: the files by name.
fn by_name(context: &Context<'_>) -> Vec<Row> {
    let mut files: Vec<&Found> = context.layout.files.iter().collect();
    files.sort_by(|left, right| natural_paths(&left.path, &right.path));
    let tags = files.iter().map(|file| file.name().trim_end_matches(".sql").to_owned());
    tags.enumerate().map(|(at, tag)| Row { tag, when: at as f64 }).collect()
}
