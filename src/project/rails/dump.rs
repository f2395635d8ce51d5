//! The dump of a schema beside its migrations: which migrations it holds, and its place among them.
//!
//! With a base revision it is the one at that revision. Without, the work tree's counts up to the versions that it
//! lists: where it holds what is judged already, nothing rests on it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::super::assemble::{Draft, DraftHistory, script};
use super::super::git::Git;
use super::super::layout::Layout;
use super::super::order::by_number;
use super::super::place::{Place, below, file_name, folder, named};
use super::super::text;
use super::super::walk::Found;
use super::schema_rb;
use crate::error::Error;
use crate::history::{Framework, Migration, Reader, SchemaDump, SinceBase};
use crate::operation::Script;
use crate::schema::Told;
use crate::source::{Piece, Sources};

/// A dump as found.
#[derive(Clone)]
struct Dump {
    path: String,
    told: Told,
    text: String,
    /// Versions that lie beside it as files: `db/schema_migrations/20240101000000`.
    beside: Vec<String>,
}

/// Which migrations a dump holds.
#[derive(Debug, PartialEq, Eq)]
enum Listed {
    /// All up to this version.
    UpTo(String),
    Each(BTreeSet<String>),
    /// It does not say.
    Nothing,
}

impl Listed {
    /// It says so.
    fn holds(&self, version: &str) -> bool {
        match self {
            Listed::UpTo(newest) => by_number(version, newest).is_le(),
            Listed::Each(versions) => versions.contains(trimmed(version)),
            Listed::Nothing => false,
        }
    }
}

