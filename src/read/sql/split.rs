//! A text to statements: where they end, what psql does between them, data that is no SQL.

use super::lexer::{Kind, Lexer, Token};
use crate::operation::Comment;
use crate::source::Piece;

/// Statements with more tokens than this are kept by their head only (dumps of INSERTs).
const MOST_TOKENS: usize = 1_000_000;
/// INSERTs longer than this are kept by their head: later rows say nothing new.
const LONG_INSERT: usize = 64 * 1024;
/// Times that a statement whose parentheses do not close is split again at its first `;`.
const RECOVERIES: usize = 8;

/// One part of a text; the tokens of statements are in [`Splitter::tokens`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Statement,
    /// Only the head was kept; see [`Long`].
    Long(Long),
    /// A psql command that stands alone.
    Meta(Token),
    /// A statement whose result psql runs (`\gexec`).
    Executed,
}

/// What is known of a statement too long to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long {
    /// Where it ends.
    pub end: usize,
    /// INSERT: the rows after VALUES, and where its first row and its last row end.
    pub rows: Option<LongRows>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongRows {
    pub count: usize,
    pub first_end: usize,
    pub last_end: usize,
}

/// Walks a text statement by statement.
pub struct Splitter<'a> {
    piece: &'a Piece,
    lexer: Lexer<'a>,
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
    /// psql commands met inside a statement: they come after it.
    waiting: std::collections::VecDeque<Token>,
    recoveries: usize,
    /// No `\.` stands behind here: COPY has no data in this text.
    no_data: bool,
}

/// What is known while a statement's tokens come in.
#[derive(Default)]
struct State {
    depth: usize,
    /// Inside BEGIN ATOMIC, with the CASEs that are open.
    atomic: Option<usize>,
    routine: bool,
    insert: bool,
    values: bool,
    rows: Option<LongRows>,
    long: bool,
    end: usize,
}

