//! Tables: which are there, what they are called, where they stand in their trees.

use super::{Comparison, Guard, Loss, OF_PROGRAM, Repair, Stage};
use crate::operation::{Ident, Persistence, QualifiedName};
use crate::schema::definition::{bound, relation_name};
use crate::schema::statement;
use crate::schema::{ConstraintRow, Existence, Relation, RelationId, Schema, Table, TableKind};

impl<'a> Comparison<'a> {
    pub(super) fn tables(&mut self) {
        let mut extra: Vec<(&Relation, &Table)> = Vec::new();
        let own = |relation: &'a Relation| Some((relation, relation.as_table()?));
        let relations: Vec<_> = self.relations.from.iter().copied().filter_map(own).collect();
        for (relation, table) in relations {
            match self.pairs.to(relation.id).and_then(|id| self.to.get_relation(id)) {
                Some(other) => self.table(relation, table, other),
                None => extra.push((relation, table)),
            }
        }
        // What was made last goes first: it may stand on what was there before.
        extra.sort_by_key(|(relation, _)| std::cmp::Reverse(relation.id));
        for (relation, table) in extra {
            self.extra_table(relation, table);
        }
        let missing: Vec<(&Relation, &Table)> = self
            .relations
            .to
            .iter()
            .copied()
            .filter_map(own)
            .filter(|(relation, _)| self.pairs.from(relation.id).is_none())
            .collect();
        for (relation, table) in missing {
            self.missing_table(relation, table);
        }
    }

    /// The relation stands below another that goes, and goes with it.
    pub(super) fn goes_with_parent(&self, table: &Table) -> bool {
        table.partition_of.as_ref().is_some_and(|place| self.pairs.to(place.parent).is_none())
    }

    pub(super) fn is_extra(&self, id: RelationId) -> bool {
        self.pairs.to(id).is_none()
    }

    fn extra_table(&mut self, relation: &Relation, table: &Table) {
        if matches!(relation.existence, Existence::Assumed { .. }) || relation.name.schema == "pg_temp" {
            return;
        }
        let mut repairs = Vec::new();
        if !self.goes_with_parent(table) {
            let name = self.free_name(relation, &mut repairs);
            // The partitions go with their table, and so do their rows. A partition of a table that keys refer to is
            // detached first: PostgreSQL does not drop it else.
            let parent =
                table.partition_of.as_ref().and_then(|place| self.to.get_relation(self.pairs.to(place.parent)?));
            let referenced = parent.is_some_and(|parent| self.is_referenced(parent));
            let detach = match parent {
                Some(parent) if referenced => format!("ALTER TABLE {} DETACH PARTITION {name}; ", parent.name),
                _ => String::new(),
            };
            let drop = Repair::new(Stage::DropTable, format!("{detach}DROP TABLE {name}"));
            let drop = drop.when(Guard::relation(&name, true));
            repairs.extend(self.around(relation.id, None, &drop));
            repairs.push(match table.kind {
                TableKind::Foreign => drop,
                _ => drop.loses(Loss::Rows(name)),
            });
        }
        self.extra("table", relation.name.to_string(), &relation.existence, repairs);
    }

    /// A key refers to the table, or to one above it.
    fn is_referenced(&self, relation: &Relation) -> bool {
        let mut at = Some(relation);
        while let Some(table) = at.and_then(Relation::as_table) {
            if !table.referenced_by.is_empty() {
                return true;
            }
            at = table.partition_of.as_ref().and_then(|place| self.to.get_relation(place.parent));
        }
        false
    }

    /// The table stands at another place of a tree, or at none.
    pub(super) fn changes_place(&self, from: RelationId) -> bool {
        let parent =
            |schema: &Schema, id: RelationId| Some(schema.get_relation(id)?.as_table()?.partition_of.as_ref()?.parent);
        let Some(to) = self.pairs.to(from) else { return false };
        parent(self.from, from).map(|parent| self.pairs.to(parent)) != parent(self.to, to).map(Some)
    }

    /// The name under which something goes: where its own is wanted by another, it is moved away first.
    fn free_name(&self, relation: &Relation, repairs: &mut Vec<Repair>) -> QualifiedName {
        let wanted = self.to.relation_names.get(&relation.name).and_then(|id| self.pairs.from(*id));
        let Some(wanted) = wanted else { return relation.name.clone() };
        let other = self.name_now(wanted);
        let name = QualifiedName::new(
            relation.name.schema.clone(),
            Ident::new(format!("{}_undone", relation.name.name.as_str())),
        );
        let sql = format!("ALTER TABLE {} RENAME TO {}", relation.name, name.name);
        // As long as the one that the name belongs to is called something else.
        repairs.push(
            Repair::new(Stage::MoveAway, sql).when(Guard::relation(&other, true)).when(Guard::relation(&name, false)),
        );
        name
    }

