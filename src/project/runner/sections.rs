//! Runners that keep up and down in one file, told apart by comments of their own.

use std::collections::BTreeSet;

use super::super::names::plain;
use super::super::order::by_text;
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Parts, Tool, passed_over, sort};
use crate::history::{AfterEdit, AfterFailure, Framework, Late, TransactionUnit};

/// `-- migrate:up transaction:false`, `-- migrate:down`; files by name.
pub const DBMATE: Tool = Tool {
    framework: Framework::Dbmate,
    detect: |search| {
        search
            .take_each(Framework::Dbmate, |search, path| search.is_marked(path, |line| dbmate(line) == Some(Side::Up)));
    },
    list: |context| {
        list(context, Marks { turn: dbmate, refuses: dbmate_refuses, unit: dbmate_unit, without_marks: false })
    },
    compare: by_text,
    fits: starts_with_number,
    ..ORDINARY
};

/// `-- +migrate Up notransaction`, `-- +migrate Down`.
pub const SQL_MIGRATE: Tool = Tool {
    framework: Framework::SqlMigrate,
    detect: |search| {
        let is_up = |line: &str| sql_migrate(line) == Some(Side::Up);
        search.take_each(Framework::SqlMigrate, |search, path| search.is_marked(path, is_up));
    },
    list: |context| {
        list(context, Marks { turn: sql_migrate, refuses: |_| None, unit: sql_migrate_unit, without_marks: false })
    },
    fits: |name| name.ends_with(".sql"),
    // `Less` falls back on the whole name.
    one_per_version: false,
    ..ORDINARY
};

/// `---- create above / drop below ----`.
pub const TERN: Tool = Tool {
    framework: Framework::Tern,
    detect: |search| {
        search.take_each(Framework::Tern, |search, path| {
            search.is_marked(path, |line| tern(line).is_some())
                || (search.is_named(path, Framework::Tern) && search.mostly(path, starts_with_number))
        });
    },
    list: |context| list(context, Marks { turn: tern, refuses: |_| None, unit: tern_unit, without_marks: false }),
    fits: starts_with_number,
    manifests: &["tern.conf"],
    templates: Style::Go,
    late: Late::Skips,
    ..ORDINARY
};

/// `-- rambler up`, `-- rambler down`: each section is one query, outside of a transaction.
pub const RAMBLER: Tool = Tool {
    framework: Framework::Rambler,
    detect: |search| {
        let is_up = |line: &str| rambler(line) == Some(Side::Up);
        search.take_each(Framework::Rambler, |search, path| search.is_marked(path, is_up));
    },
    list: |context| {
        let unit = |_: &str| TransactionUnit::Statement;
        list(context, Marks { turn: rambler, refuses: |_| None, unit, without_marks: false })
    },
    compare: by_text,
    fits: |name| name.ends_with(".sql"),
    unit: TransactionUnit::Statement,
    ..ORDINARY
};

/// `# --- !Ups`, `# --- !Downs`: statements one by one on a connection that commits each.
pub const PLAY_EVOLUTIONS: Tool = Tool {
    framework: Framework::PlayEvolutions,
    detect: |search| {
        let is_up = |line: &str| play(line) == Some(Side::Up);
        search.take_each(Framework::PlayEvolutions, |search, path| search.is_marked(path, is_up));
    },
    list: |context| {
        let unit = |_: &str| TransactionUnit::Statement;
        list(context, Marks { turn: play, refuses: |_| None, unit, without_marks: true })
    },
    fits: starts_with_number,
    unit: TransactionUnit::Statement,
    after_failure: AfterFailure::MarkedDirty,
    checksums: true,
    after_edit: AfterEdit::RunsAgain,
    ..ORDINARY
};

