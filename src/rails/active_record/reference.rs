//! `t.references :author`, `add_reference :posts, :author`: columns, an index and a key in one.

use super::dialect::Dialect;
use super::given::{Asked, flag_of, options_of, sql_of};
use crate::rails::call::Options;
use crate::rails::value::Value;

pub struct Reference {
    /// Name, type, options.
    pub columns: Vec<(String, String, Options)>,
    pub index: Option<(Vec<String>, Options)>,
    /// The table referred to, and what else was said; where that cannot be worked out, the rest is as it is.
    pub foreign_key: Asked<Option<(String, Options)>>,
}

const CONDITIONS: &[&str] = &["if_exists", "if_not_exists"];

impl Reference {
    pub fn new(table: &str, name: &str, options: &Options, dialect: &Dialect) -> Asked<Reference> {
        let polymorphic = on(options.get("polymorphic"), "`polymorphic:`", false)?;
        let conditions = options.only(CONDITIONS);
        let kind = match options.get("type") {
            Some(kind) => sql_of(kind, "`type:`")?,
            None if dialect.until(5, 0) => "integer".to_owned(),
            None if dialect.uuid_keys => "uuid".to_owned(),
            None => "bigint".to_owned(),
        };
        let key = format!("{name}_id");
        let rest = options.without(&["polymorphic", "index", "foreign_key", "type"]);
        let mut columns = vec![(key.clone(), kind, rest.clone())];
        if polymorphic {
            let told = options_of(options.get("polymorphic").unwrap_or(&Value::Nil), "`polymorphic:`")?;
            let told = told.merge(conditions.clone()).merge(rest.only(&["null", "first", "after"]));
            columns.insert(0, (format!("{name}_type"), "string".to_owned(), told));
        }
        Ok(Reference {
            index: index(table, name, polymorphic, options, &columns, dialect)?,
            foreign_key: foreign_key(name, &key, options, dialect),
            columns,
        })
    }
}

/// Neither nil nor false; what is not given is as by default.
fn on(value: Option<&Value>, what: &str, default: bool) -> Asked<bool> {
    value.map_or(Ok(default), |value| flag_of(value, what))
}

fn index(
    table: &str,
    name: &str,
    polymorphic: bool,
    options: &Options,
    columns: &[(String, String, Options)],
    dialect: &Dialect,
) -> Asked<Option<(Vec<String>, Options)>> {
    // Up to 4.2 nil and false say the same as nothing.
    if !on(options.get("index"), "`index:`", !dialect.until(4, 2))? {
        return Ok(None);
    }
    let mut told = options_of(options.get("index").unwrap_or(&Value::Nil), "`index:`")?;
    told = told.merge(options.only(CONDITIONS));
    if polymorphic && !dialect.until(6, 0) && told.given("name").is_none() {
        told.set("name", Value::text(format!("index_{table}_on_{name}")));
    }
    Ok(Some((columns.iter().map(|(column, ..)| column.clone()).collect(), told)))
}

fn foreign_key(name: &str, key: &str, options: &Options, dialect: &Dialect) -> Asked<Option<(String, Options)>> {
    if !on(options.get("foreign_key"), "`foreign_key:`", false)? {
        return Ok(None);
    }
    let mut told = options_of(options.get("foreign_key").unwrap_or(&Value::Nil), "`foreign_key:`")?;
    let to_table = match told.take("to_table") {
        Some(table) => sql_of(&table, "`to_table:`")?,
        None => many(name, dialect),
    };
    told.set("column", Value::text(key));
    Ok(Some((to_table, told.merge(options.only(CONDITIONS)))))
}

/// The table that a reference of that name refers to.
pub fn many(name: &str, dialect: &Dialect) -> String {
    if dialect.pluralize_table_names { dialect.inflections.pluralize(name) } else { name.to_owned() }
}
