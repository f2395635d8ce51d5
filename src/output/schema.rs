//! A schema as JSON: a versioned contract with structs of its own, sorted by name. [`super::create`] has the SQL.

use std::io::{self, Write};

use serde::Serialize;

use super::completeness::{Completeness, CopyRow};
use super::{create, json};
use crate::data::Data;
use crate::operation::{Persistence, QualifiedName, RoutineKind, TriggerState, TriggerTiming};
use crate::schema::definition::{
    action, arguments, bound, constraint as definition, owner, partition_key, relation_name, type_name,
};
use crate::schema::statement::events;
use crate::schema::{
    ColumnId, Constraint, ConstraintRow, IdentityKind, Index, IndexKey, Relation, RelationId, RelationKind, Schema,
    Table, TableKind, Trigger, TypeKind,
};
use crate::source::Sources;

const VERSION: u32 = 1;

/// How a schema is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaFormat {
    Json,
    Sql,
}

impl SchemaFormat {
    pub const ALL: [SchemaFormat; 2] = [SchemaFormat::Json, SchemaFormat::Sql];

    pub fn word(self) -> &'static str {
        match self {
            SchemaFormat::Json => "json",
            SchemaFormat::Sql => "sql",
        }
    }
}

/// Writes a schema; what is known of its rows goes into the JSON.
pub fn render(
    schema: &Schema,
    data: &Data,
    sources: &Sources,
    format: SchemaFormat,
    into: &mut dyn Write,
) -> io::Result<()> {
    match format {
        SchemaFormat::Json => json::write(&document(schema, &Completeness::new(schema, data, sources)), into),
        SchemaFormat::Sql => create::render(schema, into),
    }
}

#[derive(Serialize)]
struct Document {
    version: u32,
    tables: Vec<TableRow>,
    functions: Vec<FunctionRow>,
    sequences: Vec<SequenceRow>,
    types: Vec<TypeRow>,
    views: Vec<ViewRow>,
}

#[derive(Serialize)]
struct TableRow {
    name: String,
    kind: &'static str,
    parent: Option<String>,
    bound: Option<String>,
    partition_by: Option<String>,
    inherits: Vec<String>,
    persistence: &'static str,
    rls: bool,
    columns: Vec<ColumnRow>,
    constraints: Vec<ConstraintJson>,
    indexes: Vec<IndexRow>,
    triggers: Vec<TriggerRow>,
    completeness: Vec<CopyRow>,
}

#[derive(Serialize)]
struct ColumnRow {
    name: String,
    #[serde(rename = "type")]
    data_type: Option<String>,
    not_null: bool,
    default: Option<String>,
    identity: Option<&'static str>,
    generated: Option<&'static str>,
}

#[derive(Serialize)]
struct ConstraintJson {
    name: String,
    kind: &'static str,
    columns: Vec<Option<String>>,
    references: Option<ReferenceRow>,
    on_delete: Option<&'static str>,
    on_update: Option<&'static str>,
    validated: bool,
    enforced: bool,
    deferrable: bool,
    deferred: bool,
    inherited: bool,
    local: bool,
    no_inherit: bool,
    #[serde(rename = "match")]
    matching: Option<&'static str>,
    index: Option<String>,
    definition: String,
}

#[derive(Serialize)]
struct ReferenceRow {
    table: String,
    columns: Vec<String>,
}

#[derive(Serialize)]
struct IndexRow {
    name: String,
    columns: Vec<Option<String>>,
    expressions: Vec<String>,
    include: Vec<String>,
    unique: bool,
    nulls_not_distinct: bool,
    valid: bool,
    ready: bool,
    method: String,
    #[serde(rename = "where")]
    filter: Option<String>,
    parent: Option<String>,
}

#[derive(Serialize)]
struct TriggerRow {
    name: String,
    timing: &'static str,
    level: &'static str,
    events: Vec<&'static str>,
    columns: Vec<String>,
    when: Option<String>,
    function: String,
    enabled: &'static str,
    inherited: bool,
}

