//! The migration language of Active Record 5.0 to 8.1: one call, its arguments worked out, becomes the statements that
//! Active Record would send to PostgreSQL.
//!
//! Learnt from Active Record's behaviour and proven against it (`tests/active_record.rs`). Names are quoted only where
//! they must be; where Active Record asks the catalog first, the replayed schema is asked, and where that cannot tell,
//! the statement is sent with the server's own guard (IF EXISTS). An option that is not known makes the whole call
//! unread, with the tables it may touch; a default that is not known is a parameter.

mod change;
mod change_table;
mod column;
mod constraint;
mod default;
mod dialect;
mod foreign_key;
mod given;
mod index;
mod inflect;
mod inverse;
mod lookup;
mod other;
mod quote;
mod reference;
mod send;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod view;

pub use dialect::{Dialect, Files, ModelTable, Release};
pub use inflect::Inflections;
pub use inverse::inverse;
pub use types::kind_of;

use given::Asked;
use send::Work;

use crate::operation::Name;
use crate::rails::call::{Answer, Call, Options};
use crate::rails::value::Value;
use crate::schema::Schema;

type Run = fn(&mut Work) -> Asked<()>;

/// Every call that is known, by name.
const CALLS: &[(&str, Run)] = &[
    ("add_belongs_to", change::add_reference),
    ("add_check_constraint", constraint::add_check),
    ("add_column", change::add_column),
    ("add_columns", change::add_columns),
    ("add_enum_value", other::add_enum_value),
    ("add_exclusion_constraint", constraint::add_exclusion),
    ("add_foreign_key", foreign_key::add),
    ("add_index", index::add),
    ("add_reference", change::add_reference),
    ("add_timestamps", change::add_timestamps),
    ("add_unique_constraint", constraint::add_unique),
    ("add_unique_key", constraint::add_unique),
    ("bulk_change_table", change_table::bulk_change),
    ("change_column", change::change_column),
    ("change_column_comment", change::change_column_comment),
    ("change_column_default", change::change_default),
    ("change_column_null", change::change_null),
    ("change_foreign_key", foreign_key::change),
    ("change_table", change_table::change),
    ("change_table_comment", change::change_table_comment),
    ("create_enum", other::create_enum),
    ("create_function", view::create_function),
    ("create_join_table", table::create_join),
    ("create_schema", other::create_schema),
    ("create_table", table::create),
    ("create_trigger", view::create_trigger),
    ("create_view", view::create),
    ("create_virtual_table", other::of_sqlite),
    ("disable_extension", other::disable_extension),
    ("drop_enum", other::drop_enum),
    ("drop_function", view::drop_function),
    ("drop_join_table", table::drop_join),
    ("drop_schema", other::drop_schema),
    ("drop_table", table::drop),
    ("drop_trigger", view::drop_trigger),
    ("drop_view", view::drop),
    ("drop_virtual_table", other::of_sqlite),
    ("enable_extension", other::enable_extension),
    ("exec_delete", other::execute),
    ("exec_insert", other::execute),
    ("exec_query", other::execute),
    ("exec_update", other::execute),
    ("execute", other::execute),
    ("remove_belongs_to", change::remove_reference),
    ("remove_check_constraint", constraint::remove_check),
    ("remove_column", change::remove_column),
    ("remove_columns", change::remove_columns),
    ("remove_exclusion_constraint", constraint::remove_exclusion),
    ("remove_foreign_key", foreign_key::remove),
    ("remove_index", index::remove),
    ("remove_reference", change::remove_reference),
    ("remove_timestamps", change::remove_timestamps),
    ("remove_unique_constraint", constraint::remove_unique),
    ("remove_unique_key", constraint::remove_unique),
    ("rename_column", change::rename_column),
    ("rename_enum", other::rename_enum),
    ("rename_enum_value", other::rename_enum_value),
    ("rename_index", index::rename),
    ("rename_schema", other::rename_schema),
    ("rename_table", change::rename_table),
    ("replace_view", view::replace),
    ("reset_pk_sequence!", other::nothing),
    ("set_pk_sequence!", other::nothing),
    ("update_function", view::update_function),
    ("update_trigger", view::update_trigger),
    ("update_view", view::update),
    ("validate_check_constraint", constraint::validate_check),
    ("validate_constraint", constraint::validate),
    ("validate_foreign_key", foreign_key::validate),
];

