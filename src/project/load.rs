//! The way from a request to a project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assemble::{Draft, DraftHistory, assemble, script};
use super::git::{Git, base_of_ci};
use super::layout::{Layout, Layouts, Surroundings, find, has_manifest, is_well_known};
use super::manifest::Manifests;
use super::place::{Place, file_name, folder, is_below, named};
use super::rails;
use super::runner::compare_versions;
use super::template::Placeholders;
use super::text;
use super::texts::Texts;
use super::walk::{Found, Unlisted, is_migration_file, walk};
use super::{Project, Request, code, judge, lock_waits, runner, search_path, shipped, unit};
use crate::error::Error;
use crate::history::{Application, Framework, History, Migration, Runner, SinceBase, UnreadFile};
use crate::operation::Ident;
use crate::read::side_by_side;
use crate::settings::{Settings, SettingsFile};
use crate::source::Sources;

/// The path under which a migration from standard input is shown.
pub const STDIN: &str = "<stdin>";

/// Finds, orders and reads the migrations that a request names.
pub fn load(request: Request<'_>) -> Result<Project, Error> {
    let place = Place::around(&request.working_directory);
    let mut search = Search::new(&place, request.settings);
    search.all(&request)?;
    let Search { mut texts, layouts, only, mut remarks, unread, .. } = search;
    let mut sources = request.sources;
    let asked: Vec<Vec<String>> =
        layouts.values().filter(|one| asks_for_lock_waits(one, request.settings)).map(folders).collect();
    let (mut lock_waits, histories) = side_by_side(
        || lock_waits::find_each(&place, asked.iter().map(Vec::as_slice)),
        || {
            let each = layouts.into_values();
            each.map(|layout| assemble(layout, &place.root, request.settings, &mut texts, &mut sources)).collect()
        },
    );
    let mut histories = without_other_databases(histories, &mut remarks)?;
    let nothing_read = histories.iter().all(|history| history.drafts.is_empty() && history.unread.is_empty());
    if nothing_read && unread.is_empty() && request.stdin.is_none() {
        let path = named(&place.shown(&place.working_directory)).to_owned();
        let help = "the files found hold no migration of their runner; name it with `--framework`".to_owned();
        return Err(Error::NothingFound { path, help });
    }
    let mut project = Project { sources, unread_files: unread, remarks, ..Project::default() };
    if let Some(version) = &request.after {
        project.remarks.extend(judge::after(&mut histories, version)?);
    }
    if let Some(revision) = &request.since {
        since(&place, revision, &mut histories, &mut project)?;
        project.changes = settings_changes(&place, request.settings, &project)?;
    }
    if !only.is_empty() {
        judge::only(&mut histories, &only);
        project.remarks.push("only the files named are judged; the rest of their history is context".to_owned());
    }
    if request.stdin.is_some() {
        judge::only(&mut histories, &BTreeSet::new());
    }
    let is_change = request.since.is_some() || request.after.is_some();
    judge::release(&mut histories, request.settings, is_change);
    histories.iter_mut().for_each(|history| unit::settle(history, request.settings));
    let none = !histories.iter().flat_map(|history| &history.drafts).any(|draft| draft.migration.judged);
    if none && is_change {
        project.remarks.push("no migration is judged: none comes after what is shipped".to_owned());
    }
    for history in &mut histories {
        let git = Git::at(&place.root);
        let base = project.base.as_ref().map(|base| (&git, base.commit.as_str()));
        let remarks = rails::dump::take(history, &place, base, &mut project.sources)?;
        history.remarks.extend(remarks);
        history.application = rails::application(history, &place, base, &mut project.sources)?;
    }
    for history in histories {
        let lock_wait = lock_waits.remove(history.layout.root.as_str());
        finish(history, request.settings, lock_wait, &mut project);
    }
    if let Some(base) = &project.base {
        code::look(&Git::at(&place.root), (&base.revision, &base.commit), &mut project.histories);
    }
    if let Some(text) = request.stdin {
        stdin(text, request.settings, &mut project);
    }
    project.unread_files.sort_by(|left, right| left.path.cmp(&right.path));
    for unread in project.unread_files.iter_mut().filter(|unread| unread.span.is_none()) {
        // A finding has a place, even in a file whose text is not known.
        let source = project.sources.add(unread.path.as_str(), "");
        unread.span = Some(project.sources.piece(source).span(0..0));
    }
    Ok(project)
}

