//! What a class of background work writes, read from its own file: `perform` over one batch that stands for all.

use std::sync::Arc;

use super::flow::{Flow, Leave};
use super::given::Given;
use super::object::Thing;
use super::{Activation, Evaluator, names};
use crate::operation::{
    Frame, FrameKind, Operation, Ruby, RubyCall, RubyClass, RubyDirection, RubyFile, RubyKind, RubyScript, Unread,
};
use crate::rails::value::{Object, Text, Value};
use crate::rails::{Language, World};
use crate::schema::Schema;
use crate::source::{Piece, Span};

/// What a job is run with.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub table: Value,
    pub column: Value,
    pub arguments: Vec<Value>,
}

/// The rows of a batch: a relation of Active Record's, as far as jobs need one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    pub table: Arc<str>,
    /// What is selected in it, where that was said.
    selected: Option<Arc<str>>,
    /// Conditions as SQL.
    filter: Vec<Arc<str>>,
    /// Conditions that are not known, or other tables that are joined.
    vague: bool,
}

/// Classes that are followed upwards.
const LEVELS: usize = 8;

impl Evaluator<'_> {
    /// `work_of(job, table, column, arguments)`: the statements of a job as texts.
    pub(super) fn work_of(&mut self, given: &Given, at: Span) -> Flow {
        let unknown = |what: &str| Ok(Value::unknown(format!("what the job {what} writes is not known")));
        let Some(name) = given.first().and_then(Value::to_text) else { return unknown("") };
        let value = |place: usize| given.arguments.get(place).cloned().unwrap_or(Value::Nil);
        let arguments = match value(3) {
            Value::Array(items) => items.to_vec(),
            _ => return unknown(&name),
        };
        let job = Job { table: value(1), column: value(2), arguments };
        let mut class: Arc<str> = name.rsplit("::").next().unwrap_or(&name).into();
        for _ in 0..LEVELS {
            let file = self.language.jobs.get(&class).cloned();
            let found = file.as_ref().and_then(|file| Some((file, class_in(file, &class)?)));
            let performs = found.as_ref().is_some_and(|(_, (_, class))| has_method(class, "perform"));
            if performs || found.is_some() && self.vocabulary.job(&class).is_none() && !inherits_known(&found, self) {
                let Some((file, (path, class))) = found else { break };
                let sent = run(file.clone(), path, class, &job, self.language, self.world.schema(), at);
                return Ok(sent.map_or_else(|| Value::unknown("what the job writes is not known"), texts));
            }
            if self.vocabulary.job(&class).is_some() {
                let sent = run_declared(&class, &job, self, at);
                return Ok(sent.map_or_else(|| Value::unknown("what the job writes is not known"), texts));
            }
            let above = found.and_then(|(_, (_, class))| superclass(class));
            match above {
                Some(above) => class = above,
                None => break,
            }
        }
        unknown(&name)
    }

    /// What a job's own words give, while one runs.
    pub(super) fn job_word(&mut self, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let job = self.job.clone()?;
        Some(match name {
            "batch_table" => Ok(job.table),
            "batch_column" => Ok(job.column),
            "connection" => Ok(self.make(Thing::Connection)),
            "job_arguments" => Ok(Value::Array(Arc::new(job.arguments))),
            "each_sub_batch" | "distinct_each_batch" | "each_batch" => {
                let batch = self.rows_of(Some(&job.table));
                match &given.block {
                    Some(block) => self.call_block(block, Given::of(vec![batch]), at),
                    None => Ok(Value::Nil),
                }
            }
            "operation_name" | "feature_category" | "cursor" | "tables_to_check_for_vacuum" => Ok(Value::Nil),
            _ => {
                let place = self.argument_names().iter().position(|one| &**one == name)?;
                Ok(job.arguments.get(place).cloned().unwrap_or_else(|| Value::unknown("an argument of a job")))
            }
        })
    }

    /// `job_arguments :from, :to` in the bodies of the job's class and of those above it in its file.
    fn argument_names(&self) -> Vec<Arc<str>> {
        let parts = self.index.parts(&self.script.class);
        let calls = parts.iter().flat_map(|part| &part.body).filter_map(call_of);
        let named = calls.filter(|call| &*call.name == "job_arguments").flat_map(|call| &call.arguments);
        named.filter_map(symbol).collect()
    }

    /// A call on a batch.
    pub(super) fn batch_call(&mut self, object: Object, name: &str, given: Given, at: Span) -> Flow {
        let Some(Thing::Batch(batch)) = self.thing(object).cloned() else { return Ok(Value::Nil) };
        match name {
            "where" if given.arguments.is_empty() && given.keywords.is_empty() => Ok(Value::Object(object)),
            "where" | "rewhere" | "and" => Ok(self.narrowed_batch(batch, &given, false)),
            "not" | "excluding" | "without" => Ok(self.narrowed_batch(batch, &given, true)),
            "select" | "pluck" | "distinct" | "order" | "reorder" | "limit" | "unscoped" | "all" | "lock" => {
                let first = given.first().and_then(Value::to_text).filter(|_| matches!(name, "select" | "pluck"));
                let selected = first.or(batch.selected.clone());
                Ok(self.make(Thing::Batch(Batch { selected, ..batch })))
            }
            "joins" | "left_joins" | "left_outer_joins" | "includes" | "merge" | "or" | "from" | "with" | "group"
            | "having" | "except" => Ok(self.make(Thing::Batch(Batch { vague: true, ..batch }))),
            "to_sql" => Ok(Value::text(batch.query(&self.batch_column()))),
            "table_name" | "quoted_table_name" => Ok(Value::text(&*batch.table)),
            "connection" => Ok(self.make(Thing::Connection)),
            "each_batch" | "in_batches" | "each_sub_batch" => match &given.block {
                Some(block) => {
                    self.world.enter(Frame { kind: FrameKind::Loop(None), span: at });
                    let ran = self.call_block(block, Given::of(vec![Value::Object(object)]), at);
                    self.world.leave();
                    ran
                }
                None => Ok(Value::Object(object)),
            },
            "update_all" => self.update_batch(&batch, &given, at),
            "delete_all" | "destroy_all" => {
                self.send_text(format!("DELETE FROM {}{}{}", batch.table, batch.using("USING"), batch.condition()), at);
                Ok(Value::unknown("how many rows there were"))
            }
            _ => self.on_unknown(format!("`{name}` of a batch is not followed").into(), given, at),
        }
    }

    /// All rows of a table.
    pub(super) fn rows_of(&mut self, table: Option<&Value>) -> Value {
        match table.and_then(Value::to_text) {
            Some(table) => self.make(Thing::Batch(Batch { table, selected: None, filter: Vec::new(), vague: false })),
            None => Value::unknown("the table of a model"),
        }
    }

    fn batch_column(&self) -> String {
        let column = self.job.as_ref().and_then(|job| job.column.to_text());
        column.map_or_else(|| "id".to_owned(), |column| column.to_string())
    }

    fn narrowed_batch(&mut self, batch: Batch, given: &Given, negated: bool) -> Value {
        let mut batch = batch;
        let pairs = match given.first() {
            Some(Value::Hash(pairs)) => pairs.to_vec(),
            Some(Value::Text(text)) if given.arguments.len() == 1 => {
                let text = text.as_str();
                batch.filter.push(if negated { format!("NOT ({text})") } else { format!("({text})") }.into());
                Vec::new()
            }
            Some(_) => {
                batch.vague = true;
                Vec::new()
            }
            None => Vec::new(),
        };
        for (column, value) in pairs.iter().chain(&given.keywords) {
            match condition(column, value) {
                Some(text) => batch.filter.push(if negated { format!("NOT ({text})") } else { text }.into()),
                None => batch.vague = true,
            }
        }
        self.make(Thing::Batch(batch))
    }

    fn update_batch(&mut self, batch: &Batch, given: &Given, at: Span) -> Flow {
        let pairs = match given.first() {
            Some(Value::Hash(pairs)) => pairs.to_vec(),
            _ => given.keywords.clone(),
        };
        let set = match given.first() {
            Some(Value::Text(text) | Value::Sql(text)) => Some(text.as_str().to_owned()),
            _ if pairs.is_empty() => None,
            _ => {
                let one = |(column, value): &(Value, Value)| {
                    // What is set may be worked out by code; that it is set is known.
                    let value = super::guard::quote(value, true).unwrap_or_else(|| "(SELECT 1)".to_owned());
                    Some(format!("{} = {value}", column.to_text()?))
                };
                pairs.iter().map(one).collect::<Option<Vec<_>>>().map(|list| list.join(", "))
            }
        };
        match set {
            Some(set) => {
                let text = format!("UPDATE {} SET {set}{}{}", batch.table, batch.using("FROM"), batch.condition());
                self.send_text(text, at);
            }
            None => self.unread("an update that is made at run time".into(), Vec::new(), false, at),
        }
        Ok(Value::unknown("how many rows there were"))
    }

    fn send_text(&mut self, text: String, at: Span) {
        self.world.send(&Piece::made_at(&text, at));
    }
}

