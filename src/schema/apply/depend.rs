//! What an object consists of, and what depends on it: `pg_depend`, as questions to the model instead of rows.

use std::sync::Arc;

use super::Change;
use super::drop::Object;
use crate::operation::{Expr, Expression, Ident, Name, QualifiedName};
use crate::schema::{
    Column, ColumnId, ConstraintId, ConstraintRow, FunctionId, IndexKey, Relation, RelationId, RelationKind, TableKind,
    TypeId, TypeKind,
};

impl Change<'_> {
    /// What belongs to an object and goes with it in any case.
    pub(super) fn parts_of(&self, object: &Object) -> Vec<Object> {
        match object {
            Object::Relation(id) => self.parts_of_relation(*id),
            Object::Column(table, column) => self.parts_of_column(*table, *column),
            Object::Constraint(id) => {
                let Some(row) = self.schema.get_constraint(*id) else { return Vec::new() };
                let index = match row.kind {
                    ConstraintRow::Primary { index }
                    | ConstraintRow::Unique { index }
                    | ConstraintRow::Exclude { index } => Some(Object::Relation(index)),
                    _ => None,
                };
                row.children.iter().copied().map(Object::Constraint).chain(index).collect()
            }
            Object::Trigger(id) => {
                let children = self.schema.get_trigger(*id).map(|trigger| trigger.children.clone()).unwrap_or_default();
                children.into_iter().map(Object::Trigger).collect()
            }
            Object::Default(..) | Object::Policy(..) | Object::Function(_) | Object::Type(_) => Vec::new(),
        }
    }

    pub(super) fn parts_of_relation(&self, id: RelationId) -> Vec<Object> {
        let Some(relation) = self.schema.get_relation(id) else { return Vec::new() };
        match &relation.kind {
            RelationKind::Table(table) => {
                let rows = table.constraints.iter().chain(&table.not_null).chain(&table.derived);
                let constraints = rows.copied().map(Object::Constraint);
                let indexes = table.indexes.iter().copied().map(Object::Relation);
                let sequences = table.columns.iter().flat_map(Column::sequences).map(Object::Relation);
                let partitions = table.children.iter().filter(|_| table.kind == TableKind::Partitioned);
                let triggers = table.triggers.iter().copied().map(Object::Trigger);
                let partitions = partitions.copied().map(Object::Relation);
                constraints.chain(indexes).chain(sequences).chain(triggers).chain(partitions).collect()
            }
            RelationKind::Index(index) => {
                let children = index.children.iter().copied().map(Object::Relation);
                children.chain(index.constraint.map(Object::Constraint)).collect()
            }
            RelationKind::View(view) => {
                let indexes = view.indexes.iter().copied().map(Object::Relation);
                indexes.chain(view.triggers.iter().copied().map(Object::Trigger)).collect()
            }
            RelationKind::Sequence(_) | RelationKind::Other => Vec::new(),
        }
    }

    /// Constraints and indexes on a column fall with it, whatever other columns they have.
    pub(super) fn parts_of_column(&self, table: RelationId, column: ColumnId) -> Vec<Object> {
        let found = self.schema.table(table);
        let Some(own) = found.column_by_id(column) else { return Vec::new() };
        let names = |expression: &Expression| expression.tree.columns().contains(&&own.name);
        let constraints = found
            .constraints
            .iter()
            .chain(&found.not_null)
            .chain(&found.derived)
            .copied()
            .filter(|id| self.schema.get_constraint(*id).is_some_and(|row| row.columns.contains(&column)));
        let indexes = found.indexes.iter().copied().filter(|id| {
            self.as_index(*id).is_some_and(|index| {
                index.include.contains(&column)
                    || index.filter.as_ref().is_some_and(names)
                    || index.parts.iter().any(|part| match &part.key {
                        IndexKey::Column(one) => *one == column,
                        IndexKey::Expression(expression) => names(expression),
                    })
            })
        });
        let sequences = own.sequences().map(Object::Relation);
        constraints.map(Object::Constraint).chain(indexes.map(Object::Relation)).chain(sequences).collect()
    }

    /// What depends on an object without belonging to it.
    pub(super) fn dependents(&self, object: &Object) -> Vec<Object> {
        match object {
            Object::Relation(id) => self.dependents_of_relation(*id),
            Object::Column(table, column) => self.dependents_of_column(*table, *column),
            Object::Function(id) => self.dependents_of_function(*id),
            Object::Type(id) => self.dependents_of_type(*id),
            Object::Constraint(_) | Object::Trigger(_) | Object::Default(..) | Object::Policy(..) => Vec::new(),
        }
    }

    pub(super) fn dependents_of_relation(&self, id: RelationId) -> Vec<Object> {
        let Some(relation) = self.schema.get_relation(id) else { return Vec::new() };
        match &relation.kind {
            RelationKind::Table(table) => {
                let children = table.children.iter().filter(|_| table.kind != TableKind::Partitioned);
                let keys = table.referenced_by.iter().chain(&table.derived_by).map(|key| self.root(*key));
                let views = table.views.iter().copied().map(Object::Relation);
                let functions = self.functions_with_type(&relation.name);
                children
                    .copied()
                    .map(Object::Relation)
                    .chain(keys.map(Object::Constraint))
                    .chain(views)
                    .chain(functions)
                    .collect()
            }
            RelationKind::View(view) => {
                let functions = self.functions_with_type(&relation.name);
                view.views.iter().copied().map(Object::Relation).chain(functions).collect()
            }
            RelationKind::Index(index) => {
                let table = self.schema.table(index.table);
                let keys = table.referenced_by.iter().chain(&table.derived_by).copied();
                let relying = keys.filter(|key| self.foreign(*key).is_some_and(|key| key.index == Some(id)));
                relying.map(|key| Object::Constraint(self.root(key))).collect()
            }
            RelationKind::Sequence(_) => self.defaults_with_sequence(relation),
            RelationKind::Other => Vec::new(),
        }
    }

    /// The declared key that a row for a partition is part of.
    pub(super) fn root(&self, id: ConstraintId) -> ConstraintId {
        let mut at = id;
        while let Some(parent) = self.schema.get_constraint(at).and_then(|row| row.parent) {
            at = parent;
        }
        at
    }

    pub(super) fn dependents_of_column(&self, table: RelationId, column: ColumnId) -> Vec<Object> {
        let found = self.schema.table(table);
        let name = self.schema.column_name(table, column);
        let names = |expression: &Option<Expression>| {
            expression.as_ref().is_some_and(|one| one.tree.columns().contains(&&name))
        };
        let keys = found.referenced_by.iter().chain(&found.derived_by).copied();
        let keys = keys.filter(|key| self.foreign(*key).is_some_and(|key| key.referenced_columns.contains(&column)));
        let mut all: Vec<Object> = keys.map(|key| Object::Constraint(self.root(key))).collect();
        for view in &found.views {
            let view_row = self.schema.get_relation(*view).and_then(Relation::as_view);
            if view_row.is_some_and(|one| one.reads.iter().any(|(read, used)| *read == table && used.contains(&column)))
            {
                all.push(Object::Relation(*view));
            }
        }
        for trigger in self.schema.triggers_of(table) {
            if trigger.update_columns.contains(&column) || names(&trigger.when) {
                all.push(Object::Trigger(trigger.id));
            }
        }
        for policy in &found.policies {
            if names(&policy.using) || names(&policy.check) {
                all.push(Object::Policy(table, policy.name.clone()));
            }
        }
        for other in &found.columns {
            let uses = other.generated.as_ref().is_some_and(|one| one.expression.tree.columns().contains(&&name));
            if uses && other.id != column {
                all.push(Object::Column(table, other.id));
            }
        }
        all
    }

    pub(super) fn defaults_with_sequence(&self, sequence: &Relation) -> Vec<Object> {
        let mut found = Vec::new();
        for (relation, table) in self.schema.tables() {
            for column in &table.columns {
                let uses = column.default.as_ref().is_some_and(|one| self.uses_sequence(&one.tree, sequence));
                if uses {
                    found.push(Object::Default(relation.id, column.id));
                }
            }
        }
        found
    }

    /// `nextval('name'::regclass)`; the name was resolved when the default was made.
    pub(super) fn uses_sequence(&self, tree: &Expr, sequence: &Relation) -> bool {
        let Some(name) = sequence_name(tree) else { return false };
        match name.schema {
            Some(schema) => schema == sequence.name.schema && name.name == sequence.name.name,
            None => name.name == sequence.name.name && self.schema.find(&name).is_some_and(|one| one.id == sequence.id),
        }
    }

    pub(super) fn dependents_of_function(&self, id: FunctionId) -> Vec<Object> {
        let Some(function) = self.schema.functions.get(&id) else { return Vec::new() };
        let mut found: Vec<Object> = function.triggers.iter().copied().map(Object::Trigger).collect();
        // A trigger's function cannot be called in an expression (PL/pgSQL, "Trigger Functions").
        if &*function.returns == "trigger" {
            return found;
        }
        // Calls do not tell overloads apart: with several, none is known to be used.
        if self.schema.function_names.get(&function.name).is_none_or(|ids| ids.len() != 1) {
            return found;
        }
        let calls =
            |expression: &Expression| expression.tree.calls().into_iter().any(|call| self.means(call, &function.name));
        for (relation, table) in self.schema.tables() {
            for column in &table.columns {
                if column.default.as_ref().is_some_and(calls) {
                    found.push(Object::Default(relation.id, column.id));
                }
                if column.generated.as_ref().is_some_and(|one| calls(&one.expression)) {
                    found.push(Object::Column(relation.id, column.id));
                }
            }
            for index in &table.indexes {
                let Some(index_row) = self.as_index(*index) else { continue };
                let key = |key: &IndexKey| matches!(key, IndexKey::Expression(expression) if calls(expression));
                if index_row.filter.as_ref().is_some_and(calls) || index_row.parts.iter().any(|part| key(&part.key)) {
                    found.push(Object::Relation(*index));
                }
            }
            for policy in &table.policies {
                if policy.using.as_ref().is_some_and(calls) || policy.check.as_ref().is_some_and(calls) {
                    found.push(Object::Policy(relation.id, policy.name.clone()));
                }
            }
        }
        for row in self.schema.constraints() {
            if let ConstraintRow::Check { expression } = &row.kind
                && calls(expression)
            {
                found.push(Object::Constraint(row.id));
            }
        }
        for relation in self.schema.relations() {
            if let RelationKind::View(view) = &relation.kind
                && view.query.calls().into_iter().any(|call| self.means(call, &function.name))
            {
                found.push(Object::Relation(relation.id));
            }
        }
        found
    }

    pub(super) fn means(&self, written: &Name, full: &QualifiedName) -> bool {
        written.name == full.name
            && match &written.schema {
                Some(schema) => *schema == full.schema,
                None => self.schema.search_path.contains(&full.schema),
            }
    }

    pub(super) fn dependents_of_type(&self, id: TypeId) -> Vec<Object> {
        let Some(found) = self.schema.types.get(&id) else { return Vec::new() };
        let is = |name: &Name| self.means(name, &found.name);
        let mut all = self.functions_with_type(&found.name);
        for (relation, table) in self.schema.tables() {
            for column in &table.columns {
                if column.data_type.as_ref().is_some_and(|one| !one.built_in && is(&one.name)) {
                    all.push(Object::Column(relation.id, column.id));
                }
            }
        }
        for other in self.schema.types() {
            let uses = match &other.kind {
                TypeKind::Domain(domain) => !domain.data_type.built_in && is(&domain.data_type.name),
                TypeKind::Composite { attributes } => attributes.iter().any(|(_, one)| !one.built_in && is(&one.name)),
                _ => false,
            };
            if uses && other.id != id {
                all.push(Object::Type(other.id));
            }
        }
        all
    }

    /// Functions that take the type or return it.
    pub(super) fn functions_with_type(&self, name: &QualifiedName) -> Vec<Object> {
        let functions = self.schema.functions.values();
        let functions = functions.filter(|function| function.named_types().iter().any(|one| self.means(one, name)));
        functions.map(|function| Object::Function(function.id)).collect()
    }
}

/// The sequence that a default takes its value from.
pub(super) fn sequence_name(tree: &Expr) -> Option<Name> {
    let mut found = None;
    tree.walk(&mut |expr| {
        let Expr::Call { function, arguments } = expr else { return };
        if function.name != "nextval" {
            return;
        }
        let mut argument = arguments.first();
        while let Some(Expr::Cast { value, .. }) = argument {
            argument = Some(value);
        }
        if let Some(Expr::Constant(crate::operation::Constant::String(text))) = argument {
            found = Some(parse_name(text));
        }
    });
    found
}

fn parse_name(text: &Arc<str>) -> Name {
    let unquote = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(quoted) => Ident::new(quoted.replace("\"\"", "\"")),
        None => Ident::new(part.to_lowercase()),
    };
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(unquote(schema)), name: unquote(name) },
        None => Name { schema: None, name: unquote(text) },
    }
}
