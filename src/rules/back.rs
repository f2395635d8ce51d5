//! What can be expected of a migration's way back: the one place for all that is passed over there, and why.

use super::used_by_models::is_ignored_by_code;
use crate::history::{Course, Passed, TransactionUnit, Whole};
use crate::operation::{Expr, Ident, Name, Operation, Rows, TableActionKind, TypeName, WriteKind};
use crate::schema::difference::{Aspect, Change, ChangeKind};
use crate::schema::{Column, ColumnId, ConstraintRow, Existence, IndexKey, Relation, RelationId, Schema, Table};
use crate::source::Span;

/// Right above a statement of the down a comment says that it may fail: whoever wrote it has weighed it.
const MAY_FAIL: [&str; 8] = ["fail", "violat", "error", "cannot", "can't", "not fit", "irreversib", "impossible"];
/// What says of a migration that it lets NULL in, in its name or in a comment.
const NULL_IS_MEANT: [&str; 8] =
    ["optional", "nullable", "allow null", "allow_null", "allow nil", "may be null", "can be null", "set to null"];
/// `This migration comes from active_storage (originally 20211119233751)`: what copies an engine's migrations writes it.
const COPIED: &str = "this migration comes from ";

pub(super) fn says_that_it_may_fail(whole: &Whole, course: &Course, step: &Passed) -> bool {
    let at = step.origin.span;
    let others = course.units.iter().flat_map(|unit| &unit.steps).chain(whole.steps);
    let ends = others.map(|one| one.origin.span).filter(|one| one.source == at.source && one.end <= at.start);
    let from = ends.map(|one| one.end).max().unwrap_or(0);
    let near = |span: Span| span.source == at.source && span.start >= from && span.end <= at.start;
    whole.context.migration.comments.iter().filter(|comment| near(comment.span)).any(|comment| {
        let text = comment.text.to_lowercase();
        MAY_FAIL.iter().any(|word| text.contains(word))
    })
}

/// The text is a framework's or an engine's, copied as it is: what it leaves undone is its authors' to mend, and the
/// maintainers answer for what it takes from their data alone.
pub(super) fn is_copied(whole: &Whole) -> bool {
    let comments = whole.context.migration.comments.iter();
    comments.take(3).any(|comment| comment.text.to_lowercase().contains(COPIED))
}

/// Whether one transaction holds all of the migration's way back.
pub(super) fn is_in_transaction(whole: &Whole) -> bool {
    !matches!(whole.context.migration.transaction, TransactionUnit::Statement)
}

/// What shows that NULLs will stand in a column that takes them from the up on.
pub(super) struct Shown {
    pub span: Span,
    pub text: String,
}

pub(super) fn nulls_are_meant(whole: &Whole, table: RelationId, column: ColumnId) -> Option<Shown> {
    let relation = whole.after.schema.get_relation(table)?;
    let known = relation.as_table()?;
    let own = known.column_by_id(column)?;
    written(whole, relation, own)
        .or_else(|| left_out(whole, relation, own))
        .or_else(|| reckoned_with(whole, known, own))
        .or_else(|| said(whole, &own.name))
}

/// A statement of the up writes one.
fn written(whole: &Whole, relation: &Relation, column: &Column) -> Option<Shown> {
    let is_it = |name: &crate::operation::Name| {
        whole
            .after
            .schema
            .find(name)
            .or_else(|| whole.before.schema.find(name))
            .is_some_and(|one| one.id == relation.id)
    };
    let steps = whole.steps.iter().filter(|step| step.applied.failure().is_none());
    for step in steps {
        let Operation::Write(write) = &step.operation else { continue };
        for write in write.all().into_iter().filter(|write| is_it(&write.target)) {
            let sets = write.assignments.iter().any(|(name, value)| *name == column.name && value.is_null_constant());
            let place = write.columns.iter().position(|name| *name == column.name);
            let inserts = write.kind == WriteKind::Insert
                && !write.columns.is_empty()
                && match (place, &write.rows) {
                    (None, _) => has_no_value(column),
                    (Some(place), Rows::Values { first, .. }) => first.get(place).is_some_and(Expr::is_null_constant),
                    (Some(_), _) => false,
                };
            if sets || inserts {
                return Some(Shown { span: step.origin.span, text: "writes NULL into it".to_owned() });
            }
        }
    }
    None
}

fn has_no_value(column: &Column) -> bool {
    column.default.is_none() && column.identity.is_none() && column.generated.is_none() && column.sequence.is_none()
}

