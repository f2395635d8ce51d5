//! Migrations that are shipped and changed since: what databases that ran them have, and new ones do not.

use super::alike::Renamed;
use super::back::is_wider;
use super::in_order::in_order;
use super::{bare, say};
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{AfterEdit, Framework, HardlyRan, UsualEdits};
use crate::operation::Ident;
use crate::schema::Schema;
use crate::schema::difference::{Aspect, Change, ChangeKind, statements};
use crate::source::Span;

/// Places of one finding that are named; the message counts all.
const MOST_NAMED: usize = 50;

/// A shipped migration whose text is another now.
#[derive(Debug)]
pub struct Edit<'a> {
    pub at: MigrationRef,
    /// Where its text begins to differ.
    pub place: Span,
    pub shipped: Option<Span>,
    /// Where others begin to differ of which all of it can be said too.
    pub also: &'a [Span],
    pub framework: Framework,
    pub after_edit: AfterEdit,
    /// How usual it is here that shipped files are edited.
    pub usual: Option<UsualEdits>,
    /// The table of which the shipped text fails wherever it holds a row.
    pub fails_on_rows: Option<String>,
    /// A comment says that no production has it yet.
    pub said_unreleased: Option<Span>,
    /// A tag by which the project releases holds the shipped text.
    pub is_released: bool,
    pub only_format: bool,
    /// What brings a database that has run it to the schema of a new one.
    pub changes: &'a [Change],
    /// The same from where it had stopped, with where that is.
    pub stops: &'a [(String, Vec<Change>)],
    pub certain: bool,
    /// Tables that the shipped text drops and the new one does not.
    pub dropped: &'a [String],
    /// What both have, under two names.
    pub renames: &'a [Renamed],
    /// All that databases keep are indexes, and a comment of the new text says how to make them.
    pub left_to_readers: bool,
    /// Why hardly a database has run the shipped text.
    pub hardly_ran: Option<&'a HardlyRan>,
    /// New databases are made from this dump, which the change leaves as it was.
    pub kept_dump: Option<&'a str>,
    /// What databases have that ran it, where something is to be said of that.
    pub there: Option<&'a Schema>,
}

/// `shipped-migration-edited`: `None` where nobody notices.
pub fn edited(edit: &Edit<'_>, severity: Severity) -> Option<Finding> {
    let runner = edit.framework.name();
    let (its, it_was) = match edit.also.len() {
        0 => ("its text".to_owned(), "it was"),
        1 => ("its text and that of another one".to_owned(), "they were"),
        more => (format!("its text and those of {more} others"), "they were"),
    };
    // The application's code may turn it off, which is not read.
    let unless = if edit.framework == Framework::Flyway { " (unless its `validateOnMigrate` is off)" } else { "" };
    let of_runner = match edit.after_edit {
        AfterEdit::Nothing => None,
        _ if edit.is_taken() && !edit.changes.is_empty() => None,
        AfterEdit::RefusesOtherWords if edit.only_format => None,
        AfterEdit::Refuses | AfterEdit::RefusesOtherLines | AfterEdit::RefusesOtherWords => Some(format!(
            "{its} changed after {it_was} shipped: {runner} compares checksums{unless}, and runs nothing any more where \
             {it_was} applied"
        )),
        AfterEdit::RunsAgain => Some(format!(
            "{its} changed after {it_was} shipped: where {it_was} applied, {runner} runs the downs that it has kept, and \
             then the new ups"
        )),
    };
    let mut all: Vec<Change> = Vec::new();
    for change in edit.changes.iter().chain(edit.stops.iter().flat_map(|(_, changes)| changes)) {
        if !all.iter().any(|known| known.name == change.name && known.kind == change.kind) {
            all.push(change.clone());
        }
    }
    if of_runner.is_none() && all.is_empty() {
        return None;
    }
    let differs = differences(if edit.changes.is_empty() { &all } else { edit.changes });
    let message = match (&of_runner, edit.changes.is_empty()) {
        (Some(message), _) => message.clone(),
        (None, false) => format!("its text changed after it was shipped: databases that ran it {differs}"),
        (None, true) => {
            format!("its text changed after it was shipped: databases on which it stopped half way {differs}")
        }
    };
    let mut finding = bare("shipped-migration-edited", severity, Some(edit.at), edit.place, "edited", message);
    if let Some(shipped) = edit.shipped {
        let told = of_runner.is_some() && !edit.changes.is_empty();
        let text =
            if told { format!("databases that ran this text {differs}") } else { "the text as shipped".to_owned() };
        finding.because(shipped, text);
    }
    for place in edit.also.iter().take(MOST_NAMED) {
        finding.because(*place, "changed too");
    }
    for change in &all {
        finding.object(&change.name);
    }
    for (words, changes) in edit.stops {
        finding.stops.push(format!("{words}: such databases {}", differences(changes)));
    }
    finding.if_certain(edit.certain || of_runner.is_some());
    finding.instead(match (edit.only_format, of_runner.is_some() || all.is_empty()) {
        (true, _) => "-- bring back the shipped text: what differs does nothing".to_owned(),
        (_, true) => way_out("-- bring back the shipped text, and say the rest in a new migration", &all, edit.there),
        // A shipped text that failed where rows stood in its way is better mended than brought back.
        (_, false) => converge(&all, edit.dropped, edit.renames, edit.there),
    });
    if !all.is_empty() && of_runner.is_none() && all.iter().all(is_wider_there) {
        // Whatever is written to the others is taken there too.
        finding.severity = finding.severity.min(Severity::Warning);
    }
    if of_runner.is_none() {
        if_only_names(&mut finding, &all);
        if !edit.changes.is_empty() && edit.changes.iter().all(|change| change.object == "extension") {
            finding.severity = finding.severity.min(Severity::Note);
        }
    }
    if_usual(&mut finding, edit, of_runner.is_some());
    if let Some(table) = &edit.fails_on_rows {
        finding.message.push_str(&format!(
            "; the shipped text fails wherever `{table}` holds a row, so that it ran only where that is empty"
        ));
        finding.severity = finding.severity.min(Severity::Note);
    }
    if_said_unreleased(&mut finding, edit.said_unreleased);
    if_hardly_ran(&mut finding, edit.hardly_ran);
    if edit.left_to_readers {
        // Whoever wants it has it, and is told how.
        finding.severity = finding.severity.min(Severity::Note);
    }
    if let Some(dump) = edit.kept_dump.filter(|_| of_runner.is_none()) {
        agrees_with_dump(&mut finding, dump);
    }
    Some(finding)
}

