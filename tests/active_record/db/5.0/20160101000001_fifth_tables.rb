class FifthTables < ActiveRecord::Migration[5.0]
  def change
    create_table :fifth_users do |t|
      t.string :name
      t.datetime :born_at, precision: 3
      t.references :fifth_user, foreign_key: true
      t.timestamps
    end
    create_table :fifth_plain, id: :integer do |t|
      t.bigint :n
    end
    create_table :fifth_wide, id: :bigint, primary_key: :number
    create_table :fifth_counted, id: false do |t|
      t.primary_key :counter
      t.decimal :a
      t.decimal :b, precision: 6, default: 0
      t.decimal :c, precision: 6, scale: 2, default: "1.50"
    end
    add_reference :fifth_plain, :fifth_user, foreign_key: { on_delete: :cascade }, index: { unique: true }
    create_join_table :fifth_users, :fifth_plains, table_name: :fifth_joins, column_options: { null: true }
    add_timestamps :fifth_plain, null: true
  end
end
