//! One finding as a card: what breaks, for whom, by which way, why, since where, what to run.

use std::borrow::Cow;
use std::io::{self, Write};

use super::escape::{lines, prose, text};
use super::listing::line_id;
use super::{Page, class};
use crate::finding::{Finding, Link, LinkKind};
use crate::output::rule_url;
use crate::output::sections::{Section, place, sections};
use crate::source::Span;

/// The question that a section answers, as its heading.
fn heading(word: &str) -> &str {
    match word {
        "path" => "The way of the write",
        "fails" => "What fails",
        "not hit" => "What is not hit",
        "stops" => "If it stops half way",
        "on" => "On",
        "in" => "In",
        "unsure" => "Not certain",
        "instead" => "Do this instead",
        "verify" => "Count beforehand what stands in the way",
        other => other,
    }
}

pub(super) fn write(page: &Page<'_>, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
    let (class, id) = (class(finding.severity), &finding.fingerprint);
    writeln!(into, "<article class=\"finding {class}\" id=\"f-{id}\" tabindex=\"-1\">")?;
    writeln!(
        into,
        "<h3><span class=\"badge\">{class}</span> <a href=\"#f-{id}\">{}</a> <span class=\"at\">{}</span></h3>",
        text(finding.rule),
        place_link(page, finding.span)
    )?;
    writeln!(into, "<p class=\"message\">{}</p>\n<dl>", prose(&finding.message))?;
    for section in sections(finding, page.report) {
        let term = heading(section.word);
        if section.word == "path" {
            writeln!(into, "<dt>{term}</dt><dd>{}</dd>", chain(page, &finding.chain))?;
            continue;
        }
        // Reasons come between what happens and what to do.
        if section.word == "instead" || section.word == "verify" {
            continue;
        }
        writeln!(into, "<dt>{term}</dt><dd>{}</dd>", several(&section.text))?;
    }
    because(page, finding, into)?;
    let ways_out = |section: &Section| section.word == "instead" || section.word == "verify";
    for section in sections(finding, page.report).into_iter().filter(ways_out) {
        writeln!(into, "<dt>{}</dt><dd>{}</dd>", heading(section.word), way_out(&section))?;
    }
    writeln!(into, "</dl>")?;
    if let Some(address) = rule_url(finding.rule) {
        writeln!(into, "<p class=\"more\"><a href=\"{address}\" rel=\"noreferrer\">More on this rule</a></p>")?;
    }
    writeln!(into, "</article>")
}

/// One line of words, or a list of several.
fn several(words: &str) -> String {
    let told: Vec<String> = words.lines().map(prose).collect();
    match told.as_slice() {
        [one] => one.clone(),
        told => format!("<ul class=\"several\"><li>{}</li></ul>", told.join("</li><li>")),
    }
}

/// Code with a button that copies it, or words.
fn way_out(section: &Section) -> String {
    let Some(language) = section.code else {
        let words: Vec<String> = section.text.lines().map(prose).collect();
        return words.join("<br>");
    };
    let label = match language {
        "ruby" => "Ruby",
        "toml" => "TOML",
        _ => "SQL",
    };
    format!(
        "<div class=\"paste\"><span class=\"language\">{label}</span><button type=\"button\" class=\"copy\">Copy</button>\
         <pre class=\"code\" tabindex=\"0\"><code class=\"language-{language}\">{}</code></pre></div>",
        lines(&section.text)
    )
}

fn because(page: &Page<'_>, finding: &Finding, into: &mut dyn Write) -> io::Result<()> {
    if finding.because.is_empty() {
        return Ok(());
    }
    writeln!(into, "<dt>Why</dt><dd><ul class=\"because\">")?;
    // What is said of several places is said once.
    let mut told: Vec<(Cow<'_, str>, Vec<String>)> = Vec::new();
    for because in &finding.because {
        let place = place_link(page, because.span);
        let said = because.told();
        match told.iter_mut().find(|(text, _)| *text == said) {
            Some((_, places)) => places.push(place),
            None => told.push((said, vec![place])),
        }
    }
    for (text, places) in told {
        writeln!(into, "<li>{} <span class=\"at\">{}</span></li>", prose(&text), places.join(", "))?;
    }
    writeln!(into, "</ul></dd>")
}

fn chain(page: &Page<'_>, links: &[Link]) -> String {
    let mut items = String::from("<ol class=\"chain\">");
    for link in links {
        let kind = match link.kind {
            LinkKind::Write => "write",
            other => other.word(),
        };
        let name = text(&link.object);
        let name = match link.span {
            Some(span) => format!("<a href=\"#{}\">{name}</a>", line_id(page.sources, span)),
            None => name,
        };
        items.push_str(&format!("<li class=\"{kind}\"><span class=\"kind\">{kind}</span> {name}</li>"));
    }
    items.push_str("</ol>");
    items
}

/// The place of a span, linked to its line in the page.
pub(super) fn place_link(page: &Page<'_>, span: Span) -> String {
    let shown = place(span, page.sources);
    // The folder is in the headings; the file is what tells places apart, if it does.
    let path = page.sources.path(span.source);
    let is_common = page.common.contains(path.rsplit('/').next().unwrap_or(path));
    let short = match shown.rmatch_indices('/').nth(usize::from(is_common)) {
        Some((at, _)) => &shown[at + 1..],
        None => &shown,
    };
    format!("<a href=\"#{}\" title=\"{}\">{}</a>", line_id(page.sources, span), text(&shown), text(short))
}
