//! Synapse: the newest `full_schemas/NN`, then the deltas of the versions after it, all in one transaction.

use std::collections::BTreeSet;

use super::super::dialect::without_variant;
use super::super::layout::Search;
use super::super::order::by_number;
use super::super::place::{file_name, folder, is_below};
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over};
use crate::history::{Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Synapse,
    detect,
    list,
    compare: by_number,
    shape: Shape::Whole,
    fits: |name| super::super::walk::is_sql(name),
    unit: TransactionUnit::AllPending,
    one_per_version: false,
    ..ORDINARY
};

/// `schema/common/full_schemas/72` beside `schema/main/delta/73`.
fn detect(search: &mut Search<'_>) {
    let full = search.paths().into_iter().filter(|path| file_name(folder(path)) == "full_schemas");
    let roots: BTreeSet<String> = full.map(|path| folder(folder(folder(&path))).to_owned()).collect();
    for root in roots {
        let has_deltas = search.folders.keys().any(|path| {
            is_below(path, &root) && file_name(folder(path)) == "delta" && folder(folder(folder(path))) == root
        });
        if has_deltas {
            let files = search.take_below(&root);
            search.add(root, Framework::Synapse, files);
        }
    }
}

/// A file's version and whether it is part of a full schema: `main/delta/73/01a.sql`.
fn place(file: &Found) -> Option<(u32, bool)> {
    let version = file_name(file.folder()).parse().ok()?;
    match file_name(folder(file.folder())) {
        "full_schemas" => Some((version, true)),
        "delta" => Some((version, false)),
        _ => None,
    }
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let placed = layout.files.iter().filter_map(|file| Some((file, place(file)?)));
    let placed: Vec<(&Found, (u32, bool))> = placed.collect();
    let full = placed.iter().filter(|(_, (_, is_full))| *is_full).map(|(_, (version, _))| *version).max().unwrap_or(0);
    let mut own: Vec<(u32, bool, &Found)> = Vec::new();
    let (mut summed_up, mut ignored) = (0, BTreeSet::new());
    for (file, (version, is_full)) in placed {
        match (is_full, version.cmp(&full)) {
            (true, std::cmp::Ordering::Equal) | (false, std::cmp::Ordering::Greater) => {
                own.push((version, !is_full, file))
            }
            _ => summed_up += 1,
        }
    }
    ignored.extend(layout.files.iter().filter(|file| place(file).is_none()).map(|file| file.path.clone()));
    // Across the folders of the data stores by version, then by name (`_upgrade_existing_database`).
    own.sort_by(|left, right| (left.0, left.1, left.2.name()).cmp(&(right.0, right.1, right.2.name())));
    for (version, _, file) in own {
        let name = without_variant(file.name());
        let name = name.trim_end_matches(".sql");
        found.entries.push(Entry::new(version.to_string(), name, file, TransactionUnit::AllPending));
    }
    for file in &layout.other {
        if file.name().ends_with(".py") && place(file).is_some_and(|(version, _)| version > full) {
            let reason = "it is a migration in Python: what it does is not read".to_owned();
            found.unread.push((file.path.clone(), reason));
        }
    }
    if summed_up > 0 {
        let root = super::super::place::named(&layout.root);
        let remark =
            format!("{root}: {summed_up} files up to version {full} are summed up by its full schema and not read");
        found.remarks.push(remark);
    }
    found.remarks.extend(passed_over(layout, &ignored));
    found
}
