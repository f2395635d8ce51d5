//! A dump of a schema as a file by itself: `pg_dump --schema-only`, structure.sql.

use std::path::Path;

use super::assemble::script;
use super::{names, text};
use crate::error::Error;
use crate::history::{AfterFailure, Framework, History, Migration, Runner, TransactionUnit};
use crate::source::Sources;

/// Reads a dump as a history of one script that makes all that there is.
pub fn read_dump(path: &Path) -> Result<(History, Sources), Error> {
    let shown = path.to_string_lossy().into_owned();
    if path.extension().is_some_and(|ending| ending == "rb") {
        return Err(Error::Usage {
            message: format!("`{shown}` is a dump in Ruby, which shows only a part of a schema"),
            help: "compare with `pg_dump --schema-only`, or with the folder of migrations".to_owned(),
        });
    }
    let read = text::read(path).map_err(|reason| Error::Io { path: shown.clone(), reason })?;
    let mut sources = Sources::default();
    let source = sources.add(shown.as_str(), read.text.as_str());
    let (up, comments) = script(&sources.piece(source));
    let migration = Migration {
        made: None,
        version: String::new(),
        name: names::plain(&shown).name,
        source,
        starts: 0,
        up,
        down: None,
        transaction: TransactionUnit::Statement,
        judged: false,
        release: None,
        comments,
        repeatable: false,
        phase: None,
        dump: None,
    };
    let runner = Runner { after_failure: AfterFailure::RunsAgain, checksums: false, has_down: false };
    let history = History {
        root: ".".to_owned(),
        framework: Framework::Plain,
        language: Default::default(),
        application: Default::default(),
        runner,
        databases: Vec::new(),
        migrations: vec![migration],
        complete: true,
    };
    Ok((history, sources))
}
