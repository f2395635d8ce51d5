//! Advice speaks as the migrations do: who writes `public.` before functions and no schema before tables runs them in
//! another one, or in one for each tenant.

use crate::finding::Finding;
use crate::history::History;
use crate::operation::{Name, Operation, Statement};
use crate::project::Project;

/// Takes `public` out of what findings advise and count, in histories whose tables have no schema.
pub(super) fn speak_as_they_do(project: &Project, findings: &mut [Finding]) {
    let qualified = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("public."));
    let mut bare: Vec<Option<bool>> = vec![None; project.histories.len()];
    for finding in findings.iter_mut().filter(|one| qualified(&one.instead) || qualified(&one.verify)) {
        let Some(at) = finding.migration else { continue };
        let known = &mut bare[at.history];
        if *known.get_or_insert_with(|| leaves_schema_out(project, &project.histories[at.history])) {
            for text in [&mut finding.instead, &mut finding.verify].into_iter().flatten() {
                *text = without_public(text);
            }
        }
    }
}

/// Its tables have no schema, and other names have `public`.
fn leaves_schema_out(project: &Project, history: &History) -> bool {
    let mut tables = (0, 0);
    for node in history.migrations.iter().flat_map(|migration| &migration.up.nodes) {
        node.statements(&mut |statement| {
            if let Some(name) = table_of(statement) {
                tables.0 += usize::from(name.schema.is_none());
                tables.1 += usize::from(name.schema.as_ref().is_some_and(|schema| schema == "public"));
            }
        });
    }
    let says_public = |text: &str| {
        let code = |line: &str| line.split("--").next().unwrap_or_default().contains("public.");
        text.lines().any(code)
    };
    tables.0 > 0
        && tables.1 == 0
        && history.migrations.iter().any(|migration| says_public(&project.sources.get(migration.source).text))
}

fn table_of(statement: &Statement) -> Option<&Name> {
    match &statement.operation {
        Operation::CreateTable(create) => Some(&create.name),
        Operation::AlterTable(alter) => Some(&alter.table),
        Operation::CreateIndex(create) => Some(&create.table),
        Operation::Write(write) => Some(&write.target),
        _ => None,
    }
}

/// `public.orders` becomes `orders`; functions are called as they were.
fn without_public(text: &str) -> String {
    const SCHEMA: &str = "public.";
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(SCHEMA) {
        let (before, after) = (&rest[..place], &rest[place + SCHEMA.len()..]);
        result.push_str(before);
        let joined = result.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '"' | '.' | '$'));
        if joined || is_call(after) {
            result.push_str(SCHEMA);
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

fn is_call(text: &str) -> bool {
    let end = match text.strip_prefix('"') {
        Some(quoted) => quoted.find('"').map_or(text.len(), |end| end + 2),
        None => text.find(|one: char| !(one.is_alphanumeric() || one == '_')).unwrap_or(text.len()),
    };
    text[end..].starts_with('(')
}

#[cfg(test)]
mod tests {
    use super::without_public;

    #[test]
    fn tables_lose_their_schema_and_functions_keep_it() {
        for (with, without) in [
            ("CREATE INDEX ON public.orders (id);", "CREATE INDEX ON orders (id);"),
            ("DROP INDEX public.\"Orders_key\";", "DROP INDEX \"Orders_key\";"),
            ("ADD COLUMN id uuid DEFAULT public.new_id()", "ADD COLUMN id uuid DEFAULT public.new_id()"),
            (
                "SELECT 1 FROM app.public.orders, not_public.orders",
                "SELECT 1 FROM app.public.orders, not_public.orders",
            ),
            ("public.", ""),
        ] {
            assert_eq!(without_public(with), without);
        }
    }
}
