//! From a project to its report: replays each history on each group of majors, asks the rules, gathers what they say.

mod ahead;
mod bare;
mod changes;
pub mod dump;
mod edited;
mod in_ruby;
mod judge;
mod known;
mod replays;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use self::judge::Run;
use self::replays::replay_all;
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Ended, Event, Framework, History, Migration, Plan, State, UnreadStep, replay};
use crate::operation::Node;
use crate::project::{Base, Project};
use crate::read::directives::{Directives, directives};
use crate::read::on_deep_stack;
use crate::report::{
    BaseSummary, HistorySummary, MigrationSummary, NamedMigration, PlacedAllow, Report, UnreadStatement, fingerprint,
    first_failure, gather, merge_majors, most_specific, one_per_concern, one_per_fault, said_inside, suppress,
    told_inside,
};
use crate::rules::{Rule, reading, stated};
use crate::settings::{Allow, Settings};
use crate::source::Span;
use crate::version::Major;

/// Works out what every judged migration does, and says what is wrong with it.
pub fn analyze(project: &Project, settings: &Settings) -> Report {
    let told = Words::read(project);
    let plans: Vec<Plan> = told.plans(project, settings);
    let runs = replay_all(project, &plans, settings);
    judged(project, settings, &told, runs)
}

/// The state at the end of a history on one major: what `schema` and `graph` print.
pub fn replay_to_end(history: &History, settings: &Settings, major: Major) -> State {
    let plan = Plan::new(history, 0, settings, Vec::new());
    on_deep_stack(|| replay(&plan, major, &mut |_| {}))
}

/// The states around one migration and those it can stop in: what `undo` needs. `None` where it does not run.
pub fn replay_to_ends(history: &History, number: usize, settings: &Settings, major: Major) -> Option<Ended> {
    let mut history = history.clone();
    history.migrations.truncate(number + 1);
    for (place, migration) in history.migrations.iter_mut().enumerate() {
        migration.judged = place == number;
    }
    let plan = Plan::new(&history, 0, settings, Vec::new());
    on_deep_stack(|| {
        let mut ended = None;
        replay(&plan, major, &mut |event| {
            if let Event::Whole(whole) = event {
                ended = Some(Ended::of(whole));
            }
        });
        ended
    })
}

/// What the comments of all migrations say to plimsoll: per history, per migration.
struct Words {
    directives: Vec<Vec<Directives>>,
}

impl Words {
    fn read(project: &Project) -> Words {
        let of = |migration: &Migration| {
            if migration.comments.is_empty() {
                return Directives::default();
            }
            let mut statements = Vec::new();
            for node in migration.up.nodes.iter().chain(migration.down.iter().flat_map(|down| &down.nodes)) {
                node.places(&mut |span| statements.push(span));
            }
            directives(&migration.comments, &statements, &project.sources)
        };
        let histories = project.histories.iter();
        Words { directives: histories.map(|history| history.migrations.iter().map(of).collect()).collect() }
    }

    fn plans<'a>(&self, project: &'a Project, settings: &'a Settings) -> Vec<Plan<'a>> {
        let histories = project.histories.iter().enumerate();
        let plan = |(index, history): (usize, &'a History)| {
            let facts = self.directives[index].iter().map(|one| one.facts.clone()).collect();
            Plan::new(history, index, settings, facts)
        };
        histories.map(plan).collect()
    }

