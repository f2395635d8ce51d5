//! Transaction blocks: where they begin, and what their end keeps or undoes.

use super::Replay;
use crate::history::OpenTransaction;
use crate::operation::{Origin, Statement, Transaction};

impl Replay<'_> {
    pub(super) fn control(&mut self, control: &Transaction, statement: &Statement) {
        let origin = self.origin(statement.span);
        match control {
            Transaction::Begin => self.begin(&origin, false),
            Transaction::Commit => self.commit(),
            Transaction::Rollback => self.rollback(),
            Transaction::Savepoint(name) => {
                let state = self.state.clone();
                let steps = self.unit_steps.len();
                if let Some(open) = &mut self.session.transaction {
                    open.savepoints.push_back((name.clone(), state, steps, open.locks.len()));
                }
            }
            Transaction::Release(name) => {
                if let Some(open) = &mut self.session.transaction
                    && let Some(place) = open.savepoints.iter().rposition(|savepoint| savepoint.0 == *name)
                {
                    open.savepoints.truncate(place);
                }
            }
            Transaction::RollbackTo(name) => {
                if let Some(open) = &mut self.session.transaction
                    && let Some(place) = open.savepoints.iter().rposition(|savepoint| savepoint.0 == *name)
                {
                    let (_, state, steps, locks) = open.savepoints[place].clone();
                    open.savepoints.truncate(place + 1);
                    open.release_after(locks);
                    let undone = self.unit_steps.len() - steps.min(self.unit_steps.len());
                    self.unit_steps.truncate(steps);
                    self.migration_steps.truncate(self.migration_steps.len() - undone);
                    self.state = state;
                }
            }
            Transaction::Other => {}
        }
    }

    pub(super) fn begin(&mut self, origin: &Origin, implied: bool) {
        // BEGIN inside a transaction warns and changes nothing (BEGIN, "Notes").
        match &mut self.session.transaction {
            Some(open) => open.implied &= implied,
            None => {
                self.end_unit();
                let open = OpenTransaction::new(origin.clone(), implied, self.state.clone());
                self.session.transaction = Some(Box::new(open));
            }
        }
    }

    pub(super) fn commit(&mut self) {
        let ended = self.session.end_transaction();
        if let Some(open) = ended {
            self.state.edit_schema().end_transaction(&open.since);
        }
        self.end_unit();
        self.look_along_search_path();
    }

    fn rollback(&mut self) {
        if let Some(open) = self.session.end_transaction() {
            self.state = open.before;
            let undone = self.unit_steps.len();
            self.unit_steps.clear();
            self.migration_steps.truncate(self.migration_steps.len().saturating_sub(undone));
        }
        self.end_unit();
        self.look_along_search_path();
    }

    pub(super) fn look_along_search_path(&mut self) {
        let path = self.session.search_path();
        if self.state.schema.search_path != path {
            self.state.edit_schema().search_path = path;
        }
    }
}
