//! CHECK, UNIQUE and EXCLUDE: added, removed, validated, and those of a table's block.

use super::given::Asked;
use super::lookup::Is;
use super::send::Work;
use super::{foreign_key, quote};
use crate::operation::Ident;
use crate::rails::call::Options;
use crate::rails::value::Value;

const CHECK: &[&str] = &["name", "validate", "if_not_exists", "if_exists", "expression"];
const UNIQUE: &[&str] = &["name", "deferrable", "using_index", "nulls_not_distinct", "column"];
const EXCLUSION: &[&str] = &["name", "using", "where", "deferrable"];

/// Active Record sends the name of a CHECK as it stands, without quotes: the server folds it.
fn check_ident(name: &str) -> String {
    let bare = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    bare.map_or_else(|| Ident::new(name.to_lowercase()).to_sql(), quote::ident)
}

pub fn check(table: &str, expression: &str, options: &Options) -> Asked<String> {
    options.allow_only("a check constraint", &[CHECK])?;
    let name = options.text("name")?.unwrap_or_else(|| quote::check_name(table, expression));
    let valid = if options.is_off("validate") { " NOT VALID" } else { "" };
    Ok(format!("CONSTRAINT {} CHECK ({expression}){valid}", check_ident(&name)))
}

pub fn add_check(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let expression = sql_at(work, 1)?;
    let options = &work.call.options;
    if options.flag("if_not_exists")? {
        let name = options.text("name")?.unwrap_or_else(|| quote::check_name(&table, &expression));
        if work.catalog().constraint_is(&table, &name) == Is::There {
            return Ok(());
        }
    }
    add(work, &table, &check(&table, &expression, options)?);
    Ok(())
}

fn add(work: &mut Work, table: &str, constraint: &str) {
    work.send(&format!("ALTER TABLE {} ADD {constraint}", quote::table(table)));
}

fn sql_at(work: &Work, at: usize) -> Asked<String> {
    let given = work.call.given_at(at).ok_or("no expression is given")?;
    super::given::sql_of(given, "the expression")
}

fn drop(work: &mut Work, table: &str, name: &str, if_exists: bool) {
    let guard = match (if_exists, work.catalog().constraint_is(table, name)) {
        (true, Is::Absent) => return,
        (true, Is::Unsure) => "IF EXISTS ",
        _ => "",
    };
    work.send(&format!("ALTER TABLE {} DROP CONSTRAINT {guard}{}", quote::table(table), quote::ident(name)));
}

/// The constraint that `name:` or an expression means.
fn check_meant(work: &Work, table: &str) -> Asked<String> {
    if let Some(name) = work.call.options.text("name")? {
        return Ok(name);
    }
    let expression = match work.call.given_at(1) {
        Some(_) => sql_at(work, 1)?,
        None => work.call.options.text("expression")?.ok_or("neither a name nor an expression is given")?,
    };
    Ok(quote::check_name(table, &expression))
}

pub fn remove_check(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[CHECK])?;
    let table = work.table()?;
    let name = check_meant(work, &table)?;
    drop(work, &table, &name, work.call.options.flag("if_exists")?);
    Ok(())
}

pub fn validate_check(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[CHECK])?;
    let table = work.table()?;
    let name = check_meant(work, &table)?;
    validate_named(work, &table, &name);
    Ok(())
}

/// `validate_constraint :orders, :orders_total_check`.
pub fn validate(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[])?;
    let table = work.table()?;
    let name = work.call.name_at(1, "the constraint")?;
    validate_named(work, &table, &name);
    Ok(())
}

fn validate_named(work: &mut Work, table: &str, name: &str) {
    work.send(&format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", quote::table(table), quote::ident(name)));
}

pub fn unique(table: &str, columns: &[String], options: &Options) -> Asked<String> {
    options.allow_only("a unique constraint", &[UNIQUE])?;
    let index = options.text("using_index")?;
    let named_after = index.as_ref().filter(|_| columns.is_empty()).map(std::slice::from_ref);
    let name = match options.text("name")? {
        Some(name) => name,
        None => quote::unique_name(table, named_after.unwrap_or(columns)),
    };
    let mut sql = format!("CONSTRAINT {} UNIQUE ", quote::ident(&name));
    if options.flag("nulls_not_distinct")? {
        sql.push_str("NULLS NOT DISTINCT ");
    }
    match index {
        Some(index) => sql.push_str(&format!("USING INDEX {}", quote::ident(&index))),
        None => sql.push_str(&format!("({})", quote::idents(columns.iter().map(String::as_str)))),
    }
    if let Some(when) = foreign_key::deferrable(options)? {
        sql.push_str(&format!(" DEFERRABLE INITIALLY {when}"));
    }
    Ok(sql)
}

fn columns_at(work: &Work, at: usize) -> Asked<Vec<String>> {
    match work.call.given_at(at) {
        Some(_) => work.call.names_at(at, "the columns"),
        None => Ok(work.call.options.list("column")?.unwrap_or_default()),
    }
}

pub fn add_unique(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let constraint = unique(&table, &columns_at(work, 1)?, &work.call.options)?;
    add(work, &table, &constraint);
    Ok(())
}

pub fn remove_unique(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[UNIQUE])?;
    let table = work.table()?;
    let columns = columns_at(work, 1)?;
    let name = match work.call.options.text("name")? {
        Some(name) => name,
        None if columns.is_empty() => return Err("neither a name nor columns are given".into()),
        None => {
            let found = work.catalog().unique(&table, &columns).map(|name| name.as_str().to_owned());
            found.unwrap_or_else(|| quote::unique_name(&table, &columns))
        }
    };
    drop(work, &table, &name, false);
    Ok(())
}

pub fn exclusion(table: &str, expression: &str, options: &Options) -> Asked<String> {
    options.allow_only("an exclusion constraint", &[EXCLUSION])?;
    let name = options.text("name")?.unwrap_or_else(|| quote::exclusion_name(table, expression));
    let mut sql = format!("CONSTRAINT {} EXCLUDE ", quote::ident(&name));
    if let Some(method) = options.text("using")? {
        sql.push_str(&format!("USING {method} "));
    }
    sql.push_str(&format!("({expression})"));
    if let Some(condition) = options.text("where")? {
        sql.push_str(&format!(" WHERE ({condition})"));
    }
    if let Some(when) = foreign_key::deferrable(options)? {
        sql.push_str(&format!(" DEFERRABLE INITIALLY {when}"));
    }
    Ok(sql)
}

pub fn add_exclusion(work: &mut Work) -> Asked<()> {
    let table = work.table()?;
    let constraint = exclusion(&table, &sql_at(work, 1)?, &work.call.options)?;
    add(work, &table, &constraint);
    Ok(())
}

pub fn remove_exclusion(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[EXCLUSION])?;
    let table = work.table()?;
    let name = match work.call.options.text("name")? {
        Some(name) => name,
        None => quote::exclusion_name(&table, &sql_at(work, 1)?),
    };
    drop(work, &table, &name, false);
    Ok(())
}

/// The first argument of `t.check_constraint` and its like.
pub fn inner_sql(value: Option<&Value>) -> Asked<String> {
    super::given::sql_of(value.ok_or("no expression is given")?, "the expression")
}
