//! Whether a copy holds all rows of its source: the question that constraints rest on.

use super::{Copy, Data, Fill, Moment};
use crate::operation::{Bound, BoundValue, Expr, Expression, Ident, KeyPart};
use crate::schema::{Existence, RelationId, Schema};
use crate::settings::Fact;

/// What is known of the rows that a source had before its trigger fed the copy.
#[derive(Debug, Clone)]
pub enum Coverage<'a> {
    /// All are in the copy.
    Complete,
    /// A person says so.
    Stated(&'a Fact),
    /// A fill left out the rows that do not meet its filter.
    Filtered(&'a Fill),
    /// The fill ran before the trigger: rows written between are in neither.
    Gap(&'a Fill),
    /// Likewise, inside one transaction: short, and real.
    ShortGap(&'a Fill),
    /// A fill took rows, but which ones cannot be told.
    Unclear(&'a Fill),
    /// A fill is queued and not finished.
    Queued(&'a Fill),
    /// A fill was queued, and taken out of the queue before its end.
    Cancelled(&'a Fill),
    /// Nothing in the history fills it.
    Missing,
    /// The copy and the trigger that feeds it are older than the files at hand: what filled it would be, too.
    Unseen,
}

impl Coverage<'_> {
    pub fn is_complete(&self) -> bool {
        matches!(self, Coverage::Complete | Coverage::Stated(_) | Coverage::Unseen)
    }

    /// Nothing has filled it yet: no fill, or one that is only queued.
    pub fn is_unfilled(&self) -> bool {
        matches!(self, Coverage::Missing | Coverage::Queued(_) | Coverage::Cancelled(_))
    }
}

impl Data {
    /// How much of its source's rows a copy, or one partition of it, holds.
    pub fn coverage<'a>(&'a self, schema: &Schema, copy: &Copy, part: RelationId) -> Coverage<'a> {
        if let Some(fact) = self.facts.iter().find(|fact| states(fact, schema, copy.source, copy.table)) {
            return Coverage::Stated(fact);
        }
        let key: Vec<&Ident> = copy.key.iter().map(|(_, source)| source).collect();
        if self.source_was_new(schema, copy) || refers_by(schema, copy.source, copy.table, &key, true) {
            return Coverage::Complete;
        }
        let whole = self.best_fill(schema, copy, copy.table, None);
        if copy.since.is_none() && matches!(whole, Coverage::Missing) {
            return Coverage::Unseen;
        }
        if whole.is_complete() || !schema.relation(copy.table).is_partitioned() {
            return whole;
        }
        let parts = if part == copy.table { schema.partitions(copy.table) } else { vec![part] };
        let leaves = parts.into_iter().filter(|id| !schema.relation(*id).is_partitioned());
        let mut worst = None;
        for leaf in leaves {
            let own = self.best_fill(schema, copy, leaf, bound_of(schema, leaf));
            if !own.is_complete() {
                // What fills the whole table says more than the absence of a fill for this partition.
                return if matches!(own, Coverage::Missing) { whole } else { own };
            }
            worst = Some(own);
        }
        worst.unwrap_or(whole)
    }

    /// The source and the trigger came in one release and no migration wrote rows between.
    fn source_was_new(&self, schema: &Schema, copy: &Copy) -> bool {
        let (Some(made), Some(since)) = (self.made(copy.source), copy.since) else { return false };
        let created = schema
            .get_relation(copy.source)
            .is_some_and(|source| matches!(source.existence, Existence::Created { .. }));
        let rows_before = self.first_rows.get(&copy.source).is_some_and(|rows| rows.step < since.step)
            || self.fills_of(copy.source).iter().any(|fill| fill.moment.step < since.step);
        created && made.release == since.release && !rows_before
    }

    /// What the fills of one relation cover; `bound` is what all rows of a partition meet anyway.
    fn best_fill(&self, schema: &Schema, copy: &Copy, target: RelationId, bound: Option<Expr>) -> Coverage<'_> {
        let source_root = schema.partition_root(copy.source);
        let ours = self.fills_of(target).iter().filter(|fill| {
            fill.source == copy.source
                || schema.get_relation(fill.source).is_some() && schema.partition_root(fill.source) == source_root
        });
        let mut best = Coverage::Missing;
        let mut filtered = 0;
        for fill in ours {
            let covered = self.judge(fill, copy.since, bound.as_ref());
            filtered += usize::from(matches!(covered, Coverage::Filtered(_)));
            if rank(&covered) < rank(&best) {
                best = covered;
            }
        }
        match best {
            // Several may take a part each.
            Coverage::Filtered(fill) if filtered > 1 => Coverage::Unclear(fill),
            best => best,
        }
    }

    pub(super) fn judge<'a>(&self, fill: &'a Fill, since: Option<Moment>, bound: Option<&Expr>) -> Coverage<'a> {
        if let Some(job) = fill.job.and_then(|number| self.queued(number)) {
            match &job.end {
                None => return Coverage::Queued(fill),
                Some(end) if !end.finished => return Coverage::Cancelled(fill),
                Some(end) if !end.certain => return Coverage::Unclear(fill),
                Some(_) => {}
            }
        }
        if fill.partial || !fill.certain {
            return Coverage::Unclear(fill);
        }
        let all_rows = fill.filter.iter().all(|conjunct| {
            bound.is_some_and(|bound| {
                crate::predicate::filter_implies_filter(bound, conjunct) == crate::predicate::Answer::Yes
            })
        });
        if !all_rows {
            return Coverage::Filtered(fill);
        }
        self.judge_time(fill, since)
    }

    /// What a fill that takes all rows covers, `since` new ones reach the target another way, or the source has none.
    pub fn judge_time<'a>(&self, fill: &'a Fill, since: Option<Moment>) -> Coverage<'a> {
        match since {
            Some(since) if fill.moment.step < since.step => {
                let together = fill.moment.unit == since.unit;
                if together && self.writes_were_blocked(fill) {
                    Coverage::Complete
                } else if together {
                    Coverage::ShortGap(fill)
                } else {
                    Coverage::Gap(fill)
                }
            }
            Some(_) | None => Coverage::Complete,
        }
    }
}

