//! What was found, by severity, by migration and by table: each a way into the page.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::{prose, text};
use super::finding::place_link;
use super::{Page, class, id};
use crate::finding::Finding;
use crate::output::sections::ranked;

/// Tables listed; the rest is a matter for the search of the browser.
const TABLES: usize = 60;

pub(super) fn write(page: &Page<'_>, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "<nav id=\"index\" aria-label=\"Findings\">")?;
    if page.findings.is_empty() {
        writeln!(into, "<p>There is no finding to list.</p>")?;
    } else {
        by_severity(page, into)?;
        by_table(page, into)?;
    }
    by_migration(page, into)?;
    writeln!(into, "</nav>")
}

fn by_severity(page: &Page<'_>, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "<h2>Findings</h2><ol class=\"toc\">")?;
    for finding in ranked(page.findings.iter().copied()) {
        let at = place_link(page, finding.span);
        writeln!(
            into,
            "<li class=\"{}\">{} <span class=\"at\">{at}</span></li>",
            class(finding.severity),
            entry(finding)
        )?;
    }
    writeln!(into, "</ol>")
}

fn entry(finding: &Finding) -> String {
    let class = class(finding.severity);
    format!(
        "<a href=\"#f-{}\"><span class=\"badge\">{class}</span> <strong>{}</strong></a> {}",
        finding.fingerprint,
        text(finding.rule),
        prose(&finding.message)
    )
}

fn by_table(page: &Page<'_>, into: &mut dyn Write) -> io::Result<()> {
    let mut tables: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &page.findings {
        for object in &finding.objects {
            let known = tables.entry(object).or_default();
            if known.last().is_none_or(|last| last.fingerprint != finding.fingerprint) {
                known.push(finding);
            }
        }
    }
    writeln!(into, "<details><summary>By table and object ({})</summary><ul class=\"tables\">", tables.len())?;
    for (table, findings) in tables.iter().take(TABLES) {
        let links = findings.iter().map(|finding| {
            let (id, class) = (&finding.fingerprint, class(finding.severity));
            format!("<a class=\"{class}\" href=\"#f-{id}\">{}</a>", text(finding.rule))
        });
        writeln!(into, "<li><code>{}</code>: {}</li>", text(table), links.collect::<Vec<_>>().join(", "))?;
    }
    if tables.len() > TABLES {
        writeln!(into, "<li>and {} more</li>", tables.len() - TABLES)?;
    }
    writeln!(into, "</ul></details>")
}

fn by_migration(page: &Page<'_>, into: &mut dyn Write) -> io::Result<()> {
    let shown = page.shown();
    let judged = page.report.migrations.iter().filter(|one| one.judged).count();
    writeln!(into, "<details><summary>By migration ({judged} judged)</summary><ul class=\"tables\">")?;
    for migration in &shown {
        let count = page.of(Some(migration.at)).count();
        let told = if count == 0 { String::new() } else { format!(" <span class=\"count\">{count}</span>") };
        writeln!(into, "<li><a href=\"#{}\">{}</a>{told}</li>", id(migration.at), text(&migration.path))?;
    }
    if judged > shown.len() {
        writeln!(into, "<li>{} older migrations without a finding are not shown</li>", judged - shown.len())?;
    }
    writeln!(into, "</ul></details>")
}
