//! Names and literals in the SQL that is made, and the names that Active Record makes itself.

use sha2::{Digest, Sha256};

use super::dialect::Dialect;
use crate::operation::{Ident, Name};

/// A name as a statement needs it.
pub fn ident(name: &str) -> String {
    Ident::new(name).to_sql()
}

pub fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(ident).collect::<Vec<_>>().join(", ")
}

/// `schema.table`, with or without quotes: as Active Record takes names of tables, types and sequences.
pub fn name(text: &str) -> Name {
    let mut parts = split(text).into_iter();
    match (parts.next(), parts.next()) {
        (Some(schema), Some(table)) => Name { schema: Some(Ident::new(schema)), name: Ident::new(table) },
        (Some(table), None) => Name::bare(Ident::new(table)),
        (None, _) => Name::bare(Ident::new("")),
    }
}

/// The same as SQL.
pub fn table(text: &str) -> String {
    let name = name(text);
    match name.schema {
        Some(schema) => format!("{}.{}", schema.to_sql(), name.name.to_sql()),
        None => name.name.to_sql(),
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"')
            && let Some((part, after)) = quoted.split_once('"')
        {
            parts.push(part);
            rest = after;
            continue;
        }
        let end = rest.find(['.', '"']).unwrap_or(rest.len());
        if end > 0 {
            parts.push(&rest[..end]);
        }
        rest = rest.get(end.max(1)..).unwrap_or_default();
    }
    parts
}

/// Without its schema.
pub fn bare(text: &str) -> &str {
    split(text).into_iter().nth(1).unwrap_or_else(|| split(text).first().copied().unwrap_or_default())
}

/// The first ten digits of a digest, as all made names end.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

/// The longest name that Active Record makes for an index; one byte is left free for temporary names.
const INDEX_BYTES: usize = 62;

/// What an index is made of.
#[derive(Debug, Clone)]
pub enum Keys {
    Columns(Vec<String>),
    /// Expressions, as written.
    Expression(String),
}

impl Keys {
    /// How the parts stand in the index's name.
    fn part(&self, between: &str) -> String {
        match self {
            Keys::Columns(columns) => columns.join(between),
            Keys::Expression(text) => words(text),
        }
    }
}

/// The words of an expression, joined.
pub fn words(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// `index_users_on_email`, with the table as it is given: what is sent for migrations up to 7.0.
pub fn long_index_name(table: &str, keys: &Keys) -> String {
    format!("index_{table}_on_{}", keys.part("_and_"))
}

/// The same without a schema, and shortened where it would be too long.
pub fn index_name(table: &str, keys: &Keys) -> String {
    let name = long_index_name(bare(table), keys);
    if name.len() <= INDEX_BYTES {
        return name;
    }
    let end = format!("_{}", digest(&name));
    let short = format!("idx_on_{}", keys.part("_"));
    format!("{}{end}", crate::operation::cut(&short, INDEX_BYTES - end.len()))
}

pub fn foreign_key_name(table: &str, columns: &[String]) -> String {
    format!("fk_rails_{}", digest(&format!("{table}_{}_fk", columns.join("_and_"))))
}

pub fn check_name(table: &str, expression: &str) -> String {
    format!("chk_rails_{}", digest(&format!("{table}_{expression}_chk")))
}

pub fn exclusion_name(table: &str, expression: &str) -> String {
    format!("excl_rails_{}", digest(&format!("{table}_{expression}_excl")))
}

pub fn unique_name(table: &str, columns: &[String]) -> String {
    format!("uniq_rails_{}", digest(&format!("{table}_{}_unique", columns.join("_and_"))))
}

/// The column of a key to a table: `category_id`.
pub fn key_column(dialect: &Dialect, to_table: &str, column: &str) -> String {
    let bare = bare(to_table);
    let bare = bare.strip_prefix(&*dialect.table_name_prefix).unwrap_or(bare);
    let bare = bare.strip_suffix(&*dialect.table_name_suffix).unwrap_or(bare);
    format!("{}_{column}", dialect.inflections.singularize(bare))
}

/// `artists` and `records` join in `artists_records`; what both begin with stands once.
pub fn join_table_name(one: &str, other: &str) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    let ends = first.char_indices().filter(|(_, letter)| "_.".contains(*letter)).map(|(at, _)| at + 1);
    let shared = ends.filter(|end| *end < first.len() && second.len() > *end && second.starts_with(&first[..*end]));
    let shared = shared.max().unwrap_or(0);
    format!("{first}_{}", &second[shared..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_as_active_record_makes_them() {
        assert_eq!(foreign_key_name("comments", &["post_id".into()]), "fk_rails_2fd19c0db7");
        assert_eq!(foreign_key_name("posts", &["author_id".into()]), "fk_rails_04d13ef8c7");
        let long = Keys::Columns(vec!["a_rather_long_column_name".into(), "another_long_column_name".into()]);
        let name = index_name("some_table", &long);
        assert_eq!(name.len(), 62);
        assert!(name.starts_with("idx_on_a_rather_long_column_name_another_long_colum"), "{name}");
        assert_eq!(index_name("app.users", &Keys::Expression("lower(email)".into())), "index_users_on_lower_email");
        assert_eq!(join_table_name("records", "artists"), "artists_records");
        assert_eq!(join_table_name("music_records", "music_artists"), "music_artists_records");
    }

    #[test]
    fn names_of_tables_may_have_a_schema() {
        assert_eq!(table("app.users"), "app.users");
        assert_eq!(table("\"App\".\"my.users\""), "\"App\".\"my.users\"");
        assert_eq!(table("Users"), "\"Users\"");
        assert_eq!(bare("app.users"), "users");
    }
}
