//! What the catalog holds. Objects are known by ids that survive renames; names lead to ids.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

use super::kept::Kept;

use crate::operation::{
    Action, Argument, Body, Bound, Expression, Ident, KeyPart, Name, Origin, PartitionKey, Persistence, QualifiedName,
    RoutineKind, TriggerEvents, TriggerState, TriggerTiming, TypeName, Volatility,
};
use crate::version::Standing;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u32);
    )*};
}

ids! {
    /// A table, index, sequence, view: what `pg_class` holds. Never used again after a drop.
    RelationId,
    ConstraintId,
    TriggerId,
    FunctionId,
    TypeId
}

/// A column's number in its table, as `attnum`: it survives renames and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

/// The schema at one point of the history. Cloning is cheap: all maps share structure.
///
/// [`Schema::apply`](super::Schema::apply) is the only transition; it also keeps the reverse indexes
/// inside [`Table`] (constraints, indexes, triggers, partitions, referencing keys).
#[derive(Debug, Clone)]
pub struct Schema {
    /// The PostgreSQL majors whose rules this state follows.
    pub majors: Standing,
    /// Nothing exists but what this history made: an unseen name is missing, not assumed.
    pub complete: bool,
    /// A statement that was not understood may have made or dropped anything.
    pub(super) unread: bool,
    /// Relations with a smaller id were there when something was last not understood, and may have got or lost columns by
    /// it; a dump shows what became of them.
    pub(super) unread_until: u32,
    /// The session's search_path.
    pub search_path: Vec<Ident>,
    /// The one with which sessions begin that come after, where ALTER DATABASE or ALTER ROLE set it.
    pub next_search_path: Option<Vec<Ident>>,
    pub(super) next_id: u32,
    pub(super) schemas: OrdMap<Ident, Existence>,
    pub(super) relations: OrdMap<RelationId, Kept<Relation>>,
    pub(super) relation_names: OrdMap<QualifiedName, RelationId>,
    /// Some relation was made in the session's own schema, where names are looked up first.
    pub(super) any_temporary: bool,
    pub(super) constraints: OrdMap<ConstraintId, Kept<Constraint>>,
    pub(super) triggers: OrdMap<TriggerId, Kept<Trigger>>,
    pub(super) functions: OrdMap<FunctionId, Kept<Function>>,
    /// Overloads share a name.
    pub(super) function_names: OrdMap<QualifiedName, Vec<FunctionId>>,
    pub(super) types: OrdMap<TypeId, Kept<Type>>,
    pub(super) type_names: OrdMap<QualifiedName, TypeId>,
    pub(super) extensions: OrdMap<Ident, Existence>,
    /// What this history dropped or renamed away: why a name is missing.
    pub(super) gone: OrdMap<QualifiedName, Gone>,
    pub(super) gone_parts: OrdMap<(RelationId, Part, Ident), Gone>,
    pub(super) gone_functions: OrdMap<QualifiedName, Gone>,
    pub(super) gone_types: OrdMap<QualifiedName, Gone>,
    pub(super) gone_schemas: OrdMap<Ident, Gone>,
    /// How many constraints of a schema share a name: PostgreSQL looks there when it makes one.
    pub(super) constraint_names: OrdMap<QualifiedName, u32>,
    /// Extended statistics, each with its table.
    pub(super) statistics: OrdMap<QualifiedName, RelationId>,
}

/// What a table is made of, and what can go away without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Column,
    Constraint,
    /// The row of a NOT NULL: a constraint to the majors that have such rows.
    NotNull,
    Trigger,
    Policy,
    Rule,
}

impl Part {
    /// What a constraint is among the parts of its table.
    pub(super) fn of(row: &Constraint) -> Part {
        match row.kind {
            ConstraintRow::NotNull => Part::NotNull,
            _ => Part::Constraint,
        }
    }
}

/// Why an object is believed to exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Existence {
    /// Named by the history, made before it (or by what could not be read).
    Assumed {
        first_named: Origin,
    },
    Created {
        by: Origin,
    },
    /// Made, changed or dropped where it cannot be known whether the statement runs.
    Maybe {
        by: Origin,
    },
}

impl Existence {
    pub fn origin(&self) -> &Origin {
        match self {
            Existence::Assumed { first_named: origin }
            | Existence::Created { by: origin }
            | Existence::Maybe { by: origin } => origin,
        }
    }

