//! Tables that other sessions use, and the actions of an ALTER TABLE that do long work on them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Findings;
use super::weight::{is_unseen, soften};
use crate::finding::Finding;
use crate::history::{State, Step};
use crate::operation::{AlterTable, Operation, Origin, Persistence, TableActionKind};
use crate::schema::{Existence, Relation, RelationId, RelationKind, TableKind};
use crate::server::Effects;
use crate::version::Major;

/// Other sessions may read or write it: older than the release that runs, or fed by another table's trigger.
pub fn is_in_use(step: &Step, relation: RelationId) -> bool {
    let state = step.before;
    let Some(found) = state.schema.get_relation(relation) else { return false };
    let shared = match &found.kind {
        RelationKind::Table(table) => table.persistence != Persistence::Temporary && table.kind != TableKind::Foreign,
        RelationKind::View(view) => view.materialized,
        RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => false,
    };
    shared
        && !is_emptied(step, relation, true)
        && !is_catalog(found)
        && !is_unseen(step, relation)
        // Rows that migrations wrote into their own new table make nobody wait.
        && (!step.context.is_of_this_release(&found.existence)
            || state.data.feeds_into(&state.schema, relation).next().is_some())
}

/// In use, and nothing keeps it small: what reads or writes all of it lasts.
pub fn is_costly(step: &Step, relation: RelationId) -> bool {
    is_in_use(step, relation) && may_be_large(step, relation)
}

/// No key of its own keeps it small, and the statement does not fail where it holds a row.
pub fn may_be_large(step: &Step, relation: RelationId) -> bool {
    let alters = matches!(step.operation, Operation::AlterTable(_));
    let is_empty = alters && is_empty_in(step, step.after, relation, true);
    !is_empty && !step.before.schema.has_few_rows(relation)
}

/// Emptied by this release itself: no old row is there. What DELETE left behind is read all the same.
pub fn is_emptied(step: &Step, relation: RelationId, truncated: bool) -> bool {
    is_empty_in(step, step.before, relation, truncated)
}

fn is_empty_in(step: &Step, state: &State, relation: RelationId, truncated: bool) -> bool {
    let release = step.context.plan.release_number(step.context.at.migration);
    let emptied = state.data.emptied(relation).filter(|emptied| emptied.moment.release == release);
    emptied.is_some_and(|emptied| emptied.truncated || !truncated)
}

/// PostgreSQL's own tables are small, and nobody waits there.
fn is_catalog(relation: &Relation) -> bool {
    let schema = relation.name.schema.as_str();
    matches!(schema, "pg_catalog" | "information_schema")
        || (relation.name.name.as_str().starts_with("pg_") && matches!(relation.existence, Existence::Assumed { .. }))
}

/// Says since when it is there, unless the finding's own statement is the first to name it.
pub fn because_in_use(finding: &mut Finding, relation: &Relation) {
    let origin = relation.existence.origin();
    let name = relation.name.short();
    match relation.existence {
        Existence::Assumed { .. } if origin.span == finding.span || origin.span.contains(finding.span) => {}
        Existence::Assumed { .. } => {
            finding.because(origin.span, format!("`{name}` is older than this history and may hold rows"));
        }
        Existence::Created { .. } | Existence::Maybe { .. } => {
            finding.because(origin.span, format!("`{name}` is older than this release and may hold rows"));
        }
    }
}

/// The majors of this replay on which a statement's effects answer yes.
pub fn majors_where(step: &Step, asks: impl Fn(&Effects) -> bool) -> Vec<Major> {
    found(step, |effects| asks(effects).then_some(())).map(|(majors, ())| majors).unwrap_or_default()
}

/// The majors on which a statement's effects have an answer, with the first one.
pub fn found<T>(step: &Step, ask: impl Fn(&Effects) -> Option<T>) -> Option<(Vec<Major>, T)> {
    let (mut majors, mut first) = (Vec::new(), None);
    let mut last: Option<(Arc<Effects>, bool)> = None;
    for major in step.context.majors {
        let effects = step.effects(*major);
        // Majors that are alike in them share them.
        let known = last.as_ref().filter(|(asked, _)| Arc::ptr_eq(asked, &effects)).map(|(_, holds)| *holds);
        let holds = known.unwrap_or_else(|| {
            let answer = ask(&effects);
            let holds = answer.is_some();
            first = first.take().or(answer);
            holds
        });
        majors.extend(holds.then_some(*major));
        last = Some((effects, holds));
    }
    first.map(|first| (majors, first))
}

