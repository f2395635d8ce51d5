//! Columns that go or get another name while a model of the application uses them.

use super::gone::{Dropped, dropped};
use super::renamed::{Renamed, renamed};
use super::{Findings, say};
use crate::finding::{Finding, Severity};
use crate::history::{Ignored, Model, Passed, Phase, Use, Whole};
use crate::operation::Ident;
use crate::schema::{Column, Relation};

/// Columns of one table that one statement takes from the code.
struct Taken<'a> {
    step: &'a Passed,
    relation: &'a Relation,
    columns: Vec<&'a Column>,
    is_rename: bool,
}

pub fn check(whole: &Whole, findings: &mut Findings) {
    for Dropped { step, relation, columns } in dropped(whole) {
        taken(whole, &Taken { step, relation, columns, is_rename: false }, findings);
    }
    for Renamed { step, relation, columns } in renamed(whole) {
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        taken(whole, &Taken { step, relation, columns, is_rename: true }, findings);
    }
}

/// The model that is known to look away from a column, so that it may go.
pub(super) fn is_ignored(whole: &Whole, relation: &Relation, column: &Ident) -> bool {
    match use_of(whole, relation, column) {
        Use::Ignored(_, ignored) => ignored.shipped != Some(false) || runs_after_the_code(whole),
        Use::Used(_) | Use::Unknown => false,
    }
}

fn use_of<'a>(whole: &Whole<'a>, relation: &Relation, column: &Ident) -> Use<'a> {
    whole.context.plan.history.application.use_of(&relation.name.name, column)
}

fn runs_after_the_code(whole: &Whole) -> bool {
    whole.context.migration.phase == Some(Phase::AfterDeploy)
}

fn taken(whole: &Whole, taken: &Taken, findings: &mut Findings) {
    let mut used: Vec<(&Ident, &Model)> = Vec::new();
    let mut late: Vec<(&Ident, &Model, &Ignored)> = Vec::new();
    for column in taken.columns.iter().map(|column| &column.name) {
        match use_of(whole, taken.relation, column) {
            Use::Used(model) => used.push((column, model)),
            Use::Ignored(model, ignored) if !is_ignored(whole, taken.relation, column) => {
                late.push((column, model, ignored));
            }
            Use::Ignored(..) | Use::Unknown => {}
        }
    }
    if let Some((_, model)) = used.first() {
        let names: Vec<String> = used.iter().map(|(column, _)| column.to_string()).collect();
        still_used(taken, &names, model, findings);
    }
    if let Some((_, model, ignored)) = late.first() {
        let names: Vec<String> = late.iter().map(|(column, ..)| column.to_string()).collect();
        ignored_late(taken, &names, model, ignored, findings);
    }
}

fn still_used(taken: &Taken, names: &[String], model: &Model, findings: &mut Findings) {
    let (class, table, list) = (&model.class, taken.relation.name.short(), say::list(names));
    let message = format!(
        "`{class}` uses {list} of `{table}`: code that runs has read the table's columns and names {} until it is \
         started anew",
        them(names)
    );
    let certain = taken.step.certain && taken.columns.iter().all(|column| column.existence.is_certain());
    let finding = report(taken, names, certain, message, findings);
    finding.because(model.span, format!("`{class}` does not ignore {list}"));
    if taken.is_rename {
        finding.instead(format!(
            "# add the new name as a column of its own, let the model write both, fill the old rows in batches; \
             then ignore {list} in one release and drop {} in the next",
            them(names)
        ));
        return;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    finding.instead(format!(
        "# in a release before the one with this migration:\nself.ignored_columns += [{}]",
        quoted.join(", ")
    ));
}

fn ignored_late(taken: &Taken, names: &[String], model: &Model, ignored: &Ignored, findings: &mut Findings) {
    let (class, table, list) = (&model.class, taken.relation.name.short(), say::list(names));
    let message = format!(
        "`{class}` ignores {list} of `{table}` only from this change on: the release before it names {} while the \
         migration runs",
        them(names)
    );
    let finding = report(taken, names, taken.step.certain, message, findings);
    finding.severity = finding.severity.min(Severity::Warning);
    finding.because(ignored.span, "ignored here, and not in what is shipped");
    finding.instead("# ignore it in this release, and let the migration come with the next one");
}

fn them(names: &[String]) -> &'static str {
    if names.len() == 1 { "it" } else { "them" }
}

fn report<'a>(
    taken: &Taken,
    names: &[String],
    certain: bool,
    message: String,
    findings: &'a mut Findings,
) -> &'a mut Finding {
    let operation = if taken.is_rename { "rename-column" } else { "drop-column" };
    let finding = findings.report(&taken.step.origin, operation, certain, message);
    finding.object(&taken.relation.name);
    for name in names {
        finding.object(format!("{}.{name}", taken.relation.name));
    }
    finding
}
