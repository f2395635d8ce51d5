//! How much a wait weighs: small and young tables, locks that a script takes on purpose or holds anyway.

use std::collections::BTreeSet;

use super::nature::{has_keys_alone, holds_written_rows, keeps_rows_briefly};
use super::say;
use crate::finding::{Finding, Severity};
use crate::history::{Context, HeldLock, State, Step};
use crate::operation::{LockMode, Node, Operation, Statement, TableActionKind, Transaction};
use crate::schema::{IndexKey, Relation, RelationId, Schema};
use crate::server::effects;
use crate::source::Span;
use crate::version::Major;

/// Tables younger than this are hardly grown: one severity less.
const YOUNG_DAYS: u32 = 30;
/// Tables that reached production with the deploy before at the earliest, if they are there at all: a note.
const NEWBORN_DAYS: u32 = 10;

/// What is over soon, or was meant to make others wait, weighs less.
pub fn soften(step: &Step, finding: &mut Finding, relation: RelationId) {
    if step.context.is_small(&step.before.schema, relation) {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    size(step, finding, relation);
    if let Some(said) = said_to_be_small(step) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.because(said, "a comment says that nobody waits long here");
    }
    if let Some(held) = held(step, relation).filter(|held| held.is_explicit() && held.mode.blocks_reads()) {
        on_purpose(finding, held);
    }
}

/// What a comment right above a statement says of the table, or of CONCURRENTLY, by whoever has weighed it.
const WEIGHED: [&str; 14] = [
    "not a hot table",
    "not hot",
    "small table",
    "tiny table",
    "tables are small",
    "table is small",
    "table is tiny",
    "are small relative",
    "few rows",
    "handful of rows",
    "low-traffic",
    "low traffic",
    "created rarely",
    "rather than concurrently",
];

/// How small does not matter: "so small", "very small".
const HOW: [&str; 8] = ["so", "very", "quite", "rather", "really", "pretty", "fairly", "relatively"];

/// How a comment calls what a table holds a cache; to clear "the cache" is said of another one.
const CACHE: [&str; 4] = ["a cache", "cache table", "is cached", "are cached"];

/// What it says of rows that nobody misses, beside that.
const MADE_ANEW: [&str; 6] = ["clear", "flush", "invalidat", "rebuil", "refill", "regenerat"];

/// The last comment above a statement, where it says that the table is small.
fn said_to_be_small(step: &Step) -> Option<Span> {
    let (text, last) = said_above(step)?;
    let plain: Vec<&str> = text.split_whitespace().filter(|word| !HOW.contains(word)).collect();
    let says = |text: &str| WEIGHED.iter().any(|words| text.contains(words));
    ((says(&text) || says(&plain.join(" "))) && !text.contains("not a small")).then_some(last)
}

/// The last comment above a statement, where it says that what it takes away is a cache and may go.
pub fn said_to_be_made_anew(step: &Step) -> Option<Span> {
    let (text, last) = said_above(step)?;
    let calls_it = CACHE.iter().any(|words| text.contains(words));
    (calls_it && MADE_ANEW.iter().any(|word| text.contains(word))).then_some(last)
}

/// The last comment above a TRUNCATE, where it gives the reason for it.
pub fn said_why_emptied(step: &Step) -> Option<Span> {
    let (text, last) = said_above(step)?;
    let reason = ["because", "so that", "since "].iter().any(|word| text.contains(word));
    (reason && text.contains("truncat")).then_some(last)
}

/// What the comments right above a statement say, in small letters, and the last of them.
fn said_above(step: &Step) -> Option<(String, Span)> {
    let at = step.origin.span;
    let migration = step.context.migration;
    let mut from = 0;
    for node in &migration.up.nodes {
        // What opens a transaction or sets something belongs to what follows, and so does one index to the next.
        let goes_on = matches!(node, Node::Statement(one) if matches!(
            one.operation,
            Operation::Transaction(Transaction::Begin) | Operation::Set(_) | Operation::CreateIndex(_)
        ));
        node.places(&mut |place| {
            if place.source == at.source && place.end <= at.start && !goes_on {
                from = from.max(place.end);
            }
        });
    }
    let near = |span: Span| span.source == at.source && span.start >= from && span.end <= at.start;
    let comments: Vec<_> = migration.comments.iter().filter(|comment| near(comment.span)).collect();
    let text: Vec<String> = comments.iter().map(|comment| comment.text.trim().to_lowercase()).collect();
    // A sentence goes on in the next line.
    comments.last().map(|comment| (text.join(" "), comment.span))
}

/// LOCK TABLE: whoever writes it wants others to wait.
pub fn on_purpose(finding: &mut Finding, held: &HeldLock) {
    finding.severity = finding.severity.min(Severity::Note);
    finding.because(held.by.span, "LOCK TABLE makes others wait from here on, whatever follows");
}

