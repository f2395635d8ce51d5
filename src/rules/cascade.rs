//! What CASCADE takes along without naming it, and what a dropped column takes along without CASCADE.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::finding::{Finding, Severity};
use crate::history::{Passed, State, Whole};
use crate::operation::{Ident, ObjectKind, Operation, QualifiedName, TableActionKind};
use crate::schema::{
    ColumnId, Constraint, ConstraintRow, Existence, Index, IndexKey, Lost, Relation, RelationId, RelationKind, Schema,
};
use crate::source::Span;

/// One object that fell, as messages name it.
struct Fallen {
    text: String,
    object: String,
    made: Span,
}

pub fn drop_cascade(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Some((before, after)) = step.change() else { continue };
        if !cascades(&step.operation) {
            continue;
        }
        let fallen = fallen(whole, step, before, after);
        if fallen.is_empty() {
            continue;
        }
        let names: Vec<String> = fallen.iter().map(|one| one.text.clone()).collect();
        let message = format!("CASCADE takes along, unnamed: {}", several(&names));
        let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
        tell(step, before, finding, &fallen);
        finding.instead(
            "-- drop or change each of them by name, in the release that stops using it; then without CASCADE",
        );
    }
}

fn cascades(operation: &Operation) -> bool {
    match operation {
        Operation::Drop(drop) => drop.cascade,
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| match action.kind {
            TableActionKind::DropColumn { cascade, .. } | TableActionKind::DropConstraint { cascade, .. } => cascade,
            _ => false,
        }),
        _ => false,
    }
}

/// The statement's own targets first, so that a more specific rule about them is about the same.
fn tell(step: &Passed, before: &State, finding: &mut Finding, fallen: &[Fallen]) {
    match &step.operation {
        Operation::Drop(drop) => drop.targets.iter().for_each(|target| {
            match before.schema.find(&target.name) {
                Some(relation) => finding.object(&relation.name),
                None => finding.object(&target.name),
            };
        }),
        Operation::AlterTable(alter) => before.schema.find(&alter.table).into_iter().for_each(|table| {
            finding.object(&table.name);
        }),
        _ => {}
    }
    for one in fallen {
        finding.object(&one.object);
    }
    for one in fallen.iter().take(4) {
        finding.because(one.made, format!("{} stands since here", one.text));
    }
}

