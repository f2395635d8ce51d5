//! What a query asks of the catalog, where the replayed schema can answer: `SELECT to_regclass('index')`.

use super::Evaluator;
use super::guard::relation_named;
use crate::operation::{Constant, Expr, Node, Operation, Output};
use crate::rails::value::Value;
use crate::read::sql;
use crate::source::Piece;

impl Evaluator<'_> {
    /// The one value that `select_value` gives back; `None` where it is not known.
    pub(super) fn selected(&self, piece: &Piece) -> Option<Value> {
        // Questions are short: a long text is rows.
        if piece.text().len() > 400 {
            return None;
        }
        let nodes = sql::read(piece).nodes;
        let [Node::Statement(statement)] = nodes.as_slice() else { return None };
        let Operation::Query(query) = &statement.operation else { return None };
        let is_plain = query.from.is_empty() && query.filter.is_none() && query.arms.is_empty();
        let [Output::Value { value, .. }] = query.outputs.as_slice() else { return None };
        let name = regclass(value).filter(|_| is_plain)?;
        let is_there = relation_named(self.world.schema(), &name)?;
        Some(if is_there { Value::text(&*name) } else { Value::Nil })
    }
}

/// The text in `to_regclass('text')::text`.
fn regclass(value: &Expr) -> Option<String> {
    match value {
        Expr::Cast { value, .. } => regclass(value),
        Expr::Call { function, arguments } if function.name == "to_regclass" => text(arguments.first()?),
        _ => None,
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Cast { value, .. } => text(value),
        Expr::Constant(Constant::String(text)) => Some(text.to_string()),
        _ => None,
    }
}
