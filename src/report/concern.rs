//! What the author of a migration decides once is one finding: what makes others wait, what code of
//! the previous release does not know, what is wrong with one way back. Nothing of it is left out: each part stands
//! inside with its rule, its place, its objects and its way out.

use std::collections::BTreeMap;

use super::gather::take_in;
use crate::finding::{Finding, MigrationRef, Severity};
use crate::rules::Concern;
use crate::source::Span;

/// The gravest about each concern of a migration, the first of equals, tells the others. `concern` says which one a rule
/// is about; notes stay what they are.
pub fn one_per_concern(
    findings: Vec<Finding>,
    concern: &dyn Fn(&str) -> Option<Concern>,
    place: &dyn Fn(Span) -> String,
) -> Vec<Finding> {
    let mut groups: BTreeMap<(MigrationRef, Concern), Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate().filter(|(_, finding)| finding.severity > Severity::Note) {
        if let (Some(migration), Some(concern)) = (finding.migration, concern(finding.rule)) {
            groups.entry((migration, concern)).or_default().push(at);
        }
    }
    let mut left: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    let mut hosts: BTreeMap<(MigrationRef, Concern), usize> = BTreeMap::new();
    for ((migration, concern), places) in groups {
        if let Some(host) = tell_by_one(&mut left, &places, &|_, parts| with_parts(concern, parts), &|_, _| true, place)
        {
            hosts.insert((migration, concern), host);
        }
    }
    // A table that is changed where it stands, in one release: others wait for it, and code of the release before breaks.
    for ((migration, _), waits) in hosts.iter().filter(|((_, concern), _)| *concern == Concern::Waits) {
        if let Some(code) = hosts.get(&(*migration, Concern::Code)) {
            let said = |host: &Finding, _| match concern(host.rule) {
                Some(Concern::Code) => "; others wait for it, too".to_owned(),
                _ => "; it breaks code of the previous release, too".to_owned(),
            };
            tell_by_one(&mut left, &[*waits, *code], &said, &is_of_one_table, place);
        }
    }
    left.into_iter().flatten().collect()
}

/// The gravest of these takes in those that `belongs` to it; where it stands then.
fn tell_by_one(
    left: &mut [Option<Finding>],
    places: &[usize],
    said: &dyn Fn(&Finding, usize) -> String,
    belongs: &dyn Fn(&Finding, &Finding) -> bool,
    place: &dyn Fn(Span) -> String,
) -> Option<usize> {
    let weight = |at: &usize| left[*at].as_ref().map(|one| (one.severity, one.postgres.len()));
    let first = places.iter().copied().rev().max_by_key(weight)?;
    let mut host = left[first].take()?;
    let mut parts = Vec::new();
    for at in places.iter().filter(|at| **at != first) {
        parts.extend(left[*at].take_if(|part| is_part(&host, part) && belongs(&host, part)));
    }
    if !parts.is_empty() {
        let words = said(&host, parts.len());
        host.message.push_str(&words);
        host.instead = advice(&host, &parts, place);
    }
    for mut part in parts {
        if !part.certain && host.certain {
            part.message.push_str(", as far as the files tell");
        }
        part.hits.iter().for_each(|hit| _ = host.hit(hit.clone()));
        part.spares.iter().for_each(|rows| _ = host.spare(rows.clone()));
        take_in(&mut host, part);
    }
    left[first] = Some(host);
    Some(first)
}

/// The first object that a finding names is its table.
fn is_of_one_table(host: &Finding, part: &Finding) -> bool {
    let names = |one: &Finding, other: &Finding| one.objects.first().is_some_and(|table| other.objects.contains(table));
    names(host, part) || names(part, host)
}

/// It holds wherever the part does. What is less sure than it and weighs less for it says so.
fn is_part(host: &Finding, part: &Finding) -> bool {
    (part.certain == host.certain || host.certain && part.severity < host.severity)
        && part.databases == host.databases
        && part.postgres.iter().all(|major| host.postgres.contains(major))
}

