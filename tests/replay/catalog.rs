//! The catalog as lines of text: from the server, and the same from a replayed schema.

use plimsoll::operation::{Action, Persistence, TriggerState};
use plimsoll::schema::{
    ColumnId, Constraint, ConstraintRow, IdentityKind, IndexKey, Relation, RelationId, RelationKind, Schema, Table,
    TableKind,
};

/// One query for all lines of one schema.
pub fn query(major: u32, schema: &str) -> String {
    let trigger_parent = if major >= 13 {
        "(SELECT pc.relname || '.' || pt.tgname FROM pg_trigger pt JOIN pg_class pc ON pc.oid = pt.tgrelid WHERE pt.oid = t.tgparentid)"
    } else {
        "(SELECT pc.relname || '.' || pt.tgname FROM pg_depend d JOIN pg_trigger pt ON pt.oid = d.refobjid JOIN pg_class pc ON pc.oid = pt.tgrelid WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_trigger'::regclass)"
    };
    let internal = if major >= 15 { "NOT t.tgisinternal" } else { "(NOT t.tgisinternal OR t.tgconstraint = 0)" };
    let enforced = if major >= 18 { "k.conenforced" } else { "true" };
    let pending = if major >= 14 {
        "coalesce((SELECT bool_or(inhdetachpending) FROM pg_inherits WHERE inhrelid = c.oid), false)"
    } else {
        "false"
    };
    format!(
        r#"
SELECT 'relation ' || c.relname || ' ' || c.relkind::text || ' ' || c.relpersistence::text || ' of '
    || coalesce((SELECT string_agg(p.relname, ',' ORDER BY p.relname) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid), '-')
    || ' partition ' || c.relispartition || ' pending ' || {pending}
FROM pg_class c WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r','p','i','I','S','v','m')
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname || ' #' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)
    || ' ' || format_type(a.atttypid, a.atttypmod) || ' not_null ' || a.attnotnull || ' default ' || (a.atthasdef AND a.attgenerated = '')
    || ' identity ' || a.attidentity::text || ' generated ' || (a.attgenerated <> '') || ' local ' || a.attislocal || ' inherited ' || a.attinhcount
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r','p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || c.relname || '.' || k.conname || ' ' || k.contype::text
    || CASE WHEN k.contype IN ('c') THEN '' ELSE ' (' || coalesce((SELECT string_agg(a.attname, ',' ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), '') || ')' END
    || CASE WHEN k.contype = 'f' THEN ' -> ' || (SELECT relname FROM pg_class WHERE oid = k.confrelid) || ' (' || (SELECT string_agg(a.attname, ',' ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n) || ') ' || k.confdeltype::text || k.confupdtype::text ELSE '' END
    || ' valid ' || k.convalidated || ' enforced ' || {enforced} || ' local ' || k.conislocal || ' inherited ' || k.coninhcount
    || ' deferrable ' || k.condeferrable || ' deferred ' || k.condeferred
    || CASE WHEN k.contype IN ('c', 'n') THEN ' no_inherit ' || k.connoinherit ELSE '' END
    || ' parent ' || coalesce((SELECT pc.relname || '.' || pk.conname FROM pg_constraint pk JOIN pg_class pc ON pc.oid = pk.conrelid WHERE pk.oid = k.conparentid), '-')
    || ' index ' || coalesce((SELECT relname FROM pg_class WHERE oid = k.conindid), '-')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = '{schema}'::regnamespace AND k.contype <> 't'
UNION ALL
SELECT 'index ' || c.relname || ' on ' || tc.relname || ' (' || coalesce((SELECT string_agg(coalesce(a.attname, '<expr>'), ',' ORDER BY u.o) FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(n, o) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n), '') || ')'
    || ' unique ' || i.indisunique || ' primary ' || i.indisprimary || ' valid ' || i.indisvalid || ' partial ' || (i.indpred IS NOT NULL)
    || ' keys ' || i.indnkeyatts
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class tc ON tc.oid = i.indrelid WHERE c.relnamespace = '{schema}'::regnamespace
UNION ALL
SELECT 'trigger ' || c.relname || '.' || t.tgname || ' enabled ' || t.tgenabled::text || ' parent ' || coalesce({trigger_parent}, '-')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = '{schema}'::regnamespace AND {internal}
UNION ALL
SELECT 'sequence ' || c.relname || ' owned by ' || coalesce((SELECT rc.relname || '.' || a.attname FROM pg_depend d JOIN pg_class rc ON rc.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = rc.oid AND a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1), '-')
FROM pg_class c WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind = 'S'
"#
    )
}

/// The same lines from the replayed schema.
pub fn lines(schema: &Schema) -> Vec<String> {
    let mut lines = Vec::new();
    for relation in schema.relations() {
        lines.push(relation_line(schema, relation));
        for trigger in schema.triggers_of(relation.id) {
            let enabled = match trigger.enabled {
                TriggerState::Origin => "O",
                TriggerState::Disabled => "D",
                TriggerState::Replica => "R",
                TriggerState::Always => "A",
            };
            let parent = trigger.parent.map(|id| schema.trigger(id)).map_or_else(
                || "-".to_owned(),
                |parent| format!("{}.{}", schema.relation(parent.table).name.name.as_str(), parent.name.as_str()),
            );
            lines.push(format!(
                "trigger {}.{} enabled {enabled} parent {parent}",
                relation.name.name.as_str(),
                trigger.name
            ));
        }
        match &relation.kind {
            RelationKind::Table(table) => {
                for (at, column) in table.columns.iter().enumerate() {
                    let identity = match column.identity {
                        None => "",
                        Some(IdentityKind::Always) => "a",
                        Some(IdentityKind::ByDefault) => "d",
                    };
                    let data_type = column.data_type.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
                    lines.push(format!(
                        "column {}.{} #{} {data_type} not_null {} default {} identity {identity} generated {} local {} inherited {}",
                        relation.name.name.as_str(),
                        column.name.as_str(),
                        at + 1,
                        column.not_null,
                        column.default.is_some(),
                        column.generated.is_some(),
                        column.local,
                        column.inherited
                    ));
                }
            }
            RelationKind::Index(index) => {
                let name = |column: &ColumnId| column_name(schema, index.table, *column);
                let keys = index.parts.iter().map(|part| match &part.key {
                    IndexKey::Column(column) => name(column),
                    IndexKey::Expression(_) => "<expr>".to_owned(),
                });
                let columns: Vec<String> = keys.chain(index.include.iter().map(name)).collect();
                lines.push(format!(
                    "index {} on {} ({}) unique {} primary {} valid {} partial {} keys {}",
                    relation.name.name.as_str(),
                    schema.relation(index.table).name.name.as_str(),
                    columns.join(","),
                    index.unique,
                    index.primary,
                    index.valid,
                    index.filter.is_some(),
                    index.parts.len()
                ));
            }
            RelationKind::Sequence(sequence) => {
                let owner = sequence.owned_by.map_or_else(
                    || "-".to_owned(),
                    |(table, column)| {
                        format!(
                            "{}.{}",
                            schema.relation(table).name.name.as_str(),
                            schema.column_name(table, column).as_str()
                        )
                    },
                );
                lines.push(format!("sequence {} owned by {owner}", relation.name.name.as_str()));
            }
            RelationKind::View(_) | RelationKind::Other => {}
        }
    }
    lines.extend(schema.constraint_rows().map(|row| constraint_line(schema, row)));
    lines
}

fn column_name(schema: &Schema, table: RelationId, column: ColumnId) -> String {
    match schema.relation(table).as_view() {
        Some(view) => view.columns[usize::from(column.0) - 1].as_str().to_owned(),
        None => schema.column_name(table, column).as_str().to_owned(),
    }
}

fn relation_line(schema: &Schema, relation: &Relation) -> String {
    let persistence = |table: &Table| match table.persistence {
        Persistence::Permanent => "p",
        Persistence::Unlogged => "u",
        Persistence::Temporary => "t",
    };
    let name = |id: &RelationId| schema.relation(*id).name.name.as_str().to_owned();
    let (kind, persistence, mut parents, partition, pending) = match &relation.kind {
        RelationKind::Table(table) => {
            let kind = if table.kind == TableKind::Partitioned { "p" } else { "r" };
            let of = table.partition_of.as_ref();
            let parents = of.map(|of| of.parent).into_iter().chain(table.inherits.iter().copied());
            let pending = of.is_some_and(|of| of.detach_pending);
            (kind, persistence(table), parents.map(|id| name(&id)).collect::<Vec<_>>(), of.is_some(), pending)
        }
        RelationKind::Index(index) => {
            let table = schema.relation(index.table);
            let kind = if table.is_partitioned() { "I" } else { "i" };
            let persistence = table.as_table().map_or("p", persistence);
            let parents: Vec<String> = index.parent.iter().map(name).collect();
            let partition = !parents.is_empty();
            (kind, persistence, parents, partition, false)
        }
        RelationKind::Sequence(sequence) => {
            let persistence = if sequence.persistence == Persistence::Unlogged { "u" } else { "p" };
            ("S", persistence, Vec::new(), false, false)
        }
        RelationKind::View(view) => (if view.materialized { "m" } else { "v" }, "p", Vec::new(), false, false),
        RelationKind::Other => ("?", "?", Vec::new(), false, false),
    };
    parents.sort();
    let parents = if parents.is_empty() { "-".to_owned() } else { parents.join(",") };
    format!(
        "relation {} {kind} {persistence} of {parents} partition {partition} pending {pending}",
        relation.name.name.as_str()
    )
}

fn constraint_line(schema: &Schema, row: &Constraint) -> String {
    let table = schema.relation(row.table);
    let names = |table: RelationId, columns: &[ColumnId]| -> String {
        columns
            .iter()
            .map(|column| schema.column_name(table, *column).as_str().to_owned())
            .collect::<Vec<_>>()
            .join(",")
    };
    let action = |action: Action| match action {
        Action::NoAction => 'a',
        Action::Restrict => 'r',
        Action::Cascade => 'c',
        Action::SetNull => 'n',
        Action::SetDefault => 'd',
    };
    let (kind, index) = match &row.kind {
        ConstraintRow::Check { .. } => ("c", None),
        ConstraintRow::NotNull => ("n", None),
        ConstraintRow::Primary { index } => ("p", Some(*index)),
        ConstraintRow::Unique { index } => ("u", Some(*index)),
        ConstraintRow::Exclude { index } => ("x", Some(*index)),
        ConstraintRow::Foreign(key) => ("f", key.index),
    };
    let columns = if kind == "c" { String::new() } else { format!(" ({})", names(row.table, &row.columns)) };
    let references = row.as_foreign().map_or_else(String::new, |key| {
        format!(
            " -> {} ({}) {}{}",
            schema.relation(key.references).name.name.as_str(),
            names(key.references, &key.referenced_columns),
            action(key.on_delete),
            action(key.on_update)
        )
    });
    let no_inherit = if matches!(kind, "c" | "n") { format!(" no_inherit {}", row.no_inherit) } else { String::new() };
    let parent = row.parent.map_or_else(
        || "-".to_owned(),
        |parent| {
            let parent = schema.constraint(parent);
            format!("{}.{}", schema.relation(parent.table).name.name.as_str(), parent.name.as_str())
        },
    );
    let index = index.map_or_else(|| "-".to_owned(), |index| schema.relation(index).name.name.as_str().to_owned());
    format!(
        "constraint {}.{} {kind}{columns}{references} valid {} enforced {} local {} inherited {} deferrable {} deferred {}{no_inherit} parent {parent} index {index}",
        table.name.name.as_str(),
        row.name.as_str(),
        row.validated,
        row.enforced,
        row.local,
        row.inherited,
        row.deferrable,
        row.initially_deferred
    )
}
