//! Entries become migrations: texts enter the sources, sections are told apart, scripts are read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::layout::Layout;
use super::place::named;
use super::runner::{self, Entries, Entry};
use super::template::Placeholders;
use super::texts::Texts;
use super::walk::Found;
use crate::history::{Framework, Migration, UnreadFile};
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
    /// Its own text where a file holds several, line ends as git stores them.
    pub part: Option<String>,
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
    /// Files that are among the sources: one may hold several migrations.
    known: BTreeMap<String, SourceId>,
    placeholders: Placeholders,
}

/// Reads a layout's files.
///
/// `placeholders` are those that the settings give values to.
pub fn assemble(
    layout: Layout,
    root: &Path,
    placeholders: &BTreeMap<String, String>,
    texts: &mut Texts,
    sources: &mut Sources,
) -> DraftHistory {
    let context = runner::Context { layout: &layout, texts, root };
    let found = runner::entries(context);
    let Entries { entries, unread, remarks, has_down, has_gaps, other_database, placeholders: mut values } = found;
    values.extend(placeholders.clone());
    let unread = unread.into_iter().map(|(path, reason)| UnreadFile { path, span: None, reason, judged: true });
    let mut history = DraftHistory {
        layout,
        has_down,
        has_gaps,
        drafts: Vec::with_capacity(entries.len()),
        unread: unread.collect(),
        remarks,
        other_database,
        known: BTreeMap::new(),
        placeholders: Placeholders { values, ..Placeholders::default() },
    };
    history.other_database = history.other_database.or_else(|| spoken_by(&entries, texts));
    if history.other_database.is_none() {
        for entry in entries {
            history.read(entry, texts, sources);
        }
        let root = named(&history.layout.root).to_owned();
        history.remarks.extend(history.placeholders.remarks(&root));
    }
    history
}

/// The other database that files are written for, where none says PostgreSQL. A few that only look foreign
/// among many that anybody takes decide nothing.
fn spoken_by(entries: &[Entry], texts: &mut Texts) -> Option<&'static str> {
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
        let (up, down) = match (&entry.parts, &entry.down) {
            (Some(parts), _) => (parts_of(&whole, &parts.up, "\n;\n"), Some(parts_of(&whole, &parts.down, ""))),
            (None, Some(down)) => {
                let down = self.source(down, texts, sources);
                (whole, down.map(|down| sources.piece(down)))
            }
            (None, None) => (whole, None),
        };
        let many = self.layout.framework == Framework::Liquibase;
        let part = many.then(|| up.text().replace("\r\n", "\n"));
        let style = runner::tool(self.layout.framework).templates;
        let up = self.placeholders.fill(up, style, &entry.up.path);
        let down = down.map(|down| self.placeholders.fill(down, style, &entry.up.path));
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
            starts: entry.parts.as_ref().and_then(|parts| parts.up.first()).map_or(0, |part| part.start as u32),
            up,
            // A section without a statement undoes nothing.
            down: down.filter(|down| entry.parts.is_none() || !down.nodes.is_empty()),
            transaction: entry.unit,
            judged: true,
            release: None,
            comments,
            repeatable: entry.repeatable,
        };
        self.drafts.push(Draft { migration, up: entry.up, down: entry.down, part });
    }

    fn source(&mut self, file: &Found, texts: &mut Texts, sources: &mut Sources) -> Option<SourceId> {
        if let Some(known) = self.known.get(&file.path) {
            return Some(*known);
        }
        match &*texts.get(file) {
            Ok(text) => {
                let id = sources.add(file.path.as_str(), text.text.as_str());
                self.known.insert(file.path.clone(), id);
                Some(id)
            }
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

/// Parts of a file as one text; `between` ends a statement that a part leaves open.
fn parts_of(whole: &Piece, parts: &[Range<usize>], between: &str) -> Piece {
    let mut text = PieceBuilder::new(whole.source());
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            text.substitute(between, whole.span(part.start..part.start).start);
        }
        text.copy(whole, part.clone());
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn parts_keep_their_places() {
        let mut sources = Sources::default();
        let id = sources.add("1.sql", "a //\nb //\nc;");
        let text = parts_of(&sources.piece(id), &[0..2, 5..7], "\n;\n");
        assert_eq!(text.text(), "a \n;\nb ");
        let at = text.text().find('b').unwrap();
        assert_eq!(sources.text(text.span(at..at + 1)), "b");
        assert_eq!(parts_of(&sources.piece(id), &[], "").text(), "");
    }
}
