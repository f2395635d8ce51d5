//! Splits a script into statements as psql does. Written apart from plimsoll's own reader, so that tests do
//! not inherit its mistakes.

/// The statements of a script, without their semicolons; comments alone are none. Lines that are psql's own
/// commands (`\restrict`) are left out.
pub fn statements(sql: &str) -> Vec<String> {
    // psql skips a byte order mark; the server would call it a syntax error.
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    let mut found = Vec::new();
    let mut cut = Cut { text: sql.as_bytes(), at: 0 };
    let (mut start, mut depth, mut blocks, mut words) = (0, 0i32, 0i32, Vec::<String>::new());
    while cut.at < cut.text.len() {
        let at = cut.at;
        match cut.next() {
            Part::Blank => {}
            Part::Command if words.is_empty() => start = cut.at,
            Part::Open => depth += 1,
            Part::Close => depth -= 1,
            Part::End if depth <= 0 && blocks == 0 => {
                if !words.is_empty() {
                    found.push(sql[start..at].trim().to_string());
                }
                (start, depth) = (cut.at, 0);
                words.clear();
            }
            Part::Word => {
                let word = sql[at..cut.at].to_ascii_uppercase();
                blocks += nesting(&words, &word, blocks);
                words.push(word);
            }
            Part::End | Part::Command | Part::Other => words.push(String::new()),
        }
    }
    if !words.is_empty() {
        found.push(sql[start..].trim().to_string());
    }
    found
}

/// How a word changes the depth of `BEGIN ATOMIC … END` bodies, where semicolons end no statement.
fn nesting(before: &[String], word: &str, depth: i32) -> i32 {
    let creates = before.first().is_some_and(|first| first == "CREATE");
    match word {
        "ATOMIC" if creates && before.last().is_some_and(|last| last == "BEGIN") => 1,
        "CASE" if depth > 0 => 1,
        "END" if depth > 0 => -1,
        _ => 0,
    }
}

enum Part {
    Blank,
    Word,
    Open,
    Close,
    End,
    /// A backslash command, to the end of its line.
    Command,
    Other,
}

struct Cut<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cut<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Part {
        match self.peek(0) {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.skip(1, Part::Blank),
            b'-' if self.peek(1) == b'-' => self.skip_line(Part::Blank),
            b'/' if self.peek(1) == b'*' => self.skip_comment(),
            b'\\' => self.skip_line(Part::Command),
            b'\'' => self.skip_quoted(b'\'', false),
            b'"' => self.skip_quoted(b'"', false),
            b'e' | b'E' if self.peek(1) == b'\'' => {
                self.at += 1;
                self.skip_quoted(b'\'', true)
            }
            b'$' => self.skip_dollar(),
            b'(' => self.skip(1, Part::Open),
            b')' => self.skip(1, Part::Close),
            b';' => self.skip(1, Part::End),
            byte if is_word(byte) => {
                while is_word(self.peek(0)) || self.peek(0) == b'$' {
                    self.at += 1;
                }
                Part::Word
            }
            _ => self.skip(1, Part::Other),
        }
    }

    fn skip(&mut self, bytes: usize, part: Part) -> Part {
        self.at = (self.at + bytes).min(self.text.len());
        part
    }

    fn skip_line(&mut self, part: Part) -> Part {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.skip(length, part)
    }

    /// Comments nest in PostgreSQL.
    fn skip_comment(&mut self) -> Part {
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => (depth, self.at) = (depth + 1, self.at + 2),
                (b'*', b'/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.skip(0, Part::Blank)
    }

    fn skip_quoted(&mut self, quote: u8, escapes: bool) -> Part {
        self.at += 1;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' if escapes => self.at += 2,
                byte if byte == quote && self.peek(1) == quote => self.at += 2,
                byte if byte == quote => return self.skip(1, Part::Other),
                _ => self.at += 1,
            }
        }
        self.skip(0, Part::Other)
    }

    fn skip_dollar(&mut self) -> Part {
        let rest = &self.text[self.at..];
        let tag = rest[1..].iter().take_while(|byte| is_word(**byte)).count();
        // `$1` is a parameter: a tag does not begin with a digit.
        if rest.get(tag + 1) != Some(&b'$') || rest[1].is_ascii_digit() {
            return self.skip(1, Part::Other);
        }
        let delimiter = &rest[..tag + 2];
        let body = &rest[delimiter.len()..];
        let length = body.windows(delimiter.len()).position(|window| window == delimiter).unwrap_or(body.len());
        self.skip(2 * delimiter.len() + length, Part::Other)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
