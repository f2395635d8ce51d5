//! The one transition: an operation turns a schema into the next one, or fails as PostgreSQL would.
//! Rows are not its concern: what only data can refuse passes here.

mod alter;
mod assume;
mod column;
mod constraint;
mod depend;
mod drop;
mod foreign_key;
mod identity;
mod index;
mod index_tree;
mod inherit;
mod key;
mod names;
mod not_null;
mod not_null_rows;
mod operator_class;
mod partition;
mod rebuild;
mod rename;
mod residue;
mod resolve;
mod routine;
mod sequence;
mod store;
mod table;
mod temporary;
#[cfg(test)]
mod tests;
mod trigger;
mod types;
mod view;
mod write;

pub use residue::Phase;

use super::{Applied, Existence, Failure, FailureKind, Notice, Schema};
use crate::operation::{Ident, Operation, Origin, Set, SetScope};
use crate::version::Major;

impl Schema {
    /// Applies one statement, whole or not at all.
    pub fn apply(&mut self, operation: &Operation, at: &Origin) -> Applied {
        let (after, applied) = self.after(operation, at);
        if let Some(after) = after {
            *self = after;
        }
        applied
    }

    /// The schema after one statement; `None` where that fails.
    pub fn after(&self, operation: &Operation, at: &Origin) -> (Option<Schema>, Applied) {
        let mut after = self.clone();
        let mut change = Change::new(&mut after, at);
        match change.run(operation) {
            Ok(()) => {
                let applied = Applied::Done { notices: change.notices };
                (Some(after), applied)
            }
            Err(mut failure) => {
                failure.certain &= change.certain && !change.may_be_unseen(&failure);
                (None, Applied::Failed(*failure))
            }
        }
    }
}

type Outcome<T = ()> = Result<T, Box<Failure>>;

/// One statement on its way.
struct Change<'a> {
    schema: &'a mut Schema,
    at: &'a Origin,
    notices: Vec<Notice>,
    /// Nothing that may or may not exist was met.
    certain: bool,
    /// Parts on partitions are made anew: none that is there is taken over.
    rebuilding: bool,
}

impl<'a> Change<'a> {
    fn new(schema: &'a mut Schema, at: &'a Origin) -> Change<'a> {
        Change { schema, at, notices: Vec::new(), certain: true, rebuilding: false }
    }
}

