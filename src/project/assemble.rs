//! Entries become migrations: texts enter the sources, sections are told apart, scripts are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::layout::Layout;
use super::place::named;
use super::rails::{Class, language, order, schema_rb};
use super::runner::{self, Entries, Entry};
use super::template::Placeholders;
use super::text::Text;
use super::texts::Texts;
use super::walk::Found;
use crate::history::{
    AfterEdit, Application, Framework, Late, Migration, SchemaDump, SinceBase, TransactionUnit, UnreadFile, UsualEdits,
    day_of,
};
use crate::operation::{Comment, Ident, Node, RubyScript, Script};
use crate::rails::{self, Language};
use crate::read::dialect::{Spoken, spoken};
use crate::read::{each, ruby, sql};
use crate::settings::Settings;
use crate::source::{Piece, PieceBuilder, SourceId, Sources, Span};

/// A migration with the files it came from.
#[derive(Debug)]
pub struct Draft {
    pub migration: Migration,
    pub up: Found,
    pub down: Option<Found>,
    /// Its own text where a file holds several, line ends as git stores them.
    pub part: Option<String>,
    /// Its place among the work tree's, as a new database runs them.
    pub order: usize,
}

/// A history whose order and judging are still open.
#[derive(Debug)]
pub struct DraftHistory {
    pub layout: Layout,
    pub has_down: bool,
    pub has_gaps: bool,
    pub late: Late,
    pub after_edit: AfterEdit,
    /// What git shows of edits of what is shipped, where one is looked at.
    pub usual_edits: Option<UsualEdits>,
    pub drafts: Vec<Draft>,
    pub unread: Vec<UnreadFile>,
    pub remarks: Vec<String>,
    /// Files that no transaction takes run outside of one, as what is shipped shows, though the runner has no way to say it.
    pub runs_bare: bool,
    /// The search_path that the runner gives to its connection; empty: it leaves it alone.
    pub search_path: Vec<Ident>,
    /// A database that all files are written for, where that is not PostgreSQL.
    pub other_database: Option<&'static str>,
    /// The newest version at the tip of the base.
    pub newest_shipped: Option<String>,
    pub dump: Option<SchemaDump>,
    pub kept_dump: Option<Arc<str>>,
    pub application: Application,
    pub language: Arc<Language>,
    /// Files that are among the sources: one may hold several migrations.
    known: BTreeMap<String, SourceId>,
    placeholders: Placeholders,
}

