//! `Gemfile.lock`: which gems the application runs with, in which versions.

use std::collections::BTreeMap;

/// By name, the version as it is locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gems(BTreeMap<String, String>);

impl Gems {
    /// Lines of `specs:` with four spaces are gems; those with six are what they ask for.
    pub fn read(text: &str) -> Gems {
        let specs = text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with(' '));
        let gems = specs.filter_map(|line| {
            let (name, version) = line.split_once(" (")?;
            Some((name.to_owned(), version.trim_end_matches(')').to_owned()))
        });
        Gems(gems.collect())
    }

    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_gems_are_known() {
        let gems = Gems::read(
            "GEM\n  remote: https://rubygems.org/\n  specs:\n    pg (1.5.4)\n    rails (7.1.2)\n      x (>= 1)\n",
        );
        assert!(gems.has("pg") && gems.has("rails") && !gems.has("x"));
    }
}