/// `-- Up Migration`, `-- Down Migration`: all pending ones share a transaction by default.
pub const NODE_PG_MIGRATE: Tool = Tool {
    framework: Framework::NodePgMigrate,
    detect: |search| {
        search.take_each(Framework::NodePgMigrate, |search, path| {
            search.is_marked(path, |line| node_pg_migrate(line) == Some(Side::Up))
                || (search.is_named(path, Framework::NodePgMigrate) && search.mostly(path, starts_with_number))
        });
    },
    list: |context| {
        let unit = |_: &str| TransactionUnit::AllPending;
        list(context, Marks { turn: node_pg_migrate, refuses: |_| None, unit, without_marks: false })
    },
    unit: TransactionUnit::AllPending,
    fits: starts_with_number,
    one_per_version: false,
    also: &[(".js", "JavaScript"), (".ts", "TypeScript"), (".mjs", "JavaScript"), (".cjs", "JavaScript")],
    late: Late::Refuses,
    ..ORDINARY
};

/// Which way a part of a file runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Up,
    Down,
    /// Neither: the runner passes over it.
    None,
}

/// What one of these runners does with a file.
struct Marks {
    /// A line that opens a section.
    turn: fn(&str) -> Option<Side>,
    /// Why the runner refuses a text.
    refuses: fn(&str) -> Option<&'static str>,
    unit: fn(&str) -> TransactionUnit,
    /// The lines that open sections are no comments of SQL.
    without_marks: bool,
}

/// Cuts a text at the lines that open sections. What stands before the first one runs forward.
pub fn cut(text: &str, turn: impl Fn(&str) -> Option<Side>) -> Parts {
    cut_at(text, turn, false)
}

fn cut_at(text: &str, turn: impl Fn(&str) -> Option<Side>, without_marks: bool) -> Parts {
    let mut parts = Parts::default();
    // Play's head is no SQL either.
    let mut side = if without_marks { Side::None } else { Side::Up };
    let (mut from, mut at) = (0, 0);
    let mut end = |side: Side, part: std::ops::Range<usize>| match side {
        Side::Up => parts.up.push(part),
        Side::Down => parts.down.push(part),
        Side::None => {}
    };
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if let Some(turned) = turn(line.trim_end_matches(['\n', '\r'])) {
            end(side, from..at);
            (side, from) = (turned, if without_marks { next } else { at });
        }
        at = next;
    }
    end(side, from..at);
    parts.up.retain(|part| !part.is_empty());
    parts.down.retain(|part| !part.is_empty());
    parts
}

fn list(context: &mut Context<'_>, marks: Marks) -> Entries {
    let layout = context.layout;
    let tool = super::tool(layout.framework);
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        if file.folder() != layout.root || !(tool.fits)(file.name()) {
            ignored.insert(file.path.clone());
            continue;
        }
        let text = context.text(file);
        if let Some(reason) = (marks.refuses)(&text).filter(|_| !text.is_empty()) {
            found.unread.push((file.path.clone(), format!("{} refuses it: {reason}", layout.framework.name())));
            continue;
        }
        let parts = cut_at(&text, marks.turn, marks.without_marks);
        found.has_down |= !parts.down.is_empty();
        let (version, name) = version(file);
        found.entries.push(Entry { parts: Some(parts), ..Entry::new(version, name, file, (marks.unit)(&text)) });
    }
    sort(&mut found, tool.compare);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// The digits that a name begins with, or all of it.
fn version(file: &Found) -> (String, String) {
    let parts = plain(file.name());
    if parts.version.is_empty() { (parts.name.clone(), parts.name) } else { (parts.version, parts.name) }
}

fn starts_with_number(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit()) && name.ends_with(".sql")
}

/// `^--\s*migrate:up(\s*$|\s+\S+)`.
fn dbmate(line: &str) -> Option<Side> {
    let mark = line.strip_prefix("--")?.trim_start().strip_prefix("migrate:")?;
    match mark.split_whitespace().next()? {
        "up" if mark.starts_with("up") => Some(Side::Up),
        "down" if mark.starts_with("down") => Some(Side::Down),
        _ => None,
    }
}

fn dbmate_refuses(text: &str) -> Option<&'static str> {
    let mut sides = text.lines().filter_map(dbmate);
    match (sides.next(), sides.next()) {
        (None, _) => Some("it has no `-- migrate:up`"),
        (Some(Side::Down), _) => Some("`-- migrate:down` stands before `-- migrate:up`"),
        (Some(_), None) => Some("it has no `-- migrate:down`"),
        (Some(_), Some(_)) => None,
    }
}

