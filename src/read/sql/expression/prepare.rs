//! Before sqlparser sees a text: refuses what would exhaust the stack, and rewrites the forms of PostgreSQL that
//! it has no syntax for into forms that it has and that PostgreSQL could not have meant.

use super::guard::Guard;
use super::lower::MARK;
use crate::operation::{Ident, Name, TypeName};
use crate::read::sql::lexer::{Kind, Token};
use crate::read::sql::literal;
use crate::read::sql::tokens::{ESCAPE, Tokens};

/// In the place of `OF table`, which is not kept: FOR NO KEY UPDATE, FOR KEY SHARE.
pub(super) const NO_KEY_MARK: &str = "no key";
pub(super) const KEY_MARK: &str = "key";

/// Which statement a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Expression,
    Query,
    Write,
}

/// A text for sqlparser, and what was taken out of it.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub text: String,
    /// Something was put in other words.
    pub rewritten: bool,
    /// Rows of an INSERT's VALUES, where only the first was kept.
    pub rows: Option<usize>,
    /// Targets of ON CONFLICT: the list's text, and WHERE's.
    pub conflicts: Vec<(&'a str, Option<&'a str>)>,
    /// Targets of PL/pgSQL's INTO.
    pub into: Vec<Name>,
}

/// `variables`: the text stands in PL/pgSQL, where INTO names variables.
pub(super) fn prepare<'a>(tokens: &Tokens<'a>, form: Form, variables: bool) -> Result<Prepared<'a>, String> {
    let mut guard = Guard::default();
    for at in 0..tokens.list.len() {
        guard.token(tokens, at)?;
    }
    let mut rewriting = Rewriting {
        tokens,
        form,
        variables,
        depth: 0,
        set_at: None,
        brackets: 0,
        end: 0,
        out: Prepared {
            text: String::with_capacity(tokens.text.len() + 16),
            rewritten: false,
            rows: None,
            conflicts: Vec::new(),
            into: Vec::new(),
        },
    };
    let mut at = 0;
    while at < tokens.list.len() {
        at = rewriting.step(at);
    }
    Ok(rewriting.out)
}

struct Rewriting<'t, 'a> {
    tokens: &'t Tokens<'a>,
    form: Form,
    variables: bool,
    /// Open parentheses.
    depth: usize,
    /// The depth of the SET list being read.
    set_at: Option<usize>,
    brackets: usize,
    /// Where the last token written ended.
    end: usize,
    out: Prepared<'a>,
}

impl Rewriting<'_, '_> {
    /// Writes what stands at `at`; answers where to go on.
    fn step(&mut self, at: usize) -> usize {
        let token = self.tokens.list[at];
        match token.kind {
            Kind::Word => {
                if self
                    .tokens
                    .list
                    .get(at + 1)
                    .is_some_and(|next| next.kind == Kind::Template && next.start == token.end)
                {
                    return self.template(at);
                }
                if let Some(next) = self.word(at) {
                    self.out.rewritten = true;
                    return next;
                }
                self.copy(at);
            }
            Kind::OpenParen => {
                self.depth += 1;
                self.copy(at);
            }
            Kind::CloseParen => {
                self.depth = self.depth.saturating_sub(1);
                if self.set_at.is_some_and(|depth| self.depth < depth) {
                    self.set_at = None;
                }
                self.copy(at);
            }
            Kind::OpenBracket => {
                if let Some(next) = self.assigned_element(at) {
                    self.out.rewritten = true;
                    return next;
                }
                self.brackets += 1;
                self.copy(at);
            }
            Kind::CloseBracket => {
                self.brackets = self.brackets.saturating_sub(1);
                self.copy(at);
            }
            Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::Dollar => return self.string(at),
            Kind::UnicodeQuoted => self.quoted(at, literal::ident(self.tokens.text, token, ESCAPE).as_str()),
            Kind::Number => match plain_number(token.text(self.tokens.text)) {
                Some(number) => self.put(at, &number),
                None => self.copy(at),
            },
            // `a[1:n]` looks like psql's `:n`.
            Kind::Variable if self.brackets > 0 => self.put(at, &token.text(self.tokens.text).replacen(':', ": ", 1)),
            Kind::Variable if token.text(self.tokens.text).starts_with(":'") => self.put(at, "$0"),
            Kind::Variable | Kind::Template => return self.template(at),
            _ => self.copy(at),
        }
        at + 1
    }