/// What is over soon for the table is young, or nothing shows that anybody looks for many of its rows.
pub fn size(step: &Step, finding: &mut Finding, relation: RelationId) {
    let state = step.before;
    // One row is enough to fail; and what triggers fill is as large as what it is filled from.
    let is_seeded = state.data.is_seeded(&state.schema, relation);
    let is_fed = state.data.is_fed(&state.schema, relation) && !is_seeded;
    if finding.rule == "not-null-column-without-default" || is_fed {
        return;
    }
    young(step, finding, relation);
    if holds_written_rows(&step.context, state, relation) {
        finding.severity = finding.severity.min(Severity::Note);
        let table = say::name(&state.schema, relation);
        finding
            .message
            .push_str(&format!("; migrations write out what `{table}` holds, as they do of kinds and settings"));
        return;
    }
    if let Some(column) = keeps_rows_briefly(&state.schema, relation) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.because(column.existence.origin().span, format!("by `{}` its rows are over within a day", column.name));
    }
    if is_small_by_nature(step, relation) {
        finding.severity = finding.severity.min(Severity::Note);
        let table = say::name(&state.schema, relation);
        finding.message.push_str(&format!("; `{table}` has no index but for its keys, as small tables do"));
    }
}

/// Why the rows of a table are none, or few, by what is seen of it; `None`: they may be many.
pub fn little(context: &Context, state: &State, relation: RelationId) -> Option<String> {
    let (schema, data) = (&state.schema, &state.data);
    let table = say::name(schema, relation);
    if context.is_new(state, relation) {
        return Some(format!("`{table}` is new"));
    }
    if context.is_small(schema, relation) {
        return Some(format!("`{table}` is said to be small"));
    }
    if data.is_fed(schema, relation) && !data.is_seeded(schema, relation) {
        return None;
    }
    if holds_written_rows(context, state, relation) {
        return Some(format!("migrations write out what `{table}` holds, as they do of kinds and settings"));
    }
    let age = schema.get_relation(relation).and_then(|found| context.age_in_days(&found.existence));
    if age.is_some_and(|days| days < NEWBORN_DAYS) {
        return Some(format!("`{table}` is not ten days old"));
    }
    has_keys_alone(context, schema, relation)
        .then(|| format!("`{table}` has no index but for its keys, as small tables do"))
}

/// Nothing shows that anybody looks for many of its rows, up to now and in what this migration makes of it.
pub fn is_small_by_nature(step: &Step, relation: RelationId) -> bool {
    let indexed = matches!(step.operation, Operation::CreateIndex(create) if !create.unique);
    // An index that this transaction took away was there for those who look.
    let begun = step.session.transaction.as_ref().map(|open| &open.before.schema);
    let was_searched = begun.is_some_and(|schema| {
        schema.get_relation(relation).is_some() && !has_keys_alone(&step.context, schema, relation)
    });
    !indexed
        && !was_searched
        && has_keys_alone(&step.context, &step.before.schema, relation)
        && !builds_below(step, relation)
}

/// By the days that versions name: a table that migrations made lately, and into which none has moved old rows.
pub fn young(step: &Step, finding: &mut Finding, relation: RelationId) {
    aged(&step.context, step.before, finding, relation);
}

/// Likewise, of any moment.
pub fn aged(context: &Context, state: &State, finding: &mut Finding, relation: RelationId) {
    let root = state.schema.partition_root(relation);
    let Some(found) = state.schema.get_relation(root) else { return };
    if state.data.is_fed(&state.schema, root) && !state.data.is_seeded(&state.schema, root) {
        return;
    }
    let Some(days) = context.age_in_days(&found.existence).filter(|days| *days < YOUNG_DAYS) else { return };
    finding.severity = match days {
        0..NEWBORN_DAYS => finding.severity.min(Severity::Note),
        _ => finding.severity.softened(),
    };
    let old = match days {
        0 => "made on the same day".to_owned(),
        1 => "a day old".to_owned(),
        _ => format!("{days} days old"),
    };
    finding.message.push_str(&format!("; the table is {old}"));
}

/// The strongest lock on the table that keeps writers away and that this transaction holds already.
pub fn held<'a>(step: &'a Step, relation: RelationId) -> Option<&'a HeldLock> {
    let locks = step.session.transaction.as_ref()?.locks.iter();
    let on_it = locks.filter(|held| held.relation == relation && held.mode.blocks_writes());
    on_it.max_by_key(|held| held.mode)
}

/// Likewise, where nobody can read either.
pub fn held_alone<'a>(step: &'a Step, relation: RelationId) -> Option<&'a HeldLock> {
    held(step, relation).filter(|held| held.mode == LockMode::AccessExclusive)
}

/// Made in the transaction that is open: no other session sees it.
pub fn is_unseen(step: &Step, relation: RelationId) -> bool {
    step.session.transaction.as_ref().is_some_and(|open| open.before.schema.get_relation(relation).is_none())
}

