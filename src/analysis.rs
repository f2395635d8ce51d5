//! From a project to its report: replays each history on each group of majors, asks the rules, gathers what they say.

use std::collections::BTreeMap;
use std::thread;

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Event, History, State, UnreadStep, release_numbers, replay};
use crate::project::Project;
use crate::report::{HistorySummary, MigrationSummary, Report, UnreadStatement, fingerprint};
use crate::rules::{BUILT_IN, Check, Findings, Rule, reading};
use crate::settings::{Preset, Settings};
use crate::version::Major;

/// Trees of expressions are walked by recursion: replays run on stacks that hold the deepest that is read.
const STACK: usize = 256 << 20;

/// Works out what every judged migration does, and says what is wrong with it.
pub fn analyze(project: &Project, settings: &Settings) -> Report {
    let histories: Vec<History> = project.histories.iter().map(|history| with_releases(history, settings)).collect();
    let classes = settings.postgres.state_classes();
    let mut runs: Vec<Run> = Vec::new();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (index, history) in histories.iter().enumerate() {
            for majors in &classes {
                let work = move || run(project, history, index, settings, majors);
                match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
                    Ok(thread) => threads.push(thread),
                    // No thread to be had: this one does it.
                    Err(_) => runs.push(run(project, history, index, settings, majors)),
                }
            }
        }
        for thread in threads {
            match thread.join() {
                Ok(run) => runs.push(run),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    gather(project, &histories, settings, runs)
}

/// The state at the end of a history on one major: what `schema` and `graph` print.
pub fn replay_to_end(history: &History, settings: &Settings, major: Major) -> State {
    let history = with_releases(history, settings);
    let mut nothing = |_: Event| {};
    thread::scope(|scope| {
        let work = || replay(&history, 0, settings, &[major], &mut nothing);
        match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
            Ok(thread) => match thread.join() {
                Ok(state) => state,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(_) => replay(&history, 0, settings, &[major], &mut |_| {}),
        }
    })
}

fn with_releases(history: &History, settings: &Settings) -> History {
    let releases = release_numbers(history, settings);
    History { releases, ..history.clone() }
}

/// What one replay found.
#[derive(Debug, Default)]
struct Run {
    findings: Vec<Finding>,
    unread: Vec<UnreadStep>,
}

/// A rule with the severity it has in this run.
struct Asked {
    rule: &'static Rule,
    severity: Severity,
}

fn run(project: &Project, history: &History, index: usize, settings: &Settings, majors: &[Major]) -> Run {
    let asked: Vec<Asked> = BUILT_IN.iter().map(|rule| Asked { rule, severity: severity(rule, settings) }).collect();
    let mut run = Run::default();
    let mut tell = |event: Event| {
        if let Event::Unread(unread) = event {
            run.unread.push(unread.clone());
            return;
        }
        for Asked { rule, severity } in &asked {
            let context = match event {
                Event::Step(step) => &step.context,
                Event::Unit(unit) => &unit.context,
                Event::Whole(whole) => &whole.context,
                Event::Unread(_) => continue,
            };
            let path = project.sources.path(context.migration.source);
            let severity = settings.severity(rule.id, path).unwrap_or(*severity);
            if severity == Severity::Off {
                continue;
            }
            let mut findings = Findings::new(rule.id, severity, context);
            match (rule.check, event) {
                (Check::Step(check), Event::Step(step)) => check(step, &mut findings),
                (Check::Unit(check), Event::Unit(unit)) => check(unit, &mut findings),
                (Check::Whole(check), Event::Whole(whole)) => check(whole, &mut findings),
                _ => continue,
            }
            run.findings.extend(findings.into_found());
        }
    };
    replay(history, index, settings, majors, &mut tell);
    run
}

/// The severity of a rule where no file-specific override speaks.
fn severity(rule: &Rule, settings: &Settings) -> Severity {
    let page = rule.page();
    match page.severity {
        // Off by default: the strict preset has these warn.
        Severity::Off if settings.preset == Preset::Strict => Severity::Warning,
        severity => severity,
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

fn gather(project: &Project, histories: &[History], settings: &Settings, runs: Vec<Run>) -> Report {
    let mut findings = Vec::new();
    let mut unread: Vec<UnreadStep> = Vec::new();
    for run in runs {
        merge(&mut findings, run.findings);
        for one in run.unread {
            if !unread.iter().any(|other| other.origin.span == one.origin.span && other.at == one.at) {
                unread.push(one);
            }
        }
    }
    let mut findings = one_per_fault(findings);
    let of = |id: &str| {
        Rule::find(id).map_or(Severity::Off, |rule| settings.rules.get(id).copied().unwrap_or(severity(rule, settings)))
    };
    findings.extend(reading::unread_statements(&unread, of("unread-statement"), settings.strict_reading));
    findings.extend(reading::unread_files(&project.unread_files, of("unread-file")));
    let mut report = Report {
        postgres: settings.postgres,
        fail_on: settings.fail_on,
        histories: histories.iter().map(summary).collect(),
        migrations: migrations(project, histories),
        findings,
        allowed: Vec::new(),
        baselined: Vec::new(),
        facts: settings.facts.clone(),
        unread: unread.iter().map(unread_statement).collect(),
        statements: histories.iter().flat_map(|history| &history.migrations).map(|one| one.up.nodes.len()).sum(),
        remarks: project.remarks.clone(),
    };
    sort(&mut report.findings, project);
    let names = |at: MigrationRef| histories[at.history].migrations[at.migration].name.clone();
    fingerprint(&mut report.findings, &names);
    report
}

/// The same finding on other majors is one finding that holds on all of them.
fn merge(findings: &mut Vec<Finding>, more: Vec<Finding>) {
    let mut places: BTreeMap<(&'static str, u32, u32, String), usize> = BTreeMap::new();
    let key = |finding: &Finding| (finding.rule, finding.span.start, finding.span.end, finding.message.clone());
    for (place, finding) in findings.iter().enumerate() {
        places.insert(key(finding), place);
    }
    for finding in more {
        let known = places.get(&key(&finding)).copied();
        match known.filter(|place| findings[*place].span == finding.span) {
            Some(place) => {
                let known = &mut findings[place];
                known.severity = known.severity.max(finding.severity);
                known.postgres.extend(finding.postgres);
                known.postgres.sort_unstable();
                known.postgres.dedup();
            }
            None => {
                places.insert(key(&finding), findings.len());
                findings.push(finding);
            }
        }
    }
}

/// Findings about one fault are one: the first stays, with the objects and the evidence of the others.
fn one_per_fault(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = kept.iter_mut().find(|other| {
            !finding.fault.is_empty()
                && other.rule == finding.rule
                && other.migration == finding.migration
                && other.fault == finding.fault
        });
        let Some(same) = same else {
            kept.push(finding);
            continue;
        };
        same.severity = same.severity.max(finding.severity);
        for object in finding.objects {
            same.object(object);
        }
        for because in finding.because {
            if !same.because.contains(&because) {
                same.because.push(because);
            }
        }
        same.postgres.extend(finding.postgres);
        same.postgres.sort_unstable();
        same.postgres.dedup();
    }
    kept
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
        history.migrations.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    histories.iter().enumerate().flat_map(of).collect()
}

fn sort(findings: &mut [Finding], project: &Project) {
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.migration, finding.span.start, finding.rule);
        let path = |finding: &Finding| project.sources.path(finding.span.source).to_owned();
        key(one).cmp(&key(other)).then_with(|| path(one).cmp(&path(other)))
    });
}
