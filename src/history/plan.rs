//! What a replay is told beside the scripts: releases, facts, which file is which migration.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use super::ahead::{ahead, names_lock_timeout};
use super::{History, Migration};
use crate::operation::{BackgroundAction, Ident, Node, Operation, Rows, Statement, Write, WriteKind, writes_of};
use crate::rails::Language;
use crate::settings::{Fact, Settings};
use crate::source::{SourceId, Span};
use crate::version::Major;

/// A history with what is stated and settled about it.
#[derive(Debug)]
pub struct Plan<'a> {
    pub history: &'a History,
    /// Its place among the run's histories.
    pub index: usize,
    pub settings: &'a Settings,
    /// Facts that each migration's comments state.
    pub facts: Vec<Vec<Fact>>,
    releases: Vec<usize>,
    /// By file and the place where its script begins: one file may hold several migrations.
    by_place: BTreeMap<(SourceId, u32), usize>,
    /// What migrations in Ruby would send on a schema that is not known, each worked out when it is first asked for.
    ahead: Vec<OnceLock<Vec<Statement>>>,
    /// Files that migrations read and run, where any does: by the first of them.
    read_by: OnceLock<RwLock<BTreeMap<SourceId, usize>>>,
    fills: OnceLock<BTreeMap<Ident, Vec<LaterFill>>>,
    /// Where edited migrations stop on a new database, by the first of the majors that are asked about.
    stops_anew: RwLock<BTreeMap<(usize, Major), StopsAnew>>,
    /// How many of the migrations before each set `lock_timeout`; one more entry than migrations.
    lock_timeouts_before: Vec<usize>,
}

/// Whether a migration's text passes on a new database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopsAnew {
    Never,
    /// In the statement that begins here.
    At(u32),
    /// There is no new database to speak of: the change leaves what is shipped as it was.
    Unknown,
}

/// A statement that fills a table from others.
#[derive(Debug)]
struct LaterFill {
    migration: usize,
    span: Span,
    /// A job's, which begins when the deploy is over.
    queued: bool,
    reads: Vec<Ident>,
}

