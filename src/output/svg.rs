//! Drawings of what is connected with what, as SVG: boxes with names, lines with words, the failing way marked.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::{Line, Point, Size, layout};
use super::text::visible;

/// A box.
#[derive(Debug)]
pub(super) struct Box {
    /// `table`, `partition`, `trigger`, …: a class of the style sheet.
    pub kind: &'static str,
    pub name: String,
    pub marked: bool,
}

/// A line from box to box.
#[derive(Debug)]
pub(super) struct Arrow {
    pub from: usize,
    pub to: usize,
    pub word: String,
    /// What there is to say where the word is short, or none: browsers show it under the pointer.
    pub title: String,
    pub marked: bool,
}

/// The look of drawings that stand alone; pages bring their own.
pub(super) const STYLE: &str = "\
    .box rect,.box path{fill:#f6f8fa;stroke:#59636e}\
    .box text{fill:#1f2328;font:12px ui-sans-serif,system-ui,sans-serif;text-anchor:middle}\
    .box .kind{fill:#59636e;font-size:9px}\
    .view rect{stroke-dasharray:4 3}.trigger rect,.function rect{fill:#ddf4ff;stroke:#0969da}\
    .partition rect{fill:#fff}\
    .arrow path{fill:none;stroke:#818b98;stroke-width:1.3}\
    .arrow text{paint-order:stroke;stroke:#fff;stroke-width:4px;fill:#59636e;font:10.5px ui-sans-serif,system-ui,sans-serif;text-anchor:middle}\
    .caption{fill:#59636e;font:11px ui-sans-serif,system-ui,sans-serif}\
    .head{fill:#818b98}.marked-head{fill:#cf222e}\
    .arrow.marked path{stroke:#cf222e;stroke-width:2.6}.arrow.marked text{fill:#cf222e;font-weight:600}\
    .box.marked rect{stroke:#cf222e;stroke-width:2.2}";

/// Characters of a name on one line of a box.
const LINE: usize = 30;
/// Width of a character, about: the widths of fonts differ, boxes have room for that.
const WIDE: f64 = 7.1;
const SMALL: f64 = 6.0;

/// Draws boxes and arrows. `id` makes the names of arrow heads unique inside of a page.
pub(super) fn draw(boxes: &[Box], arrows: &[Arrow], id: &str, label: &str, style: Option<&str>) -> String {
    let names: Vec<Vec<String>> = boxes.iter().map(|one| broken(&one.name)).collect();
    let sizes: Vec<Size> = names.iter().map(|lines| size(lines)).collect();
    let joined = joined(arrows);
    let lines: Vec<Line> =
        joined.iter().map(|one| Line { from: one.from, to: one.to, word: width(&one.word) }).collect();
    let placed = layout(&sizes, &lines);
    // Alone, the label is all that tells what is drawn.
    let caption = if style.is_some() { 24.0 } else { 0.0 };
    let width = (placed.width.ceil() + 20.0).max(caption * 18.0);
    let height = placed.height.ceil() + 20.0 + caption;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"-10 -10 {width} {height}\">",
        escaped(label)
    );
    if let Some(style) = style {
        let _ = write!(
            svg,
            "<style>{style}</style><rect class=\"ground\" x=\"-10\" y=\"-10\" width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\
             <text class=\"caption\" y=\"{}\">{}</text>",
            height - 18.0,
            escaped(label)
        );
    }
    let _ = write!(svg, "<defs>{}{}</defs>", head(id, "head"), head(id, "marked-head"));
    // Marked ones are drawn last, over the others.
    for (one, (points, word)) in joined.iter().zip(&placed.lines).filter(|(one, _)| !one.marked) {
        arrow(&mut svg, one, points, *word, &sizes, id);
    }
    for (one, (points, word)) in joined.iter().zip(&placed.lines).filter(|(one, _)| one.marked) {
        arrow(&mut svg, one, points, *word, &sizes, id);
    }
    for (((one, name), at), size) in boxes.iter().zip(&names).zip(&placed.nodes).zip(&sizes) {
        node(&mut svg, one, name, *at, *size);
    }
    svg.push_str("</svg>");
    svg
}

fn head(id: &str, class: &str) -> String {
    format!(
        "<marker id=\"{id}-{class}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"{class}\" d=\"M0 0L8 4L0 8z\"/></marker>"
    )
}

