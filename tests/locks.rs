//! Compares what plimsoll says of every measured form, on every major, with what the servers did.

mod measured;

use std::collections::{BTreeMap, BTreeSet};

use measured::{Computed, Measured, compute, measured};
use plimsoll::operation::Origin;
use plimsoll::schema::Schema;
use plimsoll::server::{SessionFacts, effects, facts};
use plimsoll::version::Major;

/// What part of a form is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Locks,
    Scans,
    Refusal,
}

/// Each with its reason. A form that stands here and would be equal fails the test, too.
const NOT_COMPARED: &[(&str, Part, &str)] = &[
    ("addcol.notnull_nodefault_emptytable", Part::Scans, "an empty table has no row to read; rows are not modelled"),
    ("fk.add_empty_referencing", Part::Scans, "an empty table has no row to read; rows are not modelled"),
    ("dml.insert_partitioned", Part::Locks, "the row's values choose one partition; all that may be are named"),
    ("dml.insert_with_fk_to_partitioned", Part::Locks, "the row's values choose one partition"),
    ("dml.insert_with_fk_to_partitioned", Part::Scans, "on 200 rows the planner reads q1 although it has an index"),
    ("dml.update_partitioned_move", Part::Scans, "on 200 rows the planner reads all although there is an index"),
    ("dml.copy_trigger_sync", Part::Locks, "what a trigger writes is the graph's to say"),
    ("reindex.partitioned_table", Part::Locks, "sampled from outside; tests/postgres reads it in the open transaction"),
    (
        "more.trunc_sub",
        Part::Locks,
        "before 14 the upper parent is opened only by a session that has not cached the bound",
    ),
    ("statistics.drop", Part::Locks, "extended statistics are not modelled"),
    ("enum.add_value_then_use", Part::Refusal, "said as unusable_label; the transaction's history compares"),
    ("enum.add_value_new_type_then_use", Part::Refusal, "said as unusable_label; the transaction's history compares"),
];

fn is_compared(form: &str, part: Part) -> bool {
    !NOT_COMPARED.iter().any(|(listed, what, _)| (*listed, *what) == (form, part))
}

#[test]
fn every_form_on_every_major_is_as_measured() {
    let mut wrong = Vec::new();
    let (mut compared, mut equal) = (0, 0);
    let mut needless: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for row in measured() {
        for major in &row.majors {
            compared += 1;
            let faults = match compute(&row, *major) {
                Ok(computed) => differences(&row, *major, &computed, &mut needless),
                Err(reason) => vec![reason],
            };
            equal += usize::from(faults.is_empty());
            wrong.extend(faults.into_iter().map(|fault| (row.form, *major, fault)));
        }
    }
    println!("{compared} forms × majors compared, {equal} equal, {} parts left out", NOT_COMPARED.len());
    assert!(wrong.is_empty(), "{equal} of {compared} equal\n{}", told(&wrong));
    let needless: Vec<_> = needless.into_iter().filter(|(_, equal)| *equal).map(|(form, _)| form).collect();
    assert!(needless.is_empty(), "listed as not compared, but equal: {needless:?}");
    assert_eq!(compared, 2827 + 1157);
}

fn told(wrong: &[(&str, Major, String)]) -> String {
    let mut by_fault: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (form, major, fault) in wrong {
        by_fault.entry((form, fault)).or_default().push(major.to_string());
    }
    let lines = by_fault.into_iter().map(|((form, fault), majors)| format!("{form} [{}]: {fault}", majors.join(",")));
    lines.collect::<Vec<_>>().join("\n")
}

fn differences(
    row: &Measured,
    major: Major,
    computed: &Computed,
    needless: &mut BTreeMap<(&'static str, String), bool>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |part: Part, equal: bool, text: String| {
        if !is_compared(row.form, part) {
            let entry = needless.entry((row.form, format!("{part:?}"))).or_insert(true);
            *entry &= equal;
        } else if !equal {
            faults.push(text);
        }
    };
    refusal(row, computed, &mut fault);
    if row.state.is_empty() && !row.form.starts_with("tx.") {
        let _ = major;
        if row.in_transaction {
            whole(row, computed, &mut fault);
        } else {
            sampled(row, computed, &mut fault);
        }
    }
    if row.in_transaction == computed.outside_transaction {
        faults.push(format!(
            "runs in a transaction: measured {}, computed {}",
            row.in_transaction,
            row.in_transaction ^ true
        ));
    }
    faults
}

/// Refused by the schema with the same SQLSTATE, or by rows that plimsoll says it asks.
fn refusal(row: &Measured, computed: &Computed, fault: &mut dyn FnMut(Part, bool, String)) {
    let same = match (row.state, computed.refused) {
        ("", None) => true,
        ("55P04", None) if computed.unusable_label => false,
        (state, Some(refused)) => state == refused,
        (state, None) => computed.states.contains(state),
    };
    fault(Part::Refusal, same, format!("refused: measured `{}`, computed {:?}", row.state, computed.refused));
}

