class Eighth < ActiveRecord::Migration[8.0]
  def up
    create_schema "near", if_not_exists: true
    create_table :eighth_users do |t|
      t.references :person, foreign_key: true
      t.references :friend, foreign_key: { to_table: :people }
    end
    remove_foreign_key :eighth_users, :people, column: :friend_id
    change_table :eighth_users do |t|
      t.remove_foreign_key :people
      t.rename :friend_id, :mate_id
    end
    remove_foreign_key :eighth_users, :people, if_exists: true
    add_enum_value :feeling, "best", before: "great", if_not_exists: true
    drop_table :eighth_users, :people_nobody, if_exists: true
    drop_schema "near", if_exists: true
  end
end
