//! Tables: `create_table` with its block, `create_join_table`, `drop_table`.

use super::column::{self, Column, Place};
use super::constraint;
use super::given::{Asked, Reason, name_of, options_of};
use super::index::{self, Naming};
use super::reference::Reference;
use super::send::Work;
use super::{foreign_key, quote, types};
use crate::operation::quoted;
use crate::rails::call::{Call, Options};
use crate::rails::value::Value;
use crate::source::Span;

const OPTIONS: &[&str] = &[
    "id",
    "primary_key",
    "force",
    "temporary",
    "if_not_exists",
    "options",
    "as",
    "comment",
    "limit",
    "default",
    "precision",
    "bulk",
];

/// Of other databases.
const PASSED_OVER: &[&str] = &["charset", "collation"];

/// What belongs to the primary key alone.
const OF_KEY: &[&str] = &["limit", "default", "precision"];

/// What the block of a table says.
#[derive(Default)]
struct Definition {
    columns: Vec<(Column, Span)>,
    primary_key: Option<(String, Span)>,
    /// Keys, checks, exclusions, unique constraints: each kind stands together.
    foreign_keys: Vec<(String, Span)>,
    checks: Vec<(String, Span)>,
    exclusions: Vec<(String, Span)>,
    uniques: Vec<(String, Span)>,
    indexes: Vec<(Value, Options, Span)>,
    /// Keys of which it is not known what they refer to: the table is made without them, and it is said.
    unknown: Vec<Reason>,
}

pub fn create(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let inner = work.call.inner.as_deref().unwrap_or_default();
    create_as(work, &table, &work.call.options, inner)
}

fn create_as(work: &mut Work, table: &str, options: &Options, inner: &[Call]) -> Asked<()> {
    options.allow_only("create_table", &[OPTIONS, PASSED_OVER])?;
    let forced = options.given("force").map(|force| super::given::flag_of(force, "`force:`")).transpose()?;
    if forced == Some(true) {
        let cascade = if options.name("force") == Some("cascade") { " CASCADE" } else { "" };
        work.send(&format!("DROP TABLE IF EXISTS {}{cascade}", quote::table(table)));
    }
    let mut definition = Definition::default();
    definition.key(work, options)?;
    for call in inner {
        definition.take(work, table, call).map_err(|reason| format!("`t.{}`: {reason}", call.name))?;
    }
    definition.send(work, table, options)
}

impl Definition {
    /// The primary key that the options of the call ask for.
    fn key(&mut self, work: &Work, options: &Options) -> Asked<()> {
        let at = work.call.span;
        let mut told = options.only(OF_KEY);
        let mut id = options.get("id").cloned();
        if work.dialect.until(5, 0) {
            let kind = id.as_ref().and_then(Value::name).unwrap_or_default();
            if kind == "uuid" && !told.has("default") {
                told.set("default", Value::text("uuid_generate_v4()"));
            }
            // A type named: no sequence.
            if matches!(kind, "integer" | "bigint") && !told.has("default") {
                told.set("default", Value::Nil);
            }
            id.get_or_insert_with(|| Value::symbol("integer"));
        } else if work.dialect.uuid_keys {
            id.get_or_insert_with(|| Value::symbol("uuid"));
        }
        let id = id.unwrap_or_else(|| Value::symbol("primary_key"));
        if !super::given::flag_of(&id, "`id:`")? || options.given("as").is_some() {
            return Ok(());
        }
        let mut kind = match &id {
            Value::Hash(_) => {
                let mut own = options_of(&id, "`id:`")?;
                let kind = own.take("type").map(|kind| name_of(&kind, "`type:`")).transpose()?;
                told = told.merge(own);
                kind.unwrap_or_else(|| "primary_key".to_owned())
            }
            Value::Bool(true) => "primary_key".to_owned(),
            other => name_of(other, "`id:`")?,
        };
        if let Some(Value::Array(keys)) = options.get("primary_key") {
            let keys = keys.iter().map(|key| name_of(key, "`primary_key:`")).collect::<Asked<Vec<_>>>()?;
            self.primary_key = Some((quote::idents(keys.iter().map(String::as_str)), at));
            return Ok(());
        }
        if kind == "uuid" && !told.has("default") {
            told.set("default", Value::text("gen_random_uuid()"));
        }
        if kind.is_empty() {
            "primary_key".clone_into(&mut kind);
        }
        told.set("primary_key", Value::Bool(true));
        let name = options.text("primary_key")?.unwrap_or_else(|| "id".to_owned());
        self.columns.push((column::define(&name, &kind, &told, work.dialect, Place::Inside)?, at));
        Ok(())
    }

