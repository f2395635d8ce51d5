//! A statement about something that this history dropped or renamed.

use super::Findings;
use crate::finding::FAILS;
use crate::history::{SinceBase, Step};
use crate::schema::{Failure, FailureKind};

pub fn check(step: &Step, findings: &mut Findings) {
    report(step, FailureKind::Missing, findings);
}

/// Says that a statement fails, as PostgreSQL will say it, and what makes it so.
pub fn report(step: &Step, kind: FailureKind, findings: &mut Findings) {
    let Some(failure) = step.applied.failure().filter(|failure| failure.kind == kind) else { return };
    let Failure { state, message, object, because, certain, .. } = failure;
    // A guard that cannot be decided, or an object that may or may not be there, is no reason to call a statement
    // wrong: histories that ran in production are full of them.
    if !(step.certain && *certain) {
        return;
    }
    let plan = step.context.plan;
    let maker = because.as_ref().and_then(|because| plan.history.migrations.get(plan.migration_of(because.span)?));
    // Nothing that was shipped makes it but the dump: whoever ran the migrations has it not.
    let from_dump = kind == FailureKind::Duplicate && maker.is_some_and(|maker| maker.dump.is_some());
    // Databases that ran it have what it made; those made anew do not.
    let gone = maker.filter(|maker| kind == FailureKind::Duplicate && maker.since_base == SinceBase::Deleted);
    let where_it_fails = match gone {
        _ if from_dump => " on databases that were installed from the shipped dump".to_owned(),
        Some(gone) => format!(" on databases that ran `{}`, which this change deletes", gone.title()),
        None => String::new(),
    };
    let finding = findings.report(
        step.origin,
        step.operation.word(),
        true,
        format!("this statement fails{where_it_fails}: {message} (SQLSTATE {state})"),
    );
    finding.object(object);
    finding.one_per(FAILS);
    if gone.is_some() {
        finding.instead(
            "-- bring the deleted migration back as it was shipped, and say in a new one what is to be otherwise",
        );
    }
    if let Some(because) = because {
        let text = match kind {
            FailureKind::Missing => format!("`{object}` ends here"),
            FailureKind::Duplicate if from_dump => format!("the dump has `{object}`, which no shipped migration makes"),
            FailureKind::Duplicate => format!("`{object}` is made here"),
            FailureKind::NotUnique
            | FailureKind::WithoutPartitionKey
            | FailureKind::Inherited
            | FailureKind::BehindConstraint
            | FailureKind::DependedOn
            | FailureKind::NoCast
            | FailureKind::Refused => format!("`{object}` is as it is since here"),
        };
        finding.because(because.span, text);
    }
}
