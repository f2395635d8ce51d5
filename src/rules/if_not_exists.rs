//! IF NOT EXISTS that finds another thing of that name, or passes over more than the name.

use super::shipped::if_in_path;
use super::{Findings, say};
use crate::history::{Passed, Whole};
use crate::operation::{
    AlterTable, ColumnDefinition, ConstraintKind, CreateIndex, Ident, Name, Operation, TableActionKind,
};
use crate::schema::definition::{index_body, type_name};
use crate::schema::{Applied, Column, Constraint, ConstraintRow, IndexKey, Relation, RelationId, Schema};

/// What IF NOT EXISTS finds is another thing of that name.
pub(super) fn other_definition(whole: &Whole, step: &Passed, before: &Schema, findings: &mut Findings) {
    let Applied::Done { notices } = &step.applied else { return };
    if notices.is_empty() || !step.certain {
        return;
    }
    match &step.operation {
        Operation::CreateIndex(create) if create.if_not_exists => other_index(whole, step, create, before, findings),
        Operation::AlterTable(alter) => other_column(whole, step, alter, before, findings),
        _ => {}
    }
}

fn other_index(whole: &Whole, step: &Passed, create: &CreateIndex, before: &Schema, findings: &mut Findings) {
    let Some(table) = before.find(&create.table) else { return };
    let Some(name) = &create.name else { return };
    let full = crate::operation::QualifiedName::new(table.name.schema.clone(), name.clone());
    let Some(found) = before.find(&full.as_name()) else { return };
    let Some(index) = found.as_index() else { return };
    let mut probe = before.clone();
    let mut other = create.clone();
    other.name = Some(Ident::new("plimsoll_wanted"));
    if probe.apply(&Operation::CreateIndex(Box::new(other)), &step.origin).failure().is_some() {
        return;
    }
    let made = probe.relations_since(before);
    let Some(wanted) = made.iter().find_map(|id| probe.get_relation(*id).and_then(Relation::as_index)) else { return };
    let texts = (index_body(before, index, ""), index_body(&probe, wanted, ""));
    if index.table == wanted.table && index.unique == wanted.unique && texts.0 == texts.1 {
        return;
    }
    let kind = |unique: bool| if unique { "unique, " } else { "" };
    let message = format!(
        "takes another index for the one it wants: `{name}` is there, {}{} of `{}`, not {}{}",
        kind(index.unique),
        texts.0,
        say::name(before, index.table),
        kind(wanted.unique),
        texts.1
    );
    let certain = found.existence.is_certain();
    let finding = findings.report(&step.origin, "if-not-exists other", certain, message);
    finding.object(&found.name);
    finding.because(found.existence.origin().span, format!("makes `{name}`"));
    finding.instead(format!("-- another name, or first\nDROP INDEX CONCURRENTLY {};", found.name));
    // Dropped by a name that stands alone, it may be gone by then.
    let is_it = |target: &Name| target.name == found.name.name && target.schema.is_none();
    let mut passed = whole.course().units.iter().flat_map(|unit| &unit.steps);
    let dropped = passed.find_map(|step| match &step.operation {
        Operation::Drop(drop) => drop.targets.iter().map(|target| &target.name).find(|name| is_it(name)),
        _ => None,
    });
    if dropped.is_some_and(|name| whole.may_lie_in_path(before, name, &found.name.schema)) {
        if_in_path(finding, &found.name.schema);
    }
}

fn other_column(whole: &Whole, step: &Passed, alter: &AlterTable, before: &Schema, findings: &mut Findings) {
    let Some(relation) = before.find_table(&alter.table) else { return };
    let Some(table) = relation.as_table() else { return };
    for action in &alter.actions {
        let TableActionKind::AddColumn { column: wanted, if_not_exists: true } = &action.kind else { continue };
        let Some(column) = table.column(&wanted.name) else { continue };
        left_out(whole, step, relation, column, wanted, findings);
        let (Some(now), Some(then)) = (&column.data_type, &wanted.data_type) else { continue };
        let (now, then) = (type_name(before, now), type_name(before, then));
        if now == then || wanted.serial {
            continue;
        }
        let name = &wanted.name;
        let message = format!(
            "takes another column for the one it wants: `{}.{name}` is there and {now}, not {then}",
            relation.name.short()
        );
        let finding = findings.report(&step.origin, "if-not-exists other", column.existence.is_certain(), message);
        finding.object(format!("{}.{name}", relation.name));
        finding.because(column.existence.origin().span, format!("makes `{name}`"));
        finding.instead(format!("ALTER TABLE {} ALTER COLUMN {name} TYPE {then};", relation.name));
    }
}

/// With the column, IF NOT EXISTS passes over all that is written behind its name.
fn left_out(
    whole: &Whole,
    step: &Passed,
    relation: &Relation,
    column: &Column,
    wanted: &ColumnDefinition,
    findings: &mut Findings,
) {
    // A later statement may make it.
    let end = &whole.after.schema;
    let is_there = end.get_relation(relation.id).and_then(Relation::as_table);
    if is_there.is_none_or(|table| table.column_by_id(column.id).is_none()) {
        return;
    }
    let lacking: Vec<&str> =
        wanted.constraints.iter().filter_map(|one| lacks(end, relation.id, column, &one.kind)).collect();
    let is_named = |name: &Ident| end.find_constraint(relation.id, name).is_some();
    if lacking.is_empty() || wanted.constraints.iter().filter_map(|one| one.name.as_ref()).any(is_named) {
        return;
    }
    let (name, table) = (&wanted.name, relation.name.short());
    let message = format!(
        "makes no {}: `{table}.{name}` is there, and IF NOT EXISTS passes over all that stands behind it",
        lacking.join(", no ")
    );
    let finding = findings.report(&step.origin, "if-not-exists other", column.existence.is_certain(), message);
    finding.object(format!("{}.{name}", relation.name));
    finding.because(column.existence.origin().span, format!("makes `{name}`"));
    finding.instead(format!("-- by a statement of its own\nALTER TABLE {} ADD …;", relation.name));
}

/// What a constraint of the column is called, where the column has none like it.
fn lacks(schema: &Schema, table: RelationId, column: &Column, wanted: &ConstraintKind) -> Option<&'static str> {
    let own = |row: &Constraint| row.columns == [column.id];
    let mut rows = schema.constraints_of(table);
    let has_key = || {
        let indexes = schema.get_relation(table).and_then(Relation::as_table).map(|table| table.indexes.as_slice());
        let mut found = indexes.unwrap_or_default().iter().filter_map(|id| schema.get_relation(*id)?.as_index());
        found.any(|index| {
            index.unique && matches!(index.parts.as_slice(), [only] if matches!(only.key, IndexKey::Column(id) if id == column.id))
        })
    };
    let (word, has) = match wanted {
        ConstraintKind::Primary(_) => {
            ("primary key", rows.any(|row| matches!(row.kind, ConstraintRow::Primary { .. }) && own(row)))
        }
        ConstraintKind::Unique(_) => ("unique key", has_key()),
        ConstraintKind::Foreign(_) => ("foreign key", rows.any(|row| row.as_foreign().is_some() && own(row))),
        ConstraintKind::Check(wanted) => {
            let same = |row: &Constraint| matches!(&row.kind, ConstraintRow::Check { expression } if expression.tree == wanted.tree);
            ("CHECK", rows.any(same))
        }
        ConstraintKind::NotNull(_) | ConstraintKind::Exclude { .. } => return None,
    };
    (!has).then_some(word)
}
