//! Finds `plimsoll.toml` and hands its text to `settings`.

use std::path::Path;

use super::extra_pages::extra_pages;
use super::git::Git;
use super::place::Place;
use super::text;
use crate::error::Error;
use crate::rails::vocabulary;
use crate::report::Baseline;
use crate::settings::{Flags, Settings, SettingsFile};
use crate::source::{SourceId, Sources};

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
    let mut settings = match found {
        Some((shown, text)) => {
            let id = sources.add(shown, text);
            with_own_rules(&place, flags, rules, &sources, id)?.with(flags)
        }
        None => Settings::default().with(flags),
    };
    if let Some(named) = &flags.baseline {
        settings.baseline = Some(place.shown(&place.absolute(named)));
    }
    if let Some(path) = settings.baseline.as_ref().filter(|_| flags.reads_baseline) {
        let text = known_findings(&place, flags, path)?;
        settings.known = Some(sources.add(path.as_str(), text));
    }
    Ok((settings, sources))
}

/// Reads the file with the ids of the project's own rules, which may be named in the very file that names their folders.
fn with_own_rules(
    place: &Place,
    flags: &Flags,
    rules: &[&str],
    sources: &Sources,
    id: SourceId,
) -> Result<Settings, Error> {
    // Where it cannot be read, what follows says so.
    let first = SettingsFile { sources, id, rules: &[] }.read();
    let folders = first.map(|settings| settings.extra_rules).unwrap_or_default();
    let pages = extra_pages(place, flags, &folders)?;
    let rules: Vec<&str> = rules.iter().copied().chain(pages.iter().map(|page| page.id.as_str())).collect();
    let mut settings = SettingsFile { sources, id, rules: &rules }.read()?;
    settings.extra_pages = pages;
    settings.vocabulary_texts = vocabulary_texts(place, flags, &settings.vocabularies)?;
    Ok(settings)
}

/// The text of the baseline: a change cannot add to what is known about itself.
fn known_findings(place: &Place, flags: &Flags, path: &str) -> Result<String, Error> {
    let missing = |reason: String| Error::Usage {
        message: format!("the baseline {path} cannot be read: {reason}"),
        help: "`plimsoll baseline` writes it".to_owned(),
    };
    let text = named_text(place, flags, path)?.map_err(missing)?;
    Baseline::parse(&text).map_err(missing)?;
    Ok(text)
}

/// The texts of the project's own vocabularies, each of which can be read.
fn vocabulary_texts(place: &Place, flags: &Flags, paths: &[String]) -> Result<Vec<String>, Error> {
    let read = |path: &String| {
        let fault = |reason: String| Error::Io { path: path.clone(), reason };
        let text = named_text(place, flags, path)?.map_err(fault)?;
        vocabulary::read(&text).map_err(fault)?;
        Ok(text)
    };
    paths.iter().map(read).collect()
}

/// A file that the settings name, from where the settings come; the inner error says why it cannot be read.
fn named_text(place: &Place, flags: &Flags, path: &str) -> Result<Result<String, String>, Error> {
    let Some(revision) = &flags.config_from else {
        return Ok(text::read(&place.root.join(path)).map(|text| text.text));
    };
    let git = Git::at(&place.root);
    let files = git.files_at(&git.known(revision)?, &[path])?;
    let Some(blob) = files.get(path) else { return Ok(Err(format!("{revision} has no such file"))) };
    let bytes = git.contents(&[blob])?.into_iter().flatten().next();
    let decoded = bytes.ok_or_else(|| "it is not in this clone".to_owned()).and_then(text::decode);
    Ok(decoded.map(|text| text.text))
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
