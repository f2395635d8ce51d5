//! Data types, named as `format_type()` prints them.

use std::fmt;
use std::sync::Arc;

use super::{Ident, Name};

/// A type as a column has it. Built-in types carry their one canonical name (`integer`, `character varying`,
/// `timestamp without time zone`) and no schema; others their name as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    pub name: Name,
    /// `(10,2)`, `(50)`: as written. For intervals with fields the fields stand in `name`.
    pub modifiers: Vec<Arc<str>>,
    /// PostgreSQL ignores how many dimensions were written.
    pub array: bool,
    /// Canonical and built in: `name` needs no look-up.
    pub built_in: bool,
}

impl TypeName {
    /// A built-in type without modifiers, by its canonical name.
    pub fn built_in(name: &str) -> TypeName {
        TypeName { name: Name::bare(name), modifiers: Vec::new(), array: false, built_in: true }
    }

    /// Reads the name of a built-in type in any of its spellings: `int4`, `varchar`, `timestamptz`.
    /// Spellings of several words are joined by one space, without modifiers.
    pub fn canonical(spelling: &str) -> Option<&'static str> {
        Some(match spelling {
            "int" | "int4" | "integer" => "integer",
            "int2" | "smallint" => "smallint",
            "int8" | "bigint" => "bigint",
            "float4" | "real" => "real",
            "float" | "float8" | "double precision" => "double precision",
            "decimal" | "dec" | "numeric" => "numeric",
            "bool" | "boolean" => "boolean",
            "varchar" | "character varying" | "char varying" | "national character varying" | "nchar varying" => {
                "character varying"
            }
            "bpchar" | "character" | "char" | "nchar" | "national character" => "character",
            "timestamptz" | "timestamp with time zone" => "timestamp with time zone",
            "timestamp" | "timestamp without time zone" => "timestamp without time zone",
            "timetz" | "time with time zone" => "time with time zone",
            "time" | "time without time zone" => "time without time zone",
            "varbit" | "bit varying" => "bit varying",
            "bit" => "bit",
            "interval" => "interval",
            other => return simple(other),
        })
    }
}

/// Built-in types that `format_type()` prints as they are called.
fn simple(name: &str) -> Option<&'static str> {
    const SIMPLE: &[&str] = &[
        "any",
        "anyarray",
        "anyelement",
        "bytea",
        "box",
        "cid",
        "cidr",
        "circle",
        "cstring",
        "date",
        "daterange",
        "datemultirange",
        "event_trigger",
        "inet",
        "int2vector",
        "int4multirange",
        "int4range",
        "int8multirange",
        "int8range",
        "internal",
        "json",
        "jsonb",
        "jsonpath",
        "line",
        "lseg",
        "macaddr",
        "macaddr8",
        "money",
        "name",
        "nummultirange",
        "numrange",
        "oid",
        "oidvector",
        "path",
        "pg_lsn",
        "pg_snapshot",
        "point",
        "polygon",
        "record",
        "refcursor",
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "text",
        "tid",
        "trigger",
        "tsmultirange",
        "tsquery",
        "tsrange",
        "tstzmultirange",
        "tstzrange",
        "tsvector",
        "txid_snapshot",
        "unknown",
        "uuid",
        "void",
        "xid",
        "xid8",
        "xml",
    ];
    SIMPLE.iter().find(|simple| **simple == name).copied()
}

/// Prints as `format_type()` does: modifiers of time types stand before "with(out) time zone".
impl fmt::Display for TypeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let array = if self.array { "[]" } else { "" };
        let modifiers = match self.modifiers.as_slice() {
            [] => String::new(),
            list => format!("({})", list.join(",")),
        };
        if !self.built_in {
            return write!(formatter, "{}{modifiers}{array}", self.name);
        }
        let name = self.name.name.as_str();
        match name.split_once(' ') {
            Some((first @ ("timestamp" | "time"), rest)) => write!(formatter, "{first}{modifiers} {rest}{array}"),
            _ => write!(formatter, "{name}{modifiers}{array}"),
        }
    }
}

impl From<Ident> for Name {
    fn from(name: Ident) -> Name {
        Name { schema: None, name }
    }
}
