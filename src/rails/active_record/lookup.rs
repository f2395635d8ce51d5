//! What Active Record asks the catalog before it sends a statement, asked of the replayed schema.

use crate::operation::{Ident, TypeName};
use crate::schema::{
    ColumnId, Constraint, ConstraintRow, Existence, IndexKey, Relation, RelationId, RelationKind, Schema, Table,
};

use super::quote;

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    There,
    Absent,
    /// The history does not say: it was made before it, or where it cannot be known whether it runs.
    Unsure,
}

/// An index, as `indexes` of the connection gives it: those of primary keys are not among them.
pub struct Index<'a> {
    pub name: &'a Ident,
    /// `None` where an expression is a part.
    pub columns: Option<Vec<Ident>>,
}

pub struct ForeignKey<'a> {
    pub name: &'a Ident,
    pub to_table: &'a Relation,
    pub columns: Vec<String>,
    pub referenced: Vec<String>,
}

#[derive(Clone, Copy)]
pub struct Catalog<'a>(pub &'a Schema);

impl<'a> Catalog<'a> {
    pub fn table(self, name: &str) -> Option<(&'a Relation, &'a Table)> {
        let relation = self.0.find(&quote::name(name))?;
        Some((relation, relation.as_table()?))
    }

    fn is_relation(self, found: Option<&Relation>) -> Is {
        match found {
            Some(relation) if !relation.existence.is_certain() => Is::Unsure,
            Some(_) => Is::There,
            None if self.0.complete => Is::Absent,
            None => Is::Unsure,
        }
    }

    /// What a table does not show is not there; of one that was only named more may be.
    pub fn missing(self, table: &str) -> Is {
        match self.table(table) {
            Some((relation, table))
                if table.columns_known && matches!(relation.existence, Existence::Created { .. }) =>
            {
                Is::Absent
            }
            Some(_) => Is::Unsure,
            None if self.0.complete => Is::Absent,
            None => Is::Unsure,
        }
    }

    pub fn column_is(self, table: &str, column: &str) -> Is {
        let found = self.table(table).and_then(|(_, table)| table.column(&Ident::new(column)));
        match found {
            Some(column) if column.existence.is_certain() => Is::There,
            Some(_) => Is::Unsure,
            None => self.missing(table),
        }
    }

    pub fn column_type(self, table: &str, column: &str) -> Option<&'a TypeName> {
        self.table(table)?.1.column(&Ident::new(column))?.data_type.as_ref()
    }

    pub fn indexes(self, table: &str) -> Vec<Index<'a>> {
        let Some(relation) = self.0.find(&quote::name(table)) else { return Vec::new() };
        let ids: &[RelationId] = match &relation.kind {
            RelationKind::Table(table) => &table.indexes,
            RelationKind::View(view) => &view.indexes,
            _ => &[],
        };
        let one = |id: &RelationId| {
            let relation = self.0.get_relation(*id)?;
            let index = relation.as_index().filter(|index| !index.primary)?;
            let column = |part: &crate::schema::IndexColumn| match &part.key {
                IndexKey::Column(column) => Some(self.0.column_name(index.table, *column)),
                IndexKey::Expression(_) => None,
            };
            Some(Index { name: &relation.name.name, columns: index.parts.iter().map(column).collect() })
        };
        let mut found: Vec<Index> = ids.iter().filter_map(one).collect();
        found.sort_by(|one, other| one.name.cmp(other.name));
        found
    }

    pub fn index_is(self, table: &str, name: &str) -> Is {
        let found = self.indexes(table).into_iter().any(|index| *index.name == *name);
        if !found {
            return self.missing(table);
        }
        let schema = self.table(table).map(|(relation, _)| relation.name.schema.clone());
        self.is_relation(self.0.find(&crate::operation::Name { schema, name: Ident::new(name) }))
    }

    fn names(self, table: RelationId, columns: &[ColumnId]) -> Vec<String> {
        columns.iter().map(|column| self.0.column_name(table, *column).as_str().to_owned()).collect()
    }

    pub fn foreign_keys(self, table: &str) -> Vec<ForeignKey<'a>> {
        let Some((relation, _)) = self.table(table) else { return Vec::new() };
        let one = |constraint: &'a Constraint| {
            let key = constraint.as_foreign().filter(|key| !key.referenced_side)?;
            Some(ForeignKey {
                name: &constraint.name,
                to_table: self.0.get_relation(key.references)?,
                columns: self.names(constraint.table, &constraint.columns),
                referenced: self.names(key.references, &key.referenced_columns),
            })
        };
        let mut found: Vec<ForeignKey> = self.0.constraints_of(relation.id).filter_map(one).collect();
        found.sort_by(|one, other| one.name.cmp(other.name));
        found
    }

    pub fn constraint(self, table: &str, name: &str) -> Option<&'a Constraint> {
        let (relation, _) = self.table(table)?;
        self.0.find_constraint(relation.id, &Ident::new(name))
    }

    pub fn constraint_is(self, table: &str, name: &str) -> Is {
        match self.constraint(table, name) {
            Some(constraint) if constraint.existence.is_certain() => Is::There,
            Some(_) => Is::Unsure,
            None => self.missing(table),
        }
    }

    /// The unique constraint over just these columns.
    pub fn unique(self, table: &str, columns: &[String]) -> Option<&'a Ident> {
        let (relation, _) = self.table(table)?;
        let mut constraints = self.0.constraints_of(relation.id);
        let found = constraints.find(|constraint| {
            matches!(constraint.kind, ConstraintRow::Unique { .. })
                && self.names(constraint.table, &constraint.columns) == columns
        });
        found.map(|constraint| &constraint.name)
    }

    pub fn type_is(self, name: &str) -> Is {
        match self.0.find_type(&quote::name(name)) {
            Some(found) if found.existence.is_certain() => Is::There,
            Some(_) => Is::Unsure,
            None if self.0.complete => Is::Absent,
            None => Is::Unsure,
        }
    }
}
