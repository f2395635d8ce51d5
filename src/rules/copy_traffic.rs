//! What a migration does to a copy while its source goes on being written: who waits, and which rows go stale.

use std::collections::BTreeSet;

use super::in_use::{found, is_costly, is_in_use};
use super::weight::soften;
use super::{Findings, say};
use crate::data::{Conflict, Feed, FeedKind, FeedWrite, Fill};
use crate::history::Step;
use crate::operation::{Operation, RowLock, Rows, Write, WriteKind};
use crate::schema::RelationId;
use crate::server::Effects;

/// Long work on a copy under a lock that stops its writers: the source's writes go through the copy and wait with them.
pub fn ddl_blocks_source(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() || matches!(step.operation, Operation::Write(_) | Operation::Query(_)) {
        return;
    }
    let Some((majors, (feeds, work))) = found(step, |effects| locked_copies(step, effects)) else { return };
    let schema = &step.before.schema;
    let Some((first, feed)) = feeds.first().copied() else { return };
    let mut sources: Vec<String> = feeds.iter().map(|(_, feed)| say::name(schema, feed.source)).collect();
    let mut names: Vec<String> =
        feeds.iter().map(|(copy, _)| say::name(schema, schema.partition_root(*copy))).collect();
    sources.dedup();
    names.dedup();
    let writes = if sources.len() > 1 { "their triggers write" } else { "its trigger writes" };
    let message = format!(
        "writes to {} wait while {work}: {writes} {}, locked against other writers by this statement",
        say::list(&sources),
        say::list(&names),
    );
    let certain = feeds.iter().any(|(_, feed)| feed.certain);
    let finding = findings.report(step.origin, step.operation.word(), step.certain && certain, message);
    finding.postgres = majors;
    // One table is locked for all that the migration does to it.
    finding.one_per(names.join(" "));
    soften(step, finding, first);
    for (copy, feed) in &feeds {
        let trigger = schema.trigger(feed.trigger);
        finding.object(&schema.relation(schema.partition_root(*copy)).name);
        finding.object(&schema.relation(*copy).name).object(&schema.relation(feed.source).name);
        let text = format!(
            "trigger `{}` writes the rows of `{}` into `{}`",
            trigger.name,
            say::name(schema, feed.source),
            say::name(schema, schema.partition_root(*copy))
        );
        if !finding.because.iter().any(|known| known.text == text) {
            finding.because(trigger.existence.origin().span, text);
        }
    }
    if let Some(write) = feed.writes.first() {
        say::path(finding, schema, feed, write, first, None);
    }
    finding.instead("-- as for a table in use, since its writers are in use; or before the trigger feeds the copy");
}

