//! Ruby's own language and library.

use super::{told, up, value};
use crate::operation::RubyDirection;

#[test]
fn texts() {
    for (expression, expected) in [
        ("'a' + 'b' * 2", "abb"),
        ("\"x#{1 + 2}y\"", "x3y"),
        ("format('%s_%05.1f_%03d', :a, 2.25, 7)", "a_002.2_007"),
        ("'%{t}_%<n>d' % { t: 'u', n: 3 }", "u_3"),
        ("'%s-%s' % %w[a b]", "a-b"),
        ("<<~SQL.squish\n  a\n    b\nSQL", "a b"),
        ("'FooBarHTTPServer'.underscore", "foo_bar_http_server"),
        ("'Admin::User'.tableize", "users"),
        ("'foo_bar/baz'.camelize", "FooBar::Baz"),
        ("'a-b-c'.tr('-', '_')", "a_b_c"),
        ("'abc'.tr('a-b', 'x')", "xxc"),
        ("'a1b22'.gsub(/\\d+/) { |m| \"<#{m}>\" }", "a<1>b<22>"),
        ("'2024_x'.sub(/(\\d+)_(?<rest>.)/, '\\\\2-\\\\1')", "x-2024"),
        ("'p_20240101'[/\\d+/]", "20240101"),
        ("'p_x'[/_(.)/, 1]", "x"),
        ("'abc'[1..]", "bc"),
        ("'abc'[-2, 2]", "bc"),
        ("'a,b,,c,,'.split(',').inspect", "[\"a\", \"b\", \"\", \"c\"]"),
        ("'public.t'.split('.').last", "t"),
        ("'a'.succ", "b"),
        ("'title case'.titleize", "Title Case"),
        ("'x'.ljust(3, '.') + '|'", "x..|"),
        (":a.to_s + 'b'.to_sym.inspect", "a:b"),
        ("'ab'.include?('b') && !'ab'.start_with?('b')", "true"),
        ("'x'.present? && ''.blank? && nil.blank?", "true"),
        ("nil&.foo.inspect", "nil"),
        ("'group_type_ci_runners_e59'.match(/^(?<type>[a-z]+)_type/)[:type]", "group"),
        ("if 'ab_12' =~ /(\\d)(\\d)/ then $2 end", "2"),
        ("case 'foo_x' when /^foo/ then 1 else 2 end", "1"),
        ("'a' <=> 'b'", "-1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn lists_and_hashes() {
    for (expression, expected) in [
        ("[1, 2, 3].map { |x| x * 2 }.select(&:even?).sum", "12"),
        ("%w[a b].each_with_index.map { |x, i| \"#{x}#{i}\" }.join(',')", "a0,b1"),
        ("%w[a b].map.with_index(1) { |x, i| \"#{x}#{i}\" }.join(',')", "a1,b2"),
        ("[[1, 2], [3, 4]].map { |a, b| a + b }.inspect", "[3, 7]"),
        ("{ a: 1, b: 2 }.map { |k, v| \"#{k}=#{v}\" }.join(' ')", "a=1 b=2"),
        ("{ a: 1 }.merge(b: 2).except(:a).inspect", "{:b=>2}"),
        ("[:a, :b].zip([1, 2]).to_h.inspect", "{:a=>1, :b=>2}"),
        ("[3, 1, 2].sort.reverse.first(2).inspect", "[3, 2]"),
        ("(1..4).each_slice(2).to_a.inspect", "[[1, 2], [3, 4]]"),
        ("(1..4).each_with_object([]) { |x, list| list << x * 2 }.inspect", "[2, 4, 6, 8]"),
        ("[1, 2, 3].inject { |a, b| a + b }", "6"),
        ("[1, [2, [3]]].flatten.inspect", "[1, 2, 3]"),
        ("%i[b a].sort_by(&:to_s).inspect", "[:a, :b]"),
        ("x = []; 3.times { |i| x << i }; x.inspect", "[0, 1, 2]"),
        ("x = { a: 1 }; x[:b] ||= 2; x[:a] += 1; x.inspect", "{:a=>2, :b=>2}"),
        ("a, (b, *c) = 1, [2, 3, 4]; [a, b, c].inspect", "[1, 2, [3, 4]]"),
        ("[1, 2] | [2, 3] - [3]", "[1, 2]"),
        ("%w[x y].include?('y')", "true"),
        ("[1, nil].compact.size", "1"),
        ("('a'..'d').to_a.join", "abcd"),
        ("{ a: { b: 1 } }.dig(:a, :b)", "1"),
        ("[5, 3].min + [5, 3].max", "8"),
        ("[1, 2, 3, 4].partition(&:odd?).inspect", "[[1, 3], [2, 4]]"),
        ("%w[aa b].group_by(&:size).inspect", "{2=>[\"aa\"], 1=>[\"b\"]}"),
        ("10.days.to_i", "864000"),
        ("1_000 ** 2 / 3 % 7", "0"),
        ("i = 0; while i < 5; i += 2; end; i", "6"),
        ("i = 0; loop do i += 1; break if i > 3 end; i", "4"),
        ("[1, 2, 3].each { |x| break x * 10 if x == 2 }", "20"),
        ("for x in [1, 2] do y = x end; y", "2"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn methods_constants_and_blocks() {
    let text = "
module Names
  PREFIX = 'p'
  def name_of(part, suffix: 'x', **rest)
    \"#{PREFIX}_#{part}_#{suffix}#{rest[:more]}\"
  end
end
class A < ActiveRecord::Migration[7.1]
  include Names
  PARTS = %w[a b].freeze
  LAST = PARTS.last
  def change
    PARTS.each { |part| run(name_of(part, suffix: 1, more: 2)) }
    wrap(LAST) { |inner| execute inner }
    double = ->(x) { x * 2 }
    execute double.call('l') + double.('m')
    adder = method(:run)
    adder.call('q')
    send(:run, 'r')
  end

  private

  def run(name, times = 1)
    times.times { execute \"run #{name}\" }
    return if name == 'q'
    execute 'after'
  end

  def wrap(x)
    execute 'first'
    yield \"w#{x}\" if block_given?
  end
end
";
    let told = told(text, RubyDirection::Up, "", "");
    let lines: Vec<&str> = told.lines.iter().map(|line| line.trim()).filter(|line| *line != "round").collect();
    let sent: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("method")).collect();
    assert_eq!(sent, ["run p_a_12", "after", "run p_b_12", "after", "first", "wb", "llmm", "run q", "run r", "after"]);
    assert_eq!(told.calls, 10);
}

#[test]
fn what_is_not_known_is_said_where_it_is_used() {
    let lines = up("execute \"SELECT #{Time.now}\"\nexecute \"SELECT #{ENV['X']}\"");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("unread [*]") && lines[0].contains("Time.now"), "{lines:?}");
    let lines = up("add_widget :users, :x, size: 3 do\n execute 'inside'\nend");
    assert_eq!(lines[0], "unread [users] `add_widget` is not known here");
    assert!(lines.iter().any(|line| line.trim() == "inside"), "{lines:?}");
}

#[test]
fn places_of_sql_are_those_of_the_file() {
    use crate::operation::{FrameKind, Node};
    let _ = FrameKind::Undecided;
    let mut sources = crate::source::Sources::default();
    let text = "class A < ActiveRecord::Migration[7.1]\n  T = 'users'\n  def up\n    execute <<~SQL.squish\n      ALTER TABLE #{T}\n        DROP COLUMN name\n    SQL\n  end\nend\n";
    let id = sources.add("a.rb", text);
    let file = crate::read::ruby::read(&sources.piece(id));
    let found = crate::rails::migration::read(std::sync::Arc::new(file), "A").unwrap();
    struct Place(crate::schema::Schema, Vec<crate::source::Piece>);
    impl crate::rails::World for Place {
        fn schema(&self) -> &crate::schema::Schema {
            &self.0
        }
        fn send(&mut self, sql: &crate::source::Piece) {
            self.1.push(sql.clone());
        }
        fn run(&mut self, _: crate::operation::Operation, _: crate::source::Span) {}
        fn count(&mut self, _: crate::source::Span) {}
        fn enter(&mut self, _: crate::operation::Frame) {}
        fn leave(&mut self) {}
        fn in_transaction(&self) -> bool {
            true
        }
        fn begin(&mut self, _: crate::source::Span) {}
        fn commit(&mut self, _: crate::source::Span) {}
        fn fork(&mut self, _: crate::source::Span) {}
        fn next_branch(&mut self, _: crate::source::Span, _: bool) {}
        fn join(&mut self, _: crate::source::Span, _: bool) {}
        fn is_spent(&self) -> bool {
            false
        }
    }
    let mut world = Place(crate::schema::Schema::new(crate::version::Major::NEWEST), Vec::new());
    super::run(&found.up, &crate::rails::Language::default(), &mut world);
    let piece = &world.1[0];
    assert_eq!(piece.text(), "ALTER TABLE users DROP COLUMN name");
    let read = crate::read::sql::read(piece);
    let [Node::Statement(statement)] = read.nodes.as_slice() else { panic!() };
    assert_eq!(sources.start(statement.span).line, 5);
    let at = piece.text().find("DROP").unwrap();
    assert_eq!(sources.text(piece.span(at..at + 4)), "DROP");
    assert_eq!(sources.start(piece.span(at..at + 4)), crate::source::Position { line: 6, column: 9 });
    let at = piece.text().find("users").unwrap();
    assert_eq!(sources.text(piece.span(at..at + 5)), "T");
}

#[test]
fn what_a_lambda_gives_as_default_is_sql() {
    let lines = up("add_column :t, :a, :datetime, default: -> { \"now()\" }, null: false
        create_table(:u, id: false) { |t| t.uuid :b, default: -> { 'gen_random_uuid()' } }
        change_column_default :t, :c, {}");
    assert_eq!(
        lines,
        [
            "ALTER TABLE t ADD a timestamp(6) DEFAULT now() NOT NULL",
            "CREATE TABLE u (b uuid DEFAULT gen_random_uuid())",
            "ALTER TABLE t ALTER COLUMN c SET DEFAULT '{}'",
        ]
    );
}

#[test]
fn what_the_body_of_the_class_sets_is_there_for_its_own_methods() {
    let text = "class A < ActiveRecord::Migration[4.2]\n@names = %w[t u]\ndef self.up\n\
                @names.sort { |a, b| b <=> a }.each { |name| drop_table name }\nend\nend\n";
    let told = super::told(text, crate::operation::RubyDirection::Up, "", "");
    let drops: Vec<&str> = told.lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("DROP")).collect();
    assert_eq!(drops, ["DROP TABLE u", "DROP TABLE t"]);
}

#[test]
fn generators_are_asked_as_active_storage_does() {
    let lines = up("config = Rails.configuration.generators
        kind = config.options[config.orm][:primary_key_type] || :primary_key
        create_table(:v, id: kind) { |t| t.datetime :at, precision: connection.supports_datetime_with_precision? ? 6 : nil }");
    assert_eq!(lines, ["CREATE TABLE v (id bigserial primary key, at timestamp(6))"]);
}

#[test]
fn dates_that_are_written_are_known() {
    let lines = up("from = Date.new(2025, 4)
        while from < Date.new(2025, 6, 1)
          execute \"SELECT '#{from.strftime('%Y%m')}', '#{from.next_month}'\"
          from = from.next_month
        end");
    let sent: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| *line != "round").collect();
    assert_eq!(sent, ["SELECT '202504', '2025-05-01'", "SELECT '202505', '2025-06-01'"]);
}

#[test]
fn a_query_made_at_run_time_changes_nothing() {
    assert!(up("select_value(\"SELECT max(id) FROM #{ENV['T']}\")").is_empty());
}

#[test]
fn a_text_with_holes_that_writes_rows_is_read_with_parameters() {
    let lines = up("execute \"UPDATE users SET name = #{ENV['N']}\"
        execute \"UPDATE #{ENV['T']} SET name = 1\"
        execute \"ALTER TABLE users ADD COLUMN #{ENV['C']} int\"");
    assert_eq!(lines[0], "UPDATE users SET name = $1");
    assert!(lines[1].starts_with("unread [*] the SQL of `execute`"), "{lines:?}");
    assert!(lines[2].starts_with("unread ["), "{lines:?}");
}
