//! A Ruby file as a migration: its class and its directions.

use std::sync::Arc;

use crate::operation::{
    Ruby, RubyCall, RubyClass, RubyDirection, RubyFile, RubyKind, RubyMethod, RubyPart, RubyScript,
};

/// A migration of a file: its two directions.
#[derive(Debug, Clone)]
pub struct RubyMigration {
    pub up: Arc<RubyScript>,
    /// `None`: it has no way back.
    pub down: Option<Arc<RubyScript>>,
}

/// The migration of a file whose class has that path; `None`: there is no such class.
pub fn read(file: Arc<RubyFile>, path: &str) -> Option<RubyMigration> {
    let mut found = Vec::new();
    classes("", &file.body, &mut found);
    let (path, class) = found.into_iter().rfind(|(known, _)| known == path)?;
    let up = RubyScript {
        file,
        class: path.into(),
        inherits: inherits(&class).into(),
        includes: class.body.iter().flat_map(included).collect(),
        direction: RubyDirection::Up,
        span: class.span,
    };
    let has_down = methods(&class).any(|method| matches!(&*method.name, "down" | "change"));
    let down = has_down.then(|| Arc::new(RubyScript { direction: RubyDirection::Down, ..up.clone() }));
    Some(RubyMigration { up: Arc::new(up), down })
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
