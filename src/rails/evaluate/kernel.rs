//! Ruby's own functions, and calls on classes and modules.

use std::sync::Arc;

use super::Evaluator;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::object::Thing;
use crate::rails::value::{Text, Value};
use crate::source::Span;

/// How the reason of what outer code gives begins.
const OUTSIDE: &str = "what `";

impl<'a> Evaluator<'a> {
    pub(super) fn kernel(&mut self, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let first = given.first();
        Some(match name {
            "raise" | "fail" | "abort" => {
                let (class, message) = match (first, given.arguments.get(1)) {
                    (Some(Value::Constant(class)), message) => (class.clone(), message.cloned()),
                    (message, _) => ("RuntimeError".into(), message.cloned()),
                };
                Err(Leave::Raise { class, message: message.unwrap_or(Value::Nil) })
            }
            "exit" | "exit!" | "throw" => Err(Leave::Throw),
            "lambda" | "proc" => Ok(self.lambda(name, given)),
            "loop" => match given.block.clone() {
                Some(block) => self.endless(&block, at),
                None => Ok(Value::Nil),
            },
            "catch" => match given.block.clone() {
                Some(block) => match self.call_block(&block, Given::default(), at) {
                    Err(Leave::Throw) => Ok(Value::Nil),
                    other => other,
                },
                None => Ok(Value::Nil),
            },
            "block_given?" => Ok(Value::Bool(self.here.block.is_some())),
            "format" | "sprintf" => self.format(given, at),
            "Integer" | "Float" => match first {
                Some(value @ (Value::Integer(_) | Value::Float(_))) => Ok(value.clone()),
                Some(value) => self.send(value.clone(), &"to_i".into(), Given::default(), at),
                None => Ok(Value::Nil),
            },
            "String" => match first {
                Some(value) => self.send(value.clone(), &"to_s".into(), Given::default(), at),
                None => Ok(Value::Nil),
            },
            "Array" => Ok(match first {
                None | Some(Value::Nil) => Value::Array(Arc::new(Vec::new())),
                Some(Value::Hash(pairs)) => super::hash::pairs_as_list(pairs),
                Some(value @ (Value::Array(_) | Value::Unknown(_))) => value.clone(),
                Some(value) => Value::Array(Arc::new(vec![value.clone()])),
            }),
            "instance_eval" | "class_eval" | "instance_exec" | "class_exec" | "silence_warnings" | "silence" => {
                match given.block.clone() {
                    Some(block) => self.call_block(&block, Given::default(), at),
                    None => Ok(Value::unknown(format!("`{name}` of a text is not followed"))),
                }
            }
            "method" => match first.and_then(Value::name) {
                Some(name) => Ok(self.make(Thing::Method(name.into()))),
                None => Ok(Value::unknown("a method without a known name")),
            },
            "send" | "public_send" | "__send__" => {
                let mut given = given.clone();
                if given.arguments.is_empty() {
                    return Some(Ok(Value::Nil));
                }
                match given.arguments.remove(0).name().map(Arc::<str>::from) {
                    Some(called) => self.send_to_self(&called, given, at),
                    None => self.on_unknown("the method that is sent is not known".into(), given, at),
                }
            }
            "respond_to?" => Ok(match first.and_then(Value::name) {
                Some(name) if self.index.method(&self.script.class, name, false).is_some() => Value::Bool(true),
                // The words of migrations and of the connection are there.
                Some(name) if self.answers(name) => Value::Bool(true),
                _ => Value::unknown("whether a method is there is not known"),
            }),
            "instance_variable_get" => Ok(match first.and_then(Value::name) {
                Some(name) => self.scopes.instance(name).cloned().unwrap_or(Value::Nil),
                None => Value::unknown("an instance variable without a known name"),
            }),
            "instance_variable_set" => {
                if let Some(name) = first.and_then(Value::name) {
                    let value = given.arguments.get(1).cloned().unwrap_or(Value::Nil);
                    self.scopes.set_instance(&name.into(), value);
                }
                Ok(Value::Nil)
            }
            "private" | "public" | "protected" | "module_function" | "private_constant" => Ok(Value::Nil),
            "rand" | "srand" | "gets" | "binding" | "caller" | "__method__" | "__dir__" | "object_id" | "hash" => {
                Ok(Value::unknown(format!("`{name}` is known only when it runs")))
            }
            "class" | "singleton_class" => Ok(Value::Constant(self.script.class.clone())),
            "name" => Ok(Value::text(&*self.script.class)),
            _ => return None,
        })
    }

