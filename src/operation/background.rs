//! Work that a migration only queues: batched background migrations, indexes built and constraints validated later.

use std::sync::Arc;

use super::{Ident, Name, Operation, Statement, Write};

/// A step of the life of queued work.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    pub job: Job,
    pub action: BackgroundAction,
}

/// What tells one queued job from another: the queue keeps a second one under the same key out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The class or the kind of work, without the modules around it.
    pub class: Arc<str>,
    pub table: Option<Name>,
    /// The column by which it cuts its batches.
    pub column: Option<Ident>,
    /// Further arguments, each as text; `None`: not known.
    pub arguments: Option<Vec<Arc<str>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BackgroundAction {
    /// It runs from now on beside whatever comes; when it is through is not known.
    Queue {
        /// What it does, batch by batch; `None`: not known.
        does: Option<Arc<[Statement]>>,
    },
    /// Runs what is left of it and goes on when it is through.
    Finish,
    /// Takes it out of the queue, whatever is left.
    Delete,
}

impl Background {
    /// What queued work does, where it is known.
    pub fn does(&self) -> &[Statement] {
        match &self.action {
            BackgroundAction::Queue { does: Some(does) } => does,
            BackgroundAction::Queue { does: None } | BackgroundAction::Finish | BackgroundAction::Delete => &[],
        }
    }
}

impl Job {
    /// The same key; what is not known of either is taken to agree.
    pub fn is_same(&self, other: &Job) -> bool {
        let arguments = match (&self.arguments, &other.arguments) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.class == other.class && same_table(&self.table, &other.table) && self.column == other.column && arguments
    }

    /// `Backfill` of `table` by `id`, as messages name it.
    pub fn describe(&self) -> String {
        match &self.table {
            Some(table) => format!("`{}` of `{table}`", self.class),
            None => format!("`{}`", self.class),
        }
    }
}

fn same_table(one: &Option<Name>, other: &Option<Name>) -> bool {
    match (one, other) {
        // Without a schema it is where the project's tables are.
        (Some(one), Some(other)) => {
            let schema = |name: &Name| name.schema.clone().filter(|schema| *schema != "public");
            one.name == other.name && schema(one) == schema(other)
        }
        (None, None) => true,
        _ => false,
    }
}

/// The writes among statements, those inside WITH included.
pub fn writes_of(statements: &[Statement]) -> impl Iterator<Item = &Write> {
    statements.iter().flat_map(|statement| match &statement.operation {
        Operation::Write(write) => write.all(),
        Operation::Query(query) => query.writes().into_iter().flat_map(|write| write.all()).collect(),
        _ => Vec::new(),
    })
}