impl Batch {
    fn query(&self, column: &str) -> String {
        let selected = self.selected.as_deref().unwrap_or("*");
        let own = format!("{}.{column} BETWEEN $1 AND $2", self.table);
        let all: Vec<&str> = std::iter::once(own.as_str()).chain(self.filter.iter().map(|one| &**one)).collect();
        format!("SELECT {selected} FROM {} WHERE {}", self.table, all.join(" AND "))
    }

    fn condition(&self) -> String {
        if self.filter.is_empty() { String::new() } else { format!(" WHERE {}", self.filter.join(" AND ")) }
    }

    /// Which rows are left out is not known: as little as of a join.
    fn using(&self, word: &str) -> String {
        if self.vague { format!(" {word} (SELECT 1) AS unknown") } else { String::new() }
    }
}

fn condition(column: &Value, value: &Value) -> Option<String> {
    let column = column.to_text().filter(|_| column.name().is_some())?;
    Some(match value {
        Value::Nil => format!("{column} IS NULL"),
        Value::Array(items) => {
            let list = items.iter().map(|item| super::guard::quote(item, true)).collect::<Option<Vec<_>>>()?;
            format!("{column} IN ({})", list.join(", "))
        }
        Value::Hash(_) | Value::Object(_) | Value::Range { .. } => return None,
        value => format!("{column} = {}", super::guard::quote(value, true)?),
    })
}

