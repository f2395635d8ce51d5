//! A rule's page: `rules/<id>.md` holds its settings, its documentation and its tested examples at once.
//!
//! Read from text that is built in; no files, no Markdown beyond headings and fences.

use serde::Deserialize;

use super::pattern::{Match, Pattern};
use crate::finding::Severity;

/// One page, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub id: String,
    /// As the catalogue has it; `off` speaks only under `--preset strict`.
    pub severity: Severity,
    /// What it finds, in one line.
    pub summary: String,
    /// The release of plimsoll that brought it.
    pub since: String,
    pub tags: Vec<String>,
    /// More general rules that stay silent where this one sees the same fault.
    pub over: Vec<String>,
    /// Other rules whose findings about the same objects its fix mends, too: the graver tells both.
    pub tells: Vec<String>,
    /// Its findings in one migration have one fix: they are one finding with several places.
    pub gathers: bool,
    /// The decision of a migration's author that it asks for, where other rules ask for the same.
    pub concern: Option<Concern>,
    /// What it finds, where the page says all of it.
    pub pattern: Option<Pattern>,
    /// Why it hurts: the prose between the settings and "Instead", without examples.
    pub why: String,
    pub instead: String,
    pub examples: Vec<Example>,
    /// The whole page as written.
    pub body: String,
}

/// What the author of a migration decides once, whatever its statements are: its findings are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Concern {
    /// How long others wait.
    Waits,
    /// What code of the previous release meets.
    Code,
    /// The way back.
    Back,
}

/// A fence marked `bad` or `good`: a plain history of one or several files.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    pub verdict: Verdict,
    /// `sql` or `ruby`.
    pub language: String,
    pub files: Vec<ExampleFile>,
    /// 1-based line of the opening fence in the page.
    pub line: usize,
}

/// What an example must give when it is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Bad,
    Good,
}

/// One file of an example, by the name after `-- file:`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleFile {
    pub name: String,
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    severity: Severity,
    summary: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    over: Vec<String>,
    #[serde(default)]
    tells: Vec<String>,
    #[serde(default)]
    gathers: bool,
    concern: Option<Concern>,
    #[serde(rename = "match")]
    pattern: Option<Match>,
}

impl Page {
    /// Reads a page; the error names the line and what is wanted there.
    pub fn parse(id: &str, text: &str) -> Result<Page, String> {
        let blocks = blocks(text)?;
        let at = |line: usize, wanted: &str| format!("{id}.md:{line}: {wanted}");
        let title = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if title.trim() != format!("# {id}") {
            return Err(at(1, &format!("the page opens with `# {id}`")));
        }
        let head_at = blocks.iter().position(|block| matches!(block, Block::Fence { info: "toml", .. }));
        let Some(head_at) = head_at else { return Err(at(1, "a fenced `toml` block follows the title")) };
        let Block::Fence { text: settings, line, .. } = &blocks[head_at] else { return Err(at(1, "no settings")) };
        let head: Head = toml::from_str(settings).map_err(|fault| at(*line, fault.message()))?;
        let pattern = head.pattern.map(Pattern::read).transpose().map_err(|fault| at(*line, &fault))?;

        let mut page = Page {
            id: id.to_owned(),
            severity: head.severity,
            summary: head.summary,
            since: head.since,
            tags: head.tags,
            over: head.over,
            tells: head.tells,
            gathers: head.gathers,
            concern: head.concern,
            pattern,
            why: String::new(),
            instead: String::new(),
            examples: Vec::new(),
            body: text.to_owned(),
        };
        let mut section = Section::Why;
        for block in &blocks[head_at + 1..] {
            match block {
                Block::Line(line) if line.starts_with("## ") => section = Section::titled(line),
                Block::Line(line) => page.push(section, &[line]),
                Block::Fence { info, text, line, fence } => match example(info, text, *line) {
                    Some(example) => page.examples.push(example.map_err(|wanted| at(*line, &wanted))?),
                    None => page.push(section, &[&format!("{fence}{info}"), text, fence]),
                },
            }
        }
        page.why = page.why.trim().to_owned();
        page.instead = page.instead.trim().to_owned();
        Ok(page)
    }

    /// The page without its title and its settings.
    pub fn prose(&self) -> &str {
        let settings_end = self.body.find("```toml").and_then(|open| {
            let rest = &self.body[open + 3..];
            rest.find("\n```").map(|close| &rest[close + 4..])
        });
        settings_end.unwrap_or(&self.body).trim()
    }

    fn push(&mut self, section: Section, lines: &[&str]) {
        let into = match section {
            Section::Why => &mut self.why,
            Section::Instead => &mut self.instead,
            Section::Other => return,
        };
        for line in lines {
            into.push_str(line.trim_end_matches('\n'));
            into.push('\n');
        }
    }
}

