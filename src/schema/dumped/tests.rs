//! A dump takes a history's place: what is the same object afterwards, what is not, what stays untold.

use super::Told;
use crate::operation::{Ident, Name, Node, Origin};
use crate::read::sql;
use crate::schema::{Applied, Existence, RelationId, Schema};
use crate::source::Sources;
use crate::version::Major;

fn apply(schema: &mut Schema, sources: &mut Sources, text: &str) {
    let id = sources.add("test.sql", text);
    for node in sql::read(&sources.piece(id)).nodes {
        let Node::Statement(statement) = node else { panic!("a statement: {text}") };
        if let Applied::Failed(failure) = schema.apply(&statement.operation, &Origin::at(statement.span)) {
            panic!("{text}: {failure:?}");
        }
    }
}

fn dumped(history: &str, dump: &str, told: Told) -> (Schema, Schema, Sources) {
    let mut sources = Sources::default();
    let mut before = Schema::new(Major(17));
    apply(&mut before, &mut sources, history);
    let mut shown = before.for_dump();
    apply(&mut shown, &mut sources, dump);
    let after = before.as_dumped(&shown, told);
    after.check_consistency();
    (before, after, sources)
}

fn id(schema: &Schema, name: &str) -> RelationId {
    schema.find(&Name::bare(name)).unwrap_or_else(|| panic!("{name}")).id
}

const SYNCED: &str = "create table a (id int primary key, x int, y int); create table b (id int primary key, x int); \
    create table d (z int); create index b_x on b (x); \
    create function f() returns trigger language plpgsql as 'begin insert into b values (new.id, new.x); return new; end'; \
    create trigger t after insert on a for each row execute function f(); \
    alter table b add constraint b_fk foreign key (id) references a not valid; create view v as select x from a";

#[test]
fn what_has_the_same_name_stays_the_same() {
    let dump = "create function f() returns trigger language plpgsql as 'begin return new; end'; \
        create table b (id int not null, x int); create table a (y int, w text, id int not null); create table c (id int); \
        alter table a add constraint a_pkey primary key (id); alter table b add constraint b_pkey primary key (id); \
        create index b_x on b (x); create trigger t after insert on a for each row execute function f(); \
        alter table b add constraint b_fk foreign key (id) references a(id); create view v as select y from a";
    let (before, after, sources) = dumped(SYNCED, dump, Told::Everything);
    for name in ["a", "b", "b_x", "a_pkey", "b_pkey", "v"] {
        assert_eq!(id(&before, name), id(&after, name), "{name}");
    }
    assert!(after.find(&Name::bare("d")).is_none());
    assert!(before.get_relation(id(&after, "c")).is_none(), "a number that nothing had");
    let column = |schema: &Schema, name: &str| {
        let found = schema.relation(id(schema, "a")).as_table().unwrap().column(&Ident::new(name)).map(|one| one.id);
        found.unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!((column(&before, "y"), column(&before, "id")), (column(&after, "y"), column(&after, "id")));
    assert!(column(&after, "w").0 > column(&before, "y").0);
    let key = after.find_constraint(id(&after, "b"), &Ident::new("b_fk")).unwrap();
    assert!(key.validated && key.as_foreign().unwrap().references == id(&after, "a"));
    let by = |existence: &Existence| sources.text(existence.origin().span).to_owned();
    assert!(by(&after.relation(id(&after, "a")).existence).contains("x int, y int"), "made by the history");
    let trigger = after.triggers().next().unwrap();
    assert_eq!(
        (trigger.id, trigger.function),
        (before.triggers().next().unwrap().id, before.functions().next().map(|one| one.id))
    );
    assert!(after.seems_complete());
}

#[test]
fn what_the_history_was_not_sure_of_is_the_dumps() {
    let (before, after, _) =
        dumped("alter table unseen add column x int", "create table unseen (id int, x int)", Told::Everything);
    assert_eq!(id(&before, "unseen"), id(&after, "unseen"));
    assert!(!before.seems_complete() && after.seems_complete());
    // A number that a statement makes next is none that either side has.
    let mut later = after.clone();
    let mut sources = Sources::default();
    apply(&mut later, &mut sources, "create table fresh (id int primary key)");
    later.check_consistency();
    assert!(before.get_relation(id(&later, "fresh")).is_none() && after.get_relation(id(&later, "fresh")).is_none());
}

#[test]
fn a_dump_of_tables_leaves_the_rest() {
    let history = format!(
        "{SYNCED}; create type mood as enum ('sad'); create sequence s; alter table a add constraint c check (x > 0); \
         create table p (id int, k int) partition by list (k); create table p1 partition of p for values in (1); \
         alter table a enable row level security; create policy o on a using (x = 1); create view w as select x from v; \
         create table gone (id int); create trigger u after insert on gone for each row execute function f()"
    );
    let dump = "create table a (id int primary key, x int); create table b (id int primary key, x int); \
        create table p (id int, k int); create table p1 (id int, k int); alter table b add constraint b_fk foreign key (id) references a";
    let (before, after, _) = dumped(&history, dump, Told::Tables);
    for name in ["a", "b", "v", "w", "s", "p", "p1"] {
        assert_eq!(id(&before, name), id(&after, name), "{name}");
    }
    assert!(after.find(&Name::bare("gone")).is_none() && after.find(&Name::bare("d")).is_none());
    assert_eq!(after.triggers().map(|one| one.name.to_string()).collect::<Vec<_>>(), ["t"]);
    assert_eq!(after.functions().next().unwrap().triggers.len(), 1);
    let table = after.relation(id(&after, "a")).as_table().unwrap();
    assert!(table.row_security && table.policies.len() == 1 && table.views == [id(&after, "v")]);
    assert!(after.find_constraint(id(&after, "a"), &Ident::new("c")).is_some());
    assert!(after.relation(id(&after, "p")).is_partitioned());
    assert_eq!(after.partitions(id(&after, "p")), [id(&after, "p1")]);
    assert!(after.find_type(&Name::bare("mood")).is_some());
}
