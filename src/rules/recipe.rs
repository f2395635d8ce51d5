//! SQL that is ready to be pasted: the safe sequences that several rules give as the way out.

use super::in_use::Altered;
use crate::history::{Step, TransactionUnit};
use crate::operation::{
    Bound, BoundValue, ColumnDefinition, ConstraintDefinition, ConstraintKind, Expr, Ident, Key, KeyPart, PartitionKey,
    PartitionStrategy, QualifiedName, TableActionKind, TypeName, quoted,
};
use crate::schema::{ConstraintRow, RelationId, Schema, TypeKind};
use crate::version::Major;

/// How a statement is kept out of the transaction of those around it, as this runner makes transactions.
pub fn own_transaction(step: &Step) -> &'static str {
    own_transaction_in(step.context.migration.transaction)
}

pub fn own_transaction_in(unit: TransactionUnit) -> &'static str {
    match unit {
        TransactionUnit::Statement => "-- in a transaction of its own",
        TransactionUnit::SimpleQuery | TransactionUnit::File => "-- in a migration of its own",
        TransactionUnit::AllPending => {
            "-- in a migration of the next release, as all that are pending share one transaction"
        }
    }
}

/// Likewise for what others need not wait for.
pub fn meanwhile(step: &Step) -> String {
    format!("{}: reads and writes go on meanwhile", own_transaction(step))
}

/// The name PostgreSQL gives where none is written.
pub fn name_of(definition: &ConstraintDefinition, schema: &Schema, table: RelationId) -> Ident {
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let table = schema.relation(table).name.name.as_str().to_owned();
    let columns = |columns: &[Ident]| columns.iter().map(|column| format!("_{}", column.as_str())).collect::<String>();
    Ident::new(match &definition.kind {
        ConstraintKind::Check(expression) => match expression.tree.columns().as_slice() {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => {
                format!("{table}_{}_check", first.as_str())
            }
            _ => format!("{table}_check"),
        },
        ConstraintKind::NotNull(column) => format!("{table}_{}_not_null", column.as_str()),
        ConstraintKind::Unique(key) => format!("{table}{}_key", columns(&key.columns)),
        ConstraintKind::Primary(_) => format!("{table}_pkey"),
        ConstraintKind::Exclude { .. } => format!("{table}_excl"),
        ConstraintKind::Foreign(key) => format!("{table}{}_fkey", columns(&key.columns)),
    })
}

/// NOT VALID, then VALIDATE.
pub fn validated_later(step: &Step, table: &str, name: &Ident, definition: &str) -> String {
    format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID;\n\
         {}\n\
         ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
        meanwhile(step)
    )
}

/// NOT NULL without a scan under the lock: a valid CHECK proves it (12 and later), or from 18 on NOT NULL itself may
/// be NOT VALID at first.
pub fn not_null(step: &Step, table: RelationId, columns: &[&Ident]) -> String {
    let relation = &step.before.schema.relation(table).name;
    let base = relation.name.as_str();
    if step.context.settings.postgres.majors().all(|major| major >= Major(18)) {
        let name = |column: &Ident| Ident::new(format!("{base}_{}_not_null", column.as_str()));
        let each = columns
            .iter()
            .map(|column| validated_later(step, &relation.to_string(), &name(column), &format!("NOT NULL {column}")));
        return each.collect::<Vec<_>>().join("\n");
    }
    let there: Vec<Option<Ident>> =
        columns.iter().map(|column| unvalidated(&step.before.schema, table, column)).collect();
    let name = |at: usize| {
        let made = || Ident::new(format!("{base}_{}_present", columns[at].as_str()));
        there[at].clone().unwrap_or_else(made)
    };
    let mut steps = Vec::new();
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| there[*at].is_none()) {
        let check = format!("CHECK ({column} IS NOT NULL)");
        steps.push(format!("ALTER TABLE {relation} ADD CONSTRAINT {} {check} NOT VALID;", name(at)));
    }
    steps.push(meanwhile(step));
    let all = || 0..columns.len();
    steps.extend(all().map(|at| format!("ALTER TABLE {relation} VALIDATE CONSTRAINT {};", name(at))));
    steps.push("-- the valid CHECK proves it: no row is read".to_owned());
    let set: Vec<String> = columns.iter().map(|column| format!("ALTER COLUMN {column} SET NOT NULL")).collect();
    let dropped: Vec<String> = all().map(|at| format!("DROP CONSTRAINT {}", name(at))).collect();
    steps.push(format!("ALTER TABLE {relation} {};", set.join(", ")));
    steps.push(format!("ALTER TABLE {relation} {};", dropped.join(", ")));
    steps.join("\n")
}