fn whole(row: &Measured, computed: &Computed, fault: &mut dyn FnMut(Part, bool, String)) {
    let (have, want) = (&computed.seen, &row.seen);
    let locks =
        |of: &BTreeMap<String, _>| -> String { of.iter().map(|(name, mode)| format!("{name}={mode:?} ")).collect() };
    fault(
        Part::Locks,
        have.locks == want.locks,
        format!("locks: measured {}\n        computed {}", locks(&want.locks), locks(&have.locks)),
    );
    fault(
        Part::Scans,
        have.scans == want.scans,
        format!("scans: measured {:?}, computed {:?}", want.scans, have.scans),
    );
    storage(row, computed, fault);
}

fn storage(row: &Measured, computed: &Computed, fault: &mut dyn FnMut(Part, bool, String)) {
    let (have, want) = (&computed.seen, &row.seen);
    let both = format!(
        "measured {:?} {:?}, computed {:?} {:?}",
        want.rewrites, want.index_builds, have.rewrites, have.index_builds
    );
    fault(
        Part::Locks,
        have.rewrites == want.rewrites && have.index_builds == want.index_builds,
        format!("rewrites: {both}"),
    );
}

/// Statements that refuse a transaction were sampled from outside: what was seen on a table must be said, yet a
/// lock held for an instant can have been missed, and indexes change hands in the end.
fn sampled(row: &Measured, computed: &Computed, fault: &mut dyn FnMut(Part, bool, String)) {
    let indexes: BTreeSet<&String> = computed.indexes.iter().collect();
    for (name, mode) in row.seen.locks.iter().filter(|(name, _)| !indexes.contains(name)) {
        let have = computed.seen.locks.get(name);
        fault(Part::Locks, have == Some(mode), format!("lock on {name}: measured {mode:?}, computed {have:?}"));
    }
    storage(row, computed, fault);
}

#[test]
fn a_table_never_seen_is_locked_all_the_same() {
    let add = "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id)";
    let statement = measured::statements(add).remove(0);
    let mut schema = Schema::new(Major(16));
    schema.assume(&statement.operation, &Origin::at(statement.span));
    let effects = effects(&statement.operation, &schema, Major(16), &SessionFacts::default());
    assert_eq!((effects.locks.len(), effects.scans.len(), effects.validates.len()), (2, 2, 1));
}

#[test]
fn facts_name_measured_forms() {
    let forms: BTreeSet<&str> = measured().iter().map(|row| row.form).collect();
    for fact in facts::all() {
        for form in fact.measured {
            assert!(forms.contains(form), "{:?} names {form}", fact.form);
        }
    }
}

#[test]
fn the_page_tells_the_facts() {
    let page = page();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/locks.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("the page can be written")).expect("the page can be written");
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stands == page, "docs/locks.md is not what src/server/facts says: run with BLESS=1");
}

/// One table row per fact.
fn page() -> String {
    let mut page = String::from(
        "# What statements lock\n\n\
         Generated from `src/server/facts` by `BLESS=1 cargo test --test locks`; measured on PostgreSQL 12 to 18 \
         (`tests/locks.tsv`).\n\n\
         ACCESS EXCLUSIVE stops reads and writes; SHARE, SHARE ROW EXCLUSIVE and EXCLUSIVE stop writes; the others stop \
         neither. A lock is held until the transaction ends. A query that is planned over a table locks all its indexes \
         in the table's own mode. ALTER TABLE with several actions takes the strongest lock of all, on the table and on \
         the partitions that it reaches.\n\n\
         | statement | PostgreSQL | locks | reads in full | rewrites | |\n|---|---|---|---|---|---|\n",
    );
    for fact in facts::all() {
        let locks = fact.locks.iter().map(|(role, mode)| format!("{} {mode}", role.words()));
        let scans = fact.scans.iter().map(|role| role.words().to_owned());
        let rewrites = fact.rewrites.map(|(role, kind)| match kind {
            plimsoll::server::RewriteKind::Rows => format!("{}, row by row", role.words()),
            plimsoll::server::RewriteKind::Files => format!("{}, file by file", role.words()),
            plimsoll::server::RewriteKind::Emptied => format!("{}: emptied", role.words()),
        });
        let mut remarks = Vec::new();
        remarks.extend(fact.outside_transaction.then_some("not in a transaction"));
        remarks.extend(fact.waits_for_all_transactions.then_some("waits for older transactions"));
        page.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            fact.text,
            versions(fact.oldest, fact.newest),
            joined(locks),
            joined(scans),
            rewrites.unwrap_or_default(),
            remarks.join(", "),
        ));
    }
    page
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}

fn versions(oldest: Major, newest: Major) -> String {
    match (oldest == Major::OLDEST, newest == Major::NEWEST) {
        (true, true) => String::new(),
        (false, true) => format!("{oldest} on"),
        (true, false) => format!("up to {newest}"),
        (false, false) => format!("{oldest} to {newest}"),
    }
}
