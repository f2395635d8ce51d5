//! Collects one statement's effects: takes the rows of `facts` and the relations that play their roles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::facts::{self, Fact, Form, Role};
use super::{DataCheck, DataCheckKind, Effects, IndexBuild, Rewrite, RewriteKind, Scan, SessionFacts};
use crate::operation::{Ident, LockMode, Name};
use crate::schema::{Relation, RelationId, RelationKind, Schema, Table, TableKind};
use crate::version::Major;

pub(super) struct Tally<'a> {
    pub schema: &'a Schema,
    major: Major,
    /// The majors around it to which every answer so far applies.
    alike: (Major, Major),
    pub session: &'a SessionFacts,
    pub effects: Effects,
    /// Which action of an ALTER TABLE is looked at.
    pub action: Option<usize>,
    // Where each relation stands in the lists of effects: trees of thousands of partitions are ordinary.
    locked: BTreeMap<RelationId, usize>,
    scanned: BTreeSet<(RelationId, Option<usize>)>,
    rewritten: BTreeMap<RelationId, usize>,
    built: BTreeSet<RelationId>,
}

/// Who plays which role in one statement.
pub(super) type Cast<'a> = &'a [(Role, &'a [RelationId])];

fn playing<'a>(role: Role, cast: Cast<'a>) -> impl Iterator<Item = RelationId> + 'a {
    let of_role = cast.iter().filter(move |(played, _)| *played == role);
    of_role.flat_map(|(_, relations)| relations.iter().copied())
}

