//! What a migration's way back needs where it does not end in the state before: statements and words for whoever mends it.

use super::back::{column_of, is_in_transaction, is_taken, printed};
use super::in_order::{Stuck, in_order};
use super::say;
use crate::history::{Passed, Whole};
use crate::operation::{Node, Operation, RubyKind, TableActionKind, TypeName, walk};
use crate::schema::difference::{Aspect, Change, ChangeKind, OF_PROGRAM, Shared, statements_where};
use crate::schema::statement;
use crate::schema::{Column, Failure, FailureKind, IndexKey, Relation, Schema};

/// Statements that bring what is missing, and what the down must leave.
pub(super) fn way_out(whole: &Whole, spared: bool, changed: &[Change]) -> Option<String> {
    let down = down_of(whole);
    let leave =
        "-- the down leaves alone what is there before the up: guard both in the same way, or let the down do nothing";
    let mut parts: Vec<String> = spared.then(|| leave.to_owned()).into_iter().collect();
    let (of_new_tables, changed): (Vec<Change>, Vec<Change>) =
        changed.iter().cloned().partition(|change| new_table(whole, change).is_some());
    parts.extend(tables_again(whole, &of_new_tables));
    let (anew, others): (Vec<Change>, Vec<Change>) =
        changed.iter().cloned().partition(|change| is_made_anew(whole, change));
    let mut again = columns_again(whole, &anew);
    let (mut others, sequences): (Vec<Change>, Vec<Change>) =
        others.into_iter().partition(|change| anew.is_empty() || change.object != "sequence");
    // A default that counts on a sequence comes after it, and its owner last.
    if !sequences.is_empty() {
        again.extend(sequences);
    } else {
        others.extend(sequences);
    }
    if !again.is_empty() {
        parts.push(format!("-- in {down}, in the place of the column that it makes"));
        parts.extend(in_down(whole, &again));
    }
    let (fills, others): (Vec<Change>, Vec<Change>) =
        others.into_iter().partition(|change| change.aspect == Aspect::NotNull { now: false });
    let missing: Vec<String> = in_down(whole, &others).iter().map(|sql| in_its_unit(whole, sql)).collect();
    if !missing.is_empty() || !fills.is_empty() {
        let dropped = dropped_again(whole, &others);
        let without =
            if dropped.is_empty() { String::new() } else { format!(", without its DROP of {}", dropped.join(", ")) };
        let typed =
            others.iter().any(|change| matches!(change.aspect, Aspect::Type { .. }) && sets_type(whole, change));
        let place = if typed { "in the place of its own TYPE" } else { "beside what it does" };
        parts.push(format!("-- in {down}, {place}{without}"));
    }
    let builds = |sql: &String| sql.contains(" INDEX ") && sql.starts_with("CREATE");
    if in_down(whole, &of_used(whole, &others)).iter().any(builds) && is_in_transaction(whole) {
        parts.push(
            "-- (it blocks writes while it builds; CONCURRENTLY asks for a migration outside of a transaction)"
                .to_owned(),
        );
    }
    let (missing, stuck) = match whole.down() {
        Some(course) => in_order(missing, &course.end.schema),
        None => (missing, Vec::new()),
    };
    parts.extend(missing);
    parts.extend(stuck.iter().map(Stuck::words));
    parts.extend(fills.iter().flat_map(|change| not_null_again(whole, change)));
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// What does not come back for the down itself takes it away.
fn dropped_again(whole: &Whole, changes: &[Change]) -> Vec<String> {
    let steps = || whole.down().into_iter().flat_map(|course| &course.units).flat_map(|unit| &unit.steps);
    let named = |change: &Change| {
        let name = change.name.rsplit('.').next().unwrap_or(&change.name);
        steps().any(|step| match &step.operation {
            Operation::Drop(drop) => drop.targets.iter().any(|target| printed(&target.name.name) == name),
            _ => false,
        })
    };
    let gone = changes.iter().filter(|change| change.kind == ChangeKind::Missing && named(change));
    gone.map(|change| format!("`{}`", say::changed(change))).collect()
}

/// The down gives the column a type, and another one than it had.
fn sets_type(whole: &Whole, change: &Change) -> bool {
    let steps = whole.down().into_iter().flat_map(|course| &course.units).flat_map(|unit| &unit.steps);
    let column = change.name.rsplit('.').next().unwrap_or(&change.name);
    let mut actions = steps.filter_map(|step| match &step.operation {
        Operation::AlterTable(alter) => Some(&alter.actions),
        _ => None,
    });
    actions.any(|actions| {
        actions.iter().any(|action| {
            matches!(&action.kind, TableActionKind::AlterColumnType { column: name, .. } if printed(name) == column)
        })
    })
}

/// `change` has no text of its way back.
pub(super) fn down_of(whole: &Whole) -> &'static str {
    let nodes = whole.context.migration.down.iter().flat_map(|down| &down.nodes);
    let mut scripts = nodes.filter_map(|node| match node {
        Node::Ruby(script) => Some(&script.file.body),
        _ => None,
    });
    let Some(body) = scripts.next() else { return "the down" };
    let mut change = false;
    walk(body, &mut |node| {
        if let RubyKind::Method(method) = &node.kind {
            change |= &*method.name == "change";
        }
    });
    if change { "a `down`, with `up` in the place of `change`" } else { "the down" }
}

