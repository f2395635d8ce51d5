# Runs the migrations of folders through Active Record, as `rails db:migrate` would, on the database that the libpq
# variables name, and prints a line of JSON for each call of a migration's: the call, and the SQL it sent.
#
#   ruby migrate.rb [--down] FOLDER…
#
# PLIMSOLL_ACTIVE_RECORD names a checkout of Rails to be used in place of the installed Active Record.

if (checkout = ENV["PLIMSOLL_ACTIVE_RECORD"])
  %w[activesupport activemodel activerecord].each { |part| $LOAD_PATH.unshift(File.join(checkout, part, "lib")) }
end
require "json"
require "logger"
require "active_support"
require "active_record"

ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"], username: ENV["PGUSER"],
  password: ENV["PGPASSWORD"], database: ENV["PGDATABASE"]
)
ActiveRecord::Migration.verbose = false
CONNECTION = ActiveRecord::Base.connection

SENT = []
# Named queries ask the catalog.
ASKS = /\A\s*(SELECT|SHOW|SET|BEGIN|COMMIT|ROLLBACK)\b/i
ActiveSupport::Notifications.subscribe("sql.active_record") do |*, payload|
  SENT << payload[:sql] unless payload[:name] == "SCHEMA" || payload[:sql].match?(ASKS)
end

# Values as plimsoll has them.
def plain(value)
  case value
  when nil, true, false, Integer, String then value
  when Symbol then { symbol: value.to_s }
  when Float then { float: value.to_s }
  when Array then value.map { |item| plain(item) }
  when Hash then { hash: value.map { |key, item| [plain(key), plain(item)] } }
  when Proc then { sql: value.call }
  else { unknown: value.class.name }
  end
end

def spoken(name, arguments, options, inner)
  # Those with an underscore are Active Record's own.
  options = options.reject { |key, _| key.start_with?("_") }
  { name: name, arguments: arguments.map { |value| plain(value) },
    options: options.map { |key, value| [key.to_s, plain(value)] }, inner: inner }
end

# Stands in for `t` and tells what it was sent.
class Listener < BasicObject
  def initialize(table, heard)
    @table, @heard = table, heard
  end

  def method_missing(name, *arguments, **options, &block)
    @heard << ::Kernel.instance_method(:send).bind_call(::Object.new, :spoken, name, arguments, options, nil)
    @table.__send__(name, *arguments, **options, &block)
  end

  def respond_to_missing?(*) = true
end

# Tells each call of a migration's; what a call does inside is its own.
module Telling
  NAMES = ActiveRecord::Migration::CommandRecorder::ReversibleAndIrreversibleMethods +
    %i[change_table add_columns execute validate_foreign_key validate_check_constraint validate_constraint rename_schema
       create_enum drop_enum rename_enum add_enum_value rename_enum_value] - %i[transaction]

  NAMES.uniq.each do |name|
    define_method(name) do |*arguments, **options, &block|
      return super(*arguments, **options, &block) if @inside

      begin
        @inside = true
        inner = ([] if block)
        listening = (->(table) { block.call(Listener.new(table, inner)) } if block)
        told = spoken(name, arguments, options.deep_dup, inner)
        SENT.clear
        # A recorder collects calls to run them backwards.
        backwards = connection.respond_to?(:revert)
        super(*arguments, **options, &listening)
        puts told.merge(version: version_of_class, backwards: backwards, sent: SENT.dup).to_json
      ensure
        @inside = false
      end
    end
  end

  def version_of_class
    self.class.superclass.name[/V(\d+_\d+)\z/, 1]&.tr("_", ".") || ActiveRecord::Migration.current_version.to_s
  end
end

def run(file, direction)
  version, name = File.basename(file, ".rb").split("_", 2)
  require File.expand_path(file)
  migration = name.camelize.constantize.new(name.camelize, version.to_i)
  migration.singleton_class.prepend(Telling)
  act = ->(*) { migration.exec_migration(CONNECTION, direction) }
  migration.disable_ddl_transaction ? act.call : ActiveRecord::Base.transaction(&act)
  puts({ ends: true }.to_json)
rescue StandardError, NotImplementedError => error
  abort "#{file}: #{error.class}: #{error.message.lines.first}"
end

down = ARGV.delete("--down")
files = ARGV.flat_map { |folder| Dir[File.join(folder, "*.rb")].sort }
files.each { |file| run(file, :up) }
files.reverse_each { |file| run(file, :down) } if down
