//! What stands upon something that goes or changes, and has to make way for it: views, and keys that rely on a key.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use super::routine::{has_rows, signature};
use super::{Comparison, Guard, Repair, Stage};
use crate::operation::{Expression, QualifiedName};
use crate::schema::statement::{self, IndexForm};
use crate::schema::{Column, ColumnId, Function, Index, Relation, RelationId, RelationKind, Schema, Trigger, View};

/// Views by their place in an order in which each comes after those that it reads; worked out when first asked for.
#[derive(Debug, Default)]
pub(super) struct Places(OnceCell<BTreeMap<RelationId, u32>>);

impl Places {
    fn of(&self, schema: &Schema, view: RelationId) -> u32 {
        let places = self.0.get_or_init(|| {
            let mut graph: DiGraphMap<RelationId, ()> = DiGraphMap::new();
            let views = schema.relations().filter_map(|relation| Some((relation, relation.as_view()?)));
            for (relation, view) in views {
                graph.add_node(relation.id);
                for (read, _) in &view.reads {
                    graph.add_edge(*read, relation.id, ());
                }
            }
            // No view reads itself; should one seem to, they stay in the order in which they were made.
            let order = toposort(&graph, None).unwrap_or_default();
            order.into_iter().zip(0..).collect()
        });
        places.get(&view).copied().unwrap_or_default()
    }
}

impl<'a> Comparison<'a> {
    /// Views that read a relation, or a column of it, and those that read them: each is dropped before `cause` may run,
    /// which its guards tell, and made again where it stays.
    pub(super) fn around(&self, relation: RelationId, column: Option<ColumnId>, cause: &Repair) -> Vec<Repair> {
        let mut repairs = Vec::new();
        let readers = self.readers(relation, column);
        let whole = column.is_none().then_some(relation);
        for function in self.from.functions() {
            let takes = |id: &RelationId| has_rows(self.from, function, Some(*id));
            if readers.iter().chain(&whole).any(takes)
                && let Some(then) = self.same_function(function)
            {
                let drop = format!("DROP ROUTINE IF EXISTS {}", signature(function));
                let drop = Repair::new(Stage::DropReader, drop);
                repairs.push(Repair { guards: cause.guards.clone(), ..drop });
                repairs.extend(self.make_function(then));
            }
        }
        for id in readers {
            let Some((reader, view)) = self.from.get_relation(id).and_then(|one| Some((one, one.as_view()?))) else {
                continue;
            };
            let mut drop = self.drop_view(reader, view);
            drop.guards.extend(cause.guards.iter().cloned());
            let stays = self.pairs.to(id).and_then(|id| self.to.get_relation(id));
            match stays.and_then(|one| Some((one, one.as_view()?))) {
                None => repairs.push(drop),
                Some((other, then)) => repairs.extend(self.made_anew(drop, other, then)),
            }
        }
        repairs
    }

    /// What keeps a column from being dropped, or its type from being changed.
    pub(super) fn around_column(&self, table: &Relation, column: &Column, cause: &Repair) -> Vec<Repair> {
        let mut repairs = self.around(table.id, Some(column.id), cause);
        for trigger in self.from.triggers_of(table.id).into_iter().filter(|trigger| trigger.parent.is_none()) {
            let when = trigger.when.as_ref().is_some_and(|when| when.tree.columns().contains(&&column.name));
            if !when && !trigger.update_columns.contains(&column.id) {
                continue;
            }
            let Some(then) = self.same_trigger(trigger) else { continue };
            let mut drop = self.drop_trigger(trigger);
            drop.guards.extend(cause.guards.iter().cloned());
            repairs.extend([drop, self.make_trigger(then)]);
        }
        repairs
    }

