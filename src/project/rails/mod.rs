//! What is read of a Rails application beside its migrations: settings of its databases, gems. Reads files, runs
//! nothing.

mod class;
mod database;
pub mod dump;
mod files;
mod gems;
mod helpers;
mod jobs;
mod language;
pub mod models;
pub mod names;
pub mod schema_rb;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use class::Class;
pub use database::Databases;
pub use gems::Gems;

use super::assemble::{Draft, DraftHistory};
use super::git::Git;
use super::layout::Layout;
use super::place::Place;
use super::text::peek;
use crate::error::Error;
use crate::history::{Application, Framework};
use crate::rails::{Language, Vocabularies, vocabulary};
use crate::read::side_by_side;
use crate::settings::Settings;
use crate::source::{Piece, Sources};

/// An application, or an engine, as its files show it.
#[derive(Debug, Default)]
pub struct App {
    pub databases: Databases,
    pub gems: Gems,
    /// The databases are those of an example, and which drivers there are is not known: it may run on others.
    may_be_others: bool,
}

/// Where settings of databases stand.
const SETTINGS: &str = "config/database.yml";

/// Examples that a person copies.
const EXAMPLES: &[&str] = &[
    "config/database.yml.postgresql",
    "config/database.yml.example",
    "config/database.yml.sample",
    "config/database.yml.dist",
    "config/database.example.yml",
    "config/example.database.yml",
];

impl App {
    /// Reads what lies around `app`, a folder as shown.
    pub fn read(root: &Path, app: &str) -> App {
        let disk = root.join(app);
        let own = peek(&disk.join(SETTINGS));
        let locked = peek(&disk.join("Gemfile.lock"));
        let may_be_others = own.is_none() && locked.is_none();
        let text = own.or_else(|| EXAMPLES.iter().find_map(|file| peek(&disk.join(file))));
        let databases = text.map(|text| Databases::read(&text)).unwrap_or_default();
        App { databases, gems: locked.map(|text| Gems::read(&text)).unwrap_or_default(), may_be_others }
    }

    /// The database that folders of migrations are for, where that cannot be PostgreSQL: an application with its
    /// driver may run there too.
    pub fn other_database(&self, folders: &[&str]) -> Option<&'static str> {
        let database = self.databases.of(folders)?;
        let name = match database.adapter.as_deref()? {
            "mysql2" | "trilogy" | "mysql" => "MySQL",
            "sqlite3" => "SQLite",
            "sqlserver" => "SQL Server",
            "oracle_enhanced" => "Oracle",
            "clickhouse" => "ClickHouse",
            _ => return None,
        };
        let is_main = self.databases.main().is_some_and(|main| main == database);
        (!is_main || !self.may_be_others && !self.gems.has("pg")).then_some(name)
    }

    /// The database whose settings name a folder of the application as one of its `migrations_paths`; the main one
    /// has no name.
    pub fn database_of(&self, folder: &str) -> Option<String> {
        self.databases.owner_of(folder)
    }
}

/// The application around a folder of Active Record's migrations, or around its `db`.
pub fn app_around(root: &Path, folder: &Path) -> Option<PathBuf> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = name(folder);
    if own != "migrate" && !own.ends_with("_migrate") && !own.starts_with("migrate_") {
        return None;
    }
    let above = folder.ancestors().skip(1).take_while(|above| above.starts_with(root));
    let mut app = None;
    for above in above {
        if is_app(above) {
            return Some(above.to_path_buf());
        }
        if app.is_none() && name(above) == "db" && above != root {
            app = above.parent().map(Path::to_path_buf);
        }
    }
    app
}

/// A whole application, not an engine, has its settings there.
pub fn is_app(folder: &Path) -> bool {
    const SIGNS: [&str; 3] = ["config/application.rb", "config/environment.rb", "config/database.yml"];
    SIGNS.iter().any(|file| folder.join(file).exists())
}