    /// Active Record's own calls and the connection's.
    fn answers(&self, name: &str) -> bool {
        crate::rails::active_record::is_known(name) || self.vocabulary.helper(name).is_some()
    }

    fn lambda(&mut self, name: &str, given: &Given) -> Value {
        let Some(block) = &given.block else { return Value::Nil };
        let thing = self.thing_of(block).cloned();
        match thing {
            Some(Thing::Procedure { block, around, .. }) => {
                self.make(Thing::Procedure { block, around, is_lambda: name == "lambda" })
            }
            _ => block.clone(),
        }
    }

    /// `loop do … end`: round by round while it is known when it ends.
    fn endless(&mut self, block: &Value, at: Span) -> Flow {
        loop {
            self.budget.step(at)?;
            let ran = self.call_block(block, Given::default(), at);
            match ran {
                Ok(_) => {}
                Err(Leave::Break(value)) => return Ok(value),
                Err(Leave::Raise { class, .. }) if &*class == "StopIteration" => return Ok(Value::Nil),
                Err(other) => return Err(other),
            }
            // Whether it ended in that round depends on what is not known: one round stands for all.
            if std::mem::take(&mut self.may_have_ended) {
                break;
            }
        }
        Ok(Value::Nil)
    }

    fn format(&mut self, given: &Given, at: Span) -> Flow {
        let Some(Value::Text(pattern)) = given.first() else {
            let why = given.first().map_or_else(|| "nothing".into(), |one| self.why_unknown(one));
            return Ok(Value::Unknown(why));
        };
        let pattern = pattern.clone();
        let mut arguments = given.arguments[1..].to_vec();
        if !given.keywords.is_empty() {
            arguments.push(Value::Hash(Arc::new(given.keywords.clone())));
        }
        self.formatted(&pattern, &arguments, at)
    }

    /// `format` and `%`.
    pub(super) fn formatted(&mut self, pattern: &Text, arguments: &[Value], at: Span) -> Flow {
        let made = super::text::format(pattern.as_str(), arguments);
        match made {
            Ok(text) => {
                self.budget.bytes(text.len(), at)?;
                Ok(Value::text(text))
            }
            Err(why) => Ok(Value::Unknown(why)),
        }
    }

