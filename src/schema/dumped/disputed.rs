//! Where a dump says otherwise than the migrations that it lists: it was written on another database, or never written
//! anew. Neither is certain then, and nothing that is told of it may be.

use crate::schema::difference::same_index;
use crate::schema::{Column, Existence, Index, Relation, Schema};

impl Schema {
    /// Makes uncertain what this schema, a dump's, and the history of its migrations have in different forms.
    pub fn dispute(&mut self, history: &Schema) {
        for relation in history.relations() {
            if let Some(table) = relation.as_table() {
                let disputed = |column: &Column| {
                    let own = table.column_by_id(column.id).filter(|own| is_made(&own.existence));
                    own.filter(|own| differs(own, column)).map(|own| own.existence.origin().clone())
                };
                let shown = self.get_relation(relation.id).and_then(Relation::as_table);
                let found: Vec<_> = shown.into_iter().flat_map(|shown| &shown.columns).collect();
                let found: Vec<_> = found.into_iter().filter_map(|one| Some((one.id, disputed(one)?))).collect();
                for (column, by) in found {
                    self.edit_column(relation.id, column, |column| column.existence = Existence::Maybe { by });
                }
            }
            self.take_columns(relation);
            let index = relation.as_index().filter(|index| index.constraint.is_none() && is_made(&relation.existence));
            if index.is_some_and(|index| !self.shows_index(history, relation, index)) {
                let maybe = Existence::Maybe { by: relation.existence.origin().clone() };
                self.takes_index(relation, &maybe);
            }
        }
    }

    /// Columns that the migrations make and the dump lacks: it may not have been written since.
    fn take_columns(&mut self, relation: &Relation) {
        let Some(own) = relation.as_table() else { return };
        let Some(shown) = self.get_relation(relation.id).and_then(Relation::as_table) else { return };
        let is_missing = |column: &&Column| {
            is_made(&column.existence)
                && column.inherited == 0
                && shown.column(&column.name).is_none()
                && shown.column_by_id(column.id).is_none()
        };
        let missing: Vec<Column> = own.columns.iter().filter(is_missing).cloned().collect();
        if missing.is_empty() {
            return;
        }
        self.edit_table(relation.id, |table| {
            for mut column in missing {
                column.existence = Existence::Maybe { by: column.existence.origin().clone() };
                table.next_column = table.next_column.max(column.id.0 + 1);
                table.columns.push(column);
            }
        });
    }

    /// The dump has it, under its name or another one.
    fn shows_index(&self, history: &Schema, relation: &Relation, index: &Index) -> bool {
        let Some(table) = self.get_relation(index.table).and_then(Relation::as_table) else { return true };
        let mut others = table.indexes.iter().filter_map(|id| self.get_relation(*id)?.as_index());
        self.relation_names.contains_key(&relation.name)
            || others.any(|other| same_index((history, index), (self, other)))
    }
}

fn is_made(existence: &Existence) -> bool {
    matches!(existence, Existence::Created { .. })
}

fn has_default(column: &Column) -> bool {
    column.default.as_ref().is_some_and(|default| !default.tree.is_null_constant())
}

/// In what a dump is plain about.
fn differs(own: &Column, shown: &Column) -> bool {
    let is_plain = |one: &Column| one.identity.is_none() && one.generated.is_none() && one.sequence.is_none();
    is_plain(own) && is_plain(shown) && (own.not_null != shown.not_null || has_default(own) != has_default(shown))
}
