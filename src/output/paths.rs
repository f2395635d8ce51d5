//! What a write runs into, as a tree for readers and as JSON.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::{json, visible};
use crate::graph::{Edge, Graph, Met, Risk, What, WritePath};
use crate::operation::{Action, TriggerTiming, WriteKind};
use crate::schema::definition::{constraint as definition, index_body};
use crate::schema::{ConstraintId, RelationId, Schema, Trigger};
use crate::source::{Sources, Span};

/// How paths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathsFormat {
    Human,
    Json,
    Svg,
}

impl PathsFormat {
    pub const ALL: [PathsFormat; 3] = [PathsFormat::Human, PathsFormat::Json, PathsFormat::Svg];

    pub fn word(self) -> &'static str {
        match self {
            PathsFormat::Human => "human",
            PathsFormat::Json => "json",
            PathsFormat::Svg => "svg",
        }
    }
}

/// Writes what inserts, updates and deletes of one table run into, over at most `depth` further tables.
pub fn render(
    paths: &[WritePath],
    graph: &Graph<'_>,
    sources: &Sources,
    (format, depth): (PathsFormat, usize),
    into: &mut dyn Write,
) -> io::Result<()> {
    let teller = Teller { schema: graph.schema(), sources };
    let rows: Vec<PathRow> = paths.iter().map(|path| teller.path(path)).collect();
    match format {
        PathsFormat::Json => json::write(&Document { version: 1, paths: rows }, into),
        PathsFormat::Svg => drawn(paths, graph, depth, into),
        PathsFormat::Human => {
            for (place, row) in rows.iter().enumerate() {
                if place > 0 {
                    writeln!(into)?;
                }
                writeln!(into, "{} {}", row.event, visible(&row.table))?;
                branches(&row.meets, "", into)?;
            }
            Ok(())
        }
    }
}

/// All that the writes reach, keys at which they can fail in red.
fn drawn(paths: &[WritePath], graph: &Graph<'_>, depth: usize, into: &mut dyn Write) -> io::Result<()> {
    let Some(first) = paths.first() else { return Ok(()) };
    let risky: BTreeSet<ConstraintId> = paths.iter().flat_map(WritePath::risky_keys).collect();
    let part = graph.reached(first.table, depth);
    let marked = part.edges.iter().filter(|(.., edge)| matches!(edge, Edge::References(key) if risky.contains(key)));
    let marked = marked.map(|(from, to, _)| (*from, *to)).collect();
    let table = graph.schema().relation(first.table).name.short();
    let label = match risky.is_empty() {
        true => format!("What writes to {table} reach"),
        false => format!("What writes to {table} reach; keys at which they can fail unexpectedly are red"),
    };
    super::graph::alone(graph, &part, &marked, &label, into)
}

#[derive(Serialize)]
struct Document {
    version: u32,
    paths: Vec<PathRow>,
}

#[derive(Serialize)]
struct PathRow {
    table: String,
    event: &'static str,
    meets: Vec<MetRow>,
}

#[derive(Serialize)]
struct MetRow {
    kind: &'static str,
    object: String,
    text: String,
    /// Why it can fail where a reader of the table alone would not expect it.
    risk: Option<String>,
    path: Option<String>,
    line: Option<u32>,
    then: Vec<MetRow>,
}

fn branches(rows: &[MetRow], indent: &str, into: &mut dyn Write) -> io::Result<()> {
    for (place, row) in rows.iter().enumerate() {
        let last = place + 1 == rows.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let at = match (&row.path, row.line) {
            (Some(path), Some(line)) => format!("  ({}:{line})", visible(short_path(path))),
            _ => String::new(),
        };
        writeln!(into, "{indent}{branch}{}{at}", visible(&row.text))?;
        let indent = format!("{indent}{below}");
        if let Some(risk) = &row.risk {
            writeln!(into, "{indent}! {}", visible(risk))?;
        }
        branches(&row.then, &indent, into)?;
    }
    Ok(())
}

/// The file; with its folder where all migrations of a project have files of this name.
fn short_path(path: &str) -> &str {
    let mut parts = path.rmatch_indices('/').map(|(at, _)| &path[at + 1..]);
    let name = parts.next().unwrap_or(path);
    if matches!(name, "up.sql" | "down.sql" | "migration.sql") { parts.next().unwrap_or(path) } else { name }
}

struct Teller<'a> {
    schema: &'a Schema,
    sources: &'a Sources,
}

