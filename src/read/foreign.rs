//! Other linters' suppressions, and which of our rules mean the same. Never a data-flow rule: nobody else has those.

use crate::settings::{Allow, AllowScope};
use crate::source::Span;

/// A linter whose comments are honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Squawk,
    Eugene,
    Atlas,
    Pgfence,
    PostgresLanguageServer,
}

impl Tool {
    /// As messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Squawk => "Squawk",
            Tool::Eugene => "Eugene",
            Tool::Atlas => "Atlas",
            Tool::Pgfence => "pgfence",
            Tool::PostgresLanguageServer => "the Postgres language server",
        }
    }
}

/// A suppression that was meant for another linter.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    pub span: Span,
    pub tool: Tool,
    pub rules: ForeignRules,
    pub scope: AllowScope,
    pub reason: Option<String>,
}

/// What it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignRules {
    /// All that the tool has to say.
    All,
    /// As the tool spells them.
    These(Vec<String>),
}

impl Foreign {
    /// The same as an allow of one of our rules.
    pub fn as_allow(&self, rule: &str) -> Allow {
        let reason = self.reason.clone().unwrap_or_else(|| format!("suppressed for {}", self.tool.name()));
        Allow { span: self.span, rule: rule.to_owned(), reason: Some(reason), scope: self.scope.clone() }
    }

    /// Our rules that it is meant for; names that mean nothing here give none.
    pub fn ours(&self) -> Vec<&'static str> {
        let theirs: Vec<(&str, &'static [&'static str])> = table(self.tool).to_vec();
        let mut ours = Vec::new();
        let mut add = |rules: &'static [&'static str]| {
            for rule in rules {
                if !ours.contains(rule) {
                    ours.push(*rule);
                }
            }
        };
        match &self.rules {
            ForeignRules::All => theirs.iter().for_each(|(_, rules)| add(rules)),
            ForeignRules::These(names) => {
                for name in names {
                    let same = theirs.iter().filter(|(theirs, _)| theirs.eq_ignore_ascii_case(name));
                    same.for_each(|(_, rules)| add(rules));
                }
            }
        }
        ours
    }
}

/// Reads one line of a comment; `opens_file` asks whether it stands above the first statement with an empty line between.
pub fn foreign(
    line: &str,
    span: Span,
    scope: impl Fn(Span) -> Option<AllowScope>,
    opens_file: impl Fn(Span) -> bool,
) -> Option<Foreign> {
    // The longer words first: `squawk-ignore` begins `squawk-ignore-file`.
    const FORMS: &[(&str, Tool, bool)] = &[
        ("squawk-ignore-file", Tool::Squawk, true),
        ("squawk-ignore", Tool::Squawk, false),
        ("pgls-ignore-all", Tool::PostgresLanguageServer, true),
        ("pgls-ignore", Tool::PostgresLanguageServer, false),
        ("pgfence-ignore", Tool::Pgfence, false),
        ("atlas:nolint", Tool::Atlas, false),
        ("eugene: ignore", Tool::Eugene, false),
        ("eugene ignore", Tool::Eugene, false),
    ];
    let (rest, tool, whole_file) = FORMS.iter().find_map(|(word, tool, whole_file)| {
        let rest = line.strip_prefix(word)?;
        let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == ':');
        ends.then_some((rest, *tool, *whole_file))
    })?;
    let (names, reason) = split(rest.trim_start_matches(':'), tool);
    // A bare `squawk-ignore` suppresses nothing.
    if names.is_empty() && tool == Tool::Squawk && !whole_file {
        return None;
    }
    let is_file = whole_file || (tool == Tool::Atlas && opens_file(span));
    let scope = if is_file { AllowScope::File } else { scope(span)? };
    let rules = if names.is_empty() { ForeignRules::All } else { ForeignRules::These(names) };
    Some(Foreign { span, tool, rules, scope, reason })
}

fn split(text: &str, tool: Tool) -> (Vec<String>, Option<String>) {
    let mark = match tool {
        Tool::PostgresLanguageServer => ":",
        Tool::Squawk | Tool::Eugene | Tool::Atlas | Tool::Pgfence => "--",
    };
    let (names, reason) = match text.split_once(mark) {
        Some((names, reason)) => (names, Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty())),
        None => (text, None),
    };
    let names = names.split([',', ' ', '\t']).filter(|name| !name.is_empty());
    // `lint/safety/banDropTable` and `banDropTable` are one.
    let names = names.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
    (names.collect(), reason)
}

