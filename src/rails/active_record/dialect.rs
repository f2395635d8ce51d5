//! What decides how Active Record says one and the same call: the version that a migration was written for, and what
//! the project sets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::inflect::Inflections;
use crate::source::Piece;

/// Finds a file of the project by its path from the root: the SQL of views, functions and triggers.
pub type Files = Arc<dyn Fn(&str) -> Option<Piece> + Send + Sync>;

/// How a migration's calls are to be understood.
#[derive(Clone)]
pub struct Dialect {
    /// `ActiveRecord::Migration[7.1]`; without a version 4.2: what Active Record did before there were any.
    pub version: Release,
    /// `ActiveRecord::Migration` alone, which 5.1 and later refuse: what came after does not know the call's options.
    pub is_unversioned: bool,
    /// `ActiveRecord::ConnectionAdapters::PostgreSQLAdapter.datetime_type = :timestamptz`: what `datetime` means in
    /// migrations for 7.0 and later.
    pub datetime_with_zone: bool,
    /// `config.active_record.table_name_prefix` and `table_name_suffix`.
    pub table_name_prefix: Arc<str>,
    pub table_name_suffix: Arc<str>,
    /// `config.active_record.pluralize_table_names`: what a reference refers to.
    pub pluralize_table_names: bool,
    /// `g.orm :active_record, primary_key_type: :uuid`: what generators, and migrations that ask them, make keys of.
    pub primary_key_type: Option<Arc<str>>,
    /// The gem ar-uuid: keys and references are uuid where a migration names no type.
    pub uuid_keys: bool,
    /// `belongs_to_required_by_default`, or what `config.load_defaults` makes of it.
    pub belongs_to_required: bool,
    /// `config.active_record.partial_inserts`, or what `config.load_defaults` makes of it; `None`: nothing tells.
    pub partial_inserts: Option<bool>,
    pub inflections: Arc<Inflections>,
    pub files: Option<Files>,
    /// Classes of the application whose names do not tell their tables.
    pub models: Arc<BTreeMap<Arc<str>, ModelTable>>,
}

/// What a model's class says of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelTable {
    Named(Arc<str>),
    /// That of the class above, where that is a model.
    Of(Arc<str>),
}

/// A release of Active Record: `7.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u16, pub u16);

impl Release {
    pub const OLDEST: Release = Release(4, 2);

    /// `7.1`, as it stands between the brackets; what is older than versions behaves as 4.2.
    pub fn parse(text: &str) -> Option<Release> {
        let (major, minor) = text.split_once('.')?;
        Some(Release(major.parse().ok()?, minor.parse().ok()?).max(Release::OLDEST))
    }
}

impl Dialect {
    pub fn new(version: Release) -> Dialect {
        Dialect {
            version,
            is_unversioned: false,
            datetime_with_zone: false,
            table_name_prefix: "".into(),
            table_name_suffix: "".into(),
            pluralize_table_names: true,
            primary_key_type: None,
            uuid_keys: false,
            belongs_to_required: false,
            partial_inserts: None,
            inflections: Arc::default(),
            files: None,
            models: Arc::default(),
        }
    }

    /// Written for this release or an older one.
    pub(super) fn until(&self, major: u16, minor: u16) -> bool {
        self.version <= Release(major, minor)
    }

    /// A table's name with what the project puts around every one.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}{name}{}", self.table_name_prefix, self.table_name_suffix)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Migration[{}.{}]", self.version.0, self.version.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_compared() {
        assert_eq!(Release::parse("7.1"), Some(Release(7, 1)));
        assert_eq!(Release::parse("3.2"), Some(Release::OLDEST));
        assert_eq!(Release::parse("seven"), None);
        assert!(Dialect::new(Release(6, 1)).until(7, 0));
        assert!(!Dialect::new(Release(7, 1)).until(7, 0));
    }

    #[test]
    fn names_get_their_prefix() {
        let dialect = Dialect { table_name_prefix: "shop_".into(), ..Dialect::new(Release(7, 0)) };
        assert_eq!(dialect.table("orders"), "shop_orders");
    }
}
