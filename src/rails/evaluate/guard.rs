//! Questions to the database that the replayed schema answers.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::Given;
use super::unread::table_name;
use crate::operation::{Ident, Name};
use crate::rails::active_record;
use crate::rails::value::Value;
use crate::schema::{ConstraintRow, IndexKey, Relation, RelationId, RelationKind, Schema, Table};
use crate::source::Span;

/// What Active Record's adapter for PostgreSQL answers with true on every release that is still supported.
const ON_POSTGRESQL: &[&str] = &[
    "supports_advisory_locks?",
    "supports_bulk_alter?",
    "supports_check_constraints?",
    "supports_comments?",
    "supports_common_table_expressions?",
    "supports_datetime_with_precision?",
    "supports_ddl_transactions?",
    "supports_deferrable_constraints?",
    "supports_exclusion_constraints?",
    "supports_explain?",
    "supports_expression_index?",
    "supports_extensions?",
    "supports_foreign_keys?",
    "supports_foreign_tables?",
    "supports_identity_columns?",
    "supports_index_include?",
    "supports_index_sort_order?",
    "supports_insert_on_conflict?",
    "supports_insert_returning?",
    "supports_json?",
    "supports_materialized_views?",
    "supports_native_partitioning?",
    "supports_partial_index?",
    "supports_partitioned_indexes?",
    "supports_pgcrypto_uuid?",
    "supports_savepoints?",
    "supports_transaction_isolation?",
    "supports_unique_constraints?",
    "supports_validate_constraints?",
    "supports_views?",
    "supports_virtual_columns?",
];

