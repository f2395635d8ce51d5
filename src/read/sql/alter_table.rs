//! ALTER TABLE and the relations that share its actions. An action that cannot be read leaves the others standing.

use std::ops::Range;

use super::cursor::{Cursor, Read, Refused};
use super::lexer::Kind;
use crate::operation::{
    AlterTable, Ident, Name, ObjectKind, Opaque, Operation, Rename, ReplicaIdentity, SetSchema, TableAction,
    TableActionKind, TriggerChoice, TriggerState,
};

impl Cursor<'_> {
    /// After ALTER and the word of a relation.
    pub fn alter_relation(&mut self, target: ObjectKind) -> Read<Operation> {
        if self.is("all in tablespace") {
            self.go_to(self.end_place());
            let what = "ALTER ALL IN TABLESPACE".into();
            return Ok(Operation::Opaque(Opaque { what, outside_transaction: false }));
        }
        let if_exists = self.if_exists();
        let only = self.eat("only");
        let table = self.name()?;
        // `name *` is the opposite of ONLY, and the default.
        self.eat_sign("*");
        if self.eat("rename") {
            return self.rename_in_relation(target, table, if_exists, only);
        }
        if self.eat("set schema") {
            let schema = self.ident()?;
            return Ok(Operation::SetSchema(SetSchema {
                kind: target,
                name: table,
                arguments: None,
                if_exists,
                schema,
            }));
        }
        match target {
            ObjectKind::Sequence if !self.is_any(&["owner", "set"]) => return self.alter_sequence(table, if_exists),
            ObjectKind::Index if !self.is("owner") => return self.alter_index(table, if_exists),
            ObjectKind::MaterializedView if self.is_any(&["depends", "no depends"]) => {
                self.go_to(self.end_place());
                let what = "ALTER MATERIALIZED VIEW".into();
                return Ok(Operation::Opaque(Opaque { what, outside_transaction: false }));
            }
            _ => {}
        }
        if self.is_done() {
            return Err(self.refuse("an action"));
        }
        let places = self.place()..self.end_place();
        let actions = self.parts(places).into_iter().map(|part| self.action(part)).collect();
        self.go_to(self.end_place());
        Ok(Operation::AlterTable(Box::new(AlterTable { table, target, only, if_exists, actions })))
    }

    fn rename_in_relation(&mut self, kind: ObjectKind, object: Name, if_exists: bool, only: bool) -> Read<Operation> {
        let mut rename = Rename { kind, object, if_exists, only, part: None, to: Ident::new("") };
        if self.eat("to") {
            rename.to = self.ident()?;
        } else {
            rename.kind = if self.eat("constraint") { ObjectKind::Constraint } else { ObjectKind::Column };
            self.eat("column");
            rename.part = Some(self.ident()?);
            self.expect("to")?;
            rename.to = self.ident()?;
        }
        Ok(Operation::Rename(Box::new(rename)))
    }

    fn action(&self, places: Range<usize>) -> TableAction {
        let mut inner = self.inner(places.clone());
        let read = inner.action_kind().and_then(|kind| inner.expect_end().map(|()| kind));
        let kind = read.unwrap_or_else(|Refused { reason, .. }| TableActionKind::Unread { reason: reason.into() });
        TableAction { span: self.span(places), kind }
    }

    fn action_kind(&mut self) -> Read<TableActionKind> {
        if self.eat("add") {
            return self.add();
        }
        if self.eat("drop") {
            return self.drop_part();
        }
        if self.eat("alter constraint") {
            return self.alter_constraint();
        }
        if self.eat("alter") {
            self.eat("column");
            let column = self.ident()?;
            return self.alter_column(column);
        }
        if self.eat("validate constraint") {
            return Ok(TableActionKind::ValidateConstraint { name: self.ident()? });
        }
        if self.eat("attach partition") {
            let partition = self.name()?;
            return Ok(TableActionKind::AttachPartition { partition, bound: self.bound()? });
        }
        if self.eat("detach partition") {
            let partition = self.name()?;
            let concurrently = self.eat("concurrently");
            let finalize = !concurrently && self.eat("finalize");
            return Ok(TableActionKind::DetachPartition { partition, concurrently, finalize });
        }
        if self.is_any(&["enable", "disable"]) {
            return self.enable();
        }
        if self.is_any(&["force row level security", "no force row level security"]) {
            let forced = !self.eat("no");
            self.expect("force row level security")?;
            return Ok(TableActionKind::SetRowSecurity { enabled: None, forced: Some(forced) });
        }
        if self.is_any(&["set", "reset"]) {
            return self.set_for_table();
        }
        self.other_action()
    }

    fn add(&mut self) -> Read<TableActionKind> {
        if self.is_constraint() {
            return Ok(TableActionKind::AddConstraint(Box::new(self.table_constraint()?)));
        }
        self.eat("column");
        let if_not_exists = self.if_not_exists();
        Ok(TableActionKind::AddColumn { column: Box::new(self.column()?), if_not_exists })
    }

    fn drop_part(&mut self) -> Read<TableActionKind> {
        if self.eat("constraint") {
            let if_exists = self.if_exists();
            let name = self.ident()?;
            return Ok(TableActionKind::DropConstraint { name, if_exists, cascade: self.cascade() });
        }
        self.eat("column");
        let if_exists = self.if_exists();
        let column = self.ident()?;
        Ok(TableActionKind::DropColumn { column, if_exists, cascade: self.cascade() })
    }

    fn alter_constraint(&mut self) -> Read<TableActionKind> {
        let name = self.ident()?;
        let (mut deferrable, mut initially_deferred, mut enforced, mut inherit) = (None, None, None, None);
        while !self.is_done() {
            if self.eat("not deferrable") {
                deferrable = Some(false);
            } else if self.eat("deferrable") {
                deferrable = Some(true);
            } else if self.eat("initially deferred") {
                initially_deferred = Some(true);
            } else if self.eat("initially immediate") {
                initially_deferred = Some(false);
            } else if self.eat("not enforced") {
                enforced = Some(false);
            } else if self.eat("enforced") {
                enforced = Some(true);
            } else if self.eat("no inherit") {
                inherit = Some(false);
            } else if self.eat("inherit") {
                inherit = Some(true);
            } else {
                return Err(self.refuse("an attribute of a constraint"));
            }
        }
        Ok(TableActionKind::AlterConstraint { name, deferrable, initially_deferred, enforced, inherit })
    }

    fn alter_column(&mut self, column: Ident) -> Read<TableActionKind> {
        if self.eat_any(&["set data type", "type"]) {
            let data_type = self.type_name()?;
            let collation = if self.eat("collate") { Some(self.name()?) } else { None };
            let using = if self.eat("using") { Some(self.expression_until(&[])?) } else { None };
            return Ok(TableActionKind::AlterColumnType { column, data_type, collation, using });
        }
        if self.eat("set default") {
            return Ok(TableActionKind::SetDefault { column, default: self.expression_until(&[])? });
        }
        if self.eat("drop default") {
            return Ok(TableActionKind::DropDefault { column });
        }
        if self.eat("set not null") {
            return Ok(TableActionKind::SetNotNull { column });
        }
        if self.eat("drop not null") {
            return Ok(TableActionKind::DropNotNull { column });
        }
        if self.eat("set expression as") {
            return Ok(TableActionKind::SetExpression { column, expression: self.expression_in_parens()? });
        }
        if self.eat("drop expression") {
            return Ok(TableActionKind::DropExpression { column, if_exists: self.if_exists() });
        }
        if self.eat("drop identity") {
            return Ok(TableActionKind::DropIdentity { column, if_exists: self.if_exists() });
        }
        if self.is("add generated") {
            self.skip(1);
            return Ok(TableActionKind::AddIdentity { column, identity: self.identity()? });
        }
        self.alter_column_storage(column)
    }

    fn alter_column_storage(&mut self, column: Ident) -> Read<TableActionKind> {
        if self.eat("set statistics") {
            if !self.eat("default") {
                self.number()?;
            }
            return Ok(TableActionKind::SetStatistics { column });
        }
        if self.eat("set storage") {
            self.label()?;
            return Ok(TableActionKind::SetStorage { column });
        }
        if self.eat("set compression") {
            self.label()?;
            return Ok(TableActionKind::SetCompression { column });
        }
        if self.is_any(&["set", "reset"]) && self.kind_at(1) == Some(Kind::OpenParen) {
            self.skip(1);
            self.parameters()?;
            return Ok(TableActionKind::SetColumnOptions { column });
        }
        if self.eat("options") {
            self.parens()?;
            return Ok(TableActionKind::Other { what: "ALTER COLUMN OPTIONS".into() });
        }
        self.alter_identity(column)
    }

    /// `SET GENERATED … | SET option | RESTART`, any number of them.
    fn alter_identity(&mut self, column: Ident) -> Read<TableActionKind> {
        let mut always = None;
        let mut options = Default::default();
        let from = self.place();
        while !self.is_done() {
            if self.eat("set generated") {
                always = Some(self.eat("always"));
                if always == Some(false) {
                    self.expect("by default")?;
                }
                continue;
            }
            if !self.is("restart") {
                self.expect("set")?;
            }
            if !self.sequence_option(&mut options)? {
                return Err(self.refuse("an option of a sequence"));
            }
        }
        if self.place() == from {
            return Err(self.refuse("what changes"));
        }
        Ok(TableActionKind::AlterIdentity { column, always })
    }

    fn enable(&mut self) -> Read<TableActionKind> {
        let disables = self.eat("disable");
        if !disables {
            self.expect("enable")?;
        }
        if self.eat("row level security") {
            return Ok(TableActionKind::SetRowSecurity { enabled: Some(!disables), forced: None });
        }
        let enabled = if disables {
            TriggerState::Disabled
        } else if self.eat("always") {
            TriggerState::Always
        } else if self.eat("replica") {
            TriggerState::Replica
        } else {
            TriggerState::Origin
        };
        if self.eat("rule") {
            return Ok(TableActionKind::SetRule { name: self.ident()? });
        }
        self.expect("trigger")?;
        let which = if self.eat("all") {
            TriggerChoice::All
        } else if self.eat("user") {
            TriggerChoice::User
        } else {
            TriggerChoice::Named(self.ident()?)
        };
        Ok(TableActionKind::SetTrigger { which, enabled })
    }

    fn set_for_table(&mut self) -> Read<TableActionKind> {
        if self.eat("reset") {
            return Ok(TableActionKind::ResetOptions(self.parameters()?));
        }
        self.expect("set")?;
        if self.kind() == Some(Kind::OpenParen) {
            return Ok(TableActionKind::SetOptions(self.parameters()?));
        }
        if self.eat("logged") {
            return Ok(TableActionKind::SetLogged { logged: true });
        }
        if self.eat("unlogged") {
            return Ok(TableActionKind::SetLogged { logged: false });
        }
        if self.eat("without cluster") {
            return Ok(TableActionKind::SetWithoutCluster);
        }
        if self.eat("without oids") {
            return Ok(TableActionKind::SetWithoutOids);
        }
        if self.eat("tablespace") {
            let tablespace = self.ident()?;
            self.eat("nowait");
            return Ok(TableActionKind::SetTablespace { tablespace });
        }
        self.expect("access method")?;
        let method = if self.eat("default") { None } else { Some(self.ident()?) };
        Ok(TableActionKind::SetAccessMethod { method })
    }

    fn other_action(&mut self) -> Read<TableActionKind> {
        if self.eat("cluster on") {
            return Ok(TableActionKind::ClusterOn { index: self.ident()? });
        }
        if self.eat("inherit") {
            return Ok(TableActionKind::Inherit { parent: self.name()? });
        }
        if self.eat("no inherit") {
            return Ok(TableActionKind::NoInherit { parent: self.name()? });
        }
        if self.eat("of") {
            return Ok(TableActionKind::OfType { data_type: self.name()? });
        }
        if self.eat("not of") {
            return Ok(TableActionKind::NotOf);
        }
        if self.eat("owner to") {
            return Ok(TableActionKind::Owner { owner: self.role()? });
        }
        if self.eat("options") {
            self.parens()?;
            return Ok(TableActionKind::Other { what: "OPTIONS".into() });
        }
        self.expect("replica identity")?;
        let identity = if self.eat("default") {
            ReplicaIdentity::Default
        } else if self.eat("full") {
            ReplicaIdentity::Full
        } else if self.eat("nothing") {
            ReplicaIdentity::Nothing
        } else {
            self.expect("using index")?;
            ReplicaIdentity::Index(self.ident()?)
        };
        Ok(TableActionKind::ReplicaIdentity(identity))
    }
}
