//! Where a replay begins: at the beginning of a history, or where its majors parted.

use std::sync::Arc;

use super::super::{Past, Plan, State};
use crate::data::Moment;
use crate::schema::Schema;
use crate::version::{Major, NOT_NULL_ROWS, Standing};

/// The state of a replay between two migrations, with no transaction open.
#[derive(Debug, Clone)]
pub struct Start {
    /// In order, without gaps.
    pub majors: Vec<Major>,
    /// The number of the migration that comes next.
    pub migration: usize,
    /// The first migration that is told of: those before it were told of already.
    pub(super) told_from: usize,
    pub(super) state: State,
    pub(super) unit_start: State,
    /// The state before the first judged migration, once it is passed.
    pub(super) before_judged: Option<State>,
    pub(super) moment: Moment,
    pub(super) past: Past,
}

/// Majors that stood for one state no longer do: each group goes on for itself. What was told of the migrations from
/// there on holds for none of them.
#[derive(Debug)]
pub struct Parted {
    /// The first migration that is to be told anew.
    pub at: usize,
    pub groups: [Start; 2],
}

impl Start {
    /// Before the first migration.
    pub fn of(plan: &Plan, majors: &[Major]) -> Start {
        let mut state = State::new(majors.first().copied().unwrap_or(Major::NEWEST));
        if !plan.history.complete {
            state.edit_schema().expect_unseen();
        }
        state.edit_data().state_facts(&plan.settings.facts);
        let start = Start {
            majors: majors.to_vec(),
            migration: 0,
            told_from: 0,
            before_judged: None,
            unit_start: state.clone(),
            state,
            moment: Moment::default(),
            past: Past::default(),
        };
        start.standing_for(majors)
    }

    /// The same, onto a schema that is there.
    #[must_use]
    pub fn on(mut self, schema: Schema) -> Start {
        self.state.schema = Arc::new(schema);
        self.unit_start.schema = self.state.schema.clone();
        let majors = self.majors.clone();
        self.standing_for(&majors)
    }

    fn standing_for(mut self, majors: &[Major]) -> Start {
        let standing = Arc::new(Standing::of(majors));
        self.majors = majors.to_vec();
        self.state.edit_schema().stand_for(&standing);
        self.unit_start.edit_schema().stand_for(&standing);
        if let Some(before) = &mut self.before_judged {
            before.edit_schema().stand_for(&standing);
        }
        self.past.stand_for(&standing);
        self
    }

    /// What goes on for those before a major, and for the others.
    pub(super) fn part(self, plan: &Plan, major: Major) -> Parted {
        let majors = self.majors.clone();
        let (before, since) = majors.split_at(majors.partition_point(|one| *one < major));
        let others = if major == NOT_NULL_ROWS {
            // Their rows were not kept: they are made once more, from the beginning.
            Start { told_from: self.migration, ..Start::of(plan, since) }
        } else {
            self.clone().standing_for(since)
        };
        Parted { at: self.migration, groups: [self.standing_for(before), others] }
    }
}
