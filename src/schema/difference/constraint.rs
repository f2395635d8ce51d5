//! Constraints: which are there, on which table of a tree they stand, whether they were validated.

use std::collections::BTreeMap;

use super::pairs::is_shared;
use super::same::{same, same_index};
use super::{Aspect, Comparison, Guard, Repair, Shared, Stage, Unused};
use crate::operation::{Ident, QualifiedName};
use crate::schema::definition::{constraint as definition, index_body};
use crate::schema::{Constraint, ConstraintId, ConstraintRow, Existence, ForeignRow, RelationId, Schema};
use crate::version::Major;

impl<'a> Comparison<'a> {
    pub(super) fn constraints(&mut self) {
        let (from, to) = (self.from, self.to);
        let sides = self.constraint_rows.clone();
        let mut pairs: BTreeMap<ConstraintId, &Constraint> = BTreeMap::new();
        let mut taken: BTreeMap<ConstraintId, ConstraintId> = BTreeMap::new();
        for row in &sides.from {
            let same = to.get_constraint(row.id).filter(|_| is_shared(self.shared, row.id.0));
            let table = self.pairs.to(row.table);
            let found = same.or_else(|| table.and_then(|table| to.find_constraint(table, &row.name)));
            if let Some(found) = found.filter(|found| !taken.contains_key(&found.id)) {
                taken.insert(found.id, row.id);
                pairs.insert(row.id, found);
            }
        }
        // The same constraint under another name: servers and frameworks make up names of their own, and what was dropped is
        // made anew.
        for row in &sides.from {
            if pairs.contains_key(&row.id) {
                continue;
            }
            let Some(table) = self.pairs.to(row.table) else { continue };
            let wanted = definition(from, row);
            let found = to.constraints_of(table).find(|one| {
                !taken.contains_key(&one.id)
                    && !self.both_have(one.id)
                    && one.parent.is_some() == row.parent.is_some()
                    && definition(to, one) == wanted
            });
            if let Some(found) = found {
                taken.insert(found.id, row.id);
                pairs.insert(row.id, found);
            }
        }
        for row in sides.from {
            match pairs.get(&row.id) {
                Some(other) => self.constraint(row, other),
                None => self.extra_constraint(row),
            }
        }
        for row in sides.to.into_iter().filter(|row| !taken.contains_key(&row.id)) {
            self.missing_constraint(row);
        }
    }

    /// Neither side changed it.
    fn both_have(&self, id: ConstraintId) -> bool {
        let (from, to) = (self.from.constraints.get(&id), self.to.constraints.get(&id));
        !matches!(self.shared, Shared::Nothing) && from.is_some() && from == to
    }

    /// Comes with a parent's and goes with it.
    pub(super) fn is_part(row: &Constraint) -> bool {
        row.parent.is_some() || row.inherited > 0 && !row.local
    }

    /// NOT NULL is a column's, but for what only its row says.
    fn is_columns_own(&self, schema: &Schema, row: &Constraint, name: &QualifiedName) -> bool {
        if !matches!(row.kind, ConstraintRow::NotNull) {
            return false;
        }
        let column = row.columns.first().map(|column| schema.column_name(row.table, *column));
        let known = schema.get_relation(row.table).and_then(|relation| relation.as_table());
        let gone = column.as_ref().is_none_or(|column| self.column_differs(name, column));
        gone || known.is_none() || row.validated
    }

    fn extra_constraint(&mut self, row: &Constraint) {
        if self.is_extra(row.table) && !self.outlives(row) {
            return;
        }
        let assumed = matches!(row.existence, Existence::Assumed { .. });
        let name = self.name_then(row.table);
        // A part of the parent's goes with that, but for a table that is detached: it keeps what it had.
        let kept = Self::is_part(row) && self.changes_place(row.table);
        if assumed || Self::is_part(row) && !kept || self.is_columns_own(self.from, row, &name) {
            return;
        }
        // A key falls with its column.
        let now = self.name_now(row.table);
        let stage = match row.as_foreign() {
            _ if kept => Stage::DropKept,
            Some(_) => Stage::DropForeignKey,
            None => Stage::DropConstraint,
        };
        let repair = Repair::new(stage, format!("ALTER TABLE {now} DROP CONSTRAINT {}", row.name));
        let repair = repair.when(Guard::constraint(&now, &row.name, true));
        let mut repairs = match row.kind {
            ConstraintRow::Primary { index } | ConstraintRow::Unique { index } => {
                self.around_key(row.table, index, &repair)
            }
            _ => Vec::new(),
        };
        repairs.push(repair);
        self.extra("constraint", format!("{now}.{}", row.name), &row.existence, repairs);
    }

