//! SQL as the calls of a migration that say the same, for those whose migrations are written in Ruby.
//!
//! A call is taken where Active Record, as [`active_record`](super::active_record) tells it, would send this very
//! statement for it; what no call says is run by `execute`.

mod print;

pub use print::string;

use std::ops::Range;

use super::active_record::{Dialect, Release, answer};
use super::call::{Answer, Call, Options};
use super::value::Value;
use crate::operation::{
    Action, AlterTable, ColumnDefinition, Constant, ConstraintDefinition, ConstraintKind, CreateIndex, Drop, Expr,
    Expression, Ident, Name, ObjectKind, Operation, Rename, TableAction, TableActionKind, Transaction, TypeName,
};
use crate::read::sql::read_statement;
use crate::read::sql::split::{Part, Splitter};
use crate::schema::Schema;
use crate::source::{Piece, Span};
use crate::version::Major;

/// What is known where the text is written.
pub struct Writer<'a> {
    pub dialect: &'a Dialect,
    /// The table of an index: `remove_index` asks for both.
    pub table_of: &'a dyn Fn(&Ident) -> Option<Name>,
    /// Where the finding stands; no text of it is looked at.
    pub at: Span,
}

impl Writer<'_> {
    /// Statements with comments between them, in Ruby; `None` where there is no statement, or one that is not read.
    pub fn ruby(&self, sql: &str) -> Option<String> {
        let piece = Piece::made_at(sql, self.at);
        let mut written = Written::default();
        let mut end = 0;
        for range in statements(&piece)? {
            written.comments(&sql[end..range.start])?;
            end = range.end;
            self.statement(&piece, range, &mut written)?;
        }
        written.comments(&sql[end..])?;
        (end > 0).then(|| written.lines.join("\n"))
    }

    fn statement(&self, piece: &Piece, range: Range<usize>, written: &mut Written) -> Option<()> {
        let operation = read_statement(piece, range.clone()).operation;
        match &operation {
            Operation::Unread(_) => return None,
            Operation::Transaction(Transaction::Begin) => {
                written.line("transaction do");
                written.depth += 1;
                return Some(());
            }
            Operation::Transaction(Transaction::Commit) => {
                written.depth = written.depth.checked_sub(1)?;
                written.line("end");
                return Some(());
            }
            _ => {}
        }
        let wanted = parts(operation.clone());
        let calls = self.calls(&operation, written).and_then(|calls| {
            let shortened = calls.into_iter().map(|call| self.shortened(call));
            let calls = shortened.collect::<Option<Vec<Call>>>()?;
            same(self.sends(&calls)?, &wanted).then_some(calls)
        });
        match calls {
            Some(calls) => calls.iter().for_each(|call| written.line(&print::call(call))),
            None => print::execute(&piece.text()[range]).iter().for_each(|line| written.line(line)),
        }
        written.checks.extend(added_checks(&operation));
        Some(())
    }

    /// The same call without what Active Record would choose itself.
    fn shortened(&self, mut call: Call) -> Option<Call> {
        let wanted = self.sends(std::slice::from_ref(&call))?;
        for option in ["name", "primary_key", "column", "precision"] {
            let mut shorter = call.clone();
            shorter.options.0.retain(|(name, _)| &**name != option);
            let fewer = shorter.options.0.len() < call.options.0.len();
            if fewer && self.sends(std::slice::from_ref(&shorter)).is_some_and(|sent| sent == wanted) {
                call = shorter;
            }
        }
        Some(call)
    }

    /// What calls send, part by part.
    fn sends(&self, calls: &[Call]) -> Option<Vec<Operation>> {
        // Nothing is known of it: calls send what they send wherever they run.
        let schema = Schema::new(Major(18));
        let mut sent = Vec::new();
        for call in calls {
            let Answer::Sends(pieces) = answer(call, self.dialect, &schema) else { return None };
            for piece in &pieces {
                sent.extend(parts(read_statement(piece, 0..piece.text().len()).operation));
            }
        }
        Some(sent)
    }

    fn calls(&self, operation: &Operation, written: &Written) -> Option<Vec<Call>> {
        match operation {
            Operation::CreateIndex(create) => Some(vec![self.add_index(create)?]),
            Operation::Drop(drop) => Some(vec![self.dropped(drop)?]),
            Operation::Rename(rename) => Some(vec![self.renamed(rename)?]),
            Operation::AlterTable(alter) => self.altered(alter, written),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: Vec<Value>) -> Call {
        Call { name: name.into(), arguments, options: Options::default(), span: self.at, inner: None }
    }

    fn since(&self, major: u16, minor: u16) -> Option<()> {
        (self.dialect.version >= Release(major, minor)).then_some(())
    }

    fn add_index(&self, create: &CreateIndex) -> Option<Call> {
        use crate::operation::KeyPart;
        let mut columns = Vec::new();
        let (mut classes, mut orders) = (Vec::new(), Vec::new());
        for part in &create.parts {
            let KeyPart::Column(column) = &part.key else { return None };
            columns.push(symbol(column));
            if let Some(class) = &part.operator_class {
                classes.push((symbol(column), Value::symbol(class.name.as_str())));
            }
            if part.descending {
                orders.push((symbol(column), Value::symbol("desc")));
            }
        }
        let columns = if columns.len() == 1 { columns.remove(0) } else { Value::Array(columns.into()) };
        let mut call = self.call("add_index", vec![table(&create.table), columns]);
        let mut set = |name: &str, value: Value| call.options.0.push((name.into(), value));
        if create.unique {
            set("unique", Value::Bool(true));
        }
        if &create.method != "btree" {
            set("using", symbol(&create.method));
        }
        for (name, pairs) in [("opclass", classes), ("order", orders)] {
            if !pairs.is_empty() {
                set(name, Value::Hash(pairs.into()));
            }
        }
        if !create.include.is_empty() {
            self.since(7, 1)?;
            set("include", Value::Array(create.include.iter().map(symbol).collect::<Vec<_>>().into()));
        }
        if create.nulls_not_distinct {
            self.since(7, 1)?;
            set("nulls_not_distinct", Value::Bool(true));
        }
        if let Some(filter) = &create.filter {
            set("where", Value::text(filter.text.clone()));
        }
        if let Some(name) = &create.name {
            set("name", text(name));
        }
        if create.concurrently {
            set("algorithm", Value::symbol("concurrently"));
        }
        if create.if_not_exists {
            self.since(6, 1)?;
            set("if_not_exists", Value::Bool(true));
        }
        Some(call)
    }

    fn dropped(&self, drop: &Drop) -> Option<Call> {
        let [target] = drop.targets.as_slice() else { return None };
        let mut call = match drop.kind {
            ObjectKind::Table if !drop.cascade => self.call("drop_table", vec![table(&target.name)]),
            ObjectKind::Index if !drop.cascade => {
                let mut call = self.call("remove_index", vec![table(&(self.table_of)(&target.name.name)?)]);
                call.options.0.push(("name".into(), text(&target.name.name)));
                call
            }
            _ => return None,
        };
        if drop.concurrently {
            call.options.0.push(("algorithm".into(), Value::symbol("concurrently")));
        }
        if drop.if_exists {
            if drop.kind == ObjectKind::Index {
                self.since(6, 1)?;
            }
            call.options.0.push(("if_exists".into(), Value::Bool(true)));
        }
        Some(call)
    }

    /// `rename_table` takes the names of its indexes along.
    fn renamed(&self, rename: &Rename) -> Option<Call> {
        let object = table(&rename.object);
        match (rename.kind, &rename.part) {
            (ObjectKind::Table, None) => Some(self.call("rename_table", vec![object, symbol(&rename.to)])),
            (ObjectKind::Column, Some(column)) => {
                Some(self.call("rename_column", vec![object, symbol(column), symbol(&rename.to)]))
            }
            _ => None,
        }
    }

    /// Actions of several kinds stand in one statement for a reason.
    fn altered(&self, alter: &AlterTable, written: &Written) -> Option<Vec<Call>> {
        let first = alter.actions.first()?;
        let same = |action: &TableAction| std::mem::discriminant(&action.kind) == std::mem::discriminant(&first.kind);
        if alter.only || alter.if_exists || !alter.actions.iter().all(same) {
            return None;
        }
        alter.actions.iter().map(|action| self.action(&alter.table, &action.kind, written)).collect()
    }

    fn action(&self, of: &Name, kind: &TableActionKind, written: &Written) -> Option<Call> {
        let call = |name: &str, more: Vec<Value>| self.call(name, [vec![table(of)], more].concat());
        Some(match kind {
            TableActionKind::AddColumn { column, if_not_exists: false } => self.add_column(of, column)?,
            TableActionKind::DropColumn { column, if_exists: false, cascade: false } => {
                call("remove_column", vec![symbol(column)])
            }
            TableActionKind::SetNotNull { column } => {
                call("change_column_null", vec![symbol(column), Value::Bool(false)])
            }
            TableActionKind::DropNotNull { column } => {
                call("change_column_null", vec![symbol(column), Value::Bool(true)])
            }
            TableActionKind::SetDefault { column, default } => {
                call("change_column_default", vec![symbol(column), literal(default)?])
            }
            TableActionKind::DropDefault { column } => call("change_column_default", vec![symbol(column), Value::Nil]),
            TableActionKind::AddConstraint(added) => self.add_constraint(of, added)?,
            TableActionKind::ValidateConstraint { name } => {
                self.since(5, 2)?;
                match written.checks.contains(name) {
                    true => named(call("validate_check_constraint", Vec::new()), name),
                    false => call("validate_constraint", vec![symbol(name)]),
                }
            }
            TableActionKind::DropConstraint { name, if_exists: false, cascade: false }
                if written.checks.contains(name) =>
            {
                named(call("remove_check_constraint", Vec::new()), name)
            }
            _ => return None,
        })
    }

    fn add_column(&self, of: &Name, column: &ColumnDefinition) -> Option<Call> {
        let (kind, mut options) = type_of(column.data_type.as_ref()?)?;
        if let Some(default) = &column.default {
            options.0.push(("default".into(), literal(default)?));
        }
        if column.not_null.is_some() {
            options.0.push(("null".into(), Value::Bool(false)));
        }
        let mut call = self.call("add_column", vec![table(of), symbol(&column.name), Value::symbol(kind)]);
        call.options = options;
        Some(call)
    }

    fn add_constraint(&self, of: &Name, added: &ConstraintDefinition) -> Option<Call> {
        let name = added.name.as_ref()?;
        let mut call = match &added.kind {
            ConstraintKind::Check(expression) => {
                self.since(6, 1)?;
                self.call("add_check_constraint", vec![table(of), Value::text(expression.text.clone())])
            }
            ConstraintKind::Foreign(key) => {
                let mut call = self.call("add_foreign_key", vec![table(of), table(&key.references)]);
                let columns = |columns: &[Ident]| match columns {
                    [one] => symbol(one),
                    several => Value::Array(several.iter().map(symbol).collect::<Vec<_>>().into()),
                };
                if key.columns.len() > 1 || key.referenced_columns.len() > 1 {
                    self.since(7, 1)?;
                }
                call.options.0.push(("column".into(), columns(&key.columns)));
                if !key.referenced_columns.is_empty() {
                    call.options.0.push(("primary_key".into(), columns(&key.referenced_columns)));
                }
                for (option, action) in [("on_delete", key.on_delete), ("on_update", key.on_update)] {
                    let word = match action {
                        Action::NoAction => continue,
                        Action::Restrict => "restrict",
                        Action::Cascade => "cascade",
                        Action::SetNull => "nullify",
                        Action::SetDefault => return None,
                    };
                    call.options.0.push((option.into(), Value::symbol(word)));
                }
                call
            }
            _ => return None,
        };
        call = named(call, name);
        if added.not_valid {
            self.since(5, 2)?;
            call.options.0.push(("validate".into(), Value::Bool(false)));
        }
        Some(call)
    }
}