/// The copies whose writers the statement stops for as long as a table is large, with what feeds them, and what takes so
/// long.
fn locked_copies<'a>(step: &Step<'a>, effects: &Effects) -> Option<(Vec<(RelationId, &'a Feed)>, String)> {
    let schema = &step.before.schema;
    let large = |relation: &RelationId| is_costly(step, *relation) && !step.context.is_small(schema, *relation);
    let work = |table: RelationId, text: &str| {
        let name = say::name(schema, schema.partition_root(table));
        format!("{text} `{name}`")
    };
    // IF NOT EXISTS over an index that is there builds none.
    let is_made =
        !matches!(step.operation, Operation::CreateIndex(_)) || !step.after.schema.relations_since(schema).is_empty();
    let rewritten = effects.rewrites.iter().map(|one| one.relation).find(large);
    let built = || effects.index_builds.iter().map(|one| one.table).filter(|_| is_made).find(large);
    let scanned = || effects.scans.iter().map(|one| one.relation).find(large);
    let work = rewritten
        .map(|table| work(table, "this writes anew all rows of"))
        .or_else(|| built().map(|table| work(table, "an index is built over")))
        .or_else(|| scanned().map(|table| work(table, "this reads all of")))?;
    let blocked: BTreeSet<RelationId> =
        effects.locks.iter().filter(|(_, mode)| mode.blocks_writes()).map(|(relation, _)| *relation).collect();
    // Of a partition tree its root, where that is locked as well.
    let is_told = |copy: &RelationId| {
        let root = schema.partition_root(*copy);
        (root == *copy || !blocked.contains(&root)) && is_in_use(step, *copy)
    };
    let fed = |copy: RelationId| Some((copy, fed_from_outside(step, effects, copy)?));
    let feeds: Vec<_> = blocked.iter().copied().filter(is_told).filter_map(fed).collect();
    (!feeds.is_empty()).then_some((feeds, work))
}

/// Fed from an older table, which the statement itself leaves to its writers.
fn fed_from_outside<'a>(step: &Step<'a>, effects: &Effects, copy: RelationId) -> Option<&'a Feed> {
    let (schema, data) = (&step.before.schema, &step.before.data);
    schema.get_relation(copy)?.as_table()?;
    let is_locked = |table: RelationId| effects.lock_on(table).is_some_and(|mode| mode.blocks_writes());
    // Where another table's trigger only keeps a date or a count, the table is no copy: the general rule says enough.
    let copies = data.copies_of(schema, &BTreeSet::new(), &BTreeSet::from([schema.partition_root(copy)]));
    data.feeds_into(schema, copy).find(|feed| {
        let Some(source) = schema.get_relation(feed.source) else { return false };
        copies.iter().any(|one| one.trigger == feed.trigger && one.source == feed.source)
            && feed.fires
            && !is_locked(feed.source)
            && !step.context.is_of_this_release(&source.existence)
    })
}

/// A backfill that reads rows which others change meanwhile.
pub fn backfill_without_lock(step: &Step, findings: &mut Findings) {
    let Operation::Write(write) = step.operation else { return };
    if step.applied.failure().is_some() || write.kind != WriteKind::Insert || !matches!(write.rows, Rows::Query(_)) {
        return;
    }
    let (schema, data) = (&step.before.schema, &step.after.data);
    let Some(target) = schema.find_table(&write.target) else { return };
    let is_own = |fill: &&Fill| fill.origin.span == step.origin.span;
    let Some(fill) = data.fills_of(target.id).iter().rfind(is_own) else { return };
    let Some(source) = schema.get_relation(fill.source).filter(|source| source.as_table().is_some()) else { return };
    if step.context.is_of_this_release(&source.existence) || is_held(step, fill.source) {
        return;
    }
    let root = schema.partition_root(fill.source);
    let mut feeds = data.feeds_into(schema, target.id);
    let Some(feed) = feeds.find(|feed| feed.fires && schema.partition_root(feed.source) == root) else { return };
    let race = Race::of(feed, write, fill.row_lock);
    if race.stale || race.ghosts {
        report_race(step, fill, feed, &race, findings);
    } else if fill.row_lock == Some(RowLock::Update) {
        report_strong_lock(step, fill, findings);
    }
}

/// The transaction itself keeps others from writing the table.
fn is_held(step: &Step, table: RelationId) -> bool {
    let mut locks = step.session.transaction.iter().flat_map(|open| &open.locks);
    locks.any(|held| held.relation == table && held.mode.blocks_writes())
}

/// What happens to a row that is changed between the backfill's read and its end.
struct Race {
    /// The trigger updates a row that is not there yet, and then the old version comes.
    stale: bool,
    /// Likewise deletes.
    ghosts: bool,
}

impl Race {
    fn of(feed: &Feed, write: &Write, lock: Option<RowLock>) -> Race {
        let updates = |one: &FeedWrite| match one.kind {
            FeedKind::Update => one.events.update,
            // What upserts waits for the backfill's row, or is there before it: unless that one then overwrites it.
            FeedKind::Insert { conflict: Conflict::Updates } => one.events.update && overwrites(write),
            FeedKind::Insert { .. } | FeedKind::Delete => false,
        };
        let deletes = |one: &FeedWrite| one.events.delete && one.kind == FeedKind::Delete;
        // FOR KEY SHARE keeps rows from being deleted, and lets them be updated.
        Race {
            stale: matches!(lock, None | Some(RowLock::KeyShare)) && feed.writes.iter().any(updates),
            ghosts: lock.is_none() && feed.writes.iter().any(deletes),
        }
    }
}