    fn copy(&mut self, at: usize) {
        let token = self.tokens.list[at];
        self.gap(token);
        self.out.text.push_str(token.text(self.tokens.text));
        self.end = token.end as usize;
    }

    fn put(&mut self, at: usize, text: &str) {
        let token = self.tokens.list[at];
        self.gap(token);
        self.out.text.push_str(text);
        self.out.rewritten = true;
        self.end = token.end as usize;
    }

    /// White space and comments become one blank.
    fn gap(&mut self, token: Token) {
        if token.start as usize > self.end {
            self.out.text.push(' ');
        }
    }

    fn words(&mut self, words: &str) {
        self.out.text.push(' ');
        self.out.text.push_str(words);
        // What follows is set off by a blank, whatever stood between.
        self.end = 0;
    }

    fn quoted(&mut self, at: usize, name: &str) {
        self.put(at, &format!("\"{}\"", name.replace('"', "\"\"")));
    }

    /// Names with a part that a runner fills in: one quoted name of all that touches.
    fn template(&mut self, at: usize) -> usize {
        let mut next = at + 1;
        while next < self.tokens.list.len()
            && self.tokens.list[next - 1].end == self.tokens.list[next].start
            && matches!(self.tokens.kind(next), Some(Kind::Template | Kind::Word | Kind::Number))
        {
            next += 1;
        }
        self.quoted(at, self.tokens.slice(at, next));
        self.end = self.tokens.list[next - 1].end as usize;
        next
    }

    /// Every form of string as a plain one; literals on following lines are one (manual, "String Constants").
    fn string(&mut self, at: usize) -> usize {
        let text = self.tokens.text;
        let mut next = at + 1;
        let mut escape = ESCAPE;
        if self.tokens.is_word(next, "uescape")
            && let Some(other) = self.tokens.list.get(next + 1)
        {
            escape = literal::decoded(text, *other, ESCAPE).chars().next().unwrap_or(ESCAPE);
            next += 2;
        }
        let mut value = literal::decoded(text, self.tokens.list[at], escape).into_owned();
        while self.tokens.kind(next) == Some(Kind::String)
            && self.tokens.kind(at) != Some(Kind::Dollar)
            && text[self.tokens.list[next - 1].end as usize..self.tokens.list[next].start as usize].contains('\n')
        {
            value.push_str(&literal::decoded(text, self.tokens.list[next], ESCAPE));
            next += 1;
        }
        let rewritten = self.out.rewritten;
        self.put(at, &format!("'{}'", value.replace('\'', "''")));
        self.out.rewritten = rewritten;
        self.end = self.tokens.list[next - 1].end as usize;
        next
    }

    fn word(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        if at > 0 && tokens.kind(at - 1) == Some(Kind::Dot) {
            return None;
        }
        let word = tokens.list[at].text(tokens.text);
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
        match word.len() {
            2 if is("on") => self.conflict(at),
            3 if is("set") => {
                self.set_at = Some(self.depth);
                None
            }
            3 if is("for") => self.row_lock(at),
            4 if is("only") => self.only(at),
            4 if is("into") => self.into(at),
            4 | 7 | 8 if (is("both") || is("leading") || is("trailing")) && tokens.is_word(at + 1, "from") => {
                // trim(BOTH FROM x): blanks are meant.
                self.words(&format!("{word} ' '"));
                Some(at + 1)
            }
            4 if is("from") || is("when") => self.leave_set(),
            5 if is("where") => {
                self.leave_set();
                self.current_of(at)
            }
            5 if is("table") => self.table(at),
            6 if is("isnull") => self.null_test(at, "IS NULL"),
            6 if is("values") => self.values(at),
            7 if is("notnull") => self.null_test(at, "IS NOT NULL"),
            8 if is("variadic") && matches!(tokens.kind(at.checked_sub(1)?), Some(Kind::OpenParen | Kind::Comma)) => {
                Some(at + 1)
            }
            9 if is("returning") => self.leave_set(),
            _ if self.begins_typed_literal(at) => {
                self.words(&format!("CAST({} AS {word})", self.literal(at + 1)));
                Some(at + 2)
            }
            10 if is("overriding") && tokens.is_any(at + 1, &["system", "user"]) && tokens.is_word(at + 2, "value") => {
                Some(at + 3)
            }
            _ => None,
        }
    }

