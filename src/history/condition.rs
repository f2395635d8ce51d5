//! Conditions that guard DDL in DO blocks: questions about the catalog that the replayed schema answers.

use crate::operation::{Constant, Expr, FromSource, Ident, Name, Query};
use crate::read::dynamic::{Variables, compare, evaluate};
use crate::schema::{Relation, RelationKind, Schema};

/// Whether a condition holds; `None` where it depends on data, on settings, or on objects that may exist unseen.
pub fn decide(condition: &Expr, schema: &Schema, variables: &Variables) -> Option<bool> {
    match condition {
        Expr::Constant(Constant::Bool(value)) => Some(*value),
        Expr::Not(inner) => decide(inner, schema, variables).map(|answer| !answer),
        Expr::And(list) => {
            let answers: Vec<_> = list.iter().map(|part| decide(part, schema, variables)).collect();
            if answers.contains(&Some(false)) {
                return Some(false);
            }
            answers.iter().all(|answer| *answer == Some(true)).then_some(true)
        }
        Expr::Or(list) => {
            let answers: Vec<_> = list.iter().map(|part| decide(part, schema, variables)).collect();
            if answers.contains(&Some(true)) {
                return Some(true);
            }
            answers.iter().all(|answer| *answer == Some(false)).then_some(false)
        }
        Expr::Binary { operator, left, right } => compare(operator, left, right, variables),
        Expr::Exists(query) => exists(query, schema, variables),
        // `to_regclass('x') IS NULL`
        Expr::IsNull(inner) => {
            let Expr::Call { function, arguments } = strip(inner) else { return None };
            if function.name != "to_regclass" {
                return None;
            }
            let name = name_of(&evaluate(arguments.first()?, variables)?);
            relation_exists(schema, &name).map(|exists| !exists)
        }
        _ => None,
    }
}

fn strip(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { value, .. } => strip(value),
        other => other,
    }
}

fn name_of(text: &str) -> Name {
    let fold = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(quoted) => Ident::new(quoted.replace("\"\"", "\"")),
        None => Ident::new(part.to_lowercase()),
    };
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(fold(schema)), name: fold(name) },
        None => Name::bare(fold(text)),
    }
}

/// `EXISTS (SELECT … FROM catalog WHERE column = 'text' AND …)` over the catalogs that guards ask.
fn exists(query: &Query, schema: &Schema, variables: &Variables) -> Option<bool> {
    let mut asked = Asked::default();
    for item in &query.from {
        let FromSource::Relation { name, .. } = &item.source else { return None };
        asked.catalogs.push(name.name.as_str().to_owned());
        if let Some(on) = &item.on {
            asked.joins(on)?;
        }
    }
    if let Some(filter) = &query.filter {
        asked.filter(filter, variables)?;
    }
    asked.answer(schema)
}

/// The texts that a catalog query compares names with.
#[derive(Debug, Default)]
struct Asked {
    catalogs: Vec<String>,
    schema: Option<Ident>,
    table: Option<Name>,
    column: Option<Ident>,
    /// Whether that column may be NULL.
    nullable: Option<bool>,
    object: Option<Ident>,
}

impl Asked {
    /// A join between catalogs compares columns only.
    fn joins(&self, on: &Expr) -> Option<()> {
        match on {
            Expr::And(list) => list.iter().try_for_each(|part| self.joins(part)),
            Expr::Binary { operator, left, right } if &**operator == "=" => {
                left.as_column().and(right.as_column()).map(|_| ())
            }
            _ => None,
        }
    }

    fn filter(&mut self, filter: &Expr, variables: &Variables) -> Option<()> {
        match filter {
            Expr::And(list) => list.iter().try_for_each(|part| self.filter(part, variables)),
            Expr::Binary { operator, left, right } if &**operator == "=" => {
                if left.as_column().is_some() && right.as_column().is_some() {
                    return Some(());
                }
                let (column, value) = match left.as_column() {
                    Some((_, column)) => (column, right),
                    None => (right.as_column()?.1, left),
                };
                self.compare(column.as_str(), value, variables)
            }
            _ => None,
        }
    }

