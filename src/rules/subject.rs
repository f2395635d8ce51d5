//! What one step makes or changes, in the words that pages' `[match]` blocks may use: operations, fields, facts.

use crate::history::Step;
use crate::operation::{
    Action, ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateFunction, CreateIndex, CreateTable,
    CreateType, Ident, Name, Operation, Persistence, TableActionKind, TypeForm,
};
use crate::source::Span;

/// The kinds of things that a step does. `new-…` is it in CREATE TABLE and ALTER TABLE alike.
pub const OPERATIONS: &[&str] = &[
    "add-column",
    "add-constraint",
    "change-column-type",
    "create-extension",
    "create-function",
    "create-index",
    "create-schema",
    "create-sequence",
    "create-table",
    "create-trigger",
    "create-type",
    "create-view",
    "drop",
    "drop-column",
    "drop-constraint",
    "grant",
    "new-column",
    "new-constraint",
    "rename",
    "set-default",
    "set-logged",
    "set-not-null",
    "truncate",
];

pub const FIELDS: &[&str] =
    &["column", "grantee", "kind", "language", "method", "name", "on-delete", "schema", "table", "type"];

pub const FACTS: &[&str] = &[
    "concurrently",
    "default",
    "generated",
    "identity",
    "more-than-three-columns",
    "new-table",
    "not-null",
    "not-valid",
    "partial",
    "partition",
    "primary-key",
    "quoted-name",
    "reserved-name",
    "security-definer",
    "serial",
    "temporary",
    "unique",
    "unlogged",
    "unnamed",
    "without-length",
    "without-search-path",
];

