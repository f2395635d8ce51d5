//! The words of migrations themselves, and calls of Active Record's.

use std::sync::Arc;

use super::Evaluator;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::holed::Rows;
use super::object::Thing;
use crate::operation::{Frame, FrameKind, Reach, RubyDirection, RubyMethod, RubyScript};
use crate::rails::active_record;
use crate::rails::call::{Answer, Call};
use crate::rails::value::{Object, Value};
use crate::source::Span;

/// What a statement costs, in steps.
const SENT: usize = 4;

impl<'a> Evaluator<'a> {
    /// What steers a migration and sends nothing itself.
    pub(super) fn word(&mut self, name: &str, given: &Given, at: Span) -> Option<Flow> {
        let block = given.block.clone();
        Some(match name {
            "reversible" => match block {
                Some(block) => self.reversible(block, at),
                None => Ok(Value::Nil),
            },
            "up_only" => match block {
                Some(block) if !self.is_reverting() => self.keep_block(block, Vec::new(), at),
                _ => Ok(Value::Nil),
            },
            "revert" => {
                // The last one goes back first.
                for other in given.arguments.iter().rev() {
                    if let Err(leave) = self.revert_migration(other, at) {
                        return Some(Err(leave));
                    }
                }
                match block {
                    Some(block) => self.undone(at, &mut |evaluator| evaluator.call_block(&block, Given::default(), at)),
                    None => Ok(Value::Nil),
                }
            }
            "reverting?" => Ok(Value::Bool(self.is_reverting())),
            "say_with_time" | "suppress_messages" | "say_with_timing" => match block {
                Some(block) => self.call_block(&block, Given::default(), at),
                None => Ok(Value::Nil),
            },
            "say" | "announce" | "write" | "puts" | "p" | "print" | "pp" | "warn" | "require" | "require_relative"
            | "sleep" | "load" | "require_dependency" | "include" | "extend" | "logger" => Ok(Value::Nil),
            "transaction" => self.transaction(block, given, at),
            "with_options" => {
                let options = self.make(Thing::Options(given.keywords.clone()));
                match block {
                    Some(block) => self.call_block(&block, Given::of(vec![options]), at),
                    None => Ok(options),
                }
            }
            "connection" => Ok(self.make(Thing::Connection)),
            "reset_column_information" | "clear_cache!" | "reset!" => Ok(Value::Nil),
            "execute" | "exec_query" | "exec_update" | "exec_delete" | "exec_insert" | "select_all"
            | "select_value" | "select_values" | "select_one" | "select_rows" | "query" | "query_value"
            | "query_values" | "update" | "delete" | "insert" | "async_exec" => self.execute(name, given, at),
            _ => return None,
        })
    }

    /// `revert CreateUsers`: the other migration's way back, as if it stood here.
    fn revert_migration(&mut self, other: &Value, at: Span) -> Flow {
        let class = match other {
            Value::Constant(class) => class.clone(),
            other => other.to_text().unwrap_or_else(|| "what is not known".into()),
        };
        let found = self.world.migration(&class, RubyDirection::Down);
        let is_around = self.reverts.contains(&class) || *self.script.class == *class;
        let script = match found {
            Some(script) if !is_around && self.recorder.is_none() => script,
            found => {
                let reason = match found {
                    Some(_) => format!("it reverts `{class}` where that is to be undone itself"),
                    None => format!("it reverts `{class}`, which is no migration of this history"),
                };
                self.counting(at, None, |evaluator| evaluator.unread_everything(reason, at));
                return Ok(Value::Nil);
            }
        };
        let frame = Frame { kind: FrameKind::Method(class), span: at };
        self.counting(at, Some(frame), |evaluator| evaluator.run_other(&script, at));
        Ok(Value::Nil)
    }

    /// Runs a migration inside this one, out of the same budget; what it does stands at the call.
    fn run_other(&mut self, script: &RubyScript, at: Span) {
        let mut inner = Evaluator::new(script, self.language, &mut *self.world);
        inner.budget = std::mem::take(&mut self.budget);
        inner.counted = self.counted;
        inner.here.site = Some(self.here.site.unwrap_or(at));
        inner.reverts = self.reverts.iter().cloned().chain([self.script.class.clone()]).collect();
        inner.migration();
        self.budget = inner.budget;
    }

    /// BEGIN and COMMIT around a block, unless a transaction is open.
    pub(super) fn transaction(&mut self, block: Option<Value>, given: &Given, at: Span) -> Flow {
        let Some(block) = block else { return Ok(Value::Nil) };
        let _ = given;
        if self.world.in_transaction() || self.recorder.is_some() {
            return self.call_block(&block, Given::default(), at);
        }
        self.world.begin(at);
        let ran = self.call_block(&block, Given::default(), at);
        self.world.commit(at);
        ran
    }

