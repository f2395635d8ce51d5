//! What helpers of vocabularies ask of the catalog beyond what Active Record answers.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::Given;
use super::unread::table_name;
use crate::operation::{Action, Expr, Ident, Name};
use crate::rails::value::Value;
use crate::schema::{Column, Constraint, ConstraintRow, Index, IndexKey, Relation, RelationId, Schema, Table};

impl Evaluator<'_> {
    pub(super) fn catalog(&mut self, name: &str, given: &Given) -> Option<Flow> {
        let schema = self.world.schema();
        let asked = Asked { schema, given };
        let answer = match name {
            "index_invalid?" => asked.index_invalid().map(Value::Bool),
            "column_nullable?" => asked.column().map(|column| Value::Bool(!column.not_null)),
            "trigger_exists?" => asked.trigger_exists().map(Value::Bool),
            "function_exists?" => asked.function_exists().map(Value::Bool),
            "partition?" => asked.table().map(|(_, table)| Value::Bool(table.partition_of.is_some())),
            "owned_sequences" => asked.owned_sequences(),
            "catalog_columns" => asked.rows(|table| table.columns.iter().map(column_row).collect()),
            "catalog_indexes" => asked.rows(|table| {
                let indexes = table.indexes.iter().filter_map(|id| Some((schema.get_relation(*id)?, *id)));
                indexes.filter_map(|(relation, _)| Some(index_row(schema, relation, relation.as_index()?))).collect()
            }),
            "catalog_foreign_keys" => asked.constraints(|one| foreign_row(schema, one)),
            "catalog_checks" => asked.constraints(|one| check_row(schema, one)),
            "catalog_partitions" => asked.partitions(),
            _ => return None,
        };
        let shown = given.first().and_then(Value::to_text).unwrap_or_else(|| "…".into());
        Some(Ok(
            answer.unwrap_or_else(|| Value::unknown(format!("the answer of `{name}` about `{shown}` is not known")))
        ))
    }
}

struct Asked<'a> {
    schema: &'a Schema,
    given: &'a Given,
}

impl<'a> Asked<'a> {
    fn name(&self) -> Option<Name> {
        Some(table_name(&self.given.first()?.to_text()?))
    }

    fn second(&self) -> Option<Ident> {
        Some(Ident::new(self.given.arguments.get(1)?.to_text()?.trim_matches('"')))
    }

    fn table(&self) -> Option<(&'a Relation, &'a Table)> {
        let relation = self.schema.find(&self.name()?)?;
        Some((relation, relation.as_table().filter(|_| relation.existence.is_certain())?))
    }

    fn column(&self) -> Option<&'a Column> {
        self.table()?.1.column(&self.second()?)
    }

    fn index_invalid(&self) -> Option<bool> {
        let (_, table) = self.table()?;
        let name = self.second()?;
        let mut indexes = table.indexes.iter().filter_map(|id| self.schema.get_relation(*id));
        let found = indexes.find(|index| index.name.name == name)?;
        found.as_index().map(|index| !index.valid)
    }

    fn trigger_exists(&self) -> Option<bool> {
        let (relation, table) = self.table()?;
        let name = self.second()?;
        let found = self.schema.triggers_of(relation.id).iter().any(|trigger| trigger.name == name);
        (found || table.columns_known).then_some(found)
    }

    fn function_exists(&self) -> Option<bool> {
        let found = !self.schema.find_functions(&self.name()?).is_empty();
        (found || self.schema.seems_complete() || !self.schema.has_unread()).then_some(found)
    }

    /// Pairs of a sequence and the column that owns it.
    fn owned_sequences(&self) -> Option<Value> {
        let (_, table) = self.table()?;
        let owned = table.columns.iter().flat_map(|column| column.sequences().map(move |sequence| (sequence, column)));
        let pairs = owned.filter_map(|(sequence, column)| {
            let name = self.schema.get_relation(sequence)?.name.short();
            Some(Value::Array(Arc::new(vec![Value::text(name), Value::text(column.name.as_str())])))
        });
        Some(Value::Array(Arc::new(pairs.collect())))
    }

    fn rows(&self, of: impl Fn(&'a Table) -> Vec<Value>) -> Option<Value> {
        let (_, table) = self.table()?;
        table.columns_known.then(|| Value::Array(Arc::new(of(table))))
    }

    fn constraints(&self, of: impl Fn(&'a Constraint) -> Option<Value>) -> Option<Value> {
        let (relation, table) = self.table()?;
        let rows = self.schema.constraints_of(relation.id).filter_map(of);
        table.columns_known.then(|| Value::Array(Arc::new(rows.collect())))
    }

    /// With their schemas, ordered by name: as GitLab lists them.
    fn partitions(&self) -> Option<Value> {
        let (_, table) = self.table()?;
        let children = table.children.iter().filter_map(|id| self.schema.get_relation(*id));
        let mut names: Vec<(String, String)> = children
            .map(|one| {
                (one.name.name.as_str().to_owned(), format!("{}.{}", one.name.schema.as_str(), one.name.name.as_str()))
            })
            .collect();
        names.sort();
        Some(Value::Array(Arc::new(names.into_iter().map(|(_, full)| Value::text(full)).collect())))
    }
}

fn row(fields: Vec<(&str, Value)>) -> Value {
    Value::Hash(Arc::new(fields.into_iter().map(|(name, value)| (Value::symbol(name), value)).collect()))
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Nil, Value::text)
}

