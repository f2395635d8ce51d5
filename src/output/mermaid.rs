//! Mermaid: labels that are inert, and the way of a write as a drawing.

use std::collections::BTreeMap;

use super::sections::link;
use super::text::visible;
use crate::finding::{Finding, LinkKind};

/// Forges refuse to draw much larger ones, and nobody reads them.
const NODES: usize = 40;

/// The ways that failing writes take: just the objects involved, each once. Empty where no finding has one.
pub(super) fn paths(findings: &[&Finding]) -> String {
    let mut ids: BTreeMap<(&'static str, &str), usize> = BTreeMap::new();
    let mut lines = vec!["flowchart LR".to_owned()];
    let mut drawn: Vec<(usize, usize)> = Vec::new();
    for finding in findings {
        let new = finding.chain.iter().filter(|one| !ids.contains_key(&(one.kind.word(), &*one.object))).count();
        if ids.len() + new > NODES {
            continue;
        }
        let mut before = None;
        for one in &finding.chain {
            let next = ids.len();
            let id = *ids.entry((one.kind.word(), &one.object)).or_insert_with(|| {
                lines.push(format!("  n{next}{}", shaped(one.kind, &entities(&link(one)))));
                next
            });
            if let Some(before) = before.replace(id)
                && before != id
                && !drawn.contains(&(before, id))
            {
                drawn.push((before, id));
                lines.push(format!("  n{before} --> n{id}"));
            }
        }
        // Where it fails: at the constraint, or at the end of the way.
        let at = finding.chain.iter().rfind(|one| one.kind == LinkKind::Constraint).or(finding.chain.last());
        if let Some(id) = at.and_then(|one| ids.get(&(one.kind.word(), &*one.object))) {
            lines.push(format!("  style n{id} fill:#ffd7d5,stroke:#cf222e,stroke-width:3px,color:#1f2328"));
        }
    }
    lines.dedup();
    if ids.is_empty() { String::new() } else { lines.join("\n") }
}

fn shaped(kind: LinkKind, text: &str) -> String {
    match kind {
        LinkKind::Write => format!("([\"{text}\"])"),
        LinkKind::Trigger => format!("{{{{\"{text}\"}}}}"),
        LinkKind::Function => format!("([\"{text}\"])"),
        LinkKind::Constraint => format!("[/\"{text}\"/]"),
        LinkKind::Table | LinkKind::Partition => format!("[\"{text}\"]"),
    }
}

/// Everything but letters, digits and a few harmless signs as Mermaid's numbered entities: labels are HTML to it.
pub(super) fn entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text).chars() {
        if character.is_alphanumeric() || " ._-,()".contains(character) {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("#{};", character as u32));
        }
    }
    escaped
}
