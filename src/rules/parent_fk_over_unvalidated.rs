//! A foreign key added to a partitioned table while a partition's own key is still NOT VALID: not merged before 18.

use super::{Findings, say};
use crate::history::Step;
use crate::schema::{Constraint, TableKind};
use crate::version::Major;

/// The first major that merges and validates such keys (measured, both ways).
const MERGES_SINCE: Major = Major(18);

pub fn check(step: &Step, findings: &mut Findings) {
    if step.context.majors.iter().all(|major| *major >= MERGES_SINCE) {
        return;
    }
    let (before, after) = (&step.before.schema, &step.after.schema);
    for added in step.operation.added_foreign_keys() {
        let Some(relation) = before.find_table(added.table) else { continue };
        if relation.as_table().is_none_or(|table| table.kind != TableKind::Partitioned) {
            continue;
        }
        let Some(target) = before.find(&added.key.references) else { continue };
        let columns: Vec<_> = added.key.columns.iter().collect();
        let mut left: Vec<&Constraint> = Vec::new();
        for partition in after.partitions(relation.id) {
            left.extend(after.constraints_of(partition).filter(|key| {
                let names: Vec<_> = key.columns.iter().map(|column| after.column_name(partition, *column)).collect();
                key.is_standalone()
                    && !key.validated
                    && key.enforced
                    && key.as_foreign().is_some_and(|foreign| foreign.references == target.id)
                    && names.iter().collect::<Vec<_>>() == columns
            }));
        }
        if left.is_empty() {
            continue;
        }
        let parent = relation.name.short();
        let partitions: Vec<String> = left.iter().map(|key| say::name(after, key.table)).collect();
        let message = format!(
            "`{parent}` gets a second key beside the NOT VALID ones of {}: all rows are read, and dropping this key later leaves those",
            say::list(&partitions)
        );
        let finding = findings.report(step.origin, "add-foreign-key", step.certain, message);
        finding.object(&relation.name);
        for key in &left {
            finding.object(format!("{}.{}", after.relation(key.table).name, key.name));
            finding.because(
                key.existence.origin().span,
                format!("`{}` gets its key here, NOT VALID", say::name(after, key.table)),
            );
        }
        let steps: Vec<String> = left
            .iter()
            .map(|key| format!("ALTER TABLE {} VALIDATE CONSTRAINT {};", after.relation(key.table).name, key.name))
            .collect();
        finding.instead(format!("-- before this statement, each in a transaction of its own\n{}", steps.join("\n")));
    }
}
