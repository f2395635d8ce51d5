//! What gems and projects add to the words of migrations, declared instead of coded: each helper's effect is written
//! in the migration language itself, and worked out as a migration is. The format is told in `docs/vocabularies.md`.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::active_record::Release;
use crate::operation::{RubyMethod, RubyScript};

pub use read::read;

/// One vocabulary.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    pub name: Arc<str>,
    /// What migrations inherit from or include, or the project's gems: any of them switches it on; none named: it is
    /// always on.
    inherits: Vec<String>,
    includes: Vec<String>,
    gems: Vec<String>,
    /// The release of Active Record behind a base class, by what the class begins with.
    releases: Vec<(String, Release)>,
    /// Its migrations run with a lock_timeout.
    pub lock_timeout: bool,
    /// Its migrations run in a transaction where they do not say otherwise.
    ddl_transaction: bool,
    helpers: BTreeMap<Arc<str>, Arc<RubyMethod>>,
    /// What the block of create_table may say beside Active Record's own words.
    definitions: BTreeMap<Arc<str>, Arc<RubyMethod>>,
    /// What classes of background work do that are in no checkout, or are only built upon.
    jobs: BTreeMap<Arc<str>, Arc<RubyMethod>>,
    /// Folders with such classes.
    pub job_folders: Vec<String>,
}

/// The vocabularies of a project, the first that knows a helper first: its own, then those that ship with plimsoll.
#[derive(Debug, Clone, Default)]
pub struct Vocabularies {
    known: Arc<Vec<Vocabulary>>,
    gems: Arc<[String]>,
    /// Which of them are in force in all migrations.
    always: Arc<[bool]>,
}

/// Those that are in force in one migration.
#[derive(Debug)]
pub struct Active<'a> {
    known: Vec<&'a Vocabulary>,
}

/// Texts of the vocabularies that ship.
const SHIPPED: &[&str] = &[
    include_str!("shipped/discourse.toml"),
    include_str!("shipped/gitlab.toml"),
    include_str!("shipped/gitlab_background.toml"),
    include_str!("shipped/gitlab_columns.toml"),
    include_str!("shipped/gitlab_partitions.toml"),
    include_str!("shipped/gitlab_tables.toml"),
    include_str!("shipped/gitlab_words.toml"),
    include_str!("shipped/mastodon.toml"),
    include_str!("shipped/online_migrations.toml"),
    include_str!("shipped/pg_ha_migrations.toml"),
    include_str!("shipped/safe_pg_migrations.toml"),
    include_str!("shipped/searchkick.toml"),
    include_str!("shipped/strong_migrations.toml"),
];

impl Vocabularies {
    /// Those that ship with plimsoll, and the gems of the project by name.
    pub fn shipped(gems: &[String]) -> Vocabularies {
        static READ: OnceLock<Arc<Vec<Vocabulary>>> = OnceLock::new();
        // A test proves that each can be read.
        let read = || Arc::new(SHIPPED.iter().filter_map(|text| read(text).ok()).collect());
        Vocabularies::of(READ.get_or_init(read).clone(), gems.into())
    }

    fn of(known: Arc<Vec<Vocabulary>>, gems: Arc<[String]>) -> Vocabularies {
        let always = known.iter().map(|one| one.is_always_on(&gems)).collect();
        Vocabularies { known, gems, always }
    }

    /// With those of the project's own before them.
    pub fn with(self, own: Vec<Vocabulary>) -> Vocabularies {
        if own.is_empty() {
            return self;
        }
        let known = own.into_iter().chain(self.known.iter().cloned());
        Vocabularies::of(Arc::new(known.collect()), self.gems)
    }

    /// Folders with classes of background work.
    pub fn job_folders(&self) -> impl Iterator<Item = &str> {
        self.known.iter().flat_map(|one| one.job_folders.iter().map(String::as_str))
    }

    /// A class or module that one of them is about.
    pub fn knows(&self, constant: &str) -> bool {
        let begins = |with: &[String]| with.iter().any(|prefix| constant.starts_with(prefix.as_str()));
        self.known.iter().any(|one| begins(&one.inherits) || begins(&one.includes))
    }

    pub fn active(&self, script: &RubyScript) -> Active<'_> {
        let known = self.known.iter().zip(&*self.always);
        Active { known: known.filter(|(one, always)| **always || one.is_on(script)).map(|(one, _)| one).collect() }
    }
}

/// A class or module of the application's own that migrations inherit from or include.
#[derive(Debug, Default)]
pub struct OwnBase {
    pub name: Arc<str>,
    pub methods: Vec<Arc<RubyMethod>>,
    /// Behind a class.
    pub release: Option<Release>,
    pub ddl_transaction: bool,
}

impl Vocabulary {
    pub fn of_base(base: OwnBase) -> Vocabulary {
        let name = base.name.to_string();
        Vocabulary {
            inherits: vec![name.clone()],
            includes: vec![name.clone()],
            gems: Vec::new(),
            releases: base.release.map(|release| (name, release)).into_iter().collect(),
            lock_timeout: false,
            ddl_transaction: base.ddl_transaction,
            helpers: base.methods.into_iter().map(|method| (method.name.clone(), method)).collect(),
            definitions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            job_folders: Vec::new(),
            name: base.name,
        }
    }

    fn is_always_on(&self, gems: &[String]) -> bool {
        let has_no_sign = self.inherits.is_empty() && self.includes.is_empty() && self.gems.is_empty();
        has_no_sign || self.gems.iter().any(|gem| gems.contains(gem))
    }

    /// Switched on by the migration itself.
    fn is_on(&self, script: &RubyScript) -> bool {
        let begins = |text: &str, with: &[String]| with.iter().any(|prefix| text.starts_with(prefix.as_str()));
        begins(&script.inherits, &self.inherits) || script.includes.iter().any(|module| begins(module, &self.includes))
    }
}

impl<'a> Active<'a> {
    pub fn helper(&self, name: &str) -> Option<Arc<RubyMethod>> {
        self.known.iter().find_map(|vocabulary| vocabulary.helpers.get(name).cloned())
    }

    pub fn definition(&self, name: &str) -> Option<Arc<RubyMethod>> {
        self.known.iter().find_map(|vocabulary| vocabulary.definitions.get(name).cloned())
    }

    pub fn job(&self, class: &str) -> Option<Arc<RubyMethod>> {
        self.known.iter().find_map(|vocabulary| vocabulary.jobs.get(class).cloned())
    }

    /// Migrations in it wait for locks no longer than a limit.
    pub fn limits_lock_waits(&self) -> bool {
        self.known.iter().any(|vocabulary| vocabulary.lock_timeout)
    }

    /// Migrations in it run outside of a transaction, whatever they say.
    pub fn runs_bare(&self) -> bool {
        self.known.iter().any(|vocabulary| !vocabulary.ddl_transaction)
    }

    pub(super) fn release(&self, inherits: &str) -> Option<Release> {
        let all = self.known.iter().flat_map(|vocabulary| &vocabulary.releases);
        let fitting = all.filter(|(prefix, _)| inherits.starts_with(prefix.as_str()));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, release)| *release)
    }
}
