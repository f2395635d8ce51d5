//! Strings and symbols, with what Active Support adds for names.

use std::sync::Arc;

use super::Evaluator;
use super::flow::Leave;
use super::given::Given;
use super::names;
use super::scope::same;
use crate::rails::value::{Text, Value};
use crate::source::{PieceBuilder, Span};

/// What a call on a text may need.
struct Asked<'g> {
    text: &'g str,
    given: &'g Given,
}

impl Evaluator<'_> {
    pub(super) fn text_call(
        &mut self,
        value: &Value,
        name: &str,
        given: &Given,
        at: Span,
    ) -> Result<Option<Value>, Leave> {
        let Some(text) = value.name().map(str::to_owned) else { return Ok(None) };
        if let Some(Value::Unknown(why)) = given.first() {
            return Ok(Some(Value::Unknown(why.clone())));
        }
        self.budget.bytes(text.len(), at)?;
        if let Some(answer) = super::time::date_call(&text, name, given) {
            return Ok(Some(answer));
        }
        let known = match name {
            "to_proc" => Some(self.make(super::object::Thing::Sender(text.as_str().into()))),
            "constantize" | "safe_constantize" => {
                let path: Arc<str> = text.trim_start_matches("::").into();
                Some(self.constant(&path)?)
            }
            "squish" | "strip_heredoc" | "strip" | "chomp" | "lstrip" | "rstrip" | "dedent"
                if given.arguments.is_empty() =>
            {
                Some(Value::Text(trimmed(value, name)))
            }
            "+" | "concat" => match given.first() {
                Some(Value::Text(other)) => {
                    self.budget.bytes(other.as_str().len(), at)?;
                    Some(Value::Text(joined(value, other, at)))
                }
                _ => None,
            },
            "*" => match given.first() {
                Some(Value::Integer(count)) => {
                    let count = usize::try_from(*count).unwrap_or(0);
                    self.budget.bytes(text.len().saturating_mul(count), at)?;
                    Some(Value::text(text.repeat(count)))
                }
                _ => None,
            },
            "%" => {
                let arguments = match given.first() {
                    Some(Value::Array(items)) => items.to_vec(),
                    Some(one) => vec![one.clone()],
                    None if !given.keywords.is_empty() => vec![Value::Hash(Arc::new(given.keywords.clone()))],
                    None => Vec::new(),
                };
                Some(self.formatted(&Text::new(text.as_str()), &arguments, at)?)
            }
            "=~" | "match" | "match?" | "!~" => match given.first() {
                Some(Value::Regex { pattern, flags }) => Some(self.matched(pattern, flags, &text, name, at)?),
                Some(Value::Text(pattern)) => Some(self.matched(pattern.as_str(), "", &text, name, at)?),
                _ => None,
            },
            "sub" | "gsub" => Some(self.replaced(&text, given, name == "gsub", at)?),
            "scan" => self.scanned(&text, given, at)?,
            "each_line" | "each_char" | "each_with_index" => {
                let lines = text.split_inclusive('\n').map(Value::text).collect::<Vec<_>>();
                self.list_call(&Arc::new(lines), "each", given, at)?
            }
            // A path of the project's, as `Rails.root` begins it.
            "join" => {
                let parts: Option<Vec<Arc<str>>> = given.arguments.iter().map(Value::to_text).collect();
                parts.map(|parts| Value::text(format!("{text}/{}", parts.join("/"))))
            }
            "read" => Some(self.text_of_file(&text)),
            "pluralize" => Some(Value::text(self.dialect.inflections.pluralize(&text))),
            "singularize" => Some(Value::text(self.dialect.inflections.singularize(&text))),
            "tableize" => Some(Value::text(self.table_of(&text))),
            "classify" => {
                let singular = self.dialect.inflections.singularize(text.rsplit('.').next().unwrap_or(&text));
                Some(Value::text(names::camelize(&singular, true)))
            }
            "foreign_key" => Some(Value::text(format!("{}_id", names::underscore(names::demodulize(&text))))),
            "ljust" | "rjust" | "center" => {
                let width = match given.first() {
                    Some(Value::Integer(width)) => usize::try_from(*width).unwrap_or(0),
                    _ => return Ok(None),
                };
                self.budget.bytes(width, at)?;
                let pad = given.arguments.get(1).and_then(Value::name).unwrap_or(" ").to_owned();
                Some(Value::text(padded(&text, width, &pad, name)))
            }
            _ => None,
        };
        if known.is_some() {
            return Ok(known);
        }
        let asked = Asked { text: &text, given };
        let found = asked.shape(name).or_else(|| asked.question(name)).or_else(|| asked.part(name));
        if let Some(Value::Array(items)) = &found {
            self.budget.items(items.len(), at)?;
        }
        // What a symbol becomes by a change of its letters is a symbol.
        let stays_symbol =
            matches!(value, Value::Symbol(_)) && matches!(name, "upcase" | "downcase" | "capitalize" | "succ");
        Ok(match found {
            Some(Value::Text(text)) if stays_symbol => Some(Value::symbol(text.as_str())),
            other => other,
        })
    }

    fn scanned(&mut self, text: &str, given: &Given, at: Span) -> Result<Option<Value>, Leave> {
        let regex = match given.first() {
            Some(Value::Regex { pattern, flags }) => super::regex::compile(pattern, flags),
            Some(Value::Text(plain)) => regex::Regex::new(&regex::escape(plain.as_str())).ok(),
            _ => None,
        };
        let Some(regex) = regex else { return Ok(None) };
        let mut found = Vec::new();
        for captures in regex.captures_iter(text) {
            self.budget.items(captures.len(), at)?;
            let texts = |from: usize| {
                captures.iter().skip(from).map(|one| one.map_or(Value::Nil, |one| Value::text(one.as_str())))
            };
            found.push(match captures.len() {
                1 => texts(0).next().unwrap_or(Value::Nil),
                _ => Value::Array(Arc::new(texts(1).collect())),
            });
        }
        let list = Value::Array(Arc::new(found));
        match &given.block {
            Some(_) => {
                let given = Given { arguments: Vec::new(), ..given.clone() };
                Ok(Some(self.send(list, &"each".into(), given, at)?))
            }
            None => Ok(Some(list)),
        }
    }

    /// The table of a class, or of a name like one.
    pub(super) fn table_of(&self, class: &str) -> String {
        let name = names::underscore(names::demodulize(class));
        self.dialect.inflections.pluralize(&name)
    }
}

