//! Which migrations are judged, in which order production sees them, and which release brings them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::assemble::{Draft, DraftHistory};
use super::runner::compare_versions;
use crate::error::Error;
use crate::settings::Settings;

/// The release of migrations that one change brings, where the settings name none.
pub const THIS_CHANGE: &str = "this change";

/// Of what is judged leaves the files that the user named.
pub fn only(histories: &mut [DraftHistory], paths: &BTreeSet<String>) {
    let named = |draft: &Draft| {
        paths.contains(&draft.up.path) || draft.down.as_ref().is_some_and(|down| paths.contains(&down.path))
    };
    for history in histories {
        for draft in &mut history.drafts {
            draft.migration.judged &= named(draft);
        }
        for file in &mut history.unread {
            file.judged &= paths.contains(&file.path);
        }
    }
}

/// Judges what comes after a version, as the runner orders it.
pub fn after(histories: &mut [DraftHistory], version: &str) -> Result<Vec<String>, Error> {
    let mut remarks = Vec::new();
    let mut known = false;
    for history in histories.iter_mut() {
        let framework = history.layout.framework;
        let same = |draft: &Draft| {
            !draft.migration.version.is_empty()
                && compare_versions(framework, &draft.migration.version, version).is_eq()
        };
        let at = history.drafts.iter().rposition(same);
        known |= at.is_some();
        let mut repeatable = 0;
        for (index, draft) in history.drafts.iter_mut().enumerate() {
            let migration = &mut draft.migration;
            migration.judged = match at {
                Some(at) => index > at && !migration.repeatable,
                None => {
                    !migration.repeatable
                        && compare_versions(framework, &migration.version, version) == Ordering::Greater
                }
            };
            repeatable += usize::from(migration.repeatable);
        }
        for file in &mut history.unread {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let number = name.trim_start_matches(['V', 'v']);
            let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            // A file without a version may be anything, and old.
            file.judged = end > 0 && compare_versions(framework, &number[..end], version) == Ordering::Greater;
        }
        if repeatable > 0 {
            remarks
                .push(format!("{repeatable} repeatable migrations have no version and are not judged; use `--since`"));
        }
    }
    if known {
        return Ok(remarks);
    }
    Err(Error::Usage {
        message: format!("no migration has version {version}"),
        help: "`--after` takes the version of the last migration that is shipped".to_owned(),
    })
}

/// Gives each migration its release: named in the settings, or the change that brings it.
pub fn release(histories: &mut [DraftHistory], settings: &Settings, is_change: bool) {
    for draft in histories.iter_mut().flat_map(|history| &mut history.drafts) {
        let migration = &mut draft.migration;
        let is_in = |release: &&crate::settings::Release| {
            let mut patterns = release.migrations.iter();
            patterns.any(|pattern| pattern.matches_migration(&draft.up.path, &migration.version))
        };
        let named = settings.releases.iter().find(is_in).map(|release| release.name.clone());
        // A milestone says it next.
        let said = named.or_else(|| migration.release.take());
        migration.release = said.or_else(|| (is_change && migration.judged).then(|| THIS_CHANGE.to_owned()));
    }
}