impl Change<'_> {
    /// What is missing may have been made by a statement or file that was not read; not so what a statement that
    /// was read has ended.
    fn may_be_unseen(&self, failure: &Failure) -> bool {
        self.schema.unread
            && failure.kind == FailureKind::Missing
            && failure.because.is_none()
            && !self.is_of_known_table(failure)
    }

    /// A column is missing of a table whose columns are all known, and nothing was left unread since it was made.
    fn is_of_known_table(&self, failure: &Failure) -> bool {
        let Some((owner, _)) = failure.object.rsplit_once('.').filter(|_| failure.state == "42703") else {
            return false;
        };
        let owner = self.schema.relations().find(|one| one.name.prints_as(owner));
        owner.is_some_and(|owner| {
            let is_whole = owner.as_table().is_some_and(|table| table.columns_known);
            let is_later = owner.id.0 >= self.schema.unread_until;
            is_whole && is_later && matches!(owner.existence, Existence::Created { .. })
        })
    }

    fn since(&self, major: u8) -> bool {
        self.schema.majors.since(Major(major))
    }

    /// Each NOT NULL has a row that all can see.
    fn has_not_null_rows(&self) -> bool {
        self.schema.majors.has_not_null_rows()
    }

    /// Each NOT NULL has a row, seen or not.
    fn keeps_not_null_rows(&self) -> bool {
        self.schema.majors.keeps_not_null_rows()
    }

    fn notice(&mut self, object: impl Into<String>, text: impl Into<String>) {
        self.notices.push(Notice { object: object.into(), text: text.into() });
    }

    fn run(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::CreateTable(create) => self.create_table(create),
            Operation::CreateTableAs(create) => self.create_table_as(create),
            Operation::AlterTable(alter) => self.alter_table(alter),
            Operation::Rename(rename) => self.rename(rename),
            Operation::SetSchema(set) => self.set_schema(set),
            Operation::Drop(drop) => self.drop_objects(drop),
            Operation::CreateIndex(create) => self.create_index(create),
            Operation::AlterIndex(alter) => self.alter_index(alter),
            Operation::Reindex(reindex) => self.reindex(reindex),
            Operation::CreateView(create) => self.create_view(create),
            Operation::RefreshView(refresh) => self.refresh_view(refresh),
            Operation::CreateSequence(create) => self.create_sequence(create),
            Operation::AlterSequence(alter) => self.alter_sequence(alter),
            Operation::CreateType(create) => self.create_type(create),
            Operation::AlterType(alter) => self.alter_type(alter),
            Operation::CreateDomain(create) => self.create_domain(create),
            Operation::AlterDomain(alter) => self.alter_domain(alter),
            Operation::CreateFunction(create) => self.create_function(create),
            Operation::CreateTrigger(create) => self.create_trigger(create),
            Operation::CreateRule(create) => self.create_rule(create),
            Operation::CreatePolicy(policy) => self.create_policy(policy),
            Operation::AlterPolicy(policy) => self.alter_policy(policy),
            Operation::CreateSchema(create) => self.create_schema(create),
            Operation::CreateExtension(create) => self.create_extension(create),
            Operation::CreateStatistics(create) => self.create_statistics(create),
            Operation::Publication(publication) => self.tables_exist(&publication.tables),
            Operation::Comment(comment) => self.comment(comment),
            Operation::Grant(grant) => self.tables_exist(&grant.tables),
            Operation::Truncate(truncate) => self.truncate(truncate),
            Operation::Lock(lock) => self.lock(lock),
            Operation::Cluster(cluster) => self.cluster(cluster),
            Operation::Vacuum(vacuum) => self.tables_exist(&vacuum.tables),
            Operation::Analyze(analyze) => self.tables_exist(&analyze.tables),
            Operation::Write(write) => self.write(write),
            Operation::Query(query) => self.query(query),
            Operation::Set(set) => self.set(set),
            Operation::Unread(unread) => {
                self.unread(unread);
                Ok(())
            }
            // What a function or a block does is expanded by `history` where it can be; queued work runs later.
            Operation::Call { .. }
            | Operation::Background(_)
            | Operation::SetConstraints { .. }
            | Operation::Transaction(_)
            | Operation::Do(_)
            | Operation::Opaque(_) => Ok(()),
        }
    }

    fn set(&mut self, set: &Set) -> Outcome {
        if set.scope == SetScope::Later || !matches!(&*set.name, "search_path" | "all" | "schema") {
            return Ok(());
        }
        let path = set.values.as_ref().map(|values| {
            let paths = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
            paths.filter(|value| *value != "$user").map(Ident::new).collect()
        });
        match set.scope {
            SetScope::Next => self.schema.next_search_path = path,
            _ => self.schema.search_path = path.unwrap_or_else(|| vec![Ident::new("public")]),
        }
        Ok(())
    }
}

fn failure(kind: FailureKind, state: &'static str, object: impl Into<String>, message: String) -> Box<Failure> {
    Box::new(Failure { state, message, object: object.into(), kind, because: None, certain: true })
}

/// PostgreSQL refuses the statement.
fn refused(state: &'static str, object: impl Into<String>, message: String) -> Box<Failure> {
    failure(FailureKind::Refused, state, object, message)
}

/// PostgreSQL refuses to change on a partition or child what its parent gives it.
fn inherited(state: &'static str, object: impl Into<String>, message: String) -> Box<Failure> {
    failure(FailureKind::Inherited, state, object, message)
}

fn missing(state: &'static str, object: impl Into<String>, message: String) -> Box<Failure> {
    failure(FailureKind::Missing, state, object, message)
}

fn duplicate(state: &'static str, object: impl Into<String>, message: String) -> Box<Failure> {
    failure(FailureKind::Duplicate, state, object, message)
}

/// Names the earlier step that makes a failure so.
fn because(mut failure: Box<Failure>, origin: Option<&Origin>) -> Box<Failure> {
    failure.because = origin.cloned();
    failure
}
