//! Columns: which are there, their types, defaults and NOT NULL.

use super::pairs::column_is_shared;
use super::same::same_option;
use super::{Aspect, Change, ChangeKind, Comparison, Guard, Loss, Repair, Stage};
use crate::operation::{Expression, Ident, QualifiedName, TypeName};
use crate::schema::definition::{parenthesised, type_name};
use crate::schema::statement;
use crate::schema::{Column, Existence, Relation, Table};

impl Comparison<'_> {
    pub(super) fn columns(&mut self, relation: &Relation, table: &Table, other: &Relation, then: &Table) {
        let mut matched: Vec<Option<&Column>> = Vec::new();
        for column in &table.columns {
            let by_number = || relation.id == other.id && column_is_shared(self.shared, relation.id, column.id);
            let found = if by_number() { then.column_by_id(column.id) } else { None };
            matched.push(found);
        }
        for (at, column) in table.columns.iter().enumerate() {
            let taken = |id| matched.iter().flatten().any(|one| one.id == id);
            if matched[at].is_none() {
                matched[at] = then.column(&column.name).filter(|found| !taken(found.id));
            }
        }
        for (column, found) in table.columns.iter().zip(&matched) {
            match found {
                Some(found) => self.column(relation, column, other, found),
                None => self.extra_column(relation, table, column, other, then),
            }
        }
        for column in &then.columns {
            if !matched.iter().flatten().any(|one| one.id == column.id) {
                self.missing_column(table, other, then, column);
            }
        }
    }

    /// A parent in the same tree has or lacks it too: the change there reaches here.
    fn comes_from_parent(&self, table: &Table, column: &Column) -> bool {
        column.inherited > 0 && !column.local && (table.partition_of.is_some() || !table.inherits.is_empty())
    }

    fn extra_column(&mut self, relation: &Relation, table: &Table, column: &Column, other: &Relation, then: &Table) {
        if !then.columns_known || matches!(column.existence, Existence::Assumed { .. }) {
            return;
        }
        if self.comes_from_parent(table, column) {
            return;
        }
        let name = &other.name;
        let drop = Repair::new(Stage::DropColumn, format!("ALTER TABLE {name} DROP COLUMN {}", column.name));
        let drop = drop.when(Guard::column(name, &column.name, true));
        // A generated value, and one of a sequence, is no information of its own.
        let repair = if column.generated.is_some() {
            drop
        } else {
            let default = column.default.as_ref().map(|default| default.text.to_string());
            drop.loses(Loss::Values { table: name.clone(), column: column.name.clone(), default })
        };
        // What is made of it goes first.
        let repair = repair.at(u32::from(column.generated.is_none()));
        let mut repairs = self.around_column(relation, column, &repair);
        repairs.push(repair);
        let full = format!("{}.{}", relation.name, column.name);
        self.extra("column", full, &column.existence, repairs);
    }

    fn missing_column(&mut self, table: &Table, other: &Relation, then: &Table, column: &Column) {
        if !table.columns_known || matches!(column.existence, Existence::Assumed { .. }) {
            return;
        }
        if self.comes_from_parent(then, column) {
            return;
        }
        let sql = format!("ALTER TABLE {} ADD COLUMN {}", other.name, statement::column(self.to, other.id, column));
        let full = format!("{}.{}", other.name, column.name);
        let repair = Repair::new(Stage::AddColumn, sql).when(Guard::column(&other.name, &column.name, false));
        let repair = repair.at(u32::from(column.generated.is_some()));
        let repair = if column.has_parameter() { repair.told(format!("add `{full}`, {OF_PROGRAM}")) } else { repair };
        self.missing("column", full, &column.existence, vec![repair]);
    }

    fn column(&mut self, relation: &Relation, column: &Column, other: &Relation, then: &Column) {
        if is_as_it_was(column, then) {
            return;
        }
        let name = other.name.clone();
        let full = format!("{name}.{}", then.name);
        let there = Guard::column(&name, &then.name, true);
        let both = (&column.existence, &then.existence);
        let alter = |what: String| {
            let sql = format!("ALTER TABLE {name} ALTER COLUMN {} {what}", then.name);
            Repair::new(Stage::AlterColumn, sql).when(there.clone())
        };
        let inherited = column.inherited > 0 && then.inherited > 0 && !column.local && !then.local;
        if column.name != then.name && !inherited {
            let sql = format!("ALTER TABLE {name} RENAME COLUMN {} TO {}", column.name, then.name);
            let repair = Repair::new(Stage::Rename, sql)
                .when(Guard::column(&name, &column.name, true))
                .when(Guard::column(&name, &then.name, false));
            self.differs_in(
                Aspect::Name,
                "column",
                full.clone(),
                format!("is called {}", column.name),
                both,
                vec![repair],
            );
        }
        if let (Some(now), Some(wanted)) = (&column.data_type, &then.data_type)
            && !inherited
        {
            let texts = (type_name(self.from, now), type_name(self.to, wanted));
            if texts.0 != texts.1 {
                let using = if casts_by_itself(now, wanted) {
                    String::new()
                } else if has_cast(now, wanted) {
                    format!(" USING {}::{}", then.name, texts.1)
                } else {
                    format!(" USING NULL::{}", texts.1)
                };
                let repair = alter(format!("TYPE {}{using}", texts.1));
                let lost = || Loss::Values { table: name.clone(), column: then.name.clone(), default: None };
                let repair = match keeps_values(now, wanted) {
                    true => repair,
                    false if has_cast(now, wanted) => repair.loses(Loss::Precision),
                    false => repair.loses(lost()).told(format!(
                        "`{full}`: nothing casts {} to {}, so its values cannot be kept; add a new column, give it values, and \
                         let it take the place of the old one",
                        texts.0, texts.1
                    )),
                };
                let text = format!("is {} rather than {}", texts.0, texts.1);
                let aspect = Aspect::Type { now: now.clone(), then: wanted.clone() };
                let mut repairs = self.around_column(relation, column, &repair);
                // A default is cast by no USING.
                if default(column).is_some() && has_cast(now, wanted) && !casts_by_itself(now, wanted) {
                    repairs.push(alter("DROP DEFAULT".to_owned()));
                    let again = default(then).map(|one| self.set_default(then, one));
                    repairs.extend(again.map(|sql| alter(sql).at(2)));
                }
                repairs.push(repair.at(1));
                self.differs_in(aspect, "column", full.clone(), text, both, repairs);
            }
        }
        self.default_of(relation, column, other, then, &alter);
        if column.not_null != then.not_null && !self.parent_says_not_null(relation, other, &then.name) {
            let (words, text) =
                if then.not_null { ("SET NOT NULL", "may be NULL") } else { ("DROP NOT NULL", "is NOT NULL") };
            let aspect = Aspect::NotNull { now: column.not_null };
            let mut repair = alter(words.to_owned());
            if !then.not_null {
                repair.stage = Stage::DropNotNull;
            }
            self.differs_in(aspect, "column", full, text, both, vec![repair]);
        }
    }

    fn default_of(
        &mut self,
        relation: &Relation,
        column: &Column,
        other: &Relation,
        then: &Column,
        alter: &dyn Fn(String) -> Repair,
    ) {
        let full = format!("{}.{}", other.name, then.name);
        let both = (&column.existence, &then.existence);
        if column.identity != then.identity {
            let again = default(then).map(|one| alter(self.set_default(then, one)).at(1));
            let repairs = match (column.identity, then.identity) {
                (Some(_), None) => std::iter::once(alter("DROP IDENTITY IF EXISTS".to_owned())).chain(again).collect(),
                (None, Some(kind)) => {
                    let drop = default(column).map(|_| alter("DROP DEFAULT".to_owned()));
                    let add = alter(format!("ADD {}", statement::identity(self.to, then, kind))).at(1);
                    drop.into_iter().chain([add]).collect()
                }
                (_, Some(crate::schema::IdentityKind::Always)) => vec![alter("SET GENERATED ALWAYS".to_owned())],
                (_, _) => vec![alter("SET GENERATED BY DEFAULT".to_owned())],
            };
            let from_parent = column.inherited > 0 && !column.local;
            let repairs = if from_parent { Vec::new() } else { repairs };
            if !from_parent {
                self.differs("column", full.clone(), "is another identity", both, repairs);
            }
            return;
        }
        let expressions = |column: &Column| column.generated.as_ref().map(|one| one.expression.clone());
        let (now, wanted) = (expressions(column), expressions(then));
        if !same_option(now.as_ref(), wanted.as_ref()) {
            let text = "is generated in another way";
            let repairs = match (now, wanted) {
                (Some(_), None) => vec![alter("DROP EXPRESSION IF EXISTS".to_owned())],
                (now, _) => self.generated_anew(relation, column, other, then, now.is_some()),
            };
            self.differs("column", full, text, both, repairs);
            return;
        }
        if column.identity.is_some() || same_option(default(column), default(then)) {
            return;
        }
        // Sequences of their own, whatever each is called; but not where both are there.
        let is_other =
            then.sequence.and_then(|wanted| self.pairs.from(wanted)).is_some_and(|one| column.sequence != Some(one));
        let owns = |column: &Column| {
            column.sequence.is_some()
                && column.default.as_ref().is_some_and(|default| default.text.to_lowercase().contains("nextval"))
        };
        if !is_other && owns(column) && owns(then) {
            return;
        }
        if column.inherited > 0 && self.parent_default_differs(relation, other, &then.name) {
            return;
        }
        let (repair, text) = match default(then) {
            Some(default) => {
                let repair = alter(self.set_default(then, default));
                let repair = if then.has_parameter() { repair.told(format!("`{full}`: {OF_PROGRAM}")) } else { repair };
                (repair, "has another default")
            }
            None => (alter("DROP DEFAULT".to_owned()), "has a default"),
        };
        let text = if default(column).is_none() { "has no default" } else { text };
        let aspect = Aspect::Default { now: default(column).is_some() };
        self.differs_in(aspect, "column", full, text, both, vec![repair]);
    }

    /// No statement gives a column another expression.
    fn generated_anew(
        &self,
        relation: &Relation,
        column: &Column,
        other: &Relation,
        then: &Column,
        was: bool,
    ) -> Vec<Repair> {
        let name = &other.name;
        let there = |exists| Guard::column(name, &then.name, exists);
        let drop = Repair::new(Stage::DropColumn, format!("ALTER TABLE {name} DROP COLUMN {}", then.name));
        let drop = drop.when(there(true));
        let drop = match was {
            true => drop,
            false => drop.loses(Loss::Values { table: name.clone(), column: then.name.clone(), default: None }),
        };
        let add = format!("ALTER TABLE {name} ADD COLUMN {}", statement::column(self.to, other.id, then));
        let mut repairs = self.around_column(relation, column, &drop);
        repairs.extend([drop, Repair::new(Stage::AddColumn, add).when(there(false)).at(1)]);
        repairs
    }

    pub(super) fn set_default(&self, column: &Column, default: &Expression) -> String {
        format!("SET DEFAULT {}", parenthesised(&statement::default_text(self.to, column, default)))
    }

    /// The same stands at a parent: what is done there reaches its partitions.
    fn parent_says_not_null(&self, relation: &Relation, other: &Relation, name: &Ident) -> bool {
        self.parents(relation, other).is_some_and(|(now, then)| {
            let (now, then) = (now.column(name), then.column(name));
            now.zip(then).is_some_and(|(now, then)| now.not_null != then.not_null)
        })
    }

    fn parent_default_differs(&self, relation: &Relation, other: &Relation, name: &Ident) -> bool {
        self.parents(relation, other).is_some_and(|(now, then)| {
            let (now, then) = (now.column(name), then.column(name));
            now.zip(then).is_some_and(|(now, then)| !same_option(now.default.as_ref(), then.default.as_ref()))
        })
    }

    /// The parents of a partition on both sides.
    fn parents(&self, relation: &Relation, other: &Relation) -> Option<(&Table, &Table)> {
        let now = relation.as_table()?.partition_of.as_ref()?.parent;
        let then = other.as_table()?.partition_of.as_ref()?.parent;
        Some((self.from.get_relation(now)?.as_table()?, self.to.get_relation(then)?.as_table()?))
    }

    /// Says of a column that only a row of 18's catalog differs.
    pub(super) fn column_differs(&self, table: &QualifiedName, column: &Ident) -> bool {
        let full = format!("{table}.{column}");
        let is = |change: &Change| change.object == "column" && change.name == full;
        self.changes.iter().any(|change| is(change) && change.kind != ChangeKind::Missing)
    }
}

