//! The files that a base holds below the histories' roots, and what the work tree holds in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::assemble::{Draft, DraftHistory};
use super::super::dialect::{Dialects, is_for_postgres, without_variant};
use super::super::git::Git;
use super::super::layout::Layout;
use super::super::place::{file_name, folder};
use super::super::rails::names::is_migration;
use super::super::runner::{compare_versions, drizzle, tool};
use super::super::text::{self, Text, decode};
use super::super::walk::{Found, is_sql};
use crate::error::Error;
use crate::history::{Framework, SinceBase};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    Edited,
    Added,
}

#[derive(Debug)]
pub struct Files {
    /// By path: the base's bytes, without carriage returns.
    files: BTreeMap<String, Option<Vec<u8>>>,
    present: BTreeMap<String, Vec<u8>>,
    /// Paths that the base has and the work tree has not.
    gone: BTreeSet<String>,
    /// Files that were moved to another folder: where they are, and where they were.
    moved: BTreeMap<String, String>,
    /// Files under another name with the text of one that is gone.
    renamed: BTreeMap<String, String>,
    /// Of those that Drizzle runs by a journal: the ones that kept their moment in it.
    timed: BTreeSet<String>,
    /// Sqitch's older scripts of what this change reworks, each with the path at which the base has it.
    reworked: BTreeMap<String, String>,
}

/// Whether a path of the base may be a migration of a history.
fn is_own(path: &str, layout: &Layout) -> bool {
    layout.holds(path)
        && match layout.framework {
            Framework::Rails => is_migration(file_name(path)),
            _ => is_sql(path),
        }
}

/// What names of files tell apart in the work tree, told of a revision: other databases' files are none of a history.
struct Names {
    dialects: Dialects,
    /// Folders and names, without their variant, of files for PostgreSQL that the revision has.
    for_postgres: BTreeSet<(String, String)>,
}

impl Names {
    fn learn<'a>(paths: impl Iterator<Item = &'a str>, tree: &BTreeMap<String, String>) -> Names {
        let dialects = Dialects::learn(paths.filter(|path| is_sql(path)));
        let for_postgres = tree.keys().filter(|path| is_sql(path) && is_for_postgres(file_name(path)));
        Names { dialects, for_postgres: for_postgres.map(|path| Names::key(path)).collect() }
    }

    fn key(path: &str) -> (String, String) {
        (folder(path).to_owned(), without_variant(file_name(path)))
    }

    /// A path that some history of the work tree would take for its own.
    fn is_own(&self, path: &str, histories: &[DraftHistory]) -> bool {
        let has_twin = || !is_for_postgres(file_name(path)) && self.for_postgres.contains(&Names::key(path));
        histories.iter().any(|history| {
            let layout = &history.layout;
            let is_other = |path: &str| self.dialects.other(path, &layout.root).is_some();
            // Where the work tree reads such files, their names are no proof.
            let is_left_out = || is_other(path) && !layout.files.iter().any(|file| is_other(&file.path));
            is_own(path, layout) && !(is_sql(path) && (has_twin() || is_left_out()))
        })
    }
}

/// Moments of files, by their paths, as the journals of Drizzle have them.
struct Journals {
    now: BTreeMap<String, u64>,
    then: BTreeMap<String, u64>,
}

impl Journals {
    fn read(histories: &[DraftHistory], git: &Git<'_>, tree: &BTreeMap<String, String>) -> Result<Journals, Error> {
        let (mut now, mut then) = (BTreeMap::new(), BTreeMap::new());
        for layout in histories.iter().map(|history| &history.layout) {
            let path = format!("{}/{}", layout.root, drizzle::JOURNAL);
            let Some(blob) = tree.get(&path).filter(|_| layout.framework == Framework::Drizzle) else { continue };
            let before = git.contents(&[blob.as_str()])?.pop().flatten();
            for (bytes, found) in [(before, &mut then), (text::bytes(&git.root().join(&path)), &mut now)] {
                let journal = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default());
                let moments = drizzle::moments(&journal).into_iter();
                found.extend(moments.map(|(file, moment)| (format!("{}/{file}", layout.root), moment)));
            }
        }
        Ok(Journals { now, then })
    }

    fn keep(&self, now: &str, before: &str) -> bool {
        self.now.get(now).is_some_and(|moment| self.then.get(before) == Some(moment))
    }
}

