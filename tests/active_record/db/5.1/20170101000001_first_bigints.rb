class FirstBigints < ActiveRecord::Migration[5.1]
  def up
    create_table :first_users do |t|
      t.string :name
      t.integer :n
      t.references :first_user, foreign_key: { to_table: :first_users, on_update: :cascade }, type: :integer
      t.timestamps
    end
    create_table :first_ints, id: :integer do |t|
      t.references :first_user, index: { name: "by_user" }, foreign_key: { name: "to_user" }
    end
    change_column :first_users, :name, :text, default: "nobody", null: false
    change_column :first_users, :n, "bigint USING n::bigint", comment: "how many"
  end

  def down
    drop_table :first_ints
    drop_table :first_users
  end
end
