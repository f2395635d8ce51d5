//! What the schema says of each row of a table.

use crate::operation::{Constant, Expr};
use crate::schema::{ConstraintRow, Relation, RelationId, Schema, TypeKind};

/// True of each row: columns that are never NULL, checks that were validated, the values that a type has.
pub fn row_facts(schema: &Schema, table: RelationId) -> Expr {
    let columns = schema.get_relation(table).and_then(Relation::as_table).map(|table| table.columns.as_slice());
    let mut facts = Vec::new();
    for column in columns.unwrap_or_default() {
        let name = || Expr::bare(&column.name);
        if column.not_null {
            facts.push(name().is_not_null());
        }
        let Some(kind) = column.data_type.as_ref().filter(|kind| !kind.array) else { continue };
        let values: Vec<Constant> = match schema.find_type(&kind.name).map(|found| &found.kind) {
            Some(TypeKind::Enum { labels }) => {
                labels.iter().map(|label| Constant::String(label.text.clone())).collect()
            }
            _ if kind.built_in && kind.name.name.as_str() == "boolean" => {
                vec![Constant::Bool(true), Constant::Bool(false)]
            }
            _ => continue,
        };
        let list = values.into_iter().map(Expr::Constant).collect();
        let known = Expr::In { value: Box::new(name()), list };
        facts.push(Expr::Or(vec![known, Expr::IsNull(Box::new(name()))]));
    }
    for row in schema.constraints_of(table).filter(|row| row.enforced && row.validated) {
        let ConstraintRow::Check { expression } = &row.kind else { continue };
        // NULL passes.
        let mut passes = vec![expression.tree.clone()];
        passes.extend(expression.tree.columns().into_iter().map(|name| Expr::IsNull(Box::new(Expr::bare(name)))));
        facts.push(Expr::Or(passes));
    }
    Expr::And(facts)
}
