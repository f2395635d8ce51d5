//! Names of relations as people write them in settings and comments: folded and quoted as SQL has it.

use crate::operation::{Ident, Name};

/// The name at the start of a text, and what follows it.
pub fn take_name(text: &str) -> Option<(Name, &str)> {
    let (first, rest) = take_ident(text)?;
    let Some(after_dot) = rest.strip_prefix('.') else { return Some((Name::bare(first), rest)) };
    let (second, rest) = take_ident(after_dot)?;
    Some((Name { schema: Some(first), name: second }, rest))
}

/// A whole text that is one name, `orders` or `sales.orders`.
pub fn read_name(text: &str) -> Result<Name, String> {
    let wrong = || format!("`{text}` is no table's name: write `orders`, `sales.orders` or `\"Orders\"`");
    let (name, rest) = take_name(text.trim()).ok_or_else(wrong)?;
    if rest.is_empty() { Ok(name) } else { Err(wrong()) }
}

/// A whole text that is one identifier.
pub fn read_ident(text: &str) -> Result<Ident, String> {
    let wrong = || format!("`{text}` is no column's name");
    let (ident, rest) = take_ident(text.trim()).ok_or_else(wrong)?;
    if rest.is_empty() { Ok(ident) } else { Err(wrong()) }
}

fn take_ident(text: &str) -> Option<(Ident, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return take_quoted(quoted);
    }
    let continues = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    let end = text.find(|character| !continues(character)).unwrap_or(text.len());
    let word = &text[..end];
    let starts = word.starts_with(|character: char| character.is_alphabetic() || character == '_');
    // Only ASCII is folded: what lies beyond depends on the server's encoding (`downcase_identifier`).
    starts.then(|| (Ident::new(word.to_ascii_lowercase()), &text[end..]))
}

fn take_quoted(text: &str) -> Option<(Ident, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        let Some(doubled) = after.strip_prefix('"') else {
            return (!name.is_empty()).then(|| (Ident::new(name), after));
        };
        name.push('"');
        rest = doubled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_and_quote_as_sql_does() {
        let printed = |text: &str| read_name(text).map(|name| name.to_string());
        assert_eq!(printed("Public.Orders"), Ok("public.orders".to_owned()));
        assert_eq!(printed("\"My \"\"T\""), Ok("\"My \"\"T\"".to_owned()));
        for wrong in ["", "1a", "a.", "a.b.c", "a b", "\"a", "\"\""] {
            assert!(read_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(take_name("a.b where").map(|(_, rest)| rest), Some(" where"));
    }
}
