//! A DELETE of rows that others refer to, by a key that neither cascades nor lets go: it is refused where there are any.

use std::collections::BTreeSet;

use super::{Findings, clean_up, say};
use crate::finding::Severity;
use crate::history::{Passed, State, Whole};
use crate::operation::{Action, Expr, Name, Operation, Write, WriteKind};
use crate::schema::{Constraint, RelationId, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let deletes = |step: &&Passed| matches!(&step.operation, Operation::Write(write) if is_delete(write));
    // Without any, the migration's course need not be looked at.
    if !whole.steps.iter().any(|step| deletes(&step)) {
        return;
    }
    let mut earlier: Vec<(&Passed, &State)> = Vec::new();
    for unit in &whole.course().units {
        for (step, before) in unit.steps.iter().zip(&unit.befores) {
            if let Operation::Write(write) = &step.operation
                && step.applied.failure().is_none()
                && is_delete(write)
            {
                judge(whole, (step, before), write, &earlier, findings);
            }
            earlier.push((step, before));
        }
    }
}

fn is_delete(write: &Write) -> bool {
    write.all().into_iter().any(|one| one.kind == WriteKind::Delete)
}

fn judge(
    whole: &Whole,
    (step, before): (&Passed, &State),
    write: &Write,
    earlier: &[(&Passed, &State)],
    findings: &mut Findings,
) {
    let schema = &before.schema;
    let all = write.all();
    for delete in all.iter().filter(|one| one.kind == WriteKind::Delete) {
        let Some(table) = schema.find_table(&delete.target) else { continue };
        // Who names rows one by one has looked at them; what a program chooses, its own code sees to.
        let is_chosen = delete.filter.as_ref().is_some_and(Expr::has_parameter);
        if is_chosen || clean_up::names_one_row(schema, table.id, delete) || !holds_rows(whole, before, table.id) {
            continue;
        }
        let mut seen_to = clean_up::seen_to(whole.context.migration, schema, table.id, step.origin.span, false);
        let find = |name: &Name| schema.find_table(name).map(|one| schema.partition_root(one.id));
        // What the statement itself looks at, deletes or not: it knows of those rows.
        seen_to.extend(all.iter().flat_map(|one| one.reads()).filter_map(find));
        seen_to.extend(all.iter().filter_map(|one| find(&one.target)));
        seen_to.extend(
            before
                .data
                .feeds_from(table.id)
                .filter(|feed| feed.fires && feed.writes.iter().any(|one| one.events.delete))
                .map(|feed| schema.partition_root(feed.target)),
        );
        for (step, then) in earlier {
            let Operation::Write(write) = &step.operation else { continue };
            let sees =
                |one: &&&Write| one.kind == WriteKind::Delete || clean_up::refers_anew(one, &then.schema, table.id);
            seen_to.extend(write.all().iter().filter(sees).filter_map(|one| find(&one.target)));
        }
        let root = |key: &&Constraint| schema.partition_root(key.table);
        let keys = refusing(schema, table.id);
        // Who sees to some of those that refer has looked for them all.
        if keys.iter().any(|key| seen_to.contains(&root(key))) {
            continue;
        }
        let keys: Vec<&Constraint> = keys.into_iter().filter(|key| holds_rows(whole, before, root(key))).collect();
        if !keys.is_empty() {
            report(schema, step, delete, table.id, &keys, findings);
        }
    }
}

/// Older than this release, which has not emptied it.
fn holds_rows(whole: &Whole, before: &State, table: RelationId) -> bool {
    let release = whole.context.plan.release_number(whole.context.at.migration);
    let emptied = before.data.emptied(table).is_some_and(|emptied| emptied.moment.release == release);
    !emptied && !whole.context.is_new(before, table)
}

/// The keys that refuse the DELETE of a row which another table's rows refer to, at the end of the statement at the latest.
fn refusing(schema: &Schema, table: RelationId) -> Vec<&Constraint> {
    let own = schema.partition_root(table);
    let known = schema.get_relation(table).and_then(|relation| relation.as_table());
    let keys = known.into_iter().flat_map(|table| &table.referenced_by).map(|id| schema.constraint(*id));
    let refuses = |key: &&Constraint| {
        let foreign = key.as_foreign().filter(|_| key.enforced && key.parent.is_none() && !key.initially_deferred);
        foreign.is_some_and(|foreign| matches!(foreign.on_delete, Action::NoAction | Action::Restrict))
            && schema.partition_root(key.table) != own
    };
    keys.filter(refuses).collect()
}

fn report(
    schema: &Schema,
    step: &Passed,
    delete: &Write,
    table: RelationId,
    keys: &[&Constraint],
    findings: &mut Findings,
) {
    let name = say::name(schema, table);
    let others: BTreeSet<RelationId> = keys.iter().map(|key| schema.partition_root(key.table)).collect();
    let others: Vec<String> = others.into_iter().map(|other| say::name(schema, other)).collect();
    let message = format!(
        "deleting rows of `{name}` fails (23503) where a row of {} refers to one of them, and no statement before it sees to that",
        say::any_of(&others),
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    // Its condition may know better.
    if delete.filter.is_some() || !delete.from.is_empty() {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.one_per(format!("{name} refused"));
    finding.object(&schema.relation(table).name);
    let rows = rows(schema, delete, table);
    let (mut first, mut counts) = (Vec::new(), Vec::new());
    for key in keys {
        let child = &schema.relation(schema.partition_root(key.table)).name;
        finding.object(child);
        finding.because(key.existence.origin().span, format!("`{}` of `{}` refuses it", key.name, child.short()));
        let Some(condition) =
            rows.as_ref().filter(|_| step.origin.frames.is_empty()).and_then(|rows| referring(schema, key, rows))
        else {
            continue;
        };
        first.push(format!("DELETE FROM {child} WHERE {condition};"));
        counts.push(format!("(SELECT count(*) FROM {child} WHERE {condition})"));
    }
    finding.instead(match first.as_slice() {
        [] => format!("-- first delete what refers to those rows of {name}, or give it other rows to refer to"),
        list => format!("-- first, or give them other rows to refer to\n{}", list.join("\n")),
    });
    if counts.len() == keys.len() {
        finding.verify(format!("SELECT {}", counts.join(" + ")));
    }
}

/// FROM and WHERE of the rows that a DELETE takes, where it can be asked as a query.
fn rows(schema: &Schema, delete: &Write, table: RelationId) -> Option<String> {
    let reads = delete.filter.as_ref().is_some_and(|filter| !filter.queries().is_empty());
    if reads || !delete.with.is_empty() || !delete.from.is_empty() {
        return None;
    }
    let alias = delete.alias.as_ref().map(|alias| format!(" AS {alias}")).unwrap_or_default();
    let filter = delete.filter.as_ref().map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    Some(format!("FROM {}{alias}{filter}", schema.relation(table).name))
}

fn referring(schema: &Schema, key: &Constraint, rows: &str) -> Option<String> {
    let foreign = key.as_foreign().filter(|foreign| !foreign.referenced_columns.is_empty())?;
    let own: Vec<String> = key.columns.iter().map(|id| schema.column_name(key.table, *id).to_string()).collect();
    let other: Vec<String> =
        foreign.referenced_columns.iter().map(|id| schema.column_name(foreign.references, *id).to_string()).collect();
    Some(match own.as_slice() {
        [only] => format!("{only} IN (SELECT {} {rows})", other.join(", ")),
        _ => format!("({}) IN (SELECT {} {rows})", own.join(", "), other.join(", ")),
    })
}
