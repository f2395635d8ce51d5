//! Columns that draw from a sequence which belongs to another column, and goes with that.

use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Whole, shaped};
use crate::operation::{Name, ObjectKind, Operation};
use crate::schema::{Column, ColumnId, Relation, RelationId, Schema};

pub fn owner_lost(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (step, relation) in whole.tables(shaped_or_renamed) {
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

fn shaped_or_renamed(operation: &Operation) -> Option<&Name> {
    match operation {
        Operation::Rename(rename) if rename.kind == ObjectKind::Column => Some(&rename.object),
        _ => shaped(operation),
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
