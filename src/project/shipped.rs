//! What a base revision ships, and how the migrations of the work tree stand to it.

mod beside;
mod deploys;
mod files;
mod flyway;
mod since;
mod usual;

use std::collections::{BTreeMap, BTreeSet};

use files::{Change, Files, is_version_of};
use since::{Young, came_back, is_restored, releases};
use usual::{Lies, usual_edits};

use super::assemble::{AtBase, Draft, DraftHistory, at_base};
use super::git::Git;
use super::runner::{self, compare_versions};
use super::{Base, Deleted, Edited};
use crate::error::Error;
use crate::history::{AfterEdit, Framework, SinceBase};
use crate::operation::{Node, RubyFile, RubyKind, walk};
use crate::read::sql::same_tokens;
use crate::source::{SourceId, Sources};

/// Judges what the work tree adds or changes against a base. What databases have run stays in the history: the shipped
/// text of what is edited, and what is deleted.
pub fn since(
    histories: &mut [DraftHistory],
    git: &Git<'_>,
    revision: &str,
    sources: &mut Sources,
) -> Result<Base, Error> {
    let commit = git.base(revision)?;
    let shipped = Files::read(histories, git, &commit.commit)?;
    let (edited, deleted, beside) = (Vec::new(), Vec::new(), Vec::new());
    let mut base = Base { revision: commit.revision, commit: commit.commit, edited, deleted, beside };
    let short = base.commit.get(..12).unwrap_or(&base.commit).to_owned();
    let mut gone: BTreeMap<String, SourceId> = BTreeMap::new();
    for (path, text) in shipped.deleted() {
        let before = sources.add(path.as_str(), text);
        gone.insert(path.clone(), before);
        base.deleted.push(Deleted { path, before });
    }
    if !base.deleted.is_empty() {
        let texts = beside::texts(git, &base.commit, |path| shipped.is_known(path))?;
        base.beside = texts.into_iter().map(|(path, text)| sources.add(path.as_str(), text)).collect();
    }
    let tip = git.known(revision)?;
    let newer = if tip == base.commit { Vec::new() } else { Files::newer(histories, git, &tip, &shipped)? };
    let lies: Vec<Lies> = histories.iter().map(|history| Lies::of(history, &shipped)).collect();
    for history in histories.iter_mut() {
        let mut wanted = gone.clone();
        let changes = judge(history, &shipped, |draft, path| {
            let before = sources.add(format!("{}@{short}", draft.up.path), shipped.text(path).unwrap_or_default());
            wanted.insert(path.to_owned(), before);
            base.edited.push(Edited { path: draft.up.path.clone(), source: draft.migration.source, before });
        });
        for file in &mut history.unread {
            file.judged = shipped.is_new_or_changed(&file.path);
            file.shipped = file.judged && shipped.was_there(&file.path);
        }
        for (draft, _) in history.drafts.iter().zip(&changes).filter(|(_, undo)| **undo == Change::Edited) {
            let Some(down) = draft.down.as_ref().map(|down| shipped.path_at_base(&down.path)) else { continue };
            let before = sources.add(format!("{down}@{short}"), shipped.text(down).unwrap_or_default());
            wanted.insert(down.to_owned(), before);
            // Its up is read as the base has it, which may be the very text of now.
            wanted.entry(shipped.path_at_base(&draft.up.path).to_owned()).or_insert(draft.migration.source);
        }
        wanted.retain(|path, _| shipped.belongs(path, history));
        let (listed, drafts) = match wanted.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => {
                let files = shipped.files_of(history, git.root());
                at_base(history, AtBase { files, wanted, root: git.root() }, sources)
            }
        };
        let mut compared = Compared { history, shipped: &shipped, changes, before: drafts, twins: Vec::new() };
        compared.pair(sources);
        compared.keep_restored(git, &base.commit);
        compared.keep_returned(git, &base.commit);
        compared.take_gone(&listed);
        compared.mark_young(git, &base.commit);
        compared.mark_usual(git, &base.commit, &lies);
        newest(history, &newer, git);
    }
    Ok(base)
}

/// Says which migrations the work tree changes, and tells of each file that it edits.
fn judge(history: &mut DraftHistory, shipped: &Files, mut edited: impl FnMut(&Draft, &str)) -> Vec<Change> {
    let mut told = BTreeSet::new();
    let mut changes = Vec::with_capacity(history.drafts.len());
    for draft in &mut history.drafts {
        let change = shipped.change(&draft.up);
        let undo = draft.down.as_ref().map_or(Change::None, |down| shipped.change(down));
        let migration = &mut draft.migration;
        migration.judged = change != Change::None || undo != Change::None;
        migration.since_base = match change {
            Change::Added => SinceBase::Added,
            Change::Edited => SinceBase::Edited,
            Change::None => SinceBase::Same,
        };
        if change == Change::Edited {
            let path = shipped.path_at_base(&draft.up.path);
            if told.insert(path.to_owned()) {
                edited(draft, path);
            }
            if shipped.had_part(path, draft.part.as_deref()) {
                draft.migration.judged = undo != Change::None;
                draft.migration.since_base = SinceBase::Same;
            }
        }
        changes.push(undo);
    }
    changes
}