fn texts(sent: Vec<Piece>) -> Value {
    Value::Array(Arc::new(sent.into_iter().map(|piece| Value::Text(Text::new(piece.text()))).collect()))
}

/// Runs `perform` of a class; `None` where it cannot be told what it writes.
fn run(
    file: Arc<RubyFile>,
    path: String,
    class: &RubyClass,
    job: &Job,
    language: &Language,
    schema: &Schema,
    at: Span,
) -> Option<Vec<Piece>> {
    let script = RubyScript {
        file: file.clone(),
        class: path.as_str().into(),
        inherits: "".into(),
        includes: Vec::new(),
        direction: RubyDirection::Up,
        span: class.span,
    };
    let mut recording = Recording { schema: schema.clone(), sent: Vec::new(), understood: true };
    let mut evaluator = Evaluator::new(&script, language, &mut recording);
    evaluator.job = Some(job.clone());
    let (owner, method) = evaluator.index.method(&path, "perform", false)?;
    let ran = evaluator.own_method(&owner, &method, false, Given::default(), at);
    let ended = !matches!(ran, Err(Leave::Spent { .. }));
    // What was not understood may write too; what was understood it writes in any case.
    (ended && !recording.sent.is_empty()).then_some(recording.sent)
}

/// A job that a vocabulary declares.
fn run_declared(class: &str, job: &Job, from: &Evaluator<'_>, at: Span) -> Option<Vec<Piece>> {
    let method = from.vocabulary.job(class)?;
    let mut recording = Recording { schema: from.world.schema().clone(), sent: Vec::new(), understood: true };
    let mut evaluator = Evaluator::new(from.script, from.language, &mut recording);
    let mut arguments = vec![job.table.clone(), job.column.clone()];
    arguments.extend(job.arguments.iter().cloned());
    let inner = Activation {
        scope: evaluator.scopes.open(None, 0),
        class: "".into(),
        on_class: false,
        block: None,
        site: Some(at),
        me: None,
        method: class.into(),
    };
    let ran = evaluator.activation(inner, at, &mut |evaluator| {
        evaluator.bind(&method.parameters, Given::of(arguments.clone()), true)?;
        evaluator.statements(&method.body)
    });
    (ran.is_ok() && recording.understood && !recording.sent.is_empty()).then_some(recording.sent)
}

