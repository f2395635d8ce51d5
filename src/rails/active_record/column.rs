//! One column: `t.string :name, null: false`, `add_column :users, :name, :string`.

use super::default;
use super::dialect::Dialect;
use super::given::Asked;
use super::quote;
use super::types::{self, Writes};
use crate::rails::call::Options;
use crate::rails::value::Value;

pub struct Column {
    pub name: String,
    pub sql: String,
    pub comment: Option<Value>,
}

/// Where a column is told: what old versions meant by it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the block of `create_table` or `change_table`.
    Block,
    /// `add_column` and `change_column`.
    Call,
    /// By what makes its columns itself: `add_timestamps`.
    Inside,
}

/// What columns of every type take; `t.references` and blocks take more.
const OPTIONS: &[&str] = &[
    "limit",
    "precision",
    "scale",
    "default",
    "null",
    "collation",
    "comment",
    "primary_key",
    "if_exists",
    "if_not_exists",
    "array",
    "using",
    "cast_as",
    "as",
    "type",
    "enum_type",
    "stored",
];

/// What PostGIS' gem adds.
const OF_SHAPES: &[&str] = &["srid", "geographic", "has_z", "has_m"];

/// Up to 7.0 Active Record passes over what it does not know (`unique: true`, `after: :name`); 7.1 and later refuse it,
/// but not for migrations that were written before.
pub fn allow(kind: &str, options: &Options, dialect: &Dialect) -> Asked<()> {
    if dialect.until(7, 0) {
        return Ok(());
    }
    let shapes: &[&str] = if kind.starts_with("st_") || kind.starts_with("geo") { OF_SHAPES } else { &[] };
    options.allow_only(kind, &[OPTIONS, shapes])
}

/// The type and options as this version of Active Record takes them.
fn compatible(kind: &str, options: &Options, dialect: &Dialect, place: Place) -> (String, Options) {
    let mut options = options.clone();
    let mut kind = kind.to_owned();
    if dialect.until(5, 0) && kind == "primary_key" && place != Place::Inside {
        "integer".clone_into(&mut kind);
        options.set("primary_key", Value::Bool(true));
    }
    let told = kind == "datetime" || place == Place::Block;
    if dialect.until(6, 1) && place != Place::Inside && told && !options.has("precision") {
        options.set("precision", Value::Nil);
    }
    if dialect.until(6, 1) && place != Place::Inside && kind == "datetime" {
        "timestamp".clone_into(&mut kind);
    }
    (kind, options)
}

/// A column's type and what follows from it.
pub struct Typed {
    pub kind: String,
    pub sql: String,
    pub options: Options,
}

pub fn typed(kind: &str, options: &Options, dialect: &Dialect, place: Place) -> Asked<Typed> {
    allow(kind, options, dialect)?;
    let (mut kind, mut options) = compatible(kind, options, dialect, place);
    if kind == "virtual" {
        kind = options.text("type")?.ok_or("the virtual column is given no `type:`")?;
    }
    let counts = matches!(kind.as_str(), "integer" | "bigint") && !options.has("default");
    if counts && options.flag("primary_key")? {
        let wide = kind == "bigint" || options.number("limit")? == Some(8);
        if wide { "bigserial" } else { "serial" }.clone_into(&mut kind);
    }
    if kind == "datetime" && !options.has("precision") {
        options.set("precision", Value::Integer(6));
    }
    if kind == "primary_key" {
        options.set("primary_key", Value::Bool(true));
    }
    if options.flag("primary_key")? {
        options.set("null", Value::Bool(false));
    }
    let sql = types::to_sql(&kind, &options, dialect)?;
    Ok(Typed { kind, sql, options })
}

pub fn define(name: &str, kind: &str, options: &Options, dialect: &Dialect, place: Place) -> Asked<Column> {
    let Typed { kind, mut sql, options } = typed(kind, options, dialect, place)?;
    if kind != "primary_key" {
        if let Some(collation) = options.text("collation")? {
            sql.push_str(&format!(" COLLATE {}", quote::ident(&collation)));
        }
        if let Some(expression) = options.text("as")? {
            let kept = if options.flag("stored")? { "STORED" } else { "VIRTUAL" };
            sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kept}"));
        }
        if let Some(default) = default_of(&options, &kind)? {
            sql.push_str(&format!(" DEFAULT {default}"));
        }
        if is_not_null(&options)? {
            sql.push_str(" NOT NULL");
        }
        if options.flag("primary_key")? {
            sql.push_str(" PRIMARY KEY");
        }
    }
    Ok(Column { sql: format!("{} {sql}", quote::ident(name)), name: name.to_owned(), comment: comment(&options) })
}

/// A comment that is no blank text.
pub fn comment(options: &Options) -> Option<Value> {
    let given = options.given("comment")?;
    given.name().is_none_or(|text| !text.trim().is_empty()).then(|| given.clone())
}

/// `null: false`; nil says nothing.
fn is_not_null(options: &Options) -> Asked<bool> {
    match options.get("null") {
        Some(Value::Unknown(why)) => Err(format!("`null:` is not known: {why}").into()),
        Some(Value::Bool(false)) => Ok(true),
        _ => Ok(false),
    }
}

/// The default, where one is to be written: nil is, unless the column cannot be NULL.
fn default_of(options: &Options, kind: &str) -> Asked<Option<String>> {
    match options.get("default") {
        None => Ok(None),
        Some(Value::Nil) if is_not_null(options)? => Ok(None),
        Some(value) => Ok(Some(default::to_sql(value, types::writes(kind), options.flag("array")?)?)),
    }
}

/// The default of a column that exists: `change_column_default`.
pub fn default_for(value: &Value, data_type: Option<&crate::operation::TypeName>) -> Asked<String> {
    let writes = data_type.map_or_else(|| guessed(value), types::writes_column);
    default::to_sql(value, writes, data_type.is_some_and(|known| known.array))
}

/// Of a column whose type is not known: the value's own.
fn guessed(value: &Value) -> Writes {
    match value {
        Value::Bool(_) => Writes::Boolean,
        Value::Integer(_) => Writes::Integer,
        Value::Float(_) => Writes::Float,
        Value::Hash(_) => Writes::Json,
        _ => Writes::Text,
    }
}
