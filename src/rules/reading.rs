//! What was not read is a finding too: `unread-statement`, `unread-ruby`, `unread-file`.

use super::bare;
use crate::finding::{Finding, Severity};
use crate::history::{UnreadFile, UnreadStep};

/// Findings about statements that were not understood. In context they are notes.
///
/// `judged` is how loud statements of SQL and calls in Ruby are where they are judged.
pub fn unread_statements(unread: &[UnreadStep], judged: [Severity; 2], strict: bool) -> Vec<Finding> {
    let all = unread.iter().map(|step| {
        let (rule, judged, what) = match step.ruby {
            false => ("unread-statement", judged[0], "statement"),
            true => ("unread-ruby", judged[1], "call"),
        };
        let severity = match (step.judged, strict) {
            (true, true) => Severity::Error,
            // Of what kind it is can be read: a place to look at.
            (true, false) if step.made_text == Some(true) => judged.min(Severity::Note),
            (true, false) => judged,
            (false, _) => judged.min(Severity::Note),
        };
        let touches = match step.touches.as_slice() {
            [] => "what it changes is not known".to_owned(),
            names => format!("what it does to {} is not known", super::say::list(names)),
        };
        let message = match step.made_text {
            Some(true) => format!("not checked: {}; {touches}", step.reason),
            _ => format!("this {what} is not understood ({}): {touches}", step.reason),
        };
        let mut finding = bare(rule, severity, Some(step.at), step.origin.span, "unread", message);
        // One block or function is one thing to look at, however many texts it makes.
        if let (Some(_), Some(frame)) = (step.made_text, step.origin.frames.first()) {
            finding.one_per(format!("made texts {:?} {}", frame.span.source, frame.span.start));
        }
        for name in &step.touches {
            finding.object(name);
        }
        match (&step.declare, step.ruby) {
            (Some(declare), _) => {
                finding.instead(format!("# declare it in a file that `vocabularies` names\n{declare}"))
            }
            (None, true) => {
                finding.instead("write it with values that stand in the file, or state its effect: `# plimsoll:fact …`")
            }
            (None, false) => finding.instead("write it as plain statements, or state its effect: `-- plimsoll:fact …`"),
        };
        finding
    });
    all.filter(|finding| finding.severity > Severity::Off).collect()
}

/// Findings about files that were not read at all.
pub fn unread_files(files: &[UnreadFile], judged: Severity) -> Vec<Finding> {
    let all = files.iter().filter_map(|file| {
        let severity = if file.judged { judged } else { judged.min(Severity::Note) };
        let message = format!("`{}` is not read: {}", file.path, file.reason);
        let mut finding = bare("unread-file", severity, None, file.span?, "unread", message);
        finding.object(&file.path);
        Some(finding)
    });
    all.filter(|finding| finding.severity > Severity::Off).collect()
}
