//! Columns that go or get another name while a model of the application, or a function of the database, uses them.

use super::gone::{Dropped, dropped};
use super::renamed::{Renamed, renamed};
use super::used_by_functions::{self, Caller};
use super::{Findings, say};
use crate::finding::{Finding, Severity};
use crate::history::{Ignored, Model, Passed, Phase, TransactionUnit, Use, Whole};
use crate::operation::{Ident, Operation, TypeName};
use crate::rails::write;
use crate::schema::{Column, Relation};

/// Functions named where many use a column.
const SHOWN: usize = 3;

/// Columns of one table that one statement takes from the code.
struct Taken<'a> {
    step: &'a Passed,
    relation: &'a Relation,
    columns: Vec<&'a Column>,
    is_rename: bool,
}

pub fn check(whole: &Whole, findings: &mut Findings) {
    for Dropped { step, relation, mut columns } in dropped(whole) {
        columns.retain(|column| !goes_on(whole, relation, column));
        taken(whole, &Taken { step, relation, columns, is_rename: false }, findings);
    }
    for Renamed { step, relation, columns } in renamed(whole) {
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        taken(whole, &Taken { step, relation, columns, is_rename: true }, findings);
    }
}

/// Made anew in the same transaction, under a type that takes what code writes that knows the old one: it never misses
/// the column. That its values are lost is for another rule.
fn goes_on(whole: &Whole, relation: &Relation, column: &Column) -> bool {
    let now = whole.after.schema.get_relation(relation.id).and_then(Relation::as_table);
    let Some(again) = now.and_then(|table| table.column(&column.name)) else { return false };
    let is_text = |one: &TypeName| matches!(one.name.name.as_str(), "text" | "character varying") && !one.array;
    let takes_any = again.data_type.as_ref().is_some_and(is_text);
    whole.context.migration.transaction != TransactionUnit::Statement
        && (again.data_type == column.data_type || takes_any)
}

/// The model that is known to look away from a column, so that it may go.
pub(super) fn is_ignored(whole: &Whole, relation: &Relation, column: &Ident) -> bool {
    match use_of(whole, relation, column) {
        Use::Ignored(_, ignored) => ignored.shipped != Some(false) || runs_after_the_code(whole),
        Use::Used(_) | Use::Unknown => false,
    }
}

/// The class that ignores a column from this release on, so that what it writes leaves it out.
pub(super) fn is_ignored_by_code<'a>(
    whole: &Whole<'a>,
    relation: &Relation,
    column: &Ident,
) -> Option<(&'a str, crate::source::Span)> {
    match use_of(whole, relation, column) {
        Use::Ignored(model, ignored) => Some((&model.class, ignored.span)),
        Use::Used(_) | Use::Unknown => None,
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
    let callers = callers_of(whole, taken);
    if let Some((_, model)) = used.first() {
        let columns: Vec<&Ident> = used.iter().map(|(column, _)| *column).collect();
        still_used(taken, &columns, model, &callers, findings);
    } else if !callers.is_empty() {
        still_named(taken, &callers, findings);
    }
    if let Some((_, model, ignored)) = late.first() {
        let names: Vec<String> = late.iter().map(|(column, ..)| column.to_string()).collect();
        ignored_late(taken, &names, model, ignored, findings);
    }
}

/// Functions whose bodies name a column that is gone when the migration is over, and that nothing mends later.
fn callers_of<'a>(whole: &'a Whole, taken: &Taken) -> Vec<Caller<'a>> {
    let schema = &whole.after.schema;
    let Some(relation) = schema.get_relation(taken.relation.id) else { return Vec::new() };
    let Some(table) = relation.as_table() else { return Vec::new() };
    let gone = taken.columns.iter().map(|column| &column.name).filter(|name| table.column(name).is_none());
    let gone: Vec<&Ident> = gone.collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let mut callers = used_by_functions::callers(schema, relation, &gone);
    callers.retain(|caller| {
        let mends = |operation: &Operation| match operation {
            Operation::CreateFunction(create) => create.name.name == caller.function.name.name,
            Operation::Drop(drop) => drop.targets.iter().any(|one| one.name.name == caller.function.name.name),
            _ => false,
        };
        let (context, at) = (&whole.context, taken.step.origin.span);
        context.plan.find_later(context.at.migration, at, &|statement| mends(&statement.operation)).is_none()
    });
    callers
}

fn still_named(taken: &Taken, callers: &[Caller], findings: &mut Findings) {
    let mut functions: Vec<String> = callers.iter().map(|caller| caller.function.name.short()).collect();
    functions.dedup();
    let mut names: Vec<String> = callers.iter().map(|caller| caller.column.to_string()).collect();
    names.sort();
    names.dedup();
    let (table, list) = (taken.relation.name.short(), say::list(&names));
    let message = match functions.as_slice() {
        [one] => format!("function `{one}` still names {list} of `{table}`: it fails when it is next called"),
        many => {
            format!("functions {} still name {list} of `{table}`: they fail when they are next called", say::list(many))
        }
    };
    let known = callers.iter().all(|caller| caller.function.existence.is_certain());
    let finding = report(taken, &names, taken.step.certain && known, message, findings);
    finding.object(&callers[0].function.name);
    because_of(finding, callers);
    finding.instead(format!(
        "-- in the same transaction, so that no call meets the old body:\n\
         CREATE OR REPLACE FUNCTION {}(…) … -- as it is now, without {list}",
        callers[0].function.name
    ));
}

fn because_of(finding: &mut Finding, callers: &[Caller]) {
    for caller in callers.iter().take(SHOWN) {
        finding.because(caller.at, format!("`{}` names `{}` here", caller.function.name.short(), caller.column));
    }
}

fn still_used(taken: &Taken, columns: &[&Ident], model: &Model, callers: &[Caller], findings: &mut Findings) {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let (class, table, list) = (&model.class, taken.relation.name.short(), say::list(&names));
    let message = format!(
        "`{class}` uses {list} of `{table}`: code that runs has read the table's columns and names {} until it is \
         started anew",
        them(&names)
    );
    let certain = taken.step.certain && taken.columns.iter().all(|column| column.existence.is_certain());
    let finding = report(taken, &names, certain, message, findings);
    finding.because(model.span, format!("`{class}` does not ignore {list}"));
    because_of(finding, callers);
    if taken.is_rename {
        finding.instead(format!(
            "# add the new name as a column of its own, let the model write both, fill the old rows in batches; \
             then ignore {list} in one release and drop {} in the next",
            them(&names)
        ));
        return;
    }
    // Ruby's strings hold a name as it is, whatever quotes SQL asks for.
    let quoted: Vec<String> = columns.iter().map(|column| write::string(column.as_str())).collect();
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
