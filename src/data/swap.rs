//! Swaps: a name, or a place among partitions, that leads to another table from some step on, so that one table
//! serves instead of another. What is known of rows stays with the relations.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::coverage::{bound_of, rank, states};
use super::{Circumstances, Copy, Coverage, Data, Fill, Moment};
use crate::operation::{Bound, Ident, ObjectKind, Operation, Origin, Persistence, QualifiedName, TableActionKind};
use crate::schema::{RelationId, Schema};
use crate::settings::Fact;

/// One table that serves in the place of another.
#[derive(Debug, Clone)]
pub struct Swap {
    pub original: RelationId,
    pub replacement: RelationId,
    pub form: SwapForm,
    /// Just before the original lost its name or place.
    pub before: Schema,
    /// The copies of the original that triggers kept then.
    pub copies: Vec<Copy>,
    pub left: Moment,
    pub left_by: Origin,
    pub moment: Moment,
    pub origin: Origin,
    pub certain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapForm {
    /// A table that was there took the name.
    Renamed,
    /// A table was made under the name.
    Made,
    /// A view of that name reads the replacement.
    View,
    /// A table took a partition's place.
    Attached,
}

impl Swap {
    /// The replacement's name before the swap, or the one it was made under.
    pub fn replacement_name<'a>(&'a self, after: &'a Schema) -> &'a QualifiedName {
        let then = self.before.get_relation(self.replacement);
        &then.unwrap_or_else(|| after.relation(self.replacement)).name
    }

    /// The original's key.
    pub fn key(&self) -> Vec<Ident> {
        let key = super::unique_keys(&self.before, self.original).into_iter().next().unwrap_or_default();
        key.into_iter().map(|column| self.before.column_name(self.original, column)).collect()
    }

    /// Most of the original's columns are in the replacement too, its key among them.
    pub fn is_alike(&self, after: &Schema) -> bool {
        let columns = |schema: &Schema, table: RelationId| -> BTreeSet<Ident> {
            let table = schema.get_relation(table).and_then(|relation| relation.as_table());
            table.map(|table| table.columns.iter().map(|column| column.name.clone()).collect()).unwrap_or_default()
        };
        let (old, new) = (columns(&self.before, self.original), columns(after, self.replacement));
        old.intersection(&new).count() * 2 > old.len() && self.key().iter().all(|name| new.contains(name))
    }

    /// Columns of the original that the replacement does not have: what was in them is not meant to go along.
    pub fn leaves_columns(&self, after: &Schema) -> bool {
        let table = |schema: &'_ Schema, id: RelationId| -> BTreeSet<Ident> {
            let table = schema.get_relation(id).and_then(|relation| relation.as_table());
            table.map(|table| table.columns.iter().map(|column| column.name.clone()).collect()).unwrap_or_default()
        };
        !table(&self.before, self.original).is_subset(&table(after, self.replacement))
    }
}

/// What a table has lost, and what another may take.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Name(QualifiedName),
    Partition(RelationId, Bound),
}

/// A table that lost its place.
#[derive(Debug, Clone)]
pub(super) struct Left {
    table: RelationId,
    place: Place,
    before: Schema,
    copies: Vec<Copy>,
    moment: Moment,
    origin: Origin,
    certain: bool,
}

/// Places that were left longer ago than this many others are not looked at: a swap takes a few steps.
const LEFT_LIMIT: usize = 64;

impl Data {
    /// Swaps in the order they happened.
    pub fn swaps(&self) -> &[Arc<Swap>] {
        &self.swaps
    }

    /// Swaps since an earlier state of the same history.
    pub fn swaps_since(&self, before: &Data) -> &[Arc<Swap>] {
        self.swaps.get(before.swaps.len()..).unwrap_or_default()
    }

    /// The swap that made a table serve.
    pub fn swap_into(&self, replacement: RelationId) -> Option<&Swap> {
        self.swaps.iter().rfind(|swap| swap.replacement == replacement).map(|swap| &**swap)
    }

    /// The tables whose place a step may take away, with the copies that triggers keep of them until then.
    pub(super) fn leaving(&self, operation: &Operation, before: &Schema) -> Vec<(RelationId, Vec<Copy>)> {
        let tables = moved(operation, before, false);
        tables.into_iter().map(|table| (table, self.copies_from(before, table))).collect()
    }

    /// The copies that a table's own triggers keep.
    pub fn copies_from(&self, schema: &Schema, source: RelationId) -> Vec<Copy> {
        let triggers = self.by_table.get(&source).into_iter().flatten().copied().collect();
        let copies = self.copies_of(schema, &triggers, &BTreeSet::new());
        copies.into_iter().filter(|copy| copy.source == source).cloned().collect()
    }

