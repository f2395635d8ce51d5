//! Parts of a schema as SQL, in the words of `pg_get_constraintdef()` and its kin. Expressions stay as written.

use super::{
    ColumnId, Constraint, ConstraintRow, ForeignRow, Index, IndexColumn, IndexKey, RelationId, Schema, Sequence, Table,
};
use crate::operation::{
    Action, Argument, ArgumentMode, Bound, BoundValue, Constant, Expr, Expression, Ident, KeyPart, Name, PartitionKey,
    PartitionStrategy, TypeName, quoted,
};

/// `public.users`; `?` for a relation that is no more.
pub fn relation_name(schema: &Schema, id: RelationId) -> String {
    schema.get_relation(id).map_or_else(|| "?".to_owned(), |relation| relation.name.to_string())
}

/// `a, b`.
pub fn column_list(schema: &Schema, table: RelationId, columns: &[ColumnId]) -> String {
    let names: Vec<String> = columns.iter().map(|column| schema.column_name(table, *column).to_string()).collect();
    names.join(", ")
}

pub fn action(action: Action) -> &'static str {
    match action {
        Action::NoAction => "no action",
        Action::Restrict => "restrict",
        Action::Cascade => "cascade",
        Action::SetNull => "set null",
        Action::SetDefault => "set default",
    }
}

/// A constraint without its name.
pub fn constraint(schema: &Schema, constraint: &Constraint) -> String {
    let columns = || column_list(schema, constraint.table, &constraint.columns);
    let mut text = match &constraint.kind {
        ConstraintRow::Check { expression } => format!("CHECK ({})", parenthesised(&expression.text)),
        ConstraintRow::NotNull => format!("NOT NULL {}", columns()),
        ConstraintRow::Primary { index } => keyed(schema, constraint, "PRIMARY KEY", *index),
        ConstraintRow::Unique { index } => keyed(schema, constraint, "UNIQUE", *index),
        ConstraintRow::Exclude { index } => match schema.get_relation(*index).and_then(|one| one.as_index()) {
            Some(index) => format!("EXCLUDE {}", index_body(schema, index, "")),
            None => format!("EXCLUDE ({})", columns()),
        },
        ConstraintRow::Foreign(key) => foreign(schema, constraint, key),
    };
    // Keys are never handed down to inheritance children; `pg_get_constraintdef` does not say so.
    let handed_down = matches!(constraint.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull);
    let endings = [
        (constraint.no_inherit && handed_down, " NO INHERIT"),
        (constraint.deferrable, " DEFERRABLE"),
        (constraint.initially_deferred, " INITIALLY DEFERRED"),
        (!constraint.enforced, " NOT ENFORCED"),
        (constraint.enforced && !constraint.validated, " NOT VALID"),
    ];
    text.extend(endings.iter().filter(|(said, _)| *said).map(|(_, words)| *words));
    text
}

fn keyed(schema: &Schema, constraint: &Constraint, words: &str, index: RelationId) -> String {
    let columns = column_list(schema, constraint.table, &constraint.columns);
    let Some(index) = schema.get_relation(index).and_then(|relation| relation.as_index()) else {
        return format!("{words} ({columns})");
    };
    let nulls = if index.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    // No other key of UNIQUE or PRIMARY KEY is kept by gist.
    let overlaps = if index.method == "gist" { " WITHOUT OVERLAPS" } else { "" };
    format!("{words}{nulls} ({columns}{overlaps}){}", include(schema, index))
}

fn include(schema: &Schema, index: &Index) -> String {
    if index.include.is_empty() {
        return String::new();
    }
    format!(" INCLUDE ({})", column_list(schema, index.table, &index.include))
}

fn foreign(schema: &Schema, constraint: &Constraint, key: &ForeignRow) -> String {
    let columns = column_list(schema, constraint.table, &constraint.columns);
    let mut text = format!("FOREIGN KEY ({columns}) REFERENCES {}", relation_name(schema, key.references));
    if !key.referenced_columns.is_empty() {
        text.push_str(&format!("({})", column_list(schema, key.references, &key.referenced_columns)));
    }
    if key.match_full {
        text.push_str(" MATCH FULL");
    }
    for (event, does) in [("UPDATE", key.on_update), ("DELETE", key.on_delete)] {
        if does != Action::NoAction {
            text.push_str(&format!(" ON {event} {}", action(does).to_uppercase()));
        }
    }
    if !key.on_delete_columns.is_empty() {
        text.push_str(&format!(" ({})", column_list(schema, constraint.table, &key.on_delete_columns)));
    }
    text
}

/// `USING btree (a, lower(b)) INCLUDE (c) NULLS NOT DISTINCT WHERE (…)`; `options` stands before WHERE.
pub fn index_body(schema: &Schema, index: &Index, options: &str) -> String {
    let parts: Vec<String> = index.parts.iter().map(|part| index_part(schema, index.table, part)).collect();
    let mut text = format!("USING {} ({}){}", index.method, parts.join(", "), include(schema, index));
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    text.push_str(options);
    if let Some(filter) = &index.filter {
        text.push_str(&format!(" WHERE {}", parenthesised(&filter.text)));
    }
    text
}

fn index_part(schema: &Schema, table: RelationId, part: &IndexColumn) -> String {
    let mut text = match &part.key {
        IndexKey::Column(column) => schema.column_name(table, *column).to_string(),
        IndexKey::Expression(expression) => parenthesised(&expression.text),
    };
    if let Some(collation) = &part.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(class) = &part.operator_class {
        text.push_str(&format!(" {class}"));
    }
    // NULLS FIRST is the default of DESC, NULLS LAST that of ASC.
    text.push_str(match (part.descending, part.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    });
    if let Some(operator) = &part.operator {
        text.push_str(&format!(" WITH {operator}"));
    }
    text
}

