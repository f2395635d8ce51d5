class Ground < ActiveRecord::Migration[6.1]
  def change
    enable_extension "citext"
    create_table :towns do |t|
      t.string :name, null: false
      t.string :code
      t.integer :people
      t.references :twin, foreign_key: { to_table: :towns }
      t.timestamps
    end
    create_table :streets, id: :uuid do |t|
      t.belongs_to :town, foreign_key: true, index: { unique: true }
    end
    create_join_table :towns, :streets, column_options: { null: true }
  end
end
