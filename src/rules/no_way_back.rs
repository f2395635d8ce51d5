//! Downs whose text says that there is no way back, or that does nothing on purpose.

use crate::history::Migration;
use crate::operation::{Node, Ruby, RubyFile, RubyKind, RubyMethod, walk};

/// A down that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// A comment in it says why.
    Explained,
    Bare,
}

/// The down raises `ActiveRecord::IrreversibleMigration` somewhere, or anything at all before what it may do besides: no
/// way back is promised, at least not for every database.
pub(super) fn is_given_up(migration: &Migration) -> bool {
    let raises = |node: &Ruby| match &node.kind {
        RubyKind::Call(call) => call.receiver.is_none() && matches!(&*call.name, "raise" | "fail"),
        _ => false,
    };
    let irreversible = |node: &Ruby| match &node.kind {
        RubyKind::Call(call) => call.arguments.iter().any(|one| match &one.kind {
            RubyKind::Constant { path, .. } => path.ends_with("IrreversibleMigration"),
            RubyKind::Call(made) => matches!(
                made.receiver.as_ref().map(|one| &one.kind),
                Some(RubyKind::Constant { path, .. }) if path.ends_with("IrreversibleMigration")
            ),
            _ => false,
        }),
        _ => false,
    };
    let Some((_, down)) = down(migration) else { return false };
    let mut found = down.body.iter().any(raises);
    walk(&down.body, &mut |node| found |= raises(node) && irreversible(node));
    found
}

/// The down is written, and empty.
pub(super) fn empty_down(migration: &Migration) -> Option<Empty> {
    let (file, down) = down(migration).filter(|(_, down)| down.body.is_empty())?;
    let is_inside = file.comments.iter().any(|comment| down.span.contains(comment.span));
    Some(if is_inside { Empty::Explained } else { Empty::Bare })
}

/// The method, and the file that it stands in.
fn down(migration: &Migration) -> Option<(&RubyFile, &RubyMethod)> {
    let mut nodes = migration.down.iter().flat_map(|down| &down.nodes);
    let file = nodes.find_map(|node| match node {
        Node::Ruby(script) => Some(&script.file),
        _ => None,
    })?;
    let (mut found, mut changes) = (None, false);
    walk(&file.body, &mut |node| {
        if let RubyKind::Method(method) = &node.kind {
            changes |= &*method.name == "change";
            if &*method.name == "down" {
                found = Some(&**method);
            }
        }
    });
    // Beside a `change` Active Record calls no `down`.
    Some((file, found.filter(|_| !changes)?))
}
