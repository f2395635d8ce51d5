//! The schema: what the catalog would hold at one point of the history, and how operations change it.
//!
//! Questions stand here; [`Schema::apply`] is the only transition. No opinions, no data: what rows a table
//! holds is `data`'s.

mod apply;
#[cfg(test)]
mod consistency;
pub mod definition;
pub mod difference;
mod dumped;
mod few;
mod join;
mod kept;
mod model;
mod not_null;
mod routine;
mod since;
pub mod statement;

pub use apply::Phase;
pub use dumped::Told;
pub use model::*;
pub use since::Lost;

use imbl::OrdMap;

use crate::operation::{Ident, Name, QualifiedName};
use crate::version::{Major, Standing};

impl Schema {
    /// An empty database with the schema `public`.
    pub fn new(major: Major) -> Schema {
        Schema {
            majors: Standing::of(&[major]),
            complete: false,
            unread: false,
            unread_until: 0,
            search_path: vec![Ident::new("public")],
            next_search_path: None,
            next_id: 1,
            schemas: OrdMap::new(),
            relations: OrdMap::new(),
            relation_names: OrdMap::new(),
            any_temporary: false,
            constraints: OrdMap::new(),
            triggers: OrdMap::new(),
            functions: OrdMap::new(),
            function_names: OrdMap::new(),
            types: OrdMap::new(),
            type_names: OrdMap::new(),
            extensions: OrdMap::new(),
            gone: OrdMap::new(),
            gone_parts: OrdMap::new(),
            gone_functions: OrdMap::new(),
            gone_types: OrdMap::new(),
            gone_schemas: OrdMap::new(),
            constraint_names: OrdMap::new(),
            statistics: OrdMap::new(),
        }
    }

    /// Follows the rules of these majors from here on.
    pub fn stand_for(&mut self, majors: Standing) {
        self.majors = majors;
    }

    /// The relation a name means now, through search_path where it has no schema.
    pub fn find(&self, name: &Name) -> Option<&Relation> {
        let id = match &name.schema {
            Some(schema) => self.relation_names.get(&QualifiedName::new(schema.clone(), name.name.clone())),
            None => {
                let named =
                    |schema: &Ident| self.relation_names.get(&QualifiedName::new(schema.clone(), name.name.clone()));
                let temporary = self.any_temporary.then(|| named(&Ident::new("pg_temp"))).flatten();
                temporary.or_else(|| self.search_path.iter().find_map(named))
            }
        };
        id.map(|id| self.relation(*id))
    }

    /// The table a name means.
    pub fn find_table(&self, name: &Name) -> Option<&Relation> {
        self.find(name).filter(|relation| relation.as_table().is_some())
    }

    /// A relation by id; ids of dropped relations are never asked for.
    pub fn relation(&self, id: RelationId) -> &Relation {
        &self.relations[&id]
    }

    pub fn get_relation(&self, id: RelationId) -> Option<&Relation> {
        self.relations.get(&id).map(|relation| &**relation)
    }

    pub fn constraint(&self, id: ConstraintId) -> &Constraint {
        &self.constraints[&id]
    }

    pub fn get_constraint(&self, id: ConstraintId) -> Option<&Constraint> {
        self.constraints.get(&id).map(|constraint| &**constraint)
    }

    pub fn trigger(&self, id: TriggerId) -> &Trigger {
        &self.triggers[&id]
    }

