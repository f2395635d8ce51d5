//! ALTER of what is neither a relation nor a type: routines, triggers, schemas, publications and the rest.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{Argument, Name, ObjectKind, Opaque, Operation, Publication, Rename, SetSchema};

impl Cursor<'_> {
    pub fn alter(&mut self) -> Read<Operation> {
        self.expect("alter")?;
        if self.is_any(&["system", "default privileges", "large object"]) {
            let system = self.is("system");
            let what = if system { "ALTER SYSTEM" } else { "ALTER DEFAULT PRIVILEGES" };
            return Ok(self.opaque(what, system));
        }
        if let Some(operation) = self.unmodelled("ALTER") {
            return Ok(operation);
        }
        let kind = self.object_kind();
        match kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Index
            | ObjectKind::Sequence => self.alter_relation(kind),
            ObjectKind::Type => self.alter_type(),
            ObjectKind::Domain => self.alter_domain(),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                let name = self.loose_name()?;
                let arguments = if self.kind() == Some(Kind::OpenParen) { Some(self.arguments()?) } else { None };
                self.alter_named(kind, name, arguments, "ALTER FUNCTION")
            }
            ObjectKind::Aggregate => {
                let name = self.loose_name()?;
                let arguments = Some(self.aggregate_arguments()?);
                self.alter_named(kind, name, arguments, "ALTER AGGREGATE")
            }
            ObjectKind::Trigger | ObjectKind::Rule => self.alter_part(kind),
            ObjectKind::Policy => self.alter_policy(),
            ObjectKind::Schema | ObjectKind::Statistics => {
                let if_exists = self.if_exists();
                let name = self.name()?;
                let mut operation = self.alter_named(kind, name, None, "ALTER SCHEMA")?;
                if let Operation::Rename(rename) = &mut operation {
                    rename.if_exists = if_exists;
                }
                Ok(operation)
            }
            ObjectKind::Extension => {
                let name = self.name()?;
                self.alter_named(kind, name, None, "ALTER EXTENSION")
            }
            ObjectKind::Publication => self.alter_publication(),
            ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Other => Err(self.refuse("a kind of object")),
        }
    }

    /// `RENAME TO`, `SET SCHEMA`; what else there is changes nothing that is modelled.
    fn alter_named(
        &mut self,
        kind: ObjectKind,
        name: Name,
        arguments: Option<Vec<Argument>>,
        what: &str,
    ) -> Read<Operation> {
        if self.eat("rename to") {
            let to = self.ident()?;
            return Ok(Operation::Rename(Box::new(Rename {
                kind,
                object: name,
                if_exists: false,
                only: false,
                part: None,
                to,
            })));
        }
        if self.eat("set schema") {
            let schema = self.ident()?;
            return Ok(Operation::SetSchema(SetSchema { kind, name, arguments, if_exists: false, schema }));
        }
        if self.is_done() {
            return Err(self.refuse("what changes"));
        }
        Ok(self.opaque(what, false))
    }

    /// `ALTER TRIGGER | RULE name ON table RENAME TO name`.
    fn alter_part(&mut self, kind: ObjectKind) -> Read<Operation> {
        let part = self.ident()?;
        self.expect("on")?;
        let object = self.name()?;
        if kind == ObjectKind::Trigger && self.is_any(&["depends on extension", "no depends on extension"]) {
            return Ok(self.opaque("ALTER TRIGGER", false));
        }
        self.expect("rename to")?;
        let to = self.ident()?;
        let part = Some(part);
        Ok(Operation::Rename(Box::new(Rename { kind, object, if_exists: false, only: false, part, to })))
    }

    fn alter_policy(&mut self) -> Read<Operation> {
        let from = self.place();
        let if_exists = self.if_exists();
        let part = Some(self.ident()?);
        self.expect("on")?;
        let object = self.name()?;
        if self.eat("rename to") {
            let to = self.ident()?;
            let kind = ObjectKind::Policy;
            return Ok(Operation::Rename(Box::new(Rename { kind, object, if_exists, only: false, part, to })));
        }
        self.go_to(from);
        Ok(Operation::AlterPolicy(self.policy()?))
    }

    fn alter_publication(&mut self) -> Read<Operation> {
        let name = self.ident()?;
        let tables = if self.eat_any(&["add", "set", "drop"]) { self.published()? } else { Vec::new() };
        self.go_to(self.end_place());
        Ok(Operation::Publication(Publication { name, create: false, tables }))
    }

    /// After CREATE PUBLICATION.
    pub fn create_publication(&mut self) -> Read<Operation> {
        let name = self.ident()?;
        let tables = if self.eat("for") { self.published()? } else { Vec::new() };
        if self.eat("with") {
            self.parameters()?;
        }
        Ok(Operation::Publication(Publication { name, create: true, tables }))
    }

    /// `TABLE name [(columns)] [WHERE (…)], …`, `ALL TABLES`, `TABLES IN SCHEMA name, …`.
    fn published(&mut self) -> Read<Vec<Name>> {
        let mut tables = Vec::new();
        if !self.is_any(&["table", "tables", "all"]) {
            // SET (option = …)
            self.parens()?;
            return Ok(tables);
        }
        if self.eat_any(&["all tables", "all sequences"]) {
            while self.eat_kind(Kind::Comma) {
                self.expect("all")?;
                self.label()?;
            }
            return Ok(tables);
        }
        let mut of_schema = false;
        loop {
            if self.eat_any(&["tables in schema", "all tables in schema"]) {
                of_schema = true;
            } else if self.eat("table") {
                of_schema = false;
            }
            self.eat("only");
            let name = self.name()?;
            self.eat_sign("*");
            if self.kind() == Some(Kind::OpenParen) {
                self.parens()?;
            }
            if self.eat("where") {
                self.parens()?;
            }
            if !of_schema {
                tables.push(name);
            }
            if !self.eat_kind(Kind::Comma) {
                return Ok(tables);
            }
        }
    }

    /// Known by its leading words; the rest is passed over.
    pub fn opaque(&mut self, what: &str, outside_transaction: bool) -> Operation {
        self.go_to(self.end_place());
        Operation::Opaque(Opaque { what: what.into(), outside_transaction })
    }
}
