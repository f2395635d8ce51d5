//! `maragudk/migrate`: names up to `.up.sql` are versions, compared as texts; each file in a transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Search;
use super::super::names::{Direction, plain};
use super::super::order::by_text;
use super::numbered::has_twins;
use super::{Context, Entries, Entry, ORDINARY, Tool, passed_over, sort};
use crate::history::{Framework, Late, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::MaragudkMigrate,
    detect: |search| search.take_each(Framework::MaragudkMigrate, is_own),
    list,
    compare: by_text,
    fits: |name| version(name).is_some(),
    late: Late::Skips,
    ..ORDINARY
};

fn is_own(search: &mut Search<'_>, path: &str) -> bool {
    if !search.mostly(path, |name| version(name).is_some()) {
        return false;
    }
    let hints = search.hints(path);
    // Where both are required, a number used twice tells: golang-migrate refuses it.
    hints.contains(&Framework::MaragudkMigrate)
        && (!hints.contains(&Framework::GolangMigrate) || has_twins(search.files(path)))
}

/// `^([\w-]+).up.sql$`, in which the dots stand for any character.
fn version(name: &str) -> Option<(&str, Direction)> {
    let stem = name.strip_suffix("sql")?.strip_suffix(|_: char| true)?;
    let ends = [("up", Direction::Up), ("down", Direction::Down)];
    let (version, direction) = ends
        .into_iter()
        .find_map(|(word, direction)| Some((stem.strip_suffix(word)?.strip_suffix(|_: char| true)?, direction)))?;
    let is_part = |next: char| next.is_ascii_alphanumeric() || next == '_' || next == '-';
    (!version.is_empty() && version.chars().all(is_part)).then_some((version, direction))
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let (mut found, mut ignored, mut downs) = (Entries::default(), BTreeSet::new(), BTreeMap::new());
    for file in &layout.files {
        match version(file.name()).filter(|_| file.folder() == layout.root) {
            Some((version, Direction::Up)) => {
                found.entries.push(Entry::new(version, plain(version).name, file, TransactionUnit::File));
            }
            Some((version, Direction::Down)) => {
                downs.insert(version, file);
            }
            None => {
                ignored.insert(file.path.clone());
            }
        }
    }
    for entry in &mut found.entries {
        entry.down = downs.remove(entry.version.as_str()).cloned();
        found.has_down |= entry.down.is_some();
    }
    sort(&mut found, by_text);
    found.remarks.extend(downs.into_values().map(|down| format!("{}: no `up` has its version", down.path)));
    found.remarks.extend(passed_over(layout, &ignored));
    found
}
