//! What one edit of a migration mends is one finding: told after allows have taken out what they are about, so that none
//! of them hides another place.

use std::collections::BTreeMap;

use crate::finding::{Because, Finding, MigrationRef, Severity};

/// A finding goes inside another of its migration whose fix mends it, about the same objects or at the same statement:
/// the graver tells both. `tells` names the rules that a rule's fix mends, too. `findings` come in the order of their
/// migrations.
pub fn told_inside<'a>(findings: &mut Vec<Finding>, tells: &dyn Fn(&str) -> &'a [String]) {
    let mut at = 0;
    while at < findings.len() {
        let mended = tells(findings[at].rule);
        if mended.is_empty() {
            at += 1;
            continue;
        }
        let migration = findings[at].migration;
        let from = findings.partition_point(|one| one.migration < migration);
        let of_migration = (from..findings.len()).take_while(|other| findings[*other].migration == migration);
        let inside = { of_migration }.find(|other| {
            *other != at
                && mended.iter().any(|rule| rule == findings[*other].rule)
                && mends(&findings[at], &findings[*other])
        });
        let Some(other) = inside else {
            at += 1;
            continue;
        };
        let inner = findings.remove(other);
        at -= usize::from(other < at);
        let outer = &mut findings[at];
        let advice: Vec<String> = [&outer.instead, &inner.instead].into_iter().flatten().cloned().collect();
        // One that another took in goes on with what it tells itself.
        let mut guest = inner;
        if guest.severity > outer.severity {
            std::mem::swap(outer, &mut guest);
        }
        take_in(outer, guest);
        outer.instead = Some(advice.join("\n")).filter(|text| !text.is_empty());
    }
}

/// What mends the one mends the other.
fn mends(outer: &Finding, inner: &Finding) -> bool {
    let same_place = outer.span.contains(inner.span) || inner.span.contains(outer.span);
    let shared = inner.objects.iter().any(|object| outer.objects.contains(object));
    let all = !inner.objects.is_empty() && inner.objects.iter().all(|object| outer.objects.contains(object));
    outer.migration.is_some()
        && outer.migration == inner.migration
        && (same_place && shared || all)
        && inner.postgres.iter().all(|major| outer.postgres.contains(major))
}

pub(super) fn take_in(host: &mut Finding, guest: Finding) {
    host.because.push(Because { span: guest.span, text: guest.message, rule: Some(guest.rule) });
    for because in guest.because {
        if !host.because.contains(&because) {
            host.because.push(because);
        }
    }
    for object in guest.objects {
        host.object(object);
    }
    host.verify = host.verify.take().or(guest.verify);
}

/// Findings of one rule, equally grave, in one migration: the first stays and names the others' objects and places.
/// `gathers` says of which rules.
pub fn gather(findings: Vec<Finding>, gathers: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    let mut hosts: BTreeMap<(&'static str, MigrationRef, Severity, bool), usize> = BTreeMap::new();
    let mut also: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for finding in findings {
        let Some(migration) = finding.migration.filter(|_| gathers(finding.rule)) else {
            kept.push(finding);
            continue;
        };
        let key = (finding.rule, migration, finding.severity, finding.certain);
        match hosts.get(&key) {
            Some(host) if kept[*host].postgres == finding.postgres && kept[*host].databases == finding.databases => {
                let names = also.entry(*host).or_default();
                let first = finding.objects.first().filter(|object| !kept[*host].objects.contains(object));
                names.extend(first.map(|object| object.strip_prefix("public.").unwrap_or(object).to_owned()));
                let message = finding.message.clone();
                let span = finding.span;
                kept[*host].absorb(finding);
                let host = &mut kept[*host];
                if !host.because.iter().any(|because| because.span == span) && host.span != span {
                    host.because(span, message);
                }
            }
            _ => {
                hosts.insert(key, kept.len());
                kept.push(finding);
            }
        }
    }
    for (host, mut names) in also {
        names.dedup();
        kept[host].message.push_str(&the_same_of(&names));
    }
    kept
}

/// `; the same of a, b and 3 more`.
fn the_same_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (quoted.split_last(), names.len().saturating_sub(SHOWN)) {
        (None, _) => String::new(),
        (Some((only, [])), 0) => format!("; the same of {only}"),
        (Some((last, rest)), 0) => format!("; the same of {} and {last}", rest.join(", ")),
        (Some(_), more) => format!("; the same of {} and {more} more", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::bare;
    use crate::source::{Sources, Span};

    fn finding(rule: &'static str, severity: Severity, start: u32, objects: &[&str]) -> Finding {
        let source = Sources::default().add("001.sql", "");
        let span = Span { source, start, end: start + 10 };
        let migration = Some(MigrationRef { history: 0, migration: 0 });
        let mut finding = bare(rule, severity, migration, span, "x", format!("{rule} at {start}"));
        objects.iter().for_each(|object| _ = finding.object(object));
        finding.instead(format!("fix {start}"));
        finding
    }

    #[test]
    fn the_graver_tells_what_the_same_fix_mends() {
        let mended = ["scan".to_owned()];
        let tells = |rule: &str| if rule == "writer" { &mended[..] } else { &[] };
        let left = |place: u32, objects: &[&str]| {
            let mut findings = vec![
                finding("writer", Severity::Warning, 0, &["t", "t.a"]),
                finding("scan", Severity::Error, place, objects),
            ];
            told_inside(&mut findings, &tells);
            findings
        };
        let [only] = left(0, &["t", "t.a"]).try_into().expect("one finding");
        assert_eq!((only.rule, only.severity), ("scan", Severity::Error));
        assert_eq!(only.because[0].text, "writer at 0");
        assert_eq!(only.instead.as_deref(), Some("fix 0\nfix 0"));
        assert_eq!(left(20, &["t", "t.a"]).len(), 1, "elsewhere, about the same objects");
        assert_eq!(left(20, &["t", "t.b"]).len(), 2, "another column");
        assert_eq!(left(0, &["u"]).len(), 2, "another table");
    }

    #[test]
    fn places_of_one_rule_are_one_finding_where_they_weigh_the_same() {
        let all = vec![
            finding("index", Severity::Error, 0, &["public.a"]),
            finding("index", Severity::Error, 20, &["public.b"]),
            finding("index", Severity::Note, 40, &["public.c"]),
            finding("other", Severity::Error, 60, &["public.d"]),
            finding("other", Severity::Error, 80, &["public.e"]),
        ];
        let left = gather(all, &|rule| rule == "index");
        let told: Vec<&str> = left.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(told, ["index at 0; the same of `b`", "index at 40", "other at 60", "other at 80"]);
        assert_eq!(left[0].because[0].text, "index at 20");
        assert_eq!(left[0].objects, ["public.a", "public.b"]);
        assert_eq!(left[0].instead.as_deref(), Some("fix 0\nfix 20"));
    }
}