/// Where a history with judged and shipped migrations has a dump of what is shipped, puts it between them.
pub fn take(
    history: &mut DraftHistory,
    place: &Place,
    base: Option<(&Git<'_>, &str)>,
    sources: &mut Sources,
) -> Result<Vec<String>, Error> {
    // What is deleted is not judged, and rests on the dump all the same.
    let changes = |draft: &Draft| draft.migration.judged || draft.migration.since_base.is_of_base();
    let is_change = history.drafts.iter().any(changes) && history.drafts.iter().any(|draft| !draft.migration.judged);
    let framework = history.layout.framework;
    if !matches!(framework, Framework::Rails | Framework::Dbmate) {
        return Ok(Vec::new());
    }
    if let Some((git, commit)) = base {
        history.kept_dump = kept(history, place, git, commit)?;
    }
    if !is_change {
        return Ok(Vec::new());
    }
    let found = match base {
        Some((git, commit)) => at_base(&history.layout, git, commit)?,
        None => in_work_tree(&history.layout, place),
    };
    // Where its list of versions is elsewhere, it is Rails' own by its name.
    let is_own = |dump: &Dump| framework == Framework::Rails || dump.listed() != Listed::Nothing;
    let Some(dump) = found.filter(is_own) else { return Ok(Vec::new()) };
    if framework == Framework::Rails && dump.holds_all_shipped(history) {
        let own = if base.is_some() { in_work_tree(&history.layout, place) } else { Some(dump.clone()) };
        history.dump = own.map(|dump| dump.kept(base.is_some(), sources));
    }
    Ok(place_dump(history, dump, base.map(|(_, commit)| commit), sources))
}

/// The dump that holds all that is edited or gone of the shipped, where the change leaves its text as it was.
fn kept(history: &DraftHistory, place: &Place, git: &Git<'_>, commit: &str) -> Result<Option<Arc<str>>, Error> {
    let of_base = || history.drafts.iter().map(|draft| &draft.migration).filter(|one| one.since_base.is_of_base());
    if of_base().next().is_none() {
        return Ok(None);
    }
    let layout = &history.layout;
    let (Some(before), Some(now)) = (at_base(layout, git, commit)?, in_work_tree(layout, place)) else {
        return Ok(None);
    };
    let listed = before.listed();
    let is_same = before.path == now.path && before.text.lines().eq(now.text.lines());
    Ok((is_same && of_base().all(|one| listed.holds(&one.version))).then(|| before.path.into()))
}

/// Where a runner writes the dump of a database whose migrations lie in a folder: whole ones first.
fn candidates(root: &str, framework: Framework) -> Vec<(String, Told)> {
    let (name, above) = (file_name(root), folder(root));
    if framework == Framework::Dbmate {
        return vec![(below(above, "schema.sql"), Told::Everything)];
    }
    let database = name.strip_suffix("_migrate").or_else(|| name.strip_prefix("migrate_"));
    let prefix = database.map(|database| format!("{database}_")).unwrap_or_default();
    let mut found = vec![
        (below(above, &format!("{prefix}structure.sql")), Told::Everything),
        (below(above, &format!("{prefix}schema.rb")), Told::Tables),
    ];
    if let Some(database) = database {
        found.push((below(above, &format!("structure_{database}.sql")), Told::Everything));
    }
    found
}

fn at_base(layout: &Layout, git: &Git<'_>, commit: &str) -> Result<Option<Dump>, Error> {
    let candidates = candidates(&layout.root, layout.framework);
    let paths: Vec<&str> = candidates.iter().map(|(path, _)| path.as_str()).collect();
    let blobs = git.files_at(commit, &paths)?;
    for (path, told) in &candidates {
        let Some(blob) = blobs.get(path.as_str()) else { continue };
        let bytes = git.contents(&[blob])?.pop().flatten();
        let Some(text) = bytes.and_then(|bytes| text::decode(bytes).ok()) else { continue };
        let versions = format!("{}/", below(folder(&layout.root), "schema_migrations"));
        let beside = git.files_at(commit, &[&versions])?.into_keys();
        let beside = beside.map(|path| file_name(&path).to_owned()).collect();
        return Ok(Some(Dump { path: path.clone(), told: *told, text: text.text, beside }));
    }
    Ok(None)
}

fn in_work_tree(layout: &Layout, place: &Place) -> Option<Dump> {
    let candidates = candidates(&layout.root, layout.framework);
    let (path, told) = candidates.into_iter().find(|(path, _)| place.root.join(path).is_file())?;
    let text = text::read(&place.root.join(&path)).ok()?;
    let versions = place.root.join(below(folder(&layout.root), "schema_migrations"));
    let entries = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let beside = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    Some(Dump { path, told, text: text.text, beside })
}

fn place_dump(history: &mut DraftHistory, dump: Dump, commit: Option<&str>, sources: &mut Sources) -> Vec<String> {
    let listed = dump.listed();
    let at = commit.map(|commit| format!("@{}", commit.get(..12).unwrap_or(commit))).unwrap_or_default();
    let shown = format!("{}{at}", dump.path);
    // The dump of a base whose list is elsewhere holds what the base holds.
    let holds = |draft: &Draft| match &listed {
        Listed::UpTo(version) => by_number(&draft.migration.version, version).is_le(),
        Listed::Each(versions) => versions.contains(trimmed(&draft.migration.version)),
        // What is shipped and was edited since stands at its old place.
        Listed::Nothing => !draft.migration.judged || draft.migration.since_base != SinceBase::Added,
    };
    if listed == Listed::Nothing && commit.is_none() {
        return vec![format!("{shown}: not taken as the schema before what is judged, it lists no versions")];
    }
    // Shipped and edited since is judged at its old place.
    let judged = history.drafts.iter().rposition(|draft| !draft.migration.judged).map_or(0, |last| last + 1);
    if commit.is_none() && history.drafts.iter().any(|draft| draft.migration.judged && holds(draft)) {
        return vec![format!(
            "{shown}: not taken as the schema before what is judged, it holds that already; `--since` takes the one of the base"
        )];
    }
    // A list names what ran on the database that the dump is of; up to a version, what comes late is not in it.
    let is_held = |draft: &&Draft| draft.migration.since_base == SinceBase::Added && holds(draft);
    let mut judged_ones =
        history.drafts.iter().filter(|draft| draft.migration.judged && matches!(listed, Listed::Each(_)));
    if let Some(held) = judged_ones.find(is_held) {
        return vec![format!(
            "{shown}: not taken as the schema before what is judged, it names version {} as run already",
            held.migration.version
        )];
    }
    let mut drafts = std::mem::take(&mut history.drafts);
    let later = drafts.split_off(judged);
    let (mut covered, missed): (Vec<Draft>, Vec<Draft>) = drafts.into_iter().partition(|draft| holds(draft));
    // An edited one has two texts.
    let is_one = |draft: &&Draft| draft.migration.since_base != SinceBase::Shipped;
    let (count, after) = (covered.iter().filter(is_one).count(), missed.iter().filter(is_one).count());
    if count == 0 {
        history.drafts = missed.into_iter().chain(later).collect();
        return vec![format!(
            "{shown}: not taken as the schema before what is judged, it lists none of the migrations"
        )];
    }
    covered.push(dump.draft(&shown, sources));
    covered.extend(missed);
    covered.extend(later);
    history.drafts = covered;
    let migrations = if count == 1 { "migration" } else { "migrations" };
    let mut remark = format!("{}: {shown} is the schema after {count} {migrations}", named(&history.layout.root));
    if after > 0 {
        remark.push_str(&format!("; {after} that it does not list run after it"));
    }
    if dump.told == Told::Tables {
        remark.push_str("; what it has no words for (functions, triggers, partitions) is taken from the migrations");
    }
    vec![remark]
}

impl Dump {
    /// A dump that lags behind its migrations says nothing of the next one.
    fn holds_all_shipped(&self, history: &DraftHistory) -> bool {
        let listed = self.listed();
        let shipped = history.drafts.iter().filter(|draft| !draft.migration.judged);
        shipped.map(|draft| draft.migration.version.as_str()).all(|version| version.is_empty() || listed.holds(version))
    }

    /// The one of the work tree, to compare with.
    fn kept(self, since_base: bool, sources: &mut Sources) -> SchemaDump {
        let source = sources.add(self.path.as_str(), self.text.as_str());
        let (piece, told) = (sources.piece(source), self.told);
        let up = Arc::new(LazyLock::new(Box::new(move || script_of(&piece, told)) as Reader));
        SchemaDump { source, up, told, since_base }
    }

    fn draft(&self, shown: &str, sources: &mut Sources) -> Draft {
        let source = sources.add(shown, self.text.as_str());
        let piece = sources.piece(source);
        let up = script_of(&piece, self.told);
        let migration = Migration {
            name: file_name(&self.path).to_owned(),
            dump: Some(self.told),
            ..Migration::of_script(source, up)
        };
        let up = Found { path: self.path.clone(), disk: Default::default() };
        Draft { migration, up, down: None, part: None, order: usize::MAX }
    }

    fn listed(&self) -> Listed {
        let listed = match self.told {
            Told::Everything => inserted(&self.text),
            Told::Tables => match defined(&self.text) {
                Some(version) => return Listed::UpTo(version),
                None => BTreeSet::new(),
            },
        };
        let beside = self.beside.iter().filter(|name| is_version(name)).map(|name| trimmed(name).to_owned());
        let listed: BTreeSet<String> = listed.into_iter().chain(beside).collect();
        if listed.is_empty() { Listed::Nothing } else { Listed::Each(listed) }
    }
}

fn script_of(piece: &Piece, told: Told) -> Script {
    match told {
        Told::Everything => script(piece).0,
        Told::Tables => schema_rb::script(piece).unwrap_or_default(),
    }
}

fn trimmed(version: &str) -> &str {
    version.trim_start_matches('0')
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The versions of `INSERT INTO "schema_migrations" (version) VALUES ('1'), ('2');`, and of COPY.
fn inserted(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("schema_migrations") {
        let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let head = text[line..at].trim_start();
        let rest = &text[at..];
        if head.starts_with("INSERT INTO") || head.starts_with("insert into") {
            let statement = &rest[..rest.find(';').unwrap_or(rest.len())];
            let quoted = statement.split('\'').skip(1).step_by(2);
            found.extend(quoted.filter(|version| is_version(version)).map(|version| trimmed(version).to_owned()));
        } else if head.starts_with("COPY") {
            let rows = rest.lines().skip(1).take_while(|row| !row.starts_with("\\."));
            found.extend(rows.filter(|row| is_version(row)).map(|row| trimmed(row).to_owned()));
        }
    }
    found
}

/// `ActiveRecord::Schema[7.1].define(version: 2024_01_01_000000) do`
fn defined(text: &str) -> Option<String> {
    let at = text.find(".define(")?;
    let rest = text[at..].split_once("version:")?.1.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
    let version: String = rest[..end].chars().filter(char::is_ascii_digit).collect();
    (!version.is_empty()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_tell_which_migrations_they_hold() {
        let text = "CREATE TABLE schema_migrations (version varchar);\nSET search_path TO a;\n\
                    INSERT INTO \"schema_migrations\" (version) VALUES\n('20240102'),\n('007');\n";
        assert_eq!(inserted(text), BTreeSet::from(["20240102".to_owned(), "7".to_owned()]));
        let copied = "COPY public.schema_migrations (version) FROM stdin;\n20240101\n20240102\n\\.\n\n20240103\n";
        assert_eq!(inserted(copied).len(), 2);
        assert_eq!(
            defined("ActiveRecord::Schema[7.1].define(version: 2024_01_02_030405) do").as_deref(),
            Some("20240102030405")
        );
        assert_eq!(defined("ActiveRecord::Schema.define(:version => 3) do"), None);
        assert_eq!(defined("ActiveRecord::Schema.define(version: 20130101) do").as_deref(), Some("20130101"));
        assert_eq!(defined("x"), None);
    }

    #[test]
    fn each_database_has_its_dump() {
        let paths =
            |root: &str| candidates(root, Framework::Rails).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths("db/migrate"), ["db/structure.sql", "db/schema.rb"]);
        assert_eq!(paths("a/db/animals_migrate")[..2], ["a/db/animals_structure.sql", "a/db/animals_schema.rb"]);
        assert_eq!(paths("ee/db/geo/migrate")[0], "ee/db/geo/structure.sql");
        assert_eq!(candidates("db/migrations", Framework::Dbmate)[0].0, "db/schema.sql");
    }
}
