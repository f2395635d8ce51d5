//! Sequences and whose they are; schemas and extensions.

use super::resolve::quoted;
use super::{Change, Outcome, because, duplicate, refused};
use crate::operation::{
    AlterSequence, Constant, CreateExtension, CreateSchema, CreateSequence, CreateStatistics, Expr, Expression, Ident,
    Name, Persistence, QualifiedName, TypeName,
};
use crate::schema::{ColumnId, RelationId, RelationKind, Sequence};

impl Change<'_> {
    /// The sequence of a serial (a default reads it) or identity column.
    pub(super) fn own_sequence(
        &mut self,
        table: RelationId,
        column: ColumnId,
        name: Option<&Name>,
        identity: bool,
    ) -> Outcome {
        let schema = self.namespace(table);
        let (label, part) = (self.label(table), self.schema.column_name(table, column));
        let full = match name {
            Some(name) => QualifiedName::new(name.schema.clone().unwrap_or(schema), name.name.clone()),
            None => {
                let name = self.choose_relation(&schema, label.as_str(), Some(part.as_str()), "seq", false);
                QualifiedName::new(schema, name)
            }
        };
        self.name_is_free(&full)?;
        let found = self.schema.table(table);
        let data_type = found.column_by_id(column).and_then(|column| column.data_type.clone());
        let sequence = Sequence {
            data_type: data_type.unwrap_or_else(|| TypeName::built_in("bigint")),
            owned_by: Some((table, column)),
            internal: identity,
            persistence: self.sequence_persistence(found.persistence),
        };
        let default = (!identity).then(|| self.next_value(&full));
        let id = self.add_relation(full, RelationKind::Sequence(sequence), self.created());
        self.schema.edit_column(table, column, |column| {
            column.sequence = Some(id);
            if default.is_some() {
                column.default = default;
            }
        });
        Ok(())
    }

    /// Sequences can be unlogged from 15 on.
    fn sequence_persistence(&self, table: Persistence) -> Persistence {
        if table == Persistence::Unlogged && !self.since(15) { Persistence::Permanent } else { table }
    }

    /// `nextval('t_id_seq'::regclass)`; the schema is printed where search_path does not lead to it.
    fn next_value(&self, sequence: &QualifiedName) -> Expression {
        let visible = self.schema.search_path.contains(&sequence.schema) || sequence.schema == "pg_temp";
        let name = if visible { sequence.name.to_string() } else { sequence.to_string() };
        let literal = Expr::Constant(Constant::String(name.as_str().into()));
        let argument = Expr::Cast { value: Box::new(literal), to: TypeName::built_in("regclass") };
        Expression {
            text: format!("nextval('{}'::regclass)", name.replace('\'', "''")).into(),
            span: self.at.span,
            tree: Expr::Call { function: Name::bare(Ident::new("nextval")), arguments: vec![argument] },
        }
    }

    /// The sequence that a default names is looked up when the default is made.
    pub(super) fn sequence_exists(&mut self, default: &Expression) -> Outcome {
        match super::depend::sequence_name(&default.tree) {
            Some(name) => self.relation(&name, super::resolve::Taken::Other).map(|_| ()),
            None => Ok(()),
        }
    }

    pub(super) fn create_sequence(&mut self, create: &CreateSequence) -> Outcome {
        let full = self.place(&create.name, create.persistence == Persistence::Temporary)?;
        if create.if_not_exists && self.schema.relation_names.contains_key(&full) {
            let text = format!("relation {} already exists, skipping", quoted(&full.name));
            self.notice(full.to_string(), text);
            return Ok(());
        }
        self.name_is_free(&full)?;
        let sequence = Sequence {
            data_type: create.options.data_type.clone().unwrap_or_else(|| TypeName::built_in("bigint")),
            owned_by: None,
            internal: false,
            persistence: create.persistence,
        };
        let id = self.add_relation(full, RelationKind::Sequence(sequence), self.created());
        self.own_by(id, &create.options.owned_by)
    }

    pub(super) fn alter_sequence(&mut self, alter: &AlterSequence) -> Outcome {
        let target = crate::operation::ObjectKind::Sequence;
        let Some(id) = self.altered(&alter.name, alter.if_exists, target)? else { return Ok(()) };
        if let Some(data_type) = alter.options.data_type.clone() {
            self.schema.edit_sequence(id, |sequence| sequence.data_type = data_type);
        }
        self.own_by(id, &alter.options.owned_by)
    }

    fn own_by(&mut self, id: RelationId, owner: &Option<Option<(Name, Ident)>>) -> Outcome {
        let Some(owner) = owner else { return Ok(()) };
        let RelationKind::Sequence(sequence) = &self.schema.relation(id).kind else { return Ok(()) };
        let (old, internal) = (sequence.owned_by, sequence.internal);
        let new = match owner {
            None => None,
            Some((table, column)) => {
                let table = self.table(table)?;
                if self.namespace(table) != self.namespace(id) {
                    let message = "sequence must be in same schema as table it is linked to".to_owned();
                    return Err(refused("55000", self.full(id), message));
                }
                Some((table, self.column(table, column)?))
            }
        };
        if internal {
            let message = "cannot change ownership of identity sequence".to_owned();
            return Err(refused("0A000", self.full(id), message));
        }
        if let Some((table, column)) = old {
            self.schema.edit_column(table, column, |column| column.disown(id));
        }
        if let Some((table, column)) = new {
            self.schema.edit_column(table, column, |column| column.own(id));
        }
        self.schema.edit_sequence(id, |sequence| sequence.owned_by = new);
        Ok(())
    }

    pub(super) fn create_schema(&mut self, create: &CreateSchema) -> Outcome {
        let known = self.schema.schemas.get(&create.name);
        // A runner makes it where it is missing, unless it is told not to: then this does.
        let known = known.filter(|known| known.is_certain() || create.if_not_exists);
        let known = known.map(|existence| existence.origin().clone());
        let exists = known.is_some()
            || matches!(create.name.as_str(), "public" | "pg_catalog" | "information_schema")
                && !self.schema.gone_schemas.contains_key(&create.name);
        if exists {
            let text = format!("schema {} already exists", quoted(&create.name));
            if create.if_not_exists {
                self.notice(create.name.to_string(), format!("{text}, skipping"));
                return Ok(());
            }
            return Err(because(duplicate("42P06", create.name.to_string(), text), known.as_ref()));
        }
        self.schema.gone_schemas.remove(&create.name);
        let existence = self.created();
        self.schema.schemas.insert(create.name.clone(), existence);
        // What is written inside goes to the new schema.
        let path = self.schema.search_path.clone();
        self.schema.search_path.insert(0, create.name.clone());
        for element in &create.elements {
            self.run(&element.operation)?;
        }
        self.schema.search_path = path;
        Ok(())
    }

    pub(super) fn create_extension(&mut self, create: &CreateExtension) -> Outcome {
        if let Some(existence) = self.schema.extensions.get(&create.name) {
            let text = format!("extension {} already exists", quoted(&create.name));
            if create.if_not_exists {
                self.notice(create.name.to_string(), format!("{text}, skipping"));
                return Ok(());
            }
            let by = existence.origin().clone();
            return Err(because(duplicate("42710", create.name.to_string(), text), Some(&by)));
        }
        if let Some(schema) = &create.schema {
            self.require_schema(schema)?;
        }
        let existence = self.created();
        self.schema.extensions.insert(create.name.clone(), existence);
        Ok(())
    }

    pub(super) fn create_statistics(&mut self, create: &CreateStatistics) -> Outcome {
        let table = self.relation(&create.table, super::resolve::Taken::Table)?;
        let full = match &create.name {
            Some(name) => self.place(name, false)?,
            None => {
                let schema = self.namespace(table);
                let label = self.label(table);
                QualifiedName::new(schema, format!("{}_stat", label.as_str()).as_str())
            }
        };
        if create.name.is_some() && self.schema.statistics.contains_key(&full) {
            let text = format!("statistics object {} already exists", quoted(&full.name));
            if create.if_not_exists {
                self.notice(full.to_string(), format!("{text}, skipping"));
                return Ok(());
            }
            return Err(duplicate("42710", full.to_string(), text));
        }
        self.schema.statistics.insert(full, table);
        Ok(())
    }
}
