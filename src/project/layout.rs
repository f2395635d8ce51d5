//! Which folders below a walk's start hold which runner's migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::dialect::{Dialects, is_for_postgres, without_variant};
use super::manifest::Manifests;
use super::names;
use super::place::{Place, file_name, folder, is_below, test_folder};
use super::runner::{Shape, TOOLS, tool};
use super::texts::Texts;
use super::walk::{Found, Tree};
use crate::history::Framework;

/// One history's files, before they are put in order.
#[derive(Debug)]
pub struct Layout {
    /// As shown; empty for the repository root.
    pub root: String,
    /// Further folders of the same history: `db/post_migrate`.
    pub more: Vec<String>,
    pub framework: Framework,
    pub files: Vec<Found>,
    /// Migrations in other languages.
    pub other: Vec<Found>,
    pub beside: BTreeSet<String>,
    /// Nothing but the names of its files says which runner it is.
    pub is_guess: bool,
}

impl Layout {
    /// The same, without its files.
    pub fn bare(&self) -> Layout {
        let (root, more, beside) = (self.root.clone(), self.more.clone(), self.beside.clone());
        let (files, other) = (Vec::new(), Vec::new());
        Layout { root, more, framework: self.framework, files, other, beside, is_guess: self.is_guess }
    }

    /// A path lies in one of its folders or below.
    pub fn holds(&self, path: &str) -> bool {
        is_below(path, &self.root) || self.more.iter().any(|folder| is_below(path, folder))
    }
}

/// What a tree holds.
#[derive(Debug, Default)]
pub struct Layouts {
    pub layouts: Vec<Layout>,
    /// SQL that belongs to no layout.
    pub leftover: Vec<Found>,
    /// SQL whose names say another database, with its name.
    pub other: Vec<(Found, &'static str)>,
    pub remarks: Vec<String>,
}

/// What decides beside the files themselves.
pub struct Surroundings<'a> {
    pub place: &'a Place,
    pub manifests: &'a mut Manifests,
    pub texts: &'a mut Texts,
    /// The framework that the user named.
    pub wanted: Option<Framework>,
    /// The folder was named by the user: what has no known layout is a plain history.
    pub named_by_user: bool,
}

/// Folders by which plain migrations are known.
const WELL_KNOWN: &[&str] = &["migrations", "migration", "migrate"];

/// A folder that is named as folders of migrations are.
pub fn is_well_known(path: &str) -> bool {
    WELL_KNOWN.contains(&file_name(path))
}

/// A folder on disk that a runner's manifest makes the root of a history.
pub fn has_manifest(folder: &Path) -> bool {
    TOOLS.into_iter().flat_map(|tool| tool.manifests).any(|file| folder.join(file).exists())
}

/// How many files of a folder are opened to see whose marks they carry, and how far each is looked at.
const OPENED: usize = 12;
const LOOKED_AT: usize = 64 * 1024;

/// Finds the histories of a tree.
pub fn find(tree: Tree, surroundings: Surroundings<'_>) -> Layouts {
    let mut found = Layouts::default();
    let sql = without_other_databases(&tree, &mut found);
    let sql = without_twins(sql);
    let mut folders: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for file in sql {
        folders.entry(file.folder().to_owned()).or_default().push(file);
    }
    let mut ruby: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for file in &tree.ruby {
        ruby.entry(file.folder().to_owned()).or_default().push(file.clone());
    }
    let wanted = surroundings.wanted;
    // What tests run is no history of production's, unless nothing else is there.
    let is_asked_for = surroundings.named_by_user || wanted.is_some();
    let is_aside = |path: &str| !is_asked_for && test_folder(path, &tree.start).is_some();
    let (of_tests, folders): (BTreeMap<_, _>, _) = folders.into_iter().partition(|(path, _)| is_aside(path));
    let remarks = found.remarks.clone();
    let mut search = Search { tree: &tree, surroundings, found, folders, ruby };
    match wanted {
        Some(framework) => search.all_as(framework),
        None => search.detect(),
    }
    let is_all = !of_tests.is_empty() && !search.has_found();
    search.folders.extend(of_tests);
    if is_all {
        search.found.remarks.clone_from(&remarks);
        search.detect();
    }
    let mut found = search.found;
    found.leftover.extend(search.folders.into_values().flatten());
    for layout in &mut found.layouts {
        let other: Vec<Found> = tree.other.iter().filter(|file| layout.holds(&file.path)).cloned().collect();
        layout.beside = tree.beside.iter().filter(|path| layout.holds(path)).cloned().collect();
        layout.other = other;
        layout.files.sort();
    }
    found.layouts.sort_by(|left, right| left.root.cmp(&right.root));
    found
}