    pub fn is_certain(&self) -> bool {
        !matches!(self, Existence::Maybe { .. })
    }
}

/// The end of a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Gone {
    pub by: Origin,
    /// The new name, where it was renamed or moved rather than dropped.
    pub now: Option<QualifiedName>,
}

/// One entry of `pg_class`.
#[derive(Debug, Clone)]
pub struct Relation {
    pub id: RelationId,
    pub name: QualifiedName,
    pub existence: Existence,
    pub kind: RelationKind,
}

#[derive(Debug, Clone)]
pub enum RelationKind {
    Table(Table),
    Index(Index),
    Sequence(Sequence),
    View(View),
    /// A composite type's row, an assumed object of unknown kind.
    Other,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub kind: TableKind,
    pub persistence: Persistence,
    /// In order of their numbers; dropped ones are gone.
    pub columns: Vec<Column>,
    pub next_column: u16,
    /// False where the table is assumed, or made from a query that was not understood: more columns may exist.
    pub columns_known: bool,
    pub partition_of: Option<Partition>,
    pub partition_by: Option<PartitionKey>,
    /// Parents by INHERITS (not partitioning).
    pub inherits: Vec<RelationId>,
    /// ON COMMIT DROP.
    pub drops_on_commit: bool,
    pub row_security: bool,
    pub row_security_forced: bool,
    pub replica_identity_full: bool,

    // Reverse indexes.
    pub constraints: Vec<ConstraintId>,
    /// The rows of its NOT NULL, where some of the majors have them.
    pub(super) not_null: Vec<ConstraintId>,
    pub indexes: Vec<RelationId>,
    pub triggers: Vec<TriggerId>,
    /// Partitions, or children by INHERITS.
    pub children: Vec<RelationId>,
    /// Foreign keys of any table that reference this one.
    pub referenced_by: Vec<ConstraintId>,
    /// Views, materialized views and rules that read it.
    pub views: Vec<RelationId>,
    pub policies: Vec<PolicyRow>,
    pub rules: Vec<RuleRow>,
    /// Rows that PostgreSQL keeps for the partitions of a table referenced from here, and for this
    /// partition of a referenced table: [`ForeignRow::referenced_side`].
    pub(super) derived: Vec<ConstraintId>,
    pub(super) derived_by: Vec<ConstraintId>,
}

/// A row security policy.
#[derive(Debug, Clone)]
pub struct PolicyRow {
    pub name: Ident,
    pub using: Option<Expression>,
    pub check: Option<Expression>,
}

/// A rewrite rule other than a view's own.
#[derive(Debug, Clone)]
pub struct RuleRow {
    pub name: Ident,
    pub event: crate::operation::RuleEvent,
    pub instead: bool,
    pub condition: Option<Expression>,
    pub commands: Arc<[crate::operation::Statement]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    Plain,
    Partitioned,
    Foreign,
}

