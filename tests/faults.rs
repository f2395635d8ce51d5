//! One fault, one finding: over all bad fixtures, with all rules on, findings whose places overlap and which share an
//! object are either told by one rule (`over` in its page, `one_per`), or stand below with what else must be repaired.

#![allow(clippy::unwrap_used)]

mod command;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use command::plimsoll;
use serde_json::Value;

/// Rules whose findings never say what another's says, with the reason.
const APART: &[(&str, &str)] = &[
    ("index-repeats-key", "an index that need not be there, however it is built"),
    ("lock-timeout-missing", "one setting at the top of the file, whatever the statement does"),
    ("fk-without-index", "an index of its own, whatever becomes of the table"),
    ("sync-misses-operation", "another operation in the trigger, whatever the copy is used for"),
    ("not-rerunnable", "what a second run meets, whatever the first does where it passes"),
    ("partial-failure-keeps-constraint", "what a stop leaves, whatever the statement does where it passes"),
    ("revert-incomplete", "what the revert forgets, whatever is wrong with what it undoes"),
    ("rollback-not-inverse", "what the way back leaves, whatever the way forth does"),
    ("rollback-loses-data", "what the way back cannot bring, whatever the way forth does"),
    ("unique-ignores-nulls", "what the key lets in, however it is built"),
    ("trigger-change-blocks", "how long others wait, whatever the trigger does"),
    ("drop-fk-locks-both", "how long others wait for a table that is not named, whatever goes"),
    ("drop-table-locks-referenced", "how long others wait for a table that is not named, whatever goes"),
    ("lock-order-inversion", "the order of two locks, whatever is done under them"),
    ("partition-lock-fan-out", "how many locks at once, whatever is done under them"),
    ("constraint-before-cleanup", "rows that may not fit, however they are read"),
    ("drop-constraint", "a decision about what the table takes from now on; its lock and its place are others' matter"),
];

/// Pairs of rules that tell two faults at one place, sorted, with the two repairs.
const TWO_FAULTS: &[(&str, &str, &str)] = &[
    ("cleanup-cascades", "constraint-before-backfill", "what the deletes take along; that they are not finished"),
    ("column-still-used", "drop-cascade", "the function that names the column; what goes along unnamed"),
    ("constraint-before-backfill", "unbatched-update", "the order of the two statements; the size of one"),
    ("constraint-on-some-partitions", "fk-before-backfill", "the partitions that lack the key; rows that are missing"),
    ("copy-partition-gap", "detach-partition-blocks", "a partition for the rows; DETACH CONCURRENTLY"),
    ("copy-stricter-than-source", "copy-stricter-than-source", "rows without a value; rows with the same key"),
    ("copy-stricter-than-source", "lock-held-while-scanning", "rows that do not fit; where the copy runs"),
    ("copy-stricter-than-source", "swap-before-backfill", "the copy's constraint; its old rows"),
    ("copy-stricter-than-source", "swap-leaves-references", "the copy's constraint; keys that lead to the old table"),
    ("copy-stricter-than-source", "swap-loses-guarantee", "the copy's constraint; one that the new table lacks"),
    ("create-partition-blocks-parent", "partition-without-constraint", "CREATE and ATTACH; the key that it lacks"),
    ("detach-loses-fk", "detach-partition-blocks", "a key of the partition's own; DETACH CONCURRENTLY"),
    ("detach-loses-fk", "fk-to-single-partition", "the DETACH; the table that the key refers to"),
    ("detach-partition-blocks", "many-tables-locked", "DETACH CONCURRENTLY; a transaction for each table"),
    ("detach-partition-blocks", "swap-before-backfill", "DETACH CONCURRENTLY; a backfill"),
    ("drop-cascade", "drop-table", "what goes along unnamed; the table's own rows"),
    ("drop-column", "lock-held-while-scanning", "a release for the code; a transaction for the scan"),
    ("drop-column", "missing-object", "a release for the code; a later statement with the old name"),
    ("drop-column", "mixed-schema-and-data", "a release for the code; a transaction for the rows"),
    ("drop-column", "replica-identity-lost", "a release for the code; another replica identity"),
    ("drop-column", "trigger-uses-missing-object", "a release for the code; the trigger's function"),
    ("drop-default", "drop-not-null", "another action of the same statement"),
    ("drop-not-null", "lock-held-while-scanning", "code that meets NULL; where the rows are changed"),
    ("drop-not-null", "rollback-restores-constraint", "code that meets NULL; the way back"),
    ("drop-table", "partition-drop-loses-fk", "the partition's own rows; a key of the whole table"),
    ("drop-schema", "missing-object", "whether it goes at all; a later statement that names it"),
    ("enum-value-removed", "type-change-rewrite", "rows with the label; a way without the rewrite"),
    ("ddl-on-copy-blocks-source", "fk-before-backfill", "the read under lock; rows that are missing"),
    ("explicit-lock-table", "fk-validated-on-add", "a lock taken by hand; what is read under it"),
    ("fk-before-backfill", "partition-fk-cannot-merge", "rows that are missing; the definitions of the keys"),
    ("ddl-on-copy-blocks-source", "fk-breaks-source-delete", "the read under lock; the key's action"),
    ("fk-index-dropped", "primary-key-builds-index", "the index that goes; the index that comes"),
    ("fk-sets-null-on-not-null", "not-null-scan", "the key's action; the read under lock"),
    ("index-not-concurrent", "pending-trigger-events", "how it is built; what waits in its transaction"),
    ("pending-trigger-events", "truncate", "what waits in its transaction; which rows go"),
    ("key-from-incomplete-table", "not-null-scan", "rows that are missing; the read under lock"),
    ("lock-held-while-scanning", "truncate", "how long others wait; which rows are put back"),
    ("lock-held-while-scanning", "swap-loses-rows", "where the copy runs; which rows it takes"),
    ("many-tables-locked", "swap-before-backfill", "a transaction for each table; a backfill"),
    ("missing-object", "rename-column", "a later statement with the old name; code with the old name"),
    ("referenced-rows-deleted", "unbatched-update", "rows that refer to them; the size of the statement"),
    ("rename-column", "trigger-uses-missing-object", "a release for the code; the trigger's function"),
    ("replica-identity-lost", "serial-or-identity-rewrite", "another action of the same statement"),
    ("swap-before-backfill", "swap-leaves-references", "rows that are missing; keys that lead to the old table"),
    ("swap-before-backfill", "swap-loses-guarantee", "rows that are missing; a constraint that is missing"),
    ("swap-leaves-references", "swap-loses-guarantee", "keys that lead to the old table; a missing constraint"),
    ("swap-loses-guarantee", "swap-loses-rows", "a constraint that is missing; rows that are missing"),
    ("sync-misses-column", "unbatched-update", "a trigger that keeps the column up; the size of one statement"),
    ("truncate", "truncate", "each migration empties the table again"),
];