    /// `type 'text'`; sqlparser knows only some types there.
    fn begins_typed_literal(&self, at: usize) -> bool {
        // Types that sqlparser reads itself, with modifiers and fields, and words that are no types before a literal.
        const LEFT_ALONE: &[&str] =
            &["any", "bit", "date", "interval", "path", "time", "timestamp", "timestamptz", "timetz", "varbit"];
        let tokens = self.tokens;
        matches!(tokens.kind(at + 1), Some(Kind::String | Kind::EscapeString | Kind::UnicodeString | Kind::Dollar))
            && !tokens.is_any(at, LEFT_ALONE)
            && TypeName::canonical(&tokens.list[at].text(tokens.text).to_ascii_lowercase()).is_some()
    }

    fn literal(&self, at: usize) -> String {
        let value = literal::decoded(self.tokens.text, self.tokens.list[at], ESCAPE);
        format!("'{}'", value.replace('\'', "''"))
    }

    fn leave_set(&mut self) -> Option<usize> {
        if self.set_at == Some(self.depth) {
            self.set_at = None;
        }
        None
    }

    /// FOR UPDATE and the like. sqlparser knows neither NO KEY UPDATE nor KEY SHARE nor several tables.
    fn row_lock(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        let (words, mut next) = if tokens.are_words(at + 1, &["no", "key", "update"]) {
            (format!("FOR UPDATE OF \"{NO_KEY_MARK}\""), at + 4)
        } else if tokens.are_words(at + 1, &["key", "share"]) {
            (format!("FOR SHARE OF \"{KEY_MARK}\""), at + 3)
        } else if tokens.is_word(at + 1, "update") {
            ("FOR UPDATE".to_owned(), at + 2)
        } else if tokens.is_word(at + 1, "share") {
            ("FOR SHARE".to_owned(), at + 2)
        } else {
            return None;
        };
        if tokens.is_word(next, "of") {
            next = tokens.name_end(next + 1);
            while tokens.kind(next) == Some(Kind::Comma) {
                next = tokens.name_end(next + 1);
            }
        }
        if tokens.is_word(next, "nowait") {
            next += 1;
        } else if tokens.are_words(next, &["skip", "locked"]) {
            next += 2;
        }
        self.words(&words);
        Some(next)
    }

    fn only(&mut self, at: usize) -> Option<usize> {
        const BEFORE: &[&str] = &["from", "update", "join", "into", "using", "lateral"];
        let tokens = self.tokens;
        let before = at.checked_sub(1)?;
        if !tokens.is_any(before, BEFORE) && tokens.kind(before) != Some(Kind::Comma) {
            return None;
        }
        let enclosed = tokens.kind(at + 1) == Some(Kind::OpenParen);
        let start = at + 1 + usize::from(enclosed);
        let end = tokens.name_end(start);
        if end == start || (enclosed && tokens.kind(end) != Some(Kind::CloseParen)) {
            return None;
        }
        for part in start..end {
            match tokens.kind(part) {
                Some(Kind::Word | Kind::Quoted | Kind::Dot) => self.copy(part),
                _ => {
                    let name = tokens.ident(part).unwrap_or_else(|| Ident::new(""));
                    self.quoted(part, name.as_str());
                }
            }
        }
        self.words("WITH ORDINALITY");
        Some(end + usize::from(enclosed))
    }

    /// PL/pgSQL's INTO may stand nearly anywhere in a query, or behind RETURNING.
    fn into(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        if !self.variables || self.depth > 0 || at == 0 || tokens.is_any(at - 1, &["insert", "merge"]) {
            return None;
        }
        let mut next = at + 1 + usize::from(tokens.is_word(at + 1, "strict"));
        loop {
            let end = tokens.name_end(next);
            if end == next {
                return None;
            }
            self.out.into.extend(tokens.name(next));
            next = end;
            while tokens.kind(next) == Some(Kind::OpenBracket) {
                next = tokens.closed(next);
            }
            if tokens.kind(next) != Some(Kind::Comma) {
                return Some(next);
            }
            next += 1;
        }
    }