/// Reads a layout's files.
///
/// The settings give values to placeholders, and words to migrations.
pub fn assemble(
    layout: Layout,
    root: &Path,
    settings: &Settings,
    texts: &mut Texts,
    sources: &mut Sources,
) -> DraftHistory {
    let context = runner::Context { layout: &layout, texts, root };
    let found = runner::entries(context);
    let Entries { entries, unread, remarks, has_down, has_gaps, other_database, .. } = found;
    let mut values = found.placeholders;
    let tool = runner::tool(layout.framework);
    let (late, after_edit) = (found.late.unwrap_or(tool.late), found.after_edit.unwrap_or(tool.after_edit));
    values.extend(settings.placeholders.clone());
    let unread =
        unread.into_iter().map(|(path, reason)| UnreadFile { path, span: None, reason, judged: true, shipped: false });
    let mut history = DraftHistory {
        layout,
        has_down,
        has_gaps,
        runs_bare: false,
        search_path: found.search_path,
        late,
        after_edit,
        usual_edits: None,
        drafts: Vec::with_capacity(entries.len()),
        unread: unread.collect(),
        remarks,
        other_database,
        newest_shipped: None,
        dump: None,
        kept_dump: None,
        application: Application::default(),
        language: Arc::default(),
        known: BTreeMap::new(),
        placeholders: Placeholders { values, ..Placeholders::default() },
    };
    if history.layout.framework != Framework::Rails {
        history.other_database = history.other_database.or_else(|| spoken_by(&entries, texts));
    }
    if history.other_database.is_none() {
        history.take(entries, texts, sources);
        if history.layout.framework == Framework::Rails {
            order(&mut history.drafts);
            history.language = language(&history, root, settings, sources);
            run_bare(&mut history);
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
    // One file may hold thousands of entries.
    let mut seen = BTreeSet::new();
    for entry in entries.iter().filter(|entry| seen.insert(entry.up.path.as_str())) {
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

/// An entry with its texts as the server sees them.
struct Pending {
    entry: Entry,
    source: SourceId,
    up: Piece,
    down: Option<Piece>,
    part: Option<String>,
}

/// What a pending entry's texts say.
struct Read {
    up: Script,
    down: Option<Script>,
    comments: Vec<Comment>,
    /// What the class of a migration in Ruby says of itself.
    class: Option<Class>,
    /// Why the file as a whole is not read.
    refused: Option<(Span, String)>,
}

impl Pending {
    fn read(&self) -> Read {
        if self.entry.up.name().ends_with(".rb") {
            return self.ruby();
        }
        let (up, mut comments) = script(&self.up);
        let down = self.down.as_ref().map(|down| {
            let (script, more) = script(down);
            comments.extend(more);
            script
        });
        Read { up, down, comments, class: None, refused: None }
    }

    fn ruby(&self) -> Read {
        if self.entry.version.is_empty()
            && let Some(up) = schema_rb::script(&self.up)
        {
            let comments = Vec::new();
            return Read { up, down: None, comments, class: None, refused: None };
        }
        let file = ruby::read(&self.up);
        let class = Class::of(&file, &self.entry.name);
        let refused = match file.errors.first() {
            Some((span, words)) => Some((*span, format!("it is no Ruby: {words}"))),
            None if class.is_none() => Some((self.up.span(0..0), "it holds no class of a migration".to_owned())),
            None => None,
        };
        let comments = file.comments.clone();
        let path = class.as_ref().map(|class| &*class.path);
        let migration = path.and_then(|path| rails::migration::read(Arc::new(file), path));
        let script = |script: Arc<RubyScript>| Script { nodes: vec![Node::Ruby(script)] };
        let (up, down) = match migration {
            Some(migration) => (script(migration.up), migration.down.map(script)),
            None => (Script::default(), None),
        };
        Read { up, down, comments, class, refused }
    }

    fn draft(self, read: Read) -> Draft {
        let Pending { entry, source, part, .. } = self;
        let Read { up, down, comments, class, .. } = read;
        let class = class.unwrap_or_default();
        let migration = Migration {
            made: entry.made.or_else(|| day_of(&entry.version)),
            version: entry.version,
            name: entry.name,
            source,
            starts: entry.parts.as_ref().and_then(|parts| parts.up.first()).map_or(0, |part| part.start as u32),
            up,
            // A section without a statement undoes nothing.
            down: down.filter(|down| entry.parts.is_none() || !down.nodes.is_empty()),
            shipped_down: None,
            transaction: if class.bare { TransactionUnit::Statement } else { entry.unit },
            unit_is_guess: false,
            judged: true,
            release: class.milestone.map(|milestone| milestone.to_string()),
            comments,
            repeatable: entry.repeatable,
            phase: class.phase.or(entry.phase),
            since_base: SinceBase::Same,
            hardly_ran: entry.hardly_ran,
            is_released: false,
            hardly_there: None,
            dump: None,
        };
        Draft { migration, up: entry.up, down: entry.down, part, order: 0 }
    }

    fn length(&self) -> usize {
        self.up.text().len() + self.down.as_ref().map_or(0, |down| down.text().len())
    }
}

/// Files as a base revision has them.
pub struct AtBase<'a> {
    /// All of a history's, with their texts.
    pub files: Vec<(Found, Result<Text, String>)>,
    /// Those whose migrations are wanted, as they are known among the sources.
    pub wanted: BTreeMap<String, SourceId>,
    pub root: &'a Path,
}

/// What a history's entries were at a base: the version and name of each, with its file, in their order; and those
/// that are wanted, read.
pub fn at_base(
    history: &DraftHistory,
    base: AtBase<'_>,
    sources: &mut Sources,
) -> (Vec<(String, String, String)>, Vec<Draft>) {
    let AtBase { files, wanted, root } = base;
    let mut texts = Texts::default();
    let mut layout = history.layout.bare();
    for (file, text) in files {
        texts.know(&file, text);
        layout.files.push(file);
    }
    let found = runner::entries(runner::Context { layout: &layout, texts: &mut texts, root });
    let listed = found.entries.iter().map(|entry| (entry.up.path.clone(), entry.version.clone(), entry.name.clone()));
    let listed = listed.collect();
    let entries = found.entries.into_iter().filter(|entry| wanted.contains_key(&entry.up.path)).collect();
    let mut shipped = DraftHistory {
        layout,
        has_down: found.has_down,
        has_gaps: false,
        runs_bare: history.runs_bare,
        search_path: Vec::new(),
        late: history.late,
        after_edit: history.after_edit,
        usual_edits: None,
        drafts: Vec::new(),
        unread: Vec::new(),
        remarks: Vec::new(),
        other_database: None,
        newest_shipped: None,
        dump: None,
        kept_dump: None,
        application: Application::default(),
        language: Arc::default(),
        known: wanted,
        placeholders: Placeholders { values: history.placeholders.values.clone(), ..Placeholders::default() },
    };
    shipped.take(entries, &mut texts, sources);
    (listed, shipped.drafts)
}

impl DraftHistory {
    /// Reads entries.
    fn take(&mut self, entries: Vec<Entry>, texts: &mut Texts, sources: &mut Sources) {
        texts.read_ahead(entries.iter().flat_map(|entry| std::iter::once(&entry.up).chain(&entry.down)));
        let pending: Vec<Pending> =
            entries.into_iter().filter_map(|entry| self.prepare(entry, texts, sources)).collect();
        let read = each(&pending, Pending::length, Pending::read);
        for (pending, read) in pending.into_iter().zip(read) {
            match read.refused.clone() {
                Some((span, reason)) => {
                    let path = pending.entry.up.path;
                    self.unread.push(UnreadFile { path, span: Some(span), reason, judged: true, shipped: false });
                }
                None => self.drafts.push(pending.draft(read)),
            }
        }
    }

    /// Finds an entry's texts and fills their placeholders.
    fn prepare(&mut self, entry: Entry, texts: &mut Texts, sources: &mut Sources) -> Option<Pending> {
        let source = self.source(&entry.up, texts, sources)?;
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
        Some(Pending { entry, source, up, down, part })
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
                self.unread.push(UnreadFile { path, span: None, reason, judged: true, shipped: false });
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

/// Gems that run every migration outside of a transaction.
fn run_bare(history: &mut DraftHistory) {
    let vocabularies = &history.language.vocabularies;
    for draft in &mut history.drafts {
        let mut scripts = draft.migration.up.nodes.iter().filter_map(|node| match node {
            Node::Ruby(script) => Some(script),
            _ => None,
        });
        if scripts.any(|script| vocabularies.active(script).runs_bare()) {
            draft.migration.transaction = TransactionUnit::Statement;
        }
    }
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
