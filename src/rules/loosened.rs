//! What a table no longer guarantees: code may rely on it.

use super::Findings;
use crate::history::{Framework, Passed, State, Whole};
use crate::operation::{Ident, Operation, TableAction, TableActionKind};
use crate::schema::{Constraint, ConstraintRow, Relation};

/// The actions of a migration's ALTER TABLEs on tables that are in use.
fn actions<'a>(whole: &'a Whole) -> impl Iterator<Item = (&'a Passed, &'a State, &'a Relation, &'a TableAction)> {
    whole.steps.iter().flat_map(|step| {
        let found = match (&step.operation, step.change()) {
            (Operation::AlterTable(alter), Some((before, _))) => before
                .schema
                .find_table(&alter.table)
                .filter(|relation| !whole.context.is_new(before, relation.id))
                .map(|relation| alter.actions.iter().map(move |action| (step, before, relation, action))),
            _ => None,
        };
        found.into_iter().flatten()
    })
}

pub fn not_null(whole: &Whole, findings: &mut Findings) {
    for (step, _, relation, action) in actions(whole) {
        let TableActionKind::DropNotNull { column } = &action.kind else { continue };
        let now = now(whole, relation, column);
        if now.is_none_or(|(not_null, _)| not_null) {
            continue;
        }
        let table = relation.name.short();
        let message = format!("code that reads `{column}` of `{table}` may meet NULL from here on");
        let finding = findings.report(&step.origin, "drop-not-null", step.certain, message);
        finding.object(&relation.name);
        finding.object(format!("{}.{column}", relation.name));
        finding.verify(format!("SELECT count(*) FROM {} WHERE {column} IS NULL", relation.name));
    }
}

/// Active Record with partial inserts leaves a value out that is the default it knows: the server then puts in its own.
pub fn changed_default(whole: &Whole, findings: &mut Findings) {
    let history = whole.context.plan.history;
    let partial = history.language.dialect.partial_inserts;
    if history.framework != Framework::Rails || partial == Some(false) {
        return;
    }
    for (step, _, relation, action) in actions(whole) {
        let TableActionKind::SetDefault { column, default } = &action.kind else { continue };
        let Some(had) = relation.as_table().and_then(|table| table.column(column)) else { continue };
        let Some(old) = had.default.as_ref().filter(|old| old.text != default.text) else { continue };
        if whole.context.is_of_this_release(&had.existence) {
            continue;
        }
        let table = relation.name.short();
        let message = format!(
            "rows of `{table}` that the code of the release before makes with {} in `{column}` get {}: Active Record leaves \
             out of its INSERT what is the default that it knows",
            old.text, default.text
        );
        let finding = findings.report(&step.origin, "set-default", step.certain && partial == Some(true), message);
        finding.object(&relation.name);
        finding.object(format!("{}.{column}", relation.name));
        finding.because(had.existence.origin().span, format!("`{column}` has the default {} until then", old.text));
        finding.instead("config.active_record.partial_inserts = false # in the release before");
    }
}

pub fn default(whole: &Whole, findings: &mut Findings) {
    for (step, _, relation, action) in actions(whole) {
        let TableActionKind::DropDefault { column } = &action.kind else { continue };
        let Some((not_null, false)) = now(whole, relation, column) else { continue };
        let had = relation.as_table().and_then(|table| table.column(column));
        if had.is_some_and(|had| had.default.is_none() && had.data_type.is_some())
            || had.is_some_and(|had| whole.context.is_of_this_release(&had.existence))
        {
            continue;
        }
        // Another table took its name: what the application writes goes there.
        if whole.after.schema.get_relation(relation.id).is_some_and(|now| now.name != relation.name) {
            continue;
        }
        let table = relation.name.short();
        let then = if not_null { "fail" } else { "write NULL" };
        let message = format!("inserts into `{table}` that leave `{column}` out {then} from here on");
        let finding = findings.report(&step.origin, "drop-default", step.certain, message);
        finding.object(&relation.name);
        finding.object(format!("{}.{column}", relation.name));
    }
}

/// Whether a column is NOT NULL at the end of the migration, and whether something fills it.
fn now(whole: &Whole, relation: &Relation, column: &Ident) -> Option<(bool, bool)> {
    let table = whole.after.schema.get_relation(relation.id)?.as_table()?;
    let column = table.column(column)?;
    Some((column.not_null, column.default.is_some() || column.identity.is_some() || column.generated.is_some()))
}

pub fn constraint(whole: &Whole, findings: &mut Findings) {
    for (step, before, relation, action) in actions(whole) {
        let TableActionKind::DropConstraint { name, .. } = &action.kind else { continue };
        let Some(dropped) = before.schema.find_constraint(relation.id, name) else { continue };
        let again = |other: &Constraint| {
            other.name == *name
                || other.columns == dropped.columns
                    && std::mem::discriminant(&other.kind) == std::mem::discriminant(&dropped.kind)
        };
        let gone = whole.after.schema.get_relation(relation.id).is_none();
        if gone
            || whole.after.schema.constraints_of(relation.id).any(again)
            || whole.context.is_of_this_release(&dropped.existence)
        {
            continue;
        }
        let table = relation.name.short();
        let what = match dropped.kind {
            ConstraintRow::Check { .. } => "rows that it forbids",
            ConstraintRow::NotNull => "NULL",
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. } => "rows with the same key",
            ConstraintRow::Exclude { .. } => "rows that exclude each other",
            ConstraintRow::Foreign(_) => "rows that refer to nothing",
        };
        let message = format!("without `{name}`, `{table}` takes {what}; adding it again reads all rows and may fail");
        let finding = findings.report(&step.origin, "drop-constraint", step.certain, message);
        finding.object(&relation.name);
        finding.object(format!("{}.{name}", relation.name));
        finding.because(dropped.existence.origin().span, format!("`{name}` holds since here"));
    }
}
