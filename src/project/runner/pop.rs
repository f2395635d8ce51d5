//! pop and what Ory made of it: names as golang-migrate's, compared as texts; each file in a transaction.
//! A `migrations_manifest.txt` names what runs, as milmove has it.

use std::collections::BTreeMap;

use super::super::names::{Numbered, up_down};
use super::super::order::by_text;
use super::super::place::named;
use super::super::template::Style;
use super::numbered::{is_up_down_of, pair_chosen};
use super::{Context, Entries, Entry, ORDINARY, Tool, passed_over, sort};
use crate::history::{Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Pop,
    detect: |search| {
        for root in search.folders_with(MANIFESTS[0]) {
            let files = search.take_below(&root);
            if !files.is_empty() {
                search.add(root, Framework::Pop, files);
            }
        }
        search.take_each(Framework::Pop, |search, path| is_up_down_of(search, path, Framework::Pop));
    },
    list,
    // `UpMigrations.Less` compares texts.
    compare: by_text,
    fits: |name| up_down(name).is_some(),
    also: &[(".up.fizz", "fizz")],
    templates: Style::Go,
    of_twins: "runs one of two, and never the other",
    manifests: &[MANIFESTS[0]],
    ..ORDINARY
};

/// How a name says that it is for PostgreSQL alone (`CanonicalDialect`).
const POSTGRES: [&str; 4] = ["postgres", "postgresql", "pg", "pgx"];

/// The first by version, then objects that are made anew, then data (milmove's `migrate`).
const MANIFESTS: [&str; 6] = [
    "migrations_manifest.txt",
    "ddl_types_manifest.txt",
    "ddl_tables_manifest.txt",
    "ddl_views_manifest.txt",
    "ddl_functions_manifest.txt",
    "dml_migrations_manifest.txt",
];

fn list(context: &mut Context<'_>) -> Entries {
    let mut found = if context.manifest(&context.inside(MANIFESTS[0])).is_some() {
        by_manifests(context)
    } else {
        by_dialect(context)
    };
    for entry in &mut found.entries {
        if entry.up.name().split('.').any(|part| part == "autocommit") {
            entry.unit = TransactionUnit::SimpleQuery;
        }
    }
    found
}

/// What is for PostgreSQL alone takes the place of what is for all, in either direction by itself (`sortAndFilter`).
fn by_dialect(context: &Context<'_>) -> Entries {
    let is_own = |parts: &Numbered| parts.name.split('.').skip(1).any(|part| POSTGRES.contains(&part));
    let mut overruled: Vec<String> = Vec::new();
    let mut found = pair_chosen(context, up_down, |side| {
        if side.iter().any(|(_, parts)| is_own(parts)) {
            overruled.extend(side.iter().filter(|(_, parts)| !is_own(parts)).map(|(file, _)| file.path.clone()));
            side.retain(|(_, parts)| is_own(parts));
        }
    });
    if let Some(first) = overruled.first() {
        let (root, count) = (named(&context.layout.root), overruled.len());
        found.remarks.push(format!(
            "{root}: pop runs what is for PostgreSQL alone in the place of what is for all databases: passed over {count}, \
             such as `{first}`"
        ));
    }
    found
}

fn by_manifests(context: &Context<'_>) -> Entries {
    let layout = context.layout;
    let mut by_name: BTreeMap<&str, _> = layout.files.iter().map(|file| (file.name(), file)).collect();
    let others: BTreeMap<&str, _> = layout.other.iter().map(|file| (file.name(), file)).collect();
    let mut found = Entries::default();
    for manifest in MANIFESTS {
        let path = context.inside(manifest);
        let text = match context.manifest(&path) {
            Some(Ok(text)) => text,
            Some(Err(reason)) => {
                found.unread.push((path, reason));
                continue;
            }
            None => continue,
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut part = Entries::default();
        let mut missing = Vec::new();
        for name in lines {
            match by_name.remove(name).and_then(|file| Some((file, up_down(name)?))) {
                Some((file, parts)) => {
                    part.entries.push(Entry::new(parts.version, parts.name, file, TransactionUnit::File));
                }
                None => match others.get(name) {
                    Some(file) if file.folder() == layout.root => {}
                    Some(file) => {
                        let reason = "it is a migration in fizz: what it does is not read".to_owned();
                        found.unread.push((file.path.clone(), reason));
                    }
                    None => missing.push(name),
                },
            }
        }
        sort(&mut part, by_text);
        found.entries.extend(part.entries);
        if let Some(first) = missing.first() {
            let reason = format!("{} files that it names are not there, such as `{first}`", missing.len());
            found.unread.push((path, reason));
        }
    }
    let ignored = by_name.into_values().map(|file| file.path.clone()).collect();
    found.remarks.extend(passed_over(layout, &ignored));
    found
}
