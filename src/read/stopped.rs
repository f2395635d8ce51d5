//! What the comment at the head of a migration says of the application: that it is stopped while the migration runs.
//! Read strictly: the sentence is about this migration, and nothing in it doubts, denies or conditions.

use crate::operation::Comment;
use crate::source::Span;

/// Words that turn a sentence into another one, or leave it open.
const DOUBTS: &[&str] = &[
    "not",
    "no",
    "none",
    "never",
    "nor",
    "cannot",
    "without",
    "zero",
    "non",
    "avoid",
    "avoids",
    "avoiding",
    "avoided",
    "prevent",
    "prevents",
    "preventing",
    "minimize",
    "minimise",
    "reduce",
    "reduces",
    "unless",
    "if",
    "whether",
    "instead",
    "rather",
    "risk",
    "risks",
    "cause",
    "causes",
    "caused",
    "causing",
    "may",
    "might",
    "can",
    "could",
    "would",
    "or",
    "except",
    "unlike",
    "previously",
    "formerly",
    "ideally",
    "preferably",
    "optionally",
    "optional",
    "was",
    "were",
    "less",
    "little",
];

/// What may stand before the verb: the migration itself, and what urges.
const HEAD: &[&str] = &[
    "important",
    "note",
    "warning",
    "attention",
    "nb",
    "caution",
    "danger",
    "please",
    "only",
    "this",
    "the",
    "migration",
    "script",
    "file",
    "change",
    "it",
    "is",
    "must",
    "should",
    "shall",
    "has",
    "have",
    "needs",
    "to",
    "be",
    "always",
    "and",
    "also",
    "meant",
    "intended",
    "designed",
    "supposed",
    "safe",
    "which",
    "that",
    "expected",
];

const RUNS: &[&str] =
    &["run", "runs", "running", "apply", "applied", "applies", "execute", "executed", "executes", "deploy", "deployed"];
const ASKS: &[&str] = &["requires", "require", "needs", "need", "expects", "assumes", "presupposes", "demands"];
const FILLERS: &[&str] = &[
    "a",
    "an",
    "the",
    "our",
    "its",
    "all",
    "this",
    "it",
    "migration",
    "script",
    "file",
    "only",
    "manually",
    "by",
    "hand",
    "full",
    "short",
    "brief",
    "scheduled",
    "planned",
    "announced",
    "complete",
    "web",
    "and",
    "every",
    "old",
    "running",
    "production",
    "that",
];
const DURING: &[&str] = &["during", "in", "within", "inside", "under", "with"];
const WHILE: &[&str] = &["while", "with", "when", "after", "once"];
const APPLICATION: &[&str] = &[
    "app",
    "apps",
    "application",
    "applications",
    "server",
    "servers",
    "service",
    "services",
    "site",
    "website",
    "api",
    "backend",
    "backends",
    "instances",
    "everything",
];
/// Beside the application; without it they are a part of what runs.
const WORKERS: &[&str] = &["worker", "workers", "jobs", "queue", "queues", "sidekiq", "cron", "frontend"];
const STOPPED: &[&str] = &["stopped", "paused", "halted", "down", "offline", "shut", "quiesced"];
const STOPPING: &[&str] = &["stop", "stopping", "pause", "pausing", "halt", "halting"];

/// A header is short.
const CAP: usize = 16 * 1024;

/// The comment above everything else in a file (`until` its first statement) that says it.
pub fn said(comments: &[Comment], until: Span) -> Option<Span> {
    let is_above = |one: &&Comment| one.span.source == until.source && one.span.end <= until.start;
    let mut sentences = Sentences::default();
    let mut read = 0;
    for comment in comments.iter().filter(is_above) {
        read += comment.text.len();
        if read > CAP {
            break;
        }
        for line in comment.text.trim_start_matches("/*").trim_end_matches("*/").lines() {
            sentences.line(line, comment.span);
        }
    }
    sentences.end();
    sentences.found
}

/// Sentences of neighbouring lines; the first that says it.
#[derive(Default)]
struct Sentences {
    open: Option<(String, Span)>,
    found: Option<Span>,
}

impl Sentences {
    fn line(&mut self, line: &str, span: Span) {
        let text = line.trim_start().trim_start_matches("--").trim_start_matches(['#', '*']).trim();
        let is_item = text.starts_with(['-', '*', '+', '=']) || text.starts_with(|one: char| one.is_ascii_digit());
        if text.is_empty() || is_item {
            self.end();
        }
        let mut rest = text;
        while let Some(at) = rest.find(['.', ';', '!', '?']) {
            let (sentence, more) = (&rest[..at], &rest[at + 1..]);
            if !more.is_empty() && !more.starts_with(char::is_whitespace) {
                // `item.js`, `1.2`
                let word = more.find(char::is_whitespace).unwrap_or(more.len());
                self.add(&rest[..at + 1 + word], span);
                rest = &more[word..];
                continue;
            }
            self.add(sentence, span);
            if rest[at..].starts_with('?') {
                self.open = None;
            }
            self.end();
            rest = more;
        }
        self.add(rest, span);
    }

    fn add(&mut self, text: &str, span: Span) {
        let (open, _) = self.open.get_or_insert_with(|| (String::new(), span));
        open.push(' ');
        open.push_str(text);
    }

    fn end(&mut self) {
        if let Some((sentence, span)) = self.open.take()
            && self.found.is_none()
            && says(&sentence)
        {
            self.found = Some(span);
        }
    }
}

