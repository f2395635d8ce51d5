//! How volatile an expression is: a default that is volatile makes ADD COLUMN rewrite the table.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::operation::{Expr, Expression, Name, Volatility};
use crate::schema::{Function, Schema};

/// An expression's volatility, where it can be known. Ordered from harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownVolatility {
    Immutable,
    Stable,
    /// A function was called that neither PostgreSQL nor this history defines.
    Unknown,
    Volatile,
}

impl From<Volatility> for KnownVolatility {
    fn from(volatility: Volatility) -> KnownVolatility {
        match volatility {
            Volatility::Immutable => KnownVolatility::Immutable,
            Volatility::Stable => KnownVolatility::Stable,
            Volatility::Volatile => KnownVolatility::Volatile,
        }
    }
}

/// The most volatile part of an expression decides. PostgreSQL's operators are never volatile (pg_operator of 18).
pub fn volatility(expression: &Expression, schema: &Schema) -> KnownVolatility {
    volatility_of(&expression.tree, schema)
}

pub fn volatility_of(tree: &Expr, schema: &Schema) -> KnownVolatility {
    let mut found = KnownVolatility::Immutable;
    tree.walk(&mut |expr| found = found.max(own(expr, schema)));
    found
}

fn own(expr: &Expr, schema: &Schema) -> KnownVolatility {
    match expr {
        Expr::Call { function, .. } => of_function(function, schema),
        // CURRENT_TIMESTAMP and its like need no parentheses: a default has no columns it could name.
        Expr::Column { qualifier: None, name } => built_in(name.as_str()).unwrap_or(KnownVolatility::Immutable),
        Expr::InQuery { .. } | Expr::Exists(_) | Expr::Subquery(_) => KnownVolatility::Unknown,
        Expr::Other { text, .. } => of_other(text),
        Expr::Column { .. }
        | Expr::Row { .. }
        | Expr::Constant(_)
        | Expr::Parameter(_)
        | Expr::Unary { .. }
        | Expr::Binary { .. }
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::Distinct(..)
        | Expr::In { .. }
        | Expr::Cast { .. }
        | Expr::List(_)
        | Expr::Case { .. } => KnownVolatility::Immutable,
    }
}

/// Text without a node of its own: harmless where nothing in it looks like a call.
fn of_other(text: &str) -> KnownVolatility {
    let word = text.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
    match built_in(&word) {
        Some(known) => known,
        None if text.contains('(') => KnownVolatility::Unknown,
        None => KnownVolatility::Immutable,
    }
}

/// The most volatile overload counts: which one is meant depends on the arguments' types.
pub(super) fn of_function(function: &Name, schema: &Schema) -> KnownVolatility {
    let own = schema.find_functions(function);
    let declared = |function: &&Function| match function.volatility {
        // A function in SQL may be replaced by its body, which then is asked instead.
        Volatility::Volatile if function.language == "sql" => KnownVolatility::Unknown,
        declared => KnownVolatility::from(declared),
    };
    if let Some(most) = own.iter().map(declared).max() {
        return most;
    }
    match &function.schema {
        Some(schema) if *schema != "pg_catalog" => {
            // Extensions are often put into a schema of their own (`extensions.uuid_generate_v4()`).
            of_extension(function.name.as_str()).unwrap_or(KnownVolatility::Unknown)
        }
        _ => built_in(function.name.as_str()).unwrap_or(KnownVolatility::Unknown),
    }
}

fn built_in(name: &str) -> Option<KnownVolatility> {
    functions().get(name).copied().or_else(|| of_keyword(name)).or_else(|| of_extension(name))
}

/// SQL's functions that the grammar knows, not pg_proc (manual, "System Information Functions", "Date/Time Functions").
fn of_keyword(name: &str) -> Option<KnownVolatility> {
    Some(match name {
        "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp" | "current_user"
        | "current_role" | "session_user" | "user" | "current_catalog" | "system_user" => KnownVolatility::Stable,
        "coalesce" | "nullif" | "greatest" | "least" | "row" | "array" | "extract" | "overlay" | "position"
        | "substring" | "trim" | "normalize" | "xmlelement" | "json_array" | "json_object" => {
            KnownVolatility::Immutable
        }
        _ => return None,
    })
}

/// Functions of extensions that stand in defaults (their `--*.sql` scripts' volatility).
fn of_extension(name: &str) -> Option<KnownVolatility> {
    Some(match name {
        // uuid-ossp; pgcrypto (gen_random_uuid is its, too); the rest of both is immutable.
        "uuid_generate_v1" | "uuid_generate_v1mc" | "uuid_generate_v4" | "gen_random_bytes" | "gen_salt" => {
            KnownVolatility::Volatile
        }
        "uuid_generate_v3" | "uuid_generate_v5" | "uuid_nil" | "uuid_ns_dns" | "uuid_ns_url" | "uuid_ns_oid"
        | "uuid_ns_x500" | "digest" | "hmac" | "crypt" | "citext" | "hstore" => KnownVolatility::Immutable,
        "unaccent" => KnownVolatility::Stable,
        _ => return None,
    })
}

fn functions() -> &'static BTreeMap<&'static str, KnownVolatility> {
    static FUNCTIONS: OnceLock<BTreeMap<&'static str, KnownVolatility>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let mut section = KnownVolatility::Unknown;
        let mut functions = BTreeMap::new();
        for line in include_str!("builtin_functions.txt").lines().filter(|line| !line.starts_with('#')) {
            match line {
                "immutable" => section = KnownVolatility::Immutable,
                "stable" => section = KnownVolatility::Stable,
                "volatile" => section = KnownVolatility::Volatile,
                names => functions.extend(names.split(' ').filter(|name| !name.is_empty()).map(|name| (name, section))),
            }
        }
        functions
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Major;

    #[test]
    fn functions_in_defaults_are_known() {
        let schema = Schema::new(Major(18));
        for (name, known) in [
            ("now", KnownVolatility::Stable),
            ("statement_timestamp", KnownVolatility::Stable),
            ("clock_timestamp", KnownVolatility::Volatile),
            ("gen_random_uuid", KnownVolatility::Volatile),
            ("uuidv7", KnownVolatility::Volatile),
            ("random", KnownVolatility::Volatile),
            ("nextval", KnownVolatility::Volatile),
            ("timezone", KnownVolatility::Stable),
            ("md5", KnownVolatility::Immutable),
            ("lower", KnownVolatility::Immutable),
            ("jsonb_build_object", KnownVolatility::Stable),
            ("current_setting", KnownVolatility::Stable),
            ("timeofday", KnownVolatility::Volatile),
            ("snowflake_id", KnownVolatility::Unknown),
        ] {
            assert_eq!(of_function(&Name::bare(name), &schema), known, "{name}");
        }
    }
}
