//! Projects that edit what they have shipped again and again, as git tells, and code that has the runner take it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::git::Git;
use super::since::A_DAY;
use crate::history::UsualEdits;

/// Commits to the folder that are looked at.
const MOST_COMMITS: usize = 300;
/// So many commits that edit shipped files, each a day old at least, are a habit where they are one in ten and edit as
/// many files, or where they are one in four.
const LEAST: usize = 5;
const ONE_IN: usize = 10;
const OFTEN: usize = 4;
/// Whoever edits more of them at once writes them in another format, or moves them.
const MOST_AT_ONCE: usize = 5;

/// How the base came to what it has in these folders, where that shows that shipped files are edited as a habit.
pub fn usual_edits(git: &Git<'_>, base: &str, folders: &[&str], own: &BTreeSet<&str>) -> Option<UsualEdits> {
    let mut line = git.line_of(base, MOST_COMMITS, folders);
    let changes = git.changes_along(&line, folders);
    line.reverse();
    let mut came: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut edited, mut by, mut commits) = (BTreeSet::new(), 0, 0);
    for commit in &line {
        let Some(changed) = changes.get(&commit.commit) else { continue };
        let mut changed = changed.iter().filter(|one| own.contains(one.path.as_str())).peekable();
        commits += usize::from(changed.peek().is_some());
        let (new, old): (Vec<_>, Vec<_>) = changed.partition(|one| one.before.is_none());
        let old = old.into_iter().filter(|one| one.after.is_some()).map(|one| one.path.as_str());
        let is_shipped = |path: &&str| came.get(path).is_none_or(|came| commit.time >= came + A_DAY);
        let shipped: Vec<&str> = old.filter(is_shipped).collect();
        if !shipped.is_empty() && shipped.len() <= MOST_AT_ONCE {
            by += 1;
            edited.extend(shipped);
        }
        came.extend(new.into_iter().map(|one| (one.path.as_str(), commit.time)));
    }
    let files = edited.len();
    let is_habit = files >= LEAST && by * ONE_IN >= commits || by * OFTEN >= commits;
    (by >= LEAST && is_habit).then_some(UsualEdits { files, by, commits })
}

/// Code of the application that writes the checksums of the files anew before it migrates, or has none compared.
pub fn takes_edits_of_flyway(git: &Git<'_>) -> Option<String> {
    // It runs what is new here: what this change makes of it counts.
    let head = git.head()?.commit;
    let code = ["*.java", "*.kt", "*.groovy", "*.scala"];
    let named = ["lyway", ".repair()"];
    let of = |words: &[&str]| git.files_with(&head, words, &code).unwrap_or_default();
    let found = of(&named).into_iter().chain(of(&["lyway", "validateOnMigrate(false)"]));
    let mut found = found.filter(|(path, _)| !path.contains("/test/"));
    found.find(|(_, text)| takes_edits(text)).map(|(path, _)| path)
}

/// Not where a setting decides whether it does.
fn takes_edits(text: &str) -> bool {
    if text.contains("validateOnMigrate(false)") {
        return true;
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.windows(2).enumerate().any(|(at, pair)| {
        let Some(flyway) = pair[0].trim_end_matches(';').strip_suffix(".repair()") else { return false };
        let flyway = flyway.rsplit(|one: char| !one.is_alphanumeric() && one != '_').next().unwrap_or_default();
        let above = &lines[at.saturating_sub(3)..at];
        let decides = |line: &&str| {
            let of_flyway = line.contains(&format!("{flyway} ->")) || line.contains(&format!("({flyway}) ->"));
            line.starts_with("if ")
                || line.contains("case ")
                || line.contains("else")
                || line.contains("->") && !of_flyway
        };
        let is_next = pair[1].starts_with(&format!("{flyway}.migrate()")) || pair[1].starts_with("return ");
        is_next && !above.iter().any(decides)
    })
}

#[cfg(test)]
mod tests {
    use super::takes_edits;

    #[test]
    fn what_repairs_before_it_migrates_takes_edits() {
        for text in [
            "public void migrate(Flyway flyway) {\n    flyway.repair();\n    flyway.migrate();\n}",
            "return flyway -> {\n    flyway.repair();\n    flyway.migrate();\n};",
            "FlywayMigrationStrategy { flyway ->\n    flyway.repair()\n    flyway.migrate()\n}",
            "Flyway.configure()\n    .validateOnMigrate(false)\n    .load()",
        ] {
            assert!(takes_edits(text), "{text}");
        }
        for text in [
            "when (strategy) {\n    Repair -> {\n        flyway.repair()\n        flyway.migrate()\n    }\n}",
            "if (repair) {\n    flyway.repair();\n    flyway.migrate();\n}",
            "void repair() {\n    flyway.repair();\n}\nvoid migrate() {\n    flyway.migrate();\n}",
            "flyway.migrate();",
        ] {
            assert!(!takes_edits(text), "{text}");
        }
    }
}
