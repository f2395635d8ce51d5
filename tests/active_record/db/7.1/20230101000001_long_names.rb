class LongNames < ActiveRecord::Migration[7.1]
  def change
    create_table :seventy_ones, primary_key: [:shop_id, :id] do |t|
      t.integer :shop_id
      t.bigint :id
      t.string :name
      t.string :a_column_with_a_long_name
      t.string :another_column_with_a_long_name
      t.index [:a_column_with_a_long_name, :another_column_with_a_long_name]
      t.unique_constraint [:shop_id, :name], deferrable: :immediate
    end
    create_table :seventy_one_parts do |t|
      t.integer :shop_id
      t.bigint :seventy_one_id
      t.references :person, foreign_key: { deferrable: :immediate }
      t.references :sender, foreign_key: { to_table: :people, deferrable: :deferred }
      t.index [:shop_id], nulls_not_distinct: true, unique: true
    end
    add_foreign_key :seventy_one_parts, :seventy_ones, primary_key: [:shop_id, :id], column: [:shop_id, :seventy_one_id]
    add_unique_constraint :seventy_one_parts, :seventy_one_id
    add_index :seventy_one_parts, [:seventy_one_id, :shop_id], include: :id, name: "for_using", unique: true
    add_check_constraint :seventy_one_parts, "shop_id > 0", if_not_exists: true
    add_check_constraint :seventy_one_parts, "shop_id > 0", if_not_exists: true
    add_foreign_key :seventy_one_parts, :seventy_ones, primary_key: [:shop_id, :id],
                    column: [:shop_id, :seventy_one_id], if_not_exists: true
    add_reference :a_table_with_quite_a_long_name_that_goes_on, :an_even_longer_name_of_a_reference
    rename_enum :mood, to: :feeling
    add_enum_value :feeling, "great", after: "ok"
    rename_enum_value :feeling, from: "ok", to: "good"
    change_table :seventy_one_parts, bulk: true do |t|
      t.string :a
      t.change_null :a, false
      t.check_constraint "a <> ''"
      t.timestamps
    end
  end
end
