//! Foreign keys and the indexes that serve them: dropped, built too late; keys of the wrong type, made twice.

use super::fk_without_index::deletes;
use super::{Findings, say, stopped};
use crate::finding::Severity;
use crate::history::{Passed, TransactionUnit, Whole, shaped};
use crate::operation::{
    CreateIndex, Expr, Ident, KeyPart, Name, Node, ObjectKind, Operation, TableAction, TableActionKind, Transaction,
};
use crate::schema::{
    Column, ColumnId, Constraint, ConstraintRow, ForeignRow, Index, IndexKey, Relation, RelationId, Schema,
};

/// The foreign keys that a migration leaves behind and did not find, each declared one once.
pub(super) fn new_keys<'a>(whole: &'a Whole) -> Vec<(&'a Passed, &'a Constraint, &'a ForeignRow)> {
    let end = &whole.after.schema;
    let mut found = Vec::new();
    for (step, relation) in whole.tables(shaped) {
        for key in end.constraints_of(relation.id) {
            let Some(foreign) = key.as_foreign() else { continue };
            if key.is_standalone() && !foreign.referenced_side && whole.before.schema.get_constraint(key.id).is_none() {
                let made = whole.steps.iter().find(|one| one.origin.span == key.existence.origin().span);
                found.push((made.unwrap_or(step), key, foreign));
            }
        }
    }
    found
}

/// An index finds the rows of a key: it begins with one of its columns, and leaves out none but NULLs.
pub(super) fn is_served(schema: &Schema, table: RelationId, columns: &[ColumnId]) -> bool {
    let Some(found) = schema.get_relation(table).and_then(Relation::as_table) else { return true };
    let indexes = found.indexes.iter().filter_map(|id| schema.get_relation(*id)?.as_index());
    let mut serving = indexes.filter(|index| serves(schema, table, index, columns));
    serving.next().is_some()
}

fn serves(schema: &Schema, table: RelationId, index: &Index, columns: &[ColumnId]) -> bool {
    let first = index.parts.first().is_some_and(|part| match &part.key {
        IndexKey::Column(column) => columns.contains(column),
        IndexKey::Expression(_) => false,
    });
    let named = |expr: &Expr| match expr {
        Expr::Not(inner) => match &**inner {
            Expr::IsNull(column) => column
                .as_column()
                .is_some_and(|(_, name)| columns.iter().any(|one| schema.column_name(table, *one) == *name)),
            _ => false,
        },
        _ => false,
    };
    first
        && !matches!(index.method.as_str(), "brin" | "gin")
        && index.filter.as_ref().is_none_or(|filter| named(&filter.tree))
}

pub(super) fn names(schema: &Schema, table: RelationId, columns: &[ColumnId]) -> Vec<String> {
    columns.iter().map(|column| schema.column_name(table, *column).to_string()).collect()
}

/// Indexes that a DROP names, or that go with a constraint or a column.
fn lost_indexes<'a>(operation: &Operation, before: &'a Schema, after: &Schema) -> Vec<&'a Relation> {
    let gone = |id: &RelationId| after.get_relation(*id).is_none();
    match operation {
        Operation::Drop(drop) if drop.kind == ObjectKind::Index => {
            drop.targets.iter().filter_map(|target| before.find(&target.name)).collect()
        }
        Operation::AlterTable(alter) => {
            let table = before.find(&alter.table).and_then(Relation::as_table);
            let indexes = table.into_iter().flat_map(|table| &table.indexes).filter(|id| gone(id));
            indexes.filter_map(|id| before.get_relation(*id)).collect()
        }
        _ => Vec::new(),
    }
}

