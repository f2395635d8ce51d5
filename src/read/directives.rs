//! What comments tell plimsoll: allows and facts, and other linters' suppressions. Malformed ones are kept with
//! what is wrong. Whether a rule exists, and whether an allow was used, is not decided here.

use super::foreign::{Foreign, foreign};
use crate::operation::{Comment, Ident, Name};
use crate::settings::{Allow, AllowScope, Fact, read_ident, take_name};
use crate::source::{Sources, Span};

/// The directives of one migration's comments, in the order of the comments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directives {
    /// Reasonless ones too: that is a finding of its own.
    pub allows: Vec<Allow>,
    pub facts: Vec<Fact>,
    /// Suppressions meant for another linter.
    pub foreign: Vec<Foreign>,
    pub malformed: Vec<Malformed>,
}

/// A comment that means to be a directive and is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Malformed {
    pub span: Span,
    pub kind: DirectiveKind,
    /// What is wrong, in one line.
    pub message: String,
}

/// What a malformed directive was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectiveKind {
    Allow,
    Fact,
    Unknown,
}

const WORDS: [&str; 3] = ["allow", "allow-file", "fact"];

/// Reads the directives among comments. `statements` are the whole statements of the same files, in any order.
pub fn directives(comments: &[Comment], statements: &[Span], sources: &Sources) -> Directives {
    let mut places = Places { statements: statements.to_vec(), sources };
    places.statements.sort();
    let mut found = Directives::default();
    for comment in comments {
        for line in lines(&comment.text) {
            found.line(line, comment.span, &places);
        }
    }
    found
}

/// The lines of a comment without its markers.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.strip_prefix("/*").map(|text| text.strip_suffix("*/").unwrap_or(text));
    let inner = inner.or_else(|| text.strip_prefix("--")).or_else(|| text.strip_prefix('#')).unwrap_or(text);
    inner.lines().map(|line| line.trim().trim_start_matches(['*', '-']).trim()).filter(|line| !line.is_empty())
}

impl Directives {
    fn line(&mut self, line: &str, span: Span, places: &Places<'_>) {
        if let Some(foreign) = foreign(line, span, |span| places.scope(span), |span| places.opens_file(span)) {
            self.foreign.push(foreign);
            return;
        }
        let Some(rest) = strip_word(line, "plimsoll").and_then(|rest| rest.strip_prefix(':')) else { return };
        let rest = rest.trim_start();
        let end =
            rest.find(|character: char| !character.is_ascii_alphabetic() && character != '-').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        match word.to_ascii_lowercase().as_str() {
            "allow" => match places.scope(span) {
                Some(scope) => self.allow(rest, span, &scope),
                None => self.wrong(span, DirectiveKind::Allow, "no statement stands below it"),
            },
            "allow-file" => self.allow(rest, span, &AllowScope::File),
            "fact" => match fact(rest, span) {
                Ok(fact) => self.facts.push(fact),
                Err(message) => self.wrong(span, DirectiveKind::Fact, message),
            },
            other => {
                let message = format!("`plimsoll:{other}` means nothing: {}", nearest(other));
                self.wrong(span, DirectiveKind::Unknown, message);
            }
        }
    }

    fn wrong(&mut self, span: Span, kind: DirectiveKind, message: impl Into<String>) {
        self.malformed.push(Malformed { span, kind, message: message.into() });
    }

    fn allow(&mut self, text: &str, span: Span, scope: &AllowScope) {
        let (rules, reason) = match text.split_once(':') {
            Some((rules, reason)) => (rules, Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty())),
            None => (text, None),
        };
        let rules: Vec<&str> = rules.split(',').map(str::trim).collect();
        let is_id =
            |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !rules.iter().all(is_id) {
            let message = "it reads `plimsoll:allow rule-id[, rule-id]: reason`";
            return self.wrong(span, DirectiveKind::Allow, message);
        }
        for rule in rules {
            self.allows.push(Allow { span, rule: rule.to_owned(), reason: reason.clone(), scope: scope.clone() });
        }
    }
}

