//! Drizzle: the files that `meta/_journal.json` names, in its order, all pending ones in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::layout::Search;
use super::super::names::plain;
use super::super::order::{by_text, natural_paths};
use super::super::place::folder;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over};
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

const JOURNAL: &str = "meta/_journal.json";

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
        if super::super::place::file_name(&meta) == "meta" && !search.files(&root).is_empty() {
            let files = search.take(&root);
            search.add(root, Framework::Drizzle, files);
        }
    }
}

fn list(context: &mut Context<'_>) -> Entries {
    let mut found = Entries::default();
    let path = context.inside(JOURNAL);
    let rows = match context.manifest(&path).map(|text| rows(&text?)) {
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
        let entry = Entry::new(parts.version, parts.name, file, TransactionUnit::AllPending);
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

/// Without a journal that can be read: the files by name.
fn by_name(context: &Context<'_>) -> Vec<Row> {
    let mut files: Vec<&Found> = context.layout.files.iter().collect();
    files.sort_by(|left, right| natural_paths(&left.path, &right.path));
    let tags = files.iter().map(|file| file.name().trim_end_matches(".sql").to_owned());
    tags.enumerate().map(|(at, tag)| Row { tag, when: at as f64 }).collect()
}