impl Files {
    pub fn read(histories: &[DraftHistory], git: &Git<'_>, commit: &str) -> Result<Files, Error> {
        let mut tree = git.files(commit)?;
        let own = histories.iter().flat_map(|history| history.layout.files.iter().chain(&history.layout.other));
        let here: BTreeMap<&str, &Found> = own.map(|file| (file.path.as_str(), file)).collect();
        let moved = moved(&here, &tree, git.root());
        let sources: BTreeSet<&String> = moved.values().collect();
        let journals = Journals::read(histories, git, &tree)?;
        let names = Names::learn(here.keys().copied().chain(tree.keys().map(String::as_str)), &tree);
        let inside: BTreeSet<String> = tree.keys().filter(|path| names.is_own(path, histories)).cloned().collect();
        tree.retain(|path, _| here.contains_key(path.as_str()) || sources.contains(path) || inside.contains(path));
        let blobs: Vec<&str> = tree.values().map(String::as_str).collect();
        let contents = git.contents(&blobs)?.into_iter().map(|bytes| bytes.map(without_returns));
        let files: BTreeMap<_, _> = tree.keys().cloned().zip(contents).collect();
        let present = here.iter().filter_map(|(path, file)| {
            let bytes = text::bytes(&file.disk)?;
            Some(((*path).to_owned(), without_returns(bytes)))
        });
        let present: BTreeMap<String, Vec<u8>> = present.collect();
        let gone: BTreeSet<String> = files.keys().filter(|path| !here.contains_key(path.as_str())).cloned().collect();
        let renamed = renamed(&files, &present, &gone);
        let kept = renamed.iter().filter(|(now, before)| journals.keep(now, before));
        let timed = kept.map(|(now, _)| now.clone()).collect();
        let of_sqitch = histories.iter().filter(|history| history.layout.framework == Framework::Sqitch);
        let scripts = of_sqitch.flat_map(|history| history.layout.files.iter().map(|file| &file.path));
        let older = scripts.filter(|path| !files.contains_key(*path));
        let older = older.filter_map(|path| Some((path.clone(), reworked(path)?)));
        let reworked = older.filter(|(_, before)| files.contains_key(before)).collect();
        Ok(Files { files, present, gone, moved, renamed, timed, reworked })
    }

    /// Paths of migrations that only the tip of the base has.
    pub fn newer(histories: &[DraftHistory], git: &Git<'_>, tip: &str, shipped: &Files) -> Result<Vec<String>, Error> {
        let tree = git.files(tip)?;
        let names = Names::learn(shipped.present.keys().chain(tree.keys()).map(String::as_str), &tree);
        let is_known = |path: &String| shipped.files.contains_key(path) || shipped.present.contains_key(path);
        let new = tree.keys().filter(|path| !is_known(path) && names.is_own(path, histories));
        Ok(new.cloned().collect())
    }

    pub fn change(&self, file: &Found) -> Change {
        let now = self.present.get(&file.path);
        // Its text at the base has another name now; this is the new one.
        if self.reworked.values().any(|before| *before == file.path) {
            return Change::Added;
        }
        match self.files.get(self.path_at_base(&file.path)) {
            Some(before) if before.as_ref() == now => Change::None,
            Some(_) => Change::Edited,
            // The same text under another name is the same migration, shipped long ago.
            None if self.renamed.contains_key(&file.path) => Change::None,
            None => Change::Added,
        }
    }

    /// A migration of the base or of the work tree.
    pub fn is_known(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.present.contains_key(path)
    }

    /// Where a file of the work tree lay.
    pub fn path_at_base<'a>(&'a self, path: &'a str) -> &'a str {
        if self.files.contains_key(path) {
            return path;
        }
        self.reworked.get(path).or_else(|| self.moved.get(path)).map_or(path, String::as_str)
    }

