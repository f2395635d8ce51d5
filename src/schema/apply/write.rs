//! Statements that leave the catalog as it is: that what they name exists.

use super::resolve::{Taken, quoted};
use super::{Change, Outcome, duplicate, refused};
use crate::operation::{
    CommentOn, CommonTableBody, Ident, LockTable, Name, ObjectKind, Query, Rows, Truncate, Write, WriteKind,
};
use crate::schema::{RelationId, RelationKind, TableKind};

impl Change<'_> {
    pub(super) fn write(&mut self, write: &Write) -> Outcome {
        self.write_beside(write, &[])
    }

    /// A write in a WITH reads the common tables that stand beside it.
    fn write_beside(&mut self, write: &Write, beside: &[Ident]) -> Outcome {
        let mut known: Vec<Ident> = beside.to_vec();
        known.extend(write.with.iter().map(|table| table.name.clone()));
        for table in &write.with {
            if let CommonTableBody::Write(inner) = &table.body {
                self.write_beside(inner, &known)?;
            }
        }
        let Some(target) = self.read_target(&write.target)? else { return Ok(()) };
        for name in write.reads() {
            if name.schema.is_some() || !known.contains(&name.name) {
                self.read_target(name)?;
            }
        }
        match &self.schema.relation(target).kind {
            RelationKind::Table(_) => {}
            RelationKind::View(view) => {
                if view.materialized {
                    let message = format!("cannot change materialized view {}", quoted(&self.label(target)));
                    return Err(refused("42809", self.full(target), message));
                }
                return Ok(());
            }
            RelationKind::Other => self.must_be_table(target)?,
            RelationKind::Index(_) => return Err(self.wrong_kind(target, "a table")),
            RelationKind::Sequence(_) => {
                let message = format!("cannot change sequence {}", quoted(&self.label(target)));
                return Err(refused("42809", self.full(target), message));
            }
        }
        for (at, name) in write.columns.iter().enumerate() {
            self.column(target, name)?;
            if write.columns[..at].contains(name) {
                let message = format!("column {} specified more than once", quoted(name));
                return Err(duplicate("42701", name.to_string(), message));
            }
        }
        for (name, _) in &write.assignments {
            self.column(target, name)?;
        }
        let table = self.schema.table(target);
        if let (WriteKind::Insert, Rows::Values { first, .. }, true) = (write.kind, &write.rows, table.columns_known) {
            let expected = if write.columns.is_empty() { table.columns.len() } else { write.columns.len() };
            if first.len() > expected {
                let message = "INSERT has more expressions than target columns".to_owned();
                return Err(refused("42601", self.full(target), message));
            }
        }
        Ok(())
    }

    pub(super) fn query(&mut self, query: &Query) -> Outcome {
        for name in query.reads() {
            self.read_target(name)?;
        }
        let known: Vec<Ident> = query.with.iter().map(|table| table.name.clone()).collect();
        for write in query.writes() {
            self.write_beside(write, &known)?;
        }
        Ok(())
    }

    pub(super) fn tables_exist(&mut self, names: &[Name]) -> Outcome {
        for name in names {
            self.read_target(name)?;
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, lock: &LockTable) -> Outcome {
        for table in &lock.tables {
            self.relation(&table.name, Taken::Table)?;
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, truncate: &Truncate) -> Outcome {
        let mut tables: Vec<RelationId> = Vec::new();
        for table in &truncate.tables {
            let id = self.table(&table.name)?;
            if table.only && self.schema.relation(id).is_partitioned() {
                let message = "cannot truncate only a partitioned table".to_owned();
                return Err(refused("42809", self.full(id), message));
            }
            tables.push(id);
            if !table.only {
                tables.extend(self.descendants(id));
            }
        }
        if truncate.cascade {
            return Ok(());
        }
        for table in &tables {
            let found = self.schema.table(*table);
            let keys = found.referenced_by.iter().chain(&found.derived_by);
            let other =
                keys.filter_map(|key| self.schema.get_constraint(*key)).find(|key| !tables.contains(&key.table));
            if let Some(key) = other {
                let message = "cannot truncate a table referenced in a foreign key constraint".to_owned();
                let failure = refused("0A000", self.full(*table), message);
                return Err(super::because(failure, Some(key.existence.origin())));
            }
        }
        Ok(())
    }

    pub(super) fn comment(&mut self, comment: &CommentOn) -> Outcome {
        match comment.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => {
                let id = self.relation(&comment.object, Taken::Other)?;
                let fits = match (&self.schema.relation(id).kind, comment.kind) {
                    (RelationKind::Table(table), ObjectKind::Table) => table.kind != TableKind::Foreign,
                    (RelationKind::Table(_), ObjectKind::ForeignTable) => true,
                    (RelationKind::View(view), ObjectKind::View) => !view.materialized,
                    (RelationKind::View(view), ObjectKind::MaterializedView) => view.materialized,
                    (RelationKind::Other, _) => true,
                    _ => false,
                };
                if fits { Ok(()) } else { Err(self.wrong_kind(id, &super::alter::article(comment.kind))) }
            }
            ObjectKind::Index => self.index(&comment.object, false).map(|_| ()),
            ObjectKind::Sequence => self.relation(&comment.object, Taken::Other).map(|_| ()),
            ObjectKind::Column => {
                let id = self.relation(&comment.object, Taken::Table)?;
                let (Some(part), true) = (&comment.part, self.schema.relation(id).as_table().is_some()) else {
                    return Ok(());
                };
                self.column(id, part).map(|_| ())
            }
            ObjectKind::Constraint => {
                // A domain's constraint names a type here.
                if self.schema.find_type(&comment.object).is_some() {
                    return Ok(());
                }
                let id = self.relation(&comment.object, Taken::Table)?;
                let Some(part) = &comment.part else { return Ok(()) };
                if self.find_row(id, part).is_some() || self.may_have_constraint(id, part) {
                    return Ok(());
                }
                let message =
                    format!("constraint {} for table {} does not exist", quoted(part), quoted(&self.label(id)));
                Err(super::missing("42704", format!("{}.{part}", self.full(id)), message))
            }
            ObjectKind::Trigger => {
                let id = self.relation(&comment.object, Taken::Table)?;
                let Some(part) = &comment.part else { return Ok(()) };
                let known = self.schema.triggers_of(id).iter().any(|one| one.name == *part);
                if known || self.is_open(id) {
                    return Ok(());
                }
                let message = format!("trigger {} for table {} does not exist", quoted(part), quoted(&self.label(id)));
                Err(super::missing("42704", format!("{}.{part}", self.full(id)), message))
            }
            ObjectKind::Schema => self.require_schema(&comment.object.name),
            _ => Ok(()),
        }
    }
}
