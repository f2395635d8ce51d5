//! TRUNCATE of tables that are in use.

use std::collections::BTreeSet;

use super::weight::{later, said_to_be_made_anew, said_why_emptied, size};
use super::{Findings, say};
use crate::finding::{Finding, Severity};
use crate::history::Step;
use crate::operation::{Name, Operation, Persistence, TableActionKind, WriteKind};
use crate::schema::{Relation, RelationId};
use crate::source::Span;

/// The tables that the statement names and that may hold rows in use.
fn emptied<'a>(step: &'a Step) -> Option<(Vec<&'a Relation>, bool)> {
    let Operation::Truncate(truncate) = step.operation else { return None };
    if step.applied.failure().is_some() {
        return None;
    }
    let schema = &step.before.schema;
    let tables = truncate.tables.iter().filter_map(|table| schema.find_table(&table.name)).filter(|relation| {
        let temporary = relation.as_table().is_some_and(|table| table.persistence == Persistence::Temporary);
        !temporary && !step.is_new(relation.id)
    });
    Some((tables.collect(), truncate.cascade))
}

pub fn truncate(step: &Step, findings: &mut Findings) {
    let Some((tables, _)) = emptied(step) else { return };
    if tables.is_empty() {
        return;
    }
    let names: Vec<String> = tables.iter().map(|one| one.name.short()).collect();
    let message =
        format!("all rows of {} go at once, while reads and writes wait; no trigger sees them go", say::list(&names));
    let finding = findings.report(step.origin, "truncate", step.certain, message);
    if tables.iter().all(|one| step.context.is_small(&step.before.schema, one.id)) {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    // The gravest of several tables counts.
    if let Some(said) = said_to_be_made_anew(step) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.because(said, "a comment says that it is a cache, whose rows are made anew");
    }
    if let Some(said) = said_why_emptied(step) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.because(said, "a comment gives the reason: it is meant");
    }
    if let [only] = tables.as_slice() {
        size(step, finding, only.id);
        given_up(step, finding, only);
        if put_back(step, finding, only) {
            return;
        }
    }
    for table in tables {
        finding.object(&table.name);
        finding.because(
            table.existence.origin().span,
            format!("`{}` is in use since before this release", table.name.short()),
        );
        // A ctid names a row of one partition only.
        let leaves = if table.is_partitioned() { step.before.schema.partitions(table.id) } else { vec![table.id] };
        let leaves = leaves.into_iter().filter_map(|id| step.before.schema.get_relation(id));
        let batches: Vec<String> = leaves
            .filter(|leaf| !leaf.is_partitioned())
            .map(|leaf| {
                let leaf = &leaf.name;
                format!("DELETE FROM {leaf} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {leaf} LIMIT 1000));")
            })
            .collect();
        finding.instead(format!(
            "-- where the rows are no longer wanted, in batches, so that others go on working:\n{}",
            batches.join("\n")
        ));
    }
}

/// Rows that are made anew: earlier migrations emptied the table too, this one fills it again, or adds what no row could
/// have.
fn given_up(step: &Step, finding: &mut Finding, table: &Relation) {
    let schema = &step.before.schema;
    let is_it = |name: &Name| schema.find(name).is_some_and(|one| one.id == table.id);
    let mut emptied_before = None;
    for migration in &step.context.plan.history.migrations[..step.context.at.migration] {
        for node in &migration.up.nodes {
            node.statements(&mut |statement| {
                if let Operation::Truncate(truncate) = &statement.operation
                    && truncate.tables.iter().any(|one| is_it(&one.name))
                {
                    emptied_before = Some(statement.span);
                }
            });
        }
    }
    if let Some(span) = emptied_before {
        finding.severity = finding.severity.min(Severity::Note);
        finding.because(span, "an earlier migration emptied it as well: its rows are made anew");
        return;
    }
    let evidence = later(step).into_iter().find_map(|statement| match &statement.operation {
        Operation::Write(write) if write.kind == WriteKind::Insert && is_it(&write.target) => {
            Some((statement.span, "the same transaction fills it again", Severity::Note))
        }
        Operation::AlterTable(alter) if is_it(&alter.table) => {
            let unfilled = |kind: &TableActionKind| {
                matches!(kind, TableActionKind::AddColumn { column, .. }
                    if column.not_null.is_some() && column.default.is_none() && column.generated.is_none())
            };
            let adds = alter.actions.iter().any(|action| unfilled(&action.kind));
            adds.then_some((statement.span, "adds a column that no old row could have", Severity::Warning))
        }
        _ => None,
    });
    if let Some((span, text, severity)) = evidence {
        // Of what is young already, one less still.
        finding.severity = match finding.severity <= severity {
            true => finding.severity.softened(),
            false => severity,
        };
        finding.because(span, text);
    }
}