/// In a transaction no index is built or dropped CONCURRENTLY.
fn in_its_unit(whole: &Whole, sql: &str) -> String {
    match is_in_transaction(whole) {
        true => sql.replacen(" INDEX CONCURRENTLY ", " INDEX ", 1),
        false => sql.to_owned(),
    }
}

/// The up drops the column, and the down makes another one of its name.
fn is_made_anew(whole: &Whole, change: &Change) -> bool {
    change.kind == ChangeKind::Differs && change.object == "column" && is_taken(&whole.after.schema, &change.name)
}

fn in_down(whole: &Whole, changes: &[Change]) -> Vec<String> {
    statements_where(changes, |change| is_of_new_table(whole, change))
}

fn of_used(whole: &Whole, changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| !is_of_new_table(whole, change)).cloned().collect()
}

/// The down itself makes the table: nobody has written to it, and nobody waits for it.
fn is_of_new_table(whole: &Whole, change: &Change) -> bool {
    let Some(course) = whole.down() else { return false };
    let end = &course.end.schema;
    let named = |name: &str| end.relations().find(|one| one.name.prints_as(name)).map(|one| one.id);
    let table = match change.object {
        "index" => [end, &whole.before.schema].into_iter().find_map(|schema| {
            let index = schema.relations().find(|one| one.name.prints_as(&change.name))?.as_index()?;
            named(&schema.get_relation(index.table)?.name.to_string())
        }),
        _ => change.name.rsplit_once('.').and_then(|(table, _)| named(table)),
    };
    table.is_some_and(|table| whole.after.schema.get_relation(table).is_none())
}

/// The table of a column that differs, where the up drops the table and the down makes another one: it is empty, and its
/// statement says it at once.
fn new_table<'a>(whole: &'a Whole, change: &Change) -> Option<&'a Relation> {
    if change.kind != ChangeKind::Differs || change.object != "column" {
        return None;
    }
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    let (table, _) = change.name.rsplit_once('.')?;
    let (relation, _) = before.tables().find(|(relation, _)| relation.name.prints_as(table))?;
    after.get_relation(relation.id).is_none().then_some(relation)
}

fn tables_again(whole: &Whole, changes: &[Change]) -> Vec<String> {
    let before = &whole.before.schema;
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for change in changes {
        let Some(relation) = new_table(whole, change) else { continue };
        let Some(column) = column_of(before, &change.name) else { continue };
        let head = format!("-- in {}, make `{}` with", down_of(whole), relation.name.short());
        let line = match column.has_parameter() {
            true => format!("--     {}, {OF_PROGRAM}", column.name),
            false => format!("--     {}", statement::column(before, relation.id, column)),
        };
        match tables.iter_mut().find(|(known, _)| *known == head) {
            Some((_, lines)) if lines.contains(&line) => {}
            Some((_, lines)) => lines.push(line),
            None => tables.push((head, vec![line])),
        }
    }
    tables.into_iter().flat_map(|(head, lines)| std::iter::once(head).chain(lines)).collect()
}

