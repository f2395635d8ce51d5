//! What stands between two schemas, object by object, with the statements that turn one into the other.
//!
//! Both may be states of one history, where ids tell what was renamed, or come from different places, where only names do.

mod column;
mod constraint;
mod dependent;
mod index;
mod pairs;
mod repair;
mod routine;
mod same;
mod sides;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use column::OF_PROGRAM;
pub use repair::{Guard, Loss, Repair, Stage, Unused};
pub use same::{same as same_expression, same_index};

use std::collections::BTreeSet;

use imbl::OrdMap;

use super::kept::{Kept, apart};
use super::{Constraint, Existence, Function, Relation, RelationId, Schema, Table, Trigger, Type};
use crate::operation::{Origin, QualifiedName, TypeName};
use dependent::Places;
use pairs::Pairs;
use sides::Sides;

/// What the ids of two schemas say about each other.
#[derive(Debug, Clone, Copy)]
pub enum Shared<'a> {
    /// Nothing: only names tell which objects are the same.
    Nothing,
    /// Both are states of one history in which [nothing was renamed](Schema::keeps_names): what both hold is the same,
    /// of all else only names tell.
    Names,
    /// Both grew out of this one: what it holds keeps its id.
    Since(&'a Schema),
}

/// One object that is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub kind: ChangeKind,
    /// `table`, `column`, `constraint` …
    pub object: &'static str,
    pub aspect: Aspect,
    /// As messages name it: `public.t.c`.
    pub name: String,
    /// What differs, in words; empty where the whole object is there or is not.
    pub text: String,
    /// False where it rests on something that may or may not be.
    pub certain: bool,
    /// Who made what is there and should not be.
    pub made: Option<Origin>,
    /// Statements that bring the first side to the second.
    pub repairs: Vec<Repair>,
}

/// In what an object is not the same; `now` is the first side's.
#[derive(Debug, Clone, PartialEq)]
pub enum Aspect {
    /// It is there, or it is not.
    Whole,
    Name,
    Type {
        now: TypeName,
        then: TypeName,
    },
    NotNull {
        now: bool,
    },
    /// Whether it has a default now.
    Default {
        now: bool,
    },
    /// Of a view.
    Query,
    /// NOT VALID, or INVALID, on one side.
    Valid {
        now: bool,
    },
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// On the first side only.
    Extra,
    /// On the second side only.
    Missing,
    Differs,
}

impl Schema {
    /// What must change for this schema to become `to`, in the order of objects; repairs are put in order by
    /// [`script`].
    pub fn difference(&self, to: &Schema, shared: Shared<'_>) -> Vec<Change> {
        let mut found = Comparison::new(self, to, shared);
        found.schemas();
        found.types();
        found.functions();
        found.sequences();
        found.tables();
        found.constraints();
        found.indexes();
        found.triggers();
        found.views();
        found.changes
    }
}

impl Schema {
    /// The same without what rests on something that may or may not be.
    pub fn certain_difference(&self, to: &Schema, shared: Shared<'_>) -> Vec<Change> {
        let mut changes = self.difference(to, shared);
        changes.retain(|change| change.certain);
        changes
    }
}

impl Schema {
    /// Whether all that a later state of the same history still has goes by the name that it has here.
    pub fn keeps_names(&self, later: &Schema) -> bool {
        let columns_keep = |now: &Table, then: &Table| {
            let mut columns = now.columns.iter();
            columns.all(|column| then.column_by_id(column.id).is_none_or(|later| later.name == column.name))
        };
        let relations = both(&self.relations, &later.relations).all(|(now, then)| {
            let tables = now.as_table().zip(then.as_table());
            now.name == then.name && tables.is_none_or(|(now, then)| columns_keep(now, then))
        });
        relations
            && both(&self.constraints, &later.constraints).all(|(now, then)| now.name == then.name)
            && both(&self.triggers, &later.triggers).all(|(now, then)| now.name == then.name)
            && both(&self.functions, &later.functions).all(|(now, then)| now.name == then.name)
            && both(&self.types, &later.types).all(|(now, then)| now.name == then.name)
    }
}

/// What both have and one of them changed.
fn both<'a, K: Ord, T>(
    one: &'a OrdMap<K, Kept<T>>,
    other: &'a OrdMap<K, Kept<T>>,
) -> impl Iterator<Item = (&'a T, &'a T)> {
    apart(one, other).filter_map(|(one, other)| Some((&**one?.1, &**other?.1)))
}

