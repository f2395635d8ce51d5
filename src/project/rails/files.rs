//! SQL files that migrations read: definitions of views, functions and triggers, and whatever a migration names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use walkdir::WalkDir;

use super::super::assemble::DraftHistory;
use super::super::place::Place;
use super::super::text;
use super::super::walk::is_sql;
use crate::source::{Piece, Sources};

/// More files are no definitions.
const FILE_CAP: usize = 20_000;
const DEPTH_CAP: usize = 6;

/// By path from the application's root.
pub fn read(history: &DraftHistory, root: &Path, app: &Path, sources: &mut Sources) -> BTreeMap<String, Piece> {
    let place = Place { root: root.to_path_buf(), working_directory: root.to_path_buf(), is_repository: true };
    let mut found = BTreeMap::new();
    // Looked for only where some migration reads files at all.
    let texts: Vec<Piece> = history.drafts.iter().map(|draft| sources.piece(draft.migration.source)).collect();
    const READS: &[&str] = &[".sql", "_view", "_function", "_trigger"];
    if !texts.iter().any(|text| READS.iter().any(|word| text.text().contains(word))) {
        return found;
    }
    let named: BTreeSet<String> = texts.iter().flat_map(|text| named(text.text())).collect();
    for folder in ["db", "ee/db", "lib", "sql"] {
        let entries = WalkDir::new(app.join(folder)).max_depth(DEPTH_CAP).sort_by_file_name().into_iter().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_file()).take(FILE_CAP) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_definition = entry
                .path()
                .parent()
                .is_some_and(|above| ["views", "functions", "triggers"].iter().any(|kind| above.ends_with(kind)));
            if !is_sql(&name) || !(is_definition || named.contains(&name)) {
                continue;
            }
            let Ok(inside) = entry.path().strip_prefix(app) else { continue };
            let Ok(text) = text::read(entry.path()) else { continue };
            let source = sources.add(place.shown(entry.path()), text.text);
            found.insert(inside.to_string_lossy().replace('\\', "/"), sources.piece(source));
        }
    }
    found
}

/// Names of SQL files that stand in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let ends = text.match_indices(".sql").map(|(at, word)| at + word.len());
    let names = ends.map(|end| {
        let start = text[..end]
            .rfind(|c: char| !is_part(c))
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        text.get(start..end).unwrap_or_default().to_owned()
    });
    names.filter(|name| name.len() > ".sql".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_names_in_texts() {
        let text = "execute File.read(Rails.root.join('db', 'init-a.sql')); path = \"x/\u{e9}/b_1.sql\"; '.sql'";
        assert_eq!(named(text).into_iter().collect::<Vec<_>>(), ["b_1.sql", "init-a.sql"]);
    }
}