/// The statements of this migration after the step, up to where its transaction ends.
pub fn later<'a>(step: &Step<'a>) -> Vec<&'a Statement> {
    let mut found: Vec<&Statement> = Vec::new();
    if !step.in_transaction() || !step.origin.frames.is_empty() {
        return found;
    }
    for node in &step.context.migration.up.nodes {
        node.statements(&mut |statement| {
            if statement.span.source == step.origin.span.source && statement.span.start >= step.origin.span.end {
                found.push(statement);
            }
        });
    }
    let sent = step.context.plan.sent_by(step.context.at.migration).iter();
    found.extend(
        sent.filter(|one| one.span.source == step.origin.span.source && one.span.start >= step.origin.span.end),
    );
    let ends =
        |one: &&Statement| matches!(one.operation, Operation::Transaction(Transaction::Commit | Transaction::Rollback));
    let end = found.iter().position(ends).unwrap_or(found.len());
    found.truncate(end);
    found
}

/// A statement just below takes the same lock and the index with it: the table goes, or a column of the index.
pub fn goes_with_its_column(step: &Step, index: &Relation) -> bool {
    let schema = &step.before.schema;
    let Some(own) = index.as_index() else { return false };
    let Some(table) = schema.get_relation(own.table) else { return false };
    let has = |column: &crate::operation::Ident| {
        let id = table.as_table().and_then(|table| table.column(column)).map(|column| column.id);
        own.parts.iter().any(|part| matches!(&part.key, IndexKey::Column(key) if Some(*key) == id))
    };
    later(step).into_iter().any(|statement| match &statement.operation {
        Operation::AlterTable(alter) => {
            let drops =
                |kind: &TableActionKind| matches!(kind, TableActionKind::DropColumn { column, .. } if has(column));
            let meant = schema.find(&alter.table).is_some_and(|one| one.id == table.id);
            meant && alter.actions.iter().any(|action| drops(&action.kind))
        }
        Operation::Drop(drop) => {
            drop.targets.iter().any(|target| schema.find(&target.name).is_some_and(|one| one.id == table.id))
        }
        _ => false,
    })
}

/// An ALTER TABLE below, in the same transaction, waits for everybody on the table anyway.
pub fn locks_alone_below(step: &Step, table: RelationId) -> bool {
    const LOOKED_AT: usize = 200;
    let (schema, facts) = (&step.before.schema, step.session.server_facts());
    let mut below = later(step).into_iter().take(LOOKED_AT);
    below.any(|statement| {
        let Operation::AlterTable(alter) = &statement.operation else { return false };
        let meant = schema.find(&alter.table).is_some_and(|one| one.id == table);
        let locks = |major: &Major| {
            let locks = effects(&statement.operation, schema, *major, &facts).locks;
            locks.contains(&(table, LockMode::AccessExclusive))
        };
        meant && step.context.majors.iter().all(locks)
    })
}

/// A statement below, in the same transaction, drops the table.
pub fn goes_below(step: &Step, table: RelationId) -> bool {
    gone_below(step).contains(&table)
}

/// What statements below drop, in the same transaction.
pub fn gone_below(step: &Step) -> BTreeSet<RelationId> {
    let schema = &step.before.schema;
    let drops = later(step).into_iter().filter_map(|statement| match &statement.operation {
        Operation::Drop(drop) => Some(&drop.targets),
        _ => None,
    });
    drops.flatten().filter_map(|target| schema.find(&target.name)).map(|one| one.id).collect()
}

/// How many keys refer to a table: each row of those looks there, and the more the busier it is.
pub fn rests_on(schema: &Schema, table: RelationId) -> usize {
    let found = schema.get_relation(table).and_then(|relation| relation.as_table());
    found.map_or(0, |table| table.referenced_by.len())
}

/// A statement below, in the same transaction, builds an index on the table.
pub fn builds_below(step: &Step, table: RelationId) -> bool {
    let schema = &step.before.schema;
    later(step).into_iter().any(|statement| match &statement.operation {
        Operation::CreateIndex(create) => {
            !create.concurrently && schema.find(&create.table).is_some_and(|one| one.id == table)
        }
        _ => false,
    })
}

/// A statement below could not run without this change of rows: a constraint or unique index over the table, its end.
pub fn is_needed_below(step: &Step, tables: &[RelationId]) -> bool {
    let schema = &step.after.schema;
    let meant = |name| schema.find(name).is_some_and(|one| tables.contains(&one.id));
    later(step).into_iter().any(|statement| match &statement.operation {
        Operation::AlterTable(alter) => {
            let asks = |kind: &TableActionKind| {
                matches!(
                    kind,
                    TableActionKind::AddConstraint(_)
                        | TableActionKind::SetNotNull { .. }
                        | TableActionKind::DropColumn { .. }
                        | TableActionKind::AlterColumnType { .. }
                )
            };
            meant(&alter.table) && alter.actions.iter().any(|action| asks(&action.kind))
        }
        Operation::CreateIndex(create) => create.unique && meant(&create.table),
        Operation::Drop(drop) => drop.targets.iter().any(|target| meant(&target.name)),
        _ => false,
    })
}
