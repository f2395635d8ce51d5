//! Projects that edit what they have shipped again and again, as git tells.

use std::collections::{BTreeMap, BTreeSet};

use super::super::assemble::DraftHistory;
use super::super::git::Git;
use super::super::place::named;
use super::files::Files;
use super::since::A_DAY;
use crate::history::{Framework, UsualEdits};

/// Commits to the folder that are looked at.
const MOST_COMMITS: usize = 300;
/// So many commits that edit shipped files, each a day old at least, are a habit where they are one in ten and edit as
/// many files, or where they are one in four.
const LEAST: usize = 5;
const ONE_IN: usize = 10;
const OFTEN: usize = 4;
/// Whoever edits more of them at once writes them in another format, or moves them.
const MOST_AT_ONCE: usize = 5;

/// Where a history's files lie at the base, to be asked of together with those of others that the same runner runs.
#[derive(Debug)]
pub struct Lies {
    framework: Framework,
    folders: Vec<String>,
    own: BTreeSet<String>,
}

impl Lies {
    pub fn of(history: &DraftHistory, shipped: &Files) -> Lies {
        let layout = &history.layout;
        let own = history.drafts.iter().filter(|draft| !draft.migration.repeatable);
        let own = own.map(|draft| shipped.path_then(&draft.up.path)).filter(|path| shipped.was_there(path));
        Lies {
            framework: layout.framework,
            folders: std::iter::once(&layout.root).chain(&layout.more).cloned().collect(),
            own: own.map(str::to_owned).collect(),
        }
    }
}

/// How the base came to what it has of a runner's files, where that shows that shipped ones are edited as a habit.
pub fn usual_edits(git: &Git<'_>, base: &str, framework: Framework, all: &[Lies]) -> Option<UsualEdits> {
    let lies = || all.iter().filter(|one| one.framework == framework);
    let folders: Vec<&str> = lies().flat_map(|one| &one.folders).map(|folder| named(folder)).collect();
    let own: BTreeSet<&str> = lies().flat_map(|one| &one.own).map(String::as_str).collect();
    let folders = folders.as_slice();
    let mut line = git.line_of(base, MOST_COMMITS, folders);
    let changes = git.changes_along(&line, folders);
    line.reverse();
    let mut came: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut edited, mut by, mut commits) = (BTreeSet::new(), 0, 0);
    for commit in &line {
        let Some(changed) = changes.get(&commit.commit) else { continue };
        let mut changed = changed.iter().filter(|one| own.contains(one.path.as_str())).peekable();
        commits += usize::from(changed.peek().is_some());
        let (new, old): (Vec<_>, Vec<_>) = changed.partition(|one| one.before.is_none());
        let old = old.into_iter().filter(|one| one.after.is_some()).map(|one| one.path.as_str());
        let is_shipped = |path: &&str| came.get(path).is_none_or(|came| commit.time >= came + A_DAY);
        let shipped: Vec<&str> = old.filter(is_shipped).collect();
        if !shipped.is_empty() && shipped.len() <= MOST_AT_ONCE {
            by += 1;
            edited.extend(shipped);
        }
        came.extend(new.into_iter().map(|one| (one.path.as_str(), commit.time)));
    }
    let files = edited.len();
    let is_habit = files >= LEAST && by * ONE_IN >= commits || by * OFTEN >= commits;
    (by >= LEAST && is_habit).then_some(UsualEdits { files, by, commits })
}
