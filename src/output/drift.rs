//! What stands between two schemas: for readers in groups, for machines as JSON, and as the script that mends it.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::text::visible;
use super::undo::{self, Heading};
use crate::schema::Schema;
use crate::schema::difference::{Change, ChangeKind, script};

const VERSION: u32 = 1;

/// How a difference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftFormat {
    Human,
    Json,
    Sql,
}

impl DriftFormat {
    pub const ALL: [DriftFormat; 3] = [DriftFormat::Human, DriftFormat::Json, DriftFormat::Sql];

    pub fn word(self) -> &'static str {
        match self {
            DriftFormat::Human => "human",
            DriftFormat::Json => "json",
            DriftFormat::Sql => "sql",
        }
    }
}

/// What must change for the schema that is to become the one that should be.
#[derive(Debug)]
pub struct Drift<'a> {
    pub changes: &'a [Change],
    pub expected: &'a Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    HalfDone,
    Extra,
    Missing,
    Differs,
}

impl Group {
    const ALL: [Group; 4] = [Group::HalfDone, Group::Extra, Group::Missing, Group::Differs];

    fn of(change: &Change) -> Group {
        let half = ["NOT VALID", "INVALID", "half detached"].iter().any(|words| change.text.contains(words));
        match change.kind {
            ChangeKind::Differs if half => Group::HalfDone,
            ChangeKind::Extra => Group::Extra,
            ChangeKind::Missing => Group::Missing,
            ChangeKind::Differs => Group::Differs,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Group::HalfDone => "left half done",
            Group::Extra => "there, and should not be",
            Group::Missing => "missing",
            Group::Differs => "different",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Group::HalfDone => "half-done",
            Group::Extra => "extra",
            Group::Missing => "missing",
            Group::Differs => "differs",
        }
    }
}

pub(super) fn render(drift: &Drift<'_>, format: DriftFormat, into: &mut dyn Write) -> io::Result<()> {
    match format {
        DriftFormat::Human => human(drift, into),
        DriftFormat::Json => document(drift, into),
        DriftFormat::Sql => converge(drift, into),
    }
}

fn human(drift: &Drift<'_>, into: &mut dyn Write) -> io::Result<()> {
    if drift.changes.is_empty() {
        return writeln!(into, "No difference.");
    }
    for group in Group::ALL {
        let own: Vec<&Change> = drift.changes.iter().filter(|change| Group::of(change) == group).collect();
        if own.is_empty() {
            continue;
        }
        writeln!(into, "{} ({})", group.title(), own.len())?;
        for change in own {
            let text = if change.text.is_empty() { String::new() } else { format!(": {}", change.text) };
            writeln!(into, "  {} {}{}", change.object, visible(&change.name), visible(&text))?;
        }
        writeln!(into)?;
    }
    writeln!(into, "{} differences; `--format sql` prints the script that mends them.", drift.changes.len())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    differences: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    kind: &'static str,
    object: &'a str,
    name: &'a str,
    text: &'a str,
    sql: Vec<&'a str>,
}

fn document(drift: &Drift<'_>, into: &mut dyn Write) -> io::Result<()> {
    let rows = drift.changes.iter().map(|change| Row {
        kind: Group::of(change).word(),
        object: change.object,
        name: &change.name,
        text: &change.text,
        sql: change.repairs.iter().map(|repair| repair.sql.as_str()).collect(),
    });
    json::write(&Document { version: VERSION, differences: rows.collect() }, into)
}

fn converge(drift: &Drift<'_>, into: &mut dyn Write) -> io::Result<()> {
    let repairs = script(drift.changes);
    let heading = Heading {
        lines: &["Brings the schema that is to the one that should be."],
        search_path: &drift.expected.search_path,
        stuck: drift.changes.iter().filter(|change| change.repairs.is_empty()).count(),
    };
    undo::write_script(&heading, &repairs, into)
}