    /// A key between two tables that both go: the older one is dropped last, and refers to the younger.
    fn outlives(&self, row: &Constraint) -> bool {
        row.as_foreign().is_some_and(|key| key.references > row.table && self.is_extra(key.references))
    }

    fn missing_constraint(&mut self, row: &Constraint) {
        let Some(now) = self.pairs.from(row.table) else { return };
        let Some(relation) = self.to.get_relation(row.table) else { return };
        let name = relation.name.clone();
        let assumed = matches!(row.existence, Existence::Assumed { .. });
        if assumed || Self::is_part(row) || self.is_columns_own(self.to, row, &name) {
            return;
        }
        let unknown =
            self.from.get_relation(now).and_then(|table| table.as_table()).is_none_or(|one| !one.columns_known);
        if unknown && self.from.get_relation(now).is_some_and(|one| matches!(one.existence, Existence::Assumed { .. }))
        {
            return;
        }
        let repairs = self.make_constraint(row, &name);
        self.missing("constraint", format!("{name}.{}", row.name), &row.existence, repairs);
    }

    /// Statements that add a constraint to a table in use.
    pub(super) fn make_constraint(&self, row: &Constraint, name: &QualifiedName) -> Vec<Repair> {
        let absent = Guard::constraint(name, &row.name, false);
        let partitioned = self.to.get_relation(row.table).is_some_and(|table| table.is_partitioned());
        let add = |definition: &str| format!("ALTER TABLE {name} ADD CONSTRAINT {} {definition}", row.name);
        let whole = definition(self.to, row);
        let later = match row.kind {
            ConstraintRow::Foreign(_) => !partitioned || self.to.majors.since(Major(18)),
            ConstraintRow::Check { .. } => true,
            ConstraintRow::NotNull => false,
            ConstraintRow::Primary { index } | ConstraintRow::Unique { index } if !partitioned => {
                return self.make_key(row, index, name, &row.name);
            }
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. } | ConstraintRow::Exclude { .. } => false,
        };
        let stage = match row.kind {
            ConstraintRow::Foreign(_) => Stage::AddForeignKey,
            _ => Stage::AddKey,
        };
        if !later || !row.validated || !row.enforced {
            return vec![Repair::new(stage, add(&whole)).when(absent)];
        }
        let validate = format!("ALTER TABLE {name} VALIDATE CONSTRAINT {}", row.name);
        let not_valid = Guard::Validated { table: name.clone(), name: row.name.clone(), is: false };
        vec![
            Repair::new(stage, add(&format!("{whole} NOT VALID"))).when(absent).unused(Unused::Plain(add(&whole))),
            Repair::new(Stage::Validate, validate).when(not_valid).unused(Unused::Needless),
        ]
    }

    /// A key's index is built while others write, then taken over.
    fn make_key(&self, row: &Constraint, index: RelationId, name: &QualifiedName, built: &Ident) -> Vec<Repair> {
        let Some(found) = self.to.get_relation(index).and_then(|relation| relation.as_index()) else {
            return Vec::new();
        };
        let full = QualifiedName::new(name.schema.clone(), built.clone());
        let body = index_body(self.to, found, "");
        let build = format!("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {built} ON {name} {body}");
        let kind = if matches!(row.kind, ConstraintRow::Primary { .. }) { "PRIMARY KEY" } else { "UNIQUE" };
        let endings = [(row.deferrable, " DEFERRABLE"), (row.initially_deferred, " INITIALLY DEFERRED")];
        let endings: String = endings.iter().filter(|(said, _)| *said).map(|(_, words)| *words).collect();
        let plain = format!("ALTER TABLE {name} ADD CONSTRAINT {} {}", row.name, definition(self.to, row));
        let take = format!("ALTER TABLE {name} ADD CONSTRAINT {} {kind} USING INDEX {built}{endings}", row.name);
        vec![
            clear(&full),
            Repair::new(Stage::CreateIndex, build).alone().unused(Unused::Needless),
            Repair::new(Stage::AddKey, take)
                .when(Guard::constraint(name, &row.name, false))
                .unused(Unused::Plain(plain)),
        ]
    }

    fn constraint(&mut self, row: &Constraint, other: &Constraint) {
        let Some(table) = self.to.get_relation(other.table) else { return };
        let name = table.name.clone();
        let full = format!("{name}.{}", other.name);
        let both = (&row.existence, &other.existence);
        let parts = (Self::is_part(row), Self::is_part(other));
        if row.name != other.name && parts == (false, false) {
            let sql = format!("ALTER TABLE {name} RENAME CONSTRAINT {} TO {}", row.name, other.name);
            let repair = Repair::new(Stage::Rename, sql)
                .when(Guard::constraint(&name, &row.name, true))
                .when(Guard::constraint(&name, &other.name, false));
            self.differs_in(
                Aspect::Name,
                "constraint",
                full.clone(),
                format!("is called {}", row.name),
                both,
                vec![repair],
            );
        }
        if matches!(row.kind, ConstraintRow::NotNull) && matches!(other.kind, ConstraintRow::NotNull) {
            return;
        }
        let alike = self.alike(row, other);
        if parts.0 != parts.1 {
            let text = if parts.1 {
                "stands on its own, not as a part of the parent's: dropping the parent's leaves it"
            } else {
                "is a part of the parent's"
            };
            self.differs("constraint", full.clone(), text, both, Vec::new());
        }
        if parts.0 {
            return;
        }
        if !alike {
            let mut repairs = match other.kind {
                // The old key's index has the name until the key is dropped: the new one takes it over then.
                ConstraintRow::Primary { index } | ConstraintRow::Unique { index } if !table.is_partitioned() => {
                    self.make_key(other, index, &name, &beside(&other.name))
                }
                _ => self.make_constraint(other, &name),
            };
            if self.refers_elsewhere(row, other) {
                let drop = format!("ALTER TABLE {} DROP CONSTRAINT {}", self.name_now(row.table), row.name);
                let there = Guard::constraint(&self.name_now(row.table), &row.name, true);
                repairs.insert(0, Repair::new(Stage::DropForeignKey, drop).when(there));
            }
            // Dropped and added in one statement: no write comes between.
            let drop = format!("ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {}, ADD CONSTRAINT", other.name);
            let add = format!("ALTER TABLE {name} ADD CONSTRAINT");
            let apart = repairs.first().is_some_and(|first| first.stage == Stage::DropForeignKey);
            for repair in repairs.iter_mut().filter(|repair| !apart && repair.sql.starts_with(&add)) {
                repair.sql = repair.sql.replacen(&add, &drop, 1);
                if let Unused::Plain(plain) = &mut repair.unused {
                    *plain = plain.replacen(&add, &drop, 1);
                }
                repair.guards.clear();
            }
            if let ConstraintRow::Primary { index } | ConstraintRow::Unique { index } = row.kind {
                let cause = Repair::new(Stage::AddKey, "").when(Guard::constraint(&name, &row.name, true));
                repairs.extend(self.around_key(row.table, index, &cause));
            }
            let text = format!("is {} rather than {}", definition(self.from, row), definition(self.to, other));
            self.differs("constraint", full, text, both, repairs);
        } else if row.validated != other.validated {
            let is = Guard::Validated { table: name.clone(), name: other.name.clone(), is: row.validated };
            let (text, repair) = if other.validated {
                let sql = format!("ALTER TABLE {name} VALIDATE CONSTRAINT {}", other.name);
                ("is NOT VALID, and enforced for every new row", Repair::new(Stage::Validate, sql))
            } else {
                let (drop, whole) = (&other.name, definition(self.to, other));
                let sql = format!("ALTER TABLE {name} DROP CONSTRAINT {drop}, ADD CONSTRAINT {drop} {whole}");
                ("is validated", Repair::new(Stage::AddForeignKey, sql))
            };
            let aspect = Aspect::Valid { now: row.validated };
            self.differs_in(aspect, "constraint", full, text, both, vec![repair.when(is)]);
        }
    }

    /// What the key relies on may be in the way of others until the key is gone.
    fn refers_elsewhere(&self, row: &Constraint, other: &Constraint) -> bool {
        let (Some(one), Some(two)) = (row.as_foreign(), other.as_foreign()) else { return false };
        let names = |schema: &Schema, key: &ForeignRow| -> Vec<Ident> {
            key.referenced_columns.iter().map(|column| schema.column_name(key.references, *column)).collect()
        };
        self.pairs.to(one.references) != Some(two.references) || names(self.from, one) != names(self.to, two)
    }

    /// The same but for its name, and whether it was validated.
    pub(super) fn alike(&self, row: &Constraint, other: &Constraint) -> bool {
        if row.deferrable != other.deferrable
            || row.initially_deferred != other.initially_deferred
            || row.enforced != other.enforced
        {
            return false;
        }
        let names = |schema: &Schema, row: &Constraint| -> Vec<String> {
            row.columns.iter().map(|column| schema.column_name(row.table, *column).to_string()).collect()
        };
        let renamed = || {
            // Columns follow their numbers where one was renamed.
            is_shared(self.shared, row.id.0) && row.id == other.id && row.columns == other.columns
        };
        match (&row.kind, &other.kind) {
            (ConstraintRow::Check { expression: one }, ConstraintRow::Check { expression: other_one }) => {
                row.no_inherit == other.no_inherit && same(one, other_one)
            }
            (ConstraintRow::Foreign(one), ConstraintRow::Foreign(two)) => {
                let targets = self.pairs.to(one.references) == Some(two.references);
                let referenced = (
                    one.referenced_columns.iter().map(|column| self.from.column_name(one.references, *column)),
                    two.referenced_columns.iter().map(|column| self.to.column_name(two.references, *column)),
                );
                targets
                    && (names(self.from, row) == names(self.to, other) || renamed())
                    && (referenced.0.eq(referenced.1) || renamed())
                    && (one.on_delete, one.on_update, one.match_full) == (two.on_delete, two.on_update, two.match_full)
            }
            (ConstraintRow::Primary { index: one }, ConstraintRow::Primary { index: two })
            | (ConstraintRow::Unique { index: one }, ConstraintRow::Unique { index: two })
            | (ConstraintRow::Exclude { index: one }, ConstraintRow::Exclude { index: two }) => {
                let index = |schema: &'a Schema, id: &RelationId| {
                    schema.get_relation(*id).and_then(|one| one.as_index()).map(|one| (schema, one))
                };
                match (index(self.from, one), index(self.to, two)) {
                    (Some(one), Some(two)) => same_index(one, two) || renamed(),
                    (one, two) => one.is_some() == two.is_some(),
                }
            }
            _ => false,
        }
    }
}

/// A free name, no longer than a name may be.
fn beside(name: &Ident) -> Ident {
    let end = (0..=name.as_str().len().min(59)).rev().find(|end| name.as_str().is_char_boundary(*end)).unwrap_or(0);
    Ident::new(format!("{}_new", &name.as_str()[..end]))
}

/// An unusable index of that name goes first: IF NOT EXISTS would be content with it.
pub(super) fn clear(name: &QualifiedName) -> Repair {
    let drop = format!("DROP INDEX {name}");
    let is_invalid = Guard::InvalidIndex { name: name.clone() };
    Repair::new(Stage::ClearIndex, drop).when(is_invalid).unused(Unused::Needless)
}
