//! Entries become migrations: texts enter the sources, sections are told apart, scripts are read.

use std::path::Path;

use super::entries::{Entries, Entry, Marks};
use super::layout::Layout;
use super::texts::Texts;
use super::walk::Found;
use crate::history::{Migration, UnreadFile};
use crate::operation::{Comment, Script};
use crate::read::dialect::{Spoken, spoken};
use crate::read::sql;
use crate::source::{Piece, PieceBuilder, SourceId, Sources};

/// A migration with the files it came from.
#[derive(Debug)]
pub struct Draft {
    pub migration: Migration,
    pub up: Found,
    pub down: Option<Found>,
}

/// A history whose order and judging are still open.
#[derive(Debug)]
pub struct DraftHistory {
    pub layout: Layout,
    pub has_down: bool,
    pub has_gaps: bool,
    pub drafts: Vec<Draft>,
    pub unread: Vec<UnreadFile>,
    pub remarks: Vec<String>,
    /// A database that all files are written for, where that is not PostgreSQL.
    pub other_database: Option<&'static str>,
}

/// Reads a layout's files.
pub fn assemble(layout: Layout, root: &Path, texts: &mut Texts, sources: &mut Sources) -> DraftHistory {
    let context = super::entries::Context { layout: &layout, texts, root };
    let Entries { entries, unread, remarks, has_down, has_gaps } = super::entries::entries(context);
    let unread = unread.into_iter().map(|(path, reason)| UnreadFile { path, span: None, reason, judged: true });
    let mut history = DraftHistory {
        layout,
        has_down,
        has_gaps,
        drafts: Vec::with_capacity(entries.len()),
        unread: unread.collect(),
        remarks,
        other_database: None,
    };
    history.other_database = other_database(&entries, texts);
    if history.other_database.is_none() {
        for entry in entries {
            history.read(entry, texts, sources);
        }
    }
    history
}

/// The other database that files are written for, where none says PostgreSQL. A few that only look foreign
/// among many that anybody takes decide nothing.
fn other_database(entries: &[Entry], texts: &mut Texts) -> Option<&'static str> {
    let (mut other, mut others, mut read) = (None, 0, 0);
    for entry in entries {
        let text = texts.get(&entry.up);
        let Ok(text) = (*text).as_ref() else { continue };
        match spoken(&text.text) {
            Spoken::Postgres => return None,
            Spoken::Other(database) => {
                other = other.or(Some(database));
                others += 1;
            }
            Spoken::Anybody => {}
        }
        read += 1;
    }
    other.filter(|_| others * 5 >= read)
}

impl DraftHistory {
    fn read(&mut self, entry: Entry, texts: &mut Texts, sources: &mut Sources) {
        let Some(source) = self.source(&entry.up, texts, sources) else { return };
        let whole = sources.piece(source);
        let (up, down) = match (entry.sections, &entry.down) {
            (Some(marks), _) => {
                let (up, down) = sections(&whole, marks);
                (up, Some(down))
            }
            (None, Some(down)) => {
                let down = self.source(down, texts, sources);
                (whole, down.map(|down| sources.piece(down)))
            }
            (None, None) => (whole, None),
        };
        let (up, mut comments) = script(&up);
        let down = down.map(|down| {
            let (script, more) = script(&down);
            comments.extend(more);
            script
        });
        let migration = Migration {
            version: entry.version,
            name: entry.name,
            source,
            up,
            // A section without a statement undoes nothing.
            down: down.filter(|down| entry.sections.is_none() || !down.nodes.is_empty()),
            transaction: entry.unit,
            judged: true,
            release: None,
            comments,
            repeatable: entry.repeatable,
        };
        self.drafts.push(Draft { migration, up: entry.up, down: entry.down });
    }

    fn source(&mut self, file: &Found, texts: &mut Texts, sources: &mut Sources) -> Option<SourceId> {
        match &*texts.get(file) {
            Ok(text) => Some(sources.add(file.path.as_str(), text.text.as_str())),
            Err(reason) => {
                let (path, reason) = (file.path.clone(), reason.clone());
                self.unread.push(UnreadFile { path, span: None, reason, judged: true });
                None
            }
        }
    }
}

/// Reads a piece of SQL.
pub fn script(piece: &Piece) -> (Script, Vec<Comment>) {
    let text = sql::read(piece);
    (Script { nodes: text.nodes }, text.comments)
}

/// A file's part that runs forward, with what stands before the first mark, and the part that undoes it.
fn sections(whole: &Piece, marks: Marks) -> (Piece, Piece) {
    let text = whole.text();
    let (mut up, mut down) = (PieceBuilder::new(whole.source()), PieceBuilder::new(whole.source()));
    let mut is_down = false;
    let mut from = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mark = line.trim_start().strip_prefix("--").map(|comment| comment.trim().to_ascii_lowercase());
        let turned = mark.and_then(|mark| turns_down(&mark, marks)).filter(|down| *down != is_down);
        if let Some(down_now) = turned {
            if is_down { &mut down } else { &mut up }.copy(whole, from..at);
            (is_down, from) = (down_now, at);
        }
        at += line.len();
    }
    if is_down { &mut down } else { &mut up }.copy(whole, from..at);
    (up.finish(), down.finish())
}

fn turns_down(comment: &str, marks: Marks) -> Option<bool> {
    let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let is = |mark: &str| comment.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if is(marks.down) { Some(true) } else { is(marks.up).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::super::entries::Marks;
    use super::*;

    #[test]
    fn sections_keep_their_places() {
        let text = "-- head\n-- +goose Up\na;\n\n--  +goose Down\nb;\n";
        let mut sources = Sources::default();
        let id = sources.add("1.sql", text);
        let (up, down) = sections(&sources.piece(id), Marks { up: "+goose up", down: "+goose down" });
        assert_eq!(up.text(), "-- head\n-- +goose Up\na;\n\n");
        assert_eq!(down.text(), "--  +goose Down\nb;\n");
        let at = down.text().find("b;").unwrap();
        assert_eq!(sources.text(down.span(at..at + 2)), "b;");
        let (_, none) = sections(&sources.piece(id), Marks { up: "migrate:up", down: "migrate:down" });
        assert_eq!(none.text(), "");
    }
}
