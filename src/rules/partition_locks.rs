//! Partitions that come and go, and indexes of partitioned tables: who waits, and what PostgreSQL refuses.

use super::in_use::{Altered, because_in_use, found, is_costly, is_in_use, majors_where};
use super::weight::soften;
use super::{Findings, index_not_concurrent, recipe, say};
use crate::history::Step;
use crate::operation::{
    Bound, BoundValue, CreateTable, Drop, Ident, KeyPart, ObjectKind, Operation, Reindex, ReindexTarget,
    TableActionKind,
};
use crate::schema::{Relation, RelationId};
use crate::server::Effects;
use crate::version::Major;

/// CREATE, DROP INDEX and REINDEX … CONCURRENTLY where PostgreSQL has no such form.
pub fn concurrent_index(step: &Step, findings: &mut Findings) {
    match step.operation {
        Operation::CreateIndex(create) if create.concurrently => {
            let Some(table) = step.before.schema.find(&create.table) else { return };
            if !table.is_partitioned() || step.applied.failure().is_none() {
                return;
            }
            let message =
                format!("fails: `{}` is partitioned, and no index of it is built concurrently", table.name.short());
            let certain = step.certain && table.existence.is_certain();
            let finding = findings.report(step.origin, "create-index", certain, message);
            finding.object(&table.name);
            finding.because(
                table.existence.origin().span,
                format!("`{}` is made as a partitioned table", table.name.short()),
            );
            finding.instead(index_not_concurrent::partition_by_partition(step, create, table));
        }
        Operation::Drop(drop) if drop.kind == ObjectKind::Index && drop.concurrently => {
            drop_concurrently(step, drop, findings)
        }
        Operation::Reindex(reindex) if reindex.concurrently => reindex_concurrently(step, reindex, findings),
        _ => {}
    }
}

fn of_partitioned<'a>(step: &'a Step, index: &Relation) -> Option<&'a Relation> {
    let table = step.before.schema.get_relation(index.as_index()?.table)?;
    table.is_partitioned().then_some(table)
}

fn drop_concurrently(step: &Step, drop: &Drop, findings: &mut Findings) {
    for target in &drop.targets {
        let Some(index) = step.before.schema.find(&target.name) else { continue };
        let Some(table) = of_partitioned(step, index) else { continue };
        let (name, of) = (index.name.short(), table.name.short());
        let message =
            format!("fails: `{name}` is the index of the partitioned `{of}`, and is not dropped concurrently");
        let certain = step.certain && index.existence.is_certain();
        let finding = findings.report(step.origin, "drop-index", certain, message);
        finding.object(&index.name).object(&table.name);
        finding.because(index.existence.origin().span, format!("`{name}` is made on a partitioned table"));
        finding.instead(format!(
            "-- locks `{of}` and all partitions, for as long as it has to wait for them\n\
             SET lock_timeout = '5s';\nDROP INDEX {};",
            index.name
        ));
    }
}

/// Until 13 a warning is all that comes of it (measured: reindex.partitioned_table).
const REINDEX_SINCE: Major = Major(14);

fn reindex_concurrently(step: &Step, reindex: &Reindex, findings: &mut Findings) {
    let majors: Vec<Major> = step.context.majors.iter().copied().filter(|major| *major < REINDEX_SINCE).collect();
    let (ReindexTarget::Index(name) | ReindexTarget::Table(name)) = &reindex.target else { return };
    let Some(named) = step.before.schema.find(name) else { return };
    let table = if named.is_partitioned() { Some(named) } else { of_partitioned(step, named) };
    let Some(table) = table.filter(|_| !majors.is_empty()) else { return };
    let message = format!("does nothing before PostgreSQL {REINDEX_SINCE}: `{}` is partitioned", table.name.short());
    let finding = findings.report(step.origin, "reindex", step.certain, message);
    finding.postgres = majors;
    finding.object(&named.name);
    let leaves = step.before.schema.partitions(table.id).into_iter();
    let leaves = leaves.filter_map(|leaf| step.before.schema.get_relation(leaf)).filter(|leaf| !leaf.is_partitioned());
    let each: Vec<String> = leaves.map(|leaf| format!("REINDEX TABLE CONCURRENTLY {};", leaf.name)).collect();
    finding.instead(each.join("\n"));
}