impl Edit<'_> {
    /// The runner has no command that makes a checksum good, and edits are usual all the same: the code around it has it
    /// take them.
    fn is_taken(&self) -> bool {
        let by_hand = matches!(self.framework, Framework::Flyway | Framework::Liquibase);
        let refuses = !matches!(self.after_edit, AfterEdit::Nothing | AfterEdit::RunsAgain);
        self.usual.is_some() && refuses && !by_hand
    }
}

/// Where edits are usual, those who run them are taken to know what they do, unless a release has brought the shipped
/// text to databases that nobody here knows.
fn if_usual(finding: &mut Finding, edit: &Edit<'_>, of_runner: bool) {
    let Some(usual) = edit.usual else { return };
    let is_known = if of_runner { edit.is_taken() } else { !edit.is_released };
    if is_known {
        finding.message.push_str(&format!("; {}", usual.words()));
        finding.severity = finding.severity.min(Severity::Note);
    }
}

/// What rests on a text that hardly a database has run is worth a note.
pub fn if_hardly_ran(finding: &mut Finding, why: Option<&HardlyRan>) {
    if let Some(why) = why {
        finding.message.push_str("; ");
        finding.message.push_str(&why.words());
        finding.severity = finding.severity.min(Severity::Note);
    }
}

/// Whoever writes that no production has it knows more than the files show.
pub fn if_said_unreleased(finding: &mut Finding, said: Option<Span>) {
    if let Some(said) = said {
        finding.because(said, "this comment says that no production has it yet, or keeps what it holds");
        finding.severity = finding.severity.min(Severity::Note);
    }
}

/// Nobody says along which search_path the connection looks for a name that stands alone.
pub fn if_in_path(finding: &mut Finding, schema: &Ident) {
    finding.message.push_str(&format!("; not where `{schema}` is in the search_path of the connection"));
    finding.severity = finding.severity.min(Severity::Note);
}

/// Only where a connection looks for names that stand alone makes the difference.
pub fn hangs_on_path(finding: &mut Finding, schema: &Ident) {
    finding.message.push_str(&format!("; with `{schema}` first in the search_path both texts come to the same"));
    finding.severity = finding.severity.min(Severity::Note);
}

/// The same indexes under other names serve the same queries: only who names one notices.
fn if_only_names(finding: &mut Finding, changes: &[Change]) {
    if changes.iter().all(|change| change.object == "index" && change.aspect == Aspect::Name) {
        finding.severity = finding.severity.min(Severity::Note);
    }
}

