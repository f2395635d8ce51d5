class Keys < ActiveRecord::Migration[6.1]
  def change
    create_table :people do |t|
      t.string :name
      t.timestamps
    end
    create_table :categories do |t|
      t.string :code, null: false
      t.index :code, unique: true
      t.check_constraint "length(code) > 1", name: "code_length"
    end
    create_table :letters do |t|
      t.references :person, foreign_key: true, null: false
      t.belongs_to :sender, foreign_key: { to_table: :people, on_delete: :nullify, on_update: :restrict }
      t.references :subject, polymorphic: true
      t.bigint :category_id
      t.string :category_code
      t.foreign_key :categories, validate: false
      t.timestamps
    end
    add_foreign_key :letters, :categories, column: :category_code, primary_key: :code, name: "by_code", null: true, validate: false
    validate_foreign_key :letters, name: "by_code"
    add_reference :letters, :copy, foreign_key: { to_table: :letters, on_delete: :cascade }
    add_check_constraint :letters, "category_code <> ''", validate: false
    add_check_constraint :letters, "id > 0", name: "positive"
    remove_check_constraint :letters, "id > 0", name: "positive"
  end
end
