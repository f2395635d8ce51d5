//! Proves on a real server what the rules say about PostgreSQL.

#[path = "../command/mod.rs"]
mod command;
mod copies;
mod effects;
mod fixtures;
mod incident;
mod keys;
mod locks;
#[path = "../measured/mod.rs"]
mod measured;
#[path = "../server/mod.rs"]
mod server;
mod waits;
mod words;

use server::{Server, statements};

#[test]
fn scripts_are_split_as_psql_splits_them() {
    let sql = r#"
        -- only; a comment
        SELECT 'a;''b' /* c; /* nested; */ */;;
        CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN RETURN 1; END $body$;
        \restrict abc
        SELECT E'it\'s;', "col;umn", $$;$$, $1;
        CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
        CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
        SELECT 3"#;
    let found = statements(sql);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert_eq!(found[2], r#"SELECT E'it\'s;', "col;umn", $$;$$, $1"#);
    assert_eq!(found[5], "SELECT 3");
}

#[test]
fn the_server_answers_and_refuses() {
    let Some(server) = Server::get() else { return };
    assert!(server.major() >= 12);
    let database = server.database();
    database.run_script("CREATE TABLE t (a int CHECK (a > 0)); INSERT INTO t VALUES (1);").unwrap();
    let refusal = database.run_script("INSERT INTO t VALUES (2); INSERT INTO t VALUES (-1);").unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.constraint.as_str()), ("23514", "t_a_check"));
    assert_eq!(refusal.statement, "INSERT INTO t VALUES (-1)");
    database.run_simple_query("INSERT INTO t VALUES (3); INSERT INTO t VALUES (-1);").unwrap_err();
    assert_eq!(database.strings("SELECT a::text FROM t ORDER BY a"), ["1", "2"]);
}
