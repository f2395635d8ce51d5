//! Opinions: one page each in `rules/`, and the checks behind them.
//!
//! A rule asks [`Step`], [`Unit`] or [`Whole`]; it does no I/O, cannot fail and never sees an output format.

pub mod page;

mod extra;
mod nature;
mod pattern;
mod radius;
pub mod reading;
mod row_changes;
mod row_loops;
mod ruby_habits;
mod say;
pub mod stated;
mod subject;
mod weight;

pub use page::Concern;
pub use subject::{FACTS, FIELDS, OPERATIONS};

pub mod alike;
mod back;
mod backfill;
mod backfill_before_sync;
mod broken_rows;
mod by_database;
mod cascade;
mod clean_up;
mod cleanup_missing;
mod column_added;
mod constraint_before_backfill;
mod constraint_before_queue;
mod constraint_scan;
mod copied_rows;
mod copy_partition_gap;
mod copy_stricter_than_source;
mod copy_traffic;
pub mod dump_differs;
mod duplicate_object;
mod dynamic_sql_unread;
mod emptied;
mod fk_before_backfill;
mod fk_breaks_source_delete;
mod fk_sets_not_null;
mod fk_validated_on_add;
mod fk_without_index;
mod fresh;
mod function_overloaded;
mod gone;
mod guard_never_matches;
mod half_done;
mod identifier_too_long;
mod if_not_exists;
mod in_order;
mod in_use;
mod index_not_concurrent;
mod index_overlap;
mod inverse;
mod key_builds_index;
mod key_from_incomplete_table;
mod key_indexes;
mod labels;
mod left_over;
mod lock_order;
mod lock_retries;
mod lock_timeout_missing;
mod locks_held;
mod loosened;
mod mergeable;
mod missing_object;
mod mistyped;
mod needless;
mod never_validated;
mod no_way_back;
mod not_valid_fk_on_partitioned;
mod null_never_equal;
mod other_locks;
pub mod out_of_order;
mod outside_transaction;
mod parent_fk_over_unvalidated;
mod partition_fk_cannot_merge;
mod partition_fk_survives_drop;
mod partition_keys;
mod partition_locks;
mod partition_parts;
mod pending_events;
mod phases;
mod queue;
mod queue_relied;
mod recipe;
mod referenced_rows_deleted;
mod refused;
mod renamed;
mod rerun;
mod revert;
mod rollback;
mod sequences;
pub mod shipped;
mod statement_timeout_missing;
pub mod stopped;
mod swap_before_backfill;
mod swap_leftovers;
mod swap_loses_guarantee;
mod sync;
mod sync_misses_column;
mod sync_reads_unfilled_copy;
mod table_shape;
mod together;
mod tracking;
mod transaction_control;
mod trigger_cycle;
mod trigger_uses_missing_object;
mod type_change_rewrite;
mod undoing;
mod unique_nulls;
pub mod unreleased;
mod up_only;
mod used_by_functions;
mod used_by_models;
mod validation;
mod wait_lines;
mod writer;

use std::sync::LazyLock;

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Context, Step, Unit, Whole};
use crate::operation::Origin;
use crate::settings::{Preset, Settings};
use crate::source::Span;
use crate::version::Major;
use page::Page;

/// One rule: its page, and what it asks.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub id: &'static str,
    text: &'static str,
    pub check: Check,
    /// The page of a rule that is not built in.
    own: Option<&'static Page>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Each operation at its place.
    Step(fn(&Step, &mut Findings)),
    /// What other sessions see at once: when a transaction ends, or after a statement outside of any.
    Unit(fn(&Unit, &mut Findings)),
    /// A migration that is over.
    Whole(fn(&Whole, &mut Findings)),
    /// Each operation, as the page's `[match]` says.
    Pattern,
    /// Said by the analysis itself, about what was read, allowed or stated.
    Analysis,
}

macro_rules! rule {
    ($id:literal, $check:expr) => {
        Rule { id: $id, text: include_str!(concat!("../../rules/", $id, ".md")), check: $check, own: None }
    };
}

