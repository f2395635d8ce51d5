//! Liquibase's formatted SQL: each `--changeset author:id` of a file is a migration. The files stand in the order in
//! which changelogs in XML, YAML or JSON include them; changesets written there are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::layout::Search;
use super::super::order::{by_text, natural_paths};
use super::super::place::{file_name, folder, is_below, named};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Parts, Shape, Tool};
use crate::history::{AfterEdit, Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Liquibase,
    detect,
    list,
    compare: by_text,
    shape: Shape::Whole,
    fits: |name| name.ends_with(".sql"),
    checksums: true,
    one_per_version: false,
    templates: Style::Dollar,
    after_edit: AfterEdit::RefusesOtherWords,
    ..ORDINARY
};

/// Names of folders that hold all changelogs of a database.
const TOPS: &[&str] = &["changelog", "changelogs", "changesets", "liquibase"];

fn detect(search: &mut Search<'_>) {
    let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in search.paths() {
        if search.carries(&path, is_formatted) {
            roots.entry(top(search, &path)).or_default().push(path);
        }
    }
    for root in roots.into_keys() {
        let files = search.take_below(&root);
        if !files.is_empty() {
            search.add(root, Framework::Liquibase, files);
        }
    }
}

fn top(search: &Search<'_>, path: &str) -> String {
    let mut found = path;
    let mut at = path;
    while at.len() > search.tree.start.len() {
        if TOPS.contains(&file_name(at)) {
            found = at;
        }
        at = folder(at);
    }
    found.to_owned()
}

/// What stands behind `--` in a line, without case, where it begins with `word`.
fn directive<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let comment = line.trim_start().strip_prefix("--")?.trim_start();
    let head = comment.get(..word.len())?;
    let rest = comment[word.len()..].strip_prefix(|next: char| next.is_whitespace() || next == ':');
    head.eq_ignore_ascii_case(word).then(|| rest.or_else(|| (comment.len() == word.len()).then_some("")))?
}

/// The first line with anything in it is `--liquibase formatted sql`.
fn is_formatted(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    directive(first, "liquibase").is_some_and(|rest| rest.trim_start().to_ascii_lowercase().starts_with("formatted"))
}

fn list(context: &mut Context<'_>) -> Entries {
    let mut found = Entries::default();
    let mut skipped: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let included = Includes::of(context, &mut found);
    let mut files: Vec<&Found> = context.layout.files.iter().collect();
    let place = |file: &Found| included.get(file.path.as_str()).copied().unwrap_or(usize::MAX);
    files.sort_by(|left, right| place(left).cmp(&place(right)).then_with(|| natural_paths(&left.path, &right.path)));
    let outside = files.iter().filter(|file| place(file) == usize::MAX).count();
    if !included.is_empty() && outside > 0 {
        let root = named(&context.layout.root);
        found
            .remarks
            .push(format!("{root}: no changelog includes {outside} files; they are read after those that one does"));
    }
    for file in files {
        let text = context.text(file);
        if !is_formatted(&text) {
            let name = file.name().trim_end_matches(".sql");
            found.entries.push(Entry::new(format!("raw:{name}"), name, file, TransactionUnit::File));
            continue;
        }
        let changesets = changesets(&text);
        if changesets.is_empty() {
            found.unread.push((file.path.clone(), "Liquibase finds no changeset in it".to_owned()));
        }
        for (changeset, parts) in changesets {
            if let Some(reason) = changeset.skipped {
                skipped.entry(reason).or_default().push(format!("{}:{}", changeset.author, changeset.id));
                continue;
            }
            found.has_down |= !parts.down.is_empty();
            let version = format!("{}:{}", changeset.author, changeset.id);
            let entry = Entry::new(version, changeset.id, file, changeset.unit);
            found.entries.push(Entry { parts: Some(parts), repeatable: changeset.repeats, ..entry });
        }
    }
    let root = named(&context.layout.root);
    found.remarks.extend(skipped.into_iter().map(|(reason, those)| {
        format!("{root}: {} changesets are not read, such as `{}`: {reason}", those.len(), those[0])
    }));
    found
}

/// `--changeset author:id attribute:value …`.
struct Changeset<'a> {
    author: &'a str,
    id: &'a str,
    unit: TransactionUnit,
    repeats: bool,
    delimiter: Option<&'a str>,
    /// Why it never runs on PostgreSQL.
    skipped: Option<&'static str>,
}

