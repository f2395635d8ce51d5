//! Files of one history in the order its runner takes them, each with its transaction unit.

mod diesel;
mod flyway;
mod goose;
mod numbered;
mod plain;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::order::compare_versions;
use super::place::named;
use super::texts::Texts;
use super::walk::Found;
use crate::history::{AfterFailure, Framework, Runner, TransactionUnit};

/// One migration's files, not read yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub version: String,
    pub name: String,
    pub up: Found,
    pub down: Option<Found>,
    pub unit: TransactionUnit,
    pub repeatable: bool,
    /// Up and down are sections of one file, told apart by these marks.
    pub sections: Option<Marks>,
}

/// Comments that open the sections of a file, lower case, without `--`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    pub up: &'static str,
    pub down: &'static str,
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

    fn disk(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// Puts a layout's files in order.
pub fn entries(mut context: Context<'_>) -> Entries {
    let mut found = match context.layout.framework {
        Framework::Plain => plain::entries(&mut context),
        Framework::Diesel => diesel::entries(&mut context),
        Framework::Sqlx => numbered::sqlx(&mut context),
        Framework::GolangMigrate => numbered::golang_migrate(&mut context),
        Framework::Goose => goose::entries(&mut context),
        Framework::Flyway => flyway::entries(&mut context),
    };
    refuse_duplicates(context.layout, &mut found);
    refuse_go(context.layout, &mut found);
    found
}

/// What the runner does beside running statements; sources in `docs/runners.md`.
pub fn runner(framework: Framework, has_down: bool) -> Runner {
    let (after_failure, checksums) = match framework {
        Framework::Plain | Framework::Diesel | Framework::Goose => (AfterFailure::RunsAgain, false),
        Framework::Sqlx => (AfterFailure::RunsAgain, true),
        Framework::GolangMigrate => (AfterFailure::MarkedDirty, false),
        // After a failed transaction nothing is left behind; outside one a failed row stays in the history table.
        Framework::Flyway => (AfterFailure::MarkedDirty, true),
    };
    Runner { after_failure, checksums, has_down }
}

/// Two files of one version: every runner but a plain folder refuses, or keeps one of them by chance.
fn refuse_duplicates(layout: &Layout, found: &mut Entries) {
    if layout.framework == Framework::Plain {
        return;
    }
    let mut kept: Vec<Entry> = Vec::with_capacity(found.entries.len());
    for entry in std::mem::take(&mut found.entries) {
        let same = |before: &&Entry| {
            before.repeatable == entry.repeatable
                && compare_versions(layout.framework, &before.version, &entry.version).is_eq()
                && (!entry.repeatable || before.name == entry.name)
        };
        match kept.last().filter(same) {
            Some(before) => {
                let runner = layout.framework.word();
                let reason = format!("{runner} refuses it: `{}` has the same version", before.up.path);
                found.unread.push((entry.up.path, reason));
            }
            None => kept.push(entry),
        }
    }
    found.entries = kept;
}

/// Migrations written in Go stand in the same order and are not SQL.
fn refuse_go(layout: &Layout, found: &mut Entries) {
    let takes_go = match layout.framework {
        Framework::Goose | Framework::GolangMigrate => true,
        Framework::Plain | Framework::Diesel | Framework::Sqlx | Framework::Flyway => false,
    };
    let own = layout.go.iter().filter(|file| takes_go && file.folder() == layout.root);
    found
        .unread
        .extend(own.map(|file| (file.path.clone(), "it is a migration in Go: what it does is not read".to_owned())));
}

/// Files that the runner passes over for their names: one remark for all.
fn passed_over(layout: &Layout, ignored: &BTreeSet<String>) -> Option<String> {
    let first = ignored.first()?;
    let (runner, root, count) = (layout.framework.word(), named(&layout.root), ignored.len());
    Some(match count {
        1 => format!("{root}: {runner} passes over `{first}` for its name"),
        _ => format!("{root}: {runner} passes over {count} files for their names, such as `{first}`"),
    })
}
