//! Edits of shipped files that Flyway takes, though it compares checksums: a callback writes them anew before they are
//! compared, or the application's code does.

use super::super::assemble::DraftHistory;
use super::super::git::Git;
use super::super::place::file_name;
use super::super::text;
use crate::history::SinceBase;

/// The file that has Flyway take all edits of a history.
pub fn takes_edits_by(history: &DraftHistory, git: &Git<'_>) -> Option<String> {
    callback(history, git).or_else(|| code(git))
}

/// `beforeValidate.sql` and the like: no other callback runs before checksums are compared.
fn callback(history: &DraftHistory, git: &Git<'_>) -> Option<String> {
    let is_callback = |path: &&str| file_name(path).to_ascii_lowercase().starts_with("beforevalidate");
    let changed = |kind: SinceBase| matches!(kind, SinceBase::Edited | SinceBase::Reformatted);
    let edited: Vec<&str> = history
        .drafts
        .iter()
        .filter(|draft| changed(draft.migration.since_base))
        .map(|draft| draft.migration.version.as_str())
        .collect();
    let mut paths = history.layout.files.iter().map(|file| file.path.as_str()).filter(is_callback);
    let sets_all = |path: &&str| {
        let text = text::peek(&git.root().join(path)).unwrap_or_default().to_lowercase();
        let sets = text.contains("update") && text.contains("checksum");
        let names = |version: &str| {
            text.contains(&format!("'{version}'")) || text.contains(&format!("'{}'", version.replace('_', ".")))
        };
        sets && edited.iter().all(|version| names(version))
    };
    paths.find(sets_all).map(str::to_owned)
}

/// Code of the application that writes the checksums of the files anew before it migrates, or has none compared.
fn code(git: &Git<'_>) -> Option<String> {
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
