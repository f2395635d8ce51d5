//! `undo`: the script that takes a migration back from wherever it stopped.

use super::arguments::UndoArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::history::{Ended, History};
use crate::output::{self, Undo, visible, writes_rows};
use crate::project::Project;
use crate::settings::Flags;
use crate::version::VersionRange;

pub(super) fn run(arguments: &UndoArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.config.clone(),
        postgres: arguments.postgres.map(VersionRange::only),
        framework: arguments.framework,
        ..Flags::default()
    };
    let (project, settings) = input::load(&arguments.paths, false, &flags, console)?;
    let (history, number) = find(&project, &arguments.migration)?;
    let Some(ended) = crate::replay_to_ends(history, number, &settings, settings.postgres.newest) else {
        return Err(nothing(&arguments.migration));
    };
    let undo = undo(&ended);
    if undo.changes().is_empty() {
        return Err(nothing(&arguments.migration));
    }
    let mut written = Vec::new();
    let rendered = output::render_undo(&undo, &mut written);
    rendered.map_err(|fault| Error::Io { path: "undo".to_owned(), reason: fault.to_string() })?;
    match &arguments.output {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(0)
}

fn undo(ended: &Ended) -> Undo<'_> {
    let course = &ended.course;
    let steps = course.units.iter().flat_map(|unit| &unit.steps);
    let units = course.units.iter().rev().map(|unit| &*unit.after.schema);
    let stops = ended.stops.iter().map(|stop| &*stop.state.schema);
    Undo {
        before: &ended.before.schema,
        states: std::iter::once(&*course.end.schema).chain(units).chain(stops).collect(),
        writes_rows: steps.into_iter().any(|step| writes_rows(&step.operation)),
        unread: course.unread,
    }
}

fn nothing(migration: &str) -> Error {
    Error::Usage {
        message: format!("the migration `{}` changes nothing of the schema", visible(migration)),
        help: "there is nothing to undo; what it did to rows cannot be taken back by a script".to_owned(),
    }
}

/// The migration of that version, path or name.
fn find<'a>(project: &'a Project, wanted: &str) -> Result<(&'a History, usize), Error> {
    let mut found: Vec<(&History, usize, &str)> = Vec::new();
    for history in &project.histories {
        for (number, migration) in history.migrations.iter().enumerate() {
            let path = project.sources.path(migration.source);
            let file = path.rsplit('/').next().unwrap_or(path);
            let folder = path.rsplit('/').nth(1).unwrap_or(path);
            let same_version = crate::project::compare_versions(history.framework, &migration.version, wanted).is_eq();
            let is_version = !migration.version.is_empty() && wanted.starts_with(|c: char| c.is_ascii_alphanumeric());
            let named = [path, file, folder, migration.name.as_str(), file.trim_end_matches(".sql")].contains(&wanted);
            if named || is_version && same_version && wanted.contains(|c: char| c.is_ascii_digit()) {
                found.push((history, number, path));
            }
        }
    }
    match found.as_slice() {
        [(history, number, _)] => Ok((history, *number)),
        [] => Err(Error::Usage {
            message: format!("no migration is `{}`", visible(wanted)),
            help: "name it by its version, its file or its path".to_owned(),
        }),
        several => {
            let paths: Vec<&str> = several.iter().map(|(_, _, path)| *path).collect();
            Err(Error::Usage {
                message: format!("several migrations are `{}`", visible(wanted)),
                help: format!("name one by its path: {}", visible(&paths.join(", "))),
            })
        }
    }
}
