//! All statements but ALTER TABLE.

use super::{Fact, Form, Role};
use crate::operation::LockMode::{
    self, AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive as UpdateExclusive,
};
use crate::server::RewriteKind;

use Role::{
    ChildIndex, Default, Index, Parent, ParentIndexes, Partition, Partitions, Referenced, Referencing, Sequence,
    Source, Target, View,
};

type Locks = &'static [(Role, LockMode)];

const TARGET_EXCLUSIVE: Locks = &[(Target, AccessExclusive)];
const ALL_EXCLUSIVE: Locks = &[(Target, AccessExclusive), (Partitions, AccessExclusive)];

pub(super) static FACTS: &[Fact] = &[
    // Tables.
    Fact::new(Form::CreateTable, "CREATE TABLE", &[]).seen(&["table.create", "part.create_partitioned_table"]),
    // CREATE and ATTACH take less on the parent (measured: part.create_like_then_attach).
    Fact::new(
        Form::CreatePartition,
        "CREATE TABLE … PARTITION OF",
        &[
            (Parent, AccessExclusive),
            (ParentIndexes, UpdateExclusive),
            (Default, AccessExclusive),
            (Referenced, ShareRowExclusive),
            (Role::ReferencedPartitions, ShareRowExclusive),
        ],
    )
    .seen(&[
        "part.create_partition_of",
        "part.create_partition_of_default_present",
        "part.create_partition_of_parent_fk",
        "part.create_default",
    ]),
    Fact::new(Form::CreatePartitionReferenced, "… of a referenced table", &[(Referencing, AccessShare)])
        .to(14)
        .seen(&["part.create_partition_of_referenced"]),
    Fact::new(Form::CreatePartitionReferenced, "… of a referenced table", &[(Referencing, ShareRowExclusive)])
        .from(15)
        .seen(&["part.create_partition_of_referenced"]),
    Fact::new(
        Form::CreateTableForeign,
        "CREATE TABLE with a foreign key",
        &[(Referenced, ShareRowExclusive), (Role::ReferencedPartitions, ShareRowExclusive)],
    )
    .seen(&["table.create_with_fk", "table.create_with_fk_to_partitioned"]),
    Fact::new(Form::CreateTableLike, "CREATE TABLE (LIKE …)", &[(Source, AccessShare)])
        .seen(&["table.create_like", "part.create_like_then_attach"]),
    Fact::new(Form::CreateTableInherits, "CREATE TABLE … INHERITS", &[(Parent, UpdateExclusive)])
        .seen(&["table.create_inherits"]),
    Fact::new(Form::CreateTableAs, "CREATE TABLE AS, CREATE MATERIALIZED VIEW", &[(Source, AccessShare)]).seen(&[
        "table.create_as",
        "matview.create",
        "matview.create_no_data",
    ]),
    Fact::new(
        Form::DropTable,
        "DROP TABLE",
        &[
            (Target, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Sequence, AccessExclusive),
            (Referencing, AccessExclusive),
            (View, AccessExclusive),
        ],
    )
    .seen(&["table.drop", "table.drop_referenced_cascade", "table.drop_view_dep_cascade", "schema.drop_cascade"]),
    Fact::new(
        Form::DropTableForeign,
        "DROP TABLE with a foreign key",
        &[(Referenced, AccessExclusive), (Role::ReferencedPartitions, AccessExclusive)],
    )
    .seen(&["table.drop_referencing", "part.drop_parent"]),
    // The parent's key has the triggers on the referenced table; the partition's copy of it has none there.
    Fact::new(
        Form::DropPartition,
        "DROP TABLE of a partition",
        &[(Parent, AccessExclusive), (Default, AccessExclusive)],
    )
    .seen(&["part.drop_partition", "part.drop_partition_parent_fk"]),
    Fact::new(
        Form::Truncate,
        "TRUNCATE",
        &[
            (Target, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Sequence, AccessExclusive),
        ],
    )
    .rewrite(Target, RewriteKind::Emptied)
    .seen(&[
        "table.truncate",
        "table.truncate_referencing",
        "table.truncate_cascade",
        "table.truncate_both",
        "part.truncate_parent",
    ]),
    Fact::new(Form::TruncatePartition, "TRUNCATE of a partition", &[(Parent, AccessShare)])
        .to(13)
        .seen(&["part.truncate_partition"]),
    // The mode written; this row says the default.
    Fact::new(Form::LockTable, "LOCK TABLE", ALL_EXCLUSIVE).seen(&["table.lock_bare", "fk.lock_tables_first"]),
    // Indexes.
    Fact::new(Form::CreateIndex, "CREATE INDEX", &[(Target, Share), (Partitions, Share), (ChildIndex, Share)])
        .scan(&[Target, Partitions])
        .seen(&[
            "index.create",
            "index.create_unique",
            "index.create_partitioned",
            "index.create_only_parent",
            "index.create_partitioned_children_have_match",
        ]),
    Fact::new(Form::CreateIndexExisting, "CREATE INDEX IF NOT EXISTS of one that exists", &[(Target, Share)])
        .seen(&["index.create_if_not_exists"]),
    Fact::new(Form::CreateIndexConcurrently, "CREATE INDEX CONCURRENTLY", &[(Target, UpdateExclusive)])
        .scan(&[Target])
        .alone()
        .waits()
        .seen(&[
            "index.create_concurrently",
            "index.create_unique_concurrently",
            "index.create_concurrently_on_partition",
            "index.create_concurrently_if_not_exists",
        ]),
    Fact::new(
        Form::AttachIndex,
        "ALTER INDEX … ATTACH PARTITION",
        &[(Index, UpdateExclusive), (ChildIndex, AccessExclusive), (Target, AccessShare), (Partition, AccessShare)],
    )
    .seen(&["index.attach_partition"]),
    Fact::new(
        Form::DropIndex,
        "DROP INDEX",
        &[
            (Target, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (ChildIndex, AccessExclusive),
        ],
    )
    .seen(&["index.drop", "index.drop_partitioned"]),
    // At the very end the index itself is locked in ACCESS EXCLUSIVE mode, when nobody can see it any more.
    Fact::new(
        Form::DropIndexConcurrently,
        "DROP INDEX CONCURRENTLY",
        &[(Target, UpdateExclusive), (Index, UpdateExclusive)],
    )
    .alone()
    .waits()
    .seen(&["index.drop_concurrently"]),
    Fact::new(Form::AlterIndex, "ALTER INDEX … SET (…), SET STATISTICS", &[(Index, UpdateExclusive)])
        .seen(&["index.set_fillfactor", "index.set_statistics"]),
    Fact::new(
        Form::AlterIndexTablespace,
        "ALTER INDEX … SET TABLESPACE, ALTER TABLE of an index",
        &[(Index, AccessExclusive)],
    )
    .seen(&["index.set_tablespace", "index.rename_via_alter_table"]),
    Fact::new(Form::RenameIndex, "ALTER INDEX … RENAME", &[(Index, UpdateExclusive)]).seen(&["index.rename"]),
    Fact::new(Form::ReindexIndex, "REINDEX INDEX", &[(Target, Share), (Index, AccessExclusive)])
        .scan(&[Target])
        .seen(&["reindex.index"]),
    // Every query plans over all indexes of its tables, so that readers of the table wait, too.
    Fact::new(Form::ReindexTable, "REINDEX TABLE", &[(Target, Share), (Index, AccessExclusive)])
        .scan(&[Target])
        .seen(&["reindex.table"]),
    Fact::new(
        Form::ReindexConcurrently,
        "REINDEX … CONCURRENTLY",
        &[(Target, UpdateExclusive), (Index, UpdateExclusive)],
    )
    .scan(&[Target])
    .alone()
    .waits()
    .seen(&["reindex.index_concurrently", "reindex.table_concurrently"]),
    // Before 14 a warning says that REINDEX of partitioned tables is not implemented, and nothing is done.
    Fact::new(Form::ReindexPartitioned, "REINDEX of a partitioned table or index", &[(Target, Share)])
        .to(13)
        .seen(&["reindex.partitioned_table"]),
    Fact::new(
        Form::ReindexPartitioned,
        "REINDEX of a partitioned table or index",
        &[(Partitions, Share), (Index, AccessExclusive)],
    )
    .from(14)
    .scan(&[Partitions])
    .alone()
    .seen(&["reindex.partitioned_table"]),
    Fact::new(Form::ReindexMany, "REINDEX SCHEMA, DATABASE, SYSTEM", &[(Target, Share), (Index, AccessExclusive)])
        .scan(&[Target])
        .alone()
        .seen(&["reindex.schema", "tx.reindex.database", "tx.reindex.system"]),
    // Names.
    Fact::new(Form::Rename, "RENAME TO", TARGET_EXCLUSIVE).seen(&[
        "rename.table",
        "rename.table_view_dep",
        "rename.partitioned",
        "rename.partition",
        "sequence.rename",
    ]),
    Fact::new(Form::RenamePart, "RENAME COLUMN, RENAME CONSTRAINT", ALL_EXCLUSIVE).seen(&[
        "rename.column",
        "rename.column_partitioned",
        "rename.constraint_check",
        "fk.rename",
        "view.rename_col",
    ]),
    Fact::new(
        Form::RenameKey,
        "RENAME CONSTRAINT with an index",
        &[(Target, AccessExclusive), (Index, UpdateExclusive)],
    )
    .seen(&["rename.constraint_pk"]),
    Fact::new(Form::SetSchema, "SET SCHEMA", &[(Target, AccessExclusive), (Sequence, AccessExclusive)])
        .seen(&["schema.set", "schema.set_with_serial"]),
    // Triggers, rules, policies.
    Fact::new(
        Form::CreateTrigger,
        "CREATE TRIGGER",
        &[(Target, ShareRowExclusive), (Partitions, ShareRowExclusive), (Referenced, AccessShare)],
    )
    .seen(&[
        "trigger.create_row",
        "trigger.create_stmt",
        "trigger.create_or_replace",
        "trigger.create_partitioned_row",
        "trigger.create_partitioned_before_row",
        "trigger.create_partitioned_stmt",
        "trigger.create_constraint_from",
    ]),
    Fact::new(Form::DropTrigger, "DROP TRIGGER", ALL_EXCLUSIVE).seen(&["trigger.drop", "trigger.drop_partitioned"]),
    Fact::new(Form::RenameTrigger, "ALTER TRIGGER … RENAME", TARGET_EXCLUSIVE).to(14).seen(&["trigger.rename"]),
    Fact::new(Form::RenameTrigger, "ALTER TRIGGER … RENAME", ALL_EXCLUSIVE).from(15).seen(&["trigger.rename"]),
    Fact::new(Form::Rule, "CREATE RULE, DROP RULE", TARGET_EXCLUSIVE).seen(&["rule.create", "rule.drop"]),
    Fact::new(Form::Policy, "CREATE, ALTER, DROP POLICY", TARGET_EXCLUSIVE).seen(&[
        "policy.create",
        "policy.alter",
        "policy.drop",
    ]),
    // Views.
    Fact::new(Form::CreateView, "CREATE VIEW", &[(Source, AccessShare)]).seen(&["view.create"]),
    Fact::new(Form::ReplaceView, "CREATE OR REPLACE VIEW", &[(Source, AccessShare), (Target, AccessExclusive)])
        .seen(&["view.replace"]),
    Fact::new(
        Form::DropView,
        "DROP VIEW, DROP MATERIALIZED VIEW",
        &[(Target, AccessExclusive), (Index, AccessExclusive), (View, AccessExclusive)],
    )
    .seen(&["view.drop", "matview.drop"]),
    Fact::new(Form::RefreshView, "REFRESH MATERIALIZED VIEW", &[(Target, AccessExclusive), (Source, AccessShare)])
        .rewrite(Target, RewriteKind::Rows)
        .seen(&["matview.refresh"]),
    Fact::new(
        Form::RefreshViewConcurrently,
        "REFRESH MATERIALIZED VIEW CONCURRENTLY",
        &[(Target, Exclusive), (Index, RowExclusive), (Source, AccessShare)],
    )
    .scan(&[Target])
    .seen(&["matview.refresh_concurrently"]),
    // Sequences.
    Fact::new(Form::CreateSequence, "CREATE SEQUENCE", &[(Target, AccessShare)]).seen(&["sequence.create"]),
    Fact::new(Form::AlterSequence, "ALTER SEQUENCE", &[(Sequence, ShareRowExclusive), (Target, AccessShare)]).seen(&[
        "sequence.restart",
        "sequence.as_bigint",
        "sequence.maxvalue",
        "sequence.owned_by",
    ]),
    Fact::new(Form::DropSequence, "DROP SEQUENCE", &[(Sequence, AccessExclusive)]),
    Fact::new(Form::UseSequence, "nextval(), setval()", &[(Sequence, RowExclusive)])
        .seen(&["sequence.setval", "addcol.default_nextval"]),
    // Types and functions.
    Fact::new(Form::Domain, "ALTER DOMAIN … ADD CONSTRAINT, VALIDATE CONSTRAINT, SET NOT NULL", &[(Target, Share)])
        .scan(&[Target])
        .seen(&["domain.add_constraint", "domain.validate_constraint", "domain.set_not_null"]),
    Fact::new(Form::TypeDropped, "DROP TYPE … CASCADE, on tables that use it", TARGET_EXCLUSIVE)
        .seen(&["type.drop_used_cascade"]),
    Fact::new(Form::FunctionDropped, "DROP FUNCTION … CASCADE, on tables whose triggers call it", TARGET_EXCLUSIVE)
        .seen(&["trigger.drop_function_cascade"]),
    // What only describes.
    Fact::new(Form::Comment, "COMMENT ON TABLE, COLUMN, INDEX", &[(Target, UpdateExclusive)]).seen(&[
        "comment.table",
        "comment.column",
        "comment.index",
    ]),
    Fact::new(Form::CommentOnPart, "COMMENT ON CONSTRAINT, TRIGGER, POLICY, RULE", &[(Target, AccessShare)])
        .seen(&["comment.constraint"]),
    Fact::new(Form::Grant, "GRANT, REVOKE", &[]).to(17).seen(&["grant.table", "revoke.table"]),
    Fact::new(Form::Grant, "GRANT, REVOKE", &[(Target, AccessShare)]).from(18).seen(&["grant.table", "revoke.table"]),
    Fact::new(Form::Statistics, "CREATE STATISTICS, DROP STATISTICS", &[(Target, UpdateExclusive)])
        .seen(&["statistics.create", "statistics.drop"]),
    Fact::new(Form::Publication, "CREATE PUBLICATION … FOR TABLE, ADD TABLE", &[(Target, UpdateExclusive)])
        .seen(&["publication.create_for_table", "publication.add_table"]),
    Fact::new(Form::Cluster, "CLUSTER", TARGET_EXCLUSIVE).rewrite(Target, RewriteKind::Rows).seen(&["table.cluster"]),
    Fact::new(Form::ClusterMany, "CLUSTER of a partitioned table (15), or of all tables", TARGET_EXCLUSIVE)
        .rewrite(Target, RewriteKind::Rows)
        .alone()
        .seen(&["table.cluster_partitioned", "tx.cluster.all"]),
    Fact::new(Form::Vacuum, "VACUUM", &[(Target, UpdateExclusive), (Index, RowExclusive)])
        .alone()
        .seen(&["table.vacuum", "tx.vacuum.in_tx"]),
    Fact::new(Form::VacuumFull, "VACUUM FULL", TARGET_EXCLUSIVE)
        .rewrite(Target, RewriteKind::Rows)
        .alone()
        .seen(&["table.vacuum_full"]),
    Fact::new(Form::Analyze, "ANALYZE", &[(Target, UpdateExclusive), (Index, AccessShare)]).seen(&["table.analyze"]),
    // Rows. The indexes of a table that is planned over are locked as the table is.
    Fact::new(Form::Select, "SELECT", &[(Source, AccessShare)]).seen(&["dml.select"]),
    Fact::new(Form::SelectForUpdate, "SELECT … FOR UPDATE, FOR SHARE", &[(Source, RowShare)])
        .seen(&["dml.select_for_update"]),
    Fact::new(
        Form::Write,
        "INSERT, UPDATE, DELETE, MERGE, COPY FROM",
        &[(Target, RowExclusive), (Partitions, RowExclusive), (Source, AccessShare)],
    )
    .seen(&[
        "dml.insert",
        "dml.update_batch",
        "dml.update_unbatched",
        "dml.insert_select_backfill",
        "dml.update_partitioned_move",
    ]),
    Fact::new(
        Form::WriteReferencing,
        "INSERT or UPDATE under a foreign key",
        &[(Referenced, RowShare), (Role::ReferencedPartitions, RowShare)],
    )
    .seen(&["dml.insert_with_fk", "dml.insert_with_fk_to_partitioned"]),
    Fact::new(Form::DeleteReferenced, "DELETE from a referenced table", &[(Referencing, RowShare)])
        .seen(&["dml.delete_referenced"]),
    Fact::new(
        Form::DeleteReferencedActing,
        "… ON DELETE CASCADE, SET NULL, SET DEFAULT",
        &[(Referencing, RowExclusive)],
    )
    .seen(&["dml.delete_referenced_cascade"]),
];
