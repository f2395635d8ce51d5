//! Triggers with their clones on partitions; rules and policies.

use std::collections::BTreeSet;

use super::resolve::{Taken, quoted, quoted_name};
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{
    CreateRule, CreateTrigger, Expr, Expression, Ident, ObjectKind, Policy, Rename, TriggerChoice, TriggerState,
    TriggerTiming,
};
use crate::schema::kept::Kept;
use crate::schema::{
    ColumnId, Failure, FunctionId, Part, PolicyRow, RelationId, RelationKind, RuleRow, TableKind, Trigger, TriggerId,
};

/// Trigger functions that PostgreSQL brings along.
const BUILT_IN: &[&str] =
    &["suppress_redundant_updates_trigger", "tsvector_update_trigger", "tsvector_update_trigger_column"];

impl Change<'_> {
    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) -> Outcome {
        let table = self.relation(&create.table, Taken::Table)?;
        self.trigger_fits(table, create)?;
        let mut update_columns = Vec::new();
        for name in &create.events.update_columns {
            let column = self.trigger_column(table, name)?;
            if update_columns.contains(&column) {
                let message = format!("column {} specified more than once", quoted(name));
                return Err(duplicate("42701", name.to_string(), message));
            }
            update_columns.push(column);
        }
        if let Some(when) = &create.when {
            self.when_fits(table, create, when)?;
        }
        let function = self.trigger_function(create)?;
        let found = function.and_then(|id| self.schema.functions.get(&id));
        let function_name = found.map_or_else(|| self.place_unseen(&create.function), |function| function.name.clone());
        let mut events = create.events.clone();
        events.update |= !events.update_columns.is_empty();
        let trigger = Trigger {
            id: TriggerId(0),
            name: create.name.clone(),
            table,
            existence: self.created(),
            timing: create.timing,
            events,
            update_columns,
            for_each_row: create.for_each_row,
            when: create.when.clone(),
            function,
            function_name,
            arguments: create.arguments.clone(),
            old_table: create.old_table.clone(),
            new_table: create.new_table.clone(),
            constraint: create.constraint,
            deferrable: create.deferrable || create.initially_deferred,
            initially_deferred: create.initially_deferred,
            enabled: TriggerState::Origin,
            parent: None,
            children: Vec::new(),
        };
        self.place_trigger(trigger, create.or_replace)
    }

    fn trigger_column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        if let Some(view) = self.schema.relation(table).as_view() {
            let at = view.columns.iter().position(|column| column == name);
            return Ok(ColumnId(at.map_or(0, |at| at as u16 + 1)));
        }
        self.column(table, name)
    }

    fn trigger_fits(&mut self, table: RelationId, create: &CreateTrigger) -> Outcome {
        let (label, full) = (quoted(&self.label(table)), self.full(table));
        let instead = create.timing == TriggerTiming::InsteadOf;
        let tables = create.old_table.is_some() || create.new_table.is_some();
        let fails = |state, message: String| Err(refused(state, full.clone(), message));
        match &self.schema.relation(table).kind {
            RelationKind::Table(_) if instead => return fails("42809", format!("{label} is a table")),
            RelationKind::Table(found) => {
                let row = create.for_each_row;
                if found.kind == TableKind::Partitioned && row {
                    if tables {
                        return fails("0A000", format!("{label} is a partitioned table"));
                    }
                    if create.timing == TriggerTiming::Before && !self.since(13) {
                        return fails("42809", format!("{label} is a partitioned table"));
                    }
                }
                if row && tables && found.partition_of.is_some() {
                    let message = "ROW triggers with transition tables are not supported on partitions".to_owned();
                    return fails("0A000", message);
                }
                if row && tables && !found.inherits.is_empty() {
                    let message =
                        "ROW triggers with transition tables are not supported on inheritance children".to_owned();
                    return fails("0A000", message);
                }
            }
            RelationKind::View(view) if view.materialized => {
                return fails("42809", format!("relation {label} cannot have triggers"));
            }
            RelationKind::View(_) => {
                if create.for_each_row != instead || create.events.truncate {
                    return fails("42809", format!("{label} is a view"));
                }
            }
            RelationKind::Other => self.must_be_table(table)?,
            RelationKind::Index(_) | RelationKind::Sequence(_) => return Err(self.wrong_kind(table, "a table or view")),
        }
        if create.events.truncate && create.for_each_row {
            return fails("0A000", "TRUNCATE FOR EACH ROW triggers are not supported".to_owned());
        }
        if instead && !create.for_each_row {
            return fails("0A000", "INSTEAD OF triggers must be FOR EACH ROW".to_owned());
        }
        if instead && create.when.is_some() {
            return fails("0A000", "INSTEAD OF triggers cannot have WHEN conditions".to_owned());
        }
        if instead && !create.events.update_columns.is_empty() {
            return fails("0A000", "INSTEAD OF triggers cannot have column lists".to_owned());
        }
        if tables && create.timing != TriggerTiming::After {
            return fails("42P17", "transition table name can only be specified for an AFTER trigger".to_owned());
        }
        Ok(())
    }

    fn when_fits(&mut self, table: RelationId, create: &CreateTrigger, when: &Expression) -> Outcome {
        let mut names: Vec<(Ident, Ident)> = Vec::new();
        when.tree.walk(&mut |expr| match expr {
            Expr::Column { qualifier: Some(qualifier), name } => names.push((qualifier.clone(), name.clone())),
            Expr::Row { qualifier } => names.push((qualifier.clone(), Ident::new(""))),
            _ => {}
        });
        let fails = |message: &str| Err(refused("42P17", create.name.to_string(), message.to_owned()));
        for (qualifier, name) in names {
            if !matches!(qualifier.as_str(), "old" | "new") {
                continue;
            }
            if !create.for_each_row {
                return fails("statement trigger's WHEN condition cannot reference column values");
            }
            if create.events.insert && qualifier == "old" {
                return fails("INSERT trigger's WHEN condition cannot reference OLD values");
            }
            if create.events.delete && qualifier == "new" {
                return fails("DELETE trigger's WHEN condition cannot reference NEW values");
            }
            let is_table = self.schema.relation(table).as_table().is_some();
            let system = matches!(name.as_str(), "" | "tableoid" | "ctid" | "xmin" | "xmax");
            if is_table && !system && self.find_column(table, &name).is_none() {
                let message = format!("column {qualifier}.{name} does not exist");
                return Err(self.no_column(table, &name, message));
            }
        }
        Ok(())
    }

    fn trigger_function(&mut self, create: &CreateTrigger) -> Outcome<Option<FunctionId>> {
        let found = self.schema.find_functions(&create.function);
        let takes_none = found.iter().find(|function| function.arguments.is_empty());
        if let Some(function) = takes_none {
            let (id, certain) = (function.id, function.existence.is_certain());
            if !matches!(&*function.returns, "trigger" | "opaque") {
                let message = format!("function {} must return type trigger", create.function);
                return Err(refused("42P17", create.function.to_string(), message));
            }
            self.certain &= certain;
            return Ok(Some(id));
        }
        let full = self.place_unseen(&create.function);
        let gone = self.schema.gone_functions.get(&full).map(|gone| gone.by.clone());
        let built_in = BUILT_IN.contains(&create.function.name.as_str());
        let may_be = !self.schema.complete || !self.schema.extensions.is_empty();
        if gone.is_none() && (built_in || may_be) {
            return Ok(None);
        }
        let message = format!("function {}() does not exist", create.function);
        Err(because(missing("42883", create.function.to_string(), message), gone.as_ref()))
    }

    /// Puts a trigger on its table and its clones on every partition.
    fn place_trigger(&mut self, trigger: Trigger, replace: bool) -> Outcome {
        let table = trigger.table;
        let existing = self.schema.triggers_of(table).into_iter().find(|one| one.name == trigger.name).cloned();
        let id = match existing {
            Some(existing) => {
                if !replace {
                    return Err(self.trigger_exists(table, &existing));
                }
                if existing.parent.is_some() && trigger.parent != existing.parent {
                    let message = format!(
                        "trigger {} for relation {} is an internal or a child trigger",
                        quoted(&trigger.name),
                        quoted(&self.label(table))
                    );
                    return Err(refused("42710", self.full(table), message));
                }
                if existing.constraint || trigger.constraint {
                    let message = format!(
                        "trigger {} for relation {} is a constraint trigger",
                        quoted(&trigger.name),
                        quoted(&self.label(table))
                    );
                    return Err(refused("42710", self.full(table), message));
                }
                self.replace_trigger(&existing, trigger.clone());
                existing.id
            }
            None => self.add_trigger(trigger.clone()),
        };
        if !trigger.for_each_row || !self.schema.relation(table).is_partitioned() {
            return Ok(());
        }
        for partition in self.partitions_in_order(table) {
            let clone = self.clone_of(id, &trigger, partition);
            self.place_trigger(clone, replace)?;
        }
        Ok(())
    }

    fn trigger_exists(&self, table: RelationId, existing: &Trigger) -> Box<Failure> {
        let message =
            format!("trigger {} for relation {} already exists", quoted(&existing.name), quoted(&self.label(table)));
        let object = format!("{}.{}", self.full(table), existing.name);
        because(duplicate("42710", object, message), Some(existing.existence.origin()))
    }

    fn clone_of(&self, parent: TriggerId, trigger: &Trigger, partition: RelationId) -> Trigger {
        let mut clone = trigger.clone();
        clone.update_columns = self.map_columns(trigger.table, &trigger.update_columns, partition);
        clone.table = partition;
        clone.parent = Some(parent);
        clone.children = Vec::new();
        clone.existence = self.created();
        clone
    }

    fn add_trigger(&mut self, mut trigger: Trigger) -> TriggerId {
        let id = TriggerId(self.schema.fresh());
        trigger.id = id;
        self.schema.gone_parts.remove(&(trigger.table, Part::Trigger, trigger.name.clone()));
        self.schema.edit_relation(trigger.table, |relation| match &mut relation.kind {
            RelationKind::Table(table) => table.triggers.push(id),
            RelationKind::View(view) => view.triggers.push(id),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
        });
        if let Some(parent) = trigger.parent {
            self.schema.edit_trigger(parent, |parent| parent.children.push(id));
        }
        self.link_function(trigger.function, id);
        self.schema.triggers.insert(id, Kept::new(trigger));
        id
    }

    fn link_function(&mut self, function: Option<FunctionId>, trigger: TriggerId) {
        if let Some(function) = function.and_then(|id| self.schema.functions.get_mut(&id)) {
            function.edit().triggers.push(trigger);
        }
    }

    fn replace_trigger(&mut self, existing: &Trigger, new: Trigger) {
        if let Some(function) = existing.function.and_then(|id| self.schema.functions.get_mut(&id)) {
            function.edit().triggers.retain(|one| *one != existing.id);
        }
        self.link_function(new.function, existing.id);
        let parent = new.parent;
        self.schema.edit_trigger(existing.id, |row| {
            let (id, children) = (row.id, std::mem::take(&mut row.children));
            *row = Trigger { id, children, ..new };
        });
        // A partition's own trigger of that name becomes the parent's clone.
        if let (None, Some(parent)) = (existing.parent, parent) {
            self.schema.edit_trigger(parent, |parent| parent.children.push(existing.id));
        }
    }

    /// A new partition's clones of its parent's row triggers (`CloneRowTriggersToPartition`).
    pub(super) fn clone_triggers(&mut self, parent: RelationId, partition: RelationId) -> Outcome {
        let rows: Vec<Trigger> =
            self.schema.triggers_of(parent).into_iter().filter(|one| one.for_each_row).cloned().collect();
        for row in rows {
            let clone = self.clone_of(row.id, &row, partition);
            self.place_trigger(clone, false)?;
        }
        Ok(())
    }

    pub(super) fn drop_cloned_triggers(&mut self, partition: RelationId) {
        let clones: Vec<TriggerId> = self
            .schema
            .triggers_of(partition)
            .into_iter()
            .filter(|one| one.parent.is_some())
            .map(|one| one.id)
            .collect();
        for id in clones {
            self.drop_trigger_tree(id);
        }
    }

    fn drop_trigger_tree(&mut self, id: TriggerId) {
        let children = self.schema.get_trigger(id).map(|row| row.children.clone()).unwrap_or_default();
        for child in children {
            self.drop_trigger_tree(child);
        }
        self.schema.remove_trigger(id);
    }

    /// ENABLE / DISABLE TRIGGER.
    pub(super) fn set_triggers(
        &mut self,
        table: RelationId,
        which: &TriggerChoice,
        enabled: TriggerState,
        only: bool,
    ) -> Outcome {
        let named = match which {
            TriggerChoice::Named(name) => Some(name),
            TriggerChoice::All | TriggerChoice::User => None,
        };
        let own: Vec<Trigger> = self.schema.triggers_of(table).into_iter().cloned().collect();
        let chosen: Vec<&Trigger> = own.iter().filter(|one| named.is_none_or(|name| one.name == *name)).collect();
        if chosen.is_empty()
            && let Some(name) = named
            && !self.is_open(table)
        {
            let message = format!("trigger {} for table {} does not exist", quoted(name), quoted(&self.label(table)));
            return Err(missing("42704", self.full(table), message));
        }
        let recurse = !only && self.schema.relation(table).is_partitioned();
        let clones: BTreeSet<TriggerId> = if recurse {
            chosen.iter().flat_map(|trigger| self.clones_of(trigger.id)).collect()
        } else {
            BTreeSet::new()
        };
        let statement_trigger = named.is_some() && chosen.iter().any(|one| !one.for_each_row);
        for trigger in chosen {
            self.schema.edit_trigger(trigger.id, |row| row.enabled = enabled);
        }
        if !recurse {
            return Ok(());
        }
        // Until 14 the action went to the partitions by name.
        let by_name = if statement_trigger { Some(BTreeSet::new()) } else { self.triggers_below(table, named) };
        if by_name.as_ref() == Some(&clones) || self.since(15) {
            clones.into_iter().for_each(|id| self.schema.edit_trigger(id, |row| row.enabled = enabled));
        } else if !statement_trigger {
            for child in self.children_in_order(table) {
                self.set_triggers(child, which, enabled, false)?;
            }
        }
        Ok(())
    }

    /// The copies of a trigger on partitions, of all levels.
    fn clones_of(&self, id: TriggerId) -> Vec<TriggerId> {
        let own = self.schema.get_trigger(id).map_or(&[][..], |row| &row.children);
        own.iter().flat_map(|child| [vec![*child], self.clones_of(*child)].concat()).collect()
    }

    /// The triggers of this name, or all, on the partitions of a table; `None` where one of them has none.
    fn triggers_below(&self, table: RelationId, named: Option<&Ident>) -> Option<BTreeSet<TriggerId>> {
        let mut found = BTreeSet::new();
        for child in self.children_in_order(table) {
            let triggers = self.schema.triggers_of(child).into_iter();
            let chosen: Vec<_> = triggers.filter(|one| named.is_none_or(|name| one.name == *name)).collect();
            if chosen.is_empty() && named.is_some() && !self.is_open(child) {
                return None;
            }
            found.extend(chosen.into_iter().map(|one| one.id));
            found.extend(self.triggers_below(child, named)?);
        }
        Some(found)
    }

    pub(super) fn rename_trigger(&mut self, rename: &Rename, from: &Ident) -> Outcome {
        let Some(table) = self.altered(&rename.object, rename.if_exists, ObjectKind::Table).or_else(|failure| {
            let found = self.find(&rename.object);
            found.map(Some).ok_or(failure)
        })?
        else {
            return Ok(());
        };
        let triggers = self.schema.triggers_of(table);
        let Some(trigger) = triggers.iter().find(|one| one.name == *from).map(|one| (*one).clone()) else {
            if self.is_open(table) {
                return Ok(());
            }
            let message = format!("trigger {} for table {} does not exist", quoted(from), quoted(&self.label(table)));
            return Err(missing("42704", self.full(table), message));
        };
        if let Some(parent) = trigger.parent.filter(|_| self.since(15)) {
            let _ = parent;
            let message = format!("cannot rename trigger {} on table {}", quoted(from), quoted(&self.label(table)));
            let state = if self.since(18) { "0A000" } else { "XX000" };
            return Err(refused(state, self.full(table), message));
        }
        self.rename_trigger_row(trigger.id, &rename.to)
    }

    fn rename_trigger_row(&mut self, id: TriggerId, to: &Ident) -> Outcome {
        let Some(trigger) = self.schema.get_trigger(id).cloned() else { return Ok(()) };
        if trigger.name == *to && self.since(15) {
            return Ok(());
        }
        if self.schema.triggers_of(trigger.table).iter().any(|one| one.name == *to) {
            let message =
                format!("trigger {} for relation {} already exists", quoted(to), quoted(&self.label(trigger.table)));
            return Err(duplicate("42710", self.full(trigger.table), message));
        }
        let gone = self.gone(Some(crate::operation::QualifiedName::new("", to.clone())));
        self.schema.gone_parts.insert((trigger.table, Part::Trigger, trigger.name.clone()), gone);
        self.schema.edit_trigger(id, |row| row.name = to.clone());
        if !trigger.children.is_empty() && self.since(15) {
            for child in trigger.children {
                self.rename_trigger_row(child, to)?;
            }
        }
        Ok(())
    }

    pub(super) fn create_rule(&mut self, create: &CreateRule) -> Outcome {
        let table = self.relation(&create.table, Taken::Table)?;
        let row = RuleRow {
            name: create.name.clone(),
            event: create.event,
            instead: create.instead,
            condition: create.condition.clone(),
            commands: create.commands.clone().into(),
        };
        let exists = self.schema.table(table).rules.iter().any(|rule| rule.name == create.name);
        if exists && !create.or_replace {
            let message =
                format!("rule {} for relation {} already exists", quoted(&create.name), quoted(&self.label(table)));
            return Err(duplicate("42710", self.full(table), message));
        }
        self.schema.edit_table(table, |table| {
            table.rules.retain(|rule| rule.name != row.name);
            table.rules.push(row);
        });
        Ok(())
    }

    pub(super) fn require_rule(&self, table: RelationId, name: &Ident) -> Outcome {
        if self.is_open(table) || self.schema.table(table).rules.iter().any(|rule| rule.name == *name) {
            return Ok(());
        }
        let message = format!("rule {} for relation {} does not exist", quoted(name), quoted(&self.label(table)));
        Err(missing("42704", self.full(table), message))
    }

    pub(super) fn create_policy(&mut self, policy: &Policy) -> Outcome {
        let table = self.table(&policy.table)?;
        if self.schema.table(table).policies.iter().any(|row| row.name == policy.name) {
            let message =
                format!("policy {} for table {} already exists", quoted(&policy.name), quoted(&self.label(table)));
            return Err(duplicate("42710", format!("{}.{}", self.full(table), policy.name), message));
        }
        let row = PolicyRow { name: policy.name.clone(), using: policy.using.clone(), check: policy.check.clone() };
        self.schema.gone_parts.remove(&(table, Part::Policy, policy.name.clone()));
        self.schema.edit_table(table, |table| table.policies.push(row));
        Ok(())
    }

    pub(super) fn alter_policy(&mut self, policy: &Policy) -> Outcome {
        let table = self.table(&policy.table)?;
        let known = self.schema.table(table).policies.iter().any(|row| row.name == policy.name);
        if !known && !self.is_open(table) {
            let message =
                format!("policy {} for table {} does not exist", quoted(&policy.name), quoted_name(&policy.table));
            return Err(missing("42704", format!("{}.{}", self.full(table), policy.name), message));
        }
        self.schema.edit_table(table, |table| {
            for row in table.policies.iter_mut().filter(|row| row.name == policy.name) {
                row.using = policy.using.clone().or(row.using.take());
                row.check = policy.check.clone().or(row.check.take());
            }
        });
        Ok(())
    }
}