    pub fn get_trigger(&self, id: TriggerId) -> Option<&Trigger> {
        self.triggers.get(&id).map(|trigger| &**trigger)
    }

    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[&id]
    }

    /// In the order in which they were made, or first named.
    pub fn relations(&self) -> impl DoubleEndedIterator<Item = &Relation> {
        self.relations.values().map(|relation| &**relation)
    }

    pub fn tables(&self) -> impl Iterator<Item = (&Relation, &Table)> {
        self.relations().filter_map(|relation| Some((relation, relation.as_table()?)))
    }

    /// All rows of `pg_constraint`, those kept for the partitions of a referenced table too.
    pub fn constraint_rows(&self) -> impl Iterator<Item = &Constraint> {
        self.constraints.values().map(|constraint| &**constraint).filter(|row| self.shows(row))
    }

    /// All constraints but the rows that PostgreSQL keeps for partitions of a referenced table.
    pub fn constraints(&self) -> impl Iterator<Item = &Constraint> {
        self.constraint_rows().filter(|constraint| !constraint.as_foreign().is_some_and(|key| key.referenced_side))
    }

    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        self.triggers.values().map(|trigger| &**trigger)
    }

    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().map(|function| &**function)
    }

    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.types.values().map(|one| &**one)
    }

    /// Schemas (namespaces) by name.
    pub fn schemas(&self) -> impl Iterator<Item = &Ident> {
        self.schemas.keys()
    }

    /// Extensions by name.
    pub fn extensions(&self) -> impl Iterator<Item = &Ident> {
        self.extensions.keys()
    }

    /// The constraints of a table, in the order they were made.
    pub fn constraints_of(&self, table: RelationId) -> impl Iterator<Item = &Constraint> {
        let table = self.get_relation(table).and_then(Relation::as_table);
        let rows = table.filter(|_| self.majors.has_not_null_rows()).map(|table| table.not_null.as_slice());
        let others = table.map(|table| table.constraints.as_slice());
        not_null::in_order(others.unwrap_or_default(), rows.unwrap_or_default()).map(|id| self.constraint(id))
    }

    /// The rows of a table's NOT NULL, seen or not.
    pub(in crate::schema) fn not_null_of(&self, table: RelationId) -> impl Iterator<Item = &Constraint> {
        let ids = self.get_relation(table).and_then(Relation::as_table).map(|table| table.not_null.as_slice());
        ids.unwrap_or_default().iter().map(|id| self.constraint(*id))
    }

    pub fn find_constraint(&self, table: RelationId, name: &Ident) -> Option<&Constraint> {
        let others = self.get_relation(table).and_then(Relation::as_table).map(|table| table.constraints.as_slice());
        let others = others.unwrap_or_default().iter().map(|id| self.constraint(*id));
        self.named(others.chain(self.not_null_of(table)), name)
    }

    /// The triggers of a table, clones included, by name as PostgreSQL fires them.
    pub fn triggers_of(&self, table: RelationId) -> Vec<&Trigger> {
        let ids = match self.get_relation(table).map(|relation| &relation.kind) {
            Some(RelationKind::Table(table)) => table.triggers.as_slice(),
            Some(RelationKind::View(view)) => view.triggers.as_slice(),
            _ => &[],
        };
        let mut triggers: Vec<&Trigger> = ids.iter().map(|id| self.trigger(*id)).collect();
        triggers.sort_by(|one, other| one.name.cmp(&other.name));
        triggers
    }

    /// Functions of that name, all overloads.
    pub fn find_functions(&self, name: &Name) -> Vec<&Function> {
        let ids = match &name.schema {
            Some(schema) => self.function_names.get(&QualifiedName::new(schema.clone(), name.name.clone())),
            None => self
                .search_path
                .iter()
                .find_map(|schema| self.function_names.get(&QualifiedName::new(schema.clone(), name.name.clone()))),
        };
        ids.into_iter().flatten().map(|id| self.function(*id)).collect()
    }

    pub fn find_type(&self, name: &Name) -> Option<&Type> {
        let id = match &name.schema {
            Some(schema) => self.type_names.get(&QualifiedName::new(schema.clone(), name.name.clone())),
            None => self
                .search_path
                .iter()
                .find_map(|schema| self.type_names.get(&QualifiedName::new(schema.clone(), name.name.clone()))),
        };
        id.map(|id| &*self.types[id])
    }

    /// What became of a name that is no more.
    pub fn gone(&self, name: &Name) -> Option<&Gone> {
        match &name.schema {
            Some(schema) => self.gone.get(&QualifiedName::new(schema.clone(), name.name.clone())),
            None => {
                let gone = |schema: &Ident| self.gone.get(&QualifiedName::new(schema.clone(), name.name.clone()));
                gone(&Ident::new("pg_temp")).or_else(|| self.search_path.iter().find_map(gone))
            }
        }
    }

    /// All partitions below a table, at every level, in order of their bounds' making; the table itself is not one.
    pub fn partitions(&self, table: RelationId) -> Vec<RelationId> {
        let mut found = Vec::new();
        let mut open = vec![table];
        while let Some(next) = open.pop() {
            let Some(parent) = self.get_relation(next).and_then(Relation::as_table) else { continue };
            if parent.kind != TableKind::Partitioned {
                continue;
            }
            found.extend(&parent.children);
            open.extend(parent.children.iter().rev());
        }
        found
    }

    /// The top of the partition tree that a table belongs to; itself where it is no partition.
    pub fn partition_root(&self, table: RelationId) -> RelationId {
        let mut at = table;
        while let Some(partition) =
            self.get_relation(at).and_then(Relation::as_table).and_then(|table| table.partition_of.as_ref())
        {
            at = partition.parent;
        }
        at
    }

    /// The index belongs to a partitioned table: it is invalid until each partition has its own.
    pub fn is_partitioned_index(&self, id: RelationId) -> bool {
        let index = self.get_relation(id).and_then(Relation::as_index);
        index.and_then(|index| self.get_relation(index.table)).is_some_and(Relation::is_partitioned)
    }

    /// A column's name, for messages. Columns of a view are numbered from 1 in their order.
    pub fn column_name(&self, table: RelationId, column: ColumnId) -> Ident {
        if let Some(view) = self.get_relation(table).and_then(Relation::as_view) {
            let name = view.columns.get(usize::from(column.0).wrapping_sub(1));
            return name.cloned().unwrap_or_else(|| Ident::new("?"));
        }
        let found = self.get_relation(table).and_then(Relation::as_table).and_then(|table| table.column_by_id(column));
        found.map_or_else(|| Ident::new("?"), |column| column.name.clone())
    }
}

