//! What PostgreSQL refuses inside a transaction block, and what it forbids until the commit.

use super::{SessionFacts, effects};
use crate::operation::Operation;
use crate::schema::Schema;
use crate::version::Major;

/// SQLSTATE 25001: the statement must stand alone. A function, and several statements sent as one query, count as
/// a transaction block, too.
pub fn refused_in_transaction(operation: &Operation, before: &Schema, major: Major) -> bool {
    effects(operation, before, major, &SessionFacts::default()).outside_transaction
}

/// A label added by ALTER TYPE … ADD VALUE cannot be used before the commit (55P04), unless the type is as new as
/// the label: only from 17 on (measured: enum.add_value_new_type_then_use). Labels of CREATE TYPE are never concerned.
pub fn new_label_usable_in_new_type(major: Major) -> bool {
    major >= Major(17)
}
