class SeventhTables < ActiveRecord::Migration[7.0]
  def change
    create_enum :mood, ["sad", "ok", "fine"]
    create_enum :mood, ["sad"]
    create_table :seventh_users do |t|
      t.datetime :at
      t.datetime :rough_at, precision: nil
      t.timestamptz :zone_at
      t.timestamp :plain_at
      t.enum :mood, enum_type: :mood, default: "sad", null: false
      t.virtual :lower_name, type: :string, as: "lower(name)", stored: true
      t.string :name
      t.timestamps
    end
    create_table :a_table_with_quite_a_long_name_that_goes_on do |t|
      t.references :person, foreign_key: true
      t.references :sender, foreign_key: { to_table: :people }
      t.string :a
      t.string :b
      t.index [:a, :b], name: "short_names"
    end
    add_column :seventh_users, :later_at, :datetime
    change_column :seventh_users, :rough_at, :datetime
    add_timestamps :pairs, default: -> { "now()" }
    change_column_null :seventh_users, :mood, true
  end
end
