//! Calls: who answers them.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Flow;
use super::given::Given;
use super::object::Thing;
use super::scope::same;
use crate::operation::{Ruby, RubyCall, RubyKind};
use crate::rails::value::Value;
use crate::source::Span;

impl Evaluator<'_> {
    pub(super) fn call(&mut self, node: &Ruby, call: &RubyCall) -> Flow {
        let at = self.at(node.span);
        let receiver = match &call.receiver {
            None => None,
            Some(Ruby { kind: RubyKind::SelfObject, .. }) if self.here.me.is_none() => None,
            Some(receiver) => Some((receiver, self.node(receiver)?)),
        };
        let Some((written, value)) = receiver else {
            let given = self.given(call, at)?;
            return self.send_to_self(&call.name, given, at);
        };
        if call.safe && value.is_nil() {
            return Ok(Value::Nil);
        }
        let given = self.given(call, at)?;
        if matches!(value, Value::Unknown(_)) && changes(&call.name) {
            self.write_back(written, value.clone(), at)?;
        }
        if let Some((changed, result)) = self.changed_in_place(&value, &call.name, &given, at)? {
            self.write_back(written, changed, at)?;
            return Ok(result);
        }
        self.send(value, &call.name, given, at)
    }

    /// A call on the migration itself, or on what `self` is.
    pub(super) fn send_to_self(&mut self, name: &Arc<str>, given: Given, at: Span) -> Flow {
        if let Some(me) = self.here.me.clone() {
            return self.send(me, name, given, at);
        }
        let (class, on_class) = (self.here.class.clone(), self.here.on_class);
        let migration = self.script.class.clone();
        let own = self.index.method(&class, name, on_class).or_else(|| self.index.method(&migration, name, on_class));
        // `def self.up` calls instance helpers of old migrations through `method_missing`.
        if let Some((owner, method)) = own {
            return self.own_method(&owner, &method, on_class, given, at);
        }
        self.framework_call(name, given, at)
    }

    /// What is no method of the file: migrations' words, helpers, Active Record's calls, Ruby's own.
    pub(super) fn framework_call(&mut self, name: &Arc<str>, given: Given, at: Span) -> Flow {
        if let Some(flow) = self.job_word(name, &given, at) {
            return flow;
        }
        if let Some(flow) = self.helper(name, &given, at) {
            return flow;
        }
        // Words that only helpers have.
        if self.here.site.is_some()
            && let Some(flow) = self.helper_word(name, &given, at).or_else(|| self.catalog(name, &given))
        {
            return flow;
        }
        if let Some(flow) = self.word(name, &given, at) {
            return flow;
        }
        if let Some(flow) = self.question(name, &given, at) {
            return flow;
        }
        if let Some(flow) = self.kernel(name, &given, at) {
            return flow;
        }
        self.active_record(name, given, at)
    }

    /// A call on a value.
    pub(super) fn send(&mut self, value: Value, name: &Arc<str>, given: Given, at: Span) -> Flow {
        self.budget.step(at)?;
        if let Some(flow) = self.of_anything(&value, name, &given, at) {
            return flow;
        }
        let answered = match &value {
            Value::Text(_) | Value::Symbol(_) => self.text_call(&value, name, &given, at)?,
            Value::Sql(_) => Some(value.clone()),
            Value::Integer(_) | Value::Float(_) => self.number_call(&value, name, &given, at)?,
            Value::Array(items) => self.list_call(items, name, &given, at)?,
            Value::Hash(pairs) => self.hash_call(pairs, name, &given, at)?,
            Value::Range { .. } => self.range_call(&value, name, &given, at)?,
            Value::Regex { pattern, flags } => self.regex_call(pattern, flags, name, &given, at)?,
            Value::Constant(class) => return self.constant_call(class, name, given, at),
            Value::Object(object) => return self.object_call(*object, name, given, at),
            Value::Nil => nil_call(name),
            Value::Bool(_) => None,
            Value::Unknown(why) => {
                let why = why.clone();
                if super::model::changes_rows(name) {
                    let reason = format!("`{name}` writes rows of what is not known: {why}");
                    let reach = super::model::reach_of_row(name);
                    self.counting(at, None, |evaluator| evaluator.unread_writes(reason, Vec::new(), reach, at));
                }
                self.outside_again(&why, name, at);
                return self.on_unknown(why, given, at);
            }
        };
        match answered {
            Some(value) => Ok(value),
            None => self.on_unknown(format!("`{name}` is not followed here").into(), given, at),
        }
    }

    /// What is asked of a value that is not known is not known; a block of it may run.
    pub(super) fn on_unknown(&mut self, why: Arc<str>, given: Given, at: Span) -> Flow {
        if let Some(block) = &given.block {
            let known = |thing: Option<&Thing>| matches!(thing, Some(Thing::Procedure { .. }));
            if known(self.thing_of(block)) {
                let item = Value::Unknown(why.clone());
                self.round_of_unknown(at, &mut |evaluator| {
                    evaluator.call_block(block, Given::of(vec![item.clone(), item.clone()]), at)
                })?;
            }
        }
        Ok(Value::Unknown(why))
    }

    /// What every object answers.
    fn of_anything(&mut self, value: &Value, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let is_unknown = matches!(value, Value::Unknown(_));
        let known = |value: Option<bool>, why: &str| {
            Some(Ok(value.map_or_else(|| Value::unknown(format!("{why} is not known")), Value::Bool)))
        };
        match (name, given.first()) {
            ("==" | "eql?" | "equal?", Some(other)) => known(same(value, other), "whether two values are equal"),
            ("!=", Some(other)) => known(same(value, other).map(|same| !same), "whether two values are equal"),
            ("nil?", _) if !is_unknown => known(value.is_surely_nil(), "whether there is such a row"),
            ("freeze" | "dup" | "clone" | "itself" | "deep_dup" | "deep_symbolize_keys" | "html_safe", _)
                if !matches!(value, Value::Object(_)) =>
            {
                Some(Ok(value.clone()))
            }
            ("present?", _) => known(is_blank(value).map(|blank| !blank), "whether a value is there"),
            ("blank?", _) => known(is_blank(value), "whether a value is there"),
            ("presence", _) => Some(Ok(match is_blank(value) {
                Some(true) => Value::Nil,
                Some(false) => value.clone(),
                None if value.is_truthy().is_none() && matches!(value, Value::Object(_)) => value.clone(),
                None => Value::unknown("whether a value is there is not known"),
            })),
            ("in?", Some(list)) => {
                Some(self.send(list.clone(), &"include?".into(), Given::of(vec![value.clone()]), at))
            }
            ("is_a?" | "kind_of?" | "instance_of?", Some(Value::Constant(class))) if !is_unknown => {
                known(super::kernel::is_a(value, class), "what a value is")
            }
            ("tap", _) => {
                let block = given.block.clone()?;
                let ran = self.call_block(&block, Given::of(vec![value.clone()]), at);
                Some(ran.map(|_| value.clone()))
            }
            ("then" | "yield_self", _) => {
                let block = given.block.clone()?;
                Some(self.call_block(&block, Given::of(vec![value.clone()]), at))
            }
            ("send" | "public_send" | "__send__" | "try" | "try!", Some(called)) => {
                let Some(called) = called.name().map(Arc::<str>::from) else {
                    return Some(Ok(Value::unknown("the method that is sent is not known")));
                };
                if name.starts_with("try") && value.is_nil() {
                    return Some(Ok(Value::Nil));
                }
                let mut given = given.clone();
                given.arguments.remove(0);
                Some(self.send(value.clone(), &called, given, at))
            }
            ("inspect", _) if !is_unknown && !matches!(value, Value::Object(_)) => {
                Some(Ok(Value::text(crate::rails::value::Inspected(value).to_string())))
            }
            ("to_s", _) => match value {
                Value::Object(_) | Value::Unknown(_) => None,
                Value::Text(_) => Some(Ok(value.clone())),
                other => Some(Ok(other.to_text().map_or_else(|| Value::unknown("`to_s` of it"), Value::text))),
            },
            ("frozen?", _) => Some(Ok(Value::Bool(true))),
            _ => None,
        }
    }

    fn object_call(&mut self, object: crate::rails::value::Object, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let value = Value::Object(object);
        let Some(thing) = self.thing(object) else { return Ok(Value::Nil) };
        match thing {
            Thing::Procedure { .. } | Thing::Sender(_) | Thing::Method(_) => match &**name {
                "call" | "()" | "yield" | "[]" | "===" => self.call_block(&value, given, at),
                "to_proc" | "curry" => Ok(value),
                "lambda?" => Ok(Value::unknown("whether a proc is a lambda")),
                "arity" => Ok(Value::unknown("how many arguments a proc takes")),
                _ => self.on_unknown(format!("`{name}` of a proc is not followed").into(), given, at),
            },
            Thing::Definition { .. } => self.definition_call(object, name, given, at),
            Thing::Direction { reverting } => {
                let runs = match &**name {
                    "up" => !*reverting,
                    "down" => *reverting,
                    _ => return self.on_unknown(format!("`{name}` of a direction is not followed").into(), given, at),
                };
                match given.block {
                    Some(block) if runs => self.call_block(&block, Given::default(), at),
                    _ => Ok(Value::Nil),
                }
            }
            Thing::Batch(_) => self.batch_call(object, name, given, at),
            Thing::Connection => self.framework_call(name, given, at),
            Thing::Match(captures, names) => {
                let found = super::regex::capture(captures, names, name, &given);
                Ok(found.unwrap_or_else(|| Value::unknown(format!("`{name}` of a match is not followed"))))
            }
            Thing::Pending { items, then } => {
                let (items, then) = (items.clone(), then.clone());
                self.pending(items, &then, name, given, at)
            }
            Thing::Instance(class) => {
                let class = class.clone();
                match self.index.method(&class, name, false) {
                    Some((owner, method)) => {
                        let outer = self.here.me.replace(value);
                        let ran = self.own_method(&owner, &method, false, given, at);
                        self.here.me = outer;
                        ran
                    }
                    // Migrations call each other's; classes for them send what migrations send.
                    None => self.framework_call(name, given, at),
                }
            }
            Thing::Model(_) => self.model_object(object, name, given, at),
            Thing::Relation(relation) => {
                let relation = (**relation).clone();
                self.on_relation(relation, name, given, at)
            }
            Thing::Row(_) => self.row_call(object, name, given, at),
            Thing::Options(options) => {
                let mut keywords = options.clone();
                keywords.extend(given.keywords);
                self.send_to_self(
                    name,
                    Given {
                        keywords,
                        ..Given { arguments: given.arguments, keywords: Vec::new(), block: given.block }
                    },
                    at,
                )
            }
        }
    }
}

/// Methods that change what they are called on.
fn changes(name: &str) -> bool {
    let ends = name.ends_with('!') && !super::model::WRITES.contains(&name);
    ends || matches!(name, "<<" | "push" | "append" | "concat" | "unshift" | "store" | "add" | "delete_if" | "clear")
}

/// `blank?`; `None` where that is not known.
pub(super) fn is_blank(value: &Value) -> Option<bool> {
    Some(match value {
        Value::Nil | Value::Bool(false) => true,
        Value::Text(text) => text.as_str().trim().is_empty(),
        Value::Symbol(name) => name.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Hash(pairs) => pairs.is_empty(),
        Value::Unknown(_) | Value::Object(_) => return None,
        _ => false,
    })
}

fn nil_call(name: &str) -> Option<Value> {
    Some(match name {
        "to_a" => Value::Array(Arc::new(Vec::new())),
        "to_h" => Value::Hash(Arc::new(Vec::new())),
        "to_i" => Value::Integer(0),
        "&" => Value::Bool(false),
        _ => return None,
    })
}
