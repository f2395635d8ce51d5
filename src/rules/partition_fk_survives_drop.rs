//! A foreign key dropped from a partitioned table while its partitions keep keys of their own.

use super::{Findings, say};
use crate::history::{Passed, Whole};
use crate::operation::{Ident, Operation, TableActionKind};
use crate::schema::{Constraint, RelationId, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        for action in &alter.actions {
            let TableActionKind::DropConstraint { name, .. } = &action.kind else { continue };
            let Some(relation) = whole.before.schema.find_table(&alter.table) else { continue };
            if relation.is_partitioned() && whole.after.schema.get_relation(relation.id).is_some() {
                report(whole, step, relation.id, name, findings);
            }
        }
    }
}

fn report(whole: &Whole, step: &Passed, table: RelationId, name: &Ident, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    let dropped = before.find_constraint(table, name);
    // A name that means another kind of constraint is none of this rule's.
    if dropped.is_some_and(|dropped| dropped.as_foreign().is_none()) {
        return;
    }
    let target = dropped.and_then(Constraint::as_foreign).map(|key| before.partition_root(key.references));
    let mut left: Vec<&Constraint> = Vec::new();
    for partition in after.partitions(table) {
        left.extend(after.constraints_of(partition).filter(|key| {
            let Some(foreign) = key.as_foreign() else { return false };
            let same_target = target.is_some_and(|target| after.partition_root(foreign.references) == target);
            key.is_standalone()
                && !foreign.referenced_side
                && (key.name == *name || same_target && same_columns(before, after, dropped, key))
        }));
    }
    // What this migration itself puts there is meant.
    left.retain(|key| before.get_constraint(key.id).is_some());
    let Some(first) = left.first() else { return };
    let parent = say::name(after, table);
    let partitions: Vec<String> = left.iter().map(|key| say::name(after, key.table)).collect();
    let what = match dropped {
        Some(_) => format!("drops foreign key `{name}` from `{parent}` only"),
        None => format!("drops nothing: `{parent}` has no foreign key `{name}`"),
    };
    let message = format!("{what}; {} {} their own and go on rejecting rows", say::list(&partitions), keep(left.len()));
    let certain = step.certain && left.iter().all(|key| key.existence.is_certain());
    let finding = findings.report(&step.origin, "drop-constraint", certain, message);
    finding.object(format!("{}.{name}", after.relation(table).name));
    for key in &left {
        finding.object(format!("{}.{}", after.relation(key.table).name, key.name));
    }
    let state = if first.validated { "valid" } else { "NOT VALID, and enforced for every new row" };
    for key in left.iter().take(8) {
        let referenced = key.as_foreign().map(|foreign| say::name(after, foreign.references)).unwrap_or_default();
        let text = format!("`{}` gets a key of its own, to `{referenced}` ({state})", say::name(after, key.table));
        finding.because(key.existence.origin().span, text);
    }
    let drops: Vec<String> = left
        .iter()
        .map(|key| format!("ALTER TABLE {} DROP CONSTRAINT {};", after.relation(key.table).name, key.name))
        .collect();
    finding.instead(format!(
        "SET lock_timeout = '5s'; -- each takes ACCESS EXCLUSIVE on the referenced table too\n{}",
        drops.join("\n")
    ));
}

fn keep(number: usize) -> &'static str {
    if number == 1 { "keeps" } else { "keep" }
}

/// The key's columns are those of the dropped one, by name.
fn same_columns(before: &Schema, after: &Schema, dropped: Option<&Constraint>, key: &Constraint) -> bool {
    let Some(dropped) = dropped else { return false };
    let names = |schema: &Schema, key: &Constraint| -> Vec<Ident> {
        key.columns.iter().map(|column| schema.column_name(key.table, *column)).collect()
    };
    names(before, dropped) == names(after, key)
}
