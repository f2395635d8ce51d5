//! Texts in, operations out: every form of PostgreSQL's statements, and texts that mean harm.

use plimsoll::operation::*;
use plimsoll::read::sql::{self, SqlText};
use plimsoll::source::Sources;

const CURATED: &str = include_str!("curated-statements.sql");

#[allow(dead_code)]
fn read(text: &str) -> SqlText {
    let mut sources = Sources::default();
    let id = sources.add("a.sql", text);
    sql::read(&sources.piece(id))
}

#[allow(dead_code)]
fn operations(text: &str) -> Vec<Operation> {
    let mut found = Vec::new();
    for node in &read(text).nodes {
        node.statements(&mut |statement| found.push(statement.operation.clone()));
    }
    found
}

#[allow(dead_code)]
fn operation(text: &str) -> Operation {
    let mut found = operations(text);
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

/// Why a statement, or an action of it, was not read.
fn unread(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Unread(unread) => Some(unread.reason.to_string()),
        Operation::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
            TableActionKind::Unread { reason } => Some(reason.to_string()),
            _ => None,
        }),
        Operation::CreateSchema(schema) => schema.elements.iter().find_map(|element| unread(&element.operation)),
        Operation::CreateRule(rule) => rule.commands.iter().find_map(|command| unread(&command.operation)),
        _ => None,
    }
}

#[test]
fn every_curated_form_is_read() {
    let mut sources = Sources::default();
    let id = sources.add("curated.sql", CURATED);
    let read = sql::read(&sources.piece(id));
    assert_eq!(read.statements, CURATED.lines().count());
    let mut faults = Vec::new();
    for (node, line) in read.nodes.iter().zip(CURATED.lines()) {
        node.statements(&mut |statement| {
            assert_eq!(format!("{};", sources.text(statement.span)), line);
            if let Some(reason) = unread(&statement.operation)
                && !line.contains("JSON_TABLE")
            {
                faults.push(format!("{line}\n    {reason}"));
            }
        });
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
