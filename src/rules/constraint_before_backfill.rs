//! A column that must have a value before every old row has one.

use std::collections::BTreeSet;

use super::{Findings, constraint_before_queue, say};
use crate::data::{ColumnFill, row_facts, unique_keys};
use crate::finding::{Finding, Severity};
use crate::history::{Passed, Whole};
use crate::operation::{ColumnDefinition, ConstraintKind, Expr, Ident, Operation, TableActionKind, WriteKind};
use crate::predicate::{Answer, check_implies_check, filter_implies_filter};
use crate::schema::{Column, ConstraintRow, Existence, Relation, RelationId, Schema};

/// Why old rows have no value.
enum Gap<'a> {
    /// The only backfill leaves rows out.
    Filtered(&'a ColumnFill),
    /// So do all of several together.
    EachFiltered(&'a [ColumnFill], Expr),
    /// The backfill stands after the constraint.
    Later(&'a ColumnFill),
    /// The column comes in this migration, and nothing fills it.
    Never,
}

pub fn check(whole: &Whole, findings: &mut Findings) {
    constraint_before_queue::check(whole, false, findings);
    let mut told: BTreeSet<(RelationId, Ident)> = BTreeSet::new();
    for (place, step) in whole.steps.iter().enumerate() {
        if step.applied.failure().is_some() {
            continue;
        }
        let may_lack = |table: &Relation, column: &Column| may_lack_values(whole, table, column);
        for (table, column) in required(&step.operation, &whole.after.schema, &may_lack) {
            if !told.contains(&(table, column.clone())) && judge(whole, place, table, &column, findings) {
                told.insert((table, column));
            }
        }
    }
}

/// Rows may be there that this history gave no value.
fn may_lack_values(whole: &Whole, after: &Relation, column: &Column) -> bool {
    let table = after.id;
    let Some(relation) = whole.before.schema.get_relation(table) else { return false };
    // A column as old as its table has rows that the application wrote; when one that was only named came is not known.
    let is_late = matches!(column.existence, Existence::Created { .. })
        && column.existence.origin().span != relation.existence.origin().span;
    let is_fed = || whole.after.data.feeds_into(&whole.after.schema, table).next().is_some();
    let is_empty = || whole.after.data.emptied(table).is_some() || whole.before.data.emptied(table).is_some();
    is_late && !is_empty() && !is_fed() && !whole.context.is_new(whole.before, table)
}

fn judge(whole: &Whole, place: usize, table: RelationId, name: &Ident, findings: &mut Findings) -> bool {
    let relation = whole.after.schema.get_relation(table);
    let Some(column) = relation.and_then(|relation| relation.as_table()?.column(name)) else { return false };
    let Some(gap) = gap(whole, place, table, column) else { return false };
    report(whole, place, table, name, &gap, findings);
    true
}

fn gap<'a>(whole: &Whole<'a>, place: usize, table: RelationId, column: &Column) -> Option<Gap<'a>> {
    let position = |origin: &crate::operation::Origin| whole.steps.iter().position(|step| step.origin == *origin);
    let fills = whole.after.data.column_fills(table, column.id);
    let (later, before): (Vec<_>, Vec<_>) =
        fills.iter().partition(|fill| position(&fill.origin).is_some_and(|other| other > place));
    let added = position(column.existence.origin());
    match before.as_slice() {
        [] => {
            let unseen = whole.steps[added.unwrap_or(0)..place].iter().any(|step| may_write_unseen(&step.operation));
            if unseen {
                return None;
            }
            let whole_later = later.into_iter().find(|fill| fill.filter.is_empty());
            match (whole_later, added) {
                (Some(fill), _) => Some(Gap::Later(fill)),
                // Added NOT NULL it fails there already.
                (None, Some(added)) => {
                    (!is_added_not_null(&whole.steps[added].operation, &column.name)).then_some(Gap::Never)
                }
                // In an earlier release: the application may have filled it.
                (None, None) => None,
            }
        }
        [only] if !only.filter.is_empty() && !only.partial && only.certain => {
            if only.filter.iter().all(|condition| held_before(whole, table, condition)) {
                return None;
            }
            let plain = only.filter.iter().all(is_plain);
            let reached = Expr::And(only.filter.clone());
            let all = filter_implies_filter(&row_facts(&whole.before.schema, table), &reached) == Answer::Yes;
            (plain && !all && !is_known(whole, place, table, &column.name)).then_some(Gap::Filtered(only))
        }
        [_, ..] if later.is_empty() && before.iter().all(|fill| names_its_rows(whole, table, fill)) => {
            let reached = Expr::Or(before.iter().map(|fill| Expr::And(fill.filter.clone())).collect());
            // That a value is missing says little: it is other values that leave a row out.
            let mut facts = vec![row_facts(&whole.before.schema, table)];
            facts.extend(reached.columns().into_iter().map(|name| Expr::bare(name).is_not_null()));
            let some_left = filter_implies_filter(&Expr::And(facts), &reached) == Answer::No;
            let told = some_left && !is_known(whole, place, table, &column.name);
            told.then_some(Gap::EachFiltered(fills, reached))
        }
        _ => None,
    }
}