fn since(place: &Place, revision: &str, histories: &mut [DraftHistory], project: &mut Project) -> Result<(), Error> {
    if !place.is_repository {
        return Err(Error::Git {
            message: "there is no repository here".to_owned(),
            help: "`--since` compares with a revision; without git use `--after VERSION`".to_owned(),
        });
    }
    let revision = match revision {
        "auto" => base_of_ci(|name| std::env::var(name).ok()).ok_or_else(|| Error::Git {
            message: "no variable of a CI service names the base of this change".to_owned(),
            help: "`--since auto` works in the job of a merge request; elsewhere name the revision".to_owned(),
        })?,
        named => named.to_owned(),
    };
    let git = Git::at(&place.root);
    let base = shipped::since(histories, &git, &revision, &mut project.sources)?;
    let short = base.commit.get(..12).unwrap_or(&base.commit);
    project.remarks.push(format!("judged is what differs from {short}, the merge base of {revision} and HEAD"));
    project.remarks.extend(base.deleted.iter().map(|gone| format!("{}: shipped, and deleted here", gone.path)));
    project.base = Some(base);
    Ok(())
}

/// How the settings file in force differs from the one at the base.
fn settings_changes(place: &Place, settings: &Settings, project: &Project) -> Result<Vec<String>, Error> {
    let (Some(file), Some(base)) = (settings.file, &project.base) else { return Ok(Vec::new()) };
    let path = project.sources.path(file).to_owned();
    let git = Git::at(&place.root);
    let files = git.files_at(&base.commit, &[&path])?;
    let shipped = match files.get(&path) {
        Some(blob) => git.contents(&[blob])?.into_iter().flatten().next(),
        None => return Ok(vec![format!("{path} is new")]),
    };
    let new = &project.sources.get(file).text;
    let Some(old) = shipped.and_then(|bytes| text::decode(bytes).ok()) else { return Ok(Vec::new()) };
    if old.text == **new {
        return Ok(Vec::new());
    }
    // Both files by themselves: what flags say is no change.
    let read = |text: &str| {
        let mut sources = Sources::default();
        let id = sources.add(path.as_str(), text);
        SettingsFile { sources: &sources, id, rules: &[] }.read()
    };
    let (Ok(old), Ok(new)) = (read(&old.text), read(new)) else {
        return Ok(vec![format!("{path} is mended: the shipped one cannot be read")]);
    };
    Ok(new.changes_since(&old).into_iter().map(|change| format!("{path}: {change}")).collect())
}

/// Histories whose files are all for another database are left out; a run of nothing else is impossible.
fn without_other_databases(
    histories: Vec<DraftHistory>,
    remarks: &mut Vec<String>,
) -> Result<Vec<DraftHistory>, Error> {
    let other = histories.iter().find_map(|history| Some((history.layout.root.clone(), history.other_database?)));
    if let Some((root, database)) = other
        && histories.iter().all(|history| history.other_database.is_some())
    {
        return Err(Error::OtherDatabase { path: named(&root).to_owned(), database: database.to_owned() });
    }
    let mut kept = Vec::new();
    for history in histories {
        match history.other_database {
            Some(database) => remarks.push(format!("{}: skipped, it is for {database}", named(&history.layout.root))),
            None => kept.push(history),
        }
    }
    Ok(kept)
}