pub fn attach(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        let TableActionKind::AttachPartition { partition, bound } = action else { continue };
        let schema = &step.before.schema;
        let Some(part) = schema.find(partition) else { continue };
        let read = |relation: RelationId| {
            majors_where(step, |effects| {
                let mut scans = effects.scans.iter().filter(|scan| scan.action == Some(at));
                scans.any(|scan| is_costly(step, scan.relation) && tree_holds(step, relation, scan.relation))
            })
        };
        let default = default_of(step, altered.relation);
        let (own, beside) = (read(part.id), default.map(|default| (default, read(default.id))));
        if !own.is_empty() {
            let name = part.name.short();
            let message =
                format!("reads all of `{name}` while its reads and writes wait, to see that its rows belong there");
            let finding = altered.report(findings, at, &own, true, message);
            finding.object(&part.name);
            finding.instead(proven(&altered, &part.name.to_string(), bound, true, &attached(&altered, part, bound)));
        } else if let Some((default, majors)) = beside.filter(|(_, majors)| !majors.is_empty()) {
            let message = format!(
                "reads all of the default partition `{}` while its reads and writes wait, to see that none of its rows belongs into the new one",
                default.name.short()
            );
            let finding = altered.report(findings, at, &majors, true, message);
            finding.object(&default.name);
            finding.instead(proven(
                &altered,
                &default.name.to_string(),
                bound,
                false,
                &attached(&altered, part, bound),
            ));
        }
    }
}

fn attached(altered: &Altered, part: &Relation, bound: &Bound) -> String {
    format!("ALTER TABLE {} ATTACH PARTITION {} {};", altered.relation.name, part.name, recipe::bound(bound))
}

/// The relation itself or a table below it.
fn tree_holds(step: &Step, root: RelationId, relation: RelationId) -> bool {
    root == relation || step.before.schema.partitions(root).contains(&relation)
}

fn default_of<'a>(step: &'a Step, parent: &Relation) -> Option<&'a Relation> {
    let children = parent.as_table()?.children.iter();
    children.filter_map(|child| step.before.schema.get_relation(*child)).find(|child| {
        let place = child.as_table().and_then(|table| table.partition_of.as_ref());
        place.is_some_and(|place| place.bound == Bound::Default)
    })
}

/// Partitions whose locks one statement takes together before it is worth a word.
const MANY: usize = 10;

/// Whatever is done to a partitioned table takes its lock on each partition, one after the other, and holds them all.
pub fn fan_out(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() || matches!(step.operation, Operation::Write(_) | Operation::Query(_)) {
        return;
    }
    let schema = &step.before.schema;
    let tables = |effects: &Effects| -> Option<(RelationId, Vec<RelationId>, Vec<RelationId>)> {
        let strong = effects.locks.iter().filter(|(_, mode)| mode.blocks_writes()).map(|(relation, _)| *relation);
        let tables: Vec<RelationId> =
            strong.filter(|one| schema.get_relation(*one).is_some_and(|one| one.as_table().is_some())).collect();
        let root = tables
            .iter()
            .map(|one| schema.partition_root(*one))
            .find(|root| schema.relation(*root).is_partitioned() && is_in_use(step, *root))?;
        let (tree, others): (Vec<_>, Vec<_>) = tables.into_iter().partition(|one| schema.partition_root(*one) == root);
        let parts: Vec<RelationId> = tree.into_iter().filter(|one| *one != root).collect();
        (parts.len() >= MANY).then_some((root, parts, others))
    };
    let Some((majors, (root, parts, others))) = found(step, tables) else { return };
    let relation = schema.relation(root);
    let more = match others.len() {
        0 => String::new(),
        count => {
            let names: Vec<String> = others.iter().map(|one| super::say::name(schema, *one)).collect();
            let tables = if count == 1 { "table" } else { "tables" };
            format!(", and {count} more {tables} ({})", super::say::list(&names))
        }
    };
    let message = format!(
        "locks `{}` with {} partitions at once{more}: it waits for whoever uses any of them, and others wait behind it for \
         those that it has",
        relation.name.short(),
        parts.len()
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    finding.one_per(relation.name.to_string());
    finding.object(&relation.name);
    finding.because(relation.existence.origin().span, format!("`{}` is partitioned", relation.name.short()));
    finding.instead(
        "-- partition by partition first, where the statement can be said so, and the parent last;\n\
         -- a short lock_timeout, and again where it gives up; a default server has room for 64 locks a session",
    );
}

/// A valid CHECK that says the bound, then ATTACH, which reads nothing.
fn proven(altered: &Altered, table: &str, bound: &Bound, inside: bool, attach: &str) -> String {
    let condition = bound_condition(altered.relation, bound, inside).unwrap_or_else(|| "…".to_owned());
    let name = Ident::new("partition_bound");
    format!(
        "{}\n-- the valid CHECK proves it: no row is read\n{attach}\nALTER TABLE {table} DROP CONSTRAINT {name};",
        recipe::validated_later(altered.step, table, &name, &format!("CHECK ({condition})"))
    )
}

/// The bound of a partition, or what lies outside of it, over a key of one column.
fn bound_condition(parent: &Relation, bound: &Bound, inside: bool) -> Option<String> {
    let key = parent.as_table()?.partition_by.as_ref()?;
    let [KeyPart::Column(column)] = key.parts.as_slice() else { return None };
    match bound {
        Bound::Range { from, to } => {
            let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return None };
            let value = |bound: &BoundValue| match bound {
                BoundValue::Value(value) => Some(value.text.to_string()),
                BoundValue::Minimum | BoundValue::Maximum => None,
            };
            let (low, high) = if inside { (">=", "<") } else { ("<", ">=") };
            let ends = [
                inside.then(|| format!("{column} IS NOT NULL")),
                value(from).map(|value| format!("{column} {low} {value}")),
                value(to).map(|value| format!("{column} {high} {value}")),
            ];
            let ends: Vec<String> = ends.into_iter().flatten().collect();
            Some(ends.join(if inside { " AND " } else { " OR " }))
        }
        Bound::List(values) => {
            let list: Vec<String> = values.iter().map(|value| value.text.to_string()).collect();
            let (present, not) =
                if inside { (format!("{column} IS NOT NULL AND "), "") } else { (String::new(), "NOT ") };
            Some(format!("{present}{column} {not}IN ({})", list.join(", ")))
        }
        Bound::Hash { .. } | Bound::Default => None,
    }
}

