//! TOML to a vocabulary.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::Vocabulary;
use crate::operation::{RubyKind, RubyMethod};
use crate::rails::active_record::Release;
use crate::read::ruby;
use crate::source::Sources;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    vocabulary: Head,
    #[serde(default)]
    helper: BTreeMap<String, Helper>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Head {
    name: String,
    #[serde(default)]
    inherits: Vec<String>,
    #[serde(default)]
    includes: Vec<String>,
    #[serde(default)]
    gems: Vec<String>,
    #[serde(default)]
    releases: BTreeMap<String, String>,
    #[serde(default)]
    lock_timeout: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Helper {
    #[serde(default)]
    parameters: String,
    does: String,
}

/// Reads a vocabulary, or says what is wrong with it.
pub fn read(text: &str) -> Result<Vocabulary, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let Head { name, inherits, includes, gems, releases, lock_timeout } = document.vocabulary;
    let mut known = Vec::new();
    for (prefix, release) in releases {
        let wrong = || format!("`releases`: `{release}` is no release of Active Record, such as `7.1`");
        known.push((prefix, Release::parse(&release).ok_or_else(wrong)?));
    }
    let mut helpers = BTreeMap::new();
    for (helper, Helper { parameters, does }) in document.helper {
        let method = method(&helper, &parameters, &does)?;
        helpers.insert(Arc::from(helper), method);
    }
    Ok(Vocabulary { name: name.into(), inherits, includes, gems, releases: known, lock_timeout, helpers })
}

/// A helper as the method it would be.
fn method(name: &str, parameters: &str, does: &str) -> Result<Arc<RubyMethod>, String> {
    let mut sources = Sources::default();
    let source = sources.add(name, format!("def {name}({parameters})\n{does}\nend\n"));
    let file = ruby::read(&sources.piece(source));
    if let Some((place, message)) = file.errors.first() {
        let line = sources.start(*place).line.saturating_sub(1);
        return Err(format!("helper `{name}`, line {line} of `does`: {message}"));
    }
    match file.body.first().map(|node| &node.kind) {
        Some(RubyKind::Method(method)) if file.body.len() == 1 => Ok(method.clone()),
        _ => Err(format!("helper `{name}`: its parameters and what it does are no method")),
    }
}