fn several(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What went with a statement and is not made again, without its targets and their own parts.
fn fallen(whole: &Whole, step: &Passed, before: &State, after: &State) -> Vec<Fallen> {
    let lost = after.schema.lost_since(&before.schema);
    let schema = &before.schema;
    let targets = targets(&step.operation, schema);
    let new = |existence: &Existence| whole.context.is_of_this_release(existence);
    let gone: BTreeSet<RelationId> = lost.relations.iter().map(|one| one.id).collect();
    let end = &whole.after.schema;
    let mut found = Vec::new();
    for relation in &lost.relations {
        let part = matches!(&relation.kind, RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other)
            || relation.as_table().is_some_and(|table| table.partition_of.is_some());
        let again = end.find(&relation.name.as_name()).is_some() || is_named(whole, relation);
        if part || again || targets.contains(&relation.name) || new(&relation.existence) {
            continue;
        }
        let word = if relation.as_view().is_some() { "view" } else { "table" };
        found.push(Fallen {
            text: format!("{word} `{}`", relation.name.short()),
            object: relation.name.to_string(),
            made: relation.existence.origin().span,
        });
    }
    for (table, column) in &lost.columns {
        let named = matches!(&step.operation, Operation::AlterTable(alter) if alter.actions.iter().any(|action|
            matches!(&action.kind, TableActionKind::DropColumn { column: name, .. } if *name == column.name)));
        let again = end.get_relation(table.id).and_then(Relation::as_table);
        if named || new(&column.existence) || again.is_some_and(|table| table.column(&column.name).is_some()) {
            continue;
        }
        found.push(Fallen {
            text: format!("column `{}` of `{}`", column.name, table.name.short()),
            object: format!("{}.{}", table.name, column.name),
            made: column.existence.origin().span,
        });
    }
    found.extend(fallen_keys(whole, step, &lost, schema, &gone));
    for trigger in &lost.triggers {
        let again = end.get_relation(trigger.table).is_none()
            || end.triggers_of(trigger.table).iter().any(|one| one.name == trigger.name);
        let named = names_part(&step.operation, ObjectKind::Trigger, &trigger.name);
        if gone.contains(&trigger.table) || again || named || trigger.parent.is_some() || new(&trigger.existence) {
            continue;
        }
        let table = say::name(schema, trigger.table);
        found.push(Fallen {
            text: format!("trigger `{}` of `{table}`", trigger.name),
            object: format!("{table}.{}", trigger.name),
            made: trigger.existence.origin().span,
        });
    }
    for function in &lost.functions {
        let again = !end.find_functions(&function.name.as_name()).is_empty();
        if again || targets.contains(&function.name) || new(&function.existence) {
            continue;
        }
        found.push(Fallen {
            text: format!("function `{}`", function.name.short()),
            object: function.name.to_string(),
            made: function.existence.origin().span,
        });
    }
    found
}

/// Some statement of the migration drops it by name.
fn is_named(whole: &Whole, relation: &Relation) -> bool {
    whole.steps.iter().any(|step| match &step.operation {
        Operation::Drop(drop) => drop.targets.iter().any(|target| {
            let schema = target.name.schema.as_ref().is_none_or(|schema| *schema == relation.name.schema);
            schema && target.name.name == relation.name.name
        }),
        _ => false,
    })
}

/// A part of a table goes by its own name.
fn names_part(operation: &Operation, kind: ObjectKind, name: &Ident) -> bool {
    match operation {
        Operation::Drop(drop) => drop.kind == kind && drop.targets.iter().any(|target| target.name.name == *name),
        Operation::AlterTable(alter) => alter.actions.iter().any(
            |action| matches!(&action.kind, TableActionKind::DropConstraint { name: dropped, .. } if dropped == name),
        ),
        _ => false,
    }
}

/// Foreign keys of tables that stay.
fn fallen_keys(whole: &Whole, step: &Passed, lost: &Lost, schema: &Schema, gone: &BTreeSet<RelationId>) -> Vec<Fallen> {
    let end = &whole.after.schema;
    let keys = lost.constraints.iter().filter(|one| {
        let referenced = one.as_foreign().is_none_or(|key| key.referenced_side);
        // A key goes with its own column, and with its table where that goes later.
        let table = end.get_relation(one.table).and_then(Relation::as_table);
        let stays = table.is_some_and(|table| one.columns.iter().all(|column| table.column_by_id(*column).is_some()));
        let again = end.find_constraint(one.table, &one.name).is_some()
            || names_part(&step.operation, ObjectKind::Constraint, &one.name);
        let target_stays = one.as_foreign().is_some_and(|key| !whole.context.is_new(whole.before, key.references));
        !(gone.contains(&one.table) || referenced || again || one.parent.is_some()) && stays && target_stays
    });
    let fallen = keys.filter(|one| !whole.context.is_of_this_release(&one.existence)).map(|key| {
        let table = &schema.relation(key.table).name;
        Fallen {
            text: format!("foreign key `{}` of `{}`", key.name, table.short()),
            object: format!("{table}.{}", key.name),
            made: key.existence.origin().span,
        }
    });
    fallen.collect()
}

fn targets(operation: &Operation, schema: &Schema) -> BTreeSet<QualifiedName> {
    let Operation::Drop(drop) = operation else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for target in &drop.targets {
        found.extend(schema.find(&target.name).map(|relation| relation.name.clone()));
        found.extend(schema.find_functions(&target.name).iter().map(|function| function.name.clone()));
    }
    found
}

pub fn drop_primary_key_cascade(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, after)) = step.change() else { continue };
        let Some(table) = before.schema.find_table(&alter.table) else { continue };
        for action in &alter.actions {
            let TableActionKind::DropConstraint { name, cascade: true, .. } = &action.kind else { continue };
            let key = before.schema.find_constraint(table.id, name);
            let is_key =
                |one: &Constraint| matches!(one.kind, ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. });
            if key.is_none_or(|one| !is_key(one)) {
                continue;
            }
            let lost = after.schema.lost_since(&before.schema);
            let keys = fallen_keys(whole, step, &lost, &before.schema, &BTreeSet::new());
            if keys.is_empty() {
                continue;
            }
            let names: Vec<String> = keys.iter().map(|one| one.text.clone()).collect();
            let message =
                format!("with this key goes {}: rows that refer to nothing are taken from here on", several(&names));
            let finding = findings.report(&step.origin, "drop-constraint", step.certain, message);
            tell(step, before, finding, &keys);
            finding.instead(format!(
                "-- make the new unique key and foreign keys onto it first; then, without CASCADE:\n\
                 ALTER TABLE {} DROP CONSTRAINT {name};",
                table.name
            ));
        }
    }
}

