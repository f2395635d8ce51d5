//! A schema as CREATE statements that make it on an empty server, in the order `pg_dump` has found to work.
//!
//! What the model does not hold (a range's subtype, an aggregate's functions, defaults of arguments, options of
//! sequences, policies, rules, grants) cannot be written; where a whole object is missing, a comment says so.

use std::io::{self, Write};

use crate::operation::{Ident, Name};
use crate::schema::definition::owner;
use crate::schema::statement::{self, IndexForm};
use crate::schema::{
    ConstraintRow, Function, Relation, RelationId, RelationKind, Schema, Sequence, Table, Trigger, TypeKind, View,
};

pub(super) fn render(schema: &Schema, into: &mut dyn Write) -> io::Result<()> {
    let mut dump = Dump { schema, into };
    dump.session()?;
    dump.schemas_and_extensions()?;
    dump.types()?;
    dump.sequences()?;
    // A default, CHECK or index may call a function; one that names a table's row type has to wait for it.
    dump.functions(false)?;
    let tables = dump.tables_in_order();
    for (relation, table) in &tables {
        dump.table(relation, table)?;
    }
    for (relation, table) in &tables {
        dump.attach(relation, table)?;
    }
    dump.functions(true)?;
    dump.owned_sequences()?;
    dump.keys_and_indexes(&tables)?;
    dump.foreign_keys(&tables)?;
    dump.views()?;
    dump.triggers(&tables)?;
    dump.row_security(&tables)
}

struct Dump<'a> {
    schema: &'a Schema,
    into: &'a mut dyn Write,
}

type Tables<'a> = Vec<(&'a Relation, &'a Table)>;

impl<'a> Dump<'a> {
    fn session(&mut self) -> io::Result<()> {
        let path: Vec<String> = self.schema.search_path.iter().map(Ident::to_string).collect();
        writeln!(self.into, "SET check_function_bodies = off;")?;
        if path.is_empty() { Ok(()) } else { writeln!(self.into, "SET search_path = {};", path.join(", ")) }
    }

    fn schemas_and_extensions(&mut self) -> io::Result<()> {
        for schema in self.schema.schemas() {
            if schema != "public" && !schema.as_str().starts_with("pg_") {
                writeln!(self.into, "CREATE SCHEMA IF NOT EXISTS {schema};")?;
            }
        }
        for extension in self.schema.extensions() {
            writeln!(self.into, "CREATE EXTENSION IF NOT EXISTS {extension};")?;
        }
        Ok(())
    }

    fn types(&mut self) -> io::Result<()> {
        for one in self.schema.types() {
            match (&one.kind, statement::create_type(self.schema, one)) {
                (_, Some(statements)) => self.all(statements)?,
                (TypeKind::Range, None) => {
                    writeln!(self.into, "-- A range type is left out: its subtype is not known.")?
                }
                (TypeKind::Base, None) => {
                    writeln!(self.into, "-- A base type is left out: its functions are not known.")?;
                }
                (_, None) => {}
            }
        }
        Ok(())
    }

    fn sequences(&mut self) -> io::Result<()> {
        for (relation, sequence) in self.all_sequences() {
            writeln!(self.into, "{};", statement::create_sequence(relation, sequence))?;
        }
        Ok(())
    }

    fn all(&mut self, statements: impl IntoIterator<Item = String>) -> io::Result<()> {
        statements.into_iter().try_for_each(|statement| writeln!(self.into, "{statement};"))
    }

    fn owned_sequences(&mut self) -> io::Result<()> {
        for (relation, sequence) in self.all_sequences() {
            if let Some(owner) = owner(self.schema, sequence) {
                writeln!(self.into, "ALTER SEQUENCE {} OWNED BY {owner};", relation.name)?;
            }
        }
        Ok(())
    }

    /// Sequences that stand on their own: an identity column makes its own.
    fn all_sequences(&self) -> Vec<(&'a Relation, &'a Sequence)> {
        let found = self.schema.relations().filter_map(|relation| match &relation.kind {
            RelationKind::Sequence(sequence) if !sequence.internal => Some((relation, sequence)),
            _ => None,
        });
        found.collect()
    }

    fn functions(&mut self, naming_rows: bool) -> io::Result<()> {
        for function in self.schema.functions() {
            if self.names_a_row(function) == naming_rows {
                self.function(function)?;
            }
        }
        Ok(())
    }

    fn names_a_row(&self, function: &Function) -> bool {
        let returned = function.returns.trim_start_matches("SETOF ").trim_start_matches("setof ");
        let returned = match returned.split_once('.') {
            Some((schema, name)) => Name { schema: Some(Ident::new(schema)), name: Ident::new(name) },
            None => Name::bare(returned),
        };
        let rows = |name: &Name| self.schema.find(name).is_some();
        statement::is_atomic(function)
            || rows(&returned)
            || function.arguments.iter().any(|argument| rows(&argument.data_type.name))
    }

    fn function(&mut self, function: &Function) -> io::Result<()> {
        match statement::create_function(function, false) {
            Some(statement) => writeln!(self.into, "{statement};"),
            None => writeln!(self.into, "-- An aggregate is left out: its functions are not known."),
        }
    }

