//! Foreign keys that go with a partition, or that look at one partition only; parts that a partition tree lacks.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::history::{Passed, Step, Whole};
use crate::operation::{IndexAction, ObjectKind, Operation, Statement, TableActionKind};
use crate::schema::{Constraint, ConstraintId, RelationId, Schema};

/// DETACH of a partition takes foreign keys with it that nobody dropped.
pub fn detach_loses(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, after)) = step.change() else { continue };
        for action in &alter.actions {
            let TableActionKind::DetachPartition { partition, .. } = &action.kind else { continue };
            let Some(part) = before.schema.find_table(partition) else { continue };
            // What is dropped in the same migration needs no key.
            if whole.after.schema.get_relation(part.id).is_none() {
                continue;
            }
            for key in lost_with(&before.schema, &after.schema, part.id) {
                if !is_back(&whole.after.schema, &before.schema, key) {
                    report_detach(step, &before.schema, part.id, key, findings);
                }
            }
        }
    }
}

/// Keys of a partition, and keys that name it, which are there before a DETACH and not after; those of one tree once.
fn lost_with<'a>(before: &'a Schema, after: &Schema, partition: RelationId) -> Vec<&'a Constraint> {
    let Some(table) = before.get_relation(partition).and_then(|relation| relation.as_table()) else {
        return Vec::new();
    };
    let ids: BTreeSet<ConstraintId> = table.constraints.iter().chain(&table.referenced_by).copied().collect();
    let keys = ids.into_iter().filter_map(|id| before.get_constraint(id));
    let lost = keys.filter(|key| {
        let foreign = key.as_foreign().is_some_and(|row| !row.referenced_side);
        foreign && after.get_constraint(key.id).is_none() && after.get_relation(key.table).is_some()
    });
    lost.collect()
}

/// The same migration gives the table the key again.
fn is_back(now: &Schema, before: &Schema, lost: &Constraint) -> bool {
    let Some(target) = lost.as_foreign().map(|key| key.references) else { return false };
    now.constraints_of(lost.table).any(|key| {
        let same = key.as_foreign().is_some_and(|row| {
            row.references == target || now.partition_root(row.references) == before.partition_root(target)
        });
        same && key.columns == lost.columns
    })
}

fn report_detach(step: &Passed, schema: &Schema, part: RelationId, key: &Constraint, findings: &mut Findings) {
    let Some(row) = key.as_foreign() else { return };
    let (table, target) = (say::name(schema, key.table), say::name(schema, row.references));
    let message = format!(
        "DETACH drops foreign key `{}` of `{table}` to `{target}` and does not say so: from then on `{table}` takes rows \
         that refer to nothing, and rows of `{target}` are deleted from under it",
        key.name
    );
    let certain = step.certain && key.existence.is_certain();
    let finding = findings.report(&step.origin, "detach-partition", certain, message);
    finding.one_per(format!("{} {target}", say::name(schema, schema.partition_root(key.table))));
    finding.object(&schema.relation(part).name).object(&schema.relation(key.table).name);
    finding.because(key.existence.origin().span, format!("`{table}` gets the key here"));
    let columns = |table, ids: &[crate::schema::ColumnId]| {
        ids.iter().map(|id| schema.column_name(table, *id).to_string()).collect::<Vec<_>>()
    };
    let (own, referenced) = (columns(key.table, &key.columns), columns(row.references, &row.referenced_columns));
    let (from, to) = (&schema.relation(key.table).name, &schema.relation(row.references).name);
    finding.instead(format!(
        "-- in the same transaction as the DETACH\n\
         ALTER TABLE {from} ADD CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {to} ({}) NOT VALID;\n\
         -- in a transaction of its own: writes go on meanwhile\n\
         ALTER TABLE {from} VALIDATE CONSTRAINT {name};",
        own.join(", "),
        referenced.join(", "),
        name = key.name
    ));
    let equal: Vec<String> =
        own.iter().zip(&referenced).map(|(column, other)| format!("p.{other} = c.{column}")).collect();
    let present: Vec<String> = own.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    finding.verify(format!(
        "SELECT count(*) FROM {from} AS c WHERE {} AND NOT EXISTS (SELECT FROM {to} AS p WHERE {})",
        present.join(" AND "),
        equal.join(" AND ")
    ));
}

