//! What holds the statements of a plain file together: no runner is known that would say it, so the settings do, or what
//! the files themselves cannot do otherwise, or nothing.

use super::assemble::DraftHistory;
use super::place::named;
use crate::history::{Framework, Migration};
use crate::operation::{Node, Operation, Statement, Transaction};
use crate::schema::Schema;
use crate::server::refused_in_transaction;
use crate::settings::Settings;
use crate::version::Major;

/// Settles it for a history of plain files, and says what was taken where something is shipped to take it from.
pub fn settle(history: &mut DraftHistory, settings: &Settings) {
    if history.layout.framework != Framework::Plain {
        return;
    }
    let root = named(&history.layout.root).to_owned();
    if let Some(unit) = settings.transaction {
        history.drafts.iter_mut().for_each(|draft| draft.migration.transaction = unit);
        history.remarks.push(format!("{root}: {}, as plimsoll.toml says", unit.words()));
        return;
    }
    let shipped: Vec<&Migration> =
        history.drafts.iter().map(|draft| &draft.migration).filter(|one| !one.judged).collect();
    let count = shipped.len();
    let is_shown = match count {
        0 => history.drafts.iter().any(|draft| runs_bare(&draft.migration)),
        _ => shipped.into_iter().any(runs_bare),
    };
    let mut guesses = false;
    for draft in &mut history.drafts {
        let migration = &mut draft.migration;
        migration.unit_is_guess = !is_shown && migration.up.nodes.len() > 1 && !runs_bare(migration);
        guesses |= migration.unit_is_guess && migration.judged;
    }
    if guesses && count > 0 {
        history.remarks.push(format!(
            "{root}: nothing in the shipped files shows whether a transaction holds each together; every statement is taken to stand \
             alone, `transaction = \"file\"` in plimsoll.toml says otherwise"
        ));
    }
}

/// Several statements of which one is refused in a transaction, or that make a transaction of their own: no runner wraps
/// such a file. One statement alone would be in none where a file is sent as one query, either.
fn runs_bare(migration: &Migration) -> bool {
    let nodes = &migration.up.nodes;
    let statements = || {
        nodes.iter().filter_map(|node| match node {
            Node::Statement(statement) => Some(statement),
            _ => None,
        })
    };
    let bare = |statement: &Statement| match &statement.operation {
        Operation::Transaction(control) => *control == Transaction::Begin,
        // What they refuse rests on tables that are not known here.
        Operation::CreateIndex(create) => create.concurrently,
        Operation::Drop(drop) => drop.concurrently,
        Operation::Reindex(reindex) => reindex.concurrently,
        other => refused_in_transaction(other, &Schema::new(Major::NEWEST), Major::NEWEST),
    };
    nodes.len() > 1 && statements().any(bare)
}
