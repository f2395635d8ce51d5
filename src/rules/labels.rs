//! Labels of enum types: used too early, renamed, left out.

use super::Findings;
use crate::finding::Severity;
use crate::history::{Passed, Step, Unit, Whole};
use crate::operation::{
    AlterType, ColumnDefinition, Constant, ConstraintKind, Expr, Ident, Name, Operation, Query, Rows, TableActionKind,
    TypeAction, TypeName, Write, WriteKind,
};
use crate::schema::{Relation, Schema, TypeKind};
use crate::server::new_label_usable_in_new_type;
use crate::source::Span;

/// A label that this transaction adds.
struct Added<'a> {
    place: usize,
    data_type: &'a Name,
    label: &'a str,
}

pub fn used_in_transaction(unit: &Unit, findings: &mut Findings) {
    if unit.steps.len() < 2 {
        return;
    }
    for (place, step) in unit.steps.iter().enumerate() {
        let Operation::AlterType(alter) = &step.operation else { continue };
        let AlterType { name, action: TypeAction::AddValue { label, .. } } = &**alter else { continue };
        if step.applied.failure().is_some() || has_label(&unit.before.schema, name, label) {
            continue;
        }
        let made_here = unit.before.schema.find_type(name).is_none()
            && unit.steps[..place]
                .iter()
                .any(|one| matches!(&one.operation, Operation::CreateType(make) if make.name == *name));
        let majors: Vec<_> = unit
            .context
            .majors
            .iter()
            .copied()
            .filter(|major| !(made_here && new_label_usable_in_new_type(*major)))
            .collect();
        let added = Added { place, data_type: name, label };
        let user = unit.steps[place + 1..].iter().find(|later| uses(later, &unit.after.schema, &added));
        let Some(user) = user.filter(|_| !majors.is_empty()) else { continue };
        let message = format!(
            "this statement fails: label '{label}' of `{name}` cannot be used before the transaction that adds it has committed (SQLSTATE 55P04)"
        );
        let finding = findings.report(&user.origin, user.operation.word(), user.certain && step.certain, message);
        finding.postgres = majors;
        finding.object(name);
        finding.because(unit.steps[added.place].origin.span, format!("adds '{label}' in the same transaction"));
        finding.instead(format!(
            "-- in a migration of its own, before this one\nALTER TYPE {name} ADD VALUE '{}';",
            label.replace('\'', "''")
        ));
    }
}

fn has_label(schema: &Schema, name: &Name, label: &str) -> bool {
    schema.find_type(name).is_some_and(|one| match &one.kind {
        TypeKind::Enum { labels } => labels.iter().any(|one| &*one.text == label),
        _ => false,
    })
}

/// The statement writes the label where its type is meant: in a cast, or beside a column of the type.
fn uses(step: &Passed, schema: &Schema, added: &Added) -> bool {
    let found = Search { schema, added, tables: tables(&step.operation, schema) };
    match &step.operation {
        Operation::Write(write) => found.in_write(write),
        Operation::Query(query) => found.in_query(query),
        Operation::CreateView(view) => found.in_query(&view.query),
        Operation::CreateTableAs(make) => found.in_query(&make.query),
        Operation::CreateIndex(create) => create.filter.as_ref().is_some_and(|filter| found.meets(&filter.tree, false)),
        Operation::CreateTable(create) => create.columns.iter().any(|column| found.in_column(column)),
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            TableActionKind::AddColumn { column, .. } => found.in_column(column),
            TableActionKind::SetDefault { column, default } => found.meets(&default.tree, found.has_type(column)),
            TableActionKind::AddConstraint(one) => match &one.kind {
                ConstraintKind::Check(check) => found.meets(&check.tree, false),
                _ => false,
            },
            TableActionKind::AlterColumnType { using: Some(using), .. } => found.meets(&using.tree, false),
            _ => false,
        }),
        _ => false,
    }
}

