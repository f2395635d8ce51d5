//! Constraints that stay NOT VALID: old rows may be wrong, and the planner trusts nothing.

use std::collections::BTreeMap;

use super::{Findings, say};
use crate::finding::{MigrationRef, Severity};
use crate::history::{Plan, Whole, shaped};
use crate::operation::{Name, Origin};
use crate::schema::{Constraint, ConstraintRow, Relation, Schema};
use crate::source::Span;

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

/// Migrations that came to production together, by all that is known: those of a release, else those of a day.
struct Release {
    migrations: Vec<usize>,
    by_day: bool,
}

fn releases_after(plan: &Plan, maker: usize) -> Vec<Release> {
    let all = &plan.history.migrations;
    // What is judged is one release where something is shipped.
    let is_one = |number: usize| all[number].release.is_some() || all[number].judged && !all[maker].judged;
    let day = |number: usize| all[number].made.filter(|_| !is_one(number));
    let mut found: BTreeMap<(usize, Option<u32>), Release> = BTreeMap::new();
    let known = plan.release_number(maker);
    for number in maker + 1..all.len() {
        let (release, day) = (plan.release_number(number), day(number));
        if release == known || day.is_some() && day == all[maker].made {
            continue;
        }
        let key = if day.is_some() { (0, day) } else { (release, None) };
        let migrations = Vec::new();
        found.entry(key).or_insert(Release { migrations, by_day: day.is_some() }).migrations.push(number);
    }
    let mut found: Vec<Release> = found.into_values().collect();
    found.sort_by_key(|release| release.migrations.first().copied());
    found
}

/// The first statement that a release judges and that is about the constraint's table.
fn is_at(plan: &Plan, schema: &Schema, row: &Constraint, release: &Release) -> Option<(usize, Origin)> {
    let is_it = |name: &Name| schema.find_table(name).is_some_and(|table| table.id == row.table);
    let mut judged = release.migrations.iter().filter(|number| plan.history.migrations[**number].judged);
    judged.find_map(|number| {
        let source = plan.history.migrations[*number].source;
        let (at, span) = plan.find_later(*number, Span { source, start: 0, end: 0 }, &|statement| {
            shaped(&statement.operation).is_some_and(is_it)
        })?;
        (at == *number).then(|| (at, Origin::at(span)))
    })
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
        let releases = releases_after(plan, maker);
        let was_valid = whole.past.before(maker).is_some_and(|then| was_valid(&then.schema, schema, row));
        // NULL refers to nothing.
        let new = came_with_it(whole, schema, row, maker);
        if was_valid || row.as_foreign().is_some() && new > 0 && new == row.columns.len() {
            continue;
        }
        // The release that makes it overdue hears of it, once, where it is at the table: others have nothing to do with it.
        let Some(overdue) = releases.get(RELEASES - 1) else { continue };
        let judged = plan.history.migrations[maker].judged;
        let at = if judged { Some((maker, origin.clone())) } else { is_at(plan, schema, row, overdue) };
        let Some((number, at)) = at else { continue };
        let table = say::name(schema, row.table);
        let (count, since) = (releases.len(), if overdue.by_day { "days with migrations" } else { "releases" });
        let message = format!(
            "`{}` of `{table}` was never validated, {count} {since} after it came: old rows may break it, and nothing says so",
            row.name,
        );
        let finding = findings.report(&at, "never validated", row.existence.is_certain(), message);
        finding.migration = Some(MigrationRef { migration: number, ..whole.context.at });
        if !judged {
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
