//! Constraints that stay NOT VALID: old rows may be wrong, and the planner trusts nothing.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::finding::Severity;
use crate::history::Whole;
use crate::operation::Origin;
use crate::schema::{Constraint, ConstraintRow, Relation, Schema};

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

/// Of a constraint's columns those that came with it, without a default: older rows hold NULL there.
fn came_with_it(whole: &Whole, schema: &Schema, row: &Constraint, maker: usize) -> usize {
    let Some(table) = schema.get_relation(row.table).and_then(Relation::as_table) else { return 0 };
    let columns = row.columns.iter().filter_map(|id| table.column_by_id(*id));
    let new = columns.filter(|column| {
        let by = whole.context.plan.migration_of(column.existence.origin().span);
        by == Some(maker) && column.default.is_none()
    });
    new.count()
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
        // NULL refers to nothing.
        let new = came_with_it(whole, schema, row, maker);
        if was_valid || row.as_foreign().is_some() && new > 0 && new == row.columns.len() {
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
        // A condition over columns that came with it was written with the older rows in mind.
        if new > 0 {
            finding.severity = finding.severity.min(Severity::Note);
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