/// The order in which production sees a history with milestones: what has none first, then milestone by milestone,
/// in each what runs before the deploy and then what waits for it. Without milestones it stays in order of versions.
pub fn order(drafts: &mut [Draft]) {
    let key = |draft: &Draft| {
        let milestone = draft.migration.release.as_deref().map(milestone_numbers);
        let phase = milestone.as_ref().and(draft.migration.phase);
        (milestone, phase)
    };
    drafts.sort_by_cached_key(key);
}

/// `17.10` comes after `17.9`.
fn milestone_numbers(milestone: &str) -> Vec<u32> {
    milestone.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect()
}

/// How a history's Ruby is to be understood: the application's gems, its settings, the SQL files its migrations read,
/// and the vocabularies of its own.
pub fn language(history: &DraftHistory, root: &Path, settings: &Settings, sources: &mut Sources) -> Arc<Language> {
    let folder = root.join(&history.layout.root);
    // A dump lies in `db` itself.
    let inside = || folder.ancestors().take_while(|above| above.starts_with(root));
    let above = || inside().find(|above| is_app(above)).map(Path::to_path_buf);
    let app = app_around(root, &folder).or_else(above).unwrap_or_else(|| folder.clone());
    let around = App::read(&app, "");
    let gems = around.gems.names();
    let folders = inside_app(&app, root, &history.layout);
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let limits_lock_waits = around.databases.limits_lock_waits(&folders) || language::limits_lock_waits(&app);
    // One that cannot be read has ended the run before.
    let declared: Vec<_> = settings.vocabulary_texts.iter().filter_map(|text| vocabulary::read(text).ok()).collect();
    let shipped = Vocabularies::shipped(&gems);
    // What is declared of a class counts, whatever the class itself says.
    let own = helpers::read(history, &app, &shipped.clone().with(declared.clone()));
    let vocabularies = shipped.with(own).with(declared);
    let (jobs, loaded) = side_by_side(|| jobs::read(&app, &vocabularies), || files::read(history, root, &app, sources));
    let mut dialect = language::dialect(&app, "", loaded);
    dialect.uuid_keys = around.gems.has("ar-uuid");
    let texts: Vec<Piece> = history.drafts.iter().map(|draft| sources.piece(draft.migration.source)).collect();
    dialect.models = Arc::new(tables::read(&app, texts.iter().map(Piece::text)));
    Arc::new(Language { vocabularies, dialect, jobs: Arc::new(jobs), limits_lock_waits })
}

/// A history's folders from the application's own.
pub fn inside_app(app: &Path, root: &Path, layout: &Layout) -> Vec<String> {
    let folders = std::iter::once(&layout.root).chain(&layout.more);
    let inside =
        folders.filter_map(|folder| Some(root.join(folder).strip_prefix(app).ok()?.to_string_lossy().into_owned()));
    inside.collect()
}

/// What the application's code says of the tables that judged migrations take something from. What is shipped has
/// been met by the code of its time: only a change is held against the code at hand.
pub fn application(
    history: &DraftHistory,
    place: &Place,
    base: Option<(&Git<'_>, &str)>,
    sources: &mut Sources,
) -> Result<Application, Error> {
    const TAKES: &[&str] = &["remove", "rename", "drop", "DROP", "RENAME", "_null"];
    let is_change = history.drafts.iter().any(|draft| !draft.migration.judged);
    if history.layout.framework != Framework::Rails || !is_change {
        return Ok(Application::default());
    }
    let judged = history.drafts.iter().filter(|draft| draft.migration.judged);
    let pieces: Vec<Piece> = judged.map(|draft| sources.piece(draft.migration.source)).collect();
    let takes = |piece: &&Piece| TAKES.iter().any(|word| piece.text().contains(word));
    let words = models::words(pieces.iter().filter(takes).map(Piece::text));
    if words.is_empty() {
        return Ok(Application::default());
    }
    let app = models::app_of(place, &history.layout.root);
    let dialect = language::dialect(&place.root, &app, BTreeMap::new());
    models::read(place, &app, &words, &dialect.inflections, base, sources)
}
