//! What changes a table's columns: added, removed, renamed, changed; and the table's own name.

use super::column::{self, Place, Typed};
use super::given::{Asked, name_of};
use super::index::{self, Naming};
use super::lookup::Is;
use super::quote::{self, Keys};
use super::reference::Reference;
use super::send::Work;
use super::{default, foreign_key, table, types};
use crate::operation::{Ident, QualifiedName, cut, quoted};
use crate::rails::call::Options;
use crate::rails::value::Value;
use crate::schema::ConstraintRow;

/// A part of ALTER TABLE, and what has to be sent after it.
pub struct Part {
    pub sql: Vec<String>,
    pub comment: Option<(String, Value)>,
}

pub fn alter(work: &mut Work, table: &str, part: Part) -> Asked<()> {
    work.send(&format!("ALTER TABLE {} {}", quote::table(table), part.sql.join(", ")));
    part.comment.map_or(Ok(()), |(column, comment)| comment_on(work, table, &column, &comment))
}

pub fn add_column(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let (name, kind) = (work.call.name_at(1, "the column")?, work.call.name_at(2, "the type")?);
    add_to(work, &table, &name, &kind, &work.call.options, Place::Call)
}

fn add_to(work: &mut Work, table: &str, name: &str, kind: &str, options: &Options, place: Place) -> Asked<()> {
    let unsure = match (options.flag("if_not_exists")?, work.catalog().column_is(table, name)) {
        (true, Is::There) => return Ok(()),
        (true, Is::Unsure) => true,
        _ => false,
    };
    let mut part = adding(work, name, kind, options, place)?;
    if unsure {
        part.sql[0] = part.sql[0].replacen("ADD ", "ADD COLUMN IF NOT EXISTS ", 1);
    }
    alter(work, table, part)
}

/// `ADD name type`.
pub fn adding(work: &Work, name: &str, kind: &str, options: &Options, place: Place) -> Asked<Part> {
    let column = column::define(name, kind, options, work.dialect, place)?;
    Ok(Part { sql: vec![format!("ADD {}", column.sql)], comment: column.comment.map(|text| (name.to_owned(), text)) })
}

/// `add_columns :posts, :a, :b, type: :string`.
pub fn add_columns(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let mut options = work.call.options.clone();
    let kind = name_of(&options.take("type").ok_or("no `type:` is given")?, "`type:`")?;
    for at in 1..work.call.arguments.len() {
        for name in work.call.names_at(at, "the column")? {
            add_to(work, &table, &name, &kind, &options, Place::Call)?;
        }
    }
    Ok(())
}

pub fn add_timestamps(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let part = adding_timestamps(work, &work.call.options)?;
    alter(work, &table, part)
}

pub fn adding_timestamps(work: &Work, options: &Options) -> Asked<Part> {
    let options = table::timestamps(options, work);
    let mut sql = Vec::new();
    for name in ["created_at", "updated_at"] {
        sql.extend(adding(work, name, "datetime", &options, Place::Inside)?.sql);
    }
    Ok(Part { sql, comment: None })
}

pub fn add_reference(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    for at in 1..work.call.arguments.len() {
        for name in work.call.names_at(at, "the reference")? {
            add_reference_to(work, &table, &name, &work.call.options)?;
        }
    }
    Ok(())
}

fn add_reference_to(work: &mut Work, table: &str, name: &str, options: &Options) -> Asked<()> {
    let reference = Reference::new(table, name, options, work.dialect)?;
    for (name, kind, options) in &reference.columns {
        add_to(work, table, name, kind, options, Place::Inside)?;
    }
    if let Some((columns, options)) = reference.index {
        let over = Value::Array(columns.into_iter().map(Value::text).collect::<Vec<_>>().into());
        index::add_to(work, table, &over, &options.without(&["if_exists"]), Naming::Short)?;
    }
    if let Some((to_table, options)) = reference.foreign_key? {
        foreign_key::add_to(work, table, &to_table, &options)?;
    }
    Ok(())
}

