//! The measured tables: forms of statements, what PostgreSQL 12 to 18 did with each, and what plimsoll computes
//! for the same. `locks.tsv` is the survey that the facts were read off, `locks-more.tsv` was measured afterwards, to
//! try them where they had not been looked at. Locks were read from pg_locks in the open transaction, scans from pg_stat_xact_user_tables,
//! rewrites from pg_relation_filenode; statements that refuse a transaction were sampled from a second session.
#![allow(dead_code)] // Each test binary uses its own part of this.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::operation::{LockMode, Node, Operation, Origin, Statement};
use plimsoll::read::sql;
use plimsoll::schema::{Applied, RelationKind, Schema};
use plimsoll::server::{Effects, RewriteKind, SessionFacts, TimeZone, effects};
use plimsoll::source::Sources;
use plimsoll::version::Major;

/// One row of `tests/locks.tsv`.
pub struct Measured {
    pub form: &'static str,
    pub majors: Vec<Major>,
    /// The SQLSTATE it was refused with; empty where it succeeded.
    pub state: &'static str,
    pub in_transaction: bool,
    pub seen: Seen,
    pub session: &'static str,
    /// The statements that made what it works on.
    pub setup: String,
    pub sql: &'static str,
}

/// What one form did, by relation name; made relations and TOAST tables left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub locks: BTreeMap<String, LockMode>,
    pub rewrites: BTreeSet<String>,
    pub index_builds: BTreeSet<String>,
    /// Tables read in full that were not rewritten.
    pub scans: BTreeSet<String>,
}

/// What plimsoll says of it.
#[derive(Debug, Default)]
pub struct Computed {
    pub seen: Seen,
    /// Names of the indexes among what is locked.
    pub indexes: BTreeSet<String>,
    pub outside_transaction: bool,
    pub waits: bool,
    /// SQLSTATEs that the rows may bring.
    pub states: BTreeSet<&'static str>,
    pub unusable_label: bool,
    /// The SQLSTATE with which the schema refuses it.
    pub refused: Option<&'static str>,
}

pub fn measured() -> Vec<Measured> {
    let setups: BTreeMap<&str, &str> =
        include_str!("../locks-setup.tsv").lines().skip(1).filter_map(|line| line.split_once('\t')).collect();
    let rows = include_str!("../locks.tsv").lines().skip(1).chain(include_str!("../locks-more.tsv").lines().skip(1));
    rows.map(|row| {
        let cells: Vec<&'static str> = row.split('\t').collect();
        let [form, majors, state, within, locks, rewrites, indexes, scans, session, tables, setup, sql] = cells[..]
        else {
            panic!("{} columns: {row}", cells.len());
        };
        let words = |cell: &str| cell.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        let rewrites = words(rewrites);
        let scans = words(scans).difference(&rewrites).cloned().collect();
        let tables = tables.split_whitespace().map(|name| setups[name]);
        Measured {
            form,
            majors: majors_of(majors),
            state,
            in_transaction: within == "yes",
            seen: Seen {
                locks: locks.split_whitespace().map(lock).collect(),
                rewrites,
                index_builds: words(indexes),
                scans,
            },
            session,
            setup: tables.chain(std::iter::once(setup)).collect::<Vec<_>>().join(" "),
            sql,
        }
    })
    .collect()
}

fn majors_of(cell: &str) -> Vec<Major> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u8>().expect("the table is well formed")..=last.parse::<u8>().expect("the table is well formed")
    };
    cell.split(',').flat_map(range).map(Major).collect()
}

fn lock(cell: &str) -> (String, LockMode) {
    let (name, mode) = cell.split_once('=').expect("the table is well formed");
    let at = ["AS", "RS", "RX", "SUE", "S", "SRE", "X", "AE"]
        .iter()
        .position(|short| *short == mode)
        .expect("the table is well formed");
    (name.to_owned(), LockMode::ALL[at])
}

/// Reads SQL as plimsoll does.
pub fn statements(text: &str) -> Vec<Statement> {
    let mut sources = Sources::default();
    let id = sources.add("form.sql", text);
    let nodes = sql::read(&sources.piece(id)).nodes;
    nodes
        .into_iter()
        .map(|node| match node {
            Node::Statement(statement) => statement,
            other => panic!("no statement: {other:?}"),
        })
        .collect()
}

/// Replays setup and statement on one major.
pub fn compute(row: &Measured, major: Major) -> Result<Computed, String> {
    let mut schema = Schema::new(major);
    schema.complete = true;
    for statement in statements(&row.setup) {
        if let Operation::Unread(unread) = &statement.operation {
            return Err(format!("setup is not read: {}", unread.reason));
        }
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            return Err(format!("setup fails: {} {}", failure.state, failure.message));
        }
    }
    let session = session(row.session);
    let mut computed = Computed::default();
    let before = schema.clone();
    for statement in statements(row.sql) {
        if let Operation::Unread(unread) = &statement.operation {
            return Err(format!("not read: {}", unread.reason));
        }
        let effects = effects(&statement.operation, &schema, major, &session);
        note(&mut computed, &effects, &before);
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            computed.refused = Some(failure.state);
            break;
        }
    }
    let rewritten = computed.seen.rewrites.clone();
    computed.seen.scans.retain(|table| !rewritten.contains(table));
    Ok(computed)
}

fn session(settings: &str) -> SessionFacts {
    let mut facts = SessionFacts::default();
    for statement in statements(settings) {
        let Operation::Set(set) = &statement.operation else { continue };
        if &*set.name == "timezone" {
            facts.time_zone = TimeZone::named(
                set.values.as_deref().and_then(|values| values.first()).expect("the table is well formed"),
            );
        }
    }
    facts
}

/// Adds a statement's effects on what was there before all of them.
fn note(computed: &mut Computed, effects: &Effects, before: &Schema) {
    let name = |id| before.get_relation(id).map(|relation| relation.name.short());
    for (id, mode) in &effects.locks {
        let Some(name) = name(*id) else { continue };
        if matches!(before.relation(*id).kind, RelationKind::Index(_)) {
            computed.indexes.insert(name.clone());
        }
        let held = computed.seen.locks.entry(name).or_insert(*mode);
        *held = (*held).max(*mode);
    }
    computed.seen.scans.extend(effects.scans.iter().filter_map(|scan| name(scan.relation)));
    for rewrite in &effects.rewrites {
        computed.seen.rewrites.extend(name(rewrite.relation));
        let emptied = rewrite.kind == RewriteKind::Emptied;
        if let Some(table) = before.relation(rewrite.relation).as_table().filter(|_| emptied) {
            // Their files are replaced, too.
            computed.seen.index_builds.extend(table.indexes.iter().filter_map(|index| name(*index)));
        }
    }
    computed.seen.index_builds.extend(effects.index_builds.iter().filter_map(|build| name(build.index?)));
    computed.outside_transaction |= effects.outside_transaction;
    computed.waits |= effects.waits_for_all_transactions;
    computed.states.extend(effects.validates.iter().map(|check| check.state));
    computed.unusable_label |= effects.unusable_label.is_some();
}