/// A table's place in its partitioned parent.
#[derive(Debug, Clone)]
pub struct Partition {
    pub parent: RelationId,
    pub bound: Bound,
    /// DETACH CONCURRENTLY was begun and not finished.
    pub detach_pending: bool,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub id: ColumnId,
    pub name: Ident,
    pub existence: Existence,
    /// `None` for a column of an assumed table that was only named.
    pub data_type: Option<TypeName>,
    pub collation: Option<Name>,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub identity: Option<IdentityKind>,
    pub generated: Option<GeneratedColumn>,
    /// The sequence owned by this column (serial, identity, OWNED BY).
    pub sequence: Option<RelationId>,
    /// Further ones that ALTER SEQUENCE … OWNED BY gave it.
    pub more_sequences: Vec<RelationId>,
    /// Defined on this table itself, and how many parents give it.
    pub local: bool,
    pub inherited: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityKind {
    Always,
    ByDefault,
}

#[derive(Debug, Clone)]
pub struct GeneratedColumn {
    pub expression: Expression,
    pub stored: bool,
}

/// One row of `pg_constraint`. NOT NULL has rows from PostgreSQL 18 on; before, only [`Column::not_null`]: where a schema
/// stands for both, they are kept and not shown.
#[derive(Debug, Clone)]
pub struct Constraint {
    pub id: ConstraintId,
    pub name: Ident,
    pub table: RelationId,
    pub existence: Existence,
    /// Who validated it, where that was later.
    pub validated_by: Option<Origin>,
    pub kind: ConstraintRow,
    /// Key columns; for CHECK those the expression names.
    pub columns: Vec<ColumnId>,
    pub validated: bool,
    pub enforced: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub no_inherit: bool,
    /// `conislocal`: defined on this table itself.
    pub local: bool,
    /// `coninhcount`.
    pub inherited: u16,
    /// `conparentid`: the parent's key this one is part of. A key without parent that stands on a partition
    /// is *standalone*: dropping the parent's leaves it.
    pub parent: Option<ConstraintId>,
    /// The constraints whose parent this one is.
    pub(super) children: Vec<ConstraintId>,
}

#[derive(Debug, Clone)]
pub enum ConstraintRow {
    Check { expression: Expression },
    NotNull,
    Primary { index: RelationId },
    Unique { index: RelationId },
    Exclude { index: RelationId },
    Foreign(Box<ForeignRow>),
}

#[derive(Debug, Clone)]
pub struct ForeignRow {
    pub references: RelationId,
    /// Columns of the referenced table; empty where that table's columns are not known.
    pub referenced_columns: Vec<ColumnId>,
    pub on_delete: Action,
    pub on_update: Action,
    pub on_delete_columns: Vec<ColumnId>,
    pub match_full: bool,
    /// PostgreSQL keeps a row per partition of a partitioned referenced table; those are not shown.
    pub referenced_side: bool,
    /// The unique index of the referenced table that the key relies on.
    pub index: Option<RelationId>,
}

#[derive(Debug, Clone)]
pub struct Index {
    pub table: RelationId,
    pub parts: Vec<IndexColumn>,
    pub include: Vec<ColumnId>,
    pub unique: bool,
    pub primary: bool,
    pub exclusion: bool,
    pub nulls_not_distinct: bool,
    pub method: Ident,
    pub filter: Option<Expression>,
    pub valid: bool,
    pub ready: bool,
    /// The index of the partitioned parent that this one is attached to.
    pub parent: Option<RelationId>,
    pub children: Vec<RelationId>,
    /// The constraint it belongs to.
    pub constraint: Option<ConstraintId>,
    pub clustered: bool,
    pub replica_identity: bool,
    /// The index's own column names: a rename in the table leaves them, and copies are named after them.
    pub(super) names: Vec<Ident>,
}

#[derive(Debug, Clone)]
pub struct IndexColumn {
    pub key: IndexKey,
    /// Of an exclusion constraint: what two rows must not both answer.
    pub operator: Option<Arc<str>>,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug, Clone)]
pub enum IndexKey {
    Column(ColumnId),
    Expression(Expression),
}

#[derive(Debug, Clone)]
pub struct Sequence {
    pub data_type: TypeName,
    pub owned_by: Option<(RelationId, ColumnId)>,
    /// Made for an identity column: cannot be dropped alone.
    pub internal: bool,
    pub persistence: Persistence,
}

#[derive(Debug, Clone)]
pub struct View {
    pub materialized: bool,
    /// Result columns where they are known.
    pub columns: Vec<Ident>,
    pub columns_known: bool,
    /// Their types, in the same order; `None` where one cannot be told.
    pub column_types: Vec<Option<TypeName>>,
    pub text: Arc<str>,
    /// The relations read, resolved, each with the columns used (empty: not known, or all).
    pub reads: Vec<(RelationId, Vec<ColumnId>)>,
    pub populated: bool,
    /// What it reads was renamed since: its text calls it as it was called.
    pub is_older_than_names: bool,
    pub query: Arc<crate::operation::Query>,
    pub indexes: Vec<RelationId>,
    pub views: Vec<RelationId>,
    pub triggers: Vec<TriggerId>,
}

