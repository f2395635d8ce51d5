//! Goose: one file per migration, its sections opened by `-- +goose Up` and `-- +goose Down`.

use std::collections::BTreeSet;

use super::super::names::numbered;
use super::super::order::by_number;
use super::sections::{Side, cut};
use super::{Context, Entries, Entry, ORDINARY, Tool, passed_over, sort};
use crate::history::{Framework, Late, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Goose,
    detect: |search| {
        search.take_each(Framework::Goose, |search, path| search.is_marked(path, is_up));
    },
    list,
    also: &[(".go", "Go")],
    late: Late::Refuses,
    ..ORDINARY
};

/// `-- +goose Up`, as goose's parser takes it.
fn is_up(line: &str) -> bool {
    line.starts_with("--") && mark(line).is_some_and(|mark| mark == "up")
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries { has_down: true, ..Entries::default() };
    let mut ignored = BTreeSet::new();
    for file in &layout.files {
        let parts = numbered(file.name()).filter(|_| file.folder() == layout.root);
        // Versions begin at 1 (`NumericComponent`).
        let Some(parts) = parts.filter(|parts| parts.version.bytes().any(|digit| digit != b'0')) else {
            ignored.insert(file.path.clone());
            continue;
        };
        let text = context.texts.get(file);
        if let Ok(text) = (*text).as_ref()
            && let Err(reason) = check(&text.text)
        {
            found.unread.push((file.path.clone(), reason));
            continue;
        }
        let text = (*text).as_ref().map(|text| text.text.as_str()).unwrap_or_default();
        let bare = annotations(text).any(|(_, mark)| mark == "no transaction");
        let unit = if bare { TransactionUnit::Statement } else { TransactionUnit::File };
        let cut = cut(text, |line| match mark(line)?.as_str() {
            "up" => Some(Side::Up),
            "down" => Some(Side::Down),
            _ => None,
        });
        found.entries.push(Entry { parts: Some(cut), ..Entry::new(parts.version, parts.name, file, unit) });
    }
    sort(&mut found, by_number);
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

/// Goose's annotations with their line, in lower case and without `+goose`.
fn annotations(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().filter_map(|(line, text)| Some((line + 1, mark(text)?)))
}

fn mark(line: &str) -> Option<String> {
    let comment = line.trim_start().strip_prefix("--")?;
    Some(comment.replace("--", "").trim().strip_prefix("+goose")?.trim().to_ascii_lowercase())
}

/// What goose's parser refuses of a whole file.
fn check(text: &str) -> Result<(), String> {
    let mut section = "";
    let mut open = false;
    for (line, mark) in annotations(text) {
        match mark.as_str() {
            "up" if section.is_empty() => section = "up",
            "up" => return Err(format!("goose refuses it: a second `+goose Up` in line {line}")),
            "down" if section == "up" && !open => section = "down",
            "down" => return Err(format!("goose refuses it: `+goose Down` in line {line} without `Up` before it")),
            "statementbegin" if !section.is_empty() && !open => open = true,
            "statementend" if open => open = false,
            "no transaction" | "envsub on" | "envsub off" => {}
            other => return Err(format!("goose refuses it: `+goose {other}` in line {line}")),
        }
    }
    match (section, open) {
        ("", _) => Err("goose refuses it: it has no `-- +goose Up`".to_owned()),
        (_, true) => Err("goose refuses it: a `+goose StatementBegin` has no end".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_goose_refuses_are_known() {
        assert_eq!(check("-- +goose NO TRANSACTION\n\n--  +goose up\nx;\n-- +goose Down\ny;"), Ok(()));
        assert_eq!(check("-- +goose Up\n-- +goose StatementBegin\nx;\n-- +goose StatementEnd\n"), Ok(()));
        for refused in [
            "select 1;",
            "-- +goose Down\n",
            "-- +goose Up\n-- +goose Up\n",
            "-- +goose Up\n-- +goose StatementBegin\nx;",
            "-- +goose Up\n-- +goose StatementEnd\nx;",
            "-- +goose Upp\n",
        ] {
            assert!(check(refused).is_err(), "{refused}");
        }
    }
}
