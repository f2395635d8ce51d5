//! The session that runs a migration: its settings and its open transaction.

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use super::State;
use crate::operation::{
    Frame, FrameKind, Ident, LockMode, Name, ObjectKind, Operation, Origin, Set, SetScope, TableActionKind,
};
use crate::schema::{RelationId, Schema};
use crate::server::{SessionFacts, TimeZone};

/// What SET and BEGIN have made of the session so far. Cloning costs little: each step keeps it as it was.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// By lower-case name: what SET gave, until RESET.
    settings: OrdMap<Arc<str>, Setting>,
    /// The runner's sessions begin with a lock_timeout that ends waits.
    begins_limited: bool,
    /// The search_path that they begin with; none said: what the database has, else `public`.
    begins_along: Vec<Ident>,
    /// What the database had for this session when it began.
    database_has: Option<Vec<Ident>>,
    /// It is in force still, where no statement of the script has another.
    limited: bool,
    pub transaction: Option<Box<OpenTransaction>>,
}

#[derive(Debug, Clone)]
struct Setting {
    values: Vec<Arc<str>>,
    by: Origin,
    /// What it falls back to when the transaction ends, where SET LOCAL hid it.
    local_over: Option<Option<Box<Setting>>>,
}

/// A transaction block, written out or implied by the runner.
#[derive(Debug, Clone)]
pub struct OpenTransaction {
    /// The first step in it, or the BEGIN.
    pub since: Origin,
    /// The runner's own, rather than a BEGIN in the script.
    pub implied: bool,
    /// The state that ROLLBACK brings back.
    pub before: State,
    /// Name, state, steps of the unit and locks at that point.
    pub savepoints: Vector<(Ident, State, usize, usize)>,
    /// In the order they were taken; ROLLBACK TO releases those after the savepoint.
    pub locks: Vector<HeldLock>,
    /// The strongest of them on each relation.
    strongest: OrdMap<RelationId, LockMode>,
}

/// A lock that an open transaction holds, with the step that took it.
#[derive(Debug, Clone)]
pub struct HeldLock {
    pub relation: RelationId,
    pub mode: LockMode,
    pub by: Origin,
    /// What took it, as [`crate::operation::Operation::word`] says.
    pub work: &'static str,
    /// The statement names the table, or one of its partition tree; a dropped key locks what it refers to, too.
    pub named: bool,
}

/// An ALTER TABLE or DROP names the table, or one of its partition tree; other statements name what they lock.
pub fn is_named(operation: &Operation, schema: &Schema, relation: RelationId) -> bool {
    let root = schema.partition_root(relation);
    let meant = |name: &Name| schema.find(name).is_some_and(|one| schema.partition_root(one.id) == root);
    match operation {
        Operation::AlterTable(alter) => {
            meant(&alter.table)
                || alter.actions.iter().any(|action| match &action.kind {
                    TableActionKind::AttachPartition { partition, .. }
                    | TableActionKind::DetachPartition { partition, .. } => meant(partition),
                    _ => false,
                })
        }
        Operation::Drop(drop) if drop.kind == ObjectKind::Table => {
            drop.targets.iter().any(|target| meant(&target.name))
        }
        _ => true,
    }
}

impl HeldLock {
    /// Taken by LOCK TABLE.
    pub fn is_explicit(&self) -> bool {
        self.work == "lock-table"
    }
}

impl OpenTransaction {
    pub fn new(since: Origin, implied: bool, before: State) -> OpenTransaction {
        let (savepoints, locks, strongest) = (Vector::new(), Vector::new(), OrdMap::new());
        OpenTransaction { since, implied, before, savepoints, locks, strongest }
    }

    /// ROLLBACK TO: only the first locks are held still.
    pub fn release_after(&mut self, locks: usize) {
        self.locks.truncate(locks);
        // A lock is kept anew only where it is stronger: the last on a relation is the strongest.
        self.strongest = self.locks.iter().map(|held| (held.relation, held.mode)).collect();
    }

    /// The strongest lock on a relation that is held.
    pub fn strongest_on(&self, relation: RelationId) -> Option<LockMode> {
        self.strongest.get(&relation).copied()
    }

    /// Keeps a lock that others can feel: not on what this transaction made, nor one no stronger than it holds.
    pub fn hold(&mut self, lock: HeldLock) {
        let seen = self.before.schema.get_relation(lock.relation).is_some();
        let known = self.strongest_on(lock.relation).is_some_and(|held| held >= lock.mode);
        if seen && !known {
            self.strongest.insert(lock.relation, lock.mode);
            self.locks.push_back(lock);
        }
    }
}

impl Session {
    /// As the runner of a history opens it.
    pub fn begin(limits_lock_waits: bool, search_path: &[Ident]) -> Session {
        Session {
            begins_limited: limits_lock_waits,
            limited: limits_lock_waits,
            begins_along: search_path.to_vec(),
            ..Session::default()
        }
    }

