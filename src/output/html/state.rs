//! What a migration leaves: which copies hold all rows before it and after, and how the schema changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::Page;
use super::escape::{lines, prose, text};
use super::finding::place_link;
use crate::data::{Copy, Coverage};
use crate::finding::Finding;
use crate::history::State;
use crate::operation::Expr;
use crate::output::diff::{Change, diff};
use crate::output::text::counted;
use crate::report::Detail;
use crate::schema::definition::{constraint as constraint_definition, index_body, relation_name};
use crate::schema::{ConstraintRow, Relation, RelationId, RelationKind, Schema, statement};

/// Objects whose change is shown; more are named.
const OBJECTS: usize = 60;
/// Lines that stay, shown before and behind one that changes.
const CONTEXT: usize = 3;

/// Copies by the names of copy and source.
type Copies<'a> = BTreeMap<(String, String), (&'a State, Copy)>;

/// Which copies hold all rows of their source.
pub(super) fn completeness(
    page: &Page<'_>,
    detail: &Detail,
    findings: &[&Finding],
    into: &mut dyn Write,
) -> io::Result<()> {
    let objects: BTreeSet<&str> = findings.iter().flat_map(|finding| &finding.objects).map(String::as_str).collect();
    let (before, after) = (copies(&detail.before, detail, &objects), copies(&detail.after, detail, &objects));
    let names: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(
        into,
        "<details open><summary>Copies: which rows they hold</summary><div class=\"scroll\"><table class=\"copies\">"
    )?;
    writeln!(into, "<thead><tr><th>copy</th><th>of</th><th>before</th><th>after</th></tr></thead><tbody>")?;
    for name in names {
        let cell = |known: Option<&(&State, Copy)>| {
            known.map_or("<td>no copy</td>".to_owned(), |(state, copy)| held(page, state, copy))
        };
        let (copy, source) = (text(&name.0), text(&name.1));
        writeln!(
            into,
            "<tr><th scope=\"row\">{copy}</th><td>{source}</td>{}{}</tr>",
            cell(before.get(name)),
            cell(after.get(name))
        )?;
    }
    writeln!(into, "</tbody></table></div></details>")
}

/// Copies that the migration touches, or whose source it touches, or that findings name.
fn copies<'a>(state: &'a State, detail: &Detail, objects: &BTreeSet<&str>) -> Copies<'a> {
    let schema = &state.schema;
    let near = |id: RelationId| {
        let parts = [id, schema.partition_root(id)];
        parts.iter().any(|id| detail.touched.contains(id)) || objects.contains(relation_name(schema, id).as_str())
    };
    let found = state
        .data
        .copies(schema)
        .filter(|copy| schema.get_relation(copy.source).is_some() && (near(copy.table) || near(copy.source)));
    let name = |id: RelationId| relation_name(schema, id);
    found.map(|copy| ((name(copy.table), name(copy.source)), (state, copy.clone()))).collect()
}

/// A cell: complete or not, and by what.
fn held(page: &Page<'_>, state: &State, copy: &Copy) -> String {
    let schema = &state.schema;
    let filter = |conditions: &[Expr]| conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" AND ");
    let coverage = state.data.coverage(schema, copy, copy.table);
    let (class, words, place) = match &coverage {
        Coverage::Complete => ("full", "all rows".to_owned(), None),
        Coverage::Stated(fact) => ("full", "all rows, as a fact states".to_owned(), Some(fact.span)),
        Coverage::Filtered(fill) => {
            let words = format!("old rows only where `{}`", filter(&fill.filter));
            ("part", words, Some(fill.origin.span))
        }
        Coverage::Gap(fill) => {
            ("part", "old rows up to the backfill; a gap until the trigger".to_owned(), Some(fill.origin.span))
        }
        Coverage::ShortGap(fill) => {
            ("part", "all but rows written inside of the backfill's transaction".to_owned(), Some(fill.origin.span))
        }
        Coverage::Unclear(fill) => {
            ("part", "old rows in part: which ones cannot be told".to_owned(), Some(fill.origin.span))
        }
        Coverage::Unseen => {
            ("full", "all rows, most likely: how it was filled is older than the files".to_owned(), None)
        }
        _ if coverage.is_complete() => ("full", "all rows".to_owned(), None),
        _ => ("part", "no old rows: nothing fills it".to_owned(), None),
    };
    let mut cell = format!("<td class=\"{class}\">{}", prose(&words));
    if let Some(span) = place {
        cell.push_str(&format!(" <span class=\"at\">{}</span>", place_link(page, span)));
    }
    if let Some(trigger) = schema.get_trigger(copy.trigger) {
        let since = format!("<br>new rows since trigger `{}`", trigger.name);
        let (_, since) = since.split_at(4);
        let at = place_link(page, trigger.existence.origin().span);
        cell.push_str(&format!("<br>{} <span class=\"at\">{at}</span>", prose(since)));
    }
    cell.push_str("</td>");
    cell
}