/// What a dropped column has in common with columns that stay.
struct Shared {
    what: String,
    object: String,
    made: Span,
    severity: Severity,
    is_unique: bool,
}

pub fn drop_column_takes_constraint(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, after)) = step.change() else { continue };
        let Some(relation) = before.schema.find_table(&alter.table) else { continue };
        let Some(table) = relation.as_table() else { continue };
        if whole.context.is_new(before, relation.id) {
            continue;
        }
        let dropped: Vec<(ColumnId, &Ident)> = alter
            .actions
            .iter()
            .filter_map(|action| match &action.kind {
                TableActionKind::DropColumn { column, .. } => Some((table.column(column)?.id, column)),
                _ => None,
            })
            .collect();
        if dropped.is_empty() {
            continue;
        }
        let shared = shared(whole, before, after, relation, &dropped);
        let Some(worst) = shared.iter().map(|one| one.severity).max() else { continue };
        let table = relation.name.short();
        let columns: Vec<String> = dropped.iter().map(|(_, name)| name.to_string()).collect();
        let names: Vec<String> = shared.iter().map(|one| one.what.clone()).collect();
        let message =
            format!("with {} of `{table}` goes {}, which other columns rely on", say::list(&columns), several(&names));
        let finding = findings.report(&step.origin, "drop-column", step.certain, message);
        finding.severity = finding.severity.min(worst);
        finding.object(&relation.name);
        for one in &shared {
            finding.object(&one.object);
            finding.because(one.made, format!("{} is made here", one.what));
        }
        let first = if shared.iter().any(|one| one.is_unique) {
            "-- first a key that says by what rows are kept apart from now on, built concurrently: over the columns that stay \
             alone\n-- it refuses rows that this one let in; one release later:"
        } else {
            "-- first make it anew on the columns that stay, an index concurrently; one release later:"
        };
        finding.instead(format!(
            "{first}\nALTER TABLE {} {};",
            relation.name,
            columns.iter().map(|column| format!("DROP COLUMN {column}")).collect::<Vec<_>>().join(", ")
        ));
    }
}

