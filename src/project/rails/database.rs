//! `config/database.yml`: which databases there are, of which kind, with which folders of migrations.
//!
//! It is a template that makes YAML when the application runs, so that no YAML library reads it as it stands: lines,
//! their indentation, anchors and merges are all that is looked at, and a value with a template in it is unknown.

use std::collections::BTreeMap;

/// One entry of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// Empty where the environment has one database without a name.
    pub name: String,
    pub adapter: Option<String>,
    pub migrations_paths: Vec<String>,
    /// Settings that each session begins with: `variables:`.
    pub variables: BTreeMap<String, String>,
}

/// The databases of the environment that serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Databases(pub Vec<Database>);

/// Deeper trees and more nodes are no settings.
const DEPTH_CAP: usize = 8;
const NODE_CAP: usize = 4096;

/// A mapping: a text or a mapping below each key, in order.
#[derive(Debug, Clone, Default)]
struct Node {
    text: String,
    items: Vec<String>,
    children: Vec<(String, Node)>,
}

impl Databases {
    pub fn read(text: &str) -> Databases {
        let whole = parse(text);
        let environment = ["production", "default", "development", "test"].iter().find_map(|name| whole.get(name));
        let Some(environment) = environment else { return Databases::default() };
        let is_one = environment.children.iter().any(|(key, _)| key == "adapter" || key == "database" || key == "url");
        if is_one || environment.children.iter().all(|(_, child)| child.children.is_empty()) {
            return Databases(vec![database("", environment)]);
        }
        let many = environment.children.iter().filter(|(_, child)| !child.children.is_empty());
        Databases(many.map(|(name, child)| database(name, child)).collect())
    }

    /// The settings behind folders of migrations: by their paths, by the word in a name (`animals_migrate`).
    pub fn of(&self, folders: &[&str]) -> Option<&Database> {
        let by_path = |one: &&Database| one.migrations_paths.iter().any(|path| folders.contains(&path.as_str()));
        let by_word = |one: &&Database| {
            let words = [format!("{}_migrate", one.name), format!("migrate_{}", one.name)];
            folders.iter().any(|folder| words.iter().any(|word| folder.rsplit('/').next() == Some(word)))
        };
        let found = self.0.iter().find(by_path).or_else(|| self.0.iter().find(by_word));
        found.or_else(|| self.main())
    }

    /// The sessions of a history's database begin with a lock_timeout that ends waits.
    pub fn limits_lock_waits(&self, folders: &[&str]) -> bool {
        let set = self.of(folders).and_then(|one| one.variables.get("lock_timeout"));
        set.is_some_and(|value| value.starts_with(|c: char| c.is_ascii_digit() && c != '0'))
    }

    pub fn main(&self) -> Option<&Database> {
        self.0.first()
    }

    /// The database that a folder of the application belongs to; the main one has no name.
    pub fn owner_of(&self, folder: &str) -> Option<String> {
        let named = |one: &&Database| one.migrations_paths.iter().any(|path| path == folder);
        // Databases that share a folder share its history.
        let owner = self.0.iter().find(named)?;
        let is_main = self.main().is_some_and(|main| main.name == owner.name);
        Some(if is_main { String::new() } else { owner.name.clone() })
    }
}

fn database(name: &str, node: &Node) -> Database {
    let text = |key: &str| node.get(key).map(|node| node.text.clone()).filter(|text| !text.is_empty());
    let paths = node.get("migrations_paths").map(|node| {
        let one = Some(node.text.clone()).filter(|text| !text.is_empty());
        one.into_iter().chain(node.items.clone()).collect::<Vec<_>>()
    });
    let paths = paths.unwrap_or_default().into_iter().map(|path| path.trim_end_matches('/').to_owned());
    let variables = node.get("variables").map(|node| &node.children[..]).unwrap_or_default();
    Database {
        name: name.to_owned(),
        adapter: text("adapter"),
        migrations_paths: paths.filter(|path| !path.is_empty()).collect(),
        variables: variables.iter().map(|(key, node)| (key.clone(), node.text.clone())).collect(),
    }
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        // What stands here wins over what is merged in, which stands before it.
        self.children.iter().rev().find(|(own, _)| own == key).map(|(_, node)| node)
    }
}

/// One line: its indentation, key and what follows.
struct Line<'a> {
    indent: usize,
    key: Option<&'a str>,
    rest: &'a str,
}

fn parse(text: &str) -> Node {
    let lines: Vec<Line> = text.lines().filter_map(line).take(NODE_CAP).collect();
    let mut anchors = BTreeMap::new();
    let mut at = 0;
    let mut left = NODE_CAP;
    mapping(&lines, &mut at, 0, 0, &mut anchors, &mut left)
}

fn line(text: &str) -> Option<Line<'_>> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("<%") || trimmed.starts_with("---") {
        return None;
    }
    let indent = text.len() - text.trim_start().len();
    let split = trimmed.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with([' ', '\t']));
    Some(match split {
        Some((key, rest)) if !trimmed.starts_with('-') => Line { indent, key: Some(unquoted(key)), rest: rest.trim() },
        _ => Line { indent, key: None, rest: trimmed },
    })
}

