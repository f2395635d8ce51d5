//! The models of an application: which class stands for which table, and which columns it ignores.
//!
//! Read only where a judged migration gives reason to, and only the files that can matter to its tables.

mod shipped;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use super::super::git::Git;
use super::super::place::{Place, is_below};
use super::super::text;
use super::super::texts::FILE_BYTES;
use super::class::literal;
use super::language::literals;
use crate::error::Error;
use crate::history::{Application, Ignored, Model};
use crate::operation::{Ruby, RubyCall, RubyClass, RubyFile, RubyKind, RubyTarget};
use crate::rails::active_record::Inflections;
use crate::read::{each, ruby};
use crate::source::{Piece, Sources, Span};

/// Folders of models, below the application and below what it is made of.
const FOLDERS: &[&str] = &["app/models", "ee/app/models", "lib"];
const PARTS: &[&str] = &["engines", "packs", "packages", "components", "plugins", "gems", "modules"];

/// More files are no application's models.
const FILE_CAP: usize = 20_000;
const DEPTH_CAP: usize = 12;

/// Reads the models that may stand for a table among `words`, all words of the judged migrations.
pub fn read(
    place: &Place,
    app: &str,
    words: &BTreeSet<String>,
    inflections: &Inflections,
    base: Option<(&Git<'_>, &str)>,
    sources: &mut Sources,
) -> Result<Application, Error> {
    let mut application = Application::default();
    let mut matter: BTreeSet<String> = BTreeSet::new();
    let files = files(place, app, words);
    let probe = |(path, text): &(String, String)| {
        let mut own = Sources::default();
        let probe = own.add(path.as_str(), text.as_str());
        Found::of(&ruby::read(&own.piece(probe)), inflections)
    };
    let found = each(&files, |(_, text)| text.len(), probe);
    for ((path, text), found) in files.into_iter().zip(found) {
        if !found.shared.is_empty() {
            matter.insert(path.clone());
        }
        application.ignored_by_all.extend(found.shared);
        let matters = |model: &&Draft| model.matters(words);
        if !found.models.iter().any(|model| matters(&model)) {
            continue;
        }
        // Findings point into it from here on.
        let source = sources.add(path.as_str(), text.as_str());
        let piece = sources.piece(source);
        application.models.extend(found.models.iter().filter(matters).map(|model| model.at(&piece)));
        matter.insert(path);
    }
    if let Some((git, commit)) = base {
        let base = shipped::read(git, commit, matter, &|path| may_matter(app, path, words), (words, inflections))?;
        base.put_into(&mut application, sources);
    }
    Ok(application)
}

/// Where models stand.
pub fn folders(app: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| app.join(folder)).collect();
    for part in PARTS {
        let entries = std::fs::read_dir(app.join(part)).into_iter().flatten().flatten();
        let mut inside: Vec<_> = entries.map(|entry| entry.path().join("app/models")).collect();
        inside.sort();
        folders.extend(inside);
    }
    folders
}

/// Files that may say something of a table among the words.
fn files(place: &Place, app: &str, words: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders(&place.root.join(app)) {
        let is_models = folder.ends_with("app/models");
        let entries = WalkDir::new(&folder).max_depth(DEPTH_CAP).sort_by_file_name().into_iter().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_file()).take(FILE_CAP) {
            if entry.path().extension().is_none_or(|ending| ending != "rb") {
                continue;
            }
            let by_name = is_model_by_name(entry.path(), words);
            if is_models || by_name {
                found.push((entry.into_path(), by_name));
            }
        }
    }
    let read = |(path, by_name): &(PathBuf, bool)| {
        let text = text::read(path).ok()?.text;
        let says = text.contains("ignore") || text.contains("table_name");
        (says || *by_name).then(|| (place.shown(path), text))
    };
    each(&found, |_| FILE_BYTES, read).into_iter().flatten().collect()
}

/// Whether a file of the application may hold a model of these tables, by its place.
fn may_matter(app: &str, path: &str, words: &BTreeSet<String>) -> bool {
    let Some(inside) = path.strip_prefix(app).map(|rest| rest.trim_start_matches('/')) else { return false };
    if !is_below(path, app) || !inside.ends_with(".rb") {
        return false;
    }
    let is_of_part = PARTS.iter().any(|part| is_below(inside, part)) && inside.contains("/app/models/");
    let is_by_name = || is_model_by_name(Path::new(path), words);
    is_of_part || FOLDERS.iter().any(|folder| is_below(inside, folder) && (folder.ends_with("models") || is_by_name()))
}

