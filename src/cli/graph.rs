//! `graph`: what is connected with what.

use super::arguments::GraphArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::graph::{Graph, Part};
use crate::output::{self, visible};
use crate::schema::Schema;
use crate::settings::{Flags, read_name};

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
    let found = read_name(table).ok().and_then(|name| graph.schema().find(&name));
    match found {
        Some(relation) => Ok(graph.neighbourhood(relation.id, arguments.depth)),
        None => Err(Error::Usage {
            message: format!("the migrations make no table `{}`", visible(table)),
            help: nearest(graph.schema(), table),
        }),
    }
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
