//! Keys of an index for whose type the method has no default operator class (42704).

use super::{Change, Outcome, refused};
use crate::operation::{Expr, TypeName};
use crate::schema::{Index, IndexKey, Table};

/// Extensions that bring no default class for a built-in type.
const WITHOUT_CLASSES: &[&str] = &[
    "citext",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "plpgsql",
    "postgis",
    "tablefunc",
    "unaccent",
    "uuid-ossp",
    "vector",
];

impl Change<'_> {
    pub(super) fn operator_classes_exist(&self, index: &Index) -> Outcome {
        let method = index.method.as_str();
        // An extension may give a class.
        let is_open = match method {
            "btree" => !self.schema.extensions.is_empty(),
            "gin" | "gist" => !self.no_extension_has_classes(),
            _ => true,
        };
        if is_open {
            return Ok(());
        }
        let table = self.schema.table(index.table);
        for part in index.parts.iter().filter(|part| part.operator_class.is_none()) {
            let data_type = match &part.key {
                IndexKey::Column(column) => table.column_by_id(*column).and_then(|column| column.data_type.clone()),
                IndexKey::Expression(expression) => type_of(table, &expression.tree),
            };
            let Some(data_type) = data_type else { continue };
            let name = data_type.name.name.as_str();
            let lacks = match method {
                "btree" => is_unordered(name),
                _ => is_scalar(name) && !data_type.array,
            };
            if data_type.built_in && lacks {
                let message =
                    format!("data type {data_type} has no default operator class for access method \"{method}\"");
                return Err(refused("42704", name.to_owned(), message));
            }
        }
        Ok(())
    }

    /// All that there are can be seen, and none of them is `btree_gin` or one that is not known here.
    fn no_extension_has_classes(&self) -> bool {
        let extensions = &self.schema.extensions;
        let listed = self.schema.complete || !extensions.is_empty();
        listed && extensions.keys().all(|name| WITHOUT_CLASSES.contains(&name.as_str()))
    }
}

fn is_unordered(name: &str) -> bool {
    matches!(name, "json" | "xml" | "point" | "line" | "lseg" | "box" | "path" | "polygon" | "circle" | "jsonpath")
}

/// Types that GIN and GiST know only by `btree_gin` and `btree_gist`.
fn is_scalar(name: &str) -> bool {
    matches!(
        name,
        "text"
            | "character varying"
            | "character"
            | "smallint"
            | "integer"
            | "bigint"
            | "numeric"
            | "real"
            | "double precision"
            | "boolean"
            | "uuid"
            | "date"
            | "bytea"
            | "json"
            | "timestamp without time zone"
            | "timestamp with time zone"
    )
}

fn is_text(data_type: &TypeName) -> bool {
    !data_type.array && matches!(data_type.name.name.as_str(), "text" | "character varying" | "character")
}

/// The type of an expression of which the server's own functions leave no doubt.
fn type_of(table: &Table, value: &Expr) -> Option<TypeName> {
    let plain = |mut data_type: TypeName| {
        data_type.modifiers.clear();
        data_type
    };
    match value {
        Expr::Cast { to, .. } => Some(plain(to.clone())),
        Expr::Column { name, .. } => table.column(name)?.data_type.clone().map(plain),
        Expr::Call { function, arguments } if function.schema.is_none() => match function.name.as_str() {
            "coalesce" | "nullif" => arguments.iter().find_map(|one| type_of(table, one)),
            // Of a range, `lower` is a bound.
            "lower" | "upper" | "btrim" | "replace" => {
                type_of(table, arguments.first()?).filter(is_text).map(|_| TypeName::built_in("text"))
            }
            _ => None,
        },
        _ => None,
    }
}