    fn current_of(&mut self, at: usize) -> Option<usize> {
        if !self.tokens.are_words(at + 1, &["current", "of"]) {
            return None;
        }
        let end = self.tokens.name_end(at + 3);
        self.words("WHERE");
        let cursor = self.tokens.slice(at + 1, end).replace('"', "\"\"");
        self.words(&format!("\"{MARK}{cursor}\""));
        Some(end)
    }

    /// `TABLE t` is a query; sqlparser would forget whether the name was quoted.
    fn table(&mut self, at: usize) -> Option<usize> {
        const BEFORE: &[&str] = &["union", "all", "except", "intersect", "distinct"];
        let tokens = self.tokens;
        let begins = match at.checked_sub(1) {
            None => self.form == Form::Query,
            Some(before) => tokens.kind(before) == Some(Kind::OpenParen) || tokens.is_any(before, BEFORE),
        };
        if !begins || !tokens.is_name(at + 1 + usize::from(tokens.is_word(at + 1, "only"))) {
            return None;
        }
        self.words("SELECT * FROM");
        Some(at + 1)
    }

    fn null_test(&mut self, at: usize, words: &str) -> Option<usize> {
        let tokens = self.tokens;
        let operand = matches!(
            tokens.kind(at.checked_sub(1)?),
            Some(Kind::Word | Kind::Quoted | Kind::CloseParen | Kind::CloseBracket | Kind::Number | Kind::String)
        );
        if !operand || matches!(tokens.kind(at + 1), Some(Kind::OpenParen | Kind::Dot)) {
            return None;
        }
        self.words(words);
        Some(at + 1)
    }

    /// All rows of an INSERT but the first are counted, not read.
    fn values(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        if self.form != Form::Write
            || self.depth > 0
            || self.out.rows.is_some()
            || tokens.kind(at + 1) != Some(Kind::OpenParen)
        {
            return None;
        }
        let first_end = tokens.closed(at + 1);
        let mut next = first_end;
        let mut count = 1;
        while tokens.kind(next) == Some(Kind::Comma) && tokens.kind(next + 1) == Some(Kind::OpenParen) {
            next = tokens.closed(next + 1);
            count += 1;
        }
        if count == 1 {
            return None;
        }
        self.copy(at);
        let mut part = at + 1;
        while part < first_end {
            part = self.step(part);
        }
        self.out.rows = Some(count);
        Some(next)
    }

    /// `ON CONFLICT (anything) WHERE …` becomes a numbered mark.
    fn conflict(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        if !tokens.is_word(at + 1, "conflict") || tokens.kind(at + 2) != Some(Kind::OpenParen) {
            return None;
        }
        let end = tokens.closed(at + 2);
        let mut next = end;
        if tokens.is_word(end, "where") {
            while next < tokens.list.len() && !tokens.is_word(next, "do") {
                next = if tokens.kind(next) == Some(Kind::OpenParen) { tokens.closed(next) } else { next + 1 };
            }
        }
        let filter = (next > end).then(|| tokens.slice(end + 1, next));
        self.words(&format!("ON CONFLICT (\"{MARK}{}\")", self.out.conflicts.len()));
        self.out.conflicts.push((tokens.slice(at + 3, end - 1), filter));
        Some(next)
    }

    /// `SET a[1] = …` assigns `a`.
    fn assigned_element(&mut self, at: usize) -> Option<usize> {
        let tokens = self.tokens;
        let name = at.checked_sub(1).filter(|name| tokens.is_name(*name))?;
        let before = name.checked_sub(1)?;
        let begins = tokens.is_word(before, "set") || tokens.kind(before) == Some(Kind::Comma);
        if self.set_at != Some(self.depth) || !begins {
            return None;
        }
        let mut next = at;
        while tokens.kind(next) == Some(Kind::OpenBracket) {
            next = tokens.closed(next);
            if tokens.kind(next) == Some(Kind::Dot) {
                next += 2;
            }
        }
        tokens.is_operator(next, "=").then_some(next)
    }
}

/// `0x1F`, `0o17`, `0b101`, `1_000` in plain digits (PostgreSQL 16); `None` where the number is plain already.
fn plain_number(written: &str) -> Option<String> {
    let digits = written.replace('_', "");
    let radix = match written.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => return (digits.len() != written.len()).then_some(digits),
    };
    u128::from_str_radix(digits.get(2..)?, radix).ok().map(|value| value.to_string())
}
