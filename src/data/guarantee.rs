//! What a synced table asks of its rows that the source does not promise: each is a write of the source that fails.

use std::collections::BTreeSet;

use super::{Conflict, Copy, Data, Feed, FeedKind, FeedWrite, Value};
use crate::operation::{Constant, Expr, Ident, TypeName};
use crate::predicate::{Answer, check_implies_check, filter_implies_check};
use crate::schema::{
    Column, Constraint, ConstraintId, ConstraintRow, ForeignRow, Index, IndexKey, RelationId, Schema, Table, TriggerId,
};

/// Something that a fed table or one of its partitions enforces and that its source does not guarantee.
#[derive(Debug, Clone, PartialEq)]
pub struct Stricter {
    pub feed: Feed,
    /// Which of the feed's writes meets it.
    pub write: usize,
    /// Where it is enforced: the target or a partition of it.
    pub table: RelationId,
    pub demand: Demand,
    /// False where the source has conditions of its own that could not be compared.
    pub certain: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// A column that is not null; the source's column, unless the write never sets it.
    NotNull {
        column: Ident,
        from: Option<Ident>,
    },
    Check {
        constraint: ConstraintId,
        condition: Expr,
    },
    /// Columns of the source that are not unique there.
    Unique {
        name: Ident,
        constraint: Option<ConstraintId>,
        from: Vec<Ident>,
    },
    Foreign {
        constraint: ConstraintId,
        from: Vec<Ident>,
    },
    Type {
        column: Ident,
        from: Ident,
        narrow: TypeName,
        wide: TypeName,
    },
}

impl Stricter {
    /// The same demand in another state of the same history.
    pub fn is_same(&self, other: &Stricter) -> bool {
        self.feed.source == other.feed.source && self.table == other.table && self.demand == other.demand
    }
}

impl Data {
    /// Demands that the source of one trigger does not guarantee.
    pub fn stricter_of(&self, trigger: TriggerId, schema: &Schema) -> &[Stricter] {
        let Some(entry) = self.entries.get(&trigger) else { return &[] };
        entry.stricter.get_or_init(|| self.find_stricter(&entry.feeds, schema))
    }

    fn find_stricter(&self, feeds: &[Feed], schema: &Schema) -> Vec<Stricter> {
        let mut found = Vec::new();
        for feed in feeds.iter().filter(|feed| feed.fires) {
            for (place, write) in feed.writes.iter().enumerate() {
                let sets_rows =
                    matches!(write.kind, FeedKind::Insert { .. } | FeedKind::Update) && !write.values.is_empty();
                let Some(source) = schema.get_relation(feed.source).and_then(|source| source.as_table()) else {
                    continue;
                };
                if !sets_rows || !source.columns_known {
                    continue;
                }
                let judge = Judge { data: self, schema, feed, place, write, source };
                for stricter in judge.all() {
                    if !found.iter().any(|known: &Stricter| known.is_same(&stricter)) {
                        found.push(stricter);
                    }
                }
            }
        }
        found
    }
}

struct Judge<'a> {
    data: &'a Data,
    schema: &'a Schema,
    feed: &'a Feed,
    place: usize,
    write: &'a FeedWrite,
    source: &'a Table,
}

