//! NOT VALID foreign keys on partitioned tables: refused before PostgreSQL 18.

use super::Findings;
use crate::history::Step;
use crate::schema::TableKind;
use crate::version::Major;

/// The first major that takes them.
const ALLOWED_SINCE: Major = Major(18);

pub fn check(step: &Step, findings: &mut Findings) {
    if step.context.majors.iter().all(|major| *major >= ALLOWED_SINCE) {
        return;
    }
    for added in step.operation.added_foreign_keys() {
        if !added.constraint.not_valid {
            continue;
        }
        let Some(relation) = step.before.schema.find_table(added.table) else { continue };
        let Some(table) = relation.as_table().filter(|table| table.kind == TableKind::Partitioned) else { continue };
        let name = relation.name.short();
        let certain = step.certain && relation.existence.is_certain();
        let finding = findings.report(
            step.origin,
            "add-foreign-key",
            certain,
            format!("PostgreSQL before {ALLOWED_SINCE} refuses this: `{name}` is partitioned and the key is NOT VALID"),
        );
        finding.because(relation.existence.origin().span, format!("`{name}` is made as a partitioned table"));
        finding.object(&relation.name);
        let key = added.constraint.name.as_ref().map_or_else(|| "<name>".to_owned(), ToString::to_string);
        let columns: Vec<String> = added.key.columns.iter().map(ToString::to_string).collect();
        let partitions: Vec<String> =
            table.children.iter().map(|child| step.before.schema.relation(*child).name.to_string()).collect();
        let each = partitions.iter().map(|partition| {
            format!(
                "ALTER TABLE {partition} ADD CONSTRAINT {key} FOREIGN KEY ({}) REFERENCES {} NOT VALID;\n\
                 ALTER TABLE {partition} VALIDATE CONSTRAINT {key};\n",
                columns.join(", "),
                added.key.references,
            )
        });
        finding.instead(format!(
            "-- each partition first, outside of a transaction; the same definition, so that the parent's key takes them over\n\
             {}ALTER TABLE {} ADD CONSTRAINT {key} FOREIGN KEY ({}) REFERENCES {};",
            each.collect::<String>(),
            relation.name,
            columns.join(", "),
            added.key.references,
        ));
    }
}
