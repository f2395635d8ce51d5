//! Words and questions that the rules on stops share.

use super::say;
use crate::finding::Finding;
use crate::history::{Passed, Stop, Whole, Why};
use crate::operation::{ForeignKey, Ident, Name, Operation, TableActionKind};
use crate::schema::difference::{Change, ChangeKind, Shared};
use crate::schema::{Constraint, ConstraintRow, IndexKey, Relation, RelationId, Schema};
use crate::server::{DataCheck, DataCheckKind};

/// What a step does, as the middle of a sentence: "validating `fk` of `t`".
pub fn doing(step: &Passed) -> String {
    let table = |name: &Name| name.to_string();
    match &step.operation {
        Operation::AlterTable(alter) => {
            let table = table(&alter.table);
            let Some(action) = alter.actions.first() else { return format!("the change of `{table}`") };
            match &action.kind {
                TableActionKind::ValidateConstraint { name } => format!("validating `{name}` of `{table}`"),
                TableActionKind::AddConstraint(definition) => match &definition.name {
                    Some(name) => format!("adding `{name}` to `{table}`"),
                    None => format!("adding a constraint to `{table}`"),
                },
                TableActionKind::SetNotNull { column } => format!("SET NOT NULL on `{table}.{column}`"),
                TableActionKind::AddColumn { column, .. } => format!("adding `{table}.{}`", column.name),
                TableActionKind::AttachPartition { partition, .. } => format!("attaching `{partition}`"),
                TableActionKind::DetachPartition { partition, .. } => format!("detaching `{partition}`"),
                TableActionKind::DropConstraint { name, .. } => format!("dropping `{name}` of `{table}`"),
                TableActionKind::DropColumn { column, .. } => format!("dropping `{table}.{column}`"),
                _ => format!("the change of `{table}`"),
            }
        }
        Operation::CreateIndex(create) => match &create.name {
            Some(name) => format!("building index `{name}`"),
            None => format!("building an index of `{}`", create.table),
        },
        Operation::CreateTable(create) => format!("creating `{}`", create.name),
        Operation::Reindex(_) => "REINDEX".to_owned(),
        Operation::Rename(rename) => format!("renaming `{}`", rename.object),
        Operation::Drop(drop) => match drop.targets.first() {
            Some(target) => format!("dropping `{}`", target.name),
            None => "a DROP".to_owned(),
        },
        Operation::CreateTrigger(create) => format!("creating trigger `{}`", create.name),
        Operation::CreateType(create) => format!("creating type `{}`", create.name),
        Operation::CreateFunction(create) => format!("creating function `{}`", create.name),
        _ => "a step".to_owned(),
    }
}

/// Why a stop comes about: "where a row of `t` refers to none of `r`".
pub fn reason(stop: &Stop) -> String {
    match &stop.why {
        Why::Data(checks) => match checks.first() {
            Some(check) => format!("where rows are in the way ({})", check.state),
            None => "where rows are in the way".to_owned(),
        },
        Why::LockTimeout => "where it does not get its lock in time".to_owned(),
        Why::Cancelled => "where it is cancelled".to_owned(),
    }
}

/// A stop between statements that one transaction may hold together: nothing shows that none does.
pub fn soften_guess(finding: &mut Finding, whole: &Whole) {
    if whole.context.migration.unit_is_guess {
        finding.severity = finding.severity.softened();
        finding.certain = false;
        finding.message.push_str(
            "; not where a transaction holds the file together, of which its text says nothing: `transaction` in plimsoll.toml does",
        );
    }
}

/// One stop as evidence: what fails, and what is left of the migration then.
pub fn line(whole: &Whole, stop: &Stop) -> String {
    let left = left_over(whole, stop);
    let what = if left.is_empty() { "nothing but rows".to_owned() } else { left.join(", ") };
    format!("{} fails {}: it leaves {what}", doing(&stop.step), reason(stop))
}

/// What of a migration is there after a stop, in words.
pub fn left_over(whole: &Whole, stop: &Stop) -> Vec<String> {
    const SHOWN: usize = 6;
    let (before, state) = (&whole.before.schema, &stop.state.schema);
    let changes = state.difference(before, Shared::Since(before));
    let mut found: Vec<String> = changes.iter().filter_map(|change| left(state, change)).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        found.truncate(SHOWN);
        found.push(format!("{more} more"));
    }
    found
}

fn left(state: &Schema, change: &Change) -> Option<String> {
    let name = say::changed(change);
    // What is only there for the session ends with it.
    if name.starts_with("pg_temp.") {
        return None;
    }
    Some(match (change.kind, change.object) {
        (ChangeKind::Extra, "constraint") => match name.rsplit_once('.') {
            Some((table, constraint)) => {
                let rows = state.constraints().filter(|row| format!("{}", row.name) == constraint && !row.validated);
                let valid =
                    if rows.into_iter().any(|row| say::name(state, row.table) == table) { " NOT VALID" } else { "" };
                format!("`{constraint}` of `{table}`{valid}")
            }
            None => format!("`{name}`"),
        },
        (ChangeKind::Extra, "index") => {
            let index = state.relations().find(|one| one.name.prints_as(&change.name));
            let broken = index.filter(|one| !state.is_partitioned_index(one.id)).and_then(Relation::as_index);
            match broken.filter(|index| !index.valid) {
                Some(index) if index.ready => format!("index `{name}` INVALID, kept up by every write"),
                Some(_) => format!("index `{name}` INVALID"),
                None => format!("index `{name}`"),
            }
        }
        (ChangeKind::Extra, object) => format!("{object} `{name}`"),
        (ChangeKind::Missing, object) => format!("no {object} `{name}`"),
        (ChangeKind::Differs, object) => {
            let text = change.text.split(':').next().unwrap_or_default();
            format!("{object} `{name}`, which {text}")
        }
    })
}

