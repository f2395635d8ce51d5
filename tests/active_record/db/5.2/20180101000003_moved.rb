class Moved < ActiveRecord::Migration[5.2]
  def up
    execute <<~SQL
      CREATE SCHEMA far;
      CREATE TABLE far.things (id bigserial PRIMARY KEY, name text);
    SQL
    add_column "far.things", :owner_id, :bigint
    add_index "far.things", :owner_id
    add_index "far.things", :name, unique: true
    create_table "far.others" do |t|
      t.references :thing
      t.timestamps
    end
    create_table :renamed_from do |t|
      t.string :a
      t.string :b, index: true
      t.index [:a, :b], unique: true
      t.index [:b, :a], name: "own_name"
    end
    rename_table :renamed_from, :renamed_to
    create_table :texts_from, id: :string do |t|
      t.string :a, index: true
    end
    rename_table :texts_from, :texts_to
    change_table_comment :renamed_to, nil
  end
end
