//! `change_table` and its block: each call on `t` is a call of the migration's on that table; with `bulk: true` what
//! ALTER TABLE can do at once is sent at once.

use super::change::{self, Part};
use super::column::Place;
use super::given::{Asked, flag_of};
use super::send::Work;
use super::{Dialect, quote, types};
use crate::operation::Ident;
use crate::rails::call::{Call, Options};
use crate::rails::value::Value;

/// The calls that a block on a table stands for, in order.
pub fn parts(call: &Call, dialect: &Dialect) -> Asked<Vec<Call>> {
    let table = call.arguments.first().ok_or("no table is given")?;
    let mut parts = Vec::new();
    for inner in call.inner.iter().flatten() {
        part(&mut parts, table, inner, dialect).map_err(|reason| format!("`t.{}`: {reason}", inner.name))?;
    }
    Ok(parts)
}

fn part(parts: &mut Vec<Call>, table: &Value, inner: &Call, dialect: &Dialect) -> Asked<()> {
    let mut push = |name: &str, arguments: &[Value], options: Options| {
        let arguments = std::iter::once(table.clone()).chain(arguments.iter().cloned()).collect();
        parts.push(Call { name: name.into(), arguments, options, span: inner.span, inner: None });
    };
    let (arguments, options) = (inner.arguments.as_slice(), inner.options.clone());
    if !dialect.until(7, 0) && (options.has("if_exists") || options.has("if_not_exists")) {
        return Err("Active Record refuses guards on a block's calls since 7.1".into());
    }
    if let Some(name) = same(&inner.name) {
        push(name, arguments, options);
        return Ok(());
    }
    match &*inner.name {
        "references" | "belongs_to" | "remove_references" | "remove_belongs_to" => {
            let name = if inner.name.starts_with("remove") { "remove_reference" } else { "add_reference" };
            for argument in arguments {
                push(name, std::slice::from_ref(argument), options.clone());
            }
        }
        "column" => column(&mut push, arguments, options, dialect),
        "primary_key" => {
            let kind = arguments.get(1).cloned().unwrap_or_else(|| Value::symbol("primary_key"));
            let mut options = options;
            options.set("primary_key", Value::Bool(true));
            push("add_column", &[arguments.first().cloned().unwrap_or(Value::Nil), kind], options);
        }
        "change" => push("change_column", arguments, blocks(options, dialect)),
        method => {
            let Some(kind) = types::method_type(method) else {
                return Err("this is no method of `t` that is known".into());
            };
            for name in arguments {
                column(&mut push, &[name.clone(), Value::symbol(kind)], options.clone(), dialect);
            }
        }
    }
    Ok(())
}

/// A column and, where it is asked for, its index.
fn column(
    push: &mut impl FnMut(&str, &[Value], Options),
    arguments: &[Value],
    mut options: Options,
    dialect: &Dialect,
) {
    let index = options.take("index");
    push("add_column", arguments, blocks(options, dialect));
    let Some(index) = index.filter(|index| index.is_truthy() != Some(false)) else { return };
    let name = arguments.first().cloned().unwrap_or(Value::Nil);
    match index {
        Value::Hash(_) | Value::Unknown(_) => match super::given::options_of(&index, "`index:`") {
            Ok(told) => push("add_index", &[name], told),
            Err(reason) => push("add_index", &[Value::Unknown(reason)], Options::default()),
        },
        _ => push("add_index", &[name], Options::default()),
    }
}

/// In blocks of migrations up to 6.1 no time has a precision by default.
fn blocks(mut options: Options, dialect: &Dialect) -> Options {
    if dialect.until(6, 1) && !options.has("precision") {
        options.set("precision", Value::Nil);
    }
    options
}

/// Methods of `t` that are calls with the table in front.
fn same(method: &str) -> Option<&'static str> {
    Some(match method {
        "index" => "add_index",
        "rename_index" => "rename_index",
        "timestamps" => "add_timestamps",
        "change_default" => "change_column_default",
        "change_null" => "change_column_null",
        "remove" => "remove_columns",
        "remove_column" => "remove_column",
        "remove_index" => "remove_index",
        "remove_timestamps" => "remove_timestamps",
        "rename" => "rename_column",
        "foreign_key" => "add_foreign_key",
        "remove_foreign_key" => "remove_foreign_key",
        "check_constraint" => "add_check_constraint",
        "remove_check_constraint" => "remove_check_constraint",
        "validate_check_constraint" => "validate_check_constraint",
        "validate_constraint" => "validate_constraint",
        "exclusion_constraint" => "add_exclusion_constraint",
        "remove_exclusion_constraint" => "remove_exclusion_constraint",
        "unique_constraint" | "unique_key" => "add_unique_constraint",
        "remove_unique_constraint" | "remove_unique_key" => "remove_unique_constraint",
        _ => return None,
    })
}

