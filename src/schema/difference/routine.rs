//! Functions, types and sequences.

use std::collections::BTreeSet;

use super::pairs::is_shared;
use super::same::same_text;
use super::{Comparison, Guard, Repair, Stage};
use crate::operation::{ArgumentMode, Name, RoutineKind, quoted};
use crate::read::sql::same_tokens;
use crate::schema::definition::{arguments, owner};
use crate::schema::statement;
use crate::schema::{
    ColumnId, Existence, Function, Relation, RelationId, RelationKind, Schema, Sequence, Type, TypeKind,
};

impl<'a> Comparison<'a> {
    pub(super) fn functions(&mut self) {
        let to = self.to;
        let sides = self.routines.clone();
        let mut taken = BTreeSet::new();
        for function in sides.from {
            let same = to.get_function(function.id).filter(|_| is_shared(self.shared, function.id.0));
            let by_name = || self.same_function(function);
            match same.or_else(by_name).filter(|found| !taken.contains(&found.id)) {
                Some(found) => {
                    taken.insert(found.id);
                    self.function(function, found);
                }
                None => self.extra_function(function),
            }
        }
        for function in sides.to.into_iter().filter(|function| !taken.contains(&function.id)) {
            if matches!(function.existence, Existence::Assumed { .. }) {
                continue;
            }
            let made = self.make_function(function);
            self.missing("function", signature(function), &function.existence, made.into_iter().collect());
        }
    }

    fn extra_function(&mut self, function: &Function) {
        if matches!(function.existence, Existence::Assumed { .. }) {
            return;
        }
        let kind = match function.kind {
            RoutineKind::Function => "FUNCTION",
            RoutineKind::Procedure => "PROCEDURE",
            RoutineKind::Aggregate => "AGGREGATE",
        };
        let own = match function.kind {
            RoutineKind::Aggregate if function.arguments.is_empty() => format!("{}(*)", function.name),
            _ => signature(function),
        };
        let sql = format!("DROP {kind} IF EXISTS {own}");
        let stage = match function.kind {
            RoutineKind::Aggregate => Stage::DropAggregate,
            _ if has_rows(self.from, function, None) => Stage::DropReader,
            _ => Stage::DropRoutine,
        };
        self.extra("function", signature(function), &function.existence, vec![Repair::new(stage, sql)]);
    }

    pub(super) fn make_function(&self, function: &Function) -> Option<Repair> {
        let stage = if has_rows(self.to, function, None) { Stage::CreateReader } else { Stage::CreateRoutine };
        Some(Repair::new(stage, statement::create_function(function, true)?))
    }

