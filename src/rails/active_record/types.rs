//! Types: what a migration calls them, what the server is told, and how values of them are written.

use super::dialect::Dialect;
use super::given::Asked;
use crate::operation::TypeName;
use crate::rails::call::Options;

/// Types that PostgreSQL knows by the name that a migration uses.
const SAME_NAME: &[&str] = &[
    "text",
    "bigint",
    "float",
    "decimal",
    "timestamp",
    "timestamptz",
    "time",
    "date",
    "daterange",
    "numrange",
    "tsrange",
    "tstzrange",
    "int4range",
    "int8range",
    "boolean",
    "xml",
    "tsvector",
    "hstore",
    "inet",
    "cidr",
    "macaddr",
    "uuid",
    "json",
    "jsonb",
    "ltree",
    "citext",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "bit",
    "money",
    "interval",
    "oid",
    "integer",
];

/// `t.serial` and the like: methods, though their names are sent as they are.
const MORE_METHODS: &[&str] = &["serial", "bigserial"];

/// Types of extensions that gems make methods of: PostGIS, pgvector.
const OF_GEMS: &[&str] = &[
    "geometry",
    "geography",
    "geometry_collection",
    "line_string",
    "multi_line_string",
    "multi_point",
    "multi_polygon",
    "st_point",
    "st_polygon",
    "vector",
    "halfvec",
    "sparsevec",
];

/// The type that a method of `t` makes: `t.string`, `t.blob`.
pub fn method_type(method: &str) -> Option<&str> {
    Some(match method {
        "blob" | "binary" => "binary",
        "numeric" | "decimal" => "decimal",
        "string" | "datetime" | "bit_varying" | "enum" | "virtual" => method,
        other if SAME_NAME.contains(&other) || MORE_METHODS.contains(&other) || OF_GEMS.contains(&other) => other,
        _ => return None,
    })
}

/// The type as the server is told, `t.string :name, limit: 10` → `character varying(10)`.
pub fn to_sql(kind: &str, options: &Options, dialect: &Dialect) -> Asked<String> {
    let plain = match kind {
        "integer" => integer(options)?,
        "text" => "text".to_owned(),
        "binary" => "bytea".to_owned(),
        "enum" => match options.text("enum_type")? {
            Some(name) => super::quote::table(&name),
            None => return Err("the enum is given no `enum_type:`".into()),
        },
        "primary_key" => return Ok("bigserial primary key".to_owned()),
        "decimal" => decimal(options)?,
        "datetime" => {
            let name = if dialect.datetime_with_zone { "timestamptz" } else { "timestamp" };
            with_precision(name, options)?
        }
        "timestamp" | "time" | "interval" => with_precision(kind, options)?,
        "string" => with_limit("character varying", options)?,
        "bit_varying" => with_limit("bit varying", options)?,
        known if OF_GEMS.contains(&known) => of_gem(known, options)?,
        native if SAME_NAME.contains(&native) => with_limit(native, options)?,
        own => own.to_owned(),
    };
    Ok(if options.flag("array")? { format!("{plain}[]") } else { plain })
}

fn integer(options: &Options) -> Asked<String> {
    Ok(match options.number("limit")? {
        Some(1 | 2) => "smallint",
        None | Some(3 | 4) => "integer",
        Some(5..=8) => "bigint",
        Some(other) => return Err(format!("no integer has {other} bytes").into()),
    }
    .to_owned())
}

fn decimal(options: &Options) -> Asked<String> {
    Ok(match (options.number("precision")?, options.number("scale")?) {
        (Some(precision), Some(scale)) => format!("decimal({precision},{scale})"),
        (Some(precision), None) => format!("decimal({precision})"),
        (None, Some(_)) => return Err("a decimal has a scale and no precision".into()),
        (None, None) => "decimal".to_owned(),
    })
}

fn with_precision(name: &str, options: &Options) -> Asked<String> {
    Ok(match options.number("precision")? {
        Some(precision) => format!("{name}({precision})"),
        None => name.to_owned(),
    })
}

fn with_limit(name: &str, options: &Options) -> Asked<String> {
    Ok(match options.number("limit")? {
        Some(limit) => format!("{name}({limit})"),
        None => name.to_owned(),
    })
}

