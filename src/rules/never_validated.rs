//! Constraints that stay NOT VALID: old rows may be wrong, and the planner trusts nothing.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::history::Whole;
use crate::operation::Origin;
use crate::schema::{ColumnId, Constraint, ConstraintRow, Relation, Schema};

/// Releases after which a VALIDATE is not to be expected any more.
const RELEASES: usize = 3;

/// It took the place of a valid one that says the same: no old row can break it.
fn was_valid(then: &Schema, now: &Schema, row: &Constraint) -> bool {
    then.constraints_of(row.table).any(|old| {
        let same = match (&old.kind, &row.kind) {
            (ConstraintRow::Foreign(old), ConstraintRow::Foreign(new)) => {
                (old.references, &old.referenced_columns) == (new.references, &new.referenced_columns)
            }
            (ConstraintRow::Check { expression: old }, ConstraintRow::Check { expression: new }) => {
                old.tree == new.tree
            }
            _ => false,
        };
        same && old.validated && old.enforced && old.columns == row.columns && now.get_constraint(old.id).is_none()
    })
}

/// A key on columns that came with it: what older rows hold is NULL, and refers to nothing.
fn is_as_old_as_its_columns(whole: &Whole, schema: &Schema, row: &Constraint, maker: usize) -> bool {
    let Some(table) = schema.get_relation(row.table).and_then(Relation::as_table) else { return false };
    let came_with_it = |id: &ColumnId| {
        table.column_by_id(*id).is_some_and(|column| {
            let by = whole.context.plan.migration_of(column.existence.origin().span);
            by == Some(maker) && column.default.is_none()
        })
    };
    row.as_foreign().is_some() && !row.columns.is_empty() && row.columns.iter().all(came_with_it)
}

pub fn check(whole: &Whole, findings: &mut Findings) {
    let plan = whole.context.plan;
    // At the end of the history it is known which were never validated.
    if whole.context.at.migration + 1 != plan.history.migrations.len() {
        return;
    }
    let schema = &whole.after.schema;
    for row in schema.constraints().filter(|row| !row.validated && row.enforced && row.is_standalone()) {
        let origin = row.existence.origin();
        let Some(maker) = plan.migration_of(origin.span) else { continue };
        let later = maker + 1..plan.history.migrations.len();
        let releases: BTreeSet<usize> = later
            .map(|number| plan.release_number(number))
            .filter(|release| *release > plan.release_number(maker))
            .collect();
        let was_valid = whole.past.before(maker).is_some_and(|then| was_valid(&then.schema, schema, row));
        if was_valid || is_as_old_as_its_columns(whole, schema, row, maker) {
            continue;
        }
        // The release that makes it overdue hears of it, once: later ones have nothing to do with it.
        let Some(overdue) = releases.iter().nth(RELEASES - 1) else { continue };
        let judged = plan.history.migrations[maker].judged;
        let is_now = |number: usize| plan.release_number(number) == *overdue && plan.history.migrations[number].judged;
        if !judged && !(maker + 1..plan.history.migrations.len()).any(is_now) {
            continue;
        }
        let table = say::name(schema, row.table);
        let message = format!(
            "`{}` of `{table}` was never validated, {} releases after it came: old rows may break it, and nothing says so",
            row.name,
            releases.len()
        );
        let start = Origin::at(crate::source::Span { source: whole.context.migration.source, start: 0, end: 0 });
        let at = if judged { origin.clone() } else { whole.steps.last().map_or(start, |step| step.origin.clone()) };
        let finding = findings.report(&at, "never validated", row.existence.is_certain(), message);
        if judged {
            finding.migration = Some(crate::finding::MigrationRef { migration: maker, ..whole.context.at });
        } else {
            finding.because(origin.span, format!("adds `{}` NOT VALID", row.name));
        }
        let full = schema.get_relation(row.table).map_or_else(String::new, |relation| relation.name.to_string());
        finding.object(format!("{full}.{}", row.name));
        // Those that one migration left come in one finding.
        finding.one_per("never validated");
        finding.instead(format!("ALTER TABLE {full} VALIDATE CONSTRAINT {};", row.name));
        if let Some(query) = super::stopped::violations(schema, row) {
            finding.verify(query);
        }
    }
}