/// All rules, by id.
pub static BUILT_IN: &[Rule] = &[
    rule!("additive-after-deploy", Check::Whole(phases::additive_after)),
    rule!("allow-unknown-rule", Check::Analysis),
    rule!("allow-unused", Check::Analysis),
    rule!("allow-without-reason", Check::Analysis),
    rule!("app-code-in-migration", Check::Whole(ruby_habits::app_code)),
    rule!("async-step-relied-on", Check::Whole(queue_relied::check)),
    rule!("attach-partition-scan", Check::Step(partition_locks::attach)),
    rule!("backfill-before-parent-backfill", Check::Step(backfill::before_parent)),
    rule!("backfill-before-sync", Check::Unit(backfill_before_sync::check)),
    rule!("backfill-cancelled", Check::Whole(queue::cancelled)),
    rule!("backfill-in-schema-transaction", Check::Step(row_changes::backfill_in_schema_transaction)),
    rule!("backfill-target-gone", Check::Whole(queue::target_gone)),
    rule!("backfill-unfinished", Check::Whole(queue::unfinished)),
    rule!("backfill-without-row-lock", Check::Step(copy_traffic::backfill_without_lock)),
    rule!("baseline-stale", Check::Analysis),
    rule!("bundled-validate", Check::Step(validation::bundled)),
    rule!("char-type", Check::Pattern),
    rule!("check-validated-on-add", Check::Step(constraint_scan::check)),
    rule!("cleanup-cascades", Check::Step(clean_up::cascades)),
    rule!("column-check-scan", Check::Step(column_added::check)),
    rule!("column-fk-scan", Check::Step(column_added::foreign_key)),
    rule!("column-still-used", Check::Whole(used_by_models::check)),
    rule!("concurrent-index-on-partitioned", Check::Step(partition_locks::concurrent_index)),
    rule!("concurrently-in-transaction", Check::Step(outside_transaction::concurrently)),
    rule!("constraint-before-backfill", Check::Whole(constraint_before_backfill::check)),
    rule!("constraint-before-cleanup", Check::Whole(cleanup_missing::check)),
    rule!("constraint-before-writer", Check::Whole(writer::check)),
    rule!("constraint-never-validated", Check::Whole(never_validated::check)),
    rule!("constraint-on-some-partitions", Check::Whole(partition_parts::on_some)),
    rule!("copy-partition-gap", Check::Unit(copy_partition_gap::check)),
    rule!("copy-stricter-than-source", Check::Whole(copy_stricter_than_source::check)),
    rule!("create-partition-blocks-parent", Check::Step(partition_locks::create)),
    rule!("ddl-on-copy-blocks-source", Check::Step(copy_traffic::ddl_blocks_source)),
    rule!("default-change-partial-inserts", Check::Whole(loosened::changed_default)),
    rule!("delete-tracking-lost", Check::Whole(tracking::lost)),
    rule!("depends-on-data", Check::Step(by_database::depends_on_data)),
    rule!("destructive-before-deploy", Check::Whole(phases::destructive_before)),
    rule!("detach-loses-fk", Check::Whole(partition_keys::detach_loses)),
    rule!("detach-partition-blocks", Check::Step(partition_locks::detach)),
    rule!("domain-scan", Check::Step(other_locks::domain)),
    rule!("drop-cascade", Check::Whole(cascade::drop_cascade)),
    rule!("drop-column", Check::Whole(gone::column)),
    rule!("drop-column-takes-constraint", Check::Whole(cascade::drop_column_takes_constraint)),
    rule!("drop-constraint", Check::Whole(loosened::constraint)),
    rule!("drop-database", Check::Step(gone::database)),
    rule!("drop-default", Check::Whole(loosened::default)),
    rule!("drop-fk-locks-both", Check::Step(wait_lines::drop_foreign_key)),
    rule!("drop-index-not-concurrent", Check::Step(other_locks::drop_index)),
    rule!("drop-not-null", Check::Whole(loosened::not_null)),
    rule!("drop-primary-key-cascade", Check::Whole(cascade::drop_primary_key_cascade)),
    rule!("drop-referenced-object", Check::Step(refused::drop_referenced_object)),
    rule!("drop-schema", Check::Whole(gone::schema)),
    rule!("drop-table", Check::Whole(gone::table)),
    rule!("drop-table-locks-referenced", Check::Step(wait_lines::drop_table)),
    rule!("drop-view-or-function", Check::Whole(gone::view_or_function)),
    rule!("duplicate-fk", Check::Whole(key_indexes::duplicate)),
    rule!("duplicate-index", Check::Whole(index_overlap::check)),
    rule!("duplicate-object", Check::Step(duplicate_object::check)),
    rule!("dynamic-sql-unread", Check::Unit(dynamic_sql_unread::check)),
    rule!("enum-type", Check::Pattern),
    rule!("enum-value-removed", Check::Whole(labels::removed)),
    rule!("enum-value-used-in-transaction", Check::Unit(labels::used_in_transaction)),
    rule!("exclusion-constraint", Check::Step(constraint_scan::exclusion)),
    rule!("explicit-lock-table", Check::Step(transaction_control::explicit_lock)),
    rule!("extension-not-allowed", Check::Pattern),
    rule!("fact-contradicted", Check::Whole(stated::contradicted)),
    rule!("fact-unknown-object", Check::Whole(stated::unknown_object)),
    rule!("fact-without-reason", Check::Analysis),
    rule!("filtered-backfill-breaks-fk", Check::Unit(backfill::filtered_breaks_key)),
    rule!("finish-in-same-release", Check::Step(queue::finish_in_same_release)),
    rule!("finish-without-backfill", Check::Step(queue::finish_without)),
    rule!("fk-before-backfill", Check::Unit(fk_before_backfill::check)),
    rule!("fk-breaks-source-delete", Check::Unit(fk_breaks_source_delete::check)),
    rule!("fk-index-dropped", Check::Whole(key_indexes::index_dropped)),
    rule!("fk-sets-null-on-not-null", Check::Whole(fk_sets_not_null::check)),
    rule!("fk-target-not-unique", Check::Step(refused::fk_target_not_unique)),
    rule!("fk-to-single-partition", Check::Step(partition_keys::to_single_partition)),
    rule!("fk-type-mismatch", Check::Whole(key_indexes::type_mismatch)),
    rule!("fk-validated-on-add", Check::Step(fk_validated_on_add::check)),
    rule!("fk-without-index", Check::Whole(fk_without_index::check)),
    rule!("fk-without-on-delete", Check::Pattern),
    rule!("float-for-money", Check::Pattern),
    rule!("function-overloaded", Check::Whole(function_overloaded::check)),
    rule!("guard-never-matches", Check::Whole(guard_never_matches::check)),
    rule!("identifier-too-long", Check::Step(identifier_too_long::check)),
    rule!("index-behind-constraint", Check::Step(refused::index_behind_constraint)),
    rule!("index-not-concurrent", Check::Step(index_not_concurrent::check)),
    rule!("index-repeats-key", Check::Whole(index_overlap::of_key)),
    rule!("inherited-object-on-partition", Check::Step(refused::inherited_object_on_partition)),
    rule!("int-primary-key", Check::Pattern),
    rule!("invalid-index-possible", Check::Whole(half_done::invalid_index)),
    rule!("json-type", Check::Pattern),
    rule!("key-from-incomplete-table", Check::Unit(key_from_incomplete_table::check)),
    rule!("lock-held-while-scanning", Check::Step(locks_held::while_scanning)),
    rule!("lock-order-inversion", Check::Step(lock_order::inversion)),
    rule!("lock-retries-misused", Check::Step(lock_retries::misused)),
    rule!("lock-timeout-disabled", Check::Step(transaction_control::lock_timeout_disabled)),
    rule!("lock-timeout-missing", Check::Step(lock_timeout_missing::check)),
    rule!("loop-without-batching", Check::Step(row_loops::loop_without_batching)),
    rule!("many-tables-locked", Check::Step(locks_held::many_tables)),
    rule!("matview-refresh-blocks", Check::Step(other_locks::refresh)),
    rule!("mergeable-alters", Check::Whole(mergeable::alters)),
    rule!("migration-not-reversible", Check::Whole(ruby_habits::not_reversible)),
    rule!("migration-out-of-order", Check::Whole(out_of_order::check)),
    rule!("missing-object", Check::Step(missing_object::check)),
    rule!("mixed-schema-and-data", Check::Unit(row_changes::mixed)),
    rule!("money-type", Check::Pattern),
    rule!("naming", Check::Pattern),
    rule!("needless-non-transactional", Check::Whole(needless::non_transactional)),
    rule!("nested-transaction", Check::Whole(transaction_control::nested)),
    rule!("not-allowed-in-transaction", Check::Step(outside_transaction::other)),
    rule!("not-null-column-without-default", Check::Step(column_added::not_null_without_default)),
    rule!("not-null-scan", Check::Step(constraint_scan::not_null)),
    rule!("not-rerunnable", Check::Whole(rerun::not_rerunnable)),
    rule!("not-valid-fk-on-partitioned", Check::Step(not_valid_fk_on_partitioned::check)),
    rule!("null-never-equal", Check::Step(null_never_equal::check)),
    rule!("parent-fk-over-unvalidated", Check::Step(parent_fk_over_unvalidated::check)),
    rule!("partial-failure-keeps-constraint", Check::Whole(half_done::keeps_constraint)),
    rule!("partition-drop-loses-fk", Check::Whole(partition_keys::drop_loses)),
    rule!("partition-fk-cannot-merge", Check::Whole(partition_fk_cannot_merge::check)),
    rule!("partition-fk-survives-drop", Check::Whole(partition_fk_survives_drop::check)),
    rule!("partition-lock-fan-out", Check::Step(partition_locks::fan_out)),
    rule!("partition-without-constraint", Check::Whole(partition_parts::without)),
    rule!("pending-trigger-events", Check::Unit(pending_events::check)),
    rule!("polymorphic-fk", Check::Whole(table_shape::polymorphic)),
    rule!("primary-key-builds-index", Check::Step(key_builds_index::primary_key)),
    rule!("primary-key-nullable-scan", Check::Step(key_builds_index::nullable)),
    rule!("public-grant", Check::Pattern),
    rule!("referenced-rows-deleted", Check::Whole(referenced_rows_deleted::check)),
    rule!("reindex-not-concurrent", Check::Step(other_locks::reindex)),
    rule!("rename-column", Check::Whole(renamed::column)),
    rule!("rename-enum-value", Check::Step(labels::renamed)),
    rule!("rename-schema", Check::Whole(renamed::schema)),
    rule!("rename-table", Check::Whole(renamed::table)),
    rule!("replace-index-gap", Check::Whole(key_indexes::replace_gap)),
    rule!("replica-identity-lost", Check::Whole(key_indexes::replica_identity_lost)),
    rule!("replication-role-changed", Check::Step(transaction_control::replication_role)),
    rule!("rerun-keeps-invalid", Check::Whole(rerun::keeps_invalid)),
    rule!("reserved-name", Check::Pattern),
    rule!("revert-incomplete", Check::Whole(revert::incomplete)),
    rule!("rls-without-policy", Check::Whole(table_shape::row_security_without_policy)),
    rule!("rollback-loses-data", Check::Whole(rollback::loses_data)),
    rule!("rollback-not-inverse", Check::Whole(inverse::not_inverse)),
    rule!("rollback-restores-constraint", Check::Whole(rollback::restores_constraint)),
    rule!("rows-moved-under-sync", Check::Whole(clean_up::moved)),
    rule!("schema-dump-differs", Check::Analysis),
    rule!("security-definer-path", Check::Pattern),
    rule!("sequence-owner-lost", Check::Whole(sequences::owner_lost)),
    rule!("serial-or-identity-rewrite", Check::Step(column_added::sequence)),
    rule!("serial-type", Check::Pattern),
    rule!("shipped-migration-deleted", Check::Analysis),
    rule!("shipped-migration-edited", Check::Analysis),
    rule!("state-dependent-migration", Check::Whole(by_database::state_dependent)),
    rule!("statement-refused", Check::Step(refused::statement_refused)),
    rule!("statement-timeout-missing", Check::Step(statement_timeout_missing::check)),
    rule!("statement-trigger-on-parent-only", Check::Step(partition_keys::statement_trigger)),
    rule!("stored-generated-rewrite", Check::Step(column_added::generated)),
    rule!("swap-before-backfill", Check::Unit(swap_before_backfill::check)),
    rule!("swap-leaves-references", Check::Whole(swap_leftovers::check_references)),
    rule!("swap-leaves-trigger", Check::Whole(swap_leftovers::check_triggers)),
    rule!("swap-loses-guarantee", Check::Whole(swap_loses_guarantee::check)),
    rule!("swap-loses-rows", Check::Unit(swap_before_backfill::check_rows)),
    rule!("sync-disabled", Check::Unit(sync::disabled)),
    rule!("sync-error-swallowed", Check::Unit(sync::error_swallowed)),
    rule!("sync-misses-column", Check::Whole(sync_misses_column::check)),
    rule!("sync-misses-operation", Check::Whole(sync::misses_operation)),
    rule!("sync-reads-unfilled-copy", Check::Unit(sync_reads_unfilled_copy::check)),
    rule!("sync-unfiltered-but-backfill-filtered", Check::Unit(backfill::unfiltered_sync)),
    rule!("table-rewrite", Check::Step(other_locks::rewrite)),
    rule!("table-without-primary-key", Check::Whole(table_shape::without_primary_key)),
    rule!("temporary-object-left", Check::Whole(left_over::check)),
    rule!("timestamp-without-time-zone", Check::Pattern),
    rule!("trigger-change-blocks", Check::Step(wait_lines::trigger_change)),
    rule!("trigger-cycle", Check::Unit(trigger_cycle::check)),
    rule!("trigger-uses-missing-object", Check::Unit(trigger_uses_missing_object::check)),
    rule!("triggers-disabled", Check::Whole(transaction_control::triggers_disabled)),
    rule!("truncate", Check::Step(emptied::truncate)),
    rule!("truncate-cascade", Check::Step(emptied::cascade)),
    rule!("type-change-rewrite", Check::Step(type_change_rewrite::check)),
    rule!("unattached-partition-index", Check::Whole(partition_keys::unattached_index)),
    rule!("unbatched-update", Check::Step(row_changes::unbatched)),
    rule!("unclosed-transaction", Check::Whole(transaction_control::unclosed)),
    rule!("unique-builds-index", Check::Step(key_builds_index::unique)),
    rule!("unique-ignores-nulls", Check::Whole(unique_nulls::check)),
    rule!("unique-without-partition-key", Check::Step(refused::unique_without_partition_key)),
    rule!("unlogged-table", Check::Pattern),
    rule!("unnamed-constraint", Check::Pattern),
    rule!("unnamed-index", Check::Pattern),
    rule!("unread-file", Check::Analysis),
    rule!("unread-ruby", Check::Analysis),
    rule!("unread-statement", Check::Analysis),
    rule!("update-without-where", Check::Step(row_changes::without_where)),
    rule!("upgrade-skips-barrier", Check::Step(queue::upgrade_skips)),
    rule!("validate-in-same-transaction", Check::Step(validation::in_same_transaction)),
    rule!("varchar-limit", Check::Pattern),
    rule!("volatile-default-rewrite", Check::Step(column_added::volatile)),
    rule!("wide-index", Check::Pattern),
];

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let read = |rule: &Rule| Page::parse(rule.id, rule.text);
    // A page that cannot be read is a fault of the build; the catalogue's test names it.
    BUILT_IN.iter().filter_map(|rule| read(rule).ok()).collect()
});

