//! What is compared of two states of one history, and what a reader is told to run.

use super::{Shared, statements, statements_where};
use crate::operation::{Node, Origin};
use crate::read::sql;
use crate::schema::{Applied, Schema};
use crate::source::Sources;
use crate::version::Major;

const BEFORE: &str = "create type mood as enum ('a'); create table p (id int primary key, x int, kind mood); \
    create table c (id int primary key, p_id int references p, y int not null, check (y > 0)); \
    create table m (id int, at date) partition by range (at); create index m_at on m (at); \
    create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01'); \
    create function f() returns trigger language plpgsql as 'begin return new; end'; \
    create trigger t before insert on c for each row execute function f(); create view v as select id, x from p";

fn apply(schema: &mut Schema, sources: &mut Sources, text: &str) {
    let id = sources.add("test.sql", text);
    for node in sql::read(&sources.piece(id)).nodes {
        let Node::Statement(statement) = node else { panic!("a statement: {text}") };
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            panic!("{text}: {failure:?}");
        }
    }
}

fn after(text: &str) -> [Schema; 2] {
    let mut sources = Sources::default();
    let mut before = Schema::new(Major(17));
    apply(&mut before, &mut sources, BEFORE);
    let mut after = before.clone();
    apply(&mut after, &mut sources, text);
    [before, after]
}

/// Whether all of both is compared or only what was changed.
#[test]
fn names_tell_the_same_of_what_was_changed_alone() {
    let steps = [
        "alter table p add z text; create index p_z on p (z); drop view v",
        "alter table c drop constraint c_p_id_fkey; alter table c add foreign key (p_id) references p on delete cascade",
        "drop table c; create table c (id bigint primary key, p_id int references p); create index on c (p_id)",
        "create table m2 partition of m for values from ('2025-01-01') to ('2026-01-01'); alter table m detach partition m1",
        "drop trigger t on c; drop function f; alter table c alter y drop not null, add constraint yes check (y > 1) not valid",
        "alter table p drop x cascade; create type other as enum ('b'); alter type mood add value 'c'",
        "alter table c drop constraint c_y_check; alter table c add constraint c_y_check check (y > 0)",
    ];
    for step in steps {
        let [before, after] = after(step);
        assert!(before.keeps_names(&after), "{step}");
        for (from, to) in [(&before, &after), (&after, &before)] {
            let changes = from.difference(to, Shared::Names);
            assert!(!changes.is_empty() || step.contains("c_y_check"), "{step}");
            assert_eq!(changes, from.difference(to, Shared::Nothing), "{step}");
        }
    }
}

#[test]
fn what_is_renamed_reaches_rows_that_nobody_changed() {
    let steps = [
        "alter table p rename to q",
        "alter table p rename id to number",
        "alter table c rename constraint c_p_id_fkey to other",
        "alter index m_at rename to other",
        "alter trigger t on c rename to other",
        "alter function f rename to other",
        "alter type mood rename to other",
    ];
    for step in steps {
        let [before, after] = after(step);
        assert!(!before.keeps_names(&after), "{step}");
    }
}

fn back(step: &str, unused: bool) -> Vec<String> {
    let [before, after] = after(step);
    let changes = after.difference(&before, Shared::Since(&before));
    if unused { statements_where(&changes, |_| true) } else { statements(&changes) }
}

#[test]
fn a_table_that_nobody_uses_needs_no_care() {
    let step = "alter table c drop constraint c_p_id_fkey, drop constraint c_pkey";
    let careful = [
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS c_pkey ON public.c USING btree (id);",
        "ALTER TABLE public.c ADD CONSTRAINT c_pkey PRIMARY KEY USING INDEX c_pkey;",
        "ALTER TABLE public.c ADD CONSTRAINT c_p_id_fkey FOREIGN KEY (p_id) REFERENCES public.p(id) NOT VALID;",
        "ALTER TABLE public.c VALIDATE CONSTRAINT c_p_id_fkey;",
    ];
    assert_eq!(back(step, false), careful);
    let plain = [
        "ALTER TABLE public.c ADD CONSTRAINT c_pkey PRIMARY KEY (id);",
        "ALTER TABLE public.c ADD CONSTRAINT c_p_id_fkey FOREIGN KEY (p_id) REFERENCES public.p(id);",
    ];
    assert_eq!(back(step, true), plain);
    let kept = "alter table c add unique (y); create index c_y on c (y)";
    let dropped = ["ALTER TABLE public.c DROP CONSTRAINT c_y_key;", "DROP INDEX public.c_y;"];
    assert_eq!(back(kept, true), dropped);
}

#[test]
fn what_no_statement_can_say_is_said_in_words() {
    let mut sources = Sources::default();
    let mut program = Schema::new(Major(17));
    apply(
        &mut program,
        &mut sources,
        "create table s (id int, mode text default ($1)); create table o (mode text default ($1))",
    );
    let mut plain = Schema::new(Major(17));
    apply(&mut plain, &mut sources, "create table s (id int, mode text)");
    let told = statements(&plain.difference(&program, Shared::Nothing));
    let words = "with the default that the program gives it: its value does not stand in the text";
    assert_eq!(told, [format!("-- make `public.o`, its `mode` {words}"), format!("-- `public.s.mode`: {words}")]);
    let mut without = Schema::new(Major(17));
    apply(&mut without, &mut sources, "create table s (id int); create table o (mode text)");
    let told = statements(&without.difference(&program, Shared::Nothing));
    assert_eq!(told[0], format!("-- add `public.s.mode`, {words}"));
}

#[test]
fn a_number_becomes_no_uuid() {
    let told = back("drop view v; alter table p drop constraint p_pkey cascade, alter id type uuid using null", false);
    assert!(told.iter().any(|sql| sql.starts_with("-- `public.p.id`: nothing casts uuid to integer")), "{told:?}");
    assert!(!told.iter().any(|sql| sql.contains("::")), "{told:?}");
}