/// Databases that ran the shipped text and those made from the dump are alike: what a replay from the first migration
/// makes is nobody's, and to bring the others there would break them.
fn agrees_with_dump(finding: &mut Finding, dump: &str) {
    finding.message.push_str(&format!(
        "; `{dump}` is unchanged: databases made from it agree with them, and \
         only a replay of all migrations ends otherwise"
    ));
    finding.severity = finding.severity.min(Severity::Note);
    finding.instead(format!(
        "-- nothing for the databases; for those who replay all migrations, let them make what `{dump}` shows"
    ));
}

/// Shipped migrations that the work tree lacks.
#[derive(Debug)]
pub struct Gone<'a> {
    pub places: &'a [(MigrationRef, Span)],
    pub framework: Framework,
    /// Why hardly a database has run any of them.
    pub hardly_ran: Option<&'a HardlyRan>,
    /// A comment says that no production has them yet.
    pub said_unreleased: Option<Span>,
    /// New databases are made from this dump, which the change leaves as it was.
    pub kept_dump: Option<&'a str>,
    /// What databases have that ran them.
    pub there: Option<&'a Schema>,
    /// The change writes all that they made into a file of its own.
    pub taken_over: Option<(&'a str, Span)>,
}

/// `shipped-migration-deleted`: one finding for all that a history lost.
pub fn deleted(gone: &Gone<'_>, changes: &[Change], severity: Severity) -> Option<Finding> {
    let Gone { places, framework, hardly_ran, said_unreleased, kept_dump, there, taken_over } = *gone;
    let ((at, place), rest) = places.split_first()?;
    let (gone, it) = match rest.len() {
        0 => (" is gone".to_owned(), "it"),
        1 => (" and one more are gone".to_owned(), "them"),
        count => (format!(" and {count} more are gone"), "them"),
    };
    let mut message = format!("this shipped migration{gone}: databases that ran {it} {}", differences(changes));
    message.push_str(&if_missing(framework, it));
    let mut finding = bare("shipped-migration-deleted", severity, Some(*at), *place, "deleted", message);
    for change in changes {
        finding.object(&change.name);
    }
    for (_, place) in rest.iter().take(5) {
        finding.because(*place, "gone too");
    }
    // With the file, new databases have what it made too: what takes it back runs on both.
    let (file, it) = if rest.is_empty() { ("the file", "it") } else { ("the files", "them") };
    let left: Vec<Change> = changes.iter().filter(|change| change.kind == ChangeKind::Extra).cloned().collect();
    let bring = format!("-- bring {file} back as shipped");
    finding.instead(match left.is_empty() {
        true => bring,
        false => way_out(&format!("{bring}; what is not wanted of {it}, take back in a new migration"), &left, there),
    });
    if_only_names(&mut finding, changes);
    if let Some((path, file)) = taken_over {
        finding.message.push_str(&format!(
            "; all of it stands in `{path}`, which this change writes: new databases begin with that"
        ));
        finding.because(file, "what they made stands here");
        finding.severity = finding.severity.min(Severity::Note);
        finding.instead(
            "-- nothing where all databases have run them; otherwise say which release must be installed first",
        );
    }
    if_said_unreleased(&mut finding, said_unreleased);
    if_hardly_ran(&mut finding, hardly_ran);
    if let Some(dump) = kept_dump {
        agrees_with_dump(&mut finding, dump);
    }
    Some(finding)
}

/// What a runner says to a migration that ran and whose file it does not find.
fn if_missing(framework: Framework, them: &str) -> String {
    match framework {
        Framework::Sqlx | Framework::Refinery => {
            format!("; {} runs nothing any more where it misses {them}", framework.name())
        }
        Framework::Flyway => format!("; Flyway runs nothing any more where it misses {them} below a newer one"),
        _ => String::new(),
    }
}

/// The same rule: its text stands under another version now, which databases have not run.
pub fn renumbered(
    all: &[(MigrationRef, Span, String)],
    (hardly_ran, said_unreleased): (Option<&HardlyRan>, Option<Span>),
    severity: Severity,
) -> Option<Finding> {
    let ((at, place, fails), rest) = all.split_first()?;
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    let message = format!(
        "this shipped migration{more} has another version now: databases that ran it run it once more, {fails}"
    );
    let mut finding = bare("shipped-migration-deleted", severity, Some(*at), *place, "renumbered", message);
    for (_, place, fails) in rest.iter().take(5) {
        finding.because(*place, format!("runs once more too, {fails}"));
    }
    finding.instead(
        "give the file its shipped version back; where newer ones ran before it, guard what it does (IF NOT EXISTS)",
    );
    if_said_unreleased(&mut finding, said_unreleased);
    if_hardly_ran(&mut finding, hardly_ran);
    Some(finding)
}

fn is_wider_there(change: &Change) -> bool {
    matches!(&change.aspect, Aspect::Type { now, then } if is_wider(now, then))
}

