//! Which migrations are judged, in which order production sees them, and which release brings them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::assemble::{Draft, DraftHistory};
use super::git::{BaseCommit, Git};
use super::layout::Layout;
use super::place::file_name;
use super::rails::names::is_migration;
use super::runner::compare_versions;
use super::text::decode;
use super::walk::Found;
use super::{Base, Deleted, Edited};
use crate::error::Error;
use crate::history::Framework;
use crate::settings::Settings;
use crate::source::Sources;

/// The release of migrations that one change brings, where the settings name none.
pub const THIS_CHANGE: &str = "this change";

/// Of what is judged leaves the files that the user named.
pub fn only(histories: &mut [DraftHistory], paths: &BTreeSet<String>) {
    let named = |draft: &Draft| {
        paths.contains(&draft.up.path) || draft.down.as_ref().is_some_and(|down| paths.contains(&down.path))
    };
    for history in histories {
        for draft in &mut history.drafts {
            draft.migration.judged &= named(draft);
        }
        for file in &mut history.unread {
            file.judged &= paths.contains(&file.path);
        }
    }
}

/// Judges what comes after a version, as the runner orders it.
pub fn after(histories: &mut [DraftHistory], version: &str) -> Result<Vec<String>, Error> {
    let mut remarks = Vec::new();
    let mut known = false;
    for history in histories.iter_mut() {
        let framework = history.layout.framework;
        let same = |draft: &Draft| {
            !draft.migration.version.is_empty()
                && compare_versions(framework, &draft.migration.version, version).is_eq()
        };
        let at = history.drafts.iter().rposition(same);
        known |= at.is_some();
        let mut repeatable = 0;
        for (index, draft) in history.drafts.iter_mut().enumerate() {
            let migration = &mut draft.migration;
            migration.judged = match at {
                Some(at) => index > at && !migration.repeatable,
                None => {
                    !migration.repeatable
                        && compare_versions(framework, &migration.version, version) == Ordering::Greater
                }
            };
            repeatable += usize::from(migration.repeatable);
        }
        for file in &mut history.unread {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let number = name.trim_start_matches(['V', 'v']);
            let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            // A file without a version may be anything, and old.
            file.judged = end > 0 && compare_versions(framework, &number[..end], version) == Ordering::Greater;
        }
        if repeatable > 0 {
            remarks
                .push(format!("{repeatable} repeatable migrations have no version and are not judged; use `--since`"));
        }
    }
    if known {
        return Ok(remarks);
    }
    Err(Error::Usage {
        message: format!("no migration has version {version}"),
        help: "`--after` takes the version of the last migration that is shipped".to_owned(),
    })
}