impl Judge<'_> {
    fn all(&self) -> Vec<Stricter> {
        if self.target_is_base() || !self.adds_rows() {
            return Vec::new();
        }
        let mut tables = vec![self.feed.target];
        tables.extend(self.schema.partitions(self.feed.target));
        let mut found = Vec::new();
        for id in tables {
            let Some(table) = self.schema.get_relation(id).and_then(|relation| relation.as_table()) else { continue };
            if !table.columns_known {
                continue;
            }
            for column in &table.columns {
                found.extend(self.not_null(id, column));
                found.extend(self.narrower(id, column));
            }
            for constraint in self.schema.constraints_of(id) {
                if constraint.enforced && constraint.parent.is_none() && (constraint.inherited == 0 || constraint.local)
                {
                    found.extend(self.constraint(id, table, constraint));
                }
            }
            for index in &table.indexes {
                let Some(index) = self.schema.get_relation(*index) else { continue };
                if let Some(own) =
                    index.as_index().filter(|own| own.unique && own.constraint.is_none() && own.parent.is_none())
                {
                    found.extend(self.unique_index(id, table, &index.name.name, own));
                }
            }
        }
        found
    }

    /// Some trigger of the source adds rows to the target: an UPDATE of a parent's counter or audit columns alone makes
    /// no copy.
    fn adds_rows(&self) -> bool {
        let into = || self.data.feeds_into(self.schema, self.feed.target);
        self.feed.adds_rows_on_insert()
            || into().any(|other| other.source == self.feed.source && other.adds_rows_on_insert())
    }

    /// The source's rows refer to the target's by the values that the trigger puts there: the target is the base of a
    /// subtype, and what it asks is asked of the source by design.
    fn target_is_base(&self) -> bool {
        let root = self.schema.partition_root(self.feed.target);
        let keys = super::unique_keys(self.schema, root);
        let from: Vec<&Ident> = keys
            .iter()
            .flatten()
            .filter_map(|column| match self.write.value_of(&self.schema.column_name(root, *column)) {
                Some(Value::Source(source)) => Some(source),
                _ => None,
            })
            .collect();
        super::coverage::refers_by(self.schema, self.feed.source, root, &from, false)
    }

    fn stricter(&self, table: RelationId, demand: Demand, certain: bool) -> Option<Stricter> {
        // An UPDATE of another table's row (a parent's counter, its audit columns) is no copy of this one.
        let certain = certain && self.feed.certain && self.feed.adds_rows_on_insert();
        Some(Stricter { feed: self.feed.clone(), write: self.place, table, demand, certain })
    }

    fn is_insert(&self) -> bool {
        matches!(self.write.kind, FeedKind::Insert { .. })
    }

    /// What the inherited column of the target already asks is asked there.
    fn is_inherited_demand(&self, table: RelationId, holds: impl Fn(&Column) -> bool, name: &Ident) -> bool {
        table != self.feed.target
            && self
                .schema
                .relation(self.feed.target)
                .as_table()
                .and_then(|target| target.column(name))
                .is_some_and(holds)
    }

    fn not_null(&self, table: RelationId, column: &Column) -> Option<Stricter> {
        if !column.not_null || self.write.catches("not_null_violation") || self.filled_before(table, &column.name) {
            return None;
        }
        if self.is_inherited_demand(table, |column| column.not_null, &column.name) {
            return None;
        }
        let demand = |from: Option<&Ident>| Demand::NotNull { column: column.name.clone(), from: from.cloned() };
        match self.write.value_of(&column.name) {
            None if self.is_insert() && !fills_itself(column) => self.stricter(table, demand(None), true),
            None | Some(Value::Unknown | Value::Old(_)) => None,
            Some(Value::Source(from)) => {
                let present = Expr::bare(from).is_not_null();
                let guaranteed = self.source.column(from).is_none_or(|source| source.not_null)
                    || self.promises(&present, table) == Answer::Yes;
                if guaranteed { None } else { self.stricter(table, demand(Some(from)), true) }
            }
            Some(Value::Computed(value)) if value.is_null_constant() => self.stricter(table, demand(None), true),
            Some(Value::Computed(_)) => None,
        }
    }

    fn narrower(&self, table: RelationId, column: &Column) -> Option<Stricter> {
        let Some(Value::Source(from)) = self.write.value_of(&column.name) else { return None };
        let (narrow, wide) = (column.data_type.as_ref()?, self.source.column(from)?.data_type.as_ref()?);
        // Partitions have their parent's types.
        if table != self.feed.target || self.write.catches("string_data_right_truncation") || !is_narrower(narrow, wide)
        {
            return None;
        }
        let demand = Demand::Type {
            column: column.name.clone(),
            from: from.clone(),
            narrow: narrow.clone(),
            wide: wide.clone(),
        };
        self.stricter(table, demand, true)
    }

    fn constraint(&self, id: RelationId, table: &Table, constraint: &Constraint) -> Option<Stricter> {
        match &constraint.kind {
            ConstraintRow::Check { expression } => {
                if self.write.catches("check_violation") {
                    return None;
                }
                let columns = expression.tree.columns();
                if columns.iter().any(|column| self.filled_before(id, column)) {
                    return None;
                }
                let condition = self.mapped(table, &expression.tree)?;
                let computed =
                    columns.iter().any(|column| matches!(self.write.value_of(column), Some(Value::Computed(_))));
                let certain = match self.promises(&condition, id) {
                    Answer::Yes => return None,
                    Answer::No => true,
                    // What a computed value comes to is not known.
                    Answer::Unknown if computed => return None,
                    // Nothing that the source says is about these columns: it promises nothing.
                    Answer::Unknown => !self.says_something_of(&condition),
                };
                self.stricter(id, Demand::Check { constraint: constraint.id, condition }, certain)
            }
            ConstraintRow::Unique { .. } | ConstraintRow::Primary { .. } => {
                let names: Vec<Ident> =
                    constraint.columns.iter().map(|column| self.schema.column_name(id, *column)).collect();
                let from = self.not_unique(table, &names)?;
                let demand = Demand::Unique { name: constraint.name.clone(), constraint: Some(constraint.id), from };
                self.stricter(id, demand, true)
            }
            ConstraintRow::Foreign(key) => self.foreign(id, constraint, key),
            // What an exclusion constraint asks is not compared; NOT NULL is the column's.
            ConstraintRow::Exclude { .. } | ConstraintRow::NotNull => None,
        }
    }

    fn unique_index(&self, id: RelationId, table: &Table, name: &Ident, index: &Index) -> Option<Stricter> {
        let columns: Option<Vec<Ident>> = index
            .parts
            .iter()
            .map(|part| match part.key {
                IndexKey::Column(column) => Some(self.schema.column_name(id, column)),
                IndexKey::Expression(_) => None,
            })
            .collect();
        // A partial index asks less; whether the source asks as much cannot be told here.
        if index.filter.is_some() {
            return None;
        }
        let from = self.not_unique(table, &columns?)?;
        self.stricter(id, Demand::Unique { name: name.clone(), constraint: None, from }, true)
    }

    /// The source columns behind a unique key, where no unique key of the source lies within them.
    fn not_unique(&self, table: &Table, key: &[Ident]) -> Option<Vec<Ident>> {
        let FeedKind::Insert { conflict: Conflict::Fails } = self.write.kind else { return None };
        if self.write.catches("unique_violation") {
            return None;
        }
        let mut from = Vec::new();
        for column in key {
            match self.write.value_of(column) {
                Some(Value::Source(source)) => from.push(source.clone()),
                // A sequence or a random default is unique by itself.
                None if table.column(column).is_some_and(fills_itself) => return None,
                _ => return None,
            }
        }
        let unique = super::unique_keys(self.schema, self.feed.source).into_iter().any(|columns| {
            columns.iter().all(|column| from.contains(&self.schema.column_name(self.feed.source, *column)))
        });
        (!unique && !self.is_deleted_before(key, &from)).then_some(from)
    }

    /// The function deletes the target's rows of such a key first, whenever it goes on to write one.
    fn is_deleted_before(&self, key: &[Ident], from: &[Ident]) -> bool {
        let pairs: Vec<(&Ident, &Ident)> = key.iter().zip(from).collect();
        self.feed.writes.iter().any(|earlier| {
            earlier.kind == FeedKind::Delete
                && earlier.span.start < self.write.span.start
                && self.write.events.lie_in(earlier.events)
                && !earlier.bounded
                && !earlier.key.is_empty()
                && earlier.key.iter().all(|(target, source)| pairs.contains(&(target, source)))
        })
    }

    fn foreign(&self, id: RelationId, constraint: &Constraint, key: &ForeignRow) -> Option<Stricter> {
        if self.write.catches("foreign_key_violation") || key.referenced_side {
            return None;
        }
        let mut from = Vec::new();
        for column in &constraint.columns {
            match self.write.value_of(&self.schema.column_name(id, *column)) {
                Some(Value::Source(source)) => from.push(source.clone()),
                _ => return None,
            }
        }
        let target = self.schema.partition_root(key.references);
        // The row refers to the source's own row, or to what the same trigger keeps of it.
        let own_row = target == self.feed.source;
        let copy = self.data.copies_of(self.schema, &BTreeSet::new(), &BTreeSet::from([target])).into_iter().next();
        let own_copy = copy.is_some_and(|copy| copy.source == self.feed.source && is_key(copy, &from));
        if own_row || own_copy || self.source_has_key(&from, target, copy) {
            return None;
        }
        self.stricter(id, Demand::Foreign { constraint: constraint.id, from }, true)
    }

    /// The source has a foreign key over these columns, or over those of them that are the target's own key, to the
    /// same table or to the table that the target copies.
    fn source_has_key(&self, from: &[Ident], target: RelationId, copy: Option<&Copy>) -> bool {
        self.schema.constraints_of(self.feed.source).any(|constraint| {
            let Some(key) = constraint.as_foreign() else { return false };
            let names: Vec<Ident> =
                constraint.columns.iter().map(|column| self.schema.column_name(self.feed.source, *column)).collect();
            let references = self.schema.partition_root(key.references);
            let same_target = references == target || copy.is_some_and(|copy| copy.source == references);
            constraint.enforced && same_target && names.iter().all(|name| from.contains(name))
        })
    }

    /// A BEFORE trigger of the target sets the column.
    fn filled_before(&self, table: RelationId, column: &Ident) -> bool {
        super::feed::assigned_before(self.schema, table).contains(column)
            || super::feed::assigned_before(self.schema, self.feed.target).contains(column)
    }

    /// A condition of the target over the source's columns; `None` where a value is not known.
    fn mapped(&self, table: &Table, condition: &Expr) -> Option<Expr> {
        let mut known = true;
        let mapped = condition.map(&mut |expr| {
            let Expr::Column { name, .. } = expr else { return None };
            match self.write.value_of(name) {
                Some(Value::Source(source)) => Some(Expr::bare(source)),
                Some(Value::Computed(value)) => Some(value.clone()),
                None if self.is_insert() => match table.column(name) {
                    Some(column) if !fills_itself(column) => Some(Expr::Constant(Constant::Null)),
                    _ => {
                        known = false;
                        None
                    }
                },
                Some(Value::Old(_) | Value::Unknown) | None => {
                    known = false;
                    None
                }
            }
        });
        (known && !mapped.columns().is_empty()).then_some(mapped)
    }

    /// Whether what the source enforces for new rows, and the trigger's own conditions, imply a CHECK.
    fn promises(&self, asked: &Expr, table: RelationId) -> Answer {
        let checks: Vec<&Expr> = self
            .schema
            .constraints_of(self.feed.source)
            .filter(|constraint| constraint.enforced)
            .filter_map(|constraint| match &constraint.kind {
                ConstraintRow::Check { expression } => Some(&expression.tree),
                _ => None,
            })
            .collect();
        if checks.iter().any(|check| check_implies_check(check, asked) == Answer::Yes) {
            return Answer::Yes;
        }
        // Rows that reach a partition meet its bound.
        let bound = super::coverage::bound_of(self.schema, table).and_then(|bound| self.mapped_columns(&bound));
        let bound_columns: Vec<Ident> = bound.iter().flat_map(|bound| bound.columns()).cloned().collect();
        let not_null = |name: &Ident| {
            bound_columns.contains(name) || self.source.column(name).is_some_and(|column| column.not_null)
        };
        let true_checks = checks.into_iter().filter(|check| is_never_null(check, &not_null)).cloned();
        let mut given: Vec<Expr> = true_checks.chain(self.write.guards.iter().cloned()).chain(bound).collect();
        let refused = super::feed::refused_before(self.schema, self.feed.source, self.write.events);
        given.extend(refused.into_iter().map(|condition| Expr::Not(Box::new(condition))));
        for name in asked.columns().into_iter().filter(|name| not_null(name)) {
            given.push(Expr::bare(name).is_not_null());
        }
        filter_implies_check(&Expr::And(given), asked)
    }

    /// A condition over target columns that all come from the source as they are.
    fn mapped_columns(&self, condition: &Expr) -> Option<Expr> {
        let from = |name: &Ident| matches!(self.write.value_of(name), Some(Value::Source(_)));
        condition.columns().into_iter().all(from).then(|| {
            condition.map(&mut |expr| match expr {
                Expr::Column { name, .. } => match self.write.value_of(name) {
                    Some(Value::Source(source)) => Some(Expr::bare(source)),
                    _ => None,
                },
                _ => None,
            })
        })
    }

    fn says_something_of(&self, condition: &Expr) -> bool {
        let columns = condition.columns();
        let checks = self.schema.constraints_of(self.feed.source).filter_map(|constraint| match &constraint.kind {
            ConstraintRow::Check { expression } => Some(&expression.tree),
            _ => None,
        });
        checks.chain(&self.write.guards).any(|own| own.columns().iter().any(|name| columns.contains(name)))
    }
}