impl Evaluator<'_> {
    pub(super) fn question(&mut self, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let _ = at;
        let schema = self.world.schema();
        let asked = Asked { schema, given };
        let answer = match name {
            "table_exists?" | "data_source_exists?" => asked.relation(|kind| !matches!(kind, RelationKind::Index(_))),
            "view_exists?" | "materialized_view_exists?" => {
                asked.relation(|kind| matches!(kind, RelationKind::View(_)))
            }
            "column_exists?" | "columns_exist?" => asked.column(),
            "index_exists?" => asked.index(),
            "index_name_exists?" | "index_exists_by_name?" => asked.named_index(),
            "foreign_key_exists?" => asked.foreign_key(),
            "check_constraint_exists?" | "constraint_exists?" => {
                asked.constraint(|row| matches!(row, ConstraintRow::Check { .. }))
            }
            "unique_constraint_exists?" => asked.constraint(|row| matches!(row, ConstraintRow::Unique { .. })),
            "exclusion_constraint_exists?" => asked.constraint(|row| matches!(row, ConstraintRow::Exclude { .. })),
            "schema_exists?" => asked.schema_named(),
            "extension_enabled?" => asked.extension(),
            "enum_exists?" | "type_exists?" => asked.enumeration(),
            name if ON_POSTGRESQL.contains(&name) => Some(true),
            _ => return self.listed(name, given),
        };
        let shown = given.first().and_then(Value::to_text).unwrap_or_else(|| "…".into());
        let unknown = || Value::unknown(format!("the answer of `{name}` about `{shown}` is not known"));
        Some(Ok(answer.map_or_else(unknown, Value::Bool)))
    }

    /// What the catalog lists: columns, indexes, keys, partitions.
    fn listed(&mut self, name: &str, given: &Given) -> Option<Flow> {
        let text = |value: &str| Value::text(value);
        let answer = match name {
            "adapter_name" => Some(text("PostgreSQL")),
            "postgresql?" | "postgres?" => Some(Value::Bool(true)),
            "mysql?" | "mysql2?" | "sqlite?" | "sqlite3?" => Some(Value::Bool(false)),
            "current_database" => None,
            "quote_table_name" | "quote_column_name" | "quote_schema_name" => {
                let given = given.first().and_then(Value::to_text);
                Some(given.map_or_else(|| Value::unknown("a name that is not known"), |name| text(&quoted(&name))))
            }
            "quoted_true" => Some(text("TRUE")),
            "quoted_false" => Some(text("FALSE")),
            "sanitize_sql" | "sanitize_sql_array" | "sanitize_sql_for_conditions" | "sanitize_sql_for_assignment" => {
                sanitized(given)
            }
            "quote" | "quote_string" => given.first().and_then(|value| quote(value, name == "quote")).map(Value::text),
            "in_transaction?" | "transaction_open?" => Some(Value::Bool(self.world.in_transaction())),
            "current_schema" => Some(text(self.world.schema().search_path.first().map_or("public", Ident::as_str))),
            "tables" | "data_sources" | "views" | "schema_names" | "current_schemas" if given.arguments.is_empty() => {
                None
            }
            "columns" | "column_names" | "primary_key" | "primary_keys" | "foreign_keys" | "indexes" | "partitions"
            | "partitioned?" | "triggers" | "check_constraints" | "column_for" => {
                let list = self.list(name, given);
                let shown = given.first().and_then(Value::to_text).unwrap_or_else(|| "…".into());
                Some(list.unwrap_or_else(|| Value::unknown(format!("the {name} of `{shown}` are not known"))))
            }
            "index_name" => super::names::index_name(given).map(Value::text),
            "foreign_key_column_for" | "primary_key_prefix_type" | "table_name_prefix" | "table_name_suffix" => {
                Some(text(""))
            }
            "sha256" => given.first().and_then(Value::to_text).map(|given| text(&super::names::sha256(&given))),
            _ => return None,
        };
        let unknown = || Value::unknown(format!("the answer of `{name}` is not known"));
        Some(Ok(answer.unwrap_or_else(unknown)))
    }

    /// The same list of a table by its name.
    pub(super) fn question_list(&self, name: &str, table: &str) -> Option<Value> {
        self.list(name, &Given::of(vec![Value::text(table)]))
    }

    fn list(&self, name: &str, given: &Given) -> Option<Value> {
        let schema = self.world.schema();
        let asked = Asked { schema, given };
        let (relation, table) = asked.table()?;
        if !relation.existence.is_certain() {
            return None;
        }
        let array = |items: Vec<Value>| Some(Value::Array(Arc::new(items)));
        match name {
            "partitioned?" => Some(Value::Bool(table.partition_by.is_some())),
            "partitions" => {
                let mut names: Vec<String> = schema
                    .partitions(relation.id)
                    .into_iter()
                    .filter_map(|id| Some(qualified(schema, schema.get_relation(id)?)))
                    .collect();
                names.sort();
                array(names.into_iter().map(Value::text).collect())
            }
            "column_names" if table.columns_known => {
                array(table.columns.iter().map(|column| Value::text(column.name.as_str())).collect())
            }
            "columns" if table.columns_known => array(table.columns.iter().map(column_row).collect()),
            "column_for" => {
                let column = given.arguments.get(1)?.to_text()?;
                table.column(&Ident::new(&*column)).map(column_row)
            }
            "primary_key" => Some(match primary_key(schema, relation).as_slice() {
                [] if table.columns_known => Value::Nil,
                [] => return None,
                [one] => Value::text(one.as_str()),
                many => Value::Array(Arc::new(many.iter().map(|one| Value::text(one.as_str())).collect())),
            }),
            "primary_keys" if table.columns_known => {
                array(primary_key(schema, relation).into_iter().map(Value::text).collect())
            }
            "foreign_keys" if table.columns_known => array(asked.foreign_key_rows(relation)),
            "indexes" if table.columns_known => {
                array(table.indexes.iter().filter_map(|id| asked.index_row(*id)).collect())
            }
            "check_constraints" if table.columns_known => {
                let all = schema.constraints_of(relation.id);
                let checks = all.filter(|one| matches!(one.kind, ConstraintRow::Check { .. }));
                array(checks.map(|one| row(vec![("name", Value::text(one.name.as_str()))])).collect())
            }
            "triggers" if table.columns_known => {
                let all = schema.triggers_of(relation.id).into_iter();
                array(all.map(|one| row(vec![("name", Value::text(one.name.as_str()))])).collect())
            }
            _ => None,
        }
    }
}

