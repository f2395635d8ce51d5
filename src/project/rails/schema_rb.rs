//! `db/schema.rb`: a dump in the words of migrations, read as one migration that makes everything.

use std::sync::Arc;

use crate::operation::{
    Node, Ruby, RubyCall, RubyClass, RubyDirection, RubyFile, RubyKind, RubyMethod, RubyPair, RubyParameters,
    RubyScript, Script,
};
use crate::rails::DUMP;
use crate::read::ruby;
use crate::source::Piece;

/// What `ActiveRecord::Schema[7.1].define(…) do … end` does, as a script; `None` where a text is no such dump.
pub fn script(piece: &Piece) -> Option<Script> {
    let file = ruby::read(piece);
    if !file.errors.is_empty() {
        return None;
    }
    let define = file.body.iter().find_map(defined)?;
    let block = define.block.as_ref()?;
    let up = RubyMethod {
        name: "up".into(),
        on_class: false,
        parameters: RubyParameters::default(),
        body: block.body.clone(),
        span: block.span,
    };
    let class = RubyClass {
        name: DUMP.into(),
        is_module: false,
        superclass: None,
        body: vec![Ruby { span: block.span, kind: RubyKind::Method(Arc::new(up)) }],
        span: block.span,
    };
    let body = vec![Ruby { span: block.span, kind: RubyKind::Class(Arc::new(class)) }];
    let script = RubyScript {
        file: Arc::new(RubyFile { body, comments: Vec::new(), errors: Vec::new() }),
        class: DUMP.into(),
        inherits: format!("ActiveRecord::Migration[{}]", release(define, piece.text())).into(),
        includes: Vec::new(),
        direction: RubyDirection::Up,
        span: block.span,
    };
    Some(Script { nodes: vec![Node::Ruby(Arc::new(script))] })
}

/// The dump itself is the call with a block.
fn defined(node: &Ruby) -> Option<&RubyCall> {
    let RubyKind::Call(call) = &node.kind else { return None };
    let receiver = call.receiver.as_ref()?;
    (&*call.name == "define" && is_schema(receiver) && call.block.is_some()).then_some(call)
}

fn is_schema(node: &Ruby) -> bool {
    match &node.kind {
        RubyKind::Constant { path, .. } => path.ends_with("ActiveRecord::Schema"),
        RubyKind::Call(call) if &*call.name == "[]" => call.receiver.as_ref().is_some_and(is_schema),
        _ => false,
    }
}

/// `Schema[7.1]`; before 7.0 a dump named no release and spelt out what differed. Those from before 5.1 say nothing of
/// keys, whose type changed then; they are told by the way their version is written, and 5.1 itself by its indexes, of
/// which it no longer says that they are of the usual kind.
fn release(define: &RubyCall, text: &str) -> String {
    if let Some(RubyKind::Call(call)) = define.receiver.as_ref().map(|receiver| &receiver.kind)
        && let Some(named) = call.arguments.first().and_then(super::class::literal)
    {
        return named.to_string();
    }
    // Rails 5.2 began to part the digits of the version.
    let is_parted = define.keywords.iter().any(|pair| match pair {
        RubyPair::Pair(_, value) => value.span.end.saturating_sub(value.span.start) > 14,
        RubyPair::Splat(_) => false,
    });
    let is_of_5_1 = text.contains("t.index ") && !text.contains("using: :btree");
    if is_parted || is_of_5_1 { "6.1".to_owned() } else { "5.0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn inherits(text: &str) -> Option<String> {
        let mut sources = Sources::default();
        let id = sources.add("db/schema.rb", text);
        let script = script(&sources.piece(id))?;
        match &script.nodes[0] {
            Node::Ruby(script) => Some(script.inherits.to_string()),
            _ => None,
        }
    }

    #[test]
    fn a_dump_is_one_migration_of_its_release() {
        let text = |head: &str| format!("{head} do\n create_table \"a\", force: :cascade do |t|\n end\nend\n");
        for (head, wanted) in [
            ("ActiveRecord::Schema[7.1].define(version: 2024_01_01_000000)", Some("ActiveRecord::Migration[7.1]")),
            ("ActiveRecord::Schema.define(version: 2019_01_01_000000)", Some("ActiveRecord::Migration[6.1]")),
            ("ActiveRecord::Schema.define(version: 20150101000000)", Some("ActiveRecord::Migration[5.0]")),
            ("Sequel.define(version: 1)", None),
        ] {
            assert_eq!(inherits(&text(head)).as_deref(), wanted, "{head}");
        }
        let with_index = |using: &str| {
            let head = "ActiveRecord::Schema.define(version: 20180101000000) do\n create_table \"a\" do |t|\n";
            inherits(&format!("{head}  t.index [\"b\"], name: \"c\"{using}\n end\nend\n"))
        };
        assert_eq!(with_index("").as_deref(), Some("ActiveRecord::Migration[6.1]"), "5.1");
        assert_eq!(with_index(", using: :btree").as_deref(), Some("ActiveRecord::Migration[5.0]"));
        assert_eq!(inherits("ActiveRecord::Schema[7.1].define(version: 1) do"), None);
    }
}
