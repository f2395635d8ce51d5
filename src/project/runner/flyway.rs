//! Flyway: `V1_1__title.sql` by version, then `R__title.sql` by description; `U…` undoes, `B…` starts anew.
//! Refinery takes over the names, not their meaning.

mod settings;

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Search;
use super::super::names::{FlywayKind, FlywayNames, flyway};
use super::super::order::dotted;
use super::super::place::{file_name, folder, is_below, named};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over, sort};
use crate::history::{AfterEdit, AfterFailure, Framework, Late, TransactionUnit};
use crate::operation::Ident;
use crate::read::sql::lexer::{Kind, Lexer};
use settings::Options;

pub const TOOL: Tool = Tool {
    framework: Framework::Flyway,
    detect: |search| detect(search, Framework::Flyway),
    list,
    compare: dotted,
    shape: Shape::Whole,
    fits: |name| flyway(name).is_some(),
    // After a failed transaction nothing is left behind; outside one a failed row stays in the history table.
    after_failure: AfterFailure::MarkedDirty,
    checksums: true,
    also: &[(".java", "Java"), (".kt", "Kotlin")],
    templates: Style::Dollar,
    by_names: true,
    after_edit: AfterEdit::RefusesOtherLines,
    late: Late::Refuses,
    ..ORDINARY
};

pub const REFINERY: Tool = Tool {
    framework: Framework::Refinery,
    detect: |search| detect(search, Framework::Refinery),
    list: list_refinery,
    compare: dotted,
    shape: Shape::Whole,
    fits: |name| flyway(name).is_some(),
    checksums: true,
    also: &[(".rs", "Rust")],
    after_edit: AfterEdit::Refuses,
    late: Late::Refuses,
    ..ORDINARY
};

/// A location is read with all folders below it.
fn detect(search: &mut Search<'_>, framework: Framework) {
    let is_own = |name: &str| flyway(name).is_some();
    let mut paths: BTreeSet<String> = BTreeSet::new();
    for path in search.paths() {
        let fits = search.mostly(&path, is_own) || is_renamed(search, &path, framework);
        if fits && (framework == Framework::Flyway || search.is_named(&path, framework)) {
            paths.insert(path);
        }
    }
    let mut roots: BTreeSet<String> = BTreeSet::new();
    for path in &paths {
        let above = paths.iter().find(|other| is_below(path, other));
        let root = search.well_known_above(path).or(above.cloned()).unwrap_or_else(|| path.clone());
        let settings = (framework == Framework::Flyway).then(|| around(search, &root));
        let named = settings.as_ref().and_then(|options| options.location_above(&root));
        roots.insert(named.unwrap_or(&root).to_owned());
    }
    let is_top = |root: &&String| !roots.iter().any(|other| other != *root && is_below(root, other));
    let tops: Vec<String> = roots.iter().filter(is_top).flat_map(|root| apart(search, root)).collect();
    let taken: Vec<(&String, Vec<Found>)> = tops.iter().map(|root| (root, search.take_below(root))).collect();
    let begins = |one: &(&String, Vec<Found>)| taken.iter().position(|other| is_beginning(one, other));
    let of: Vec<Option<usize>> = taken.iter().map(begins).collect();
    for (place, (root, files)) in taken.iter().enumerate().filter(|(place, _)| of[*place].is_none()) {
        let beginnings = taken.iter().zip(&of).filter(|(_, of)| **of == Some(place)).map(|(one, _)| one);
        let (mut files, mut more) = (files.clone(), Vec::new());
        for (folder, first) in beginnings {
            more.push((*folder).clone());
            files.extend(first.iter().cloned());
        }
        search.add_with(*root, more, framework, files);
    }
}

/// A location, or the folders in it where they share versions over and over: Flyway would refuse them as one history,
/// so that code names each as a location of its own. A version here and there is a mistake.
fn apart(search: &Search<'_>, root: &String) -> Vec<String> {
    let mut folders: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for path in search.paths().iter().filter(|path| is_below(path, root)) {
        let Some(below) = path.strip_prefix(root).and_then(|path| path.strip_prefix('/')) else {
            return vec![root.clone()];
        };
        let folder = format!("{root}/{}", below.split('/').next().unwrap_or(below));
        let own = versions(search.files(path)).iter().map(|version| parts(version)).collect::<Vec<_>>();
        folders.entry(folder).or_default().extend(own);
    }
    let clash = folders.values().enumerate().any(|(place, one)| {
        folders.values().skip(place + 1).any(|other| {
            let shared = one.intersection(other).count();
            shared > 1 && shared * 2 >= one.len().min(other.len())
        })
    });
    if clash && !around(search, root).has_locations() { folders.into_keys().collect() } else { vec![root.clone()] }
}

