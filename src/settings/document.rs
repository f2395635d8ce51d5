//! A TOML document read by type, every fault kept with its place. Knows no key.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::Severity;

pub type Value<'i> = Spanned<DeValue<'i>>;

/// A fault and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub message: String,
    pub help: Option<String>,
    pub range: Range<usize>,
}

/// Collects what is wrong while values are read.
#[derive(Debug, Default)]
pub struct Faults {
    pub found: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, range: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.found.push(Fault { message: message.into(), help, range });
    }

    /// Keeps a value, or its fault.
    pub fn keep<T>(&mut self, range: Range<usize>, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(range, message, None)).ok()
    }

    fn wrong_type(&mut self, key: &str, value: &Value<'_>, wanted: &str) {
        let found = kind(value.get_ref());
        self.add(value.span(), format!("`{key}` is {found}, {wanted} is wanted"), None);
    }

    pub fn string<'v>(&mut self, key: &str, value: &'v Value<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a text");
        }
        text
    }

    /// An array of texts, each with its place; one text alone counts as an array of one.
    pub fn strings<'v>(&mut self, key: &str, value: &'v Value<'_>) -> Vec<(&'v str, Range<usize>)> {
        if let Some(text) = value.get_ref().as_str() {
            return vec![(text, value.span())];
        }
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of texts");
            return Vec::new();
        };
        let texts = array.iter().filter_map(|item| Some((self.string(key, item)?, item.span())));
        texts.collect()
    }

    pub fn table<'v, 'i>(&mut self, key: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table");
        }
        table
    }

    /// `[[key]]`: each table with its place.
    pub fn tables<'v, 'i>(&mut self, key: &str, value: &'v Value<'i>) -> Vec<(&'v DeTable<'i>, Range<usize>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("an array of tables (`[[{key}]]`)"));
            return Vec::new();
        };
        array.iter().filter_map(|item| Some((self.table(key, item)?, item.span()))).collect()
    }

    pub fn severity(&mut self, key: &str, value: &Value<'_>) -> Option<Severity> {
        const ALL: [Severity; 4] = [Severity::Off, Severity::Note, Severity::Warning, Severity::Error];
        let word = self.string(key, value)?;
        let severity = ALL.into_iter().find(|severity| severity.word() == word);
        if severity.is_none() {
            let words = ALL.map(Severity::word);
            self.add(value.span(), format!("`{word}` is no severity"), Some(choice(word, &words)));
        }
        severity
    }

    /// Reports the keys of a table that are none of `known`.
    pub fn unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], place: &str) {
        for (key, _) in table.iter() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                self.add(key.span(), format!("unknown key `{name}`{place}"), Some(choice(name, known)));
            }
        }
    }

    /// Reports the needed keys that a table lacks.
    pub fn missing_keys(&mut self, table: &DeTable<'_>, range: &Range<usize>, needed: &[&str], place: &str) {
        let present: BTreeSet<&str> = table.iter().map(|(key, _)| key.get_ref().as_ref()).collect();
        for key in needed.iter().filter(|key| !present.contains(**key)) {
            self.add(range.clone(), format!("`{key}` is missing{place}"), None);
        }
    }
}

/// The nearest of the allowed words, or all of them.
pub fn choice(word: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate));
    match near.min() {
        Some((distance, candidate)) if distance <= 1 + word.chars().count() / 4 => {
            format!("did you mean `{candidate}`?")
        }
        _ => format!("allowed: {}", allowed.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
