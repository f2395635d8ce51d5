//! Views and materialized views.

use std::sync::Arc;

use super::cursor::{Cursor, Read};
use crate::operation::{CreateView, Ident, Operation, Query, RefreshView};
use crate::source::PieceBuilder;

impl Cursor<'_> {
    /// After CREATE … [RECURSIVE] VIEW.
    pub fn create_view(&mut self, or_replace: bool, temporary: bool, recursive: bool) -> Read<Operation> {
        let name = self.name()?;
        let columns = self.optional_columns()?;
        if self.eat("with") {
            self.parameters()?;
        }
        self.expect("as")?;
        let places = self.checked_query();
        let text = self.written(places.clone()).into();
        let query = match recursive {
            true => Arc::new(self.recursive(&name.name, &columns, places)?),
            false => self.query_again(places)?,
        };
        Ok(Operation::CreateView(Box::new(CreateView {
            name,
            materialized: false,
            or_replace,
            if_not_exists: false,
            temporary,
            columns,
            query,
            text,
            with_data: true,
        })))
    }

    /// The places of the query; WITH … CHECK OPTION behind it is passed over.
    fn checked_query(&mut self) -> std::ops::Range<usize> {
        let from = self.place();
        let end = self.end_place();
        self.go_to(end);
        let forms = [("with check option", 3), ("with cascaded check option", 4), ("with local check option", 4)];
        let found =
            forms.into_iter().find(|(words, count)| end >= from + count && self.inner(end - count..end).is(words));
        from..end - found.map_or(0, |(_, count)| count)
    }

    /// CREATE RECURSIVE VIEW is a view over WITH RECURSIVE of its own name (manual, CREATE VIEW).
    fn recursive(&self, name: &Ident, columns: &[Ident], places: std::ops::Range<usize>) -> Read<Query> {
        let bytes = self.bytes(places);
        let at = self.piece.span(bytes.clone()).start;
        let columns: Vec<String> = columns.iter().map(Ident::to_string).collect();
        let head = format!("WITH RECURSIVE {name} ({}) AS (", columns.join(", "));
        let mut builder = PieceBuilder::new(self.piece.source());
        builder.substitute(&head, at);
        builder.copy(self.piece, bytes);
        builder.substitute(&format!(") SELECT {} FROM {name}", columns.join(", ")), at);
        let piece = builder.finish();
        let whole = 0..piece.text().len();
        super::expression::query(&piece, whole)
    }

    /// After CREATE [UNLOGGED] MATERIALIZED VIEW.
    pub fn create_materialized_view(&mut self) -> Read<Operation> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let columns = self.optional_columns()?;
        if self.eat("using") {
            self.ident()?;
        }
        if self.eat("with") {
            self.parameters()?;
        }
        if self.eat("tablespace") {
            self.ident()?;
        }
        self.expect("as")?;
        let (places, with_data) = self.query_with_data();
        let text = self.written(places.clone()).into();
        let query = self.query_again(places)?;
        Ok(Operation::CreateView(Box::new(CreateView {
            name,
            materialized: true,
            or_replace: false,
            if_not_exists,
            temporary: false,
            columns,
            query,
            text,
            with_data,
        })))
    }

    pub fn refresh(&mut self) -> Read<Operation> {
        self.expect("refresh materialized view")?;
        let concurrently = self.eat("concurrently");
        let view = self.name()?;
        let with_data = !self.eat("with no data");
        if with_data {
            self.eat("with data");
        }
        Ok(Operation::RefreshView(RefreshView { view, concurrently, with_data }))
    }
}