    /// Takes notice of places left and taken by a step.
    pub(super) fn keep_places(
        &mut self,
        operation: &Operation,
        origin: &Origin,
        before: &Schema,
        after: &Schema,
        leaving: Vec<(RelationId, Vec<Copy>)>,
        at: Circumstances,
    ) {
        for (table, copies) in leaving {
            for place in lost_places(table, before, after) {
                let lost = Left {
                    table,
                    place,
                    before: before.clone(),
                    copies: copies.clone(),
                    moment: at.moment,
                    origin: origin.clone(),
                    certain: at.certain,
                };
                let left = Arc::make_mut(&mut self.left);
                left.push(Arc::new(lost));
                if left.len() > LEFT_LIMIT {
                    left.remove(0);
                }
                // Renaming and dropping hold ACCESS EXCLUSIVE until the transaction ends.
                self.block(table, at.moment);
            }
        }
        for arrived in moved(operation, after, true) {
            for place in places(arrived, after) {
                self.take(arrived, &place, origin, after, at);
            }
        }
    }

    fn take(&mut self, arrived: RelationId, place: &Place, origin: &Origin, after: &Schema, at: Circumstances) {
        let Some(number) = self.left.iter().rposition(|left| left.place == *place && left.moment.step < at.moment.step)
        else {
            return;
        };
        let left = self.left[number].clone();
        let Some((replacement, form)) = replacement(arrived, place, left.table, after, left.moment, self) else {
            return;
        };
        let existed = self.made(replacement).is_none_or(|made| made.step < left.moment.step);
        let apart = at.moment.release.saturating_sub(left.moment.release);
        // The last of three renames that exchange two tables.
        let returns = self.swaps.iter().any(|swap| {
            swap.original == replacement && swap.replacement == left.table && swap.moment.release == at.moment.release
        });
        if apart > usize::from(existed)
            || returns
            || is_temporary(&left.before, left.table)
            || is_temporary(after, replacement)
        {
            return;
        }
        Arc::make_mut(&mut self.left).remove(number);
        Arc::make_mut(&mut self.swaps).push(Arc::new(Swap {
            original: left.table,
            replacement,
            form,
            before: left.before.clone(),
            copies: left.copies.clone(),
            left: left.moment,
            left_by: left.origin.clone(),
            moment: at.moment,
            origin: origin.clone(),
            certain: at.certain && left.certain,
        }));
    }

    /// How many of the original's rows the replacement holds when it begins to serve; `None` where nothing shows that
    /// it is to hold them. `earlier` are copies that triggers kept before the swap's transaction.
    pub fn coverage_of_swap<'a>(&'a self, schema: &Schema, swap: &Swap, earlier: &[Copy]) -> Option<Coverage<'a>> {
        if schema.get_relation(swap.original).is_some() && is_within(schema, swap.original, swap.replacement) {
            return Some(Coverage::Complete);
        }
        if let Some(copy) = self.copy_of_swap(schema, swap, earlier) {
            return Some(self.coverage(&swap.before, copy, copy.table));
        }
        let stated = |fact: &&Fact| {
            let existed = swap.before.get_relation(swap.replacement).is_some();
            existed && states(fact, &swap.before, swap.original, root(&swap.before, swap.replacement))
        };
        if let Some(fact) = self.facts.iter().find(stated) {
            return Some(Coverage::Stated(fact));
        }
        let fills: Vec<&Fill> = tree(schema, swap.replacement)
            .into_iter()
            .flat_map(|table| self.fills_of(table))
            .filter(|fill| fill.moment.step <= swap.moment.step || fill.moment.unit == swap.moment.unit)
            .collect();
        let original = root(&swap.before, swap.original);
        let ours = |fill: &&Fill| fill.source == swap.original || root(&swap.before, fill.source) == original;
        // Where a trigger kept the replacement for a time, what its end lost is said where it ends.
        let since = self.fed_before(schema, swap).unwrap_or(swap.left);
        let mut ours: Vec<&Fill> = fills.iter().copied().filter(ours).collect();
        let bound = bound_of(&swap.before, swap.original);
        ours.retain(|fill| !fill.touch);
        match ours.as_slice() {
            [] => (fills.is_empty() && !self.has_rows(schema, swap.replacement)).then_some(Coverage::Missing),
            many => {
                let judged = many.iter().map(|fill| {
                    // Under the same condition as the swap it runs whenever the swap does.
                    let with_swap = !fill.certain && !swap.certain && !fill.partial && fill.filter.is_empty();
                    match with_swap && fill.moment.unit == swap.moment.unit {
                        true => self.judge_time(fill, Some(since)),
                        false => self.judge(fill, Some(since), bound.as_ref()),
                    }
                });
                let best = judged.min_by_key(rank)?;
                // Several filters may take all rows together, up to when the last one ran.
                let last = many.iter().max_by_key(|fill| fill.moment)?;
                Some(match best {
                    Coverage::Filtered(_) | Coverage::Unclear(_) if many.len() > 1 => Coverage::Unclear(last),
                    other => other,
                })
            }
        }
    }

    /// The copy that the replacement was, while its original still served.
    pub fn copy_of_swap<'a>(&self, schema: &Schema, swap: &'a Swap, earlier: &'a [Copy]) -> Option<&'a Copy> {
        let serving = root(schema, swap.replacement);
        let is_it = |copy: &&Copy| copy.source == swap.original && root(schema, copy.table) == serving;
        swap.copies.iter().chain(earlier).find(is_it)
    }

    /// Since when a trigger that is gone by the swap fed the replacement.
    pub fn fed_before(&self, schema: &Schema, swap: &Swap) -> Option<Moment> {
        self.fed_since.get(&(swap.original, root(schema, swap.replacement))).copied()
    }

    /// Rows of the original went into another table than the replacement too, in the swap's release.
    pub fn is_split_by(&self, swap: &Swap) -> bool {
        let original = root(&swap.before, swap.original);
        self.fills.iter().any(|(target, fills)| {
            *target != swap.replacement
                && fills.iter().any(|fill| {
                    fill.moment.release == swap.moment.release && root(&swap.before, fill.source) == original
                })
        })
    }

    /// Rows that a migration wrote, or that came from somewhere else.
    fn has_rows(&self, schema: &Schema, table: RelationId) -> bool {
        tree(schema, table).iter().any(|table| self.first_rows.contains_key(table))
    }
}