/// Where the statements of a text stand; `None` where something else is among them.
fn statements(piece: &Piece) -> Option<Vec<Range<usize>>> {
    let mut splitter = Splitter::new(piece);
    let mut found = Vec::new();
    while let Some(part) = splitter.next_part() {
        let (Part::Statement, Some(first), Some(last)) = (part, splitter.tokens.first(), splitter.tokens.last()) else {
            return None;
        };
        found.push(first.start as usize..last.end as usize);
    }
    Some(found)
}

/// Indexes that a text drops.
pub fn dropped_indexes(sql: &str, at: Span) -> Vec<Ident> {
    let piece = Piece::made_at(sql, at);
    let dropped = |range| match read_statement(&piece, range).operation {
        Operation::Drop(Drop { kind: ObjectKind::Index, targets, .. }) => targets,
        _ => Vec::new(),
    };
    let ranges = statements(&piece).unwrap_or_default();
    ranges.into_iter().flat_map(dropped).map(|target| target.name.name).collect()
}

/// Lines of Ruby, as far as they are written.
#[derive(Default)]
struct Written {
    lines: Vec<String>,
    depth: usize,
    /// CHECKs that the text adds: calls name the kind of a constraint.
    checks: Vec<Ident>,
}

impl Written {
    fn line(&mut self, text: &str) {
        self.lines.push(format!("{}{text}", "  ".repeat(self.depth)));
    }

