//! PostgreSQL's lexical rules over a piece of text: byte offsets, nothing copied, never an error.
//! What a literal or a name means once decoded is `literal`'s part.

/// What a token is. Words are not told apart from keywords here: that depends on their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An unquoted name or keyword, not folded.
    Word,
    /// `"…"`.
    Quoted,
    /// `U&"…"`.
    UnicodeQuoted,
    /// `'…'`; also `N'…'`.
    String,
    /// `E'…'`.
    EscapeString,
    /// `U&'…'`.
    UnicodeString,
    /// `B'…'`, `X'…'`.
    BitString,
    /// `$tag$…$tag$`.
    Dollar,
    Number,
    /// `$1`.
    Parameter,
    Operator,
    /// `:name`, `:'name'`, `:"name"` of psql.
    Variable,
    /// `${…}`, `{{…}}`: what a runner would have replaced.
    Template,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Comma,
    Semicolon,
    Dot,
    DotDot,
    Colon,
    /// `::`.
    Typecast,
    /// `:=`.
    Assign,
    /// `=>`.
    Arrow,
    /// A psql command: from the backslash to the end of its line.
    Meta,
    /// `-- …`, `/* … */`.
    Comment,
    UnterminatedString,
    UnterminatedQuoted,
    UnterminatedDollar,
    UnterminatedComment,
    /// A byte that begins nothing: a brace, a control character.
    Stray,
}

/// Bytes `start..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

