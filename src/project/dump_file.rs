//! A dump of a schema as a file by itself: `pg_dump --schema-only`, structure.sql.

use std::path::Path;

use super::assemble::script;
use super::{names, runner, text};
use crate::error::Error;
use crate::history::{Framework, History, Migration};
use crate::source::Sources;

/// Reads a dump as a history of one script that makes all that there is.
pub fn read_dump(path: &Path) -> Result<(History, Sources), Error> {
    let shown = path.to_string_lossy().into_owned();
    let read = text::read(path).map_err(|reason| Error::Io { path: shown.clone(), reason })?;
    let mut sources = Sources::default();
    let source = sources.add(shown.as_str(), read.text.as_str());
    let (up, comments) = script(&sources.piece(source));
    let migration = Migration { name: names::plain(&shown).name, comments, ..Migration::of_script(source, up) };
    let history = History {
        root: ".".to_owned(),
        framework: Framework::Plain,
        language: Default::default(),
        application: Default::default(),
        runner: runner::runner(Framework::Plain, false),
        databases: Vec::new(),
        migrations: vec![migration],
        fresh: vec![0],
        newest_shipped: None,
        usual_edits: None,
        late: Vec::new(),
        dump: None,
        kept_dump: None,
        complete: true,
        limits_lock_waits: false,
        runs_bare: false,
        search_path: Vec::new(),
    };
    Ok((history, sources))
}
