//! What a transaction does to others by the locks it keeps: long work after a strong lock, many tables at once.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Findings;
use super::in_use::{found, is_costly, is_in_use};
use super::nature::holds_written_rows;
use super::validation::own_migration;
use super::weight::{gone_below, is_needed_below, is_small_by_nature, later, on_purpose, rests_on, size};
use crate::finding::Severity;
use crate::history::{HeldLock, OpenTransaction, Step, TransactionUnit, is_named};
use crate::operation::{Expr, FromSource, Ident, LockMode, Name, Node, Operation, TableActionKind, Write, WriteKind};
use crate::schema::{IndexKey, Relation, RelationId};
use crate::server::{Effects, effects};
use crate::version::Major;

/// A strong lock that an earlier statement took is held over work that takes as long as a table is large.
pub fn while_scanning(step: &Step, findings: &mut Findings) {
    let Some(open) = &step.session.transaction else { return };
    if step.applied.failure().is_some() || open.locks.is_empty() {
        return;
    }
    let Some((majors, work)) = found(step, |effects| long_work(step, effects)) else { return };
    let Work { text: work, table } = work;
    let Some(held) = strongest_held(step, open, table) else { return };
    let schema = &step.before.schema;
    let locked = schema.relation(held.relation);
    let name = locked.name.short();
    let waits = if held.mode.blocks_reads() { "reads and writes of" } else { "writes to" };
    let message =
        format!("{waits} `{name}`, locked by an earlier statement of this transaction, wait while this {work}");
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    // One transaction is one fault, however many statements follow.
    finding.one_per(format!("transaction since {}", open.since.span.start));
    finding.object(&locked.name).object(&schema.relation(table).name);
    finding.because(held.by.span, format!("takes {} on `{name}`, held until the transaction ends", held.mode));
    if held.is_explicit() {
        on_purpose(finding, held);
    }
    size(step, finding, table);
    finding.instead(apart(step, &[table, held.relation]));
}

/// How the work is kept out of the lock.
pub(super) fn apart(step: &Step, tables: &[RelationId]) -> String {
    let shares_all = step.context.migration.transaction == TransactionUnit::AllPending;
    if is_needed_below(step, tables) && shares_all {
        return "-- in an earlier release, as all that are pending share one transaction: what this statement needs (a new \
                column alone takes no time), and the same in batches by a job; here only what is left over"
            .to_owned();
    }
    if is_needed_below(step, tables) {
        return "-- before this one, without the lock: what this statement needs (a new column alone takes no time), and the \
                same in batches, each in a transaction of its own; here only what is left over"
            .to_owned();
    }
    format!("{}: this statement, in batches where it changes many rows", own_migration(step))
}

/// The strongest lock on a table in use that stops its writers; of equals that on the table worked on, or the first.
fn strongest_held<'a>(step: &Step, open: &'a OpenTransaction, worked_on: RelationId) -> Option<&'a HeldLock> {
    let felt = open.locks.iter().filter(|held| held.mode.blocks_writes() && is_in_use(step, held.relation));
    felt.rev().max_by_key(|held| (held.mode, held.relation == worked_on))
}

/// Work that takes as long as a table is large.
struct Work {
    text: String,
    table: RelationId,
}