pub fn index_dropped(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for step in whole.steps {
        let Some((before, after)) = step.change() else { continue };
        for index in lost_indexes(&step.operation, &before.schema, &after.schema) {
            let Some(row) = index.as_index() else { continue };
            let lost = before.schema.constraints_of(row.table).find(|key| {
                key.as_foreign().is_some_and(|foreign| !foreign.referenced_side)
                    && serves(&before.schema, row.table, row, &key.columns)
                    && end.get_constraint(key.id).is_some()
                    && !is_served(end, row.table, &key.columns)
            });
            let Some((key, foreign)) = lost.and_then(|key| Some((key, key.as_foreign()?))) else { continue };
            // Built for the work of this release, it served nothing before.
            let is_young = |existence| whole.context.is_of_this_release(existence);
            if is_young(&index.existence) && !is_young(&key.existence) || goes_later(whole, key, foreign) {
                continue;
            }
            let table = &before.schema.relation(row.table).name;
            let target = say::name(end, foreign.references);
            let message = format!(
                "from here on each DELETE of a row of `{target}` reads all of `{}`: `{}` served foreign key `{}`",
                table.short(),
                index.name.short(),
                key.name
            );
            let finding = findings.report(&step.origin, "drop-index", step.certain, message);
            if !deletes(whole, foreign) {
                finding.severity = finding.severity.min(Severity::Note);
            }
            finding.object(&index.name);
            finding.object(table);
            finding.because(key.existence.origin().span, format!("`{}` refers to `{target}`", key.name));
            finding.instead(format!(
                "-- first\nCREATE INDEX CONCURRENTLY ON {table} ({});",
                names(end, row.table, &key.columns).join(", ")
            ));
        }
    }
}

/// A later migration of the release takes the key away too, or one of its tables.
fn goes_later(whole: &Whole, key: &Constraint, foreign: &ForeignRow) -> bool {
    let schema = &whole.after.schema;
    let is_table = |name: &Name, table: RelationId| schema.find_table(name).is_some_and(|found| found.id == table);
    let takes = |operation: &Operation| match operation {
        Operation::Drop(drop) if drop.kind == ObjectKind::Table => drop
            .targets
            .iter()
            .any(|target| is_table(&target.name, key.table) || is_table(&target.name, foreign.references)),
        Operation::AlterTable(alter) => {
            let drops = |action: &TableActionKind| match action {
                TableActionKind::DropConstraint { name, .. } => *name == key.name,
                TableActionKind::DropColumn { column, .. } => {
                    key.columns.iter().any(|one| schema.column_name(key.table, *one) == *column)
                }
                _ => false,
            };
            is_table(&alter.table, key.table) && alter.actions.iter().any(|action| drops(&action.kind))
        }
        _ => false,
    };
    whole.context.plan.any_later_in_release(whole.context.at.migration, &takes)
}

/// A later migration of the release builds an index that begins with columns of the key.
pub(super) fn indexed_later(whole: &Whole, table: RelationId, columns: &[ColumnId]) -> bool {
    let schema = &whole.after.schema;
    let builds = |operation: &Operation| {
        let Operation::CreateIndex(create) = operation else { return false };
        let is_it = schema.find_table(&create.table).is_some_and(|found| found.id == table);
        let begins = create.parts.first().is_some_and(|part| match &part.key {
            KeyPart::Column(column) => columns.iter().any(|one| schema.column_name(table, *one) == *column),
            KeyPart::Expression(_) => false,
        });
        is_it && begins && create.filter.is_none()
    };
    whole.context.plan.any_later_in_release(whole.context.at.migration, &builds)
}

