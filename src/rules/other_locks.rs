//! DROP INDEX, REINDEX, REFRESH, CLUSTER and their kin on what is in use.

use super::in_use::{Altered, because_in_use, found, is_in_use, used};
use super::weight::{builds_below, goes_with_its_column, held_alone, locks_alone_below, soften};
use super::{Findings, column_added, say};
use crate::finding::Finding;
use crate::history::Step;
use crate::operation::{DomainAction, Drop, Ident, ObjectKind, Operation, Reindex, ReindexTarget, TableActionKind};
use crate::schema::{IndexKey, Relation};
use crate::server::Effects;

pub fn drop_index(step: &Step, findings: &mut Findings) {
    let Operation::Drop(Drop { kind: ObjectKind::Index, targets, concurrently: false, cascade, if_exists, .. }) =
        step.operation
    else {
        return;
    };
    if step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    let indexes = targets.iter().filter_map(|target| schema.find(&target.name));
    // A partitioned index cannot be dropped concurrently: there is no better way to tell of.
    let slow: Vec<&Relation> = indexes.filter(|one| is_droppable(step, one)).collect();
    let Some(table) = slow.first().and_then(|index| index.as_index()).map(|index| index.table) else { return };
    // The wait is over where another statement of the transaction has the lock; where the next one needs it, it comes
    // all the same. The lock of an index dropped before is this very fault.
    let locked = held_alone(step, table).is_some_and(|held| held.work != "drop");
    // The new index is built under this very lock: index-not-concurrent says so.
    if locked || slow.iter().all(|index| goes_with_its_column(step, index)) || builds_below(step, table) {
        return;
    }
    // CONCURRENTLY would spare nobody anything: the same transaction waits for all of them below.
    if locks_alone_below(step, table) {
        return;
    }
    let name = say::name(schema, table);
    let message = format!(
        "needs ACCESS EXCLUSIVE on `{name}`: it waits for the longest query there, and all reads and writes of `{name}` behind it"
    );
    let finding = findings.report(step.origin, "drop-index", step.certain, message);
    soften(step, finding, table);
    // Many indexes of a table are one fault: the lock is the same.
    finding.one_per(schema.relation(table).name.to_string());
    for index in &slow {
        finding.object(&index.name);
    }
    because_in_use(finding, schema.relation(table));
    let cascade = if *cascade { " CASCADE" } else { "" };
    let if_exists = if *if_exists { "IF EXISTS " } else { "" };
    let drops: Vec<String> =
        slow.iter().map(|index| format!("DROP INDEX CONCURRENTLY {if_exists}{}{cascade};", index.name)).collect();
    finding.instead(outside(step, &drops.join("\n")));
}

fn is_droppable(step: &Step, index: &Relation) -> bool {
    let Some(own) = index.as_index() else { return false };
    let schema = &step.before.schema;
    let partitioned = schema.get_relation(own.table).is_some_and(Relation::is_partitioned);
    !partitioned
        && own.constraint.is_none()
        && is_in_use(step, own.table)
        && step.after.schema.get_relation(own.table).is_some()
}

fn outside(step: &Step, text: &str) -> String {
    format!("{}\n{text}", say::outside_transaction(&step.context))
}

pub fn reindex(step: &Step, findings: &mut Findings) {
    let Operation::Reindex(Reindex { target, concurrently: false }) = step.operation else { return };
    if step.applied.failure().is_some() {
        return;
    }
    let builds = |effects: &Effects| used(step, effects.index_builds.iter().map(|build| build.table));
    let (Some((majors, built)), Some(words)) = (found(step, builds), reindex_words(target)) else { return };
    let (schema, first) = (&step.before.schema, built[0]);
    let names: Vec<String> = built.iter().map(|table| say::name(schema, *table)).collect();
    let message =
        format!("writes to {}, and queries that plan over the index, wait while it is built anew", say::list(&names));
    let finding = findings.report(step.origin, "reindex", step.certain, message);
    finding.postgres = majors;
    soften(step, finding, first);
    for table in &built {
        finding.object(&schema.relation(*table).name);
    }
    because_in_use(finding, schema.relation(first));
    finding.instead(outside(step, &format!("REINDEX {words};")));
}

/// SYSTEM has no concurrent form.
fn reindex_words(target: &ReindexTarget) -> Option<String> {
    Some(match target {
        ReindexTarget::Index(name) => format!("INDEX CONCURRENTLY {name}"),
        ReindexTarget::Table(name) => format!("TABLE CONCURRENTLY {name}"),
        ReindexTarget::Schema(name) => format!("SCHEMA CONCURRENTLY {name}"),
        ReindexTarget::Database => "DATABASE CONCURRENTLY …".to_owned(),
        ReindexTarget::System => return None,
    })
}

