//! Indexes: `add_index`, `remove_index`, `rename_index`, and `t.index` of a table's block.

use super::given::{Asked, Reason, name_of, options_of};
use super::lookup::{Catalog, Is};
use super::quote::{self, Keys};
use super::send::Work;
use crate::operation::{Name, quoted};
use crate::rails::call::Options;
use crate::rails::value::Value;

const OPTIONS: &[&str] = &[
    "unique",
    "name",
    "where",
    "using",
    "order",
    "opclass",
    "include",
    "algorithm",
    "if_not_exists",
    "nulls_not_distinct",
    "length",
    "type",
    "comment",
    "internal",
];

/// What the gems of schema_plus add: projects that left them behind have migrations and dumps with it.
const OF_SCHEMA_PLUS: &[&str] = &["case_sensitive", "with"];

/// What `remove_index` takes so that it can be reversed.
const OF_REMOVE: &[&str] = &["column", "if_exists", "lock"];

/// What an index is over. A string that is no plain name is an expression.
pub fn keys(value: &Value) -> Asked<Keys> {
    let is_expression = |value: &Value| matches!(value, Value::Text(text) if !is_word(text.as_str()));
    match value {
        Value::Array(items) => {
            let names = items.iter().map(|item| name_of(item, "a column")).collect::<Asked<Vec<_>>>()?;
            let expression = items.iter().any(is_expression);
            Ok(if expression { Keys::Expression(names.join(", ")) } else { Keys::Columns(names) })
        }
        one if is_expression(one) => Ok(Keys::Expression(name_of(one, "the column")?)),
        one => Ok(Keys::Columns(vec![name_of(one, "the column")?])),
    }
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// In which of Active Record's ways a name is made that none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By the call or block that the version changes: long up to 7.0.
    AsVersion,
    /// Inside `add_reference`: no version changes it.
    Short,
}

/// An index that is to be made.
pub struct New {
    pub name: String,
    pub sql: String,
    pub comment: Option<Value>,
}

pub fn create(work: &Work, table: &str, over: &Value, options: &Options, naming: Naming) -> Asked<New> {
    options.allow_only("add_index", &[OPTIONS, OF_SCHEMA_PLUS])?;
    let mut keys = keys(over)?;
    if let (Keys::Columns(columns), Some(more)) = (&mut keys, options.list("with")?) {
        columns.extend(more);
    }
    let name = match options.text("name")? {
        Some(name) => name,
        None if naming == Naming::AsVersion && work.dialect.until(7, 0) => old_name(table, over)?,
        None => quote::index_name(table, &keys),
    };
    let mut sql = String::from("CREATE ");
    if options.flag("unique")? {
        sql.push_str("UNIQUE ");
    }
    sql.push_str("INDEX ");
    sql.push_str(algorithm(options)?);
    if options.flag("if_not_exists")? {
        sql.push_str("IF NOT EXISTS ");
    }
    if let Some(kind) = options.text("type")? {
        sql.push_str(&format!("{kind} "));
    }
    sql.push_str(&format!("{} ON {} ", quote::ident(&name), quote::table(table)));
    if let Some(method) = options.text("using")? {
        sql.push_str(&format!("USING {method} "));
    }
    let case_matters = options.given("case_sensitive").is_none_or(|value| value.is_truthy() != Some(false));
    let parts = if case_matters { parts(&keys, options)? } else { lowered(work.catalog(), table, &keys) };
    sql.push_str(&format!("({parts})"));
    if let Some(include) = options.list("include")? {
        sql.push_str(&format!(" INCLUDE ({})", quote::idents(include.iter().map(String::as_str))));
    }
    if options.flag("nulls_not_distinct")? {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(condition) = options.text("where")? {
        let column = work.catalog().column_is(table, &condition) == Is::There;
        sql.push_str(&format!(" WHERE {}", if column { quote::ident(&condition) } else { condition }));
    }
    Ok(New { name, sql, comment: super::column::comment(options) })
}

/// Up to 7.0 an array's parts are joined as they stand, expressions too.
fn old_name(table: &str, over: &Value) -> Asked<String> {
    let keys = match over {
        Value::Array(items) => Keys::Columns(items.iter().map(|item| name_of(item, "a column")).collect::<Asked<_>>()?),
        one => keys(one)?,
    };
    Ok(quote::long_index_name(table, &keys))
}

fn algorithm(options: &Options) -> Asked<&'static str> {
    match options.text("algorithm")?.as_deref() {
        None | Some("default") => Ok(""),
        Some("concurrently") => Ok("CONCURRENTLY "),
        Some(other) => Err(format!("`{other}` is no algorithm of an index").into()),
    }
}

/// The key parts with operator classes and orders; expressions as they are written.
fn parts(keys: &Keys, options: &Options) -> Asked<String> {
    let columns = match keys {
        Keys::Expression(text) => return Ok(text.clone()),
        Keys::Columns(columns) => columns,
    };
    let (opclass, order) = (PerColumn::new(options, "opclass")?, PerColumn::new(options, "order")?);
    let part = |column: &String| {
        let mut sql = quote::ident(column);
        if let Some(class) = opclass.of(column) {
            sql.push_str(&format!(" {class}"));
        }
        if let Some(order) = order.of(column) {
            sql.push_str(&format!(" {}", order.to_uppercase()));
        }
        sql
    };
    Ok(columns.iter().map(part).collect::<Vec<_>>().join(", "))
}

