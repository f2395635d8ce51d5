//! Makes statements: mostly about what is there, some about what is not.

use plimsoll::operation::PartitionStrategy;
use plimsoll::schema::{Constraint, ConstraintRow, Relation, RelationKind, Schema, Table};

/// A small seeded generator (splitmix64); the same seed gives the same statements everywhere.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let mut chance = Chance(seed);
        // Neighbouring seeds must not walk the same path some steps apart.
        Chance(chance.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True once in `one_in`.
    fn once_in(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }

    fn word<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const TABLES: &[&str] = &["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"];
const COLUMNS: &[&str] = &["a", "b", "c", "d"];
const CONSTRAINTS: &[&str] = &["k0", "k1", "k2", "k3"];
const INDEXES: &[&str] = &["i0", "i1", "i2", "i3"];
const TRIGGERS: &[&str] = &["g0", "g1"];

/// The next statement.
pub fn statement(chance: &mut Chance, schema: &Schema, major: u32) -> String {
    let tables = schema.tables().count();
    let mut maker = Maker { chance, schema, major };
    if tables < 2 || maker.chance.once_in(7) && tables < 8 {
        return maker.create_table();
    }
    match maker.chance.below(100) {
        0..18 => maker.add_constraint(),
        18..27 => maker.drop_constraint(),
        27..32 => maker.validate(),
        32..40 => maker.attach(),
        40..45 => maker.detach(),
        45..54 => maker.create_index(),
        54..57 => maker.drop_index(),
        57..61 => maker.attach_index(),
        61..65 => maker.add_column(),
        65..68 => maker.drop_column(),
        68..74 => maker.alter_column(),
        74..79 => maker.trigger(),
        79..84 => maker.rename(),
        84..88 => maker.drop_table(),
        88..90 => maker.sequence(),
        90..92 => maker.view(),
        92..94 => maker.inherit(),
        94..96 => maker.truncate(),
        96..98 => maker.using_index(),
        _ => maker.alter_constraint(),
    }
}

struct Maker<'a> {
    chance: &'a mut Chance,
    schema: &'a Schema,
    major: u32,
}

