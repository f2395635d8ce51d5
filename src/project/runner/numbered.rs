//! A number, a title, `.sql`: sqlx, golang-migrate, Concourse, River with `.up.sql` and `.down.sql`; Supabase and
//! Atlas forward only.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::Search;
use super::super::names::{Direction, Numbered, numbered, plain, up_down};
use super::super::order::by_text;
use super::super::place::{file_name, folder, named};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Tool, passed_over, sort};
use crate::history::{AfterEdit, AfterFailure, Framework, Late, TransactionUnit};

pub const SQLX: Tool = Tool {
    framework: Framework::Sqlx,
    detect: |search| search.take_each(Framework::Sqlx, is_sqlx),
    list: |context| units(pair(context, numbered), context, sqlx_unit),
    checksums: true,
    after_edit: AfterEdit::Refuses,
    ..ORDINARY
};

pub const GOLANG_MIGRATE: Tool = Tool {
    framework: Framework::GolangMigrate,
    detect: detect_golang_migrate,
    list: |context| units(pair(context, up_down), context, |_, _| TransactionUnit::SimpleQuery),
    fits: |name| up_down(name).is_some(),
    unit: TransactionUnit::SimpleQuery,
    after_failure: AfterFailure::MarkedDirty,
    also: &[(".go", "Go")],
    by_names: true,
    late: Late::Skips,
    ..ORDINARY
};

/// The command line runs each version in a transaction.
pub const RIVER: Tool = Tool {
    framework: Framework::River,
    detect: |search| {
        search.take_each(Framework::River, |search, path| {
            search.mostly(path, |name| up_down(name).is_some())
                && search.carries(path, |text| text.contains("/* TEMPLATE: schema */"))
        });
    },
    list: |context| pair(context, up_down),
    fits: |name| up_down(name).is_some(),
    templates: Style::River,
    ..ORDINARY
};

/// Concourse's own: the names of golang-migrate, each in a transaction, Go among them. Every file whose version is above
/// the newest that ran is run, so that several may share one; which of them is first it does not say.
pub const CONCOURSE: Tool = Tool {
    framework: Framework::Concourse,
    detect: |search| {
        search.take_each(Framework::Concourse, |search, path| {
            is_up_down_of(search, path, Framework::Concourse) && path.ends_with("migration/migrations")
        });
    },
    list: |context| pair(context, up_down),
    fits: |name| up_down(name).is_some(),
    also: &[(".up.go", "Go")],
    one_per_version: false,
    late: Late::Skips,
    ..ORDINARY
};

/// `supabase/migrations`: statements of a file are sent as one pipeline, which is one implicit transaction.
pub const SUPABASE: Tool = Tool {
    framework: Framework::Supabase,
    detect: |search| {
        search.take_each(Framework::Supabase, |search, path| {
            file_name(path) == "migrations"
                && search.mostly(path, |name| numbered(name).is_some())
                && (file_name(folder(path)) == "supabase" || search.is_named(path, Framework::Supabase))
        });
    },
    list: |context| units(forward(context), context, |_, _| TransactionUnit::SimpleQuery),
    compare: by_text,
    unit: TransactionUnit::SimpleQuery,
    late: Late::Refuses,
    ..ORDINARY
};

/// Atlas' own layout beside an `atlas.sum`; others that have one keep their runner's.
pub const ATLAS: Tool = Tool {
    framework: Framework::Atlas,
    detect: |search| {
        for path in search.folders_with("atlas.sum") {
            if search.mostly(&path, |name| !plain(name).version.is_empty() && up_down(name).is_none()) {
                let files = search.take(&path);
                search.add(path, Framework::Atlas, files);
            }
        }
    },
    list: |context| units(forward(context), context, atlas_unit),
    compare: by_text,
    fits: |name| !plain(name).version.is_empty(),
    after_failure: AfterFailure::Continues,
    checksums: true,
    manifests: &["atlas.sum"],
    after_edit: AfterEdit::Refuses,
    late: Late::Refuses,
    ..ORDINARY
};

pub(super) fn is_up_down_of(search: &mut Search<'_>, path: &str, framework: Framework) -> bool {
    let hints = search.hints(path);
    // Where golang-migrate is required too, nothing tells the two apart: it is the common one.
    search.mostly(path, |name| up_down(name).is_some())
        && hints.contains(&framework)
        && !hints.contains(&Framework::GolangMigrate)
}

fn is_sqlx(search: &mut Search<'_>, path: &str) -> bool {
    if !search.mostly(path, |name| numbered(name).is_some()) {
        return false;
    }
    let hints = search.hints(path);
    if hints.contains(&Framework::Sqlx) && !hints.contains(&Framework::GolangMigrate) {
        return true;
    }
    let all = search.files(path).iter().all(|file| numbered(file.name()).is_some_and(|one| one.direction.is_none()));
    all && search.carries(path, |text| text.starts_with("-- no-transaction"))
}

fn detect_golang_migrate(search: &mut Search<'_>) {
    for path in search.paths() {
        if search.is_one_of_many(&path) || !search.mostly(&path, |name| up_down(name).is_some()) {
            continue;
        }
        if !search.is_named(&path, Framework::GolangMigrate) {
            if let Some(why) = not_golang_migrate(search.files(&path)) {
                let remark = "so that it is not golang-migrate: read in the order of their names; `framework` names the \
                              runner";
                search.remark(format!("{}: {why}, {remark}", named(&path)));
                let files = search.take(&path);
                search.add(path, Framework::Plain, files);
                continue;
            }
            let remark = "named as golang-migrate names them, and no go.mod requires it: if another runner runs them, \
                          set `framework`";
            search.remark(format!("{}: {remark}", named(&path)));
        }
        let files = search.take(&path);
        search.add(path, Framework::GolangMigrate, files);
    }
}

