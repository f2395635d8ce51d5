//! A table that no statement ever made, in a history that makes all that it names, and whose name is hardly another than
//! that of a table which it made.

use super::Findings;
use crate::finding::FAILS;
use crate::history::Step;
use crate::operation::{Ident, Name};
use crate::schema::{Existence, Relation, Schema};

/// So many tables show that a history begins with making what it is about.
const MOST_LIKELY_WHOLE: usize = 3;

/// A statement takes a table for granted that is most likely another one's name.
pub fn check(step: &Step, findings: &mut Findings) {
    let schema = &step.before.schema;
    // What a statement takes for granted is the newest of all when it runs.
    let newest = schema.relations().rev().take_while(|one| is_first_named_by(step, one));
    let Some(named) = newest.last().filter(|_| step.certain) else { return };
    let Some(meant) = meant(step, &named.name.as_name()) else { return };
    let (name, meant) = (named.name.short(), meant.name.short());
    let message = format!(
        "this statement fails: relation \"{name}\" does not exist (SQLSTATE 42P01); nothing makes it, and `{meant}` is made"
    );
    let finding = findings.report(step.origin, "names", true, message);
    finding.object(&named.name);
    finding.one_per(FAILS);
    finding.instead(format!("-- `{meant}`, by all that is seen"));
}

fn is_first_named_by(step: &Step, relation: &Relation) -> bool {
    matches!(&relation.existence, Existence::Assumed { first_named } if first_named.span == step.origin.span)
}

/// The table that a name which nothing made is most likely meant to be: all else that the history names it made.
pub(super) fn meant<'a>(step: &Step<'a>, name: &Name) -> Option<&'a Relation> {
    let (history, schema) = (step.context.plan.history, &step.before.schema);
    let is_other = |one: &Relation| matches!(one.existence, Existence::Assumed { .. }) && !is_first_named_by(step, one);
    let has_dump = history.migrations.iter().any(|one| one.dump.is_some());
    if !history.complete || has_dump || schema.has_unread() || schema.relations().any(is_other) {
        return None;
    }
    let made = made(schema);
    if made.len() < MOST_LIKELY_WHOLE {
        return None;
    }
    let in_schema = |one: &Relation| name.schema.as_ref().is_none_or(|own| *own == one.name.schema);
    let mut near = made.iter().filter(|one| in_schema(one) && is_near(&one.name.name, &name.name));
    // One of several alike is one more of them: something else makes those.
    let found = near.next().filter(|_| near.next().is_none())?;
    let is_one_of_many = made.iter().any(|one| one.id != found.id && is_near(&one.name.name, &found.name.name));
    (!is_one_of_many).then_some(*found)
}

fn made(schema: &Schema) -> Vec<&Relation> {
    schema
        .tables()
        .map(|(relation, _)| relation)
        .filter(|one| matches!(one.existence, Existence::Created { .. }))
        .collect()
}

/// A letter or two are another one: a number is a name of its own.
fn is_near(one: &Ident, other: &Ident) -> bool {
    let (one, other) = (one.as_str(), other.as_str());
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let most = if one.len().min(other.len()) < 8 { 1 } else { 2 };
    one.len().min(other.len()) > 3 && letters(one) != letters(other) && strsim::damerau_levenshtein(one, other) <= most
}
