//! What is read of a Rails application beside its migrations: settings of its databases, gems. Reads files, runs
//! nothing.

mod class;
mod database;
pub mod dump;
mod gems;
pub mod names;

use std::path::{Path, PathBuf};

pub use class::Class;
pub use database::Databases;
pub use gems::Gems;

use super::assemble::Draft;
use super::text::peek;

/// An application, or an engine, as its files show it.
#[derive(Debug, Default)]
pub struct App {
    pub databases: Databases,
    pub gems: Gems,
}

/// Where settings of databases stand; the later ones are examples that a person copies.
const SETTINGS: &[&str] = &[
    "config/database.yml",
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
        let text = SETTINGS.iter().find_map(|file| peek(&disk.join(file)));
        let gems = peek(&disk.join("Gemfile.lock")).map(|text| Gems::read(&text)).unwrap_or_default();
        App { databases: text.map(|text| Databases::read(&text)).unwrap_or_default(), gems }
    }

    /// The database that folders of migrations are for, where that cannot be PostgreSQL: an application with its
    /// driver may run there too.
    pub fn other_database(&self, folders: &[&str]) -> Option<&'static str> {
        let adapter = self.databases.of(folders)?.adapter.as_deref()?;
        let name = match adapter {
            "mysql2" | "trilogy" | "mysql" => "MySQL",
            "sqlite3" => "SQLite",
            "sqlserver" => "SQL Server",
            "oracle_enhanced" => "Oracle",
            _ => return None,
        };
        (!self.gems.has("pg")).then_some(name)
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

/// The part of a path up to a folder of tests.
pub fn is_test_folder(path: &str) -> Option<&str> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        if matches!(part, "spec" | "test" | "tests") {
            return Some(&path[..end]);
        }
        end += 1;
    }
    None
}
