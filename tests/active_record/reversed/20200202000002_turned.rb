# Every call that can be reversed.
class Turned < ActiveRecord::Migration[6.1]
  def change
    add_column :towns, :mayor, :string, limit: 50, if_not_exists: true
    remove_column :towns, :code, :string
    remove_columns :towns, :people, type: :integer
    add_index :towns, :mayor, unique: true, where: "mayor IS NOT NULL", if_not_exists: true
    add_index :towns, "lower(name)"
    remove_index :towns, column: :twin_id
    rename_index :towns, "index_towns_on_lower_name", "lower"
    add_reference :streets, :owner, polymorphic: true, null: true
    add_reference :streets, :part_of, foreign_key: { to_table: :towns }
    remove_reference :streets, :part_of, foreign_key: { to_table: :towns }
    add_foreign_key :towns, :towns, column: :id, name: "itself", validate: false
    remove_foreign_key :towns, :towns, column: :twin_id
    add_check_constraint :towns, "length(name) > 1", name: "name_length", validate: false
    remove_check_constraint :towns, "length(name) > 1", name: "name_length"
    rename_column :towns, :name, :title
    change_column_default :towns, :title, from: nil, to: "Town"
    change_column_null :towns, :title, true
    change_column_comment :towns, :title, from: nil, to: "see"
    change_table_comment :towns, from: nil, to: "places"
    remove_timestamps :towns, null: true
    add_timestamps :streets, null: true
    rename_table :towns, :places
    change_table :places do |t|
      t.string :a, :b
      t.rename :mayor, :head
      t.index :a
      t.references :region
      t.change_default :b, from: nil, to: "x"
      t.change_null :title, false
    end
    drop_table :streets, id: :uuid do |t|
      t.bigint :town_id
      t.references :owner, polymorphic: true
      t.timestamps null: true
    end
    drop_join_table :places, :streets, table_name: :streets_towns
    disable_extension "citext"
  end
end