#[test]
fn one_fault_is_one_finding() {
    let mut unused: BTreeSet<(&str, &str)> = TWO_FAULTS.iter().map(|(one, other, _)| (*one, *other)).collect();
    let mut cases = folders(Path::new("fixtures/_whole"));
    cases.extend(folders(Path::new("fixtures")).iter().flat_map(|rule| folders(&rule.join("bad"))));
    assert!(cases.len() > 200, "the fixtures are missing: {}", cases.len());
    let mut faults = Vec::new();
    for case in &cases {
        for (one, other) in pairs(&findings(case)) {
            let (one_rule, other_rule) = (one.rule.min(other.rule), one.rule.max(other.rule));
            let apart =
                one_rule != other_rule && APART.iter().any(|(rule, _)| *rule == one_rule || *rule == other_rule);
            let known = TWO_FAULTS.iter().find(|(one, other, _)| (*one, *other) == (one_rule, other_rule));
            match known {
                Some((one, other, _)) => drop(unused.remove(&(*one, *other))),
                None if apart => {}
                None => faults.push(format!("{}:\n  {}\n  {}", case.display(), one.told(), other.told())),
            }
        }
    }
    faults.extend(unused.iter().map(|(one, other)| format!("no fixture shows {one} beside {other}: take it out")));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What a finding is about and where.
struct Finding<'a> {
    rule: &'a str,
    place: Place<'a>,
    reasons: Vec<Place<'a>>,
    objects: BTreeSet<&'a str>,
    majors: BTreeSet<u64>,
    message: &'a str,
}

#[derive(PartialEq)]
struct Place<'a> {
    path: &'a str,
    start: (u64, u64),
    end: (u64, u64),
}

impl<'a> Place<'a> {
    fn of(value: &'a Value) -> Place<'a> {
        let number = |field: &str| value[field].as_u64().unwrap_or_default();
        Place {
            path: value["path"].as_str().unwrap_or_default(),
            start: (number("line"), number("column")),
            end: (number("end_line"), number("end_column")),
        }
    }

    fn contains(&self, other: &Place) -> bool {
        self.path == other.path && self.start <= other.start && other.end <= self.end
    }
}

impl<'a> Finding<'a> {
    fn of(value: &'a Value) -> Finding<'a> {
        let list = |field: &str| value[field].as_array().into_iter().flatten();
        Finding {
            rule: value["rule"].as_str().unwrap(),
            place: Place::of(value),
            reasons: list("because").map(Place::of).collect(),
            objects: list("objects").filter_map(Value::as_str).collect(),
            majors: list("postgres").filter_map(Value::as_u64).collect(),
            message: value["message"].as_str().unwrap_or_default(),
        }
    }

    fn meets(&self, other: &Finding) -> bool {
        let same = self.place.contains(&other.place) || other.place.contains(&self.place);
        let linked = self.reasons.contains(&other.place) || other.reasons.contains(&self.place);
        (same || linked) && !self.objects.is_disjoint(&other.objects) && !self.majors.is_disjoint(&other.majors)
    }

    fn told(&self) -> String {
        format!("{}, line {}: {}", self.rule, self.place.start.0, self.message)
    }
}

fn findings(case: &Path) -> Value {
    let shown = case.display().to_string().replace('\\', "/");
    let given = std::fs::read_to_string(case.join("arguments.txt")).unwrap_or_default();
    let mut arguments = vec!["check", &shown, "--notes", "--format=json"];
    arguments.extend(given.lines().map(str::trim).filter(|line| !line.is_empty()));
    plimsoll(&arguments).json()["findings"].take()
}

fn pairs(findings: &Value) -> Vec<(Finding<'_>, Finding<'_>)> {
    let all = findings.as_array().unwrap();
    let mut found = Vec::new();
    for (place, one) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            let (one, other) = (Finding::of(one), Finding::of(other));
            if one.meets(&other) {
                found.push((one, other));
            }
        }
    }
    found
}

fn folders(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(below) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
