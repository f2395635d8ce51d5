//! Tables and columns that no release has brought to a database yet: nobody waits for them, and no code that runs names
//! them.

use super::Rule;
use super::page::Concern;
use crate::finding::{Finding, Severity};
use crate::history::{Context, HardlyRan, State};
use crate::schema::Existence;

/// By how others are let wait or code fails they are judged; the value of a label is code's too.
const ALSO: [&str; 1] = ["enum-value-removed"];

/// How long others wait here hangs on the referencing table alone, which is named first.
const OF_FIRST: [&str; 2] = ["column-fk-scan", "fk-validated-on-add"];

/// What rests on such tables and columns alone is worth a note.
pub fn soften(rule: &Rule, context: &Context, before: &State, found: &mut [Finding]) {
    let migrations = &context.plan.history.migrations;
    let concern = rule.page().concern;
    let is_asked = matches!(concern, Some(Concern::Waits | Concern::Code)) || ALSO.contains(&rule.id);
    if !is_asked || migrations.iter().all(|one| one.hardly_there.is_none()) {
        return;
    }
    for finding in found.iter_mut().filter(|finding| finding.severity > Severity::Note) {
        if let Some(why) = unreleased(context, before, finding, concern != Some(Concern::Waits)) {
            finding.message.push_str(&format!("; what it touches came with a migration that hardly ran: {why}"));
            finding.severity = Severity::Note;
        }
    }
}

/// Why hardly a database has what a finding is about: its columns, where they count, or else its tables.
fn unreleased(context: &Context, before: &State, finding: &Finding, of_columns: bool) -> Option<String> {
    let schema = &before.schema;
    let (mut tables, mut columns) = (Vec::new(), Vec::new());
    for object in &finding.objects {
        let relation = schema.relations().find(|one| one.as_table().is_some() && one.name.prints_as(object));
        if let Some(relation) = relation {
            tables.push(&relation.existence);
            continue;
        }
        let Some((table, name)) = object.rsplit_once('.').filter(|_| of_columns) else { continue };
        let relation = schema.relations().find(|one| one.name.prints_as(table));
        let own = relation.and_then(|one| one.as_table()).map(|table| &table.columns);
        let printed = own.into_iter().flatten().map(|one| (one.name.to_string(), one));
        columns.extend(printed.filter(|(printed, _)| printed == name).map(|(_, one)| &one.existence));
    }
    if OF_FIRST.contains(&finding.rule) {
        tables.truncate(1);
    }
    let asked = if columns.is_empty() { tables } else { columns };
    let why: Option<Vec<&HardlyRan>> = asked.into_iter().map(|one| hardly_ran(context, one)).collect();
    why?.first().map(|why| why.words())
}

/// Where a plan of its own says what is released, it says so for who edits it, not for who has run it.
fn hardly_ran<'a>(context: &Context<'a>, existence: &Existence) -> Option<&'a HardlyRan> {
    let Existence::Created { by } = existence else { return None };
    let creator = context.plan.migration_of(by.span)?;
    let why = context.plan.history.migrations[creator].hardly_there.as_ref()?;
    matches!(why, HardlyRan::For { .. } | HardlyRan::Untagged { .. } | HardlyRan::Unmerged { .. }).then_some(why)
}
