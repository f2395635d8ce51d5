//! What was not read is a finding too: `unread-statement`, `unread-ruby`, `unread-file`.

use super::{bare, weight};
use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{Context, History, UnreadFile, UnreadRows, UnreadStep};
use crate::operation::Operation;

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
            (true, _) if step.refused && judged > Severity::Off => Severity::Error,
            (true, true) => Severity::Error,
            // Of what kind it is can be read: a place to look at.
            (true, false) if step.made_text == Some(true) || step.weighed.is_some() => judged.min(Severity::Note),
            (true, false) => judged,
            (false, _) => judged.min(Severity::Note),
        };
        let touches = match step.touches.as_slice() {
            [] => "what it changes is not known".to_owned(),
            names => format!("what it does to {} is not known", super::say::list(names)),
        };
        let mut message = match step.made_text {
            _ if step.refused => format!("this statement fails: {} (SQLSTATE 42601)", step.reason),
            Some(true) => format!("not checked: {}; {touches}", step.reason),
            _ => format!("this {what} is not understood ({}): {touches}", step.reason),
        };
        if let Some(why) = &step.weighed {
            message.push_str(&format!(", but {why}"));
        }
        let mut finding = bare(rule, severity, Some(step.at), step.origin.span, "unread", message);
        // One block or function is one thing to look at, however many texts it makes.
        if let (Some(_), Some(frame)) = (step.made_text, step.origin.frames.first()) {
            finding.one_per(format!("made texts {:?} {}", frame.span.source, frame.span.start));
        }
        for name in &step.touches {
            finding.object(name);
        }
        match (&step.declare, step.ruby) {
            _ if step.refused => finding.instead("-- another name, or this one in double quotes: the word is reserved"),
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

/// Statements of a way back that were not understood: it is not compared with the state before, and may not even run.
pub fn unread_downs(index: usize, history: &History, judged: Severity) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, migration) in history.migrations.iter().enumerate().filter(|(_, one)| one.judged) {
        let at = MigrationRef { history: index, migration: number };
        for node in migration.down.iter().flat_map(|down| &down.nodes) {
            node.statements(&mut |statement| {
                let Operation::Unread(unread) = &statement.operation else { return };
                let message = format!(
                    "this statement of the way back is not understood ({}): where that ends is not known",
                    unread.reason
                );
                let severity = judged.min(Severity::Note);
                found.push(bare("unread-statement", severity, Some(at), statement.span, "unread", message));
            });
        }
    }
    found.retain(|finding| finding.severity > Severity::Off);
    found
}

/// Why little rests on rows that something not understood may write: one row, or rows that are few.
pub fn weigh(context: &Context, rows: &UnreadRows) -> Option<String> {
    if rows.is_one {
        return Some("it writes one row".to_owned());
    }
    let why = |name| {
        let table = rows.before.schema.find(name)?;
        weight::little(context, &rows.before, table.id)
    };
    let each: Option<Vec<String>> = rows.tables.iter().map(why).collect();
    Some(each?.join("; ")).filter(|why| !why.is_empty())
}

/// Findings about files that were not read at all.
pub fn unread_files(files: &[UnreadFile], judged: Severity) -> Vec<Finding> {
    let all = files.iter().filter_map(|file| {
        let is_news = file.judged && !file.shipped;
        let severity = if is_news { judged } else { judged.min(Severity::Note) };
        let mut message = format!("`{}` is not read: {}", file.path, file.reason);
        if file.judged && file.shipped {
            message.push_str("; databases that ran its text of before do not run it again");
        }
        let mut finding = bare("unread-file", severity, None, file.span?, "unread", message);
        finding.object(&file.path);
        Some(finding)
    });
    all.filter(|finding| finding.severity > Severity::Off).collect()
}
