//! A trigger's function that names a table, column or function which is not there any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, say};
use crate::data::{Missing, MissingObject, fires};
use crate::finding::{Finding, LinkKind};
use crate::history::{Passed, State, Unit};
use crate::operation::{Name, ObjectKind, Operation, TableActionKind, TriggerState, TriggerTiming};
use crate::schema::{FunctionId, Schema, Trigger, TriggerId};
use crate::source::Span;

/// Triggers named where a function serves many tables.
const SHOWN: usize = 3;

/// One thing that one function names, with the triggers that run it.
struct Lost<'a> {
    missing: Missing,
    function: FunctionId,
    triggers: Vec<&'a Trigger>,
}

pub fn check(unit: &Unit, findings: &mut Findings) {
    let (before, after) = (unit.before, unit.after);
    let mut triggers = after.data.shaken_since(&before.data, &after.schema, &before.schema);
    triggers.extend(switched(unit));
    let mut found: Vec<Lost> = Vec::new();
    for id in triggers {
        let Some((trigger, function)) = firing(after, id).filter(|(trigger, _)| !is_swapped_away(unit, trigger)) else {
            continue;
        };
        let known = if firing(before, id).is_some() { missing(before, id) } else { Vec::new() };
        for lost in missing(after, id) {
            if known.iter().any(|known| known.object == lost.object) {
                continue;
            }
            let same = |other: &&mut Lost| other.function == function && other.missing.object == lost.object;
            match found.iter_mut().find(same) {
                Some(other) => other.triggers.push(trigger),
                None => found.push(Lost { missing: lost, function, triggers: vec![trigger] }),
            }
        }
    }
    for lost in &found {
        report(unit, lost, findings);
    }
}

/// Triggers of tables on which this unit switches triggers on or off.
fn switched(unit: &Unit) -> BTreeSet<TriggerId> {
    let switches = |step: &&Passed| match &step.operation {
        Operation::AlterTable(alter) => {
            alter.actions.iter().any(|action| matches!(action.kind, TableActionKind::SetTrigger { .. }))
        }
        _ => false,
    };
    let tables = unit.steps.iter().filter(switches).filter_map(|step| match &step.operation {
        Operation::AlterTable(alter) => unit.after.schema.find(&alter.table),
        _ => None,
    });
    tables.flat_map(|table| unit.after.schema.triggers_of(table.id)).map(|trigger| trigger.id).collect()
}

/// Another table took the name of the trigger's own: nothing is to write the old one any more.
fn is_swapped_away(unit: &Unit, trigger: &Trigger) -> bool {
    let Some(old) = unit.before.schema.get_relation(trigger.table) else { return false };
    let full = Name { schema: Some(old.name.schema.clone()), name: old.name.name.clone() };
    unit.after.schema.find_table(&full).is_some_and(|now| now.id != trigger.table)
}

fn firing(state: &State, id: TriggerId) -> Option<(&Trigger, FunctionId)> {
    let trigger = state.schema.get_trigger(id).filter(|trigger| trigger.parent.is_none() && fires(trigger))?;
    let function = trigger.function.filter(|id| state.schema.get_function(*id).is_some())?;
    Some((trigger, function))
}

fn missing(state: &State, id: TriggerId) -> Vec<Missing> {
    state.data.uses_of(id).map(|uses| uses.missing(&state.schema)).unwrap_or_default()
}

fn report(unit: &Unit, lost: &Lost, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let Some(step) = completing_step(unit, lost) else { return };
    let function = schema.function(lost.function);
    let first = lost.triggers[0];
    let tables: BTreeMap<String, ()> =
        lost.triggers.iter().map(|trigger| (say::name(schema, trigger.table), ())).collect();
    let tables: Vec<String> = tables.into_keys().collect();
    let what = object(schema, &lost.missing.object);
    let here = lost.missing.gone.by.span == step.origin.span;
    let end = match (&lost.missing.gone.now, here) {
        (Some(now), true) => format!("which this renames to `{}`", now.name),
        (Some(now), false) => format!("whose name is `{}` now", now.name),
        (None, true) => "which this drops".to_owned(),
        (None, false) => "which is dropped".to_owned(),
    };
    let mended = unit.context.plan.find_later(unit.context.at.migration, last_span(unit, step), &|statement| {
        mends(schema, lost, &statement.operation)
    });
    let until = match mended {
        None => "",
        Some((later, _)) if later == unit.context.at.migration => ", until a later statement mends it",
        Some(_) => ", until a later migration mends it",
    };
    let message = format!(
        "{} on {} fails{until}: trigger function `{}` still names {what}, {end}",
        lost.missing.events.words(),
        say::list(&tables),
        function.name.short(),
    );
    // How long it lasts is then up to how these are run.
    let certain = step.certain
        && mended.is_none()
        && function.existence.is_certain()
        && lost.triggers.iter().any(|trigger| trigger.existence.is_certain());
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    // Several columns that one statement takes from one body are one fault.
    finding.one_per(format!("{} {:?}", function.name, lost.missing.gone.by.span));
    finding.object(&schema.relation(first.table).name);
    finding.object(subject(schema, &lost.missing.object));
    finding.link(LinkKind::Write, format!("{} {}", lost.missing.events.words(), tables[0]), None);
    finding.link(LinkKind::Trigger, first.name.to_string(), Some(first.existence.origin().span));
    finding.link(LinkKind::Function, function.name.short(), Some(lost.missing.span));
    evidence(finding, schema, lost, step);
    if let Some((_, span)) = mended {
        finding.because(span, "it is mended here");
    }
    let instead = instead(schema, lost);
    finding.instead(instead);
}

