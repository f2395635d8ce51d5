//! What the dump of the base says of databases that ran what is shipped: it is written from one of them.
//!
//! Gems change what a migration makes, older releases of a framework made something else of the same call, and some
//! statements are only half understood. Where the dump shows that a database has what it is said to lack, or has not
//! what it is said to keep, the dump is right.

use super::Ships;
use crate::history::{SinceBase, State};
use crate::rules::alike::renamed_indexes;
use crate::schema::difference::{Aspect, Change, ChangeKind, Shared};

impl Ships<'_> {
    /// What brings the schema that the dump of the base shows, with what is new here, to the one of a new database.
    /// `None` without a dump.
    pub(super) fn changes_by_dump(&self, new: &State) -> Option<Vec<Change>> {
        let migrations = &self.history.migrations;
        migrations.iter().find(|one| one.dump.is_some())?;
        let is_run = |number: &usize| migrations[*number].since_base != SinceBase::Edited;
        let numbers: Vec<usize> = (0..migrations.len()).filter(is_run).collect();
        let shown = self.end(&numbers);
        let mut changes = shown.schema.difference(&new.schema, Shared::Nothing);
        // What only the migrations make may be missing in a dump that is out of date: it is there by them alone.
        changes.retain(|change| change.kind != ChangeKind::Extra || change.certain);
        Some(renamed_indexes(changes, &shown.schema, &new.schema))
    }

    /// Of what a replay finds, what the dump does not contradict. An index that it has under another name is told as that.
    pub(super) fn agreed(&self, changes: Vec<Change>) -> Vec<Change> {
        let Some(by_dump) = self.by_dump.get().and_then(Option::as_ref) else { return changes };
        let mut agreed: Vec<Change> = Vec::new();
        for change in changes {
            let is = |one: &&Change| one.object == change.object && one.name == change.name;
            let found = by_dump.iter().find(|one| is(one) && one.kind == change.kind);
            let renamed = || by_dump.iter().find(|one| is(one) && one.aspect == Aspect::Name);
            match (found, renamed()) {
                (Some(_), _) => agreed.push(change),
                (None, Some(renamed)) => agreed.push(renamed.clone()),
                (None, None) => {}
            }
        }
        agreed
    }
}