/// What takes long without being a fault of its own: statements over rows, and VALIDATE. Where a statement takes the
/// lock itself and scans under it, the rule on that statement speaks.
fn long_work(step: &Step, effects: &Effects) -> Option<Work> {
    let schema = &step.before.schema;
    // What this transaction emptied holds what it has put there itself.
    let emptied = emptied_above(step);
    let large = |relation: RelationId| {
        is_costly(step, relation) && !step.context.is_small(schema, relation) && !emptied.contains(&relation)
    };
    let scanned = effects.scans.iter().map(|scan| scan.relation).find(|relation| large(*relation));
    let work = |verb: &str, table| Work { text: format!("{verb} `{}`", super::say::name(schema, table)), table };
    match step.operation {
        Operation::Write(write) => {
            if let Some(updated) = joined_whole(step, write) {
                return Some(work("changes the rows of", updated));
            }
            if let Some(source) = joined_unserved(step, write) {
                return Some(work("reads all of", source));
            }
            let table = scanned?;
            let own = schema.find(&write.target).is_some_and(|target| target.id == table);
            Some(match write.kind {
                WriteKind::Update if own => work("updates rows all over", table),
                WriteKind::Delete if own => work("deletes rows all over", table),
                _ => work("reads all of", table),
            })
        }
        Operation::Query(_) | Operation::CreateTableAs(_) | Operation::CreateView(_) | Operation::RefreshView(_) => {
            Some(work("reads all of", scanned?))
        }
        Operation::AlterTable(alter) => {
            let [only] = alter.actions.as_slice() else { return None };
            let TableActionKind::ValidateConstraint { name } = &only.kind else { return None };
            let constraint = schema.find_constraint(schema.find(&alter.table)?.id, name)?;
            let open = step.session.transaction.as_ref()?;
            // Added in this very transaction: validate-in-same-transaction.
            open.before.schema.get_constraint(constraint.id)?;
            Some(work("reads all of", scanned?))
        }
        _ => None,
    }
}

/// The tables that statements of this migration above the step emptied.
fn emptied_above(step: &Step) -> Vec<RelationId> {
    let (schema, at) = (&step.before.schema, step.origin.span);
    let mut found = Vec::new();
    for node in &step.context.migration.up.nodes {
        node.statements(&mut |statement| {
            if let Operation::Truncate(truncate) = &statement.operation
                && statement.span.source == at.source
                && statement.span.end <= at.start
            {
                found.extend(truncate.tables.iter().filter_map(|table| schema.find(&table.name)).map(|one| one.id));
            }
        });
    }
    found
}

/// UPDATE … FROM and DELETE … USING of tables without a single constant: every row that has a partner is changed.
fn joined_whole(step: &Step, write: &Write) -> Option<RelationId> {
    if !matches!(write.kind, WriteKind::Update | WriteKind::Delete) || write.from.is_empty() {
        return None;
    }
    // A list in the statement names the rows.
    let mut narrowed = write.from.iter().any(|item| item.is_list(&write.with));
    if let Some(filter) = &write.filter {
        filter.walk(&mut |expr| narrowed |= matches!(expr, Expr::Constant(_) | Expr::Parameter(_)));
    }
    let target = step.before.schema.find(&write.target)?;
    let large = is_costly(step, target.id) && !step.context.is_small(&step.before.schema, target.id);
    (large && !narrowed).then_some(target.id)
}

/// UPDATE … FROM with conditions that no index of its tables serves: they narrow what is changed, not what is read. One of
/// the tables is read as a whole, by which the other is found; all of them are large.
fn joined_unserved(step: &Step, write: &Write) -> Option<RelationId> {
    let filter = write.filter.as_ref()?;
    if !matches!(write.kind, WriteKind::Update | WriteKind::Delete) || write.from.is_empty() || !write.with.is_empty() {
        return None;
    }
    let schema = &step.before.schema;
    let sources = write.from.iter().map(|item| match &item.source {
        FromSource::Relation { name, .. } => schema.find(name),
        _ => None,
    });
    let mut tables = sources.collect::<Option<Vec<_>>>()?;
    let source = tables.first()?.id;
    tables.push(schema.find(&write.target)?);
    if !tables.iter().all(|one| is_costly(step, one.id) && !step.context.is_small(schema, one.id)) {
        return None;
    }
    let conjuncts: &[Expr] = if let Expr::And(list) = filter { list } else { std::slice::from_ref(filter) };
    let mut narrowing: Vec<&Ident> = Vec::new();
    for conjunct in conjuncts {
        let mut fixed = false;
        conjunct.walk(&mut |expr| fixed |= matches!(expr, Expr::Constant(_) | Expr::Parameter(_)));
        narrowing.extend(conjunct.columns().into_iter().filter(|_| fixed));
    }
    let is_served = |relation: &&Relation| {
        let indexes = relation.as_table().map(|table| (table, table.indexes.as_slice()));
        let (table, indexes) = indexes?;
        let mut leading = indexes.iter().filter_map(|id| schema.get_relation(*id)?.as_index()?.parts.first());
        leading.find(|part| match &part.key {
            IndexKey::Column(id) => table.column_by_id(*id).is_some_and(|column| narrowing.contains(&&column.name)),
            IndexKey::Expression(_) => true,
        })
    };
    tables.iter().all(|one| is_served(one).is_none()).then_some(source)
}

