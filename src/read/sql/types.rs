//! Type names: every spelling of a built-in type becomes its one canonical name.

use std::sync::Arc;

use super::cursor::{Cursor, Read};
use super::lexer::Kind;
use crate::operation::{Name, TypeName};

impl Cursor<'_> {
    /// A type with its modifiers and array bounds.
    pub fn type_name(&mut self) -> Read<TypeName> {
        let mut data_type = self.simple_type()?;
        if self.eat("array") {
            data_type.array = true;
            if self.eat_kind(Kind::OpenBracket) {
                self.unsigned()?;
                self.expect_kind(Kind::CloseBracket, "]")?;
            }
            return Ok(data_type);
        }
        while self.eat_kind(Kind::OpenBracket) {
            data_type.array = true;
            self.eat_kind(Kind::Number);
            self.expect_kind(Kind::CloseBracket, "]")?;
        }
        Ok(data_type)
    }

    fn simple_type(&mut self) -> Read<TypeName> {
        if self.kind() != Some(Kind::Word) || self.kind_at(1) == Some(Kind::Dot) {
            return self.named_type();
        }
        let word = self.word_at(0).to_ascii_lowercase();
        match word.as_str() {
            "int" | "integer" | "smallint" | "bigint" | "real" | "boolean" | "json" => {
                self.skip(1);
                Ok(TypeName::built_in(TypeName::canonical(&word).unwrap_or("json")))
            }
            "double" if self.eat("double precision") => Ok(TypeName::built_in("double precision")),
            "float" => self.float(),
            "dec" | "decimal" | "numeric" => {
                self.skip(1);
                Ok(numeric(self.modifiers()?))
            }
            "varchar" => {
                self.skip(1);
                self.with_modifiers("character varying")
            }
            "character" | "char" | "nchar" => {
                self.skip(1);
                self.character()
            }
            "national" if self.eat_any(&["national character", "national char"]) => self.character(),
            "bit" => {
                self.skip(1);
                if self.eat("varying") {
                    return self.with_modifiers("bit varying");
                }
                Ok(or_one(self.with_modifiers("bit")?))
            }
            "timestamp" | "time" => self.timestamp(&word),
            "interval" => self.interval(),
            _ => self.named_type(),
        }
    }

    /// FLOAT(n): up to 24 bits are `real`.
    fn float(&mut self) -> Read<TypeName> {
        self.skip(1);
        let bits = self.modifiers()?;
        let small = bits.first().and_then(|bits| bits.parse::<u32>().ok()).is_some_and(|bits| bits <= 24);
        Ok(TypeName::built_in(if small { "real" } else { "double precision" }))
    }

    fn character(&mut self) -> Read<TypeName> {
        if self.eat("varying") {
            return self.with_modifiers("character varying");
        }
        Ok(or_one(self.with_modifiers("character")?))
    }

    fn timestamp(&mut self, word: &str) -> Read<TypeName> {
        self.skip(1);
        let modifiers = self.modifiers()?;
        let zone = self.eat("with time zone");
        if !zone {
            self.eat("without time zone");
        }
        let name = match (word, zone) {
            ("time", true) => "time with time zone",
            ("time", false) => "time without time zone",
            (_, true) => "timestamp with time zone",
            (_, false) => "timestamp without time zone",
        };
        Ok(TypeName { modifiers, ..TypeName::built_in(name) })
    }

    /// INTERVAL with its fields, whose last may have a precision.
    fn interval(&mut self) -> Read<TypeName> {
        const FIELDS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
        self.skip(1);
        let mut modifiers = self.modifiers()?;
        let mut name = "interval".to_owned();
        if modifiers.is_empty()
            && let Some(first) = FIELDS.iter().find(|field| self.eat(field))
        {
            name = format!("{name} {first}");
            if self.eat("to") {
                let Some(last) = FIELDS.iter().find(|field| self.eat(field)) else {
                    return Err(self.refuse("a field of an interval"));
                };
                name = format!("{name} to {last}");
            }
            modifiers = self.modifiers()?;
        }
        Ok(TypeName { modifiers, ..TypeName::built_in(&name) })
    }

    fn named_type(&mut self) -> Read<TypeName> {
        let quoted = self.kind() != Some(Kind::Word);
        let name = self.loose_name()?;
        let system = name.schema.as_ref().is_some_and(|schema| *schema == "pg_catalog");
        let modifiers = self.modifiers()?;
        let canonical =
            if name.schema.is_none() || system { catalog_type(name.name.as_str(), quoted || system) } else { None };
        if let Some(canonical) = canonical {
            return Ok(match canonical {
                "numeric" => numeric(modifiers),
                // Without a length bpchar is no char(1): `format_type()` keeps its name.
                "character" if modifiers.is_empty() => TypeName::built_in("bpchar"),
                _ => TypeName { modifiers, ..TypeName::built_in(canonical) },
            });
        }
        Ok(TypeName { name, modifiers, array: false, built_in: false })
    }

    fn with_modifiers(&mut self, name: &str) -> Read<TypeName> {
        Ok(TypeName { modifiers: self.modifiers()?, ..TypeName::built_in(name) })
    }

    /// `(10, 2)`: each as written.
    fn modifiers(&mut self) -> Read<Vec<Arc<str>>> {
        if self.kind() != Some(Kind::OpenParen) {
            return Ok(Vec::new());
        }
        let inside = self.parens()?;
        let parts = self.parts(inside);
        Ok(parts.into_iter().map(|part| self.written(part).into()).collect())
    }
}

