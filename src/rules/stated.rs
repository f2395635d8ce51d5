//! What people state: allows and facts that are wrong, useless or without a reason.

use super::{Findings, Rule, bare};
use crate::data::Queued;
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::Whole;
use crate::operation::{Name, Write};
use crate::read::directives::{DirectiveKind, Malformed};
use crate::settings::{Allow, Fact};
use crate::source::Span;

/// `fact-unknown-object`: a fact about a table that this history does not know.
pub fn unknown_object(whole: &Whole, findings: &mut Findings) {
    let plan = whole.context.plan;
    for fact in plan.facts_of(whole.context.at.migration) {
        let states = [&whole.before.schema, &whole.after.schema];
        for name in std::iter::once(&fact.table).chain(&fact.source) {
            if !states.iter().any(|schema| schema.find(name).is_some()) {
                let at = crate::operation::Origin::at(fact.span);
                let finding = findings.report(&at, "fact", true, unknown(name));
                finding.object(name);
            }
        }
    }
}

fn unknown(name: &crate::operation::Name) -> String {
    format!("this fact is about `{name}`, which no migration up to here makes: it changes nothing")
}

/// `fact-contradicted`: it says that rows are filled which queued work has still to fill.
pub fn contradicted(whole: &Whole, findings: &mut Findings) {
    let plan = whole.context.plan;
    let is_last = whole.context.at.migration + 1 == plan.history.migrations.len();
    let (settled, stated): (&[Fact], _) = (&plan.settings.facts, plan.facts_of(whole.context.at.migration));
    // Those of the settings file are about how things are now.
    let settled = settled.iter().filter(|_| is_last).map(|fact| (fact, None));
    for (fact, at) in settled.chain(stated.iter().map(|fact| (fact, Some(whole.context.at)))) {
        let Some(queued) = whole.after.data.queue().find(|queued| queued.is_open() && fills(whole, queued, fact))
        else {
            continue;
        };
        let what = queued.job.describe();
        let message = format!("this fact says that `{}` is filled, but {what} is queued and not finished", fact.table);
        let origin = crate::operation::Origin::at(fact.span);
        let finding = findings.report(&origin, "fact", queued.certain, message);
        finding.migration = at;
        finding.object(&fact.table);
        finding.because(queued.origin.span, "queued here, and no migration waits for its end");
        finding.instead("finish it in a migration before this fact; nothing needs to be stated then");
    }
}

/// Queued work writes what a fact is about.
fn fills(whole: &Whole, queued: &Queued, fact: &Fact) -> bool {
    let schema = &whole.after.schema;
    let root = |name: &Name| Some(schema.partition_root(schema.find(name)?.id));
    let Some(table) = root(&fact.table) else { return false };
    let is_source = |write: &Write| {
        let Some(source) = &fact.source else { return true };
        write.reads().into_iter().chain(&queued.job.table).any(|name| root(name) == root(source))
    };
    let is_column = |write: &Write| {
        let mut written = write.assignments.iter().map(|(column, _)| column).chain(&write.columns);
        fact.columns.is_empty() || written.any(|column| fact.columns.contains(column))
    };
    queued.writes().any(|write| root(&write.target) == Some(table) && is_source(write) && is_column(write))
}

/// The same for a fact of the settings file.
pub fn unknown_in_settings(fact: &Fact, severity: Severity) -> Finding {
    let mut finding = bare("fact-unknown-object", severity, None, fact.span, "fact", unknown(&fact.table));
    finding.object(&fact.table);
    finding
}

/// `fact-without-reason`.
pub fn reasonless_fact(fact: &Fact, at: Option<MigrationRef>, severity: Severity) -> Finding {
    let message =
        format!("this fact about `{}` has no reason: nobody can tell later whether it still holds", fact.table);
    let mut finding = bare("fact-without-reason", severity, at, fact.span, "fact", message);
    finding.object(&fact.table);
    finding.instead(format!("-- plimsoll:fact backfilled {}: <how it was done, and when>", fact.table));
    finding
}

/// `allow-without-reason`: it allows nothing.
pub fn reasonless_allow(allow: &Allow, at: Option<MigrationRef>, severity: Severity) -> Finding {
    let message = format!("this allow of `{}` has no reason, so it allows nothing", allow.rule);
    let mut finding = bare("allow-without-reason", severity, at, allow.span, "allow", message);
    finding.object(&allow.rule);
    finding.instead(format!("-- plimsoll:allow {}: <why it is safe here>", allow.rule));
    finding
}

/// `allow-unused`: nothing is found that it would hold back.
pub fn unused_allow(allow: &Allow, at: Option<MigrationRef>, severity: Severity) -> Finding {
    let message = format!("this allow of `{}` holds nothing back", allow.rule);
    let mut finding = bare("allow-unused", severity, at, allow.span, "allow", message);
    finding.object(&allow.rule);
    finding.instead("take it out");
    finding
}

/// `baseline-stale`: entries that the run would have found. `at`: their places.
pub fn stale_entries(at: &[(Span, String)], severity: Severity) -> Option<Finding> {
    let (first, rest) = at.split_first()?;
    let message = match rest.len() {
        0 => format!("the baseline knows {}, which is found no more", first.1),
        1 => format!("the baseline knows {} and another one, which are found no more", first.1),
        more => format!("the baseline knows {} and {more} others, which are found no more", first.1),
    };
    let mut finding = bare("baseline-stale", severity, None, first.0, "baseline", message);
    for (span, what) in rest {
        finding.because(*span, format!("{what} is found no more"));
    }
    finding.instead("`plimsoll baseline` writes the file anew from what is found today");
    Some(finding)
}

/// `allow-unknown-rule`: a rule that does not exist, or one that may not be allowed.
pub fn unknown_rule(allow: &Allow, at: Option<MigrationRef>, severity: Severity) -> Option<Finding> {
    if Rule::find(&allow.rule).is_some() {
        return None;
    }
    let near = super::BUILT_IN
        .iter()
        .map(|rule| (strsim::damerau_levenshtein(rule.id, &allow.rule), rule.id))
        .min()
        .filter(|(distance, _)| *distance <= 4);
    let message = format!("this allow names `{}`, and there is no such rule", allow.rule);
    let mut finding = bare("allow-unknown-rule", severity, at, allow.span, "allow", message);
    finding.object(&allow.rule);
    if let Some((_, id)) = near {
        finding.instead(format!("did you mean `{id}`?"));
    }
    Some(finding)
}

/// A rule that the settings say may not be allowed.
pub fn unallowable(allow: &Allow, at: Option<MigrationRef>, severity: Severity) -> Finding {
    let message = format!("`{}` may not be allowed in this project: the finding stays", allow.rule);
    let mut finding = bare("allow-unknown-rule", severity, at, allow.span, "allow", message);
    finding.object(&allow.rule);
    finding
}

/// A comment that means to be an allow or a fact and is none.
pub fn malformed(one: &Malformed, at: Option<MigrationRef>, severity: &dyn Fn(&'static str) -> Severity) -> Finding {
    let rule = match one.kind {
        DirectiveKind::Allow | DirectiveKind::Unknown => "allow-unknown-rule",
        DirectiveKind::Fact => "fact-unknown-object",
    };
    bare(rule, severity(rule), at, one.span, "directive", format!("this comment is not understood: {}", one.message))
}