/// `user.rb` may stand for `users`: a word begins as the file's name does.
fn is_model_by_name(path: &Path, words: &BTreeSet<String>) -> bool {
    const OTHERWISE: &[(&str, &str)] = &[("person", "people"), ("child", "children"), ("man", "men")];
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let otherwise =
        OTHERWISE.iter().any(|(one, many)| stem.ends_with(one) && words.iter().any(|word| word.ends_with(many)));
    // The last letter may change: `category`, `categories`.
    let start = stem.get(..stem.len().saturating_sub(1)).filter(|start| start.len() > 1).unwrap_or(&stem);
    let is_there = |start: &str| words.range(start.to_owned()..).next().is_some_and(|word| word.starts_with(start));
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    otherwise || is_there(start) || folder.is_some_and(|folder| is_there(&format!("{folder}_{start}")))
}

/// What one file holds.
#[derive(Debug, Default)]
struct Found {
    models: Vec<Draft>,
    /// Columns that modules ignore for whoever includes them.
    shared: Vec<Arc<str>>,
}

/// A model before its file has a place among the sources.
#[derive(Debug)]
struct Draft {
    class: String,
    span: Span,
    tables: Vec<Arc<str>>,
    ignored: Vec<(Arc<str>, Span)>,
    ignores_more: bool,
}

impl Draft {
    fn matters(&self, words: &BTreeSet<String>) -> bool {
        self.tables.iter().any(|table| words.contains(&**table))
    }

    fn at(&self, piece: &Piece) -> Model {
        let place = |span: Span| piece.span(span.start as usize..span.end as usize);
        let ignored = self.ignored.iter().map(|(column, span)| Ignored {
            column: column.clone(),
            span: place(*span),
            shipped: None,
        });
        Model {
            class: self.class.as_str().into(),
            span: place(self.span),
            tables: self.tables.clone(),
            ignored: ignored.collect(),
            ignores_more: self.ignores_more,
        }
    }
}

impl Found {
    fn of(file: &RubyFile, inflections: &Inflections) -> Found {
        let mut found = Found::default();
        found.collect(&file.body, "", inflections, 0);
        found
    }

    fn collect(&mut self, body: &[Ruby], around: &str, inflections: &Inflections, depth: usize) {
        for node in body {
            let RubyKind::Class(class) = &node.kind else { continue };
            let path = if around.is_empty() { class.name.to_string() } else { format!("{around}::{}", class.name) };
            if depth < DEPTH_CAP {
                self.collect(&class.body, &path, inflections, depth + 1);
            }
            let mut said = Said::default();
            said.body(&class.body, 0);
            if class.is_module {
                self.shared.extend(said.ignored.into_iter().map(|(column, _)| column));
            } else if class.superclass.is_some() {
                self.models.push(draft(class, path, said, inflections));
            }
        }
    }
}

fn draft(class: &RubyClass, path: String, said: Said, inflections: &Inflections) -> Draft {
    let tables = match said.table {
        Some(table) => vec![table],
        None => tables(&path, inflections),
    };
    // The line of the class alone: its body may be long.
    let name = class.span.start..class.span.start + "class ".len() as u32 + class.name.len() as u32;
    let span = Span { start: name.start, end: name.end.min(class.span.end), ..class.span };
    Draft { class: path, span, tables, ignored: said.ignored, ignores_more: said.ignores_more }
}

/// `Ci::Runner` may have `ci_runners`, where its module says so, or `runners`.
fn tables(class: &str, inflections: &Inflections) -> Vec<Arc<str>> {
    let words: Vec<String> = class.split("::").map(underscored).collect();
    let Some((last, around)) = words.split_last() else { return Vec::new() };
    let plural = inflections.pluralize(last);
    let mut tables = Vec::new();
    if !around.is_empty() {
        tables.push(format!("{}_{plural}", around.join("_")).into());
    }
    tables.push(plural.as_str().into());
    tables
}

