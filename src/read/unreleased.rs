//! What comments say of the databases: that no production has them yet, or that none keeps what it holds.

use crate::operation::Comment;
use crate::source::Span;

/// In small letters, with one blank for each stretch of blanks and hyphens.
const SAYS: &[&str] = &[
    "pre go live",
    "before go live",
    "before going live",
    "not gone live",
    "not live yet",
    "not yet live",
    "isn't live yet",
    "pre launch",
    "prior to launch",
    "not in production yet",
    "not yet in production",
    "nothing in production yet",
    "isn't in production yet",
    "never been in production",
    "no production data",
    "no prod data",
    "no live data",
    "no data preserved",
    "no data is preserved",
    "not been released yet",
    "not yet been released",
    "hasn't been released yet",
    "not released yet",
    "not yet released",
    "not been deployed",
    "hasn't been deployed",
    "not deployed yet",
    "not yet deployed",
    "never deployed",
    "never been deployed",
];

/// A header is short.
const CAP: usize = 4 * 1024;

/// The first comment of a migration that says so; a sentence may go on in the next line.
pub fn said(comments: &[Comment]) -> Option<Span> {
    let mut before = String::new();
    comments.iter().find_map(|comment| {
        let own = words(&comment.text);
        let found = says(&own) || says(&format!("{before} {own}"));
        before = own;
        found.then_some(comment.span)
    })
}

/// The line, counted from 1, of the comment at the head of a text of SQL that says so.
pub fn said_at_head(text: &str) -> Option<u32> {
    let (mut before, mut in_block) = (String::new(), false);
    for (at, line) in text.get(..CAP).unwrap_or(text).lines().enumerate() {
        let line = line.trim();
        in_block |= line.starts_with("/*");
        if !in_block && !line.is_empty() && !line.starts_with("--") {
            return None;
        }
        in_block &= !line.contains("*/");
        let own = words(line);
        if says(&own) || says(&format!("{before} {own}")) {
            return Some(at as u32 + 1);
        }
        before = own;
    }
    None
}

fn says(words: &str) -> bool {
    SAYS.iter().any(|one| words.contains(one))
}

fn words(text: &str) -> String {
    let text = text.to_lowercase().replace('’', "'");
    let words = text.split(|one: char| !one.is_alphanumeric() && one != '\'' && one != '.');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_that_nothing_is_live() {
        for text in [
            "-- Replaces V001 to V135.\n-- Pre-go-live: no data preserved.\nCREATE TABLE a ();",
            "/*\n * This service is not in\n * production yet.\n */\nCREATE TABLE a ();",
            "-- Hasn’t been deployed anywhere\n",
        ] {
            assert!(said_at_head(text).is_some(), "{text}");
        }
        for text in [
            "-- Keeps all data.\nCREATE TABLE a ();",
            "CREATE TABLE a ();\n-- not in production yet",
            "-- Deployed to production in May. Not in use.",
            "-- The live data go to b.",
            "-- Waits while the lock has not been released.",
        ] {
            assert_eq!(said_at_head(text), None, "{text}");
        }
    }
}
