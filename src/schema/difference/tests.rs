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

/// What stands upon each other in many ways.
const UPON: &str = "create domain amount as int; create type kind as enum ('a'); \
    create function grade(value int) returns int language sql immutable as 'select value'; \
    create table a (id serial primary key, code text unique, worth amount default 1, kind text default 'a', \
        twice int generated always as (id * 2) stored); \
    create table b (id int primary key, a_code text references a (code), graded int default grade(1)); \
    create view first as select id, code, worth, kind from a; create view second as select id, code from first; \
    create materialized view third as select s.id, b.id as b from second s join b on b.a_code = s.code; \
    create unique index third_id on third (id); \
    create function rows_of_second() returns setof second language sql as 'select * from second'; \
    create function note() returns trigger language plpgsql as 'begin return new; end'; \
    create trigger note before update of kind on a for each row execute function note();";

/// The statements of both ways run, and end where they are to.
#[test]
fn what_stands_upon_each_other_makes_way() {
    let steps = [
        "drop materialized view third; drop function rows_of_second(); drop view second, first",
        "drop trigger note on a; drop function rows_of_second(); drop view first cascade; alter table a drop column kind",
        "drop function rows_of_second(); drop view first cascade; alter table a alter code type varchar(20); \
         create view first as select id, code, worth, kind from a",
        "alter table b drop constraint b_a_code_fkey; alter table a drop constraint a_code_key; \
         alter table a add constraint a_code_id unique (code, id)",
        "alter table a drop constraint a_code_key cascade; alter table a add unique (code); \
         alter table b add constraint b_a_code_fkey foreign key (a_code) references a (code)",
        "alter table b alter graded drop default; drop function grade(int); \
         create function grade(value int) returns bigint language sql immutable as 'select value'",
        "alter table b alter graded drop default; drop function grade(int)",
        "drop function rows_of_second(); drop view first cascade; alter table a alter worth type int; drop domain amount",
        "drop trigger note on a; drop function note()",
        "drop function rows_of_second(); drop view first cascade; alter table a alter kind drop default; \
         drop trigger note on a; alter table a alter kind type kind using kind::kind; \
         alter table a alter kind set default 'a'; \
         create trigger note before update of kind on a for each row execute function note()",
        "create or replace view second as select id, code, 1 as one from first",
        "drop materialized view third; create materialized view third as select id, 2 as b from b; \
         create unique index third_id on third (id)",
        "alter table b drop constraint b_pkey; alter table b alter id drop not null; alter table b add primary key (a_code)",
        "alter table a drop twice; alter table a add twice int generated always as (id * 3) stored",
        "alter table b alter graded drop default; alter table b alter graded set not null; \
         alter table b alter graded add generated always as identity",
        "alter table a rename to old; create table a (id int default nextval('a_id_seq') primary key); \
         alter sequence a_id_seq owned by a.id; drop table old cascade",
    ];
    for step in steps {
        let mut sources = Sources::default();
        let mut before = Schema::new(Major(17));
        apply(&mut before, &mut sources, UPON);
        let mut after = before.clone();
        apply(&mut after, &mut sources, step);
        for (way, from, to) in [("forth", &before, &after), ("back", &after, &before)] {
            for shared in [Shared::Nothing, Shared::Since(&before)] {
                let told = statements(&from.difference(to, shared));
                let mut reached = from.clone();
                // A reader does what is said in words.
                told.iter().for_each(|text| apply(&mut reached, &mut sources, text));
                let left = reached.difference(to, Shared::Nothing);
                let in_words = told.iter().any(|text| text.starts_with("--"));
                assert!(left.is_empty() || in_words, "{way} {step}:\n{}\n{left:?}", told.join("\n"));
            }
        }
    }
}
