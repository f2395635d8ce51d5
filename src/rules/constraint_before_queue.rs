//! Constraints on rows and columns that queued work is still to mend.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{End, Queued};
use crate::history::{Passed, Whole};
use crate::operation::{ConstraintKind, Ident, KeyPart, Name, Operation, Origin, TableActionKind, Write, WriteKind};
use crate::schema::{ConstraintRow, RelationId, Schema};

/// What one step asks of rows.
struct Demand {
    table: RelationId,
    columns: Vec<Ident>,
    /// Rows that are there are read: it fails at once.
    reads_rows: bool,
    /// A foreign key: rows without a value pass.
    is_key: bool,
    words: String,
}

/// What of the queued work the demand rests on.
enum Rests<'a> {
    Column(&'a Ident),
    Rows,
    Unknown,
}

/// A job with its end, where it had come to one when a step ran.
type Standing<'a> = (&'a Queued, Option<&'a End>);

/// Those whose work is open, or those whose work was taken out of the queue.
pub fn check(whole: &Whole, cancelled: bool, findings: &mut Findings) {
    if whole.after.data.queue().next().is_none() {
        return;
    }
    let mut told: BTreeSet<(u32, RelationId)> = BTreeSet::new();
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        for demand in demands(&step.operation, &whole.after.schema) {
            for (queued, end) in standing(whole, step) {
                let is_cancelled = end.is_some_and(|end| !end.finished);
                let is_asked = end.is_none() && !cancelled || is_cancelled && cancelled;
                if !is_asked || told.contains(&(queued.moment.step, demand.table)) {
                    continue;
                }
                if let Some(rests) = rests(queued, &demand, &whole.after.schema) {
                    told.insert((queued.moment.step, demand.table));
                    report(whole, step, (queued, end), &demand, &rests, findings);
                }
            }
        }
    }
}

/// The queue as it was when a step ran: a finish before it in the same migration counts, one after it does not.
fn standing<'a>(whole: &'a Whole, step: &'a Passed) -> impl Iterator<Item = Standing<'a>> {
    let place = |origin: &Origin| whole.steps.iter().position(|other| other.origin == *origin);
    let own = place(&step.origin);
    let ran = move |queued: &&Queued| place(&queued.origin) <= own;
    // Queued anew, the first one is forgotten.
    let is_last = move |queued: &&Queued| {
        let again = whole.after.data.queue().filter(ran).filter(|other| other.moment.step > queued.moment.step);
        again.into_iter().all(|other| !other.job.is_same(&queued.job))
    };
    let queue = whole.after.data.queue().filter(ran).filter(is_last);
    queue.map(move |queued| (queued, queued.end.as_ref().filter(|end| place(&end.origin) <= own)))
}

fn demands(operation: &Operation, schema: &Schema) -> Vec<Demand> {
    if let Operation::CreateIndex(index) = operation {
        let Some(table) = schema.find(&index.table).filter(|_| index.unique && index.filter.is_none()) else {
            return Vec::new();
        };
        let columns = index.parts.iter().filter_map(|part| match &part.key {
            KeyPart::Column(column) => Some(column.clone()),
            KeyPart::Expression(_) => None,
        });
        let words = "the unique index".to_owned();
        return vec![Demand { table: table.id, columns: columns.collect(), reads_rows: true, is_key: false, words }];
    }
    let Operation::AlterTable(alter) = operation else { return Vec::new() };
    let Some(table) = schema.find(&alter.table) else { return Vec::new() };
    let mut found = Vec::new();
    for action in &alter.actions {
        let (columns, reads_rows, is_key, words) = match &action.kind {
            TableActionKind::SetNotNull { column } => (vec![column.clone()], true, false, "NOT NULL".to_owned()),
            TableActionKind::AddConstraint(constraint) => {
                let (columns, is_key) = match &constraint.kind {
                    ConstraintKind::Check(check) => (check.tree.columns().into_iter().cloned().collect(), false),
                    ConstraintKind::NotNull(column) => (vec![column.clone()], false),
                    ConstraintKind::Unique(key) | ConstraintKind::Primary(key) => (key.columns.clone(), false),
                    ConstraintKind::Foreign(key) => (key.columns.clone(), true),
                    ConstraintKind::Exclude { .. } => continue,
                };
                let name = constraint.name.as_ref().map(|name| format!("`{name}`"));
                let words = name.unwrap_or_else(|| "the constraint".to_owned());
                (columns, !constraint.not_valid, is_key, words)
            }
            TableActionKind::ValidateConstraint { name } => {
                let Some(constraint) = schema.find_constraint(table.id, name) else { continue };
                let columns = match &constraint.kind {
                    ConstraintRow::Check { expression } => expression.tree.columns().into_iter().cloned().collect(),
                    _ => constraint.columns.iter().map(|id| schema.column_name(table.id, *id)).collect(),
                };
                (columns, true, constraint.as_foreign().is_some(), format!("`{name}`"))
            }
            _ => continue,
        };
        found.push(Demand { table: table.id, columns, reads_rows, is_key, words });
    }
    found
}