    /// Parents before children, else by name.
    fn tables_in_order(&self) -> Tables<'a> {
        let mut tables: Tables = self.schema.tables().collect();
        tables.sort_by_cached_key(|(relation, _)| (self.depth(relation.id), relation.name.clone()));
        tables
    }

    fn depth(&self, id: RelationId) -> usize {
        let mut depth = 0;
        let mut at = vec![id];
        // A table cannot be its own ancestor, so this ends; the bound guards against a model that is wrong.
        while depth < 64 {
            let parents = at.iter().filter_map(|id| self.schema.get_relation(*id)?.as_table()).flat_map(|table| {
                table.partition_of.iter().map(|place| place.parent).chain(table.inherits.iter().copied())
            });
            at = parents.collect();
            if at.is_empty() {
                break;
            }
            depth += 1;
        }
        depth
    }

    fn table(&mut self, relation: &Relation, table: &Table) -> io::Result<()> {
        let Some(statement) = statement::create_table(self.schema, relation, table) else {
            return writeln!(self.into, "-- A foreign table is left out: its server is not known.");
        };
        writeln!(self.into, "{statement};")?;
        self.all(statement::late_checks(self.schema, relation.id))
    }

    fn attach(&mut self, relation: &Relation, table: &Table) -> io::Result<()> {
        self.all(statement::attach(self.schema, relation, table))
    }

    fn keys_and_indexes(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, table) in tables {
            for row in self.schema.constraints_of(relation.id) {
                let index = match row.kind {
                    ConstraintRow::Primary { index }
                    | ConstraintRow::Unique { index }
                    | ConstraintRow::Exclude { index } => index,
                    ConstraintRow::Check { .. } | ConstraintRow::NotNull | ConstraintRow::Foreign(_) => continue,
                };
                writeln!(self.into, "{};", statement::add_constraint(self.schema, row, true))?;
                self.attach_index(index)?;
            }
            for id in &table.indexes {
                self.index(relation, *id)?;
            }
        }
        for (relation, table) in tables {
            if table.replica_identity_full {
                writeln!(self.into, "ALTER TABLE ONLY {} REPLICA IDENTITY FULL;", relation.name)?;
            }
        }
        Ok(())
    }

    fn index(&mut self, table: &Relation, id: RelationId) -> io::Result<()> {
        let Some(relation) = self.schema.get_relation(id) else { return Ok(()) };
        let Some(index) = relation.as_index().filter(|index| index.constraint.is_none()) else { return Ok(()) };
        // An index of a partitioned table is invalid until each partition's is attached: that one can be made.
        if !index.valid && !table.is_partitioned() {
            return writeln!(self.into, "-- An invalid index is left out: only a failed build makes one.");
        }
        let Some(statement) = statement::create_index(self.schema, relation, index, IndexForm::Only) else {
            return writeln!(self.into, "-- An index is left out: its view's columns are not known.");
        };
        writeln!(self.into, "{statement};")?;
        self.attach_index(id)
    }

    fn attach_index(&mut self, id: RelationId) -> io::Result<()> {
        let statement =
            self.schema.get_relation(id).and_then(|relation| statement::attach_index(self.schema, relation));
        self.all(statement)
    }

    /// Parents' keys first: PostgreSQL gives them to the partitions, whose own ones then stay their own.
    fn foreign_keys(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, _) in tables {
            for row in self.schema.constraints_of(relation.id) {
                if row.as_foreign().is_some() && row.parent.is_none() {
                    writeln!(self.into, "{};", statement::add_constraint(self.schema, row, false))?;
                }
            }
        }
        Ok(())
    }

    /// Views after those they read.
    fn views(&mut self) -> io::Result<()> {
        let mut open: Vec<(&Relation, &View)> =
            self.schema.relations().filter_map(|relation| Some((relation, relation.as_view()?))).collect();
        while !open.is_empty() {
            let waiting: std::collections::BTreeSet<RelationId> =
                open.iter().map(|(relation, _)| relation.id).collect();
            let (ready, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|(relation, view)| {
                view.reads.iter().all(|(read, _)| *read == relation.id || !waiting.contains(read))
            });
            // Two views that read each other cannot be: what is left then is written as it comes.
            let (ready, rest) = if ready.is_empty() { (rest, Vec::new()) } else { (ready, rest) };
            for (relation, view) in ready {
                self.view(relation, view)?;
            }
            open = rest;
        }
        Ok(())
    }

    fn view(&mut self, relation: &Relation, view: &View) -> io::Result<()> {
        writeln!(self.into, "{};", statement::create_view(relation, view))?;
        for id in &view.indexes {
            self.index(relation, *id)?;
        }
        for trigger in self.schema.triggers_of(relation.id) {
            self.trigger(trigger)?;
        }
        Ok(())
    }

    fn triggers(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, _) in tables {
            for trigger in self.schema.triggers_of(relation.id) {
                self.trigger(trigger)?;
            }
        }
        Ok(())
    }

    /// Clones on partitions come with the parent's trigger.
    fn trigger(&mut self, trigger: &Trigger) -> io::Result<()> {
        if trigger.parent.is_none() {
            writeln!(self.into, "{};", statement::create_trigger(self.schema, trigger))?;
        }
        self.all(statement::trigger_state(self.schema, trigger))
    }

    fn row_security(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, table) in tables {
            if table.row_security {
                writeln!(self.into, "ALTER TABLE {} ENABLE ROW LEVEL SECURITY;", relation.name)?;
            }
            if table.row_security_forced {
                writeln!(self.into, "ALTER TABLE {} FORCE ROW LEVEL SECURITY;", relation.name)?;
            }
        }
        Ok(())
    }
}
