//! Names as Active Support and Active Record make them.

use sha2::{Digest, Sha256};

use super::given::Given;
use crate::rails::value::Value;

/// `FooBar::BazQux` is `foo_bar/baz_qux`.
pub fn underscore(text: &str) -> String {
    let text = text.replace("::", "/");
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        if letter.is_uppercase() {
            let word_ends = before.is_some_and(|one| one.is_lowercase() || one.is_ascii_digit());
            let acronym_ends =
                before.is_some_and(|one| one.is_uppercase()) && after.is_some_and(|one| one.is_lowercase());
            if word_ends || acronym_ends {
                out.push('_');
            }
            out.extend(letter.to_lowercase());
        } else if *letter == '-' {
            out.push('_');
        } else {
            out.push(*letter);
        }
    }
    out
}

/// `foo_bar/baz` is `FooBar::Baz`.
pub fn camelize(text: &str, upper: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut next_upper = upper;
    for letter in text.chars() {
        match letter {
            '_' => next_upper = true,
            '/' => {
                out.push_str("::");
                next_upper = true;
            }
            letter if next_upper => {
                out.extend(letter.to_uppercase());
                next_upper = false;
            }
            letter => out.push(letter),
        }
    }
    out
}

/// The last part of a constant's path.
pub(super) fn demodulize(text: &str) -> &str {
    text.rsplit("::").next().unwrap_or(text)
}

pub(super) fn humanize(text: &str) -> String {
    let text = text.strip_suffix("_id").unwrap_or(text).replace('_', " ");
    capitalize(text.trim())
}

pub(super) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

pub(super) fn titleize(text: &str) -> String {
    let words = underscore(text).replace(['_', '/'], " ");
    words.split(' ').map(capitalize).collect::<Vec<_>>().join(" ")
}

pub(super) fn parameterize(text: &str, separator: &str) -> String {
    let kept = text.to_lowercase();
    let words = kept.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(separator)
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `index_name(table, columns)`, as long names are not made shorter.
pub(super) fn index_name(given: &Given) -> Option<String> {
    let table = given.first()?.to_text()?;
    let columns = match given.arguments.get(1).or_else(|| given.keyword("column"))? {
        Value::Array(items) => {
            items.iter().map(|item| Some(item.to_text()?.to_string())).collect::<Option<Vec<_>>>()?
        }
        one => vec![one.to_text()?.to_string()],
    };
    let name = format!("index_{}_on_{}", table.replace('.', "_"), columns.join("_and_"));
    (name.len() <= 62).then_some(name)
}
