//! What a migration does hangs on the database that it meets: on its rows, or on what a condition finds there.

use super::in_use::found_each;
use super::{Findings, say, stopped};
use crate::history::{Step, Whole};
use crate::operation::{Expr, FrameKind, Name, Node, Operation};
use crate::server::{DataCheck, Effects};
use crate::source::Span;
use crate::version::Major;

/// A step that passes on empty tables and can fail where rows are.
pub fn depends_on_data(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let in_use = |check: &&DataCheck| {
        super::in_use::is_in_use(step, check.relation)
            && !step.context.is_about_new_columns(step.before, Some(step.after), step.operation, check)
    };
    let asked = |effects: &Effects| {
        let checks: Vec<DataCheck> = effects.validates.iter().filter(in_use).cloned().collect();
        (!checks.is_empty()).then_some(checks)
    };
    for (majors, checks) in found_each(step, asked) {
        fails_on_rows(step, majors, &checks, findings);
    }
}

fn fails_on_rows(step: &Step, majors: Vec<Major>, checks: &[DataCheck], findings: &mut Findings) {
    let Some(check) = checks.first() else { return };
    let schema = &step.before.schema;
    let passed = step.passed();
    let table = say::name(schema, check.relation);
    let (stops, passes) = stopped::databases(&step.context, schema, checks);
    let message = if !stops.is_empty() && !passes.is_empty() {
        let where_not = say::list(&passes);
        format!(
            "passes on {where_not}, where `{table}` holds no rows; on {} it fails where rows do not fit ({})",
            say::list(&stops),
            check.state
        )
    } else {
        format!("passes where `{table}` is empty, and fails where rows do not fit ({})", check.state)
    };
    let finding = findings.report(step.origin, "depends on data", step.certain, message);
    finding.postgres = majors;
    finding.brief = format!("it fails where {} ({})", misfit(check.state), check.state);
    for check in checks {
        if let Some(relation) = schema.get_relation(check.relation) {
            finding.object(&relation.name);
            // As rules on constraints name them.
            finding.objects.extend(check.constraint.iter().map(|name| format!("{}.{name}", relation.name)));
        }
        finding.objects.extend(check.constraint.iter().map(ToString::to_string));
    }
    finding.databases = if passes.is_empty() { Vec::new() } else { stops };
    if let Some(query) = stopped::verify(schema, &passed, check) {
        finding.verify(query);
    }
}

/// What rows are like that do not fit, by the SQLSTATE.
fn misfit(state: &str) -> &'static str {
    match state {
        "23502" => "a row has no value",
        "23503" => "a row refers to none",
        "23505" => "two rows have the same key",
        "23514" => "a row breaks it",
        "23P01" => "two rows exclude each other",
        _ => "rows do not fit",
    }
}

/// Steps behind a condition that the history does not decide.
pub fn state_dependent(whole: &Whole, findings: &mut Findings) {
    let changes = |operation: &Operation| {
        matches!(
            operation,
            Operation::CreateTable(_)
                | Operation::AlterTable(_)
                | Operation::CreateIndex(_)
                | Operation::Drop(_)
                | Operation::Rename(_)
                | Operation::CreateTrigger(_)
                | Operation::CreateType(_)
                | Operation::CreateView(_)
        )
    };
    let undecided = |step: &&crate::history::Passed| {
        !step.certain && step.origin.frames.iter().any(|frame| frame.kind == FrameKind::Undecided)
    };
    let asks = |step: &&crate::history::Passed| {
        let frames = step.origin.frames.iter().filter(|frame| frame.kind == FrameKind::Undecided);
        frames.into_iter().any(|frame| whole.context.migration.up.nodes.iter().any(|node| asks_data(node, frame.span)))
    };
    let mut steps = whole.steps.iter().filter(undecided).filter(|step| changes(&step.operation)).filter(asks);
    let Some(step) = steps.next() else { return };
    let what = stopped::doing(step);
    let message =
        format!("{what} hangs on the database that it meets: from here on the schema is not the same everywhere");
    let finding = findings.report(&step.origin, "state dependent", true, message);
    finding.one_per("state");
    if let Some(frame) = step.origin.frames.iter().find(|frame| frame.kind == FrameKind::Undecided) {
        finding.because(frame.span, "nothing in the history decides this");
    }
    finding.instead(
        "-- decide it in the migration: IF EXISTS and IF NOT EXISTS on the objects themselves, or two migrations",
    );
}

/// The condition at this place asks for rows, settings or who is there, not whether an object exists: a guard of that kind
/// leads to one schema everywhere.
fn asks_data(node: &Node, place: Span) -> bool {
    match node {
        Node::Guard { branches, otherwise } => {
            let own =
                branches.iter().any(|branch| branch.condition.span == place && is_about_data(&branch.condition.tree));
            let bodies = branches.iter().flat_map(|branch| &branch.body).chain(otherwise);
            own || bodies.into_iter().any(|node| asks_data(node, place))
        }
        Node::Loop(body) => body.body.iter().any(|node| asks_data(node, place)),
        Node::Block { body, handlers } => {
            let handled = handlers.iter().flat_map(|handler| &handler.body);
            body.iter().chain(handled).any(|node| asks_data(node, place))
        }
        Node::Statement(statement) => match &statement.operation {
            Operation::Do(block) => block.body.nodes.iter().any(|node| asks_data(node, place)),
            _ => false,
        },
        _ => false,
    }
}

fn is_about_data(condition: &Expr) -> bool {
    const SURROUNDINGS: [&str; 6] =
        ["current_setting", "current_database", "version", "current_user", "session_user", "inet_server_addr"];
    let is_catalog = |name: &Name| {
        let schema = name.schema.as_ref().map_or("", |schema| schema.as_str());
        matches!(schema, "pg_catalog" | "information_schema") || name.name.as_str().starts_with("pg_")
    };
    let queries = condition.queries();
    let reads = queries.iter().flat_map(|query| query.reads()).any(|name| !is_catalog(name));
    let calls = condition.calls().into_iter().chain(queries.iter().flat_map(|query| query.calls()));
    reads || calls.into_iter().any(|name| SURROUNDINGS.contains(&name.name.as_str()))
}
