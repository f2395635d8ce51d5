//! Flyway's own settings as far as they decide names, order and transactions: from its files, or from Spring's.
//!
//! Of YAML, lines and their indentation are all that is looked at: a library would copy what an alias names, as often
//! as it is named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::super::dialect::is_for_postgres;
use super::super::super::names::{FlywayKind, FlywayNames};
use super::super::super::text::peek;

#[derive(Debug, Default)]
pub struct Options {
    pub group: bool,
    pub mixed: bool,
    pub out_of_order: bool,
    /// `validateOnMigrate` is off: no checksum is compared.
    pub takes_edits: bool,
    /// `ignoreMigrationPatterns` has what is older than the newest that ran (`*:ignored`).
    pub passes_over: bool,
    pub outside_transaction: bool,
    pub placeholders: BTreeMap<String, String>,
    pub names: FlywayNames,
    /// The schemas that it manages, and the one of them that stands first in the search_path of its connection.
    schemas: Vec<String>,
    default_schema: Option<String>,
    locations: Vec<String>,
    /// Something was set.
    is_set: bool,
}

/// Where Flyway and Spring look where nothing names a location.
const USUAL: &str = "db/migration";

/// Where Flyway and Spring look for settings, seen from a folder at or above the migrations.
const FILES: &[&str] = &[
    "flyway.conf",
    "conf/flyway.conf",
    "flyway.toml",
    "application.properties",
    "application.yml",
    "application.yaml",
    "src/main/resources/application.properties",
    "src/main/resources/application.yml",
    "src/main/resources/application.yaml",
];

/// Beside those, folders with the settings of one profile each.
const PROFILES: &str = "profiles";
/// Where a module of Maven or Gradle keeps what all modules find by its name: the settings of one hold for the
/// migrations of another.
const RESOURCES: &str = "src/main/resources";
const OF_SPRING: [&str; 3] = ["application.properties", "application.yml", "application.yaml"];

impl Options {
    /// From the nearest folder at or above the migrations whose files set anything.
    pub fn around(root: &Path, migrations: &Path) -> Options {
        for folder in migrations.ancestors().take_while(|folder| folder.starts_with(root)) {
            let mut options = Options::default();
            for file in FILES {
                if let Some(text) = peek(&folder.join(file)) {
                    options.read(file, &text);
                }
            }
            if options.is_set {
                return options;
            }
            if let Some(options) = Options::of_each(&folder.join(PROFILES), "") {
                return options;
            }
            if migrations.strip_prefix(folder).is_ok_and(is_of_module)
                && let Some(options) = Options::of_each(folder, RESOURCES)
            {
                return options;
            }
        }
        Options::default()
    }

    /// What all profiles, or all modules, set alike that set anything: which of them production is, no file says.
    fn of_each(folder: &Path, below: &str) -> Option<Options> {
        const MOST: usize = 64;
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let mut each: Vec<PathBuf> = entries.map(|entry| entry.path().join(below)).take(MOST).collect();
        each.sort();
        let read = |one: PathBuf| {
            let mut options = Options::default();
            for file in OF_SPRING {
                if let Some(text) = peek(&one.join(file)) {
                    options.read(file, &text);
                }
            }
            options.is_set.then_some(options)
        };
        let mut all = each.into_iter().filter_map(read);
        let first = all.next()?;
        all.try_fold(first, Options::alike)
    }

    /// `None` where the two do not even name the same files.
    fn alike(mut self, other: Options) -> Option<Options> {
        if self.names != other.names || self.locations != other.locations {
            return None;
        }
        self.group &= other.group;
        self.mixed &= other.mixed;
        self.out_of_order &= other.out_of_order;
        self.takes_edits &= other.takes_edits;
        self.passes_over &= other.passes_over;
        self.outside_transaction &= other.outside_transaction;
        self.placeholders.retain(|name, value| other.placeholders.get(name) == Some(value));
        if self.first_schema() != other.first_schema() {
            (self.schemas, self.default_schema) = (Vec::new(), None);
        }
        Some(self)
    }

