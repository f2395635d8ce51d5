//! Which folders below a walk's start hold which runner's migrations.

use std::collections::{BTreeMap, BTreeSet};

use super::dialect::{Dialects, is_for_postgres, without_variant};
use super::manifest::{Manifests, Named};
use super::names;
use super::place::{Place, file_name, folder, is_below, named};
use super::texts::Texts;
use super::walk::{Found, Tree};
use crate::history::Framework;

/// One history's files, before they are put in order.
#[derive(Debug)]
pub struct Layout {
    /// As shown; empty for the repository root.
    pub root: String,
    pub framework: Framework,
    pub files: Vec<Found>,
    pub go: Vec<Found>,
    pub beside: BTreeSet<String>,
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

/// How many files of a folder are opened to see whose marks they carry.
const OPENED: usize = 12;

/// Finds the histories of a tree.
pub fn find(tree: Tree, surroundings: &mut Surroundings<'_>) -> Layouts {
    let mut found = Layouts::default();
    let sql = without_other_databases(&tree, &mut found);
    let sql = without_twins(sql);
    let mut folders: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for file in sql {
        folders.entry(file.folder().to_owned()).or_default().push(file);
    }
    let mut search = Search { tree: &tree, found, folders };
    match surroundings.wanted {
        Some(framework) => search.all_as(framework),
        None => {
            search.sqitch();
            search.diesel(surroundings);
            search.by_names(surroundings);
            search.plain(surroundings);
        }
    }
    let mut found = search.found;
    found.leftover.extend(search.folders.into_values().flatten());
    for layout in &mut found.layouts {
        let own = |path: &str| is_below(path, &layout.root);
        layout.go = tree.go.iter().filter(|file| own(&file.path)).cloned().collect();
        layout.beside = tree.beside.iter().filter(|path| own(path)).cloned().collect();
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

struct Search<'a> {
    tree: &'a Tree,
    found: Layouts,
    /// Folders not yet taken.
    folders: BTreeMap<String, Vec<Found>>,
}

impl Search<'_> {
    fn add(&mut self, root: String, framework: Framework, files: Vec<Found>) {
        let (go, beside) = (Vec::new(), BTreeSet::new());
        self.found.layouts.push(Layout { root, framework, files, go, beside });
    }

    /// The framework is given: only the roots are looked for.
    fn all_as(&mut self, framework: Framework) {
        let mut roots: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        let whole = matches!(framework, Framework::Plain | Framework::Flyway);
        for (path, files) in std::mem::take(&mut self.folders) {
            let root = match framework {
                Framework::Plain | Framework::Flyway => self.tree.start.clone(),
                Framework::Diesel => folder(&path).to_owned(),
                Framework::Sqlx | Framework::GolangMigrate | Framework::Goose => path,
            };
            roots.entry(root).or_default().extend(files);
        }
        for (root, files) in roots {
            let fits = |file: &Found| match framework {
                Framework::Plain => true,
                Framework::Flyway => names::flyway(file.name()).is_some(),
                Framework::Diesel => matches!(file.name(), "up.sql" | "down.sql"),
                Framework::GolangMigrate => names::up_down(file.name()).is_some(),
                Framework::Sqlx | Framework::Goose => names::numbered(file.name()).is_some(),
            };
            if whole || files.iter().any(fits) {
                self.add(root, framework, files);
            } else {
                self.found.leftover.extend(files);
            }
        }
    }

    /// Sqitch keeps what undoes and what checks a change in folders of their own: neither runs forward.
    fn sqitch(&mut self) {
        let plans = self.tree.beside.iter().filter(|path| file_name(path) == "sqitch.plan");
        let tops: Vec<String> = plans.map(|path| folder(path).to_owned()).collect();
        for top in tops {
            let inside = |part: &str| if top.is_empty() { part.to_owned() } else { format!("{top}/{part}") };
            let (deploy, revert, verify) = (inside("deploy"), inside("revert"), inside("verify"));
            let paths: Vec<String> = self.folders.keys().filter(|path| is_below(path, &deploy)).cloned().collect();
            let files: Vec<Found> = paths.iter().filter_map(|path| self.folders.remove(path)).flatten().collect();
            if !files.is_empty() {
                self.folders.retain(|path, _| !is_below(path, &revert) && !is_below(path, &verify));
                self.add(top, Framework::Plain, files);
            }
        }
    }

    /// Folders with an `up.sql` each.
    fn diesel(&mut self, surroundings: &mut Surroundings<'_>) {
        let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, files) in &self.folders {
            // A lone `up.sql` at the start is not a history of folders.
            if path.len() > self.tree.start.len() && files.iter().any(|file| file.name() == "up.sql") {
                roots.entry(folder(path).to_owned()).or_default().push(path.clone());
            }
        }
        for (root, inside) in roots {
            let files: Vec<Found> = inside.iter().filter_map(|path| self.folders.remove(path)).flatten().collect();
            let hints = surroundings.hints(&root);
            if hints.contains(&Named::Hasura) {
                let remark = "Hasura's folders of `up.sql` and `down.sql` are read as Diesel's";
                self.found.remarks.push(format!("{}: {remark}", named(&root)));
            }
            self.add(root, Framework::Diesel, files);
        }
    }

