//! INSERT … SELECT into a table that asks more of its rows than the tables it reads guarantee: the statement fails.

use super::{Findings, say};
use crate::data::{Gap, Inserted, Repeat, Unanswered};
use crate::finding::Severity;
use crate::history::{Passed, State, Whole};
use crate::operation::{Ident, Operation, Persistence, Write, WriteKind};
use crate::schema::{Column, Relation, RelationId};
use crate::source::Span;

pub fn check(whole: &Whole, findings: &mut Findings) {
    let inserts = |step: &Passed| match &step.operation {
        Operation::Write(write) => write.all().into_iter().any(|one| one.kind == WriteKind::Insert),
        _ => false,
    };
    // Without any, the migration's course need not be looked at.
    if !whole.steps.iter().any(inserts) {
        return;
    }
    let mut earlier: Vec<(&Passed, &State)> = Vec::new();
    for unit in &whole.course().units {
        for (step, before) in unit.steps.iter().zip(&unit.befores) {
            if let Operation::Write(write) = &step.operation
                && step.applied.failure().is_none()
            {
                for inserted in
                    write.all().into_iter().flat_map(|one| Inserted::of(one, &before.schema, &whole.before.schema))
                {
                    let copy = Copied { whole, step, before, earlier: &earlier, inserted };
                    copy.report_gaps(findings);
                    let repeats = copy.inserted.repeats();
                    repeats.iter().for_each(|repeat| copy.report_repeat(repeat, findings));
                    let is_told = |one: &Unanswered| repeats.iter().any(|repeat| repeat.index == one.index.id);
                    let open = copy.inserted.unanswered();
                    open.iter().filter(|one| !is_told(one)).for_each(|one| copy.report_unanswered(one, findings));
                }
                earlier.push((step, before));
            }
        }
    }
}

/// One statement that copies rows, at its place.
struct Copied<'a> {
    whole: &'a Whole<'a>,
    step: &'a Passed,
    before: &'a State,
    /// The writes of the migration until then.
    earlier: &'a [(&'a Passed, &'a State)],
    inserted: Inserted<'a>,
}

/// What is known of NULLs in a column.
enum Nulls {
    /// A statement wrote them, or they are there since the column is.
    Sure(Span, String),
    /// Every row got a value.
    Gone,
    Possible,
}

