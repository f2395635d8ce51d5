//! What one settings file says otherwise than another: a change can loosen its own check, and a report must say so.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Allow, AllowScope, Fact, Settings, TransactionUnit};

impl Settings {
    /// How these settings differ from older ones where it matters to what is found, a sentence each.
    pub fn changes_since(&self, old: &Settings) -> Vec<String> {
        let mut told = Vec::new();
        let mut value = |name: &str, old: String, new: String| {
            if old != new {
                told.push(format!("`{name}` is {new}, it was {old}"));
            }
        };
        value("postgres", old.postgres.to_string(), self.postgres.to_string());
        value("fail-on", old.fail_on.to_string(), self.fail_on.to_string());
        value("preset", format!("{:?}", old.preset).to_lowercase(), format!("{:?}", self.preset).to_lowercase());
        let stated = |set: Option<bool>| set.map_or("what the checkout shows".to_owned(), |set| set.to_string());
        value("lock-timeout", stated(old.lock_timeout_set), stated(self.lock_timeout_set));
        value("application-stopped", old.application_stopped.to_string(), self.application_stopped.to_string());
        let unit = |settings: &Settings| settings.transaction.map_or("not said", TransactionUnit::word).to_owned();
        value("transaction", unit(old), unit(self));
        let path = |settings: &Settings| quoted(&settings.search_path).join(", ");
        value("search-path", path(old), path(self));
        let named = |file: &Option<String>| file.clone().unwrap_or("none".to_owned());
        value("baseline", named(&old.baseline), named(&self.baseline));
        for rule in old.rules.keys().chain(self.rules.keys()).collect::<BTreeSet<_>>() {
            let of = |settings: &Settings| settings.rules.get(rule).map_or("its own".to_owned(), ToString::to_string);
            value(&format!("rules.{rule}"), of(old), of(self));
        }
        if old.overrides != self.overrides {
            told.push("`overrides` are others".to_owned());
        }
        let mut lists = |name: &str, old: Vec<String>, new: Vec<String>| {
            let (old, new): (BTreeSet<String>, BTreeSet<String>) =
                (old.into_iter().collect(), new.into_iter().collect());
            told.extend(new.difference(&old).map(|one| format!("`{name}` has {one} now")));
            told.extend(old.difference(&new).map(|one| format!("`{name}` has {one} no more")));
        };
        lists("allow", old.allows.iter().map(allow).collect(), self.allows.iter().map(allow).collect());
        lists("fact", old.facts.iter().map(fact).collect(), self.facts.iter().map(fact).collect());
        lists("unallowable", quoted(&old.unallowable), quoted(&self.unallowable));
        lists("small-tables", quoted(&old.small_tables), quoted(&self.small_tables));
        lists("large-tables", quoted(&old.large_tables), quoted(&self.large_tables));
        told
    }
}

fn quoted(list: &[impl Display]) -> Vec<String> {
    list.iter().map(|one| format!("`{one}`")).collect()
}

fn allow(allow: &Allow) -> String {
    let (pattern, object) = match &allow.scope {
        AllowScope::Migration { pattern, object } => (pattern.as_str(), object.as_deref()),
        AllowScope::Statement(_) | AllowScope::File => ("", None),
    };
    let object = object.map(|object| format!(" about `{object}`")).unwrap_or_default();
    let reason = allow.reason.as_deref().unwrap_or("no reason given");
    format!("`{}` in `{pattern}`{object}: {reason}", allow.rule)
}

fn fact(fact: &Fact) -> String {
    let source = fact.source.as_ref().map(|source| format!(" from `{source}`")).unwrap_or_default();
    let filter = fact.filter.as_ref().map(|filter| format!(" where `{filter}`")).unwrap_or_default();
    let reason = fact.reason.as_deref().unwrap_or("no reason given");
    format!("`{}` is backfilled{source}{filter}: {reason}", fact.table)
}
