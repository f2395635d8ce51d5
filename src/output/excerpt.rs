//! The few lines of a file that a snippet shows, for miette: it would otherwise scan the whole file per label.

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::text::{is_inert, visible};
use crate::source::{Sources, Span};

/// Lines longer than this are cut around what they are shown for.
const LINE: usize = 180;
/// Statements of more lines are shown by their first.
const LINES: u32 = 8;
/// Characters kept before a label on a cut line.
const LEAD: usize = 40;

/// Whole lines of one file, made visible, with labels.
#[derive(Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// 0-based line of the file at which `text` starts.
    line: usize,
    /// 0-based column of the first label.
    column: usize,
    labels: Vec<LabeledSpan>,
}

impl Excerpt {
    /// Shows `main`, and `others` where they stand in its lines or right beside them. `others` must be of the same file.
    pub(super) fn new(sources: &Sources, main: Span, others: &[(Span, String)]) -> Excerpt {
        let position = sources.start(main);
        let (main, cut) = shortened(sources, main);
        let mut spans = vec![(main, cut)];
        spans.extend(others.iter().map(|(span, text)| (shortened(sources, *span).0, Some(visible(text).into_owned()))));
        let lines = spans.iter().map(|(span, _)| lines_of(sources, *span));
        let (first, last) = lines.fold((u32::MAX, 0), |(first, last), (start, end)| (first.min(start), last.max(end)));

        let mut text = String::new();
        let mut places = vec![(None, None); spans.len()];
        for number in first..=last {
            show_line(sources, sources.line(main.source, number), &spans, &mut places, &mut text);
        }
        let labels = spans.into_iter().zip(places).filter_map(|((_, label), place)| {
            let (Some(start), Some(end)) = place else { return None };
            Some(LabeledSpan::new(label, start, usize::max(end, start) - start))
        });
        Excerpt {
            name: visible(sources.path(main.source)).into_owned(),
            labels: labels.collect(),
            text,
            line: first as usize - 1,
            column: position.column as usize - 1,
        }
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = LabeledSpan> + '_ {
        self.labels.iter().cloned()
    }
}

/// First and last line, 1-based.
pub(super) fn lines_of(sources: &Sources, span: Span) -> (u32, u32) {
    (sources.start(span).line, sources.position(span.source, span.end.max(span.start + 1) - 1).line)
}

/// A long statement by its first line, with a word on where it ends.
fn shortened(sources: &Sources, span: Span) -> (Span, Option<String>) {
    let (first, last) = lines_of(sources, span);
    if last - first < LINES {
        return (span, None);
    }
    let line = sources.line(span.source, first);
    (Span { end: line.end.max(span.start), ..span }, Some(format!("to line {last}")))
}

type Places = Vec<(Option<usize>, Option<usize>)>;

/// Appends one line, cut and made visible, and notes where labels start and end in the text.
fn show_line(sources: &Sources, line: Span, spans: &[(Span, Option<String>)], places: &mut Places, text: &mut String) {
    let (start, end) = window(sources, line, spans);
    if start > line.start {
        text.push('…');
    }
    let shown = Span { start, end, ..line };
    for (at, character) in sources.text(shown).char_indices() {
        note(start + at as u32, spans, places, text.len());
        if is_inert(character) {
            text.push(character);
        } else {
            text.push_str(&visible(character.encode_utf8(&mut [0; 4])));
        }
    }
    note(end, spans, places, text.len());
    if end < line.end {
        text.push('…');
    }
    // Labels that start or end in what was cut off, or in the line's end.
    for ((span, _), place) in spans.iter().zip(places) {
        let rest = end..=line.end + 1;
        if place.0.is_none() && (rest.contains(&span.start) || (line.start..=start).contains(&span.start)) {
            place.0 = Some(text.len());
        }
        if place.0.is_some() && place.1.is_none() && (rest.contains(&span.end) || span.end <= start) {
            place.1 = Some(text.len());
        }
    }
    text.push('\n');
}

fn note(at: u32, spans: &[(Span, Option<String>)], places: &mut Places, here: usize) {
    for ((span, _), place) in spans.iter().zip(places) {
        if place.0.is_none() && span.start == at {
            place.0 = Some(here);
        }
        if place.1.is_none() && span.end == at {
            place.1 = Some(here);
        }
    }
}

/// The part of a line to show, in bytes of the file, at character boundaries.
fn window(sources: &Sources, line: Span, spans: &[(Span, Option<String>)]) -> (u32, u32) {
    if (line.end - line.start) as usize <= LINE {
        return (line.start, line.end);
    }
    let file = sources.get(line.source);
    let on_line = spans.iter().map(|(span, _)| span.start).filter(|start| (line.start..line.end).contains(start));
    let wanted = on_line.min().unwrap_or(line.start) as usize;
    let mut start = if wanted < line.start as usize + LEAD { line.start as usize } else { wanted - LEAD };
    while !file.text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = (start + LINE).min(line.end as usize);
    while !file.text.is_char_boundary(end) {
        end -= 1;
    }
    (start as u32, end as u32)
}

impl SourceCode for Excerpt {
    /// miette asks without context for the place in a snippet's head, with context for its lines.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = SourceSpan::from((0, self.text.len()));
        let lines = self.text.lines().count();
        let (line, column, shown) = if before == 0 {
            let ahead = self.text.get(..span.offset()).ok_or(MietteError::OutOfBounds)?;
            (self.line + ahead.matches('\n').count(), self.column, *span)
        } else {
            (self.line, 0, whole)
        };
        let data = &self.text.as_bytes()[shown.offset()..(shown.offset() + shown.len()).min(self.text.len())];
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, shown, line, column, lines)))
    }
}
