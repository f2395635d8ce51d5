//! graphile-migrate: `committed/000001-title.sql` by number, each with headers, then the `current.sql` in work.

use std::collections::BTreeSet;

use super::super::layout::Search;
use super::super::order::by_number;
use super::super::place::{below, file_name, folder, is_below};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over, sort};
use crate::history::{AfterEdit, Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::GraphileMigrate,
    detect,
    list,
    compare: by_number,
    shape: Shape::Whole,
    fits: |name| number(name).is_some(),
    checksums: true,
    one_per_version: false,
    manifests: &["committed"],
    templates: Style::Psql,
    after_edit: AfterEdit::Refuses,
    ..ORDINARY
};

/// Stands after every number.
const CURRENT: &str = "current";

fn detect(search: &mut Search<'_>) {
    let committed = search.paths().into_iter().filter(|path| file_name(path) == "committed");
    for path in committed.collect::<Vec<_>>() {
        if !search.is_marked(&path, |line| line.starts_with("--! Previous:")) {
            continue;
        }
        let root = folder(&path).to_owned();
        let mut files = search.take(&path);
        files.extend(search.take(&below(&root, CURRENT)));
        if let Some(beside) = search.folders.get_mut(&root) {
            files.extend(beside.extract_if(.., |file| file.name() == "current.sql"));
        }
        search.folders.retain(|_, files| !files.is_empty());
        search.add(root, Framework::GraphileMigrate, files);
    }
}

/// `000001.sql`, `000001-title.sql`: its number and title.
fn number(name: &str) -> Option<(&str, &str)> {
    let stem = name.strip_suffix(".sql")?;
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &stem[digits..];
    (digits > 0 && (rest.is_empty() || rest.starts_with('-'))).then(|| (&stem[..digits], rest.trim_start_matches('-')))
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let (committed, current) = (context.inside("committed"), context.inside(CURRENT));
    let mut found = Entries::default();
    let mut ignored = BTreeSet::new();
    let mut last = Vec::new();
    for file in &layout.files {
        let parts = number(file.name());
        match parts {
            Some((version, name)) if file.folder() == committed => {
                let unit = unit(&context.text(file));
                found.entries.push(Entry::new(version, name, file, unit));
            }
            _ if file.path == format!("{current}.sql") || is_below(&file.path, &current) => last.push(file),
            _ => {
                ignored.insert(file.path.clone());
            }
        }
    }
    sort(&mut found, by_number);
    check_chain(context, &mut found);
    last.sort_by(|left, right| by_number(left.name(), right.name()));
    for file in last {
        let unit = unit(&context.text(file));
        found.entries.push(Entry::new(CURRENT, file.name().trim_end_matches(".sql"), file, unit));
    }
    includes(context, &mut found);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// The headers of a text, and where its body begins.
fn headers(text: &str) -> (Vec<(&str, &str)>, &str) {
    let (mut headers, mut rest) = (Vec::new(), text);
    for line in text.split_inclusive('\n') {
        let Some(header) =
            line.strip_prefix("--! ").filter(|header| header.starts_with(|c: char| c.is_ascii_uppercase()))
        else {
            break;
        };
        let (key, value) = header.trim().split_once(':').unwrap_or((header.trim(), ""));
        headers.push((key, value.trim()));
        rest = &rest[line.len()..];
    }
    (headers, rest)
}

/// The body's first line may say `--! no-transaction`: then all of it is one query outside of one.
fn unit(text: &str) -> TransactionUnit {
    let first = headers(text).1.trim_start().lines().next().unwrap_or_default();
    let mark = first.strip_prefix("--!").map(str::trim_start).and_then(|mark| mark.strip_prefix("no-transaction"));
    let is_bare = mark.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    if is_bare { TransactionUnit::SimpleQuery } else { TransactionUnit::File }
}

/// Each committed file names the hash of the one before it; where it does not, nothing runs.
fn check_chain(context: &mut Context<'_>, found: &mut Entries) {
    let mut before: Option<String> = None;
    let files: Vec<Found> = found.entries.iter().map(|entry| entry.up.clone()).collect();
    for file in files {
        let text = context.text(&file);
        let (headers, _) = headers(&text);
        let value = |key: &str| headers.iter().find(|(own, _)| *own == key).map(|(_, value)| (*value).to_owned());
        let previous = value("Previous").filter(|hash| hash != "-");
        if previous != before {
            let reason = "graphile-migrate refuses it: `Previous` does not name the hash of the file before it";
            found.remarks.push(format!("{}: {reason}", file.path));
            return;
        }
        before = value("Hash");
    }
}

/// `--!include` brings a file of `fixtures`: a comment to everybody else, so what it does is said to be unread.
fn includes(context: &mut Context<'_>, found: &mut Entries) {
    let files: Vec<Found> = found.entries.iter().map(|entry| entry.up.clone()).collect();
    for file in files {
        let text = context.text(&file);
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("--!")?.trim_start().strip_prefix("include "));
        if let Some(included) = lines.next() {
            let reason = format!("it includes `{}`, which is not read", included.trim());
            found.unread.push((file.path.clone(), reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodys_first_line_decides() {
        let head = "--! Previous: -\n--! Hash: sha1:00\n\n";
        assert_eq!(unit(&format!("{head}--! no-transaction\nx;")), TransactionUnit::SimpleQuery);
        assert_eq!(unit(&format!("{head}x;\n--! no-transaction\n")), TransactionUnit::File);
        assert_eq!(unit("--!no-transaction-please"), TransactionUnit::SimpleQuery);
        assert_eq!((number("000001-a.sql"), number("a.sql")), (Some(("000001", "a")), None));
    }
}
