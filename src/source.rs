//! Files, places in them, and the one conversion from bytes to lines and columns.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Names one file among [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

impl SourceId {
    /// Its number in a run: for names that no path can break.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Bytes `start..end` of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The smallest span that holds both; `other` must lie in the same file.
    pub fn to(self, other: Span) -> Span {
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub fn contains(self, other: Span) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}

/// 1-based line and column; columns count Unicode scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// One file: its path relative to the repository root, with `/`, and its text.
#[derive(Debug)]
pub struct Source {
    pub path: String,
    pub text: Arc<str>,
    line_starts: OnceLock<Vec<u32>>,
    /// Scalars before each [`CHUNK`] of bytes, so that positions on very long lines stay cheap.
    scalars: OnceLock<Vec<u32>>,
}

const CHUNK: usize = 4096;

impl Source {
    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at as u32 + 1)).collect()
        })
    }

    /// Scalars that begin before the byte at `offset`.
    fn scalars_before(&self, offset: usize) -> u32 {
        // Continuation bytes (10xxxxxx) belong to the scalar that began before them.
        let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u32;
        let bytes = self.text.as_bytes();
        let chunks = self.scalars.get_or_init(|| {
            let sums = bytes.chunks(CHUNK).scan(0, |sum, chunk| {
                *sum += count(chunk);
                Some(*sum)
            });
            std::iter::once(0).chain(sums).collect()
        });
        chunks[offset / CHUNK] + count(&bytes[offset / CHUNK * CHUNK..offset])
    }
}

/// All files of a run. A file is at most 4 GiB; `project` refuses larger ones.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(self.files.len() as u32);
        self.files.push(Source {
            path: path.into(),
            text: text.into(),
            line_starts: OnceLock::new(),
            scalars: OnceLock::new(),
        });
        id
    }

    pub fn get(&self, id: SourceId) -> &Source {
        &self.files[id.0 as usize]
    }

    /// The file at a path.
    pub fn find(&self, path: &str) -> Option<SourceId> {
        self.files.iter().position(|file| file.path == path).map(|index| SourceId(index as u32))
    }

    pub fn path(&self, id: SourceId) -> &str {
        &self.get(id).path
    }

    /// The text at a span.
    pub fn text(&self, span: Span) -> &str {
        &self.get(span.source).text[span.start as usize..span.end as usize]
    }

    /// The whole file as a piece to read.
    pub fn piece(&self, id: SourceId) -> Piece {
        let text = self.get(id).text.clone();
        Piece { stands_at: None, source: id, segments: vec![Segment { decoded: 0, source: 0, stands_for: None }], text }
    }

    /// Where `offset` (bytes) lies. Offsets inside a character count as its start.
    pub fn position(&self, source: SourceId, offset: u32) -> Position {
        let file = self.get(source);
        let starts = file.line_starts();
        let line = starts.partition_point(|start| *start <= offset) - 1;
        let scalars =
            file.scalars_before((offset as usize).min(file.text.len())) - file.scalars_before(starts[line] as usize);
        Position { line: line as u32 + 1, column: scalars + 1 }
    }

    /// A line by its 1-based number, without its line break. Lines past the end are empty.
    pub fn line(&self, source: SourceId, line: u32) -> Span {
        let file = self.get(source);
        let starts = file.line_starts();
        let length = file.text.len() as u32;
        let start = starts.get(line as usize - 1).copied().unwrap_or(length);
        let end = starts.get(line as usize).copied().unwrap_or(length);
        let text = &file.text[start as usize..end as usize];
        Span { source, start, end: start + text.trim_end_matches(['\n', '\r']).len() as u32 }
    }

    pub fn start(&self, span: Span) -> Position {
        self.position(span.source, span.start)
    }

    pub fn end(&self, span: Span) -> Position {
        self.position(span.source, span.end)
    }
}

/// From `decoded` on (bytes of a piece's text), the text stands at `source` of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    decoded: u32,
    source: u32,
    /// All of it stands for so many bytes of the file; `None`: it is what the file has, byte by byte.
    stands_for: Option<u32>,
}

/// A text to read, with the way back to the file: a whole file, a section of it, a function's body,
/// a decoded string literal.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Text made at run time: all of it leads to the statement that makes it.
    stands_at: Option<Span>,
    source: SourceId,
    text: Arc<str>,
    segments: Vec<Segment>,
}

impl Piece {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn source(&self) -> SourceId {
        self.source
    }

    /// A text that no file has: every place in it leads to `at`, the statement that makes it.
    pub fn made_at(text: &str, at: Span) -> Piece {
        Piece { stands_at: Some(at), source: at.source, text: text.into(), segments: Vec::new() }
    }

    /// The place in the file of a range of this piece's text.
    pub fn span(&self, range: Range<usize>) -> Span {
        if let Some(at) = self.stands_at {
            return at;
        }
        let start = self.offset(range.start);
        let end = if range.is_empty() { start } else { self.end_offset(range.end) };
        Span { source: self.source, start, end: end.max(start) }
    }

    fn segment(&self, decoded: u32) -> Segment {
        self.segments[self.segments.partition_point(|segment| segment.decoded <= decoded).max(1) - 1]
    }

