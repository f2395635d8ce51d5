//! Strings, symbols and regular expressions, each part with its places in the file.

use ruby_prism::{Location, Node, NodeList};

use super::Lower;
use crate::operation::{RubyKind, RubyPart};
use crate::source::{Piece, PieceBuilder};

impl Lower<'_> {
    pub(super) fn string(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(string) = node.as_string_node() {
            let raw = string.opening_loc().is_some_and(|opening| is_raw(&opening));
            self.reach(string.opening_loc(), string.closing_loc());
            let text = self.decoded(&string.content_loc(), string.unescaped(), raw);
            return Some(RubyKind::String(vec![RubyPart::Text(text)]));
        }
        if let Some(symbol) = node.as_symbol_node() {
            let text = self.decoded(&symbol.content_loc(), symbol.unescaped(), false);
            return Some(RubyKind::Symbol(vec![RubyPart::Text(text)]));
        }
        if let Some(string) = node.as_interpolated_string_node() {
            let raw = string.opening_loc().is_some_and(|opening| is_raw(&opening));
            self.reach(string.opening_loc(), string.closing_loc());
            return Some(RubyKind::String(self.parts(&string.parts(), raw)));
        }
        if let Some(symbol) = node.as_interpolated_symbol_node() {
            return Some(RubyKind::Symbol(self.parts(&symbol.parts(), false)));
        }
        if let Some(regex) = node.as_regular_expression_node() {
            // The source of a pattern keeps its escapes.
            let content = regex.content_loc();
            let text = self.decoded(&content, content.as_slice(), true);
            let closing = regex.closing_loc();
            return Some(RubyKind::Regex { parts: vec![RubyPart::Text(text)], flags: flags(&closing) });
        }
        if let Some(regex) = node.as_interpolated_regular_expression_node() {
            let parts = self.parts_of(&regex.parts(), false, true);
            return Some(RubyKind::Regex { parts, flags: flags(&regex.closing_loc()) });
        }
        None
    }

    /// Notes where a heredoc ends.
    fn reach(&mut self, opening: Option<Location<'_>>, closing: Option<Location<'_>>) {
        if let (Some(opening), Some(closing)) = (opening, closing)
            && opening.as_slice().starts_with(b"<<")
        {
            // Its last line is closed by the line end.
            let end = self.place(&closing);
            self.heredoc_end = self.heredoc_end.max(end.end);
        }
    }

    fn parts(&mut self, parts: &NodeList<'_>, raw: bool) -> Vec<RubyPart> {
        self.parts_of(parts, raw, false)
    }

    fn parts_of(&mut self, parts: &NodeList<'_>, raw: bool, keeps_escapes: bool) -> Vec<RubyPart> {
        let mut found = Vec::with_capacity(parts.len());
        for part in parts.iter() {
            if let Some(text) = part.as_string_node() {
                let own = text.opening_loc().map_or(raw, |opening| is_raw(&opening));
                let content = text.content_loc();
                let decoded = if keeps_escapes { content.as_slice() } else { text.unescaped() };
                found.push(RubyPart::Text(self.decoded(&content, decoded, own)));
            } else if let Some(code) = part.as_embedded_statements_node() {
                found.push(RubyPart::Code(self.statements(code.statements())));
            } else if let Some(variable) = part.as_embedded_variable_node() {
                found.push(RubyPart::Code(vec![self.node(&variable.variable())]));
            } else if let Some(inner) = part.as_interpolated_string_node() {
                // "a" "b #{c}"
                let own = inner.opening_loc().map_or(raw, |opening| is_raw(&opening));
                found.extend(self.parts_of(&inner.parts(), own, keeps_escapes));
            } else {
                found.push(RubyPart::Code(vec![self.node(&part)]));
            }
        }
        found
    }

    /// What a literal says, led back to how it is written: escapes are decoded, the indent of `<<~` is gone.
    fn decoded(&self, content: &Location<'_>, decoded: &[u8], raw: bool) -> Piece {
        let length = self.piece.text().len();
        let (start, end) = ((content.start() as usize).min(length), (content.end() as usize).min(length));
        let written = &self.piece.text().as_bytes()[start..end];
        if written == decoded {
            return self.piece.part(start..end);
        }
        let Ok(text) = std::str::from_utf8(decoded) else {
            let lossy = String::from_utf8_lossy(decoded);
            return Piece::made_at(&lossy, self.piece.span(start..end));
        };
        Aligned { from: self.piece, start, written, text, raw }
            .piece()
            .unwrap_or_else(|| Piece::made_at(text, self.piece.span(start..end)))
    }
}