fn changeset(line: &str) -> Option<Changeset<'_>> {
    let rest = directive(line, "changeset")?.trim_start();
    let (author, rest) = quoted_or(rest, |text| text.find(':'))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let (id, attributes) = quoted_or(rest, |text| Some(text.find(char::is_whitespace).unwrap_or(text.len())))?;
    let value = |key: &str| {
        let mut words = attributes.split_whitespace();
        words.find_map(|word| {
            let (own, value) = word.split_once(':')?;
            own.eq_ignore_ascii_case(key).then_some(value)
        })
    };
    let is = |key: &str, wanted: &str| value(key).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
    let unit = match (is("runInTransaction", "false"), is("splitStatements", "false")) {
        (false, _) => TransactionUnit::File,
        (true, true) => TransactionUnit::SimpleQuery,
        (true, false) => TransactionUnit::Statement,
    };
    let for_others = value("dbms").is_some_and(|dbms| {
        let named = |name: &str| dbms.split(',').any(|one| one.trim().eq_ignore_ascii_case(name));
        named("!postgresql") || (!named("postgresql") && !dbms.contains('!') && !named("all"))
    });
    let skipped = match (for_others, is("ignore", "true")) {
        (true, _) => Some("their `dbms` is not PostgreSQL"),
        (false, true) => Some("they say `ignore:true`"),
        (false, false) => None,
    };
    let repeats = is("runOnChange", "true") || is("runAlways", "true");
    let delimiter = value("endDelimiter").filter(|delimiter| !matches!(*delimiter, "" | ";"));
    Some(Changeset { author, id, unit, repeats, delimiter, skipped })
}

/// A text in double quotes, or up to where `end` says; and the rest.
fn quoted_or(text: &str, end: impl Fn(&str) -> Option<usize>) -> Option<(&str, &str)> {
    if let Some((inside, rest)) = text.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return Some((inside, rest));
    }
    let end = end(text)?;
    Some((text[..end].trim(), &text[end..])).filter(|(word, _)| !word.is_empty())
}

/// The changesets of a text with what each runs and what undoes it.
fn changesets(text: &str) -> Vec<(Changeset<'_>, Parts)> {
    let mut found: Vec<(Changeset<'_>, Parts)> = Vec::new();
    let mut from = 0;
    let mut at = 0;
    let mut in_rollback = false;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if let Some(changeset) = changeset(line) {
            // What stands before the first one goes with it.
            if let Some((_, parts)) = found.last_mut() {
                end(&mut parts.up, from..at);
                from = at;
            }
            found.push((changeset, Parts::default()));
            in_rollback = false;
        } else if let Some((changeset, parts)) = found.last_mut() {
            let opens = line
                .trim()
                .strip_prefix("/*")
                .is_some_and(|rest| rest.split_whitespace().map(str::to_ascii_lowercase).eq(["liquibase", "rollback"]));
            if in_rollback || opens {
                if in_rollback && !line.contains("*/") {
                    end(&mut parts.down, at..next);
                }
                in_rollback = !line.contains("*/");
            } else if let Some(undo) = directive(line, "rollback") {
                let is_sql = !matches!(undo.trim().to_ascii_lowercase().as_str(), "" | "empty" | "not required");
                let start = next - undo.len();
                end(&mut parts.down, start..if is_sql { next } else { start });
            } else if let Some(length) = changeset.delimiter.and_then(|one| before_delimiter(line, one)) {
                end(&mut parts.up, from..at + length);
                from = next;
            }
        }
        at = next;
    }
    if let Some((_, parts)) = found.last_mut() {
        end(&mut parts.up, from..at);
    }
    found
}

/// What stands in a line before the delimiter that ends it.
fn before_delimiter(line: &str, delimiter: &str) -> Option<usize> {
    Some(line.trim_end().strip_suffix(delimiter.trim_start_matches("\\n"))?.len())
}

fn end(parts: &mut Vec<Range<usize>>, part: Range<usize>) {
    if !part.is_empty() {
        parts.push(part);
    }
}

/// Paths by a part of theirs.
type ByName<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// The order in which changelogs include SQL files.
struct Includes<'a> {
    changelogs: BTreeMap<&'a str, String>,
    /// SQL files and changelogs by name.
    by_name: ByName<'a>,
    by_folder: ByName<'a>,
    places: BTreeMap<&'a str, usize>,
    seen: BTreeSet<&'a str>,
}

/// Includes within includes beyond this are not followed.
const DEEPEST: usize = 32;

