class OldChanges < ActiveRecord::Migration[4.2]
  def up
    rename_column :old_users, :email, :address
    remove_index :old_posts, name: "index_old_posts_on_owner_id"
    change_column :old_users, :logins, :integer, limit: 8, default: 7, null: false
    change_column_default :old_users, :active, nil
    remove_index :old_users, :address
  end

  def down
    add_index :old_users, :address
    change_column_default :old_users, :active, true
    change_column :old_users, :logins, :integer, limit: 8, default: 3, null: true
    add_index :old_posts, :owner_id
    rename_column :old_users, :address, :email
  end
end