pub fn replace_gap(whole: &Whole, findings: &mut Findings) {
    // In one transaction nobody sees the moment between.
    let begins = |node: &Node| matches!(node, Node::Statement(one) if one.operation == Operation::Transaction(Transaction::Begin));
    let migration = whole.context.migration;
    let alone = migration.transaction == TransactionUnit::Statement;
    if !alone || migration.up.nodes.iter().any(begins) {
        return;
    }
    for (place, step) in whole.steps.iter().enumerate() {
        let Operation::Drop(drop) = &step.operation else { continue };
        let Some((before, after)) = step.change().filter(|_| drop.kind == ObjectKind::Index) else { continue };
        for target in &drop.targets {
            let Some(index) = before.schema.find(&target.name) else { continue };
            let Some(row) = index.as_index().filter(|row| row.valid) else { continue };
            let Some(IndexKey::Column(first)) = row.parts.first().map(|part| &part.key) else { continue };
            let table = before.schema.relation(row.table);
            let column = before.schema.column_name(row.table, *first);
            let made = whole.steps[place + 1..].iter().find(|later| builds(later, &before.schema, table.id, &column));
            let Some(made) = made.filter(|_| !whole.context.is_new(before, table.id)) else { continue };
            if is_served(&after.schema, table.id, &[*first]) {
                continue;
            }
            let name = table.name.short();
            let message = format!(
                "until the new index is built, queries by `{column}` of `{name}` read the whole table: the old one goes first"
            );
            let finding = findings.report(&step.origin, "drop-index", step.certain, message);
            finding.object(&index.name);
            finding.object(&table.name);
            finding.because(made.origin.span, "the new index is built here");
            stopped::soften_guess(finding, whole);
            finding.instead(format!(
                "-- the new index first, under another name; then\nDROP INDEX CONCURRENTLY {};",
                index.name
            ));
        }
    }
}

/// CREATE INDEX on the table that begins with the column.
fn builds(step: &Passed, schema: &Schema, table: RelationId, column: &Ident) -> bool {
    let Operation::CreateIndex(create) = &step.operation else { return false };
    let CreateIndex { table: on, parts, .. } = &**create;
    step.applied.failure().is_none()
        && schema.find(on).is_some_and(|one| one.id == table)
        && parts.first().is_some_and(|part| matches!(&part.key, KeyPart::Column(first) if first == column))
}

pub fn type_mismatch(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (step, key, foreign) in new_keys(whole) {
        for (own, other) in key.columns.iter().zip(&foreign.referenced_columns) {
            let column = |table: RelationId, column: ColumnId| {
                end.get_relation(table).and_then(Relation::as_table).and_then(|table| table.column_by_id(column))
            };
            let (Some(own), Some(other)) = (column(key.table, *own), column(foreign.references, *other)) else {
                continue;
            };
            let (Some(narrow), Some(wide)) = (&own.data_type, &other.data_type) else { continue };
            let Some((limit, _)) =
                limit(&narrow.to_string()).zip(limit(&wide.to_string())).filter(|(one, two)| one < two)
            else {
                continue;
            };
            let (table, target) = (&end.relation(key.table).name, &end.relation(foreign.references).name);
            let message = format!(
                "rows of `{}` above {limit} cannot be referred to: `{}` of `{}` is {narrow}, `{}` there is {wide}",
                target.short(),
                own.name,
                table.short(),
                other.name
            );
            let finding = findings.report(&step.origin, "add-foreign-key", step.certain, message);
            if was_so(whole, key.table, own) && was_so(whole, foreign.references, other) {
                finding.severity = finding.severity.min(Severity::Note);
                finding.message.push_str("; both were so before, with no key between them");
            }
            finding.object(table);
            finding.object(target);
            finding.because(other.existence.origin().span, format!("`{}` is made {wide}", other.name));
            finding.instead(format!("-- where the table is new\n{} {wide}", own.name));
            finding.verify(format!("SELECT count(*) FROM {target} WHERE {} > {limit}", other.name));
        }
    }
}

/// The column had its type before the release: a key over it changes nothing of what it can hold.
fn was_so(whole: &Whole, table: RelationId, column: &Column) -> bool {
    let before = whole.before.schema.get_relation(table).and_then(Relation::as_table);
    let was = before.and_then(|table| table.column_by_id(column.id));
    was.is_some_and(|was| was.data_type == column.data_type) && !whole.context.is_of_this_release(&column.existence)
}

