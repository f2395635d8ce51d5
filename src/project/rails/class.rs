//! What a migration's class says of itself in its body, before anything of it runs.

use std::sync::Arc;

use crate::history::Phase;
use crate::operation::{Ruby, RubyCall, RubyClass, RubyFile, RubyKind, RubyPart};

/// A migration's class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Class {
    /// With the modules around it: `Blog::CreatePosts`.
    pub path: Arc<str>,
    /// `disable_ddl_transaction!`
    pub bare: bool,
    /// The release that brings it: `milestone '17.6'`.
    pub milestone: Option<Arc<str>>,
    /// `phase :post_restart`
    pub phase: Option<Phase>,
    pub has_up: bool,
    pub has_down: bool,
    pub has_change: bool,
}

impl Class {
    /// The class that Rails would run of a file: named as the file is, else the last one that runs at all.
    pub fn of(file: &RubyFile, name: &str) -> Option<Class> {
        let mut found = Vec::new();
        collect(&file.body, "", &mut found, 0);
        let wanted = name.replace('_', "");
        let is_named = |class: &Class| {
            let last = class.path.rsplit("::").next().unwrap_or_default();
            last.eq_ignore_ascii_case(&wanted)
        };
        let runs = |class: &Class| class.has_up || class.has_change;
        let place = found.iter().rposition(is_named).or_else(|| found.iter().rposition(runs))?;
        Some(found.swap_remove(place))
    }
}

/// Modules deeper than this hold no migrations.
const DEPTH_CAP: usize = 16;

fn collect(body: &[Ruby], around: &str, found: &mut Vec<Class>, depth: usize) {
    for node in body {
        let RubyKind::Class(class) = &node.kind else { continue };
        let path = if around.is_empty() { class.name.to_string() } else { format!("{around}::{}", class.name) };
        if depth < DEPTH_CAP {
            collect(&class.body, &path, found, depth + 1);
        }
        if !class.is_module {
            found.push(read(class, path));
        }
    }
}

fn read(class: &RubyClass, path: String) -> Class {
    let mut read = Class { path: path.into(), ..Class::default() };
    for node in &class.body {
        match &node.kind {
            RubyKind::Method(method) => read.method(&method.name),
            // `class << self` holds `up` and `down` of the oldest migrations.
            RubyKind::Class(inner) if inner.name.is_empty() => {
                for node in &inner.body {
                    if let RubyKind::Method(method) = &node.kind {
                        read.method(&method.name);
                    }
                }
            }
            RubyKind::Call(call) if is_own(call) => read.says(call),
            _ => {}
        }
    }
    read
}

impl Class {
    fn method(&mut self, name: &str) {
        match name {
            "up" => self.has_up = true,
            "down" => self.has_down = true,
            "change" => self.has_change = true,
            _ => {}
        }
    }

    fn says(&mut self, call: &RubyCall) {
        match &*call.name {
            "disable_ddl_transaction!" => self.bare = true,
            "milestone" => self.milestone = call.arguments.first().and_then(literal),
            // Of the gem handcuffs, and what others call so.
            "phase" => {
                self.phase = match call.arguments.first().and_then(literal).as_deref() {
                    Some("pre_restart" | "pre_deploy" | "before_deploy") => Some(Phase::BeforeDeploy),
                    Some("post_restart" | "post_deploy" | "after_deploy") => Some(Phase::AfterDeploy),
                    _ => None,
                }
            }
            // `private def down`
            _ => {
                for node in &call.arguments {
                    if let RubyKind::Method(method) = &node.kind {
                        self.method(&method.name);
                    }
                }
            }
        }
    }
}

fn is_own(call: &RubyCall) -> bool {
    call.receiver.as_ref().is_none_or(|receiver| receiver.kind == RubyKind::SelfObject)
}

/// A string or symbol without code in it; a number as it is written.
pub fn literal(node: &Ruby) -> Option<Arc<str>> {
    match &node.kind {
        RubyKind::String(parts) | RubyKind::Symbol(parts) => {
            let texts: Option<String> = parts
                .iter()
                .map(|part| match part {
                    RubyPart::Text(piece) => Some(piece.text()),
                    RubyPart::Code(_) => None,
                })
                .collect();
            texts.map(Into::into)
        }
        RubyKind::Float(number) => Some(number.clone()),
        RubyKind::Integer(number) => Some(number.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::ruby;
    use crate::source::Sources;

    fn class(text: &str, name: &str) -> Option<Class> {
        let mut sources = Sources::default();
        let id = sources.add("1_a.rb", text);
        Class::of(&ruby::read(&sources.piece(id)), name)
    }

    #[test]
    fn a_class_tells_of_itself() {
        let text = "module Blog\n  class Row < ActiveRecord::Base; end\n  class AddIt < Gitlab::Database::Migration[2.2]\n    \
                    disable_ddl_transaction!\n    milestone '17.6'\n    def up; end\n    def down; end\n  end\nend\n";
        let found = class(text, "add_it").unwrap();
        assert_eq!((&*found.path, found.milestone.as_deref()), ("Blog::AddIt", Some("17.6")));
        assert!(found.bare && found.has_up && found.has_down && !found.has_change);
    }

    #[test]
    fn the_class_that_runs_is_found() {
        let old = "class A < ActiveRecord::Migration\n class << self\n def up; end\n end\nend\nclass B; end";
        assert_eq!(&*class(old, "other").unwrap().path, "A");
        let late = "class A < M\n phase :post_restart\n self.disable_ddl_transaction!\n def change; end\nend";
        let late = class(late, "a").unwrap();
        assert_eq!((late.phase, late.bare), (Some(Phase::AfterDeploy), true));
        assert_eq!(class("puts 1", "a"), None);
        assert_eq!(class("class B; end", "a"), None);
        let text =
            "# disable_ddl_transaction!\nclass A\n def change\n  x = <<~S\n disable_ddl_transaction!\n S\n end\nend";
        assert!(!class(text, "a").unwrap().bare);
    }
}