pub fn remove_reference(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    for at in 1..work.call.arguments.len() {
        for name in work.call.names_at(at, "the reference")? {
            remove_reference_from(work, &table, &name)?;
        }
    }
    Ok(())
}

fn remove_reference_from(work: &mut Work, table: &str, name: &str) -> Asked<()> {
    let options = &work.call.options;
    if let Some(key) = options.get("foreign_key")
        && super::given::flag_of(key, "`foreign_key:`")?
    {
        foreign_key::remove_of_reference(work, table, name, key, options)?;
    }
    let guarded = options.flag("if_exists")?;
    remove_from(work, table, &[format!("{name}_id")], guarded)?;
    if options.flag("polymorphic")? {
        remove_from(work, table, &[format!("{name}_type")], guarded)?;
    }
    Ok(())
}

/// Its type and options are there so that it can be reversed.
pub fn remove_column(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let name = work.call.name_at(1, "the column")?;
    remove_from(work, &table, &[name], work.call.options.flag("if_exists")?)
}

pub fn remove_columns(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let columns = columns_from(work, 1)?;
    remove_from(work, &table, &columns, work.call.options.flag("if_exists")?)
}

pub fn columns_from(work: &Work, first: usize) -> Asked<Vec<String>> {
    let mut columns = Vec::new();
    for at in first..work.call.arguments.len() {
        columns.extend(work.call.names_at(at, "the column")?);
    }
    if columns.is_empty() { Err("no column is named".into()) } else { Ok(columns) }
}

pub fn remove_timestamps(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    remove_from(work, &table, &["updated_at".to_owned(), "created_at".to_owned()], false)
}

fn remove_from(work: &mut Work, table: &str, columns: &[String], guarded: bool) -> Asked<()> {
    let drops = columns.iter().filter_map(|column| {
        let guard = match (guarded, work.catalog().column_is(table, column)) {
            (true, Is::Absent) => return None,
            (true, Is::Unsure) => "IF EXISTS ",
            _ => "",
        };
        Some(format!("DROP COLUMN {guard}{}", quote::ident(column)))
    });
    let sql: Vec<String> = drops.collect();
    if sql.is_empty() { Ok(()) } else { alter(work, table, Part { sql, comment: None }) }
}

pub fn rename_column(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[])?;
    let table = work.table()?;
    let (from, to) = (work.call.name_at(1, "the old name")?, work.call.name_at(2, "the new name")?);
    let (old, new) = (quote::ident(&from), quote::ident(&to));
    work.send(&format!("ALTER TABLE {} RENAME COLUMN {old} TO {new}", quote::table(&table)));
    // Indexes that have the name that Active Record gives them get the new one.
    for has in work.catalog().indexes(&table) {
        let Some(columns) = has.columns else { continue };
        if !columns.iter().any(|column| *column == *from) {
            continue;
        }
        let old: Vec<String> = columns.iter().map(|column| column.as_str().to_owned()).collect();
        let new = old.iter().map(|column| if *column == from { to.clone() } else { column.clone() }).collect();
        let old = quote::index_name(&table, &Keys::Columns(old));
        if *has.name == *old {
            index::rename_in(work, &table, &old, &quote::index_name(&table, &Keys::Columns(new)));
        }
    }
    Ok(())
}

/// `ALTER COLUMN … TYPE …`, with the default and NULL that were given.
pub fn changing(work: &Work, name: &str, kind: &str, options: &Options, place: Place) -> Asked<Part> {
    let typed = column::typed(kind, options, work.dialect, place)?;
    let column = quote::ident(name);
    let mut change = format!("ALTER COLUMN {column} TYPE {}", typed.sql);
    if let Some(collation) = typed.options.text("collation")? {
        change.push_str(&format!(" COLLATE {}", quote::ident(&collation)));
    }
    if let Some(using) = typed.options.text("using")? {
        change.push_str(&format!(" USING {using}"));
    } else if let Some(kind) = typed.options.text("cast_as")? {
        let to = types::to_sql(&kind, &typed.options, work.dialect)?;
        change.push_str(&format!(" USING CAST({column} AS {to})"));
    }
    let mut sql = vec![change];
    if let Some(value) = typed.options.get("default") {
        sql.push(default_part(&column, value, &typed)?);
    }
    if let Some(null) = typed.options.get("null") {
        let null = super::given::flag_of(null, "`null:`")?;
        sql.push(format!("ALTER COLUMN {column} {} NOT NULL", if null { "DROP" } else { "SET" }));
    }
    let comment = typed.options.get("comment").map(|comment| (name.to_owned(), comment.clone()));
    Ok(Part { sql, comment })
}