/// The job's superclass, or one above it in its own file, is one that a vocabulary declares or another file holds.
fn inherits_known(found: &Option<(&Arc<RubyFile>, (String, &RubyClass))>, evaluator: &Evaluator<'_>) -> bool {
    let above = found.as_ref().and_then(|(_, (_, class))| superclass(class));
    above.is_some_and(|name| evaluator.vocabulary.job(&name).is_some() || evaluator.language.jobs.contains_key(&name))
}

fn superclass(class: &RubyClass) -> Option<Arc<str>> {
    match class.superclass.as_ref().map(|node| &node.kind) {
        Some(RubyKind::Constant { path, .. }) => Some(names::demodulize(path).into()),
        _ => None,
    }
}

/// A class of a file by the last part of its name, with its full path.
fn class_in<'f>(file: &'f RubyFile, name: &str) -> Option<(String, &'f RubyClass)> {
    fn find<'f>(path: &str, body: &'f [Ruby], name: &str) -> Option<(String, &'f RubyClass)> {
        body.iter().find_map(|node| {
            let RubyKind::Class(class) = &node.kind else { return None };
            let full = if path.is_empty() { class.name.to_string() } else { format!("{path}::{}", class.name) };
            if names::demodulize(&class.name) == name {
                return Some((full, &**class));
            }
            find(&full, &class.body, name)
        })
    }
    find("", &file.body, name)
}

fn has_method(class: &RubyClass, name: &str) -> bool {
    class.body.iter().any(|node| match &node.kind {
        RubyKind::Method(method) => &*method.name == name,
        RubyKind::Call(call) => call.arguments.iter().any(|one| match &one.kind {
            RubyKind::Method(method) => &*method.name == name,
            _ => false,
        }),
        _ => false,
    })
}

fn call_of(node: &Ruby) -> Option<&RubyCall> {
    match &node.kind {
        RubyKind::Call(call) if call.receiver.is_none() => Some(call),
        _ => None,
    }
}

fn symbol(node: &Ruby) -> Option<Arc<str>> {
    match &node.kind {
        RubyKind::Symbol(parts) => match parts.as_slice() {
            [crate::operation::RubyPart::Text(text)] => Some(text.text().into()),
            _ => None,
        },
        _ => None,
    }
}

/// A world that only writes down what is sent.
struct Recording {
    schema: Schema,
    sent: Vec<Piece>,
    understood: bool,
}

impl World for Recording {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn send(&mut self, sql: &Piece) {
        self.sent.push(sql.clone());
    }

    fn run(&mut self, operation: Operation, _: Span) {
        self.understood &= !matches!(operation, Operation::Unread(_));
    }

    fn unread(&mut self, _: Unread, _: Option<Arc<str>>, _: Span) {
        self.understood = false;
    }

    fn count(&mut self, _: Span) {}
    fn enter(&mut self, _: Frame) {}
    fn leave(&mut self) {}

    fn in_transaction(&self) -> bool {
        false
    }

    fn begin(&mut self, _: Span) {}
    fn commit(&mut self, _: Span) {}
    fn fork(&mut self, _: Span) {}
    fn next_branch(&mut self, _: Span, _: bool) {}
    fn join(&mut self, _: Span, _: bool) {}

    fn is_spent(&self) -> bool {
        self.sent.len() > 1_000
    }
}