/// Arrows between the same two boxes become one with all their words.
fn joined(arrows: &[Arrow]) -> Vec<Arrow> {
    let mut joined: BTreeMap<(usize, usize), Arrow> = BTreeMap::new();
    for one in arrows {
        let word = visible(&one.word).into_owned();
        let title = visible(&one.title).into_owned();
        let new = || Arrow { from: one.from, to: one.to, word: String::new(), title: String::new(), marked: false };
        let known = joined.entry((one.from, one.to)).or_insert_with(new);
        known.marked |= one.marked;
        for (told, more, gap) in [(&mut known.word, word, " · "), (&mut known.title, title, "\n")] {
            if !told.split(gap).any(|known| known == more) {
                let gap = if told.is_empty() { "" } else { gap };
                told.push_str(&format!("{gap}{more}"));
            }
        }
    }
    for one in joined.values_mut() {
        one.word = shortened(&one.word, 44);
    }
    joined.into_values().collect()
}

fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length - 1).collect();
    format!("{kept}…")
}

/// A name on at most three lines, broken behind `_` and `.` where it can be.
fn broken(name: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in visible(name).split_inclusive(['_', '.', ' ']) {
        for piece in part.chars().collect::<Vec<_>>().chunks(LINE) {
            let piece: String = piece.iter().collect();
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + piece.chars().count() > LINE {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(&piece);
            }
        }
    }
    if lines.len() > 3 {
        lines.truncate(3);
        lines[2].push('…');
    }
    lines
}

fn size(lines: &[String]) -> Size {
    let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    ((widest as f64 * WIDE + 22.0).max(70.0), lines.len() as f64 * 15.0 + 22.0)
}

fn width(word: &str) -> f64 {
    if word.is_empty() {
        return 0.0;
    }
    word.chars().count() as f64 * SMALL + 8.0
}

fn arrow(svg: &mut String, one: &Arrow, points: &[Point], word: Point, sizes: &[Size], id: &str) {
    let marked = if one.marked { " marked" } else { "" };
    let head = if one.marked { "marked-head" } else { "head" };
    let path = if one.from == one.to { circle(points) } else { curve(points, sizes[one.from], sizes[one.to]) };
    let title = escaped(&one.title);
    let _ = write!(
        svg,
        "<g class=\"arrow{marked}\"><title>{title}</title><path d=\"{path}\" marker-end=\"url(#{id}-{head})\"/>"
    );
    if !one.word.is_empty() {
        let (x, y) = (word.0, word.1 + 3.5);
        let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(&one.word));
    }
    svg.push_str("</g>");
}

/// From edge to edge of the boxes, smooth through the stops between.
fn curve(points: &[Point], from: Size, to: Size) -> String {
    let mut points = points.to_vec();
    let down = points.first().is_some_and(|first| points.last().is_some_and(|last| first.1 < last.1));
    let side = if down { 0.5 } else { -0.5 };
    if let Some(first) = points.first_mut() {
        first.1 += side * from.1;
    }
    if let Some(last) = points.last_mut() {
        last.1 -= side * (to.1 + 2.0);
    }
    let mut path = String::new();
    for (place, pair) in points.windows(2).enumerate() {
        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
        if place == 0 {
            let _ = write!(path, "M{x1:.1} {y1:.1}");
        }
        let middle = f64::midpoint(y1, y2);
        let _ = write!(path, "C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {y2:.1}");
    }
    path
}

fn circle(points: &[Point]) -> String {
    match points {
        [(x1, y1), (x2, y2)] => {
            format!("M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + 34.0, x2 + 34.0)
        }
        _ => String::new(),
    }
}

fn node(svg: &mut String, one: &Box, name: &[String], (x, y): Point, (width, height): Size) {
    let marked = if one.marked { " marked" } else { "" };
    let round = if matches!(one.kind, "trigger" | "function") { height / 2.0 } else { 5.0 };
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let _ = write!(
        svg,
        "<g class=\"box {}{marked}\"><title>{} {}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"{round:.1}\"/><text class=\"kind\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
        one.kind,
        one.kind,
        escaped(&visible(&one.name)),
        top + 12.0,
        one.kind
    );
    for (place, line) in name.iter().enumerate() {
        let _ =
            write!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", top + 25.0 + place as f64 * 15.0, escaped(line));
    }
    svg.push_str("</g>");
}

fn escaped(text: &str) -> String {
    super::xml::attribute(text)
}
