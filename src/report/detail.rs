//! What a judged migration does step by step, for reports that show it. Gathered from one replay, and only when asked for.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::finding::MigrationRef;
use crate::history::{Event, State, Step, Whole};
use crate::operation::{LockMode, Origin};
use crate::rules::stopped;
use crate::schema::{Relation, RelationId, RelationKind, Schema};
use crate::server::{Effects, RewriteKind};
use crate::version::Major;

/// A judged migration, with the state on either side.
#[derive(Debug, Clone)]
pub struct Detail {
    pub at: MigrationRef,
    /// Whose locks and rewrites these are.
    pub major: Major,
    pub steps: Vec<StepDetail>,
    /// Steps beyond [`STEPS`], which are counted only.
    pub further_steps: usize,
    /// Where it can end half way, and what it leaves then, a sentence each.
    pub stops: Vec<String>,
    /// Tables and views that it locks or writes, and that are there after it or before.
    pub touched: BTreeSet<RelationId>,
    pub before: State,
    pub after: State,
}

/// Steps of one migration that are kept: nobody reads more.
pub const STEPS: usize = 400;

/// Stops that are told.
const STOPS: usize = 40;

/// One statement as it ran.
#[derive(Debug, Clone)]
pub struct StepDetail {
    pub origin: Origin,
    /// The kind of operation, as in fingerprints.
    pub operation: &'static str,
    /// Steps with the same number become visible to others together.
    pub unit: usize,
    pub transaction: InTransaction,
    /// False where it is not known whether it runs.
    pub certain: bool,
    /// PostgreSQL refuses it, with this message.
    pub failure: Option<String>,
    /// Of tables and views that others can see.
    pub locks: Vec<(String, LockMode)>,
    pub work: Vec<Work>,
    /// What it asks of the rows that are there: tables by name.
    pub depends_on: Vec<String>,
    pub waits_for_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTransaction {
    /// A statement by itself.
    No,
    /// Of the runner, or of several statements sent as one.
    Implied,
    /// Its BEGIN stands in the script.
    Written,
}

/// What takes time in proportion to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub kind: WorkKind,
    pub relation: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkKind {
    Scan,
    Rewrite,
    IndexBuild,
}

impl WorkKind {
    pub fn words(self) -> &'static str {
        match self {
            WorkKind::Scan => "reads all of",
            WorkKind::Rewrite => "rewrites",
            WorkKind::IndexBuild => "builds an index of",
        }
    }
}

/// Takes down the events of one replay.
#[derive(Debug, Default)]
pub struct Recorder {
    details: Vec<Detail>,
    steps: Vec<StepDetail>,
    further: usize,
    touched: BTreeSet<RelationId>,
    unit: usize,
}

impl Recorder {
    pub fn note(&mut self, event: Event, major: Major) {
        match event {
            Event::Step(step) => self.step(step, major),
            Event::Unit(_) => self.unit += 1,
            Event::Whole(whole) => self.whole(whole, major),
            Event::Unread(_) | Event::Call(_) => {}
        }
    }

    /// What was noted of these migrations does not hold.
    pub fn forget(&mut self, migrations: &Range<usize>) {
        self.details.retain(|detail| !migrations.contains(&detail.at.migration));
        self.steps.clear();
        self.further = 0;
        self.touched.clear();
    }

    pub fn into_details(self) -> Vec<Detail> {
        self.details
    }

    fn step(&mut self, step: &Step, major: Major) {
        if self.steps.len() >= STEPS {
            self.further += 1;
            return;
        }
        let effects = step.effects(major);
        let schema = &step.before.schema;
        // Views, indexes and sequences are locked with their tables; they would only hide these.
        let tables = effects.locks.iter().filter(|(id, _)| schema.get_relation(*id).is_some_and(is_table));
        self.touched.extend(tables.clone().map(|(id, _)| *id));
        let felt = tables.filter(|(id, _)| !step.is_new(*id));
        let transaction = match &step.session.transaction {
            None => InTransaction::No,
            Some(open) if open.implied => InTransaction::Implied,
            Some(_) => InTransaction::Written,
        };
        let depends_on = effects.validates.iter().filter(|check| !step.is_new(check.relation));
        self.steps.push(StepDetail {
            origin: step.origin.clone(),
            operation: step.operation.word(),
            unit: self.unit,
            transaction,
            certain: step.certain,
            failure: step.applied.failure().map(|failure| failure.message.clone()),
            locks: felt.map(|(id, mode)| (name(schema, *id), *mode)).collect(),
            work: work(step, &effects),
            depends_on: unique(depends_on.map(|check| name(schema, check.relation))),
            waits_for_all: effects.waits_for_all_transactions,
        });
    }

    fn whole(&mut self, whole: &Whole, major: Major) {
        let (before, after) = (&whole.before.schema, &whole.after.schema);
        let ids = |schema: &Schema| -> BTreeSet<RelationId> {
            schema.relations().filter(|relation| is_table(relation)).map(|relation| relation.id).collect()
        };
        let (old, new) = (ids(before), ids(after));
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(old.symmetric_difference(&new));
        touched.retain(|id| old.contains(id) || new.contains(id));
        self.details.push(Detail {
            at: whole.context.at,
            major,
            steps: std::mem::take(&mut self.steps),
            further_steps: std::mem::take(&mut self.further),
            stops: stops(whole),
            touched,
            before: whole.before.clone(),
            after: whole.after.clone(),
        });
    }
}

/// The stops that leave something, each told once.
fn stops(whole: &Whole) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for stop in whole.stops().iter().filter(|stop| !stopped::left_over(whole, stop).is_empty()).take(STOPS) {
        let line = stopped::line(whole, stop);
        if !told.contains(&line) {
            told.push(line);
        }
    }
    told
}

fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Table(_) | RelationKind::View(_))
}

fn name(schema: &Schema, id: RelationId) -> String {
    crate::schema::definition::relation_name(schema, id)
}

/// Long work on tables that others use.
fn work(step: &Step, effects: &Effects) -> Vec<Work> {
    let scans = effects.scans.iter().map(|scan| (WorkKind::Scan, scan.relation));
    let rewrites = effects.rewrites.iter().filter(|rewrite| rewrite.kind != RewriteKind::Emptied);
    let rewrites = rewrites.map(|rewrite| (WorkKind::Rewrite, rewrite.relation));
    let builds = effects.index_builds.iter().map(|build| (WorkKind::IndexBuild, build.table));
    let found = scans.chain(rewrites).chain(builds).filter(|(_, id)| !step.is_new(*id));
    let mut work: Vec<Work> = Vec::new();
    for (kind, id) in found {
        let one = Work { kind, relation: name(&step.before.schema, id) };
        if !work.contains(&one) {
            work.push(one);
        }
    }
    work
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}
