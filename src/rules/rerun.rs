//! A migration that stopped is run again: what then fails, is doubled, or is content with what is broken.

use std::collections::BTreeSet;

use super::shipped::if_said_unreleased;
use super::{Findings, if_not_exists, stopped};
use crate::finding::Severity;
use crate::history::{AfterFailure, Course, Framework, Passed, Stop, TransactionUnit, Whole, Why};
use crate::operation::{ConstraintKind, CreateIndex, Operation, TableActionKind};
use crate::schema::difference::{Aspect, ChangeKind, Shared};
use crate::schema::{FailureKind, Phase};

/// Stops that are tried: the first ones of a long migration tell what the others would.
const TRIED: usize = 12;

/// Stops from which the runner begins again at the first statement, the likely ones.
fn tried<'a>(whole: &Whole<'a>) -> Vec<&'a Stop> {
    let runner = &whole.context.plan.history.runner;
    if runner.after_failure == AfterFailure::Continues {
        return Vec::new();
    }
    // Anything may be cancelled, or wait in vain; here what is likely counts. Files that a person runs are looked at
    // when they fail.
    let by_hand = whole.context.plan.history.framework == Framework::Plain;
    let likely = |stop: &&Stop| {
        let build = matches!(stop.step.operation, Operation::CreateIndex(_));
        let likely = match stop.why {
            Why::Data(_) => true,
            Why::LockTimeout => !by_hand,
            Why::Cancelled => stop.phase.is_some() && build,
        };
        stop.step.certain && likely
    };
    let mut seen = BTreeSet::new();
    let stops = whole.stops().iter().filter(likely);
    let is_new =
        |stop: &&Stop| seen.insert((stop.passed, stop.phase == Some(Phase::Late), stop.majors.first().copied()));
    stops.filter(is_new).take(TRIED).collect()
}

fn again(whole: &Whole, stop: &Stop) -> Course {
    whole.context.plan.run_from(whole.context.at.migration, &stop.state, whole.context.majors)
}

/// Run again from where it stopped, the migration fails for good, or makes something a second time.
pub fn not_rerunnable(whole: &Whole, findings: &mut Findings) {
    for stop in tried(whole).into_iter().filter(|stop| stop.passed > 0) {
        let course = again(whole, stop);
        if course.unread {
            return;
        }
        if let Some((step, failure)) = &course.failed {
            // The index that the stop itself left is invalid-index-possible's.
            let own = step.origin.span == stop.step.origin.span;
            if own || failure.kind != FailureKind::Duplicate && failure.kind != FailureKind::Missing {
                continue;
            }
            let message = format!(
                "cannot run twice: where {} fails, the migration starts again from the top and stops here, {}",
                stopped::doing(&stop.step),
                because_of(failure.kind, &failure.object)
            );
            let finding = findings.report(&step.origin, "rerun", true, message);
            finding.object(&failure.object);
            finding.because(stop.step.origin.span, format!("can fail {}", stopped::reason(stop)));
            finding.stops.push(stopped::line(whole, stop));
            finding.instead(advice(whole, stop));
            stopped::soften_guess(finding, whole);
            if_said_unreleased(finding, whole.context.migration.is_said_unreleased());
            stopped::tell_databases(finding, whole, stop);
            return;
        }
        if let Some(doubled) = doubled(whole, &course) {
            let message = format!(
                "run again after a stop, the migration adds this a second time, as `{doubled}`: it has no name that could be taken"
            );
            let made = course.units.iter().flat_map(|unit| &unit.steps).find(|step| adds_unnamed(step)).cloned();
            let origin = made.map_or_else(|| stop.step.origin.clone(), |step| step.origin.clone());
            let finding = findings.report(&origin, "rerun", true, message);
            finding.object(&doubled);
            finding.because(stop.step.origin.span, format!("can fail {}", stopped::reason(stop)));
            finding.stops.push(stopped::line(whole, stop));
            finding.instead("-- name the constraint: then it cannot be added twice");
            stopped::soften_guess(finding, whole);
            if_said_unreleased(finding, whole.context.migration.is_said_unreleased());
            return;
        }
    }
}

