//! The end of what is temporary: with its transaction where ON COMMIT DROP was written, else with its session.

use super::Change;
use super::drop::Object;
use crate::operation::{Origin, Persistence, QualifiedName};
use crate::schema::{Relation, RelationKind, Schema};

/// The schema of a session, as plimsoll names it.
const OWN: &str = "pg_temp";

impl Schema {
    /// A transaction commits: temporary tables made with ON COMMIT DROP go.
    pub fn end_transaction(&mut self, at: &Origin) {
        let ends = |relation: &&Relation| {
            let table = relation.as_table();
            table.is_some_and(|table| table.drops_on_commit && table.persistence == Persistence::Temporary)
        };
        let objects = self.temporary().filter(ends).map(|relation| Object::Relation(relation.id)).collect();
        self.end(objects, at);
    }

    /// The session ends: all that stands in its own schema goes.
    pub fn end_session(&mut self, at: &Origin) {
        // What an index or a table's sequence belongs to takes it along.
        let relations = self.temporary().filter(|relation| match &relation.kind {
            RelationKind::Table(_) | RelationKind::View(_) | RelationKind::Other => true,
            RelationKind::Sequence(sequence) => sequence.owned_by.is_none(),
            RelationKind::Index(_) => false,
        });
        let mut objects: Vec<Object> = relations.map(|relation| Object::Relation(relation.id)).collect();
        let functions = self.function_names.range(first()..).take_while(|(name, _)| name.schema == OWN);
        objects.extend(functions.flat_map(|(_, ids)| ids).map(|id| Object::Function(*id)));
        let types = self.type_names.range(first()..).take_while(|(name, _)| name.schema == OWN);
        objects.extend(types.map(|(_, id)| Object::Type(*id)));
        self.end(objects, at);
        // The next session knows nothing of it: there the name may be a table's that no statement made.
        let own = self.gone.range(first()..).take_while(|(name, _)| name.schema == OWN);
        let names: Vec<QualifiedName> = own.map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| {
            self.gone.remove(name);
        });
    }

    /// Found by name: histories of thousands of files end as many sessions.
    fn temporary(&self) -> impl Iterator<Item = &Relation> {
        let names = self.relation_names.range(first()..).take_while(|(name, _)| name.schema == OWN);
        names.filter_map(|(_, id)| self.relations.get(id)).map(|relation| &**relation)
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

/// The name before all others of a session's schema.
fn first() -> QualifiedName {
    QualifiedName::new(OWN, "")
}
