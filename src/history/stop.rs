//! Stops: the states in which a migration can end without having run through, and why.

use std::cell::OnceCell;
use std::sync::Arc;

use imbl::Vector;

use super::{Context, Course, Follows, Passage, Passed, Plan, State, Whole, course};
use crate::operation::{Ident, LockMode, Operation, TableActionKind};
use crate::schema::{Column, Phase, Relation, RelationId};
use crate::server::{DataCheck, DataCheckKind, SessionFacts, effects};
use crate::version::{Major, Standing};

/// A state that a migration leaves behind where one of its steps fails.
#[derive(Debug, Clone)]
pub struct Stop {
    pub step: Passed,
    pub why: Why,
    /// Units that have passed: their work stays.
    pub passed: usize,
    /// How far the step itself came, where it commits more than once.
    pub phase: Option<Phase>,
    pub state: State,
}

/// Why a step can fail although it is right.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It asks something of the rows that are there.
    Data(Vec<DataCheck>),
    /// It waits for a lock, and gives up.
    LockTimeout,
    /// It takes long, and is cancelled; or waits for others without end.
    Cancelled,
}

/// Stops of one migration that are kept: who asks looks at the gravest first.
const MOST_STOPS: usize = 200;
/// States before earlier migrations that are kept for those that undo them.
const MOST_PAST: usize = 64;

/// The states before the last migrations. Cloning costs next to nothing.
#[derive(Debug, Clone, Default)]
pub struct Past {
    kept: Vector<(usize, State)>,
    /// On whose rules they are met, where it is not on those they were kept with.
    standing: Option<Standing>,
}

impl Past {
    pub(super) fn keep(&mut self, migration: usize, before: &State) {
        if self.kept.len() == MOST_PAST {
            self.kept.pop_front();
        }
        self.kept.push_back((migration, before.clone()));
    }

    /// These states are met on the rules of those majors from here on.
    pub(super) fn stand_for(&mut self, standing: Standing) {
        self.standing = Some(standing);
    }

    /// The state before a migration, where it is not too long ago.
    pub fn before(&self, migration: usize) -> Option<State> {
        let (_, state) = self.kept.iter().find(|(number, _)| *number == migration)?;
        let mut state = state.clone();
        if let Some(standing) = self.standing {
            state.edit_schema().stand_for(standing);
        }
        Some(state)
    }
}

/// What rules ask of a migration's ends, worked out once.
#[derive(Debug, Default)]
pub struct Ends {
    up: OnceCell<Course>,
    stops: OnceCell<Vec<Stop>>,
    down: OnceCell<Option<Course>>,
}

impl Ends {
    /// With the course of the up, where the history has taken it.
    pub fn of(up: Option<Course>) -> Ends {
        Ends { up: up.map(OnceCell::from).unwrap_or_default(), ..Ends::default() }
    }
}

impl<'a> Whole<'a> {
    /// The migration run by itself.
    pub fn course(&self) -> &'a Course {
        let context = &self.context;
        self.ends.up.get_or_init(|| {
            let up = &context.migration.up;
            course(context.plan, context.at.migration, up, self.before, context.majors, Follows::SchemaAndData)
        })
    }

    /// The states in which it can stop, but for those where nothing of it is left.
    pub fn stops(&self) -> &'a [Stop] {
        self.ends.stops.get_or_init(|| stops(&self.context, self.course()))
    }

    /// Its down, run after its up; `None` where it has none.
    pub fn down(&self) -> Option<&'a Course> {
        let context = &self.context;
        let run = || {
            let down = context.migration.down.as_ref()?;
            // Whether it brings the schema back is asked of it, and nothing of rows.
            Some(course(context.plan, context.at.migration, down, self.after, context.majors, Follows::Schema))
        };
        self.ends.down.get_or_init(run).as_ref()
    }
}

/// A migration's ends, kept beyond its replay.
#[derive(Debug, Clone)]
pub struct Ended {
    pub before: State,
    pub course: Course,
    pub stops: Vec<Stop>,
}

impl Ended {
    pub fn of(whole: &Whole) -> Ended {
        Ended { before: whole.before.clone(), course: whole.course().clone(), stops: whole.stops().to_vec() }
    }
}