    /// What the migration of a file was called where it lay: what is reworked gets a tag behind its name.
    pub fn name_at_base<'a>(&self, path: &str, name: &'a str) -> &'a str {
        let tagged = name.rsplit_once('@').filter(|_| self.reworked.contains_key(path));
        tagged.map_or(name, |(name, _)| name)
    }

    /// The same, of one that has another name too.
    pub fn path_then<'a>(&'a self, path: &'a str) -> &'a str {
        self.renamed.get(path).map_or_else(|| self.path_at_base(path), String::as_str)
    }

    /// The base has a file of that name.
    pub fn was_there(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(Option::is_some)
    }

    /// What the work tree has at a path.
    pub fn bytes_now(&self, path: &str) -> Option<&[u8]> {
        self.present.get(path).map(Vec::as_slice)
    }

    pub fn is_present(&self, path: &str) -> bool {
        self.present.contains_key(path)
    }

    /// One of several migrations of a file stands in the shipped text as it is.
    pub fn had_part(&self, path: &str, part: Option<&str>) -> bool {
        let Some(part) = part.map(str::trim).filter(|part| !part.is_empty()) else { return false };
        let Some(before) = self.files.get(path).and_then(Option::as_deref) else { return false };
        // A long file with many parts is judged as a whole: looking for each would take its length once more.
        before.len() <= 1024 * 1024 && String::from_utf8_lossy(before).contains(part)
    }

    pub fn is_new_or_changed(&self, path: &str) -> bool {
        match self.files.get(path) {
            Some(before) => before.as_ref() != self.present.get(path),
            None => true,
        }
    }

    /// It has the text of a migration that is gone, and another version: it runs once more.
    pub fn is_renumbered(&self, draft: &Draft, framework: Framework) -> bool {
        let migration = &draft.migration;
        let Some(before) = self.renamed.get(&draft.up.path) else { return false };
        let version = super::version_in_name(framework, file_name(before)).unwrap_or_default();
        migration.since_base == SinceBase::Same
            && !migration.repeatable
            && !self.timed.contains(&draft.up.path)
            && !version.is_empty()
            && file_name(&draft.up.path).contains(&migration.version)
            && !is_version_of(framework, &version, &migration.version)
    }

    /// The runner refuses two files of one version, and the base has another one beside what this file was: no database
    /// came to run either there.
    pub fn had_twin(&self, draft: &Draft, layout: &Layout) -> bool {
        let framework = layout.framework;
        let Some(before) = self.renamed.get(&draft.up.path).filter(|_| tool(framework).one_per_version) else {
            return false;
        };
        let version = |path: &str| super::version_in_name(framework, file_name(path)).filter(|one| !one.is_empty());
        let Some(own) = version(before) else { return false };
        let is_twin = |path: &String| {
            let is_other = folder(path) == folder(before) && !is_down(path) && path != before && is_own(path, layout);
            is_other && version(path).is_some_and(|one| compare_versions(framework, &one, &own).is_eq())
        };
        self.files.keys().any(is_twin)
    }

    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = self.files.get(path)?.clone()?;
        Some(decode(bytes).ok()?.text)
    }

    /// Shipped files that are gone and were not renamed.
    pub fn deleted(&self) -> Vec<(String, String)> {
        let found: BTreeSet<&String> = self.renamed.values().chain(self.moved.values()).collect();
        let gone = self.gone.iter().filter(|path| !found.contains(path));
        gone.map(|path| (path.clone(), self.text(path).unwrap_or_default())).collect()
    }

    /// The file at the base belongs to this history.
    pub fn belongs(&self, path: &str, history: &DraftHistory) -> bool {
        let of_moved =
            || history.layout.files.iter().any(|file| self.moved.get(&file.path).is_some_and(|was| was == path));
        is_own(path, &history.layout) || of_moved()
    }

    /// A history's files as the base has them.
    pub fn files_of(&self, history: &DraftHistory, root: &Path) -> Vec<(Found, Result<Text, String>)> {
        let own = self.files.iter().filter(|(path, _)| self.belongs(path, history));
        let of = |(path, bytes): (&String, &Option<Vec<u8>>)| {
            let found = Found { path: path.clone(), disk: root.join(path) };
            (found, bytes.clone().ok_or_else(|| "it is not here".to_owned()).and_then(decode))
        };
        own.map(of).collect()
    }
}

