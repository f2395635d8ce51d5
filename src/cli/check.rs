//! `check`: judge migrations.

use std::fs::OpenOptions;
use std::io::Write;

use super::arguments::Check;
use super::console::write_file;
use super::input;
use super::progress::Progress;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output::{self, Format, Listing, Options};
use crate::project::Project;
use crate::report::Report;
use crate::settings::Flags;

pub(super) fn run(arguments: &Check, console: &mut Console<'_>) -> Outcome {
    let (project, report) = match judged(arguments, console) {
        Ok(judged) => judged,
        Err(error) => {
            let mut written = Vec::new();
            output::render_failure(&error, arguments.format, &mut written).map_err(unwritten)?;
            if !written.is_empty() {
                write(arguments, &written, console)?;
            }
            return Err(error);
        }
    };
    let options = options(arguments, &report, console);
    let mut written = Vec::new();
    output::render(&report, &project.sources, arguments.format, options, &mut written).map_err(unwritten)?;
    write(arguments, &written, console)?;
    if arguments.format == Format::Github {
        step_summary(&report, &project, options, console)?;
    }
    let code = if arguments.exit_zero { 0 } else { report.outcome().exit_code() };
    // The process ends with this: taking its trees apart would only keep the reader waiting.
    std::mem::forget((project, report));
    Ok(code)
}

fn judged(arguments: &Check, console: &mut Console<'_>) -> Result<(Project, Report), Error> {
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
        reads_baseline: true,
        since: arguments.since.clone(),
        after: arguments.after.clone(),
    };
    // Who types the SQL sees what is typed.
    let progress = Progress::begin(arguments.format == Format::Human && !arguments.stdin && console.is_watched());
    progress.tell("reading migrations".to_owned());
    let (project, mut settings) = input::load(&arguments.input.paths, arguments.stdin, &flags, console)?;
    settings.details = arguments.format == Format::Html;
    let count: usize = project.histories.iter().map(|history| history.migrations.len()).sum();
    progress.tell(format!("working out {count} migrations"));
    let report = crate::analyze(&project, &settings);
    Ok((project, report))
}

/// A history with so many findings, all of it judged, is one that meets plimsoll for the first time.
const FIRST_RUN: usize = 100;

fn options(arguments: &Check, report: &Report, console: &Console<'_>) -> Options {
    let to_file = arguments.input.output.is_some();
    let whole = report.baselined.is_empty() && report.migrations.iter().all(|migration| migration.judged);
    let listing = match (arguments.statistics, arguments.all) {
        (true, _) => Listing::Counts,
        (false, false) if whole && report.findings.len() > FIRST_RUN => Listing::Newest,
        (false, _) => Listing::All,
    };
    Options {
        notes: arguments.notes,
        listing,
        color: console.color(arguments.color, to_file),
        links: console.links(to_file),
        width: if to_file { Options::default().width } else { console.width() },
    }
}

fn write(arguments: &Check, written: &[u8], console: &mut Console<'_>) -> Result<(), Error> {
    match arguments.input.output.as_deref() {
        Some(path) => write_file(path, written),
        None => console.write(written),
    }
}

/// The job's page on GitHub shows all findings, where annotations are cut off. A page that cannot be written changes
/// nothing about the migrations.
fn step_summary(report: &Report, project: &Project, options: Options, console: &mut Console<'_>) -> Result<(), Error> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let mut summary = Vec::new();
    output::render(report, &project.sources, Format::Markdown, options, &mut summary).map_err(unwritten)?;
    let file = OpenOptions::new().append(true).create(true).open(path);
    if let Err(fault) = file.and_then(|mut file| file.write_all(&summary)) {
        console.warn(&format!("the step summary could not be written: {fault}"));
    }
    Ok(())
}

fn unwritten(fault: std::io::Error) -> Error {
    Error::Io { path: "report".to_owned(), reason: fault.to_string() }
}
