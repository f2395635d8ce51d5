//! What a migration outside of a transaction leaves where it stops: constraints that go on refusing writes, indexes that
//! nothing uses.

use std::collections::BTreeMap;

use super::{Findings, say, stopped};
use crate::finding::Severity;
use crate::history::{Stop, Whole};
use crate::operation::{Action, Expr, Operation, WriteKind};
use crate::predicate::{Answer, is_contradiction};
use crate::schema::difference::same_expression;
use crate::schema::{Column, Constraint, ConstraintRow, Phase, Relation, RelationId, Schema};

/// A constraint that stays enforced although the migration that adds it has failed.
pub fn keeps_constraint(whole: &Whole, findings: &mut Findings) {
    // One hazard for each tree of partitions, and one for each other table: its stops are the evidence.
    let mut hazards: BTreeMap<RelationId, Vec<(&Stop, Vec<&Constraint>)>> = BTreeMap::new();
    for stop in whole.stops().iter().filter(|stop| !stop.on_data().is_empty() && stop.step.certain) {
        let schema = &stop.state.schema;
        for row in stopped::new_constraints(whole, stop) {
            if !row.enforced
                || !row.is_standalone()
                || !is_half(whole, schema, row)
                || !may_hold_rows(whole, row)
                || is_expected(whole, stop, row)
                || was_refused_before(whole, row)
            {
                continue;
            }
            let stops = hazards.entry(schema.partition_root(row.table)).or_default();
            match stops.last_mut() {
                Some((last, rows)) if std::ptr::eq(*last, stop) => rows.push(row),
                _ => stops.push((stop, vec![row])),
            }
        }
    }
    for (root, stops) in hazards {
        report(whole, root, &stops, findings);
    }
}

/// Not validated, or there on some partitions where the whole migration has it on others too.
fn is_half(whole: &Whole, stopped: &Schema, row: &Constraint) -> bool {
    if !row.validated {
        return true;
    }
    let root = stopped.partition_root(row.table);
    if root == row.table {
        return false;
    }
    let end = &whole.after.schema;
    let mut tree = end.partitions(root);
    tree.push(root);
    let named =
        |schema: &Schema| tree.iter().filter(|table| schema.find_constraint(**table, &row.name).is_some()).count();
    named(end) > named(stopped)
}

/// Others write the table: it was there before this release, or triggers feed it.
fn may_hold_rows(whole: &Whole, row: &Constraint) -> bool {
    !whole.context.is_new(whole.before, row.table)
}

/// On a table of its own a NOT VALID constraint refuses what it is meant to refuse. Nobody is surprised where its columns
/// came with this release, so that all they hold passes; nor where the migration mends the old rows before, and does so
/// again when it runs again from there.
fn is_expected(whole: &Whole, stop: &Stop, row: &Constraint) -> bool {
    let schema = &stop.state.schema;
    let is_part = schema.partition_root(row.table) != row.table;
    if row.validated || is_part || stop.state.data.feeds_into(schema, row.table).any(|feed| feed.fires) {
        return false;
    }
    let Some(table) = schema.get_relation(row.table).and_then(Relation::as_table) else { return false };
    let columns: Vec<&Column> = row.columns.iter().filter_map(|id| table.column_by_id(*id)).collect();
    let is_new = |column: &&Column| whole.context.is_of_this_release(&column.existence) && column.default.is_none();
    // NULL refers to nothing, and is no duplicate.
    if row.as_foreign().is_some() && !columns.is_empty() && columns.iter().all(is_new) {
        return true;
    }
    let mends = whole.steps.iter().take_while(|step| step.origin != stop.step.origin).any(|step| {
        let Operation::Write(write) = &step.operation else { return false };
        let meant = schema.find(&write.target).is_some_and(|one| one.id == row.table);
        let sets = |column: &&Column| write.assignments.iter().any(|(name, _)| *name == column.name);
        meant && (write.kind == WriteKind::Delete || write.kind == WriteKind::Update && columns.iter().any(sets))
    });
    mends && whole.context.plan.run_from(whole.context.at.migration, &stop.state, whole.context.majors).failed.is_none()
}