#[derive(Debug, Clone)]
pub struct Trigger {
    pub id: TriggerId,
    pub name: Ident,
    pub table: RelationId,
    pub existence: Existence,
    pub timing: TriggerTiming,
    pub events: TriggerEvents,
    /// `UPDATE OF`, by number.
    pub update_columns: Vec<ColumnId>,
    pub for_each_row: bool,
    pub when: Option<Expression>,
    /// The function as it was found; `None` where it was never seen.
    pub function: Option<FunctionId>,
    pub function_name: QualifiedName,
    pub arguments: Vec<Arc<str>>,
    pub old_table: Option<Ident>,
    pub new_table: Option<Ident>,
    pub constraint: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub enabled: TriggerState,
    /// The partitioned parent's trigger this one is a clone of.
    pub parent: Option<TriggerId>,
    /// Its clones.
    pub(super) children: Vec<TriggerId>,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub id: FunctionId,
    pub name: QualifiedName,
    pub existence: Existence,
    pub kind: RoutineKind,
    pub arguments: Vec<Argument>,
    pub returns: Arc<str>,
    pub language: Ident,
    pub body: Body,
    pub security_definer: bool,
    pub search_path: Option<Vec<Ident>>,
    pub volatility: Volatility,
    pub triggers: Vec<TriggerId>,
}

impl Function {
    /// The types of its arguments and its result that are not built in, by the names it has for them.
    pub fn named_types(&self) -> Vec<Name> {
        let result = self.returns.trim_end_matches("[]");
        let set = result.split_once(' ').filter(|(word, _)| word.eq_ignore_ascii_case("setof"));
        let result = set.map_or(result, |(_, name)| name.trim());
        let mut parts: Vec<Ident> = result.split('.').map(|part| Ident::new(part.trim_matches('"'))).collect();
        let name = parts.pop().map(|name| Name { schema: parts.pop(), name });
        let arguments = self.arguments.iter().map(|argument| &argument.data_type).filter(|one| !one.built_in);
        arguments.map(|one| one.name.clone()).chain(name).collect()
    }
}

#[derive(Debug, Clone)]
pub struct Type {
    pub id: TypeId,
    pub name: QualifiedName,
    pub existence: Existence,
    pub kind: TypeKind,
}

#[derive(Debug, Clone)]
pub enum TypeKind {
    Enum {
        labels: Vec<Label>,
    },
    Composite {
        attributes: Vec<(Ident, TypeName)>,
    },
    Domain(Domain),
    Range,
    Base,
    /// Assumed: only its name is known.
    Unknown,
}

/// A label of an enum and who added it.
#[derive(Debug, Clone)]
pub struct Label {
    pub text: Arc<str>,
    pub by: Origin,
}

#[derive(Debug, Clone)]
pub struct Domain {
    pub data_type: TypeName,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub checks: Vec<DomainCheck>,
}

#[derive(Debug, Clone)]
pub struct DomainCheck {
    pub name: Ident,
    pub check: Expression,
    pub validated: bool,
}

/// How a statement ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// With the notices that matter (`… does not exist, skipping`).
    Done { notices: Vec<Notice> },
    /// Refused: the schema is as before.
    Failed(Failure),
}

impl Applied {
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Applied::Failed(failure) => Some(failure),
            Applied::Done { .. } => None,
        }
    }
}

/// `NOTICE: … skipping`: IF [NOT] EXISTS did nothing for this object.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub object: String,
    pub text: String,
}

/// What PostgreSQL answers, with its SQLSTATE and its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub state: &'static str,
    pub message: String,
    /// The object the message is about.
    pub object: String,
    pub kind: FailureKind,
    /// The earlier step that makes it so: who created, dropped or renamed the object.
    pub because: Option<Origin>,
    /// False where a Maybe is involved.
    pub certain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    Missing,
    Duplicate,
    /// A foreign key to columns that no unique key guards.
    NotUnique,
    /// A unique key of a partitioned table without its partition key.
    WithoutPartitionKey,
    /// A part that a partition or child has from its parent: it changes there alone.
    Inherited,
    /// An index that a constraint stands on.
    BehindConstraint,
    /// A drop without CASCADE of what others need.
    DependedOn,
    /// A type to which values must be taken by USING.
    NoCast,
    /// Anything else that PostgreSQL refuses.
    Refused,
}

impl fmt::Display for RelationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.0)
    }
}

/// A key part with its column resolved.
pub fn key_columns(parts: &[KeyPart]) -> impl Iterator<Item = &Ident> {
    parts.iter().filter_map(|part| match part {
        KeyPart::Column(name) => Some(name),
        KeyPart::Expression(_) => None,
    })
}
