//! Backfills that other rows, keys or triggers do not go with.

use std::collections::BTreeSet;

use super::{Findings, backfill_before_sync, fk_before_backfill, say, sync};
use crate::data::{Copy, Coverage, FeedKind, Fill};
use crate::history::{Passed, Step, Unit};
use crate::operation::{BackgroundAction, Expr, Ident, Operation, Rows, Write, WriteKind, writes_of};
use crate::predicate::{Answer, filter_implies_filter};
use crate::schema::{Constraint, RelationId};
use crate::source::Span;

/// A backfill into a table with a foreign key whose referenced rows are not there yet.
pub fn before_parent(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    match &step.operation {
        Operation::Write(write) => write_before_parent(step, write, findings),
        // It begins when the deploy is over, and waits for no other job.
        Operation::Background(background) if matches!(background.action, BackgroundAction::Queue { .. }) => {
            writes_of(background.does()).for_each(|write| write_before_parent(step, write, findings));
        }
        _ => {}
    }
}

fn write_before_parent(step: &Step, write: &Write, findings: &mut Findings) {
    let schema = &step.before.schema;
    let Rows::Query(query) = &write.rows else { return };
    let Some(child) = schema.find_table(&write.target).filter(|_| write.kind == WriteKind::Insert) else { return };
    let is_fill = |fill: &&Fill| fill.origin.span == step.origin.span;
    let Some(fill) = step.after.data.fills_of(child.id).iter().rfind(is_fill) else { return };
    // What the statement reads, or itself writes in WITH, it brings along.
    let written = write.all().into_iter().map(|write| &write.target);
    let also = query.writes().into_iter().map(|write| &write.target);
    let named = query.reads().into_iter().chain(written).chain(also);
    let reads: BTreeSet<RelationId> =
        named.filter_map(|name| schema.find(name)).map(|one| schema.partition_root(one.id)).collect();
    // Keys of single partitions refuse the rows that go there.
    let tables = std::iter::once(child.id).chain(schema.partitions(child.id));
    for key in tables.flat_map(|table| schema.constraints_of(table)) {
        let Some(foreign) = key.as_foreign().filter(|_| key.enforced) else { continue };
        let Some(parent) = schema.get_relation(foreign.references) else { continue };
        let root = schema.partition_root(parent.id);
        if root == schema.partition_root(child.id)
            || reads.contains(&root)
            || root == schema.partition_root(fill.source)
        {
            continue;
        }
        if let Some(lacking) = lacking(step, key, root) {
            report_before_parent(step, child.id, key, root, fill, &lacking, findings);
        }
    }
}

/// Why rows of the referenced table are missing, and where the history fills it after all.
struct Lacking {
    why: String,
    later: Option<Span>,
    certain: bool,
}

fn lacking(step: &Step, key: &Constraint, parent: RelationId) -> Option<Lacking> {
    let (schema, data) = (&step.before.schema, &step.before.data);
    let name = say::name(schema, parent);
    // Reads the rest of the history: asked last.
    let later = || {
        let (at, own) = (step.context.at.migration, &schema.relation(parent).name.name);
        let later = step.context.plan.find_fill(at, step.origin.span, own, None);
        // Checked at COMMIT: what the same transaction fills after it counts.
        let in_time = key.initially_deferred && later.is_some_and(|(number, _)| number == step.context.at.migration);
        (!in_time).then_some(later.map(|(_, span)| span))
    };
    let triggers: BTreeSet<_> = data.feeds_into(schema, parent).map(|feed| feed.trigger).collect();
    let copies = data.copies_of(schema, &triggers, &BTreeSet::new());
    if let Some(copy) = copies.into_iter().find(|copy| copy.table == parent) {
        let source = say::name(schema, copy.source);
        let why = match data.coverage(schema, copy, parent) {
            Coverage::Missing => {
                let taken = say::taken_along(data, copy.trigger);
                format!("`{name}` holds only the rows of `{source}` {taken} since its trigger came")
            }
            Coverage::Queued(_) => format!("the backfill of `{name}` is queued and not finished"),
            Coverage::Cancelled(_) => format!("the backfill of `{name}` was taken out of the queue"),
            Coverage::Gap(_) => format!("`{name}` lacks rows of `{source}` written before its trigger came"),
            _ => return None,
        };
        return Some(Lacking { why, later: later()?, certain: copy.certain });
    }
    // Without a trigger the application may have filled it, unless it is as new as this.
    let made = data.made(parent)?;
    let fresh = step.context.is_of_this_release(&schema.relation(parent).existence);
    if data.is_fed(schema, parent) || made.step == 0 {
        return None;
    }
    let later = later()?;
    (fresh || later.is_some()).then(|| Lacking {
        why: format!("nothing has put rows into `{name}` yet"),
        later,
        certain: fresh || later.is_some(),
    })
}

