//! `check`: judge migrations.

use super::arguments::Check;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output::{self, Options};
use crate::settings::Flags;

pub(super) fn run(arguments: &Check, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.input.config.clone(),
        config_from: arguments.input.config_from.clone(),
        postgres: arguments.input.postgres,
        fail_on: arguments.fail_on,
        preset: arguments.preset,
        strict_reading: arguments.strict_reading,
        framework: arguments.input.framework,
        rules: arguments.rule.clone(),
        baseline: arguments.baseline.clone(),
        since: arguments.since.clone(),
        after: arguments.after.clone(),
    };
    let (project, settings) = input::load(&arguments.input.paths, arguments.stdin, &flags, console)?;
    let report = crate::analyze(&project, &settings);

    let to_file = arguments.input.output.as_deref();
    let options = Options {
        notes: arguments.notes,
        color: console.color(arguments.color, to_file.is_some()),
        width: if to_file.is_some() { Options::default().width } else { console.width() },
    };
    let mut written = Vec::new();
    let rendered = output::render(&report, &project.sources, arguments.format, options, &mut written);
    rendered.map_err(|fault| Error::Io { path: "report".to_owned(), reason: fault.to_string() })?;
    match to_file {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(if arguments.exit_zero { 0 } else { report.outcome().exit_code() })
}
