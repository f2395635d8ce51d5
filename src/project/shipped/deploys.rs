//! Where the base is deployed to, as its descriptions of deploys tell.

use super::super::git::Git;
use super::super::place::{file_name, folder};

/// Folders with descriptions of deploys.
const FOLDERS: &[&str] = &[".github", ".nais", "nais", "deploy", "deployment", "deployments", "helm", "charts", "k8s"];
/// What is called so is no production.
const BEFORE_PRODUCTION: &[&str] = &["dev", "development", "staging", "preprod", "uat", "qa"];
const PRODUCTION: &[&str] = &["prod", "prd", "production", "live"];
/// More of them, or longer ones, are not looked through.
const MOST_FILES: usize = 100;
const LONGEST: usize = 256 << 10;

/// The description of a deploy to an environment before production, where none says a word of production.
pub fn without_production(git: &Git<'_>, base: &str) -> Option<String> {
    let tree = git.files(base).ok()?;
    let is_one = |path: &str| folder(path).split('/').any(|part| FOLDERS.contains(&part));
    let found: Vec<(&String, &String)> = tree.iter().filter(|(path, _)| is_one(path)).collect();
    let early = found.iter().map(|(path, _)| *path).find(|path| is_before_production(file_name(path)))?;
    if found.len() > MOST_FILES || found.iter().any(|(path, _)| says(path, PRODUCTION)) {
        return None;
    }
    let blobs: Vec<&str> = found.iter().map(|(_, blob)| blob.as_str()).collect();
    let is_silent = |text: Option<Vec<u8>>| {
        text.is_some_and(|text| text.len() <= LONGEST && !says(&String::from_utf8_lossy(&text), PRODUCTION))
    };
    git.contents(&blobs).ok()?.into_iter().all(is_silent).then(|| early.clone())
}

/// A tag or a file is named after an environment before production.
pub fn is_before_production(name: &str) -> bool {
    says(name, BEFORE_PRODUCTION) && !says(name, PRODUCTION)
}

/// One of the words stands in a text.
fn says(text: &str, words: &[&str]) -> bool {
    let mut parts = text.split(|character: char| !character.is_ascii_alphanumeric());
    parts.any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}
