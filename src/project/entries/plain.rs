//! A plain folder of SQL files: natural order of paths, and what is known of other tools' endings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Layout;
use super::super::names::{Direction, Numbered, plain};
use super::super::order::natural_paths;
use super::super::place::named;
use super::super::walk::Found;
use super::{Context, Entries, Entry, Marks};
use crate::history::TransactionUnit;

/// Tools that keep up and down in one file, as goose does.
const SECTIONS: &[Marks] =
    &[Marks { up: "+migrate up", down: "+migrate down" }, Marks { up: "migrate:up", down: "migrate:down" }];

pub fn entries(context: &mut Context<'_>) -> Entries {
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
    let plan = plan(context);
    let place = |file: &Found| plan.get(file.path.as_str()).copied().unwrap_or(usize::MAX);
    ups.sort_by(|left, right| {
        let planned = place(left.0).cmp(&place(right.0));
        planned.then_with(|| natural_paths(&left.0.path, &right.0.path))
    });
    if plan.is_empty() {
        pass_over_unversioned(layout, &mut ups, &mut found);
    }
    for (file, parts, stem) in ups {
        let text = context.texts.get(file);
        let marks = (*text).as_ref().ok().and_then(|text| marks(&text.text));
        let down = if marks.is_some() { Some(file) } else { downs.remove(&stem) };
        found.has_down |= down.is_some();
        // What runs a folder of the two tools below wraps a file, unless it says `notransaction`.
        let bare = (*text).as_ref().is_ok_and(|text| says_no_transaction(&text.text));
        let wrapped = marks.is_some() && !bare;
        found.entries.push(Entry {
            version: parts.version,
            name: parts.name,
            up: file.clone(),
            down: down.cloned(),
            unit: if wrapped { TransactionUnit::File } else { TransactionUnit::Statement },
            repeatable: false,
            sections: marks,
        });
    }
    let alone = downs.into_values().map(|file| format!("{}: undoes no migration that was found", file.path));
    found.remarks.extend(alone);
    found
}

/// Sqitch's order: the place of each script of a `sqitch.plan`.
fn plan(context: &Context<'_>) -> BTreeMap<String, usize> {
    let inside = |part: &str| match context.layout.root.as_str() {
        "" => part.to_owned(),
        root => format!("{root}/{part}"),
    };
    let text = context.beside(&inside("sqitch.plan")).unwrap_or_default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut tag_after: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (at, word) in text.lines().filter_map(|line| line.split_whitespace().next()).enumerate() {
        if let Some(tag) = word.strip_prefix('@') {
            tag_after.values_mut().filter(|after| after.is_none()).for_each(|after| *after = Some(tag));
            continue;
        }
        if word.starts_with(['%', '#']) {
            continue;
        }
        // A change that is reworked leaves its older script under the tag that came after it.
        let path = inside(&format!("deploy/{word}.sql"));
        if let (Some(before), Some(Some(tag))) = (places.get(&path).copied(), tag_after.get(word)) {
            places.insert(inside(&format!("deploy/{word}@{tag}.sql")), before);
        }
        places.insert(path, at);
        tag_after.insert(word, None);
    }
    places
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

/// The sections' marks of a file that has them.
fn marks(text: &str) -> Option<Marks> {
    let has = |marks: &&Marks| {
        let mut comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        comments.any(|comment| comment.trim().to_ascii_lowercase().starts_with(marks.up))
    };
    SECTIONS.iter().find(has).copied()
}

/// `-- +migrate Up notransaction`, `-- migrate:up transaction:false`.
fn says_no_transaction(text: &str) -> bool {
    let mut comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    comments.any(|comment| {
        let comment = comment.trim().to_ascii_lowercase();
        let is_mark = SECTIONS.iter().any(|marks| comment.starts_with(marks.up));
        is_mark && (comment.contains("notransaction") || comment.contains("transaction:false"))
    })
}
