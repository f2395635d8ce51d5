# What migrations meant before they had versions.
class OldTables < ActiveRecord::Migration[4.2]
  def change
    create_table :old_users do |t|
      t.string :name, limit: 60, null: false
      t.string :email
      t.integer :logins, limit: 8, default: "3"
      t.boolean :active, default: 't'
      t.timestamps
    end
    add_index :old_users, :email, unique: true

    create_table :old_posts do |t|
      t.references :old_user
      t.belongs_to :subject, polymorphic: true, index: true
      t.datetime :seen_at
      t.timestamp :told_at
      t.timestamps null: false
    end

    create_table :old_keys, id: :uuid, default: "md5('x')::uuid" do |t|
      t.text :body
    end

    create_join_table :old_users, :old_posts do |t|
      t.index [:old_user_id, :old_post_id], unique: true
    end

    add_reference :old_posts, :editor
    add_reference :old_posts, :owner, index: true
    add_column :old_posts, :read_at, :datetime
    add_timestamps :old_keys
  end
end
