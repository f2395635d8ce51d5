//! Objects of a schema as the statements that make them, without their semicolons. What the model does not hold of an
//! object cannot be written.

use super::definition::{
    arguments, bound, column_list, constraint as definition, index_body, partition_key, relation_name, type_name,
};
use super::{
    Column, ColumnId, Constraint, ConstraintRow, Function, IdentityKind, Index, IndexKey, Relation, RelationId, Schema,
    Sequence, Table, TableKind, Trigger, Type, TypeKind, View,
};
use crate::operation::{
    Expr, Expression, Ident, Persistence, RoutineKind, TriggerEvents, TriggerState, TriggerTiming, quoted,
};

/// CREATE TABLE with its columns and the checks that are valid at once; `None` for a foreign table, whose server is
/// not known.
pub fn create_table(schema: &Schema, relation: &Relation, table: &Table) -> Option<String> {
    if table.kind == TableKind::Foreign {
        return None;
    }
    let persistence = match table.persistence {
        Persistence::Permanent => "",
        Persistence::Unlogged => "UNLOGGED ",
        Persistence::Temporary => "TEMPORARY ",
    };
    let mut lines: Vec<String> = Vec::new();
    for own in table.columns.iter().filter(|column| column.local || table.inherits.is_empty()) {
        lines.push(column(schema, relation.id, own));
    }
    for check in schema.constraints_of(relation.id) {
        let own = check.local || table.inherits.is_empty();
        if matches!(check.kind, ConstraintRow::Check { .. }) && own && check.validated {
            lines.push(format!("CONSTRAINT {} {}", check.name, definition(schema, check)));
        }
    }
    let name = match table.persistence {
        Persistence::Temporary => relation.name.name.to_string(),
        Persistence::Permanent | Persistence::Unlogged => relation.name.to_string(),
    };
    let mut text = format!("CREATE {persistence}TABLE {name} (\n    {}\n)", lines.join(",\n    "));
    if !table.inherits.is_empty() {
        let parents: Vec<String> = table.inherits.iter().map(|id| relation_name(schema, *id)).collect();
        text.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    if let Some(key) = &table.partition_by {
        text.push_str(&format!(" PARTITION BY {}", partition_key(key)));
    }
    Some(text)
}

/// The checks that CREATE TABLE cannot say: one written there is valid at once, whatever it says.
pub fn late_checks(schema: &Schema, table: RelationId) -> Vec<String> {
    let late = schema.constraints_of(table).filter(|check| {
        matches!(check.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull) && !check.validated && check.local
    });
    late.map(|check| add_constraint(schema, check, false)).collect()
}

/// A default as it prints now: it holds on to its sequence, whatever that was called when the default was made.
pub fn default_text(schema: &Schema, column: &Column, default: &Expression) -> String {
    let sequence = column.sequence.and_then(|id| schema.get_relation(id));
    let is_bare = matches!(&default.tree, Expr::Call { function, .. } if function.name == "nextval");
    let is_renamed = |sequence: &&Relation| is_bare && !default.text.contains(sequence.name.name.as_str());
    match sequence.filter(is_renamed) {
        Some(sequence) => format!("nextval({}::regclass)", quoted(&sequence.name.to_string())),
        None => default.text.to_string(),
    }
}

/// A column as CREATE TABLE and ADD COLUMN take it.
pub fn column(schema: &Schema, table: RelationId, column: &Column) -> String {
    let data_type = column.data_type.as_ref().map(|one| type_name(schema, one));
    // Only an assumed table has a column without a type; PostgreSQL needs one.
    let mut text = format!("{} {}", column.name, data_type.as_deref().unwrap_or("text"));
    if let Some(collation) = &column.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(generated) = &column.generated {
        let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
        text.push_str(&format!(" GENERATED ALWAYS AS ({}) {stored}", generated.expression.text));
    } else if let Some(kind) = column.identity {
        text.push_str(&format!(" {}", identity(schema, column, kind)));
    } else if let Some(default) = &column.default {
        text.push_str(&format!(" DEFAULT {}", default_text(schema, column, default)));
    }
    let named = schema.constraints_of(table).find(|constraint| {
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

/// `GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME …)`.
pub fn identity(schema: &Schema, column: &Column, kind: IdentityKind) -> String {
    let words = match kind {
        IdentityKind::Always => "ALWAYS",
        IdentityKind::ByDefault => "BY DEFAULT",
    };
    let sequence = column.sequence.map(|sequence| format!(" (SEQUENCE NAME {})", relation_name(schema, sequence)));
    format!("GENERATED {words} AS IDENTITY{}", sequence.unwrap_or_default())
}

/// ATTACH PARTITION, where the table is a partition.
pub fn attach(schema: &Schema, relation: &Relation, table: &Table) -> Option<String> {
    let place = table.partition_of.as_ref()?;
    let parent = schema.get_relation(place.parent)?;
    let bound = bound(&place.bound, parent.as_table());
    Some(format!("ALTER TABLE ONLY {} ATTACH PARTITION {} {bound}", parent.name, relation.name))
}

/// How an index is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexForm {
    Plain,
    /// Of a partitioned table: without those of its partitions.
    Only,
    Concurrently,
}

/// CREATE INDEX; `None` for an index over columns of a view that are not known.
pub fn create_index(schema: &Schema, relation: &Relation, index: &Index, form: IndexForm) -> Option<String> {
    if index.parts.iter().any(|part| matches!(part.key, IndexKey::Column(ColumnId(0)))) {
        return None;
    }
    let table = schema.get_relation(index.table)?;
    let unique = if index.unique { "UNIQUE " } else { "" };
    let body = index_body(schema, index, "");
    let name = &relation.name.name;
    Some(match form {
        IndexForm::Plain => format!("CREATE {unique}INDEX {name} ON {} {body}", table.name),
        IndexForm::Only => format!("CREATE {unique}INDEX {name} ON ONLY {} {body}", table.name),
        IndexForm::Concurrently => {
            format!("CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {name} ON {} {body}", table.name)
        }
    })
}

/// ALTER INDEX … ATTACH PARTITION, where the index has a parent.
pub fn attach_index(schema: &Schema, relation: &Relation) -> Option<String> {
    let parent = relation.as_index()?.parent?;
    Some(format!("ALTER INDEX {} ATTACH PARTITION {}", relation_name(schema, parent), relation.name))
}

/// ALTER TABLE … ADD CONSTRAINT, with all that the constraint says.
pub fn add_constraint(schema: &Schema, row: &Constraint, only: bool) -> String {
    let only = if only { "ONLY " } else { "" };
    let table = relation_name(schema, row.table);
    format!("ALTER TABLE {only}{table} ADD CONSTRAINT {} {}", row.name, definition(schema, row))
}

/// CREATE VIEW; the indexes and triggers of a view are written by themselves.
pub fn create_view(relation: &Relation, view: &View) -> String {
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
    format!("CREATE {kind} {}{columns} AS {}{data}", relation.name, view.text)
}

/// `insert`, `update` …, as a trigger names them.
pub fn events(events: &TriggerEvents) -> Vec<&'static str> {
    let all = [
        (events.insert, "insert"),
        (events.update, "update"),
        (events.delete, "delete"),
        (events.truncate, "truncate"),
    ];
    all.into_iter().filter(|(said, _)| *said).map(|(_, word)| word).collect()
}

/// CREATE TRIGGER on a table or view of that name.
pub fn create_trigger(schema: &Schema, trigger: &Trigger) -> String {
    let timing = match trigger.timing {
        TriggerTiming::Before => "BEFORE",
        TriggerTiming::After => "AFTER",
        TriggerTiming::InsteadOf => "INSTEAD OF",
    };
    let columns = column_list(schema, trigger.table, &trigger.update_columns);
    let words: Vec<String> = events(&trigger.events)
        .into_iter()
        .map(|event| match event {
            "update" if !columns.is_empty() => format!("UPDATE OF {columns}"),
            event => event.to_uppercase(),
        })
        .collect();
    let constraint = if trigger.constraint { "CONSTRAINT " } else { "" };
    let table = relation_name(schema, trigger.table);
    let mut text = format!("CREATE {constraint}TRIGGER {} {timing} {} ON {table}", trigger.name, words.join(" OR "));
    if trigger.deferrable {
        text.push_str(" DEFERRABLE");
    }
    if trigger.initially_deferred {
        text.push_str(" INITIALLY DEFERRED");
    }
    let tables = [("OLD", &trigger.old_table), ("NEW", &trigger.new_table)];
    if tables.iter().any(|(_, table)| table.is_some()) {
        text.push_str(" REFERENCING");
    }
    for (word, table) in tables {
        if let Some(table) = table {
            text.push_str(&format!(" {word} TABLE AS {table}"));
        }
    }
    text.push_str(if trigger.for_each_row { " FOR EACH ROW" } else { " FOR EACH STATEMENT" });
    if let Some(when) = &trigger.when {
        text.push_str(&format!(" WHEN ({})", when.text));
    }
    let function = match trigger.function.and_then(|id| schema.get_function(id)) {
        Some(function) => function.name.to_string(),
        None => trigger.function_name.to_string(),
    };
    let given: Vec<String> = trigger.arguments.iter().map(|argument| quoted(argument)).collect();
    format!("{text} EXECUTE FUNCTION {function}({})", given.join(", "))
}

/// ENABLE or DISABLE, where a trigger is not as it is made.
pub fn trigger_state(schema: &Schema, trigger: &Trigger) -> Option<String> {
    (trigger.enabled != TriggerState::Origin).then(|| set_trigger(schema, trigger, trigger.enabled))
}

/// Sets whether a trigger fires.
pub fn set_trigger(schema: &Schema, trigger: &Trigger, state: TriggerState) -> String {
    let words = match state {
        TriggerState::Origin => "ENABLE",
        TriggerState::Disabled => "DISABLE",
        TriggerState::Replica => "ENABLE REPLICA",
        TriggerState::Always => "ENABLE ALWAYS",
    };
    format!("ALTER TABLE ONLY {} {words} TRIGGER {}", relation_name(schema, trigger.table), trigger.name)
}

/// CREATE SEQUENCE; the column that owns it is said later.
pub fn create_sequence(relation: &Relation, sequence: &Sequence) -> String {
    let unlogged = if sequence.persistence == Persistence::Unlogged { "UNLOGGED " } else { "" };
    format!("CREATE {unlogged}SEQUENCE {} AS {}", relation.name, sequence.data_type)
}

/// CREATE TYPE or DOMAIN with what must follow; `None` for types whose parts are not known.
pub fn create_type(schema: &Schema, one: &Type) -> Option<Vec<String>> {
    match &one.kind {
        TypeKind::Enum { labels } => {
            let labels: Vec<String> = labels.iter().map(|label| quoted(&label.text)).collect();
            Some(vec![format!("CREATE TYPE {} AS ENUM ({})", one.name, labels.join(", "))])
        }
        TypeKind::Composite { attributes } => {
            let attributes: Vec<String> =
                attributes.iter().map(|(name, data_type)| format!("{name} {}", type_name(schema, data_type))).collect();
            Some(vec![format!("CREATE TYPE {} AS ({})", one.name, attributes.join(", "))])
        }
        TypeKind::Domain(domain) => {
            let mut text = format!("CREATE DOMAIN {} AS {}", one.name, type_name(schema, &domain.data_type));
            if let Some(default) = &domain.default {
                text.push_str(&format!(" DEFAULT {}", default.text));
            }
            if domain.not_null {
                text.push_str(" NOT NULL");
            }
            for check in domain.checks.iter().filter(|check| check.validated) {
                text.push_str(&format!(" CONSTRAINT {} CHECK ({})", check.name, check.check.text));
            }
            let late = domain.checks.iter().filter(|check| !check.validated).map(|check| {
                let (name, text) = (&check.name, &check.check.text);
                format!("ALTER DOMAIN {} ADD CONSTRAINT {name} CHECK ({text}) NOT VALID", one.name)
            });
            Some(std::iter::once(text).chain(late).collect())
        }
        TypeKind::Range | TypeKind::Base | TypeKind::Unknown => None,
    }
}

/// CREATE FUNCTION or PROCEDURE; `None` for aggregates, whose functions are not known.
pub fn create_function(function: &Function, replace: bool) -> Option<String> {
    let kind = match function.kind {
        RoutineKind::Function => "FUNCTION",
        RoutineKind::Procedure => "PROCEDURE",
        RoutineKind::Aggregate => return None,
    };
    let replace = if replace { "OR REPLACE " } else { "" };
    let mut text = format!("CREATE {replace}{kind} {}({})", function.name, arguments(&function.arguments));
    if !function.returns.is_empty() {
        text.push_str(&format!(" RETURNS {}", function.returns));
    }
    text.push_str(&format!(" LANGUAGE {}", function.language));
    if function.kind == RoutineKind::Function {
        text.push_str(&format!(" {}", format!("{:?}", function.volatility).to_uppercase()));
    }
    if function.security_definer {
        text.push_str(" SECURITY DEFINER");
    }
    if let Some(path) = &function.search_path {
        let path: Vec<String> = path.iter().map(|schema| quoted(schema.as_str())).collect();
        let path = if path.is_empty() { "''".to_owned() } else { path.join(", ") };
        text.push_str(&format!(" SET search_path = {path}"));
    }
    let body = &function.body.text;
    if is_atomic(function) {
        return Some(format!("{text} {body}"));
    }
    let tag = dollar_tag(body);
    Some(format!("{text} AS {tag}{body}{tag}"))
}

/// A body in SQL's own form, which is parsed when the function is made.
pub fn is_atomic(function: &Function) -> bool {
    let start = function.body.text.trim_start().get(..12);
    start.is_some_and(|word| word.eq_ignore_ascii_case("begin atomic"))
}

/// A dollar quote that the text does not hold.
pub fn dollar_tag(text: &str) -> String {
    let mut tag = "$$".to_owned();
    let mut number = 0;
    while text.contains(&tag) || text.ends_with('$') && tag == "$$" {
        number += 1;
        tag = format!("$body{number}$");
    }
    tag
}
