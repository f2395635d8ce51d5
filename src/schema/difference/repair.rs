//! Statements that bring one schema to another, with what must hold for each to be right.

use crate::operation::{Ident, QualifiedName, quoted};

/// One statement, without its semicolon.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    pub stage: Stage,
    /// Within the stage: smaller ones first.
    pub place: u32,
    pub sql: String,
    /// All must hold in the catalog, else the statement has nothing to do.
    pub guards: Vec<Guard>,
    /// Refused inside a transaction, and so inside a DO block.
    pub alone: bool,
    /// What is lost with it.
    pub loses: Option<Loss>,
    pub unused: Unused,
    /// What a reader is told in its place: it cannot run as it stands, or does not what it seems to.
    pub words: Option<String>,
}

/// The statement on a table that nobody can have written to.
#[derive(Debug, Clone, PartialEq)]
pub enum Unused {
    Same,
    /// Without the care for rows and for those who use it.
    Plain(String),
    Needless,
}

/// When a statement runs: each stage makes room for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    FinishDetach,
    DropTrigger,
    /// It takes or returns rows of something that may go.
    DropReader,
    DropView,
    DropForeignKey,
    DropConstraint,
    DropIndex,
    /// A function that comes again with another result.
    DropReplaced,
    Detach,
    /// What a partition had from its parent and keeps.
    DropKept,
    /// What is in the way of a rename.
    MoveAway,
    Rename,
    DropTable,
    DropColumn,
    CreateSchema,
    CreateType,
    CreateSequence,
    CreateRoutine,
    CreateTable,
    AddColumn,
    AlterColumn,
    Attach,
    /// An index that cannot be used stands in the way of the one that is wanted.
    ClearIndex,
    CreateIndex,
    AddKey,
    AttachIndex,
    AddForeignKey,
    Validate,
    /// Once no key asks for it any more.
    DropNotNull,
    CreateView,
    /// It takes or returns rows of something that is made above.
    CreateReader,
    CreateTrigger,
    AlterTable,
    /// Once nothing calls it, takes values of it or is made of it any more. An aggregate before its functions.
    DropAggregate,
    DropRoutine,
    DropSequence,
    DropType,
    DropSchema,
}

/// A condition on the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    Relation { name: QualifiedName, exists: bool },
    Column { table: QualifiedName, column: Ident, exists: bool },
    Constraint { table: QualifiedName, name: Ident, exists: bool },
    Validated { table: QualifiedName, name: Ident, is: bool },
    Trigger { table: QualifiedName, name: Ident, exists: bool },
    InvalidIndex { name: QualifiedName },
    AttachedIndex { name: QualifiedName, is: bool },
    Partition { table: QualifiedName, is: bool },
    DetachPending { table: QualifiedName },
}

/// What goes for good, and when nothing does.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// A table's rows: none where it is empty.
    Rows(QualifiedName),
    /// A column's values: none where all are as the default made them.
    Values { table: QualifiedName, column: Ident, default: Option<String> },
    /// Values may not fit, and nothing cheap tells.
    Precision,
    /// It cannot be told from the catalog whether this is needed: swapped names look the same on both sides.
    Unclear,
}

impl Repair {
    pub fn new(stage: Stage, sql: impl Into<String>) -> Repair {
        Repair {
            stage,
            place: 0,
            sql: sql.into(),
            guards: Vec::new(),
            alone: false,
            loses: None,
            unused: Unused::Same,
            words: None,
        }
    }

    #[must_use]
    pub fn at(mut self, place: u32) -> Repair {
        self.place = place;
        self
    }

    #[must_use]
    pub fn when(mut self, guard: Guard) -> Repair {
        self.guards.push(guard);
        self
    }

    #[must_use]
    pub fn alone(mut self) -> Repair {
        self.alone = true;
        self
    }

    #[must_use]
    pub fn loses(mut self, loss: Loss) -> Repair {
        self.loses = Some(loss);
        self
    }

    #[must_use]
    pub fn unused(mut self, unused: Unused) -> Repair {
        self.unused = unused;
        self
    }

    /// A view that was dropped has lost what was granted on it, and its comments.
    pub fn makes_view(&self) -> bool {
        ["CREATE VIEW ", "CREATE MATERIALIZED VIEW "].iter().any(|words| self.sql.starts_with(words))
    }

    #[must_use]
    pub fn told(mut self, words: impl Into<String>) -> Repair {
        self.words = Some(words.into());
        self
    }
}

impl Guard {
    pub fn relation(name: &QualifiedName, exists: bool) -> Guard {
        Guard::Relation { name: name.clone(), exists }
    }

    pub fn column(table: &QualifiedName, column: &Ident, exists: bool) -> Guard {
        Guard::Column { table: table.clone(), column: column.clone(), exists }
    }

    pub fn constraint(table: &QualifiedName, name: &Ident, exists: bool) -> Guard {
        Guard::Constraint { table: table.clone(), name: name.clone(), exists }
    }

    /// The condition in SQL.
    pub fn condition(&self) -> String {
        let not = |is: bool| if is { "" } else { "NOT " };
        match self {
            Guard::Relation { name, exists } => {
                format!("{} IS {}NULL", regclass(name), if *exists { "NOT " } else { "" })
            }
            Guard::Column { table, column, exists } => format!(
                "{}EXISTS (SELECT FROM pg_attribute WHERE attrelid = {} AND attname = {} AND NOT attisdropped)",
                not(*exists),
                regclass(table),
                quoted(column.as_str())
            ),
            Guard::Constraint { table, name, exists } => format!(
                "{}EXISTS (SELECT FROM pg_constraint WHERE conrelid = {} AND conname = {})",
                not(*exists),
                regclass(table),
                quoted(name.as_str())
            ),
            Guard::Validated { table, name, is } => format!(
                "EXISTS (SELECT FROM pg_constraint WHERE conrelid = {} AND conname = {} AND {}convalidated)",
                regclass(table),
                quoted(name.as_str()),
                not(*is)
            ),
            Guard::Trigger { table, name, exists } => format!(
                "{}EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {} AND tgname = {})",
                not(*exists),
                regclass(table),
                quoted(name.as_str())
            ),
            Guard::InvalidIndex { name } => {
                format!("EXISTS (SELECT FROM pg_index WHERE indexrelid = {} AND NOT indisvalid)", regclass(name))
            }
            Guard::AttachedIndex { name, is } => {
                format!("{}EXISTS (SELECT FROM pg_inherits WHERE inhrelid = {})", not(*is), regclass(name))
            }
            Guard::Partition { table, is } => {
                format!("EXISTS (SELECT FROM pg_class WHERE oid = {} AND {}relispartition)", regclass(table), not(*is))
            }
            Guard::DetachPending { table } => {
                format!("EXISTS (SELECT FROM pg_inherits WHERE inhrelid = {} AND inhdetachpending)", regclass(table))
            }
        }
    }
}

fn regclass(name: &QualifiedName) -> String {
    format!("to_regclass({})", quoted(&name.to_string()))
}