/// Of PostGIS' options those that choose the type; vectors have a length.
fn of_gem(kind: &str, options: &Options) -> Asked<String> {
    if matches!(kind, "vector" | "halfvec" | "sparsevec") {
        return with_limit(kind, options);
    }
    let mut inner = super::given::options_of(options.get("limit").unwrap_or(&crate::rails::Value::Nil), "`limit:`")?;
    inner = inner.merge(options.only(&["srid", "geographic", "type", "has_z", "has_m"]));
    let geographic = kind == "geography" || inner.flag("geographic")?;
    let base = if geographic { "geography" } else { "geometry" };
    let shape = match inner.text("type")?.as_deref().unwrap_or(kind) {
        "geometry" | "geography" => "Geometry".to_owned(),
        other => camel(other.trim_start_matches("st_")),
    };
    let dimensions =
        format!("{}{}", if inner.flag("has_z")? { "Z" } else { "" }, if inner.flag("has_m")? { "M" } else { "" });
    let srid = inner.number("srid")?.unwrap_or(if geographic { 4326 } else { 0 });
    if shape == "Geometry" && dimensions.is_empty() && srid == 0 {
        return Ok(base.to_owned());
    }
    Ok(format!("{base}({shape}{dimensions},{srid})"))
}

/// `line_string` as PostGIS prints it: `LineString`.
fn camel(shape: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    shape.split('_').map(word).collect()
}

/// How a value of a type is written as a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Integer,
    Float,
    Decimal,
    Money,
    Boolean,
    Text,
    Uuid,
    Json,
    Hstore,
    Bytes,
    Bits,
    Date,
    Timestamp,
    Xml,
}

/// By the name that a migration or the server has for the type.
pub fn writes(kind: &str) -> Writes {
    let plain = kind.split('(').next().unwrap_or(kind).trim();
    match plain {
        "integer" | "bigint" | "smallint" | "int" | "int2" | "int4" | "int8" | "serial" | "bigserial" | "oid" => {
            Writes::Integer
        }
        "float" | "real" | "double precision" | "float4" | "float8" => Writes::Float,
        "decimal" | "numeric" => Writes::Decimal,
        "money" => Writes::Money,
        "boolean" | "bool" => Writes::Boolean,
        "uuid" => Writes::Uuid,
        "json" | "jsonb" => Writes::Json,
        "hstore" => Writes::Hstore,
        "binary" | "bytea" => Writes::Bytes,
        "bit" | "bit_varying" | "bit varying" => Writes::Bits,
        "date" => Writes::Date,
        "datetime" | "timestamptz" => Writes::Timestamp,
        other if other.starts_with("timestamp") => Writes::Timestamp,
        "xml" => Writes::Xml,
        _ => Writes::Text,
    }
}

/// What Active Record calls the type of a column that exists: `:integer`, `:datetime`.
pub fn kind_of(data_type: &str) -> &str {
    let plain = data_type.split('(').next().unwrap_or(data_type).trim();
    match plain {
        "smallint" | "integer" | "bigint" => "integer",
        "character varying" | "character" => "string",
        "real" | "double precision" => "float",
        "numeric" => "decimal",
        "bytea" => "binary",
        "timestamp" | "timestamp without time zone" => "datetime",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        other => other,
    }
}

/// The type of a column that exists, as far as writing values goes: numbers without a scale are whole.
pub fn writes_column(data_type: &TypeName) -> Writes {
    let whole = data_type.modifiers.get(1).is_none_or(|scale| &**scale == "0");
    match writes(data_type.name.name.as_str()) {
        Writes::Decimal if whole && !data_type.modifiers.is_empty() => Writes::Integer,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rails::Value;
    use crate::rails::active_record::Release;

    #[test]
    fn types_are_told_as_active_record_tells_them() {
        let dialect = Dialect::new(Release(7, 1));
        let sql = |kind: &str, options: &[(&str, i64)]| {
            let options = options.iter().map(|(name, value)| ((*name).into(), Value::Integer(*value)));
            to_sql(kind, &Options(options.collect()), &dialect).unwrap()
        };
        assert_eq!(sql("string", &[("limit", 10)]), "character varying(10)");
        assert_eq!(sql("integer", &[("limit", 8)]), "bigint");
        assert_eq!(sql("integer", &[("limit", 2)]), "smallint");
        assert_eq!(sql("decimal", &[("precision", 10), ("scale", 2)]), "decimal(10,2)");
        assert_eq!(sql("datetime", &[("precision", 6)]), "timestamp(6)");
        assert_eq!(sql("text", &[("limit", 1000)]), "text");
        assert_eq!(sql("binary", &[]), "bytea");
        assert_eq!(sql("geometry", &[("srid", 3857)]), "geometry(Geometry,3857)");
        assert_eq!(sql("st_point", &[]), "geometry(Point,0)");
        assert_eq!(sql("varchar(20)", &[]), "varchar(20)");
    }
}