    /// What stands between statements: comments, and nothing else.
    fn comments(&mut self, between: &str) -> Option<()> {
        for line in between.lines().map(|line| line.trim_start_matches(';').trim()).filter(|line| !line.is_empty()) {
            let words = line.strip_prefix("--")?;
            self.line(&format!("#{words}"));
        }
        Some(())
    }
}

fn added_checks(operation: &Operation) -> Vec<Ident> {
    let Operation::AlterTable(alter) = operation else { return Vec::new() };
    let one = |action: &TableAction| match &action.kind {
        TableActionKind::AddConstraint(added) if matches!(added.kind, ConstraintKind::Check(_)) => added.name.clone(),
        _ => None,
    };
    alter.actions.iter().filter_map(one).collect()
}

/// Statements of one action each, their names without `public`: what two texts must share to be the same.
fn parts(mut operation: Operation) -> Vec<Operation> {
    match &mut operation {
        Operation::CreateIndex(create) => bare(&mut create.table),
        Operation::Drop(drop) => drop.targets.iter_mut().for_each(|target| bare(&mut target.name)),
        Operation::Rename(rename) => bare(&mut rename.object),
        Operation::AlterTable(alter) => {
            bare(&mut alter.table);
            for action in &mut alter.actions {
                if let TableActionKind::AddConstraint(added) = &mut action.kind
                    && let ConstraintKind::Foreign(key) = &mut added.kind
                {
                    bare(&mut key.references);
                }
            }
            let one = |action: &TableAction| {
                let actions = vec![action.clone()];
                Operation::AlterTable(Box::new(AlterTable { actions, ..AlterTable::clone(alter) }))
            };
            return alter.actions.iter().map(one).collect();
        }
        _ => {}
    }
    vec![operation]
}

