//! Work on rows that is queued: open until it is finished, whatever time goes by.

use std::sync::Arc;

use super::{Circumstances, Data, Moment};
use crate::operation::{Background, BackgroundAction, Job, Operation, Origin, Statement, Write, writes_of};
use crate::schema::Schema;

/// One job of the queue, with its end where it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    pub job: Job,
    /// What it does; `None`: not known.
    pub does: Option<Arc<[Statement]>>,
    pub origin: Origin,
    pub moment: Moment,
    pub certain: bool,
    pub end: Option<End>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Else it was taken out of the queue.
    pub finished: bool,
    pub origin: Origin,
    pub moment: Moment,
    pub certain: bool,
}

impl Queued {
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Taken out of the queue before its end.
    pub fn is_cancelled(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !end.finished)
    }

    pub fn is_finished(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.finished)
    }

    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        writes_of(self.does.as_deref().unwrap_or_default())
    }
}

impl Data {
    /// All that was queued, in order.
    pub fn queue(&self) -> impl Iterator<Item = &Queued> {
        self.queue.values().map(|job| &**job)
    }

    /// The job behind a fill that was only queued.
    pub fn queued(&self, number: u32) -> Option<&Queued> {
        self.queue.get(&number).map(|job| &**job)
    }

    /// The last job queued under a key that has not been taken out since.
    pub fn queued_as(&self, job: &Job) -> Option<&Queued> {
        self.number_of(job).and_then(|number| self.queued(number))
    }

    fn number_of(&self, job: &Job) -> Option<u32> {
        let known = self.queue.iter().filter(|(_, other)| !other.is_cancelled() && other.job.is_same(job));
        known.map(|(number, _)| *number).next_back()
    }

    /// Takes notice of queued work: what it fills is open until it is finished.
    pub(super) fn keep_queue(&mut self, operation: &Operation, origin: &Origin, after: &Schema, at: Circumstances) {
        let Operation::Background(background) = operation else { return };
        let Background { job, action } = &**background;
        match action {
            // Already there: the queue keeps the second one out.
            BackgroundAction::Queue { .. } if self.number_of(job).is_some() => {}
            BackgroundAction::Queue { does } => self.enqueue(job, does.as_ref(), origin, after, at),
            BackgroundAction::Finish => self.end(job, true, origin, at),
            BackgroundAction::Delete => self.end(job, false, origin, at),
        }
    }

    fn enqueue(
        &mut self,
        job: &Job,
        does: Option<&Arc<[Statement]>>,
        origin: &Origin,
        after: &Schema,
        at: Circumstances,
    ) {
        let number = at.moment.step;
        let queued = Queued {
            job: job.clone(),
            does: does.cloned(),
            origin: origin.clone(),
            moment: at.moment,
            certain: at.certain,
            end: None,
        };
        self.queue.insert(number, Arc::new(queued));
        // Batches: it runs as often as there are rows.
        let at = Circumstances { in_loop: true, job: Some(number), ..at };
        for statement in does.into_iter().flat_map(|does| does.iter()) {
            self.note_rows_of(&statement.operation, origin, after, at);
            self.keep_columns(&statement.operation, origin, after, at);
        }
    }

    fn end(&mut self, job: &Job, finished: bool, origin: &Origin, at: Circumstances) {
        let Some(number) = self.number_of(job) else { return };
        let Some(queued) = self.queue.get_mut(&number) else { return };
        // What is finished stays so.
        if queued.is_open() || !finished {
            let end = End { finished, origin: origin.clone(), moment: at.moment, certain: at.certain };
            Arc::make_mut(queued).end = Some(end);
        }
    }