    fn take(&mut self, work: &Work, table: &str, call: &Call) -> Asked<()> {
        let (at, options) = (call.span, &call.options);
        match &*call.name {
            "column" => self.column(work, &call.name_at(0, "the column")?, &call.name_at(1, "the type")?, options, at),
            "remove_column" => {
                let name = call.name_at(0, "the column")?;
                self.columns.retain(|(column, _)| column.name != name);
                Ok(())
            }
            "primary_key" => self.own_key(work, call),
            "index" => {
                let over = call.arguments.first().cloned().ok_or("the index is over nothing")?;
                self.indexes.push((over, options.clone(), at));
                Ok(())
            }
            "references" | "belongs_to" => self.references(work, table, call),
            "timestamps" => self.timestamps(work, call),
            "foreign_key" => {
                let to_table = call.name_at(0, "the table referred to")?;
                let key = foreign_key::constraint(table, &to_table, options, work.dialect)?;
                self.foreign_keys.push((key, at));
                Ok(())
            }
            "check_constraint" => {
                let expression = constraint::inner_sql(call.arguments.first())?;
                // A table that is made has no rows to look at.
                let check = constraint::check(table, &expression, &options.without(&["if_not_exists"]))?;
                self.checks.push((check, at));
                Ok(())
            }
            "exclusion_constraint" => {
                let expression = constraint::inner_sql(call.arguments.first())?;
                self.exclusions.push((constraint::exclusion(table, &expression, options)?, at));
                Ok(())
            }
            "unique_constraint" | "unique_key" => {
                let columns = call.given_at(0).map(|_| call.names_at(0, "the columns")).transpose()?;
                self.uniques.push((constraint::unique(table, &columns.unwrap_or_default(), options)?, at));
                Ok(())
            }
            method => self.typed(work, method, call),
        }
    }

    /// `t.string :name, :title, null: false`.
    fn typed(&mut self, work: &Work, method: &str, call: &Call) -> Asked<()> {
        let Some(kind) = types::method_type(method) else {
            return Err("this is no method of `t` that is known".into());
        };
        if call.arguments.is_empty() {
            return Err("no column is named".into());
        }
        for at in 0..call.arguments.len() {
            for name in call.names_at(at, "the column")? {
                self.column(work, &name, kind, &call.options, call.span)?;
            }
        }
        Ok(())
    }

    fn column(&mut self, work: &Work, name: &str, kind: &str, options: &Options, at: Span) -> Asked<()> {
        let mut own = options.clone();
        let index = own.take("index");
        let column = column::define(name, kind, &own, work.dialect, Place::Block)?;
        let told = self.columns.iter_mut().find(|(one, _)| one.name == column.name);
        match told.filter(|_| work.dialect.until(5, 2)) {
            // Before 6.0, which refuses it, what is said last takes the place of what was said first.
            Some(place) => *place = (column, at),
            None => self.columns.push((column, at)),
        }
        if let Some(index) = index
            && super::given::flag_of(&index, "`index:`")?
        {
            self.indexes.push((Value::text(name), options_of(&index, "`index:`")?, at));
        }
        Ok(())
    }

