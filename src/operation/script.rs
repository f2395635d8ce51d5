//! Scripts: trees of statements, as a file, a DO block or a function's body has them.
//!
//! `history` expands a script against the schema at its point; nothing is decided here.

use std::sync::Arc;

use super::{Expr, Expression, Ident, Operation, Query, RubyScript};
use crate::source::Span;

/// What a migration's up or down does, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    pub nodes: Vec<Node>,
}

/// One part of a script or of a PL/pgSQL body.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Statement(Statement),
    /// IF … ELSIF … ELSE, CASE.
    Guard {
        branches: Vec<Branch>,
        otherwise: Vec<Node>,
    },
    Loop(Loop),
    /// BEGIN … EXCEPTION … END: a subtransaction where it has handlers.
    Block {
        body: Vec<Node>,
        handlers: Vec<Handler>,
    },
    /// EXECUTE of a text made at run time; a literal text is read in place as a statement instead.
    Dynamic {
        sql: Expr,
        using: Vec<Expr>,
        into: bool,
        span: Span,
    },
    /// `target := value`; `qualifier.target` for a record's field (`NEW.x := …`).
    Assign {
        qualifier: Option<Ident>,
        target: Ident,
        value: Expr,
        span: Span,
    },
    /// RETURN, with its value where it has one.
    Return {
        value: Option<Expr>,
        span: Span,
    },
    /// RAISE: whether it ends the statement (EXCEPTION, or no level).
    Raise {
        fails: bool,
        span: Span,
    },
    /// EXIT and CONTINUE.
    Leave {
        span: Span,
    },
    /// A migration in Ruby, worked out when it is met.
    Ruby(Arc<RubyScript>),
}

/// `IF condition THEN body`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub condition: Expression,
    pub body: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    pub over: LoopOver,
    /// The loop's variables: one, or one per column.
    pub variables: Vec<Ident>,
    pub body: Vec<Node>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LoopOver {
    /// FOR … IN query.
    Query(Box<Query>),
    /// FOR i IN from..to.
    Range {
        from: Expr,
        to: Expr,
    },
    /// FOREACH … IN ARRAY value.
    Array(Expr),
    While(Expr),
    /// LOOP … END LOOP; the exit stands in the body.
    Endless,
    /// FOR … IN EXECUTE and what else cannot be known.
    Unknown,
}

/// `WHEN conditions THEN body` of EXCEPTION: condition names or SQLSTATEs, lower case.
#[derive(Debug, Clone, PartialEq)]
pub struct Handler {
    pub conditions: Vec<Arc<str>>,
    pub body: Vec<Node>,
}

/// One SQL statement at its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub span: Span,
    pub operation: Operation,
}

/// A comment with its markers: `-- …`, `/* … */`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub span: Span,
    pub text: Arc<str>,
}

/// Where a step comes from: the call site, and the frames between it and the statement.
/// Findings, allows and fingerprints use the call site.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    pub span: Span,
    pub frames: Arc<[Frame]>,
}

impl Origin {
    pub fn at(span: Span) -> Origin {
        Origin { span, frames: Arc::new([]) }
    }
}

/// One level between a call site and what it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub kind: FrameKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FrameKind {
    DoBlock,
    /// With the variable's value in this round, where it is known.
    Loop(Option<Arc<str>>),
    /// A branch whose condition could not be decided.
    Undecided,
    /// SQL made by EXECUTE format(…).
    Dynamic,
    /// A function called by the migration.
    Function(Arc<str>),
    /// A method of the migration's own file.
    Method(Arc<str>),
    /// What a vocabulary says that a call does.
    Helper(Arc<str>),
}

impl Node {
    /// Calls `visit` on the places of whole statements, as they stand in the file.
    pub fn places(&self, visit: &mut dyn FnMut(Span)) {
        match self {
            Node::Statement(statement) => visit(statement.span),
            Node::Ruby(script) => script.file.statements(visit),
            _ => {}
        }
    }

    /// Calls `visit` on every statement in this node, in order, all branches included.
    pub fn statements<'a>(&'a self, visit: &mut dyn FnMut(&'a Statement)) {
        match self {
            Node::Statement(statement) => visit(statement),
            Node::Guard { branches, otherwise } => {
                let bodies = branches.iter().flat_map(|branch| &branch.body);
                bodies.chain(otherwise).for_each(|node| node.statements(visit));
            }
            Node::Loop(body) => body.body.iter().for_each(|node| node.statements(visit)),
            Node::Block { body, handlers } => {
                let handled = handlers.iter().flat_map(|handler| &handler.body);
                body.iter().chain(handled).for_each(|node| node.statements(visit));
            }
            Node::Dynamic { .. }
            | Node::Assign { .. }
            | Node::Return { .. }
            | Node::Raise { .. }
            | Node::Leave { .. }
            | Node::Ruby(_) => {}
        }
    }
}