fn find(name: &str) -> Option<Run> {
    CALLS.binary_search_by(|(known, _)| (*known).cmp(name)).ok().map(|at| CALLS[at].1)
}

/// Whether Active Record, scenic or fx has a migration call of that name.
pub fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// What a call sends to the server, where the schema is this one.
pub fn answer(call: &Call, dialect: &Dialect, schema: &Schema) -> Answer {
    let Some(run) = find(&call.name) else { return Answer::NotMine };
    let call = with_options(call);
    let mut work = Work::new(&call, dialect, schema);
    match run(&mut work) {
        Ok(()) => match work.finish() {
            (pieces, None) => Answer::Sends(pieces),
            (pieces, Some(reason)) => {
                let reason = format!("{}: {reason}", call.name).into();
                Answer::SendsPart { pieces, reason, touches: touches(&call, dialect) }
            }
        },
        Err(reason) => {
            let touches = touches(&call, dialect);
            let everything = touches.is_empty();
            Answer::Unread { reason: format!("{}: {reason}", call.name).into(), touches, everything }
        }
    }
}

/// The calls that a call of several stands for: each is answered by itself, on the schema that the one before left.
pub fn parts(call: &Call, dialect: &Dialect) -> Option<Vec<Call>> {
    if call.options.flag("bulk").unwrap_or(true) {
        return None;
    }
    match &*call.name {
        "change_table" => change_table::parts(call, dialect).ok(),
        "bulk_change_table" => call.inner.clone(),
        _ => None,
    }
}

/// Options that were written as a hash of their own are taken as such, as Ruby did before 3.0.
fn with_options(call: &Call) -> Call {
    let mut call = call.clone();
    // A hash is a default, unless it says from what to what.
    let turns = call.options.has("from") && call.options.has("to");
    if &*call.name == "change_column_default" && !turns && !call.options.0.is_empty() {
        let pair = |(name, value): (std::sync::Arc<str>, Value)| (Value::Symbol(name), value);
        let options = std::mem::replace(&mut call.options, NONE);
        call.arguments.push(Value::Hash(options.0.into_iter().map(pair).collect::<Vec<_>>().into()));
    }
    let value_last = matches!(&*call.name, "change_column_default" | "change_column_null");
    if call.options.0.is_empty() && !value_last && matches!(call.arguments.last(), Some(Value::Hash(_))) {
        let last = call.arguments.pop().unwrap_or(Value::Nil);
        call.options = given::options_of(&last, "the options").unwrap_or_default();
    }
    call
}

/// The tables that a call is about, as far as they are known.
fn touches(call: &Call, dialect: &Dialect) -> Vec<Name> {
    let other =
        matches!(&*call.name, "add_foreign_key" | "remove_foreign_key" | "rename_table" | "validate_foreign_key");
    let all = matches!(&*call.name, "drop_table" | "create_join_table" | "drop_join_table");
    let arguments: &[Value] =
        if all { &call.arguments } else { call.arguments.get(..1 + usize::from(other)).unwrap_or(&call.arguments) };
    let named = arguments.iter().filter_map(Value::name);
    let referred = call.options.name("to_table");
    if call.name.ends_with("execute") || call.name.starts_with("exec_") {
        return Vec::new();
    }
    named.chain(referred).map(|name| quote::name(&dialect.table(name))).collect()
}

/// No options.
const NONE: Options = Options(Vec::new());
