//! The runners, each a file of the same shape: how its folders are known (`detect`), how its files become entries in
//! order (`list`), and one row of what it does beside (`TOOL`). Sources are in `docs/runners.md`.

mod diesel;
pub mod drizzle;
mod flyway;
mod goose;
mod graphile_migrate;
mod liquibase;
mod maragudk_migrate;
mod numbered;
mod plain;
mod pop;
mod postgrator;
mod postgres_migrations;
mod prisma;
mod rails;
mod sections;
mod sqitch;
mod synapse;
mod temporal;

pub use drizzle::SNAPSHOT;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::layout::{Layout, Search};
use super::place::named;
use super::template::Style;
use super::texts::Texts;
use super::walk::Found;
use crate::history::{AfterEdit, AfterFailure, Framework, HardlyRan, Late, Phase, Runner, TransactionUnit};
use crate::operation::Ident;

/// One runner as plimsoll knows it.
pub struct Tool {
    pub framework: Framework,
    /// Takes the folders that are its own out of the search.
    pub detect: fn(&mut Search<'_>),
    /// Puts a layout's files in order.
    pub list: fn(&mut Context<'_>) -> Entries,
    /// Compares two versions as the runner does.
    pub compare: fn(&str, &str) -> Ordering,
    /// Which folder is the root where the user names the runner.
    pub shape: Shape,
    /// A file's name is one of its migrations'.
    pub fits: fn(&str) -> bool,
    /// What statements share a transaction where nothing in a file says otherwise.
    pub unit: TransactionUnit,
    pub after_failure: AfterFailure,
    /// Shipped files must not change.
    pub checksums: bool,
    pub after_edit: AfterEdit,
    pub late: Late,
    /// Two files of one version are refused, or one of them is lost.
    pub one_per_version: bool,
    /// What the runner does of such two, as a part of a sentence.
    pub of_twins: &'static str,
    /// Endings of migrations in other languages that stand in the same order, with the language.
    pub also: &'static [(&'static str, &'static str)],
    /// What is replaced in a text before the server sees it.
    pub templates: Style,
    /// Its folders may be known by the names of their files alone, which other runners take too.
    pub by_names: bool,
    /// Files beside the migrations by which a folder above a file is known to be the root.
    pub manifests: &'static [&'static str],
}

/// Which folder is a history's root, seen from a folder with files of the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The folder where the search starts, with all below it.
    Whole,
    /// The folder itself.
    Folder,
    /// The folder above: each migration has a folder of its own.
    FolderOfFolders,
    /// Several folders of an application: only the runner's own search knows which.
    Application,
}

/// What most runners do; each `TOOL` says what differs.
const ORDINARY: Tool = Tool {
    framework: Framework::Plain,
    detect: |_| {},
    list: plain::list,
    compare: super::order::by_number,
    shape: Shape::Folder,
    fits: |name| super::names::numbered(name).is_some(),
    unit: TransactionUnit::File,
    after_failure: AfterFailure::RunsAgain,
    checksums: false,
    after_edit: AfterEdit::Nothing,
    late: Late::Runs,
    one_per_version: true,
    of_twins: "refuses it",
    also: &[],
    templates: Style::Marks,
    by_names: false,
    manifests: &[],
};

/// All runners, in the order in which they may claim folders: those with a manifest of their own, those with marks
/// inside their files, those with names that others share, and what is left.
pub const TOOLS: [&Tool; Framework::ALL.len()] = [
    &rails::TOOL,
    &sqitch::TOOL,
    &drizzle::TOOL,
    &graphile_migrate::TOOL,
    &temporal::TOOL,
    &pop::TOOL,
    &synapse::TOOL,
    &prisma::TOOL,
    &diesel::HASURA,
    &diesel::TOOL,
    &goose::TOOL,
    &sections::SQL_MIGRATE,
    &sections::DBMATE,
    &sections::TERN,
    &sections::RAMBLER,
    &sections::PLAY_EVOLUTIONS,
    &sections::NODE_PG_MIGRATE,
    &liquibase::TOOL,
    &flyway::REFINERY,
    &flyway::TOOL,
    &numbered::ATLAS,
    &numbered::SUPABASE,
    &numbered::RIVER,
    &numbered::CONCOURSE,
    &numbered::SQLX,
    &maragudk_migrate::TOOL,
    &numbered::GOLANG_MIGRATE,
    &postgrator::TOOL,
    &postgres_migrations::TOOL,
    &plain::TOOL,
];

