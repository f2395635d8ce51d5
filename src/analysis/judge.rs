//! Asks the rules about what a replay tells.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::dump;
use super::in_ruby::{Tables, note_tables};
use crate::finding::{FAILS, Finding, MigrationRef, Severity};
use crate::history::{Context, Event, Framework, Migration, Parted, Plan, Start, Told, TransactionUnit, UnreadStep};
use crate::operation::{Operation, TableActionKind};
use crate::project::Project;
use crate::report::{Detail, Recorder};
use crate::rules::{BUILT_IN, Check, Findings, Rule, reading, unreleased};
use crate::schema::Schema;
use crate::source::Span;
use crate::version::Major;

/// What one replay found.
#[derive(Debug, Default)]
pub struct Run {
    /// History, whether it is an aside, first major, first migration told of: runs that end sooner come no sooner.
    pub order: (usize, bool, Option<Major>, usize),
    pub findings: Vec<Finding>,
    pub unread: Vec<UnreadStep>,
    /// Migrations whose way back was not understood whole.
    pub unread_downs: BTreeSet<MigrationRef>,
    /// Calls of migrations in Ruby.
    pub calls: BTreeMap<MigrationRef, usize>,
    /// For each fact of the settings file: this history has no such table at its end.
    pub unknown_facts: Vec<bool>,
    pub details: Vec<Detail>,
    /// The tables of indexes that advice drops.
    pub tables: Tables,
}

impl Run {
    /// What two found that shared the migrations.
    pub fn beside(mut self, other: Run) -> Run {
        self.findings.extend(other.findings);
        self.findings.sort_by_key(|finding| (finding.migration.is_none(), finding.migration));
        self.unread.extend(other.unread);
        self.unread.sort_by_key(|unread| unread.at);
        self.details.extend(other.details);
        self.unread_downs.extend(other.unread_downs);
        self.calls.extend(other.calls);
        self.tables.extend(other.tables);
        self
    }

    /// What only the end of a history shows.
    pub fn look_at_end(&mut self, project: &Project, plan: &Plan, end: &Start, shown: Option<&Schema>) {
        if end.is_aside() {
            return;
        }
        let (schema, settings) = (&end.state().schema, plan.settings);
        self.unknown_facts = settings.facts.iter().map(|fact| schema.find(&fact.table).is_none()).collect();
        let unread = self.unread.iter().any(|unread| unread.judged);
        // What the migrations make where one of them fails, no dump can show.
        let is_dump =
            |span: Span| plan.migration_of(span).is_some_and(|one| plan.history.migrations[one].dump.is_some());
        let fails = self.findings.iter().any(|finding| {
            let of_dump = finding.because.iter().any(|because| is_dump(because.span));
            finding.fault == FAILS && finding.severity > Severity::Note && !of_dump
        });
        let shown = shown.filter(|_| !fails);
        self.findings.extend(shown.and_then(|shown| dump::check(project, plan, end, shown, !unread)));
    }

    /// Forgets what was found of these migrations.
    fn forget(&mut self, migrations: &Range<usize>) {
        let holds = |at: MigrationRef| !migrations.contains(&at.migration);
        self.findings.retain(|finding| finding.migration.is_none_or(holds));
        self.details.retain(|detail| holds(detail.at));
    }
}

/// What a finding says that a comment at the head of its migration makes a note.
const STOPPED: &str = "says that the application is stopped meanwhile: nobody waits, and no older code runs";

/// Asks the rules about what a replay tells.
pub struct Judge<'a> {
    project: &'a Project,
    plan: &'a Plan<'a>,
    run: Run,
    /// One of the replays is enough for readers: the newest.
    recorder: Option<Recorder>,
    extra: Vec<&'static Rule>,
    /// The rules that speak of a migration, and how loud; true where its comment makes them quieter. The same for all of
    /// it, and for most of them.
    asked: Vec<(&'static Rule, Severity, bool)>,
    asked_at: Option<MigrationRef>,
    /// The comment.
    stopped: Option<Span>,
    /// What its one transaction makes: no query that names it runs before the merge, and after it there is nothing to ask.
    made: BTreeSet<String>,
}

