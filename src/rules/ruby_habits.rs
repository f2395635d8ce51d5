//! What the text of a migration in Ruby shows without being worked out: classes of the application, a missing way back.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Findings;
use crate::history::Whole;
use crate::operation::{Node, Origin, Ruby, RubyCall, RubyClass, RubyKind, RubyMethod, RubyScript, RubyTarget, walk};
use crate::source::Span;

fn script<'a>(whole: &Whole<'a>) -> Option<&'a Arc<RubyScript>> {
    whole.context.migration.up.nodes.iter().find_map(|node| match node {
        Node::Ruby(script) => Some(script),
        _ => None,
    })
}

/// What is asked of a model and hardly of another class.
const ASKED: &[&str] = &[
    "all",
    "create",
    "create!",
    "delete_all",
    "destroy_all",
    "each_batch",
    "find",
    "find_by",
    "find_each",
    "find_in_batches",
    "find_or_create_by",
    "find_or_create_by!",
    "first",
    "in_batches",
    "insert_all",
    "insert_all!",
    "joins",
    "pluck",
    "reset_column_information",
    "unscoped",
    "update_all",
    "upsert_all",
    "where",
];

/// Of Ruby, of Rails: none of the application's.
const OTHERS: &[&str] = &[
    "ActiveRecord",
    "ActiveStorage",
    "ActionText",
    "Arel",
    "Array",
    "Dir",
    "File",
    "Hash",
    "IO",
    "Rails",
    "Set",
    "Struct",
];

pub fn app_code(whole: &Whole, findings: &mut Findings) {
    let Some(script) = script(whole) else { return };
    let mut own: BTreeSet<&str> = BTreeSet::new();
    walk(&script.file.body, &mut |node| match &node.kind {
        RubyKind::Class(class) => own.extend(class.name.split("::")),
        RubyKind::Assign { target: RubyTarget::Constant(name), .. } => own.extend(name.split("::")),
        _ => {}
    });
    let mut told: BTreeSet<&str> = BTreeSet::new();
    walk(&script.file.body, &mut |node| {
        let RubyKind::Call(call) = &node.kind else { return };
        let Some(RubyKind::Constant { scope: None, path }) = call.receiver.as_ref().map(|receiver| &receiver.kind)
        else {
            return;
        };
        let first = path.split("::").find(|part| !part.is_empty()).unwrap_or_default();
        if !ASKED.contains(&&*call.name) || own.contains(first) || OTHERS.contains(&first) || !told.insert(path) {
            return;
        }
        let message = format!(
            "`{path}` is a class of the application: this migration does what the code of the day says, and fails where \
             the class has moved on"
        );
        let finding = findings.report(&Origin::at(node.span), "ruby", true, message);
        let last = path.rsplit("::").next().unwrap_or(path);
        finding.instead(format!(
            "# inside the migration's class: a model of its own, with nothing but its table\n\
             class {last} < ActiveRecord::Base\n  self.table_name = \"…\"\nend"
        ));
    });
}

pub fn not_reversible(whole: &Whole, findings: &mut Findings) {
    let Some(script) = script(whole) else { return };
    let Some(class) = class(&script.file.body, "", &script.class) else { return };
    let method = |wanted: &str| methods(class).into_iter().find(|method| &*method.name == wanted);
    if let Some(change) = method("change") {
        for (call, at) in irreversible(&change) {
            let message = format!("`{}` cannot be turned around: the migration has no way back", call.name);
            let finding = findings.report(&Origin::at(at), "ruby", true, message);
            finding.instead("# say both ways: `def up` and `def down`, or `reversible do |dir|` around it");
        }
    } else if method("up").is_some() && method("down").is_none() {
        let name = script.span.start..script.span.start + "class ".len() as u32 + class.name.len() as u32;
        let at = Span { start: name.start, end: name.end.min(script.span.end), ..script.span };
        let message = "the migration has no `down`: it has no way back";
        let finding = findings.report(&Origin::at(at), "ruby", true, message);
        finding.instead("def down\n  # what undoes it, or: raise ActiveRecord::IrreversibleMigration\nend");
    }
}

fn class<'a>(body: &'a [Ruby], around: &str, wanted: &str) -> Option<&'a RubyClass> {
    body.iter().find_map(|node| {
        let RubyKind::Class(inner) = &node.kind else { return None };
        let path = if around.is_empty() { inner.name.to_string() } else { format!("{around}::{}", inner.name) };
        if path == wanted { Some(&**inner) } else { class(&inner.body, &path, wanted) }
    })
}

fn methods(class: &RubyClass) -> Vec<Arc<RubyMethod>> {
    let mut found = Vec::new();
    for node in &class.body {
        match &node.kind {
            RubyKind::Method(method) => found.push(method.clone()),
            RubyKind::Class(inner) if inner.name.is_empty() => found.extend(methods(inner)),
            _ => {}
        }
    }
    found
}

/// Calls of `change` that Active Record's recorder refuses to turn around, with their places.
fn irreversible(change: &RubyMethod) -> Vec<(&RubyCall, Span)> {
    let mut said: Vec<Span> = Vec::new();
    walk(&change.body, &mut |node| {
        if let RubyKind::Call(call) = &node.kind
            && matches!(&*call.name, "reversible" | "up_only" | "revert")
        {
            said.push(node.span);
        }
    });
    let is_said = |span: Span| said.iter().any(|one| one.start <= span.start && span.end <= one.end);
    let mut found = Vec::new();
    walk(&change.body, &mut |node| {
        let RubyKind::Call(call) = &node.kind else { return };
        if call.receiver.is_none() && is_irreversible(call) && !is_said(node.span) {
            found.push((&**call, node.span));
        }
    });
    found
}

/// As the recorder has it (ActiveRecord::Migration::CommandRecorder).
fn is_irreversible(call: &RubyCall) -> bool {
    let has = |name: &str| {
        call.keywords.iter().any(|pair| match pair {
            crate::operation::RubyPair::Pair(key, _) => is_symbol(key, name),
            // What it holds is not seen here.
            crate::operation::RubyPair::Splat(_) => true,
        })
    };
    let splat = call.arguments.iter().any(|argument| matches!(argument.kind, RubyKind::Splat(_)));
    match &*call.name {
        "execute" | "change_column" => true,
        "drop_table" => call.block.is_none(),
        "remove_column" => call.arguments.len() < 3 && !splat,
        "remove_columns" => !has("type"),
        "change_column_default" => !(has("from") && has("to")),
        "remove_index" => call.arguments.len() < 2 && !has("column") && !splat,
        _ => false,
    }
}

fn is_symbol(node: &Ruby, name: &str) -> bool {
    match &node.kind {
        RubyKind::Symbol(parts) => {
            matches!(parts.as_slice(), [crate::operation::RubyPart::Text(text)] if text.text() == name)
        }
        _ => false,
    }
}