/// Constraints that a stop leaves and the migration made, on tables that were there before.
pub fn new_constraints<'a>(whole: &Whole, stop: &'a Stop) -> Vec<&'a Constraint> {
    let before = &whole.before.schema;
    let rows = stop.state.schema.constraints();
    rows.filter(|row| before.get_constraint(row.id).is_none() && before.get_relation(row.table).is_some()).collect()
}

/// A read-only query that counts the rows for which a step fails.
pub fn verify(schema: &Schema, step: &Passed, check: &DataCheck) -> Option<String> {
    let table = &schema.get_relation(check.relation)?.name;
    if check.kind == DataCheckKind::NotNull {
        let columns = not_null_columns(&step.operation);
        let missing: Vec<String> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
        return (!missing.is_empty()).then(|| format!("SELECT count(*) FROM {table} WHERE {}", missing.join(" OR ")));
    }
    let mut after = schema.clone();
    if after.apply(&step.operation, &step.origin).failure().is_some() {
        return None;
    }
    if let Some(row) = check.constraint.as_ref().and_then(|name| after.find_constraint(check.relation, name)) {
        return violations(&after, row);
    }
    let made = after.relations_since(schema);
    let index =
        made.iter().filter_map(|id| after.get_relation(*id)?.as_index()).find(|one| one.table == check.relation)?;
    (check.kind == DataCheckKind::Unique).then(|| duplicates(&after, index)).flatten()
}

fn not_null_columns(operation: &Operation) -> Vec<&Ident> {
    let Operation::AlterTable(alter) = operation else { return Vec::new() };
    let set = alter.actions.iter().filter_map(|action| match &action.kind {
        TableActionKind::SetNotNull { column } => Some(column),
        _ => None,
    });
    set.collect()
}

/// Counts the rows that a constraint forbids.
pub fn violations(schema: &Schema, row: &Constraint) -> Option<String> {
    let table = &schema.get_relation(row.table)?.name;
    match &row.kind {
        ConstraintRow::Check { expression } => {
            Some(format!("SELECT count(*) FROM {table} WHERE NOT ({})", expression.text))
        }
        ConstraintRow::NotNull => {
            let column = schema.column_name(row.table, *row.columns.first()?);
            Some(format!("SELECT count(*) FROM {table} WHERE {column} IS NULL"))
        }
        ConstraintRow::Foreign(key) => {
            let names = |table: RelationId, columns: &[crate::schema::ColumnId]| -> Vec<Ident> {
                columns.iter().map(|column| schema.column_name(table, *column)).collect()
            };
            let written = ForeignKey {
                columns: names(row.table, &row.columns),
                references: schema.get_relation(key.references)?.name.as_name(),
                referenced_columns: names(key.references, &key.referenced_columns),
                on_delete: key.on_delete,
                on_delete_columns: Vec::new(),
                on_update: key.on_update,
                match_full: key.match_full,
                period: false,
            };
            Some(say::orphans_query(schema, row.table, &written))
        }
        ConstraintRow::Primary { index } | ConstraintRow::Unique { index } => {
            duplicates(schema, schema.get_relation(*index)?.as_index()?)
        }
        ConstraintRow::Exclude { .. } => None,
    }
}

fn duplicates(schema: &Schema, index: &crate::schema::Index) -> Option<String> {
    let table = &schema.get_relation(index.table)?.name;
    let parts: Vec<String> = index
        .parts
        .iter()
        .map(|part| match &part.key {
            IndexKey::Column(column) => schema.column_name(index.table, *column).to_string(),
            IndexKey::Expression(expression) => format!("({})", expression.text),
        })
        .collect();
    let mut conditions: Vec<String> = index.filter.iter().map(|filter| format!("({})", filter.text)).collect();
    if !index.nulls_not_distinct {
        conditions.extend(parts.iter().map(|part| format!("{part} IS NOT NULL")));
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let list = parts.join(", ");
    Some(format!(
        "SELECT count(*) FROM (SELECT FROM {table}{filter} GROUP BY {list} HAVING count(*) > 1) AS duplicates"
    ))
}

/// The databases of the history on which a step may find rows, and those on which it cannot; both empty where nothing
/// is said of databases.
pub fn databases(whole: &crate::history::Context, schema: &Schema, checks: &[DataCheck]) -> (Vec<String>, Vec<String>) {
    let named = whole.settings.databases.iter().filter(|one| whole.plan.history.databases.contains(&one.name));
    let named: Vec<_> = named.collect();
    if !named.iter().any(|database| database.holds.is_some()) {
        return (Vec::new(), Vec::new());
    }
    let holds = |database: &crate::settings::Database| {
        checks.iter().any(|check| {
            // Rows of a partition are rows of its table.
            let root = schema.get_relation(schema.partition_root(check.relation));
            let relations = schema.get_relation(check.relation).into_iter().chain(root);
            relations.into_iter().any(|relation| database.may_hold_rows(&relation.name))
        })
    };
    let (stops, passes): (Vec<_>, Vec<_>) = named.into_iter().partition(|database| holds(database));
    let names = |list: Vec<&crate::settings::Database>| list.into_iter().map(|one| one.name.clone()).collect();
    (names(stops), names(passes))
}

/// Adds the databases on which a stop comes about, and says on which it does not.
pub fn tell_databases(finding: &mut Finding, whole: &Whole, stop: &Stop) {
    let (stops, passes) = databases(&whole.context, &stop.state.schema, stop.on_data());
    if stops.is_empty() || passes.is_empty() {
        return;
    }
    let text =
        format!("passes on {}, where no row is in the way; can stop on {}", say::list(&passes), say::list(&stops));
    finding.because(stop.step.origin.span, text);
    finding.databases = stops;
}
