//! `plimsoll.toml`: each key with its type. All faults are reported at once.

use std::collections::BTreeMap;
use std::ops::Range;

use miette::{NamedSource, SourceSpan};
use toml::de::DeTable;

use super::document::{Fault, Faults, Value, choice};
use super::names::{read_ident, read_name};
use super::{
    Allow, AllowScope, Database, Fact, Framework, Override, PathPattern, Preset, Release, Settings, TablePattern,
    TransactionUnit,
};
use crate::error::{Error, SettingsFault};
use crate::finding::Severity;
use crate::operation::{Ident, Name};
use crate::source::{SourceId, Sources, Span};
use crate::version::VersionRange;

/// Every key of the settings file.
pub const KEYS: [&str; 24] = [
    "allow",
    "application-stopped",
    "baseline",
    "databases",
    "dynamic-partitions",
    "extra-rules",
    "fact",
    "fail-on",
    "framework",
    "large-tables",
    "lock-timeout",
    "overrides",
    "paths",
    "placeholders",
    "postgres",
    "preset",
    "releases",
    "rules",
    "search-path",
    "small-tables",
    "transaction",
    "unallowable",
    "upgrade-stops",
    "vocabularies",
];

/// A settings file among the sources of a run.
#[derive(Debug, Clone, Copy)]
pub struct SettingsFile<'a> {
    pub sources: &'a Sources,
    pub id: SourceId,
    /// Ids that rules can have; empty where they are not known yet and are checked later.
    pub rules: &'a [&'a str],
}

impl SettingsFile<'_> {
    /// Reads the file, or says all that is wrong with it.
    pub fn read(self) -> Result<Settings, Error> {
        let source = self.sources.get(self.id);
        let (document, broken) = DeTable::parse_recoverable(&source.text);
        let mut reader = Reader { file: self, settings: Settings::default(), faults: Faults::default() };
        reader.settings.file = Some(self.id);
        for error in &broken {
            reader.faults.add(error.span().unwrap_or(0..0), error.message().to_owned(), None);
        }
        // What follows a syntax error may be read wrongly: its faults would be noise.
        if broken.is_empty() {
            reader.document(document.get_ref());
        }
        let mut faults = reader.faults.found;
        if faults.is_empty() {
            return Ok(reader.settings);
        }
        faults.sort_by_key(|fault| (fault.range.start, fault.range.end));
        let faults = faults.into_iter().map(|fault| placed(fault, &source.path, &source.text)).collect();
        Err(Error::Settings { path: source.path.clone(), faults })
    }
}

fn placed(fault: Fault, path: &str, text: &str) -> SettingsFault {
    let start = fault.range.start.min(text.len());
    let end = fault.range.end.clamp(start, text.len());
    SettingsFault {
        message: fault.message,
        help: fault.help,
        file: NamedSource::new(path, text.to_owned()),
        span: SourceSpan::from(start..end),
    }
}