/// A condition that is true or false for every row: NULL comes in only through IS NULL.
fn is_never_null(condition: &Expr, not_null: &dyn Fn(&Ident) -> bool) -> bool {
    match condition {
        Expr::And(list) | Expr::Or(list) | Expr::List(list) => list.iter().all(|part| is_never_null(part, not_null)),
        Expr::Not(inner) | Expr::Cast { value: inner, .. } => is_never_null(inner, not_null),
        Expr::IsNull(_) | Expr::Distinct(..) => true,
        Expr::Constant(constant) => *constant != Constant::Null,
        Expr::Column { name, .. } => not_null(name),
        Expr::Binary { left, right, .. } => is_never_null(left, not_null) && is_never_null(right, not_null),
        Expr::In { value, list } => {
            is_never_null(value, not_null) && list.iter().all(|item| is_never_null(item, not_null))
        }
        Expr::Unary { operand, .. } => is_never_null(operand, not_null),
        Expr::Row { .. }
        | Expr::Parameter(_)
        | Expr::Call { .. }
        | Expr::InQuery { .. }
        | Expr::Exists(_)
        | Expr::Subquery(_)
        | Expr::Case { .. }
        | Expr::Other { .. } => false,
    }
}

fn is_key(copy: &Copy, from: &[Ident]) -> bool {
    copy.key.iter().all(|(_, source)| from.contains(source))
}