#[derive(Clone, Copy)]
enum Section {
    Why,
    Instead,
    Other,
}

impl Section {
    fn titled(heading: &str) -> Section {
        match heading.trim_start_matches('#').trim() {
            "Why it hurts" => Section::Why,
            "Instead" => Section::Instead,
            _ => Section::Other,
        }
    }
}

enum Block<'a> {
    Line(&'a str),
    Fence { info: &'a str, text: String, line: usize, fence: &'a str },
}

/// Splits a page into plain lines and fences (CommonMark: a fence closes with at least as many backticks).
fn blocks(text: &str) -> Result<Vec<Block<'_>>, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        if ticks < 3 {
            blocks.push(Block::Line(line));
            continue;
        }
        let (fence, info) = line.split_at(ticks);
        let mut inner = String::new();
        let closed = lines.by_ref().any(|(_, line)| {
            let closes = line.starts_with(fence) && line.trim_end().bytes().all(|byte| byte == b'`');
            if !closes {
                inner.push_str(line);
                inner.push('\n');
            }
            closes
        });
        if !closed {
            return Err(format!("the fence opened on line {} is never closed", number + 1));
        }
        blocks.push(Block::Fence { info: info.trim(), text: inner, line: number + 1, fence });
    }
    Ok(blocks)
}

/// `None` where the fence is no example.
fn example(info: &str, text: &str, line: usize) -> Option<Result<Example, String>> {
    let mut words = info.split_whitespace();
    let (language, word) = (words.next()?, words.next()?);
    let verdict = match word {
        "bad" => Verdict::Bad,
        "good" => Verdict::Good,
        other => return Some(Err(format!("`{other}` is no verdict: write `bad` or `good`"))),
    };
    let comment = match language {
        "sql" => "-- file: ",
        "ruby" => "# file: ",
        other => return Some(Err(format!("`{other}` is no language of examples: write `sql` or `ruby`"))),
    };
    let mut files: Vec<ExampleFile> = Vec::new();
    for content in text.lines() {
        if let Some(name) = content.strip_prefix(comment) {
            files.push(ExampleFile { name: name.trim().to_owned(), text: String::new() });
            continue;
        }
        if files.is_empty() {
            let name = if language == "sql" { "001_example.sql" } else { "20240101000000_example.rb" };
            files.push(ExampleFile { name: name.to_owned(), text: String::new() });
        }
        if let Some(file) = files.last_mut() {
            file.text.push_str(content);
            file.text.push('\n');
        }
    }
    if files.iter().all(|file| file.text.trim().is_empty()) {
        return Some(Err("the example is empty".to_owned()));
    }
    Some(Ok(Example { verdict, language: language.to_owned(), files, line }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# drop-column\n```toml\nseverity = \"warning\"\nsummary = \"a column goes\"\nsince = \"0.1.0\"\n\
        tags = [\"application\"]\n```\nWhy it hurts: code reads it.\n\n```sql bad\nalter table a drop column b;\n```\n\
        ## Instead\nIgnore it first:\n```ruby\nself.ignored_columns += [:b]\n```\n\
        ```sql good\n-- file: 001_a.sql\ncreate table a (b int);\n-- file: 002_b.sql\nselect 1;\n```\n## Links\n- x\n";

    #[test]
    fn a_page_has_settings_prose_and_examples() {
        let page = Page::parse("drop-column", PAGE).unwrap();
        assert_eq!((page.severity, page.summary.as_str()), (Severity::Warning, "a column goes"));
        assert_eq!(page.why, "Why it hurts: code reads it.");
        assert_eq!(page.instead, "Ignore it first:\n```ruby\nself.ignored_columns += [:b]\n```");
        let files: Vec<Vec<&str>> =
            page.examples.iter().map(|one| one.files.iter().map(|file| file.name.as_str()).collect()).collect();
        assert_eq!(files, [vec!["001_example.sql"], vec!["001_a.sql", "002_b.sql"]]);
        assert_eq!(page.examples[0].line, 10);
        assert_eq!(page.examples[1].verdict, Verdict::Good);
        assert_eq!(page.examples[1].files[0].text, "create table a (b int);\n");
    }

    #[test]
    fn faults_name_their_line() {
        let wrong = |id: &str, text: &str| Page::parse(id, text).unwrap_err();
        assert!(wrong("other", PAGE).contains("opens with `# other`"));
        assert!(wrong("drop-column", &PAGE.replace("since", "sinc")).starts_with("drop-column.md:2: "));
        assert!(wrong("drop-column", &PAGE.replace("sql bad", "sql ugly")).contains(":10: `ugly` is no verdict"));
        assert!(wrong("drop-column", "# drop-column\n```toml\n").contains("never closed"));
    }
}