pub fn change(work: &mut Work) -> Asked<()> {
    work.call.allow_only(&[&["bulk", "if_exists", "force", "comment", "options"]])?;
    let calls = parts(work.call, work.dialect)?;
    run(work, &calls)
}

/// What `change_table` leaves to be done when it is run backwards.
pub fn bulk_change(work: &mut Work) -> Asked<()> {
    let calls = work.call.inner.as_deref().unwrap_or_default();
    run(work, calls)
}

fn run(work: &mut Work, calls: &[Call]) -> Asked<()> {
    let bulk = work.call.options.flag("bulk")?;
    let table = work.table()?;
    let mut open = Open { table: &table, sql: Vec::new(), after: Vec::new() };
    // The schema as the calls before left it, and how many statements have made it so.
    let (mut schema, mut already) = (work.schema.clone(), 0);
    for call in calls {
        if !bulk || !open.take(work, call)? {
            open.send(work)?;
            already = work.run_sent(&mut schema, already);
            work.inside_at(call, &schema, known(call)?)?;
        }
    }
    open.send(work)
}

/// How a call is run.
fn known(call: &Call) -> Asked<super::Run> {
    super::find(&call.name).ok_or_else(|| format!("{} is not known", call.name).into())
}

/// An ALTER TABLE that is not sent yet.
struct Open<'a> {
    table: &'a str,
    sql: Vec<(String, crate::source::Span)>,
    after: Vec<Call>,
}

impl Open<'_> {
    /// Takes a call that ALTER TABLE can do together with others.
    fn take(&mut self, work: &mut Work, call: &Call) -> Asked<bool> {
        let column = || call.name_at(1, "the column");
        let kind = || call.name_at(2, "the type");
        let part = match &*call.name {
            "add_column" => change::adding(work, &column()?, &kind()?, &call.options, Place::Call)?,
            "add_timestamps" => change::adding_timestamps(work, &call.options)?,
            "change_column" => change::changing(work, &column()?, &kind()?, &call.options, Place::Call)?,
            "remove_column" => drops(&[column()?]),
            "remove_columns" => {
                let mut columns = Vec::new();
                for at in 1..call.arguments.len() {
                    columns.extend(call.names_at(at, "the column")?);
                }
                drops(&columns)
            }
            "remove_timestamps" => drops(&["updated_at".to_owned(), "created_at".to_owned()]),
            "change_column_default" => {
                let value = change::changed(&call.options, call.arguments.get(2), "default")?;
                let sql = vec![change::defaulting(work, self.table, &column()?, value)?];
                Part { sql, comment: None }
            }
            "change_column_null" => {
                if call.given_at(3).is_some() {
                    self.after.push(call.clone());
                    return Ok(true);
                }
                let null = flag_of(call.arguments.get(2).unwrap_or(&Value::Nil), "whether it may be NULL")?;
                Part { sql: vec![change::nulling(&column()?, null)], comment: None }
            }
            _ => return Ok(false),
        };
        self.sql.extend(part.sql.into_iter().map(|sql| (sql, call.span)));
        if let Some((column, comment)) = part.comment {
            let arguments = vec![Value::text(self.table), Value::text(column), comment];
            let options = Options::default();
            self.after.push(Call { name: "change_column_comment".into(), arguments, options, ..call.clone() });
        }
        Ok(true)
    }

    fn send(&mut self, work: &mut Work) -> Asked<()> {
        let mut parts = vec![(format!("ALTER TABLE {} ", quote::table(self.table)), work.call.span)];
        for (number, (sql, at)) in self.sql.drain(..).enumerate() {
            if number > 0 {
                parts.push((", ".to_owned(), at));
            }
            parts.push((sql, at));
        }
        if parts.len() > 1 {
            work.send_parts(&parts);
        }
        std::mem::take(&mut self.after).iter().try_for_each(|call| work.inside(call, known(call)?))
    }
}

fn drops(columns: &[String]) -> Part {
    Part {
        sql: columns.iter().map(|column| format!("DROP COLUMN {}", Ident::new(column).to_sql())).collect(),
        comment: None,
    }
}