    /// Takes out what is allowed, and adds what is wrong with allows and facts themselves.
    fn judge(
        &self,
        project: &Project,
        settings: &Settings,
        findings: &mut Vec<Finding>,
        severity: &dyn Fn(&'static str) -> Severity,
    ) -> Vec<(Finding, Allow)> {
        let migration = |at: MigrationRef| &project.histories[at.history].migrations[at.migration];
        let mut allows: Vec<PlacedAllow> = Vec::new();
        let mut place = |allow: &Allow, at| allows.push(PlacedAllow { allow: allow.clone(), at, used: false });
        settings.allows.iter().for_each(|allow| place(allow, None));
        for (at, directives) in self.all() {
            directives.allows.iter().for_each(|allow| place(allow, Some(at)));
        }
        let own = allows.len();
        for (at, directives) in self.all() {
            for foreign in &directives.foreign {
                let rules = foreign.ours().into_iter().filter_map(Rule::find).filter(|rule| !rule.is_data_flow());
                allows.extend(rules.map(|rule| PlacedAllow {
                    allow: foreign.as_allow(rule.id),
                    at: Some(at),
                    used: false,
                }));
            }
        }
        let named: Vec<NamedMigration> = self
            .all()
            .map(|(at, _)| {
                let one = migration(at);
                let path = project.sources.path(one.source).to_owned();
                NamedMigration { at, path, version: one.version.clone() }
            })
            .collect();
        let may = |rule: &str| !settings.unallowable.iter().any(|id| id == rule);
        let allowed = suppress(findings, &mut allows, &named, &may);
        for placed in &allows[..own] {
            // What is shipped is not asked to change.
            if placed.at.is_some_and(|at| !migration(at).judged) {
                continue;
            }
            let PlacedAllow { allow, at, used } = placed;
            let is_extra = Rule::find_in(settings, &allow.rule).is_some();
            let unknown = stated::unknown_rule(allow, *at, severity("allow-unknown-rule")).filter(|_| !is_extra);
            let is_known = unknown.is_none();
            findings.extend(unknown);
            if !is_known {
                continue;
            }
            if !may(&allow.rule) {
                findings.push(stated::unallowable(allow, *at, severity("allow-unknown-rule")));
            } else if allow.reason.is_none() {
                findings.push(stated::reasonless_allow(allow, *at, severity("allow-without-reason")));
            } else if !used {
                findings.push(stated::unused_allow(allow, *at, severity("allow-unused")));
            }
        }
        for fact in settings.facts.iter().filter(|fact| fact.reason.is_none()) {
            findings.push(stated::reasonless_fact(fact, None, severity("fact-without-reason")));
        }
        for (at, directives) in self.all().filter(|(at, _)| migration(*at).judged) {
            for fact in directives.facts.iter().filter(|fact| fact.reason.is_none()) {
                findings.push(stated::reasonless_fact(fact, Some(at), severity("fact-without-reason")));
            }
            findings.extend(directives.malformed.iter().map(|one| stated::malformed(one, Some(at), severity)));
        }
        allowed
    }

    fn all(&self) -> impl Iterator<Item = (MigrationRef, &Directives)> {
        let histories = self.directives.iter().enumerate();
        histories.flat_map(|(history, migrations)| {
            let of = move |(migration, directives)| (MigrationRef { history, migration }, directives);
            migrations.iter().enumerate().map(of)
        })
    }
}

fn unread_statement(unread: &UnreadStep) -> UnreadStatement {
    UnreadStatement {
        migration: unread.at,
        span: unread.origin.span,
        reason: unread.reason.to_string(),
        touches: unread.touches.clone(),
        judged: unread.judged,
    }
}

fn judged(project: &Project, settings: &Settings, told: &Words, runs: Vec<Run>) -> Report {
    let histories = &project.histories;
    let mut found = Vec::new();
    let (mut unread, mut met): (Vec<UnreadStep>, BTreeSet<(MigrationRef, Span)>) = (Vec::new(), BTreeSet::new());
    let mut unknown_facts = vec![true; settings.facts.len()];
    // A migration is replayed once for each class of majors; its calls are the same but where guards ask for more.
    let mut calls: BTreeMap<MigrationRef, usize> = BTreeMap::new();
    let (mut details, mut tables) = (Vec::new(), in_ruby::Tables::new());
    for run in runs {
        details.extend(run.details);
        tables.extend(run.tables);
        for (at, count) in run.calls {
            let known = calls.entry(at).or_default();
            *known = count.max(*known);
        }
        for (unknown, here) in unknown_facts.iter_mut().zip(&run.unknown_facts) {
            *unknown &= here;
        }
        found.push(run.findings);
        unread.extend(run.unread.into_iter().filter(|one| met.insert((one.at, one.origin.span))));
    }
    let mut findings = merge_majors(found);
    // What was judged aside comes last; `None` last of all.
    findings.sort_by_key(|finding| (finding.migration.is_none(), finding.migration));
    edited::keep_news(project, settings, told, &mut findings, &mut unread);
    // First of all: a finding that took others in stands at one of their places only.
    let over = |rule: &str| Rule::find_in(settings, rule).map_or(&[][..], |rule| &rule.page().over);
    most_specific(&mut findings, &over);
    // `psql -f` sends the next statement whatever became of the last.
    first_failure(&mut findings, &|at| histories[at.history].framework == Framework::Plain);
    let mut findings = one_per_fault(findings);
    said_inside(&mut findings, "depends-on-data");
    let of = |id: &'static str| Rule::find(id).map_or(Severity::Off, |rule| rule.severity(settings, ""));
    findings.extend(one_per_fault(reading::unread_statements(
        &unread,
        [of("unread-statement"), of("unread-ruby")],
        settings.strict_reading,
    )));
    for (index, history) in histories.iter().enumerate() {
        findings.extend(reading::unread_downs(index, history, of("unread-statement")));
    }
    findings.extend(reading::unread_files(&project.unread_files, of("unread-file")));
    findings.extend(shipped::check(project, settings, &of));
    shipped::fails_first(&mut findings);
    let unknown = settings.facts.iter().zip(unknown_facts).filter(|(_, unknown)| *unknown);
    findings.extend(unknown.map(|(fact, _)| stated::unknown_in_settings(fact, of("fact-unknown-object"))));
    let allowed = told.judge(project, settings, &mut findings, &of);
    findings.retain(|finding| finding.severity > Severity::Off);
    // Comes last, so that an allow is about one place only.
    let order = order(project);
    findings.sort_by_cached_key(&order);
    let page = |rule: &str| Rule::find_in(settings, rule).map(Rule::page);
    told_inside(&mut findings, &|rule| page(rule).map_or(&[][..], |page| &page.tells));
    let findings = gather(findings, &|rule| page(rule).is_some_and(|page| page.gathers));
    let line = |span: Span| format!("line {}", project.sources.start(span).line);
    let mut findings = one_per_concern(findings, &|rule| page(rule)?.concern, &line);
    bare::speak_as_they_do(project, &mut findings);
    in_ruby::speak_as_they_do(project, &tables, &mut findings);
    let mut facts = settings.facts.clone();
    facts.extend(told.all().flat_map(|(_, directives)| directives.facts.iter().cloned()));
    let mut report = Report {
        postgres: settings.postgres,
        fail_on: settings.fail_on,
        base: project.base.as_ref().map(base_summary),
        histories: histories.iter().map(summary).collect(),
        migrations: migrations(project, histories),
        findings,
        allowed,
        baselined: Vec::new(),
        facts,
        unread: unread.iter().map(unread_statement).collect(),
        statements: histories.iter().flat_map(|history| &history.migrations).map(statements).sum::<usize>()
            + calls.values().sum::<usize>(),
        details,
        changes: changes::changes(project, told.all()),
        remarks: project.remarks.clone(),
    };
    report.details.sort_by_key(|detail| detail.at);
    report.findings.sort_by_cached_key(&order);
    report.allowed.sort_by_cached_key(|(finding, _)| order(finding));
    let allowed = report.allowed.iter_mut().map(|(finding, _)| finding);
    let mut all: Vec<&mut Finding> = report.findings.iter_mut().chain(allowed).collect();
    all.sort_by_cached_key(|finding| order(finding));
    let names = |at: MigrationRef| histories[at.history].migrations[at.migration].name.clone();
    fingerprint(all.into_iter(), &names);
    known::hold_back(project, settings, &mut report, &of, &names);
    report
}

/// Statements of SQL; calls in Ruby are known only when they are met.
fn statements(migration: &Migration) -> usize {
    migration.up.nodes.iter().filter(|node| !matches!(node, Node::Ruby(_))).count()
}

fn base_summary(base: &Base) -> BaseSummary {
    BaseSummary { revision: base.revision.clone(), commit: base.commit.clone() }
}

fn summary(history: &History) -> HistorySummary {
    HistorySummary { root: history.root.clone(), framework: history.framework, databases: history.databases.clone() }
}

fn migrations(project: &Project, histories: &[History]) -> Vec<MigrationSummary> {
    let of = |(index, history): (usize, &History)| {
        let one = move |(number, migration): (usize, &crate::history::Migration)| MigrationSummary {
            at: MigrationRef { history: index, migration: number },
            version: migration.version.clone(),
            path: project.sources.path(migration.source).to_owned(),
            judged: migration.judged,
            release: migration.release.clone(),
        };
        // A dump among them is none, nor is what only the base has.
        let is_own = |one: &Migration| one.dump.is_none() && !one.since_base.is_of_base();
        let own = history.migrations.iter().enumerate().filter(move |(_, migration)| is_own(migration));
        own.map(one).collect::<Vec<_>>()
    };
    histories.iter().enumerate().flat_map(of).collect()
}

/// The order in which findings are shown.
type Order = (Option<MigrationRef>, u32, &'static str, String);

fn order(project: &Project) -> impl Fn(&Finding) -> Order {
    |finding| {
        let path = project.sources.path(finding.span.source).to_owned();
        (finding.migration, finding.span.start, finding.rule, path)
    }
}
