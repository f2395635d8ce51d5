//! Whether the code of the base still names what judged migrations take away. Its files are looked through once, and only
//! where a judged migration drops or renames something; what cannot be looked through in no time says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};

use super::git::Git;
use super::place::is_below;
use crate::history::{Framework, History, Unnamed};
use crate::operation::{Ident, ObjectKind, Operation, Statement, TableActionKind};

/// Files and bytes that are looked through.
const MOST_FILES: usize = 4_000;
const MOST_BYTES: usize = 24 << 20;
/// Asked of git at once: all are found early as a rule.
const AT_ONCE: usize = 400;
/// What is longer is data, or made by a program.
const LONGEST: usize = 1 << 20;
/// Shorter names stand in other words by chance.
const SHORTEST: usize = 4;
/// Names of columns that stay: code that has none of them is not the code of this database.
const WITNESSES: usize = 12;

/// Folders that hold no code that runs beside the migrations.
const NO_CODE: &[&str] = &[
    "test",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "testdata",
    "fixtures",
    "docs",
    "doc",
    "migrations",
    "migrate",
    "node_modules",
    "vendor",
];
/// Endings of files that are none.
const NO_CODE_ENDINGS: &[&str] = &[
    "md", "mdx", "txt", "rst", "adoc", "lock", "sum", "svg", "png", "jpg", "jpeg", "gif", "ico", "webp", "pdf", "mp4",
    "webm", "mp3", "ttf", "otf", "woff", "woff2", "eot", "zip", "gz", "jar", "po", "pot", "csv", "snap",
];

/// Notes for each history which of the names that its judged migrations take away no file of the base has.
pub fn look(git: &Git<'_>, (revision, commit): (&str, &str), histories: &mut [History]) {
    let asked: Vec<(BTreeSet<Ident>, BTreeSet<Ident>)> = histories.iter().map(asked).collect();
    if asked.iter().all(|(taken, _)| taken.is_empty()) {
        return;
    }
    let roots: Vec<String> = histories.iter().map(|history| history.root.clone()).collect();
    let names: BTreeSet<&Ident> = asked.iter().flat_map(|(taken, witnesses)| taken.iter().chain(witnesses)).collect();
    let Some(seen) = seen(git, commit, &roots, names.into_iter().collect()) else { return };
    for (history, (taken, witnesses)) in histories.iter_mut().zip(&asked) {
        let known = witnesses.iter().filter(|name| seen.contains(name)).count();
        // The application stands elsewhere, or names its columns in a way of its own.
        if witnesses.is_empty() || known * 2 < witnesses.len() {
            continue;
        }
        let names = taken.iter().filter(|name| !seen.contains(name)).cloned().collect();
        history.application.unnamed = Some(Unnamed { revision: revision.to_owned(), names });
    }
}

/// What judged migrations take away by name, and columns that stay. Models of Rails are read as such.
fn asked(history: &History) -> (BTreeSet<Ident>, BTreeSet<Ident>) {
    let mut taken = BTreeSet::new();
    if history.framework == Framework::Rails {
        return (taken, BTreeSet::new());
    }
    let mut columns = BTreeSet::new();
    for migration in &history.migrations {
        for node in &migration.up.nodes {
            node.statements(&mut |statement| {
                made(statement, &mut columns);
                if migration.judged {
                    took(statement, &mut taken);
                }
            });
        }
    }
    taken.retain(|name| name.as_str().len() >= SHORTEST);
    let mut witnesses: Vec<Ident> = columns.into_iter().filter(|name| !taken.contains(name)).collect();
    witnesses.sort_by_key(|name| std::cmp::Reverse(name.as_str().len()));
    witnesses.truncate(if taken.is_empty() { 0 } else { WITNESSES });
    (taken, witnesses.into_iter().collect())
}

fn took(statement: &Statement, into: &mut BTreeSet<Ident>) {
    match &statement.operation {
        Operation::AlterTable(alter) => into.extend(alter.actions.iter().filter_map(|action| match &action.kind {
            TableActionKind::DropColumn { column, .. } => Some(column.clone()),
            _ => None,
        })),
        Operation::Rename(rename) => match (rename.kind, &rename.part) {
            (ObjectKind::Column, Some(part)) => into.extend([part.clone()]),
            (ObjectKind::Table, None) => into.extend([rename.object.name.clone()]),
            _ => {}
        },
        Operation::Drop(drop) if is_named_by_code(drop.kind) => {
            into.extend(drop.targets.iter().map(|target| target.name.name.clone()));
        }
        _ => {}
    }
}

fn is_named_by_code(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Routine
    )
}

fn made(statement: &Statement, into: &mut BTreeSet<Ident>) {
    match &statement.operation {
        Operation::CreateTable(create) => into.extend(create.columns.iter().map(|column| column.name.clone())),
        Operation::AlterTable(alter) => into.extend(alter.actions.iter().filter_map(|action| match &action.kind {
            TableActionKind::AddColumn { column, .. } => Some(column.name.clone()),
            _ => None,
        })),
        _ => {}
    }
}