impl Maker<'_> {
    fn tables(&self) -> Vec<(&Relation, &Table)> {
        self.schema.tables().collect()
    }

    /// Mostly a table that is there.
    fn table(&mut self) -> String {
        let names: Vec<String> = self.tables().iter().map(|(relation, _)| relation.name.name.to_string()).collect();
        if self.chance.once_in(30) {
            return self.chance.word(TABLES).to_owned();
        }
        self.chance.pick(&names).cloned().unwrap_or_else(|| "t0".to_owned())
    }

    fn partitioned(&mut self) -> Option<String> {
        let found: Vec<String> = self
            .tables()
            .iter()
            .filter(|(relation, _)| relation.is_partitioned())
            .map(|(relation, _)| relation.name.name.to_string())
            .collect();
        self.chance.pick(&found).cloned()
    }

    fn found(&self, name: &str) -> Option<(&Relation, &Table)> {
        self.tables().into_iter().find(|(relation, _)| relation.name.name == *name)
    }

    fn new_table(&mut self) -> String {
        let free: Vec<&str> = TABLES.iter().copied().filter(|name| self.found(name).is_none()).collect();
        match self.chance.pick(&free) {
            Some(free) if !self.chance.once_in(30) => (*free).to_owned(),
            _ => self.chance.word(TABLES).to_owned(),
        }
    }

    fn column(&mut self, table: &str) -> String {
        let columns: Vec<String> = self
            .found(table)
            .map(|(_, table)| table.columns.iter().map(|column| column.name.to_string()).collect())
            .unwrap_or_default();
        if self.chance.once_in(25) {
            return self.chance.word(COLUMNS).to_owned();
        }
        self.chance.pick(&columns).cloned().unwrap_or_else(|| "a".to_owned())
    }

    fn columns(&mut self, table: &str) -> String {
        let first = self.column(table);
        if self.chance.once_in(2) {
            return first;
        }
        format!("{first}, {}", self.column(table))
    }

    fn only(&mut self) -> &'static str {
        if self.chance.once_in(8) { "ONLY " } else { "" }
    }

    fn cascade(&mut self) -> &'static str {
        if self.chance.once_in(4) { " CASCADE" } else { "" }
    }

    fn if_exists(&mut self) -> &'static str {
        if self.chance.once_in(5) { "IF EXISTS " } else { "" }
    }

    fn bound(&mut self, parent: &str) -> String {
        let strategy = self.found(parent).and_then(|(_, table)| table.partition_by.as_ref()).map(|key| key.strategy);
        if self.chance.once_in(9) {
            return "DEFAULT".to_owned();
        }
        let at = self.chance.below(6);
        match strategy {
            Some(PartitionStrategy::List) => format!("FOR VALUES IN ({at})"),
            Some(PartitionStrategy::Hash) => format!("FOR VALUES WITH (MODULUS 4, REMAINDER {})", self.chance.below(4)),
            _ => {
                let width = if self.chance.once_in(4) { 2 } else { 1 };
                format!("FOR VALUES FROM ({}) TO ({})", at * 10, (at + width) * 10)
            }
        }
    }

    fn partition_by(&mut self) -> String {
        let column = self.chance.word(&["a", "a", "a", "b"]);
        let strategy = self.chance.word(&["RANGE", "RANGE", "RANGE", "LIST", "HASH"]);
        format!(" PARTITION BY {strategy} ({column})")
    }

    fn create_table(&mut self) -> String {
        let name = self.new_table();
        let temporary = if self.chance.once_in(25) { "UNLOGGED " } else { "" };
        let parent = self.partitioned();
        match (self.chance.below(12), parent) {
            (0..4, Some(parent)) => {
                let bound = self.bound(&parent);
                let extra = match self.chance.below(8) {
                    0 => " (CHECK (a > 0))",
                    1 => " (b DEFAULT 5)",
                    2 => " (b NOT NULL)",
                    3 => " (PRIMARY KEY (a, b))",
                    4 => " (FOREIGN KEY (b) REFERENCES t0)",
                    _ => "",
                };
                let more = if self.chance.once_in(3) { self.partition_by() } else { String::new() };
                format!("CREATE {temporary}TABLE {name} PARTITION OF {parent}{extra} {bound}{more}")
            }
            (4, _) => {
                let source = self.table();
                let parts = self.chance.word(&[
                    "",
                    " INCLUDING ALL",
                    " INCLUDING INDEXES",
                    " INCLUDING CONSTRAINTS INCLUDING DEFAULTS",
                ]);
                format!("CREATE TABLE {name} (LIKE {source}{parts})")
            }
            (5, _) => {
                let parent = self.table();
                let own = self.chance.word(&["", "e int", "a int", "b int NOT NULL", "CHECK (a > 1)"]);
                format!("CREATE TABLE {name} ({own}) INHERITS ({parent})")
            }
            _ => self.plain_table(&name, temporary),
        }
    }

    fn plain_table(&mut self, name: &str, temporary: &str) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (at, column) in COLUMNS.iter().enumerate().take(2 + self.chance.below(3)) {
            let data_type = match at {
                0 => self.chance.word(&["int", "int", "int", "int", "serial"]),
                1 => self.chance.word(&["int", "int", "bigint"]),
                _ => self.chance.word(&["int", "int", "bigint", "int GENERATED ALWAYS AS IDENTITY"]),
            };
            let extra = match self.chance.below(14) {
                0 => " NOT NULL",
                1 => " DEFAULT 1",
                2 => " UNIQUE",
                3 if at == 0 => " PRIMARY KEY",
                4 => " CHECK (a > 0)",
                5 => " REFERENCES t1",
                6 => " CONSTRAINT k1 NOT NULL",
                _ => "",
            };
            parts.push(format!("{column} {data_type}{extra}"));
        }
        match self.chance.below(7) {
            0 | 1 => parts.push("PRIMARY KEY (a)".to_owned()),
            2 => parts.push("PRIMARY KEY (a, b)".to_owned()),
            3 => parts.push("UNIQUE (b)".to_owned()),
            4 => parts.push("CONSTRAINT k0 CHECK (b > 0)".to_owned()),
            _ => {}
        }
        if self.chance.once_in(5) {
            parts.push("UNIQUE (a, b)".to_owned());
        }
        let by = if self.chance.once_in(2) { self.partition_by() } else { String::new() };
        let exists = if self.chance.once_in(15) { "IF NOT EXISTS " } else { "" };
        format!("CREATE {temporary}TABLE {exists}{name} ({}){by}", parts.join(", "))
    }

    fn name_of_constraint(&mut self) -> String {
        match self.chance.below(5) {
            0 | 1 => String::new(),
            _ => format!("CONSTRAINT {} ", self.chance.word(CONSTRAINTS)),
        }
    }

    fn add_constraint(&mut self) -> String {
        let table = self.table();
        let only = self.only();
        let name = self.name_of_constraint();
        let body = match self.chance.below(12) {
            0..2 => {
                let column = self.column(&table);
                let no_inherit = if self.chance.once_in(9) { " NO INHERIT" } else { "" };
                let valid = if self.chance.once_in(3) { " NOT VALID" } else { "" };
                format!("CHECK ({column} > {}){no_inherit}{valid}", self.chance.below(2))
            }
            2 => format!("UNIQUE ({})", self.columns(&table)),
            3 => format!("PRIMARY KEY ({})", self.columns(&table)),
            4 if self.major >= 18 => {
                let column = self.column(&table);
                let valid = self.chance.word(&["", "", " NOT VALID", " NO INHERIT"]);
                format!("NOT NULL {column}{valid}")
            }
            _ => self.foreign_key(&table),
        };
        format!("ALTER TABLE {only}{table} ADD {name}{body}")
    }

    /// Mostly one that the other table's keys allow.
    fn foreign_key(&mut self, table: &str) -> String {
        let mut other = self.table();
        // Until 14 (14.23), DETACH gets the rows of a key inside one partition tree wrong: it leaves a row
        // for the partition itself, and loses others.
        if self.major < 15 && self.in_one_tree(table, &other) {
            other = self.chance.word(TABLES).to_owned();
            if self.in_one_tree(table, &other) {
                return "CHECK (a > 2)".to_owned();
            }
        }
        let keys: Vec<Vec<String>> = self.found(&other).map_or_else(Vec::new, |(relation, _)| {
            self.schema
                .constraints_of(relation.id)
                .filter(|row| matches!(row.kind, ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. }))
                .map(|row| {
                    row.columns.iter().map(|one| self.schema.column_name(relation.id, *one).to_string()).collect()
                })
                .collect()
        });
        let key = self.chance.pick(&keys).cloned();
        let (columns, referenced) = match key {
            Some(key) => {
                let own: Vec<String> = key.iter().map(|_| self.column(table)).collect();
                (own.join(", "), format!(" ({})", key.join(", ")))
            }
            None => (self.column(table), String::new()),
        };
        let actions = self.chance.word(&[
            "",
            "",
            "",
            "",
            " ON DELETE CASCADE",
            " ON UPDATE CASCADE",
            " DEFERRABLE",
            " DEFERRABLE INITIALLY DEFERRED",
        ]);
        let valid = if self.chance.once_in(3) { " NOT VALID" } else { "" };
        format!("FOREIGN KEY ({columns}) REFERENCES {other}{referenced}{actions}{valid}")
    }

    fn has_keys(&self, relation: &Relation) -> bool {
        self.schema.constraints_of(relation.id).any(|row| row.as_foreign().is_some())
    }

    fn in_one_tree(&self, one: &str, other: &str) -> bool {
        let root = |name: &str| self.found(name).map(|(relation, _)| self.schema.partition_root(relation.id));
        root(one) == root(other)
    }

    fn constraint(&mut self, fits: impl Fn(&Constraint) -> bool) -> Option<(String, String)> {
        let found: Vec<(String, String)> = self
            .schema
            .constraint_rows()
            .filter(|row| fits(row))
            .map(|row| (self.schema.relation(row.table).name.name.to_string(), row.name.to_string()))
            .collect();
        self.chance.pick(&found).cloned()
    }

    fn drop_constraint(&mut self) -> String {
        let (table, name) = self.constraint(|_| true).unwrap_or_else(|| ("t0".to_owned(), "k0".to_owned()));
        let only = self.only();
        let if_exists = self.if_exists();
        let name = if self.chance.once_in(12) { self.chance.word(CONSTRAINTS).to_owned() } else { name };
        let cascade = self.cascade();
        format!("ALTER TABLE {only}{table} DROP CONSTRAINT {if_exists}{name}{cascade}")
    }

    fn validate(&mut self) -> String {
        let rows = self.constraint(|row| !row.validated);
        let found = if self.chance.once_in(8) { self.constraint(|_| true) } else { rows };
        let (table, name) = found.unwrap_or_else(|| ("t0".to_owned(), "k0".to_owned()));
        let only = self.only();
        format!("ALTER TABLE {only}{table} VALIDATE CONSTRAINT {name}")
    }

    fn alter_constraint(&mut self) -> String {
        let found = self.constraint(|row| row.as_foreign().is_some());
        let found = if self.chance.once_in(8) { self.constraint(|_| true) } else { found };
        let (table, name) = found.unwrap_or_else(|| ("t0".to_owned(), "k0".to_owned()));
        let how = self.chance.word(&["DEFERRABLE", "NOT DEFERRABLE", "INITIALLY DEFERRED"]);
        format!("ALTER TABLE {table} ALTER CONSTRAINT {name} {how}")
    }

    fn attach(&mut self) -> String {
        let Some(parent) = self.partitioned() else { return self.create_table() };
        let shape = |table: &Table| {
            let mut columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| {
                    format!(
                        "{} {}",
                        column.name,
                        column.data_type.as_ref().map_or_else(String::new, ToString::to_string)
                    )
                })
                .collect();
            columns.sort();
            columns
        };
        let wanted = self.found(&parent).map(|(_, table)| shape(table)).unwrap_or_default();
        let fitting: Vec<String> = self
            .tables()
            .iter()
            .filter(|(_, table)| table.partition_of.is_none() && shape(table) == wanted)
            // Until 14, for the same reason as in `foreign_key`.
            .filter(|(relation, _)| self.major >= 15 || !self.has_keys(relation))
            .map(|(relation, _)| relation.name.name.to_string())
            .filter(|name| *name != parent)
            .collect();
        if fitting.is_empty() && !self.chance.once_in(4) {
            let name = self.new_table();
            let parts = self.chance.word(&["", " INCLUDING ALL", " INCLUDING INDEXES", " INCLUDING CONSTRAINTS"]);
            return format!("CREATE TABLE {name} (LIKE {parent}{parts})");
        }
        let child = match self.chance.pick(&fitting) {
            Some(child) if !self.chance.once_in(8) => child.clone(),
            _ => self.table(),
        };
        let bound = self.bound(&parent);
        format!("ALTER TABLE {parent} ATTACH PARTITION {child} {bound}")
    }

    fn detach(&mut self) -> String {
        let found: Vec<(String, String)> = self
            .tables()
            .iter()
            .filter_map(|(relation, table)| {
                let parent = self.schema.relation(table.partition_of.as_ref()?.parent);
                Some((parent.name.name.to_string(), relation.name.name.to_string()))
            })
            .collect();
        let Some((parent, child)) = self.chance.pick(&found).cloned() else { return self.create_table() };
        let parent = if self.chance.once_in(12) { self.table() } else { parent };
        let how = if self.major >= 14 && self.chance.once_in(4) { " CONCURRENTLY" } else { "" };
        format!("ALTER TABLE {parent} DETACH PARTITION {child}{how}")
    }

    fn create_index(&mut self) -> String {
        let table = self.table();
        let unique = if self.chance.once_in(3) { "UNIQUE " } else { "" };
        let concurrently = if self.chance.once_in(6) { "CONCURRENTLY " } else { "" };
        let name = match self.chance.below(4) {
            0 => String::new(),
            _ => format!("{} ", self.chance.word(INDEXES)),
        };
        let exists = if !name.is_empty() && self.chance.once_in(8) { "IF NOT EXISTS " } else { "" };
        let only = if self.chance.once_in(3) { "ONLY " } else { "" };
        let columns = self.columns(&table);
        let first = self.column(&table);
        let (keys, filter) = match self.chance.below(9) {
            0 => (format!("({columns}) INCLUDE ({first})"), String::new()),
            1 => (format!("(({first} + 1))"), String::new()),
            2 => (format!("({columns})"), format!(" WHERE {first} > 0")),
            3 => (format!("({first} DESC)"), String::new()),
            _ => (format!("({columns})"), String::new()),
        };
        format!("CREATE {unique}INDEX {concurrently}{exists}{name}ON {only}{table} {keys}{filter}")
    }

    fn index(&mut self) -> String {
        let found: Vec<String> = self
            .schema
            .relations()
            .filter(|relation| matches!(relation.kind, RelationKind::Index(_)))
            .map(|relation| relation.name.name.to_string())
            .collect();
        if self.chance.once_in(20) {
            return self.chance.word(INDEXES).to_owned();
        }
        self.chance.pick(&found).cloned().unwrap_or_else(|| "i0".to_owned())
    }

    fn drop_index(&mut self) -> String {
        let concurrently = if self.chance.once_in(8) { "CONCURRENTLY " } else { "" };
        let (if_exists, index) = (self.if_exists(), self.index());
        let cascade = if concurrently.is_empty() { self.cascade() } else { "" };
        format!("DROP INDEX {concurrently}{if_exists}{index}{cascade}")
    }

    fn attach_index(&mut self) -> String {
        let parents: Vec<String> = self
            .schema
            .relations()
            .filter(|relation| {
                relation.as_index().is_some_and(|index| self.schema.relation(index.table).is_partitioned())
            })
            .map(|relation| relation.name.name.to_string())
            .collect();
        let parent = match self.chance.pick(&parents) {
            Some(parent) => parent.clone(),
            None => self.index(),
        };
        let loose: Vec<String> = self
            .schema
            .relations()
            .filter(|relation| {
                relation.as_index().is_some_and(|index| {
                    let table = self.schema.relation(index.table).as_table();
                    index.parent.is_none() && table.is_some_and(|table| table.partition_of.is_some())
                })
            })
            .map(|relation| relation.name.name.to_string())
            .collect();
        let child = match self.chance.pick(&loose) {
            Some(child) if !self.chance.once_in(6) => child.clone(),
            _ => self.index(),
        };
        format!("ALTER INDEX {parent} ATTACH PARTITION {child}")
    }

    fn add_column(&mut self) -> String {
        let table = self.table();
        let only = self.only();
        // 12 made the sequence and the constraints of a column that was there all the same; 13 does not.
        let exists = if self.chance.once_in(8) && self.major >= 13 { "IF NOT EXISTS " } else { "" };
        let column = self.chance.word(&["c", "d", "e", "e", "g"]);
        let data_type =
            self.chance.word(&["int", "int", "bigint", "numeric", "serial", "int GENERATED BY DEFAULT AS IDENTITY"]);
        let extra = match self.chance.below(10) {
            0 => " NOT NULL",
            1 if data_type == "int" => " DEFAULT 7",
            2 => " UNIQUE",
            3 if data_type == "int" => " CHECK (a > 0)",
            4 if data_type == "int" => " REFERENCES t1",
            5 => " PRIMARY KEY",
            _ => "",
        };
        format!("ALTER TABLE {only}{table} ADD COLUMN {exists}{column} {data_type}{extra}")
    }

    fn drop_column(&mut self) -> String {
        let table = self.table();
        let column = self.column(&table);
        let (only, if_exists, cascade) = (self.only(), self.if_exists(), self.cascade());
        format!("ALTER TABLE {only}{table} DROP COLUMN {if_exists}{column}{cascade}")
    }

    fn alter_column(&mut self) -> String {
        let table = self.table();
        let column = self.column(&table);
        let only = self.only();
        let action = match self.chance.below(12) {
            0..4 => "SET NOT NULL",
            4..7 => "DROP NOT NULL",
            7 => "SET DEFAULT 3",
            8 => "DROP DEFAULT",
            9 => "TYPE bigint",
            10 => "DROP IDENTITY IF EXISTS",
            _ => "ADD GENERATED ALWAYS AS IDENTITY",
        };
        let more = match self.chance.below(10) {
            0 => format!(", ADD CHECK ({column} > 5)"),
            1 => format!(", ADD UNIQUE ({column})"),
            2 => ", ADD COLUMN e int".to_owned(),
            _ => String::new(),
        };
        format!("ALTER TABLE {only}{table} ALTER COLUMN {column} {action}{more}")
    }

    fn existing_trigger(&mut self) -> Option<(String, String)> {
        let found: Vec<(String, String)> = self
            .schema
            .triggers()
            .map(|one| (self.schema.relation(one.table).name.name.to_string(), one.name.to_string()))
            .collect();
        self.chance.pick(&found).cloned()
    }

    fn trigger(&mut self) -> String {
        let existing = self.existing_trigger();
        let (table, name) = existing.clone().unwrap_or_else(|| (self.table(), "g0".to_owned()));
        match self.chance.below(9) {
            0 => {
                let (if_exists, cascade) = (self.if_exists(), self.cascade());
                format!("DROP TRIGGER {if_exists}{name} ON {table}{cascade}")
            }
            1 if existing.is_some() => {
                let (only, how) = (self.only(), self.chance.word(&["ENABLE", "DISABLE", "ENABLE ALWAYS"]));
                let name = if how != "ENABLE ALWAYS" && self.chance.once_in(4) { "USER".to_owned() } else { name };
                format!("ALTER TABLE {only}{table} {how} TRIGGER {name}")
            }
            2 if existing.is_some() => {
                format!("ALTER TRIGGER {name} ON {table} RENAME TO {}", self.chance.word(TRIGGERS))
            }
            3 if self.chance.once_in(2) => {
                let (if_exists, cascade) = (self.if_exists(), self.cascade());
                format!("DROP FUNCTION {if_exists}noop2(){cascade}")
            }
            _ => {
                let table = self.table();
                let name = self.chance.word(TRIGGERS);
                let replace = if self.major >= 14 && self.chance.once_in(4) { "OR REPLACE " } else { "" };
                let timing = self.chance.word(&["BEFORE", "AFTER"]);
                let events = match self.chance.below(4) {
                    0 => format!("UPDATE OF {}", self.column(&table)),
                    1 => "INSERT OR DELETE".to_owned(),
                    _ => "INSERT".to_owned(),
                };
                let level = self.chance.word(&["ROW", "ROW", "STATEMENT"]);
                let function = self.chance.word(&["noop", "noop2"]);
                format!(
                    "CREATE {replace}TRIGGER {name} {timing} {events} ON {table} FOR EACH {level} EXECUTE FUNCTION {function}()"
                )
            }
        }
    }

    fn rename(&mut self) -> String {
        let table = self.table();
        match self.chance.below(6) {
            0 => format!("ALTER TABLE {table} RENAME TO {}", self.new_table()),
            1 | 2 => {
                let column = self.column(&table);
                let to = self.chance.word(&["a", "b", "c", "d", "e", "h"]);
                format!("ALTER TABLE {}{table} RENAME COLUMN {column} TO {to}", self.only())
            }
            3 | 4 => {
                let (table, name) = self.constraint(|_| true).unwrap_or_else(|| (table, "k0".to_owned()));
                format!(
                    "ALTER TABLE {}{table} RENAME CONSTRAINT {name} TO {}",
                    self.only(),
                    self.chance.word(CONSTRAINTS)
                )
            }
            _ => format!("ALTER INDEX {} RENAME TO {}", self.index(), self.chance.word(INDEXES)),
        }
    }

    fn drop_table(&mut self) -> String {
        let (if_exists, cascade) = (self.if_exists(), self.cascade());
        let mut tables = self.table();
        if self.chance.once_in(5) {
            tables = format!("{tables}, {}", self.table());
        }
        format!("DROP TABLE {if_exists}{tables}{cascade}")
    }

    fn sequence(&mut self) -> String {
        let found: Vec<String> = self
            .schema
            .relations()
            .filter(|relation| matches!(relation.kind, RelationKind::Sequence(_)))
            .map(|relation| relation.name.name.to_string())
            .collect();
        let existing = self.chance.pick(&found).cloned().unwrap_or_else(|| "s0".to_owned());
        match self.chance.below(4) {
            0 => "CREATE SEQUENCE s0".to_owned(),
            1 => {
                let (if_exists, cascade) = (self.if_exists(), self.cascade());
                format!("DROP SEQUENCE {if_exists}{existing}{cascade}")
            }
            2 => {
                let table = self.table();
                let column = self.column(&table);
                format!("ALTER SEQUENCE {existing} OWNED BY {table}.{column}")
            }
            _ => {
                let table = self.table();
                let column = self.column(&table);
                format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{existing}')")
            }
        }
    }

    fn view(&mut self) -> String {
        let table = self.table();
        let column = self.column(&table);
        match self.chance.below(5) {
            0 => {
                let (if_exists, cascade) = (self.if_exists(), self.cascade());
                format!("DROP VIEW {if_exists}v0{cascade}")
            }
            1 => format!("CREATE MATERIALIZED VIEW m0 AS SELECT {column} FROM {table}"),
            2 => {
                let (if_exists, cascade) = (self.if_exists(), self.cascade());
                format!("DROP MATERIALIZED VIEW {if_exists}m0{cascade}")
            }
            _ => {
                let replace = if self.chance.once_in(3) { "OR REPLACE " } else { "" };
                let what = if self.chance.once_in(3) { "*".to_owned() } else { column };
                format!("CREATE {replace}VIEW v0 AS SELECT {what} FROM {table}")
            }
        }
    }

    fn inherit(&mut self) -> String {
        let (child, parent) = (self.table(), self.table());
        let how = self.chance.word(&["INHERIT", "INHERIT", "NO INHERIT"]);
        format!("ALTER TABLE {child} {how} {parent}")
    }

    fn truncate(&mut self) -> String {
        let (table, cascade, only) = (self.table(), self.cascade(), self.only());
        format!("TRUNCATE {only}{table}{cascade}")
    }

    fn using_index(&mut self) -> String {
        let index = self.index();
        let table = self
            .schema
            .relations()
            .find(|relation| relation.name.name == *index.as_str())
            .and_then(|relation| relation.as_index())
            .map(|index| self.schema.relation(index.table).name.name.to_string());
        let table = table.unwrap_or_else(|| self.table());
        let (name, kind) = (self.name_of_constraint(), self.chance.word(&["UNIQUE", "PRIMARY KEY"]));
        format!("ALTER TABLE {table} ADD {name}{kind} USING INDEX {index}")
    }
}