/// The referenced row stays while others refer to it.
fn refuses(action: Action) -> bool {
    matches!(action, Action::NoAction | Action::Restrict)
}

/// The same was enforced and valid before the migration, which made it anew: no write is refused that was not.
fn was_refused_before(whole: &Whole, row: &Constraint) -> bool {
    let is_same = |one: &Constraint| match (&one.kind, &row.kind) {
        (ConstraintRow::Foreign(own), ConstraintRow::Foreign(other)) => {
            one.columns == row.columns
                && own.references == other.references
                && own.referenced_columns == other.referenced_columns
                && own.match_full == other.match_full
                && [(own.on_delete, other.on_delete), (own.on_update, other.on_update)]
                    .into_iter()
                    .all(|(then, now)| refuses(then) || !refuses(now))
        }
        (ConstraintRow::Check { expression: own }, ConstraintRow::Check { expression: other }) => {
            same_expression(own, other)
        }
        _ => false,
    };
    let before = whole.before.schema.constraints();
    before.filter(|one| one.table == row.table && one.enforced && one.validated).any(is_same)
}

/// Something shows that it refuses writes which nobody means it to refuse.
fn harms(whole: &Whole, stop: &Stop, row: &Constraint) -> bool {
    let (schema, before) = (&stop.state.schema, &whole.before.schema);
    let (stops, passes) = stopped::databases(&whole.context, schema, stop.on_data());
    // It is tried where it passes, and nobody sees what it leaves elsewhere.
    let differs = !stops.is_empty() && !passes.is_empty();
    differs
        || match &row.kind {
            ConstraintRow::Foreign(key) => {
                // Rows of a copy come later than those that refer to them; and a key that took rows along, or let them
                // go, now keeps what they refer to.
                let was_looser = before.constraints_of(row.table).any(|old| {
                    old.columns == row.columns
                        && old.as_foreign().is_some_and(|old| {
                            old.references == key.references
                                && (!refuses(old.on_delete) && refuses(key.on_delete)
                                    || !refuses(old.on_update) && refuses(key.on_update))
                        })
                });
                was_looser || stop.state.data.is_fed(schema, key.references)
            }
            ConstraintRow::Check { expression } => is_default_refused(schema, row, &expression.tree),
            _ => false,
        }
}

/// What a row gets that says nothing of the columns.
fn is_default_refused(schema: &Schema, row: &Constraint, check: &Expr) -> bool {
    let Some(table) = schema.get_relation(row.table).and_then(Relation::as_table) else { return false };
    let defaults = row.columns.iter().filter_map(|id| table.column_by_id(*id)).filter_map(|column| {
        let left = Expr::bare(&column.name);
        let right = column.default.as_ref()?.tree.clone();
        Some(Expr::Binary { operator: "=".into(), left: Box::new(left), right: Box::new(right) })
    });
    let mut parts: Vec<Expr> = defaults.collect();
    if parts.is_empty() {
        return false;
    }
    match check {
        Expr::And(all) => parts.extend(all.iter().cloned()),
        one => parts.push(one.clone()),
    }
    is_contradiction(&Expr::And(parts)) == Answer::Yes
}

