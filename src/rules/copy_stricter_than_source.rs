//! A synced table that asks more of its rows than its source guarantees: writes to the source fail.

use super::{Findings, copied_rows, say};
use crate::data::{Demand, Stricter};
use crate::finding::Severity;
use crate::history::{Passed, Whole};
use crate::operation::Ident;
use crate::schema::{Relation, RelationId, Schema};
use crate::source::Span;
use crate::version::Major;

/// Judged when the migration is over: a file may loosen first what its trigger then spares, and most runners make it
/// one transaction.
pub fn check(whole: &Whole, findings: &mut Findings) {
    copied_rows::check(whole, findings);
    if whole.after.data.is_like(&whole.before.data) {
        return;
    }
    let (before, after) = (whole.before, whole.after);
    let changed = after.data.changed_since(&before.data);
    let known: Vec<&Stricter> =
        changed.iter().flat_map(|trigger| before.data.stricter_of(*trigger, &before.schema)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for stricter in changed.iter().flat_map(|trigger| after.data.stricter_of(*trigger, &after.schema)) {
        // Nothing that worked before stops working where the source itself is made in this release.
        let source = after.schema.relation(stricter.feed.source);
        let is_young = whole.context.is_of_this_release(&source.existence);
        if is_young || known.iter().any(|other| other.is_same(stricter)) {
            continue;
        }
        let Some(step) = completing_step(whole, stricter) else { continue };
        match groups.iter_mut().find(|group| group.takes(step, stricter)) {
            Some(group) => group.all.push(stricter),
            None => groups.push(Group { step, all: vec![stricter] }),
        }
    }
    groups.iter().for_each(|group| report(whole, group, findings));
}

/// What one write asks of several columns, since one step: one fault.
struct Group<'a> {
    step: &'a Passed,
    all: Vec<&'a Stricter>,
}

impl<'a> Group<'a> {
    fn takes(&self, step: &Passed, other: &Stricter) -> bool {
        let first = self.all[0];
        let same = first.table == other.table
            && (first.feed.trigger, first.write) == (other.feed.trigger, other.write)
            && first.certain == other.certain
            && std::ptr::eq(self.step, step);
        same && match (&first.demand, &other.demand) {
            (Demand::NotNull { from: one, .. }, Demand::NotNull { from: other, .. }) => {
                one.is_some() == other.is_some()
            }
            (Demand::Type { .. }, Demand::Type { .. }) => true,
            _ => false,
        }
    }

    /// The columns of the copy, and of the source where they come from it.
    fn columns(&self) -> Vec<(&'a Ident, Option<&'a Ident>)> {
        let of = |stricter: &&'a Stricter| match &stricter.demand {
            Demand::NotNull { column, from } => Some((column, from.as_ref())),
            Demand::Type { column, from, .. } => Some((column, Some(from))),
            Demand::Check { .. } | Demand::Unique { .. } | Demand::Foreign { .. } => None,
        };
        self.all.iter().filter_map(of).collect()
    }

    /// Only NULLs are refused, and the source gives each of the columns a value since it was made: what leaves it out has
    /// one.
    fn has_defaults(&self, schema: &Schema) -> bool {
        let source = schema.get_relation(self.all[0].feed.source).and_then(Relation::as_table);
        let has_one = |from: &Ident| {
            let column = source.and_then(|table| table.column(from));
            column.is_some_and(|column| {
                let made = column.existence.origin().span;
                column.default.as_ref().is_some_and(|one| !one.tree.is_null_constant() && made.contains(one.span))
            })
        };
        let all = self.all.iter().map(|one| match &one.demand {
            Demand::NotNull { from: Some(from), .. } => has_one(from),
            _ => false,
        });
        all.into_iter().all(|holds| holds)
    }

    /// The columns of the source that they come from, each once.
    fn sources(&self) -> Vec<&'a Ident> {
        let mut found: Vec<&Ident> = Vec::new();
        for from in self.columns().into_iter().filter_map(|(_, from)| from) {
            if !found.contains(&from) {
                found.push(from);
            }
        }
        found
    }
}