impl Data {
    /// An earlier step of the fill's transaction holds a lock on the source under which nobody writes.
    fn writes_were_blocked(&self, fill: &Fill) -> bool {
        self.write_blocks
            .get(&fill.source)
            .is_some_and(|block| block.unit == fill.moment.unit && block.step < fill.moment.step)
    }
}

pub(super) fn rank(coverage: &Coverage) -> u8 {
    match coverage {
        Coverage::Complete | Coverage::Stated(_) | Coverage::Unseen => 0,
        Coverage::Unclear(_) => 1,
        Coverage::Filtered(_) => 2,
        Coverage::ShortGap(_) => 3,
        Coverage::Gap(_) => 4,
        Coverage::Queued(_) => 5,
        Coverage::Cancelled(_) => 6,
        Coverage::Missing => 7,
    }
}

/// `table` has an enforced foreign key from exactly these columns to `target`: its rows cannot be without theirs there.
/// That is how a subtype's table refers to its base, whose rows a trigger makes first.
pub(super) fn refers_by(
    schema: &Schema,
    table: RelationId,
    target: RelationId,
    columns: &[&Ident],
    validated: bool,
) -> bool {
    schema.constraints_of(table).any(|constraint| {
        let Some(key) = constraint.as_foreign() else { return false };
        let names: Vec<Ident> = constraint.columns.iter().map(|column| schema.column_name(table, *column)).collect();
        constraint.enforced
            && (constraint.validated || !validated)
            && schema.get_relation(key.references).is_some()
            && schema.partition_root(key.references) == target
            && columns.iter().any(|column| names.contains(column))
            && !columns.is_empty()
    })
}

/// A fact covers a copy when it names it whole: without columns and without `where`.
pub(super) fn states(fact: &Fact, schema: &Schema, source: RelationId, table: RelationId) -> bool {
    let names = |name: &crate::operation::Name, id: RelationId| {
        schema.find(name).is_some_and(|relation| schema.partition_root(relation.id) == id)
    };
    names(&fact.table, table)
        && fact.filter.is_none()
        && fact.source.as_ref().is_none_or(|name| names(name, schema.partition_root(source)))
}

/// A LIST partition's bound as a condition over its key column.
pub(super) fn bound_of(schema: &Schema, partition: RelationId) -> Option<Expr> {
    let table = schema.get_relation(partition)?.as_table()?;
    let place = table.partition_of.as_ref()?;
    let key = schema.relation(place.parent).as_table()?.partition_by.as_ref()?;
    let [KeyPart::Column(column)] = key.parts.as_slice() else { return None };
    let column = || Box::new(Expr::bare(column));
    match &place.bound {
        Bound::List(values) => {
            Some(Expr::In { value: column(), list: values.iter().map(|value| value.tree.clone()).collect() })
        }
        Bound::Range { from, to } => {
            let value = |bound: &[BoundValue]| match bound {
                [BoundValue::Value(Expression { tree, .. })] => Some(Box::new(tree.clone())),
                _ => None,
            };
            let at_least = value(from).map(|right| Expr::Binary { operator: ">=".into(), left: column(), right });
            let below = value(to).map(|right| Expr::Binary { operator: "<".into(), left: column(), right });
            let both: Vec<Expr> = at_least.into_iter().chain(below).collect();
            (!both.is_empty()).then_some(Expr::And(both))
        }
        Bound::Hash { .. } | Bound::Default => None,
    }
}