    fn by_names(&mut self, surroundings: &mut Surroundings<'_>) {
        let paths: Vec<String> = self.folders.keys().cloned().collect();
        let mut flyway: BTreeSet<String> = BTreeSet::new();
        for path in paths {
            let Some(files) = self.folders.get(&path) else { continue };
            match surroundings.framework_of(&path, files) {
                Some(Framework::Flyway) => {
                    flyway.insert(path);
                }
                Some(framework) if !self.is_one_of_many(&path) => {
                    if framework == Framework::GolangMigrate
                        && !surroundings.hints(&path).contains(&Named::GolangMigrate)
                    {
                        let remark = "named as golang-migrate names them, and no go.mod requires it: if another runner runs \
                                      them, set `framework`";
                        self.found.remarks.push(format!("{}: {remark}", named(&path)));
                    }
                    let files = self.folders.remove(&path).unwrap_or_default();
                    self.add(path, framework, files);
                }
                Some(_) | None => {}
            }
        }
        self.flyway(flyway, surroundings);
    }

    /// The folder above a row of folders that stand for versions.
    fn above_versions(&self, path: &str) -> Option<String> {
        self.is_one_of_many(path).then(|| folder(path).to_owned())
    }

    /// `3/01_a.up.sql` beside `4/01_b.up.sql`: folders of one history, each a version of its own.
    fn is_one_of_many(&self, path: &str) -> bool {
        let is_version = |path: &str| names::is_version_folder(file_name(path));
        let above = folder(path);
        is_version(path)
            && self.folders.keys().any(|other| other != path && folder(other) == above && is_version(other))
    }

    /// A Flyway location is read with all folders below it.
    fn flyway(&mut self, paths: BTreeSet<String>, surroundings: &mut Surroundings<'_>) {
        let mut roots: BTreeSet<String> = BTreeSet::new();
        for path in &paths {
            let known = well_known_above(path, self.tree);
            let above = paths.iter().find(|other| is_below(path, other));
            roots.insert(known.or(above.cloned()).unwrap_or_else(|| path.clone()));
        }
        let tops: Vec<String> =
            roots.iter().filter(|root| !roots.iter().any(|o| o != *root && is_below(root, o))).cloned().collect();
        for root in tops {
            let inside: Vec<String> = self.folders.keys().filter(|path| is_below(path, &root)).cloned().collect();
            let files: Vec<Found> = inside.iter().filter_map(|path| self.folders.remove(path)).flatten().collect();
            if surroundings.hints(&root).contains(&Named::Refinery) {
                self.found.remarks.push(format!("{}: Refinery's files are read as Flyway's", named(&root)));
            }
            self.add(root, Framework::Flyway, files);
        }
    }

