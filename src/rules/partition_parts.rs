//! Foreign keys, CHECKs and triggers that some partitions of a table have by themselves and others lack.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, say};
use crate::history::{Passed, State, Whole};
use crate::operation::{Operation, Statement, TableActionKind};
use crate::schema::{ConstraintRow, RelationId, Schema};

/// What a partition has of its own: its shape, as messages name it, and how many partitions must have it to make it a rule for all.
fn shapes(state: &State, table: RelationId) -> BTreeMap<String, usize> {
    let schema = &state.schema;
    let mut found = BTreeMap::new();
    for constraint in schema.constraints_of(table) {
        let columns = constraint.columns.iter().map(|column| schema.column_name(table, *column).to_string());
        let columns = columns.collect::<Vec<_>>().join(", ");
        match &constraint.kind {
            ConstraintRow::Foreign(key) if !key.referenced_side => {
                let target = say::name(schema, schema.partition_root(key.references));
                found.insert(format!("a foreign key ({columns}) to `{target}`"), 1);
            }
            // Partitions may well differ in what their rows must be: a CHECK tells only where all others have it.
            ConstraintRow::Check { expression } => {
                found.insert(format!("CHECK ({})", expression.text), usize::MAX);
            }
            _ => {}
        }
    }
    // What a sync trigger of one partition keeps is that partition's replacement.
    let keeps_a_copy = |id| !state.data.feeds_of(id).is_empty();
    let triggers = schema.triggers_of(table).into_iter().filter(|trigger| trigger.for_each_row);
    for trigger in triggers.filter(|trigger| !keeps_a_copy(trigger.id)) {
        found.insert(format!("a trigger that runs `{}`", trigger.function_name.short()), 1);
    }
    found
}

/// The partitioned parent and its direct partitions.
fn family(schema: &Schema, partition: RelationId) -> Option<(RelationId, &[RelationId])> {
    let parent = schema.get_relation(partition)?.as_table()?.partition_of.as_ref()?.parent;
    Some((parent, &schema.get_relation(parent)?.as_table()?.children))
}

pub fn on_some(whole: &Whole, findings: &mut Findings) {
    let after = &whole.after.schema;
    // One look at all partitions for each shape, however many steps spread it.
    let mut judged: BTreeSet<(RelationId, String)> = BTreeSet::new();
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let table = match &step.operation {
            Operation::AlterTable(alter) if adds(&step.operation) => &alter.table,
            Operation::CreateTrigger(create) => &create.table,
            _ => continue,
        };
        let Some(partition) = after.find_table(table) else { continue };
        let Some((parent, children)) = family(after, partition.id).filter(|(_, children)| children.len() > 1) else {
            continue;
        };
        let (known, common) = (shapes(whole.before, partition.id), shapes(whole.after, parent));
        for (shape, habit) in shapes(whole.after, partition.id) {
            let settled = known.contains_key(&shape) || common.contains_key(&shape);
            if settled || !judged.insert((parent, shape.clone())) {
                continue;
            }
            let (having, lacking): (Vec<RelationId>, Vec<RelationId>) =
                children.iter().partition(|child| shapes(whole.after, **child).contains_key(&shape));
            if having.len() >= habit && !lacking.is_empty() && !is_completed_later(whole, step, parent, &lacking) {
                report_some(whole, step, parent, &shape, &having, &lacking, findings);
            }
        }
    }
}

fn adds(operation: &Operation) -> bool {
    let Operation::AlterTable(alter) = operation else { return false };
    alter.actions.iter().any(|action| matches!(action.kind, TableActionKind::AddConstraint(_)))
}

