//! What is known of a copy's rows, for the schema's JSON: from which table, kept up by what, filled when.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::data::{Copy, Data, Fill};
use crate::operation::Expr;
use crate::schema::{RelationId, Schema};
use crate::source::{Sources, Span};

use crate::schema::definition::relation_name;

/// One source of a table's rows.
#[derive(Serialize)]
pub(super) struct CopyRow {
    source: String,
    /// Column of the copy's key → column of the source.
    key_map: BTreeMap<String, String>,
    kept_up_by: &'static str,
    filled: Vec<FilledRow>,
    /// All rows of the source are in it, or a person says so.
    complete: bool,
    certain: bool,
}

/// One fact about which rows are there. `since`: the trigger that brings new rows from then on; `filter`: the rows
/// that a fill took, `null` for all; with `finished`: of a fill that was queued.
#[derive(Serialize)]
#[serde(untagged)]
enum FilledRow {
    Since { since: String, by: &'static str, path: Option<String>, line: Option<u32> },
    Filter { filter: Option<String>, by: &'static str, path: String, line: u32, certain: bool },
    Queue { filter: Option<String>, finished: bool, by: &'static str, path: String, line: u32, certain: bool },
    Stated { finished: bool, by: &'static str, path: String, line: u32 },
}

/// All copies of a schema, looked up by table.
pub(super) struct Completeness<'a> {
    schema: &'a Schema,
    data: &'a Data,
    sources: &'a Sources,
    copies: BTreeMap<RelationId, Vec<Copy>>,
}

impl<'a> Completeness<'a> {
    pub(super) fn new(schema: &'a Schema, data: &'a Data, sources: &'a Sources) -> Completeness<'a> {
        let mut copies: BTreeMap<RelationId, Vec<Copy>> = BTreeMap::new();
        for copy in data.copies(schema) {
            let known = copies.entry(copy.table).or_default();
            // Several triggers may keep one copy: one for each event.
            if !known.iter().any(|other| other.source == copy.source) {
                known.push(copy.clone());
            }
        }
        Completeness { schema, data, sources, copies }
    }

    /// A partition has its parent's facts and those of fills of its own.
    pub(super) fn of(&self, table: RelationId) -> Vec<CopyRow> {
        let copies = self.copies.get(&self.schema.partition_root(table));
        copies.into_iter().flatten().map(|copy| self.row(copy, table)).collect()
    }

    fn row(&self, copy: &Copy, table: RelationId) -> CopyRow {
        let mut filled = vec![self.since(copy)];
        let mut owners = vec![copy.table];
        if table != copy.table {
            owners.push(table);
        }
        for owner in owners {
            let fills = self.data.fills_of(owner).iter().filter(|fill| fill.source == copy.source);
            filled.extend(fills.map(|fill| self.fill(fill)));
        }
        let coverage = self.data.coverage(self.schema, copy, table);
        if let crate::data::Coverage::Stated(fact) = &coverage {
            let (path, line) = self.place(fact.span);
            filled.push(FilledRow::Stated { finished: true, by: "fact", path, line });
        }
        let key = copy.key.iter().map(|(own, source)| (own.to_string(), source.to_string()));
        CopyRow {
            source: relation_name(self.schema, copy.source),
            key_map: key.collect(),
            kept_up_by: "trigger",
            filled,
            complete: coverage.is_complete(),
            certain: copy.certain,
        }
    }

    fn since(&self, copy: &Copy) -> FilledRow {
        let trigger = self.schema.get_trigger(copy.trigger);
        let place = trigger.map(|trigger| self.place(trigger.existence.origin().span));
        FilledRow::Since {
            since: trigger.map(|trigger| trigger.name.to_string()).unwrap_or_default(),
            by: "trigger",
            path: place.as_ref().map(|(path, _)| path.clone()),
            line: place.map(|(_, line)| line),
        }
    }

    fn fill(&self, fill: &Fill) -> FilledRow {
        let (path, line) = self.place(fill.origin.span);
        let conditions: Vec<Expr> = fill.filter.clone();
        let filter = match conditions.as_slice() {
            [] => None,
            [one] => Some(one.to_string()),
            _ => Some(Expr::And(conditions).to_string()),
        };
        let certain = fill.certain && !fill.partial;
        if let Some(job) = fill.job.and_then(|number| self.data.queued(number)) {
            let finished = job.is_finished();
            return FilledRow::Queue { filter, finished, by: "background", path, line, certain };
        }
        let by = if fill.touch { "update of the source" } else { "insert" };
        FilledRow::Filter { filter, by, path, line, certain }
    }

    fn place(&self, span: Span) -> (String, u32) {
        (self.sources.path(span.source).to_owned(), self.sources.start(span).line)
    }
}