    pub(super) fn same_function(&self, function: &Function) -> Option<&'a Function> {
        let to = self.to;
        let mut others = to.functions().filter(|one| one.name == function.name);
        others.find(|one| types(one) == types(function))
    }

    fn function(&mut self, function: &Function, other: &Function) {
        let texts = (statement::create_function(function, true), statement::create_function(other, true));
        let (Some(now), Some(then)) = texts else { return };
        if function.name != other.name {
            let both = (&function.existence, &other.existence);
            let (from, to) = (signature(function), other.name.clone());
            let mut repairs = Vec::new();
            if function.name.schema != to.schema {
                repairs.push(Repair::new(Stage::Rename, format!("ALTER ROUTINE {from} SET SCHEMA {}", to.schema)));
            } else {
                repairs.push(Repair::new(Stage::Rename, format!("ALTER ROUTINE {from} RENAME TO {}", to.name)));
            }
            self.differs("function", signature(other), format!("is called {from}"), both, repairs);
            return;
        }
        if now != then && !same_body(&now, &then) && !same_words(function, other) {
            let both = (&function.existence, &other.existence);
            let mut repairs = vec![Repair::new(Stage::CreateRoutine, then)];
            let names = |one: &Function| one.arguments.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
            if !same_text(&function.returns, &other.returns) || names(function) != names(other) {
                // CREATE OR REPLACE refuses another result, and other names for what it takes.
                let drop = format!("DROP ROUTINE IF EXISTS {}", signature(function));
                repairs.extend(self.around_defaults(function));
                repairs.push(Repair::new(Stage::DropReplaced, drop).at(1));
            }
            self.differs("function", signature(other), "does something else", both, repairs);
        }
    }

    pub(super) fn types(&mut self) {
        let to = self.to;
        let sides = self.own_types.clone();
        let mut taken = BTreeSet::new();
        for one in sides.from {
            let same = to.types.get(&one.id).filter(|_| is_shared(self.shared, one.id.0)).map(|one| &**one);
            let by_name = || to.type_names.get(&one.name).map(|id| &*to.types[id]);
            match same.or_else(by_name).filter(|found| !taken.contains(&found.id)) {
                Some(found) => {
                    taken.insert(found.id);
                    self.type_of(one, found);
                }
                None => self.extra_type(one),
            }
        }
        for one in sides.to.into_iter().filter(|one| !taken.contains(&one.id)) {
            if matches!(one.existence, Existence::Assumed { .. }) {
                continue;
            }
            let made = statement::create_type(to, one).unwrap_or_default();
            let repairs = made.into_iter().map(|sql| Repair::new(Stage::CreateType, sql)).collect();
            self.missing("type", one.name.to_string(), &one.existence, repairs);
        }
    }

    fn extra_type(&mut self, one: &Type) {
        if matches!(one.existence, Existence::Assumed { .. }) {
            return;
        }
        let kind = if matches!(one.kind, TypeKind::Domain(_)) { "DOMAIN" } else { "TYPE" };
        let sql = format!("DROP {kind} IF EXISTS {}", one.name);
        // One is made of others that were there before.
        let drop = Repair::new(Stage::DropType, sql).at(u32::MAX - one.id.0);
        self.extra("type", one.name.to_string(), &one.existence, vec![drop]);
    }

    fn type_of(&mut self, one: &Type, other: &Type) {
        let both = (&one.existence, &other.existence);
        let name = other.name.to_string();
        if one.name != other.name {
            let sql = format!("ALTER TYPE {} RENAME TO {}", one.name, other.name.name);
            let text = format!("is called {}", one.name);
            self.differs("type", name.clone(), text, both, vec![Repair::new(Stage::Rename, sql)]);
        }
        match (&one.kind, &other.kind) {
            (TypeKind::Enum { labels: now }, TypeKind::Enum { labels: then }) => {
                for label in now.iter().filter(|label| !then.iter().any(|one| one.text == label.text)) {
                    // PostgreSQL has no way to take a label away.
                    let text = format!("has the label {}, which cannot be taken away", quoted(&label.text));
                    self.differs("type", name.clone(), text, both, Vec::new());
                }
                for (at, label) in then.iter().enumerate() {
                    if now.iter().any(|one| one.text == label.text) {
                        continue;
                    }
                    let before = then[..at].iter().rev().find(|one| now.iter().any(|known| known.text == one.text));
                    let place = before.map(|one| format!(" AFTER {}", quoted(&one.text))).unwrap_or_default();
                    let sql = format!("ALTER TYPE {name} ADD VALUE IF NOT EXISTS {}{place}", quoted(&label.text));
                    let text = format!("lacks the label {}", quoted(&label.text));
                    self.differs("type", name.clone(), text, both, vec![Repair::new(Stage::CreateType, sql).alone()]);
                }
            }
            _ => {
                let texts = (statement::create_type(self.from, one), statement::create_type(self.to, other));
                if let (Some(now), Some(then)) = texts
                    && one.name == other.name
                    && !same_text(&now.join(";"), &then.join(";"))
                {
                    self.differs("type", name, "is another type, and none turns into another", both, Vec::new());
                }
            }
        }
    }

    pub(super) fn sequences(&mut self) {
        let own = |relation: &'a Relation| match &relation.kind {
            RelationKind::Sequence(sequence) if !sequence.internal => Some((relation, sequence)),
            _ => None,
        };
        let to = self.to;
        let sides = self.relations.clone();
        for (relation, sequence) in sides.from.into_iter().filter_map(own) {
            match self.pairs.to(relation.id).and_then(|id| to.get_relation(id)).and_then(own) {
                Some((other, then)) => self.sequence(relation, sequence, other, then),
                None => self.extra_sequence(relation, sequence),
            }
        }
        for (relation, sequence) in sides.to.into_iter().filter_map(own) {
            let assumed = matches!(relation.existence, Existence::Assumed { .. });
            if self.pairs.from(relation.id).is_some() || assumed {
                continue;
            }
            let sql = statement::create_sequence(relation, sequence);
            let mut repairs =
                vec![Repair::new(Stage::CreateSequence, sql).when(Guard::relation(&relation.name, false))];
            repairs.extend(owner(to, sequence).map(|owner| {
                Repair::new(Stage::AlterColumn, format!("ALTER SEQUENCE {} OWNED BY {owner}", relation.name))
            }));
            self.missing("sequence", relation.name.to_string(), &relation.existence, repairs);
        }
    }

    /// What a column owns goes with it.
    fn extra_sequence(&mut self, relation: &Relation, sequence: &Sequence) {
        if matches!(relation.existence, Existence::Assumed { .. }) {
            return;
        }
        if sequence.owned_by.is_some_and(|(table, column)| self.goes(table, column)) {
            return;
        }
        let sql = format!("DROP SEQUENCE IF EXISTS {}", relation.name);
        let repair = Repair::new(Stage::DropSequence, sql);
        self.extra("sequence", relation.name.to_string(), &relation.existence, vec![repair]);
    }

    fn goes(&self, table: RelationId, column: ColumnId) -> bool {
        let then = self.pairs.to(table).and_then(|id| self.to.get_relation(id)).and_then(Relation::as_table);
        let name = self.from.column_name(table, column);
        then.is_none_or(|table| table.column(&name).is_none())
    }

    fn sequence(&mut self, relation: &Relation, sequence: &Sequence, other: &Relation, then: &Sequence) {
        self.renamed("sequence", "SEQUENCE", relation, other);
        let goes_along = sequence.owned_by.is_some_and(|(table, column)| self.goes(table, column));
        let owners = (owner(self.from, sequence), owner(self.to, then));
        let moved = sequence.owned_by.map(|(table, column)| (self.pairs.to(table), column));
        let same_owner = moved == then.owned_by.map(|(table, column)| (Some(table), column));
        if owners.0 != owners.1 && !same_owner {
            let to = owners.1.unwrap_or_else(|| "NONE".to_owned());
            let owned = |stage, by: &str| Repair::new(stage, format!("ALTER SEQUENCE {} OWNED BY {by}", other.name));
            let mut repairs = vec![owned(Stage::AlterColumn, &to)];
            if goes_along {
                // Else it would go with its owner.
                let there = Guard::relation(&other.name, true);
                repairs.insert(0, owned(Stage::MoveAway, "NONE").when(there));
            }
            let both = (&relation.existence, &other.existence);
            self.differs("sequence", other.name.to_string(), "has another owner", both, repairs);
        }
    }
}