/// The repairs of all changes, in an order in which they can run.
pub fn script(changes: &[Change]) -> Vec<&Repair> {
    in_order(changes.iter().flat_map(|change| &change.repairs).collect())
}

/// The same for a reader who knows where it starts, each with its semicolon, or in words where no statement can say it:
/// without what clears away an index that a build which failed may have left, where none is seen or it is dropped already.
pub fn statements(changes: &[Change]) -> Vec<String> {
    statements_where(changes, |_| false)
}

/// The same, plain for changes of a table that nobody can have written to: no row is in the way, and nobody waits.
pub fn statements_where(changes: &[Change], is_unused: impl Fn(&Change) -> bool) -> Vec<String> {
    let mut told: Vec<((Stage, u32), String)> = Vec::new();
    for change in changes {
        let is_dropped = change.repairs.iter().any(|one| one.stage == Stage::DropIndex);
        let may_stand = change.kind == ChangeKind::Differs && !is_dropped;
        let clears = |one: &&Repair| one.guards.iter().any(|guard| matches!(guard, Guard::InvalidIndex { .. }));
        let needed = change.repairs.iter().filter(|one| may_stand || !clears(one));
        let unused = is_unused(change);
        told.extend(needed.filter_map(|repair| Some(((repair.stage, repair.place), text(repair, unused)?))));
        told.extend(without_statement(change).map(|words| ((Stage::AlterTable, 0), format!("-- {words}"))));
    }
    // A stable sort: within a stage they stay as they were found.
    told.sort_by_key(|(place, _)| *place);
    let mut seen = BTreeSet::new();
    told.into_iter().map(|(_, text)| text).filter(|text| seen.insert(text.clone())).collect()
}

/// What no statement of ours can say of a type or a routine.
fn without_statement(change: &Change) -> Option<String> {
    if !change.repairs.is_empty() {
        return None;
    }
    match (change.object, change.kind) {
        ("type", ChangeKind::Differs) => Some(format!("`{}` {}", change.name, change.text)),
        ("type" | "function", ChangeKind::Missing) => Some(format!("make the {} `{}`", change.object, change.name)),
        _ => None,
    }
}

/// What a reader is told to run; `None` where there is no need to.
fn text(repair: &Repair, unused: bool) -> Option<String> {
    let sql = match (&repair.unused, unused) {
        (Unused::Needless, true) => return None,
        (Unused::Plain(plain), true) => plain.clone(),
        (Unused::Same, true) => repair.sql.clone(),
        (_, false) => on_rows(&repair.sql),
    };
    let end = if repair.makes_view() { ";  -- give it the privileges and comments that it had" } else { ";" };
    Some(repair.words.as_ref().map_or_else(|| format!("{sql}{end}"), |words| format!("-- {words}")))
}

/// A column that comes NOT NULL and without a value is refused on any table with rows, as is NOT NULL where a row has none.
fn on_rows(sql: &str) -> String {
    if sql.starts_with("ALTER TABLE ") && sql.ends_with(" SET NOT NULL") {
        return format!("-- once no row holds NULL there\n{sql}");
    }
    let is_column = sql.starts_with("ALTER TABLE ") && sql.contains(" ADD COLUMN ");
    let has_value = [" DEFAULT ", " GENERATED "].iter().any(|words| sql.contains(words));
    let Some(free) = sql.strip_suffix(" NOT NULL").filter(|_| is_column && !has_value) else { return sql.to_owned() };
    let free = free.rsplit_once(" CONSTRAINT ").map_or(free, |(free, _)| free);
    format!("-- SET NOT NULL once each row has a value\n{free}")
}

fn name_in(schema: &Schema, id: RelationId) -> QualifiedName {
    schema.get_relation(id).map_or_else(|| QualifiedName::new("", "?"), |relation| relation.name.clone())
}

fn in_order(mut repairs: Vec<&Repair>) -> Vec<&Repair> {
    // A stable sort: within a stage they stay as they were found.
    repairs.sort_by_key(|repair| (repair.stage, repair.place));
    let mut seen = BTreeSet::new();
    repairs.retain(|repair| seen.insert(repair.sql.as_str()));
    repairs
}

