//! Objects that were made for a while and are still there.

use super::{Findings, queue, say};
use crate::finding::MigrationRef;
use crate::history::Whole;
use crate::operation::Origin;
use crate::schema::{Relation, RelationKind};

/// Releases after which what was made for a while is called left over.
const RELEASES: usize = 3;

/// `temporary-object-left`: asked once, when the history is over.
pub fn check(whole: &Whole, findings: &mut Findings) {
    let context = &whole.context;
    if context.at.migration + 1 != context.plan.history.migrations.len() {
        return;
    }
    let schema = &whole.after.schema;
    for relation in schema.relations() {
        let origin = relation.existence.origin();
        if let Some(kind) = named_for_a_while(relation) {
            let name = relation.name.short();
            report(whole, origin, &name, format!("{kind} `{name}` was made for a while"), findings);
        }
        for column in relation.as_table().into_iter().flat_map(|table| &table.columns) {
            let name = column.name.as_str();
            if name.contains("_convert_to_") || name.ends_with("_for_type_change") {
                let table = relation.name.short();
                let text = format!("column `{name}` of `{table}` was made for a conversion");
                report(whole, column.existence.origin(), &format!("{table}.{name}"), text, findings);
            }
        }
    }
    for swap in whole.after.data.swaps().iter().filter(|swap| schema.get_relation(swap.original).is_some()) {
        let name = say::name(schema, swap.original);
        let text = format!("`{name}` gave its place to another table");
        report(whole, &swap.origin, &name, text, findings);
    }
}

fn named_for_a_while(relation: &Relation) -> Option<&'static str> {
    let name = relation.name.name.as_str();
    let temporary = name.starts_with("tmp_") || name.starts_with("temp_") || name.ends_with("_tmp");
    match &relation.kind {
        RelationKind::Table(table) if table.partition_of.is_none() => {
            (temporary || name.contains("orphaned")).then_some("table")
        }
        RelationKind::Index(_) => temporary.then_some("index"),
        _ => None,
    }
}

fn report(whole: &Whole, origin: &Origin, object: &str, text: String, findings: &mut Findings) {
    let context = &whole.context;
    let Some(number) = context.plan.migration_of(origin.span) else { return };
    let migration = &context.plan.history.migrations[number];
    let releases = queue::releases_since(context, number);
    if !migration.judged || releases < RELEASES {
        return;
    }
    let finding =
        findings.report(origin, "left-over", true, format!("{text}, and is still there {releases} releases later"));
    finding.migration = Some(MigrationRef { history: context.at.history, migration: number });
    finding.object(object);
    finding.one_per(object);
    finding.instead("drop it once nothing reads or writes it any more");
}