    fn own_key(&mut self, work: &Work, call: &Call) -> Asked<()> {
        let name = call.name_at(0, "the column")?;
        let given = call.given_at(1).map(|kind| name_of(kind, "the type")).transpose()?;
        let mut kind = given.unwrap_or_else(|| "primary_key".to_owned());
        let mut options = call.options.clone();
        if kind == "primary_key" && work.dialect.until(5, 0) {
            "integer".clone_into(&mut kind);
        }
        if kind == "uuid" && !options.has("default") {
            options.set("default", Value::text("gen_random_uuid()"));
        }
        options.set("primary_key", Value::Bool(true));
        self.columns.push((column::define(&name, &kind, &options, work.dialect, Place::Block)?, call.span));
        Ok(())
    }

    fn references(&mut self, work: &Work, table: &str, call: &Call) -> Asked<()> {
        let mut options = call.options.clone();
        if work.dialect.uuid_keys && !options.has("null") {
            options.set("null", Value::Bool(!work.dialect.belongs_to_required));
        }
        for at in 0..call.arguments.len() {
            for name in call.names_at(at, "the reference")? {
                let reference = Reference::new(table, &name, &options, work.dialect)?;
                for (name, kind, options) in &reference.columns {
                    self.column(work, name, kind, options, call.span)?;
                }
                if let Some((columns, options)) = reference.index {
                    let over = Value::Array(columns.into_iter().map(Value::text).collect::<Vec<_>>().into());
                    self.indexes.push((over, options, call.span));
                }
                match reference.foreign_key {
                    Ok(None) => {}
                    Ok(Some((to_table, options))) => {
                        let key = foreign_key::constraint(table, &to_table, &options, work.dialect)?;
                        self.foreign_keys.push((key, call.span));
                    }
                    Err(reason) => self.unknown.push(format!("`t.{}`: {reason}", call.name).into()),
                }
            }
        }
        Ok(())
    }

    fn timestamps(&mut self, work: &Work, call: &Call) -> Asked<()> {
        // `t.timestamps :null` of old has no meaning.
        let options = timestamps(&call.options, work);
        for name in ["created_at", "updated_at"] {
            self.column(work, name, "datetime", &options, call.span)?;
        }
        Ok(())
    }

    fn send(self, work: &mut Work, table: &str, options: &Options) -> Asked<()> {
        let at = work.call.span;
        let temporary = if options.flag("temporary")? { "TEMPORARY " } else { "" };
        let if_not_exists = options.flag("if_not_exists")?;
        let guard = if if_not_exists { "IF NOT EXISTS " } else { "" };
        let mut parts = vec![(format!("CREATE {temporary}TABLE {guard}{}", quote::table(table)), at)];
        let columns = self.columns.iter().map(|(column, at)| (column.sql.clone(), *at));
        let key = self.primary_key.iter().map(|(columns, at)| (format!("PRIMARY KEY ({columns})"), *at));
        let constraints = [&self.foreign_keys, &self.checks, &self.exclusions, &self.uniques];
        let all: Vec<_> = columns.chain(key).chain(constraints.into_iter().flatten().cloned()).collect();
        let query = options.text("as")?;
        if all.is_empty() && query.is_none() {
            parts.push((" ()".to_owned(), at));
        }
        for (number, (sql, at)) in all.iter().enumerate() {
            parts.push((if number == 0 { " (" } else { ", " }.to_owned(), *at));
            parts.push((sql.clone(), *at));
        }
        if !all.is_empty() {
            parts.push((")".to_owned(), at));
        }
        if let Some(options) = options.text("options")? {
            parts.push((format!(" {options}"), at));
        }
        if let Some(query) = query {
            parts.push((format!(" AS {query}"), at));
        }
        work.send_parts(&parts);
        self.unknown.iter().for_each(|reason| work.leave_out(reason.clone()));
        self.send_rest(work, table, options, if_not_exists)
    }