/// The rows of a relation, of any or of this one, stand in a function's signature.
pub(super) fn has_rows(schema: &Schema, function: &Function, of: Option<RelationId>) -> bool {
    let names = |name: &Name| schema.find(name).is_some_and(|found| of.is_none_or(|of| of == found.id));
    function.named_types().iter().any(names)
}

/// The types that tell overloads apart.
fn types(function: &Function) -> Vec<String> {
    let given = function.arguments.iter().filter(|one| !matches!(one.mode, ArgumentMode::Out | ArgumentMode::Table));
    // With its schema or without: a dump writes what a migration leaves to the search_path.
    given.map(|argument| argument.data_type.to_string().replace("public.", "")).collect()
}

pub(super) fn signature(function: &Function) -> String {
    format!("{}({})", function.name, arguments(&function.arguments))
}

/// The bodies differ in comments, blanks and the case of words, which a language of the server's own reads over.
fn same_words(one: &Function, other: &Function) -> bool {
    let is_read_over = |function: &Function| matches!(function.language.as_str(), "sql" | "plpgsql");
    let head = |function: &Function| {
        let mut bare = function.clone();
        bare.body.text = "".into();
        statement::create_function(&bare, true)
    };
    let heads = head(one).zip(head(other)).is_some_and(|(one, other)| same_body(&one, &other));
    let body = |function: &Function| function.body.text.replace("public.", "");
    is_read_over(one) && is_read_over(other) && heads && same_tokens(&body(one), &body(other))
}

/// Blanks at the ends of lines and around the body are no difference.
fn same_body(one: &str, other: &str) -> bool {
    let lines = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("public.", "");
    lines(one) == lines(other)
}
