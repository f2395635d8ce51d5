//! Rows that a statement writes and a CHECK refuses, whatever else is in them: its constants decide.

use super::{Given, Inserted};
use crate::operation::{Constant, Expr, Ident, Rows, TypeName, Write, WriteKind};
use crate::predicate::{Answer, filter_implies_filter, is_contradiction};
use crate::schema::{Column, Constraint, ConstraintRow, RelationId, Schema, Table, TypeKind};

/// A CHECK that is false for each row of a statement.
#[derive(Debug)]
pub struct Refuted<'a> {
    pub table: RelationId,
    pub constraint: &'a Constraint,
    /// The columns of it that the statement sets to constants or leaves NULL, with what they get.
    pub values: Vec<(Ident, Expr)>,
    /// The tables whose rows are read, or changed: without one in them nothing is refused.
    pub reads: Vec<RelationId>,
}

/// The CHECKs that no row of a statement can pass.
pub fn refuted<'a>(write: &Write, schema: &'a Schema) -> Vec<Refuted<'a>> {
    let Some(target) = schema.find_table(&write.target) else { return Vec::new() };
    let Some(table) = target.as_table().filter(|table| table.columns_known) else { return Vec::new() };
    let empty = || Row { schema, id: target.id, table, known: Vec::new(), given: Vec::new(), reads: Vec::new() };
    match (write.kind, &write.rows) {
        (WriteKind::Insert, Rows::Values { first, .. }) => {
            let mut row = empty();
            let all = || table.columns.iter().map(|column| column.name.clone()).collect();
            let columns: Vec<Ident> = if write.columns.is_empty() { all() } else { write.columns.clone() };
            row.insert(&|column| {
                let place = columns.iter().position(|name| *name == column.name)?;
                first.get(place).map(Known::of)
            });
            row.refuted()
        }
        (WriteKind::Insert, Rows::Query(_)) => {
            let arms = Inserted::of(write, schema, schema);
            let of = |arm: Inserted| {
                let mut row = empty();
                row.given = arm.conditions().to_vec();
                row.reads = arm.items.iter().filter_map(|item| Some(item.table?.0.id)).collect();
                // What it reads that is not known may hold no row.
                if arm.items.len() != row.reads.len() {
                    return Vec::new();
                }
                row.insert(&|column| match arm.value(&column.name)? {
                    Given::Value(value) => Some(Known::of(value)),
                    Given::Column(item, from) => {
                        let name = arm.name(item, from);
                        let has_value = from.not_null && !arm.items[item].outer;
                        Some(Known::Column(name, has_value))
                    }
                    Given::Unknown => Some(Known::Unknown),
                });
                row.refuted()
            };
            arms.into_iter().flat_map(of).collect()
        }
        (WriteKind::Update, _) => {
            let mut row = empty();
            row.reads.push(target.id);
            row.update(write);
            row.refuted()
        }
        _ => Vec::new(),
    }
}

/// What a column of the new row holds.
#[derive(Debug, Clone)]
enum Known {
    Value(Expr),
    /// What a column holds that no constant gives, by a name of its own; whether it is never NULL.
    Column(Expr, bool),
    Unknown,
}

impl Known {
    fn of(value: &Expr) -> Known {
        if super::is_constant(value) { Known::Value(value.clone()) } else { Known::Unknown }
    }
}

struct Row<'a> {
    schema: &'a Schema,
    id: RelationId,
    table: &'a Table,
    known: Vec<(&'a Column, Known)>,
    /// What is so of each row that is written.
    given: Vec<Expr>,
    reads: Vec<RelationId>,
}

impl<'a> Row<'a> {
    /// A new row: what is left out has its default.
    fn insert(&mut self, value: &dyn Fn(&Column) -> Option<Known>) {
        let set = super::feed::assigned_before(self.schema, self.id);
        for column in &self.table.columns {
            let computed = column.generated.is_some() || column.identity.is_some() || column.sequence.is_some();
            let default = || match &column.default {
                None if self.has_own_default(column) => Known::Unknown,
                None => Known::Value(Expr::Constant(Constant::Null)),
                Some(default) => Known::of(&default.tree),
            };
            let known = match value(column) {
                _ if set.contains(&column.name) || computed => Known::Unknown,
                None | Some(Known::Value(Expr::Constant(Constant::Default))) => default(),
                Some(known) => known,
            };
            self.add(column, known);
        }
    }

