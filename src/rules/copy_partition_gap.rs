//! A partitioned copy without a partition for values that its source can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Findings, say};
use crate::data::{Feed, FeedKind, Value};
use crate::history::{Passed, State, Unit};
use crate::operation::{Bound, Constant, Expr, Ident, KeyPart, Operation, TableActionKind};
use crate::schema::{ConstraintRow, RelationId, Schema, TriggerId, TypeKind};
use crate::settings::Settings;

/// Values of the source's column for which the copy has no partition.
#[derive(Debug, Clone, PartialEq)]
struct Gap {
    table: RelationId,
    source: RelationId,
    trigger: TriggerId,
    column: Ident,
    values: BTreeSet<Arc<str>>,
    certain: bool,
}

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    for id in &changed {
        for feed in unit.after.data.feeds_of(*id) {
            let known = unit.before.data.feeds_of(*id).iter().find(|known| known.target == feed.target);
            let Some(gap) = gap(unit, unit.after, feed) else { continue };
            let before = known.and_then(|known| gap_before(unit, known));
            if before.is_none_or(|before| !gap.values.is_subset(&before.values)) {
                report(unit, &gap, findings);
            }
        }
    }
}

fn gap_before(unit: &Unit, feed: &Feed) -> Option<Gap> {
    let before = bounds(&unit.before.schema, feed.target)?;
    let mut gap = gap(unit, unit.before, feed)?;
    gap.values.retain(|value| !before.contains(value));
    Some(gap)
}

/// The values that the partitions of a LIST-partitioned table take; `None` where it takes any, or the set is not known.
fn bounds(schema: &Schema, table: RelationId) -> Option<BTreeSet<Arc<str>>> {
    let mut values = BTreeSet::new();
    for id in &schema.get_relation(table)?.as_table()?.children {
        let place = schema.get_relation(*id)?.as_table()?.partition_of.as_ref()?;
        let Bound::List(list) = &place.bound else { return None };
        for value in list {
            values.insert(constant(&value.tree)?);
        }
    }
    Some(values)
}

fn gap(unit: &Unit, state: &State, feed: &Feed) -> Option<Gap> {
    let schema = &state.schema;
    if !feed.fires || is_dynamic(unit.context.settings, schema, feed.target) {
        return None;
    }
    let table = schema.get_relation(feed.target)?.as_table()?;
    let by = table.partition_by.as_ref()?;
    let [KeyPart::Column(key)] = by.parts.as_slice() else { return None };
    let bounds = bounds(schema, feed.target)?;
    let write = feed.writes.iter().find(|write| {
        matches!(write.kind, FeedKind::Insert { .. }) && write.guards.is_empty() && !write.catches("check_violation")
    })?;
    let Some(Value::Source(column)) = write.value_of(key) else { return None };
    // A partition that goes away held rows: its values are the source's too.
    let taken = bounds_before(unit, feed).unwrap_or_default();
    let domain = domain(schema, feed.source, column);
    let certain = domain.is_some() || !taken.is_empty();
    let values: BTreeSet<Arc<str>> =
        domain.unwrap_or_default().union(&taken).filter(|value| !bounds.contains(*value)).cloned().collect();
    (!values.is_empty()).then(|| Gap {
        table: feed.target,
        source: feed.source,
        trigger: feed.trigger,
        column: column.clone(),
        values,
        certain: certain && feed.certain,
    })
}

/// What the partitions took before this unit.
fn bounds_before(unit: &Unit, feed: &Feed) -> Option<BTreeSet<Arc<str>>> {
    bounds(&unit.before.schema, feed.target)
}

/// Partitions that are made at run time: the settings name the table.
fn is_dynamic(settings: &Settings, schema: &Schema, table: RelationId) -> bool {
    settings.dynamic_partitions.iter().any(|name| schema.find(name).is_some_and(|dynamic| dynamic.id == table))
}