/// As far as it is compared at all; most columns of a table that was changed.
fn is_as_it_was(column: &Column, then: &Column) -> bool {
    let expression = |column: &Column| column.generated.as_ref().map(|one| one.expression.text.clone());
    let default = |column: &Column| column.default.as_ref().map(|one| one.text.clone());
    (&column.name, &column.data_type, column.not_null, column.identity)
        == (&then.name, &then.data_type, then.not_null, then.identity)
        && default(column) == default(then)
        && expression(column) == expression(then)
}

/// PostgreSQL casts by itself when it assigns.
fn casts_by_itself(from: &TypeName, to: &TypeName) -> bool {
    let is_text = |one: &TypeName| family(one) == 2;
    family(from) != 0 && family(from) == family(to) || is_text(to) && from.built_in
}

/// Types that are cast to each other; 0 for all that is not told apart.
fn family(one: &TypeName) -> u8 {
    if one.array || !one.built_in {
        return 0;
    }
    match one.name.name.as_str() {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => 1,
        "text" | "character varying" | "character" => 2,
        "json" | "jsonb" => 3,
        "date" | "timestamp without time zone" | "timestamp with time zone" => 4,
        "uuid" => 5,
        _ => 0,
    }
}

/// Whether a cast can be written at all: a number is no uuid, and neither is a point in time.
fn has_cast(from: &TypeName, to: &TypeName) -> bool {
    let (from, to) = (family(from), family(to));
    let is_any = |one: u8| matches!(one, 0 | 2);
    from == to || is_any(from) || is_any(to) || (from, to) == (3, 1)
}

/// Values either fit or the statement fails: none is rounded or cut.
fn keeps_values(from: &TypeName, to: &TypeName) -> bool {
    if from.array || to.array || !from.built_in || !to.built_in {
        return false;
    }
    let whole = |one: &TypeName| matches!(one.name.name.as_str(), "smallint" | "integer" | "bigint");
    let text = |one: &TypeName| matches!(one.name.name.as_str(), "text" | "character varying");
    whole(from) && whole(to) || text(from) && text(to)
}

/// A default that no statement of ours can say.
pub const OF_PROGRAM: &str = "with the default that the program gives it: its value does not stand in the text";

/// DEFAULT NULL is none.
pub(super) fn default(column: &Column) -> Option<&Expression> {
    column.default.as_ref().filter(|default| !default.tree.is_null_constant())
}