impl Rule {
    pub fn find(id: &str) -> Option<&'static Rule> {
        BUILT_IN.binary_search_by(|rule| rule.id.cmp(id)).ok().map(|place| &BUILT_IN[place])
    }

    /// The page as written.
    pub fn text(&self) -> &'static str {
        self.text
    }

    pub fn page(&self) -> &'static Page {
        if let Some(page) = &self.own {
            return page;
        }
        let place = PAGES.binary_search_by(|page| page.id.as_str().cmp(self.id)).ok();
        // Every built-in page reads: `tests/catalogue.rs`.
        &PAGES[place.unwrap_or_default()]
    }
}

/// Where a rule puts its findings.
#[derive(Debug)]
pub struct Findings<'a> {
    rule: &'static str,
    severity: Severity,
    migration: MigrationRef,
    majors: &'a [Major],
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub fn new(rule: &'static str, severity: Severity, context: &Context<'a>) -> Findings<'a> {
        Findings { rule, severity, migration: context.at, majors: context.majors, found: Vec::new() }
    }

    /// A finding at a step; what is uncertain softens it by one level.
    pub fn report(
        &mut self,
        at: &Origin,
        operation: &'static str,
        certain: bool,
        message: impl Into<String>,
    ) -> &mut Finding {
        let finding = bare(self.rule, self.severity, Some(self.migration), at.span, operation, message.into());
        self.found.push(finding);
        let last = self.found.len() - 1;
        let finding = &mut self.found[last];
        finding.postgres = self.majors.to_vec();
        finding.if_certain(certain);
        finding
    }

    pub fn into_found(self) -> Vec<Finding> {
        self.found
    }
}

