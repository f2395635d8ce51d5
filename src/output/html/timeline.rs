//! The steps of a migration: which locks each takes on which table and how long they are held, what takes long, where a
//! transaction begins and ends.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Page;
use super::escape::{prose, text};
use super::listing::line_id;
use crate::operation::{FrameKind, LockMode};
use crate::output::text::counted;
use crate::report::{Detail, InTransaction, StepDetail, WorkKind};

/// Steps and tables drawn as bars; a table of more cannot be taken in.
const COLUMNS: usize = 60;
const ROWS: usize = 40;
/// Steps told one by one.
const STEPS: usize = 120;
/// Characters of a statement's first line.
const STATEMENT: usize = 140;

pub(super) fn write(page: &Page<'_>, detail: &Detail, id: &str, into: &mut dyn Write) -> io::Result<()> {
    if detail.steps.is_empty() {
        return Ok(());
    }
    let all = detail.steps.len() + detail.further_steps;
    writeln!(into, "<details open><summary>Steps and locks <span class=\"quiet\">")?;
    writeln!(into, "{}, as PostgreSQL {} does them</span></summary>", counted(all, "step"), detail.major)?;
    bars(detail, id, into)?;
    steps(page, detail, id, into)?;
    stops(detail, into)?;
    writeln!(into, "</details>")
}

/// Steps that become visible together; such as stand alone one after the other are told together.
fn units(steps: &[StepDetail]) -> Vec<&[StepDetail]> {
    let alone = |step: &StepDetail| step.transaction == InTransaction::No;
    steps.chunk_by(|one, next| alone(one) && alone(next) || one.unit == next.unit).collect()
}

fn unit_words(unit: &[StepDetail]) -> &'static str {
    match unit.first().map(|step| step.transaction) {
        Some(InTransaction::Implied) => "one transaction, the runner's",
        Some(InTransaction::Written) => "one transaction",
        Some(InTransaction::No) | None if unit.len() > 1 => "each by itself, outside of any transaction",
        Some(InTransaction::No) | None => "by itself, outside of any transaction",
    }
}

/// One row for each table, one column for each step.
fn bars(detail: &Detail, id: &str, into: &mut dyn Write) -> io::Result<()> {
    let steps = &detail.steps[..detail.steps.len().min(COLUMNS)];
    let held = held(steps);
    if held.is_empty() {
        return writeln!(into, "<p class=\"quiet\">No step takes a lock on a table that others use.</p>");
    }
    writeln!(
        into,
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Locks by table and step\"><table class=\"locks\">"
    )?;
    write!(into, "<thead><tr><td></td>")?;
    for unit in units(steps) {
        let words = if unit.len() > 2 { unit_words(unit) } else { "" };
        write!(into, "<th class=\"unit\" colspan=\"{}\" title=\"{}\">{words}</th>", unit.len(), unit_words(unit))?;
    }
    write!(into, "</tr>\n<tr><th scope=\"col\">table \\ step</th>")?;
    for (at, step) in steps.iter().enumerate() {
        let first = at == 0 || steps[at - 1].unit != step.unit;
        let class = if first { " class=\"first\"" } else { "" };
        write!(into, "<th scope=\"col\"{class}><a href=\"#{id}s{at}\">{}</a></th>", at + 1)?;
    }
    writeln!(into, "</tr></thead>\n<tbody>")?;
    for (table, row) in held.iter().take(ROWS) {
        write!(into, "<tr><th scope=\"row\">{}</th>", text(table))?;
        for (at, cell) in row.iter().enumerate() {
            let first = if at == 0 || steps[at - 1].unit != steps[at].unit { " first" } else { "" };
            match cell {
                None => write!(into, "<td class=\"none{first}\"></td>")?,
                Some(lock) => lock.write(first, into)?,
            }
        }
        writeln!(into, "</tr>")?;
    }
    writeln!(into, "</tbody></table></div>")?;
    let (rows, columns) = (held.len().saturating_sub(ROWS), detail.steps.len() + detail.further_steps - steps.len());
    if rows + columns > 0 {
        writeln!(
            into,
            "<p class=\"quiet\">{} and {} are not drawn.</p>",
            counted(rows, "further table"),
            counted(columns, "further step")
        )?;
    }
    legend(into)
}