impl<'a> Plan<'a> {
    /// `facts` has an entry for each migration, or none at all.
    pub fn new(history: &'a History, index: usize, settings: &'a Settings, facts: Vec<Vec<Fact>>) -> Plan<'a> {
        let migrations = history.migrations.iter().enumerate();
        let by_place = migrations.map(|(number, one)| ((one.source, one.starts), number)).collect();
        let mut lock_timeouts_before = vec![0];
        for migration in &history.migrations {
            let before = lock_timeouts_before.last().copied().unwrap_or(0);
            lock_timeouts_before.push(before + usize::from(sets_lock_timeout(migration, &history.language)));
        }
        let releases = release_numbers(&history.migrations);
        let ahead = history.migrations.iter().map(|_| OnceLock::new()).collect();
        Plan {
            history,
            index,
            settings,
            facts,
            releases,
            by_place,
            ahead,
            lock_timeouts_before,
            read_by: OnceLock::new(),
            fills: OnceLock::new(),
            stops_anew: RwLock::default(),
        }
    }

    /// Where a migration stops on a new database: all that is replayed for it is so once.
    pub fn stops_anew(&self, migration: usize, major: Major, find: impl FnOnce() -> StopsAnew) -> StopsAnew {
        let key = (migration, major);
        let known = self.stops_anew.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let found = find();
            self.stops_anew.write().unwrap_or_else(PoisonError::into_inner).insert(key, found);
            found
        })
    }

    /// The search_path with which sessions begin, as the settings have it, else the runner's own; empty: nobody says.
    pub fn search_path(&self) -> &[Ident] {
        let stated = &self.settings.search_path;
        if stated.is_empty() { &self.history.search_path } else { stated }
    }

    /// A migration runs what stands in another file.
    pub fn note_read(&self, source: SourceId, migration: usize) {
        let read_by = self.read_by.get_or_init(RwLock::default);
        if !read_by.read().unwrap_or_else(PoisonError::into_inner).contains_key(&source) {
            read_by.write().unwrap_or_else(PoisonError::into_inner).entry(source).or_insert(migration);
        }
    }

    /// The migration whose script holds a place, or that runs the file with it.
    pub fn migration_of(&self, span: Span) -> Option<usize> {
        let read = |known: &RwLock<BTreeMap<_, _>>| {
            known.read().unwrap_or_else(PoisonError::into_inner).get(&span.source).copied()
        };
        if let Some(other) = self.read_by.get().and_then(read) {
            return Some(other);
        }
        let before = self.by_place.range((span.source, 0)..=(span.source, span.start)).next_back();
        before.map(|(_, number)| *number)
    }

    /// Of the migrations just before one a good part sets `lock_timeout`: the project leaves it to its migrations. A
    /// few among hundreds are no such habit.
    pub fn limits_lock_waits(&self, migration: usize) -> bool {
        const WINDOW: usize = 20;
        let first = migration.saturating_sub(WINDOW);
        let set = self.lock_timeouts_before[migration] - self.lock_timeouts_before[first];
        set > 0 && set * 4 >= migration - first
    }

    /// What the migration inherits or includes lets it wait a short while only, again and again.
    pub fn retries_locks(&self, migration: usize) -> bool {
        let vocabularies = &self.history.language.vocabularies;
        let limits = |node: &Node| match node {
            Node::Ruby(script) => vocabularies.active(script).limits_lock_waits(),
            _ => false,
        };
        self.history.migrations[migration].up.nodes.iter().any(limits)
    }

    /// Migrations of one release reach production in one deploy; the base is never one with what is judged.
    pub fn same_release(&self, one: usize, other: usize) -> bool {
        self.release_number(one) == self.release_number(other)
    }

    /// The release a migration belongs to, as the number of its first migration.
    pub fn release_number(&self, migration: usize) -> usize {
        self.releases[migration]
    }

    /// The first statement after a place that meets a condition, in the rest of that migration and in those after it;
    /// DO blocks are looked into, texts made at run time are not.
    pub fn find_later(
        &self,
        migration: usize,
        after: Span,
        meets: &dyn Fn(&Statement) -> bool,
    ) -> Option<(usize, Span)> {
        (migration..self.history.migrations.len()).find_map(|number| {
            let mut found = None;
            self.statements(number, &mut |statement| {
                let later = number != migration || statement.span.start >= after.end;
                if found.is_none() && later && meets(statement) {
                    found = Some((number, statement.span));
                }
            });
            found
        })
    }

    /// A statement of a migration's release meets a condition, in it (from its beginning on) or in those behind it.
    pub fn any_in_release(&self, migration: usize, meets: &dyn Fn(&Operation) -> bool) -> bool {
        self.any_of_release(migration, migration, meets)
    }

    /// Likewise, only in those behind it.
    pub fn any_later_in_release(&self, migration: usize, meets: &dyn Fn(&Operation) -> bool) -> bool {
        self.any_of_release(migration, migration + 1, meets)
    }

    fn any_of_release(&self, migration: usize, from: usize, meets: &dyn Fn(&Operation) -> bool) -> bool {
        let later = from..self.history.migrations.len();
        later.filter(|number| self.same_release(migration, *number)).any(|number| {
            let mut found = false;
            self.statements(number, &mut |statement| found |= meets(&statement.operation));
            found
        })
    }

    /// What a migration's Ruby sends, as far as its text alone tells.
    pub fn sent_by(&self, number: usize) -> &[Statement] {
        let nodes = &self.history.migrations[number].up.nodes;
        let Some(Node::Ruby(script)) = nodes.iter().find(|node| matches!(node, Node::Ruby(_))) else { return &[] };
        self.ahead[number].get_or_init(|| ahead(script, &self.history.language))
    }

    /// All statements of a migration, those of DO blocks and those that its Ruby sends.
    fn statements(&self, number: usize, visit: &mut dyn FnMut(&Statement)) {
        for node in &self.history.migrations[number].up.nodes {
            node.statements(&mut |statement| match &statement.operation {
                Operation::Do(block) => block.body.nodes.iter().for_each(|node| node.statements(visit)),
                _ => visit(statement),
            });
            if let Node::Ruby(_) = node {
                self.sent_by(number).iter().for_each(&mut *visit);
            }
        }
    }

    /// The first `INSERT INTO table SELECT …` after a place, as it stands or as a job that is queued; `from`: that
    /// reads this table.
    pub fn find_fill(
        &self,
        migration: usize,
        after: Span,
        table: &Ident,
        from: Option<&Ident>,
    ) -> Option<(usize, Span)> {
        let fills = self.fills.get_or_init(|| self.all_fills()).get(table)?;
        let is_later = |fill: &&LaterFill| {
            fill.migration > migration || fill.migration == migration && fill.span.start >= after.end
        };
        let is_from = |fill: &&LaterFill| from.is_none_or(|from| !fill.queued && fill.reads.contains(from));
        fills.iter().filter(is_later).find(is_from).map(|fill| (fill.migration, fill.span))
    }

    /// By the table's own name, in the order of the history.
    fn all_fills(&self) -> BTreeMap<Ident, Vec<LaterFill>> {
        let mut all: BTreeMap<Ident, Vec<LaterFill>> = BTreeMap::new();
        for migration in 0..self.history.migrations.len() {
            self.statements(migration, &mut |statement| {
                let mut note = |write: &Write, queued: bool| {
                    let (WriteKind::Insert, Rows::Query(query)) = (write.kind, &write.rows) else { return };
                    let reads = query.reads().iter().map(|read| read.name.clone()).collect();
                    let fill = LaterFill { migration, span: statement.span, queued, reads };
                    all.entry(write.target.name.clone()).or_default().push(fill);
                };
                match &statement.operation {
                    Operation::Write(write) => note(write, false),
                    Operation::Background(background) => {
                        if let BackgroundAction::Queue { .. } = background.action {
                            writes_of(background.does()).for_each(|write| note(write, true));
                        }
                    }
                    _ => {}
                }
            });
        }
        all
    }

    pub fn facts_of(&self, migration: usize) -> &[Fact] {
        self.facts.get(migration).map_or(&[], Vec::as_slice)
    }
}

fn sets_lock_timeout(migration: &Migration, language: &Language) -> bool {
    let mut sets = false;
    for node in &migration.up.nodes {
        if let Node::Ruby(script) = node {
            sets |= language.vocabularies.active(script).limits_lock_waits() || names_lock_timeout(&script.file);
        }
        node.statements(&mut |statement| {
            sets |= matches!(&statement.operation, Operation::Set(set) if &*set.name == "lock_timeout" && set.values.is_some());
        });
    }
    sets
}

/// The release of each migration, as the number of its first one: the one it is known to belong to, else the judged
/// set where something is shipped already, else each migration is a release of its own.
fn release_numbers(migrations: &[Migration]) -> Vec<usize> {
    let shipped_before = migrations.iter().any(|migration| !migration.judged);
    let mut firsts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let mut first_judged = None;
    let mut numbers = Vec::with_capacity(migrations.len());
    for (number, migration) in migrations.iter().enumerate() {
        numbers.push(match migration.release.as_deref() {
            Some(name) => *firsts.entry((migration.judged, name)).or_insert(number),
            None if migration.judged && shipped_before => *first_judged.get_or_insert(number),
            None => number,
        });
    }
    numbers
}
