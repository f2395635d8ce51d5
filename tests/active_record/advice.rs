//! Advice in Ruby does what the same advice does in SQL.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll::operation::{Ident, Name};
use plimsoll::rails::active_record::{Dialect, Release};
use plimsoll::rails::write::Writer;
use plimsoll::source::{Sources, Span};

use super::{Folder, catalog, release, ruby, same, server::Server};

const TABLES: &str = r#"
    CREATE TABLE users (id bigint PRIMARY KEY, email text, name text, "group" text, tags jsonb);
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, "buyerId" bigint, total numeric, note text NOT NULL);
    CREATE INDEX index_orders_on_note ON orders (note);
    CREATE INDEX orders_by_total ON orders (total);
    CREATE SCHEMA shop;
    CREATE TABLE shop.items (id bigint PRIMARY KEY, label text);
"#;

/// SQL, and the Ruby that is written for it where migrations are for 6.1.
const ADVICE: &[(&str, &str)] = &[
    (
        "-- in a migration of its own\nCREATE INDEX CONCURRENTLY index_users_on_email ON public.users (email);",
        "# in a migration of its own\nadd_index :users, :email, algorithm: :concurrently",
    ),
    (
        "CREATE UNIQUE INDEX CONCURRENTLY users_by_group ON users (\"group\", name DESC) WHERE email <> '\"#{x}\\';",
        "add_index :users, [:group, :name], unique: true, order: { name: :desc }, \
         where: \"email <> '\\\"\\#{x}\\\\'\", name: \"users_by_group\", algorithm: :concurrently",
    ),
    (
        "CREATE INDEX CONCURRENTLY index_users_on_tags ON users USING gin (tags jsonb_path_ops);",
        "add_index :users, :tags, using: :gin, opclass: { tags: :jsonb_path_ops }, algorithm: :concurrently",
    ),
    (
        "CREATE INDEX CONCURRENTLY users_by_lower_email ON users (lower(email));",
        "execute \"CREATE INDEX CONCURRENTLY users_by_lower_email ON users (lower(email))\"",
    ),
    (
        "CREATE INDEX CONCURRENTLY items_by_label ON shop.items (label);",
        "add_index \"shop.items\", :label, name: \"items_by_label\", algorithm: :concurrently",
    ),
    (
        "DROP INDEX CONCURRENTLY IF EXISTS public.orders_by_total;",
        "remove_index :orders, name: \"orders_by_total\", algorithm: :concurrently, if_exists: true",
    ),
    (
        "ALTER TABLE orders ADD CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE CASCADE \
         NOT VALID;\nALTER TABLE orders VALIDATE CONSTRAINT fk_user;",
        "add_foreign_key :orders, :users, on_delete: :cascade, name: \"fk_user\", validate: false\n\
         validate_constraint :orders, :fk_user",
    ),
    (
        "ALTER TABLE orders ADD CONSTRAINT fk_buyer FOREIGN KEY (\"buyerId\") REFERENCES users (id);",
        "add_foreign_key :orders, :users, column: :buyerId, name: \"fk_buyer\"",
    ),
    (
        "ALTER TABLE orders ADD CONSTRAINT orders_total_present CHECK (total IS NOT NULL) NOT VALID;\n\
         -- in a migration of its own\n\
         ALTER TABLE orders VALIDATE CONSTRAINT orders_total_present;\n\
         ALTER TABLE orders ALTER COLUMN total SET NOT NULL;\n\
         ALTER TABLE orders DROP CONSTRAINT orders_total_present;",
        "add_check_constraint :orders, \"total IS NOT NULL\", name: \"orders_total_present\", validate: false\n\
         # in a migration of its own\n\
         validate_check_constraint :orders, name: \"orders_total_present\"\n\
         change_column_null :orders, :total, false\n\
         remove_check_constraint :orders, name: \"orders_total_present\"",
    ),
    (
        "ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false, ADD COLUMN price numeric(10,2), \
         ADD COLUMN code character varying(8) DEFAULT 'it''s', ADD COLUMN size smallint, ADD COLUMN at timestamp(6), \
         ADD COLUMN day timestamp, ADD COLUMN names text[];",
        "add_column :orders, :paid, :boolean, default: false, null: false\n\
         add_column :orders, :price, :decimal, precision: 10, scale: 2\n\
         add_column :orders, :code, :string, limit: 8, default: \"it's\"\n\
         add_column :orders, :size, :integer, limit: 2\n\
         add_column :orders, :at, :datetime, precision: 6\n\
         add_column :orders, :day, :datetime\n\
         add_column :orders, :names, :text, array: true",
    ),
    ("ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;", "change_column_null :orders, :note, true"),
    ("ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'none';", "change_column_default :orders, :note, \"none\""),
    ("ALTER TABLE orders DROP COLUMN note;", "remove_column :orders, :note"),
    ("DROP TABLE IF EXISTS public.carts;", "drop_table :carts, if_exists: true"),
    (
        "BEGIN;\nALTER TABLE users RENAME COLUMN name TO name_old;\nALTER TABLE users RENAME COLUMN \"group\" TO team;\n\
         UPDATE users SET team = name_old;\nCOMMIT;",
        "transaction do\n  rename_column :users, :name, :name_old\n  rename_column :users, :group, :team\n  \
         execute \"UPDATE users SET team = name_old\"\nend",
    ),
    (
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  NEW.note := '#{1}\n  two';\n\n  \
         RETURN NEW;\nEND $$;",
        "execute <<~'SQL'\n  CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$\n  BEGIN\n    \
         NEW.note := '#{1}\n    two';\n\n    RETURN NEW;\n  END $$\nSQL",
    ),
    // Two actions that belong together stay one statement.
    (
        "ALTER TABLE orders DROP CONSTRAINT IF EXISTS fk_buyer, ADD CONSTRAINT fk_buyer CHECK (true);",
        "execute \"ALTER TABLE orders DROP CONSTRAINT IF EXISTS fk_buyer, ADD CONSTRAINT fk_buyer CHECK (true)\"",
    ),
];

