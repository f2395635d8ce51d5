//! Two locks in the order in which the application does not take them: one side is killed as a deadlock.

use std::collections::BTreeSet;

use super::Findings;
use super::in_use::{found, is_costly};
use super::weight::{goes_below, held, rests_on, young};
use crate::history::{HeldLock, OpenTransaction, Step, is_named};
use crate::operation::LockMode;
use crate::schema::{ColumnId, Constraint, IndexColumn, IndexKey, Relation, RelationId, Schema};
use crate::server::Effects;

/// The transaction holds the referenced table and asks for the referencing one. An INSERT there has its own lock by
/// then, and looks into the referenced table next.
pub fn inversion(step: &Step, findings: &mut Findings) {
    let Some(open) = &step.session.transaction else { return };
    if step.applied.failure().is_some() || open.locks.is_empty() {
        return;
    }
    let asked = |effects: &Effects| {
        let strong = effects.locks.iter().filter(|(_, mode)| mode.blocks_writes());
        let mut inverse =
            strong.filter_map(|(relation, _)| Some((*relation, inverted(step, open.locks.iter(), *relation)?)));
        inverse.find(|(one, _)| is_felt(step, *one))
    };
    let Some((majors, (child, first))) = found(step, asked) else { return };
    let schema = &step.before.schema;
    let (child, parent) = (schema.relation(child), schema.relation(first.relation));
    let (from, to) = (child.name.short(), parent.name.short());
    let message = format!(
        "may end in a deadlock: an INSERT into `{from}` that is under way waits for `{to}`, which this transaction has \
         locked, and this statement waits for that INSERT"
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    // One transaction is one fault.
    finding.one_per(format!("transaction since {}", open.since.span.start));
    finding.object(&child.name).object(&parent.name);
    finding.because(first.by.span, format!("takes {} on `{to}`, held until the transaction ends", first.mode));
    young(step, finding, child.id);
    finding.rank = rests_on(schema, child.id);
    finding.instead_of_all(match locked_at_once(step, open, child.id) {
        Some(tables) => format!(
            "-- transactions of their own; where they belong together, one LOCK before all else, referencing tables first\n\
             LOCK TABLE {} IN ACCESS EXCLUSIVE MODE;",
            tables.join(", "),
        ),
        None => "-- transactions of their own: a trigger of one table writes another that refers to it, and others lock the two \
                 in either order; no LOCK of both is safe"
            .to_owned(),
    });
}

/// Locks looked at for the one LOCK of all of them.
const MOST: usize = 50;

/// The tables that this transaction has locked so far in that order, each before those that it refers to, and that its
/// triggers write: the order in which an INSERT takes them. `None`: there are two orders.
fn locked_at_once(step: &Step, transaction: &OpenTransaction, child: RelationId) -> Option<Vec<String>> {
    let schema = &step.before.schema;
    let mut open: BTreeSet<RelationId> = BTreeSet::new();
    let locks = &transaction.locks;
    for (at, lock) in locks.iter().take(MOST).enumerate() {
        let is_felt = lock.named && lock.mode.blocks_writes() && is_costly(step, lock.relation);
        if let Some(first) = is_felt.then(|| inverted(step, locks.iter().take(at), lock.relation)).flatten() {
            open.extend([lock.relation, first.relation]);
        }
    }
    open.insert(child);
    let of_child = targets(schema, child).collect();
    open.extend(locks.iter().filter(|lock| is_target(step, lock, &of_child)).map(|lock| lock.relation));
    let mut refers: Vec<(RelationId, RelationId)> =
        open.iter().flat_map(|from| targets(schema, *from).map(|to| (*from, to))).collect();
    let fed = step.before.data.feeds().filter(|feed| feed.fires).map(|feed| (feed.source, feed.target));
    let fed: Vec<(RelationId, RelationId)> =
        fed.filter(|(from, to)| from != to && open.contains(from) && open.contains(to)).collect();
    if fed.iter().any(|(from, to)| refers.contains(&(*to, *from))) {
        return None;
    }
    refers.extend(fed);
    let mut ordered = Vec::new();
    while let Some(any) = open.first().copied() {
        let is_referenced = |table: RelationId| refers.iter().any(|(from, to)| *to == table && open.contains(from));
        // Tables that refer to each other have no such order.
        let next = open.iter().copied().find(|table| !is_referenced(*table)).unwrap_or(any);
        open.remove(&next);
        ordered.push(schema.relation(next).name.to_string());
    }
    Some(ordered)
}

/// Others write it, and nothing of this transaction keeps them away yet.
fn is_felt(step: &Step, table: RelationId) -> bool {
    let (before, after) = (&step.before.schema, &step.after.schema);
    let is_table = before.get_relation(table).is_some_and(|one| one.as_table().is_some());
    // Nobody writes what goes. What a key refers to is locked on its behalf: drop-fk-locks-both.
    let stays = after.get_relation(table).is_some() && is_named(step.operation, before, table);
    is_table && stays && is_costly(step, table) && held(step, table).is_none() && !goes_below(step, table)
}

/// The lock on a table to which `child` has a foreign key: looking there is a lock too (FOR KEY SHARE: ROW SHARE).
fn inverted<'a>(step: &Step, mut locks: impl Iterator<Item = &'a HeldLock>, child: RelationId) -> Option<&'a HeldLock> {
    let open = step.session.transaction.as_ref()?;
    let is_held = |table: &RelationId| open.strongest_on(*table).is_some_and(|mode| mode >= LockMode::Exclusive);
    let schema = &step.before.schema;
    let held: BTreeSet<RelationId> = awaited(schema, child).filter(is_held).collect();
    if held.is_empty() { None } else { locks.find(|lock| is_target(step, lock, &held)) }
}

/// What an INSERT into the child has to look into, kept from it by this lock.
fn is_target(step: &Step, lock: &HeldLock, targets: &BTreeSet<RelationId>) -> bool {
    let schema = &step.before.schema;
    lock.mode >= LockMode::Exclusive
        && lock.named
        && targets.contains(&lock.relation)
        && is_costly(step, lock.relation)
        && schema.get_relation(lock.relation).is_some_and(|one: &Relation| one.as_table().is_some())
}

/// The tables that an INSERT comes to only after its own. A row that is the only one of the row that it refers to is
/// made along with that: its transaction has locked both tables, that one first.
fn awaited(schema: &Schema, child: RelationId) -> impl Iterator<Item = RelationId> {
    targets(schema, child).filter(move |target| {
        let to_it = |key: &&Constraint| key.as_foreign().is_some_and(|own| own.references == *target);
        schema.constraints_of(child).filter(to_it).any(|key| !is_only_one(schema, child, &key.columns))
    })
}

/// No two rows of the table have the same values there.
fn is_only_one(schema: &Schema, table: RelationId, columns: &[ColumnId]) -> bool {
    let indexes = schema.get_relation(table).and_then(Relation::as_table).map(|table| table.indexes.as_slice());
    indexes.unwrap_or_default().iter().filter_map(|id| schema.get_relation(*id)?.as_index()).any(|index| {
        let is_among = |part: &IndexColumn| matches!(&part.key, IndexKey::Column(own) if columns.contains(own));
        index.unique && index.valid && index.filter.is_none() && index.parts.iter().all(is_among)
    })
}

/// The other tables that it refers to.
fn targets(schema: &Schema, child: RelationId) -> impl Iterator<Item = RelationId> {
    let keys = schema.constraints_of(child).filter(|key| key.enforced).filter_map(|key| key.as_foreign());
    keys.filter(move |key| !key.referenced_side && key.references != child).map(|key| key.references)
}