/// The columns as they were, each in one statement: a default fills the rows that a NOT NULL asks for.
fn columns_again(whole: &Whole, anew: &[Change]) -> Vec<Change> {
    let before = &whole.before.schema;
    let all = whole.after.schema.difference(before, Shared::Since(before));
    let is_own = |one: &Change| {
        one.kind == ChangeKind::Missing && one.object == "column" && anew.iter().any(|change| change.name == one.name)
    };
    all.into_iter().filter(is_own).collect()
}

/// NOT NULL on rows that may hold NULL by then.
fn not_null_again(whole: &Whole, change: &Change) -> Vec<String> {
    let Some((table, _)) = change.name.rsplit_once('.') else { return Vec::new() };
    let before = &whole.before.schema;
    let Some(column) = column_of(before, &change.name) else { return Vec::new() };
    let name = &column.name;
    let mut lines = fill_first(before, table, column);
    lines.push(format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"));
    lines
}

/// Rows that hold NULL by the time of the way back: NOT NULL waits until they have a value.
pub(super) fn fill_first(schema: &Schema, table: &str, column: &Column) -> Vec<String> {
    let name = &column.name;
    let own = "-- rows written since may hold NULL: give each a value of its own first, or let it stay nullable";
    if is_unique(schema, table, column) {
        return vec![own.to_owned()];
    }
    // What names another row has no value that is nobody's.
    let is_plain = |one: &&TypeName| !one.array && one.built_in && !name.as_str().ends_with("id");
    let empty = column.data_type.as_ref().filter(is_plain).and_then(|one| match one.name.name.as_str() {
        "text" | "character varying" => Some("''"),
        "boolean" => Some("false"),
        "smallint" | "integer" | "bigint" | "numeric" => Some("0"),
        _ => None,
    });
    match (&column.default, empty) {
        (Some(_), _) => vec![format!("UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL;")],
        (None, Some(value)) => vec![
            "-- rows written since may hold NULL: the value that is right for them, or let it stay nullable".to_owned(),
            format!("UPDATE {table} SET {name} = {value} WHERE {name} IS NULL;"),
        ],
        (None, None) => vec![own.to_owned()],
    }
}

/// No two rows may have one value there.
fn is_unique(schema: &Schema, table: &str, column: &Column) -> bool {
    let found = schema.tables().find(|(relation, _)| relation.name.prints_as(table));
    let indexes =
        found.into_iter().flat_map(|(_, own)| &own.indexes).filter_map(|id| schema.get_relation(*id)?.as_index());
    indexes.into_iter().any(|index| {
        let mut parts = index.parts.iter();
        index.unique && parts.any(|part| matches!(&part.key, IndexKey::Column(id) if *id == column.id))
    })
}

/// What helps a down that fails.
pub(super) fn mend(whole: &Whole, step: &Passed, failure: &Failure) -> String {
    if let (FailureKind::NoCast, Operation::AlterTable(alter)) = (failure.kind, &step.operation) {
        let typed = alter.actions.iter().find_map(|action| match &action.kind {
            TableActionKind::AlterColumnType { column, data_type, .. } => Some((column, data_type)),
            _ => None,
        });
        if let Some((column, to)) = typed {
            // Two types of one's own have a text between them.
            let through = if to.built_in { "" } else { "::text" };
            return format!(
                "-- in the down: TYPE {to} USING {column}{through}::{to} (in Rails `using: \"{column}{through}::{to}\"`), once the values fit"
            );
        }
    }
    let opposite = "-- let the down take back what the up of this migration does, in the opposite order";
    match failure.kind {
        FailureKind::Missing => {
            let made = made_by_up(whole);
            let made = if made.is_empty() { String::new() } else { format!(";\n-- the up makes {}", made.join(", ")) };
            format!("{opposite}: this names what is not there, or no more, by then{made}")
        }
        _ => opposite.to_owned(),
    }
}

/// What a down has to name: a few of them.
fn made_by_up(whole: &Whole) -> Vec<String> {
    const NAMED: usize = 5;
    let before = &whole.before.schema;
    let changes = whole.after.schema.difference(before, Shared::Since(before));
    let made = changes.iter().filter(|change| change.kind == ChangeKind::Extra && change.certain);
    made.take(NAMED).map(|change| format!("{} `{}`", change.object, say::changed(change))).collect()
}
