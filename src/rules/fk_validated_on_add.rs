//! A foreign key added with its check: both tables are read while writes to both wait.

use super::Findings;
use crate::history::Step;
use crate::schema::TableKind;

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
        let waits = match referenced {
            Some(found) if !same && !step.is_new(found.id) => format!("writes to both it and `{target}` wait"),
            _ => "writes to it wait".to_owned(),
        };
        let message = format!("adding this foreign key reads all of `{table}` while {waits}");
        let finding = findings.report(step.origin, "add-foreign-key", step.certain, message);
        finding.because(
            relation.existence.origin().span,
            format!("`{table}` is older than this release and may hold rows"),
        );
        finding.object(&relation.name);
        if let Some(found) = referenced {
            finding.object(&found.name);
        }
        let columns: Vec<String> = added.key.columns.iter().map(ToString::to_string).collect();
        let partitioned = relation.as_table().is_some_and(|table| table.kind == TableKind::Partitioned);
        let on_table = |table: &dyn std::fmt::Display| {
            format!(
                "ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY ({}) REFERENCES {}{} NOT VALID;\n\
                 -- in a transaction of its own: writes go on meanwhile\n\
                 ALTER TABLE {table} VALIDATE CONSTRAINT {key};",
                columns.join(", "),
                added.key.references,
                actions(added.key),
            )
        };
        let instead = if partitioned {
            let partitions = schema.partitions(relation.id);
            let each: Vec<String> = partitions.iter().map(|id| on_table(&schema.relation(*id).name)).collect();
            format!(
                "{}\n-- last, the key of {} itself: it takes over those of the partitions without reading them",
                each.join("\n"),
                relation.name
            )
        } else {
            on_table(&relation.name)
        };
        finding.instead(instead);
        finding.verify(super::say::orphans_query(schema, relation.id, added.key));
    }
}

/// ` ON DELETE …` and ` ON UPDATE …` as they were written.
fn actions(key: &crate::operation::ForeignKey) -> String {
    use crate::operation::Action;
    let word = |action: Action| match action {
        Action::NoAction => None,
        Action::Restrict => Some("RESTRICT"),
        Action::Cascade => Some("CASCADE"),
        Action::SetNull => Some("SET NULL"),
        Action::SetDefault => Some("SET DEFAULT"),
    };
    let delete = word(key.on_delete).map(|word| format!(" ON DELETE {word}"));
    let update = word(key.on_update).map(|word| format!(" ON UPDATE {word}"));
    [delete, update].into_iter().flatten().collect()
}
