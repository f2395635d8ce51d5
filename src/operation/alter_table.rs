//! ALTER TABLE and its actions.

use std::sync::Arc;

use super::{
    Bound, ColumnDefinition, ConstraintDefinition, Expression, Ident, Identity, Name, ObjectKind, Parameter, TypeName,
};
use crate::source::Span;

#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    pub table: Name,
    /// What the statement calls it: ALTER TABLE, ALTER FOREIGN TABLE, ALTER VIEW, ALTER MATERIALIZED VIEW,
    /// ALTER INDEX, ALTER SEQUENCE reach the same actions.
    pub target: ObjectKind,
    pub only: bool,
    pub if_exists: bool,
    pub actions: Vec<TableAction>,
}

/// One action of ALTER TABLE, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct TableAction {
    pub span: Span,
    pub kind: TableActionKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TableActionKind {
    AddColumn {
        column: Box<ColumnDefinition>,
        if_not_exists: bool,
    },
    DropColumn {
        column: Ident,
        if_exists: bool,
        cascade: bool,
    },
    AlterColumnType {
        column: Ident,
        data_type: TypeName,
        collation: Option<Name>,
        using: Option<Expression>,
    },
    SetDefault {
        column: Ident,
        default: Expression,
    },
    DropDefault {
        column: Ident,
    },
    SetNotNull {
        column: Ident,
    },
    DropNotNull {
        column: Ident,
    },
    SetExpression {
        column: Ident,
        expression: Expression,
    },
    DropExpression {
        column: Ident,
        if_exists: bool,
    },
    AddIdentity {
        column: Ident,
        identity: Identity,
    },
    /// SET GENERATED …, RESTART and sequence options of an identity column.
    AlterIdentity {
        column: Ident,
        always: Option<bool>,
    },
    DropIdentity {
        column: Ident,
        if_exists: bool,
    },
    SetStatistics {
        column: Ident,
    },
    SetStorage {
        column: Ident,
    },
    SetCompression {
        column: Ident,
    },
    /// SET (…) or RESET (…) of a column.
    SetColumnOptions {
        column: Ident,
    },
    AddConstraint(Box<ConstraintDefinition>),
    AlterConstraint {
        name: Ident,
        deferrable: Option<bool>,
        initially_deferred: Option<bool>,
        enforced: Option<bool>,
        inherit: Option<bool>,
    },
    ValidateConstraint {
        name: Ident,
    },
    DropConstraint {
        name: Ident,
        if_exists: bool,
        cascade: bool,
    },
    /// ENABLE / DISABLE TRIGGER.
    SetTrigger {
        which: TriggerChoice,
        enabled: TriggerState,
    },
    /// ENABLE / DISABLE RULE.
    SetRule {
        name: Ident,
    },
    /// ENABLE, DISABLE, FORCE, NO FORCE ROW LEVEL SECURITY.
    SetRowSecurity {
        enabled: Option<bool>,
        forced: Option<bool>,
    },
    ClusterOn {
        index: Ident,
    },
    SetWithoutCluster,
    SetWithoutOids,
    SetTablespace {
        tablespace: Ident,
    },
    SetAccessMethod {
        method: Option<Ident>,
    },
    SetLogged {
        logged: bool,
    },
    /// SET (…): storage parameters.
    SetOptions(Vec<Parameter>),
    /// RESET (…).
    ResetOptions(Vec<Parameter>),
    Inherit {
        parent: Name,
    },
    NoInherit {
        parent: Name,
    },
    OfType {
        data_type: Name,
    },
    NotOf,
    Owner {
        owner: Ident,
    },
    ReplicaIdentity(ReplicaIdentity),
    AttachPartition {
        partition: Name,
        bound: Bound,
    },
    DetachPartition {
        partition: Name,
        concurrently: bool,
        finalize: bool,
    },
    /// Foreign tables' OPTIONS and what else changes nothing that is modelled; its leading words.
    Other {
        what: Arc<str>,
    },
    Unread {
        reason: Arc<str>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum TriggerChoice {
    Named(Ident),
    All,
    User,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerState {
    /// ENABLE: fires unless session_replication_role is replica.
    Origin,
    Disabled,
    Replica,
    Always,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaIdentity {
    Default,
    Full,
    Nothing,
    Index(Ident),
}
