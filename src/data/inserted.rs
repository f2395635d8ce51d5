//! Where the values of an INSERT come from, and what its rows are sure of: told from its text and the schema alone.

mod conflict;

use std::collections::BTreeSet;

pub use conflict::Unanswered;

use super::unique_keys;
use crate::operation::{
    CommonTable, Constant, Expr, FromItem, FromSource, Ident, Join, OnConflict, Output, Query, Rows, Write, WriteKind,
};
use crate::predicate::{Answer, check_implies_filter, filter_implies_filter};
use crate::schema::{Column, ColumnId, ConstraintRow, IndexKey, Relation, RelationId, Schema, Table};

/// The rows that one SELECT puts into a table: each arm of a UNION ALL is one.
#[derive(Debug)]
pub struct Inserted<'a> {
    schema: &'a Schema,
    /// The one in which the rows were written: a key that was dropped since holds for them.
    past: &'a Schema,
    pub target: RelationId,
    columns: &'a Table,
    pub items: Vec<Item<'a>>,
    values: Vec<(Ident, Given<'a>)>,
    /// What each row meets: the conjuncts of WHERE and of inner joins, over [`Inserted::name`].
    conditions: Vec<Expr>,
    /// Likewise, with those of outer joins.
    equal: Vec<(Expr, Expr)>,
    /// Fewer rows than the tables have: DISTINCT, GROUP BY, LIMIT, a join whose columns are not known.
    chosen: bool,
    conflict: Option<&'a OnConflict>,
}

/// A table of FROM.
#[derive(Debug)]
pub struct Item<'a> {
    label: Option<&'a Ident>,
    /// `None` where it is no table whose columns are known.
    pub table: Option<(&'a Relation, &'a Table)>,
    /// An outer join makes NULLs of it.
    pub outer: bool,
}

/// What a column of the target gets.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// A column of an item.
    Column(usize, &'a Column),
    Value(&'a Expr),
    Unknown,
}

/// A column that may be NULL where the target wants a value.
#[derive(Debug)]
pub struct Gap<'a> {
    pub column: &'a Ident,
    pub item: usize,
    pub from: &'a Column,
    /// The column itself has a value in every row; the row may be missing.
    pub outer: bool,
    /// It had to have one when the rows were written.
    pub had_value: bool,
}

/// A unique key of the target that rows of the source may repeat.
#[derive(Debug)]
pub struct Repeat {
    /// Its index, and the name of that.
    pub index: RelationId,
    pub name: Ident,
    pub columns: Vec<Ident>,
    /// The table with several rows for one key, its columns that the key fixes, and its own key that holds those and more,
    /// where it has one.
    pub item: usize,
    pub fixed: Vec<Ident>,
    pub wider: Option<Vec<Ident>>,
    /// It is the only table that may have several.
    pub alone: bool,
    /// ON CONFLICT DO UPDATE meets its own rows.
    pub upserts: bool,
}

