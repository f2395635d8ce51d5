//! What a migration does to a copy while its source goes on being written: who waits, and which rows go stale.

use std::collections::BTreeSet;

use super::{Check, Findings, Rule, say};
use crate::data::{Conflict, Feed, FeedKind, FeedWrite, Fill};
use crate::finding::Severity;
use crate::history::Step;
use crate::operation::{Operation, RowLock, Rows, Write, WriteKind};
use crate::schema::RelationId;

/// Long work on a copy under a lock that stops its writers: the source's writes go through the copy and wait with them.
pub fn ddl_blocks_source(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() || matches!(step.operation, Operation::Write(_) | Operation::Query(_)) {
        return;
    }
    let Some((copy, feed)) = locked_copy(step) else { return };
    let Some(rule) = Rule::find("ddl-on-copy-blocks-source") else { return };
    let mut general = Findings::new(rule.id, Severity::Error, &step.context);
    for id in &rule.page().over {
        let Some(Rule { check: Check::Step(check), .. }) = Rule::find(id) else { continue };
        check(step, &mut general);
    }
    let schema = &step.before.schema;
    let (name, source) = (say::name(schema, copy), say::name(schema, feed.source));
    let trigger = schema.trigger(feed.trigger);
    let root = schema.relation(schema.partition_root(copy)).name.to_string();
    let full = schema.relation(copy).name.to_string();
    let about = |objects: &[String]| objects.contains(&full) || objects.contains(&root);
    for mut told in general.into_found().into_iter().filter(|told| about(&told.objects)) {
        let message = format!(
            "{}, and with them the writes to `{source}`, whose trigger `{}` writes `{name}`",
            told.message, trigger.name
        );
        let finding = findings.report(step.origin, told.operation, told.certain && feed.certain, message);
        finding.severity = finding.severity.min(told.severity);
        finding.span = told.span;
        finding.postgres = std::mem::take(&mut told.postgres);
        finding.because = std::mem::take(&mut told.because);
        finding.objects = std::mem::take(&mut told.objects);
        finding.instead = told.instead.take();
        finding.verify = told.verify.take();
        finding.fault = std::mem::take(&mut told.fault);
        finding.because(
            trigger.existence.origin().span,
            format!("trigger `{}` writes the rows of `{source}` into `{name}`", trigger.name),
        );
        finding.object(&schema.relation(feed.source).name);
        if let Some(write) = feed.writes.first() {
            say::path(finding, schema, feed, write, copy, None);
        }
    }
}

/// A relation whose writers the statement stops, fed from an older table that it does not lock itself.
fn locked_copy<'a>(step: &Step<'a>) -> Option<(RelationId, &'a Feed)> {
    let (schema, data) = (&step.before.schema, &step.before.data);
    let effects = step.effects(*step.context.majors.first()?);
    let works = !(effects.scans.is_empty() && effects.rewrites.is_empty() && effects.index_builds.is_empty());
    let blocked = effects.locks.iter().filter(|(_, mode)| works && mode.blocks_writes());
    let locked: BTreeSet<RelationId> = blocked.map(|(relation, _)| *relation).collect();
    locked.iter().find_map(|copy| {
        schema.get_relation(*copy)?.as_table()?;
        // Where another table's trigger only keeps a date or a count, the table is no copy: the general rule says enough.
        let copies = data.copies_of(schema, &BTreeSet::new(), &BTreeSet::from([schema.partition_root(*copy)]));
        let feed = data.feeds_into(schema, *copy).find(|feed| {
            let Some(source) = schema.get_relation(feed.source) else { return false };
            let is_copied = copies.iter().any(|one| one.trigger == feed.trigger && one.source == feed.source);
            is_copied
                && feed.fires
                && !locked.contains(&feed.source)
                && !step.context.is_of_this_release(&source.existence)
        });
        Some((*copy, feed?))
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
