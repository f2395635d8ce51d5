//! What names and literals mean: folding, doubled quotes, escapes. Decoded text leads back to its bytes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::lexer::{Kind, Token};
use crate::operation::Ident;
use crate::source::{Piece, PieceBuilder};

/// A part of a literal: text as it stands, or what an escape at an offset stands for.
enum Chunk<'a> {
    Plain(Range<usize>),
    Meant(&'a str, usize),
}

/// The name a word or a quoted identifier stands for. Only ASCII is folded, as PostgreSQL does in UTF-8.
pub fn ident(text: &str, token: Token, escape: char) -> Ident {
    let written = token.text(text);
    match token.kind {
        Kind::Quoted | Kind::UnicodeQuoted => Ident::new(decoded(text, token, escape)),
        _ if written.bytes().any(|byte| byte.is_ascii_uppercase()) => Ident::new(written.to_ascii_lowercase()),
        _ => Ident::new(written),
    }
}

/// The value of one literal or quoted name.
pub fn decoded(text: &str, token: Token, escape: char) -> Cow<'_, str> {
    let inner = inner(text, token);
    let plain = match token.kind {
        Kind::EscapeString => !text[inner.clone()].contains(['\\', '\'']),
        Kind::UnicodeString | Kind::UnicodeQuoted => !text[inner.clone()].contains([escape, '\'', '"']),
        Kind::String => !text[inner.clone()].contains('\''),
        Kind::Quoted => !text[inner.clone()].contains('"'),
        _ => true,
    };
    if plain {
        return Cow::Borrowed(&text[inner]);
    }
    let mut value = String::with_capacity(inner.len());
    chunks(text, token, escape, &mut |chunk| match chunk {
        Chunk::Plain(range) => value.push_str(&text[range]),
        Chunk::Meant(meant, _) => value.push_str(meant),
    });
    Cow::Owned(value)
}

/// The value of adjacent literals, which are one.
pub fn value(text: &str, tokens: &[Token], escape: char) -> Arc<str> {
    match tokens {
        [one] => decoded(text, *one, escape).into(),
        many => many.iter().map(|token| decoded(text, *token, escape)).collect::<String>().into(),
    }
}

/// The value of adjacent literals as a text to read on its own.
pub fn piece(from: &Piece, tokens: &[Token], escape: char) -> Piece {
    if let [token @ Token { kind: Kind::Dollar, .. }] = tokens {
        return from.part(inner(from.text(), *token));
    }
    let mut builder = PieceBuilder::new(from.source());
    for token in tokens {
        chunks(from.text(), *token, escape, &mut |chunk| match chunk {
            Chunk::Plain(range) => builder.copy(from, range),
            Chunk::Meant(meant, at) => builder.substitute(meant, from.span(at..at).start),
        });
    }
    builder.finish()
}

/// What stands between the quotes.
pub fn inner(text: &str, token: Token) -> Range<usize> {
    let (start, end) = (token.start as usize, token.end as usize);
    let written = &text[start..end];
    let (head, tail) = match token.kind {
        Kind::Dollar => {
            let tag = written[1..].find('$').map_or(1, |at| at + 2);
            (tag, tag)
        }
        Kind::Quoted | Kind::UnicodeQuoted => (written.find('"').map_or(0, |at| at + 1), 1),
        Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::BitString => {
            (written.find('\'').map_or(0, |at| at + 1), 1)
        }
        _ => (0, 0),
    };
    start + head..(end - tail).max(start + head)
}

