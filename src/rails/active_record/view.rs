//! Views as scenic makes them, functions and triggers as fx does: from files beside the migrations.

use super::given::{Asked, options_of};
use super::quote;
use super::send::Work;
use crate::rails::value::Value;
use crate::schema::statement::{IndexForm, create_index};

/// The SQL of one version: given in the call, or in its file.
fn definition(work: &Work, folder: &str, name: &str, first: Option<i64>) -> Asked<String> {
    if let Some(sql) = work.call.options.text("sql_definition")? {
        return Ok(sql);
    }
    let version = work.call.options.number("version")?.or(first).ok_or("no `version:` is given")?;
    let path = format!("db/{folder}/{}_v{version:02}.sql", name.replace('.', "_"));
    let found = work.dialect.files.as_ref().and_then(|files| files(&path));
    let text = found.ok_or_else(|| format!("{path} is not there to be read"))?;
    Ok(text.text().trim_end().trim_end_matches(';').to_owned())
}

const OPTIONS: &[&str] =
    &["version", "sql_definition", "materialized", "revert_to_version", "no_data", "side_by_side", "cascade"];

/// `materialized: true`, or with what follows from a hash.
struct Materialized {
    on: bool,
    no_data: bool,
}

fn materialized(work: &Work) -> Asked<Materialized> {
    let options = &work.call.options;
    let on = options.flag("materialized")?;
    let told = options_of(options.get("materialized").unwrap_or(&Value::Nil), "`materialized:`")?;
    Ok(Materialized { on, no_data: told.flag("no_data")? })
}

impl Materialized {
    fn word(&self) -> &'static str {
        if self.on { "MATERIALIZED VIEW" } else { "VIEW" }
    }

    fn create(&self, name: &str, sql: &str) -> String {
        let data = if self.on && self.no_data { " WITH NO DATA" } else { "" };
        format!("CREATE {} {} AS {sql}{data}", self.word(), quote::table(name))
    }
}

pub fn create(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS])?;
    let name = work.call.name_at(0, "the view")?;
    let sql = definition(work, "views", &name, Some(1))?;
    let kind = materialized(work)?;
    work.send(&kind.create(&name, &sql));
    Ok(())
}

pub fn drop(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS])?;
    let name = work.call.name_at(0, "the view")?;
    let kind = materialized(work)?;
    work.send(&format!("DROP {} {}", kind.word(), quote::table(&name)));
    Ok(())
}

/// Dropped and made anew; the indexes of a materialized one are made again.
pub fn update(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS])?;
    let name = work.call.name_at(0, "the view")?;
    let sql = definition(work, "views", &name, None)?;
    let kind = materialized(work)?;
    let indexes = if kind.on { indexes(work, &name) } else { Vec::new() };
    work.send(&format!("DROP {} {}", kind.word(), quote::table(&name)));
    work.send(&kind.create(&name, &sql));
    indexes.iter().for_each(|index| work.send(index));
    Ok(())
}

fn indexes(work: &Work, name: &str) -> Vec<String> {
    let Some(view) = work.schema.find(&quote::name(name)).and_then(|relation| relation.as_view()) else {
        return Vec::new();
    };
    let create = |id| {
        let relation = work.schema.get_relation(id)?;
        create_index(work.schema, relation, relation.as_index()?, IndexForm::Plain)
    };
    view.indexes.iter().filter_map(|id| create(*id)).collect()
}

pub fn replace(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OPTIONS])?;
    let name = work.call.name_at(0, "the view")?;
    let sql = definition(work, "views", &name, None)?;
    work.send(&format!("CREATE OR REPLACE VIEW {} AS {sql}", quote::table(&name)));
    Ok(())
}

const OF_FX: &[&str] = &["version", "sql_definition", "revert_to_version", "on"];

pub fn create_function(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_FX])?;
    let name = work.call.name_at(0, "the function")?;
    let sql = definition(work, "functions", &name, Some(1))?;
    work.send(&sql);
    Ok(())
}

pub fn drop_function(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_FX])?;
    let name = work.call.name_at(0, "the function")?;
    work.send(&format!("DROP FUNCTION {}", quote::table(&name)));
    Ok(())
}

pub fn update_function(work: &mut Work) -> Asked<()> {
    let name = work.call.name_at(0, "the function")?;
    let sql = definition(work, "functions", &name, None)?;
    drop_function(work)?;
    work.send(&sql);
    Ok(())
}

pub fn create_trigger(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_FX])?;
    let name = work.call.name_at(0, "the trigger")?;
    let sql = definition(work, "triggers", &name, Some(1))?;
    work.send(&sql);
    Ok(())
}

pub fn drop_trigger(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[OF_FX])?;
    let name = work.call.name_at(0, "the trigger")?;
    let table = work.call.options.text("on")?.ok_or("no `on:` is given")?;
    work.send(&format!("DROP TRIGGER {} ON {}", quote::ident(&name), quote::table(&table)));
    Ok(())
}

pub fn update_trigger(work: &mut Work) -> Asked<()> {
    let name = work.call.name_at(0, "the trigger")?;
    let sql = definition(work, "triggers", &name, None)?;
    drop_trigger(work)?;
    work.send(&sql);
    Ok(())
}