/// What is known of a runner.
pub fn tool(framework: Framework) -> &'static Tool {
    TOOLS.into_iter().find(|tool| tool.framework == framework).unwrap_or(&plain::TOOL)
}

/// One migration's files, not read yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub version: String,
    /// The day it was written, where a manifest says so and not its version.
    pub made: Option<u32>,
    pub name: String,
    pub up: Found,
    pub down: Option<Found>,
    pub unit: TransactionUnit,
    pub repeatable: bool,
    pub phase: Option<Phase>,
    /// Why hardly a database has run it, where its manifest says so.
    pub hardly_ran: Option<HardlyRan>,
    /// Where only parts of `up` run: what of it runs forward, and what undoes it.
    pub parts: Option<Parts>,
}

impl Entry {
    /// A whole file that runs forward.
    pub fn new(version: impl Into<String>, name: impl Into<String>, up: &Found, unit: TransactionUnit) -> Entry {
        let (version, name) = (version.into(), name.into());
        Entry {
            version,
            made: None,
            name,
            up: up.clone(),
            down: None,
            unit,
            repeatable: false,
            phase: None,
            hardly_ran: None,
            parts: None,
        }
    }
}

/// Parts of one file, in bytes of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    pub up: Vec<Range<usize>>,
    pub down: Vec<Range<usize>>,
}

/// A history's entries and what was noticed on the way.
#[derive(Debug, Default)]
pub struct Entries {
    pub entries: Vec<Entry>,
    /// Files that are no migration, or that the runner refuses, with the reason.
    pub unread: Vec<(String, String)>,
    pub remarks: Vec<String>,
    pub has_down: bool,
    /// Something that may run before these was left out.
    pub has_gaps: bool,
    /// What the settings make of a version that comes late, where that is not what the runner does by itself.
    pub late: Option<Late>,
    /// The same for a shipped file whose text changed.
    pub after_edit: Option<AfterEdit>,
    /// A database that a manifest says all files are for, where that is not PostgreSQL.
    pub other_database: Option<&'static str>,
    /// Values that the runner's own settings give to placeholders.
    pub placeholders: BTreeMap<String, String>,
    /// The search_path that the runner gives to its connection; empty: it leaves it alone.
    pub search_path: Vec<Ident>,
}

/// What entries are made from.
pub struct Context<'a> {
    pub layout: &'a Layout,
    pub texts: &'a mut Texts,
    /// The repository root on disk.
    pub root: &'a Path,
}

impl Context<'_> {
    /// A file beside the migrations, such as `metadata.toml`, as text.
    pub fn beside(&self, path: &str) -> Option<String> {
        self.layout.beside.contains(path).then(|| super::text::peek(&self.disk(path))).flatten()
    }

    /// All of a file beside the migrations, or why it cannot be had.
    pub fn manifest(&self, path: &str) -> Option<Result<String, String>> {
        let is_there = self.layout.beside.contains(path);
        is_there.then(|| super::text::read(&self.disk(path)).map(|text| text.text))
    }

    /// A path below the layout's root, as shown.
    pub fn inside(&self, path: &str) -> String {
        super::place::below(&self.layout.root, path)
    }

    fn disk(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file's text; nothing where it cannot be read, which is said when it is.
    pub fn text(&mut self, file: &Found) -> String {
        let text = self.texts.get(file);
        (*text).as_ref().map(|text| text.text.clone()).unwrap_or_default()
    }
}

/// Puts a layout's files in order.
pub fn entries(mut context: Context<'_>) -> Entries {
    let tool = tool(context.layout.framework);
    let mut found = (tool.list)(&mut context);
    refuse_duplicates(context.layout, tool, &mut found);
    refuse_other_languages(context.layout, tool, &mut found);
    found
}

/// What the runner does beside running statements; sources in `docs/runners.md`.
pub fn runner(framework: Framework, has_down: bool) -> Runner {
    let tool = tool(framework);
    let Tool { after_failure, checksums, after_edit, late, .. } = *tool;
    Runner { after_failure, checksums, after_edit, late, has_down }
}

/// Compares two versions as the runner does.
pub fn compare_versions(framework: Framework, left: &str, right: &str) -> Ordering {
    (tool(framework).compare)(left, right)
}

