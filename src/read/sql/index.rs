//! CREATE INDEX, ALTER INDEX, REINDEX, CREATE STATISTICS.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{
    AlterIndex, CreateIndex, CreateStatistics, FromItem, FromSource, Ident, IndexAction, IndexPart, KeyPart, Name,
    Operation, Reindex, ReindexTarget,
};

impl Cursor<'_> {
    /// After CREATE [UNIQUE] INDEX.
    pub fn create_index(&mut self, unique: bool) -> Read<Operation> {
        let concurrently = self.eat("concurrently");
        let if_not_exists = self.if_not_exists();
        let name = if self.is("on") { None } else { Some(self.index_name()?) };
        self.expect("on")?;
        let only = self.eat("only");
        let table = self.name()?;
        let method = if self.eat("using") { self.ident()? } else { Ident::new("btree") };
        let inside = self.parens()?;
        let parts = self.index_parts(inside)?;
        let include = if self.eat("include") { self.include()? } else { Vec::new() };
        let nulls_not_distinct = self.nulls_not_distinct();
        let options = if self.eat("with") { self.parameters()? } else { Vec::new() };
        let tablespace = if self.eat("tablespace") { Some(self.ident()?) } else { None };
        let filter = if self.eat("where") {
            let places = self.until(|_| false);
            Some(self.expression(places)?)
        } else {
            None
        };
        Ok(Operation::CreateIndex(Box::new(CreateIndex {
            name,
            table,
            only,
            unique,
            concurrently,
            if_not_exists,
            method,
            parts,
            include,
            nulls_not_distinct,
            filter,
            options,
            tablespace,
        })))
    }

    /// An index is made in its table's schema: its own name has none.
    fn index_name(&mut self) -> Read<Ident> {
        self.ident()
    }

    fn index_parts(&self, inside: std::ops::Range<usize>) -> Read<Vec<IndexPart>> {
        let parts = self.parts(inside);
        if parts.is_empty() {
            return Err(self.refuse("a column"));
        }
        let parts = parts.into_iter().map(|part| {
            let mut inner = self.inner(part);
            let part = inner.index_part()?;
            inner.expect_end()?;
            Ok(part)
        });
        parts.collect()
    }

    fn include(&mut self) -> Read<Vec<Ident>> {
        self.columns()
    }

    /// `column | call | (expression)` with collation, operator class and order.
    pub fn index_part(&mut self) -> Read<IndexPart> {
        let key = self.index_key()?;
        let collation = if self.eat("collate") { Some(self.name()?) } else { None };
        let operator_class = if self.begins_operator_class() { Some(self.name()?) } else { None };
        let mut class_options = None;
        if operator_class.is_some() && self.kind() == Some(Kind::OpenParen) {
            let inside = self.parens()?;
            class_options = Some(self.written(inside).into());
        }
        let descending = self.eat("desc");
        if !descending {
            self.eat("asc");
        }
        let nulls_first = if self.eat("nulls first") {
            Some(true)
        } else if self.eat("nulls last") {
            Some(false)
        } else {
            None
        };
        Ok(IndexPart { key, collation, operator_class, class_options, descending, nulls_first })
    }

    fn begins_operator_class(&self) -> bool {
        self.is_ident() && !self.is_any(&["nulls first", "nulls last", "with"])
    }

    fn index_key(&mut self) -> Read<KeyPart> {
        self.key_part()
    }

    /// After ALTER INDEX, where the forms of tables have been tried.
    pub fn alter_index(&mut self, index: Name, if_exists: bool) -> Read<Operation> {
        let action = if self.eat("attach partition") {
            IndexAction::AttachPartition(self.name()?)
        } else if self.eat("set tablespace") {
            let tablespace = self.ident()?;
            self.eat("nowait");
            IndexAction::SetTablespace(tablespace)
        } else if self.is("set") && self.kind_at(1) == Some(Kind::OpenParen) {
            self.skip(1);
            IndexAction::SetOptions(self.parameters()?)
        } else if self.is("reset") && self.kind_at(1) == Some(Kind::OpenParen) {
            self.skip(1);
            IndexAction::ResetOptions(self.parameters()?)
        } else if self.eat("alter") {
            self.eat("column");
            self.number()?;
            self.expect("set statistics")?;
            self.number()?;
            IndexAction::SetStatistics
        } else {
            self.eat("no");
            self.expect("depends on extension")?;
            self.ident()?;
            IndexAction::Other
        };
        Ok(Operation::AlterIndex(AlterIndex { index, if_exists, action }))
    }

    /// `REINDEX [(options)] {INDEX | TABLE | SCHEMA | DATABASE | SYSTEM} [CONCURRENTLY] [name]`.
    pub fn reindex(&mut self) -> Read<Operation> {
        self.expect("reindex")?;
        let mut concurrently = false;
        if self.kind() == Some(Kind::OpenParen) {
            let options = self.parameters_of_words()?;
            concurrently = options.iter().any(|(name, on)| *on && name == "concurrently");
        }
        let Some(kind) = ["index", "table", "schema", "database", "system"].into_iter().find(|kind| self.eat(kind))
        else {
            return Err(self.refuse("INDEX, TABLE, SCHEMA, DATABASE or SYSTEM"));
        };
        concurrently |= self.eat("concurrently");
        let target = match kind {
            "index" => ReindexTarget::Index(self.name()?),
            "table" => ReindexTarget::Table(self.name()?),
            "schema" => ReindexTarget::Schema(self.ident()?),
            _ => {
                if self.is_ident() {
                    self.ident()?;
                }
                if kind == "database" { ReindexTarget::Database } else { ReindexTarget::System }
            }
        };
        Ok(Operation::Reindex(Reindex { target, concurrently }))
    }

    /// `(NAME [value], …)` of VACUUM, ANALYZE, EXPLAIN, REINDEX, CLUSTER: which are on.
    pub fn parameters_of_words(&mut self) -> Read<Vec<(String, bool)>> {
        let inside = self.parens()?;
        let words = self.parts(inside).into_iter().map(|part| {
            let mut inner = self.inner(part);
            let name = inner.label()?.as_str().to_owned();
            let value = inner.word_at(0).trim_matches('\'').to_ascii_lowercase();
            Ok((name, !matches!(value.as_str(), "off" | "false" | "0")))
        });
        words.collect()
    }

    /// `CREATE STATISTICS [IF NOT EXISTS] [name] [(kinds)] ON columns FROM table`.
    pub fn create_statistics(&mut self) -> Read<Operation> {
        let if_not_exists = self.if_not_exists();
        let name = if self.is_ident() { Some(self.name()?) } else { None };
        if self.kind() == Some(Kind::OpenParen) {
            self.columns()?;
        }
        self.expect("on")?;
        loop {
            self.key_part()?;
            if !self.eat_kind(Kind::Comma) {
                break;
            }
        }
        self.expect("from")?;
        let table = self.name()?;
        Ok(Operation::CreateStatistics(CreateStatistics { name, if_not_exists, table }))
    }

    /// A relation as the only item of FROM.
    pub fn from_item(name: Name, only: bool) -> FromItem {
        FromItem {
            source: FromSource::Relation { name, only },
            alias: None,
            join: crate::operation::Join::None,
            on: None,
        }
    }
}