impl Teller<'_> {
    fn path(&self, path: &WritePath) -> PathRow {
        let mut meets = self.rows(&path.met);
        if meets.is_empty() {
            meets.push(MetRow {
                kind: "nothing",
                object: String::new(),
                text: "nothing that can refuse it".to_owned(),
                risk: None,
                path: None,
                line: None,
                then: Vec::new(),
            });
        }
        PathRow { table: self.name(path.table), event: verb(path.event), meets }
    }

    fn rows(&self, met: &[Met]) -> Vec<MetRow> {
        met.iter().map(|one| self.row(one)).collect()
    }

    fn row(&self, met: &Met) -> MetRow {
        let (kind, object, mut text, span) = self.told(&met.what);
        let (mut ends, mut further) = (false, false);
        if let [Met { what, .. }] = met.then.as_slice() {
            further = matches!(what, What::Further(..));
            ends = further || matches!(what, What::Again(..));
        }
        if ends {
            text.push_str(if further { ": further away than --depth" } else { ": told above" });
        }
        let place = span.map(|span| {
            (self.sources.path(span.source).to_owned(), self.sources.position(span.source, span.start).line)
        });
        MetRow {
            kind,
            object,
            text,
            risk: met.risk.map(|risk| self.risk(risk)),
            path: place.as_ref().map(|(path, _)| path.clone()),
            line: place.map(|(_, line)| line),
            then: if ends { Vec::new() } else { self.rows(&met.then) },
        }
    }

    fn told(&self, what: &What) -> (&'static str, String, String, Option<Span>) {
        let schema = self.schema;
        let list = |columns: &[crate::operation::Ident]| {
            columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match what {
            What::Required(table, columns) => {
                ("required", self.name(*table), format!("must be given and not null: {}", list(columns)), None)
            }
            What::NotNull(table, columns) => {
                ("not_null", self.name(*table), format!("must not be null: {}", list(columns)), None)
            }
            What::Constraint(id) => {
                let row = schema.constraint(*id);
                let when = if row.initially_deferred { ", checked at COMMIT" } else { "" };
                let text = format!("constraint {}: {}{when}", row.name, definition(schema, row));
                ("constraint", row.name.to_string(), text, Some(row.existence.origin().span))
            }
            What::UniqueIndex(id) => {
                let index = schema.relation(*id);
                let body = index.as_index().map(|found| index_body(schema, found, "")).unwrap_or_default();
                let text = format!("unique index {}: {body}", index.name.short());
                ("index", index.name.to_string(), text, Some(index.existence.origin().span))
            }
            What::ReferencedBy { key, action, event } => {
                let row = schema.constraint(*key);
                let when = if *event == WriteKind::Update { "where its key changes, " } else { "" };
                let child = self.short(row.table);
                let then = match action {
                    Action::NoAction | Action::Restrict => format!("refused while rows of {child} refer to it"),
                    Action::Cascade => format!("goes on to {child}"),
                    Action::SetNull => format!("sets the columns of {child} to null"),
                    Action::SetDefault => format!("sets the columns of {child} to their defaults"),
                };
                let text = format!("referenced by {} of {child}: {when}{then}", row.name);
                ("referenced_by", row.name.to_string(), text, Some(row.existence.origin().span))
            }
            What::Trigger(id) => {
                let trigger = schema.trigger(*id);
                let text =
                    format!("{} trigger {} runs {}", timing(trigger), trigger.name, trigger.function_name.short());
                ("trigger", trigger.name.to_string(), text, Some(trigger.existence.origin().span))
            }
            What::Write { kind, table, by, guarded, caught } => {
                let mut text = format!("{} {}", verb(*kind), self.short(*table));
                if *guarded {
                    text.push_str(", under a condition");
                }
                if *caught {
                    text.push_str(", errors are caught");
                }
                ("write", self.name(*table), text, *by)
            }
            What::Partition(id) => {
                let relation = schema.relation(*id);
                let text = format!("partition {} has of its own", self.short(*id));
                ("partition", relation.name.to_string(), text, Some(relation.existence.origin().span))
            }
            What::Unclear(id) => {
                let function = schema.function(*id);
                let text = format!("{} does more than could be read", function.name.short());
                ("unclear", function.name.to_string(), text, Some(function.existence.origin().span))
            }
            What::Further(kind, table) => {
                let text = format!("{} {}: further away than --depth", verb(*kind), self.short(*table));
                ("further", self.name(*table), text, None)
            }
            What::Again(kind, table) => {
                ("again", self.name(*table), format!("{} {}: told above", verb(*kind), self.short(*table)), None)
            }
        }
    }

    fn risk(&self, risk: Risk) -> String {
        match risk {
            Risk::NotGuaranteed => "the table that is written does not promise this".to_owned(),
            Risk::RowsMissing { source } => {
                format!("fails for rows of {} that were never copied there", self.short(source))
            }
            Risk::RowsUnclear { source } => {
                format!("fails for rows of {} that did not reach it: which ones cannot be told", self.short(source))
            }
        }
    }

    fn name(&self, id: RelationId) -> String {
        self.schema.relation(id).name.to_string()
    }

    fn short(&self, id: RelationId) -> String {
        self.schema.relation(id).name.short()
    }
}

fn verb(kind: WriteKind) -> &'static str {
    match kind {
        WriteKind::Insert | WriteKind::Copy | WriteKind::Merge => "INSERT",
        WriteKind::Update => "UPDATE",
        WriteKind::Delete => "DELETE",
    }
}

fn timing(trigger: &Trigger) -> &'static str {
    match (trigger.timing, trigger.for_each_row) {
        (TriggerTiming::Before, true) => "BEFORE row",
        (TriggerTiming::Before, false) => "BEFORE statement",
        (TriggerTiming::After, true) => "AFTER row",
        (TriggerTiming::After, false) => "AFTER statement",
        (TriggerTiming::InsteadOf, _) => "INSTEAD OF",
    }
}
