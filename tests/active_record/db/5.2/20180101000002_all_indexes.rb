class AllIndexes < ActiveRecord::Migration[5.2]
  def change
    add_index :all_types, [:a_string, :a_text]
    add_index :all_types, :a_bigint, unique: true, where: "a_bigint > 0", name: "positive"
    add_index :all_types, :a_jsonb, using: :gin
    add_index :all_types, :list_jsonb, using: :gin, opclass: :jsonb_path_ops
    add_index :all_types, [:a_citext, :a_float], order: { a_float: :desc }
    add_index :all_types, [:a_date, :a_time], order: { a_date: "desc nulls last", a_time: :asc }
    add_index :all_types, :a_text, opclass: { a_text: :text_pattern_ops }, name: :like_text
    add_index :all_types, "lower(a_string)"
    add_index :all_types, "lower(a_string), upper(a_text)", name: "both", unique: true, comment: "two"
    add_index :all_types, "a_string DESC", where: "a_boolean"
    remove_index :all_types, column: [:a_citext, :a_float]
    rename_index :all_types, "like_text", "text_like"
  end
end