#[derive(Serialize)]
struct FunctionRow {
    name: String,
    arguments: String,
    returns: Option<String>,
    language: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct SequenceRow {
    name: String,
    owned_by: Option<String>,
}

#[derive(Serialize)]
struct TypeRow {
    name: String,
    kind: &'static str,
    labels: Vec<String>,
}

#[derive(Serialize)]
struct ViewRow {
    name: String,
    kind: &'static str,
}

fn document(schema: &Schema, completeness: &Completeness<'_>) -> Document {
    let mut relations: Vec<&Relation> = schema.relations().collect();
    relations.sort_by(|one, other| one.name.cmp(&other.name));
    let mut document = Document {
        version: VERSION,
        tables: Vec::new(),
        functions: functions(schema),
        sequences: Vec::new(),
        types: types(schema),
        views: Vec::new(),
    };
    for relation in relations {
        let name = || relation.name.to_string();
        match &relation.kind {
            RelationKind::Table(table) => document.tables.push(table_row(schema, relation, table, completeness)),
            RelationKind::Sequence(sequence) => {
                document.sequences.push(SequenceRow { name: name(), owned_by: owner(schema, sequence) });
            }
            RelationKind::View(view) => {
                let kind = if view.materialized { "materialized" } else { "view" };
                document.views.push(ViewRow { name: name(), kind });
            }
            RelationKind::Index(_) | RelationKind::Other => {}
        }
    }
    document
}

fn table_row(schema: &Schema, relation: &Relation, table: &Table, completeness: &Completeness<'_>) -> TableRow {
    let parent = table.partition_of.as_ref();
    let parent_table = parent.and_then(|place| schema.get_relation(place.parent)).and_then(Relation::as_table);
    let mut constraints: Vec<&Constraint> = schema.constraints_of(relation.id).collect();
    constraints.sort_by(|one, other| one.name.cmp(&other.name));
    TableRow {
        name: relation.name.to_string(),
        kind: match (table.kind, parent) {
            (TableKind::Partitioned, _) => "partitioned",
            (TableKind::Foreign, _) => "foreign",
            (TableKind::Plain, Some(_)) => "partition",
            (TableKind::Plain, None) => "table",
        },
        parent: parent.map(|place| relation_name(schema, place.parent)),
        bound: parent.map(|place| bound(&place.bound, parent_table)),
        partition_by: table.partition_by.as_ref().map(partition_key),
        inherits: table.inherits.iter().map(|parent| relation_name(schema, *parent)).collect(),
        persistence: match table.persistence {
            Persistence::Permanent => "permanent",
            Persistence::Unlogged => "unlogged",
            Persistence::Temporary => "temporary",
        },
        rls: table.row_security,
        columns: columns(schema, table),
        constraints: constraints.into_iter().map(|one| constraint(schema, one)).collect(),
        indexes: indexes(schema, table),
        triggers: schema.triggers_of(relation.id).into_iter().map(|one| trigger(schema, one)).collect(),
        completeness: completeness.of(relation.id),
    }
}

fn columns(schema: &Schema, table: &Table) -> Vec<ColumnRow> {
    let rows = table.columns.iter().map(|column| ColumnRow {
        name: column.name.to_string(),
        data_type: column.data_type.as_ref().map(|data_type| type_name(schema, data_type)),
        not_null: column.not_null,
        // `pg_attrdef` holds a generated column's expression too.
        default: match &column.generated {
            Some(generated) => Some(generated.expression.text.to_string()),
            None => column.default.as_ref().map(|default| default.text.to_string()),
        },
        identity: column.identity.map(|kind| match kind {
            IdentityKind::Always => "always",
            IdentityKind::ByDefault => "by default",
        }),
        generated: column.generated.as_ref().map(|generated| if generated.stored { "stored" } else { "virtual" }),
    });
    rows.collect()
}

fn constraint(schema: &Schema, row: &Constraint) -> ConstraintJson {
    let index = match &row.kind {
        ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
            schema.get_relation(*index)
        }
        ConstraintRow::Check { .. } | ConstraintRow::NotNull | ConstraintRow::Foreign(_) => None,
    };
    let key = row.as_foreign();
    let exclusion = match row.kind {
        ConstraintRow::Exclude { .. } => index.and_then(Relation::as_index),
        _ => None,
    };
    ConstraintJson {
        name: row.name.to_string(),
        kind: match row.kind {
            ConstraintRow::Check { .. } => "check",
            ConstraintRow::NotNull => "not_null",
            ConstraintRow::Primary { .. } => "primary",
            ConstraintRow::Unique { .. } => "unique",
            ConstraintRow::Exclude { .. } => "exclude",
            ConstraintRow::Foreign(_) => "foreign",
        },
        columns: match exclusion {
            Some(index) => key_columns(schema, index),
            None => names(schema, row.table, &row.columns).into_iter().map(Some).collect(),
        },
        references: key.map(|key| ReferenceRow {
            table: relation_name(schema, key.references),
            columns: names(schema, key.references, &key.referenced_columns),
        }),
        on_delete: key.map(|key| action(key.on_delete)),
        on_update: key.map(|key| action(key.on_update)),
        validated: row.validated,
        enforced: row.enforced,
        deferrable: row.deferrable,
        deferred: row.initially_deferred,
        inherited: row.inherited > 0 || row.parent.is_some(),
        local: row.local,
        no_inherit: row.no_inherit,
        matching: key.map(|key| if key.match_full { "full" } else { "simple" }),
        index: index.map(|index| index.name.name.to_string()),
        definition: definition(schema, row),
    }
}

