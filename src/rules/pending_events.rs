//! Tables that may not change while rows of their own transaction wait for a check at its end.

use std::collections::BTreeMap;

use super::{Findings, say};
use crate::finding::FAILS;
use crate::history::{Passed, Unit};
use crate::operation::{Expr, Ident, Name, ObjectKind, Operation, Rows, Write, WriteKind};
use crate::schema::{ColumnId, Constraint, Existence, RelationId, Table};

/// Rows that a write left behind to be looked at when the transaction ends.
struct Pending<'a> {
    table: RelationId,
    by: &'a Passed,
    /// What looks at them, in words and by its name, and where it was made.
    check: String,
    name: &'a Ident,
    made: &'a Existence,
    /// The write has rows wherever it runs.
    certain: bool,
}

/// When deferrable checks of this transaction look, by what SET CONSTRAINTS has said.
#[derive(Default)]
struct Modes<'a> {
    all: Option<bool>,
    named: BTreeMap<&'a Ident, bool>,
}

impl Modes<'_> {
    fn is_deferred(&self, name: &Ident, (deferrable, initially): (bool, bool)) -> bool {
        deferrable && self.named.get(name).copied().or(self.all).unwrap_or(initially)
    }
}

/// `pending-trigger-events`: PostgreSQL refuses to change a table whose deferred checks are still to come (55006).
pub fn check(unit: &Unit, findings: &mut Findings) {
    let (mut pending, mut modes): (Vec<Pending>, Modes) = Default::default();
    for (place, step) in unit.steps.iter().enumerate().filter(|(_, step)| step.applied.failure().is_none()) {
        match &step.operation {
            Operation::SetConstraints { names, deferred } => {
                if names.is_empty() {
                    modes = Modes { all: Some(*deferred), named: BTreeMap::new() };
                }
                modes.named.extend(names.iter().map(|one| (&one.name, *deferred)));
                // What was waiting is looked at now.
                let is_named = |one: &Pending| names.is_empty() || names.iter().any(|name| name.name == *one.name);
                pending.retain(|one| *deferred || !is_named(one));
            }
            Operation::Write(write) => pending.extend(left_behind(unit, place, write, &modes)),
            other => {
                let changed = changed(unit, other);
                let Some(waiting) = pending.iter().find(|one| changed.contains(&one.table)) else { continue };
                report(unit, step, waiting, findings);
                return;
            }
        }
    }
}

fn report(unit: &Unit, step: &Passed, waiting: &Pending, findings: &mut Findings) {
    let state = [unit.before, unit.after].into_iter().find(|state| state.schema.get_relation(waiting.table).is_some());
    let Some(relation) = state.and_then(|state| state.schema.get_relation(waiting.table)) else { return };
    let table = relation.name.short();
    let when = if waiting.certain { "" } else { " where a row was written above" };
    let message = format!(
        "this statement fails{when}: rows of `{table}` wait for {}, which looks at them when the transaction ends, and until \
         then `{table}` cannot change (SQLSTATE 55006)",
        waiting.check
    );
    let certain = step.certain && waiting.by.certain;
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(FAILS);
    finding.object(&relation.name);
    finding.because(waiting.by.origin.span, format!("writes rows of `{table}`"));
    finding.because(waiting.made.origin().span, "it is deferred");
    finding.instead("SET CONSTRAINTS ALL IMMEDIATE; -- before it: what waits is looked at now");
}

/// What changes the table itself. Its names may change.
fn changed(unit: &Unit, operation: &Operation) -> Vec<RelationId> {
    let names: Vec<&Name> = match operation {
        Operation::AlterTable(alter) if alter.target == ObjectKind::Table => vec![&alter.table],
        Operation::CreateIndex(create) if !create.concurrently => vec![&create.table],
        Operation::Drop(drop) if drop.kind == ObjectKind::Table => {
            drop.targets.iter().map(|target| &target.name).collect()
        }
        Operation::Truncate(truncate) => truncate.tables.iter().map(|table| &table.name).collect(),
        _ => Vec::new(),
    };
    let find = |name| unit.before.schema.find_table(name).or_else(|| unit.after.schema.find_table(name));
    names.into_iter().filter_map(find).map(|relation| relation.id).collect()
}