pub fn refresh(step: &Step, findings: &mut Findings) {
    let Operation::RefreshView(refresh) = step.operation else { return };
    if refresh.concurrently || !refresh.with_data || step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    let Some(relation) = schema.find(&refresh.view) else { return };
    // Before its first refresh nobody can read it, and CONCURRENTLY is refused.
    if !is_in_use(step, relation.id) || !relation.as_view().is_some_and(|view| view.populated) {
        return;
    }
    let message = format!("reads of `{}` wait while it is made anew", relation.name.short());
    let finding = findings.report(step.origin, "refresh-view", step.certain, message);
    soften(step, finding, relation.id);
    finding.object(&relation.name);
    because_in_use(finding, relation);
    let refresh = format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {};", relation.name);
    finding.instead(match has_unique_index(step, relation) {
        true => refresh,
        false => {
            let name = Ident::new(format!("{}_key", relation.name.name.as_str()));
            let build = format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} (…);", relation.name);
            format!(
                "{}\n-- in a migration after it; CONCURRENTLY needs a unique index over plain columns, without WHERE\n{refresh}",
                outside(step, &build)
            )
        }
    });
}

fn has_unique_index(step: &Step, view: &Relation) -> bool {
    let indexes = view.as_view().map(|view| view.indexes.as_slice()).unwrap_or_default();
    indexes.iter().filter_map(|index| step.before.schema.get_relation(*index)?.as_index()).any(|index| {
        let plain = index.parts.iter().all(|part| matches!(part.key, IndexKey::Column(_)));
        index.unique && index.valid && index.filter.is_none() && plain
    })
}

/// Storage made anew as a whole.
pub fn rewrite(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    if let Some(altered) = Altered::of(step) {
        return storage(&altered, findings);
    }
    let order = match step.operation {
        Operation::Cluster(_) => " --order-by=…",
        Operation::Vacuum(vacuum) if vacuum.full => " --no-order",
        _ => return,
    };
    let rewrites = |effects: &Effects| used(step, effects.rewrites.iter().map(|one| one.relation));
    let Some((majors, rewritten)) = found(step, rewrites) else { return };
    let (schema, first) = (&step.before.schema, rewritten[0]);
    let names: Vec<String> = rewritten.iter().map(|table| say::name(schema, *table)).collect();
    let message = format!("writes {} anew, with all indexes, while reads and writes wait", say::list(&names));
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    soften(step, finding, first);
    for table in &rewritten {
        finding.object(&schema.relation(*table).name);
    }
    because_in_use(finding, schema.relation(first));
    let tables: String = rewritten.iter().map(|table| format!(" --table={}", schema.relation(*table).name)).collect();
    finding.instead(format!(
        "-- the extension pg_repack does it while others read and write\n-- pg_repack{order}{tables}"
    ));
}

fn storage(altered: &Altered, findings: &mut Findings) {
    for (at, action) in altered.actions() {
        let (verb, instead) = match action {
            TableActionKind::SetLogged { .. } | TableActionKind::SetAccessMethod { .. } => ("writes", None),
            TableActionKind::SetTablespace { tablespace } => ("copies", Some(tablespace)),
            _ => continue,
        };
        let majors = altered.rewriting(at).0;
        if majors.is_empty() {
            continue;
        }
        let anew = if verb == "writes" { " anew, with all indexes," } else { " to other files" };
        let message = format!("{verb} `{}`{anew} while reads and writes wait", altered.name());
        let finding = altered.report(findings, at, &majors, true, message);
        way_out(finding, altered, instead);
    }
}

fn way_out(finding: &mut Finding, altered: &Altered, tablespace: Option<&Ident>) {
    let table = altered.full_name();
    finding.instead(match tablespace {
        Some(tablespace) => format!(
            "-- the extension pg_repack does it while others read and write\n\
             -- pg_repack --no-order --table={table} --tablespace={tablespace}"
        ),
        None => format!(
            "-- a new table of the wanted kind (CREATE TABLE … (LIKE {table} INCLUDING ALL)), which a trigger keeps up \
             and batches fill; then swap the two by name"
        ),
    });
}

/// A condition added to a domain, or validated: every table that uses it is read while its writes wait.
pub fn domain(step: &Step, findings: &mut Findings) {
    column_added::domain(step, findings);
    let Operation::AlterDomain(alter) = step.operation else { return };
    if step.applied.failure().is_some() {
        return;
    }
    let scans = |effects: &Effects| used(step, effects.scans.iter().map(|scan| scan.relation));
    let Some((majors, read)) = found(step, scans) else { return };
    let schema = &step.before.schema;
    let names: Vec<String> = read.iter().map(|table| say::name(schema, *table)).collect();
    let domain = &alter.name;
    let message =
        format!("reads all of {} while their writes wait, to test the condition of `{domain}`", say::list(&names));
    let finding = findings.report(step.origin, "alter-domain", step.certain, message);
    finding.postgres = majors;
    for table in &read {
        finding.object(&schema.relation(*table).name);
    }
    let condition = match &alter.action {
        DomainAction::AddCheck { check, .. } => Some(format!("CHECK ({})", check.text)),
        DomainAction::SetNotNull | DomainAction::AddNotNull { .. } => Some("CHECK (VALUE IS NOT NULL)".to_owned()),
        _ => None,
    };
    let per_table = "-- for the old values: the same condition as a check of each table, NOT VALID and validated apart";
    finding.instead(match condition {
        Some(condition) => {
            let name = match &alter.action {
                DomainAction::AddCheck { name: Some(name), .. } => name.clone(),
                _ => Ident::new(format!("{}_check", domain.name.as_str())),
            };
            format!("ALTER DOMAIN {domain} ADD CONSTRAINT {name} {condition} NOT VALID;\n{per_table}")
        }
        None => format!("-- leave it NOT VALID: it holds for every new value\n{per_table}"),
    });
}