/// `['a = ?', 1]` as one text.
fn sanitized(given: &Given) -> Option<Value> {
    match given.first()? {
        Value::Array(items) => match items.split_first()? {
            (Value::Text(sql), binds) => {
                let known = |value: &Value| match value {
                    Value::Array(items) => items.iter().all(|item| quote(item, true).is_some()),
                    Value::Hash(pairs) => pairs.iter().all(|(_, value)| quote(value, true).is_some()),
                    value => quote(value, true).is_some(),
                };
                binds.iter().all(known).then(|| Value::text(super::relation::bound(sql.as_str(), binds, &[])))
            }
            _ => None,
        },
        value @ Value::Text(_) => Some(value.clone()),
        _ => None,
    }
}

fn row(fields: Vec<(&str, Value)>) -> Value {
    Value::Hash(Arc::new(fields.into_iter().map(|(name, value)| (Value::symbol(name), value)).collect()))
}

fn column_row(column: &crate::schema::Column) -> Value {
    let unknown = || Value::unknown("the column's type is not known");
    let written = column.data_type.as_ref().map(|one| one.to_string());
    let kind = written.as_deref().map_or_else(unknown, |one| Value::symbol(active_record::kind_of(one)));
    let is_bigint = written.as_deref().map_or_else(unknown, |one| Value::Bool(one == "bigint"));
    row(vec![
        ("name", Value::text(column.name.as_str())),
        ("sql_type", written.map_or_else(unknown, Value::text)),
        ("type", kind),
        ("bigint?", is_bigint),
        ("null", Value::Bool(!column.not_null)),
        ("default", if column.default.is_some() { Value::unknown("the column's default") } else { Value::Nil }),
        (
            "default_function",
            if column.default.is_some() { Value::unknown("the column's default") } else { Value::Nil },
        ),
    ])
}

fn qualified(schema: &Schema, relation: &Relation) -> String {
    match schema.search_path.first() == Some(&relation.name.schema) {
        true => relation.name.name.as_str().to_owned(),
        false => format!("{}.{}", relation.name.schema.as_str(), relation.name.name.as_str()),
    }
}

fn primary_key(schema: &Schema, relation: &Relation) -> Vec<String> {
    let mut all = schema.constraints_of(relation.id);
    let key = all.find(|one| matches!(one.kind, ConstraintRow::Primary { .. }));
    let names = |key: &crate::schema::Constraint| {
        key.columns.iter().map(|column| schema.column_name(relation.id, *column).as_str().to_owned()).collect()
    };
    key.map(names).unwrap_or_default()
}