impl Relation {
    pub fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            RelationKind::Table(table) => Some(table),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::View(_) | RelationKind::Other => None,
        }
    }

    pub fn as_index(&self) -> Option<&Index> {
        match &self.kind {
            RelationKind::Index(index) => Some(index),
            RelationKind::Table(_) | RelationKind::Sequence(_) | RelationKind::View(_) | RelationKind::Other => None,
        }
    }

    pub fn as_view(&self) -> Option<&View> {
        match &self.kind {
            RelationKind::View(view) => Some(view),
            RelationKind::Table(_) | RelationKind::Sequence(_) | RelationKind::Index(_) | RelationKind::Other => None,
        }
    }

    pub fn is_partitioned(&self) -> bool {
        self.as_table().is_some_and(|table| table.kind == TableKind::Partitioned)
    }
}

impl Table {
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }

    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }
}

impl Column {
    /// Its default is a value that only the program knows.
    pub fn has_parameter(&self) -> bool {
        self.default.as_ref().is_some_and(|default| default.tree.has_parameter())
    }

    /// The sequences that are dropped with it.
    pub fn sequences(&self) -> impl Iterator<Item = RelationId> {
        self.sequence.iter().chain(&self.more_sequences).copied()
    }

    pub(super) fn own(&mut self, sequence: RelationId) {
        match self.sequence {
            None => self.sequence = Some(sequence),
            Some(first) if first == sequence || self.more_sequences.contains(&sequence) => {}
            Some(_) => self.more_sequences.push(sequence),
        }
    }

    pub(super) fn disown(&mut self, sequence: RelationId) {
        self.more_sequences.retain(|other| *other != sequence);
        if self.sequence == Some(sequence) {
            self.sequence = (!self.more_sequences.is_empty()).then(|| self.more_sequences.remove(0));
        }
    }
}

impl Constraint {
    pub fn as_foreign(&self) -> Option<&ForeignRow> {
        match &self.kind {
            ConstraintRow::Foreign(key) => Some(key),
            ConstraintRow::Check { .. }
            | ConstraintRow::NotNull
            | ConstraintRow::Primary { .. }
            | ConstraintRow::Unique { .. }
            | ConstraintRow::Exclude { .. } => None,
        }
    }

    /// Stands on its own: dropping a parent's constraint does not drop it.
    pub fn is_standalone(&self) -> bool {
        self.parent.is_none() && self.inherited == 0
    }
}