    fn offset(&self, decoded: usize) -> u32 {
        let segment = self.segment(decoded as u32);
        match segment.stands_for {
            Some(_) => segment.source,
            None => segment.source + (decoded as u32 - segment.decoded),
        }
    }

    /// Where a range that ends at `decoded` ends: behind all of what a part of a replaced text stands for.
    fn end_offset(&self, decoded: usize) -> u32 {
        let segment = self.segment((decoded as u32).saturating_sub(1));
        match segment.stands_for {
            Some(length) => segment.source + length,
            None => segment.source + (decoded as u32 - segment.decoded),
        }
    }

    /// The part `range` of this piece, read on its own.
    pub fn part(&self, range: Range<usize>) -> Piece {
        if let Some(at) = self.stands_at {
            return Piece::made_at(&self.text[range], at);
        }
        let mut part = PieceBuilder::new(self.source);
        part.copy(self, range);
        part.finish()
    }
}

/// Builds a piece whose text differs from the file: unescaped literals, substituted templates.
#[derive(Debug)]
pub struct PieceBuilder {
    stands_at: Option<Span>,
    source: SourceId,
    text: String,
    segments: Vec<Segment>,
}

impl PieceBuilder {
    pub fn new(source: SourceId) -> PieceBuilder {
        PieceBuilder { stands_at: None, source, text: String::new(), segments: Vec::new() }
    }

    /// Appends a part of another piece, unchanged, with its places.
    pub fn copy(&mut self, from: &Piece, range: Range<usize>) {
        if let Some(at) = from.stands_at {
            self.stands_at = Some(at);
            self.text.push_str(&from.text[range]);
            return;
        }
        let base = self.text.len() as u32;
        let stands_for = from.segment(range.start as u32).stands_for;
        let first = Segment { decoded: base, source: from.offset(range.start), stands_for };
        // Segments are in order: a body with thousands of escapes is copied part by part.
        let after = from.segments.partition_point(|segment| segment.decoded as usize <= range.start);
        let until = from.segments.partition_point(|segment| (segment.decoded as usize) < range.end);
        let inner = from.segments[after.min(until)..until].iter();
        let shifted = inner.map(|segment| Segment { decoded: base + segment.decoded - range.start as u32, ..*segment });
        self.segments.push(first);
        self.segments.extend(shifted);
        self.text.push_str(&from.text[range]);
    }

    /// Appends text that stands for what the file has at `offset` (of the file).
    pub fn substitute(&mut self, text: &str, offset: u32) {
        self.segments.push(Segment { decoded: self.text.len() as u32, source: offset, stands_for: None });
        self.text.push_str(text);
    }

    /// Appends text that stands for a part of another piece: every place in it leads to all of that part.
    pub fn replace(&mut self, text: &str, from: &Piece, range: Range<usize>) {
        let span = from.span(range);
        let (decoded, length) = (self.text.len() as u32, span.end - span.start);
        self.segments.push(Segment { decoded, source: span.start, stands_for: Some(length) });
        self.text.push_str(text);
    }

    /// Appends text that stands for a place of its own: the value of what is interpolated there.
    pub fn stand_for(&mut self, text: &str, at: Span) {
        let (decoded, length) = (self.text.len() as u32, at.end - at.start);
        self.segments.push(Segment { decoded, source: at.start, stands_for: Some(length) });
        self.text.push_str(text);
    }

    pub fn finish(mut self) -> Piece {
        if self.segments.is_empty() {
            self.segments.push(Segment { decoded: 0, source: 0, stands_for: None });
        }
        Piece { stands_at: self.stands_at, source: self.source, text: self.text.into(), segments: self.segments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_scalars_and_lines_start_at_one() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", "é = 1;\r\nb\n");
        assert_eq!(sources.position(id, 0), Position { line: 1, column: 1 });
        assert_eq!(sources.position(id, 3), Position { line: 1, column: 3 });
        assert_eq!(sources.position(id, 9), Position { line: 2, column: 1 });
        assert_eq!(sources.position(id, 11), Position { line: 3, column: 1 });
    }

    #[test]
    fn positions_on_long_lines_count_scalars() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", format!("x\n{}", "é".repeat(5000)));
        assert_eq!(sources.position(id, 2 + 2 * 4999), Position { line: 2, column: 5000 });
        assert_eq!(sources.position(id, 2 + 2 * 5000), Position { line: 2, column: 5001 });
        assert_eq!(sources.line(id, 1), Span { source: id, start: 0, end: 1 });
        assert_eq!(sources.line(id, 3), Span { source: id, start: 10002, end: 10002 });
    }

    #[test]
    fn pieces_lead_back_to_the_file() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", "do 'x''y'; z");
        let file = sources.piece(id);
        let mut body = PieceBuilder::new(id);
        body.copy(&file, 4..6);
        body.copy(&file, 7..8);
        let body = body.finish();
        assert_eq!(body.text(), "x'y");
        assert_eq!(body.span(2..3), Span { source: id, start: 7, end: 8 });
        assert_eq!(body.part(2..3).span(0..1).start, 7);
    }
}