/// Indexes that belong to no constraint, by name.
fn indexes(schema: &Schema, table: &Table) -> Vec<IndexRow> {
    let mut found: Vec<(&QualifiedName, &Index)> = table
        .indexes
        .iter()
        .filter_map(|id| schema.get_relation(*id))
        .filter_map(|relation| Some((&relation.name, relation.as_index()?)))
        .filter(|(_, index)| index.constraint.is_none())
        .collect();
    found.sort_by_key(|(name, _)| *name);
    let rows = found.into_iter().map(|(name, index)| IndexRow {
        name: name.name.to_string(),
        columns: key_columns(schema, index),
        expressions: index
            .parts
            .iter()
            .filter_map(|part| match &part.key {
                IndexKey::Column(_) => None,
                IndexKey::Expression(expression) => Some(expression.text.to_string()),
            })
            .collect(),
        include: names(schema, index.table, &index.include),
        unique: index.unique,
        nulls_not_distinct: index.nulls_not_distinct,
        valid: index.valid,
        ready: index.ready,
        method: index.method.to_string(),
        filter: index.filter.as_ref().map(|filter| filter.text.to_string()),
        parent: index.parent.map(|parent| relation_name(schema, parent)),
    });
    rows.collect()
}

/// In key order, `null` where an expression stands.
fn key_columns(schema: &Schema, index: &Index) -> Vec<Option<String>> {
    let parts = index.parts.iter().map(|part| match part.key {
        IndexKey::Column(column) => Some(schema.column_name(index.table, column).to_string()),
        IndexKey::Expression(_) => None,
    });
    parts.collect()
}

fn names(schema: &Schema, table: RelationId, columns: &[ColumnId]) -> Vec<String> {
    columns.iter().map(|column| schema.column_name(table, *column).to_string()).collect()
}

fn trigger(schema: &Schema, trigger: &Trigger) -> TriggerRow {
    let function = trigger.function.and_then(|id| schema.functions().find(|function| function.id == id));
    TriggerRow {
        name: trigger.name.to_string(),
        timing: match trigger.timing {
            TriggerTiming::Before => "before",
            TriggerTiming::After => "after",
            TriggerTiming::InsteadOf => "instead of",
        },
        level: if trigger.for_each_row { "row" } else { "statement" },
        events: events(&trigger.events),
        columns: names(schema, trigger.table, &trigger.update_columns),
        when: trigger.when.as_ref().map(|when| when.text.to_string()),
        function: function.map_or_else(|| trigger.function_name.to_string(), |function| function.name.to_string()),
        enabled: match trigger.enabled {
            TriggerState::Origin => "origin",
            TriggerState::Disabled => "disabled",
            TriggerState::Replica => "replica",
            TriggerState::Always => "always",
        },
        inherited: trigger.parent.is_some(),
    }
}

fn functions(schema: &Schema) -> Vec<FunctionRow> {
    let mut rows: Vec<FunctionRow> = schema
        .functions()
        .map(|function| FunctionRow {
            name: function.name.to_string(),
            arguments: arguments(&function.arguments),
            returns: Some(function.returns.to_string()).filter(|returns| !returns.is_empty()),
            language: function.language.to_string(),
            kind: match function.kind {
                RoutineKind::Function => "function",
                RoutineKind::Procedure => "procedure",
                RoutineKind::Aggregate => "aggregate",
            },
        })
        .collect();
    rows.sort_by(|one, other| (&one.name, &one.arguments).cmp(&(&other.name, &other.arguments)));
    rows
}

fn types(schema: &Schema) -> Vec<TypeRow> {
    let mut rows: Vec<TypeRow> = schema
        .types()
        .filter_map(|one| {
            let (kind, labels) = match &one.kind {
                TypeKind::Enum { labels } => ("enum", labels.iter().map(|label| label.text.to_string()).collect()),
                TypeKind::Composite { .. } => ("composite", Vec::new()),
                TypeKind::Domain(_) => ("domain", Vec::new()),
                TypeKind::Range => ("range", Vec::new()),
                // The contract names no further kinds.
                TypeKind::Base | TypeKind::Unknown => return None,
            };
            Some(TypeRow { name: one.name.to_string(), kind, labels })
        })
        .collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}
