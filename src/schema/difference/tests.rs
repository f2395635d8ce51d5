//! What names tell of two states of one history is the same, whether all of both is compared or only what was changed.

use super::Shared;
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
