//! The script that takes a migration back from wherever it stopped. Each step asks the catalog whether it has anything to
//! do, so the script is right after every stop, and may run again.
//!
//! Comments hold fixed words only: names and expressions from migrations stand in statements, quoted.

use std::io::{self, Write};

use crate::operation::{Ident, Operation, quoted};
use crate::schema::Schema;
use crate::schema::difference::{Change, Loss, Repair, Shared, script};

/// A migration's ends, as its replay found them.
#[derive(Debug)]
pub struct Undo<'a> {
    pub before: &'a Schema,
    /// All states it can leave behind, the one after its last step first.
    pub states: Vec<&'a Schema>,
    /// It changes rows, which no script brings back.
    pub writes_rows: bool,
    /// Some of it was not understood.
    pub unread: bool,
}

/// The setting that lets steps lose data.
const SWITCH: &str = "plimsoll.lose_data";

impl Undo<'_> {
    /// What differs from the state before in any of the states, each once.
    pub fn changes(&self) -> Vec<Change> {
        let mut all: Vec<Change> = Vec::new();
        for state in &self.states {
            for change in state.difference(self.before, Shared::Since(self.before)) {
                if !all.contains(&change) {
                    all.push(change);
                }
            }
        }
        all
    }
}

/// Whether a statement changes rows by itself.
pub fn writes_rows(operation: &Operation) -> bool {
    match operation {
        Operation::Write(_) | Operation::Truncate(_) => true,
        Operation::Query(query) => !query.writes().is_empty(),
        _ => false,
    }
}

pub(super) fn render(undo: &Undo<'_>, into: &mut dyn Write) -> io::Result<()> {
    let changes = undo.changes();
    let mut lines =
        vec!["Brings the schema back to what it was before the migration, from whatever state that stopped in."];
    if undo.writes_rows {
        lines.push("Rows that the migration wrote, changed or deleted stay as they are now.");
    }
    if undo.unread {
        lines.push("Parts of the migration were not understood, and are not taken back.");
    }
    let heading = Heading {
        lines: &lines,
        search_path: &undo.before.search_path,
        stuck: changes.iter().filter(|change| change.repairs.is_empty()).count(),
    };
    write_script(&heading, &script(&changes), into)
}

/// What stands above the steps of a script: fixed words, and settings.
pub(super) struct Heading<'a> {
    pub lines: &'a [&'static str],
    pub search_path: &'a [Ident],
    /// Differences without a statement.
    pub stuck: usize,
}

/// A script whose steps each ask the catalog whether they are needed.
pub(super) fn write_script(heading: &Heading<'_>, repairs: &[&Repair], into: &mut dyn Write) -> io::Result<()> {
    for line in heading.lines {
        writeln!(into, "-- {line}")?;
    }
    writeln!(into, "-- Each step looks first whether it is needed: the script may run again, and should where it was")?;
    writeln!(into, "-- ended by a lock_timeout. Run it outside of a transaction, as `psql -f` does.")?;
    // What a person must see to is no step.
    let (steps, told): (Vec<&Repair>, Vec<&Repair>) =
        repairs.iter().partition(|repair| repair.words.is_none() || repair.loses.is_some());
    let count = heading.stuck + told.len();
    if count > 0 {
        writeln!(
            into,
            "-- Differences that no statement takes back (PostgreSQL removes no label of an enum): {count}."
        )?;
    }
    if steps.iter().any(|repair| repair.makes_view()) {
        writeln!(into, "-- Views that are made again come without the privileges and comments that they had.")?;
    }
    writeln!(into, "SET lock_timeout = '5s';")?;
    writeln!(into, "SET check_function_bodies = off;")?;
    let path: Vec<String> = heading.search_path.iter().map(Ident::to_string).collect();
    if !path.is_empty() {
        writeln!(into, "SET search_path = {};", path.join(", "))?;
    }
    if repairs.iter().any(|repair| repair.loses.is_some()) {
        writeln!(into, "-- Steps that would lose data leave it alone and warn; this lets them go on:")?;
        writeln!(into, "-- SET {SWITCH} = on;")?;
    }
    for repair in steps {
        writeln!(into)?;
        write(repair, into)?;
    }
    Ok(())
}

fn write(repair: &Repair, into: &mut dyn Write) -> io::Result<()> {
    if repair.alone || repair.guards.is_empty() && repair.loses.is_none() {
        return writeln!(into, "{};", repair.sql);
    }
    let conditions: Vec<String> = repair.guards.iter().map(|guard| guard.condition()).collect();
    let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join("\n        AND ") };
    let mut body = format!("\nBEGIN\n    IF {conditions} THEN\n");
    if let Some(loss) = &repair.loses {
        body.push_str(&refusal(loss));
    }
    body.push_str(&format!("        {};\n    END IF;\nEND\n", repair.sql));
    let tag = tag(&body);
    writeln!(into, "DO {tag}{body}{tag};")
}

/// Leaves the block where something would be lost that nobody allowed to be.
fn refusal(loss: &Loss) -> String {
    let (lock, holds, what) = match loss {
        Loss::Rows(table) => (Some(table), Some(format!("EXISTS (SELECT FROM {table})")), "its rows would be lost"),
        Loss::Values { table, column, default } => {
            let holds = match default.as_deref().filter(|default| is_constant(default)) {
                Some(default) => format!("{column} IS DISTINCT FROM ({default})"),
                None => format!("{column} IS NOT NULL"),
            };
            (Some(table), Some(format!("EXISTS (SELECT FROM {table} WHERE {holds})")), "its values would be lost")
        }
        Loss::Precision => (None, None, "values may not fit, or be rounded"),
        Loss::Unclear => (None, None, "the catalog cannot tell whether this is needed"),
    };
    let object = match loss {
        Loss::Rows(table) => table.to_string(),
        Loss::Values { table, column, .. } => format!("{table}.{column}"),
        Loss::Precision | Loss::Unclear => "a step".to_owned(),
    };
    let warn = format!("RAISE WARNING '% is left as it is: {what}', {}", quoted(&object));
    let mut text = format!("        IF current_setting('{SWITCH}', true) IS DISTINCT FROM 'on' THEN\n");
    match (lock, holds) {
        (Some(table), Some(holds)) => {
            // Looked at without the lock first, so that a long look blocks nobody where there is something to lose.
            text.push_str(&format!("            IF {holds} THEN\n                {warn};\n                RETURN;\n"));
            text.push_str(&format!("            END IF;\n            LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n"));
            text.push_str(&format!("            IF {holds} THEN\n                {warn};\n                RETURN;\n"));
            text.push_str("            END IF;\n");
        }
        _ => text.push_str(&format!("            {warn};\n            RETURN;\n")),
    }
    text.push_str("        END IF;\n");
    text
}

/// A literal: every row that nobody wrote to has just this value.
fn is_constant(default: &str) -> bool {
    !default.contains('(') && !default.to_lowercase().contains("current_") && !default.to_lowercase().contains("local")
}

/// A dollar quote that the text does not hold.
fn tag(text: &str) -> String {
    let mut tag = "$undo$".to_owned();
    let mut number = 0;
    while text.contains(&tag) {
        number += 1;
        tag = format!("$undo{number}$");
    }
    tag
}
