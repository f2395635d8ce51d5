//! `drift`: what stands between the schema that should be and the one that is.

use super::arguments::DriftArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output::{self, Drift};
use crate::project;
use crate::schema::Schema;
use crate::schema::difference::{Change, Shared};
use crate::settings::{Flags, Settings};
use crate::version::VersionRange;

/// Tables in which runners keep what has run: no migration makes them.
const BOOKKEEPING: [&str; 14] = [
    "__diesel_schema_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "ar_internal_metadata",
    "atlas_schema_revisions",
    "databasechangelog",
    "databasechangeloglock",
    "flyway_schema_history",
    "goose_db_version",
    "gorp_migrations",
    "pgmigrations",
    "refinery_schema_history",
    "schema_migrations",
    "schema_version",
];

pub(super) fn run(arguments: &DriftArguments, console: &mut Console<'_>) -> Outcome {
    let flags = Flags {
        config: arguments.config.clone(),
        postgres: arguments.postgres.map(VersionRange::only),
        framework: arguments.framework,
        ..Flags::default()
    };
    let expected = schema(&arguments.expected, &flags, console)?;
    let actual = schema(&arguments.actual, &flags, console)?;
    let mut changes = actual.difference(&expected, Shared::Nothing);
    changes.retain(|change| !is_bookkeeping(change));
    let drift = Drift { changes: &changes, expected: &expected };
    let mut written = Vec::new();
    let rendered = output::render_drift(&drift, arguments.format, &mut written);
    rendered.map_err(|fault| Error::Io { path: "drift".to_owned(), reason: fault.to_string() })?;
    match &arguments.output {
        Some(path) => write_file(path, &written)?,
        None => console.write(&written)?,
    }
    Ok(u8::from(!changes.is_empty()))
}

/// The schema at the end of a folder's migrations, or the one that a dump shows.
fn schema(path: &std::path::Path, flags: &Flags, console: &mut Console<'_>) -> Result<Schema, Error> {
    let is_dump = path.is_file();
    if !is_dump {
        let (project, settings) = input::load(&[path.to_path_buf()], false, flags, console)?;
        return Ok(input::replayed(&project, &settings)?.schema);
    }
    let (history, _) = project::read_dump(path)?;
    let settings = Settings::default().with(flags);
    Ok(crate::replay_to_end(&history, &settings, settings.postgres.newest).schema)
}

fn is_bookkeeping(change: &Change) -> bool {
    // `public.schema_migrations`, and what stands on it.
    let mut parts = change.name.split('.').skip(1);
    parts.next().is_some_and(|table| {
        let table = table.trim_matches('"');
        BOOKKEEPING
            .iter()
            .any(|name| table == *name || table.strip_prefix(*name).is_some_and(|rest| rest.starts_with("_id_seq")))
    })
}