/// A history beside what the base has of its changed files.
struct Compared<'a> {
    history: &'a mut DraftHistory,
    shipped: &'a Files,
    /// How the down of each migration changed.
    changes: Vec<Change>,
    before: Vec<Draft>,
    /// The shipped text of edited migrations, by their places.
    twins: Vec<(usize, Draft)>,
}

impl Compared<'_> {
    /// Finds for each migration of the work tree the one of the base that it was.
    fn pair(&mut self, sources: &Sources) {
        let framework = self.history.layout.framework;
        for (place, draft) in self.history.drafts.iter_mut().enumerate() {
            draft.order = place;
            let migration = &draft.migration;
            let at_base = self.shipped.path_at_base(&draft.up.path);
            let same_version = |one: &Draft| is_version_of(framework, &one.migration.version, &migration.version);
            let name = self.shipped.name_at_base(&draft.up.path, &migration.name);
            let is_tagged = name != migration.name;
            let at_same_place =
                |one: &Draft| one.up.path == at_base && (is_tagged || same_version(one)) && one.migration.name == name;
            if migration.since_base == SinceBase::Same && self.changes[place] == Change::Edited {
                let found = self.before.iter().position(at_same_place).map(|found| self.before.remove(found));
                draft.migration.shipped_down = found.and_then(|one| one.migration.down);
                continue;
            }
            let found = match migration.since_base {
                SinceBase::Edited => self.before.iter().position(at_same_place),
                // Another title under the same version is no other migration.
                SinceBase::Added if !migration.version.is_empty() && !migration.repeatable => {
                    self.before.iter().position(|one| {
                        !self.shipped.is_present(&one.up.path) && same_version(one) && draft.part.is_none()
                    })
                }
                _ => None,
            };
            let Some(found) = found else {
                // What the base's file held was no migration there, or another one: databases have not run this.
                if migration.since_base == SinceBase::Edited {
                    draft.migration.since_base = SinceBase::Added;
                }
                if self.shipped.is_renumbered(draft, framework) {
                    let is_first = self.shipped.had_twin(draft, &self.history.layout);
                    draft.migration.judged |= is_first;
                    draft.migration.since_base = if is_first { SinceBase::Added } else { SinceBase::Renumbered };
                }
                continue;
            };
            let mut twin = self.before.remove(found);
            let after_edit = runner::tool(framework).after_edit;
            let repeats = draft.migration.repeatable;
            let is_same = match after_edit {
                AfterEdit::RefusesOtherLines => has_the_lines(&twin, draft, sources),
                // What keeps no checksum of a text has no reason to run it again.
                _ => repeats && says_the_same(&twin, draft, sources),
            };
            if is_same || (!repeats && says_the_same(&twin, draft, sources)) {
                draft.migration.since_base = if is_same { SinceBase::Same } else { SinceBase::Reformatted };
                draft.migration.judged = self.changes[place] != Change::None;
                draft.migration.shipped_down = twin.migration.down.filter(|_| draft.migration.judged);
                continue;
            }
            draft.migration.since_base = if repeats { SinceBase::Repeated } else { SinceBase::Edited };
            twin.migration.repeatable = repeats;
            twin.migration.since_base = SinceBase::Shipped;
            twin.migration.judged = false;
            self.twins.push((place, twin));
        }
    }

    /// What brings back an older text of a file mends an edit of it.
    fn keep_restored(&mut self, git: &Git<'_>, base: &str) {
        let (drafts, changes, shipped) = (&mut self.history.drafts, &self.changes, self.shipped);
        self.twins.retain(|(place, _)| {
            let (Some(draft), Some(undo)) = (drafts.get_mut(*place), changes.get(*place)) else { return true };
            let path = shipped.path_at_base(&draft.up.path);
            let is_edit = draft.migration.since_base == SinceBase::Edited;
            let now = shipped.bytes_now(&draft.up.path).filter(|_| is_edit);
            if !now.is_some_and(|now| is_restored(git, base, path, now)) {
                return true;
            }
            draft.migration.since_base = SinceBase::Same;
            draft.migration.judged = *undo != Change::None;
            false
        });
    }

    /// A file that was taken away and comes back as it was, or that a release from another branch has, before others that are
    /// shipped, is no new migration: what ran those ran it. Where a runner takes late ones, it runs.
    fn keep_returned(&mut self, git: &Git<'_>, base: &str) {
        const MOST: usize = 32;
        if self.history.late == crate::history::Late::Runs {
            return;
        }
        let is_shipped = |draft: &&Draft| {
            use SinceBase::{Edited, Reformatted, Same};
            matches!(draft.migration.since_base, Same | Edited | Reformatted)
        };
        let Some(last) = self.history.drafts.iter().filter(is_shipped).map(|draft| draft.order).max() else { return };
        let (changes, shipped) = (&self.changes, self.shipped);
        let releases = std::cell::LazyCell::new(|| releases(git));
        let is_late = |draft: &&mut Draft| {
            draft.migration.since_base == SinceBase::Added && !draft.migration.repeatable && draft.order < last
        };
        for draft in self.history.drafts.iter_mut().filter(is_late).take(MOST) {
            let Some(now) = shipped.bytes_now(&draft.up.path) else { continue };
            if draft.part.is_none() && came_back(git, (base, &releases), &draft.up.path, now) {
                draft.migration.since_base = SinceBase::Same;
                draft.migration.judged = changes.get(draft.order).is_some_and(|undo| *undo != Change::None);
            }
        }
    }

    /// Tells apart what hardly a database has run. It is asked where something rests on that.
    fn mark_young(&mut self, git: &Git<'_>, base: &str) {
        let drafts = &mut self.history.drafts;
        let is_told = |draft: &Draft| {
            use SinceBase::{Deleted, Edited, Reformatted, Renumbered};
            matches!(draft.migration.since_base, Edited | Deleted | Reformatted | Renumbered)
        };
        let is_new = |draft: &Draft| draft.migration.since_base == SinceBase::Added && !draft.migration.repeatable;
        let first_new = drafts.iter().filter(|draft| is_new(draft)).map(|draft| draft.order).min();
        // What a new one changes may have come after the last release, and so may what it comes too late for.
        let has_edits = drafts.iter().any(is_told);
        if first_new.is_none() && !has_edits {
            return;
        }
        let of_base = drafts.iter().filter(|draft| draft.migration.since_base != SinceBase::Added);
        let paths: BTreeSet<String> = of_base.map(|draft| self.shipped.path_then(&draft.up.path).to_owned()).collect();
        let young = Young::at(git, base, &paths, has_edits);
        for draft in drafts.iter_mut().filter(|draft| draft.migration.since_base != SinceBase::Added) {
            let known = draft.migration.hardly_ran.take();
            let path = self.shipped.path_then(&draft.up.path);
            draft.migration.hardly_ran = young.of(path).or(known);
            draft.migration.hardly_there = young.of_file(path);
            draft.migration.is_released = young.is_released(path);
        }
        // Its shipped text may have had another title, and so another path.
        for at in 1..drafts.len() {
            if drafts[at].migration.since_base == SinceBase::Shipped {
                drafts[at - 1].migration.hardly_ran = drafts[at].migration.hardly_ran.clone();
            }
        }
    }

    /// Looks whether edits of what is shipped are taken here, where there are any.
    fn mark_usual(&mut self, git: &Git<'_>, base: &str, lies: &[Lies]) {
        let history = &mut *self.history;
        let is = |kind: SinceBase| history.drafts.iter().any(|draft| draft.migration.since_base == kind);
        let (has_edits, has_formats) = (is(SinceBase::Edited), is(SinceBase::Reformatted));
        let compares = history.after_edit != AfterEdit::Nothing;
        if !(has_edits || has_formats && compares) {
            return;
        }
        let framework = history.layout.framework;
        if framework == Framework::Flyway
            && compares
            && let Some(path) = flyway::takes_edits_by(history, git)
        {
            history.after_edit = AfterEdit::Nothing;
            let says = "has Flyway take files whose checksums are others";
            history.remarks.push(format!("{}: `{path}` {says}", history.layout.root));
        }
        history.usual_edits = usual_edits(git, base, framework, lies);
    }

    /// Puts what databases have run, and what is new, into the order in which production sees it.
    fn take_gone(&mut self, listed: &[(String, String, String)]) {
        let mut placed: Vec<(u8, Draft)> = Vec::with_capacity(self.history.drafts.len());
        let mut twins = std::mem::take(&mut self.twins).into_iter().peekable();
        for (place, draft) in std::mem::take(&mut self.history.drafts).into_iter().enumerate() {
            let migration = &draft.migration;
            let runs_now = matches!(migration.since_base, SinceBase::Added | SinceBase::Repeated);
            let rank = u8::from(runs_now);
            placed.push((rank, draft));
            if let Some((_, twin)) = twins.next_if(|(of, _)| *of == place) {
                placed.push((0, twin));
            }
        }
        placed.sort_by_key(|(rank, _)| *rank);
        let mut drafts: Vec<Draft> = placed.into_iter().map(|(_, draft)| draft).collect();
        for mut gone in std::mem::take(&mut self.before) {
            if gone.migration.repeatable || gone.migration.version.is_empty() {
                continue;
            }
            gone.migration.since_base = SinceBase::Deleted;
            gone.migration.judged = false;
            gone.order = usize::MAX;
            let place = place_of(&gone, listed, &drafts);
            drafts.insert(place, gone);
        }
        self.history.drafts = drafts;
    }
}

