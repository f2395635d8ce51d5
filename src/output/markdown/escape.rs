//! Text from inputs inside Markdown and the HTML that forges allow in it.

use std::fmt::Write;

use super::super::text::{visible, visible_lines, without_commands};

/// Words as they are, except those that a forge could act on, and what stands between backticks: these become code.
pub(super) fn prose(text: &str) -> String {
    let text = visible(text);
    let mut parts = Vec::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            parts.push(code(part));
            continue;
        }
        let words: Vec<String> = part.split(' ').map(word).collect();
        parts.push(words.join(" "));
    }
    parts.concat()
}

fn word(word: &str) -> String {
    if is_harmless(word) { word.to_owned() } else { code(word) }
}

/// No reference, mention, link, address, emphasis, tag, entity or commit.
fn is_harmless(word: &str) -> bool {
    let inner = word.trim_matches(['(', ')', ',', ';', ':', '.', '?', '"', '\'']);
    let plain = |character: char| {
        character.is_alphabetic() && !character.is_ascii()
            || character.is_ascii_alphanumeric()
            || matches!(character, '→' | '—' | '–' | '…' | '’' | '\'' | '"' | '/' | '-' | '(' | ')')
    };
    let is_commit = inner.len() >= 7 && inner.chars().all(|character| character.is_ascii_hexdigit());
    // `GH-12`, `PROJECT-12`: trackers that a forge is connected with.
    let is_ticket =
        inner.split_once('-').is_some_and(|(_, number)| number.starts_with(|one: char| one.is_ascii_digit()));
    inner.chars().all(plain) && !inner.starts_with('/') && !is_commit && !is_ticket
}

/// `<code>`, in which forges look for nothing. All signs that Markdown or a forge could read by number.
pub(super) fn code(text: &str) -> String {
    let mut escaped = String::from("<code>");
    let text = visible(text);
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // Inside of a word an underscore is no emphasis (CommonMark, 6.2).
        let in_word = before.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric());
        before = character;
        let is_plain = character.is_alphanumeric() || matches!(character, ' ' | ',' | '/' | '-');
        if is_plain || (in_word && matches!(character, '_' | '.') && !escaped.ends_with("www")) {
            escaped.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "&#{};", character as u32);
        }
    }
    escaped.push_str("</code>");
    escaped
}

/// A fence longer than any in the text.
pub(super) fn fenced(text: &str, language: &str) -> String {
    let text = visible_lines(text);
    let text = without_commands(&text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(usize::max(3, longest + 1));
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_forge_acts_on_become_code() {
        assert_eq!(prose("writes to `a_b` fail: (only new ones)"), "writes to <code>a_b</code> fail: (only new ones)");
        for hostile in
            ["@me", "#1", "!2", "GH-3", "deadbeef1", "www.x.y", "https://x", "*a*", "<b>", "&lt;", "[a](b)", "/close"]
        {
            let shown = prose(&format!("closes {hostile}, now"));
            assert!(shown.starts_with("closes <code>") && shown.ends_with("</code> now"), "{shown}");
            assert!(!shown.replace(&code(&format!("{hostile},")), "").contains(hostile), "{shown}");
        }
        assert_eq!(prose("a`b"), "a<code>b</code>");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("a ``` b\n````\n@x", "sql"), "`````sql\na ``` b\n````\n@x\n`````\n");
    }
}
