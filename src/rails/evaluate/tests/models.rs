//! Data changes through models.

use super::told;
use crate::operation::RubyDirection;

fn lines(classes: &str, body: &str) -> Vec<String> {
    let text = format!("class A < ActiveRecord::Migration[7.1]\n{classes}\ndef up\n{body}\nend\nend\n");
    let setup = "CREATE TABLE users (id bigint PRIMARY KEY, name text, team_id bigint, created_at timestamp, admin boolean);\
        CREATE TABLE spree_orders (id bigint PRIMARY KEY, number text)";
    let told = told(&text, RubyDirection::Up, setup, "");
    told.lines.iter().map(|line| line.trim().to_owned()).filter(|line| line != "round").collect()
}

#[test]
fn relations_become_sql() {
    for (call, sql) in [
        ("User.update_all(admin: false)", "UPDATE \"users\" SET \"admin\" = FALSE"),
        (
            "User.upsert_all([{ id: 1, name: 'x' }])",
            "INSERT INTO \"users\" (\"id\", \"name\") VALUES (1, 'x') ON CONFLICT (\"id\") DO UPDATE SET \"name\" = excluded.\"name\"",
        ),
        (
            "User.upsert({ name: 'x', team_id: 1 }, unique_by: :name)",
            "INSERT INTO \"users\" (\"name\", \"team_id\") VALUES ('x', 1) ON CONFLICT (\"name\") DO UPDATE SET \"team_id\" = excluded.\"team_id\"",
        ),
        (
            "User.where(name: nil).update_all(\"name = 'x'\")",
            "UPDATE \"users\" SET name = 'x' WHERE \"users\".\"name\" IS NULL",
        ),
        (
            "User.where.not(name: nil).where(team_id: [1, 2]).delete_all",
            "DELETE FROM \"users\" WHERE \"users\".\"name\" IS NOT NULL AND \"users\".\"team_id\" IN (1, 2)",
        ),
        (
            "User.where('id > ? AND name <> :n', 5).order(:id).delete_all",
            "DELETE FROM \"users\" WHERE (id > 5 AND name <> :n)",
        ),
        (
            "User.where('name = :n::text', n: \"o'x\").update_all(['name = ?', 'y'])",
            "UPDATE \"users\" SET name = 'y' WHERE (name = 'o''x'::text)",
        ),
        (
            "User.where(id: 1..5).delete_all",
            "DELETE FROM \"users\" WHERE \"users\".\"id\" >= 1 AND \"users\".\"id\" <= 5",
        ),
        ("User.where(team: 4).delete_all", "DELETE FROM \"users\" WHERE \"users\".\"team_id\" = 4"),
        (
            "User.where(team_id: User.where(admin: true)).delete_all",
            "DELETE FROM \"users\" WHERE \"users\".\"team_id\" IN (SELECT \"id\" FROM \"users\" WHERE \"users\".\"admin\" = TRUE)",
        ),
        ("User.joins(:team).update_all(admin: true)", "UPDATE \"users\" SET \"admin\" = TRUE WHERE $1::boolean"),
        ("User.create!(name: 'a')", "INSERT INTO \"users\" (\"name\", \"created_at\") VALUES ('a', now())"),
        (
            "User.insert_all([{ name: 'a' }, { name: 'b', admin: true }])",
            "INSERT INTO \"users\" (\"name\", \"admin\") VALUES ('a', DEFAULT), ('b', TRUE) ON CONFLICT DO NOTHING",
        ),
        ("Spree::Order.delete_all", "DELETE FROM \"spree_orders\""),
        (
            "u = User.new(name: 'x')\nu.admin = true\nu.save!",
            "INSERT INTO \"users\" (\"name\", \"admin\", \"created_at\") VALUES ('x', TRUE, now())",
        ),
        ("User.find(3).update!(name: 'z')", "UPDATE \"users\" SET \"name\" = 'z' WHERE \"users\".\"id\" = 3"),
        (
            "User.limit(10).delete_all",
            "DELETE FROM \"users\" WHERE \"id\" IN (SELECT \"id\" FROM \"users\" LIMIT 1000)",
        ),
    ] {
        assert_eq!(lines("", call), [sql], "{call}");
    }
}