/// `'…'`, `%q`, `%w`, `%s`, `<<~'SQL'`: no escapes but those of the delimiter.
fn is_raw(opening: &Location<'_>) -> bool {
    let opening = opening.as_slice();
    let is_percent = opening.starts_with(b"%q") || opening.starts_with(b"%w") || opening.starts_with(b"%i");
    opening == b"'" || is_percent || (opening.starts_with(b"<<") && opening.ends_with(b"'"))
}

fn flags(closing: &Location<'_>) -> std::sync::Arc<str> {
    let known = closing.as_slice().iter().filter(|byte| matches!(byte, b'i' | b'm' | b'x'));
    known.map(|byte| char::from(*byte)).collect::<String>().into()
}

/// A decoded text beside what is written.
struct Aligned<'a> {
    from: &'a Piece,
    start: usize,
    written: &'a [u8],
    text: &'a str,
    raw: bool,
}

impl Aligned<'_> {
    /// Both from left to right: `None` where they do not fit.
    fn piece(&self) -> Option<Piece> {
        let mut built = PieceBuilder::new(self.from.source());
        let (written, text) = (self.written, self.text.as_bytes());
        let (mut at, mut out) = (0, 0);
        // The run of equal bytes that is not yet copied.
        let mut run = 0;
        let copy = |built: &mut PieceBuilder, run: usize, at: usize| {
            if run < at {
                built.copy(self.from, self.start + run..self.start + at);
            }
        };
        while at < written.len() {
            if written[at] == b'\\' {
                let length = if self.raw { raw_escape(&written[at..]) } else { escape(&written[at..]) };
                if let Some(length) = length {
                    copy(&mut built, run, at);
                    let length = length.min(written.len() - at);
                    let decoded = self.escaped(at + length, out);
                    built.replace(decoded?, self.from, self.start + at..self.start + at + length);
                    out += decoded?.len();
                    at += length;
                    run = at;
                    continue;
                }
            }
            if text.get(out) == Some(&written[at]) {
                (at, out) = (at + 1, out + 1);
                continue;
            }
            // The indent of a line, or the first half of a Windows line end.
            if !written[at].is_ascii_whitespace() {
                return None;
            }
            copy(&mut built, run, at);
            at += 1;
            run = at;
        }
        copy(&mut built, run, at);
        let piece = built.finish();
        (piece.text() == self.text).then_some(piece)
    }

    /// What the escape that ends before `next` says: up to where both texts go on alike.
    fn escaped(&self, next: usize, out: usize) -> Option<&str> {
        let rest = self.text.get(out..)?;
        let escape = &self.written[..next];
        // A line end behind a backslash is gone; `\u{1F600 1F601}` may be several characters.
        if escape.ends_with(b"\\\n") || escape.ends_with(b"\\\r\n") {
            return Some("");
        }
        let mut characters = 1;
        if escape.ends_with(b"}") {
            let open = escape.iter().rposition(|byte| *byte == b'{')?;
            characters = escape[open..].split(|byte| *byte == b' ').filter(|one| one.len() > 1 || *one != b"}").count();
        }
        let end = rest.char_indices().nth(characters).map_or(rest.len(), |(end, _)| end);
        rest.get(..end)
    }
}

/// How long an escape is in a literal that knows only `\\` and its delimiters; else a backslash is one.
fn raw_escape(written: &[u8]) -> Option<usize> {
    let next = *written.get(1)?;
    (matches!(next, b'\\' | b'\'' | b' ' | b')' | b'(' | b']' | b'[' | b'}' | b'{')).then_some(2)
}

fn escape(written: &[u8]) -> Option<usize> {
    let next = *written.get(1)?;
    Some(match next {
        b'u' if written.get(2) == Some(&b'{') => written.iter().position(|byte| *byte == b'}')? + 1,
        b'u' => 6,
        b'x' => 2 + written[2..].iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count(),
        b'0'..=b'7' => 1 + written[1..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count(),
        b'c' => 3,
        b'C' | b'M' => 4,
        b'\r' if written.get(2) == Some(&b'\n') => 3,
        // One character, of however many bytes.
        0xC0.. => {
            1 + written[1..].iter().enumerate().take_while(|(at, byte)| *at == 0 || **byte & 0xC0 == 0x80).count()
        }
        _ => 2,
    })
}
