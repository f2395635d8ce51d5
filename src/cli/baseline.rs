//! `baseline`: the findings of today are known; a run tells what is new.

use super::arguments::BaselineArguments;
use super::console::write_file;
use super::input;
use super::progress::Progress;
use super::{Console, Outcome};
use crate::output::visible;
use crate::report::Baseline;
use crate::settings::Flags;

/// Where it lies if the settings name no file.
const FILE: &str = "plimsoll-baseline.json";

pub(super) fn run(arguments: &BaselineArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.input.config.clone(),
        config_from: arguments.input.config_from.clone(),
        postgres: arguments.input.postgres,
        framework: arguments.input.framework,
        preset: arguments.preset,
        ..Flags::default()
    };
    let progress = Progress::begin(console.is_watched());
    progress.tell("working out all migrations".to_owned());
    let (project, settings) = input::load(&arguments.input.paths, false, &flags, console)?;
    let report = crate::analyze(&project, &settings);
    drop(progress);
    let name = |at: crate::finding::MigrationRef| project.histories[at.history].migrations[at.migration].name.clone();
    let baseline = Baseline::of(report.findings.iter(), &name);
    let path = match (&arguments.input.output, &settings.baseline) {
        (Some(path), _) => path.clone(),
        (None, set) => input::root()?.join(set.as_deref().unwrap_or(FILE)),
    };
    write_file(&path, baseline.text().as_bytes())?;
    let count = baseline.findings.len();
    let count = if count == 1 { "1 finding is".to_owned() } else { format!("{count} findings are") };
    let mut text = format!("{count} known from here on: {}\n", visible(&path.to_string_lossy()));
    if settings.baseline.is_none() && arguments.input.output.is_none() {
        text.push_str(&format!("Name it in plimsoll.toml: baseline = \"{FILE}\"\n"));
    }
    console.write(text.as_bytes())?;
    Ok(0)
}