    /// The settings name the folders that are looked into.
    pub fn has_locations(&self) -> bool {
        !self.locations.is_empty()
    }

    /// The schema that it makes where it is missing, and puts before all others in the search_path.
    pub fn first_schema(&self) -> Option<&str> {
        self.default_schema.as_deref().or_else(|| self.schemas.first().map(String::as_str))
    }

    /// A folder lies in one of the locations, or is it: `classpath:db/migration` is in some module's resources.
    pub fn is_location(&self, folder: &str) -> bool {
        let usual = [USUAL.to_owned()];
        let locations = if self.locations.is_empty() { &usual[..] } else { &self.locations };
        locations.iter().any(|one| format!("/{folder}/").contains(&format!("/{one}/")))
    }

    /// The location that a folder lies in, where it is named: all in it is one history.
    pub fn location_above<'a>(&self, folder: &'a str) -> Option<&'a str> {
        let is_one = |path: &&str| self.locations.iter().any(|one| format!("/{path}").ends_with(&format!("/{one}")));
        ancestors(folder).filter(is_one).last()
    }

    fn read(&mut self, file: &str, text: &str) {
        let all = match file.rsplit_once('.') {
            Some((_, "yml" | "yaml")) => yaml(text),
            Some((_, "toml")) => toml(text),
            _ => properties(text),
        };
        for (key, value) in all {
            // `spring.flyway.group`, `flyway.group`, `quarkus.flyway.group`, `flyway.datasources.default.group`.
            let Some((before, own)) = key.split_once("flyway.") else { continue };
            if before.is_empty() || before.ends_with('.') {
                self.set(own, &value);
            }
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        let value = &by_default(value);
        // Micronaut has settings for each data source; those for other databases are not asked.
        let key = match key.strip_prefix("datasources.").and_then(|key| key.split_once('.')) {
            Some((source, key)) if source == "default" || is_for_postgres(&format!("x.{source}")) => key,
            Some(_) => return,
            None => key,
        };
        if let Some(name) = key.strip_prefix("placeholders.") {
            // A value that holds a placeholder itself is filled in elsewhere.
            if !value.contains("${") {
                self.placeholders.insert(name.to_owned(), value.to_owned());
                self.is_set = true;
            }
            return;
        }
        let is = |wanted: &str| value.eq_ignore_ascii_case(wanted);
        // Spring takes `sql-migration-prefix`, `sqlMigrationPrefix` and `sql_migration_prefix` for one.
        let word: String = key.chars().filter(|one| !matches!(one, '-' | '_')).collect();
        match word.to_ascii_lowercase().as_str() {
            "group" => self.group = is("true"),
            "mixed" => self.mixed = is("true"),
            "outoforder" => self.out_of_order = is("true"),
            "validateonmigrate" => self.takes_edits = is("false"),
            "ignoremigrationpatterns" => {
                let mut patterns = value.split(',').map(|one| one.trim().to_lowercase());
                self.passes_over = patterns.any(|one| matches!(&*one, "*:ignored" | "versioned:ignored"));
            }
            "executeintransaction" => self.outside_transaction = is("false"),
            // What a variable says when the application runs is not known here.
            _ if value.contains("${") => return,
            "schemas" => {
                self.schemas =
                    value.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
            }
            "defaultschema" if !value.trim().is_empty() => self.default_schema = Some(value.trim().to_owned()),
            "locations" => self.locations = value.split(',').map(location).filter(|one| !one.is_empty()).collect(),
            "sqlmigrationprefix" => self.names.begin(FlywayKind::Versioned, value),
            "undosqlmigrationprefix" => self.names.begin(FlywayKind::Undo, value),
            "baselinemigrationprefix" => self.names.begin(FlywayKind::Baseline, value),
            "repeatablesqlmigrationprefix" => self.names.begin(FlywayKind::Repeatable, value),
            "sqlmigrationseparator" if !value.is_empty() => self.names.separator = value.to_owned(),
            "sqlmigrationsuffix" | "sqlmigrationsuffixes" => {
                let all = value.split(',').map(str::trim).filter(|one| !one.is_empty());
                self.names.suffixes = all.map(str::to_owned).collect();
            }
            _ => return,
        }
        self.is_set = true;
    }
}