struct Reader<'a> {
    file: SettingsFile<'a>,
    settings: Settings,
    faults: Faults,
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>) {
        self.faults.unknown_keys(table, &KEYS, "");
        for (key, value) in table.iter() {
            self.key(key.get_ref(), value);
        }
    }

    fn key(&mut self, key: &str, value: &Value<'_>) {
        match key {
            "allow" => self.allows(value),
            "baseline" => self.settings.baseline = self.path(key, value),
            "databases" => self.databases(value),
            "dynamic-partitions" => self.settings.dynamic_partitions = self.tables(key, value),
            "extra-rules" => self.settings.extra_rules = self.paths(key, value),
            "fact" => self.facts(value),
            "fail-on" => self.fail_on(value),
            "framework" => self.framework(value),
            "large-tables" => self.settings.large_tables = self.tables(key, value),
            "lock-timeout" => self.lock_timeout(value),
            "application-stopped" => match value.get_ref().as_bool() {
                Some(stopped) => self.settings.application_stopped = stopped,
                None => self.faults.add(value.span(), "`application-stopped` is `true` or `false`".to_owned(), None),
            },
            "overrides" => self.overrides(value),
            "paths" => self.settings.paths = self.paths(key, value),
            "placeholders" => self.placeholders(value),
            "postgres" => self.postgres(value),
            "preset" => self.preset(value),
            "releases" => self.releases(value),
            "rules" => self.settings.rules = self.rules(key, value),
            "search-path" => self.settings.search_path = self.schemas(key, value),
            "small-tables" => self.settings.small_tables = self.tables(key, value),
            "transaction" => self.transaction(value),
            "unallowable" => self.unallowable(value),
            "upgrade-stops" => {
                let texts = self.faults.strings(key, value);
                self.settings.upgrade_stops = texts.into_iter().map(|(text, _)| text.to_owned()).collect();
            }
            "vocabularies" => self.settings.vocabularies = self.paths(key, value),
            _ => {}
        }
    }

    fn postgres(&mut self, value: &Value<'_>) {
        let text = match value.get_ref().as_integer() {
            // `postgres = 16` can mean one thing only.
            Some(number) => Some(number.to_string()),
            None => self.faults.string("postgres", value).map(str::to_owned),
        };
        let Some(text) = text else { return };
        if let Some(range) = self.faults.keep(value.span(), text.parse::<VersionRange>()) {
            self.settings.postgres = range;
        }
    }

    fn fail_on(&mut self, value: &Value<'_>) {
        if value.get_ref().as_str() == Some("off") {
            let help = "allowed: `error`, `warning`, `note`".to_owned();
            self.faults.add(value.span(), "no finding is `off`", Some(help));
            return;
        }
        if let Some(severity) = self.faults.severity("fail-on", value) {
            self.settings.fail_on = severity;
        }
    }

    fn framework(&mut self, value: &Value<'_>) {
        let Some(word) = self.faults.string("framework", value) else { return };
        self.settings.framework = Framework::named(word);
        if self.settings.framework.is_none() {
            let help = choice(word, &Framework::ALL.map(Framework::word));
            self.faults.add(value.span(), format!("`{word}` is no framework that plimsoll reads"), Some(help));
        }
    }

    fn transaction(&mut self, value: &Value<'_>) {
        let Some(word) = self.faults.string("transaction", value) else { return };
        self.settings.transaction = TransactionUnit::ALL.into_iter().find(|unit| unit.word() == word);
        if self.settings.transaction.is_none() {
            let help = choice(word, &TransactionUnit::ALL.map(TransactionUnit::word));
            self.faults.add(value.span(), format!("`{word}` holds no statements together"), Some(help));
        }
    }

    fn preset(&mut self, value: &Value<'_>) {
        match self.faults.string("preset", value) {
            Some("default") => self.settings.preset = Preset::Default,
            Some("strict") => self.settings.preset = Preset::Strict,
            Some(word) => {
                let help = choice(word, &["default", "strict"]);
                self.faults.add(value.span(), format!("`{word}` is no preset"), Some(help));
            }
            None => {}
        }
    }

    fn lock_timeout(&mut self, value: &Value<'_>) {
        if let Some(set) = value.get_ref().as_bool() {
            self.settings.lock_timeout_set = Some(set);
            return;
        }
        let Some(text) = self.faults.string("lock-timeout", value) else { return };
        match duration(text) {
            Some(set) => self.settings.lock_timeout_set = Some(set),
            None => {
                let help = "write what the server has, as PostgreSQL does: `\"5s\"`, `\"500ms\"`; or `true`".to_owned();
                self.faults.add(value.span(), format!("`{text}` is no timeout"), Some(help));
            }
        }
    }

    fn tables(&mut self, key: &str, value: &Value<'_>) -> Vec<Name> {
        let texts = self.faults.strings(key, value);
        texts.into_iter().filter_map(|(text, range)| self.faults.keep(range, read_name(text))).collect()
    }

    /// As `SET search_path` takes them; `"$user"` is a schema of whoever runs it, and there is none.
    fn schemas(&mut self, key: &str, value: &Value<'_>) -> Vec<Ident> {
        let texts = self.faults.strings(key, value).into_iter().filter(|(text, _)| text.trim_matches('"') != "$user");
        texts.filter_map(|(text, range)| self.faults.keep(range, read_ident(text))).collect()
    }

    /// The folder of the settings file, relative to the repository root: what its paths start from.
    fn folder(&self) -> &str {
        self.file.sources.path(self.file.id).rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    fn rooted(&mut self, key: &str, text: &str, range: Range<usize>) -> Option<String> {
        if text.is_empty() || text.starts_with('/') || text.contains('\\') {
            let message = format!("`{key}` takes paths relative to this file, with `/`");
            self.faults.add(range, message, None);
            return None;
        }
        let folder = self.folder();
        Some(if folder.is_empty() { text.to_owned() } else { format!("{folder}/{text}") })
    }

    fn path(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        let text = self.faults.string(key, value)?;
        self.rooted(key, text, value.span())
    }

    fn paths(&mut self, key: &str, value: &Value<'_>) -> Vec<String> {
        let texts = self.faults.strings(key, value);
        texts.into_iter().filter_map(|(text, range)| self.rooted(key, text, range)).collect()
    }

    fn patterns(&mut self, key: &str, value: &Value<'_>) -> Vec<PathPattern> {
        let folder = self.folder().to_owned();
        let texts = self.faults.strings(key, value);
        texts.into_iter().filter_map(|(text, range)| self.faults.keep(range, PathPattern::new(text, &folder))).collect()
    }

    fn span(&self, range: &Range<usize>) -> Span {
        Span { source: self.file.id, start: range.start as u32, end: range.end as u32 }
    }

    /// Keeps a rule's id with its place; says so where no rule has it.
    fn rule(&mut self, id: &str, range: Range<usize>) {
        if !self.file.rules.is_empty() && !self.file.rules.contains(&id) {
            let help = choice_of_rules(id, self.file.rules);
            self.faults.add(range.clone(), format!("no rule is called `{id}`"), Some(help));
        }
        let span = self.span(&range);
        self.settings.rules_named.push((id.to_owned(), span));
    }

    fn rules(&mut self, key: &str, value: &Value<'_>) -> BTreeMap<String, Severity> {
        let mut rules = BTreeMap::new();
        let Some(table) = self.faults.table(key, value) else { return rules };
        for (id, value) in table.iter() {
            self.rule(id.get_ref(), id.span());
            if let Some(severity) = self.faults.severity(id.get_ref(), value) {
                rules.insert(id.get_ref().to_string(), severity);
            }
        }
        rules
    }

    fn unallowable(&mut self, value: &Value<'_>) {
        for (id, range) in self.faults.strings("unallowable", value) {
            self.rule(id, range);
            self.settings.unallowable.push(id.to_owned());
        }
    }

    fn overrides(&mut self, value: &Value<'_>) {
        const PLACE: &str = " in `[[overrides]]`";
        for (table, range) in self.faults.tables("overrides", value) {
            self.faults.unknown_keys(table, &["paths", "rules"], PLACE);
            self.faults.missing_keys(table, &range, &["paths", "rules"], PLACE);
            let paths = table.get("paths").map(|value| self.patterns("paths", value)).unwrap_or_default();
            let rules = table.get("rules").map(|value| self.rules("rules", value)).unwrap_or_default();
            self.settings.overrides.push(Override { paths, rules });
        }
    }

    fn databases(&mut self, value: &Value<'_>) {
        if let Some(table) = value.get_ref().as_table() {
            for (name, value) in table.iter() {
                let (paths, holds) = self.database(value);
                self.settings.databases.push(Database { name: name.get_ref().to_string(), paths, holds });
            }
            return;
        }
        for (name, _) in self.faults.strings("databases", value) {
            self.settings.databases.push(Database { name: name.to_owned(), paths: Vec::new(), holds: None });
        }
    }

    /// `["db/ci"]`, or `{ paths = ["db/ci"], holds = ["ci_*"] }`.
    fn database(&mut self, value: &Value<'_>) -> (Vec<PathPattern>, Option<Vec<TablePattern>>) {
        let Some(table) = value.get_ref().as_table() else { return (self.patterns("databases", value), None) };
        self.faults.unknown_keys(table, &["paths", "holds"], " in `[databases]`");
        let paths = table.get("paths").map(|value| self.patterns("paths", value)).unwrap_or_default();
        let holds = table.get("holds").map(|value| {
            let texts = self.faults.strings("holds", value);
            texts.into_iter().filter_map(|(text, range)| self.faults.keep(range, TablePattern::new(text))).collect()
        });
        (paths, holds)
    }

    fn placeholders(&mut self, value: &Value<'_>) {
        let Some(table) = self.faults.table("placeholders", value) else { return };
        for (name, value) in table.iter() {
            let Some(text) = self.faults.string(name.get_ref(), value) else { continue };
            if text.contains(['\n', ';']) {
                let message =
                    format!("`{text}` is more than one statement can hold: a placeholder stands for a part of one");
                self.faults.add(value.span(), message, None);
                continue;
            }
            self.settings.placeholders.insert(name.get_ref().to_string(), text.to_owned());
        }
    }

    fn releases(&mut self, value: &Value<'_>) {
        let Some(table) = self.faults.table("releases", value) else { return };
        let mut releases = Vec::new();
        for (name, value) in table.iter() {
            let migrations = self.patterns("releases", value);
            releases.push((name.span().start, Release { name: name.get_ref().to_string(), migrations }));
        }
        // Deploys come in the order they are written, not in that of their names.
        releases.sort_by_key(|(start, _)| *start);
        self.settings.releases = releases.into_iter().map(|(_, release)| release).collect();
    }

    fn allows(&mut self, value: &Value<'_>) {
        const PLACE: &str = " in `[[allow]]`";
        for (table, range) in self.faults.tables("allow", value) {
            self.faults.unknown_keys(table, &["rule", "migration", "object", "reason"], PLACE);
            self.faults.missing_keys(table, &range, &["rule", "migration", "reason"], PLACE);
            let text = |faults: &mut Faults, key: &str| {
                table.get(key).and_then(|value| faults.string(key, value)).map(str::to_owned)
            };
            let rule = text(&mut self.faults, "rule");
            let reason = self.reason(table);
            let object = text(&mut self.faults, "object");
            let migration = table.get("migration").and_then(|value| self.pattern("migration", value));
            let (Some(rule), Some(pattern)) = (rule, migration) else { continue };
            if let Some(value) = table.get("rule") {
                self.rule(&rule, value.span());
            }
            let scope = AllowScope::Migration { pattern, object };
            self.settings.allows.push(Allow { span: self.span(&range), rule, reason, scope });
        }
    }

    /// One pattern, checked, as text: rooted where it is a path.
    fn pattern(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        let text = self.faults.string(key, value)?;
        self.faults.keep(value.span(), PathPattern::new(text, ""))?;
        if text.contains('/') { self.rooted(key, text, value.span()) } else { Some(text.to_owned()) }
    }

    /// A reason is a sentence: blanks are none.
    fn reason(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("reason")?;
        let reason = self.faults.string("reason", value)?.trim();
        if reason.is_empty() {
            self.faults.add(value.span(), "`reason` is empty", Some("say why this is safe here".to_owned()));
        }
        Some(reason.to_owned())
    }

    fn facts(&mut self, value: &Value<'_>) {
        const PLACE: &str = " in `[[fact]]`";
        for (table, range) in self.faults.tables("fact", value) {
            self.faults.unknown_keys(table, &["backfilled", "from", "columns", "where", "reason"], PLACE);
            self.faults.missing_keys(table, &range, &["backfilled", "reason"], PLACE);
            let name = |faults: &mut Faults, key: &str| {
                let value = table.get(key)?;
                let text = faults.string(key, value)?;
                faults.keep(value.span(), read_name(text))
            };
            let backfilled = name(&mut self.faults, "backfilled");
            let source = name(&mut self.faults, "from");
            let columns = table.get("columns").map(|value| self.faults.strings("columns", value)).unwrap_or_default();
            let columns = columns.into_iter().filter_map(|(text, range)| self.faults.keep(range, read_ident(text)));
            let columns = columns.collect();
            let filter = table.get("where").and_then(|value| self.faults.string("where", value)).map(str::to_owned);
            let reason = self.reason(table);
            let Some(backfilled) = backfilled else { continue };
            let span = self.span(&range);
            self.settings.facts.push(Fact { span, table: backfilled, source, columns, filter, reason });
        }
    }
}

/// Whether a timeout in PostgreSQL's units is set at all; `None` where it is no timeout.
fn duration(text: &str) -> Option<bool> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let amount: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim();
    ["", "us", "ms", "s", "min", "h", "d"].contains(&unit).then_some(amount > 0.0)
}

/// All rules would be too long a list: the nearest, or where to look.
fn choice_of_rules(id: &str, rules: &[&str]) -> String {
    let near = choice(id, rules);
    if near.starts_with("allowed") { "`plimsoll rules` lists them".to_owned() } else { near }
}

#[cfg(test)]
mod tests;