/// The transaction copied its rows away before, and puts them back below: what it can lose are rows that others commit
/// after the copy was made and before the table was locked.
fn put_back(step: &Step, finding: &mut Finding, table: &Relation) -> bool {
    let Some(open) = &step.session.transaction else { return false };
    let is_here = |span: Span| span.source == open.since.span.source && span.start >= open.since.span.start;
    let mut copies = step.before.data.copied_from(table.id).filter(|fill| is_here(fill.origin.span));
    // What a filter left out is given up on purpose.
    let Some(copy) = copies.find(|copy| copy.filter.is_empty() && !copy.partial) else { return false };
    let schema = &step.before.schema;
    let is_it = |name: &Name| schema.find(name).is_some_and(|one| one.id == table.id);
    let Some(filled) = later_inserts(step).into_iter().find(|(_, name)| is_it(name)) else { return false };
    let name = table.name.short();
    let locks = open.locks.iter().filter(|held| held.relation == table.id && held.mode.blocks_writes());
    let locked = locks.map(|held| held.by.span.start).min().unwrap_or(step.origin.span.start);
    let is_gap = locked > copy.origin.span.start;
    finding.object(&table.name);
    finding.because(copy.origin.span, format!("copies the rows of `{name}` away"));
    if !finding.because.iter().any(|because| because.span == filled.0) {
        finding.because(filled.0, "puts rows back");
    }
    if !is_gap {
        finding.severity = finding.severity.min(Severity::Note);
        return true;
    }
    finding.severity = Severity::Warning;
    finding.message = format!(
        "rows that others write to `{name}` after they were copied, and before this transaction locks it, are lost: they are \
         in no copy"
    );
    finding.instead(format!(
        "-- before the copy; others then wait from there on\nLOCK TABLE {} IN ACCESS EXCLUSIVE MODE;",
        table.name
    ));
    true
}

/// The tables into which statements below insert, in the same transaction and in what they run at once.
fn later_inserts<'a>(step: &Step<'a>) -> Vec<(Span, &'a Name)> {
    let mut found = Vec::new();
    for statement in later(step) {
        let place = statement.span;
        let mut note = |operation: &'a Operation| {
            if let Operation::Write(write) = operation {
                let all = write.all().into_iter().filter(|one| one.kind == WriteKind::Insert);
                found.extend(all.map(|one| (place, &one.target)));
            }
        };
        match &statement.operation {
            Operation::Do(block) => {
                block.body.nodes.iter().for_each(|node| node.statements(&mut |inner| note(&inner.operation)));
            }
            other => note(other),
        }
    }
    found
}

pub fn cascade(step: &Step, findings: &mut Findings) {
    let Some((tables, true)) = emptied(step) else { return };
    let schema = &step.before.schema;
    let named: BTreeSet<RelationId> = tables.iter().map(|one| one.id).collect();
    let mut taken: BTreeSet<RelationId> = BTreeSet::new();
    let mut open: Vec<RelationId> = named.iter().copied().collect();
    let mut because = Vec::new();
    while let Some(next) = open.pop() {
        let Some(table) = schema.get_relation(next).and_then(Relation::as_table) else { continue };
        for key in table.referenced_by.iter().filter_map(|key| schema.get_constraint(*key)) {
            let root = schema.partition_root(key.table);
            if named.contains(&root) || step.is_new(root) || !taken.insert(root) {
                continue;
            }
            open.push(root);
            because.push((
                key.existence.origin().span,
                key.name.clone(),
                say::name(schema, root),
                say::name(schema, next),
            ));
        }
    }
    if taken.is_empty() {
        return;
    }
    let names: Vec<String> = taken.iter().map(|id| say::name(schema, *id)).collect();
    let message = format!("CASCADE empties {} too, unnamed: all their rows are lost", say::list(&names));
    let finding = findings.report(step.origin, "truncate", step.certain, message);
    tables.iter().for_each(|one| {
        finding.object(&one.name);
    });
    for id in &taken {
        finding.object(&schema.relation(*id).name);
    }
    for (span, key, table, target) in because {
        finding.because(span, format!("foreign key `{key}` of `{table}` refers to `{target}`"));
    }
    finding
        .instead("-- name every table that is to be emptied, and leave CASCADE out: it fails where one is forgotten");
}