fn written(sql: &str, version: Release) -> Option<String> {
    let source = Sources::default().add("db/migrate/1_advised.rb", "x");
    let indexes = BTreeSet::from([Ident::new("orders_by_total"), Ident::new("index_orders_on_note")]);
    let table_of = |index: &Ident| indexes.contains(index).then(|| Name::bare("orders"));
    let at = Span { source, start: 0, end: 1 };
    Writer { dialect: &Dialect::new(version), table_of: &table_of, at }.ruby(sql)
}

#[test]
fn advice_is_written_as_migrations_are() {
    for (sql, ruby) in ADVICE {
        assert_eq!(written(sql, Release(6, 1)).as_deref(), Some(*ruby));
    }
    // What an old release does not know is not asked of it.
    let check = "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0);";
    assert_eq!(
        written(check, Release(5, 2)).as_deref(),
        Some("execute \"ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0)\"")
    );
    let include = "CREATE INDEX orders_by_user ON orders (user_id) INCLUDE (total);";
    assert!(written(include, Release(7, 0)).is_some_and(|ruby| ruby.starts_with("execute")));
    assert!(written(include, Release(7, 1)).is_some_and(|ruby| ruby.starts_with("add_index")));
    assert_eq!(
        written("DELETE FROM orders WHERE id > :last;", Release(6, 1)).as_deref(),
        Some("execute <<~SQL\n  DELETE FROM orders WHERE id > #{last}\nSQL")
    );
    // Each chooses the name in its own way.
    assert_eq!(
        written("CREATE UNIQUE INDEX ON users (id, name);", Release(6, 1)).as_deref(),
        Some("add_index :users, [:id, :name], unique: true")
    );
    for words in ["-- in batches", "finish it first", "# before\nself.ignored_columns += %w[a]", "GRUMBLE TABLE x;"] {
        assert_eq!(written(words, Release(6, 1)), None, "{words}");
    }
}

#[test]
fn advice_in_ruby_makes_what_its_sql_makes() {
    let Some(server) = Server::get() else { return };
    release();
    let (in_sql, in_ruby) = (server.database(), server.database());
    let folder = Folder::new("advice");
    let mut number = 0;
    for (sql, _) in ADVICE {
        number += 1;
        let ruby = written(sql, Release(6, 1)).expect("it is read");
        let body: String = ruby.lines().map(|line| format!("    {line}\n")).collect();
        let class = format!(
            "class Advised{number} < ActiveRecord::Migration[6.1]\n  disable_ddl_transaction!\n\n  def up\n{body}  end\nend\n"
        );
        std::fs::write(folder.0.join(format!("{number:03}_advised{number}.rb")), class).expect("a file of its own");
    }
    for database in [&in_sql, &in_ruby] {
        database.run_script(TABLES).expect("the tables are made");
    }
    for (sql, _) in ADVICE {
        in_sql.run_script(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
    }
    ruby(&in_ruby, &[path(&folder.0)]).unwrap_or_else(|fault| panic!("{fault}"));
    same(&catalog::facts(&in_ruby), &catalog::facts(&in_sql));
}

fn path(folder: &Path) -> String {
    folder.display().to_string()
}
