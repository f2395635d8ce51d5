//! What an application sets that changes what its migrations say to the server: inflections, prefixes, what
//! `datetime` means, the SQL files that migrations read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::place::below;
use super::super::text::peek;
use super::class::literal;
use crate::operation::{Ruby, RubyFile, RubyKind, RubyPair, RubyTarget, walk};
use crate::rails::active_record::{Dialect, Files, Inflections, Release};
use crate::read::ruby;
use crate::source::{Piece, Sources};

/// Where such settings stand, below the application.
const SETTINGS: &[&str] = &[
    "config/application.rb",
    "config/environments/production.rb",
    "config/initializers/active_record.rb",
    "config/initializers/generators.rb",
    "config/initializers/inflections.rb",
    "config/initializers/new_framework_defaults_7_0.rb",
    "config/initializers/postgresql.rb",
    "config/initializers/postgres.rb",
    "config/initializers/timestamptz.rb",
    "config/initializers/zeitwerk.rb",
    "config/initializers_before_autoloader/000_inflections.rb",
];

/// What the application's settings make of its migrations' calls; each migration brings its own version.
pub fn dialect(root: &Path, app: &str, files: BTreeMap<String, Piece>) -> Dialect {
    let mut dialect = Dialect::new(Release::OLDEST);
    let mut inflections = Inflections::default();
    for path in SETTINGS {
        let Some(text) = peek(&root.join(app).join(path)) else { continue };
        // Nothing of it is shown: it needs no place among the run's sources.
        let mut sources = Sources::default();
        let id = sources.add(below(app, path), text);
        let file = ruby::read(&sources.piece(id));
        take(&file, &mut dialect, &mut inflections);
    }
    dialect.inflections = Arc::new(inflections);
    if !files.is_empty() {
        let files: Files = Arc::new(move |path: &str| files.get(path.trim_start_matches("./")).cloned());
        dialect.files = Some(files);
    }
    dialect
}

/// A gem that runs migrations with a lock_timeout is set up so: `StrongMigrations.lock_timeout = 10.seconds`.
pub fn limits_lock_waits(app: &Path) -> bool {
    const INITIALIZERS: &[&str] = &["strong_migrations.rb", "online_migrations.rb", "safe_pg_migrations.rb"];
    INITIALIZERS.iter().any(|name| {
        let Some(text) = peek(&app.join("config/initializers").join(name)) else { return false };
        let mut sources = Sources::default();
        let id = sources.add(*name, text);
        sets_lock_timeout(&ruby::read(&sources.piece(id)))
    })
}

fn sets_lock_timeout(file: &RubyFile) -> bool {
    let mut sets = false;
    walk(&file.body, &mut |node| {
        if let RubyKind::Assign { target: RubyTarget::Attribute(_, name), value, .. } = &node.kind {
            sets |= &**name == "lock_timeout"
                && !matches!(value.kind, RubyKind::Nil | RubyKind::False | RubyKind::Integer(0));
        }
    });
    sets
}

fn take(file: &RubyFile, dialect: &mut Dialect, inflections: &mut Inflections) {
    walk(&file.body, &mut |node| match &node.kind {
        RubyKind::Assign { target: RubyTarget::Attribute(_, name), value, .. } => match &**name {
            "datetime_type" => dialect.datetime_with_zone |= literal(value).as_deref() == Some("timestamptz"),
            "table_name_prefix" => dialect.table_name_prefix = literal(value).unwrap_or_default(),
            "table_name_suffix" => dialect.table_name_suffix = literal(value).unwrap_or_default(),
            "partial_inserts" | "partial_writes" => {
                dialect.partial_inserts = Some(!matches!(value.kind, RubyKind::False | RubyKind::Nil));
            }
            "belongs_to_required_by_default" => dialect.belongs_to_required = value.kind == RubyKind::True,
            "pluralize_table_names" => dialect.pluralize_table_names = value.kind != RubyKind::False,
            _ => {}
        },
        RubyKind::Call(call) if call.receiver.is_some() => match &*call.name {
            "irregular" => {
                if let [one, many] = call.arguments.as_slice() {
                    inflections.irregular.extend(literal(one).zip(literal(many)));
                }
            }
            "orm" => {
                let told = call.keywords.iter().find_map(|pair| match pair {
                    RubyPair::Pair(key, value) => {
                        literal(key).filter(|key| &**key == "primary_key_type").and_then(|_| literal(value))
                    }
                    RubyPair::Splat(_) => None,
                });
                dialect.primary_key_type = told.or(dialect.primary_key_type.take());
            }
            // Since 7.0 new applications write all columns.
            "load_defaults" => {
                let release = call.arguments.first().and_then(release);
                dialect.partial_inserts = dialect.partial_inserts.or(release.map(|release| release < Release(7, 0)));
                dialect.belongs_to_required |= release.is_some_and(|release| release >= Release(5, 0));
            }
            "uncountable" => inflections.uncountable.extend(call.arguments.iter().flat_map(literals)),
            _ => {}
        },
        _ => {}
    });
}

/// `7.1` or `"7.1"`.
fn release(node: &Ruby) -> Option<Release> {
    match &node.kind {
        RubyKind::Float(text) => Release::parse(text),
        _ => Release::parse(&literal(node)?),
    }
}

/// Literals given one by one or as an array.
pub fn literals(node: &Ruby) -> Vec<Arc<str>> {
    match &node.kind {
        RubyKind::Array(items) => items.iter().flat_map(literals).collect(),
        RubyKind::Splat(Some(inner)) => literals(inner),
        _ => literal(node).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gems_that_limit_waits_are_known() {
        let sets = |text: &str| {
            let mut sources = Sources::default();
            let id = sources.add("a.rb", text);
            sets_lock_timeout(&ruby::read(&sources.piece(id)))
        };
        assert!(sets("StrongMigrations.lock_timeout = 10.seconds"));
        assert!(sets("OnlineMigrations.configure do |config|\n  config.lock_timeout = '5s'\nend"));
        assert!(!sets("# StrongMigrations.lock_timeout = 10.seconds\nStrongMigrations.statement_timeout = 1.hour"));
        assert!(!sets("StrongMigrations.lock_timeout = nil"));
    }

    #[test]
    fn settings_change_what_calls_say() {
        let text = "ActiveSupport::Inflector.inflections(:en) do |inflect|\n  inflect.irregular 'octopus', 'octopi'\n  \
                    inflect.uncountable %w[fish sheep]\n  inflect.uncountable('rice')\nend\n\
                    Rails.application.config.active_record.table_name_prefix = 'shop_'\n\
                    ActiveRecord::ConnectionAdapters::PostgreSQLAdapter.datetime_type = :timestamptz\n\
                    config.active_record.pluralize_table_names = false\n\
                    config.generators { |g| g.orm :active_record, primary_key_type: :uuid }\n";
        let mut sources = Sources::default();
        let id = sources.add("a.rb", text);
        let (mut dialect, mut inflections) = (Dialect::new(Release::OLDEST), Inflections::default());
        take(&ruby::read(&sources.piece(id)), &mut dialect, &mut inflections);
        assert!(dialect.datetime_with_zone && !dialect.pluralize_table_names);
        assert_eq!((&*dialect.table_name_prefix, &*inflections.irregular[0].1), ("shop_", "octopi"));
        assert_eq!(inflections.uncountable.len(), 3);
        assert_eq!(dialect.primary_key_type.as_deref(), Some("uuid"));
    }
}