impl<'a> Judge<'a> {
    pub fn of(project: &'a Project, plan: &'a Plan<'a>, start: &Start) -> Judge<'a> {
        let settings = plan.settings;
        let order = (plan.index, start.is_aside(), start.majors.first().copied(), start.told.start);
        let recorded = settings.details && start.majors.contains(&settings.postgres.newest);
        Judge {
            project,
            plan,
            run: Run { order, ..Run::default() },
            recorder: recorded.then(Recorder::default),
            extra: Rule::extra(settings),
            asked: Vec::new(),
            asked_at: None,
            stopped: None,
            made: BTreeSet::new(),
        }
    }

    /// Listens as long as there is more. `apart` takes what is to be judged once more.
    pub fn listen(mut self, next: &mut dyn FnMut() -> Option<Told>, apart: &mut dyn FnMut(Parted)) -> Run {
        while let Some(told) = next() {
            let mut parted = None;
            told.tell(self.plan, &mut |event| self.hear(event), &mut |anew| parted = Some(anew));
            if let Some(parted) = parted {
                self.run.forget(&parted.anew);
                self.recorder.iter_mut().for_each(|recorder| recorder.forget(&parted.anew));
                apart(parted);
            }
        }
        self.run.details = self.recorder.map(Recorder::into_details).unwrap_or_default();
        self.run
    }

    fn hear(&mut self, event: Event) {
        let (context, before, after) = match event {
            Event::Step(step) => (&step.context, step.before, step.after),
            Event::Unit(unit) => (&unit.context, unit.before, unit.after),
            Event::Whole(whole) => (&whole.context, whole.before, whole.after),
            Event::Unread(unread) => return self.hear_of_unread(unread.clone()),
            Event::Call(at) => return *self.run.calls.entry(at).or_default() += 1,
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.note(event, self.plan.settings.postgres.newest);
        }
        self.ask_for(context);
        for (rule, severity, is_lowered) in &self.asked {
            let mut findings = Findings::new(rule.id, *severity, context);
            match (rule.check, event) {
                (Check::Step(check), Event::Step(step)) => check(step, &mut findings),
                (Check::Unit(check), Event::Unit(unit)) => check(unit, &mut findings),
                (Check::Whole(check), Event::Whole(whole)) => check(whole, &mut findings),
                (Check::Pattern, Event::Step(step)) => rule.match_page(step, &mut findings),
                _ => continue,
            }
            let mut found = findings.into_found();
            if !found.is_empty() {
                unreleased::soften(rule, context, before, &mut found);
            }
            if let Some(comment) = self.stopped.filter(|_| *is_lowered) {
                found.iter_mut().for_each(|finding| _ = finding.because(comment, STOPPED));
            }
            for finding in &mut found {
                if self.plan.history.framework == Framework::Rails {
                    // What the transaction has dropped before is known to its beginning.
                    let began = match event {
                        Event::Step(step) => step.session.transaction.as_ref().map(|open| &open.before),
                        _ => None,
                    };
                    let states = [Some(before), Some(after), began].into_iter().flatten();
                    note_tables(finding, states.map(|state| &*state.schema), &mut self.run.tables);
                }
                finding.verify.take_if(|query| words(query).any(|word| self.made.contains(word)));
            }
            self.run.findings.extend(found);
        }
        // What no rule has asked for is missed by none.
        if let Event::Whole(whole) = event
            && whole.known_down().is_some_and(|course| course.unread)
        {
            self.run.unread_downs.insert(context.at);
        }
    }

    /// The state is not kept beyond what rests on it.
    fn hear_of_unread(&mut self, mut unread: UnreadStep) {
        if let Some(rows) = unread.rows.take() {
            let (plan, at) = (self.plan, unread.at);
            let migration = &plan.history.migrations[at.migration];
            let context = Context { plan, settings: plan.settings, migration, at, majors: &[] };
            unread.weighed = reading::weigh(&context, &rows);
        }
        self.run.unread.push(unread);
    }

    fn ask_for(&mut self, context: &Context) {
        if self.asked_at == Some(context.at) {
            return;
        }
        let was_stopped = self.stopped.is_some();
        self.stopped = context.migration.is_said_to_stop();
        let stops = self.stopped.is_some();
        let settings = self.plan.settings;
        if self.asked_at.is_none() || was_stopped || stops || settings.has_severities_by_path() {
            let path = self.project.sources.path(context.migration.source);
            let loud = |rule: &'static Rule| {
                let (severity, is_lowered) = rule.severity_in(settings, path, stops);
                (rule, severity, is_lowered)
            };
            let rules = BUILT_IN.iter().chain(self.extra.iter().copied()).map(loud);
            self.asked = rules.filter(|(_, severity, _)| *severity > Severity::Off).collect();
        }
        self.made = made(context.migration);
        self.asked_at = Some(context.at);
    }
}

fn words(query: &str) -> impl Iterator<Item = &str> {
    query.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).filter(|word| !word.is_empty())
}

/// The columns and tables that a migration makes or gives another name, where all of it is one transaction.
fn made(migration: &Migration) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if migration.transaction == TransactionUnit::Statement {
        return found;
    }
    for node in &migration.up.nodes {
        node.statements(&mut |statement| match &statement.operation {
            Operation::AlterTable(alter) => {
                found.extend(alter.actions.iter().filter_map(|action| match &action.kind {
                    TableActionKind::AddColumn { column, .. } => Some(column.name.as_str().to_owned()),
                    _ => None,
                }));
            }
            Operation::CreateTable(create) => _ = found.insert(create.name.name.as_str().to_owned()),
            Operation::Rename(rename) => _ = found.insert(rename.to.as_str().to_owned()),
            _ => {}
        });
    }
    found
}