fn without_other_databases(tree: &Tree, found: &mut Layouts) -> Vec<Found> {
    let dialects = Dialects::learn(tree.sql.iter().map(|file| file.path.as_str()));
    let mut own = Vec::new();
    for file in &tree.sql {
        match dialects.other(&file.path, &tree.start) {
            Some(database) => found.other.push((file.clone(), database)),
            None => own.push(file.clone()),
        }
    }
    if own.is_empty() {
        // Names alone are no proof: the texts will tell.
        return std::mem::take(&mut found.other).into_iter().map(|(file, _)| file).collect();
    }
    let mut skipped: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for (file, database) in &found.other {
        let entry = skipped.entry(database).or_insert_with(|| (0, file.path.clone()));
        entry.0 += 1;
    }
    for (database, (count, first)) in skipped {
        found.remarks.push(format!("skipped {count} files for {database} by their names, such as `{first}`"));
    }
    own
}

/// Of `1_a.up.sql` and `1_a.postgres.up.sql`, the second is PostgreSQL's.
fn without_twins(files: Vec<Found>) -> Vec<Found> {
    let key = |file: &Found| (file.folder().to_owned(), without_variant(file.name()));
    let for_postgres: BTreeSet<_> = files.iter().filter(|file| is_for_postgres(file.name())).map(key).collect();
    files.into_iter().filter(|file| is_for_postgres(file.name()) || !for_postgres.contains(&key(file))).collect()
}

/// A tree while runners claim its folders, one after the other.
pub struct Search<'a> {
    pub tree: &'a Tree,
    pub surroundings: Surroundings<'a>,
    found: Layouts,
    /// Folders not yet taken, with their SQL files.
    pub folders: BTreeMap<String, Vec<Found>>,
    /// Folders not yet taken, with their files in Ruby.
    ruby: BTreeMap<String, Vec<Found>>,
}

