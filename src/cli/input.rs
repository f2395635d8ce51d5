//! From paths and flags to a project and its settings; from those to the state that the migrations make.

use std::path::{Path, PathBuf};

use super::Console;
use crate::error::Error;
use crate::history::State;
use crate::output::visible;
use crate::project::{self, Project, Request};
use crate::rules::BUILT_IN;
use crate::schema::{RelationId, Schema};
use crate::settings::{Flags, Settings, read_name};
use crate::source::Sources;

/// Reads the settings, then the project. `-` among the paths is standard input.
pub(super) fn load(
    paths: &[PathBuf],
    stdin: bool,
    flags: &Flags,
    console: &mut Console<'_>,
) -> Result<(Project, Settings), Error> {
    let working_directory = working_directory()?;
    let (settings, sources) = settings(flags)?;
    let is_stdin = |path: &&PathBuf| path.as_path() == Path::new("-");
    let stdin = if stdin || paths.iter().any(|path| is_stdin(&path)) { Some(console.read_stdin()?) } else { None };
    let project = project::load(Request {
        paths: paths.iter().filter(|path| !is_stdin(path)).cloned().collect(),
        working_directory,
        settings: &settings,
        sources,
        since: flags.since.clone(),
        after: flags.after.clone(),
        stdin,
    })?;
    Ok((project, settings))
}

/// The settings alone, and the sources that hold their file.
pub(super) fn settings(flags: &Flags) -> Result<(Settings, Sources), Error> {
    let rules: Vec<&str> = BUILT_IN.iter().map(|rule| rule.id).collect();
    project::read_settings(&working_directory()?, flags, &rules)
}

fn working_directory() -> Result<PathBuf, Error> {
    std::env::current_dir()
        .map_err(|fault| Error::Io { path: "the working directory".to_owned(), reason: fault.to_string() })
}

/// The folder that paths of the settings start from.
pub(super) fn root() -> Result<PathBuf, Error> {
    Ok(project::Place::around(&working_directory()?).root)
}

/// The state after the last migration of the one history that there is, on the newest major of the settings.
pub(super) fn replayed(project: &Project, settings: &Settings) -> Result<State, Error> {
    match project.histories.as_slice() {
        [history] => Ok(crate::replay_to_end(history, settings, settings.postgres.newest)),
        histories => {
            let roots: Vec<&str> = histories.iter().map(|history| history.root.as_str()).collect();
            Err(Error::Usage {
                message: format!("{} histories were found, each with a schema of its own", histories.len()),
                help: format!("name one: {}", roots.join(", ")),
            })
        }
    }
}

/// The table or view of that name.
pub(super) fn named(schema: &Schema, table: &str) -> Result<RelationId, Error> {
    let found = read_name(table).ok().and_then(|name| schema.find(&name));
    found.map(|relation| relation.id).ok_or_else(|| Error::Usage {
        message: format!("the migrations make no table `{}`", visible(table)),
        help: nearest(schema, table),
    })
}

fn nearest(schema: &Schema, wanted: &str) -> String {
    let wanted = wanted.rsplit('.').next().unwrap_or(wanted);
    let distance = |name: &str| strsim::damerau_levenshtein(name, wanted);
    let names = schema.tables().map(|(relation, _)| relation.name.name.as_str());
    match names.map(|name| (distance(name), name)).min() {
        Some((distance, name)) if distance <= 3 => format!("did you mean `{}`?", visible(name)),
        _ => "name it as SQL does: `users`, `audit.events`".to_owned(),
    }
}
