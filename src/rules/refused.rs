//! Statements that PostgreSQL refuses on this schema, whatever the rows. Each is told by one rule: the one for its
//! kind of refusal.

use super::{Findings, broken_rows, missing_object, say};
use crate::finding::{FAILS, Finding};
use crate::history::Step;
use crate::operation::{
    ConstraintDefinition, ConstraintKind, Drop, ForeignKey, ObjectKind, Operation, TableActionKind,
};
use crate::schema::{Constraint, Failure, FailureKind, Relation, Schema};

/// What is left: any other refusal.
pub fn statement_refused(step: &Step, findings: &mut Findings) {
    missing_object::report(step, FailureKind::Refused, findings);
    missing_object::report(step, FailureKind::NoCast, findings);
    broken_rows::check(step, findings);
}

/// Says that the statement fails, where that is certain, as PostgreSQL will say it.
fn report<'a>(step: &'a Step, kind: FailureKind, findings: &'a mut Findings) -> Option<(&'a Failure, &'a mut Finding)> {
    let failure = step.applied.failure().filter(|failure| failure.kind == kind)?;
    if !(step.certain && failure.certain) {
        return None;
    }
    let message = format!("this statement fails: {} (SQLSTATE {})", failure.message, failure.state);
    let finding = findings.report(step.origin, step.operation.word(), true, message);
    finding.object(&failure.object);
    finding.one_per(FAILS);
    Some((failure, finding))
}

pub fn fk_target_not_unique(step: &Step, findings: &mut Findings) {
    let Some((failure, finding)) = report(step, FailureKind::NotUnique, findings) else { return };
    let schema = &step.before.schema;
    let meant = |key: &&ForeignKey| schema.find(&key.references).is_some_and(|one| is_named(one, &failure.object));
    let Some(key) = foreign_keys(step.operation).into_iter().find(meant) else { return };
    let Some(target) = schema.find(&key.references) else { return };
    let name = target.name.short();
    if key.referenced_columns.is_empty() {
        finding.because(target.existence.origin().span, format!("`{name}` is made here and has no primary key"));
        return;
    }
    let columns: Vec<String> = key.referenced_columns.iter().map(ToString::to_string).collect();
    let columns = columns.join(", ");
    finding
        .because(target.existence.origin().span, format!("`{name}` is made here; no unique key of it is ({columns})"));
    if target.is_partitioned() {
        return;
    }
    let table = &target.name;
    let index = format!("{}_{}_key", table.name.as_str(), columns.replace(", ", "_").replace('"', ""));
    let index = crate::operation::Ident::new(index);
    finding.instead(format!(
        "{}\nCREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} ({columns});\n\
         ALTER TABLE {table} ADD CONSTRAINT {index} UNIQUE USING INDEX {index};\n-- then the foreign key",
        say::outside_transaction(&step.context)
    ));
    finding.verify(format!(
        "SELECT count(*) FROM (SELECT FROM {table} GROUP BY {columns} HAVING count(*) > 1) AS repeated"
    ));
}

fn is_named(relation: &Relation, full: &str) -> bool {
    relation.name.prints_as(full)
}

/// The foreign keys that a statement makes.
fn foreign_keys(operation: &Operation) -> Vec<&ForeignKey> {
    let mut constraints: Vec<&ConstraintDefinition> = Vec::new();
    match operation {
        Operation::CreateTable(create) => {
            constraints.extend(&create.constraints);
            constraints.extend(create.columns.iter().flat_map(|column| &column.constraints));
        }
        Operation::AlterTable(alter) => {
            for action in &alter.actions {
                match &action.kind {
                    TableActionKind::AddConstraint(one) => constraints.push(one),
                    TableActionKind::AddColumn { column, .. } => constraints.extend(&column.constraints),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    let keys = constraints.into_iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::Foreign(key) => Some(key),
        _ => None,
    });
    keys.collect()
}

pub fn unique_without_partition_key(step: &Step, findings: &mut Findings) {
    let Some((failure, finding)) = report(step, FailureKind::WithoutPartitionKey, findings) else { return };
    let schema = &step.before.schema;
    let found = tables_of(step.operation, schema).into_iter().find(|table| is_named(table, &failure.object));
    if let Some(table) = found {
        let name = table.name.short();
        finding.because(
            table.existence.origin().span,
            format!("`{name}` is partitioned, by what its unique keys must hold"),
        );
    }
    finding.instead(
        "-- a unique key of a partitioned table holds every column of its partition key. Either add those columns, or \
         make the key unique on each partition, which does not make it unique in the whole table",
    );
}

/// The tables that a statement names as its own.
fn tables_of<'a>(operation: &Operation, schema: &'a Schema) -> Vec<&'a Relation> {
    let name = match operation {
        Operation::AlterTable(alter) => &alter.table,
        Operation::CreateIndex(create) => &create.table,
        Operation::Rename(rename) => &rename.object,
        _ => return Vec::new(),
    };
    schema.find(name).into_iter().collect()
}