/// Code that leaves the column out writes NULL from here on.
fn left_out(whole: &Whole, relation: &Relation, column: &Column) -> Option<Shown> {
    if !has_no_value(column) {
        return None;
    }
    if let Some((class, span)) = is_ignored_by_code(whole, relation, &column.name) {
        return Some(Shown { span, text: format!("`{class}` ignores it: the rows that it makes hold NULL there") });
    }
    let was = whole.before.schema.get_relation(relation.id).and_then(Relation::as_table);
    let had = was.and_then(|table| table.column_by_id(column.id)).is_some_and(|column| column.default.is_some());
    let drops = |step: &&Passed| match &step.operation {
        Operation::AlterTable(alter) => alter.actions.iter().any(
            |action| matches!(&action.kind, TableActionKind::DropDefault { column: name } if *name == column.name),
        ),
        _ => false,
    };
    let step = whole.steps.iter().find(drops).filter(|_| had)?;
    let text = "its default goes too: what leaves it out writes NULL";
    Some(Shown { span: step.origin.span, text: text.to_owned() })
}

/// What the migration makes beside it provides for NULL: a check, a generated column, a partial index.
fn reckoned_with(whole: &Whole, table: &Table, column: &Column) -> Option<Shown> {
    let provides = |tree: &Expr| {
        let mut found = false;
        tree.walk(&mut |expr| {
            let parts: Vec<&Expr> = match expr {
                Expr::IsNull(inner) => vec![inner],
                Expr::Call { function, arguments } if function.name == "coalesce" => arguments.iter().collect(),
                _ => Vec::new(),
            };
            found |= parts.iter().any(|part| part.as_column().is_some_and(|(_, name)| *name == column.name));
        });
        found
    };
    let schema = &whole.after.schema;
    let is_new = |existence: &Existence| whole.steps.iter().any(|step| step.origin.span == existence.origin().span);
    let columns =
        table.columns.iter().filter_map(|one| Some((&one.existence, &one.generated.as_ref()?.expression.tree)));
    let rows = table.constraints.iter().filter_map(|id| schema.get_constraint(*id));
    let checks = rows.filter_map(|row| match &row.kind {
        ConstraintRow::Check { expression } => Some((&row.existence, &expression.tree)),
        _ => None,
    });
    let indexes = table.indexes.iter().filter_map(|id| schema.get_relation(*id));
    let indexes = indexes.flat_map(|one| {
        let index = one.as_index();
        let keys = index.into_iter().flat_map(|index| &index.parts).filter_map(|part| match &part.key {
            IndexKey::Expression(expression) => Some(&expression.tree),
            IndexKey::Column(_) => None,
        });
        let filter = index.and_then(|index| index.filter.as_ref()).map(|filter| &filter.tree);
        keys.chain(filter).map(move |tree| (&one.existence, tree))
    });
    let mut all = columns.chain(checks).chain(indexes);
    let (existence, _) = all.find(|(existence, tree)| is_new(existence) && provides(tree))?;
    Some(Shown { span: existence.origin().span, text: "reckons with NULL in it".to_owned() })
}

/// The migration's name or a comment says that NULL is allowed.
fn said(whole: &Whole, column: &Ident) -> Option<Shown> {
    // `users without a name`
    let name = column.as_str().replace('_', " ");
    let without = [format!("without {name}"), format!("without a {name}"), format!("without an {name}")];
    let says = |text: &str| {
        let text = text.to_lowercase();
        NULL_IS_MEANT.iter().any(|words| text.contains(words)) || without.iter().any(|words| text.contains(words))
    };
    let migration = whole.context.migration;
    let comment = migration.comments.iter().find(|comment| says(&comment.text));
    if let Some(comment) = comment {
        return Some(Shown { span: comment.span, text: "says that it may be NULL".to_owned() });
    }
    let lets_in = |step: &&Passed| match &step.operation {
        Operation::AlterTable(alter) => alter
            .actions
            .iter()
            .any(|action| matches!(&action.kind, TableActionKind::DropNotNull { column: name } if name == column)),
        _ => false,
    };
    let step = whole.steps.iter().find(lets_in).or(whole.steps.first()).filter(|_| says(&migration.name))?;
    Some(Shown { span: step.origin.span, text: format!("`{}` lets NULL in, by its name", migration.name) })
}

/// What a down is expected to bring back: not extensions and schemas, which others may use by then, nor what nothing can.
pub(super) fn is_told(whole: &Whole, change: &Change, end: &Schema) -> bool {
    change.certain
        && !change.repairs.is_empty()
        && !is_matter_of_course(whole, change, end)
        && !is_beyond_history(whole, change)
}

