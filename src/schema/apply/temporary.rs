//! The end of what is temporary: with its transaction where ON COMMIT DROP was written, else with its session.

use super::Change;
use super::drop::Object;
use crate::operation::{Origin, Persistence};
use crate::schema::{RelationKind, Schema};

impl Schema {
    /// A transaction commits: temporary tables made with ON COMMIT DROP go.
    pub fn end_transaction(&mut self, at: &Origin) {
        let ends = |table: &crate::schema::Table| table.drops_on_commit && table.persistence == Persistence::Temporary;
        let tables = self.tables().filter(|(_, table)| ends(table));
        let objects = tables.map(|(relation, _)| Object::Relation(relation.id)).collect();
        self.end(objects, at);
    }

    /// The session ends: all that stands in its own schema goes.
    pub fn end_session(&mut self, at: &Origin) {
        let temporary = |schema: &crate::operation::Ident| schema == "pg_temp";
        // What an index or a table's sequence belongs to takes it along.
        let relations = self.relations().filter(|relation| {
            let stands_alone = match &relation.kind {
                RelationKind::Table(_) | RelationKind::View(_) | RelationKind::Other => true,
                RelationKind::Sequence(sequence) => sequence.owned_by.is_none(),
                RelationKind::Index(_) => false,
            };
            stands_alone && temporary(&relation.name.schema)
        });
        let mut objects: Vec<Object> = relations.map(|relation| Object::Relation(relation.id)).collect();
        let functions = self.functions().filter(|function| temporary(&function.name.schema));
        objects.extend(functions.map(|function| Object::Function(function.id)));
        let types = self.types().filter(|one| temporary(&one.name.schema));
        objects.extend(types.map(|one| Object::Type(one.id)));
        self.end(objects, at);
    }

    fn end(&mut self, objects: Vec<Object>, at: &Origin) {
        if objects.is_empty() {
            return;
        }
        let mut change = Change::new(self, at);
        // A cascade is refused by nothing that is not the system's own.
        let _ = change.delete(objects, true);
    }
}