    fn execute(&mut self, name: &str, given: &Given, at: Span) -> Flow {
        let sql = match given.first() {
            Some(Value::Text(text) | Value::Sql(text)) => text.piece(at),
            // What asks for rows changes none.
            Some(_) if name.starts_with("select_") || name.starts_with("query") => {
                return Ok(Value::unknown("the result of a query"));
            }
            Some(Value::Unknown(why)) if !self.is_reverting() && self.holed.rows(why, at).is_some() => {
                let (found, why) = (self.holed.rows(why, at), why.clone());
                self.budget.work(SENT, at)?;
                self.counting(at, None, |evaluator| match found {
                    Some(Rows::Read(piece)) => evaluator.world.send(&piece),
                    _ => evaluator.unread_writes(
                        format!("the SQL of `{name}` is made at run time: {why}"),
                        Vec::new(),
                        Reach::Rows,
                        at,
                    ),
                });
                return Ok(Value::unknown("the result of a query"));
            }
            Some(other) => {
                let why = self.why_unknown(other);
                self.counting(at, None, |evaluator| {
                    let reason = format!("the SQL of `{name}` is made at run time: {why}");
                    let touches = evaluator.named_tables(&Given::default());
                    evaluator.unread(reason.into(), touches, true, at);
                });
                return Ok(Value::unknown("the result of a query"));
            }
            None => return Ok(Value::Nil),
        };
        if self.is_reverting() {
            let call = Call {
                name: name.into(),
                arguments: given.arguments.clone(),
                options: Default::default(),
                span: at,
                inner: None,
            };
            return self.keep_or_perform(call);
        }
        self.budget.work(SENT, at)?;
        let asks = matches!(name, "select_value" | "query_value");
        let answer = if asks { self.selected(&sql) } else { None };
        self.counting(at, None, |evaluator| evaluator.world.send(&sql));
        Ok(answer.unwrap_or_else(|| Value::unknown("the result of a query")))
    }

    /// A call of Active Record's, with its block's calls where it has one.
    pub(super) fn active_record(&mut self, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let block = given.block.clone();
        let inner = match &block {
            Some(block) if takes_definition(name) => Some(self.defined_by(block, &given, at)?),
            _ => None,
        };
        let kept = given.clone();
        let (arguments, options) = self.told(given, at)?;
        let call = Call { name: name.clone(), arguments, options, span: at, inner };
        if self.recorder.is_some() && active_record::is_known(&call.name) {
            return self.keep_or_perform(call);
        }
        let counted = self.counted;
        match self.try_perform(&call) {
            Some(flow) => flow,
            None => {
                self.counted = counted;
                self.unknown_call(name, kept, at)
            }
        }
    }

    pub(super) fn perform(&mut self, call: Call) -> Flow {
        match self.try_perform(&call) {
            Some(flow) => flow,
            None if &*call.name == "execute" => {
                let given = Given::of(call.arguments.clone());
                self.execute("execute", &given, call.span)
            }
            None => {
                self.unread_call(&call, format!("`{}` is not known here", call.name).into());
                Ok(Value::Nil)
            }
        }
    }

    /// `None`: it is no call of Active Record's.
    fn try_perform(&mut self, call: &Call) -> Option<Flow> {
        // Each on the schema that the one before left.
        if let Some(parts) = active_record::parts(call, &self.dialect) {
            return Some(self.counting(call.span, None, |evaluator| {
                for part in parts {
                    evaluator.perform(part)?;
                }
                Ok(Value::Nil)
            }));
        }
        let (pieces, left_out) = match active_record::answer(call, &self.dialect, self.world.schema()) {
            Answer::NotMine => return None,
            Answer::Sends(pieces) => (pieces, None),
            Answer::SendsPart { pieces, reason, touches } => (pieces, Some((reason, touches))),
            Answer::Unread { reason, touches, everything } => {
                self.counting(call.span, None, |evaluator| evaluator.unread(reason, touches, everything, call.span));
                return Some(Ok(Value::Nil));
            }
        };
        if let Err(spent) = self.budget.work(SENT * pieces.len(), call.span) {
            return Some(Err(spent));
        }
        self.counting(call.span, None, |evaluator| {
            pieces.iter().for_each(|piece| evaluator.world.send(piece));
            if let Some((reason, touches)) = left_out {
                evaluator.unread(reason, touches, false, call.span);
            }
        });
        Some(Ok(Value::Nil))
    }