    pub fn set(&mut self, set: &Set, by: &Origin) {
        if matches!(set.scope, SetScope::Next | SetScope::Later) {
            return;
        }
        // What the runner said by SET is gone after RESET.
        self.limited &= set.values.is_some() || !matches!(&*set.name, "all" | "lock_timeout");
        if &*set.name == "all" {
            self.settings.clear();
            return;
        }
        // SET LOCAL outside a transaction block warns and does nothing (SET, "Notes"). A DO block or a function there has the
        // statement's own transaction.
        let local = set.scope == SetScope::Local;
        let in_block = |frame: &Frame| matches!(frame.kind, FrameKind::DoBlock | FrameKind::Function(_));
        if local && self.transaction.is_none() && !by.frames.iter().any(in_block) {
            return;
        }
        let old = self.settings.remove(&set.name);
        let local_over = local.then(|| match old {
            Some(Setting { local_over: Some(over), .. }) => over,
            other => other.map(Box::new),
        });
        match (&set.values, local_over) {
            (Some(values), local_over) => {
                let setting = Setting { values: values.clone(), by: by.clone(), local_over };
                self.settings.insert(set.name.clone(), setting);
            }
            (None, Some(Some(over))) => {
                self.settings.insert(set.name.clone(), *over);
            }
            (None, _) => {}
        }
    }

    /// The value of a setting, where the script gave one, and who did.
    pub fn setting(&self, name: &str) -> Option<(&[Arc<str>], &Origin)> {
        self.settings.get(name).map(|setting| (setting.values.as_slice(), &setting.by))
    }

    /// A lock_timeout that ends a wait is in force.
    pub fn has_lock_timeout(&self) -> bool {
        let Some((values, _)) = self.setting("lock_timeout") else { return self.limited };
        let text = values.first().map_or("0", |value| &**value);
        text.trim_start_matches('0').starts_with(|digit: char| digit.is_ascii_digit())
    }

    /// The search_path in force.
    pub fn search_path(&self) -> Vec<Ident> {
        let Some((values, _)) = self.setting("search_path") else {
            if !self.begins_along.is_empty() {
                return self.begins_along.clone();
            }
            return self.database_has.clone().unwrap_or_else(|| vec![Ident::new("public")]);
        };
        let named = values.iter().filter(|name| &***name != "$user").map(|name| Ident::new(&**name));
        named.collect()
    }

    /// The session of a script begins: what ALTER DATABASE set before it holds from here on.
    pub fn begin_script(&mut self, schema: &Schema) {
        self.database_has.clone_from(&schema.next_search_path);
    }

    /// A new script begins with a new session, as runners keep one connection but reset nothing of note:
    /// settings of one file are not relied on in the next.
    pub fn end_script(&mut self) {
        self.settings.clear();
        self.limited = self.begins_limited;
    }

    /// What `server` asks of the session.
    pub fn server_facts(&self) -> SessionFacts {
        let zone = self.setting("timezone").and_then(|(values, _)| values.first());
        SessionFacts { time_zone: zone.map_or(TimeZone::Unknown, |zone| TimeZone::named(zone)) }
    }

    /// Ends the transaction: SET LOCAL gives way to what it hid.
    pub fn end_transaction(&mut self) -> Option<Box<OpenTransaction>> {
        let ended = self.transaction.take()?;
        self.end_local();
        Some(ended)
    }

    /// What SET LOCAL gave ends, with a transaction or a statement outside of any; whether there was anything.
    pub fn end_local(&mut self) -> bool {
        let local: Vec<Arc<str>> = self
            .settings
            .iter()
            .filter(|(_, setting)| setting.local_over.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        let any = !local.is_empty();
        for name in local {
            if let Some(Setting { local_over: Some(Some(over)), .. }) = self.settings.remove(&name) {
                self.settings.insert(name, *over);
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn set(scope: SetScope, value: Option<&str>) -> Set {
        Set { scope, name: "lock_timeout".into(), values: value.map(|value| vec![value.into()]) }
    }

    #[test]
    fn local_settings_end_with_the_transaction() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", "x");
        let at = Origin::at(sources.piece(id).span(0..1));
        let mut session = Session::default();
        session.set(&set(SetScope::Local, Some("5s")), &at);
        assert!(!session.has_lock_timeout(), "SET LOCAL outside a transaction does nothing");
        let block = Frame { kind: FrameKind::DoBlock, span: at.span };
        session.set(&set(SetScope::Local, Some("5s")), &Origin { frames: Arc::new([block]), ..at.clone() });
        assert!(session.has_lock_timeout(), "but in a DO block");
        assert!(session.end_local() && !session.has_lock_timeout(), "until that ends");
        let before = State::new(crate::version::Major::NEWEST);
        session.transaction = Some(Box::new(OpenTransaction::new(at.clone(), false, before)));
        session.set(&set(SetScope::Local, Some("5s")), &at);
        assert!(session.has_lock_timeout());
        session.end_transaction();
        assert!(!session.has_lock_timeout());
        session.set(&set(SetScope::Session, Some("0")), &at);
        assert!(!session.has_lock_timeout(), "0 waits for ever");
        session.set(&set(SetScope::Session, Some("500ms")), &at);
        assert!(session.has_lock_timeout());
        session.set(&set(SetScope::Session, None), &at);
        assert!(!session.has_lock_timeout());
    }

    #[test]
    fn a_script_takes_the_runner_s_timeout_away() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", "x");
        let at = Origin::at(sources.piece(id).span(0..1));
        for taken in [Some("0"), None] {
            let mut session = Session::begin(true, &[]);
            assert!(session.has_lock_timeout());
            session.set(&set(SetScope::Session, taken), &at);
            assert!(!session.has_lock_timeout(), "{taken:?}");
            session.end_script();
            assert!(session.has_lock_timeout(), "the next script begins anew");
        }
    }
}
