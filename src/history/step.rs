//! What a rule sees: a step, a unit of steps that become visible together, a whole migration.

use std::sync::Arc;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Deref, RangeInclusive};

use super::{Ends, Migration, Past, Plan, Session};
use crate::data::Data;
use crate::finding::MigrationRef;
use crate::operation::{Ident, Name, Operation, Origin};
use crate::schema::{Applied, Existence, Relation, RelationId, Schema};
use crate::server::{Effects, effects_alike};
use crate::settings::Settings;
use crate::version::Major;

/// The schema and what is known of its data, at one point of a history. Cloning costs next to nothing.
#[derive(Debug, Clone)]
pub struct State {
    pub schema: Arc<Schema>,
    pub data: Arc<Data>,
}

impl State {
    pub fn new(major: Major) -> State {
        State { schema: Arc::new(Schema::new(major)), data: Arc::default() }
    }

    pub(super) fn edit_schema(&mut self) -> &mut Schema {
        Arc::make_mut(&mut self.schema)
    }

    pub(super) fn edit_data(&mut self) -> &mut Data {
        Arc::make_mut(&mut self.data)
    }
}

/// What every rule may ask, whatever it looks at.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub plan: &'a Plan<'a>,
    pub settings: &'a Settings,
    pub migration: &'a Migration,
    pub at: MigrationRef,
    /// The majors that this replay stands for; the schema follows the rules of the first.
    pub majors: &'a [Major],
}

/// One operation at its place in history.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub context: Context<'a>,
    pub(super) passed: &'a Passed,
    pub operation: &'a Operation,
    pub origin: &'a Origin,
    pub before: &'a State,
    pub after: &'a State,
    pub session: &'a Session,
    pub applied: &'a Applied,
    /// False where it is not known whether the statement runs.
    pub certain: bool,
    pub(super) known: &'a KnownEffects,
}

/// The effects of one statement, worked out once for all rules that ask, and for all majors that are alike in them.
#[derive(Debug, Default)]
pub struct KnownEffects(RefCell<Vec<(RangeInclusive<Major>, Arc<Effects>)>>);

impl KnownEffects {
    pub(super) fn of(&self, operation: &Operation, schema: &Schema, session: &Session, major: Major) -> Arc<Effects> {
        let mut known = self.0.borrow_mut();
        if let Some((_, effects)) = known.iter().find(|(alike, _)| alike.contains(&major)) {
            return effects.clone();
        }
        let (effects, alike) = effects_alike(operation, schema, major, &session.server_facts());
        let effects = Arc::new(effects);
        known.push((alike, effects.clone()));
        effects
    }
}

impl Step<'_> {
    /// What the server does, on one of this replay's majors.
    pub fn effects(&self, major: Major) -> Arc<Effects> {
        self.known.of(self.operation, &self.before.schema, self.session, major)
    }

    /// Inside a transaction block that holds more than this statement.
    pub fn in_transaction(&self) -> bool {
        self.session.transaction.is_some()
    }

    pub fn is_new(&self, table: RelationId) -> bool {
        self.context.is_new(self.before, table)
    }

    /// As it is remembered when it is over.
    pub fn passed(&self) -> Passed {
        self.passed.clone()
    }
}

/// A step that is over, shared by all that keep it.
#[derive(Debug, Clone)]
pub struct Passed(Arc<PassedStep>);

/// Enough to name it.
#[derive(Debug)]
pub struct PassedStep {
    pub operation: Operation,
    pub origin: Origin,
    pub applied: Applied,
    pub certain: bool,
    /// The state on either side, kept where the statement takes something away or gives it another name.
    pub around: Option<(State, State)>,
}

impl Passed {
    pub(super) fn new(
        operation: &Operation,
        origin: &Origin,
        [before, after]: [&State; 2],
        applied: Applied,
        certain: bool,
    ) -> Passed {
        let takes_away = matches!(
            operation,
            Operation::Drop(_) | Operation::Rename(_) | Operation::SetSchema(_) | Operation::AlterTable(_)
        );
        Passed(Arc::new(PassedStep {
            operation: operation.clone(),
            origin: origin.clone(),
            applied,
            certain,
            around: takes_away.then(|| (before.clone(), after.clone())),
        }))
    }