fn report(whole: &Whole, group: &Group, findings: &mut Findings) {
    let schema = &whole.after.schema;
    let (step, stricter) = (group.step, group.all[0]);
    let source = say::name(schema, stricter.feed.source);
    let table = say::name(schema, stricter.table);
    let (demand, verify) = words(schema, group);
    let only_nulls =
        group.columns().iter().all(|(_, from)| from.is_some()) && matches!(stricter.demand, Demand::NotNull { .. });
    let which = match group.sources().as_slice() {
        [only] if only_nulls => format!(" that leave `{only}` NULL"),
        _ => String::new(),
    };
    let message = format!("writes to `{source}`{which} fail: its trigger writes `{table}`, where {demand}");
    let finding = findings.report(&step.origin, step.operation.word(), step.certain && stricter.certain, message);
    if meets_new_rows_alone(whole, stricter) || group.has_defaults(schema) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    let root = say::name(schema, schema.partition_root(stricter.table));
    let faults: Vec<String> = group.all.iter().map(|one| fault(schema, &one.demand)).collect();
    finding.one_per(format!("{root} {source} {}", faults.join(", ")));
    let write = &stricter.feed.writes[stricter.write];
    say::path(finding, schema, &stricter.feed, write, stricter.table, constraint_of(&stricter.demand));
    finding.object(&schema.relation(stricter.table).name);
    finding.object(&schema.relation(stricter.feed.source).name);
    let trigger = schema.trigger(stricter.feed.trigger);
    finding.because(
        trigger.existence.origin().span,
        format!("trigger `{}` writes the rows of `{source}` into `{table}`", trigger.name),
    );
    if let Some(span) = demanded_at(schema, stricter).filter(|span| *span != step.origin.span) {
        finding.because(span, format!("`{table}` asks for it since here"));
    }
    finding.because(
        schema.relation(stricter.feed.source).existence.origin().span,
        format!("`{source}` does not ask for it"),
    );
    finding.instead(instead(schema, group));
    if let Some(verify) = verify {
        finding.verify(verify);
    }
}

/// A key that only new rows meet, to a table that holds all of its own: what it refuses is a row made up by the
/// application. Old rows without an owner come by UPDATE and by backfill.
fn meets_new_rows_alone(whole: &Whole, stricter: &Stricter) -> bool {
    let (schema, data) = (&whole.after.schema, &whole.after.data);
    let Demand::Foreign { constraint, .. } = &stricter.demand else { return false };
    let Some(key) = schema.constraint(*constraint).as_foreign() else { return false };
    let events = &stricter.feed.writes[stricter.write].events;
    let tree = [stricter.table, schema.partition_root(stricter.table)];
    events.insert
        && !events.update
        && !events.delete
        && data.feeds_into(schema, key.references).next().is_none()
        && tree.into_iter().all(|table| data.fills_of(table).is_empty())
}

/// The step that brings demand, trigger and function together: the last of them that is in this whole.
fn completing_step<'a>(whole: &Whole<'a>, stricter: &Stricter) -> Option<&'a Passed> {
    let schema = &whole.after.schema;
    let mut parts: Vec<Span> = vec![
        schema.trigger(stricter.feed.trigger).existence.origin().span,
        schema.function(stricter.feed.function).existence.origin().span,
    ];
    parts.extend(demanded_at(schema, stricter));
    let last = whole.steps.iter().rfind(|step| parts.contains(&step.origin.span));
    // NOT NULL and types are changed in place: the last step that names the table.
    let root = schema.partition_root(stricter.table);
    let names = |step: &&Passed| {
        let crate::operation::Operation::AlterTable(alter) = &step.operation else { return false };
        schema.find(&alter.table).is_some_and(|relation| schema.partition_root(relation.id) == root)
    };
    last.or_else(|| whole.steps.iter().rfind(names)).or(whole.steps.last())
}

fn constraint_of(demand: &Demand) -> Option<crate::schema::ConstraintId> {
    match demand {
        Demand::Check { constraint, .. } | Demand::Foreign { constraint, .. } => Some(*constraint),
        Demand::Unique { constraint, .. } => *constraint,
        Demand::NotNull { .. } | Demand::Type { .. } => None,
    }
}

