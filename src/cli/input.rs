//! From paths and flags to a project and its settings; from those to the state that the migrations make.

use std::path::{Path, PathBuf};

use super::Console;
use crate::error::Error;
use crate::history::{AfterFailure, Framework, History, Migration, Runner, State, TransactionUnit};
use crate::operation::Script;
use crate::project::Project;
use crate::settings::{Flags, Settings};

/// Reads the settings, then the project. `-` among the paths is standard input.
pub(super) fn load(
    paths: &[PathBuf],
    stdin: bool,
    flags: &Flags,
    console: &mut Console<'_>,
) -> Result<(Project, Settings), Error> {
    let is_stdin = |path: &&PathBuf| path.as_path() == Path::new("-");
    let stdin = if stdin || paths.iter().any(|path| is_stdin(&path)) { Some(console.read_stdin()?) } else { None };
    let paths: Vec<&PathBuf> = paths.iter().filter(|path| !is_stdin(path)).collect();
    let project = plain(&paths, stdin)?;
    let settings = Settings::default().with(flags);
    Ok((project, settings))
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

/// Files named, and those below folders named, as plain SQL in order of their names.
fn plain(paths: &[&PathBuf], stdin: Option<String>) -> Result<Project, Error> {
    let mut project = Project::default();
    let mut texts: Vec<(String, String)> = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        if !path.exists() {
            return Err(Error::MissingPath { path: shown });
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name().into_iter().filter_map(Result::ok) {
            let is_sql = entry.path().extension().is_some_and(|ending| ending == "sql");
            if entry.file_type().is_file() && is_sql {
                let shown = entry.path().display().to_string();
                let text = std::fs::read_to_string(entry.path())
                    .map_err(|fault| Error::Io { path: shown.clone(), reason: fault.to_string() })?;
                texts.push((shown, text));
            }
        }
    }
    texts.extend(stdin.map(|text| ("-".to_owned(), text)));
    if texts.is_empty() {
        let path = paths.first().map_or_else(|| ".".to_owned(), |path| path.display().to_string());
        return Err(Error::NothingFound { path, help: "name a folder of SQL files".to_owned() });
    }
    let mut migrations = Vec::new();
    for (path, text) in texts {
        let name = path.rsplit('/').next().unwrap_or(&path).trim_end_matches(".sql").to_owned();
        let (version, name) = name.split_once('_').unwrap_or((&name, "")).to_owned();
        let (version, name) = (version.to_owned(), name.to_owned());
        let source = project.sources.add(path, text);
        let read = crate::read::sql::read(&project.sources.piece(source));
        migrations.push(Migration {
            version,
            name,
            source,
            up: Script { nodes: read.nodes },
            down: None,
            transaction: TransactionUnit::Statement,
            judged: true,
            release: None,
            comments: read.comments,
            repeatable: false,
        });
    }
    project.histories.push(History {
        root: ".".to_owned(),
        framework: Framework::Plain,
        runner: Runner { after_failure: AfterFailure::RunsAgain, checksums: false, has_down: false },
        databases: vec![String::new()],
        migrations,
        complete: true,
        releases: Vec::new(),
    });
    Ok(project)
}
