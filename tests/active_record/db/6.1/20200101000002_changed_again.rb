class ChangedAgain < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def up
    add_index :letters, :category_code, algorithm: :concurrently, if_not_exists: true
    add_index :letters, :category_code, algorithm: :concurrently, if_not_exists: true
    remove_index :letters, :category_code, algorithm: :concurrently, if_exists: true
    remove_index :letters, :category_code, if_exists: true
    add_column :letters, :sent_at, :datetime, if_not_exists: true
    add_column :letters, :sent_at, :datetime, if_not_exists: true
    add_column :letters, :exact_at, :datetime, precision: 6, null: false, default: -> { "now()" }
    remove_column :letters, :sent_at, if_exists: true
    remove_column :letters, :sent_at, if_exists: true
    remove_foreign_key :letters, :categories, column: :category_id
    remove_foreign_key :letters, name: "by_code"
    remove_foreign_key :letters, :people, column: :sender_id
    change_column_null :letters, :category_code, false, "none"
    change_column_null :letters, :category_code, true
    change_column_default :letters, :category_code, from: nil, to: "some"
    change_column :letters, :category_id, :string, limit: 20
    change_column :letters, :category_id, :bigint, using: "category_id::bigint"
    remove_reference :letters, :subject, polymorphic: true
    remove_reference :letters, :copy, foreign_key: { to_table: :letters }
    remove_columns :letters, :category_id, :category_code
    remove_timestamps :letters
    add_timestamps :letters, null: true, precision: 3
    create_join_table :letters, :people
    create_join_table :music_records, :music_artists do |t|
      t.index :music_record_id
    end
    drop_join_table :letters, :people
    create_table :gone, force: true
    create_table :gone, force: :cascade, id: false do |t|
      t.integer :a
    end
    create_table :gone, if_not_exists: true
    drop_table :gone, if_exists: true
    drop_table :never_there, if_exists: true
    create_table :pairs, primary_key: [:a, :b] do |t|
      t.integer :a
      t.integer :b
    end
    create_table :ranged, id: false, options: "PARTITION BY RANGE (at)" do |t|
      t.datetime :at, null: false
      t.references :person
    end
    create_table :copied, as: "SELECT id, name FROM people"
    create_table :short, id: { type: :string, limit: 12 } do |t|
      t.string :a
    end
  end
end