/// The stops of a migration that took this course.
pub fn stops(context: &Context, course: &Course) -> Vec<Stop> {
    let Some(major) = context.majors.first().copied() else { return Vec::new() };
    let mut found = Vec::new();
    for (passed, unit) in course.units.iter().enumerate() {
        if found.len() >= MOST_STOPS {
            break;
        }
        unit_stops(context, unit, passed, major, &mut found);
    }
    found
}

fn unit_stops(context: &Context, unit: &Passage, passed: usize, major: Major, found: &mut Vec<Stop>) {
    let alone = unit.steps.len() == 1;
    let mut told = false;
    for (step, before) in unit.steps.iter().zip(&unit.befores) {
        if step.applied.failure().is_some() {
            continue;
        }
        let effects = effects(&step.operation, &before.schema, major, &SessionFacts::default());
        let may_hold_rows = |table: RelationId| !context.is_new(before, table) && before.data.emptied(table).is_none();
        let after = step.around.as_ref().map(|around| &around.1);
        let checks: Vec<DataCheck> = effects
            .validates
            .iter()
            .filter(|check| {
                may_hold_rows(check.relation) && !context.is_about_new_columns(before, after, &step.operation, check)
            })
            .cloned()
            .collect();
        let waits =
            effects.locks.iter().any(|(table, mode)| *mode >= LockMode::ShareUpdateExclusive && may_hold_rows(*table));
        let mut add = |why: Why, phase: Option<Phase>, state: State| {
            found.push(Stop { step: step.clone(), why, passed, phase, state });
        };
        if alone {
            for phase in [Phase::Early, Phase::Late] {
                let Some(schema) = before.schema.left_by(&step.operation, &step.origin, phase) else { continue };
                // Duplicates end a build before its last wait.
                let data = phase == Phase::Early && !checks.is_empty();
                let why = if data { Why::Data(checks.clone()) } else { Why::Cancelled };
                add(why, Some(phase), State { schema: Arc::new(schema), data: before.data.clone() });
                told = true;
            }
        }
        if passed == 0 || told {
            continue;
        }
        // One reason is enough: the transaction leaves the same, whichever of its steps fails.
        if !checks.is_empty() {
            add(Why::Data(checks), None, unit.before.clone());
            told = true;
        } else if waits && step.certain {
            let why = if unit.lock_timeout { Why::LockTimeout } else { Why::Cancelled };
            add(why, None, unit.before.clone());
            told = true;
        }
    }
}

impl Context<'_> {
    /// All columns that are looked at came with this release: what they hold is what its migrations put there.
    pub fn is_about_new_columns(
        &self,
        before: &State,
        after: Option<&State>,
        operation: &Operation,
        check: &DataCheck,
    ) -> bool {
        let Some(table) = before.schema.get_relation(check.relation).and_then(Relation::as_table) else { return false };
        let is_new = |column: &Column| self.is_of_this_release(&column.existence);
        if check.kind == DataCheckKind::NotNull
            && let Operation::AlterTable(alter) = operation
        {
            let mut set = alter.actions.iter().filter_map(|action| match &action.kind {
                TableActionKind::SetNotNull { column } => Some(column),
                _ => None,
            });
            // Without a default the rows of before are NULL, but for what a backfill reached.
            let safe = |name: &Ident| table.column(name).is_some_and(|one| is_new(one) && one.default.is_some());
            return set.clone().next().is_some() && set.all(safe);
        }
        let row = check.constraint.as_ref().zip(after);
        let row = row.and_then(|(name, after)| after.schema.find_constraint(check.relation, name));
        row.is_some_and(|row| {
            let mut columns = row.columns.iter().filter_map(|id| table.column_by_id(*id));
            !row.columns.is_empty() && columns.all(is_new)
        })
    }
}

impl Stop {
    /// Depends on rows that are there: certain on one database, impossible on another.
    pub fn on_data(&self) -> &[DataCheck] {
        match &self.why {
            Why::Data(checks) => checks,
            Why::LockTimeout | Why::Cancelled => &[],
        }
    }
}

impl Plan<'_> {
    /// A migration's course from a state, on the first of these majors.
    pub fn run_from(&self, number: usize, state: &State, majors: &[Major]) -> Course {
        course(self, number, &self.history.migrations[number].up, state, majors, Follows::SchemaAndData)
    }
}