/// How many tables make a queue that the application is bound to meet from the other end.
const MANY: usize = 3;
/// And how many do where each of them is done with in no time, once it is locked.
const VERY_MANY: usize = 8;

pub fn many_tables(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let exclusive = |mode: LockMode| mode == LockMode::AccessExclusive;
    let held = || step.session.transaction.iter().flat_map(|open| &open.locks).filter(|held| exclusive(held.mode));
    // Whether others feel them is not asked where there are too few of any kind.
    let open = step.session.transaction.as_ref();
    let may_be_many = |effects: &Effects| {
        let is_new = |relation: RelationId| {
            open.and_then(|open| open.strongest_on(relation)).is_none_or(|held| !exclusive(held))
        };
        let own = effects.locks.iter().filter(|(relation, mode)| exclusive(*mode) && is_new(*relation)).count();
        (own > 0 && held().take(MANY).count() + own >= MANY).then_some(())
    };
    if found(step, may_be_many).is_none() {
        return;
    }
    // Where they were many before, the statement that made them so has been told.
    let gone = gone_below(step);
    let stays = |relation: RelationId| !gone.contains(&relation);
    let mut before = BTreeSet::new();
    let named = held().filter(|held| held.named && stays(held.relation)).map(|held| (held.relation, held.mode));
    for root in locked_roots(step, named) {
        before.insert(root);
        if before.len() >= MANY {
            return;
        }
    }
    let total = |effects: &Effects| {
        let mut all = before.clone();
        // What keys refer to is locked for a moment at the end, and cannot be left out: drop-fk-locks-both.
        all.extend(locked_roots(step, named_locks(step, step.operation, effects).filter(|(one, _)| stays(*one))));
        all
    };
    let many = |effects: &Effects| Some(total(effects)).filter(|all| all.len() >= MANY);
    let Some((majors, locked)) = found(step, many) else { return };
    let schema = &step.before.schema;
    let mut all = locked;
    all.extend(locked_below(step, majors[0]).filter(|root| stays(*root)));
    // The busiest first.
    let mut locked: Vec<RelationId> = all.into_iter().collect();
    locked.sort_by_key(|table| Reverse(rests_on(schema, *table)));
    let names: Vec<String> = locked.iter().map(|table| schema.relation(*table).name.short()).collect();
    let message = format!(
        "reads and writes of {} wait until the last of them is done: one transaction locks them all",
        super::say::list(&names)
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    // A script that locks its tables first, in one order, does it to avoid what this rule warns of.
    let first = step.session.transaction.as_ref().and_then(|open| open.locks.front());
    if let (Operation::Lock(_), Some(held)) = (step.operation, first.filter(|held| held.is_explicit())) {
        on_purpose(finding, held);
    }
    if !takes_long(step, finding.postgres[0]) {
        let few = locked.len() < VERY_MANY;
        finding.severity = finding.severity.min(if few { Severity::Note } else { Severity::Warning });
    }
    for table in &locked {
        finding.object(&schema.relation(*table).name);
    }
    if let Some(open) = &step.session.transaction {
        // Tables dropped meanwhile no longer count: the number may be reached twice in one transaction.
        if let Some(first) = open.locks.front() {
            finding.one_per(format!("{}", first.by.span.start));
        }
        let held = open.locks.iter().filter(|held| held.mode == LockMode::AccessExclusive);
        for held in held.filter(|held| before.contains(&schema.partition_root(held.relation))).take(MANY) {
            let name = super::say::name(schema, held.relation);
            finding.because(held.by.span, format!("locks `{name}` until the transaction ends"));
        }
    }
    finding.instead(format!(
        "{}-- a transaction of its own for each table: {}",
        if step.session.has_lock_timeout() { "" } else { "SET lock_timeout = '5s';\n" },
        match step.context.migration.transaction {
            TransactionUnit::Statement => "BEGIN and COMMIT around what belongs to one, or neither",
            TransactionUnit::SimpleQuery | TransactionUnit::File => "a migration of its own",
            TransactionUnit::AllPending => "a release of its own, as all that is pending shares one transaction",
        }
    ));
}

/// Some statement of the migration takes as long as a table in use is large, or does what is not seen: the others stay
/// locked meanwhile. Changes of the catalogue alone are over at once.
fn takes_long(step: &Step, major: Major) -> bool {
    const LOOKED_AT: usize = 200;
    let schema = &step.after.schema;
    let is_slow = |relation: RelationId| {
        is_costly(step, relation)
            && !is_small_by_nature(step, relation)
            && !holds_written_rows(&step.context, step.before, relation)
    };
    let felt = |name: &Name| schema.find(name).is_some_and(|one| is_slow(one.id));
    let is_long = |operation: &Operation| match operation {
        Operation::Write(write) => {
            let changes = |one: &Write| matches!(one.kind, WriteKind::Update | WriteKind::Delete) && felt(&one.target);
            write.all().into_iter().any(|one| changes(one) || one.reads().into_iter().any(felt))
        }
        Operation::Do(_) | Operation::Call { .. } | Operation::Unread(_) | Operation::RefreshView(_) => true,
        Operation::Query(query) => !query.called().is_empty(),
        Operation::AlterTable(_) | Operation::CreateIndex(_) | Operation::CreateTableAs(_) => {
            let facts = step.session.server_facts();
            let before = step.session.transaction.as_ref().map_or(&step.before.schema, |open| &open.before.schema);
            [before, &step.before.schema].into_iter().any(|schema| {
                let effects = effects(operation, schema, major, &facts);
                let scans = effects.scans.iter().map(|one| one.relation);
                let builds = effects.index_builds.iter().map(|one| one.table);
                let rewrites = effects.rewrites.iter().map(|one| one.relation);
                scans.chain(builds).chain(rewrites).any(is_slow)
            })
        }
        _ => false,
    };
    let (mut found, mut looked_at) = (false, 0);
    for node in &step.context.migration.up.nodes {
        // What Ruby does is not looked into.
        found |= matches!(node, Node::Ruby(_));
        node.statements(&mut |statement| {
            looked_at += 1;
            found = found || looked_at > LOOKED_AT || is_long(&statement.operation);
        });
    }
    found
}

/// What a statement locks that it names.
fn named_locks<'a>(
    step: &'a Step,
    operation: &'a Operation,
    effects: &'a Effects,
) -> impl Iterator<Item = (RelationId, LockMode)> + 'a {
    effects.locks.iter().copied().filter(|(one, _)| is_named(operation, &step.before.schema, *one))
}

