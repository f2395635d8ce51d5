//! Whether two texts of an expression mean the same: as written in a migration, and as a dump prints it.

use crate::operation::{Constant, Expr, Expression};
use crate::schema::definition::index_body;
use crate::schema::{Index, IndexColumn, IndexKey, Schema};

/// Casts, parentheses and the ways to write a list are no difference.
pub fn same(one: &Expression, other: &Expression) -> bool {
    if one.tree == other.tree || same_text(&one.text, &other.text) {
        return true;
    }
    let (one, other) = (bare(&one.tree), bare(&other.tree));
    one == other || same_json(&one, &other)
}

/// Objects and lists of JSON by what they hold: jsonb prints them in its own way.
fn same_json(one: &Expr, other: &Expr) -> bool {
    let value = |expr: &Expr| -> Option<serde_json::Value> {
        let Expr::Constant(Constant::String(text)) = expr else { return None };
        serde_json::from_str(text).ok().filter(|value: &serde_json::Value| value.is_object() || value.is_array())
    };
    value(one).is_some_and(|one| value(other) == Some(one))
}

pub fn same_option(one: Option<&Expression>, other: Option<&Expression>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Texts without what PostgreSQL adds or leaves out when it prints them.
pub fn same_text(one: &str, other: &str) -> bool {
    one == other || plain(one) == plain(other)
}

/// Whether two indexes are over the same, kind and condition included; their names say nothing.
pub fn same_index((schema, one): (&Schema, &Index), (other_schema, other): (&Schema, &Index)) -> bool {
    if one.unique != other.unique {
        return false;
    }
    if same_columns((schema, one), (other_schema, other)) {
        return true;
    }
    if same_text(&index_body(schema, one, ""), &index_body(other_schema, other, "")) {
        return true;
    }
    let (expressions, others) = (expressions(one), expressions(other));
    expressions.len() == others.len()
        && expressions.iter().zip(&others).all(|(one, other)| same(one, other))
        && same_text(&without_expressions(schema, one), &without_expressions(other_schema, other))
}

/// Both are over the same columns, and nothing else is said of either: as most are.
fn same_columns((schema, one): (&Schema, &Index), (other_schema, other): (&Schema, &Index)) -> bool {
    let is_plain = |part: &IndexColumn| {
        part.operator.is_none()
            && part.collation.is_none()
            && part.operator_class.is_none()
            && !part.descending
            && !part.nulls_first
    };
    let same_part = |(part, other_part): (&IndexColumn, &IndexColumn)| match (&part.key, &other_part.key) {
        (IndexKey::Column(column), IndexKey::Column(then)) => {
            is_plain(part)
                && is_plain(other_part)
                && schema.column_name(one.table, *column) == other_schema.column_name(other.table, *then)
        }
        _ => false,
    };
    let says_more = |index: &Index| index.nulls_not_distinct || index.filter.is_some() || !index.include.is_empty();
    !says_more(one)
        && !says_more(other)
        && one.method == other.method
        && one.parts.len() == other.parts.len()
        && one.parts.iter().zip(&other.parts).all(same_part)
}

fn expressions(index: &Index) -> Vec<&Expression> {
    let parts = index.parts.iter().filter_map(|part| match &part.key {
        IndexKey::Expression(expression) => Some(expression),
        IndexKey::Column(_) => None,
    });
    parts.chain(&index.filter).collect()
}

/// The index with nothing in the place of each expression.
fn without_expressions(schema: &Schema, index: &Index) -> String {
    let mut index = index.clone();
    let parts = index.parts.iter_mut().filter_map(|part| match &mut part.key {
        IndexKey::Expression(expression) => Some(expression),
        IndexKey::Column(_) => None,
    });
    for expression in parts.chain(&mut index.filter) {
        expression.text = "".into();
    }
    index_body(schema, &index, "")
}

/// The tree without casts; literals as texts.
fn bare(tree: &Expr) -> Expr {
    tree.map(&mut |expr| match expr {
        Expr::Cast { value, .. } => Some(bare(value)),
        Expr::Unary { operator, operand } if &**operator == "-" => match &**operand {
            Expr::Constant(Constant::Number(text)) => Some(Expr::Constant(Constant::String(format!("-{text}").into()))),
            _ => None,
        },
        Expr::Constant(Constant::Number(text)) => Some(Expr::Constant(Constant::String(text.clone()))),
        Expr::Column { qualifier: Some(_), name } => Some(Expr::bare(name)),
        _ => None,
    })
}

/// The length of a comment that begins a text: the server keeps none where it keeps a tree.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("--") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// Several names of one function: the moment at which the transaction began, the length of a text.
const SYNONYMS: [(&str, &str); 4] = [
    ("current_timestamp", "now"),
    ("transaction_timestamp", "now"),
    ("character_length(", "length"),
    ("char_length(", "length"),
];

/// Lower case outside of literals, without blanks, comments, parentheses, casts and the schema `public`.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let end = literal_end(rest);
            // A cast, as it is written before a literal.
            if interval(&rest[..end]).is_some()
                && let Some(ahead) = plain.strip_suffix("interval")
                && !ahead.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                plain.truncate(ahead.len());
            }
            plain.push_str(literal(&rest[..end]).as_str());
            rest = &rest[end..];
            continue;
        }
        if let Some(length) = comment(rest) {
            rest = &rest[length..];
            continue;
        }
        if let Some(after) = rest.strip_prefix("::") {
            rest = after_type(after);
            continue;
        }
        if let Some(after) = rest.strip_prefix("public.") {
            rest = after;
            continue;
        }
        let begins = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let word = SYNONYMS.into_iter().find(|(word, _)| begins(word));
        if let Some((word, name)) = word.filter(|_| !plain.ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
            plain.push_str(name);
            rest = &rest[word.len()..];
            continue;
        }
        if !first.is_whitespace() && !matches!(first, '(' | ')' | '"') {
            plain.extend(first.to_lowercase());
        }
        rest = &rest[first.len_utf8()..];
    }
    plain.trim_end_matches(';').replace("<>", "!=")
}