/// A CHECK that says it already, and only has to be validated.
fn unvalidated(schema: &Schema, table: RelationId, column: &Ident) -> Option<Ident> {
    let says = |expression: &Expr| match expression {
        Expr::Not(inner) => {
            matches!(&**inner, Expr::IsNull(value) if value.as_column().is_some_and(|(_, name)| name == column))
        }
        _ => false,
    };
    let mut waiting = schema.constraints_of(table).filter(|one| !one.validated && one.enforced);
    let found =
        waiting.find(|one| matches!(&one.kind, ConstraintRow::Check { expression } if says(&expression.tree)))?;
    Some(found.name.clone())
}

/// `a, b`.
pub fn columns(columns: &[Ident]) -> String {
    columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn include(key: &Key) -> String {
    if key.include.is_empty() { String::new() } else { format!(" INCLUDE ({})", columns(&key.include)) }
}

/// `UNIQUE` and `PRIMARY KEY` from an index that was built without a lock, on a table or partition by partition.
pub fn key_from_index(
    schema: &Schema,
    table: RelationId,
    definition: &ConstraintDefinition,
    key: &Key,
    dropped: &[&Ident],
    outside: &str,
) -> String {
    let word = if matches!(definition.kind, ConstraintKind::Primary(_)) { "PRIMARY KEY" } else { "UNIQUE" };
    let nulls = if key.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    let deferrable = match (definition.deferrable, definition.initially_deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    };
    let name = name_of(definition, schema, table);
    let list = columns(&key.columns);
    let build = |table: &dyn std::fmt::Display, name: &Ident| {
        format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({list}){}{nulls};", include(key))
    };
    let relation = schema.relation(table);
    let drops: String = dropped.iter().map(|name| format!("DROP CONSTRAINT {name}, ")).collect();
    if !relation.is_partitioned() {
        // The old key's index, or another's, still has the name.
        let of_schema =
            |name: &Ident| schema.find(&QualifiedName::new(relation.name.schema.clone(), name.clone()).as_name());
        let is_taken = dropped.contains(&&name) || of_schema(&name).is_some();
        let index = if is_taken { Ident::new(format!("{}_new", name.as_str())) } else { name.clone() };
        return format!(
            "{outside}\n{}\nALTER TABLE {table} {drops}ADD CONSTRAINT {name} {word} USING INDEX {index}{deferrable};",
            build(&relation.name, &index),
            table = relation.name,
        );
    }
    let mut steps = Vec::new();
    for leaf in schema.partitions(table).into_iter().filter(|leaf| !schema.relation(*leaf).is_partitioned()) {
        let leaf = &schema.relation(leaf).name;
        let own = Ident::new(format!("{}_{}", leaf.name.as_str(), name.as_str()));
        steps.push(build(leaf, &own));
        steps.push(format!("ALTER TABLE {leaf} ADD CONSTRAINT {own} {word} USING INDEX {own}{deferrable};"));
    }
    format!(
        "{outside}\n{}\n-- takes the partitions' keys over: no index is built\n\
         ALTER TABLE {} {drops}ADD CONSTRAINT {name} {word}{nulls} ({list}){}{deferrable};",
        steps.join("\n"),
        relation.name,
        include(key),
    )
}

/// The constraints that a new key replaces: those that its ALTER TABLE drops, and those that the transaction has dropped
/// before it and that stand in the key's way while the drop is not run, by their name or as the table's primary key.
pub fn replaced_constraints<'a>(altered: &Altered<'a>, new: &ConstraintDefinition) -> Vec<&'a Ident> {
    let (step, table) = (altered.step, altered.relation.id);
    let dropped = altered.actions().filter_map(|(_, action)| match action {
        TableActionKind::DropConstraint { name, .. } => Some(name),
        _ => None,
    });
    let name = name_of(new, &step.before.schema, table);
    let is_primary = matches!(new.kind, ConstraintKind::Primary(_));
    let before = step.session.transaction.as_ref().map(|open| &open.before.schema);
    let gone = before.into_iter().flat_map(|before| before.constraints_of(table)).filter(|one| {
        let is_there = step.before.schema.constraints_of(table).any(|left| left.name == one.name);
        !is_there && (one.name == name || is_primary && matches!(one.kind, ConstraintRow::Primary { .. }))
    });
    dropped.chain(gone.map(|one| &one.name)).collect()
}