/// The versions of the versioned migrations among files.
fn versions(files: &[Found]) -> Vec<String> {
    let versions = files.iter().filter_map(|file| flyway(file.name()));
    versions.filter(|one| one.0 == FlywayKind::Versioned).map(|(_, version, _)| version.to_owned()).collect()
}

/// `baseline` beside `migrations`: a location of the same history, as long as all its versions are below those there.
fn is_beginning((root, files): &(&String, Vec<Found>), (other, later): &(&String, Vec<Found>)) -> bool {
    if file_name(root) != "baseline" || root == other || folder(root) != folder(other) {
        return false;
    }
    let (first, later) = (versions(files), versions(later));
    !first.is_empty()
        && !later.is_empty()
        && first.iter().all(|one| later.iter().all(|other| dotted(one, other).is_lt()))
}

/// Most files have the names that the settings around them give to Flyway's.
fn is_renamed(search: &mut Search<'_>, path: &str, framework: Framework) -> bool {
    if framework != Framework::Flyway || !search.is_named(path, framework) {
        return false;
    }
    let options = around(search, path);
    options.names != FlywayNames::default()
        && options.is_location(path)
        && search.mostly(path, |name| options.names.parse(name).is_some())
}

fn around(search: &Search<'_>, folder: &str) -> Options {
    let root = &search.surroundings.place.root;
    Options::around(root, &root.join(folder))
}

/// Refinery's `U` is a version too, which may come late; each runs in a transaction, its record in another one.
fn list_refinery(context: &mut Context<'_>) -> Entries {
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    for file in &context.layout.files {
        match flyway(file.name()) {
            Some((FlywayKind::Versioned | FlywayKind::Undo, version, name)) => {
                found.entries.push(Entry::new(version, name, file, TransactionUnit::File));
            }
            Some((FlywayKind::Baseline | FlywayKind::Repeatable, _, _)) | None => {
                ignored.insert(file.path.clone());
            }
        }
    }
    sort(&mut found, dotted);
    found.remarks.extend(passed_over(context.layout, &ignored));
    found
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let options = Options::around(context.root, &context.root.join(&layout.root));
    let late = match options.out_of_order {
        true => Some(Late::Runs),
        // It is the validation before each run that stops at what it finds pending below the newest.
        false => (options.takes_edits || options.passes_over).then_some(Late::Skips),
    };
    let after_edit = options.takes_edits.then_some(AfterEdit::Nothing);
    let first = options.first_schema().filter(|schema| *schema != "public");
    let search_path = first.map(|schema| vec![Ident::new(schema), Ident::new("public")]).unwrap_or_default();
    let mut found = Entries { late, after_edit, search_path, ..Entries::default() };
    let mut ignored = BTreeSet::new();
    let mut undo: BTreeMap<Vec<String>, &Found> = BTreeMap::new();
    let mut files = Vec::new();
    let folders: BTreeSet<&str> = layout.files.iter().map(Found::folder).collect();
    let outside = outside(&options, &folders);
    let (outside, inside): (Vec<&Found>, Vec<&Found>) =
        layout.files.iter().partition(|file| outside.contains(file.folder()));
    if let Some(first) = outside.first().map(|file| &file.path) {
        let (root, count) = (named(&layout.root), outside.len());
        let what = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        let whose = if options.has_locations() { "that Flyway's settings name" } else { "that Flyway looks into" };
        found.remarks.push(format!("{root}: {what} outside of the locations {whose}, not read: `{first}`"));
    }
    for file in inside {
        match options.names.parse(file.name()) {
            Some((FlywayKind::Undo, version, _)) => {
                undo.insert(parts(version), file);
            }
            Some((FlywayKind::Baseline, _, _)) => {
                // Where the versioned files are there too, they tell more than the sum of them.
                found.remarks.push(format!("{}: the baseline is not read, the files it sums up are", file.path));
            }
            Some((kind, version, name)) => files.push((file, kind, version, name)),
            None => {
                ignored.insert(file.path.clone());
            }
        }
    }
    // The walk knows migrations by `.sql`.
    let unseen: Vec<&str> =
        options.names.suffixes.iter().map(String::as_str).filter(|suffix| !suffix.ends_with(".sql")).collect();
    if !unseen.is_empty() {
        found.has_gaps = true;
        found.remarks.push(format!(
            "{}: Flyway's settings name files that end in `{}` too: they are not read",
            named(&layout.root),
            unseen.join("`, `")
        ));
    }
    found.has_down = !undo.is_empty();
    found.placeholders.clone_from(&options.placeholders);
    for (file, kind, version, name) in files {
        let (unit, remark) = unit(context, &options, file);
        found.remarks.extend(remark);
        found.entries.push(Entry {
            down: undo.remove(&parts(version)).filter(|_| kind == FlywayKind::Versioned).cloned(),
            repeatable: kind == FlywayKind::Repeatable,
            ..Entry::new(version, name, file, unit)
        });
    }
    found.remarks.extend(undo.values().map(|file| format!("{}: no versioned migration has its version", file.path)));
    found.entries.sort_by(|left, right| {
        let versions = || dotted(&left.version, &right.version);
        let order = left.repeatable.cmp(&right.repeatable).then_with(versions);
        order.then_with(|| if left.repeatable { left.name.cmp(&right.name) } else { left.up.cmp(&right.up) })
    });
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// Locations may be named in code: where no settings name them, only what lies above the usual one is in none.
fn outside<'a>(options: &Options, folders: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let (inside, mut outside): (BTreeSet<&str>, BTreeSet<&str>) =
        folders.iter().partition(|folder| options.is_location(folder));
    let is_above = |folder: &&str| inside.iter().any(|one| is_below(one, folder));
    outside.retain(|folder| if options.has_locations() { !inside.is_empty() } else { is_above(folder) });
    outside
}

