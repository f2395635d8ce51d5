//! Text from inputs inside of HTML: characters by number, nothing that hides or moves, never a name in an id or a class.

use super::super::text::{visible, visible_lines};

/// One line of text.
pub(super) fn text(text: &str) -> String {
    escaped(&visible(text))
}

/// Several lines, for `<pre>`.
pub(super) fn lines(text: &str) -> String {
    escaped(&visible_lines(text))
}

/// Words; what stands between backticks is code.
pub(super) fn prose(words: &str) -> String {
    let mut parts = String::new();
    for (at, part) in words.split('`').enumerate() {
        if at % 2 == 1 {
            parts.push_str(&format!("<code>{}</code>", text(part)));
        } else {
            parts.push_str(&text(part));
        }
    }
    parts
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped.replace("##[", "#&#35;[")
}