    /// Nobody knows it: it is said, and its block may run.
    fn unknown_call(&mut self, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let why = format!("`{name}` is not known here");
        // A name alone may be a value that the framework gives; asked for something it would be said where it is used.
        self.counting(at, None, |evaluator| evaluator.unread_helper(name, &given, at));
        let why: Arc<str> = why.into();
        if let Some(block) = given.block {
            let item = Value::Unknown(why.clone());
            let mut run =
                |evaluator: &mut Evaluator<'a>| match evaluator.call_block(&block, Given::of(vec![item.clone()]), at) {
                    Err(Leave::Break(value)) => Ok(value),
                    other => other,
                };
            self.undecided(at, &mut [&mut run, &mut |_: &mut Evaluator<'a>| Ok(Value::Nil)])?;
        }
        Ok(Value::Unknown(why))
    }

    /// What the block of `create_table` sends its parameter.
    fn defined_by(&mut self, block: &Value, given: &Given, at: Span) -> Result<Vec<Call>, Leave> {
        let table = given.first().and_then(Value::to_text);
        let definition = self.make(Thing::Definition { table, calls: Vec::new() });
        self.counted += 1;
        let ran = self.call_block(block, Given::of(vec![definition.clone()]), at);
        self.counted -= 1;
        ran?;
        let Value::Object(object) = definition else { return Ok(Vec::new()) };
        match self.things.get_mut(object.number as usize) {
            Some(Thing::Definition { calls, .. }) => Ok(std::mem::take(calls)),
            _ => Ok(Vec::new()),
        }
    }

    /// `t.string :name`
    pub(super) fn definition_call(&mut self, object: Object, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let Some(Thing::Definition { table, .. }) = self.thing(object) else { return Ok(Value::Nil) };
        let table = table.clone();
        match &**name {
            "name" => {
                let unknown = || Value::unknown("the table's name is not known");
                return Ok(table.map_or_else(unknown, |table| Value::text(&*table)));
            }
            // Old migrations ask whether an adapter has a type.
            "respond_to?" => return Ok(Value::Bool(true)),
            "column_exists?" | "index_exists?" | "foreign_key_exists?" | "check_constraint_exists?" => {
                let mut asked = given;
                asked.arguments.insert(0, table.map_or_else(|| Value::unknown("the table"), |one| Value::text(&*one)));
                let answer = self.question(name, &asked, at);
                return answer.unwrap_or_else(|| Ok(Value::unknown("the table")));
            }
            "send" | "public_send" | "__send__" => {
                let mut given = given;
                let called = if given.arguments.is_empty() { None } else { Some(given.arguments.remove(0)) };
                let Some(called) = called.as_ref().and_then(Value::name).map(Arc::<str>::from) else {
                    return Ok(Value::unknown("the method that is sent is not known"));
                };
                return self.definition_call(object, &called, given, at);
            }
            _ => {}
        }
        let own: Arc<str> = format!("t.{name}").into();
        if self.here.method != own
            && let Some(helper) = self.vocabulary.definition(name)
        {
            let mut given = given;
            given.arguments.insert(0, Value::Object(object));
            return self.run_helper(own, &helper, &given, at);
        }
        let mut inner = None;
        if let Some(block) = given.block.clone() {
            let calls = self.call_block(&block, Given::of(vec![Value::Object(object)]), at);
            calls?;
            inner = Some(Vec::new());
        }
        let (arguments, options) = self.told(given, at)?;
        let call = Call { name: name.clone(), arguments, options, span: at, inner };
        self.budget.items(call.arguments.len() + call.options.0.len() + 4, at)?;
        if let Some(Thing::Definition { calls, .. }) = self.things.get_mut(object.number as usize) {
            calls.push(call);
        }
        Ok(Value::unknown("what a column definition gives back"))
    }

    /// A helper of a vocabulary that is in force.
    pub(super) fn helper(&mut self, name: &Arc<str>, given: &Given, at: Span) -> Option<Flow> {
        // A helper that calls its own name means Active Record's.
        if self.here.site.is_some() && self.here.method == *name {
            return None;
        }
        let helper = self.vocabulary.helper(name)?;
        let frame = Frame { kind: FrameKind::Helper(name.clone()), span: at };
        Some(self.counting(at, Some(frame), |evaluator| evaluator.run_helper(name.clone(), &helper, given, at)))
    }

    fn run_helper(&mut self, name: Arc<str>, helper: &Arc<RubyMethod>, given: &Given, at: Span) -> Flow {
        let inner = super::Activation {
            scope: self.scopes.open(None, self.things.len()),
            class: "".into(),
            on_class: false,
            block: given.block.clone(),
            site: Some(at),
            me: None,
            method: name,
        };
        self.activation(inner, at, &mut |evaluator| {
            evaluator.bind(&helper.parameters, given.clone(), true)?;
            evaluator.statements(&helper.body)
        })
    }
}

/// Calls whose block is sent a definition.
fn takes_definition(name: &str) -> bool {
    matches!(
        name,
        "create_table"
            | "change_table"
            | "create_join_table"
            | "create_unlogged_table"
            | "drop_table"
            | "drop_join_table"
    )
}