/// How the objects that it touches change.
pub(super) fn schema(detail: &Detail, into: &mut dyn Write) -> io::Result<()> {
    let (before, after) = (objects(&detail.before.schema, detail), objects(&detail.after.schema, detail));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<&String> = names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    writeln!(
        into,
        "<details><summary>Schema before and after <span class=\"quiet\">{} changed</span></summary>",
        changed.len()
    )?;
    for name in changed.iter().take(OBJECTS) {
        let none = String::new();
        let (old, new) = (before.get(*name).unwrap_or(&none), after.get(*name).unwrap_or(&none));
        write!(into, "<h4>{}</h4><pre class=\"diff\" tabindex=\"0\">", text(name))?;
        for part in folded(&diff(old, new)) {
            match part {
                Part::Line(change, line) => {
                    let (class, sign) = match change {
                        Change::Same => ("same", ' '),
                        Change::Gone => ("gone", '-'),
                        Change::New => ("new", '+'),
                    };
                    write!(into, "<span class=\"{class}\">{sign} {}</span>", lines(line))?;
                }
                Part::Gap(count) => {
                    write!(into, "<span class=\"gap\">⋯ {} stay as they are</span>", counted(count, "line"))?
                }
            }
        }
        writeln!(into, "</pre>")?;
    }
    if changed.len() > OBJECTS {
        writeln!(into, "<p class=\"quiet\">{} further objects change.</p>", changed.len() - OBJECTS)?;
    }
    writeln!(into, "</details>")
}

/// A part of a difference as it is shown.
enum Part<'a> {
    Line(Change, &'a str),
    Gap(usize),
}

/// Without what is far from any change. The first line, which names the object, stays.
fn folded<'a>(lines: &[(Change, &'a str)]) -> Vec<Part<'a>> {
    let changed: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].0 != Change::Same).collect();
    let is_near = |at: usize| {
        let next = changed.partition_point(|change| *change < at);
        let before = next.checked_sub(1).map(|next| at - changed[next]);
        let after = changed.get(next).map(|change| change - at);
        at == 0 || before.into_iter().chain(after).any(|distance| distance <= CONTEXT)
    };
    let shown: Vec<bool> = (0..lines.len()).map(is_near).collect();
    let (mut parts, mut rest) = (Vec::new(), lines);
    for run in shown.chunk_by(|one, next| one == next) {
        let (these, later) = rest.split_at(run.len());
        rest = later;
        // A gap of one line takes as much place as the line.
        if run[0] || run.len() == 1 {
            parts.extend(these.iter().map(|(change, line)| Part::Line(*change, line)));
        } else {
            parts.push(Part::Gap(run.len()));
        }
    }
    parts
}

/// The text of each object by its name: tables with their constraints, indexes and triggers; views; functions.
fn objects(schema: &Schema, detail: &Detail) -> BTreeMap<String, String> {
    let mut objects = BTreeMap::new();
    for id in &detail.touched {
        if let Some(relation) = schema.get_relation(*id) {
            objects.insert(relation_name(schema, *id), relation_text(schema, relation));
        }
    }
    for function in schema.functions() {
        if let Some(text) = statement::create_function(function, false) {
            let arguments = crate::schema::definition::arguments(&function.arguments);
            objects.insert(format!("{}({arguments})", function.name), text);
        }
    }
    objects
}

fn relation_text(schema: &Schema, relation: &Relation) -> String {
    let mut text = match &relation.kind {
        RelationKind::Table(table) => {
            let made = statement::create_table(schema, relation, table)
                .unwrap_or_else(|| format!("FOREIGN TABLE {}", relation.name));
            let place = statement::attach(schema, relation, table);
            std::iter::once(made).chain(place).collect::<Vec<_>>().join("\n")
        }
        RelationKind::View(view) => statement::create_view(relation, view),
        RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => String::new(),
    };
    let mut parts = Vec::new();
    for row in schema.constraints_of(relation.id) {
        let in_table = matches!(row.kind, ConstraintRow::NotNull)
            || matches!(row.kind, ConstraintRow::Check { .. }) && row.validated;
        if !in_table {
            parts.push(format!("CONSTRAINT {} {}", row.name, constraint_definition(schema, row)));
        }
    }
    for index in schema.relations().filter(|one| one.as_index().is_some_and(|index| index.table == relation.id)) {
        if let Some(found) = index.as_index() {
            let unique = if found.unique { "UNIQUE " } else { "" };
            parts.push(format!("{unique}INDEX {} {}", index.name.name, index_body(schema, found, "")));
        }
    }
    parts.extend(schema.triggers_of(relation.id).into_iter().map(|trigger| statement::create_trigger(schema, trigger)));
    parts.sort();
    for part in parts {
        text.push('\n');
        text.push_str(&part);
    }
    text
}