/// The ways out, each under its place: what they call "this statement" is the one there.
fn advice(host: &Finding, parts: &[Finding], place: &dyn Fn(Span) -> String) -> Option<String> {
    let mut told: Vec<(String, &str)> = Vec::new();
    for finding in std::iter::once(host).chain(parts) {
        let Some(text) = finding.instead.as_deref() else { continue };
        if !told.iter().any(|(_, known)| known.contains(text)) {
            told.push((place(finding.span), text));
        }
    }
    if let [(_, only)] = told.as_slice() {
        return Some((*only).to_owned());
    }
    let under = |(place, text): &(String, &str)| match text.starts_with("-- line ") {
        true => (*text).to_owned(),
        false => format!("-- {place}:\n{text}"),
    };
    let texts: Vec<String> = told.iter().map(under).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn with_parts(concern: Concern, parts: usize) -> String {
    let more = |thing: &str| match parts {
        1 => format!("one more {thing}"),
        _ => format!("{parts} more {thing}s"),
    };
    match concern {
        Concern::Waits => format!("; others wait for {} here", more("thing")),
        Concern::Code if parts == 1 => "; one more change here breaks that code".to_owned(),
        Concern::Code => format!("; {parts} more changes here break that code"),
        Concern::Back => format!("; {} on this way back", more("fault")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::bare;
    use crate::source::Sources;

    fn finding(rule: &'static str, severity: Severity, start: u32) -> Finding {
        let source = Sources::default().add("001.sql", "");
        let span = Span { source, start, end: start + 10 };
        let migration = Some(MigrationRef { history: 0, migration: 0 });
        let mut finding = bare(rule, severity, migration, span, "x", format!("{rule} at {start}"));
        finding.object(format!("t{start}")).instead(format!("fix {start}"));
        finding
    }

    fn told(findings: Vec<Finding>) -> Vec<Finding> {
        let concern = |rule: &str| (rule != "other").then_some(Concern::Waits);
        one_per_concern(findings, &concern, &|span| format!("line {}", span.start))
    }

    #[test]
    fn the_gravest_tells_what_else_makes_others_wait() {
        let left = told(vec![
            finding("index", Severity::Warning, 0),
            finding("scan", Severity::Error, 20),
            finding("update", Severity::Error, 40),
            finding("note", Severity::Note, 60),
            finding("other", Severity::Error, 80),
        ]);
        let messages: Vec<&str> = left.iter().map(|one| one.message.as_str()).collect();
        let first = "scan at 20; others wait for 2 more things here";
        assert_eq!(messages, [first, "note at 60", "other at 80"]);
        let parts: Vec<_> = left[0].because.iter().map(|part| (part.rule, part.text.as_str())).collect();
        assert_eq!(parts, [(Some("index"), "index at 0"), (Some("update"), "update at 40")]);
        assert_eq!(left[0].objects, ["t20", "t0", "t40"]);
        assert_eq!(left[0].instead.as_deref(), Some("-- line 20:\nfix 20\n-- line 0:\nfix 0\n-- line 40:\nfix 40"));
    }

    #[test]
    fn a_table_that_waits_and_breaks_code_is_told_once() {
        let concern = |rule: &str| Some(if rule == "drop" { Concern::Code } else { Concern::Waits });
        let told = |objects: [&str; 2]| {
            let mut findings = vec![finding("update", Severity::Error, 0), finding("drop", Severity::Warning, 20)];
            for (finding, object) in findings.iter_mut().zip(objects) {
                finding.objects = vec![object.to_owned()];
            }
            one_per_concern(findings, &concern, &|span| format!("line {}", span.start))
        };
        let one = told(["orders", "orders"]);
        assert_eq!(one.len(), 1);
        assert!(one[0].because.iter().any(|part| part.rule == Some("drop")));
        assert_eq!(one[0].instead.as_deref(), Some("-- line 0:\nfix 0\n-- line 20:\nfix 20"));
        assert_eq!(told(["orders", "users"]).len(), 2, "two tables, two decisions");
    }

    #[test]
    fn what_is_less_sure_or_holds_elsewhere_stands_alone() {
        let mut unsure = finding("scan", Severity::Error, 20);
        unsure.certain = false;
        assert_eq!(told(vec![finding("index", Severity::Error, 0), unsure]).len(), 2);
        let mut elsewhere = finding("scan", Severity::Error, 20);
        elsewhere.databases = vec!["ci".to_owned()];
        assert_eq!(told(vec![finding("index", Severity::Error, 0), elsewhere]).len(), 2);
    }
}
