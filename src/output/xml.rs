//! Text inside XML. Characters that XML cannot hold were made visible before.

use super::text::{visible, visible_lines};

/// The value of an attribute, on one line.
pub(super) fn attribute(text: &str) -> String {
    escaped(&visible(text))
}

/// The text of an element.
pub(super) fn content(text: &str) -> String {
    // No line of a log that this is printed to may be a command of GitHub's runner.
    let line = |line: &str| {
        let escaped = escaped(line);
        if escaped.trim_start().starts_with("::") { escaped.replacen("::", "&#58;:", 1) } else { escaped }
    };
    visible_lines(text).lines().map(line).collect::<Vec<_>>().join("\n")
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
            // A tab in an attribute would be read as a space.
            '\t' => escaped.push_str("&#9;"),
            // No character of XML 1.0.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped.replace("##[", "#&#35;[")
}
