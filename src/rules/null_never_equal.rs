//! Conditions that no NULL meets: a comparison with NULL, and one over a column that may be NULL.

use super::Findings;
use super::in_use::is_in_use;
use crate::finding::Severity;
use crate::history::Step;
use crate::operation::{
    CommonTableBody, Constant, Expr, FromSource, Ident, Operation, Output, Query, Rows, Write, WriteKind,
};
use crate::predicate::{Answer, check_implies_filter, filter_implies_filter, is_contradiction};
use crate::schema::{Column, ConstraintRow, Relation, Table};

pub fn check(step: &Step, findings: &mut Findings) {
    let Operation::Write(write) = step.operation else { return };
    if step.applied.failure().is_some() {
        return;
    }
    for one in write.all() {
        compared_with_null(step, one, findings);
        let table = step.before.schema.find_table(&one.target).filter(|table| is_in_use(step, table.id));
        let Some((relation, table)) = table.and_then(|found| Some((found, found.as_table()?))) else { continue };
        if one.kind == WriteKind::Update {
            excluded(step, one, relation, table, findings);
            joined(step, one, relation, table, findings);
        }
    }
}

/// `x = NULL`, `x NOT IN (1, NULL)`: never true.
fn compared_with_null(step: &Step, write: &Write, findings: &mut Findings) {
    let selected = match &write.rows {
        Rows::Query(query) => query.filter.as_ref(),
        Rows::None | Rows::Defaults | Rows::Values { .. } => None,
    };
    for filter in write.filter.iter().chain(selected) {
        let Some((compared, instead)) = null_compared(filter) else { continue };
        let table = &write.target.name;
        let does = match write.kind {
            WriteKind::Update => "changes",
            WriteKind::Delete => "deletes",
            _ => "writes",
        };
        let so = match is_contradiction(filter) {
            Answer::Yes => format!(": this {does} no row of `{table}`"),
            Answer::No | Answer::Unknown => ", whatever the row holds".to_owned(),
        };
        let message = format!("`{compared}` is never true{so}");
        let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
        finding.one_per(format!("{table} {compared}"));
        finding.object(
            step.before.schema.find(&write.target).map_or_else(|| table.to_string(), |one| one.name.to_string()),
        );
        finding.instead(format!("-- in its place: {instead}"));
    }
}

/// The first comparison that NULL spoils, and what says what was meant.
fn null_compared(filter: &Expr) -> Option<(String, String)> {
    let mut found = None;
    filter.walk(&mut |expr| {
        let one = match expr {
            Expr::Binary { operator, left, right } => {
                let value = match (left.is_null_constant(), right.is_null_constant()) {
                    (false, true) => left,
                    (true, false) => right,
                    _ => return,
                };
                match &**operator {
                    "=" => Some(format!("{value} IS NULL")),
                    "<>" | "!=" => Some(format!("{value} IS NOT NULL")),
                    _ => None,
                }
            }
            Expr::In { value, list } if list.iter().all(Expr::is_null_constant) => Some(format!("{value} IS NULL")),
            Expr::Not(inner) => match &**inner {
                Expr::In { value, list } if list.iter().any(Expr::is_null_constant) => {
                    Some(format!("NOT IN without the NULL, and {value} IS NOT NULL"))
                }
                _ => None,
            },
            _ => None,
        };
        if found.is_none() {
            found = one.map(|instead| (expr.to_string(), instead));
        }
    });
    found
}

/// `WHERE kind <> 'a'` leaves out the rows whose kind is NULL.
fn excluded(step: &Step, write: &Write, relation: &Relation, table: &Table, findings: &mut Findings) {
    let Some(filter) = &write.filter else { return };
    let conjuncts = conjuncts(filter);
    for (place, conjunct) in conjuncts.iter().enumerate() {
        let Some(column) = unequal(conjunct).and_then(|name| table.column(name)) else { continue };
        let rest: Vec<Expr> =
            conjuncts.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, one)| one.clone()).collect();
        let reads = |(_, value): &(Ident, Expr)| value.columns().contains(&&column.name);
        let is_meant = filter_implies_filter(&Expr::And(rest), &Expr::bare(&column.name).is_not_null()) == Answer::Yes
            || write.assignments.iter().any(reads)
            || !write.from.is_empty();
        if is_meant || !may_be_null(step, relation, column) || asks_for_null(step, relation, &column.name) {
            continue;
        }
        let (name, column) = (relation.name.short(), &column.name);
        let message =
            format!("`{conjunct}` leaves out the rows of `{name}` whose `{column}` is NULL: they keep what they have");
        let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
        finding.severity = finding.severity.min(Severity::Note);
        finding.one_per(format!("{name} {column}"));
        finding.object(&relation.name);
        finding.object(format!("{}.{column}", relation.name));
        finding.instead(format!("-- where they are meant, too: ({conjunct} OR {column} IS NULL)"));
        finding.verify(format!("SELECT count(*) FROM {} WHERE {column} IS NULL", relation.name));
        return;
    }
}

/// The column that a conjunct wants to be another than some values.
fn unequal(conjunct: &Expr) -> Option<&Ident> {
    // Who asks for more than an empty text means the rows that have one.
    let is_value = |value: &Expr| match value {
        Expr::Constant(Constant::String(text)) => !text.is_empty(),
        other => crate::data::is_constant(other) && !other.is_null_constant(),
    };
    let column = |value: &'_ Expr| matches!(value, Expr::Column { .. });
    let compared = |left: &'_ Expr, right: &Expr| column(left) && is_value(right);
    let named = match conjunct {
        Expr::Binary { operator, left, right } if matches!(&**operator, "<>" | "!=") && compared(left, right) => left,
        Expr::Not(inner) => match &**inner {
            Expr::Binary { operator, left, right } if &**operator == "=" && compared(left, right) => left,
            Expr::In { value, list } if column(value) && list.iter().all(is_value) => value,
            _ => return None,
        },
        _ => return None,
    };
    named.as_column().map(|(_, name)| name)
}

