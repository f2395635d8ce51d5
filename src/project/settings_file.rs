//! Finds `plimsoll.toml` and hands its text to `settings`.

use std::path::Path;

use super::extra_pages::extra_pages;
use super::git::Git;
use super::place::Place;
use super::text;
use crate::error::Error;
use crate::settings::{Flags, Settings, SettingsFile};
use crate::source::Sources;

/// The settings file's name.
pub const NAME: &str = "plimsoll.toml";

/// The settings of a run: the file found upwards from the working directory, then the flags.
/// `rules` are the ids that rules can have; the sources hold the file, whose entries have spans.
pub fn read_settings(working_directory: &Path, flags: &Flags, rules: &[&str]) -> Result<(Settings, Sources), Error> {
    let place = Place::around(working_directory);
    let mut sources = Sources::default();
    let found = match &flags.config_from {
        Some(revision) => find_at(&place, flags, revision)?,
        None => find(&place, flags)?,
    };
    let Some((shown, text)) = found else { return Ok((Settings::default().with(flags), sources)) };
    let id = sources.add(shown, text);
    // Their ids may be named in the very file that names their folders. Where it cannot be read, what follows says so.
    let first = SettingsFile { sources: &sources, id, rules: &[] }.read();
    let folders = first.map(|settings| settings.extra_rules).unwrap_or_default();
    let pages = extra_pages(&place, flags, &folders)?;
    let rules: Vec<&str> = rules.iter().copied().chain(pages.iter().map(|page| page.id.as_str())).collect();
    let mut settings = SettingsFile { sources: &sources, id, rules: &rules }.read()?.with(flags);
    settings.extra_pages = pages;
    Ok((settings, sources))
}

/// The file as shown, and its text.
type Named = Option<(String, String)>;

fn find(place: &Place, flags: &Flags) -> Result<Named, Error> {
    let path = match &flags.config {
        Some(named) => Some(place.absolute(named)),
        None => upwards(place).map(|folder| folder.join(NAME)).find(|path| path.is_file()),
    };
    let Some(path) = path else { return Ok(None) };
    let shown = place.shown(&path);
    match text::read(&path) {
        Ok(text) => Ok(Some((shown, text.text))),
        Err(reason) => Err(Error::Io { path: shown, reason }),
    }
}

/// The same file as a revision has it; none where the revision has none.
fn find_at(place: &Place, flags: &Flags, revision: &str) -> Result<Named, Error> {
    if !place.is_repository {
        return Err(Error::Git {
            message: "there is no repository here".to_owned(),
            help: "`--config-from` reads the settings of a revision; without git name the file with `--config`"
                .to_owned(),
        });
    }
    let git = Git::at(&place.root);
    let files = git.files(&git.known(revision)?)?;
    let shown = match &flags.config {
        Some(named) => Some(place.shown(&place.absolute(named))),
        None => upwards(place).map(|folder| place.shown(&folder.join(NAME))).find(|path| files.contains_key(path)),
    };
    let Some(shown) = shown else { return Ok(None) };
    let missing = || Error::Io { path: shown.clone(), reason: format!("{revision} has no such settings file") };
    let blob = files.get(&shown).ok_or_else(missing)?;
    let bytes = git.contents(&[blob])?.into_iter().flatten().next().ok_or_else(missing)?;
    let text = text::decode(bytes).map_err(|reason| Error::Io { path: shown.clone(), reason })?;
    Ok(Some((shown, text.text)))
}

/// Up to the repository's root; without a repository up to the file system's.
fn upwards(place: &Place) -> impl Iterator<Item = &Path> {
    let inside = |folder: &&Path| !place.is_repository || folder.starts_with(&place.root);
    place.working_directory.ancestors().take_while(inside)
}
