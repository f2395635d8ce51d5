//! What a project's manifests say of its runner.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::place::Place;
use super::text::peek;
use crate::history::Framework;

/// Files, what must stand in them (nothing: their being there is enough), and what that names.
const SIGNS: &[(&str, &str, Framework)] = &[
    ("diesel.toml", "", Framework::Diesel),
    (".sqlx", "", Framework::Sqlx),
    ("sqlx.toml", "", Framework::Sqlx),
    ("flyway.conf", "", Framework::Flyway),
    ("flyway.toml", "", Framework::Flyway),
    ("conf/flyway.conf", "", Framework::Flyway),
    ("pom.xml", "flyway", Framework::Flyway),
    ("build.gradle", "flyway", Framework::Flyway),
    ("build.gradle.kts", "flyway", Framework::Flyway),
    ("gradle/libs.versions.toml", "flyway", Framework::Flyway),
    ("go.mod", "golang-migrate/migrate", Framework::GolangMigrate),
    ("go.mod", "maragudk/migrate", Framework::MaragudkMigrate),
    ("go.mod", "maragu.dev/migrate", Framework::MaragudkMigrate),
    ("go.mod", "pressly/goose", Framework::Goose),
    ("go.mod", "gobuffalo/pop", Framework::Pop),
    ("go.mod", "ory/pop", Framework::Pop),
    ("go.mod", "jackc/tern", Framework::Tern),
    ("go.mod", "concourse/concourse", Framework::Concourse),
    ("tern.conf", "", Framework::Tern),
    ("config.yaml", "metadata_directory", Framework::Hasura),
    ("supabase/config.toml", "", Framework::Supabase),
    ("package.json", "\"node-pg-migrate\"", Framework::NodePgMigrate),
    ("package.json", "\"postgres-migrations\"", Framework::PostgresMigrations),
];

/// Dependencies of a `Cargo.toml`.
const CRATES: &[(&[&str], Framework)] = &[
    (&["diesel", "diesel_migrations", "diesel-async", "diesel_async_migrations"], Framework::Diesel),
    (&["sqlx"], Framework::Sqlx),
    (&["refinery"], Framework::Refinery),
];

/// Manifests around folders, each looked at once.
#[derive(Debug, Default)]
pub struct Manifests {
    known: BTreeMap<PathBuf, BTreeSet<Framework>>,
}

impl Manifests {
    /// What the nearest folder at or above `folder` names that names any runner.
    pub fn around(&mut self, place: &Place, folder: &Path) -> BTreeSet<Framework> {
        let inside: Vec<&Path> = folder.ancestors().take_while(|above| above.starts_with(&place.root)).collect();
        for above in inside {
            let named = self.at(above);
            if !named.is_empty() {
                return named.clone();
            }
        }
        BTreeSet::new()
    }

    fn at(&mut self, folder: &Path) -> &BTreeSet<Framework> {
        self.known.entry(folder.to_path_buf()).or_insert_with(|| read(folder))
    }
}

fn read(folder: &Path) -> BTreeSet<Framework> {
    let mut named = BTreeSet::new();
    // Most folders of most projects have none: one look at the folder tells.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let there: BTreeSet<OsString> = entries.map(|entry| entry.file_name()).collect();
    let is_there = |file: &str| there.contains(OsStr::new(file.split('/').next().unwrap_or(file)));
    for (file, needed, sign) in SIGNS.iter().filter(|(file, _, _)| is_there(file)) {
        let path = folder.join(file);
        let says =
            if needed.is_empty() { path.exists() } else { peek(&path).is_some_and(|text| text.contains(needed)) };
        if says {
            named.insert(*sign);
        }
    }
    if let Some(text) = is_there("Cargo.toml").then(|| peek(&folder.join("Cargo.toml"))).flatten() {
        named.extend(crates(&text));
    }
    named
}

/// The runners among a Cargo manifest's dependencies: `diesel = …`, `[dependencies.diesel]`.
fn crates(text: &str) -> BTreeSet<Framework> {
    let mut named = BTreeSet::new();
    for line in text.lines() {
        let key = line.trim().trim_start_matches('[').split(['=', ']']).next().unwrap_or_default();
        let key = key.trim().trim_end_matches(".workspace");
        let key = key.rsplit('.').next().unwrap_or(key).trim_matches('"');
        let sign = CRATES.iter().find(|(names, _)| names.contains(&key));
        named.extend(sign.map(|(_, sign)| *sign));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_however_they_are_written() {
        for (text, wanted) in [
            ("[dependencies]\nsqlx = \"0.8\"", Some(Framework::Sqlx)),
            ("[dependencies.diesel]\nversion = \"2\"", Some(Framework::Diesel)),
            ("refinery.workspace = true", Some(Framework::Refinery)),
            ("[workspace.dependencies]\nsqlx = { version = \"0.8\" }", Some(Framework::Sqlx)),
            ("# sqlx is not used\nname = \"sqlx-like\"", None),
        ] {
            assert_eq!(crates(text).into_iter().next(), wanted, "{text}");
        }
    }
}