/// It tells rows by what they hold, and by no key of theirs: who lists rows one by one has looked at them.
fn names_its_rows(whole: &Whole, table: RelationId, fill: &ColumnFill) -> bool {
    let schema = &whole.before.schema;
    let named: Vec<&Ident> = fill.filter.iter().flat_map(Expr::columns).collect();
    let is_there = |name: &&&Ident| {
        let found = schema.get_relation(table).and_then(Relation::as_table);
        found.is_some_and(|table| table.column(name).is_some())
    };
    let by_key = unique_keys(schema, table)
        .iter()
        .any(|key| key.iter().all(|column| named.contains(&&schema.column_name(table, *column))));
    !fill.filter.is_empty()
        && !fill.partial
        && fill.certain
        && fill.filter.iter().all(is_plain)
        && named.iter().all(|name| is_there(&name))
        && !by_key
}

fn is_added_not_null(operation: &Operation, name: &Ident) -> bool {
    let Operation::AlterTable(alter) = operation else { return false };
    alter.actions.iter().any(|action| match &action.kind {
        TableActionKind::AddColumn { column, .. } => column.name == *name && column.not_null.is_some(),
        _ => false,
    })
}

/// The rows that are there have a value in the column: it could not be NULL until this migration.
fn held_before(whole: &Whole, table: RelationId, condition: &Expr) -> bool {
    let Expr::Not(inner) = condition else { return false };
    let Expr::IsNull(value) = &**inner else { return false };
    let Expr::Column { name, .. } = &**value else { return false };
    let before = whole.before.schema.get_relation(table).and_then(Relation::as_table);
    before.and_then(|table| table.column(name)).is_some_and(|column| column.not_null)
}

/// Columns compared with constants: subqueries and variables may stand for every row that has no value.
fn is_plain(condition: &Expr) -> bool {
    let mut plain = true;
    condition.walk(&mut |expr| {
        plain &= matches!(
            expr,
            Expr::Column { .. }
                | Expr::Constant(_)
                | Expr::Binary { .. }
                | Expr::And(_)
                | Expr::Or(_)
                | Expr::Not(_)
                | Expr::IsNull(_)
                | Expr::In { .. }
                | Expr::Cast { .. }
        );
    });
    plain
}

/// A CHECK says for which rows the column may be empty, or the rows without a value are deleted.
fn is_known(whole: &Whole, place: usize, table: RelationId, name: &Ident) -> bool {
    let schema = &whole.before.schema;
    let checked = schema.constraints_of(table).any(|constraint| match &constraint.kind {
        ConstraintRow::Check { expression } => expression.tree.columns().contains(&name),
        _ => false,
    });
    let deleted = |step: &Passed| match &step.operation {
        Operation::Write(write) => {
            write.kind == WriteKind::Delete && schema.find(&write.target).is_some_and(|one| one.id == table)
        }
        _ => false,
    };
    checked || whole.steps[..place].iter().any(deleted)
}

/// What a step runs that does not show which rows it writes.
fn may_write_unseen(operation: &Operation) -> bool {
    match operation {
        Operation::Unread(_) | Operation::Call { .. } | Operation::Do(_) => true,
        Operation::Query(query) => !query.called().is_empty(),
        _ => false,
    }
}