    /// A domain may bring a default.
    fn has_own_default(&self, column: &Column) -> bool {
        let kind =
            column.data_type.as_ref().and_then(|kind| self.schema.find_type(&kind.name)).map(|found| &found.kind);
        column.data_type.is_none() || matches!(kind, Some(TypeKind::Domain(_) | TypeKind::Unknown))
    }

    /// A row that is changed: what is not assigned stays.
    fn update(&mut self, write: &Write) {
        let set = super::feed::assigned_before(self.schema, self.id);
        for column in &self.table.columns {
            let assigned = write.assignments.iter().find(|(name, _)| *name == column.name);
            let known = match assigned {
                _ if set.contains(&column.name) || column.generated.is_some() => Known::Unknown,
                Some((_, Expr::Constant(Constant::Default))) => Known::Unknown,
                Some((_, value)) => Known::of(value),
                None => Known::Column(Expr::bare(&column.name), column.not_null),
            };
            self.add(column, known);
        }
        // What WHERE asks of columns that stay holds after it, too.
        let conjuncts = match &write.filter {
            Some(Expr::And(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let stays = |condition: &&Expr| {
            let columns = condition.columns();
            condition.queries().is_empty()
                && columns.iter().all(|name| {
                    self.known.iter().any(|(column, known)| column.name == **name && matches!(known, Known::Column(..)))
                })
        };
        if write.from.is_empty() {
            let lasting: Vec<Expr> = conjuncts.iter().filter(stays).map(super::strip_qualifiers).collect();
            self.given.extend(lasting);
        }
    }

    fn add(&mut self, column: &'a Column, known: Known) {
        let known = match known {
            Known::Value(value) => match self.as_kind(&value, column.data_type.as_ref()) {
                Some(value) => Known::Value(value),
                None => Known::Unknown,
            },
            other => other,
        };
        match &known {
            Known::Column(name, true) => self.given.push(name.clone().is_not_null()),
            Known::Value(value) if !value.is_null_constant() => self.given.push(Expr::Binary {
                operator: "=".into(),
                left: Box::new(Expr::bare(&column.name)),
                right: Box::new(value.clone()),
            }),
            Known::Value(_) | Known::Column(..) | Known::Unknown => {}
        }
        self.known.push((column, known));
    }

    /// The constant as conditions compare it; `None` where the type gives it another meaning.
    fn as_kind(&self, value: &Expr, kind: Option<&TypeName>) -> Option<Expr> {
        if value.is_null_constant() {
            return Some(Expr::Constant(Constant::Null));
        }
        let kind = kind.filter(|kind| !kind.array)?;
        let bare = without_cast(value);
        let name = kind.name.name.as_str();
        let is_enum =
            || matches!(self.schema.find_type(&kind.name).map(|found| &found.kind), Some(TypeKind::Enum { .. }));
        let fits = match bare {
            Expr::Constant(Constant::Bool(_)) => kind.built_in && name == "boolean",
            Expr::Constant(Constant::String(_)) => match kind.built_in {
                true => matches!(name, "text" | "character varying"),
                false => is_enum(),
            },
            Expr::Constant(Constant::Number(_)) | Expr::Unary { .. } => {
                kind.built_in
                    && matches!(name, "smallint" | "integer" | "bigint" | "numeric")
                    && kind.modifiers.is_empty()
            }
            _ => false,
        };
        fits.then(|| bare.clone())
    }

    fn of(&self, name: &Ident) -> Option<&Known> {
        self.known.iter().find(|(column, _)| column.name == *name).map(|(_, known)| known)
    }

    fn refuted(self) -> Vec<Refuted<'a>> {
        let checks = self.schema.constraints_of(self.id).filter(|row| row.enforced);
        let all = checks.filter_map(|constraint| {
            let ConstraintRow::Check { expression } = &constraint.kind else { return None };
            let columns = expression.tree.columns();
            let values: Vec<(Ident, Expr)> = columns
                .iter()
                .filter_map(|name| match self.of(name)? {
                    Known::Value(value) => Some(((*name).clone(), value.clone())),
                    Known::Column(..) | Known::Unknown => None,
                })
                .collect();
            if values.is_empty() {
                return None;
            }
            let never = Expr::Not(Box::new(self.written(&expression.tree)));
            let given = Expr::And(self.given.clone());
            let fails = filter_implies_filter(&given, &never) == Answer::Yes && is_contradiction(&given) != Answer::Yes;
            fails.then(|| Refuted { table: self.id, constraint, values, reads: self.reads.clone() })
        });
        all.collect()
    }

    /// A condition over the new row.
    fn written(&self, condition: &Expr) -> Expr {
        condition.map(&mut |expr| match expr {
            Expr::Column { name, .. } => Some(self.value(name)),
            Expr::Binary { operator, left, right } => {
                self.counted(operator, left, right).map(|known| Expr::Constant(Constant::Bool(known)))
            }
            // A label or a text with its type.
            Expr::Cast { value, to } if matches!(without_cast(value), Expr::Constant(Constant::String(_))) => {
                let is_text = to.built_in && matches!(to.name.name.as_str(), "text" | "character varying");
                (is_text || !to.built_in).then(|| without_cast(value).clone())
            }
            Expr::Cast { value, to } => {
                let (_, name) = value.as_column()?;
                let is_text = to.built_in && matches!(to.name.name.as_str(), "text" | "character varying");
                let is_text = is_text && matches!(self.of(name), Some(Known::Value(_)));
                is_text.then(|| self.value(name))
            }
            _ => None,
        })
    }

    fn value(&self, name: &Ident) -> Expr {
        match self.of(name) {
            Some(Known::Value(value)) if !value.is_null_constant() => Expr::bare(name),
            Some(Known::Value(value) | Known::Column(value, _)) => value.clone(),
            Some(Known::Unknown) | None => Expr::bare(&Ident::new(format!("? {}", name.as_str()))),
        }
    }

    /// `num_nonnulls(…) = 2` and the like, where the columns that are known decide it.
    fn counted(&self, operator: &str, left: &Expr, right: &Expr) -> Option<bool> {
        let (Expr::Call { function, arguments }, Expr::Constant(Constant::Number(wanted))) = (left, right) else {
            return None;
        };
        let wanted: usize = wanted.parse().ok()?;
        let wants_null = match function.name.as_str() {
            "num_nonnulls" => false,
            "num_nulls" => true,
            _ => return None,
        };
        let is_null = |argument: &Expr| {
            let (_, name) = argument.as_column()?;
            match self.of(name)? {
                Known::Value(value) => Some(value.is_null_constant()),
                Known::Column(_, true) => Some(false),
                Known::Column(_, false) | Known::Unknown => None,
            }
        };
        let known: Vec<Option<bool>> = arguments.iter().map(is_null).collect();
        let least = known.iter().filter(|one| **one == Some(wants_null)).count();
        let most = least + known.iter().filter(|one| one.is_none()).count();
        let (all, none) = match operator {
            "=" => (least == most && least == wanted, wanted < least || wanted > most),
            "<>" | "!=" => (wanted < least || wanted > most, least == most && least == wanted),
            ">=" => (least >= wanted, most < wanted),
            ">" => (least > wanted, most <= wanted),
            "<=" => (most <= wanted, least > wanted),
            "<" => (most < wanted, least >= wanted),
            _ => return None,
        };
        match (all, none) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

fn without_cast(value: &Expr) -> &Expr {
    match value {
        Expr::Cast { value, .. } => without_cast(value),
        other => other,
    }
}
