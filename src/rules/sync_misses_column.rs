//! A column that came to a source or its copy while the trigger's function keeps its old list.

use std::collections::BTreeSet;

use super::{Findings, say, sync};
use crate::data::{Copy, Feed, FeedWrite, assigned_before};
use crate::history::{Passed, State, Whole};
use crate::operation::{FromSource, Ident, Operation, Rows, Statement, TableActionKind, WriteKind};
use crate::schema::{Column, RelationId};

/// How a new column is missed.
enum Miss {
    /// Both tables have it, and the trigger does not copy it.
    NotCopied,
    /// The copy had all columns of its source, and lacks this one.
    NotThere,
    /// `INSERT … VALUES (NEW.*)` gives more values than the copy has columns.
    TooMany,
    /// The function's body before had it.
    LeftOut,
    /// A backfill copies it, the trigger does not.
    FilledOnly,
}

pub fn check(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        filled_only(whole, step, findings);
    }
    if whole.after.data.is_like(&whole.before.data) {
        return;
    }
    let changed = whole.after.data.changed_since(&whole.before.data);
    let known = sync::copies(whole.before, &changed);
    for copy in sync::copies(whole.after, &changed) {
        let before = known.iter().find(|known| known.trigger == copy.trigger && known.table == copy.table);
        let Some(before) = before else { continue };
        let mut fresh: BTreeSet<Ident> = BTreeSet::new();
        for table in [copy.source, copy.table] {
            fresh.extend(added(whole, table));
        }
        for column in fresh {
            if let Some(miss) = missed(whole, before, copy, &column) {
                let Some(step) = adding_step(whole, copy, &column) else { continue };
                report(whole, step, copy, &column, &miss, findings);
            }
        }
        left_out(whole, before, copy, findings);
    }
}

/// The columns of a copy that its trigger sets from the source, whatever the event.
fn copied<'a>(feeds: &[&'a Feed]) -> BTreeSet<&'a Ident> {
    let writes = feeds.iter().flat_map(|feed| &feed.writes);
    writes.flat_map(|write| write.values.iter().map(|(column, _)| column)).collect()
}

/// A new body of the function, or another trigger in its place, without a column that the one before copied.
fn left_out(whole: &Whole, before: &Copy, copy: &Copy, findings: &mut Findings) {
    let (then, now) = (sync::feeds(whole.before, before), sync::feeds(whole.after, copy));
    // Swapped, switched off or gone: those have rules of their own.
    if now.is_empty() || now.iter().any(|feed| feed.writes.iter().any(|write| write.surplus > 0)) {
        return;
    }
    let (had, has) = (copied(&then), copied(&now));
    let function = whole.after.schema.trigger(copy.trigger).function.map(|id| whole.after.schema.function(id));
    let Some(function) = function else { return };
    let made = function.existence.origin().span;
    let Some(step) = whole.steps.iter().rfind(|step| step.origin.span == made) else { return };
    let filled = assigned_before(&whole.after.schema, copy.table);
    for column in had.difference(&has).filter(|column| !filled.contains(**column)) {
        let stays = |table| {
            let is_it = |one: &&Column| one.name == **column && one.generated.is_none();
            let old = columns(whole.before, table).iter().find(is_it).map(|one| one.id);
            old.is_some() && old == columns(whole.after, table).iter().find(is_it).map(|one| one.id)
        };
        if stays(copy.table) && stays(copy.source) {
            report(whole, step, copy, column, &Miss::LeftOut, findings);
        }
    }
}