/// A type by its name in `pg_type`. Quoted, or in pg_catalog, the grammar's own words (`integer`) name nothing,
/// and `"char"` is the one-byte type.
fn catalog_type(name: &str, exactly: bool) -> Option<&'static str> {
    const GRAMMAR_ONLY: &[&str] =
        &["int", "integer", "smallint", "bigint", "real", "float", "decimal", "dec", "boolean"];
    if exactly && name == "char" {
        return Some("\"char\"");
    }
    if name.contains(' ') || (exactly && (GRAMMAR_ONLY.contains(&name) || matches!(name, "character" | "nchar"))) {
        return None;
    }
    TypeName::canonical(name)
}

/// `numeric(10)` is `numeric(10,0)` in the catalog.
fn numeric(mut modifiers: Vec<Arc<str>>) -> TypeName {
    if modifiers.len() == 1 {
        modifiers.push("0".into());
    }
    TypeName { modifiers, ..TypeName::built_in("numeric") }
}

/// `char` and `bit` alone are `char(1)` and `bit(1)`.
fn or_one(mut data_type: TypeName) -> TypeName {
    if data_type.modifiers.is_empty() {
        data_type.modifiers.push("1".into());
    }
    data_type
}

/// The integer behind serial types, where the name is one.
pub(super) fn serial(name: &Name) -> Option<&'static str> {
    if name.schema.is_some() {
        return None;
    }
    match name.name.as_str() {
        "serial" | "serial4" => Some("integer"),
        "bigserial" | "serial8" => Some("bigint"),
        "smallserial" | "serial2" => Some("smallint"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::read::sql::cursor::Cursor;
    use crate::read::sql::lexer::{Lexer, Token};
    use crate::source::Sources;

    fn printed(text: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", text);
        let piece = sources.piece(id);
        let tokens: Vec<Token> = Lexer::new(text).collect();
        let mut cursor = Cursor::new(&piece, &tokens);
        let data_type = cursor.type_name().unwrap();
        cursor.expect_end().unwrap();
        data_type.to_string()
    }

    /// The right-hand sides are what `format_type()` of PostgreSQL 17 prints.
    #[test]
    fn types_print_as_the_catalog_does() {
        for (written, catalog) in [
            ("INT4", "integer"),
            ("pg_catalog.int4[]", "integer[]"),
            ("\"int4\"", "integer"),
            ("varchar(50)", "character varying(50)"),
            ("national character varying (5)", "character varying(5)"),
            ("char", "character(1)"),
            ("bpchar", "bpchar"),
            ("\"char\"", "\"char\""),
            ("numeric(10)", "numeric(10,0)"),
            ("decimal(10, 2)", "numeric(10,2)"),
            ("float(24)", "real"),
            ("float", "double precision"),
            ("double precision[3][]", "double precision[]"),
            ("int array[4]", "integer[]"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("time", "time without time zone"),
            ("interval day to second (3)", "interval day to second(3)"),
            ("interval(2)", "interval(2)"),
            ("bit", "bit(1)"),
            ("bit varying(3)", "bit varying(3)"),
            ("public.geometry(Point,4326)", "public.geometry(Point,4326)"),
            ("MyType", "mytype"),
            ("\"MyType\"", "\"MyType\""),
        ] {
            assert_eq!(printed(written), catalog, "{written}");
        }
    }
}