/// `default` is SQL as it stands in the catalog.
fn column_row(column: &Column) -> Value {
    let data_type = column.data_type.as_ref().map(ToString::to_string);
    row(vec![
        ("name", Value::text(column.name.as_str())),
        ("sql_type", data_type.map_or_else(|| Value::unknown("the column's type"), Value::text)),
        ("null", Value::Bool(!column.not_null)),
        ("default", optional(column.default.as_ref().map(|default| &*default.text))),
    ])
}

fn index_row(schema: &Schema, relation: &Relation, index: &Index) -> Value {
    let names: Vec<Option<Ident>> = index
        .parts
        .iter()
        .map(|part| match &part.key {
            IndexKey::Column(column) => Some(schema.column_name(index.table, *column)),
            IndexKey::Expression(_) => None,
        })
        .collect();
    let texts: Vec<String> = index
        .parts
        .iter()
        .zip(&names)
        .map(|(part, name)| {
            let key = match (&part.key, name) {
                (IndexKey::Expression(expression), _) => format!("({})", expression.text),
                (IndexKey::Column(_), Some(name)) => name.to_string(),
                (IndexKey::Column(_), None) => String::new(),
            };
            let class = part.operator_class.as_ref().map(|class| format!(" {class}")).unwrap_or_default();
            let order = if part.descending { " DESC" } else { "" };
            let nulls = match (part.descending, part.nulls_first) {
                (false, true) => " NULLS FIRST",
                (true, false) => " NULLS LAST",
                _ => "",
            };
            format!("{key}{class}{order}{nulls}")
        })
        .collect();
    let columns = names.iter().flatten().map(|name| Value::text(name.as_str())).collect();
    let include = index.include.iter().map(|id| Value::text(schema.column_name(index.table, *id).as_str()));
    let parent = index.parent.and_then(|id| schema.get_relation(id)).map(|parent| parent.name.name.as_str());
    row(vec![
        ("name", Value::text(relation.name.name.as_str())),
        ("columns", Value::Array(Arc::new(columns))),
        ("keys", Value::text(texts.join(", "))),
        ("include", Value::Array(Arc::new(include.collect()))),
        ("unique", Value::Bool(index.unique)),
        ("primary", Value::Bool(index.primary)),
        ("using", Value::text(index.method.as_str())),
        ("condition", optional(index.filter.as_ref().map(|filter| &*filter.text))),
        ("parent", optional(parent)),
    ])
}

fn names(schema: &Schema, table: RelationId, columns: &[crate::schema::ColumnId]) -> Value {
    let names = columns.iter().map(|column| Value::text(schema.column_name(table, *column).as_str()));
    Value::Array(Arc::new(names.collect()))
}

fn foreign_row(schema: &Schema, one: &Constraint) -> Option<Value> {
    let key = one.as_foreign().filter(|key| !key.referenced_side)?;
    let to = schema.get_relation(key.references)?;
    let action = |action: Action| match action {
        Action::NoAction => Value::Nil,
        Action::Restrict => Value::symbol("restrict"),
        Action::Cascade => Value::symbol("cascade"),
        Action::SetNull => Value::symbol("nullify"),
        Action::SetDefault => Value::symbol("set_default"),
    };
    Some(row(vec![
        ("name", Value::text(one.name.as_str())),
        ("to_table", Value::text(to.name.short())),
        ("columns", names(schema, one.table, &one.columns)),
        ("referenced", names(schema, key.references, &key.referenced_columns)),
        ("on_delete", action(key.on_delete)),
        ("on_update", action(key.on_update)),
        ("inherited", Value::Bool(one.parent.is_some())),
    ]))
}

fn check_row(schema: &Schema, one: &Constraint) -> Option<Value> {
    let ConstraintRow::Check { expression } = &one.kind else { return None };
    let tree: &Expr = &expression.tree;
    let mut columns: Vec<&Ident> = tree.columns();
    columns.dedup();
    let _ = schema;
    Some(row(vec![
        ("name", Value::text(one.name.as_str())),
        ("expression", Value::text(&*expression.text)),
        ("columns", Value::Array(Arc::new(columns.into_iter().map(|name| Value::text(name.as_str())).collect()))),
        ("validated", Value::Bool(one.validated)),
    ]))
}