/// DETACH without CONCURRENTLY, which 14 and later have.
pub fn detach(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    let majors: Vec<Major> = step.context.majors.iter().copied().filter(|major| *major >= Major(14)).collect();
    for (at, action) in altered.actions() {
        let TableActionKind::DetachPartition { partition, concurrently: false, finalize: false } = action else {
            continue;
        };
        let Some(part) = step.before.schema.find(partition) else { continue };
        // With a default partition beside it CONCURRENTLY is refused: there is no better way to tell of.
        let parent = altered.relation;
        if majors.is_empty() || !is_in_use(step, parent.id) || default_of(step, parent).is_some() {
            continue;
        }
        let message = format!(
            "reads and writes of `{}` and all its partitions wait for the lock that this takes",
            altered.name()
        );
        let finding = altered.report(findings, at, &majors, true, message);
        finding.object(&part.name);
        finding.instead(format!(
            "{}\nALTER TABLE {} DETACH PARTITION {} CONCURRENTLY;",
            say::outside_transaction(&step.context),
            parent.name,
            part.name
        ));
    }
}

/// CREATE TABLE … PARTITION OF a table in use.
pub fn create(step: &Step, findings: &mut Findings) {
    let Operation::CreateTable(create) = step.operation else { return };
    let Some(of) = create.partition_of.as_ref().filter(|_| step.applied.failure().is_none()) else { return };
    let schema = &step.before.schema;
    let Some(parent) = schema.find_table(&of.parent) else { return };
    if !is_in_use(step, parent.id) || step.after.schema.relations_since(schema).is_empty() {
        return;
    }
    let name = parent.name.short();
    let message = format!("reads and writes of `{name}` wait for the lock that PARTITION OF takes on it");
    let finding = findings.report(step.origin, "create-table", step.certain, message);
    // Twelve months are one fault.
    finding.one_per(parent.name.to_string());
    soften(step, finding, parent.id);
    finding.object(&parent.name);
    because_in_use(finding, parent);
    finding.instead(apart(create, parent, &of.bound));
}

/// A table of its own, then ATTACH: it lets others read and write the parent.
fn apart(create: &CreateTable, parent: &Relation, bound: &Bound) -> String {
    let below = create.partition_by.as_ref().map(|key| format!(" {}", recipe::partition_by(key))).unwrap_or_default();
    format!(
        "CREATE TABLE {part} (LIKE {parent} INCLUDING ALL EXCLUDING IDENTITY){below};\n\
         ALTER TABLE {parent} ATTACH PARTITION {part} {};",
        recipe::bound(bound),
        part = create.name,
        parent = parent.name,
    )
}