/// DROP of a partition with CASCADE takes the keys to the whole partitioned table.
pub fn drop_loses(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::Drop(drop) = &step.operation else { continue };
        let Some((before, after)) = step.change() else { continue };
        if drop.kind != ObjectKind::Table || !drop.cascade {
            continue;
        }
        for target in &drop.targets {
            let Some(part) = before.schema.find_table(&target.name) else { continue };
            for key in lost_to_parents(&before.schema, &after.schema, part.id) {
                if !is_back(&whole.after.schema, &before.schema, key) {
                    report_drop(step, &before.schema, part.id, key, findings);
                }
            }
        }
    }
}

fn lost_to_parents<'a>(before: &'a Schema, after: &Schema, partition: RelationId) -> Vec<&'a Constraint> {
    let mut found = Vec::new();
    let mut at = partition;
    while let Some(place) = before.get_relation(at).and_then(|one| one.as_table()?.partition_of.as_ref()) {
        at = place.parent;
        let Some(parent) = before.get_relation(at).and_then(|one| one.as_table()) else { break };
        if after.get_relation(at).is_none() {
            break;
        }
        let keys = parent.referenced_by.iter().filter_map(|id| before.get_constraint(*id));
        found.extend(keys.filter(|key| {
            key.parent.is_none() && after.get_constraint(key.id).is_none() && after.get_relation(key.table).is_some()
        }));
    }
    found
}

fn report_drop(step: &Passed, schema: &Schema, part: RelationId, key: &Constraint, findings: &mut Findings) {
    let Some(row) = key.as_foreign() else { return };
    let name = say::name(schema, part);
    let (table, target) = (say::name(schema, key.table), say::name(schema, row.references));
    let message = format!(
        "CASCADE drops foreign key `{}` of `{table}` to all of `{target}`, not only to `{name}`: `{table}` then takes rows \
         that refer to nothing",
        key.name
    );
    let certain = step.certain && key.existence.is_certain();
    let finding = findings.report(&step.origin, "drop-table", certain, message);
    finding.one_per(format!("{table} {target}"));
    finding.object(&schema.relation(part).name).object(&schema.relation(key.table).name);
    finding.object(format!("{}.{}", schema.relation(key.table).name, key.name));
    finding.because(key.existence.origin().span, format!("`{table}` gets its key to `{target}` here"));
    let parent = schema.relation(part).as_table().and_then(|table| table.partition_of.as_ref()).map(|one| one.parent);
    let parent = parent.map_or_else(String::new, |parent| schema.relation(parent).name.to_string());
    finding.instead(format!(
        "-- fails while rows of {table} refer to it, and leaves the key alone\n\
         ALTER TABLE {parent} DETACH PARTITION {part};\nDROP TABLE {part};",
        part = schema.relation(part).name
    ));
}

/// A foreign key to one partition, where the rows live in the tree.
pub fn to_single_partition(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    for added in step.operation.added_foreign_keys() {
        let Some(relation) = schema.find_table(added.table) else { continue };
        let Some(target) = schema.find_table(&added.key.references) else { continue };
        let Some(place) = target.as_table().and_then(|table| table.partition_of.as_ref()) else { continue };
        // Partition by partition is a way to have keys between two trees.
        let is_partition = relation.as_table().is_some_and(|table| table.partition_of.is_some());
        if is_partition || schema.partition_root(relation.id) == schema.partition_root(target.id) {
            continue;
        }
        let (table, part, tree) = (relation.name.short(), target.name.short(), say::name(schema, place.parent));
        let message = format!(
            "rows of `{table}` can refer to those of `{part}` only: a row of `{tree}` in any other partition is missing to \
             this foreign key, and one that is referred to cannot move to another"
        );
        let certain = step.certain && target.existence.is_certain();
        let finding = findings.report(step.origin, "add-foreign-key", certain, message);
        finding.object(&relation.name).object(&target.name);
        finding.because(target.existence.origin().span, format!("`{part}` is a partition of `{tree}`"));
        let mut key = added.key.clone();
        let name = &schema.relation(place.parent).name;
        key.references = crate::operation::Name { schema: Some(name.schema.clone()), name: name.name.clone() };
        finding.instead(format!(
            "-- its columns must hold the partition key\nALTER TABLE {} ADD {} NOT VALID;",
            relation.name,
            say::foreign_key(&key)
        ));
    }
}

