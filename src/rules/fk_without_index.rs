//! A foreign key without an index that finds its rows.

use std::collections::{BTreeMap, BTreeSet};

use super::key_indexes::{indexed_later, is_served, names, new_keys};
use super::nature::{keeps_rows_briefly, makes_indexes};
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Framework, Passed, TransactionUnit, Whole};
use crate::operation::{Action, TypeName};
use crate::schema::{Column, ColumnId, Constraint, ForeignRow, IndexKey, Relation, RelationId, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    let mut tables: BTreeMap<RelationId, Vec<(&Passed, &Constraint, &ForeignRow)>> = BTreeMap::new();
    for (step, key, foreign) in new_keys(whole) {
        let known = end.get_relation(key.table).and_then(Relation::as_table).is_some_and(|table| table.columns_known);
        // On a table that this history did not make an index may be there unseen.
        if known && !is_served(end, key.table, &key.columns) && !indexed_later(whole, key.table, &key.columns) {
            tables.entry(key.table).or_default().push((step, key, foreign));
        }
    }
    for (table, keys) in tables {
        // However often, it is read in no time.
        if end.has_few_rows(table) {
            continue;
        }
        let (felt, rare): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(_, _, key)| deletes(whole, key));
        for (keys, is_felt) in [(felt, true), (rare, false)] {
            if !keys.is_empty() {
                unserved(whole, table, &keys, is_felt, findings);
            }
        }
    }
}

/// The keys of one table that no index serves.
fn unserved(
    whole: &Whole,
    table: RelationId,
    keys: &[(&Passed, &Constraint, &ForeignRow)],
    is_felt: bool,
    findings: &mut Findings,
) {
    let end = &whole.after.schema;
    let relation = end.relation(table);
    let Some((step, _, first)) = keys.first() else { return };
    let mut columns: Vec<String> = Vec::new();
    for (_, key, _) in keys {
        let named = names(end, table, &key.columns).join(", ");
        if !columns.contains(&named) {
            columns.push(named);
        }
    }
    let targets: BTreeSet<RelationId> = keys.iter().map(|(_, _, one)| one.references).collect();
    let target_names: Vec<String> = targets.iter().map(|target| say::name(end, *target)).collect();
    let partial = keys.iter().find_map(|(_, key, _)| partly_serving(end, table, &key.columns));
    let message = format!(
        "each DELETE of a row of {} reads all of `{}`: no index of {} begins with {}",
        say::any_of(&target_names),
        relation.name.short(),
        if partial.is_some() { "all its rows" } else { "it" },
        say::any_of(&columns)
    );
    let finding = findings.report(&step.origin, "add-foreign-key", step.certain, message);
    let brief = keeps_rows_briefly(end, table);
    // Rows that a migration wrote out are kinds of something: they are hardly ever deleted.
    let are_kinds = targets.iter().all(|target| whole.after.data.is_seeded(end, *target));
    if !is_felt || are_kinds || brief.is_some() || whole.context.is_small(end, table) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    if let Some(column) = brief {
        let text = format!("by `{}` its rows are over within a day", column.name);
        finding.because(column.existence.origin().span, text);
    }
    finding.object(&relation.name);
    finding.object(&end.relation(first.references).name);
    if let Some(index) = partial {
        let text = format!("`{}` leaves rows out: the server cannot look there", index.name.short());
        finding.because(index.existence.origin().span, text);
    }
    for (target, marker) in targets.iter().filter_map(|target| Some((target, deletion_mark(end, *target)?))) {
        let text = format!("rows of `{}` are marked in `{}` rather than deleted", say::name(end, *target), marker.name);
        finding.because(marker.existence.origin().span, text);
    }
    for target in targets.iter().filter(|_| is_felt) {
        if let (Some(key), served, all) = siblings(whole, *target) {
            let of_all = if served == all { "all".to_owned() } else { format!("{served} of {all}") };
            let text = format!("other keys to `{}` have one: {of_all}", say::name(end, *target));
            finding.because(key.existence.origin().span, text);
        }
    }
    // Nobody else sees a table of this very migration, whatever it is filled with.
    let new = whole.context.is_new(whole.after, table)
        || whole.before.schema.get_relation(table).is_none()
            && whole.context.migration.transaction != TransactionUnit::Statement;
    let concurrently = if new { "" } else { "CONCURRENTLY " };
    let indexes: Vec<String> =
        columns.iter().map(|list| format!("CREATE INDEX {concurrently}ON {} ({list});", relation.name)).collect();
    let outside = say::outside_transaction(&whole.context);
    let indexes = indexes.join("\n");
    finding.instead(if new { indexes } else { format!("{outside}\n{indexes}") });
}

