//! Texts in, operations out: every form of PostgreSQL's statements, and texts that mean harm.

use std::time::{Duration, Instant};

use plimsoll::operation::*;
use plimsoll::read::sql::{self, SqlText};
use plimsoll::source::Sources;

const CURATED: &str = include_str!("curated-statements.sql");

fn read(text: &str) -> SqlText {
    let mut sources = Sources::default();
    let id = sources.add("a.sql", text);
    sql::read(&sources.piece(id))
}

fn operations(text: &str) -> Vec<Operation> {
    let mut found = Vec::new();
    for node in &read(text).nodes {
        node.statements(&mut |statement| found.push(statement.operation.clone()));
    }
    found
}

fn operation(text: &str) -> Operation {
    let mut found = operations(text);
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

/// Why a statement, or an action of it, was not read.
fn unread(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Unread(unread) => Some(unread.reason.to_string()),
        Operation::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
            TableActionKind::Unread { reason } => Some(reason.to_string()),
            _ => None,
        }),
        Operation::CreateSchema(schema) => schema.elements.iter().find_map(|element| unread(&element.operation)),
        Operation::CreateRule(rule) => rule.commands.iter().find_map(|command| unread(&command.operation)),
        _ => None,
    }
}

#[test]
fn every_curated_form_is_read() {
    let mut sources = Sources::default();
    let id = sources.add("curated.sql", CURATED);
    let read = sql::read(&sources.piece(id));
    assert_eq!(read.statements, CURATED.lines().count());
    let mut faults = Vec::new();
    for (node, line) in read.nodes.iter().zip(CURATED.lines()) {
        node.statements(&mut |statement| {
            assert_eq!(format!("{};", sources.text(statement.span)), line);
            if let Some(reason) = unread(&statement.operation) {
                faults.push(format!("{line}\n    {reason}"));
            }
        });
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each text is one statement; what is asked of it must hold.
macro_rules! reads {
    ($($text:expr => $pattern:pat $(if $guard:expr)?,)+) => {
        $(match operation($text) {
            $pattern $(if $guard)? => {}
            other => panic!("{}\n{other:#?}", $text),
        })+
    };
}

/// Statements of a large text are read side by side: a long comment makes it large.
#[test]
fn a_large_text_is_read_as_a_small_one_is() {
    let small = CURATED.repeat(1 + 120_000 / CURATED.len());
    let small = &small[..small[..120_000].rfind(";\n").expect("a statement ends") + 2];
    let large = format!("{small}-- {}", "x".repeat(100_000));
    let (alone, beside) = (read(small), read(&large));
    assert!(alone.statements > 500, "{}", alone.statements);
    assert_eq!(alone.statements, beside.statements);
    assert!(alone.nodes == beside.nodes, "other nodes");
}

fn alter(text: &str) -> AlterTable {
    match operation(text) {
        Operation::AlterTable(alter) => *alter,
        other => panic!("{text}: {other:?}"),
    }
}

fn action(text: &str) -> TableActionKind {
    alter(&format!("ALTER TABLE t {text}")).actions.remove(0).kind
}

fn added(text: &str) -> ConstraintDefinition {
    match action(&format!("ADD {text}")) {
        TableActionKind::AddConstraint(constraint) => *constraint,
        other => panic!("{text}: {other:?}"),
    }
}

fn added_column(text: &str) -> ColumnDefinition {
    match action(&format!("ADD COLUMN {text}")) {
        TableActionKind::AddColumn { column, .. } => *column,
        other => panic!("{text}: {other:?}"),
    }
}

fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.into()), name: name.into() },
        None => Name::bare(text),
    }
}