/// A literal as PostgreSQL prints it: truth values as words, midnight left out.
fn literal(text: &str) -> String {
    match text {
        "'f'" | "'false'" => "false".to_owned(),
        "'t'" | "'true'" => "true".to_owned(),
        _ if let Some(words) = interval(text) => words,
        _ => text.replace("public.", "").replace(" 00:00:00'", "'"),
    }
}

/// `'PT7H'`, which Active Record has written for `'7 hours'`, as a session's `intervalstyle` has it.
fn interval(literal: &str) -> Option<String> {
    const UNITS: [(&str, char); 6] =
        [("year", 'Y'), ("mon", 'M'), ("day", 'D'), ("hour", 'h'), ("min", 'm'), ("sec", 's')];
    let inside = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut parts: Vec<(i64, char)> = Vec::new();
    if let Some(iso) = inside.strip_prefix('P') {
        let (mut is_time, mut number) = (false, String::new());
        for one in iso.chars() {
            match one {
                'T' if number.is_empty() => is_time = true,
                '0'..='9' | '-' => number.push(one),
                'Y' | 'M' | 'W' | 'D' | 'H' | 'S' => {
                    let count = number.parse::<i64>().ok()?;
                    number.clear();
                    parts.push(match one {
                        'W' => (count.checked_mul(7)?, 'D'),
                        _ if is_time => (count, one.to_ascii_lowercase()),
                        _ => (count, one),
                    });
                }
                _ => return None,
            }
        }
        if !number.is_empty() {
            return None;
        }
    } else {
        let mut words = inside.split_whitespace();
        while let Some(number) = words.next() {
            let (count, unit) = (number.parse::<i64>().ok()?, words.next()?.to_lowercase());
            if unit.starts_with("week") {
                parts.push((count.checked_mul(7)?, 'D'));
                continue;
            }
            parts.push((count, UNITS.into_iter().find(|(name, _)| unit.starts_with(name))?.1));
        }
    }
    (!parts.is_empty()).then(|| parts.iter().map(|(count, unit)| format!("{count}{unit}")).collect())
}

