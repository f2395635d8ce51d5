//! Rails migrations: the Ruby they are written in, worked out without running it, and what their calls send to the
//! server.
//!
//! [`value`] holds what Ruby's expressions come to, [`evaluate`] works them out against a [`World`], [`active_record`]
//! turns one call into the SQL that Active Record would send, [`vocabulary`] does so for what gems and projects add;
//! [`write`](mod@write) goes the other way, for advice.

pub mod active_record;
pub mod call;
pub mod evaluate;
pub mod migration;
pub mod value;
pub mod vocabulary;
pub mod world;
pub mod write;

pub use call::{Answer, Call, Options};
pub use value::{Text, Value};
pub use vocabulary::Vocabularies;
pub use world::World;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operation::{RubyFile, RubyScript};
use active_record::{Dialect, Release};
use vocabulary::Active;

/// How the migrations of one project are to be understood.
#[derive(Debug, Clone)]
pub struct Language {
    pub vocabularies: Vocabularies,
    /// What the project sets; the version is each migration's own.
    pub dialect: Dialect,
    /// Classes of background work in the checkout, by the last part of their names.
    pub jobs: Arc<BTreeMap<Arc<str>, Arc<RubyFile>>>,
    /// The application's settings end waits for locks: in database.yml, or as a gem is set up.
    pub limits_lock_waits: bool,
}

impl Default for Language {
    fn default() -> Language {
        Language {
            vocabularies: Vocabularies::default(),
            dialect: Dialect::new(Release::OLDEST),
            jobs: Arc::default(),
            limits_lock_waits: false,
        }
    }
}

/// The class that the words of a dump are read as.
pub const DUMP: &str = "Schema";

impl Language {
    /// The dialect of one migration: its base class names the version.
    pub fn dialect_of(&self, script: &RubyScript, active: &Active<'_>) -> Dialect {
        let inherits = &*script.inherits;
        let named = inherits.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
        let is_rails = inherits.starts_with("ActiveRecord::Migration");
        let version = match named {
            Some(version) if is_rails => Release::parse(version),
            _ => active.release(inherits).or_else(|| named.and_then(Release::parse)),
        };
        // A dump says what there is, whatever a gem makes of migrations.
        let uuid_keys = self.dialect.uuid_keys && &*script.class != DUMP;
        let is_unversioned = matches!(inherits, "ActiveRecord::Migration" | "::ActiveRecord::Migration");
        Dialect { version: version.unwrap_or(Release::OLDEST), is_unversioned, uuid_keys, ..self.dialect.clone() }
    }
}
