//! NOT VALID foreign keys on partitioned tables: refused before PostgreSQL 18.

use super::{Findings, say};
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
        if relation.as_table().is_none_or(|table| table.kind != TableKind::Partitioned) {
            continue;
        }
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
        finding.instead(say::partition_by_partition(&step.before.schema, relation.id, &key, added.key, &step.context));
    }
}