impl Search<'_> {
    /// Opens a history.
    pub fn add(&mut self, root: impl Into<String>, framework: Framework, files: Vec<Found>) {
        self.add_with(root, Vec::new(), framework, files);
    }

    /// Opens a history of several folders.
    pub fn add_with(&mut self, root: impl Into<String>, more: Vec<String>, framework: Framework, files: Vec<Found>) {
        let (root, other, beside) = (root.into(), Vec::new(), BTreeSet::new());
        let is_named = self.surroundings.wanted.is_some() || !tool(framework).by_names;
        let is_guess = !is_named && !self.is_named(&root, framework);
        self.found.layouts.push(Layout { root, more, framework, files, other, beside, is_guess });
    }

    pub fn remark(&mut self, remark: String) {
        self.found.remarks.push(remark);
    }

    /// Folders not yet taken.
    pub fn paths(&self) -> Vec<String> {
        self.folders.keys().cloned().collect()
    }

    pub fn files(&self, folder: &str) -> &[Found] {
        self.folders.get(folder).map_or(&[], Vec::as_slice)
    }

    pub fn take(&mut self, folder: &str) -> Vec<Found> {
        self.folders.remove(folder).unwrap_or_default()
    }

    /// Takes a folder with all below it.
    pub fn take_below(&mut self, root: &str) -> Vec<Found> {
        let paths: Vec<String> = self.folders.keys().filter(|path| is_below(path, root)).cloned().collect();
        paths.iter().flat_map(|path| self.take(path)).collect()
    }

    /// Folders with Ruby named as migrations are, not yet taken.
    pub fn ruby_folders(&self) -> Vec<String> {
        self.ruby.keys().cloned().collect()
    }

    pub fn take_ruby(&mut self, folder: &str) -> Vec<Found> {
        self.ruby.remove(folder).unwrap_or_default()
    }

    /// Some of a folder's first files in Ruby are such texts.
    pub fn ruby_carries(&mut self, folder: &str, is: impl Fn(&str) -> bool) -> bool {
        let files: Vec<Found> = self.ruby.get(folder).into_iter().flatten().take(OPENED).cloned().collect();
        self.any_is(&files, is)
    }

    /// Folders that hold a file of this name that is no SQL.
    pub fn folders_with(&self, name: &str) -> Vec<String> {
        let files = self.tree.beside.iter().filter(|path| file_name(path) == name);
        files.map(|path| folder(path).to_owned()).collect()
    }

    /// Something that is taken lies at or above a folder.
    pub fn is_taken(&self, path: &str) -> bool {
        self.found.layouts.iter().any(|layout| !layout.root.is_empty() && layout.holds(path))
    }

    /// Each runner takes what is its own.
    fn detect(&mut self) {
        TOOLS.into_iter().for_each(|tool| (tool.detect)(self));
    }

    pub fn has_found(&self) -> bool {
        !self.found.layouts.is_empty()
    }

    /// A runner has a folder below this one.
    pub fn has_found_below(&self, folder: &str) -> bool {
        self.found.layouts.iter().any(|layout| layout.root != folder && is_below(&layout.root, folder))
    }

    /// Manifests around a folder name this runner.
    pub fn is_named(&mut self, root: &str, framework: Framework) -> bool {
        self.hints(root).contains(&framework)
    }

    /// Runners that the manifests around a folder name.
    pub fn hints(&mut self, root: &str) -> BTreeSet<Framework> {
        let place = self.surroundings.place;
        self.surroundings.manifests.around(place, &place.root.join(root))
    }

    /// Some of a folder's files have a mark in one of their lines.
    pub fn is_marked(&mut self, folder: &str, mark: impl Fn(&str) -> bool) -> bool {
        self.carries(folder, |text| text.lines().any(&mark))
    }

    /// Some of a folder's first files are such texts.
    pub fn carries(&mut self, folder: &str, is: impl Fn(&str) -> bool) -> bool {
        let files: Vec<Found> = self.files(folder).iter().take(OPENED).cloned().collect();
        self.any_is(&files, is)
    }

    fn any_is(&mut self, files: &[Found], is: impl Fn(&str) -> bool) -> bool {
        files.iter().any(|file| {
            let text = self.surroundings.texts.get(file);
            let Ok(text) = (*text).as_ref() else { return false };
            let mut end = LOOKED_AT.min(text.text.len());
            while !text.text.is_char_boundary(end) {
                end -= 1;
            }
            is(&text.text[..end])
        })
    }

    /// Each folder for which the question is answered with yes becomes a history of its own.
    pub fn take_each(&mut self, framework: Framework, is_own: impl Fn(&mut Search<'_>, &str) -> bool) {
        for path in self.paths() {
            if !self.is_one_of_many(&path) && is_own(self, &path) {
                let files = self.take(&path);
                self.add(path, framework, files);
            }
        }
    }

    /// Most files of a folder have such names.
    pub fn mostly(&self, folder: &str, fits: impl Fn(&str) -> bool) -> bool {
        let files = self.files(folder);
        let fitting = files.iter().filter(|file| fits(file.name())).count();
        fitting > 0 && fitting * 2 >= files.len()
    }

    /// The framework is given: only the roots are looked for.
    fn all_as(&mut self, framework: Framework) {
        let tool = tool(framework);
        let has_own_roots = matches!(tool.shape, Shape::Whole | Shape::Application) || !tool.manifests.is_empty();
        if has_own_roots && framework != Framework::Plain {
            (tool.detect)(self);
            if self.has_found() || tool.shape == Shape::Application {
                return;
            }
        }
        let mut roots: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        for (path, files) in std::mem::take(&mut self.folders) {
            let root = match tool.shape {
                Shape::Whole => self.tree.start.clone(),
                Shape::FolderOfFolders => folder(&path).to_owned(),
                Shape::Folder | Shape::Application => path,
            };
            roots.entry(root).or_default().extend(files);
        }
        for (root, files) in roots {
            if tool.shape == Shape::Whole || files.iter().any(|file| (tool.fits)(file.name())) {
                self.add(root, framework, files);
            } else {
                self.found.leftover.extend(files);
            }
        }
    }

    /// `3/01_a.up.sql` beside `4/01_b.up.sql`: folders of one history, each a version of its own.
    pub fn is_one_of_many(&self, path: &str) -> bool {
        let is_version = |path: &str| names::is_version_folder(file_name(path));
        let above = folder(path);
        is_version(path)
            && self.folders.keys().any(|other| other != path && folder(other) == above && is_version(other))
    }

    /// The topmost folder with a well-known name, from the walk's start down to `path`.
    pub fn well_known_above(&self, path: &str) -> Option<String> {
        let start = self.tree.start.as_str();
        if is_well_known(&self.tree.start_name) {
            return Some(start.to_owned());
        }
        let mut known = None;
        let mut at = path;
        while at.len() >= start.len() {
            if is_well_known(at) {
                known = Some(at.to_owned());
            }
            if at.is_empty() {
                break;
            }
            at = folder(at);
        }
        known
    }
}
