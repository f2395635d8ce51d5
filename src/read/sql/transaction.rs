//! BEGIN, COMMIT, ROLLBACK, savepoints.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{Operation, Transaction};

impl Cursor<'_> {
    pub fn transaction(&mut self) -> Read<Operation> {
        let read = if self.eat_any(&["begin", "start transaction"]) {
            self.work();
            self.transaction_modes()?;
            Transaction::Begin
        } else if self.eat_any(&["commit prepared", "rollback prepared", "prepare transaction"]) {
            self.string()?;
            Transaction::Other
        } else if self.eat_any(&["commit", "end"]) {
            self.work();
            self.chain()?;
            Transaction::Commit
        } else if self.eat_any(&["rollback", "abort"]) {
            self.work();
            if self.eat("to") {
                self.eat("savepoint");
                Transaction::RollbackTo(self.ident()?)
            } else {
                self.chain()?;
                Transaction::Rollback
            }
        } else if self.eat("savepoint") {
            Transaction::Savepoint(self.ident()?)
        } else {
            self.expect("release")?;
            self.eat("savepoint");
            Transaction::Release(self.ident()?)
        };
        Ok(Operation::Transaction(read))
    }

    fn work(&mut self) {
        self.eat_any(&["work", "transaction"]);
    }

    fn chain(&mut self) -> Read<()> {
        if self.eat("and") {
            self.eat("no");
            self.expect("chain")?;
        }
        Ok(())
    }

    /// Whether the statement ends in AND CHAIN, which begins the next transaction at once.
    pub fn chains(&self) -> bool {
        let end = self.end_place();
        end >= 3 && self.inner(end - 2..end).is("and chain")
    }

    fn transaction_modes(&mut self) -> Read<()> {
        const MODES: &[&str] = &[
            "isolation level serializable",
            "isolation level repeatable read",
            "isolation level read committed",
            "isolation level read uncommitted",
            "read write",
            "read only",
            "not deferrable",
            "deferrable",
        ];
        while self.eat_any(MODES) {
            self.eat_kind(Kind::Comma);
        }
        Ok(())
    }
}
