//! Names as PostgreSQL understands them: folded, quoted only where they must be.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One identifier after folding: unquoted names are lower case, quoted ones as written,
/// both cut to 63 bytes.
#[derive(Clone)]
pub struct Ident(Arc<str>);

/// Of a name that is cut so much is kept, to show it.
const WRITTEN_BYTES: usize = 4 * IDENT_BYTES;

/// `NAMEDATALEN - 1`: the bytes an identifier can hold.
pub const IDENT_BYTES: usize = 63;

impl Ident {
    /// Takes the name as it is; the reader has folded it.
    pub fn new(name: impl AsRef<str>) -> Ident {
        let name = name.as_ref();
        Ident(cut(name, WRITTEN_BYTES).into())
    }

    #[inline]
    pub fn as_str(&self) -> &str {
        cut(&self.0, IDENT_BYTES)
    }

    /// One in memory, as the schema's name is in nearly all full names.
    #[inline]
    fn is_same(&self, other: &Ident) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// As a statement has it: quoted where it must be, and whole where PostgreSQL cuts it.
    pub fn to_sql(&self) -> String {
        self.written().map_or_else(|| self.to_string(), |written| format!("\"{}\"", written.replace('"', "\"\"")))
    }

    /// The name as it was written, where PostgreSQL cuts it.
    pub fn written(&self) -> Option<&str> {
        (self.0.len() > IDENT_BYTES).then_some(&*self.0)
    }
}

/// What PostgreSQL makes of it counts.
impl PartialEq for Ident {
    #[inline]
    fn eq(&self, other: &Ident) -> bool {
        self.is_same(other) || self.as_str() == other.as_str()
    }
}

impl Eq for Ident {}

impl PartialOrd for Ident {
    fn partial_cmp(&self, other: &Ident) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ident {
    #[inline]
    fn cmp(&self, other: &Ident) -> Ordering {
        if self.is_same(other) { Ordering::Equal } else { self.as_str().cmp(other.as_str()) }
    }
}

impl Hash for Ident {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// The longest start of `text` that has at most `bytes` bytes and ends between characters.
#[inline]
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Borrow<str> for Ident {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Ident {
    fn from(name: &str) -> Ident {
        Ident::new(name)
    }
}

impl PartialEq<str> for Ident {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Ident {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Ident {
    /// A keyword that has to be quoted where it is a name.
    pub fn is_keyword(&self) -> bool {
        must_be_quoted(self.as_str())
    }
}

/// Prints as `quote_ident()` does.
impl fmt::Display for Ident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.as_str().bytes();
        let plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !must_be_quoted(self.as_str());
        if plain {
            return formatter.write_str(self.as_str());
        }
        write!(formatter, "\"{}\"", self.as_str().replace('"', "\"\""))
    }
}

/// Keywords that `quote_ident()` quotes: all but the unreserved ones (PostgreSQL 18, `kwlist.h`).
fn must_be_quoted(word: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "bigint",
        "binary",
        "bit",
        "boolean",
        "both",
        "case",
        "cast",
        "char",
        "character",
        "check",
        "coalesce",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "dec",
        "decimal",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "extract",
        "false",
        "fetch",
        "float",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "greatest",
        "group",
        "grouping",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "inout",
        "int",
        "integer",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "lateral",
        "leading",
        "least",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "merge_action",
        "national",
        "natural",
        "nchar",
        "none",
        "normalize",
        "not",
        "notnull",
        "null",
        "nullif",
        "numeric",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "out",
        "outer",
        "overlaps",
        "overlay",
        "placing",
        "position",
        "precision",
        "primary",
        "real",
        "references",
        "returning",
        "right",
        "row",
        "select",
        "session_user",
        "setof",
        "similar",
        "smallint",
        "some",
        "substring",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "time",
        "timestamp",
        "to",
        "trailing",
        "treat",
        "trim",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "values",
        "varchar",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
    ];
    KEYWORDS.binary_search(&word).is_ok()
}

/// A name as a statement has it: the schema only where it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub schema: Option<Ident>,
    pub name: Ident,
}

impl Name {
    pub fn bare(name: impl Into<Ident>) -> Name {
        Name { schema: None, name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(formatter, "{schema}.{}", self.name),
            None => self.name.fmt(formatter),
        }
    }
}

/// A name with its schema, as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    pub schema: Ident,
    pub name: Ident,
}

impl QualifiedName {
    /// As a statement may write it.
    pub fn as_name(&self) -> Name {
        Name { schema: Some(self.schema.clone()), name: self.name.clone() }
    }

    pub fn new(schema: impl Into<Ident>, name: impl Into<Ident>) -> QualifiedName {
        QualifiedName { schema: schema.into(), name: name.into() }
    }

    /// The name alone in `public`, with its schema elsewhere: as messages have it.
    pub fn short(&self) -> String {
        if self.schema == "public" { self.name.to_string() } else { self.to_string() }
    }
}

impl QualifiedName {
    /// Whether this is how it is printed; who asks many names pays for a few only.
    pub fn prints_as(&self, text: &str) -> bool {
        (text.ends_with(self.name.as_str()) || text.ends_with('"')) && self.to_string() == text
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_like_quote_ident() {
        for (name, printed) in [
            ("users", "users"),
            ("Users", "\"Users\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("1a", "\"1a\""),
            ("order", "\"order\""),
            ("name", "name"),
            ("é", "\"é\""),
            ("", "\"\""),
        ] {
            assert_eq!(Ident::new(name).to_string(), printed);
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(Ident::new("é".repeat(40)).as_str().len(), 62);
    }
}
