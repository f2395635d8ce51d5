//! Placeholders: what a runner or psql puts into a text before the server sees it. Each is replaced by its value, or
//! by an identifier made from its name, with a way back to the place where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::read::sql::lexer::{Kind, Lexer};
use crate::read::sql::split::meta_word;
use crate::source::{Piece, PieceBuilder};

/// What a runner replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Nothing.
    None,
    /// `${…}`, `{{…}}` and `/* … */.` where SQL has no such thing: a runner that is not known put them there.
    Marks,
    /// As psql: `:name`, `:'name'`, `:"name"`, set by `\set`; the marks too.
    Psql,
    /// `${name}` wherever it stands, in literals and comments too.
    Dollar,
    /// `{{…}}` of Go wherever it stands.
    Go,
    /// `/* TEMPLATE: name */` before a name.
    River,
}

/// What is known of values, and what had to be assumed.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// By name: the settings', then the runner's own.
    pub values: BTreeMap<String, String>,
    /// Name to the identifier that stands for it.
    pub assumed: BTreeMap<String, String>,
    /// Files with blocks of a template, which are not read.
    pub blocks: BTreeSet<String>,
}

/// A place to replace, and by what.
struct Replaced {
    range: Range<usize>,
    by: String,
}

impl Placeholders {
    /// The text as the server sees it.
    pub fn fill(&mut self, piece: Piece, style: Style, path: &str) -> Piece {
        let text = piece.text();
        let replaced = match style {
            Style::Dollar if text.contains("${") => self.everywhere(text, "${", "}", path),
            Style::Go if text.contains("{{") => self.everywhere(text, "{{", "}}", path),
            Style::River if text.contains("/* TEMPLATE:") => self.everywhere(text, "/* TEMPLATE:", "*/", path),
            Style::Marks | Style::Psql => self.tokens(text, style, path),
            Style::None | Style::Dollar | Style::Go | Style::River => Vec::new(),
        };
        if replaced.is_empty() {
            return piece;
        }
        let mut filled = PieceBuilder::new(piece.source());
        let mut at = 0;
        for Replaced { range, by } in replaced {
            filled.copy(&piece, at..range.start);
            filled.replace(&by, &piece, range.clone());
            at = range.end;
        }
        filled.copy(&piece, at..piece.text().len());
        filled.finish()
    }

    /// Each `open … close` of a text.
    fn everywhere(&mut self, text: &str, open: &str, close: &str, path: &str) -> Vec<Replaced> {
        let mut replaced = Vec::new();
        let (mut at, mut closes) = (0, 0);
        while let Some(start) = text[at..].find(open).map(|found| at + found) {
            let inside = start + open.len();
            // Looked for once: a row of openings would be walked through again for each.
            if closes < inside {
                let Some(found) = text[inside..].find(close) else { break };
                closes = inside + found;
            }
            let length = closes - inside;
            if length > LONGEST {
                at = inside;
                continue;
            }
            let end = closes + close.len();
            let by = if open.starts_with('/') {
                // Without a schema River puts nothing there.
                let value = self.values.get(text[inside..inside + length].trim());
                value.map(|schema| format!("{schema}."))
            } else {
                self.value(&text[inside..inside + length], beside(text, start, end), path)
            };
            replaced.extend(by.map(|by| Replaced { range: start..end, by }));
            at = end;
        }
        replaced
    }

