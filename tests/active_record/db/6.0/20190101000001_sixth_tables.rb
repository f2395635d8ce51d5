class SixthTables < ActiveRecord::Migration[6.0]
  def up
    create_table :sixth_users do |t|
      t.references :subject, polymorphic: { default: "Post" }, null: false
      t.references :plain, index: false, null: false, default: 0
      t.string :name, index: { unique: true, name: "by_name" }
      t.datetime :at
      t.timestamps default: -> { "now()" }
    end
    change_table :sixth_users do |t|
      t.string :a, :b, default: "x"
      t.remove :at
      t.rename :a, :c
      t.index :c
      t.references :other, polymorphic: true
      t.change :b, :text, null: false
      t.change_default :b, "y"
      t.datetime :seen_at
      t.timestamp :told_at, null: false, default: -> { "now()" }
      t.boolean :flag, index: true
    end
    change_table :sixth_users, bulk: true do |t|
      t.integer :n, default: 0, null: false
      t.bigint :m, comment: "em"
      t.remove :told_at, :seen_at
      t.change :c, :text, null: false, default: "c"
      t.references :third
      t.index [:n, :m]
      t.date :day
    end
  end

  def down
    drop_table :sixth_users
  end
end