/// What stands at one indentation and below it.
fn mapping(
    lines: &[Line],
    at: &mut usize,
    indent: usize,
    depth: usize,
    anchors: &mut BTreeMap<String, Node>,
    left: &mut usize,
) -> Node {
    let mut node = Node::default();
    while let Some(line) = lines.get(*at) {
        if line.indent < indent || *left == 0 {
            break;
        }
        *at += 1;
        *left -= 1;
        let Some(key) = line.key else {
            node.items.extend(line.rest.strip_prefix('-').map(value).filter(|item| !item.is_empty()));
            continue;
        };
        if key == "<<" {
            if let Some(merged) = line.rest.strip_prefix('*').and_then(|name| anchors.get(name.trim())) {
                // Copies of copies would grow without end.
                *left = left.saturating_sub(merged.size());
                node.children.splice(0..0, merged.children.clone());
            }
            continue;
        }
        let (anchor, rest) = match line.rest.strip_prefix('&') {
            Some(rest) => rest.split_once(' ').map_or((Some(rest), ""), |(name, rest)| (Some(name), rest)),
            None => (None, line.rest),
        };
        let mut child = Node { text: value(rest), ..Node::default() };
        if let Some(list) = rest.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            child.text = String::new();
            child.items = list.split(',').map(value).filter(|item| !item.is_empty()).collect();
        }
        let deeper = lines.get(*at).is_some_and(|next| next.indent > line.indent || next.rest.starts_with('-'));
        if deeper && depth < DEPTH_CAP {
            let inner = lines[*at].indent;
            let below = mapping(lines, at, inner.max(line.indent), depth + 1, anchors, left);
            child.items.extend(below.items);
            child.children = below.children;
        }
        if let Some(merged) = rest.strip_prefix('*').and_then(|name| anchors.get(name.trim())) {
            *left = left.saturating_sub(merged.size());
            child = merged.clone();
        }
        if let Some(anchor) = anchor {
            anchors.insert(anchor.trim().to_owned(), child.clone());
        }
        node.children.push((key.to_owned(), child));
    }
    node
}

impl Node {
    fn size(&self) -> usize {
        1 + self.items.len() + self.children.iter().map(|(_, child)| child.size()).sum::<usize>()
    }
}

/// A plain value; what a template makes is none.
fn value(text: &str) -> String {
    let text = text.split(" #").next().unwrap_or_default().trim();
    if text.contains("<%") || text.starts_with('*') { String::new() } else { unquoted(text).to_owned() }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_is_read_through_its_merges() {
        let text = "default: &default\n  adapter: postgresql # ours\n  pool: <%= ENV.fetch(\"A\") { 5 } %>\n  variables:\n    \
                    lock_timeout: 5s\n\nproduction:\n  <<: *default\n  url: <%= ENV['B'] %>\n";
        let databases = Databases::read(text);
        assert_eq!((databases.0.len(), databases.0[0].adapter.as_deref()), (1, Some("postgresql")));
        assert_eq!(databases.0[0].variables["lock_timeout"], "5s");
        assert!(databases.limits_lock_waits(&["db/migrate"]));
        let bare = |value: &str| Databases::read(&text.replace("5s", value)).limits_lock_waits(&["db/migrate"]);
        assert!(!bare("0") && !bare("<%= ENV['A'] %>") && !bare(":default") && bare("500"));
        assert_eq!(Databases::read("production:\n  adapter: <%= x %>\n").0[0].adapter, None);
        assert!(Databases::read("").0.is_empty());
    }

    #[test]
    fn several_databases_have_their_folders() {
        let text = "default: &default\n  adapter: postgresql\n<% if x %>\nproduction:\n  primary:\n    <<: *default\n  \
                    animals:\n    <<: *default\n    migrations_paths: db/animals_migrate\n  \
                    other:\n    <<: *default\n    migrations_paths: ['a/b', \"c/d/\"]\n  \
                    third:\n    migrations_paths:\n    - e/f\n    replica: true\n";
        let databases = Databases::read(text);
        let names: Vec<&str> = databases.0.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["primary", "animals", "other", "third"]);
        assert_eq!(databases.owner_of("db/animals_migrate").as_deref(), Some("animals"));
        assert_eq!(databases.owner_of("c/d").as_deref(), Some("other"));
        assert_eq!(databases.owner_of("e/f").as_deref(), Some("third"));
        assert_eq!(databases.owner_of("db/migrate"), None);
        assert_eq!(databases.of(&["a/b"]).map(|one| one.name.as_str()), Some("other"));
        assert_eq!(databases.of(&["db/migrate"]).map(|one| one.name.as_str()), Some("primary"));
    }

    #[test]
    fn copies_of_copies_end() {
        let mut text = String::from("a0: &a0\n  x: y\n");
        for at in 1..60 {
            let before = at - 1;
            text += &format!("a{at}: &a{at}\n  l: *a{before}\n  r: *a{before}\n");
        }
        text += "production:\n  <<: *a59\n";
        Databases::read(&text);
        Databases::read(&"a:\n ".repeat(10_000));
        let deep: String = (0..5000).map(|at| format!("{}a:\n", " ".repeat(at))).collect();
        Databases::read(&deep);
    }
}
