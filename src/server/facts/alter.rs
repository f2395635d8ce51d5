//! ALTER TABLE, one row per action. A statement with several actions takes the strongest lock of all on the table
//! and on the partitions that any of them reaches (measured: multi.validate_plus_add_column).

use super::{Fact, Form, Role};
use crate::operation::LockMode::{
    AccessExclusive, AccessShare, RowShare, ShareRowExclusive, ShareUpdateExclusive as UpdateExclusive,
};
use crate::server::RewriteKind;

use Role::{Index, Partitions, Referenced, Referencing, Sequence, Target};

type Locks = &'static [(Role, crate::operation::LockMode)];

const ALL_EXCLUSIVE: Locks = &[(Target, AccessExclusive), (Partitions, AccessExclusive)];
const ONLY_EXCLUSIVE: Locks = &[(Target, AccessExclusive)];
const ONLY_UPDATE: Locks = &[(Target, UpdateExclusive)];
const ALL_UPDATE: Locks = &[(Target, UpdateExclusive), (Partitions, UpdateExclusive)];
const BOTH_EXCLUSIVE: Locks = &[
    (Target, AccessExclusive),
    (Partitions, AccessExclusive),
    (Referenced, AccessExclusive),
    (Role::ReferencedPartitions, AccessExclusive),
];
const BOTH_ROW_EXCLUSIVE: Locks = &[
    (Target, ShareRowExclusive),
    (Partitions, ShareRowExclusive),
    (Referenced, ShareRowExclusive),
    (Role::ReferencedPartitions, ShareRowExclusive),
];
const REFERENCED_ROW_EXCLUSIVE: Locks = &[
    (Target, AccessExclusive),
    (Partitions, AccessExclusive),
    (Referenced, ShareRowExclusive),
    (Role::ReferencedPartitions, ShareRowExclusive),
];

