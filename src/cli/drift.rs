//! `drift`: what stands between the schema that should be and the one that is.

use std::path::Path;
use std::sync::Arc;

use super::arguments::DriftArguments;
use super::console::write_file;
use super::input;
use super::{Console, Outcome};
use crate::error::Error;
use crate::history::History;
use crate::output::{self, Drift};
use crate::project;
use crate::rules::dump_differs;
use crate::schema::difference::{Change, Shared};
use crate::schema::{Schema, Told};
use crate::settings::{Flags, Settings};
use crate::version::VersionRange;

/// Tables in which runners keep what has run: no migration makes them.
const BOOKKEEPING: [&str; 15] = [
    "__diesel_schema_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "ar_internal_metadata",
    "atlas_schema_revisions",
    "data_migrations",
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
    let sides = [&arguments.expected, &arguments.actual].map(|path| Side::read(path, &flags, console));
    let [expected, actual] = sides;
    let (expected, actual) = (expected?, actual?);
    let in_ruby = expected.in_ruby.is_some() || actual.in_ruby.is_some();
    let both_in_ruby = expected.in_ruby.is_some() && actual.in_ruby.is_some();
    let (expected, actual) = match both_in_ruby {
        true => (expected.schema, actual.schema),
        // What a dump in Ruby has no words for is taken to be as the other side has it.
        false => (expected.beside(&actual.schema), actual.beside(&expected.schema)),
    };
    let mut changes = actual.difference(&expected, Shared::Nothing);
    changes.retain(|change| !(in_ruby && dump_differs::is_made_name(change)));
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

/// One of the two schemas.
struct Side {
    schema: Arc<Schema>,
    /// A dump in Ruby, which shows only a part, and how it is read.
    in_ruby: Option<(History, Settings)>,
}

impl Side {
    /// The schema at the end of a folder's migrations, or the one that a dump shows.
    fn read(path: &Path, flags: &Flags, console: &mut Console<'_>) -> Result<Side, Error> {
        let in_ruby = path.extension().is_some_and(|ending| ending == "rb");
        if path.is_file() && !in_ruby {
            let (history, _) = project::read_dump(path)?;
            let settings = Settings::default().with(flags);
            let schema = crate::replay_to_end(&history, &settings, settings.postgres.newest).schema;
            return Ok(Side { schema, in_ruby: None });
        }
        let (mut project, settings) = input::load(&[path.to_path_buf()], false, flags, console)?;
        let schema = input::replayed(&project, &settings)?.schema;
        let history = if path.is_file() { project.histories.pop() } else { None };
        Ok(Side { schema, in_ruby: history.map(|history| (history, settings)) })
    }

    fn beside(&self, other: &Schema) -> Arc<Schema> {
        match &self.in_ruby {
            Some((history, settings)) => {
                Arc::new(crate::replay_dump(history, other, Told::Tables, settings, settings.postgres.newest))
            }
            None => self.schema.clone(),
        }
    }
}

fn is_bookkeeping(change: &Change) -> bool {
    // Every database has this language, and `pg_dump` does not say so.
    if change.object == "extension" && change.name == "plpgsql" {
        return true;
    }
    // `public.schema_migrations`, and what stands on it.
    let mut parts = change.name.split('.').skip(1);
    parts.next().is_some_and(|table| {
        let table = table.trim_matches('"');
        BOOKKEEPING
            .iter()
            .any(|name| table == *name || table.strip_prefix(*name).is_some_and(|rest| rest.starts_with("_id_seq")))
    })
}