/// Judges what the work tree adds or changes against a base.
pub fn since(
    histories: &mut [DraftHistory],
    git: &Git<'_>,
    commit: BaseCommit,
    sources: &mut Sources,
) -> Result<Base, Error> {
    let shipped = Shipped::read(histories, git, &commit.commit)?;
    let mut base = Base { revision: commit.revision, commit: commit.commit, edited: Vec::new(), deleted: Vec::new() };
    for history in histories.iter_mut() {
        let mut added = Vec::new();
        for draft in &mut history.drafts {
            let change = shipped.change(&draft.up);
            let undo = draft.down.as_ref().map_or(Change::None, |down| shipped.change(down));
            draft.migration.judged = change != Change::None || undo != Change::None;
            added.push(change == Change::Added);
            if change == Change::Edited {
                draft.migration.judged =
                    undo != Change::None || !shipped.had_part(&draft.up.path, draft.part.as_deref());
                if base.edited.iter().any(|edited| edited.path == draft.up.path) {
                    continue;
                }
                let before = shipped.text(&draft.up.path).unwrap_or_default();
                let before = sources.add(format!("{}@{}", draft.up.path, short(&base.commit)), before);
                base.edited.push(Edited { path: draft.up.path.clone(), source: draft.migration.source, before });
            }
        }
        for file in &mut history.unread {
            file.judged = shipped.is_new_or_changed(&file.path);
        }
        ship_first(&mut history.drafts, &added);
    }
    for (path, text) in shipped.deleted() {
        let before = sources.add(format!("{path}@{}", short(&base.commit)), text);
        base.deleted.push(Deleted { path, before });
    }
    Ok(base)
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Shipped migrations first, those added after them; repeatable ones that changed run last.
fn ship_first(drafts: &mut Vec<Draft>, added: &[bool]) {
    let place = |index: usize, draft: &Draft| match (draft.migration.repeatable, draft.migration.judged, added[index]) {
        (true, true, _) => 2,
        (_, _, true) => 1,
        (_, _, false) => 0,
    };
    let mut placed: Vec<(u8, Draft)> =
        std::mem::take(drafts).into_iter().enumerate().map(|(index, draft)| (place(index, &draft), draft)).collect();
    placed.sort_by_key(|(place, _)| *place);
    drafts.extend(placed.into_iter().map(|(_, draft)| draft));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Edited,
    Added,
}

/// What the base holds below the histories' roots, and what the work tree holds in their place.
struct Shipped {
    /// By path: the base's bytes, without carriage returns.
    files: BTreeMap<String, Option<Vec<u8>>>,
    present: BTreeMap<String, Vec<u8>>,
    /// Paths that the base has and the work tree has not.
    gone: BTreeSet<String>,
}

impl Shipped {
    fn read(histories: &[DraftHistory], git: &Git<'_>, commit: &str) -> Result<Shipped, Error> {
        let mut tree = git.files(commit)?;
        let is_own = |path: &str, layout: &Layout| match layout.framework {
            Framework::Rails => is_migration(file_name(path)),
            _ => super::walk::is_sql(path),
        };
        let inside = |path: &str| histories.iter().any(|one| one.layout.holds(path) && is_own(path, &one.layout));
        let own = histories.iter().flat_map(|history| history.layout.files.iter().chain(&history.layout.other));
        let here: BTreeMap<&str, &Found> = own.map(|file| (file.path.as_str(), file)).collect();
        tree.retain(|path, _| here.contains_key(path.as_str()) || inside(path));
        let blobs: Vec<&str> = tree.values().map(String::as_str).collect();
        let contents = git.contents(&blobs)?.into_iter().map(|bytes| bytes.map(without_returns));
        let files: BTreeMap<_, _> = tree.keys().cloned().zip(contents).collect();
        let present = here.iter().filter_map(|(path, file)| {
            let bytes = super::text::bytes(&file.disk)?;
            Some(((*path).to_owned(), without_returns(bytes)))
        });
        let present = present.collect();
        let gone = files.keys().filter(|path| !here.contains_key(path.as_str())).cloned().collect();
        Ok(Shipped { files, present, gone })
    }

    fn change(&self, file: &Found) -> Change {
        let now = self.present.get(&file.path);
        match self.files.get(&file.path) {
            Some(before) if before.as_ref() == now => Change::None,
            Some(_) => Change::Edited,
            // The same text under another name is the same migration, shipped long ago.
            None if now.is_some_and(|now| self.gone.iter().any(|path| self.is_text(path, now))) => Change::None,
            None => Change::Added,
        }
    }

    fn is_text(&self, path: &str, text: &[u8]) -> bool {
        !text.is_empty() && self.files.get(path).is_some_and(|before| before.as_deref() == Some(text))
    }

    /// One of several migrations of a file stands in the shipped text as it is.
    fn had_part(&self, path: &str, part: Option<&str>) -> bool {
        let Some(part) = part.map(str::trim).filter(|part| !part.is_empty()) else { return false };
        let Some(before) = self.files.get(path).and_then(Option::as_deref) else { return false };
        // A long file with many parts is judged as a whole: looking for each would take its length once more.
        before.len() <= 1024 * 1024 && String::from_utf8_lossy(before).contains(part)
    }

    fn is_new_or_changed(&self, path: &str) -> bool {
        match self.files.get(path) {
            Some(before) => before.as_ref() != self.present.get(path),
            None => true,
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        let bytes = self.files.get(path)?.clone()?;
        Some(decode(bytes).ok()?.text)
    }

    /// Shipped files that are gone and were not renamed.
    fn deleted(&self) -> Vec<(String, String)> {
        let renamed = |path: &String| self.present.values().any(|text| self.is_text(path, text));
        let gone = self.gone.iter().filter(|path| !renamed(path));
        gone.map(|path| (path.clone(), self.text(path).unwrap_or_default())).collect()
    }
}

/// Git may check files out with other line ends than it stores: they are no change.
fn without_returns(bytes: Vec<u8>) -> Vec<u8> {
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

/// Gives each migration its release: named in the settings, or the change that brings it.
pub fn release(histories: &mut [DraftHistory], settings: &Settings, is_change: bool) {
    for draft in histories.iter_mut().flat_map(|history| &mut history.drafts) {
        let migration = &mut draft.migration;
        let is_in = |release: &&crate::settings::Release| {
            let mut patterns = release.migrations.iter();
            patterns.any(|pattern| pattern.matches_migration(&draft.up.path, &migration.version))
        };
        let named = settings.releases.iter().find(is_in).map(|release| release.name.clone());
        // A milestone says it next.
        let said = named.or_else(|| migration.release.take());
        migration.release = said.or_else(|| (is_change && migration.judged).then(|| THIS_CHANGE.to_owned()));
    }
}