fn underscored(name: &str) -> String {
    let mut word = String::with_capacity(name.len() + 4);
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let ends_word = before.is_some_and(|before| before.is_lowercase() || before.is_ascii_digit());
        let ends_acronym =
            before.is_some_and(char::is_uppercase) && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (ends_word || ends_acronym) {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

/// What the body of a class says of its table.
#[derive(Debug, Default)]
struct Said {
    table: Option<Arc<str>>,
    ignored: Vec<(Arc<str>, Span)>,
    ignores_more: bool,
}

impl Said {
    fn body(&mut self, body: &[Ruby], depth: usize) {
        for node in body {
            match &node.kind {
                RubyKind::Assign { target: RubyTarget::Attribute(of, name), value, .. }
                    if of.kind == RubyKind::SelfObject =>
                {
                    match &**name {
                        "table_name" => self.table = literal(value).map(|name| unqualified(&name)),
                        "ignored_columns" => self.ignores(value, node.span),
                        _ => {}
                    }
                }
                RubyKind::Call(call) => self.call(call, node, depth),
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &RubyCall, node: &Ruby, depth: usize) {
        match &*call.name {
            // GitLab's, and what others call so.
            "ignore_column" | "ignore_columns" => {
                call.arguments.iter().for_each(|value| self.ignores(value, node.span));
            }
            "set_table_name" => self.table = call.arguments.first().and_then(literal).map(|name| unqualified(&name)),
            // `included do … end`, `prepended do … end`, `with_options … do`
            _ => {
                if let Some(block) = call.block.as_ref().filter(|_| depth < DEPTH_CAP) {
                    self.body(&block.body, depth + 1);
                }
            }
        }
    }

    fn ignores(&mut self, value: &Ruby, span: Span) {
        match &value.kind {
            RubyKind::Call(call) if matches!(&*call.name, "freeze" | "map" | "uniq" | "to_a") => {
                call.receiver.iter().for_each(|inner| self.ignores(inner, span));
            }
            RubyKind::Call(call) if matches!(&*call.name, "+" | "|") => {
                call.receiver.iter().chain(&call.arguments).for_each(|inner| self.ignores(inner, span));
            }
            // What it ignores already.
            RubyKind::Call(call) if matches!(&*call.name, "ignored_columns" | "super") => {}
            RubyKind::Array(_) | RubyKind::String(_) | RubyKind::Symbol(_) | RubyKind::Splat(_) => {
                let named = literals(value);
                let wanted = match &value.kind {
                    RubyKind::Array(items) => items.len(),
                    _ => 1,
                };
                self.ignores_more |= named.len() < wanted;
                self.ignored.extend(named.into_iter().map(|column| (column, span)));
            }
            _ => self.ignores_more = true,
        }
    }
}

fn unqualified(name: &str) -> Arc<str> {
    name.rsplit('.').next().unwrap_or(name).into()
}

/// The application's folder as shown, for what lies in one of its `db` folders.
pub fn app_of(place: &Place, root: &str) -> String {
    let folder = place.root.join(root);
    super::app_around(&place.root, &folder).map(|app| place.shown(&app)).unwrap_or_default()
}

/// All words of texts that may name tables.
pub fn words<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    texts.flat_map(|text| text.split(move |c| !is_part(c))).filter(|word| word.len() > 1).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        let mut sources = Sources::default();
        let id = sources.add("a.rb", text);
        Found::of(&ruby::read(&sources.piece(id)), &Inflections::default())
    }

    #[test]
    fn models_tell_their_tables_and_what_they_ignore() {
        let text = "module Ci\n  class RunnerMachine < ApplicationRecord\n    include IgnorableColumns\n    \
                    ignore_column :a, :b, remove_with: '17.1', remove_after: '2024-01-01'\n    \
                    self.ignored_columns += %w[c d].freeze\n  end\nend\n\
                    class Person < ApplicationRecord\n  self.table_name = 'crm.humans'\n  self.ignored_columns = NAMES\nend\n\
                    class Plain\n  self.ignored_columns = %w[z]\nend\n\
                    module Shared\n  extend ActiveSupport::Concern\n  included do\n    self.ignored_columns = [:e]\n  end\nend\n";
        let found = found(text);
        let [runner, person] = found.models.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (runner.class.as_str(), &*runner.tables[0], &*runner.tables[1]),
            ("Ci::RunnerMachine", "ci_runner_machines", "runner_machines")
        );
        let columns: Vec<&str> = runner.ignored.iter().map(|(column, _)| &**column).collect();
        assert_eq!((columns, runner.ignores_more), (vec!["a", "b", "c", "d"], false));
        assert_eq!((&*person.tables[0], person.ignores_more), ("humans", true));
        assert_eq!(found.shared, ["e".into()]);
    }

    #[test]
    fn files_are_found_by_their_names() {
        let words = words(["remove_column :ci_runners, :categories_count; people; entries"].into_iter());
        for (path, wanted) in [
            ("app/models/ci/runner.rb", true),
            ("app/models/entry.rb", true),
            ("app/models/person.rb", true),
            ("app/models/category.rb", true),
            ("app/models/user.rb", false),
        ] {
            assert_eq!(is_model_by_name(Path::new(path), &words), wanted, "{path}");
        }
        assert_eq!(underscored("HTTPServerURL2Entry"), "http_server_url2_entry");
    }
}