fn overwrites(write: &Write) -> bool {
    write.on_conflict.as_ref().is_some_and(|conflict| conflict.update.is_some())
}

fn report_race(step: &Step, fill: &Fill, feed: &Feed, race: &Race, findings: &mut Findings) {
    let schema = &step.before.schema;
    let (source, target) = (say::name(schema, fill.source), say::name(schema, fill.target));
    let trigger = schema.trigger(feed.trigger);
    let outcome = match (race.stale, race.ghosts) {
        (true, true) => format!("keep their old values in `{target}`, or stay there although they are deleted"),
        (true, false) => format!("keep their old values in `{target}`"),
        (false, _) => format!("stay in `{target}` although they are deleted"),
    };
    let how = match fill.row_lock {
        None => "without a row lock",
        Some(_) => "under FOR KEY SHARE, which lets updates through",
    };
    let message = format!(
        "rows of `{source}` that change while this backfill runs {outcome}: it reads them {how}, and trigger `{}` finds nothing to change yet",
        trigger.name
    );
    let finding = findings.report(step.origin, "insert", step.certain && feed.certain && fill.certain, message);
    finding.one_per(format!("{target} {source}"));
    finding.object(&schema.relation(fill.target).name).object(&schema.relation(fill.source).name);
    finding.because(
        trigger.existence.origin().span,
        format!("trigger `{}` goes on changing `{target}` meanwhile", trigger.name),
    );
    if let Some(write) = feed.writes.first() {
        say::path(finding, schema, feed, write, fill.target, None);
    }
    let copies = step.after.data.copies_of(schema, &BTreeSet::from([feed.trigger]), &BTreeSet::new());
    let copy = copies.into_iter().find(|copy| copy.table == schema.partition_root(fill.target));
    match copy {
        Some(copy) => {
            finding.instead(format!(
                "-- batch by batch; the lock lets others read the rows and refer to them\n{}",
                say::backfill(schema, &step.after.data, copy)
            ));
            if race.ghosts {
                finding.verify(ghosts_query(step, copy));
            }
        }
        None => {
            finding.instead(format!("-- at the end of its SELECT from {source}\nFOR NO KEY UPDATE"));
        }
    }
}

/// Counts the rows of a copy whose original is gone.
fn ghosts_query(step: &Step, copy: &crate::data::Copy) -> String {
    let schema = &step.before.schema;
    let pairs: Vec<String> = copy.key.iter().map(|(copy, source)| format!("c.{copy} = s.{source}")).collect();
    format!(
        "SELECT count(*) FROM {} AS c WHERE NOT EXISTS (SELECT FROM {} AS s WHERE {})",
        schema.relation(copy.table).name,
        schema.relation(copy.source).name,
        pairs.join(" AND ")
    )
}

/// FOR UPDATE keeps others from referring to the rows.
fn report_strong_lock(step: &Step, fill: &Fill, findings: &mut Findings) {
    let schema = &step.before.schema;
    let Some(table) = schema.relation(fill.source).as_table() else { return };
    let key = table.referenced_by.iter().map(|id| schema.constraint(*id)).find(|key| {
        key.table != fill.source && !step.context.is_of_this_release(&schema.relation(key.table).existence)
    });
    let Some(key) = key else { return };
    let (source, child) = (say::name(schema, fill.source), say::name(schema, key.table));
    let message = format!(
        "INSERT into `{child}` waits for the rows of `{source}` that this backfill holds: FOR UPDATE also keeps others \
         from referring to them"
    );
    let finding = findings.report(step.origin, "insert", step.certain && fill.certain, message);
    finding.one_per(format!("{} {source}", say::name(schema, fill.target)));
    finding.object(&schema.relation(fill.target).name).object(&schema.relation(fill.source).name);
    finding.because(key.existence.origin().span, format!("foreign key `{}` refers to `{source}`", key.name));
    finding.instead("-- instead of FOR UPDATE\nFOR NO KEY UPDATE");
}
