//! Columns filled after they were added: which statements gave old rows a value, and which rows they left out.

use super::{Circumstances, Data, Moment};
use crate::operation::{ColumnDefinition, Constant, Expr, Ident, Operation, Origin, TableActionKind, Write, WriteKind};
use crate::predicate::{Answer, filter_implies_filter};
use crate::schema::{Column, ColumnId, Existence, Relation, RelationId, Schema};

/// One statement that gave a column of old rows its value.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFill {
    /// Conditions that leave rows out which have no value yet.
    pub filter: Vec<Expr>,
    /// Which rows were reached cannot be told: a join, a conflict's UPDATE, MERGE.
    pub partial: bool,
    pub origin: Origin,
    pub moment: Moment,
    pub certain: bool,
    /// Queued by then, and done when this job is.
    pub job: Option<u32>,
}

impl ColumnFill {
    /// No row stays without a value, once it has run.
    pub fn is_complete(&self) -> bool {
        self.filter.is_empty() && !self.partial && self.certain
    }
}

impl Data {
    /// What filled a column, in order.
    pub fn column_fills(&self, table: RelationId, column: ColumnId) -> &[ColumnFill] {
        self.column_fills.get(&(table, column)).map_or(&[], |fills| fills.as_slice())
    }

    /// Takes notice of columns added with a value, and of writes that set one.
    pub(super) fn keep_columns(&mut self, operation: &Operation, origin: &Origin, after: &Schema, at: Circumstances) {
        match operation {
            Operation::AlterTable(alter) => {
                let Some(table) = after.find(&alter.table).map(|relation| relation.id) else { return };
                for action in &alter.actions {
                    if let TableActionKind::AddColumn { column, .. } = &action.kind
                        && has_value(column)
                    {
                        self.fill_column(after, table, &column.name, Vec::new(), false, origin, at);
                    }
                }
            }
            Operation::Write(write) => {
                for one in write.all() {
                    self.keep_write(one, origin, after, at);
                }
            }
            Operation::Query(query) => {
                for one in query.writes().into_iter().flat_map(|write| write.all()) {
                    self.keep_write(one, origin, after, at);
                }
            }
            _ => {}
        }
    }

    fn keep_write(&mut self, write: &Write, origin: &Origin, schema: &Schema, at: Circumstances) {
        let Some(table) = schema.find(&write.target).map(|relation| relation.id) else { return };
        let upserted = write.on_conflict.iter().flat_map(|conflict| conflict.update.iter().flatten());
        for (column, _) in upserted {
            self.fill_column(schema, table, column, Vec::new(), true, origin, at);
        }
        let partial = !write.from.is_empty() || write.kind == WriteKind::Merge || write.only;
        let known = self.known_of_all(table, origin, schema);
        for (column, value) in write.assignments.iter().filter(|(_, value)| !value.is_null_constant()) {
            let plain = Expr::bare(column);
            let missing = Expr::IsNull(Box::new(plain));
            let missing = Expr::And(known.iter().cloned().chain([missing]).collect());
            let mut filter = super::fill::filter_of(write.filter.as_ref(), &[], table, schema, at.in_loop);
            // `WHERE c IS NULL` leaves out what has a value already; so does a new column that nothing has written yet.
            filter.retain(|condition| filter_implies_filter(&missing, condition) != Answer::Yes);
            let may_be_null = matches!(value, Expr::Subquery(_) | Expr::Case { .. });
            self.fill_column(schema, table, column, filter, partial || may_be_null, origin, at);
        }
    }

    /// What columns hold in every row, as this very file added them and nothing has written them since: NULL, or the
    /// constant that they came with.
    fn known_of_all(&self, table: RelationId, origin: &Origin, schema: &Schema) -> Vec<Expr> {
        let Some(found) = schema.get_relation(table).and_then(Relation::as_table) else { return Vec::new() };
        let of = |column: &Column| {
            let made = column.existence.origin();
            let is_new = matches!(column.existence, Existence::Created { .. })
                && made.span.source == origin.span.source
                && !made.span.contains(origin.span);
            let computed = column.generated.is_some() || column.identity.is_some() || column.sequence.is_some();
            if !is_new || computed {
                return None;
            }
            let plain = Box::new(Expr::bare(&column.name));
            match (self.column_fills(table, column.id), &column.default) {
                ([], None) => Some(Expr::IsNull(plain)),
                ([only], Some(default)) if only.origin == *made && is_constant(&default.tree) => {
                    let right = Box::new(default.tree.clone());
                    Some(Expr::Binary { operator: "=".into(), left: plain, right })
                }
                _ => None,
            }
        };
        found.columns.iter().filter_map(of).collect()
    }

    #[allow(clippy::too_many_arguments)]
    fn fill_column(
        &mut self,
        schema: &Schema,
        table: RelationId,
        column: &Ident,
        filter: Vec<Expr>,
        partial: bool,
        origin: &Origin,
        at: Circumstances,
    ) {
        let found = schema.get_relation(table).and_then(|relation| relation.as_table()?.column(column));
        let Some(id) = found.map(|column| column.id) else { return };
        let fill =
            ColumnFill { filter, partial, origin: origin.clone(), moment: at.moment, certain: at.certain, job: at.job };
        std::sync::Arc::make_mut(self.column_fills.entry((table, id)).or_default()).push(fill);
    }
}

fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Cast { value, .. } => is_constant(value),
        other => matches!(other, Expr::Constant(constant) if *constant != Constant::Null),
    }
}

fn has_value(column: &ColumnDefinition) -> bool {
    column.default.as_ref().is_some_and(|default| !default.tree.is_null_constant())
        || column.serial
        || column.identity.is_some()
        || column.generated.is_some()
}
