//! `graph`: what is connected with what.

use super::arguments::GraphArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::graph::{Edge, Graph, Part};
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
    if let [from, to] = arguments.path.as_slice() {
        return way(graph, from, to);
    }
    let Some(table) = &arguments.table else { return Ok(graph.connected(MOST)) };
    let found = input::named(graph.schema(), table)?;
    Ok(graph.neighbourhood(found, arguments.depth))
}

fn way(graph: &Graph<'_>, from: &str, to: &str) -> Result<Part, Error> {
    let ends = (input::named(graph.schema(), from)?, input::named(graph.schema(), to)?);
    let Some(way) = graph.path(ends.0, ends.1) else {
        return Err(Error::Usage {
            message: format!("no write to `{}` leads to `{}`", output::visible(from), output::visible(to)),
            help: "writes go from a table to its triggers, to what their functions write, to partitions and along foreign keys"
                .to_owned(),
        });
    };
    let mut part = Part::default();
    for (one, edge, next) in way {
        part.nodes.extend([one, next]);
        // A write goes from a parent to its partition; the edge says which is part of which.
        part.edges.insert(if edge == Edge::PartitionOf { (next, one, edge) } else { (one, next, edge) });
    }
    Ok(part)
}