fn rests<'a>(queued: &Queued, demand: &'a Demand, schema: &Schema) -> Option<Rests<'a>> {
    // A foreign key that is not validated asks nothing of the rows that are there.
    if demand.is_key && !demand.reads_rows {
        return None;
    }
    let root = schema.partition_root(demand.table);
    let is_ours = |name: &Name| schema.find(name).is_some_and(|one| schema.partition_root(one.id) == root);
    let mut ours = queued.writes().filter(|write| is_ours(&write.target)).peekable();
    if queued.does.is_none() {
        let named = queued.job.table.as_ref().is_some_and(is_ours);
        return (named && demand.reads_rows).then_some(Rests::Unknown);
    }
    let sets = |write: &Write, column: &Ident| write.assignments.iter().any(|(set, _)| set == column);
    ours.find_map(|write| match write.kind {
        // Which rows go has to do with what is asked of them.
        WriteKind::Delete => {
            let asked = write
                .filter
                .as_ref()
                .is_some_and(|filter| filter.columns().into_iter().any(|column| demand.columns.contains(column)));
            (asked && demand.reads_rows).then_some(Rests::Rows)
        }
        // A key lets rows without a value pass, and a fill gives them one that is there.
        WriteKind::Update if demand.is_key => {
            let emptied = |column: &&Ident| {
                write.assignments.iter().any(|(set, value)| set == *column && value.is_null_constant())
            };
            demand.columns.iter().find(emptied).map(Rests::Column)
        }
        WriteKind::Update => demand.columns.iter().find(|column| sets(write, column)).map(Rests::Column),
        WriteKind::Insert | WriteKind::Merge | WriteKind::Copy => None,
    })
}

fn report(
    whole: &Whole,
    step: &Passed,
    (queued, end): Standing,
    demand: &Demand,
    rests: &Rests,
    findings: &mut Findings,
) {
    let schema = &whole.after.schema;
    let table = say::name(schema, demand.table);
    let job = say::job(schema, queued);
    let state = match end.is_some() {
        true => "was taken out of the queue",
        false => "is queued and not finished",
    };
    let what = match (rests, demand.reads_rows) {
        (Rests::Column(column), true) => {
            format!("{} fails on rows of `{table}` whose `{column}` is not mended yet: {job} {state}", demand.words)
        }
        (Rests::Column(column), false) => format!(
            "every UPDATE of a row of `{table}` whose `{column}` is not mended yet fails on {}: {job} {state}",
            demand.words
        ),
        (Rests::Rows, _) => {
            format!("{} fails on rows of `{table}` that are to be deleted: {job} {state}", demand.words)
        }
        (Rests::Unknown, _) => {
            format!("{} may rest on what {job} writes, which is not known: it {state}", demand.words)
        }
    };
    let known = match rests {
        Rests::Column(_) => demand.reads_rows && !demand.is_key,
        Rests::Rows => true,
        Rests::Unknown => false,
    };
    let certain = step.certain && queued.certain && known;
    let finding = findings.report(&step.origin, step.operation.word(), certain, what);
    finding.one_per(format!("{table} {job}"));
    let name = &schema.relation(demand.table).name;
    finding.object(name);
    if let Rests::Column(column) = rests {
        finding.object(format!("{name}.{column}"));
        if !demand.is_key && queued.writes().any(|write| write.kind == WriteKind::Update) {
            finding.verify(format!("SELECT count(*) FROM {name} WHERE {column} IS NULL"));
        }
    }
    finding.object(&queued.job.class);
    finding.because(queued.origin.span, "queued here: queueing waits for nothing");
    match end {
        Some(end) if !end.finished => {
            finding.because(end.origin.span, "here it is taken out of the queue, whatever it has not reached");
            finding.instead("queue it anew, finish it in a later release, and add the constraint behind that");
        }
        _ => {
            finding.instead(format!(
                "-- first, in a migration of its own of a later release: finish {job}; only then the constraint"
            ));
        }
    }
}
