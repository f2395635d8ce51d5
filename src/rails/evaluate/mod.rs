//! Works out what a migration's Ruby does, without running Ruby: a small, total evaluator over our own tree.
//!
//! What it cannot work out is [`Value::Unknown`] with the reason, and what it does not understand is an unread step;
//! it never stays silent. It has a budget in steps, levels and bytes.

mod asked;
mod attribute;
mod background;
mod branch;
mod budget;
mod call;
mod catalog;
mod define;
mod expression;
mod file;
mod flow;
mod given;
mod guard;
mod hash;
mod holed;
mod job;
mod kernel;
mod list;
mod migration;
mod model;
mod names;
mod number;
mod object;
mod record;
mod regex;
mod relation;
mod row;
mod scope;
mod text;
mod time;
mod unread;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Language;
use super::active_record::Dialect;
use super::value::Value;
use super::vocabulary::Active;
use super::world::World;
use crate::operation::{Frame, FrameKind, Ruby, RubyDirection, RubyMethod, RubyScript};
use crate::source::Span;

use budget::Budget;
use file::Index;
use flow::{Flow, Leave, Suspended};
use given::Given;
use object::Thing;
use record::Recorder;
use scope::Scopes;

pub use file::{constant_path, methods_of, mixins};
pub use names::{camelize, underscore};

/// Runs one direction of a migration against a world.
pub fn run(script: &RubyScript, language: &Language, world: &mut dyn World) {
    let mut evaluator = Evaluator::new(script, language, world);
    evaluator.migration();
}

struct Evaluator<'a> {
    script: &'a RubyScript,
    world: &'a mut dyn World,
    index: Index,
    language: &'a Language,
    vocabulary: Active<'a>,
    dialect: Dialect,
    scopes: Scopes,
    things: Vec<Thing>,
    /// By full path; `None` while its value is being worked out.
    constants: BTreeMap<Arc<str>, Option<Value>>,
    budget: Budget,
    here: Activation,
    suspended: Vec<Suspended>,
    /// Texts with parts that are not known.
    holed: holed::Holed,
    /// Captures of the last match: `$1`, `$~`.
    captures: Vec<Value>,
    /// Where calls are kept to be undone in the end, instead of being sent.
    recorder: Option<Recorder>,
    /// Levels of calls that count as one: what a helper or a block of one sends is no call of its own.
    counted: usize,
    /// The last call into code that is not in this file.
    foreign: Option<(Span, Arc<str>)>,
    /// A `break` behind a condition that is not known was met since the loop last asked.
    may_have_ended: bool,
    /// Classes of the migrations that revert this one.
    reverts: Vec<Arc<str>>,
    /// The job whose class is read, rather than a migration.
    job: Option<job::Job>,
}

/// The method, block or helper that runs.
#[derive(Debug, Clone)]
struct Activation {
    /// Its innermost scope.
    scope: usize,
    /// The class whose constants and methods are found first.
    class: Arc<str>,
    /// `def self.x`, or the body of a class.
    on_class: bool,
    /// What `yield` calls.
    block: Option<Value>,
    /// Inside a helper of a vocabulary: the call that everything in it leads back to.
    site: Option<Span>,
    /// What `self` is where that is no migration.
    me: Option<Value>,
    /// Of the method, for `super`.
    method: Arc<str>,
}

