//! `schema`: what the migrations make.

use super::arguments::SchemaArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output;
use crate::settings::Flags;
use crate::version::VersionRange;

pub(super) fn run(arguments: &SchemaArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.config.clone(),
        postgres: arguments.postgres.map(VersionRange::only),
        framework: arguments.framework,
        ..Flags::default()
    };
    let (project, settings) = input::load(&arguments.paths, false, &flags, console)?;
    let state = input::replayed(&project, &settings)?;
    let mut written = Vec::new();
    let rendered = output::render_schema(&state.schema, &state.data, &project.sources, arguments.format, &mut written);
    rendered.map_err(|fault| Error::Io { path: "schema".to_owned(), reason: fault.to_string() })?;
    match &arguments.output {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(0)
}
