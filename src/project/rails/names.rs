//! What names of Active Record's files say.

/// `20240101120000_create_users.rb`, `001_a.rb`, `2012_b.blog.rb` (installed from an engine): version, name, scope.
///
/// As `MigrationFilenameRegexp` has it: `\A([0-9]+)_([_a-z0-9]*)\.?([_a-z0-9]*)?\.rb\z`.
pub fn migration_name(file: &str) -> Option<(&str, &str, &str)> {
    let stem = file.strip_suffix(".rb")?;
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let rest = stem[digits..].strip_prefix('_').filter(|_| digits > 0)?;
    let (name, scope) = rest.split_once('.').unwrap_or((rest, ""));
    let is_word = |text: &str| text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit());
    (is_word(name) && is_word(scope)).then_some((&stem[..digits], name, scope))
}

/// Names that Active Record's folders are searched for: `[0-9]*_*.rb`.
pub fn is_migration(file: &str) -> bool {
    file.starts_with(|first: char| first.is_ascii_digit()) && file.contains('_') && file.ends_with(".rb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        assert_eq!(migration_name("20240101120000_create_users.rb"), Some(("20240101120000", "create_users", "")));
        assert_eq!(migration_name("001_a.rb"), Some(("001", "a", "")));
        assert_eq!(migration_name("2012_b.blog.rb"), Some(("2012", "b", "blog")));
        for other in ["2012_CamelCase.rb", "2012.rb", "a_1.rb", "2012_a.b.c.rb", "2012_a.sql", "_a.rb"] {
            assert_eq!(migration_name(other), None, "{other}");
        }
        assert!(is_migration("2012_CamelCase.rb") && !is_migration("2012.rb"));
    }
}
