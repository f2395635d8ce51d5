//! VALIDATE CONSTRAINT that makes others wait after all: under the lock of the ADD, or of another action.

use super::Findings;
use super::in_use::Altered;
use super::weight::held_alone;
use crate::finding::Finding;
use crate::history::{Step, TransactionUnit};
use crate::operation::{Ident, LockMode, TableActionKind};
use crate::schema::Constraint;
use crate::version::Major;

/// In the transaction that added the constraint NOT VALID, whose lock is still held.
pub fn in_same_transaction(step: &Step, findings: &mut Findings) {
    for Validation { altered, at, name, majors } in validations(step) {
        let Some(constraint) = added_in_transaction(&altered, name) else { continue };
        // An earlier statement may hold more than the ADD takes.
        let alone = constraint.as_foreign().is_none() || held_alone(step, altered.relation.id).is_some();
        let waits = if alone { "reads and writes wait" } else { "writes wait" };
        let message = format!(
            "reads all of `{}` while {waits}: this transaction still holds the lock of its ADD CONSTRAINT `{name}`",
            altered.name()
        );
        let finding = altered.report(findings, at, &majors, true, message);
        finding.object(name);
        finding.because(constraint.existence.origin().span, "takes the lock, which is held until the transaction ends");
        if let Some(held) =
            held_alone(step, altered.relation.id).filter(|held| held.by.span != constraint.existence.origin().span)
        {
            finding.because(held.by.span, format!("takes {}, which is held as long", held.mode));
        }
        apart(finding, &altered, name);
    }
}

/// Beside actions that take a stronger lock: the whole ALTER TABLE takes the strongest.
pub fn bundled(step: &Step, findings: &mut Findings) {
    for Validation { altered, at, name, majors } in validations(step) {
        if added_in_transaction(&altered, name).is_some() {
            continue;
        }
        let strong: Vec<(Major, LockMode)> = majors
            .iter()
            .filter_map(|major| Some((*major, step.effects(*major).lock_on(altered.relation.id)?)))
            .filter(|(_, mode)| mode.blocks_writes())
            .collect();
        let Some((_, mode)) = strong.first() else { continue };
        let waits = if mode.blocks_reads() { "reads and writes wait" } else { "writes wait" };
        let majors: Vec<Major> = strong.iter().map(|(major, _)| *major).collect();
        let message = format!(
            "reads all of `{}` to validate `{name}` while {waits}: the other actions of this ALTER TABLE need {mode}",
            altered.name()
        );
        let finding = altered.report(findings, at, &majors, true, message);
        finding.object(name);
        apart(finding, &altered, name);
    }
}

/// A VALIDATE that reads a table in use.
struct Validation<'a> {
    altered: Altered<'a>,
    at: usize,
    name: &'a Ident,
    majors: Vec<Major>,
}

fn validations<'a>(step: &'a Step<'a>) -> Vec<Validation<'a>> {
    let Some(altered) = Altered::of(step) else { return Vec::new() };
    let named = altered.actions().filter_map(|(at, action)| match action {
        TableActionKind::ValidateConstraint { name } => Some((at, name)),
        _ => None,
    });
    let reading = named.map(|(at, name)| Validation { altered, at, name, majors: altered.scanning(at) });
    reading.filter(|one| !one.majors.is_empty()).collect()
}

fn added_in_transaction<'a>(altered: &Altered<'a>, name: &Ident) -> Option<&'a Constraint> {
    let open = altered.step.session.transaction.as_ref()?;
    let constraint = altered.step.before.schema.find_constraint(altered.relation.id, name)?;
    open.before.schema.get_constraint(constraint.id).is_none().then_some(constraint)
}

fn apart(finding: &mut Finding, altered: &Altered, name: &Ident) {
    finding.instead(format!(
        "{}\nALTER TABLE {} VALIDATE CONSTRAINT {name};",
        own_migration(altered.step),
        altered.relation.name
    ));
}

/// How a statement is brought to run after the transaction that holds the lock has ended.
pub fn own_migration(step: &Step) -> &'static str {
    match step.context.migration.transaction {
        TransactionUnit::Statement => "-- after the COMMIT, alone",
        TransactionUnit::SimpleQuery | TransactionUnit::File => "-- in a migration of its own, after this one",
        TransactionUnit::AllPending => {
            "-- in a migration of the next release: all that are pending share one transaction"
        }
    }
}