fn tables<'a>(operation: &Operation, schema: &'a Schema) -> Vec<&'a Relation> {
    let names: Vec<&Name> = match operation {
        Operation::Write(write) => std::iter::once(&write.target).chain(write.reads()).collect(),
        Operation::Query(query) => query.reads(),
        Operation::CreateView(view) => view.query.reads(),
        Operation::CreateTableAs(make) => make.query.reads(),
        Operation::CreateIndex(create) => vec![&create.table],
        Operation::AlterTable(alter) => vec![&alter.table],
        _ => Vec::new(),
    };
    names.into_iter().filter_map(|name| schema.find(name)).collect()
}

struct Search<'a> {
    schema: &'a Schema,
    added: &'a Added<'a>,
    tables: Vec<&'a Relation>,
}

impl Search<'_> {
    fn is_type(&self, data_type: &TypeName) -> bool {
        let wanted = self.schema.find_type(self.added.data_type).map(|one| one.id);
        !data_type.built_in && wanted.is_some() && self.schema.find_type(&data_type.name).map(|one| one.id) == wanted
    }

    fn has_type(&self, column: &Ident) -> bool {
        let columns = self.tables.iter().filter_map(|table| table.as_table()?.column(column));
        columns.into_iter().any(|column| column.data_type.as_ref().is_some_and(|one| self.is_type(one)))
    }

    fn in_column(&self, column: &ColumnDefinition) -> bool {
        let typed = column.data_type.as_ref().is_some_and(|one| self.is_type(one));
        column.default.as_ref().is_some_and(|default| self.meets(&default.tree, typed))
    }

    fn in_write(&self, write: &Write) -> bool {
        let assigned = write.assignments.iter().any(|(column, value)| self.meets(value, self.has_type(column)));
        let rows = match &write.rows {
            Rows::Values { first, .. } => {
                first.iter().zip(&write.columns).any(|(value, column)| self.meets(value, self.has_type(column)))
            }
            Rows::Query(query) => self.in_query(query),
            Rows::None | Rows::Defaults => false,
        };
        assigned || rows || write.filter.as_ref().is_some_and(|filter| self.meets(filter, false))
    }

    fn in_query(&self, query: &Query) -> bool {
        query.expressions().into_iter().any(|one| self.meets(one, false))
            || query.arms.iter().any(|arm| self.in_query(arm))
    }

    /// `typed`: what stands here is taken for a value of the type.
    fn meets(&self, expr: &Expr, typed: bool) -> bool {
        let is_column = |one: &Expr| matches!(one, Expr::Column { name, .. } if self.has_type(name));
        match expr {
            Expr::Constant(Constant::String(text)) => typed && **text == *self.added.label,
            Expr::Cast { value, to } => self.meets(value, self.is_type(to)),
            Expr::Binary { left, right, .. } => {
                let typed = is_column(left) || is_column(right);
                self.meets(left, typed) || self.meets(right, typed)
            }
            Expr::Distinct(left, right) => {
                let typed = is_column(left) || is_column(right);
                self.meets(left, typed) || self.meets(right, typed)
            }
            Expr::In { value, list } => list.iter().any(|one| self.meets(one, is_column(value))),
            Expr::Case { branches, otherwise } => {
                branches.iter().any(|(when, then)| self.meets(when, false) || self.meets(then, typed))
                    || otherwise.as_ref().is_some_and(|one| self.meets(one, typed))
            }
            Expr::Subquery(query) | Expr::Exists(query) => self.in_query(query),
            Expr::InQuery { query, .. } => self.in_query(query),
            other => other.children().into_iter().any(|one| self.meets(one, false)),
        }
    }
}

pub fn renamed(step: &Step, findings: &mut Findings) {
    let Operation::AlterType(alter) = step.operation else { return };
    let AlterType { name, action: TypeAction::RenameValue { from, to } } = &**alter else { return };
    let found = step.before.schema.find_type(name);
    if step.applied.failure().is_some() || found.is_some_and(|one| step.context.is_of_this_release(&one.existence)) {
        return;
    }
    let message = format!(
        "code of the previous release that writes '{from}' to `{name}` fails from here on, and reads '{to}' back"
    );
    let finding = findings.report(step.origin, "alter-type", step.certain, message);
    finding.object(name);
    if let Some(one) = found {
        finding.because(one.existence.origin().span, format!("`{name}` is older than this release"));
    }
    finding.instead(format!(
        "ALTER TYPE {name} ADD VALUE '{}'; -- both for a while; the code takes either, then writes the new one alone",
        to.replace('\'', "''")
    ));
}

