//! What databases have that ran a shipped text, or stopped in the middle of it.

use super::{Ships, differences};
use crate::history::{AfterFailure, Event, Migration, Plan, SinceBase, State, TransactionUnit, replay, stops};
use crate::operation::{ColumnDefinition, Ident, Name, Operation, TableActionKind};
use crate::rules::stopped::doing;
use crate::schema::Existence;
use crate::schema::difference::Change;

/// Stops from which the rest is run.
const MOST_STOPS: usize = 24;
/// Migrations after a stop that are run from it.
const MOST_AFTER: usize = 64;

/// A table that is so old when a migration comes holds rows; where versions are no dates, so many others lie between.
const OLD_DAYS: u32 = 10;
const OLD_FILES: usize = 10;

impl Ships<'_> {
    /// The shipped text fails for certain where it stands: no database has come past it, and all run the new one.
    pub(super) fn never_ran(&self, edited: usize) -> bool {
        let Some(shipped) = self.shipped(edited) else { return false };
        let numbers = self.numbers(|one| one.since_base != SinceBase::Edited);
        let Some(place) = numbers.iter().position(|number| *number == shipped) else { return false };
        let repeats = |number: &&usize| self.history.migrations[**number].repeatable;
        let mut own: Vec<usize> = numbers[..place].to_vec();
        // Where it was the newest, what is repeated had run before it.
        let is_newest = !numbers[place + 1..].iter().any(|number| {
            let one = &self.history.migrations[*number];
            !one.repeatable && one.since_base != SinceBase::Added
        });
        if is_newest {
            own.extend(numbers[place + 1..].iter().filter(repeats));
        }
        own.push(shipped);
        let place = own.len() - 1;
        let mut history = self.of(&own);
        history.migrations[place].judged = true;
        let plan = Plan::new(&history, 0, self.settings, Vec::new());
        let fails = |major| {
            let mut fails = false;
            replay(&plan, major, &mut |event| {
                if let Event::Whole(whole) = event {
                    fails |= whole.course().failed.is_some() && !whole.course().unread;
                }
            });
            fails
        };
        // What only the newest refuses has run on the others.
        let mut ends: Vec<_> = self.settings.postgres.majors().collect();
        ends.drain(1..ends.len().saturating_sub(1));
        ends.into_iter().all(fails)
    }

    /// The table of which the shipped text fails wherever it holds a row: it asks for a value in a new column that has
    /// none. An old table holds rows.
    pub(super) fn fails_on_rows(&self, edited: usize) -> Option<String> {
        let shipped = self.shipped(edited)?;
        let text = &self.history.migrations[shipped];
        let name = asks_without_value(text)?;
        let numbers = self.numbers(|one| one.since_base != SinceBase::Edited);
        let place = numbers.iter().position(|number| *number == shipped)?;
        let before = self.end(&numbers[..place]);
        let table = before.schema.find_table(&name)?;
        let is_old = match &table.existence {
            Existence::Assumed { .. } => true,
            existence => {
                let source = existence.origin().span.source;
                let maker = numbers.iter().position(|number| self.history.migrations[*number].source == source)?;
                let made = self.history.migrations[numbers[maker]].made;
                match made.zip(text.made) {
                    Some((made, then)) => made + OLD_DAYS <= then,
                    None => maker + OLD_FILES <= place,
                }
            }
        };
        is_old.then(|| table.name.short())
    }

    /// Where databases on which the shipped text stopped half way come to with all that follows, and would not if it
    /// stood as it was shipped.
    pub(super) fn stops(
        &self,
        edited: usize,
        (before, new): (&State, &State),
        known: &[Change],
    ) -> Vec<(String, Vec<Change>)> {
        let Some(shipped) = self.shipped(edited) else { return Vec::new() };
        let numbers = self.numbers(|one| one.since_base != SinceBase::Edited);
        let Some(place) = numbers.iter().position(|number| *number == shipped) else { return Vec::new() };
        let migration = &self.history.migrations[shipped];
        let after = numbers.len() - place - 1;
        if migration.transaction != TransactionUnit::Statement || after > MOST_AFTER {
            return Vec::new();
        }
        // Last in the list, so that the others keep their order: the new text.
        let mut history = self.of(&[numbers.as_slice(), &[edited]].concat());
        let new_text = history.migrations.len() - 1;
        history.migrations[place].judged = true;
        let majors = [self.settings.postgres.newest];
        let plan = Plan::new(&history, 0, self.settings, Vec::new());
        let mut ends = Vec::new();
        replay(&plan, majors[0], &mut |event| {
            if let Event::Whole(whole) = event {
                ends = stops(&whole.context, whole.course());
            }
        });
        let mut found: Vec<(String, Vec<Change>)> = Vec::new();
        for stop in ends.iter().filter(|stop| !stop.on_data().is_empty()).take(MOST_STOPS) {
            let goes_on = |first: usize| {
                let mut state = stop.state.clone();
                if self.history.runner.after_failure == AfterFailure::RunsAgain {
                    let again = plan.run_from(first, &state, &majors);
                    if again.failed.is_some() {
                        return None;
                    }
                    state = again.end;
                }
                for number in place + 1..new_text {
                    state = plan.run_from(number, &state, &majors).end;
                }
                Some(state)
            };
            // It does not get on from here: that is another fault.
            let Some(state) = goes_on(new_text) else { continue };
            let own = goes_on(place).map(|state| differences(&state, before)).unwrap_or_default();
            let is_known = |change: &Change| {
                let is = |one: &&Change| one.name == change.name && one.kind == change.kind;
                known.iter().any(|one| is(&one)) || own.iter().any(|one| is(&one) && one.text == change.text)
            };
            let mut changes = differences(&state, new);
            changes.retain(|change| !is_known(change));
            if !changes.is_empty() {
                found.push((format!("from where {} fails", doing(&stop.step)), changes));
            }
        }
        found
    }
}

/// The table to which it adds a column that must have a value, at once or in the next breath, and has none.
fn asks_without_value(migration: &Migration) -> Option<Name> {
    let has_none = |column: &ColumnDefinition| {
        column.default.is_none() && column.identity.is_none() && column.generated.is_none() && !column.serial
    };
    let mut empty: Vec<(Name, Ident)> = Vec::new();
    let (mut found, mut is_plain): (Option<Name>, bool) = (None, true);
    let mut read = |operation: &Operation| match operation {
        Operation::AlterTable(alter) => {
            for action in &alter.actions {
                let asks = match &action.kind {
                    TableActionKind::AddColumn { column, .. } if has_none(column) => {
                        empty.push((alter.table.clone(), column.name.clone()));
                        column.not_null.is_some()
                    }
                    TableActionKind::SetNotNull { column } => {
                        empty.iter().any(|(table, name)| *table == alter.table && name == column)
                    }
                    _ => false,
                };
                if asks && is_plain && found.is_none() {
                    found = Some(alter.table.clone());
                }
            }
        }
        Operation::CreateTable(_) | Operation::CreateIndex(_) | Operation::Drop(_) => {}
        // Whatever else it is may fill the column, or empty the table.
        _ => is_plain = false,
    };
    migration.up.nodes.iter().for_each(|node| node.statements(&mut |statement| read(&statement.operation)));
    found
}
