//! Fills: statements that put rows of one table into another, with the rows they leave out.

use crate::operation::{
    CommonTable, CommonTableBody, Expr, FromItem, FromSource, Ident, Join, Name, Origin, Output, Query, RowLock,
};
use crate::schema::{RelationId, Schema};

use super::{Circumstances, Moment};

/// One statement that copied rows of `source` into `target`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    pub target: RelationId,
    pub source: RelationId,
    /// Conditions that rows of the source had to meet, over its columns; what only skips rows that are there already,
    /// or cuts the work into batches, is left out.
    pub filter: Vec<Expr>,
    /// Which rows were taken cannot be told (joins, LIMIT outside a loop, grouping).
    pub partial: bool,
    pub row_lock: Option<RowLock>,
    /// An UPDATE of the source whose trigger upserts, rather than an INSERT.
    pub touch: bool,
    /// Target columns set, where they were named.
    pub columns: Vec<Ident>,
    pub origin: Origin,
    pub moment: Moment,
    pub certain: bool,
    /// Queued by then, and done when this job is.
    pub job: Option<u32>,
}

impl Fill {
    /// What an `INSERT INTO target query` or `CREATE TABLE target AS query` copies; `None` where it reads no table.
    pub fn of_query(
        query: &Query,
        outer: &[CommonTable],
        target: RelationId,
        columns: &[Ident],
        origin: &Origin,
        schema: &Schema,
        at: Circumstances,
    ) -> Option<Fill> {
        let mut taken = Taken { partial: false, filter: Vec::new(), row_lock: None };
        let scope: Vec<&CommonTable> = outer.iter().collect();
        let source = taken.source_of(query, &scope, target, schema, at.in_loop, 0)?;
        // A copy of the target into itself fills nothing.
        (source != target).then(|| Fill {
            target,
            source,
            filter: taken.filter,
            partial: taken.partial || !query.arms.is_empty(),
            row_lock: taken.row_lock,
            touch: false,
            columns: columns.to_vec(),
            origin: origin.clone(),
            moment: at.moment,
            certain: at.certain,
            job: at.job,
        })
    }
}

struct Taken {
    partial: bool,
    filter: Vec<Expr>,
    row_lock: Option<RowLock>,
}

/// Levels of CTEs and subqueries that are followed to the table behind.
const LEVEL_LIMIT: usize = 8;

impl Taken {
    /// The table whose rows a query takes, one to one where `partial` stays false.
    fn source_of(
        &mut self,
        query: &Query,
        outer: &[&CommonTable],
        target: RelationId,
        schema: &Schema,
        in_loop: bool,
        level: usize,
    ) -> Option<RelationId> {
        if level > LEVEL_LIMIT {
            return None;
        }
        let mut scope: Vec<&CommonTable> = query.with.iter().collect();
        scope.extend(outer);
        let mut source = None;
        let mut skipped_labels = Vec::new();
        for item in &query.from {
            let found = self.item_source(item, &scope, target, schema, in_loop, level);
            if found == Some(target) {
                // Anti-join: the rows that are there already.
                skipped_labels.extend(item.label().cloned());
                self.partial |= !matches!(item.join, Join::Left);
                continue;
            }
            match (source, found) {
                (None, Some(table)) => source = Some(table),
                // A LEFT JOIN adds columns and drops no rows; any other join may.
                (Some(_), _) => self.partial |= item.join != Join::Left,
                (None, None) => {}
            }
        }
        self.partial |= query.merges_rows || (query.limited && !in_loop);
        self.row_lock = self.row_lock.max(query.row_lock);
        self.filter.extend(filter_of(query.filter.as_ref(), &skipped_labels, target, schema, in_loop));
        source
    }

    fn item_source(
        &mut self,
        item: &FromItem,
        scope: &[&CommonTable],
        target: RelationId,
        schema: &Schema,
        in_loop: bool,
        level: usize,
    ) -> Option<RelationId> {
        match &item.source {
            FromSource::Relation { name, .. } => {
                let common = scope.iter().position(|table| name.schema.is_none() && table.name == name.name);
                match common.map(|place| (place, &scope[place].body)) {
                    Some((place, CommonTableBody::Query(query))) => {
                        let outer: Vec<&CommonTable> = scope[place + 1..].to_vec();
                        self.source_of(query, &outer, target, schema, in_loop, level + 1)
                    }
                    // DELETE … RETURNING moves rows: which ones is up to its WHERE.
                    Some((_, CommonTableBody::Write(_))) => {
                        self.partial = true;
                        None
                    }
                    None => schema.find(name).map(|relation| relation.id),
                }
            }
            FromSource::Query(query) => self.source_of(query, scope, target, schema, in_loop, level + 1),
            FromSource::Function { .. } | FromSource::Other => None,
        }
    }
}

/// The conjuncts of WHERE that leave rows out for good, with plain column names.
pub(super) fn filter_of(
    filter: Option<&Expr>,
    skipped_labels: &[Ident],
    target: RelationId,
    schema: &Schema,
    in_loop: bool,
) -> Vec<Expr> {
    let conjuncts: Vec<&Expr> = match filter {
        None => return Vec::new(),
        Some(Expr::And(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    let lasting = conjuncts.into_iter().filter(|conjunct| {
        let skips = skips_present_rows(conjunct, skipped_labels, target, schema);
        let batches = in_loop && cuts_batches(conjunct);
        !skips && !batches
    });
    lasting.map(super::strip_qualifiers).collect()
}

/// `NOT EXISTS (SELECT … FROM target …)`, `id NOT IN (SELECT id FROM target)`, `target.id IS NULL` after a LEFT JOIN.
fn skips_present_rows(conjunct: &Expr, labels: &[Ident], target: RelationId, schema: &Schema) -> bool {
    let reads_target = |query: &Query| {
        let is_target = |name: &&Name| schema.find(name).is_some_and(|relation| relation.id == target);
        query.reads().iter().any(is_target)
    };
    match conjunct {
        Expr::Not(inner) => match &**inner {
            Expr::Exists(query) => reads_target(query),
            Expr::InQuery { query, .. } => reads_target(query),
            _ => false,
        },
        Expr::IsNull(inner) => {
            matches!(inner.as_column(), Some((Some(qualifier), _)) if labels.contains(qualifier))
        }
        _ => false,
    }
}

/// A range over a value that changes from round to round: `id > last_id`, `id IN (SELECT … LIMIT 1000)`.
fn cuts_batches(conjunct: &Expr) -> bool {
    let varies = |expr: &Expr| {
        matches!(expr, Expr::Column { .. } | Expr::Parameter(_) | Expr::Binary { .. } | Expr::Subquery(_))
    };
    match conjunct {
        Expr::Binary { operator, left, right } => {
            matches!(&**operator, ">" | ">=" | "<" | "<=") && left.as_column().is_some() && varies(right)
        }
        Expr::InQuery { query, .. } => query.limited || query.filter.is_some(),
        Expr::And(list) => list.iter().all(cuts_batches),
        _ => false,
    }
}

/// A query's outputs named as the columns they fill, for those that are plain columns.
pub fn mapped_outputs<'a>(query: &'a Query, columns: &'a [Ident]) -> impl Iterator<Item = (&'a Ident, &'a Ident)> {
    columns.iter().zip(&query.outputs).filter_map(|(column, output)| match output {
        Output::Value { value, .. } => value.as_column().map(|(_, name)| (column, name)),
        Output::All { .. } => None,
    })
}