fn report(whole: &Whole, root: RelationId, stops: &[(&Stop, Vec<&Constraint>)], findings: &mut Findings) {
    let Some((first, rows)) = stops.first() else { return };
    let Some(row) = rows.first() else { return };
    let state = &first.state;
    let schema = &state.schema;
    let table = say::name(schema, row.table);
    let valid = if row.validated { "valid" } else { "NOT VALID" };
    let feed = state.data.feeds_into(schema, root).find(|feed| feed.fires);
    let whose = match &feed {
        Some(feed) => format!("writes of `{}`, which a trigger copies there", say::name(schema, feed.source)),
        None => format!("writes of `{table}`"),
    };
    let partition = schema.partition_root(row.table) != row.table;
    let is_harm = feed.is_some() || partition || harms(whole, first, row);
    let refuses = match is_harm {
        true => format!("it goes on refusing {whose}"),
        false => format!("it goes on refusing the {whose} that it is meant to refuse"),
    };
    let message = format!(
        "where {} fails, the migration stops there and `{}` of `{table}` stays, {valid} and enforced: {refuses}",
        stopped::doing(&first.step),
        row.name
    );
    let certain = row.existence.is_certain();
    let finding = findings.report(&first.step.origin, "stop keeps-constraint", certain, message);
    // On a table of its own the constraint refuses what it is meant to refuse.
    if feed.is_none() && !partition {
        let most = if is_harm { finding.severity.softened() } else { Severity::Note };
        finding.severity = finding.severity.min(most);
    }
    stopped::soften_guess(finding, whole);
    for (_, rows) in stops {
        for row in rows {
            finding.object(format!(
                "{}.{}",
                schema.get_relation(row.table).map_or_else(String::new, |one| one.name.to_string()),
                row.name
            ));
        }
    }
    finding.because(row.existence.origin().span, format!("`{}` is enforced for every new row from here on", row.name));
    if let Some(feed) = &feed {
        let write = feed.writes.iter().find(|write| write.events.insert).or_else(|| feed.writes.first());
        if let Some(write) = write {
            say::path(finding, schema, feed, write, row.table, Some(row.id));
        }
    }
    for (stop, _) in stops {
        finding.stops.push(stopped::line(whole, stop));
    }
    stopped::tell_databases(finding, whole, first);
    let mut drops: Vec<String> = Vec::new();
    for (stop, rows) in stops {
        for row in rows {
            let Some(relation) = stop.state.schema.get_relation(row.table) else { continue };
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {};", relation.name, row.name);
            if !drops.contains(&drop) {
                drops.push(drop);
            }
        }
    }
    finding.instead(format!(
        "-- count the rows that would fail, and mend them before it: what is NOT VALID stays enforced until it is validated.\n\
         -- Where it has stopped already, mend them and run it again, or take away what stays:\n{}",
        drops.join("\n")
    ));
    let query = first.on_data().first().and_then(|check| stopped::verify(schema, &first.step, check));
    if let Some(query) = query {
        finding.verify(query);
    }
}

/// A concurrent build that nothing cleans up after.
pub fn invalid_index(whole: &Whole, findings: &mut Findings) {
    let mut told: Vec<RelationId> = Vec::new();
    for stop in whole.stops().iter().filter(|stop| stop.phase == Some(Phase::Early)) {
        let Operation::CreateIndex(create) = &stop.step.operation else { continue };
        let before = &whole.before.schema;
        let made = stop.state.schema.relations_since(before);
        let index = made.into_iter().find(|id| {
            stop.state.schema.relation(*id).as_index().is_some_and(|index| !index.valid && index.parent.is_none())
        });
        let Some(index) = index.filter(|index| !told.contains(index)) else { continue };
        // IF NOT EXISTS is content with what is left, which is worse: rerun-keeps-invalid.
        if create.if_not_exists || heals(whole, stop) {
            continue;
        }
        told.push(index);
        let name = stop.state.schema.relation(index).name.clone();
        let message = format!(
            "a build of `{}` that fails or is cancelled leaves it INVALID; run again, the migration stops at once, for it is there",
            name.name
        );
        let finding = findings.report(&stop.step.origin, "stop invalid-index", stop.step.certain, message);
        finding.object(&name);
        finding.stops.push(stopped::line(whole, stop));
        finding.instead(format!(
            "{}\nDROP INDEX CONCURRENTLY IF EXISTS {name};\n-- before the CREATE INDEX CONCURRENTLY",
            say::outside_transaction(&whole.context)
        ));
        let query = stop.on_data().first().and_then(|check| stopped::verify(before, &stop.step, check));
        if let Some(query) = query {
            finding.verify(query);
        }
    }
}

/// Run again, the migration ends as it was meant to.
fn heals(whole: &Whole, stop: &Stop) -> bool {
    let again = whole.context.plan.run_from(whole.context.at.migration, &stop.state, whole.context.majors);
    let invalid =
        |schema: &Schema| schema.relations().filter_map(|one| one.as_index()).filter(|one| !one.valid).count();
    again.failed.is_none() && invalid(&again.end.schema) <= invalid(&whole.after.schema)
}