fn finish(draft: DraftHistory, settings: &Settings, lock_wait: Option<lock_waits::Found>, project: &mut Project) {
    let DraftHistory {
        layout,
        has_down,
        has_gaps,
        runs_bare,
        mut search_path,
        late: if_late,
        after_edit,
        usual_edits,
        drafts,
        unread,
        remarks,
        application,
        language,
        ..
    } = draft;
    let (newest_shipped, dump, kept_dump) = (draft.newest_shipped, draft.dump, draft.kept_dump);
    let (root, framework) = (named(&layout.root).to_owned(), layout.framework);
    let is_own = |draft: &Draft| draft.migration.dump.is_none() && !draft.migration.since_base.is_of_base();
    let mut fresh: Vec<usize> = (0..drafts.len()).filter(|number| is_own(&drafts[*number])).collect();
    let count = fresh.len();
    fresh.sort_by_key(|number| drafts[*number].order);
    let is_late = |draft: &Draft| {
        let newest = newest_shipped.as_deref().unwrap_or_default();
        matches!(draft.migration.since_base, SinceBase::Added | SinceBase::Renumbered)
            && !draft.migration.version.is_empty()
            && compare_versions(framework, &draft.migration.version, newest).is_lt()
    };
    let late = (0..drafts.len()).filter(|number| is_late(&drafts[*number])).collect();
    let word = framework.word();
    let migrations = if count == 1 { "migration" } else { "migrations" };
    project.remarks.push(format!("{root}: {count} {migrations}, read as {word}"));
    project.remarks.extend(remarks);
    let says = !search_path.is_empty() || !settings.search_path.is_empty();
    let shown = if says { None } else { search_path::shown(&drafts) };
    if let Some(schema) = &shown {
        project.remarks.push(format!(
            "{root}: shipped statements name alone what lies in `{schema}`: their connection is taken to look there first; \
             `search-path` in plimsoll.toml says otherwise"
        ));
        search_path = vec![schema.clone(), Ident::new("public")];
    }
    project.remarks.extend(lock_wait.as_ref().map(|found| found.remark(&root)));
    let limits_lock_waits = settings.lock_timeout_set.unwrap_or(language.limits_lock_waits || lock_wait.is_some());
    let databases = settings.databases.iter();
    let runs_on = databases.filter(|database| {
        database.paths.is_empty() || database.paths.iter().any(|pattern| pattern.matches_path(&root))
    });
    project.histories.push(History {
        databases: runs_on.map(|database| database.name.clone()).collect(),
        runner: Runner { late: if_late, after_edit, ..runner::runner(framework, has_down) },
        application,
        // A lone file may build on anything; a file that was not read may have made anything.
        complete: !has_gaps
            && unread.is_empty()
            && drafts.first().is_some_and(|draft| !draft.migration.version.is_empty()),
        migrations: drafts.into_iter().map(|draft| draft.migration).collect(),
        fresh,
        newest_shipped,
        usual_edits,
        late,
        dump,
        kept_dump,
        language,
        limits_lock_waits,
        runs_bare,
        search_path,
        root,
        framework,
    });
    project.unread_files.extend(unread);
}

/// What the files around a history show of its sessions counts where the settings do not say it.
fn asks_for_lock_waits(layout: &Layout, settings: &Settings) -> bool {
    settings.lock_timeout_set.is_none() && layout.framework != Framework::Rails
}

fn folders(layout: &Layout) -> Vec<String> {
    std::iter::once(&layout.root).chain(&layout.more).cloned().collect()
}

/// Standard input comes after the one history that there is, or is one of its own.
fn stdin(text: String, settings: &Settings, project: &mut Project) {
    let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
    let source = project.sources.add(STDIN, text);
    let framework = settings.framework.or_else(|| project.histories.first().map(|history| history.framework));
    let framework = framework.unwrap_or(Framework::Plain);
    let tool = runner::tool(framework);
    let mut placeholders = Placeholders { values: settings.placeholders.clone(), ..Placeholders::default() };
    let (up, comments) = script(&placeholders.fill(project.sources.piece(source), tool.templates, STDIN));
    project.remarks.extend(placeholders.remarks(STDIN));
    let migration = Migration {
        name: "stdin".to_owned(),
        transaction: settings.transaction.filter(|_| framework == Framework::Plain).unwrap_or(tool.unit),
        unit_is_guess: framework == Framework::Plain && settings.transaction.is_none(),
        judged: true,
        release: Some(judge::THIS_CHANGE.to_owned()),
        comments,
        ..Migration::of_script(source, up)
    };
    match project.histories.as_mut_slice() {
        [one] => {
            one.fresh.push(one.migrations.len());
            one.migrations.push(migration);
        }
        _ => project.histories.push(History {
            root: ".".to_owned(),
            framework,
            runner: runner::runner(framework, false),
            application: Application::default(),
            databases: Vec::new(),
            migrations: vec![migration],
            fresh: vec![0],
            newest_shipped: None,
            usual_edits: None,
            late: Vec::new(),
            dump: None,
            kept_dump: None,
            complete: false,
            language: Arc::default(),
            limits_lock_waits: settings.lock_timeout_set == Some(true),
            runs_bare: false,
            search_path: Vec::new(),
        }),
    }
}

