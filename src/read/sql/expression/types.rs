//! sqlparser's data types become ours.

use std::sync::Arc;

use sqlparser::ast;

use crate::operation::{Ident, Name, TypeName};
use crate::read::sql::lexer::{Kind, Lexer, Token};

/// sqlparser prints every type in PostgreSQL's words, so the one reading of type names is that of their text.
pub(super) fn type_name(data_type: &ast::DataType) -> TypeName {
    named(&data_type.to_string())
}

/// A type's name from its text.
pub(super) fn named(text: &str) -> TypeName {
    let mut words: Vec<String> = Vec::new();
    let mut parts: Vec<Ident> = Vec::new();
    let mut modifiers = Vec::new();
    let mut array = false;
    let mut quoted = false;
    let mut depth = 0;
    let mut start = 0;
    for token in Lexer::new(text) {
        match token.kind {
            Kind::OpenParen => {
                depth += 1;
                start = token.end as usize;
            }
            Kind::CloseParen | Kind::Comma if depth == 1 => {
                modifiers.push(text[start..token.start as usize].trim().into());
                start = token.end as usize;
                depth -= i32::from(token.kind == Kind::CloseParen);
            }
            Kind::OpenBracket => array = true,
            Kind::Word if depth == 0 => {
                let word = token.text(text).to_ascii_lowercase();
                match word.as_str() {
                    "array" => array = true,
                    _ => words.push(word),
                }
                parts.extend(words.last().map(Ident::new));
            }
            Kind::Quoted if depth == 0 => {
                quoted = true;
                parts.push(unquoted(token, text));
            }
            _ => {}
        }
    }
    let plain = (!quoted && !text.contains('.')) || words.first().is_some_and(|word| word == "pg_catalog");
    words.retain(|word| word != "pg_catalog");
    if plain && let Some(name) = canonical(&words.join(" ")) {
        // char and bit alone are of length 1; float(n) up to 24 bits is real (manual, "Data Types").
        let bare = modifiers.is_empty() && words.last().is_some_and(|word| word != "bpchar");
        if bare && (name == "character" || name == "bit") {
            modifiers.push("1".into());
        }
        if words == ["float"] {
            let small =
                modifiers.pop().and_then(|bits: Arc<str>| bits.parse::<u32>().ok()).is_some_and(|bits| bits <= 24);
            return TypeName { array, ..TypeName::built_in(if small { "real" } else { "double precision" }) };
        }
        return TypeName { name: Name::bare(name), modifiers, array, built_in: true };
    }
    // `"char"` in quotes is another type than char: one byte, internal.
    let last = parts.pop().unwrap_or_else(|| Ident::new(""));
    TypeName { name: Name { schema: parts.pop(), name: last }, modifiers, array, built_in: false }
}

fn canonical(spelling: &str) -> Option<Ident> {
    if let Some(fields) = spelling.strip_prefix("interval ") {
        return Some(Ident::new(format!("interval {fields}")));
    }
    TypeName::canonical(spelling).map(Ident::new)
}

fn unquoted(token: Token, text: &str) -> Ident {
    let inner = token.text(text);
    Ident::new(inner[1..inner.len() - 1].replace("\"\"", "\""))
}