fn is_matter_of_course(whole: &Whole, change: &Change, end: &Schema) -> bool {
    let before = &whole.before.schema;
    let is_of = |relation: &Relation| {
        change.name.strip_prefix(&relation.name.to_string()).is_some_and(|rest| rest.starts_with('.'))
    };
    match (change.object, &change.aspect) {
        ("extension" | "schema", _) => true,
        // Stronger than before.
        ("constraint", Aspect::Valid { now: true }) => true,
        // A table that is made anew has the same constraint under the name that PostgreSQL gives.
        ("constraint", Aspect::Name) => {
            end.tables().any(|(relation, _)| before.get_relation(relation.id).is_none() && is_of(relation))
        }
        // Rows come through the parent, with its defaults.
        ("column", Aspect::Default { .. }) => {
            end.tables().any(|(relation, table)| table.partition_of.is_some() && is_of(relation))
        }
        // Either takes what the other does.
        ("column", Aspect::Type { now, then }) => is_unlimited_text(now) && is_unlimited_text(then),
        _ => false,
    }
}

fn is_unlimited_text(one: &TypeName) -> bool {
    !one.array && one.modifiers.is_empty() && matches!(one.name.name.as_str(), "text" | "character varying")
}

/// What the history does not know for certain, or what no down can do otherwise.
fn is_beyond_history(whole: &Whole, change: &Change) -> bool {
    match (change.kind, change.object, &change.aspect) {
        // A dump prints a view as the server understood it, not as it was written.
        (ChangeKind::Differs, "view", Aspect::Query) => {
            let all = &whole.context.plan.history.migrations[..whole.context.at.migration];
            all.iter().any(|one| one.dump.is_some())
        }
        // Made by hand, or by what is no migration: the up drops or replaces it, and the down makes it again.
        (ChangeKind::Extra, ..) => is_from_elsewhere(whole, change),
        // The table comes back empty, and takes all that it took.
        (ChangeKind::Differs, "column", Aspect::Type { now, then })
            if is_wider(now, then) && column_of(&whole.after.schema, &change.name).is_none() =>
        {
            true
        }
        // The code of before does not know its columns: nobody asks for it.
        (ChangeKind::Missing, "index", _) => is_over_ignored_columns(whole, &change.name),
        // The up takes its values away, and the down makes it anew on the rows that are there.
        (ChangeKind::Differs, "column", aspect) => {
            if is_loosened_where_it_is(whole, change) {
                return true;
            }
            let column = |schema: &Schema| column_of(schema, &change.name).cloned();
            let Some(then) = column(&whole.before.schema).filter(|_| is_taken(&whole.after.schema, &change.name))
            else {
                return false;
            };
            match aspect {
                // A column that comes back NOT NULL must fill the rows.
                Aspect::Default { now: true } => then.default.is_none(),
                // Without a default it fails on any row.
                Aspect::NotNull { now: false } => {
                    then.default.is_none() && then.identity.is_none() && then.generated.is_none()
                }
                Aspect::Type { now, then } => is_wider(now, then),
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_over_ignored_columns(whole: &Whole, index: &str) -> bool {
    let before = &whole.before.schema;
    let found = before.relations().find(|one| one.as_index().is_some() && one.name.prints_as(index));
    let Some(index) = found.and_then(Relation::as_index) else { return false };
    let Some(table) = before.get_relation(index.table) else { return false };
    index.parts.iter().all(|part| match &part.key {
        IndexKey::Column(column) => is_ignored_by_code(whole, table, &before.column_name(table.id, *column)).is_some(),
        IndexKey::Expression(_) => false,
    })
}

/// A statement of the up drops it, or replaces it and the down does so too: databases have it, from what is no migration.
fn is_from_elsewhere(whole: &Whole, change: &Change) -> bool {
    // Of a function without what it takes.
    let own = change.name.split('(').next().unwrap_or_default();
    let named = |name: &Ident| own.rsplit('.').next() == Some(name.to_string().as_str());
    let is_known = |name: &Name| whole.before.schema.find(name).is_some_and(|found| is_made(&found.existence));
    whole.steps.iter().any(|step| match &step.operation {
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            TableActionKind::DropConstraint { name, .. } => named(name),
            TableActionKind::DropColumn { column, .. } => named(column),
            _ => false,
        }),
        // The columns, keys and indexes of a table come and go with it. One that the history made is not from elsewhere.
        Operation::Drop(drop) => drop.targets.iter().any(|target| {
            if !drop.if_exists && is_known(&target.name) {
                return false;
            }
            let table = target.name.name.to_string();
            named(&target.name.name)
                || change.name.split('.').any(|part| part == table)
                || whole.down().is_some_and(|course| is_sequence_of(&course.end.schema, &change.name, &table))
        }),
        Operation::CreateTrigger(create) if create.or_replace && is_made_elsewhere(whole, &create.table) => {
            named(&create.name)
        }
        operation => replaced(operation).is_some_and(|name| named(name) && is_replaced_back(whole, name)),
    })
}

fn is_made(existence: &Existence) -> bool {
    !matches!(existence, Existence::Assumed { .. })
}

fn is_made_elsewhere(whole: &Whole, table: &Name) -> bool {
    !whole.before.schema.find(table).is_some_and(|table| is_made(&table.existence))
}

/// What CREATE OR REPLACE may find there.
fn replaced(operation: &Operation) -> Option<&Ident> {
    match operation {
        Operation::CreateFunction(create) if create.or_replace => Some(&create.name.name),
        Operation::CreateTrigger(create) if create.or_replace => Some(&create.name),
        Operation::CreateView(create) if create.or_replace => Some(&create.name.name),
        _ => None,
    }
}

/// The down puts it back to what it was: it was there.
fn is_replaced_back(whole: &Whole, name: &Ident) -> bool {
    let units = whole.down().map(|course| course.units.as_slice()).unwrap_or_default();
    units.iter().flat_map(|unit| &unit.steps).any(|step| replaced(&step.operation) == Some(name))
}

/// `t_id_seq`, which came with the table.
fn is_sequence_of(schema: &Schema, sequence: &str, table: &str) -> bool {
    schema.tables().any(|(relation, own)| {
        let owns = |column: &Column| {
            let mut all = column.sequences();
            all.any(|id| schema.get_relation(id).is_some_and(|one| one.name.prints_as(sequence)))
        };
        printed(&relation.name.name) == table && (own.columns.iter().any(owns) || is_index_of(schema, own, sequence))
    })
}

fn is_index_of(schema: &Schema, table: &Table, index: &str) -> bool {
    table.indexes.iter().any(|id| schema.get_relation(*id).is_some_and(|one| one.name.prints_as(index)))
}

/// The up loosens what a dump, the only one who tells of it, shows as loose: it is for databases that the dump is not of.
fn is_loosened_where_it_is(whole: &Whole, change: &Change) -> bool {
    let before = &whole.before.schema;
    let Some(column) = column_of(before, &change.name) else { return false };
    let plan = whole.context.plan;
    let maker =
        plan.migration_of(column.existence.origin().span).and_then(|number| plan.history.migrations.get(number));
    if maker.is_none_or(|one| one.dump.is_none()) {
        return false;
    }
    let loosens = |kind: &TableActionKind| match (&change.aspect, kind) {
        (Aspect::NotNull { now: true }, TableActionKind::DropNotNull { column: name })
        | (Aspect::Default { now: true }, TableActionKind::DropDefault { column: name }) => *name == column.name,
        _ => false,
    };
    let is_default = matches!(change.aspect, Aspect::Default { now: true });
    let stands_loose = if is_default { column.default.is_none() } else { !column.not_null };
    stands_loose
        && whole.steps.iter().any(|step| match &step.operation {
            Operation::AlterTable(alter) => alter.actions.iter().any(|action| loosens(&action.kind)),
            _ => false,
        })
}

pub(super) fn column_of<'a>(schema: &'a Schema, full: &str) -> Option<&'a Column> {
    let (table, column) = full.rsplit_once('.')?;
    let table = schema.tables().find(|(relation, _)| relation.name.prints_as(table))?.1;
    table.columns.iter().find(|one| printed(&one.name) == column)
}

