//! PARTITION BY, ATTACH and DETACH: bounds, their order, and what a partition takes over from its parent.

use std::cmp::Ordering;

use super::resolve::quoted;
use super::{Change, Outcome, missing, refused};
use crate::operation::{
    Bound, BoundValue, Constant, ConstraintDefinition, ConstraintKind, CreateTable, Expr, Expression, Ident, KeyPart,
    Name, PartitionStrategy,
};
use crate::schema::{ConstraintRow, Existence, Partition, Relation, RelationId, TableKind};

/// A bound's value as far as it can be ordered without the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Minimum,
    Null,
    Number(f64, String),
    Text(String),
    Maximum,
    /// A cast, a function: not known here.
    Unknown,
}

impl Datum {
    fn of(tree: &Expr) -> Datum {
        match tree {
            Expr::Constant(Constant::Null) => Datum::Null,
            Expr::Constant(Constant::Bool(value)) => Datum::Text(value.to_string()),
            Expr::Constant(Constant::Number(text)) => number(text),
            // A quoted number is one where the column is; the caller compares like with like.
            Expr::Constant(Constant::String(text)) => match number(text) {
                Datum::Unknown => Datum::Text(text.to_string()),
                known => known,
            },
            Expr::Unary { operator, operand } if &**operator == "-" => match Datum::of(operand) {
                Datum::Number(value, text) => Datum::Number(-value, format!("-{text}")),
                _ => Datum::Unknown,
            },
            Expr::Cast { value, .. } => Datum::of(value),
            _ => Datum::Unknown,
        }
    }

    fn of_bound(value: &BoundValue) -> Datum {
        match value {
            BoundValue::Minimum => Datum::Minimum,
            BoundValue::Maximum => Datum::Maximum,
            BoundValue::Value(expression) => Datum::of(&expression.tree),
        }
    }

    /// `None` where the two cannot be compared here.
    fn order(&self, other: &Datum) -> Option<Ordering> {
        match (self, other) {
            (Datum::Unknown, _) | (_, Datum::Unknown) => None,
            (Datum::Minimum, Datum::Minimum) | (Datum::Maximum, Datum::Maximum) | (Datum::Null, Datum::Null) => {
                Some(Ordering::Equal)
            }
            (Datum::Minimum, _) | (_, Datum::Maximum) => Some(Ordering::Less),
            (Datum::Maximum, _) | (_, Datum::Minimum) => Some(Ordering::Greater),
            // PostgreSQL keeps the NULL partition last.
            (Datum::Null, _) => Some(Ordering::Greater),
            (_, Datum::Null) => Some(Ordering::Less),
            (Datum::Number(a, _), Datum::Number(b, _)) => a.partial_cmp(b),
            (Datum::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
            (Datum::Number(..), Datum::Text(_)) | (Datum::Text(_), Datum::Number(..)) => None,
        }
    }
}

fn number(text: &str) -> Datum {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Datum::Number(value, text.trim().to_owned()),
        _ => Datum::Unknown,
    }
}

fn order_all(one: &[Datum], other: &[Datum]) -> Option<Ordering> {
    for (a, b) in one.iter().zip(other) {
        match a.order(b)? {
            // Behind MINVALUE or MAXVALUE the rest does not count.
            Ordering::Equal if matches!(a, Datum::Minimum | Datum::Maximum) => return Some(Ordering::Equal),
            Ordering::Equal => {}
            unequal => return Some(unequal),
        }
    }
    Some(Ordering::Equal)
}

fn list(values: &[Expression]) -> Vec<Datum> {
    values.iter().map(|value| Datum::of(&value.tree)).collect()
}

fn range(values: &[BoundValue]) -> Vec<Datum> {
    values.iter().map(Datum::of_bound).collect()
}