impl Token {
    pub fn text(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Walks a text token by token. White space is left out, comments are not.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Up to here stand only `+` and `-` that are operators of one character each: without this mark
    /// a long row of signs would be looked through once per sign.
    signs_until: usize,
}

/// Longest template mark that is looked for.
const TEMPLATE_BYTES: usize = 1024;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        // A byte order mark is no part of the first word.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Lexer { text, at, signs_until: 0 }
    }

    /// Starts at `at`, which must lie between tokens.
    pub fn from(text: &'a str, at: usize) -> Lexer<'a> {
        if at == 0 { Lexer::new(text) } else { Lexer { text, at: at.min(text.len()), signs_until: 0 } }
    }

    pub fn offset(&self) -> usize {
        self.at
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C) = bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn token(&mut self, kind: Kind, end: usize) -> Token {
        let start = self.at;
        self.at = end.min(self.text.len());
        Token { kind, start: start as u32, end: self.at as u32 }
    }

    fn scan(&mut self) -> Token {
        let first = self.byte(self.at);
        let next = self.byte(self.at + 1);
        match first {
            b'\'' => self.quoted(self.at + 1, b'\'', Kind::String),
            b'"' => self.quoted(self.at + 1, b'"', Kind::Quoted),
            b'n' | b'N' if next == b'\'' => self.quoted(self.at + 2, b'\'', Kind::String),
            b'b' | b'B' | b'x' | b'X' if next == b'\'' => self.quoted(self.at + 2, b'\'', Kind::BitString),
            b'e' | b'E' if next == b'\'' => self.escape_string(),
            b'u' | b'U' if next == b'&' && self.byte(self.at + 2) == b'\'' => {
                self.quoted(self.at + 3, b'\'', Kind::UnicodeString)
            }
            b'u' | b'U' if next == b'&' && self.byte(self.at + 2) == b'"' => {
                self.quoted(self.at + 3, b'"', Kind::UnicodeQuoted)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            b'0'..=b'9' => self.number(),
            b'.' if next.is_ascii_digit() => self.number(),
            b'.' if next == b'.' => self.token(Kind::DotDot, self.at + 2),
            b'$' => self.dollar(),
            b':' => self.colon(),
            b'(' => self.token(Kind::OpenParen, self.at + 1),
            b')' => self.token(Kind::CloseParen, self.at + 1),
            b'[' => self.token(Kind::OpenBracket, self.at + 1),
            b']' => self.token(Kind::CloseBracket, self.at + 1),
            b',' => self.token(Kind::Comma, self.at + 1),
            b';' => self.token(Kind::Semicolon, self.at + 1),
            b'.' => self.token(Kind::Dot, self.at + 1),
            b'\\' if next == b';' => self.token(Kind::Semicolon, self.at + 2),
            b'\\' => self.line(Kind::Meta),
            b'-' if next == b'-' => self.line(Kind::Comment),
            b'/' if next == b'*' => self.block_comment(),
            b'{' if next == b'{' => self.template("}}"),
            byte if is_operator(byte) => self.operator(),
            _ => self.token(Kind::Stray, self.at + 1),
        }
    }

    fn word(&mut self) -> Token {
        let rest = &self.text.as_bytes()[self.at..];
        // A `$` belongs to a name, but `${` begins a template.
        let ends =
            |(at, byte): (usize, &u8)| !continues_word(*byte) || (*byte == b'$' && rest.get(at + 1) == Some(&b'{'));
        let length = rest.iter().enumerate().position(ends).unwrap_or(rest.len());
        self.token(Kind::Word, self.at + length)
    }

    /// To the closing `quote`; a doubled one stands for itself.
    fn quoted(&mut self, mut from: usize, quote: u8, kind: Kind) -> Token {
        let bytes = self.text.as_bytes();
        while let Some(length) = find(&bytes[from..], quote) {
            from += length + 1;
            if bytes.get(from) != Some(&quote) {
                return self.token(kind, from);
            }
            from += 1;
        }
        let kind = if quote == b'"' { Kind::UnterminatedQuoted } else { Kind::UnterminatedString };
        self.token(kind, bytes.len())
    }

    fn escape_string(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 2;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                b'\'' => return self.token(Kind::EscapeString, at + 1),
                _ => at += 1,
            }
        }
        self.token(Kind::UnterminatedString, bytes.len())
    }

    fn number(&mut self) -> Token {
        let radix = |byte: u8| match self.byte(self.at + 1) {
            b'x' | b'X' => byte.is_ascii_hexdigit(),
            b'o' | b'O' => (b'0'..=b'7').contains(&byte),
            b'b' | b'B' => matches!(byte, b'0' | b'1'),
            _ => false,
        };
        if self.byte(self.at) == b'0' && radix(self.byte(self.at + 2)) {
            let mut at = self.at + 2;
            while radix(self.byte(at)) || self.byte(at) == b'_' {
                at += 1;
            }
            return self.token(Kind::Number, at);
        }
        let mut at = self.digits(self.at);
        // `1..10` is two numbers with `..` between (scan.l, "numericfail").
        if self.byte(at) == b'.' && self.byte(at + 1) != b'.' {
            at = self.digits(at + 1);
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            if self.byte(at + 1 + sign).is_ascii_digit() {
                at = self.digits(at + 1 + sign);
            }
        }
        self.token(Kind::Number, at)
    }

    fn digits(&self, mut at: usize) -> usize {
        while self.byte(at).is_ascii_digit() || (self.byte(at) == b'_' && self.byte(at + 1).is_ascii_digit()) {
            at += 1;
        }
        at
    }

    fn dollar(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let rest = &bytes[self.at + 1..];
        let first = rest.first().copied().unwrap_or(0);
        if first.is_ascii_digit() {
            let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            return self.token(Kind::Parameter, self.at + 1 + length);
        }
        if first == b'{' {
            return self.template("}");
        }
        // A tag is a word without `$`, or nothing.
        let tag = rest.iter().position(|byte| *byte == b'$' || !continues_word(*byte));
        let Some(tag) = tag.filter(|at| rest[*at] == b'$') else { return self.token(Kind::Stray, self.at + 1) };
        let open = &self.text[self.at..self.at + tag + 2];
        let from = self.at + open.len();
        match self.text[from..].find(open) {
            Some(length) => self.token(Kind::Dollar, from + length + open.len()),
            None => self.token(Kind::UnterminatedDollar, bytes.len()),
        }
    }

    fn template(&mut self, close: &str) -> Token {
        let mut end = self.text.len().min(self.at + TEMPLATE_BYTES);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        match self.text[self.at..end].find(close) {
            Some(length) => self.token(Kind::Template, self.at + length + close.len()),
            None => self.token(Kind::Stray, self.at + 1),
        }
    }

    fn colon(&mut self) -> Token {
        match self.byte(self.at + 1) {
            b':' => self.token(Kind::Typecast, self.at + 2),
            b'=' => self.token(Kind::Assign, self.at + 2),
            quote @ (b'\'' | b'"') => {
                let name = self.variable_end(self.at + 2);
                if name > self.at + 2 && self.byte(name) == quote {
                    return self.token(Kind::Variable, name + 1);
                }
                self.token(Kind::Colon, self.at + 1)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                let end = self.variable_end(self.at + 1);
                self.token(Kind::Variable, end)
            }
            _ => self.token(Kind::Colon, self.at + 1),
        }
    }

    fn variable_end(&self, from: usize) -> usize {
        let rest = &self.text.as_bytes()[from.min(self.text.len())..];
        let length = rest.iter().position(|byte| *byte == b'$' || !continues_word(*byte));
        from + length.unwrap_or(rest.len())
    }

    fn line(&mut self, kind: Kind) -> Token {
        let rest = &self.text.as_bytes()[self.at..];
        let mut length = find(rest, b'\n').unwrap_or(rest.len());
        if length > 0 && rest[length - 1] == b'\r' {
            length -= 1;
        }
        self.token(kind, self.at + length)
    }

    /// Block comments nest in PostgreSQL.
    fn block_comment(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 2;
        let mut depth = 1;
        while at < bytes.len() {
            match (bytes[at], self.byte(at + 1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return self.token(Kind::Comment, at);
                    }
                }
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        self.token(Kind::UnterminatedComment, bytes.len())
    }

    /// The longest row of operator characters, ended by a comment; a row of several may end in `+` or `-`
    /// only where it also holds a character that standard operators do not (manual, "Operators").
    fn operator(&mut self) -> Token {
        if self.at < self.signs_until {
            return self.token(Kind::Operator, self.at + 1);
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        let mut special = is_special(bytes[self.at]);
        while end < bytes.len() && is_operator(bytes[end]) && !self.comment_starts(end) {
            special |= is_special(bytes[end]);
            end += 1;
        }
        let run = end;
        while !special && end > self.at + 1 && matches!(bytes[end - 1], b'+' | b'-') {
            end -= 1;
        }
        self.signs_until = run;
        let kind = if &bytes[self.at..end] == b"=>" { Kind::Arrow } else { Kind::Operator };
        self.token(kind, end)
    }

    fn comment_starts(&self, at: usize) -> bool {
        matches!((self.byte(at), self.byte(at + 1)), (b'-', b'-') | (b'/', b'*'))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_space();
        (self.at < self.text.len()).then(|| self.scan())
    }
}

fn continues_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_operator(byte: u8) -> bool {
    is_special(byte) || matches!(byte, b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=')
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%')
}

fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        Lexer::new(text).map(|token| (token.kind, token.text(text))).collect()
    }

    #[test]
    fn literals_of_every_form() {
        use Kind::*;
        let text =
            r#"'a''b' E'a\'b' B'01' x'ff' N'n' U&'\0041' U&"d\0061" "a""b" $$x$$ $t$a$$b$t$ $1 1_000 0xFF 0b1 .5 1e-3"#;
        let found: Vec<Kind> = kinds(text).into_iter().map(|(kind, _)| kind).collect();
        let expected = [
            String,
            EscapeString,
            BitString,
            BitString,
            String,
            UnicodeString,
            UnicodeQuoted,
            Quoted,
            Dollar,
            Dollar,
            Parameter,
            Number,
            Number,
            Number,
            Number,
            Number,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn operators_by_the_longest_match() {
        let texts = |text| kinds(text).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts("a=-1"), ["a", "=", "-", "1"]);
        assert_eq!(texts("a @-1"), ["a", "@-", "1"]);
        assert_eq!(texts("a->>'x'"), ["a", "->>", "'x'"]);
        assert_eq!(texts("a+/*x*/b"), ["a", "+", "/*x*/", "b"]);
        assert_eq!(texts("a<--b"), ["a", "<", "--b"]);
        assert_eq!(texts("+-+"), ["+", "-", "+"]);
        assert_eq!(texts("1..10"), ["1", "..", "10"]);
        assert_eq!(kinds("a => 1")[1].0, Kind::Arrow);
        assert_eq!(kinds("a::int := b[1:2]")[1].0, Kind::Typecast);
    }

    #[test]
    fn variables_and_templates() {
        assert_eq!(kinds(":v")[0].0, Kind::Variable);
        assert_eq!(kinds(":'v'")[0], (Kind::Variable, ":'v'"));
        assert_eq!(kinds("${a.b}.t")[0], (Kind::Template, "${a.b}"));
        assert_eq!(kinds("{{ index .Options \"x\" }}.t")[0].0, Kind::Template);
        assert_eq!(kinds("t_${a}")[1], (Kind::Template, "${a}"));
        assert_eq!(kinds("{a")[0].0, Kind::Stray);
    }

    #[test]
    fn what_does_not_end_says_so() {
        for (text, kind) in [
            ("'a", Kind::UnterminatedString),
            ("E'a\\", Kind::UnterminatedString),
            ("\"a", Kind::UnterminatedQuoted),
            ("$a$ $b$", Kind::UnterminatedDollar),
            ("/* /* */", Kind::UnterminatedComment),
        ] {
            assert_eq!(kinds(text), [(kind, text)]);
        }
    }

    #[test]
    fn comments_nest_and_lines_end_before_their_break() {
        assert_eq!(kinds("/* a /* b */ c */ x")[0].1, "/* a /* b */ c */");
        assert_eq!(kinds("-- a\r\nx"), [(Kind::Comment, "-- a"), (Kind::Word, "x")]);
        assert_eq!(kinds("\\ir x.sql\nx")[0], (Kind::Meta, "\\ir x.sql"));
    }

    #[test]
    fn multibyte_text_keeps_its_bytes() {
        assert_eq!(kinds("é'ü'ß"), [(Kind::Word, "é"), (Kind::String, "'ü'"), (Kind::Word, "ß")]);
        assert_eq!(kinds("\u{feff}select"), [(Kind::Word, "select")]);
    }
}
