//! What was not read is a finding too: `unread-statement`, `unread-file`.

use super::bare;
use crate::finding::{Finding, Severity};
use crate::history::{UnreadFile, UnreadStep};

/// Findings about statements that were not understood. In context they are notes.
pub fn unread_statements(unread: &[UnreadStep], judged: Severity, strict: bool) -> Vec<Finding> {
    let all = unread.iter().map(|step| {
        let severity = match (step.judged, strict) {
            (true, true) => Severity::Error,
            (true, false) => judged,
            (false, _) => judged.min(Severity::Note),
        };
        let touches = match step.touches.as_slice() {
            [] => "what it changes is not known".to_owned(),
            names => format!("what it does to {} is not known", super::say::list(names)),
        };
        let message = format!("this statement is not understood ({}): {touches}", step.reason);
        let mut finding = bare("unread-statement", severity, Some(step.at), step.origin.span, "unread", message);
        for name in &step.touches {
            finding.object(name);
        }
        finding.instead("write it as plain statements, or state its effect: `-- plimsoll:fact …`");
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
