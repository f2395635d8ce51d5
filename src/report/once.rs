//! One fault, one finding: the same on several majors, several places of one fault, several rules that see it.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{FAILS, Finding, MigrationRef, ONCE, Severity};
use crate::source::{SourceId, Span};
use crate::version::Major;

/// The same finding on other majors is one finding that holds on all of them.
pub fn merge_majors(found: Vec<Vec<Finding>>) -> Vec<Finding> {
    // Findings are large: a list that grows is copied again and again.
    let mut findings: Vec<Finding> = Vec::with_capacity(found.iter().map(Vec::len).sum());
    let mut places: BTreeMap<(&'static str, Span), Vec<usize>> = BTreeMap::new();
    for finding in found.into_iter().flatten() {
        let alike = places.entry((finding.rule, finding.span)).or_default();
        match alike.iter().find(|place| findings[**place].message == finding.message) {
            Some(place) => {
                let known = &mut findings[*place];
                known.severity = known.severity.max(finding.severity);
                known.hold_on(&finding.postgres);
            }
            None => {
                alike.push(findings.len());
                findings.push(finding);
            }
        }
    }
    findings
}

/// A script ends at its first statement that fails, on each major: what would fail behind it is never reached.
/// `goes_on` knows whose statements are all sent, whatever became of those before.
pub fn first_failure(findings: &mut Vec<Finding>, goes_on: &dyn Fn(MigrationRef) -> bool) {
    let mut ended: BTreeMap<MigrationRef, BTreeSet<Major>> = BTreeMap::new();
    findings.retain_mut(|finding| {
        let Some(at) = finding.migration.filter(|_| finding.fault == FAILS) else { return true };
        finding.fault.clear();
        if goes_on(at) {
            return true;
        }
        let ended = ended.entry(at).or_default();
        finding.postgres.retain(|major| !ended.contains(major));
        ended.extend(&finding.postgres);
        !finding.postgres.is_empty()
    });
}

/// Findings of one rule about one fault are one: the first stays, with the objects and the evidence of the others.
pub fn one_per_fault(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut places: BTreeMap<(&'static str, Option<MigrationRef>, String), usize> = BTreeMap::new();
    for finding in findings {
        if finding.fault.is_empty() {
            kept.push(finding);
            continue;
        }
        let once = finding.fault == ONCE;
        let migration = if once { None } else { finding.migration };
        let key = (finding.rule, migration, finding.fault.clone());
        match places.get(&key) {
            Some(place) if once => kept[*place].hold_on(&finding.postgres),
            Some(place) => kept[*place].absorb(finding),
            None => {
                places.insert(key, kept.len());
                kept.push(finding);
            }
        }
    }
    kept
}

/// What a rule says of a step is said inside the finding of that step where there is one: its count of rows, its databases.
/// `findings` come in the order of their migrations, those of none last.
pub fn said_inside(findings: &mut Vec<Finding>, rule: &str) {
    let (asides, mut kept): (Vec<Finding>, Vec<Finding>) =
        std::mem::take(findings).into_iter().partition(|finding| finding.rule == rule);
    let in_order = kept.len();
    for aside in asides {
        let key = |finding: &Finding| (finding.migration.is_none(), finding.migration);
        let (ordered, others) = kept.split_at_mut(in_order);
        let from = ordered.partition_point(|finding| key(finding) < key(&aside));
        let of_migration = ordered[from..].iter_mut().take_while(|finding| finding.migration == aside.migration);
        let host = of_migration.chain(others).find(|finding| {
            let near = |span: Span| span.contains(aside.span) || aside.span.contains(span);
            let place = near(finding.span) || finding.because.iter().any(|because| near(because.span));
            finding.migration == aside.migration
                && place
                && finding.objects.iter().any(|object| aside.objects.contains(object))
        });
        let Some(host) = host else {
            kept.push(aside);
            continue;
        };
        if !aside.brief.is_empty() && !host.message.contains(" fail") {
            host.message.push_str("; ");
            host.message.push_str(&aside.brief);
        }
        let mut elsewhere = aside.clone();
        elsewhere.postgres.retain(|major| !host.postgres.contains(major));
        if host.verify.is_none() {
            host.verify = aside.verify;
        }
        if !aside.databases.is_empty() {
            host.databases = aside.databases;
            if !host.because.iter().any(|because| because.span == aside.span && because.text.starts_with("passes on")) {
                host.because(aside.span, aside.message);
            }
        }
        // On other majors it stands by itself.
        if !elsewhere.postgres.is_empty() {
            kept.push(elsewhere);
        }
    }
    *findings = kept;
}

/// Where two rules see one fault, the one that stands over the other speaks alone: at the same statement, or where one
/// names the other's as its reason, about the same object, on the majors where it holds. `over` names the other rules of each.
pub fn most_specific<'a>(findings: &mut Vec<Finding>, over: &dyn Fn(&str) -> &'a [String]) {
    let mut speakers: BTreeMap<(&'a str, SourceId), Vec<Speaker>> = BTreeMap::new();
    for finding in findings.iter() {
        for general in over(finding.rule) {
            for source in sources_of(finding) {
                speakers.entry((general, source)).or_default().push(Speaker::of(finding));
            }
        }
    }
    findings.retain_mut(|finding| {
        let sources = sources_of(finding).into_iter();
        let near = sources.filter_map(|source| speakers.get(&(finding.rule, source))).flatten();
        let about: Vec<&Speaker> = near.filter(|speaker| speaker.is_about(finding)).collect();
        finding.postgres.retain(|major| !about.iter().any(|speaker| speaker.postgres.contains(major)));
        about.is_empty() || !finding.postgres.is_empty()
    });
}

/// The files of a finding's place and of its reasons.
fn sources_of(finding: &Finding) -> BTreeSet<SourceId> {
    let reasons = finding.because.iter().map(|because| because.span.source);
    reasons.chain([finding.span.source]).collect()
}

/// What a specific finding is about.
struct Speaker {
    span: Span,
    objects: Vec<String>,
    postgres: Vec<Major>,
    severity: Severity,
    reasons: Vec<Span>,
}

impl Speaker {
    fn of(finding: &Finding) -> Speaker {
        Speaker {
            span: finding.span,
            objects: finding.objects.clone(),
            postgres: finding.postgres.clone(),
            severity: finding.severity,
            reasons: finding.because.iter().map(|because| because.span).collect(),
        }
    }

    /// An action lies inside its statement; either may be what a rule points at.
    fn is_about(&self, finding: &Finding) -> bool {
        let same_place = self.span.contains(finding.span) || finding.span.contains(self.span);
        // What the graver one gives as its reason, or what follows from it, is told inside it.
        let linked = self.reasons.contains(&finding.span) || finding.because.iter().any(|one| one.span == self.span);
        let is_reason = self.severity >= finding.severity && linked;
        (same_place || is_reason) && self.objects.iter().any(|object| finding.objects.contains(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::bare;
    use crate::source::Sources;

    fn finding(rule: &'static str, start: u32, object: &str, majors: &[Major]) -> Finding {
        let source = Sources::default().add("001.sql", "");
        let span = Span { source, start, end: start + 10 };
        let mut finding = bare(rule, Severity::Error, None, span, "x", "y".to_owned());
        finding.object(object);
        finding.hold_on(majors);
        finding
    }

    #[test]
    fn findings_that_look_alike_in_two_files_hold_on_all_majors() {
        let mut sources = Sources::default();
        let files = [sources.add("001.sql", ""), sources.add("002.sql", "")];
        let on = |major: Major| {
            let both = files.map(|source| {
                let mut finding = finding("index", 0, "public.t", &[major]);
                finding.span.source = source;
                finding
            });
            both.to_vec()
        };
        let findings = merge_majors(Major::all().map(on).collect());
        assert_eq!(findings.iter().map(|one| one.postgres.len()).collect::<Vec<_>>(), [7, 7]);
    }

    #[test]
    fn the_specific_rule_speaks_where_both_see_the_fault() {
        let all: Vec<Major> = Major::all().collect();
        let general = ["general".to_owned()];
        let over = |rule: &str| if rule == "special" { &general[..] } else { &[] };
        let left = |place, object, majors: &[Major]| {
            let mut findings = vec![finding("special", 0, "public.t", majors), finding("general", place, object, &all)];
            most_specific(&mut findings, &over);
            findings.into_iter().map(|one| (one.rule, one.postgres.len())).collect::<Vec<_>>()
        };
        assert_eq!(left(0, "public.t", &all), [("special", 7)], "the same fault");
        assert_eq!(left(20, "public.t", &all), [("special", 7), ("general", 7)], "another statement");
        assert_eq!(left(0, "public.u", &all), [("special", 7), ("general", 7)], "another table");
        assert_eq!(left(0, "public.t", &all[..2]), [("special", 2), ("general", 5)], "where the special one holds");
    }
}
