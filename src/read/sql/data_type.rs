//! CREATE and ALTER of types and domains.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{
    AlterDomain, AlterType, CreateDomain, CreateType, DomainAction, Ident, Name, ObjectKind, Operation, Rename,
    SetSchema, TypeAction, TypeForm, TypeName, ValuePosition,
};

impl Cursor<'_> {
    /// After CREATE TYPE.
    pub fn create_type(&mut self) -> Read<Operation> {
        let name = self.loose_name()?;
        let kind = if self.eat("as enum") {
            TypeForm::Enum { labels: self.labels()? }
        } else if self.eat("as range") {
            self.parens()?;
            TypeForm::Range
        } else if self.eat("as") {
            TypeForm::Composite { attributes: self.attributes()? }
        } else {
            if !self.is_done() {
                self.parens()?;
            }
            TypeForm::Base
        };
        Ok(Operation::CreateType(Box::new(CreateType { name, kind })))
    }

    fn labels(&mut self) -> Read<Vec<std::sync::Arc<str>>> {
        self.expect_kind(Kind::OpenParen, "(")?;
        if self.eat_kind(Kind::CloseParen) {
            return Ok(Vec::new());
        }
        let labels = self.list(Cursor::string)?;
        self.expect_kind(Kind::CloseParen, ")")?;
        Ok(labels)
    }

    fn attributes(&mut self) -> Read<Vec<(Ident, TypeName)>> {
        let inside = self.parens()?;
        let attributes = self.parts(inside).into_iter().map(|part| {
            let mut inner = self.inner(part);
            let attribute = inner.attribute()?;
            inner.expect_end()?;
            Ok(attribute)
        });
        attributes.collect()
    }

    fn attribute(&mut self) -> Read<(Ident, TypeName)> {
        let name = self.ident()?;
        let data_type = self.type_name()?;
        if self.eat("collate") {
            self.name()?;
        }
        Ok((name, data_type))
    }

    /// After ALTER TYPE.
    pub fn alter_type(&mut self) -> Read<Operation> {
        let name = self.loose_name()?;
        if self.eat("rename value") {
            let from = self.string()?;
            self.expect("to")?;
            let action = TypeAction::RenameValue { from, to: self.string()? };
            return Ok(Operation::AlterType(Box::new(AlterType { name, action })));
        }
        if self.eat("rename attribute") {
            let part = Some(self.ident()?);
            self.expect("to")?;
            let to = self.ident()?;
            self.cascade();
            return Ok(renamed(ObjectKind::Column, name, part, to));
        }
        if self.eat("rename to") {
            let to = self.ident()?;
            return Ok(renamed(ObjectKind::Type, name, None, to));
        }
        if self.eat("set schema") {
            return self.schema_set(ObjectKind::Type, name);
        }
        let action = self.type_action()?;
        Ok(Operation::AlterType(Box::new(AlterType { name, action })))
    }

    fn schema_set(&mut self, kind: ObjectKind, name: Name) -> Read<Operation> {
        let schema = self.ident()?;
        Ok(Operation::SetSchema(SetSchema { kind, name, arguments: None, if_exists: false, schema }))
    }

    fn type_action(&mut self) -> Read<TypeAction> {
        if self.eat("add value") {
            let if_not_exists = self.if_not_exists();
            let label = self.string()?;
            let before = self.eat("before");
            let position =
                if before || self.eat("after") { Some(ValuePosition { before, label: self.string()? }) } else { None };
            return Ok(TypeAction::AddValue { label, if_not_exists, position });
        }
        if self.eat("owner to") {
            return Ok(TypeAction::Owner(self.role()?));
        }
        if self.is("set") && self.kind_at(1) == Some(Kind::OpenParen) {
            self.skip(1);
            self.parens()?;
            return Ok(TypeAction::Other);
        }
        let places = self.place()..self.end_place();
        let mut actions = Vec::new();
        for part in self.parts(places) {
            let mut inner = self.inner(part);
            actions.push(inner.attribute_action()?);
            inner.expect_end()?;
        }
        self.go_to(self.end_place());
        // The list is nearly always one; several attribute changes are known as a change only.
        Ok(if actions.len() == 1 { actions.remove(0) } else { TypeAction::Other })
    }

    fn attribute_action(&mut self) -> Read<TypeAction> {
        if self.eat("add attribute") {
            let (name, data_type) = self.attribute()?;
            self.cascade();
            return Ok(TypeAction::AddAttribute { name, data_type });
        }
        if self.eat("drop attribute") {
            let if_exists = self.if_exists();
            let name = self.ident()?;
            self.cascade();
            return Ok(TypeAction::DropAttribute { name, if_exists });
        }
        self.expect("alter attribute")?;
        let name = self.ident()?;
        self.eat("set data");
        self.expect("type")?;
        let data_type = self.type_name()?;
        if self.eat("collate") {
            self.name()?;
        }
        self.cascade();
        Ok(TypeAction::AlterAttribute { name, data_type })
    }

    /// After CREATE DOMAIN.
    pub fn create_domain(&mut self) -> Read<Operation> {
        let name = self.loose_name()?;
        self.eat("as");
        let data_type = self.type_name()?;
        let mut domain = CreateDomain { name, data_type, not_null: false, default: None, checks: Vec::new() };
        while !self.is_done() {
            self.domain_part(&mut domain)?;
        }
        Ok(Operation::CreateDomain(Box::new(domain)))
    }

    fn domain_part(&mut self, domain: &mut CreateDomain) -> Read<()> {
        let name = if self.eat("constraint") { Some(self.ident()?) } else { None };
        if self.eat("not null") {
            domain.not_null = true;
        } else if self.eat("null") {
            domain.not_null = false;
        } else if self.eat("default") {
            domain.default = Some(self.default_expression()?);
        } else if self.eat("collate") {
            self.name()?;
        } else if self.eat("check") {
            domain.checks.push((name, self.expression_in_parens()?));
        } else {
            return Err(self.refuse("a constraint"));
        }
        Ok(())
    }

    /// After ALTER DOMAIN.
    pub fn alter_domain(&mut self) -> Read<Operation> {
        let name = self.loose_name()?;
        if self.eat("rename to") {
            let to = self.ident()?;
            return Ok(renamed(ObjectKind::Domain, name, None, to));
        }
        if self.eat("set schema") {
            return self.schema_set(ObjectKind::Domain, name);
        }
        let action = self.domain_action()?;
        Ok(Operation::AlterDomain(Box::new(AlterDomain { name, action })))
    }

    fn domain_action(&mut self) -> Read<DomainAction> {
        if self.eat("set default") {
            return Ok(DomainAction::SetDefault(self.expression_until(&[])?));
        }
        if self.eat("drop default") {
            return Ok(DomainAction::DropDefault);
        }
        if self.eat("set not null") {
            return Ok(DomainAction::SetNotNull);
        }
        if self.eat("drop not null") {
            return Ok(DomainAction::DropNotNull);
        }
        if self.eat("validate constraint") {
            return Ok(DomainAction::ValidateConstraint(self.ident()?));
        }
        if self.eat("drop constraint") {
            let if_exists = self.if_exists();
            let name = self.ident()?;
            self.cascade();
            return Ok(DomainAction::DropConstraint { name, if_exists });
        }
        if self.eat("rename constraint") {
            let from = self.ident()?;
            self.expect("to")?;
            return Ok(DomainAction::RenameConstraint { from, to: self.ident()? });
        }
        if self.eat("owner to") {
            return Ok(DomainAction::Owner(self.role()?));
        }
        self.expect("add")?;
        let name = if self.eat("constraint") { Some(self.ident()?) } else { None };
        if self.eat("not null") {
            return Ok(DomainAction::AddNotNull { name });
        }
        self.expect("check")?;
        let check = self.expression_in_parens()?;
        Ok(DomainAction::AddCheck { name, check, not_valid: self.eat("not valid") })
    }
}

fn renamed(kind: ObjectKind, object: Name, part: Option<Ident>, to: Ident) -> Operation {
    Operation::Rename(Box::new(Rename { kind, object, if_exists: false, only: false, part, to }))
}
