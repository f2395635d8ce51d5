//! `init`: a settings file for the project at hand, and on demand the job that runs the check.

use std::fmt::Write;
use std::path::Path;

use super::arguments::{InitArguments, Service};
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output::visible;
use crate::settings::Flags;

const SETTINGS: &str = "plimsoll.toml";
const GITHUB: (&str, &str) = (".github/workflows/plimsoll.yml", include_str!("init/github.yml"));
const GITLAB: (&str, &str) = (".gitlab/plimsoll.yml", include_str!("init/gitlab.yml"));

pub(super) fn run(arguments: &InitArguments, console: &mut Console<'_>) -> Outcome {
    let root = input::root()?;
    let mut files = Vec::new();
    if arguments.ci.is_none() || !root.join(SETTINGS).exists() {
        files.push((SETTINGS, settings(arguments, console)?));
    }
    match arguments.ci {
        Some(Service::Github) => files.push((GITHUB.0, GITHUB.1.to_owned())),
        Some(Service::Gitlab) => files.push((GITLAB.0, GITLAB.1.to_owned())),
        None => {}
    }
    // Before anything is written: what is there is the project's.
    if let Some((path, _)) = files.iter().find(|(path, _)| root.join(path).exists()) {
        return Err(Error::Usage {
            message: format!("{path} is there already"),
            help: "`plimsoll config --show` prints what it says; take it away to begin anew".to_owned(),
        });
    }
    let mut told = String::new();
    for (path, text) in &files {
        create_folder(root.join(path).parent())?;
        write_file(&root.join(path), text.as_bytes())?;
        // Writing to a String cannot fail.
        let _ = writeln!(told, "wrote {path}");
    }
    told.push_str(next_step(arguments.ci));
    console.write(told.as_bytes())?;
    Ok(0)
}

fn create_folder(folder: Option<&Path>) -> Result<(), Error> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|fault| Error::Io { path: visible(&folder.to_string_lossy()).into_owned(), reason: fault.to_string() })
}

fn next_step(service: Option<Service>) -> &'static str {
    match service {
        None => {
            "next: `plimsoll check`, then `plimsoll baseline` for what is known, then `plimsoll init --ci github` or gitlab\n"
        }
        Some(Service::Github) => "next: commit it; the job runs on pull requests\n",
        Some(Service::Gitlab) => "next: add `include: [{local: .gitlab/plimsoll.yml}]` to .gitlab-ci.yml\n",
    }
}

/// The settings with what was found filled in and the rest as comments.
fn settings(arguments: &InitArguments, console: &mut Console<'_>) -> Result<String, Error> {
    let (project, settings) = input::load(&arguments.paths, false, &Flags::default(), console)?;
    let mut text = String::from("# What plimsoll is to know of this project: docs/configuration.md has every key.\n\n");
    text.push_str("# The servers that the migrations run on: one version, or a range.\n");
    let _ = writeln!(text, "postgres = \"{}\"\n", settings.postgres);
    text.push_str("# Where the migrations lie, and what runs them; found by itself, too, and then said.\n");
    let roots: Vec<&str> = project.histories.iter().map(|history| history.root.as_str()).collect();
    text.push_str(&paths(&roots));
    let mut frameworks: Vec<&str> = project.histories.iter().map(|history| history.framework.word()).collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    match frameworks.as_slice() {
        [one] => drop(writeln!(text, "framework = \"{one}\"\n")),
        _ => drop(writeln!(text, "# framework: {}, each found by itself\n", frameworks.join(", "))),
    }
    text.push_str(REST);
    Ok(text)
}

/// The key `paths`.
fn paths(roots: &[&str]) -> String {
    match roots {
        [one] => format!("paths = [{}]\n", quoted(one)),
        roots => {
            let lines = roots.iter().map(|root| format!("    {},\n", quoted(root)));
            format!("paths = [\n{}]\n", lines.collect::<String>())
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const REST: &str = "\
# The least severity that makes a run fail: error, warning or note.
# fail-on = \"error\"

# Findings that are known: `plimsoll baseline` writes the file.
# baseline = \"plimsoll-baseline.json\"

# Lock rules go by size: tables whose locks are felt by everybody, and such as nobody waits for.
# large-tables = [\"events\"]
# small-tables = [\"settings\"]

# lock_timeout is set by the role or the server, so that migrations need not.
# lock-timeout = \"5s\"

# The search_path of the connection that runs migrations, where it is not public.
# search-path = [\"app\", \"public\"]

# Deploys stop the application before migrations run: nobody waits, and no older code fails.
# application-stopped = true

# Rules that no comment and no entry here may allow.
# unallowable = [\"fk-before-backfill\"]

# Severities: off, note, warning or error.
# [rules]
# drop-column = \"error\"

# [[allow]]
# rule = \"index-not-concurrent\"
# migration = \"20240131*\"
# reason = \"the table was empty then\"

# What is true of the data and cannot be seen in the migrations; every report lists it.
# [[fact]]
# backfilled = \"public.orders_copy\"
# from = \"public.orders\"
# reason = \"done by a script on 3 March, checked by the DBA\"
";
