//! `schema-dump-differs`: the dump that a change commits is not what its migrations make.

use super::{bare, say, shipped};
use crate::finding::{Finding, MigrationRef, Severity};
use crate::schema::difference::{Change, ChangeKind};
use crate::source::Span;

/// Active Record leaves out of its dump the names that it made of a table's and its columns'.
pub fn is_made_name(change: &Change) -> bool {
    let made = |name: &str| name.contains("fk_rails_") || name.contains("chk_rails_");
    made(&change.name) && change.text.strip_prefix("is called ").is_some_and(made)
}

/// Tables that Active Record makes for itself, and the language that each database has: a dump in Ruby shows the one and
/// not the other, a dump in SQL the other way round, and no migration makes either.
pub fn is_rails_own(change: &Change) -> bool {
    let mut parts = change.name.split('.').map(|part| part.trim_matches('"'));
    match change.object {
        "extension" => change.name == "plpgsql",
        _ => parts.any(|part| matches!(part, "schema_migrations" | "ar_internal_metadata")),
    }
}

/// One finding for a dump. `lacks` brings what the migrations make to the dump, `has` the dump to that.
pub fn finding(
    path: &str,
    top: Span,
    at: MigrationRef,
    lacks: &[Change],
    has: &[Change],
    severity: Severity,
) -> Option<Finding> {
    if lacks.is_empty() {
        return None;
    }
    let message = format!("`{path}` is not what the migrations make: it {}", differences(lacks, has));
    let only_in = |changes: &[Change]| {
        let extra = changes.iter().filter(|change| change.kind == ChangeKind::Extra);
        extra
            .filter_map(|change| change.made.as_ref().map(|made| (made.span, change.object, change.name.clone())))
            .collect::<Vec<_>>()
    };
    let (by_migrations, in_dump) = (only_in(lacks), only_in(has));
    let place = in_dump.first().map_or(top, |one| one.0);
    let mut finding = bare("schema-dump-differs", severity, Some(at), place, "dump", message);
    for change in lacks {
        finding.object(&change.name);
    }
    for (span, object, name) in by_migrations.iter().take(4) {
        finding.because(*span, format!("makes {object} `{}`, which the dump lacks", say::short(name)));
    }
    for (span, object, name) in in_dump.iter().skip(1).take(3) {
        finding.because(*span, format!("the dump has {object} `{}`", say::short(name)));
    }
    // What SQL would bring the migrations to the dump is nobody's: most of what only a dump has is left from elsewhere.
    finding.instead(
        "run the migrations on a database that holds what is shipped, and commit the dump that they write; what should \
         be there besides, a migration must make",
    );
    Some(finding)
}

fn differences(lacks: &[Change], has: &[Change]) -> String {
    let of = |changes: &[Change], kind: ChangeKind| {
        let told = |change: &Change| match change.text.as_str() {
            "" => format!("{} `{}`", change.object, say::short(&change.name)),
            text => format!("{} `{}` ({text})", change.object, say::short(&change.name)),
        };
        changes.iter().filter(|change| change.kind == kind).map(told).collect::<Vec<_>>()
    };
    let parts = [
        ("lacks", of(lacks, ChangeKind::Extra), ""),
        ("has", of(has, ChangeKind::Extra), ", which they do not leave"),
        ("has another", of(has, ChangeKind::Differs), ""),
    ];
    let told = parts.iter().filter(|(_, names, _)| !names.is_empty());
    told.map(|(verb, names, end)| format!("{verb} {}{end}", shipped::list(names, 4))).collect::<Vec<_>>().join("; ")
}