    fn tokens(&mut self, text: &str, style: Style, path: &str) -> Vec<Replaced> {
        let (mut replaced, mut brackets) = (Vec::new(), 0_usize);
        let mut set: BTreeMap<String, String> = BTreeMap::new();
        for token in Lexer::new(text) {
            let (range, own) = (token.range(), token.text(text));
            match token.kind {
                Kind::OpenBracket => brackets += 1,
                Kind::CloseBracket => brackets = brackets.saturating_sub(1),
                Kind::Template => {
                    let inside = own.trim_start_matches(['$', '{']).trim_end_matches('}');
                    let by = self.value(inside, beside(text, range.start, range.end), path);
                    replaced.extend(by.map(|by| Replaced { range, by }));
                }
                Kind::Meta if style == Style::Psql && meta_word(own) == "set" => set.extend(assignment(own)),
                // In a slice of an array, `a[1:n]`, it is no variable.
                Kind::Variable if style == Style::Psql && brackets == 0 => {
                    let name = own[1..].trim_matches(['\'', '"']);
                    let by = match set.get(name) {
                        Some(value) => value.clone(),
                        None => self.value(name, beside(text, range.start, range.end), path).unwrap_or_default(),
                    };
                    let by = match own.as_bytes()[1] {
                        b'\'' => format!("'{}'", by.replace('\'', "''")),
                        b'"' => format!("\"{}\"", by.replace('"', "\"\"")),
                        _ => by,
                    };
                    replaced.push(Replaced { range, by });
                }
                Kind::Comment => self.schemas(text, range, &mut replaced),
                // psql looks into no body, but runners that replace such names by themselves do.
                Kind::Dollar => {
                    if style == Style::Psql {
                        self.body(text, range.clone(), &mut replaced, path);
                    }
                    self.schemas(text, range, &mut replaced);
                }
                _ => {}
            }
        }
        replaced.sort_by_key(|one| one.range.start);
        replaced
    }

    /// `/* SCHEMA */.orders`: a dot begins no name, so what replaces the comment is the schema. Without a value it is the
    /// one that is looked into anyway, as a name that stands alone beside it means the same table.
    fn schemas(&mut self, text: &str, range: Range<usize>, replaced: &mut Vec<Replaced>) {
        let mut at = range.start;
        while let Some(start) = text[at..range.end].find("/*").map(|found| at + found) {
            let Some(length) = text[start..range.end].find("*/") else { break };
            at = start + length + "*/".len();
            let name = text[start + "/*".len()..start + length].trim();
            let is_name = !name.is_empty() && name.chars().all(|next| next.is_alphanumeric() || next == '_');
            let is_first = text[..start].chars().next_back().is_none_or(|next| next.is_whitespace() || next == '(');
            if is_name && is_first && text[at..].starts_with('.') {
                let value = self.values.get(name).cloned();
                let by = value.map(|schema| format!("{schema}."));
                if by.is_none() {
                    self.assumed.insert(name.to_owned(), String::new());
                }
                replaced.push(Replaced { range: start..at + ".".len(), by: by.unwrap_or_default() });
            }
        }
    }

    /// `:SCHEMA_NAME` in a body, where the same name stands outside of one too.
    fn body(&mut self, text: &str, range: Range<usize>, replaced: &mut Vec<Replaced>, path: &str) {
        let body = &text[range.clone()];
        for (at, _) in body.match_indices(':') {
            let rest = &body[at + 1..];
            let is_part = |next: char| next.is_ascii_uppercase() || next.is_ascii_digit() || next == '_';
            let name = &rest[..rest.find(|next| !is_part(next)).unwrap_or(rest.len())];
            let follows = rest[name.len()..].chars().next().unwrap_or(' ');
            let before = body[..at].chars().next_back().unwrap_or(' ');
            let is_name = name.len() > 3 && name.contains('_') && !follows.is_alphanumeric() && before != ':';
            if is_name && (self.values.contains_key(name) || self.assumed.contains_key(name)) {
                let start = range.start + at;
                let by = self.value(name, false, path).unwrap_or_default();
                replaced.push(Replaced { range: start..start + 1 + name.len(), by });
            }
        }
    }

