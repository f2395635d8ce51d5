//! A statement about something that this history dropped or renamed.

use super::shipped::if_hardly_ran;
use super::{Findings, fresh, mistyped};
use crate::finding::{FAILS, Severity};
use crate::history::{Context, SinceBase, Step};
use crate::operation::{Ident, Name, Operation, Origin};
use crate::schema::{Column, Constraint, Existence, Failure, FailureKind, Relation, Schema};
use crate::version::Major;

pub fn check(step: &Step, findings: &mut Findings) {
    report(step, FailureKind::Missing, findings);
    made_later(step, findings);
    mistyped::check(step, findings);
}

/// Only a statement that names it shows that it is there.
fn assumed<'a>(step: &'a Step, failure: &Failure) -> Option<(&'a Relation, &'a Origin)> {
    let relation = step.before.schema.relations().find(|one| one.name.prints_as(&failure.object))?;
    match &relation.existence {
        Existence::Assumed { first_named } => Some((relation, first_named)),
        Existence::Created { .. } | Existence::Maybe { .. } => None,
    }
}

/// What is there or not, it cannot get the name that it has.
fn is_own_name(step: &Step) -> bool {
    matches!(step.operation, Operation::Rename(rename) if rename.part.is_none() && rename.object.name == rename.to)
}

/// The migration makes further down what a statement of it names already.
fn made_later(step: &Step, findings: &mut Findings) {
    let Some(failure) = step.applied.failure().filter(|failure| failure.kind == FailureKind::Duplicate) else { return };
    let Some((relation, named)) = assumed(step, failure).filter(|_| step.certain && failure.certain) else { return };
    if named.span.source != step.origin.span.source || step.context.migration.source != named.span.source {
        return;
    }
    let name = relation.name.short();
    let message = format!("this statement fails: relation \"{name}\" does not exist yet (SQLSTATE 42P01)");
    let finding = findings.report(named, "names", true, message);
    finding.object(&relation.name);
    finding.one_per(FAILS);
    finding.because(step.origin.span, format!("makes `{name}`"));
    finding.instead(format!("-- make `{name}` first"));
}

/// Why something may be there that no statement was seen to make, as the end of a sentence. Who runs migrations before
/// they are merged has seen that they pass: what is certain is what a statement took away, or what a table lacks of
/// which all is known.
fn doubt(step: &Step, failure: &Failure) -> Option<String> {
    let is_word = || failure.message.starts_with("type ") && failure.message.contains("serial\"");
    if failure.kind != FailureKind::Missing || failure.because.is_some() || is_word() {
        return None;
    }
    let schema = &step.before.schema;
    if let Some(named) = named_by_newer_servers(&step.context, schema, failure) {
        return Some(named.to_owned());
    }
    let nothing = || Some("; nothing that is read here makes it".to_owned());
    // Nor is it there, where the name is most likely another one's.
    let is_mistyped = failure.state == "42P01" && mistyped::meant(step, &named(&failure.object)).is_some();
    if is_mistyped {
        return None;
    }
    let Some((owner, part)) = failure.object.rsplit_once('.') else { return nothing() };
    let Some(relation) = schema.relations().find(|one| one.name.prints_as(owner)) else { return nothing() };
    if let Some(now) = older_name(schema, relation, part) {
        let named =
            format!("PostgreSQL before 12 named a foreign key after its first column alone: made there, `{now}`");
        return Some(format!("; {named} has this name"));
    }
    let is_known = relation.as_table().is_some_and(|table| table.columns_known)
        && matches!(relation.existence, Existence::Created { .. });
    let mut others = schema.relations().filter(|one| one.id != relation.id && one.as_index().is_none());
    match others.find(|one| one.name.name == relation.name.name) {
        Some(other) => Some(format!("; where the search_path leads to `{}`, that is what it means", other.name)),
        None if is_known => None,
        None => nothing(),
    }
}

/// A relation as messages name it.
fn named(object: &str) -> Name {
    let own = |part: &str| Ident::new(part.trim_matches('"'));
    match object.rsplit_once('.') {
        Some((schema, name)) => Name { schema: Some(own(schema)), name: own(name) },
        None => Name { schema: None, name: own(object) },
    }
}

/// A NOT NULL has a name from PostgreSQL 18 on, which ends in its column's: whoever wrote it down has such a server.
pub(super) fn named_by_newer_servers(context: &Context, schema: &Schema, failure: &Failure) -> Option<&'static str> {
    const NAMED: Major = Major(18);
    let (owner, name) = failure.object.rsplit_once('.')?;
    let own = name.trim_matches('"').trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix("_not_null")?;
    let table = schema.relations().find(|one| one.name.prints_as(owner))?.as_table()?;
    let is_of = |column: &Column| column.not_null && own.ends_with(&format!("_{}", column.name.as_str()));
    let is_older = context.majors.iter().all(|major| *major < NAMED);
    (failure.kind == FailureKind::Missing && is_older && table.columns.iter().any(is_of))
        .then_some("; it is the name that PostgreSQL 18 gives to a NOT NULL, which has none before")
}

/// The foreign key over several columns that an older server would have given this name.
fn older_name(schema: &Schema, relation: &Relation, name: &str) -> Option<String> {
    let mut keys = schema.constraints_of(relation.id).filter(|row| row.as_foreign().is_some() && row.columns.len() > 1);
    let was = |row: &&Constraint| {
        let first = row.columns.first().map(|column| schema.column_name(relation.id, *column));
        first.is_some_and(|first| name == format!("{}_{}_fkey", relation.name.name.as_str(), first.as_str()))
    };
    keys.find(was).map(|row| row.name.to_string())
}

/// Says that a statement fails, as PostgreSQL will say it, and what makes it so.
pub fn report(step: &Step, kind: FailureKind, findings: &mut Findings) {
    let Some(failure) = step.applied.failure().filter(|failure| failure.kind == kind) else { return };
    let Failure { state, message, object, because, certain, .. } = failure;
    // A guard that cannot be decided, or an object that may or may not be there, is no reason to call a statement
    // wrong: histories that ran in production are full of them.
    let unseen = kind == FailureKind::Duplicate && assumed(step, failure).is_some() && !is_own_name(step);
    if !(step.certain && *certain) || unseen || fresh::passes(&step.context, step.origin.span) {
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
    if let Some(doubt) = doubt(step, failure) {
        finding.message.push_str(&doubt);
        finding.severity = finding.severity.min(Severity::Note);
    }
    // It stops only where that ran.
    if let Some(maker) = maker.filter(|maker| maker.since_base.is_of_base()) {
        if_hardly_ran(finding, maker.hardly_ran.as_ref());
    }
    if is_own_name(step) {
        finding.instead("-- it renames what has the name already: name what is to be renamed");
        return;
    }
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
