//! What a judged range changes of its own check: settings, and the allows and facts in the comments of its migrations.

use crate::finding::MigrationRef;
use crate::project::Project;
use crate::read::directives::Directives;
use crate::settings::AllowScope;
use crate::source::Span;

/// A sentence each; nothing where no base is known: then all is old, or all is new.
pub(super) fn changes<'a>(
    project: &Project,
    directives: impl Iterator<Item = (MigrationRef, &'a Directives)>,
) -> Vec<String> {
    if project.base.is_none() {
        return Vec::new();
    }
    let place = |span: Span| format!("{}:{}", project.sources.path(span.source), project.sources.start(span).line);
    let mut changes = project.changes.clone();
    for (at, directives) in directives {
        if !project.histories[at.history].migrations[at.migration].judged {
            continue;
        }
        for allow in &directives.allows {
            let scope = if allow.scope == AllowScope::File { "in the whole file" } else { "at one statement" };
            let reason = allow.reason.as_deref().unwrap_or("no reason given");
            changes.push(format!("{}: allows `{}` {scope}: {reason}", place(allow.span), allow.rule));
        }
        for fact in &directives.facts {
            let reason = fact.reason.as_deref().unwrap_or("no reason given");
            changes.push(format!("{}: states that `{}` is backfilled: {reason}", place(fact.span), fact.table));
        }
    }
    changes
}
