//! What the original guaranteed and the table that takes its name does not. Judged when the migration is over: it may
//! mend it after the swap.

use super::swap_leftovers::{begin, definition, is_written_out, swaps};
use super::{Findings, say};
use crate::data::{Lost, Swap, SwapForm};
use crate::finding::Severity;
use crate::history::Whole;
use crate::operation::Ident;
use crate::schema::{ConstraintRow, IndexKey, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    for swap in swaps(whole) {
        let mut lost = swap.lost(&whole.after.schema);
        if is_written_out(whole, swap) {
            lost.retain(|lost| !is_in_first_definition(swap, lost));
        }
        let Some((first, rest)) = lost.split_first() else { continue };
        let (name, replacement) = say::swapped(swap, &whole.after.schema);
        let more = match rest.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let message = format!("`{replacement}` takes the place of `{name}` without {}{more}", words(first, &name));
        let Some(finding) = begin(whole, swap, message, findings) else { continue };
        // Another table with rows of its own, behind a view that has the name: nobody said that it is the same.
        let fills = whole.after.data.fills_of(swap.replacement);
        let is_copy = !swap.copies.is_empty() || fills.iter().any(|fill| fill.source == swap.original);
        if swap.form == SwapForm::View && !is_copy {
            finding.severity = finding.severity.min(Severity::Note);
        }
        let original = swap.before.relation(swap.original).existence.origin().span;
        let all: Vec<String> = lost.iter().map(|lost| words(lost, &name)).collect();
        let lacks = if rest.is_empty() { String::new() } else { format!(": {}", all.join("; ")) };
        finding.because(original, format!("`{name}` has what `{replacement}` lacks{lacks}"));
        let ways: Vec<String> = lost.iter().map(|lost| way_out(lost, swap, &whole.after.schema)).collect();
        finding.instead(format!(
            "-- before the swap, while {replacement} is not in use; the names are those after it
{}",
            ways.join(
                "
"
            )
        ));
    }
}

/// It stood in the statement that made the original, which whoever writes the table anew has before them. What later
/// statements added is what gets forgotten.
fn is_in_first_definition(swap: &Swap, lost: &Lost) -> bool {
    let made = swap.before.relation(swap.original).existence.origin().span;
    let constraint = |name: &Ident| {
        let found = swap.before.find_constraint(swap.original, name);
        found.is_some_and(|one| one.existence.origin().span == made)
    };
    match lost {
        Lost::Check(name) | Lost::Exclude(name) | Lost::Foreign(name) | Lost::Unique { name, .. } => constraint(name),
        Lost::NotNull(column) | Lost::Default(column) | Lost::Identity(column) => {
            let table = swap.before.relation(swap.original).as_table();
            let column = table.and_then(|table| table.column(column));
            column.is_some_and(|column| column.existence.origin().span == made)
        }
        Lost::Widened { .. } => true,
        Lost::Sequence { .. } | Lost::Index(_) | Lost::RowSecurity | Lost::Policy(_) => false,
    }
}

fn words(lost: &Lost, name: &str) -> String {
    match lost {
        Lost::NotNull(column) => format!("NOT NULL on `{column}`"),
        Lost::Default(column) => format!("the default of `{column}`"),
        Lost::Identity(column) => format!("the identity of `{column}`"),
        Lost::Sequence { column, sequence } => {
            format!("a sequence of its own for `{column}`: `{sequence}` still belongs to the old `{name}`")
        }
        Lost::Check(constraint) => format!("check `{constraint}`"),
        Lost::Exclude(constraint) => format!("exclusion constraint `{constraint}`"),
        Lost::Unique { name: key, columns } => {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            format!("unique `{key}` ({})", columns.join(", "))
        }
        Lost::Widened { columns, gained } => {
            let (columns, gained): (Vec<_>, Vec<_>) =
                (columns.iter().map(ToString::to_string).collect(), gained.iter().map(ToString::to_string).collect());
            format!("uniqueness of ({}) alone: the key has ({}) in it", columns.join(", "), gained.join(", "))
        }
        Lost::Foreign(constraint) => format!("foreign key `{constraint}`"),
        Lost::Index(index) => format!("index `{index}`"),
        Lost::RowSecurity => "row level security".to_owned(),
        Lost::Policy(policy) => format!("policy `{policy}`"),
    }
}

