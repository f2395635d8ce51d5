//! Regular expressions, as the `regex` crate has them; what it cannot express is not known.

use std::borrow::Cow;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};

use super::Evaluator;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::object::Thing;
use crate::rails::value::Value;
use crate::source::Span;

/// Compiled expressions are no larger.
const SIZE: usize = 1 << 20;

/// Ruby's expression in the words of ours: `^` and `$` are of lines, `\A`, `\z`, `\h` have other names.
pub(super) fn compile(pattern: &str, flags: &str) -> Option<Regex> {
    let mut text = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('Z') => text.push_str(r"\n?\z"),
            Some('h') => text.push_str("[0-9a-fA-F]"),
            Some('H') => text.push_str("[^0-9a-fA-F]"),
            Some('/') => text.push('/'),
            Some('G' | 'K' | 'R' | 'X') => return None,
            Some(other) => text.extend(['\\', other]),
            None => return None,
        }
    }
    let text = text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!");
    RegexBuilder::new(&text)
        .multi_line(true)
        .dot_matches_new_line(flags.contains('m'))
        .case_insensitive(flags.contains('i'))
        .ignore_whitespace(flags.contains('x'))
        .size_limit(SIZE)
        .build()
        .ok()
}

fn captures_of(found: &Captures<'_>) -> Vec<Value> {
    found.iter().map(|one| one.map_or(Value::Nil, |one| Value::text(one.as_str()))).collect()
}

fn names_of(regex: &Regex, found: &Captures<'_>) -> Vec<(Arc<str>, Value)> {
    let named = regex.capture_names().flatten();
    named.map(|name| (name.into(), found.name(name).map_or(Value::Nil, |one| Value::text(one.as_str())))).collect()
}

/// `match[1]`, `match[:name]`, `match.captures`.
pub(super) fn capture(captures: &[Value], names: &[(Arc<str>, Value)], name: &str, given: &Given) -> Option<Value> {
    match (name, given.first()) {
        ("[]", Some(Value::Integer(number))) => {
            let place = usize::try_from(*number).ok()?;
            Some(captures.get(place).cloned().unwrap_or(Value::Nil))
        }
        ("[]", Some(key)) => {
            let key = key.name()?;
            Some(names.iter().find(|(name, _)| &**name == key).map_or(Value::Nil, |(_, value)| value.clone()))
        }
        ("captures", _) => Some(Value::Array(Arc::new(captures.get(1..).unwrap_or_default().to_vec()))),
        ("to_a", _) => Some(Value::Array(Arc::new(captures.to_vec()))),
        ("named_captures", _) => {
            let pairs = names.iter().map(|(name, value)| (Value::text(&**name), value.clone()));
            Some(Value::Hash(Arc::new(pairs.collect())))
        }
        ("to_s", _) => captures.first().cloned(),
        _ => None,
    }
}

impl Evaluator<'_> {
    pub(super) fn regex_call(
        &mut self,
        pattern: &str,
        flags: &str,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        match name {
            "source" => return Ok(Some(Value::text(pattern))),
            "match" | "=~" | "match?" | "===" | "!~" => {}
            _ => return Ok(None),
        }
        let text = match given.first() {
            Some(Value::Text(text)) => text.as_str().to_owned(),
            Some(Value::Symbol(name)) => name.to_string(),
            Some(Value::Unknown(why)) => return Ok(Some(Value::Unknown(why.clone()))),
            _ => return Ok(Some(if name == "===" || name == "match?" { Value::Bool(false) } else { Value::Nil })),
        };
        self.matched(pattern, flags, &text, name, at).map(Some)
    }

    /// What `match`, `=~` and `match?` give, and what `$1` is from here on.
    pub(super) fn matched(&mut self, pattern: &str, flags: &str, text: &str, name: &str, at: Span) -> Flow {
        self.budget.bytes(text.len(), at)?;
        let Some(regex) = compile(pattern, flags) else {
            return Ok(Value::unknown(format!("the regular expression `{pattern}` is not followed")));
        };
        let found = regex.captures(text);
        let is_match = found.is_some();
        if name == "match?" {
            return Ok(Value::Bool(is_match));
        }
        self.captures = found.as_ref().map(captures_of).unwrap_or_default();
        Ok(match (name, found) {
            ("===", _) => Value::Bool(is_match),
            ("!~", _) => Value::Bool(!is_match),
            ("=~", Some(found)) => {
                for (name, value) in names_of(&regex, &found) {
                    self.scopes.set(self.here.scope, &name, value);
                }
                Value::Integer(found.get(0).map_or(0, |whole| text[..whole.start()].chars().count() as i64))
            }
            ("match", Some(found)) => {
                let names = names_of(&regex, &found);
                self.make(Thing::Match(captures_of(&found), names))
            }
            _ => Value::Nil,
        })
    }

    /// `sub` and `gsub` with a text or a block.
    pub(super) fn replaced(&mut self, text: &str, given: &Given, all: bool, at: Span) -> Flow {
        let (pattern, by) = (given.first(), given.arguments.get(1));
        let regex = match pattern {
            Some(Value::Regex { pattern, flags }) => compile(pattern, flags),
            Some(Value::Text(plain)) => Regex::new(&regex::escape(plain.as_str())).ok(),
            Some(Value::Unknown(why)) => return Ok(Value::Unknown(why.clone())),
            _ => None,
        };
        let Some(regex) = regex else { return Ok(Value::unknown("what is replaced is not known")) };
        let mut out = String::new();
        let mut last = 0;
        for found in regex.captures_iter(text) {
            self.budget.step(at)?;
            let Some(whole) = found.get(0) else { continue };
            self.captures = captures_of(&found);
            out.push_str(&text[last..whole.start()]);
            match (by, &given.block) {
                (Some(Value::Text(template)), _) => out.push_str(&expand(template.as_str(), &found)),
                (Some(Value::Hash(pairs)), _) => {
                    let key = Value::text(whole.as_str());
                    let known = pairs.iter().find(|(known, _)| super::scope::same(known, &key) == Some(true));
                    out.push_str(&known.and_then(|(_, value)| value.to_text()).unwrap_or_default());
                }
                (None, Some(block)) => {
                    let value = self.call_block(block, Given::of(vec![Value::text(whole.as_str())]), at)?;
                    match value.to_text() {
                        Some(text) => out.push_str(&text),
                        None => return Ok(Value::Unknown(self.why_unknown(&value))),
                    }
                }
                _ => return Ok(Value::unknown("what it is replaced by is not known")),
            }
            self.budget.bytes(out.len() - last.min(out.len()), at)?;
            last = whole.end();
            if !all {
                break;
            }
        }
        out.push_str(&text[last..]);
        self.budget.bytes(out.len(), at)?;
        Ok(Value::text(out))
    }
}

/// `\1`, `\k<name>`, `\0` in what replaces.
fn expand<'t>(template: &'t str, found: &Captures<'_>) -> Cow<'t, str> {
    if !template.contains('\\') {
        return Cow::Borrowed(template);
    }
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(next) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        if let Some(number) = next.to_digit(10) {
            out.push_str(found.get(number as usize).map_or("", |one| one.as_str()));
            rest = &rest[1..];
        } else if let Some((name, after)) = rest.strip_prefix("k<").and_then(|rest| rest.split_once('>')) {
            out.push_str(found.name(name).map_or("", |one| one.as_str()));
            rest = after;
        } else {
            if next != '\\' {
                out.push('\\');
            }
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}