fn report(whole: &Whole, place: usize, table: RelationId, column: &Ident, gap: &Gap, findings: &mut Findings) {
    let step: &Passed = &whole.steps[place];
    let schema = &whole.after.schema;
    let table_name = say::name(schema, table);
    let why = match gap {
        Gap::Filtered(_) => "the backfill leaves rows without a value",
        Gap::EachFiltered(..) => "each UPDATE fills those rows alone that it names",
        Gap::Later(_) => "the backfill stands after it",
        Gap::Never => "nothing gives the old rows one",
    };
    let message = match is_unchecked(&step.operation) {
        true => format!("every UPDATE of an old row of `{table_name}` fails: `{column}` must have a value, and {why}"),
        false => format!("this fails where `{table_name}` has rows: `{column}` must have a value, and {why}"),
    };
    let certain = step.certain;
    let finding: &mut Finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table_name} {column}"));
    // Until the end of the migration, not until the next release.
    if matches!(gap, Gap::Later(_)) && is_unchecked(&step.operation) {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    let relation = schema.relation(table);
    finding.object(&relation.name);
    finding.object(format!("{}.{column}", relation.name));
    let made = relation.as_table().and_then(|table| table.column(column)).map(|column| column.existence.origin().span);
    if let Some(made) = made {
        finding.because(made, format!("`{column}` is added here without a value for the rows that are there"));
    }
    match gap {
        Gap::Filtered(fill) => {
            finding.because(fill.origin.span, "this backfill has a filter");
        }
        Gap::EachFiltered(fills, _) => {
            for fill in *fills {
                finding.because(fill.origin.span, "reaches the rows that it names");
            }
        }
        Gap::Later(fill) => {
            finding.because(fill.origin.span, "this backfill comes too late");
        }
        Gap::Never => {}
    }
    let name = &relation.name;
    finding.instead(format!(
        "-- before it, batch by batch, until no row is left:\n\
         UPDATE {name} SET {column} = :value WHERE {column} IS NULL AND id > :last AND id <= :last + 1000;"
    ));
    finding.verify(match gap {
        // Asked before the migration runs, when the column is not there yet.
        Gap::EachFiltered(_, reached) => format!("SELECT count(*) FROM {name} WHERE ({reached}) IS NOT TRUE"),
        Gap::Filtered(_) | Gap::Later(_) | Gap::Never => format!("SELECT count(*) FROM {name} WHERE {column} IS NULL"),
    });
}

/// A CHECK that is NOT VALID: old rows are not read, and every UPDATE of one meets it.
fn is_unchecked(operation: &Operation) -> bool {
    let Operation::AlterTable(alter) = operation else { return false };
    alter.actions.iter().all(|action| match &action.kind {
        TableActionKind::AddConstraint(constraint) => constraint.not_valid,
        _ => false,
    })
}

/// The columns that a step asks a value of, of those that matter.
pub(super) fn required(
    operation: &Operation,
    after: &Schema,
    matters: &dyn Fn(&Relation, &Column) -> bool,
) -> Vec<(RelationId, Ident)> {
    let Operation::AlterTable(alter) = operation else { return Vec::new() };
    let Some(relation) = after.find(&alter.table) else { return Vec::new() };
    let Some(table) = relation.as_table() else { return Vec::new() };
    let asked_by = |check: &Expr| -> Vec<Ident> {
        let read = check.columns();
        let columns = table.columns.iter().filter(|column| read.contains(&&column.name) && matters(relation, column));
        columns.map(|column| column.name.clone()).filter(|name| wants_value(check, name)).collect()
    };
    let mut found = Vec::new();
    for action in &alter.actions {
        match &action.kind {
            TableActionKind::SetNotNull { column } => found.push(column.clone()),
            TableActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::Check(expression) => found.extend(asked_by(&expression.tree)),
                ConstraintKind::NotNull(column) => found.push(column.clone()),
                ConstraintKind::Primary(key) => found.extend(key.columns.iter().cloned()),
                ConstraintKind::Unique(_) | ConstraintKind::Exclude { .. } | ConstraintKind::Foreign(_) => {}
            },
            TableActionKind::ValidateConstraint { name } => {
                if let Some(ConstraintRow::Check { expression }) =
                    after.find_constraint(relation.id, name).map(|constraint| &constraint.kind)
                {
                    found.extend(asked_by(&expression.tree));
                }
            }
            _ => {}
        }
    }
    // A column that comes with its own value, or with its own NOT NULL, is another rule's.
    let added = |name: &Ident| {
        alter.actions.iter().any(|action| match &action.kind {
            TableActionKind::AddColumn { column, .. } => {
                let column: &ColumnDefinition = column;
                column.name == *name
            }
            _ => false,
        })
    };
    let counts = |name: &Ident| !added(name) && table.column(name).is_some_and(|column| matters(relation, column));
    found.into_iter().filter(counts).map(|name| (relation.id, name)).collect()
}

pub(super) fn wants_value(check: &Expr, name: &Ident) -> bool {
    let column = Expr::bare(name);
    let present = column.is_not_null();
    check_implies_check(check, &present) == Answer::Yes
}