/// A module's resources, seen from the folder that holds the module.
fn is_of_module(path: &Path) -> bool {
    path.components().skip(1).collect::<PathBuf>().starts_with(RESOURCES)
}

/// A folder and those above it.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |path| path.rsplit_once('/').map(|(above, _)| above))
}

/// What Spring puts in for `${NAME:otherwise}` where nothing else is said.
fn by_default(value: &str) -> String {
    let Some((before, rest)) = value.split_once("${") else { return value.to_owned() };
    match rest.split_once('}') {
        Some((inside, after)) if !inside.contains("${") => match inside.split_once(':') {
            Some((_, otherwise)) => format!("{before}{otherwise}{}", by_default(after)),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// `classpath:db/migration/{vendor}`, `filesystem:./sql/**`: the folder up to what is filled in.
fn location(text: &str) -> String {
    let path = text.trim().rsplit_once(':').map_or(text.trim(), |(_, path)| path);
    let fixed = path.split(['{', '*', '?']).next().unwrap_or_default();
    fixed.trim_start_matches("./").trim_matches('/').to_owned()
}

/// `key=value`, `key: value`.
fn properties(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    let pairs = lines.filter_map(|line| line.split_once(['=', ':']));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

fn toml(text: &str) -> Vec<(String, String)> {
    fn flat(path: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                toml::Value::Table(inner) => flat(&path, inner, into),
                toml::Value::String(text) => into.push((path, text.clone())),
                toml::Value::Boolean(is) => into.push((path, is.to_string())),
                toml::Value::Array(items) => {
                    let items: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
                    into.push((path, items.join(",")));
                }
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => {}
            }
        }
    }
    let mut all = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        flat("", &table, &mut all);
    }
    all
}

/// Keys of mappings in mappings as one path, in the documents that hold for every profile.
fn yaml(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut one = Vec::new();
    let mut above: Vec<(usize, &str)> = Vec::new();
    for line in text.lines().chain(["---"]) {
        if line.starts_with("---") {
            let of_profile = |(key, value): &(String, String)| {
                key.ends_with("on-profile") || (key == "spring.profiles" && !value.is_empty())
            };
            if !one.iter().any(of_profile) {
                all.append(&mut one);
            }
            one.clear();
            above.clear();
            continue;
        }
        let own = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(item) = own.strip_prefix("- ")
            && let Some((_, value)) = one.last_mut()
            && above.last().is_some_and(|(deep, _)| *deep <= indent)
        {
            let between: &str = if value.is_empty() { "" } else { "," };
            *value = format!("{value}{between}{}", scalar(item));
            continue;
        }
        let Some((key, rest)) = own
            .split_once(':')
            .filter(|(key, rest)| !key.starts_with('#') && (rest.is_empty() || rest.starts_with([' ', '\t'])))
        else {
            continue;
        };
        above.retain(|(deep, _)| *deep < indent);
        // Deeper than this nothing is set.
        if above.len() > 12 {
            continue;
        }
        above.push((indent, scalar(key)));
        let path = above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
        let rest = rest.trim();
        let list = rest.strip_prefix('[').and_then(|rest| rest.split(']').next());
        let value = list.map(|list| list.split(',').map(scalar).collect::<Vec<_>>().join(","));
        one.push((path, value.unwrap_or_else(|| scalar(rest).to_owned())));
    }
    all
}

/// A value without its quotes, or without the comment behind it.
fn scalar(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some((inside, _)) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside;
        }
    }
    text.split(" #").next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, text: &str) -> Options {
        let mut options = Options::default();
        options.read(file, text);
        options
    }

    #[test]
    fn settings_are_read_from_each_of_its_files() {
        assert!(read("flyway.conf", "# x\nflyway.group = true").group);
        let set = read("flyway.conf", "flyway.placeholders.schema=app");
        assert_eq!(set.placeholders.get("schema").map(String::as_str), Some("app"));
        assert!(read("application.properties", "spring.flyway.mixed=true\ngroup=true").mixed);
        assert!(read("application.yml", "spring:\n  flyway:\n    validate-on-migrate: false\n").takes_edits);
        assert!(!read("flyway.conf", "flyway.validateOnMigrate=true").takes_edits);
        assert!(read("flyway.conf", "flyway.ignoreMigrationPatterns=*:missing, *:Ignored").passes_over);
        assert!(!read("flyway.conf", "flyway.ignoreMigrationPatterns=*:missing").passes_over);
        assert!(!read("application.properties", "group=true\nx.myflyway.group=true").is_set);
        assert!(read("flyway.toml", "[flyway]\nexecuteInTransaction = false").outside_transaction);
        let set =
            read("flyway.toml", "[flyway]\nsqlMigrationSuffixes = [\".pg.sql\"]\n[flyway.placeholders]\na = \"b\"\n");
        assert_eq!((set.names.suffixes, set.placeholders.len()), (vec![".pg.sql".to_owned()], 1));
    }

    #[test]
    fn names_are_read_in_every_spelling() {
        let text = "server:\n  port: 8080\nspring:\n  profiles:\n    group:\n      test: a\n  flyway: # ours\n    sql-migration-prefix: \"\"\n    \
                    outOfOrder: true\n    sql-migration-suffixes:\n      - .sql\n      - .x.sql\n    \
                    placeholders:\n      app: 'a b'\n---\nspring:\n  config.activate.on-profile: dev\n  flyway:\n    \
                    group: true\n";
        let set = read("application.yml", text);
        assert!(set.out_of_order && !set.group);
        assert!(set.is_location("a/db/migration/all") && !set.is_location("script/migration"));
        assert_eq!(set.names.suffixes, [".sql", ".x.sql"]);
        assert_eq!(set.placeholders.get("app").map(String::as_str), Some("a b"));
        assert_eq!(set.names.parse("2022__a.sql"), Some((FlywayKind::Versioned, "2022", "a")));
        assert_eq!(set.names.parse("R__a.x.sql"), Some((FlywayKind::Repeatable, "", "a.x")));
        assert_eq!(set.names.parse("V1__a.sql"), None);

        let set =
            read("application.properties", "spring.flyway.sqlMigrationPrefix=M\nflyway.sql-migration-separator=-");
        assert_eq!(set.names.parse("M1_2-a.sql"), Some((FlywayKind::Versioned, "1_2", "a")));
        let set = read("flyway.conf", "flyway.locations=classpath:db/{vendor}, filesystem:./sql/**\n");
        assert!(set.is_location("x/db/postgresql") && set.is_location("sql") && !set.is_location("mysql"));
        let set = read("application.yml", "flyway:\n  datasources:\n    postgres:\n      out-of-order: true\n");
        assert!(set.out_of_order);
        assert!(!read("application.yml", "flyway:\n  datasources:\n    h2:\n      out-of-order: true\n").out_of_order);
        let set = read("application.properties", "spring.flyway.schemas=shop, public\n");
        assert_eq!(set.first_schema(), Some("shop"));
        let set = read("application.yml", "spring:\n  flyway:\n    schemas: [a, b]\n    default-schema: b\n");
        assert_eq!(set.first_schema(), Some("b"));
        assert_eq!(read("flyway.conf", "flyway.schemas=${SCHEMA}").first_schema(), None);
        assert_eq!(read("application.yml", "flyway:\n  schemas: ${SCHEMA:shop},${B:b}\n").first_schema(), Some("shop"));
        let set = read("application.yml", "flyway:\n  locations: ['${PLACE:db/**/*.sql}']\n");
        assert_eq!(set.location_above("a/resources/db/migration/v2"), Some("a/resources/db"));
        assert_eq!(set.location_above("a/sql"), None);
        assert_eq!(read("flyway.conf", "flyway.sqlMigrationPrefix=${P}").names, FlywayNames::default());
    }
}
