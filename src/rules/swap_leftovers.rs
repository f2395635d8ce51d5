//! What does not come along when a table takes another one's name: triggers, foreign keys and views of others. Judged when the migration is over: it may mend them after the swap.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{Coverage, Swap, SwapForm};
use crate::finding::Finding;
use crate::history::{Passed, Whole};
use crate::operation::{ForeignKey, Name, Operation, QualifiedName, TableActionKind, TriggerTiming};
use crate::schema::{ColumnId, Constraint, RelationId, Schema, Trigger};

/// swap-leaves-trigger
pub fn check_triggers(whole: &Whole, findings: &mut Findings) {
    for swap in swaps(whole) {
        let after = &whole.after.schema;
        let left = left_triggers(whole, swap);
        if left.is_empty() {
            continue;
        }
        let (name, _) = say::swapped(swap, after);
        let names: Vec<String> = left.iter().map(|trigger| trigger.name.to_string()).collect();
        let where_to = match after.get_relation(swap.original) {
            Some(original) => {
                format!("{} on `{}`", if left.len() == 1 { "stays" } else { "stay" }, original.name.short())
            }
            None => format!("{} dropped with the old table", if left.len() == 1 { "is" } else { "are" }),
        };
        let word = if left.len() == 1 { "trigger" } else { "triggers" };
        let message = format!("writes to `{name}` no longer fire {word} {}, which {where_to}", say::list(&names));
        let Some(finding) = begin(whole, swap, message, findings) else { continue };
        for trigger in &left {
            finding
                .because(trigger.existence.origin().span, format!("`{}` fires for `{name}` since here", trigger.name));
            finding.object(&trigger.name);
        }
        let table = &after.relation(swap.replacement).name;
        let each: Vec<String> = left.iter().map(|trigger| trigger_again(trigger, swap, &table.to_string())).collect();
        finding.instead(format!("-- in the swap's transaction\n{}", each.join("\n")));
    }
}

fn trigger_again(trigger: &Trigger, swap: &Swap, table: &str) -> String {
    let timing = match trigger.timing {
        TriggerTiming::Before => "BEFORE",
        TriggerTiming::After => "AFTER",
        TriggerTiming::InsteadOf => "INSTEAD OF",
    };
    let columns: Vec<String> =
        trigger.update_columns.iter().map(|id| swap.before.column_name(swap.original, *id).to_string()).collect();
    let update = if columns.is_empty() { "UPDATE".to_owned() } else { format!("UPDATE OF {}", columns.join(", ")) };
    let events = [
        (trigger.events.insert, "INSERT"),
        (trigger.events.update, &update),
        (trigger.events.delete, "DELETE"),
        (trigger.events.truncate, "TRUNCATE"),
    ];
    let events: Vec<&str> = events.into_iter().filter(|(fires, _)| *fires).map(|(_, word)| word).collect();
    let level = if trigger.for_each_row { "ROW" } else { "STATEMENT" };
    let when = trigger.when.as_ref().map(|when| format!(" WHEN ({})", when.text)).unwrap_or_default();
    let arguments: Vec<String> =
        trigger.arguments.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
    let tables = [("OLD", &trigger.old_table), ("NEW", &trigger.new_table)];
    let tables: Vec<String> =
        tables.iter().filter_map(|(word, name)| Some(format!("{word} TABLE AS {}", name.as_ref()?))).collect();
    let referencing = if tables.is_empty() { String::new() } else { format!(" REFERENCING {}", tables.join(" ")) };
    format!(
        "CREATE TRIGGER {} {timing} {} ON {table}{referencing} FOR EACH {level}{when} EXECUTE FUNCTION {}({});",
        trigger.name,
        events.join(" OR "),
        trigger.function_name,
        arguments.join(", ")
    )
}

/// swap-leaves-references
pub fn check_references(whole: &Whole, findings: &mut Findings) {
    let all: Vec<&Swap> = swaps(whole).collect();
    let moved: BTreeSet<RelationId> = all.iter().flat_map(|swap| [swap.original, swap.replacement]).collect();
    for swap in all {
        let keys = left_keys(whole, swap, &moved);
        let views = left_views(whole, swap);
        if !keys.is_empty() || !views.is_empty() {
            references(whole, swap, &keys, &views, findings);
        }
    }
}