fn chunks(text: &str, token: Token, escape: char, emit: &mut dyn FnMut(Chunk<'_>)) {
    let range = inner(text, token);
    match token.kind {
        Kind::String => doubled(text, range, b'\'', emit),
        Kind::Quoted => doubled(text, range, b'"', emit),
        Kind::EscapeString => backslashes(text, range, emit),
        Kind::UnicodeString => unicode(text, range, escape, b'\'', emit),
        Kind::UnicodeQuoted => unicode(text, range, escape, b'"', emit),
        _ => emit(Chunk::Plain(range)),
    }
}

fn doubled(text: &str, range: Range<usize>, quote: u8, emit: &mut dyn FnMut(Chunk<'_>)) {
    let mut from = range.start;
    let mut at = range.start;
    let bytes = text.as_bytes();
    while at < range.end {
        if bytes[at] == quote {
            emit(Chunk::Plain(from..at + 1));
            at += 1;
            from = at + 1;
        }
        at += 1;
    }
    if from < range.end {
        emit(Chunk::Plain(from..range.end));
    }
}

fn backslashes(text: &str, range: Range<usize>, emit: &mut dyn FnMut(Chunk<'_>)) {
    let bytes = text.as_bytes();
    let (mut from, mut at) = (range.start, range.start);
    while at < range.end {
        let (meant, length) = match bytes[at] {
            b'\'' => ("'".to_owned(), 2),
            b'\\' => escaped(&text[at..range.end]),
            _ => {
                at += 1;
                continue;
            }
        };
        if from < at {
            emit(Chunk::Plain(from..at));
        }
        emit(Chunk::Meant(&meant, at));
        at += length;
        from = at;
    }
    if from < range.end {
        emit(Chunk::Plain(from..range.end));
    }
}

/// What the escape at the start of `text` stands for, and its length.
fn escaped(text: &str) -> (String, usize) {
    let mut characters = text.chars().skip(1);
    let Some(first) = characters.next() else { return (String::new(), 1) };
    match first {
        'b' => ("\u{8}".into(), 2),
        'f' => ("\u{c}".into(), 2),
        'n' => ("\n".into(), 2),
        'r' => ("\r".into(), 2),
        't' => ("\t".into(), 2),
        'x' if text[2..].starts_with(|next: char| next.is_ascii_hexdigit()) => bytes_escaped(text),
        '0'..='7' => bytes_escaped(text),
        'u' => code_point(text, 2, 4, "\\u").unwrap_or((first.into(), 2)),
        'U' => code_point(text, 2, 8, "\\U").unwrap_or((first.into(), 2)),
        other => (other.into(), 1 + other.len_utf8()),
    }
}

/// A row of `\xHH` and `\ooo`: bytes, which together are UTF-8.
fn bytes_escaped(text: &str) -> (String, usize) {
    let mut bytes = Vec::new();
    let mut at = 0;
    while text[at..].starts_with('\\') {
        let hex = text[at + 1..].starts_with('x');
        let from = at + 1 + usize::from(hex);
        let is_digit = |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { (b'0'..=b'7').contains(byte) };
        let most = if hex { 2 } else { 3 };
        let length = text.as_bytes()[from..].iter().take(most).take_while(|byte| is_digit(byte)).count();
        if length == 0 {
            break;
        }
        let radix = if hex { 16 } else { 8 };
        bytes.push(u32::from_str_radix(&text[from..from + length], radix).unwrap_or(0) as u8);
        at = from + length;
    }
    (String::from_utf8_lossy(&bytes).into_owned(), at)
}

/// `digits` hexadecimal digits from `from` on; a high surrogate takes its low one along.
fn code_point(text: &str, from: usize, digits: usize, mark: &str) -> Option<(String, usize)> {
    let hex = |from: usize| {
        let written = text.get(from..from + digits)?;
        written.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(written, 16).ok())?
    };
    let first = hex(from)?;
    let end = from + digits;
    if (0xD800..0xDC00).contains(&first) && text[end..].starts_with(mark) {
        let low = hex(end + mark.len()).filter(|low| (0xDC00..0xE000).contains(low));
        if let Some(low) = low {
            let code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            return Some((char::from_u32(code)?.into(), end + mark.len() + digits));
        }
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER).into(), end))
}

fn unicode(text: &str, range: Range<usize>, escape: char, quote: u8, emit: &mut dyn FnMut(Chunk<'_>)) {
    let (mut from, mut at) = (range.start, range.start);
    let double = format!("{escape}{escape}");
    let (short, long) = (escape.to_string(), format!("{escape}+"));
    while let Some(next) = text[at..range.end].chars().next() {
        let rest = &text[at..range.end];
        let (meant, length) = if next == char::from(quote) {
            (next.to_string(), 2)
        } else if next != escape {
            at += next.len_utf8();
            continue;
        } else if rest.starts_with(&double) {
            (short.clone(), double.len())
        } else {
            let point = if rest.starts_with(&long) {
                code_point(rest, long.len(), 6, &long)
            } else {
                code_point(rest, short.len(), 4, &short)
            };
            point.unwrap_or((short.clone(), short.len()))
        };
        if from < at {
            emit(Chunk::Plain(from..at));
        }
        emit(Chunk::Meant(&meant, at));
        at += length;
        from = at;
    }
    if from < range.end {
        emit(Chunk::Plain(from..range.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::sql::lexer::Lexer;
    use crate::source::Sources;

    fn value_of(text: &str) -> String {
        let token = Lexer::new(text).next().unwrap();
        decoded(text, token, '\\').into_owned()
    }

    #[test]
    fn literals_mean() {
        for (text, meant) in [
            ("'a''b'", "a'b"),
            ("''''", "'"),
            (r"E'a\'b\n\\'", "a'b\n\\"),
            (r"E'\xC3\xA9\101'", "éA"),
            (r"E'\uD83D\uDE00'", "😀"),
            (r"E'\uD83D'", "\u{FFFD}"),
            (r"E'\xZZ\u12'", "xZZu12"),
            (r"U&'\0041\+01F600\\'", "A😀\\"),
            (r"U&'d\D83D\DE00'", "d😀"),
            ("$x$a$b$x$", "a$b"),
            ("$$$$", ""),
            ("X'1F'", "1F"),
            ("N'é'", "é"),
            ("\"a\"\"b\"", "a\"b"),
        ] {
            assert_eq!(value_of(text), meant, "{text}");
        }
    }

    #[test]
    fn decoded_text_leads_back() {
        let text = r"E'a\n''b' 'x''y'";
        let mut sources = Sources::default();
        let id = sources.add("a.sql", text);
        let file = sources.piece(id);
        let tokens: Vec<Token> = Lexer::new(text).collect();
        let read = piece(&file, &tokens[..1], '\\');
        assert_eq!(read.text(), "a\n'b");
        assert_eq!(read.span(3..4).start, text.find('b').unwrap() as u32);
        let read = piece(&file, &tokens[1..], '\\');
        assert_eq!(read.text(), "x'y");
        assert_eq!(read.span(2..3).start, text.find('y').unwrap() as u32);
    }
}
