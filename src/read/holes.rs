//! Texts made at run time of which a part is known: `format('DELETE FROM %I.events', name)` is a DELETE.

use std::sync::Arc;

use super::dynamic::{self, Variables, evaluate};
use crate::operation::{AlterTable, Expr, Name, Node, Operation, Query, SetScope, cut};
use crate::source::Span;

/// What stands for a part that is not known: a name, so that the rest can be read.
const HOLE: &str = "plimsoll_unknown_part";

/// What is known of a text that is made at run time.
#[derive(Debug)]
pub struct Holed {
    text: String,
    nodes: Vec<Node>,
}

impl Holed {
    /// None where not even its first word is known.
    pub fn of(expr: &Expr, variables: &Variables, at: Span) -> Option<Holed> {
        let text = holed(expr, variables)?;
        let begins = text.trim_start();
        if begins.is_empty() || begins.starts_with(HOLE) {
            return None;
        }
        let nodes = dynamic::parse(&text, at);
        Some(Holed { text, nodes })
    }

    /// One line of it, with `…` for what is not known.
    pub fn shown(&self) -> String {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        cut(&words.join(" ").replace(HOLE, "…"), 60).to_string()
    }

    /// A query that changes nothing by itself; its functions are for the caller to judge.
    pub fn as_query(&self) -> Option<&Query> {
        match self.nodes.as_slice() {
            [Node::Statement(statement)] => match &statement.operation {
                Operation::Query(query) if query.writes().is_empty() && query.into.is_none() => Some(query),
                _ => None,
            },
            _ => None,
        }
    }

    /// A setting of the database whose name alone is not known: `ALTER DATABASE … SET search_path TO app`.
    pub fn as_setting(&self) -> Option<&Operation> {
        let [Node::Statement(statement)] = self.nodes.as_slice() else { return None };
        match &statement.operation {
            Operation::Set(set) => {
                let known = |value: &Arc<str>| !value.contains(HOLE);
                let is_known = !set.name.contains(HOLE) && set.values.iter().flatten().all(known);
                (is_known && matches!(set.scope, SetScope::Next | SetScope::Later)).then_some(&statement.operation)
            }
            _ => None,
        }
    }

    /// The relation that it changes and nothing else, where that has a known name.
    pub fn target(&self) -> Option<&Name> {
        let [Node::Statement(statement)] = self.nodes.as_slice() else { return None };
        let name = match &statement.operation {
            Operation::Write(write) => &write.target,
            Operation::AlterTable(alter) => {
                let AlterTable { table, .. } = &**alter;
                table
            }
            _ => return None,
        };
        (!is_holed(name)).then_some(name)
    }

    /// It takes whole tables or their rows away.
    pub fn takes_away(&self) -> bool {
        let words: Vec<String> = self.text.split_whitespace().take(2).map(str::to_lowercase).collect();
        match words.first().map(String::as_str) {
            Some("truncate") => true,
            Some("drop") => matches!(words.get(1).map(String::as_str), Some("table" | "schema" | "database")),
            _ => false,
        }
    }
}

/// A part of the name is not known.
pub fn is_holed(name: &Name) -> bool {
    name.to_string().contains(HOLE)
}

fn holed(expr: &Expr, variables: &Variables) -> Option<String> {
    if let Some(known) = evaluate(expr, variables) {
        return Some(known.to_string());
    }
    let part = |expr: &Expr| holed(expr, variables).unwrap_or_else(|| HOLE.to_owned());
    match expr {
        Expr::Binary { operator, left, right } if &**operator == "||" => Some(part(left) + &part(right)),
        Expr::Cast { value, .. } => holed(value, variables),
        Expr::Call { function, arguments } => match (function.name.as_str(), arguments.split_first()) {
            ("format", Some((pattern, rest))) => {
                let mut texts: Vec<Arc<str>> = vec![evaluate(pattern, variables)?];
                texts.extend(rest.iter().map(|one| Arc::from(part(one))));
                dynamic::format_text(&texts).map(|text| text.to_string())
            }
            ("concat", _) => Some(arguments.iter().map(part).collect()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Constant, Ident};
    use crate::source::Sources;

    fn made(pattern: &str) -> Option<Holed> {
        let source = Sources::default().add("001.sql", "");
        let text = Expr::Constant(Constant::String(pattern.into()));
        let name = Expr::Column { qualifier: None, name: "x".into() };
        let call = Expr::Call { function: Ident::new("format").into(), arguments: vec![text, name] };
        Holed::of(&call, &Variables::default(), Span { source, start: 0, end: 0 })
    }

    #[test]
    fn what_is_known_of_a_text_is_read() {
        assert!(made("SELECT count(*) FROM %I.events").is_some_and(|one| one.as_query().is_some()));
        let update = made("UPDATE orders SET state = %L").map(|one| (one.target().is_some(), one.shown()));
        assert_eq!(update, Some((true, "UPDATE orders SET state = '…'".to_owned())));
        assert!(made("DELETE FROM %I.events").is_some_and(|one| one.target().is_none() && !one.takes_away()));
        assert!(made("DROP TABLE %I").is_some_and(|one| one.takes_away()));
        assert!(made("%s").is_none(), "nothing is known");
        let setting = |pattern: &str| made(pattern).is_some_and(|one| one.as_setting().is_some());
        assert!(setting("ALTER DATABASE %I SET search_path TO app, public"));
        assert!(!setting("ALTER DATABASE app SET search_path TO %I"), "what it leads to is not known");
        assert!(!setting("SET search_path TO app"), "a setting of the session may be undone");
    }
}
