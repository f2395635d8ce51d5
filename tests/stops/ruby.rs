//! Migrations in Ruby, run by the Active Record that is installed until a row stops them.

use std::fs;
use std::process::Command;

use crate::server::{Database, Server, run_script};
use crate::{Folder, apart, catalog_lines, run_all, schema_lines};

struct Case {
    name: &'static str,
    before: &'static str,
    rows: &'static str,
    /// The body of the class, which leaves out the transaction.
    body: &'static str,
    /// What Active Record says of the end.
    refused: &'static str,
}

const TREE: &str =
    "CREATE TABLE parents (id bigint, kind integer NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE parents_1 PARTITION OF parents FOR VALUES IN (1);
CREATE TABLE parents_2 PARTITION OF parents FOR VALUES IN (2);
CREATE TABLE parents_3 PARTITION OF parents FOR VALUES IN (3);
CREATE TABLE children (id bigint, parent_id bigint, kind integer NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE children_1 PARTITION OF children FOR VALUES IN (1);
CREATE TABLE children_2 PARTITION OF children FOR VALUES IN (2);
CREATE TABLE children_3 PARTITION OF children FOR VALUES IN (3);";

const USERS: &str = "CREATE TABLE teams (id bigint PRIMARY KEY);
CREATE TABLE users (id bigint PRIMARY KEY, team_id bigint, mail varchar, age integer);";

const CASES: &[Case] = &[
    Case {
        name: "keys of partitions in a loop, the second over an orphan",
        before: TREE,
        rows: "INSERT INTO children VALUES (1, 99, 2);",
        body: r#"
  KINDS = [1, 2, 3].freeze

  def up
    KINDS.each do |kind|
      execute <<~SQL
        ALTER TABLE children_#{kind} ADD CONSTRAINT fk_parent
          FOREIGN KEY (parent_id, kind) REFERENCES parents_#{kind} (id, kind) ON DELETE CASCADE NOT VALID
      SQL
      execute "ALTER TABLE children_#{kind} VALIDATE CONSTRAINT fk_parent"
    end
    execute "ALTER TABLE children ADD CONSTRAINT fk_parent FOREIGN KEY (parent_id, kind) REFERENCES parents (id, kind)"
  end

  def down
    execute "ALTER TABLE children DROP CONSTRAINT fk_parent"
  end
"#,
        refused: "PG::ForeignKeyViolation",
    },
    Case {
        name: "a unique index built concurrently over duplicates, after a column",
        before: USERS,
        rows: "INSERT INTO users (id, mail) VALUES (1, 'a'), (2, 'a');",
        body: r#"
  def change
    add_column :users, :seen_at, :datetime
    add_index :users, :mail, unique: true, algorithm: :concurrently
    add_index :users, :age, algorithm: :concurrently
  end
"#,
        refused: "ActiveRecord::RecordNotUnique",
    },
    Case {
        name: "a foreign key added without and then validated, over an orphan",
        before: USERS,
        rows: "INSERT INTO users (id, team_id) VALUES (1, 7);",
        body: r#"
  def up
    add_index :users, :team_id, algorithm: :concurrently, if_not_exists: true
    add_foreign_key :users, :teams, validate: false
    validate_foreign_key :users, :teams
    add_column :teams, :name, :string
  end

  def down
    remove_foreign_key :users, :teams
    remove_index :users, :team_id
  end
"#,
        refused: "PG::ForeignKeyViolation",
    },
    Case {
        name: "a check that old rows break, then NOT NULL",
        before: USERS,
        rows: "INSERT INTO users (id, age) VALUES (1, NULL);",
        body: r#"
  def up
    add_check_constraint :users, "age IS NOT NULL", name: "users_age_null", validate: false
    add_check_constraint :users, "age > 0", name: "users_age_positive"
    validate_check_constraint :users, name: "users_age_null"
    change_column_null :users, :age, false
    remove_check_constraint :users, name: "users_age_null"
  end

  def down
    change_column_null :users, :age, true
    remove_check_constraint :users, name: "users_age_positive"
  end
"#,
        refused: "PG::CheckViolation",
    },
    Case {
        name: "several tables, the last of them with a key that rows break",
        before: USERS,
        rows: "INSERT INTO users (id, mail) VALUES (1, 'a'), (2, 'a');",
        body: r#"
  def up
    create_table :invitations do |t|
      t.references :team, null: false, index: true
      t.string :mail, null: false
    end
    %i[mail age].each { |column| change_column_default :users, column, from: nil, to: nil }
    execute "ALTER TABLE users ADD CONSTRAINT users_mail_once UNIQUE (mail)"
    add_column :invitations, :sent_at, :datetime
  end

  def down
    execute "ALTER TABLE users DROP CONSTRAINT users_mail_once"
    drop_table :invitations
  end
"#,
        refused: "ActiveRecord::RecordNotUnique",
    },
];

#[test]
fn migrations_in_ruby_stop_where_plimsoll_says_and_undo_brings_them_back() {
    let Some(server) = Server::get() else { return };
    let faults: Vec<String> = CASES
        .iter()
        .filter_map(|case| {
            stop_and_undo(&server.database(), case).err().map(|fault| format!("{}:\n{fault}", case.name))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn stop_and_undo(database: &Database, case: &Case) -> Result<(), String> {
    let major = database.major();
    let mut client = database.client();
    let run = |client: &mut postgres::Client, sql| run_script(client, sql).map_err(|refusal| format!("{refusal:#?}"));
    run(&mut client, case.before)?;
    let before = catalog_lines(&mut client, major, "public");
    run(&mut client, case.rows)?;

    let folder = Folder::in_ruby(case.before, case.body);
    let (ended, stops) = folder.ends(major);
    if schema_lines(&ended.before.schema) != before {
        return Err(format!("before:\n{}", apart(&schema_lines(&ended.before.schema), &before)));
    }
    migrate(database, &folder, case.refused)?;
    let now = catalog_lines(&mut client, major, "public");
    let on_data = stops.iter().filter(|(_, stop)| !stop.on_data().is_empty());
    let foretold: Vec<Vec<String>> = on_data.map(|(_, stop)| schema_lines(&stop.state.schema)).collect();
    if !foretold.contains(&now) {
        let all: String = foretold.iter().map(|lines| format!("a stop:\n{}", apart(lines, &now))).collect();
        return Err(format!("none of {} stops is where it is:\n{all}", foretold.len()));
    }

    let script = folder.undo(major);
    // A table that the migration made is dropped only where it is empty, or where that is allowed.
    for round in ["undo", "undo again"] {
        let refused = run_all(&mut client, &script);
        let after = catalog_lines(&mut client, major, "public");
        if after != before || !refused.is_empty() {
            return Err(format!("{round}:\n{}{refused:#?}\n{script}", apart(&before, &after)));
        }
    }
    Ok(())
}

/// Runs the second migration alone, as Rails does where the first has run; it must end as told.
fn migrate(database: &Database, folder: &Folder, refused: &str) -> Result<(), String> {
    let alone = folder.0.join("alone");
    fs::create_dir_all(&alone).unwrap();
    let file = "20240201000000_migration.rb";
    fs::copy(folder.0.join("db/migrate").join(file), alone.join(file)).unwrap();
    let mut command = Command::new("ruby");
    command.args(["-W0", "tests/active_record/migrate.rb"]).arg(&alone).envs(database.variables());
    let output = command.output().map_err(|error| format!("ruby: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Err("it ran through".to_owned()),
        false if said.contains(refused) => Ok(()),
        false => Err(format!("it ended otherwise: {said}")),
    }
}
