//! Column definitions: type, default, NOT NULL, identity, generation, inline constraints.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use super::types::serial;
use crate::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, Expression, Generated, Ident, Identity, Key, NotNull,
    TypeName,
};

/// What can follow a DEFAULT's expression, which is a `b_expr`: these words end it at its own level.
const AFTER_DEFAULT: &[&str] = &[
    "constraint",
    "check",
    "unique",
    "primary key",
    "references",
    "collate",
    "deferrable",
    "initially",
    "generated",
    "default",
    "enforced",
];

impl Cursor<'_> {
    /// `name type …`.
    pub fn column(&mut self) -> Read<ColumnDefinition> {
        let from = self.place();
        let name = self.ident()?;
        let written = self.type_name()?;
        let mut column = self.empty_column(name);
        match serial(&written.name).filter(|_| !written.array && !written.built_in) {
            Some(integer) => {
                column.serial = true;
                column.data_type = Some(TypeName::built_in(integer));
            }
            None => column.data_type = Some(written),
        }
        if self.eat("storage") {
            column.storage = Some(self.label()?);
        }
        if self.eat("compression") {
            self.label()?;
        }
        if self.eat("options") {
            self.parens()?;
        }
        self.qualify(column, from)
    }

    /// `name [WITH OPTIONS] …` of PARTITION OF and OF: the column has its type already.
    pub fn typed_column(&mut self) -> Read<ColumnDefinition> {
        let from = self.place();
        let name = self.ident()?;
        self.eat("with options");
        let column = self.empty_column(name);
        self.qualify(column, from)
    }

    fn empty_column(&self, name: Ident) -> ColumnDefinition {
        ColumnDefinition {
            name,
            data_type: None,
            serial: false,
            collation: None,
            not_null: None,
            default: None,
            identity: None,
            generated: None,
            constraints: Vec::new(),
            storage: None,
            span: self.span_from(self.place()),
        }
    }

    fn qualify(&mut self, mut column: ColumnDefinition, from: usize) -> Read<ColumnDefinition> {
        while !matches!(self.kind(), None | Some(Kind::Comma | Kind::CloseParen)) {
            // `ALTER TABLE … ADD COLUMN` splits at commas before: what is left here must be a qualifier.
            self.qualifier(&mut column)?;
        }
        column.span = self.span_from(from);
        Ok(column)
    }

    fn qualifier(&mut self, column: &mut ColumnDefinition) -> Read<()> {
        if self.eat("collate") {
            column.collation = Some(self.name()?);
            return Ok(());
        }
        if let Some(constraint) = column.constraints.last_mut()
            && self.constraint_attribute(constraint, false)?
        {
            return Ok(());
        }
        let from = self.place();
        let name = if self.eat("constraint") { Some(self.ident()?) } else { None };
        if self.eat("not null") {
            let no_inherit = self.eat("no inherit");
            column.not_null = Some(NotNull { name, no_inherit, span: self.span_from(from) });
            return Ok(());
        }
        if self.eat("null") {
            return Ok(());
        }
        if self.eat("default") {
            column.default = Some(self.default_expression()?);
            return Ok(());
        }
        if self.is("generated") {
            return self.generated(column);
        }
        if self.is_any(&["enforced", "not enforced"]) && column.not_null.is_some() {
            self.eat_any(&["enforced", "not enforced"]);
            return Ok(());
        }
        let kind = self.inline_constraint()?;
        let mut constraint = self.bare_constraint(name, kind, from);
        while self.constraint_attribute(&mut constraint, false)? {}
        column.constraints.push(ConstraintDefinition { span: self.span_from(from), ..constraint });
        Ok(())
    }

    fn inline_constraint(&mut self) -> Read<ConstraintKind> {
        if self.eat("check") {
            return Ok(ConstraintKind::Check(self.expression_in_parens()?));
        }
        if self.eat("unique") {
            let nulls_not_distinct = self.nulls_not_distinct();
            return Ok(ConstraintKind::Unique(Key { nulls_not_distinct, ..self.index_parameters()? }));
        }
        if self.eat("primary key") {
            return Ok(ConstraintKind::Primary(self.index_parameters()?));
        }
        if self.eat("references") {
            return Ok(ConstraintKind::Foreign(self.references()?));
        }
        Err(self.refuse("a constraint"))
    }

    /// The expression of DEFAULT where more may follow.
    pub fn default_expression(&mut self) -> Read<Expression> {
        let from = self.place();
        let places = self.until(|cursor| {
            if cursor.is_any(AFTER_DEFAULT) {
                return true;
            }
            let negates = cursor.is("not") && !cursor.follows(from, &["is"]);
            negates || (cursor.is("null") && cursor.follows_operand(from))
        });
        self.expression(places)
    }

    /// Whether one of these words stands before this place.
    fn follows(&self, from: usize, words: &[&str]) -> bool {
        let place = self.place();
        place > from && {
            let before = self.inner(place - 1..place);
            words.iter().any(|word| before.is(word))
        }
    }

    /// Whether an operand ends before this place, so that NULL cannot be one.
    fn follows_operand(&self, from: usize) -> bool {
        let place = self.place();
        if place == from {
            return false;
        }
        let opens = matches!(
            self.tokens(place - 1..place)[0].kind,
            Kind::Operator
                | Kind::Arrow
                | Kind::Typecast
                | Kind::Dot
                | Kind::Comma
                | Kind::OpenParen
                | Kind::OpenBracket
        );
        !opens && !self.follows(from, &["from", "is", "and", "or", "not"])
    }

    fn generated(&mut self, column: &mut ColumnDefinition) -> Read<()> {
        let from = self.place();
        self.expect("generated")?;
        let always = self.eat("always");
        if !always {
            self.expect("by default")?;
        }
        self.expect("as")?;
        if self.is("identity") {
            self.go_to(from);
            column.identity = Some(self.identity()?);
            return Ok(());
        }
        let expression = self.expression_in_parens()?;
        let stored = self.eat("stored");
        if !stored {
            // PostgreSQL 18: VIRTUAL is what is meant where nothing is written.
            self.eat("virtual");
        }
        column.generated = Some(Generated { expression, stored });
        Ok(())
    }

    /// `GENERATED ALWAYS | BY DEFAULT AS IDENTITY [(options)]`.
    pub fn identity(&mut self) -> Read<Identity> {
        self.expect("generated")?;
        let always = self.eat("always");
        if !always {
            self.expect("by default")?;
        }
        self.expect("as identity")?;
        let mut options = Default::default();
        if self.kind() == Some(Kind::OpenParen) {
            let inside = self.parens()?;
            let mut inner = self.inner(inside);
            options = inner.sequence_options()?;
            inner.expect_end()?;
        }
        Ok(Identity { always, options })
    }
}