pub(super) fn quoted(name: &str) -> String {
    let parts = name.split('.').map(|part| format!("\"{}\"", part.trim_matches('"').replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

/// A value as an SQL literal.
pub(super) fn quote(value: &Value, with_quotes: bool) -> Option<String> {
    Some(match value {
        Value::Nil => "NULL".to_owned(),
        Value::Bool(true) => "TRUE".to_owned(),
        Value::Bool(false) => "FALSE".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Sql(text) => text.as_str().to_owned(),
        Value::Text(_) | Value::Symbol(_) => {
            let text = value.name()?.replace('\'', "''");
            if with_quotes { format!("'{text}'") } else { text }
        }
        Value::Constant(name) => format!("'{}'", name.replace('\'', "''")),
        _ => return None,
    })
}

/// A relation of any kind stands under a written name; `None` where that is not known.
pub(super) fn relation_named(schema: &Schema, name: &str) -> Option<bool> {
    let given = Given::of(vec![Value::text(name)]);
    Asked { schema, given: &given }.relation(|_| true)
}

struct Asked<'a> {
    schema: &'a Schema,
    given: &'a Given,
}

impl<'a> Asked<'a> {
    fn name(&self) -> Option<Name> {
        Some(table_name(self.given.first()?.name()?))
    }

    fn table(&self) -> Option<(&'a Relation, &'a Table)> {
        let relation = self.schema.find(&self.name()?)?;
        Some((relation, relation.as_table()?))
    }

    /// What does not show is absent only where nothing can exist unseen, or where this history took it away.
    fn absent(&self, name: &Name) -> Option<bool> {
        (self.schema.gone(name).is_some() || self.schema.seems_complete()).then_some(false)
    }

    fn relation(&self, is_kind: impl Fn(&RelationKind) -> bool) -> Option<bool> {
        let name = self.name()?;
        match self.schema.find(&name) {
            Some(relation) if matches!(relation.kind, RelationKind::Other) => None,
            Some(relation) if !is_kind(&relation.kind) => Some(false),
            Some(relation) => relation.existence.is_certain().then_some(true),
            None => self.absent(&name),
        }
    }

    /// A part of a table: certain, uncertain, or absent where the table's parts are all known.
    fn part(&self, found: Option<bool>) -> Option<bool> {
        match found {
            Some(true) => Some(true),
            Some(false) => None,
            None => match self.table() {
                Some((relation, table)) => (table.columns_known && relation.existence.is_certain()).then_some(false),
                None => self.absent(&self.name()?),
            },
        }
    }

    fn column(&self) -> Option<bool> {
        let column = self.given.arguments.get(1)?.to_text()?;
        let found = self.table().and_then(|(_, table)| table.column(&Ident::new(&*column)));
        self.part(found.map(|column| column.existence.is_certain()))
    }

    /// The columns that an argument names.
    fn columns(&self, value: &Value) -> Option<Vec<String>> {
        match value {
            Value::Array(items) => items.iter().map(|item| Some(item.to_text()?.to_string())).collect(),
            Value::Text(_) | Value::Symbol(_) => Some(vec![value.name()?.to_owned()]),
            _ => None,
        }
    }

    fn index_columns(&self, id: RelationId) -> Option<(&'a Relation, Vec<Option<String>>)> {
        let relation = self.schema.get_relation(id)?;
        let index = relation.as_index()?;
        let columns = index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(column) => Some(self.schema.column_name(index.table, *column).as_str().to_owned()),
            IndexKey::Expression(_) => None,
        });
        Some((relation, columns.collect()))
    }

    fn index(&self) -> Option<bool> {
        if self.given.keywords.iter().any(|(key, _)| key.name() == Some("**")) {
            return None;
        }
        if let Some(name) = self.given.keyword("name").filter(|name| !name.is_nil()) {
            return self.index_called(&name.to_text()?);
        }
        let wanted = self.columns(self.given.arguments.get(1)?)?;
        let unique = self.given.keyword("unique").and_then(Value::is_truthy);
        let found = self.table().and_then(|(_, table)| {
            let mut all = table.indexes.iter().filter_map(|id| self.index_columns(*id));
            all.find(|(relation, columns)| {
                let is_same = columns.iter().map(Option::as_deref).eq(wanted.iter().map(|one| Some(one.as_str())));
                let index = relation.as_index();
                is_same
                    && index.is_some_and(|index| !index.primary && unique.is_none_or(|unique| index.unique == unique))
            })
        });
        self.part(found.map(|(relation, _)| relation.existence.is_certain()))
    }

    fn named_index(&self) -> Option<bool> {
        self.index_called(&self.given.arguments.get(1)?.to_text()?)
    }

    fn index_called(&self, name: &str) -> Option<bool> {
        let found = self.table().and_then(|(_, table)| {
            let mut all = table.indexes.iter().filter_map(|id| self.schema.get_relation(*id));
            all.find(|index| index.name.name == Ident::new(name))
        });
        self.part(found.map(|index| index.existence.is_certain()))
    }

    fn foreign_key(&self) -> Option<bool> {
        let (to, options) = (self.given.arguments.get(1), self.given);
        let name = options.keyword("name").filter(|value| !value.is_nil()).map(Value::to_text);
        let columns = options.keyword("column").filter(|value| !value.is_nil()).map(|value| self.columns(value));
        let to = match to {
            None | Some(Value::Nil) => options.keyword("to_table"),
            Some(Value::Hash(_)) => None,
            to => to,
        };
        let to = to.map(|value| value.name().map(table_name));
        if matches!(name, Some(None)) || matches!(columns, Some(None)) || matches!(to, Some(None)) {
            return None;
        }
        let found = self.table().and_then(|(relation, _)| {
            let mut all = self.schema.constraints_of(relation.id);
            all.find(|one| {
                let Some(key) = one.as_foreign().filter(|key| !key.referenced_side) else { return false };
                let named = name.as_ref().is_none_or(|name| name.as_deref() == Some(one.name.as_str()));
                let over = columns.as_ref().is_none_or(|columns| {
                    let own = one.columns.iter().map(|column| self.schema.column_name(relation.id, *column));
                    let own: Vec<String> = own.map(|column| column.as_str().to_owned()).collect();
                    columns.as_ref() == Some(&own)
                });
                let refers = to.as_ref().is_none_or(|to| {
                    let known = to.as_ref().and_then(|to| self.schema.find(to));
                    known.is_some_and(|known| known.id == key.references)
                });
                named && over && refers
            })
        });
        self.part(found.map(|key| key.existence.is_certain()))
    }

    fn foreign_key_rows(&self, relation: &Relation) -> Vec<Value> {
        let all = self.schema.constraints_of(relation.id);
        all.filter_map(|one| {
            let key = one.as_foreign().filter(|key| !key.referenced_side)?;
            let to = self.schema.get_relation(key.references)?;
            let columns = one.columns.iter().map(|column| self.schema.column_name(relation.id, *column));
            let columns: Vec<Value> = columns.map(|column| Value::text(column.as_str())).collect();
            let column = match columns.as_slice() {
                [one] => one.clone(),
                _ => Value::Array(Arc::new(columns)),
            };
            Some(row(vec![
                ("name", Value::text(one.name.as_str())),
                ("from_table", Value::text(qualified(self.schema, relation))),
                ("to_table", Value::text(qualified(self.schema, to))),
                ("column", column),
            ]))
        })
        .collect()
    }

    fn index_row(&self, id: RelationId) -> Option<Value> {
        let (relation, columns) = self.index_columns(id)?;
        let index = relation.as_index().filter(|index| !index.primary)?;
        let columns = match columns.into_iter().collect::<Option<Vec<String>>>() {
            Some(columns) => Value::Array(Arc::new(columns.into_iter().map(Value::text).collect())),
            None => Value::unknown("the expressions of an index"),
        };
        Some(row(vec![
            ("name", Value::text(relation.name.name.as_str())),
            ("columns", columns),
            ("unique", Value::Bool(index.unique)),
            ("valid", Value::Bool(index.valid)),
            ("where", if index.filter.is_some() { Value::unknown("the condition of an index") } else { Value::Nil }),
        ]))
    }

    fn constraint(&self, is_kind: impl Fn(&ConstraintRow) -> bool) -> Option<bool> {
        let name =
            self.given.keyword("name").or_else(|| self.given.arguments.get(1).filter(|one| one.name().is_some()));
        let name = name?.to_text()?;
        let found = self.table().and_then(|(relation, _)| {
            self.schema.find_constraint(relation.id, &Ident::new(&*name)).filter(|one| is_kind(&one.kind))
        });
        self.part(found.map(|one| one.existence.is_certain()))
    }

    fn schema_named(&self) -> Option<bool> {
        let name = self.given.first()?.to_text()?;
        let known = self.schema.schemas().any(|one| one.as_str() == &*name);
        if known { Some(true) } else { self.schema.seems_complete().then_some(false) }
    }

    fn extension(&self) -> Option<bool> {
        let name = self.given.first()?.to_text()?;
        let known = self.schema.extensions().any(|one| one.as_str() == &*name);
        if known { Some(true) } else { self.schema.seems_complete().then_some(false) }
    }

    fn enumeration(&self) -> Option<bool> {
        let name = self.name()?;
        match self.schema.find_type(&name) {
            Some(found) => found.existence.is_certain().then_some(true),
            None => self.schema.seems_complete().then_some(false),
        }
    }
}