    /// A call on a class or module, by its name.
    pub(super) fn constant_call(&mut self, class: &Arc<str>, name: &Arc<str>, given: Given, at: Span) -> Flow {
        if let Some((owner, method)) = self.index.method(class, name, true).filter(|_| self.index.has(class)) {
            return self.class_method(class, owner, &method, given, at);
        }
        if let Some(flow) = self.helper(&format!("{class}.{name}").into(), &given, at) {
            return flow;
        }
        // What a library gives to the models of an application.
        if let Some(flow) = self.helper(&format!("ApplicationRecord.{name}").into(), &given, at) {
            return flow;
        }
        match (&**class, &**name) {
            ("ActiveRecord::Base" | "ApplicationRecord", "connection" | "lease_connection") => {
                return Ok(self.make(Thing::Connection));
            }
            (_, "connection" | "lease_connection" | "retrieve_connection") => return Ok(self.make(Thing::Connection)),
            (_, "with_connection" | "connection_pool" | "connected_to") => {
                let connection = self.make(Thing::Connection);
                return match given.block.clone() {
                    Some(block) => self.call_block(&block, Given::of(vec![connection]), at),
                    None => Ok(connection),
                };
            }
            (_, "transaction") => return self.transaction(given.block.clone(), &given, at),
            (_, "reset_column_information" | "reset_column_information!" | "clear_cache!") => return Ok(Value::Nil),
            (
                _,
                "sanitize_sql" | "sanitize_sql_array" | "sanitize_sql_for_conditions" | "sanitize_sql_for_assignment",
            ) => {
                if let Some(flow) = self.question(name, &given, at) {
                    return flow;
                }
            }
            ("Rails", "root") => return Ok(Value::text("")),
            ("File" | "IO" | "Pathname", _) => {
                if let Some(value) = self.file_call(name, &given) {
                    return Ok(value);
                }
            }
            ("Class", "new") => return self.new_class(&given, at),
            ("Arel", "sql") => {
                return Ok(match given.first() {
                    Some(Value::Text(text)) => Value::Sql(text.clone()),
                    Some(other) => other.clone(),
                    None => Value::Nil,
                });
            }
            ("Rails", "configuration") | ("Rails.application", "config") => {
                return Ok(Value::Constant("Rails.configuration".into()));
            }
            ("Rails", "application") => return Ok(Value::Constant("Rails.application".into())),
            ("Rails.configuration", "generators") => return Ok(Value::Constant("Rails.generators".into())),
            ("Rails.generators", _) => {
                if let Some(value) = self.generators(name) {
                    return Ok(value);
                }
            }
            ("Rails", "env") => return Ok(Value::text("production")),
            ("Rails", "logger" | "cache") | ("ActiveRecord::Base", "logger") => {
                return Ok(Value::Constant("Rails.logger".into()));
            }
            (logger, "debug" | "info" | "warn" | "error" | "fatal" | "log") if logger.ends_with("Logger") => {
                return Ok(Value::Nil);
            }
            ("Rails.logger" | "Kernel" | "STDOUT" | "$stdout", _)
                if given.block.is_none() && self.kernel(name, &given, at).is_none() =>
            {
                return Ok(Value::Nil);
            }
            ("Kernel", _) => {
                if let Some(flow) = self.kernel(name, &given, at) {
                    return flow;
                }
            }
            ("Regexp", "escape") => {
                let text = given.first().and_then(Value::to_text);
                return Ok(text.map_or(Value::Nil, |text| Value::text(regex::escape(&text))));
            }
            ("Set" | "Array" | "Hash", "new" | "[]") => return self.new_collection(class, name, given),
            ("Float", "INFINITY") => return Ok(Value::Float("Infinity".into())),
            (_, "name" | "to_s" | "class_name") => return Ok(Value::text(&**class)),
            (_, "constantize" | "safe_constantize") => return Ok(Value::Constant(class.clone())),
            (_, "===") => {
                let answer = given.first().and_then(|value| is_a(value, class));
                return Ok(answer.map_or_else(|| Value::unknown("what a value is is not known"), Value::Bool));
            }
            (_, "<" | "<=" | ">" | "ancestors" | "respond_to?" | "method_defined?" | "const_defined?") => {
                return Ok(Value::unknown(format!("`{class}.{name}` is not known")));
            }
            _ => {}
        }
        if let Some(answer) = self.clock(class, name, &given) {
            return Ok(answer);
        }
        if let Some(block) = given.block.clone().filter(|_| goes_around(name)) {
            return self.call_block(&block, Given::default(), at);
        }
        if let Some(flow) = self.model_call(class, name, &given, at) {
            return flow;
        }
        if &**name == "new" && self.index.has(class) && self.model_of(class).is_none() {
            return self.instance(class, given, at);
        }
        self.outside(class, name, given, at)
    }

    /// `config.options[config.orm][:primary_key_type]`, as the migrations of Active Storage ask.
    fn generators(&self, name: &str) -> Option<Value> {
        let orm = Value::symbol("active_record");
        match name {
            "orm" => Some(orm),
            "options" => {
                let kind = self.dialect.primary_key_type.as_deref().map_or(Value::Nil, Value::symbol);
                let of_orm = Value::Hash(Arc::new(vec![(Value::symbol("primary_key_type"), kind)]));
                Some(Value::Hash(Arc::new(vec![(orm, of_orm)])))
            }
            _ => None,
        }
    }

    /// An object of a class of this file; variables of all objects are kept as one's.
    fn instance(&mut self, class: &Arc<str>, given: Given, at: Span) -> Flow {
        let made = self.make(Thing::Instance(class.clone()));
        if let Some((owner, method)) = self.index.method(class, "initialize", false) {
            let outer = self.here.me.replace(made.clone());
            let ran = self.own_method(&owner, &method, false, given, at);
            self.here.me = outer;
            ran?;
        }
        Ok(made)
    }

    /// Paths of the project's files, and the text of one.
    fn file_call(&self, name: &str, given: &Given) -> Option<Value> {
        let parts: Option<Vec<Arc<str>>> = given.arguments.iter().map(Value::to_text).collect();
        let unknown = || Value::unknown("a path that is not known");
        match name {
            "join" | "expand_path" | "new" => Some(parts.map_or_else(unknown, |parts| {
                let order = if name == "expand_path" && parts.len() == 2 {
                    vec![parts[1].clone(), parts[0].clone()]
                } else {
                    parts
                };
                Value::text(order.join("/"))
            })),
            "read" | "binread" => Some(self.text_of_file(&parts?.first()?.clone())),
            "exist?" | "exists?" | "file?" => Some(Value::unknown("whether a file is there")),
            "basename" | "dirname" => Some(unknown()),
            _ => None,
        }
    }

