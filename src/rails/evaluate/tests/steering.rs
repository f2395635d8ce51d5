//! What steers a migration: conditions, directions, transactions, vocabularies.

use super::{told, up};
use crate::operation::RubyDirection;

#[test]
fn the_schema_answers_guards() {
    let lines = up("execute 'a' if table_exists?(:users)\nexecute 'b' unless column_exists?(:users, :name)\n\
        return if column_exists?('public.users', 'id')\nexecute 'c'");
    assert_eq!(lines, ["a"]);
    let lines = up(
        "execute 'a' if connection.index_exists?(:users, :name)\nexecute 'b' unless foreign_key_exists?(:users, :teams)",
    );
    assert_eq!(lines, ["b"]);
}

#[test]
fn both_branches_of_an_undecided_condition_run() {
    let lines = up("if ENV['X']\n execute 'a'\nelse\n execute 'b'\nend\nexecute 'c'");
    assert_eq!(lines, ["fork", "a", "next", "b", "join", "c"]);
}

#[test]
fn what_follows_an_undecided_return_may_not_run() {
    let lines = up("return unless Foo.bar?\nexecute 'a'");
    assert_eq!(lines, ["fork", "next", "a", "join"]);
    let lines = up("[1, 2].each do |x|\n next if Foo.bar?(x)\n execute \"a#{x}\"\nend\nexecute 'b'");
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    assert_eq!(lines, ["round", "fork", "next", "a1", "join", "round", "fork", "next", "a2", "join", "b"]);
}

#[test]
fn a_branch_that_fails_does_not_go_on() {
    assert_eq!(up("raise 'no' unless Foo.bar?\nexecute 'a'"), ["fork", "next (gone)", "join", "a"]);
    assert_eq!(up("execute 'a'\nraise ActiveRecord::IrreversibleMigration\nexecute 'b'"), ["a"]);
    assert_eq!(
        up("begin\n raise ArgumentError\nrescue ArgumentError\n execute 'saved'\nensure\n execute 'last'\nend"),
        ["saved", "last"]
    );
}

#[test]
fn variables_join_too() {
    let lines = up("x = 'a'\nx = 'b' if Foo.bar?\ny = 'c'\nexecute y\nexecute x");
    assert_eq!(lines[3], "c");
    assert!(lines[4].starts_with("unread") && lines[4].contains("`x` depends"), "{lines:?}");
}

#[test]
fn a_loop_over_what_is_not_known_is_gone_through_once() {
    let lines = up("Foo.names.each do |name|\n execute 'a'\n execute \"b #{name}\"\nend");
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    assert_eq!(&lines[..3], ["loop", "fork", "a"]);
    assert!(lines[3].starts_with("unread"));
    assert_eq!(&lines[4..], ["next", "join"]);
}

#[test]
fn a_loop_that_may_return_is_gone_through_once() {
    let text = "class A < ActiveRecord::Migration[7.1]\ndef up\npick\nexecute 'after'\nend\n\
        def pick\nloop do\n execute 'round'\n return 1 if Foo.bar?\nend\nend\nend";
    let lines = told(text, RubyDirection::Up, "", "").lines;
    assert_eq!(lines.iter().filter(|line| line.contains("round")).count(), 1, "{lines:?}");
    assert_eq!(lines.last().map(|line| line.trim()), Some("after"), "{lines:?}");
    // A method that may return early ends no loop of its caller.
    let text = "class A < ActiveRecord::Migration[7.1]\ndef up\n[1, 2].each do |n|\n pick\n execute \"round #{n}\"\nend\nend\n\
        def pick\nreturn 1 if Foo.bar?\n2\nend\nend";
    let lines = told(text, RubyDirection::Up, "", "").lines;
    assert!(lines.iter().any(|line| line.contains("round 2")), "{lines:?}");
}

#[test]
fn lambdas_of_options_are_sql() {
    let lines = up(
        "create_table :a, id: :uuid, default: -> { \"f()\" } do |t|\n t.datetime :b, default: -> { 'now()' }\nend\n\
        change_column_default :users, :name, from: nil, to: -> { 'g()' }",
    );
    let text = lines.join("\n");
    assert!(text.contains("DEFAULT f()") && text.contains("DEFAULT now()") && text.contains("DEFAULT g()"), "{text}");
}

