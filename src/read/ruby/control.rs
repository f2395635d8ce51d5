//! Branches, loops, handlers, and what leaves them.

use ruby_prism::{ArgumentsNode, BeginNode, ElseNode, Node};

use super::Lower;
use crate::operation::{Ruby, RubyBegin, RubyKind, RubyTarget, RubyWhen};

impl Lower<'_> {
    pub(super) fn control(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        self.branch(node).or_else(|| self.repeated(node)).or_else(|| self.left(node)).or_else(|| self.grouped(node))
    }

    fn branch(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(condition) = node.as_if_node() {
            return Some(RubyKind::If {
                condition: self.boxed(&condition.predicate()),
                then: self.statements(condition.statements()),
                otherwise: condition.subsequent().map_or_else(Vec::new, |rest| self.rest(&rest)),
            });
        }
        if let Some(condition) = node.as_unless_node() {
            return Some(RubyKind::If {
                condition: self.boxed(&condition.predicate()),
                then: self.otherwise(condition.else_clause()),
                otherwise: self.statements(condition.statements()),
            });
        }
        if let Some(case) = node.as_case_node() {
            let mut branches = Vec::new();
            for when in case.conditions().iter() {
                let Some(when) = when.as_when_node() else { continue };
                let values = self.nodes(&when.conditions());
                branches.push(RubyWhen { values, body: self.statements(when.statements()) });
            }
            return Some(RubyKind::Case {
                subject: case.predicate().map(|subject| self.boxed(&subject)),
                branches,
                otherwise: self.otherwise(case.else_clause()),
            });
        }
        if let Some(both) = node.as_and_node() {
            return Some(RubyKind::And(self.boxed(&both.left()), self.boxed(&both.right())));
        }
        if let Some(either) = node.as_or_node() {
            return Some(RubyKind::Or(self.boxed(&either.left()), self.boxed(&either.right())));
        }
        None
    }

    /// `else` or `elsif`.
    fn rest(&mut self, node: &Node<'_>) -> Vec<Ruby> {
        match node.as_else_node() {
            Some(otherwise) => self.statements(otherwise.statements()),
            None => vec![self.node(node)],
        }
    }

    fn otherwise(&mut self, clause: Option<ElseNode<'_>>) -> Vec<Ruby> {
        clause.map_or_else(Vec::new, |clause| self.statements(clause.statements()))
    }

    fn repeated(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(repeat) = node.as_while_node() {
            let condition = self.boxed(&repeat.predicate());
            return Some(RubyKind::While { condition, body: self.statements(repeat.statements()) });
        }
        if let Some(repeat) = node.as_until_node() {
            let predicate = self.boxed(&repeat.predicate());
            let condition = Box::new(Ruby { span: predicate.span, kind: RubyKind::Not(predicate) });
            return Some(RubyKind::While { condition, body: self.statements(repeat.statements()) });
        }
        let repeat = node.as_for_node()?;
        let variables = match self.target(&repeat.index()) {
            RubyTarget::Nested(many) => many,
            one => vec![one],
        };
        let over = self.boxed(&repeat.collection());
        Some(RubyKind::For { variables, over, body: self.statements(repeat.statements()) })
    }

    fn left(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(left) = node.as_return_node() {
            return Some(RubyKind::Return(self.given(left.arguments())));
        }
        if let Some(left) = node.as_next_node() {
            return Some(RubyKind::Next(self.given(left.arguments())));
        }
        if let Some(asked) = node.as_defined_node() {
            return Some(RubyKind::Defined(self.boxed(&asked.value())));
        }
        let left = node.as_break_node()?;
        Some(RubyKind::Break(self.given(left.arguments())))
    }

    /// `return a, b` gives an array.
    fn given(&mut self, arguments: Option<ArgumentsNode<'_>>) -> Option<Box<Ruby>> {
        let arguments = arguments?;
        let span = self.place(&arguments.as_node().location());
        let mut list = self.arguments(Some(arguments)).into_list(span);
        match list.len() {
            0 | 1 => list.pop().map(Box::new),
            _ => Some(Box::new(Ruby { span, kind: RubyKind::Array(list) })),
        }
    }

    fn grouped(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(group) = node.as_parentheses_node() {
            let mut body = self.body(group.body());
            return Some(match body.len() {
                1 => body.pop()?.kind,
                _ => RubyKind::Sequence(body),
            });
        }
        if let Some(statements) = node.as_statements_node() {
            return Some(RubyKind::Sequence(self.body_of(&statements.body())));
        }
        if let Some(begin) = node.as_begin_node() {
            return Some(self.begin(&begin));
        }
        let guarded = node.as_rescue_modifier_node()?;
        let rescue = self.node(&guarded.rescue_expression());
        Some(RubyKind::Begin(Box::new(RubyBegin {
            body: vec![self.node(&guarded.expression())],
            rescues: vec![(Vec::new(), vec![rescue])],
            otherwise: Vec::new(),
            ensure: Vec::new(),
        })))
    }

    fn begin(&mut self, begin: &BeginNode<'_>) -> RubyKind {
        let body = self.statements(begin.statements());
        let mut rescues = Vec::new();
        let mut clause = begin.rescue_clause();
        while let Some(rescue) = clause {
            rescues.push((self.nodes(&rescue.exceptions()), self.statements(rescue.statements())));
            clause = rescue.subsequent();
        }
        let otherwise = self.otherwise(begin.else_clause());
        let ensure = begin.ensure_clause().map_or_else(Vec::new, |ensure| self.statements(ensure.statements()));
        if rescues.is_empty() && otherwise.is_empty() && ensure.is_empty() {
            return RubyKind::Sequence(body);
        }
        RubyKind::Begin(Box::new(RubyBegin { body, rescues, otherwise, ensure }))
    }

    /// The statements of a method, class or block; with handlers they are one.
    pub(super) fn body(&mut self, body: Option<Node<'_>>) -> Vec<Ruby> {
        let Some(body) = body else { return Vec::new() };
        match body.as_statements_node() {
            Some(statements) => self.body_of(&statements.body()),
            None => vec![self.node(&body)],
        }
    }
}