/// The largest number of an integer type.
fn limit(data_type: &str) -> Option<i64> {
    match data_type {
        "smallint" => Some(i64::from(i16::MAX)),
        "integer" => Some(i64::from(i32::MAX)),
        "bigint" => Some(i64::MAX),
        _ => None,
    }
}

pub fn duplicate(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (step, key, foreign) in new_keys(whole) {
        let same = end.constraints_of(key.table).find(|other| {
            other.id < key.id
                && other.columns == key.columns
                && other.deferrable == key.deferrable
                && other.initially_deferred == key.initially_deferred
                && other.as_foreign().is_some_and(|two| {
                    two.references == foreign.references
                        && two.referenced_columns == foreign.referenced_columns
                        && (two.on_delete, two.on_update) == (foreign.on_delete, foreign.on_update)
                        && !two.referenced_side
                })
        });
        let Some(same) = same else { continue };
        let table = &end.relation(key.table).name;
        let message = format!(
            "`{}` checks what `{}` checks already: every write to `{}` looks twice",
            key.name,
            same.name,
            table.short()
        );
        let finding = findings.report(&step.origin, "add-foreign-key", step.certain, message);
        finding.object(table);
        finding.object(format!("{table}.{}", key.name));
        finding.because(same.existence.origin().span, format!("`{}` is made here", same.name));
        finding.instead(format!("ALTER TABLE {table} DROP CONSTRAINT {};", key.name));
    }
}

pub fn replica_identity_lost(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for step in whole.steps {
        let Some((before, after)) = step.change() else { continue };
        let table = match &step.operation {
            Operation::AlterTable(alter) => before.schema.find_table(&alter.table),
            Operation::Drop(drop) if drop.kind == ObjectKind::Index => drop
                .targets
                .iter()
                .filter_map(|target| Some(before.schema.find(&target.name)?.as_index()?.table))
                .find_map(|table| before.schema.get_relation(table)),
            _ => continue,
        };
        let Some(relation) = table.filter(|one| !whole.context.is_new(before, one.id)) else { continue };
        let identifies = |schema: &Schema| -> Option<bool> {
            let table = schema.get_relation(relation.id)?.as_table()?;
            let indexes = table.indexes.iter().filter_map(|id| schema.get_relation(*id)?.as_index());
            let primary =
                schema.constraints_of(relation.id).any(|one| matches!(one.kind, ConstraintRow::Primary { .. }));
            Some(primary || table.replica_identity_full || indexes.into_iter().any(|index| index.replica_identity))
        };
        let lost = identifies(&before.schema) == Some(true) && identifies(&after.schema) == Some(false);
        if !lost || identifies(end) != Some(false) {
            continue;
        }
        let name = relation.name.short();
        let message = format!(
            "nothing tells rows of `{name}` apart any more: where it is published, UPDATE and DELETE fail from here on"
        );
        let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
        finding.object(&relation.name);
        if !publishes(whole) {
            finding.severity = finding.severity.min(Severity::Note);
            finding.message.push_str("; no migration publishes anything");
        }
        finding.instead(format!(
            "-- first, over a unique index on columns that are NOT NULL:\n\
             ALTER TABLE {} REPLICA IDENTITY USING INDEX …;",
            relation.name
        ));
    }
}

/// A migration makes a publication, or says what identifies the rows of one.
fn publishes(whole: &Whole) -> bool {
    let identifies = |action: &TableAction| matches!(action.kind, TableActionKind::ReplicaIdentity(_));
    let of_publications = |operation: &Operation| match operation {
        Operation::Publication(_) => true,
        Operation::AlterTable(alter) => alter.actions.iter().any(identifies),
        _ => false,
    };
    whole.context.plan.history.migrations.iter().any(|migration| {
        let mut found = false;
        for node in &migration.up.nodes {
            node.statements(&mut |statement| found |= of_publications(&statement.operation));
        }
        found
    })
}