/// Behind the nearest one that stood before it at the base.
fn place_of(gone: &Draft, listed: &[(String, String, String)], drafts: &[Draft]) -> usize {
    let is = |draft: &Draft, (_, version, name): &(String, String, String)| {
        draft.migration.version == *version && draft.migration.name == *name
    };
    let own = listed.iter().position(|one| one.0 == gone.up.path && is(gone, one)).unwrap_or(0);
    let earlier = listed[..own].iter().rev();
    let places = earlier.filter_map(|one| {
        drafts.iter().rposition(|draft| draft.migration.since_base != SinceBase::Added && is(draft, one))
    });
    places.map(|place| place + 1).next().unwrap_or(0)
}

/// Comments, blanks and the way to write a string are all that differs.
fn says_the_same(before: &Draft, now: &Draft, sources: &Sources) -> bool {
    if before.migration.transaction != now.migration.transaction {
        return false;
    }
    let (before, now) = (&before.migration, &now.migration);
    if before.up.nodes.len() != now.up.nodes.len() {
        return false;
    }
    before.up.nodes.iter().zip(&now.up.nodes).all(|(before_node, now_node)| match (before_node, now_node) {
        (Node::Statement(one), Node::Statement(other)) => same_tokens(sources.text(one.span), sources.text(other.span)),
        // Brackets that may be left out, kinds of quotes and `%i[…]` are other words for the same.
        (Node::Ruby(one), Node::Ruby(other)) => {
            one.file.body == other.file.body && unfollowed(&one.file, sources) == unfollowed(&other.file, sources)
        }
        // Parts of a text that stand under a condition of `psql`.
        (Node::Guard { .. }, Node::Guard { .. }) => {
            same_tokens(&sources.get(before.source).text, &sources.get(now.source).text)
        }
        _ => false,
    })
}