/// A backfill into a copy that its trigger keeps up, of a column that the trigger does not know.
fn filled_only(whole: &Whole, step: &Passed, findings: &mut Findings) {
    let Operation::Write(write) = &step.operation else { return };
    let (schema, data) = (&whole.after.schema, &whole.after.data);
    let Some(target) = schema.find_table(&write.target).map(|target| schema.partition_root(target.id)) else { return };
    let (sources, set) = match write.kind {
        WriteKind::Insert => match &write.rows {
            Rows::Query(query) => (&query.from, write.columns.iter().collect::<Vec<_>>()),
            _ => return,
        },
        WriteKind::Update => (&write.from, write.assignments.iter().map(|(column, _)| column).collect()),
        _ => return,
    };
    let from: BTreeSet<RelationId> = sources
        .iter()
        .filter_map(|item| match &item.source {
            FromSource::Relation { name, .. } => schema.find_table(name).map(|one| schema.partition_root(one.id)),
            _ => None,
        })
        .collect();
    for copy in data.copies_of(schema, &BTreeSet::new(), &BTreeSet::from([target])) {
        let feeds = sync::feeds(whole.after, copy);
        if copy.table != target || !from.contains(&schema.partition_root(copy.source)) || feeds.is_empty() {
            continue;
        }
        // A trigger that only notes a few things of a row keeps no copy of it.
        let has = copied(&feeds);
        let whole_rows = feeds.iter().flat_map(|feed| &feed.writes).any(|write| write.surplus > 0);
        let filled = assigned_before(schema, copy.table);
        let holds = |table, name: &Ident| {
            columns(whole.after, table).iter().any(|one| one.name == *name && one.generated.is_none())
        };
        for column in set.iter().filter(|column| !has.contains(**column) && !filled.contains(**column)) {
            let new = added(whole, copy.table).contains(column) || added(whole, copy.source).contains(column);
            // Columns that came with this migration are told where they come.
            if !whole_rows && !new && holds(copy.table, column) && holds(copy.source, column) && has.len() >= 2 {
                report(whole, step, copy, column, &Miss::FilledOnly, findings);
            }
        }
    }
}

fn columns(state: &State, table: RelationId) -> &[Column] {
    let table = state.schema.get_relation(table).and_then(|table| table.as_table());
    table.map(|table| table.columns.as_slice()).unwrap_or_default()
}

/// Columns that this migration adds, generated ones left out.
fn added(whole: &Whole, table: RelationId) -> Vec<Ident> {
    let before = columns(whole.before, table);
    let new = columns(whole.after, table).iter().filter(|column| {
        column.generated.is_none() && !before.is_empty() && !before.iter().any(|known| known.id == column.id)
    });
    new.map(|column| column.name.clone()).collect()
}

fn missed(whole: &Whole, before: &Copy, copy: &Copy, column: &Ident) -> Option<Miss> {
    let feeds = sync::feeds(whole.after, copy);
    let writes = || feeds.iter().flat_map(|feed| &feed.writes).filter(|write| !write.values.is_empty());
    let holds = |table| columns(whole.after, table).iter().any(|one| one.name == *column && one.generated.is_none());
    if feeds.is_empty() || !holds(copy.source) {
        return None;
    }
    if writes().any(|write| write.surplus > 0) {
        return Some(Miss::TooMany);
    }
    if holds(copy.table) {
        let set = writes().any(|write| write.value_of(column).is_some());
        let filled = assigned_before(&whole.after.schema, copy.table).contains(column);
        return (!set && !filled && takes_all(whole.before, before, 2)).then_some(Miss::NotCopied);
    }
    takes_all(whole.before, before, 0).then_some(Miss::NotThere)
}

/// All columns of the source but at most so many are in the copy, under their own names.
fn takes_all(state: &State, copy: &Copy, but: usize) -> bool {
    let feeds: Vec<&Feed> = sync::feeds(state, copy);
    let set = |write: &FeedWrite, column: &Ident| write.value_of(column).is_some();
    let source = columns(state, copy.source).iter().filter(|column| column.generated.is_none());
    let left =
        source.filter(|column| !feeds.iter().flat_map(|feed| &feed.writes).any(|write| set(write, &column.name)));
    let missing = left.count();
    missing <= but && missing * 2 <= columns(state, copy.source).len() && columns(state, copy.source).len() > 1
}