/// Puts entries in the order of their versions; files of one version by path.
fn sort(found: &mut Entries, compare: fn(&str, &str) -> Ordering) {
    found
        .entries
        .sort_by(|left, right| compare(&left.version, &right.version).then_with(|| left.up.path.cmp(&right.up.path)));
}

/// Two files of one version: most runners refuse, or keep one of them by chance.
fn refuse_duplicates(layout: &Layout, tool: &Tool, found: &mut Entries) {
    if !tool.one_per_version {
        return;
    }
    if layout.is_guess {
        found.remarks.extend(doubtful(layout, tool, &found.entries));
        return;
    }
    let mut kept: Vec<Entry> = Vec::with_capacity(found.entries.len());
    for entry in std::mem::take(&mut found.entries) {
        match kept.last().filter(|before| is_twin(tool, before, &entry)) {
            Some(before) => {
                let runner = layout.framework.name();
                let reason = format!("{runner} {}: `{}` has the same version", tool.of_twins, before.up.path);
                found.unread.push((entry.up.path, reason));
            }
            None => kept.push(entry),
        }
    }
    found.entries = kept;
}

/// The runner would count both as one.
fn is_twin(tool: &Tool, before: &Entry, entry: &Entry) -> bool {
    before.repeatable == entry.repeatable
        && (tool.compare)(&before.version, &entry.version).is_eq()
        && (!entry.repeatable || before.name == entry.name)
}

/// Where nothing but names says which runner it is, twins are no fault of the files: perhaps it is another one.
fn doubtful(layout: &Layout, tool: &Tool, entries: &[Entry]) -> Option<String> {
    let twins = entries.windows(2).find(|pair| is_twin(tool, &pair[0], &pair[1]))?;
    let (root, runner) = (named(&layout.root), layout.framework.name());
    let (first, second) = (&twins[0].up.path, &twins[1].up.path);
    Some(format!(
        "{root}: {runner} would refuse `{second}` beside `{first}`, which have one version: both are read, since nothing \
         but their names says that {runner} runs them; `framework` names the runner"
    ))
}

/// Migrations in other languages stand in the same order and are not SQL.
fn refuse_other_languages(layout: &Layout, tool: &Tool, found: &mut Entries) {
    for file in &layout.other {
        let language = tool.also.iter().find(|(ending, _)| file.name().ends_with(ending));
        // A tree of folders has them at any depth; elsewhere only the root is looked at.
        let own = tool.shape != Shape::Folder || file.folder() == layout.root;
        if let Some((_, language)) = language.filter(|_| own) {
            let reason = format!("it is a migration in {language}: what it does is not read");
            found.unread.push((file.path.clone(), reason));
        }
    }
}

/// Files that the runner passes over for their names: one remark for all.
fn passed_over(layout: &Layout, ignored: &BTreeSet<String>) -> Option<String> {
    let first = ignored.first()?;
    let (runner, root, count) = (layout.framework.name(), named(&layout.root), ignored.len());
    Some(match count {
        1 => format!("{root}: {runner} passes over `{first}` for its name"),
        _ => format!("{root}: {runner} passes over {count} files for their names, such as `{first}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_has_its_row() {
        for framework in Framework::ALL {
            assert_eq!(tool(framework).framework, framework);
        }
    }

    #[test]
    fn versions_compare_as_their_runner_has_it() {
        for (framework, left, right, order) in [
            (Framework::Plain, "9", "10", Ordering::Less),
            (Framework::GolangMigrate, "003", "3", Ordering::Equal),
            (Framework::Sqlx, "20240101000000", "9", Ordering::Greater),
            (Framework::Plain, "20250625", "20250624235959", Ordering::Greater),
            (Framework::Plain, "100/02", "20/03", Ordering::Greater),
            (Framework::Flyway, "1_1", "1.1.0", Ordering::Equal),
            (Framework::Flyway, "1.10", "1.9", Ordering::Greater),
            (Framework::Flyway, "2", "10", Ordering::Less),
            (Framework::Diesel, "2024-01-02-000000", "20240101000000", Ordering::Greater),
            (Framework::Diesel, "10", "9", Ordering::Less),
        ] {
            assert_eq!(compare_versions(framework, left, right), order, "{left} {right}");
        }
    }
}
