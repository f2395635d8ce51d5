//! Since when the base has a text, and which releases hold it, as git tells: what hardly a database has run.

use std::collections::{BTreeMap, BTreeSet};

use super::super::git::{Changed, Dated, Git};
use super::super::place::folder;
use super::deploys;
use crate::history::HardlyRan;

/// A deploy takes its time, and who finds a fault at once mends it before.
const AN_HOUR: u64 = 60 * 60;
/// Commits that are looked at for what came within it.
const MOST_COMMITS: usize = 32;
/// A project that has made so many tags within a year, or twice as many ever and so many within two, releases by them,
/// though the next release may take its time.
const TAGS: usize = 5;
pub const A_DAY: u64 = 24 * AN_HOUR;
const A_YEAR: u64 = 365 * A_DAY;
/// What has no tag yet, and whose first migration is no older, has hardly been released.
const FIRST_DAYS: u64 = 30;
/// Whoever brings more of them at once brings what has run elsewhere.
const MOST_AT_ONCE: usize = 12;
/// A text that stood between two that are the same was a slip when it stood no longer.
const A_SLIP: u64 = 14 * A_DAY;

/// What is young at the base.
#[derive(Debug, Default)]
pub struct Young {
    /// Paths, and for how many minutes they had been there.
    minutes: BTreeMap<String, u64>,
    /// The newest tag, and the paths whose text no tag holds.
    untagged: Option<(String, BTreeSet<String>)>,
    /// How old the first migration is, where nothing has a tag yet and that is not long ago.
    first_days: Option<u64>,
    /// The main branch, and the paths whose text came on a branch that it had not taken in.
    unmerged: Option<(String, BTreeSet<String>)>,
    /// A description of a deploy before production, where there is none to production yet.
    before_production: Option<String>,
    /// Of all these the paths that had another text before: their text is young, and what they made is not.
    edited: BTreeSet<String>,
}

impl Young {
    /// What came to a base shortly before the head, or after the last release, of these paths. Where it is deployed is asked
    /// for edits alone: it takes the base's whole tree.
    pub fn at(git: &Git<'_>, base: &str, paths: &BTreeSet<String>, has_edits: bool) -> Young {
        let Some(head) = git.head() else { return Young::default() };
        let tags = git.tags();
        let known: Vec<&(String, Dated)> = tags.iter().filter(|(_, tag)| tag.time <= head.time).collect();
        let mut edited = BTreeSet::new();
        let untagged = untagged(git, base, paths, &known, head.time, &mut edited);
        let minutes = match head.commit == base {
            true => BTreeMap::new(),
            false => minutes(git, base, &head, &known, &mut edited),
        };
        let first_days = if known.is_empty() { first_days(git, base, paths, head.time) } else { None };
        let unmerged = unmerged(git, base, head.time, &mut edited);
        // A tag of another kind may be what production runs.
        let is_early = |(name, _): &&(String, Dated)| deploys::is_before_production(name);
        let asks = has_edits && known.iter().all(is_early);
        let before_production = asks.then(|| deploys::without_production(git, base)).flatten();
        Young { minutes, untagged, first_days, unmerged, before_production, edited }
    }

    /// Likewise, where the file itself is young.
    pub fn of_file(&self, path: &str) -> Option<HardlyRan> {
        // Where else it is deployed, the repository need not say: what it has is no less in use for that.
        let is_told = |why: &HardlyRan| !matches!(why, HardlyRan::BeforeProduction { .. });
        self.of(path).filter(is_told).filter(|_| !self.edited.contains(path))
    }

    /// The project releases by tags, and one of the newest holds the text of this path.
    pub fn is_released(&self, path: &str) -> bool {
        self.untagged.as_ref().is_some_and(|(_, untagged)| !untagged.contains(path))
    }

    pub fn of(&self, path: &str) -> Option<HardlyRan> {
        if let Some(minutes) = self.minutes.get(path) {
            return Some(HardlyRan::For { minutes: *minutes });
        }
        if let Some((main, _)) = self.unmerged.as_ref().filter(|(_, paths)| paths.contains(path)) {
            return Some(HardlyRan::Unmerged { main: main.clone() });
        }
        if let Some(days) = self.first_days {
            return Some(HardlyRan::FirstDays { days });
        }
        if let Some(path) = &self.before_production {
            return Some(HardlyRan::BeforeProduction { path: path.clone() });
        }
        let (newest, paths) = self.untagged.as_ref()?;
        paths.contains(path).then(|| HardlyRan::Untagged { newest: newest.clone() })
    }
}

/// Commit by commit, back to the first that was there an hour before the head, or to a tag.
fn minutes(
    git: &Git<'_>,
    base: &str,
    head: &Dated,
    tags: &[&(String, Dated)],
    edited: &mut BTreeSet<String>,
) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let line = git.line_of(base, MOST_COMMITS + 1, &[]);
    for (commit, before) in line.iter().zip(line.iter().skip(1)) {
        let seconds = head.time.saturating_sub(commit.time);
        if seconds >= AN_HOUR || tags.iter().any(|(_, tag)| tag.commit == commit.commit) {
            break;
        }
        let Ok(changed) = git.changed(&before.commit, &commit.commit) else { break };
        edited.extend(edited_texts(&changed));
        for path in new_texts(&changed) {
            found.entry(path).or_insert(seconds / 60);
        }
    }
    found
}

/// Paths with a text that was not there before: what was only moved was.
fn new_texts(changed: &[Changed]) -> Vec<String> {
    let gone: BTreeSet<&String> =
        changed.iter().filter(|one| one.after.is_none()).filter_map(|one| one.before.as_ref()).collect();
    let is_new = |one: &&Changed| one.after.as_ref().is_some_and(|blob| !gone.contains(blob));
    changed.iter().filter(is_new).map(|one| one.path.clone()).collect()
}