    /// What stands for the inside of a placeholder; nothing for a part of a template that is no value.
    fn value(&mut self, inside: &str, is_part: bool, path: &str) -> Option<String> {
        let inside = inside.trim_matches(|next: char| next.is_whitespace() || next == '-');
        if inside.starts_with("/*") {
            return Some(String::new());
        }
        let first = inside.split(|next: char| next.is_whitespace() || next == '(').next().unwrap_or_default();
        if BLOCKS.contains(&first) {
            self.blocks.insert(path.to_owned());
            // The statement where a block opens is the one that is not read: its end belongs to none.
            return (first == "end").then(|| " ".to_owned());
        }
        let name = name(inside);
        if let Some(value) = self.values.get(name).or_else(|| self.values.get(inside)) {
            return Some(value.clone());
        }
        let assumed = identifier(name, is_part);
        self.assumed.insert(name.to_owned(), assumed.clone());
        Some(assumed)
    }

    /// Sentences that tell what was assumed and what is not read.
    pub fn remarks(&self, root: &str) -> Vec<String> {
        const SHOWN: usize = 4;
        let mut remarks = Vec::new();
        if !self.assumed.is_empty() {
            let shown = self.assumed.iter().take(SHOWN).map(|(name, by)| match by.is_empty() {
                true => format!("`{name}` as the schema of the search_path"),
                false => format!("`{name}` as `{by}`"),
            });
            let shown = shown.collect::<Vec<_>>().join(", ");
            let more = self.assumed.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let remark = "placeholders without a value are read by their names";
            remarks.push(format!("{root}: {remark}: {shown}{more}; `[placeholders]` sets them"));
        }
        if let Some(first) = self.blocks.first() {
            let count = self.blocks.len();
            let remark = "templates have blocks (`if`, `range`, `template`); statements with one are not read";
            let files = if count == 1 { "file" } else { "files" };
            remarks.push(format!("{root}: {remark}: {count} {files}, such as `{first}`"));
        }
        remarks
    }
}

/// Longer ones are no placeholders.
const LONGEST: usize = 1024;

/// Words of Go's templates that open, part or close a block.
const BLOCKS: &[&str] =
    &["if", "else", "end", "range", "with", "define", "block", "template", "break", "continue", "install_snapshot"];

/// Words that cannot stand where a name does.
const RESERVED: &[&str] = &[
    "all",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "into",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "some",
    "table",
    "then",
    "to",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "when",
    "where",
    "window",
    "with",
];

/// The name in `ohdsiSchema`, `flyway:defaultSchema`, `.Schema`, `index .Options "Namespace"`.
fn name(inside: &str) -> &str {
    if let Some((_, name)) = inside.strip_suffix('"').and_then(|text| text.rsplit_once('"')) {
        return name;
    }
    let last = inside.split_whitespace().last().unwrap_or(inside);
    last.rsplit(['.', ':']).next().unwrap_or(last)
}

/// A name that may stand where the placeholder does.
fn identifier(name: &str, is_part: bool) -> String {
    let is_part_of_name = |next: char| next.is_ascii_alphanumeric() || next == '_';
    let mut made: String = name.chars().map(|next| if is_part_of_name(next) { next } else { '_' }).collect();
    if name.eq_ignore_ascii_case("defaultSchema") {
        return "public".to_owned();
    }
    // Unquoted names are folded: what stands in quotes must be the same.
    made.make_ascii_lowercase();
    if made.is_empty() {
        made.push_str("placeholder");
    }
    if is_part {
        return made;
    }
    if made.starts_with(|first: char| first.is_ascii_digit()) {
        made.insert(0, '_');
    }
    if RESERVED.contains(&made.as_str()) {
        made.push('_');
    }
    made
}

/// A placeholder touches a name on one of its sides.
fn beside(text: &str, start: usize, end: usize) -> bool {
    let is_name = |next: char| next.is_alphanumeric() || next == '_';
    text[..start].ends_with(is_name) || text[end..].starts_with(is_name)
}