    fn compare(&mut self, column: &str, value: &Expr, variables: &Variables) -> Option<()> {
        // current_schema() is the schema of an unqualified name.
        if let Expr::Call { function, .. } = strip(value)
            && function.name == "current_schema"
        {
            return Some(());
        }
        let text = evaluate(value, variables)?;
        match column {
            "schemaname" | "table_schema" | "nspname" | "constraint_schema" | "trigger_schema" => {
                self.schema = Some(Ident::new(&*text));
            }
            "tablename" | "table_name" | "event_object_table" => self.table = Some(Name::bare(Ident::new(&*text))),
            "conrelid" | "attrelid" | "tgrelid" | "indrelid" => self.table = Some(name_of(&text)),
            "column_name" | "attname" => self.column = Some(Ident::new(&*text)),
            "is_nullable" => self.nullable = Some(text.eq_ignore_ascii_case("yes")),
            "typname" | "conname" | "constraint_name" | "relname" | "indexname" | "tgname" | "trigger_name"
            | "proname" | "extname" | "schema_name" | "viewname" | "matviewname" | "sequence_name" | "routine_name"
            | "enumlabel" => self.object = Some(Ident::new(&*text)),
            // What narrows the kind of a name that is looked up anyway.
            "typtype" | "relkind" | "contype" | "constraint_type" | "table_catalog" | "attisdropped" => {}
            _ => return None,
        }
        Some(())
    }

    fn named(&self, name: &Ident) -> Name {
        Name { schema: self.schema.clone(), name: name.clone() }
    }

    fn answer(&self, schema: &Schema) -> Option<bool> {
        let table = self.table.as_ref().map(|table| Name {
            schema: table.schema.clone().or_else(|| self.schema.clone()),
            name: table.name.clone(),
        });
        let about = |catalog: &str| self.catalogs.iter().any(|asked| asked == catalog);
        if about("columns") || about("pg_attribute") {
            let column = self.column.as_ref()?;
            let relation = anywhere(schema, &table.or_else(|| self.object.as_ref().map(|name| self.named(name)))?)?;
            let table = relation.as_table()?;
            return match table.column(column) {
                Some(column) if column.existence.is_certain() => {
                    Some(self.nullable.is_none_or(|nullable| nullable != column.not_null))
                }
                Some(_) => None,
                None => table.columns_known.then_some(false),
            };
        }
        if about("pg_constraint") || about("table_constraints") || about("referential_constraints") {
            let name = self.object.as_ref()?;
            let on = match &table {
                Some(table) => Some(schema.find(table)?),
                None => None,
            };
            let known = match on {
                Some(relation) => schema.find_constraint(relation.id, name),
                None => schema.constraints().find(|constraint| constraint.name == *name),
            };
            if known.is_none() {
                schema.look_among_not_null_rows(name);
            }
            let all_known = on.and_then(Relation::as_table).is_some_and(|table| table.columns_known);
            if known.is_none() && all_known {
                return Some(false);
            }
            return certainly(known.map(|constraint| constraint.existence.is_certain()), schema, known.is_none());
        }
        if about("pg_trigger") || about("triggers") {
            let name = self.object.as_ref()?;
            let found = schema.triggers().find(|trigger| trigger.name == *name);
            return certainly(found.map(|trigger| trigger.existence.is_certain()), schema, found.is_none());
        }
        if about("pg_type") {
            let found = schema.find_type(&self.named(self.object.as_ref()?));
            return certainly(found.map(|one| one.existence.is_certain()), schema, found.is_none());
        }
        if about("pg_tables") || about("tables") {
            return relation_exists(schema, &table?);
        }
        let relations = ["pg_class", "pg_indexes", "pg_views", "pg_matviews", "sequences", "views"];
        if relations.iter().any(|catalog| about(catalog)) {
            return relation_exists(
                schema,
                &self.named(self.object.as_ref().or(table.as_ref().map(|table| &table.name))?),
            );
        }
        None
    }
}

/// A catalog lists all schemas: without one in the question, the only relation of that name answers it.
fn anywhere<'a>(schema: &'a Schema, name: &Name) -> Option<&'a Relation> {
    let only = || {
        let mut named = schema.relations().filter(|relation| relation.name.name == name.name);
        named.next().filter(|_| name.schema.is_none() && named.next().is_none())
    };
    schema.find(name).or_else(only)
}

/// Absent is certain only where nothing can exist unseen, or where this history itself removed it.
fn certainly(found: Option<bool>, schema: &Schema, absent: bool) -> Option<bool> {
    match found {
        Some(true) => Some(true),
        Some(false) => None,
        None => (absent && schema.seems_complete()).then_some(false),
    }
}

fn relation_exists(schema: &Schema, name: &Name) -> Option<bool> {
    match schema.find(name) {
        Some(relation) if matches!(relation.kind, RelationKind::Other) => None,
        Some(relation) => relation.existence.is_certain().then_some(true),
        None if schema.gone(name).is_some() || schema.seems_complete() => Some(false),
        None => None,
    }
}