/// `RANGE (created_at)`, as `pg_get_partkeydef()`.
pub fn partition_key(key: &PartitionKey) -> String {
    let strategy = match key.strategy {
        PartitionStrategy::List => "LIST",
        PartitionStrategy::Range => "RANGE",
        PartitionStrategy::Hash => "HASH",
    };
    let parts: Vec<String> = key
        .parts
        .iter()
        .map(|part| match part {
            KeyPart::Column(name) => name.to_string(),
            KeyPart::Expression(expression) => parenthesised(&expression.text),
        })
        .collect();
    format!("{strategy} ({})", parts.join(", "))
}

/// `FOR VALUES …` or `DEFAULT`, with constants as PostgreSQL keeps them: by the type of the key's column.
pub fn bound(bound: &Bound, parent: Option<&Table>) -> String {
    let keys = parent.and_then(|table| table.partition_by.as_ref().map(|key| (table, key)));
    let data_type = |at: usize| {
        let (table, key) = keys?;
        let KeyPart::Column(name) = key.parts.get(at)? else { return None };
        table.column(name)?.data_type.as_ref()
    };
    let limits = |values: &[BoundValue]| {
        let values: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, value)| match value {
                BoundValue::Minimum => "MINVALUE".to_owned(),
                BoundValue::Maximum => "MAXVALUE".to_owned(),
                BoundValue::Value(value) => bound_value(value, data_type(at)),
            })
            .collect();
        values.join(", ")
    };
    match bound {
        Bound::Default => "DEFAULT".to_owned(),
        Bound::Hash { modulus, remainder } => format!("FOR VALUES WITH (modulus {modulus}, remainder {remainder})"),
        Bound::List(values) => {
            let values: Vec<String> = values.iter().map(|value| bound_value(value, data_type(0))).collect();
            format!("FOR VALUES IN ({})", values.join(", "))
        }
        Bound::Range { from, to } => format!("FOR VALUES FROM ({}) TO ({})", limits(from), limits(to)),
    }
}

/// Bounds are evaluated once and kept as constants of the key's type: `'1'` for an integer key prints as `1`,
/// `1` for a text or bigint key as `'1'` (`get_const_expr()` in `ruleutils.c`).
fn bound_value(value: &Expression, data_type: Option<&TypeName>) -> String {
    let mut tree = &value.tree;
    while let Expr::Cast { value, .. } = tree {
        tree = value;
    }
    match tree {
        Expr::Constant(Constant::Null) => "NULL".to_owned(),
        Expr::Constant(Constant::Bool(value)) => value.to_string(),
        Expr::Constant(Constant::String(text)) => constant(text, data_type),
        Expr::Constant(Constant::Number(text)) => constant(text, data_type),
        Expr::Unary { operator, operand } if &**operator == "-" => match &**operand {
            Expr::Constant(Constant::Number(text)) => constant(&format!("-{text}"), data_type),
            _ => value.text.to_string(),
        },
        _ => value.text.to_string(),
    }
}

fn constant(text: &str, data_type: Option<&TypeName>) -> String {
    let built_in = data_type.filter(|one| one.built_in && !one.array).map(|one| one.name.name.as_str());
    let digits = text.starts_with(|first: char| first.is_ascii_digit());
    let bare = match built_in {
        // A minus could be taken for an operator.
        Some("integer") => digits,
        Some("numeric") => digits && text.contains(['e', 'E', '.']),
        Some("boolean") => {
            return match text {
                "t" | "true" | "on" | "yes" | "y" | "1" => "true".to_owned(),
                _ => "false".to_owned(),
            };
        }
        Some(_) => false,
        None => digits && text.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if bare { text.trim().to_owned() } else { quoted(text) }
}

/// `a integer, VARIADIC b text[]`, as `pg_get_function_identity_arguments()`.
pub fn arguments(list: &[Argument]) -> String {
    let arguments = list.iter().filter(|argument| argument.mode != ArgumentMode::Table).map(|argument| {
        let mode = match argument.mode {
            ArgumentMode::In | ArgumentMode::Table => "",
            ArgumentMode::Out => "OUT ",
            ArgumentMode::InOut => "INOUT ",
            ArgumentMode::Variadic => "VARIADIC ",
        };
        let name = argument.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        format!("{mode}{name}{}", argument.data_type)
    });
    arguments.collect::<Vec<_>>().join(", ")
}

/// A type's name with its schema, where it is not built in.
pub fn type_name(schema: &Schema, data_type: &TypeName) -> String {
    let found = (!data_type.built_in && data_type.name.schema.is_none()).then(|| schema.find_type(&data_type.name));
    match found.flatten() {
        Some(found) => {
            let name = Name { schema: Some(found.name.schema.clone()), name: found.name.name.clone() };
            TypeName { name, ..data_type.clone() }.to_string()
        }
        None => data_type.to_string(),
    }
}

/// `public.t.c`.
pub fn owner(schema: &Schema, sequence: &Sequence) -> Option<String> {
    let (table, column) = sequence.owned_by?;
    let column: Ident = schema.column_name(table, column);
    Some(format!("{}.{column}", relation_name(schema, table)))
}

/// The text in exactly one pair of parentheses.
pub fn parenthesised(text: &str) -> String {
    if is_enclosed(text) { text.to_owned() } else { format!("({text})") }
}

/// The first parenthesis closes at the very end. Literals are skipped, so that `(a) || '('` is not taken for one.
fn is_enclosed(text: &str) -> bool {
    if !text.starts_with('(') || text.contains(['\'', '"', '$', '-', '/']) {
        return false;
    }
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1 == text.len();
        }
    }
    false
}
