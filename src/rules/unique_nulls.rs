//! Unique keys over a moment that most rows do not have: NULLs are no duplicates of each other.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::history::{Whole, shaped};
use crate::operation::{Expr, Ident};
use crate::schema::{Column, Index, IndexKey, Relation, Schema, Table};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (_, relation) in whole.tables(shaped) {
        let Some(table) = relation.as_table().filter(|table| table.partition_of.is_none()) else { continue };
        for id in &table.indexes {
            let index = end.get_relation(*id).filter(|_| whole.before.schema.get_relation(*id).is_none());
            let Some((index, row)) = index.and_then(|index| Some((index, index.as_index()?))) else { continue };
            if let Some(moment) = open_moment(end, table, row) {
                report(whole, relation, (index, row), moment, findings);
            }
        }
    }
}

/// A nullable moment among several key columns, where nothing else keeps the rows without it apart.
fn open_moment<'a>(schema: &Schema, table: &'a Table, index: &Index) -> Option<&'a Column> {
    if !index.unique || index.nulls_not_distinct || index.parts.len() < 2 || index.filter.is_some() {
        return None;
    }
    let column = |key: &IndexKey| match key {
        IndexKey::Column(column) => table.column_by_id(*column),
        IndexKey::Expression(_) => None,
    };
    let columns: Vec<&Column> = index.parts.iter().map(|part| column(&part.key)).collect::<Option<_>>()?;
    // One that is set by itself may be NULL, but is not.
    let is_open = |column: &&&Column| !column.not_null && column.default.is_none() && is_moment(column);
    let moment = *columns.iter().find(is_open)?;
    let others: BTreeSet<_> = columns.iter().filter(|one| one.id != moment.id).map(|one| one.id).collect();
    let kept = table.indexes.iter().filter_map(|id| schema.get_relation(*id)?.as_index()).any(|other| {
        let within = |key: &IndexKey| matches!(key, IndexKey::Column(column) if others.contains(column));
        let keeps = match &other.filter {
            None => other.parts.iter().all(|part| within(&part.key)),
            Some(filter) => is_without(&filter.tree, &moment.name),
        };
        other.unique && keeps
    });
    (!kept).then_some(moment)
}

/// A key of its own for the rows that have no such moment: somebody thought of them.
fn is_without(filter: &Expr, moment: &Ident) -> bool {
    let Expr::IsNull(inner) = filter else { return false };
    inner.as_column().is_some_and(|(_, name)| name == moment)
}

fn is_moment(column: &Column) -> bool {
    let data_type = column.data_type.as_ref().filter(|kind| !kind.array);
    data_type.is_some_and(|kind| kind.to_string().starts_with("timestamp") || kind.name.name.as_str() == "timestamptz")
}

fn report(
    whole: &Whole,
    relation: &Relation,
    (index, row): (&Relation, &Index),
    moment: &Column,
    findings: &mut Findings,
) {
    let end = &whole.after.schema;
    let names: Vec<String> = row
        .parts
        .iter()
        .filter_map(|part| match part.key {
            IndexKey::Column(column) => Some(end.column_name(relation.id, column)),
            IndexKey::Expression(_) => None,
        })
        .filter(|name| *name != moment.name)
        .map(|name| name.to_string())
        .collect();
    let (table, moment) = (relation.name.short(), &moment.name);
    let message = format!(
        "`{}` keeps no two rows of `{table}` apart that have no `{moment}`: NULLs are no duplicates, so that {} may repeat \
         among them",
        index.name.short(),
        say::list(&names)
    );
    let origin = index.existence.origin();
    let finding = findings.report(origin, "create-index", index.existence.is_certain(), message);
    finding.object(&relation.name).object(&index.name);
    let columns = names.join(", ");
    finding
        .instead(format!("CREATE UNIQUE INDEX CONCURRENTLY ON {} ({columns}) WHERE {moment} IS NULL;", relation.name));
    let repeated =
        format!("SELECT FROM {} WHERE {moment} IS NULL GROUP BY {columns} HAVING count(*) > 1", relation.name);
    finding.verify(format!("SELECT count(*) FROM ({repeated}) AS repeated"));
}