/// What took the object away, or the function or trigger that came to name it: the last of them in this unit.
fn completing_step<'a>(unit: &Unit<'a>, lost: &Lost) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let mut parts = vec![lost.missing.gone.by.span, schema.function(lost.function).existence.origin().span];
    parts.extend(lost.triggers.iter().map(|trigger| trigger.existence.origin().span));
    unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)).or(unit.steps.last())
}

/// The unit's last statement in the migration of the step: what comes after it is seen later.
fn last_span(unit: &Unit, step: &Passed) -> Span {
    let same = unit.steps.iter().filter(|other| other.origin.span.source == step.origin.span.source);
    same.map(|other| other.origin.span).max_by_key(|span| span.end).unwrap_or(step.origin.span)
}

/// A statement after which the function, its trigger or what it names is another one.
fn mends(schema: &Schema, lost: &Lost, operation: &Operation) -> bool {
    let function = &schema.function(lost.function).name.name;
    let (object, part) = match &lost.missing.object {
        MissingObject::Relation(name) | MissingObject::Function(name) => (&name.name, None),
        MissingObject::Column(table, column) => (&schema.relation(*table).name.name, Some(column)),
    };
    match operation {
        Operation::CreateFunction(create) => create.name.name == *function || create.name.name == *object,
        Operation::CreateTable(create) => part.is_none() && create.name.name == *object,
        Operation::CreateTableAs(create) => part.is_none() && create.name.name == *object,
        Operation::CreateView(create) => part.is_none() && create.name.name == *object,
        Operation::CreateTrigger(create) => {
            lost.triggers.iter().any(|trigger| trigger.name == create.name) && create.function.name != *function
        }
        Operation::Rename(rename) => rename.to == *part.unwrap_or(object),
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            TableActionKind::AddColumn { column, .. } => part == Some(&column.name),
            TableActionKind::SetTrigger { enabled, .. } => *enabled == TriggerState::Disabled,
            _ => false,
        }),
        Operation::Drop(drop) => drop.targets.iter().any(|target| match drop.kind {
            ObjectKind::Trigger => lost.triggers.iter().any(|trigger| trigger.name == target.name.name),
            ObjectKind::Function => target.name.name == *function,
            _ => lost.triggers.iter().any(|trigger| schema.relation(trigger.table).name.name == target.name.name),
        }),
        _ => false,
    }
}

fn evidence(finding: &mut Finding, schema: &Schema, lost: &Lost, step: &Passed) {
    let what = object(schema, &lost.missing.object);
    let function = schema.function(lost.function);
    finding.because(lost.missing.span, format!("`{}` names {what} here", function.name.short()));
    if lost.missing.gone.by.span != step.origin.span {
        finding.because(lost.missing.gone.by.span, format!("{what} goes away here"));
    }
    // One of many tells it as well as all of them.
    for trigger in lost.triggers.iter().take(SHOWN) {
        let span = trigger.existence.origin().span;
        if span != step.origin.span {
            finding.because(span, format!("trigger `{}` runs it", trigger.name));
        }
    }
}

/// As messages name it.
fn object(schema: &Schema, object: &MissingObject) -> String {
    match object {
        MissingObject::Relation(name) => format!("table `{name}`"),
        MissingObject::Column(table, column) => format!("column `{column}` of `{}`", say::name(schema, *table)),
        MissingObject::Function(name) => format!("function `{name}`"),
    }
}

fn subject(schema: &Schema, object: &MissingObject) -> String {
    match object {
        MissingObject::Relation(name) | MissingObject::Function(name) => name.to_string(),
        MissingObject::Column(table, column) => format!("{}.{column}", schema.relation(*table).name),
    }
}

fn instead(schema: &Schema, lost: &Lost) -> String {
    let function = schema.function(lost.function);
    let change = match &lost.missing.gone.now {
        Some(now) => format!("with `{}` in its place", now.name),
        None => "without it".to_owned(),
    };
    let drops: String = lost
        .triggers
        .iter()
        .take(SHOWN)
        .map(|trigger| format!("DROP TRIGGER {} ON {};\n", trigger.name, schema.relation(trigger.table).name))
        .collect();
    let returns = match lost.triggers[0].timing {
        TriggerTiming::Before | TriggerTiming::InsteadOf => "NEW",
        TriggerTiming::After => "NULL",
    };
    format!(
        "-- in the same transaction, so that no write meets the old body: the body {change}\n\
         CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE {language} AS $$\n\
         BEGIN\n  …\n  RETURN {returns};\nEND\n$$;\n\
         -- or, where nothing needs it any more, before this:\n{drops}DROP FUNCTION {name}();",
        name = function.name,
        language = function.language,
    )
}