/// Where a literal ends: behind its last quote.
fn literal_end(text: &str) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find('\'') {
        at += found + 1;
        if text[at..].starts_with('\'') {
            at += 1;
        } else {
            return at;
        }
    }
    text.len()
}

/// What follows the type of a cast.
fn after_type(text: &str) -> &str {
    const LONG: [&str; 6] = [
        "character varying",
        "double precision",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "time with time zone",
    ];
    let text = text.trim_start();
    let long = LONG.iter().find(|name| text.starts_with(**name)).map(|name| name.len());
    let end = long.unwrap_or_else(|| {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
        text.find(|c| !part(c)).unwrap_or(text.len())
    });
    let mut rest = &text[end..];
    if rest.starts_with('(')
        && let Some(close) = rest.find(')')
        && rest[1..close].bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
    {
        rest = &rest[close + 1..];
    }
    while let Some(after) = rest.strip_prefix("[]") {
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dump_puts_in_other_words_is_no_difference() {
        let read = crate::read::sql::expression::tree;
        let same = |one: &str, other: &str| bare(&read(one)) == bare(&read(other));
        for (written, dumped) in [
            ("status IN (2, -1)", "(status = ANY (ARRAY[2, '-1'::integer]))"),
            (
                "length(trim(a)) BETWEEN 1 AND 9",
                "((length(TRIM(BOTH FROM a)) >= 1) AND (length(TRIM(BOTH FROM a)) <= 9))",
            ),
            (
                "REGEXP_REPLACE(LEFT(a, POSITION('@' IN a) - 1), '\\.', '', 'g') || b",
                "(regexp_replace(\"left\"((a)::text, (\"position\"((a)::text, '@'::text) - 1)), '\\.'::text, ''::text, 'g'::text) || b)",
            ),
            ("substring(a FROM '[0-9]+')::bigint", "(\"substring\"(a, '[0-9]+'::text))::bigint"),
        ] {
            assert!(same(written, dumped), "{:?} {:?}", read(written), read(dumped));
        }
        assert!(!same("status IN (2, -1)", "status IN (2, 1)"));
    }

    #[test]
    fn what_a_dump_adds_is_no_difference() {
        for (written, dumped) in [
            ("char_length(name) <= 255", "(char_length((name)::text) <= 255)"),
            ("status <> 'Old (x)'", "((status)::text <> 'Old (x)'::text)"),
            ("nextval('t_id_seq')", "nextval('public.t_id_seq'::regclass)"),
            ("'{}'", "'{}'::jsonb[]"),
            ("at > '2024-01-01'", "(at > '2024-01-01 00:00:00'::timestamp without time zone)"),
            ("'f'", "false"),
            ("now()", "CURRENT_TIMESTAMP"),
            ("NOW() + INTERVAL '7 hours'", "(now() + 'PT7H'::interval)"),
            ("INTERVAL '2 weeks 1 min'", "'P14DT1M'::interval"),
        ] {
            assert!(same_text(written, dumped), "{} {}", plain(written), plain(dumped));
        }
        assert!(same_text("a -- the key\n, b /* /* not */ used */", "a, b"), "{}", plain("a -- the key\n, b"));
        assert!(same_text("a -- the last", "a") && !same_text("a - -1", "a"));
        assert!(!same_text("'--' || a", "'' || a"), "what stands in a literal is no comment");
        assert!(!same_text("a > 1", "a > 10"));
        assert!(!same_text("INTERVAL '1 mon'", "'PT1M'::interval"), "a month is no minute");
        assert!(!same_text("a = 'X'", "a = 'x'"), "literals keep their case");
        assert!(!same_text("'now'", "'current_timestamp'") && !same_text("my_current_timestamp", "my_now"));
    }
}
