//! A Ruby file as a tree of our own: what migrations use of the language. Nothing is evaluated here.

use std::sync::Arc;

use super::Comment;
use crate::source::{Piece, Span};

/// What a tree does not show, and what may do anything: `RubyKind::Other` of these names.
pub const SHELL_COMMAND: &str = "a shell command";
pub const CASE_IN: &str = "`case … in`";
pub const NOT_MADE_OUT: &str = "what Ruby's parser could not make out";

/// A file, or the body of a helper in a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct RubyFile {
    pub body: Vec<Ruby>,
    pub comments: Vec<Comment>,
    /// What Ruby's own parser refuses, with its words.
    pub errors: Vec<(Span, Arc<str>)>,
}

/// One direction of a migration that is written in Ruby.
#[derive(Debug, Clone, PartialEq)]
pub struct RubyScript {
    pub file: Arc<RubyFile>,
    /// The migration's class, by its full path.
    pub class: Arc<str>,
    /// What it inherits from, as written: `ActiveRecord::Migration[7.1]`.
    pub inherits: Arc<str>,
    pub includes: Vec<Arc<str>>,
    pub direction: RubyDirection,
    /// The class.
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RubyDirection {
    Up,
    Down,
}

/// One expression at its place.
#[derive(Debug, Clone)]
pub struct Ruby {
    pub span: Span,
    pub kind: RubyKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RubyKind {
    Nil,
    True,
    False,
    SelfObject,
    Integer(i64),
    /// And whole numbers too large for 64 bits; as written.
    Float(Arc<str>),
    String(Vec<RubyPart>),
    Symbol(Vec<RubyPart>),
    Regex {
        parts: Vec<RubyPart>,
        /// `i`, `m`, `x` as written.
        flags: Arc<str>,
    },
    Array(Vec<Ruby>),
    Hash(Vec<RubyPair>),
    Range {
        from: Option<Box<Ruby>>,
        to: Option<Box<Ruby>>,
        exclusive: bool,
    },
    /// `A::B`, with what stands before the last `::` where that is no constant.
    Constant {
        scope: Option<Box<Ruby>>,
        path: Arc<str>,
    },
    Variable(RubyVariable),
    Call(Box<RubyCall>),
    And(Box<Ruby>, Box<Ruby>),
    Or(Box<Ruby>, Box<Ruby>),
    Not(Box<Ruby>),
    /// `if`, `unless`, modifiers, `? :`.
    If {
        condition: Box<Ruby>,
        then: Vec<Ruby>,
        otherwise: Vec<Ruby>,
    },
    Case {
        subject: Option<Box<Ruby>>,
        branches: Vec<RubyWhen>,
        otherwise: Vec<Ruby>,
    },
    /// `while`, `until` (negated), `loop`-like forms.
    While {
        condition: Box<Ruby>,
        body: Vec<Ruby>,
    },
    For {
        variables: Vec<RubyTarget>,
        over: Box<Ruby>,
        body: Vec<Ruby>,
    },
    /// `a = b`, `a += b` (`operator` is `+`), `a ||= b`.
    Assign {
        target: RubyTarget,
        operator: Option<Arc<str>>,
        value: Box<Ruby>,
    },
    /// `a, b = …`
    MultipleAssign {
        targets: Vec<RubyTarget>,
        value: Box<Ruby>,
    },
    Begin(Box<RubyBegin>),
    /// Statements in parentheses or `begin … end` without more.
    Sequence(Vec<Ruby>),
    Lambda(Arc<RubyBlock>),
    Method(Arc<RubyMethod>),
    /// `class`, `module`, `class << self`.
    Class(Arc<RubyClass>),
    Return(Option<Box<Ruby>>),
    Break(Option<Box<Ruby>>),
    Next(Option<Box<Ruby>>),
    Yield(Vec<Ruby>),
    Super(Option<Vec<Ruby>>),
    Splat(Option<Box<Ruby>>),
    Defined(Box<Ruby>),
    /// `__FILE__`, `__dir__`, shell commands and whatever else is not followed: by its name.
    Other(Arc<str>),
}

/// A part of a string: text with its places in the file, or `#{…}`.
#[derive(Debug, Clone)]
pub enum RubyPart {
    Text(Piece),
    Code(Vec<Ruby>),
}

// Places are no part of what a text says: two are the same that do the same, wherever they stand.

impl PartialEq for Ruby {
    fn eq(&self, other: &Ruby) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for RubyPart {
    fn eq(&self, other: &RubyPart) -> bool {
        match (self, other) {
            (RubyPart::Text(one), RubyPart::Text(other)) => one.text() == other.text(),
            (RubyPart::Code(one), RubyPart::Code(other)) => one == other,
            (RubyPart::Text(_), RubyPart::Code(_)) | (RubyPart::Code(_), RubyPart::Text(_)) => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum RubyPair {
    Pair(Ruby, Ruby),
    /// `**options`
    Splat(Option<Ruby>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RubyVariable {
    Local(Arc<str>),
    /// With its `@` or `@@`.
    Instance(Arc<str>),
    /// With its `$`.
    Global(Arc<str>),
}

#[derive(Debug, Clone)]
pub struct RubyCall {
    /// `None`: a call on self.
    pub receiver: Option<Ruby>,
    /// `&.`
    pub safe: bool,
    pub name: Arc<str>,
    /// Positional ones and splats; a trailing hash without braces is `keywords`.
    pub arguments: Vec<Ruby>,
    pub keywords: Vec<RubyPair>,
    pub block: Option<Arc<RubyBlock>>,
    /// `&:name`, `&variable`
    pub block_argument: Option<Ruby>,
    /// It could be a local variable as well: no arguments, no parentheses.
    pub bare: bool,
    /// The name alone, where findings about the call point.
    pub name_span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RubyWhen {
    pub values: Vec<Ruby>,
    pub body: Vec<Ruby>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RubyTarget {
    Variable(RubyVariable),
    Constant(Arc<str>),
    /// `object.name = …`
    Attribute(Box<Ruby>, Arc<str>),
    /// `object[…] = …`
    Element(Box<Ruby>, Vec<Ruby>),
    Nested(Vec<RubyTarget>),
    Splat(Option<Box<RubyTarget>>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct RubyBegin {
    pub body: Vec<Ruby>,
    /// Classes as written, and what runs.
    pub rescues: Vec<(Vec<Ruby>, Vec<Ruby>)>,
    pub otherwise: Vec<Ruby>,
    pub ensure: Vec<Ruby>,
}

/// `{ |a, b| … }`, `-> (a) { … }`
#[derive(Debug, Clone)]
pub struct RubyBlock {
    pub parameters: RubyParameters,
    pub body: Vec<Ruby>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct RubyMethod {
    pub name: Arc<str>,
    /// `def self.name`
    pub on_class: bool,
    pub parameters: RubyParameters,
    pub body: Vec<Ruby>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct RubyParameters {
    pub required: Vec<RubyTarget>,
    pub optional: Vec<(Arc<str>, Ruby)>,
    pub rest: Option<Arc<str>>,
    pub after_rest: Vec<RubyTarget>,
    /// `None`: the keyword is required.
    pub keywords: Vec<(Arc<str>, Option<Ruby>)>,
    pub keyword_rest: Option<Arc<str>>,
    pub block: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub struct RubyClass {
    /// `A::B` as written; empty for `class << self`.
    pub name: Arc<str>,
    pub is_module: bool,
    pub superclass: Option<Ruby>,
    pub body: Vec<Ruby>,
    pub span: Span,
}

impl PartialEq for RubyCall {
    fn eq(&self, other: &RubyCall) -> bool {
        let RubyCall { receiver, safe, name, arguments, keywords, block, block_argument, bare, name_span: _ } = self;
        (receiver, safe, name, arguments) == (&other.receiver, &other.safe, &other.name, &other.arguments)
            && (keywords, block) == (&other.keywords, &other.block)
            && (block_argument, bare) == (&other.block_argument, &other.bare)
    }
}

impl PartialEq for RubyBlock {
    fn eq(&self, other: &RubyBlock) -> bool {
        let RubyBlock { parameters, body, span: _ } = self;
        (parameters, body) == (&other.parameters, &other.body)
    }
}

impl PartialEq for RubyMethod {
    fn eq(&self, other: &RubyMethod) -> bool {
        let RubyMethod { name, on_class, parameters, body, span: _ } = self;
        (name, on_class, parameters, body) == (&other.name, &other.on_class, &other.parameters, &other.body)
    }
}

impl PartialEq for RubyClass {
    fn eq(&self, other: &RubyClass) -> bool {
        let RubyClass { name, is_module, superclass, body, span: _ } = self;
        (name, is_module, superclass, body) == (&other.name, &other.is_module, &other.superclass, &other.body)
    }
}

impl RubyFile {
    /// The places of all that stands as a statement: what comments above it or behind it are about.
    pub fn statements(&self, visit: &mut dyn FnMut(Span)) {
        bodies(&self.body, visit);
    }
}

fn bodies(body: &[Ruby], visit: &mut dyn FnMut(Span)) {
    for node in body {
        visit(node.span);
        inner(node, visit);
    }
}

/// Statements inside a statement.
fn inner(node: &Ruby, visit: &mut dyn FnMut(Span)) {
    match &node.kind {
        RubyKind::Call(call) => {
            call.receiver.iter().chain(&call.arguments).for_each(|one| inner(one, visit));
            if let Some(block) = &call.block {
                bodies(&block.body, visit);
            }
        }
        RubyKind::Lambda(block) => bodies(&block.body, visit),
        RubyKind::Method(method) => bodies(&method.body, visit),
        RubyKind::Class(class) => bodies(&class.body, visit),
        RubyKind::If { then, otherwise, .. } => {
            bodies(then, visit);
            bodies(otherwise, visit);
        }
        RubyKind::Case { branches, otherwise, .. } => {
            branches.iter().for_each(|branch| bodies(&branch.body, visit));
            bodies(otherwise, visit);
        }
        RubyKind::While { body, .. } | RubyKind::For { body, .. } | RubyKind::Sequence(body) => bodies(body, visit),
        RubyKind::Begin(begin) => {
            bodies(&begin.body, visit);
            begin.rescues.iter().for_each(|(_, body)| bodies(body, visit));
            bodies(&begin.otherwise, visit);
            bodies(&begin.ensure, visit);
        }
        RubyKind::Assign { value, .. } | RubyKind::MultipleAssign { value, .. } => inner(value, visit),
        _ => {}
    }
}