pub(super) static FACTS: &[Fact] = &[
    // Columns. A default that is constant or stable is stored once in the catalog, for all old rows.
    Fact::new(Form::AddColumn, "ADD COLUMN, nullable or with a constant or stable default", ALL_EXCLUSIVE).seen(&[
        "addcol.nullable",
        "addcol.default_const",
        "addcol.notnull_default_const",
        "addcol.jsonb_default_notnull",
        "addcol.default_stable_now",
        "addcol.generated_virtual",
        "addcol.if_not_exists_existing",
        "addcol.collate",
        "addcol.partitioned",
    ]),
    Fact::new(
        Form::AddColumnRewrite,
        "ADD COLUMN with a volatile default, STORED expression, identity, serial or constrained domain",
        ALL_EXCLUSIVE,
    )
    .rewrite(Target, RewriteKind::Rows)
    .seen(&[
        "addcol.default_volatile",
        "addcol.default_random_uuid",
        "addcol.default_nextval",
        "addcol.generated_stored",
        "addcol.identity",
        "addcol.bigserial",
        "addcol.domain_constrained",
        "addcol.domain_constrained_default",
    ]),
    // Without a default the rows are read, too: all are NULL, but PostgreSQL does not reason so.
    Fact::new(Form::AddColumnChecked, "ADD COLUMN … CHECK or UNIQUE", ALL_EXCLUSIVE).scan(&[Target]).seen(&[
        "addcol.check",
        "addcol.default_check",
        "addcol.unique",
    ]),
    Fact::new(Form::AddColumnNotNull, "ADD COLUMN … NOT NULL without a default", ALL_EXCLUSIVE)
        .scan(&[Target])
        .seen(&["addcol.notnull_nodefault", "addcol.notnull_nodefault_emptytable"]),
    Fact::new(Form::AddColumnReferences, "ADD COLUMN … REFERENCES", REFERENCED_ROW_EXCLUSIVE)
        .seen(&["addcol.references"]),
    Fact::new(Form::AddColumnReferencesValues, "ADD COLUMN … DEFAULT … REFERENCES", REFERENCED_ROW_EXCLUSIVE)
        .scan(&[Target, Referenced])
        .seen(&["addcol.references_default"]),
    Fact::new(
        Form::DropColumn,
        "DROP COLUMN",
        &[
            (Target, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Sequence, AccessExclusive),
            (Role::View, AccessExclusive),
        ],
    )
    .seen(&["dropcol.plain", "dropcol.cascade_view", "dropcol.partitioned"]),
    // Indexes on the column are made again over the old files, unless rebuilt (AlterTypeRewrite, or new order).
    Fact::new(
        Form::AlterType,
        "ALTER COLUMN TYPE that keeps the bytes",
        &[(Target, AccessExclusive), (Partitions, AccessExclusive), (Index, AccessExclusive)],
    )
    .seen(&[
        "altertype.varchar_widen",
        "altertype.varchar_to_unbounded",
        "altertype.varchar_to_text",
        "altertype.text_to_varchar",
        "altertype.numeric_widen_precision",
        "altertype.numeric_unconstrain",
        "altertype.cidr_to_inet",
        "altertype.domain_to_base",
        "altertype.same_type",
        "altertype.timestamptz_to_timestamp_tz_utc",
        "altertype.timestamp_widen_precision",
        "altertype.timestamp_to_timestamptz_tz_utc",
        "altertype.collation_change",
        "altertype.with_check_constraint",
        "altertype.with_partial_index",
        "altertype.with_expr_index",
    ]),
    Fact::new(
        Form::AlterTypeRewrite,
        "ALTER COLUMN TYPE that changes the bytes, or any USING expression",
        ALL_EXCLUSIVE,
    )
    .rewrite(Target, RewriteKind::Rows)
    .seen(&[
        "altertype.varchar_narrow",
        "altertype.text_to_varchar_n",
        "altertype.int_to_bigint",
        "altertype.bigint_to_int",
        "altertype.int_to_numeric",
        "altertype.int_to_text",
        "altertype.numeric_change_scale",
        "altertype.inet_to_cidr",
        "altertype.enum_to_text",
        "altertype.enum_to_varchar_nousing",
        "altertype.text_to_enum",
        "altertype.char_widen",
        "altertype.char_to_varchar",
        "altertype.char_to_text",
        "altertype.timestamp_precision_reduce",
        "altertype.date_to_timestamp",
        "altertype.json_to_jsonb",
        "altertype.int_to_domain_constrained",
        "altertype.using_expr_same_type",
        "altertype.nullable_to_bigint_with_check",
        "altertype.text_to_bigint_using",
        "altertype.timestamp_to_timestamptz_tz_newyork",
        "altertype.timestamp_to_timestamptz_tz_abidjan",
        "altertype.timestamptz_to_timestamp_tz_newyork",
        "altertype.timestamp_to_tz_using_atz",
        "altertype.partitioned",
        "altertype.partitioned_widen_text",
        "multi.two_scans_one_rewrite",
    ]),
    Fact::new(
        Form::AlterTypeReferencing,
        "ALTER COLUMN TYPE of a foreign key's own column",
        &[(Referenced, AccessExclusive)],
    )
    .seen(&["altertype.fk_referencing_column", "altertype.fk_referencing_col_widen"]),
    Fact::new(Form::AlterTypeReferenced, "ALTER COLUMN TYPE of a referenced column", &[(Referencing, AccessExclusive)])
        .seen(&["altertype.fk_referenced_column", "altertype.fk_referenced_varchar_widen"]),
    Fact::new(Form::SetDefault, "SET DEFAULT, DROP DEFAULT", ALL_EXCLUSIVE).seen(&[
        "default.set",
        "default.drop",
        "default.set_partitioned",
    ]),
    Fact::new(Form::SetNotNull, "SET NOT NULL", ALL_EXCLUSIVE).scan(&[Target, Partitions]).seen(&[
        "notnull.set",
        "notnull.set_with_notvalid_check",
        "notnull.set_with_valid_check_n_gt_0",
        "notnull.set_and_drop_check_same_stmt",
        "notnull.add_check_and_set_same_stmt",
        "notnull.set_partitioned",
        "notnull.set_over_notvalid",
    ]),
    Fact::new(Form::SetNotNullProven, "SET NOT NULL where a valid CHECK proves it, or it is set", ALL_EXCLUSIVE).seen(
        &[
            "notnull.set_with_valid_check",
            "notnull.set_with_valid_stricter_check",
            "notnull.set_already",
            "notnull.set_partitioned_children_already",
            "notnull.set_partitioned_only",
        ],
    ),
    Fact::new(Form::DropNotNull, "DROP NOT NULL", ALL_EXCLUSIVE).seen(&["notnull.drop"]),
    Fact::new(Form::AddNotNull, "ADD CONSTRAINT … NOT NULL", ALL_EXCLUSIVE)
        .from(18)
        .scan(&[Target, Partitions])
        .seen(&["notnull.named_add"]),
    Fact::new(Form::AddNotNullNotValid, "ADD CONSTRAINT … NOT NULL … NOT VALID", ALL_EXCLUSIVE)
        .from(18)
        .seen(&["notnull.add_notvalid", "notnull.add_notvalid_partitioned"]),
    Fact::new(Form::SetExpression, "SET EXPRESSION of a STORED column", ALL_EXCLUSIVE)
        .from(17)
        .rewrite(Target, RewriteKind::Rows)
        .seen(&["generated.set_expression_stored"]),
    Fact::new(Form::SetExpressionVirtual, "SET EXPRESSION of a VIRTUAL column", ALL_EXCLUSIVE)
        .from(18)
        .seen(&["generated.set_expression_virtual"]),
    Fact::new(Form::DropExpression, "DROP EXPRESSION", ALL_EXCLUSIVE).from(13).seen(&["generated.drop_expression"]),
    Fact::new(
        Form::Identity,
        "ADD GENERATED … AS IDENTITY, DROP IDENTITY",
        &[(Target, AccessExclusive), (Sequence, AccessExclusive)],
    )
    .seen(&["identity.add", "identity.drop"]),
    Fact::new(
        Form::AlterIdentity,
        "SET GENERATED, RESTART of an identity column",
        &[(Target, AccessExclusive), (Sequence, ShareRowExclusive)],
    )
    .seen(&["identity.set_restart"]),
    Fact::new(Form::ColumnStatistics, "SET STATISTICS, SET (n_distinct = …)", ALL_UPDATE)
        .seen(&["table.set_statistics", "table.set_attr_ndistinct"]),
    Fact::new(Form::ColumnStorage, "SET STORAGE, SET COMPRESSION", ALL_EXCLUSIVE)
        .seen(&["table.set_storage", "table.set_compression"]),
    // Constraints.
    Fact::new(Form::AddCheck, "ADD CHECK", ALL_EXCLUSIVE).scan(&[Target, Partitions]).seen(&[
        "check.add",
        "check.add_partitioned",
        "check.add_and_validate_same_tx",
    ]),
    Fact::new(Form::AddCheckNotValid, "ADD CHECK … NOT VALID, or NOT ENFORCED (18)", ALL_EXCLUSIVE).seen(&[
        "check.add_notvalid",
        "check.add_notvalid_partitioned",
        "check.add_not_enforced",
        "check.add_partitioned_children_have_it",
    ]),
    // The partitions' indexes are made as CREATE INDEX makes them, under its lock; 18 sets NOT NULL on them first.
    Fact::new(
        Form::AddUnique,
        "ADD UNIQUE, PRIMARY KEY or EXCLUDE",
        &[(Target, AccessExclusive), (Partitions, crate::operation::LockMode::Share)],
    )
    .to(17)
    .scan(&[Target, Partitions])
    .seen(&[
        "unique.add",
        "unique.add_deferrable",
        "unique.add_nulls_not_distinct",
        "exclusion.add",
        "pk.add",
        "pk.add_notnull_col",
        "unique.partitioned_with_key",
        "pk.add_partitioned",
        "pk.add_partitioned_only",
    ]),
    Fact::new(Form::AddUnique, "ADD UNIQUE, PRIMARY KEY or EXCLUDE", ALL_EXCLUSIVE)
        .from(18)
        .scan(&[Target, Partitions])
        .seen(&["unique.temporal_without_overlaps", "unique.partitioned_with_key", "pk.add_partitioned"]),
    Fact::new(Form::AddKeyUsingIndex, "ADD UNIQUE or PRIMARY KEY USING INDEX", ONLY_EXCLUSIVE).seen(&[
        "unique.using_index",
        "pk.using_index_notnull",
        "pk.using_index_valid_check",
        "pk.swap_same_stmt",
    ]),
    Fact::new(Form::AddPrimaryKeyNullable, "ADD PRIMARY KEY USING INDEX over a nullable column", ONLY_EXCLUSIVE)
        .scan(&[Target])
        .seen(&["pk.using_index_nullable"]),
    Fact::new(Form::AddForeign, "ADD FOREIGN KEY", BOTH_ROW_EXCLUSIVE)
        .scan(&[Target, Partitions, Referenced, Role::ReferencedPartitions])
        .seen(&[
            "fk.add",
            "fk.add_empty_referencing",
            "fk.add_self",
            "fk.add_notvalid_and_validate_same_tx",
            "fk.p_to_r.add",
            "fk.p_to_r.add_children_have_notvalid",
            "fk.t_to_q.add",
            "fk.p_to_q.add",
        ]),
    Fact::new(Form::AddForeignNotValid, "ADD FOREIGN KEY … NOT VALID, or NOT ENFORCED (18)", BOTH_ROW_EXCLUSIVE).seen(
        &[
            "fk.add_notvalid",
            "fk.add_not_enforced",
            "fk.p1_to_r.add_notvalid",
            "fk.t_to_q.add_notvalid",
            "fk.t_to_q1.add_notvalid",
            "fk.p1_to_q.add_notvalid",
            "fk.p1_to_q1.add_notvalid",
            "fk.p_to_r.add_notvalid",
            "fk.p_to_q.add_notvalid",
            "fk.lock_tables_first",
            "addcol.references_notvalid_sep",
            "multi.fk_notvalid_plus_default",
        ],
    ),
    // The partition's own key is taken over: its triggers on the referenced table are dropped, which needs the
    // strongest lock there.
    Fact::new(
        Form::AddForeignMerged,
        "ADD FOREIGN KEY whose partitions have the same key already",
        &[(Target, ShareRowExclusive), (Partitions, ShareRowExclusive), (Referenced, AccessExclusive)],
    )
    .seen(&["fk.p_to_r.add_children_have_valid", "fk.p_to_r.add_children_have_notvalid"]),
    Fact::new(Form::AlterConstraint, "ALTER CONSTRAINT … DEFERRABLE", ALL_EXCLUSIVE).seen(&["fk.alter_deferrable"]),
    Fact::new(Form::EnforceForeign, "ALTER CONSTRAINT … ENFORCED", REFERENCED_ROW_EXCLUSIVE)
        .from(18)
        .scan(&[Target, Partitions, Referenced, Role::ReferencedPartitions])
        .seen(&["fk.alter_enforced"]),
    Fact::new(Form::DontEnforceForeign, "ALTER CONSTRAINT … NOT ENFORCED", BOTH_EXCLUSIVE)
        .from(18)
        .seen(&["fk.alter_not_enforced"]),
    Fact::new(
        Form::ValidateCheck,
        "VALIDATE CONSTRAINT of a CHECK or NOT NULL (18)",
        &[(Target, UpdateExclusive), (Partitions, UpdateExclusive)],
    )
    .scan(&[Target, Partitions])
    .seen(&["check.validate", "check.validate_partitioned", "notnull.validate", "multi.validate_plus_add_column"]),
    Fact::new(
        Form::ValidateForeign,
        "VALIDATE CONSTRAINT of a foreign key",
        &[
            (Target, UpdateExclusive),
            (Partitions, UpdateExclusive),
            (Referenced, RowShare),
            (Role::ReferencedPartitions, AccessShare),
        ],
    )
    .scan(&[Target, Partitions, Referenced, Role::ReferencedPartitions])
    .seen(&[
        "fk.validate",
        "fk.p1_to_r.validate",
        "fk.t_to_q.validate",
        "fk.p1_to_q.validate",
        "fk.p1_to_q1.validate",
        "fk.p_to_r.validate",
        "fk.p_to_r.validate_only",
        "fk.p_to_q.validate",
        "multi.fk_validate_plus_statistics",
    ]),
    Fact::new(Form::ValidateAgain, "VALIDATE CONSTRAINT of a valid one", ONLY_UPDATE)
        .seen(&["check.validate_already_valid", "fk.validate_already_valid"]),
    Fact::new(
        Form::DropConstraint,
        "DROP CONSTRAINT of a CHECK, NOT NULL, UNIQUE, PRIMARY KEY or EXCLUDE",
        &[
            (Target, AccessExclusive),
            (Partitions, AccessExclusive),
            (Index, AccessExclusive),
            (Referencing, AccessExclusive),
        ],
    )
    .seen(&[
        "check.drop",
        "notnull.drop_constraint",
        "unique.drop",
        "unique.drop_referenced_cascade",
        "pk.drop",
        "pk.drop_partitioned",
        "dropcol.referenced_by_fk_cascade",
    ]),
    Fact::new(Form::DropForeign, "DROP CONSTRAINT of a foreign key, or DROP COLUMN under one", BOTH_EXCLUSIVE).seen(&[
        "fk.drop",
        "fk.drop_notvalid",
        "fk.p_to_r.drop",
        "fk.p_to_r.drop_only",
        "fk.t_to_q.drop",
        "fk.p_to_q.drop",
        "fk.p1_to_q1.drop",
        "fk.p1_to_q.drop",
        "dropcol.with_fk",
    ]),
];