/// With quotes where it needs them, as the names of changes are.
pub(super) fn printed(name: &Ident) -> String {
    name.to_string()
}

/// The table is there, its column is not.
pub(super) fn is_taken(schema: &Schema, full: &str) -> bool {
    let table = full.rsplit_once('.').map_or("", |(table, _)| table);
    schema.tables().any(|(relation, _)| relation.name.prints_as(table)) && column_of(schema, full).is_none()
}

/// All that fitted fits.
pub(super) fn is_wider(now: &TypeName, then: &TypeName) -> bool {
    if now.array || then.array {
        return false;
    }
    if let ([wide], [narrow]) = (now.modifiers.as_slice(), then.modifiers.as_slice()) {
        let length = |one: &str| one.parse::<u32>().ok();
        return now.name == then.name && now.name.name == "character varying" && length(wide) >= length(narrow);
    }
    // A point in time is rounded to its digits, six where it has none: nothing of it is refused.
    if now.name == then.name && now.name.name.as_str().starts_with("timestamp") {
        let digits = |one: &TypeName| one.modifiers.first().map_or(Some(6), |digits| digits.parse::<u32>().ok());
        return digits(now) >= digits(then);
    }
    if !now.modifiers.is_empty() {
        return false;
    }
    let (now, limited, then) = (now.name.name.as_str(), !then.modifiers.is_empty(), then.name.name.as_str());
    match now {
        "text" | "character varying" => then == "character varying" && limited,
        "numeric" => then == "numeric" && limited || matches!(then, "smallint" | "integer" | "bigint"),
        "bigint" => matches!(then, "smallint" | "integer"),
        "integer" => then == "smallint",
        _ => false,
    }
}