fn references(whole: &Whole, swap: &Swap, keys: &[&Constraint], views: &[RelationId], findings: &mut Findings) {
    let after = &whole.after.schema;
    let (name, _) = say::swapped(swap, after);
    let tables: BTreeSet<String> = keys.iter().map(|key| say::name(&swap.before, key.table)).collect();
    let tables: Vec<String> = tables.into_iter().collect();
    let seen: Vec<String> = views.iter().map(|view| say::name(after, *view)).collect();
    let verb = if views.len() == 1 { "reads" } else { "read" };
    let message = match after.get_relation(swap.original).map(|original| original.name.short()) {
        Some(old) if keys.is_empty() => format!("{} still {verb} `{old}`, not the new `{name}`", say::list(&seen)),
        Some(old) => format!(
            "writes to {} that refer to new rows of `{name}` fail: the foreign key still leads to `{old}`",
            say::list(&tables)
        ),
        None => format!(
            "{} may refer to rows that `{name}` does not have: the foreign key is dropped with the old table",
            say::list(&tables)
        ),
    };
    let Some(finding) = begin(whole, swap, message, findings) else { return };
    for key in keys {
        finding.because(
            key.existence.origin().span,
            format!("foreign key `{}` refers to the table, not to its name", key.name),
        );
        finding.object(format!("{}.{}", swap.before.relation(key.table).name, key.name));
    }
    for view in views {
        let relation = after.relation(*view);
        finding.because(
            relation.existence.origin().span,
            format!("`{}` reads the table, not its name", relation.name.short()),
        );
        finding.object(&relation.name);
    }
    let new = &after.relation(swap.replacement).name;
    let mut ways: Vec<String> = keys.iter().map(|key| key_again(swap, after, key)).collect();
    ways.extend(views.iter().filter_map(|view| {
        let relation = after.relation(*view);
        let text = &relation.as_view()?.text;
        Some(format!(
            "-- with {new} where it read the old table:
CREATE OR REPLACE VIEW {} AS {text};",
            relation.name
        ))
    }));
    finding.instead(ways.join("\n"));
}

/// The key again, to the table that has the name now.
fn key_again(swap: &Swap, after: &Schema, key: &Constraint) -> String {
    let new = after.relation(swap.replacement).name.clone();
    let Some(definition) = definition(&swap.before, key, swap.original, new) else { return String::new() };
    let table = &swap.before.relation(key.table).name;
    let is_there = after.get_constraint(key.id).is_some();
    let drop = if is_there { format!("DROP CONSTRAINT {}, ", key.name) } else { String::new() };
    format!(
        "ALTER TABLE {table} {drop}ADD CONSTRAINT {name} {} NOT VALID;\n\
         -- in a transaction of its own:\n\
         ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
        say::foreign_key(&definition),
        name = key.name,
    )
}

/// A foreign key as it could be written, onto a table of another name.
pub(super) fn definition(
    schema: &Schema,
    key: &Constraint,
    named: RelationId,
    references: QualifiedName,
) -> Option<ForeignKey> {
    let row = key.as_foreign()?;
    let columns =
        |table: RelationId, ids: &[ColumnId]| ids.iter().map(|id| schema.column_name(table, *id)).collect::<Vec<_>>();
    let referenced = if key.table == named { row.references } else { named };
    Some(ForeignKey {
        columns: columns(key.table, &key.columns),
        references: Name { schema: Some(references.schema), name: references.name },
        referenced_columns: columns(referenced, &row.referenced_columns),
        on_delete: row.on_delete,
        on_delete_columns: columns(key.table, &row.on_delete_columns),
        on_update: row.on_update,
        match_full: row.match_full,
        period: false,
    })
}

/// The swaps of a migration whose original others have used, and that puts its like in its place.
pub(super) fn swaps<'a>(whole: &Whole<'a>) -> impl Iterator<Item = &'a Swap> {
    let (before, after) = (whole.before, whole.after);
    let swaps = after.data.swaps_since(&before.data).iter().map(|swap| &**swap);
    let context = whole.context;
    swaps.filter(move |swap| {
        let Some(original) = swap.before.get_relation(swap.original) else { return false };
        let there = after.schema.get_relation(swap.replacement).is_some();
        if !there || context.is_of_this_release(&original.existence) || !swap.is_alike(&after.schema) {
            return false;
        }
        // Dropped and made anew: what the author leaves out is left out.
        let is_dropped = after.schema.get_relation(swap.original).is_none();
        let rows = || after.data.coverage_of_swap(&after.schema, swap, &[]);
        !(swap.form == SwapForm::Made && is_dropped) || rows().is_some_and(|rows| !matches!(rows, Coverage::Missing))
    })
}

pub(super) fn begin<'f>(
    whole: &Whole,
    swap: &Swap,
    message: String,
    findings: &'f mut Findings,
) -> Option<&'f mut Finding> {
    let step: &Passed = whole.steps.iter().rfind(|step| step.origin == swap.origin).or(whole.steps.last())?;
    let finding = findings.report(&step.origin, step.operation.word(), swap.certain, message);
    if swap.left_by.span != swap.origin.span {
        let (name, _) = say::swapped(swap, &whole.after.schema);
        finding.because(swap.left_by.span, format!("`{name}` gives its name up here"));
    }
    finding.object(&swap.before.relation(swap.original).name);
    finding.object(swap.replacement_name(&whole.after.schema));
    finding.one_per(format!("{} {}", swap.original, swap.replacement));
    Some(finding)
}

