//! Sqlx and golang-migrate: a number, a title, `.up.sql` and `.down.sql`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::names::{Direction, Numbered, numbered, up_down};
use super::super::order::compare_versions;
use super::super::walk::Found;
use super::{Context, Entries, Entry, passed_over};
use crate::history::TransactionUnit;

/// Files of one version and direction.
type Sides<'a> = (Option<(&'a Found, Numbered)>, Option<&'a Found>);

pub fn golang_migrate(context: &mut Context<'_>) -> Entries {
    let mut found = pair(context, up_down);
    for entry in &mut found.entries {
        entry.unit = TransactionUnit::SimpleQuery;
    }
    found
}

pub fn sqlx(context: &mut Context<'_>) -> Entries {
    let mut found = pair(context, numbered);
    for entry in &mut found.entries {
        let text = context.texts.get(&entry.up);
        // Looked for at the very start: a byte order mark before it hides it.
        let marked = |text: &super::super::text::Text| !text.had_mark && text.text.starts_with("-- no-transaction");
        let bare = (*text).as_ref().is_ok_and(marked);
        // The file is sent as one simple query either way: several statements without BEGIN are one transaction.
        entry.unit = if bare { TransactionUnit::SimpleQuery } else { TransactionUnit::File };
    }
    found
}

/// Pairs ups with downs by version. Neither runner looks into folders below its own.
fn pair(context: &Context<'_>, take: fn(&str) -> Option<Numbered>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    let mut by_version: BTreeMap<String, Vec<Sides<'_>>> = BTreeMap::new();
    for file in &layout.files {
        let own = (file.folder() == layout.root).then(|| take(file.name())).flatten();
        let Some(parts) = own else {
            ignored.insert(file.path.clone());
            continue;
        };
        let version = parts.version.trim_start_matches('0').to_owned();
        add(by_version.entry(version).or_default(), file, parts);
    }
    for (up, down) in by_version.into_values().flatten() {
        let Some((up, parts)) = up else {
            found.remarks.extend(down.map(|down| format!("{}: no `up` has its version", down.path)));
            continue;
        };
        found.has_down |= down.is_some();
        found.entries.push(Entry {
            version: parts.version,
            name: parts.name,
            up: up.clone(),
            down: down.cloned(),
            unit: TransactionUnit::File,
            repeatable: false,
            sections: None,
        });
    }
    found.entries.sort_by(|left, right| {
        let order = compare_versions(layout.framework, &left.version, &right.version);
        order.then_with(|| left.up.cmp(&right.up))
    });
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// A second file of one version and direction opens a second migration, which is refused later.
fn add<'a>(sides: &mut Vec<Sides<'a>>, file: &'a Found, parts: Numbered) {
    if parts.direction == Some(Direction::Down) {
        match sides.iter_mut().find(|(_, down)| down.is_none()) {
            Some(free) => free.1 = Some(file),
            None => sides.push((None, Some(file))),
        }
        return;
    }
    match sides.iter_mut().find(|(up, _)| up.is_none()) {
        Some(free) => free.0 = Some((file, parts)),
        None => sides.push((Some((file, parts)), None)),
    }
}