fn default_part(column: &str, value: &Value, typed: &Typed) -> Asked<String> {
    if value.is_nil() {
        return Ok(format!("ALTER COLUMN {column} DROP DEFAULT"));
    }
    let value = default::to_sql(value, types::writes(&typed.kind), typed.options.flag("array")?)?;
    Ok(format!("ALTER COLUMN {column} SET DEFAULT {value}"))
}

pub fn change_column(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let (name, kind) = (work.call.name_at(1, "the column")?, work.call.name_at(2, "the type")?);
    let part = changing(work, &name, &kind, &work.call.options, Place::Call)?;
    if !work.dialect.until(5, 1) {
        return alter(work, &table, part);
    }
    // One statement each, up to 5.1; the rows that are NULL get the default first.
    let Part { sql, comment } = part;
    for (at, one) in sql.into_iter().enumerate() {
        if at > 0
            && one.ends_with(" SET NOT NULL")
            && let Some(default) = work.call.options.given("default")
        {
            let kind = column::typed(&kind, &work.call.options, work.dialect, Place::Call)?.kind;
            let array = work.call.options.flag("array")?;
            fill(work, &table, &name, &default::to_sql(default, types::writes(&kind), array)?);
        }
        alter(work, &table, Part { sql: vec![one], comment: None })?;
    }
    comment.map_or(Ok(()), |(column, comment)| comment_on(work, &table, &column, &comment))
}

/// `from:` and `to:`, or the new value alone.
pub fn changed<'a>(options: &'a Options, given: Option<&'a Value>, what: &str) -> Asked<&'a Value> {
    match (options.get("to"), given) {
        (Some(to), _) if options.has("from") => Ok(to),
        (_, Some(value)) => Ok(value),
        _ => Err(format!("no {what} is given").into()),
    }
}

/// `ALTER COLUMN … SET DEFAULT …` of a column that exists.
pub fn defaulting(work: &Work, table: &str, column: &str, value: &Value) -> Asked<String> {
    let name = quote::ident(column);
    Ok(match value {
        Value::Nil => format!("ALTER COLUMN {name} DROP DEFAULT"),
        value => {
            let default = column::default_for(value, work.catalog().column_type(table, column))?;
            format!("ALTER COLUMN {name} SET DEFAULT {default}")
        }
    })
}

pub fn change_default(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let column = work.call.name_at(1, "the column")?;
    let value = changed(&work.call.options, work.call.arguments.get(2), "default")?;
    let sql = vec![defaulting(work, &table, &column, value)?];
    alter(work, &table, Part { sql, comment: None })
}

/// `change_column_null :users, :name, false, ""`: the rows first, all in one statement.
pub fn change_null(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[])?;
    let table = work.table()?;
    let column = work.call.name_at(1, "the column")?;
    let null = super::given::flag_of(work.call.arguments.get(2).unwrap_or(&Value::Nil), "whether it may be NULL")?;
    if let (false, Some(value)) = (null, work.call.given_at(3)) {
        let value = column::default_for(value, work.catalog().column_type(&table, &column))?;
        fill(work, &table, &column, &value);
    }
    let sql = vec![nulling(&column, null)];
    alter(work, &table, Part { sql, comment: None })
}

pub fn nulling(column: &str, null: bool) -> String {
    format!("ALTER COLUMN {} {} NOT NULL", quote::ident(column), if null { "DROP" } else { "SET" })
}

fn fill(work: &mut Work, table: &str, column: &str, value: &str) {
    let column = quote::ident(column);
    work.send(&format!("UPDATE {} SET {column}={value} WHERE {column} IS NULL", quote::table(table)));
}

