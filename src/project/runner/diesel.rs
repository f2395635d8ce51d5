//! Diesel and Hasura: a folder per migration with `up.sql` and `down.sql`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Search;
use super::super::order::{by_number, by_text};
use super::super::place::{file_name, folder};
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over, sort};
use crate::history::{Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Diesel,
    detect: |search| detect(search, Framework::Diesel),
    list: |context| list(context, unit),
    // `MigrationVersion` is a text without dashes, compared as text.
    compare: |left, right| by_text(&left.replace('-', ""), &right.replace('-', "")),
    shape: Shape::FolderOfFolders,
    fits: is_side,
    ..ORDINARY
};

pub const HASURA: Tool = Tool {
    framework: Framework::Hasura,
    detect: |search| detect(search, Framework::Hasura),
    list: |context| list(context, |_, _| TransactionUnit::File),
    compare: by_number,
    shape: Shape::FolderOfFolders,
    fits: is_side,
    ..ORDINARY
};

fn is_side(name: &str) -> bool {
    matches!(name, "up.sql" | "down.sql")
}

/// Folders with an `up.sql` each: Hasura's where its `config.yaml` is around, Diesel's elsewhere.
fn detect(search: &mut Search<'_>, framework: Framework) {
    let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, files) in &search.folders {
        // A lone `up.sql` at the start is not a history of folders.
        if path.len() > search.tree.start.len() && files.iter().any(|file| file.name() == "up.sql") {
            roots.entry(folder(path).to_owned()).or_default().push(path.clone());
        }
    }
    for (root, inside) in roots {
        if framework == Framework::Hasura && !search.is_named(&root, framework) {
            continue;
        }
        let files = inside.iter().flat_map(|path| search.take(path)).collect();
        search.add(root, framework, files);
    }
}

fn list(context: &mut Context<'_>, unit: fn(&Context<'_>, &str) -> TransactionUnit) -> Entries {
    let mut found = Entries::default();
    let mut folders: BTreeMap<&str, (Option<&Found>, Option<&Found>)> = BTreeMap::new();
    let mut ignored = BTreeSet::new();
    for file in &context.layout.files {
        match file.name() {
            "up.sql" => folders.entry(file.folder()).or_default().0 = Some(file),
            "down.sql" => folders.entry(file.folder()).or_default().1 = Some(file),
            _ => {
                ignored.insert(file.path.clone());
            }
        }
    }
    for (folder, (up, down)) in folders {
        let Some(up) = up else {
            found.remarks.push(format!("{folder}: `down.sql` without an `up.sql` never runs"));
            continue;
        };
        found.has_down |= down.is_some();
        let (version, name) = file_name(folder).split_once('_').unwrap_or((file_name(folder), ""));
        let entry = Entry::new(version.replace('-', ""), name, up, unit(context, folder));
        found.entries.push(Entry { down: down.cloned(), ..entry });
    }
    sort(&mut found, super::tool(context.layout.framework).compare);
    found.remarks.extend(passed_over(context.layout, &ignored));
    found
}

/// A `metadata.toml` that does not name `run_in_transaction` turns transactions off: the field's default is
/// `false` once the file is there (`TomlMetadata`). One that cannot be read counts as absent.
fn unit(context: &Context<'_>, folder: &str) -> TransactionUnit {
    let Some(text) = context.beside(&format!("{folder}/metadata.toml")) else { return TransactionUnit::File };
    let Ok(table) = text.parse::<toml::Table>() else { return TransactionUnit::File };
    match table.get("run_in_transaction") {
        None | Some(toml::Value::Boolean(false)) => TransactionUnit::SimpleQuery,
        Some(_) => TransactionUnit::File,
    }
}
