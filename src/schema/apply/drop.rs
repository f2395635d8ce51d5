//! DROP and what it takes along: `pg_depend`, as questions to the model instead of rows.

use std::collections::BTreeSet;

use super::depend::sequence_name;
use super::index::kind_word;
use super::resolve::{Taken, quoted, quoted_name};
use super::{Change, Outcome, because, failure, inherited, missing, refused};
use crate::operation::{Drop, DropTarget, Expression, Ident, Name, ObjectKind, QualifiedName};
use crate::schema::{
    ColumnId, ConstraintId, Failure, FailureKind, FunctionId, Part, Relation, RelationId, RelationKind, Schema,
    TableKind, TriggerId, TypeId, TypeKind,
};

/// What can be dropped, or falls with something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    Trigger(TriggerId),
    Constraint(ConstraintId),
    Policy(RelationId, Ident),
    Default(RelationId, ColumnId),
    Relation(RelationId),
    Column(RelationId, ColumnId),
    Function(FunctionId),
    Type(TypeId),
}

impl Change<'_> {
    pub(super) fn drop_objects(&mut self, drop: &Drop) -> Outcome {
        let mut start = Vec::new();
        for target in &drop.targets {
            self.collect_target(drop, target, &mut start)?;
        }
        self.delete(start, drop.cascade)
    }

    fn collect_target(&mut self, drop: &Drop, target: &DropTarget, start: &mut Vec<Object>) -> Outcome {
        match drop.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Index
            | ObjectKind::Sequence => {
                if let Some(id) = self.dropped_relation(drop, &target.name)? {
                    start.push(Object::Relation(id));
                }
                Ok(())
            }
            ObjectKind::Type | ObjectKind::Domain => {
                if let Some(id) = self.dropped_type(drop, &target.name)? {
                    start.push(Object::Type(id));
                }
                Ok(())
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate | ObjectKind::Routine => {
                if let Some(id) = self.dropped_function(drop, target)? {
                    start.push(Object::Function(id));
                }
                Ok(())
            }
            ObjectKind::Trigger => self.dropped_trigger(drop, target, start),
            ObjectKind::Policy | ObjectKind::Rule => self.dropped_part(drop, target),
            ObjectKind::Schema => self.dropped_schema(drop, &target.name.name, start),
            ObjectKind::Extension => {
                let name = &target.name.name;
                if self.schema.extensions.remove(name).is_some() || !self.schema.complete {
                    return Ok(());
                }
                self.absent(drop, "42704", &target.name, format!("extension {} does not exist", quoted(name)), None)
            }
            ObjectKind::Statistics => {
                let full = self.place_unseen(&target.name);
                if self.schema.statistics.remove(&full).is_some() || !self.schema.complete {
                    return Ok(());
                }
                let message = format!("statistics object {} does not exist", quoted_name(&target.name));
                self.absent(drop, "42704", &target.name, message, None)
            }
            ObjectKind::Publication | ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Other => Ok(()),
        }
    }

    /// Missing: a notice with IF EXISTS, else a failure.
    fn absent(
        &mut self,
        drop: &Drop,
        state: &'static str,
        name: &Name,
        message: String,
        by: Option<crate::operation::Origin>,
    ) -> Outcome {
        if drop.if_exists {
            self.notice(name.to_string(), format!("{message}, skipping"));
            return Ok(());
        }
        Err(because(missing(state, name.to_string(), message), by.as_ref()))
    }

    fn dropped_relation(&mut self, drop: &Drop, name: &Name) -> Outcome<Option<RelationId>> {
        let Some(id) = self.find(name) else {
            if let Some(schema) = &name.schema
                && !self.schema_exists(schema)
            {
                let message = format!("schema {} does not exist", quoted(schema));
                return self.absent(drop, "3F000", name, message, None).map(|()| None);
            }
            let gone = self.schema.gone(name).map(|gone| gone.by.clone());
            if gone.is_some() || self.schema.complete {
                let message = format!("{} {} does not exist", kind_word(drop.kind), quoted(&name.name));
                let state = if drop.kind == ObjectKind::Index { "42704" } else { "42P01" };
                return self.absent(drop, state, name, message, gone).map(|()| None);
            }
            // Never seen, and gone from here on, whatever it was.
            let gone = self.gone(None);
            self.schema.gone.insert(self.place_unseen(name), gone);
            return Ok(None);
        };
        self.drop_fits(drop, id)?;
        Ok(Some(id))
    }

    fn drop_fits(&mut self, drop: &Drop, id: RelationId) -> Outcome {
        let relation = self.schema.relation(id);
        let fits = match (&relation.kind, drop.kind) {
            (RelationKind::Table(table), ObjectKind::Table) => table.kind != TableKind::Foreign,
            (RelationKind::Table(table), ObjectKind::ForeignTable) => table.kind == TableKind::Foreign,
            (RelationKind::View(view), ObjectKind::View) => !view.materialized,
            (RelationKind::View(view), ObjectKind::MaterializedView) => view.materialized,
            (RelationKind::Index(_), ObjectKind::Index) | (RelationKind::Sequence(_), ObjectKind::Sequence) => true,
            (RelationKind::Other, _) => true,
            _ => false,
        };
        if !fits {
            return Err(self.wrong_kind(id, &super::alter::article(drop.kind)));
        }
        let (name, full) = (self.label(id), self.full(id));
        let requires = |kind, what: String| {
            Err(failure(
                kind,
                "2BP01",
                full.clone(),
                format!("cannot drop {} {name} because {what} requires it", kind_word(drop.kind)),
            ))
        };
        match &relation.kind {
            RelationKind::Index(index) => {
                let partitioned = self.schema.relation(index.table).is_partitioned();
                if drop.concurrently && partitioned {
                    let message = format!("cannot drop partitioned index {} concurrently", quoted(&name));
                    return Err(refused("0A000", full, message));
                }
                if let Some(parent) = index.parent {
                    return requires(FailureKind::Inherited, format!("index {}", self.label(parent)));
                }
                if let Some(row) = index.constraint.and_then(|id| self.schema.get_constraint(id)) {
                    let what = format!("constraint {} on table {}", row.name, self.label(row.table));
                    return requires(FailureKind::BehindConstraint, what);
                }
            }
            RelationKind::Sequence(sequence) => {
                if let Some((table, column)) = sequence.owned_by.filter(|_| sequence.internal) {
                    let column = self.schema.column_name(table, column);
                    let what = format!("column {column} of table {}", self.label(table));
                    return requires(FailureKind::DependedOn, what);
                }
            }
            RelationKind::Table(_) | RelationKind::View(_) | RelationKind::Other => {}
        }
        Ok(())
    }

    fn dropped_type(&mut self, drop: &Drop, name: &Name) -> Outcome<Option<TypeId>> {
        if let Some(found) = self.schema.find_type(name) {
            let id = found.id;
            let is_domain = matches!(found.kind, TypeKind::Domain(_) | TypeKind::Unknown);
            if drop.kind == ObjectKind::Domain && !is_domain {
                return Err(refused("42809", name.to_string(), format!("{} is not a domain", quoted_name(name))));
            }
            self.certain &= found.existence.is_certain();
            return Ok(Some(id));
        }
        let full = self.place_unseen(name);
        let gone = self.schema.gone_types.get(&full).map(|gone| gone.by.clone());
        if gone.is_some() || self.schema.complete {
            let message = format!("type {} does not exist", quoted_name(name));
            return self.absent(drop, "42704", name, message, gone).map(|()| None);
        }
        let gone = self.gone(None);
        self.schema.gone_types.insert(full, gone);
        Ok(None)
    }

    fn dropped_trigger(&mut self, drop: &Drop, target: &DropTarget, start: &mut Vec<Object>) -> Outcome {
        let Some(on) = &target.on else { return Ok(()) };
        if drop.if_exists && self.find(on).is_none() {
            let message = format!("relation {} does not exist", quoted_name(on));
            return self.absent(drop, "42P01", on, message, None);
        }
        let table = self.relation(on, Taken::Table)?;
        let name = &target.name.name;
        let found = self.schema.triggers_of(table).into_iter().find(|trigger| trigger.name == *name);
        let Some((id, parent)) = found.map(|trigger| (trigger.id, trigger.parent)) else {
            let gone = self.schema.gone_parts.get(&(table, Part::Trigger, name.clone())).map(|gone| gone.by.clone());
            if gone.is_none() && self.is_open(table) {
                let gone = self.gone(None);
                self.schema.gone_parts.insert((table, Part::Trigger, name.clone()), gone);
                return Ok(());
            }
            let message = format!("trigger {} for table {} does not exist", quoted(name), quoted(&self.label(table)));
            return self.absent(drop, "42704", &target.name, message, gone);
        };
        if let Some(parent) = parent.and_then(|id| self.schema.get_trigger(id)) {
            let message = format!(
                "cannot drop trigger {name} on table {} because trigger {} on table {} requires it",
                self.label(table),
                parent.name,
                self.label(parent.table)
            );
            return Err(inherited("2BP01", name.to_string(), message));
        }
        start.push(Object::Trigger(id));
        Ok(())
    }

    fn dropped_part(&mut self, drop: &Drop, target: &DropTarget) -> Outcome {
        let Some(on) = &target.on else { return Ok(()) };
        if drop.if_exists && self.find(on).is_none() {
            let message = format!("relation {} does not exist", quoted_name(on));
            return self.absent(drop, "42P01", on, message, None);
        }
        let table = self.relation(on, Taken::Table)?;
        let name = &target.name.name;
        let (part, word) = match drop.kind {
            ObjectKind::Policy => (Part::Policy, "policy"),
            _ => (Part::Rule, "rule"),
        };
        let found = self.schema.table(table);
        let has = match part {
            Part::Policy => found.policies.iter().any(|policy| policy.name == *name),
            _ => found.rules.iter().any(|rule| rule.name == *name),
        };
        let is_view = self.schema.relation(table).as_view().is_some();
        let open = self.is_open(table) && !self.schema.gone_parts.contains_key(&(table, part, name.clone()));
        if !(has || open || is_view && part == Part::Rule) {
            let gone = self.schema.gone_parts.get(&(table, part, name.clone())).map(|gone| gone.by.clone());
            let message = format!("{word} {} for relation {} does not exist", quoted(name), quoted(&self.label(table)));
            return self.absent(drop, "42704", &target.name, message, gone);
        }
        let gone = self.gone(None);
        self.schema.gone_parts.insert((table, part, name.clone()), gone);
        self.schema.edit_table(table, |table| match part {
            Part::Policy => table.policies.retain(|policy| policy.name != *name),
            _ => table.rules.retain(|rule| rule.name != *name),
        });
        Ok(())
    }

    fn dropped_schema(&mut self, drop: &Drop, name: &Ident, start: &mut Vec<Object>) -> Outcome {
        let written = Name::bare(name.clone());
        if !self.schema_exists(name) {
            let gone = self.schema.gone_schemas.get(name).map(|gone| gone.by.clone());
            return self.absent(drop, "3F000", &written, format!("schema {} does not exist", quoted(name)), gone);
        }
        let from = QualifiedName::new(name.clone(), "");
        let relations: Vec<RelationId> = self
            .schema
            .relation_names
            .range(from.clone()..)
            .take_while(|(full, _)| full.schema == *name)
            .map(|(_, id)| *id)
            .collect();
        let functions = self.schema.function_names.range(from.clone()..).take_while(|(full, _)| full.schema == *name);
        let functions: Vec<FunctionId> = functions.flat_map(|(_, ids)| ids.clone()).collect();
        let types = self.schema.type_names.range(from..).take_while(|(full, _)| full.schema == *name);
        let types: Vec<TypeId> = types.map(|(_, id)| *id).collect();
        let empty = relations.is_empty() && functions.is_empty() && types.is_empty();
        if !(drop.cascade || empty) {
            let message = format!("cannot drop schema {name} because other objects depend on it");
            return Err(failure(FailureKind::DependedOn, "2BP01", name.to_string(), message));
        }
        start.extend(relations.into_iter().map(Object::Relation));
        start.extend(functions.into_iter().map(Object::Function));
        start.extend(types.into_iter().map(Object::Type));
        self.schema.schemas.remove(name);
        let gone = self.gone(None);
        self.schema.gone_schemas.insert(name.clone(), gone);
        Ok(())
    }

    pub(super) fn delete_constraint(&mut self, id: ConstraintId, cascade: bool) -> Outcome {
        self.delete(vec![Object::Constraint(id)], cascade)
    }

    pub(super) fn delete_columns(&mut self, columns: &[(RelationId, ColumnId)], cascade: bool) -> Outcome {
        self.delete(columns.iter().map(|(table, column)| Object::Column(*table, *column)).collect(), cascade)
    }

    /// The sequence of DROP IDENTITY; a default elsewhere may still need it.
    pub(super) fn delete_sequence(&mut self, id: RelationId) -> Outcome {
        self.delete(vec![Object::Relation(id)], false)
    }

    /// Removes all, with what belongs to them; what merely depends on them falls by CASCADE alone.
    pub(super) fn delete(&mut self, start: Vec<Object>, cascade: bool) -> Outcome {
        let mut doomed: BTreeSet<Object> = BTreeSet::new();
        let mut fresh: Vec<Object> = Vec::new();
        let first = start.first().cloned();
        let many = start.len() > 1;
        self.close(start, &mut doomed, &mut fresh);
        while !fresh.is_empty() {
            let mut dependents: Vec<Object> = Vec::new();
            for object in std::mem::take(&mut fresh) {
                dependents.extend(self.dependents(&object).into_iter().filter(|one| !doomed.contains(one)));
            }
            dependents.retain(|one| !self.falls_with_its_table(one, &doomed));
            if let (Some(dependent), false, Some(first)) = (dependents.first(), cascade, &first) {
                return Err(self.depended_on(first, many, dependent));
            }
            self.close(dependents, &mut doomed, &mut fresh);
        }
        // Rows that lead to others go first: triggers, constraints, then what they stand on.
        for object in doomed {
            self.remove(&object);
        }
        Ok(())
    }

    fn falls_with_its_table(&self, object: &Object, doomed: &BTreeSet<Object>) -> bool {
        match object {
            Object::Default(table, column) => {
                doomed.contains(&Object::Relation(*table)) || doomed.contains(&Object::Column(*table, *column))
            }
            Object::Policy(table, _) => doomed.contains(&Object::Relation(*table)),
            Object::Column(table, _) => doomed.contains(&Object::Relation(*table)),
            _ => false,
        }
    }

    fn close(&self, objects: Vec<Object>, doomed: &mut BTreeSet<Object>, fresh: &mut Vec<Object>) {
        let mut open = objects;
        while let Some(next) = open.pop() {
            if !doomed.insert(next.clone()) {
                continue;
            }
            open.extend(self.parts_of(&next));
            fresh.push(next);
        }
    }

    fn depended_on(&self, first: &Object, many: bool, dependent: &Object) -> Box<Failure> {
        let (what, object) = self.describe(first);
        let message = if many {
            "cannot drop desired object(s) because other objects depend on them".to_owned()
        } else {
            format!("cannot drop {what} because other objects depend on it")
        };
        because(failure(FailureKind::DependedOn, "2BP01", object, message), self.made_by(dependent).as_ref())
    }

    fn made_by(&self, object: &Object) -> Option<crate::operation::Origin> {
        let existence = match object {
            Object::Relation(id) => &self.schema.get_relation(*id)?.existence,
            Object::Constraint(id) => &self.schema.get_constraint(*id)?.existence,
            Object::Trigger(id) => &self.schema.get_trigger(*id)?.existence,
            Object::Column(table, column) | Object::Default(table, column) => {
                &self.schema.table(*table).column_by_id(*column)?.existence
            }
            Object::Function(id) => &self.schema.functions.get(id)?.existence,
            Object::Type(id) => &self.schema.types.get(id)?.existence,
            Object::Policy(table, _) => &self.schema.get_relation(*table)?.existence,
        };
        Some(existence.origin().clone())
    }

    /// What messages call an object, and its full name.
    fn describe(&self, object: &Object) -> (String, String) {
        let relation = |id: RelationId| {
            let word = match self.schema.get_relation(id).map(|relation| &relation.kind) {
                Some(RelationKind::Index(_)) => "index",
                Some(RelationKind::Sequence(_)) => "sequence",
                Some(RelationKind::View(view)) if view.materialized => "materialized view",
                Some(RelationKind::View(_)) => "view",
                _ => "table",
            };
            format!("{word} {}", self.label(id))
        };
        match object {
            Object::Relation(id) => (relation(*id), self.full(*id)),
            Object::Column(table, column) | Object::Default(table, column) => {
                let name = self.schema.column_name(*table, *column);
                (format!("column {name} of table {}", self.label(*table)), format!("{}.{name}", self.full(*table)))
            }
            Object::Constraint(id) => self.schema.get_constraint(*id).map_or_else(Default::default, |row| {
                let full = format!("{}.{}", self.full(row.table), row.name);
                (format!("constraint {} on table {}", row.name, self.label(row.table)), full)
            }),
            Object::Trigger(id) => self.schema.get_trigger(*id).map_or_else(Default::default, |row| {
                let full = format!("{}.{}", self.full(row.table), row.name);
                (format!("trigger {} on table {}", row.name, self.label(row.table)), full)
            }),
            Object::Function(id) => {
                self.schema.functions.get(id).map_or_else(Default::default, |one| {
                    (format!("function {}", one.name.short()), one.name.to_string())
                })
            }
            Object::Type(id) => self
                .schema
                .types
                .get(id)
                .map_or_else(Default::default, |one| (format!("type {}", one.name.short()), one.name.to_string())),
            Object::Policy(table, name) => (format!("policy {name}"), self.full(*table)),
        }
    }

    fn remove(&mut self, object: &Object) {
        let gone = self.gone(None);
        match object {
            Object::Trigger(id) => {
                if let Some(trigger) = self.schema.get_trigger(*id) {
                    let key = (trigger.table, Part::Trigger, trigger.name.clone());
                    self.schema.gone_parts.insert(key, gone);
                }
                self.schema.remove_trigger(*id);
            }
            Object::Constraint(id) => {
                if let Some(row) = self.schema.get_constraint(*id) {
                    let key = (row.table, Part::of(row), row.name.clone());
                    self.schema.gone_parts.insert(key, gone);
                }
                self.schema.remove_constraint(*id);
            }
            Object::Policy(table, name) => {
                self.schema.gone_parts.insert((*table, Part::Policy, name.clone()), gone);
                self.schema.edit_table(*table, |table| table.policies.retain(|policy| policy.name != *name));
            }
            Object::Default(table, column) => {
                self.schema.edit_column(*table, *column, |column| column.default = None);
            }
            Object::Relation(id) => {
                if let Some(name) = self.schema.get_relation(*id).map(|relation| relation.name.clone()) {
                    self.schema.gone.insert(name, gone);
                }
                let lost = self.schema.statistics.iter().filter(|(_, table)| *table == id);
                let lost: Vec<QualifiedName> = lost.map(|(name, _)| name.clone()).collect();
                for name in lost {
                    self.schema.statistics.remove(&name);
                }
                self.schema.remove_relation(*id);
            }
            Object::Column(table, column) => {
                let name = self.schema.column_name(*table, *column);
                self.schema.gone_parts.insert((*table, Part::Column, name), gone);
                self.schema.edit_table(*table, |table| table.columns.retain(|one| one.id != *column));
            }
            Object::Function(id) => self.remove_function(*id),
            Object::Type(id) => {
                if let Some(found) = self.schema.types.remove(id) {
                    self.schema.type_names.remove(&found.name);
                    self.schema.gone_types.insert(found.name.clone(), gone);
                }
            }
        }
    }

    fn remove_function(&mut self, id: FunctionId) {
        let Some(function) = self.schema.functions.remove(&id) else { return };
        let gone = self.gone(None);
        let mut left = true;
        if let Some(ids) = self.schema.function_names.get_mut(&function.name) {
            ids.retain(|one| *one != id);
            left = !ids.is_empty();
        }
        if !left {
            self.schema.function_names.remove(&function.name);
            self.schema.gone_functions.insert(function.name.clone(), gone);
        }
    }
}

impl Schema {
    /// The sequence that a default draws from.
    pub fn sequence_of_default(&self, default: &Expression) -> Option<&Relation> {
        self.find(&sequence_name(&default.tree)?)
    }

    /// The column that a sequence belongs to, and goes with.
    pub fn owner_of_sequence(&self, sequence: RelationId) -> Option<(RelationId, ColumnId)> {
        match &self.get_relation(sequence)?.kind {
            RelationKind::Sequence(sequence) => sequence.owned_by,
            _ => None,
        }
    }
}
