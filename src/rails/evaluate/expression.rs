//! Literals, variables, constants and assignments.

use std::sync::Arc;

use super::file::Found;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::holed::HOLE;
use super::{Activation, Evaluator};
use crate::operation::{CASE_IN, NOT_MADE_OUT, Ruby, RubyKind, RubyPart, RubyTarget, RubyVariable, SHELL_COMMAND};
use crate::rails::value::{Text, Value};
use crate::source::{PieceBuilder, Span};

impl Evaluator<'_> {
    pub(super) fn node(&mut self, node: &Ruby) -> Flow {
        self.budget.step(self.at(node.span))?;
        self.budget.deeper();
        let ran = self.kind(node);
        self.budget.shallower();
        ran
    }

    fn kind(&mut self, node: &Ruby) -> Flow {
        let at = self.at(node.span);
        Ok(match &node.kind {
            RubyKind::Nil => Value::Nil,
            RubyKind::True => Value::Bool(true),
            RubyKind::False => Value::Bool(false),
            RubyKind::SelfObject => self.me(),
            RubyKind::Integer(number) => Value::Integer(*number),
            RubyKind::Float(number) => Value::Float(number.clone()),
            RubyKind::String(parts) => return self.string(parts, at),
            RubyKind::Symbol(parts) => match self.string(parts, at)? {
                Value::Text(text) => Value::symbol(text.as_str()),
                other => other,
            },
            RubyKind::Regex { parts, flags } => match self.string(parts, at)? {
                Value::Text(text) => Value::Regex { pattern: text.as_str().into(), flags: flags.clone() },
                other => other,
            },
            RubyKind::Array(items) => Value::Array(Arc::new(self.spread(items, at)?)),
            RubyKind::Hash(pairs) => Value::Hash(Arc::new(self.pairs(pairs, at)?)),
            RubyKind::Range { from, to, exclusive } => {
                let from = from.as_ref().map_or(Ok(Value::Nil), |from| self.node(from))?;
                let to = to.as_ref().map_or(Ok(Value::Nil), |to| self.node(to))?;
                Value::Range { from: Arc::new(from), to: Arc::new(to), exclusive: *exclusive }
            }
            RubyKind::Constant { scope, path } => return self.constant_node(scope.as_deref(), path),
            RubyKind::Variable(RubyVariable::Instance(name)) if self.scopes.instance(name).is_none() => {
                return self.class_variable(name);
            }
            RubyKind::Variable(variable) => self.variable(variable),
            RubyKind::Call(call) => return self.call(node, call),
            RubyKind::Assign { target, operator, value } => {
                return self.assign(target, operator.as_deref(), value, at);
            }
            RubyKind::MultipleAssign { targets, value } => {
                let value = self.node(value)?;
                self.take_apart(targets, &value, at)?;
                value
            }
            RubyKind::Sequence(body) => return self.statements(body),
            RubyKind::Lambda(block) => self.procedure(block, true),
            RubyKind::Method(method) => Value::symbol(&*method.name),
            RubyKind::Return(value) => return Err(Leave::Return(self.optional(value.as_deref())?)),
            RubyKind::Next(value) => return Err(Leave::Next(self.optional(value.as_deref())?)),
            RubyKind::Break(value) => return Err(Leave::Break(self.optional(value.as_deref())?)),
            RubyKind::Yield(arguments) => return self.yields(arguments, at),
            RubyKind::Super(arguments) => return self.above(arguments.as_deref(), at),
            RubyKind::Splat(inner) => match inner {
                Some(inner) => return self.node(inner),
                None => Value::Nil,
            },
            RubyKind::Class(_) => Value::Nil,
            RubyKind::Defined(inner) => self.defined(inner),
            RubyKind::Other(what) => self.other(what, node.span),
            RubyKind::And(..)
            | RubyKind::Or(..)
            | RubyKind::Not(_)
            | RubyKind::If { .. }
            | RubyKind::Case { .. }
            | RubyKind::While { .. }
            | RubyKind::For { .. }
            | RubyKind::Begin(_) => return self.control(node),
        })
    }

    fn optional(&mut self, node: Option<&Ruby>) -> Flow {
        node.map_or(Ok(Value::Nil), |node| self.node(node))
    }

    fn me(&self) -> Value {
        self.here.me.clone().unwrap_or_else(|| Value::Constant(self.here.class.clone()))
    }

    fn other(&mut self, what: &Arc<str>, at: Span) -> Value {
        match &**what {
            SHELL_COMMAND | CASE_IN | NOT_MADE_OUT => {
                let reason = format!("{what} is not followed");
                self.counting(at, None, |evaluator| evaluator.unread_everything(reason, at));
                Value::unknown(format!("what {what} gives is not known"))
            }
            // An anonymous block parameter.
            "&" => self.scopes.get(self.here.scope, "&").cloned().unwrap_or(Value::Nil),
            "__FILE__" => Value::unknown("where the migration's file lies is not known"),
            what => Value::unknown(format!("{what} is not followed")),
        }
    }

    fn defined(&mut self, inner: &Ruby) -> Value {
        match &inner.kind {
            RubyKind::Variable(RubyVariable::Local(_)) => Value::text("local-variable"),
            RubyKind::Constant { scope: None, path } => {
                let here = self.here.class.clone();
                match self.index.constant(&here, path) {
                    Some(_) => Value::text("constant"),
                    None => Value::unknown(format!("whether `{path}` is defined is not known")),
                }
            }
            _ => Value::unknown("`defined?` is not followed here"),
        }
    }

    /// A string of parts; what it has from the file keeps its places.
    pub(super) fn string(&mut self, parts: &[RubyPart], at: Span) -> Flow {
        if let [RubyPart::Text(piece)] = parts {
            self.budget.bytes(piece.text().len(), at)?;
            return Ok(Value::Text(match self.here.site {
                None => Text::placed(piece.clone()),
                Some(_) => Text::new(piece.text()),
            }));
        }
        let mut built = PieceBuilder::new(at.source);
        let mut unknown = None;
        for part in parts {
            match part {
                RubyPart::Text(piece) => {
                    self.budget.bytes(piece.text().len(), at)?;
                    match self.here.site {
                        None => built.copy(piece, 0..piece.text().len()),
                        Some(site) => built.stand_for(piece.text(), site),
                    }
                }
                RubyPart::Code(body) => {
                    let mut value = Value::Nil;
                    for node in body {
                        value = self.node(node)?;
                    }
                    let place = match (body.first(), body.last()) {
                        (Some(first), Some(last)) => self.at(first.span).to(self.at(last.span)),
                        _ => at,
                    };
                    match value.to_text() {
                        Some(text) => {
                            self.budget.bytes(text.len(), at)?;
                            built.stand_for(&text, place);
                        }
                        None => {
                            built.stand_for(HOLE, place);
                            unknown = Some(self.why_unknown(&value));
                        }
                    }
                }
            }
        }
        if let Some(why) = unknown {
            return Ok(Value::Unknown(self.holed.keep(&why, built.finish().text())));
        }
        let piece = built.finish();
        Ok(Value::Text(match self.here.site {
            None => Text::placed(piece),
            Some(_) => Text::new(piece.text()),
        }))
    }

    pub(super) fn why_unknown(&self, value: &Value) -> Arc<str> {
        match value {
            Value::Unknown(why) => why.clone(),
            _ => "a value that only the running program knows".into(),
        }
    }

    /// What the body of the class sets is there for its own methods: `@tables = …`, read in `def self.up`.
    fn class_variable(&mut self, name: &Arc<str>) -> Flow {
        let class = self.here.class.clone();
        let set = |node: &Ruby| match &node.kind {
            RubyKind::Assign { target: RubyTarget::Variable(RubyVariable::Instance(known)), operator: None, value } => {
                (known == name).then(|| (**value).clone())
            }
            _ => None,
        };
        let value = self.index.parts(&class).iter().flat_map(|part| &part.body).filter_map(set).next_back();
        match value.filter(|_| self.here.on_class) {
            Some(value) => {
                let value = self.node(&value)?;
                self.scopes.set_instance(name, value.clone());
                Ok(value)
            }
            None => Ok(Value::Nil),
        }
    }

    fn variable(&self, variable: &RubyVariable) -> Value {
        match variable {
            RubyVariable::Local(name) => self.scopes.get(self.here.scope, name).cloned().unwrap_or(Value::Nil),
            RubyVariable::Instance(name) => self.scopes.instance(name).cloned().unwrap_or(Value::Nil),
            RubyVariable::Global(name) => match name.trim_start_matches('$') {
                "~" => Value::unknown("the last match"),
                number => match number.parse::<usize>() {
                    Ok(number) => self.captures.get(number).cloned().unwrap_or(Value::Nil),
                    Err(_) => Value::unknown(format!("`{name}` is not known")),
                },
            },
        }
    }

    fn constant_node(&mut self, scope: Option<&Ruby>, path: &Arc<str>) -> Flow {
        let Some(scope) = scope else { return self.constant(path) };
        match self.node(scope)? {
            Value::Constant(class) => self.constant(&format!("{class}::{path}").into()),
            other => Ok(Value::Unknown(self.why_unknown(&other))),
        }
    }

    /// The value of a constant; one that is not in this file is itself.
    pub(super) fn constant(&mut self, path: &Arc<str>) -> Flow {
        let class = self.here.class.clone();
        match self.index.constant(&class, path) {
            None => Ok(Value::Constant(path.clone())),
            Some(Found::Class(full)) => Ok(Value::Constant(full)),
            Some(Found::Value(owner, part, place)) => {
                let RubyKind::Assign { value, .. } = &part.body[place].kind else { return Ok(Value::Nil) };
                let name = path.rsplit("::").next().unwrap_or(path);
                let full: Arc<str> = format!("{owner}::{name}").into();
                match self.constants.get(&full) {
                    Some(Some(known)) => return Ok(known.clone()),
                    Some(None) => return Ok(Value::unknown(format!("`{path}` is defined by itself"))),
                    None => {}
                }
                self.constants.insert(full.clone(), None);
                let inner = Activation {
                    scope: self.scopes.open(None, self.things.len()),
                    class: owner,
                    on_class: true,
                    block: None,
                    site: None,
                    me: None,
                    method: "".into(),
                };
                let found = self.activation(inner, value.span, &mut |evaluator| evaluator.node(value));
                let found = match found {
                    Err(Leave::Raise { .. } | Leave::Throw) => Value::unknown(format!("`{path}` is not worked out")),
                    other => other?,
                };
                self.name_model(&found, path);
                self.constants.insert(full, Some(found.clone()));
                Ok(found)
            }
        }
    }

    fn assign(&mut self, target: &RubyTarget, operator: Option<&str>, value: &Ruby, at: Span) -> Flow {
        let Some(operator) = operator else {
            let value = self.node(value)?;
            self.set(target, value.clone(), at)?;
            return Ok(value);
        };
        let old = self.get(target, at)?;
        let new = match (operator, old.is_truthy()) {
            ("||", Some(true)) | ("&&", Some(false)) => return Ok(old),
            ("||" | "&&", Some(_)) => self.node(value)?,
            ("||" | "&&", None) => {
                let value = self.node(value)?;
                super::flow::joined(&old, &value)
            }
            _ => {
                let value = self.node(value)?;
                self.send(old, &Arc::from(operator), Given::of(vec![value]), at)?
            }
        };
        self.set(target, new.clone(), at)?;
        Ok(new)
    }

    fn get(&mut self, target: &RubyTarget, at: Span) -> Flow {
        match target {
            RubyTarget::Variable(variable) => Ok(self.variable(variable)),
            RubyTarget::Constant(path) => self.constant(path),
            RubyTarget::Attribute(object, name) => {
                let object = self.node(object)?;
                self.send(object, name, Given::default(), at)
            }
            RubyTarget::Element(object, keys) => {
                let object = self.node(object)?;
                let keys = self.spread(keys, at)?;
                self.send(object, &"[]".into(), Given::of(keys), at)
            }
            RubyTarget::Nested(_) | RubyTarget::Splat(_) => Ok(Value::Nil),
        }
    }

    pub(super) fn set(&mut self, target: &RubyTarget, value: Value, at: Span) -> Result<(), Leave> {
        match target {
            RubyTarget::Variable(RubyVariable::Local(name)) => self.scopes.set(self.here.scope, name, value),
            RubyTarget::Variable(RubyVariable::Instance(name)) => self.scopes.set_instance(name, value),
            RubyTarget::Variable(RubyVariable::Global(_)) => {}
            RubyTarget::Constant(path) => {
                let full: Arc<str> = format!("{}::{path}", self.here.class).into();
                self.constants.insert(full, Some(value));
            }
            RubyTarget::Attribute(object, name) => {
                let object = self.node(object)?;
                self.set_attribute(object, name, value, at)?;
            }
            RubyTarget::Element(object, keys) => {
                let held = self.node(object)?;
                let keys = self.spread(keys, at)?;
                let changed = self.with_element(held, &keys, value, at)?;
                self.write_back(object, changed, at)?;
            }
            RubyTarget::Nested(targets) => self.take_apart(targets, &value, at)?,
            RubyTarget::Splat(inner) => {
                if let Some(inner) = inner {
                    self.set(inner, value, at)?;
                }
            }
        }
        Ok(())
    }

    /// Values are not shared here: what changes one in place is written back to where it came from.
    pub(super) fn write_back(&mut self, from: &Ruby, value: Value, at: Span) -> Result<(), Leave> {
        match &from.kind {
            RubyKind::Variable(variable) => self.set(&RubyTarget::Variable(variable.clone()), value, at),
            RubyKind::Constant { scope: None, path } => {
                let class = self.here.class.clone();
                if let Some(Found::Value(owner, ..)) = self.index.constant(&class, path) {
                    let name = path.rsplit("::").next().unwrap_or(path);
                    self.constants.insert(format!("{owner}::{name}").into(), Some(value));
                }
                Ok(())
            }
            RubyKind::Call(call) if &*call.name == "[]" => {
                let Some(object) = &call.receiver else { return Ok(()) };
                let held = self.node(object)?;
                let keys = self.spread(&call.arguments, at)?;
                let changed = self.with_element(held, &keys, value, at)?;
                self.write_back(object, changed, at)
            }
            // `row.options['a'] = 1`
            RubyKind::Call(call) if call.arguments.is_empty() && call.receiver.is_some() => {
                let Some(object) = &call.receiver else { return Ok(()) };
                if let Value::Object(object) = self.node(object)?
                    && matches!(self.thing(object), Some(super::object::Thing::Row(_)))
                {
                    self.changed_attribute(object, &call.name);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `a, (b, *c) = value`
    pub(super) fn take_apart(&mut self, targets: &[RubyTarget], value: &Value, at: Span) -> Result<(), Leave> {
        let items = match value {
            Value::Array(items) => items.to_vec(),
            Value::Unknown(why) => vec![Value::Unknown(why.clone()); targets.len()],
            other => vec![other.clone()],
        };
        let mut items = items.into_iter();
        for (place, target) in targets.iter().enumerate() {
            if let RubyTarget::Splat(inner) = target {
                let after = targets.len() - place - 1;
                let count = items.len().saturating_sub(after);
                let taken: Vec<Value> = items.by_ref().take(count).collect();
                if let Some(inner) = inner {
                    self.set(inner, Value::Array(Arc::new(taken)), at)?;
                }
            } else {
                self.set(target, items.next().unwrap_or(Value::Nil), at)?;
            }
        }
        Ok(())
    }
}
