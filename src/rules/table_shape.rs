//! What a table is made without: a primary key, a foreign key where a pair of columns stands for one, a policy.

use std::collections::BTreeSet;

use super::Findings;
use super::gone::is_temporary;
use crate::history::{Whole, shaped};
use crate::operation::{Operation, TableActionKind};
use crate::schema::{Column, ConstraintRow, Relation, RelationId, Table, TableKind};

/// The tables that a migration leaves behind and did not find; parts of others are those others' matter.
fn new_tables<'a>(whole: &'a Whole) -> impl Iterator<Item = (&'a Relation, &'a Table)> {
    let end = &whole.after.schema;
    end.relations_since(&whole.before.schema).into_iter().filter_map(|id| end.get_relation(id)).filter_map(|relation| {
        let table = relation.as_table()?;
        let own = table.partition_of.is_none() && table.inherits.is_empty() && table.kind != TableKind::Foreign;
        (own && !is_temporary(table)).then_some((relation, table))
    })
}

pub fn without_primary_key(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (relation, table) in new_tables(whole).filter(|(_, table)| table.columns_known && !table.columns.is_empty()) {
        let keyed = end.constraints_of(relation.id).any(|row| matches!(row.kind, ConstraintRow::Primary { .. }));
        let mut indexes = table.indexes.iter().filter_map(|id| end.get_relation(*id)?.as_index());
        if keyed || indexes.any(|index| index.replica_identity) {
            continue;
        }
        let name = relation.name.short();
        let message = format!(
            "nothing tells rows of `{name}` apart: no primary key. Where it is published, UPDATE and DELETE fail"
        );
        let origin = relation.existence.origin();
        let finding = findings.report(origin, "create-table", relation.existence.is_certain(), message);
        finding.object(&relation.name);
        finding.instead("id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
    }
}

/// `x_type` beside `x_id`: the table that is meant stands in the row.
pub fn polymorphic(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    for (step, relation) in whole.tables(shaped) {
        let Some(table) = relation.as_table().filter(|table| table.partition_of.is_none()) else { continue };
        let before = whole.before.schema.get_relation(relation.id).and_then(Relation::as_table);
        let is_new = |column: &Column| before.is_none_or(|before| before.column_by_id(column.id).is_none());
        for (id, kind) in pairs(table).filter(|(id, _)| is_new(id)) {
            let keyed = |row: &crate::schema::Constraint| row.as_foreign().is_some() && row.columns.contains(&id.id);
            if end.constraints_of(relation.id).any(keyed) {
                continue;
            }
            let message = format!(
                "`{}` of `{}` can have no foreign key: `{}` says which table it is about, so that nothing keeps it from \
                 naming a row that is gone",
                id.name,
                relation.name.short(),
                kind.name
            );
            let certain = step.certain && id.existence.is_certain();
            let finding = findings.report(id.existence.origin(), "add-column", certain, message);
            finding.object(&relation.name);
            finding.object(format!("{}.{}", relation.name, id.name));
            finding.instead(
                "-- one nullable column with a foreign key for each table, and CHECK (num_nonnulls(…) = 1); or a table \
                 of links for each",
            );
        }
    }
}

/// Columns `x_id` beside a text `x_type`.
fn pairs(table: &Table) -> impl Iterator<Item = (&Column, &Column)> {
    table.columns.iter().filter_map(|id| {
        let stem = id.name.as_str().strip_suffix("_id")?;
        let wanted = format!("{stem}_type");
        let kind = table.columns.iter().find(|one| one.name.as_str() == wanted)?;
        let data_type = kind.data_type.as_ref()?.to_string();
        let is_text = data_type == "text" || data_type.starts_with("character") || data_type.starts_with("varchar");
        is_text.then_some((id, kind))
    })
}

/// Row security without a policy lets nobody see anything; its owner, who migrates, sees all.
pub fn row_security_without_policy(whole: &Whole, findings: &mut Findings) {
    let end = &whole.after.schema;
    let mut seen: BTreeSet<RelationId> = BTreeSet::new();
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let enables = alter
            .actions
            .iter()
            .any(|action| matches!(action.kind, TableActionKind::SetRowSecurity { enabled: Some(true), .. }));
        let Some(relation) = end.find_table(&alter.table).filter(|_| enables) else { continue };
        let Some(table) = relation.as_table().filter(|table| table.row_security && table.policies.is_empty()) else {
            continue;
        };
        if !seen.insert(relation.id) {
            continue;
        }
        // Superusers and roles with BYPASSRLS are asked no policy, an owner only under FORCE.
        let but = if table.row_security_forced { "" } else { "its owner and " };
        let message = format!(
            "no role but {but}those that bypass row security reads a row of `{}` or writes one: row security is on, and no \
             policy lets anything through",
            relation.name.short()
        );
        let finding = findings.report(&step.origin, "row-security", step.certain, message);
        finding.object(&relation.name);
        finding.instead(format!("CREATE POLICY … ON {} FOR ALL TO … USING (…) WITH CHECK (…);", relation.name));
    }
}
