//! From names as written to objects: through search_path, assuming what a history without base never showed.

use super::{Change, Outcome, because, missing, refused};
use crate::operation::{Ident, Name, QualifiedName, Reach, TypeName, Unread};
use crate::schema::{
    Column, ColumnId, Existence, Part, Relation, RelationId, RelationKind, Table, TableKind, Type, TypeId, TypeKind,
};

const WELL_KNOWN: &[&str] = &["public", "pg_catalog", "information_schema", "pg_temp"];

/// What an unseen name is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Table,
    Partitioned,
    Other,
}

impl Change<'_> {
    pub(super) fn schema_exists(&self, name: &Ident) -> bool {
        self.schema.schemas.contains_key(name)
            || WELL_KNOWN.contains(&name.as_str()) && !self.schema.gone_schemas.contains_key(name)
            || !self.schema.complete && !self.schema.gone_schemas.contains_key(name)
    }

    pub(super) fn require_schema(&self, name: &Ident) -> Outcome {
        if self.schema_exists(name) {
            return Ok(());
        }
        let gone = self.schema.gone_schemas.get(name).map(|gone| &gone.by);
        Err(because(missing("3F000", name.to_string(), format!("schema {} does not exist", quoted(name))), gone))
    }

    /// The schema that new objects without one go to.
    pub(super) fn creation_schema(&self) -> Outcome<Ident> {
        let path = self.schema.search_path.iter().find(|schema| self.schema_exists(schema));
        path.cloned()
            .ok_or_else(|| refused("3F000", String::new(), "no schema has been selected to create in".to_owned()))
    }

    /// Where a new object of that name goes.
    pub(super) fn place(&self, name: &Name, temporary: bool) -> Outcome<QualifiedName> {
        if temporary {
            return match &name.schema {
                Some(schema) if schema != "pg_temp" => Err(refused(
                    "42P16",
                    name.to_string(),
                    "cannot create temporary relation in non-temporary schema".to_owned(),
                )),
                _ => Ok(QualifiedName::new("pg_temp", name.name.clone())),
            };
        }
        let schema = match &name.schema {
            Some(schema) => {
                self.require_schema(schema)?;
                schema.clone()
            }
            None => self.creation_schema()?,
        };
        Ok(QualifiedName::new(schema, name.name.clone()))
    }

    /// Where an unseen name would stand.
    pub(super) fn place_unseen(&self, name: &Name) -> QualifiedName {
        let schema = name.schema.clone().or_else(|| self.schema.search_path.first().cloned());
        QualifiedName::new(schema.unwrap_or_else(|| Ident::new("public")), name.name.clone())
    }

    /// The relation a name means, without assuming anything.
    pub(super) fn find(&mut self, name: &Name) -> Option<RelationId> {
        let found = self.schema.find(name)?;
        let (id, certain) = (found.id, found.existence.is_certain());
        self.certain &= certain;
        Some(id)
    }

    /// The relation a name means; where the history has no base, an unseen one is assumed.
    pub(super) fn relation(&mut self, name: &Name, taken: Taken) -> Outcome<RelationId> {
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        if let Some(schema) = &name.schema {
            self.require_schema(schema)?;
        }
        if self.schema.complete || self.schema.gone(name).is_some() {
            return Err(self.no_relation(name));
        }
        Ok(self.assume(name, taken))
    }

    pub(super) fn no_relation(&self, name: &Name) -> Box<crate::schema::Failure> {
        let gone = self.schema.gone(name).map(|gone| &gone.by);
        let failure = missing("42P01", name.to_string(), format!("relation {} does not exist", quoted_name(name)));
        because(failure, gone)
    }

    pub(super) fn assume(&mut self, name: &Name, taken: Taken) -> RelationId {
        let mut table = Table::empty();
        table.columns_known = false;
        if taken == Taken::Partitioned {
            table.kind = TableKind::Partitioned;
        }
        let kind = if taken == Taken::Other { RelationKind::Other } else { RelationKind::Table(table) };
        let existence = Existence::Assumed { first_named: self.at.clone() };
        self.add_relation(self.place_unseen(name), kind, existence)
    }

    /// A table; anything else is refused as `"v" is not a table`.
    pub(super) fn table(&mut self, name: &Name) -> Outcome<RelationId> {
        let id = self.relation(name, Taken::Table)?;
        self.must_be_table(id)?;
        Ok(id)
    }

    pub(super) fn must_be_table(&mut self, id: RelationId) -> Outcome {
        let Some(relation) = self.schema.get_relation(id) else { return Ok(()) };
        match &relation.kind {
            RelationKind::Table(_) => Ok(()),
            RelationKind::Other => {
                self.schema.edit_relation(id, |relation| {
                    let mut table = Table::empty();
                    table.columns_known = false;
                    relation.kind = RelationKind::Table(table);
                });
                Ok(())
            }
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::View(_) => {
                Err(self.wrong_kind(id, "a table"))
            }
        }
    }

    pub(super) fn wrong_kind(&self, id: RelationId, expected: &str) -> Box<crate::schema::Failure> {
        let name = self.label(id);
        refused("42809", self.full(id), format!("{} is not {expected}", quoted(&name)))
    }

    /// The relation's bare name, as most messages have it.
    pub(super) fn label(&self, id: RelationId) -> Ident {
        self.schema.get_relation(id).map_or_else(|| Ident::new("?"), |relation| relation.name.name.clone())
    }

    pub(super) fn full(&self, id: RelationId) -> String {
        self.schema.get_relation(id).map_or_else(String::new, |relation| relation.name.to_string())
    }

    pub(super) fn namespace(&self, id: RelationId) -> Ident {
        self.schema.get_relation(id).map_or_else(|| Ident::new("public"), |relation| relation.name.schema.clone())
    }

    /// Parts may exist that this history never showed.
    pub(super) fn is_open(&self, id: RelationId) -> bool {
        let assumed = |relation: &Relation| match &relation.existence {
            Existence::Assumed { .. } => true,
            Existence::Maybe { .. } => !relation.as_table().is_some_and(|table| table.columns_known),
            Existence::Created { .. } => false,
        };
        self.schema
            .get_relation(id)
            .is_some_and(|relation| assumed(relation) || relation.as_table().is_some_and(|table| !table.columns_known))
    }

    /// A column by name; on a table whose columns are not all known it is assumed.
    pub(super) fn find_column(&mut self, table: RelationId, name: &Ident) -> Option<ColumnId> {
        if let Some(column) = self.schema.table(table).column(name) {
            let (id, certain) = (column.id, column.existence.is_certain());
            self.certain &= certain;
            return Some(id);
        }
        let known = self.schema.table(table).columns_known;
        if known || self.schema.gone_parts.contains_key(&(table, Part::Column, name.clone())) {
            return None;
        }
        let column = self.new_column(name, None, Existence::Assumed { first_named: self.at.clone() });
        let mut id = ColumnId(0);
        self.schema.edit_table(table, |table| id = table.push(column));
        Some(id)
    }

    /// A column, or 42703 `column "c" of relation "t" does not exist`.
    pub(super) fn column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        self.find_column(table, name).ok_or_else(|| {
            let message = format!("column {} of relation {} does not exist", quoted(name), quoted(&self.label(table)));
            self.no_column(table, name, message)
        })
    }

    pub(super) fn no_column(&self, table: RelationId, name: &Ident, message: String) -> Box<crate::schema::Failure> {
        let gone = self.schema.gone_parts.get(&(table, Part::Column, name.clone())).map(|gone| &gone.by);
        because(missing("42703", format!("{}.{name}", self.full(table)), message), gone)
    }

    pub(super) fn new_column(&self, name: &Ident, data_type: Option<TypeName>, existence: Existence) -> Column {
        Column {
            id: ColumnId(0),
            name: name.clone(),
            existence,
            data_type,
            collation: None,
            not_null: false,
            default: None,
            identity: None,
            generated: None,
            sequence: None,
            more_sequences: Vec::new(),
            local: true,
            inherited: 0,
        }
    }

    /// A type's name must mean something: built in, made here, a table's row, an extension's.
    pub(super) fn require_type(&mut self, data_type: &TypeName) -> Outcome {
        if data_type.built_in || self.schema.find_type(&data_type.name).is_some() {
            return Ok(());
        }
        if self.schema.find(&data_type.name).is_some() {
            return Ok(());
        }
        let name = &data_type.name;
        // Words for a column that is made, no types.
        let serial = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
        if name.schema.is_none() && serial.contains(&name.name.as_str()) {
            return Err(missing("42704", name.to_string(), format!("type {} does not exist", quoted_name(name))));
        }
        if let Some(schema) = &name.schema {
            if schema == "pg_catalog" || schema == "information_schema" {
                return Ok(());
            }
            self.require_schema(schema)?;
        }
        let full = self.place_unseen(name);
        let gone = self.schema.gone_types.get(&full);
        // An extension brings types of its own, which no statement names.
        if gone.is_none() && (!self.schema.complete || !self.schema.extensions.is_empty()) {
            self.add_type(full, TypeKind::Unknown, Existence::Assumed { first_named: self.at.clone() });
            return Ok(());
        }
        let by = gone.map(|gone| gone.by.clone());
        Err(because(
            missing("42704", name.to_string(), format!("type {} does not exist", quoted_name(name))),
            by.as_ref(),
        ))
    }

    /// A type's name as a column keeps it: what search_path leads to now stays meant when the path is another one.
    pub(super) fn kept_type(&self, data_type: &TypeName) -> TypeName {
        let found = if data_type.built_in || data_type.name.schema.is_some() {
            None
        } else {
            self.schema.find_type(&data_type.name)
        };
        let mut kept = data_type.clone();
        kept.name.schema = match found {
            Some(found) if found.name.schema != "public" => Some(found.name.schema.clone()),
            // `public.citext` is the type that `citext` is.
            _ => kept.name.schema.filter(|schema| *schema != "public"),
        };
        kept
    }

    pub(super) fn add_type(&mut self, name: QualifiedName, kind: TypeKind, existence: Existence) -> TypeId {
        let id = TypeId(self.schema.fresh());
        self.schema.gone_types.remove(&name);
        self.schema.type_names.insert(name.clone(), id);
        self.schema.types.insert(id, crate::schema::kept::Kept::new(Type { id, name, existence, kind }));
        id
    }

    /// A statement that could not be read may have done anything to what it names.
    pub(super) fn unread(&mut self, unread: &Unread) {
        if unread.reach != Reach::Anything {
            return;
        }
        let by = Existence::Maybe { by: self.at.clone() };
        let ids: Vec<RelationId> =
            unread.touches.iter().filter_map(|name| self.schema.find(name)).map(|one| one.id).collect();
        for id in ids {
            self.schema.edit_relation(id, |relation| relation.existence = by.clone());
        }
        if unread.everything {
            // Whatever it made is not known: from here on an unseen name may exist.
            self.schema.expect_unseen();
        }
    }
}

/// A name in a message's double quotes.
pub(super) fn quoted(name: &Ident) -> String {
    format!("\"{}\"", name.as_str())
}

/// A written name in a message's double quotes, its schema inside them.
pub(super) fn quoted_name(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("\"{}.{}\"", schema.as_str(), name.name.as_str()),
        None => quoted(&name.name),
    }
}
