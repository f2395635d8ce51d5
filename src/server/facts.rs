//! What each form of statement locks, reads and rewrites, as data: one row per form and range of majors.
//! Which relations play which role depends on the schema, and is found elsewhere in `server`.

mod alter;
mod alter_rest;
mod other;

use std::sync::LazyLock;

use super::RewriteKind;
use crate::operation::LockMode;
use crate::version::Major;

/// The part a relation plays in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The relation named.
    Target,
    /// What stands below it: partitions at every level, or children by INHERITS where the action reaches them.
    Partitions,
    /// The table a foreign key points to, or the partitions of that table.
    Referenced,
    ReferencedPartitions,
    /// The table whose foreign key points here.
    Referencing,
    /// The partitioned or inherited parent.
    Parent,
    /// The partitioned indexes of the parent.
    ParentIndexes,
    /// The default partition beside the one that comes or goes.
    Default,
    /// The table that becomes, or stops being, a partition.
    Partition,
    /// The index at hand: named, behind the constraint, over the column.
    Index,
    /// An index that is attached to the one named.
    ChildIndex,
    Sequence,
    /// What a query reads.
    Source,
    /// A view that depends on the target.
    View,
}

impl Role {
    pub fn words(self) -> &'static str {
        match self {
            Role::Target => "the table",
            Role::Partitions => "its partitions",
            Role::Referenced => "the referenced table",
            Role::ReferencedPartitions => "its partitions (referenced)",
            Role::Referencing => "the referencing table",
            Role::Parent => "the parent",
            Role::ParentIndexes => "the parent's indexes",
            Role::Default => "the default partition",
            Role::Partition => "the partition",
            Role::Index => "the index",
            Role::ChildIndex => "the attached index",
            Role::Sequence => "the sequence",
            Role::Source => "what is read",
            Role::View => "dependent views",
        }
    }
}

/// One row: a form of statement on a range of majors.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    pub form: Form,
    /// The statement's shape, for people.
    pub text: &'static str,
    pub oldest: Major,
    pub newest: Major,
    pub locks: &'static [(Role, LockMode)],
    pub scans: &'static [Role],
    pub rewrites: Option<(Role, RewriteKind)>,
    pub outside_transaction: bool,
    pub waits_for_all_transactions: bool,
    /// Ids of the measured forms that this row was read off (tests/locks.tsv).
    pub measured: &'static [&'static str],
}

impl Fact {
    const fn new(form: Form, text: &'static str, locks: &'static [(Role, LockMode)]) -> Fact {
        Fact {
            form,
            text,
            oldest: Major::OLDEST,
            newest: Major::NEWEST,
            locks,
            scans: &[],
            rewrites: None,
            outside_transaction: false,
            waits_for_all_transactions: false,
            measured: &[],
        }
    }

    const fn from(mut self, major: u8) -> Fact {
        self.oldest = Major(major);
        self
    }

    const fn to(mut self, major: u8) -> Fact {
        self.newest = Major(major);
        self
    }

    const fn scan(mut self, roles: &'static [Role]) -> Fact {
        self.scans = roles;
        self
    }

    const fn rewrite(mut self, role: Role, kind: RewriteKind) -> Fact {
        self.rewrites = Some((role, kind));
        self
    }

    const fn alone(mut self) -> Fact {
        self.outside_transaction = true;
        self
    }

    const fn waits(mut self) -> Fact {
        self.waits_for_all_transactions = true;
        self
    }

    const fn seen(mut self, measured: &'static [&'static str]) -> Fact {
        self.measured = measured;
        self
    }

    pub fn holds_on(&self, major: Major) -> bool {
        (self.oldest..=self.newest).contains(&major)
    }
}

/// All rows, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Fact> {
    alter::FACTS.iter().chain(alter_rest::FACTS).chain(other::FACTS)
}

/// The row of a form on a major; `None` where that major does not know the statement.
pub fn find(form: Form, major: Major) -> Option<&'static Fact> {
    BY_FORM.get(form as usize)?.iter().find(|fact| fact.holds_on(major)).copied()
}

static BY_FORM: LazyLock<Vec<Vec<&'static Fact>>> = LazyLock::new(|| {
    let mut forms: Vec<Vec<&'static Fact>> = Vec::new();
    for fact in all() {
        let place = fact.form as usize;
        forms.resize_with(forms.len().max(place + 1), Vec::new);
        forms[place].push(fact);
    }
    forms
});

/// The forms that are told apart because PostgreSQL treats them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    AddColumn,
    AddColumnRewrite,
    AddColumnChecked,
    AddColumnNotNull,
    AddColumnReferences,
    AddColumnReferencesValues,
    DropColumn,
    AlterType,
    AlterTypeRewrite,
    AlterTypeReferenced,
    AlterTypeReferencing,
    SetDefault,
    SetNotNull,
    SetNotNullProven,
    DropNotNull,
    AddNotNull,
    AddNotNullNotValid,
    SetExpression,
    SetExpressionVirtual,
    DropExpression,
    Identity,
    AlterIdentity,
    ColumnStatistics,
    ColumnStorage,
    AddCheck,
    AddCheckNotValid,
    AddUnique,
    AddKeyUsingIndex,
    AddPrimaryKeyNullable,
    AddForeign,
    AddForeignNotValid,
    AddForeignMerged,
    AlterConstraint,
    EnforceForeign,
    DontEnforceForeign,
    ValidateCheck,
    ValidateForeign,
    ValidateAgain,
    DropConstraint,
    DropForeign,
    SetTrigger,
    SetRule,
    RowSecurity,
    ClusterOn,
    SetTablespace,
    SetTablespaceSame,
    SetLogged,
    SetLoggedAlready,
    SetAccessMethod,
    SetAccessMethodSame,
    SetOptions,
    SetCatalogOption,
    Inherit,
    NoInherit,
    Owner,
    ReplicaIdentity,
    AlterOther,
    AttachPartition,
    AttachPartitionForeign,
    AttachPartitionForeignMerged,
    AttachPartitionReferenced,
    DetachPartition,
    DetachPartitionReferenced,
    DetachConcurrently,
    DetachFinalize,
    CreateTable,
    CreatePartition,
    CreatePartitionReferenced,
    CreateTableForeign,
    CreateTableLike,
    CreateTableInherits,
    CreateTableAs,
    DropTable,
    DropTableForeign,
    DropPartition,
    Truncate,
    TruncatePartition,
    LockTable,
    CreateIndex,
    CreateIndexExisting,
    CreateIndexConcurrently,
    AttachIndex,
    DropIndex,
    DropIndexConcurrently,
    AlterIndex,
    AlterIndexTablespace,
    RenameIndex,
    ReindexIndex,
    ReindexTable,
    ReindexConcurrently,
    ReindexPartitioned,
    ReindexMany,
    Rename,
    RenamePart,
    RenameKey,
    SetSchema,
    CreateTrigger,
    DropTrigger,
    RenameTrigger,
    Rule,
    Policy,
    CreateView,
    ReplaceView,
    DropView,
    RefreshView,
    RefreshViewConcurrently,
    CreateSequence,
    AlterSequence,
    DropSequence,
    UseSequence,
    Domain,
    TypeDropped,
    FunctionDropped,
    Comment,
    CommentOnPart,
    Grant,
    Statistics,
    Publication,
    Cluster,
    ClusterMany,
    Vacuum,
    VacuumFull,
    Analyze,
    Select,
    SelectForUpdate,
    Write,
    WriteReferencing,
    DeleteReferenced,
    DeleteReferencedActing,
}
