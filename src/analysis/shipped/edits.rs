//! Shipped migrations whose text is another now: what each of them leaves on databases that ran it.

use super::{MOST_EDITED, Ships};
use crate::finding::Finding;
use crate::history::{Migration, State};
use crate::rules::alike::renamed;
use crate::rules::shipped::{self, Edit};
use crate::schema::difference::{Change, ChangeKind};
use crate::source::Span;

impl Ships<'_> {
    pub(super) fn edited(
        &self,
        (edited, gone, fresh): (&[usize], &[usize], &[usize]),
        (before, new): (&State, &State),
        all: &[Change],
    ) -> Vec<Finding> {
        let alone = edited.len() == 1 && gone.is_empty();
        // Together they may come to nothing: a statement that moved from one to another.
        let nothing = all.is_empty();
        // Of what deleted ones leave behind is told with them.
        let changes_of_gone = if gone.is_empty() { Vec::new() } else { self.left_by(gone, new) };
        let (mut found, mut told, mut alike) = (Vec::new(), Vec::new(), Vec::new());
        for number in edited.iter().take(MOST_EDITED) {
            let changes = match (nothing, alone) {
                (true, _) => Vec::new(),
                (_, true) => all.to_vec(),
                _ => {
                    let shipped = self.shipped(*number).unwrap_or(*number);
                    let with: Vec<usize> = fresh.iter().map(|one| if one == number { shipped } else { *one }).collect();
                    let mut changes = self.differences(&self.end(&with), new);
                    // What the other texts, as shipped, have taken away or made otherwise is on no database.
                    changes.retain(|change| all.iter().any(|one| one.name == change.name && one.kind == change.kind));
                    changes.retain(|change| !is_of_kept_table(change, &changes_of_gone));
                    changes
                }
            };
            if self.never_ran(*number) {
                told.extend(changes);
                continue;
            }
            let stops = self.stops(*number, (before, new), &changes);
            if changes.is_empty() && stops.is_empty() {
                alike.push(*number);
            } else {
                found.extend(self.edit(*number, &changes, &stops, (before, new)));
            }
            told.extend(changes);
        }
        let is_told = |change: &&Change| told.iter().any(|one| one.name == change.name && one.kind == change.kind);
        let mut left: Vec<Change> = all.iter().filter(|change| !is_told(change)).cloned().collect();
        for number in edited.iter().skip(MOST_EDITED) {
            match std::mem::take(&mut left) {
                changes if changes.is_empty() => alike.push(*number),
                changes => found.extend(self.edit(*number, &changes, &[], (before, new))),
            }
        }
        found.extend(self.alike(&alike, false));
        found
    }

    /// Edits that change no schema: what the runner makes of them is one fault, however many there are.
    pub(super) fn alike(&self, edited: &[usize], only_format: bool) -> Option<Finding> {
        let (first, rest) = edited.split_first()?;
        let places = rest.iter().map(|number| self.place(&self.history.migrations[*number], self.shipped(*number)));
        let also: Vec<Span> = places.collect();
        let hardly_ran = self.history.hardly_ran(edited);
        shipped::edited(&Edit { also: &also, only_format, hardly_ran, ..self.edit_of(*first) }, self.severities[0])
    }

    fn edit(
        &self,
        number: usize,
        changes: &[Change],
        stops: &[(String, Vec<Change>)],
        (before, new): (&State, &State),
    ) -> Option<Finding> {
        let own = self.history.migrations[number].source;
        // Another one makes it: what it lacks for is that the shipped text drops it.
        let is_others = |change: &&Change| {
            let made = new.schema.tables().find(|(relation, _)| relation.name.prints_as(&change.name));
            made.is_some_and(|(relation, _)| relation.existence.origin().span.source != own)
        };
        let lacks = changes.iter().filter(|change| change.kind == ChangeKind::Missing && change.object == "table");
        let dropped: Vec<String> = lacks.filter(is_others).map(|change| change.name.clone()).collect();
        let left_to_readers = stops.is_empty() && is_left_to_readers(&self.history.migrations[number], changes);
        // Where it stopped half way, a database is not what the dump shows.
        let kept_dump = self.history.kept_dump.as_deref().filter(|_| stops.is_empty());
        let renames = renamed(&before.schema, &new.schema, changes);
        let edit = Edit {
            changes,
            stops,
            left_to_readers,
            kept_dump,
            dropped: &dropped,
            renames: &renames,
            there: stops.is_empty().then_some(&*before.schema),
            ..self.edit_of(number)
        };
        shipped::edited(&edit, self.severities[0])
    }

    fn edit_of(&self, number: usize) -> Edit<'_> {
        let shipped = self.shipped(number);
        Edit {
            at: self.at(number),
            place: self.place(&self.history.migrations[number], shipped),
            shipped: shipped.map(|one| self.first(&self.history.migrations[one])),
            also: &[],
            framework: self.history.framework,
            after_edit: self.history.runner.after_edit,
            usual: self.history.usual_edits,
            fails_on_rows: self.fails_on_rows(number),
            said_unreleased: self.said_unreleased(Some(number)),
            is_released: self.history.migrations[number].is_released,
            only_format: false,
            changes: &[],
            stops: &[],
            certain: true,
            dropped: &[],
            renames: &[],
            left_to_readers: false,
            hardly_ran: self.history.migrations[number].hardly_ran.as_ref(),
            kept_dump: None,
            there: None,
        }
    }
}

/// A comment names each index that only databases of the shipped text keep: making it is left to whoever wants it.
fn is_left_to_readers(migration: &Migration, changes: &[Change]) -> bool {
    let named = |change: &Change| {
        let name = change.name.rsplit('.').next().unwrap_or(&change.name).trim_matches('"');
        let says = |text: &str| text.to_uppercase().contains("INDEX") && text.contains(name);
        migration.comments.iter().any(|comment| says(&comment.text))
    };
    let is_index = |change: &Change| change.kind == ChangeKind::Extra && change.object == "index";
    !changes.is_empty() && changes.iter().all(|change| is_index(change) && named(change))
}

/// It belongs to a table that databases keep whole.
fn is_of_kept_table(change: &Change, kept: &[Change]) -> bool {
    let mut tables = kept.iter().filter(|one| one.object == "table");
    change.kind == ChangeKind::Extra
        && tables.any(|table| change.name.strip_prefix(&table.name).is_some_and(|rest| rest.starts_with('.')))
}