#[test]
fn loops_over_rows_are_loops_of_small_writes() {
    let range = "\"users\".\"id\" >= $1 AND \"users\".\"id\" < $2";
    for (call, sql) in [
        (
            "User.find_each { |u| u.update!(name: u.name.upcase) }",
            format!("UPDATE \"users\" SET \"name\" = $1 WHERE {range}"),
        ),
        (
            "User.where(admin: nil).in_batches { |b| b.update_all(admin: false) }",
            format!("UPDATE \"users\" SET \"admin\" = FALSE WHERE \"users\".\"admin\" IS NULL AND {range}"),
        ),
        (
            "User.in_batches(of: 10).update_all(admin: false)",
            format!("UPDATE \"users\" SET \"admin\" = FALSE WHERE {range}"),
        ),
        ("User.in_batches.each { |b| b.delete_all }", format!("DELETE FROM \"users\" WHERE {range}")),
        (
            "User.find_each do |u|\n u.name = 'x'\n u.save(validate: false)\nend",
            format!("UPDATE \"users\" SET \"name\" = 'x' WHERE {range}"),
        ),
        ("User.all.each(&:destroy)", format!("DELETE FROM \"users\" WHERE {range}")),
        (
            "User.find_in_batches { |rows| rows.each { |u| u.update_column(:name, 'q') } }",
            format!("UPDATE \"users\" SET \"name\" = 'q' WHERE {range}"),
        ),
    ] {
        let lines = lines("", call);
        assert!(lines.contains(&sql), "{call}: {lines:?}");
        assert_eq!(lines[..2], ["loop", "fork"], "{call}");
    }
}

#[test]
fn classes_of_the_file_name_their_tables() {
    let classes = "class Member < ActiveRecord::Base\n self.table_name = 'users'\n scope :plain, -> { where(admin: false) }\n\
        def self.wipe(n)\n where(name: n).delete_all\n end\n def rename!\n update!(name: 'r')\n end\nend\n\
        class UserRole < ApplicationRecord; end\nPerson = Class.new(ActiveRecord::Base) { self.table_name = :users }";
    assert_eq!(lines(classes, "Member.plain.delete_all"), ["DELETE FROM \"users\" WHERE \"users\".\"admin\" = FALSE"]);
    assert_eq!(
        lines(classes, "Member.plain.wipe('a')").last().unwrap(),
        "DELETE FROM \"users\" WHERE \"users\".\"admin\" = FALSE AND \"users\".\"name\" = 'a'"
    );
    let found = lines(classes, "Member.first.rename!");
    assert!(found.last().unwrap().starts_with("UPDATE \"users\" SET \"name\" = 'r'"), "{found:?}");
    // All of the class is seen: it has no attribute but its columns.
    let found = lines(classes, "Member.create!(name: 'x', password: 'y')");
    assert!(found[0].contains("(\"name\", \"password\", \"created_at\")"), "{found:?}");
    let declared = "class Member < ActiveRecord::Base\n self.table_name = 'users'\n attribute :temp, :string\n \
        attr_accessor :password\n store_accessor :name, :nick\nend";
    let found = lines(declared, "Member.create!(admin: true, temp: 'x', password: 'y')");
    assert!(found[0].contains("(\"admin\", \"created_at\")"), "{found:?}");
    let found = lines(declared, "Member.create!(nick: 'x')");
    assert!(found[0].contains("(\"name\", \"created_at\")"), "what is kept in a column: {found:?}");
    assert_eq!(lines(classes, "UserRole.delete_all"), ["DELETE FROM \"user_roles\""]);
    assert_eq!(lines(classes, "Person.delete_all"), ["DELETE FROM \"users\""]);
    assert_eq!(lines("", "User.transaction do\n User.delete_all\nend"), ["BEGIN", "DELETE FROM \"users\"", "COMMIT"]);
}

