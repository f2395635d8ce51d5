//! Columns that go or get another name while a model of the application uses them.

use super::gone::{Dropped, dropped};
use super::renamed::{Renamed, renamed};
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Ignored, Model, Passed, Phase, Use, Whole};
use crate::operation::Ident;
use crate::schema::Relation;

pub fn check(whole: &Whole, findings: &mut Findings) {
    for Dropped { step, relation, columns } in dropped(whole) {
        let names: Vec<&Ident> = columns.iter().map(|column| &column.name).collect();
        let certain = columns.iter().all(|column| column.existence.is_certain());
        gone(whole, step, relation, &names, certain, findings);
    }
    for Renamed { step, relation, columns } in renamed(whole) {
        let names: Vec<&Ident> = columns.iter().map(|(column, _)| &column.name).collect();
        let certain = columns.iter().all(|(column, _)| column.existence.is_certain());
        // A model that ignores the old name does not know the new one either: nothing of it breaks.
        gone(whole, step, relation, &names, certain, findings);
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

fn gone(whole: &Whole, step: &Passed, relation: &Relation, columns: &[&Ident], certain: bool, findings: &mut Findings) {
    let (mut used, mut late): (Vec<(&Ident, &Model)>, Vec<(&Ident, &Model, &Ignored)>) = (Vec::new(), Vec::new());
    for column in columns {
        match use_of(whole, relation, column) {
            Use::Used(model) => used.push((column, model)),
            Use::Ignored(model, ignored) if !is_ignored(whole, relation, column) => late.push((column, model, ignored)),
            Use::Ignored(..) | Use::Unknown => {}
        }
    }
    let certain = certain && step.certain;
    if let Some((_, model)) = used.first() {
        let names: Vec<String> = used.iter().map(|(column, _)| column.to_string()).collect();
        still_used(step, relation, &names, model, certain, findings);
    }
    if let Some((_, model, ignored)) = late.first() {
        let names: Vec<String> = late.iter().map(|(column, ..)| column.to_string()).collect();
        ignored_late(step, relation, &names, model, ignored, findings);
    }
}

fn still_used(
    step: &Passed,
    relation: &Relation,
    names: &[String],
    model: &Model,
    certain: bool,
    findings: &mut Findings,
) {
    let (class, table, list) = (&model.class, relation.name.short(), say::list(names));
    let message = format!(
        "`{class}` uses {list} of `{table}`: code that runs has read the table's columns and names {} until it is \
         started anew",
        if names.len() == 1 { "it" } else { "them" }
    );
    let finding = findings.report(&step.origin, "drop-column", certain, message);
    objects(finding, relation, names);
    finding.because(model.span, format!("`{class}` does not ignore {list}"));
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    finding.instead(format!(
        "# in a release before the one with this migration:\nself.ignored_columns += [{}]",
        quoted.join(", ")
    ));
}

fn ignored_late(
    step: &Passed,
    relation: &Relation,
    names: &[String],
    model: &Model,
    ignored: &Ignored,
    findings: &mut Findings,
) {
    let (class, table, list) = (&model.class, relation.name.short(), say::list(names));
    let message = format!(
        "`{class}` ignores {list} of `{table}` only from this change on: the release before it names {} while the \
         migration runs",
        if names.len() == 1 { "it" } else { "them" }
    );
    let finding = findings.report(&step.origin, "drop-column", step.certain, message);
    finding.severity = finding.severity.min(Severity::Warning);
    objects(finding, relation, names);
    finding.because(ignored.span, "ignored here, and not in what is shipped".to_owned());
    finding.instead("# ignore it in this release, and let the migration come with the next one".to_owned());
}

fn objects(finding: &mut crate::finding::Finding, relation: &Relation, names: &[String]) {
    finding.object(&relation.name);
    for name in names {
        finding.object(format!("{}.{name}", relation.name));
    }
}