    fn missing_table(&mut self, relation: &Relation, table: &Table) {
        if matches!(relation.existence, Existence::Assumed { .. }) || relation.name.schema == "pg_temp" {
            return;
        }
        let (to, absent) = (self.to, Guard::relation(&relation.name, false));
        let mut repairs = Vec::new();
        if let Some(sql) = statement::create_table(to, relation, table) {
            let repair = Repair::new(Stage::CreateTable, sql).when(absent);
            let unsaid = table.columns.iter().find(|column| column.has_parameter());
            repairs.push(match unsaid {
                Some(column) => repair.told(format!("make `{}`, its `{}` {OF_PROGRAM}", relation.name, column.name)),
                None => repair,
            });
        }
        let no_constraint = |name: &Ident| Guard::constraint(&relation.name, name, false);
        for row in to.constraints_of(relation.id) {
            // A partitioned table's key is made on its partitions too, which are attached by then.
            let only = row.as_foreign().is_none() && !relation.is_partitioned();
            let whole = statement::add_constraint(to, row, only);
            match &row.kind {
                ConstraintRow::Check { .. } | ConstraintRow::NotNull => {
                    if !row.validated && row.local {
                        let sql = statement::add_constraint(to, row, false);
                        repairs.push(Repair::new(Stage::AddKey, sql).when(no_constraint(&row.name)));
                    }
                }
                ConstraintRow::Foreign(_) => {
                    if row.parent.is_none() {
                        repairs.push(Repair::new(Stage::AddForeignKey, whole).when(no_constraint(&row.name)));
                    }
                }
                _ => {
                    if row.parent.is_none() {
                        // An index of that name may wait to be taken over.
                        let index = QualifiedName::new(relation.name.schema.clone(), row.name.clone());
                        let add = Repair::new(Stage::AddKey, whole).when(no_constraint(&row.name));
                        repairs.push(add.when(Guard::relation(&index, false)));
                    }
                }
            }
        }
        for id in &table.indexes {
            let Some(index) = to.get_relation(*id) else { continue };
            let Some(found) = index.as_index().filter(|one| one.constraint.is_none() && one.parent.is_none()) else {
                continue;
            };
            if let Some(sql) = statement::create_index(to, index, found, statement::IndexForm::Only) {
                let sql = if relation.is_partitioned() { sql.replacen(" ON ONLY ", " ON ", 1) } else { sql };
                repairs.push(Repair::new(Stage::AddKey, sql).when(Guard::relation(&index.name, false)));
            }
        }
        if let Some(sql) = statement::attach(to, relation, table) {
            let guard = Guard::Partition { table: relation.name.clone(), is: false };
            repairs.push(Repair::new(Stage::Attach, sql).when(guard));
        }
        for trigger in to.triggers_of(relation.id) {
            if trigger.parent.is_none() {
                repairs.push(self.make_trigger(trigger));
            }
            repairs.extend(statement::trigger_state(to, trigger).map(|sql| Repair::new(Stage::AlterTable, sql)));
        }
        for (is, words) in [(table.row_security, "ENABLE"), (table.row_security_forced, "FORCE")] {
            if is {
                let sql = format!("ALTER TABLE {} {words} ROW LEVEL SECURITY", relation.name);
                repairs.push(Repair::new(Stage::AlterTable, sql));
            }
        }
        self.missing("table", relation.name.to_string(), &relation.existence, repairs);
    }

    fn table(&mut self, relation: &'a Relation, table: &'a Table, other: &'a Relation) {
        let Some(then) = other.as_table() else { return };
        let both = (&relation.existence, &other.existence);
        let name = other.name.clone();
        self.renamed("table", "TABLE", relation, other);
        if table.kind != then.kind && !table.columns_known | !then.columns_known {
            return;
        }
        if table.kind != then.kind {
            let text = format!("is {:?} rather than {:?}", table.kind, then.kind).to_lowercase();
            self.differs("table", name.to_string(), text, both, Vec::new());
            return;
        }
        self.place(relation, table, other, then);
        if table.persistence != then.persistence {
            let (words, is) = match then.persistence {
                Persistence::Unlogged => ("UNLOGGED", "is logged"),
                Persistence::Permanent | Persistence::Temporary => ("LOGGED", "is unlogged"),
            };
            let sql = format!("ALTER TABLE {name} SET {words}");
            self.differs("table", name.to_string(), is, both, vec![Repair::new(Stage::AlterTable, sql)]);
        }
        let flags = [
            (table.row_security, then.row_security, "row level security", "ENABLE", "DISABLE"),
            (table.row_security_forced, then.row_security_forced, "forced row level security", "FORCE", "NO FORCE"),
        ];
        for (now, wanted, what, on, off) in flags {
            if now != wanted {
                let sql = format!("ALTER TABLE {name} {} ROW LEVEL SECURITY", if wanted { on } else { off });
                let text = if now { format!("has {what}") } else { format!("has no {what}") };
                self.differs("table", name.to_string(), text, both, vec![Repair::new(Stage::AlterTable, sql)]);
            }
        }
        if table.replica_identity_full != then.replica_identity_full {
            let words = if then.replica_identity_full { "FULL" } else { "DEFAULT" };
            let sql = format!("ALTER TABLE {name} REPLICA IDENTITY {words}");
            let text = "has another replica identity";
            self.differs("table", name.to_string(), text, both, vec![Repair::new(Stage::AlterTable, sql)]);
        }
        self.columns(relation, table, other, then);
    }