fn shared(
    whole: &Whole,
    before: &State,
    after: &State,
    relation: &Relation,
    dropped: &[(ColumnId, &Ident)],
) -> Vec<Shared> {
    let schema = &before.schema;
    let end = &whole.after.schema;
    let Some(table) = relation.as_table() else { return Vec::new() };
    let is_dropped = |column: &ColumnId| dropped.iter().any(|(one, _)| one == column);
    let full = |name: &Ident| format!("{}.{name}", relation.name);
    let mut found = Vec::new();
    let foreign = table.constraints.iter().filter_map(|id| schema.get_constraint(*id));
    for key in foreign.filter(|key| key.as_foreign().is_some() && after.schema.get_constraint(key.id).is_none()) {
        let left: Vec<ColumnId> = key.columns.iter().copied().filter(|column| !is_dropped(column)).collect();
        let again = end
            .constraints_of(relation.id)
            .any(|other| other.as_foreign().is_some() && other.columns.iter().any(|column| left.contains(column)));
        if left.is_empty() || again || whole.context.is_of_this_release(&key.existence) {
            continue;
        }
        found.push(Shared {
            what: format!("foreign key `{}`", key.name),
            object: full(&key.name),
            made: key.existence.origin().span,
            severity: Severity::Error,
            is_unique: false,
        });
    }
    for index in table.indexes.iter().filter_map(|id| schema.get_relation(*id)) {
        let Some(row) = index.as_index() else { continue };
        if after.schema.get_relation(index.id).is_some() || whole.context.is_of_this_release(&index.existence) {
            continue;
        }
        if let Some(severity) = index_loss(end, relation.id, row, &is_dropped) {
            let what = match (row.primary, row.unique) {
                (true, _) => "primary key",
                (_, true) if row.constraint.is_some() => "unique constraint",
                (_, true) => "unique index",
                (_, false) => "index",
            };
            found.push(Shared {
                what: format!("{what} `{}`", index.name.short()),
                object: full(&index.name.name),
                made: index.existence.origin().span,
                severity,
                is_unique: row.unique,
            });
        }
    }
    found
}

fn keys(index: &Index) -> Option<Vec<ColumnId>> {
    let columns = index.parts.iter().map(|part| match &part.key {
        IndexKey::Column(column) => Some(*column),
        IndexKey::Expression(_) => None,
    });
    columns.collect()
}

/// Many rows have the same value in what is left of a key, which kept them apart by the column that goes: the one column
/// refers to another table, or an index that is not unique is over just these.
fn recurs(end: &Schema, table: RelationId, left: &[ColumnId], others: &[&Index]) -> bool {
    let refers = |one: &Constraint| one.as_foreign().is_some_and(|key| !key.referenced_side) && one.columns == left;
    let [only] = left else { return false };
    let is_plain = |other: &&Index| !other.unique && keys(other).is_some_and(|columns| columns == [*only]);
    end.constraints_of(table).any(refers) || others.iter().any(is_plain)
}

/// How much the columns that stay lose with an index; `None`: nothing, or another index gives it.
fn index_loss(
    end: &Schema,
    table: RelationId,
    index: &Index,
    is_dropped: &dyn Fn(&ColumnId) -> bool,
) -> Option<Severity> {
    let left: Vec<ColumnId> = keys(index)?.into_iter().filter(|column| !is_dropped(column)).collect();
    let first = keys(index)?.first().copied()?;
    if left.is_empty() {
        return None;
    }
    let others = end.get_relation(table)?.as_table()?.indexes.iter();
    let others: Vec<&Index> =
        others.filter_map(|id| end.get_relation(*id)?.as_index()).filter(|other| other.valid).collect();
    if index.unique || index.exclusion {
        let guards = |other: &&Index| {
            let columns = keys(other).unwrap_or_default();
            other.unique && !columns.is_empty() && columns.iter().all(|column| left.contains(column))
                || other.unique && columns.iter().any(|column| left.contains(column)) && left.len() < columns.len()
        };
        return (!others.iter().any(guards) && !recurs(end, table, &left, &others)).then_some(Severity::Error);
    }
    // What began with the dropped column served queries on it.
    if is_dropped(&first) {
        return None;
    }
    let serves = |other: &&Index| keys(other).is_some_and(|columns| columns.first() == Some(&first));
    (!others.iter().any(serves)).then_some(Severity::Warning)
}
