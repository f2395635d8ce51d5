//! Where a replay begins and ends: with its history, or where its majors parted.

use std::ops::Range;
use std::sync::Arc;

use super::super::{Past, Plan, State};
use crate::data::Moment;
use crate::operation::Origin;
use crate::schema::Schema;
use crate::source::Span;
use crate::version::{Major, Standing};

/// The state of a replay between two migrations, with no transaction open.
#[derive(Debug, Clone)]
pub struct Start {
    /// In order, without gaps.
    pub majors: Vec<Major>,
    /// The number of the migration that comes next.
    pub migration: usize,
    /// The migrations that are told of; those before them were told of already. The replay ends with them.
    pub told: Range<usize>,
    /// It looks at some migrations once more, for some majors of a replay that goes on without it.
    pub(super) is_aside: bool,
    pub(super) state: State,
    pub(super) unit_start: State,
    pub(super) before_judged: Option<State>,
    pub(super) moment: Moment,
    pub(super) past: Past,
}

/// Majors that stood for one state no longer do: each group goes on for itself, to the end or for some migrations.
#[derive(Debug, Clone)]
pub struct Parted {
    /// The migrations that are to be told anew: what was told of them holds for none of the majors.
    pub anew: Range<usize>,
    pub groups: [Start; 2],
}

impl Start {
    /// Before the first migration.
    pub fn of(plan: &Plan, majors: &[Major]) -> Start {
        let mut state = State::new(majors.first().copied().unwrap_or(Major::NEWEST));
        if !plan.history.complete {
            state.edit_schema().expect_unseen();
        }
        if let (Some(schema), Some(first)) = (plan.history.search_path.first(), plan.history.migrations.first()) {
            let at = Origin::at(Span { source: first.source, start: 0, end: 0 });
            state.edit_schema().expect_schema(schema, &at);
        }
        state.edit_data().state_facts(&plan.settings.facts);
        let start = Start {
            majors: majors.to_vec(),
            migration: 0,
            told: 0..plan.history.migrations.len(),
            is_aside: false,
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

    pub fn is_aside(&self) -> bool {
        self.is_aside
    }

    /// What was replayed up to here, where no transaction is open.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state before the first judged migration, once it is passed.
    pub fn before_judged(&self) -> Option<&State> {
        self.before_judged.as_ref()
    }

    /// Migrations that it is to tell of.
    pub fn judged(&self, plan: &Plan) -> usize {
        plan.history.migrations[self.told.clone()].iter().filter(|one| one.judged).count()
    }

    /// Before a migration that runs by itself.
    pub(super) fn aside(migration: usize, state: &State, majors: &[Major], moment: Moment) -> Start {
        Start {
            majors: majors.to_vec(),
            migration,
            told: migration..migration,
            is_aside: true,
            before_judged: None,
            unit_start: state.clone(),
            state: state.clone(),
            moment,
            past: Past::default(),
        }
    }

    fn standing_for(mut self, majors: &[Major]) -> Start {
        let standing = Standing::of(majors);
        self.majors = majors.to_vec();
        self.state.edit_schema().stand_for(standing);
        self.unit_start.edit_schema().stand_for(standing);
        if let Some(before) = &mut self.before_judged {
            before.edit_schema().stand_for(standing);
        }
        self.past.stand_for(standing);
        self
    }

    /// What goes on for those before a major, and for the others.
    pub(super) fn part(mut self, major: Major) -> Parted {
        self.told.start = self.told.start.max(self.migration);
        let majors = self.majors.clone();
        let (before, since) = majors.split_at(majors.partition_point(|one| *one < major));
        let others = self.clone().standing_for(since);
        Parted { anew: self.told.clone(), groups: [self.standing_for(before), others] }
    }

    /// The same for what is judged up to a migration, while they go on together.
    pub(super) fn part_aside(mut self, major: Major, end: usize) -> Parted {
        self.told.end = end;
        self.is_aside = true;
        self.part(major)
    }
}
