//! The facts of `plimsoll schema --format json`, in the lines of [`crate::catalog`].

use serde_json::Value;

use crate::Facts;

pub fn facts(document: &Value, major: u32) -> Facts {
    let mut facts = Facts::new();
    for table in rows(document, "tables") {
        let name = text(table, "name");
        facts.insert(format!("table {name}"), table_line(table));
        for column in rows(table, "columns") {
            facts.insert(format!("column {name}.{}", text(column, "name")), column_line(column));
        }
        for constraint in rows(table, "constraints").iter().filter(|one| major >= 18 || text(one, "kind") != "not_null")
        {
            facts.insert(format!("constraint {name}.{}", text(constraint, "name")), constraint_line(constraint));
        }
        for index in rows(table, "indexes") {
            facts.insert(format!("index {}", in_schema_of(text(index, "name"), name)), index_line(index, name));
        }
        for trigger in rows(table, "triggers") {
            facts.insert(format!("trigger {name}.{}", text(trigger, "name")), trigger_line(trigger));
        }
    }
    for view in rows(document, "views") {
        facts.insert(format!("view {}", text(view, "name")), text(view, "kind").to_owned());
    }
    for sequence in rows(document, "sequences") {
        let owner = text(sequence, "owned_by");
        let line = if owner.is_empty() { String::new() } else { format!("of {owner}") };
        facts.insert(format!("sequence {}", text(sequence, "name")), line);
    }
    for one in rows(document, "types") {
        let labels = list(one, "labels").join("|");
        let line =
            if labels.is_empty() { text(one, "kind").to_owned() } else { format!("{} {labels}", text(one, "kind")) };
        facts.insert(format!("type {}", text(one, "name")), line);
    }
    let mut functions = rows(document, "functions").to_vec();
    // Kinds in the order of the catalog's letters: aggregate, function, procedure.
    functions.sort_by_key(|function| text(function, "kind").to_owned());
    for function in &functions {
        let line: &mut String = facts.entry(format!("function {}", text(function, "name"))).or_default();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(text(function, "kind"));
    }
    facts
}

fn table_line(table: &Value) -> String {
    let parent = Some(text(table, "parent")).filter(|parent| !parent.is_empty());
    let above = parent.into_iter().map(str::to_owned).chain(list(table, "inherits"));
    let persistence = Some(text(table, "persistence")).filter(|persistence| *persistence != "permanent");
    let mut parts = vec![text(table, "kind").to_owned()];
    parts.extend((!table["partition_by"].is_null()).then(|| "has partitions".to_owned()));
    parts.extend(above.map(|above| format!("below {above}")));
    parts.extend(persistence.map(str::to_owned));
    parts.extend(flag(table, "rls", "rls"));
    parts.join(", ")
}

fn column_line(column: &Value) -> String {
    let mut parts = vec![text(column, "type").to_owned()];
    parts.extend(flag(column, "not_null", "not null"));
    let generated = text(column, "generated");
    parts.extend((!column["default"].is_null() && generated.is_empty()).then(|| "default".to_owned()));
    parts.extend((!column["identity"].is_null()).then(|| format!("identity {}", text(column, "identity"))));
    parts.extend((!generated.is_empty()).then(|| format!("generated {generated}")));
    parts.join(", ")
}

fn constraint_line(constraint: &Value) -> String {
    let kind = text(constraint, "kind");
    let columns = list(constraint, "columns").join(", ");
    // Which columns a CHECK names follows from its expression, which is not compared.
    let mut parts =
        vec![if matches!(kind, "check" | "exclude") { kind.to_owned() } else { format!("{kind} ({columns})") }];
    let references = &constraint["references"];
    if !references.is_null() {
        parts.push(format!("to {} ({})", text(references, "table"), list(references, "columns").join(", ")));
        for (key, word) in [("on_delete", "on delete"), ("on_update", "on update")] {
            let action = text(constraint, key);
            parts.extend((!matches!(action, "" | "no action")).then(|| format!("{word} {action}")));
        }
        parts.extend((text(constraint, "match") == "full").then(|| "match full".to_owned()));
    }
    parts.extend((constraint["validated"] == false).then(|| "not valid".to_owned()));
    for (key, word) in
        [("deferrable", "deferrable"), ("deferred", "deferred"), ("inherited", "inherited"), ("local", "local")]
    {
        parts.extend(flag(constraint, key, word));
    }
    parts.extend(flag(constraint, "no_inherit", "no inherit").filter(|_| matches!(kind, "check" | "not_null")));
    parts.join(", ")
}

fn index_line(index: &Value, table: &str) -> String {
    let mut parts = vec![format!("on {table} ({})", list(index, "columns").join(", "))];
    parts.extend(flag(index, "unique", "unique"));
    parts.extend(flag(index, "nulls_not_distinct", "nulls not distinct"));
    parts.extend((index["valid"] == false).then(|| "invalid".to_owned()));
    parts.push(text(index, "method").to_owned());
    parts.extend((!index["where"].is_null()).then(|| "partial".to_owned()));
    let include = list(index, "include").len();
    parts.extend((include > 0).then(|| format!("includes {include}")));
    let parent = text(index, "parent");
    parts.extend((!parent.is_empty()).then(|| format!("below {}", in_schema_of(parent, table))));
    parts.join(", ")
}

fn trigger_line(trigger: &Value) -> String {
    let happens = |event: &str| list(trigger, "events").iter().any(|one| one == event);
    let events: Vec<&str> =
        ["insert", "update", "delete", "truncate"].into_iter().filter(|event| happens(event)).collect();
    let mut parts =
        vec![format!("{} {}", text(trigger, "timing"), events.join(" ")), text(trigger, "level").to_owned()];
    parts.push(format!("calls {}", text(trigger, "function").split('(').next().unwrap_or_default()));
    parts.extend((!trigger["when"].is_null()).then(|| "when".to_owned()));
    let enabled = text(trigger, "enabled");
    parts.extend((enabled != "origin").then(|| enabled.to_owned()));
    parts.extend(flag(trigger, "inherited", "inherited"));
    parts.join(", ")
}

/// An index has the schema of its table; printed names may leave it out.
fn in_schema_of(name: &str, table: &str) -> String {
    // What stands between quotes is the name.
    let has_schema = name.split('"').step_by(2).any(|part| part.contains('.'));
    match table.split_once('.') {
        Some((schema, _)) if !has_schema => format!("{schema}.{name}"),
        _ => name.to_owned(),
    }
}

fn rows<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// A list of names; an expression among them is `-`.
fn list(of: &Value, key: &str) -> Vec<String> {
    rows(of, key).iter().map(|one| one.as_str().unwrap_or("-").to_owned()).collect()
}

fn flag(of: &Value, key: &str, word: &str) -> Option<String> {
    (of[key] == true).then(|| word.to_owned())
}
