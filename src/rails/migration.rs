//! A Ruby file as a migration: its class, its directions, and what it says about itself.

use std::sync::Arc;

use crate::operation::{
    Ruby, RubyCall, RubyClass, RubyDirection, RubyFile, RubyKind, RubyMethod, RubyPart, RubyScript,
};

/// What a file of migrations holds.
#[derive(Debug, Clone)]
pub struct RubyMigration {
    pub class: Arc<str>,
    pub inherits: Arc<str>,
    pub up: Arc<RubyScript>,
    /// `None`: it has no way back.
    pub down: Option<Arc<RubyScript>>,
    /// `disable_ddl_transaction!`
    pub outside_transaction: bool,
    /// Calls in the body of the class (`milestone '17.1'`).
    pub words: Vec<RubyCall>,
}

/// The migration of a file; `None` where no class in it is one.
pub fn read(file: Arc<RubyFile>) -> Option<RubyMigration> {
    let mut found = Vec::new();
    classes("", &file.body, &mut found);
    let is_migration = |class: &RubyClass| {
        let above = inherits(class);
        above.contains("Migration") || above.contains("Schema[")
    };
    let runs = |class: &RubyClass| methods(class).any(|method| matches!(&*method.name, "up" | "down" | "change"));
    let chosen = found.iter().find(|(_, class)| is_migration(class) && runs(class));
    let chosen = chosen.or_else(|| found.iter().find(|(_, class)| !class.is_module && runs(class)));
    let chosen = chosen.or_else(|| found.iter().find(|(_, class)| is_migration(class)));
    let (path, class) = chosen?;
    let words: Vec<RubyCall> = class.body.iter().filter_map(word).collect();
    let includes = class.body.iter().flat_map(included).collect();
    let up = RubyScript {
        file: file.clone(),
        class: path.as_str().into(),
        inherits: inherits(class).into(),
        includes,
        direction: RubyDirection::Up,
        span: class.span,
    };
    let has_down = methods(class).any(|method| matches!(&*method.name, "down" | "change"));
    let down = has_down.then(|| Arc::new(RubyScript { direction: RubyDirection::Down, ..up.clone() }));
    Some(RubyMigration {
        class: up.class.clone(),
        inherits: up.inherits.clone(),
        outside_transaction: words.iter().any(|word| &*word.name == "disable_ddl_transaction!"),
        down,
        up: Arc::new(up),
        words,
    })
}

fn classes(path: &str, body: &[Ruby], found: &mut Vec<(String, Arc<RubyClass>)>) {
    for node in body {
        if let RubyKind::Class(class) = &node.kind
            && !class.name.is_empty()
        {
            let full = if path.is_empty() { class.name.to_string() } else { format!("{path}::{}", class.name) };
            found.push((full.clone(), class.clone()));
            classes(&full, &class.body, found);
        }
    }
}

fn methods(class: &RubyClass) -> impl Iterator<Item = Arc<RubyMethod>> {
    fn of(body: &[Ruby]) -> Vec<Arc<RubyMethod>> {
        let mut found = Vec::new();
        for node in body {
            match &node.kind {
                RubyKind::Method(method) => found.push(method.clone()),
                RubyKind::Class(inner) if inner.name.is_empty() => found.extend(of(&inner.body)),
                _ => {}
            }
        }
        found
    }
    of(&class.body).into_iter()
}

fn word(node: &Ruby) -> Option<RubyCall> {
    match &node.kind {
        RubyKind::Call(call) if call.receiver.is_none() => Some((**call).clone()),
        _ => None,
    }
}

fn included(node: &Ruby) -> Vec<Arc<str>> {
    let Some(call) = word(node).filter(|call| matches!(&*call.name, "include" | "extend" | "prepend")) else {
        return Vec::new();
    };
    call.arguments.iter().map(|one| shown(one).into()).collect()
}

fn inherits(class: &RubyClass) -> String {
    class.superclass.as_ref().map(shown).unwrap_or_default()
}

/// A constant as it is written, with what stands in brackets behind it.
fn shown(node: &Ruby) -> String {
    match &node.kind {
        RubyKind::Constant { path, .. } => path.to_string(),
        RubyKind::Float(number) => number.to_string(),
        RubyKind::Integer(number) => number.to_string(),
        RubyKind::String(parts) => match parts.as_slice() {
            [RubyPart::Text(text)] => text.text().to_owned(),
            _ => String::new(),
        },
        RubyKind::Call(call) => {
            let receiver = call.receiver.as_ref().map(shown).unwrap_or_default();
            let arguments: Vec<String> = call.arguments.iter().map(shown).collect();
            match &*call.name {
                "[]" => format!("{receiver}[{}]", arguments.join(", ")),
                name => format!("{receiver}.{name}"),
            }
        }
        _ => String::new(),
    }
}
