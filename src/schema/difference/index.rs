//! Indexes that belong to no constraint.

use super::constraint::clear;
use super::pairs::is_shared;
use super::same::same_index;
use super::{Aspect, Comparison, Guard, Repair, Sides, Stage, Unused};
use crate::schema::definition::index_body;
use crate::schema::statement::{self, IndexForm};
use crate::schema::{Existence, Index, Relation};

impl<'a> Comparison<'a> {
    pub(super) fn indexes(&mut self) {
        let own =
            |relation: &'a Relation| Some((relation, relation.as_index()?)).filter(|(_, one)| one.constraint.is_none());
        let (from, to) = (self.from, self.to);
        let Sides { from: now, to: then } = self.relations.clone();
        let mut extra: Vec<(&Relation, &Index)> = Vec::new();
        for (relation, index) in now.into_iter().filter_map(own) {
            let found = self.pairs.to(relation.id).and_then(|id| to.get_relation(id)).and_then(own);
            match found {
                Some((other, then)) if self.pairs.to(index.table) == Some(then.table) => {
                    self.index(relation, index, other, then);
                }
                _ => extra.push((relation, index)),
            }
        }
        // A partitioned index takes those that are attached to it along.
        extra.sort_by_key(|(relation, index)| (index.parent.is_some(), relation.id));
        for (relation, index) in extra {
            self.extra_index(relation, index);
        }
        for (relation, index) in then.into_iter().filter_map(own) {
            let found = self.pairs.from(relation.id).and_then(|id| from.get_relation(id)).and_then(own);
            let same_table = found.is_some_and(|(_, now)| self.pairs.to(now.table) == Some(index.table));
            if !same_table && self.pairs.from(index.table).is_some() {
                self.missing_index(relation, index);
            }
        }
    }

    fn extra_index(&mut self, relation: &Relation, index: &Index) {
        if self.is_extra(index.table) || matches!(relation.existence, Existence::Assumed { .. }) {
            return;
        }
        let table = self.from.get_relation(index.table);
        let partitioned = table.is_some_and(Relation::is_partitioned);
        let name = &relation.name;
        let repair = if partitioned {
            // CONCURRENTLY is refused for a partitioned index.
            let kept = index.parent.is_some_and(|parent| !self.is_extra(parent));
            let stage = if kept { Stage::DropKept } else { Stage::DropIndex };
            Repair::new(stage, format!("DROP INDEX {name}")).when(Guard::relation(name, true))
        } else {
            let kept = index.parent.is_some_and(|parent| !self.is_extra(parent));
            let stage = if kept { Stage::DropKept } else { Stage::DropIndex };
            let plain = Unused::Plain(format!("DROP INDEX {name}"));
            Repair::new(stage, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).alone().unused(plain)
        };
        let mut repairs = self.around_key(index.table, relation.id, &repair);
        repairs.push(repair);
        self.extra("index", name.to_string(), &relation.existence, repairs);
    }

    fn missing_index(&mut self, relation: &Relation, index: &Index) {
        if matches!(relation.existence, Existence::Assumed { .. }) {
            return;
        }
        // Comes with its parent's.
        if index.parent.is_some_and(|parent| self.pairs.from(parent).is_none()) {
            return;
        }
        let repairs = self.make_index(relation, index);
        self.missing("index", relation.name.to_string(), &relation.existence, repairs);
    }

    fn make_index(&self, relation: &Relation, index: &Index) -> Vec<Repair> {
        let table = self.to.get_relation(index.table);
        if let Some(view) = table.filter(|table| table.as_view().is_some()) {
            return self.index_of_view(view, relation, index).into_iter().collect();
        }
        let partitioned = table.is_some_and(Relation::is_partitioned);
        if partitioned {
            let sql = statement::create_index(self.to, relation, index, IndexForm::Only);
            let sql = sql.map(|sql| if index.valid { sql.replacen(" ON ONLY ", " ON ", 1) } else { sql });
            let made = sql.map(|sql| Repair::new(Stage::AddKey, sql).when(Guard::relation(&relation.name, false)));
            return made.into_iter().collect();
        }
        let Some(sql) = statement::create_index(self.to, relation, index, IndexForm::Concurrently) else {
            return Vec::new();
        };
        let build = Repair::new(Stage::CreateIndex, sql).alone();
        let plain = statement::create_index(self.to, relation, index, IndexForm::Plain);
        let build = build.unused(plain.map_or(Unused::Same, Unused::Plain));
        let mut repairs = vec![clear(&relation.name), build];
        repairs.extend(statement::attach_index(self.to, relation).map(|sql| {
            let guard = Guard::AttachedIndex { name: relation.name.clone(), is: false };
            Repair::new(Stage::AttachIndex, sql).when(guard)
        }));
        repairs
    }

    fn index(&mut self, relation: &Relation, index: &Index, other: &Relation, then: &Index) {
        self.renamed("index", "INDEX", relation, other);
        let both = (&relation.existence, &other.existence);
        let name = other.name.to_string();
        let body = |schema, index| index_body(schema, index, "");
        let renamed_columns = is_shared(self.shared, relation.id.0)
            && relation.id == other.id
            && index.parts.len() == then.parts.len()
            && index.unique == then.unique
            && format!("{:?}", index.parts) == format!("{:?}", then.parts);
        if !(renamed_columns || same_index((self.from, index), (self.to, then))) {
            let mut repairs = Vec::new();
            let partitioned = self.to.get_relation(then.table).is_some_and(Relation::is_partitioned);
            let drop = if partitioned { "DROP INDEX IF EXISTS" } else { "DROP INDEX CONCURRENTLY IF EXISTS" };
            let drop = Repair::new(Stage::DropIndex, format!("{drop} {}", relation.name));
            let drop = drop.unused(Unused::Plain(format!("DROP INDEX {}", relation.name)));
            let drop = if partitioned { drop } else { drop.alone() };
            repairs.extend(self.around_key(index.table, relation.id, &drop));
            repairs.push(drop);
            repairs.extend(self.make_index(other, then));
            let unique = |index: &Index| if index.unique { "UNIQUE " } else { "" };
            let (now, wanted) = (body(self.from, index), body(self.to, then));
            let text = format!("is {}{now} rather than {}{wanted}", unique(index), unique(then));
            self.differs("index", name, text, both, repairs);
            return;
        }
        if index.valid != then.valid {
            let text = if index.valid { "is valid" } else { "is INVALID: no query uses it" };
            let partitioned = self.to.get_relation(then.table).is_some_and(Relation::is_partitioned);
            let repairs = if then.valid && !partitioned { self.make_index(other, then) } else { Vec::new() };
            self.differs_in(Aspect::Valid { now: index.valid }, "index", name.clone(), text, both, repairs);
        }
        let parent = index.parent.and_then(|parent| self.pairs.to(parent));
        if parent != then.parent && index.parent.is_none() {
            let sql = statement::attach_index(self.to, other);
            let guard = Guard::AttachedIndex { name: other.name.clone(), is: false };
            let repairs = sql.map(|sql| Repair::new(Stage::AttachIndex, sql).when(guard)).into_iter().collect();
            self.differs("index", name, "is not attached to the parent's", both, repairs);
        } else if parent != then.parent && index.parent.is_some_and(|parent| !self.is_extra(parent)) {
            self.differs("index", name, "is attached to the parent's", both, Vec::new());
        }
    }
}
