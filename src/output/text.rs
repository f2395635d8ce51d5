//! Text from inputs, made safe to show: nothing in a file may move a cursor, recolour or reorder a line.

use std::borrow::Cow;
use std::fmt::Write;

use crate::rails::active_record;

/// One line: line breaks and every character that a terminal acts on, or that hides, become visible.
pub fn visible(text: &str) -> Cow<'_, str> {
    let printable = |byte: u8| matches!(byte, b' '..=b'~');
    if text.bytes().all(printable) || text.chars().all(is_inert) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            _ if is_inert(character) => shown.push(character),
            // The pictures of the C0 controls stand in their order from U+2400 on.
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => shown.push('\u{2421}'),
            // Writing to a String cannot fail.
            _ => drop(write!(shown, "<U+{:04X}>", character as u32)),
        }
    }
    Cow::Owned(shown)
}

/// Several lines: as [`visible`], but line breaks (`\n`, `\r\n`) stay.
pub fn visible_lines(text: &str) -> String {
    let lines: Vec<Cow<str>> = text.lines().map(visible).collect();
    lines.join("\n")
}

/// GitHub's runner obeys lines of a log that begin with `::`, and `##[` wherever it stands: a name must not.
pub(super) fn without_commands(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::");
    if !text.contains("##[") && !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        let line = line.replace("##[", "#<U+0023>[");
        if is_command(&line) { line.replacen("::", "<U+003A>:", 1) } else { line }
    };
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

/// Shown as it is by every terminal, in its place.
pub(super) fn is_inert(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{8}' | '\n'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator: not shown.
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        // Zero widths and marks, separators, embeddings and overrides, isolates, byte order mark, tags.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Breaks prose at spaces. Words longer than a line stay whole.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

/// As [`wrap`], but lines that read as code are left alone; a comment goes on as a comment.
pub(super) fn wrap_around_code(text: &str, width: usize) -> String {
    let line = |line: &str| {
        let mark = ["-- ", "# "].into_iter().find(|mark| line.starts_with(mark));
        match mark.map(|mark| (mark, &line[mark.len()..])) {
            // What plimsoll is to read stays in one line.
            Some((mark, comment)) if !comment.starts_with("plimsoll:") => {
                let wrapped = wrap_line(comment, width.saturating_sub(mark.len()));
                wrapped.split('\n').map(|part| format!("{mark}{part}")).collect()
            }
            _ if reads_as_code(line) => vec![line.to_owned()],
            _ => vec![wrap_line(line, width)],
        }
    };
    let lines: Vec<String> = text.lines().flat_map(line).collect();
    lines.join("\n")
}

/// Advice: words, or code in a language that forges and editors know by this word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Advice {
    Words(String),
    Code(&'static str, String),
}

/// What an advice is. Comments alone are words: nobody pastes them, but for what plimsoll reads.
pub(super) fn advice(text: &str) -> Advice {
    let comment = |line: &str| line.strip_prefix("-- ").or(line.strip_prefix("# ")).map(str::to_owned);
    let directive = text.contains(" plimsoll:");
    if !directive && let Some(words) = text.lines().map(comment).collect::<Option<Vec<String>>>() {
        return Advice::Words(words.join("\n"));
    }
    let mut lines = text.lines();
    let language = if lines.any(|line| line.starts_with('[') && line.ends_with(']')) {
        "toml"
    } else if text.starts_with("# ") || text.lines().any(reads_as_ruby) {
        "ruby"
    } else if text.lines().any(reads_as_code) {
        "sql"
    } else {
        return Advice::Words(text.to_owned());
    };
    Advice::Code(language, text.to_owned())
}

fn wrap_line(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut wrapped = String::with_capacity(line.len() + 8);
    let mut column = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// A line of SQL or Ruby to be pasted: breaking it could change a literal.
fn reads_as_code(line: &str) -> bool {
    const VERBS: &[&str] = &[
        "ALTER", "BEGIN", "CALL", "COMMIT", "CREATE", "DELETE", "DO", "DROP", "FROM", "INSERT", "LOCK", "ON",
        "REINDEX", "SELECT", "SET", "TRUNCATE", "UPDATE", "WHERE", "WITH",
    ];
    let first = line.split([' ', ';']).next().unwrap_or_default();
    line.starts_with([' ', '\t'])
        || line.ends_with(';')
        || line.starts_with("--")
        || VERBS.contains(&first)
        || reads_as_ruby(line)
}

/// A call of a migration's.
fn reads_as_ruby(line: &str) -> bool {
    let call = line.split_once(' ').map_or("", |(call, _)| call);
    call == "transaction" || active_record::is_known(call)
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        assert_eq!(visible("plain\tütf"), "plain\tütf");
        assert_eq!(visible("a\u{1b}[31m\r\n"), "a␛[31m␍␊");
        assert_eq!(visible("\u{9b}31m\u{202e}x\u{7f}"), "<U+009B>31m<U+202E>x␡");
        assert_eq!(visible_lines("a\r\nb\u{8}"), "a\nb␈");
    }

    #[test]
    fn lines_of_a_log_are_no_commands() {
        assert_eq!(without_commands("a :: b\n  ::set-x::y\n"), "a :: b\n  <U+003A>:set-x::y\n");
        assert_eq!(without_commands("x ##[error]y"), "x #<U+0023>[error]y");
    }

    #[test]
    fn prose_breaks_and_code_does_not() {
        assert_eq!(wrap("one two three\nfour", 8), "one two\nthree\nfour");
        assert_eq!(wrap_around_code("SELECT 'one two three';", 8), "SELECT 'one two three';");
        assert_eq!(wrap("SELECT → one → two", 8), "SELECT →\none →\ntwo");
        assert_eq!(wrap("überlanges-wort x", 4), "überlanges-wort\nx");
        assert_eq!(wrap_around_code("-- one two three\nSET a;", 10), "-- one two\n-- three\nSET a;");
        assert_eq!(wrap_around_code("# one two three\nadd_index :a, :b", 10), "# one two\n# three\nadd_index :a, :b");
        assert_eq!(wrap_around_code("-- plimsoll:fact a b", 10), "-- plimsoll:fact a b");
    }

    #[test]
    fn advice_is_words_or_code_of_a_language() {
        let words = |text: &str| Advice::Words(text.to_owned());
        assert_eq!(advice("finish it first"), words("finish it first"));
        assert_eq!(advice("-- finish it\n-- first"), words("finish it\nfirst"));
        assert_eq!(advice("# say both ways"), words("say both ways"));
        for (language, text) in [
            ("sql", "-- first\nDROP INDEX x;"),
            ("sql", "Fill it first, then:\nVACUUM x;"),
            ("sql", "-- plimsoll:allow drop-column: why"),
            ("ruby", "add_index :a, :b\n# then\nexecute \"VACUUM\""),
            ("ruby", "# before:\nself.ignored_columns += [\"a\"]"),
            ("toml", "# declare it\n[helper.x]\ndoes = \"\""),
        ] {
            assert_eq!(advice(text), Advice::Code(language, text.to_owned()));
        }
    }
}
