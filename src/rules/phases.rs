//! Projects that part their migrations into those before the deploy and those after it: what is on the wrong side.

use super::gone::{Dropped, dropped, dropped_tables};
use super::{Findings, say, used_by_models};
use crate::history::{Phase, Whole};
use crate::operation::{Operation, TableActionKind};
use crate::schema::Relation;

pub fn destructive_before(whole: &Whole, findings: &mut Findings) {
    if whole.context.migration.phase != Some(Phase::BeforeDeploy) {
        return;
    }
    for (step, relation) in dropped_tables(whole) {
        let name = relation.name.short();
        let message = format!("`{name}` goes before the code that no longer names it is deployed");
        let finding = findings.report(&step.origin, "drop-table", step.certain, message);
        finding.object(&relation.name);
        after(finding);
    }
    for Dropped { step, relation, mut columns } in dropped(whole) {
        columns.retain(|column| !used_by_models::is_ignored(whole, relation, &column.name));
        if columns.is_empty() {
            continue;
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.to_string()).collect();
        let goes = if names.len() == 1 { "goes" } else { "go" };
        let (list, table) = (say::list(&names), relation.name.short());
        let message = format!("{list} of `{table}` {goes} before the code that no longer names it is deployed");
        let finding = findings.report(&step.origin, "drop-column", step.certain, message);
        finding.object(&relation.name);
        for column in &columns {
            finding.object(format!("{}.{}", relation.name, column.name));
        }
        after(finding);
    }
}

fn after(finding: &mut crate::finding::Finding) {
    finding.instead(
        "# as a migration that runs after the deploy: in db/post_migrate, or in the phase after the restart".to_owned(),
    );
}

/// Code of the release is deployed and cannot use what comes only now.
pub fn additive_after(whole: &Whole, findings: &mut Findings) {
    if whole.context.migration.phase != Some(Phase::AfterDeploy) {
        return;
    }
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        match &step.operation {
            Operation::CreateTable(create) if create.partition_of.is_none() => {
                let Some(relation) = whole.after.schema.find_table(&create.name) else { continue };
                // Copies and what triggers fill belong to the data: no code waits for them.
                if is_for_data(whole, relation) {
                    continue;
                }
                let message =
                    format!("`{}` comes only after the code of its release is deployed", relation.name.short());
                findings.report(&step.origin, "create-table", step.certain, message).object(&relation.name);
            }
            Operation::AlterTable(alter) => {
                let Some(relation) = whole.before.schema.find_table(&alter.table) else { continue };
                let added = alter.actions.iter().filter_map(|action| match &action.kind {
                    TableActionKind::AddColumn { column, .. } => Some(column.name.to_string()),
                    _ => None,
                });
                let added: Vec<String> = added.collect();
                if added.is_empty() || is_for_data(whole, relation) {
                    continue;
                }
                let comes = if added.len() == 1 { "comes" } else { "come" };
                let message = format!(
                    "{} of `{}` {comes} only after the code of its release is deployed",
                    say::list(&added),
                    relation.name.short()
                );
                let finding = findings.report(&step.origin, "add-column", step.certain, message);
                finding.object(&relation.name);
            }
            _ => {}
        }
    }
}

fn is_for_data(whole: &Whole, relation: &Relation) -> bool {
    let table = relation.as_table();
    let is_temporary = table.is_some_and(super::gone::is_temporary);
    let is_part = table.is_some_and(|table| table.partition_by.is_some() || table.partition_of.is_some());
    is_temporary || is_part || whole.after.data.is_fed(&whole.after.schema, relation.id)
}