impl<'a> Tally<'a> {
    pub fn new(schema: &'a Schema, major: Major, session: &'a SessionFacts) -> Tally<'a> {
        Tally {
            schema,
            major,
            alike: (Major::OLDEST, Major::NEWEST),
            session,
            effects: Effects::default(),
            action: None,
            locked: BTreeMap::new(),
            scanned: BTreeSet::new(),
            rewritten: BTreeMap::new(),
            built: BTreeSet::new(),
        }
    }

    /// Whether a rule holds that this major brought.
    pub fn since(&mut self, major: u8) -> bool {
        let holds = self.major >= Major(major);
        if holds {
            self.alike.0 = self.alike.0.max(Major(major));
        } else {
            self.alike.1 = self.alike.1.min(Major(major - 1));
        }
        holds
    }

    /// The majors to which all that was asked applies.
    pub fn alike(&self) -> RangeInclusive<Major> {
        self.alike.0..=self.alike.1
    }

    fn fact(&mut self, form: Form) -> Option<&'static Fact> {
        let found = facts::find(form, self.major);
        let (oldest, newest) = found.map_or((self.major, self.major), |fact| (fact.oldest, fact.newest));
        self.alike = (self.alike.0.max(oldest), self.alike.1.min(newest));
        found
    }

    /// Takes over what the fact of `form` says, for the relations that play its roles.
    pub fn take(&mut self, form: Form, cast: Cast<'_>) {
        self.take_locks(form, cast);
        let Some(fact) = self.fact(form) else { return };
        for relation in fact.scans.iter().flat_map(|role| playing(*role, cast)) {
            self.scan(relation);
        }
        if let Some((role, kind)) = fact.rewrites {
            for relation in playing(role, cast) {
                self.rewrite(relation, kind, true);
            }
        }
    }

    /// Takes over the locks alone, where the schema decides which of the tables are read.
    pub fn take_locks(&mut self, form: Form, cast: Cast<'_>) {
        let Some(fact) = self.fact(form) else { return };
        for (role, mode) in fact.locks {
            for relation in playing(*role, cast) {
                self.lock(relation, *mode);
            }
        }
        self.effects.outside_transaction |= fact.outside_transaction;
        self.effects.waits_for_all_transactions |= fact.waits_for_all_transactions;
    }

    /// Keeps the strongest lock on each relation, in the order of the first.
    pub fn lock(&mut self, relation: RelationId, mode: LockMode) {
        match self.locked.get(&relation) {
            Some(place) => {
                let (_, held) = &mut self.effects.locks[*place];
                *held = mode.max(*held);
            }
            None => {
                self.locked.insert(relation, self.effects.locks.len());
                self.effects.locks.push((relation, mode));
            }
        }
    }

    /// Only what has storage can be read: the partitioned parent has none.
    pub fn scan(&mut self, relation: RelationId) {
        if self.has_rows(relation) && self.scanned.insert((relation, self.action)) {
            let scan = Scan { relation, held: LockMode::AccessShare, action: self.action };
            self.effects.scans.push(scan);
        }
    }

    /// Rewriting rows builds all indexes of the table and locks them.
    pub fn rewrite(&mut self, relation: RelationId, kind: RewriteKind, certain: bool) {
        if !self.has_rows(relation) {
            return;
        }
        if kind == RewriteKind::Rows {
            for index in self.indexes_of(relation) {
                self.lock(index, LockMode::AccessExclusive);
                self.build(relation, Some(index));
            }
        }
        match self.rewritten.get(&relation) {
            Some(place) => self.effects.rewrites[*place].certain |= certain,
            None => {
                self.rewritten.insert(relation, self.effects.rewrites.len());
                self.effects.rewrites.push(Rewrite { relation, kind, certain, action: self.action });
            }
        }
    }

    pub fn build(&mut self, table: RelationId, index: Option<RelationId>) {
        let known = index.is_some_and(|index| self.built.contains(&index));
        if self.has_rows(table) && !known {
            self.built.extend(index);
            self.effects.index_builds.push(IndexBuild { table, index, action: self.action });
        }
    }

    pub fn check(
        &mut self,
        relation: RelationId,
        kind: DataCheckKind,
        constraint: Option<&Ident>,
        state: &'static str,
    ) {
        let constraint = constraint.cloned();
        self.effects.validates.push(DataCheck { relation, kind, constraint, state, action: self.action });
    }

    /// A query is planned over all indexes of the tables it reads or changes, under the table's own mode; since 16
    /// over those of the partitioned parent, too (measured: fk.t_to_q.add).
    pub fn plan(&mut self, relation: RelationId, mode: LockMode) {
        if self.is_partitioned(relation) && !self.since(16) {
            return;
        }
        for index in self.indexes_of(relation) {
            self.lock(index, mode);
        }
    }

    /// The scans learn which lock is held in the end: an ALTER TABLE takes its strongest at once.
    pub fn finish(mut self) -> Effects {
        let mut scans = std::mem::take(&mut self.effects.scans);
        scans.retain(|scan| {
            let rewritten = self.rewritten.get(&scan.relation).map(|place| &self.effects.rewrites[*place]);
            rewritten.is_none_or(|rewrite| rewrite.kind != RewriteKind::Rows)
        });
        for scan in &mut scans {
            let lock = self.locked.get(&scan.relation).map(|place| self.effects.locks[*place].1);
            scan.held = lock.unwrap_or(LockMode::AccessShare);
        }
        self.effects.scans = scans;
        self.effects
    }

    // What the schema says about the relations at hand.

    pub fn find(&self, name: &Name) -> Option<RelationId> {
        self.schema.find(name).map(|relation| relation.id)
    }

    pub fn relation(&self, relation: RelationId) -> Option<&'a Relation> {
        self.schema.get_relation(relation)
    }

    pub fn table(&self, relation: RelationId) -> Option<&'a Table> {
        self.relation(relation).and_then(Relation::as_table)
    }

    pub fn is_partitioned(&self, relation: RelationId) -> bool {
        self.table(relation).is_some_and(|table| table.kind == TableKind::Partitioned)
    }

    fn has_rows(&self, relation: RelationId) -> bool {
        match self.relation(relation).map(|relation| &relation.kind) {
            Some(RelationKind::Table(table)) => table.kind == TableKind::Plain,
            Some(RelationKind::View(view)) => view.materialized,
            Some(RelationKind::Other) => true,
            Some(RelationKind::Index(_) | RelationKind::Sequence(_)) | None => false,
        }
    }

    pub fn indexes_of(&self, relation: RelationId) -> Vec<RelationId> {
        match self.relation(relation).map(|relation| &relation.kind) {
            Some(RelationKind::Table(table)) => table.indexes.clone(),
            Some(RelationKind::View(view)) => view.indexes.clone(),
            Some(RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other) | None => Vec::new(),
        }
    }

    pub fn indexes_of_all(&self, relations: &[RelationId]) -> Vec<RelationId> {
        relations.iter().flat_map(|relation| self.indexes_of(*relation)).collect()
    }

    /// All tables below, at every level: partitions, or children by INHERITS.
    pub fn below(&self, relation: RelationId) -> Vec<RelationId> {
        let mut found: Vec<RelationId> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![relation];
        while let Some(next) = open.pop() {
            if !seen.insert(next) {
                continue;
            }
            let children = self.table(next).map(|table| table.children.as_slice()).unwrap_or_default();
            open.extend(children.iter().rev());
            if next != relation {
                found.push(next);
            }
        }
        found
    }

    /// The partitions of a partitioned table; a plain table's children by INHERITS are none.
    pub fn partitions(&self, relation: RelationId) -> Vec<RelationId> {
        if self.is_partitioned(relation) { self.below(relation) } else { Vec::new() }
    }

    /// What a table is a partition of, at every level.
    pub fn above(&self, relation: RelationId) -> Vec<RelationId> {
        let mut found: Vec<RelationId> = Vec::new();
        let mut at = relation;
        while let Some(place) = self.table(at).and_then(|table| table.partition_of.as_ref()) {
            if found.contains(&place.parent) {
                break;
            }
            found.push(place.parent);
            at = place.parent;
        }
        found
    }

    /// The table itself, and its partitions.
    pub fn tree(&self, relation: RelationId) -> Vec<RelationId> {
        std::iter::once(relation).chain(self.partitions(relation)).collect()
    }

    /// Sequences that columns of the table own.
    pub fn sequences_of(&self, relation: RelationId) -> Vec<RelationId> {
        let columns = self.table(relation).map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().filter_map(|column| column.sequence).collect()
    }

    /// Views over a relation, and views over those.
    pub fn views_over(&self, relation: RelationId) -> Vec<RelationId> {
        let mut found: Vec<RelationId> = Vec::new();
        let mut open = vec![relation];
        while let Some(next) = open.pop() {
            let views = match self.relation(next).map(|relation| &relation.kind) {
                Some(RelationKind::Table(table)) => table.views.as_slice(),
                Some(RelationKind::View(view)) => view.views.as_slice(),
                Some(RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other) | None => &[],
            };
            for view in views {
                if !found.contains(view) {
                    found.push(*view);
                    open.push(*view);
                }
            }
        }
        found
    }
}