/// All values that a column can hold: an enum's labels, both booleans, the list of a CHECK.
fn domain(schema: &Schema, table: RelationId, column: &Ident) -> Option<BTreeSet<Arc<str>>> {
    let own = schema.get_relation(table)?.as_table()?.column(column)?;
    let checks = schema.constraints_of(table).filter(|constraint| constraint.enforced && constraint.validated);
    let listed = checks.filter_map(|constraint| match &constraint.kind {
        ConstraintRow::Check { expression } => listed(&expression.tree, column),
        _ => None,
    });
    if let Some(values) = listed.into_iter().next() {
        return Some(values);
    }
    let data_type = own.data_type.as_ref()?;
    if data_type.built_in && data_type.name.name == "boolean" {
        return Some(["true", "false"].into_iter().map(Arc::from).collect());
    }
    match &schema.find_type(&data_type.name)?.kind {
        TypeKind::Enum { labels } => Some(labels.iter().map(|label| label.text.clone()).collect()),
        _ => None,
    }
}

/// The values of `column IN (…)`, `column = a OR column = b`.
fn listed(condition: &Expr, column: &Ident) -> Option<BTreeSet<Arc<str>>> {
    let is_column = |expr: &Expr| expr.as_column().is_some_and(|(_, name)| name == column);
    match condition {
        Expr::In { value, list } if is_column(value) => list.iter().map(constant).collect(),
        Expr::Binary { operator, left, right } if &**operator == "=" && is_column(left) => {
            constant(right).map(|value| BTreeSet::from([value]))
        }
        Expr::Or(list) => {
            let parts: Option<Vec<BTreeSet<Arc<str>>>> = list.iter().map(|one| listed(one, column)).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        Expr::And(list) => list.iter().find_map(|one| listed(one, column)),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<Arc<str>> {
    match expr {
        Expr::Constant(Constant::String(text) | Constant::Number(text)) => Some(text.clone()),
        Expr::Constant(Constant::Bool(value)) => Some(if *value { "true" } else { "false" }.into()),
        Expr::Constant(Constant::Null) => Some("NULL".into()),
        Expr::Cast { value, .. } => constant(value),
        _ => None,
    }
}

fn report(unit: &Unit, gap: &Gap, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let Some(step) = completing_step(unit, gap) else { return };
    let (source, table) = (say::name(schema, gap.source), say::name(schema, gap.table));
    let values: Vec<String> = gap.values.iter().map(ToString::to_string).collect();
    let trigger = schema.trigger(gap.trigger);
    let message = format!(
        "writes to `{source}` with `{}` {} fail: its trigger writes `{table}`, which has no partition for {}",
        gap.column,
        say::list(&values),
        if values.len() == 1 { "it" } else { "them" }
    );
    let certain = step.certain && gap.certain && schema.relation(gap.table).existence.is_certain();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(gap.table).name);
    finding.object(&schema.relation(gap.source).name);
    finding.because(
        trigger.existence.origin().span,
        format!("trigger `{}` writes the rows of `{source}` into `{table}`", trigger.name),
    );
    finding.because(schema.relation(gap.table).existence.origin().span, format!("`{table}` is partitioned by list"));
    let quoted: Vec<String> = values.iter().map(|value| literal(value)).collect();
    finding.instead(format!(
        "CREATE TABLE {table}_default PARTITION OF {} DEFAULT;\n-- or one for what is missing: FOR VALUES IN ({})",
        schema.relation(gap.table).name,
        quoted.join(", ")
    ));
    finding.verify(format!(
        "SELECT count(*) FROM {} WHERE {}::text IN ({})",
        schema.relation(gap.source).name,
        gap.column,
        values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect::<Vec<_>>().join(", ")
    ));
}

fn literal(value: &str) -> String {
    let bare = value.parse::<i64>().is_ok() || matches!(value, "true" | "false" | "NULL");
    if bare { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

/// The trigger, the partition that goes, or the value that comes: the last of them in this unit.
fn completing_step<'a>(unit: &Unit<'a>, gap: &Gap) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let trigger = schema.trigger(gap.trigger);
    let mut parts: BTreeMap<_, ()> = BTreeMap::from([(trigger.existence.origin().span, ())]);
    parts.extend(trigger.function.map(|function| (schema.function(function).existence.origin().span, ())));
    let concerns = |step: &&Passed| match &step.operation {
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| {
            matches!(
                action.kind,
                TableActionKind::DetachPartition { .. }
                    | TableActionKind::AddConstraint(_)
                    | TableActionKind::DropConstraint { .. }
            )
        }),
        Operation::Drop(_) | Operation::AlterType(_) => true,
        _ => parts.contains_key(&step.origin.span),
    };
    unit.steps.iter().rfind(concerns).or(unit.steps.last())
}
