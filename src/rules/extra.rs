//! Rules of a user's own: pages with a `[match]`, from the folders that `extra-rules` names.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::page::Page;
use super::{Check, Rule};
use crate::settings::Settings;

/// Every page that was read in this process, by id and text: a rule lives as long as the program, as built-in ones do.
static KNOWN: Mutex<BTreeMap<(String, String), &'static Rule>> = Mutex::new(BTreeMap::new());

impl Rule {
    /// The rule of a page that is not built in; the error says what is wrong with it.
    pub fn of_page(id: &str, text: &str) -> Result<&'static Rule, String> {
        let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = (id.to_owned(), text.to_owned());
        if let Some(rule) = known.get(&key) {
            return Ok(rule);
        }
        let is_kebab = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_kebab {
            return Err(format!("`{id}` is no id of a rule: write small letters, digits and `-`"));
        }
        if Rule::find(id).is_some() {
            return Err(format!("`{id}` is a rule of plimsoll's own: choose another name"));
        }
        let page = Page::parse(id, text)?;
        if page.pattern.is_none() {
            return Err(format!("{id}.md: the settings hold a [match] that says what is found"));
        }
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let id: &'static str = Box::leak(id.to_owned().into_boxed_str());
        let rule: &'static Rule =
            Box::leak(Box::new(Rule { id, text, check: Check::Pattern, own: Some(Box::leak(Box::new(page))) }));
        known.insert(key, rule);
        Ok(rule)
    }

    /// The rules that the settings bring along.
    pub fn extra(settings: &Settings) -> Vec<&'static Rule> {
        let pages = settings.extra_pages.iter();
        // A page that cannot be read has ended the run where the settings were read.
        pages.filter_map(|page| Rule::of_page(&page.id, &page.text).ok()).collect()
    }

    /// A rule of plimsoll's own or of the settings.
    pub fn find_in(settings: &Settings, id: &str) -> Option<&'static Rule> {
        Rule::find(id).or_else(|| Rule::extra(settings).into_iter().find(|rule| rule.id == id))
    }
}