fn demanded_at(schema: &Schema, stricter: &Stricter) -> Option<Span> {
    match (&stricter.demand, constraint_of(&stricter.demand)) {
        (_, Some(constraint)) => Some(schema.constraint(constraint).existence.origin().span),
        (Demand::NotNull { column, .. } | Demand::Type { column, .. }, None) => {
            let table = schema.relation(stricter.table).as_table()?;
            table.column(column).map(|column| column.existence.origin().span)
        }
        (Demand::Check { .. } | Demand::Unique { .. } | Demand::Foreign { .. }, None) => None,
    }
}

/// The same demand on several partitions is one fault.
fn fault(schema: &Schema, demand: &Demand) -> String {
    match demand {
        Demand::NotNull { column, .. } => format!("not null {column}"),
        Demand::Check { constraint, .. } => format!("check {:?}", schema.constraint(*constraint).columns),
        Demand::Unique { from, .. } => format!("unique {from:?}"),
        Demand::Foreign { from, .. } => format!("foreign {from:?}"),
        Demand::Type { column, .. } => format!("type {column}"),
    }
}

fn list(names: &[Ident]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The demand in words, and the query that counts the rows of the source that miss it.
fn words(schema: &Schema, group: &Group) -> (String, Option<String>) {
    let stricter = group.all[0];
    let source = &schema.relation(stricter.feed.source).name;
    let name = source.short();
    let columns: Vec<String> = group.columns().iter().map(|(column, _)| column.to_string()).collect();
    let columns = say::list(&columns);
    match &stricter.demand {
        Demand::NotNull { from: Some(_), .. } => {
            let from = group.sources();
            let missing: Vec<String> = from.iter().map(|from| format!("{from} IS NULL")).collect();
            let from: Vec<String> = from.iter().map(|from| format!("{name}.{from}")).collect();
            (
                format!("{columns} must not be null, and {} may be", say::list(&from)),
                Some(format!("SELECT count(*) FROM {source} WHERE {}", missing.join(" OR "))),
            )
        }
        Demand::NotNull { from: None, .. } => {
            let them = if group.all.len() == 1 { "it" } else { "them" };
            (format!("{columns} must not be null, and the trigger leaves {them} out"), None)
        }
        Demand::Check { constraint, .. } => {
            let constraint = schema.constraint(*constraint);
            let crate::schema::ConstraintRow::Check { expression } = &constraint.kind else {
                return (String::new(), None);
            };
            (
                format!("check `{}` wants `{}`, and `{name}` does not", constraint.name, expression.text),
                Some(format!("SELECT count(*) FROM {source} WHERE NOT ({})", expression.text))
                    .filter(|_| same_names(stricter, expression)),
            )
        }
        Demand::Unique { name: key, from, .. } => (
            format!("`{key}` wants ({}) to be unique, and `{name}` does not", list(from)),
            Some(format!(
                "SELECT count(*) FROM (SELECT FROM {source} GROUP BY {} HAVING count(*) > 1) AS twice",
                list(from)
            )),
        ),
        Demand::Foreign { constraint, from } => {
            let constraint = schema.constraint(*constraint);
            let target = constraint.as_foreign().map(|key| say::name(schema, key.references)).unwrap_or_default();
            (
                format!(
                    "foreign key `{}` wants a row of `{target}`, and `{name}` has no such key on ({})",
                    constraint.name,
                    list(from)
                ),
                foreign_query(schema, stricter.feed.source, constraint, from),
            )
        }
        Demand::Type { .. } => {
            let (mut told, mut longer) = (Vec::new(), Vec::new());
            for one in &group.all {
                let Demand::Type { column, from, narrow, wide } = &one.demand else { continue };
                told.push(format!("`{column}` is `{narrow}`, and `{name}.{from}` is `{wide}`"));
                longer.extend(length(narrow).map(|length| format!("length({from}) > {length}")));
            }
            let all = longer.len() == told.len();
            let query = format!("SELECT count(*) FROM {source} WHERE {}", longer.join(" OR "));
            (told.join("; "), all.then_some(query))
        }
    }
}

fn length(narrow: &crate::operation::TypeName) -> Option<&str> {
    let text = matches!(narrow.name.name.as_str(), "character varying" | "character");
    text.then(|| narrow.modifiers.first().map(|length| &**length)).flatten()
}

fn same_names(stricter: &Stricter, expression: &crate::operation::Expression) -> bool {
    let write = &stricter.feed.writes[stricter.write];
    expression
        .tree
        .columns()
        .into_iter()
        .all(|column| matches!(write.value_of(column), Some(crate::data::Value::Source(source)) if source == column))
}

fn foreign_query(
    schema: &Schema,
    source: RelationId,
    constraint: &crate::schema::Constraint,
    from: &[Ident],
) -> Option<String> {
    let key = constraint.as_foreign()?;
    let target = &schema.relation(key.references).name;
    let equal: Vec<String> = from
        .iter()
        .zip(&key.referenced_columns)
        .map(|(column, other)| format!("p.{} = c.{column}", schema.column_name(key.references, *other)))
        .collect();
    let present: Vec<String> = from.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    Some(format!(
        "SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {target} AS p WHERE {})",
        schema.relation(source).name,
        present.join(" AND "),
        equal.join(" AND ")
    ))
}

fn instead(schema: &Schema, group: &Group) -> String {
    let stricter = group.all[0];
    let source = &schema.relation(stricter.feed.source).name;
    match &stricter.demand {
        Demand::NotNull { from: Some(_), .. } => {
            let from = group.sources();
            let present: Vec<String> = from.iter().map(|from| format!("{from} IS NOT NULL")).collect();
            let words: Vec<&str> =
                std::iter::once(source.name.as_str()).chain(from.iter().map(|one| one.as_str())).collect();
            let name = Ident::new(format!("{}_present", words.join("_")));
            format!(
                "-- first ask it of the original, where the application sees the error:\n\
                 ALTER TABLE {source} ADD CONSTRAINT {name} CHECK ({}) NOT VALID;",
                present.join(" AND ")
            )
        }
        Demand::Check { constraint, .. } => {
            let constraint = schema.constraint(*constraint);
            let text = match &constraint.kind {
                crate::schema::ConstraintRow::Check { expression } => expression.text.to_string(),
                _ => String::new(),
            };
            format!(
                "-- first ask it of the original, where the application sees the error:\n\
                 ALTER TABLE {source} ADD CONSTRAINT {} CHECK ({text}) NOT VALID;",
                constraint.name
            )
        }
        Demand::Foreign { constraint, from } => {
            let constraint = schema.constraint(*constraint);
            let target =
                constraint.as_foreign().map(|key| schema.relation(key.references).name.to_string()).unwrap_or_default();
            let is_partitioned = schema.relation(stricter.feed.source).is_partitioned();
            let not_valid = if is_partitioned && !schema.majors.since(Major(18)) { "" } else { " NOT VALID" };
            format!(
                "-- delete or mend the rows of {source} that refer to nothing, and keep new ones out first:\n\
                 ALTER TABLE {source} ADD FOREIGN KEY ({}) REFERENCES {target}{not_valid};",
                list(from)
            )
        }
        Demand::Unique { from, .. } => format!(
            "-- first on the original, outside of a transaction:\nCREATE UNIQUE INDEX CONCURRENTLY ON {source} ({});",
            list(from)
        ),
        Demand::NotNull { from: None, .. } => {
            let columns: Vec<String> = group.columns().iter().map(|(column, _)| column.to_string()).collect();
            let (list, it) = (say::list(&columns), if columns.len() == 1 { "it" } else { "them" });
            format!("let the trigger function set {list}, or give {it} a default, before the trigger fires")
        }
        Demand::Type { .. } => {
            let of = |one: &&Stricter| match &one.demand {
                Demand::Type { column, wide, .. } => Some(format!("ALTER COLUMN {column} TYPE {wide}")),
                _ => None,
            };
            let changes: Vec<String> = group.all.iter().filter_map(of).collect();
            let table = &schema.relation(stricter.table).name;
            format!("-- before the trigger fires\nALTER TABLE {table} {};", changes.join(", "))
        }
    }
}
