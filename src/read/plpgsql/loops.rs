//! LOOP, WHILE, FOR and FOREACH.

use super::{Broken, Read, Reader};
use crate::operation::{Expr, Ident, Loop, LoopOver, Node, Operation};
use crate::read::sql::lexer::Kind;

impl Reader<'_> {
    pub fn repetition(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let start = self.at;
        let (over, variables) = self.head(nodes)?;
        self.expect("loop")?;
        let mut body = Vec::new();
        let outcome = self.statements(&mut body).and_then(|()| self.end_of(&["end", "loop"]));
        let span = self.span(start, self.at.min(self.tokens.list.len()));
        nodes.push(Node::Loop(Loop { over, variables, body, span }));
        outcome
    }

    /// Up to LOOP, which is left.
    fn head(&mut self, nodes: &mut Vec<Node>) -> Read<(LoopOver, Vec<Ident>)> {
        if self.is("loop") {
            return Ok((LoopOver::Endless, Vec::new()));
        }
        if self.eat("while") {
            let end = self.expression_end(&["loop"])?;
            let condition = self.expr(self.at, end);
            self.at = end;
            return Ok((LoopOver::While(condition), Vec::new()));
        }
        let each = self.is("foreach");
        self.at += 1;
        let variables = self.loop_variables()?;
        if each {
            if self.eat("slice") {
                self.at += 1;
            }
            self.expect("in")?;
            self.expect("array")?;
            let end = self.expression_end(&["loop"])?;
            let array = self.expr(self.at, end);
            self.at = end;
            return Ok((LoopOver::Array(array), variables));
        }
        self.expect("in")?;
        let end = self.expression_end(&["loop"])?;
        let over = self.for_source(end, nodes);
        self.at = end;
        Ok((over, variables))
    }

    fn loop_variables(&mut self) -> Read<Vec<Ident>> {
        let mut variables = Vec::new();
        loop {
            let end = self.tokens.name_end(self.at);
            let Some(name) = self.tokens.name(self.at) else { return Err(self.expected("a loop's variable")) };
            variables.push(name.name);
            self.at = end;
            if !self.eat_kind(Kind::Comma) {
                return Ok(variables);
            }
        }
    }

    fn for_source(&mut self, end: usize, nodes: &mut Vec<Node>) -> LoopOver {
        let tokens = self.tokens;
        if tokens.is_word(self.at, "execute") {
            return self.dynamic_query(end, nodes);
        }
        let reverse = tokens.is_word(self.at, "reverse");
        let from = self.at + usize::from(reverse);
        if let Some(dots) = (from..end).find(|at| tokens.kind(*at) == Some(Kind::DotDot)) {
            let to_end = tokens.find(dots, end, &["by"]).unwrap_or(end);
            let (first, last) = (self.expr(from, dots), self.expr(dots + 1, to_end));
            let (from, to) = if reverse { (last, first) } else { (first, last) };
            return LoopOver::Range { from, to };
        }
        let cursor_end = tokens.name_end(self.at);
        if cursor_end > self.at
            && (cursor_end == end
                || tokens.kind(cursor_end) == Some(Kind::OpenParen) && tokens.closed(cursor_end) == end)
        {
            let query = tokens.ident(cursor_end - 1).and_then(|cursor| self.cursor_query(&cursor));
            return query.map_or(LoopOver::Unknown, |query| LoopOver::Query(Box::new(query)));
        }
        let mut read = Vec::new();
        self.sql(self.at, end, &mut read);
        self.source_of(read, nodes)
    }

    /// The one query among what was read, where it only reads; anything else runs before the loop.
    fn source_of(&mut self, mut read: Vec<Node>, nodes: &mut Vec<Node>) -> LoopOver {
        let reads_only = |node: &mut Node| match node {
            Node::Statement(statement) => {
                matches!(&statement.operation, Operation::Query(query) if query.writes().is_empty())
            }
            _ => false,
        };
        if read.len() == 1
            && let Some(Node::Statement(statement)) = read.pop_if(reads_only)
            && let Operation::Query(query) = statement.operation
        {
            return LoopOver::Query(query);
        }
        nodes.append(&mut read);
        LoopOver::Unknown
    }

    /// FOR … IN EXECUTE text [USING …].
    fn dynamic_query(&mut self, end: usize, nodes: &mut Vec<Node>) -> LoopOver {
        let mut read = Vec::new();
        self.dynamic(self.at + 1, end, &mut read);
        self.source_of(read, nodes)
    }

    /// GET DIAGNOSTICS a = ITEM, …: the variables take values that are known at run time only.
    pub fn diagnostics(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let end = self.statement_end();
        let Some(word) = self.tokens.find(self.at, end, &["diagnostics"]) else {
            return Err(Broken("GET without DIAGNOSTICS".to_owned()));
        };
        for (from, to) in self.tokens.split(word + 1, end) {
            self.unknown_value(from, from, to, nodes);
        }
        self.at = end + 1;
        Ok(())
    }

    /// An assignment of something unknown to the name at `target`.
    pub fn unknown_value(&mut self, target: usize, from: usize, to: usize, nodes: &mut Vec<Node>) {
        let Some(name) = self.tokens.name(target) else { return };
        let value = Expr::Other { text: self.tokens.slice(from, to).into(), parts: Vec::new() };
        nodes.push(Node::Assign { qualifier: name.schema, target: name.name, value, span: self.span(from, to) });
    }

    /// OPEN cursor [FOR query | FOR EXECUTE text].
    pub fn open(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let start = self.at;
        let end = self.statement_end();
        self.at = end + 1;
        match self.tokens.find(start, end, &["for"]) {
            Some(at) if self.tokens.is_word(at + 1, "execute") => self.dynamic(at + 2, end, nodes),
            Some(at) => self.sql(at + 1, end, nodes),
            None => {
                let query = self.tokens.ident(start + 1).and_then(|cursor| self.cursor_query(&cursor));
                if let Some(query) = query {
                    let span = self.span(start, end);
                    let operation = Operation::Query(Box::new(query));
                    nodes.push(Node::Statement(crate::operation::Statement { span, operation }));
                }
            }
        }
        Ok(())
    }

    /// FETCH … INTO targets.
    pub fn fetch(&mut self, nodes: &mut Vec<Node>) -> Read<()> {
        let start = self.at;
        let end = self.statement_end();
        self.at = end + 1;
        if let Some(into) = self.tokens.find(start, end, &["into"]) {
            for (from, _) in self.tokens.split(into + 1, end) {
                self.unknown_value(from, start, end, nodes);
            }
        }
        Ok(())
    }
}