/// One sentence says that the application stands still while this migration runs.
fn says(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|one: char| !one.is_alphanumeric() && one != '\'' && one != '’');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let doubts = |word: &String| DOUBTS.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n’t");
    if words(&lower).iter().any(doubts) {
        return false;
    }
    // `IMPORTANT: run …`
    lower.split(':').any(|clause| {
        let words = words(clause);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        (0..words.len())
            .take_while(|at| words[..*at].iter().all(|word| HEAD.contains(word)))
            .any(|at| clause_at(&words[at..]))
    })
}

/// The verb and what follows it.
fn clause_at(words: &[&str]) -> bool {
    let Some((verb, rest)) = words.split_first() else { return false };
    let is_asked = |after: &[&str]| matches!(after, ["required" | "needed" | "necessary"]);
    if RUNS.contains(verb) {
        let rest = skip(rest, FILLERS);
        return match rest.split_first() {
            Some((word, after)) if DURING.contains(word) && window(skip(after, FILLERS)).is_some() => true,
            Some((word, after)) if WHILE.contains(word) => is_stopped(after) || stops(after).is_some(),
            _ => false,
        };
    }
    if ASKS.contains(verb) {
        return window(skip(rest, FILLERS)).is_some() || is_stopped(rest);
    }
    if let Some(rest) = stops(words) {
        // `Stop the server before running this`
        return rest.first() == Some(&"before") && rest.get(1).is_some_and(|verb| RUNS.contains(verb));
    }
    // `Maintenance window required`
    window(skip(words, FILLERS)).is_some_and(|after| is_asked(skip(after, &["is"])))
}

fn skip<'a, 'w>(words: &'a [&'w str], fillers: &[&str]) -> &'a [&'w str] {
    let filled = words.iter().take_while(|word| fillers.contains(word)).count();
    &words[filled..]
}

/// What follows the name of a time in which nobody is served.
fn window<'a, 'w>(words: &'a [&'w str]) -> Option<&'a [&'w str]> {
    match words {
        ["maintenance", "window" | "mode" | "break" | "downtime", rest @ ..] | ["downtime" | "outage", rest @ ..] => {
            Some(rest)
        }
        ["down", "time", rest @ ..] => Some(rest),
        _ => None,
    }
}

/// What follows the application and what stands beside it.
fn application<'a, 'w>(words: &'a [&'w str]) -> Option<&'a [&'w str]> {
    let is_named = |word: &&&str| FILLERS.contains(*word) || APPLICATION.contains(*word) || WORKERS.contains(*word);
    let count = words.iter().take_while(is_named).count();
    words[..count].iter().any(|word| APPLICATION.contains(word)).then(|| &words[count..])
}

/// `the app is stopped`, `all servers to be shut down`.
fn is_stopped(words: &[&str]) -> bool {
    let Some(rest) = application(words) else { return false };
    match skip(rest, &["is", "are", "being", "to", "be", "has", "have", "been", "fully", "completely", "scaled"]) {
        ["shut", next, ..] => *next == "down",
        [word, ..] => STOPPED.contains(word),
        [] => false,
    }
}

/// What follows `stopping the application`.
fn stops<'a, 'w>(words: &'a [&'w str]) -> Option<&'a [&'w str]> {
    match words {
        ["shut" | "shutting", "down", rest @ ..] => application(rest),
        [verb, rest @ ..] if STOPPING.contains(verb) => application(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn is_said(text: &str) -> bool {
        let mut sources = Sources::default();
        let source = sources.add("1.sql", text);
        let mut start = 0;
        let mut comments = Vec::new();
        for line in text.lines() {
            let span = Span { source, start, end: start + line.len() as u32 };
            start = span.end + 1;
            comments.push(Comment { span, text: line.into() });
        }
        said(&comments, Span { source, start, end: start + 1 }).is_some()
    }

    #[test]
    fn a_stopped_application_is_said_in_many_ways() {
        for text in [
            "-- IMPORTANT: run during full maintenance window (app + workers paused).",
            "-- Merges two columns. Must be run in maintenance mode.",
            "-- This migration requires downtime.",
            "-- Requires a scheduled\n-- maintenance window; see the notes",
            "# To be run while the app is stopped",
            "-- Run this migration with all servers shut down.",
            "-- This script must be executed after stopping the application",
            "-- Stop the server and workers before running this.",
            "-- NOTE: Maintenance window required!",
            "-- Needs the application to be stopped",
            "-- Apply only once the web application and workers are offline",
        ] {
            assert!(is_said(text), "{text}");
        }
    }

    #[test]
    fn what_denies_doubts_or_means_another_thing_does_not_say_it() {
        for text in [
            "-- Run with zero downtime.",
            "-- Does not require a maintenance window.",
            "-- Doesn't need downtime",
            "-- This can be run during a maintenance window or at night.",
            "-- If the table is large: run during a maintenance window.",
            "-- Set this constant to true if this migration requires downtime.",
            "-- Cleanup jobs run during the maintenance window.",
            "-- Adds the time of the next maintenance window.",
            "-- Rename table, will cause a downtime as it needs to be locked",
            "-- To be applied after the release to minimize ingestion downtime",
            "-- Run while the server is up",
            "-- Run with workers paused",
            "-- Run after the application is deployed",
            "-- Needs downtime?",
            "-- maintenance window",
            "-- Run in batches. Downtime is short.",
            "-- 1. Run\n-- 2. Maintenance window required by law for the archive",
        ] {
            assert!(!is_said(text), "{text}");
        }
    }
}
