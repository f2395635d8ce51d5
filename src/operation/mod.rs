//! What a migration does, in neutral terms. One SQL statement or one migration call is one
//! [`Operation`]; nothing here knows a parser, a version of PostgreSQL or an opinion.

mod background;
mod expression;
mod name;
mod print;
mod question;
mod ruby;
mod ruby_walk;
mod script;
mod types;
mod word;

pub use background::*;
pub use expression::*;
pub use name::*;
pub use print::quoted;
pub use question::*;
pub use ruby::*;
pub use ruby_walk::walk;
pub use script::*;
pub use types::*;

use std::sync::Arc;

use crate::source::Span;

/// One statement. Names are as written: `schema` resolves them when it applies the operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    CreateTable(Box<CreateTable>),
    CreateTableAs(Box<CreateTableAs>),
    AlterTable(Box<AlterTable>),
    /// RENAME of whole objects and of columns, constraints, labels (ALTER … RENAME).
    Rename(Box<Rename>),
    SetSchema(SetSchema),
    Drop(Drop),
    CreateIndex(Box<CreateIndex>),
    AlterIndex(AlterIndex),
    Reindex(Reindex),
    CreateView(Box<CreateView>),
    RefreshView(RefreshView),
    CreateSequence(Box<CreateSequence>),
    AlterSequence(Box<AlterSequence>),
    CreateType(Box<CreateType>),
    AlterType(Box<AlterType>),
    CreateDomain(Box<CreateDomain>),
    AlterDomain(Box<AlterDomain>),
    CreateFunction(Box<CreateFunction>),
    CreateTrigger(Box<CreateTrigger>),
    CreateRule(Box<CreateRule>),
    CreatePolicy(Policy),
    AlterPolicy(Policy),
    CreateSchema(CreateSchema),
    CreateExtension(CreateExtension),
    CreateStatistics(CreateStatistics),
    Publication(Publication),
    Comment(CommentOn),
    Grant(Grant),
    Truncate(Truncate),
    Lock(LockTable),
    Cluster(Cluster),
    Vacuum(Vacuum),
    Analyze(Analyze),
    Write(Box<Write>),
    Query(Box<Query>),
    Call {
        function: Name,
        arguments: Vec<Expr>,
    },
    Set(Set),
    SetConstraints {
        names: Vec<Name>,
        deferred: bool,
    },
    Transaction(Transaction),
    Do(Box<DoBlock>),
    /// Work that is queued, finished or taken out of the queue: no statement of its own.
    Background(Box<Background>),
    /// Understood to the point that it touches no relation and takes no lock worth a word.
    Opaque(Opaque),
    Unread(Unread),
}

/// What cannot be read, with what it may touch.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    pub reason: Arc<str>,
    /// Relations that may be touched; where `everything` is set, any may be.
    pub touches: Vec<Name>,
    pub everything: bool,
    /// It may write rows, and makes and takes away no object.
    pub rows_only: bool,
}

