//! Classes and modules of the application's own that its migrations inherit from or include: their methods are words of
//! its migrations, and what they inherit from says of which release these are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::assemble::DraftHistory;
use super::super::text::peek;
use crate::operation::{Node, Ruby, RubyClass, RubyFile, RubyKind, RubyMethod};
use crate::rails::Vocabularies;
use crate::rails::active_record::Release;
use crate::rails::evaluate::{constant_path, methods_of, mixins, underscore};
use crate::rails::vocabulary::{OwnBase, Vocabulary};
use crate::read::ruby;
use crate::source::Sources;

/// More classes are no helpers of migrations.
const MOST: usize = 64;
/// Modules in modules are followed this far.
const DEPTH: usize = 4;

/// Those that no vocabulary is about.
pub fn read(history: &DraftHistory, app: &Path, known: &Vocabularies) -> Vec<Vocabulary> {
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    for node in history.drafts.iter().flat_map(|draft| &draft.migration.up.nodes) {
        let Node::Ruby(script) = node else { continue };
        let inherits = script.inherits.split('[').next().unwrap_or_default();
        let all = script.includes.iter().map(|name| &**name).chain([inherits]);
        names.extend(all.filter(|name| !is_of_rails(name) && !known.knows(name)).map(Arc::from));
    }
    if names.is_empty() || names.len() > MOST {
        return Vec::new();
    }
    let folders = folders(app);
    let found = names.into_iter().filter_map(|name| {
        let mut base = OwnBase { name: name.clone(), ddl_transaction: true, ..OwnBase::default() };
        take(&name, &folders, &mut base, &mut BTreeSet::new()).then_some(base)
    });
    found.map(Vocabulary::of_base).collect()
}

fn is_of_rails(name: &str) -> bool {
    name.is_empty() || name.starts_with("ActiveRecord::") || name.starts_with("::ActiveRecord::")
}

/// Where Rails looks for a class by its name.
fn folders(app: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(app.join("app")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut inside: Vec<PathBuf> = inside.filter(|path| path.is_dir()).collect();
    inside.sort();
    ["lib", "db", "db/migrate"].map(|folder| app.join(folder)).into_iter().chain(inside).collect()
}

/// Adds what a class or module says, and what it is built upon, each once; false where it is not found.
fn take(name: &str, folders: &[PathBuf], base: &mut OwnBase, seen: &mut BTreeSet<String>) -> bool {
    let path = format!("{}.rb", underscore(name.trim_start_matches("::")));
    if seen.len() >= MOST || path.contains("..") || !seen.insert(path.clone()) {
        return false;
    }
    let Some(text) = folders.iter().find_map(|folder| peek(&folder.join(&path))) else { return false };
    // Nothing of it is shown: what it does is told at the call of the migration.
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let piece = sources.piece(id);
    let file: RubyFile = ruby::read(&piece);
    let mut parts = Vec::new();
    open(&file.body, "", name.trim_start_matches("::"), &mut parts, 0);
    if !file.errors.is_empty() || parts.is_empty() {
        return false;
    }
    for class in parts {
        for node in &class.body {
            let mut methods = Vec::new();
            methods_of(node, &mut methods);
            methods.into_iter().for_each(|(method, on_class)| keep(method, on_class, base));
            base.ddl_transaction &= !says_bare(node);
            for inner in mixins(node) {
                take(&inner, folders, base, seen);
            }
        }
        let Some(above) = &class.superclass else { continue };
        let written = piece.text().get(above.span.start as usize..above.span.end as usize).unwrap_or_default();
        match written.split_once('[') {
            Some((rails, version)) if is_of_rails(rails) => {
                base.release = base.release.or_else(|| Release::parse(version.trim_end_matches(']')));
            }
            _ => _ = constant_path(above).is_some_and(|name| take(&name, folders, base, seen)),
        }
    }
    true
}

/// The parts of a class, in whatever modules it stands.
fn open<'a>(body: &'a [Ruby], around: &str, name: &str, parts: &mut Vec<&'a RubyClass>, depth: usize) {
    for node in body {
        let RubyKind::Class(class) = &node.kind else { continue };
        let path = if around.is_empty() { class.name.to_string() } else { format!("{around}::{}", class.name) };
        if path == name {
            parts.push(class);
        } else if depth < DEPTH {
            open(&class.body, &path, name, parts, depth + 1);
        }
    }
}

fn keep(method: Arc<RubyMethod>, on_class: bool, base: &mut OwnBase) {
    if &*method.name == "disable_ddl_transaction" {
        base.ddl_transaction &= !method.body.last().is_some_and(|node| node.kind == RubyKind::True);
        return;
    }
    // What Rails calls by itself, and what is asked for names that nobody has.
    let is_rails = matches!(
        &*method.name,
        "up" | "down" | "change" | "initialize" | "exec_migration" | "migrate" | "method_missing"
    );
    let is_known = base.methods.iter().any(|known| known.name == method.name);
    if !on_class && !is_rails && !is_known {
        base.methods.push(method);
    }
}

/// `disable_ddl_transaction!` of a class's body.
fn says_bare(node: &Ruby) -> bool {
    matches!(&node.kind, RubyKind::Call(call) if call.receiver.is_none() && &*call.name == "disable_ddl_transaction!")
}