    /// Of a job that only one branch queued or ended, the end is uncertain.
    pub(super) fn join_queue(&mut self, other: &Data) {
        if self.queue.ptr_eq(&other.queue) {
            return;
        }
        for (number, theirs) in &other.queue {
            let Some(ours) = self.queue.get_mut(number) else {
                self.queue.insert(*number, theirs.clone());
                continue;
            };
            if ours.end != theirs.end {
                let end = ours.end.clone().or(theirs.end.clone()).map(|end| End { certain: false, ..end });
                Arc::make_mut(ours).end = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::data::{Coverage, Data};
    use crate::operation::{Ident, Name, Node};
    use crate::read::sql;
    use crate::source::{SourceId, Sources, Span};
    use crate::version::Major;

    /// A history in small: SQL and queued work, step by step.
    struct Told {
        schema: Schema,
        data: Data,
        steps: u32,
        source: SourceId,
    }

    impl Told {
        fn new(text: &str) -> Told {
            let source = Sources::default().add("x.rb", "x");
            let mut told = Told { schema: Schema::new(Major(17)), data: Data::default(), steps: 0, source };
            told.sql(text);
            told
        }

        fn sql(&mut self, text: &str) {
            statements(text).into_iter().for_each(|statement| self.run(&statement.operation));
        }

        fn run(&mut self, operation: &Operation) {
            self.steps += 1;
            let origin = Origin::at(Span { source: self.source, start: self.steps, end: self.steps });
            let before = self.schema.clone();
            assert!(self.schema.apply(operation, &origin).failure().is_none(), "{operation:?}");
            let moment = Moment { step: self.steps, unit: self.steps, release: self.steps as usize };
            let at = Circumstances { moment, certain: true, in_loop: false, job: None };
            self.data.observe(operation, &origin, &before, &self.schema, at);
        }

        fn act(&mut self, arguments: &[&str], action: BackgroundAction) {
            let arguments = Some(arguments.iter().map(|text| Arc::from(*text)).collect());
            let table = Some(Name::bare(Ident::new("a")));
            let job = Job { class: "CopyRows".into(), table, column: Some(Ident::new("id")), arguments };
            self.run(&Operation::Background(Box::new(Background { job, action })));
        }

        fn queue(&mut self, arguments: &[&str]) {
            let does = statements("insert into b select id, x from a on conflict do nothing");
            self.act(arguments, BackgroundAction::Queue { does: Some(does.into()) });
        }

        /// Of the one copy that there is.
        fn coverage(&self) -> Coverage<'_> {
            let copy = self.data.copies(&self.schema).next().unwrap();
            self.data.coverage(&self.schema, copy, copy.table)
        }
    }

    fn statements(text: &str) -> Vec<Statement> {
        let mut sources = Sources::default();
        let id = sources.add("x.sql", text);
        let nodes = sql::read(&sources.piece(id)).nodes.into_iter();
        nodes.map(|node| if let Node::Statement(one) = node { one } else { panic!("{node:?}") }).collect()
    }

    const SYNCED: &str = "create table a (id int primary key, x int); create table b (id int primary key, x int); \
        create function f() returns trigger language plpgsql as $$ begin \
        if tg_op = 'INSERT' then insert into b (id, x) values (new.id, new.x); \
        elsif tg_op = 'UPDATE' then update b set x = new.x where id = new.id; \
        else delete from b where id = old.id; end if; return null; end $$; \
        create trigger t after insert or update or delete on a for each row execute function f()";

    #[test]
    fn queued_work_is_open_until_it_is_finished_under_its_own_key() {
        let mut told = Told::new(SYNCED);
        assert!(matches!(told.coverage(), Coverage::Missing));
        told.queue(&["1"]);
        assert!(matches!(told.coverage(), Coverage::Queued(_)));
        told.act(&["2"], BackgroundAction::Finish);
        assert!(matches!(told.coverage(), Coverage::Queued(_)), "another job was finished");
        told.act(&["1"], BackgroundAction::Finish);
        assert!(matches!(told.coverage(), Coverage::Complete));
    }

    #[test]
    fn what_is_taken_out_of_the_queue_is_not_filled_until_it_is_queued_anew() {
        let mut told = Told::new(SYNCED);
        told.queue(&["1"]);
        told.act(&["1"], BackgroundAction::Delete);
        assert!(matches!(told.coverage(), Coverage::Cancelled(_)));
        told.act(&["1"], BackgroundAction::Finish);
        assert!(matches!(told.coverage(), Coverage::Cancelled(_)), "there is nothing to wait for");
        told.queue(&["1"]);
        assert!(matches!(told.coverage(), Coverage::Queued(_)));
        told.act(&["1"], BackgroundAction::Finish);
        assert!(matches!(told.coverage(), Coverage::Complete));
    }

    #[test]
    fn a_second_one_under_the_same_key_is_kept_out() {
        let mut told = Told::new(SYNCED);
        told.queue(&["1"]);
        told.queue(&["1"]);
        assert_eq!(told.data.queue().count(), 1);
    }

    #[test]
    fn what_began_before_the_trigger_leaves_a_gap() {
        let (tables, trigger) = SYNCED.split_once("create trigger").unwrap();
        let mut told = Told::new(tables);
        told.queue(&[]);
        told.sql(&format!("create trigger{trigger}"));
        told.act(&[], BackgroundAction::Finish);
        assert!(matches!(told.coverage(), Coverage::Gap(_)));
    }
}
