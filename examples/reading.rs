//! What was read of SQL files, one JSON line per statement: to be compared with PostgreSQL's own grammar.

use std::io::{self, BufWriter, Write as _};

use plimsoll::operation::*;
use plimsoll::read::sql;
use plimsoll::source::Sources;
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for root in std::env::args().skip(1) {
        let files = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
        for file in files.filter(|file| {
            file.file_type().is_file()
                && file.path().extension().is_some_and(|ending| ending == "sql" || ending == "postgres")
        }) {
            let text = String::from_utf8_lossy(&std::fs::read(file.path())?).into_owned();
            let mut sources = Sources::default();
            let id = sources.add(file.path().display().to_string(), text);
            let read = sql::read(&sources.piece(id));
            let mut statements = Vec::new();
            read.nodes.iter().for_each(|node| node.statements(&mut |statement| statements.push(statement)));
            for statement in statements {
                let (kind, relation, facts) = facts(&statement.operation);
                let line = json!({
                    "path": sources.path(id), "start": statement.span.start, "end": statement.span.end,
                    "kind": kind, "relation": relation, "facts": facts,
                });
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

/// Names without quotes, as the oracle has them.
fn plain(name: &Name) -> Value {
    match &name.schema {
        Some(schema) => format!("{}.{}", schema.as_str(), name.name.as_str()).into(),
        None => name.name.as_str().into(),
    }
}

fn idents(list: &[Ident]) -> Value {
    list.iter().map(Ident::as_str).collect::<Vec<_>>().into()
}

fn names(list: &[Name]) -> Value {
    list.iter().map(plain).collect::<Vec<_>>().into()
}

fn object(kind: ObjectKind) -> String {
    let debug = format!("{kind:?}");
    let mut words = String::new();
    for letter in debug.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn action(action: Action) -> &'static str {
    match action {
        Action::NoAction => "no action",
        Action::Restrict => "restrict",
        Action::Cascade => "cascade",
        Action::SetNull => "set null",
        Action::SetDefault => "set default",
    }
}

fn constraint(constraint: &ConstraintDefinition) -> Value {
    let mut found = json!({
        "name": constraint.name.as_ref().map(Ident::as_str), "not_valid": constraint.not_valid,
        "not_enforced": constraint.not_enforced, "deferrable": constraint.deferrable,
        "initdeferred": constraint.initially_deferred, "no_inherit": constraint.no_inherit,
    });
    let more = match &constraint.kind {
        ConstraintKind::Check(check) => {
            let mut columns: Vec<&str> = check.tree.columns().into_iter().map(Ident::as_str).collect();
            columns.sort_unstable();
            columns.dedup();
            json!({"type": "check", "check_columns": columns})
        }
        ConstraintKind::NotNull(column) => json!({"type": "notnull", "columns": [column.as_str()]}),
        ConstraintKind::Unique(key) => keyed("unique", key),
        ConstraintKind::Primary(key) => keyed("primary", key),
        ConstraintKind::Exclude { method, elements, filter, .. } => {
            let columns: Vec<Value> = elements.iter().map(|element| part(&element.part)).collect();
            let method = method.as_ref().map_or("btree", Ident::as_str);
            json!({"type": "exclusion", "columns": columns, "method": method, "has_where": filter.is_some()})
        }
        ConstraintKind::Foreign(key) => json!({
            "type": "foreign", "columns": idents(&key.columns), "ref": plain(&key.references),
            "ref_columns": idents(&key.referenced_columns), "on_delete": action(key.on_delete),
            "on_update": action(key.on_update), "match": if key.match_full { "f" } else { "s" },
            "del_set_cols": idents(&key.on_delete_columns),
        }),
    };
    merge(&mut found, more);
    found
}

fn keyed(kind: &str, key: &Key) -> Value {
    json!({
        "type": kind, "columns": idents(&key.columns), "using_index": key.using_index.as_ref().map(Ident::as_str),
        "include": idents(&key.include), "nulls_not_distinct": key.nulls_not_distinct,
        "without_overlaps": key.without_overlaps,
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

fn part(part: &KeyPart) -> Value {
    match part {
        KeyPart::Column(name) => name.as_str().into(),
        KeyPart::Expression(_) => Value::Null,
    }
}

fn column(column: &ColumnDefinition) -> Value {
    json!({
        "name": column.name.as_str(), "type": column.data_type.as_ref().map(TypeName::to_string),
        "serial": column.serial, "collate": column.collation.as_ref().map(plain),
        "not_null": column.not_null.is_some()
            || column.constraints.iter().any(|one| matches!(one.kind, ConstraintKind::Primary(_))),
        "default": column.default.as_ref().map(|default| &*default.text),
        "identity": column.identity.as_ref().map(|one| if one.always { "always" } else { "by default" }),
        "generated": column.generated.as_ref().map(|one| if one.stored { "stored" } else { "virtual" }),
        "constraints": column.constraints.iter().map(constraint).collect::<Vec<_>>(),
        "storage": column.storage.as_ref().map(Ident::as_str),
    })
}

fn bound(bound: &Bound) -> Value {
    match bound {
        Bound::Default => json!({"default": true}),
        Bound::List(values) => json!({"in": values.len()}),
        Bound::Range { from, to } => json!({"from": from.len(), "to": to.len()}),
        Bound::Hash { modulus, remainder } => json!({"modulus": modulus, "remainder": remainder}),
    }
}

fn table_action(kind: &TableActionKind) -> Value {
    use TableActionKind::*;
    match kind {
        AddColumn { column: one, if_not_exists } => {
            json!({"cmd": "AddColumn", "name": one.name.as_str(), "column": column(one), "missing_ok": if_not_exists})
        }
        DropColumn { column, if_exists, cascade } => {
            json!({"cmd": "DropColumn", "name": column.as_str(), "missing_ok": if_exists, "cascade": cascade})
        }
        AlterColumnType { column, data_type, collation, using } => json!({
            "cmd": "AlterColumnType", "name": column.as_str(), "type": data_type.to_string(),
            "collate": collation.as_ref().map(plain), "using": using.is_some(),
        }),
        SetDefault { column, .. } => json!({"cmd": "ColumnDefault", "name": column.as_str(), "action": "set"}),
        DropDefault { column } => json!({"cmd": "ColumnDefault", "name": column.as_str(), "action": "drop"}),
        SetNotNull { column } => json!({"cmd": "SetNotNull", "name": column.as_str()}),
        DropNotNull { column } => json!({"cmd": "DropNotNull", "name": column.as_str()}),
        SetExpression { column, .. } => json!({"cmd": "SetExpression", "name": column.as_str()}),
        DropExpression { column, if_exists } => {
            json!({"cmd": "DropExpression", "name": column.as_str(), "missing_ok": if_exists})
        }
        AddIdentity { column, .. } => json!({"cmd": "AddIdentity", "name": column.as_str()}),
        AlterIdentity { column, .. } => json!({"cmd": "SetIdentity", "name": column.as_str()}),
        DropIdentity { column, if_exists } => {
            json!({"cmd": "DropIdentity", "name": column.as_str(), "missing_ok": if_exists})
        }
        SetStatistics { column } => json!({"cmd": "SetStatistics", "name": column.as_str()}),
        SetStorage { column } => json!({"cmd": "SetStorage", "name": column.as_str()}),
        SetCompression { column } => json!({"cmd": "SetCompression", "name": column.as_str()}),
        SetColumnOptions { column } => json!({"cmd": "SetOptions", "name": column.as_str()}),
        AddConstraint(one) => json!({"cmd": "AddConstraint", "constraint": constraint(one)}),
        AlterConstraint { name, deferrable, initially_deferred, .. } => json!({
            "cmd": "AlterConstraint", "name": name.as_str(),
            "deferrable": deferrable, "initdeferred": initially_deferred,
        }),
        ValidateConstraint { name } => json!({"cmd": "ValidateConstraint", "name": name.as_str()}),
        DropConstraint { name, if_exists, cascade } => {
            json!({"cmd": "DropConstraint", "name": name.as_str(), "missing_ok": if_exists, "cascade": cascade})
        }
        SetTrigger { which, enabled } => {
            let verb = match enabled {
                TriggerState::Origin => "EnableTrig",
                TriggerState::Disabled => "DisableTrig",
                TriggerState::Replica => "EnableReplicaTrig",
                TriggerState::Always => "EnableAlwaysTrig",
            };
            match which {
                TriggerChoice::Named(name) => json!({"cmd": verb, "name": name.as_str()}),
                TriggerChoice::All => json!({"cmd": format!("{verb}All")}),
                TriggerChoice::User => json!({"cmd": format!("{verb}User")}),
            }
        }
        SetRule { name } => json!({"cmd": "Rule", "name": name.as_str()}),
        SetRowSecurity { enabled, forced } => json!({"cmd": match (enabled, forced) {
            (Some(true), _) => "EnableRowSecurity",
            (Some(false), _) => "DisableRowSecurity",
            (None, Some(true)) => "ForceRowSecurity",
            (None, _) => "NoForceRowSecurity",
        }}),
        ClusterOn { index } => json!({"cmd": "ClusterOn", "name": index.as_str()}),
        SetWithoutCluster => json!({"cmd": "DropCluster"}),
        SetWithoutOids => json!({"cmd": "DropOids"}),
        SetTablespace { tablespace } => json!({"cmd": "SetTableSpace", "name": tablespace.as_str()}),
        SetAccessMethod { method } => {
            json!({"cmd": "SetAccessMethod", "name": method.as_ref().map(Ident::as_str)})
        }
        SetLogged { logged } => json!({"cmd": if *logged { "SetLogged" } else { "SetUnLogged" }}),
        SetOptions(list) => json!({"cmd": "SetRelOptions", "options": options(list)}),
        ResetOptions(list) => json!({"cmd": "ResetRelOptions", "options": options(list)}),
        Inherit { parent } => json!({"cmd": "AddInherit", "relation": plain(parent)}),
        NoInherit { parent } => json!({"cmd": "DropInherit", "relation": plain(parent)}),
        OfType { .. } => json!({"cmd": "AddOf"}),
        NotOf => json!({"cmd": "DropOf"}),
        Owner { owner } => json!({"cmd": "ChangeOwner", "owner": owner.as_str()}),
        ReplicaIdentity(_) => json!({"cmd": "ReplicaIdentity"}),
        AttachPartition { partition, bound: of } => {
            json!({"cmd": "AttachPartition", "partition": plain(partition), "bound": bound(of)})
        }
        DetachPartition { partition, concurrently, finalize } => json!({
            "cmd": if *finalize { "DetachPartitionFinalize" } else { "DetachPartition" },
            "partition": plain(partition), "concurrent": concurrently,
        }),
        Other { what } => json!({"cmd": "GenericOptions", "what": &**what}),
        Unread { reason } => json!({"cmd": "UNREAD", "reason": &**reason}),
    }
}

fn options(list: &[Parameter]) -> Value {
    list.iter().map(|one| one.name.to_ascii_lowercase()).collect::<Vec<_>>().into()
}

fn persistence(of: Persistence) -> &'static str {
    match of {
        Persistence::Permanent => "p",
        Persistence::Unlogged => "u",
        Persistence::Temporary => "t",
    }
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}

fn facts(operation: &Operation) -> (&'static str, Value, Value) {
    use Operation::*;
    match operation {
        CreateTable(table) => create_table(table),
        CreateTableAs(table) => (
            "CreateTableAs",
            plain(&table.name),
            json!({"if_not_exists": table.if_not_exists, "with_data": table.with_data,
                   "persistence": persistence(table.persistence), "object": "table"}),
        ),
        AlterTable(alter) => (
            "AlterTable",
            plain(&alter.table),
            json!({"object": object(alter.target), "only": alter.only, "missing_ok": alter.if_exists,
                   "cmds": alter.actions.iter().map(|one| table_action(&one.kind)).collect::<Vec<_>>()}),
        ),
        Rename(rename) => (
            "Rename",
            plain(&rename.object),
            json!({"object": object(rename.kind), "new": rename.to.as_str(), "missing_ok": rename.if_exists,
                   "old": rename.part.as_ref().map(Ident::as_str)}),
        ),
        SetSchema(set) => (
            "SetSchema",
            plain(&set.name),
            json!({"object": object(set.kind), "new": set.schema.as_str(), "missing_ok": set.if_exists}),
        ),
        Drop(drop) => {
            let targets = drop.targets.iter().map(|target| plain(target.on.as_ref().unwrap_or(&target.name)));
            let all = drop.targets.iter().map(|target| plain(&target.name)).collect::<Vec<_>>();
            (
                "Drop",
                targets.collect::<Vec<_>>().into(),
                json!({"object": object(drop.kind), "names": all, "concurrent": drop.concurrently,
                       "missing_ok": drop.if_exists, "cascade": drop.cascade}),
            )
        }
        CreateIndex(index) => (
            "CreateIndex",
            plain(&index.table),
            json!({"name": index.name.as_ref().map(Ident::as_str),
                   "columns": index.parts.iter().map(|one| part(&one.key)).collect::<Vec<_>>(),
                   "unique": index.unique, "concurrent": index.concurrently, "if_not_exists": index.if_not_exists,
                   "has_where": index.filter.is_some(), "method": index.method.as_str(), "only": index.only,
                   "include": idents(&index.include), "nulls_not_distinct": index.nulls_not_distinct}),
        ),
        AlterIndex(alter) => ("AlterIndex", plain(&alter.index), json!({"missing_ok": alter.if_exists})),
        Reindex(reindex) => ("Reindex", Value::Null, json!({"concurrent": reindex.concurrently})),
        CreateView(view) => (
            if view.materialized { "CreateTableAs" } else { "CreateView" },
            plain(&view.name),
            json!({"replace": view.or_replace, "if_not_exists": view.if_not_exists, "with_data": view.with_data,
                   "object": "materialized view", "persistence": if view.temporary { "t" } else { "p" }}),
        ),
        RefreshView(view) => {
            ("RefreshView", plain(&view.view), json!({"concurrent": view.concurrently, "with_data": view.with_data}))
        }
        CreateSequence(one) => ("CreateSequence", plain(&one.name), json!({"if_not_exists": one.if_not_exists})),
        AlterSequence(one) => ("AlterSequence", plain(&one.name), json!({"missing_ok": one.if_exists})),
        CreateType(one) => (
            "CreateType",
            plain(&one.name),
            match &one.kind {
                TypeForm::Enum { labels } => json!({"values": labels.iter().map(|one| &**one).collect::<Vec<_>>()}),
                TypeForm::Composite { attributes } => {
                    let list = attributes.iter().map(|(name, of)| json!([name.as_str(), of.to_string()]));
                    json!({"attributes": list.collect::<Vec<_>>()})
                }
                TypeForm::Range | TypeForm::Base => json!({}),
            },
        ),
        AlterType(one) => ("AlterType", plain(&one.name), alter_type(&one.action)),
        CreateDomain(one) => (
            "CreateDomain",
            plain(&one.name),
            json!({"type": one.data_type.to_string(), "not_null": one.not_null, "checks": one.checks.len(),
                   "default": one.default.is_some()}),
        ),
        AlterDomain(one) => ("AlterDomain", plain(&one.name), json!({})),
        CreateFunction(one) => (
            "CreateFunction",
            plain(&one.name),
            json!({"language": one.language.as_str(), "replace": one.or_replace,
                   "procedure": one.kind == RoutineKind::Procedure, "aggregate": one.kind == RoutineKind::Aggregate,
                   "args": one.arguments.iter().map(|one| text(&one.data_type)).collect::<Vec<_>>(),
                   "returns": &*one.returns, "volatility": format!("{:?}", one.volatility).to_lowercase(),
                   "unread": one.body.unread.iter().map(|(_, why)| &**why).collect::<Vec<_>>()}),
        ),
        CreateTrigger(one) => create_trigger(one),
        CreateRule(one) => (
            "CreateRule",
            plain(&one.table),
            json!({"name": one.name.as_str(), "instead": one.instead, "replace": one.or_replace}),
        ),
        CreatePolicy(one) => ("CreatePolicy", plain(&one.table), json!({"name": one.name.as_str()})),
        AlterPolicy(one) => ("AlterPolicy", plain(&one.table), json!({"name": one.name.as_str()})),
        CreateSchema(one) => (
            "CreateSchema",
            Value::Null,
            json!({"schema": one.name.as_str(), "if_not_exists": one.if_not_exists, "elements": one.elements.len()}),
        ),
        CreateExtension(one) => {
            ("CreateExtension", Value::Null, json!({"name": one.name.as_str(), "if_not_exists": one.if_not_exists}))
        }
        CreateStatistics(one) => (
            "CreateStatistics",
            json!([plain(&one.table)]),
            json!({"name": one.name.as_ref().map(plain), "if_not_exists": one.if_not_exists}),
        ),
        Publication(one) => ("Publication", Value::Null, json!({"name": one.name.as_str()})),
        Comment(one) => (
            "Comment",
            Value::Null,
            json!({"object": object(one.kind), "named": plain(&one.object),
                   "part": one.part.as_ref().map(Ident::as_str)}),
        ),
        Grant(one) => ("Grant", names(&one.tables), json!({"grant": !one.revoke})),
        Truncate(one) => (
            "Truncate",
            one.tables.iter().map(|one| plain(&one.name)).collect::<Vec<_>>().into(),
            json!({"cascade": one.cascade, "restart": one.restart_identity,
                   "only": one.tables.iter().map(|one| one.only).collect::<Vec<_>>()}),
        ),
        Lock(one) => {
            let mut mode = String::new();
            for letter in format!("{:?}", one.mode).chars() {
                if letter.is_uppercase() && !mode.is_empty() {
                    mode.push(' ');
                }
                mode.push(letter.to_ascii_uppercase());
            }
            let tables: Vec<Value> = one.tables.iter().map(|one| plain(&one.name)).collect();
            ("Lock", tables.into(), json!({"mode": mode, "nowait": one.nowait}))
        }
        Cluster(one) => {
            ("Cluster", one.table.as_ref().map(plain).into(), json!({"index": one.index.as_ref().map(Ident::as_str)}))
        }
        Vacuum(one) => ("Vacuum", names(&one.tables), json!({"full": one.full, "vacuum": true})),
        Analyze(one) => ("Vacuum", names(&one.tables), json!({"full": false, "vacuum": false})),
        Write(one) => write_facts(one),
        Query(one) => (
            "Query",
            Value::Null,
            json!({"from": one.from.len(), "locking": one.row_lock.is_some(),
                   "ctes": one.with.len(), "into": one.into.as_ref().map(plain)}),
        ),
        Call { function, .. } => ("Call", Value::Null, json!({"function": plain(function)})),
        Set(one) => (
            "Set",
            Value::Null,
            json!({"name": &*one.name, "local": one.scope == SetScope::Local,
                   "values": one.values.as_ref().map(|list| list.iter().map(|one| &**one).collect::<Vec<_>>())}),
        ),
        SetConstraints { deferred, .. } => ("SetConstraints", Value::Null, json!({"deferred": deferred})),
        Transaction(one) => ("Transaction", Value::Null, transaction(one)),
        Do(one) => (
            "Do",
            Value::Null,
            json!({"language": one.language.as_str(), "body_bytes": one.body.text.len(),
                   "unread": one.body.unread.iter().map(|(_, why)| &**why).collect::<Vec<_>>()}),
        ),
        Opaque(one) => ("Opaque", Value::Null, json!({"what": &*one.what})),
        Background(one) => {
            ("Background", one.job.table.iter().map(ToString::to_string).collect(), json!({"job": &*one.job.class}))
        }
        Unread(one) => ("Unread", names(&one.touches), json!({"reason": &*one.reason, "everything": one.everything})),
    }
}

fn create_table(table: &CreateTable) -> (&'static str, Value, Value) {
    let facts = json!({
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "constraints": table.constraints.iter().map(constraint).collect::<Vec<_>>(),
        "if_not_exists": table.if_not_exists, "persistence": persistence(table.persistence),
        "foreign": table.kind == TableForm::Foreign,
        "like": table.likes.iter().map(|like| plain(&like.table)).collect::<Vec<_>>(),
        "inherits": names(&table.inherits),
        "partition_by": table.partition_by.as_ref().map(|key| json!({
            "strategy": format!("{:?}", key.strategy).to_lowercase(),
            "columns": key.parts.iter().map(part).collect::<Vec<_>>(),
        })),
        "partition_of": table.partition_of.as_ref().map(|of| plain(&of.parent)),
        "bound": table.partition_of.as_ref().map(|of| bound(&of.bound)),
        "options": options(&table.options),
    });
    ("CreateTable", plain(&table.name), facts)
}

fn create_trigger(one: &CreateTrigger) -> (&'static str, Value, Value) {
    let events = [
        ("insert", one.events.insert),
        ("delete", one.events.delete),
        ("update", one.events.update),
        ("truncate", one.events.truncate),
    ];
    let events: Vec<&str> = events.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    let timing = match one.timing {
        TriggerTiming::Before => "before",
        TriggerTiming::After => "after",
        TriggerTiming::InsteadOf => "instead of",
    };
    let facts = json!({
        "name": one.name.as_str(), "events": events, "timing": timing, "row": one.for_each_row,
        "function": plain(&one.function), "args": one.arguments.iter().map(|one| &**one).collect::<Vec<_>>(),
        "columns": idents(&one.events.update_columns), "when": one.when.is_some(), "constraint": one.constraint,
        "replace": one.or_replace, "deferrable": one.deferrable, "initdeferred": one.initially_deferred,
        "referencing": one.old_table.iter().chain(&one.new_table).count(), "from": one.from.as_ref().map(plain),
    });
    ("CreateTrigger", plain(&one.table), facts)
}

fn alter_type(action: &TypeAction) -> Value {
    match action {
        TypeAction::AddValue { label, if_not_exists, position } => json!({
            "new": &**label, "old": null, "if_not_exists": if_not_exists,
            "neighbour": position.as_ref().map(|one| &*one.label),
            "after": position.as_ref().is_none_or(|one| !one.before),
        }),
        TypeAction::RenameValue { from, to } => json!({"new": &**to, "old": &**from}),
        _ => json!({}),
    }
}

fn transaction(one: &Transaction) -> Value {
    match one {
        Transaction::Begin => json!({"tx": "begin"}),
        Transaction::Commit => json!({"tx": "commit"}),
        Transaction::Rollback => json!({"tx": "rollback"}),
        Transaction::Savepoint(name) => json!({"tx": "savepoint", "savepoint": name.as_str()}),
        Transaction::Release(name) => json!({"tx": "release", "savepoint": name.as_str()}),
        Transaction::RollbackTo(name) => json!({"tx": "rollback_to", "savepoint": name.as_str()}),
        Transaction::Other => json!({"tx": "other"}),
    }
}

fn write_facts(one: &Write) -> (&'static str, Value, Value) {
    let columns = match one.kind {
        WriteKind::Update => one.assignments.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().into(),
        _ => idents(&one.columns),
    };
    let (source, rows) = match &one.rows {
        Rows::None => ("none", None),
        Rows::Defaults => ("default values", None),
        Rows::Values { count, .. } => ("values", Some(*count)),
        Rows::Query(_) => ("select", None),
    };
    let kind = match one.kind {
        WriteKind::Insert => "Insert",
        WriteKind::Update => "Update",
        WriteKind::Delete => "Delete",
        WriteKind::Merge => "Merge",
        WriteKind::Copy => "Copy",
    };
    let facts = json!({
        "where": one.filter.is_some(), "columns": columns, "source": source, "rows": rows, "only": one.only,
        "from": !one.from.is_empty(), "ctes": one.with.len(), "on_conflict": one.on_conflict.is_some(),
        "row_filter": match &one.rows { Rows::Query(query) => query.filter.is_some(), _ => false },
    });
    (kind, plain(&one.target), facts)
}