impl Asked<'_> {
    /// Texts that are made of the whole text.
    fn shape(&self, name: &str) -> Option<Value> {
        let text = self.text;
        let first = || self.given.first().and_then(Value::name);
        Some(Value::text(match name {
            "upcase" => text.to_uppercase(),
            "downcase" => text.to_lowercase(),
            "capitalize" => names::capitalize(text),
            "swapcase" => text
                .chars()
                .map(|one| if one.is_uppercase() { one.to_ascii_lowercase() } else { one.to_ascii_uppercase() })
                .collect(),
            "reverse" => text.chars().rev().collect(),
            "underscore" => names::underscore(text),
            "camelize" | "camelcase" => {
                names::camelize(text, self.given.first().and_then(Value::name) != Some("lower"))
            }
            "demodulize" => names::demodulize(text).to_owned(),
            "deconstantize" => text.rsplit_once("::").map_or(String::new(), |(before, _)| before.to_owned()),
            "dasherize" => text.replace('_', "-"),
            "humanize" => names::humanize(text),
            "titleize" | "titlecase" => names::titleize(text),
            "parameterize" => {
                let separator = self.given.keyword("separator").and_then(Value::name).unwrap_or("-");
                names::parameterize(text, separator)
            }
            "to_s" | "to_str" | "name" | "id2name" | "encode" | "force_encoding" | "scrub" | "unicode_normalize"
            | "b" | "html_safe" | "+@" | "-@" => text.to_owned(),
            "tr" | "tr_s" => translate(text, first()?, self.given.arguments.get(1)?.name()?),
            "delete" => text.chars().filter(|one| !set_of(first().unwrap_or("")).contains(one)).collect(),
            "squeeze" => squeezed(text),
            "delete_prefix" => text.strip_prefix(first()?).unwrap_or(text).to_owned(),
            "delete_suffix" => text.strip_suffix(first()?).unwrap_or(text).to_owned(),
            "chomp" => text.strip_suffix(first()?).unwrap_or(text).to_owned(),
            "chop" => {
                let mut letters = text.chars();
                letters.next_back();
                letters.as_str().to_owned()
            }
            "remove" => self
                .given
                .arguments
                .iter()
                .filter_map(Value::name)
                .fold(text.to_owned(), |text, one| text.replace(one, "")),
            "prepend" => format!("{}{text}", first()?),
            "indent" => {
                let Some(Value::Integer(count)) = self.given.first() else { return None };
                let pad = " ".repeat(usize::try_from(*count).ok()?.min(256));
                text.lines()
                    .map(|line| if line.is_empty() { line.to_owned() } else { format!("{pad}{line}") })
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            "succ" | "next" => successor(text)?,
            "to_sym" | "intern" => return Some(Value::symbol(text)),
            _ => return None,
        }))
    }

    fn question(&self, name: &str) -> Option<Value> {
        let text = self.text;
        let texts = || self.given.arguments.iter().filter_map(Value::name);
        Some(match name {
            "empty?" => Value::Bool(text.is_empty()),
            "start_with?" | "starts_with?" => match self.given.first() {
                Some(Value::Regex { pattern, flags }) => {
                    let regex = super::regex::compile(&format!("\\A(?:{pattern})"), flags)?;
                    Value::Bool(regex.is_match(text))
                }
                _ => Value::Bool(texts().any(|one| text.starts_with(one))),
            },
            "end_with?" | "ends_with?" => Value::Bool(texts().any(|one| text.ends_with(one))),
            "include?" => Value::Bool(text.contains(texts().next()?)),
            "exclude?" => Value::Bool(!text.contains(texts().next()?)),
            "length" | "size" => Value::Integer(text.chars().count() as i64),
            "bytesize" => Value::Integer(text.len() as i64),
            "count" => {
                let set = set_of(texts().next()?);
                Value::Integer(text.chars().filter(|one| set.contains(one)).count() as i64)
            }
            "<=>" => Value::Integer(text.cmp(texts().next()?) as i64),
            "<" => Value::Bool(text < texts().next()?),
            ">" => Value::Bool(text > texts().next()?),
            "casecmp?" => Value::Bool(text.eq_ignore_ascii_case(texts().next()?)),
            "===" => Value::Bool(same(&Value::text(text), self.given.first()?) == Some(true)),
            "to_i" => Value::Integer(leading_number(text)),
            "to_f" => Value::Float(text.trim().parse::<f64>().ok()?.to_string().into()),
            "to_date" | "to_time" | "to_datetime" | "in_time_zone" => Value::text(text),
            "ord" => Value::Integer(text.chars().next()? as i64),
            "index" => match text.find(texts().next()?) {
                Some(at) => Value::Integer(text[..at].chars().count() as i64),
                None => Value::Nil,
            },
            "hash" | "unpack" | "unpack1" => return None,
            "valid_encoding?" | "ascii_only?" => Value::Bool(true),
            // `Rails.env.test?`
            asked if text == "production" && asked.ends_with('?') => Value::Bool(asked == "production?"),
            _ => return None,
        })
    }

    /// Parts of a text.
    fn part(&self, name: &str) -> Option<Value> {
        let text = self.text;
        let first = self.given.first();
        let list = |items: Vec<Value>| Some(Value::Array(Arc::new(items)));
        match name {
            "split" => {
                let limit = match self.given.arguments.get(1) {
                    Some(Value::Integer(limit)) if *limit > 0 => usize::try_from(*limit).ok()?,
                    _ => usize::MAX,
                };
                let mut parts: Vec<String> = match first {
                    None | Some(Value::Nil) => text.split_whitespace().map(str::to_owned).collect(),
                    Some(Value::Text(by)) if by.as_str() == " " => text.split_whitespace().map(str::to_owned).collect(),
                    Some(Value::Text(by)) if by.as_str().is_empty() => text.chars().map(String::from).collect(),
                    Some(Value::Text(by)) if limit != usize::MAX => {
                        text.splitn(limit, by.as_str()).map(str::to_owned).collect()
                    }
                    Some(Value::Text(by)) => text.split(by.as_str()).map(str::to_owned).collect(),
                    Some(Value::Regex { pattern, flags }) => {
                        super::regex::compile(pattern, flags)?.split(text).map(str::to_owned).collect()
                    }
                    _ => return None,
                };
                while limit == usize::MAX && parts.last().is_some_and(String::is_empty) {
                    parts.pop();
                }
                list(parts.into_iter().map(Value::text).collect())
            }
            "lines" => list(text.split_inclusive('\n').map(Value::text).collect()),
            "chars" => list(text.chars().map(|one| Value::text(one.to_string())).collect()),
            "bytes" => list(text.bytes().map(|one| Value::Integer(i64::from(one))).collect()),
            "partition" | "rpartition" => {
                let by = first?.name()?;
                let found = if name == "partition" { text.split_once(by) } else { text.rsplit_once(by) };
                let parts = match (found, name) {
                    (Some((before, after)), _) => [before, by, after],
                    (None, "partition") => [text, "", ""],
                    (None, _) => ["", "", text],
                };
                list(parts.into_iter().map(Value::text).collect())
            }
            "[]" | "slice" | "first" | "last" | "from" | "to" | "truncate" | "byteslice" => self.slice(name),
            _ => None,
        }
    }

    fn slice(&self, name: &str) -> Option<Value> {
        let letters: Vec<char> = self.text.chars().collect();
        let length = letters.len() as i64;
        let number = |value: Option<&Value>| match value {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        let cut = |from: i64, to: i64| -> Value {
            let (from, to) = (from.clamp(0, length), to.clamp(0, length));
            Value::text(letters[from as usize..to.max(from) as usize].iter().collect::<String>())
        };
        let first = self.given.first();
        let place = |at: i64| if at < 0 { length + at } else { at };
        Some(match (name, first) {
            ("first", None) => cut(0, 1),
            ("last", None) => cut(length - 1, length),
            ("first", _) => cut(0, number(first)?),
            ("last", _) => cut(length.saturating_sub(number(first)?), length),
            ("from", _) => cut(place(number(first)?), length),
            ("to", _) => cut(0, place(number(first)?).saturating_add(1)),
            ("truncate", _) => {
                let limit = number(first)?;
                if length <= limit {
                    Value::text(self.text)
                } else {
                    let head: String = letters
                        [..usize::try_from(limit.saturating_sub(3)).unwrap_or(0).min(letters.len())]
                        .iter()
                        .collect();
                    Value::text(format!("{head}..."))
                }
            }
            (_, Some(Value::Range { from, to, exclusive })) => {
                let start = place(number(Some(from)).unwrap_or(0));
                let end = match &**to {
                    Value::Integer(end) => place(*end).saturating_add(i64::from(!exclusive)),
                    _ => length,
                };
                if start > length || start < 0 { Value::Nil } else { cut(start, end) }
            }
            (_, Some(Value::Integer(start))) => {
                let start = place(*start);
                if start > length || start < 0 {
                    return Some(Value::Nil);
                }
                match self.given.arguments.get(1) {
                    Some(Value::Integer(count)) => cut(start, start.saturating_add(*count)),
                    _ if start == length => Value::Nil,
                    _ => cut(start, start + 1),
                }
            }
            (_, Some(Value::Text(part))) => match self.text.contains(part.as_str()) {
                true => Value::Text(part.clone()),
                false => Value::Nil,
            },
            (_, Some(Value::Regex { pattern, flags })) => {
                let regex = super::regex::compile(pattern, flags)?;
                let found = regex.captures(self.text);
                let group = match self.given.arguments.get(1) {
                    Some(Value::Integer(group)) => {
                        found.as_ref().and_then(|one| one.get(usize::try_from(*group).ok()?))
                    }
                    Some(key) => found.as_ref().and_then(|one| one.name(key.name()?)),
                    None => found.as_ref().and_then(|one| one.get(0)),
                };
                group.map_or(Value::Nil, |one| Value::text(one.as_str()))
            }
            _ => return None,
        })
    }
}

/// Shorter texts that keep the places of what stays.
fn trimmed(value: &Value, how: &str) -> Text {
    let Value::Text(text) = value else { return Text::new(value.name().unwrap_or_default()) };
    let whole = text.as_str();
    let keep = match how {
        "strip" => whole.trim(),
        "lstrip" => whole.trim_start(),
        "rstrip" => whole.trim_end(),
        "chomp" => whole.strip_suffix("\r\n").or_else(|| whole.strip_suffix('\n')).unwrap_or(whole),
        "squish" => return squished(text),
        _ => return dedented(text),
    };
    let start = keep.as_ptr() as usize - whole.as_ptr() as usize;
    text.part(start..start + keep.len())
}

/// One space for each run of white space.
fn squished(text: &Text) -> Text {
    let whole = text.as_str();
    let mut parts = Vec::new();
    for word in whole.split_whitespace() {
        let start = word.as_ptr() as usize - whole.as_ptr() as usize;
        parts.push(start..start + word.len());
    }
    text.parts(&parts, " ")
}

/// `strip_heredoc`: the least indent goes from every line.
fn dedented(text: &Text) -> Text {
    let whole = text.as_str();
    let indent_of = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let lines = whole.split_inclusive('\n');
    let indent = lines.clone().filter(|line| !line.trim().is_empty()).map(indent_of).min().unwrap_or(0);
    let mut parts = Vec::new();
    let mut at = 0;
    for line in lines {
        let skip = indent.min(indent_of(line));
        parts.push(at + skip..at + line.len());
        at += line.len();
    }
    text.parts(&parts, "")
}

fn joined(one: &Value, other: &Text, at: Span) -> Text {
    let one = match one {
        Value::Text(text) => text.clone(),
        other => Text::new(other.name().unwrap_or_default()),
    };
    match (one.placed_piece(), other.placed_piece()) {
        (None, None) => Text::new(format!("{}{}", one.as_str(), other.as_str())),
        _ => {
            let mut built = PieceBuilder::new(at.source);
            for part in [&one, other] {
                match part.placed_piece() {
                    Some(piece) if piece.source() == at.source => built.copy(piece, 0..piece.text().len()),
                    _ => built.stand_for(part.as_str(), at),
                }
            }
            Text::placed(built.finish())
        }
    }
}

fn padded(text: &str, width: usize, pad: &str, how: &str) -> String {
    let missing = width.saturating_sub(text.chars().count());
    if pad.is_empty() {
        return text.to_owned();
    }
    let fill = |count: usize| pad.chars().cycle().take(count).collect::<String>();
    match how {
        "ljust" => format!("{text}{}", fill(missing)),
        "rjust" => format!("{}{text}", fill(missing)),
        _ => format!("{}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
    }
}

/// `a-z` of `tr` and `delete`.
fn set_of(text: &str) -> Vec<char> {
    let letters: Vec<char> = text.chars().collect();
    let mut set = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        if at + 2 < letters.len() && letters[at + 1] == '-' && letters[at] <= letters[at + 2] {
            set.extend((letters[at]..=letters[at + 2]).take(0x300));
            at += 3;
        } else {
            set.push(letters[at]);
            at += 1;
        }
    }
    set
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let to = set_of(to);
    if let Some(others) = from.strip_prefix('^').filter(|others| !others.is_empty()) {
        let set = set_of(others);
        let by = to.last().copied();
        return text.chars().filter_map(|one| if set.contains(&one) { Some(one) } else { by }).collect();
    }
    let from = set_of(from);
    let by = |one: char| match from.iter().position(|known| *known == one) {
        Some(place) => to.get(place).or(to.last()).copied(),
        None => Some(one),
    };
    text.chars().filter_map(by).collect()
}

fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if !out.ends_with(letter) {
            out.push(letter);
        }
    }
    out
}

