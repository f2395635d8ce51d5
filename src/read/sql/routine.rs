//! Functions, procedures, aggregates and DO blocks; their bodies are read by `plpgsql`.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use super::cursor::{Cursor, Read, Refused};
use super::lexer::Kind;
use crate::operation::{
    Argument, ArgumentMode, Body, CreateFunction, DoBlock, Ident, Node, Operation, RoutineKind, Volatility,
};
use crate::read::plpgsql;
use crate::source::Piece;

/// Bodies inside bodies (EXECUTE of a DO block of …) that are still read.
const DEEPEST_BODY: u32 = 12;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What the clauses of CREATE FUNCTION say, in whatever order.
struct Clauses {
    language: Option<Ident>,
    body: Option<Source>,
    security_definer: bool,
    search_path: Option<Vec<Ident>>,
    volatility: Volatility,
}

/// Where a body stands.
enum Source {
    Text(Piece),
    /// A file and a symbol: nothing to read.
    Compiled(Piece),
    Atomic(Piece),
    Return(Range<usize>),
}

impl Cursor<'_> {
    /// After CREATE [OR REPLACE] FUNCTION | PROCEDURE.
    pub fn create_routine(&mut self, kind: RoutineKind, or_replace: bool) -> Read<Operation> {
        let name = self.loose_name()?;
        let mut arguments = self.arguments()?;
        let returns = self.returns(kind, &mut arguments)?;
        let mut clauses = Clauses {
            language: None,
            body: None,
            security_definer: false,
            search_path: None,
            volatility: Volatility::Volatile,
        };
        while !self.is_done() {
            self.clause(&mut clauses)?;
        }
        // A body written as SQL needs no LANGUAGE; anything else does.
        let atomic = matches!(clauses.body, Some(Source::Atomic(_) | Source::Return(_)));
        let language = match clauses.language {
            Some(language) => language,
            None if atomic => Ident::new("sql"),
            None => return Err(Refused::new("no language specified".to_owned())),
        };
        let Some(source) = clauses.body else { return Err(Refused::new("no function body specified".to_owned())) };
        let body = self.body(source, &language)?;
        Ok(Operation::CreateFunction(Box::new(CreateFunction {
            name,
            kind,
            or_replace,
            arguments,
            returns,
            language,
            body,
            security_definer: clauses.security_definer,
            search_path: clauses.search_path,
            volatility: clauses.volatility,
        })))
    }

    fn returns(&mut self, kind: RoutineKind, arguments: &mut Vec<Argument>) -> Read<Arc<str>> {
        if !self.eat("returns") {
            // Without RETURNS the OUT parameters say what comes back.
            return Ok(if kind == RoutineKind::Function { returned(arguments) } else { "".into() });
        }
        if self.eat("table") {
            let inside = self.parens()?;
            let mut columns = Vec::new();
            for part in self.parts(inside) {
                let mut inner = self.inner(part);
                let name = inner.loose_label()?;
                let data_type = inner.type_name()?;
                inner.expect_end()?;
                columns.push(format!("{name} {data_type}"));
                let mode = ArgumentMode::Table;
                arguments.push(Argument { mode, name: Some(name), data_type, has_default: false });
            }
            return Ok(format!("TABLE({})", columns.join(", ")).into());
        }
        let set = self.eat("setof");
        let data_type = self.referenced_type()?;
        Ok(if set { format!("SETOF {data_type}").into() } else { data_type })
    }

    /// A parameter's name may be any word that is not reserved.
    fn loose_label(&mut self) -> Read<Ident> {
        self.loose_ident()
    }

    /// A type, or `table.column%TYPE`.
    fn referenced_type(&mut self) -> Read<Arc<str>> {
        let from = self.place();
        let data_type = self.type_name();
        if data_type.is_ok() && !self.is_sign("%") && self.kind() != Some(Kind::Dot) {
            return Ok(data_type?.to_string().into());
        }
        self.go_to(from);
        self.percent_type()
    }

    fn percent_type(&mut self) -> Read<Arc<str>> {
        let from = self.place();
        self.dotted()?;
        if !self.eat_sign("%") {
            return Err(self.refuse("%TYPE"));
        }
        self.expect("type")?;
        Ok(self.written(from..self.place()).into())
    }

    fn clause(&mut self, clauses: &mut Clauses) -> Read<()> {
        if self.eat("language") {
            clauses.language = Some(self.language()?);
        } else if self.is("as") {
            self.skip(1);
            let text = self.string_piece()?;
            let compiled = self.eat_kind(Kind::Comma);
            if compiled {
                self.string()?;
            }
            clauses.body = Some(if compiled { Source::Compiled(text) } else { Source::Text(text) });
        } else if self.eat("begin atomic") {
            clauses.body = Some(self.atomic()?);
        } else if self.eat("return") {
            let from = self.place();
            self.go_to(self.end_place());
            clauses.body = Some(Source::Return(from..self.place()));
        } else if self.eat_any(&["external security definer", "security definer"]) {
            clauses.security_definer = true;
        } else if self.eat_any(&["external security invoker", "security invoker"]) {
            clauses.security_definer = false;
        } else if self.eat("immutable") {
            clauses.volatility = Volatility::Immutable;
        } else if self.eat("stable") {
            clauses.volatility = Volatility::Stable;
        } else if self.eat("volatile") {
            clauses.volatility = Volatility::Volatile;
        } else if self.eat("set") {
            let (name, values) = self.assignment()?;
            if &*name == "search_path" {
                // `SET search_path = ''` is the empty path.
                let parts = values.unwrap_or_default();
                clauses.search_path = Some(parts.iter().filter(|part| !part.is_empty()).map(Ident::new).collect());
            }
        } else {
            return self.plain_clause();
        }
        Ok(())
    }

    /// Clauses that plimsoll asks nothing about.
    fn plain_clause(&mut self) -> Read<()> {
        let words = [
            "window",
            "strict",
            "called on null input",
            "returns null on null input",
            "leakproof",
            "not leakproof",
            "reset all",
        ];
        if self.eat_any(&words) {
            return Ok(());
        }
        if self.eat("cost") || self.eat("rows") {
            return self.number().map(|_| ());
        }
        if self.eat("parallel") || self.eat("reset") {
            return self.label().map(|_| ());
        }
        if self.eat("support") {
            return self.name().map(|_| ());
        }
        if self.eat("transform") {
            return self
                .list(|cursor| {
                    cursor.expect("for type")?;
                    cursor.type_name()
                })
                .map(|_| ());
        }
        Err(self.refuse("a clause of CREATE FUNCTION"))
    }

    fn language(&mut self) -> Read<Ident> {
        if self.is_string() {
            return Ok(Ident::new(self.string()?.to_ascii_lowercase()));
        }
        let name = self.label()?;
        Ok(Ident::new(name.as_str().to_ascii_lowercase()))
    }

    /// From behind BEGIN ATOMIC to the END that closes it.
    fn atomic(&mut self) -> Read<Source> {
        let from = self.place();
        let mut cases = 0_usize;
        while !self.is_done() {
            if self.is("case") {
                cases += 1;
            } else if self.is("end") && cases > 0 {
                cases -= 1;
            } else if self.is("end") {
                let bytes = self.bytes(from..self.place());
                self.skip(1);
                return Ok(Source::Atomic(self.piece.part(bytes)));
            }
            self.skip(1);
        }
        Err(Refused::new("BEGIN ATOMIC without END".to_owned()))
    }

    fn body(&self, source: Source, language: &Ident) -> Read<Body> {
        match source {
            Source::Text(text) if *language == "c" || *language == "internal" => Ok(compiled(&text)),
            Source::Compiled(text) => Ok(compiled(&text)),
            Source::Text(text) | Source::Atomic(text) => Ok(read_body(&text, language)),
            Source::Return(places) => {
                let value = self.expression(places.clone())?;
                let node = Node::Return { value: Some(value.tree), span: value.span };
                Ok(Body {
                    text: value.text,
                    span: value.span,
                    nodes: [node].into(),
                    variables: [].into(),
                    unread: [].into(),
                })
            }
        }
    }

    /// `DO [LANGUAGE name] 'text' [LANGUAGE name]`.
    pub fn do_block(&mut self) -> Read<Operation> {
        self.expect("do")?;
        let mut language = Ident::new("plpgsql");
        let mut text = None;
        while !self.is_done() {
            if self.eat("language") {
                language = self.language()?;
            } else if text.is_none() {
                text = Some(self.string_piece()?);
            } else {
                return Err(self.refuse("LANGUAGE"));
            }
        }
        let Some(text) = text else { return Err(self.refuse("a string")) };
        let body = read_body(&text, &language);
        Ok(Operation::Do(Box::new(DoBlock { language, body })))
    }

    /// `CREATE AGGREGATE name (arguments) (definition)`, or the old form without arguments.
    pub fn create_aggregate(&mut self, or_replace: bool) -> Read<Operation> {
        let name = self.loose_name()?;
        let place = self.place();
        let first = self.parens()?;
        let arguments = if self.kind() == Some(Kind::OpenParen) {
            self.go_to(place);
            let arguments = self.aggregate_arguments()?;
            self.parens()?;
            arguments
        } else {
            // The old form: `(basetype = anyelement, …)`.
            let parts = self.parts(first);
            parts.into_iter().filter_map(|part| self.inner(part).base_type()).collect()
        };
        Ok(Operation::CreateFunction(Box::new(CreateFunction {
            name,
            kind: RoutineKind::Aggregate,
            or_replace,
            arguments,
            returns: "".into(),
            language: Ident::new("internal"),
            body: compiled(&self.piece.part(0..0)),
            security_definer: false,
            search_path: None,
            volatility: Volatility::Immutable,
        })))
    }

    /// What an aggregate of the old form takes; `ANY` is nothing.
    fn base_type(mut self) -> Option<Argument> {
        if !self.eat("basetype") || !self.eat_sign("=") || self.is("any") {
            return None;
        }
        self.argument().ok()
    }

    /// `(*)`, `(a, b)`, `(a ORDER BY b)`.
    pub fn aggregate_arguments(&mut self) -> Read<Vec<Argument>> {
        let inside = self.parens()?;
        let mut inner = self.inner(inside);
        if inner.eat_sign("*") {
            inner.expect_end()?;
            return Ok(Vec::new());
        }
        let mut arguments = Vec::new();
        let end = inner.end_place();
        let order = (0..end).find(|place| inner.inner(*place..end).is("order by"));
        let direct = inner.parts(0..order.unwrap_or(end));
        let ordered = order.map_or_else(Vec::new, |at| inner.parts(at + 2..end));
        for part in direct.into_iter().chain(ordered) {
            arguments.push(inner.inner(part).argument()?);
        }
        Ok(arguments)
    }

    /// `(mode name type DEFAULT value, …)`.
    pub fn arguments(&mut self) -> Read<Vec<Argument>> {
        let inside = self.parens()?;
        self.parts(inside).into_iter().map(|part| self.inner(part).argument()).collect()
    }

    fn argument(mut self) -> Read<Argument> {
        let mut mode = self.argument_mode();
        let from = self.place();
        let unnamed = self.argument_type();
        if unnamed.is_ok() && self.ends_argument() {
            let has_default = !self.is_done();
            return Ok(Argument {
                mode: mode.unwrap_or(ArgumentMode::In),
                name: None,
                data_type: unnamed?,
                has_default,
            });
        }
        self.go_to(from);
        let name = self.loose_label()?;
        // The mode may also stand after the name.
        mode = mode.or_else(|| self.argument_mode());
        let data_type = self.argument_type()?;
        if !self.ends_argument() {
            return Err(self.refuse("DEFAULT"));
        }
        let has_default = !self.is_done();
        Ok(Argument { mode: mode.unwrap_or(ArgumentMode::In), name: Some(name), data_type, has_default })
    }

    fn ends_argument(&self) -> bool {
        self.is_done() || self.is("default") || self.is_sign("=") || self.kind() == Some(Kind::Assign)
    }

    fn argument_mode(&mut self) -> Option<ArgumentMode> {
        let modes = [
            ("in out", ArgumentMode::InOut),
            ("inout", ArgumentMode::InOut),
            ("in", ArgumentMode::In),
            ("out", ArgumentMode::Out),
            ("variadic", ArgumentMode::Variadic),
        ];
        modes.into_iter().find(|(words, _)| self.eat(words)).map(|(_, mode)| mode)
    }

    fn argument_type(&mut self) -> Read<crate::operation::TypeName> {
        let from = self.place();
        self.eat("setof");
        let data_type = self.type_name();
        if data_type.is_ok() && !self.is_sign("%") && self.kind() != Some(Kind::Dot) {
            return data_type;
        }
        self.go_to(from);
        let written = self.percent_type()?;
        let name = Ident::new(&*written).into();
        Ok(crate::operation::TypeName { name, modifiers: Vec::new(), array: false, built_in: false })
    }
}

/// What a function without RETURNS gives back: its only OUT parameter's type, or a record of them.
fn returned(arguments: &[Argument]) -> Arc<str> {
    let mut out = arguments.iter().filter(|argument| matches!(argument.mode, ArgumentMode::Out | ArgumentMode::InOut));
    match (out.next(), out.next()) {
        (None, _) => "void".into(),
        (Some(one), None) => one.data_type.to_string().into(),
        (Some(_), Some(_)) => "record".into(),
    }
}

fn compiled(text: &Piece) -> Body {
    Body {
        text: text.text().into(),
        span: text.span(0..text.text().len()),
        nodes: [].into(),
        variables: [].into(),
        unread: [].into(),
    }
}

/// Bodies hold statements that hold bodies: the depth is bounded, whatever the text says.
fn read_body(text: &Piece, language: &Ident) -> Body {
    let depth = DEPTH.get();
    if depth >= DEEPEST_BODY {
        let span = text.span(0..text.text().len());
        let unread = [(span, "bodies are nested too deeply".into())].into();
        return Body { unread, ..compiled(text) };
    }
    DEPTH.set(depth + 1);
    let body = plpgsql::body(text, language);
    DEPTH.set(depth);
    body
}
