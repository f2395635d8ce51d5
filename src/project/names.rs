//! What file names say: versions, directions, kinds. Knows no disk.

use std::sync::LazyLock;

/// Which way a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Up,
    Down,
}

/// A file's name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub version: String,
    pub name: String,
    /// `None` for a file that runs forward only.
    pub direction: Option<Direction>,
}

/// `123_title.up.sql`, as golang-migrate matches it: `^([0-9]+)_(.*)\.(down|up)\.(.*)$`.
pub fn up_down(file: &str) -> Option<Numbered> {
    let (version, rest) = digits(file)?;
    let rest = rest.strip_prefix('_')?;
    // The expression is greedy: the last `.up.` or `.down.` counts.
    let up = rest.rfind(".up.").map(|at| (at, Direction::Up));
    let down = rest.rfind(".down.").map(|at| (at, Direction::Down));
    let (at, direction) = up.max(down)?;
    Some(Numbered { version: version.to_owned(), name: rest[..at].to_owned(), direction: Some(direction) })
}

/// `123_title.sql`, `123_title.up.sql`, as sqlx and goose take them.
pub fn numbered(file: &str) -> Option<Numbered> {
    let (version, rest) = digits(file)?;
    let rest = rest.strip_prefix('_')?.strip_suffix(".sql")?;
    let (name, direction) = match (rest.strip_suffix(".up"), rest.strip_suffix(".down")) {
        (Some(name), _) => (name, Some(Direction::Up)),
        (None, Some(name)) => (name, Some(Direction::Down)),
        (None, None) => (rest, None),
    };
    Some(Numbered { version: version.to_owned(), name: name.to_owned(), direction })
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    (end > 0).then(|| text.split_at(end))
}

/// What Flyway makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlywayKind {
    Versioned,
    Undo,
    Baseline,
    Repeatable,
}

/// How Flyway's files are named: prefix, version, separator, description, suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlywayNames {
    /// The longest first: what two of them fit is of the longer one.
    prefixes: Vec<(String, FlywayKind)>,
    pub separator: String,
    pub suffixes: Vec<String>,
}

impl Default for FlywayNames {
    fn default() -> FlywayNames {
        let prefixes = [
            ("V", FlywayKind::Versioned),
            ("U", FlywayKind::Undo),
            ("B", FlywayKind::Baseline),
            ("R", FlywayKind::Repeatable),
        ];
        FlywayNames {
            prefixes: prefixes.map(|(prefix, kind)| (prefix.to_owned(), kind)).to_vec(),
            separator: "__".to_owned(),
            suffixes: vec![".sql".to_owned()],
        }
    }
}

impl FlywayNames {
    /// Gives a kind of file another prefix.
    pub fn begin(&mut self, kind: FlywayKind, prefix: &str) {
        self.prefixes.retain(|(_, own)| *own != kind);
        self.prefixes.push((prefix.to_owned(), kind));
        self.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    /// `V1_1__title.sql`, `R__title.sql`: its kind, version (empty for repeatable ones) and description.
    pub fn parse<'a>(&self, file: &'a str) -> Option<(FlywayKind, &'a str, &'a str)> {
        // Suffixes are compared without case, prefixes with it (`ResourceNameParser`).
        let stem = self.suffixes.iter().find_map(|suffix| {
            let at = file.len().checked_sub(suffix.len()).filter(|at| file.is_char_boundary(*at))?;
            let (stem, end) = file.split_at(at);
            end.eq_ignore_ascii_case(suffix).then_some(stem)
        })?;
        let (rest, kind) =
            self.prefixes.iter().find_map(|(prefix, kind)| Some((stem.strip_prefix(prefix.as_str())?, *kind)))?;
        let (version, description) = rest.split_once(self.separator.as_str())?;
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit());
        let is_version = version.split(['.', '_']).all(is_part);
        let fits = if kind == FlywayKind::Repeatable { version.is_empty() } else { is_version };
        fits.then_some((kind, version, description))
    }
}

/// A file's name as Flyway takes it where nothing is set.
pub fn flyway(file: &str) -> Option<(FlywayKind, &str, &str)> {
    static USUAL: LazyLock<FlywayNames> = LazyLock::new(FlywayNames::default);
    USUAL.parse(file)
}

/// A plain file's version (its first digits, after a `V` or a word such as `migration`), name and direction.
/// Where its own name says none (`migration.sql`, `up.sql`), its folder's name does; folders that stand for
/// versions (`3.17/0001##a.sql`) are part of it.
pub fn plain(path: &str) -> Numbered {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, direction) = plain_direction(file);
    let own = version_and_name(&stem);
    if !own.0.is_empty() {
        let above = folder.split('/').filter(|name| is_version_folder(name));
        let version = above.chain([own.0.as_str()]).collect::<Vec<_>>().join("/");
        return Numbered { version, name: own.1, direction };
    }
    let above = folder.rsplit_once('/').map_or(folder, |(_, name)| name);
    let (version, name) = version_and_name(above);
    if version.is_empty() {
        return Numbered { version, name: own.1, direction };
    }
    let is_generic = ["migration", "migrate", "up", "down", "schema", "index"].contains(&stem.as_str());
    let name = if is_generic { name } else { own.1 };
    Numbered { version, name, direction }
}

