//! The command line: what was typed becomes a request; what comes back is written. One function per subcommand.

mod arguments;
mod baseline;
mod check;
mod config;
mod console;
mod drift;
mod graph;
mod init;
mod input;
mod paths;
mod progress;
mod rules;
mod schema;
mod shell;
mod undo;

pub use console::Console;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use crate::error::{EXIT_CODE, Error};
use arguments::{Arguments, Command};

/// Runs one command; the exit code is 0, 1 (findings) or 2 (the run was impossible), the same for every format.
pub fn run(arguments: impl Iterator<Item = OsString>, mut console: Console<'_>) -> u8 {
    let parsed =
        Arguments::command().try_get_matches_from(arguments).and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(refusal) => return console.refuse(&refusal),
    };
    let result = match &arguments.command {
        Command::Check(check) => check::run(check, &mut console),
        Command::Baseline(baseline) => baseline::run(baseline, &mut console),
        Command::Init(init) => init::run(init, &mut console),
        Command::Config(config) => config::run(config, &mut console),
        Command::Completions { shell } => shell::completions(*shell, &mut console),
        Command::Man => shell::manual(&mut console),
        Command::Schema(schema) => schema::run(schema, &mut console),
        Command::Graph(graph) => graph::run(graph, &mut console),
        Command::Paths(paths) => paths::run(paths, &mut console),
        Command::Drift(drift) => drift::run(drift, &mut console),
        Command::Undo(undo) => undo::run(undo, &mut console),
        Command::Explain { rule } => rules::explain(rule, &mut console),
        Command::Rules { format } => rules::list(*format, &mut console),
    };
    let code = match result {
        Ok(code) => code,
        Err(error) => {
            console.complain(&error);
            EXIT_CODE
        }
    };
    match console.finish() {
        Ok(()) => code,
        Err(error) => {
            console.complain(&error);
            EXIT_CODE
        }
    }
}

type Outcome = Result<u8, Error>;
