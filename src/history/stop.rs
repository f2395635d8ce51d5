//! Stops: the states in which a migration can end without having run through, and why.

use std::cell::OnceCell;
use std::sync::Arc;

use imbl::Vector;

use super::{Context, Course, Follows, Passage, Passed, Plan, State, Whole, course};
use crate::operation::{CreateIndex, Ident, KeyPart, LockMode, Operation, TableActionKind};
use crate::schema::{Column, ColumnId, IndexColumn, IndexKey, Phase, Relation, RelationId, Table};
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
    /// Those on which it comes about for that reason.
    pub majors: Vec<Major>,
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

    /// The same, where somebody has asked for it.
    pub fn known_down(&self) -> Option<&'a Course> {
        self.ends.down.get()?.as_ref()
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
    let mut found = Vec::new();
    for (passed, unit) in course.units.iter().enumerate() {
        if found.len() >= MOST_STOPS {
            break;
        }
        unit_stops(context, (course, unit), passed, &mut found);
    }
    found
}

/// Why a step can fail on one major.
struct Reasons {
    major: Major,
    checks: Vec<DataCheck>,
    waits: bool,
}

fn reasons(context: &Context, step: &Passed, (start, before): (&State, &State)) -> Vec<Reasons> {
    let may_hold_rows = |table: RelationId| !context.is_new(before, table) && before.data.emptied(table).is_none();
    let after = step.around.as_ref().map(|around| &around.1);
    let on = |major: &Major| {
        let effects = effects(&step.operation, &before.schema, *major, &SessionFacts::default());
        let can_fail = |check: &DataCheck| {
            may_hold_rows(check.relation)
                && !context.is_about_new_columns(before, after, &step.operation, check)
                && !is_kept_by_another([start, before], &step.operation, check)
        };
        let waits =
            effects.locks.iter().any(|(table, mode)| *mode >= LockMode::ShareUpdateExclusive && may_hold_rows(*table));
        Reasons { major: *major, checks: effects.validates.into_iter().filter(can_fail).collect(), waits }
    };
    context.majors.iter().map(on).collect()
}

fn unit_stops(context: &Context, (course, unit): (&Course, &Passage), passed: usize, found: &mut Vec<Stop>) {
    let alone = unit.steps.len() == 1;
    let start = course.units.first().map_or(&unit.before, |first| &first.before);
    let mut told = false;
    for (step, before) in unit.steps.iter().zip(&unit.befores) {
        if step.applied.failure().is_some() || !alone && (passed == 0 || told) {
            continue;
        }
        let reasons = reasons(context, step, (start, before));
        let of = |wanted: &dyn Fn(&Reasons) -> bool| -> Vec<Major> {
            reasons.iter().filter(|one| wanted(one)).map(|one| one.major).collect()
        };
        let on_data = of(&|one| !one.checks.is_empty());
        let checks = reasons.iter().map(|one| &one.checks).find(|checks| !checks.is_empty()).cloned();
        let mut add = |why: Why, phase: Option<Phase>, state: State, majors: Vec<Major>| {
            if !majors.is_empty() {
                found.push(Stop { step: step.clone(), why, passed, phase, state, majors });
            }
        };
        if alone {
            for phase in [Phase::Early, Phase::Late] {
                let Some(schema) = before.schema.left_by(&step.operation, &step.origin, phase) else { continue };
                let state = State { schema: Arc::new(schema), data: before.data.clone() };
                told = true;
                // Duplicates end a build before its last wait.
                if let Some(checks) = checks.clone().filter(|_| phase == Phase::Early) {
                    add(Why::Data(checks), Some(phase), state.clone(), on_data.clone());
                    add(Why::Cancelled, Some(phase), state, of(&|one| one.checks.is_empty()));
                } else {
                    add(Why::Cancelled, Some(phase), state, context.majors.to_vec());
                }
            }
        }
        if passed == 0 || told {
            continue;
        }
        // One reason is enough: the transaction leaves the same, whichever of its steps fails.
        if let Some(checks) = checks {
            add(Why::Data(checks), None, unit.before.clone(), on_data);
            told = true;
        }
        let waiting = of(&|one| one.checks.is_empty() && one.waits);
        if !waiting.is_empty() && step.certain {
            let why = if unit.lock_timeout { Why::LockTimeout } else { Why::Cancelled };
            add(why, None, unit.before.clone(), waiting);
            told = true;
        }
    }
}

/// A unique key over some of the columns stands, or stood until this migration: no two rows are alike in all of them.
fn is_kept_by_another(states: [&State; 2], operation: &Operation, check: &DataCheck) -> bool {
    let Operation::CreateIndex(create) = operation else { return false };
    if check.kind != DataCheckKind::Unique || create.nulls_not_distinct {
        return false;
    }
    states.into_iter().any(|state| {
        let Some(table) = state.schema.get_relation(check.relation).and_then(Relation::as_table) else { return false };
        let wanted: Vec<ColumnId> = key_columns(create, table).map(|column| column.id).collect();
        table.indexes.iter().filter_map(|id| state.schema.get_relation(*id)?.as_index()).any(|index| {
            let is_wanted = |part: &IndexColumn| matches!(&part.key, IndexKey::Column(id) if wanted.contains(id));
            index.unique && index.valid && index.filter.is_none() && index.parts.iter().all(is_wanted)
        })
    })
}

/// The columns that an index is over; expressions are none.
fn key_columns<'a>(create: &'a CreateIndex, table: &'a Table) -> impl Iterator<Item = &'a Column> {
    create.parts.iter().filter_map(|part| match &part.key {
        KeyPart::Column(name) => table.column(name),
        KeyPart::Expression(_) => None,
    })
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
        // Its rows hold NULL there, which is like nothing.
        if check.kind == DataCheckKind::Unique
            && let Operation::CreateIndex(create) = operation
            && !create.nulls_not_distinct
        {
            let is_empty = |column: &Column| {
                let fills = before.data.column_fills(check.relation, column.id);
                is_new(column) && column.default.is_none() && column.identity.is_none() && fills.is_empty()
            };
            return key_columns(create, table).any(is_empty);
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

    /// Its down from a state; `None` where it has none.
    pub fn run_back(&self, number: usize, state: &State, majors: &[Major]) -> Option<Course> {
        let down = self.history.migrations[number].down.as_ref()?;
        Some(course(self, number, down, state, majors, Follows::Schema))
    }
}