impl<'a> Includes<'a> {
    fn of(context: &Context<'a>, found: &mut Entries) -> BTreeMap<&'a str, usize> {
        let layout = context.layout;
        let paths = layout.beside.iter().filter(|path| is_changelog(path)).map(String::as_str);
        let changelogs: BTreeMap<&str, String> =
            paths.filter_map(|path| Some((path, context.manifest(path)?.ok()?))).collect();
        for (path, text) in &changelogs {
            if text.contains("<changeSet") || text.contains("- changeSet") || text.contains("\"changeSet\"") {
                found
                    .unread
                    .push(((*path).to_owned(), "its changesets are not written in SQL: they are not read".to_owned()));
            }
        }
        let mut by_name = ByName::new();
        let mut by_folder = ByName::new();
        for path in layout.files.iter().map(|file| file.path.as_str()).chain(changelogs.keys().copied()) {
            by_name.entry(file_name(path)).or_default().push(path);
            by_folder.entry(file_name(folder(path))).or_default().push(path);
        }
        let mut includes = Includes { changelogs, by_name, by_folder, places: BTreeMap::new(), seen: BTreeSet::new() };
        // A master first: others are what it includes.
        let mut tops: Vec<&str> = includes.changelogs.keys().copied().collect();
        let is_master = |path: &str| ["master", "root", "main"].iter().any(|word| file_name(path).contains(word));
        tops.sort_by_key(|path| (!is_master(path), path.matches('/').count()));
        for top in tops {
            includes.follow(top, 0);
        }
        includes.places
    }

    fn follow(&mut self, changelog: &'a str, depth: usize) {
        if depth > DEEPEST || !self.seen.insert(changelog) {
            return;
        }
        let Some(text) = self.changelogs.get(changelog) else { return };
        for (path, whole_folder) in included(text) {
            let path = path.trim_start_matches("classpath:").trim_start_matches("./").trim_matches('/').to_owned();
            let fits = |own: &str| {
                if whole_folder {
                    folder(own) == path || folder(own).ends_with(&format!("/{path}"))
                } else {
                    own == path || own.ends_with(&format!("/{path}"))
                }
            };
            let named =
                if whole_folder { self.by_folder.get(file_name(&path)) } else { self.by_name.get(file_name(&path)) };
            let mut fitting: Vec<&'a str> = named.into_iter().flatten().copied().filter(|own| fits(own)).collect();
            // Of two that end alike the one nearest to the changelog is meant.
            let near = |own: &&str| is_below(own, folder(changelog));
            if fitting.iter().any(near) && !whole_folder {
                fitting.retain(near);
            }
            fitting.sort_unstable();
            for own in fitting {
                if self.changelogs.contains_key(own) {
                    self.follow(own, depth + 1);
                } else {
                    let place = self.places.len();
                    self.places.entry(own).or_insert(place);
                }
            }
        }
    }
}

fn is_changelog(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    [".xml", ".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending))
}

/// Includes of one changelog stop here: more are no order that a person wrote.
const MOST_INCLUDES: usize = 5_000;

/// Paths of `file="…"`, `file: …`, and of `includeAll path="…"`, in their order.
fn included(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (key, whole_folder) in [("file", false), ("path", true)] {
        for (at, _) in text.match_indices(key) {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let rest = text[at + key.len()..].trim_start_matches('"').trim_start();
            let Some(rest) = rest.strip_prefix(['=', ':']).filter(|_| !before.is_alphanumeric()) else { continue };
            let rest = rest.trim_start();
            let value = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
                _ => rest.split(|next: char| next.is_whitespace() || next == ',' || next == '}').next(),
            };
            found.extend(value.map(|value| (at, (value.to_owned(), whole_folder))));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.truncate(MOST_INCLUDES);
    found.into_iter().map(|(_, include)| include).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changesets_come_apart() {
        let text = "--liquibase formatted sql\n-- head\n--changeset a:1 runInTransaction:false\nx;\n--rollback y;\n\
                    -- changeset \"b c\":\"2 d\" splitStatements:false endDelimiter:// dbms:h2,postgresql\nz //\nw //\n";
        let found = changesets(text);
        let of = |parts: &[Range<usize>]| parts.iter().map(|part| text[part.clone()].to_owned()).collect::<Vec<_>>();
        let [(first, one), (second, two)] = found.as_slice() else { panic!() };
        assert_eq!((first.author, first.id, first.unit), ("a", "1", TransactionUnit::Statement));
        assert_eq!(of(&one.down), ["y;\n"]);
        assert!(of(&one.up)[0].starts_with("--liquibase") && of(&one.up)[0].contains("x;"));
        assert_eq!((second.author, second.id, second.skipped), ("b c", "2 d", None));
        assert_eq!(of(&two.up)[1..], ["w "]);
        assert!(of(&two.up)[0].ends_with("z "));
    }

    #[test]
    fn includes_are_found_in_each_notation() {
        let paths = |text: &str| included(text).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths("<include file=\"a/b.sql\"/><includeAll path='c/'/>"), ["a/b.sql", "c/"]);
        assert_eq!(paths("- include:\n    file: a/b.sql\n- include:\n    file: \"c.sql\""), ["a/b.sql", "c.sql"]);
        assert_eq!(paths("{\"include\": {\"file\": \"a.sql\"}}"), ["a.sql"]);
    }
}