fn legend(into: &mut dyn Write) -> io::Result<()> {
    let entries = [
        ("ax", "AX", "reads and writes wait"),
        ("w", "SRX", "writes wait"),
        ("s", "SUX", "only other schema changes wait"),
        ("r", "RX", "ordinary"),
        ("ax work", "AX", "long work under it"),
        ("ax held", "AX", "held until its transaction ends"),
    ];
    write!(into, "<p class=\"legend\">")?;
    for (class, short, words) in entries {
        write!(into, "<span><span class=\"lk {class}\">{short}</span> {words}</span> ")?;
    }
    writeln!(into, "</p>")
}

/// A lock at one step.
#[derive(Clone, Copy)]
struct Held {
    mode: LockMode,
    taken: bool,
    works: bool,
}

impl Held {
    fn write(self, first: &str, into: &mut dyn Write) -> io::Result<()> {
        let taken = if self.taken { "" } else { " held" };
        let works = if self.works { " work" } else { "" };
        let short = if self.taken { short(self.mode) } else { "" };
        let told = if self.taken { "taken" } else { "still held" };
        let long = if self.works { ", while the table is worked through" } else { "" };
        write!(
            into,
            "<td class=\"lk {}{taken}{works}{first}\" title=\"{} {told}{long}\">{short}</td>",
            class(self.mode),
            self.mode
        )
    }
}

/// The strongest lock on each table at each step; in a transaction it is held to the end.
fn held(steps: &[StepDetail]) -> BTreeMap<&str, Vec<Option<Held>>> {
    let mut rows: BTreeMap<&str, Vec<Option<Held>>> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let until = match step.transaction {
            InTransaction::No => at + 1,
            _ => steps.iter().skip(at).position(|later| later.unit != step.unit).map_or(steps.len(), |more| at + more),
        };
        for (table, mode) in step.locks.iter().filter(|(_, mode)| *mode > LockMode::RowShare) {
            let works = step.work.iter().any(|work| work.relation == *table);
            let row = rows.entry(table).or_insert_with(|| vec![None; steps.len()]);
            for (cell, place) in row[at..until].iter_mut().zip(at..) {
                let stronger = cell.is_none_or(|known| known.mode < *mode);
                if stronger {
                    *cell = Some(Held { mode: *mode, taken: place == at, works: place == at && works });
                } else if let Some(known) = cell.as_mut().filter(|_| place == at) {
                    known.works |= works;
                }
            }
        }
    }
    rows
}

fn class(mode: LockMode) -> &'static str {
    if mode.blocks_reads() {
        "ax"
    } else if mode.blocks_writes() {
        "w"
    } else if mode >= LockMode::ShareUpdateExclusive {
        "s"
    } else {
        "r"
    }
}

/// As people abbreviate them.
fn short(mode: LockMode) -> &'static str {
    match mode {
        LockMode::AccessShare => "AS",
        LockMode::RowShare => "RS",
        LockMode::RowExclusive => "RX",
        LockMode::ShareUpdateExclusive => "SUX",
        LockMode::Share => "S",
        LockMode::ShareRowExclusive => "SRX",
        LockMode::Exclusive => "X",
        LockMode::AccessExclusive => "AX",
    }
}

fn waits(mode: LockMode) -> &'static str {
    match class(mode) {
        "ax" => "reads and writes wait",
        "w" => "writes wait",
        "s" => "other schema changes wait",
        _ => "nothing ordinary waits",
    }
}

/// What is left where it ends half way.
fn stops(detail: &Detail, into: &mut dyn Write) -> io::Result<()> {
    if detail.stops.is_empty() {
        return Ok(());
    }
    writeln!(into, "<h4>If it stops half way</h4><ul class=\"stops\">")?;
    for stop in &detail.stops {
        writeln!(into, "<li>{}</li>", prose(stop))?;
    }
    writeln!(into, "</ul>")
}

