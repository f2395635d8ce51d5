//! postgres-migrations: `1-title.sql`, `2_title.sql`, by number without gaps.

use std::collections::BTreeSet;

use super::super::order::by_number;
use super::{Context, Entries, Entry, ORDINARY, Tool, passed_over, sort};
use crate::history::{AfterEdit, Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::PostgresMigrations,
    detect: |search| {
        search.take_each(Framework::PostgresMigrations, |search, path| {
            search.mostly(path, |name| number(name).is_some())
                && (search.is_named(path, Framework::PostgresMigrations) || search.carries(path, is_outside))
        });
    },
    list,
    fits: |name| number(name).is_some(),
    checksums: true,
    also: &[(".js", "JavaScript")],
    after_edit: AfterEdit::Refuses,
    ..ORDINARY
};

/// `^(-?\d+)[-_]?(.*).(sql|js)$`.
fn number(name: &str) -> Option<(&str, &str)> {
    let stem = name.strip_suffix(".sql")?;
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &stem[digits..];
    (digits > 0).then(|| (&stem[..digits], rest.strip_prefix(['-', '_']).unwrap_or(rest)))
}

fn is_outside(text: &str) -> bool {
    text.contains("-- postgres-migrations disable-transaction")
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        let Some((version, name)) = number(file.name()).filter(|_| file.folder() == layout.root) else {
            ignored.insert(file.path.clone());
            continue;
        };
        let bare = is_outside(&context.text(file));
        let unit = if bare { TransactionUnit::SimpleQuery } else { TransactionUnit::File };
        found.entries.push(Entry::new(version, name, file, unit));
    }
    sort(&mut found, by_number);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}