/// Active Record names what has no name.
fn same(mut sent: Vec<Operation>, wanted: &[Operation]) -> bool {
    for (sent, wanted) in sent.iter_mut().zip(wanted) {
        if let (Operation::CreateIndex(sent), Operation::CreateIndex(wanted)) = (sent, wanted)
            && wanted.name.is_none()
        {
            sent.name = None;
        }
    }
    sent == wanted
}

fn bare(name: &mut Name) {
    name.schema.take_if(|schema| *schema == "public");
}

fn named(mut call: Call, name: &Ident) -> Call {
    call.options.0.push(("name".into(), text(name)));
    call
}

fn symbol(name: &Ident) -> Value {
    Value::symbol(name.as_str())
}

fn text(name: &Ident) -> Value {
    Value::text(name.as_str())
}

/// `:orders`, `"app.orders"`.
fn table(name: &Name) -> Value {
    match name.schema.as_ref().filter(|schema| **schema != "public") {
        Some(schema) => Value::text(format!("{}.{}", schema.as_str(), name.name.as_str())),
        None => symbol(&name.name),
    }
}

/// A default that Ruby has a literal for.
fn literal(default: &Expression) -> Option<Value> {
    let Expr::Constant(constant) = &default.tree else { return None };
    Some(match constant {
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Number(number) => Value::Integer(number.parse().ok()?),
        Constant::String(text) => Value::text(text.clone()),
        Constant::Null | Constant::Default => return None,
    })
}

/// What a migration calls a type.
fn type_of(data_type: &TypeName) -> Option<(&str, Options)> {
    let modifier = |at: usize| data_type.modifiers.get(at).and_then(|number| number.parse().ok()).map(Value::Integer);
    let mut options = Options::default();
    let mut set = |name: &str, value: Option<Value>| options.0.extend(value.map(|value| (name.into(), value)));
    let kind = match data_type.name.name.as_str() {
        "character varying" => {
            set("limit", modifier(0));
            "string"
        }
        "numeric" => {
            set("precision", modifier(0));
            set("scale", modifier(1));
            "decimal"
        }
        "timestamp without time zone" => {
            set("precision", Some(modifier(0).unwrap_or(Value::Nil)));
            "datetime"
        }
        "timestamp with time zone" => {
            set("precision", Some(modifier(0).unwrap_or(Value::Nil)));
            "timestamptz"
        }
        "smallint" => {
            set("limit", Some(Value::Integer(2)));
            "integer"
        }
        "bytea" => "binary",
        "double precision" => "float",
        same if data_type.built_in && data_type.modifiers.is_empty() => same,
        _ => return None,
    };
    if data_type.array {
        set("array", Some(Value::Bool(true)));
    }
    Some((kind, options))
}
