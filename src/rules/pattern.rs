//! Rules that their page says whole: `[match]` names operations, names and facts. Pages are data: no expressions, no
//! nesting; a rule that wants them is written in Rust.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::Findings;
use super::subject::{FACTS, FIELDS, OPERATIONS, Subject, subjects};
use crate::history::Step;

/// What a page's `[match]` asks for; every key must be met.
#[derive(Debug, Clone)]
pub struct Pattern {
    operations: Vec<String>,
    /// By field: any of the globs.
    fields: BTreeMap<&'static str, Vec<Glob>>,
    when: Vec<String>,
    unless: Vec<String>,
    message: String,
    instead: Option<String>,
}

#[derive(Debug, Clone)]
struct Glob {
    text: String,
    matcher: GlobMatcher,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        let texts = |pattern: &Pattern| {
            let fields = pattern.fields.iter();
            let of = |globs: &[Glob]| globs.iter().map(|glob| glob.text.clone()).collect::<Vec<_>>();
            fields.map(|(field, globs)| (*field, of(globs))).collect::<Vec<_>>()
        };
        (&self.operations, &self.when, &self.unless, &self.message, &self.instead)
            == (&other.operations, &other.when, &other.unless, &other.message, &other.instead)
            && texts(self) == texts(other)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(all) => all,
        }
    }
}

/// The block as it is written.
#[derive(Deserialize)]
pub struct Match {
    operation: OneOrMany,
    #[serde(default)]
    when: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    message: String,
    instead: Option<String>,
    /// `table`, `column` and the like.
    #[serde(flatten)]
    fields: BTreeMap<String, OneOrMany>,
}

impl Pattern {
    /// Checks every word against the vocabulary; the error says which words there are.
    pub fn read(block: Match) -> Result<Pattern, String> {
        let operations = block.operation.all();
        known(&operations, OPERATIONS, "operation")?;
        known(&block.when, FACTS, "fact")?;
        known(&block.unless, FACTS, "fact")?;
        let mut fields = BTreeMap::new();
        for (name, globs) in block.fields {
            let Some(field) = FIELDS.iter().find(|field| **field == name) else {
                return Err(format!("`{name}` is no key of [match]: {}", one_of(FIELDS)));
            };
            let globs = globs.all().into_iter().map(glob).collect::<Result<Vec<_>, _>>()?;
            fields.insert(*field, globs);
        }
        placeholders(&block.message)?;
        block.instead.as_deref().map_or(Ok(()), placeholders)?;
        let Match { when, unless, message, instead, .. } =
            Match { fields: BTreeMap::new(), operation: OneOrMany::Many(Vec::new()), ..block };
        Ok(Pattern { operations, fields, when, unless, message, instead })
    }

    fn meets(&self, subject: &Subject) -> bool {
        let has = |fact: &String| subject.facts.contains(&fact.as_str());
        subject.operations.iter().any(|one| self.operations.iter().any(|wanted| wanted == one))
            && self.when.iter().all(has)
            && !self.unless.iter().any(has)
            && self.fields.iter().all(|(field, globs)| {
                subject.field(field).is_some_and(|value| globs.iter().any(|glob| glob.matcher.is_match(value)))
            })
    }
}

pub fn check(pattern: &Pattern, step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    for subject in subjects(step).iter().filter(|subject| pattern.meets(subject)) {
        let word = subject.operations.last().copied().unwrap_or_default();
        let finding = findings.report(step.origin, word, step.certain, subject.fill(&pattern.message));
        if let Some(span) = subject.span.filter(|_| step.origin.frames.is_empty()) {
            finding.span = span;
        }
        for object in &subject.objects {
            finding.object(object);
        }
        if let Some(instead) = &pattern.instead {
            finding.instead(subject.fill(instead));
        }
    }
}

fn known(words: &[String], vocabulary: &[&str], what: &str) -> Result<(), String> {
    match words.iter().find(|word| !vocabulary.contains(&word.as_str())) {
        Some(word) => Err(format!("`{word}` is no {what}: {}", one_of(vocabulary))),
        None => Ok(()),
    }
}

fn one_of(vocabulary: &[&str]) -> String {
    let words: Vec<String> = vocabulary.iter().map(|word| format!("`{word}`")).collect();
    format!("one of {}", words.join(", "))
}

fn glob(text: String) -> Result<Glob, String> {
    let built = GlobBuilder::new(&text).build();
    let built = built.map_err(|fault| format!("`{text}` is no glob: {}", fault.kind()))?;
    Ok(Glob { matcher: built.compile_matcher(), text })
}

/// `{table}` stands for a field of what is found.
fn placeholders(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return Ok(()) };
        if !FIELDS.contains(&name) {
            return Err(format!("`{{{name}}}` stands for nothing: {}", one_of(FIELDS)));
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Pattern, String> {
        toml::from_str::<Match>(text).map_err(|fault| fault.message().to_owned()).and_then(Pattern::read)
    }

    #[test]
    fn words_outside_of_the_vocabulary_are_refused_with_those_there_are() {
        assert!(read("operation = 'new-column'\ntype = ['json', 'x*']\nmessage = '`{table}.{column}`'").is_ok());
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("operation = 'new-row'\nmessage = 'x'").contains("`new-column`"));
        assert!(wrong("operation = 'new-column'\nkolumn = 'a'\nmessage = 'x'").contains("`column`"));
        assert!(wrong("operation = 'new-column'\nmessage = '{kolumn}'").contains("`column`"));
        assert!(wrong("operation = 'new-column'\nwhen = ['large']\nmessage = 'x'").contains("`not-null`"));
        assert!(wrong("operation = 'new-column'\ntype = '[a'\nmessage = 'x'").contains("no glob"));
        assert!(wrong("operation = 'new-column'").contains("message"));
    }
}