impl Change<'_> {
    pub(super) fn partition_key(&mut self, create: &CreateTable, id: RelationId) -> Outcome {
        let Some(key) = &create.partition_by else { return Ok(()) };
        if key.strategy == PartitionStrategy::List && key.parts.len() > 1 {
            let message = "cannot use \"list\" partition strategy with more than one column".to_owned();
            return Err(refused("42P17", self.full(id), message));
        }
        for part in &key.parts {
            match part {
                KeyPart::Column(name) => {
                    if self.find_column(id, name).is_none() {
                        let message = format!("column {} named in partition key does not exist", quoted(name));
                        return Err(missing("42703", name.to_string(), message));
                    }
                }
                KeyPart::Expression(expression) => {
                    self.expression_columns(id, expression)?;
                }
            }
        }
        self.schema.edit_table(id, |table| table.partition_by = Some(key.clone()));
        Ok(())
    }

    /// The partitions of one level as PostgreSQL's partition descriptor has them: by bound, the default last.
    pub(super) fn partitions_in_order(&self, table: RelationId) -> Vec<RelationId> {
        let children = &self.schema.table(table).children;
        let mut found: Vec<(RelationId, Option<&Bound>)> = children
            .iter()
            .filter_map(|child| {
                let partition = self.schema.table(*child).partition_of.as_ref();
                partition.is_none_or(|one| !one.detach_pending).then(|| (*child, partition.map(|one| &one.bound)))
            })
            .collect();
        found.sort_by(|(_, one), (_, other)| match (one, other) {
            (Some(one), Some(other)) => bound_order(one, other),
            _ => Ordering::Equal,
        });
        found.into_iter().map(|(child, _)| child).collect()
    }

    /// `check_new_partition_bound`, for values that can be compared here.
    pub(super) fn check_bound(&mut self, parent: RelationId, partition: RelationId, bound: &Bound) -> Outcome {
        self.bound_fits(parent, bound)?;
        let full = self.full(partition);
        if let Bound::Range { from, to } = bound
            && order_all(&range(from), &range(to)).is_some_and(|order| order != Ordering::Less)
        {
            let message = format!("empty range bound specified for partition {}", quoted(&self.label(partition)));
            return Err(refused("42P17", full, message));
        }
        self.bound_is_free(parent, partition, bound)
    }

    /// The bound is one for the parent's strategy (`transformPartitionBound`).
    fn bound_fits(&self, parent: RelationId, bound: &Bound) -> Outcome {
        let Some(key) = &self.schema.table(parent).partition_by else { return Ok(()) };
        let full = self.full(parent);
        let fits = match (bound, key.strategy) {
            (Bound::Default, strategy) => strategy != PartitionStrategy::Hash,
            (Bound::List(_), strategy) => strategy == PartitionStrategy::List,
            (Bound::Range { .. }, strategy) => strategy == PartitionStrategy::Range,
            (Bound::Hash { .. }, strategy) => strategy == PartitionStrategy::Hash,
        };
        if !fits {
            let message = match (bound, key.strategy) {
                (Bound::Default, _) => "a hash-partitioned table may not have a default partition",
                (_, PartitionStrategy::List) => "invalid bound specification for a list partition",
                (_, PartitionStrategy::Range) => "invalid bound specification for a range partition",
                (_, PartitionStrategy::Hash) => "invalid bound specification for a hash partition",
            };
            return Err(refused("42P16", full, message.to_owned()));
        }
        if let Bound::Range { from, to } = bound {
            for (side, values) in [("FROM", from), ("TO", to)] {
                if values.len() != key.parts.len() {
                    let message = format!("{side} must specify exactly one value per partitioning column");
                    return Err(refused("42P16", full, message));
                }
            }
        }
        if let Bound::Hash { modulus, remainder } = bound
            && (*modulus == 0 || remainder >= modulus)
        {
            return Err(refused("42P16", full, "remainder for hash partition must be less than modulus".to_owned()));
        }
        Ok(())
    }

    fn bound_is_free(&mut self, parent: RelationId, partition: RelationId, bound: &Bound) -> Outcome {
        let label = quoted(&self.label(partition));
        for sibling in self.children_in_order(parent) {
            if sibling == partition {
                continue;
            }
            let relation = self.schema.relation(sibling);
            let Some(other) = relation.as_table().and_then(|table| table.partition_of.as_ref()) else { continue };
            let other_label = quoted(&relation.name.name);
            let message = match (bound, &other.bound) {
                (Bound::Default, Bound::Default) => {
                    format!("partition {label} conflicts with existing default partition {other_label}")
                }
                (one, two) if overlap(one, two) => format!("partition {label} would overlap partition {other_label}"),
                (Bound::Hash { modulus: one, .. }, Bound::Hash { modulus: two, .. })
                    if one % two != 0 && two % one != 0 =>
                {
                    "every hash partition modulus must be a factor of the next larger modulus".to_owned()
                }
                _ => continue,
            };
            let mut failure = refused("42P17", self.full(partition), message);
            failure.certain = relation.existence.is_certain();
            failure.because = Some(relation.existence.origin().clone());
            return Err(failure);
        }
        Ok(())
    }

    /// A new partition's indexes, row triggers and foreign keys, in that order.
    pub(super) fn clone_to_partition(&mut self, parent: RelationId, partition: RelationId) -> Outcome {
        let foreign = self.schema.table(partition).kind == TableKind::Foreign;
        for index in self.indexes_in_order(parent) {
            let unique = self.as_index(index).is_some_and(|index| index.unique);
            if foreign && unique {
                let message =
                    format!("cannot create foreign partition of partitioned table {}", quoted(&self.label(parent)));
                return Err(refused("42809", self.full(partition), message));
            }
            if !foreign {
                let constraint = self.as_index(index).and_then(|index| index.constraint);
                self.copy_index(index, partition, Some((index, constraint)))?;
            }
        }
        self.clone_triggers(parent, partition)?;
        self.clone_foreign_keys(parent, partition)
    }

    pub(super) fn attach_partition(&mut self, parent: RelationId, name: &Name, bound: &Bound) -> Outcome {
        let assumed = matches!(self.schema.relation(parent).existence, Existence::Assumed { .. });
        if assumed {
            self.schema.edit_table(parent, |table| table.kind = TableKind::Partitioned);
        }
        if !self.schema.relation(parent).is_partitioned() {
            let message = format!("table {} is not partitioned", quoted(&self.label(parent)));
            let state = if self.since(18) { "42809" } else { "42P17" };
            return Err(refused(state, self.full(parent), message));
        }
        self.bound_fits(parent, bound)?;
        let child = self.table(name)?;
        self.may_become_partition(parent, child)?;
        self.only_parents_columns(parent, child)?;
        self.check_bound(parent, child, bound)?;
        self.merge_columns(parent, child, true)?;
        self.merge_constraints(parent, child, true)?;
        self.schema.edit_table(parent, |table| table.children.push(child));
        self.schema.edit_table(child, |table| {
            table.partition_of = Some(Partition { parent, bound: bound.clone(), detach_pending: false });
        });
        self.attach_indexes(parent, child)?;
        self.clone_triggers(parent, child)?;
        self.clone_foreign_keys(parent, child)
    }

    fn may_become_partition(&mut self, parent: RelationId, child: RelationId) -> Outcome {
        let table = self.schema.table(child);
        let label = quoted(&self.label(child));
        let full = self.full(child);
        if table.partition_of.is_some() {
            return Err(refused("42809", full, format!("{label} is already a partition")));
        }
        if !table.inherits.is_empty() {
            return Err(refused("42809", full, "cannot attach inheritance child as partition".to_owned()));
        }
        if table.kind != TableKind::Partitioned && !table.children.is_empty() {
            return Err(refused("42809", full, "cannot attach inheritance parent as partition".to_owned()));
        }
        if child == parent || self.ancestors(parent).contains(&child) {
            return Err(refused("42P07", full, "circular inheritance not allowed".to_owned()));
        }
        let (one, two) = (self.schema.table(parent).persistence, table.persistence);
        let temporary = crate::operation::Persistence::Temporary;
        if (one == temporary) != (two == temporary) {
            let message = if one == temporary {
                format!(
                    "cannot attach a permanent relation as partition of temporary relation {}",
                    quoted(&self.label(parent))
                )
            } else {
                format!(
                    "cannot attach a temporary relation as partition of permanent relation {}",
                    quoted(&self.label(parent))
                )
            };
            return Err(refused("42809", full, message));
        }
        let rows = self.schema.triggers_of(child);
        let tables = rows.iter().find(|one| one.for_each_row && (one.old_table.is_some() || one.new_table.is_some()));
        if let Some(trigger) = tables {
            let message = format!("trigger {} prevents table {label} from becoming a partition", quoted(&trigger.name));
            return Err(refused("55000", full, message));
        }
        Ok(())
    }

    pub(super) fn ancestors(&self, table: RelationId) -> Vec<RelationId> {
        let mut found = Vec::new();
        let mut open = vec![table];
        while let Some(next) = open.pop() {
            let table = self.schema.table(next);
            let parents = table.partition_of.iter().map(|one| one.parent).chain(table.inherits.iter().copied());
            for parent in parents {
                if !found.contains(&parent) {
                    found.push(parent);
                    open.push(parent);
                }
            }
        }
        found
    }

    fn only_parents_columns(&self, parent: RelationId, child: RelationId) -> Outcome {
        let (outer, inner) = (self.schema.table(parent), self.schema.table(child));
        if !outer.columns_known || !inner.columns_known {
            return Ok(());
        }
        for column in &inner.columns {
            let (label, name) = (quoted(&self.label(child)), quoted(&column.name));
            if column.identity.is_some() && self.since(17) {
                let message = format!("table {label} being attached contains an identity column {name}");
                return Err(refused("55000", self.full(child), message));
            }
            if outer.column(&column.name).is_none() {
                let parent = quoted(&self.label(parent));
                let message = format!("table {label} contains column {name} not found in parent {parent}");
                return Err(refused("42804", self.full(child), message));
            }
        }
        Ok(())
    }

    /// `AttachPartitionEnsureIndexes`.
    fn attach_indexes(&mut self, parent: RelationId, child: RelationId) -> Outcome {
        for index in self.indexes_in_order(parent) {
            let constraint = self.as_index(index).and_then(|index| index.constraint);
            match self.matching_index(index, constraint, child, true) {
                Some(own) => self.adopt_index(own, index, constraint),
                None => {
                    self.copy_index(index, child, Some((index, constraint)))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn detach_partition(
        &mut self,
        parent: RelationId,
        name: &Name,
        concurrently: bool,
        finalize: bool,
    ) -> Outcome {
        if !self.schema.relation(parent).is_partitioned() {
            if !matches!(self.schema.relation(parent).existence, Existence::Assumed { .. }) {
                let message = format!("table {} is not partitioned", quoted(&self.label(parent)));
                return Err(refused(if self.since(18) { "42809" } else { "42P17" }, self.full(parent), message));
            }
            self.schema.edit_table(parent, |table| table.kind = TableKind::Partitioned);
        }
        let child = self.table(name)?;
        let of = self.schema.table(child).partition_of.as_ref();
        let (found, pending) = (of.map(|one| one.parent), of.is_some_and(|one| one.detach_pending));
        let open = self.is_open(parent) || self.is_open(child);
        if found != Some(parent) {
            if found.is_none() && open {
                return Ok(());
            }
            let message = format!(
                "relation {} is not a partition of relation {}",
                quoted(&self.label(child)),
                quoted(&self.label(parent))
            );
            return Err(missing("42P01", self.full(child), message));
        }
        if finalize && !pending || pending && !finalize {
            let message = if pending {
                format!(
                    "partition {} already pending detach in partitioned table {}",
                    quoted(&self.label(child)),
                    quoted(&self.full(parent).as_str().into())
                )
            } else {
                format!("cannot complete detaching partition {}", quoted(&self.label(child)))
            };
            return Err(refused("55000", self.full(child), message));
        }
        let has_default = |change: &Self| {
            change.children_in_order(parent).into_iter().any(|one| {
                change.schema.table(one).partition_of.as_ref().is_some_and(|one| one.bound == Bound::Default)
            })
        };
        if concurrently && has_default(self) {
            let message = "cannot detach partitions concurrently when a default partition exists".to_owned();
            return Err(refused("55000", self.full(child), message));
        }
        if concurrently {
            self.bound_check(parent, child)?;
        }
        self.schema.edit_table(parent, |table| table.children.retain(|one| *one != child));
        self.schema.edit_table(child, |table| table.partition_of = None);
        self.leave_parent(parent, child);
        self.drop_cloned_triggers(child);
        self.detach_foreign_keys(child)?;
        for index in self.indexes_in_order(child) {
            if self.as_index(index).is_some_and(|index| index.parent.is_some()) {
                self.set_index_parent(index, None);
                if let Some(constraint) = self.as_index(index).and_then(|index| index.constraint) {
                    self.set_constraint_parent(constraint, None);
                }
            }
        }
        if self.since(17) {
            self.leave_identity(child)?;
        }
        Ok(())
    }

    /// A detached partition has no identity columns, nor have those below it; ATTACH did not reach them (17).
    fn leave_identity(&mut self, child: RelationId) -> Outcome {
        let columns = self.schema.table(child).columns.iter().filter(|column| column.identity.is_some());
        let names: Vec<Ident> = columns.map(|column| column.name.clone()).collect();
        for table in self.descendants(child) {
            for name in &names {
                if self.schema.table(table).column(name).is_some_and(|column| column.identity.is_none()) {
                    let (name, label) = (quoted(name), quoted(&self.label(table)));
                    let message = format!("column {name} of relation {label} is not an identity column");
                    return Err(refused("55000", self.full(table), message));
                }
            }
        }
        for table in std::iter::once(child).chain(self.descendants(child)).collect::<Vec<_>>() {
            self.schema.edit_table(table, |table| table.columns.iter_mut().for_each(|one| one.identity = None));
        }
        Ok(())
    }

    /// DETACH CONCURRENTLY leaves a CHECK of the old bound, named after the key's column.
    /// Not where the parent is partitioned by hash; where one above it is, the CHECK calls for that parent's number
    /// (`satisfies_hash_partition`), which no dump can bring back: measured on 14 to 18.
    pub(super) fn bound_check(&mut self, parent: RelationId, child: RelationId) -> Outcome {
        let by_hash = |of: &Self, id: RelationId| {
            of.schema.table(id).partition_by.as_ref().is_some_and(|key| key.strategy == PartitionStrategy::Hash)
        };
        if by_hash(self, parent) {
            return Ok(());
        }
        // The bounds of the parents above count as well (`RelationGetPartitionQual`).
        let mut parts: Vec<Expr> = Vec::new();
        let mut at = Some((parent, child));
        while let Some((outer, inner)) = at {
            let key: Vec<Ident> = self
                .schema
                .table(outer)
                .partition_by
                .iter()
                .flat_map(|key| &key.parts)
                .filter_map(|part| match part {
                    KeyPart::Column(name) => Some(name.clone()),
                    KeyPart::Expression(_) => None,
                })
                .collect();
            let bound = self.schema.table(inner).partition_of.as_ref().map(|one| one.bound.clone());
            let expression = bound.and_then(|bound| bound_expression(&key, &bound, self.at.span));
            if by_hash(self, outer) {
                let column = |name| Expr::Column { qualifier: None, name };
                parts.push(Expr::Call {
                    function: Name::bare(Ident::new("satisfies_hash_partition")),
                    arguments: key.into_iter().map(column).collect(),
                });
            } else if let Some(Expression { tree: Expr::And(own), .. }) = expression {
                parts.extend(own);
            }
            at = self.schema.table(outer).partition_of.as_ref().map(|one| (one.parent, outer));
        }
        if parts.is_empty() {
            return Ok(());
        }
        let text = format!("partition bound of {}", self.label(child)).into();
        let expression = Expression { text, span: self.at.span, tree: Expr::And(parts) };
        let known = self.schema.constraints_of(child).any(|row| match &row.kind {
            ConstraintRow::Check { expression: own } => *own == expression && row.validated,
            _ => false,
        });
        if known {
            return Ok(());
        }
        let definition = ConstraintDefinition {
            name: None,
            kind: ConstraintKind::Check(expression),
            not_valid: false,
            not_enforced: false,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            span: self.at.span,
        };
        self.add_constraint_action(child, &definition, None, false)
    }

    /// The rows of a relation that a partition's siblings know.
    pub(super) fn is_partition(&self, id: RelationId) -> bool {
        self.schema.get_relation(id).and_then(Relation::as_table).is_some_and(|table| table.partition_of.is_some())
    }
}

/// The partition constraint of a list or range bound over plain columns; hash has no expression of its own.
pub(super) fn bound_expression(key: &[Ident], bound: &Bound, span: crate::source::Span) -> Option<Expression> {
    let column = |name: &Ident| Expr::bare(name);
    let (first, more) = key.split_first()?;
    let mut all = vec![column(first).is_not_null()];
    match bound {
        Bound::List(values) => {
            let list = values.iter().map(|value| value.tree.clone()).collect();
            all.push(Expr::In { value: Box::new(column(first)), list });
        }
        Bound::Range { from, to } => {
            all.extend(more.iter().map(|name| column(name).is_not_null()));
            for (operator, side) in [(">=", from.first()), ("<", to.first())] {
                if let Some(BoundValue::Value(value)) = side {
                    all.push(Expr::Binary {
                        operator: operator.into(),
                        left: Box::new(column(first)),
                        right: Box::new(value.tree.clone()),
                    });
                }
            }
        }
        Bound::Hash { .. } | Bound::Default => return None,
    }
    let names: Vec<&str> = key.iter().map(Ident::as_str).collect();
    Some(Expression { text: format!("partition bound of {}", names.join(", ")).into(), span, tree: Expr::And(all) })
}

fn bound_order(one: &Bound, other: &Bound) -> Ordering {
    match (one, other) {
        (Bound::Default, Bound::Default) => Ordering::Equal,
        (Bound::Default, _) => Ordering::Greater,
        (_, Bound::Default) => Ordering::Less,
        (Bound::List(one), Bound::List(other)) => {
            let smallest = |values: &[Expression]| {
                list(values).into_iter().reduce(|a, b| if b.order(&a) == Some(Ordering::Less) { b } else { a })
            };
            match (smallest(one), smallest(other)) {
                (Some(one), Some(other)) => one.order(&other).unwrap_or(Ordering::Equal),
                _ => Ordering::Equal,
            }
        }
        (Bound::Range { from: one, .. }, Bound::Range { from: other, .. }) => {
            order_all(&range(one), &range(other)).unwrap_or(Ordering::Equal)
        }
        (Bound::Hash { modulus: a, remainder: b }, Bound::Hash { modulus: c, remainder: d }) => (a, b).cmp(&(c, d)),
        _ => Ordering::Equal,
    }
}

fn overlap(one: &Bound, other: &Bound) -> bool {
    match (one, other) {
        (Bound::List(one), Bound::List(other)) => {
            let other = list(other);
            list(one).iter().any(|value| other.iter().any(|two| value.order(two) == Some(Ordering::Equal)))
        }
        (Bound::Range { from: a, to: b }, Bound::Range { from: c, to: d }) => {
            order_all(&range(a), &range(d)) == Some(Ordering::Less)
                && order_all(&range(c), &range(b)) == Some(Ordering::Less)
        }
        (Bound::Hash { modulus: a, remainder: b }, Bound::Hash { modulus: c, remainder: d }) => {
            let step = (*a).min(*c).max(1);
            (a % c.max(&1) == 0 || c % a.max(&1) == 0) && b % step == d % step
        }
        _ => false,
    }
}
