//! The tokens of one text, to look at by their places: what the expression and PL/pgSQL readers share.

use std::ops::Range;

use super::lexer::{Kind, Lexer, Token};
use super::literal;
use crate::operation::{Ident, Name};

/// The escape of `U&'…'` where UESCAPE names no other.
pub(crate) const ESCAPE: char = '\\';

/// The tokens of a text without comments.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    pub text: &'a str,
    pub list: Vec<Token>,
    /// For each token that opens: behind the one that closes it.
    closers: Vec<u32>,
}

/// Two texts are the same but for comments, blanks and the case of words.
pub fn same_tokens(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (one, other) = (Tokens::new(one), Tokens::new(other));
    let same = |(left, right): (&Token, &Token)| {
        let (first, second) = (left.text(one.text), right.text(other.text));
        left.kind == right.kind
            && match left.kind {
                Kind::Word => first.eq_ignore_ascii_case(second),
                _ => first == second,
            }
    };
    one.list.len() == other.list.len() && one.list.iter().zip(&other.list).all(same)
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Tokens<'a> {
        let list = Lexer::new(text).filter(|token| !matches!(token.kind, Kind::Comment | Kind::UnterminatedComment));
        let list: Vec<Token> = list.collect();
        let closers = closers(&list);
        Tokens { text, list, closers }
    }

    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.list.get(at).map(|token| token.kind)
    }

    pub fn is_word(&self, at: usize, word: &str) -> bool {
        self.list
            .get(at)
            .is_some_and(|token| token.kind == Kind::Word && token.text(self.text).eq_ignore_ascii_case(word))
    }

    pub fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(at, word))
    }

    pub fn are_words(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.is_word(at + offset, word))
    }

    pub fn is_name(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Word | Kind::Quoted | Kind::UnicodeQuoted | Kind::Template | Kind::Variable))
    }

    pub fn is_operator(&self, at: usize, operator: &str) -> bool {
        self.list.get(at).is_some_and(|token| token.kind == Kind::Operator && token.text(self.text) == operator)
    }

    /// Behind `name.name…`; `at` where none stands.
    pub fn name_end(&self, mut at: usize) -> usize {
        if !self.is_name(at) {
            return at;
        }
        at += 1;
        while self.kind(at) == Some(Kind::Dot) && self.is_name(at + 1) {
            at += 2;
        }
        at
    }

    /// The name at `at`, its last two parts.
    pub fn name(&self, at: usize) -> Option<Name> {
        let end = self.name_end(at);
        let last = self.ident(end.checked_sub(1).filter(|last| *last >= at)?)?;
        let schema = if end >= at + 3 { self.ident(end - 3) } else { None };
        Some(Name { schema, name: last })
    }

    pub fn ident(&self, at: usize) -> Option<Ident> {
        let token = *self.list.get(at)?;
        self.is_name(at).then(|| literal::ident(self.text, token, ESCAPE))
    }

    /// Behind the parenthesis or bracket that closes the one at `at`; the end where none does.
    pub fn closed(&self, at: usize) -> usize {
        self.closers.get(at).map_or(self.list.len(), |end| *end as usize)
    }

    /// The first of `words` outside parentheses, before `to`.
    pub fn find(&self, from: usize, to: usize, words: &[&str]) -> Option<usize> {
        let mut at = from;
        while at < to {
            if self.is_any(at, words) {
                return Some(at);
            }
            at = self.next_outside(at);
        }
        None
    }

    /// The next token that is not inside parentheses that open at `at`.
    pub fn next_outside(&self, at: usize) -> usize {
        match self.kind(at) {
            Some(Kind::OpenParen | Kind::OpenBracket) => self.closed(at).max(at + 1),
            _ => at + 1,
        }
    }

    /// The ranges between commas outside parentheses.
    pub fn split(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut start = from;
        let mut at = from;
        while at < to {
            if self.kind(at) == Some(Kind::Comma) {
                found.push((start, at));
                start = at + 1;
            }
            at = self.next_outside(at);
        }
        if start < to {
            found.push((start, to));
        }
        found
    }

    /// The bytes of the tokens `from..to`, comments between them included.
    pub fn range(&self, from: usize, to: usize) -> Range<usize> {
        match (self.list.get(from), to.checked_sub(1).and_then(|last| self.list.get(last))) {
            (Some(first), Some(last)) if from < to => first.start as usize..last.end as usize,
            (Some(first), _) => first.start as usize..first.start as usize,
            (None, _) => self.text.len()..self.text.len(),
        }
    }

    /// Their text.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[self.range(from, to)]
    }
}

fn closers(list: &[Token]) -> Vec<u32> {
    let mut closers: Vec<u32> = vec![list.len() as u32; list.len()];
    let mut open = Vec::new();
    for (at, token) in list.iter().enumerate() {
        match token.kind {
            Kind::OpenParen | Kind::OpenBracket => open.push(at),
            Kind::CloseParen | Kind::CloseBracket => {
                if let Some(opened) = open.pop() {
                    closers[opened] = at as u32 + 1;
                }
            }
            _ => {}
        }
    }
    closers
}
