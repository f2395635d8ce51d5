//! TRUNCATE, LOCK, CLUSTER, VACUUM, ANALYZE, COPY, EXPLAIN.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use super::statement;
use crate::operation::{
    Analyze, Cluster, LockMode, LockTable, Name, Operation, Query, TableRef, Truncate, Vacuum, Write, WriteKind,
};

impl Cursor<'_> {
    fn table_refs(&mut self) -> Read<Vec<TableRef>> {
        self.list(|cursor| {
            let only = cursor.eat("only");
            let wrapped = only && cursor.eat_kind(Kind::OpenParen);
            let name = cursor.name()?;
            if wrapped {
                cursor.expect_kind(Kind::CloseParen, ")")?;
            }
            cursor.eat_sign("*");
            Ok(TableRef { name, only })
        })
    }

    pub fn truncate(&mut self) -> Read<Operation> {
        self.expect("truncate")?;
        self.eat("table");
        let tables = self.table_refs()?;
        let restart_identity = self.eat("restart identity");
        if !restart_identity {
            self.eat("continue identity");
        }
        let cascade = self.cascade();
        Ok(Operation::Truncate(Truncate { tables, cascade, restart_identity }))
    }

    pub fn lock(&mut self) -> Read<Operation> {
        self.expect("lock")?;
        self.eat("table");
        let tables = self.table_refs()?;
        let mut mode = LockMode::AccessExclusive;
        if self.eat("in") {
            let modes = [
                ("access share mode", LockMode::AccessShare),
                ("row share mode", LockMode::RowShare),
                ("row exclusive mode", LockMode::RowExclusive),
                ("share update exclusive mode", LockMode::ShareUpdateExclusive),
                ("share row exclusive mode", LockMode::ShareRowExclusive),
                ("share mode", LockMode::Share),
                ("exclusive mode", LockMode::Exclusive),
                ("access exclusive mode", LockMode::AccessExclusive),
            ];
            let found = modes.into_iter().find(|(words, _)| self.eat(words));
            mode = found.map(|(_, mode)| mode).ok_or_else(|| self.refuse("a lock mode"))?;
        }
        let nowait = self.eat("nowait");
        Ok(Operation::Lock(LockTable { tables, mode, nowait }))
    }

    /// `CLUSTER [(options)] [VERBOSE] [table [USING index]]`, or the old `index ON table`.
    pub fn cluster(&mut self) -> Read<Operation> {
        self.expect("cluster")?;
        if self.kind() == Some(Kind::OpenParen) {
            self.parens()?;
        }
        self.eat("verbose");
        if self.is_done() {
            return Ok(Operation::Cluster(Cluster { table: None, index: None }));
        }
        let first = self.name()?;
        if self.eat("on") {
            let table = Some(self.name()?);
            return Ok(Operation::Cluster(Cluster { table, index: Some(first.name) }));
        }
        let index = if self.eat("using") { Some(self.ident()?) } else { None };
        Ok(Operation::Cluster(Cluster { table: Some(first), index }))
    }

    pub fn vacuum(&mut self) -> Read<Operation> {
        self.expect("vacuum")?;
        let mut full = false;
        if self.kind() == Some(Kind::OpenParen) {
            full = self.parameters_of_words()?.iter().any(|(name, on)| *on && name == "full");
        } else {
            full |= self.eat("full");
            self.eat("freeze");
            self.eat("verbose");
            self.eat_any(&["analyze", "analyse"]);
        }
        let tables = self.vacuumed()?;
        Ok(Operation::Vacuum(Vacuum { full, tables }))
    }

    pub fn analyze(&mut self) -> Read<Operation> {
        self.skip(1);
        if self.kind() == Some(Kind::OpenParen) {
            self.parens()?;
        } else {
            self.eat("verbose");
        }
        Ok(Operation::Analyze(Analyze { tables: self.vacuumed()? }))
    }

    /// `[table [(columns)], …]`.
    fn vacuumed(&mut self) -> Read<Vec<Name>> {
        if self.is_done() {
            return Ok(Vec::new());
        }
        self.list(|cursor| {
            cursor.eat("only");
            let name = cursor.name()?;
            cursor.eat_sign("*");
            cursor.optional_columns()?;
            Ok(name)
        })
    }

    /// `COPY table [(columns)] FROM …` writes, `COPY … TO …` reads.
    pub fn copy(&mut self) -> Read<Operation> {
        self.expect("copy")?;
        self.eat("binary");
        if self.kind() == Some(Kind::OpenParen) {
            let places = self.parens()?;
            self.expect("to")?;
            self.go_to(self.end_place());
            let inner = self.inner(places);
            return statement::rows(inner);
        }
        let table = self.name()?;
        let columns = self.optional_columns()?;
        if self.eat("to") {
            self.go_to(self.end_place());
            let query = Query { from: vec![Cursor::from_item(table, false)], ..Query::default() };
            return Ok(Operation::Query(Box::new(query)));
        }
        self.expect("from")?;
        let program = self.eat("program");
        if program || self.is_string() {
            self.string()?;
        } else if !self.eat_any(&["stdin", "stdout"]) {
            return Err(self.refuse("a file or STDIN"));
        }
        let mut write = Write::new(WriteKind::Copy, table);
        write.columns = columns;
        self.until_where();
        if self.eat("where") {
            let places = self.until(|_| false);
            write.filter = Some(self.expression(places)?.tree);
        }
        Ok(Operation::Write(Box::new(write)))
    }

    /// COPY's options, in parentheses or as bare words, end at WHERE.
    fn until_where(&mut self) {
        loop {
            self.until(|cursor| cursor.is("where"));
            if !self.eat_kind(Kind::Comma) {
                return;
            }
        }
    }

    /// EXPLAIN runs its statement only with ANALYZE.
    pub fn explain(&mut self) -> Read<Operation> {
        self.expect("explain")?;
        let mut runs = false;
        if self.kind() == Some(Kind::OpenParen) && !self.opens_a_query() {
            runs = self.parameters_of_words()?.iter().any(|(name, on)| *on && (name == "analyze" || name == "analyse"));
        } else {
            runs |= self.eat_any(&["analyze", "analyse"]);
            self.eat("verbose");
        }
        if !runs {
            return Ok(self.opaque("EXPLAIN", false));
        }
        if self.is("explain") {
            return Err(self.refuse("a statement"));
        }
        let inner = self.inner(self.place()..self.end_place());
        self.go_to(self.end_place());
        statement::operation(inner)
    }

    fn opens_a_query(&self) -> bool {
        ["select", "with", "values", "table"].iter().any(|word| self.is_at(1, word))
            || self.kind_at(1) == Some(Kind::OpenParen)
    }
}