/// The columns of text in small letters.
fn lowered(catalog: Catalog, table: &str, keys: &Keys) -> String {
    let columns = match keys {
        Keys::Expression(text) => return text.clone(),
        Keys::Columns(columns) => columns,
    };
    let is_text = |column: &str| {
        let is = |name: &str| matches!(name, "character varying" | "character" | "text" | "citext");
        catalog.column_type(table, column).is_none_or(|data_type| is(data_type.name.name.as_str()))
    };
    let part = |column: &String| match is_text(column) {
        true => format!("lower({})", quote::ident(column)),
        false => quote::ident(column),
    };
    columns.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// `order: :desc` for all, `order: { created_at: :desc }` for some.
enum PerColumn {
    All(Option<String>),
    Some(Vec<(String, String)>),
}

impl PerColumn {
    fn new(options: &Options, name: &str) -> Asked<PerColumn> {
        let Some(value @ Value::Hash(_)) = options.get(name) else {
            return Ok(PerColumn::All(options.text(name)?));
        };
        let pairs = options_of(value, name)?.0;
        let pair = |(column, value): &(std::sync::Arc<str>, Value)| Ok((column.to_string(), name_of(value, name)?));
        Ok(PerColumn::Some(pairs.iter().map(pair).collect::<Asked<_>>()?))
    }

    fn of(&self, column: &str) -> Option<&str> {
        match self {
            PerColumn::All(all) => all.as_deref(),
            PerColumn::Some(pairs) => pairs.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str()),
        }
    }
}

pub fn add(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let over = work.call.arguments.get(1).cloned().ok_or("the index is over nothing")?;
    add_to(work, &table, &over, &work.call.options, Naming::AsVersion)
}

pub fn add_to(work: &mut Work, table: &str, over: &Value, options: &Options, naming: Naming) -> Asked<()> {
    let new = create(work, table, over, options, naming)?;
    work.send(&new.sql);
    if let Some(comment) = &new.comment {
        comment_on(work, table, &new.name, comment)?;
    }
    Ok(())
}

pub fn comment_on(work: &mut Work, table: &str, index: &str, comment: &Value) -> Asked<()> {
    let text = name_of(comment, "the comment")?;
    work.send(&format!("COMMENT ON INDEX {} IS {}", beside(table, index), quoted(&text)));
    Ok(())
}

/// The name of an index in its table's schema.
fn beside(table: &str, index: &str) -> String {
    match quote::name(table).schema {
        Some(schema) => format!("{}.{}", schema.to_sql(), quote::ident(index)),
        None => quote::ident(index),
    }
}

pub fn remove(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let over = work.call.given_at(1).cloned();
    remove_from(work, &table, over.as_ref(), &work.call.options)
}

pub fn remove_from(work: &mut Work, table: &str, over: Option<&Value>, options: &Options) -> Asked<()> {
    let named = options.text("name")?;
    // A name finds the index, whatever else is said of it.
    if named.is_none() {
        options.allow_only("remove_index", &[OPTIONS, OF_REMOVE])?;
    }
    let over = over.or_else(|| options.given("column"));
    // An index may be named with its schema.
    let Name { schema, name } = named.as_deref().map_or_else(|| Name::bare(""), quote::name);
    let named = named.map(|_| name.as_str().to_owned());
    let found = find(work.catalog(), table, over, named.as_deref())?;
    let is = match &found {
        Some(name) => work.catalog().index_is(table, name),
        None => work.catalog().missing(table),
    };
    let guard = match (options.flag("if_exists")?, is) {
        (true, Is::Absent) => return Ok(()),
        (true, Is::Unsure) => "IF EXISTS ",
        _ => "",
    };
    let made = || over.map(|over| keys(over).map(|keys| quote::index_name(table, &keys))).transpose();
    let name = match found.or(named) {
        Some(name) => name,
        None => made()?.ok_or_else(|| -> Reason { "which index is meant is not said".into() })?,
    };
    let full = match schema {
        Some(schema) => format!("{}.{}", schema.to_sql(), quote::ident(&name)),
        None => beside(table, &name),
    };
    work.send(&format!("DROP INDEX {}{guard}{full}", algorithm(options)?));
    Ok(())
}

/// The index over these columns, with that name where one is given.
fn find(catalog: Catalog, table: &str, over: Option<&Value>, named: Option<&str>) -> Asked<Option<String>> {
    let over = over.map(keys).transpose()?;
    let made = over.as_ref().map(|over| [quote::long_index_name(table, over), quote::index_name(table, over)]);
    let found = catalog.indexes(table).into_iter().find(|index| {
        let by_name = named.is_none_or(|name| *index.name == *name);
        let by_columns = match (&over, &index.columns) {
            (None, _) => named.is_some(),
            // An expression is found by the name it gives the index.
            (Some(Keys::Expression(_)), _) => {
                named.is_some() || made.iter().flatten().any(|name| *index.name == **name)
            }
            (Some(Keys::Columns(columns)), Some(has)) => has.iter().map(|name| name.as_str()).eq(columns),
            (Some(Keys::Columns(_)), None) => false,
        };
        by_name && by_columns
    });
    Ok(found.map(|index| index.name.as_str().to_owned()))
}

pub fn rename(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[])?;
    let table = work.table()?;
    let (from, to) = (work.call.name_at(1, "the old name")?, work.call.name_at(2, "the new name")?);
    rename_in(work, &table, &from, &to);
    Ok(())
}

pub fn rename_in(work: &mut Work, table: &str, from: &str, to: &str) {
    work.send(&format!("ALTER INDEX {} RENAME TO {}", beside(table, from), quote::ident(to)));
}
