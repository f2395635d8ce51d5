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
    #[serde(default)]
    definition: BTreeMap<String, Helper>,
    #[serde(default)]
    job: BTreeMap<String, Helper>,
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
    #[serde(default = "yes")]
    ddl_transaction: bool,
    #[serde(default)]
    jobs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Helper {
    #[serde(default)]
    parameters: String,
    does: String,
}

fn yes() -> bool {
    true
}

/// Reads a vocabulary, or says what is wrong with it.
pub fn read(text: &str) -> Result<Vocabulary, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let Head { name, inherits, includes, gems, releases, lock_timeout, ddl_transaction, jobs: job_folders } =
        document.vocabulary;
    let mut known = Vec::new();
    for (prefix, release) in releases {
        let wrong = || format!("`releases`: `{release}` is no release of Active Record, such as `7.1`");
        known.push((prefix, Release::parse(&release).ok_or_else(wrong)?));
    }
    let helpers = methods("helper", document.helper)?;
    let definitions = methods("definition", document.definition)?;
    let jobs = methods("job", document.job)?;
    let name = name.into();
    let releases = known;
    Ok(Vocabulary {
        name,
        inherits,
        includes,
        gems,
        releases,
        lock_timeout,
        ddl_transaction,
        helpers,
        definitions,
        jobs,
        job_folders,
    })
}

fn methods(kind: &str, written: BTreeMap<String, Helper>) -> Result<BTreeMap<Arc<str>, Arc<RubyMethod>>, String> {
    let one = |(name, helper): (String, Helper)| {
        let read = method(&name, &helper.parameters, &helper.does);
        Ok((name.as_str().into(), read.map_err(|why| format!("{kind} `{name}`{why}"))?))
    };
    written.into_iter().map(one).collect()
}

/// A helper as the method it would be.
fn method(name: &str, parameters: &str, does: &str) -> Result<Arc<RubyMethod>, String> {
    // A class is no name of a method.
    let called = if name.starts_with(char::is_uppercase) { "perform" } else { name };
    let mut sources = Sources::default();
    let source = sources.add(name, format!("def {called}({parameters})\n{does}\nend\n"));
    let file = ruby::read(&sources.piece(source));
    if let Some((place, message)) = file.errors.first() {
        let line = sources.start(*place).line.saturating_sub(1);
        return Err(format!(", line {line} of `does`: {message}"));
    }
    match file.body.first().map(|node| &node.kind) {
        Some(RubyKind::Method(method)) if file.body.len() == 1 => Ok(method.clone()),
        _ => Err(": its parameters and what it does are no method".to_owned()),
    }
}
