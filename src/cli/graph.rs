//! `graph`: what is connected with what.

use super::arguments::GraphArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::graph::{Graph, Part};
use crate::output;
use crate::settings::Flags;

/// Drawings of more tables cannot be read.
const MOST: usize = 150;

pub(super) fn run(arguments: &GraphArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.input.config.clone(),
        postgres: arguments.input.postgres,
        framework: arguments.input.framework,
        ..Flags::default()
    };
    let (project, settings) = input::load(&arguments.input.paths, false, &flags, console)?;
    let state = input::replayed(&project, &settings)?;
    let graph = Graph::new(&state.schema, &state.data);
    let part = part(&graph, arguments)?;

    let mut written = Vec::new();
    let rendered = output::render_graph(&graph, &part, arguments.format, &mut written);
    rendered.map_err(|fault| Error::Io { path: "graph".to_owned(), reason: fault.to_string() })?;
    match &arguments.input.output {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(0)
}

fn part(graph: &Graph<'_>, arguments: &GraphArguments) -> Result<Part, Error> {
    let Some(table) = &arguments.table else { return Ok(graph.connected(MOST)) };
    let found = input::named(graph.schema(), table)?;
    Ok(graph.neighbourhood(found, arguments.depth))
}