/// A later statement gives the parent, or one of those that lack it, a constraint or trigger.
fn is_completed_later(whole: &Whole, step: &Passed, parent: RelationId, lacking: &[RelationId]) -> bool {
    let schema = &whole.after.schema;
    let names: Vec<_> = lacking.iter().chain([&parent]).map(|id| &schema.relation(*id).name.name).collect();
    let completes = |statement: &Statement| match &statement.operation {
        Operation::AlterTable(alter) => adds(&statement.operation) && names.contains(&&alter.table.name),
        Operation::CreateTrigger(create) => names.contains(&&create.table.name),
        _ => false,
    };
    whole.context.plan.find_later(whole.context.at.migration, step.origin.span, &completes).is_some()
}

fn report_some(
    whole: &Whole,
    step: &Passed,
    parent: RelationId,
    shape: &str,
    having: &[RelationId],
    lacking: &[RelationId],
    findings: &mut Findings,
) {
    let schema = &whole.after.schema;
    let names = |ids: &[RelationId]| say::list(&ids.iter().map(|id| say::name(schema, *id)).collect::<Vec<_>>());
    let tree = say::name(schema, parent);
    let verb = |ids: &[RelationId]| if ids.len() == 1 { "has" } else { "have" };
    let message = format!(
        "of the partitions of `{tree}`, {} {} {shape}, and {} {} not: which rows it holds for depends on where they are",
        names(having),
        verb(having),
        names(lacking),
        verb(lacking)
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    finding.one_per(format!("{tree} {shape}"));
    finding.object(&schema.relation(parent).name);
    for id in having.iter().chain(lacking).take(8) {
        finding.object(&schema.relation(*id).name);
    }
    finding.instead(format!(
        "-- the same on the other partitions, then on {}, which takes the equal ones over and gives it to new partitions",
        schema.relation(parent).name
    ));
}

/// A partition that comes without what all the others have by themselves.
pub fn without(whole: &Whole, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    // The partitions that each parent had before, looked up once: a migration may add hundreds.
    let mut had: BTreeMap<RelationId, Vec<RelationId>> = BTreeMap::new();
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let names = match &step.operation {
            Operation::CreateTable(create) if create.partition_of.is_some() => vec![&create.name],
            Operation::AlterTable(alter) => {
                let attached = alter.actions.iter().filter_map(|action| match &action.kind {
                    TableActionKind::AttachPartition { partition, .. } => Some(partition),
                    _ => None,
                });
                attached.collect()
            }
            _ => continue,
        };
        for partition in names.into_iter().filter_map(|name| after.find_table(name)) {
            let Some((parent, children)) = family(after, partition.id) else { continue };
            let older = had.entry(parent).or_insert_with(|| {
                let was_there = |child: &&RelationId| family(before, **child).is_some_and(|(of, _)| of == parent);
                children.iter().filter(was_there).copied().collect()
            });
            if older.contains(&partition.id) {
                continue;
            }
            let Some(first) = older.first() else { continue };
            let (own, common) = (shapes(whole.after, partition.id), shapes(whole.after, parent));
            for shape in shapes(whole.after, *first).into_keys() {
                let all = older.iter().all(|child| shapes(whole.after, *child).contains_key(&shape));
                if all && older.len() > 1 && !own.contains_key(&shape) && !common.contains_key(&shape) {
                    report_without(whole, step, parent, partition.id, &shape, older, findings);
                }
            }
        }
    }
}

fn report_without(
    whole: &Whole,
    step: &Passed,
    parent: RelationId,
    partition: RelationId,
    shape: &str,
    older: &[RelationId],
    findings: &mut Findings,
) {
    let schema = &whole.after.schema;
    let (tree, name) = (say::name(schema, parent), say::name(schema, partition));
    let message = format!(
        "`{name}` comes without {shape}, which all {} other partitions of `{tree}` have by themselves, for `{tree}` has it not",
        older.len()
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    finding.one_per(format!("{tree} {shape}"));
    finding.object(&schema.relation(partition).name).object(&schema.relation(parent).name);
    finding.instead(format!(
        "-- the same on {} too, or once on {}, which takes the equal ones over",
        schema.relation(partition).name,
        schema.relation(parent).name
    ));
}
