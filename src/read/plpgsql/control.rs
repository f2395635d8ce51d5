//! Branches, RETURN, RAISE, ASSERT and assignments.

use super::{Read, Reader};
use crate::operation::{Branch, Constant, Expr, Expression, Ident, Node, Operation, Output, Query, Statement};
use crate::read::sql::expression;
use crate::read::sql::lexer::Kind;

impl Reader<'_> {
    /// IF … ELSIF … ELSE … END IF.
    pub fn conditional(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let outcome = self.conditional_parts(&mut branches, &mut otherwise);
        nodes.push(Node::Guard { branches, otherwise });
        outcome
    }

    fn conditional_parts(&mut self, branches: &mut Vec<Branch>, otherwise: &mut Vec<Node>) -> Read<()> {
        while self.eat("if") || self.eat("elsif") || self.eat("elseif") {
            let end = self.expression_end(&["then"])?;
            let condition = self.condition(self.at, end);
            self.at = end + 1;
            self.branch(condition, branches)?;
        }
        if self.eat("else") {
            self.statements(otherwise)?;
        }
        self.end_of(&["end", "if"])
    }

    fn condition(&self, from: usize, to: usize) -> Expression {
        expression::expression(self.piece, self.tokens.range(from, to))
    }

    fn branch(&mut self, condition: Expression, branches: &mut Vec<Branch>) -> Read<()> {
        let mut body = Vec::new();
        let outcome = self.statements(&mut body);
        branches.push(Branch { condition, body });
        outcome
    }

    /// CASE [value] WHEN … THEN … [ELSE …] END CASE.
    pub fn case(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let outcome = self.case_parts(&mut branches, &mut otherwise);
        nodes.push(Node::Guard { branches, otherwise });
        outcome
    }

    fn case_parts(&mut self, branches: &mut Vec<Branch>, otherwise: &mut Vec<Node>) -> Read<()> {
        self.at += 1;
        let value_end = self.expression_end(&["when"])?;
        let value = (value_end > self.at).then(|| self.tokens.slice(self.at, value_end));
        self.at = value_end;
        while self.eat("when") {
            let end = self.expression_end(&["then"])?;
            let mut condition = self.condition(self.at, end);
            if let Some(value) = value {
                condition.tree = self.equals_one(value, end);
            }
            self.at = end + 1;
            self.branch(condition, branches)?;
        }
        if self.eat("else") {
            self.statements(otherwise)?;
        }
        self.end_of(&["end", "case"])
    }

    /// `CASE value WHEN a, b`: the value is one of these.
    fn equals_one(&self, value: &str, end: usize) -> Expr {
        let list: Vec<Expr> =
            self.tokens.split(self.at, end).into_iter().map(|(from, to)| self.expr(from, to)).collect();
        // A long value is not read again for every branch.
        let value = if value.len() <= 200 {
            expression::tree(value)
        } else {
            Expr::Other { text: crate::operation::cut(value, 200).into(), parts: Vec::new() }
        };
        Expr::In { value: Box::new(value), list }
    }

    /// EXIT and CONTINUE, perhaps WHEN.
    pub fn leave(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        let leave = Node::Leave { span: self.span(self.at, end) };
        nodes.push(match self.tokens.find(self.at, end, &["when"]) {
            Some(when) => {
                let branch = Branch { condition: self.condition(when + 1, end), body: vec![leave] };
                Node::Guard { branches: vec![branch], otherwise: Vec::new() }
            }
            None => leave,
        });
        self.at = end + 1;
        Ok(())
    }

    pub fn returned(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let start = self.at;
        let end = self.statement_end();
        self.at = end + 1;
        if self.tokens.are_words(start + 1, &["query", "execute"]) {
            self.dynamic(start + 3, end, nodes);
        } else if self.tokens.is_word(start + 1, "query") {
            self.sql(start + 2, end, nodes);
        } else if self.tokens.is_word(start + 1, "next") {
            if start + 2 < end {
                let value = self.expr(start + 2, end);
                let query = Query { outputs: vec![Output::Value { value, alias: None }], ..Query::default() };
                let span = self.span(start, end);
                nodes.push(Node::Statement(Statement { span, operation: Operation::Query(Box::new(query)) }));
            }
        } else {
            let value = (start + 1 < end).then(|| self.expr(start + 1, end));
            nodes.push(Node::Return { value, span: self.span(start, end) });
        }
        Ok(())
    }

    pub fn raised(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        const LEVELS: &[&str] = &["debug", "log", "info", "notice", "warning"];
        let end = self.statement_end();
        let fails = !self.tokens.is_any(self.at + 1, LEVELS);
        nodes.push(Node::Raise { fails, span: self.span(self.at, end) });
        self.at = end + 1;
        Ok(())
    }

    /// ASSERT condition [, message]: fails where the condition is not true.
    pub fn assertion(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        let condition_end = self.tokens.split(self.at + 1, end).first().map_or(end, |(_, to)| *to);
        let holds = self.condition(self.at + 1, condition_end);
        let truth = Box::new(Expr::Constant(Constant::Bool(true)));
        let condition = Expression { tree: Expr::Distinct(Box::new(holds.tree.clone()), truth), ..holds };
        let body = vec![Node::Raise { fails: true, span: self.span(self.at, end) }];
        nodes.push(Node::Guard { branches: vec![Branch { condition, body }], otherwise: Vec::new() });
        self.at = end + 1;
        Ok(())
    }

    /// Behind the target of an assignment: its operator.
    fn assignment_operator(&self) -> Option<usize> {
        let mut at = self.tokens.name_end(self.at);
        if at == self.at && self.tokens.kind(at) != Some(Kind::Parameter) {
            return None;
        }
        at = at.max(self.at + 1);
        loop {
            match self.tokens.kind(at) {
                Some(Kind::OpenBracket) => at = self.tokens.closed(at),
                Some(Kind::Dot) => at += 2,
                Some(Kind::Assign) => return Some(at),
                Some(Kind::Operator) if self.tokens.is_operator(at, "=") => return Some(at),
                _ => return None,
            }
        }
    }

    pub fn assigns(&self) -> bool {
        self.assignment_operator().is_some()
    }

    /// `target := value`.
    pub fn assignment(&mut self, nodes: &mut Vec<Node>) {
        let Some(operator) = self.assignment_operator() else { return };
        let end = self.statement_end();
        let value = self.expr(operator + 1, end);
        let name_end = self.tokens.name_end(self.at);
        let first = self.tokens.ident(self.at).unwrap_or_else(|| Ident::new(self.tokens.slice(self.at, self.at + 1)));
        let second = if name_end >= self.at + 3 { self.tokens.ident(self.at + 2) } else { None };
        let (qualifier, target) = match second {
            Some(second) => (Some(first), second),
            None => (None, first),
        };
        let whole = name_end.max(self.at + 1) == operator && name_end <= self.at + 3;
        let value = if whole {
            value
        } else {
            Expr::Other { text: self.tokens.slice(self.at, end).into(), parts: vec![value] }
        };
        nodes.push(Node::Assign { qualifier, target, value, span: self.span(self.at, end) });
        self.at = end + 1;
    }
}