fn nearest(word: &str) -> String {
    let near = WORDS.into_iter().map(|known| (strsim::damerau_levenshtein(word, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 2 => format!("did you mean `plimsoll:{known}`?"),
        _ => "there are `plimsoll:allow`, `plimsoll:allow-file` and `plimsoll:fact`".to_owned(),
    }
}

/// `rest` after a word, without case.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let start = text.get(..word.len())?;
    start.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

/// Takes a keyword that ends at a space or the end.
fn keyword<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = strip_word(text.trim_start(), word)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
}

/// `backfilled public.t [from public.s] [columns a, b] [where …]: reason`.
fn fact(text: &str, span: Span) -> Result<Fact, String> {
    let (statement, reason) = split_reason(text);
    let form = || "it reads `plimsoll:fact backfilled t [from s] [columns a, b] [where …]: reason`".to_owned();
    let rest = keyword(statement, "backfilled").ok_or_else(form)?;
    let (table, rest) = name(rest)?;
    let (source, rest) = match keyword(rest, "from") {
        Some(rest) => name(rest).map(|(name, rest)| (Some(name), rest))?,
        None => (None, rest),
    };
    let (columns, rest) = match keyword(rest, "columns").or_else(|| keyword(rest, "column")) {
        Some(rest) => columns(rest)?,
        None => (Vec::new(), rest),
    };
    let filter = match keyword(rest, "where") {
        Some("") => return Err("nothing stands after `where`".to_owned()),
        Some(filter) => Some(filter.trim_end().to_owned()),
        None if rest.trim().is_empty() => None,
        None => return Err(format!("`{}` is not expected there; {}", rest.trim(), form())),
    };
    Ok(Fact { span, table, source, columns, filter, reason })
}

fn name(text: &str) -> Result<(Name, &str), String> {
    let text = text.trim_start();
    let word = text.split_whitespace().next().unwrap_or_default();
    take_name(text).ok_or_else(|| format!("`{word}` is no table's name"))
}

/// Names up to `where` or the end.
fn columns(text: &str) -> Result<(Vec<Ident>, &str), String> {
    let mut columns = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (column, after) = name(rest).map_err(|_| "columns are names with commas between".to_owned())?;
        columns.push(read_ident(&column.to_string())?);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok((columns, rest)),
        }
    }
}

/// Splits at the first colon that is no part of a cast, a literal or a quoted name.
fn split_reason(text: &str) -> (&str, Option<String>) {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None, b'\'' | b'"') => quote = Some(bytes[at]),
            (Some(open), byte) if byte == open => quote = None,
            (None, b':') if matches!(bytes.get(at + 1), Some(b':' | b'=')) => at += 1,
            (None, b':') => {
                let reason = text[at + 1..].trim();
                return (&text[..at], (!reason.is_empty()).then(|| reason.to_owned()));
            }
            _ => {}
        }
        at += 1;
    }
    (text, None)
}

/// Statements around comments.
struct Places<'a> {
    /// Sorted by file and start.
    statements: Vec<Span>,
    sources: &'a Sources,
}