fn report_before_parent(
    step: &Step,
    child: RelationId,
    key: &Constraint,
    parent: RelationId,
    fill: &Fill,
    lacking: &Lacking,
    findings: &mut Findings,
) {
    let schema = &step.before.schema;
    let (name, source, target) = (say::name(schema, child), say::name(schema, fill.source), say::name(schema, parent));
    let message = format!(
        "this backfill of `{name}` fails on the first row that refers to a missing one: {}, and foreign key `{}` looks there",
        lacking.why, key.name
    );
    let certain = step.certain && lacking.certain && key.existence.is_certain();
    let finding = findings.report(step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{name} {target}"));
    finding.object(&schema.relation(child).name);
    finding.object(&schema.relation(parent).name);
    finding.because(key.existence.origin().span, format!("foreign key `{}` refers to `{target}`", key.name));
    if let Some(later) = lacking.later {
        finding.because(later, format!("`{target}` is filled only here"));
    }
    let columns: Vec<Ident> = key.columns.iter().map(|column| schema.column_name(key.table, *column)).collect();
    finding
        .instead(format!("-- first every row of {target}, batch by batch; then those of {name}, taken from {source}"));
    let named = |id: RelationId, column: &Ident| {
        schema.get_relation(id).and_then(|one| one.as_table()).is_some_and(|table| table.column(column).is_some())
    };
    let foreign = key.as_foreign();
    if let Some(foreign) = foreign.filter(|foreign| {
        columns.iter().all(|column| named(fill.source, column)) && foreign.referenced_columns.len() == columns.len()
    }) {
        let equal: Vec<String> = columns
            .iter()
            .zip(&foreign.referenced_columns)
            .map(|(column, other)| format!("p.{} = s.{column}", schema.column_name(foreign.references, *other)))
            .collect();
        let present: Vec<String> = columns.iter().map(|column| format!("s.{column} IS NOT NULL")).collect();
        finding.verify(format!(
            "SELECT count(*) FROM {} AS s WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
            schema.relation(fill.source).name,
            present.join(" AND "),
            schema.relation(parent).name,
            equal.join(" AND ")
        ));
    }
}

/// A foreign key onto a table whose backfill left rows out that others refer to.
pub fn filtered_breaks_key(unit: &Unit, findings: &mut Findings) {
    fk_before_backfill::filtered(unit, findings);
}

/// The trigger copies rows that the backfill left out.
pub fn unfiltered_sync(unit: &Unit, findings: &mut Findings) {
    let filled = |step: &Passed| matches!(step.operation, Operation::Write(_));
    let changed = unit.after.data.changed_since(&unit.before.data);
    let mut tables: BTreeSet<RelationId> = BTreeSet::new();
    for step in unit.steps.iter().filter(|step| filled(step)) {
        if let Operation::Write(write) = &step.operation {
            tables.extend(unit.after.schema.find(&write.target).map(|one| unit.after.schema.partition_root(one.id)));
        }
    }
    if changed.is_empty() && tables.is_empty() {
        return;
    }
    for copy in unit.after.data.copies_of(&unit.after.schema, &changed, &tables) {
        let Some(fill) = uneven(unit.after, copy) else { continue };
        let before = unit.before.data.copies_of(&unit.before.schema, &BTreeSet::from([copy.trigger]), &BTreeSet::new());
        if before.into_iter().any(|known| known.table == copy.table && uneven(unit.before, known).is_some()) {
            continue;
        }
        if !backfill_before_sync::is_filled_later(unit, copy) {
            report_unfiltered(unit, copy, fill, findings);
        }
    }
}

/// The one backfill of a copy, where it left rows out that the trigger copies.
fn uneven<'a>(state: &'a crate::history::State, copy: &Copy) -> Option<&'a Fill> {
    let Coverage::Filtered(fill) = state.data.coverage(&state.schema, copy, copy.table) else { return None };
    // Several backfills may each take a part.
    let of_source = state.data.fills_of(copy.table).iter().filter(|other| other.source == fill.source);
    if of_source.count() != 1 || fill.touch {
        return None;
    }
    let feeds = sync::feeds(state, copy);
    let inserts = feeds.iter().flat_map(|feed| &feed.writes);
    let mut inserts = inserts.filter(|write| write.events.insert && matches!(write.kind, FeedKind::Insert { .. }));
    let open = inserts.any(|write| {
        let guard = Expr::And(write.guards.clone());
        fill.filter
            .iter()
            .any(|conjunct| filter_implies_filter(&guard, conjunct) == Answer::No || write.guards.is_empty())
    });
    open.then_some(fill)
}

fn report_unfiltered(unit: &Unit, copy: &Copy, fill: &Fill, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let trigger = schema.trigger(copy.trigger);
    let parts = [fill.origin.span, trigger.existence.origin().span];
    let Some(step) = unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)) else { return };
    let (source, table) = (say::name(schema, copy.source), say::name(schema, copy.table));
    let message = format!(
        "`{table}` holds some old rows of `{source}` and all new ones: the backfill leaves rows out that trigger `{}` copies",
        trigger.name
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain && copy.certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(copy.table).name);
    finding.object(&schema.relation(copy.source).name);
    finding.because(trigger.existence.origin().span, format!("trigger `{}` copies rows without asking", trigger.name));
    finding.because(fill.origin.span, format!("this backfill of `{table}` takes only some rows"));
    finding.instead(format!(
        "-- either copy the rest too:\n{}\n-- or put the backfill's condition into the trigger: CREATE TRIGGER … WHEN (…)",
        say::backfill(schema, &unit.after.data, copy)
    ));
    finding.verify(say::uncopied_query(schema, copy));
}