/// The different answers that a statement's effects have, each with its majors.
pub fn found_each<T: PartialEq>(step: &Step, ask: impl Fn(&Effects) -> Option<T>) -> Vec<(Vec<Major>, T)> {
    let mut answers: Vec<(Vec<Major>, T)> = Vec::new();
    for major in step.context.majors {
        let Some(answer) = ask(&step.effects(*major)) else { continue };
        match answers.iter_mut().find(|(_, known)| *known == answer) {
            Some((majors, _)) => majors.push(*major),
            None => answers.push((vec![*major], answer)),
        }
    }
    answers
}

/// Those of the relations that others use and that may be large, each once.
pub fn used(step: &Step, relations: impl Iterator<Item = RelationId>) -> Option<Vec<RelationId>> {
    let used: BTreeSet<RelationId> = relations.filter(|relation| is_costly(step, *relation)).collect();
    (!used.is_empty()).then(|| used.into_iter().collect())
}

/// An ALTER TABLE that goes through, with its table.
#[derive(Debug, Clone, Copy)]
pub struct Altered<'a> {
    pub step: &'a Step<'a>,
    pub alter: &'a AlterTable,
    pub relation: &'a Relation,
}

impl<'a> Altered<'a> {
    pub fn of(step: &'a Step<'a>) -> Option<Altered<'a>> {
        let Operation::AlterTable(alter) = step.operation else { return None };
        if step.applied.failure().is_some() {
            return None;
        }
        let relation = step.before.schema.find(&alter.table)?;
        relation.as_table()?;
        Some(Altered { step, alter, relation })
    }

    pub fn actions(&self) -> impl Iterator<Item = (usize, &'a TableActionKind)> + use<'a> {
        self.alter.actions.iter().map(|action| &action.kind).enumerate()
    }

    /// The majors on which the action reads a table in use from end to end.
    pub fn scanning(&self, at: usize) -> Vec<Major> {
        self.majors(|effects| {
            let scans = effects.scans.iter().filter(|scan| scan.action == Some(at));
            scans.into_iter().any(|scan| is_costly(self.step, scan.relation))
        })
    }

    /// The majors on which it builds an index on a table in use.
    pub fn building(&self, at: usize) -> Vec<Major> {
        self.majors(|effects| {
            let builds = effects.index_builds.iter().filter(|build| build.action == Some(at));
            builds.into_iter().any(|build| is_costly(self.step, build.table))
        })
    }

    /// The majors on which it writes all rows of a table in use anew, and whether that is certain. Several actions of
    /// one statement share one rewrite: the first of them is asked.
    pub fn rewriting(&self, at: usize) -> (Vec<Major>, bool) {
        let rewrites = |effects: &Effects, certain: bool| {
            let own = effects.rewrites.iter().filter(|one| one.action == Some(at) && one.certain >= certain);
            own.into_iter().any(|one| is_costly(self.step, one.relation))
        };
        (self.majors(|effects| rewrites(effects, false)), !self.majors(|effects| rewrites(effects, true)).is_empty())
    }

    fn majors(&self, asks: impl Fn(&Effects) -> bool) -> Vec<Major> {
        majors_where(self.step, asks)
    }

    /// The action's own place, where the statement has several and stands in the script itself.
    fn place(&self, at: usize) -> Origin {
        let origin = self.step.origin;
        if self.alter.actions.len() < 2 || !origin.frames.is_empty() {
            return origin.clone();
        }
        Origin { span: self.alter.actions[at].span, frames: origin.frames.clone() }
    }

    /// A finding at one action, on these majors; small tables soften it.
    pub fn report<'f>(
        &self,
        findings: &'f mut Findings,
        at: usize,
        majors: &[Major],
        certain: bool,
        message: impl Into<String>,
    ) -> &'f mut Finding {
        let word = self.alter.actions[at].kind.word();
        let finding = findings.report(&self.place(at), word, self.step.certain && certain, message);
        finding.postgres = majors.to_vec();
        finding.object(&self.relation.name);
        // One table is locked and read for all of them: one fault, however many actions.
        finding.one_per(self.relation.name.to_string());
        soften(self.step, finding, self.relation.id);
        because_in_use(finding, self.relation);
        finding
    }

    /// `orders`, for messages.
    pub fn name(&self) -> String {
        self.relation.name.short()
    }

    /// `public.orders`, for SQL.
    pub fn full_name(&self) -> String {
        self.relation.name.to_string()
    }
}