impl Places<'_> {
    /// The statement that a comment is about: the one around it, the one that ends on its line before it,
    /// the next one below.
    fn scope(&self, comment: Span) -> Option<AllowScope> {
        let after = self.statements.partition_point(|statement| *statement < comment);
        if let Some(before) = after.checked_sub(1).map(|index| self.statements[index])
            && before.source == comment.source
        {
            let ends_on_line = || self.sources.end(before).line == self.sources.start(comment).line;
            if before.contains(comment) || (before.end <= comment.start && ends_on_line()) {
                return Some(AllowScope::Statement(before));
            }
        }
        let next = self.statements.get(after).filter(|next| next.source == comment.source)?;
        Some(AllowScope::Statement(*next))
    }

    /// The comment stands above the first statement with an empty line between.
    fn opens_file(&self, comment: Span) -> bool {
        let after = self.statements.partition_point(|statement| *statement < comment);
        let is_first = after == 0 || self.statements[after - 1].source != comment.source;
        let next = self.statements.get(after).filter(|next| next.source == comment.source);
        let text = self.sources.get(comment.source).text.as_bytes();
        let until = next.map_or(text.len(), |next| next.start as usize);
        let between = text.get(comment.end as usize..until).unwrap_or_default();
        // A header is short; without a bound, a file of nothing but comments would be read once per comment.
        let mut lines = between[..between.len().min(4096)].split(|byte| *byte == b'\n').skip(1);
        is_first && lines.any(|line| line.trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::foreign::{ForeignRules, Tool};
    use crate::read::sql::lexer::{Kind, Lexer};

    /// Comments and statements of a text, by tokens alone.
    fn read(text: &str) -> (Sources, Directives) {
        let mut sources = Sources::default();
        let id = sources.add("1.sql", text);
        let piece = sources.piece(id);
        let (mut comments, mut statements, mut open) = (Vec::new(), Vec::new(), None::<usize>);
        for token in Lexer::new(text) {
            match token.kind {
                Kind::Comment => {
                    comments.push(Comment { span: piece.span(token.range()), text: token.text(text).into() });
                }
                Kind::Semicolon => statements.extend(open.take().map(|start| piece.span(start..token.range().start))),
                _ => open = open.or(Some(token.range().start)),
            }
        }
        let found = directives(&comments, &statements, &sources);
        (sources, found)
    }

    fn scopes(text: &str) -> Vec<(String, Option<String>, String)> {
        let (sources, found) = read(text);
        assert_eq!(found.malformed, [], "{text}");
        let scope = |allow: &Allow| match &allow.scope {
            AllowScope::Statement(span) => sources.text(*span).to_owned(),
            AllowScope::File => "file".to_owned(),
            AllowScope::Migration { .. } => "settings".to_owned(),
        };
        found.allows.iter().map(|allow| (allow.rule.clone(), allow.reason.clone(), scope(allow))).collect()
    }

    fn one(rule: &str, reason: &str, scope: &str) -> (String, Option<String>, String) {
        (rule.to_owned(), Some(reason.to_owned()), scope.to_owned())
    }

    #[test]
    fn an_allow_is_about_the_statement_at_its_place() {
        for (text, wanted) in [
            ("-- plimsoll:allow r: why\na;\nb;", one("r", "why", "a")),
            ("a;\n-- plimsoll:allow r: why\n-- more words\n\nb;", one("r", "why", "b")),
            ("a; -- plimsoll:allow r: why\nb;", one("r", "why", "a")),
            ("a;b; -- plimsoll:allow r: why\nc;", one("r", "why", "b")),
            ("a\n x -- plimsoll:allow r: why\n y;\nb;", one("r", "why", "a\n x -- plimsoll:allow r: why\n y")),
            ("/* plimsoll:allow r: why */ a;", one("r", "why", "a")),
            ("/*\n * plimsoll:allow r: why: not\n */\na;", one("r", "why: not", "a")),
            ("a;\n-- PLIMSOLL: Allow-File r: why", one("r", "why", "file")),
        ] {
            assert_eq!(scopes(text), [wanted], "{text}");
        }
        assert_eq!(scopes("-- plimsoll:allow r, s-t: why\na;").len(), 2);
        assert_eq!(scopes("-- plimsoll:allow r\na;")[0].1, None);
        assert_eq!(scopes("-- plimsoll:allow r:  \na;")[0].1, None);
        assert_eq!(scopes("-- as plimsoll:allow r: says\n-- plimsolls: x\na;"), []);
    }

    #[test]
    fn malformed_directives_are_kept() {
        for (text, word) in [
            ("-- plimsoll:alow r: why\na;", "did you mean `plimsoll:allow`?"),
            ("-- plimsoll:silence r\na;", "there are"),
            ("-- plimsoll:allow\na;", "it reads"),
            ("-- plimsoll:allow drop-column because I say so\na;", "it reads"),
            ("-- plimsoll:allow r,: x\na;", "it reads"),
            ("a;\n-- plimsoll:allow r: why", "no statement"),
            ("-- plimsoll:fact filled t: x\na;", "it reads"),
            ("-- plimsoll:fact backfilled 1: x\na;", "no table's name"),
            ("-- plimsoll:fact backfilled t of s: x\na;", "not expected"),
            ("-- plimsoll:fact backfilled t where: x\na;", "after `where`"),
            ("-- plimsoll:fact backfilled t columns a b: x\na;", "not expected"),
        ] {
            let (_, found) = read(text);
            assert_eq!((found.allows.len(), found.facts.len(), found.malformed.len()), (0, 0, 1), "{text}");
            assert!(found.malformed[0].message.contains(word), "{text}: {}", found.malformed[0].message);
        }
    }

    #[test]
    fn facts_are_read_in_full() {
        let text =
            "-- plimsoll:fact backfilled public.\"T\" from S columns A, b where k = 'a: b'::text: by hand: 7\na;";
        let (_, found) = read(text);
        assert_eq!(found.malformed, []);
        let fact = &found.facts[0];
        assert_eq!(fact.table.to_string(), "public.\"T\"");
        assert_eq!(fact.source.as_ref().map(Name::to_string).as_deref(), Some("s"));
        assert_eq!(fact.columns, [Ident::new("a"), Ident::new("b")]);
        assert_eq!(fact.filter.as_deref(), Some("k = 'a: b'::text"));
        assert_eq!(fact.reason.as_deref(), Some("by hand: 7"));
        let (_, bare) = read("/* plimsoll:fact backfilled t */ a;");
        assert_eq!((bare.facts[0].reason.clone(), bare.facts[0].filter.clone()), (None, None));
    }

    #[test]
    fn other_linters_suppressions_are_known() {
        let foreign = |text: &str| read(text).1.foreign;
        let squawk = foreign("-- squawk-ignore ban-drop-column, prefer-robust-stmts -- long gone\na;");
        assert_eq!(squawk.len(), 1);
        assert_eq!((squawk[0].tool, squawk[0].reason.as_deref()), (Tool::Squawk, Some("long gone")));
        assert_eq!(squawk[0].rules, ForeignRules::These(vec!["ban-drop-column".into(), "prefer-robust-stmts".into()]));
        assert_eq!(squawk[0].ours(), ["drop-column"]);
        assert_eq!(foreign("-- squawk-ignore-file\na;")[0].scope, AllowScope::File);
        assert_eq!(foreign("-- eugene: ignore\na;")[0].rules, ForeignRules::All);
        assert_eq!(foreign("-- eugene: ignore E6, E15\na;")[0].ours(), ["index-not-concurrent", "fk-without-index"]);
        assert_eq!(foreign("-- atlas:nolint DS102\na;")[0].ours(), ["drop-table"]);
        assert_eq!(foreign("-- atlas:nolint destructive\n\na;")[0].scope, AllowScope::File);
        let pgls = foreign("-- pgls-ignore lint/safety/banDropColumn: old\na;");
        assert_eq!((pgls[0].ours(), pgls[0].reason.as_deref()), (vec!["drop-column"], Some("old")));
        assert_eq!(foreign("-- pgfence-ignore: drop-table\na;")[0].ours(), ["drop-table"]);
        assert_eq!(foreign("-- squawk-ignored is no word\na;"), []);
    }

    #[test]
    fn many_comments_cost_little() {
        let text = "-- plimsoll:allow r: why\na;\n".repeat(5_000);
        assert_eq!(read(&text).1.allows.len(), 5_000);
    }
}
