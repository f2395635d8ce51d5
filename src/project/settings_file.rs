//! Finds `plimsoll.toml` and hands its text to `settings`.

use std::path::{Path, PathBuf};

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
    let Some(path) = find(&place, flags)? else { return Ok((Settings::default().with(flags), sources)) };
    let shown = place.shown(&path);
    let text = text::read(&path).map_err(|reason| Error::Io { path: shown.clone(), reason })?;
    let id = sources.add(shown, text.text);
    let settings = SettingsFile { sources: &sources, id, rules }.read()?;
    Ok((settings.with(flags), sources))
}

fn find(place: &Place, flags: &Flags) -> Result<Option<PathBuf>, Error> {
    if let Some(named) = &flags.config {
        let path = place.absolute(named);
        if !path.exists() {
            return Err(Error::Io { path: named.display().to_string(), reason: "no such settings file".to_owned() });
        }
        return Ok(Some(path));
    }
    Ok(upwards(place).map(|folder| folder.join(NAME)).find(|path| path.is_file()))
}

/// Up to the repository's root; without a repository up to the file system's.
fn upwards(place: &Place) -> impl Iterator<Item = &Path> {
    let inside = |folder: &&Path| !place.is_repository || folder.starts_with(&place.root);
    place.working_directory.ancestors().take_while(inside)
}