    fn same_trigger(&self, trigger: &Trigger) -> Option<&'a Trigger> {
        let table = self.pairs.to(trigger.table)?;
        self.to.triggers_of(table).into_iter().find(|one| one.name == trigger.name)
    }

    fn readers(&self, relation: RelationId, column: Option<ColumnId>) -> BTreeSet<RelationId> {
        let reads = |view: &View, of: RelationId, column: Option<ColumnId>| {
            let mut reads = view.reads.iter().filter(|(read, _)| *read == of);
            reads.any(|(_, columns)| columns.is_empty() || column.is_none_or(|column| columns.contains(&column)))
        };
        let mut found = BTreeSet::new();
        let mut next = vec![(relation, column)];
        while let Some((of, column)) = next.pop() {
            for reader in views_of(self.from.get_relation(of)) {
                let view = self.from.get_relation(*reader).and_then(Relation::as_view);
                if view.is_some_and(|view| reads(view, of, column)) && found.insert(*reader) {
                    next.push((*reader, None));
                }
            }
        }
        found
    }

    pub(super) fn drop_view(&self, relation: &Relation, view: &View) -> Repair {
        let words = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
        let name: &QualifiedName = &relation.name;
        let drop = Repair::new(Stage::DropView, format!("DROP {words} {name}")).when(Guard::relation(name, true));
        drop.at(u32::MAX - self.places_now.of(self.from, relation.id))
    }

    /// With the indexes and triggers that go with it.
    pub(super) fn make_view(&self, relation: &Relation, view: &View) -> Vec<Repair> {
        let place = self.places_then.of(self.to, relation.id);
        let make = Repair::new(Stage::CreateView, statement::create_view(relation, view));
        let make = make.when(Guard::relation(&relation.name, false)).at(place);
        if let Some(read) = self.renamed_since(view) {
            let (name, read) = (&relation.name, &read.name);
            return vec![
                make.told(format!("make `{name}` anew, with a query that calls `{read}` by the name it has now")),
            ];
        }
        let mut repairs = vec![make];
        for index in view.indexes.iter().filter_map(|id| self.to.get_relation(*id)) {
            repairs.extend(index.as_index().and_then(|found| self.index_of_view(relation, index, found)));
        }
        repairs.extend(self.to.triggers_of(relation.id).into_iter().map(|trigger| self.make_trigger(trigger)));
        repairs
    }

    /// Dropped and made again; what cannot be made again stays, for a person to see to.
    pub(super) fn made_anew(&self, drop: Repair, relation: &Relation, view: &View) -> Vec<Repair> {
        let make = self.make_view(relation, view);
        let is_told = make.iter().any(|repair| repair.words.is_some());
        let drop = (!is_told).then_some(drop);
        drop.into_iter().chain(make).collect()
    }

    /// Defaults that call a function: dropped before it goes, and set again where they stay.
    pub(super) fn around_defaults(&self, function: &Function) -> Vec<Repair> {
        let mut repairs = Vec::new();
        let calls = |default: &Expression| {
            default.tree.calls().into_iter().any(|call| {
                call.name == function.name.name && call.schema.as_ref().is_none_or(|one| *one == function.name.schema)
            })
        };
        for (relation, table) in self.from.tables() {
            for column in table.columns.iter().filter(|column| column.default.as_ref().is_some_and(calls)) {
                let there = Guard::column(&relation.name, &column.name, true);
                let alter = |stage, what: String| {
                    let (table, column) = (&relation.name, &column.name);
                    Repair::new(stage, format!("ALTER TABLE {table} ALTER COLUMN {column} {what}")).when(there.clone())
                };
                repairs.push(alter(Stage::DropReplaced, "DROP DEFAULT".to_owned()));
                let stays = self.pairs.to(relation.id).and_then(|id| self.to.get_relation(id)?.as_table());
                let then = stays.and_then(|table| table.column(&column.name));
                let default = then.and_then(|then| Some(self.set_default(then, then.default.as_ref()?)));
                repairs.extend(default.map(|what| alter(Stage::AlterColumn, what).at(2)));
            }
        }
        repairs
    }

    /// Beside the view, which may have to be made first.
    pub(super) fn index_of_view(&self, view: &Relation, relation: &Relation, index: &Index) -> Option<Repair> {
        let sql = statement::create_index(self.to, relation, index, IndexForm::Plain)?;
        let build = Repair::new(Stage::CreateView, sql).when(Guard::relation(&relation.name, false));
        Some(build.at(self.places_then.of(self.to, view.id)))
    }

    /// What a view reads and its text calls by the name it had when the view was made.
    fn renamed_since(&self, view: &View) -> Option<&'a Relation> {
        let text = view.text.to_lowercase();
        let read = view.reads.iter().filter_map(|(read, _)| self.to.get_relation(*read));
        read.into_iter().find(|read| !text.contains(&read.name.name.as_str().to_lowercase()))
    }

    /// Foreign keys that rely on an index and stay: dropped before it goes, and added again.
    pub(super) fn around_key(&self, table: RelationId, index: RelationId, cause: &Repair) -> Vec<Repair> {
        let Some(found) = self.from.get_relation(table).and_then(Relation::as_table) else { return Vec::new() };
        let mut repairs = Vec::new();
        for id in &found.referenced_by {
            let Some(key) = self.from.constraints.get(id).filter(|key| !Self::is_part(key)) else { continue };
            if key.as_foreign().is_none_or(|foreign| foreign.index != Some(index)) {
                continue;
            }
            let now = self.name_now(key.table);
            let drop = format!("ALTER TABLE {now} DROP CONSTRAINT {}", key.name);
            let mut drop = Repair::new(Stage::DropForeignKey, drop).when(Guard::constraint(&now, &key.name, true));
            drop.guards.extend(cause.guards.iter().cloned());
            let stays = self.pairs.to(key.table).and_then(|table| {
                let mut then = self.to.constraints_of(table);
                then.find(|one| one.name == key.name && one.as_foreign().is_some())
            });
            // One that is not the same any more is dropped and added for itself.
            if let Some(then) = stays.filter(|then| self.alike(key, then)) {
                repairs.push(drop);
                repairs.extend(self.make_constraint(then, &self.name_then(key.table)));
            } else if self.is_extra(key.table) {
                // Its table goes later.
                repairs.push(drop);
            }
        }
        repairs
    }
}

fn views_of(relation: Option<&Relation>) -> &[RelationId] {
    match relation.map(|relation| &relation.kind) {
        Some(RelationKind::Table(table)) => &table.views,
        Some(RelationKind::View(view)) => &view.views,
        Some(RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other) | None => &[],
    }
}