#[test]
fn directions_and_reversal() {
    let text = "class A < ActiveRecord::Migration[7.1]\ndef change\n\
        reversible do |dir|\n dir.up { execute 'u' }\n dir.down { execute 'd' }\nend\n\
        up_only { execute 'only' }\n\
        revert { reversible { |dir| dir.up { execute 'ru' }; dir.down { execute 'rd' } } }\nend\nend";
    assert_eq!(told(text, RubyDirection::Up, "", "").lines, ["u", "only", "rd"]);
    assert_eq!(told(text, RubyDirection::Down, "", "").lines, ["ru", "d"]);
    let text =
        "class A < ActiveRecord::Migration[5.0]\ndef self.up\nexecute 'u'\nend\ndef self.down\nexecute 'd'\nend\nend";
    assert_eq!(told(text, RubyDirection::Up, "", "").lines, ["u"]);
    assert_eq!(told(text, RubyDirection::Down, "", "").lines, ["d"]);
    let text = "class A < ActiveRecord::Migration[7.1]\ndef change\nexecute 'u'\nend\nend";
    let lines = told(text, RubyDirection::Down, "", "").lines;
    assert!(lines.len() == 1 && lines[0].starts_with("unread"), "{lines:?}");
    // Beside a `change` neither of the two is called.
    let text = "class A < ActiveRecord::Migration[7.1]\ndef change\nup_only { execute 'c' }\nend\n\
        def up\nexecute 'u'\nend\ndef down\nexecute 'd'\nend\nend";
    assert_eq!(told(text, RubyDirection::Up, "", "").lines, ["c"]);
    assert!(told(text, RubyDirection::Down, "", "").lines.is_empty());
}

#[test]
fn transactions_are_opened_once() {
    let body = "transaction do\n execute 'a'\n ActiveRecord::Base.transaction { execute 'b' }\nend\nexecute 'c'";
    assert_eq!(up(body), ["BEGIN", "a", "b", "COMMIT", "c"]);
}

#[test]
fn helpers_of_a_vocabulary_are_evaluated() {
    let words = "[vocabulary]\nname = \"own\"\ninherits = [\"Own::Migration\"]\n\
        [helper.add_thing]\nparameters = \"table, *names, note: 'n', **rest\"\ndoes = '''\n\
        return if table_exists?(\"#{table}_things\")\n\
        names.each { |name| execute \"SELECT '#{table} #{name} #{note} #{rest.keys.join}'\" }\n\
        yield table if block_given?\n'''\n\
        [helper.again]\nparameters = \"x\"\ndoes = \"add_thing x, :y\"\n";
    let text = "class A < Own::Migration[1.0]\ndef up\nadd_thing :users, :a, :b, z: 1 do |t|\n execute \"SELECT 'in #{t}'\"\nend\nagain 'u'\nend\nend";
    let told_own = told(text, RubyDirection::Up, "", words);
    let lines: Vec<&str> = told_own.lines.iter().map(|line| line.trim()).filter(|line| *line != "round").collect();
    assert_eq!(
        lines,
        [
            "helper add_thing",
            "SELECT 'users a n z'",
            "SELECT 'users b n z'",
            "SELECT 'in users'",
            "helper again",
            "helper add_thing",
            "SELECT 'u y n '"
        ]
    );
    assert_eq!(told_own.calls, 3, "two calls, and the one in the block");
    let other = "class A < Other[1.0]\ndef up\nadd_thing :users\nend\nend";
    assert!(told(other, RubyDirection::Up, "", words).lines[0].starts_with("unread [users]"));
}

#[test]
fn the_catalog_is_asked_for_lists() {
    let setup = "CREATE TABLE t (id bigint, k int) PARTITION BY LIST (k);\
        CREATE TABLE t_b PARTITION OF t FOR VALUES IN (2); CREATE TABLE t_a PARTITION OF t FOR VALUES IN (1);";
    let text = "class A < ActiveRecord::Migration[7.1]\ndef up\npartitions(:t).each { |p| execute p }\n\
        execute columns(:t).map(&:name).join(',')\nexecute sha256('ci_runners')[0, 10]\nend\nend";
    let lines = told(text, RubyDirection::Up, setup, "").lines;
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| *line != "round").collect();
    assert_eq!(lines, ["t_a", "t_b", "id,k", "e59bb2812d"]);
}

#[test]
fn what_a_handler_takes_may_not_have_run() {
    let lines = up("begin\n execute 'a'\nrescue ActiveRecord::StatementInvalid\n execute 'b'\nend\nexecute 'c'");
    assert_eq!(lines, ["fork", "b", "next", "a", "join", "c"]);
    assert_eq!(up("begin\n execute 'a'\nrescue => e\n puts e\n raise\nend"), ["a"]);
}

#[test]
fn objects_of_the_file_are_made_and_called() {
    let text = "class A < ActiveRecord::Migration[7.1]\nclass Mover\n def initialize(name)\n @name = name\n end\n\
        def call(suffix = '')\n ActiveRecord::Base.connection.execute(\"SELECT '#{@name}#{suffix}'\")\n end\nend\n\
        def up\nMover.new('m').call('x') if Rails.env.production?\nexecute 'no' if Rails.env.test?\nend\nend";
    let lines = told(text, RubyDirection::Up, "", "").lines;
    assert_eq!(lines.last().unwrap().trim(), "SELECT 'mx'", "{lines:?}");
}