#[test]
fn what_a_model_does_and_is_not_known_is_said() {
    for (call, part) in [
        ("Widget.where(a: 1).delete_all", "unread [*] which table `Widget` stands for is not known"),
        ("User.first.team.update!(name: 'x')", "unread [*] `update!` writes rows of what is not known"),
        ("User.update_all(Foo.attributes)", "unread [users] what is set in the rows of `users` is not known"),
        (
            "User.find_each { |u| u.recompute; u.save! }",
            "unread [users] which columns of `users` are written is not known",
        ),
        (
            "User.create!(name: 'x', password: 'y')",
            "unread [users] what the model of `users` writes for `password` is not known",
        ),
        (
            "User.new(password: 'y').save!",
            "unread [users] what the model of `users` writes for `password` is not known",
        ),
        (
            "User.first.update!(password: 'y')",
            "unread [users] what the model of `users` writes for `password` is not known",
        ),
        ("Importer.new(1).run", "unread [*] `Importer.new.run` runs code that is not in this file"),
        ("Importer.run", "unread [*] `Importer.run` runs code that is not in this file"),
        ("User.upsert_all(Foo.rows)", "unread [users] which rows `upsert_all` writes to `users` is not known"),
    ] {
        let lines = lines("", call);
        assert!(lines.iter().any(|line| line.starts_with(part)), "{call}: {lines:?}");
    }
    assert_eq!(
        lines("", "x = Importer.size\nUser.reset_column_information\nRails.logger.info 'x'"),
        Vec::<String>::new()
    );
}

#[test]
fn associations_and_scopes_lead_to_tables() {
    let classes = "class User < ActiveRecord::Base; end";
    let setup = "execute 'CREATE TABLE teams (id bigint PRIMARY KEY, name text); CREATE TABLE posts (id bigint, user_id bigint, body text)'\n";
    let body = format!(
        "{setup}User.find_each do |u|\n u.team.update!(name: 'x')\n u.posts.delete_all\n u.settings['a'] = 1\n u.save!\nend\n\
         User.active.update_all(name: 'z')\nUser.reset_counters(1, :posts)\nUser.import_all"
    );
    let lines = lines(classes, &body);
    for wanted in [
        "UPDATE \"teams\" SET \"name\" = 'x' WHERE \"teams\".\"id\" = $1",
        "DELETE FROM \"posts\" WHERE \"posts\".\"user_id\" = $1",
        "UPDATE \"users\" SET \"settings\" = $1 WHERE \"users\".\"id\" >= $1 AND \"users\".\"id\" < $2",
        "UPDATE \"users\" SET \"name\" = 'z' WHERE $1::boolean",
        "unread [*] `A::User.import_all` runs code that is not in this file",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
    }
}

#[test]
fn a_row_that_may_be_missing_decides_nothing() {
    let change = "User.update_all(admin: true)";
    for (condition, decided) in [
        ("User.find_by(name: 'x')", None),
        ("User.find_by_name('x')", None),
        ("User.where(admin: true).first", None),
        ("User.first.nil?", None),
        ("User.first == nil", None),
        ("User.first.presence", None),
        ("!User.last", None),
        ("User.find_by!(name: 'x')", Some(true)),
        ("User.find(1)", Some(true)),
        ("User.find(1).nil?", Some(false)),
        ("User.where(admin: true)", Some(true)),
    ] {
        let found = lines("", &format!("if {condition}\n{change}\nelse\nUser.delete_all\nend"));
        let runs = |words: &str| found.iter().any(|line| line.starts_with(words));
        let way = (runs("UPDATE"), runs("DELETE"));
        let wanted = decided.map_or((true, true), |holds| (holds, !holds));
        assert_eq!(way, wanted, "{condition}: {found:?}");
    }
}

#[test]
fn a_loop_until_no_row_is_found_ends() {
    let found = lines("", "n = 1\nn += 1 while User.find_by_name(\"x#{n}\")\nUser.delete_all");
    assert!(found.iter().any(|line| line.starts_with("DELETE")), "{found:?}");
}
