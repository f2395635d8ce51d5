//! Suppression: which findings an allow holds back, and which allows hold back nothing.

use crate::finding::{Finding, MigrationRef};
use crate::settings::{Allow, AllowScope};

/// An allow with the migration whose comment it is; `None` for the settings file's.
#[derive(Debug, Clone)]
pub struct PlacedAllow {
    pub allow: Allow,
    pub at: Option<MigrationRef>,
    pub used: bool,
}

/// A migration as `[[allow]]` names it.
#[derive(Debug, Clone)]
pub struct NamedMigration {
    pub at: MigrationRef,
    pub path: String,
    pub version: String,
}

/// Takes out the findings that an allow with a reason is about. `may` says whether a rule can be allowed at all.
pub fn suppress(
    findings: &mut Vec<Finding>,
    allows: &mut [PlacedAllow],
    migrations: &[NamedMigration],
    may: &dyn Fn(&str) -> bool,
) -> Vec<(Finding, Allow)> {
    let mut allowed = Vec::new();
    findings.retain(|finding| {
        if !may(finding.rule) {
            return true;
        }
        let migration = migrations.iter().find(|one| Some(one.at) == finding.migration);
        // An allow without a reason allows nothing; `allow-without-reason` says so.
        let about = allows
            .iter_mut()
            .filter(|placed| placed.allow.reason.is_some())
            .find(|placed| is_about(&placed.allow, finding, migration));
        match about {
            Some(placed) => {
                placed.used = true;
                allowed.push((finding.clone(), placed.allow.clone()));
                false
            }
            None => true,
        }
    });
    allowed
}

fn is_about(allow: &Allow, finding: &Finding, migration: Option<&NamedMigration>) -> bool {
    if allow.rule != finding.rule {
        return false;
    }
    match &allow.scope {
        AllowScope::Statement(statement) => statement.contains(finding.span),
        AllowScope::File => allow.span.source == finding.span.source,
        AllowScope::Migration { object, .. } => {
            let named = migration.is_some_and(|one| allow.scope.is_for_migration(&one.path, &one.version));
            named && object.as_ref().is_none_or(|object| finding.objects.iter().any(|one| names(one, object)))
        }
    }
}

/// `public.orders` is meant by `orders` too.
fn names(full: &str, asked: &str) -> bool {
    full == asked
        || full.rsplit_once('.').is_some_and(|(_, last)| last == asked)
        || full.strip_prefix("public.") == Some(asked)
}
