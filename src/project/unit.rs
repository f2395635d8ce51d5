//! What holds the statements of a file together where its runner does not say it: of a plain file the settings say it,
//! or what the files themselves cannot do otherwise, or nothing; of others what is shipped may show that their runner
//! does not run them as it is known to.

use super::assemble::{Draft, DraftHistory};
use super::place::named;
use crate::history::{Framework, HardlyRan, Migration, SinceBase, TransactionUnit};
use crate::operation::{Node, Operation, Statement, Transaction};
use crate::schema::Schema;
use crate::server::refused_in_transaction;
use crate::settings::Settings;
use crate::version::Major;

/// Settles it, and says what was taken where something is shipped to take it from.
pub fn settle(history: &mut DraftHistory, settings: &Settings) {
    if history.layout.framework != Framework::Plain {
        return take_bare(history);
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

/// A shipped file with a statement that PostgreSQL refuses in a transaction ran outside of one, whatever its runner does
/// by itself: a program of the project's own runs such files, and so it runs those to come.
fn take_bare(history: &mut DraftHistory) {
    // Rails says of each migration in what it runs.
    if history.layout.framework == Framework::Rails {
        return;
    }
    let is_mended = |draft: &&Draft| draft.migration.since_base == SinceBase::Shipped;
    let cannot = |draft: &&Draft| !draft.migration.judged && cannot_be_held(&draft.migration);
    let mut drafts = history.drafts.iter();
    let Some(shown) = drafts.find(|draft| !is_mended(draft) && cannot(draft)) else {
        return mark_refused(history);
    };
    history.remarks.push(format!(
        "{}: files with a statement that PostgreSQL refuses in a transaction are taken to run statement by statement: {} has one \
         and is shipped",
        named(&history.layout.root),
        named(&shown.up.path),
    ));
    history.runs_bare = true;
    for draft in &mut history.drafts {
        if cannot_be_held(&draft.migration) {
            draft.migration.transaction = TransactionUnit::Statement;
        }
    }
}

/// A shipped text that its runner cannot have run, as the change that edits it says too.
fn mark_refused(history: &mut DraftHistory) {
    let runner = history.layout.framework.name();
    for at in 1..history.drafts.len() {
        let shipped = &history.drafts[at].migration;
        if shipped.since_base == SinceBase::Shipped && !shipped.repeatable && cannot_be_held(shipped) {
            // The edited one stands right before it.
            for draft in &mut history.drafts[at - 1..=at] {
                draft.migration.hardly_ran = Some(HardlyRan::Refused { runner });
            }
        }
    }
}

/// Its runner would hold it together, and cannot.
fn cannot_be_held(migration: &Migration) -> bool {
    let is_held = match migration.transaction {
        TransactionUnit::Statement => false,
        TransactionUnit::SimpleQuery => migration.up.nodes.len() > 1,
        TransactionUnit::File | TransactionUnit::AllPending => true,
    };
    let begins = |one: &Statement| matches!(one.operation, Operation::Transaction(Transaction::Begin));
    // With a BEGIN of its own it fails however it runs.
    is_held && statements(migration).any(is_refused) && !statements(migration).any(begins)
}

/// Several statements of which one is refused in a transaction, or that make a transaction of their own: no runner wraps
/// such a file. One statement alone would be in none where a file is sent as one query, either.
fn runs_bare(migration: &Migration) -> bool {
    let begins = |one: &Statement| matches!(one.operation, Operation::Transaction(Transaction::Begin));
    migration.up.nodes.len() > 1 && statements(migration).any(|one| begins(one) || is_refused(one))
}

fn statements(migration: &Migration) -> impl Iterator<Item = &Statement> {
    migration.up.nodes.iter().filter_map(|node| match node {
        Node::Statement(statement) => Some(statement),
        _ => None,
    })
}

fn is_refused(statement: &Statement) -> bool {
    match &statement.operation {
        // What they refuse rests on tables that are not known here.
        Operation::CreateIndex(create) => create.concurrently,
        Operation::Drop(drop) => drop.concurrently,
        Operation::Reindex(reindex) => reindex.concurrently,
        other => refused_in_transaction(other, &Schema::new(Major::NEWEST), Major::NEWEST),
    }
}