impl<'a> Inserted<'a> {
    /// What an INSERT … SELECT puts into a table whose columns are known; `past` is the schema in which the rows that it
    /// reads were written.
    pub fn of(write: &'a Write, schema: &'a Schema, past: &'a Schema) -> Vec<Inserted<'a>> {
        let Rows::Query(query) = &write.rows else { return Vec::new() };
        let Some(target) = schema.find_table(&write.target).filter(|_| write.kind == WriteKind::Insert) else {
            return Vec::new();
        };
        let Some(columns) = target.as_table().filter(|table| table.columns_known) else { return Vec::new() };
        let common: Vec<&Ident> = write.with.iter().chain(&query.with).map(|table: &CommonTable| &table.name).collect();
        let arms = std::iter::once(&**query).chain(&query.arms).filter(|arm| arm.values.is_empty());
        let all = arms.map(|arm| {
            let mut found = Inserted {
                schema,
                past,
                target: target.id,
                columns,
                items: Vec::new(),
                values: Vec::new(),
                conditions: Vec::new(),
                equal: Vec::new(),
                chosen: query.merges_rows || query.limited || arm.merges_rows || arm.limited,
                conflict: write.on_conflict.as_ref(),
            };
            found.read(arm, &common, &write.columns);
            found
        });
        all.collect()
    }

    fn read(&mut self, arm: &'a Query, common: &[&Ident], named: &[Ident]) {
        let own: Vec<&Ident> = arm.with.iter().map(|table| &table.name).chain(common.iter().copied()).collect();
        for item in &arm.from {
            self.item(item, &own);
        }
        for item in &arm.from {
            let Some(on) = &item.on else { continue };
            match item.join {
                Join::None | Join::Inner | Join::Cross => self.condition(on),
                Join::Left | Join::Right | Join::Full => self.equalities(&self.named(on)),
            }
        }
        arm.filter.iter().for_each(|filter| self.condition(filter));
        let all = self.columns.columns.iter().map(|column| column.name.clone());
        let columns: Vec<Ident> = if named.is_empty() { all.collect() } else { named.to_vec() };
        let mut given = Vec::new();
        for output in &arm.outputs {
            match output {
                Output::Value { value, .. } => given.push(self.given(value)),
                Output::All { qualifier } => given.extend(self.all_of(qualifier.as_ref())),
            }
        }
        // `SELECT *` of what is not known: nothing after it has a place.
        let known = arm.outputs.iter().all(|output| match output {
            Output::Value { .. } => true,
            Output::All { .. } => self.items.iter().all(|item| item.table.is_some()),
        });
        given.resize(columns.len(), Given::Unknown);
        self.values = columns
            .into_iter()
            .zip(given)
            .map(|(name, one)| (name, if known { one } else { Given::Unknown }))
            .collect();
    }

    fn item(&mut self, item: &'a FromItem, common: &[&Ident]) {
        let found = match &item.source {
            FromSource::Relation { name, .. } if name.schema.is_some() || !common.contains(&&name.name) => {
                self.schema.find_table(name)
            }
            _ => None,
        };
        let table = found.and_then(|found| Some((found, found.as_table().filter(|table| table.columns_known)?)));
        if matches!(item.join, Join::Right | Join::Full) {
            self.items.iter_mut().for_each(|before| before.outer = true);
        }
        // NATURAL JOIN: by columns that nothing names.
        self.chosen |= matches!(item.join, Join::Inner | Join::Left | Join::Right | Join::Full) && item.on.is_none();
        self.items.push(Item { label: item.label(), table, outer: matches!(item.join, Join::Left | Join::Full) });
    }

    fn condition(&mut self, condition: &Expr) {
        let condition = self.named(condition);
        self.equalities(&condition);
        match condition {
            Expr::And(list) => self.conditions.extend(list),
            one => self.conditions.push(one),
        }
    }

    fn equalities(&mut self, condition: &Expr) {
        let list = match condition {
            Expr::And(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        for one in list {
            if let Expr::Binary { operator, left, right } = one
                && &**operator == "="
            {
                self.equal.push(((**left).clone(), (**right).clone()));
            }
        }
    }

    /// The same condition over columns that say which item they are of; what cannot be told stays qualified.
    fn named(&self, condition: &Expr) -> Expr {
        condition.map(&mut |expr| {
            let (Expr::Column { .. }, Some((item, column))) = (expr, self.column(expr)) else { return None };
            Some(name((item, column.id)))
        })
    }

    fn column(&self, value: &Expr) -> Option<(usize, &'a Column)> {
        let (qualifier, name) = value.as_column()?;
        let mut found = self.items.iter().enumerate().filter_map(|(place, item)| {
            if qualifier.is_some_and(|qualifier| item.label != Some(qualifier)) {
                return None;
            }
            Some((place, item.table?.1.column(name)?))
        });
        let first = found.next()?;
        // An item that is not known may have it, too.
        let sure = qualifier.is_some() || self.items.iter().all(|item| item.table.is_some());
        (sure && found.next().is_none()).then_some(first)
    }

    fn given(&self, value: &'a Expr) -> Given<'a> {
        if is_constant(value) {
            return Given::Value(value);
        }
        match self.column(value) {
            Some((item, column)) => Given::Column(item, column),
            None => Given::Unknown,
        }
    }

    fn all_of(&self, qualifier: Option<&Ident>) -> Vec<Given<'a>> {
        let meant = self.items.iter().enumerate().filter(|(_, item)| qualifier.is_none() || item.label == qualifier);
        let columns = meant.filter_map(|(place, item)| Some((place, item.table?.1)));
        columns.flat_map(|(place, table)| table.columns.iter().map(move |one| Given::Column(place, one))).collect()
    }

    /// What each row that it puts in meets, over [`Inserted::name`].
    pub fn conditions(&self) -> &[Expr] {
        &self.conditions
    }

    /// A column of an item in a condition.
    pub fn name(&self, item: usize, column: &Column) -> Expr {
        name((item, column.id))
    }

    /// What a column of the target gets; `None` where the INSERT leaves it out.
    pub fn value(&self, column: &Ident) -> Option<Given<'a>> {
        self.values.iter().find(|(name, _)| name == column).map(|(_, given)| *given)
    }

    /// Columns of the target that want a value and may get NULL.
    pub fn gaps(&self) -> Vec<Gap<'a>> {
        let set = super::feed::assigned_before(self.schema, self.target);
        let mut found = Vec::new();
        for column in self.columns.columns.iter().filter(|column| column.not_null && !set.contains(&column.name)) {
            let Some(Given::Column(item, from)) = self.value(&column.name) else { continue };
            let source = &self.items[item];
            let Some((relation, _)) = source.table else { continue };
            let present = name((item, from.id)).is_not_null();
            let past = self.past.get_relation(relation.id).and_then(Relation::as_table);
            let had_value = past.and_then(|table| table.column_by_id(from.id)).is_some_and(|column| column.not_null);
            let has_value = from.not_null || self.is_checked(relation.id, &from.name);
            let asked = || filter_implies_filter(&Expr::And(self.conditions.clone()), &present) == Answer::Yes;
            if has_value && !source.outer || asked() {
                continue;
            }
            found.push(Gap { column: &column.name, item, from, outer: has_value, had_value });
        }
        found
    }

    /// A valid CHECK of the source asks for a value.
    fn is_checked(&self, table: RelationId, column: &Ident) -> bool {
        let plain = Expr::bare(column);
        let present = plain.is_not_null();
        self.schema.constraints_of(table).filter(|row| row.enforced && row.validated).any(|row| match &row.kind {
            ConstraintRow::Check { expression } => check_implies_filter(&expression.tree, &present) == Answer::Yes,
            _ => false,
        })
    }

    /// Unique keys of the target that the rows may repeat, where nothing makes them one for each key.
    pub fn repeats(&self) -> Vec<Repeat> {
        if self.chosen || self.items.iter().any(|item| item.table.is_none()) {
            return Vec::new();
        }
        let skips_all = self.conflict.is_some_and(|conflict| {
            conflict.update.is_none()
                && conflict.columns.is_empty()
                && conflict.expressions.is_empty()
                && conflict.constraint.is_none()
        });
        if skips_all {
            return Vec::new();
        }
        self.keys().into_iter().filter_map(|(index, columns)| self.repeated(index, columns)).collect()
    }

    /// The whole unique keys of the target, with their indexes.
    fn keys(&self) -> Vec<(&'a Relation, Vec<Ident>)> {
        let column = |key: &IndexKey| match key {
            IndexKey::Column(column) => Some(self.schema.column_name(self.target, *column)),
            IndexKey::Expression(_) => None,
        };
        let indexes = self.columns.indexes.iter().filter_map(|id| {
            let relation = self.schema.get_relation(*id)?;
            let index = relation.as_index().filter(|index| index.unique && index.filter.is_none())?;
            let columns = index.parts.iter().map(|part| column(&part.key)).collect::<Option<Vec<Ident>>>()?;
            Some((relation, columns))
        });
        indexes.filter(|(_, columns)| !columns.is_empty()).collect()
    }

    fn repeated(&self, index: &Relation, columns: Vec<Ident>) -> Option<Repeat> {
        let set = super::feed::assigned_before(self.schema, self.target);
        let mut fixed: BTreeSet<Place> = BTreeSet::new();
        for column in &columns {
            match self.value(column)? {
                Given::Column(item, from) if !set.contains(column) => fixed.insert((item, from.id)),
                Given::Value(value) if !value.is_null_constant() && !is_default(value) => continue,
                Given::Column(..) | Given::Value(_) | Given::Unknown => return None,
            };
        }
        let upserts = match self.conflict {
            Some(conflict) if self.is_meant(conflict, &index.name.name, &columns) => {
                conflict.update.as_ref()?;
                true
            }
            _ => false,
        };
        if fixed.is_empty() {
            return None;
        }
        let items = self.determined(&mut fixed);
        let item = items.iter().position(|determined| !determined)?;
        let (relation, _) = self.items[item].table?;
        let of_item: Vec<ColumnId> =
            fixed.iter().filter(|(place, _)| *place == item).map(|(_, column)| *column).collect();
        // What holds it to the other tables is not understood.
        if of_item.is_empty() {
            return None;
        }
        let names = |key: &[ColumnId]| key.iter().map(|column| self.schema.column_name(relation.id, *column)).collect();
        let wider = unique_keys(self.schema, relation.id)
            .into_iter()
            .find(|key| of_item.iter().all(|column| key.contains(column)));
        let alone = items.iter().filter(|determined| !**determined).count() == 1;
        Some(Repeat {
            index: index.id,
            name: index.name.name.clone(),
            columns,
            item,
            fixed: names(&of_item),
            wider: wider.as_deref().map(names),
            alone,
            upserts,
        })
    }

    /// ON CONFLICT names this key.
    fn is_meant(&self, conflict: &OnConflict, name: &Ident, columns: &[Ident]) -> bool {
        let same = conflict.columns.len() == columns.len() && columns.iter().all(|one| conflict.columns.contains(one));
        same && conflict.expressions.is_empty() || conflict.constraint.as_ref() == Some(name)
    }

    /// Which items have one row at most for each value of these columns, which grow by what follows from them.
    fn determined(&self, fixed: &mut BTreeSet<Place>) -> Vec<bool> {
        let mut found = vec![false; self.items.len()];
        loop {
            let before = (fixed.len(), found.clone());
            for (left, right) in &self.equal {
                for (one, other) in [(left, right), (right, left)] {
                    let Some(place) = place(one) else { continue };
                    let known = is_constant(other) || self::place(other).is_some_and(|other| fixed.contains(&other));
                    if known {
                        fixed.insert(place);
                    }
                }
            }
            for (place, item) in self.items.iter().enumerate() {
                let Some((relation, table)) = item.table.filter(|_| !found[place]) else { continue };
                if self.has_key(place, relation.id, table, fixed) {
                    found[place] = true;
                    fixed.extend(table.columns.iter().map(|column| (place, column.id)));
                }
            }
            if before == (fixed.len(), found.clone()) {
                return found;
            }
        }
    }

    /// Some unique key of the item lies within the columns: a whole one, or one of rows that the conditions ask for.
    fn has_key(&self, place: usize, id: RelationId, table: &Table, fixed: &BTreeSet<Place>) -> bool {
        let within = |column: ColumnId| fixed.contains(&(place, column));
        let whole =
            |schema| unique_keys(schema, id).into_iter().any(|key| !key.is_empty() && key.into_iter().all(within));
        if whole(self.schema) || self.past.get_relation(id).is_some() && whole(self.past) {
            return true;
        }
        let conditions = Expr::And(self.conditions.clone());
        table.indexes.iter().filter_map(|index| self.schema.get_relation(*index)?.as_index()).any(|index| {
            let Some(filter) = index.filter.as_ref().filter(|_| index.unique) else { return false };
            let asked = filter.tree.map(&mut |expr| {
                let (_, column) = expr.as_column()?;
                Some(name((place, table.column(column)?.id)))
            });
            let all = index.parts.iter().all(|part| match &part.key {
                IndexKey::Column(column) => within(*column),
                IndexKey::Expression(_) => false,
            });
            all && filter_implies_filter(&conditions, &asked) == Answer::Yes
        })
    }

    /// A condition may leave one row of an item for each key: it compares with a constant, or asks other rows.
    pub fn picks_from(&self, item: usize) -> bool {
        self.conditions.iter().any(|condition| {
            let about =
                condition.columns().into_iter().any(|column| place_of(column).is_none_or(|(one, _)| one == item));
            (about || !condition.queries().is_empty()) && !self.leaves_several(condition)
        })
    }

    fn leaves_several(&self, condition: &Expr) -> bool {
        match condition {
            Expr::Binary { operator, left, right } => match &**operator {
                "=" => place(left).is_some() && place(right).is_some(),
                "<" | ">" | "<=" | ">=" | "<>" | "!=" => condition.queries().is_empty(),
                _ => false,
            },
            // What is there already is left out.
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(_) => true,
                Expr::Exists(query) | Expr::InQuery { query, .. } => self.reads_target(query),
                _ => false,
            },
            _ => false,
        }
    }

    fn reads_target(&self, query: &Query) -> bool {
        query.reads().into_iter().all(|name| self.schema.find(name).is_some_and(|one| one.id == self.target))
    }
}

/// An item and a column of it.
type Place = (usize, ColumnId);

/// A place as a column of a condition: no SQL has a name like it.
fn name((item, column): Place) -> Expr {
    Expr::Column { qualifier: None, name: Ident::new(format!("{item}.{}", column.0)) }
}

fn place(expr: &Expr) -> Option<Place> {
    expr.as_column().filter(|(qualifier, _)| qualifier.is_none()).and_then(|(_, name)| place_of(name))
}

fn place_of(name: &Ident) -> Option<Place> {
    let (item, column) = name.as_str().split_once('.')?;
    Some((item.parse().ok()?, ColumnId(column.parse().ok()?)))
}

fn is_default(value: &Expr) -> bool {
    matches!(value, Expr::Constant(Constant::Default))
}

/// A literal, under casts or a sign.
pub fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Constant(_) => true,
        Expr::Cast { value, .. } => is_constant(value),
        Expr::Unary { operator, operand } => matches!(&**operator, "-" | "+") && is_constant(operand),
        _ => false,
    }
}
