//! Foreign keys: `add_foreign_key`, `remove_foreign_key`, `validate_foreign_key`, and those in a table's block.

use super::dialect::Dialect;
use super::given::{Asked, Reason};
use super::lookup::{Catalog, ForeignKey, Is};
use super::send::Work;
use super::{quote, reference};
use crate::rails::call::Options;
use crate::rails::value::Value;

const OPTIONS: &[&str] = &[
    "column",
    "primary_key",
    "name",
    "on_delete",
    "on_update",
    "validate",
    "deferrable",
    "if_not_exists",
    "if_exists",
    "to_table",
    // Of a column, not of a key: Active Record passes over it.
    "null",
];

/// `enforced:` came with 8.1 and needs PostgreSQL 18.
const ENFORCED: &[&str] = &["enforced"];

/// `CONSTRAINT … FOREIGN KEY …`; `to_table` as the migration has it.
pub fn constraint(table: &str, to_table: &str, options: &Options, dialect: &Dialect) -> Asked<String> {
    options.allow_only("a foreign key", &[OPTIONS, ENFORCED])?;
    let (columns, referenced) = columns(to_table, options, dialect)?;
    let name = options.text("name")?.unwrap_or_else(|| quote::foreign_key_name(table, &columns));
    let mut sql = format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        quote::ident(&name),
        quote::idents(columns.iter().map(String::as_str)),
        quote::table(&dialect.table(to_table)),
        quote::idents(referenced.iter().map(String::as_str)),
    );
    for (option, word) in [("on_delete", "DELETE"), ("on_update", "UPDATE")] {
        if let Some(action) = options.text(option)? {
            sql.push_str(&format!(" ON {word} {}", action_sql(&action)?));
        }
    }
    if let Some(when) = deferrable(options)? {
        sql.push_str(&format!(" DEFERRABLE INITIALLY {when}"));
    }
    if options.is_off("enforced") {
        sql.push_str(" NOT ENFORCED");
    }
    Ok(sql)
}

fn action_sql(action: &str) -> Asked<&'static str> {
    match action {
        "cascade" => Ok("CASCADE"),
        "nullify" => Ok("SET NULL"),
        "restrict" => Ok("RESTRICT"),
        other => Err(format!("`{other}` is no action that Active Record has").into()),
    }
}

/// `deferrable: :deferred`; true means immediate, as it did up to 7.0.
pub fn deferrable(options: &Options) -> Asked<Option<&'static str>> {
    match options.given("deferrable") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some("IMMEDIATE")),
        Some(other) => match other.name() {
            Some("immediate") => Ok(Some("IMMEDIATE")),
            Some("deferred") => Ok(Some("DEFERRED")),
            _ => Err("`deferrable:` is neither :immediate nor :deferred".into()),
        },
    }
}

/// The columns of a key, and those it refers to.
fn columns(to_table: &str, options: &Options, dialect: &Dialect) -> Asked<(Vec<String>, Vec<String>)> {
    let referenced = options.list("primary_key")?;
    let composite = matches!(options.get("primary_key"), Some(Value::Array(_)));
    let columns = match (options.list("column")?, &referenced) {
        (Some(columns), _) => columns,
        (None, Some(keys)) if composite => keys.iter().map(|key| quote::key_column(dialect, to_table, key)).collect(),
        (None, _) => vec![quote::key_column(dialect, to_table, "id")],
    };
    Ok((columns, referenced.unwrap_or_else(|| vec!["id".to_owned()])))
}

pub fn add(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let to_table = work.call.name_at(1, "the table referred to")?;
    add_to(work, &table, &to_table, &work.call.options)
}

pub fn add_to(work: &mut Work, table: &str, to_table: &str, options: &Options) -> Asked<()> {
    let sql = constraint(table, to_table, options, work.dialect)?;
    if options.flag("if_not_exists")? {
        let (columns, referenced) = columns(to_table, options, work.dialect)?;
        let all = work.catalog().foreign_keys(table);
        let found = all.iter().find(|key| {
            key.is_to(&work.dialect.table(to_table))
                && key.columns == columns
                && (!options.has("primary_key") || key.referenced == referenced)
        });
        if let Some(found) = found
            && work.catalog().constraint_is(table, found.name.as_str()) == Is::There
        {
            return Ok(());
        }
    }
    // Before 5.2 the option is passed over.
    let is_later = options.is_off("validate") && !work.dialect.is_unversioned;
    let valid = if is_later { " NOT VALID" } else { "" };
    work.send(&format!("ALTER TABLE {} ADD {sql}{valid}", quote::table(table)));
    Ok(())
}