/// Both schemas and what is known of them.
struct Comparison<'a> {
    from: &'a Schema,
    to: &'a Schema,
    shared: Shared<'a>,
    relations: Sides<'a, Relation>,
    constraint_rows: Sides<'a, Constraint>,
    trigger_rows: Sides<'a, Trigger>,
    routines: Sides<'a, Function>,
    own_types: Sides<'a, Type>,
    pairs: Pairs<'a>,
    places_now: Places,
    places_then: Places,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    fn new(from: &'a Schema, to: &'a Schema, shared: Shared<'a>) -> Comparison<'a> {
        let relations = Sides::new(&from.relations, &to.relations, shared);
        Comparison {
            from,
            to,
            shared,
            pairs: Pairs::new(from, to, shared, &relations),
            relations,
            constraint_rows: Sides::new(&from.constraints, &to.constraints, shared).that(|row| from.shows(row)),
            trigger_rows: Sides::new(&from.triggers, &to.triggers, shared),
            routines: Sides::new(&from.functions, &to.functions, shared),
            own_types: Sides::new(&from.types, &to.types, shared),
            places_now: Places::default(),
            places_then: Places::default(),
            changes: Vec::new(),
        }
    }

    fn extra(&mut self, object: &'static str, name: impl Into<String>, existence: &Existence, repairs: Vec<Repair>) {
        self.changes.push(Change {
            kind: ChangeKind::Extra,
            object,
            aspect: Aspect::Whole,
            name: name.into(),
            text: String::new(),
            certain: existence.is_certain(),
            made: Some(existence.origin().clone()),
            repairs,
        });
    }

    fn missing(&mut self, object: &'static str, name: impl Into<String>, existence: &Existence, repairs: Vec<Repair>) {
        self.changes.push(Change {
            kind: ChangeKind::Missing,
            object,
            aspect: Aspect::Whole,
            name: name.into(),
            text: String::new(),
            certain: existence.is_certain(),
            made: None,
            repairs,
        });
    }

    fn differs(
        &mut self,
        object: &'static str,
        name: impl Into<String>,
        text: impl Into<String>,
        both: (&Existence, &Existence),
        repairs: Vec<Repair>,
    ) {
        self.differs_in(Aspect::Other, object, name, text, both, repairs);
    }

    fn differs_in(
        &mut self,
        aspect: Aspect,
        object: &'static str,
        name: impl Into<String>,
        text: impl Into<String>,
        both: (&Existence, &Existence),
        repairs: Vec<Repair>,
    ) {
        self.changes.push(Change {
            kind: ChangeKind::Differs,
            object,
            aspect,
            name: name.into(),
            text: text.into(),
            certain: both.0.is_certain() && both.1.is_certain(),
            made: Some(both.0.origin().clone()),
            repairs,
        });
    }

    /// The name that a relation of the first side has on the second, and so after all renames.
    fn name_then(&self, id: RelationId) -> QualifiedName {
        match self.pairs.to(id).and_then(|id| self.to.get_relation(id)) {
            Some(relation) => relation.name.clone(),
            None => self.name_now(id),
        }
    }

    fn name_now(&self, id: RelationId) -> QualifiedName {
        name_in(self.from, id)
    }

    fn schemas(&mut self) {
        for schema in self.to.schemas().filter(|schema| !self.from.schemas.contains_key(*schema)) {
            let repair = Repair::new(Stage::CreateSchema, format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
            let existence = self.to.schemas[schema].clone();
            self.missing("schema", schema.to_string(), &existence, vec![repair]);
        }
        for schema in self.from.schemas().filter(|schema| !self.to.schemas.contains_key(*schema)) {
            // RESTRICT: whatever else stands in it stays.
            let repair = Repair::new(Stage::DropSchema, format!("DROP SCHEMA IF EXISTS {schema}"));
            let existence = self.from.schemas[schema].clone();
            if !matches!(existence, Existence::Assumed { .. }) {
                self.extra("schema", schema.to_string(), &existence, vec![repair]);
            }
        }
        for extension in self.to.extensions().filter(|one| !self.from.extensions.contains_key(*one)) {
            let sql = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
            let existence = self.to.extensions[extension].clone();
            self.missing("extension", extension.to_string(), &existence, vec![Repair::new(Stage::CreateSchema, sql)]);
        }
        for extension in self.from.extensions().filter(|one| !self.to.extensions.contains_key(*one)) {
            let sql = format!("DROP EXTENSION IF EXISTS {extension}");
            let existence = self.from.extensions[extension].clone();
            self.extra("extension", extension.to_string(), &existence, vec![Repair::new(Stage::DropSchema, sql)]);
        }
    }
}