/// An index ON ONLY a partitioned table that no later statement completes.
pub fn unattached_index(whole: &Whole, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let Operation::CreateIndex(create) = &step.operation else { continue };
        let Some(table) = after.find_table(&create.table).filter(|table| create.only && table.is_partitioned()) else {
            continue;
        };
        let own = table.as_table().into_iter().flat_map(|table| &table.indexes).find_map(|id| {
            let relation = after.get_relation(*id)?;
            (relation.existence.origin().span == step.origin.span).then_some(relation)
        });
        let Some(index) = own.filter(|own| before.get_relation(own.id).is_none()) else { continue };
        let Some(row) = index.as_index().filter(|row| !row.valid) else { continue };
        let completes = |statement: &Statement| match &statement.operation {
            Operation::AlterIndex(alter) => {
                alter.index.name == index.name.name && matches!(alter.action, IndexAction::AttachPartition(_))
            }
            Operation::Drop(drop) => drop.targets.iter().any(|target| target.name.name == index.name.name),
            _ => false,
        };
        if whole.context.plan.find_later(whole.context.at.migration + 1, step.origin.span, &completes).is_some() {
            continue;
        }
        let attached = |partition: &RelationId| {
            row.children.iter().any(|child| {
                let child = after.get_relation(*child).and_then(|child| child.as_index());
                child.is_some_and(|child| child.table == *partition)
            })
        };
        let direct = table.as_table().map(|table| table.children.as_slice()).unwrap_or_default();
        let lacking: Vec<RelationId> = direct.iter().copied().filter(|partition| !attached(partition)).collect();
        let names: Vec<String> = lacking.iter().map(|id| say::name(after, *id)).collect();
        let (name, of) = (index.name.short(), table.name.short());
        let message = format!(
            "index `{name}` of `{of}` stays invalid: {} {} no part of it that is attached",
            say::list(&names),
            if names.len() == 1 { "has" } else { "have" }
        );
        let finding = findings.report(&step.origin, "create-index", step.certain, message);
        finding.object(&index.name).object(&table.name);
        let each = lacking.iter().take(8).map(|id| {
            let partition = &after.relation(*id).name;
            let part =
                crate::operation::Ident::new(format!("{}_{}", partition.name.as_str(), index.name.name.as_str()));
            format!(
                "{};\nALTER INDEX {name} ATTACH PARTITION {part};",
                super::index_not_concurrent::definition(create, Some(part.clone()), partition, "CONCURRENTLY ")
            )
        });
        finding.instead(format!(
            "{}\n{}",
            say::outside_transaction(&whole.context),
            each.collect::<Vec<_>>().join("\n")
        ));
        finding.verify(format!(
            "SELECT count(*) FROM pg_index WHERE indexrelid = '{}'::regclass AND NOT indisvalid",
            index.name
        ));
    }
}

/// A statement trigger on a partition, or on a parent whose partitions are written by name.
pub fn statement_trigger(step: &Step, findings: &mut Findings) {
    let Operation::CreateTrigger(create) = step.operation else { return };
    let rows = create.events.insert || create.events.update || create.events.delete;
    if create.for_each_row || !rows || step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    let Some(relation) = schema.find_table(&create.table) else { return };
    let Some(table) = relation.as_table() else { return };
    let name = relation.name.short();
    let (message, certain, by) = if let Some(place) = &table.partition_of {
        let parent = say::name(schema, place.parent);
        let text = format!(
            "trigger `{}` never fires for writes to `{parent}`: a statement trigger fires only where the statement \
             names `{name}` itself",
            create.name
        );
        (text, true, schema.relation(place.parent).existence.origin().span)
    } else {
        let mut feeds = step.before.data.feeds_into(schema, relation.id);
        let Some(feed) = feeds.find(|feed| feed.target != relation.id && relation.is_partitioned()) else { return };
        let (partition, source) = (say::name(schema, feed.target), say::name(schema, feed.source));
        let text = format!(
            "trigger `{}` does not fire for rows that come from `{source}`: a statement trigger fires only where the \
             statement names `{name}` itself, and that trigger writes `{partition}`",
            create.name
        );
        (text, feed.certain, schema.trigger(feed.trigger).existence.origin().span)
    };
    let finding = findings.report(step.origin, "create-trigger", step.certain && certain, message);
    finding.object(&relation.name);
    finding.because(by, if table.partition_of.is_some() { "the writes go here" } else { "this trigger writes there" });
    finding.instead("-- row triggers of the parent are cloned to every partition, new ones too\nFOR EACH ROW");
}