impl Rule {
    /// How loud it is in a migration, where its comment says that the application is stopped: a rule that speaks of others
    /// is a note then, unless the settings give it a severity. True where that is why.
    pub fn severity_in(&self, settings: &Settings, path: &str, is_stopped: bool) -> (Severity, bool) {
        let severity = self.severity(settings, path);
        let is_lowered = is_stopped
            && self.is_about_others()
            && severity > Severity::Note
            && settings.severity(self.id, path).is_none();
        (if is_lowered { Severity::Note } else { severity }, is_lowered)
    }

    /// The severity in a file: settings first, then the preset, then the page.
    pub fn severity(&self, settings: &Settings, path: &str) -> Severity {
        if let Some(stated) = settings.severity(self.id, path) {
            return stated;
        }
        let own = match self.page().severity {
            // Off by default: the strict preset has these warn.
            Severity::Off if settings.preset == Preset::Strict => Severity::Warning,
            severity => severity,
        };
        if settings.application_stopped && self.is_about_others() { own.min(Severity::Note) } else { own }
    }

    /// Speaks of who waits for a lock, or of code that still runs.
    fn is_about_others(&self) -> bool {
        self.page().tags.iter().any(|tag| tag == "lock" || tag == "application")
    }

    /// Asks the page's `[match]`.
    pub fn match_page(&self, step: &Step, findings: &mut Findings) {
        if let Some(found) = &self.page().pattern {
            pattern::check(found, step, findings);
        }
    }

    /// Rests on what is known of rows: no other linter's suppression is meant for it.
    pub fn is_data_flow(&self) -> bool {
        self.page().tags.iter().any(|tag| tag == "data-flow")
    }
}

/// A finding without evidence yet.
pub fn bare(
    rule: &'static str,
    severity: Severity,
    migration: Option<MigrationRef>,
    span: Span,
    operation: &'static str,
    message: String,
) -> Finding {
    Finding {
        rule,
        severity,
        certain: true,
        migration,
        span,
        message,
        brief: String::new(),
        because: Vec::new(),
        chain: Vec::new(),
        hits: Vec::new(),
        spares: Vec::new(),
        objects: Vec::new(),
        instead: None,
        verify: None,
        stops: Vec::new(),
        postgres: Vec::new(),
        databases: Vec::new(),
        fault: String::new(),
        rank: 0,
        for_all: false,
        operation,
        fingerprint: String::new(),
    }
}
