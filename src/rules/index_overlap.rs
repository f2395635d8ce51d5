//! Indexes that another index of the table makes unnecessary.

use super::{Findings, say};
use crate::history::{Passed, Whole, shaped};
use crate::schema::{ConstraintRow, Existence, Index, IndexColumn, IndexKey, Relation, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    for (step, table) in whole.tables(shaped) {
        overlaps(whole, step, table, false, findings);
    }
}

/// `index-repeats-key`: the very columns that the index of a primary key or unique constraint has already.
pub fn of_key(whole: &Whole, findings: &mut Findings) {
    for (step, table) in whole.tables(shaped) {
        overlaps(whole, step, table, true, findings);
    }
}

/// Pairs of which this migration made one: those with a constraint's index that is the same, or the others.
fn overlaps(whole: &Whole, step: &Passed, table: &Relation, of_key: bool, findings: &mut Findings) {
    let end = &whole.after.schema;
    let ids = table.as_table().map(|table| table.indexes.as_slice()).unwrap_or_default();
    let indexes: Vec<(&Relation, &Index)> = ids
        .iter()
        .filter_map(|id| end.get_relation(*id))
        .filter_map(|relation| Some((relation, relation.as_index()?)))
        .filter(|(_, index)| index.valid && index.parent.is_none())
        .collect();
    let is_new = |relation: &Relation| whole.before.schema.get_relation(relation.id).is_none();
    for narrow in indexes.iter().filter(|(_, index)| is_replaceable(index)) {
        let covering = |wide: &&(&Relation, &Index)| {
            wide.0.id != narrow.0.id
                && (is_new(wide.0) || is_new(narrow.0))
                && covers(wide.1, narrow.1)
                // Of two that are alike the one goes that a constraint does not need, or the younger one.
                && !(is_replaceable(wide.1) && covers(narrow.1, wide.1) && wide.0.id > narrow.0.id)
        };
        let key = indexes.iter().filter(covering).find(|wide| repeats(end, narrow.1, wide.1));
        let wide = match (of_key, key) {
            (true, key) => key,
            (false, Some(_)) => None,
            (false, None) => indexes.iter().find(covering),
        };
        if let Some(wide) = wide {
            let word = if of_key { "repeats-key" } else { "create-index" };
            report(end, whole, (step, word), table, (narrow.0, wide.0), findings);
        }
    }
}

/// The other is a constraint's, over the same columns. One that is checked at the end only keeps rows apart otherwise.
fn repeats(schema: &Schema, narrow: &Index, wide: &Index) -> bool {
    let Some(row) = wide.constraint.and_then(|id| schema.get_constraint(id)) else { return false };
    let is_key = matches!(row.kind, ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. });
    is_key && narrow.parts.len() == wide.parts.len() && !(narrow.unique && row.deferrable)
}

/// Nothing but queries asks for it.
fn is_replaceable(index: &Index) -> bool {
    index.constraint.is_none() && !index.replica_identity && !index.clustered
}

/// Whatever `narrow` is good for, `wide` is good for too.
fn covers(wide: &Index, narrow: &Index) -> bool {
    let alike = |one: &IndexColumn, other: &IndexColumn| {
        let key = match (&one.key, &other.key) {
            (IndexKey::Column(one), IndexKey::Column(other)) => one == other,
            (IndexKey::Expression(one), IndexKey::Expression(other)) => one.tree == other.tree,
            _ => false,
        };
        key && one.collation == other.collation
            && one.operator_class == other.operator_class
            && (one.descending, one.nulls_first) == (other.descending, other.nulls_first)
    };
    let begins = narrow.parts.len() <= wide.parts.len()
        && narrow.parts.iter().zip(&wide.parts).all(|(one, two)| alike(one, two));
    let whole = narrow.parts.len() == wide.parts.len();
    let filter = |index: &Index| index.filter.as_ref().map(|filter| filter.tree.clone());
    // Only a b-tree is read by the first of its columns as well as by all.
    let method = wide.method == narrow.method && (whole || wide.method == "btree");
    let unique = !narrow.unique || wide.unique && whole && wide.nulls_not_distinct == narrow.nulls_not_distinct;
    begins
        && method
        && unique
        && filter(wide) == filter(narrow)
        && !narrow.exclusion
        && narrow.include.iter().all(|column| {
            wide.include.contains(column)
                || wide.parts.iter().any(|part| matches!(part.key, IndexKey::Column(key) if key == *column))
        })
}

fn report(
    end: &Schema,
    whole: &Whole,
    (step, word): (&Passed, &'static str),
    table: &Relation,
    (narrow, wide): (&Relation, &Relation),
    findings: &mut Findings,
) {
    // The younger of the two is this migration's.
    let young = if whole.before.schema.get_relation(narrow.id).is_none() { narrow } else { wide };
    let origin = match &young.existence {
        Existence::Created { by } => by.clone(),
        _ => step.origin.clone(),
    };
    let name = say::name(end, table.id);
    let message = format!(
        "`{}` does what `{}` does as well: every write to `{name}` keeps both up",
        narrow.name.short(),
        wide.name.short()
    );
    let finding = findings.report(&origin, word, young.existence.is_certain(), message);
    finding.object(&narrow.name).object(&wide.name).object(&table.name);
    let other = if young.id == narrow.id { wide } else { narrow };
    finding.because(other.existence.origin().span, format!("`{}` is made here", other.name.short()));
    let outside = say::outside_transaction(&whole.context);
    finding.instead(if young.id == narrow.id {
        "-- leave it out".to_owned()
    } else {
        format!("{outside}\nDROP INDEX CONCURRENTLY {};", narrow.name)
    });
}