fn steps(page: &Page<'_>, detail: &Detail, id: &str, into: &mut dyn Write) -> io::Result<()> {
    let shown = &detail.steps[..detail.steps.len().min(STEPS)];
    let mut at = 0;
    writeln!(into, "<div class=\"units\">")?;
    for unit in units(shown) {
        let alone = if unit.iter().all(|step| step.transaction == InTransaction::No) { " alone" } else { "" };
        let start = at + 1;
        writeln!(
            into,
            "<div class=\"unit{alone}\"><p class=\"unit-head\">{}</p><ol class=\"steps\" start=\"{start}\">",
            unit_words(unit)
        )?;
        for step in unit {
            writeln!(into, "<li id=\"{id}s{at}\">{}</li>", told(page, step))?;
            at += 1;
        }
        writeln!(into, "</ol></div>")?;
    }
    writeln!(into, "</div>")?;
    let rest = detail.steps.len() + detail.further_steps - shown.len();
    if rest > 0 {
        writeln!(into, "<p class=\"quiet\">{} not told.</p>", counted(rest, "further step"))?;
    }
    Ok(())
}

fn told(page: &Page<'_>, step: &StepDetail) -> String {
    let span = step.origin.span;
    let first = page.sources.text(span).lines().next().unwrap_or_default().trim();
    let cut: String = first.chars().take(STATEMENT).collect();
    let rest = if cut.len() < page.sources.text(span).trim().len() { " …" } else { "" };
    let line = page.sources.start(span).line;
    let mut told = format!(
        "<a class=\"line\" href=\"#{}\">line {line}</a> <code>{}{rest}</code><br>",
        line_id(page.sources, span),
        text(&cut)
    );
    for chip in chips(step) {
        told.push_str(&format!("<span class=\"chip {}\">{}</span> ", chip.0, text(&chip.1)));
    }
    let mut modes: BTreeMap<Reverse<LockMode>, Vec<String>> = BTreeMap::new();
    for (table, mode) in step.locks.iter().filter(|(_, mode)| *mode >= LockMode::ShareUpdateExclusive) {
        modes.entry(Reverse(*mode)).or_default().push(format!("<code>{}</code>", text(table)));
    }
    for (Reverse(mode), tables) in modes {
        let (class, on, waits) = (class(mode), tables.join(", "), waits(mode));
        told.push_str(&format!(
            "<span class=\"lock\"><span class=\"lk {class}\">{mode}</span> on {on}: {waits}</span> "
        ));
    }
    told
}

/// What is to be known of a step: class and words.
fn chips(step: &StepDetail) -> Vec<(&'static str, String)> {
    let mut chips: Vec<(&'static str, String)> = Vec::new();
    if let Some(failure) = &step.failure {
        chips.push(("refused", format!("PostgreSQL refuses it: {failure}")));
    }
    let mut work: BTreeMap<WorkKind, Vec<&str>> = BTreeMap::new();
    for one in &step.work {
        work.entry(one.kind).or_default().push(&one.relation);
    }
    chips.extend(work.into_iter().map(|(kind, tables)| ("long", format!("{} {}", kind.words(), tables.join(", ")))));
    if step.failure.is_none() && step.work.is_empty() && !step.locks.is_empty() {
        chips.push(("instant", "instant".to_owned()));
    }
    if !step.depends_on.is_empty() {
        chips.push(("data", format!("can fail on the rows of {}", step.depends_on.join(", "))));
    }
    if step.waits_for_all {
        chips.push(("long", "waits for all transactions that run".to_owned()));
    }
    if !step.certain {
        chips.push(("data", "not known whether it runs".to_owned()));
    }
    for frame in step.origin.frames.iter() {
        let words = match &frame.kind {
            FrameKind::DoBlock => "in a DO block".to_owned(),
            FrameKind::Loop(Some(value)) => format!("in a loop, for {value}"),
            FrameKind::Loop(None) => "in a loop".to_owned(),
            FrameKind::Undecided => "under a condition".to_owned(),
            FrameKind::Dynamic => "from a text made at run time".to_owned(),
            FrameKind::Method(name) => format!("by the method {name}"),
            FrameKind::Helper(name) => format!("by {name}"),
            FrameKind::Function(name) => format!("in {name}()"),
        };
        chips.push(("quiet", words));
    }
    chips
}
