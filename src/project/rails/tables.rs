//! The tables of an application's models, where the class's own name does not tell: those that a model states, and those
//! that it shares with the model it inherits from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use super::super::text::peek;
use super::class::literal;
use crate::operation::{Ruby, RubyClass, RubyKind, RubyTarget};
use crate::rails::active_record::ModelTable;
use crate::rails::evaluate::{constant_path, underscore};
use crate::read::ruby;
use crate::source::Sources;

/// More classes are asked of no application.
const CLASSES: usize = 400;
/// More files are no application's models.
const FILE_CAP: usize = 20_000;
const DEPTH_CAP: usize = 12;
/// So many models stand above one another.
const ABOVE: usize = 6;

/// Of the classes that these texts ask something of.
pub fn read<'a>(app: &Path, texts: impl Iterator<Item = &'a str>) -> BTreeMap<Arc<str>, ModelTable> {
    let mut wanted: BTreeSet<Arc<str>> = texts.flat_map(asked).map(Arc::from).collect();
    let mut tables = BTreeMap::new();
    if wanted.is_empty() || wanted.len() > CLASSES {
        return tables;
    }
    let files = files(app);
    for _ in 0..ABOVE {
        let mut above = BTreeSet::new();
        for class in wanted {
            let Some(table) = files.get(&file_name(&class)).and_then(|paths| table_of(&class, paths)) else { continue };
            if let ModelTable::Of(parent) = &table
                && !tables.contains_key(parent)
            {
                above.insert(parent.clone());
            }
            tables.insert(class, table);
        }
        wanted = above;
        if wanted.is_empty() {
            break;
        }
    }
    tables
}

/// Constants that a method is called on: `Ci::Runner.find_each`.
fn asked(text: &str) -> BTreeSet<&str> {
    let is_part = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | ':');
    let mut found = BTreeSet::new();
    for (dot, _) in text.match_indices('.') {
        let before = &text[..dot];
        let start = before.rfind(|one: char| !is_part(one)).map_or(0, |at| at + 1);
        let name = before.get(start..).unwrap_or_default().trim_start_matches(':');
        let calls = text[dot + 1..].starts_with(|one: char| one.is_ascii_lowercase());
        if calls && name.starts_with(|one: char| one.is_ascii_uppercase()) {
            found.insert(name);
        }
    }
    found
}

/// The files of models, by their names without folders: what lies in a folder of `app/models` may be a root itself.
fn files(app: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for folder in super::models::folders(app) {
        let entries = WalkDir::new(folder).max_depth(DEPTH_CAP).sort_by_file_name().into_iter().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_file()).take(FILE_CAP) {
            found.entry(entry.file_name().to_string_lossy().into_owned()).or_default().push(entry.into_path());
        }
    }
    found
}

fn file_name(class: &str) -> String {
    format!("{}.rb", underscore(class.rsplit("::").next().unwrap_or(class)))
}

fn table_of(class: &str, paths: &[PathBuf]) -> Option<ModelTable> {
    paths.iter().find_map(|path| {
        let mut sources = Sources::default();
        let id = sources.add(file_name(class), peek(path)?);
        let file = ruby::read(&sources.piece(id));
        said(find(&file.body, "", class, 0)?)
    })
}

/// The class in its file, in whatever modules it stands.
fn find<'a>(body: &'a [Ruby], around: &str, class: &str, depth: usize) -> Option<&'a RubyClass> {
    body.iter().find_map(|node| {
        let RubyKind::Class(one) = &node.kind else { return None };
        let path = if around.is_empty() { one.name.to_string() } else { format!("{around}::{}", one.name) };
        if path == class && !one.is_module {
            return Some(&**one);
        }
        if depth < DEPTH_CAP { find(&one.body, &path, class, depth + 1) } else { None }
    })
}

fn said(class: &RubyClass) -> Option<ModelTable> {
    for node in &class.body {
        let RubyKind::Assign { target: RubyTarget::Attribute(of, name), value, .. } = &node.kind else { continue };
        match &**name {
            _ if of.kind != RubyKind::SelfObject => {}
            "table_name" => return literal(value).map(ModelTable::Named),
            // No rows of its own.
            "abstract_class" => return None,
            _ => {}
        }
    }
    Some(ModelTable::Of(constant_path(class.superclass.as_ref()?)?))
}