pub fn change_column_comment(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["from", "to"]])?;
    let table = work.table()?;
    let column = work.call.name_at(1, "the column")?;
    let comment = changed(&work.call.options, work.call.arguments.get(2), "comment")?.clone();
    comment_on(work, &table, &column, &comment)
}

fn comment_on(work: &mut Work, table: &str, column: &str, comment: &Value) -> Asked<()> {
    let (table, column) = (quote::table(table), quote::ident(column));
    work.send(&format!("COMMENT ON COLUMN {table}.{column} IS {}", comment_sql(comment)?));
    Ok(())
}

fn comment_sql(comment: &Value) -> Asked<String> {
    Ok(if comment.is_nil() { "NULL".to_owned() } else { quoted(&name_of(comment, "the comment")?) })
}

pub fn change_table_comment(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["from", "to"]])?;
    let table = work.table()?;
    let comment = changed(&work.call.options, work.call.arguments.get(1), "comment")?;
    work.send(&format!("COMMENT ON TABLE {} IS {}", quote::table(&table), comment_sql(comment)?));
    Ok(())
}

/// The longest name PostgreSQL takes.
const NAME_BYTES: usize = 63;

pub fn rename_table(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[])?;
    let from = work.table()?;
    let to = work.dialect.table(&work.call.name_at(1, "the new name")?);
    work.send(&format!("ALTER TABLE {} RENAME TO {}", quote::table(&from), quote::ident(quote::bare(&to))));
    if let Some((key, sequence)) = counted_key(work, &from) {
        let index = |table: &str| format!("{}_pkey", cut(table, NAME_BYTES - "_pkey".len()));
        let (old, new) = (index(&from), index(quote::bare(&to)));
        work.send(&format!("ALTER INDEX {} RENAME TO {}", quote::table(&old), quote::ident(&new)));
        let named = |table: &str| {
            let end = format!("_{}_seq", key.as_str());
            format!("{}{end}", cut(table, NAME_BYTES.saturating_sub(end.len())))
        };
        if let Some(sequence) = sequence
            && sequence.name == *named(quote::bare(&from))
        {
            let new = quote::ident(&named(quote::bare(&to)));
            work.send(&format!("ALTER TABLE {}.{} RENAME TO {new}", sequence.schema.to_sql(), sequence.name.to_sql()));
        }
    }
    for has in work.catalog().indexes(&from) {
        let Some(columns) = has.columns else { continue };
        let keys = Keys::Columns(columns.iter().map(|column| column.as_str().to_owned()).collect());
        let made = if work.dialect.until(7, 0) { quote::long_index_name } else { quote::index_name };
        let old = made(&from, &keys);
        if *has.name == *old {
            let schema = quote::name(&from).schema.map(|schema| format!("{}.", schema.to_sql())).unwrap_or_default();
            let new = quote::ident(&made(&to, &keys));
            work.send(&format!("ALTER INDEX {schema}{} RENAME TO {new}", quote::ident(&old)));
        }
    }
    Ok(())
}

/// The primary key's first column, where a sequence or a UUID function fills it, and its sequence. Of others Active
/// Record finds nothing and renames nothing.
fn counted_key(work: &Work, name: &str) -> Option<(Ident, Option<QualifiedName>)> {
    let (relation, table) = work.catalog().table(name)?;
    let mut constraints = work.schema.constraints_of(relation.id);
    let key = constraints.find(|constraint| matches!(constraint.kind, ConstraintRow::Primary { .. }))?;
    let column = table.column_by_id(*key.columns.first()?)?;
    if let Some(sequence) = column.sequence {
        let sequence = work.schema.get_relation(sequence)?;
        return Some((column.name.clone(), Some(sequence.name.clone())));
    }
    let text = column.default.as_ref()?.text.to_lowercase();
    // The last of them came to be known with 7.1.
    let known: &[&str] = &["nextval", "uuid_generate", "gen_random_uuid"];
    let known = if work.dialect.until(7, 0) { &known[..2] } else { known };
    let filled = known.iter().any(|function| text.contains(function));
    filled.then(|| (column.name.clone(), None))
}
