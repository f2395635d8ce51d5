//! `change`, run backwards: each call's opposite, as Active Record's command recorder has it.

use super::given::Asked;
use super::{NONE, change_table};
use crate::rails::call::{Call, Options};
use crate::rails::value::Value;

/// The call that undoes this one, or why there is none. Calls of a block are undone in the block: see
/// [`super::parts`] for what `bulk_change_table` holds.
pub fn inverse(call: &Call, dialect: &super::Dialect) -> Asked<Call> {
    let call = super::with_options(call);
    let renamed = |name: &str| Call { name: name.into(), ..call.clone() };
    let guarded = |name: &str, from: &str, to: &str| {
        let mut inverse = renamed(name);
        if let Some(guard) = inverse.options.take(from) {
            inverse.options.set(to, guard);
        }
        inverse
    };
    let undone = |name: &str| guarded(name, "if_not_exists", "if_exists");
    let redone = |name: &str| guarded(name, "if_exists", "if_not_exists");
    Ok(match &*call.name {
        "create_table" => without(undone_plain(&call, "drop_table"), &["if_not_exists"]),
        "drop_table" => drop_table(&call)?,
        "create_join_table" => undone_plain(&call, "drop_join_table"),
        "drop_join_table" => renamed("create_join_table"),
        "add_column" => undone("remove_column"),
        "add_columns" => undone("remove_columns"),
        "remove_column" => match call.arguments.len() {
            0..3 => return Err("remove_column can be reversed only with the column's type".into()),
            _ => redone("add_column"),
        },
        "remove_columns" if call.options.given("type").is_none() => {
            return Err("remove_columns can be reversed only with `type:`".into());
        }
        "remove_columns" => redone("add_columns"),
        "add_index" => undone("remove_index"),
        "remove_index" => remove_index(redone("add_index"))?,
        "add_timestamps" => renamed("remove_timestamps"),
        "remove_timestamps" => renamed("add_timestamps"),
        "add_reference" | "add_belongs_to" => undone("remove_reference"),
        "remove_reference" | "remove_belongs_to" => redone("add_reference"),
        "add_foreign_key" => without(undone("remove_foreign_key"), &["validate"]),
        "remove_foreign_key" => remove_foreign_key(redone("add_foreign_key"))?,
        "add_check_constraint" => without(undone("remove_check_constraint"), &["validate"]),
        "remove_check_constraint" | "remove_exclusion_constraint" if call.given_at(1).is_none() => {
            return Err(format!("{} can be reversed only with its expression", call.name).into());
        }
        "remove_check_constraint" => redone("add_check_constraint"),
        "add_exclusion_constraint" => renamed("remove_exclusion_constraint"),
        "remove_exclusion_constraint" => renamed("add_exclusion_constraint"),
        "add_unique_constraint" | "add_unique_key" if call.options.given("using_index").is_some() => {
            return Err("add_unique_constraint cannot be reversed with `using_index:`".into());
        }
        "add_unique_constraint" | "add_unique_key" => renamed("remove_unique_constraint"),
        "remove_unique_constraint" | "remove_unique_key" if call.given_at(1).is_none() => {
            return Err("remove_unique_constraint can be reversed only with its columns".into());
        }
        "remove_unique_constraint" | "remove_unique_key" => renamed("add_unique_constraint"),
        "rename_table" => swapped(&call, 0, 1)?,
        "rename_index" | "rename_column" => swapped(&call, 1, 2)?,
        "rename_enum" => rename_enum(&call)?,
        "change_column_default" | "change_column_comment" | "change_table_comment" | "rename_enum_value" => {
            turned(&call)?
        }
        "change_column_null" => change_null(&call)?,
        "enable_extension" => renamed("disable_extension"),
        "disable_extension" => without(renamed("enable_extension"), &["force"]),
        "create_enum" => renamed("drop_enum"),
        "drop_enum" if call.given_at(1).is_none() => {
            return Err("drop_enum can be reversed only with its values".into());
        }
        "drop_enum" => without(renamed("create_enum"), &["if_exists"]),
        "create_schema" => renamed("drop_schema"),
        "drop_schema" => without(renamed("create_schema"), &["if_exists"]),
        "create_view" | "create_function" | "create_trigger" => dropped(&call),
        "drop_view" | "drop_function" | "drop_trigger" => made_again(&call)?,
        "update_view" | "replace_view" | "update_function" | "update_trigger" => earlier(&call)?,
        "change_table" => change_table_back(&call, dialect)?,
        other => return Err(format!("{other} cannot be reversed").into()),
    })
}

