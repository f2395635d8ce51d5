//! Names made to do harm, in every format.

use plimsoll::finding::{Because, Hit, Link, LinkKind};
use plimsoll::output::{Format, Options};
use plimsoll::report::Report;
use plimsoll::source::{Sources, Span};
use roxmltree::Document;
use serde_json::Value;

use super::report::{shared, written};

const NAME: &str = "x\u{1b}[31m\u{7}\u{202e}\n::error::pwned\r\n##[error]pwned </summary></details></code>]]>\
    <script>alert(1)</script> @team closes #1, GH-2 [a](https://evil.example) ``` \"'%0A&lt; -->";

/// The shared report with that name in everything that can come from an input.
pub fn hostile() -> (Sources, Report) {
    let (mut sources, mut report) = shared();
    let path = format!("db/{}.sql", NAME.replace('/', ""));
    let id = sources.add(path.as_str(), format!("{NAME}\n"));
    let span = Span { source: id, start: 0, end: NAME.len() as u32 };
    let name = || NAME.to_owned();
    report.migrations[1].path = path;
    report.remarks = vec![name()];
    report.changes = vec![name()];
    report.facts[0].reason = Some(name());
    report.allowed[0].1.reason = Some(name());
    for finding in &mut report.findings {
        finding.span = span;
        finding.message = format!("writes to `{NAME}` fail {NAME}");
        finding.because = vec![Because { span, text: name(), rule: None }];
        finding.chain = vec![Link { kind: LinkKind::Trigger, object: name(), span: Some(span) }];
        finding.hits = vec![Hit { writes: name(), partitions: vec![name()] }];
        finding.spares = vec![name()];
        finding.objects = vec![name()];
        finding.stops = vec![name()];
        finding.databases = vec![name()];
        finding.verify = Some(format!("SELECT {NAME};"));
    }
    // Words in one, statements in the other.
    report.findings[0].instead = Some(name());
    report.findings[1].instead = Some(format!("DROP TABLE {NAME};"));
    (sources, report)
}

fn rendered(format: Format) -> String {
    let (sources, report) = hostile();
    written(&report, &sources, format, Options { notes: true, ..Options::default() })
}

#[test]
fn nothing_reaches_a_terminal() {
    for format in Format::ALL {
        let text = rendered(format);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{}\n{text}", format.word());
    }
}

#[test]
fn nothing_is_a_workflow_command_but_ours() {
    let text = rendered(Format::Github);
    let (commands, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("::"));
    assert_eq!(commands.len(), 2, "{text}");
    for command in commands {
        let (head, _) = command[2..].split_once("::").unwrap();
        assert_eq!(head.matches(',').count(), 5, "six properties in {head}");
        assert!(!command.contains("%0A::") || command.starts_with("::"), "{command}");
    }
    for line in others {
        assert!(!line.contains("::") && !line.contains("##[") && !line.contains("pwned"), "{line}");
    }
    // Where a job prints another format, a line must not begin like a command either.
    for format in [Format::Human, Format::Junit, Format::Checkstyle, Format::Markdown] {
        let text = rendered(format);
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{}\n{text}", format.word());
    }
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Github) {
        assert!(!rendered(format).contains("##["), "{}", format.word());
    }
}

#[test]
fn documents_stay_what_they_are() {
    for format in [Format::Json, Format::Sarif, Format::Gitlab] {
        let document: Value = serde_json::from_str(&rendered(format)).unwrap();
        assert!(document.to_string().contains("pwned"), "the name is told");
    }
    for format in [Format::Junit, Format::Checkstyle] {
        let text = rendered(format);
        let document = Document::parse(&text).unwrap();
        let known = ["testsuites", "testsuite", "testcase", "failure", "system-out", "checkstyle", "file", "error"];
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(known.contains(&node.tag_name().name()), "{}", node.tag_name().name());
        }
    }
}

#[test]
fn sarif_messages_link_to_places_only() {
    let document: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    let message = document["runs"][0]["results"][0]["message"]["text"].as_str().unwrap();
    for (at, _) in message.match_indices("](") {
        let escaped = message[..at].ends_with('\\');
        let target = message[at + 2..].split(')').next().unwrap();
        assert!(escaped || target.parse::<u32>().is_ok(), "{target} in {message}");
    }
}

/// What is left of a comment without fences and `<code>`: what a forge looks at for mentions, references and tags.
fn looked_at(markdown: &str) -> String {
    let (mut kept, mut fence) = (String::new(), None);
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if ticks >= open && ticks == line.len() => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a fence is open at the end");
    let mut parts = kept.split("<code>");
    let mut outside = parts.next().unwrap().to_owned();
    for part in parts {
        let (inside, after) = part.split_once("</code>").unwrap();
        assert!(
            !inside.contains(['<', '@', '#', '`', '[', '*', '_'])
                || !inside.replace("&#", "").contains(['<', '@', '#'])
        );
        outside.push_str(after);
    }
    outside
}

#[test]
fn nobody_is_mentioned_and_nothing_is_closed() {
    let outside = looked_at(&rendered(Format::Markdown));
    for harm in ["@", "#1", "GH-2", "<script", "evil.example", "alert(", "[a]", "%0A", "&lt;"] {
        assert!(!outside.contains(harm), "{harm} in\n{outside}");
    }
    assert_eq!(outside.matches("<details>").count(), 2, "{outside}");
    assert_eq!(outside.matches("</details>").count(), 2, "{outside}");
    assert_eq!(outside.matches("</summary>").count(), 2, "{outside}");
}

#[test]
fn a_drawing_has_labels_only() {
    let text = rendered(Format::Markdown);
    let drawing = text.split("```mermaid\n").nth(1).unwrap().split("\n```").next().unwrap();
    for line in drawing.lines().skip(1) {
        assert!(!line.contains(['<', '>', '@', '`', ';']) || line.contains('#') || line.contains("-->"), "{line}");
        assert!(line.trim_start().starts_with(['n', 's']), "{line}");
    }
}
