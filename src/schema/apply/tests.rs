//! What `tests/replay` cannot see: reverse indexes, assumed objects, speed on long histories.

use std::time::Instant;

use crate::operation::{Node, Origin};
use crate::read::sql;
use crate::schema::{Applied, Existence, Failure, FailureKind, Schema};
use crate::source::Sources;
use crate::version::Major;

fn apply(schema: &mut Schema, text: &str) -> Result<(), Failure> {
    let mut sources = Sources::default();
    let id = sources.add("test.sql", text);
    for node in sql::read(&sources.piece(id)).nodes {
        let Node::Statement(statement) = node else { panic!("a statement: {text}") };
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            return Err(failure);
        }
    }
    Ok(())
}

fn complete() -> Schema {
    let mut schema = Schema::new(Major(17));
    schema.complete = true;
    schema
}

const TREE: &str = "create table r (id int primary key); \
    create table q (id int, k int, primary key (id, k)) partition by range (k); \
    create table q1 partition of q for values from (0) to (10); \
    create table p (id int, k int, r_id int, constraint p_fk foreign key (r_id) references r) partition by range (k); \
    create table p1 partition of p for values from (0) to (10) partition by list (k); \
    create table p11 partition of p1 for values in (1); \
    alter table p add constraint pq foreign key (id, k) references q; \
    create index on p (r_id); create view v as select id, r_id from p; \
    create function f() returns trigger language plpgsql as 'begin return new; end'; \
    create trigger g after insert on p for each row execute function f()";

#[test]
fn reverse_indexes_follow_every_kind_of_change() {
    for change in [
        "alter table p detach partition p1",
        "alter table p1 detach partition p11; drop table p cascade",
        "drop table r cascade",
        "drop table q1 cascade",
        "drop function f cascade",
        "alter table p drop column r_id cascade",
        "alter table p rename to pp; alter table q rename column k to kk",
        "create schema s; alter table p set schema s; alter table q set schema s",
        "drop view v; alter table p alter column r_id type bigint",
        "alter table p drop constraint pq; alter table q drop constraint q_pkey",
        "create schema s; drop schema public cascade",
    ] {
        let mut schema = complete();
        apply(&mut schema, TREE).unwrap();
        schema.check_consistency();
        apply(&mut schema, change).unwrap_or_else(|failure| panic!("{change}: {failure:?}"));
        schema.check_consistency();
    }
}

#[test]
fn a_failed_statement_leaves_nothing() {
    let mut schema = complete();
    apply(&mut schema, TREE).unwrap();
    let before = format!("{schema:?}");
    let failure = apply(&mut schema, "alter table p add column z int, add constraint x unique (z)").unwrap_err();
    assert_eq!(failure.state, "0A000");
    assert_eq!(format!("{schema:?}"), before);
}

#[test]
fn the_type_of_a_column_is_part_of_a_signature() {
    let mut schema = complete();
    let made =
        "create table jobs (id bigint, title varchar(9)); create procedure p(a bigint, b varchar) as '' language sql";
    apply(&mut schema, made).unwrap();
    let again = "create or replace procedure p(a jobs.id%TYPE, b public.Jobs.\"title\"%type) language sql as ''";
    apply(&mut schema, again).unwrap();
    assert_eq!(schema.find_functions(&crate::operation::Name::bare("p")).len(), 1);
    apply(&mut schema, "create procedure p(a jobs.title%TYPE) language sql as ''").unwrap();
    assert_eq!(apply(&mut schema, "drop procedure p").unwrap_err().state, "42725");
    apply(&mut schema, "drop procedure p(jobs.title%TYPE); drop procedure p").unwrap();
}

#[test]
fn unseen_names_are_assumed_until_they_are_gone() {
    let mut schema = Schema::new(Major(17));
    apply(&mut schema, "alter table users add column email text; alter table users drop constraint old").unwrap();
    let users = schema.find(&crate::operation::Name::bare("users")).unwrap();
    assert!(matches!(users.existence, Existence::Assumed { .. }));
    assert!(!users.as_table().unwrap().columns_known);
    let failure = apply(&mut schema, "alter table users drop constraint old").unwrap_err();
    assert_eq!((failure.state, failure.kind, failure.because.is_some()), ("42704", FailureKind::Missing, true));
    apply(&mut schema, "alter table users rename to people").unwrap();
    let failure = apply(&mut schema, "alter table users add column x int").unwrap_err();
    assert_eq!((failure.state, failure.because.is_some()), ("42P01", true));
    schema.check_consistency();
}

#[test]
fn one_branch_alone_makes_a_maybe() {
    let mut schema = complete();
    apply(&mut schema, "create table t (id int)").unwrap();
    let mut other = schema.clone();
    apply(&mut schema, "create table a (id int); alter table t add column x int").unwrap();
    apply(&mut other, "drop table t; create table b (id int)").unwrap();
    let by = schema.find(&crate::operation::Name::bare("t")).unwrap().existence.origin().clone();
    let joined = schema.join(&other, &by);
    for name in ["a", "b", "t"] {
        let relation = joined.find(&crate::operation::Name::bare(name)).unwrap();
        assert!(!relation.existence.is_certain(), "{name}");
    }
    joined.check_consistency();
}

#[test]
fn long_histories_replay_fast() {
    let mut sources = Sources::default();
    let mut text = String::new();
    for table in 0..1000 {
        text += &format!(
            "create table t{table} (id serial primary key, a int not null, b text, c timestamptz default now());\n"
        );
        text += &format!("create index on t{table} (a); create unique index on t{table} (a, b);\n");
        text +=
            &format!("alter table t{table} add column d bigint default 0, add constraint c{table} check (a > 0);\n");
        text += &format!("alter table t{table} add foreign key (a) references t{} (id) not valid;\n", table / 2);
        text += &format!(
            "alter table t{table} validate constraint t{table}_a_fkey; alter table t{table} rename column b to e;\n"
        );
        text += &format!("alter table t{table} alter column e set not null; comment on table t{table} is 'x';\n");
        text += &format!("alter table t{table} drop column d;\n");
    }
    let id = sources.add("test.sql", text.as_str());
    let nodes = sql::read(&sources.piece(id)).nodes;
    assert_eq!(nodes.len(), 10_000);
    let mut schema = complete();
    let began = Instant::now();
    for node in &nodes {
        let Node::Statement(statement) = node else { panic!("a statement") };
        let applied = schema.apply(&statement.operation, &Origin::at(statement.span));
        assert!(applied.failure().is_none(), "{applied:?}");
    }
    println!("10,000 statements in {:?}", began.elapsed());
    schema.check_consistency();
}