pub fn removed(whole: &Whole, findings: &mut Findings) {
    for (place, step) in whole.steps.iter().enumerate() {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, _)) = step.change() else { continue };
        let Some(relation) = before.schema.find_table(&alter.table) else { continue };
        if whole.context.is_new(before, relation.id) {
            continue;
        }
        for action in &alter.actions {
            let TableActionKind::AlterColumnType { column, data_type, using, .. } = &action.kind else { continue };
            // Anything but a plain cast may map the labels.
            let plain =
                using.as_ref().is_none_or(|using| using.tree.as_column().is_some_and(|(_, name)| name == column));
            let had = relation.as_table().and_then(|table| table.column(column)).and_then(|one| one.data_type.as_ref());
            let (Some(old), Some(new)) =
                (had.and_then(|one| labels(&before.schema, one)), labels(&before.schema, data_type))
            else {
                continue;
            };
            let mut gone: Vec<String> = old.into_iter().filter(|label| !new.contains(label)).collect();
            gone.retain(|label| !whole.steps[..place].iter().any(|earlier| clears(earlier, label)));
            if gone.is_empty() || !plain {
                continue;
            }
            let table = &relation.name;
            let quoted: Vec<String> = gone.iter().map(|label| format!("'{}'", label.replace('\'', "''"))).collect();
            let list = quoted.join(", ");
            let message = format!(
                "fails where a row of `{}` has {list} in `{column}` (SQLSTATE 22P02), and code that writes it fails from here on",
                table.short()
            );
            let finding = findings.report(&step.origin, "alter-column-type", step.certain, message);
            let cleared: Vec<Option<Span>> = gone.iter().map(|label| cleared_before(whole, relation, label)).collect();
            if let Some(spans) = cleared.into_iter().collect::<Option<Vec<Span>>>() {
                finding.severity = Severity::Note;
                for span in spans {
                    finding.because(span, "a migration that has shipped changed the rows that had it");
                }
            }
            finding.object(table);
            finding.object(format!("{table}.{column}"));
            finding.instead(format!(
                "-- first the release that no longer writes it, then, in batches:\n\
                 UPDATE {table} SET {column} = … WHERE {column} IN ({list});"
            ));
            finding.verify(format!("SELECT count(*) FROM {table} WHERE {column}::text IN ({list})"));
        }
    }
}

/// A shipped migration changed the rows of the table that had the label.
fn cleared_before(whole: &Whole, relation: &Relation, label: &str) -> Option<Span> {
    let context = &whole.context;
    let mut found = None;
    for (number, migration) in context.plan.history.migrations.iter().enumerate() {
        if number >= context.at.migration || context.plan.same_release(number, context.at.migration) {
            continue;
        }
        for node in &migration.up.nodes {
            node.statements(&mut |statement| {
                if let Operation::Write(write) = &statement.operation
                    && whole.before.schema.find(&write.target).is_some_and(|one| one.id == relation.id)
                    && looks_for(write, label)
                {
                    found = Some(statement.span);
                }
            });
        }
    }
    found
}

fn labels(schema: &Schema, data_type: &TypeName) -> Option<Vec<String>> {
    match &schema.find_type(&data_type.name).filter(|_| !data_type.built_in)?.kind {
        TypeKind::Enum { labels } => Some(labels.iter().map(|label| label.text.to_string()).collect()),
        _ => None,
    }
}

/// An UPDATE or DELETE that looks for the label.
fn clears(step: &Passed, label: &str) -> bool {
    matches!(&step.operation, Operation::Write(write) if looks_for(write, label))
}

fn looks_for(write: &Write, label: &str) -> bool {
    if !matches!(write.kind, WriteKind::Update | WriteKind::Delete) {
        return false;
    }
    let mut found = false;
    if let Some(filter) = &write.filter {
        filter.walk(&mut |one| found |= matches!(one, Expr::Constant(Constant::String(text)) if **text == *label));
    }
    found
}