/// A column with its qualifier.
type Side<'a> = (Option<&'a Ident>, &'a Ident);

/// Rows are found again by `=` over the columns that they were grouped by: none of those that are NULL there.
fn joined(step: &Step, write: &Write, relation: &Relation, table: &Table, findings: &mut Findings) {
    let (Some(filter), [item]) = (&write.filter, write.from.as_slice()) else { return };
    let query = match &item.source {
        FromSource::Query(query) => &**query,
        FromSource::Relation { name, .. } if name.schema.is_none() => {
            let common = write.with.iter().find(|one| one.name == name.name).map(|one| &one.body);
            let Some(CommonTableBody::Query(query)) = common else { return };
            query
        }
        _ => return,
    };
    if !groups(step, query, relation) {
        return;
    }
    let own = write.alias.as_ref().unwrap_or(&write.target.name);
    let conjuncts = conjuncts(filter);
    let lost = conjuncts.iter().find_map(|conjunct| {
        let Expr::Binary { operator, left, right } = conjunct else { return None };
        let (Some(one), Some(other)) = (left.as_column(), right.as_column()) else { return None };
        let sides = [(one, other), (other, one)];
        let meets = |(mine, theirs): &(Side, Side)| {
            mine.0 == Some(own) && theirs.0 == item.label() && is_column(query, theirs.1, mine.1)
        };
        let ((_, name), _) = sides.into_iter().find(|sides| &**operator == "=" && meets(sides))?;
        let column = table.column(name).filter(|column| may_be_null(step, relation, column))?;
        let is_asked =
            [Some(filter), query.filter.as_ref()].into_iter().flatten().flat_map(self::conjuncts).any(|one| {
                one != *conjunct && filter_implies_filter(&one, &Expr::bare(name).is_not_null()) == Answer::Yes
            });
        (!is_asked).then_some((conjunct, column))
    });
    let Some((conjunct, column)) = lost else { return };
    let (name, column) = (relation.name.short(), &column.name);
    let message =
        format!("`{conjunct}` finds no row of `{name}` whose `{column}` is NULL again: those groups are left out");
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.severity = finding.severity.min(Severity::Note);
    finding.one_per(format!("{name} {column}"));
    finding.object(&relation.name);
    finding.object(format!("{}.{column}", relation.name));
    finding.instead("-- IS NOT DISTINCT FROM in the place of =, for the columns that may be NULL");
    finding.verify(format!("SELECT count(*) FROM {} WHERE {column} IS NULL", relation.name));
}

/// Groups of the table's own rows.
fn groups(step: &Step, query: &Query, relation: &Relation) -> bool {
    let [item] = query.from.as_slice() else { return false };
    let FromSource::Relation { name, .. } = &item.source else { return false };
    let is_own = step.before.schema.find(name).is_some_and(|one| one.id == relation.id);
    is_own && query.merges_rows && query.arms.is_empty()
}

/// The query gives the column out under this name.
fn is_column(query: &Query, output: &Ident, column: &Ident) -> bool {
    query.outputs.iter().any(|one| match one {
        Output::Value { value: Expr::Column { name, .. }, alias } => {
            alias.as_ref().unwrap_or(name) == output && name == column
        }
        _ => false,
    })
}

/// Nothing asks for a value, and none is given by itself or has been to all rows.
fn may_be_null(step: &Step, relation: &Relation, column: &Column) -> bool {
    let (schema, data) = (&step.before.schema, &step.before.data);
    let computed = column.generated.is_some() || column.identity.is_some() || column.sequence.is_some();
    let has_default = column.default.as_ref().is_some_and(|default| !default.tree.is_null_constant());
    let wanted = Expr::bare(&column.name).is_not_null();
    let checked = || {
        schema.constraints_of(relation.id).filter(|row| row.enforced && row.validated).any(|row| match &row.kind {
            ConstraintRow::Check { expression } => check_implies_filter(&expression.tree, &wanted) == Answer::Yes,
            _ => false,
        })
    };
    let filled = || data.column_fills(relation.id, column.id).iter().any(|fill| fill.is_complete());
    !(column.not_null || computed || has_default || checked() || filled())
}

/// Another statement of the migration takes the rows that are NULL there.
fn asks_for_null(step: &Step, relation: &Relation, column: &Ident) -> bool {
    let is_null = |filter: &Expr| {
        let mut found = false;
        filter.walk(&mut |expr| {
            found |= matches!(expr, Expr::IsNull(value) if value.as_column().is_some_and(|(_, name)| name == column));
        });
        found
    };
    let mut asked = false;
    for node in &step.context.migration.up.nodes {
        node.statements(&mut |statement| {
            let Operation::Write(write) = &statement.operation else { return };
            let meant = step.before.schema.find(&write.target).is_some_and(|one| one.id == relation.id);
            asked |= meant && write.filter.as_ref().is_some_and(is_null);
        });
    }
    asked
}

fn conjuncts(filter: &Expr) -> Vec<Expr> {
    match filter {
        Expr::And(list) => list.clone(),
        one => vec![one.clone()],
    }
}
