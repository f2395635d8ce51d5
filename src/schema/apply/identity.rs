//! Identity columns and generated ones.

use super::resolve::quoted;
use super::{Change, Outcome, refused};
use crate::operation::{Ident, Identity};
use crate::schema::{ColumnId, Failure, IdentityKind, RelationId};

impl Change<'_> {
    pub(super) fn identity_cannot_recurse(&self, table: RelationId) -> Box<Failure> {
        let message = "cannot recursively add identity column to table that has child tables".to_owned();
        refused("42P16", self.full(table), message)
    }

    pub(super) fn add_identity(&mut self, table: RelationId, name: &Ident, identity: &Identity, only: bool) -> Outcome {
        let column = self.column(table, name)?;
        let data_type = self.schema.table(table).column_by_id(column).and_then(|column| column.data_type.clone());
        self.identity_type(name, data_type.as_ref())?;
        self.identity_of_whole_tree(table, only, "add identity to")?;
        let Some(own) = self.schema.table(table).column_by_id(column) else { return Ok(()) };
        let object = format!("{}.{name}", self.full(table));
        let label = quoted(&self.label(table));
        let text = format!("column {} of relation {label}", quoted(name));
        if !own.not_null && own.data_type.is_some() {
            return Err(refused(
                "55000",
                object,
                format!("{text} must be declared NOT NULL before identity can be added"),
            ));
        }
        if own.identity.is_some() {
            return Err(refused("55000", object, format!("{text} is already an identity column")));
        }
        if own.default.is_some() {
            return Err(refused("55000", object, format!("{text} already has a default value")));
        }
        let kind = if identity.always { IdentityKind::Always } else { IdentityKind::ByDefault };
        self.schema.edit_column(table, column, |column| column.identity = Some(kind));
        self.own_sequence(table, column, identity.options.name.as_ref(), true)?;
        if self.schema.relation(table).is_partitioned() && self.since(17) {
            for child in self.descendants(table) {
                if let Some(inner) = self.map_column(table, column, child) {
                    self.schema.edit_column(child, inner, |column| column.identity = Some(kind));
                }
            }
        }
        Ok(())
    }

    pub(super) fn alter_identity(&mut self, table: RelationId, name: &Ident, always: Option<bool>) -> Outcome {
        let column = self.identity_column(table, name)?;
        let Some(always) = always else { return Ok(()) };
        let kind = if always { IdentityKind::Always } else { IdentityKind::ByDefault };
        self.schema.edit_column(table, column, |column| column.identity = Some(kind));
        Ok(())
    }

    pub(super) fn identity_column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        let column = self.column(table, name)?;
        let own = self.schema.table(table).column_by_id(column);
        if own.is_some_and(|own| own.identity.is_none() && own.data_type.is_some()) {
            let message =
                format!("column {} of relation {} is not an identity column", quoted(name), quoted(&self.label(table)));
            return Err(refused("55000", format!("{}.{name}", self.full(table)), message));
        }
        Ok(column)
    }

    /// From 17 on identity is one for a partition tree.
    pub(super) fn identity_of_whole_tree(&self, table: RelationId, only: bool, what: &str) -> Outcome {
        let partitioned = self.schema.relation(table).is_partitioned();
        let of = if partitioned && only {
            "only the partitioned table"
        } else if self.is_partition(table) {
            "a partition"
        } else {
            return Ok(());
        };
        if !self.since(17) {
            return Ok(());
        }
        Err(refused("42P16", self.full(table), format!("cannot {what} a column of {of}")))
    }

    pub(super) fn drop_identity(&mut self, table: RelationId, name: &Ident, if_exists: bool, only: bool) -> Outcome {
        self.identity_of_whole_tree(table, only, "drop identity from")?;
        let column = self.column(table, name)?;
        let own = self.schema.table(table).column_by_id(column);
        if if_exists && own.is_some_and(|own| own.identity.is_none()) {
            let text = format!(
                "column {} of relation {} is not an identity column, skipping",
                quoted(name),
                quoted(&self.label(table))
            );
            self.notice(format!("{}.{name}", self.full(table)), text);
            return Ok(());
        }
        self.identity_column(table, name)?;
        let sequence = self.schema.table(table).column_by_id(column).and_then(|column| column.sequence);
        self.schema.edit_column(table, column, |column| column.identity = None);
        if self.schema.relation(table).is_partitioned() && self.since(17) {
            for child in self.descendants(table) {
                if let Some(inner) = self.map_column(table, column, child) {
                    self.schema.edit_column(child, inner, |column| column.identity = None);
                }
            }
        }
        if let Some(sequence) = sequence {
            self.delete_sequence(sequence)?;
        }
        Ok(())
    }

    pub(super) fn drop_expression(&mut self, table: RelationId, name: &Ident, if_exists: bool) -> Outcome {
        let column = self.column(table, name)?;
        let own = self.schema.table(table).column_by_id(column);
        let stored = own.and_then(|own| own.generated.as_ref()).map(|generated| generated.stored);
        if stored.is_none() {
            let text =
                format!("column {} of relation {} is not a generated column", quoted(name), quoted(&self.label(table)));
            if if_exists {
                self.notice(format!("{}.{name}", self.full(table)), format!("{text}, skipping"));
                return Ok(());
            }
            return if self.is_open(table) {
                Ok(())
            } else {
                Err(refused("55000", format!("{}.{name}", self.full(table)), text))
            };
        }
        self.schema.edit_column(table, column, |column| column.generated = None);
        for child in self.descendants(table) {
            if let Some(inner) = self.map_column(table, column, child) {
                self.schema.edit_column(child, inner, |column| column.generated = None);
            }
        }
        Ok(())
    }
}