/// A statement without effect on relations, by its leading words (`CREATE ROLE`).
#[derive(Debug, Clone, PartialEq)]
pub struct Opaque {
    pub what: Arc<str>,
    /// Refused inside a transaction block (CREATE DATABASE, ALTER SYSTEM …).
    pub outside_transaction: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub kind: TableForm,
    pub columns: Vec<ColumnDefinition>,
    /// Table constraints as written, inline ones stay with their column.
    pub constraints: Vec<ConstraintDefinition>,
    pub likes: Vec<Like>,
    pub inherits: Vec<Name>,
    pub partition_of: Option<PartitionOf>,
    pub partition_by: Option<PartitionKey>,
    pub options: Vec<Parameter>,
    pub tablespace: Option<Ident>,
    pub access_method: Option<Ident>,
    pub on_commit: Option<OnCommit>,
    /// `OF type`.
    pub of_type: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    Table,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    Permanent,
    Unlogged,
    Temporary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// `name = value` of WITH (…), SET (…); the value as written, without quotes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: Arc<str>,
    pub value: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOf {
    pub parent: Name,
    pub bound: Bound,
}

/// The bound of a partition; values as expressions, MINVALUE and MAXVALUE as [`BoundValue`]s.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    List(Vec<Expression>),
    Range { from: Vec<BoundValue>, to: Vec<BoundValue> },
    Hash { modulus: u32, remainder: u32 },
    Default,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BoundValue {
    Minimum,
    Maximum,
    Value(Expression),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionKey {
    pub strategy: PartitionStrategy,
    pub parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

/// A column or an expression in a key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyPart {
    Column(Ident),
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Like {
    pub table: Name,
    pub including: Vec<LikePart>,
}

/// What LIKE copies besides names, types and NOT NULL. ALL is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LikePart {
    Comments,
    Compression,
    Constraints,
    Defaults,
    Generated,
    Identity,
    Indexes,
    Statistics,
    Storage,
}

impl LikePart {
    pub const ALL: [LikePart; 9] = [
        LikePart::Comments,
        LikePart::Compression,
        LikePart::Constraints,
        LikePart::Defaults,
        LikePart::Generated,
        LikePart::Identity,
        LikePart::Indexes,
        LikePart::Statistics,
        LikePart::Storage,
    ];
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    pub name: Ident,
    /// `None` in `PARTITION OF` and `OF type`, where the column exists already.
    pub data_type: Option<TypeName>,
    /// smallserial, serial, bigserial: the type is then the integer.
    pub serial: bool,
    pub collation: Option<Name>,
    /// NOT NULL, NULL, DEFAULT and the like are told apart here; keyed constraints below.
    pub not_null: Option<NotNull>,
    pub default: Option<Expression>,
    pub identity: Option<Identity>,
    pub generated: Option<Generated>,
    /// Inline CHECK, UNIQUE, PRIMARY KEY, REFERENCES; their column is this one.
    pub constraints: Vec<ConstraintDefinition>,
    pub storage: Option<Ident>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NotNull {
    pub name: Option<Ident>,
    pub no_inherit: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// GENERATED ALWAYS rather than BY DEFAULT.
    pub always: bool,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    pub expression: Expression,
    pub stored: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintDefinition {
    pub name: Option<Ident>,
    pub kind: ConstraintKind,
    /// NOT VALID.
    pub not_valid: bool,
    /// NOT ENFORCED (PostgreSQL 18).
    pub not_enforced: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub no_inherit: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    Check(Expression),
    /// As a table constraint (PostgreSQL 18).
    NotNull(Ident),
    Unique(Key),
    Primary(Key),
    Exclude {
        method: Option<Ident>,
        elements: Vec<ExcludeElement>,
        filter: Option<Expression>,
        options: Vec<Parameter>,
    },
    Foreign(ForeignKey),
}

/// The columns of PRIMARY KEY or UNIQUE, or the index it takes over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Key {
    pub columns: Vec<Ident>,
    pub include: Vec<Ident>,
    pub using_index: Option<Ident>,
    pub nulls_not_distinct: bool,
    /// The last column is WITHOUT OVERLAPS.
    pub without_overlaps: bool,
    pub options: Vec<Parameter>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExcludeElement {
    pub part: KeyPart,
    pub operator: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// Empty for an inline REFERENCES: the column it stands at.
    pub columns: Vec<Ident>,
    pub references: Name,
    /// Empty: the primary key.
    pub referenced_columns: Vec<Ident>,
    pub on_delete: Action,
    /// `ON DELETE SET NULL (columns)`.
    pub on_delete_columns: Vec<Ident>,
    pub on_update: Action,
    pub match_full: bool,
    /// The last column is a PERIOD.
    pub period: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTableAs {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub columns: Vec<Ident>,
    pub query: Query,
    pub with_data: bool,
    pub on_commit: Option<OnCommit>,
}

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

/// Kinds of objects that DROP, RENAME, SET SCHEMA, COMMENT and findings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Table,
    ForeignTable,
    View,
    MaterializedView,
    Index,
    Sequence,
    Type,
    Domain,
    Function,
    Procedure,
    Aggregate,
    /// DROP ROUTINE: a function, procedure or aggregate.
    Routine,
    Trigger,
    Rule,
    Policy,
    Schema,
    Extension,
    Statistics,
    Publication,
    Column,
    Constraint,
    /// Kinds that plimsoll does not model (collations, casts, operators, servers …).
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rename {
    /// What is renamed. For columns, constraints, triggers, policies and rules `object` is the table.
    pub kind: ObjectKind,
    pub object: Name,
    pub if_exists: bool,
    pub only: bool,
    /// The column, constraint, trigger, policy, rule, or enum label or attribute that is renamed in `object`.
    pub part: Option<Ident>,
    pub to: Ident,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SetSchema {
    pub kind: ObjectKind,
    pub name: Name,
    pub arguments: Option<Vec<Argument>>,
    pub if_exists: bool,
    pub schema: Ident,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    pub kind: ObjectKind,
    pub targets: Vec<DropTarget>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DropTarget {
    pub name: Name,
    /// For triggers, policies and rules: the table.
    pub on: Option<Name>,
    /// For routines: the argument types, where they were given.
    pub arguments: Option<Vec<Argument>>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// `None`: PostgreSQL chooses the name.
    pub name: Option<Ident>,
    pub table: Name,
    pub only: bool,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    /// Lower case; `btree` where none was written.
    pub method: Ident,
    pub parts: Vec<IndexPart>,
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    pub filter: Option<Expression>,
    pub options: Vec<Parameter>,
    pub tablespace: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IndexPart {
    pub key: KeyPart,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterIndex {
    pub index: Name,
    pub if_exists: bool,
    pub action: IndexAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum IndexAction {
    AttachPartition(Name),
    SetTablespace(Ident),
    SetOptions(Vec<Parameter>),
    ResetOptions(Vec<Parameter>),
    SetStatistics,
    /// DEPENDS ON EXTENSION.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reindex {
    pub target: ReindexTarget,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ReindexTarget {
    Index(Name),
    Table(Name),
    Schema(Ident),
    Database,
    System,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: Name,
    pub materialized: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub columns: Vec<Ident>,
    pub query: Query,
    /// The query's text.
    pub text: Arc<str>,
    /// Materialized: filled at once.
    pub with_data: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RefreshView {
    pub view: Name,
    pub concurrently: bool,
    pub with_data: bool,
}

/// Options of a sequence; what is `None` was not written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SequenceOptions {
    pub data_type: Option<TypeName>,
    pub name: Option<Name>,
    /// RESTART [WITH n], of any form.
    pub restart: bool,
    /// `None`: not written; `Some(None)`: OWNED BY NONE; else table and column.
    pub owned_by: Option<Option<(Name, Ident)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateSequence {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterSequence {
    pub name: Name,
    pub if_exists: bool,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateType {
    pub name: Name,
    pub kind: TypeForm,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeForm {
    Enum {
        labels: Vec<Arc<str>>,
    },
    Composite {
        attributes: Vec<(Ident, TypeName)>,
    },
    Range,
    /// Base and shell types.
    Base,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterType {
    pub name: Name,
    pub action: TypeAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeAction {
    AddValue {
        label: Arc<str>,
        if_not_exists: bool,
        position: Option<ValuePosition>,
    },
    /// Labels are text, not identifiers, hence not [`Rename`].
    RenameValue {
        from: Arc<str>,
        to: Arc<str>,
    },
    AddAttribute {
        name: Ident,
        data_type: TypeName,
    },
    DropAttribute {
        name: Ident,
        if_exists: bool,
    },
    AlterAttribute {
        name: Ident,
        data_type: TypeName,
    },
    Owner(Ident),
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ValuePosition {
    pub before: bool,
    pub label: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateDomain {
    pub name: Name,
    pub data_type: TypeName,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub checks: Vec<(Option<Ident>, Expression)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterDomain {
    pub name: Name,
    pub action: DomainAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DomainAction {
    SetDefault(Expression),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddCheck { name: Option<Ident>, check: Expression, not_valid: bool },
    AddNotNull { name: Option<Ident> },
    ValidateConstraint(Ident),
    DropConstraint { name: Ident, if_exists: bool },
    RenameConstraint { from: Ident, to: Ident },
    Owner(Ident),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateFunction {
    pub name: Name,
    pub kind: RoutineKind,
    pub or_replace: bool,
    pub arguments: Vec<Argument>,
    /// As written and canonical: `trigger`, `TABLE(x integer)`, `SETOF t`; empty for procedures.
    pub returns: Arc<str>,
    /// Lower case.
    pub language: Ident,
    pub body: Body,
    pub security_definer: bool,
    /// `SET search_path = …` on the function; `FROM CURRENT` is the path of that moment.
    pub search_path: Option<Vec<Ident>>,
    pub volatility: Volatility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutineKind {
    Function,
    Procedure,
    Aggregate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    pub mode: ArgumentMode,
    pub name: Option<Ident>,
    pub data_type: TypeName,
    pub has_default: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentMode {
    In,
    Out,
    InOut,
    Variadic,
    /// A column of RETURNS TABLE.
    Table,
}

/// A routine's body, parsed but unresolved: names mean what the schema says when it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub text: Arc<str>,
    pub span: Span,
    pub nodes: Arc<[Node]>,
    /// Variables declared, with their types and starting values.
    pub variables: Arc<[Variable]>,
    /// Why the body, or a part of it, is not understood (another language, broken text).
    pub unread: Arc<[(Span, Arc<str>)]>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: Ident,
    pub data_type: Arc<str>,
    pub value: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTrigger {
    pub name: Ident,
    pub or_replace: bool,
    /// CREATE CONSTRAINT TRIGGER.
    pub constraint: bool,
    pub table: Name,
    /// `FROM table` of a constraint trigger.
    pub from: Option<Name>,
    pub timing: TriggerTiming,
    pub events: TriggerEvents,
    pub for_each_row: bool,
    pub when: Option<Expression>,
    pub function: Name,
    /// String arguments, decoded; numbers and words as written.
    pub arguments: Vec<Arc<str>>,
    /// REFERENCING OLD TABLE / NEW TABLE AS.
    pub old_table: Option<Ident>,
    pub new_table: Option<Ident>,
    pub deferrable: bool,
    pub initially_deferred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerTiming {
    Before,
    After,
    InsteadOf,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TriggerEvents {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    pub truncate: bool,
    /// `UPDATE OF columns`; empty: any column.
    pub update_columns: Vec<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateRule {
    pub name: Ident,
    pub or_replace: bool,
    pub table: Name,
    /// SELECT rules are views.
    pub event: RuleEvent,
    pub instead: bool,
    pub condition: Option<Expression>,
    pub commands: Vec<Statement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEvent {
    Select,
    Insert,
    Update,
    Delete,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub name: Ident,
    pub table: Name,
    pub using: Option<Expression>,
    pub check: Option<Expression>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateSchema {
    pub name: Ident,
    pub if_not_exists: bool,
    /// Statements written inside CREATE SCHEMA.
    pub elements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateExtension {
    pub name: Ident,
    pub if_not_exists: bool,
    pub schema: Option<Ident>,
    pub cascade: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateStatistics {
    pub name: Option<Name>,
    pub if_not_exists: bool,
    pub table: Name,
}

/// CREATE or ALTER PUBLICATION: the tables named.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub name: Ident,
    pub create: bool,
    pub tables: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CommentOn {
    pub kind: ObjectKind,
    /// The object; for columns, constraints, triggers and the like the table.
    pub object: Name,
    pub part: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub revoke: bool,
    /// Relations named; empty for other objects and ALL TABLES IN SCHEMA.
    pub tables: Vec<Name>,
    /// Roles; `public` is every role.
    pub to: Vec<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    pub tables: Vec<TableRef>,
    pub cascade: bool,
    pub restart_identity: bool,
}

/// A table in a list, with ONLY.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    pub name: Name,
    pub only: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LockTable {
    pub tables: Vec<TableRef>,
    pub mode: LockMode,
    pub nowait: bool,
}

/// Table lock modes, weakest first (manual, "Explicit Locking").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// CLUSTER; without a table: all clustered ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub table: Option<Name>,
    pub index: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Vacuum {
    pub full: bool,
    /// Empty: the whole database.
    pub tables: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Analyze {
    pub tables: Vec<Name>,
}

/// SET, RESET, set_config().
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub scope: SetScope,
    /// Lower case; `all` for RESET ALL.
    pub name: Arc<str>,
    /// Values without quotes; `None`: DEFAULT or RESET.
    pub values: Option<Vec<Arc<str>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetScope {
    Session,
    /// SET LOCAL: until the transaction ends.
    Local,
    /// ALTER DATABASE or ALTER ROLE … SET: for later sessions.
    Later,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Transaction {
    Begin,
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    Savepoint(Ident),
    Release(Ident),
    RollbackTo(Ident),
    /// SET TRANSACTION, PREPARE TRANSACTION and the like.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DoBlock {
    /// Lower case.
    pub language: Ident,
    pub body: Body,
}
