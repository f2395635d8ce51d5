//! Files of SQL that are no migrations and that a change adds or edits: what deleted migrations made may stand there.

use super::super::git::Git;
use super::super::text;
use super::super::walk::is_sql;
use crate::error::Error;

/// More of them hold samples, tests and data, and are not compared one by one.
const MOST_COMPARED: usize = 200;
/// More texts than that are no schema.
const MOST_TAKEN: usize = 16;
/// Longer ones hold rows.
const LONGEST: usize = 4 << 20;

/// Their paths and texts.
pub fn texts(git: &Git<'_>, base: &str, is_migration: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, Error> {
    let is_other = |path: &str| is_sql(path) && !is_migration(path);
    let tree = git.files(base)?;
    let old: Vec<(&String, &String)> = tree.iter().filter(|(path, _)| is_other(path)).collect();
    let mut paths: Vec<String> = Vec::new();
    if old.len() <= MOST_COMPARED {
        let blobs: Vec<&str> = old.iter().map(|(_, blob)| blob.as_str()).collect();
        let before = git.contents(&blobs)?;
        let is_edited = |path: &str, before: &Option<Vec<u8>>| {
            let now = text::bytes(&git.root().join(path));
            now.is_some() && now.as_ref() != before.as_ref()
        };
        let edited = old.iter().zip(&before).filter(|((path, _), before)| is_edited(path, before));
        paths.extend(edited.map(|((path, _), _)| (*path).clone()));
    }
    if let Some(head) = git.head().filter(|head| head.commit != base) {
        let changed = git.changed(base, &head.commit)?.into_iter();
        paths.extend(changed.filter(|one| one.after.is_some() && is_other(&one.path)).map(|one| one.path));
    }
    paths.sort();
    paths.dedup();
    let texts = paths.into_iter().filter_map(|path| {
        let text = text::read(&git.root().join(&path)).ok()?.text;
        (text.len() <= LONGEST).then_some((path, text))
    });
    Ok(texts.take(MOST_TAKEN).collect())
}