impl<'a> Evaluator<'a> {
    fn new(script: &'a RubyScript, language: &'a Language, world: &'a mut dyn World) -> Evaluator<'a> {
        let vocabulary = language.vocabularies.active(script);
        let dialect = language.dialect_of(script, &vocabulary);
        let here = Activation {
            scope: 0,
            class: script.class.clone(),
            on_class: false,
            block: None,
            site: None,
            me: None,
            method: "".into(),
        };
        Evaluator {
            script,
            world,
            index: Index::of(&script.file),
            language,
            vocabulary,
            dialect,
            scopes: Scopes::new(),
            things: Vec::new(),
            constants: BTreeMap::new(),
            budget: Budget::default(),
            here,
            suspended: Vec::new(),
            holed: holed::Holed::default(),
            captures: Vec::new(),
            recorder: None,
            counted: 0,
            foreign: None,
            may_have_ended: false,
            reverts: Vec::new(),
            job: None,
        }
    }

    /// `change` in the direction asked for, whatever stands beside it; else `up` or `down`.
    fn migration(&mut self) {
        let direction = match self.script.direction {
            RubyDirection::Up => "up",
            RubyDirection::Down => "down",
        };
        let class = self.script.class.clone();
        let found = [("change", false), (direction, false), (direction, true)]
            .into_iter()
            .find_map(|(name, on_class)| Some((name, on_class, self.index.method(&class, name, on_class)?)));
        let Some((name, on_class, (owner, method))) = found else { return };
        self.here.on_class = on_class;
        let undoes = name == "change" && self.script.direction == RubyDirection::Down;
        let ran = match undoes {
            true => self.undone(method.span, &mut |evaluator| {
                evaluator.own_method(&owner, &method, on_class, Given::default(), method.span)
            }),
            false => self.own_method(&owner, &method, on_class, Given::default(), method.span),
        };
        match ran {
            Ok(_) | Err(Leave::Return(_) | Leave::Next(_) | Leave::Break(_) | Leave::Throw) => {}
            Err(Leave::Raise { .. }) => {}
            Err(Leave::Spent { at, what }) => {
                let reason = format!("{what}: the rest of the migration is not followed");
                self.unread_everything(reason, at);
            }
        }
    }

    /// Where a node stands: what a helper does, stands at its call.
    fn at(&self, span: Span) -> Span {
        self.here.site.unwrap_or(span)
    }

    /// A method of the file's own.
    fn own_method(
        &mut self,
        owner: &Arc<str>,
        method: &Arc<RubyMethod>,
        on_class: bool,
        given: Given,
        at: Span,
    ) -> Flow {
        let inner = Activation {
            scope: self.scopes.open(None, self.things.len()),
            class: owner.clone(),
            on_class,
            block: given.block.clone(),
            site: self.here.site,
            me: self.here.me.clone(),
            method: method.name.clone(),
        };
        let is_entry = self.budget.level() == 0;
        if !is_entry {
            self.world.enter(Frame { kind: FrameKind::Method(method.name.clone()), span: at });
        }
        let ran = self.activation(inner, at, &mut |evaluator| {
            evaluator.bind(&method.parameters, given.clone(), true)?;
            evaluator.statements(&method.body)
        });
        if !is_entry {
            self.world.leave();
        }
        ran
    }

    /// Runs a body as a method: `return` ends here, and what was left open in it is joined.
    fn activation(&mut self, inner: Activation, at: Span, body: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        self.budget.enter(at)?;
        let outer = std::mem::replace(&mut self.here, inner);
        let mark = self.suspended.len();
        // A return ends the loops of its own method only.
        let around = std::mem::take(&mut self.may_have_ended);
        let ran = body(self);
        let ran = match ran {
            Err(Leave::Return(value)) => Ok(value),
            other => other,
        };
        let ran = self.resume(mark, ran);
        self.may_have_ended = around;
        self.scopes.close(self.here.scope, self.things.len());
        self.here = outer;
        self.budget.leave();
        ran
    }

    fn statements(&mut self, body: &[Ruby]) -> Flow {
        let mut last = Value::Nil;
        for (place, node) in body.iter().enumerate() {
            self.foreign = None;
            last = self.node(node)?;
            // As a statement it is there for what it does; the last one may be there for its value.
            let is_value = place + 1 == body.len() && self.budget.level() > 1;
            if let Some((at, what)) = self.foreign.take()
                && at == self.at(node.span)
                && !is_value
            {
                let reason = format!("`{what}` runs code that is not in this file");
                self.counting(at, None, |evaluator| evaluator.unread_everything(reason, at));
            }
        }
        Ok(last)
    }
}