    fn plain(&mut self, surroundings: &mut Surroundings<'_>) {
        let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, files) in &self.folders {
            // What lies in a runner's folder and is not its own is passed over by it.
            if self.found.layouts.iter().any(|layout| !layout.root.is_empty() && is_below(path, &layout.root)) {
                continue;
            }
            let known = well_known_above(path, self.tree).or_else(|| self.above_versions(path));
            if let Some(root) = known.or_else(|| is_numbered(files).then(|| path.clone())) {
                roots.entry(root).or_default().push(path.clone());
            }
        }
        let nothing_known = roots.is_empty() && self.found.layouts.is_empty();
        if surroundings.named_by_user && nothing_known && !self.folders.is_empty() {
            roots.insert(self.tree.start.clone(), self.folders.keys().cloned().collect());
        }
        for (root, inside) in roots {
            for (root, inside) in self.split(root, inside) {
                let files = inside.iter().filter_map(|path| self.folders.remove(path)).flatten().collect();
                self.add(root, Framework::Plain, files);
            }
        }
    }

    /// `migrations/tenant/0001-a.sql` and `migrations/shared/0001-b.sql` are two histories: folders side by side,
    /// named by words, that count from the same number.
    fn split(&self, root: String, inside: Vec<String>) -> Vec<(String, Vec<String>)> {
        let mut parts: BTreeMap<String, (Vec<String>, BTreeSet<String>)> = BTreeMap::new();
        for path in &inside {
            let rest = path.strip_prefix(root.as_str()).unwrap_or(path).trim_start_matches('/');
            let first = rest.split('/').next().unwrap_or_default();
            if first.is_empty() || first.starts_with(|character: char| character.is_ascii_digit()) {
                return vec![(root, inside)];
            }
            let part = if root.is_empty() { first.to_owned() } else { format!("{root}/{first}") };
            let files = self.folders.get(path).map(Vec::as_slice).unwrap_or_default();
            let versions = files.iter().map(|file| names::plain(file.name()).version).filter(|own| !own.is_empty());
            let entry = parts.entry(part).or_default();
            entry.0.push(path.clone());
            entry.1.extend(versions);
        }
        let mut seen = BTreeSet::new();
        let collide = parts.values().any(|(_, versions)| versions.iter().any(|version| !seen.insert(version.clone())));
        let named_by_versions = parts.keys().all(|part| names::is_version_folder(file_name(part)));
        if parts.len() < 2 || !collide || named_by_versions {
            return vec![(root, inside)];
        }
        parts.into_iter().map(|(part, (paths, _))| (part, paths)).collect()
    }
}

/// The topmost folder with a well-known name, from the walk's start down to `path`.
fn well_known_above(path: &str, tree: &Tree) -> Option<String> {
    let start = tree.start.as_str();
    if is_well_known(&tree.start_name) {
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

/// A few among many may be drafts or dumps.
fn is_numbered(files: &[Found]) -> bool {
    let numbered = files.iter().filter(|file| !names::plain(file.name()).version.is_empty()).count();
    numbered > 1 && numbered * 10 >= files.len() * 9
}

impl Surroundings<'_> {
    /// Runners that the manifests around a folder name.
    pub fn hints(&mut self, root: &str) -> BTreeSet<Named> {
        self.manifests.around(self.place, &self.place.root.join(root))
    }

    /// Whose migrations the files of one folder are, by names, marks inside and manifests.
    fn framework_of(&mut self, path: &str, files: &[Found]) -> Option<Framework> {
        let count = |fits: &dyn Fn(&str) -> bool| files.iter().filter(|file| fits(file.name())).count();
        let flyway = count(&|name| names::flyway(name).is_some());
        if flyway > 0 && flyway * 2 >= files.len() {
            return Some(Framework::Flyway);
        }
        if self.carry(files, |text| text.lines().any(is_goose_mark)) {
            return Some(Framework::Goose);
        }
        let numbered = count(&|name| names::numbered(name).is_some());
        let up_down = count(&|name| names::up_down(name).is_some());
        let hints = self.hints(path);
        let sqlx = hints.contains(&Named::Sqlx) && !hints.contains(&Named::GolangMigrate);
        if numbered * 2 >= files.len() && numbered > 0 && sqlx {
            return Some(Framework::Sqlx);
        }
        if up_down * 2 >= files.len() && up_down > 0 {
            return Some(Framework::GolangMigrate);
        }
        let marked = numbered == files.len() && self.carry(files, |text| text.starts_with("-- no-transaction"));
        marked.then_some(Framework::Sqlx)
    }

    fn carry(&mut self, files: &[Found], mark: impl Fn(&str) -> bool) -> bool {
        files.iter().take(OPENED).any(|file| {
            let text = self.texts.get(file);
            (*text).as_ref().is_ok_and(|text| mark(&text.text))
        })
    }
}

/// `-- +goose Up`, as goose's parser takes it.
pub fn is_goose_mark(line: &str) -> bool {
    let Some(comment) = line.strip_prefix("--") else { return false };
    comment.trim().strip_prefix("+goose").is_some_and(|mark| mark.trim().eq_ignore_ascii_case("up"))
}
