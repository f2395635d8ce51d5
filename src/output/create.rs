//! A schema as CREATE statements that make it on an empty server, in the order `pg_dump` has found to work.
//!
//! What the model does not hold (a range's subtype, an aggregate's functions, defaults of arguments, options of
//! sequences, policies, rules, grants) cannot be written; where a whole object is missing, a comment says so.

use std::io::{self, Write};

use super::definition::{
    arguments, bound, constraint as definition, index_body, owner, partition_key, relation_name, type_name,
};
use super::schema::{events, update_columns};
use crate::operation::{Ident, Name, Persistence, RoutineKind, TriggerState, TriggerTiming, quoted};
use crate::schema::{
    Column, ColumnId, Constraint, ConstraintRow, Function, IdentityKind, IndexKey, Relation, RelationId, RelationKind,
    Schema, Sequence, Table, TableKind, Trigger, TypeKind, View,
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
            match &one.kind {
                TypeKind::Enum { labels } => {
                    let labels: Vec<String> = labels.iter().map(|label| quoted(&label.text)).collect();
                    writeln!(self.into, "CREATE TYPE {} AS ENUM ({});", one.name, labels.join(", "))?;
                }
                TypeKind::Composite { attributes } => {
                    let attributes: Vec<String> = attributes
                        .iter()
                        .map(|(name, data_type)| format!("{name} {}", type_name(self.schema, data_type)))
                        .collect();
                    writeln!(self.into, "CREATE TYPE {} AS ({});", one.name, attributes.join(", "))?;
                }
                TypeKind::Domain(domain) => {
                    write!(self.into, "CREATE DOMAIN {} AS {}", one.name, type_name(self.schema, &domain.data_type))?;
                    if let Some(default) = &domain.default {
                        write!(self.into, " DEFAULT {}", default.text)?;
                    }
                    if domain.not_null {
                        write!(self.into, " NOT NULL")?;
                    }
                    for check in domain.checks.iter().filter(|check| check.validated) {
                        write!(self.into, " CONSTRAINT {} CHECK ({})", check.name, check.check.text)?;
                    }
                    writeln!(self.into, ";")?;
                    for check in domain.checks.iter().filter(|check| !check.validated) {
                        let (name, text) = (&check.name, &check.check.text);
                        writeln!(
                            self.into,
                            "ALTER DOMAIN {} ADD CONSTRAINT {name} CHECK ({text}) NOT VALID;",
                            one.name
                        )?;
                    }
                }
                TypeKind::Range => writeln!(self.into, "-- A range type is left out: its subtype is not known.")?,
                TypeKind::Base => writeln!(self.into, "-- A base type is left out: its functions are not known.")?,
                TypeKind::Unknown => {}
            }
        }
        Ok(())
    }

    fn sequences(&mut self) -> io::Result<()> {
        for (relation, sequence) in self.all_sequences() {
            let unlogged = if sequence.persistence == Persistence::Unlogged { "UNLOGGED " } else { "" };
            writeln!(self.into, "CREATE {unlogged}SEQUENCE {} AS {};", relation.name, sequence.data_type)?;
        }
        Ok(())
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
        let atomic = function.body.text.trim_start().get(..12).is_some_and(|word| {
            // A body in SQL's own form is parsed when the function is made.
            word.eq_ignore_ascii_case("begin atomic")
        });
        let rows = |name: &Name| self.schema.find(name).is_some();
        atomic || rows(&returned) || function.arguments.iter().any(|argument| rows(&argument.data_type.name))
    }

    fn function(&mut self, function: &Function) -> io::Result<()> {
        let kind = match function.kind {
            RoutineKind::Function => "FUNCTION",
            RoutineKind::Procedure => "PROCEDURE",
            RoutineKind::Aggregate => {
                return writeln!(self.into, "-- An aggregate is left out: its functions are not known.");
            }
        };
        write!(self.into, "CREATE {kind} {}({})", function.name, arguments(&function.arguments))?;
        if !function.returns.is_empty() {
            write!(self.into, " RETURNS {}", function.returns)?;
        }
        write!(self.into, " LANGUAGE {}", function.language)?;
        if function.kind == RoutineKind::Function {
            write!(self.into, " {}", format!("{:?}", function.volatility).to_uppercase())?;
        }
        if function.security_definer {
            write!(self.into, " SECURITY DEFINER")?;
        }
        if let Some(path) = &function.search_path {
            let path: Vec<String> = path.iter().map(|schema| quoted(schema.as_str())).collect();
            let path = if path.is_empty() { "''".to_owned() } else { path.join(", ") };
            write!(self.into, " SET search_path = {path}")?;
        }
        let text = &function.body.text;
        if text.trim_start().get(..12).is_some_and(|word| word.eq_ignore_ascii_case("begin atomic")) {
            return writeln!(self.into, " {text};");
        }
        let tag = dollar_tag(text);
        writeln!(self.into, " AS {tag}{text}{tag};")
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
        if table.kind == TableKind::Foreign {
            return writeln!(self.into, "-- A foreign table is left out: its server is not known.");
        }
        let persistence = match table.persistence {
            Persistence::Permanent => "",
            Persistence::Unlogged => "UNLOGGED ",
            Persistence::Temporary => "TEMPORARY ",
        };
        let mut lines: Vec<String> = Vec::new();
        for column in table.columns.iter().filter(|column| column.local || table.inherits.is_empty()) {
            lines.push(self.column(relation.id, column));
        }
        for check in self.schema.constraints_of(relation.id) {
            let own = check.local || table.inherits.is_empty();
            if matches!(check.kind, ConstraintRow::Check { .. }) && own && check.validated {
                lines.push(format!("CONSTRAINT {} {}", check.name, definition(self.schema, check)));
            }
        }
        let name = match table.persistence {
            Persistence::Temporary => relation.name.name.to_string(),
            Persistence::Permanent | Persistence::Unlogged => relation.name.to_string(),
        };
        write!(self.into, "CREATE {persistence}TABLE {name} (\n    {}\n)", lines.join(",\n    "))?;
        if !table.inherits.is_empty() {
            let parents: Vec<String> = table.inherits.iter().map(|id| relation_name(self.schema, *id)).collect();
            write!(self.into, " INHERITS ({})", parents.join(", "))?;
        }
        if let Some(key) = &table.partition_by {
            write!(self.into, " PARTITION BY {}", partition_key(key))?;
        }
        writeln!(self.into, ";")?;
        self.late_checks(relation)
    }

    /// A CHECK within CREATE TABLE is valid at once, whatever it says; one on an empty table needs the second step.
    fn late_checks(&mut self, relation: &Relation) -> io::Result<()> {
        for check in self.schema.constraints_of(relation.id) {
            let late = matches!(check.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull) && !check.validated;
            if late && check.local {
                self.add_constraint(relation, "", check)?;
            }
        }
        Ok(())
    }

    fn column(&self, table: RelationId, column: &Column) -> String {
        let data_type = column.data_type.as_ref().map(|one| type_name(self.schema, one));
        // Only an assumed table has a column without a type; PostgreSQL needs one.
        let mut text = format!("{} {}", column.name, data_type.as_deref().unwrap_or("text"));
        if let Some(collation) = &column.collation {
            text.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(generated) = &column.generated {
            let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
            text.push_str(&format!(" GENERATED ALWAYS AS ({}) {stored}", generated.expression.text));
        } else if let Some(identity) = column.identity {
            let words = match identity {
                IdentityKind::Always => "ALWAYS",
                IdentityKind::ByDefault => "BY DEFAULT",
            };
            text.push_str(&format!(" GENERATED {words} AS IDENTITY"));
            if let Some(sequence) = column.sequence {
                text.push_str(&format!(" (SEQUENCE NAME {})", relation_name(self.schema, sequence)));
            }
        } else if let Some(default) = &column.default {
            text.push_str(&format!(" DEFAULT {}", default.text));
        }
        let named = self.schema.constraints_of(table).find(|constraint| {
            matches!(constraint.kind, ConstraintRow::NotNull) && constraint.columns.as_slice() == [column.id]
        });
        match named {
            Some(row) if row.validated => {
                let inherit = if row.no_inherit { " NO INHERIT" } else { "" };
                text.push_str(&format!(" CONSTRAINT {} NOT NULL{inherit}", row.name));
            }
            None if column.not_null => text.push_str(" NOT NULL"),
            Some(_) | None => {}
        }
        text
    }

    fn attach(&mut self, relation: &Relation, table: &Table) -> io::Result<()> {
        let Some(place) = &table.partition_of else { return Ok(()) };
        let Some(parent) = self.schema.get_relation(place.parent) else { return Ok(()) };
        let bound = bound(&place.bound, parent.as_table());
        writeln!(self.into, "ALTER TABLE ONLY {} ATTACH PARTITION {} {bound};", parent.name, relation.name)
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
                self.add_constraint(relation, "ONLY ", row)?;
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
        let unknown = index.parts.iter().any(|part| matches!(part.key, IndexKey::Column(ColumnId(0))));
        if unknown {
            return writeln!(self.into, "-- An index is left out: its view's columns are not known.");
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        let body = index_body(self.schema, index, "");
        writeln!(self.into, "CREATE {unique}INDEX {} ON ONLY {} {body};", relation.name.name, table.name)?;
        self.attach_index(id)
    }

    fn attach_index(&mut self, id: RelationId) -> io::Result<()> {
        let Some(relation) = self.schema.get_relation(id) else { return Ok(()) };
        let Some(parent) = relation.as_index().and_then(|index| index.parent) else { return Ok(()) };
        let parent = relation_name(self.schema, parent);
        writeln!(self.into, "ALTER INDEX {parent} ATTACH PARTITION {};", relation.name)
    }

    /// Parents' keys first: PostgreSQL gives them to the partitions, whose own ones then stay their own.
    fn foreign_keys(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, _) in tables {
            for row in self.schema.constraints_of(relation.id) {
                if row.as_foreign().is_some() && row.parent.is_none() {
                    self.add_constraint(relation, "", row)?;
                }
            }
        }
        Ok(())
    }

    fn add_constraint(&mut self, relation: &Relation, only: &str, row: &Constraint) -> io::Result<()> {
        let definition = definition(self.schema, row);
        writeln!(self.into, "ALTER TABLE {only}{} ADD CONSTRAINT {} {definition};", relation.name, row.name)
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
        let (kind, data) = match (view.materialized, view.populated) {
            (false, _) => ("VIEW", ""),
            (true, true) => ("MATERIALIZED VIEW", " WITH DATA"),
            (true, false) => ("MATERIALIZED VIEW", " WITH NO DATA"),
        };
        let columns: Vec<String> = view.columns.iter().map(Ident::to_string).collect();
        let columns = match view.columns_known && !columns.is_empty() {
            true => format!(" ({})", columns.join(", ")),
            false => String::new(),
        };
        writeln!(self.into, "CREATE {kind} {}{columns} AS {}{data};", relation.name, view.text)?;
        for id in &view.indexes {
            self.index(relation, *id)?;
        }
        for trigger in self.schema.triggers_of(relation.id) {
            self.trigger(relation, trigger)?;
        }
        Ok(())
    }

    fn triggers(&mut self, tables: &Tables) -> io::Result<()> {
        for (relation, _) in tables {
            for trigger in self.schema.triggers_of(relation.id) {
                self.trigger(relation, trigger)?;
            }
        }
        Ok(())
    }

    /// Clones on partitions come with the parent's trigger.
    fn trigger(&mut self, relation: &Relation, trigger: &Trigger) -> io::Result<()> {
        if trigger.parent.is_none() {
            self.create_trigger(relation, trigger)?;
        }
        let state = match trigger.enabled {
            TriggerState::Origin => return Ok(()),
            TriggerState::Disabled => "DISABLE",
            TriggerState::Replica => "ENABLE REPLICA",
            TriggerState::Always => "ENABLE ALWAYS",
        };
        writeln!(self.into, "ALTER TABLE ONLY {} {state} TRIGGER {};", relation.name, trigger.name)
    }

    fn create_trigger(&mut self, relation: &Relation, trigger: &Trigger) -> io::Result<()> {
        let timing = match trigger.timing {
            TriggerTiming::Before => "BEFORE",
            TriggerTiming::After => "AFTER",
            TriggerTiming::InsteadOf => "INSTEAD OF",
        };
        let columns = update_columns(self.schema, trigger);
        let words: Vec<String> = events(&trigger.events)
            .into_iter()
            .map(|event| match event {
                "update" if !columns.is_empty() => format!("UPDATE OF {columns}"),
                event => event.to_uppercase(),
            })
            .collect();
        let constraint = if trigger.constraint { "CONSTRAINT " } else { "" };
        let head = format!("CREATE {constraint}TRIGGER {} {timing} {}", trigger.name, words.join(" OR "));
        write!(self.into, "{head} ON {}", relation.name)?;
        if trigger.deferrable {
            write!(self.into, " DEFERRABLE")?;
        }
        if trigger.initially_deferred {
            write!(self.into, " INITIALLY DEFERRED")?;
        }
        let tables = [("OLD", &trigger.old_table), ("NEW", &trigger.new_table)];
        if tables.iter().any(|(_, table)| table.is_some()) {
            write!(self.into, " REFERENCING")?;
        }
        for (word, table) in tables {
            if let Some(table) = table {
                write!(self.into, " {word} TABLE AS {table}")?;
            }
        }
        write!(self.into, " FOR EACH {}", if trigger.for_each_row { "ROW" } else { "STATEMENT" })?;
        if let Some(when) = &trigger.when {
            write!(self.into, " WHEN ({})", when.text)?;
        }
        let function = match trigger.function {
            Some(id) => self.schema.function(id).name.to_string(),
            None => trigger.function_name.to_string(),
        };
        let given: Vec<String> = trigger.arguments.iter().map(|argument| quoted(argument)).collect();
        writeln!(self.into, " EXECUTE FUNCTION {function}({});", given.join(", "))
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

/// A dollar quote that the text does not hold.
fn dollar_tag(text: &str) -> String {
    let mut tag = "$$".to_owned();
    let mut number = 0;
    while text.contains(&tag) || text.ends_with('$') && tag == "$$" {
        number += 1;
        tag = format!("$body{number}$");
    }
    tag
}
