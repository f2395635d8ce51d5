//! Columns that draw from a sequence which belongs to another column, and goes with that.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::finding::Severity;
use crate::history::Whole;
use crate::operation::{ObjectKind, Operation};
use crate::schema::{Column, ColumnId, Relation, RelationId, Schema};

pub fn owner_lost(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    let mut seen: BTreeSet<RelationId> = BTreeSet::new();
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let name = match &step.operation {
            Operation::CreateTable(create) => &create.name,
            Operation::AlterTable(alter) => &alter.table,
            Operation::Rename(rename) if rename.kind == ObjectKind::Column => &rename.object,
            _ => continue,
        };
        let Some(relation) = end.find_table(name).filter(|relation| seen.insert(relation.id)) else { continue };
        let Some(table) = relation.as_table().filter(|table| table.partition_of.is_none()) else { continue };
        for column in &table.columns {
            let Some((sequence, owner)) = foreign_sequence(end, relation, column) else { continue };
            // What drew from it before has a new owner now, which is not its doing.
            let then = whole.before.schema.get_relation(relation.id).and_then(Relation::as_table);
            let then = then.and_then(|table| table.column_by_id(column.id)).and_then(|column| column.default.as_ref());
            if then == column.default.as_ref() {
                continue;
            }
            let (table, column, sequence) = (&relation.name, &column.name, &sequence.name);
            let old = format!("{}.{}", say::name(end, owner.0), end.column_name(owner.0, owner.1));
            let message = format!(
                "`{column}` of `{}` draws from `{}`, which belongs to `{old}`: that column cannot be dropped, or, with \
                 CASCADE, takes the sequence and this default along",
                table.short(),
                sequence.short()
            );
            let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
            if owner.0 != relation.id {
                // Both tables may be there to stay.
                finding.severity = finding.severity.min(Severity::Note);
            }
            finding.object(table).object(sequence);
            finding.instead(format!("ALTER SEQUENCE {sequence} OWNED BY {table}.{column};"));
        }
    }
}

/// The sequence that a column's default draws from, with the column that it belongs to, where that is another one.
fn foreign_sequence<'a>(
    schema: &'a Schema,
    relation: &Relation,
    column: &Column,
) -> Option<(&'a Relation, (RelationId, ColumnId))> {
    let sequence = schema.sequence_of_default(column.default.as_ref()?)?;
    let owner = schema.owner_of_sequence(sequence.id)?;
    (owner != (relation.id, column.id)).then_some((sequence, owner))
}