/// The replacement is made in the swap's release by a CREATE TABLE that names its columns: its author decided on them.
pub(super) fn is_written_out(whole: &Whole, swap: &Swap) -> bool {
    let Some(relation) = whole.after.schema.get_relation(swap.replacement) else { return false };
    let made = whole.steps.iter().find(|step| step.origin == *relation.existence.origin());
    made.is_some_and(|step| match &step.operation {
        Operation::CreateTable(create) => create.likes.is_empty(),
        _ => false,
    })
}

/// Triggers of the original that nothing on the replacement stands for; those that kept the replacement are done.
fn left_triggers<'a>(whole: &Whole, swap: &'a Swap) -> Vec<&'a Trigger> {
    let after = &whole.after.schema;
    let root = after.partition_root(swap.replacement);
    let new: Vec<&Trigger> = [swap.replacement, root].into_iter().flat_map(|table| after.triggers_of(table)).collect();
    let feeds_new = |trigger: &Trigger| {
        let feeds = whole.before.data.feeds_of(trigger.id).iter();
        let copies = swap.copies.iter().any(|copy| copy.trigger == trigger.id);
        let to = |table| after.get_relation(table).is_some_and(|_| after.partition_root(table) == root);
        copies || feeds.chain(whole.after.data.feeds_of(trigger.id)).any(|feed| to(feed.target))
    };
    let rewritten = is_written_out(whole, swap);
    let left = swap.before.triggers_of(swap.original).into_iter().filter(|trigger| {
        let stands_for = |other: &&Trigger| {
            let same_moment = other.timing == trigger.timing
                && other.events == trigger.events
                && other.for_each_row == trigger.for_each_row;
            other.function_name == trigger.function_name || other.name == trigger.name || rewritten && same_moment
        };
        trigger.parent.is_none() && crate::data::fires(trigger) && !feeds_new(trigger) && !new.iter().any(stands_for)
    });
    left.collect()
}

/// Foreign keys of others onto the original that still lead there, or went with it.
fn left_keys<'a>(whole: &Whole, swap: &'a Swap, moved: &BTreeSet<RelationId>) -> Vec<&'a Constraint> {
    let after = &whole.after.schema;
    let Some(table) = swap.before.get_relation(swap.original).and_then(|relation| relation.as_table()) else {
        return Vec::new();
    };
    let keys = table.referenced_by.iter().map(|id| swap.before.constraint(*id));
    let left = keys.filter(|key| {
        let own = moved.contains(&key.table) || key.parent.is_some() || after.get_relation(key.table).is_none();
        let is_left = match after.get_constraint(key.id) {
            Some(now) => now.as_foreign().is_some_and(|row| row.references == swap.original),
            // Dropped with the table, not by name.
            None => after.get_relation(swap.original).is_none() && !is_dropped_by_name(whole, key),
        };
        let new_root = after.partition_root(swap.replacement);
        let again = after.constraints_of(key.table).any(|one| {
            let leads = |references| {
                after.get_relation(references).is_some_and(|_| after.partition_root(references) == new_root)
            };
            one.as_foreign().is_some_and(|row| leads(row.references)) && one.columns == key.columns
        });
        // The old table is part of the new one.
        let within = after.get_relation(swap.original).is_some() && after.partition_root(swap.original) == new_root;
        !own && is_left && !again && !within
    });
    left.collect()
}

fn is_dropped_by_name(whole: &Whole, key: &Constraint) -> bool {
    whole.steps.iter().any(|step| {
        let Operation::AlterTable(alter) = &step.operation else { return false };
        alter
            .actions
            .iter()
            .any(|action| matches!(&action.kind, TableActionKind::DropConstraint { name, .. } if *name == key.name))
    })
}

/// Views that read the original and nothing of the replacement.
fn left_views(whole: &Whole, swap: &Swap) -> Vec<RelationId> {
    let after = &whole.after.schema;
    let Some(table) = swap.before.get_relation(swap.original).and_then(|relation| relation.as_table()) else {
        return Vec::new();
    };
    let reads = |view: RelationId, table: RelationId| {
        let view = after.get_relation(view).and_then(|relation| relation.as_view());
        view.is_some_and(|view| view.reads.iter().any(|(read, _)| *read == table))
    };
    let views = table.views.iter().copied();
    views.filter(|view| reads(*view, swap.original) && !reads(*view, swap.replacement)).collect()
}
