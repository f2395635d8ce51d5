//! What a Rails migration does in `up_only` stays on its way back: whoever wrote the word knows it.

use crate::history::Whole;
use crate::operation::{Node, RubyKind, walk};
use crate::schema::Schema;
use crate::source::Span;

/// The schema of before with what `up_only` makes of it; `None` where the migration has no such block.
pub(super) fn kept(whole: &Whole, before: &Schema) -> Option<Schema> {
    let blocks = blocks(whole);
    let is_inside = |span: Span| blocks.iter().any(|block| block.contains(span));
    let mut inside = whole.steps.iter().filter(|step| is_inside(step.origin.span)).peekable();
    inside.peek()?;
    let mut kept = before.clone();
    for step in inside {
        kept.apply(&step.operation, &step.origin);
    }
    Some(kept)
}

fn blocks(whole: &Whole) -> Vec<Span> {
    let mut found = Vec::new();
    for node in &whole.context.migration.up.nodes {
        let Node::Ruby(script) = node else { continue };
        walk(&script.file.body, &mut |node| {
            if let RubyKind::Call(call) = &node.kind
                && call.receiver.is_none()
                && &*call.name == "up_only"
            {
                found.push(node.span);
            }
        });
    }
    found
}