type Row = (&'static str, &'static [&'static str]);

fn table(tool: Tool) -> &'static [Row] {
    match tool {
        Tool::Squawk => SQUAWK,
        Tool::Eugene => EUGENE,
        Tool::Atlas => ATLAS,
        Tool::Pgfence => PGFENCE,
        Tool::PostgresLanguageServer => LANGUAGE_SERVER,
    }
}

const DEFAULTS: &[&str] =
    &["volatile-default-rewrite", "constant-default-rewrite", "stored-generated-rewrite", "serial-or-identity-rewrite"];
const FOREIGN_KEYS: &[&str] = &["fk-validated-on-add", "column-fk-scan"];
const CHECKS: &[&str] = &["check-validated-on-add", "column-check-scan"];
const NOT_VALID: &[&str] = &["fk-validated-on-add", "check-validated-on-add", "validate-in-same-transaction"];
const REWRITES: &[&str] = &["table-rewrite"];

const SQUAWK: &[Row] = &[
    ("adding-field-with-default", DEFAULTS),
    ("adding-foreign-key-constraint", FOREIGN_KEYS),
    ("adding-not-nullable-field", &["not-null-scan"]),
    ("adding-required-field", &["not-null-column-without-default"]),
    ("adding-serial-primary-key-field", &["primary-key-builds-index"]),
    ("ban-alter-domain-with-add-constraint", &["domain-scan"]),
    ("ban-char-field", &["char-type"]),
    ("ban-concurrent-index-creation-in-transaction", &["concurrently-in-transaction"]),
    ("ban-disable-trigger", &["triggers-disabled"]),
    ("ban-drop-column", &["drop-column"]),
    ("ban-drop-constraint", &["drop-constraint"]),
    ("ban-drop-database", &["drop-database"]),
    ("ban-drop-default", &["drop-default"]),
    ("ban-drop-function", &["drop-view-or-function"]),
    ("ban-drop-not-null", &["drop-not-null"]),
    ("ban-drop-schema", &["drop-schema"]),
    ("ban-drop-table", &["drop-table"]),
    ("ban-drop-view", &["drop-view-or-function"]),
    ("ban-truncate-cascade", &["truncate-cascade"]),
    ("ban-uncommitted-transaction", &["unclosed-transaction"]),
    ("changing-column-type", &["type-change-rewrite"]),
    ("constraint-missing-not-valid", NOT_VALID),
    ("disallowed-unique-constraint", &["unique-builds-index"]),
    ("identifier-too-long", &["identifier-too-long"]),
    ("prefer-bigint-over-int", &["int-primary-key"]),
    ("prefer-identity", &["serial-type"]),
    ("prefer-repack", REWRITES),
    ("prefer-text-field", &["varchar-limit"]),
    ("prefer-timestamptz", &["timestamp-without-time-zone"]),
    ("prefer-timestamp-tz", &["timestamp-without-time-zone"]),
    ("renaming-column", &["rename-column"]),
    ("renaming-table", &["rename-table"]),
    ("require-concurrent-index-creation", &["index-not-concurrent"]),
    ("require-concurrent-index-deletion", &["drop-index-not-concurrent"]),
    ("require-concurrent-partition-detach", &["detach-partition-blocks"]),
    ("require-concurrent-reindex", &["reindex-not-concurrent"]),
    ("require-lock-timeout", &["lock-timeout-missing"]),
    ("require-statement-timeout", &["statement-timeout-missing"]),
    ("transaction-nesting", &["nested-transaction"]),
];

const EUGENE: &[Row] = &[
    ("E1", NOT_VALID),
    ("E2", &["not-null-scan"]),
    ("E3", &["json-type"]),
    ("E4", &["lock-held-while-scanning", "many-tables-locked"]),
    ("E5", &["type-change-rewrite"]),
    ("E6", &["index-not-concurrent"]),
    ("E7", &["unique-builds-index"]),
    ("E8", &["exclusion-constraint"]),
    ("E9", &["lock-timeout-missing"]),
    ("E10", REWRITES),
    ("E11", &["serial-or-identity-rewrite", "stored-generated-rewrite"]),
    ("W12", &["mergeable-alters"]),
    ("W13", &["enum-type"]),
    ("W14", &["primary-key-nullable-scan"]),
    ("E15", &["fk-without-index"]),
];

const ATLAS: &[Row] = &[
    ("destructive", &["drop-schema", "drop-table", "drop-column"]),
    ("DS101", &["drop-schema"]),
    ("DS102", &["drop-table"]),
    ("DS103", &["drop-column"]),
    ("data_depend", &["unique-builds-index", "not-null-column-without-default", "not-null-scan"]),
    ("MF101", &["unique-builds-index"]),
    ("MF102", &["unique-builds-index"]),
    ("MF103", &["not-null-column-without-default"]),
    ("MF104", &["not-null-scan"]),
    ("incompatible", &["rename-table", "rename-column"]),
    ("BC101", &["rename-table"]),
    ("BC102", &["rename-column"]),
    ("constraint_drop", &["drop-constraint"]),
    ("CD101", &["drop-constraint"]),
    ("concurrent_index", &["index-not-concurrent", "drop-index-not-concurrent", "concurrently-in-transaction"]),
    ("PG101", &["index-not-concurrent"]),
    ("PG102", &["drop-index-not-concurrent"]),
    ("PG103", &["concurrently-in-transaction"]),
    ("PG104", &["primary-key-builds-index"]),
    ("PG105", &["unique-builds-index"]),
    ("PG301", &["type-change-rewrite"]),
    ("PG302", &["volatile-default-rewrite"]),
    ("PG303", &["not-null-scan"]),
    ("PG304", &["primary-key-nullable-scan"]),
    ("PG305", CHECKS),
    ("PG306", FOREIGN_KEYS),
    ("naming", &["naming"]),
];

const PGFENCE: &[Row] = &[
    ("add-column-not-null-no-default", &["not-null-column-without-default"]),
    ("alter-column-type", &["type-change-rewrite"]),
    ("attach-partition", &["attach-partition-scan"]),
    ("create-index-not-concurrent", &["index-not-concurrent"]),
    ("detach-partition", &["detach-partition-blocks"]),
    ("drop-column", &["drop-column"]),
    ("drop-index-not-concurrent", &["drop-index-not-concurrent"]),
    ("drop-schema", &["drop-schema"]),
    ("drop-table", &["drop-table"]),
    ("lock-timeout-too-long", &["lock-timeout-disabled"]),
    ("lock-timeout-zero", &["lock-timeout-disabled"]),
    ("missing-lock-timeout", &["lock-timeout-missing"]),
    ("missing-statement-timeout", &["statement-timeout-missing"]),
    ("not-valid-validate-same-tx", &["validate-in-same-transaction"]),
    ("rename-column", &["rename-column"]),
    ("rename-schema", &["rename-schema"]),
    ("rename-table", &["rename-table"]),
    ("truncate", &["truncate"]),
    ("truncate-cascade", &["truncate-cascade"]),
    ("unclosed-transaction", &["unclosed-transaction"]),
    ("wide-lock-window", &["many-tables-locked"]),
];

const LANGUAGE_SERVER: &[Row] = &[
    ("addSerialColumn", &["serial-or-identity-rewrite"]),
    ("addingFieldWithDefault", DEFAULTS),
    ("addingForeignKeyConstraint", FOREIGN_KEYS),
    ("addingNotNullField", &["not-null-scan"]),
    ("addingPrimaryKeyConstraint", &["primary-key-builds-index"]),
    ("addingRequiredField", &["not-null-column-without-default"]),
    ("avoidAddingExclusionConstraint", &["exclusion-constraint"]),
    ("avoidAttachingPartition", &["attach-partition-scan"]),
    ("avoidEnableDisableTrigger", &["triggers-disabled", "trigger-change-blocks"]),
    ("avoidWideLockWindow", &["many-tables-locked"]),
    ("banCharField", &["char-type"]),
    ("banConcurrentIndexCreationInTransaction", &["concurrently-in-transaction"]),
    ("banDeleteWithoutWhere", &["unbatched-update", "update-without-where"]),
    ("banDropColumn", &["drop-column"]),
    ("banDropDatabase", &["drop-database"]),
    ("banDropNotNull", &["drop-not-null"]),
    ("banDropSchema", &["drop-schema"]),
    ("banDropTable", &["drop-table"]),
    ("banTruncate", &["truncate"]),
    ("banTruncateCascade", &["truncate-cascade"]),
    ("banUpdateWithoutWhere", &["unbatched-update", "update-without-where"]),
    ("banVacuumFull", REWRITES),
    ("changingColumnType", &["type-change-rewrite"]),
    ("constraintMissingNotValid", NOT_VALID),
    ("creatingEnum", &["enum-type"]),
    ("disallowUniqueConstraint", &["unique-builds-index"]),
    ("lockTimeoutWarning", &["lock-timeout-missing"]),
    ("multipleAlterTable", &["mergeable-alters"]),
    ("preferBigInt", &["int-primary-key"]),
    ("preferIdentity", &["serial-type"]),
    ("preferJsonb", &["json-type"]),
    ("preferTextField", &["varchar-limit"]),
    ("preferTimestamptz", &["timestamp-without-time-zone"]),
    ("renamingColumn", &["rename-column"]),
    ("renamingTable", &["rename-table"]),
    ("requireConcurrentDetachPartition", &["detach-partition-blocks"]),
    ("requireConcurrentIndexCreation", &["index-not-concurrent"]),
    ("requireConcurrentIndexDeletion", &["drop-index-not-concurrent"]),
    ("requireConcurrentRefreshMatview", &["matview-refresh-blocks"]),
    ("requireConcurrentReindex", &["reindex-not-concurrent"]),
    ("requireSeparateConstraintValidation", &["validate-in-same-transaction"]),
    ("requireStatementTimeout", &["statement-timeout-missing"]),
    ("runningStatementWhileHoldingAccessExclusive", &["lock-held-while-scanning"]),
    ("transactionNesting", &["nested-transaction"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_named_is_in_the_catalogue_and_none_is_about_data_flow() {
        // Section A of the catalogue: what only plimsoll sees cannot have been meant by another linter.
        const OURS_ALONE: &[&str] = &["fk-before-backfill", "copy-stricter-than-source", "swap-", "sync-", "backfill-"];
        for tool in [Tool::Squawk, Tool::Eugene, Tool::Atlas, Tool::Pgfence, Tool::PostgresLanguageServer] {
            let rules = table(tool).iter().flat_map(|(_, rules)| rules.iter());
            for rule in rules {
                assert!(!OURS_ALONE.iter().any(|own| rule.starts_with(own)), "{rule}");
                assert!(rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{rule}");
            }
        }
    }
}