/// Collects layouts from paths.
struct Search<'a> {
    place: &'a Place,
    settings: &'a Settings,
    texts: Texts,
    manifests: Manifests,
    /// By root and framework: paths that overlap bring one history.
    layouts: BTreeMap<(String, Framework), Layout>,
    /// Files that the user named inside larger histories; empty: everything is judged.
    only: BTreeSet<String>,
    remarks: Vec<String>,
    unread: Vec<UnreadFile>,
}

impl<'a> Search<'a> {
    fn new(place: &'a Place, settings: &'a Settings) -> Search<'a> {
        Search {
            place,
            settings,
            texts: Texts::default(),
            manifests: Manifests::default(),
            layouts: BTreeMap::new(),
            only: BTreeSet::new(),
            remarks: Vec::new(),
            unread: Vec::new(),
        }
    }

    fn all(&mut self, request: &Request<'_>) -> Result<(), Error> {
        let typed = request.paths.iter().map(|path| (path.display().to_string(), self.place.absolute(path)));
        let mut paths: Vec<(String, PathBuf)> = typed.collect();
        if paths.is_empty() {
            let set = self.settings.paths.iter();
            paths = set.map(|path| (path.clone(), self.place.root.join(path))).collect();
        }
        if paths.is_empty() {
            return self.detect(request.stdin.is_some());
        }
        let missing = paths.iter().find(|(_, path)| !path.exists());
        if let Some((path, _)) = missing {
            return Err(Error::MissingPath { path: path.clone() });
        }
        let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|(_, path)| path.is_dir());
        let mut inside = Vec::new();
        for (_, path) in &folders {
            match self.part_of_history(path) {
                Some(files) => inside.extend(files),
                None => {
                    self.folder(path, true);
                }
            }
        }
        let covered: BTreeSet<String> =
            self.layouts.values().flat_map(|layout| &layout.files).map(|file| file.path.clone()).collect();
        let files = files.into_iter().map(|(_, disk)| Found { path: self.place.shown(&disk), disk });
        // Beside whole folders everything is judged.
        let alone = self.layouts.is_empty();
        self.files(files.chain(inside).filter(|file| !covered.contains(&file.path)).collect(), alone);
        if self.layouts.is_empty() && self.unread.is_empty() && request.stdin.is_none() {
            let first = folders.first().map_or(self.place.working_directory.as_path(), |(_, path)| path.as_path());
            let help = "no file there ends in `.sql`, and there are no migrations in Ruby".to_owned();
            return Err(Error::NothingFound { path: named(&self.place.shown(first)).to_owned(), help });
        }
        Ok(())
    }

    /// Without a path: the migrations at or below the working directory, else above it.
    fn detect(&mut self, may_be_empty: bool) -> Result<(), Error> {
        let folders: Vec<PathBuf> = self.place.upwards().map(Path::to_path_buf).collect();
        let mut seen = 0;
        for folder in folders {
            seen = self.folder(&folder, false);
            if !self.layouts.is_empty() {
                return Ok(());
            }
        }
        if may_be_empty {
            return Ok(());
        }
        let help = match seen {
            0 => {
                "no file there ends in `.sql`; name a folder of migrations, or set `paths` in plimsoll.toml".to_owned()
            }
            _ => format!("{seen} SQL files there lie in no known layout of migrations: name their folder"),
        };
        let path = named(&self.place.shown(&self.place.working_directory)).to_owned();
        Err(Error::NothingFound { path, help })
    }

    fn find(&mut self, start: &Path, named_by_user: bool) -> (Layouts, Vec<Unlisted>) {
        let mut tree = walk(self.place, start);
        let mut unread = std::mem::take(&mut tree.unread);
        let surroundings = Surroundings {
            place: self.place,
            manifests: &mut self.manifests,
            texts: &mut self.texts,
            wanted: self.settings.framework,
            named_by_user,
        };
        let found = find(tree, surroundings);
        // A link that leads nowhere is told where it may be a migration.
        let is_inside = |path: &str| found.layouts.iter().any(|layout| layout.holds(path));
        unread.retain(|one| !one.leads_nowhere || is_migration_file(file_name(&one.path)) || is_inside(&one.path));
        (found, unread)
    }

    /// Takes all histories below a folder; says how many SQL files lie there.
    fn folder(&mut self, start: &Path, named_by_user: bool) -> usize {
        let (found, unread) = self.find(start, named_by_user);
        let count = found.leftover.len() + found.layouts.iter().map(|layout| layout.files.len()).sum::<usize>();
        if named_by_user || !found.layouts.is_empty() {
            let unread = unread.into_iter();
            self.unread.extend(unread.map(|Unlisted { path, reason, .. }| UnreadFile {
                path,
                span: None,
                reason,
                judged: true,
                shipped: false,
            }));
            self.remarks.extend(found.remarks);
            self.leftover(&found.leftover);
        }
        for layout in found.layouts {
            self.layouts.entry((layout.root.clone(), layout.framework)).or_insert(layout);
        }
        count
    }

    fn leftover(&mut self, leftover: &[Found]) {
        let Some(first) = leftover.first() else { return };
        let (verb, files) = if leftover.len() == 1 { ("is", "file") } else { ("are", "files") };
        let count = leftover.len();
        let path = &first.path;
        self.remarks.push(format!("{count} SQL {files} outside of the migrations {verb} not read, such as `{path}`"));
    }

    /// Files by themselves. One inside a known folder of migrations is judged with its history as context.
    fn files(&mut self, files: Vec<Found>, alone: bool) {
        let mut lone = Vec::new();
        for file in files {
            let known = self.layouts.values().any(|layout| layout.files.contains(&file));
            if !known && !self.history_around(&file) {
                lone.push(file);
            } else if alone {
                self.only.insert(file.path);
            }
        }
        let mut by_folder: BTreeMap<(String, Framework), Vec<Found>> = BTreeMap::new();
        for file in lone {
            if !self.only.is_empty() {
                self.only.insert(file.path.clone());
            }
            let framework = if file.name().ends_with(".rb") { Framework::Rails } else { Framework::Plain };
            by_folder.entry((folder(&file.path).to_owned(), framework)).or_default().push(file);
        }
        for ((root, framework), files) in by_folder {
            let (other, beside) = (Vec::new(), BTreeSet::new());
            let more = Vec::new();
            let layout = Layout { root: root.clone(), more, framework, files, other, beside, is_guess: false };
            self.layouts.insert((root, framework), layout);
        }
    }

    /// The topmost folder of migrations by name at or above a folder; for a folder of one migration the one above it.
    fn start_of_history(&self, folder: &Path) -> Option<PathBuf> {
        let inside = || folder.ancestors().take_while(|above| above.starts_with(&self.place.root));
        let by_manifest = inside().find(|above| has_manifest(above));
        // Several folders of an application are one history.
        if let Some(app) = inside().find_map(|above| rails::app_around(&self.place.root, above)) {
            return Some(app);
        }
        let known = inside().filter(|above| is_well_known(&self.place.shown(above))).last();
        let is_one = folder.join("up.sql").exists() || folder.join(runner::SNAPSHOT).exists();
        let above = is_one.then(|| folder.parent()).flatten();
        by_manifest.or(known).or(above).map(Path::to_path_buf)
    }

    /// A folder that holds some of a history's files: these are judged, the rest is context.
    fn part_of_history(&mut self, start: &Path) -> Option<Vec<Found>> {
        let top = self.start_of_history(start).filter(|top| top != start)?;
        let shown = self.place.shown(start);
        let (found, _) = self.find(&top, false);
        let mut layouts = found.layouts.into_iter();
        let around =
            layouts.find(|layout| layout.holds(&shown) && (layout.root != shown || !layout.more.is_empty()))?;
        let (inside, outside): (Vec<Found>, Vec<Found>) =
            around.files.into_iter().partition(|file| is_below(&file.path, &shown));
        (!inside.is_empty() && !outside.is_empty()).then_some(inside)
    }

    fn history_around(&mut self, file: &Found) -> bool {
        if !is_migration_file(file.name()) {
            return false;
        }
        let parent = file.disk.parent().unwrap_or(&self.place.root).to_path_buf();
        let start = self.start_of_history(&parent).unwrap_or(parent);
        let (found, _) = self.find(&start, false);
        let around = found.layouts.into_iter().find(|layout| layout.files.contains(file));
        let Some(layout) = around else { return false };
        self.remarks.extend(found.remarks);
        self.layouts.entry((layout.root.clone(), layout.framework)).or_insert(layout);
        true
    }
}