/// The checks that an INSERT, an UPDATE of a key or a DELETE of what is referred to puts off.
fn left_behind<'a>(unit: &Unit<'a>, place: usize, write: &Write, modes: &Modes) -> Option<Pending<'a>> {
    let step = &unit.steps[place];
    let schemas = [&unit.before.schema, &unit.after.schema];
    let (schema, relation) =
        schemas.into_iter().find_map(|schema| Some((schema, schema.find_table(&write.target)?)))?;
    let table = relation.as_table()?;
    let is_there = |made: &Existence| {
        let by = unit.steps.iter().position(|one| one.origin.span == made.origin().span);
        by.is_none_or(|by| by < place)
    };
    let mut own =
        schema.constraints_of(relation.id).filter(|row| row.as_foreign().is_some_and(|key| !key.referenced_side));
    let mut others = table.referenced_by.iter().filter_map(|id| schema.get_constraint(*id));
    let is_deferred = |row: &&Constraint| {
        modes.is_deferred(&row.name, (row.deferrable, row.initially_deferred))
            && row.enforced
            && is_there(&row.existence)
    };
    let set = |columns: &[ColumnId]| sets(write, table, columns);
    let key = match write.kind {
        WriteKind::Insert | WriteKind::Copy => own.find(is_deferred),
        WriteKind::Update => {
            let mut own = own.filter(|row| set(&row.columns));
            own.find(is_deferred).or_else(|| {
                let is_key = |row: &&Constraint| row.as_foreign().is_some_and(|key| set(&key.referenced_columns));
                others.filter(is_key).find(is_deferred)
            })
        }
        WriteKind::Delete => others.find(is_deferred),
        WriteKind::Merge => None,
    };
    let (check, name, made) = match key {
        Some(key) => {
            (format!("foreign key `{}` of `{}`", key.name, say::name(schema, key.table)), &key.name, &key.existence)
        }
        None => {
            let trigger = schema.triggers_of(relation.id).into_iter().find(|trigger| {
                let fires = match write.kind {
                    WriteKind::Insert | WriteKind::Copy => trigger.events.insert,
                    WriteKind::Update => trigger.events.update && trigger.update_columns.is_empty(),
                    WriteKind::Delete => trigger.events.delete,
                    WriteKind::Merge => false,
                };
                let is_deferred = modes.is_deferred(&trigger.name, (trigger.deferrable, trigger.initially_deferred));
                is_deferred && trigger.for_each_row && fires && trigger.when.is_none()
            });
            let trigger = trigger.filter(|trigger| is_there(&trigger.existence))?;
            (format!("trigger `{}`", trigger.name), &trigger.name, &trigger.existence)
        }
    };
    let certain = match &write.rows {
        Rows::Values { .. } | Rows::Defaults => write.on_conflict.is_none(),
        Rows::None | Rows::Query(_) => false,
    };
    // A table of this release has the rows that this release gives it.
    let may_have_rows = certain
        || matches!(write.kind, WriteKind::Insert | WriteKind::Copy)
        || !unit.context.is_new(unit.before, relation.id);
    may_have_rows.then_some(Pending { table: relation.id, by: step, check, name, made, certain })
}

/// An UPDATE gives one of the columns another value.
fn sets(write: &Write, table: &Table, columns: &[ColumnId]) -> bool {
    let is_own = |name: &Ident, value: &Expr| value.as_column().is_some_and(|(_, other)| other == name);
    write.assignments.iter().any(|(name, value)| {
        !is_own(name, value) && table.column(name).is_some_and(|column| columns.contains(&column.id))
    })
}