fn leading_number(text: &str) -> i64 {
    let text = text.trim().replace('_', "");
    let end =
        text.char_indices().find(|(at, one)| !(one.is_ascii_digit() || (*at == 0 && (*one == '-' || *one == '+'))));
    text[..end.map_or(text.len(), |(at, _)| at)].parse().unwrap_or(0)
}

/// `succ` of what ends in a digit or a letter that is not the last of its kind.
fn successor(text: &str) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    for at in (0..letters.len()).rev() {
        match letters[at] {
            '9' => letters[at] = '0',
            'z' => letters[at] = 'a',
            'Z' => letters[at] = 'A',
            one if one.is_ascii_alphanumeric() => {
                letters[at] = char::from_u32(one as u32 + 1)?;
                return Some(letters.into_iter().collect());
            }
            _ => return None,
        }
    }
    None
}

/// `format`: widths, precision, names; what is not known gives the reason.
pub(super) fn format(pattern: &str, arguments: &[Value]) -> Result<String, Arc<str>> {
    let mut out = String::with_capacity(pattern.len());
    let mut next = arguments.iter();
    let named = |name: &str| -> Option<&Value> {
        let Some(Value::Hash(pairs)) = arguments.first() else { return None };
        pairs.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    };
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            let value = named(name).ok_or_else(|| Arc::from(format!("`%{{{name}}}` is not given")))?;
            out.push_str(&text_of(value)?);
            rest = after;
            continue;
        }
        let mut value = None;
        if let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            value = Some(named(name).ok_or_else(|| Arc::from(format!("`%<{name}>` is not given")))?);
            rest = after;
        }
        let end = rest.find(|one: char| one.is_ascii_alphabetic()).ok_or("a format that is not followed")?;
        let (flags, kind) = (&rest[..end], rest[end..].chars().next().unwrap_or('s'));
        rest = &rest[end + kind.len_utf8()..];
        let value = value.or_else(|| next.next()).ok_or("a format asks for more than it is given")?;
        out.push_str(&one_formatted(flags, kind, value)?);
        if out.len() > 1 << 20 {
            return Err("a text too long to follow".into());
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn text_of(value: &Value) -> Result<Arc<str>, Arc<str>> {
    value.to_text().ok_or_else(|| match value {
        Value::Unknown(why) => why.clone(),
        _ => "a value that only the running program knows".into(),
    })
}

fn one_formatted(flags: &str, kind: char, value: &Value) -> Result<String, Arc<str>> {
    let (left, zero) = (flags.contains('-'), flags.trim_start_matches(['-', '+', ' ']).starts_with('0'));
    let digits = flags.trim_start_matches(['-', '+', ' ', '0', '#']);
    let (width, precision) =
        digits.split_once('.').map_or((digits, None), |(width, precision)| (width, Some(precision)));
    let width: usize = width.parse().unwrap_or(0).min(10_000);
    let precision: Option<usize> = precision.map(|one| one.parse().unwrap_or(0).min(1000));
    let number = || super::number::float(value).ok_or_else(|| Arc::from("a format of what is no number"));
    let text = match kind {
        's' => {
            let text = text_of(value)?;
            precision.map_or_else(|| text.to_string(), |count| text.chars().take(count).collect())
        }
        'd' | 'i' | 'u' => match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => leading_number(text.as_str()).to_string(),
            Value::Unknown(why) => return Err(why.clone()),
            _ => (number()? as i64).to_string(),
        },
        'f' => format!("{:.*}", precision.unwrap_or(6), number()?),
        'x' => format!("{:x}", number()? as i64),
        'X' => format!("{:X}", number()? as i64),
        'o' => format!("{:o}", number()? as i64),
        'b' => format!("{:b}", number()? as i64),
        'p' => crate::rails::value::Inspected(value).to_string(),
        _ => return Err("a format that is not followed".into()),
    };
    let missing = width.saturating_sub(text.chars().count());
    Ok(match (left, zero && kind != 's') {
        (true, _) => format!("{text}{}", " ".repeat(missing)),
        (false, true) => format!("{}{text}", "0".repeat(missing)),
        (false, false) => format!("{}{text}", " ".repeat(missing)),
    })
}