/// A file that undoes another one.
fn is_down(path: &str) -> bool {
    file_name(path).ends_with(".down.sql") || file_name(path).ends_with(".undo.sql")
}

/// What ran as the one is taken for the other.
pub fn is_version_of(framework: Framework, before: &str, now: &str) -> bool {
    // `popx` looks for the first 14 characters too, which its versions had once, and marks what it finds as run.
    let is_legacy = framework == Framework::Pop && before.len() == 14 && now.starts_with(before);
    is_legacy || compare_versions(framework, before, now).is_eq()
}

/// `deploy/name@tag.sql` is what `deploy/name.sql` was before it was reworked.
fn reworked(path: &str) -> Option<String> {
    let (name, _) = file_name(path).strip_suffix(".sql")?.rsplit_once('@')?;
    let folder = folder(path);
    Some(format!("{folder}{}{name}.sql", if folder.is_empty() { "" } else { "/" }))
}

/// Files that are new where they are, and lay elsewhere under the same name: a folder of migrations was moved.
fn moved(here: &BTreeMap<&str, &Found>, tree: &BTreeMap<String, String>, root: &Path) -> BTreeMap<String, String> {
    let new: Vec<&str> = here.keys().copied().filter(|path| !tree.contains_key(*path)).collect();
    if new.is_empty() {
        return BTreeMap::new();
    }
    let mut by_name: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for path in tree.keys().filter(|path| is_sql(path) || path.ends_with(".rb")) {
        by_name.entry(own_name(path)).or_default().push(path);
    }
    let is_gone = |path: &str| !here.contains_key(path) && !root.join(path).exists();
    let was = |path: &str| {
        let gone = by_name.get(own_name(path))?.iter().filter(|one| is_gone(one));
        // Several were moved: the nearest, where one of them is.
        let mut near: Vec<((usize, usize), &String)> = gone.map(|one| (nearness(one, path), *one)).collect();
        near.sort_by_key(|(nearness, _)| std::cmp::Reverse(*nearness));
        match near.as_slice() {
            [(_, one)] => Some((*one).clone()),
            [(most, one), (next, _), ..] if most > next => Some((*one).clone()),
            _ => None,
        }
    };
    new.into_iter().filter_map(|path| Some((path.to_owned(), was(path)?))).collect()
}

/// Folders and names at the end of both paths, and then those that stand anywhere in both: `db/postgres/migration/1.sql`
/// went to `migration/postgres/1.sql`, not to that of another database.
fn nearness(one: &str, other: &str) -> (usize, usize) {
    let end = one.rsplit('/').zip(other.rsplit('/')).take_while(|(one, other)| one == other).count();
    (end, one.split('/').filter(|part| other.split('/').any(|own| own == *part)).count())
}

/// A file's name; with its folder's where each migration has a folder of its own.
fn own_name(path: &str) -> &str {
    let name = file_name(path);
    if name.starts_with(|first: char| first.is_ascii_digit() || first == 'V') {
        return name;
    }
    let above = folder(path).rfind('/').map_or(0, |at| at + 1);
    &path[above..]
}

/// New files with the very text of one that is gone. Of several with one text it was the one that has its name, nearest
/// to it.
fn renamed(
    files: &BTreeMap<String, Option<Vec<u8>>>,
    present: &BTreeMap<String, Vec<u8>>,
    gone: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let mut by_text: BTreeMap<&[u8], Vec<&String>> = BTreeMap::new();
    for path in gone {
        if let Some(Some(text)) = files.get(path)
            && !text.is_empty()
        {
            by_text.entry(text).or_default().push(path);
        }
    }
    let was = |path: &str, text: &[u8]| {
        let near = |one: &&&String| (own_name(one) == own_name(path), nearness(one, path));
        // The first of those that are as near as another.
        by_text.get(text)?.iter().rev().max_by_key(near).copied()
    };
    let new = present.iter().filter(|(path, _)| !files.contains_key(*path));
    new.filter_map(|(path, text)| Some((path.clone(), was(path, text)?.clone()))).collect()
}

/// Git may check files out with other line ends than it stores: they are no change.
pub fn without_returns(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.contains(&b'\r') {
        return bytes;
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            kept.push(*byte);
        }
    }
    kept
}