#[test]
fn alter_table_keeps_every_word() {
    use TableActionKind::*;
    let read = alter(r#"ALTER TABLE IF EXISTS ONLY "S".T ADD c int, DROP COLUMN IF EXISTS d CASCADE"#);
    assert!(read.if_exists && read.only && read.actions.len() == 2);
    assert_eq!(read.table, name("S.t"));
    assert!(matches!(&read.actions[1].kind, DropColumn { if_exists: true, cascade: true, .. }));
    assert!(matches!(action("DROP c RESTRICT"), DropColumn { if_exists: false, cascade: false, .. }));
    assert!(matches!(
        action("DROP CONSTRAINT IF EXISTS k CASCADE"),
        DropConstraint { if_exists: true, cascade: true, .. }
    ));
    assert!(matches!(
        action("DETACH PARTITION p CONCURRENTLY"),
        DetachPartition { concurrently: true, finalize: false, .. }
    ));
    assert!(matches!(
        action("DETACH PARTITION p FINALIZE"),
        DetachPartition { concurrently: false, finalize: true, .. }
    ));
    assert!(matches!(action("ENABLE ALWAYS TRIGGER x"), SetTrigger { enabled: TriggerState::Always, .. }));
    assert!(matches!(
        action("DISABLE TRIGGER USER"),
        SetTrigger { which: TriggerChoice::User, enabled: TriggerState::Disabled }
    ));
    assert!(matches!(action("NO FORCE ROW LEVEL SECURITY"), SetRowSecurity { enabled: None, forced: Some(false) }));
    assert!(matches!(
        action("REPLICA IDENTITY USING INDEX i"),
        ReplicaIdentity(plimsoll::operation::ReplicaIdentity::Index(_))
    ));
    assert!(matches!(
        action("ALTER CONSTRAINT k DEFERRABLE INITIALLY DEFERRED"),
        AlterConstraint { deferrable: Some(true), initially_deferred: Some(true), enforced: None, .. }
    ));
    assert!(matches!(action("ALTER CONSTRAINT k NO INHERIT"), AlterConstraint { inherit: Some(false), .. }));
    assert!(matches!(action("ALTER c SET GENERATED BY DEFAULT RESTART"), AlterIdentity { always: Some(false), .. }));
    let AlterColumnType { data_type, collation, using, .. } =
        action(r#"ALTER c SET DATA TYPE varchar(300) COLLATE "C" USING c::text || '1'"#)
    else {
        panic!()
    };
    assert_eq!(data_type.to_string(), "character varying(300)");
    assert_eq!(collation, Some(name("C")));
    assert_eq!(&*using.unwrap().text, "c::text || '1'");
}

#[test]
fn one_unreadable_action_leaves_the_others() {
    let read = alter("ALTER TABLE t ADD COLUMN a int, FROBNICATE (x, y), DROP COLUMN b");
    let unread = read.actions.iter().map(|action| matches!(action.kind, TableActionKind::Unread { .. }));
    assert_eq!(unread.collect::<Vec<_>>(), [false, true, false]);
    // What PostgreSQL refuses is never read half.
    assert!(matches!(action("ADD COLUMN a int GARBAGE"), TableActionKind::Unread { .. }));
    assert!(matches!(action("ADD COLUMN a int CHECK (a > 0) NOT VALID"), TableActionKind::Unread { .. }));
}

#[test]
fn constraints_keep_their_attributes() {
    let key = added(
        "CONSTRAINT k FOREIGN KEY (a, b) REFERENCES s.o (x, y) MATCH FULL \
         ON DELETE SET NULL (a) ON UPDATE CASCADE NOT VALID",
    );
    assert!(key.not_valid && !key.deferrable);
    let ConstraintKind::Foreign(foreign) = &key.kind else { panic!() };
    assert_eq!(foreign.references, name("s.o"));
    assert_eq!((foreign.on_delete, foreign.on_update), (Action::SetNull, Action::Cascade));
    assert_eq!(foreign.on_delete_columns, [Ident::new("a")]);
    assert!(foreign.match_full && foreign.referenced_columns.len() == 2);
    let deferred = added("FOREIGN KEY (a) REFERENCES o INITIALLY DEFERRED");
    assert!(deferred.deferrable && deferred.initially_deferred);
    assert!(added("CHECK (a > 0) NOT ENFORCED").not_enforced);
    assert!(added("CHECK (a > 0) NO INHERIT NOT VALID").no_inherit);
    let not_null = added("CONSTRAINT k NOT NULL a NOT VALID");
    assert!(not_null.not_valid && matches!(not_null.kind, ConstraintKind::NotNull(_)));
    let ConstraintKind::Unique(unique) = added("UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b)").kind else { panic!() };
    assert!(unique.nulls_not_distinct && unique.include == [Ident::new("b")]);
    let ConstraintKind::Primary(primary) = added("CONSTRAINT k PRIMARY KEY USING INDEX i").kind else { panic!() };
    assert_eq!(primary.using_index, Some(Ident::new("i")));
    let ConstraintKind::Primary(primary) = added("PRIMARY KEY (id, at WITHOUT OVERLAPS)").kind else { panic!() };
    assert!(primary.without_overlaps);
    let period = added("FOREIGN KEY (id, PERIOD at) REFERENCES o (id, PERIOD at)");
    let ConstraintKind::Foreign(period) = period.kind else { panic!() };
    assert!(period.period && period.columns.len() == 2 && period.referenced_columns.len() == 2);
    let exclude =
        r#"EXCLUDE USING gist (room WITH =, lower(x) COLLATE "C" WITH OPERATOR(pg_catalog.&&)) WHERE (active)"#;
    let ConstraintKind::Exclude { elements, filter, method, .. } = added(exclude).kind else { panic!() };
    let operators: Vec<&str> = elements.iter().map(|element| &*element.operator).collect();
    assert_eq!(operators, ["=", "pg_catalog.&&"]);
    assert!(filter.is_some() && method == Some(Ident::new("gist")));
}

#[test]
fn columns_end_their_default_where_postgresql_does() {
    for (text, default) in [
        ("c int DEFAULT 0 NOT NULL", "0"),
        ("c int DEFAULT NULL", "NULL"),
        ("c int DEFAULT NULL::int NULL", "NULL::int"),
        ("c bool DEFAULT a IS NOT DISTINCT FROM NULL NOT NULL", "a IS NOT DISTINCT FROM NULL"),
        ("c text DEFAULT CASE WHEN x IS NOT NULL THEN 'a' END COLLATE \"C\"", "CASE WHEN x IS NOT NULL THEN 'a' END"),
        ("c int DEFAULT f(1, NOT true) CHECK (c > 0)", "f(1, NOT true)"),
        ("c text DEFAULT 'a' || 'b' CONSTRAINT k UNIQUE", "'a' || 'b'"),
        ("c int DEFAULT nextval('s'::regclass) PRIMARY KEY", "nextval('s'::regclass)"),
        ("c timestamptz DEFAULT (now() AT TIME ZONE 'UTC') REFERENCES o", "(now() AT TIME ZONE 'UTC')"),
    ] {
        assert_eq!(&*added_column(text).default.unwrap().text, default, "{text}");
    }
    let column =
        added_column("c int CONSTRAINT nn NOT NULL REFERENCES o ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED");
    assert_eq!(column.not_null.unwrap().name, Some(Ident::new("nn")));
    assert!(column.constraints[0].deferrable && column.constraints[0].initially_deferred);
    let serial = added_column("c bigserial");
    assert!(serial.serial && serial.data_type.unwrap().to_string() == "bigint");
    let identity = added_column("c int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME s.q START WITH 5)").identity;
    assert!(identity.is_some_and(|identity| !identity.always && identity.options.name == Some(name("s.q"))));
    assert!(added_column("c int GENERATED ALWAYS AS (a + b) STORED").generated.unwrap().stored);
    assert!(!added_column("c int GENERATED ALWAYS AS (a + b)").generated.unwrap().stored);
}

#[test]
fn indexes_and_commands_keep_their_flags() {
    reads! {
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING gin (lower(a) gin_trgm_ops, b DESC NULLS LAST) \
         INCLUDE (c) NULLS NOT DISTINCT WHERE a IS NOT NULL"
            => Operation::CreateIndex(index) if index.unique && index.concurrently && index.if_not_exists && index.only
                && index.nulls_not_distinct && index.filter.is_some() && index.method == "gin"
                && index.parts[1].descending && index.parts[1].nulls_first == Some(false)
                && index.parts[0].operator_class == Some(name("gin_trgm_ops")) && index.include.len() == 1,
        "CREATE INDEX ON t (a)" => Operation::CreateIndex(index) if index.name.is_none() && index.method == "btree",
        "DROP INDEX CONCURRENTLY IF EXISTS s.i, j CASCADE"
            => Operation::Drop(drop) if drop.concurrently && drop.if_exists && drop.cascade && drop.targets.len() == 2,
        "DROP TRIGGER x ON s.t" => Operation::Drop(drop) if drop.targets[0].on == Some(name("s.t")),
        "DROP FUNCTION f(int, OUT b text), g" => Operation::Drop(drop)
            if drop.targets[0].arguments.as_ref().is_some_and(|list| list.len() == 2)
                && drop.targets[1].arguments.is_none(),
        "REINDEX (VERBOSE, CONCURRENTLY) TABLE t" => Operation::Reindex(reindex) if reindex.concurrently,
        "REINDEX INDEX CONCURRENTLY i" => Operation::Reindex(reindex) if reindex.concurrently,
        "REINDEX (CONCURRENTLY FALSE) INDEX i" => Operation::Reindex(reindex) if !reindex.concurrently,
        "VACUUM (FULL, ANALYZE) t" => Operation::Vacuum(vacuum) if vacuum.full,
        "VACUUM (FULL off) t" => Operation::Vacuum(vacuum) if !vacuum.full,
        "VACUUM" => Operation::Vacuum(vacuum) if vacuum.tables.is_empty(),
        "LOCK ONLY t, u IN SHARE ROW EXCLUSIVE MODE NOWAIT" => Operation::Lock(lock)
            if lock.mode == LockMode::ShareRowExclusive && lock.nowait && lock.tables[0].only && !lock.tables[1].only,
        "LOCK t" => Operation::Lock(lock) if lock.mode == LockMode::AccessExclusive,
        "TRUNCATE ONLY t RESTART IDENTITY CASCADE" => Operation::Truncate(truncate)
            if truncate.cascade && truncate.restart_identity && truncate.tables[0].only,
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v"
            => Operation::RefreshView(view) if view.concurrently && view.with_data,
        "ALTER SYSTEM SET x = 1" => Operation::Opaque(opaque) if opaque.outside_transaction,
        "CREATE DATABASE d" => Operation::Opaque(opaque) if opaque.outside_transaction,
        "CREATE ROLE r LOGIN" => Operation::Opaque(opaque) if !opaque.outside_transaction,
        "COPY t (a) FROM '/x' WITH (FORMAT csv) WHERE a > 1" => Operation::Write(write)
            if write.kind == WriteKind::Copy && write.columns.len() == 1 && write.filter.is_some(),
        "EXPLAIN ANALYZE DELETE FROM t" => Operation::Write(_),
        "EXPLAIN DELETE FROM t" => Operation::Opaque(_),
        "COMMENT ON COLUMN s.t.c IS 'it''s'" => Operation::Comment(comment)
            if comment.object == name("s.t") && comment.part == Some("c".into()),
        "GRANT SELECT (a, b), UPDATE ON t, s.u TO r WITH GRANT OPTION"
            => Operation::Grant(grant) if grant.tables.len() == 2,
        "REVOKE ALL ON FUNCTION f(a int) FROM r" => Operation::Grant(grant) if grant.revoke && grant.tables.is_empty(),
    }
}

#[test]
fn tables_views_and_types_keep_their_clauses() {
    reads! {
        "ALTER TABLE t RENAME COLUMN a TO b" => Operation::Rename(rename)
            if rename.kind == ObjectKind::Column && rename.part == Some("a".into()) && rename.to == "b",
        "ALTER TABLE IF EXISTS t RENAME TO u" => Operation::Rename(rename)
            if rename.kind == ObjectKind::Table && rename.if_exists && rename.part.is_none(),
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'c' BEFORE 'a'" => Operation::AlterType(alter)
            if matches!(&alter.action, TypeAction::AddValue {
                if_not_exists: true, position: Some(ValuePosition { before: true, .. }), ..
            }),
        "CREATE TABLE t AS SELECT 1 WITH NO DATA" => Operation::CreateTableAs(table) if !table.with_data,
        "CREATE TEMP TABLE t (a, b) ON COMMIT DROP AS SELECT 1, 2" => Operation::CreateTableAs(table)
            if table.columns.len() == 2 && table.persistence == Persistence::Temporary
                && table.on_commit == Some(OnCommit::Drop),
        "SELECT a, b INTO UNLOGGED t FROM o" => Operation::CreateTableAs(table)
            if table.name == name("t") && table.persistence == Persistence::Unlogged
                && table.query.reads() == [&name("o")],
        "CREATE TABLE p PARTITION OF t (CONSTRAINT k CHECK (a > 0), b NOT NULL) \
         FOR VALUES FROM (1, MINVALUE) TO (2, MAXVALUE) PARTITION BY HASH (b)"
            => Operation::CreateTable(table) if table.columns.len() == 1 && table.constraints.len() == 1
                && matches!(&table.partition_of.as_ref().unwrap().bound, Bound::Range { from, to }
                    if from[1] == BoundValue::Minimum && to[1] == BoundValue::Maximum)
                && table.partition_by.as_ref().unwrap().strategy == PartitionStrategy::Hash,
        "CREATE TABLE t (LIKE o INCLUDING ALL EXCLUDING CONSTRAINTS, x int) INHERITS (a, b)"
            => Operation::CreateTable(table) if table.likes[0].including.len() == 8 && table.inherits.len() == 2,
        "CREATE VIEW v AS SELECT a FROM t WITH LOCAL CHECK OPTION"
            => Operation::CreateView(view) if &*view.text == "SELECT a FROM t",
        "CREATE RECURSIVE VIEW v (n) AS SELECT n FROM t"
            => Operation::CreateView(view) if view.query.reads() == [&name("t")],
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"
            => Operation::Write(write) if write.kind == WriteKind::Insert,
    }
}

#[test]
fn settings_keep_their_scope() {
    reads! {
        "SET LOCAL lock_timeout = '5s'" => Operation::Set(set)
            if set.scope == SetScope::Local && &*set.name == "lock_timeout" && set.values == Some(vec!["5s".into()]),
        "SET SESSION search_path TO A, \"B\"" => Operation::Set(set)
            if set.scope == SetScope::Session && set.values == Some(vec!["a".into(), "B".into()]),
        "SET LOCAL lock_timeout = DEFAULT" => Operation::Set(set) if set.values.is_none(),
        "SET TIME ZONE 'UTC'" => Operation::Set(set) if &*set.name == "timezone",
        "RESET ALL" => Operation::Set(set) if &*set.name == "all" && set.values.is_none(),
        "SELECT pg_catalog.set_config('search_path', '', false)" => Operation::Set(set)
            if set.values.as_ref().is_some_and(Vec::is_empty) && set.scope == SetScope::Session,
        "SELECT set_config('lock_timeout', '5s', true)" => Operation::Set(set) if set.scope == SetScope::Local,
        "SELECT set_config('lock_timeout', '5s', true), 1" => Operation::Query(_),
        "ALTER ROLE r IN DATABASE d SET statement_timeout = '5s'"
            => Operation::Set(set) if set.scope == SetScope::Later,
        "ALTER DATABASE d SET search_path TO app, public" => Operation::Set(set)
            if set.scope == SetScope::Next && set.values == Some(vec!["app".into(), "public".into()]),
        "ALTER ROLE CURRENT_USER SET search_path = app" => Operation::Set(set) if set.scope == SetScope::Next,
        "ALTER ROLE ALL SET search_path = app" => Operation::Set(set) if set.scope == SetScope::Next,
        "ROLLBACK WORK TO SAVEPOINT a" => Operation::Transaction(Transaction::RollbackTo(_)),
    }
    let chained = operations("COMMIT AND CHAIN");
    assert_eq!(chained, [Transaction::Commit, Transaction::Begin].map(Operation::Transaction));
}

#[test]
fn routines_are_read_in_any_order_of_clauses() {
    reads! {
        "CREATE FUNCTION f(a int = 1, OUT b text, VARIADIC c int[]) LANGUAGE 'SQL' STABLE SECURITY DEFINER \
         SET search_path = a, \"B\" AS $$ SELECT 1 $$"
            => Operation::CreateFunction(function) if function.language == "sql" && function.security_definer
                && function.volatility == Volatility::Stable && function.arguments.len() == 3
                && function.arguments[0].has_default && function.arguments[1].mode == ArgumentMode::Out
                && function.arguments[2].data_type.array && &*function.returns == "text"
                && function.search_path == Some(vec!["a".into(), "B".into()]),
        "CREATE OR REPLACE FUNCTION f(double precision, x character varying(3)) RETURNS SETOF s.t \
         AS 'SELECT ''x''' LANGUAGE sql"
            => Operation::CreateFunction(function) if &*function.returns == "SETOF s.t"
                && function.arguments[0].name.is_none() && function.arguments[1].name == Some("x".into())
                && &*function.body.text == "SELECT 'x'",
        "CREATE FUNCTION f() RETURNS TABLE (x int, y text) LANGUAGE sql RETURN a + 1"
            => Operation::CreateFunction(function) if &*function.returns == "TABLE(x integer, y text)"
                && matches!(function.body.nodes[..], [Node::Return { .. }]),
        "CREATE FUNCTION f(a t.c%TYPE) RETURNS t.c%TYPE LANGUAGE plpgsql AS $$BEGIN END$$"
            => Operation::CreateFunction(function) if &*function.returns == "t.c%TYPE",
        "CREATE TRIGGER x BEFORE INSERT OR UPDATE OF a, b ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) \
         EXECUTE PROCEDURE s.f('x', 2, word)"
            => Operation::CreateTrigger(trigger) if trigger.for_each_row && trigger.when.is_some()
                && trigger.events.insert && trigger.events.update_columns.len() == 2
                && trigger.arguments == ["x".into(), "2".into(), "word".into()],
        "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON t FROM o DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
         EXECUTE FUNCTION f()"
            => Operation::CreateTrigger(trigger) if trigger.constraint && trigger.deferrable
                && trigger.initially_deferred && trigger.from == Some(name("o")),
        "CREATE TRIGGER x AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n EXECUTE FUNCTION f()"
            => Operation::CreateTrigger(trigger) if !trigger.for_each_row && trigger.old_table == Some("o".into())
                && trigger.new_table == Some("n".into()),
        "CREATE RULE r AS ON INSERT TO t WHERE a > 1 DO INSTEAD (INSERT INTO u VALUES (1); DELETE FROM v)"
            => Operation::CreateRule(rule) if rule.instead && rule.condition.is_some() && rule.commands.len() == 2,
        "CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT 1 GRANT SELECT ON t TO r"
            => Operation::CreateSchema(schema) if schema.elements.len() == 3,
    }
}

#[test]
fn statements_end_where_postgresql_ends_them() {
    let text =
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
        CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b);;
        COPY t FROM stdin;\n1\t;'\n\\.\nSELECT 1 \\gset\n\\ir other.sql\nSELECT ';' -- ;\n;/* ; */ TRUNCATE t";
    let found = operations(text);
    assert!(matches!(found[0], Operation::CreateFunction(_)));
    assert!(matches!(found[1], Operation::CreateRule(_)));
    assert!(matches!(&found[2], Operation::Write(write) if write.kind == WriteKind::Copy));
    assert!(matches!(found[3], Operation::Query(_)));
    assert!(matches!(&found[4], Operation::Unread(unread) if unread.reason.contains("other.sql")));
    assert!(matches!(found[5], Operation::Query(_)));
    assert!(matches!(found[6], Operation::Truncate(_)));
    assert_eq!(found.len(), 7);
    assert_eq!(read(text).comments.len(), 2);
}

#[test]
fn an_open_parenthesis_loses_one_statement_only() {
    let found = operations("CREATE TABLE t (a int; ALTER TABLE u ADD COLUMN b int; DROP TABLE v;");
    assert!(matches!(&found[0], Operation::Unread(unread) if unread.touches == [name("t")]));
    assert!(matches!(found[1], Operation::AlterTable(_)));
    assert_eq!(found.len(), 3);
}

#[test]
fn runners_marks_part_statements() {
    assert_eq!(operations("CREATE TABLE a (x int)\n--> statement-breakpoint\nCREATE TABLE b (x int)").len(), 2);
    let goose = "-- +goose Up\n-- +goose StatementBegin\nDROP TABLE a\n-- +goose StatementEnd\nDROP TABLE b";
    assert_eq!(operations(goose).len(), 2);
}

#[test]
fn conditions_of_psql_are_branches() {
    let read = read("\\if :x\nDROP TABLE a;\n\\else\nDROP TABLE b;\n\\endif\nDROP TABLE c;");
    assert!(matches!(&read.nodes[0], Node::Guard { branches, otherwise }
        if branches.len() == 1 && otherwise.len() == 1));
    assert_eq!((read.nodes.len(), read.statements), (2, 3));
}

#[test]
fn what_is_not_read_says_what_it_may_touch() {
    for (text, touches, everything) in [
        ("ALTER TABLE ${schema}.t ADD COLUMN a int", vec!["t"], false),
        ("ALTER TABLE ${table} ADD COLUMN a int", vec![], true),
        ("INSERT INTO :schema.t SELECT 1", vec!["t"], false),
        ("DELETE FROM t WHERE (a = 1))", vec!["t"], false),
        ("INSERT INTO t VALUES (1), ON CONFLICT DO NOTHING", vec!["t"], false),
        ("CREATE INDEX i ON t (a) GARBAGE", vec!["i", "t"], false),
        ("FROBNICATE", vec![], true),
        ("SELECT 'a", vec![], true),
    ] {
        match operation(text) {
            Operation::Unread(unread) => {
                let expected: Vec<Name> = touches.into_iter().map(name).collect();
                assert_eq!((unread.touches, unread.everything), (expected, everything), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn long_inserts_are_read_by_their_head() {
    let mut text = "INSERT INTO s.t (a, b) VALUES ".to_owned();
    let rows = 200_000;
    text.extend((0..rows).map(|row| format!("{}({row}, 'x;''')", if row == 0 { "" } else { ",\n" })));
    text.push_str(" ON CONFLICT (a) DO NOTHING; DROP TABLE x");
    let found = operations(&text);
    let Operation::Write(write) = &found[0] else { panic!("{:?}", found[0]) };
    assert_eq!(write.target, name("s.t"));
    assert!(matches!(&write.rows, Rows::Values { first, count } if first.len() == 2 && *count == rows));
    assert!(write.on_conflict.is_some() && write.columns.len() == 2);
    assert!(matches!(found[1], Operation::Drop(_)));
}

#[test]
fn hostile_texts_are_read_in_time() {
    const MANY: usize = 100_000;
    let texts = [
        "(".repeat(MANY),
        format!("CREATE TABLE t (a int DEFAULT {}1{})", "(".repeat(MANY), ")".repeat(MANY)),
        format!("SELECT {}1{}", "(".repeat(MANY), ")".repeat(MANY)),
        format!("ALTER TABLE t {}", "ADD COLUMN a int, ".repeat(MANY)),
        format!("CREATE TABLE t ({})", "a int,".repeat(MANY)),
        format!("{}{}", "/*".repeat(MANY), "*/".repeat(MANY)),
        "/*".repeat(MANY),
        format!("SELECT {}", "+-".repeat(MANY)),
        "$a$ ".repeat(MANY),
        (0..MANY).map(|tag| format!("$t{tag}$ ")).collect(),
        "DO $$ ".repeat(MANY),
        "{{ ".repeat(MANY),
        "${".repeat(MANY),
        "COPY t FROM stdin;\n".repeat(MANY / 10),
        "CREATE TABLE t (a; ".repeat(MANY / 10),
        "'".repeat(MANY + 1),
        "E'\\".repeat(MANY),
        format!("SELECT U&'{}'", "\\D83D".repeat(MANY)),
        format!("SELECT E'{}'", "\\uD83D\\xC3".repeat(MANY)),
        "\0".repeat(MANY),
        format!("INSERT INTO t VALUES ('{}')", "x".repeat(MANY * 10)),
        format!("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC {}", "CASE ".repeat(MANY)),
        "\\if x\n".repeat(MANY),
        format!("CREATE SCHEMA s {}", "CREATE ".repeat(MANY)),
        format!("GRANT {} TO x", "a,".repeat(MANY)),
        format!("COMMENT ON FUNCTION f({}) IS NULL", "a,".repeat(MANY)),
        format!("CREATE AGGREGATE f({}) (x = y)", "order ".repeat(MANY)),
        format!("CREATE RULE r AS ON INSERT TO t DO ({})", "DELETE FROM t;".repeat(MANY / 10)),
        format!("SET search_path = {}x", "a,".repeat(MANY)),
        "a.".repeat(MANY),
        format!("DROP SUBSCRIPTION {}", "x = ".repeat(MANY)),
        format!("{}SELECT 1", "EXPLAIN ANALYZE ".repeat(MANY)),
        format!("WITH {} SELECT 1", "a AS (SELECT 1),".repeat(MANY / 10)),
        format!("SELECT 1 {}", "INTO ".repeat(MANY)),
        format!("COPY {}SELECT 1{} TO STDOUT", "(".repeat(MANY), ")".repeat(MANY)),
        format!("CREATE SCHEMA s {}", "CREATE SCHEMA s ".repeat(MANY / 10)),
    ];
    let bound = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 1 });
    for text in &texts {
        let start = Instant::now();
        read(text);
        let took = start.elapsed();
        assert!(took < bound, "{took:?}: {:.60}", text);
    }
}

#[test]
fn a_check_with_trim_names_its_column() {
    // Found by comparing GitLab's structure.sql with PostgreSQL's grammar.
    let check = added("CHECK ((length(TRIM(BOTH FROM reason)) <= 1024))");
    let ConstraintKind::Check(check) = check.kind else { panic!() };
    assert_eq!(check.tree.columns(), [&Ident::new("reason")]);
}