/// What brings it back, in the names after the swap.
fn way_out(lost: &Lost, swap: &Swap, after: &Schema) -> String {
    let table = &after.relation(swap.replacement).name;
    let alter = |action: String| format!("ALTER TABLE {table} {action};");
    let list = |columns: &[Ident]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let old = swap.before.get_relation(swap.original).and_then(|relation| relation.as_table());
    let column = |name: &Ident| old.and_then(|old| old.column(name));
    match lost {
        Lost::NotNull(column) => alter(format!("ALTER COLUMN {column} SET NOT NULL")),
        Lost::Default(name) => match column(name).and_then(|column| column.default.as_ref()) {
            Some(default) => alter(format!("ALTER COLUMN {name} SET DEFAULT {}", default.text)),
            None => format!("-- {name} was generated: only a column added anew can be"),
        },
        Lost::Identity(column) => alter(format!("ALTER COLUMN {column} ADD GENERATED BY DEFAULT AS IDENTITY")),
        Lost::Sequence { column, sequence } => format!("ALTER SEQUENCE {sequence} OWNED BY {table}.{column};"),
        Lost::Check(name) => match swap.before.find_constraint(swap.original, name).map(|one| &one.kind) {
            Some(ConstraintRow::Check { expression }) => {
                alter(format!("ADD CONSTRAINT {name} CHECK ({})", expression.text))
            }
            _ => format!("-- check {name}, as on the old table"),
        },
        Lost::Exclude(name) => format!("-- exclusion constraint {name}, as on the old table"),
        Lost::Unique { name, columns } if is_primary(swap, name) => {
            alter(format!("ADD PRIMARY KEY ({})", list(columns)))
        }
        Lost::Unique { columns, .. } => format!("CREATE UNIQUE INDEX ON {table} ({});", list(columns)),
        Lost::Widened { columns, .. } => format!(
            "-- ({}) stays unique only while one sequence gives it out and nobody sets it by hand; foreign keys to it \
             need the partition key too",
            list(columns)
        ),
        Lost::Foreign(name) => {
            let key = swap.before.find_constraint(swap.original, name);
            let definition = key.and_then(|key| {
                let references = after.get_relation(key.as_foreign()?.references)?.name.clone();
                definition(&swap.before, key, swap.original, references)
            });
            definition.map_or_else(
                || format!("-- foreign key {name}, as on the old table"),
                |key| alter(format!("ADD CONSTRAINT {name} {}", say::foreign_key(&key))),
            )
        }
        Lost::Index(name) => match index_again(swap, name) {
            Some(rest) => format!("CREATE INDEX ON {table} {rest};"),
            None => format!("-- index {name}, as on the old table"),
        },
        Lost::RowSecurity => alter("ENABLE ROW LEVEL SECURITY".to_owned()),
        Lost::Policy(policy) => format!("-- policy {policy}, as on the old table"),
    }
}

fn is_primary(swap: &Swap, name: &Ident) -> bool {
    let key = swap.before.find_constraint(swap.original, name);
    key.is_some_and(|key| matches!(key.kind, ConstraintRow::Primary { .. }))
}

/// An index of the original, from its method on.
fn index_again(swap: &Swap, name: &Ident) -> Option<String> {
    let old = swap.before.get_relation(swap.original)?.as_table()?;
    let mut found = old.indexes.iter().filter_map(|id| swap.before.get_relation(*id));
    let index = found.find(|relation| relation.name.name == *name)?.as_index()?;
    let part = |key: &IndexKey| match key {
        IndexKey::Column(column) => swap.before.column_name(swap.original, *column).to_string(),
        IndexKey::Expression(expression) => format!("({})", expression.text),
    };
    let parts: Vec<String> = index
        .parts
        .iter()
        .map(|one| format!("{}{}", part(&one.key), if one.descending { " DESC" } else { "" }))
        .collect();
    let filter = index.filter.as_ref().map(|filter| format!(" WHERE {}", filter.text)).unwrap_or_default();
    Some(format!("USING {} ({}){filter}", index.method, parts.join(", ")))
}