/// The words of what no tree shows: shell commands, and whatever else is not followed.
fn unfollowed<'a>(file: &RubyFile, sources: &'a Sources) -> Vec<&'a str> {
    let mut found = Vec::new();
    walk(&file.body, &mut |node| {
        if matches!(node.kind, RubyKind::Other(_)) {
            found.push(sources.text(node.span));
        }
    });
    found.extend(file.errors.iter().map(|(span, _)| sources.text(*span)));
    found
}

/// Lines that end otherwise, and empty ones, are all that differs.
fn has_the_lines(before: &Draft, now: &Draft, sources: &Sources) -> bool {
    let [before, now] = [before, now].map(|one| &sources.get(one.migration.source).text);
    before.lines().flat_map(str::bytes).eq(now.lines().flat_map(str::bytes))
}

/// The newest version that is shipped, at the merge base or at the tip of what it was named by.
fn newest(history: &mut DraftHistory, newer: &[String], git: &Git<'_>) {
    let framework = history.layout.framework;
    if history.late == crate::history::Late::Runs {
        return;
    }
    let mut layout = history.layout.bare();
    let paths = newer.iter().filter(|path| layout.holds(path));
    let files = paths.map(|path| super::walk::Found { path: path.clone(), disk: git.root().join(path) }).collect();
    layout.files = files;
    // A new number of a shipped text has run nowhere.
    let is_new = |draft: &&Draft| matches!(draft.migration.since_base, SinceBase::Added | SinceBase::Renumbered);
    let own = history.drafts.iter().filter(|draft| !is_new(draft));
    let own = own.filter(|draft| !draft.migration.repeatable).map(|draft| draft.migration.version.clone());
    let at_tip = layout.files.iter().filter_map(|file| version_in_name(framework, file.name()));
    let versions = own.chain(at_tip).filter(|version| !version.is_empty());
    history.newest_shipped = versions.max_by(|one, other| compare_versions(framework, one, other));
}

/// The version that a file's name begins with.
fn version_in_name(framework: Framework, name: &str) -> Option<String> {
    if matches!(framework, Framework::Flyway | Framework::Refinery) {
        let by_default = super::names::flyway(name).map(|(_, version, _)| version.to_owned());
        // Its settings may give its files other names.
        return by_default.or_else(|| Some(super::names::plain(name).version).filter(|version| !version.is_empty()));
    }
    Some(super::names::plain(name).version)
}
