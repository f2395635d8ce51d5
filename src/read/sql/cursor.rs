//! Walks the tokens of one statement: what the grammar's files share. Comments are not among the tokens.

use std::ops::Range;
use std::sync::Arc;

use super::keywords::{is_reserved, names_column};
use super::lexer::{Kind, Token};
use super::{expression, literal};
use crate::operation::{Expression, Ident, Name, Parameter, Query};
use crate::source::{Piece, Span};

/// Why a text does not follow the grammar.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub reason: String,
    /// PostgreSQL's own grammar refuses it, too.
    pub by_server: bool,
}

impl Refused {
    pub fn new(reason: impl Into<String>) -> Refused {
        Refused { reason: reason.into(), by_server: false }
    }

    pub fn by_server(reason: impl Into<String>) -> Refused {
        Refused { reason: reason.into(), by_server: true }
    }
}

impl From<String> for Refused {
    fn from(reason: String) -> Refused {
        Refused::new(reason)
    }
}

pub type Read<T> = Result<T, Refused>;

/// Statements inside statements that are read; PostgreSQL itself allows one level.
const DEEPEST: usize = 4;

/// A place among the tokens of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    pub piece: &'a Piece,
    tokens: &'a [Token],
    at: usize,
    /// Statements around this one: CREATE RULE and CREATE SCHEMA hold others.
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(piece: &'a Piece, tokens: &'a [Token]) -> Cursor<'a> {
        Cursor { piece, tokens, at: 0, depth: 0 }
    }

    pub fn text(&self) -> &'a str {
        self.piece.text()
    }

    /// How many tokens lie behind.
    pub fn place(&self) -> usize {
        self.at
    }

    pub fn go_to(&mut self, place: usize) {
        self.at = place;
    }

    pub fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.tokens.len());
    }

    pub fn end_place(&self) -> usize {
        self.tokens.len()
    }

    pub fn tokens(&self, places: Range<usize>) -> &'a [Token] {
        &self.tokens[places]
    }

    pub fn rest(&self) -> &'a [Token] {
        &self.tokens[self.at..]
    }

    /// Reads these places on their own.
    pub fn inner(&self, places: Range<usize>) -> Cursor<'a> {
        Cursor { tokens: &self.tokens[places], at: 0, ..*self }
    }

    /// A statement inside this one; `None` where it is too deep.
    pub fn deeper(&self, places: Range<usize>) -> Option<Cursor<'a>> {
        (self.depth < DEEPEST).then(|| Cursor { depth: self.depth + 1, ..self.inner(places) })
    }

    pub fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub fn peek(&self) -> Option<Token> {
        self.peek_at(0)
    }

    pub fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    pub fn kind(&self) -> Option<Kind> {
        self.kind_at(0)
    }

    pub fn kind_at(&self, ahead: usize) -> Option<Kind> {
        self.peek_at(ahead).map(|token| token.kind)
    }

    /// The text of the token ahead; empty at the end.
    pub fn word_at(&self, ahead: usize) -> &'a str {
        self.peek_at(ahead).map_or("", |token| token.text(self.text()))
    }

    pub fn is_at(&self, ahead: usize, word: &str) -> bool {
        self.peek_at(ahead)
            .is_some_and(|token| token.kind == Kind::Word && token.text(self.text()).eq_ignore_ascii_case(word))
    }

    /// Whether these words, separated by one space, stand here.
    pub fn is(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(ahead, word)| self.is_at(ahead, word))
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub fn eat(&mut self, words: &str) -> bool {
        let stands = self.is(words);
        if stands {
            self.at += words.split(' ').count();
        }
        stands
    }

    pub fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    pub fn expect(&mut self, words: &str) -> Read<()> {
        if self.eat(words) { Ok(()) } else { Err(self.refuse(&words.to_ascii_uppercase())) }
    }

    pub fn eat_kind(&mut self, kind: Kind) -> bool {
        let stands = self.kind() == Some(kind);
        self.at += usize::from(stands);
        stands
    }

    pub fn expect_kind(&mut self, kind: Kind, called: &str) -> Read<()> {
        if self.eat_kind(kind) { Ok(()) } else { Err(self.refuse(called)) }
    }

    /// Whether the operator or sign `text` stands here.
    pub fn is_sign(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| {
            !matches!(token.kind, Kind::Word | Kind::Quoted | Kind::UnicodeQuoted) && token.text(self.text()) == text
        })
    }

    pub fn eat_sign(&mut self, text: &str) -> bool {
        let stands = self.is_sign(text);
        self.at += usize::from(stands);
        stands
    }

    pub fn refuse(&self, expected: &str) -> Refused {
        let Some(token) = self.peek() else {
            return Refused::new(format!("expected {expected}, found the end of the statement"));
        };
        match token.kind {
            Kind::Variable => Refused::new(format!("psql variable `{}` is not known here", token.text(self.text()))),
            Kind::UnterminatedString => Refused::new("a string does not end".to_owned()),
            Kind::UnterminatedQuoted => Refused::new("a quoted name does not end".to_owned()),
            Kind::UnterminatedDollar => Refused::new("a dollar-quoted string does not end".to_owned()),
            _ => {
                let found = crate::operation::cut(token.text(self.text()), 40);
                Refused::new(format!("expected {expected}, found `{found}`"))
            }
        }
    }

    pub fn expect_end(&self) -> Read<()> {
        if self.is_done() { Ok(()) } else { Err(self.refuse("the end of the statement")) }
    }

    // Names.

    /// A column's or a relation's name: a word that is not reserved, or a quoted one.
    pub fn ident(&mut self) -> Read<Ident> {
        self.ident_if("a name", names_column)
    }

    /// A name where types and functions may stand as well.
    pub fn loose_ident(&mut self) -> Read<Ident> {
        self.ident_if("a name", |word| !is_reserved(word))
    }

    /// After a dot or AS any word is a name.
    pub fn label(&mut self) -> Read<Ident> {
        self.ident_if("a name", |_| true)
    }

    pub fn is_ident(&self) -> bool {
        match self.kind() {
            Some(Kind::Word) => names_column(self.word_at(0)),
            Some(Kind::Quoted | Kind::UnicodeQuoted) => true,
            _ => false,
        }
    }

    fn ident_if(&mut self, expected: &str, allowed: fn(&str) -> bool) -> Read<Ident> {
        let Some(token) = self.peek() else { return Err(self.refuse(expected)) };
        let fits = match token.kind {
            Kind::Word => allowed(token.text(self.text())),
            Kind::Quoted => token.end - token.start > 2,
            Kind::UnicodeQuoted => true,
            _ => false,
        };
        if !fits {
            return Err(self.refuse(expected));
        }
        self.at += 1;
        let escape = if token.kind == Kind::UnicodeQuoted { self.unicode_escape() } else { '\\' };
        Ok(literal::ident(self.text(), token, escape))
    }

    /// `UESCAPE 'c'` after a `U&` literal.
    fn unicode_escape(&mut self) -> char {
        if self.is_at(0, "uescape") && self.kind_at(1) == Some(Kind::String) {
            let escape = self.word_at(1).chars().nth(1).unwrap_or('\\');
            self.at += 2;
            return escape;
        }
        '\\'
    }

    /// `[schema .] name`; a database in front of the schema is left out.
    pub fn name(&mut self) -> Read<Name> {
        let first = self.ident()?;
        self.name_after(first)
    }

    /// The name of a function or type: some words that columns cannot have are allowed.
    pub fn loose_name(&mut self) -> Read<Name> {
        let first = self.loose_ident()?;
        self.name_after(first)
    }

    fn name_after(&mut self, first: Ident) -> Read<Name> {
        let mut name = Name { schema: None, name: first };
        let mut parts = 1;
        while parts < 3 && self.eat_kind(Kind::Dot) {
            let next = self.label()?;
            name = Name { schema: Some(name.name), name: next };
            parts += 1;
        }
        Ok(name)
    }

    /// All parts of a dotted name.
    pub fn dotted(&mut self) -> Read<Vec<Ident>> {
        let mut parts = vec![self.ident()?];
        while self.eat_kind(Kind::Dot) {
            parts.push(self.label()?);
        }
        Ok(parts)
    }

    pub fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut found = vec![one(self)?];
        while self.eat_kind(Kind::Comma) {
            found.push(one(self)?);
        }
        Ok(found)
    }

    pub fn names(&mut self) -> Read<Vec<Name>> {
        self.list(Cursor::name)
    }

    /// `(a, b)`.
    pub fn columns(&mut self) -> Read<Vec<Ident>> {
        self.expect_kind(Kind::OpenParen, "(")?;
        let columns = self.list(Cursor::ident)?;
        self.expect_kind(Kind::CloseParen, ")")?;
        Ok(columns)
    }

    pub fn optional_columns(&mut self) -> Read<Vec<Ident>> {
        if self.kind() == Some(Kind::OpenParen) { self.columns() } else { Ok(Vec::new()) }
    }

    /// `name`, CURRENT_USER, PUBLIC …: who owns or is granted something.
    pub fn role(&mut self) -> Read<Ident> {
        self.label()
    }

    // Literals.

    pub fn is_string(&self) -> bool {
        matches!(self.kind(), Some(Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::Dollar))
    }

    /// A literal's tokens: adjacent ones with a line break between are one (manual, "String Constants").
    fn string_tokens(&mut self) -> Read<(&'a [Token], char)> {
        if !self.is_string() {
            return Err(self.refuse("a string"));
        }
        let from = self.at;
        self.at += 1;
        if self.tokens[from].kind != Kind::Dollar {
            while self.kind() == Some(Kind::String) && self.line_breaks_before() {
                self.at += 1;
            }
        }
        let tokens = &self.tokens[from..self.at];
        let escape = if tokens[0].kind == Kind::UnicodeString { self.unicode_escape() } else { '\\' };
        Ok((tokens, escape))
    }

    fn line_breaks_before(&self) -> bool {
        let between = self.tokens[self.at - 1].end as usize..self.tokens[self.at].start as usize;
        self.text()[between].contains('\n')
    }

    pub fn string(&mut self) -> Read<Arc<str>> {
        let (tokens, escape) = self.string_tokens()?;
        Ok(literal::value(self.text(), tokens, escape))
    }

    /// A literal as a text of its own.
    pub fn string_piece(&mut self) -> Read<Piece> {
        let (tokens, escape) = self.string_tokens()?;
        Ok(literal::piece(self.piece, tokens, escape))
    }

    /// An integer with an optional sign, as written.
    pub fn number(&mut self) -> Read<Arc<str>> {
        let from = self.at;
        if !self.eat_sign("-") {
            self.eat_sign("+");
        }
        if !self.eat_kind(Kind::Number) {
            self.at = from;
            return Err(self.refuse("a number"));
        }
        Ok(self.written(from..self.at).into())
    }

    pub fn unsigned(&mut self) -> Read<u32> {
        let place = self.at;
        let number = self.number()?;
        number.parse().map_err(|_| self.inner(place..self.tokens.len()).refuse("a number"))
    }

    // Places.

    /// The bytes that these places cover.
    pub fn bytes(&self, places: Range<usize>) -> Range<usize> {
        let after = || self.tokens.last().map_or(0, |token| token.end as usize);
        if places.is_empty() {
            let at = self.tokens.get(places.start).map_or_else(after, |token| token.start as usize);
            return at..at;
        }
        self.tokens[places.start].start as usize..self.tokens[places.end - 1].end as usize
    }

    pub fn written(&self, places: Range<usize>) -> &'a str {
        &self.text()[self.bytes(places)]
    }

    pub fn span(&self, places: Range<usize>) -> Span {
        self.piece.span(self.bytes(places))
    }

    /// From a place to what was read last.
    pub fn span_from(&self, from: usize) -> Span {
        self.span(from..self.at.max(from))
    }

    /// The places between the parentheses that open here; moves behind them.
    pub fn parens(&mut self) -> Read<Range<usize>> {
        if self.kind() != Some(Kind::OpenParen) {
            return Err(self.refuse("("));
        }
        let mut depth = 0_usize;
        for (place, token) in self.tokens.iter().enumerate().skip(self.at) {
            match token.kind {
                Kind::OpenParen => depth += 1,
                Kind::CloseParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = self.at + 1..place;
                self.at = place + 1;
                return Ok(inside);
            }
        }
        Err(Refused::new("a parenthesis does not close".to_owned()))
    }

    /// Moves to where `stops` says, to a comma, a closing parenthesis or the end; what stands in
    /// parentheses, brackets or CASE … END is passed over.
    pub fn until(&mut self, mut stops: impl FnMut(&Self) -> bool) -> Range<usize> {
        let from = self.at;
        let mut depth = 0_usize;
        while let Some(kind) = self.kind() {
            match kind {
                Kind::OpenParen | Kind::OpenBracket => depth += 1,
                Kind::CloseParen | Kind::CloseBracket if depth == 0 => break,
                Kind::CloseParen | Kind::CloseBracket => depth -= 1,
                Kind::Comma if depth == 0 => break,
                Kind::Word if self.is_at(0, "case") => depth += 1,
                Kind::Word if depth > 0 && self.is_at(0, "end") => depth -= 1,
                _ if depth == 0 && stops(self) => break,
                _ => {}
            }
            self.at += 1;
        }
        from..self.at
    }

    /// The parts between top-level commas of these places.
    pub fn parts(&self, places: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut from, mut depth) = (places.start, 0_usize);
        for place in places.clone() {
            match self.tokens[place].kind {
                Kind::OpenParen | Kind::OpenBracket => depth += 1,
                Kind::CloseParen | Kind::CloseBracket => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => {
                    parts.push(from..place);
                    from = place + 1;
                }
                _ => {}
            }
        }
        if !places.is_empty() {
            parts.push(from..places.end);
        }
        parts
    }

    // Expressions and queries.

    pub fn expression(&self, places: Range<usize>) -> Read<Expression> {
        if places.is_empty() {
            return Err(self.inner(places.start..self.tokens.len()).refuse("an expression"));
        }
        Ok(expression::expression(self.piece, self.bytes(places)))
    }

    /// `( expression )`.
    pub fn expression_in_parens(&mut self) -> Read<Expression> {
        let places = self.parens()?;
        self.expression(places)
    }

    /// An expression up to a comma, a closing parenthesis, the end or one of these words.
    pub fn expression_until(&mut self, words: &[&str]) -> Read<Expression> {
        let places = self.until(|cursor| cursor.is_any(words));
        self.expression(places)
    }

    pub fn query(&self, places: Range<usize>) -> Read<Query> {
        if places.is_empty() {
            return Err(self.inner(places.start..self.tokens.len()).refuse("a query"));
        }
        expression::query(self.piece, self.bytes(places))
    }

    /// A query that other statements may have, too, word for word.
    pub fn query_again(&self, places: Range<usize>) -> Read<Arc<Query>> {
        if places.is_empty() {
            return self.query(places).map(Arc::new);
        }
        expression::query_again(self.piece, self.bytes(places))
    }

    // Clauses that many statements share.

    pub fn if_exists(&mut self) -> bool {
        self.eat("if exists")
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.eat("if not exists")
    }

    /// `CASCADE | RESTRICT`: whether CASCADE.
    pub fn cascade(&mut self) -> bool {
        if self.eat("cascade") {
            return true;
        }
        self.eat("restrict");
        false
    }

    /// `(name = value, namespace.name, …)`.
    pub fn parameters(&mut self) -> Read<Vec<Parameter>> {
        let inside = self.parens()?;
        self.parts(inside).into_iter().map(|part| self.inner(part).parameter()).collect()
    }

    fn parameter(mut self) -> Read<Parameter> {
        let mut name = self.label()?.as_str().to_owned();
        while self.eat_kind(Kind::Dot) {
            name = format!("{name}.{}", self.label()?.as_str());
        }
        if self.is_done() {
            return Ok(Parameter { name: name.into(), value: None });
        }
        if !self.eat_sign("=") {
            return Err(self.refuse("="));
        }
        if self.is_string() {
            let value = self.string()?;
            self.expect_end()?;
            return Ok(Parameter { name: name.into(), value: Some(value) });
        }
        if self.is_done() {
            return Err(self.refuse("a value"));
        }
        let value = self.written(self.at..self.tokens.len());
        Ok(Parameter { name: name.into(), value: Some(value.into()) })
    }
}