/// The tables that statements below lock likewise, as far as the schema at this one tells.
fn locked_below(step: &Step, major: Major) -> impl Iterator<Item = RelationId> {
    const LOOKED_AT: usize = 200;
    let mut found = BTreeSet::new();
    for statement in later(step).into_iter().take(LOOKED_AT) {
        if let Operation::AlterTable(_) = &statement.operation {
            let facts = step.session.server_facts();
            let effects = effects(&statement.operation, &step.before.schema, major, &facts);
            found.extend(locked_roots(step, named_locks(step, &statement.operation, &effects)));
        }
    }
    found.into_iter()
}

/// The tables in use that are locked against everybody; of a partition tree its root.
fn locked_roots(step: &Step, locks: impl Iterator<Item = (RelationId, LockMode)>) -> impl Iterator<Item = RelationId> {
    let strong = locks.filter(|(_, mode)| *mode == LockMode::AccessExclusive).map(|(relation, _)| relation);
    let felt = strong.filter(move |relation| {
        is_costly(step, *relation)
            && !step.context.is_small(&step.before.schema, *relation)
            // What is dropped is out of use.
            && step.after.schema.get_relation(*relation).is_some_and(|relation| relation.as_table().is_some())
    });
    felt.map(|relation| step.before.schema.partition_root(relation))
}