    /// RENAME and SET SCHEMA.
    pub(super) fn renamed(&mut self, object: &'static str, words: &str, relation: &Relation, other: &Relation) {
        let (now, then) = (relation.name.clone(), other.name.clone());
        if now == then {
            return;
        }
        let mut repairs = Vec::new();
        // Another one that both sides have holds the name: which of the two is which, names cannot tell.
        let holder = self.from.relation_names.get(&then).copied();
        let swapped = holder.is_some_and(|holder| self.pairs.to(holder).is_some());
        let mut at = now.clone();
        let guarded = |sql: String, now: &QualifiedName, then: &QualifiedName| {
            let repair = Repair::new(Stage::Rename, sql);
            let repair = repair.when(Guard::relation(now, true)).when(Guard::relation(then, false));
            if swapped { repair.loses(Loss::Unclear) } else { repair }
        };
        if now.schema != then.schema {
            let moved = QualifiedName::new(then.schema.clone(), now.name.clone());
            repairs.push(guarded(format!("ALTER {words} {now} SET SCHEMA {}", then.schema), &now, &moved));
            at = moved;
        }
        if at.name != then.name {
            repairs.push(guarded(format!("ALTER {words} {at} RENAME TO {}", then.name), &at, &then));
        }
        let text = format!("is called {now}");
        self.differs(object, then.to_string(), text, (&relation.existence, &other.existence), repairs);
    }

    fn place(&mut self, relation: &Relation, table: &Table, other: &Relation, then: &Table) {
        let both = (&relation.existence, &other.existence);
        let name = relation.name.clone();
        let wanted = statement::attach(self.to, other, then);
        let guard = |is| Guard::Partition { table: other.name.clone(), is };
        let same_parent = match (&table.partition_of, &then.partition_of) {
            (None, None) => true,
            (Some(now), Some(then)) => {
                let parents = (self.from.get_relation(now.parent), self.to.get_relation(then.parent));
                let bounds = (
                    bound(&now.bound, parents.0.and_then(Relation::as_table)),
                    bound(&then.bound, parents.1.and_then(Relation::as_table)),
                );
                self.pairs.to(now.parent) == Some(then.parent) && super::same::same_text(&bounds.0, &bounds.1)
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        let pending = table.partition_of.as_ref().is_some_and(|place| place.detach_pending);
        let pending_then = then.partition_of.as_ref().is_some_and(|place| place.detach_pending);
        if same_parent && pending && !pending_then {
            let Some(place) = &table.partition_of else { return };
            let parent = self.name_now(place.parent);
            let finish = format!("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE");
            let mut repairs =
                vec![Repair::new(Stage::FinishDetach, finish).when(Guard::DetachPending { table: name.clone() })];
            repairs.extend(wanted.map(|sql| Repair::new(Stage::Attach, sql).when(guard(false))));
            self.differs("partition", other.name.to_string(), "is half detached", both, repairs);
            return;
        }
        if !same_parent {
            let mut repairs = Vec::new();
            if let Some(place) = &table.partition_of {
                let detach = format!("ALTER TABLE {} DETACH PARTITION {name}", self.name_now(place.parent));
                let own = Guard::Partition { table: name.clone(), is: true };
                repairs.push(Repair::new(Stage::Detach, detach).when(own));
            }
            repairs.extend(wanted.map(|sql| Repair::new(Stage::Attach, sql).when(guard(false))));
            let text = match (&table.partition_of, &then.partition_of) {
                (None, _) => "is detached".to_owned(),
                (Some(place), None) => format!("is a partition of {}", relation_name(self.from, place.parent)),
                (Some(_), Some(_)) => "is attached with another bound or parent".to_owned(),
            };
            self.differs("partition", other.name.to_string(), text, both, repairs);
        }
        for parent in &table.inherits {
            if !then.inherits.iter().any(|one| self.pairs.to(*parent) == Some(*one)) && !self.is_extra(*parent) {
                let sql = format!("ALTER TABLE {} NO INHERIT {}", other.name, self.name_then(*parent));
                let text = format!("inherits from {}", self.name_now(*parent));
                self.differs("table", other.name.to_string(), text, both, vec![Repair::new(Stage::AlterTable, sql)]);
            }
        }
        for parent in &then.inherits {
            if !table.inherits.iter().any(|one| self.pairs.to(*one) == Some(*parent)) {
                let parent = relation_name(self.to, *parent);
                let sql = format!("ALTER TABLE {} INHERIT {parent}", other.name);
                let text = format!("does not inherit from {parent}");
                self.differs("table", other.name.to_string(), text, both, vec![Repair::new(Stage::AlterTable, sql)]);
            }
        }
    }
}
