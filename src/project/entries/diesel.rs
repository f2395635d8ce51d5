//! Diesel: a folder per migration with `up.sql`, `down.sql` and `metadata.toml`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::order::compare_versions;
use super::super::place::file_name;
use super::super::walk::Found;
use super::{Context, Entries, Entry, passed_over};
use crate::history::{Framework, TransactionUnit};

pub fn entries(context: &mut Context<'_>) -> Entries {
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
        found.entries.push(Entry {
            version: version.replace('-', ""),
            name: name.to_owned(),
            up: up.clone(),
            down: down.cloned(),
            unit: unit(context, folder),
            repeatable: false,
            sections: None,
        });
    }
    found.entries.sort_by(|left, right| {
        let order = compare_versions(Framework::Diesel, &left.version, &right.version);
        order.then_with(|| left.up.cmp(&right.up))
    });
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