    /// What a statement took away or renamed: the state before it and after, where it ran.
    pub fn change(&self) -> Option<(&State, &State)> {
        let (before, after) = self.around.as_ref().filter(|_| self.applied.failure().is_none())?;
        Some((before, after))
    }
}

impl Deref for Passed {
    type Target = PassedStep;

    fn deref(&self) -> &PassedStep {
        &self.0
    }
}

/// Steps whose changes other sessions see at once: a transaction, or one statement outside of any.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'a> {
    pub context: Context<'a>,
    pub steps: &'a [Passed],
    pub before: &'a State,
    pub after: &'a State,
}

/// A migration that is over.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    pub context: Context<'a>,
    pub steps: &'a [Passed],
    pub before: &'a State,
    pub after: &'a State,
    pub past: &'a Past,
    pub(super) ends: &'a Ends,
}

impl<'a> Whole<'a> {
    /// A name that stands alone may mean what this schema holds: all tables lie in it, and nothing says along which
    /// search_path the connection looks.
    pub fn may_lie_in_path(&self, schema: &Schema, name: &Name, of: &Ident) -> bool {
        let plan = self.context.plan;
        let is_said = !plan.settings.search_path.is_empty() || !plan.history.search_path.is_empty();
        let known = |one: &Relation| !matches!(one.existence, Existence::Assumed { .. });
        let mut tables = schema.tables().filter(|(table, _)| known(table));
        name.schema.is_none() && !is_said && tables.all(|(table, _)| table.name.schema == *of)
    }

    /// Tables that are there at the end and that statements name which passed: each once, with the first of them.
    pub fn tables(&self, named: fn(&Operation) -> Option<&Name>) -> impl Iterator<Item = (&'a Passed, &'a Relation)> {
        let (schema, mut seen) = (&self.after.schema, BTreeSet::new());
        let passed = self.steps.iter().filter(|step| step.applied.failure().is_none());
        let tables = passed.filter_map(move |step| Some((step, schema.find_table(named(&step.operation)?)?)));
        tables.filter(move |(_, table)| seen.insert(table.id))
    }
}

/// The table that a statement makes, alters or indexes.
pub fn shaped(operation: &Operation) -> Option<&Name> {
    match operation {
        Operation::CreateTable(create) => Some(&create.name),
        Operation::AlterTable(alter) => Some(&alter.table),
        Operation::CreateIndex(create) => Some(&create.table),
        _ => None,
    }
}

impl Context<'_> {
    /// Made in the release that is running, and fed by nothing: no other session waits for it or has rows in it.
    pub fn is_new(&self, state: &State, table: RelationId) -> bool {
        let Some(relation) = state.schema.get_relation(table) else { return true };
        if let Some(view) = relation.as_view() {
            return !view.materialized || self.is_of_this_release(&relation.existence);
        }
        self.is_of_this_release(&relation.existence) && !state.data.is_fed(&state.schema, table)
    }

    /// Named in `small-tables`.
    pub fn is_small(&self, schema: &Schema, table: RelationId) -> bool {
        self.settings.small_tables.iter().any(|name| schema.find(name).is_some_and(|small| small.id == table))
    }

    /// How long it had been there when this migration was written, by the days that both versions name.
    pub fn age_in_days(&self, existence: &Existence) -> Option<u32> {
        let Existence::Created { by } = existence else { return None };
        let creator = self.creator(by)?;
        let (made, now) = (self.plan.history.migrations[creator].made?, self.migration.made?);
        now.checked_sub(made)
    }

    /// Created by a migration of the same release as the one that runs.
    pub fn is_of_this_release(&self, existence: &Existence) -> bool {
        let Existence::Created { by } = existence else { return false };
        self.creator(by).is_some_and(|creator| self.plan.same_release(creator, self.at.migration))
    }

    /// The migration that a statement stands in. Where one text stands twice, as what is judged and as what databases ran
    /// of it, it is the one that runs: the other comes after it.
    pub fn creator(&self, by: &Origin) -> Option<usize> {
        let (creator, here) = (self.plan.migration_of(by.span)?, self.at.migration);
        let is_twin = creator == here + 1 && self.plan.history.migrations[creator].source == self.migration.source;
        Some(if is_twin { here } else { creator })
    }
}