/// A default, a sequence or an expression gives the column its value.
fn fills_itself(column: &Column) -> bool {
    column.default.as_ref().is_some_and(|default| !default.tree.is_null_constant())
        || column.identity.is_some()
        || column.generated.is_some()
        || column.sequence.is_some()
}

/// Values of `wide` may not fit into `narrow`. Types of different families are not compared.
fn is_narrower(narrow: &TypeName, wide: &TypeName) -> bool {
    if !narrow.built_in || !wide.built_in || narrow.array != wide.array {
        return false;
    }
    let whole = |name: &TypeName| match name.name.name.as_str() {
        "smallint" => Some(2),
        "integer" => Some(4),
        "bigint" => Some(8),
        _ => None,
    };
    if let (Some(narrow), Some(wide)) = (whole(narrow), whole(wide)) {
        return narrow < wide;
    }
    let length = |name: &TypeName| match name.name.name.as_str() {
        "text" => Some(u32::MAX),
        "character varying" => Some(name.modifiers.first().and_then(|length| length.parse().ok()).unwrap_or(u32::MAX)),
        "character" => Some(name.modifiers.first().and_then(|length| length.parse().ok()).unwrap_or(1)),
        _ => None,
    };
    matches!((length(narrow), length(wide)), (Some(narrow), Some(wide)) if narrow < wide)
}
