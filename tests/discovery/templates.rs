//! Placeholders on real trees: whose values count, and where findings stand.

use plimsoll::history::Framework;
use plimsoll::operation::{Node, Operation};
use plimsoll::project::Project;

use crate::tree::*;

/// The tables that a project makes, with the text that stands where each is made.
fn tables(project: &Project) -> Vec<(String, String)> {
    let nodes = project.histories.iter().flat_map(|history| &history.migrations).flat_map(|one| &one.up.nodes);
    let made = nodes.filter_map(|node| match node {
        Node::Statement(statement) => match &statement.operation {
            Operation::CreateTable(create) => {
                Some((create.name.to_string(), project.sources.text(statement.span).to_owned()))
            }
            _ => None,
        },
        _ => None,
    });
    made.collect()
}

fn made(name: &str, text: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), text.to_owned())]
}

#[test]
fn settings_win_over_the_runners_own_values() {
    let text = "create table ${schema}.${flyway:table} (b int)";
    let tree = Tree::new(&[("db/migration/V1__a.sql", text)]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(tables(&project), made("schema.table_", text));
    assert!(says(&project, "`schema` as `schema`, `table` as `table_`; `[placeholders]` sets them"));

    tree.write(&[("flyway.conf", "flyway.placeholders.schema=own\nflyway.placeholders.table=t\n")]);
    assert_eq!(tables(&tree.load(&[]).unwrap()), made("own.t", text));
    tree.write(&[("plimsoll.toml", "[placeholders]\nschema = 'said'\n")]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(tables(&project), made("said.t", text));
    assert!(!says(&project, "placeholders"));
}

#[test]
fn go_templates_are_replaced_and_their_blocks_are_said() {
    let text = "create table {{ index .Options \"Namespace\" }}.users (b int)";
    let blocks = "{{ if .X }}create table c (d int);{{ end }}\n";
    let tree = Tree::new(&[
        ("go.mod", "require github.com/gobuffalo/pop/v6 v6.1.1\n"),
        ("m/1_a.up.sql", text),
        ("m/2_b.up.sql", blocks),
        ("plimsoll.toml", "[placeholders]\nNamespace = 'auth'\n"),
    ]);
    let project = tree.load(&[]).unwrap();
    assert_eq!(project.histories[0].framework, Framework::Pop);
    assert_eq!(tables(&project), made("auth.users", text));
    assert!(says(&project, "templates have blocks") && says(&project, "m/2_b.up.sql"));
}

#[test]
fn psql_variables_are_set_in_the_file_or_by_the_settings() {
    let text = "\\set own mine\ncreate table :own.:\"Other\" (b int);\n";
    let tree = Tree::new(&[("sql/1_a.sql", text), ("plimsoll.toml", "[placeholders]\nOther = 'O'\n")]);
    let wanted = made("mine.\"O\"", "create table :own.:\"Other\" (b int)");
    assert_eq!(tables(&tree.load(&["sql"]).unwrap()), wanted);
}

#[test]
fn what_looks_like_a_placeholder_and_is_none_stays() {
    let text = "create table a (b text default '${x} {{y}} :z', c int[], check (c[1:b] is null))";
    let tree = Tree::new(&[("sql/1_a.sql", text)]);
    let project = tree.load(&["sql"]).unwrap();
    assert_eq!(tables(&project), made("a", text));
    assert!(!says(&project, "placeholders"));
}