fn dbmate_unit(text: &str) -> TransactionUnit {
    let mut marks = text.lines().filter(|line| dbmate(line) == Some(Side::Up));
    let bare = marks.any(|line| line.split_whitespace().any(|word| word == "transaction:false"));
    // The section is sent as one query.
    if bare { TransactionUnit::SimpleQuery } else { TransactionUnit::File }
}

fn sql_migrate(line: &str) -> Option<Side> {
    match line.strip_prefix("-- +migrate ")?.split_whitespace().next()? {
        "Up" => Some(Side::Up),
        "Down" => Some(Side::Down),
        _ => None,
    }
}

fn sql_migrate_unit(text: &str) -> TransactionUnit {
    let mut marks = text.lines().filter(|line| sql_migrate(line) == Some(Side::Up));
    let bare = marks.any(|line| line.split_whitespace().any(|word| word == "notransaction"));
    if bare { TransactionUnit::Statement } else { TransactionUnit::File }
}

fn tern(line: &str) -> Option<Side> {
    (line.trim() == "---- create above / drop below ----").then_some(Side::Down)
}

fn tern_unit(text: &str) -> TransactionUnit {
    let up = text.lines().take_while(|line| tern(line).is_none());
    let bare = up.into_iter().any(|line| line == "---- tern: disable-tx ----");
    if bare { TransactionUnit::Statement } else { TransactionUnit::File }
}

fn rambler(line: &str) -> Option<Side> {
    Some(match line.strip_prefix("-- rambler")?.trim() {
        "up" => Side::Up,
        "down" => Side::Down,
        _ => Side::None,
    })
}

/// `^(#|--).*!Ups.*$`.
fn play(line: &str) -> Option<Side> {
    if !line.starts_with('#') && !line.starts_with("--") {
        return None;
    }
    match (line.contains("!Ups"), line.contains("!Downs")) {
        (true, _) => Some(Side::Up),
        (false, true) => Some(Side::Down),
        (false, false) => None,
    }
}

/// `^\s*--[\s-]*up\s+migration`, without case.
fn node_pg_migrate(line: &str) -> Option<Side> {
    let comment = line.trim_start().strip_prefix("--")?;
    let comment = comment.trim_start_matches(|character: char| character.is_whitespace() || character == '-');
    let mut words = comment.split_whitespace();
    let side = match words.next()?.to_ascii_lowercase().as_str() {
        "up" => Side::Up,
        "down" => Side::Down,
        _ => return None,
    };
    words.next()?.to_ascii_lowercase().starts_with("migration").then_some(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_open_sections_as_each_runner_has_it() {
        let side = |turn: fn(&str) -> Option<Side>, line: &str| turn(line);
        assert_eq!(side(dbmate, "--migrate:up  transaction:false"), Some(Side::Up));
        assert_eq!(side(dbmate, " -- migrate:up"), None);
        assert_eq!(side(dbmate, "-- migrate:upwards"), None);
        assert_eq!(side(sql_migrate, "-- +migrate Down"), Some(Side::Down));
        assert_eq!(side(sql_migrate, "-- +migrate StatementBegin"), None);
        assert_eq!(side(play, "# --- !Downs"), Some(Side::Down));
        assert_eq!(side(play, "-- !Ups"), Some(Side::Up));
        assert_eq!(side(rambler, "-- rambler nothing"), Some(Side::None));
        assert_eq!(side(node_pg_migrate, "  ---- UP   migrations"), Some(Side::Up));
        assert_eq!(side(node_pg_migrate, "-- up to here"), None);
    }

    #[test]
    fn sections_keep_their_places() {
        let text = "-- head\n-- migrate:up\na;\n\n-- migrate:down\nb;\n";
        let parts = cut(text, dbmate);
        let of = |ranges: &[std::ops::Range<usize>]| ranges.iter().map(|part| &text[part.clone()]).collect::<String>();
        assert_eq!(of(&parts.up), "-- head\n-- migrate:up\na;\n\n");
        assert_eq!(of(&parts.down), "-- migrate:down\nb;\n");
        let marks = "# --- !Ups\na;\n# --- !Downs\nb;";
        let parts = cut_at(marks, play, true);
        assert_eq!((&marks[parts.up[0].clone()], &marks[parts.down[0].clone()]), ("a;\n", "b;"));
    }
}