fn report(whole: &Whole, step: &Passed, copy: &Copy, column: &Ident, miss: &Miss, findings: &mut Findings) {
    let schema = &whole.after.schema;
    let (source, table) = (say::name(schema, copy.source), say::name(schema, copy.table));
    let trigger = schema.trigger(copy.trigger);
    let function = trigger.function.map(|id| schema.function(id).name.clone());
    let called = function.as_ref().map(ToString::to_string).unwrap_or_default();
    let mended = whole.context.plan.find_later(whole.context.at.migration, step.origin.span, &|statement: &Statement| {
        match &statement.operation {
            Operation::CreateFunction(create) => function.as_ref().is_some_and(|own| create.name.name == own.name),
            Operation::AlterTable(alter) => {
                alter.table.name == schema.relation(copy.table).name.name
                    && alter.actions.iter().any(|action| {
                        matches!(&action.kind, TableActionKind::AddColumn { column: added, .. } if added.name == *column)
                    })
                    && matches!(miss, Miss::NotThere | Miss::TooMany)
            }
            _ => false,
        }
    });
    let mended = mended.filter(|(number, _)| *number != whole.context.at.migration);
    let message = match miss {
        Miss::NotCopied => format!(
            "`{column}` of `{source}` does not reach `{table}`: trigger function `{called}` keeps its old list of columns"
        ),
        Miss::NotThere => format!(
            "`{table}` silently falls behind `{source}`: it had every column, and neither it nor its trigger knows `{column}`"
        ),
        Miss::LeftOut => format!(
            "`{column}` of `{source}` no longer reaches `{table}`: this body of trigger function `{called}` leaves it out"
        ),
        Miss::FilledOnly => format!(
            "`{column}` of `{table}` is right only until `{source}` is written again: it is filled here, and trigger function \
             `{called}` does not keep it up"
        ),
        Miss::TooMany => format!(
            "writes to `{source}` fail: its trigger inserts whole rows into `{table}`, which has fewer columns since `{column}` came"
        ),
    };
    let certain = step.certain && copy.certain && mended.is_none();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(copy.table).name);
    finding.object(&schema.relation(copy.source).name);
    finding.because(
        trigger.existence.origin().span,
        format!("trigger `{}` copies `{source}` into `{table}`", trigger.name),
    );
    if let Some(function) = trigger.function.map(|id| schema.function(id)) {
        finding
            .because(function.existence.origin().span, format!("`{}` names its columns here", function.name.short()));
    }
    if let Some((_, span)) = mended {
        finding.because(span, "it is mended here");
    }
    let add = match miss {
        Miss::NotCopied | Miss::LeftOut | Miss::FilledOnly => String::new(),
        Miss::NotThere | Miss::TooMany => {
            let own = columns(whole.after, copy.source).iter().find(|one| one.name == *column);
            let kind = own.and_then(|one| one.data_type.as_ref()).map(ToString::to_string).unwrap_or_default();
            format!("ALTER TABLE {} ADD COLUMN {column} {kind};\n", schema.relation(copy.table).name)
        }
    };
    finding.instead(format!(
        "-- in one transaction, before the application writes the column:\n{add}\
         CREATE OR REPLACE FUNCTION {called}() …;  -- with {column} = NEW.{column} in INSERT and UPDATE"
    ));
    if !matches!(miss, Miss::NotThere | Miss::TooMany) {
        let key: Vec<String> = copy.key.iter().map(|(copy, source)| format!("c.{copy} = s.{source}")).collect();
        finding.verify(format!(
            "SELECT count(*) FROM {} AS s JOIN {} AS c ON {} WHERE c.{column} IS DISTINCT FROM s.{column}",
            schema.relation(copy.source).name,
            schema.relation(copy.table).name,
            key.join(" AND ")
        ));
    }
}

fn adding_step<'a>(whole: &Whole<'a>, copy: &Copy, column: &Ident) -> Option<&'a Passed> {
    let schema = &whole.after.schema;
    whole.steps.iter().rfind(|step| {
        let Operation::AlterTable(alter) = &step.operation else { return false };
        let here = schema.find(&alter.table).is_some_and(|table| table.id == copy.source || table.id == copy.table);
        here && alter.actions.iter().any(
            |action| matches!(&action.kind, TableActionKind::AddColumn { column: added, .. } if added.name == *column),
        )
    })
}
