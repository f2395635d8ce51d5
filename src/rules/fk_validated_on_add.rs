//! A foreign key added with its check: both tables are read while writes to both wait.

use super::in_use::{is_emptied, is_in_use, may_be_large};
use super::weight::{held_alone, is_unseen, soften};
use super::{Findings, recipe, say};
use crate::history::Step;
use crate::operation::{ForeignKey, Ident, Operation};
use crate::schema::{Existence, Relation, TableKind};

pub fn check(step: &Step, findings: &mut Findings) {
    for added in step.operation.added_foreign_keys() {
        // A new column is NULL everywhere, or filled by a rewrite that is worse: other rules' matter.
        if added.constraint.not_valid || added.constraint.not_enforced || added.with_column {
            continue;
        }
        let schema = &step.before.schema;
        let Some(relation) = schema.find_table(added.table) else { continue };
        if step.is_new(relation.id) || step.context.is_small(schema, relation.id) || step.applied.failure().is_some() {
            continue;
        }
        // Nobody else can write to what this transaction made.
        if is_unseen(step, relation.id) || is_emptied(step, relation.id, true) || !may_be_large(step, relation.id) {
            continue;
        }
        // Where every partition has the same valid key, nothing is read: the recipe that `instead` gives.
        let reads = step.context.majors.iter().any(|major| !step.effects(*major).scans.is_empty());
        if !reads {
            continue;
        }
        let table = relation.name.short();
        let referenced = schema.find(&added.key.references);
        let target = referenced.map_or_else(|| added.key.references.to_string(), |found| found.name.short());
        let key = added.constraint.name.as_ref().map_or_else(|| "<name>".to_owned(), ToString::to_string);
        let same = referenced.is_some_and(|found| found.id == relation.id);
        let held = held_alone(step, relation.id);
        // What this release made and filled is read all the same, but nobody uses it yet.
        let (own, other) = (is_in_use(step, relation.id), referenced.filter(|one| !same && is_in_use(step, one.id)));
        let waits = match (own, other, &held) {
            (true, Some(_), Some(_)) => format!("reads and writes of it and writes to `{target}` wait"),
            (true, Some(_), None) => format!("writes to both it and `{target}` wait"),
            (true, None, Some(_)) => "reads and writes of it wait".to_owned(),
            (true, None, None) => "writes to it wait".to_owned(),
            (false, Some(_), _) => format!("writes to `{target}` wait"),
            (false, None, _) => continue,
        };
        let message = format!("adding this foreign key reads all of `{table}` while {waits}");
        let finding = findings.report(step.origin, "add-foreign-key", step.certain, message);
        finding.one_per(relation.name.to_string());
        let holds = if own { "is older than this release and may hold rows" } else { "is filled by this release" };
        finding.because(relation.existence.origin().span, format!("`{table}` {holds}"));
        if let Some(held) = held.filter(|held| !held.is_explicit()) {
            finding.because(held.by.span, format!("takes ACCESS EXCLUSIVE on `{table}` until the transaction ends"));
        }
        soften(step, finding, relation.id);
        finding.object(&relation.name);
        if let Some(found) = referenced {
            finding.object(&found.name);
        }
        let partitioned = relation.as_table().is_some_and(|table| table.kind == TableKind::Partitioned);
        let instead = if partitioned {
            say::partition_by_partition(schema, relation.id, &key, added.key, &step.context)
        } else if let Some(at_once) = with_its_column(step, relation, added.constraint.name.as_ref(), added.key) {
            at_once
        } else {
            format!(
                "ALTER TABLE {table} ADD CONSTRAINT {key} {definition} NOT VALID;\n\
                 {own}: writes go on meanwhile\n\
                 ALTER TABLE {table} VALIDATE CONSTRAINT {key};",
                table = relation.name,
                own = recipe::own_transaction(step),
                definition = say::foreign_key(added.key),
            )
        };
        finding.instead(instead);
        // A column that this release makes holds no value yet that could be wrong.
        let old = |column: &Ident| {
            let found = relation.as_table().and_then(|table| table.column(column));
            found.is_some_and(|column| !step.context.is_of_this_release(&column.existence))
        };
        if added.key.columns.iter().all(old) {
            finding.verify(say::orphans_query(schema, relation.id, added.key));
        }
    }
}

/// The key as part of the ADD COLUMN of the same migration: PostgreSQL reads no row for a column that is NULL in all.
fn with_its_column(step: &Step, relation: &Relation, name: Option<&Ident>, key: &ForeignKey) -> Option<String> {
    let [column] = key.columns.as_slice() else { return None };
    let column = step.after.schema.get_relation(relation.id)?.as_table()?.column(column)?;
    let Existence::Created { by } = &column.existence else { return None };
    let is_null = !column.not_null
        && column.default.is_none()
        && column.generated.is_none()
        && column.identity.is_none()
        && step.context.creator(by) == Some(step.context.at.migration);
    if !is_null || writes(step, relation) {
        return None;
    }
    let definition = say::foreign_key(key);
    let references = definition.strip_prefix(&format!("FOREIGN KEY ({}) ", column.name))?;
    let collation = column.collation.as_ref().map(|name| format!(" COLLATE {name}")).unwrap_or_default();
    let name = name.map(|name| format!(" CONSTRAINT {name}")).unwrap_or_default();
    Some(format!(
        "-- in the place of its ADD COLUMN and of this: no row is read for a new column without a default\n\
         ALTER TABLE {} ADD COLUMN {} {}{collation}{name} {references};",
        relation.name,
        column.name,
        column.data_type.as_ref()?,
    ))
}

/// The migration changes rows of the table: the new column may be filled.
fn writes(step: &Step, relation: &Relation) -> bool {
    let mut writes = false;
    for node in &step.context.migration.up.nodes {
        node.statements(&mut |statement| {
            let target = match &statement.operation {
                Operation::Write(write) => step.before.schema.find(&write.target),
                _ => None,
            };
            writes |= target.is_some_and(|target| target.id == relation.id);
        });
    }
    writes
}