fn because_of(kind: FailureKind, object: &str) -> String {
    match kind {
        FailureKind::Missing => format!("as `{object}` is gone already"),
        _ => format!("as `{object}` is there already"),
    }
}

fn adds_unnamed(step: &Passed) -> bool {
    step.operation.added_foreign_keys().iter().any(|key| key.constraint.name.is_none())
}

/// What a second run makes that the first would not have.
fn doubled(whole: &Whole, course: &Course) -> Option<String> {
    let changes = course.end.schema.difference(&whole.after.schema, Shared::Since(&whole.before.schema));
    let extra = changes.into_iter().find(|change| {
        change.kind == ChangeKind::Extra && change.certain && matches!(change.object, "constraint" | "index")
    });
    extra.map(|change| change.name)
}

/// What each statement needs that the second run meets again: it stops at the first of them, and then at the next.
fn advice(whole: &Whole, stop: &Stop) -> String {
    let in_ruby = whole.context.plan.history.framework == Framework::Rails;
    let passed = whole.course().units.iter().take(stop.passed).flat_map(|unit| &unit.steps);
    let mut needed: Vec<String> = Vec::new();
    let mut note = |words: Guard| {
        let words = if in_ruby { words.ruby } else { words.sql };
        if !needed.contains(&words) {
            needed.push(words);
        }
    };
    passed.flat_map(|step| repeatable(&step.operation)).for_each(&mut note);
    // What the statement that failed has left is no more than half of it.
    if let (Operation::CreateIndex(create), Some(_)) = (&stop.step.operation, stop.phase) {
        note(cleared(create));
    }
    let checked =
        if whole.context.plan.history.runner.checksums { ", in a migration that is not shipped yet" } else { "" };
    format!(
        "-- {}{checked};\n-- or one statement a migration, so that each stop is a state from which it runs again",
        needed.join(",\n-- ")
    )
}

/// What makes a statement one that runs twice, in both languages.
struct Guard {
    sql: String,
    ruby: String,
}

impl Guard {
    fn new(sql: impl Into<String>, ruby: impl Into<String>) -> Guard {
        Guard { sql: sql.into(), ruby: ruby.into() }
    }

    /// Where no call has an option for it.
    fn same(words: &str) -> Guard {
        Guard::new(words, words)
    }
}

/// A build that failed leaves its index INVALID, and IF NOT EXISTS would take that.
fn cleared(create: &CreateIndex) -> Guard {
    let name = create.name.as_ref().map_or_else(|| "…".to_owned(), ToString::to_string);
    let schema = create.table.schema.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
    Guard::new(
        format!("DROP INDEX CONCURRENTLY IF EXISTS {schema}{name} before its build"),
        format!(
            "`remove_index :{}, name: \"{name}\", algorithm: :concurrently, if_exists: true` before its build",
            create.table.name
        ),
    )
}

/// What makes a statement one that runs twice; nothing where it does.
fn repeatable(operation: &Operation) -> Vec<Guard> {
    match operation {
        Operation::CreateIndex(create) if !create.if_not_exists => vec![cleared(create)],
        Operation::CreateTable(create) if !create.if_not_exists => vec![created()],
        Operation::CreateTableAs(create) if !create.if_not_exists => vec![created()],
        Operation::AlterTable(alter) => alter.actions.iter().filter_map(|action| altered(&action.kind)).collect(),
        Operation::Drop(drop) if !drop.if_exists => {
            vec![Guard::new("DROP … IF EXISTS", "`if_exists: true` for what is dropped")]
        }
        Operation::CreateTrigger(create) if !create.or_replace => {
            vec![Guard::same("DROP TRIGGER IF EXISTS before CREATE TRIGGER")]
        }
        Operation::CreateFunction(create) if !create.or_replace => vec![Guard::same("CREATE OR REPLACE FUNCTION")],
        Operation::CreateType(_) => vec![Guard::same("a guard that looks whether the type is there")],
        Operation::Rename(_) => vec![Guard::same("a guard that looks under which name it is there")],
        _ => Vec::new(),
    }
}

fn created() -> Guard {
    Guard::new("CREATE TABLE IF NOT EXISTS", "`if_not_exists: true` for the table")
}