    /// A file of the project, by its path from the root. What it says stands at the call that reads it.
    pub(super) fn text_of_file(&self, path: &str) -> Value {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        let found = self.dialect.files.as_ref().and_then(|files| files(&path));
        let unknown = || Value::unknown(format!("the file `{path}` is not read"));
        found.map_or_else(unknown, |piece| Value::text(piece.text()))
    }

    /// Code that is not in this file: what it gives back is not known, and as a statement it is said.
    pub(super) fn outside(&mut self, class: &Arc<str>, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let what: Arc<str> = format!("{class}.{name}").into();
        // What is asked of a name alone changes nothing.
        if !name.ends_with('?') && !matches!(&**name, "[]" | "fetch" | "new" | "instance") {
            self.foreign = Some((at, what.clone()));
        }
        self.on_unknown(format!("{OUTSIDE}{what}` gives is not known here").into(), given, at)
    }

    /// A call on what code outside of this file gave.
    pub(super) fn outside_again(&mut self, why: &str, name: &str, at: Span) {
        let from = why.strip_prefix(OUTSIDE).and_then(|rest| rest.split_once('`'));
        if let Some((from, _)) = from
            && !name.ends_with('?')
        {
            self.foreign = Some((at, format!("{from}.{name}").into()));
        }
    }

    fn class_method(
        &mut self,
        class: &Arc<str>,
        owner: Arc<str>,
        method: &Arc<crate::operation::RubyMethod>,
        given: Given,
        at: Span,
    ) -> Flow {
        let me = (*class != self.script.class).then(|| Value::Constant(class.clone()));
        let outer = std::mem::replace(&mut self.here.me, me);
        let ran = self.own_method(&owner, method, true, given, at);
        self.here.me = outer;
        ran
    }

    fn new_collection(&mut self, class: &str, name: &str, given: Given) -> Flow {
        Ok(match (class, name) {
            ("Hash", "new") => Value::Hash(Arc::new(Vec::new())),
            ("Hash", _) => match given.first() {
                Some(value @ Value::Hash(_)) => value.clone(),
                Some(Value::Array(items)) => super::hash::from_pairs(items),
                _ => Value::unknown("`Hash[]` is not followed here"),
            },
            ("Set", "[]") => Value::Array(Arc::new(given.arguments)),
            ("Set", _) => given.first().cloned().unwrap_or_else(|| Value::Array(Arc::new(Vec::new()))),
            (_, "[]") => Value::Array(Arc::new(given.arguments)),
            _ => match given.first() {
                None => Value::Array(Arc::new(Vec::new())),
                _ => Value::unknown("`Array.new` is not followed here"),
            },
        })
    }
}

/// Whether a value is of a class of Ruby's own; `None` where that is not known.
pub(super) fn is_a(value: &Value, class: &str) -> Option<bool> {
    let classes: &[&str] = match value {
        Value::Unknown(_) | Value::Object(_) | Value::Constant(_) | Value::Sql(_) => return None,
        Value::Nil => &["NilClass"],
        Value::Bool(true) => &["TrueClass"],
        Value::Bool(false) => &["FalseClass"],
        Value::Integer(_) => &["Integer", "Numeric", "Comparable", "Fixnum"],
        Value::Float(_) => &["Float", "Numeric", "Comparable"],
        Value::Text(_) => &["String", "Comparable"],
        Value::Symbol(_) => &["Symbol", "Comparable"],
        Value::Array(_) => &["Array", "Enumerable"],
        Value::Hash(_) => &["Hash", "Enumerable"],
        Value::Range { .. } => &["Range", "Enumerable"],
        Value::Regex { .. } => &["Regexp"],
    };
    Some(classes.contains(&class) || matches!(class, "Object" | "BasicObject" | "Kernel"))
}

/// `ApplicationRecord.without_timeout do`, `Audit.suppress do`: what it sets or leaves out holds around the block, which
/// it calls once.
fn goes_around(name: &str) -> bool {
    const AROUND: [&str; 8] = ["without_", "with_", "suppress", "silence", "disable_", "skip_", "ignore_", "bypass_"];
    AROUND.iter().any(|start| name.starts_with(start))
}
