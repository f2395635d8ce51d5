//! `config`: the settings in force, as a settings file would say them, and the schema of such files.

use std::fmt::{Display, Write};

use super::arguments::ConfigArguments;
use super::input;
use super::{Console, Outcome};
use crate::finding::Severity;
use crate::settings::{Allow, AllowScope, Database, Fact, Flags, PathPattern, Preset, Settings, TablePattern};

const SCHEMA: &str = include_str!("../../docs/schemas/plimsoll.toml.json");

pub(super) fn run(arguments: &ConfigArguments, console: &mut Console<'_>) -> Outcome {
    if arguments.schema {
        console.write(SCHEMA.as_bytes())?;
        return Ok(0);
    }
    let flags =
        Flags { config: arguments.config.clone(), config_from: arguments.config_from.clone(), ..Flags::default() };
    let (settings, sources) = input::settings(&flags)?;
    let mut text = match settings.file {
        Some(file) => format!("# {}, then the defaults\n", crate::output::visible(sources.path(file))),
        None => "# no settings file was found: the defaults\n".to_owned(),
    };
    text.push_str(&shown(&settings));
    console.write(text.as_bytes())?;
    Ok(0)
}

/// Simple keys first, then the tables, as TOML wants them.
fn shown(settings: &Settings) -> String {
    let mut text = String::new();
    let mut key = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} = {value}");
    };
    key("postgres", string(settings.postgres));
    key("fail-on", string(settings.fail_on));
    key("preset", string(if settings.preset == Preset::Strict { "strict" } else { "default" }));
    if let Some(framework) = settings.framework {
        key("framework", string(framework.word()));
    }
    if let Some(unit) = settings.transaction {
        key("transaction", string(unit.word()));
    }
    if let Some(baseline) = &settings.baseline {
        key("baseline", string(baseline));
    }
    if let Some(set) = settings.lock_timeout_set {
        key("lock-timeout", set.to_string());
    }
    if settings.application_stopped {
        key("application-stopped", "true".to_owned());
    }
    key("paths", list(&settings.paths));
    key("large-tables", list(&settings.large_tables));
    key("search-path", list(&settings.search_path));
    key("small-tables", list(&settings.small_tables));
    key("dynamic-partitions", list(&settings.dynamic_partitions));
    key("extra-rules", list(&settings.extra_rules));
    key("vocabularies", list(&settings.vocabularies));
    key("unallowable", list(&settings.unallowable));
    // The short form keeps their order, and is all that there is without folders.
    if !settings.upgrade_stops.is_empty() {
        key("upgrade-stops", list(&settings.upgrade_stops.iter().collect::<Vec<_>>()));
    }
    if !settings.databases.is_empty()
        && settings.databases.iter().all(|one| one.paths.is_empty() && one.holds.is_none())
    {
        key("databases", list(&settings.databases.iter().map(|one| &one.name).collect::<Vec<_>>()));
    }
    tables(settings, &mut text);
    text
}

fn tables(settings: &Settings, text: &mut String) {
    if settings.databases.iter().any(|one| !one.paths.is_empty() || one.holds.is_some()) {
        let rows = settings.databases.iter().map(|one| (one.name.clone(), database(one)));
        table("[databases]", rows, text);
    }
    if !settings.releases.is_empty() {
        table("[releases]", settings.releases.iter().map(|one| (one.name.clone(), patterns(&one.migrations))), text);
    }
    if !settings.placeholders.is_empty() {
        table("[placeholders]", settings.placeholders.iter().map(|(name, value)| (name.clone(), string(value))), text);
    }
    let severities = |(rule, severity): (&String, &Severity)| (rule.clone(), string(severity));
    if !settings.rules.is_empty() {
        table("[rules]", settings.rules.iter().map(severities), text);
    }
    for one in &settings.overrides {
        let _ = writeln!(text, "\n[[overrides]]\npaths = {}", patterns(&one.paths));
        let rules: Vec<String> =
            one.rules.iter().map(severities).map(|(rule, severity)| format!("{} = {severity}", string(rule))).collect();
        let _ = writeln!(text, "rules = {{ {} }}", rules.join(", "));
    }
    settings.allows.iter().for_each(|one| allow(one, text));
    settings.facts.iter().for_each(|one| fact(one, text));
}

/// The folders alone, or with the tables that hold rows there.
fn database(database: &Database) -> String {
    let Some(holds) = &database.holds else { return patterns(&database.paths) };
    let holds = list(&holds.iter().map(TablePattern::as_str).collect::<Vec<_>>());
    let paths =
        if database.paths.is_empty() { String::new() } else { format!("paths = {}, ", patterns(&database.paths)) };
    format!("{{ {paths}holds = {holds} }}")
}

fn table(head: &str, rows: impl Iterator<Item = (String, String)>, text: &mut String) {
    let _ = writeln!(text, "\n{head}");
    for (name, value) in rows {
        let _ = writeln!(text, "{} = {value}", string(name));
    }
}

fn allow(allow: &Allow, text: &mut String) {
    let AllowScope::Migration { pattern, object } = &allow.scope else { return };
    let _ = writeln!(text, "\n[[allow]]\nrule = {}\nmigration = {}", string(&allow.rule), string(pattern));
    if let Some(object) = object {
        let _ = writeln!(text, "object = {}", string(object));
    }
    if let Some(reason) = &allow.reason {
        let _ = writeln!(text, "reason = {}", string(reason));
    }
}

fn fact(fact: &Fact, text: &mut String) {
    let _ = writeln!(text, "\n[[fact]]\nbackfilled = {}", string(&fact.table));
    if let Some(source) = &fact.source {
        let _ = writeln!(text, "from = {}", string(source));
    }
    if !fact.columns.is_empty() {
        let _ = writeln!(text, "columns = {}", list(&fact.columns));
    }
    if let Some(filter) = &fact.filter {
        let _ = writeln!(text, "where = {}", string(filter));
    }
    if let Some(reason) = &fact.reason {
        let _ = writeln!(text, "reason = {}", string(reason));
    }
}

/// A basic string of TOML, with all that a terminal would act on escaped.
fn string(value: impl Display) -> String {
    let mut text = String::from("\"");
    for character in value.to_string().chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            _ if crate::output::visible(character.encode_utf8(&mut [0; 4])) == character.to_string() => {
                text.push(character)
            }
            _ => drop(write!(text, "\\U{:08X}", character as u32)),
        }
    }
    text.push('"');
    text
}

fn list(values: &[impl Display]) -> String {
    let values: Vec<String> = values.iter().map(string).collect();
    format!("[{}]", values.join(", "))
}

fn patterns(values: &[PathPattern]) -> String {
    list(&values.iter().map(PathPattern::as_str).collect::<Vec<_>>())
}