/// A version's parts without what does not count: `1_0` and `01` are one.
fn parts(version: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        version.split(['.', '_']).map(|part| part.trim_start_matches('0').to_owned()).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

/// In one transaction, unless the file's `.conf` says otherwise or a statement cannot be (`ParserSqlScript`).
fn unit(context: &mut Context<'_>, options: &Options, file: &Found) -> (TransactionUnit, Option<String>) {
    let wrapped = if options.group { TransactionUnit::AllPending } else { TransactionUnit::File };
    let conf = context.beside(&format!("{}.conf", file.path)).unwrap_or_default();
    let said = conf.lines().filter_map(|line| line.split_once('='));
    let said = said
        .filter(|(key, _)| key.trim() == "executeInTransaction")
        .map(|(_, value)| value.trim() == "true")
        .next_back();
    if let Some(in_transaction) = said {
        return (if in_transaction { wrapped } else { TransactionUnit::Statement }, None);
    }
    let text = context.texts.get(file);
    let Ok(text) = (*text).as_ref() else { return (wrapped, None) };
    let (inside, outside) = statements(&text.text);
    if options.outside_transaction || (outside && (options.mixed || !inside)) {
        return (TransactionUnit::Statement, None);
    }
    if !outside {
        return (wrapped, None);
    }
    let path = named(&file.path);
    let remark = "Flyway refuses it: statements that run in a transaction beside some that cannot (`mixed` is false)";
    (TransactionUnit::Statement, Some(format!("{path}: {remark}")))
}

/// Whether a text has statements that Flyway runs in a transaction, and some that it does not.
fn statements(text: &str) -> (bool, bool) {
    let (mut inside, mut outside) = (false, false);
    let mut words: Vec<String> = Vec::new();
    let mut end = |words: &mut Vec<String>| {
        if !words.is_empty() {
            let bare = is_outside_transaction(words);
            outside |= bare;
            inside |= !bare;
            words.clear();
        }
    };
    for token in Lexer::new(text) {
        match token.kind {
            Kind::Comment => {}
            Kind::Semicolon => end(&mut words),
            _ if words.len() < 6 => words.push(token.text(text).to_ascii_uppercase()),
            _ => {}
        }
    }
    end(&mut words);
    (inside, outside)
}

/// The statements that Flyway's PostgreSQL parser knows to take out of a transaction. REINDEX … CONCURRENTLY and
/// DETACH PARTITION … CONCURRENTLY are not among them.
fn is_outside_transaction(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..]
            | ["ALTER", "SYSTEM", ..]
            | ["CREATE" | "DROP", "INDEX", "CONCURRENTLY", ..]
            | ["CREATE" | "DROP", "UNIQUE", "INDEX", "CONCURRENTLY", ..]
            | ["REINDEX", "SCHEMA" | "DATABASE" | "SYSTEM", ..]
            | ["REINDEX", "VERBOSE", "SCHEMA" | "DATABASE" | "SYSTEM", ..]
            | ["VACUUM", ..]
            | ["DISCARD", "ALL", ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flyway_takes_some_statements_out_of_transactions() {
        assert_eq!(statements("-- a\ncreate unique index concurrently a on b (c);"), (false, true));
        assert_eq!(statements("create table a (b int); vacuum a"), (true, true));
        assert_eq!(statements("reindex index concurrently a; select ';vacuum'"), (true, false));
        assert_eq!(statements("/* vacuum */ ;"), (false, false));
    }

    #[test]
    fn versions_that_flyway_holds_equal_share_their_parts() {
        assert_eq!(parts("1_0"), parts("01.0.0"));
        assert_ne!(parts("1.10"), parts("1.1"));
    }
}
