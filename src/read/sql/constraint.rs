//! Constraints, inline and of tables, with their attributes.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{
    Action, ConstraintDefinition, ConstraintKind, ExcludeElement, Expr, ForeignKey, Ident, Key, KeyPart,
};

impl Cursor<'_> {
    /// Whether a table constraint begins here, rather than a column.
    pub fn is_constraint(&self) -> bool {
        self.is_any(&["constraint", "check", "unique", "primary", "foreign", "not null"])
            || self.is("exclude using")
            || (self.is("exclude") && self.kind_at(1) == Some(Kind::OpenParen))
    }

    /// `[CONSTRAINT name] kind attributes` of CREATE TABLE and ADD.
    pub fn table_constraint(&mut self) -> Read<ConstraintDefinition> {
        let from = self.place();
        let name = if self.eat("constraint") { Some(self.ident()?) } else { None };
        let kind = self.table_constraint_kind()?;
        let mut constraint = self.bare_constraint(name, kind, from);
        while self.constraint_attribute(&mut constraint, true)? {}
        constraint.span = self.span_from(from);
        Ok(constraint)
    }

    pub fn bare_constraint(&self, name: Option<Ident>, kind: ConstraintKind, from: usize) -> ConstraintDefinition {
        ConstraintDefinition {
            name,
            kind,
            not_valid: false,
            not_enforced: false,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            span: self.span_from(from),
        }
    }

    fn table_constraint_kind(&mut self) -> Read<ConstraintKind> {
        if self.eat("check") {
            return Ok(ConstraintKind::Check(self.expression_in_parens()?));
        }
        if self.eat("not null") {
            return Ok(ConstraintKind::NotNull(self.ident()?));
        }
        if self.eat("unique") {
            let nulls_not_distinct = self.nulls_not_distinct();
            return Ok(ConstraintKind::Unique(Key { nulls_not_distinct, ..self.key()? }));
        }
        if self.eat("primary key") {
            return Ok(ConstraintKind::Primary(self.key()?));
        }
        if self.eat("foreign key") {
            return self.foreign_key();
        }
        if self.eat("exclude") {
            return self.exclude();
        }
        Err(self.refuse("a constraint"))
    }

    /// `NULLS [NOT] DISTINCT`: whether NOT.
    pub fn nulls_not_distinct(&mut self) -> bool {
        if self.eat("nulls not distinct") {
            return true;
        }
        self.eat("nulls distinct");
        false
    }

    fn key(&mut self) -> Read<Key> {
        if self.eat("using index") {
            return Ok(Key { using_index: Some(self.ident()?), ..Key::default() });
        }
        self.expect_kind(Kind::OpenParen, "(")?;
        let columns = self.list(Cursor::ident)?;
        let without_overlaps = self.eat("without overlaps");
        self.expect_kind(Kind::CloseParen, ")")?;
        let include = if self.eat("include") { self.columns()? } else { Vec::new() };
        Ok(Key { columns, include, without_overlaps, ..self.index_parameters()? })
    }

    /// `[WITH (…)] [USING INDEX TABLESPACE name]`.
    pub fn index_parameters(&mut self) -> Read<Key> {
        let options = if self.eat("with") { self.parameters()? } else { Vec::new() };
        if self.eat("using index tablespace") {
            self.ident()?;
        }
        Ok(Key { options, ..Key::default() })
    }

    fn foreign_key(&mut self) -> Read<ConstraintKind> {
        let (columns, period) = self.period_columns()?;
        self.expect("references")?;
        Ok(ConstraintKind::Foreign(ForeignKey { columns, period, ..self.references()? }))
    }

    /// `(a, b, PERIOD c)`.
    fn period_columns(&mut self) -> Read<(Vec<Ident>, bool)> {
        self.expect_kind(Kind::OpenParen, "(")?;
        let mut period = false;
        let columns = self.list(|cursor| {
            // `period` is a name like others unless a name follows.
            period |= cursor.is("period") && !matches!(cursor.kind_at(1), Some(Kind::Comma | Kind::CloseParen));
            if period {
                cursor.eat("period");
            }
            cursor.ident()
        })?;
        self.expect_kind(Kind::CloseParen, ")")?;
        Ok((columns, period))
    }

    /// What follows REFERENCES; the caller knows the referencing columns.
    pub fn references(&mut self) -> Read<ForeignKey> {
        let references = self.name()?;
        let mut key = ForeignKey {
            columns: Vec::new(),
            references,
            referenced_columns: Vec::new(),
            on_delete: Action::NoAction,
            on_delete_columns: Vec::new(),
            on_update: Action::NoAction,
            match_full: false,
            period: false,
        };
        if self.kind() == Some(Kind::OpenParen) {
            key.referenced_columns = self.period_columns()?.0;
        }
        if self.eat("match") {
            key.match_full = self.eat("full");
            if !key.match_full && !self.eat_any(&["simple", "partial"]) {
                return Err(self.refuse("FULL or SIMPLE"));
            }
        }
        loop {
            if self.eat("on delete") {
                key.on_delete = self.referential_action()?;
                if matches!(key.on_delete, Action::SetNull | Action::SetDefault) {
                    key.on_delete_columns = self.optional_columns()?;
                }
            } else if self.eat("on update") {
                key.on_update = self.referential_action()?;
            } else {
                return Ok(key);
            }
        }
    }

    fn referential_action(&mut self) -> Read<Action> {
        let actions = [
            ("no action", Action::NoAction),
            ("restrict", Action::Restrict),
            ("cascade", Action::Cascade),
            ("set null", Action::SetNull),
            ("set default", Action::SetDefault),
        ];
        let found = actions.into_iter().find(|(words, _)| self.eat(words));
        found.map(|(_, action)| action).ok_or_else(|| self.refuse("an action"))
    }

    fn exclude(&mut self) -> Read<ConstraintKind> {
        let method = if self.eat("using") { Some(self.ident()?) } else { None };
        let inside = self.parens()?;
        let elements = self.parts(inside).into_iter().map(|part| self.inner(part).exclude_element());
        let elements = elements.collect::<Read<Vec<_>>>()?;
        if self.eat("include") {
            self.columns()?;
        }
        let options = self.index_parameters()?.options;
        let filter = if self.eat("where") { Some(self.expression_in_parens()?) } else { None };
        Ok(ConstraintKind::Exclude { method, elements, filter, options })
    }

    fn exclude_element(mut self) -> Read<ExcludeElement> {
        let part = self.index_part()?.key;
        self.expect("with")?;
        let wrapped = self.eat("operator");
        let from = self.place();
        if wrapped {
            self.parens()?;
        } else {
            self.until(|_| false);
        }
        let operator = self.written(from..self.place()).trim_matches(['(', ')']).trim();
        if operator.is_empty() {
            return Err(self.refuse("an operator"));
        }
        self.expect_end()?;
        Ok(ExcludeElement { part, operator: operator.into() })
    }

    /// One attribute after a constraint; `of_table`: those that only table constraints have.
    pub fn constraint_attribute(&mut self, constraint: &mut ConstraintDefinition, of_table: bool) -> Read<bool> {
        if self.eat("not deferrable") {
            constraint.deferrable = false;
        } else if self.eat("deferrable") {
            constraint.deferrable = true;
        } else if self.eat("initially deferred") {
            // INITIALLY DEFERRED alone makes it deferrable (CREATE TABLE).
            constraint.deferrable = true;
            constraint.initially_deferred = true;
        } else if self.eat("not enforced") {
            constraint.not_enforced = true;
        } else if self.eat("no inherit") {
            constraint.no_inherit = true;
        } else if of_table && self.eat("not valid") {
            constraint.not_valid = true;
        } else {
            return Ok(self.eat("initially immediate") || self.eat("enforced"));
        }
        Ok(true)
    }

    /// A column or `(expression)` or a call, as keys of partitions have it.
    pub fn key_part(&mut self) -> Read<KeyPart> {
        if self.kind() == Some(Kind::OpenParen) {
            let expression = self.expression_in_parens()?;
            // `((a))` is the column (`ComputeIndexAttrs`).
            return Ok(match &expression.tree {
                Expr::Column { qualifier: None, name } => KeyPart::Column(name.clone()),
                _ => KeyPart::Expression(expression),
            });
        }
        let from = self.place();
        let is_column = self.is_ident() && !matches!(self.kind_at(1), Some(Kind::OpenParen | Kind::Dot));
        if is_column {
            return Ok(KeyPart::Column(self.ident()?));
        }
        self.call_like()?;
        Ok(KeyPart::Expression(self.expression(from..self.place())?))
    }

    /// A function call, or one of the words that are calls without parentheses.
    fn call_like(&mut self) -> Read<()> {
        self.label()?;
        while self.eat_kind(Kind::Dot) {
            self.label()?;
        }
        if self.kind() == Some(Kind::OpenParen) {
            self.parens()?;
        }
        Ok(())
    }
}
