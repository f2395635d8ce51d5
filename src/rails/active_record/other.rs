//! Enums, extensions, schemas, and SQL that is sent as it is.

use super::given::{Asked, name_of};
use super::lookup::Is;
use super::quote;
use super::send::Work;
use crate::operation::quoted;
use crate::rails::value::Value;

fn labels(value: Option<&Value>) -> Asked<String> {
    let labels = super::given::names_of(value.ok_or("the enum has no values")?, "the values")?;
    Ok(labels.iter().map(|label| quoted(label)).collect::<Vec<_>>().join(", "))
}

/// Sends nothing where the type is there: Active Record asks the server.
pub fn create_enum(work: &mut Work) -> Asked<()> {
    let name = work.call.name_at(0, "the enum")?;
    let labels = labels(work.call.arguments.get(1))?;
    if work.catalog().type_is(&name) != Is::There {
        work.send(&format!("CREATE TYPE {} AS ENUM ({labels})", quote::table(&name)));
    }
    Ok(())
}

pub fn drop_enum(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["if_exists", "values"]])?;
    let name = work.call.name_at(0, "the enum")?;
    // Up to 7.0 there is none of it; what projects had was IF EXISTS too.
    let guard = if work.call.options.flag("if_exists")? { "IF EXISTS " } else { "" };
    work.send(&format!("DROP TYPE {guard}{}", quote::table(&name)));
    Ok(())
}

pub fn rename_enum(work: &mut Work) -> Asked<()> {
    let name = work.call.name_at(0, "the enum")?;
    let to = match work.call.given_at(1) {
        Some(to) => name_of(to, "the new name")?,
        None => work.call.options.text("to")?.ok_or("no new name is given")?,
    };
    work.send(&format!("ALTER TYPE {} RENAME TO {}", quote::table(&name), quote::ident(quote::bare(&to))));
    Ok(())
}

pub fn add_enum_value(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["before", "after", "if_not_exists"]])?;
    let (name, value) = (work.call.name_at(0, "the enum")?, work.call.name_at(1, "the value")?);
    let options = &work.call.options;
    let guard = if options.flag("if_not_exists")? { "IF NOT EXISTS " } else { "" };
    let mut sql = format!("ALTER TYPE {} ADD VALUE {guard}{}", quote::table(&name), quoted(&value));
    for (option, word) in [("before", "BEFORE"), ("after", "AFTER")] {
        if let Some(other) = options.text(option)? {
            sql.push_str(&format!(" {word} {}", quoted(&other)));
        }
    }
    work.send(&sql);
    Ok(())
}

pub fn rename_enum_value(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["from", "to"]])?;
    let name = work.call.name_at(0, "the enum")?;
    let from = work.call.options.text("from")?.ok_or("`from:` is not given")?;
    let to = work.call.options.text("to")?.ok_or("`to:` is not given")?;
    let (from, to) = (quoted(&from), quoted(&to));
    work.send(&format!("ALTER TYPE {} RENAME VALUE {from} TO {to}", quote::table(&name)));
    Ok(())
}

pub fn enable_extension(work: &mut Work) -> Asked<()> {
    let given = work.call.name_at(0, "the extension")?;
    let name = quote::name(&given);
    let schema = name.schema.map(|schema| format!(" SCHEMA {}", schema.to_sql())).unwrap_or_default();
    work.send(&format!("CREATE EXTENSION IF NOT EXISTS {}{schema}", name.name.to_sql()));
    Ok(())
}

pub fn disable_extension(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["force"]])?;
    let given = work.call.name_at(0, "the extension")?;
    let force = work.dialect.until(7, 0) || work.call.options.name("force") == Some("cascade");
    let cascade = if force { " CASCADE" } else { "" };
    work.send(&format!("DROP EXTENSION IF EXISTS {}{cascade}", quote::name(&given).name.to_sql()));
    Ok(())
}

pub fn create_schema(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["force", "if_not_exists"]])?;
    let name = quote::ident(&work.call.name_at(0, "the schema")?);
    if work.call.options.flag("force")? {
        work.send(&format!("DROP SCHEMA IF EXISTS {name} CASCADE"));
    }
    let guard = if work.call.options.flag("if_not_exists")? { "IF NOT EXISTS " } else { "" };
    work.send(&format!("CREATE SCHEMA {guard}{name}"));
    Ok(())
}

pub fn drop_schema(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["force", "if_exists", "if_not_exists"]])?;
    let name = quote::ident(&work.call.name_at(0, "the schema")?);
    let guard = if work.call.options.flag("if_exists")? { "IF EXISTS " } else { "" };
    work.send(&format!("DROP SCHEMA {guard}{name} CASCADE"));
    Ok(())
}

pub fn rename_schema(work: &mut Work) -> Asked<()> {
    let (from, to) = (work.call.name_at(0, "the schema")?, work.call.name_at(1, "the new name")?);
    work.send(&format!("ALTER SCHEMA {} RENAME TO {}", quote::ident(&from), quote::ident(&to)));
    Ok(())
}

/// The text is read where it stands.
pub fn execute(work: &mut Work) -> Asked<()> {
    match work.call.arguments.first() {
        Some(Value::Text(text) | Value::Sql(text)) => {
            work.send_piece(text.piece(work.call.span));
            Ok(())
        }
        Some(Value::Unknown(why)) => Err(format!("its SQL is not known: {why}").into()),
        _ => Err("it is given no SQL".into()),
    }
}

/// Asks or sets what no schema holds: the next value of a sequence, statistics.
pub fn nothing(_: &mut Work) -> Asked<()> {
    Ok(())
}

pub fn of_sqlite(_: &mut Work) -> Asked<()> {
    Err("only SQLite has virtual tables".into())
}