fn altered(kind: &TableActionKind) -> Option<Guard> {
    Some(match kind {
        TableActionKind::AddColumn { if_not_exists: false, .. } => {
            Guard::new("ADD COLUMN IF NOT EXISTS", "`if_not_exists: true` for the column")
        }
        TableActionKind::AddConstraint(added) => {
            let sql = "DROP CONSTRAINT IF EXISTS in the same ALTER TABLE, before the ADD";
            match added.kind {
                ConstraintKind::Foreign(_) => {
                    Guard::new(sql, "`unless foreign_key_exists?(…)` behind `add_foreign_key`")
                }
                ConstraintKind::Check(_) => {
                    Guard::new(sql, "`unless check_constraint_exists?(…)` behind `add_check_constraint`")
                }
                _ => Guard::same(sql),
            }
        }
        TableActionKind::DropColumn { if_exists: false, .. } => {
            Guard::new("DROP COLUMN IF EXISTS", "`if_exists: true` for the column")
        }
        TableActionKind::DropConstraint { if_exists: false, .. } => {
            Guard::new("DROP CONSTRAINT IF EXISTS", "`if_exists: true` for the constraint that is removed")
        }
        _ => return None,
    })
}

/// IF NOT EXISTS, or a guard, takes what is broken or different for what is wanted.
pub fn keeps_invalid(whole: &Whole, findings: &mut Findings) {
    after_stop(whole, findings);
    for unit in &whole.course().units {
        for (step, before) in unit.steps.iter().zip(&unit.befores) {
            if_not_exists::other_definition(whole, step, &before.schema, findings);
        }
    }
}

fn after_stop(whole: &Whole, findings: &mut Findings) {
    let mut told: Vec<String> = Vec::new();
    for stop in tried(whole) {
        let course = again(whole, stop);
        if course.failed.is_some() || course.unread {
            continue;
        }
        let changes = course.end.schema.difference(&whole.after.schema, Shared::Since(&whole.before.schema));
        for change in changes {
            let broken = change.kind == ChangeKind::Differs
                && change.certain
                && matches!(change.object, "index" | "constraint")
                && change.aspect == Aspect::Valid { now: false };
            if !broken || told.contains(&change.name) {
                continue;
            }
            told.push(change.name.clone());
            let short = change.name.rsplit('.').next().unwrap_or(&change.name).to_owned();
            let what = if change.object == "index" { "INVALID" } else { "NOT VALID" };
            let message = format!(
                "run again after a failure, this takes the {what} `{short}` that was left for the one it wants: the migration passes, and `{short}` stays {what}"
            );
            let finding = findings.report(&stop.step.origin, "rerun keeps", true, message);
            let unique = match &stop.step.operation {
                Operation::CreateIndex(create) => create.unique,
                _ => true,
            };
            // An index that only queries miss is slow, not wrong.
            if !unique {
                finding.severity = finding.severity.min(Severity::Warning);
            }
            finding.object(&change.name);
            stopped::soften_guess(finding, whole);
            // One hazard of one migration, however many indexes it builds so.
            finding.one_per(format!("left {what} {unique}"));
            finding.stops.push(stopped::line(whole, stop));
            if change.object == "index" {
                // Beside another statement of one simple query neither could run.
                let guarded = matches!(&stop.step.operation, Operation::CreateIndex(create) if !create.if_not_exists);
                let place = match whole.context.migration.transaction {
                    // What stands in a migration before it has run by then, and does not run again.
                    TransactionUnit::SimpleQuery => {
                        "-- without IF NOT EXISTS: run again it fails instead of passing, and whoever sees that runs"
                    }
                    _ if guarded => "-- before what asks whether it is there, outside of a transaction as it is",
                    // What stands between StatementBegin and StatementEnd is sent as one query.
                    _ if whole.context.plan.history.framework == Framework::Goose => {
                        "-- before it, in no StatementBegin block or in one of its own, outside of a transaction as it is"
                    }
                    _ => "-- on the line before it, outside of a transaction as it is",
                };
                finding.instead(format!("{place}\nDROP INDEX CONCURRENTLY IF EXISTS {};", change.name));
            } else {
                finding.instead("-- a guard that asks for `convalidated` too");
            }
        }
    }
}