fn plain_direction(file: &str) -> (String, Option<Direction>) {
    let stem = file.rsplit_once(".sql").map_or(file, |(stem, _)| stem);
    // `0007_scale_down.sql` runs forward: only a dotted ending says a direction by itself.
    const DOWN: &[&str] = &[".down", ".rollback", ".undo", ".revert"];
    const UP: &[&str] = &[".up"];
    let without = |ends: &[&str]| ends.iter().find_map(|end| stem.strip_suffix(end)).map(str::to_owned);
    if matches!(stem, "down" | "rollback" | "revert") {
        return (stem.to_owned(), Some(Direction::Down));
    }
    if let Some(stem) = without(DOWN) {
        return (stem, Some(Direction::Down));
    }
    match without(UP) {
        Some(stem) => (stem, Some(Direction::Up)),
        None => (stem.to_owned(), (stem == "up").then_some(Direction::Up)),
    }
}

fn version_and_name(stem: &str) -> (String, String) {
    const WORDS: &[&str] = &["delta", "migrate", "migration", "patch", "update", "upgrade"];
    let after_word = || {
        let (word, rest) = stem.split_once(['-', '_'])?;
        WORDS.contains(&word.to_ascii_lowercase().as_str()).then_some(rest)
    };
    let start = stem.strip_prefix(['V', 'v']).or_else(after_word);
    let rest = start.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(stem);
    let is_part = |character: char| character.is_ascii_digit() || matches!(character, '.' | '_' | '-');
    let end = if rest.starts_with(|character: char| character.is_ascii_digit()) {
        rest.find(|character| !is_part(character)).unwrap_or(rest.len())
    } else {
        0
    };
    let version = rest[..end].trim_end_matches(|character: char| !character.is_ascii_digit());
    let name = rest[version.len()..].trim_start_matches(|character: char| !character.is_alphanumeric());
    (version.to_owned(), name.to_owned())
}

/// A folder that stands for a version: `3.17`, `v1.4`, `104`.
pub fn is_version_folder(name: &str) -> bool {
    let rest = name.strip_prefix(['V', 'v']).unwrap_or(name);
    rest.starts_with(|c: char| c.is_ascii_digit()) && rest.bytes().all(|b| b.is_ascii_digit() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_names_come_apart() {
        let parts = |found: Option<Numbered>| found.map(|found| (found.version, found.name, found.direction));
        let own = |version: &str, name: &str, direction| Some((version.to_owned(), name.to_owned(), direction));
        assert_eq!(parts(up_down("001_a_b.up.sql")), own("001", "a_b", Some(Direction::Up)));
        assert_eq!(parts(up_down("1_a.up.b.down.sql")), own("1", "a.up.b", Some(Direction::Down)));
        assert_eq!(parts(up_down("1-a.up.sql")), None);
        assert_eq!(parts(numbered("2024_a.sql")), own("2024", "a", None));
        assert_eq!(parts(numbered("2024_a.down.sql")), own("2024", "a", Some(Direction::Down)));
        assert_eq!(parts(numbered("a_2024.sql")), None);
        assert_eq!(parts(Some(plain("m/20240102030405_init/migration.sql"))), own("20240102030405", "init", None));
        assert_eq!(parts(Some(plain("3.1/0007##x.sql"))), own("3.1/0007", "x", None));
        assert_eq!(parts(Some(plain("migration-1-0002-x.sql"))), own("1-0002", "x", None));
        assert_eq!(parts(Some(plain("migration_log.sql"))), own("", "migration_log", None));
        assert_eq!(parts(Some(plain("a/V1.2__x.sql"))), own("1.2", "x", None));
        assert_eq!(parts(Some(plain("7_a/down.sql"))), own("7", "a", Some(Direction::Down)));
        assert_eq!(parts(Some(plain("dump.sql"))), own("", "dump", None));
        assert_eq!(parts(Some(plain("0007_scale_down.sql"))), own("0007", "scale_down", None));
    }

    #[test]
    fn flyway_names_come_apart() {
        assert_eq!(flyway("V1_1__a_b.sql"), Some((FlywayKind::Versioned, "1_1", "a_b")));
        assert_eq!(flyway("V2.0__a.SQL"), Some((FlywayKind::Versioned, "2.0", "a")));
        assert_eq!(flyway("R__view.sql"), Some((FlywayKind::Repeatable, "", "view")));
        assert_eq!(flyway("U3__a.sql"), Some((FlywayKind::Undo, "3", "a")));
        assert_eq!(flyway("B4__a.sql"), Some((FlywayKind::Baseline, "4", "a")));
        for other in ["V1_a.sql", "R1__a.sql", "V__a.sql", "Vx__a.sql", "v1__a.sql", "V1__a.txt", "é.sql", "sql"] {
            assert_eq!(flyway(other), None, "{other}");
        }
    }
}