impl<'a> Splitter<'a> {
    pub fn new(piece: &'a Piece) -> Splitter<'a> {
        Splitter {
            piece,
            lexer: Lexer::new(piece.text()),
            tokens: Vec::new(),
            comments: Vec::new(),
            waiting: std::collections::VecDeque::new(),
            recoveries: 0,
            no_data: false,
        }
    }

    pub fn next_part(&mut self) -> Option<Part> {
        if let Some(meta) = self.waiting.pop_front() {
            return Some(Part::Meta(meta));
        }
        self.tokens.clear();
        let comments = self.comments.len();
        let mut state = State::default();
        loop {
            let Some(token) = self.lexer.next() else { return self.at_end(state, comments) };
            match token.kind {
                Kind::Comment | Kind::UnterminatedComment => {
                    self.keep_comment(token);
                    if self.is_mark(token) && !self.tokens.is_empty() {
                        return Some(self.finish(state));
                    }
                }
                Kind::Meta if self.tokens.is_empty() => return Some(Part::Meta(token)),
                Kind::Meta => {
                    let word = meta_word(token.text(self.piece.text()));
                    if word == "gexec" {
                        return Some(Part::Executed);
                    }
                    if SENDS.contains(&word) {
                        return Some(self.finish(state));
                    }
                    self.waiting.push_back(token);
                }
                Kind::Semicolon if self.tokens.is_empty() => {}
                Kind::Semicolon if self.ends_here(&state) => {
                    let part = self.finish(state);
                    self.skip_copy_data(token.end as usize);
                    return Some(part);
                }
                _ => self.take(token, &mut state),
            }
        }
    }

    fn ends_here(&self, state: &State) -> bool {
        state.atomic.is_none() && (state.depth == 0 || self.recoveries >= RECOVERIES)
    }

    fn finish(&self, state: State) -> Part {
        if state.long { Part::Long(Long { end: state.end, rows: state.rows }) } else { Part::Statement }
    }

    /// The text ends inside a statement. If its parentheses or its body did not close, what follows its first
    /// `;` would be lost with it: split again from there.
    fn at_end(&mut self, state: State, comments: usize) -> Option<Part> {
        let first = self.tokens.first().copied()?;
        let open = state.depth > 0 || state.atomic.is_some();
        if !open || self.recoveries >= RECOVERIES {
            return Some(self.finish(state));
        }
        self.recoveries += 1;
        let end = Lexer::from(self.piece.text(), first.start as usize).find(|token| token.kind == Kind::Semicolon);
        let Some(end) = end else { return Some(self.finish(state)) };
        self.tokens.retain(|token| token.start < end.start);
        let span = self.piece.span(0..end.end as usize);
        self.comments.retain(|comment| comment.span.start < span.end);
        self.comments.truncate(self.comments.len().max(comments));
        self.waiting.clear();
        self.lexer = Lexer::from(self.piece.text(), end.end as usize);
        Some(Part::Statement)
    }

    fn take(&mut self, token: Token, state: &mut State) {
        state.end = token.end as usize;
        match token.kind {
            Kind::OpenParen => state.depth += 1,
            Kind::CloseParen => {
                state.depth = state.depth.saturating_sub(1);
                if state.depth == 0 && state.values {
                    self.row_ends(token, state);
                }
            }
            Kind::Word if state.values && state.depth == 0 => state.insert = false,
            Kind::Word => self.take_word(token, state),
            _ => {}
        }
        let start = self.tokens.first().map_or(token.start, |first| first.start);
        let long_insert = state.rows.is_some() && (token.end - start) as usize > LONG_INSERT;
        if state.long || long_insert || self.tokens.len() >= MOST_TOKENS {
            state.long = true;
            return;
        }
        self.tokens.push(token);
    }

    /// A row after VALUES ends; rows after ON CONFLICT … are none.
    fn row_ends(&self, token: Token, state: &mut State) {
        if !state.insert {
            return;
        }
        let end = token.end as usize;
        match &mut state.rows {
            Some(rows) => {
                rows.count += 1;
                rows.last_end = end;
            }
            None => state.rows = Some(LongRows { count: 1, first_end: end, last_end: end }),
        }
    }

    fn take_word(&self, token: Token, state: &mut State) {
        let word = token.text(self.piece.text());
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        if self.tokens.is_empty() {
            state.insert = is("insert");
        }
        match state.atomic {
            Some(cases) if is("case") => state.atomic = Some(cases + 1),
            Some(0) if is("end") => state.atomic = None,
            Some(cases) if is("end") => state.atomic = Some(cases - 1),
            Some(_) => {}
            None if state.insert && state.depth == 0 && is("values") => state.values = true,
            None if self.tokens.len() < 4 && (is("function") || is("procedure")) => state.routine = true,
            None if state.routine && is("atomic") && self.follows("begin") => state.atomic = Some(0),
            None => {}
        }
    }

    fn follows(&self, word: &str) -> bool {
        let text = self.piece.text();
        self.tokens.last().is_some_and(|last| last.kind == Kind::Word && last.text(text).eq_ignore_ascii_case(word))
    }

    fn keep_comment(&mut self, token: Token) {
        let text = token.text(self.piece.text()).into();
        self.comments.push(Comment { span: self.piece.span(token.range()), text });
    }

    /// Comments with which runners part statements, a `;` or not.
    fn is_mark(&self, token: Token) -> bool {
        let text = token.text(self.piece.text());
        if text.starts_with("--> statement-breakpoint") {
            return true;
        }
        let Some(words) = text.strip_prefix("--").map(str::trim_start) else { return false };
        ["+goose ", "+migrate ", "migrate:up", "migrate:down"].iter().any(|mark| words.starts_with(mark))
    }

    /// After `COPY … FROM stdin;` psql takes the lines up to `\.` as data. Without such a line there is none.
    fn skip_copy_data(&mut self, from: usize) {
        if self.no_data || !self.is_copy_from_stdin() {
            return;
        }
        let text = self.piece.text();
        let Some(line) = text[from..].find('\n').map(|at| from + at) else { return };
        let mut at = line;
        while let Some(found) = text[at..].find("\n\\.") {
            let mark = at + found + 3;
            let rest = text[mark..].split('\n').next().unwrap_or_default();
            if rest.trim().is_empty() {
                self.lexer = Lexer::from(text, mark + rest.len());
                return;
            }
            at = mark;
        }
        self.no_data = true;
    }

    fn is_copy_from_stdin(&self) -> bool {
        let text = self.piece.text();
        let is = |token: &Token, word: &str| token.kind == Kind::Word && token.text(text).eq_ignore_ascii_case(word);
        self.tokens.first().is_some_and(|first| is(first, "copy"))
            && self.tokens.windows(2).any(|pair| is(&pair[0], "from") && is(&pair[1], "stdin"))
    }
}

/// psql commands that send what was typed so far.
const SENDS: &[&str] = &["g", "gx", "gset", "gdesc", "crosstabview", "watch"];

/// The command's word, without its backslash.
pub fn meta_word(text: &str) -> &str {
    let rest = text.strip_prefix('\\').unwrap_or(text);
    rest.split(|next: char| next.is_whitespace() || next == '\\').next().unwrap_or_default()
}
