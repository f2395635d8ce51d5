//! `paths`: what a write to a table runs into.

use super::arguments::PathsArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::graph::Graph;
use crate::output;
use crate::settings::Flags;

pub(super) fn run(arguments: &PathsArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.input.config.clone(),
        postgres: arguments.input.postgres,
        framework: arguments.input.framework,
        ..Flags::default()
    };
    let (project, settings) = input::load(&arguments.input.paths, false, &flags, console)?;
    let state = input::replayed(&project, &settings)?;
    let graph = Graph::new(&state.schema, &state.data);
    let table = input::named(&state.schema, &arguments.table)?;
    let depth = arguments.depth.unwrap_or(usize::MAX);
    let paths = graph.write_paths(&state.data, table, depth);

    let mut written = Vec::new();
    let rendered = output::render_paths(&paths, &graph, &project.sources, (arguments.format, depth), &mut written);
    rendered.map_err(|fault| Error::Io { path: "paths".to_owned(), reason: fault.to_string() })?;
    match &arguments.input.output {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(0)
}
