//! Prisma: a folder per migration with `migration.sql`, in the order of the folders' names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Search;
use super::super::names::plain;
use super::super::order::by_text;
use super::super::place::{file_name, folder};
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over, sort};
use crate::history::{AfterFailure, Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Prisma,
    detect,
    list,
    compare: by_text,
    shape: Shape::FolderOfFolders,
    fits: |name| name == "migration.sql",
    unit: TransactionUnit::SimpleQuery,
    after_failure: AfterFailure::MarkedDirty,
    checksums: true,
    // The folder's whole name is the version.
    one_per_version: false,
    also: &[("migration.ts", "TypeScript"), ("migration.js", "JavaScript")],
    manifests: &["migration_lock.toml"],
    ..ORDINARY
};

fn detect(search: &mut Search<'_>) {
    let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, files) in &search.folders {
        let numbered = file_name(path).starts_with(|first: char| first.is_ascii_digit());
        if files.iter().any(|file| file.name() == "migration.sql") && path.len() > search.tree.start.len() {
            roots.entry(folder(path).to_owned()).or_default().extend(numbered.then(|| path.clone()));
        }
    }
    for (root, inside) in roots {
        if inside.is_empty() && !search.folders_with("migration_lock.toml").contains(&root) {
            continue;
        }
        let files = search.take_below(&root);
        search.add(root, Framework::Prisma, files);
    }
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries { other_database: other_provider(context), ..Entries::default() };
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        let above = file.folder();
        if file.name() != "migration.sql" || folder(above) != layout.root {
            ignored.insert(file.path.clone());
            continue;
        }
        let parts = plain(file_name(above));
        let (version, name) =
            if parts.version.is_empty() { (parts.name.clone(), parts.name) } else { (parts.version, parts.name) };
        found.entries.push(Entry::new(version, name, file, TransactionUnit::SimpleQuery));
    }
    sort(&mut found, |_, _| std::cmp::Ordering::Equal);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// The database that `migration_lock.toml` names, where that is not PostgreSQL.
fn other_provider(context: &Context<'_>) -> Option<&'static str> {
    let text = context.beside(&context.inside("migration_lock.toml"))?;
    let table = text.parse::<toml::Table>().ok()?;
    match table.get("provider")?.as_str()? {
        "mysql" => Some("MySQL"),
        "sqlite" => Some("SQLite"),
        "sqlserver" => Some("SQL Server"),
        "cockroachdb" => Some("CockroachDB"),
        _ => None,
    }
}