/// The tables that a statement may move, drop, attach or make (`made`), or those it takes away from.
fn moved(operation: &Operation, schema: &Schema, made: bool) -> Vec<RelationId> {
    let found = |name: &crate::operation::Name| schema.find(name).map(|relation| relation.id);
    match operation {
        Operation::Rename(rename) if rename.part.is_none() => {
            let now = if made {
                let to = crate::operation::Name { schema: rename.object.schema.clone(), name: rename.to.clone() };
                found(&to)
            } else {
                found(&rename.object)
            };
            now.into_iter().collect()
        }
        Operation::SetSchema(set) => {
            let now = if made {
                found(&crate::operation::Name { schema: Some(set.schema.clone()), name: set.name.name.clone() })
            } else {
                found(&set.name)
            };
            now.into_iter().collect()
        }
        Operation::Drop(drop) if !made && matches!(drop.kind, ObjectKind::Table | ObjectKind::ForeignTable) => {
            drop.targets.iter().filter_map(|target| found(&target.name)).collect()
        }
        Operation::AlterTable(alter) => {
            let partition = |kind: &TableActionKind| match kind {
                TableActionKind::AttachPartition { partition, .. } if made => found(partition),
                TableActionKind::DetachPartition { partition, .. } if !made => found(partition),
                _ => None,
            };
            alter.actions.iter().filter_map(|action| partition(&action.kind)).collect()
        }
        Operation::CreateTable(create) if made => found(&create.name).into_iter().collect(),
        Operation::CreateTableAs(create) if made => found(&create.name).into_iter().collect(),
        Operation::CreateView(create) if made && !create.materialized => found(&create.name).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Where a relation stands: its name, its bound in a parent.
fn places(id: RelationId, schema: &Schema) -> Vec<Place> {
    let Some(relation) = schema.get_relation(id) else { return Vec::new() };
    let partition = relation.as_table().and_then(|table| table.partition_of.as_ref());
    let bound = partition.map(|partition| Place::Partition(partition.parent, partition.bound.clone()));
    std::iter::once(Place::Name(relation.name.clone())).chain(bound).collect()
}

fn lost_places(table: RelationId, before: &Schema, after: &Schema) -> Vec<Place> {
    if before.get_relation(table).is_none_or(|relation| relation.as_table().is_none()) {
        return Vec::new();
    }
    let now = places(table, after);
    places(table, before).into_iter().filter(|place| !now.contains(place)).collect()
}

/// What serves now in the original's place; `None` where the rows are the original's still.
fn replacement(
    arrived: RelationId,
    place: &Place,
    original: RelationId,
    after: &Schema,
    left: Moment,
    data: &Data,
) -> Option<(RelationId, SwapForm)> {
    let relation = after.get_relation(arrived)?;
    let (table, form) = match relation.as_view() {
        Some(view) => {
            let [(table, _)] = view.reads.as_slice() else { return None };
            (*table, SwapForm::View)
        }
        None => {
            relation.as_table()?;
            let existed = data.made(arrived).is_none_or(|made| made.step < left.step);
            match place {
                Place::Partition(..) => (arrived, SwapForm::Attached),
                Place::Name(_) if existed => (arrived, SwapForm::Renamed),
                Place::Name(_) => (arrived, SwapForm::Made),
            }
        }
    };
    (table != original && after.get_relation(table)?.as_table().is_some()).then_some((table, form))
}

fn is_temporary(schema: &Schema, table: RelationId) -> bool {
    let table = schema.get_relation(table).and_then(|relation| relation.as_table());
    table.is_some_and(|table| table.persistence == Persistence::Temporary)
}

fn root(schema: &Schema, table: RelationId) -> RelationId {
    if schema.get_relation(table).is_some() { schema.partition_root(table) } else { table }
}

fn tree(schema: &Schema, table: RelationId) -> Vec<RelationId> {
    std::iter::once(table).chain(schema.partitions(table)).collect()
}

/// `part` is a partition, at any level, of `whole`.
fn is_within(schema: &Schema, part: RelationId, whole: RelationId) -> bool {
    root(schema, part) == whole
}