/// `\set name value …`: psql joins the values. What a command prints is not known.
fn assignment(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("\\set")?.trim();
    let (name, values) = rest.split_once(char::is_whitespace)?;
    if values.contains('`') {
        return None;
    }
    let words = values.split_whitespace().map(|word| word.trim_matches('\''));
    let value: String =
        if values.trim().starts_with('\'') { values.trim().trim_matches('\'').to_owned() } else { words.collect() };
    Some((name.to_owned(), value.replace("''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn filled(text: &str, style: Style, values: &[(&str, &str)]) -> (String, Placeholders) {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", text);
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut placeholders = Placeholders { values, ..Placeholders::default() };
        let piece = placeholders.fill(sources.piece(id), style, "a.sql");
        for end in 0..=piece.text().len() {
            // Every place leads into the file, between characters.
            let _ = (sources.text(piece.span(0..end)), sources.text(piece.span(end..end)));
        }
        (piece.text().to_owned(), placeholders)
    }

    #[test]
    fn each_style_replaces_what_its_runner_does() {
        for (style, text, wanted) in [
            (Style::Dollar, "select ${a.b} from t_${c} where x = '${d}'", "select b from t_c where x = 'd'"),
            (Style::Dollar, "${flyway:defaultSchema}.a ${", "public.a ${"),
            (Style::Go, "{{ index .Options \"Namespace\" }}.u {{/* x */}}{{- .Té }}", "namespace.u t_"),
            (Style::Go, "{{ if .A }} x {{ end }}", "{{ if .A }} x  "),
            (Style::Marks, "select '${a}', ${b}, :c", "select '${a}', b, :c"),
            (
                Style::Psql,
                "\\set s x\nselect :s, :'s', :\"q\", a[1:n], b::int, :table",
                "\\set s x\nselect x, 'x', \"q\", a[1:n], b::int, table_",
            ),
            (
                Style::Psql,
                "create :A_SCHEMA.f() as $$ :A_SCHEMA.t := a::B_C $$",
                "create a_schema.f() as $$ a_schema.t := a::B_C $$",
            ),
            (
                Style::Marks,
                "on /* A_SCHEMA */.\"T\" /* c */ . a/* b */.c x./* d */y $$ from /* A_SCHEMA */.t $$",
                "on \"T\" /* c */ . a/* b */.c x./* d */y $$ from t $$",
            ),
            (Style::River, "from /* TEMPLATE: schema */river_job", "from /* TEMPLATE: schema */river_job"),
        ] {
            assert_eq!(filled(text, style, &[]).0, wanted, "{text}");
        }
        assert_eq!(filled("${é}${a}", Style::Dollar, &[("a", "a long value"), ("é", "")]).0, "a long value");
        assert_eq!(filled("from /* s */.a", Style::Marks, &[("s", "\"S\"")]).0, "from \"S\".a");
        assert_eq!(filled("/* TEMPLATE: schema */a", Style::River, &[("schema", "s")]).0, "s.a");
    }

    #[test]
    fn places_lead_to_the_placeholder() {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", "from ${s}.t;");
        let mut placeholders = Placeholders::default();
        placeholders.values.insert("s".to_owned(), "a_long_schema".to_owned());
        let piece = placeholders.fill(sources.piece(id), Style::Dollar, "a.sql");
        let place = |word: &str| {
            let at = piece.text().find(word).unwrap();
            sources.text(piece.span(at..at + word.len())).to_owned()
        };
        assert_eq!(
            (place("a_long_schema"), place(".t"), place("long_schema.t")),
            ("${s}".into(), ".t".into(), "${s}.t".into())
        );
        assert!(placeholders.assumed.is_empty());
    }

    #[test]
    fn what_was_assumed_is_said_once() {
        let (_, placeholders) = filled("${a}${a}${b}", Style::Dollar, &[]);
        let remarks = placeholders.remarks("m");
        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].contains("`a` as `a`, `b` as `b`; `[placeholders]` sets them"), "{remarks:?}");
    }
}