pub fn inherited_object_on_partition(step: &Step, findings: &mut Findings) {
    let Some((_, finding)) = report(step, FailureKind::Inherited, findings) else { return };
    let schema = &step.before.schema;
    if let Operation::Drop(drop) = step.operation {
        let parents = dropped(drop, schema).filter_map(|one| schema.get_relation(one.as_index()?.parent?));
        for parent in parents {
            finding.because(parent.existence.origin().span, format!("it is a part of index `{}`", parent.name.short()));
            finding.instead(format!("DROP INDEX {}; -- with the indexes of all partitions", parent.name));
        }
        return;
    }
    let Some(relation) = tables_of(step.operation, schema).into_iter().next() else { return };
    let Some(table) = relation.as_table() else { return };
    let name = relation.name.short();
    let parent = table.partition_of.as_ref().map(|partition| partition.parent).or(table.inherits.first().copied());
    match parent.and_then(|parent| schema.get_relation(parent)) {
        Some(parent) => {
            let short = parent.name.short();
            finding.because(relation.existence.origin().span, format!("`{name}` has it from `{short}`"));
            finding.object(&parent.name);
            finding.instead(format!("-- change it on {}, which hands it down to all its partitions", parent.name));
        }
        None => {
            finding.because(relation.existence.origin().span, format!("`{name}` hands it down to its partitions"));
            finding.instead("-- the same without ONLY");
        }
    }
}

pub fn index_behind_constraint(step: &Step, findings: &mut Findings) {
    let Some((_, finding)) = report(step, FailureKind::BehindConstraint, findings) else { return };
    let schema = &step.before.schema;
    let Operation::Drop(drop) = step.operation else { return };
    let rows = drop.targets.iter().filter_map(|target| {
        let index = schema.find(&target.name)?.as_index()?;
        schema.get_constraint(index.constraint?)
    });
    let mut drops = Vec::new();
    for row in rows {
        let table = &schema.relation(row.table).name;
        finding.because(row.existence.origin().span, format!("constraint `{}` stands on this index", row.name));
        finding.object(table);
        drops.push(format!("ALTER TABLE {table} DROP CONSTRAINT {}; -- takes its index with it", row.name));
    }
    if !drops.is_empty() {
        finding.instead(drops.join("\n"));
    }
}

pub fn drop_referenced_object(step: &Step, findings: &mut Findings) {
    let Some((failure, finding)) = report(step, FailureKind::DependedOn, findings) else { return };
    if let Some(because) = &failure.because {
        finding.because(because.span, format!("this needs `{}`", failure.object));
    }
    let schema = &step.before.schema;
    let Operation::Drop(drop) = step.operation else { return };
    if drop.kind != ObjectKind::Table {
        return;
    }
    let (mut first, mut needing) = (Vec::new(), Vec::new());
    for relation in dropped(drop, schema) {
        let Some(table) = relation.as_table() else { continue };
        for key in table.referenced_by.iter().filter_map(|key| schema.get_constraint(*key)) {
            if is_left(key, drop, schema) {
                let other = &schema.relation(key.table).name;
                first.push(format!("ALTER TABLE {other} DROP CONSTRAINT {};", key.name));
                needing.push(other.to_string());
            }
        }
        for view in table.views.iter().filter_map(|view| schema.get_relation(*view)) {
            let kind = if view.as_view().is_some_and(|view| view.materialized) { "MATERIALIZED VIEW" } else { "VIEW" };
            first.push(format!("DROP {kind} {};", view.name));
            needing.push(view.name.to_string());
        }
    }
    first.dedup();
    needing.iter().for_each(|name| {
        finding.object(name);
    });
    if !first.is_empty() {
        finding.instead(format!("-- first, once nothing uses them\n{}", first.join("\n")));
    }
}

fn dropped<'a>(drop: &'a Drop, schema: &'a Schema) -> impl Iterator<Item = &'a Relation> {
    drop.targets.iter().filter_map(|target| schema.find(&target.name))
}

/// A key of a table that the statement does not drop, too.
fn is_left(key: &Constraint, drop: &Drop, schema: &Schema) -> bool {
    let referenced = key.as_foreign().is_some_and(|foreign| foreign.referenced_side);
    key.is_standalone() && !referenced && !dropped(drop, schema).any(|one| one.id == key.table)
}