/// Of them those that had another text.
fn edited_texts(changed: &[Changed]) -> impl Iterator<Item = String> {
    changed.iter().filter(|one| one.before.is_some() && one.after.is_some()).map(|one| one.path.clone())
}

/// Of the base's paths those whose text stands in none of the newest tags.
fn untagged(
    git: &Git<'_>,
    base: &str,
    paths: &BTreeSet<String>,
    tags: &[&(String, Dated)],
    now: u64,
    edited: &mut BTreeSet<String>,
) -> Option<(String, BTreeSet<String>)> {
    let newest = tags.get(..TAGS)?;
    let (first, last) = (newest.first()?.1.time, newest.last()?.1.time);
    let within = if tags.len() >= 2 * TAGS { 2 * A_YEAR } else { A_YEAR };
    if last + within < first || first + A_YEAR + A_YEAR / 2 < now {
        return None;
    }
    let folders: BTreeSet<&str> = paths.iter().map(|path| folder(path)).collect();
    let (mut found, mut is_own) = (paths.clone(), false);
    for (_, tag) in newest {
        let changed = git.changed(&tag.commit, base).ok()?;
        is_own |= changed.iter().any(|one| one.before.is_some() && folders.contains(folder(&one.path)));
        edited.extend(edited_texts(&changed));
        let changed: BTreeSet<String> = new_texts(&changed).into_iter().collect();
        found.retain(|path| changed.contains(path));
        if found.is_empty() {
            break;
        }
    }
    // Tags that hold none of them, and nothing that stood where they are, are of something else.
    (is_own || found.len() < paths.len()).then(|| (newest[0].0.clone(), found))
}

/// The base stands on a branch of its own: what came to it there, main does not have.
fn unmerged(git: &Git<'_>, base: &str, now: u64, edited: &mut BTreeSet<String>) -> Option<(String, BTreeSet<String>)> {
    // One that nobody has worked on for so long is no main branch any more.
    let (main, tip) = git.main_at(now).filter(|(_, tip)| tip.time + A_YEAR / 2 > now)?;
    let tip = tip.commit;
    let parted = git.parted(&tip, base).filter(|parted| parted != base)?;
    let changed = git.changed(&tip, base).ok()?;
    edited.extend(edited_texts(&changed));
    let of_main: BTreeSet<String> = new_texts(&changed).into_iter().collect();
    let of_branch = new_texts(&git.changed(&parted, base).ok()?).into_iter();
    Some((main, of_branch.filter(|path| of_main.contains(path)).collect()))
}

/// The days since the first of these paths came, as one of a few that came with it. What was moved is older, and so may be
/// what the very first commit brings.
fn first_days(git: &Git<'_>, base: &str, paths: &BTreeSet<String>, now: u64) -> Option<u64> {
    const MOST_CHANGES: usize = 200;
    let first = paths.first()?;
    let line = git.line_of(base, MOST_CHANGES, &[first]);
    let came = line.last().filter(|_| line.len() < MOST_CHANGES)?;
    let days = now.saturating_sub(came.time) / A_DAY;
    let before = git.line_of(&came.commit, 2, &[]).pop().filter(|before| before.commit != came.commit)?;
    let new = new_texts(&git.changed(&before.commit, &came.commit).ok()?);
    let own = new.iter().filter(|path| paths.contains(*path)).count();
    (days <= FIRST_DAYS && new.contains(first) && own <= MOST_AT_ONCE).then_some(days)
}

/// The newest releases up to the head.
pub fn releases(git: &Git<'_>) -> Vec<Dated> {
    let Some(head) = git.head() else { return Vec::new() };
    let known = git.tags().into_iter().map(|(_, tag)| tag).filter(|tag| tag.time <= head.time);
    known.take(TAGS).collect()
}

/// The base has no such file, but had it with this text until it was taken away, or a release from another branch has it:
/// databases of that time ran it.
pub fn came_back(git: &Git<'_>, (base, releases): (&str, &[Dated]), path: &str, now: &[u8]) -> bool {
    const MOST_TEXTS: usize = 8;
    let is_it = |commit: &Dated| text_at(git, &commit.commit, path).is_some_and(|text| text == now);
    let line = git.line_of(base, MOST_TEXTS + 1, &[path]);
    // The newest one took it away.
    releases.iter().any(is_it) || line.iter().skip(1).any(is_it)
}

fn text_at(git: &Git<'_>, commit: &str, path: &str) -> Option<Vec<u8>> {
    let blob = git.files_at(commit, &[path]).ok()?.remove(path)?;
    let text = git.contents(&[blob.as_str()]).ok()?.pop()??;
    Some(super::files::without_returns(text))
}

/// The text of a path is the one that stood there before the base's, which was a slip: it stood shorter than that, and
/// not for long.
pub fn is_restored(git: &Git<'_>, base: &str, path: &str, now: &[u8]) -> bool {
    let (Some(head), line) = (git.head(), git.line_of(base, MOST_COMMITS, &[path])) else { return false };
    let Some(slip) = line.first() else { return false };
    let stood = head.time.saturating_sub(slip.time);
    if stood > A_SLIP {
        return false;
    }
    line.iter().zip(line.iter().skip(1)).any(|(next, commit)| {
        let longer = next.time.saturating_sub(commit.time) >= stood;
        longer && text_at(git, &commit.commit, path).is_some_and(|text| text == now)
    })
}
