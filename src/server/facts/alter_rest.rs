//! ALTER TABLE of anything but columns and constraints: triggers, options, owners, partitions.

use super::{Fact, Form, Role};
use crate::operation::LockMode::{
    self, AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive as UpdateExclusive,
};
use crate::server::RewriteKind;

use Role::{Default, Index, Parent, ParentIndexes, Partition, Partitions, Referenced, Referencing, Sequence, Target};

type Locks = &'static [(Role, LockMode)];

const ONLY_EXCLUSIVE: Locks = &[(Target, AccessExclusive)];
const ONLY_UPDATE: Locks = &[(Target, UpdateExclusive)];
const ATTACH: Locks = &[
    (Parent, UpdateExclusive),
    (Partition, AccessExclusive),
    (Partitions, AccessExclusive),
    (ParentIndexes, UpdateExclusive),
    (Default, AccessExclusive),
];

pub(super) static FACTS: &[Fact] = &[
    // Triggers, options, ownership.
    Fact::new(
        Form::SetTrigger,
        "ENABLE or DISABLE TRIGGER",
        &[(Target, ShareRowExclusive), (Partitions, ShareRowExclusive)],
    )
    .seen(&[
        "trigger.disable_one",
        "trigger.disable_all",
        "trigger.disable_user",
        "trigger.enable_always",
        "trigger.disable_partitioned",
        "trigger.disable_partitioned_only",
    ]),
    Fact::new(Form::SetRule, "ENABLE or DISABLE RULE", ONLY_EXCLUSIVE),
    Fact::new(Form::RowSecurity, "ENABLE or FORCE ROW LEVEL SECURITY", ONLY_EXCLUSIVE)
        .seen(&["table.enable_rls", "table.force_rls"]),
    Fact::new(
        Form::ClusterOn,
        "CLUSTER ON, SET WITHOUT CLUSTER",
        &[(Target, UpdateExclusive), (Index, UpdateExclusive)],
    )
    .seen(&["table.cluster_on", "table.set_without_cluster"]),
    Fact::new(Form::SetTablespace, "SET TABLESPACE", ONLY_EXCLUSIVE)
        .rewrite(Target, RewriteKind::Files)
        .seen(&["table.set_tablespace"]),
    Fact::new(Form::SetTablespaceSame, "SET TABLESPACE to where it is", ONLY_EXCLUSIVE)
        .seen(&["table.set_tablespace_same"]),
    Fact::new(Form::SetLogged, "SET LOGGED, SET UNLOGGED", ONLY_EXCLUSIVE)
        .rewrite(Target, RewriteKind::Rows)
        .seen(&["table.set_unlogged", "table.set_logged"]),
    Fact::new(Form::SetLoggedAlready, "SET LOGGED where it is", ONLY_EXCLUSIVE).seen(&["table.set_logged_already"]),
    Fact::new(Form::SetAccessMethod, "SET ACCESS METHOD", ONLY_EXCLUSIVE).from(15).rewrite(Target, RewriteKind::Rows),
    Fact::new(Form::SetAccessMethodSame, "SET ACCESS METHOD to what it is", ONLY_EXCLUSIVE)
        .from(15)
        .seen(&["table.set_access_method_same"]),
    Fact::new(Form::SetOptions, "SET (…), RESET (…): storage parameters", ONLY_UPDATE).seen(&[
        "table.set_fillfactor",
        "table.set_autovacuum",
        "table.reset_reloption",
        "table.set_toast_option",
        "table.set_parallel_workers",
    ]),
    Fact::new(Form::SetCatalogOption, "SET (user_catalog_table = …)", ONLY_EXCLUSIVE).seen(&["table.set_user_catalog"]),
    Fact::new(Form::Inherit, "INHERIT", &[(Target, AccessExclusive), (Parent, UpdateExclusive)])
        .seen(&["table.inherit"]),
    Fact::new(Form::NoInherit, "NO INHERIT", &[(Target, AccessExclusive), (Parent, AccessShare)])
        .seen(&["table.no_inherit"]),
    Fact::new(
        Form::Owner,
        "OWNER TO",
        &[(Target, AccessExclusive), (Index, AccessExclusive), (Sequence, AccessExclusive)],
    )
    .seen(&["table.owner", "table.owner_partitioned"]),
    Fact::new(Form::ReplicaIdentity, "REPLICA IDENTITY", &[(Target, AccessExclusive), (Index, LockMode::Share)])
        .seen(&["table.replica_identity_full", "table.replica_identity_index"]),
    Fact::new(Form::AlterOther, "any other action", ONLY_EXCLUSIVE),
    // Partitions.
    Fact::new(Form::AttachPartition, "ATTACH PARTITION", ATTACH).seen(&[
        "part.attach",
        "part.attach_with_check",
        "part.attach_with_notvalid_check",
        "part.attach_default_present",
        "part.attach_default_present_with_check",
        "part.attach_as_default",
        "part.attach_no_pk_on_child",
        "part.attach_extra_index_on_parent",
        "part.attach_list_notnull_check",
        "part.create_like_then_attach",
    ]),
    Fact::new(
        Form::AttachPartitionForeign,
        "ATTACH PARTITION where the parent has a foreign key",
        &[(Referenced, ShareRowExclusive), (Role::ReferencedPartitions, ShareRowExclusive)],
    )
    .scan(&[Partition, Partitions, Referenced, Role::ReferencedPartitions])
    .seen(&["part.attach_parent_has_fk", "part.attach_parent_and_child_have_fk_notvalid"]),
    Fact::new(
        Form::AttachPartitionForeignMerged,
        "… and the partition has the same one",
        &[(Referenced, AccessExclusive)],
    )
    .seen(&["part.attach_parent_and_child_have_fk", "part.attach_parent_and_child_have_fk_notvalid"]),
    Fact::new(Form::AttachPartitionReferenced, "ATTACH PARTITION to a referenced table", &[(Referencing, AccessShare)])
        .to(14)
        .seen(&["part.attach_parent_is_referenced"]),
    Fact::new(
        Form::AttachPartitionReferenced,
        "ATTACH PARTITION to a referenced table",
        &[(Referencing, ShareRowExclusive)],
    )
    .from(15)
    .seen(&["part.attach_parent_is_referenced"]),
    Fact::new(
        Form::DetachPartition,
        "DETACH PARTITION",
        &[
            (Parent, AccessExclusive),
            (Partition, UpdateExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Default, AccessExclusive),
            (Referenced, ShareRowExclusive),
            (Role::ReferencedPartitions, ShareRowExclusive),
        ],
    )
    .to(13)
    .seen(&["part.detach", "part.detach_parent_has_fk", "part.detach_default_present"]),
    Fact::new(
        Form::DetachPartition,
        "DETACH PARTITION",
        &[
            (Parent, AccessExclusive),
            (Partition, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Default, AccessExclusive),
            (Referenced, ShareRowExclusive),
            (Role::ReferencedPartitions, ShareRowExclusive),
        ],
    )
    .from(14)
    .seen(&["part.detach", "part.detach_parent_has_fk", "part.detach_default_present"]),
    // The key's triggers on the partition go, and no row may refer to it: both sides are read.
    Fact::new(
        Form::DetachPartitionReferenced,
        "DETACH PARTITION from a referenced table",
        &[(Partition, AccessExclusive), (Referencing, AccessExclusive)],
    )
    .scan(&[Partition, Referencing])
    .seen(&["part.detach_parent_is_referenced"]),
    Fact::new(
        Form::DetachConcurrently,
        "DETACH PARTITION … CONCURRENTLY",
        &[(Parent, UpdateExclusive), (Partition, AccessExclusive), (Index, AccessExclusive)],
    )
    .from(14)
    .alone()
    .waits()
    .seen(&[
        "part.detach_concurrently",
        "part.detach_concurrently_reader_on_child",
        "part.detach_concurrently_reader_on_parent_only",
    ]),
    Fact::new(
        Form::DetachFinalize,
        "DETACH PARTITION … FINALIZE",
        &[(Parent, UpdateExclusive), (Partition, AccessExclusive), (Index, AccessExclusive)],
    )
    .from(14)
    .waits()
    .seen(&["part.detach_finalize"]),
];
