//! A partition's own foreign key that no key of its parent can take over: another target, other columns or actions.

use super::{Findings, say};
use crate::history::{Passed, Whole};
use crate::operation::{Ident, Operation, TableActionKind};
use crate::schema::definition::constraint as definition;
use crate::schema::{Constraint, ConstraintRow, RelationId, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    // Without a new key or partition there is nothing new to merge.
    let adds = |operation: &Operation| match operation {
        Operation::AlterTable(alter) => {
            alter.actions.iter().any(|action| matches!(action.kind, TableActionKind::AttachPartition { .. }))
        }
        _ => false,
    };
    let concerns = |step: &Passed| !step.operation.added_foreign_keys().is_empty() || adds(&step.operation);
    if !whole.steps.iter().any(concerns) {
        return;
    }
    // In the order they were made.
    for key in after.constraints() {
        let on_partition = after.relation(key.table).as_table().is_some_and(|table| table.partition_of.is_some());
        if !on_partition || !key.is_standalone() || key.as_foreign().is_none() {
            continue;
        }
        // Either the key is new, or the parent's key that it stands beside.
        let beside = parents_key(after, key.table, key);
        let made_here = before.get_constraint(key.id).is_none()
            || beside.is_some_and(|(other, _)| before.get_constraint(other.id).is_none());
        if made_here {
            report(whole, key, beside, findings);
        }
    }
}

/// A key of a table above with the same columns to the same tree that did not merge for another reason than NOT VALID.
fn parents_key<'a>(
    schema: &'a Schema,
    partition: RelationId,
    key: &Constraint,
) -> Option<(&'a Constraint, &'static str)> {
    let foreign = key.as_foreign()?;
    let mut at = partition;
    while let Some(place) = schema.relation(at).as_table().and_then(|table| table.partition_of.as_ref()) {
        at = place.parent;
        for other in schema.constraints_of(at) {
            let Some(theirs) = other.as_foreign().filter(|theirs| !theirs.referenced_side) else { continue };
            if schema.partition_root(theirs.references) != schema.partition_root(foreign.references)
                || names(schema, other) != names(schema, key)
            {
                continue;
            }
            let differs = if theirs.references != foreign.references {
                "another table"
            } else if (theirs.on_delete, theirs.on_update) != (foreign.on_delete, foreign.on_update) {
                "other actions"
            } else if theirs.match_full != foreign.match_full {
                "another MATCH"
            } else if (other.deferrable, other.initially_deferred) != (key.deferrable, key.initially_deferred) {
                "another deferrability"
            } else {
                continue;
            };
            return Some((other, differs));
        }
    }
    None
}

fn names(schema: &Schema, key: &Constraint) -> Vec<crate::operation::Ident> {
    key.columns.iter().map(|column| schema.column_name(key.table, *column)).collect()
}

fn report(whole: &Whole, key: &Constraint, beside: Option<(&Constraint, &'static str)>, findings: &mut Findings) {
    let schema = &whole.after.schema;
    let Some(foreign) = key.as_foreign() else { return };
    let referenced = foreign.references;
    let to_partition = schema.relation(referenced).as_table().is_some_and(|table| table.partition_of.is_some());
    // A key to a whole table beside no key of the parent is half of the recipe, not a fault.
    if !to_partition && beside.is_none() {
        return;
    }
    let place = |span| whole.steps.iter().find(|step| step.origin.span == span);
    let own = place(key.existence.origin().span);
    let step = own.or_else(|| beside.and_then(|(other, _)| place(other.existence.origin().span)));
    let Some(step) = step else { return };
    let root = schema.partition_root(key.table);
    let target_root = schema.partition_root(referenced);
    let (parent, target) = (say::name(schema, root), say::name(schema, target_root));
    let partition = say::name(schema, key.table);
    let message = match beside {
        Some((other, differs)) => format!(
            "foreign key `{}` of partition `{partition}` stays beside `{}` of `{parent}`: with {differs} it cannot merge, and dropping the parent's leaves it",
            key.name, other.name
        ),
        None => format!(
            "foreign key `{}` of partition `{partition}` refers to partition `{}` of `{target}`: no key of `{parent}` can ever take it over, and dropping that one will leave this",
            key.name,
            say::name(schema, referenced)
        ),
    };
    let certain = step.certain && key.existence.is_certain();
    let finding = findings.report(&step.origin, "add-foreign-key", certain, message);
    finding.one_per(format!("{parent} {target}"));
    finding.object(schema.relation(root).name.clone());
    finding.object(format!("{}.{}", schema.relation(key.table).name, key.name));
    if let Some((other, _)) = beside {
        finding.because(other.existence.origin().span, format!("`{parent}` gets its own key `{}` here", other.name));
    }
    if to_partition {
        let origin = schema.relation(referenced).existence.origin().span;
        finding.because(origin, format!("`{}` is a partition of `{target}`", say::name(schema, referenced)));
    }
    finding.instead(format!(
        "-- refer to the partitioned table, with the definition that the parent's key has\n\
         ALTER TABLE {table} ADD CONSTRAINT {name} {};\n\
         -- in a transaction of its own: writes go on meanwhile; only a valid key is taken over\n\
         ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
        mergeable(schema, key, beside.map(|(other, _)| other), target_root),
        table = schema.relation(key.table).name,
        name = key.name,
    ));
}

/// What the key would have to be: as its parent's, or as it is but for the table it refers to. NOT VALID, so that adding
/// it reads no row.
fn mergeable(schema: &Schema, key: &Constraint, parent: Option<&Constraint>, target: RelationId) -> String {
    let mut wanted = parent.unwrap_or(key).clone();
    wanted.validated = false;
    if let ConstraintRow::Foreign(foreign) = &mut wanted.kind
        && foreign.references != target
        && parent.is_none()
    {
        let names: Vec<Ident> =
            foreign.referenced_columns.iter().map(|column| schema.column_name(foreign.references, *column)).collect();
        let table = schema.relation(target).as_table();
        let columns = names.iter().filter_map(|name| table.and_then(|table| table.column(name)));
        foreign.referenced_columns = columns.map(|column| column.id).collect();
        foreign.references = target;
    }
    definition(schema, &wanted)
}
