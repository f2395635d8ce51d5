//! Patterns that name migrations: path globs, file names, versions.

use globset::{GlobBuilder, GlobMatcher};

use crate::operation::QualifiedName;

/// `db/V3*`, `db/migrate/**`, `20240101120000`: a glob over paths, or a version.
#[derive(Debug, Clone)]
pub struct PathPattern {
    text: String,
    glob: GlobMatcher,
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &PathPattern) -> bool {
        self.text == other.text
    }
}

impl PathPattern {
    /// Reads a pattern; `base` is the folder (relative to the repository root) that it starts from.
    pub fn new(text: &str, base: &str) -> Result<PathPattern, String> {
        let written = text.trim_end_matches('/');
        if written.is_empty() {
            return Err("an empty pattern names nothing".to_owned());
        }
        // Without a slash, a glob and a file's name are met in any folder below.
        let rooted = if written.contains('/') { written.to_owned() } else { format!("**/{written}") };
        let rooted = rooted.strip_prefix("./").unwrap_or(&rooted);
        let base = globset::escape(base);
        let rooted = if base.is_empty() { rooted.to_owned() } else { format!("{base}/{rooted}") };
        let glob = GlobBuilder::new(&rooted).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("`{text}` is no glob: {}", error.kind()))?;
        Ok(PathPattern { text: text.to_owned(), glob: glob.compile_matcher() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, or a folder that holds it, is meant.
    pub fn matches_path(&self, path: &str) -> bool {
        let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        self.glob.is_match(path) || folders.any(|folder| self.glob.is_match(folder))
    }

    /// A migration's path or its version is meant; `same` compares versions as the runner does.
    pub fn matches_migration(&self, path: &str, version: &str) -> bool {
        self.matches_path(path) || (!version.is_empty() && same_version(&self.text, version))
    }
}

/// `ci_*`, `audit.log`: a glob over names of tables; without a dot the schema does not matter.
#[derive(Debug, Clone)]
pub struct TablePattern {
    text: String,
    glob: GlobMatcher,
}

impl PartialEq for TablePattern {
    fn eq(&self, other: &TablePattern) -> bool {
        self.text == other.text
    }
}

impl TablePattern {
    pub fn new(text: &str) -> Result<TablePattern, String> {
        if text.is_empty() {
            return Err("an empty pattern names no table".to_owned());
        }
        let glob = GlobBuilder::new(text).build();
        let glob = glob.map_err(|error| format!("`{text}` is no glob: {}", error.kind()))?;
        Ok(TablePattern { text: text.to_owned(), glob: glob.compile_matcher() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, table: &QualifiedName) -> bool {
        let name = table.name.as_str();
        if self.text.contains('.') {
            self.glob.is_match(format!("{}.{name}", table.schema.as_str()))
        } else {
            self.glob.is_match(name)
        }
    }
}

/// `3`, `003` and `V3` are one version; `1.2` and `1_2` too.
pub fn same_version(left: &str, right: &str) -> bool {
    fn parts(version: &str) -> Vec<String> {
        // Diesel drops dashes, Flyway reads `_` as a dot and trailing zero parts as nothing.
        let version = version.trim_start_matches(['V', 'v']).replace('-', "");
        let part = |part: &str| part.trim_start_matches('0').to_owned();
        let mut parts: Vec<String> = version.split(['.', '_']).map(part).collect();
        while parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        parts
    }
    parts(left) == parts(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_folders_and_versions() {
        let matches = |pattern: &str, path: &str, version: &str| {
            PathPattern::new(pattern, "").unwrap().matches_migration(path, version)
        };
        assert!(matches("db/V3*", "db/V3_1__x.sql", ""));
        assert!(matches("db", "db/V3_1__x.sql", ""));
        assert!(matches("db/", "db/a/V3_1__x.sql", ""));
        assert!(!matches("db/V3*", "db/a/V3_1__x.sql", ""));
        assert!(matches("db/**", "db/a/V3_1__x.sql", ""));
        assert!(matches("V3*", "db/a/V3_1__x.sql", ""));
        assert!(matches("3", "db/003_x.sql", "003"));
        assert!(matches("1.2", "db/V1_2__x.sql", "1_2"));
        assert!(!matches("1.2", "db/V1_20__x.sql", "1_20"));
        assert!(PathPattern::new("db/[", "").is_err());
    }

    #[test]
    fn patterns_start_from_the_folder_of_their_file() {
        let pattern = PathPattern::new("db/*.sql", "services/a[1]").unwrap();
        assert!(pattern.matches_path("services/a[1]/db/x.sql"));
        assert!(!pattern.matches_path("db/x.sql"));
    }
}