/// Fills a column in small transactions.
pub fn batches(schema: &Schema, table: RelationId, set: &str, unfilled: &str) -> String {
    let name = &schema.relation(table).name;
    let key = schema.constraints_of(table).find(|one| matches!(one.kind, ConstraintRow::Primary { .. }));
    let key: Vec<String> = match key {
        Some(key) => key.columns.iter().map(|column| schema.column_name(table, *column).to_string()).collect(),
        None if schema.relation(table).is_partitioned() => vec!["tableoid".to_owned(), "ctid".to_owned()],
        None => vec!["ctid".to_owned()],
    };
    let list = key.join(", ");
    let row = if key.len() == 1 { list.clone() } else { format!("({list})") };
    format!(
        "-- again and again, each time in a transaction of its own, until it changes no row:\n\
         UPDATE {name} SET {set} WHERE {row} IN (SELECT {list} FROM {name} WHERE {unfilled} LIMIT 1000);"
    )
}

/// `bigint COLLATE …`: the column without what is added later.
pub fn bare_column(column: &ColumnDefinition) -> String {
    let kind = column.data_type.as_ref().map(ToString::to_string).unwrap_or_default();
    let collation = column.collation.as_ref().map(|name| format!(" COLLATE {name}")).unwrap_or_default();
    format!("{} {kind}{collation}", column.name)
}

/// A value of a type, to begin with: empty, zero, the first label.
pub fn value_of(kind: &TypeName, schema: &Schema) -> Option<String> {
    if kind.array {
        return Some("'{}'".to_owned());
    }
    if let Some(TypeKind::Enum { labels }) = schema.find_type(&kind.name).map(|found| &found.kind) {
        return labels.first().map(|label| quoted(&label.text));
    }
    let value = match kind.name.name.as_str() {
        "text" | "character varying" | "character" | "citext" => "''",
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "0",
        "boolean" => "false",
        "timestamp without time zone" | "timestamp with time zone" => "now()",
        "date" => "CURRENT_DATE",
        "json" | "jsonb" => "'{}'",
        "uuid" => "'00000000-0000-0000-0000-000000000000'",
        "interval" => "'0'",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Rows too many under a key; NULLs are equal only where the key says so.
pub fn duplicates_query(table: &str, columns: &[Ident], nulls_equal: bool) -> String {
    let list = self::columns(columns);
    let present = if nulls_equal {
        String::new()
    } else {
        let present: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        format!(" WHERE {}", present.join(" AND "))
    };
    format!(
        "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM {table}{present} GROUP BY {list} HAVING count(*) > 1) AS same"
    )
}

/// `FOR VALUES …` as it was written.
pub fn bound(bound: &Bound) -> String {
    let ends = |ends: &[BoundValue]| {
        let words = ends.iter().map(|end| match end {
            BoundValue::Minimum => "MINVALUE".to_owned(),
            BoundValue::Maximum => "MAXVALUE".to_owned(),
            BoundValue::Value(value) => value.text.to_string(),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    match bound {
        Bound::Range { from, to } => format!("FOR VALUES FROM ({}) TO ({})", ends(from), ends(to)),
        Bound::List(values) => {
            let values: Vec<&str> = values.iter().map(|value| &*value.text).collect();
            format!("FOR VALUES IN ({})", values.join(", "))
        }
        Bound::Hash { modulus, remainder } => format!("FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"),
        Bound::Default => "DEFAULT".to_owned(),
    }
}

/// `PARTITION BY RANGE (created_at)`.
pub fn partition_by(key: &PartitionKey) -> String {
    let strategy = match key.strategy {
        PartitionStrategy::List => "LIST",
        PartitionStrategy::Range => "RANGE",
        PartitionStrategy::Hash => "HASH",
    };
    let parts = key.parts.iter().map(|part| match part {
        KeyPart::Column(column) => column.to_string(),
        KeyPart::Expression(expression) => format!("({})", expression.text),
    });
    format!("PARTITION BY {strategy} ({})", parts.collect::<Vec<_>>().join(", "))
}