/// One thing that a step does.
#[derive(Debug, Default)]
pub struct Subject {
    pub operations: Vec<&'static str>,
    pub fields: Vec<(&'static str, String)>,
    pub facts: Vec<&'static str>,
    /// Its own place, where it has one inside the statement.
    pub span: Option<Span>,
    pub objects: Vec<String>,
}

impl Subject {
    fn new(operations: &[&'static str]) -> Subject {
        Subject { operations: operations.to_vec(), ..Subject::default() }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// A text with its `{table}` and the like filled in.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((name, after)) if FIELDS.contains(&name) => {
                    filled.push_str(self.field(name).unwrap_or_default());
                    rest = after;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn is(&mut self, fact: &'static str, holds: bool) {
        if holds {
            self.facts.push(fact);
        }
    }

    fn has(&mut self, field: &'static str, value: impl ToString) {
        self.fields.push((field, value.to_string()));
    }

    /// The table that it belongs to.
    fn of_table(mut self, step: &Step, name: &Name) -> Subject {
        let found = step.after.schema.find(name).or_else(|| step.before.schema.find(name));
        self.has("table", &name.name);
        if let Some(found) = found {
            self.has("schema", &found.name.schema);
            self.objects.push(found.name.to_string());
            self.is("new-table", step.context.is_of_this_release(&found.existence));
        }
        self
    }

    /// What it is called itself.
    fn called(&mut self, field: &'static str, name: &Ident) {
        self.has(field, name);
        if field != "name" {
            self.has("name", name);
        }
        self.is("quoted-name", name.to_string().starts_with('"') && !name.is_keyword());
        self.is("reserved-name", name.is_keyword());
    }
}

/// All that a step does.
pub fn subjects(step: &Step) -> Vec<Subject> {
    match step.operation {
        Operation::CreateTable(create) => created(step, create),
        Operation::AlterTable(alter) => {
            let actions =
                alter.actions.iter().flat_map(|action| altered(step, &alter.table, &action.kind, action.span));
            actions.collect()
        }
        Operation::CreateIndex(create) => vec![index(step, create)],
        Operation::CreateType(create) => vec![new_type(create)],
        Operation::CreateFunction(create) => vec![function(create)],
        Operation::CreateExtension(create) => vec![named("create-extension", "name", &create.name)],
        Operation::CreateSchema(_) | Operation::CreateSequence(_) | Operation::CreateTrigger(_) => {
            vec![Subject::new(&[step.operation.word()])]
        }
        Operation::CreateView(create) => vec![named("create-view", "name", &create.name.name)],
        Operation::Drop(drop) => drop.targets.iter().map(|target| named("drop", "name", &target.name.name)).collect(),
        Operation::Rename(rename) => vec![named("rename", "name", &rename.to)],
        Operation::Truncate(truncate) => {
            truncate.tables.iter().map(|one| Subject::new(&["truncate"]).of_table(step, &one.name)).collect()
        }
        Operation::Grant(grant) if !grant.revoke => grant
            .to
            .iter()
            .map(|to| {
                let mut subject = Subject::new(&["grant"]);
                subject.has("grantee", to);
                subject
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn named(operation: &'static str, field: &'static str, name: &Ident) -> Subject {
    let mut subject = Subject::new(&[operation]);
    subject.called(field, name);
    subject.objects.push(name.to_string());
    subject
}

fn created(step: &Step, create: &CreateTable) -> Vec<Subject> {
    // IF NOT EXISTS over a table that is there makes nothing.
    if step.before.schema.find_table(&create.name).is_some() {
        return Vec::new();
    }
    let mut table = Subject::new(&["create-table"]);
    table.called("name", &create.name.name);
    let mut found = vec![of_persistence(table, create).of_table(step, &create.name)];
    let primary: Vec<&Ident> = create.constraints.iter().flat_map(primary_columns).collect();
    for definition in &create.columns {
        let mut one = column(step, &create.name, definition, &["new-column"]);
        if !one.facts.contains(&"primary-key") {
            one.is("primary-key", primary.contains(&&definition.name));
        }
        found.push(of_persistence(one, create));
        let inline = definition.constraints.iter();
        found.extend(inline.map(|one| constraint(step, &create.name, one, &["new-constraint"])));
    }
    found.extend(create.constraints.iter().map(|one| constraint(step, &create.name, one, &["new-constraint"])));
    found
}

fn of_persistence(mut subject: Subject, create: &CreateTable) -> Subject {
    subject.is("temporary", create.persistence == Persistence::Temporary);
    subject.is("unlogged", create.persistence == Persistence::Unlogged);
    subject.is("partition", create.partition_of.is_some());
    subject
}

fn primary_columns(definition: &ConstraintDefinition) -> &[Ident] {
    match &definition.kind {
        ConstraintKind::Primary(key) => &key.columns,
        _ => &[],
    }
}

fn altered(step: &Step, table: &Name, action: &TableActionKind, span: Span) -> Vec<Subject> {
    let simple = |operation, name: Option<&Ident>| {
        let mut subject = Subject::new(&[operation]).of_table(step, table);
        if let Some(name) = name {
            subject.called("column", name);
        }
        subject
    };
    let mut found = match action {
        TableActionKind::AddColumn { column: definition, .. } => {
            let mut found = vec![column(step, table, definition, &["new-column", "add-column"])];
            let inline = definition.constraints.iter();
            found.extend(inline.map(|one| constraint(step, table, one, &["new-constraint", "add-constraint"])));
            found
        }
        TableActionKind::AddConstraint(definition) => {
            vec![constraint(step, table, definition, &["new-constraint", "add-constraint"])]
        }
        TableActionKind::AlterColumnType { column, data_type, .. } => {
            let mut subject = simple("change-column-type", Some(column));
            subject.has("type", data_type);
            vec![subject]
        }
        TableActionKind::DropColumn { column, .. } => vec![simple("drop-column", Some(column))],
        TableActionKind::SetDefault { column, .. } => vec![simple("set-default", Some(column))],
        TableActionKind::SetNotNull { column, .. } => vec![simple("set-not-null", Some(column))],
        TableActionKind::DropConstraint { name, .. } => {
            let mut subject = simple("drop-constraint", None);
            subject.has("name", name);
            vec![subject]
        }
        TableActionKind::SetLogged { logged } => {
            let mut subject = simple("set-logged", None);
            subject.is("unlogged", !logged);
            vec![subject]
        }
        _ => Vec::new(),
    };
    found.iter_mut().for_each(|subject| subject.span = subject.span.or(Some(span)));
    found
}

fn column(step: &Step, table: &Name, definition: &ColumnDefinition, operations: &[&'static str]) -> Subject {
    let mut subject = Subject::new(operations).of_table(step, table);
    subject.called("column", &definition.name);
    subject.span = Some(definition.span);
    if let Some(kind) = &definition.data_type {
        subject.has("type", kind);
        subject.is("without-length", kind.modifiers.is_empty());
    }
    let has = |wanted: fn(&ConstraintKind) -> bool| definition.constraints.iter().any(|one| wanted(&one.kind));
    let primary = has(|kind| matches!(kind, ConstraintKind::Primary(_)));
    subject.is("primary-key", primary);
    subject.is("not-null", definition.not_null.is_some() || primary);
    subject.is("default", definition.default.is_some());
    subject.is("serial", definition.serial);
    subject.is("identity", definition.identity.is_some());
    subject.is("generated", definition.generated.is_some());
    if let Some(first) = subject.objects.first().cloned() {
        subject.objects.push(format!("{first}.{}", definition.name));
    }
    subject
}

fn constraint(step: &Step, table: &Name, definition: &ConstraintDefinition, operations: &[&'static str]) -> Subject {
    let mut subject = Subject::new(operations).of_table(step, table);
    subject.span = Some(definition.span);
    let kind = match &definition.kind {
        ConstraintKind::Check(_) => "check",
        ConstraintKind::NotNull(_) => "not-null",
        ConstraintKind::Unique(_) => "unique",
        ConstraintKind::Primary(_) => "primary",
        ConstraintKind::Exclude { .. } => "exclude",
        ConstraintKind::Foreign(_) => "foreign",
    };
    subject.has("kind", kind);
    if let ConstraintKind::Foreign(key) = &definition.kind {
        subject.has(
            "on-delete",
            match key.on_delete {
                Action::NoAction => "no action",
                Action::Restrict => "restrict",
                Action::Cascade => "cascade",
                Action::SetNull => "set null",
                Action::SetDefault => "set default",
            },
        );
    }
    if let Some(name) = &definition.name {
        subject.called("name", name);
    }
    subject.is("unnamed", definition.name.is_none());
    subject.is("not-valid", definition.not_valid);
    subject
}

fn index(step: &Step, create: &CreateIndex) -> Subject {
    let mut subject = Subject::new(&["create-index"]).of_table(step, &create.table);
    if let Some(name) = &create.name {
        subject.called("name", name);
    }
    subject.has("method", &create.method);
    subject.is("unnamed", create.name.is_none());
    subject.is("unique", create.unique);
    subject.is("concurrently", create.concurrently);
    subject.is("partial", create.filter.is_some());
    subject.is("more-than-three-columns", create.parts.len() > 3);
    subject
}

fn new_type(create: &CreateType) -> Subject {
    let mut subject = named("create-type", "name", &create.name.name);
    let kind = match create.kind {
        TypeForm::Enum { .. } => "enum",
        TypeForm::Composite { .. } => "composite",
        TypeForm::Range => "range",
        TypeForm::Base => "base",
    };
    subject.has("kind", kind);
    subject
}

fn function(create: &CreateFunction) -> Subject {
    let mut subject = named("create-function", "name", &create.name.name);
    subject.has("language", &create.language);
    subject.is("security-definer", create.security_definer);
    subject.is("without-search-path", create.search_path.is_none());
    subject
}