impl<'a> Copied<'a> {
    fn source(&self, item: usize) -> Option<&'a Relation> {
        self.inserted.items[item].table.map(|(relation, _)| relation)
    }

    /// It holds rows as far as the history tells.
    fn may_hold_rows(&self, table: RelationId) -> bool {
        !self.whole.context.is_new(self.before, table) && self.before.data.emptied(table).is_none()
    }

    /// Its rows are what migrations of this release put there: what they hold can be read in them.
    fn is_own(&self, table: &Relation) -> bool {
        let temporary = table.as_table().is_some_and(|table| table.persistence == Persistence::Temporary);
        temporary || self.whole.context.is_of_this_release(&table.existence)
    }

    /// The writes of this migration to a table, the last one first.
    fn writes(&self, table: RelationId) -> impl Iterator<Item = (&'a Passed, &'a Write)> {
        let of = move |(step, before): &(&'a Passed, &'a State)| {
            let Operation::Write(write) = &step.operation else { return None };
            let meant = before.schema.find(&write.target).is_some_and(|one| one.id == table);
            meant.then_some((*step, &**write))
        };
        self.earlier.iter().rev().filter_map(of)
    }

    fn nulls(&self, table: &Relation, column: &Column) -> Nulls {
        let name = &column.name;
        let fills = self.before.data.column_fills(table.id, column.id);
        for (step, write) in self.writes(table.id) {
            let Some((_, value)) = write.assignments.iter().find(|(set, _)| set == name) else { continue };
            if value.is_null_constant() && step.certain {
                return Nulls::Sure(step.origin.span, format!("sets `{name}` to NULL"));
            }
            if fills.iter().any(|fill| fill.origin.span == step.origin.span && fill.is_complete()) {
                return Nulls::Gone;
            }
        }
        let context = &self.whole.context;
        let of_this_release = |span: Span| {
            let by = context.plan.migration_of(span);
            by.is_some_and(|by| context.plan.same_release(by, context.at.migration))
        };
        if fills.iter().any(|fill| fill.is_complete() && of_this_release(fill.origin.span)) {
            return Nulls::Gone;
        }
        let computed = column.generated.is_some() || column.identity.is_some() || column.sequence.is_some();
        let added = context.is_of_this_release(&column.existence) && !context.is_of_this_release(&table.existence);
        if added && fills.is_empty() && column.default.is_none() && !computed {
            let span = column.existence.origin().span;
            return Nulls::Sure(span, format!("adds `{name}`, which is NULL in every row until something fills it"));
        }
        Nulls::Possible
    }

    fn report_gaps(&self, findings: &mut Findings) {
        let (mut sure, mut possible) = (Vec::new(), Vec::new());
        for gap in self.inserted.gaps() {
            let Some(source) = self.source(gap.item).filter(|one| self.may_hold_rows(one.id)) else { continue };
            match self.nulls(source, gap.from) {
                Nulls::Sure(span, text) if !gap.outer => sure.push((gap, span, text)),
                _ if self.is_own(source) => {}
                _ if gap.outer => possible.push(gap),
                Nulls::Possible if gap.had_value => {}
                Nulls::Possible => possible.push(gap),
                Nulls::Sure(..) | Nulls::Gone => {}
            }
        }
        if let Some((gap, span, text)) = sure.into_iter().next() {
            let finding = self.report_gap(&[gap], Severity::Error, findings);
            finding.because(span, text);
        } else if !possible.is_empty() {
            self.report_gap(&possible, Severity::Note, findings);
        }
    }

    fn report_gap<'f>(
        &self,
        gaps: &[Gap],
        most: Severity,
        findings: &'f mut Findings,
    ) -> &'f mut crate::finding::Finding {
        let schema = &self.before.schema;
        let table = say::name(schema, self.inserted.target);
        let wanted: Vec<String> = gaps.iter().map(|gap| gap.column.to_string()).collect();
        let from = |gap: &Gap| {
            let source = say::name(schema, self.source(gap.item).map_or(self.inserted.target, |one| one.id));
            format!("{source}.{}", gap.from.name)
        };
        let sources: Vec<String> = gaps.iter().map(from).collect();
        let sources = say::list(&sources);
        let why = match gaps.iter().all(|gap| gap.outer) {
            true => format!("an outer join that finds no row has nothing for {sources}"),
            false if most == Severity::Error => format!("{sources} is NULL in some"),
            false => format!("{sources} may be NULL"),
        };
        let message = format!(
            "copying rows into `{table}` fails on the first one without a value (23502): {} must not be null, and {why}",
            say::list(&wanted)
        );
        let finding = findings.report(&self.step.origin, self.step.operation.word(), self.step.certain, message);
        finding.severity = finding.severity.min(most);
        finding.one_per(format!("{table} copied nulls"));
        finding.object(&schema.relation(self.inserted.target).name);
        let values: Vec<String> = gaps.iter().map(|gap| format!("{} IS NOT NULL", gap.from.name)).collect();
        finding.instead(format!(
            "-- give those rows a value first, or put one in their place: coalesce(…); or leave them out: WHERE {}",
            values.join(" AND ")
        ));
        let first = gaps.first().and_then(|gap| self.source(gap.item));
        let one_table = gaps.iter().all(|gap| gap.item == gaps[0].item && !gap.outer);
        let columns: Vec<&Column> = gaps.iter().map(|gap| gap.from).collect();
        if let Some(name) = first.filter(|_| one_table).and_then(|source| self.as_of_now(source, &columns)) {
            let missing: Vec<String> = columns.iter().map(|column| format!("{} IS NULL", column.name)).collect();
            finding.verify(format!("SELECT count(*) FROM {name} WHERE {}", missing.join(" OR ")));
        }
        if let Some(source) = first {
            finding.object(&source.name);
            let asked = schema.relation(self.inserted.target).existence.origin().span;
            finding.because(asked, format!("`{table}` asks for it"));
        }
        finding
    }

    /// What a table is called before the migration, where it has the columns by then and the migration writes none of them.
    fn as_of_now(&self, table: &Relation, columns: &[&Column]) -> Option<String> {
        let found = self.whole.before.schema.get_relation(table.id)?;
        let known = found.as_table()?;
        let same = |column: &&Column| known.column(&column.name).is_some_and(|one| one.id == column.id);
        let written = self.writes(table.id).next().is_some();
        (!written && columns.iter().all(same)).then(|| found.name.to_string())
    }

    fn report_repeat(&self, repeat: &Repeat, findings: &mut Findings) {
        let Some(source) = self.source(repeat.item) else { return };
        let mut tables = self.inserted.items.iter().filter_map(|item| item.table);
        if !tables.all(|(relation, _)| self.may_hold_rows(relation.id)) {
            return;
        }
        let columns: Vec<&Column> = self.inserted.items[repeat.item]
            .table
            .into_iter()
            .flat_map(|(_, table)| repeat.fixed.iter().filter_map(|name| table.column(name)))
            .collect();
        let is_new = |column: &&Column| self.whole.context.is_of_this_release(&column.existence);
        if self.is_own(source) || columns.iter().any(is_new) {
            return;
        }
        // A clean-up before it, or a condition, may leave one row for each key.
        let is_cleaned = self.writes(source.id).any(|(_, write)| write.kind == WriteKind::Delete);
        let picks = is_cleaned || self.inserted.picks_from(repeat.item);
        if repeat.wider.is_none() && picks {
            return;
        }
        let schema = &self.before.schema;
        let (table, from) = (say::name(schema, self.inserted.target), source.name.short());
        let list = |names: &[Ident]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let several = match (&repeat.wider, &repeat.fixed) {
            (Some(wider), fixed) => {
                format!("`{from}`, whose key is ({}), has several rows for one ({})", list(wider), list(fixed))
            }
            (None, fixed) => format!("no unique key of `{from}` lies within ({})", list(fixed)),
        };
        let fails = match repeat.upserts {
            true => "its own ON CONFLICT DO UPDATE meets a row twice (21000)",
            false => "two of them have the same key (23505)",
        };
        let message = format!(
            "copying rows into `{table}` fails where {fails}: `{}` wants ({}) to be unique, and {several}",
            repeat.name,
            list(&repeat.columns)
        );
        let finding = findings.report(&self.step.origin, self.step.operation.word(), self.step.certain, message);
        let most = if repeat.wider.is_some() && repeat.alone && !picks { Severity::Warning } else { Severity::Note };
        finding.severity = finding.severity.min(most);
        finding.one_per(format!("{table} {from} copied twice ({})", list(&repeat.columns)));
        finding.object(&schema.relation(self.inserted.target).name);
        finding.object(&source.name);
        if let Some(index) = schema.get_relation(repeat.index) {
            finding.because(index.existence.origin().span, format!("`{}` is made here", repeat.name));
        }
        finding.because(source.existence.origin().span, format!("`{from}` is made here"));
        finding.instead(format!(
            "-- take one row for each key: SELECT DISTINCT ON ({}) … ORDER BY …; or let the key of {table} hold what tells them apart",
            list(&repeat.fixed)
        ));
        if let Some(name) = self.as_of_now(source, &columns) {
            let present: Vec<String> = repeat.fixed.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            finding.verify(format!(
                "SELECT count(*) FROM (SELECT FROM {name} WHERE {} GROUP BY {} HAVING count(*) > 1) AS repeated",
                present.join(" AND "),
                list(&repeat.fixed)
            ));
        }
    }

    /// ON CONFLICT shows that rows are expected there; it names one of the keys that they may have.
    fn report_unanswered(&self, open: &Unanswered, findings: &mut Findings) {
        // What triggers write there are rows of the source: one of the same other key is the same row.
        let is_fed = self.before.data.feeds_into(&self.before.schema, self.inserted.target).next().is_some();
        if is_fed || !self.may_hold_rows(self.inserted.target) {
            return;
        }
        let list = |names: &[Ident]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let table = say::name(&self.before.schema, self.inserted.target);
        let message = format!(
            "copying rows into `{table}` fails (23505) where it has a row with the ({}) of one: ON CONFLICT answers for ({}) \
             only, not for `{}`",
            list(&open.columns),
            list(&open.answered),
            open.index.name.name
        );
        let finding = findings.report(&self.step.origin, self.step.operation.word(), self.step.certain, message);
        finding.severity = finding.severity.min(Severity::Note);
        finding.one_per(format!("{table} conflict ({})", list(&open.columns)));
        finding.object(&self.before.schema.relation(self.inserted.target).name);
        finding.because(open.index.existence.origin().span, format!("`{}` is made here", open.index.name.name));
        finding.instead(
            "-- ON CONFLICT DO NOTHING without a key answers for all of them; or leave out, by NOT EXISTS, the rows whose other \
             key is there",
        );
    }
}