impl ForeignKey<'_> {
    fn is_to(&self, table: &str) -> bool {
        let name = quote::name(table);
        self.to_table.name.name == name.name && name.schema.is_none_or(|schema| schema == self.to_table.name.schema)
    }
}

/// The key that the options mean: in the schema, else by the name that Active Record would give it.
struct Meant {
    name: String,
    found: bool,
}

fn meant(catalog: Catalog, table: &str, to_table: Option<&str>, options: &Options, dialect: &Dialect) -> Asked<Meant> {
    let (name, columns) = (options.text("name")?, options.list("column")?);
    let mut keys = catalog.foreign_keys(table);
    keys.retain(|key| {
        to_table.is_none_or(|to_table| key.is_to(&dialect.table(to_table)))
            && name.as_ref().is_none_or(|name| *key.name == **name)
            && columns.as_ref().is_none_or(|columns| key.columns == *columns)
    });
    // From 8.1 on the key on the column of that name comes first where several refer to one table.
    if let (None, false, Some(to_table)) = (&columns, dialect.until(8, 0), to_table) {
        let usual = quote::key_column(dialect, to_table, "id");
        if keys.iter().any(|key| key.columns == [usual.clone()]) {
            keys.retain(|key| key.columns == [usual.clone()]);
        }
    }
    if let Some(key) = keys.first() {
        return Ok(Meant { name: key.name.as_str().to_owned(), found: true });
    }
    let made = || -> Option<String> {
        let columns = columns.or_else(|| Some(vec![quote::key_column(dialect, to_table?, "id")]))?;
        Some(quote::foreign_key_name(table, &columns))
    };
    let name = name.or_else(made).ok_or_else(|| -> Reason { "which key is meant is not said".into() })?;
    Ok(Meant { name, found: false })
}

fn to_table(work: &Work) -> Asked<Option<String>> {
    match work.call.given_at(1) {
        Some(_) => work.call.name_at(1, "the table referred to").map(Some),
        None => work.call.options.text("to_table"),
    }
}

pub fn remove(work: &mut Work) -> Asked<()> {
    let to_table = to_table(work)?;
    let table = work.table()?;
    remove_from(work, &table, to_table.as_deref(), &work.call.options)
}

pub fn remove_from(work: &mut Work, table: &str, to_table: Option<&str>, options: &Options) -> Asked<()> {
    options.allow_only("remove_foreign_key", &[OPTIONS, ENFORCED])?;
    let meant = meant(work.catalog(), table, to_table, options, work.dialect)?;
    let is = if meant.found { work.catalog().constraint_is(table, &meant.name) } else { work.catalog().missing(table) };
    let guard = match (options.flag("if_exists")?, is) {
        (true, Is::Absent) => return Ok(()),
        (true, Is::Unsure) => "IF EXISTS ",
        _ => "",
    };
    work.send(&format!("ALTER TABLE {} DROP CONSTRAINT {guard}{}", quote::table(table), quote::ident(&meant.name)));
    Ok(())
}

pub fn validate(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS])?;
    let to_table = to_table(work)?;
    let table = work.table()?;
    let meant = meant(work.catalog(), &table, to_table.as_deref(), &work.call.options, work.dialect)?;
    work.send(&format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", quote::table(&table), quote::ident(&meant.name)));
    Ok(())
}

/// `change_foreign_key :a, :b, enforced: false`.
pub fn change(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS, ENFORCED])?;
    let to_table = to_table(work)?;
    let table = work.table()?;
    let meant = meant(work.catalog(), &table, to_table.as_deref(), &work.call.options, work.dialect)?;
    let enforced = if work.call.options.flag("enforced")? { "ENFORCED" } else { "NOT ENFORCED" };
    let name = quote::ident(&meant.name);
    work.send(&format!("ALTER TABLE {} ALTER CONSTRAINT {name} {enforced}", quote::table(&table)));
    Ok(())
}

/// The key of a reference that goes: `remove_reference …, foreign_key: true`.
pub fn remove_of_reference(work: &mut Work, table: &str, name: &str, given: &Value, all: &Options) -> Asked<()> {
    let mut told = super::given::options_of(given, "`foreign_key:`")?.merge(all.only(&["if_exists"]));
    let to_table = match (told.take("to_table"), given) {
        (Some(table), _) => Some(super::given::sql_of(&table, "`to_table:`")?),
        (None, Value::Hash(_)) => None,
        (None, _) => Some(reference::many(name, work.dialect)),
    };
    if told.given("column").is_none() {
        told.set("column", Value::text(format!("{name}_id")));
    }
    remove_from(work, table, to_table.as_deref(), &told)
}