/// Which of these names stand in some file, in whatever case and as a part of whatever word; `None`: too much to look
/// through, or not all of it is here.
fn seen<'a>(git: &Git<'_>, commit: &str, roots: &[String], names: Vec<&'a Ident>) -> Option<BTreeSet<&'a Ident>> {
    let files: BTreeMap<String, String> = git.files(commit).ok()?;
    let is_of_history = |path: &str| roots.iter().any(|root| is_below(path, root));
    let blobs: Vec<(&str, &str)> = files
        .iter()
        .filter(|(path, _)| is_code(path) && !is_of_history(path))
        .map(|(path, blob)| (path.as_str(), blob.as_str()))
        .collect();
    if blobs.is_empty() || blobs.len() > MOST_FILES {
        return None;
    }
    let forms: Vec<(String, &Ident)> =
        names.iter().flat_map(|name| forms(name.as_str()).into_iter().map(|form| (form, *name))).collect();
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .build(forms.iter().map(|(form, _)| form))
        .ok()?;
    let (mut seen, mut bytes) = (BTreeSet::new(), 0);
    for some in blobs.chunks(AT_ONCE) {
        let asked: Vec<&str> = some.iter().map(|(_, blob)| *blob).collect();
        for ((path, _), text) in some.iter().zip(git.contents(&asked).ok()?) {
            let text = text?;
            bytes += text.len();
            if text.len() <= LONGEST && !text.contains(&0) && !is_definition(path, &text) {
                seen.extend(search.find_overlapping_iter(&text).map(|found| forms[found.pattern().as_usize()].1));
            }
        }
        if seen.len() == names.len() {
            break;
        }
        if bytes > MOST_BYTES {
            return None;
        }
    }
    Some(seen)
}

/// `order_lines` is `order_lines`, `orderLines`, `OrderLine`, `ORDER_LINES`: as it is written, and without its joints.
/// What ends in `s` is looked for without it, as the class of a table is called.
fn forms(name: &str) -> BTreeSet<String> {
    let stem = name.strip_suffix("ies").or_else(|| name.strip_suffix('s')).unwrap_or(name);
    let mut parted = String::new();
    for letter in stem.chars() {
        if letter.is_ascii_uppercase() && !parted.is_empty() {
            parted.push('_');
        }
        parted.push(letter.to_ascii_lowercase());
    }
    let joined: String = stem.chars().filter(|letter| !matches!(letter, '_' | '-' | ' ')).collect();
    let dashed = stem.replace('_', "-");
    BTreeSet::from([stem.to_ascii_lowercase(), parted, joined.to_ascii_lowercase(), dashed.to_ascii_lowercase()])
}

fn is_code(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_test = [".test.", ".spec.", "_test.", "_spec."].iter().any(|part| name.contains(part));
    let is_made = matches!(name, "structure.sql" | "schema.sql" | "package-lock.json");
    let holds_none = |part: &&str| NO_CODE.contains(part) || part.starts_with('.') || is_of_tests(part);
    !is_test && !is_made && !NO_CODE_ENDINGS.contains(&ending) && !parts.iter().any(holds_none)
}

/// `tests`, `integrationtests`, `test_data`.
fn is_of_tests(folder: &str) -> bool {
    let whole = folder.ends_with("tests") && !folder.ends_with("contests");
    whole || ["test_", "test-"].iter().any(|begin| folder.starts_with(begin)) || folder.ends_with("_test")
}

/// What defines tables names all there is, and runs beside nothing: what pg_dump writes under whatever name, and SQL.
fn is_definition(path: &str, text: &[u8]) -> bool {
    let head = &text[..text.len().min(200)];
    let words = b"create table";
    let defines = || text.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words));
    String::from_utf8_lossy(head).contains("PostgreSQL database dump") || path.ends_with(".sql") && defines()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_as_programs_write_them() {
        let holds = |name: &str, text: &str| forms(name).iter().any(|form| text.to_lowercase().contains(form.as_str()));
        for text in ["order_lines", "orderLines", "getOrderLines()", "class OrderLine", "ORDER_LINES", "order-lines"] {
            assert!(holds("order_lines", text), "{text}");
        }
        assert!(holds("ownerId", "owner_id = $1") && holds("categories", "class Category"));
        assert!(!holds("order_lines", "orders, lines"));
    }

    #[test]
    fn code_is_what_runs() {
        for path in ["app/orders.go", "src/main/java/Order.java", "queries/orders.sql", "prisma/schema.prisma"] {
            assert!(is_code(path), "{path}");
        }
        for path in ["docs/orders.md", "db/structure.sql", "app/orders_test.go", "tests/orders.py", ".github/ci.yml"] {
            assert!(!is_code(path), "{path}");
        }
        assert!(!is_code("internal/integrationtests/seed.go") && is_code("app/contests/latest.go"));
        assert!(is_definition("backup.dump", b"--\n-- PostgreSQL database dump\n--\n"));
        assert!(is_definition("db/reference.sql", b"-- of orders\nCREATE TABLE a (b int);"));
        assert!(!is_definition("db/queries.sql", b"SELECT 1") && !is_definition("a.go", b"`create table a`"));
    }
}