/// What a table is dropped with says nothing of guards of its making.
fn undone_plain(call: &Call, name: &str) -> Call {
    Call { name: name.into(), inner: None, ..without(call.clone(), &["force"]) }
}

fn without(mut call: Call, options: &[&str]) -> Call {
    call.options = call.options.without(options);
    call
}

fn drop_table(call: &Call) -> Asked<Call> {
    let call = without(call.clone(), &["if_exists"]);
    if call.arguments.len() > 1 {
        return Err("drop_table can be reversed only with one table".into());
    }
    if call.options.0.is_empty() && call.inner.is_none() {
        return Err("drop_table can be reversed only with options or a block".into());
    }
    Ok(Call { name: "create_table".into(), ..without(call, &["force"]) })
}

fn remove_index(mut call: Call) -> Asked<Call> {
    if call.given_at(1).is_none() {
        let over = call.options.take("column");
        let over = over.ok_or("remove_index can be reversed only with its columns")?;
        call.arguments.truncate(1);
        call.arguments.push(over);
    }
    Ok(call)
}

fn remove_foreign_key(mut call: Call) -> Asked<Call> {
    if call.given_at(1).is_none() {
        let to_table = call.options.take("to_table");
        let to_table = to_table.ok_or("remove_foreign_key can be reversed only with the table referred to")?;
        call.arguments.truncate(1);
        call.arguments.push(to_table);
    }
    Ok(call)
}

fn swapped(call: &Call, one: usize, other: usize) -> Asked<Call> {
    let mut call = call.clone();
    if call.arguments.len() <= other {
        return Err(format!("{} is given no new name", call.name).into());
    }
    call.arguments.swap(one, other);
    Ok(call)
}

fn rename_enum(call: &Call) -> Asked<Call> {
    let mut call = call.clone();
    if let Some(to) = call.options.take("to") {
        call.arguments.push(to);
    }
    swapped(&call, 0, 1)
}

/// `from:` and `to:` the other way round.
fn turned(call: &Call) -> Asked<Call> {
    let (Some(from), Some(to)) = (call.options.get("from"), call.options.get("to")) else {
        return Err(format!("{} can be reversed only with `from:` and `to:`", call.name).into());
    };
    let options = Options(vec![("from".into(), to.clone()), ("to".into(), from.clone())]);
    Ok(Call { options, ..call.clone() })
}

fn change_null(call: &Call) -> Asked<Call> {
    let mut call = call.clone();
    let null = call.arguments.get_mut(2).ok_or("change_column_null is not told whether it may be NULL")?;
    let allowed = null.is_truthy().ok_or("whether the column may be NULL is not known")?;
    *null = Value::Bool(!allowed);
    Ok(call)
}

fn dropped(call: &Call) -> Call {
    let name = call.name.replacen("create", "drop", 1);
    Call { name: name.into(), options: call.options.only(&["materialized", "on"]), ..call.clone() }
}

/// The version that scenic and fx are told to go back to.
fn back_to(call: &Call) -> Asked<Options> {
    let mut options = call.options.clone();
    let version = options.take("revert_to_version");
    let version = version.ok_or_else(|| format!("{} can be reversed only with `revert_to_version:`", call.name))?;
    options.set("version", version);
    Ok(options)
}

fn made_again(call: &Call) -> Asked<Call> {
    let name = call.name.replacen("drop", "create", 1);
    Ok(Call { name: name.into(), options: back_to(call)?, ..call.clone() })
}

fn earlier(call: &Call) -> Asked<Call> {
    Ok(Call { options: back_to(call)?, ..call.clone() })
}

/// The calls of the block, each undone, the last first.
fn change_table_back(call: &Call, dialect: &super::Dialect) -> Asked<Call> {
    let parts = change_table::parts(call, dialect)?;
    let inner = parts.iter().rev().map(|part| inverse(part, dialect)).collect::<Asked<Vec<_>>>()?;
    let mut options = NONE;
    // Until 7.1 each was undone by itself.
    if let Some(bulk) = call.options.get("bulk")
        && !dialect.until(7, 0)
    {
        options.set("bulk", bulk.clone());
    }
    Ok(Call { name: "bulk_change_table".into(), options, inner: Some(inner), ..call.clone() })
}
