//! CREATE SEQUENCE, ALTER SEQUENCE and the options they share with identity columns.

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{AlterSequence, CreateSequence, Name, Operation, Persistence, SequenceOptions};

impl Cursor<'_> {
    /// Options in any order; stops at the first word that is none.
    pub fn sequence_options(&mut self) -> Read<SequenceOptions> {
        let mut options = SequenceOptions::default();
        while self.sequence_option(&mut options)? {}
        Ok(options)
    }

    pub fn sequence_option(&mut self, options: &mut SequenceOptions) -> Read<bool> {
        if self.eat("as") {
            options.data_type = Some(self.type_name()?);
        } else if self.eat_any(&["increment by", "increment", "start with", "start"])
            || self.eat_any(&["minvalue", "maxvalue", "cache"])
        {
            self.number()?;
        } else if self.eat("restart") {
            options.restart = true;
            if self.eat("with") || matches!(self.kind(), Some(Kind::Number)) || self.is_sign("-") {
                self.number()?;
            }
        } else if self.eat("owned by") {
            options.owned_by = Some(self.owner_column()?);
        } else if self.eat("sequence name") {
            options.name = Some(self.name()?);
        } else {
            return Ok(self.eat_any(&["no minvalue", "no maxvalue", "no cycle", "cycle", "logged", "unlogged"]));
        }
        Ok(true)
    }

    /// `NONE` or `[schema .] table . column`.
    fn owner_column(&mut self) -> Read<Option<(Name, crate::operation::Ident)>> {
        if self.eat("none") {
            return Ok(None);
        }
        let mut parts = self.dotted()?;
        let Some(column) = parts.pop() else { return Err(self.refuse("a column")) };
        let Some(table) = parts.pop() else { return Err(self.refuse("a column")) };
        Ok(Some((Name { schema: parts.pop(), name: table }, column)))
    }

    pub fn create_sequence(&mut self, persistence: Persistence) -> Read<Operation> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let options = self.sequence_options()?;
        Ok(Operation::CreateSequence(Box::new(CreateSequence { name, if_not_exists, persistence, options })))
    }

    /// After ALTER SEQUENCE: its options; other forms are those of tables.
    pub fn alter_sequence(&mut self, name: Name, if_exists: bool) -> Read<Operation> {
        let options = self.sequence_options()?;
        Ok(Operation::AlterSequence(Box::new(AlterSequence { name, if_exists, options })))
    }
}
