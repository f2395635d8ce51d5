//! Where a run takes place: the repository around the working directory, and how its paths are shown.

use std::path::{Component, Path, PathBuf};

/// The folder that shown paths start from.
#[derive(Debug, Clone)]
pub struct Place {
    pub root: PathBuf,
    pub working_directory: PathBuf,
    pub is_repository: bool,
}

impl Place {
    /// Looks upwards for `.git` (a folder, or the file that a worktree has).
    pub fn around(working_directory: &Path) -> Place {
        let start = working_directory.canonicalize().unwrap_or_else(|_| working_directory.to_path_buf());
        let repository = start.ancestors().find(|folder| folder.join(".git").exists());
        let root = repository.unwrap_or(&start).to_path_buf();
        Place { root, is_repository: repository.is_some(), working_directory: start }
    }

    /// A path as typed, from the working directory, without `.` and `..`.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        let mut absolute = PathBuf::new();
        for component in self.working_directory.join(path).components() {
            match component {
                Component::ParentDir => {
                    absolute.pop();
                }
                Component::CurDir => {}
                Component::Prefix(_) | Component::RootDir | Component::Normal(_) => absolute.push(component),
            }
        }
        absolute
    }

    /// Relative to the root with `/`; whole where it lies outside. The root itself is empty.
    pub fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        let text = inside.to_string_lossy();
        if std::path::MAIN_SEPARATOR == '\\' { text.replace('\\', "/") } else { text.into_owned() }
    }

    /// The working directory and the folders above it, up to the root.
    pub fn upwards(&self) -> impl Iterator<Item = &Path> {
        self.working_directory.ancestors().take_while(|folder| folder.starts_with(&self.root))
    }
}

/// The part before the last `/`; empty for a bare name.
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The part after the last `/`.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// `path` lies in `folder` or below it.
pub fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The part of a path up to a folder of what only tests run, where `start` does not stand in it itself. What lies in
/// `src/main` is built into what runs.
pub fn test_folder<'a>(path: &'a str, start: &str) -> Option<&'a str> {
    const OF_TESTS: &[&str] =
        &["test", "tests", "__tests__", "spec", "specs", "e2e", "testdata", "test_data", "fixtures"];
    if format!("/{path}/").contains("/src/main/") {
        return None;
    }
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        let folder = &path[..end];
        // Gradle keeps tests of other kinds in source sets of their own: `src/integrationTest`.
        let is_set_of_tests =
            end > part.len() && file_name(&path[..end - part.len() - 1]) == "src" && part.ends_with("Test");
        if (OF_TESTS.contains(&part) || is_set_of_tests) && !is_below(start, folder) {
            return Some(folder);
        }
        end += 1;
    }
    None
}

/// A path below a folder.
pub fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A folder's name in sentences.
pub fn named(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}