/// An index that begins with a column of the key, over some rows only.
fn partly_serving<'a>(schema: &'a Schema, table: RelationId, columns: &[ColumnId]) -> Option<&'a Relation> {
    let found = schema.get_relation(table).and_then(Relation::as_table)?;
    let mut indexes = found.indexes.iter().filter_map(|id| schema.get_relation(*id));
    indexes.find(|one| {
        one.as_index().is_some_and(|index| {
            let first = index.parts.first().map(|part| &part.key);
            index.filter.is_some() && matches!(first, Some(IndexKey::Column(column)) if columns.contains(column))
        })
    })
}

/// Rows of the referenced table are meant to be deleted: the key says what becomes of its own rows then. Not where it
/// refuses that, where nobody chose the action (Prisma writes SET NULL for every optional relation), where rows are
/// marked as deleted, or where the project makes no index for such keys, or hardly any at all.
pub(super) fn deletes(whole: &Whole, key: &ForeignRow) -> bool {
    let is_default = whole.context.plan.history.framework == Framework::Prisma
        && (key.on_delete, key.on_update) == (Action::SetNull, Action::Cascade);
    !matches!(key.on_delete, Action::NoAction | Action::Restrict)
        && !is_default
        && deletion_mark(&whole.after.schema, key.references).is_none()
        && {
            let (_, served, all) = siblings(whole, key.references);
            is_usual(served, all)
        }
        && makes_indexes(&whole.context, &whole.after.schema)
}

/// What is done of other keys to the same table that delete or clear their rows: an index that nobody makes for any of
/// them is not forgotten here. The first that has one, how many have, of how many.
fn siblings<'a>(whole: &Whole<'a>, target: RelationId) -> (Option<&'a Constraint>, usize, usize) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    let (mut first, mut served, mut all) = (None, 0, 0);
    let keys = after.get_relation(target).and_then(Relation::as_table).map(|table| table.referenced_by.as_slice());
    for key in keys.unwrap_or_default().iter().filter_map(|id| after.get_constraint(*id)) {
        let acts = key.as_foreign().is_some_and(|foreign| {
            !foreign.referenced_side && !matches!(foreign.on_delete, Action::NoAction | Action::Restrict)
        });
        if !acts || !key.is_standalone() {
            continue;
        }
        let has_one = is_served(after, key.table, &key.columns);
        all += usize::from(has_one || before.get_constraint(key.id).is_some());
        served += usize::from(has_one);
        first = first.or(has_one.then_some(key));
    }
    (first, served, all)
}

/// Of a few, none need have one; of many, a third.
fn is_usual(served: usize, all: usize) -> bool {
    const FEW: usize = 3;
    all > 0 && (all < FEW || served * 3 >= all)
}

/// The column that marks a row as deleted: by when, or by whether.
fn deletion_mark(schema: &Schema, table: RelationId) -> Option<&Column> {
    const WHEN: [&str; 7] =
        ["deleted_at", "deletedat", "deleted_on", "deletedon", "deleted", "discarded_at", "soft_deleted_at"];
    const WHETHER: [&str; 4] = ["deleted", "is_deleted", "isdeleted", "soft_deleted"];
    let mut columns = schema.get_relation(table).and_then(Relation::as_table)?.columns.iter();
    columns.find(|column| {
        let name = column.name.as_str().to_lowercase();
        let is_flag = column.data_type.as_ref().is_some_and(|kind| *kind == TypeName::built_in("boolean"));
        is_flag && WHETHER.contains(&&*name) || !is_flag && !column.not_null && WHEN.contains(&&*name)
    })
}