/// What golang-migrate would make nothing of: whoever runs these, it is another one.
fn not_golang_migrate(files: &[Found]) -> Option<String> {
    // It refuses to start with a number used twice.
    if has_twins(files) {
        return Some("a number stands before several names".to_owned());
    }
    let forward = |file: &&Found| numbered(file.name()).is_some_and(|one| one.direction.is_none());
    let mut dropped = files.iter().filter(|file| up_down(file.name()).is_none()).filter(forward);
    let first = &dropped.next()?.path;
    Some(match dropped.count() {
        0 => format!("`{first}` has a number and says no direction"),
        more => format!("{} files have a number and say no direction, such as `{first}`", more + 1),
    })
}

/// Two files have one number and one direction.
pub(super) fn has_twins(files: &[Found]) -> bool {
    let mut seen = BTreeSet::new();
    let mut parts = files.iter().filter_map(|file| up_down(file.name()));
    parts.any(|parts| !seen.insert((parts.version.trim_start_matches('0').to_owned(), parts.direction)))
}

fn units(mut found: Entries, context: &mut Context<'_>, unit: Unit) -> Entries {
    for entry in &mut found.entries {
        entry.unit = unit(context, &entry.up);
    }
    found
}

/// The transaction unit of one file.
type Unit = fn(&mut Context<'_>, &Found) -> TransactionUnit;

fn sqlx_unit(context: &mut Context<'_>, file: &Found) -> TransactionUnit {
    let text = context.texts.get(file);
    // Looked for at the very start: a byte order mark before it hides it.
    let marked = |text: &super::super::text::Text| !text.had_mark && text.text.starts_with("-- no-transaction");
    let bare = (*text).as_ref().is_ok_and(marked);
    // The file is sent as one simple query either way: several statements without BEGIN are one transaction.
    if bare { TransactionUnit::SimpleQuery } else { TransactionUnit::File }
}

/// Directives stand in the comments before the first statement.
fn atlas_unit(context: &mut Context<'_>, file: &Found) -> TransactionUnit {
    let text = context.text(file);
    let head = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    let mut directives = head.filter_map(|line| line.trim_start_matches('-').trim().strip_prefix("atlas:txmode"));
    let is_bare = directives.any(|mode| mode.trim() == "none");
    if is_bare { TransactionUnit::Statement } else { TransactionUnit::File }
}

/// Files that only run forward, in the folder itself.
fn forward(context: &Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        let name = file.name();
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || file.folder() != layout.root {
            ignored.insert(file.path.clone());
            continue;
        }
        let title = name[digits..].trim_start_matches(['_', '-']).trim_end_matches(".sql");
        found.entries.push(Entry::new(&name[..digits], title, file, TransactionUnit::File));
    }
    sort(&mut found, by_text);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// Files of one version and direction.
pub(super) type Side<'a> = Vec<(&'a Found, Numbered)>;
/// Those that run forward, and those that undo.
type Sides<'a> = (Side<'a>, Side<'a>);

/// Pairs ups with downs by version. None of these runners looks into folders below its own.
pub(super) fn pair(context: &Context<'_>, take: fn(&str) -> Option<Numbered>) -> Entries {
    pair_chosen(context, take, |_| {})
}

/// The same, where the runner chooses among the files of one version and direction.
pub(super) fn pair_chosen(
    context: &Context<'_>,
    take: fn(&str) -> Option<Numbered>,
    mut choose: impl FnMut(&mut Side<'_>),
) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    let mut by_version: BTreeMap<String, Sides<'_>> = BTreeMap::new();
    for file in &layout.files {
        let own = (file.folder() == layout.root).then(|| take(file.name())).flatten();
        let Some(parts) = own else {
            ignored.insert(file.path.clone());
            continue;
        };
        let version = parts.version.trim_start_matches('0').to_owned();
        let (ups, downs) = by_version.entry(version).or_default();
        let side = if parts.direction == Some(Direction::Down) { downs } else { ups };
        side.push((file, parts));
    }
    for (mut ups, mut downs) in by_version.into_values() {
        choose(&mut ups);
        choose(&mut downs);
        let pairs: Vec<_> = ups.into_iter().map(|(up, parts)| (of_name(&mut downs, &parts.name), up, parts)).collect();
        let mut rest = downs.into_iter().map(|(down, _)| down);
        for (down, up, parts) in pairs {
            let down = down.or_else(|| rest.next());
            found.has_down |= down.is_some();
            let entry = Entry::new(parts.version, parts.name, up, TransactionUnit::File);
            // A second migration of one version is refused later, where the runner refuses it.
            found.entries.push(Entry { down: down.cloned(), ..entry });
        }
        found.remarks.extend(rest.map(|down| format!("{}: no `up` has its version", down.path)));
    }
    sort(&mut found, super::tool(layout.framework).compare);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// A title tells which of several downs of one version is meant; the runner goes by the version alone.
fn of_name<'a>(downs: &mut Vec<(&'a Found, Numbered)>, name: &str) -> Option<&'a Found> {
    let place = downs.iter().position(|(_, down)| down.name == name)?;
    Some(downs.remove(place).0)
}
