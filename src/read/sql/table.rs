//! CREATE TABLE in all its forms, and the bounds and keys of partitions.

use super::cursor::{Cursor, Read, Refused};
use super::lexer::Kind;
use crate::operation::{
    Bound, BoundValue, ColumnDefinition, ConstraintDefinition, CreateTable, CreateTableAs, Ident, Like, LikePart, Name,
    OnCommit, Operation, PartitionKey, PartitionOf, PartitionStrategy, Persistence, TableForm,
};

/// What stands between the parentheses of CREATE TABLE.
#[derive(Default)]
struct Elements {
    columns: Vec<ColumnDefinition>,
    constraints: Vec<ConstraintDefinition>,
    likes: Vec<Like>,
}

impl Cursor<'_> {
    /// After CREATE … TABLE.
    pub fn create_table(&mut self, persistence: Persistence, kind: TableForm) -> Read<Operation> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        if kind == TableForm::Table && self.is_table_as() {
            return self.create_table_as(name, if_not_exists, persistence);
        }
        let mut table = CreateTable {
            name,
            if_not_exists,
            persistence,
            kind,
            columns: Vec::new(),
            constraints: Vec::new(),
            likes: Vec::new(),
            inherits: Vec::new(),
            partition_of: None,
            partition_by: None,
            options: Vec::new(),
            tablespace: None,
            access_method: None,
            on_commit: None,
            of_type: None,
        };
        let mut elements = Elements::default();
        if self.eat("partition of") {
            let parent = self.name()?;
            if self.kind() == Some(Kind::OpenParen) {
                elements = self.elements(Cursor::typed_column)?;
            }
            table.partition_of = Some(PartitionOf { parent, bound: self.bound()? });
        } else if self.eat("of") {
            table.of_type = Some(self.name()?);
            if self.kind() == Some(Kind::OpenParen) {
                elements = self.elements(Cursor::typed_column)?;
            }
        } else {
            elements = self.elements(Cursor::column)?;
            if self.eat("inherits") {
                self.expect_kind(Kind::OpenParen, "(")?;
                table.inherits = self.names()?;
                self.expect_kind(Kind::CloseParen, ")")?;
            }
        }
        table.columns = elements.columns;
        table.constraints = elements.constraints;
        table.likes = elements.likes;
        if self.eat("partition by") {
            table.partition_by = Some(self.partition_key()?);
        }
        self.table_options(&mut table)?;
        Ok(Operation::CreateTable(Box::new(table)))
    }

    fn table_options(&mut self, table: &mut CreateTable) -> Read<()> {
        if table.kind == TableForm::Foreign {
            self.expect("server")?;
            self.ident()?;
            if self.eat("options") {
                self.parens()?;
            }
            return Ok(());
        }
        if self.eat("using") {
            table.access_method = Some(self.ident()?);
        }
        if self.eat("with") {
            table.options = self.parameters()?;
        } else {
            self.eat("without oids");
        }
        table.on_commit = self.on_commit()?;
        if self.eat("tablespace") {
            table.tablespace = Some(self.ident()?);
        }
        Ok(())
    }

    fn on_commit(&mut self) -> Read<Option<OnCommit>> {
        if !self.eat("on commit") {
            return Ok(None);
        }
        let forms = [
            ("preserve rows", OnCommit::PreserveRows),
            ("delete rows", OnCommit::DeleteRows),
            ("drop", OnCommit::Drop),
        ];
        let found = forms.into_iter().find(|(words, _)| self.eat(words));
        found.map(|(_, form)| Some(form)).ok_or_else(|| self.refuse("PRESERVE ROWS, DELETE ROWS or DROP"))
    }

    fn elements(&mut self, column: impl Fn(&mut Self) -> Read<ColumnDefinition>) -> Read<Elements> {
        let mut elements = Elements::default();
        self.expect_kind(Kind::OpenParen, "(")?;
        if self.eat_kind(Kind::CloseParen) {
            return Ok(elements);
        }
        loop {
            if self.eat("like") {
                elements.likes.push(self.like()?);
            } else if self.is_constraint() {
                elements.constraints.push(self.table_constraint()?);
            } else {
                elements.columns.push(column(self)?);
            }
            if self.eat_kind(Kind::CloseParen) {
                return Ok(elements);
            }
            self.expect_kind(Kind::Comma, ", or )")?;
        }
    }

    fn like(&mut self) -> Read<Like> {
        let table = self.name()?;
        let mut including = Vec::new();
        loop {
            let adds = self.eat("including");
            if !adds && !self.eat("excluding") {
                including.sort_unstable();
                including.dedup();
                return Ok(Like { table, including });
            }
            let parts = self.like_parts()?;
            if adds {
                including.extend(parts);
            } else {
                including.retain(|part| !parts.contains(part));
            }
        }
    }

    fn like_parts(&mut self) -> Read<Vec<LikePart>> {
        let parts = [
            ("comments", LikePart::Comments),
            ("compression", LikePart::Compression),
            ("constraints", LikePart::Constraints),
            ("defaults", LikePart::Defaults),
            ("generated", LikePart::Generated),
            ("identity", LikePart::Identity),
            ("indexes", LikePart::Indexes),
            ("statistics", LikePart::Statistics),
            ("storage", LikePart::Storage),
        ];
        if self.eat("all") {
            return Ok(LikePart::ALL.to_vec());
        }
        let found = parts.into_iter().find(|(word, _)| self.eat(word));
        found.map(|(_, part)| vec![part]).ok_or_else(|| self.refuse("what LIKE copies"))
    }

    /// `FOR VALUES … | DEFAULT`.
    pub fn bound(&mut self) -> Read<Bound> {
        if self.eat("default") {
            return Ok(Bound::Default);
        }
        self.expect("for values")?;
        if self.eat("in") {
            let inside = self.parens()?;
            let values = self.parts(inside).into_iter().map(|part| self.expression(part)).collect::<Read<Vec<_>>>()?;
            return Ok(Bound::List(values));
        }
        if self.eat("from") {
            let from = self.bound_values()?;
            self.expect("to")?;
            return Ok(Bound::Range { from, to: self.bound_values()? });
        }
        self.expect("with")?;
        self.expect_kind(Kind::OpenParen, "(")?;
        let (mut modulus, mut remainder) = (None, None);
        loop {
            if self.eat("modulus") {
                modulus = Some(self.unsigned()?);
            } else {
                self.expect("remainder")?;
                remainder = Some(self.unsigned()?);
            }
            if !self.eat_kind(Kind::Comma) {
                break;
            }
        }
        self.expect_kind(Kind::CloseParen, ")")?;
        match (modulus, remainder) {
            (Some(modulus), Some(remainder)) => Ok(Bound::Hash { modulus, remainder }),
            _ => Err(Refused::new("a hash partition needs MODULUS and REMAINDER".to_owned())),
        }
    }

    fn bound_values(&mut self) -> Read<Vec<BoundValue>> {
        let inside = self.parens()?;
        let values = self.parts(inside).into_iter().map(|part| {
            let word = self.inner(part.clone());
            Ok(match part.len() {
                1 if word.is("minvalue") => BoundValue::Minimum,
                1 if word.is("maxvalue") => BoundValue::Maximum,
                _ => BoundValue::Value(self.expression(part)?),
            })
        });
        values.collect()
    }

    /// After PARTITION BY.
    fn partition_key(&mut self) -> Read<PartitionKey> {
        let strategies =
            [("list", PartitionStrategy::List), ("range", PartitionStrategy::Range), ("hash", PartitionStrategy::Hash)];
        let found = strategies.into_iter().find(|(word, _)| self.eat(word));
        let Some((_, strategy)) = found else { return Err(self.refuse("RANGE, LIST or HASH")) };
        let inside = self.parens()?;
        // Collations and operator classes of a partition key are read over: nothing asks for them.
        let parts = self.parts(inside).into_iter().map(|part| {
            let mut inner = self.inner(part);
            let key = inner.index_part()?.key;
            inner.expect_end()?;
            Ok(key)
        });
        let parts = parts.collect::<Read<Vec<_>>>()?;
        Ok(PartitionKey { strategy, parts })
    }

    /// Whether AS follows the name, a bare list of names and the options.
    fn is_table_as(&self) -> bool {
        let mut ahead = *self;
        let bare_list =
            ahead.kind() == Some(Kind::OpenParen) && matches!(ahead.kind_at(2), Some(Kind::Comma | Kind::CloseParen));
        if bare_list && ahead.columns().is_err() {
            return false;
        }
        ahead.table_as_options().is_ok() && ahead.is("as")
    }

    fn table_as_options(&mut self) -> Read<Option<OnCommit>> {
        if self.eat("using") {
            self.ident()?;
        }
        if self.eat("with") {
            self.parameters()?;
        } else {
            self.eat("without oids");
        }
        let on_commit = self.on_commit()?;
        if self.eat("tablespace") {
            self.ident()?;
        }
        Ok(on_commit)
    }

    fn create_table_as(&mut self, name: Name, if_not_exists: bool, persistence: Persistence) -> Read<Operation> {
        let columns: Vec<Ident> = self.optional_columns()?;
        let on_commit = self.table_as_options()?;
        self.expect("as")?;
        let (places, with_data) = self.query_with_data();
        let query = self.query(places)?;
        Ok(Operation::CreateTableAs(Box::new(CreateTableAs {
            name,
            if_not_exists,
            persistence,
            columns,
            query,
            with_data,
            on_commit,
        })))
    }

    /// The places of a query up to the end, and whether WITH NO DATA does not follow it.
    pub fn query_with_data(&mut self) -> (std::ops::Range<usize>, bool) {
        let from = self.place();
        let end = self.end_place();
        self.go_to(end);
        for (words, count, with_data) in [("with no data", 3, false), ("with data", 2, true)] {
            if end >= from + count && self.inner(end - count..end).is(words) {
                return (from..end - count, with_data);
            }
        }
        (from..end, true)
    }
}