/// What makes databases of both texts alike, as far as that is worth it.
fn converge(changes: &[Change], dropped: &[String], renames: &[Renamed], there: Option<&Schema>) -> String {
    let is_of = |change: &Change, table: &String| {
        let own = change.name.strip_prefix(table.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let on = |sql: &str| {
            let named = format!(" {table}");
            let mut rest = sql.split(&named).skip(1);
            rest.any(|rest| !rest.starts_with(|one: char| one.is_alphanumeric() || one == '_' || one == '.'))
        };
        own || change.repairs.iter().any(|repair| on(&repair.sql))
    };
    let is_gone =
        |change: &&Change| change.kind == ChangeKind::Missing && dropped.iter().any(|table| is_of(change, table));
    let is_renamed = |change: &Change| renames.iter().any(|one| one.covers(change));
    let told = changes.iter().filter(|change| !is_gone(change) && !is_wider_there(change) && !is_renamed(change));
    let told: Vec<Change> = told.cloned().collect();
    let mut parts = Vec::new();
    if !renames.is_empty() {
        parts.push("-- for what has run the shipped text, in a new migration, so that the rows stay".to_owned());
        parts.extend(renames.iter().map(|one| format!("{};", one.sql)));
    }
    if !told.is_empty() {
        let words = "-- for what has run the shipped text, in a new migration".to_owned();
        if told.iter().any(|change| matches!(change.aspect, Aspect::Type { .. })) {
            parts.push(format!(
                "{words} (a change of type may rewrite the table, which nothing else gets at meanwhile)"
            ));
        } else {
            parts.push(words);
        }
        // What is renamed first has other names then.
        let there = there.filter(|_| renames.is_empty());
        parts.push(way_out("", &told, there).trim_start().to_owned());
    }
    for change in changes.iter().filter(|change| is_wider_there(change)) {
        parts.push(format!(
            "-- `{}`: leave it; the wider type takes all that is written, and narrowing it rewrites the table",
            say::changed(change)
        ));
    }
    if !dropped.is_empty() {
        parts.push(
            "-- for the others, in a new migration: where the shipped text ran, the rows are gone for good".to_owned(),
        );
        parts.extend(dropped.iter().map(|table| format!("DROP TABLE IF EXISTS {table};")));
    }
    parts.join("\n")
}

fn way_out(words: &str, changes: &[Change], there: Option<&Schema>) -> String {
    let statements = statements(changes);
    let (statements, stuck) = match there {
        Some(there) => in_order(statements, there),
        None => (statements, Vec::new()),
    };
    let refused: String = stuck.iter().map(|one| format!("\n{}", one.words())).collect();
    if statements.is_empty() {
        return format!("{words}{refused}");
    }
    let alone = statements.len() > 1 && statements.iter().any(|sql| sql.contains(" INDEX CONCURRENTLY "));
    let alone = if alone {
        "\n-- (what is CONCURRENTLY: each in a file of its own that runs outside of a transaction)"
    } else {
        ""
    };
    format!("{words}{alone}\n{}{refused}", statements.join("\n"))
}

/// What a database has that must not be there, lacks, or has in another form.
pub fn differences(changes: &[Change]) -> String {
    const TOLD: usize = 4;
    // A key takes its index's name.
    let is_kept = |change: &Change| {
        let name = |one: &Change| one.name.rsplit('.').next().map(str::to_owned);
        let is_key = |one: &Change| one.kind == ChangeKind::Extra && one.object == "constraint";
        change.object == "index" && changes.iter().any(|one| is_key(one) && name(one) == name(change))
    };
    let of = |kind: ChangeKind| {
        let named = changes.iter().filter(move |change| change.kind == kind);
        let named = named.filter(|change| !(kind == ChangeKind::Missing && is_kept(change)));
        // Functions may share a name, and it is the arguments that say which is meant.
        named.map(|change| format!("{} `{}`", change.object, say::short(&change.name))).collect::<Vec<_>>()
    };
    let mut parts = Vec::new();
    for (verb, names) in [("keep", of(ChangeKind::Extra)), ("lack", of(ChangeKind::Missing))] {
        if !names.is_empty() {
            parts.push(format!("{verb} {}", list(&names, TOLD)));
        }
    }
    let other = changes.iter().filter(|change| change.kind == ChangeKind::Differs);
    let other: Vec<String> =
        other.map(|change| format!("{} `{}` {}", change.object, say::changed(change), change.text)).collect();
    if !other.is_empty() {
        parts.push(format!("differ: in them {}", list(&other, TOLD)));
    }
    parts.join("; ")
}

pub fn list(names: &[String], most: usize) -> String {
    match names.len().checked_sub(most) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..most].join(", ")),
        _ => names.join(", "),
    }
}
