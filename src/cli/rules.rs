//! `explain` and `rules`: the catalogue for readers.

use std::fmt::Write;

use serde::Serialize;

use super::arguments::RulesFormat;
use super::{Console, Outcome};
use crate::error::Error;
use crate::output::{rule_url, visible};
use crate::rules::page::Page;
use crate::rules::{BUILT_IN, Rule};

/// A rule by its id; the error suggests the nearest ones.
pub(super) fn find(id: &str) -> Result<&'static Rule, Error> {
    let Some(rule) = Rule::find(id) else {
        let message = format!("no rule is called `{}`", visible(id));
        return Err(Error::Usage { message, help: suggestion(id) });
    };
    Ok(rule)
}

fn suggestion(id: &str) -> String {
    let mut near: Vec<(usize, &str)> =
        BUILT_IN.iter().map(|rule| (strsim::damerau_levenshtein(id, rule.id), rule.id)).collect();
    near.retain(|(distance, rule)| *distance <= 3 || (id.len() > 3 && rule.contains(id)));
    near.sort();
    let near: Vec<String> = near.iter().take(3).map(|(_, id)| format!("`{id}`")).collect();
    match near.is_empty() {
        true => "`plimsoll rules` lists all".to_owned(),
        false => format!("did you mean {}?", near.join(" or ")),
    }
}

/// Prints a rule's page: its settings as one line, then the prose and the examples as they are written.
pub(super) fn explain(id: &str, console: &mut Console<'_>) -> Outcome {
    let page = find(id)?.page();
    let mut text = format!("{}: {}\n{}, since {}", page.id, page.summary, page.severity, page.since);
    if !page.tags.is_empty() {
        text.push_str(&format!(", {}", page.tags.join(", ")));
    }
    text.push_str(&format!("\n\n{}\n", page.prose()));
    if let Some(address) = rule_url(&page.id) {
        text.push_str(&format!("\n{address}\n"));
    }
    console.write(text.as_bytes())?;
    Ok(0)
}

#[derive(Serialize)]
struct Catalogue<'a> {
    version: u32,
    rules: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    severity: &'static str,
    summary: &'a str,
    since: &'a str,
    tags: &'a [String],
    url: Option<String>,
}

/// Lists all rules.
pub(super) fn list(format: RulesFormat, console: &mut Console<'_>) -> Outcome {
    let pages: Vec<&Page> = BUILT_IN.iter().map(Rule::page).collect();
    let text = match format {
        RulesFormat::Human => human(&pages),
        RulesFormat::Markdown => markdown(&pages),
        RulesFormat::Json => json(&pages)?,
    };
    console.write(text.as_bytes())?;
    Ok(0)
}

fn human(pages: &[&Page]) -> String {
    let widest = pages.iter().map(|page| page.id.len()).max().unwrap_or(0);
    pages.iter().fold(String::new(), |mut text, page| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:widest$}  {:7}  {}", page.id, page.severity.word(), page.summary);
        text
    })
}

/// The table of the README.
fn markdown(pages: &[&Page]) -> String {
    let mut text = "| rule | severity | finds |\n|---|---|---|\n".to_owned();
    for page in pages {
        let summary = page.summary.replace('|', "\\|");
        let _ = writeln!(text, "| [{0}](rules/{0}.md) | {1} | {summary} |", page.id, page.severity);
    }
    text
}

fn json(pages: &[&Page]) -> Result<String, Error> {
    let rules = pages.iter().map(|page| Row {
        id: &page.id,
        severity: page.severity.word(),
        summary: &page.summary,
        since: &page.since,
        tags: &page.tags,
        url: rule_url(&page.id),
    });
    let catalogue = Catalogue { version: 1, rules: rules.collect() };
    let text = serde_json::to_string_pretty(&catalogue);
    let text = text.map_err(|fault| Error::Io { path: "rules".to_owned(), reason: fault.to_string() })?;
    Ok(format!("{text}\n"))
}
