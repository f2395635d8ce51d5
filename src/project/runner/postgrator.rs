//! Postgrator: `001.do.title.sql`, `001.undo.title.sql`, by number; each file is sent at once.

use super::super::names::{Direction, Numbered};
use super::numbered::pair;
use super::{ORDINARY, Tool};
use crate::history::{AfterEdit, Framework, Late, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Postgrator,
    // The action between two dots is nobody else's: the names are enough.
    detect: |search| {
        search.take_each(Framework::Postgrator, |search, path| search.mostly(path, |name| parts(name).is_some()));
    },
    list: |context| {
        let mut found = pair(context, parts);
        for entry in &mut found.entries {
            entry.unit = TransactionUnit::SimpleQuery;
        }
        found
    },
    fits: |name| parts(name).is_some(),
    unit: TransactionUnit::SimpleQuery,
    checksums: true,
    after_edit: AfterEdit::Refuses,
    late: Late::Skips,
    also: &[(".js", "JavaScript"), (".mjs", "JavaScript"), (".cjs", "JavaScript")],
    ..ORDINARY
};

/// `[version].[action].[title].sql`; what follows a third dot is nothing to it.
fn parts(name: &str) -> Option<Numbered> {
    let mut parts = name.strip_suffix(".sql")?.split('.');
    let version = parts.next().filter(|version| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))?;
    let direction = match parts.next()? {
        "do" => Direction::Up,
        "undo" => Direction::Down,
        _ => return None,
    };
    let name = parts.next().unwrap_or_default().to_owned();
    Some(Numbered { version: version.to_owned(), name, direction: Some(direction) })
}