    /// What CREATE TABLE has no words for.
    fn send_rest(self, work: &mut Work, table: &str, options: &Options, if_not_exists: bool) -> Asked<()> {
        for (over, mut options, at) in self.indexes {
            if if_not_exists {
                options.set("if_not_exists", Value::Bool(true));
            }
            let new = index::create(work, table, &over, &options, Naming::AsVersion)?;
            work.send_at(&new.sql, at);
            if let Some(comment) = &new.comment {
                index::comment_on(work, table, &new.name, comment)?;
            }
        }
        if let Some(comment) = column::comment(options) {
            let text = name_of(&comment, "the comment")?;
            work.send(&format!("COMMENT ON TABLE {} IS {}", quote::table(table), quoted(&text)));
        }
        for (column, at) in &self.columns {
            if let Some(comment) = &column.comment {
                let text = quoted(&name_of(comment, "the comment")?);
                let name = quote::ident(&column.name);
                work.send_at(&format!("COMMENT ON COLUMN {}.{name} IS {text}", quote::table(table)), *at);
            }
        }
        Ok(())
    }
}

/// NOT NULL since 5.0, to the microsecond since 6.0.
pub fn timestamps(options: &Options, work: &Work) -> Options {
    let mut options = options.clone();
    if options.given("null").is_none() {
        options.set("null", Value::Bool(work.dialect.until(4, 2)));
    }
    if !options.has("precision") {
        let precision = if work.dialect.until(5, 2) { Value::Nil } else { Value::Integer(6) };
        options.set("precision", precision);
    }
    options
}

pub fn create_join(work: &mut Work) -> Asked<()> {
    let (one, other) = (work.call.name_at(0, "the first table")?, work.call.name_at(1, "the second table")?);
    let mut options = work.call.options.clone();
    let table = match options.take("table_name") {
        Some(name) if !name.is_nil() => name_of(&name, "`table_name:`")?,
        _ => quote::join_table_name(&one, &other),
    };
    let mut columns = options_of(&options.take("column_options").unwrap_or(Value::Nil), "`column_options:`")?;
    let defaults = [("null", Value::Bool(false)), ("index", Value::Bool(false))];
    let old = work.dialect.until(5, 0).then(|| ("type", Value::symbol("integer")));
    for (name, value) in defaults.into_iter().chain(old) {
        if !columns.has(name) {
            columns.set(name, value);
        }
    }
    if !options.has("id") {
        let keyed = options.given("primary_key").is_some();
        options.set("id", if keyed { Value::symbol("primary_key") } else { Value::Bool(false) });
    }
    let reference = |table: &str| Call {
        name: "references".into(),
        arguments: vec![Value::text(work.dialect.inflections.singularize(quote::bare(table)))],
        options: columns.clone(),
        span: work.call.span,
        inner: None,
    };
    let mut inner = vec![reference(&one), reference(&other)];
    inner.extend(work.call.inner.iter().flatten().cloned());
    let table = work.dialect.table(&table);
    create_as(work, &table, &options, &inner)
}

const OF_DROP: &[&str] = &["force", "if_exists"];

/// What `drop_table` takes so that it can be reversed says nothing to the server.
pub fn drop(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_DROP, OPTIONS, PASSED_OVER])?;
    let mut tables = Vec::new();
    for at in 0..work.call.arguments.len() {
        tables.extend(work.call.names_at(at, "the table")?);
    }
    // Only the first name gets what the project puts around names.
    if let Some(first) = tables.first_mut() {
        *first = work.dialect.table(first);
    }
    send_drop(work, &tables)
}

fn send_drop(work: &mut Work, tables: &[String]) -> Asked<()> {
    let options = &work.call.options;
    let guard = if options.flag("if_exists")? { "IF EXISTS " } else { "" };
    let cascade = if options.name("force") == Some("cascade") { " CASCADE" } else { "" };
    let names: Vec<_> = tables.iter().map(|table| quote::table(table)).collect();
    work.send(&format!("DROP TABLE {guard}{}{cascade}", names.join(", ")));
    Ok(())
}

pub fn drop_join(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_DROP, OPTIONS, PASSED_OVER, &["table_name", "column_options"]])?;
    let (one, other) = (work.call.name_at(0, "the first table")?, work.call.name_at(1, "the second table")?);
    let named = work.call.options.text("table_name")?;
    let table = named.unwrap_or_else(|| quote::join_table_name(&one, &other));
    let table = work.dialect.table(&table);
    send_drop(work, &[table])
}
