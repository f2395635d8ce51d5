mod budget;
mod language;
mod models;
mod steering;

use std::sync::Arc;

use super::run;
use crate::operation::{Frame, FrameKind, Operation, RubyDirection, RubyScript, Unread};
use crate::rails::vocabulary::{self, Vocabularies};
use crate::rails::{Language, World, migration};
use crate::read::{ruby, sql};
use crate::schema::Schema;
use crate::source::{Piece, Sources, Span};
use crate::version::Major;

/// A world that writes down what it is told.
pub(super) struct Told {
    pub schema: Schema,
    pub sources: Sources,
    pub lines: Vec<String>,
    pub calls: usize,
    depth: usize,
    transaction: bool,
}

impl Told {
    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(format!("{}{}", "  ".repeat(self.depth), line.into()));
    }
}

impl World for Told {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn send(&mut self, piece: &Piece) {
        self.say(piece.text().trim().to_owned());
        let text = sql::read(piece);
        for node in &text.nodes {
            if let crate::operation::Node::Statement(statement) = node {
                self.schema.apply(&statement.operation, &crate::operation::Origin::at(statement.span));
            }
        }
    }

    fn run(&mut self, operation: Operation, _: Span) {
        match operation {
            Operation::Unread(unread) => {
                let names: Vec<String> = unread.touches.iter().map(ToString::to_string).collect();
                let names = if unread.everything { "*".to_owned() } else { names.join(",") };
                self.say(format!("unread [{names}] {}", unread.reason));
            }
            other => self.say(format!("{other:?}")),
        }
    }

    fn unread(&mut self, unread: Unread, _: Option<Arc<str>>, at: Span) {
        self.run(Operation::Unread(unread), at);
    }

    fn count(&mut self, _: Span) {
        self.calls += 1;
    }

    fn enter(&mut self, frame: Frame) {
        match frame.kind {
            FrameKind::Loop(None) => self.say("loop"),
            FrameKind::Helper(name) => self.say(format!("helper {name}")),
            FrameKind::Method(name) => self.say(format!("method {name}")),
            _ => self.say("round"),
        }
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.depth -= 1;
        // Rounds and methods in which nothing happens are not shown.
        let last = self.lines.last().map_or("", |line| line.trim_start());
        if last == "round" || last.starts_with("method ") {
            self.lines.pop();
        }
    }

    fn in_transaction(&self) -> bool {
        self.transaction
    }

    fn begin(&mut self, _: Span) {
        self.transaction = true;
        self.say("BEGIN");
    }

    fn commit(&mut self, _: Span) {
        self.transaction = false;
        self.say("COMMIT");
    }

    fn fork(&mut self, _: Span) {
        self.say("fork");
    }

    fn next_branch(&mut self, _: Span, leaves: bool) {
        self.say(if leaves { "next (gone)" } else { "next" });
    }

    fn join(&mut self, _: Span, leaves: bool) {
        self.say(if leaves { "join (gone)" } else { "join" });
    }

    fn is_spent(&self) -> bool {
        false
    }
}

/// What a file does in one direction, in a world with some tables, with a vocabulary of its own.
pub(super) fn told(text: &str, direction: RubyDirection, setup: &str, words: &str) -> Told {
    let (text, setup, words) = (text.to_owned(), setup.to_owned(), words.to_owned());
    // Expressions are walked by recursion.
    let work = move || {
        let mut sources = Sources::default();
        let id = sources.add("db/migrate/1_a.rb", text.as_str());
        let file = ruby::read(&sources.piece(id));
        assert!(file.errors.is_empty(), "{:?}", file.errors);
        let found = migration::read(Arc::new(file), "A").unwrap();
        let mut language = Language { vocabularies: Vocabularies::shipped(&[]), ..Language::default() };
        if !words.is_empty() {
            language.vocabularies = language.vocabularies.with(vec![vocabulary::read(&words).unwrap()]);
        }
        let mut world = Told {
            schema: Schema::new(Major::NEWEST),
            sources,
            lines: Vec::new(),
            calls: 0,
            depth: 0,
            transaction: false,
        };
        let made = world.sources.add("setup.sql", setup.as_str());
        let piece = world.sources.piece(made);
        world.send(&piece);
        world.lines.clear();
        let script = RubyScript { direction, ..(*found.up).clone() };
        run(&script, &language, &mut world);
        world
    };
    std::thread::Builder::new().stack_size(crate::read::STACK).spawn(work).unwrap().join().unwrap()
}

/// What the body of `up` does.
pub(super) fn up(body: &str) -> Vec<String> {
    let text = format!("class A < ActiveRecord::Migration[7.1]\ndef up\n{body}\nend\nend\n");
    told(&text, RubyDirection::Up, "CREATE TABLE users (id bigint PRIMARY KEY, name text)", "").lines
}

/// The value of an expression, as it is interpolated.
pub(super) fn value(expression: &str) -> String {
    let lines = up(&format!("value = begin\n{expression}\nend\nexecute \"=#{{value}}\""));
    lines.join(" / ").trim_start_matches('=').to_owned()
}
